//! Every reason a check can give. Each says what was expected and what was found; its code never
//! changes meaning, its rank decides which of several becomes the headline.

use std::fmt;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::object::{FieldChange, FieldPath, ObjectRef};
use crate::signer::short;

/// Why a check ended as it did.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the message of each variant below says what its fields mean")]
pub enum Reason {
    // ---- pass
    SignatureValid {
        signer: String,
        logged: Option<Timestamp>,
    },
    ManifestMatches {
        ignored: usize,
        effects: usize,
        allowed: Vec<String>,
    },
    ThresholdMet {
        needed: usize,
        found: usize,
    },
    AnnotationsMatch,
    // ---- fail
    SignatureMissing {
        looked_for: String,
    },
    SignatureInvalid {
        problem: SignatureProblem,
    },
    MessageMissing {
        looked_for: String,
    },
    MessageUnreadable {
        problem: MessageProblem,
    },
    ManifestDiffers {
        kind: String,
        changes: Vec<FieldChange>,
        omitted: usize,
        names: Vec<String>,
        suggested: Vec<String>,
    },
    TargetMismatch {
        object: ObjectRef,
        signed: Vec<ObjectRef>,
    },
    IdentityMismatch {
        expected: String,
        found: String,
        issuer: String,
    },
    IssuerMismatch {
        expected: String,
        found: String,
        subject: String,
    },
    ClaimMismatch {
        claim: String,
        expected: String,
        found: Option<String>,
    },
    CertificateMissing,
    CertificateUntrusted {
        subject: String,
        detail: String,
    },
    CertificateNotValidAtSigning {
        signed: Timestamp,
        not_before: Timestamp,
        not_after: Timestamp,
    },
    LogEntryMissing,
    LogEntryInvalid {
        detail: String,
    },
    TimestampMissing,
    SctInvalid {
        detail: String,
    },
    AnnotationMismatch {
        key: String,
        expected: String,
        found: Option<String>,
    },
    ThresholdNotMet {
        needed: usize,
        found: usize,
        same_signer: usize,
    },
    // ---- fault
    InputUnreadable {
        problem: String,
    },
    InputEmpty,
    PolicyInvalid {
        problem: String,
    },
    PolicyUnsupported {
        what: String,
    },
    KeyUnavailable {
        reference: String,
        problem: Unavailable,
    },
    TrustRootMissing,
    NamespaceLabelsUnknown {
        namespace: String,
    },
    VariableUnresolved {
        variable: String,
        problem: String,
    },
    // ---- skip
    NotHandled {
        rule_type: String,
    },
    NeedsCluster {
        what: String,
    },
    NotMatched {
        why: String,
    },
    PreconditionsNotMet {
        why: String,
    },
    ExceptionApplies {
        names: Vec<String>,
    },
    NothingChecked,
}

/// What is wrong with a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureProblem {
    /// It verifies under none of the keys: names of the keys tried, and how many signatures there were.
    NotByKey {
        /// The key that was tried.
        key: String,
        /// Signatures in the manifest.
        signatures: usize,
    },
    /// It does not verify under the certificate that comes with it.
    NotByCertificate,
    /// It is not base64 (RFC 4648). References (`https://…`, `k8s://…`, file names) end here: nothing in
    /// a manifest is ever fetched.
    NotBase64,
    /// More than `limits::SIGNATURE_BYTES`.
    TooLarge,
}

/// What is wrong with the message annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageProblem {
    /// Not base64 (RFC 4648, standard alphabet, padded), or cut off.
    NotBase64,
    /// Larger than `limits::MESSAGE_BYTES` when decompressed: a decompression bomb.
    TooLarge,
    /// A gzip stream that breaks off or is damaged.
    BrokenGzip,
    /// A tar archive that cannot be read, or one with more entries or bytes than allowed.
    BrokenTar,
    /// Its YAML cannot be read.
    NotYaml(String),
    /// It holds no document.
    Empty,
    /// More documents than `limits::MESSAGE_DOCUMENTS`.
    TooManyDocuments,
}

/// Why something that must be fetched is not at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// There is no cluster to ask.
    NeedsCluster,
    /// A key management service; not supported.
    KeyService,
    /// The cluster or file answered, and it is not there.
    NotFound,
    /// The answer was a refusal: a missing right.
    Forbidden(String),
    /// No answer.
    Unreachable(String),
    /// It is there and is not what it should be.
    Unreadable(String),
}

