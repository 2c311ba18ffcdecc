//! Attestations: whose, of what, and what they must say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::key::PrivateKey;
use common::policy::Policy;
use common::signature::make::statement;
use common::verdict::{Decision, Outcome, RegistryProblem};
use serde_json::{Value, json};

use super::shelf::*;

const SCAN: &str = "https://example.com/scan/v1";

/// Demands a scan without findings by a key; further fields of the attestation and of the entry.
fn scanned(key: &PrivateKey, more: &Value, beside: &Value) -> Policy {
    let mut attestation = json!({"type": SCAN, "attestors": attestors(&[key]),
        "conditions": [{"all": [{"key": "{{ failed }}", "operator": "Equals", "value": 0}]}]});
    for (field, value) in more.as_object().unwrap() {
        attestation[field] = value.clone();
    }
    let mut entry =
        json!({"imageReferences": ["*"], "failureAction": "Enforce", "attestations": [attestation]});
    for (field, value) in beside.as_object().unwrap() {
        entry[field] = value.clone();
    }
    policy("p", &entries(&[entry]))
}

fn scan(failed: impl Into<Value>) -> Value {
    statement("app", &image("good").digest, SCAN, &json!({"failed": failed.into()}))
}

fn shelf() -> Shelf {
    Shelf::of(&image("good"))
}

/// With the statements in cosign's first format.
fn with(layers: &[Layer]) -> Shelf {
    shelf().attested(&image("good"), layers)
}

fn judge(policy: &Policy, shelf: Shelf) -> Decision {
    review_one(&pod(&[APP]), policy, shelf.registry())
}

#[test]
fn a25_only_a_statement_of_the_type_about_the_image_counts() {
    let (key, stranger, good) = (key(), key(), image("good"));
    let demanded = scanned(&key, &json!({}), &json!({}));
    passes(&judge(&demanded, with(&[Layer::envelope(&key, &scan(0))])));
    passes(&judge(&demanded, shelf().bundled(&good, &Layer::bundle(&key, &scan(0)))));
    let other = image("evil").digest;
    let about_other = statement("app", &other, SCAN, &json!({"failed": 0}));
    let other_type = statement("app", &good.digest, "https://example.com/scan/v2", &json!({"failed": 0}));
    let mut nothing = scan(0);
    nothing["subject"] = json!([]);
    let mut unnamed = scan(0);
    unnamed["subject"] = json!([{"name": "app"}]);
    let mut foreign = scan(0);
    foreign["subject"] = json!([{"digest": {"gitCommit": good.digest.hex()}}]);
    let mut kind = scan(0);
    kind["_type"] = json!("https://in-toto.io/Statement/v9");
    let rows = [
        ("another type", other_type, "attestation-missing"),
        ("no subject", nothing, "attestation-missing"),
        ("not a statement", kind, "attestation-missing"),
        ("an array", json!([1]), "attestation-missing"),
        ("another image", about_other, "digest-mismatch"),
        ("a subject without digest", unnamed, "digest-mismatch"),
        ("a subject of another kind", foreign, "digest-mismatch"),
    ];
    for (what, said, code) in rows {
        for shelf in
            [with(&[Layer::envelope(&key, &said)]), shelf().bundled(&good, &Layer::bundle(&key, &said))]
        {
            let decision = judge(&demanded, shelf);
            assert_eq!((decision.outcome(), decision.headline().code()), (Outcome::Fail, code), "{what}");
        }
    }
    let by_stranger = with(&[Layer::envelope(&stranger, &scan(0))]);
    expect(&judge(&demanded, by_stranger), Outcome::Fail, "signature-invalid");
    expect(&judge(&demanded, shelf()), Outcome::Fail, "attestation-missing");
}

