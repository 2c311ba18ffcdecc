//! What can be done about a manifest, a file, or whatever is not special to images.

use super::{SignWith, Signers, Step, Voice, Way, Who, ignorable, shell_word};
use crate::object::{FieldChange, FieldPath};
use crate::verdict::{Reason, SignatureProblem, Subject, SubjectKind, Unavailable};

/// What becomes of the signatures that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Earlier {
    /// They go: they are of something else.
    Replace,
    /// They stay: another is missing beside them.
    Keep,
}

/// The ways out; `None` where nothing but the cause helps.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are not about signing")]
pub(super) fn ways(
    reason: &Reason,
    signers: Option<&Signers>,
    subject: &Subject,
    voice: Voice,
) -> Option<Vec<Way>> {
    let sign = |earlier| Way::new("", signed(subject, signers, earlier, voice));
    let again = |earlier| Way { when: "to sign it again".into(), ..sign(earlier) };
    let beside = |other: Way| match voice {
        Voice::Flags => vec![other, again(Earlier::Keep)],
        Voice::Policy => vec![sign(Earlier::Keep)],
    };
    Some(match reason {
        Reason::SignatureMissing { .. } | Reason::MessageMissing { .. } => vec![sign(Earlier::Replace)],
        Reason::ThresholdNotMet { .. } if signers.is_none_or(|signers| signers.each.is_empty()) => {
            vec![Way::say("a signature by one signer more; who signs twice counts once")]
        }
        Reason::ThresholdNotMet { .. } => vec![sign(Earlier::Keep)],
        Reason::SignatureInvalid { problem: SignatureProblem::NotByKey { .. } } => beside(other_key()),
        Reason::CertificateMissing => beside(by_a_key()),
        Reason::SignatureInvalid { .. }
        | Reason::CertificateNotValidAtSigning { .. }
        | Reason::CertificateNotValidNow { .. }
        | Reason::LogEntryMissing
        | Reason::LogEntryInvalid { .. }
        | Reason::TimestampMissing
        | Reason::TimestampInvalid { .. }
        | Reason::BundleInvalid { .. }
        | Reason::PayloadInvalid { .. } => vec![again(Earlier::Keep)],
        // Of a manifest, the object itself must carry it, so all sign anew what one of them wrote.
        Reason::AnnotationMismatch { key, expected, .. } if signers.is_some_and(Signers::are_several) => {
            vec![Way::say(format!("the annotation {key}: {expected} in what all of them sign"))]
        }
        Reason::AnnotationMismatch { .. } | Reason::MessageUnreadable { .. } => vec![again(Earlier::Replace)],
        Reason::ManifestDiffers { .. } => differs(reason, signers, subject, voice),
        Reason::TargetMismatch { .. } => vec![sign_anew(reason, signers, subject, voice)],
        Reason::IdentityMismatch { .. } | Reason::IssuerMismatch { .. } => {
            let mut ways = vec![trust(reason), again(Earlier::Keep)];
            if voice == Voice::Policy {
                ways.reverse();
            }
            ways
        }
        other => return not_by_signing(other, subject, voice),
    })
}

