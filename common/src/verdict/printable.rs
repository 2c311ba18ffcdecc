//! Text of others, made fit for a line of output.

use std::borrow::Cow;

/// The text with everything replaced that would move the cursor, change colours, end the line or turn the
/// direction of writing: names and values come from whoever wrote the manifest, and must not be able to
/// write lines of their own or hide what stands beside them.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unfit) {
        Cow::Owned(text.chars().map(|c| if is_unfit(c) { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters but the tab, and the Unicode ones that separate lines or reorder text.
fn is_unfit(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(printable("a\tb — ✓"), "a\tb — ✓");
        assert_eq!(printable("a\n✓ b\u{1b}[2K\u{9b}1m\u{202e}\u{7f}"), "a�✓ b�[2K�1m��");
    }
}
