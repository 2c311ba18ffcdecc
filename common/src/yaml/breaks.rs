//! Raw U+0085, U+2028 and U+2029. YAML 1.1, and so `kubectl`, takes them for line breaks; YAML 1.2, and so
//! our parser, for characters.
//!
//! Attack: `# harmless<U+2028>key: value` is a comment to one reader and a comment and a key to the other.

use std::borrow::Cow;

use granit_parser::{Event, Parser, ScalarStyle};

use super::ambiguous::Ambiguity;

/// The text as `kubectl` reads it, or the line (from 0) of a break that cannot be read alike.
///
/// In a quoted scalar U+2028 and U+2029 are kept and the blanks around them dropped (YAML 1.1, 5.4 and
/// 9.1: folding keeps specific line breaks). Anywhere else, and next to another break or a backslash,
/// they are refused; so is U+0085, which folds into a space.
pub(super) fn settle(text: &str) -> Result<Cow<'_, str>, (usize, Ambiguity)> {
    let Some(first) = text.find(is_break) else { return Ok(Cow::Borrowed(text)) };
    let quoted = quoted(text);
    let mut settled = String::with_capacity(text.len());
    let mut from = 0;
    let mut next = Some(first);
    while let Some(at) = next {
        let refused = (text[..at].matches('\n').count(), Ambiguity::LineBreak);
        let end = at + text[at..].chars().next().map_or(1, char::len_utf8);
        let before = text[from..at].trim_end_matches([' ', '\t']);
        let after = text[end..].trim_start_matches([' ', '\t']);
        let inside = quoted.iter().any(|(start, stop)| *start < at && end < *stop);
        let alone =
            !before.is_empty() && !before.ends_with(['\n', '\r', '\\']) && !after.starts_with(is_any_break);
        if !inside || !alone || text[at..].starts_with('\u{85}') {
            return Err(refused);
        }
        settled.push_str(before);
        settled.push_str(&text[at..end]);
        from = text.len() - after.len();
        next = after.find(is_break).map(|found| from + found);
    }
    settled.push_str(&text[from..]);
    Ok(Cow::Owned(settled))
}

fn is_break(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_any_break(c: char) -> bool {
    is_break(c) || matches!(c, '\n' | '\r')
}

/// The bytes of every quoted scalar. A text that cannot be parsed has none, and so no break passes.
fn quoted(text: &str) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { return Vec::new() };
        if let Event::Scalar(_, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, ..) = event
            && let (Some(start), Some(end)) = (span.start.byte_offset(), span.end.byte_offset())
        {
            ranges.push((start, end));
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_in_quotes_is_read_as_kubectl_does() {
        for (text, expected) in [
            ("a: 'x\u{2028}    y'\n", "a: 'x\u{2028}y'\n"),
            ("a: \"x \u{2029}y \u{2028}z\"\n", "a: \"x\u{2029}y\u{2028}z\"\n"),
            ("a: 'é\u{2028} ñ'\nb: 'x\u{2028} y'\n", "a: 'é\u{2028}ñ'\nb: 'x\u{2028}y'\n"),
            ("a: 1\n", "a: 1\n"),
        ] {
            assert_eq!(settle(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_break_that_readers_take_for_two_things_is_refused() {
        for (line, text) in [
            (0, "# harmless\u{2028}key: value\n"),
            (1, "a: 1\nb: x\u{2028}y\n"),
            (1, "a: |\n  x\u{2028}y\n"),
            (0, "a: 'x\u{85}y'\n"),
            (0, "a: 'x\u{2028} \u{2029}y'\n"),
            (1, "a: 'x\n  \u{2028}y'\n"),
            (0, "a: 'x\u{2028}\n  y'\n"),
            (0, "a: \"x\\\u{2028}y\"\n"),
            (0, "\u{2028}a: 1\n"),
        ] {
            assert_eq!(settle(text), Err((line, Ambiguity::LineBreak)), "{text:?}");
        }
    }
}
