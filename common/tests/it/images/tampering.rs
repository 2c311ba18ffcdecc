//! A keyless signature of an image that is in order, broken in one field at a time: the recorded one by
//! cosign, and one of a private Sigstore.

use std::fs;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::digest::Digest;
use common::registry::Manifest;
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use super::shelf::*;
use super::{by_identity, entry, root};
use crate::judge::fixtures;

const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";

/// A recorded signature.
struct Recorded {
    image: String,
    digest: Digest,
    layer: Layer,
}

impl Recorded {
    fn of(case: &str) -> Self {
        let folder = fixtures().join("cosign/10-keyless").join(case);
        let read = |file: &str| fs::read(folder.join(file)).unwrap();
        let verdict: Value = serde_json::from_slice(&read("verdict.json")).unwrap();
        let image = verdict["image"].as_str().unwrap().to_owned();
        let signatures = Manifest::parse(read("sig.manifest.json").into(), None).unwrap();
        let described = &signatures.image().unwrap().layers[0];
        let annotations = described.annotations.clone();
        let layer = Layer { annotations, ..Layer::of(&described.media_type, read("payload.json")) };
        assert_eq!(Digest::of(&layer.bytes), described.digest);
        Self { digest: Digest::parse(image.split_once('@').unwrap().1).unwrap(), image, layer }
    }

    /// The same with something else in an annotation.
    fn with(&self, annotation: &str, change: impl FnOnce(&str) -> String) -> Layer {
        self.layer.clone().with(annotation, &change(&self.layer.annotations[annotation]))
    }

    fn without(&self, annotation: &str) -> Layer {
        let mut layer = self.layer.clone();
        layer.annotations.remove(annotation);
        layer
    }

    /// The same with another log entry.
    fn with_entry(&self, change: fn(&mut Value)) -> Layer {
        self.with(LOG_ENTRY, |text| {
            let mut entry: Value = serde_json::from_str(text).unwrap();
            change(&mut entry);
            entry.to_string()
        })
    }

    fn judge(&self, layer: &Layer) -> Decision {
        let at = self.image.split_once('@').unwrap().0;
        let shelf = Shelf::default().tag(at, &self.digest, ".sig", std::slice::from_ref(layer));
        let demanded = entry(Some(by_identity("dev@local.test", "https://issuer.local.test")));
        let trusted = root(&fixtures().join("cosign/10-keyless/trust/trusted_root.json"));
        let (registry, known) = (with_image(shelf, at, &self.digest), Facts::default());
        judge_with(&self.image, &demanded, registry, Some(trusted), &known)
    }
}

/// The image itself is asked for where it counts as unsigned.
fn with_image(shelf: Shelf, at: &str, digest: &Digest) -> Arc<Liar> {
    let request = format!("manifest {at}@{digest}");
    Liar::new(shelf, move |asked, _| (asked == request).then(|| Lie::Manifest(Box::new(image("any")))))
}

static GOOD: LazyLock<Recorded> = LazyLock::new(|| Recorded::of("good-email"));
static OTHER: LazyLock<Recorded> = LazyLock::new(|| Recorded::of("good-v2-issuer-only"));

