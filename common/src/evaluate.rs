//! The one path from an object to a verdict: select, gather, decide. Every front end takes it.

mod blobs;
mod images;
mod resolutions;
mod selection;

pub use blobs::{by_blob, by_digest};
use images::Pinning;
pub use images::by_image;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::cache::Facts;
use crate::decide::{self, Seen};
use crate::gather::{self, World};
use crate::manifest::diff::Comparison;
use crate::object::{FieldPath, Origin};
use crate::policy::condition::Scope;
use crate::policy::{
    Action, Body, Exception, ManifestRule, Operation, Policy, ReviewFacts, RuleValues, UserInfo,
};
use crate::select::{Selected, Selectedness, select};
use crate::sources::Sources;
use crate::verdict::{Check, DecidedBy, Decision, Outcome, Reason, Subject};

/// One object to be judged.
#[derive(Clone, Debug)]
pub struct Task<'t> {
    /// What it is called in the verdict.
    pub subject: Arc<Subject>,
    /// The object and what is known about the request for it.
    pub facts: ReviewFacts<'t>,
    /// Where the object comes from.
    pub origin: Origin,
}

/// What an evaluation works with.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// The world.
    pub sources: &'c dyn Sources,
    /// Facts known already.
    pub known: &'c Facts,
    /// The time of the judgement.
    pub now: Timestamp,
}

/// Judges one object by one manifest rule; `by` says whose rule it is, `None` that of a command line.
pub async fn by_manifest_rule(
    task: &Task<'_>,
    rule: &ManifestRule,
    by: Option<DecidedBy>,
    context: Context<'_>,
) -> Decision {
    judge(task, rule, by, ALONE, context, |_, _| ()).await.0
}

/// What is known of an object beside itself.
struct Beside<'b> {
    /// The values of variables.
    scope: Option<&'b Scope>,
    /// Places of images that were found good under the digest that they name.
    verified: &'b [FieldPath],
}

const ALONE: Beside<'static> = Beside { scope: None, verified: &[] };

/// The same, with what was compared: for a front end that shows the difference.
pub async fn compared(
    task: &Task<'_>,
    rule: &ManifestRule,
    by: Option<DecidedBy>,
    context: Context<'_>,
) -> (Decision, Option<(Value, Comparison)>) {
    judge(task, rule, by, ALONE, context, |signed, comparison| (signed.clone(), comparison)).await
}

/// `keep` takes what the caller needs of the signed document and how the object compares with it; most
/// need nothing, and a copy of the document costs as much as the comparison.
async fn judge<T>(
    task: &Task<'_>,
    rule: &ManifestRule,
    by: Option<DecidedBy>,
    beside: Beside<'_>,
    context: Context<'_>,
    keep: impl FnOnce(&Value, Comparison) -> T,
) -> (Decision, Option<T>) {
    let object = task.facts.subject();
    if !object.is_object() {
        let reason = Reason::InputUnreadable { problem: "not an object".to_owned() };
        return (undecided(task, by, reason), None);
    }
    let world = World { sources: context.sources, facts: context.known, now: context.now };
    let evidence = gather::manifest(object, rule, beside.scope, world).await;
    let decided = decide::manifest(object, seen(task, beside.verified), rule, &evidence);
    let (signers, warnings) = (decided.signers, decided.warnings);
    let decision = Decision { signers, warnings, ..Decision::new(task.subject.clone(), by, decided.check) };
    (decision, decided.compared.map(|(signed, comparison)| keep(signed, comparison)))
}

/// Where an object was seen.
///
/// Controllers of Kubernetes itself write what only a stored object has (the volume of a claim, the revision of a
/// Deployment), so what they ask for is taken like one.
fn seen<'t>(task: &Task<'t>, verified: &'t [FieldPath]) -> Seen<'t> {
    let facts = &task.facts;
    let update = task.origin == Origin::Review && facts.operation == Operation::Update;
    let controller = facts.user.is_some_and(UserInfo::is_controller);
    let origin = if update && controller { Origin::Live } else { task.origin };
    Seen { origin, stored: facts.old_object.filter(|_| update), pinned: verified }
}

/// The rules an object is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'r> {
    /// Compiled policies.
    pub policies: &'r [Policy],
    /// Exceptions from them.
    pub exceptions: &'r [Exception],
    /// Values of variables that would have to be read from elsewhere.
    pub values: &'r RuleValues,
    /// Whether this is a scan of stored objects, not a request.
    pub background: bool,
}

