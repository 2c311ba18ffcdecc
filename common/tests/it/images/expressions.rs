//! Certificates, identities and places of signatures that expressions give.

use common::cache::Facts;
use common::policy::Policy;
use common::sources::Offline;
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use super::identities::{self, trusted_root};
use super::shelf::*;
use crate::authority::{Authority, Certified, ISSUER, Leaf, SUBJECT};

/// A Pod whose annotations give expressions their values.
fn annotated_pod(annotations: &Value) -> Value {
    let mut object = pod(&[APP]);
    object["metadata"]["annotations"] = annotations.clone();
    object
}

fn given(name: &str) -> String {
    format!("{{{{ request.object.metadata.annotations.{name} }}}}")
}

fn rule(entry: &Value, beside: &Value) -> Policy {
    policy("p", &entries(&[demand(&json!([{"entries": [entry]}]), beside)]))
}

fn judge(policy: &Policy, annotations: &Value, shelf: Shelf) -> Decision {
    review_one(&annotated_pod(annotations), policy, shelf.registry())
}

/// The chain of a company's own authority from a Secret or `ConfigMap`, as Kyverno's documentation shows it.
#[test]
fn a_chain_that_an_expression_gives() {
    use base64::Engine as _;
    let (authority, stranger) = (Authority::new("corp"), Authority::new("corp"));
    let now = Leaf { days: [(2026, 1, 1), (2027, 1, 1)], ..Leaf::default() };
    let (signer, twin) = (authority.certify(&now), authority.certify(&now));
    let good = image("good");
    let by = |signer: &Certified| {
        let layer = Layer::signature(&signer.key, REPOSITORY, &good.digest);
        Shelf::of(&good).signed(&good, &[layer.with("dev.sigstore.cosign/certificate", &signer.pem)])
    };
    let certificates = |certificates: &Value| {
        let mut certificates = certificates.clone();
        certificates["rekor"] = json!({"ignoreTlog": true});
        rule(&json!({"certificates": certificates}), &json!({}))
    };
    let chain = certificates(&json!({"certChain": given("chain")}));
    passes(&judge(&chain, &json!({"chain": authority.pem()}), by(&signer)));
    let packed = base64::engine::general_purpose::STANDARD.encode(authority.pem());
    passes(&judge(&chain, &json!({"chain": packed}), by(&signer)));
    let other = judge(&chain, &json!({"chain": stranger.pem()}), by(&signer));
    expect(&other, Outcome::Fail, "certificate-untrusted");
    let leaf = certificates(&json!({"cert": given("cert"), "certChain": authority.pem()}));
    passes(&judge(&leaf, &json!({"cert": signer.pem}), by(&signer)));
    expect(&judge(&leaf, &json!({"cert": signer.pem}), by(&twin)), Outcome::Fail, "signature-invalid");
    // What has no value, or none that can be read, is a fault: never "no signer", and never another signer.
    for annotations in [json!({}), json!({"chain": ""}), json!({"chain": "not PEM"}), json!({"cert": 1})] {
        for policy in [&chain, &leaf] {
            let decision = judge(policy, &annotations, by(&signer));
            expect(&decision, Outcome::Fault, "variable-unresolved");
        }
    }
}

#[test]
fn a_repository_that_an_expression_gives() {
    let (key, good) = (key(), image("good"));
    let signature = [Layer::signature(&key, REPOSITORY, &good.digest)];
    let shelf = || Shelf::of(&good).tag("ghcr.io/acme/signatures", &good.digest, ".sig", &signature);
    let mut named = attestor(&key);
    named["repository"] = json!(given("place"));
    let beside = json!({"repository": given("place")});
    for policy in [rule(&named, &json!({})), rule(&attestor(&key), &beside)] {
        passes(&judge(&policy, &json!({"place": "ghcr.io/acme/signatures"}), shelf()));
        let elsewhere = judge(&policy, &json!({"place": "ghcr.io/acme/others"}), shelf());
        expect(&elsewhere, Outcome::Fail, "signature-missing");
        for annotations in [json!({}), json!({"place": "https://ghcr.io/acme/signatures"})] {
            let decision = judge(&policy, &annotations, shelf());
            expect(&decision, Outcome::Fault, "variable-unresolved");
            let told = decision.headline().to_string();
            assert!(told.contains("].repository: ") && !told.contains("keys.repository"), "{told}");
        }
    }
}

/// Attack: an identity that the text of the attacker widens to everybody.
#[test]
fn an_identity_that_an_expression_gives() {
    let policy = |keyless: &Value| {
        let mut keyless = keyless.clone();
        keyless["ctlog"] = json!({"ignoreSCT": true});
        rule(&json!({"keyless": keyless}), &json!({}))
    };
    let judge = |policy: &Policy, annotations: &Value| {
        let sources = Offline {
            trust_root: Some(trusted_root()),
            images: Some(identities::signed_shelf(&Leaf::default()).registry()),
        };
        let policies = std::slice::from_ref(policy);
        review_by(&annotated_pod(annotations), policies, &sources, &Facts::default()).remove(0)
    };
    let both = policy(&json!({"subject": given("subject"), "issuer": given("issuer")}));
    passes(&judge(&both, &json!({"subject": SUBJECT, "issuer": ISSUER})));
    passes(&judge(&both, &json!({"subject": "dev@*", "issuer": ISSUER})));
    let other = judge(&both, &json!({"subject": "ops@example.com", "issuer": ISSUER}));
    expect(&other, Outcome::Fail, "identity-mismatch");
    let issuer = judge(&both, &json!({"subject": SUBJECT, "issuer": "https://elsewhere.example"}));
    expect(&issuer, Outcome::Fail, "issuer-mismatch");
    for annotations in [
        json!({}),
        json!({"subject": SUBJECT}),
        json!({"subject": "", "issuer": ISSUER}),
        json!({"subject": "*", "issuer": "*"}),
    ] {
        expect(&judge(&both, &annotations), Outcome::Fault, "variable-unresolved");
    }
    let regex = policy(&json!({"subjectRegExp": given("subject"), "issuer": ISSUER}));
    passes(&judge(&regex, &json!({"subject": "dev@.*"})));
    expect(&judge(&regex, &json!({"subject": "ev@.*"})), Outcome::Fail, "identity-mismatch");
    expect(&judge(&regex, &json!({"subject": "("})), Outcome::Fault, "variable-unresolved");
    // Attack: roots that are not there, so that the configured ones stand in for them.
    let roots = policy(&json!({"subject": SUBJECT, "issuer": ISSUER, "roots": given("roots")}));
    expect(&judge(&roots, &json!({})), Outcome::Fault, "variable-unresolved");
    let stranger = Authority::new("fulcio").pem();
    expect(&judge(&roots, &json!({"roots": stranger})), Outcome::Fail, "certificate-untrusted");
    passes(&judge(&roots, &json!({"roots": identities::authority_pem()})));
    for (field, piece) in [("rekor", "pubkey"), ("ctlog", "pubkey"), ("ctlog", "tsaCertChain")] {
        let mut entry = json!({"subject": SUBJECT, "issuer": ISSUER, "ctlog": {"ignoreSCT": true}});
        entry[field][piece] = json!(given("piece"));
        let policy = rule(&json!({"keyless": entry}), &json!({}));
        for annotations in [json!({}), json!({"piece": "not PEM"})] {
            expect(&judge(&policy, &annotations), Outcome::Fault, "variable-unresolved");
        }
    }
}
