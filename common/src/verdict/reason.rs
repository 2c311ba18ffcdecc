//! Every reason a check can give. Each says what was expected and what was found; its code never
//! changes meaning, its rank decides which of several becomes the headline.

use std::borrow::Cow;

use jiff::Timestamp;

use super::message::{first_digests, list, side};
use super::problem::{MessageProblem, SignatureProblem, Unavailable};
use super::registry::RegistryFault;
use crate::object::{FieldChange, FieldPath, ObjectRef};

/// Why a check ended as it did.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the message of each variant below says what its fields mean")]
pub enum Reason {
    // ---- pass
    SignatureValid {
        signer: String,
        logged: Option<Timestamp>,
        timestamped: Option<Timestamp>,
    },
    ManifestMatches {
        ignored: usize,
        /// Of what was ignored, the first.
        except: Vec<FieldChange>,
        effects: usize,
        allowed: Vec<String>,
    },
    ThresholdMet {
        needed: usize,
        found: usize,
    },
    AnnotationsMatch,
    ImageVerified {
        image: String,
        digest: String,
    },
    DigestPresent {
        digest: String,
    },
    AttestationFound {
        predicate_type: String,
    },
    ConditionsHold,
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
        /// Which issuer should vouch for it, where that one may not.
        issuer_expected: Option<String>,
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
    /// Nothing proves when it was signed, so that the clock counts.
    CertificateNotValidNow {
        now: Timestamp,
        not_before: Timestamp,
        not_after: Timestamp,
    },
    /// A log took it in at a time that is still to come by the clock.
    SigningTimeInFuture {
        signed: Timestamp,
        now: Timestamp,
    },
    LogEntryMissing,
    LogEntryInvalid {
        detail: String,
    },
    TimestampMissing,
    TimestampInvalid {
        detail: String,
    },
    BundleInvalid {
        detail: String,
    },
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
        /// Who did not sign.
        missing: Vec<String>,
    },
    ImageInvalid {
        image: String,
        problem: String,
    },
    ImageNotFound {
        image: String,
    },
    /// One tag, two answers: a verdict about either would not be one about what runs.
    ImageAmbiguous {
        image: String,
        first: String,
        second: String,
    },
    ImageUnsigned {
        looked_for: Vec<String>,
        only: Vec<String>,
        /// Digests of other images beside which signatures are; some only where the tag may have been moved.
        others_signed: Vec<String>,
    },
    ImageUnverified {
        image: String,
    },
    /// Why an image is refused, or cannot be judged: code and advice are those of `why`.
    ImageRefused {
        image: String,
        digest: Option<String>,
        why: Box<Reason>,
    },
    DigestMissing {
        image: String,
    },
    DigestMismatch {
        expected: String,
        found: String,
    },
    ReferenceMismatch {
        expected: String,
        found: String,
    },
    PayloadInvalid {
        problem: String,
    },
    AttestationMissing {
        predicate_type: String,
        found: Vec<String>,
        /// As in [`Self::ImageUnsigned`].
        others_signed: Vec<String>,
    },
    PredicateTypeMismatch {
        expected: String,
        found: String,
    },
    StatementSuperseded {
        of: Timestamp,
        by: Timestamp,
    },
    ConditionFailed {
        what: String,
        expected: String,
        found: String,
        message: Option<String>,
    },
    // ---- fault
    Registry(RegistryFault),
    TooMuchEvidence {
        what: String,
    },
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
    TrustRootUnknown {
        name: String,
    },
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
        why: Cow<'static, str>,
        at: Option<FieldPath>,
    },
    UpdateStartsNothing {
        why: &'static str,
    },
    PreconditionsNotMet {
        why: String,
    },
    ExceptionApplies {
        names: Vec<String>,
    },
    ImageSkipped {
        image: String,
        pattern: String,
    },
    NothingChecked,
}

impl Reason {
    /// The reason itself, without the name of the image that it is about.
    #[must_use]
    pub fn itself(&self) -> &Self {
        if let Self::ImageRefused { why, .. } = self { why.itself() } else { self }
    }

