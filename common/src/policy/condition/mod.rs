//! Conditions over a request.

mod compare;
mod fault;
mod scope;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

pub use fault::VariableFault;
pub(super) use scope::OF_REQUEST;
pub use scope::{ContextEntry, ContextSource, Scope};

use super::expression::Expression;
use super::template::{Template, show};
use crate::object::FieldPath;

/// Values of variables that come from outside (an API call, a `ConfigMap`, a values file), by the dotted
/// path that an expression uses: `request.object.metadata.name`, `settings.data.mode`.
pub type Values = BTreeMap<String, Value>;

/// The values that the rules of an evaluation see.
#[derive(Clone, Debug, Default)]
pub struct RuleValues {
    /// Those of every rule that has none of its own.
    pub of_all: Values,
    /// All that the rule of a name sees, and the rules that are generated from it.
    pub of_rule: BTreeMap<String, Values>,
}

impl RuleValues {
    /// The values that a rule sees.
    #[must_use]
    pub fn of(&self, rule: &str) -> &Values {
        let written = || rule.strip_prefix("autogen-cronjob-").or_else(|| rule.strip_prefix("autogen-"));
        let own = self.of_rule.get(rule).or_else(|| self.of_rule.get(written()?));
        own.unwrap_or(&self.of_all)
    }
}

impl From<Values> for RuleValues {
    fn from(of_all: Values) -> Self {
        Self { of_all, of_rule: BTreeMap::new() }
    }
}

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
    /// They do not, because of these.
    False(Vec<FailedCondition>),
    /// Nobody can say. Never taken for either answer.
    Fault(ConditionFault),
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedCondition {
    /// Where in the policy.
    pub path: FieldPath,
    /// How it compares.
    pub operator: Operator,
    /// The value it compares with.
    pub expected: Value,
    /// What was found.
    pub found: Value,
    /// What its author says about it.
    pub message: Option<String>,
}

/// Why nobody can say whether a condition holds.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct ConditionFault {
    /// Where in the policy.
    pub path: FieldPath,
    /// Why.
    pub why: ConditionFaultReason,
}

/// Why nobody can say whether a condition holds.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionFaultReason {
    /// A variable has no value.
    #[error(transparent)]
    Variable(#[from] VariableFault),
    /// Two values have no order, or a map is asked whether it is in a set.
    #[error("`{}` and `{}` cannot be compared", show(.found), show(.expected))]
    Incomparable {
        /// What was found.
        found: Value,
        /// What it is compared with.
        expected: Value,
    },
}

impl ConditionFaultReason {
    /// Whether the document that is judged is to blame, and not what surrounds it.
    #[must_use]
    pub fn is_of_document(&self) -> bool {
        match self {
            Self::Variable(fault) => fault.is_of_document(),
            Self::Incomparable { .. } => true,
        }
    }
}

impl Conditions {
    /// Whether the conditions hold: every one of `all`, and at least one of `any` where `any` is given.
    /// A condition that certainly decides wins over one that nobody can answer.
    #[must_use]
    pub fn evaluate(&self, scope: &Scope) -> ConditionResult {
        self.join(|condition| condition.evaluate(scope))
    }

    /// The same, where conditions that the document itself gives no answer to count as if they held, or did not:
    /// whatever is against the document.
    #[must_use]
    pub fn evaluate_unanswered(&self, scope: &Scope, holds: bool) -> ConditionResult {
        self.join(|condition| match condition.evaluate(scope) {
            ConditionResult::Fault(fault) if fault.why.is_of_document() && holds => ConditionResult::True,
            ConditionResult::Fault(fault) if fault.why.is_of_document() => ConditionResult::False(vec![]),
            result @ (ConditionResult::True | ConditionResult::False(_) | ConditionResult::Fault(_)) => {
                result
            }
        })
    }

    /// The first condition that the document itself gives no answer to.
    #[must_use]
    pub fn unanswered(&self, scope: &Scope) -> Option<(&Condition, ConditionFaultReason)> {
        self.iter().find_map(|condition| match condition.evaluate(scope) {
            ConditionResult::Fault(fault) if fault.why.is_of_document() => Some((condition, fault.why)),
            ConditionResult::True | ConditionResult::False(_) | ConditionResult::Fault(_) => None,
        })
    }

    fn join(&self, evaluate: impl Fn(&Condition) -> ConditionResult) -> ConditionResult {
        let all = self.all.iter().map(&evaluate);
        let all = join(all, |result| matches!(result, ConditionResult::False(_)), ConditionResult::True);
        if self.any.is_empty() || matches!(all, ConditionResult::False(_)) {
            return all;
        }
        let any = self.any.iter().map(&evaluate);
        let any = join(any, |result| *result == ConditionResult::True, ConditionResult::False(vec![]));
        match (all, any) {
            (_, ConditionResult::False(failed)) => ConditionResult::False(failed),
            (ConditionResult::True, any) => any,
            (all, _) => all,
        }
    }

    /// Every condition, for linting.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.any.iter().chain(&self.all)
    }
}

