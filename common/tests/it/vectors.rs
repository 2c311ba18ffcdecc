//! Signed manifests with known verdicts: our own fixtures, and the shared vectors where they are.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use common::key::{Password, PrivateKey, PublicKey};
use common::object::FieldPath;
use common::policy::{Matching, NamespaceAllowance};
use common::verdict::Outcome;
use serde_json::Value;

use crate::judge::{Demand, fixtures, vectors};

/// The code each case must give under the default setting; a case that is not here (a vector we have
/// never seen) is still held to its verdict.
const CODES: &[(&str, &str)] = &[
    ("attack-annotation-in-pod-template", "manifest-differs"),
    ("attack-clusterpolicy-enforce-to-audit", "manifest-differs"),
    ("attack-configmap-key-containing-status", "manifest-differs"),
    ("attack-empty-file", "input-empty"),
    ("attack-extra-field", "manifest-differs"),
    ("attack-finalizer-added", "manifest-differs"),
    ("attack-gzip-bomb", "message-unreadable"),
    ("attack-image-docker-io-prefix", "manifest-differs"),
    ("attack-keyless-expired-at-integration", "certificate-not-valid-at-signing"),
    ("attack-keyless-resource-changed", "manifest-differs"),
    ("attack-keyless-selfsigned-cert", "certificate-untrusted"),
    ("attack-message-substituted", "signature-invalid"),
    ("attack-namespace-injected", "manifest-differs"),
    ("attack-namespace-moved", "manifest-differs"),
    ("attack-networkpolicy-empty-rule", "manifest-differs"),
    ("attack-pod-projected-secret-volume", "manifest-differs"),
    ("attack-pod-serviceaccountname", "manifest-differs"),
    ("attack-rbac-move-resourcenames", "manifest-differs"),
    ("attack-renamed", "target-mismatch"),
    ("attack-resource-changed", "manifest-differs"),
    ("attack-signature-is-url", "signature-invalid"),
    ("gen-plain-leading-empty-docs", "target-mismatch"),
    ("gen-signature-bitflip", "signature-invalid"),
    ("gen-signature-index-gap", "signature-missing"),
    ("gen-wrong-key", "signature-invalid"),
    ("k8sms-e2e-unsigned", "signature-missing"),
    ("keyless-no-bundle", "log-entry-missing"),
    ("kyverno-bad-signatures", "manifest-differs"),
    ("kyverno-deployment-unsigned", "signature-missing"),
    ("kyverno-gotest-signed", "manifest-differs"),
    ("kyverno-gotest-unsigned", "signature-missing"),
    ("kyverno-no-signature", "signature-missing"),
];

struct Case {
    name: String,
    signed: Vec<u8>,
    expected: Value,
    demand: Demand,
}

fn cases(folder: &Path) -> Vec<Case> {
    let mut folders: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let signed = folders.into_iter().filter(|folder| folder.join("signed.yaml").is_file());
    signed.map(|folder| case(&folder)).collect()
}

fn case(folder: &Path) -> Case {
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let expected: Value = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut demand = signers(folder, &expected);
    if let Some(domain) = expected.get("annotationKeyDomain").and_then(Value::as_str) {
        domain.clone_into(&mut demand.rule.annotation_domain);
    }
    Case { name, signed: fs::read(folder.join("signed.yaml")).unwrap(), expected, demand }
}

/// Any of the keys beside the manifest, or the identity that `expected.json` names.
fn signers(folder: &Path, expected: &Value) -> Demand {
    let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
    if let Some(policy) = expected.get("policy").filter(|policy| policy.is_object()) {
        let field = |name: &str| policy[name].as_str().unwrap();
        let demand = Demand::identity(field("subject"), field("issuer"));
        return demand.private_root(&text("fulcio-root.pem").unwrap(), &text("rekor.pub").unwrap());
    }
    if let Some(identity) = expected.pointer("/identities/0") {
        return Demand::identity(identity["san"].as_str().unwrap(), identity["issuer"].as_str().unwrap());
    }
    let keys: Vec<_> = ["key.pub", "key2.pub"].iter().filter_map(|name| text(name)).collect();
    Demand::keys(1, &keys.iter().map(String::as_str).collect::<Vec<_>>())
}

fn check(case: &Case) {
    let (outcome, code) = case.demand.judge_text(&case.signed);
    let passes = outcome == Outcome::Pass;
    match case.expected["verdict"].as_str().unwrap() {
        "pass" => assert!(passes, "{}: {code}", case.name),
        "fail" | "policy" => assert!(!passes, "{} was accepted", case.name),
        other => panic!("{}: unknown verdict {other}", case.name),
    }
    if let Some((_, expected)) = CODES.iter().find(|(name, _)| *name == case.name) {
        assert_eq!(code, *expected, "{}", case.name);
    }
}

