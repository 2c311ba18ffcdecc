//! Predicate types by the short names that `cosign attest --type` gives them.

use common::dialect::nearest;

const NAMES: [(&str, &str); 10] = [
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("spdx", "https://spdx.dev/Document"),
    ("spdxjson", "https://spdx.dev/Document"),
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
    ("openvex", "https://openvex.dev/ns"),
    ("link", "https://in-toto.io/Link/v1"),
    ("custom", "https://cosign.sigstore.dev/attestation/v1"),
];

/// The predicate type that a short name or a URI stands for.
///
/// # Errors
/// Neither; in words for people, with the nearest that is known.
pub(crate) fn type_of(named: &str) -> Result<String, String> {
    if let Some((_, uri)) = NAMES.iter().find(|(name, _)| *name == named) {
        return Ok((*uri).to_owned());
    }
    // in-toto "Statement", `predicateType`: a URI with its scheme (RFC 3986, 3.1).
    let scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let of_uri = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    match named.split_once(':') {
        Some((before, after)) if scheme(before) && !after.is_empty() && named.chars().all(of_uri) => {
            Ok(named.to_owned())
        }
        _ => Err(unknown(named)),
    }
}

/// All short names, each with the predicate type it stands for.
pub(crate) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.into_iter()
}

fn unknown(named: &str) -> String {
    let known = NAMES.iter().flat_map(|(name, uri)| [*name, *uri]);
    let meant = nearest(named, known).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
    let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
    format!("neither a URI nor a short name{meant} (short names: {})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_name_or_a_uri() {
        for (named, uri) in [
            ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
            ("https://example.com/tests/v1", "https://example.com/tests/v1"),
            ("urn:example:tests", "urn:example:tests"),
        ] {
            assert_eq!(type_of(named).as_deref(), Ok(uri));
        }
        for (named, meant) in [
            ("slsaprovenence", Some("slsaprovenance")),
            ("slsa.dev/provenance/v1", Some("https://slsa.dev/provenance/v1")),
            ("", None),
            ("no type", None),
            ("1x:a", None),
            ("x:", None),
            ("https://example.com/a b", None),
        ] {
            let refused = type_of(named).unwrap_err();
            let says = |meant| refused.contains(&format!("did you mean `{meant}`?"));
            assert!(meant.is_none_or(says), "{named}: {refused}");
        }
    }
}
