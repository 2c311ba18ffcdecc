//! Which rules of which policies apply to an object.
//!
//! Every rule of every policy gets a result; a rule that is skipped says why. Nothing is dropped, so
//! "no rule applied" can be told from "no rule looked".

use std::sync::Arc;

use jiff::Timestamp;

use crate::object::FieldPath;
use crate::policy::condition::{ConditionFault, ConditionResult, FailedCondition, Scope};
use crate::policy::selector::{FilterMismatch, LabelsUnknown, Looked, Operation, Selection};
use crate::policy::{
    Action, Body, Exception, ImagesRule, JudgeUpdates, Policy, PolicyId, ReviewFacts, Rule, RuleValues,
};
use crate::update::{StartsNothing, Update};

/// One rule of one policy, and what became of it.
#[derive(Clone, Debug)]
pub struct Selected<'p> {
    /// The policy.
    pub policy: &'p Policy,
    /// What decisions call it; one text for all its rules.
    pub called: Arc<str>,
    /// The rule.
    pub rule: &'p Rule,
    /// What became of it.
    pub outcome: Selectedness,
}

impl Selected<'_> {
    /// Whether the rule has to be evaluated, and changes images to their digests.
    pub(crate) fn applies_and_pins(&self) -> bool {
        let applies = matches!(self.outcome, Selectedness::Applies { .. });
        let pins = |rule: &ImagesRule| rule.entries.iter().any(|entry| entry.mutate_digest);
        applies && matches!(&self.rule.body, Body::Images(rule) if pins(rule))
    }
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Selectedness {
    /// It must be evaluated.
    Applies {
        /// Whether a failure blocks.
        action: Action,
    },
    /// It has nothing to say about this object.
    Skipped(SkipReason),
    /// Nobody can say whether it applies.
    Fault {
        /// Why.
        why: SelectFault,
        /// Whether a failure of the rule would block; Enforce where that is not known either.
        action: Action,
    },
    /// It applies, and is of a type that is not ours to judge.
    NotHandled {
        /// `validate.pattern`, `mutate`, …
        rule_type: String,
    },
}

/// Why a rule has nothing to say about an object.
#[derive(Clone, Debug, PartialEq)]
pub enum SkipReason {
    /// The policy judges admission requests only, and this is a background scan.
    BackgroundDisabled,
    /// The policy is for background scans only, and this is an admission request.
    AdmissionDisabled,
    /// The policy is for another namespace.
    OtherNamespace,
    /// It is not about such objects.
    NotMatched(Vec<FilterMismatch>),
    /// It excludes the object.
    Excluded {
        /// The filters that do.
        by: Vec<FieldPath>,
    },
    /// An object that goes away is not verified (`spec/kyverno.md` 2.7).
    Deletion,
    /// Nothing that it is about can run because of the update.
    StartsNothing(StartsNothing),
    /// A `CONNECT` carries no object to verify, and the rule does not ask for it.
    Connect,
    /// Its preconditions do not hold.
    Preconditions(Vec<FailedCondition>),
    /// Exceptions lift it for the object.
    Exceptions(Vec<PolicyId>),
    /// An earlier rule of the policy applied, and the policy wants one rule only (`applyRules: One`).
    EarlierRuleApplied {
        /// That rule.
        rule: String,
    },
}

/// Why nobody can say whether a rule applies.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SelectFault {
    /// It depends on labels of the namespace.
    #[error(transparent)]
    NamespaceLabels(#[from] LabelsUnknown),
    /// A precondition cannot be decided.
    #[error(transparent)]
    Precondition(#[from] ConditionFault),
    /// Whether an exception lifts the rule cannot be decided.
    #[error("exception {id}: {why}")]
    Exception {
        /// The exception.
        id: PolicyId,
        /// Why.
        why: Box<SelectFault>,
    },
}

/// What every rule is selected for.
struct Request<'a> {
    facts: &'a ReviewFacts<'a>,
    looked: Looked<'a>,
    exceptions: &'a [Exception],
    values: &'a RuleValues,
    background: bool,
    now: Timestamp,
    /// The update that the request is, if it is one.
    update: Option<Update<'a>>,
}

/// Selects the rules of all policies for one object. `background` tells a scan of stored objects from an
/// admission request (or a command that stands for one); `now` is the time that conditions see.
#[must_use]
pub fn select<'p>(
    facts: &ReviewFacts<'_>,
    policies: &'p [Policy],
    exceptions: &[Exception],
    values: &RuleValues,
    background: bool,
    now: Timestamp,
) -> Vec<Selected<'p>> {
    let (looked, update) = (Looked::at(facts), Update::of(facts));
    let request = Request { facts, looked, exceptions, values, background, now, update };
    let mut selected = Vec::with_capacity(policies.iter().map(|policy| policy.rules.len()).sum());
    for policy in policies {
        request.select_policy(policy, &mut selected);
    }
    selected
}

