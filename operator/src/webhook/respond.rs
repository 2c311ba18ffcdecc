//! Decisions to an answer.

use std::collections::BTreeMap;

use common::object::ObjectRef;
use common::policy::OnFault;
use common::verdict::{Decision, Outcome, Reason, denial, printable, shell_word};
use serde_json::Value;

use super::review::{PatchStep, Request, Response, Unreadable};

/// Characters of one warning. The API server cuts longer ones off where several come together (Kubernetes API
/// reference, `AdmissionResponse.warnings`).
const WARNING: usize = 256;
/// Warnings of one answer.
const WARNINGS: usize = 16;
/// Characters of one audit annotation.
const ANNOTATION: usize = 1_024;

/// Why a request was not judged at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unjudged {
    /// Too many others are.
    Overloaded,
    /// The time was over.
    Deadline,
    /// The policies are not loaded yet.
    NotReady,
    /// A defect of ours.
    Defect,
}

impl Unjudged {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Overloaded, Self::Deadline, Self::NotReady, Self::Defect];

    /// A stable code, as those of checks (`docs/reasons.md`).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Deadline => "deadline-exceeded",
            Self::NotReady => "not-ready",
            Self::Defect => "internal-error",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Overloaded => "too many requests are being judged at the moment; try again",
            Self::Deadline => "it took longer than the API server waits; try again",
            Self::NotReady => {
                "the policies, or the roles of users that they select by, are not known yet; try again (/readyz and the log of \
                 trust-operator say what is missing)"
            }
            Self::Defect => "a defect of trust-operator, which its log describes",
        }
    }
}

/// What policies say of the object as it will be stored.
///
/// 1. A rule that is enforced refuses when it fails; when it cannot be decided, the failure policy of its policy
///    says what that means, unless it is the object itself that cannot be read.
/// 2. Everything else that is no pass is a warning.
pub(super) fn validated(request: &Request, decisions: &[Decision], on_fault: OnFault) -> Response {
    let blocking = |decision: &&Decision| {
        let enforced = decision.by.as_ref().is_some_and(|by| by.enforced);
        enforced
            && match decision.outcome() {
                Outcome::Fail => true,
                Outcome::Fault => on_fault == OnFault::Refuse || is_chosen(decision.headline()),
                Outcome::Pass | Outcome::Skip => false,
            }
    };
    // (1)
    let refusing: Vec<_> = decisions.iter().filter(blocking).collect();
    let explain = refusing.first().map(|decision| explain(request, decision));
    let message = denial(&called(request), refusing.iter().copied(), explain.as_deref())
        .map(|text| text + &name(request));
    // (2)
    let others = decisions.iter().filter(|decision| !blocking(decision));
    let mut warnings: Vec<_> = others.flat_map(warnings).map(|text| bounded(&text, WARNING)).collect();
    warnings.truncate(WARNINGS);
    Response {
        allowed: message.is_none(),
        code: if message.is_none() { 200 } else { 403 },
        message,
        warnings,
        audit: audit(decisions),
        patch: Vec::new(),
    }
}

/// Whether it was for whoever asks to choose that nothing can be decided: the object itself cannot be read, or holds
/// more images than are read. Attack: a Pod that is made unreadable for a policy that allows faults.
fn is_chosen(reason: &Reason) -> bool {
    matches!(reason, Reason::InputUnreadable { .. })
}

/// The images that are named by their digest from now on. Nothing is refused here: what cannot be pinned is
/// judged with the object as a whole.
pub(super) fn pinned(decisions: &[Decision]) -> Response {
    // Two rules may pin one image; they speak of the same digest.
    let pins: BTreeMap<_, _> =
        decisions.iter().flat_map(|decision| &decision.pins).map(|pin| (&pin.path, &pin.to)).collect();
    let patch = pins.iter().map(|(path, to)| PatchStep::replace(path.pointer(), (*to).clone())).collect();
    let mut audit = BTreeMap::new();
    if !pins.is_empty() {
        let pins: Vec<_> = pins.values().map(|to| printable(to)).collect();
        audit.insert("pinned", bounded(&pins.join(" "), ANNOTATION));
    }
    Response { allowed: true, code: 200, patch, audit, ..Response::default() }
}

