//! Which fields a policy leaves out of the comparison, and how such rules are written.
//!
//! A rule is a path: anchored at the root, step by step, and it covers that field and all beneath it. So
//! `status` is the object's status and no data key that contains the word, and `spec.serviceAccount` is not
//! `spec.serviceAccountName`.
//!
//! The notation is that of [`IgnorePath`].
//!
//! Lists are compared by position. Where an element was removed or inserted before the end, each later
//! position differs, and a rule by position (`.0.`) covers only what differs at that position. A rule by
//! name (`[name=web]`) covers a position only where every side that has an element there has it under
//! that name, so renaming an element never brings it under a rule.

mod suggested;

use serde_json::Value;

pub use self::suggested::suggested;
use crate::object::{FieldPath, ObjectRef, Segment};
use crate::policy::ignore::Cover;
pub use crate::policy::ignore::{IgnoreError, IgnorePath, IgnoreProblem};
pub use crate::policy::{IgnoreField, ObjectSelector};

/// Reads the form of the command line, `[Kind:]PATH`: `Deployment:spec.replicas`. `flag` is where it
/// stands, for messages.
///
/// A kind may be written in any case and as its resources are called (`deployments`). It holds letters and digits only,
/// so a colon behind the first step of a path is no separator; in the first step it stands in quotes (`"a:b"`).
///
/// # Errors
/// When the path cannot be used, see [`IgnoreError`].
pub fn parse_flag(text: &str, flag: FieldPath) -> Result<IgnoreField, IgnoreError> {
    let is_kind = |kind: &str| {
        kind.starts_with(|c: char| c.is_ascii_alphabetic()) && kind.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let (kind, path) = match text.split_once(':').filter(|(kind, _)| is_kind(kind)) {
        Some((kind, path)) => (Some(kind), path),
        None => (None, text),
    };
    let fields = vec![IgnorePath::parse(path)?];
    let selector = kind.map(|kind| ObjectSelector {
        kind: kind.to_owned(),
        kind_as_typed: true,
        ..ObjectSelector::default()
    });
    Ok(IgnoreField { objects: selector.into_iter().collect(), fields, path: flag })
}

/// The ignore rules that apply to one object, compiled.
#[derive(Clone, Debug, Default)]
pub struct IgnoreRules {
    rules: Vec<IgnorePath>,
}

/// How the rules cover a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage<'r> {
    /// Wholly, by the rule of this text.
    Whole(&'r str),
    /// Perhaps something beneath it.
    Beneath,
    /// Not at all.
    None,
}

impl IgnoreRules {
    /// No rules.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The rules for this object.
    #[must_use]
    pub fn of(fields: &[IgnoreField], object: &ObjectRef) -> Self {
        let covering = fields.iter().filter(|field| field.covers(object));
        Self { rules: covering.flat_map(|field| field.fields.iter().cloned()).collect() }
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The text of the rule that covers this place, if one does. `signed` and `found` are the whole
    /// objects; rules by name look into them.
    #[must_use]
    pub fn covering(&self, path: &FieldPath, signed: &Value, found: &Value) -> Option<&str> {
        match self.coverage(path, signed, found) {
            Coverage::Whole(text) => Some(text),
            Coverage::Beneath | Coverage::None => None,
        }
    }

    pub(super) fn coverage(&self, path: &FieldPath, signed: &Value, found: &Value) -> Coverage<'_> {
        if self.rules.is_empty() {
            return Coverage::None;
        }
        let names = names(path, signed, found);
        let bound = is_identity(path);
        let mut beneath = false;
        for rule in &self.rules {
            match rule.covers(path.segments(), &names) {
                Cover::Whole if !bound || rule.is_exactly(path) => {
                    return Coverage::Whole(rule.text());
                }
                Cover::Beneath => beneath = true,
                Cover::Whole | Cover::None => {}
            }
        }
        if beneath { Coverage::Beneath } else { Coverage::None }
    }
}

/// Whether an object has any field that a rule covers: one that has none may be misspelt.
#[must_use]
pub fn has_field(rule: &IgnorePath, object: &Value) -> bool {
    covers_any(rule, object, &mut Vec::new(), &mut Vec::new())
}

/// `segments` lead to `value`, and `names` are those of the list elements on the way.
fn covers_any<'v>(
    rule: &IgnorePath,
    value: &'v Value,
    segments: &mut Vec<Segment>,
    names: &mut Vec<Option<&'v str>>,
) -> bool {
    match rule.covers(segments, names) {
        Cover::Whole => return true,
        Cover::None => return false,
        Cover::Beneath => {}
    }
    let mut inside = |segment, child: &'v Value| {
        segments.push(segment);
        names.push(child.get("name").and_then(Value::as_str));
        let found = covers_any(rule, child, segments, names);
        segments.pop();
        names.pop();
        found
    };
    match value {
        Value::Object(map) => map.iter().any(|(key, child)| inside(Segment::Key(key.clone()), child)),
        Value::Array(list) => {
            list.iter().enumerate().any(|(index, child)| inside(Segment::Index(index), child))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What an object *is*. Only a rule that names such a field in full ignores it: a rule about `metadata`
/// or `**.name` must not let a signature move to another object.
fn is_identity(path: &FieldPath) -> bool {
    let mut keys = path.segments().iter().map(|segment| match segment {
        Segment::Key(key) => key.as_str(),
        Segment::Index(_) => "",
    });
    matches!(
        (keys.next(), keys.next(), keys.next()),
        (Some("apiVersion" | "kind"), None, None) | (Some("metadata"), Some("name" | "namespace"), None)
    )
}

/// For each step into a list, the name of the element there: of both sides, or of the only one that has
/// an element at that place.
fn names<'v>(path: &FieldPath, signed: &'v Value, found: &'v Value) -> Vec<Option<&'v str>> {
    let (mut signed, mut found) = (Some(signed), Some(found));
    let mut names = Vec::with_capacity(path.segments().len());
    for segment in path.segments() {
        let step = |value: Option<&'v Value>| match segment {
            Segment::Key(key) => value?.get(key),
            Segment::Index(index) => value?.get(index),
        };
        (signed, found) = (step(signed), step(found));
        let name = |value: &'v Value| value.get("name").and_then(Value::as_str);
        names.push(match (signed, found) {
            (Some(a), Some(b)) => name(a).filter(|_| name(a) == name(b)),
            (Some(one), None) | (None, Some(one)) => name(one),
            (None, None) => None,
        });
    }
    names
}

#[cfg(test)]
mod tests;
