//! Keyless signatures: a short-lived certificate, and a log that proves when it was used.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sigstore_crypto::{CertificateInfo, parse_certificate_info};
use sigstore_types::{Bundle, DerCertificate};
use sigstore_verify::{
    CertificateError, Error, TimestampError, TransparencyLogError, VerificationPolicy, VerificationResult,
};
use x509_cert::der::Encode as _;

use super::evidence::{Material, Piece, VerifiedSignature};
use super::log::RekorBundle;
use crate::signer::Signer;
use crate::trust::{TrustRoot, parse_certificates};
use crate::verdict::{Reason, SignatureProblem};

/// What may be left out, by an option that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogDemands {
    /// Whether the certificate must prove that a CT log saw it. Without it a stolen or deceived
    /// authority can issue unseen; chain, time, identity and log entry still hold.
    pub sct: bool,
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
/// Identity and issuer are returned, not judged.
///
/// # Errors
/// The reason of the first step that does not hold.
pub fn by_identity(
    message: &[u8],
    material: &Material,
    root: &TrustRoot,
    demands: LogDemands,
) -> Result<VerifiedSignature, Reason> {
    // (1)
    let chain = material.certificate.as_deref().ok_or_else(|| match material.unread(Piece::Certificate) {
        Some(detail) => untrusted(detail),
        None => Reason::CertificateMissing,
    })?;
    let (leaf, chain_json) = read_chain(chain)?;
    // (2)
    let json = material.bundle.as_deref().ok_or_else(|| match material.unread(Piece::Bundle) {
        Some(detail) => invalid_entry(&detail),
        None => Reason::LogEntryMissing,
    })?;
    let entry = RekorBundle::parse(json).ok_or_else(|| invalid_entry("it is not cosign's bundle JSON"))?;
    let verification = json!({"x509CertificateChain": {"certificates": chain_json}});
    let bundle =
        entry.to_bundle(&verification, &material.signature, message).map_err(|why| invalid_entry(&why))?;
    // (3) to (7)
    let result = verify(message, &bundle, root, demands).map_err(|error| reason(&error, &leaf, &entry))?;
    evidence(&result)
}

fn verify(
    message: &[u8],
    bundle: &Bundle,
    root: &TrustRoot,
    demands: LogDemands,
) -> Result<VerificationResult, Error> {
    let policy = VerificationPolicy::any_identity();
    let policy = if demands.sct && root.demands_sct() { policy } else { policy.skip_sct() };
    root.verifier().verify(message, bundle, &policy)
}

fn read_chain(text: &str) -> Result<(CertificateInfo, Vec<Value>), Reason> {
    let chain = parse_certificates(text).map_err(untrusted)?;
    let ders = chain.iter().map(x509_cert::Certificate::to_der).collect::<Result<Vec<_>, _>>();
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

fn evidence(result: &VerificationResult) -> Result<VerifiedSignature, Reason> {
    // The crate's promise, asked for once more: a relaxed policy must never slip through here.
    if !(result.certificate_verified() && result.tlog_verified()) {
        return Err(invalid_entry("it was not verified"));
    }
    let subject = result.identity().map(ToString::to_string).unwrap_or_default();
    let claims = result.certificate().map(claims).unwrap_or_default();
    let signer = Signer::Keyless { subject, issuer: result.issuer().map(str::to_owned), claims };
    let mut verified = VerifiedSignature::new(signer);
    verified.logged = result.integrated_time();
    Ok(verified)
}

/// The reason for an error of the Sigstore crates, by its variant.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the crate's enum is open; everything unknown is a refusal"
)]
fn reason(error: &Error, leaf: &CertificateInfo, entry: &RekorBundle) -> Reason {
    let detail = error.to_string();
    let subject = leaf.identity.as_ref().map_or_else(|| "the signer".to_owned(), ToString::to_string);
    match error {
        // A hash that does not fit is the entry's: the bundle's own is made from `message`.
        Error::ArtifactMismatch(_) => invalid_entry("it is for other bytes"),
        Error::SignatureInvalid(_) => {
            Reason::SignatureInvalid { problem: SignatureProblem::NotByCertificate }
        }
        Error::Certificate(CertificateError::Sct(_)) => Reason::SctInvalid { detail },
        Error::Certificate(_) | Error::TransparencyLog(TransparencyLogError::IntegratedTime(_)) => {
            outside_validity(leaf, entry).unwrap_or(Reason::CertificateUntrusted { subject, detail })
        }
        Error::Timestamp(TimestampError::NoVerifiedTimestamp(_)) => Reason::TimestampMissing,
        _ => Reason::LogEntryInvalid { detail },
    }
}

/// Whether the certificate was used outside its validity, which says more than "no chain".
fn outside_validity(leaf: &CertificateInfo, entry: &RekorBundle) -> Option<Reason> {
    let signed = entry.claimed_time()?;
    let (not_before, not_after) = (leaf.not_before, leaf.not_after);
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
