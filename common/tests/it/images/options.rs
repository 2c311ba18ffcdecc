//! The options of image rules: digests, skips, several entries, other places, sets of attestors.

use common::key::PrivateKey;
use common::signature::make::statement;
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use super::shelf::*;
use crate::authority::{Authority, Leaf};

fn signed(keys: &[&PrivateKey]) -> Shelf {
    let good = image("good");
    let layer = |key: &&PrivateKey| Layer::signature(key, REPOSITORY, &good.digest);
    Shelf::of(&good).signed(&good, &keys.iter().map(layer).collect::<Vec<_>>())
}

fn judge_image(name: &str, list: &[Value], shelf: Shelf) -> Decision {
    review_one(&pod(&[name]), &policy("p", &entries(list)), shelf.registry())
}

#[test]
fn digests_are_demanded_and_pinned_as_the_entry_says() {
    let key = key();
    let pinned = format!("{APP}@{}", image("good").digest);
    for (mutate, verify) in [(true, true), (true, false), (false, true), (false, false)] {
        let options = json!({"mutateDigest": mutate, "verifyDigest": verify});
        let entry = demand(&attestors(&[&key]), &options);
        let by_tag = judge_image(APP, std::slice::from_ref(&entry), signed(&[&key]));
        if verify && !mutate {
            expect(&by_tag, Outcome::Fail, "digest-missing");
        } else {
            passes(&by_tag);
        }
        let to: Vec<_> = by_tag.pins.iter().map(|pin| pin.to.as_str()).collect();
        assert_eq!(to, if mutate { vec![pinned.as_str()] } else { vec![] }, "{options}");
        let by_digest = judge_image(&pinned, &[entry], signed(&[&key]));
        passes(&by_digest);
        assert!(by_digest.pins.is_empty());
    }
}

/// What is pinned is what every entry accepted.
#[test]
fn nothing_is_pinned_that_an_entry_refuses() {
    let (a, b) = (key(), key());
    let still = json!({"mutateDigest": false, "verifyDigest": false});
    let both = [demand(&attestors(&[&a]), &json!({})), demand(&attestors(&[&b]), &still)];
    let half = judge_image(APP, &both, signed(&[&a]));
    expect(&half, Outcome::Fail, "signature-invalid");
    assert!(half.pins.is_empty());
    let whole = judge_image(APP, &both, signed(&[&a, &b]));
    passes(&whole);
    assert_eq!(whole.pins.len(), 1, "once, though two entries judged it");
}

#[test]
fn nothing_demanded_is_nothing_verified() {
    let good = || Shelf::of(&image("good"));
    let bare = |more: Value| {
        let mut entry = json!({"imageReferences": ["*"], "failureAction": "Enforce"});
        for (field, value) in more.as_object().unwrap() {
            entry[field] = value.clone();
        }
        entry
    };
    expect(&judge_image(APP, &[bare(json!({}))], good()), Outcome::Fail, "image-unverified");
    let optional = judge_image(APP, &[bare(json!({"required": false}))], good());
    assert_eq!(optional.outcome(), Outcome::Skip, "{}", optional.headline());
    // `required: false` does not make a demanded signature optional.
    let key = key();
    let demanded = demand(&attestors(&[&key]), &json!({"required": false}));
    expect(&judge_image(APP, std::slice::from_ref(&demanded), good()), Outcome::Fail, "signature-missing");
    passes(&judge_image(APP, &[demanded], signed(&[&key])));
}

#[test]
fn a_tag_beside_a_digest_skips_nothing() {
    let (key, evil) = (key(), image("evil"));
    let skipping = |pattern: &str| [demand(&attestors(&[&key]), &json!({"skipImageReferences": [pattern]}))];
    let shelf = || Shelf::of(&evil).image("ghcr.io/acme/app:trusted", &evil);
    let by_tag = judge_image("ghcr.io/acme/app:trusted", &skipping("*:trusted"), shelf());
    expect(&by_tag, Outcome::Skip, "image-skipped");
    assert!(by_tag.pins.is_empty());
    let beside = format!("ghcr.io/acme/app:trusted@{}", evil.digest);
    for pattern in ["*:trusted", "ghcr.io/acme/app:*", "*:trusted@*"] {
        let decision = judge_image(&beside, &skipping(pattern), shelf());
        expect(&decision, Outcome::Fail, "signature-missing");
    }
    // What it does not name is judged.
    for pattern in ["ghcr.io/acme/other*", "ghcr.io/acme/app:2", "acme/app:*"] {
        expect(&judge_image(APP, &skipping(pattern), shelf()), Outcome::Fail, "signature-missing");
    }
    // Another entry is not skipped with it, and a skipped image does not cover another.
    let both = [skipping("*:trusted").to_vec(), vec![demand(&attestors(&[&key]), &json!({}))]].concat();
    let decision = judge_image("ghcr.io/acme/app:trusted", &both, shelf());
    expect(&decision, Outcome::Fail, "signature-missing");
    let two = pod(&["ghcr.io/acme/app:trusted", APP]);
    let decision = review_one(&two, &policy("p", &entries(&skipping("*:trusted"))), shelf().registry());
    expect(&decision, Outcome::Fail, "signature-missing");
}

