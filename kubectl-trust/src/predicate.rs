//! Predicate types by the short names that `cosign attest --type` gives them.

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

/// The predicate type of a short name; everything else is a type itself.
pub(crate) fn type_of(named: &str) -> String {
    let known = NAMES.iter().find(|(name, _)| *name == named);
    known.map_or(named, |(_, uri)| uri).to_owned()
}

/// All short names, each with the predicate type it stands for.
pub(crate) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.into_iter()
}
