//! Keyless signatures: a short-lived certificate, and a log that proves when it was used.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sigstore_crypto::{CertificateInfo, parse_certificate_info};
use sigstore_types::{Artifact, Bundle, DerCertificate, MediaType, TransparencyLogEntry};
use sigstore_verify::{
    CertificateError, Error, TimestampError, TransparencyLogError, VerificationPolicy, VerificationResult,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use super::evidence::{Material, Piece, VerifiedSignature};
use super::found::{Body, Found};
use super::log::{self, Content, RekorBundle};
use super::{Subject, artifact, chain};
use crate::signer::Signer;
use crate::trust::{TrustRoot, parse_certificates};
use crate::verdict::{Reason, SignatureProblem};

/// What may be left out, by an option that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogDemands {
    /// Whether the certificate must prove that a CT log saw it. Without it a stolen or deceived
    /// authority can issue unseen; chain, time, identity and log entry still hold.
    pub sct: bool,
    /// Whether a transparency log must have taken the signature in. Without it nobody can see that it was
    /// made; a timestamp authority must then prove when, and chain, time and identity still hold.
    pub tlog: bool,
}

/// Verifies one signature by the identity in its certificate. The steps are those of the Sigstore
/// client specification; each names the attack it stops.
///
/// 1. There is a certificate: a bare signature names nobody.
/// 2. There is a log entry: without one, a certificate's key stolen years later signs as of today.
/// 3. The log's promise holds and is by a log of the trust root (a made-up time).
/// 4. The certificate chains to an authority of the trust root and was valid at the log's time
///    (a self-made certificate in somebody's name; use after expiry).
/// 5. The certificate's SCT is by a CT log of the trust root, if that has any.
/// 6. The signature is the certificate's over `message`.
/// 7. The entry is for this signature, this certificate and these bytes (an entry of another one).
///
/// Identity and issuer are returned, not judged. `now` says what lies in the future: the log's time must not.
///
/// # Errors
/// The reason of the first step that does not hold.
pub fn by_identity(
    message: &[u8],
    material: &Material,
    root: &TrustRoot,
    demands: LogDemands,
    now: Timestamp,
) -> Result<VerifiedSignature, Reason> {
    let content = Content::Message { bytes: message, signature: &material.signature };
    let sealed = seal(content, material, demands)?;
    establish(Artifact::from_blob(message), &sealed, root, demands, now)
}

/// The identity and the issuer that the certificate of a bundle names. Nothing is verified: it serves to say what was
/// just signed, and by whom.
#[must_use]
pub fn claimed_identity(bundle: &Bundle) -> Option<(String, String)> {
    let leaf = parse_certificate_info(bundle.signing_certificate()?).ok()?;
    Some((leaf.identity?.to_string(), leaf.issuer?))
}

impl Found {
    /// The same for a signature of an image or file, in any format.
    ///
    /// # Errors
    /// As [`by_identity`]; [`Reason::PayloadInvalid`], [`Reason::DigestMismatch`] for what is not about
    /// `subject`.
    pub fn by_identity(
        &self,
        subject: Subject<'_>,
        root: &TrustRoot,
        demands: LogDemands,
        now: Timestamp,
    ) -> Result<VerifiedSignature, Reason> {
        self.is_about(subject)?;
        match &self.body {
            Body::Detached { message, material } => by_identity(message, material, root, demands, now),
            Body::Envelope { envelope, material } => {
                let sealed = seal(Content::Envelope(envelope), material, demands)?;
                establish(artifact(subject)?, &sealed, root, demands, now)
            }
            Body::Bundle(bundle) => {
                establish(artifact(subject)?, &opened(bundle, demands)?, root, demands, now)
            }
            Body::Unreadable(reason) => Err(reason.clone()),
        }
    }
}

/// All that is verified at once, and what it claims before it is.
struct Sealed {
    bundle: Bundle,
    leaf: CertificateInfo,
    /// When the log claims to have taken it in.
    claimed: Option<Timestamp>,
    /// Whether the bundle came as one; else it was put together here, and its hashes are ours.
    whole: bool,
}

/// Puts the pieces of cosign's first format together.
fn seal(content: Content<'_>, material: &Material, demands: LogDemands) -> Result<Sealed, Reason> {
    // (1)
    let certificate =
        material.certificate.as_deref().ok_or_else(|| match material.unread(Piece::Certificate) {
            Some(detail) => untrusted(detail),
            None => Reason::CertificateMissing,
        })?;
    let (leaf, mut chain) = read_chain(certificate)?;
    if let Some(above) = &material.chain {
        chain.extend(read_chain(above)?.1);
    }
    // (2)
    let entry = match (material.bundle.as_deref(), material.unread(Piece::Bundle)) {
        (Some(json), _) => {
            Some(RekorBundle::parse(json).ok_or_else(|| invalid_entry("it is not cosign's bundle JSON"))?)
        }
        (None, Some(detail)) => return Err(invalid_entry(&detail)),
        (None, None) if demands.tlog => return Err(Reason::LogEntryMissing),
        (None, None) => None,
    };
    let signer = match &entry {
        Some(_) => ("x509CertificateChain", json!({"certificates": chain})),
        None => ("certificate", chain.swap_remove(0)),
    };
    let bundle = log::bundle(signer, content, entry.as_ref(), material.timestamp.as_deref());
    let bundle = bundle.map_err(|why| invalid_entry(&why))?;
    Ok(Sealed { bundle, leaf, claimed: entry.as_ref().and_then(RekorBundle::claimed_time), whole: false })
}

