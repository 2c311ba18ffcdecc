//! The rows of one expectation: what is expected of each resource, and what came out.

use std::collections::{BTreeMap, BTreeSet};

use common::dialect::PolicySet;
use common::object::ObjectRef;
use common::policy::{Body, Operation, Policy, wildcard};
use common::verdict::{Decision, Outcome, Reason};

use super::file::{Case, Expected};
use super::scope::namespace_of;
use crate::text;

/// What became of one expectation for one resource.
#[derive(Debug)]
pub(crate) struct Row {
    /// Which entry of `results`.
    pub(crate) index: usize,
    /// The line of that entry, where the row failed.
    pub(crate) line: Option<usize>,
    /// The policy.
    pub(crate) policy: String,
    /// The rule, as the policy has it.
    pub(crate) rule: String,
    /// What the resource is called, `Kind namespace/name` where it was found.
    pub(crate) resource: String,
    /// What was expected.
    pub(crate) expected: Expected,
    /// What came out; `None` where no such policy, rule or resource is there.
    pub(crate) got: Option<Expected>,
    /// Whether it is as expected; `None` for a rule that is not ours to judge.
    pub(crate) passed: Option<bool>,
    /// Why, in a line.
    pub(crate) message: String,
    /// The decision behind it.
    pub(crate) decision: Option<Decision>,
}

/// One row for each decision about a resource that the expectation names, or about any if it names none.
pub(super) fn of(
    case: &Case,
    set: &PolicySet,
    decisions: &BTreeMap<Option<Operation>, Vec<Decision>>,
) -> Vec<Row> {
    let all = decisions.get(&case.operation).map_or(&[][..], Vec::as_slice);
    let any = ["*".to_owned()];
    let names = if case.resources.is_empty() { &any[..] } else { &case.resources };
    let one = |name: &String| {
        let matching = matching(case, name, all);
        if matching.is_empty() {
            vec![not_found(case, name, set)]
        } else {
            matching.into_iter().map(|d| row(case, d, &set.policies)).collect()
        }
    };
    names.iter().flat_map(one).collect()
}

/// The decisions that an expectation is about. That a rule is not about an object counts only where no
/// other rule is: the base rule of a generated one, or another object that a wildcard takes in.
fn matching<'d>(case: &Case, name: &str, all: &'d [Decision]) -> Vec<&'d Decision> {
    let speaking: Vec<_> = all.iter().filter(|decision| speaks_of(decision, case, name)).collect();
    let resource = |decision: &&'d Decision| (&decision.subject.source, &decision.subject.object);
    let judged: BTreeSet<_> = speaking.iter().filter(|d| !is_unmatched(d)).map(resource).collect();
    let unmatched_counts = |decision: &&'d Decision| match name {
        _ if case.resources.is_empty() => false,
        name if wildcard::is_pattern(name) => judged.is_empty(),
        _ => !judged.contains(&resource(decision)),
    };
    speaking.iter().copied().filter(|d| !is_unmatched(d) || unmatched_counts(d)).collect()
}

fn is_unmatched(decision: &Decision) -> bool {
    decision.headline().code() == "not-matched"
}

fn speaks_of(decision: &Decision, case: &Case, name: &str) -> bool {
    let Some(by) = &decision.by else { return false };
    let rule = case.rule == "*"
        || [case.rule.clone(), format!("autogen-{}", case.rule), format!("autogen-cronjob-{}", case.rule)]
            .iter()
            .any(|rule| **rule == *by.rule);
    let object = &decision.subject.object;
    let kind = case
        .kind
        .as_ref()
        .is_none_or(|kind| *kind == object.kind || kind.rsplit('/').next() == Some(&object.kind));
    is_named(&case.policy, &by.policy) && rule && kind && names(name, object) && relevant(decision, case)
}

/// Whether `name` or `namespace/name`, each with wildcards, is an object's.
fn names(pattern: &str, object: &ObjectRef) -> bool {
    match pattern.split_once('/') {
        Some((namespace, name)) => {
            wildcard::matches(name, &object.name) && wildcard::matches(namespace, namespace_of(object))
        }
        None => wildcard::matches(pattern, &object.name),
    }
}

/// Whether a policy is meant by a name; one without a namespace means a policy in any.
fn is_named(name: &str, policy: &str) -> bool {
    name == policy || policy.split_once('/').is_some_and(|(_, plain)| plain == name)
}

/// A generated rule that is about other kinds has nothing to say about this one; the rule that is speaks
/// for all of them.
fn relevant(decision: &Decision, case: &Case) -> bool {
    let generated = decision.by.as_ref().is_some_and(|by| case.rule != "*" && *by.rule != *case.rule);
    !(generated && is_unmatched(decision))
}

