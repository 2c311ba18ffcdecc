//! Sigstore bundles with known verdicts: those of the shared folder, and the official conformance cases.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::digest::Digest;
use common::evaluate::{Context, by_blob, by_digest};
use common::policy::Requirement;
use common::policy::blob::{BlobRule, Said};
use common::signature::make::{message_bundle, statement, statement_bundle};
use common::signature::{Found, LogDemands, Subject};
use common::sources::Offline;
use common::trust::TrustRoot;
use common::verdict::{Decision, Outcome};
use futures::executor::block_on;
use serde_json::{Value, json};

use super::shelf::expect;
use super::{by_identity, by_key, root};
use crate::authority;
use crate::judge::{fixtures, now, vectors};

pub(super) fn judge(
    artifact: &[u8],
    bundle: &[u8],
    by: Requirement,
    root: Option<Arc<TrustRoot>>,
) -> Decision {
    let rule = BlobRule { requirement: by, said: Said::Anything };
    judge_rule(artifact, bundle, &rule, root)
}

fn judge_rule(artifact: &[u8], bundle: &[u8], rule: &BlobRule, root: Option<Arc<TrustRoot>>) -> Decision {
    let found = Arc::new(Found::bundle("bundle".to_owned(), bundle));
    let sources = Offline { trust_root: root, images: None };
    let known = Facts::default();
    let context = Context { sources: &sources, known: &known, now: now() };
    block_on(by_blob("artifact", artifact, &found, rule, context))
}

/// The same where only the digest of the file is known.
fn judge_digest(digest: &Digest, bundle: &[u8], by: Requirement, root: Option<Arc<TrustRoot>>) -> Decision {
    let found = Arc::new(Found::bundle("bundle".to_owned(), bundle));
    let rule = BlobRule { requirement: by, said: Said::Anything };
    let sources = Offline { trust_root: root, images: None };
    let known = Facts::default();
    let context = Context { sources: &sources, known: &known, now: now() };
    block_on(by_digest("artifact", Subject { digest, bytes: None }, &found, &rule, context))
}

/// Attack: an attestation in place of a signature, a signature in place of an attestation, or an attestation of
/// another type.
#[test]
fn what_is_said_of_a_file_is_what_is_demanded() {
    let (artifact, key) = (b"an artifact".as_slice(), authority::key(&rcgen::PKCS_ECDSA_P256_SHA256));
    let wanted = "https://example.com/tests/v1";
    let stated = statement("artifact", &Digest::of(artifact), wanted, &json!({}));
    let bundles = [message_bundle(artifact, &key).unwrap(), statement_bundle(&stated, &key).unwrap()];
    let of_type = |predicate_type: &str| Said::Statement(predicate_type.to_owned());
    let [signature, attestation] = ["a signature", wanted];
    for (said, refusals) in [
        (Said::Anything, [None, None]),
        (Said::Signature, [None, Some(("a signature", attestation))]),
        (of_type(wanted), [Some((wanted, signature)), None]),
        (
            of_type("https://example.com/other"),
            ["a signature", attestation].map(|found| Some(("https://example.com/other", found))),
        ),
    ] {
        for (bundle, refusal) in bundles.iter().zip(refusals) {
            let rule = BlobRule { requirement: by_key(&key.public().to_pem()), said: said.clone() };
            let decision = judge_rule(artifact, bundle, &rule, None);
            let Some((expected, found)) = refusal else {
                expect(&decision, Outcome::Pass, "signature-valid");
                continue;
            };
            expect(&decision, Outcome::Fail, "predicate-type-mismatch");
            let told = (decision.headline().expected(), decision.headline().found());
            assert_eq!(told, (Some(expected.to_owned()), Some(found.to_owned())));
        }
    }
}

