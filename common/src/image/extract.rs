//! The images of workloads.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Map, Value, json};

use super::place::{ExtractError, FoundImage, Place, Spot};
use super::{ImageRef, ReferenceError};
use crate::limits;
use crate::object::ObjectRef;

/// A kind that holds a Pod: its API groups, its name, and where the Pod's specification is.
///
/// Versions are not compared: all versions of these kinds that ever were have it in the same place.
type Row = (&'static [&'static str], &'static str, &'static [&'static str]);

const POD: &[&str] = &["spec"];
const TEMPLATE: &[&str] = &["spec", "template", "spec"];
const CRON_JOB: &[&str] = &["spec", "jobTemplate", "spec", "template", "spec"];

/// Every kind of Kubernetes that holds a Pod. The group counts: a custom kind that is called Pod as well
/// runs nothing, and says elsewhere what it does.
const WORKLOADS: [Row; 9] = [
    (&[""], "Pod", POD),
    (&[""], "PodTemplate", &["template", "spec"]),
    (&[""], "ReplicationController", TEMPLATE),
    (&["apps", "extensions"], "DaemonSet", TEMPLATE),
    (&["apps", "extensions"], "Deployment", TEMPLATE),
    (&["apps", "extensions"], "ReplicaSet", TEMPLATE),
    (&["apps"], "StatefulSet", TEMPLATE),
    (&["batch"], "Job", TEMPLATE),
    (&["batch"], "CronJob", CRON_JOB),
];

/// Lists of a Pod whose elements name an image, and how.
///
/// Attack A8: an image that is not in `containers` runs all the same. Sidecars are init containers;
/// `kubectl debug` adds ephemeral ones, and the review of that subresource carries the whole Pod; an image
/// volume brings files that the containers may run.
const LISTS: [(&str, &[&str]); 4] = [
    ("initContainers", &["image"]),
    ("containers", &["image"]),
    ("ephemeralContainers", &["image"]),
    ("volumes", &["image", "reference"]),
];

/// The images of an object of a built-in kind, in the order in which they stand there; none of any other
/// kind.
///
/// A blank image is none: Kubernetes makes no Pod of it (`ValidatePodCreate` of its API validation), and
/// only controllers' templates may hold one, for somebody else to fill in. The Pod that comes of it is
/// reviewed itself. Whatever else is no reference stays in the list (attack A7).
///
/// # Errors
/// [`ExtractError`] when the object does not have the shape of its kind.
pub fn images(object: &Value) -> Result<Vec<FoundImage>, ExtractError> {
    let Some(spec) = pod_spec(&ObjectRef::of(object)) else { return Ok(vec![]) };
    let mut found = Vec::new();
    for (list, value) in LISTS {
        let path: Vec<&str> = spec.iter().copied().chain([list, "*"]).collect();
        let spots = Spot::all(object, Place { path: &path, key: Some("name"), value })?;
        let filled = spots.into_iter().filter(|spot| !spot.text.trim().is_empty());
        found.extend(filled.map(|spot| FoundImage::of(list, spot)));
        if found.len() > limits::IMAGES {
            return Err(ExtractError::TooMany);
        }
    }
    Ok(found)
}

/// Whether objects of a kind of this name hold images, as far as Kubernetes itself has such kinds.
#[must_use]
pub fn holds_images(kind: &str) -> bool {
    WORKLOADS.iter().any(|(_, name, _)| *name == kind)
}

/// Where objects of a kind have the specification of a Pod.
fn pod_spec(object: &ObjectRef) -> Option<&'static [&'static str]> {
    let is = |(groups, kind, _): &&Row| *kind == object.kind && groups.contains(&object.group());
    WORKLOADS.iter().find(is).map(|(_, _, spec)| *spec)
}

/// Every kind that holds a Pod, with its groups.
#[cfg(test)]
pub(crate) fn pod_kinds() -> impl Iterator<Item = (&'static [&'static str], &'static str)> {
    WORKLOADS.iter().map(|(groups, kind, _)| (*groups, *kind))
}

impl FoundImage {
    fn of(list: &str, spot: Spot<'_>) -> Self {
        Self {
            path: spot.path,
            list: list.to_owned(),
            name: spot.key.unwrap_or_default().to_owned(),
            text: spot.text.to_owned(),
            image: ImageRef::parse(spot.text),
        }
    }
}

/// Why there are no variables for an object's images.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariablesError {
    /// An image that cannot be read.
    #[error("{at}: {why}")]
    Image {
        /// Where.
        at: crate::object::FieldPath,
        /// Why.
        why: ReferenceError,
    },
    /// Two images of one name.
    #[error("two images of {list} are called `{name}`; give them names of their own")]
    Duplicate {
        /// The list.
        list: String,
        /// The name.
        name: String,
    },
}

/// What expressions see as `images`, by list and name: `images.containers.nginx.registry`
/// (`spec/kyverno.md` 1.3).
///
/// # Errors
/// [`VariablesError`]. Attack: an image that is left out, or hidden by another of its name, would be
/// "absent" for a precondition, and the object exempt from the rule.
pub fn variables(images: &[FoundImage]) -> Result<Value, VariablesError> {
    let mut lists: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    for found in images {
        let image = found.image.as_ref();
        let image =
            image.map_err(|why| VariablesError::Image { at: found.path.clone(), why: why.clone() })?;
        match lists.entry(&found.list).or_default().entry(&found.name) {
            Entry::Vacant(free) => free.insert(variable(image)),
            Entry::Occupied(_) => {
                let (list, name) = (found.list.clone(), found.name.clone());
                return Err(VariablesError::Duplicate { list, name });
            }
        };
    }
    Ok(json!(lists))
}

/// An image as expressions see it. The fields as Kyverno fills them in: without Docker Hub's `library/`; a tag only where there is one or
/// neither; `reference` as patterns see it.
#[must_use]
pub fn variable(image: &ImageRef) -> Value {
    let repository = image.repository();
    let name = repository.without_library().unwrap_or_else(|| repository.to_string());
    let path = name.split_once('/').map_or(name.as_str(), |(_, path)| path);
    let latest = image.digest().is_none().then_some("latest");
    let tag = image.tag().map(super::Tag::as_str).or(latest);
    let mut facts = Map::new();
    let mut set = |key: &str, text: &str| facts.insert(key.to_owned(), json!(text));
    set("registry", repository.registry());
    set("name", path.rsplit('/').next().unwrap_or(path));
    set("path", path);
    set("tag", tag.unwrap_or_default());
    set("digest", &image.digest().map(ToString::to_string).unwrap_or_default());
    set("reference", &format!("{name}{}", image.version().suffix()));
    set("referenceWithTag", &format!("{name}:{}", tag.unwrap_or_default()));
    Value::Object(facts)
}

#[cfg(test)]
mod tests;