/// Folds results: the first one that decides; else the first fault; else `neutral` with every failure.
fn join(
    results: impl Iterator<Item = ConditionResult>,
    decides: impl Fn(&ConditionResult) -> bool,
    neutral: ConditionResult,
) -> ConditionResult {
    let (mut fault, mut failures) = (None, Vec::new());
    for result in results {
        if decides(&result) {
            return result;
        }
        match result {
            ConditionResult::True => {}
            ConditionResult::False(failed) => failures.extend(failed),
            ConditionResult::Fault(why) => {
                fault.get_or_insert(why);
            }
        }
    }
    match (fault, neutral) {
        (Some(why), _) => ConditionResult::Fault(why),
        (None, ConditionResult::False(_)) => ConditionResult::False(failures),
        (None, neutral) => neutral,
    }
}

impl Condition {
    /// What its expressions begin with: the names that they look up, each maybe several times.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let templates = [&self.key, &self.value].into_iter();
        let expressions = templates.flat_map(|template| template.expressions());
        expressions.flat_map(Expression::variables).filter_map(|path| path.first().map(String::as_str))
    }

    /// Whether the condition holds.
    #[must_use]
    pub fn evaluate(&self, scope: &Scope) -> ConditionResult {
        match self.holds(scope) {
            Ok(None) => ConditionResult::True,
            Ok(Some(failed)) => ConditionResult::False(vec![failed]),
            Err(why) => ConditionResult::Fault(ConditionFault { path: self.path.clone(), why }),
        }
    }

    fn holds(&self, scope: &Scope) -> Result<Option<FailedCondition>, ConditionFaultReason> {
        let found = scope.render(&self.key)?;
        let expected = scope.render(&self.value)?;
        if self.operator.compare(&found, &expected)? {
            return Ok(None);
        }
        let message = self.message.as_deref().map(|message| scope.text(message));
        Ok(Some(FailedCondition {
            path: self.path.clone(),
            operator: self.operator,
            expected,
            found,
            message,
        }))
    }
}

impl Operator {
    /// Every operator by its names; the deprecated ones mean what follows them (`spec/kyverno.md` 1.3).
    pub const NAMES: [(&'static str, Self); 18] = [
        ("Equals", Self::Equals),
        ("Equal", Self::Equals),
        ("NotEquals", Self::NotEquals),
        ("NotEqual", Self::NotEquals),
        ("AnyIn", Self::AnyIn),
        ("AllIn", Self::AllIn),
        ("In", Self::AllIn),
        ("AnyNotIn", Self::AnyNotIn),
        ("NotIn", Self::AnyNotIn),
        ("AllNotIn", Self::AllNotIn),
        ("GreaterThan", Self::GreaterThan),
        ("GreaterThanOrEquals", Self::GreaterThanOrEquals),
        ("LessThan", Self::LessThan),
        ("LessThanOrEquals", Self::LessThanOrEquals),
        ("DurationGreaterThan", Self::GreaterThan),
        ("DurationGreaterThanOrEquals", Self::GreaterThanOrEquals),
        ("DurationLessThan", Self::LessThan),
        ("DurationLessThanOrEquals", Self::LessThanOrEquals),
    ];

    /// Reads an operator; letters may be large or small.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, operator)| *operator)
    }

    fn compare(self, found: &Value, expected: &Value) -> Result<bool, ConditionFaultReason> {
        let incomparable =
            || ConditionFaultReason::Incomparable { found: found.clone(), expected: expected.clone() };
        let elements = || elements(found).ok_or_else(incomparable);
        let is_in = |value: &&Value| compare::contains(expected, value);
        Ok(match self {
            Self::Equals => compare::equal(found, expected),
            Self::NotEquals => !compare::equal(found, expected),
            Self::AnyIn => elements()?.iter().any(is_in),
            Self::AllIn => elements()?.iter().all(is_in),
            Self::AnyNotIn => !elements()?.iter().all(is_in),
            Self::AllNotIn => !elements()?.iter().any(is_in),
            // Something absent is neither greater nor less, and that is an answer.
            Self::GreaterThan | Self::GreaterThanOrEquals | Self::LessThan | Self::LessThanOrEquals
                if is_absent(found) =>
            {
                false
            }
            Self::GreaterThan => order(found, expected).ok_or_else(incomparable)?.is_gt(),
            Self::GreaterThanOrEquals => order(found, expected).ok_or_else(incomparable)?.is_ge(),
            Self::LessThan => order(found, expected).ok_or_else(incomparable)?.is_lt(),
            Self::LessThanOrEquals => order(found, expected).ok_or_else(incomparable)?.is_le(),
        })
    }
}

impl std::fmt::Display for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

fn order(found: &Value, expected: &Value) -> Option<Ordering> {
    compare::compare(found, expected)
}

fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// The elements of a list, or the one value; a map has none that could be in a set.
fn elements(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(list) => Some(list.iter().collect()),
        Value::Object(_) => None,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(vec![value]),
    }
}

#[cfg(test)]
mod tests;
