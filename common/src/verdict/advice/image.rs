//! What can be done about an image.

use super::{Signers, Step, Voice, Way, shell_word};
use crate::verdict::{Reason, RegistryProblem, SignatureProblem};

/// Attack: the attacker moves a tag to an image of his own, and advice has its owner sign that.
const BUILT: &str = "if you built this image";

/// The ways out; `None` where they are those of everything else.
#[expect(clippy::wildcard_enum_match_arm, reason = "most reasons are those of everything else")]
pub(super) fn ways(
    image: &str,
    digest: Option<&str>,
    why: &Reason,
    signers: Option<&Signers>,
    voice: Voice,
) -> Option<Vec<Way>> {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let pinned = digest.map_or_else(|| image.to_owned(), |digest| format!("{name}@{digest}"));
    let sign = || Way::new(BUILT, signed(("sign", &pinned, ""), signers, voice));
    Some(match why {
        Reason::ImageUnsigned { others_signed, .. } | Reason::AttestationMissing { others_signed, .. }
            if !others_signed.is_empty() =>
        {
            moved(without_tag(image), &pinned, others_signed, signers)
        }
        Reason::AttestationMissing { predicate_type, .. } => {
            let rest = format!(" --type {} --predicate FILE", shell_word(predicate_type));
            vec![Way::new("if you checked this image", signed(("attest", &pinned, &rest), signers, voice))]
        }
        Reason::SignatureInvalid { problem: SignatureProblem::NotByKey { .. } } => match voice {
            Voice::Flags => vec![super::object::other_key(), sign()],
            Voice::Policy => vec![sign()],
        },
        // Nothing was found beside the manifest that the tag is now; it may have been another.
        Reason::ImageUnsigned { .. } if digest.is_some() && !image.contains('@') => {
            let signed = format!("the image by the digest that was signed, {}@sha256:…", without_tag(image));
            vec![sign(), Way::new("if the tag was moved", vec![Step::Say(signed.into())])]
        }
        Reason::ImageUnsigned { .. }
        | Reason::ThresholdNotMet { .. }
        | Reason::CertificateNotValidAtSigning { .. }
        | Reason::CertificateNotValidNow { .. }
        | Reason::LogEntryInvalid { .. }
        | Reason::TimestampMissing
        | Reason::TimestampInvalid { .. }
        | Reason::BundleInvalid { .. }
        | Reason::PayloadInvalid { .. }
        | Reason::DigestMismatch { .. }
        | Reason::ReferenceMismatch { .. }
        | Reason::AnnotationMismatch { .. }
        | Reason::SignatureInvalid { .. } => vec![sign()],
        Reason::CertificateMissing => match voice {
            Voice::Flags => vec![super::object::by_a_key(), sign()],
            Voice::Policy => vec![sign()],
        },
        Reason::IdentityMismatch { .. } | Reason::IssuerMismatch { .. } => {
            let mut ways = vec![super::object::trust(why), sign()];
            if voice == Voice::Policy {
                ways.reverse();
            }
            ways
        }
        Reason::ConditionFailed { .. } => vec![Way::say(
            "a statement that keeps to it; every such statement by that signer must, or in the policy the newest \
             (kubectl-trust.io/newest-by)",
        )],
        // A policy that asks for a log asks for it of everybody's images: only the caller of one command may do without.
        Reason::LogEntryMissing => match voice {
            Voice::Flags => vec![sign(), without_log()],
            Voice::Policy => vec![sign()],
        },
        Reason::DigestMissing { .. } => vec![match digest {
            Some(_) => Way::say(format!("image: {}", shell_word(&pinned))),
            None => Way::say("the image by its digest, NAME@sha256:…"),
        }],
        Reason::ImageAmbiguous { .. } => {
            vec![Way::say("try again if the tag was moved just now, or name the image by its digest")]
        }
        Reason::ImageNotFound { .. } => vec![Way::say("is the name right, and was the image pushed?")],
        Reason::ImageInvalid { .. } => vec![Way::say(
            "a name that is one: REGISTRY/REPOSITORY:TAG, or REGISTRY/REPOSITORY@sha256:DIGEST",
        )],
        Reason::ImageUnverified { .. } => {
            vec![Way::say("nothing can: the rule names nobody who could have signed; it needs attestors")]
        }
        Reason::Registry(fault) => vec![registry(image, &fault.problem)?],
        _ => return None,
    })
}

