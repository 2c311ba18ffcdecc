//! Key files and signatures, with real cosign on the other side.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::world::{CONFIG_MAP, World};

/// Without log, signing configuration and bundle: the form that manifests carry.
const SIGN: &str = "sign-blob --yes --tlog-upload=false --use-signing-config=false --new-bundle-format=false";
const VERIFY: &str = "verify-blob --insecure-ignore-tlog";

/// The message and the signature that a manifest carries.
fn carried(world: &World, file: &str) -> (Vec<u8>, String) {
    let text = world.trust.read(file).unwrap();
    let object = common::yaml::read(text.as_bytes()).unwrap().remove(0).value;
    let annotation = |name: &str| {
        object["metadata"]["annotations"][format!("cosign.sigstore.dev/{name}")].as_str().unwrap().to_owned()
    };
    let compressed = STANDARD.decode(annotation("message")).unwrap();
    let mut message = Vec::new();
    flate2::read::GzDecoder::new(compressed.as_slice()).read_to_end(&mut message).unwrap();
    (message, annotation("signature"))
}

/// Signs a manifest with us; whether cosign accepts the signature over the message.
fn cosign_accepts_ours(world: &World, prefix: &str) -> (bool, String) {
    world.trust.write("m.yaml", CONFIG_MAP).unwrap();
    world.trust(&format!("sign -f m.yaml --key {prefix}.key -o signed.yaml"));
    let (message, signature) = carried(world, "signed.yaml");
    world.trust.write("message", message).unwrap();
    world.trust.write("signature", signature).unwrap();
    let run = world.run("cosign", &format!("{VERIFY} --key {prefix}.pub --signature signature message"));
    (run.code == 0, run.stderr)
}

#[test]
fn cosign_uses_the_keys_we_make() {
    let Some(world) = World::with(&["cosign"]) else { return };
    world.trust.keygen("k").unwrap();
    world.trust.write("blob", "some bytes\n").unwrap();
    world.must("cosign", &format!("{SIGN} --key k.key --output-signature blob.sig blob"));
    world.must("cosign", &format!("{VERIFY} --key k.pub --signature blob.sig blob"));
    let public = world.must("cosign", "public-key --key k.key");
    assert_eq!(public.trim(), world.trust.read("k.pub").unwrap().trim());
}

#[test]
fn cosign_does_not_open_our_key_with_another_password() {
    let Some(world) = World::with(&["cosign"]) else { return };
    world.trust.keygen("k").unwrap();
    let mut command = world.trust.other(world.program("cosign"), ["public-key", "--key", "k.key"]);
    let run = e2e::process::run(command.env("COSIGN_PASSWORD", "wrong")).unwrap();
    assert!(run.code != 0 && run.stderr.contains("decrypt"), "{}", run.stderr);
}

#[test]
fn we_use_the_keys_that_cosign_makes() {
    let Some(world) = World::with(&["cosign"]) else { return };
    world.must("cosign", "generate-key-pair --output-key-prefix k");
    world.trust.write("m.yaml", CONFIG_MAP).unwrap();
    world.trust("sign -f m.yaml --key k.key -o signed.yaml");
    let verdict = world.trust.verdict("verify -f signed.yaml --key k.pub").unwrap();
    assert_eq!(verdict.codes(), (0, vec!["signature-valid"]), "{}", verdict.json);
    let mut command = world.trust.command(["sign", "-f", "m.yaml", "--key", "k.key"]);
    let run = e2e::process::run(command.env("COSIGN_PASSWORD", "wrong")).unwrap();
    assert!(run.code == 2 && run.stderr.contains("wrong password"), "{} {}", run.code, run.stderr);
}

#[test]
fn cosign_accepts_our_signature_over_the_message() {
    let Some(world) = World::with(&["cosign"]) else { return };
    world.trust.keygen("k").unwrap();
    let (accepted, said) = cosign_accepts_ours(&world, "k");
    assert!(accepted, "{said}");
    world.trust.write("message", "another message\n").unwrap();
    let run = world.run("cosign", &format!("{VERIFY} --key k.pub --signature signature message"));
    assert!(run.code != 0 && run.stderr.contains("invalid signature"), "{}", run.stderr);
}