impl Request<'_> {
    fn select_policy<'p>(&self, policy: &'p Policy, selected: &mut Vec<Selected<'p>>) {
        let mut applied: Option<&Rule> = None;
        let called = policy.id.called();
        let mut select = |rule: &'p Rule| {
            let outcome = match applied {
                Some(earlier) if policy.apply_one => {
                    Selectedness::Skipped(SkipReason::EarlierRuleApplied { rule: earlier.name.to_string() })
                }
                Some(_) | None => self.select_rule(policy, rule),
            };
            // A fault is not known to have applied, and a rule we do not judge must not hide one we do.
            if matches!(outcome, Selectedness::Applies { .. }) {
                applied = applied.or(Some(rule));
            }
            Selected { policy, called: Arc::clone(&called), rule, outcome }
        };
        selected.extend(policy.rules.iter().map(&mut select));
    }

    fn select_rule(&self, policy: &Policy, rule: &Rule) -> Selectedness {
        let action = rule.action.resolve(self.facts);
        // A fault of the selection stops no update that starts nothing.
        let skipped = match self.skip_reason(policy, rule) {
            Ok(Some(why)) => Ok(Some(why)),
            undecided => match self.starts_nothing(rule) {
                Some(why) => Ok(Some(SkipReason::StartsNothing(why))),
                None => undecided,
            },
        };
        match skipped {
            Ok(Some(why)) => Selectedness::Skipped(why),
            undecided => match (&rule.body, undecided) {
                // Of such a rule the same is said whether it applies or that is not known.
                (Body::NotHandled { rule_type }, _) => {
                    Selectedness::NotHandled { rule_type: rule_type.clone() }
                }
                (Body::Manifest(_) | Body::Images(_), Err(why)) => {
                    Selectedness::Fault { why, action: action.unwrap_or(Action::Enforce) }
                }
                // The labels of the namespace could only say that it blocks less.
                (Body::Manifest(_) | Body::Images(_), Ok(_)) => {
                    Selectedness::Applies { action: action.unwrap_or(Action::Enforce) }
                }
            },
        }
    }

    /// The first reason to skip a rule, in this order: the policy, match and exclude, the operation,
    /// preconditions, exceptions. Exceptions come last because they weaken: a rule that has nothing to
    /// say anyway is not reported as lifted.
    fn skip_reason(&self, policy: &Policy, rule: &Rule) -> Result<Option<SkipReason>, SelectFault> {
        if let Some(why) = self.policy_skipped(policy) {
            return Ok(Some(why));
        }
        match rule.selector.select_looked(&self.looked)? {
            Selection::Match => {}
            Selection::NoMatch(why) => return Ok(Some(SkipReason::NotMatched(why))),
            Selection::Excluded { by } => return Ok(Some(SkipReason::Excluded { by })),
        }
        if let Some(why) = self.operation_skipped(rule) {
            return Ok(Some(why));
        }
        if let Some(failed) = self.preconditions(rule)? {
            return Ok(Some(SkipReason::Preconditions(failed)));
        }
        let lifting = self.lifting(policy, rule)?;
        Ok((!lifting.is_empty()).then_some(SkipReason::Exceptions(lifting)))
    }

    /// Why nothing that the rule is about can run because of the request.
    fn starts_nothing(&self, rule: &Rule) -> Option<StartsNothing> {
        match rule.judge_updates {
            JudgeUpdates::Starting => self.update.as_ref()?.starts_nothing(&rule.body),
            JudgeUpdates::All => None,
        }
    }

    fn policy_skipped(&self, policy: &Policy) -> Option<SkipReason> {
        if self.background && !policy.background {
            return Some(SkipReason::BackgroundDisabled);
        }
        if !self.background && !policy.admission {
            return Some(SkipReason::AdmissionDisabled);
        }
        let elsewhere = !policy.id.namespace.is_empty() && policy.id.namespace != self.facts.namespace;
        elsewhere.then_some(SkipReason::OtherNamespace)
    }

    fn operation_skipped(&self, rule: &Rule) -> Option<SkipReason> {
        let filters = &rule.selector.matching.filters;
        let asked = || filters.iter().any(|filter| filter.operations.contains(&Operation::Connect));
        match (&rule.body, self.facts.operation) {
            (Body::NotHandled { .. }, _) | (_, Operation::Create | Operation::Update) => None,
            (Body::Manifest(_) | Body::Images(_), Operation::Delete) => Some(SkipReason::Deletion),
            (Body::Manifest(_) | Body::Images(_), Operation::Connect) => {
                (!asked()).then_some(SkipReason::Connect)
            }
        }
    }

    fn preconditions(&self, rule: &Rule) -> Result<Option<Vec<FailedCondition>>, SelectFault> {
        let Some(conditions) = &rule.preconditions else { return Ok(None) };
        match conditions.evaluate(&Scope::new(
            self.facts,
            &rule.context,
            self.values.of(&rule.name),
            self.now,
        )) {
            ConditionResult::True => Ok(None),
            ConditionResult::False(failed) => Ok(Some(failed)),
            ConditionResult::Fault(why) => Err(why.into()),
        }
    }

    /// The exceptions that lift a rule. One that certainly does is enough; one of which nobody can say
    /// is a fault otherwise.
    fn lifting(&self, policy: &Policy, rule: &Rule) -> Result<Vec<PolicyId>, SelectFault> {
        let (mut lifting, mut fault) = (Vec::new(), None);
        let named = self.exceptions.iter().filter(|exception| exception.names(&policy.id, &rule.name));
        for exception in named.filter(|exception| exception.background || !self.background) {
            match self.lifts(exception, rule) {
                Ok(true) => lifting.push(exception.id.clone()),
                Ok(false) => {}
                Err(why) => {
                    let id = exception.id.clone();
                    fault.get_or_insert(SelectFault::Exception { id, why: Box::new(why) });
                }
            }
        }
        match fault {
            Some(why) if lifting.is_empty() => Err(why),
            Some(_) | None => Ok(lifting),
        }
    }

    fn lifts(&self, exception: &Exception, rule: &Rule) -> Result<bool, SelectFault> {
        if !exception.matching.matches_looked(&self.looked)? {
            return Ok(false);
        }
        let Some(conditions) = &exception.conditions else { return Ok(true) };
        match conditions.evaluate(&Scope::new(
            self.facts,
            &rule.context,
            self.values.of(&rule.name),
            self.now,
        )) {
            ConditionResult::True => Ok(true),
            ConditionResult::False(_) => Ok(false),
            ConditionResult::Fault(why) => Err(why.into()),
        }
    }
}

#[cfg(test)]
mod tests;
