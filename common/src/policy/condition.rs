//! Conditions over a request.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expression::Template;
use crate::object::FieldPath;

/// Values of variables that come from outside (an API call, a `ConfigMap`, a values file), by the dotted
/// path that an expression uses: `request.object.metadata.name`, `settings.data.mode`.
pub type Values = BTreeMap<String, Value>;

/// Conditions: all of `all`, and one of `any` where there are any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// One of these; empty = not asked for.
    pub any: Vec<Condition>,
    /// All of these.
    pub all: Vec<Condition>,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Where in the policy.
    pub path: FieldPath,
    /// What is looked at.
    pub key: Template,
    /// How.
    pub operator: Operator,
    /// What it is compared with.
    pub value: Template,
    /// What its author says about it.
    pub message: Option<String>,
}

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// Equal; texts may be wildcard patterns, quantities or durations.
    Equals,
    /// Not equal.
    NotEquals,
    /// Some element of the key is in the value.
    AnyIn,
    /// Every element of the key is in the value.
    AllIn,
    /// Some element of the key is not in the value.
    AnyNotIn,
    /// No element of the key is in the value.
    AllNotIn,
    /// Greater.
    GreaterThan,
    /// Greater or equal.
    GreaterThanOrEquals,
    /// Less.
    LessThan,
    /// Less or equal.
    LessThanOrEquals,
}

/// What became of conditions.
#[derive(Clone, Debug, PartialEq)]
pub enum ConditionResult {
    /// They hold.
    True,
    /// They do not.
    False,
}

/// A named value that expressions of a rule may use.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextEntry {
    /// Its name.
    pub name: String,
    /// Where in the policy.
    pub path: FieldPath,
}
