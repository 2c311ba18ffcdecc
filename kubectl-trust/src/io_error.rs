//! Errors of the system, for people.

use std::io;

/// What the system says, in words and without its number.
pub(crate) fn problem(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
