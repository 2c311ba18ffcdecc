//! The table compiled for look-up: one tree of path steps per kind.
//!
//! A comparison of equal objects never comes here; one look-up costs a walk of the path's length.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use serde_json::Value;

use super::site::{Level, Step};
use super::{Kind, Pods, Row, Rule, cluster, extension, pod, policy, workload};

/// A row and its constant, parsed once.
#[derive(Debug)]
pub(in crate::manifest) struct Compiled {
    pub(in crate::manifest) row: &'static Row,
    /// The value of a constant; `None` for every other rule.
    pub(in crate::manifest) value: Option<Value>,
}

/// The rows of one kind by path.
#[derive(Debug, Default)]
pub(in crate::manifest) struct Node {
    keys: BTreeMap<Box<str>, Node>,
    any: Option<Box<Node>>,
    item: Option<Box<Node>>,
    rows: Vec<Compiled>,
}

/// By kind, then for each group and version. Each kind is compiled when an object of it first differs: a
/// command that looks at one Deployment need not read the rows of all kinds.
type Kinds = BTreeMap<&'static str, Vec<(&'static Kind, OnceLock<Node>)>>;

static KINDS: LazyLock<Kinds> = LazyLock::new(|| {
    let mut kinds = Kinds::new();
    for kind in workload::KINDS.iter().chain(cluster::KINDS).chain(extension::KINDS).chain(policy::KINDS) {
        kinds.entry(kind.name).or_default().push((kind, OnceLock::new()));
    }
    kinds
});

/// The rows of a kind; `None` where nothing is known beyond the rules for every kind.
pub(in crate::manifest) fn of(group: &str, version: &str, kind: &str) -> Option<&'static Node> {
    let is = |of: &Kind| of.group == group && (of.version.is_empty() || of.version == version);
    KINDS.get(kind)?.iter().find(|(of, _)| is(of)).map(|(of, node)| node.get_or_init(|| compile(of)))
}

impl Node {
    /// Every row for the place that the levels below the root lead to.
    pub(in crate::manifest) fn rows<'t>(&'t self, levels: &[Level<'_>], rows: &mut Vec<&'t Compiled>) {
        self.visit(levels, &mut |node| rows.extend(&node.rows));
    }

    /// Whether rows speak about single elements of the list at this place.
    pub(in crate::manifest) fn has_items(&self, levels: &[Level<'_>]) -> bool {
        let mut has = false;
        self.visit(levels, &mut |node| has |= node.item.as_ref().is_some_and(|item| !item.rows.is_empty()));
        has
    }

    /// Whether the place lies in free-form JSON.
    pub(in crate::manifest) fn is_opaque(&self, levels: &[Level<'_>]) -> bool {
        (0..=levels.len()).any(|end| {
            let mut opaque = false;
            self.visit(levels.get(..end).unwrap_or_default(), &mut |node| {
                opaque |= node.rows.iter().any(|row| matches!(row.row.rule(), Rule::Opaque));
            });
            opaque
        })
    }

    /// Calls for each node that the path leads to. Recursion is bounded by the depth of the table.
    fn visit<'t>(&'t self, levels: &[Level<'_>], each: &mut impl FnMut(&'t Self)) {
        let Some((first, rest)) = levels.split_first() else { return each(self) };
        match first.step {
            Step::Key(key) => {
                if let Some(node) = self.keys.get(key) {
                    node.visit(rest, each);
                }
                if let Some(node) = &self.any {
                    node.visit(rest, each);
                }
            }
            Step::Index(_) => {
                if let Some(node) = &self.item {
                    node.visit(rest, each);
                }
            }
        }
    }

    fn insert(&mut self, path: &str, row: &'static Row) {
        for path in expand(path) {
            let mut node = &mut *self;
            for step in steps(&path) {
                node = match step.as_str() {
                    "[]" => node.item.get_or_insert_default(),
                    "*" => node.any.get_or_insert_default(),
                    key => node.keys.entry(key.into()).or_default(),
                };
            }
            node.rows.push(Compiled { row, value: constant(row.rule) });
        }
    }
}

fn compile(kind: &Kind) -> Node {
    let mut node = Node::default();
    let mut insert = |prefix: &str, rows: &'static [Row]| {
        for row in rows {
            match row.path.strip_prefix("C.") {
                Some(path) => node.insert(&format!("{prefix}{}{path}", pod::CONTAINERS), row),
                None => node.insert(&format!("{prefix}{}", row.path), row),
            }
        }
    };
    match kind.pods {
        Pods::None => {}
        Pods::Own => {
            insert("spec.", pod::SPEC);
            insert("spec.", pod::POD_ONLY);
        }
        Pods::Template(path) => {
            insert(&format!("{path}."), pod::TEMPLATE);
            insert(&format!("{path}.spec."), pod::SPEC);
        }
    }
    insert("", kind.rows);
    node
}

/// The value of a constant rule.
fn constant(rule: Rule) -> Option<Value> {
    match rule {
        Rule::Text(text) => Some(text.into()),
        Rule::Int(number) => Some(number.into()),
        Rule::Flag(flag) => Some(flag.into()),
        Rule::Null => Some(Value::Null),
        Rule::Empty => Some(Value::Object(serde_json::Map::new())),
        // A text that is no JSON would compile to no value, and so tolerate nothing; a test reads all.
        Rule::Json(text) | Rule::Set(text) => serde_json::from_str(text).ok(),
        Rule::Calc(_)
        | Rule::Alloc(_)
        | Rule::Ctl(_)
        | Rule::Zero
        | Rule::Map
        | Rule::Generic
        | Rule::Quantity
        | Rule::Rewritten
        | Rule::Opaque => None,
    }
}

/// Writes out `{a,b}`: one path for each choice.
fn expand(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let Some((choices, after)) = rest.split_once('}') else { return vec![path.to_owned()] };
    choices.split(',').flat_map(|choice| expand(&format!("{before}{choice}{after}"))).collect()
}

/// Splits `a[]."b.c".*` into `a`, `[]`, `b.c`, `*`.
fn steps(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    for (at, part) in path.split('"').enumerate() {
        if at % 2 == 1 {
            steps.push(part.to_owned());
            continue;
        }
        for name in part.split('.').filter(|name| !name.is_empty()) {
            let key = name.trim_end_matches("[]");
            steps.push(key.to_owned());
            steps.extend(
                name.get(key.len()..).unwrap_or_default().as_bytes().chunks(2).map(|_| "[]".to_owned()),
            );
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_table_are_read_as_they_look() {
        assert_eq!(steps(r#"metadata.annotations."a.b/c""#), ["metadata", "annotations", "a.b/c"]);
        assert_eq!(steps("spec.limits[].max.*"), ["spec", "limits", "[]", "max", "*"]);
        assert_eq!(expand("{a,b.c}[].{x,y}"), ["a[].x", "a[].y", "b.c[].x", "b.c[].y"]);
    }

    /// A typing error in a constant would silently turn an honest default into a difference.
    #[test]
    fn every_constant_is_json() {
        fn check(node: &Node) {
            for compiled in &node.rows {
                let constant = matches!(compiled.row.effect(), "const" | "empty")
                    || matches!(compiled.row.rule(), Rule::Set(_));
                assert_eq!(constant, compiled.value.is_some(), "{}", compiled.row.path());
            }
            node.keys.values().chain(node.any.as_deref()).chain(node.item.as_deref()).for_each(check);
        }
        KINDS.values().flatten().for_each(|(kind, _)| check(&compile(kind)));
        assert!(KINDS.len() > 30);
    }
}
