//! What a person can do about a refusal: commands and lines of policies that work when pasted, or words that
//! say why none can.
//!
//! All advice is made here, so that its rules hold everywhere:
//!
//! 1. It never widens what may run ([`ignorable`] has the list of what may be ignored at all).
//! 2. It is enough: every problem of the object has its step, or there is none that claims to be the fix.
//! 3. It does not ask people to sign what they have not looked at: where something is signed that others may have
//!    made, the advice says under which condition.
//! 4. Names of others are quoted for the shell, and write no lines.

mod ignorable;
mod image;
mod object;
mod shell;
mod signers;

use std::borrow::Cow;

pub use ignorable::ignorable;
pub use object::{injected_namespace, must_stay_signed};
pub use shell::{shell_quoted, shell_word};
pub use signers::{SignWith, Signers, Who};

use super::denial::{key, quoted};
use super::{Decision, Problem, Reason, Subject, printable};
use crate::limits;
use crate::object::ObjectRef;
use crate::signer::short;

/// Who is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// The caller, who gave flags.
    Flags,
    /// The person whom a policy refuses: no flag helps.
    Policy,
}

/// What can be done about everything that is wrong with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// One for each problem; all of them are needed.
    pub fixes: Vec<Fix>,
    /// Problems beyond the bound, which need the like.
    pub more: usize,
}

/// What can be done about one problem: any of the ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The first is the one that holds where nothing else is known.
    pub ways: Vec<Way>,
}

/// One way: all of its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Under which condition, or what for; may be empty.
    pub when: Cow<'static, str>,
    /// In their order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Run a command of ours.
    Run {
        /// As a shell reads it.
        command: String,
        /// What there is to know about its files: empty, or a comment of the shell.
        comment: String,
    },
    /// Ignore these fields of this object.
    Ignore {
        /// Which.
        object: ObjectRef,
        /// In the notation of `ignoreFields`.
        fields: Vec<String>,
    },
    /// Allow that an object that was signed without a namespace is in this one.
    AllowNamespace {
        /// Which.
        namespace: String,
    },
    /// Trust this identity.
    TrustIdentity {
        /// Who signed.
        found: String,
        /// Who should have.
        expected: String,
    },
    /// Trust this issuer.
    TrustIssuer {
        /// Who vouches for the signer.
        found: String,
        /// Who should.
        expected: String,
    },
    /// What no command does.
    Say(Cow<'static, str>),
}

/// How a line stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// It is the first.
    First,
    /// It is needed as well.
    And,
    /// It does instead.
    Or,
}

impl Advice {
    /// What can be done about a decision that did not pass.
    ///
    /// 1. An object that is not what was signed is signed anew by all who must sign: that is the fix for its
    ///    signatures as well, and a field that may be ignored is none for them.
    /// 2. Else each problem has its own fix, up to a bound. Of several, one way each: `a or b, and c` reads
    ///    in two ways.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        let voice = Voice::of(decision);
        let problems = decision.problems();
        let (signed_anew, several) =
            (problems.iter().find(|problem| is_content(problem)), problems.len() > 1);
        let fix = |problem: &Problem<'_>| fix(&problem.reason, problem.signers, &decision.subject, voice);
        // (1)
        if let (Some(content), true) = (signed_anew, several) {
            let ways = vec![object::sign_anew(&content.reason, content.signers, &decision.subject, voice)];
            return Self { fixes: vec![Fix { ways }], more: 0 };
        }
        // (2)
        let mut fixes: Vec<Fix> = Vec::new();
        for mut fix in problems.iter().take(limits::LISTED).filter_map(fix) {
            fix.ways.truncate(if several { 1 } else { fix.ways.len() });
            if !fixes.contains(&fix) {
                fixes.push(fix);
            }
        }
        let more = problems.len().saturating_sub(limits::LISTED);
        Self { fixes, more }
    }

    /// Line by line.
    #[must_use]
    pub fn lines(&self, voice: Voice) -> Vec<(Lead, String)> {
        let mut lines = Vec::new();
        for (at, fix) in self.fixes.iter().enumerate() {
            fix.lines(voice, if at == 0 { Lead::First } else { Lead::And }, &mut lines);
        }
        if self.more > 0 {
            let problem = if self.more == 1 { "problem" } else { "problems" };
            lines.push((Lead::And, format!("the like for {} more {problem}", self.more)));
        }
        lines
    }
}

impl Fix {
    /// In one line, as it stands in the JSON verdict.
    #[must_use]
    pub fn line(&self, voice: Voice) -> String {
        let mut lines = Vec::new();
        self.lines(voice, Lead::First, &mut lines);
        let mut text = String::new();
        for (lead, line) in lines {
            text.push_str(match lead {
                Lead::First => "",
                Lead::And => "; and ",
                Lead::Or => "; or ",
            });
            text.push_str(&line);
        }
        text
    }

