//! Attacks on what an image's name, a registry's answers and the policies of a cluster come to.

use std::sync::Arc;

use common::cache::Facts;
use common::digest::Digest;
use common::key::PrivateKey;
use common::limits;
use common::object::ObjectRef;
use common::policy::images::{ImageEntry, SignatureStorage, SignedReference};
use common::registry::{Descriptor, Manifest, Registry};
use common::signature::make::{Said, signature_statement};
use common::verdict::{Decision, Outcome, RegistryProblem, denial};
use serde_json::json;

use super::entry;
use super::shelf::*;

fn signed(image: &Manifest, key: &PrivateKey) -> Shelf {
    Shelf::of(image).signed(image, &[Layer::signature(key, REPOSITORY, &image.digest)])
}

#[test]
fn a1_a_tag_that_moves_is_judged_and_pinned_once() {
    let (key, good, evil) = (key(), image("good"), image("evil"));
    let policies = ["a", "b", "c"].map(|name| demands(name, &key));
    let pod = pod(&[APP, APP]);
    for (first, second) in [(&good, &evil), (&evil, &good)] {
        let (first, second) = (first.clone(), second.clone());
        let passing = first == good;
        let registry = Liar::new(signed(&good, &key), move |request, before| {
            let moved = if before == 0 { &first } else { &second };
            (request == "manifest ghcr.io/acme/app:1").then(|| Lie::Manifest(Box::new(moved.clone())))
        });
        let decisions = review(&pod, &policies, registry.clone());
        assert_eq!(registry.count("manifest ghcr.io/acme/app:1"), 1, "one resolution for each request");
        for decision in &decisions {
            let pinned = format!("{APP}@{}", good.digest);
            if passing {
                passes(decision);
                assert_eq!(decision.pins.iter().map(|pin| pin.to.as_str()).collect::<Vec<_>>(), [&pinned; 2]);
                assert!(decision.headline().to_string().contains(good.digest.hex()));
            } else {
                expect(decision, Outcome::Fail, "signature-missing");
                assert!(decision.pins.is_empty());
            }
        }
    }
}

#[test]
fn a3_beside_a_digest_the_tag_says_nothing() {
    let (key, good, evil) = (key(), image("good"), image("evil"));
    let registry = Liar::honest(signed(&good, &key).image("ghcr.io/acme/app:2", &evil));
    let judge = |digest: &Digest| judge(&format!("{APP}@{digest}"), &signed_by(&key), registry.clone());
    expect(&judge(&evil.digest), Outcome::Fail, "signature-missing");
    passes(&judge(&good.digest));
    expect(&judge(&Digest::of(b"nowhere")), Outcome::Fail, "image-not-found");
    assert_eq!(registry.count("app:1"), 0, "{:?}", registry.asked());
}

#[test]
fn a7_a_name_that_cannot_be_read_is_refused() {
    let (key, good) = (key(), image("good"));
    let registry = Liar::honest(signed(&good, &key));
    let policy = demands("p", &key);
    for name in
        ["ghcr.io/acme/APP:1", "https://ghcr.io/acme/app:1", "app@sha256:../../", "app:1 ", "", "a//b"]
    {
        expect(&judge(name, &signed_by(&key), registry.clone()), Outcome::Fail, "image-invalid");
        let decision = review_one(&pod(&[APP, name]), &policy, registry.clone());
        // A container without an image is refused by the API server, and pulls nothing.
        if name.is_empty() {
            continue;
        }
        expect(&decision, Outcome::Fail, "image-invalid");
    }
}

#[test]
fn a12_one_bad_image_is_enough() {
    let (key, good, evil) = (key(), image("good"), image("evil"));
    let shelf = || signed(&good, &key).image("ghcr.io/acme/evil:1", &evil);
    let policy = demands("p", &key);
    for images in [[APP, "ghcr.io/acme/evil:1"], ["ghcr.io/acme/evil:1", APP]] {
        let decision = review_one(&pod(&images), &policy, shelf().registry());
        expect(&decision, Outcome::Fail, "signature-missing");
        assert!(decision.headline().to_string().contains("ghcr.io/acme/evil:1"), "{}", decision.headline());
        assert_eq!(decision.pins.len(), 1, "only what passed is pinned");
    }
    passes(&review_one(&pod(&[APP]), &policy, shelf().registry()));
}

