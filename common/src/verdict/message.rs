//! What each reason says, in one line.

use std::fmt;
use std::fmt::Write as _;

use super::{Reason, printable};
use crate::object::ObjectRef;

/// One side of a difference, short enough for a line.
#[must_use]
pub fn side(value: Option<&serde_json::Value>) -> String {
    const SHOWN: usize = 120;
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let clean = printable(&text);
    match clean.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}… ({} bytes)", &clean[..cut], text.len()),
        None => clean.into_owned(),
    }
}

pub(super) fn list(objects: &[ObjectRef]) -> String {
    const SHOWN: usize = 3;
    let mut text = objects.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if objects.len() > SHOWN {
        let _ = write!(text, " and {} more", objects.len() - SHOWN);
    }
    text
}

impl fmt::Display for Reason {
    #[expect(clippy::too_many_lines, reason = "one arm a reason")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignatureValid { signer, logged: Some(time) } => {
                write!(f, "signed by {signer}, logged at {time}")
            }
            Self::SignatureValid { signer, logged: None } => write!(f, "signed by {signer}"),
            Self::ManifestMatches { ignored, effects, allowed } => {
                write!(f, "unchanged since it was signed")?;
                count(f, *ignored, "ignored field", "ignored fields")?;
                count(f, *effects, "change of the API server's own", "changes of the API server's own")?;
                allowed.iter().try_for_each(|what| write!(f, ", {what}"))
            }
            Self::ThresholdMet { needed, found } => write!(f, "{found} of {needed} required"),
            Self::AnnotationsMatch => write!(f, "the annotations demanded are there"),
            Self::SignatureMissing { looked_for } => {
                write!(f, "signature not found: no annotation {looked_for}")
            }
            Self::SignatureInvalid { problem } => problem.fmt(f),
            Self::MessageMissing { looked_for } => write!(f, "message not found: no annotation {looked_for}"),
            Self::MessageUnreadable { problem } => {
                write!(f, "the signed message (the annotation message) cannot be read: {problem}")
            }
            Self::ManifestDiffers { changes, omitted, names, .. } => {
                write!(f, "differs from what was signed: diff found at ")?;
                let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
                match changes.len() + omitted {
                    total if total > 3 => write!(f, "{shown} and {} more", total - 3),
                    _ => f.write_str(&shown),
                }
            }
            Self::TargetMismatch { object, signed } if signed.is_empty() => {
                write!(f, "the signed message holds no object, so not {object}")
            }
            Self::TargetMismatch { object, signed } => {
                write!(f, "the signature is for another object: {}, not {object}", list(signed))
            }
            Self::IdentityMismatch { expected, found, issuer } => {
                write!(
                    f,
                    "signed, but by someone else: subject mismatch: expected {expected}, received {found} (issuer {issuer})"
                )
            }
            Self::IssuerMismatch { expected, found, subject } => {
                write!(
                    f,
                    "signed, but by another issuer's {subject}: issuer mismatch: expected {expected}, received {found}"
                )
            }
            Self::ClaimMismatch { claim, expected, found } => {
                write!(
                    f,
                    "certificate claim {claim}: expected {expected}, received {}",
                    found.as_deref().unwrap_or("nothing")
                )
            }
            Self::CertificateMissing => {
                write!(f, "the signature comes without a certificate, so no identity vouches for it")
            }
            Self::CertificateUntrusted { subject, detail } => {
                write!(f, "the certificate of {subject} does not chain to a trusted authority ({detail})")
            }
            Self::CertificateNotValidAtSigning { signed, not_before, not_after } => {
                write!(
                    f,
                    "the certificate was valid from {not_before} to {not_after}, the signature was made at {signed}"
                )
            }
            Self::LogEntryMissing => {
                write!(f, "no transparency log entry, so nothing proves when it was signed")
            }
            Self::LogEntryInvalid { detail } => {
                write!(f, "the transparency log entry does not hold: {detail}")
            }
            Self::TimestampMissing => write!(f, "no trusted time of signing"),
            Self::SctInvalid { detail } => {
                write!(f, "the certificate's transparency proof (SCT) does not hold: {detail}")
            }
            Self::AnnotationMismatch { key, expected, found } => {
                write!(
                    f,
                    "annotations mismatch: {} does not match expected value {expected} for key {key}",
                    found.as_deref().unwrap_or("nothing")
                )
            }
            Self::ThresholdNotMet { needed, found, same_signer } => {
                write!(f, "{found} of {needed} required signers")?;
                if *same_signer > 0 {
                    write!(f, " ({same_signer} more by a signer that counted already)")
                } else {
                    Ok(())
                }
            }
            Self::InputUnreadable { problem } => write!(f, "cannot be read: {problem}"),
            Self::InputEmpty => write!(f, "holds nothing to verify"),
            Self::PolicyInvalid { problem } => write!(f, "the policy is not valid: {problem}"),
            Self::PolicyUnsupported { what } => write!(f, "not supported: {what}"),
            Self::KeyUnavailable { reference, problem } => {
                write!(f, "the key {reference} is not at hand: {problem}")
            }
            Self::TrustRootMissing => write!(f, "no trust root to verify identities with"),
            Self::NamespaceLabelsUnknown { namespace } => {
                write!(f, "the rule selects by namespace labels, and those of `{namespace}` are not known")
            }
            Self::VariableUnresolved { variable, problem } => {
                write!(f, "{variable}: {problem}")
            }
            Self::NotHandled { rule_type } => {
                write!(f, "rule type `{rule_type}` is not handled by kubectl trust")
            }
            Self::NeedsCluster { what } => write!(f, "{what} needs a cluster, and there is none here"),
            Self::NotMatched { why } => write!(f, "the rule does not apply: {why}"),
            Self::PreconditionsNotMet { why } => write!(f, "preconditions not met: {why}"),
            Self::ExceptionApplies { names } => {
                write!(f, "rule is skipped due to policy exceptions {}", names.join(", "))
            }
            Self::TimestampInvalid { detail } => write!(f, "its timestamp does not hold: {detail}"),
            Self::BundleInvalid { detail } => write!(f, "its bundle is not usable: {detail}"),
            Self::ImageInvalid { image, problem } => {
                write!(f, "`{}` is not an image reference: {problem}", printable(image))
            }
            Self::ImageNotFound { image } => write!(f, "the registry has no image {image}"),
            Self::ImageVerified { image, digest } => {
                write!(f, "verified image signatures for {image} ({digest})")
            }
            Self::DigestPresent { digest } => write!(f, "pinned to {digest}"),
            Self::AttestationFound { predicate_type } => {
                write!(f, "there is one of type {predicate_type}, by anybody")
            }
            Self::ConditionsHold => write!(f, "all conditions hold"),
            Self::ImageUnverified { image } => write!(f, "unverified image {image}"),
            Self::ImageRefused { image, why, .. } if why.is_fault() => write!(f, "{image}: {why}"),
            Self::ImageRefused { image, why, .. } => {
                write!(f, "image verification failed for {image}: {why}")
            }
            Self::ImageUnsigned { .. } => write!(f, "signature not found"),
            Self::DigestMissing { image } => write!(f, "missing digest for {image}"),
            Self::DigestMismatch { expected, found } => {
                write!(f, "digest mismatch: signed was {found}, this is {expected}")
            }
            Self::ReferenceMismatch { expected, found } => {
                write!(f, "reference mismatch: signed as {found}, used as {expected}")
            }
            Self::PayloadInvalid { problem } => write!(f, "what was signed is not usable: {problem}"),
            Self::AttestationMissing { predicate_type, .. } => {
                write!(f, "attestations not found for predicate type {predicate_type}")
            }
            Self::PredicateTypeMismatch { expected, found } => {
                write!(f, "predicate type mismatch: expected {expected}, received {found}")
            }
            Self::ConditionFailed { what, expected, found, message } => match message {
                Some(message) => write!(f, "{message} ({what}: {found}, expected {expected})"),
                None => write!(f, "{what}: {found}, expected {expected}"),
            },
            Self::Registry(fault) => fault.fmt(f),
            Self::TooMuchEvidence { what } => write!(f, "{what}"),
            Self::ImageSkipped { image, pattern } => {
                write!(f, "skipping image reference image {image} ({pattern})")
            }
            Self::NothingChecked => write!(f, "nothing was checked"),
        }
    }
}

fn count(f: &mut fmt::Formatter<'_>, number: usize, one: &str, many: &str) -> fmt::Result {
    match number {
        0 => Ok(()),
        1 => write!(f, ", 1 {one}"),
        _ => write!(f, ", {number} {many}"),
    }
}
