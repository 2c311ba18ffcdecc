//! Trust roots that policies name: whom they trust, and nobody else.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::dialect::{Compiled, compile};
use common::policy::{Policy, TrustRoots};
use common::registry::Registry;
use common::signature::make::{Said, simple_signing_payload};
use common::sources::Offline;
use common::trust::TrustRoot;
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use super::shelf::*;
use crate::authority::{Authority, Entry, ISSUER, Leaf, Log, SUBJECT, root};

/// A Sigstore of somebody.
struct Sigstore {
    authority: Authority,
    log: Log,
}

impl Sigstore {
    fn new(name: &str) -> Self {
        Self { authority: Authority::new(name), log: Log::new() }
    }

    fn root(&self) -> Arc<TrustRoot> {
        root(&self.authority, &self.log, None)
    }

    /// The usual image, signed by the usual identity of this Sigstore.
    fn signed(&self) -> Arc<dyn Registry> {
        let (good, signer) = (image("good"), self.authority.certify(&Leaf::default()));
        let payload = simple_signing_payload(REPOSITORY, &good.digest, &Said::new());
        let layer = Layer::payload(&signer.key, payload.clone());
        let signature = STANDARD.decode(&layer.annotations[SIGNATURE]).unwrap();
        let bundle = self.log.bundle(&Entry::of(&payload, &signature, &signer.pem)).to_string();
        let layer = layer
            .with("dev.sigstore.cosign/certificate", &signer.pem)
            .with("dev.sigstore.cosign/bundle", &bundle);
        Shelf::of(&good).signed(&good, &[layer]).registry()
    }
}

static PRIVATE: LazyLock<Sigstore> = LazyLock::new(|| Sigstore::new("private"));
static CONFIGURED: LazyLock<Sigstore> = LazyLock::new(|| Sigstore::new("configured"));

fn policy(attestor: &Value) -> Policy {
    let document = json!({"apiVersion": "kubectl-trust.io/v1alpha1", "kind": "ClusterTrustPolicy",
        "metadata": {"name": "signed"}, "spec": {"rules": [{"name": "images",
            "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
            "verifyImages": [{"imageReferences": ["*"], "verifyDigest": false, "mutateDigest": false,
                "attestors": [{"entries": [attestor]}]}]}]}});
    match compile(&document).unwrap_or_else(|errors| panic!("{errors}")) {
        Compiled::Policy(policy) => policy,
        other @ (Compiled::Exception(_) | Compiled::TrustRoot(_)) => panic!("{other:?}"),
    }
}

fn identity(trust_root: Option<&str>) -> Policy {
    let mut keyless = json!({"subject": SUBJECT, "issuer": ISSUER});
    if let Some(name) = trust_root {
        keyless["trustRoot"] = json!(name);
    }
    policy(&json!({"keyless": keyless}))
}

fn judge(policy: &Policy, images: &Arc<dyn Registry>, known: &Facts) -> Decision {
    let sources = Offline { trust_root: Some(CONFIGURED.root()), images: Some(Arc::clone(images)) };
    review_by(&pod(&[APP]), std::slice::from_ref(policy), &sources, known).remove(0)
}

#[test]
fn a_named_root_is_trusted_in_place_of_the_configured_one() {
    let known = Facts::default();
    let mut named = identity(Some("private"));
    let missing = named.name_roots(&TrustRoots::from([("private".to_owned(), PRIVATE.root())]));
    assert!(missing.is_empty());
    passes(&judge(&named, &PRIVATE.signed(), &known));
    expect(&judge(&named, &CONFIGURED.signed(), &known), Outcome::Fail, "log-entry-invalid");
    let unnamed = identity(None);
    passes(&judge(&unnamed, &CONFIGURED.signed(), &known));
    expect(&judge(&unnamed, &PRIVATE.signed(), &known), Outcome::Fail, "log-entry-invalid");
}

/// Attack: a root that is deleted, so that those whom another one trusts would count.
#[test]
fn a_root_that_is_gone_is_a_fault() {
    let known = Facts::default();
    let mut named = identity(Some("private"));
    expect(&judge(&named, &CONFIGURED.signed(), &known), Outcome::Fault, "trust-root-unknown");
    named.name_roots(&TrustRoots::from([("private".to_owned(), PRIVATE.root())]));
    passes(&judge(&named, &PRIVATE.signed(), &known));
    named.name_roots(&TrustRoots::new());
    for images in [PRIVATE.signed(), CONFIGURED.signed()] {
        expect(&judge(&named, &images, &known), Outcome::Fault, "trust-root-unknown");
    }
}

/// The log of a key's signature is one of the root that is named.
#[test]
fn a_key_has_its_logs_from_the_root_that_is_named() {
    let (good, signer, known) = (image("good"), key(), Facts::default());
    let pem = signer.public().to_pem();
    let payload = simple_signing_payload(REPOSITORY, &good.digest, &Said::new());
    let layer = Layer::payload(&signer, payload.clone());
    let signature = STANDARD.decode(&layer.annotations[SIGNATURE]).unwrap();
    let bundle = PRIVATE.log.bundle(&Entry::of(&payload, &signature, &pem)).to_string();
    let images =
        Shelf::of(&good).signed(&good, &[layer.with("dev.sigstore.cosign/bundle", &bundle)]).registry();
    let mut named = policy(&json!({"keys": {"publicKeys": pem, "trustRoot": "private"}}));
    named.name_roots(&TrustRoots::from([("private".to_owned(), PRIVATE.root())]));
    passes(&judge(&named, &images, &known));
    named.name_roots(&TrustRoots::from([("private".to_owned(), CONFIGURED.root())]));
    expect(&judge(&named, &images, &known), Outcome::Fail, "log-entry-invalid");
    named.name_roots(&TrustRoots::new());
    expect(&judge(&named, &images, &known), Outcome::Fault, "trust-root-unknown");
}