#[test]
fn a12_a_thousand_containers_of_one_image_are_verified_once() {
    let (key, good) = (key(), image("good"));
    let requests = |images: &[&str]| {
        let registry = Liar::honest(signed(&good, &key));
        let decision = review_one(&pod(images), &demands("p", &key), registry.clone());
        passes(&decision);
        assert_eq!(decision.pins.len(), images.len());
        registry.asked()
    };
    assert_eq!(requests(&[APP; limits::IMAGES]), requests(&[APP]));
    let registry = Liar::honest(signed(&good, &key));
    let more = review_one(&pod(&[APP; limits::IMAGES + 1]), &demands("p", &key), registry.clone());
    expect(&more, Outcome::Fault, "input-unreadable");
    assert!(registry.asked().is_empty());
}

#[test]
fn a13_a_policy_that_only_records_hides_none_that_refuses() {
    let (key, evil) = (key(), image("evil"));
    let enforced = demands("strict", &key);
    let audit = json!({"failureAction": "Audit", "mutateDigest": false, "verifyDigest": false});
    let recorded = policy("lenient", &entries(&[demand(&attestors(&[&key]), &audit)]));
    let pod = pod(&[APP]);
    for policies in [[enforced.clone(), recorded.clone()], [recorded, enforced]] {
        let decisions = review(&pod, &policies, Shelf::of(&evil).registry());
        for decision in &decisions {
            expect(decision, Outcome::Fail, "signature-missing");
        }
        let enforced = |decision: &&Decision| decision.by.as_ref().unwrap().enforced;
        let refusing: Vec<_> = decisions.iter().filter(enforced).collect();
        assert_eq!(refusing.len(), 1);
        let text = denial(&ObjectRef::of(&pod), refusing, None).unwrap();
        assert!(text.contains("\nstrict:\n") && !text.contains("lenient"), "{text}");
    }
}

#[test]
fn a14_a_pattern_that_matches_nothing_is_said() {
    let key = key();
    for pattern in ["https://ghcr.io/acme/*", "ghcr.io/acme/app :1", "ghcr.io/Acme/*", "ghcr.io/acme/"] {
        let demand = demand(&attestors(&[&key]), &json!({"imageReferences": [pattern]}));
        let policy = policy("p", &entries(&[demand]));
        assert!(policy.warnings.iter().any(|one| one.to_string().contains("imageReferences")), "{pattern}");
    }
    assert!(demands("p", &key).warnings.is_empty());
    let typo = demand(&attestors(&[&key]), &json!({"imageReference": ["*"]}));
    assert!(try_policy("p", &entries(&[typo])).unwrap_err().contains("imageReference"));
    let none = demand(&attestors(&[&key]), &json!({"imageReferences": []}));
    assert!(try_policy("p", &entries(&[none])).is_err());
}

#[test]
fn a18_a_fact_for_one_policy_answers_for_no_other() {
    let (a, b, good) = (key(), key(), image("good"));
    let registry = signed(&good, &a).registry();
    let any = |keys: [&PrivateKey; 2], count: u32| {
        let set = json!([{"count": count, "entries": keys.map(attestor)}]);
        policy("p", &entries(&[demand(&set, &json!({}))]))
    };
    let cases = [
        (demands("p", &a), Outcome::Pass),
        (demands("p", &b), Outcome::Fail),
        (any([&a, &b], 1), Outcome::Pass),
        (any([&b, &a], 1), Outcome::Pass),
        (any([&a, &b], 2), Outcome::Fail),
        (any([&b, &a], 2), Outcome::Fail),
    ];
    let known = Facts::default();
    // Every case after every other one, with the facts of all.
    for (first, _) in &cases {
        for (then, expected) in &cases {
            for (policy, expected) in [(first, None), (then, Some(expected))] {
                let one = std::slice::from_ref(policy);
                let decision = review_knowing(&pod(&[APP]), one, registry.clone(), &known).remove(0);
                assert!(expected.is_none_or(|expected| decision.outcome() == *expected));
            }
        }
    }
    // Another image under the same tag, and a signature of the first beside it.
    let evil = image("evil");
    let moved = Shelf::of(&evil).signed(&evil, &[Layer::signature(&a, REPOSITORY, &good.digest)]);
    let decision = judge_with(APP, &signed_by(&a), moved.registry(), None, &known);
    expect(&decision, Outcome::Fail, "digest-mismatch");
}

