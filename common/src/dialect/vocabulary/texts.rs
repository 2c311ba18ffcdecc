//! Texts that nobody evaluates.

use std::collections::BTreeMap;

use crate::dialect::Problem;
use crate::dialect::reader::Node;
use crate::object::FieldPath;

/// A text without expressions: nobody would evaluate them, and they would match nothing.
pub(in crate::dialect) fn plain<'v>(node: &Node<'v, '_>) -> Option<&'v str> {
    let text = node.text("write a text or remove the field")?;
    if text.contains("{{") {
        node.error(Problem::ExpressionNotAllowed);
        return None;
    }
    Some(text)
}

pub(in crate::dialect) fn plain_map(node: &Node<'_, '_>) -> BTreeMap<String, String> {
    let map = node.string_map();
    for (key, _) in map.iter().filter(|(_, value)| value.contains("{{")) {
        let path: FieldPath = node.path.key(key);
        node.report.error(&path, Problem::ExpressionNotAllowed);
    }
    map
}
