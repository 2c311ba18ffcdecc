//! Annotations written into the text that documents were read from: every other line stays as it is.
//!
//! Where something goes follows from the places that the parser names. Whether it went there is not believed but
//! read: the new text must say exactly what was to be written.

mod place;

use std::fmt;
use std::ops::Range;

use serde_json::{Map, Value};

use self::place::Outline;
use super::{split, to_yaml};

/// Why a text is not edited; its documents can still be written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("document {}: {why}", .index + 1)]
pub struct Uneditable {
    /// Which document, from 0.
    pub index: usize,
    /// What stands in the way.
    pub why: Obstacle,
}

/// What stands in the way of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A JSON text, or one that cannot be read at all.
    Json,
    /// `metadata` or `metadata.annotations` is an alias of something that stands elsewhere.
    Alias,
    /// `metadata` or `metadata.annotations` takes in another map (`<<`).
    MergeKey,
    /// An annotation that must be replaced has an anchor or a tag.
    Property,
    /// An annotation that must go shares its line with something else.
    SharedLine,
    /// More would change than annotations.
    Elsewhere,
    /// Written into the text, the annotations would be read as something else.
    ReadsOtherwise,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "it is JSON",
            Self::Alias => "its metadata is an alias (*) of what stands elsewhere",
            Self::MergeKey => "its metadata takes in another map (<<)",
            Self::Property => "a signature annotation has an anchor (&) or a tag (!)",
            Self::SharedLine => "an earlier signature shares its line with something else",
            Self::Elsewhere => "more changes than its annotations",
            Self::ReadsOtherwise => "written into its text, the annotations would be read as something else",
        })
    }
}

/// The text with the annotations of `documents`, which are those that [`super::read`] reads from it except for
/// strings in their `metadata.annotations`.
///
/// Annotations that are there keep their line and get the new value; new ones stand behind the line that says
/// `annotations:`. Line ends, a byte order mark and a missing last line end stay.
///
/// # Errors
/// [`Uneditable`]: the first document whose text cannot take its annotations. What is returned is always read
/// back as `documents`.
pub fn edit(text: &str, documents: &[Value]) -> Result<String, Uneditable> {
    let unread = Uneditable { index: 0, why: Obstacle::Json };
    let before = super::read(text.as_bytes()).map_err(|_| unread)?;
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mark = text.len() - body.len();
    if body.trim_start().starts_with('{') && !matches!(super::json_stream(body), Ok(None)) {
        return Err(unread);
    }
    let chunks = split::chunks(body).filter_map(Result::ok);
    let chunks: Vec<_> = chunks.filter(|chunk| !split::is_blank(chunk.text)).collect();
    if chunks.len() != before.len() || before.len() != documents.len() {
        return Err(unread);
    }
    let line_end = if text.find('\n').is_some_and(|at| text[..at].ends_with('\r')) { "\r\n" } else { "\n" };
    let mut edited = String::with_capacity(text.len());
    let mut from = 0;
    for ((chunk, before), after) in chunks.iter().zip(&before).zip(documents) {
        let failed = |why| Uneditable { index: before.index, why };
        let change = Change::between(&before.value, after).map_err(failed)?;
        if change.is_empty() {
            continue;
        }
        let edits = change.edits(chunk.text, line_end).map_err(failed)?;
        edited.push_str(&text[from..mark + chunk.start]);
        edited.push_str(&apply(chunk.text, edits));
        from = mark + chunk.start + chunk.text.len();
    }
    edited.push_str(&text[from..]);
    check(&edited, documents)?;
    Ok(edited)
}

/// That the text says the documents.
fn check(text: &str, documents: &[Value]) -> Result<(), Uneditable> {
    let otherwise = |index| Uneditable { index, why: Obstacle::ReadsOtherwise };
    let read = super::read(text.as_bytes()).map_err(|_| otherwise(0))?;
    let same = |(read, wanted): (&super::Document, &Value)| read.value == *wanted;
    match read.iter().zip(documents).position(|pair| !same(pair)) {
        Some(index) => Err(otherwise(index)),
        None if read.len() != documents.len() => Err(otherwise(0)),
        None => Ok(()),
    }
}

/// One replacement in a text: these bytes by that.
type Edit = (Range<usize>, String);

fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    // What goes in at a place stands before what goes out there.
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut edited, mut from) = (String::new(), 0);
    for (range, new) in edits {
        // Edits never overlap. If they did, the check of the whole text would refuse the result.
        edited.push_str(text.get(from..range.start).unwrap_or_default());
        edited.push_str(&new);
        from = range.end;
    }
    edited.push_str(text.get(from..).unwrap_or_default());
    edited
}

/// What becomes of the annotations of one document.
struct Change<'v> {
    set: Vec<(&'v str, &'v str)>,
    removed: Vec<&'v str>,
}

impl<'v> Change<'v> {
    fn between(before: &'v Value, after: &'v Value) -> Result<Self, Obstacle> {
        let none = Map::new();
        let annotations = |document: &'v Value| document.pointer("/metadata/annotations")?.as_object();
        let (before, after) = (annotations(before), annotations(after));
        let gone = |key: &str| after.is_none_or(|after| !after.contains_key(key));
        let removed = before.into_iter().flat_map(Map::keys).map(String::as_str).filter(|key| gone(key));
        let new = |(key, value): &(&String, &Value)| before.unwrap_or(&none).get(*key) != Some(*value);
        let set = after.into_iter().flatten().filter(new);
        let set = set.map(|(key, value)| Ok((key.as_str(), value.as_str().ok_or(Obstacle::Elsewhere)?)));
        Ok(Self { set: set.collect::<Result<_, _>>()?, removed: removed.collect() })
    }

    fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }

    /// The replacements in the document's text.
    fn edits(&self, text: &str, line_end: &str) -> Result<Vec<Edit>, Obstacle> {
        let outline = Outline::of(text, line_end)?;
        let mut edits = Vec::new();
        for key in &self.removed {
            edits.push(outline.remove(key)?);
        }
        let mut added = Vec::new();
        for (key, value) in &self.set {
            match outline.replace(key, &scalar(value))? {
                Some(edit) => edits.push(edit),
                None => added.push((scalar(key), scalar(value))),
            }
        }
        if !added.is_empty() {
            edits.extend(outline.add(&added)?);
        }
        Ok(edits)
    }
}

/// A string on one line, plain where it can be.
fn scalar(text: &str) -> String {
    let written = to_yaml(&Value::from(text));
    let line = written.trim_end_matches('\n');
    // In braces, `,` and brackets end a plain scalar; JSON's strings are YAML's.
    let safe = |c: char| c.is_ascii_alphanumeric() || "+/=._-".contains(c);
    if line == text && text.chars().all(safe) { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests;
