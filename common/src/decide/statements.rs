//! Whether what attestations say is as a rule demands.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::limits;
use crate::policy::Conditions;
use crate::policy::condition::{ConditionFault, ConditionResult, FailedCondition, Scope};
use crate::policy::images::DenyRule;
use crate::signature::Found;
use crate::verdict::{Check, Outcome, Reason, side};

/// Whether one statement keeps all conditions; `None` where there are none.
pub(super) fn conditions(found: &Found, conditions: &[Conditions], now: Timestamp) -> Option<Check> {
    let statement = found.claim.as_ref().ok()?.statement()?;
    if conditions.is_empty() {
        return None;
    }
    let scope = Scope::of_document(&statement.predicate, now);
    let mut failed = None;
    for part in conditions {
        match part.evaluate(&scope) {
            ConditionResult::True => {}
            ConditionResult::False(conditions) => {
                failed = failed.or(Some((Outcome::Fail, not_kept(&conditions))));
            }
            ConditionResult::Fault(why) => {
                return Some(Check::leaf(found.place.clone(), Outcome::Fault, undecided(&why)));
            }
        }
    }
    let (outcome, reason) = failed.unwrap_or((Outcome::Pass, Reason::ConditionsHold));
    Some(Check::leaf(found.place.clone(), outcome, reason))
}

/// Whether the conditions hold under which an image is refused. `named` are the predicates of each named
/// attestation; where several stand for one name, every combination is tried, and one that is refused is
/// enough.
pub(super) fn denied(deny: &DenyRule, named: &[(&str, Vec<Arc<Value>>)], now: Timestamp) -> Check {
    let combinations = named.iter().map(|(_, predicates)| predicates.len().max(1));
    let count = combinations.fold(1, usize::saturating_mul);
    if count > limits::ATTESTATION_COMBINATIONS {
        let what = format!(
            "{count} combinations of attestations; more than {} are not tried",
            limits::ATTESTATION_COMBINATIONS
        );
        return Check::leaf("validate.deny", Outcome::Fault, Reason::TooMuchEvidence { what });
    }
    for combination in 0..count {
        let scope = Scope::of_document(&Value::Object(choice(named, combination)), now);
        match deny.conditions.evaluate(&scope) {
            ConditionResult::False(_) => {}
            ConditionResult::True => {
                let message = deny.message.clone();
                let (what, expected, found) = ("validate.deny", "not to hold", "holds");
                let reason = Reason::ConditionFailed {
                    what: what.to_owned(),
                    expected: expected.to_owned(),
                    found: found.to_owned(),
                    message,
                };
                return Check::leaf("validate.deny", Outcome::Fail, reason);
            }
            ConditionResult::Fault(why) => {
                return Check::leaf("validate.deny", Outcome::Fault, undecided(&why));
            }
        }
    }
    Check::leaf("validate.deny", Outcome::Pass, Reason::ConditionsHold)
}

/// One predicate for every name: `combination` counts through them all.
fn choice(named: &[(&str, Vec<Arc<Value>>)], mut combination: usize) -> Map<String, Value> {
    let mut chosen = Map::new();
    for (name, predicates) in named {
        if predicates.is_empty() {
            continue;
        }
        chosen.insert((*name).to_owned(), (*predicates[combination % predicates.len()]).clone());
        combination /= predicates.len();
    }
    chosen
}

fn not_kept(failed: &[FailedCondition]) -> Reason {
    let Some(first) = failed.first() else { return Reason::NothingChecked };
    let expected = format!("{} {}", first.operator, side(Some(&first.expected)));
    Reason::ConditionFailed {
        what: first.path.to_string(),
        expected,
        found: side(Some(&first.found)),
        message: first.message.clone(),
    }
}

fn undecided(fault: &ConditionFault) -> Reason {
    Reason::VariableUnresolved { variable: fault.path.to_string(), problem: fault.why.to_string() }
}