#[test]
fn a21_nobodys_another_keys_and_another_images_signature() {
    let (a, b, good) = (key(), key(), image("good"));
    let with = |layers: &[Layer]| Shelf::of(&good).signed(&good, layers).registry();
    let demand = signed_by(&a);
    expect(&judge(APP, &demand, Shelf::of(&good).registry()), Outcome::Fail, "signature-missing");
    expect(&judge(APP, &demand, with(&[])), Outcome::Fail, "signature-missing");
    expect(&judge(APP, &demand, Shelf::default().registry()), Outcome::Fail, "image-not-found");
    let digest = &good.digest;
    let by_other = with(&[Layer::signature(&b, REPOSITORY, digest)]);
    expect(&judge(APP, &demand, by_other), Outcome::Fail, "signature-invalid");
    let of_other = with(&[Layer::signature(&a, REPOSITORY, &Digest::of(b"other"))]);
    expect(&judge(APP, &demand, of_other), Outcome::Fail, "digest-mismatch");
    let bare = Layer { annotations: [].into(), ..Layer::signature(&a, REPOSITORY, digest) };
    expect(&judge(APP, &demand, with(&[bare])), Outcome::Fail, "signature-invalid");
    let bundled = |key, digest: &Digest| {
        let layer = Layer::bundle(key, &signature_statement(digest, &Said::new()));
        Shelf::of(&good).bundled(&good, &layer).registry()
    };
    passes(&judge(APP, &demand, bundled(&a, digest)));
    expect(&judge(APP, &demand, bundled(&b, digest)), Outcome::Fail, "signature-invalid");
    expect(&judge(APP, &demand, bundled(&a, &Digest::of(b"other"))), Outcome::Fail, "digest-mismatch");
}

#[test]
fn a21_a_signature_copied_from_another_repository() {
    let (key, good) = (key(), image("good"));
    let copied = |signed: &str, mode| {
        let shelf = Shelf::of(&good).signed(&good, &[Layer::signature(&key, signed, &good.digest)]);
        judge(APP, &ImageEntry { signed_reference: mode, ..signed_by(&key) }, shelf.registry())
    };
    let elsewhere = "ghcr.io/evil/app";
    let cases = [
        (elsewhere, SignedReference::Any, true),
        (elsewhere, SignedReference::Repository, false),
        ("ghcr.io/acme/app-evil", SignedReference::Repository, false),
        ("", SignedReference::Repository, false),
        ("ghcr.io/acme/APP", SignedReference::Repository, false),
        (REPOSITORY, SignedReference::Repository, true),
        ("ghcr.io/acme/app:2", SignedReference::Repository, true),
        ("ghcr.io/acme/app:2", SignedReference::Exact, false),
        (REPOSITORY, SignedReference::Exact, false),
        (elsewhere, SignedReference::Exact, false),
        (APP, SignedReference::Exact, true),
    ];
    for (signed, mode, good) in cases {
        let decision = copied(signed, mode);
        if good {
            passes(&decision);
        } else {
            expect(&decision, Outcome::Fail, "reference-mismatch");
        }
    }
    // A statement does not say what the image was called.
    let layer = Layer::bundle(&key, &signature_statement(&good.digest, &Said::new()));
    let bundled = Shelf::of(&good).bundled(&good, &layer).registry();
    let demanded = ImageEntry { signed_reference: SignedReference::Repository, ..signed_by(&key) };
    expect(&judge(APP, &demanded, bundled), Outcome::Fail, "reference-mismatch");
}