impl Reason {
    /// The stable kebab-case code of the JSON contract.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.row().0
    }

    /// Which of several reasons is the headline: the higher, the more it explains. A difference says
    /// more than a missing signature, a wrong identity more than a wrong key.
    #[must_use]
    pub fn rank(&self) -> u16 {
        self.row().1
    }

    /// Whether it says that something could not be decided.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        matches!(self.rank(), 200..300)
    }

    fn row(&self) -> (&'static str, u16) {
        match self {
            Self::SignatureValid { .. } => ("signature-valid", 20),
            Self::ManifestMatches { .. } => ("manifest-matches", 10),
            Self::ThresholdMet { .. } => ("threshold-met", 15),
            Self::AnnotationsMatch => ("annotations-match", 5),
            Self::SignatureMissing { .. } => ("signature-missing", 301),
            Self::SignatureInvalid { .. } => ("signature-invalid", 310),
            Self::MessageMissing { .. } => ("message-missing", 305),
            Self::MessageUnreadable { .. } => ("message-unreadable", 380),
            Self::ManifestDiffers { .. } => ("manifest-differs", 320),
            Self::TargetMismatch { .. } => ("target-mismatch", 315),
            Self::IdentityMismatch { .. } => ("identity-mismatch", 350),
            Self::IssuerMismatch { .. } => ("issuer-mismatch", 351),
            Self::ClaimMismatch { .. } => ("claim-mismatch", 352),
            Self::CertificateMissing => ("certificate-missing", 330),
            Self::CertificateUntrusted { .. } => ("certificate-untrusted", 340),
            Self::CertificateNotValidAtSigning { .. } => ("certificate-not-valid-at-signing", 341),
            Self::LogEntryMissing => ("log-entry-missing", 335),
            Self::LogEntryInvalid { .. } => ("log-entry-invalid", 342),
            Self::TimestampMissing => ("timestamp-missing", 334),
            Self::SctInvalid { .. } => ("sct-invalid", 339),
            Self::AnnotationMismatch { .. } => ("annotation-mismatch", 318),
            Self::ThresholdNotMet { .. } => ("threshold-not-met", 300),
            Self::InputUnreadable { .. } => ("input-unreadable", 210),
            Self::InputEmpty => ("input-empty", 209),
            Self::PolicyInvalid { .. } => ("policy-invalid", 208),
            Self::PolicyUnsupported { .. } => ("policy-unsupported", 207),
            Self::KeyUnavailable { .. } => ("key-unavailable", 206),
            Self::TrustRootMissing => ("trust-root-missing", 205),
            Self::NamespaceLabelsUnknown { .. } => ("namespace-labels-unknown", 204),
            Self::VariableUnresolved { .. } => ("variable-unresolved", 203),
            Self::NotHandled { .. } => ("not-handled", 104),
            Self::NeedsCluster { .. } => ("needs-cluster", 102),
            Self::NotMatched { .. } => ("not-matched", 100),
            Self::PreconditionsNotMet { .. } => ("preconditions-not-met", 101),
            Self::ExceptionApplies { .. } => ("exception-applies", 103),
            Self::NothingChecked => ("nothing-checked", 1),
        }
    }

    /// What would have passed, in a few words.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "most reasons have none")]
    pub fn expected(&self) -> Option<String> {
        match self {
            Self::SignatureMissing { looked_for } | Self::MessageMissing { looked_for } => {
                Some(looked_for.clone())
            }
            Self::SignatureInvalid { problem: SignatureProblem::NotByKey { key, .. } } => {
                Some(format!("a signature by {key}"))
            }
            Self::ManifestDiffers { changes, .. } => {
                changes.first().map(|change| side(change.signed.as_ref()))
            }
            Self::TargetMismatch { signed, .. } => Some(list(signed)),
            Self::IdentityMismatch { expected, .. }
            | Self::IssuerMismatch { expected, .. }
            | Self::ClaimMismatch { expected, .. }
            | Self::AnnotationMismatch { expected, .. } => Some(expected.clone()),
            Self::CertificateNotValidAtSigning { not_before, not_after, .. } => {
                Some(format!("signed between {not_before} and {not_after}"))
            }
            Self::ThresholdNotMet { needed, .. } => Some(format!("{needed} different signers")),
            _ => None,
        }
    }

    /// What was there instead.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "most reasons have none")]
    pub fn found(&self) -> Option<String> {
        match self {
            Self::ManifestDiffers { changes, .. } => {
                changes.first().map(|change| side(change.found.as_ref()))
            }
            Self::TargetMismatch { object, .. } => Some(object.to_string()),
            Self::IdentityMismatch { found, .. } | Self::IssuerMismatch { found, .. } => Some(found.clone()),
            Self::ClaimMismatch { found, .. } | Self::AnnotationMismatch { found, .. } => {
                Some(found.clone().unwrap_or_else(|| "nothing".to_owned()))
            }
            Self::CertificateNotValidAtSigning { signed, .. } => Some(format!("signed at {signed}")),
            Self::ThresholdNotMet { found, .. } => Some(format!("{found}")),
            _ => None,
        }
    }

    /// The paths that differ, for a manifest that does.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "only differences have paths")]
    pub fn changed_paths(&self) -> Vec<FieldPath> {
        match self {
            Self::ManifestDiffers { changes, .. } => {
                changes.iter().map(|change| change.path.clone()).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// One side of a difference, short enough for a line.
#[must_use]
pub fn side(value: Option<&serde_json::Value>) -> String {
    const SHOWN: usize = 120;
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let clean: String = text.chars().map(|c| if c.is_control() { '�' } else { c }).collect();
    match clean.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}… ({} bytes)", &clean[..cut], text.len()),
        None => clean,
    }
}

fn list(objects: &[ObjectRef]) -> String {
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
                count(f, *ignored, "ignored field")?;
                count(f, *effects, "change of the API server's own")?;
                allowed.iter().try_for_each(|what| write!(f, ", {what}"))
            }
            Self::ThresholdMet { needed, found } => write!(f, "{found} of {needed} required"),
            Self::AnnotationsMatch => write!(f, "the annotations demanded are there"),
            Self::SignatureMissing { looked_for } => {
                write!(f, "signature not found: no annotation {looked_for}")
            }
            Self::SignatureInvalid { problem } => problem.fmt(f),
            Self::MessageMissing { looked_for } => write!(f, "message not found: no annotation {looked_for}"),
            Self::MessageUnreadable { problem } => write!(f, "the signed message cannot be read: {problem}"),
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
            Self::NothingChecked => write!(f, "nothing was checked"),
        }
    }
}

