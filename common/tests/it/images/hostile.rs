//! Keys, signatures and bytes that are not what they pose as.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::digest::Digest;
use common::key::{KeyError, PrivateKey, PublicKey};
use common::registry::Manifest;
use common::signature::make::{Said, simple_signing_payload};
use common::signature::{Annotations, Found, LogDemands, Subject};
use common::verdict::Outcome;
use proptest::prelude::*;
use proptest::sample::Index;

use super::root;
use super::shelf::*;
use crate::authority;
use crate::judge::fixtures;

/// RSA of 1024 bits.
const SHORT: &str = "-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC6WyFLiP5IdmRDQMS4WRGoo7sh\nywPICE7pKwvm2XUkuIoi5FQkTisxsXVbDz0GJ2qcd+mCrxtkFu/apg+zocpkalLQ\nUJb0nzeBF3guqjG56UjLuNaktcIcHomJ72gOEiKe52TTKXHGf3CogZ2EoBcF2/be\nBfcOdGZcL2N1F0lAoQIDAQAB\n-----END PUBLIC KEY-----\n";
/// ECDSA on secp256k1.
const OTHER_CURVE: &str = "-----BEGIN PUBLIC KEY-----\nMFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEb8vHmeCG0wBXM0rBQS+8bI2IO6yeZCPn\npi2plvF2xBd9AJ2znksPJQAPQpqbGEyxZot+eqEhmRKOfZsLzc1sRQ==\n-----END PUBLIC KEY-----\n";

#[test]
fn a31_keys_that_are_too_weak_or_of_another_kind() {
    for weak in [SHORT, OTHER_CURVE] {
        let error = PublicKey::parse(weak).unwrap_err();
        assert!(matches!(error, KeyError::Unsupported(_)), "{error}");
    }
    let good = key().public().to_pem();
    for (what, text) in [
        ("two keys where one is asked for", format!("{good}{}", key().public().to_pem())),
        ("another block after it", format!("{good}{SHORT}")),
        ("a block that does not end", format!("{good}-----BEGIN PUBLIC KEY-----\nMFkw")),
        ("a certificate's label", good.replace("PUBLIC KEY", "CERTIFICATE")),
        ("a byte more", {
            let mut der = pem::parse(&good).unwrap().into_contents();
            der.push(0);
            pem::encode(&pem::Pem::new("PUBLIC KEY", der))
        }),
    ] {
        assert!(PublicKey::parse(&text).is_err(), "{what}");
    }
}

/// Every signature is checked as the key's type says, whatever the signature looks like.
#[test]
fn a31_signatures_of_another_kind_or_shape() {
    let keys = [
        authority::key(&rcgen::PKCS_ECDSA_P256_SHA256),
        authority::key(&rcgen::PKCS_ECDSA_P384_SHA384),
        authority::key(&rcgen::PKCS_ED25519),
    ];
    let image = image("app");
    let payload = simple_signing_payload(REPOSITORY, &image.digest, &Said::new());
    let judged = |key: &PrivateKey, signature: &[u8]| {
        let layer = Layer::payload(key, payload.clone()).with(SIGNATURE, &STANDARD.encode(signature));
        let shelf = Shelf::of(&image).signed(&image, &[layer]);
        judge(APP, &signed_by(key), shelf.registry())
    };
    for (at, key) in keys.iter().enumerate() {
        let signature = key.sign(&payload).unwrap();
        passes(&judged(key, &signature));
        let mut shapes = vec![vec![], vec![0], vec![0x30, 0], vec![0xff; signature.len()], vec![0; 64]];
        shapes.extend([signature[1..].to_vec(), [&signature[..], &[0]].concat(), signature.repeat(2)]);
        shapes.extend(
            keys.iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, other)| other.sign(&payload).unwrap()),
        );
        for shape in shapes {
            expect(&judged(key, &shape), Outcome::Fail, "signature-invalid");
        }
    }
}

/// What strangers send is read, and the readers stay standing: bundles, envelopes, payloads, manifests.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let cosign = fixtures().join("cosign");
    let whole = ["13-cosign3-blob/blob.sigstore.json", "11-bundles/image/sign-good.sigstore.json"];
    let mut paths: Vec<PathBuf> = whole.iter().map(|path| cosign.join(path)).collect();
    for folder in ["14-legacy-att-keyless", "10-keyless", "13-cosign3-rk2-keyless-rekorv2-tsa"] {
        let folder = [cosign.join(folder), cosign.join(folder).join("blobs")];
        let files = folder.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        paths.extend(files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    }
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(seeds.len() >= 8, "{paths:?}");
    seeds
});

/// Reads bytes as everything that they could be, and verifies what comes out.
fn read(bytes: &[u8]) {
    let digest = Digest::of(bytes);
    drop(Manifest::parse(bytes.into(), None));
    let (place, text) = (String::new, String::from_utf8_lossy(bytes).into_owned());
    let names = ["certificate", "bundle", "chain", "rfc3161timestamp"]
        .map(|name| format!("dev.sigstore.cosign/{name}"));
    let mut annotations: Annotations = names.into_iter().map(|name| (name, text.clone())).collect();
    annotations.insert(SIGNATURE.to_owned(), STANDARD.encode(bytes));
    let trusted = root(&fixtures().join("cosign/11-bundles/trust/trusted_root.json"));
    let demands = LogDemands { sct: true, tlog: true };
    for found in [
        Found::bundle(place(), bytes),
        Found::attestation(place(), bytes, &annotations),
        Found::simple_signing(place(), Arc::from(bytes), &annotations),
    ] {
        let subject = Subject { digest: &digest, bytes: Some(bytes) };
        assert!(found.by_identity(subject, &trusted, demands, crate::judge::now()).is_err());
        drop(found.by_key(&PUBLIC, subject, Some(&trusted)));
    }
}

static PUBLIC: LazyLock<PublicKey> = LazyLock::new(|| key().public().clone());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a49_no_bytes_make_a_reader_panic(
        seed in any::<Index>(),
        damage in prop::collection::vec(any::<(Index, u8)>(), 1..8),
        cut in any::<Option<Index>>(),
    ) {
        let mut bytes = seed.get(&SEEDS).clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read(&bytes);
    }

    #[test]
    fn a49_nor_do_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
    }
}