/// The tag names an unsigned manifest, and other manifests of its repository are signed.
///
/// Attack: the attacker moves a tag away from the signed image, and the owner runs the command of the refusal. So the
/// refusal gives no command; the signer checks the image first.
fn moved(name: &str, pinned: &str, others_signed: &[String], signers: Option<&Signers>) -> Vec<Way> {
    // One is to be pasted; of several the reader must choose, and what was found names them.
    let which = if let [only] = others_signed { format!(" ({only})") } else { String::new() };
    let signers = signers.filter(|signers| !signers.each.is_empty());
    let signer = signers.map(|signers| format!(" ({})", signers.names())).unwrap_or_default();
    vec![
        Way::say(format!(
            "the tag may have been moved: what it names now has no signature, other images of {name} have{which}. \
             Find out who moved it, and name the image by the digest that was signed"
        )),
        Way::new(
            "if the image is new",
            vec![Step::Say(format!("ask its signer{signer} to check and sign {pinned}").into())],
        ),
    ]
}

/// The name without its tag; the colon of a port stands before the last slash.
fn without_tag(image: &str) -> &str {
    let last = image.rfind('/').map_or(0, |slash| slash + 1);
    image[last..].find(':').map_or(image, |colon| &image[..last + colon])
}

/// A command for each signer; words where there is none for one of them.
fn signed((command, pinned, rest): (&str, &str, &str), signers: Option<&Signers>, voice: Voice) -> Vec<Step> {
    let unnamed = super::object::unnamed();
    let signers = signers.filter(|signers| !signers.each.is_empty()).unwrap_or(&unnamed);
    if !signers.has_commands() {
        return super::object::in_words(signers);
    }
    let several = signers.are_several();
    let one = |signer: &super::SignWith| {
        let format = if signer.legacy && command == "sign" { " --format legacy" } else { "" };
        let flags = signer.flags(true, several);
        let command = format!("kubectl trust {command} {}{rest} {flags}{format}", shell_word(pinned));
        Step::Run { command, comment: signer.comment(several, voice) }
    };
    let mut steps: Vec<_> = signers.each.iter().map(one).collect();
    signers.or_another(&mut steps);
    steps
}

/// The key still has to have signed this very image.
fn without_log() -> Way {
    Way::new("if its signer uses no transparency log", vec![Step::Say("--insecure-ignore-tlog".into())])
}

#[expect(clippy::wildcard_enum_match_arm, reason = "nothing but waiting helps against the others")]
fn registry(image: &str, problem: &RegistryProblem) -> Option<Way> {
    let image = shell_word(image);
    let record = || format!("kubectl trust record {image} --to images/");
    match problem {
        RegistryProblem::NotRecorded => {
            Some(Way::new("", vec![Step::Run { command: record(), comment: String::new() }]))
        }
        RegistryProblem::SignaturesNotRecorded { repository } => {
            let command = format!("{} --signature-repository {}", record(), shell_word(repository));
            Some(Way::new("", vec![Step::Run { command, comment: String::new() }]))
        }
        RegistryProblem::Unauthorized { .. } => {
            let host = image.split('/').next().unwrap_or(&image);
            Some(Way::say(format!(
                "log in to the registry (docker login {host}), or ask its owner for access"
            )))
        }
        RegistryProblem::DeadlineExceeded | RegistryProblem::RateLimited { .. } => Some(Way::say(
            "try again; where it happens often, a mirror nearby, or the image by its digest, asks for less",
        )),
        RegistryProblem::Status(500..) => Some(Way::say("try again; the registry has a fault of its own")),
        RegistryProblem::Unreachable(_) => {
            Some(Way::say(format!("is the registry running? Offline: {}", record())))
        }
        _ => None,
    }
}