    fn lines(&self, voice: Voice, first: Lead, lines: &mut Vec<(Lead, String)>) {
        for (at, way) in self.ways.iter().enumerate() {
            let mut texts = way.texts(voice).into_iter();
            let lead = if at == 0 { first } else { Lead::Or };
            lines.extend(texts.next().map(|text| (lead, text)));
            lines.extend(texts.map(|text| (Lead::And, text)));
        }
    }
}

impl Way {
    fn new(when: impl Into<Cow<'static, str>>, steps: Vec<Step>) -> Self {
        Self { when: when.into(), steps }
    }

    fn say(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new("", vec![Step::Say(text.into())])
    }

    /// A line for each command; what stands in one place of a policy or command line, in one line.
    fn texts(&self, voice: Voice) -> Vec<String> {
        let between = match voice {
            Voice::Flags => " ",
            Voice::Policy => " and ",
        };
        let (runs, others): (Vec<_>, Vec<_>) =
            self.steps.iter().partition(|step| matches!(step, Step::Run { .. }));
        let others: Vec<_> = others.into_iter().map(|step| step.text(voice)).collect();
        let mut texts: Vec<_> = runs.into_iter().map(|step| step.text(voice)).collect();
        if !others.is_empty() {
            texts.push(others.join(between));
        }
        if let (Some(first), false) = (texts.first_mut(), self.when.is_empty()) {
            *first = format!("{}: {first}", self.when);
        }
        texts
    }
}

impl Step {
    fn text(&self, voice: Voice) -> String {
        match (self, voice) {
            (Self::Run { command, comment }, _) => format!("{command}{comment}"),
            (Self::Ignore { object, fields }, Voice::Flags) => {
                let flag = |field: &String| {
                    format!("--ignore-fields {}", shell_quoted(&format!("{}:{field}", object.kind)))
                };
                fields.iter().map(flag).collect::<Vec<_>>().join(" ")
            }
            (Self::Ignore { object, fields }, Voice::Policy) => ignore_fields(object, fields),
            (Self::AllowNamespace { namespace }, Voice::Flags) => {
                format!("--allow-namespace {}", shell_word(namespace))
            }
            (Self::AllowNamespace { namespace }, Voice::Policy) => {
                format!(
                    "in metadata.annotations: {{kubectl-trust.io/allow-namespace: {}}}",
                    quoted(namespace)
                )
            }
            (Self::TrustIdentity { found, .. }, Voice::Flags) => {
                format!("--certificate-identity {}", shell_word(found))
            }
            (Self::TrustIdentity { found, expected }, Voice::Policy) => {
                format!("in the rule keyless.subject: {} in place of {}", key(found), printable(expected))
            }
            (Self::TrustIssuer { found, .. }, Voice::Flags) => {
                format!("--certificate-oidc-issuer {}", shell_word(found))
            }
            (Self::TrustIssuer { found, expected }, Voice::Policy) => {
                format!("in the rule keyless.issuer: {} in place of {}", key(found), printable(expected))
            }
            (Self::Say(text), _) => printable(text).into_owned(),
        }
    }
}

/// The line of a policy for this object alone.
fn ignore_fields(object: &ObjectRef, fields: &[String]) -> String {
    let mut selector = format!("kind: {}", key(&object.kind));
    for (field, value) in [("name", &object.name), ("namespace", &object.namespace)] {
        if !value.is_empty() {
            selector.push_str(&format!(", {field}: {}", key(value)));
        }
    }
    let fields = fields.iter().map(|path| quoted(path)).collect::<Vec<_>>().join(", ");
    format!("in the rule ignoreFields: [{{objects: [{{{selector}}}], fields: [{fields}]}}]")
}

impl Voice {
    /// Who hears of this decision.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        if decision.by.is_some() { Self::Policy } else { Self::Flags }
    }
}

impl Reason {
    /// The next step, where there is one.
    #[must_use]
    pub fn hint(&self, subject: &Subject, signers: Option<&Signers>, voice: Voice) -> Option<String> {
        Some(fix(self, signers, subject, voice)?.line(voice))
    }
}

fn fix(reason: &Reason, signers: Option<&Signers>, subject: &Subject, voice: Voice) -> Option<Fix> {
    let mut of_image = None;
    if let Reason::ImageRefused { image, digest, why } = reason {
        of_image = image::ways(image, digest.as_deref(), why, signers, voice);
    }
    let ways = of_image.or_else(|| object::ways(reason.itself(), signers, subject, voice))?;
    Some(Fix { ways })
}

/// Whether the object is another than the signed one.
fn is_content(problem: &Problem<'_>) -> bool {
    matches!(&*problem.reason, Reason::ManifestDiffers { .. } | Reason::TargetMismatch { .. })
}

/// The names, up to the bound, and how many more there are.
pub(super) fn listed(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(limits::LISTED)
        .map(|name| printable(&short(name)).into_owned())
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(limits::LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