/// A bundle as it came.
fn opened(bundle: &Bundle, demands: LogDemands) -> Result<Sealed, Reason> {
    // (1)
    let leaf = bundle.signing_certificate().ok_or(Reason::CertificateMissing)?;
    let leaf = parse_certificate_info(leaf).map_err(|error| untrusted(error.to_string()))?;
    // (2)
    let entries = &bundle.verification_material.tlog_entries;
    if demands.tlog && entries.is_empty() {
        return Err(Reason::LogEntryMissing);
    }
    if demands.tlog && bundle.media_type() != MediaType::Bundle0_1 && !bundle.has_inclusion_proof() {
        return Err(invalid_entry("it has no inclusion proof, which a bundle of its version must have"));
    }
    if let Some(contradiction) = log::contradicts_itself(bundle) {
        return Err(invalid_entry(contradiction));
    }
    let claimed = entries.iter().find_map(|entry| entry.integrated_time);
    Ok(Sealed { bundle: bundle.clone(), leaf, claimed, whole: true })
}

/// Steps (3) to (7).
fn establish(
    artifact: Artifact<'_>,
    sealed: &Sealed,
    root: &TrustRoot,
    demands: LogDemands,
    now: Timestamp,
) -> Result<VerifiedSignature, Reason> {
    // A checkpoint proves which log signed it; the entry says again which it is of.
    let unknown = |entry: &TransparencyLogEntry| !root.knows_log(entry.log_id.key_id.as_bytes());
    if demands.tlog && sealed.bundle.verification_material.tlog_entries.iter().any(unknown) {
        return Err(invalid_entry("it is by a log that is not in the trust root"));
    }
    let result =
        verify(artifact, &sealed.bundle, root, demands).map_err(|error| reason(&error, sealed, now))?;
    in_use(&result, &sealed.bundle, root, demands)?;
    evidence(&result, &sealed.bundle, demands)
}

/// That the keys of logs of the second generation were in use when the signature was made: their entries have
/// no time, so that the verifier of the Sigstore crates has none to compare.
fn in_use(
    result: &VerificationResult,
    bundle: &Bundle,
    root: &TrustRoot,
    demands: LogDemands,
) -> Result<(), Reason> {
    let retired = |entry: &&TransparencyLogEntry| {
        let id = entry.log_id.key_id.as_bytes();
        entry.integrated_time.is_none() && !root.log_was_in_use(id, result.verified_timestamps())
    };
    match bundle.verification_material.tlog_entries.iter().find(retired) {
        Some(_) if demands.tlog => Err(invalid_entry("its log's key was not in use at that time")),
        _ => Ok(()),
    }
}

fn verify(
    artifact: Artifact<'_>,
    bundle: &Bundle,
    root: &TrustRoot,
    demands: LogDemands,
) -> Result<VerificationResult, Error> {
    let policy = VerificationPolicy::any_identity();
    let policy = if demands.sct && root.demands_sct() { policy } else { policy.skip_sct() };
    let policy = if demands.tlog { policy } else { policy.skip_tlog_unsafe() };
    root.verifier().verify(artifact, bundle, &policy)
}

fn read_chain(text: &str) -> Result<(CertificateInfo, Vec<Value>), Reason> {
    let chain = parse_certificates(text).map_err(untrusted)?;
    let ders = chain.iter().map(Certificate::to_der).collect::<Result<Vec<_>, _>>();
    let ders = ders.map_err(|error| untrusted(error.to_string()))?;
    let leaf = ders.first().cloned().unwrap_or_default();
    let info =
        parse_certificate_info(&DerCertificate::new(leaf)).map_err(|error| untrusted(error.to_string()))?;
    Ok((info, ders.iter().map(|der| json!({"rawBytes": STANDARD.encode(der)})).collect()))
}

fn untrusted(detail: String) -> Reason {
    Reason::CertificateUntrusted { subject: "the signer".to_owned(), detail }
}

fn invalid_entry(detail: &str) -> Reason {
    Reason::LogEntryInvalid { detail: detail.to_owned() }
}

fn evidence(
    result: &VerificationResult,
    bundle: &Bundle,
    demands: LogDemands,
) -> Result<VerifiedSignature, Reason> {
    // The crate's promise, asked for once more: a relaxed policy must never slip through here.
    if !result.certificate_verified() {
        return Err(untrusted("its chain was not verified".to_owned()));
    }
    if demands.tlog && !result.tlog_verified() {
        return Err(invalid_entry("it was not verified"));
    }
    let subject = result.identity().map(ToString::to_string).unwrap_or_default();
    let claims = result.certificate().map(claims).unwrap_or_default();
    let signer = Signer::Keyless { subject, issuer: result.issuer().map(str::to_owned), claims };
    let mut verified = VerifiedSignature::new(signer);
    verified.logged = result.integrated_time();
    verified.in_log = result.tlog_verified() && !bundle.verification_material.tlog_entries.is_empty();
    let stamp = |time: &&Timestamp| Some(**time) != verified.logged;
    verified.timestamped = result.verified_timestamps().iter().find(stamp).copied();
    Ok(verified)
}

