//! Images made by real cosign, with the verdicts of real cosign.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::cache::Facts;
use common::digest::Digest;
use common::evaluate::{Context, by_image};
use common::key::PublicKey;
use common::policy::images::ImageEntry;
use common::policy::{LogOptions, Requirement};
use common::signature::{Annotations, Found, Subject};
use common::sources::Offline;
use common::trust::TrustRoot;
use common::verdict::{Decision, Outcome, Reason};
use futures::executor::block_on;
use serde_json::{Value, json};

use super::dump::Dump;
use super::{attestation, by_identity, by_key, entry, root};
use crate::judge::{fixtures, now};

fn judge(image: &str, folder: &Path, entry: &ImageEntry, root: Option<Arc<TrustRoot>>) -> Decision {
    let sources = Offline { trust_root: root, images: Some(Arc::new(Dump::of(folder))) };
    let known = Facts::default();
    block_on(by_image(image, entry, Context { sources: &sources, known: &known, now: now() }))
}

fn code(decision: &Decision) -> (Outcome, &'static str) {
    (decision.outcome(), decision.headline().code())
}

const PASS: (Outcome, &str) = (Outcome::Pass, "image-verified");

fn fail(code: &'static str) -> (Outcome, &'static str) {
    (Outcome::Fail, code)
}

#[test]
fn images_signed_with_a_key() {
    let cosign = fixtures().join("cosign");
    let key = fs::read_to_string(cosign.join("13-cosign3-rk2-key-rekorv2-tsa/trust/a.pub")).unwrap();
    let other = fs::read_to_string(cosign.join("05-blob/alt-keys/p384.pub")).unwrap();
    for case in [
        "01-legacy-key-signature",
        "02-oci11-referrers-fallback-tag",
        "08-cosign3-key-sign-fallback-tag",
        "15-multiarch-recursive",
    ] {
        let judged =
            |pem: &str| judge("example.com/app:v1", &cosign.join(case), &entry(Some(by_key(pem))), None);
        assert_eq!(code(&judged(&key)), PASS, "{case}: {:#?}", judged(&key).check);
        assert_eq!(code(&judged(&other)), fail("signature-invalid"), "{case}");
    }
}

#[test]
fn annotations_of_the_signature_must_be_as_demanded() {
    let folder = fixtures().join("cosign/01-legacy-key-signature");
    let key =
        fs::read_to_string(fixtures().join("cosign/13-cosign3-rk2-key-rekorv2-tsa/trust/a.pub")).unwrap();
    let demanding = |value: &str| {
        let Requirement::Attestor(mut attestor) = by_key(&key) else { unreachable!() };
        attestor.annotations.insert("env".to_owned(), value.to_owned());
        code(&judge("example.com/app:v1", &folder, &entry(Some(Requirement::Attestor(attestor))), None))
    };
    assert_eq!(demanding("prod"), PASS);
    assert_eq!(demanding("dev"), fail("annotation-mismatch"));
}

#[test]
fn attestations_signed_with_a_key() {
    let cosign = fixtures().join("cosign");
    let key = fs::read_to_string(cosign.join("13-cosign3-rk2-key-rekorv2-tsa/trust/a.pub")).unwrap();
    let types = [
        ("03-legacy-attestations", "https://slsa.dev/provenance/v0.2", true),
        ("03-legacy-attestations", "https://slsa.dev/provenance/v1", true),
        ("03-legacy-attestations", "https://cyclonedx.org/bom", true),
        ("03-legacy-attestations", "https://cosign.sigstore.dev/attestation/vuln/v1", true),
        ("03-legacy-attestations", "https://spdx.dev/Document", false),
        ("04-newbundle-attestations-cosign25", "https://slsa.dev/provenance/v1", true),
        ("04-newbundle-attestations-cosign25", "https://cyclonedx.org/bom", true),
        ("04-newbundle-attestations-cosign25", "https://spdx.dev/Document", false),
    ];
    for (case, predicate_type, there) in types {
        let mut demanded = entry(None);
        demanded.attestations.push(attestation(predicate_type, Some(by_key(&key))));
        let judged = judge("example.com/app:v1", &cosign.join(case), &demanded, None);
        let expected = if there { PASS } else { fail("attestation-missing") };
        assert_eq!(code(&judged), expected, "{case} {predicate_type}: {:#?}", judged.check);
        // An attestation by the right key is no signature of the image.
        let judged = judge("example.com/app:v1", &cosign.join(case), &entry(Some(by_key(&key))), None);
        assert_eq!(code(&judged), fail("signature-missing"), "{case}");
    }
}

