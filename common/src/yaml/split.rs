//! Splitting a stream at its `---` lines, by the rule of `kubectl` (apimachinery's `YAMLReader`).

use super::YamlError;

/// What ends a comment for one of the readers: all of YAML 1.1's line breaks.
///
/// Attack: `# harmless<CR>kind: Pod` is a comment to who knows `\n` alone, and an object to `kubectl`.
const BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// A piece of the text between two separators.
pub(super) struct Chunk<'t> {
    pub(super) text: &'t str,
    /// The byte of the whole text it begins at.
    pub(super) start: usize,
    /// The line it begins at, from 1.
    pub(super) line: usize,
}

/// The pieces of a text. A separator is a line of `---` and nothing but spaces or a comment after it;
/// a line that begins with `---` and goes on otherwise is an error, because readers disagree on it and
/// one of them would hide the documents that follow.
pub(super) fn chunks(text: &str) -> impl Iterator<Item = Result<Chunk<'_>, YamlError>> {
    let whole = text.len();
    let mut rest = Some(text);
    let mut next_line = 1;
    std::iter::from_fn(move || {
        let text = rest?;
        let start = whole - text.len();
        let line = next_line;
        let mut offset = 0;
        for part in text.split_inclusive('\n') {
            next_line += 1;
            match part.strip_prefix("---").map(str::trim) {
                Some(after) if after.is_empty() || is_comment(after) => {
                    rest = Some(&text[offset + part.len()..]);
                    return Some(Ok(Chunk { text: &text[..offset], start, line }));
                }
                Some(_) => {
                    rest = None;
                    return Some(Err(YamlError::Separator { line: next_line - 1 }));
                }
                None => offset += part.len(),
            }
        }
        rest = None;
        Some(Ok(Chunk { text, start, line }))
    })
}

fn is_comment(text: &str) -> bool {
    text.starts_with('#') && !text.contains(BREAKS)
}

/// Whether a piece holds nothing but white space and comments, whichever reader reads it.
pub(super) fn is_blank(text: &str) -> bool {
    text.split(BREAKS).map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}
