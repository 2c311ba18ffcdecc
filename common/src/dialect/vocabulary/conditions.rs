//! `preconditions`, `conditions` and `context` (`spec/kyverno.md` 1.3).

use serde_json::Value;

use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node, nearest};
use crate::policy::condition::{ContextSource, Operator};
use crate::policy::expression::Expression;
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
    Template::parse(node.value).map_err(|error| node.error(Problem::Expression(error))).ok()
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

/// What cannot be read here is a fault only for what needs it, and a warning now.
fn variable(node: &Node<'_, '_>) -> ContextSource {
    let read = |fields: &mut Fields<'_, '_>| {
        let parse = |node: Option<Node<'_, '_>>| node.map(|node| Template::parse(node.value)).transpose();
        let (value, query, default) = (fields.get("value"), fields.string("jmesPath"), fields.get("default"));
        let query = query.map(|text| Expression::parse(&text)).transpose();
        let parsed = parse(value).and_then(|value| Ok((value, query?, parse(default)?)));
        match parsed {
            Ok((None, None, None)) => {
                fields.error(Problem::Empty("write value or jmesPath"));
                ContextSource::Variable { value: None, query: None, default: None }
            }
            Ok((value, query, default)) => ContextSource::Variable { value, query, default },
            Err(error) => {
                fields
                    .report
                    .warn(&fields.path, format!("{error}; whatever uses this variable cannot be decided"));
                ContextSource::Unreadable(error)
            }
        }
    };
    node.map(read).unwrap_or(ContextSource::Variable { value: None, query: None, default: None })
}