/// A signature over bytes is one over their digest, for every key that signs digests.
#[test]
fn a_bundle_by_a_key_verifies_against_a_digest_as_well_as_against_the_file() {
    let (bytes, other) = (b"an artifact".as_slice(), b"another".as_slice());
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
        let (key, stranger) = (authority::key(algorithm), authority::key(algorithm));
        let by = |key: &common::key::PrivateKey| by_key(&key.public().to_pem());
        let bundle = message_bundle(bytes, &key).unwrap();
        let digests = algorithm == &rcgen::PKCS_ECDSA_P256_SHA256;
        let good = judge_digest(&Digest::of(bytes), &bundle, by(&key), None);
        if digests {
            assert_eq!(good.outcome(), Outcome::Pass, "{}", good.headline());
        } else {
            // Ed25519 signs the bytes, so nothing can be said without them.
            assert_eq!((good.outcome(), good.headline().code()), (Outcome::Fail, "payload-invalid"));
        }
        assert_eq!(judge(bytes, &bundle, by(&key), None).outcome(), Outcome::Pass);
        let mut silent: Value = serde_json::from_slice(&bundle).unwrap();
        silent["messageSignature"].as_object_mut().unwrap().remove("messageDigest");
        let silent = silent.to_string().into_bytes();
        let mut shortened: Value = serde_json::from_slice(&bundle).unwrap();
        shortened["messageSignature"]["messageDigest"] = serde_json::json!({"algorithm": "SHA2_384", "digest": STANDARD.encode(Digest::of(bytes).bytes())});
        let shortened = shortened.to_string().into_bytes();
        let unsigned = if digests { "signature-invalid" } else { "payload-invalid" };
        for (what, digest, bundle, key, code) in [
            ("another digest", Digest::of(other), &bundle, &key, "payload-invalid"),
            ("a digest that only the signature is against", Digest::of(other), &silent, &key, unsigned),
            ("another key", Digest::of(bytes), &bundle, &stranger, unsigned),
            (
                "a digest of another length than it says",
                Digest::of(bytes),
                &shortened,
                &key,
                "payload-invalid",
            ),
        ] {
            let decision = judge_digest(&digest, bundle, by(key), None);
            assert_eq!((decision.outcome(), decision.headline().code()), (Outcome::Fail, code), "{what}");
        }
    }
}

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// Codes of the cases that must be refused; one that is not here is held to its verdict.
const CONFORMANCE: &[(&str, &str)] = &[
    ("bundle-from-wrong-instance_fail", "log-entry-invalid"),
    ("bundle-malformed-json_fail", "bundle-invalid"),
    ("bundle-with-root-cert_fail", "bundle-invalid"),
    ("checkpoint-wrong-roothash_fail", "log-entry-invalid"),
    ("dsse-invalid-sig_fail", "signature-invalid"),
    ("dsse-mismatch-envelope_fail", "log-entry-invalid"),
    ("inclusion-proof-corrupted-hash_fail", "log-entry-invalid"),
    ("intoto-expired-certificate_fail", "certificate-not-valid-at-signing"),
    ("invalid-ct-key_fail", "sct-invalid"),
    ("message-digest-mismatch_fail", "payload-invalid"),
    ("rekor2-checkpoint-missing-log-signature_fail", "bundle-invalid"),
    ("rekor2-no-timestamp_fail", "timestamp-missing"),
    ("rekor2-timestamp-payload-mismatch_fail", "timestamp-invalid"),
    ("set-invalid-signature_fail", "log-entry-invalid"),
    ("signature-mismatch_fail", "signature-invalid"),
    ("wrong-hashedrekord-artifact_fail", "payload-invalid"),
    ("wrong-material_fail", "payload-invalid"),
];

#[test]
fn the_official_conformance_cases() {
    let Some(vectors) = vectors() else { return };
    let folder = vectors.join("conformance");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for case in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let text = |file: &str| fs::read_to_string(case.join(file)).ok();
        let artifact =
            fs::read(case.join("artifact")).unwrap_or_else(|_| fs::read(folder.join("a.txt")).unwrap());
        // The key of that case is no key at all, and already ends there.
        if text("key.pub").is_some_and(|pem| common::key::PublicKey::parse(&pem).is_err()) {
            assert_eq!(name, "managed-key-wrong-key_fail");
            continue;
        }
        let by = match text("key.pub") {
            Some(pem) => by_key(&pem),
            None => by_identity(
                text("identity").as_deref().map_or(IDENTITY, str::trim),
                text("issuer").as_deref().map_or(ISSUER, str::trim),
            ),
        };
        let trusted = case.join("trusted_root.json");
        let trusted = trusted.is_file().then(|| root(&trusted));
        let bundle = fs::read(case.join("bundle.sigstore.json")).unwrap();
        let judged = judge(&artifact, &bundle, by.clone(), trusted.clone());
        let refused = name.ends_with("_fail");
        // The suite asks again with the digest alone.
        let by_digest = judge_digest(&Digest::of(&artifact), &bundle, by, trusted);
        if (by_digest.outcome() == Outcome::Fail) != refused {
            wrong.push(format!("{name} by digest: {:?} {}", by_digest.outcome(), by_digest.headline()));
        }
        let expected = CONFORMANCE.iter().find(|(known, _)| *known == name).map(|(_, code)| *code);
        let found = judged.headline().code();
        if (judged.outcome() == Outcome::Fail) != refused || expected.is_some_and(|code| code != found) {
            wrong.push(format!(
                "{name}: {:?} {found}, expected {expected:?}: {}",
                judged.outcome(),
                judged.headline()
            ));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 25, "{seen} cases");
}