/// Judges one object by policies: one decision for every rule of every policy, also for those that have
/// nothing to say, which say why.
pub async fn by_policies(task: &Task<'_>, rules: Rules<'_>, context: Context<'_>) -> Vec<Decision> {
    let Rules { policies, exceptions, values, background } = rules;
    // One for the whole request, so that no two rules speak of different images.
    let shared = images::Shared::new(match task.origin {
        Origin::Review => Pinning::Done,
        Origin::File | Origin::Live => Pinning::ToCome,
    });
    let selected = select(&task.facts, policies, exceptions, values, background, context.now);
    let mut decisions: Vec<Option<Decision>> = Vec::with_capacity(selected.len());
    // Images first: a signed manifest may have gained the digests for which they were found good.
    let mut verified = Vec::new();
    for selected in &selected {
        let after = matches!(selected.rule.body, Body::Manifest(_));
        let by = || by_selected(task, selected, values, (&shared, &[]), context);
        let decision = if after { None } else { Some(by().await) };
        verified.extend(decision.iter().flat_map(|decision| decision.verified.iter().cloned()));
        decisions.push(decision);
    }
    let mut all = Vec::with_capacity(selected.len());
    for (selected, decision) in selected.iter().zip(decisions) {
        all.push(match decision {
            Some(decision) => decision,
            None => by_selected(task, selected, values, (&shared, &verified), context).await,
        });
    }
    all
}

/// Judges the images that policies want named by their digest: one decision for every rule that pins any,
/// with the pins. The others have nothing to say yet: the caller is about to change the object, and only
/// what comes of it is judged as a whole.
pub async fn pins(task: &Task<'_>, rules: Rules<'_>, context: Context<'_>) -> Vec<Decision> {
    let Rules { policies, exceptions, values, background } = rules;
    let shared = images::Shared::new(Pinning::ToCome);
    let selected = select(&task.facts, policies, exceptions, values, background, context.now);
    let mut decisions = Vec::new();
    for selected in selected.iter().filter(|selected| selected.applies_and_pins()) {
        decisions.push(by_selected(task, selected, values, (&shared, &[]), context).await);
    }
    decisions
}

async fn by_selected(
    task: &Task<'_>,
    selected: &Selected<'_>,
    values: &RuleValues,
    (shared, verified): (&images::Shared, &[FieldPath]),
    context: Context<'_>,
) -> Decision {
    let by = |enforced| {
        let (policy, rule) = (Arc::clone(&selected.called), Arc::clone(&selected.rule.name));
        Some(DecidedBy { policy, rule, enforced })
    };
    let settled = |enforced, outcome, reason| {
        let check = Check::leaf("rule", outcome, reason).at(&selected.rule.path);
        Decision::new(task.subject.clone(), by(enforced), check)
    };
    let values = values.of(&selected.rule.name);
    match &selected.outcome {
        Selectedness::Applies { action } => {
            let enforced = *action == Action::Enforce;
            match &selected.rule.body {
                Body::Manifest(rule) => {
                    // Variables see the whole request; few rules have any, so most need no copy of it.
                    let scope = rule
                        .requirement
                        .has_variables()
                        .then(|| Scope::new(&task.facts, &selected.rule.context, values, context.now));
                    let (rule, beside) =
                        (rule.put(scope.as_ref()), Beside { scope: scope.as_ref(), verified });
                    judge(task, &rule, by(enforced), beside, context, |_, _| ()).await.0
                }
                Body::Images(rule) => {
                    let scope = rule
                        .needs_scope(values)
                        .then(|| Scope::new(&task.facts, &selected.rule.context, values, context.now));
                    let rule = rule.put(scope.as_ref());
                    images::by_rule(task, &rule, by(enforced), scope.as_ref(), shared, context).await
                }
                Body::NotHandled { rule_type } => {
                    settled(enforced, Outcome::Skip, Reason::NotHandled { rule_type: rule_type.clone() })
                }
            }
        }
        Selectedness::Skipped(why) => settled(false, Outcome::Skip, selection::skip_reason(why)),
        Selectedness::Fault { why, action } => {
            let reason = selection::fault_reason(why, task.facts.namespace);
            settled(*action == Action::Enforce, Outcome::Fault, reason)
        }
        Selectedness::NotHandled { rule_type } => {
            settled(false, Outcome::Skip, Reason::NotHandled { rule_type: rule_type.clone() })
        }
    }
}

fn undecided(task: &Task<'_>, by: Option<DecidedBy>, reason: Reason) -> Decision {
    let check = Check::leaf("manifest", Outcome::Fault, reason);
    Decision::new(task.subject.clone(), by, check)
}
