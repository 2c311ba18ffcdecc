//! Conditions over all statements of an image, under which it is refused.

use common::key::PrivateKey;
use common::limits;
use common::object::FieldPath;
use common::policy::condition::ContextSource;
use common::policy::{Body, ContextEntry, Policy};
use common::signature::make::statement;
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use super::shelf::*;

const SCAN: &str = "https://example.com/scan/v1";
const LINT: &str = "https://example.com/lint/v1";

/// A policy that refuses under these conditions over the statements `scan` and `lint`.
fn refusing(key: &PrivateKey, conditions: &Value) -> Policy {
    let attestation = |name: &str, predicate_type: &str| json!({"name": name, "type": predicate_type, "attestors": attestors(&[key])});
    policy(
        "p",
        &json!([{"imageReferences": ["*"], "failureAction": "Enforce",
        "attestations": [attestation("scan", SCAN), attestation("lint", LINT)],
        "validate": {"deny": {"conditions": conditions}}}])
        .to_string(),
    )
}

fn compared(name: &str, operator: &str, value: i64) -> Value {
    json!({"key": format!("{{{{ {name} }}}}"), "operator": operator, "value": value})
}

/// The usual image with statements of both types, each of which says a number.
fn saying(key: &PrivateKey, scans: &[i64], lints: &[i64]) -> Shelf {
    let good = image("good");
    let layer = |predicate_type: &str, failed: i64| {
        Layer::envelope(key, &statement("app", &good.digest, predicate_type, &json!({"failed": failed})))
    };
    let scans = scans.iter().map(|failed| layer(SCAN, *failed));
    let layers: Vec<_> = scans.chain(lints.iter().map(|failed| layer(LINT, *failed))).collect();
    Shelf::of(&good).attested(&good, &layers)
}

fn judged(policy: &Policy, shelf: Shelf) -> Decision {
    review_one(&pod(&[APP]), policy, shelf.registry())
}

/// Attack: two statements of a name, of which only one together with one of two others is refused.
#[test]
fn every_combination_of_statements_is_tried() {
    let key = key();
    for (scan, lint) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let both = [compared("scan.failed", "Equals", scan), compared("lint.failed", "Equals", lint)];
        let decision = judged(&refusing(&key, &json!({"all": both})), saying(&key, &[0, 1], &[0, 1]));
        expect(&decision, Outcome::Fail, "condition-failed");
        let without = judged(&refusing(&key, &json!({"all": both})), saying(&key, &[1 - scan], &[0, 1]));
        passes(&without);
    }
}

/// Attack: so many statements that trying them takes for ever.
#[test]
fn combinations_are_bounded() {
    let key = key();
    let policy = refusing(&key, &json!({"any": [compared("scan.failed", "GreaterThan", 1_000)]}));
    let numbers: Vec<i64> = (0..32).collect();
    let lints = limits::ATTESTATION_COMBINATIONS / 32;
    passes(&judged(&policy, saying(&key, &numbers, &numbers[..lints])));
    let more = judged(&policy, saying(&key, &numbers, &numbers[..=lints]));
    expect(&more, Outcome::Fault, "too-much-evidence");
}

/// Conditions that certainly hold are told as that; where what was not said decides, it is told what that was.
#[test]
fn what_decided_is_told() {
    let key = key();
    let any = json!({"any": [compared("scan.absent", "GreaterThan", 3), compared("scan.failed", "GreaterThan", 3)]});
    let told = |failed| {
        let decision = judged(&refusing(&key, &any), saying(&key, &[failed], &[0]));
        expect(&decision, Outcome::Fail, "condition-failed");
        (decision.headline().expected().unwrap(), decision.headline().found().unwrap())
    };
    assert_eq!(told(4), ("not to hold".to_owned(), "holds".to_owned()));
    let (expected, found) = told(0);
    assert_eq!(expected, "not GreaterThan 3");
    assert!(found.contains("absent"), "{found}");
}

/// A name that the rule's context defines does not come from the statement: an unresolved one is a fault.
#[test]
fn what_the_rule_gives_is_not_held_against_a_statement() {
    let key = key();
    let mut policy = refusing(&key, &json!({"any": [compared("settings.mode", "Equals", 1)]}));
    expect(&judged(&policy, saying(&key, &[0], &[0])), Outcome::Fail, "condition-failed");
    let source = ContextSource::External { what: "configMap".to_owned() };
    let settings = ContextEntry { name: "settings".to_owned(), path: FieldPath::root(), source };
    policy.rules[0].context = vec![settings];
    let Body::Images(rule) = &mut policy.rules[0].body else { unreachable!() };
    rule.entries[0].context = vec!["settings".to_owned()];
    expect(&judged(&policy, saying(&key, &[0], &[0])), Outcome::Fault, "variable-unresolved");
}
