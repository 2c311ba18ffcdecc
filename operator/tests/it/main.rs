//! The operator as the API server sees it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod admission;
mod binary;
mod faults;
mod images;
mod resources;
mod shelf;
mod signed;
mod tasks;
mod updates;
mod webhook;
