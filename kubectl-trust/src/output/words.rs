//! Words that nobody reads to their end.

use std::borrow::Cow;

/// Characters of a word that is shown whole: more than any name, digest, path or URL that people read. Kubernetes' names
/// have at most 253.
const WHOLE: usize = 1024;
/// Characters that are shown of a longer word: enough to find it.
const BEGINNING: usize = 256;

/// The text with each longer word (what stands between white space) cut to its beginning: `aaa… (100000 bytes)`.
///
/// Attack: a name or value of many megabytes in a manifest, which buries what is said about it.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    let is_long = |word: &str| word.len() > WHOLE && word.chars().nth(WHOLE).is_some();
    if !text.split(char::is_whitespace).any(is_long) {
        return Cow::Borrowed(text);
    }
    let mut short = String::new();
    for part in text.split_inclusive(char::is_whitespace) {
        let word = part.trim_end_matches(char::is_whitespace);
        if is_long(word) {
            short.extend(word.chars().take(BEGINNING));
            short.push_str(&format!("… ({} bytes)", word.len()));
            short.push_str(part.strip_prefix(word).unwrap_or_default());
        } else {
            short.push_str(part);
        }
    }
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_word_is_cut_and_the_others_are_not() {
        let (whole, long) = ("ä".repeat(1024), "ä".repeat(1025));
        for text in ["", " a  b\t", &whole, &format!("{whole} {whole}")] {
            assert_eq!(shortened(text), text);
        }
        let beginning = "ä".repeat(256);
        assert_eq!(shortened(&long), format!("{beginning}… (2050 bytes)"));
        assert_eq!(
            shortened(&format!("  a {long}\t{whole} {long} ")),
            format!("  a {beginning}… (2050 bytes)\t{whole} {beginning}… (2050 bytes) ")
        );
    }
}
