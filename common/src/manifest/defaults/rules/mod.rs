//! The computed effects: each rule says what the server puts at a place, given the objects around it.
//!
//! Rules compute from the *signed* side wherever it has the answer, so that one forged field cannot
//! justify another.

pub(super) mod network;
pub(super) mod pod;
pub(super) mod token;
pub(super) mod various;
pub(super) mod workload;

use serde_json::Value;

use super::site::Site;

/// Any text.
pub(super) fn any_text(site: &Site<'_>) -> Option<Value> {
    site.here().filter(|value| value.is_string()).cloned()
}

/// A decimal number as text: what controllers count revisions with.
pub(super) fn decimal_text(site: &Site<'_>) -> Option<Value> {
    let text = site.here()?.as_str()?;
    let decimal = !text.is_empty() && text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit());
    decimal.then(|| text.into())
}
