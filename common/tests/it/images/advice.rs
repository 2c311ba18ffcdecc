//! What a refusal of images says: everything that is wrong, and what is enough and safe to do about it.

use common::key::PrivateKey;
use common::policy::images::SignedReference;
use common::policy::{LogOptions, Matcher};
use common::signature::make::statement;
use common::verdict::{Advice, Decision, Outcome, Voice, denial};
use serde_json::json;

use super::shelf::*;
use super::{entry, requirement};

const SLSA: &str = "https://slsa.dev/provenance/v1";

fn refusal(decision: &Decision) -> String {
    assert_eq!(decision.outcome(), Outcome::Fail, "{}", decision.headline());
    denial(&decision.subject.object, [decision], None).unwrap()
}

fn lines(decision: &Decision) -> Vec<String> {
    Advice::of(decision).lines(Voice::of(decision)).into_iter().map(|(_, line)| line).collect()
}

/// How refusals call a key.
fn name(key: &PrivateKey) -> String {
    common::signer::short(&format!("key {}", key.public().fingerprint()))
}

/// One image per refusal would mean one rollout per image.
#[test]
fn every_image_that_is_wrong_is_named_and_has_its_fix() {
    let key = key();
    let names = ["a", "b", "c", "d", "e", "f"].map(|name| format!("ghcr.io/acme/{name}:1"));
    let shelf = names.iter().fold(Shelf::default(), |shelf, name| shelf.image(name, &image(name)));
    let all: Vec<_> = names.iter().map(String::as_str).collect();
    let three = refusal(&review_one(&pod(&all[..3]), &demands("p", &key), shelf.clone().registry()));
    for name in &all[..3] {
        assert!(
            three.contains(&format!("image verification failed for {name}: signature not found")),
            "{three}"
        );
        assert!(three.contains(&format!("kubectl trust sign {name}@sha256:")), "{three}");
    }
    assert!(!three.contains("more"), "{three}");
    let six = review_one(&pod(&all), &demands("p", &key), shelf.registry());
    assert_eq!(six.problems().len(), 6);
    let text = refusal(&six);
    assert!(
        text.contains("also:       … and 2 more") && text.contains("the like for 2 more problems"),
        "{text}"
    );
}

/// Attack: a tag is moved to an image of the attacker's, and advice has its owner sign that.
#[test]
fn nobody_is_told_to_sign_what_nobody_looked_at() {
    let (ours, other) = (key(), key());
    let good = image("good");
    let unsigned = Shelf::of(&good);
    let by_other = Shelf::of(&good).signed(&good, &[Layer::signature(&other, REPOSITORY, &good.digest)]);
    for shelf in [unsigned, by_other] {
        let by_policy = review_one(&pod(&[APP]), &demands("p", &ours), shelf.clone().registry());
        let by_flags = judge(APP, &signed_by(&ours), shelf.registry());
        for decision in [by_policy, by_flags] {
            let commands: Vec<_> =
                lines(&decision).into_iter().filter(|line| line.contains("kubectl trust sign")).collect();
            assert_eq!(commands.len(), 1, "{commands:?}");
            let command =
                format!("if you built this image: kubectl trust sign {APP}@{} --key cosign.key", good.digest);
            assert!(commands[0].starts_with(&command), "{commands:?}");
        }
    }
}

/// Attack: a refusal for want of a log that tells the owner of the policy to do without one, for all images.
#[test]
fn a_policy_is_not_told_to_do_without_a_log() {
    let (key, good) = (key(), image("good"));
    let mut logged = attestor(&key);
    logged["keys"]["rekor"] = json!({"ignoreTlog": false});
    let attestors = json!([{"entries": [logged]}]);
    let policy = policy("p", &entries(&[demand(&attestors, &json!({}))]));
    let signed = Shelf::of(&good).signed(&good, &[Layer::signature(&key, REPOSITORY, &good.digest)]);
    let decision = review_one(&pod(&[APP]), &policy, signed.registry());
    expect(&decision, Outcome::Fail, "log-entry-missing");
    let lines = lines(&decision);
    assert!(lines.iter().any(|line| line.contains("kubectl trust sign")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("gnore")), "{lines:?}");
}

/// A tag may have been moved away from what was signed; that the reader can know.
#[test]
fn an_unsigned_image_behind_a_tag_may_not_be_the_one_that_was_meant() {
    let key = key();
    let good = image("good");
    let judged = |name: &str| lines(&judge(name, &signed_by(&key), Shelf::of(&good).registry()));
    let by_tag = judged(APP);
    assert_eq!(by_tag.len(), 2, "{by_tag:?}");
    assert_eq!(
        by_tag[1],
        format!("if the tag was moved: the image by the digest that was signed, {REPOSITORY}@sha256:…")
    );
    assert_eq!(judged(&format!("{REPOSITORY}@{}", good.digest)).len(), 1);
}

