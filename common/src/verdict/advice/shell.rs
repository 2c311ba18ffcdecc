//! Words of commands that people paste.

use std::borrow::Cow;

use super::super::printable;

/// A word that a shell reads as it is. Names and identities come from the author of the manifest or the
/// certificate, and people paste what they are told to.
#[must_use]
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@=+,%".contains(c));
    if plain { Cow::Borrowed(text) } else { Cow::Owned(shell_quoted(text)) }
}

/// The same, in quotes in any case.
#[must_use]
pub fn shell_quoted(text: &str) -> String {
    format!("'{}'", printable(text).replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_runs_nothing_of_others() {
        for (text, word) in [
            ("release@example.com", "release@example.com"),
            ("Deployment:spec.replicas", "Deployment:spec.replicas"),
            ("a b", "'a b'"),
            ("x'; rm -rf ~ #", r"'x'\''; rm -rf ~ #'"),
            ("$(id)\n", "'$(id)\u{fffd}'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
