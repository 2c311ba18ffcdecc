//! What is signed, and in which form: payloads, bundles and envelopes that are not what they should be,
//! signed by the right key all the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::key::PrivateKey;
use common::limits;
use common::signature::make::{Said, message_bundle, signature_statement, simple_signing_payload, statement};
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use super::shelf::*;
use crate::authority::{Authority, Leaf};

fn by_payload(key: &PrivateKey, payload: Vec<u8>) -> Decision {
    let good = image("good");
    let shelf = Shelf::of(&good).signed(&good, &[Layer::payload(key, payload)]);
    judge(APP, &signed_by(key), shelf.registry())
}

type Break = fn(&mut Value);

#[test]
fn a23_a_payload_is_exactly_one() {
    let (key, good) = (key(), image("good"));
    let said = Said::from([("env".to_owned(), "prod".to_owned())]);
    let payload = simple_signing_payload(REPOSITORY, &good.digest, &said);
    passes(&by_payload(&key, payload.clone()));
    let text = String::from_utf8(payload).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let breaks: [Break; 9] = [
        |v| v["extra"] = json!(1),
        |v| v["critical"]["extra"] = json!(1),
        |v| v["critical"]["image"]["docker-manifest-digest2"] = json!("x"),
        |v| v["critical"]["type"] = json!("something else"),
        |v| v["critical"]["image"]["docker-manifest-digest"] = json!("sha256:../../"),
        |v| v["critical"]["image"]["docker-manifest-digest"] = json!(""),
        |v| v["critical"]["identity"] = json!({}),
        |v| v["critical"] = json!(null),
        |v| v["optional"] = json!("prod"),
    ];
    let changed = breaks.map(|change| {
        let mut broken = value.clone();
        change(&mut broken);
        broken.to_string()
    });
    let digest = "\"docker-manifest-digest\":";
    let texts = [
        text.replace(digest, &format!("{digest}\"sha256:{}\",{digest}", "0".repeat(64))),
        text.replace("\"optional\":", "\"critical\":{},\"optional\":"),
        text.replace("\"prod\"", "NaN"),
        text.replace("\"prod\"", &format!("{}1{}", "[".repeat(200), "]".repeat(200))),
        text.replace("\"prod\"", "\"\\ud800\""),
        format!("\u{feff}{text}"),
        format!("{text}{text}"),
        format!("{text}\0"),
        "[]".to_owned(),
        String::new(),
        text.replace("prod", &"x".repeat(limits::PAYLOAD_BYTES / 2)).replace('}', "}\n"),
    ];
    let latin = [text.as_bytes(), b"\xe9"].concat();
    let all = changed.into_iter().chain(texts).map(String::into_bytes).chain([latin]);
    let mut refused = 0;
    for broken in all {
        let decision = by_payload(&key, broken.clone());
        // The last text is only long, and in order.
        if broken.len() > limits::PAYLOAD_BYTES / 2 {
            passes(&decision);
            continue;
        }
        let shown = String::from_utf8_lossy(&broken);
        assert_eq!(decision.headline().code(), "payload-invalid", "{shown}: {}", decision.headline());
        assert_eq!(decision.outcome(), Outcome::Fail, "{shown}");
        refused += 1;
    }
    assert_eq!(refused, 20);
}

#[test]
fn a23_a_payload_larger_than_any_is_not_read() {
    let key = key();
    let said = Said::from([("x".to_owned(), "x".repeat(limits::PAYLOAD_BYTES))]);
    let payload = simple_signing_payload(REPOSITORY, &image("good").digest, &said);
    expect(&by_payload(&key, payload), Outcome::Fault, "response-too-large");
}

/// Whatever was signed, the bytes beside the signature must be those.
#[test]
fn a23_a_payload_changed_after_it_was_signed() {
    let (key, good, evil) = (key(), image("good"), image("evil"));
    let signed = Layer::signature(&key, REPOSITORY, &good.digest);
    let bytes = simple_signing_payload(REPOSITORY, &evil.digest, &Said::new());
    let moved = Shelf::of(&evil).signed(&evil, &[Layer { bytes, ..signed }]);
    expect(&judge(APP, &signed_by(&key), moved.registry()), Outcome::Fail, "signature-invalid");
}