/// PKCS#8 PEM of a new private key of each type that cosign imports.
fn imported_keys() -> Vec<(&'static str, String)> {
    let elliptic = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap().serialize_pem();
    vec![
        ("p256", elliptic(&rcgen::PKCS_ECDSA_P256_SHA256)),
        ("p384", elliptic(&rcgen::PKCS_ECDSA_P384_SHA384)),
        ("p521", elliptic(&rcgen::PKCS_ECDSA_P521_SHA512)),
        ("ed25519", ed25519()),
        ("rsa", rsa()),
    ]
}

fn rsa() -> String {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref()))
}

/// Version 1 of PKCS#8: Go reads no other.
fn ed25519() -> String {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref()))
}

/// Which signatures `cosign verify-blob` takes by key type: (those of `cosign sign-blob`, ours). It reads
/// SHA-256; we sign with SHA-256 on every curve but P-384, where the crypto library knows SHA-384 only.
/// An entry that no longer holds fails the test, so that whoever mends either side hears of it.
const BY_KEY_TYPE: &[(&str, bool, bool)] = &[
    ("p256", true, true),
    ("p384", false, false),
    ("p521", false, true),
    ("ed25519", true, true),
    ("rsa", true, true),
];

#[test]
fn keys_of_every_type_are_shared_with_cosign() {
    let Some(world) = World::with(&["cosign", "kubectl-sigstore"]) else { return };
    world.trust.write("blob", "some bytes\n").unwrap();
    world.trust.write("theirs.yaml", CONFIG_MAP).unwrap();
    for (name, pem) in imported_keys() {
        world.trust.write("plain.pem", pem).unwrap();
        world.must("cosign", &format!("import-key-pair --key plain.pem --output-key-prefix {name}"));
        // What the plugin signs with such a key, we accept.
        let sign =
            format!("sign -f theirs.yaml -k {name}.key --no-tlog-upload --force -o theirs-signed.yaml");
        world.must("kubectl-sigstore", &sign);
        let verdict = world.trust.verdict(&format!("verify -f theirs-signed.yaml --key {name}.pub")).unwrap();
        assert_eq!(verdict.codes(), (0, vec!["signature-valid"]), "{name}: {}", verdict.json);
        // What cosign and we sign with it, cosign accepts or not.
        world.must("cosign", &format!("{SIGN} --key {name}.key --output-signature blob.sig blob"));
        let theirs = world.run("cosign", &format!("{VERIFY} --key {name}.pub --signature blob.sig blob"));
        let (ours, said) = cosign_accepts_ours(&world, name);
        let found = (name, theirs.code == 0, ours);
        assert!(BY_KEY_TYPE.contains(&found), "{found:?}: {}{said}", theirs.stderr);
        // The plugin agrees with cosign's verifier on ours.
        // (An RSA signature can be longer than a file name, so there its answer depends on the key.)
        if name != "rsa" {
            let (accepted, said) = world.sigstore_accepts("signed.yaml", &format!("{name}.pub"));
            assert_eq!(accepted, ours, "{name}: {said}");
        }
        let own = world.trust.verdict(&format!("verify -f signed.yaml --key {name}.pub")).unwrap();
        assert_eq!(own.codes(), (0, vec!["signature-valid"]), "{name}: {}", own.json);
    }
}

#[test]
fn our_key_file_is_cosigns_own_envelope() {
    let trust = e2e::trust::Trust::new().unwrap();
    trust.keygen("k").unwrap();
    let file = pem::parse(trust.read("k.key").unwrap()).unwrap();
    assert_eq!(file.tag(), "ENCRYPTED SIGSTORE PRIVATE KEY");
    let envelope: Value = serde_json::from_slice(file.contents()).unwrap();
    let parameters = serde_json::json!({"N": 65536, "r": 8, "p": 1});
    assert_eq!((&envelope["kdf"]["name"], &envelope["kdf"]["params"]), (&"scrypt".into(), &parameters));
    assert_eq!(envelope["cipher"]["name"], "nacl/secretbox");
}
