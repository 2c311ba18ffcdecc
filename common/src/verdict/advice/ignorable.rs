//! Which differences a person may be told to ignore.
//!
//! Advice is pasted by people who want their rollout to go on. Whatever it lets pass today, it lets pass for
//! everybody from then on, so only what decides nothing about what runs is on the list: how many, and
//! bookkeeping. One key of one object each; a map, a list element, or anything below the `spec` of a Pod
//! template is never proposed.

use serde_json::Value;

use crate::limits;
use crate::object::{FieldChange, FieldPath, ObjectRef, Segment};

/// What `kubectl rollout restart` writes.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// Kinds that a `HorizontalPodAutoscaler` scales by `spec.replicas`.
const SCALED: [(&str, &str); 4] =
    [("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "ReplicaSet"), ("", "ReplicationController")];

/// Kinds that `kubectl rollout restart` restarts.
const RESTARTABLE: [(&str, &str); 3] =
    [("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet")];

/// Kinds whose own labels and annotations neither their Pods nor selectors of Services and network policies
/// read. Of all others (a `Namespace` above all, whose labels decide its Pod Security; `ServiceAccount`,
/// `Ingress`, `ClusterRole`, custom resources) any key may decide something.
const DESCRIBED: [(&str, &str); 6] = [
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "CronJob"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("policy", "PodDisruptionBudget"),
];

/// Keys by which tools keep their books. Keys with another domain belong to whatever reads them, which may be
/// a controller that injects, updates or exempts.
const BOOKKEEPING: [&str; 12] = [
    "app.kubernetes.io/component",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/name",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/version",
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "helm.sh/chart",
    "kubernetes.io/change-cause",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
];

/// The narrowest paths that cover all of these differences, if a rule that ignores them lets nothing run that
/// its signer did not mean to: see the module. `None` where that is not so for one of them, since an object
/// with one more difference would be refused all the same.
#[must_use]
pub fn ignorable(object: &ObjectRef, changes: &[FieldChange]) -> Option<Vec<FieldPath>> {
    // A rule is for this object; where its name is none, the rule would be for others as well.
    let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    if ![&object.kind, &object.name, &object.namespace].into_iter().all(|name| plain(name)) {
        return None;
    }
    let mut paths = Vec::new();
    for change in changes {
        paths.extend(covered(object, change)?);
    }
    (1..=limits::SUGGESTED_FIELDS).contains(&paths.len()).then_some(paths)
}

/// The paths that cover one difference; `None` where it must stay signed.
fn covered(object: &ObjectRef, change: &FieldChange) -> Option<Vec<FieldPath>> {
    let mut leaves = Vec::new();
    leaves_of(&change.path, present(change.signed.as_ref()), present(change.found.as_ref()), &mut leaves)?;
    leaves.iter().all(|leaf| leaf.decides_nothing(object)).then_some(())?;
    Some(leaves.into_iter().map(|leaf| leaf.path).collect())
}

/// A written `null` is a field that is not there.
fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

/// One key that differs.
struct Leaf<'v> {
    path: FieldPath,
    signed: Option<&'v Value>,
    found: Option<&'v Value>,
}

/// The keys of a map that only one side has: the map itself is never proposed.
fn leaves_of<'v>(
    path: &FieldPath,
    signed: Option<&'v Value>,
    found: Option<&'v Value>,
    leaves: &mut Vec<Leaf<'v>>,
) -> Option<()> {
    // No path of the list is longer, and none may start more.
    if path.segments().len() > 5 || leaves.len() > limits::SUGGESTED_FIELDS {
        return None;
    }
    let (map, is_signed) = match (signed, found) {
        (Some(Value::Object(map)), None) => (map, true),
        (None, Some(Value::Object(map))) => (map, false),
        _ => {
            leaves.push(Leaf { path: path.clone(), signed, found });
            return Some(());
        }
    };
    // An empty map has no key that could be named.
    (!map.is_empty()).then_some(())?;
    for (key, value) in map {
        let (signed, found) = if is_signed { (Some(value), None) } else { (None, Some(value)) };
        leaves_of(&path.key(key.as_str()), present(signed), present(found), leaves)?;
    }
    Some(())
}

impl Leaf<'_> {
    fn decides_nothing(&self, object: &ObjectRef) -> bool {
        let Some(keys) = keys(&self.path) else { return false };
        match keys.as_slice() {
            ["spec", "replicas"] => is_of(object, &SCALED) && self.is(Value::is_u64),
            ["spec", "template", "metadata", "annotations", key] => {
                *key == RESTARTED && is_of(object, &RESTARTABLE) && self.is(Value::is_string)
            }
            ["metadata", "labels", key] => self.is(Value::is_string) && labels(object, key),
            ["metadata", "annotations", key] => {
                self.is(Value::is_string) && (labels(object, key) || is_bookkeeping(key))
            }
            _ => false,
        }
    }

    /// Whether both sides, where they are there, are what the field holds.
    fn is(&self, kind: impl Fn(&Value) -> bool) -> bool {
        self.signed.is_none_or(&kind) && self.found.is_none_or(&kind)
    }
}

/// The steps of a path that leads through no list.
fn keys(path: &FieldPath) -> Option<Vec<&str>> {
    let steps = path.segments().iter();
    steps
        .map(|segment| match segment {
            Segment::Key(key) => Some(key.as_str()),
            Segment::Index(_) => None,
        })
        .collect()
}

fn is_of(object: &ObjectRef, kinds: &[(&str, &str)]) -> bool {
    kinds.contains(&(object.group(), object.kind.as_str()))
}

/// Whether a label or annotation of this object itself only describes it.
fn labels(object: &ObjectRef, key: &str) -> bool {
    let words = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    is_of(object, &DESCRIBED) && (words || is_bookkeeping(key))
}

/// Annotations of these keys decide nothing, whatever the object.
fn is_bookkeeping(key: &str) -> bool {
    BOOKKEEPING.contains(&key)
}

#[cfg(test)]
mod tests;
