//! `preconditions`, `conditions` and `context` (`spec/kyverno.md` 1.3).

use serde_json::Value;

use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node, nearest};
use crate::policy::condition::{ContextSource, Operator};
use crate::policy::expression::{Expression, ExpressionError};
use crate::policy::template::Template;
use crate::policy::{Condition, Conditions, ContextEntry};

/// `{any, all}` or a flat list, which means all.
pub(in crate::dialect) fn conditions(node: &Node<'_, '_>) -> Conditions {
    if node.value.is_array() {
        return Conditions { any: vec![], all: list(node) };
    }
    any_all(node)
}

/// `{any, all}`.
pub(in crate::dialect) fn any_all(node: &Node<'_, '_>) -> Conditions {
    let read = |fields: &mut Fields<'_, '_>| Conditions {
        any: fields.get("any").map(|node| list(&node)).unwrap_or_default(),
        all: fields.get("all").map(|node| list(&node)).unwrap_or_default(),
    };
    node.map(read).unwrap_or_default()
}

fn list(node: &Node<'_, '_>) -> Vec<Condition> {
    node.list().iter().filter_map(condition).collect()
}

fn condition(node: &Node<'_, '_>) -> Option<Condition> {
    node.map(|fields| {
        let key = fields.required("key", "write what is looked at").and_then(|node| template(&node));
        let operator =
            fields.required("operator", "write how it is compared").and_then(|node| operator(&node));
        let value = match fields.get("value") {
            Some(node) => template(&node),
            None => Some(Template::Literal(Value::Null)),
        };
        let message = fields.string("message");
        Some(Condition { path: node.path.clone(), key: key?, operator: operator?, value: value?, message })
    })
    .flatten()
}

fn operator(node: &Node<'_, '_>) -> Option<Operator> {
    let text = node.string()?;
    let found = Operator::parse(text);
    if found.is_none() {
        let known = || Operator::NAMES.iter().map(|(name, _)| *name);
        let suggestion = nearest(text, known());
        node.error(Problem::UnknownValue { found: text.to_owned(), known: known().collect(), suggestion });
    }
    found
}

fn template(node: &Node<'_, '_>) -> Option<Template> {
    let read = Template::parse(node.value);
    read.map_err(|error| at_fault(node).error(Problem::Expression(error))).ok()
}

/// The part of a value that holds the expression which cannot be read.
fn at_fault<'v, 'r>(node: &Node<'v, 'r>) -> Node<'v, 'r> {
    let broken = |part: &Node<'_, '_>| Template::parse(part.value).is_err();
    let child = |value, path| Node { value, path, report: node.report };
    let found = match node.value {
        Value::Array(list) => {
            let mut parts =
                list.iter().enumerate().map(|(index, value)| child(value, node.path.index(index)));
            parts.find(broken)
        }
        Value::Object(map) => {
            let mut parts = map.iter().map(|(key, value)| child(value, node.path.key(key)));
            parts.find(broken)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    found.map_or_else(|| node.clone(), |part| at_fault(&part))
}

/// A rule's named values.
pub(in crate::dialect) fn context(list: &[Node<'_, '_>]) -> Vec<ContextEntry> {
    let mut entries: Vec<ContextEntry> = Vec::new();
    for node in list {
        let Some(entry) = context_entry(node) else { continue };
        if entries.iter().any(|other| other.name == entry.name) {
            node.error(Problem::Duplicate(entry.name.clone()));
        }
        entries.push(entry);
    }
    entries
}

const SOURCES: [&str; 5] = ["configMap", "apiCall", "imageRegistry", "variable", "globalReference"];

fn context_entry(node: &Node<'_, '_>) -> Option<ContextEntry> {
    node.map(|fields| {
        let name =
            fields.required("name", "give the value a name").and_then(|node| node.text("write a name"));
        let found = fields.present(&SOURCES);
        let source = fields.get("variable").map(|node| variable(&node));
        for (source, known) in EXTERNAL {
            if let Some(node) = fields.get(source) {
                node.map(|fields| fields.skip(known));
            }
        }
        if found.len() != 1 {
            fields.error(Problem::NotExactlyOne { of: SOURCES.to_vec(), found });
            return None;
        }
        let external = || ContextSource::External { what: found.concat() };
        let source = source.unwrap_or_else(external);
        Some(ContextEntry { name: name?.to_owned(), path: node.path.clone(), source })
    })
    .flatten()
}

/// What must be read, and its fields; nothing reads them yet.
const EXTERNAL: [(&str, &[&str]); 4] = [
    ("configMap", &["name", "namespace"]),
    ("apiCall", &["urlPath", "service", "method", "data", "jmesPath", "default"]),
    ("imageRegistry", &["reference", "jmesPath", "imageRegistryCredentials"]),
    ("globalReference", &["name", "jmesPath"]),
];

/// What nobody could read is a mistake. What only we cannot is a fault for what needs it, and a warning now.
fn variable(node: &Node<'_, '_>) -> ContextSource {
    let read = |fields: &mut Fields<'_, '_>| {
        let [value, query, default] = ["value", "jmesPath", "default"].map(|name| fields.get(name));
        if value.is_none() && query.is_none() && default.is_none() {
            fields.error(Problem::Empty("write value or jmesPath"));
        }
        let template = |node: &Node<'_, '_>| told(node, Template::parse(node.value));
        let expression = |node: &Node<'_, '_>| match node.string() {
            Some(text) => {
                // Kyverno puts values into it before it reads it; that is none of ours, and must be well-formed.
                let read = Template::parse_text(text).and_then(|_| Expression::parse(text));
                told(node, read).map(Some)
            }
            None => Ok(None),
        };
        let value = value.as_ref().map(template).transpose();
        let query = query.as_ref().map(expression).transpose();
        let default = default.as_ref().map(template).transpose();
        match (value, query, default) {
            (Ok(value), Ok(query), Ok(default)) => {
                ContextSource::Variable { value, query: query.flatten(), default }
            }
            (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => ContextSource::Unreadable(error),
        }
    };
    node.map(read).unwrap_or(ContextSource::Variable { value: None, query: None, default: None })
}

fn told<T>(node: &Node<'_, '_>, read: Result<T, ExpressionError>) -> Result<T, ExpressionError> {
    if let Err(error) = &read {
        if error.is_mistake() {
            node.error(Problem::Expression(error.clone()));
        } else {
            node.warn(format!("{error}; whatever uses this variable cannot be decided"));
        }
    }
    read
}
