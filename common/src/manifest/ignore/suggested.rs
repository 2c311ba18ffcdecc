//! The ignore paths that a reader can paste to accept exactly some differences.

use std::iter;

use serde_json::Value;

use crate::object::{FieldChange, FieldPath, ObjectRef, Segment};
use crate::verdict::ignorable;

/// The paths that cover exactly these differences, where all of them may be ignored (see
/// [`ignorable`]); none where one must stay signed. In Kyverno's notation; keys with dots are quoted only
/// where our reader would otherwise take the path for another field as well.
#[must_use]
pub fn suggested(changes: &[FieldChange], signed: &Value, found: &Value) -> Vec<String> {
    let mut paths = ignorable(&ObjectRef::of(found), changes).unwrap_or_default();
    paths.sort();
    paths.iter().map(|path| text(path, (signed, found))).collect()
}

fn inside<'v>(value: Option<&'v Value>, segment: &Segment) -> Option<&'v Value> {
    match segment {
        Segment::Key(key) => value?.get(key),
        Segment::Index(index) => value?.get(index),
    }
}

fn text(path: &FieldPath, (signed, found): (&Value, &Value)) -> String {
    let (mut signed, mut found) = (Some(signed), Some(found));
    let mut steps = Vec::with_capacity(path.segments().len());
    for segment in path.segments() {
        steps.push(match segment {
            Segment::Index(index) => index.to_string(),
            Segment::Key(key) if is_plain(key, &[signed, found]) => key.clone(),
            Segment::Key(key) => quote(key),
        });
        (signed, found) = (inside(signed, segment), inside(found, segment));
    }
    steps.join(".")
}

/// Whether a key can be written without quotes: nothing in it is notation, and no neighbour could be
/// meant by the part before one of its dots.
fn is_plain(key: &str, maps: &[Option<&Value>]) -> bool {
    let special = key.contains(['"', '[', ']', '*', '\\']) || key.split('.').any(str::is_empty);
    let mut prefixes = key.match_indices('.').filter_map(|(at, _)| key.get(..at));
    !special && !prefixes.any(|prefix| maps.iter().any(|map| map.and_then(|map| map.get(prefix)).is_some()))
}

fn quote(key: &str) -> String {
    let escaped = key.chars().flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]));
    iter::once('"').chain(escaped).chain(['"']).collect()
}