/// Attack: the attacker moves a tag away from the signed image, and the owner signs the new image unseen. The refusal
/// names the signed digest and gives no command that signs the new one.
#[test]
fn a_tag_that_was_moved_is_not_signed() {
    let key = key();
    let (good, evil) = (image("good"), image("evil"));
    let signed = |suffix| {
        let layer = match suffix {
            ".sig" => Layer::signature(&key, REPOSITORY, &good.digest),
            _ => Layer::envelope(&key, &statement(REPOSITORY, &good.digest, SLSA, &json!({}))),
        };
        Shelf::of(&evil).tag(REPOSITORY, &good.digest, suffix, &[layer])
    };
    let attested = json!({"attestations": [{"type": SLSA, "attestors": attestors(&[&key])}]});
    let by_attestation = policy("p", &entries(&[demand(&json!([]), &attested)]));
    for (code, policy, suffix) in
        [("signature-missing", demands("p", &key), ".sig"), ("attestation-missing", by_attestation, ".att")]
    {
        let decision = review_one(&pod(&[APP]), &policy, signed(suffix).registry());
        expect(&decision, Outcome::Fail, code);
        let lines = lines(&decision);
        assert!(lines[0].contains("the tag may have been moved"), "{lines:?}");
        assert!(lines[0].contains(&good.digest.to_string()), "{lines:?}");
        assert!(lines[1].contains(&format!("{APP}@{}", evil.digest)), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("kubectl trust")), "{lines:?}");
        let found = decision.headline().found().unwrap();
        assert!(found.ends_with(&good.digest.to_string()), "{found}");
    }
}

/// A list of tags costs a request: it is asked for only where a tag's image turns out to be unsigned.
#[test]
fn other_images_are_looked_for_only_when_a_tag_has_nothing() {
    let key = key();
    let (good, new) = (image("good"), image("new"));
    let shelf = |tagged| Shelf::of(tagged).signed(&good, &[Layer::signature(&key, REPOSITORY, &good.digest)]);
    for (tagged, name, questions) in [
        (&good, APP.to_owned(), 0),
        (&new, APP.to_owned(), 1),
        (&new, format!("{REPOSITORY}@{}", new.digest), 0),
    ] {
        let registry = Liar::honest(shelf(tagged));
        let images: std::sync::Arc<dyn common::registry::Registry> = registry.clone();
        judge(&name, &signed_by(&key), images);
        assert_eq!(registry.count("tags "), questions, "{name}: {:?}", registry.asked());
    }
}

/// Attack: a registry that does not list its tags, so that a refusal becomes a fault, which some policies let in.
#[test]
fn a_list_of_tags_that_fails_changes_no_verdict() {
    let key = key();
    let (good, new) = (image("good"), image("new"));
    let shelf = Shelf::of(&new).signed(&good, &[Layer::signature(&key, REPOSITORY, &good.digest)]);
    let registry = failing(shelf, "tags ", common::verdict::RegistryProblem::DeadlineExceeded);
    let decision = judge(APP, &signed_by(&key), registry);
    expect(&decision, Outcome::Fail, "signature-missing");
    assert!(lines(&decision)[0].starts_with("if you built this image"), "{:?}", lines(&decision));
}

#[test]
fn many_other_images_are_counted() {
    let key = key();
    let shelf = (0..5).fold(Shelf::of(&image("new")), |shelf, number| {
        let old = image(&number.to_string());
        shelf.signed(&old, &[Layer::signature(&key, REPOSITORY, &old.digest)])
    });
    let decision = judge(APP, &signed_by(&key), shelf.registry());
    let found = decision.headline().found().unwrap();
    assert!(found.ends_with(" and 2 more"), "{found}");
    assert!(!lines(&decision)[0].contains("sha256:"), "{:?}", lines(&decision));
}

#[test]
fn a_threshold_names_who_is_missing() {
    let (a, b, c) = (key(), key(), key());
    let good = image("good");
    let two = json!([{"count": 2, "entries": [attestor(&a), attestor(&b), attestor(&c)]}]);
    let policy = policy("p", &entries(&[demand(&two, &json!({}))]));
    let with = |keys: &[&PrivateKey]| {
        let layers: Vec<_> = keys.iter().map(|key| Layer::signature(key, REPOSITORY, &good.digest)).collect();
        review_one(&pod(&[APP]), &policy, Shelf::of(&good).signed(&good, &layers).registry())
    };
    let one = with(&[&b]);
    expect(&one, Outcome::Fail, "threshold-not-met");
    let text = refusal(&one);
    assert!(
        text.contains(&format!("1 of 2 required signers; not signed by {}, {}", name(&a), name(&c))),
        "{text}"
    );
    // One more signature is enough, and either will do.
    let commands = lines(&one);
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert!(commands[0].ends_with(&format!(
        "--key FILE   # with {}; or another whom the rule names: {}",
        name(&a),
        name(&c)
    )));
    // With nobody's, it takes two.
    let mut none = lines(&with(&[]));
    none.retain(|line| line.contains("kubectl trust"));
    assert_eq!(none.len(), 2, "{none:?}");
    assert!(
        none[0].contains(&name(&a)) && none[1].contains(&name(&b)) && none[1].contains(&name(&c)),
        "{none:?}"
    );
    passes(&with(&[&a, &b]));
}

