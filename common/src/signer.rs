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

/// A text for people: of every digest in it, also in the tags that are made of one, the algorithm and the
/// first 12 hex digits.
#[must_use]
pub fn short(text: &str) -> String {
    const SHOWN: usize = 12;
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("sha").filter(|at| rest[*at..].len() > "sha256:".len() + SHOWN) {
        let (before, digest) = rest.split_at(at);
        short.push_str(before);
        let named = ["sha256:", "sha384:", "sha512:", "sha256-", "sha384-", "sha512-"];
        let prefix = named.iter().find(|prefix| digest.starts_with(**prefix)).map_or("sha", |prefix| prefix);
        let (prefix, digits) = digest.split_at(prefix.len());
        short.push_str(prefix);
        let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
        if prefix.len() > "sha".len() && end > SHOWN {
            short.push_str(&digits[..SHOWN]);
            short.push('…');
            rest = &digits[end..];
        } else {
            rest = digits;
        }
    }
    short.push_str(rest);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digest_of_a_text_is_shortened_and_nothing_else() {
        let hex = "0123456789abcdef".repeat(4);
        for (text, expected) in [
            (format!("sha256:{hex}"), "sha256:0123456789ab…"),
            (format!("127.0.0.1:5000/a@sha256:{hex}"), "127.0.0.1:5000/a@sha256:0123456789ab…"),
            (format!("a:sha256-{hex}.sig, b"), "a:sha256-0123456789ab….sig, b"),
            (format!("key sha256:{hex} or sha512:{hex}"), "key sha256:0123456789ab… or sha512:0123456789ab…"),
            ("registry.example.com:5000/shasum:1".to_owned(), "registry.example.com:5000/shasum:1"),
            ("sha256:0123456789ab".to_owned(), "sha256:0123456789ab"),
            ("é sha256:é".to_owned(), "é sha256:é"),
        ] {
            assert_eq!(short(&text), expected);
        }
    }
}