#[test]
fn a22_junk_before_a_signature_is_bounded_and_no_finding() {
    let (a, b, good) = (key(), key(), image("good"));
    let mine = Layer::signature(&a, REPOSITORY, &good.digest);
    let junk = |count: usize| {
        let one = |index: usize| Layer::signature(&b, &format!("{REPOSITORY}-{index}"), &good.digest);
        (0..count).map(one).collect::<Vec<_>>()
    };
    let after = |count: usize| [junk(count), vec![mine.clone()]].concat();
    let judge = |layers: &[Layer]| {
        let registry = Liar::honest(Shelf::of(&good).signed(&good, layers));
        (judge(APP, &signed_by(&a), registry.clone()), registry.count("blob "))
    };
    passes(&judge(&after(30)).0);
    passes(&judge(&after(limits::IMAGE_SIGNATURES - 1)).0);
    let (decision, blobs) = judge(&after(999));
    expect(&decision, Outcome::Fault, "too-much-evidence");
    assert!(blobs <= 2 * limits::IMAGE_SIGNATURES, "{blobs} blobs");
    let (decision, _) = judge(&junk(999));
    expect(&decision, Outcome::Fault, "too-much-evidence");
    let first = [vec![mine.clone()], junk(999)].concat();
    passes(&judge(&first).0);
}

#[test]
fn a36_a_list_of_ten_thousand_referrers_is_bounded() {
    let (key, good) = (key(), image("good"));
    let listed: Vec<Descriptor> = (0..10_000)
        .map(|index: u32| Descriptor {
            digest: Digest::of(&index.to_be_bytes()),
            artifact_type: Some(BUNDLE.to_owned()),
            ..good.descriptor()
        })
        .collect();
    let registry = Liar::new(Shelf::of(&good), move |request, _| {
        request.starts_with("referrers").then(|| Lie::Listed(listed.clone()))
    });
    let decision = judge(APP, &signed_by(&key), registry.clone());
    assert_eq!(decision.outcome(), Outcome::Fault, "{}", decision.headline());
    assert!(registry.count("manifest ") <= limits::IMAGE_SIGNATURES + 3, "{}", registry.count("manifest "));
}

#[test]
fn a36_what_is_listed_for_an_image_and_about_another_counts_for_nothing() {
    let (key, good, evil) = (key(), image("good"), image("evil"));
    let layer = Layer::bundle(&key, &signature_statement(&evil.digest, &Said::new()));
    let shelf = Shelf::of(&evil).image("ghcr.io/acme/app:2", &good).bundled(&good, &layer);
    let listed = futures::executor::block_on(Registry::referrers(
        &shelf.0,
        &common::image::Repository::parse(REPOSITORY).unwrap(),
        &good.digest,
    ));
    let listed = listed.unwrap().unwrap();
    assert_eq!(listed.len(), 1);
    let registry = Liar::new(shelf, move |request, _| {
        request.starts_with("referrers").then(|| Lie::Listed(listed.clone()))
    });
    let decision = judge(APP, &signed_by(&key), registry);
    expect(&decision, Outcome::Fail, "signature-missing");
    assert!(decision.warnings.iter().any(|text| text.contains("about something else")));
}

#[test]
fn a39_a_policy_that_pins_the_format_does_not_see_the_other() {
    let (key, good) = (key(), image("good"));
    let pinned = policy("p", &entries(&[demand(&attestors(&[&key]), &json!({"type": "SigstoreBundle"}))]));
    let registry = Liar::honest(signed(&good, &key));
    expect(&review_one(&pod(&[APP]), &pinned, registry.clone()), Outcome::Fail, "signature-missing");
    assert_eq!(registry.count(".sig"), 0, "{:?}", registry.asked());
    let layer = Layer::bundle(&key, &signature_statement(&good.digest, &Said::new()));
    passes(&review_one(&pod(&[APP]), &pinned, signed(&good, &key).bundled(&good, &layer).registry()));
    let mut by_entry = signed_by(&key);
    by_entry.storage = SignatureStorage::Bundle;
    expect(&judge(APP, &by_entry, registry), Outcome::Fail, "signature-missing");
    // Hidden by a fault, it is not "unsigned" either.
    let hiding = failing(signed(&good, &key), "referrers", RegistryProblem::Status(500));
    expect(&judge(APP, &by_entry, hiding), Outcome::Fault, "registry-unreachable");
}

