//! Whether what attestations say is as a rule demands.
//!
//! A statement that was read and lacks what a condition asks for is a failure, like one with the wrong value: asking again
//! gives the same answer (ADR 0004). A fault has its cause outside of the statement.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::limits;
use crate::object::FieldPath;
use crate::policy::Conditions;
use crate::policy::condition::{
    Condition, ConditionFault, ConditionFaultReason, ConditionResult, FailedCondition, Scope,
};
use crate::policy::images::DenyRule;
use crate::signature::Found;
use crate::verdict::{Check, Outcome, Reason, side};

/// Whether one statement keeps all conditions; `None` where there are none. `beside` is what conditions see beside
/// the statement, where there is a request.
pub(super) fn conditions(
    found: &Found,
    conditions: &[Conditions],
    beside: Option<&Scope>,
    now: Timestamp,
) -> Option<Check> {
    let statement = found.claim.as_ref().ok()?.statement()?;
    if conditions.is_empty() {
        return None;
    }
    let scope = Scope::of_statement(&statement.predicate, beside, now);
    let (mut failed, mut fault) = (None, None);
    for part in conditions {
        match part.evaluate_unanswered(&scope, false) {
            ConditionResult::True => {}
            ConditionResult::False(_) => failed.get_or_insert_with(Vec::new).extend(not_kept(part, &scope)),
            ConditionResult::Fault(why) => fault = fault.or(Some(undecided(&why))),
        }
    }
    // A certain failure wins over a fault.
    Some(match (failed, fault) {
        (Some(each), _) => refusal(&found.place, each),
        (None, Some(reason)) => Check::leaf(found.place.clone(), Outcome::Fault, reason),
        (None, None) => Check::leaf(found.place.clone(), Outcome::Pass, Reason::ConditionsHold),
    })
}

/// The check of a statement that does not keep to the conditions, with a part for each where there are several.
fn refusal(place: &str, mut each: Vec<(&FieldPath, Reason)>) -> Check {
    if each.len() < 2 {
        let reason = each.pop().map_or(Reason::NothingChecked, |(_, reason)| reason);
        return Check::leaf(place.to_owned(), Outcome::Fail, reason);
    }
    let part = |(path, reason): (&FieldPath, _)| Check::leaf(path.to_string(), Outcome::Fail, reason);
    Check::all(place.to_owned(), each.into_iter().map(part).collect())
}

/// Why the conditions do not hold, each with the path of its condition: every one of `all` that does not, and `any` as
/// one, because any of its conditions would do.
fn not_kept<'p>(part: &'p Conditions, scope: &Scope) -> Vec<(&'p FieldPath, Reason)> {
    let broken = |condition: &'p Condition| Some((&condition.path, broken(condition, scope)?));
    let mut each: Vec<_> = part.all.iter().filter_map(broken).collect();
    let any: Vec<_> = part.any.iter().filter_map(broken).collect();
    if any.len() == part.any.len() {
        each.extend(alternatives(any));
    }
    each
}

/// Why one condition does not hold; `None` where it does, or where a fault keeps that from being decided.
fn broken(condition: &Condition, scope: &Scope) -> Option<Reason> {
    match condition.evaluate(scope) {
        ConditionResult::False(failed) => failed.first().map(failed_condition),
        ConditionResult::Fault(fault) if fault.why.is_of_document() => {
            Some(unanswered(condition, &fault.why, scope, ""))
        }
        ConditionResult::True | ConditionResult::Fault(_) => None,
    }
}

/// One failure for several conditions of which any would do.
fn alternatives(any: Vec<(&FieldPath, Reason)>) -> Option<(&FieldPath, Reason)> {
    let mut all = any.into_iter();
    let (path, mut first) = all.next()?;
    for (_, other) in all {
        if let (
            Reason::ConditionFailed { what, expected, found, .. },
            Reason::ConditionFailed { expected: other, found: beside, .. },
        ) = (&mut first, other)
        {
            let mut whole = path.clone();
            whole.pop();
            *what = whole.to_string();
            expected.push_str(&format!(", or {other}"));
            if *found != beside {
                found.push_str(&format!(", {beside}"));
            }
        }
    }
    Some((path, first))
}

