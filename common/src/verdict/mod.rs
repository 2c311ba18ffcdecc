//! The verdict: a tree of checks, never a bare yes or no.
//!
//! Every front end shows the same tree: as text, as JSON, as a denial, as an exit code.

mod advice;
mod code;
mod denial;
mod durations;
mod json;
mod message;
mod payload;
mod printable;
mod problem;
mod problems;
mod reason;
mod registry;

pub use advice::{
    Advice, Fix, Lead, SignWith, Signers, Step, Voice, Way, Who, ignorable, injected_namespace,
    must_stay_signed, shell_quoted, shell_word,
};
pub use denial::denial;
pub use durations::readable;
pub use json::{decision_json, to_json};
pub use message::side;
pub use payload::{Payload, Said};
pub use printable::printable;
pub use problem::{MessageProblem, SignatureProblem, Unavailable};
pub use problems::Problem;
pub use reason::Reason;
pub use registry::{RegistryFault, RegistryProblem};

use std::borrow::Cow;
use std::sync::Arc;

use crate::object::{FieldPath, ObjectRef};
use crate::signer::Signer;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// What was demanded is there.
    Pass,
    /// It is not: a finding.
    Fail,
    /// The check does not apply, for a named reason.
    Skip,
    /// It could not be decided. A fault is never a finding and never a pass.
    Fault,
}

impl Outcome {
    /// The lower-case word of the JSON contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Fault => "fault",
        }
    }

    /// The worst of all: fail, then fault, then pass. Only skips, or nothing at all, is a skip, which
    /// no front end takes for trust.
    pub fn worst(outcomes: impl IntoIterator<Item = Self>) -> Self {
        let rank = |outcome: &Self| match outcome {
            Self::Skip => 0,
            Self::Pass => 1,
            Self::Fault => 2,
            Self::Fail => 3,
        };
        outcomes.into_iter().max_by_key(rank).unwrap_or(Self::Skip)
    }
}

/// What a check asks of the checks it rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Needs {
    /// Each of them must pass.
    #[default]
    All,
    /// Enough of them must: what one of them lacks, another may have.
    Enough,
}

/// One check, and the checks it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was checked, in a few words: `signature`, `key sha256:…`, `content`.
    pub what: Cow<'static, str>,
    /// Where the policy demands it; `None` where a command line does.
    pub path: Option<FieldPath>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// What it rests on.
    pub children: Vec<Check>,
    /// What it asks of these.
    pub needs: Needs,
    /// Who must sign for it to pass, where that is what is missing.
    pub sign_with: Option<Box<Signers>>,
}

impl Check {
    /// A check without parts.
    pub fn leaf(what: impl Into<Cow<'static, str>>, outcome: Outcome, reason: Reason) -> Self {
        let (path, children, needs, sign_with) = (None, Vec::new(), Needs::All, None);
        Self { what: what.into(), path, outcome, reason, children, needs, sign_with }
    }

    /// A check that passes when all its parts do; its reason is that of the part that decides it.
    /// Without any part that passes it does not pass: nothing demanded is nothing verified.
    pub fn all(what: impl Into<Cow<'static, str>>, children: Vec<Self>) -> Self {
        let outcome = Outcome::worst(children.iter().map(|child| child.outcome));
        let reason = children
            .iter()
            .filter(|child| child.outcome == outcome)
            .max_by_key(|child| child.reason.rank())
            .map_or(Reason::NothingChecked, |child| child.reason.clone());
        Self { children, ..Self::leaf(what, outcome, reason) }
    }

    /// The same check with the signers that it needs to pass; a check that passed needs none.
    #[must_use]
    pub fn signed_by(mut self, signers: impl FnOnce() -> Signers) -> Self {
        if matches!(self.outcome, Outcome::Fail | Outcome::Fault) {
            self.sign_with = Some(Box::new(signers()));
        }
        self
    }

