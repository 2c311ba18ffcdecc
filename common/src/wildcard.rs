//! Patterns with `*` (any characters, also none) and `?` (exactly one), anchored at both ends.

use std::str::Chars;

/// Whether a text has the form of a pattern. Never backtracks more than one star: time is at most
/// length × length, so a hostile pattern costs no more than an honest one.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What stands behind the last star, and the text that the star has not swallowed.
    let mut star: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let rest = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) if pattern.as_str().is_empty() => return true,
            (Some('*'), _) => {
                text = rest;
                star = Some((pattern.clone(), text.clone()));
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {}
            (Some(_), None) => return false,
            (_, Some(_)) => {
                let Some((behind, swallowed)) = &mut star else { return false };
                swallowed.next();
                (pattern, text) = (behind.clone(), swallowed.clone());
            }
        }
    }
}

/// A pattern that is compared with many texts: most of them differ before its first wildcard.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    text: Box<str>,
    /// Bytes before the first wildcard.
    literal: usize,
}

impl Pattern {
    /// The pattern of a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), literal: text.find(['*', '?']).unwrap_or(text.len()) }
    }

    /// As the function `matches`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (literal, rest) = self.text.split_at(self.literal);
        text.strip_prefix(literal).is_some_and(|text| matches(rest, text))
    }

    /// As typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether a text holds a wildcard character.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether any of the patterns matches.
pub fn any_matches<'p>(patterns: impl IntoIterator<Item = &'p str>, text: &str) -> bool {
    patterns.into_iter().any(|pattern| matches(pattern, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_anchored() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("?", "", false),
            ("?", "é", true),
            ("a", "A", false),
            ("web-*", "web-", true),
            ("web-*", "my-web-1", false),
            ("*/nginx", "docker.io/library/nginx", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-c-d", false),
            ("[ab]", "a", false),
            ("a.c", "abc", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_cost_no_more_than_their_product() {
        assert!(!matches(&"*a".repeat(500), &"a".repeat(499)));
        assert!(!matches(&format!("{}b", "*a".repeat(200)), &"a".repeat(2_000)));
    }

    /// The definition, letter by letter.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
            Some((c, rest)) => text
                .split_first()
                .is_some_and(|(first, others)| (*c == '?' || c == first) && naive(rest, others)),
        }
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?é]{0,8}", text in "[abé]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = naive(&chars(&pattern), &chars(&text));
            proptest::prop_assert_eq!(matches(&pattern, &text), expected);
            proptest::prop_assert_eq!(Pattern::new(&pattern).matches(&text), expected);
        }
    }
}