#[test]
fn a24_one_signer_is_never_two() {
    let (a, b, good) = (key(), key(), image("good"));
    let set = |keys: &[&PrivateKey]| {
        let attestors =
            json!([{"count": 2, "entries": keys.iter().map(|key| attestor(key)).collect::<Vec<_>>()}]);
        policy("p", &entries(&[demand(&attestors, &json!({}))]))
    };
    let by = |key, reference| Layer::signature(key, reference, &good.digest);
    let with = |layers: &[Layer]| Shelf::of(&good).signed(&good, layers);
    let twice = set(&[&a, &a]);
    assert!(twice.warnings.iter().any(|one| one.to_string().contains("listed twice")));
    let judge = |policy, layers: &[Layer]| review_one(&pod(&[APP]), policy, with(layers).registry());
    expect(&judge(&twice, &[by(&a, "x")]), Outcome::Fail, "threshold-not-met");
    expect(&judge(&twice, &[by(&a, "x"), by(&a, "y")]), Outcome::Fail, "threshold-not-met");
    let both = set(&[&a, &b]);
    expect(&judge(&both, &[by(&a, "x"), by(&a, "y")]), Outcome::Fail, "threshold-not-met");
    passes(&judge(&both, &[by(&a, "x"), by(&b, "x")]));
    // Once in each format is still one signer.
    let bundle = Layer::bundle(&a, &signature_statement(&good.digest, &Said::new()));
    let shelf = with(&[by(&a, "x")]).bundled(&good, &bundle);
    expect(&review_one(&pod(&[APP]), &both, shelf.registry()), Outcome::Fail, "threshold-not-met");
    let bundle = Layer::bundle(&b, &signature_statement(&good.digest, &Said::new()));
    let shelf = with(&[by(&a, "x")]).bundled(&good, &bundle);
    passes(&review_one(&pod(&[APP]), &both, shelf.registry()));
    for wrong in [json!([]), json!([{"entries": []}]), json!([{"count": 3, "entries": [attestor(&a)]}])] {
        let policy = try_policy("p", &entries(&[demand(&wrong, &json!({}))]));
        assert!(
            policy.is_err()
                || policy.unwrap().warnings.iter().any(|one| one.to_string().contains("no attestors"))
        );
    }
}

/// A bundle about the usual image, changed in one place.
fn bundled(key: &PrivateKey, bundle: &Value) -> Decision {
    bundled_as(key, bundle, BUNDLE)
}

fn bundled_as(key: &PrivateKey, bundle: &Value, media_type: &str) -> Decision {
    let good = image("good");
    let layer = Layer { media_type: media_type.to_owned(), ..Layer::raw_bundle(bundle) };
    judge(APP, &signed_by(key), Shelf::of(&good).bundled(&good, &layer).registry())
}

