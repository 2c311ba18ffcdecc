//! The one path from an object to a verdict: select, gather, decide. Every front end takes it.

use jiff::Timestamp;
use serde_json::Value;

use crate::cache::Facts;
use crate::decide;
use crate::gather;
use crate::manifest::diff::Comparison;
use crate::object::Origin;
use crate::policy::{ManifestRule, ReviewFacts};
use crate::sources::Sources;
use crate::verdict::{Check, DecidedBy, Decision, Outcome, Reason, Subject};

/// One object to be judged.
#[derive(Clone, Debug)]
pub struct Task<'t> {
    /// What it is called in the verdict.
    pub subject: Subject,
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
    compared(task, rule, by, context).await.0
}

/// The same, with what was compared: for a front end that shows the difference.
pub async fn compared(
    task: &Task<'_>,
    rule: &ManifestRule,
    by: Option<DecidedBy>,
    context: Context<'_>,
) -> (Decision, Option<(Value, Comparison)>) {
    let object = task.facts.subject();
    if !object.is_object() {
        let reason = Reason::InputUnreadable { problem: "not an object".to_owned() };
        return (undecided(task, by, reason), None);
    }
    let evidence = gather::manifest(object, rule, context.sources, context.known, context.now).await;
    let decided = decide::manifest(object, task.origin, rule, &evidence);
    let decision = Decision {
        subject: task.subject.clone(),
        by,
        check: decided.check,
        signers: decided.signers,
        warnings: decided.warnings,
    };
    (decision, decided.compared.map(|(signed, comparison)| (signed.clone(), comparison)))
}

fn undecided(task: &Task<'_>, by: Option<DecidedBy>, reason: Reason) -> Decision {
    let check = Check::leaf("manifest", Outcome::Fault, reason);
    Decision { subject: task.subject.clone(), by, check, signers: Vec::new(), warnings: Vec::new() }
}