#[test]
fn a25_one_statement_about_several_images() {
    let (key, good) = (key(), image("good"));
    let mut both = scan(0);
    let other = json!({"name": "other", "digest": {"sha256": "0".repeat(64)}});
    both["subject"].as_array_mut().unwrap().insert(0, other.clone());
    let demanded = scanned(&key, &json!({}), &json!({}));
    passes(&judge(&demanded, with(&[Layer::envelope(&key, &both)])));
    both["subject"] = json!([other, {"digest": {"sha256": good.digest.hex()}}, {"digest": {"sha256": "x"}}]);
    let unreadable = with(&[Layer::envelope(&key, &both)]);
    expect(&judge(&demanded, unreadable), Outcome::Fail, "attestation-missing");
}

#[test]
fn a25_conditions_that_cannot_be_decided_never_pass() {
    let key = key();
    let demanded = scanned(&key, &json!({}), &json!({}));
    let rows = [(json!(1), Outcome::Fail), (json!("many"), Outcome::Fail), (json!(null), Outcome::Fail)];
    for (failed, outcome) in rows {
        let decision = judge(&demanded, with(&[Layer::envelope(&key, &scan(failed.clone()))]));
        assert_eq!(decision.outcome(), outcome, "{failed}: {}", decision.headline());
        assert_eq!(decision.headline().code(), "condition-failed", "{failed}");
    }
    let empty = statement("app", &image("good").digest, SCAN, &json!({}));
    let none = statement("app", &image("good").digest, SCAN, &Value::Null);
    for said in [empty, none] {
        let decision = judge(&demanded, with(&[Layer::envelope(&key, &said)]));
        expect(&decision, Outcome::Fail, "condition-failed");
        let told = decision.headline().to_string();
        assert!(told.ends_with("there is no `failed`, expected Equals 0"), "{told}");
    }
}

/// Attack: a statement that does not say what is asked, where the policy lets in what cannot be decided. It was
/// read, and does not keep to the conditions.
#[test]
fn a25_a_statement_that_gives_a_condition_no_answer_is_refused() {
    let key = key();
    let asked = |condition: Value| scanned(&key, &json!({"conditions": [{"all": [condition]}]}), &json!({}));
    for (condition, failed) in [
        // A wrong type, a bad time, what is not there behind a condition that would hold without it.
        (json!({"key": "{{ length(failed) }}", "operator": "NotEquals", "value": "x"}), json!(0)),
        (
            json!({"key": "{{ time_since('', failed, '') }}", "operator": "LessThan", "value": "1h"}),
            json!("soon"),
        ),
        (json!({"key": "{{ failed }}", "operator": "LessThan", "value": 3}), json!("many")),
        (json!({"key": "{{ failed.high }}", "operator": "NotEquals", "value": 3}), json!({"low": 1})),
        (json!({"key": "{{ failed }}", "operator": "AllNotIn", "value": ["x"]}), json!(null)),
    ] {
        let decision = judge(&asked(condition.clone()), with(&[Layer::envelope(&key, &scan(failed))]));
        expect(&decision, Outcome::Fail, "condition-failed");
    }
    // What no statement can help stays a fault: nobody has read it.
    let condition = json!({"key": "{{ serviceAccountName }}", "operator": "Equals", "value": "x"});
    let decision = judge(&asked(condition), with(&[Layer::envelope(&key, &scan(0))]));
    expect(&decision, Outcome::Fault, "variable-unresolved");
}

