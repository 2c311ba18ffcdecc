//! `metadata`: what a document is called.

use crate::dialect::reader::{Fields, Node};
use crate::policy::PolicyId;

/// The name and namespace, still without a kind. Annotations are left to the dialect.
pub(in crate::dialect) fn id(fields: &mut Fields<'_, '_>) -> Option<PolicyId> {
    // What else an object's metadata may hold (apimachinery's ObjectMeta).
    fields.skip(&["generateName", "labels", "uid", "resourceVersion", "generation", "creationTimestamp"]);
    fields.skip(&["deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers"]);
    fields.skip(&["managedFields", "selfLink"]);
    let namespace = fields.string("namespace").unwrap_or_default();
    let name = fields.required("name", "a policy needs a name")?.text("a policy needs a name")?.to_owned();
    Some(PolicyId { kind: String::new(), namespace, name })
}

/// The namespace of a namespaced policy; a policy of the cluster has none.
pub(in crate::dialect) fn namespace(node: &Node<'_, '_>, id: PolicyId, namespaced: bool) -> PolicyId {
    let namespace = match (namespaced, id.namespace.as_str()) {
        (false, _) => String::new(),
        (true, "") => {
            node.warn("no namespace: taken for `default`; a namespaced policy sees only its own namespace");
            "default".to_owned()
        }
        (true, _) => id.namespace.clone(),
    };
    PolicyId { namespace, ..id }
}
