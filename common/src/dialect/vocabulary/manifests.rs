//! `ignoreFields` of manifest rules (`spec/kyverno.md` 1.7).

use super::texts::plain;
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::policy::{IgnoreField, IgnorePath, Matching, ObjectSelector};

/// Fields of some objects that may differ from what was signed.
pub(in crate::dialect) fn ignore_field(node: &Node<'_, '_>, matching: Matching) -> Option<IgnoreField> {
    node.map(|fields| {
        let objects = fields.list("objects").iter().filter_map(object_selector).collect();
        let list = fields.required("fields", "list the fields that may differ")?;
        if list.value.as_array().is_some_and(Vec::is_empty) {
            list.error(Problem::Empty("list the fields that may differ"));
        }
        let fields = list.list().iter().filter_map(|node| ignored(node, matching)).collect();
        Some(IgnoreField { objects, fields, path: node.path.clone() })
    })
    .flatten()
}

/// One path. What only compat could make nothing of is a mistake where it is asked for.
fn ignored(node: &Node<'_, '_>, matching: Matching) -> Option<IgnorePath> {
    let read = IgnorePath::parse(plain(node)?).map_err(Problem::Ignore);
    let read = read.and_then(|path| match matching {
        Matching::Strict => Ok(path),
        Matching::Compat(_) => path.check_compat().map(|()| path).map_err(Problem::Pattern),
    });
    read.map_err(|problem| node.error(problem)).ok()
}

fn object_selector(node: &Node<'_, '_>) -> Option<ObjectSelector> {
    node.map(|fields: &mut Fields<'_, '_>| {
        // Empty is any.
        let mut text = |name| {
            let node = fields.get(name).filter(|node| node.value != "");
            node.and_then(|node| plain(&node).map(str::to_owned)).unwrap_or_default()
        };
        ObjectSelector {
            group: text("group"),
            version: text("version"),
            kind: text("kind"),
            kind_as_typed: false,
            name: text("name"),
            namespace: text("namespace"),
        }
    })
}