/// One condition per refusal would mean one build per condition. Of `any`, each alternative is said.
#[test]
fn every_condition_that_is_not_kept_is_said() {
    let key = key();
    let asked = |name: &str, value: Value| json!({"key": format!("{{{{ {name} }}}}"), "operator": "Equals", "value": value});
    let conditions = json!([
        {"all": [asked("failed", json!(0)), asked("passed", json!(true)), asked("absent", json!(1))]},
        {"any": [asked("grade", json!("A")), asked("grade", json!("B"))]},
    ]);
    let demanded = scanned(&key, &json!({"conditions": conditions}), &json!({}));
    let by = |predicate: &Value| {
        with(&[Layer::envelope(&key, &statement("app", &image("good").digest, SCAN, predicate))])
    };
    let decision = judge(&demanded, by(&json!({"failed": 4, "passed": true, "grade": "F"})));
    expect(&decision, Outcome::Fail, "condition-failed");
    let mut said: Vec<_> = decision.problems().iter().map(|problem| problem.reason.to_string()).collect();
    said.sort();
    let ends = [
        "conditions[0].all[0]: 4, expected Equals 0",
        "conditions[0].all[2]: there is no `absent`, expected Equals 1",
        "conditions[1].any: F, expected Equals A, or Equals B",
    ];
    assert_eq!(said.len(), ends.len(), "{said:?}");
    for (said, end) in said.iter().zip(ends) {
        assert!(said.ends_with(end), "{said}");
    }
    let two = judge(&demanded, by(&json!({"failed": 4, "passed": true, "grade": "B"})));
    assert_eq!(two.problems().len(), 2);
    // One that is wrong is said as it is, and of `any` one that holds is enough.
    let one = judge(&demanded, by(&json!({"failed": 4, "passed": true, "absent": 1, "grade": "B"})));
    assert_eq!(one.problems().len(), 1);
    passes(&judge(&demanded, by(&json!({"failed": 0, "passed": true, "absent": 1, "grade": "A"}))));
}

/// A condition that certainly refuses is not made uncertain by one that nobody can answer.
#[test]
fn a_certain_refusal_wins_over_what_nobody_can_say() {
    let key = key();
    let fault = json!({"all": [{"key": "{{ serviceAccountName }}", "operator": "Equals", "value": "x"}]});
    let refusal = json!({"all": [{"key": "{{ failed }}", "operator": "Equals", "value": 1}]});
    for conditions in [json!([fault, refusal]), json!([refusal, fault])] {
        let demanded = scanned(&key, &json!({"conditions": conditions}), &json!({}));
        let decision = judge(&demanded, with(&[Layer::envelope(&key, &scan(0))]));
        expect(&decision, Outcome::Fail, "condition-failed");
    }
    // The refusal does not list the unresolved variable as a failed condition.
    let all = json!([{"all": [fault["all"][0], refusal["all"][0]]}]);
    let demanded = scanned(&key, &json!({"conditions": all}), &json!({}));
    let decision = judge(&demanded, with(&[Layer::envelope(&key, &scan(0))]));
    expect(&decision, Outcome::Fail, "condition-failed");
    assert_eq!(decision.problems().len(), 1);
}

#[test]
fn a26_garbage_beside_an_image_is_neither_statement_nor_fault() {
    let (key, good) = (key(), image("good"));
    let demanded = scanned(&key, &json!({}), &json!({}));
    let envelope = json_bundle(&key, &scan(0))["dsseEnvelope"].clone();
    let changed = |field: &str, value: Value| {
        let mut changed = envelope.clone();
        changed[field] = value;
        Layer::raw_envelope(&changed)
    };
    let twice = json!([envelope["signatures"][0], envelope["signatures"][0]]);
    let garbage = [
        Layer::raw_envelope(&json!("garbage")),
        Layer::raw_envelope(&json!({"payload": "!", "payloadType": 1, "signatures": {}})),
        changed("payloadType", json!("application/json")),
        changed("payload", json!("e30=")),
        changed("signatures", json!([])),
        changed("signatures", twice),
        Layer::of(BUNDLE, b"{".to_vec()),
        Layer::of(BUNDLE, vec![0xff; 100]),
    ];
    for layer in &garbage {
        let listed = |shelf: Shelf| shelf.referrer(REPOSITORY, &good, "application/vnd.in-toto+json", layer);
        expect(&judge(&demanded, listed(shelf())), Outcome::Fail, "attestation-missing");
        passes(&judge(&demanded, listed(with(&[Layer::envelope(&key, &scan(0))]))));
        passes(&judge(&demanded, with(&[layer.clone(), Layer::envelope(&key, &scan(0))])));
    }
}

