//! What two readers of YAML take for two things. `kubectl` reads with Go's YAML 1.1 reader; where a text
//! can be written so that ours sees another value, that way of writing is refused.
//!
//! Attack: sign what our reader sees, apply what Go's reader sees.

use std::fmt;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle, Tag};

/// A way of writing that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// U+0085, U+2028 or U+2029 as they are, where they cannot be read alike.
    LineBreak,
    /// A number with `_` at an end, twice or in a fraction, or with a capital in its prefix: Go takes `_`
    /// out anywhere and reads `0X`, `0B`, `0O`.
    Number,
    /// `yEs`, `tRue`: to Go only the spellings of one case are booleans.
    Word,
    /// A tag of one's own (`!local 1`): Go makes a string of the value.
    Tag,
    /// A merge key behind another key: Go lets it override what stands before it.
    MergeKey,
    /// An alias as a key: Go merges only where `<<` itself stands, other readers wherever an alias of it
    /// does.
    AliasKey,
    /// A plain scalar that begins with `?` in brackets: to Go a key without a value.
    QuestionMark,
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineBreak => {
                "U+0085, U+2028 and U+2029 are line breaks to kubectl; write \\N, \\L or \\P in double quotes"
            }
            Self::Number => "kubectl and other readers disagree on this number; write it without `_` and in lower case, or in quotes",
            Self::Word => "kubectl reads this as text, other readers as a boolean or null; put it in quotes",
            Self::Tag => "kubectl makes text of a value with a tag of its own; leave the tag out",
            Self::MergeKey => "kubectl lets a merge key override the keys before it; put `<<` first",
            Self::AliasKey => "readers disagree on an alias that is a key; write the key itself",
            Self::QuestionMark => "kubectl takes a leading `?` in brackets for a key; put the text in quotes",
        })
    }
}

/// The first ambiguity of a document and its line, from 0.
///
/// Nearly every document is cleared by one look at its words. Only where a word might be meant for
/// something else is the document parsed once more, for the style of its scalars.
pub(super) fn find(text: &str) -> Option<(usize, Ambiguity)> {
    words(text).any(is_suspect).then(|| parse(text)).flatten()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"[]{},:\"'".contains(byte);
    // The bytes that end a word are ASCII, so every piece is whole characters.
    text.as_bytes()
        .split(ends)
        .filter_map(|word| std::str::from_utf8(word).ok())
        .filter(|word| !word.is_empty())
}

fn is_suspect(word: &str) -> bool {
    word.starts_with(['!', '?', '*']) || word == "<<" || of_scalar(word).is_some()
}

/// What is ambiguous about a plain scalar wherever it stands.
fn of_scalar(text: &str) -> Option<Ambiguity> {
    if is_odd_number(text) {
        Some(Ambiguity::Number)
    } else if is_odd_word(text) {
        Some(Ambiguity::Word)
    } else {
        None
    }
}

/// Digits with single `_` between them (`1_000`) are read alike by all; no other number with `_` is, and
/// none with a capital in its prefix.
fn is_odd_number(text: &str) -> bool {
    let number = text.trim_start_matches(['+', '-']);
    let capital = ["0X", "0B", "0O"].iter().any(|prefix| number.starts_with(prefix));
    if !capital && !number.contains('_') {
        return false;
    }
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let bare = number.replace('_', "").to_ascii_lowercase();
    is_number(&bare) && !number.split('_').all(digits)
}

/// Whether Go might take the text for a number.
fn is_number(text: &str) -> bool {
    let of = |digits: &str, radix: u32| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    match (text.strip_prefix("0x"), text.strip_prefix("0b"), text.strip_prefix("0o")) {
        (Some(digits), _, _) => of(digits, 16),
        (_, Some(digits), _) => of(digits, 2),
        (_, _, Some(digits)) => of(digits, 8),
        _ => {
            text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && text.chars().all(|c| c.is_ascii_digit() || ".e+-".contains(c))
        }
    }
}

fn is_odd_word(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is = |word: &&&str| word.len() == text.len() && word.eq_ignore_ascii_case(text);
    let (first, rest) = text.split_at(text.len().min(usize::from(text.is_char_boundary(1))));
    let lower = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase());
    let upper = |part: &str| part.bytes().all(|byte| byte.is_ascii_uppercase());
    WORDS.iter().find(is).is_some() && !(lower(rest) || (upper(first) && upper(rest)))
}

/// A collection that is open, and what it has seen.
struct Open {
    flow: bool,
    map: bool,
    nodes: usize,
}