#[test]
fn images_in_a_log_of_the_second_generation() {
    let folder = fixtures().join("cosign/13-cosign3-rk2-key-rekorv2-tsa");
    let key = fs::read_to_string(folder.join("trust/a.pub")).unwrap();
    let Requirement::Attestor(mut attestor) = by_key(&key) else { unreachable!() };
    attestor.log = LogOptions::default();
    let demanded = entry(Some(Requirement::Attestor(attestor)));
    let trusted = root(&folder.join("trust/trusted_root.json"));
    let judged = judge("example.com/app:v1", &folder, &demanded, Some(trusted));
    assert_eq!(code(&judged), PASS, "{:#?}", judged.check);
    let judged = judge("example.com/app:v1", &folder, &demanded, None);
    assert_eq!(code(&judged), fail("log-entry-invalid"), "by a log that nobody knows");
    // Attack A33: the log's key was retired before, and stolen.
    let text = fs::read_to_string(folder.join("trust/trusted_root.json")).unwrap();
    let mut retired: Value = serde_json::from_str(&text).unwrap();
    retired["tlogs"][0]["publicKey"]["validFor"] =
        json!({"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"});
    let retired = Arc::new(TrustRoot::from_json(&retired.to_string()).unwrap());
    let judged = judge("example.com/app:v1", &folder, &demanded, Some(retired));
    assert_eq!(code(&judged), fail("log-entry-invalid"), "by a key that was not in use any more");
}

/// Codes of the keyless cases; a case that is not here is held to its verdict.
const KEYLESS: &[(&str, &str)] = &[
    ("bad-integrated-after-cert-expiry", "certificate-not-valid-at-signing"),
    ("bad-no-codesign-eku", "certificate-untrusted"),
    ("bad-no-sct", "sct-invalid"),
    ("bad-no-tlog", "log-entry-missing"),
    ("bad-other-ca", "certificate-untrusted"),
    ("bad-rekor-body-other-payload", "log-entry-invalid"),
    ("bad-sct-signature", "sct-invalid"),
    ("bad-set-signature", "log-entry-invalid"),
    ("bad-set-time-changed", "log-entry-invalid"),
    ("bad-signature-by-other-key", "signature-invalid"),
    ("bad-unknown-log", "log-entry-invalid"),
    ("bad-wrong-identity", "identity-mismatch"),
    ("bad-wrong-issuer", "issuer-mismatch"),
];

#[test]
fn images_signed_by_an_identity() {
    let folder = fixtures().join("cosign/10-keyless");
    let trusted = root(&folder.join("trust/trusted_root.json"));
    let cases: Vec<Value> = serde_json::from_slice(&fs::read(folder.join("verdicts.json")).unwrap()).unwrap();
    let mut seen = 0;
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let own = tempfile::tempdir().unwrap();
        let from = folder.join(text("case"));
        let digest = Digest::parse(text("image").split_once('@').unwrap().1).unwrap();
        let payload = fs::read(from.join("payload.json")).unwrap();
        let copy = |name: String, bytes: &[u8]| {
            let path = own.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        copy(format!("blobs/{}", Digest::of(&payload).tag()), &payload);
        copy(
            format!("tag-{}.sig.manifest.json", digest.tag()),
            &fs::read(from.join("sig.manifest.json")).unwrap(),
        );
        let demanded = entry(Some(by_identity(text("identity"), text("issuer"))));
        let judged = judge(text("image"), own.path(), &demanded, Some(Arc::clone(&trusted)));
        let expected = match KEYLESS.iter().find(|(name, _)| *name == text("case")) {
            Some((_, code)) => fail(code),
            None => PASS,
        };
        assert_eq!(expected == PASS, text("expect") == "accept", "{}", text("case"));
        assert_eq!(code(&judged), expected, "{}: {:#?}", text("case"), judged.check);
        seen += 1;
    }
    assert!(seen > 16, "{seen} cases");
}

