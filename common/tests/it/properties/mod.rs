//! What holds for every object and every text, not only for those somebody thought of.

mod edits;
mod in_text;
mod readers;
mod round_trips;
mod wild;