/// A request that no policy is asked about.
pub(super) fn exempted(why: &'static str) -> Response {
    let audit = BTreeMap::from([("exempt", why.to_owned())]);
    Response { allowed: true, code: 200, audit, ..Response::default() }
}

/// What may go on, with what is to be said about it.
pub(super) fn warned(warnings: impl IntoIterator<Item = String>) -> Response {
    let warnings = warnings.into_iter().take(WARNINGS).map(|text| bounded(&text, WARNING)).collect();
    Response { allowed: true, code: 200, warnings, ..Response::default() }
}

/// What may not, with the reason and its code.
pub(super) fn refused(message: String, code: &str) -> Response {
    let audit = BTreeMap::from([("outcome", format!("fail ({code})"))]);
    Response { allowed: false, code: 403, message: Some(message), audit, ..Response::default() }
}

/// An object that cannot be read, which is refused whatever the policies say.
pub(super) fn unreadable(unreadable: &Unreadable) -> Response {
    let problem = Reason::InputUnreadable { problem: unreadable.problem.clone() };
    let message = format!("the object cannot be read, so no policy can judge it: {problem}");
    let audit = BTreeMap::from([("outcome", format!("fault ({})", problem.code()))]);
    Response {
        allowed: false,
        code: 400,
        message: Some(printable(&message).into_owned()),
        audit,
        ..Response::default()
    }
}

/// A request that was not judged at all.
pub(super) fn unjudged(request: &Request, why: Unjudged, on_fault: OnFault) -> Response {
    let ObjectRef { kind, namespace, name: object, .. } = called(request);
    let message = format!(
        "resource {} was not judged: {} [{}]\n{}",
        printable(&format!("{kind}/{namespace}/{object}")),
        why.words(),
        why.code(),
        name(request)
    );
    let audit = BTreeMap::from([("outcome", format!("fault ({})", why.code()))]);
    match on_fault {
        OnFault::Refuse => {
            Response { allowed: false, code: 403, message: Some(message), audit, ..Response::default() }
        }
        OnFault::Allow => {
            let warnings = vec![bounded(message.lines().next().unwrap_or_default(), WARNING)];
            Response { allowed: true, code: 200, warnings, audit, ..Response::default() }
        }
    }
}

/// What the API server calls the request, if it calls it anything: by that it is found in the log.
fn name(request: &Request) -> String {
    match request.uid.as_str() {
        "" => String::new(),
        uid => format!("    request:    {}\n", printable(uid)),
    }
}

/// What the object is called: where the API server has yet to make a name, by what it begins with.
pub(super) fn called(request: &Request) -> ObjectRef {
    let object = match &request.old_object {
        Some(old) if request.object.is_null() => old,
        Some(_) | None => &request.object,
    };
    let mut called = ObjectRef::of(object);
    called.namespace.clone_from(&request.namespace);
    if called.name.is_empty() {
        let begins = object.pointer("/metadata/generateName").and_then(Value::as_str);
        begins.unwrap_or(&request.name).clone_into(&mut called.name);
    }
    called
}

/// The command that shows the whole tree.
fn explain(request: &Request, decision: &Decision) -> String {
    let namespace = match request.namespace.as_str() {
        "" => String::new(),
        namespace => format!(" -n {}", shell_word(namespace)),
    };
    if let Reason::ImageRefused { image, .. } = decision.headline() {
        return format!("kubectl trust explain image {}{namespace}", shell_word(image));
    }
    format!("kubectl trust explain -f FILE{namespace}")
}

