//! What a manifest rule demands.

use super::ignore::IgnorePath;
use super::requirement::Requirement;
use crate::image::ImageRef;
use crate::object::{FieldPath, ObjectRef};
use crate::policy::selector::plural;
use crate::policy::wildcard;

/// The object must equal a signed manifest, up to named fields.
#[derive(Clone, Debug)]
pub struct ManifestRule {
    /// Who must have signed.
    pub requirement: Requirement,
    /// Prefix of the signature annotations.
    pub annotation_domain: String,
    /// Fields that may differ from what was signed.
    pub ignore_fields: Vec<IgnoreField>,
    /// How the object is compared.
    pub matching: Matching,
    /// Namespaces the object may be in when its manifest was signed without one.
    pub allow_namespace: NamespaceAllowance,
    /// Finalizers the object may carry that were not signed.
    pub allow_finalizers: Vec<String>,
    /// Learn defaults by a server-side dry run.
    pub dry_run: Option<DryRun>,
    /// OCI reference of a signed resource bundle; an attestor's own overrides it.
    pub repository: Option<ImageRef>,
}

/// The default prefix of the signature annotations.
pub const ANNOTATION_DOMAIN: &str = "cosign.sigstore.dev";

/// Fields that may differ, for some objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreField {
    /// For which objects; empty = all.
    pub objects: Vec<ObjectSelector>,
    /// Their paths.
    pub fields: Vec<IgnorePath>,
    /// Where in the policy.
    pub path: FieldPath,
}

impl IgnoreField {
    /// Whether the fields are ignored for an object.
    #[must_use]
    pub fn covers(&self, object: &ObjectRef) -> bool {
        self.objects.is_empty() || self.objects.iter().any(|selector| selector.covers(object))
    }
}

/// Which objects an ignore entry is about (`spec/kyverno.md` 3.5): each field is empty or `*` for any,
/// a comma list of alternatives each with wildcards, or `-` for "must be empty".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectSelector {
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Whether the kind is one that a person typed at a command line: in any case, and also as its resources are called
    /// (`deployments`). In a policy it is a pattern of the kind itself.
    pub kind_as_typed: bool,
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
}

impl ObjectSelector {
    /// Whether every field of the selector accepts the object's.
    #[must_use]
    pub fn covers(&self, object: &ObjectRef) -> bool {
        accepts(&self.group, object.group())
            && accepts(&self.version, object.version())
            && self.accepts_kind(&object.kind)
            && accepts(&self.name, &object.name)
            && accepts(&self.namespace, &object.namespace)
    }

    fn accepts_kind(&self, kind: &str) -> bool {
        if !self.kind_as_typed {
            return accepts(&self.kind, kind);
        }
        let (typed, kind) = (self.kind.to_lowercase(), kind.to_lowercase());
        typed == kind || typed == plural(&kind)
    }
}

fn accepts(pattern: &str, value: &str) -> bool {
    let one = |pattern: &str| match pattern {
        "" => false,
        "-" => value.is_empty(),
        _ => wildcard::matches(pattern, value),
    };
    pattern.trim().is_empty() || pattern.split(',').any(|alternative| one(alternative.trim()))
}

/// How the object is compared with what was signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matching {
    /// Typed trees; only what the API server itself does is not a difference.
    #[default]
    Strict,
    /// As k8s-manifest-sigstore and Kyverno accept it, with a warning for what only this accepted.
    Compat(DefaultFields),
}

/// Which fields the peers ignore before a policy says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefaultFields {
    /// The signature annotations only, as `kubectl sigstore verify` does.
    Signature,
    /// And the list of k8s-manifest-sigstore, as its `verify-resource` does.
    Library,
    /// And the list of Kyverno on top, as Kyverno does.
    Kyverno,
}

/// Namespaces an object may be in when its manifest was signed without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NamespaceAllowance {
    /// None: attack: a signed manifest moved to a namespace its signer never thought of.
    #[default]
    None,
    /// Any.
    Any,
    /// These.
    Named(Vec<String>),
}

impl NamespaceAllowance {
    /// Whether an object signed without a namespace may be in this one.
    #[must_use]
    pub fn allows(&self, namespace: &str) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::Named(names) => names.iter().any(|name| name == namespace),
        }
    }
}

/// Learn defaults by a server-side dry run of the signed manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DryRun {
    /// In this namespace; `None` = the object's own.
    pub namespace: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_selector_reads_each_field_as_kyverno_documents_it() {
        let web = ObjectRef {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: "prod".into(),
            name: "web-1".into(),
        };
        let all = ObjectSelector::default();
        let cases = [
            (ObjectSelector { kind: "Deployment".into(), ..all.clone() }, true),
            (ObjectSelector { kind: "deployment".into(), ..all.clone() }, false),
            (ObjectSelector { kind: "deployment".into(), kind_as_typed: true, ..all.clone() }, true),
            (ObjectSelector { kind: "Deployments".into(), kind_as_typed: true, ..all.clone() }, true),
            (ObjectSelector { kind: "deploy".into(), kind_as_typed: true, ..all.clone() }, false),
            (ObjectSelector { kind: "Pod, Deployment".into(), ..all.clone() }, true),
            (ObjectSelector { name: "web-*".into(), ..all.clone() }, true),
            (ObjectSelector { name: "web".into(), ..all.clone() }, false),
            (ObjectSelector { namespace: "-".into(), ..all.clone() }, false),
            (ObjectSelector { group: "-".into(), ..all.clone() }, false),
            (ObjectSelector { group: "*".into(), version: "v1".into(), ..all.clone() }, true),
            (ObjectSelector { kind: "Pod,".into(), ..all.clone() }, false),
            (all, true),
        ];
        for (selector, expected) in cases {
            assert_eq!(selector.covers(&web), expected, "{selector:?}");
        }
    }

    #[test]
    fn no_namespace_is_allowed_unless_named() {
        assert!(!NamespaceAllowance::default().allows("prod"));
        assert!(NamespaceAllowance::Any.allows("prod"));
        assert!(NamespaceAllowance::Named(vec!["prod".into()]).allows("prod"));
        assert!(!NamespaceAllowance::Named(vec!["prod".into()]).allows("production"));
    }
}