/// Signed by the right key as another type: the type is part of what is signed.
#[test]
fn a26_a_payload_type_that_was_not_signed() {
    let key = key();
    let envelope = &json_bundle(&key, &scan(0))["dsseEnvelope"];
    let payload = envelope["payload"].clone();
    let bytes = STANDARD.decode(payload.as_str().unwrap()).unwrap();
    let as_text = format!("DSSEv1 10 text/plain {} ", bytes.len());
    let signature = key.sign(&[as_text.as_bytes(), &bytes].concat()).unwrap();
    let signature = STANDARD.encode(signature);
    let forged = json!({"payload": payload, "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"sig": signature}]});
    let demanded = scanned(&key, &json!({}), &json!({}));
    expect(&judge(&demanded, with(&[Layer::raw_envelope(&forged)])), Outcome::Fail, "signature-invalid");
}

#[test]
fn a_good_statement_does_not_stand_in_front_of_a_bad_one() {
    let (key, stranger, good) = (key(), key(), image("good"));
    let demanded = scanned(&key, &json!({}), &json!({}));
    let by = |key, failed: i32| Layer::envelope(key, &scan(failed));
    for layers in [[by(&key, 0), by(&key, 1)], [by(&key, 1), by(&key, 0)]] {
        expect(&judge(&demanded, with(&layers)), Outcome::Fail, "condition-failed");
    }
    let apart = with(&[by(&key, 0)]).bundled(&good, &Layer::bundle(&key, &scan(1)));
    expect(&judge(&demanded, apart), Outcome::Fail, "condition-failed");
    passes(&judge(&demanded, with(&[by(&key, 0), by(&key, 0)])));
    // Who is not trusted can neither refuse nor repair.
    passes(&judge(&demanded, with(&[by(&stranger, 1), by(&key, 0)])));
    expect(&judge(&demanded, with(&[by(&key, 1), by(&stranger, 0)])), Outcome::Fail, "condition-failed");
}

#[test]
fn a_place_that_gives_no_answer_may_hold_a_bad_statement() {
    let (key, good) = (key(), image("good"));
    let demanded = scanned(&key, &json!({}), &json!({}));
    let good_one = || with(&[Layer::envelope(&key, &scan(0))]);
    for step in ["referrers ", "manifest ghcr.io/acme/app@"] {
        let shelf = good_one().bundled(&good, &Layer::bundle(&key, &scan(1)));
        let hiding = failing(shelf, step, RegistryProblem::Status(503));
        let decision = review_one(&pod(&[APP]), &demanded, hiding);
        expect(&decision, Outcome::Fault, "registry-unreachable");
        assert!(decision.pins.is_empty());
    }
}

/// What a place without an answer may hold is not "not there" for a condition that refuses either.
#[test]
fn a_place_that_gives_no_answer_is_no_refusal_by_a_condition() {
    let key = key();
    let deny = json!({"deny": {"conditions": {"any": [
        {"key": "{{ scan.failed }}", "operator": "GreaterThan", "value": 3}]}}});
    let demanded = scanned(&key, &json!({"name": "scan", "conditions": []}), &json!({"validate": deny}));
    passes(&judge(&demanded, with(&[Layer::envelope(&key, &scan(0))])));
    let hiding = failing(shelf(), "referrers ", RegistryProblem::Status(503));
    let decision = review_one(&pod(&[APP]), &demanded, hiding);
    expect(&decision, Outcome::Fault, "registry-unreachable");
    // A name that stands for nothing is a fault, beside whatever the statement says.
    let unknown = json!({"deny": {"conditions": {"any": [
        {"key": "{{ nothing.name }}", "operator": "Equals", "value": "x"}]}}});
    let undecided = scanned(&key, &json!({"name": "scan", "conditions": []}), &json!({"validate": unknown}));
    let decision = judge(&undecided, with(&[Layer::envelope(&key, &scan(0))]));
    expect(&decision, Outcome::Fail, "condition-failed");
}

/// What the request says, and which image it is about, can be asked of a statement.
#[test]
fn conditions_see_the_request_beside_what_is_attested() {
    let key = key();
    let by = |failed: Value| with(&[Layer::envelope(&key, &scan(failed))]);
    let asks = |key_of: &str, value: &str| {
        let condition = json!({"key": key_of, "operator": "Equals", "value": value});
        scanned(&key, &json!({"conditions": [{"all": [condition]}]}), &json!({}))
    };
    passes(&judge(&asks("{{ request.operation }}", "CREATE"), by(json!(0))));
    passes(&judge(&asks("{{ image.registry }}", "ghcr.io"), by(json!(0))));
    let other = judge(&asks("{{ request.operation }}", "UPDATE"), by(json!(0)));
    expect(&other, Outcome::Fail, "condition-failed");
    let deny = |operation: &str| {
        let rule = json!({"deny": {"conditions": {"all": [
            {"key": "{{ scan.failed }}", "operator": "GreaterThan", "value": 3},
            {"key": "{{ request.operation }}", "operator": "Equals", "value": operation}]}}});
        scanned(&key, &json!({"name": "scan", "conditions": []}), &json!({"validate": rule}))
    };
    expect(&judge(&deny("CREATE"), by(json!(4))), Outcome::Fail, "condition-failed");
    passes(&judge(&deny("UPDATE"), by(json!(4))));
}

#[test]
fn every_attestation_and_the_signature_are_demanded() {
    let (signer, scanner, good) = (key(), key(), image("good"));
    let both = scanned(&scanner, &json!({}), &json!({"attestors": attestors(&[&signer])}));
    let signature = [Layer::signature(&signer, REPOSITORY, &good.digest)];
    let scans = [Layer::envelope(&scanner, &scan(0))];
    passes(&judge(&both, with(&scans).signed(&good, &signature)));
    expect(&judge(&both, with(&scans)), Outcome::Fail, "signature-missing");
    expect(&judge(&both, shelf().signed(&good, &signature)), Outcome::Fail, "attestation-missing");
    let swapped = [Layer::envelope(&signer, &scan(0))];
    expect(&judge(&both, with(&swapped).signed(&good, &signature)), Outcome::Fail, "signature-invalid");
}

#[test]
fn a_set_of_conditions_over_all_statements_refuses() {
    let key = key();
    let named = |more: &Value| {
        let deny = json!({"message": "too many: {{ scan.failed }}", "deny": {"conditions": {"any": [
            {"key": "{{ scan.failed }}", "operator": "GreaterThan", "value": 3}]}}});
        let mut attestation = json!({"name": "scan", "conditions": []});
        for (field, value) in more.as_object().unwrap() {
            attestation[field] = value.clone();
        }
        scanned(&key, &attestation, &json!({"validate": deny}))
    };
    let demanded = named(&json!({}));
    let by = |failed: Value| Layer::envelope(&key, &scan(failed));
    passes(&judge(&demanded, with(&[by(json!(3))])));
    let refused = judge(&demanded, with(&[by(json!(4))]));
    expect(&refused, Outcome::Fail, "condition-failed");
    assert!(refused.headline().to_string().contains("too many: 4"), "{}", refused.headline());
    // One of several that is refused is enough.
    expect(&judge(&demanded, with(&[by(json!(0)), by(json!(4))])), Outcome::Fail, "condition-failed");
    expect(&judge(&demanded, with(&[by(json!(4)), by(json!(0))])), Outcome::Fail, "condition-failed");
    // A name that stands for no attestation of the entry.
    let unknown = named(&json!({"name": "other"}));
    expect(&judge(&unknown, with(&[by(json!(0))])), Outcome::Fail, "condition-failed");
    // What cannot be compared with 3, or is not there, is refused; 3 findings are not.
    for unsaid in [json!("many"), json!(null), json!({"high": 1})] {
        let refused = judge(&demanded, with(&[by(unsaid.clone())]));
        expect(&refused, Outcome::Fail, "condition-failed");
        assert!(refused.headline().to_string().contains("too many"), "{unsaid}");
    }
    let silent = statement("app", &image("good").digest, SCAN, &json!({}));
    expect(&judge(&demanded, with(&[Layer::envelope(&key, &silent)])), Outcome::Fail, "condition-failed");
    expect(&judge(&demanded, shelf()), Outcome::Fail, "attestation-missing");
    let many: Vec<_> = (0..60).map(|index| by(json!(f64::from(index) / 100.0))).collect();
    passes(&judge(&demanded, with(&many)));
}
