//! Rows for every kind: bookkeeping, emptiness, and which kinds are built in.

use super::{Row, Rule, row};

/// API groups that are part of Kubernetes. Exact names: `gateway.networking.k8s.io` is a custom group
/// although it ends like a built-in one.
const BUILT_IN: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Whether objects of this group are Go structs of Kubernetes itself, with the emptiness rules of those.
/// Objects of other groups keep everything they were given.
pub(in crate::manifest) fn is_built_in(group: &str) -> bool {
    BUILT_IN.contains(&group)
}

/// *never*: fields of the top-level `metadata` that the server keeps its books in.
pub(in crate::manifest) const BOOKKEEPING: &[&str] =
    &["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// *never*: kubectl's own copy of what was applied.
pub(in crate::manifest) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Keys that hold a map with free keys wherever they occur in built-in kinds, and omit it when empty;
/// other such maps have rows of their own. Everything else that is an object has fields, and its `{}`
/// means something.
pub(in crate::manifest) const STRING_MAPS: &[&str] = &["annotations", "labels", "matchLabels"];

/// Any signed `null` may be gone.
pub(in crate::manifest) static NULL: Row = row("null", Rule::Generic);
/// Any signed `[]` of a built-in kind may be gone.
pub(in crate::manifest) static EMPTY_LIST: Row = row("[]", Rule::Generic);
/// Any signed `{}` of a map with free keys of a built-in kind may be gone.
pub(in crate::manifest) static EMPTY_MAP: Row = row("{}", Rule::Generic);
/// `1.0` = `1` in custom resources.
pub(in crate::manifest) static WHOLE_FLOAT: Row = row("1.0", Rule::Rewritten);
/// `stringData` of a Secret is merged into `data`.
pub(in crate::manifest) static STRING_DATA: Row = row("stringData", Rule::Rewritten);