#[test]
fn each_image_is_decided_by_every_entry_that_names_it() {
    let (a, b) = (key(), key());
    let about =
        |pattern: &str, key: &PrivateKey| demand(&attestors(&[key]), &json!({"imageReferences": [pattern]}));
    let list = [about("ghcr.io/acme/*", &a), about("*", &b)];
    for list in [list.clone(), [list[1].clone(), list[0].clone()]] {
        expect(&judge_image(APP, &list, signed(&[&a])), Outcome::Fail, "signature-invalid");
        expect(&judge_image(APP, &list, signed(&[&b])), Outcome::Fail, "signature-invalid");
        let whole = judge_image(APP, &list, signed(&[&a, &b]));
        passes(&whole);
        assert_eq!(whole.signers.len(), 2);
    }
    let other = "quay.io/acme/app:1";
    let elsewhere = [about("docker.io/*", &a)];
    let unmatched = judge_image(other, &elsewhere, signed(&[]));
    expect(&unmatched, Outcome::Skip, "not-matched");
}

#[test]
fn signatures_are_looked_for_where_the_policy_says() {
    const PLACE: &str = "ghcr.io/signatures/all";
    let (a, b, good) = (key(), key(), image("good"));
    let by = |key| [Layer::signature(key, REPOSITORY, &good.digest)];
    let there = || Shelf::of(&good).tag(PLACE, &good.digest, ".sig", &by(&a));
    let moved = [demand(&attestors(&[&a]), &json!({"repository": PLACE}))];
    passes(&judge_image(APP, &moved, there()));
    // Not beside the image, then: whoever may push there may not sign.
    expect(&judge_image(APP, &moved, signed(&[&a])), Outcome::Fail, "signature-missing");
    let beside = [demand(&attestors(&[&a]), &json!({}))];
    expect(&judge_image(APP, &beside, there()), Outcome::Fail, "signature-missing");
    // An attestor's own place is for that attestor.
    let mut own = attestor(&a);
    own["repository"] = json!(PLACE);
    let both = [demand(&json!([{"entries": [own, attestor(&b)]}]), &json!({}))];
    passes(&judge_image(APP, &both, there().signed(&good, &by(&b))));
    let swapped = Shelf::of(&good).tag(PLACE, &good.digest, ".sig", &by(&b)).signed(&good, &by(&a));
    assert_eq!(judge_image(APP, &both, swapped).outcome(), Outcome::Fail);
    for nowhere in ["not a place", "https://ghcr.io/signatures", "ghcr.io/signatures:v1"] {
        let entry = demand(&attestors(&[&a]), &json!({"repository": nowhere}));
        let refused = try_policy("p", &entries(&[entry])).unwrap_err();
        assert!(refused.starts_with("spec.rules[0].verifyImages[0].repository: "), "{refused}");
    }
    // Attestations are looked for in the same place.
    let scan = statement("app", &good.digest, "https://example.com/scan/v1", &json!({}));
    let attested = |at| Shelf::of(&good).tag(at, &good.digest, ".att", &[Layer::envelope(&a, &scan)]);
    let entry = json!({"imageReferences": ["*"], "repository": PLACE, "failureAction": "Enforce",
        "attestations": [{"type": "https://example.com/scan/v1", "attestors": attestors(&[&a])}]});
    passes(&judge_image(APP, std::slice::from_ref(&entry), attested(PLACE)));
    expect(&judge_image(APP, &[entry], attested(REPOSITORY)), Outcome::Fail, "attestation-missing");
}

#[test]
fn sets_of_attestors_count_and_nest() {
    let (a, b, c) = (key(), key(), key());
    let judge = |attestors: &Value, keys: &[&PrivateKey]| {
        judge_image(APP, &[demand(attestors, &json!({}))], signed(keys)).outcome()
    };
    let two = json!([{"count": 2, "entries": [attestor(&a), attestor(&b), attestor(&c)]}]);
    assert_eq!(judge(&two, &[&a]), Outcome::Fail);
    assert_eq!(judge(&two, &[&c, &a]), Outcome::Pass);
    let all = json!([{"entries": [attestor(&a), attestor(&b)]}]);
    assert_eq!(judge(&all, &[&a]), Outcome::Fail);
    assert_eq!(judge(&all, &[&b, &a]), Outcome::Pass);
    let sets = json!([{"entries": [attestor(&a)]}, {"count": 1, "entries": [attestor(&b), attestor(&c)]}]);
    assert_eq!(judge(&sets, &[&a]), Outcome::Fail);
    assert_eq!(judge(&sets, &[&b, &c]), Outcome::Fail);
    assert_eq!(judge(&sets, &[&a, &c]), Outcome::Pass);
    let inner = json!({"attestor": {"count": 1, "entries": [attestor(&b), attestor(&c)]}});
    let nested = json!([{"count": 2, "entries": [attestor(&a), inner]}]);
    assert_eq!(judge(&nested, &[&b, &c]), Outcome::Fail, "a nested set is one entry");
    assert_eq!(judge(&nested, &[&a, &b]), Outcome::Pass);
    let several = format!("{}{}", a.public().to_pem(), b.public().to_pem());
    let block = json!([{"entries": [{"keys": {"publicKeys": several, "rekor": {"ignoreTlog": true}}}]}]);
    assert_eq!(judge(&block, &[&a]), Outcome::Fail, "each key of a text is an entry");
    assert_eq!(judge(&block, &[&a, &b]), Outcome::Pass);
}

