//! The program as people call it: what it prints, where, and how it ends.

#![expect(clippy::unwrap_used, clippy::panic, clippy::format_collect, reason = "tests, and their helpers")]

mod advice;
mod bad_documents;
mod bad_files;
mod bad_keys;
mod bad_policies;
mod bad_usage;
mod building;
mod comparing;
mod completion;
mod help;
mod hostile;
mod many;
mod others;
mod outputs;
mod policies;
mod publishing;
mod readme;
mod recording;
mod registry;
mod signing;
mod staging;
mod support;
mod terminal;
mod test_files;
mod transcripts;
mod tuf;
mod waiting;
