//! Texts that nobody evaluates.

use std::collections::BTreeMap;

use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
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

/// The same of a field that may be there.
pub(in crate::dialect) fn plain_field(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<String> {
    fields.get(name).and_then(|node| plain(&node).map(str::to_owned))
}

/// The same of every text of a list.
pub(in crate::dialect) fn plain_list(fields: &mut Fields<'_, '_>, name: &'static str) -> Vec<String> {
    fields.list(name).iter().filter_map(|node| plain(node).map(str::to_owned)).collect()
}

/// Names of objects as Kubernetes has them (RFC 1123): lower-case letters, digits, `-` and `.`.
pub(in crate::dialect) fn is_object_name(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(word) && text.ends_with(word) && text.chars().all(|c| word(c) || ".-".contains(c))
}

/// The name of a Secret, with its namespace in front where it has one.
pub(in crate::dialect) fn secret_name(node: &Node<'_, '_>) -> Option<String> {
    let text = plain(node)?;
    let named = match text.split_once('/') {
        Some((namespace, name)) => is_object_name(namespace) && is_object_name(name),
        None => is_object_name(text),
    };
    if !named {
        let what = "the name of a Secret (or NAMESPACE/NAME)";
        node.error(Problem::Name { found: text.to_owned(), what });
        return None;
    }
    Some(text.to_owned())
}

/// The name of an object; `what` says of which.
pub(in crate::dialect) fn object_name(node: &Node<'_, '_>, what: &'static str) -> Option<String> {
    let text = plain(node)?;
    if !is_object_name(text) {
        node.error(Problem::Name { found: text.to_owned(), what });
        return None;
    }
    Some(text.to_owned())
}

pub(in crate::dialect) fn plain_map(node: &Node<'_, '_>) -> BTreeMap<String, String> {
    let map = node.string_map();
    for (key, _) in map.iter().filter(|(_, value)| value.contains("{{")) {
        let path: FieldPath = node.path.key(key);
        node.report.error(&path, Problem::ExpressionNotAllowed);
    }
    map
}