    /// Whether it says that an update passed because nothing new can run.
    #[must_use]
    pub fn is_update_passed(&self) -> bool {
        matches!(self, Self::UpdateStartsNothing { .. })
    }

    /// Whether a rule that is about the object was skipped because its policy or an exception says so: what the policy
    /// wants is done.
    #[must_use]
    pub fn is_wanted_skip(&self) -> bool {
        matches!(
            self.itself(),
            Self::PreconditionsNotMet { .. }
                | Self::ExceptionApplies { .. }
                | Self::ImageSkipped { .. }
                | Self::UpdateStartsNothing { .. }
        )
    }

    /// Whether a rule is not ours to judge.
    #[must_use]
    pub fn is_not_handled(&self) -> bool {
        matches!(self, Self::NotHandled { .. })
    }

    /// What would have passed, in a few words.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "most reasons have none")]
    pub fn expected(&self) -> Option<String> {
        match self {
            Self::SignatureMissing { looked_for } | Self::MessageMissing { looked_for } => {
                Some(looked_for.clone())
            }
            Self::ImageRefused { why, .. } => why.expected(),
            Self::ImageUnsigned { looked_for, .. } => Some(looked_for.join(", ")),
            Self::AttestationMissing { predicate_type, .. } => {
                Some(format!("an attestation of type {predicate_type}"))
            }
            Self::SignatureInvalid { problem: SignatureProblem::NotByKey { key, .. } } => {
                Some(format!("a signature by {key}"))
            }
            Self::ManifestDiffers { changes, .. } => {
                changes.first().map(|change| side(change.signed.as_ref()))
            }
            Self::TargetMismatch { signed, .. } => Some(list(signed)),
            Self::DigestMismatch { expected, .. }
            | Self::ImageAmbiguous { first: expected, .. }
            | Self::ReferenceMismatch { expected, .. }
            | Self::PredicateTypeMismatch { expected, .. }
            | Self::ConditionFailed { expected, .. }
            | Self::IdentityMismatch { expected, .. }
            | Self::IssuerMismatch { expected, .. }
            | Self::ClaimMismatch { expected, .. }
            | Self::AnnotationMismatch { expected, .. } => Some(expected.clone()),
            Self::CertificateNotValidAtSigning { not_before, not_after, .. } => {
                Some(format!("signed between {not_before} and {not_after}"))
            }
            Self::CertificateNotValidNow { not_before, not_after, .. } => {
                Some(format!("valid now; it is from {not_before} to {not_after}"))
            }
            Self::SigningTimeInFuture { now, .. } => Some(format!("signed before {now}")),
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
            Self::IdentityMismatch { found, .. }
            | Self::IssuerMismatch { found, .. }
            | Self::DigestMismatch { found, .. }
            | Self::ImageAmbiguous { second: found, .. }
            | Self::ReferenceMismatch { found, .. }
            | Self::PredicateTypeMismatch { found, .. }
            | Self::ConditionFailed { found, .. } => Some(found.clone()),
            Self::ImageRefused { why, .. } => why.found(),
            Self::ImageUnsigned { only, .. } if !only.is_empty() => {
                Some(format!("attestations only: {}", only.join(", ")))
            }
            Self::AttestationMissing { found, .. } if !found.is_empty() => Some(found.join(", ")),
            Self::ImageUnsigned { others_signed, .. } | Self::AttestationMissing { others_signed, .. }
                if !others_signed.is_empty() =>
            {
                Some(format!(
                    "signatures of other images of the repository: {}",
                    first_digests(others_signed)
                ))
            }
            Self::ClaimMismatch { found, .. } | Self::AnnotationMismatch { found, .. } => {
                Some(found.clone().unwrap_or_else(|| "nothing".to_owned()))
            }
            Self::CertificateNotValidAtSigning { signed, .. } | Self::SigningTimeInFuture { signed, .. } => {
                Some(format!("signed at {signed}"))
            }
            Self::CertificateNotValidNow { now, .. } => Some(format!("the clock says {now}")),
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
