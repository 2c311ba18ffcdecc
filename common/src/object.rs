//! Kubernetes objects as untyped trees: where a value stands ([`FieldPath`]), how two values differ
//! ([`FieldChange`]) and what an object calls itself ([`ObjectRef`]).
//!
//! Objects stay `serde_json::Value`: a typed struct would drop the fields it does not know, and an
//! attacker's field is just such a one.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;

use crate::limits;

/// One step from a value to a value inside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The value of a key of a map.
    Key(String),
    /// An element of a list, counted from 0.
    Index(usize),
}

/// Where a value stands in an object: `spec.template.spec.containers[0].image`.
///
/// Keys that hold anything but letters, digits, `_`, `-` and `/` are shown in double quotes, so a dot
/// inside a key cannot be taken for a step: `metadata.labels."app.kubernetes.io/name"`.
///
/// Copies share their steps: each check of a verdict says where the policy demands it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Arc<Vec<Segment>>);

impl FieldPath {
    /// The path of the object itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// A path of the given keys: `FieldPath::keys(["spec", "replicas"])`.
    #[must_use]
    pub fn keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Self(Arc::new(keys.into_iter().map(|key| Segment::Key(key.to_owned())).collect()))
    }

    /// This path and one more key.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(Segment::Key(key.into()))
    }

    /// This path and one more list index.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// This path and one more segment.
    #[must_use]
    pub fn with(&self, segment: Segment) -> Self {
        let mut segments = Vec::with_capacity(self.0.len() + 1);
        segments.extend_from_slice(&self.0);
        segments.push(segment);
        Self(Arc::new(segments))
    }

    /// Steps into a child in place; the walk of a comparison shares one path.
    pub fn push(&mut self, segment: Segment) {
        Arc::make_mut(&mut self.0).push(segment);
    }

    /// Steps back out.
    pub fn pop(&mut self) {
        Arc::make_mut(&mut self.0).pop();
    }

    /// The steps from the root.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The value at this path, if the object has one.
    #[must_use]
    pub fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
        })
    }

    /// The path as a JSON pointer (RFC 6901), as JSON patches name places.
    #[must_use]
    pub fn pointer(&self) -> String {
        let mut text = String::new();
        for segment in self.segments() {
            let _ = match segment {
                Segment::Key(key) => write!(text, "/{}", key.replace('~', "~0").replace('/', "~1")),
                Segment::Index(index) => write!(text, "/{index}"),
            };
        }
        text
    }

    /// The path with list elements shown by their `name` where the list has one element of that name:
    /// `spec.containers[name=web].image`. `root` is the object the path was taken in. Elements of a list
    /// longer than [`limits::NAMED_ELEMENTS`] are shown by their index.
    #[must_use]
    pub fn named(&self, root: &Value) -> String {
        let mut text = String::new();
        let mut value = Some(root);
        for segment in self.segments() {
            match segment {
                Segment::Key(key) => {
                    push_key(&mut text, key);
                    value = value.and_then(|v| v.get(key));
                }
                Segment::Index(index) => {
                    let list = value.and_then(Value::as_array);
                    match list.and_then(|list| unique_name(list, *index)) {
                        Some(name) => drop(write!(text, "[name={name}]")),
                        None => drop(write!(text, "[{index}]")),
                    }
                    value = list.and_then(|list| list.get(*index));
                }
            }
        }
        text
    }
}

/// The `name` of a list's element, when no other element has it.
fn unique_name(list: &[Value], index: usize) -> Option<&str> {
    // The list is read for each difference, so a long list full of differences takes quadratic time.
    if list.len() > limits::NAMED_ELEMENTS {
        return None;
    }
    let name = list.get(index)?.get("name")?.as_str()?;
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let same = list.iter().filter(|item| item.get("name").and_then(Value::as_str) == Some(name)).count();
    (plain && same == 1).then_some(name)
}