/// What is to be said about a decision that refuses nothing.
fn warnings(decision: &Decision) -> Vec<String> {
    let Some(by) = &decision.by else { return Vec::new() };
    let mut warnings: Vec<_> =
        decision.warnings.iter().map(|text| format!("policy {}.{}: {text}", by.policy, by.rule)).collect();
    if matches!(decision.outcome(), Outcome::Fail | Outcome::Fault) {
        let (reason, code) = (decision.headline(), decision.headline().code());
        warnings.insert(0, format!("policy {}.{}: {reason} [{code}]", by.policy, by.rule));
    }
    warnings
}

/// Policy, rule, outcome and code of every rule that applied, or would have but for what the update starts.
pub(super) fn audit(decisions: &[Decision]) -> BTreeMap<&'static str, String> {
    let applied = decisions
        .iter()
        .filter(|decision| decision.outcome() != Outcome::Skip || decision.headline().is_update_passed());
    let one = |decision: &Decision| {
        let by = decision.by.as_ref()?;
        let (outcome, code) = (decision.outcome().word(), decision.headline().code());
        Some(format!("{}/{}={outcome} ({code})", by.policy, by.rule))
    };
    let applied: Vec<_> = applied.filter_map(one).collect();
    let ignored: Vec<_> = decisions.iter().filter_map(passed_except).collect();
    let worst = Outcome::worst(decisions.iter().map(Decision::outcome));
    let mut audit = BTreeMap::from([("outcome", worst.word().to_owned())]);
    if !applied.is_empty() {
        audit.insert("decisions", bounded(&printable(&applied.join(", ")), ANNOTATION));
    }
    if !ignored.is_empty() {
        audit.insert("ignored", bounded(&ignored.join("; "), ANNOTATION));
    }
    audit
}

/// The differences that a passing rule ignored, so that the audit log shows them.
fn passed_except(decision: &Decision) -> Option<String> {
    let (by, ignored) = (decision.by.as_ref()?, decision.ignored()?);
    (decision.outcome() == Outcome::Pass).then(|| format!("{}/{}: {ignored}", by.policy, by.rule))
}

/// A text of at most so many characters, on one line.
fn bounded(text: &str, bound: usize) -> String {
    let text = printable(text);
    let mut characters = text.chars();
    let mut kept: String = characters.by_ref().take(bound).collect();
    if characters.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use common::object::{FieldChange, FieldPath, ObjectRef};
    use common::verdict::{Check, DecidedBy, Subject, SubjectKind};
    use serde_json::json;

    use super::*;

    fn decision(outcome: Outcome, ignored: usize) -> Decision {
        let change = FieldChange {
            path: FieldPath::keys(["spec", "replicas"]),
            signed: Some(json!(2)),
            found: Some(json!(5)),
        };
        let except = if ignored > 0 { vec![change] } else { Vec::new() };
        let matches = Reason::ManifestMatches { ignored, except, effects: 0, allowed: Vec::new() };
        let parts = vec![
            Check::leaf("signature", Outcome::Pass, Reason::AnnotationsMatch),
            Check::leaf("content", outcome, matches),
        ];
        let subject =
            Subject { kind: SubjectKind::Manifest, source: String::new(), object: ObjectRef::default() };
        let by = DecidedBy { policy: "signed".into(), rule: "by-us".into(), enforced: true };
        Decision::new(subject, Some(by), Check::all("manifest", parts))
    }

    #[test]
    fn the_audit_log_keeps_what_a_pass_ignored() {
        let kept = audit(&[decision(Outcome::Pass, 1), decision(Outcome::Pass, 0)]);
        assert_eq!(kept["ignored"], "signed/by-us: as signed, except spec.replicas 2→5 (ignored)");
        for nothing in [decision(Outcome::Pass, 0), decision(Outcome::Fail, 1)] {
            assert_eq!(audit(&[nothing]).get("ignored"), None);
        }
    }
}