fn problems() -> [(RegistryProblem, &'static str); 12] {
    let text = || "x".to_owned();
    [
        (RegistryProblem::Unreachable(text()), "registry-unreachable"),
        (RegistryProblem::Unauthorized { tried: text() }, "registry-unauthorized"),
        (RegistryProblem::RateLimited { retry_after: Some(1) }, "registry-rate-limited"),
        (RegistryProblem::RateLimited { retry_after: None }, "registry-rate-limited"),
        (RegistryProblem::Status(503), "registry-unreachable"),
        (RegistryProblem::DeadlineExceeded, "deadline-exceeded"),
        (RegistryProblem::TooLarge { bound: 1 }, "response-too-large"),
        (RegistryProblem::TooMany { what: "referrers", bound: 1 }, "response-too-large"),
        (RegistryProblem::ContentMismatch { expected: text(), found: text() }, "registry-content-mismatch"),
        (RegistryProblem::Malformed(text()), "registry-answer-malformed"),
        (RegistryProblem::Refused { host: text(), why: text() }, "registry-refused"),
        (RegistryProblem::NotRecorded, "image-not-available-offline"),
    ]
}

#[test]
fn a40_no_fault_of_a_registry_is_a_finding() {
    let (a, b, good) = (key(), key(), image("good"));
    let statement = signature_statement(&good.digest, &Said::new());
    let by_other = Shelf::of(&good)
        .signed(&good, &[Layer::signature(&b, REPOSITORY, &good.digest)])
        .bundled(&good, &Layer::bundle(&b, &statement));
    let unsigned = Shelf::of(&good);
    let steps = ["manifest ghcr.io/acme/app:1", ".sig", "referrers ", "blob ", "manifest ghcr.io/acme/app@"];
    let cases =
        problems().into_iter().flat_map(|(problem, code)| steps.map(|step| (problem.clone(), code, step)));
    for (problem, code, step) in cases {
        // Whatever could be seen is by somebody else, or there is nothing.
        let registry = failing(by_other.clone(), step, problem.clone());
        let decision = judge(APP, &signed_by(&a), registry.clone());
        assert!(registry.count(step) > 0, "{step} was asked for");
        expect(&decision, Outcome::Fault, code);
        let by_digest = format!("{REPOSITORY}@{}", good.digest);
        let decision = judge(&by_digest, &signed_by(&a), failing(unsigned.clone(), step, problem));
        if ["blob ", "manifest ghcr.io/acme/app:1"].contains(&step) {
            expect(&decision, Outcome::Fail, "signature-missing");
        } else {
            expect(&decision, Outcome::Fault, code);
        }
    }
}

#[test]
fn a40_a_fault_where_nothing_needs_to_be_seen_does_not_matter() {
    let (key, good) = (key(), image("good"));
    let registry = failing(signed(&good, &key), "referrers", RegistryProblem::DeadlineExceeded);
    passes(&judge(APP, &signed_by(&key), registry.clone()));
    assert_eq!(registry.count("referrers"), 0);
    let Shelf(nothing) = Shelf::default();
    let nothing: Arc<dyn Registry> = Arc::new(nothing);
    expect(&judge(APP, &signed_by(&key), Arc::clone(&nothing)), Outcome::Fail, "image-not-found");
    // Where nothing can pass, or nothing is demanded, nothing is asked.
    let demanded =
        |required, mutate_digest| ImageEntry { required, mutate_digest, verify_digest: false, ..entry(None) };
    for (demanded, outcome, code) in [
        (demanded(true, true), Outcome::Fail, "image-unverified"),
        (demanded(true, false), Outcome::Fail, "image-unverified"),
        (demanded(false, false), Outcome::Skip, "nothing-checked"),
        (demanded(false, true), Outcome::Fail, "image-not-found"),
    ] {
        expect(&judge(APP, &demanded, Arc::clone(&nothing)), outcome, code);
    }
}