/// The reason for an error of the Sigstore crates, by its variant.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the crate's enum is open; everything unknown is a refusal"
)]
fn reason(error: &Error, sealed: &Sealed, now: Timestamp) -> Reason {
    let detail = error.to_string();
    let identity = sealed.leaf.identity.as_ref();
    let subject = identity.map_or_else(|| "the signer".to_owned(), ToString::to_string);
    match error {
        // A hash that does not fit is the entry's: the bundle's own is made from `message`.
        Error::ArtifactMismatch(_) if !sealed.whole => invalid_entry("it is for other bytes"),
        Error::ArtifactMismatch(_) => Reason::PayloadInvalid { problem: "it is for other bytes".to_owned() },
        Error::SignatureInvalid(_) => {
            Reason::SignatureInvalid { problem: SignatureProblem::NotByCertificate }
        }
        Error::Certificate(CertificateError::Sct(_)) => Reason::SctInvalid { detail },
        Error::Certificate(CertificateError::ChainInvalid(_)) => outside_validity(sealed)
            .unwrap_or_else(|| Reason::CertificateUntrusted { subject, detail: unchained(&sealed.bundle) }),
        Error::TransparencyLog(TransparencyLogError::IntegratedTime(_))
            if sealed.claimed.is_some_and(|signed| signed > now) =>
        {
            Reason::SigningTimeInFuture { signed: sealed.claimed.unwrap_or(now), now }
        }
        Error::Certificate(_) | Error::TransparencyLog(TransparencyLogError::IntegratedTime(_)) => {
            outside_validity(sealed).unwrap_or(Reason::CertificateUntrusted { subject, detail })
        }
        Error::Timestamp(TimestampError::NoVerifiedTimestamp(_)) => Reason::TimestampMissing,
        Error::Timestamp(_) => Reason::TimestampInvalid { detail },
        Error::TransparencyLog(_) => Reason::LogEntryInvalid { detail },
        // cosign's first format has no other parts that could be wrong than its entry.
        _ if sealed.whole => Reason::BundleInvalid { detail },
        _ => Reason::LogEntryInvalid { detail },
    }
}

/// Why no authority vouches for the certificate: what can be seen at itself, else that none does.
fn unchained(bundle: &Bundle) -> String {
    let leaf = bundle.signing_certificate().and_then(|der| Certificate::from_der(der.as_bytes()).ok());
    leaf.as_ref().and_then(chain::lacking_usage).unwrap_or_else(|| {
        "no authority of the trust root issued it, or one of them was not entitled to".to_owned()
    })
}

/// Whether the certificate was used outside its validity, which says more than "no chain".
fn outside_validity(sealed: &Sealed) -> Option<Reason> {
    let signed = sealed.claimed?;
    let (not_before, not_after) = (sealed.leaf.not_before, sealed.leaf.not_after);
    (signed < not_before || signed > not_after).then_some(Reason::CertificateNotValidAtSigning {
        signed,
        not_before,
        not_after,
    })
}

/// Fulcio's claims by the names that policies use (Fulcio `docs/oid-info.md`).
fn claims(info: &CertificateInfo) -> BTreeMap<&'static str, String> {
    let claims = &info.ci_claims;
    let legacy = &claims.deprecated_github;
    let all = [
        ("githubWorkflowTrigger", &legacy.workflow_trigger),
        ("githubWorkflowSha", &legacy.workflow_sha),
        ("githubWorkflowName", &legacy.workflow_name),
        ("githubWorkflowRepository", &legacy.workflow_repository),
        ("githubWorkflowRef", &legacy.workflow_ref),
        ("buildSignerURI", &claims.build_signer_uri),
        ("buildSignerDigest", &claims.build_signer_digest),
        ("runnerEnvironment", &claims.runner_environment),
        ("sourceRepositoryURI", &claims.source_repository_uri),
        ("sourceRepositoryDigest", &claims.source_repository_digest),
        ("sourceRepositoryRef", &claims.source_repository_ref),
        ("sourceRepositoryIdentifier", &claims.source_repository_identifier),
        ("sourceRepositoryOwnerURI", &claims.source_repository_owner_uri),
        ("sourceRepositoryOwnerIdentifier", &claims.source_repository_owner_identifier),
        ("buildConfigURI", &claims.build_config_uri),
        ("buildConfigDigest", &claims.build_config_digest),
        ("buildTrigger", &claims.build_trigger),
        ("runInvocationURI", &claims.run_invocation_uri),
        ("sourceRepositoryVisibilityAtSigning", &claims.source_repository_visibility_at_signing),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}
