//! Where the annotations of one document stand in its text, or could stand.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, StructureStyle};

use super::{Edit, Obstacle};

/// The way to the annotations of an object.
const PATH: [&str; 2] = ["metadata", "annotations"];

/// The part of a document's text that its annotations are in.
pub(super) struct Outline<'t> {
    text: &'t str,
    line_end: &'t str,
    root: Block,
}

/// A map on the way to the annotations, or theirs.
struct Block {
    /// Where its brace is, or its first key.
    start: usize,
    /// Written with braces.
    flow: bool,
    entries: Vec<Entry>,
}

struct Entry {
    key: String,
    /// The bytes of the key.
    at: Range<usize>,
    /// The bytes of the value. Of a map in lines only the start is known.
    value: Range<usize>,
    content: Content,
}

enum Content {
    Map(Block),
    /// `property`: it has an anchor or a tag.
    Scalar {
        null: bool,
        property: bool,
    },
    Alias,
    Other,
}

impl<'t> Outline<'t> {
    /// Finds the annotations in the text of a document that could be read.
    pub(super) fn of(text: &'t str, line_end: &'t str) -> Result<Self, Obstacle> {
        let mut events = Events { text, parser: Parser::new_from_str(text) };
        loop {
            match events.next()? {
                (Event::MappingStart(style, ..), span) => {
                    let (root, _) = events.block(style, &span, &PATH)?;
                    return Ok(Self { text, line_end, root });
                }
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                _ => return Err(Obstacle::ReadsOtherwise),
            }
        }
    }

    /// The annotations, where there are any.
    fn annotations(&self) -> Option<&Block> {
        PATH.iter().try_fold(&self.root, |block, name| match &block.entry(name)?.content {
            Content::Map(inside) => Some(inside),
            Content::Scalar { .. } | Content::Alias | Content::Other => None,
        })
    }

    /// Takes an annotation out, with its lines.
    pub(super) fn remove(&self, key: &str) -> Result<Edit, Obstacle> {
        let annotations = self.annotations().ok_or(Obstacle::Alias)?;
        let entry = annotations.entry(key).ok_or(Obstacle::MergeKey)?;
        if annotations.flow {
            return Err(Obstacle::SharedLine);
        }
        let indentation = self.indentation(entry.at.start)?;
        Ok((entry.at.start - indentation.len()..self.behind_line(entry.value.end), String::new()))
    }

    /// Gives an annotation that is there another value; `None` where it is not there.
    pub(super) fn replace(&self, key: &str, value: &str) -> Result<Option<Edit>, Obstacle> {
        let Some(entry) = self.annotations().and_then(|annotations| annotations.entry(key)) else {
            return Ok(None);
        };
        match entry.content {
            Content::Scalar { property: false, .. } => {}
            Content::Scalar { .. } => return Err(Obstacle::Property),
            Content::Alias => return Err(Obstacle::Alias),
            Content::Map(_) | Content::Other => return Err(Obstacle::Elsewhere),
        }
        let gap = if self.text[..entry.value.start].ends_with(':') { " " } else { "" };
        Ok(Some((entry.value.clone(), format!("{gap}{value}"))))
    }

    /// Puts in annotations that are not there, and the maps above them where those are missing.
    pub(super) fn add(&self, added: &[(String, String)]) -> Result<Vec<Edit>, Obstacle> {
        let (mut block, mut behind) = (&self.root, None);
        for (depth, name) in PATH.iter().enumerate() {
            if block.entry("<<").is_some() {
                return Err(Obstacle::MergeKey);
            }
            let Some(entry) = block.entry(name) else {
                return Ok(vec![self.fill(block, behind, &PATH[depth..], added)?]);
            };
            let empty = match &entry.content {
                Content::Map(inside) if block.flow || !inside.entries.is_empty() => {
                    (block, behind) = (inside, Some(entry.at.end));
                    continue;
                }
                Content::Map(_) => true,
                Content::Scalar { null, property: false } => *null && !block.flow,
                Content::Alias => return Err(Obstacle::Alias),
                Content::Scalar { .. } | Content::Other => false,
            };
            if !empty {
                return Err(Obstacle::ReadsOtherwise);
            }
            let indentation = format!("{}  ", self.indentation(entry.at.start)?);
            let lines = lines(&PATH[depth + 1..], added, &indentation);
            let mut edits = vec![self.insert_behind(entry.at.end, &lines)];
            edits.extend(self.without(&entry.value));
            return Ok(edits);
        }
        if block.entry("<<").is_some() {
            return Err(Obstacle::MergeKey);
        }
        Ok(vec![self.fill(block, behind, &[], added)?])
    }

    /// Puts annotations into a map, below the names that are still missing.
    fn fill(
        &self,
        block: &Block,
        behind: Option<usize>,
        names: &[&str],
        added: &[(String, String)],
    ) -> Result<Edit, Obstacle> {
        if block.flow {
            let at = block.start + 1;
            let rest = if block.entries.is_empty() { "" } else { ", " };
            return Ok((at..at, format!("{}{rest}", in_braces(names, added))));
        }
        let indentation = self.indentation(block.start)?;
        // The document itself has no line that names it: there, what says its kind comes first.
        let behind =
            behind.or_else(|| Some(block.entry("kind")?.value.end)).ok_or(Obstacle::ReadsOtherwise)?;
        Ok(self.insert_behind(behind, &lines(names, added, indentation)))
    }

