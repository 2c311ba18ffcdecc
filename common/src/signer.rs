//! Who signed: a fact established by cryptography, not yet judged.

use std::collections::BTreeMap;
use std::fmt;

/// The signer of one signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signer {
    /// Whoever holds the private half of a key.
    Key {
        /// `sha256:…` of the key's `SubjectPublicKeyInfo`.
        fingerprint: String,
    },
    /// Whoever proved an identity to a certificate authority when signing.
    Keyless {
        /// The certificate's subject alternative name: e-mail address or URI.
        subject: String,
        /// The OIDC issuer that vouched for it (Fulcio extensions 1.3.6.1.4.1.57264.1.1 and .1.8).
        issuer: Option<String>,
        /// Further Fulcio claims by name (`sourceRepository`, …), for conditions.
        claims: BTreeMap<&'static str, String>,
    },
    /// Whoever holds the key of a certificate that chains to a configured authority.
    Certificate {
        /// The certificate's subject.
        subject: String,
        /// `sha256:…` of the certificate's key.
        fingerprint: String,
    },
}

impl Signer {
    /// What two signatures of one signer have in common; a threshold counts these, not signatures.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Key { fingerprint } | Self::Certificate { fingerprint, .. } => fingerprint.clone(),
            Self::Keyless { subject, issuer, .. } => {
                format!("{subject} of {}", issuer.as_deref().unwrap_or("unknown issuer"))
            }
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { fingerprint } => write!(f, "key {}", short(fingerprint)),
            Self::Keyless { subject, issuer: Some(issuer), .. } => write!(f, "{subject} (issuer {issuer})"),
            Self::Keyless { subject, issuer: None, .. } => write!(f, "{subject} (no issuer)"),
            Self::Certificate { subject, fingerprint } => {
                write!(f, "certificate {subject}, key {}", short(fingerprint))
            }
        }
    }
}

/// A digest for people: its algorithm and the first 12 hex digits.
#[must_use]
pub fn short(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) if hex.len() > 12 && hex.is_ascii() => format!("{algorithm}:{}…", &hex[..12]),
        _ => digest.to_owned(),
    }
}
