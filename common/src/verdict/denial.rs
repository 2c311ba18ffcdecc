//! The text of a refusal, for the webhook and the command line alike.
//!
//! Its first lines keep the shape in which Kyverno refuses, and its messages begin with the fragments that
//! people and tools look for (`manifest verification failed`, `message not found`, `diff found`); then
//! comes what was looked for, what would pass, and how to see all of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::message::bounded;
use super::{Decision, Outcome, Reason, SignatureProblem, printable, side};
use crate::limits;
use crate::object::{FieldChange, FieldPath, ObjectRef};
use crate::signer::short;

/// Differences that are listed; the rest is counted.
const SHOWN: usize = 4;

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

fn details(text: &mut String, decision: &Decision) {
    let reason = decision.headline();
    if let Reason::ManifestDiffers { changes, names, omitted, .. } = reason {
        differences(text, changes, names, *omitted);
    } else if let Some(expected) = reason.expected() {
        line(text, "looked for: ", &shortened(&expected));
        if let Some(found) = reason.found() {
            line(text, "found:      ", &shortened(&found));
        }
    }
    if let Some(pass) = would_pass(decision) {
        // Of what could not be judged, nobody knows what would pass.
        let what = if reason.is_fault() { "next step:  " } else { "would pass: " };
        line(text, what, &pass);
    }
}

/// What would pass, in the words of a policy: who is refused by one has no flags.
#[must_use]
pub fn would_pass(decision: &Decision) -> Option<String> {
    let reason = decision.headline();
    if let Reason::ImageRefused { image, digest, why } = reason {
        return image_would_pass(image, digest.as_deref(), why).or_else(|| reason.hint(&decision.subject));
    }
    words_of_policy(reason).or_else(|| reason.hint(&decision.subject))
}

/// The same of an image.
#[expect(clippy::wildcard_enum_match_arm, reason = "most reasons have no words of their own")]
fn image_would_pass(image: &str, digest: Option<&str>, why: &Reason) -> Option<String> {
    let on = digest.map_or_else(|| image.to_owned(), short);
    match why {
        Reason::SignatureInvalid { problem: SignatureProblem::NotByKey { key, .. } } => {
            Some(format!("a signature by {} on {on}", shortened(key)))
        }
        Reason::LogEntryMissing => {
            Some("a signature that a log took in; or in the rule rekor.ignoreTlog: true".to_owned())
        }
        other => words_of_policy(other),
    }
}

/// What a policy would have to say.
#[expect(clippy::wildcard_enum_match_arm, reason = "the hints of the others name no flags")]
fn words_of_policy(reason: &Reason) -> Option<String> {
    match reason {
        Reason::ManifestDiffers { .. } => would_match(reason),
        Reason::IdentityMismatch { found, .. } => {
            Some(format!("if you trust that signer, in the rule keyless.subject: {}", key(found)))
        }
        Reason::IssuerMismatch { found, .. } => {
            Some(format!("if you trust that issuer, in the rule keyless.issuer: {}", key(found)))
        }
        Reason::SignatureInvalid { problem: SignatureProblem::NotByKey { key, .. } } => {
            Some(format!("a signature by {} over the object as it is", shortened(key)))
        }
        Reason::CertificateMissing => Some("a signature with a certificate of that identity".to_owned()),
        _ => None,
    }
}

/// Digests are shortened for people.
fn shortened(text: &str) -> String {
    short(text)
}

fn would_match(reason: &Reason) -> Option<String> {
    let Reason::ManifestDiffers { kind, suggested, changes, omitted, .. } = reason else {
        return None;
    };
    let as_signed = "the object as it was signed, or signed again";
    let namespace = changes.iter().find(|change| change.path == FieldPath::keys(["metadata", "namespace"]));
    let mut lines = Vec::new();
    if let Some(FieldChange { signed: None, found: Some(Value::String(namespace)), .. }) = namespace {
        let namespace = quoted(namespace);
        lines.push(format!("in metadata.annotations: {{kubectl-trust.io/allow-namespace: {namespace}}}"));
    }
    let injected = !lines.is_empty();
    let fields: Vec<_> =
        suggested.iter().filter(|path| !(injected && *path == "metadata.namespace")).collect();
    // What the rule is there against: another image, another place, another object altogether. Where one
    // of these differs, nothing that the policy could allow would be right, and half of it would not pass.
    let harmless = |path: &&String| {
        path.rsplit('.').next() != Some("image") && path.contains('.') && *path != "metadata.namespace"
    };
    let nothing = fields.is_empty() && !injected;
    if nothing || *omitted > 0 || fields.len() > SHOWN || !fields.iter().all(harmless) {
        return Some(as_signed.to_owned());
    }
    if !fields.is_empty() {
        let fields = fields.into_iter().map(|path| quoted(path)).collect::<Vec<_>>().join(", ");
        let kind = key(kind);
        lines
            .push(format!("in the rule ignoreFields: [{{objects: [{{kind: {kind}}}], fields: [{fields}]}}]"));
    }
    Some(format!("{as_signed}; or {}", lines.join(" and ")))
}

fn differences(text: &mut String, changes: &[FieldChange], names: &[String], omitted: usize) {
    for (change, name) in changes.iter().zip(names).take(SHOWN) {
        let (signed, found) = (side(change.signed.as_ref()), side(change.found.as_ref()));
        line(text, "", &format!("{name}: signed {signed}, found {found}"));
    }
    let rest = changes.len().saturating_sub(SHOWN) + omitted;
    if rest > 0 {
        line(text, "", &format!("… and {rest} more"));
    }
}

fn line(text: &mut String, what: &str, value: &str) {
    let _ = writeln!(text, "    {what}{}", bounded(value, limits::REASON_CHARACTERS));
}

/// A YAML key: plain where a name is one, else in quotes.
fn key(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    let starts = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if plain && starts { name.to_owned() } else { quoted(name) }
}

/// A YAML string in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", printable(text).replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::super::{Check, DecidedBy, Subject, SubjectKind};
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

    /// What is offered must be enough, and must not let another image in.
    #[test]
    fn what_would_pass_covers_every_difference_or_is_not_offered() {
        let passes = |paths: &[&str]| {
            let change = |path: &&str| FieldChange {
                path: FieldPath::keys(path.split('.')),
                signed: None,
                found: Some(Value::from("prod")),
            };
            let reason = Reason::ManifestDiffers {
                kind: "A".into(),
                changes: paths.iter().map(change).collect(),
                omitted: 0,
                names: Vec::new(),
                suggested: paths.iter().map(|path| (*path).to_owned()).collect(),
            };
            would_pass(&decision("r", Outcome::Fail, reason)).unwrap()
        };
        let signed = "the object as it was signed, or signed again";
        let namespace = "in metadata.annotations: {kubectl-trust.io/allow-namespace: 'prod'}";
        let fields = "in the rule ignoreFields: [{objects: [{kind: A}], fields: ['data.a']}]";
        assert_eq!(passes(&["data.a"]), format!("{signed}; or {fields}"));
        assert_eq!(passes(&["metadata.namespace"]), format!("{signed}; or {namespace}"));
        assert_eq!(
            passes(&["data.a", "metadata.namespace"]),
            format!("{signed}; or {namespace} and {fields}")
        );
        assert_eq!(passes(&["data.a", "spec.image"]), signed);
        assert_eq!(passes(&["spec"]), signed);
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
                Reason::IdentityMismatch { expected: "a".into(), found: "b".into(), issuer: "c".into() },
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