fn push_key(text: &mut String, key: &str) {
    if !text.is_empty() {
        text.push('.');
    }
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-/".contains(c));
    if plain {
        text.push_str(key);
    } else {
        text.push('"');
        text.extend(key.chars().flat_map(|c| {
            let escape = matches!(c, '"' | '\\').then_some('\\');
            escape.into_iter().chain([c])
        }));
        text.push('"');
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for segment in self.segments() {
            match segment {
                Segment::Key(key) => push_key(&mut text, key),
                Segment::Index(index) => drop(write!(text, "[{index}]")),
            }
        }
        f.write_str(&text)
    }
}

/// One difference between what was signed and what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Where, in the object that was found (or in the signed one, for what is gone).
    pub path: FieldPath,
    /// The signed value; `None` where nothing was signed.
    pub signed: Option<Value>,
    /// The value found; `None` where the signed value is gone.
    pub found: Option<Value>,
}

/// What an object calls itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// `apps/v1`, or `v1` for the core group.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Empty for cluster-scoped objects and where none was given.
    pub namespace: String,
    /// `metadata.name`; `metadata.generateName` where the name is not yet known.
    pub name: String,
}

/// The items of a list: `kubectl` takes every object with a list of `items` for one and applies each,
/// whatever its kind is called (apimachinery, `UnstructuredJSONScheme`).
#[must_use]
pub fn items(object: &Value) -> Option<&Vec<Value>> {
    object.get("items")?.as_array()
}

impl ObjectRef {
    /// Reads the identity of an object; fields that are absent or not strings are left empty.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let metadata = object.get("metadata");
        let field = |name: &str| text(metadata.and_then(|m| m.get(name)));
        let name = Some(field("name")).filter(|name| !name.is_empty());
        Self {
            api_version: text(object.get("apiVersion")),
            kind: text(object.get("kind")),
            namespace: field("namespace"),
            name: name.unwrap_or_else(|| field("generateName")),
        }
    }

    /// The API group: empty for core.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The version within the group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(self.api_version.as_str(), |(_, version)| version)
    }
}

impl fmt::Display for ObjectRef {
    /// `Deployment prod/web`, or `Namespace prod` without a namespace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// Where an object that is to be matched comes from; it decides which effects of the API server may
/// show in it (see `manifest::defaults`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A plain file. Defaults may be filled in, but nobody has allocated anything yet.
    File,
    /// An object as a cluster stores it.
    Live,
    /// The object of a *validating* admission review: allocated values are there, what controllers
    /// write afterwards is not.
    Review,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dot_in_a_key_is_not_a_step() {
        let path = FieldPath::keys(["metadata", "labels", "app.kubernetes.io/name"]);
        assert_eq!(path.to_string(), r#"metadata.labels."app.kubernetes.io/name""#);
        assert_eq!(FieldPath::keys(["data", "a\"b"]).to_string(), r#"data."a\"b""#);
        assert_eq!(FieldPath::keys(["spec", "c"]).index(3).key("image").to_string(), "spec.c[3].image");
    }

    #[test]
    fn list_elements_are_named_only_when_the_name_is_theirs_alone() {
        let pod = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}, {"name": "b"}]}});
        let list = FieldPath::keys(["spec", "containers"]);
        assert_eq!(list.index(0).key("image").named(&pod), "spec.containers[name=a].image");
        assert_eq!(list.index(1).named(&pod), "spec.containers[1]");
        assert_eq!(list.index(7).named(&pod), "spec.containers[7]");
    }

    /// Reading the names of a million elements for each of a thousand differences would take minutes.
    #[test]
    fn elements_of_long_lists_are_shown_by_index() {
        let list = |len: usize| (0..len).map(|at| json!({"name": format!("n{at}")})).collect::<Vec<_>>();
        let path = FieldPath::keys(["l"]).index(5);
        assert_eq!(path.named(&json!({"l": list(limits::NAMED_ELEMENTS)})), "l[name=n5]");
        assert_eq!(path.named(&json!({"l": list(limits::NAMED_ELEMENTS + 1)})), "l[5]");
    }

    #[test]
    fn an_object_without_metadata_has_an_empty_identity() {
        assert_eq!(ObjectRef::of(&json!({"kind": 5})), ObjectRef::default());
        let generated = ObjectRef::of(
            &json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "run-"}}),
        );
        assert_eq!(
            (generated.group(), generated.version(), generated.name.as_str()),
            ("batch", "v1", "run-")
        );
    }
}
