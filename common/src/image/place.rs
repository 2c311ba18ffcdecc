//! Walking an untyped object to the texts that name images.

use serde_json::{Map, Value};

use super::{ImageRef, ReferenceError};
use crate::limits;
use crate::object::{FieldPath, Segment};

/// An image of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundImage {
    /// Where its text stands: `spec.template.spec.containers[0].image`.
    pub path: FieldPath,
    /// Which list it is of: `containers`, `initContainers`, `ephemeralContainers`, `volumes`, or the name
    /// of an extractor. Variables call it by this name.
    pub list: String,
    /// What it is called in that list: the name of the container or volume, or what an extractor says.
    pub name: String,
    /// The text that stands there.
    pub text: String,
    /// The image. A text that is no reference stays in the list.
    ///
    /// Attack A7: a text that we cannot read must be refused, and not left out; somebody else may be able
    /// to read it.
    pub image: Result<ImageRef, ReferenceError>,
}

/// Why the images of an object are not known. Nothing may be taken for "it has none".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// A value of another type than objects have there.
    #[error("{path} must be {expected}, found {found}; correct the object")]
    WrongType {
        /// Where.
        path: FieldPath,
        /// What objects have there.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// More images than [`limits::IMAGES`].
    #[error("the object names more than {} images; split it", limits::IMAGES)]
    TooMany,
    /// The expression of an extractor has no value, or none that is a text.
    #[error("{path} cannot be rewritten by the policy's jmesPath: {why}")]
    Rewrite {
        /// Where the text stands.
        path: FieldPath,
        /// Why.
        why: String,
    },
}

/// A place of images in objects of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    /// Steps from the root to the maps that hold an image each; `*` is every element of a list or map.
    pub(crate) path: &'p [&'p str],
    /// The key of those maps that tells them apart, if one does.
    pub(crate) key: Option<&'p str>,
    /// Steps from there to the text.
    pub(crate) value: &'p [&'p str],
}

/// A text that names an image.
#[derive(Clone, Debug)]
pub(crate) struct Spot<'v> {
    pub(crate) path: FieldPath,
    pub(crate) key: Option<&'v str>,
    pub(crate) text: &'v str,
}

impl<'v> Spot<'v> {
    /// All of one place. What is absent or `null` on the way has no images; what has another type is an
    /// error.
    ///
    /// Attack: a list of containers that is a map, or an image that is a number, must not be an object
    /// without images.
    pub(crate) fn all(object: &'v Value, place: Place<'_>) -> Result<Vec<Self>, ExtractError> {
        let mut spots = Vec::new();
        walk(object, &mut FieldPath::root(), place, &mut spots)?;
        Ok(spots)
    }
}

fn walk<'v>(
    value: &'v Value,
    at: &mut FieldPath,
    place: Place<'_>,
    spots: &mut Vec<Spot<'v>>,
) -> Result<(), ExtractError> {
    let Some((step, rest)) = place.path.split_first() else {
        return element(map(value, at)?, at, place, spots);
    };
    let below = Place { path: rest, ..place };
    if *step != "*" {
        return match map(value, at)?.get(*step) {
            None | Some(Value::Null) => Ok(()),
            Some(child) => within(at, Segment::Key((*step).to_owned()), |at| walk(child, at, below, spots)),
        };
    }
    match value {
        Value::Array(list) => list.iter().enumerate().try_for_each(|(index, child)| {
            within(at, Segment::Index(index), |at| walk(child, at, below, spots))
        }),
        Value::Object(map) => map.iter().try_for_each(|(key, child)| {
            within(at, Segment::Key(key.clone()), |at| walk(child, at, below, spots))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(wrong_type(at, "a list", value))
        }
    }
}

fn element<'v>(
    map: &'v Map<String, Value>,
    at: &mut FieldPath,
    place: Place<'_>,
    spots: &mut Vec<Spot<'v>>,
) -> Result<(), ExtractError> {
    let Some((path, text)) = text(map, at, place.value)? else { return Ok(()) };
    let key = place.key.map(|key| match map.get(key) {
        Some(Value::String(key)) => Ok(key.as_str()),
        found => Err(wrong_type(&at.key(key), "a text", found.unwrap_or(&Value::Null))),
    });
    if spots.len() >= limits::IMAGES {
        return Err(ExtractError::TooMany);
    }
    spots.push(Spot { path, key: key.transpose()?, text });
    Ok(())
}

/// The text some steps below a map.
fn text<'v>(
    map_: &'v Map<String, Value>,
    at: &FieldPath,
    steps: &[&str],
) -> Result<Option<(FieldPath, &'v str)>, ExtractError> {
    let Some((step, rest)) = steps.split_first() else { return Ok(None) };
    let path = at.key(*step);
    match (map_.get(*step), rest) {
        (None | Some(Value::Null), _) => Ok(None),
        (Some(Value::String(text)), []) => Ok(Some((path, text))),
        (Some(other), []) => Err(wrong_type(&path, "a text", other)),
        (Some(child), _) => text(map(child, &path)?, &path, rest),
    }
}

fn map<'v>(value: &'v Value, at: &FieldPath) -> Result<&'v Map<String, Value>, ExtractError> {
    value.as_object().ok_or_else(|| wrong_type(at, "a map", value))
}

fn within<T>(at: &mut FieldPath, step: Segment, inside: impl FnOnce(&mut FieldPath) -> T) -> T {
    at.push(step);
    let result = inside(at);
    at.pop();
    result
}

fn wrong_type(at: &FieldPath, expected: &'static str, found: &Value) -> ExtractError {
    let found = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    };
    ExtractError::WrongType { path: at.clone(), expected, found }
}
