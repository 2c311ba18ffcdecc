//! The code of each reason, and how much it explains.

use super::Reason;

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

    /// Whether it says that something was looked at and is not as demanded.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.rank() >= 300
    }

    /// Code and rank: below 200 nothing is wrong, below 300 something could not be decided.
    fn row(&self) -> (&'static str, u16) {
        match self {
            Self::SignatureValid { .. } => ("signature-valid", 20),
            Self::ManifestMatches { .. } => ("manifest-matches", 10),
            Self::ThresholdMet { .. } => ("threshold-met", 15),
            Self::AnnotationsMatch => ("annotations-match", 5),
            Self::SignatureMissing { .. } | Self::ImageUnsigned { .. } => ("signature-missing", 301),
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
            Self::CertificateNotValidAtSigning { .. } | Self::CertificateNotValidNow { .. } => {
                ("certificate-not-valid-at-signing", 341)
            }
            Self::SigningTimeInFuture { .. } => ("signing-time-in-future", 344),
            Self::LogEntryMissing => ("log-entry-missing", 335),
            Self::LogEntryInvalid { .. } => ("log-entry-invalid", 342),
            Self::TimestampMissing => ("timestamp-missing", 334),
            Self::TimestampInvalid { .. } => ("timestamp-invalid", 343),
            Self::BundleInvalid { .. } => ("bundle-invalid", 313),
            Self::SctInvalid { .. } => ("sct-invalid", 339),
            Self::AnnotationMismatch { .. } => ("annotation-mismatch", 318),
            Self::ThresholdNotMet { .. } => ("threshold-not-met", 300),
            Self::ImageInvalid { .. } => ("image-invalid", 390),
            Self::ImageNotFound { .. } => ("image-not-found", 385),
            Self::ImageAmbiguous { .. } => ("image-ambiguous", 386),
            Self::ImageVerified { .. } => ("image-verified", 25),
            Self::DigestPresent { .. } => ("digest-present", 6),
            Self::AttestationFound { .. } => ("attestation-found", 7),
            Self::ConditionsHold => ("conditions-hold", 8),
            Self::ImageUnverified { .. } => ("image-unverified", 306),
            Self::ImageRefused { why, .. } => why.row(),
            Self::DigestMissing { .. } => ("digest-missing", 302),
            Self::DigestMismatch { .. } => ("digest-mismatch", 312),
            Self::ReferenceMismatch { .. } => ("reference-mismatch", 353),
            Self::PayloadInvalid { .. } => ("payload-invalid", 311),
            Self::AttestationMissing { .. } => ("attestation-missing", 303),
            Self::PredicateTypeMismatch { .. } => ("predicate-type-mismatch", 304),
            Self::ConditionFailed { .. } => ("condition-failed", 360),
            Self::Registry(fault) => fault.problem.row(),
            Self::TooMuchEvidence { .. } => ("too-much-evidence", 229),
            Self::InputUnreadable { .. } => ("input-unreadable", 210),
            Self::InputEmpty => ("input-empty", 209),
            Self::PolicyInvalid { .. } => ("policy-invalid", 208),
            Self::PolicyUnsupported { .. } => ("policy-unsupported", 207),
            Self::KeyUnavailable { .. } => ("key-unavailable", 206),
            Self::TrustRootMissing => ("trust-root-missing", 205),
            Self::TrustRootUnknown { .. } => ("trust-root-unknown", 202),
            Self::NamespaceLabelsUnknown { .. } => ("namespace-labels-unknown", 204),
            Self::VariableUnresolved { .. } => ("variable-unresolved", 203),
            Self::NotHandled { .. } => ("not-handled", 104),
            Self::NeedsCluster { .. } => ("needs-cluster", 102),
            Self::NotMatched { .. } => ("not-matched", 100),
            Self::UpdateStartsNothing { .. } => ("update-starts-nothing", 105),
            Self::PreconditionsNotMet { .. } => ("preconditions-not-met", 101),
            Self::ExceptionApplies { .. } => ("exception-applies", 103),
            Self::StatementSuperseded { .. } => ("statement-superseded", 99),
            Self::ImageSkipped { .. } => ("image-skipped", 99),
            Self::NothingChecked => ("nothing-checked", 1),
        }
    }
}
