//! A recorded bundle with an entry of Rekor v2 and a timestamp (RFC 3161), broken in one field at a time; and
//! trust roots under which it proves nothing.

use std::fs;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::trust::TrustRoot;
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use super::bundles::judge;
use super::by_identity;
use crate::judge::fixtures;

const SUBJECT: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main";
const ISSUER: &str = "https://issuer.local.test";

fn read(name: &str) -> Vec<u8> {
    fs::read(fixtures().join("cosign/13-cosign3-blob").join(name)).unwrap()
}

static BUNDLE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_slice(&read("blob.sigstore.json")).unwrap());
static ROOT: LazyLock<Value> = LazyLock::new(|| serde_json::from_slice(&read("trusted_root.json")).unwrap());

fn judged(bundle: &Value, root: &Value) -> Decision {
    let root = TrustRoot::from_json(&root.to_string()).unwrap();
    let by = by_identity(SUBJECT, ISSUER);
    judge(&read("blob.txt"), bundle.to_string().as_bytes(), by, Some(Arc::new(root)))
}

fn changed(document: &Value, path: &str, change: impl FnOnce(&Value) -> Value) -> Value {
    let mut document = document.clone();
    let at = document.pointer_mut(path).unwrap_or_else(|| panic!("no {path}"));
    *at = change(at);
    document
}

/// Flips one bit of what a base64 text stands for.
fn flip(at: usize) -> impl Fn(&Value) -> Value {
    move |value| {
        let mut bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
        bytes[at] ^= 1;
        json!(STANDARD.encode(bytes))
    }
}