/// A key's signature needs no log only where the policy says so.
#[test]
fn a_log_entry_is_demanded_unless_waived() {
    let key = key();
    let logged = json!([{"entries": [{"keys": {"publicKeys": key.public().to_pem()}}]}]);
    let decision = judge_image(APP, &[demand(&logged, &json!({}))], signed(&[&key]));
    expect(&decision, Outcome::Fail, "log-entry-missing");
    assert!(decision.pins.is_empty());
}

#[test]
fn a_key_that_is_not_at_hand_is_a_fault() {
    let key = key();
    let absent = json!({"keys": {"publicKeys": "k8s://prod/cosign", "rekor": {"ignoreTlog": true}}});
    let only = [demand(&json!([{"entries": [absent]}]), &json!({}))];
    expect(&judge_image(APP, &only, signed(&[&key])), Outcome::Fault, "key-unavailable");
    let any = [demand(&json!([{"count": 1, "entries": [absent, attestor(&key)]}]), &json!({}))];
    passes(&judge_image(APP, &any, signed(&[&key])));
}

#[test]
fn certificates_that_a_policy_names() {
    let (authority, stranger) = (Authority::new("corp"), Authority::new("corp"));
    let now = Leaf { days: [(2026, 1, 1), (2027, 1, 1)], ..Leaf::default() };
    let (signer, twin) = (authority.certify(&now), authority.certify(&now));
    let (expired, foreign) = (authority.certify(&Leaf::default()), stranger.certify(&now));
    let good = image("good");
    let by = |signer: &crate::authority::Certified| {
        let layer = Layer::signature(&signer.key, REPOSITORY, &good.digest);
        let layer = layer.with("dev.sigstore.cosign/certificate", &signer.pem);
        Shelf::of(&good).signed(&good, &[layer])
    };
    let named = |mut certificates: Value, waived: bool| {
        certificates["rekor"] = json!({"ignoreTlog": waived});
        [demand(&json!([{"entries": [{"certificates": certificates}]}]), &json!({}))]
    };
    let chain = named(json!({"certChain": authority.pem()}), true);
    passes(&judge_image(APP, &chain, by(&signer)));
    passes(&judge_image(APP, &chain, by(&twin)));
    expect(&judge_image(APP, &chain, by(&foreign)), Outcome::Fail, "certificate-untrusted");
    expect(&judge_image(APP, &chain, by(&expired)), Outcome::Fail, "certificate-not-valid-at-signing");
    expect(&judge_image(APP, &chain, signed(&[&signer.key])), Outcome::Fail, "certificate-missing");
    let one = named(json!({"cert": signer.pem, "certChain": authority.pem()}), true);
    passes(&judge_image(APP, &one, by(&signer)));
    expect(&judge_image(APP, &one, by(&twin)), Outcome::Fail, "signature-invalid");
    let other = named(json!({"cert": foreign.pem, "certChain": authority.pem()}), true);
    expect(&judge_image(APP, &other, by(&foreign)), Outcome::Fail, "certificate-untrusted");
    let alone = named(json!({"cert": signer.pem}), true);
    passes(&judge_image(APP, &alone, by(&signer)));
    expect(&judge_image(APP, &alone, by(&twin)), Outcome::Fail, "signature-invalid");
    let logged = named(json!({"certChain": authority.pem()}), false);
    expect(&judge_image(APP, &logged, by(&signer)), Outcome::Fail, "log-entry-missing");
    let unsupported = named(json!({"cert": signer.pem}), false);
    expect(&judge_image(APP, &unsupported, by(&signer)), Outcome::Fault, "policy-unsupported");
}

#[test]
fn a21_a_policy_binds_signatures_to_names() {
    let (key, good) = (key(), image("good"));
    let bound = |to: &str| {
        let metadata = json!({"name": "p", "annotations": {"kubectl-trust.io/signed-reference": to}});
        annotated(&metadata, &entries(&[demand(&attestors(&[&key]), &json!({}))])).unwrap()
    };
    let named =
        |name: &str| Shelf::of(&good).signed(&good, &[Layer::signature(&key, name, &good.digest)]).registry();
    let other = "ghcr.io/evil/app:1";
    passes(&review_one(&pod(&[APP]), &bound("any"), named(other)));
    for to in ["repository", "exact"] {
        expect(&review_one(&pod(&[APP]), &bound(to), named(other)), Outcome::Fail, "reference-mismatch");
        passes(&review_one(&pod(&[APP]), &bound(to), named(APP)));
    }
}
