//! Readers of texts that anybody may send never panic, whatever they are sent.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::dialect;
use common::key::{Password, PrivateKey, PublicKey};
use common::manifest::message::{self, Message};
use common::manifest::{Annotations, DEFAULT_DOMAIN, ignore};
use common::object::FieldPath;
use common::policy::expression::Expression;
use common::policy::template::Template;
use common::policy::{Matcher, wildcard};
use common::trust::TrustRoot;
use common::yaml;
use proptest::prelude::*;
use proptest::sample::Index;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::wild;

/// Texts that look like what a reader expects, for a while.
fn almost() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r##"[a-c0-9:{}\[\],&*!|>'"#%@?~\-\n\t .<=`$()]{0,200}"##,
        wild::value().prop_map(|value| value.to_string()),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), almost().prop_map(String::into_bytes)]
}

/// Some bytes of a good text replaced.
fn damaged(good: &[u8], damage: &[(Index, u8)]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for (index, byte) in damage {
        let at = index.index(bytes.len());
        bytes[at] = *byte;
    }
    bytes
}

fn damage() -> impl Strategy<Value = Vec<(Index, u8)>> {
    prop::collection::vec(any::<(Index, u8)>(), 1..6)
}

fn block(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der))
}

static PAIR: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate().unwrap());

/// A document of every kind that is compiled, in which much is said.
static POLICIES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let key = PAIR.public_key_pem();
    let certificate = CertificateParams::default().self_signed(&*PAIR).unwrap().pem();
    let entries = |keys: &Value| {
        json!([{"count": 1, "entries": [{"keys": keys, "annotations": {"a": "b"}},
            {"keyless": {"subjectRegExp": ".+@acme[.]io", "issuer": "https://*", "additionalExtensions": {"a": "b"}}},
            {"attestor": {"entries": [{"certificates": {"cert": certificate}}]}}]}])
    };
    let about = json!({"any": [{"resources": {"kinds": ["Pod", "apps/*/Deployment"], "names": ["a*"],
        "selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}}}]});
    let rules = |keys: &Value| {
        json!([{"name": "a", "match": about, "preconditions": {"all": [{"key": "{{ a }}", "operator": "Equals", "value": 1}]},
            "verifyImages": [{"imageReferences": ["ghcr.io/*"], "attestors": entries(keys), "attestations": [
                {"type": "https://slsa.dev/provenance/v1", "attestors": entries(keys), "conditions": [{"all": []}]}]}]},
            {"name": "b", "match": about, "exclude": about, "validate": {"manifests": {"attestors": entries(keys),
                "ignoreFields": [{"objects": [{"kind": "Pod"}], "fields": ["spec.replicas", "a.**"]}]}}}])
    };
    let document = |version: &str, kind: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "n", "namespace": "s"}, "spec": spec});
    let ours = json!({"publicKeys": key, "trustRoot": "private"});
    let kyvernos = json!({"publicKeys": key, "rekor": {"ignoreTlog": true}});
    let root: Value = serde_json::from_str(sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT).unwrap();
    let exceptions = json!({"match": about, "exceptions": [{"policyName": "n", "ruleNames": ["*"]}]});
    vec![
        document("kubectl-trust.io/v1alpha1", "ClusterTrustPolicy", json!({"rules": rules(&ours)})),
        document("kubectl-trust.io/v1alpha1", "TrustPolicy", json!({"rules": rules(&ours)})),
        document("kubectl-trust.io/v1alpha1", "TrustRoot", json!({"trustedRoot": root})),
        document("kubectl-trust.io/v1alpha1", "TrustRoot", json!({"pem": {"rekorKeys": key}})),
        document(
            "kyverno.io/v1",
            "ClusterPolicy",
            json!({"validationFailureAction": "Enforce", "rules": rules(&kyvernos)}),
        ),
        document("kyverno.io/v2", "PolicyException", exceptions),
    ]
});

#[test]
fn the_documents_that_are_damaged_are_good() {
    for document in POLICIES.iter() {
        if let Err(errors) = dialect::compile(document) {
            panic!("{errors}\n{document}");
        }
    }
}

