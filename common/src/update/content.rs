//! Whether an update keeps what a signature is about.

use serde_json::Value;

use super::workload;
use crate::manifest::diff::{self, Comparison, Expectations, Row};
use crate::manifest::ignore::IgnoreRules;
use crate::object::{FieldChange, FieldPath, ObjectRef, Origin, Segment};
use crate::policy::NamespaceAllowance;

/// What may change beside content. Labels and annotations are content: the labels of a Namespace decide what its Pods
/// may do. So are the annotations that carry the signature.
const BESIDE: [&[&str]; 5] = [
    &["status"],
    &["metadata", "deletionGracePeriodSeconds"],
    &["metadata", "deletionTimestamp"],
    &["metadata", "finalizers"],
    &["metadata", "ownerReferences"],
];

/// No domain is empty, so that the annotations which carry a signature are compared like all others.
const NO_DOMAIN: &str = "";

/// Whether an object under review has the content of the stored one:
///
/// 1. compared as a signed object is with a found one, nothing differs;
/// 2. but for what is no content, and for reductions;
/// 3. and where a controller of Kubernetes asks, for what the table of server effects says that controllers write.
///    Attack: a user who writes a value that only controllers write.
pub(super) fn keeps(kind: &ObjectRef, stored: &Value, object: &Value, by_controller: bool) -> bool {
    let compared = compare(stored, object, by_controller);
    // (1)
    let written = compared.effects.iter().any(|(_, row)| is_by_controllers(row));
    if compared.omitted > 0 || (written && !by_controller) {
        return false;
    }
    // (2)
    let content = |change: &FieldChange| !is_beside(&change.path) && !is_reduction(kind, change);
    let changed: Vec<_> = compared.differences.into_iter().filter(content).collect();
    // (3)
    changed.is_empty() || by_controller && are_written_by_controllers(stored, object, &changed)
}

fn compare(stored: &Value, object: &Value, by_controller: bool) -> Comparison {
    let origin = if by_controller { Origin::Live } else { Origin::Review };
    diff::compare(
        stored,
        object,
        &Expectations {
            origin,
            stored: Some(stored),
            pinned: &[],
            domain: NO_DOMAIN,
            ignore: &IgnoreRules::default(),
            allow_namespace: &NamespaceAllowance::None,
            allow_finalizers: &[],
        },
    )
}

fn is_beside(path: &FieldPath) -> bool {
    let starts_with =
        |keys: &[&str]| path.segments().starts_with(FieldPath::keys(keys.iter().copied()).segments());
    BESIDE.iter().any(|keys| starts_with(keys))
}

fn is_reduction(kind: &ObjectRef, change: &FieldChange) -> bool {
    let [Segment::Key(spec), Segment::Key(field)] = change.path.segments() else { return false };
    spec == "spec" && workload::is_reduced(kind, field, change.signed.as_ref(), change.found.as_ref())
}

/// Whether the table explains each change as one that controllers make: without the value that was stored, the value
/// found is one that they would write.
fn are_written_by_controllers(stored: &Value, object: &Value, changed: &[FieldChange]) -> bool {
    let mut without = stored.clone();
    if !changed.iter().all(|change| remove(&mut without, &change.path)) {
        return false;
    }
    let compared = compare(&without, object, true);
    let explained = |change: &FieldChange| {
        compared.effects.iter().any(|(effect, row)| effect.path == change.path && is_by_controllers(row))
    };
    changed.iter().all(explained)
}

/// Whether a row of the table is about what controllers and allocators write, and not about what the API server makes
/// of a field by itself.
fn is_by_controllers(row: &Row) -> bool {
    ["ctl", "alloc"].contains(&row.effect())
}

/// Removes the value at a path, where there is one; `false` where it is an element of a list, whose absence would
/// move the others.
fn remove(root: &mut Value, path: &FieldPath) -> bool {
    let Some((Segment::Key(last), above)) = path.segments().split_last() else { return false };
    let parent = above.iter().try_fold(root, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key),
        Segment::Index(index) => value.get_mut(index),
    });
    if let Some(parent) = parent.and_then(Value::as_object_mut) {
        parent.remove(last);
    }
    true
}
