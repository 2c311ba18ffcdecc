//! Images and bundles with known verdicts.

mod advice;
mod attacks;
mod attested;
mod bundles;
mod credentials;
mod denied;
mod dump;
mod expressions;
mod formats;
mod hostile;
mod identities;
mod options;
mod payloads;
mod platforms;
mod recorded;
mod round_trips;
mod shelf;
mod signers;
mod stored;
mod superseded;
mod tampering;
mod texts;
mod timestamps;
mod told;
mod trust_roots;
mod whole;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use common::key::PublicKey;
use common::object::FieldPath;
use common::policy::images::{
    AttestationEntry, ImageEntry, RegistryCredentials, SignatureStorage, SignedReference,
};
use common::policy::{Attestor, Authority, KeySource, Keyless, LogOptions, Matcher, Requirement};
use common::trust::TrustRoot;

/// One attestor.
pub(crate) fn requirement(authority: Authority, log: LogOptions) -> Requirement {
    let (path, annotations, repository) = (FieldPath::root(), BTreeMap::new(), None);
    Requirement::Attestor(Box::new(Attestor { path, authority, annotations, repository, log }))
}

/// A key, without a log.
pub(crate) fn by_key(pem: &str) -> Requirement {
    let log = LogOptions { ignore_tlog: true, ..LogOptions::default() };
    requirement(Authority::Key(KeySource::Inline(PublicKey::parse(pem).unwrap())), log)
}

/// An identity, with everything that proves it.
pub(crate) fn by_identity(subject: &str, issuer: &str) -> Requirement {
    let keyless = Keyless {
        subjects: vec![Matcher::exact(subject).unwrap()],
        issuers: vec![Matcher::exact(issuer).unwrap()],
        extensions: BTreeMap::new(),
        roots: None,
        log: LogOptions::default(),
    };
    requirement(Authority::Keyless(Box::new(keyless)), LogOptions::default())
}

/// An entry that demands a signature.
pub(crate) fn entry(requirement: Option<Requirement>) -> ImageEntry {
    ImageEntry {
        path: FieldPath::root(),
        storage: SignatureStorage::Cosign,
        references: Vec::new(),
        skip: Vec::new(),
        requirement,
        attestations: Vec::new(),
        repository: None,
        oci11: false,
        mutate_digest: true,
        verify_digest: true,
        required: true,
        use_cache: true,
        deny: None,
        context: Vec::new(),
        credentials: RegistryCredentials::default(),
        signed_reference: SignedReference::Any,
        platform: None,
        newest_by: None,
    }
}

/// An attestation of a type, without conditions.
pub(crate) fn attestation(predicate_type: &str, requirement: Option<Requirement>) -> AttestationEntry {
    AttestationEntry {
        path: FieldPath::root(),
        name: None,
        predicate_type: predicate_type.to_owned(),
        requirement,
        conditions: Vec::new(),
    }
}

/// The trust root in a file.
pub(crate) fn root(path: &Path) -> Arc<TrustRoot> {
    let text = std::fs::read_to_string(path).unwrap();
    Arc::new(TrustRoot::from_json(&text).unwrap())
}
