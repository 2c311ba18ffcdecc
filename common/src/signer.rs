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

/// Object identifiers of Fulcio's claims, by the names that policies use (Fulcio `docs/oid-info.md`).
const CLAIMS: [(&str, &str); 21] = [
    ("1.3.6.1.4.1.57264.1.1", "oidcIssuer"),
    ("1.3.6.1.4.1.57264.1.2", "githubWorkflowTrigger"),
    ("1.3.6.1.4.1.57264.1.3", "githubWorkflowSha"),
    ("1.3.6.1.4.1.57264.1.4", "githubWorkflowName"),
    ("1.3.6.1.4.1.57264.1.5", "githubWorkflowRepository"),
    ("1.3.6.1.4.1.57264.1.6", "githubWorkflowRef"),
    ("1.3.6.1.4.1.57264.1.8", "oidcIssuer"),
    ("1.3.6.1.4.1.57264.1.9", "buildSignerURI"),
    ("1.3.6.1.4.1.57264.1.10", "buildSignerDigest"),
    ("1.3.6.1.4.1.57264.1.11", "runnerEnvironment"),
    ("1.3.6.1.4.1.57264.1.12", "sourceRepositoryURI"),
    ("1.3.6.1.4.1.57264.1.13", "sourceRepositoryDigest"),
    ("1.3.6.1.4.1.57264.1.14", "sourceRepositoryRef"),
    ("1.3.6.1.4.1.57264.1.15", "sourceRepositoryIdentifier"),
    ("1.3.6.1.4.1.57264.1.16", "sourceRepositoryOwnerURI"),
    ("1.3.6.1.4.1.57264.1.17", "sourceRepositoryOwnerIdentifier"),
    ("1.3.6.1.4.1.57264.1.18", "buildConfigURI"),
    ("1.3.6.1.4.1.57264.1.19", "buildConfigDigest"),
    ("1.3.6.1.4.1.57264.1.20", "buildTrigger"),
    ("1.3.6.1.4.1.57264.1.21", "runInvocationURI"),
    ("1.3.6.1.4.1.57264.1.22", "sourceRepositoryVisibilityAtSigning"),
];

impl Signer {
    /// A claim of the certificate, by the name or the object identifier that a policy uses for it.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&str> {
        let Self::Keyless { issuer, claims, .. } = self else { return None };
        let by_oid = CLAIMS.iter().find(|(oid, _)| *oid == name).map(|(_, name)| *name);
        match by_oid.unwrap_or(name) {
            "oidcIssuer" => issuer.as_deref(),
            name => claims.get(name).map(String::as_str),
        }
    }

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