/// Codes of the cases that must be refused.
const BLOBS: &[(&str, &str)] = &[
    ("bad-checkpoint-root-mismatch", "log-entry-invalid"),
    ("bad-checkpoint-sig", "log-entry-invalid"),
    ("bad-expired", "certificate-not-valid-at-signing"),
    ("bad-identity", "identity-mismatch"),
    ("bad-issuer", "issuer-mismatch"),
    ("bad-message-digest", "payload-invalid"),
    ("bad-no-sct", "sct-invalid"),
    ("bad-no-tlog", "log-entry-missing"),
    ("bad-other-ca", "certificate-untrusted"),
    ("bad-proof-hash", "log-entry-invalid"),
    ("bad-sct", "sct-invalid"),
    ("bad-set-with-good-proof", "log-entry-invalid"),
    ("bad-signature", "signature-invalid"),
    ("bad-time-changed-with-good-proof", "log-entry-invalid"),
    ("bad-unknown-log", "log-entry-invalid"),
    ("good-promise-only", "log-entry-invalid"),
    ("good-proof-only", "timestamp-missing"),
    // Stricter than cosign, which takes a missing usage for any usage.
    ("no-eku", "certificate-untrusted"),
];

#[test]
fn bundles_of_files() {
    let folder = fixtures().join("cosign/11-bundles");
    let trusted = root(&folder.join("trust/trusted_root.json"));
    let artifact = fs::read(folder.join("blob/artifact.txt")).unwrap();
    let mut wrong = Vec::new();
    for path in files(&folder.join("blob"), ".sigstore.json") {
        let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".sigstore.json").to_owned();
        let by = by_identity("dev@local.test", "https://issuer.local.test");
        let judged = judge(&artifact, &fs::read(&path).unwrap(), by, Some(Arc::clone(&trusted)));
        let expected = BLOBS.iter().find(|(known, _)| *known == name).map(|(_, code)| *code);
        let found = judged.headline().code();
        let refused = judged.outcome() == Outcome::Fail;
        if refused != expected.is_some() || expected.is_some_and(|code| code != found) {
            wrong.push(format!(
                "{name}: {:?} {found}, expected {expected:?}: {}",
                judged.outcome(),
                judged.headline()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn files(folder: &Path, suffix: &str) -> Vec<std::path::PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.to_string_lossy().ends_with(suffix)).collect()
}

/// Real bundles of others, against the public roots. The verdicts are about the cryptography, so identities
/// are taken as they come.
#[test]
fn real_bundles_against_the_public_roots() {
    let Some(vectors) = vectors() else { return };
    let folder = vectors.join("sigstore");
    let roots = [
        ("prod", "crate-sigstore-trust-root-0.15.1-prod-trusted_root.json"),
        ("staging", "crate-sigstore-trust-root-0.15.1-staging-trusted_root.json"),
        ("github", "crate-sigstore-trust-root-0.15.1-github-trusted_root.json"),
    ];
    let roots = roots.map(|(name, file)| (name, root(&folder.join("trust").join(file))));
    let cases: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let (mut seen, mut wrong) = (0, Vec::new());
    for case in cases.as_array().unwrap() {
        let name = case["file"].as_str().unwrap().trim_start_matches("bundles/");
        let Ok(json) = fs::read(folder.join(name)) else { continue };
        let found = Found::bundle(name.to_owned(), &json);
        let Some(digest) = subject_of(&found, &json) else { continue };
        let subject = Subject { digest: &digest, bytes: None };
        for (instance, trusted) in &roots {
            let demands = LogDemands { sct: true, tlog: *instance != "github" };
            let fact = found.by_identity(subject, trusted, demands, now());
            let accepted = case["sigstore-go-1.3"][*instance][0] == 0;
            if fact.is_ok() != accepted {
                wrong.push(format!("{name} {instance}: expected {accepted}, found {:?}", fact.err()));
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 40, "{seen} verdicts");
}

/// The digest that a bundle is about, as it says itself.
fn subject_of(found: &Found, json: &[u8]) -> Option<Digest> {
    if let Ok(claim) = &found.claim
        && let Some(statement) = claim.statement()
    {
        return statement.subjects.first().cloned();
    }
    let bundle: Value = serde_json::from_slice(json).ok()?;
    let digest = bundle["messageSignature"]["messageDigest"]["digest"].as_str()?;
    Digest::parse(&format!("sha256:{}", hex::encode(STANDARD.decode(digest).ok()?))).ok()
}