fn refused(rows: Vec<(&str, Value, Value, &str)>) {
    assert_eq!(judged(&BUNDLE, &ROOT).outcome(), Outcome::Pass);
    let mut wrong = Vec::new();
    for (what, bundle, root, code) in rows {
        let decision = judged(&bundle, &root);
        let found = (decision.outcome(), decision.headline().code());
        if found != (Outcome::Fail, code) {
            wrong.push(format!("{what}: {found:?}, expected {code}: {}", decision.headline()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const STAMPS: &str = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
const STAMP: &str = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";
const AUTHORITY: &str = "/timestampAuthorities/0";

/// Somebody else's timestamp, over another signature: as the authority would give it to anybody.
fn of_another_signature() -> Value {
    let folder = fixtures().join("cosign/13-cosign3-rk2-keyless-rekorv2-tsa/blobs");
    let other = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let bundles = other.filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let stamps = bundles.filter_map(|bundle| bundle.pointer(STAMP).cloned());
    stamps.min_by_key(ToString::to_string).unwrap()
}

#[test]
fn a30_a_timestamp_that_was_changed_or_is_anothers() {
    let (bundle, root) = (&*BUNDLE, || ROOT.clone());
    let length = STANDARD.decode(bundle.pointer(STAMP).unwrap().as_str().unwrap()).unwrap().len();
    refused(vec![
        ("none", changed(bundle, STAMPS, |_| json!([])), root(), "timestamp-missing"),
        (
            "another signature's",
            changed(bundle, STAMP, |_| of_another_signature()),
            root(),
            "timestamp-invalid",
        ),
        ("its last byte", changed(bundle, STAMP, flip(length - 1)), root(), "timestamp-invalid"),
        ("a byte in its middle", changed(bundle, STAMP, flip(length / 2)), root(), "timestamp-invalid"),
        ("its first byte", changed(bundle, STAMP, flip(0)), root(), "timestamp-invalid"),
        ("nothing in it", changed(bundle, STAMP, |_| json!("")), root(), "timestamp-invalid"),
    ]);
}

/// Attacks: a timestamp authority that nobody trusts any more, or never did, lends a stolen key its time.
#[test]
fn a30_an_authority_that_is_not_trusted_at_that_time() {
    let (bundle, root) = (|| BUNDLE.clone(), &*ROOT);
    let valid = |start: &str, end: &str| {
        changed(root, AUTHORITY, |authority| {
            let mut authority = authority.clone();
            authority["validFor"] = json!({"start": start, "end": end});
            authority
        })
    };
    let certificates = format!("{AUTHORITY}/certChain/certificates");
    refused(vec![
        ("none", bundle(), changed(root, "/timestampAuthorities", |_| json!([])), "timestamp-invalid"),
        (
            "not trusted yet",
            bundle(),
            valid("2026-11-23T00:00:00Z", "2027-01-01T00:00:00Z"),
            "timestamp-invalid",
        ),
        (
            "no longer trusted",
            bundle(),
            valid("2026-11-01T00:00:00Z", "2026-11-22T19:40:00Z"),
            "timestamp-invalid",
        ),
        (
            "without the certificate that signs",
            bundle(),
            changed(root, &certificates, |all| json!(all.as_array().unwrap()[1..])),
            "timestamp-invalid",
        ),
    ]);
}

/// A time within which the certificate was not valid.
#[test]
fn a30_a_certificate_that_was_not_valid_at_the_time_of_the_timestamp() {
    let root = changed(&ROOT, "/certificateAuthorities/0", |authority| {
        let mut authority = authority.clone();
        authority["validFor"] = json!({"start": "2026-11-23T00:00:00Z"});
        authority
    });
    refused(vec![("an authority of later", BUNDLE.clone(), root, "certificate-untrusted")]);
}

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

#[test]
fn a29_an_entry_of_the_second_log_that_was_changed() {
    let root = || ROOT.clone();
    let entry =
        |field: &str, change: &dyn Fn(&Value) -> Value| changed(&BUNDLE, &format!("{ENTRY}/{field}"), change);
    let next = |value: &Value| json!((value.as_str().unwrap().parse::<u64>().unwrap() + 1).to_string());
    let invalid = "log-entry-invalid";
    let other_log = changed(&ROOT, "/tlogs", |_| json!([]));
    refused(vec![
        (
            "none",
            changed(&BUNDLE, "/verificationMaterial/tlogEntries", |_| json!([])),
            root(),
            "log-entry-missing",
        ),
        ("a log that is not trusted", BUNDLE.clone(), other_log, invalid),
        ("another log", entry("logId/keyId", &flip(3)), root(), invalid),
        ("another index", entry("inclusionProof/logIndex", &next), root(), invalid),
        ("another tree", entry("inclusionProof/treeSize", &next), root(), invalid),
        ("another root", entry("inclusionProof/rootHash", &flip(3)), root(), invalid),
        ("another way", entry("inclusionProof/hashes/0", &flip(3)), root(), invalid),
        ("another body", entry("canonicalizedBody", &flip(60)), root(), invalid),
        ("no proof", entry("inclusionProof", &|_| Value::Null), root(), invalid),
        (
            "no checkpoint",
            entry("inclusionProof/checkpoint/envelope", &|_| json!("")),
            root(),
            "bundle-invalid",
        ),
    ]);
}

/// Attack A33: a key that was stolen after it was retired, or before anybody knew it.
#[test]
fn a33_keys_outside_their_time() {
    let windows =
        [("2026-11-23T00:00:00Z", "2027-01-01T00:00:00Z"), ("2026-01-01T00:00:00Z", "2026-11-22T19:00:00Z")];
    let mut rows = Vec::new();
    for (start, end) in windows {
        let valid = |path: &str| changed(&ROOT, path, |_| json!({"start": start, "end": end}));
        rows.push(("the log", BUNDLE.clone(), valid("/tlogs/0/publicKey/validFor"), "log-entry-invalid"));
        rows.push((
            "the log of certificates",
            BUNDLE.clone(),
            valid("/ctlogs/0/publicKey/validFor"),
            "sct-invalid",
        ));
        rows.push((
            "the authority",
            BUNDLE.clone(),
            valid("/certificateAuthorities/0/validFor"),
            "certificate-untrusted",
        ));
    }
    refused(rows);
    // A log of the first generation says itself when.
    let folder = fixtures().join("cosign/11-bundles");
    let text = fs::read_to_string(folder.join("trust/trusted_root.json")).unwrap();
    let good = fs::read(folder.join("blob/good.sigstore.json")).unwrap();
    for (start, end) in windows {
        let root = serde_json::from_str(&text).unwrap();
        let root = changed(&root, "/tlogs/0/publicKey/validFor", |_| json!({"start": start, "end": end}));
        let root = Arc::new(TrustRoot::from_json(&root.to_string()).unwrap());
        let by = by_identity("dev@local.test", ISSUER);
        let decision = judge(&fs::read(folder.join("blob/artifact.txt")).unwrap(), &good, by, Some(root));
        assert_eq!(decision.headline().code(), "log-entry-invalid", "{}", decision.headline());
    }
}
