//! The time.

use jiff::Timestamp;

/// The time of a judgement, read once a request.
#[expect(clippy::disallowed_methods, reason = "the one place where the operator reads the clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