#[track_caller]
fn refused<const N: usize>(rows: [(&str, Layer, &str); N]) {
    passes(&GOOD.judge(&GOOD.layer));
    let mut wrong = Vec::new();
    for (what, layer, code) in rows {
        let decision = GOOD.judge(&layer);
        let found = (decision.outcome(), decision.headline().code());
        if found != (Outcome::Fail, code) {
            wrong.push(format!("{what}: {found:?}, expected {code}: {}", decision.headline()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Flips one bit of what a base64 text stands for.
fn flip(text: &str) -> String {
    let mut bytes = STANDARD.decode(text).unwrap();
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    STANDARD.encode(bytes)
}

/// The same of a PEM certificate: its last bytes are its signature.
fn flip_pem(text: &str) -> String {
    let block = pem::parse(text).unwrap();
    let mut der = block.contents().to_vec();
    let at = der.len() - 3;
    der[at] ^= 1;
    pem::encode(&pem::Pem::new("CERTIFICATE", der))
}

fn body(entry: &mut Value, change: impl FnOnce(&mut Value)) {
    let text = STANDARD.decode(entry["Payload"]["body"].as_str().unwrap()).unwrap();
    let mut body: Value = serde_json::from_slice(&text).unwrap();
    change(&mut body);
    entry["Payload"]["body"] = json!(STANDARD.encode(body.to_string()));
}

#[test]
fn a28_a_certificate_that_is_not_the_signers() {
    let other = &OTHER.layer.annotations;
    refused([
        ("none", GOOD.without(CERTIFICATE), "certificate-missing"),
        ("an empty one", GOOD.with(CERTIFICATE, |_| String::new()), "certificate-missing"),
        ("not PEM", GOOD.with(CERTIFICATE, |_| "x".to_owned()), "certificate-untrusted"),
        ("a changed one", GOOD.with(CERTIFICATE, flip_pem), "certificate-untrusted"),
        ("another signer's", GOOD.with(CERTIFICATE, |_| other[CERTIFICATE].clone()), "signature-invalid"),
        (
            "that of its authority",
            GOOD.with(CERTIFICATE, |_| GOOD.layer.annotations[CHAIN].clone()),
            "certificate-untrusted",
        ),
    ]);
}

/// The chain beside a signature proves nothing: the trust root has its own.
#[test]
fn a28_a_chain_beside_a_signature_makes_nobody_trusted() {
    passes(&GOOD.judge(&GOOD.without(CHAIN)));
    let stranger = crate::authority::Authority::new("fulcio");
    let days = [(2026, 11, 22), (2026, 11, 23)];
    let signer = stranger.certify(&crate::authority::Leaf { days, ..Default::default() });
    let layer = GOOD.with(CHAIN, |_| stranger.pem()).with(CERTIFICATE, &signer.pem);
    refused([
        ("a chain of one's own", layer, "certificate-untrusted"),
        ("no chain at all", GOOD.with(CHAIN, |_| "x".to_owned()), "certificate-untrusted"),
    ]);
}

#[test]
fn a29_a_log_entry_that_the_log_did_not_make() {
    let changed = |change| GOOD.with_entry(change);
    refused([
        ("none", GOOD.without(LOG_ENTRY), "log-entry-missing"),
        ("not JSON", GOOD.with(LOG_ENTRY, |_| "x".to_owned()), "log-entry-invalid"),
        (
            "of another signature",
            GOOD.with(LOG_ENTRY, |_| OTHER.layer.annotations[LOG_ENTRY].clone()),
            "log-entry-invalid",
        ),
        (
            "a flipped promise",
            changed(|e| e["SignedEntryTimestamp"] = json!(flip(e["SignedEntryTimestamp"].as_str().unwrap()))),
            "log-entry-invalid",
        ),
        ("no promise", changed(|e| e["SignedEntryTimestamp"] = json!("")), "log-entry-invalid"),
        (
            "another time",
            changed(|e| {
                e["Payload"]["integratedTime"] = json!(e["Payload"]["integratedTime"].as_i64().unwrap() + 1);
            }),
            "log-entry-invalid",
        ),
        (
            "another place",
            changed(|e| e["Payload"]["logIndex"] = json!(e["Payload"]["logIndex"].as_i64().unwrap() + 1)),
            "log-entry-invalid",
        ),
        ("another log", changed(|e| e["Payload"]["logID"] = json!("0".repeat(64))), "log-entry-invalid"),
        ("no body", changed(|e| e["Payload"]["body"] = json!("")), "log-entry-invalid"),
        (
            "another hash",
            changed(|e| body(e, |b| b["spec"]["data"]["hash"]["value"] = json!("0".repeat(64)))),
            "log-entry-invalid",
        ),
        (
            "another signature",
            changed(|e| body(e, |b| b["spec"]["signature"]["content"] = json!("AAAA"))),
            "log-entry-invalid",
        ),
        (
            "another key",
            changed(|e| body(e, |b| b["spec"]["signature"]["publicKey"]["content"] = json!("AAAA"))),
            "log-entry-invalid",
        ),
        ("another kind", changed(|e| body(e, |b| b["kind"] = json!("rekord"))), "log-entry-invalid"),
        ("another version", changed(|e| body(e, |b| b["apiVersion"] = json!("0.0.2"))), "timestamp-missing"),
        (
            "a time after the certificate",
            changed(|e| {
                e["Payload"]["integratedTime"] =
                    json!(e["Payload"]["integratedTime"].as_i64().unwrap() + 86_400);
            }),
            "log-entry-invalid",
        ),
    ]);
}

#[test]
fn a29_a_signature_or_payload_that_the_entry_is_not_for() {
    let other = &OTHER.layer;
    let payload = |bytes: Vec<u8>| Layer { bytes, ..GOOD.layer.clone() };
    let spaced = [GOOD.layer.bytes.as_slice(), b"\n"].concat();
    refused([
        ("no signature", GOOD.without(SIGNATURE), "signature-invalid"),
        ("a flipped one", GOOD.with(SIGNATURE, flip), "signature-invalid"),
        ("not base64", GOOD.with(SIGNATURE, |_| "!".to_owned()), "signature-invalid"),
        (
            "another one's",
            GOOD.with(SIGNATURE, |_| other.annotations[SIGNATURE].clone()),
            "signature-invalid",
        ),
        ("another payload", payload(other.bytes.clone()), "digest-mismatch"),
        ("a payload with one more byte", payload(spaced), "signature-invalid"),
        ("all of another image", other.clone(), "digest-mismatch"),
    ]);
}
