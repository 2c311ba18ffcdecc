//! What each reason says, in one line.

use std::fmt;

use jiff::Timestamp;
use std::fmt::Write as _;

use super::advice::listed;
use super::{Reason, printable, readable};
use crate::limits;
use crate::object::{FieldChange, ObjectRef};

/// One side of a difference, short enough for a line.
#[must_use]
pub fn side(value: Option<&serde_json::Value>) -> String {
    const SHOWN: usize = 120;
    let Some(value) = value else { return "nothing".to_owned() };
    match value.as_str() {
        Some(text) => bounded(text, SHOWN),
        None => bounded(&value.to_string(), SHOWN),
    }
}

/// The text, fit for a line and cut after that many characters.
pub(super) fn bounded(text: &str, shown: usize) -> String {
    let clean = printable(text);
    match clean.char_indices().nth(shown) {
        Some((cut, _)) => format!("{}… ({} bytes)", &clean[..cut], text.len()),
        None => clean.into_owned(),
    }
}

/// What is as it was signed but for what was ignored: `as signed, except spec.replicas 2→5 (ignored)`.
fn as_signed(except: &[FieldChange], ignored: usize) -> String {
    const SHOWN: usize = 40;
    let short = |value: Option<&serde_json::Value>| bounded(&side(value), SHOWN);
    let change = |change: &FieldChange| {
        let (signed, found) = (short(change.signed.as_ref()), short(change.found.as_ref()));
        format!("{} {signed}→{found}", change.path)
    };
    let shown: Vec<_> = except.iter().take(limits::LISTED).map(change).collect();
    let more = match ignored.saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("as signed, except {}{more} (ignored)", shown.join(", "))
}

pub(super) fn list(objects: &[ObjectRef]) -> String {
    const SHOWN: usize = 3;
    let mut text = objects.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if objects.len() > SHOWN {
        let _ = write!(text, " and {} more", objects.len() - SHOWN);
    }
    text
}

/// The first of these digests in full, to be copied.
pub(super) fn first_digests(digests: &[String]) -> String {
    let shown = digests.iter().take(limits::SIGNED_DIGESTS_NAMED).map(String::as_str).collect::<Vec<_>>();
    let mut text = shown.join(", ");
    if digests.len() > shown.len() {
        let _ = write!(text, " and {} more", digests.len() - shown.len());
    }
    text
}

impl fmt::Display for Reason {
    /// One line that is fit to be shown and of bounded length. Attack A48: names of images, annotations and
    /// payloads are texts of strangers, and end in logs, events and refusals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bounded(&Words(self).to_string(), limits::REASON_CHARACTERS))
    }
}

/// What a reason says, with the texts of others as they are.
struct Words<'r>(&'r Reason);