/// The ways out that are none of signing.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others say what is wrong, and nothing else helps")]
fn not_by_signing(reason: &Reason, subject: &Subject, voice: Voice) -> Option<Vec<Way>> {
    Some(match reason {
        Reason::ClaimMismatch { claim, expected, .. } => {
            vec![Way::say(format!("a signature whose certificate says {claim}: {expected}"))]
        }
        Reason::CertificateUntrusted { .. } => vec![match voice {
            Voice::Flags => Way::new(
                "if a private authority issued it",
                vec![Step::Say("--ca-roots FILE or --trusted-root FILE".into())],
            ),
            Voice::Policy => Way::say(
                "a signature with a certificate for code signing that an authority of the rule issued (keyless.roots, \
                 certificates.certChain)",
            ),
        }],
        // Without the proof, a certificate may have been issued in secret: the log's key is what is missing.
        Reason::SctInvalid { .. } => vec![Way::new(
            "if a private authority issued it",
            vec![Step::Say(match voice {
                Voice::Flags => "--ct-public-key FILE or --trusted-root FILE".into(),
                Voice::Policy => "the key of its CT log in the rule: ctlog.pubkey".into(),
            })],
        )],
        Reason::PredicateTypeMismatch { found, .. } if subject.kind == SubjectKind::Blob => {
            // What is signed without a statement is verified without a type.
            let flag = if found == "a signature" {
                "no --type".to_owned()
            } else {
                format!("--type {}", shell_word(found))
            };
            vec![Way::new("if that is what you want to know of it", vec![Step::Say(flag.into())])]
        }
        Reason::TrustRootUnknown { name } => vec![Way::say(format!(
            "a TrustRoot of the name {}, in the cluster or among the policies",
            shell_word(name)
        ))],
        Reason::TrustRootMissing => vec![Way::say(match voice {
            Voice::Flags => "--trusted-root FILE",
            Voice::Policy => "--trusted-root FILE, or in the policies a TrustRoot that the rule names",
        })],
        Reason::KeyUnavailable { problem: Unavailable::NeedsCluster, .. } => {
            vec![Way::say("the key itself, in a file or in the policy")]
        }
        Reason::VariableUnresolved { .. } => {
            vec![Way::say("give the variable a value: -s NAME=VALUE, or in a values file")]
        }
        _ => return None,
    })
}

/// What was signed, or what is there signed anew, or a rule that allows the difference.
fn differs(reason: &Reason, signers: Option<&Signers>, subject: &Subject, voice: Voice) -> Vec<Way> {
    let (allowed, anew) = (allowed(reason, subject, voice), sign_anew(reason, signers, subject, voice));
    match voice {
        Voice::Flags => allowed.into_iter().chain([anew]).collect(),
        Voice::Policy => [Way::say("the object as it was signed"), anew].into_iter().chain(allowed).collect(),
    }
}

/// The object as it is, signed by all who must sign.
pub(super) fn sign_anew(reason: &Reason, signers: Option<&Signers>, subject: &Subject, voice: Voice) -> Way {
    let when = match voice {
        _ if matches!(reason, Reason::TargetMismatch { .. }) => "to sign this object",
        Voice::Flags => "to sign this version",
        // Who reads it may be another than who signs.
        Voice::Policy => "if you made or checked the change",
    };
    Way::new(when, signed(subject, signers, Earlier::Replace, voice))
}

/// What a policy or flags could allow, where that is enough for every difference.
fn allowed(reason: &Reason, subject: &Subject, voice: Voice) -> Option<Way> {
    let Reason::ManifestDiffers { changes, suggested, omitted: 0, .. } = reason else { return None };
    let namespace = changes.iter().find_map(injected_namespace);
    let others = changes.len() - usize::from(namespace.is_some());
    if others > 0 && suggested.is_empty() {
        return None;
    }
    let mut steps = Vec::new();
    if let Some(namespace) = namespace {
        steps.push(Step::AllowNamespace { namespace: namespace.to_owned() });
    }
    if !suggested.is_empty() {
        steps.push(Step::Ignore { object: subject.object.clone(), fields: suggested.clone() });
    }
    let when = match (namespace, voice) {
        (Some(_), _) => "if it was signed for any namespace",
        (None, Voice::Flags) => "to allow such changes",
        (None, Voice::Policy) => "",
    };
    Some(Way::new(when, steps))
}

/// The namespace of an object that was signed without one.
#[must_use]
pub fn injected_namespace(change: &FieldChange) -> Option<&str> {
    let absent = change.signed.as_ref().is_none_or(serde_json::Value::is_null);
    let found = change.found.as_ref().and_then(|found| found.as_str());
    found.filter(|_| absent && change.path == FieldPath::keys(["metadata", "namespace"]))
}

/// The names of the differences that must stay signed.
#[must_use]
pub fn must_stay_signed<'r>(reason: &'r Reason, subject: &Subject) -> Vec<&'r str> {
    let Reason::ManifestDiffers { changes, names, .. } = reason else { return Vec::new() };
    let kept = |change: &FieldChange| {
        injected_namespace(change).is_none()
            && ignorable(&subject.object, std::slice::from_ref(change)).is_none()
    };
    changes.iter().zip(names).filter(|(change, _)| kept(change)).map(|(_, name)| name.as_str()).collect()
}