fn count(f: &mut fmt::Formatter<'_>, number: usize, what: &str) -> fmt::Result {
    match number {
        0 => Ok(()),
        1 => write!(f, ", 1 {what}"),
        _ => write!(f, ", {number} {}s", what.replacen("change of", "changes of", 1).trim_end_matches('s')),
    }
}

impl fmt::Display for SignatureProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotByKey { key, signatures } => {
                write!(f, "no signature by {}: ", short_key(key))?;
                match signatures {
                    1 => write!(f, "the one signature was made with another key, or over other bytes"),
                    n => write!(f, "the {n} signatures were made with other keys, or over other bytes"),
                }
            }
            Self::NotByCertificate => write!(f, "the signature was not made with the key of its certificate"),
            Self::NotBase64 => {
                write!(f, "the signature annotation is not base64; it is never taken for a file name or URL")
            }
            Self::TooLarge => write!(f, "the signature annotation is larger than any signature"),
        }
    }
}

fn short_key(key: &str) -> String {
    key.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for MessageProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBase64 => write!(f, "it is not base64, or is cut off"),
            Self::TooLarge => write!(
                f,
                "it is larger than {} MiB when decompressed",
                crate::limits::MESSAGE_BYTES / 1024 / 1024
            ),
            Self::BrokenGzip => write!(f, "its gzip stream is damaged or cut off"),
            Self::BrokenTar => write!(f, "its tar archive cannot be read, or is too large"),
            Self::NotYaml(problem) => write!(f, "it is not YAML ({problem})"),
            Self::Empty => write!(f, "it holds no document"),
            Self::TooManyDocuments => {
                write!(f, "it holds more than {} documents", crate::limits::MESSAGE_DOCUMENTS)
            }
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsCluster => write!(f, "it lives in a cluster, and this command does not contact one"),
            Self::KeyService => write!(f, "key management services are not supported"),
            Self::NotFound => write!(f, "it is not there"),
            Self::Forbidden(right) => write!(f, "reading it needs the right to {right}"),
            Self::Unreachable(problem) => write!(f, "no answer ({problem})"),
            Self::Unreadable(problem) => write!(f, "{problem}"),
        }
    }
}