#[test]
fn attestations_in_the_first_format_with_log_entries() {
    let folder = fixtures().join("cosign/14-legacy-att-keyless");
    let trusted = root(&folder.join("trust/trusted_root.json"));
    for (case, expected) in [("dsse", true), ("intoto", true), ("hashedrekord", false)] {
        let envelope = fs::read(folder.join(case).join("envelope.json")).unwrap();
        let annotations =
            serde_json::from_slice(&fs::read(folder.join(case).join("annotations.json")).unwrap());
        let found = Found::attestation("a".to_owned(), &envelope, &annotations.unwrap());
        let claim = found.claim.as_ref().unwrap().statement().unwrap();
        let digest = claim.subjects[0].clone();
        let subject = Subject { digest: &digest, bytes: None };
        let demands = common::signature::LogDemands { sct: true, tlog: true };
        let fact = found.by_identity(subject, &trusted, demands, now());
        assert_eq!(fact.is_ok(), expected, "{case}: {fact:?}");
    }
}

/// A signature of 2023 by a key, in the public log: the log's promise is checked with the log's real key.
#[test]
fn an_entry_of_the_public_log() {
    let folder = fixtures().join("cosign/20-seed-public-good-rekor");
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let payload: Arc<[u8]> = fs::read(folder.join("simplesigning.payload.json")).unwrap().into();
    let key = PublicKey::parse(&text("signer.pub.pem")).unwrap();
    let public = TrustRoot::public_good().unwrap();
    let digest =
        Digest::parse("sha256:467287fe0f76359cc278356089839b5858469ef87d3a88212f85d52e8d985306").unwrap();
    let subject = Subject { digest: &digest, bytes: None };
    let judge = |bundle: &str| {
        let annotations = Annotations::from([
            ("dev.cosignproject.cosign/signature".to_owned(), text("signature.b64")),
            ("dev.sigstore.cosign/bundle".to_owned(), bundle.to_owned()),
        ]);
        let found = Found::simple_signing("a".to_owned(), Arc::clone(&payload), &annotations);
        found.by_key(&key, subject, Some(&public))
    };
    let bundle = text("bundle.json");
    let verified = judge(&bundle).unwrap();
    assert!(verified.in_log && verified.warnings.is_empty());
    assert_eq!(verified.logged.unwrap().as_second(), 1_680_855_335);
    // One second later: the promise is for another time.
    let moved = bundle.replace("1680855335", "1680855336");
    assert_eq!(judge(&moved).unwrap_err().code(), "log-entry-invalid");
}

/// An index that nobody signed may run where the nodes' own manifest is signed, and only there.
#[test]
fn a_manifest_of_an_index_counts_for_its_platform() {
    let folder = fixtures().join("cosign/15-multiarch-recursive");
    let own = tempfile::tempdir().unwrap();
    fs::create_dir(own.path().join("blobs")).unwrap();
    for (from, to) in
        [(folder.clone(), own.path().to_owned()), (folder.join("blobs"), own.path().join("blobs"))]
    {
        for file in
            fs::read_dir(&from).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
        {
            fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    let index = fs::read(folder.join("tag-v1.manifest.json")).unwrap();
    fs::remove_file(own.path().join(format!("tag-{}.sig.manifest.json", Digest::of(&index).tag()))).unwrap();
    let key =
        fs::read_to_string(fixtures().join("cosign/13-cosign3-rk2-key-rekorv2-tsa/trust/a.pub")).unwrap();
    let judged = |platform: Option<&str>| {
        let platform = platform.map(|text| text.parse().unwrap());
        let demanded = ImageEntry { platform, ..entry(Some(by_key(&key))) };
        judge("example.com/app:v1", own.path(), &demanded, None)
    };
    assert_eq!(code(&judged(None)), fail("signature-missing"));
    assert_eq!(code(&judged(Some("windows/amd64"))), fail("signature-missing"));
    let on_amd64 = judged(Some("linux/amd64"));
    assert_eq!(code(&on_amd64), PASS, "{:#?}", on_amd64.check);
    let Reason::ImageVerified { digest, .. } = on_amd64.headline() else { unreachable!() };
    assert_ne!(*digest, Digest::of(&index).to_string(), "the verdict speaks of the manifest that was signed");
}
