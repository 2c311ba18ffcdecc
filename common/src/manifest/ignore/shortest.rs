//! The ignore paths that a reader can paste to accept exactly some differences.

use std::collections::BTreeSet;
use std::iter;

use serde_json::Value;

use crate::limits;
use crate::object::{FieldChange, FieldPath, Segment};

/// The shortest list of ignore paths that covers these differences and nothing that was signed and did
/// not change: one path per difference, merged under a parent only where everything beneath that parent
/// differs. In Kyverno's notation (`.0.` for positions); keys with dots are quoted only where our
/// reader would otherwise take the path for another field as well.
#[must_use]
pub fn shortest(changes: &[FieldChange], signed: &Value, found: &Value) -> Vec<String> {
    let paths: BTreeSet<&FieldPath> = changes.iter().map(|change| &change.path).collect();
    let mut search = Search { paths, out: Vec::new() };
    search.collect(&mut FieldPath::root(), Some(signed), Some(found));
    let Search { paths, mut out } = search;
    // Places that neither side has as such: the `data` that a signed `stringData` became.
    let is_covered = |path: &FieldPath| out.iter().any(|over| path.segments().starts_with(over.segments()));
    let elsewhere: Vec<FieldPath> = paths.into_iter().filter(|path| !is_covered(path)).cloned().collect();
    out.extend(elsewhere);
    out.sort();
    let objects = (signed, found);
    out.iter().filter(|path| !path.segments().is_empty()).map(|path| text(path, objects)).collect()
}

struct Search<'c> {
    paths: BTreeSet<&'c FieldPath>,
    out: Vec<FieldPath>,
}

impl Search<'_> {
    /// Adds the paths for what is below, and says whether all of it differs.
    fn collect(&mut self, path: &mut FieldPath, signed: Option<&Value>, found: Option<&Value>) -> bool {
        if self.paths.contains(path) {
            self.out.push(path.clone());
            return true;
        }
        if path.segments().len() >= limits::DEPTH {
            return false;
        }
        let before = self.out.len();
        let (mut children, mut different) = (0, 0);
        for segment in segments(signed, found) {
            let (a, b) = (inside(signed, &segment), inside(found, &segment));
            path.push(segment);
            children += 1;
            different += usize::from(self.collect(path, a, b));
            path.pop();
        }
        let all = children > 0 && children == different;
        // One child alone is the more exact path. The root would ignore everything, and a rule about
        // `metadata` would not cover the name in it.
        if all && children > 1 && !is_bound(path) {
            self.out.truncate(before);
            self.out.push(path.clone());
        }
        all
    }
}

/// Whether a place cannot be ignored as a whole.
fn is_bound(path: &FieldPath) -> bool {
    matches!(path.segments(), []) || matches!(path.segments(), [Segment::Key(key)] if key == "metadata")
}

/// The steps from a place into either side.
fn segments(signed: Option<&Value>, found: Option<&Value>) -> BTreeSet<Segment> {
    let keys = |value: Option<&Value>| -> Vec<Segment> {
        match value {
            Some(Value::Object(map)) => map.keys().cloned().map(Segment::Key).collect(),
            Some(Value::Array(list)) => (0..list.len()).map(Segment::Index).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => Vec::new(),
        }
    };
    keys(signed).into_iter().chain(keys(found)).collect()
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
