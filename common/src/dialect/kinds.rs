//! The one declaration of the kinds of policies: what compiles them, what watches them, who may read them, what a test
//! file calls them, all follow from it.

use serde_json::Value;

use super::reader::Report;
use super::{Compiled, kyverno, trust};

/// A kind of documents that are policies, exceptions from them, or what they name.
#[derive(Clone, Copy, Debug)]
pub struct PolicyKind {
    /// The API group.
    pub group: &'static str,
    /// The versions that are read. An API server is asked for the first.
    pub versions: &'static [&'static str],
    /// `ClusterPolicy`.
    pub kind: &'static str,
    /// `clusterpolicies`, the resource.
    pub plural: &'static str,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// Whether it has a status, in which it can be said whether an object is in force.
    pub has_status: bool,
    pub(super) compile: fn(&Value, &Report) -> Option<Compiled>,
}

impl PolicyKind {
    /// Whether the kind is our own: no other engine reads it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.group == trust::GROUP
    }

    /// Whether a version of the kind is read.
    #[must_use]
    pub fn reads(&self, version: &str) -> bool {
        self.versions.contains(&version)
    }
}

/// Every kind. A new dialect is a row here and a folder beside this file.
pub const KINDS: [PolicyKind; 6] = [
    PolicyKind {
        group: trust::GROUP,
        versions: &["v1alpha1"],
        kind: trust::CLUSTER_POLICY,
        plural: "clustertrustpolicies",
        namespaced: false,
        has_status: true,
        compile: trust::compile_policy,
    },
    PolicyKind {
        group: trust::GROUP,
        versions: &["v1alpha1"],
        kind: trust::POLICY,
        plural: "trustpolicies",
        namespaced: true,
        has_status: true,
        compile: trust::compile_policy,
    },
    PolicyKind {
        group: trust::GROUP,
        versions: &["v1alpha1"],
        kind: trust::ROOT,
        plural: "trustroots",
        namespaced: false,
        has_status: true,
        compile: trust::compile_root,
    },
    PolicyKind {
        group: kyverno::GROUP,
        versions: &["v1", "v2beta1"],
        kind: "ClusterPolicy",
        plural: "clusterpolicies",
        namespaced: false,
        has_status: true,
        compile: kyverno::compile_policy,
    },
    PolicyKind {
        group: kyverno::GROUP,
        versions: &["v1", "v2beta1"],
        kind: "Policy",
        plural: "policies",
        namespaced: true,
        has_status: true,
        compile: kyverno::compile_policy,
    },
    PolicyKind {
        group: kyverno::GROUP,
        versions: &["v2", "v2beta1"],
        kind: "PolicyException",
        plural: "policyexceptions",
        namespaced: true,
        has_status: false,
        compile: kyverno::compile_exception,
    },
];

/// The kind of this group and name, in whatever version.
#[must_use]
pub fn kind(group: &str, name: &str) -> Option<&'static PolicyKind> {
    KINDS.iter().find(|kind| kind.group == group && kind.kind == name)
}

/// The kinds and their versions, for people: `ClusterPolicy of kyverno.io/v1 and v2beta1, …`.
pub(super) fn known() -> String {
    let one = |kind: &PolicyKind| format!("{} of {}/{}", kind.kind, kind.group, kind.versions.join(" and "));
    KINDS.iter().map(one).collect::<Vec<_>>().join(", ")
}