#[test]
fn a32_bundles_that_are_not_what_they_say() {
    let (key, good) = (key(), image("good"));
    let bundle = json_bundle(&key, &signature_statement(&good.digest, &Said::new()));
    passes(&bundled(&key, &bundle));
    let certificate = Authority::new("fulcio").certify(&Leaf::default()).pem;
    let der = json!({"rawBytes": STANDARD.encode(pem::parse(certificate).unwrap().contents())});
    let change = |path: &str, value: Value| {
        let mut changed = bundle.clone();
        let (parent, field) = path.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[field] = value;
        changed
    };
    let remove = |path: &str| {
        let mut changed = bundle.clone();
        let (parent, field) = path.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
        changed
    };
    let message: Value = serde_json::from_slice(&message_bundle(b"other", &key).unwrap()).unwrap();
    let two_contents = change("/messageSignature", message["messageSignature"].clone());
    let signature = bundle.pointer("/dsseEnvelope/signatures/0").unwrap().clone();
    let rows = [
        ("no material", remove("/verificationMaterial"), "bundle-invalid"),
        ("nothing in it", change("/verificationMaterial", json!({})), "bundle-invalid"),
        ("no envelope", remove("/dsseEnvelope"), "bundle-invalid"),
        ("another media type", change("/mediaType", json!("application/json")), "bundle-invalid"),
        (
            "key and certificate",
            change("/verificationMaterial/certificate", der.clone()),
            "signature-invalid",
        ),
        ("two contents", two_contents, "bundle-invalid"),
        ("no media type", remove("/mediaType"), "bundle-invalid"),
        ("no signature", change("/dsseEnvelope/signatures", json!([])), "bundle-invalid"),
        (
            "two signatures",
            change("/dsseEnvelope/signatures", json!([signature, signature])),
            "bundle-invalid",
        ),
        (
            "a certificate only",
            change("/verificationMaterial", json!({"certificate": der})),
            "signature-invalid",
        ),
        ("another payload type", change("/dsseEnvelope/payloadType", json!("text/plain")), "payload-invalid"),
        ("no payload", change("/dsseEnvelope/payload", json!("")), "payload-invalid"),
        ("no JSON", json!([]), "bundle-invalid"),
    ];
    let mut wrong = Vec::new();
    for (what, bundle, code) in rows {
        let decision = bundled(&key, &bundle);
        let found = (decision.outcome(), decision.headline().code());
        if found != (Outcome::Fail, code) {
            wrong.push(format!("{what}: {found:?}, expected {code}: {}", decision.headline()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a32_every_version_of_bundles_by_either_media_type() {
    let (key, good) = (key(), image("good"));
    let types = [
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
        BUNDLE,
    ];
    let mut bundle = json_bundle(&key, &signature_statement(&good.digest, &Said::new()));
    for inside in types {
        bundle["mediaType"] = json!(inside);
        for outside in types {
            passes(&bundled_as(&key, &bundle, outside));
        }
    }
}

#[test]
fn a32_a_digest_in_a_bundle_that_is_not_the_images() {
    let (key, good) = (key(), image("good"));
    let bundle: Value = serde_json::from_slice(&message_bundle(&good.bytes, &key).unwrap()).unwrap();
    passes(&bundled(&key, &bundle));
    let lies = [
        ("SHA2_256", common::digest::Digest::of(b"other").bytes()),
        ("SHA2_384", common::digest::Digest::of(&good.bytes).bytes()),
        ("SHA2_384", vec![0; 48]),
        ("SHA2_512", vec![0; 64]),
        ("SHA2_256", vec![]),
    ];
    for (algorithm, digest) in lies {
        let mut lying = bundle.clone();
        lying["messageSignature"]["messageDigest"] =
            json!({"algorithm": algorithm, "digest": STANDARD.encode(&digest)});
        let decision = bundled(&key, &lying);
        assert_eq!(
            decision.outcome(),
            Outcome::Fail,
            "{algorithm} {}: {}",
            digest.len(),
            decision.headline()
        );
        let code = decision.headline().code();
        assert!(["payload-invalid", "bundle-invalid"].contains(&code), "{algorithm}: {code}");
    }
    // A signature over other bytes, whatever its digest says.
    let mut other: Value = serde_json::from_slice(&message_bundle(b"other", &key).unwrap()).unwrap();
    other["messageSignature"]["messageDigest"] = bundle["messageSignature"]["messageDigest"].clone();
    expect(&bundled(&key, &other), Outcome::Fail, "signature-invalid");
}

#[test]
fn a25_a_statement_about_an_image_is_no_signature_and_a_signature_no_statement() {
    const SCAN: &str = "https://example.com/scan/v1";
    let (key, good) = (key(), image("good"));
    let scan = statement("app", &good.digest, SCAN, &json!({"failed": 9}));
    let unsigned = || Shelf::of(&good);
    let places = [
        unsigned().bundled(&good, &Layer::bundle(&key, &scan)),
        unsigned().attested(&good, &[Layer::envelope(&key, &scan)]),
        unsigned().signed(&good, &[Layer::envelope(&key, &scan)]),
        unsigned().signed(&good, &[Layer::bundle(&key, &scan)]),
    ];
    for shelf in places {
        expect(&judge(APP, &signed_by(&key), shelf.registry()), Outcome::Fail, "signature-missing");
    }
    let signature = signature_statement(&good.digest, &Said::new());
    let mut demanded = super::entry(None);
    demanded.attestations.push(super::attestation(SCAN, Some(of(&key))));
    let shelves = [
        unsigned().signed(&good, &[Layer::signature(&key, REPOSITORY, &good.digest)]),
        unsigned().bundled(&good, &Layer::bundle(&key, &signature)),
    ];
    for shelf in shelves {
        expect(&judge(APP, &demanded, shelf.registry()), Outcome::Fail, "attestation-missing");
    }
}
