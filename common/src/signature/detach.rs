//! A bundle in pieces, for the formats that keep a signature beside what was signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sigstore_types::bundle::VerificationMaterialContent;
use sigstore_types::{Bundle, SignatureContent};

use super::Material;
use super::log::RekorBundle;

/// Why a bundle has no pieces that these formats can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DetachError {
    /// It holds an envelope.
    #[error("the bundle holds an envelope and no signature over bytes")]
    Envelope,
    /// Its log proves its entry without a promise (Rekor v2).
    #[error(
        "it gives no promise for its entries, and this format holds nothing else; use Rekor v1, or bundles"
    )]
    NoPromise,
    /// It holds a chain of certificates, as bundles before version 0.3 do.
    #[error("the bundle holds a certificate chain")]
    Chain,
}

impl Material {
    /// The pieces of a bundle that holds a signature over bytes: the signature, the certificate, the log
    /// entry as cosign's `RekorBundle`, the timestamp as cosign's JSON for it (`pkg/cosign/bundle`).
    ///
    /// # Errors
    /// [`DetachError`].
    pub fn from_bundle(bundle: &Bundle) -> Result<Self, DetachError> {
        let SignatureContent::MessageSignature(message) = &bundle.content else {
            return Err(DetachError::Envelope);
        };
        let material = &bundle.verification_material;
        let certificate = match &material.content {
            VerificationMaterialContent::Certificate(certificate) => Some(certificate.raw_bytes.to_pem()),
            VerificationMaterialContent::PublicKey(_) => None,
            VerificationMaterialContent::X509CertificateChain { .. } | _ => return Err(DetachError::Chain),
        };
        let entry = material.tlog_entries.first().map(RekorBundle::of);
        let entry = entry.map(|entry| entry.ok_or(DetachError::NoPromise)).transpose()?;
        let timestamps = &material.timestamp_verification_data.rfc3161_timestamps;
        let timestamp = timestamps.first().map(|timestamp| {
            let signed = STANDARD.encode(timestamp.signed_timestamp.as_bytes());
            json!({ "SignedRFC3161Timestamp": signed }).to_string()
        });
        Ok(Self {
            signature: message.signature.as_bytes().to_vec(),
            certificate,
            chain: None,
            bundle: entry.map(|entry| entry.to_json()),
            timestamp,
            unread: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn bundle(path: &str) -> Bundle {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cosign");
        Bundle::from_json(&fs::read_to_string(folder.join(path)).unwrap()).unwrap()
    }

    /// What is taken apart here is what the reader of these formats puts together.
    #[test]
    fn the_pieces_are_those_of_the_bundle() {
        let whole = bundle("11-bundles/blob/good.sigstore.json");
        let pieces = Material::from_bundle(&whole).unwrap();
        let entry = RekorBundle::parse(pieces.bundle.as_deref().unwrap()).unwrap();
        let logged = &whole.verification_material.tlog_entries[0];
        assert_eq!(entry.claimed_time(), logged.integrated_time);
        assert_eq!(entry.log_id(), hex::encode(logged.log_id.key_id.as_bytes()));
        assert!(pieces.certificate.as_deref().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        let names: Vec<_> = pieces.layer_annotations().into_keys().collect();
        assert_eq!(
            names,
            [
                "dev.cosignproject.cosign/signature",
                "dev.sigstore.cosign/bundle",
                "dev.sigstore.cosign/certificate"
            ]
        );
    }

    #[test]
    fn what_the_formats_cannot_hold_is_said() {
        assert_eq!(
            Material::from_bundle(&bundle("11-bundles/image/sign-good.sigstore.json")),
            Err(DetachError::Envelope)
        );
        assert_eq!(
            Material::from_bundle(&bundle("13-cosign3-blob/blob.sigstore.json")),
            Err(DetachError::NoPromise)
        );
    }
}
