//! Fields of what makes Pods, by what their change starts.

use serde_json::{Map, Value};

use crate::object::ObjectRef;

/// A kind that makes Pods, and the fields of its `spec` that may change without starting any.
///
/// All others may not: a changed template starts new Pods, also where its images stay; so does another strategy or
/// partition of a rollout that waits, and another schedule of a `CronJob`.
struct Workload {
    group: &'static str,
    kind: &'static str,
    /// Start nothing, whatever they say (Kubernetes API reference).
    free: &'static [&'static str],
    /// How many Pods; and what is meant where the field is absent, if that is a number.
    counts: &'static [(&'static str, Option<i64>)],
    /// Hold everything up while they are true.
    halts: &'static [&'static str],
}

const WORKLOADS: [Workload; 8] = [
    Workload {
        group: "apps",
        kind: "Deployment",
        free: &["minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit"],
        counts: &[("replicas", Some(1))],
        halts: &["paused"],
    },
    Workload {
        group: "apps",
        kind: "ReplicaSet",
        free: &["minReadySeconds"],
        counts: &[("replicas", Some(1))],
        halts: &[],
    },
    Workload {
        group: "",
        kind: "ReplicationController",
        free: &["minReadySeconds"],
        counts: &[("replicas", Some(1))],
        halts: &[],
    },
    Workload {
        group: "apps",
        kind: "StatefulSet",
        free: &["minReadySeconds", "persistentVolumeClaimRetentionPolicy", "revisionHistoryLimit"],
        counts: &[("replicas", Some(1))],
        halts: &[],
    },
    Workload {
        group: "apps",
        kind: "DaemonSet",
        free: &["minReadySeconds", "revisionHistoryLimit"],
        counts: &[],
        halts: &[],
    },
    Workload {
        group: "batch",
        kind: "Job",
        free: &["ttlSecondsAfterFinished"],
        // Without completions any number of Pods may do the work.
        counts: &[("parallelism", Some(1)), ("completions", None)],
        halts: &["suspend"],
    },
    Workload {
        group: "batch",
        kind: "CronJob",
        free: &["failedJobsHistoryLimit", "successfulJobsHistoryLimit"],
        counts: &[],
        halts: &["suspend"],
    },
    Workload { group: "", kind: "PodTemplate", free: &[], counts: &[], halts: &[] },
];

/// What custom kinds call these fields by convention (the `scale` subresource of custom resources; `suspend` and
/// `paused` of those that make workloads).
const CUSTOM: Workload = Workload {
    group: "*",
    kind: "*",
    free: &[],
    counts: &[("replicas", None)],
    halts: &["paused", "suspend"],
};

/// The object's own metadata, which starts nothing: the template has its own.
const METADATA: [&str; 10] = [
    "annotations",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "labels",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
];

/// Whether a kind is Kubernetes' own Pod.
pub(super) fn is_pod(kind: &ObjectRef) -> bool {
    kind.kind == "Pod" && kind.group().is_empty()
}

/// Whether a Pod waits for what it waited for. Attack: a Pod that was never let onto a node is let onto one by the
/// loss of a scheduling gate.
pub(super) fn keeps_gates(stored: &Value, object: &Value) -> bool {
    let gates = |pod: &Value| {
        let gates = pod.pointer("/spec/schedulingGates").and_then(Value::as_array);
        gates.cloned().unwrap_or_default()
    };
    gates(stored) == gates(object)
}

/// Whether an update of what makes Pods asks for no Pod that the stored object did not ask for.
pub(super) fn asks_for_no_more(kind: &ObjectRef, stored: &Value, object: &Value) -> bool {
    let workload = of(kind);
    keys(stored, object, |key, before, after| match key {
        "metadata" => both(before, after, |a, b| keys(a, b, |key, a, b| METADATA.contains(&key) || a == b)),
        "status" => true,
        "spec" => both(before, after, |a, b| keys(a, b, |key, a, b| workload.keeps(key, a, b))),
        _ => before == after,
    })
}

/// Whether a field of `spec` was only reduced: fewer Pods, or everything held up.
pub(super) fn is_reduced(
    kind: &ObjectRef,
    field: &str,
    stored: Option<&Value>,
    found: Option<&Value>,
) -> bool {
    let workload = of(kind);
    workload.counts.iter().any(|(name, absent)| *name == field && falls(stored, found, *absent))
        || workload.halts.contains(&field) && halts(found)
}

/// Whether there is a row for a kind.
#[cfg(test)]
pub(super) fn is_known(kind: &ObjectRef) -> bool {
    of(kind).group != CUSTOM.group
}

fn of(kind: &ObjectRef) -> &'static Workload {
    let is = |one: &&Workload| one.group == kind.group() && one.kind == kind.kind;
    WORKLOADS.iter().find(is).unwrap_or(&CUSTOM)
}

impl Workload {
    fn keeps(&self, field: &str, stored: Option<&Value>, found: Option<&Value>) -> bool {
        stored == found
            || self.free.contains(&field)
            || self.counts.iter().any(|(name, absent)| *name == field && falls(stored, found, *absent))
            || self.halts.contains(&field) && halts(found)
    }
}

/// Whether a number became smaller. Where one of the two is no number, it is unknown.
fn falls(stored: Option<&Value>, found: Option<&Value>, absent: Option<i64>) -> bool {
    let number = |value: Option<&Value>| match value {
        None | Some(Value::Null) => absent,
        Some(value) => value.as_i64(),
    };
    matches!((number(stored), number(found)), (Some(stored), Some(found)) if found <= stored)
}

fn halts(found: Option<&Value>) -> bool {
    found == Some(&Value::Bool(true))
}

/// Whether `same` holds for every key of two maps; what is no map has no keys and differs.
fn keys(stored: &Value, object: &Value, same: impl Fn(&str, Option<&Value>, Option<&Value>) -> bool) -> bool {
    let (Some(stored), Some(object)) = (stored.as_object(), object.as_object()) else { return false };
    let gone = |map: &Map<String, Value>, key: &str| !map.contains_key(key);
    stored.iter().all(|(key, value)| same(key, Some(value), object.get(key)))
        && object.iter().filter(|(key, _)| gone(stored, key)).all(|(key, value)| same(key, None, Some(value)))
}

fn both(stored: Option<&Value>, object: Option<&Value>, same: impl Fn(&Value, &Value) -> bool) -> bool {
    matches!((stored, object), (Some(stored), Some(object)) if same(stored, object)) || stored == object
}