impl fmt::Display for Words<'_> {
    #[expect(clippy::too_many_lines, reason = "one arm a reason")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reason::SignatureValid { signer, logged, timestamped } => {
                write!(f, "signed by {signer}")?;
                when(f, "logged", *logged)?;
                when(f, "timestamped", *timestamped)
            }
            Reason::ManifestMatches { ignored, except, effects, allowed } => {
                match except.as_slice() {
                    [] => write!(f, "unchanged since it was signed")?,
                    except => write!(f, "{}", as_signed(except, *ignored))?,
                }
                count(f, *effects, "change of the API server's own", "changes of the API server's own")?;
                allowed.iter().try_for_each(|what| write!(f, ", {what}"))
            }
            Reason::ThresholdMet { needed, found } => write!(f, "{found} of {needed} required"),
            Reason::AnnotationsMatch => write!(f, "the annotations demanded are there"),
            Reason::SignatureMissing { looked_for } => {
                write!(f, "signature not found: no annotation {looked_for}")
            }
            Reason::SignatureInvalid { problem } => problem.fmt(f),
            Reason::MessageMissing { looked_for } => {
                write!(f, "message not found: no annotation {looked_for}")
            }
            Reason::MessageUnreadable { problem } => {
                write!(f, "the signed message (the annotation message) cannot be read: {problem}")
            }
            Reason::ManifestDiffers { changes, omitted, names, .. } => {
                write!(f, "differs from what was signed: diff found at ")?;
                let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
                match changes.len() + omitted {
                    total if total > 3 => write!(f, "{shown} and {} more", total - 3),
                    _ => f.write_str(&shown),
                }
            }
            Reason::TargetMismatch { object, signed } if signed.is_empty() => {
                write!(f, "the signed message holds no object, so not {object}")
            }
            Reason::TargetMismatch { object, signed } => {
                write!(f, "the signature is for another object: {}, not {object}", list(signed))
            }
            Reason::IdentityMismatch { expected, found, issuer, issuer_expected } => {
                write!(
                    f,
                    "signed, but by someone else: subject mismatch: expected {expected}, received {found} (issuer {issuer}"
                )?;
                issuer_expected.iter().try_for_each(|expected| write!(f, ", expected {expected}"))?;
                f.write_str(")")
            }
            Reason::IssuerMismatch { expected, found, subject } => {
                write!(
                    f,
                    "signed, but by another issuer's {subject}: issuer mismatch: expected {expected}, received {found}"
                )
            }
            Reason::ClaimMismatch { claim, expected, found } => {
                write!(
                    f,
                    "certificate claim {claim}: expected {expected}, received {}",
                    found.as_deref().unwrap_or("nothing")
                )
            }
            Reason::CertificateMissing => {
                write!(f, "the signature comes without a certificate, so no identity vouches for it")
            }
            Reason::CertificateUntrusted { subject, detail } => {
                write!(f, "the certificate of {subject} does not chain to a trusted authority ({detail})")
            }
            Reason::CertificateNotValidAtSigning { signed, not_before, not_after } => {
                write!(
                    f,
                    "the certificate was valid from {not_before} to {not_after}, the signature was made at {signed}"
                )
            }
            Reason::CertificateNotValidNow { now, not_before, .. } if now < not_before => {
                write!(
                    f,
                    "the certificate is valid from {not_before} on; this machine's clock says {now}, which is before: \
                     is the clock right?"
                )
            }
            Reason::CertificateNotValidNow { now, not_after, .. } => {
                write!(
                    f,
                    "the certificate was valid until {not_after}, and nothing proves that the signature was made by then \
                     (this machine's clock says {now})"
                )
            }
            Reason::SigningTimeInFuture { signed, now } => {
                write!(
                    f,
                    "this machine's clock says {now}, which is before the signing time {signed}: is the clock right?"
                )
            }
            Reason::LogEntryMissing => {
                write!(f, "no transparency log entry, so nothing proves when it was signed")
            }
            Reason::LogEntryInvalid { detail } => {
                write!(f, "the transparency log entry does not hold: {detail}")
            }
            Reason::TimestampMissing => write!(f, "no trusted time of signing"),
            Reason::SctInvalid { detail } => {
                write!(f, "the certificate's transparency proof (SCT) does not hold: {detail}")
            }
            Reason::AnnotationMismatch { key, expected, found } => {
                write!(
                    f,
                    "annotations mismatch: {} does not match expected value {expected} for key {key}",
                    found.as_deref().unwrap_or("nothing")
                )
            }
            Reason::ThresholdNotMet { needed, found, same_signer, missing } => {
                write!(f, "{found} of {needed} required signers")?;
                if *same_signer > 0 {
                    write!(f, " ({same_signer} more by a signer that counted already)")?;
                }
                if missing.is_empty() { Ok(()) } else { write!(f, "; not signed by {}", listed(missing)) }
            }
            Reason::InputUnreadable { problem } => write!(f, "cannot be read: {problem}"),
            Reason::InputEmpty => write!(f, "holds nothing to verify"),
            Reason::PolicyInvalid { problem } => write!(f, "the policy is not valid: {problem}"),
            Reason::PolicyUnsupported { what } => write!(f, "not supported: {what}"),
            Reason::KeyUnavailable { reference, problem } => {
                write!(f, "the key {reference} is not at hand: {problem}")
            }
            Reason::TrustRootMissing => write!(f, "no trust root to verify identities with"),
            Reason::TrustRootUnknown { name } => {
                write!(f, "the policy names the trust root {name}, and there is none that can be used")
            }
            Reason::NamespaceLabelsUnknown { namespace } => {
                write!(f, "the rule selects by namespace labels, and those of `{namespace}` are not known")
            }
            Reason::VariableUnresolved { variable, problem } => {
                write!(f, "{variable}: {problem}")
            }
            Reason::NotHandled { rule_type } => {
                write!(f, "rule type `{rule_type}` is not handled by kubectl trust")
            }
            Reason::NeedsCluster { what } => write!(f, "{what} needs a cluster, and there is none here"),
            Reason::NotMatched { why, at: None } => write!(f, "the rule does not apply: {why}"),
            Reason::NotMatched { why, at: Some(at) } => write!(f, "the rule does not apply: {why} ({at})"),
            Reason::UpdateStartsNothing { why } => write!(f, "nothing new can run: {why}"),
            Reason::PreconditionsNotMet { why } => write!(f, "preconditions not met: {why}"),
            Reason::ExceptionApplies { names } => {
                write!(f, "rule is skipped due to policy exceptions {}", names.join(", "))
            }
            Reason::TimestampInvalid { detail } => write!(f, "its timestamp does not hold: {detail}"),
            Reason::BundleInvalid { detail } => write!(f, "its bundle is not usable: {detail}"),
            Reason::ImageInvalid { image, problem } => {
                write!(f, "`{}` is not an image reference: {problem}", name(image))
            }
            Reason::ImageNotFound { image } => write!(f, "the registry has no image {image}"),
            Reason::ImageAmbiguous { image, first, second } => {
                write!(
                    f,
                    "the registry says that {image} is {first}, and {second} when asked with other credentials"
                )
            }
            Reason::ImageVerified { image, digest } => {
                write!(f, "verified image signatures for {image} ({digest})")
            }
            Reason::DigestPresent { digest } => write!(f, "pinned to {digest}"),
            Reason::AttestationFound { predicate_type } => {
                write!(f, "there is one of type {predicate_type}, by anybody")
            }
            Reason::ConditionsHold => write!(f, "all conditions hold"),
            Reason::ImageUnverified { image } => write!(f, "unverified image {image}"),
            Reason::ImageRefused { image, why, .. } if why.is_fault() => write!(f, "{}: {why}", name(image)),
            Reason::ImageRefused { image, why, .. } => {
                write!(f, "image verification failed for {}: {why}", name(image))
            }
            Reason::ImageUnsigned { .. } => write!(f, "signature not found"),
            Reason::DigestMissing { image } => write!(f, "missing digest for {image}"),
            Reason::DigestMismatch { expected, found } => {
                write!(f, "digest mismatch: signed was {found}, this is {expected}")
            }
            Reason::ReferenceMismatch { expected, found } => {
                write!(f, "reference mismatch: signed as {found}, used as {expected}")
            }
            Reason::PayloadInvalid { problem } => write!(f, "what was signed is not usable: {problem}"),
            Reason::AttestationMissing { predicate_type, .. } => {
                write!(f, "attestations not found for predicate type {predicate_type}")
            }
            Reason::PredicateTypeMismatch { expected, found } => {
                write!(f, "predicate type mismatch: expected {expected}, received {found}")
            }
            Reason::ConditionFailed { what, expected, found, message } => {
                let (found, expected) = (readable(found), readable(expected));
                match message {
                    Some(message) => write!(f, "{message} ({what}: {found}, expected {expected})"),
                    None => write!(f, "{what}: {found}, expected {expected}"),
                }
            }
            Reason::Registry(fault) => fault.fmt(f),
            Reason::TooMuchEvidence { what } => write!(f, "{what}"),
            Reason::StatementSuperseded { of, by } => {
                write!(f, "of {of}; the same signer made a newer one, of {by}")
            }
            Reason::ImageSkipped { image, pattern } => {
                write!(f, "skipping image reference image {image} ({pattern})")
            }
            Reason::NothingChecked => write!(f, "nothing was checked"),
        }
    }
}

/// What an object calls an image, which need not be the name of one.
fn name(image: &str) -> String {
    bounded(image, limits::REFERENCE_BYTES)
}

fn when(f: &mut fmt::Formatter<'_>, what: &str, time: Option<Timestamp>) -> fmt::Result {
    time.map_or(Ok(()), |time| write!(f, ", {what} at {time}"))
}

fn count(f: &mut fmt::Formatter<'_>, number: usize, one: &str, many: &str) -> fmt::Result {
    match number {
        0 => Ok(()),
        1 => write!(f, ", 1 {one}"),
        _ => write!(f, ", {number} {many}"),
    }
}