#[test]
fn a_signature_and_an_attestation_that_are_missing_are_both_said() {
    let key = key();
    let attestations = json!({"attestations": [{"type": SLSA, "attestors": attestors(&[&key])}]});
    let policy = policy("p", &entries(&[demand(&attestors(&[&key]), &attestations)]));
    let good = image("good");
    let decision = review_one(&pod(&[APP]), &policy, Shelf::of(&good).registry());
    let text = refusal(&decision);
    assert!(text.contains("signature not found") && text.contains("attestations not found"), "{text}");
    let steps = lines(&decision);
    assert!(steps.iter().any(|step| step.contains("kubectl trust sign ")), "{steps:?}");
    let attest =
        format!("kubectl trust attest {APP}@{} --type {SLSA} --predicate FILE --key cosign.key", good.digest);
    assert!(steps.iter().any(|step| step.contains(&attest)), "{steps:?}");
    // Both done, it passes.
    let predicate = statement(REPOSITORY, &good.digest, SLSA, &json!({"a": 1}));
    let done = Shelf::of(&good)
        .signed(&good, &[Layer::signature(&key, REPOSITORY, &good.digest)])
        .attested(&good, &[Layer::envelope(&key, &predicate)]);
    passes(&review_one(&pod(&[APP]), &policy, done.registry()));
}

#[test]
fn a_digest_that_is_missing_is_offered_and_passes() {
    let key = key();
    let good = image("good");
    let shelf = Shelf::of(&good).signed(&good, &[Layer::signature(&key, REPOSITORY, &good.digest)]);
    let options = json!({"mutateDigest": false, "verifyDigest": true});
    let policy = policy("p", &entries(&[demand(&attestors(&[&key]), &options)]));
    let decision = review_one(&pod(&[APP]), &policy, shelf.clone().registry());
    expect(&decision, Outcome::Fail, "digest-missing");
    let [line] = lines(&decision).try_into().unwrap();
    let offered = line.strip_prefix("image: ").unwrap();
    passes(&review_one(&pod(&[offered]), &policy, shelf.registry()));
}

/// What the rule demands of a signature beside its signer stands in the command.
#[test]
fn the_command_says_all_that_the_rule_demands() {
    let key = key();
    let good = image("good");
    let judged = |attestor: serde_json::Value, more: serde_json::Value| {
        let attestors = json!([{"entries": [attestor]}]);
        let policy = policy("p", &entries(&[demand(&attestors, &more)]));
        lines(&review_one(&pod(&[APP]), &policy, Shelf::of(&good).registry())).remove(0)
    };
    let mut annotated = attestor(&key);
    annotated["annotations"] = json!({"team": "a b"});
    assert!(judged(annotated, json!({})).contains(" --key cosign.key -a 'team=a b'"));
    let logged = json!({"keys": {"publicKeys": key.public().to_pem()}});
    assert!(judged(logged, json!({})).contains(" --rekor-url https://rekor.sigstore.dev"));
    // A place that no command of ours writes to is said in words.
    let elsewhere = judged(attestor(&key), json!({"repository": "ghcr.io/acme/signatures"}));
    assert!(
        elsewhere.contains("that kubectl trust does not make: one in the repository ghcr.io/acme/signatures"),
        "{elsewhere}"
    );
}

/// Only the older format says what an image is called.
#[test]
fn a_signature_that_names_its_repository_is_made_in_the_format_that_does() {
    let key = key();
    let command = |signed_reference| {
        let entry = common::policy::images::ImageEntry { signed_reference, ..signed_by(&key) };
        lines(&judge(APP, &entry, Shelf::of(&image("good")).registry())).remove(0)
    };
    assert!(command(SignedReference::Repository).ends_with("--key cosign.key --format legacy"));
    assert!(command(SignedReference::Any).ends_with("--key cosign.key"));
}

/// Keyless rules are told whose signature it takes; a regular expression says that it is about all of the text.
#[test]
fn a_keyless_rule_is_told_to_sign_with_an_identity() {
    let keyless = common::policy::Keyless {
        subjects: vec![Matcher::regex("https://github.com/acme/.*").unwrap()],
        issuers: vec![Matcher::exact("https://token.actions.githubusercontent.com").unwrap()],
        extensions: std::collections::BTreeMap::default(),
        roots: None,
        log: LogOptions::default(),
    };
    let demanded = entry(Some(requirement(
        common::policy::Authority::Keyless(Box::new(keyless)),
        LogOptions::default(),
    )));
    let good = image("good");
    let root = super::root(std::path::Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/provenance-required/trusted-root.json"
    )));
    let decision =
        judge_with(APP, &demanded, Shelf::of(&good).registry(), Some(root), &common::cache::Facts::default());
    expect(&decision, Outcome::Fail, "signature-missing");
    let line = lines(&decision).remove(0);
    let token = "--identity-token FILE   # a token of /https://github.com/acme/.*/ (the whole text must match), by the \
                 issuer https://token.actions.githubusercontent.com";
    assert!(line.ends_with(token), "{line}");
}
