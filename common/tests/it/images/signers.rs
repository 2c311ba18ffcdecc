//! Who a refusal says must sign, and with which command: for every way in which a rule names a signer.

use common::policy::Policy;
use common::verdict::{Advice, Outcome, Voice};
use serde_json::{Value, json};

use super::shelf::*;
use crate::authority::{Authority, ISSUER, Leaf, SUBJECT};

/// The first line of what is advised about an unsigned image.
fn advised(policy: &Policy) -> String {
    let decision = review_one(&pod(&[APP]), policy, Shelf::of(&image("good")).registry());
    expect(&decision, Outcome::Fail, "signature-missing");
    Advice::of(&decision).lines(Voice::of(&decision)).remove(0).1
}

fn by(attestors: &Value) -> String {
    advised(&policy("p", &entries(&[demand(attestors, &json!({}))])))
}

fn entry(kind: &str, said: &Value) -> String {
    by(&json!([{"entries": [{kind: said}]}]))
}

/// A key of a policy is named, with the log that the policy asks for.
#[test]
fn the_holder_of_a_key() {
    let key = key();
    let name = common::signer::short(&format!("key {}", key.public().fingerprint()));
    let with = |rekor: Value| entry("keys", &json!({"publicKeys": key.public().to_pem(), "rekor": rekor}));
    assert!(with(json!({"ignoreTlog": true})).ends_with(&format!(" --key cosign.key   # with {name}")));
    for (rekor, url) in [
        (json!({}), "https://rekor.sigstore.dev"),
        (json!({"url": "https://rekor.example.com"}), "https://rekor.example.com"),
    ] {
        let line = with(rekor);
        assert!(line.ends_with(&format!(" --key cosign.key --rekor-url {url}   # with {name}")), "{line}");
    }
}

/// An identity is named with its issuer; one of another Sigstore needs that one's configuration.
#[test]
fn an_identity() {
    let (authority, key) = (Authority::new("fulcio"), key());
    let with = |field: &str, value: Value| {
        let mut keyless = json!({"subject": SUBJECT, "issuer": ISSUER});
        keyless[field] = value;
        entry("keyless", &keyless)
    };
    let token = format!("   # a token of {SUBJECT}, by the issuer {ISSUER}");
    let public = with("rekor", json!({"url": "https://rekor.sigstore.dev"}));
    assert!(public.ends_with(&format!(" --identity-token FILE{token}")), "{public}");
    for (field, value) in [
        ("roots", json!(authority.pem())),
        ("rekor", json!({"pubkey": key.public().to_pem(), "url": "https://rekor.example.com"})),
    ] {
        let line = with(field, value);
        let end = format!(
            " --identity-token FILE --signing-config FILE{token}; the signing configuration of its Sigstore"
        );
        assert!(line.ends_with(&end), "{field}: {line}");
    }
}

/// The certificate of a rule says whose key it takes; where the rule has only the chain, no command can sign.
#[test]
fn the_holder_of_a_certificate() {
    let authority = Authority::new("ca");
    let certified = authority.certify(&Leaf::default());
    let with =
        |field: &str, pem: &str| entry("certificates", &json!({field: pem, "rekor": {"ignoreTlog": true}}));
    let line = with("cert", &certified.pem);
    assert!(line.ends_with(" --key FILE   # the key of the certificate that the rule has"), "{line}");
    let chain = with("certChain", &authority.pem());
    assert!(
        chain.ends_with("one whose certificate comes with it, from the chain that the rule has"),
        "{chain}"
    );
    assert!(!chain.contains("kubectl trust sign"), "{chain}");
}

/// Of several, those who are enough; the others are named.
#[test]
fn one_of_several() {
    let keys = [key(), key(), key()];
    let names =
        keys.each_ref().map(|key| common::signer::short(&format!("key {}", key.public().fingerprint())));
    let of_keys: Vec<_> = keys.iter().map(attestor).collect();
    let line = by(&json!([{"count": 1, "entries": of_keys}]));
    let [first, second, third] = &names;
    let end = format!(" --key FILE   # with {first}; or another whom the rule names: {second}, {third}");
    assert!(line.ends_with(&end), "{line}");
}
