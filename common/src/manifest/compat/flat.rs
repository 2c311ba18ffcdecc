//! Objects as flattened paths, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};

use regex::{Regex, RegexBuilder};
use serde_json::{Value, json};

use super::CompatItem;
use crate::limits;

/// Leaves by flattened path. `null`, `{}` and `[]` have none, and paths collide (M15).
#[derive(Default)]
struct Leaves<'v> {
    values: BTreeMap<String, &'v Value>,
    /// Places too deep to look into: different, whatever is there.
    deep: BTreeSet<String>,
}

impl<'v> Leaves<'v> {
    fn of(value: &'v Value) -> Self {
        let mut leaves = Self::default();
        leaves.add(String::new(), value, 0);
        leaves
    }

    fn add(&mut self, path: String, value: &'v Value, depth: usize) {
        if depth > limits::DEPTH {
            self.deep.insert(path);
            return;
        }
        let join = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
        match value {
            Value::Null => {}
            Value::Object(map) => map.iter().for_each(|(key, value)| self.add(join(key), value, depth + 1)),
            Value::Array(list) => {
                list.iter()
                    .enumerate()
                    .for_each(|(at, value)| self.add(join(&at.to_string()), value, depth + 1));
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.values.insert(path, value);
            }
        }
    }
}

/// The differences before any field is ignored, by path.
pub(super) fn differences(signed: &Value, found: &Value) -> Vec<CompatItem> {
    let (signed, found) = (Leaves::of(signed), Leaves::of(found));
    let (mut items, mut typed) = (Vec::new(), Vec::new());
    for key in signed.values.keys().chain(found.values.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (signed.values.get(key).copied(), found.values.get(key).copied());
        match (before, after) {
            (Some(a), Some(b)) if !same_type(a, b) => {
                typed.push(item(key, Some(&described(a)), Some(&described(b))));
            }
            (Some(a), Some(b)) if same(a, b) => {}
            _ => items.push(item(key, before, after)),
        }
    }
    let mut items = without_moved(items);
    items.extend(typed);
    items.extend(
        signed
            .deep
            .union(&found.deep)
            .map(|key| item(key, Some(&json!("too deep")), Some(&json!("too deep")))),
    );
    items.retain(|item| !is_empty_text(item));
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items
}

fn item(key: &str, before: Option<&Value>, after: Option<&Value>) -> CompatItem {
    CompatItem { key: key.to_owned(), before: before.cloned(), after: after.cloned() }
}

/// An empty text that one side does not have. Zero and false stay.
fn is_empty_text(item: &CompatItem) -> bool {
    let empty = |value: &Option<Value>| value.as_ref().is_some_and(|value| value == "");
    (item.before.is_none() && empty(&item.after)) || (item.after.is_none() && empty(&item.before))
}

fn same_type(a: &Value, b: &Value) -> bool {
    (a.is_string(), a.is_number()) == (b.is_string(), b.is_number())
}

/// Numbers are floats, so 2^53 and 2^53 + 1 are one.
#[expect(clippy::float_cmp, reason = "the peers compare exactly, after losing precision")]
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        (Some(_) | None, Some(_) | None) => a == b,
    }
}

/// A value beside one of another type, as Go's `(type: %T) %s` prints it.
fn described(value: &Value) -> Value {
    match value {
        Value::String(text) => format!("(type: string) {text}"),
        Value::Bool(flag) => format!("(type: bool) %!s(bool={flag})"),
        Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => {
            format!("(type: float64) %!s(float64={})", value.as_f64().unwrap_or_default())
        }
    }
    .into()
}

/// Drops items in lists whose value turns up at another index on the other side. With more
/// items than we report nothing is dropped: the search is quadratic, and such an object is refused.
fn without_moved(items: Vec<CompatItem>) -> Vec<CompatItem> {
    let Ok(index) = Regex::new(r"\.[0-9]+\.") else { return items };
    if items.len() > limits::DIFFERENCES {
        return items;
    }
    let mut known = BTreeMap::new();
    let mut is_moved = |item: &CompatItem| {
        if !index.is_match(&item.key) || item.before.is_some() == item.after.is_some() {
            return false;
        }
        let key = index.replace_all(&item.key, regex::NoExpand(r"\.[0-9]+\.")).into_owned();
        let pattern = known.entry(key).or_insert_with_key(|key| pattern(key));
        let opposite = |other: &&CompatItem| match (&item.before, &item.after) {
            (Some(gone), None) => other.before.is_none() && other.after.as_ref() == Some(gone),
            (None, Some(new)) => other.after.is_none() && other.before.as_ref() == Some(new),
            (Some(_), Some(_)) | (None, None) => false,
        };
        let mut candidates = items.iter().filter(opposite);
        candidates.any(|other| pattern.as_ref().is_some_and(|pattern| pattern.is_match(&other.key)))
    };
    let moved: Vec<bool> = items.iter().map(&mut is_moved).collect();
    items.into_iter().zip(moved).filter(|(_, moved)| !moved).map(|(item, _)| item).collect()
}

/// A bounded regular expression; paths are used as expressions without escaping.
pub(super) fn pattern(text: &str) -> Option<Regex> {
    if text.len() > limits::PATTERN_BYTES {
        return None;
    }
    RegexBuilder::new(text).size_limit(limits::REGEX_BYTES).dfa_size_limit(limits::REGEX_BYTES).build().ok()
}
