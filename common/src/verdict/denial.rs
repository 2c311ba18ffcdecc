//! The text of a refusal, for the webhook and the command line alike.
//!
//! Its first lines keep the shape in which Kyverno refuses, and its messages begin with the fragments that
//! people and tools look for (`manifest verification failed`, `message not found`, `diff found`); then
//! comes what was looked for, what would pass, and how to see all of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::message::bounded;
use super::{Advice, Decision, Lead, Outcome, Problem, Reason, Voice, printable, readable, side};
use crate::limits;
use crate::object::{FieldChange, ObjectRef};
use crate::signer::short;

/// Why an object is refused: a block for every policy and rule among the decisions that neither passed nor
/// skipped. `None` when there is none, so nothing to refuse for.
///
/// `explain` is the command that shows the whole tree. The text ends in a line feed and holds no control
/// character of others.
#[must_use]
pub fn denial<'d>(
    object: &ObjectRef,
    decisions: impl IntoIterator<Item = &'d Decision>,
    explain: Option<&str>,
) -> Option<String> {
    let mut policies: BTreeMap<&str, BTreeMap<&str, &Decision>> = BTreeMap::new();
    for decision in decisions {
        if let (Some(by), Outcome::Fail | Outcome::Fault) = (&decision.by, decision.outcome()) {
            policies.entry(&by.policy).or_default().entry(&by.rule).or_insert(decision);
        }
    }
    if policies.is_empty() {
        return None;
    }
    let ObjectRef { kind, namespace, name, .. } = object;
    let head = format!("{kind}/{namespace}/{name}");
    let mut text = format!("resource {} was blocked due to the following policies\n\n", printable(&head));
    for (policy, rules) in policies {
        let _ = writeln!(text, "{}:", key(policy));
        for (rule, decision) in rules {
            let _ = writeln!(text, "  {}: {}", key(rule), quoted(&message(decision)));
            details(&mut text, decision);
        }
    }
    if let Some(explain) = explain {
        let _ = writeln!(text, "    explain:    {}", printable(explain));
    }
    Some(text)
}

/// The message of a rule that did not pass, with the fragments that people look for in front.
fn message(decision: &Decision) -> String {
    let reason = decision.headline();
    let Some(known) = known_fragment(reason) else { return reason.to_string() };
    format!("manifest verification failed: {known}{reason}")
}

/// What Kyverno's message holds in this case and ours does not.
#[expect(clippy::wildcard_enum_match_arm, reason = "only failures of manifests have fragments")]
fn known_fragment(reason: &Reason) -> Option<&'static str> {
    match reason {
        Reason::SignatureMissing { .. } => Some("message not found: "),
        Reason::MessageMissing { .. } | Reason::ManifestDiffers { .. } => Some(""),
        Reason::SignatureInvalid { .. } => Some("failed to verify signature: "),
        Reason::IdentityMismatch { .. } | Reason::IssuerMismatch { .. } | Reason::ClaimMismatch { .. } => {
            Some("no signer matches with this resource: ")
        }
        // These already say "image verification failed".
        Reason::ImageRefused { .. } => None,
        reason if reason.is_failure() => Some(""),
        _ => None,
    }
}

/// What is wrong, up to a bound, then what would pass.
fn details(text: &mut String, decision: &Decision) {
    let problems = decision.problems();
    for (at, problem) in problems.iter().take(limits::LISTED).enumerate() {
        if at > 0 {
            line(text, "also:       ", &short(&problem.reason.to_string()));
        }
        found(text, problem);
    }
    let more = problems.len().saturating_sub(limits::LISTED);
    if more > 0 {
        line(text, "also:       ", &format!("… and {more} more"));
    }
    // Of what could not be judged, nobody knows what would pass.
    let first = if decision.headline().is_fault() { "next step:  " } else { "would pass: " };
    for (lead, advice) in Advice::of(decision).lines(Voice::Policy) {
        let what = match lead {
            Lead::First => first,
            Lead::And => "       and: ",
            Lead::Or => "        or: ",
        };
        line(text, what, &advice);
    }
}

/// What was looked for, and what was there instead.
fn found(text: &mut String, problem: &Problem<'_>) {
    let reason = problem.reason.itself();
    if let Reason::ManifestDiffers { changes, names, omitted, .. } = reason {
        return differences(text, changes, names, *omitted);
    }
    if let Some(expected) = reason.expected() {
        let issuer = if matches!(reason, Reason::IssuerMismatch { .. }) { "issuer " } else { "" };
        line(text, "looked for: ", &format!("{issuer}{}", short(&readable(&expected))));
        if let Some(found) = reason.found() {
            line(text, "found:      ", &format!("{issuer}{}", short(&readable(&found))));
        }
    }
    if let Some(signers) = problem.signers.filter(|signers| signers.are_several()) {
        line(text, "signers:    ", &signers.names());
    }
}

