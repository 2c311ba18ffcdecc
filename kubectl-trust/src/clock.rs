//! The time.

use jiff::Timestamp;

/// The time of the judgement, read once a command.
#[expect(clippy::disallowed_methods, reason = "the one place where a command reads the clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