    /// Lines behind the line that this byte is in.
    fn insert_behind(&self, byte: usize, lines: &[String]) -> Edit {
        let at = self.behind_line(byte);
        let end = self.line_end;
        let whole = at == 0 || self.text[..at].ends_with('\n');
        let lines = lines.join(end);
        (at..at, if whole { format!("{lines}{end}") } else { format!("{end}{lines}") })
    }

    /// Takes out an empty value (`{}`, `null`) and the blanks before it.
    fn without(&self, value: &Range<usize>) -> Option<Edit> {
        let before = self.text[..value.start].trim_end_matches([' ', '\t']);
        (!value.is_empty()).then(|| (before.len()..value.end, String::new()))
    }

    /// The byte behind the end of the line that this one is in.
    fn behind_line(&self, byte: usize) -> usize {
        if byte > 0 && self.text[..byte].ends_with('\n') {
            return byte;
        }
        self.text[byte..].find('\n').map_or(self.text.len(), |at| byte + at + 1)
    }

    /// What stands before this byte on its line: blanks.
    fn indentation(&self, byte: usize) -> Result<&'t str, Obstacle> {
        let line = self.text[..byte].rfind('\n').map_or(0, |at| at + 1);
        let before = &self.text[line..byte];
        if before.trim_matches(' ').is_empty() { Ok(before) } else { Err(Obstacle::SharedLine) }
    }
}

impl Block {
    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// Annotations as lines, each map two columns further in.
fn lines(names: &[&str], added: &[(String, String)], indentation: &str) -> Vec<String> {
    let mut indentation = indentation.to_owned();
    let mut lines = Vec::new();
    for name in names {
        lines.push(format!("{indentation}{name}:"));
        indentation.push_str("  ");
    }
    lines.extend(added.iter().map(|(key, value)| format!("{indentation}{key}: {value}")));
    lines
}

fn in_braces(names: &[&str], added: &[(String, String)]) -> String {
    let pairs: Vec<_> = added.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    names.iter().rev().fold(pairs.join(", "), |inside, name| format!("{name}: {{{inside}}}"))
}

/// The parser's events. A text that could be read has no other.
struct Events<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
}

impl<'t> Events<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Obstacle> {
        loop {
            let next = self.parser.next_event().and_then(Result::ok).ok_or(Obstacle::ReadsOtherwise)?;
            if !matches!(next.0, Event::Comment(..)) {
                return Ok(next);
            }
        }
    }

    /// The map that has just begun, up to its end, with the maps on the way below it; and where it ends.
    ///
    /// Goes no deeper than the way is long.
    fn block(
        &mut self,
        style: StructureStyle,
        began: &Span,
        path: &[&str],
    ) -> Result<(Block, usize), Obstacle> {
        let flow = style == StructureStyle::Flow;
        let mut block = Block { start: bytes(began)?.start, flow, entries: Vec::new() };
        loop {
            let (key, at) = match self.next()? {
                (Event::MappingEnd, end) => return Ok((block, bytes(&end)?.end)),
                (Event::Scalar(key, ..), at) => (key.into_owned(), bytes(&at)?),
                _ => return Err(Obstacle::ReadsOtherwise),
            };
            if block.entries.is_empty() && !flow {
                block.start = at.start;
            }
            let inside = match path.split_first() {
                Some((first, rest)) if *first == key => Some(rest),
                Some(_) | None => None,
            };
            let (content, value) = self.content(at.end, inside)?;
            block.entries.push(Entry { key, at, value, content });
        }
    }

    /// The value of the key that ends at this byte, and the value's bytes. `inside` is the rest of the way, if this is
    /// on it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other events are no values")]
    fn content(&mut self, key: usize, inside: Option<&[&str]>) -> Result<(Content, Range<usize>), Obstacle> {
        let (event, span) = self.next()?;
        let at = bytes(&span)?;
        Ok(match event {
            Event::Scalar(text, style, anchor, tag) => {
                let null = style == ScalarStyle::Plain && ["", "~", "null", "Null", "NULL"].contains(&&*text);
                let at = self.written(key, style, at);
                (Content::Scalar { null, property: anchor != 0 || tag.is_some() }, at)
            }
            Event::Alias(_) => (Content::Alias, at),
            Event::MappingStart(style, ..) if inside.is_some() => {
                let (block, end) = self.block(style, &span, inside.unwrap_or_default())?;
                (Content::Map(block), at.start..end)
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => (Content::Other, at.start..self.skip()?),
            _ => return Err(Obstacle::ReadsOtherwise),
        })
    }

    /// The bytes that say a scalar. The parser's begin, for a value of several lines, behind its header (`|-`) and end
    /// behind the blank lines that follow, and an absent value has none; both begin behind the key's colon.
    fn written(&self, key: usize, style: ScalarStyle, at: Range<usize>) -> Range<usize> {
        let lines = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if !lines && !at.is_empty() {
            return at;
        }
        let behind_colon = self.text[key..].find(':').map_or(key, |colon| key + colon + 1);
        let end = if lines { self.text[..at.end].trim_end().len() } else { behind_colon };
        behind_colon..end.max(behind_colon)
    }

    /// To the end of what has just begun.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other events open and close nothing")]
    fn skip(&mut self) -> Result<usize, Obstacle> {
        let mut open = 1_usize;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::MappingStart(..) | Event::SequenceStart(..) => open += 1,
                Event::MappingEnd | Event::SequenceEnd => open -= 1,
                _ => {}
            }
            if open == 0 {
                return Ok(bytes(&span)?.end);
            }
        }
    }
}

fn bytes(span: &Span) -> Result<Range<usize>, Obstacle> {
    span.byte_range().ok_or(Obstacle::ReadsOtherwise)
}