impl Open {
    /// Whether the next node is a key.
    fn at_key(&self) -> bool {
        self.map && self.nodes.is_multiple_of(2)
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other events hold no value")]
fn parse(text: &str) -> Option<(usize, Ambiguity)> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        // A text that cannot be read is refused by the reader itself, with its own words.
        let (event, span) = event.ok()?;
        let line = span.start.line().saturating_sub(1);
        let found = match &event {
            Event::Scalar(value, style, _, tag) => {
                let plain = *style == ScalarStyle::Plain && tag.is_none();
                of_tag(tag.as_deref()).or_else(|| if plain { of_node(value, open.last()) } else { None })
            }
            Event::SequenceStart(_, _, tag) | Event::MappingStart(_, _, tag) => of_tag(tag.as_deref()),
            Event::Alias(_) => open.last().filter(|open| open.at_key()).map(|_| Ambiguity::AliasKey),
            _ => None,
        };
        if let Some(found) = found {
            return Some((line, found));
        }
        step(&event, &mut open);
    }
    None
}

fn of_tag(tag: Option<&Tag>) -> Option<Ambiguity> {
    tag.filter(|tag| tag.handle() != "tag:yaml.org,2002:").map(|_| Ambiguity::Tag)
}

fn of_node(text: &str, inside: Option<&Open>) -> Option<Ambiguity> {
    let merges = |open: &Open| text == "<<" && open.at_key() && open.nodes > 0;
    if inside.is_some_and(merges) {
        return Some(Ambiguity::MergeKey);
    }
    if inside.is_some_and(|open| open.flow) && text.len() > 1 && text.starts_with('?') {
        return Some(Ambiguity::QuestionMark);
    }
    of_scalar(text)
}

/// Counts the node in the collection it stands in, and opens or closes one.
#[expect(clippy::wildcard_enum_match_arm, reason = "other events open and close nothing")]
fn step(event: &Event<'_>, open: &mut Vec<Open>) {
    let counted = matches!(
        event,
        Event::Scalar(..) | Event::Alias(_) | Event::SequenceStart(..) | Event::MappingStart(..)
    );
    if let (true, Some(inside)) = (counted, open.last_mut()) {
        inside.nodes += 1;
    }
    match event {
        Event::SequenceStart(style, ..) => {
            open.push(Open { flow: *style == StructureStyle::Flow, map: false, nodes: 0 });
        }
        Event::MappingStart(style, ..) => {
            open.push(Open { flow: *style == StructureStyle::Flow, map: true, nodes: 0 });
        }
        Event::SequenceEnd | Event::MappingEnd => drop(open.pop()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_reads_otherwise_is_refused() {
        for (text, expected) in [
            ("a: 1_\n", Ambiguity::Number),
            ("a: {v: 1__0}\n", Ambiguity::Number),
            ("a: 1_0.5\n", Ambiguity::Number),
            ("a: -0X1f\n", Ambiguity::Number),
            ("{0_: 1}\n", Ambiguity::Number),
            ("- 0B11\n- 0O17\n", Ambiguity::Number),
            ("a: yEs\n", Ambiguity::Word),
            ("tRue: 1\n", Ambiguity::Word),
            ("a: nULL\n", Ambiguity::Word),
            ("a: !local 1\n", Ambiguity::Tag),
            ("a: !local [1]\n", Ambiguity::Tag),
            ("a: ! 1\n", Ambiguity::Tag),
            ("b: &b {z: 2}\ni: {z: 3, <<: *b}\n", Ambiguity::MergeKey),
            ("b: &b {z: 2}\ni:\n  z: 3\n  <<: *b\n", Ambiguity::MergeKey),
            ("a: [?a, b]\n", Ambiguity::QuestionMark),
            ("a: [&k <<, &b {z: 2}]\ni: {*k : *b}\n", Ambiguity::AliasKey),
            ("a: [&k <<, &b {z: 2}]\ni:\n  ? *k\n  : *b\n", Ambiguity::AliasKey),
        ] {
            assert_eq!(find(text).map(|(_, found)| found), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn what_all_read_alike_is_not() {
        for text in [
            "a: 1_000\n",
            "a: 0x1f\n",
            "a: YES\nb: No\nc: off\nd: NULL\ne: True\n",
            "a: 'yEs'\n",
            "a: \"1_\"\n",
            "a: |\n  yEs 1_ 0X1 !x <<\n",
            "a: it says yEs\n",
            "MY_VAR: a_b\n",
            "a: !!str 1\n",
            "a: x <<: y\n",
            "i: {<<: {z: 1}, z: 3}\n",
            "a: ?x\n",
            "a: [\"?a\"]\n",
            "# yEs !x\na: 1\n",
            "a: 10.0.0.1_x\n",
            "a: &x {b: 1}\nc: *x\nd: [*x, *x]\n",
            "é: ñ\n",
            "a: ye\n",
            "",
        ] {
            assert_eq!(find(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_line_is_that_of_the_text() {
        assert_eq!(find("a: 1\n\nb: yEs\n"), Some((2, Ambiguity::Word)));
    }
}
