//! `ignoreFields` of manifest rules (`spec/kyverno.md` 1.7).

use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::policy::{IgnoreField, ObjectSelector};

/// Fields of some objects that may differ from what was signed.
pub(in crate::dialect) fn ignore_field(node: &Node<'_, '_>) -> Option<IgnoreField> {
    node.map(|fields| {
        let objects = fields.list("objects").iter().filter_map(object_selector).collect();
        let list = fields.required("fields", "list the fields that may differ")?;
        if list.value.as_array().is_some_and(Vec::is_empty) {
            list.error(Problem::Empty("list the fields that may differ"));
        }
        for pattern in list.list().iter().filter(|node| node.value == "*" || node.value == "**") {
            pattern.warn("every field may differ: any object passes that carries any valid signature");
        }
        Some(IgnoreField { objects, fields: list.strings(), path: node.path.clone() })
    })
    .flatten()
}

fn object_selector(node: &Node<'_, '_>) -> Option<ObjectSelector> {
    node.map(|fields: &mut Fields<'_, '_>| {
        let mut text = |name| fields.string(name).unwrap_or_default();
        ObjectSelector {
            group: text("group"),
            version: text("version"),
            kind: text("kind"),
            name: text("name"),
            namespace: text("namespace"),
        }
    })
}
