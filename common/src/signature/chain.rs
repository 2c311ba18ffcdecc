//! Why a certificate does not chain to an authority, in words for people.

use std::fmt::Write as _;

use webpki::Error;
use x509_cert::Certificate;
use x509_cert::ext::pkix::ExtendedKeyUsage;

/// Extended key usages and what they are for (RFC 5280, 4.2.1.12).
const USAGES: [(&str, &str); 7] = [
    ("1.3.6.1.5.5.7.3.1", "TLS server"),
    ("1.3.6.1.5.5.7.3.2", "TLS client"),
    (CODE_SIGNING, "code signing"),
    ("1.3.6.1.5.5.7.3.4", "e-mail protection"),
    ("1.3.6.1.5.5.7.3.8", "time stamping"),
    ("1.3.6.1.5.5.7.3.9", "OCSP signing"),
    ("2.5.29.37.0", "any usage"),
];

const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";

/// What the verifier says of a chain below a configured authority.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum is open; what is left is about lists of revoked certificates or broken DER"
)]
pub(super) fn in_words(error: &Error, leaf: &Certificate) -> String {
    match error {
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => lacking_usage(leaf)
            .unwrap_or_else(|| "a certificate of the chain may not be used for code signing".to_owned()),
        Error::UnknownIssuer => "none of the configured authorities issued it".to_owned(),
        Error::CertExpired { .. } => "a certificate of the chain has expired".to_owned(),
        Error::CertNotValidYet { .. } => "a certificate of the chain is not valid yet".to_owned(),
        Error::InvalidCertValidity => "a certificate of the chain ends before it begins".to_owned(),
        Error::CaUsedAsEndEntity => {
            "it is the certificate of an authority, which signs nothing else".to_owned()
        }
        Error::EndEntityUsedAsCa => "a certificate above it is not one of an authority".to_owned(),
        Error::InvalidSignatureForPublicKey | Error::SignatureAlgorithmMismatch => {
            "a certificate of the chain is not signed by the one above it".to_owned()
        }
        Error::PathLenConstraintViolated
        | Error::MaximumPathDepthExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded => "the chain is longer than it may be".to_owned(),
        Error::NameConstraintViolation
        | Error::MaximumNameConstraintComparisonsExceeded
        | Error::MalformedNameConstraint
        | Error::InvalidNetworkMaskConstraint => {
            "an authority above it may not issue certificates for that name".to_owned()
        }
        Error::UnsupportedCriticalExtension => {
            "a certificate of the chain demands something that is not supported".to_owned()
        }
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a certificate of the chain is signed by an algorithm that is not supported".to_owned()
        }
        _ => "a certificate of the chain is malformed".to_owned(),
    }
}

/// That a certificate may not be used for code signing, and for what it may; `None` where it may.
pub(super) fn lacking_usage(certificate: &Certificate) -> Option<String> {
    let usages = match certificate.tbs_certificate.get::<ExtendedKeyUsage>() {
        Ok(Some((_, ExtendedKeyUsage(usages)))) => usages.iter().map(ToString::to_string).collect(),
        Ok(None) => Vec::new(),
        Err(_) => return Some("its usages cannot be read".to_owned()),
    };
    if usages.iter().any(|usage| usage == CODE_SIGNING) {
        return None;
    }
    let mut text = "it lacks the usage \"code signing\"".to_owned();
    let called = |oid: &String| {
        let known = USAGES.iter().find(|(known, _)| known == oid);
        known.map_or_else(|| oid.clone(), |(_, name)| format!("\"{name}\""))
    };
    if usages.is_empty() {
        text.push_str(" and names none");
    } else {
        let _ = write!(text, "; it has {}", usages.iter().map(called).collect::<Vec<_>>().join(", "));
    }
    Some(text)
}