fn differences(text: &mut String, changes: &[FieldChange], names: &[String], omitted: usize) {
    for (change, name) in changes.iter().zip(names).take(limits::LISTED) {
        let (signed, found) = (side(change.signed.as_ref()), side(change.found.as_ref()));
        line(text, "", &format!("{name}: signed {signed}, found {found}"));
    }
    let rest = changes.len().saturating_sub(limits::LISTED) + omitted;
    if rest > 0 {
        line(text, "", &format!("… and {rest} more"));
    }
}

fn line(text: &mut String, what: &str, value: &str) {
    let _ = writeln!(text, "    {what}{}", bounded(value, limits::REASON_CHARACTERS));
}

/// A YAML key: plain where a name is one, else in quotes.
pub(super) fn key(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    let starts = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if plain && starts { name.to_owned() } else { quoted(name) }
}

/// A YAML string in single quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", printable(text).replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::super::{Check, DecidedBy, SignatureProblem, Subject, SubjectKind};
    use super::*;

    fn object(name: &str) -> ObjectRef {
        ObjectRef {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: "prod".into(),
            name: name.into(),
        }
    }

    fn decision(rule: &str, outcome: Outcome, reason: Reason) -> Decision {
        let subject =
            Subject { kind: SubjectKind::Manifest, source: "web.yaml#0".into(), object: object("web") };
        let by = Some(DecidedBy { policy: "signed".into(), rule: rule.into(), enforced: true });
        let check = Check::leaf("manifest", outcome, reason);
        Decision::new(subject, by, check)
    }

    fn missing() -> Reason {
        Reason::SignatureMissing { looked_for: "cosign.sigstore.dev/signature".into() }
    }

    #[test]
    fn the_shape_is_the_one_people_look_for() {
        let decisions = [
            decision("b", Outcome::Fail, missing()),
            decision("a", Outcome::Pass, Reason::AnnotationsMatch),
            decision("on: it's", Outcome::Fault, Reason::TrustRootMissing),
        ];
        let text = denial(&object("web"), &decisions, Some("kubectl trust explain -f web.yaml")).unwrap();
        assert_eq!(
            text,
            "resource Deployment/prod/web was blocked due to the following policies

signed:
  b: 'manifest verification failed: message not found: signature not found: no annotation cosign.sigstore.dev/signature'
    looked for: cosign.sigstore.dev/signature
    would pass: kubectl trust sign -f web.yaml --key cosign.key --in-place
  'on: it''s': 'no trust root to verify identities with'
    next step:  --trusted-root FILE, or in the policies a TrustRoot that the rule names
    explain:    kubectl trust explain -f web.yaml
"
        );
    }

    #[test]
    fn nothing_failed_is_no_refusal() {
        let pass = decision("a", Outcome::Pass, Reason::AnnotationsMatch);
        let skip = decision("b", Outcome::Skip, Reason::NothingChecked);
        assert_eq!(denial(&object("web"), [&pass, &skip], None), None);
    }

    #[test]
    fn known_fragments_stay() {
        let problem = SignatureProblem::NotByKey { key: "key sha256:aa".into(), signatures: 1 };
        for (reason, fragment) in [
            (missing(), "message not found"),
            (Reason::MessageMissing { looked_for: "m".into() }, "message not found"),
            (Reason::SignatureInvalid { problem }, "failed to verify signature"),
            (
                Reason::ManifestDiffers {
                    kind: "A".into(),
                    changes: Vec::new(),
                    omitted: 0,
                    names: vec!["spec".into()],
                    suggested: Vec::new(),
                },
                "diff found",
            ),
            (
                Reason::IdentityMismatch {
                    expected: "a".into(),
                    found: "b".into(),
                    issuer: "c".into(),
                    issuer_expected: None,
                },
                "no signer matches with this resource",
            ),
        ] {
            let text = denial(&object("web"), [&decision("r", Outcome::Fail, reason)], None).unwrap();
            assert!(text.contains("manifest verification failed"), "{text}");
            assert!(text.contains(fragment), "{text}");
        }
    }

    #[test]
    fn names_of_others_write_no_lines() {
        let text =
            denial(&object("a\n\u{1b}[2K"), [&decision("r\n", Outcome::Fail, missing())], None).unwrap();
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
