//! Label selectors, with wildcards in keys and values.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use crate::policy::wildcard;

/// A label selector: every label and every expression must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    /// `matchLabels`: patterns of keys and values.
    pub labels: BTreeMap<String, String>,
    /// `matchExpressions`.
    pub expressions: Vec<LabelExpression>,
}

/// One of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelExpression {
    /// A pattern of keys.
    pub key: String,
    /// What is asked of them.
    pub operator: LabelOperator,
    /// Patterns of values; empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

/// What is asked of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    /// It is there with one of the values.
    In,
    /// It is not there with any of the values.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl LabelSelector {
    /// Whether labels satisfy the selector. An empty selector is satisfied by everything, as in
    /// Kubernetes.
    #[must_use]
    pub fn matches<K: Borrow<str> + Ord, V: Borrow<str>>(&self, labels: &BTreeMap<K, V>) -> bool {
        let held = |e: &LabelExpression| e.values.iter().any(|value| has(labels, &e.key, value));
        let expression = |e: &LabelExpression| match e.operator {
            LabelOperator::In => held(e),
            LabelOperator::NotIn => !held(e),
            LabelOperator::Exists => has(labels, &e.key, "*"),
            LabelOperator::DoesNotExist => !has(labels, &e.key, "*"),
        };
        self.labels.iter().all(|(key, value)| has(labels, key, value))
            && self.expressions.iter().all(expression)
    }
}

/// Whether some entry's key and value have the form of the patterns.
pub(super) fn has<K: Borrow<str> + Ord, V: Borrow<str>>(
    map: &BTreeMap<K, V>,
    key: &str,
    value: &str,
) -> bool {
    if !wildcard::is_pattern(key) {
        return map.get(key).is_some_and(|found| wildcard::matches(value, found.borrow()));
    }
    map.iter().any(|(k, v)| wildcard::matches(key, k.borrow()) && wildcard::matches(value, v.borrow()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_expressions_must_all_hold() {
        use LabelOperator::{DoesNotExist, Exists, In, NotIn};
        let labels = BTreeMap::from([("app", "web"), ("team.io/name", "blue")]);
        let expression = |key: &str, operator, values: &[&str]| LabelSelector {
            labels: BTreeMap::new(),
            expressions: vec![LabelExpression {
                key: key.to_owned(),
                operator,
                values: values.iter().map(ToString::to_string).collect(),
            }],
        };
        let label = |key: &str, value: &str| LabelSelector {
            labels: BTreeMap::from([(key.to_owned(), value.to_owned())]),
            expressions: vec![],
        };
        let cases = [
            (LabelSelector::default(), true),
            (label("app", "web"), true),
            (label("app", "w?b"), true),
            (label("app", "db"), false),
            (label("team.io/*", "*"), true),
            (label("absent", "*"), false),
            (expression("app", In, &["db", "web"]), true),
            (expression("app", In, &[]), false),
            (expression("app", NotIn, &["db"]), true),
            (expression("absent", NotIn, &["db"]), true),
            (expression("app", NotIn, &["w*"]), false),
            (expression("app", Exists, &[]), true),
            (expression("absent", Exists, &[]), false),
            (expression("absent", DoesNotExist, &[]), true),
            (expression("team.io/*", DoesNotExist, &[]), false),
        ];
        for (selector, expected) in cases {
            assert_eq!(selector.matches(&labels), expected, "{selector:?}");
        }
    }
}