/// A command for each signer; words where there is none for one of them.
fn signed(subject: &Subject, signers: Option<&Signers>, earlier: Earlier, voice: Voice) -> Vec<Step> {
    let unnamed = unnamed();
    let signers = signers.filter(|signers| !signers.each.is_empty()).unwrap_or(&unnamed);
    if !signers.has_commands() {
        return in_words(signers);
    }
    let several = signers.are_several();
    let one = |(at, signer): (usize, &SignWith)| {
        let keep = earlier == Earlier::Keep || at > 0;
        let flags = signer.flags(false, several);
        let mut command = command(subject, &flags, keep, at > 0);
        if let Some(domain) = &signers.domain {
            command.push_str(&format!(" --annotation-domain {}", shell_word(domain)));
        }
        Step::Run { command, comment: signer.comment(several, voice) }
    };
    let mut steps: Vec<_> = signers.each.iter().enumerate().map(one).collect();
    signers.or_another(&mut steps);
    steps
}

/// `kubectl trust sign` for what the subject is. `keep`: earlier signatures stay; `again`: the command before
/// this one wrote the file.
fn command(subject: &Subject, flags: &str, keep: bool, again: bool) -> String {
    let file = subject.source.rsplit_once('#').map_or(subject.source.as_str(), |(file, _)| file);
    if subject.kind == SubjectKind::Blob {
        let bundle = format!("{file}.bundle");
        return format!(
            "kubectl trust sign --blob {} {flags} --bundle {}",
            shell_word(file),
            shell_word(&bundle)
        );
    }
    // What a cluster has is only a copy of the file that is signed.
    let is_copy = subject.kind == SubjectKind::Resource && !subject.source.contains('#');
    let built = file.strip_prefix("-k ");
    let (from, output) = match (file, built) {
        _ if is_copy => ("-f FILE".to_owned(), "--in-place"),
        ("-", _) | (_, Some(_)) if again => ("-f signed.yaml".to_owned(), "--in-place"),
        // Neither standard input nor what a kustomization builds can be written back.
        ("-", _) => ("-f -".to_owned(), "-o signed.yaml"),
        (_, Some(folder)) => (format!("-k {}", shell_word(folder)), "-o signed.yaml"),
        (file, None) => (format!("-f {}", shell_word(file)), "--in-place"),
    };
    let mut command = format!("kubectl trust sign {from} {flags}");
    if keep {
        command.push_str(" --append");
    }
    command.push_str(&format!(" {output}"));
    // Its items are applied one by one, and each needs a signature of its own.
    if subject.source.rsplit_once('#').is_some_and(|(_, place)| place.contains(".items[")) {
        command.push_str(" --expand-lists");
    }
    command
}

/// Who signs, where nothing says who must.
pub(super) fn unnamed() -> Signers {
    let who = Who::Key { name: String::new(), log: None };
    Signers::one(SignWith { who, annotations: Vec::new(), legacy: false })
}

/// What is needed, where no command of ours makes it.
pub(super) fn in_words(signers: &Signers) -> Vec<Step> {
    let names: Vec<_> = signers.each.iter().map(SignWith::name).collect();
    vec![Step::Say(format!("signatures that kubectl trust does not make: {}", super::listed(&names)).into())]
}

pub(super) fn other_key() -> Way {
    Way::new("if it was signed with another key", vec![Step::Say("--key FILE".into())])
}

pub(super) fn by_a_key() -> Way {
    Way::new("if it was signed with a key", vec![Step::Say("--key FILE".into())])
}

/// The identity, the issuer, or both, as they are in the certificate.
pub(super) fn trust(reason: &Reason) -> Way {
    let mut steps = Vec::new();
    let mut when = "if you trust that signer";
    if let Reason::IdentityMismatch { expected, found, issuer, issuer_expected } = reason {
        steps.push(Step::TrustIdentity { found: found.clone(), expected: expected.clone() });
        if let Some(expected) = issuer_expected {
            steps.push(Step::TrustIssuer { found: issuer.clone(), expected: expected.clone() });
        }
    } else if let Reason::IssuerMismatch { expected, found, .. } = reason {
        when = "if you trust that issuer";
        steps.push(Step::TrustIssuer { found: found.clone(), expected: expected.clone() });
    }
    Way::new(when, steps)
}