/// Whether the conditions hold under which an image is refused. `named` are the predicates of each named
/// attestation; where several stand for one name, every combination is tried, and one that is refused is
/// enough.
pub(super) fn denied(
    deny: &DenyRule,
    named: &[(&str, Vec<Arc<Value>>)],
    beside: Option<&Scope>,
    now: Timestamp,
) -> Check {
    let combinations = named.iter().map(|(_, predicates)| predicates.len().max(1));
    let count = combinations.fold(1, usize::saturating_mul);
    if count > limits::ATTESTATION_COMBINATIONS {
        let what = format!(
            "{count} combinations of attestations; more than {} are not tried",
            limits::ATTESTATION_COMBINATIONS
        );
        return Check::leaf("validate.deny", Outcome::Fault, Reason::TooMuchEvidence { what });
    }
    // That there is none is what the attestation's own check says, or the fault of the registry that did not answer.
    let absent = || named.iter().filter(|(_, predicates)| predicates.is_empty()).map(|(name, _)| *name);
    let mut fault = None;
    for combination in 0..count {
        let scope = Scope::of_statements(&choice(named, combination), absent(), beside, now);
        match refused(deny, &scope) {
            Ok(None) => {}
            Ok(Some(reason)) => return Check::leaf("validate.deny", Outcome::Fail, reason),
            Err(reason) => fault = fault.or(Some((Outcome::Fault, reason))),
        }
    }
    let (outcome, reason) = fault.unwrap_or((Outcome::Pass, Reason::ConditionsHold));
    Check::leaf("validate.deny", outcome, reason)
}

/// Why the statements are refused; an error where a fault keeps that from being decided.
fn refused(deny: &DenyRule, scope: &Scope) -> Result<Option<Reason>, Reason> {
    match deny.conditions.evaluate_unanswered(scope, true) {
        ConditionResult::False(_) => Ok(None),
        ConditionResult::True => {
            let reason = match deny.conditions.unanswered(scope) {
                Some((condition, why)) if deny.conditions.evaluate(scope) != ConditionResult::True => {
                    unanswered(condition, &why, scope, "not ")
                }
                Some(_) | None => Reason::ConditionFailed {
                    what: "validate.deny".to_owned(),
                    expected: "not to hold".to_owned(),
                    found: "holds".to_owned(),
                    message: None,
                },
            };
            Ok(Some(with_message(reason, deny.message.as_deref().map(|message| scope.text(message)))))
        }
        ConditionResult::Fault(why) => Err(undecided(&why)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only a condition has a message")]
fn with_message(reason: Reason, of_rule: Option<String>) -> Reason {
    match reason {
        Reason::ConditionFailed { what, expected, found, message } => {
            Reason::ConditionFailed { what, expected, found, message: of_rule.or(message) }
        }
        other => other,
    }
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

fn failed_condition(failed: &FailedCondition) -> Reason {
    Reason::ConditionFailed {
        what: failed.path.to_string(),
        expected: format!("{} {}", failed.operator, side(Some(&failed.expected))),
        found: side(Some(&failed.found)),
        message: failed.message.clone(),
    }
}

/// A condition that the statement gives no answer to.
fn unanswered(condition: &Condition, why: &ConditionFaultReason, scope: &Scope, negation: &str) -> Reason {
    let value =
        scope.render(&condition.value).map_or_else(|_| "its value".to_owned(), |value| side(Some(&value)));
    Reason::ConditionFailed {
        what: condition.path.to_string(),
        expected: format!("{negation}{} {value}", condition.operator),
        found: why.to_string(),
        message: condition.message.as_deref().map(|message| scope.text(message)),
    }
}

fn undecided(fault: &ConditionFault) -> Reason {
    Reason::VariableUnresolved { variable: fault.path.to_string(), problem: fault.why.to_string() }
}