    /// Who must sign for it to pass: as it says, or the part that decided it.
    #[must_use]
    pub fn signers(&self) -> Option<&Signers> {
        let decided = |child: &&Self| child.outcome == self.outcome && child.reason == *self.reason.itself();
        match &self.sign_with {
            Some(signers) => Some(signers),
            None => self.children.iter().find(decided)?.signers(),
        }
    }

    /// The same check, demanded at `path` of a policy.
    #[must_use]
    pub fn at(mut self, path: &FieldPath) -> Self {
        self.path = Some(path.clone());
        self
    }

    /// This check and every one below, parents first.
    pub fn walk<'c>(&'c self, visit: &mut impl FnMut(&'c Self)) {
        visit(self);
        for child in &self.children {
            child.walk(visit);
        }
    }
}

/// What a verdict speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Of what kind.
    pub kind: SubjectKind,
    /// Where it came from, as given: `signed.yaml#0`, `-#1`, `-k overlay#0`, `Deployment/web`.
    pub source: String,
    /// What the object calls itself; empty for blobs.
    pub object: ObjectRef,
}

/// Kinds of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// A manifest in a file.
    Manifest,
    /// An object as a cluster holds it or is asked to take it.
    Resource,
    /// A container image.
    Image,
    /// A file of any content.
    Blob,
}

impl SubjectKind {
    /// The word of the JSON contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Resource => "resource",
            Self::Image => "image",
            Self::Blob => "blob",
        }
    }
}

/// Which rule of which policy decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedBy {
    /// The policy: `name`, or `namespace/name`.
    pub policy: Arc<str>,
    /// The rule.
    pub rule: Arc<str>,
    /// Whether a failure refuses the object, or is only reported.
    pub enforced: bool,
}

/// One rule's word on one subject, or the command line's.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What was judged.
    pub subject: Arc<Subject>,
    /// By which rule; `None` where the demands came from a command line.
    pub by: Option<DecidedBy>,
    /// The whole tree; its root carries outcome and headline.
    pub check: Check,
    /// Everyone whose signature was found good.
    pub signers: Vec<Signer>,
    /// What a person should know although it did not decide.
    pub warnings: Vec<String>,
    /// What the accepted signatures and attestations of images say.
    pub payloads: Vec<Arc<Payload>>,
    /// Images that the rule pins to the digest which it judged.
    pub pins: Vec<Pin>,
    /// Places of images that name a digest, and were found good under it.
    pub verified: Vec<FieldPath>,
}

/// An image that is to be named by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Where the object names it.
    pub path: FieldPath,
    /// What stands there.
    pub from: String,
    /// What shall stand there: the same with the digest that was judged.
    pub to: String,
}

impl Decision {
    /// A decision that rests on `check` alone.
    #[must_use]
    pub fn new(subject: impl Into<Arc<Subject>>, by: Option<DecidedBy>, check: Check) -> Self {
        let subject = subject.into();
        let (signers, warnings) = (Vec::new(), Vec::new());
        let (payloads, pins, verified) = (Vec::new(), Vec::new(), Vec::new());
        Self { subject, by, check, signers, warnings, payloads, pins, verified }
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.check.outcome
    }

    /// The first match that ignored a difference; `None` where everything is as signed.
    #[must_use]
    pub fn ignored(&self) -> Option<&Reason> {
        let mut found = None;
        self.check.walk(&mut |check| {
            if matches!(check.reason, Reason::ManifestMatches { ignored: 1.., .. }) {
                found = found.or(Some(&check.reason));
            }
        });
        found
    }

    /// The deepest reason that decided it.
    #[must_use]
    pub fn headline(&self) -> &Reason {
        &self.check.reason
    }
}

/// All decisions of one evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// In the order of the input, then of the policies.
    pub decisions: Vec<Decision>,
}

impl Verdict {
    /// The worst outcome of all.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::worst(self.decisions.iter().map(Decision::outcome))
    }

    /// How many decisions ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.decisions.iter().filter(|decision| decision.outcome() == outcome).count()
    }
}
