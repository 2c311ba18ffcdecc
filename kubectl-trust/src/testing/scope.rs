//! Which namespace an object of a file is in.

use common::dialect;
use common::object::ObjectRef;

/// The namespace of objects that name none: the one `kubectl apply` would choose.
const DEFAULT_NAMESPACE: &str = "default";

/// Kinds that live in no namespace, by their group: anybody can define a kind `Node` in another one.
const CLUSTER_SCOPED: [(&str, &[&str]); 11] = [
    ("", &["Namespace", "Node", "PersistentVolume"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("storage.k8s.io", &["StorageClass", "VolumeAttachment", "CSIDriver", "CSINode"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("networking.k8s.io", &["IngressClass"]),
    ("apiregistration.k8s.io", &["APIService"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        ],
    ),
    ("certificates.k8s.io", &["CertificateSigningRequest"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
];

/// The namespace of an object; empty for kinds that are known to live in none. A custom resource without
/// a namespace is taken for one that would be applied to the default one.
pub(crate) fn namespace_of(object: &ObjectRef) -> &str {
    match object.namespace.as_str() {
        "" if is_cluster_scoped(object) => "",
        "" => DEFAULT_NAMESPACE,
        namespace => namespace,
    }
}

fn is_cluster_scoped(object: &ObjectRef) -> bool {
    let kind = object.kind.as_str();
    CLUSTER_SCOPED.iter().any(|(group, kinds)| *group == object.group() && kinds.contains(&kind))
        || dialect::kind(object.group(), kind).is_some_and(|kind| !kind.namespaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_cluster_scoped_in_its_own_group_only() {
        for (api_version, kind, namespace, expected) in [
            ("v1", "Node", "", ""),
            ("v1", "Namespace", "", ""),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", "", ""),
            ("kyverno.io/v1", "ClusterPolicy", "", ""),
            ("x.example/v1", "Node", "", "default"),
            ("v1", "ClusterRole", "", "default"),
            ("v1", "ConfigMap", "", "default"),
            ("v1", "ConfigMap", "prod", "prod"),
        ] {
            let object = ObjectRef {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: namespace.to_owned(),
                name: "a".to_owned(),
            };
            assert_eq!(namespace_of(&object), expected, "{api_version} {kind}");
        }
    }
}
