//! Statements that their signers have made again.

use common::key::PrivateKey;
use common::policy::Policy;
use common::signature::make::statement;
use common::verdict::Outcome;
use serde_json::{Value, json};

use super::shelf::*;

const SCAN: &str = "https://example.com/scan/v1";

/// Demands a scan without findings by any of the keys, or without attestors by nobody in particular.
fn policy(keys: &[&PrivateKey], newest_by: Option<&str>) -> Policy {
    let attestor = |key: &&PrivateKey| attestor(key);
    let mut attestation = json!({"type": SCAN,
        "conditions": [{"all": [{"key": "{{ failed }}", "operator": "Equals", "value": 0}]}]});
    if !keys.is_empty() {
        attestation["attestors"] =
            json!([{"count": 1, "entries": keys.iter().map(attestor).collect::<Vec<_>>()}]);
    }
    let entry = json!({"imageReferences": ["*"], "failureAction": "Enforce", "attestations": [attestation]});
    let mut metadata = json!({"name": "p", "annotations": {}});
    if let Some(by) = newest_by {
        metadata["annotations"]["kubectl-trust.io/newest-by"] = json!(by);
    }
    annotated(&metadata, &entries(&[entry])).unwrap()
}

fn scan(key: &PrivateKey, failed: u32, finished: &Value) -> Layer {
    let predicate = json!({"failed": failed, "metadata": {"finished": finished}});
    Layer::envelope(key, &statement("app", &image("good").digest, SCAN, &predicate))
}

#[track_caller]
fn judged(policy: &Policy, layers: &[Layer], outcome: Outcome) {
    let shelf = Shelf::of(&image("good")).attested(&image("good"), layers);
    let decision = review_one(&pod(&[APP]), policy, shelf.registry());
    assert_eq!(decision.outcome(), outcome, "{}\n{:#?}", decision.headline(), decision.check);
}

const BY: Option<&str> = Some("metadata.finished");

#[test]
fn the_newest_scan_of_a_signer_decides_where_the_policy_says_so() {
    let (key, other, stranger) = (key(), key(), key());
    let (old, new) = (&json!("2026-11-01T08:00:00Z"), &json!("2026-11-24T08:00:00+01:00"));
    let one = policy(&[&key], BY);
    let again = [scan(&key, 3, old), scan(&key, 0, new)];
    judged(&one, &again, Outcome::Pass);
    judged(&policy(&[&key], None), &again, Outcome::Fail);
    judged(&one, &[scan(&key, 0, new), scan(&key, 3, old)], Outcome::Pass);
    judged(&policy(&[&key], Some("metadata.other")), &again, Outcome::Fail);
    // Attack: an old good scan beside the new one.
    judged(&one, &[scan(&key, 0, old), scan(&key, 3, new)], Outcome::Fail);
    judged(&one, &[scan(&key, 3, new), scan(&key, 0, new)], Outcome::Fail);
    // What says no time is never superseded, and supersedes nothing.
    for undated in [json!(null), json!("yesterday"), json!(20_261_125), json!(["2027-01-01T00:00:00Z"])] {
        judged(&one, &[scan(&key, 3, &undated), scan(&key, 0, new)], Outcome::Fail);
        judged(&one, &[scan(&key, 0, &undated), scan(&key, 3, old)], Outcome::Fail);
    }
    // Nobody supersedes what another signer says.
    let both = policy(&[&key, &other], BY);
    judged(&both, &[scan(&key, 3, old), scan(&other, 0, new)], Outcome::Fail);
    judged(&one, &[scan(&key, 3, old), scan(&stranger, 0, new)], Outcome::Fail);
}

/// Attack: without attestors everybody is believed, and anybody could say that it is newer.
#[test]
fn without_signers_nothing_is_superseded() {
    let (key, stranger) = (key(), key());
    let (old, new) = (&json!("2026-11-01T08:00:00Z"), &json!("2026-11-24T08:00:00Z"));
    judged(&policy(&[], BY), &[scan(&key, 3, old), scan(&stranger, 0, new)], Outcome::Fail);
}

#[test]
fn an_expression_that_is_none_is_refused_with_the_policy() {
    for text in ["", "metadata..finished", "{{ metadata.finished }}", "nonsense(@)"] {
        let metadata = json!({"name": "p", "annotations": {"kubectl-trust.io/newest-by": text}});
        let entry = json!({"imageReferences": ["*"], "failureAction": "Enforce", "attestations": []});
        let error = annotated(&metadata, &entries(&[entry])).unwrap_err();
        assert!(error.contains("kubectl-trust.io/newest-by"), "{text}: {error}");
    }
}

/// A signed manifest may gain the digest of an image that was found good. Attack: found good by a statement that
/// anybody can make.
#[test]
fn good_for_a_manifest_is_what_somebody_named_has_signed() {
    let (key, stranger) = (key(), key());
    let good = image("good");
    let pinned = pod(&[&format!("{APP}@{}", good.digest)]);
    let places = |policy: &Policy, by: &PrivateKey| {
        let shelf = Shelf::of(&good).attested(&good, &[scan(by, 0, &json!(null))]);
        let decision = review_one(&pinned, policy, shelf.registry());
        assert_eq!(decision.outcome(), Outcome::Pass, "{:#?}", decision.check);
        decision.verified.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(places(&policy(&[&key], None), &key), ["spec.containers[0].image"]);
    assert_eq!(places(&policy(&[], None), &stranger), [""; 0]);
}