fn row(case: &Case, decision: &Decision, policies: &[Policy]) -> Row {
    let by = decision.by.clone();
    let scored = by
        .as_ref()
        .and_then(|by| policies.iter().find(|policy| policy.id.to_string() == *by.policy))
        .is_none_or(|policy| policy.scored);
    let got = match decision.outcome() {
        Outcome::Pass => Expected::Pass,
        Outcome::Fail if scored => Expected::Fail,
        Outcome::Fail => Expected::Warn,
        Outcome::Fault => Expected::Error,
        Outcome::Skip => Expected::Skip,
    };
    let as_expected = is_as_expected(case.expected, got, decision);
    // Whether a rule applies is known of every rule; of one that is not ours, not what others expect it to do.
    let not_handled = is_not_handled(decision) || (!as_expected && rule_type(decision, policies).is_some());
    let object = &decision.subject.object;
    Row {
        index: case.index,
        line: None,
        policy: case.policy.clone(),
        rule: by.map_or_else(|| case.rule.clone(), |by| by.rule.to_string()),
        resource: ObjectRef { namespace: namespace_of(object).to_owned(), ..object.clone() }.to_string(),
        expected: case.expected,
        got: Some(got),
        passed: (!not_handled).then_some(as_expected),
        message: match got {
            Expected::Pass => format!("every check passed: {}", text::good(decision)),
            Expected::Fail | Expected::Warn | Expected::Error | Expected::Skip => {
                let of_type =
                    rule_type(decision, policies).filter(|_| not_handled && !is_not_handled(decision));
                let of_type =
                    of_type.map(|of| format!(", and rules of type {of} are not handled by kubectl trust"));
                format!("{}{}", decision.headline(), of_type.unwrap_or_default())
            }
        },
        decision: Some(decision.clone()),
    }
}

fn is_not_handled(decision: &Decision) -> bool {
    decision.headline().is_not_handled()
}

/// The type of the rule behind a decision, where it is not ours to judge.
fn rule_type<'p>(decision: &Decision, policies: &'p [Policy]) -> Option<&'p str> {
    let by = decision.by.as_ref()?;
    let policy = policies.iter().find(|policy| policy.id.to_string() == *by.policy)?;
    match &policy.rules.iter().find(|rule| rule.name == by.rule)?.body {
        Body::NotHandled { rule_type } => Some(rule_type),
        Body::Manifest(_) | Body::Images(_) => None,
    }
}

/// Kyverno reports a wrong signer, or too few of them, as an error, and tests in the wild expect that
/// word. It blocks as well, and here it is a refusal, so both words are right for it.
fn is_as_expected(expected: Expected, got: Expected, decision: &Decision) -> bool {
    let mut unsigned = false;
    decision.check.walk(&mut |check| {
        let about_content =
            matches!(check.reason, Reason::ManifestDiffers { .. } | Reason::TargetMismatch { .. });
        unsigned |= check.outcome == Outcome::Fail && !about_content && check.children.is_empty();
    });
    expected == got || (expected == Expected::Error && got == Expected::Fail && unsigned)
}

/// `name`, or `namespace/name`.
fn qualified(object: &ObjectRef) -> String {
    match object.namespace.as_str() {
        "" => object.name.clone(),
        namespace => format!("{namespace}/{}", object.name),
    }
}

fn not_found(case: &Case, name: &str, set: &PolicySet) -> Row {
    let is_meant = |policy: &&Policy| is_named(&case.policy, &policy.id.to_string());
    let named: Vec<_> = set.policies.iter().filter(is_meant).collect();
    let mut rules = named.iter().flat_map(|policy| &policy.rules);
    let of_other_kind =
        named.is_empty() && set.not_handled.iter().any(|object| is_named(&case.policy, &qualified(object)));
    // What such rules are generated into, and what they change, is for those who judge them to know.
    let of_other_types = !named.is_empty()
        && named
            .iter()
            .all(|policy| policy.rules.iter().all(|rule| matches!(rule.body, Body::NotHandled { .. })));
    let message = if of_other_kind {
        format!("{} is a policy of a kind that kubectl trust does not judge", case.policy)
    } else if named.is_empty() {
        format!("no policy {} in the test's policies", case.policy)
    } else if !rules.any(|rule| *rule.name == *case.rule || case.rule == "*") {
        format!("the policy {} has no rule {}", case.policy, case.rule)
    } else if case.resources.is_empty() {
        "the rule is about none of the test's resources".to_owned()
    } else {
        format!("no resource {name} in the test's resources")
    };
    Row {
        index: case.index,
        line: None,
        policy: case.policy.clone(),
        rule: case.rule.clone(),
        resource: name.to_owned(),
        expected: case.expected,
        got: None,
        passed: (!of_other_kind && !of_other_types).then_some(false),
        message,
        decision: None,
    }
}
