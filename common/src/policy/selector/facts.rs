//! What is known about a request before any policy is looked at.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::ObjectRef;

/// What is asked of the API server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A new object.
    #[default]
    Create,
    /// A change.
    Update,
    /// A removal; the object is the old one.
    Delete,
    /// `kubectl exec` and its like.
    Connect,
}

impl Operation {
    /// As in an admission review.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Create, Self::Update, Self::Delete, Self::Connect].into_iter().find(|op| op.as_str() == text)
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who asks, as the API server authenticated them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// `system:serviceaccount:ns:name` for service accounts.
    pub username: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Roles bound to the user, as `namespace:name`.
    pub roles: Vec<String>,
    /// Cluster roles bound to the user.
    pub cluster_roles: Vec<String>,
}

impl UserInfo {
    /// Whether it is a part of Kubernetes itself that writes objects of others: the controller manager, as a whole or
    /// with an account for each controller, or the scheduler. Whoever can be one of these can be anybody.
    #[must_use]
    pub fn is_controller(&self) -> bool {
        let name = self.username.as_str();
        ["system:kube-controller-manager", "system:kube-scheduler"].contains(&name)
            || name
                .strip_prefix("system:serviceaccount:kube-system:")
                .is_some_and(|account| CONTROLLERS.contains(&account) || account.ends_with("-controller"))
    }
}

/// Accounts of controllers whose names do not end like that.
const CONTROLLERS: [&str; 2] = ["persistent-volume-binder", "horizontal-pod-autoscaler"];

/// The labels of the object's namespace decide, and nobody could read them. A fault, never a "no":
/// otherwise whoever makes labels unreadable is exempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the labels of the namespace are not known")]
pub struct LabelsUnknown;

/// What is known about a request before any policy is looked at.
#[derive(Clone, Copy, Debug)]
pub struct ReviewFacts<'a> {
    /// The object; `null` on DELETE.
    pub object: &'a Value,
    /// The object before the request.
    pub old_object: Option<&'a Value>,
    /// What is asked.
    pub operation: Operation,
    /// `ephemeralcontainers`, `scale`, …; empty for the object itself.
    pub subresource: &'a str,
    /// The namespace the object is in or will be in: of an admission request, the request's; of a file
    /// without a namespace, the one it would be applied to. Empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// The labels of that namespace, if they could be read.
    pub namespace_labels: Option<&'a BTreeMap<String, String>>,
    /// Who asks, if there is an admission request.
    pub user: Option<&'a UserInfo>,
}

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

impl<'a> ReviewFacts<'a> {
    /// An object as if it were being created by nobody in particular, in the namespace it names.
    #[must_use]
    pub fn of(object: &'a Value) -> Self {
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
        Self {
            object,
            old_object: None,
            operation: Operation::Create,
            subresource: "",
            namespace,
            namespace_labels: None,
            user: None,
        }
    }

    /// The object that is judged: the new one, or on DELETE the old one.
    #[must_use]
    pub fn subject(&self) -> &'a Value {
        match self.old_object {
            Some(old) if self.object.is_null() => old,
            Some(_) | None => self.object,
        }
    }

    /// What the object calls itself, with the namespace of the request.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        ObjectRef { namespace: self.namespace.to_owned(), ..ObjectRef::of(self.subject()) }
    }

    /// The labels of the namespace; none for a cluster-scoped object.
    ///
    /// # Errors
    /// [`LabelsUnknown`].
    pub fn namespace_labels(&self) -> Result<&'a BTreeMap<String, String>, LabelsUnknown> {
        match self.namespace_labels {
            Some(labels) => Ok(labels),
            None if self.namespace.is_empty() => Ok(&NO_LABELS),
            None => Err(LabelsUnknown),
        }
    }

    /// A string map of the object's metadata (`labels`, `annotations`). Values that are not strings are
    /// left out: the API server refuses them, and no pattern may match what it cannot show.
    #[must_use]
    pub fn metadata_map(&self, field: &str) -> BTreeMap<&'a str, &'a str> {
        let map = self.subject().get("metadata").and_then(|metadata| metadata.get(field));
        let entries = map.and_then(Value::as_object).into_iter().flatten();
        entries.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
    }
}

/// The facts, with what every filter compares looked up once.
#[derive(Debug)]
pub(crate) struct Looked<'a> {
    pub(super) facts: &'a ReviewFacts<'a>,
    pub(super) object: ObjectRef,
    pub(super) labels: BTreeMap<&'a str, &'a str>,
    pub(super) annotations: BTreeMap<&'a str, &'a str>,
}

impl<'a> Looked<'a> {
    pub(crate) fn at(facts: &'a ReviewFacts<'a>) -> Self {
        let (labels, annotations) = (facts.metadata_map("labels"), facts.metadata_map("annotations"));
        Self { facts, object: facts.object_ref(), labels, annotations }
    }
}