#[test]
fn every_own_case_gives_its_verdict() {
    let cases = cases(&fixtures().join("manifest"));
    assert!(cases.len() >= 36, "fixtures are missing");
    cases.iter().for_each(check);
}

#[test]
fn every_shared_vector_gives_its_verdict() {
    let Some(folder) = vectors() else { return };
    let cases = cases(&folder.join("manifest"));
    assert!(cases.len() >= 45, "vectors are missing");
    cases.iter().for_each(check);
}

/// The settings of `policy_verdicts`, as flags and thresholds.
fn with_setting(mut demand: Demand, setting: &str, keys: &[String]) -> Demand {
    let all: Vec<_> = keys.iter().map(String::as_str).collect();
    if setting.starts_with("all") {
        return Demand::keys(keys.len(), &all);
    }
    if setting.starts_with("count:1") {
        return Demand::keys(1, &all);
    }
    let mut words = setting.splitn(2, "--ignore-fields ");
    let flags = words.next().unwrap();
    if let Some(path) = words.next() {
        let path = path.trim_matches('\'');
        let field = common::manifest::ignore::parse_flag(path, FieldPath::root()).unwrap();
        demand.rule.ignore_fields.push(field);
    }
    match flags.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["default" | "strict"] => {}
        ["compat"] => demand.rule.matching = Matching::Compat(common::policy::DefaultFields::Signature),
        ["--allow-namespace"] => demand.rule.allow_namespace = NamespaceAllowance::Any,
        ["--allow-finalizer", name] => demand.rule.allow_finalizers = vec![(*name).to_owned()],
        other => panic!("unknown setting {other:?}"),
    }
    demand
}

fn check_settings(folder: &Path) -> usize {
    let mut checked = 0;
    for case in cases(folder) {
        let Some(settings) = case.expected.get("policy_verdicts").and_then(Value::as_object) else {
            continue;
        };
        // The signature set of the two-key policies that these cases come from.
        let keys: Vec<_> = ["key.pub", "key2.pub"]
            .iter()
            .filter_map(|name| fs::read_to_string(folder.join("kyverno-two-signatures").join(name)).ok())
            .collect();
        for (setting, expected) in settings {
            let demand = with_setting(self::case(&folder.join(&case.name)).demand, setting, &keys);
            let (outcome, code) = demand.judge_text(&case.signed);
            let expected = expected.as_str().unwrap();
            assert_eq!(outcome == Outcome::Pass, expected == "pass", "{} with {setting}: {code}", case.name);
            checked += 1;
        }
    }
    checked
}

#[test]
fn explicit_choices_decide_what_they_say() {
    assert!(check_settings(&fixtures().join("manifest")) >= 7);
    if let Some(folder) = vectors() {
        assert!(check_settings(&folder.join("manifest")) >= 13);
    }
}

#[test]
fn a_blob_signature_is_over_the_bytes() {
    let Some(folder) = vectors().map(|folder| folder.join("manifest/k8sms-blob-signature")) else { return };
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let key = PublicKey::parse(std::str::from_utf8(&read("key.pub")).unwrap()).unwrap();
    let text = String::from_utf8(read("signature.b64")).unwrap();
    let signature = base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap();
    let mut blob = read("blob.bin");
    assert!(key.verifies(&blob, &signature));
    blob[0] ^= 1;
    assert!(!key.verifies(&blob, &signature));
}

fn check_keys(folder: &Path, keys: &[(&str, &str)]) {
    for (name, password) in keys {
        let text = fs::read_to_string(folder.join(format!("{name}.key"))).unwrap();
        let key = PrivateKey::parse(&text, || Some(Password::new(*password)));
        let key = key.unwrap_or_else(|error| panic!("{name}: {error}"));
        let signature = key.sign(b"message").unwrap();
        assert!(key.public().verifies(b"message", &signature), "{name}");
        if let Ok(public) = fs::read_to_string(folder.join(format!("{name}.pub"))) {
            assert_eq!(PublicKey::parse(&public).unwrap(), *key.public(), "{name}");
        }
        let wrong = PrivateKey::parse(&text, || Some(Password::new("wrong"))).unwrap_err();
        assert_eq!(wrong, common::key::KeyError::WrongPassword, "{name}");
    }
}

#[test]
fn encrypted_keys_of_every_maker_are_read() {
    let own = [
        ("sigstore-rs-cosign-empty", ""),
        ("sigstore-rs-ecdsa-123", "123"),
        ("sigstore-rs-ed25519-123", "123"),
        ("sigstore-rs-rsa-123", "123"),
        ("kwctl-cosign1", "kubewarden"),
    ];
    check_keys(&fixtures().join("keys"), &own);
    if let Some(folder) = vectors() {
        check_keys(&folder.join("manifest/keys"), &[("k8sms-testkey", ""), ("k8sms-cosign-testkey", "")]);
    }
}