/// Every place in a document, as a JSON pointer.
fn places(value: &Value, at: &str) -> Vec<String> {
    let below: Vec<_> = match value {
        Value::Object(map) => {
            map.iter().flat_map(|(key, value)| places(value, &format!("{at}/{key}"))).collect()
        }
        Value::Array(list) => {
            let each = list.iter().enumerate();
            each.flat_map(|(index, value)| places(value, &format!("{at}/{index}"))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    };
    std::iter::once(at.to_owned()).chain(below).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn yaml_and_messages(bytes in bytes()) {
        let _ = yaml::read(&bytes);
        let _ = Message::of_raw(bytes.clone());
        let _ = Message::read(&STANDARD.encode(&bytes));
        let _ = Message::read(&message::encode(&bytes));
        let _ = Message::read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn damaged_messages(damage in damage(), object in wild::custom_resource()) {
        let objects = [object];
        for raw in [message::plain(&objects), message::as_tarball(&objects).unwrap()] {
            let _ = Message::of_raw(damaged(&raw, &damage));
            let carried = STANDARD.decode(message::encode(&raw)).unwrap();
            let _ = Message::read(&STANDARD.encode(damaged(&carried, &damage)));
        }
    }

    #[test]
    fn annotations(message in wild::value(), signature in almost(), certificate in bytes(), bundle in almost()) {
        let object = json!({"metadata": {"annotations": {
            "cosign.sigstore.dev/message": message, "cosign.sigstore.dev/signature": signature,
            "cosign.sigstore.dev/certificate": message::encode(&certificate),
            "cosign.sigstore.dev/bundle": bundle, "cosign.sigstore.dev/signature_1": "AAAA"}}});
        for signature in &Annotations::read(&object, DEFAULT_DOMAIN).signatures {
            let _ = signature.decode();
        }
    }

    #[test]
    fn any_object_is_an_object_to_be_read(object in wild::value(), domain in wild::text()) {
        prop_assert!(Annotations::read(&object, &domain).signatures.is_empty());
        let _ = dialect::compile(&object);
    }

    #[test]
    fn damaged_policies(document in any::<Index>(), place in any::<Index>(), value in wild::value()) {
        let mut document = document.get(&POLICIES[..]).clone();
        let places = places(&document, "");
        let place = place.get(&places[..]).as_str();
        *document.pointer_mut(place).unwrap() = value;
        // Whatever compiles must be able to be shown.
        let _ = dialect::compile(&document).map(|compiled| format!("{compiled:?}")).map_err(|errors| errors.to_string());
    }

    #[test]
    fn keys(bytes in bytes(), label in "(PUBLIC|PRIVATE|EC PRIVATE|RSA PRIVATE|ENCRYPTED SIGSTORE PRIVATE) KEY") {
        let block = block(&label, &bytes);
        for text in [block.as_str(), &block[..block.len() / 2], &String::from_utf8_lossy(&bytes)] {
            let _ = PublicKey::parse_all(text);
            let _ = PrivateKey::parse(text, || Some(Password::new("")));
        }
    }

    #[test]
    fn damaged_keys(damage in damage()) {
        let private = damaged(PAIR.serialized_der(), &damage);
        let _ = PrivateKey::parse(&block("PRIVATE KEY", &private), || None);
        let public = PublicKey::parse(&PAIR.public_key_pem()).unwrap();
        let _ = PublicKey::from_spki(&damaged(public.spki(), &damage));
    }

    #[test]
    fn trust_roots(bytes in bytes(), damage in damage()) {
        let _ = TrustRoot::from_json(&String::from_utf8_lossy(&bytes));
        let public = sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT.as_bytes();
        let _ = TrustRoot::from_json(&String::from_utf8_lossy(&damaged(public, &damage)));
    }

    #[test]
    fn texts_of_policies(text in almost(), other in almost()) {
        let _ = Expression::parse(&text);
        let _ = Template::parse_text(&text);
        let _ = Template::parse(&Value::from(format!("{{{{ {text} }}}}")));
        let _ = Matcher::regex(&text);
        let _ = Matcher::wildcard(&text).map(|matcher| matcher.matches(&other));
        let _ = wildcard::matches(&text, &other);
        let _ = ignore::parse_flag(&text, FieldPath::root());
    }
}
