//! Signatures by a certificate of a configured authority, without identities and without a log.

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use sigstore_crypto::WEBPKI_VERIFICATION_ALGS;
use sigstore_types::{Bundle, DerCertificate, SignatureContent};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use super::evidence::{Material, VerifiedSignature};
use super::found::{Body, Found};
use super::{Subject, chain};
use crate::key::PublicKey;
use crate::signer::Signer;
use crate::trust::parse_certificates;
use crate::verdict::{Reason, SignatureProblem};

/// Extended key usage `codeSigning` (RFC 5280, 4.2.1.12), as DER content bytes.
const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];

/// A certificate that must have signed, an authority that must have issued it, or both. At least one.
#[derive(Clone, Copy, Debug)]
pub struct CertificateTrust<'t> {
    /// PEM of the one certificate that may have signed.
    pub certificate: Option<&'t str>,
    /// PEM of the authority's chain, its root last.
    pub chain: Option<&'t str>,
}

/// Verifies one detached signature by a certificate.
///
/// 1. The certificate is the configured one, else the one that comes with the signature.
/// 2. If an authority is configured, the certificate chains to it at `now` with the usage
///    `codeSigning`; nothing proves an earlier time of signing. Else the configured certificate must be
///    valid at `now`.
/// 3. The signature is the certificate's over `message`.
///
/// # Errors
/// The reason of the first step that does not hold.
pub fn by_certificate(
    message: &[u8],
    material: &Material,
    trust: CertificateTrust<'_>,
    now: Timestamp,
) -> Result<VerifiedSignature, Reason> {
    // (1)
    let text = trust.certificate.or(material.certificate.as_deref()).ok_or(Reason::CertificateMissing)?;
    let certificates = parse_certificates(text).map_err(unreadable)?;
    let (leaf, intermediates) = certificates.split_first().ok_or(Reason::CertificateMissing)?;
    let subject = leaf.tbs_certificate.subject.to_string();
    // (2)
    match trust.chain {
        Some(chain) => chains_to(leaf, intermediates, chain, now, &subject)?,
        None if trust.certificate.is_some() => valid_at(leaf, now)?,
        None => return Err(unreadable("no authority is configured".to_owned())),
    }
    // (3)
    let key = PublicKey::try_from(leaf).map_err(|error| unreadable(error.to_string()))?;
    if !key.verifies(message, &material.signature) {
        return Err(Reason::SignatureInvalid { problem: SignatureProblem::NotByCertificate });
    }
    let signer = Signer::Certificate { subject, fingerprint: key.fingerprint().to_owned() };
    Ok(VerifiedSignature::new(signer))
}

impl Found {
    /// The same for a signature of an image or file, in any format.
    ///
    /// # Errors
    /// As [`by_certificate`]; [`Reason::PayloadInvalid`], [`Reason::DigestMismatch`] for what is not about
    /// `subject`.
    pub fn by_certificate(
        &self,
        subject: Subject<'_>,
        trust: CertificateTrust<'_>,
        now: Timestamp,
    ) -> Result<VerifiedSignature, Reason> {
        self.is_about(subject)?;
        match &self.body {
            Body::Detached { message, material } => by_certificate(message, material, trust, now),
            Body::Envelope { envelope, material } => {
                let signature = envelope.signature.sig.as_bytes().to_vec();
                by_certificate(&envelope.pae(), &Material { signature, ..material.clone() }, trust, now)
            }
            Body::Bundle(bundle) => {
                let (message, material) = parts(bundle, subject)?;
                by_certificate(&message, &material, trust, now)
            }
            Body::Unreadable(reason) => Err(reason.clone()),
        }
    }
}

impl Found {
    /// Whether the certificate that comes with it is this one (PEM).
    #[must_use]
    pub fn is_by_certificate(&self, pem: &str) -> bool {
        let own = match &self.body {
            Body::Detached { material, .. } | Body::Envelope { material, .. } => {
                material.certificate.as_deref().and_then(leaf)
            }
            Body::Bundle(bundle) => {
                bundle.signing_certificate().and_then(|der| Certificate::from_der(der.as_bytes()).ok())
            }
            Body::Unreadable(_) => None,
        };
        own.is_some() && own == leaf(pem)
    }
}

fn leaf(pem: &str) -> Option<Certificate> {
    parse_certificates(pem).ok()?.into_iter().next()
}

/// The signed bytes of a bundle, its signature and its certificate.
fn parts(bundle: &Bundle, subject: Subject<'_>) -> Result<(Vec<u8>, Material), Reason> {
    let (message, signature) = match &bundle.content {
        SignatureContent::DsseEnvelope(envelope) => (envelope.pae(), envelope.signature.sig.as_bytes()),
        SignatureContent::MessageSignature(message) => {
            let bytes = subject.bytes.ok_or(Reason::NothingChecked)?;
            (bytes.to_vec(), message.signature.as_bytes())
        }
        _ => return Err(Reason::NothingChecked),
    };
    let pem =
        |certificate: &DerCertificate| pem::encode(&pem::Pem::new("CERTIFICATE", certificate.as_bytes()));
    let certificate = bundle.signing_certificate().map(pem);
    Ok((message, Material { signature: signature.to_vec(), certificate, ..Material::default() }))
}

fn unreadable(detail: String) -> Reason {
    Reason::CertificateUntrusted { subject: "the signer".to_owned(), detail }
}

fn valid_at(leaf: &Certificate, now: Timestamp) -> Result<(), Reason> {
    let validity = &leaf.tbs_certificate.validity;
    let at = |time: x509_cert::time::Time| {
        let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    };
    let (not_before, not_after) = (at(validity.not_before), at(validity.not_after));
    if (not_before..=not_after).contains(&now) {
        return Ok(());
    }
    Err(Reason::CertificateNotValidNow { now, not_before, not_after })
}

fn chains_to(
    leaf: &Certificate,
    intermediates: &[Certificate],
    configured: &str,
    now: Timestamp,
    subject: &str,
) -> Result<(), Reason> {
    valid_at(leaf, now)?;
    let untrusted = |detail: String| Reason::CertificateUntrusted { subject: subject.to_owned(), detail };
    let authority = parse_certificates(configured).map_err(untrusted)?;
    let (root, between) = authority.split_last().ok_or_else(|| untrusted("the chain is empty".to_owned()))?;
    let der = |certificate: &Certificate| {
        certificate.to_der().map(CertificateDer::from).map_err(|error| untrusted(error.to_string()))
    };
    let root = der(root)?;
    let between = between.iter().chain(intermediates).map(der).collect::<Result<Vec<_>, _>>()?;
    let in_words = |error: webpki::Error| untrusted(chain::in_words(&error, leaf));
    let anchor = anchor_from_trusted_cert(&root).map_err(in_words)?;
    let leaf_der = der(leaf)?;
    let end = EndEntityCert::try_from(&leaf_der).map_err(in_words)?;
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let usage = KeyUsage::required(CODE_SIGNING);
    end.verify_for_usage(WEBPKI_VERIFICATION_ALGS, &[anchor], &between, time, usage, None, None)
        .map(|_| ())
        .map_err(in_words)
}
