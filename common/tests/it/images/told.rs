//! What a decision about an image tells beside its outcome: the tree of checks, and what was signed.

use common::signature::make::statement;
use common::verdict::{Check, Outcome, RegistryProblem, Said};
use serde_json::json;

use super::shelf::*;

const SLSA: &str = "https://slsa.dev/provenance/v1";
const ENTRY: &str = "spec.rules[0].verifyImages[0]";

/// The checks of an image by name, path and outcome.
fn parts(check: &Check) -> Vec<(String, String, Outcome)> {
    let mut parts = Vec::new();
    check.walk(&mut |check| {
        let path = check.path.as_ref().map(ToString::to_string).unwrap_or_default();
        parts.push((check.what.to_string(), path, check.outcome));
    });
    parts
}

/// Each demand is a check of that name at the path of the policy, also where a place that did not answer leaves it
/// undecided; what was found until then stands below it.
#[test]
fn every_demand_is_named_at_its_place() {
    let (key, good) = (key(), image("good"));
    let attestations = json!({"attestations": [{"type": SLSA, "attestors": attestors(&[&key])}]});
    let policy = policy("p", &entries(&[demand(&attestors(&[&key]), &attestations)]));
    let attestation = format!("attestation {SLSA}");
    let named = [
        ("signature".to_owned(), format!("{ENTRY}.attestors[0].entries[0].keys")),
        (attestation, format!("{ENTRY}.attestations[0]")),
    ];
    let unsigned = review_one(&pod(&[APP]), &policy, Shelf::of(&good).registry());
    let unseen = failing(Shelf::of(&good), "referrers", RegistryProblem::Status(500));
    let unseen = review_one(&pod(&[APP]), &policy, unseen);
    for (decision, outcome) in [(&unsigned, Outcome::Fail), (&unseen, Outcome::Fault)] {
        let parts = parts(&decision.check);
        for (what, path) in &named {
            let part = (what.clone(), path.clone(), outcome);
            assert!(parts.contains(&part), "{part:?} is not among {parts:#?}");
        }
    }
    let below = parts(&unseen.check);
    assert!(
        below.iter().any(|(what, _, outcome)| what == "registry" && *outcome == Outcome::Fault),
        "{below:#?}"
    );
}

/// What accepted signatures and attestations say is handed on, and nothing that others signed.
#[test]
fn what_was_accepted_is_handed_on() {
    let (ours, other, good) = (key(), key(), image("good"));
    let said = |key| Layer::envelope(key, &statement(REPOSITORY, &good.digest, SLSA, &json!({"by": "us"})));
    let shelf = Shelf::of(&good)
        .signed(&good, &[&other, &ours].map(|key| Layer::signature(key, REPOSITORY, &good.digest)))
        .attested(&good, &[said(&ours), said(&other)]);
    let attestations = json!({"attestations": [{"type": SLSA, "attestors": attestors(&[&ours])}]});
    let policy = policy("p", &entries(&[demand(&attestors(&[&ours]), &attestations)]));
    let decision = review_one(&pod(&[APP]), &policy, shelf.registry());
    passes(&decision);
    let said: Vec<_> =
        decision.payloads.iter().map(|payload| (&payload.said, payload.found.as_str())).collect();
    let [
        (Said::Image { digest, reference, .. }, signature),
        (Said::Statement { predicate_type, predicate }, attestation),
    ] = &said[..]
    else {
        panic!("{said:?}")
    };
    assert_eq!((digest, reference.as_str()), (&good.digest.to_string(), REPOSITORY));
    assert_eq!((predicate_type.as_str(), &**predicate), (SLSA, &json!({"by": "us"})));
    assert!(signature.ends_with(".sig#1") && attestation.ends_with(".att#0"), "{said:?}");
}
