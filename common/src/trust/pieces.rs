//! A trust root put together from PEM files.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use super::TrustError;
use crate::key::PublicKey;
use crate::limits;

/// Which piece of a trust root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PieceKind {
    /// Root certificates of the authority that issues signing certificates.
    CaRoots,
    /// Its intermediates.
    CaIntermediates,
    /// Keys of transparency logs.
    RekorKeys,
    /// Keys of certificate transparency logs.
    CtKeys,
    /// Chain of a timestamp authority.
    TsaChain,
}

impl PieceKind {
    /// The flag of the command line that gives it.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::CaRoots => "--ca-roots",
            Self::CaIntermediates => "--ca-intermediates",
            Self::RekorKeys => "--rekor-public-key",
            Self::CtKeys => "--ct-public-key",
            Self::TsaChain => "--tsa-certificate-chain",
        }
    }
}

/// PEM texts, each as `cosign`'s flag of the same name takes it, and each in place of that part of the
/// root they are applied to.
///
/// Another authority (`ca_roots`) also takes away the CT logs of the root, unless `ct_keys` names some:
/// they saw the certificates of the old authority, not of this one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pieces<'p> {
    /// Root certificates of the authority that issues signing certificates (`--ca-roots`).
    pub ca_roots: Option<&'p str>,
    /// Its intermediates (`--ca-intermediates`).
    pub ca_intermediates: Option<&'p str>,
    /// Keys of transparency logs (`--rekor-public-key`).
    pub rekor_keys: Option<&'p str>,
    /// Keys of certificate transparency logs (`--ct-public-key`).
    pub ct_keys: Option<&'p str>,
    /// Chain of a timestamp authority, leaf first (`--tsa-certificate-chain`).
    pub tsa_chain: Option<&'p str>,
}

impl Pieces<'_> {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        [self.ca_roots, self.ca_intermediates, self.rekor_keys, self.ct_keys, self.tsa_chain]
            .iter()
            .all(Option::is_none)
    }

    /// A `trusted_root.json` with these pieces in place of its own; validity windows of pieces are left
    /// open, because PEM files name none.
    pub(super) fn replace_in(self, mut root: Value) -> Result<Value, TrustError> {
        let chain = |certificates: Vec<Value>| json!([{"uri": "", "subject": {}, "certChain": {"certificates": certificates}}]);
        if self.ca_roots.is_some() {
            let mut authority = certificates(PieceKind::CaIntermediates, self.ca_intermediates)?;
            authority.extend(certificates(PieceKind::CaRoots, self.ca_roots)?);
            root["certificateAuthorities"] = chain(authority);
            root["ctlogs"] = json!([]);
        }
        if self.tsa_chain.is_some() {
            root["timestampAuthorities"] = chain(certificates(PieceKind::TsaChain, self.tsa_chain)?);
        }
        if self.rekor_keys.is_some() {
            root["tlogs"] = logs(PieceKind::RekorKeys, self.rekor_keys)?;
        }
        if self.ct_keys.is_some() {
            root["ctlogs"] = logs(PieceKind::CtKeys, self.ct_keys)?;
        }
        Ok(root)
    }
}

fn certificates(piece: PieceKind, text: Option<&str>) -> Result<Vec<Value>, TrustError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let problem = |problem: String| TrustError::Piece { piece, problem };
    let chain = parse_certificates(text).map_err(problem)?;
    chain
        .iter()
        .map(|certificate| {
            let der = certificate.to_der().map_err(|error| problem(error.to_string()))?;
            Ok(json!({"rawBytes": STANDARD.encode(der)}))
        })
        .collect()
}

/// Reads every certificate of a PEM text; none is dropped.
pub(crate) fn parse_certificates(text: &str) -> Result<Vec<Certificate>, String> {
    let certificate = |(index, block): (usize, &pem::Pem)| {
        let unreadable = |_| format!("PEM block {} holds no certificate that can be read", index + 1);
        Certificate::from_der(block.contents()).map_err(unreadable)
    };
    certificate_blocks(text)?.iter().enumerate().map(certificate).collect()
}

/// The PEM blocks of certificates, as yet unread.
pub(super) fn certificate_blocks(text: &str) -> Result<Vec<pem::Pem>, String> {
    let begun = text.matches("-----BEGIN ").count();
    if begun == 0 {
        return Err("holds no PEM block".to_owned());
    }
    if text.len() > limits::CERTIFICATE_BYTES || begun > limits::CERTIFICATES {
        return Err(format!("larger than {} certificates", limits::CERTIFICATES));
    }
    let blocks = pem::parse_many(text).map_err(|_| "a PEM block is cut off or not base64".to_owned())?;
    if blocks.len() != begun {
        return Err("a PEM block is cut off".to_owned());
    }
    match blocks.iter().find(|block| block.tag() != "CERTIFICATE") {
        None => Ok(blocks),
        Some(other) => Err(format!("holds a PEM block `{}` where a certificate is needed", other.tag())),
    }
}

/// A log is named by the SHA-256 of its key (RFC 6962, 3.2; Rekor uses the same).
fn logs(piece: PieceKind, text: Option<&str>) -> Result<Value, TrustError> {
    let Some(text) = text else { return Ok(json!([])) };
    let keys = PublicKey::parse_all(text)
        .map_err(|error| TrustError::Piece { piece, problem: error.to_string() })?;
    Ok(keys
        .iter()
        .map(|key| {
            json!({
                "baseUrl": "", "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": STANDARD.encode(key.spki()), "keyDetails": "PKIX_ECDSA_P256_SHA_256"},
                "logId": {"keyId": STANDARD.encode(digest(&SHA256, key.spki()))},
            })
        })
        .collect())
}
