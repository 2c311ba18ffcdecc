//! A recorded keyless bundle of an image that is in order, broken in one field at a time.

use std::fs;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::digest::Digest;
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use super::shelf::*;
use super::{by_identity, entry, root};
use crate::judge::fixtures;

static GOOD: LazyLock<Value> = LazyLock::new(|| {
    let path = fixtures().join("cosign/11-bundles/image/sign-good.sigstore.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
});

fn judge_bundle(bundle: &Value) -> Decision {
    let payload = STANDARD.decode(GOOD["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    let hex = statement["subject"][0]["digest"]["sha256"].as_str().unwrap();
    let digest = Digest::parse(&format!("sha256:{hex}")).unwrap();
    let name = format!("{REPOSITORY}@{digest}");
    let shelf = Shelf::default().tag(REPOSITORY, &digest, ".sig", &[Layer::raw_bundle(bundle)]);
    let request = format!("manifest {name}");
    let registry =
        Liar::new(shelf, move |asked, _| (asked == request).then(|| Lie::Manifest(Box::new(image("any")))));
    let demanded = entry(Some(by_identity("dev@local.test", "https://issuer.local.test")));
    let trusted = root(&fixtures().join("cosign/11-bundles/trust/trusted_root.json"));
    judge_with(&name, &demanded, registry, Some(trusted), &Facts::default())
}

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

/// The bundle with one value changed; the path is below the log entry where it starts with a dot.
fn changed(path: &str, change: impl FnOnce(&Value) -> Value) -> Value {
    let path = path.strip_prefix('.').map_or_else(|| path.to_owned(), |rest| format!("{ENTRY}/{rest}"));
    let mut bundle = GOOD.clone();
    let at = bundle.pointer_mut(&path).unwrap_or_else(|| panic!("no {path}"));
    *at = change(at);
    bundle
}

fn removed(path: &str) -> Value {
    let mut bundle = GOOD.clone();
    let (parent, field) = path.rsplit_once('/').unwrap();
    bundle.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
    bundle
}

/// Flips one bit of what a base64 text stands for.
fn flip(value: &Value) -> Value {
    let mut bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    json!(STANDARD.encode(bytes))
}

/// A number, written as text, and one more.
fn next(value: &Value) -> Value {
    let number: i64 = value.as_str().unwrap().parse().unwrap();
    json!((number + 1).to_string())
}

#[track_caller]
fn refused(rows: Vec<(&str, Value, &str)>) {
    passes(&judge_bundle(&GOOD));
    let mut wrong = Vec::new();
    for (what, bundle, code) in rows {
        let decision = judge_bundle(&bundle);
        let found = (decision.outcome(), decision.headline().code());
        if found != (Outcome::Fail, code) {
            wrong.push(format!("{what}: {found:?}, expected {code}: {}", decision.headline()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a28_the_certificate_of_a_bundle() {
    let stranger = crate::authority::Authority::new("fulcio")
        .certify(&crate::authority::Leaf { days: [(2026, 11, 1), (2026, 12, 1)], ..Default::default() });
    let der = STANDARD.encode(pem::parse(stranger.pem).unwrap().contents());
    let raw = "/verificationMaterial/certificate/rawBytes";
    refused(vec![
        ("flipped", changed(raw, flip), "certificate-untrusted"),
        ("empty", changed(raw, |_| json!("")), "certificate-untrusted"),
        ("a stranger's", changed(raw, |_| json!(der)), "certificate-untrusted"),
        ("none", removed("/verificationMaterial/certificate"), "bundle-invalid"),
        (
            "a key in its place",
            changed(
                "/verificationMaterial",
                |material| json!({"publicKey": {"hint": ""}, "tlogEntries": material["tlogEntries"]}),
            ),
            "certificate-missing",
        ),
    ]);
}

#[test]
fn a29_the_log_entry_of_a_bundle() {
    let path = "/verificationMaterial/tlogEntries";
    let invalid = "log-entry-invalid";
    refused(vec![
        ("none", changed(path, |_| json!([])), "log-entry-missing"),
        ("another log", changed(".logId/keyId", flip), invalid),
        ("another place", changed(".logIndex", next), invalid),
        ("another time", changed(".integratedTime", next), invalid),
        ("another promise", changed(".inclusionPromise/signedEntryTimestamp", flip), invalid),
        ("another body", changed(".canonicalizedBody", flip), invalid),
        ("another kind", changed(".kindVersion/kind", |_| json!("hashedrekord")), "bundle-invalid"),
        ("another leaf", changed(".inclusionProof/logIndex", next), invalid),
        ("another tree", changed(".inclusionProof/treeSize", |_| json!("1000000")), invalid),
        ("another root", changed(".inclusionProof/rootHash", flip), invalid),
        ("another tree of the same shape", changed(".inclusionProof/treeSize", next), invalid),
        ("another way", changed(".inclusionProof/hashes/0", flip), invalid),
        ("no way", changed(".inclusionProof/hashes", |_| json!([])), invalid),
        ("no proof", removed(&format!("{ENTRY}/inclusionProof")), invalid),
        ("no checkpoint", changed(".inclusionProof/checkpoint/envelope", |_| json!("")), "bundle-invalid"),
        (
            "another checkpoint",
            changed(".inclusionProof/checkpoint/envelope", |text| {
                json!(text.as_str().unwrap().replacen("rekor.local.test", "rekor.evil.test", 2))
            }),
            invalid,
        ),
    ]);
}

#[test]
fn a29_the_envelope_of_a_bundle() {
    let payload = |bytes: &[u8]| {
        let text = STANDARD.encode(bytes);
        changed("/dsseEnvelope/payload", |_| json!(text))
    };
    let statement = STANDARD.decode(GOOD["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let other =
        String::from_utf8(statement.clone()).unwrap().replace("\"predicate\":{}", "\"predicate\":{\"a\":1}");
    let moved = String::from_utf8(statement.clone()).unwrap().replace("9d1808f0", "00000000");
    refused(vec![
        ("another signature", changed("/dsseEnvelope/signatures/0/sig", flip), "signature-invalid"),
        ("another predicate", payload(other.as_bytes()), "signature-invalid"),
        ("another image", payload(moved.as_bytes()), "digest-mismatch"),
        ("one more byte", payload(&[statement.as_slice(), b"\n"].concat()), "signature-invalid"),
        ("another type", changed("/dsseEnvelope/payloadType", |_| json!("text/plain")), "payload-invalid"),
    ]);
}

/// Statements in cosign's first format, whose log entries are of three kinds.
#[test]
fn a29_the_log_entry_of_an_attestation() {
    let folder = fixtures().join("cosign/14-legacy-att-keyless");
    let trusted = root(&folder.join("trust/trusted_root.json"));
    for case in ["dsse", "intoto"] {
        let read = |file: &str| fs::read(folder.join(case).join(file)).unwrap();
        let envelope: Value = serde_json::from_slice(&read("envelope.json")).unwrap();
        let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
        let statement: Value = serde_json::from_slice(&payload).unwrap();
        let hex = statement["subject"][0]["digest"]["sha256"].as_str().unwrap();
        let digest = Digest::parse(&format!("sha256:{hex}")).unwrap();
        let predicate_type = statement["predicateType"].as_str().unwrap();
        let by = by_identity("dev@local.test", "https://issuer.local.test");
        let mut demanded = entry(None);
        demanded.attestations.push(super::attestation(predicate_type, Some(by)));
        let good = Layer {
            annotations: serde_json::from_slice(&read("annotations.json")).unwrap(),
            ..Layer::raw_envelope(&envelope)
        };
        let judge = |layer: Layer| {
            let shelf = Shelf::default().tag(REPOSITORY, &digest, ".att", &[layer]);
            let (root, known) = (Some(trusted.clone()), Facts::default());
            judge_with(&format!("{REPOSITORY}@{digest}"), &demanded, shelf.registry(), root, &known)
        };
        passes(&judge(good.clone()));
        let bundle = "dev.sigstore.cosign/bundle";
        let entry = |change: fn(&mut Value)| {
            let mut entry: Value = serde_json::from_str(&good.annotations[bundle]).unwrap();
            change(&mut entry);
            good.clone().with(bundle, &entry.to_string())
        };
        let without = |annotation: &str| {
            let mut layer = good.clone();
            layer.annotations.remove(annotation).unwrap();
            layer
        };
        let mut flipped = envelope.clone();
        flipped["signatures"][0]["sig"] = flip(&envelope["signatures"][0]["sig"]);
        let flipped = Layer { annotations: good.annotations.clone(), ..Layer::raw_envelope(&flipped) };
        let rows = [
            (without(bundle), "log-entry-missing"),
            (without("dev.sigstore.cosign/certificate"), "certificate-missing"),
            (entry(|e| e["SignedEntryTimestamp"] = flip(&e["SignedEntryTimestamp"])), "log-entry-invalid"),
            (entry(|e| e["Payload"]["integratedTime"] = json!(1)), "log-entry-invalid"),
            (entry(|e| e["Payload"]["body"] = flip(&e["Payload"]["body"])), "log-entry-invalid"),
            (flipped, "signature-invalid"),
        ];
        for (index, (layer, code)) in rows.into_iter().enumerate() {
            let decision = judge(layer);
            let found = (decision.outcome(), decision.headline().code());
            assert_eq!(found, (Outcome::Fail, code), "{case} {index}: {}", decision.headline());
        }
    }
}
