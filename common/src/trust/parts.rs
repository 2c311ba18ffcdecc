//! What a trust root holds, for people.

use jiff::Timestamp;
use sigstore_trust_root::TrustedRoot;
use sigstore_types::TimeRange;

/// Somebody that a trust root makes trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// As what.
    pub kind: PartKind,
    /// Its URL, or what its certificate calls it.
    pub name: String,
    /// Since when what it says counts; `None` without a beginning.
    pub from: Option<Timestamp>,
    /// Until when; `None` without an end.
    pub until: Option<Timestamp>,
}

/// What somebody is trusted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Certificates of signers.
    CertificateAuthority,
    /// Proof that a signature was logged.
    TransparencyLog,
    /// Proof that a certificate was logged.
    CertificateLog,
    /// The time of a signature.
    TimestampAuthority,
}

impl PartKind {
    /// In words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::CertificateAuthority => "certificate authority",
            Self::TransparencyLog => "transparency log",
            Self::CertificateLog => "certificate log",
            Self::TimestampAuthority => "timestamp authority",
        }
    }
}

/// Everybody, in the order of the kinds.
pub(super) fn of(root: &TrustedRoot) -> Vec<Part> {
    let part = |kind, name: &str, range: Option<&TimeRange>| Part {
        kind,
        name: name.to_owned(),
        from: range.map(|range| range.start),
        until: range.and_then(|range| range.end),
    };
    let mut parts = Vec::new();
    for authority in &root.certificate_authorities {
        parts.push(part(PartKind::CertificateAuthority, &authority.uri, authority.valid_for.as_ref()));
    }
    for log in &root.tlogs {
        parts.push(part(PartKind::TransparencyLog, &log.base_url, log.public_key.valid_for.as_ref()));
    }
    for log in &root.ctlogs {
        parts.push(part(PartKind::CertificateLog, &log.base_url, log.public_key.valid_for.as_ref()));
    }
    for authority in &root.timestamp_authorities {
        let name = authority.uri.as_deref().unwrap_or_default();
        parts.push(part(PartKind::TimestampAuthority, name, authority.valid_for.as_ref()));
    }
    parts
}
