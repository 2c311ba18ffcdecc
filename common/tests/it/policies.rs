//! Objects judged by whole policies: what the rules of `dialect` and `select` come to.

use std::collections::BTreeMap;

use common::cache::Facts;
use common::dialect::{Compiled, compile};
use common::evaluate::{Context, Rules, Task, by_policies};
use common::key::{Password, PrivateKey};
use common::manifest::DEFAULT_DOMAIN;
use common::manifest::message::Form;
use common::manifest::sign::{Earlier, Options, sign};
use common::object::{ObjectRef, Origin};
use common::policy::{Policy, ReviewFacts, RuleValues, Values};
use common::sources::Offline;
use common::verdict::{Decision, Outcome, Subject, SubjectKind};
use serde_json::{Value, json};

use crate::judge::{Demand, now};

fn key() -> PrivateKey {
    PrivateKey::generate(&Password::new("")).unwrap().0
}

fn options() -> Options<'static> {
    Options {
        domain: DEFAULT_DOMAIN,
        form: Form::Plain,
        earlier: Earlier::Replace,
        whole: false,
        annotations: &[],
    }
}

fn config(mode: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", "namespace": "prod"}, "data": {"mode": mode}})
}

fn signed(keys: &[&PrivateKey]) -> Value {
    let mut documents = vec![config("safe")];
    for (index, key) in keys.iter().enumerate() {
        let earlier = if index == 0 { Earlier::Replace } else { Earlier::Append };
        documents = sign(documents, key, &Options { earlier, ..options() }).unwrap();
    }
    documents.remove(0)
}

/// A policy with one rule whose `manifests` block and further rule fields are given.
fn policy(manifests: &Value, more: &Value) -> Policy {
    let mut rule = json!({"name": "signed", "match": {"any": [{"resources": {"kinds": ["ConfigMap"]}}]},
        "validate": {"failureAction": "Enforce", "manifests": manifests}});
    for (field, value) in more.as_object().unwrap() {
        rule[field] = value.clone();
    }
    let document = json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "p"}, "spec": {"rules": [rule]}});
    match compile(&document).unwrap() {
        Compiled::Policy(policy) => policy,
        other @ (Compiled::Exception(_) | Compiled::TrustRoot(_)) => panic!("{other:?}"),
    }
}

fn judge(object: &Value, policy: &Policy, values: &Values) -> Decision {
    let subject =
        Subject { kind: SubjectKind::Manifest, source: "x#0".to_owned(), object: ObjectRef::of(object) };
    let task = Task { subject: subject.into(), facts: ReviewFacts::of(object), origin: Origin::File };
    let values = &RuleValues::from(values.clone());
    let rules = Rules { policies: std::slice::from_ref(policy), exceptions: &[], values, background: false };
    let context = Context { sources: &Offline::default(), known: &Facts::default(), now: now() };
    let mut decisions = futures::executor::block_on(by_policies(&task, rules, context));
    assert_eq!(decisions.len(), 1, "one rule, one decision");
    decisions.remove(0)
}

fn entries(keys: &[&PrivateKey]) -> Vec<Value> {
    keys.iter().map(|key| json!({"keys": {"publicKeys": key.public().to_pem()}})).collect()
}

fn expect(decision: &Decision, outcome: Outcome, code: &str) {
    assert_eq!((decision.outcome(), decision.headline().code()), (outcome, code), "{}", decision.headline());
}

#[test]
fn a_threshold_is_met_by_different_signers() {
    let (a, b, c) = (key(), key(), key());
    let two_of_three =
        policy(&json!({"attestors": [{"count": 2, "entries": entries(&[&a, &b, &c])}]}), &json!({}));
    let none = BTreeMap::new();
    expect(&judge(&signed(&[&a, &c]), &two_of_three, &none), Outcome::Pass, "threshold-met");
    expect(&judge(&signed(&[&a]), &two_of_three, &none), Outcome::Fail, "threshold-not-met");
    expect(&judge(&signed(&[&a, &a]), &two_of_three, &none), Outcome::Fail, "threshold-not-met");
    expect(&judge(&signed(&[&key()]), &two_of_three, &none), Outcome::Fail, "signature-invalid");
    expect(&judge(&config("safe"), &two_of_three, &none), Outcome::Fail, "signature-missing");
}

/// No compiler lets such a rule through; should one ever, it refuses.
#[test]
fn a_set_that_asks_for_more_than_it_has_never_passes() {
    let a = key();
    let decision = Demand::keys(2, &[&a.public().to_pem()]).judge(&signed(&[&a]));
    expect(&decision, Outcome::Fail, "threshold-not-met");
}

#[test]
fn sets_are_anded_and_nested_sets_count_as_one_entry() {
    let (a, b, c) = (key(), key(), key());
    let nested = json!({"attestor": {"count": 1, "entries": entries(&[&b, &c])}});
    let both =
        policy(&json!({"attestors": [{"entries": entries(&[&a])}, {"entries": [nested]}]}), &json!({}));
    let none = BTreeMap::new();
    expect(&judge(&signed(&[&a, &c]), &both, &none), Outcome::Pass, "threshold-met");
    assert_eq!(judge(&signed(&[&a]), &both, &none).outcome(), Outcome::Fail);
    assert_eq!(judge(&signed(&[&c]), &both, &none).outcome(), Outcome::Fail);
}

#[test]
fn a_key_may_come_from_a_variable_and_a_missing_one_is_a_fault() {
    let a = key();
    let rule = json!({"attestors": [{"entries": [{"keys": {"publicKeys": "{{ keys.data.org }}"}}]}]});
    let context = json!({"context": [{"name": "keys", "configMap": {"name": "keys", "namespace": "x"}}]});
    let policy = policy(&rule, &context);
    let given = |pem: &str| BTreeMap::from([("keys.data.org".to_owned(), json!(pem))]);
    let object = signed(&[&a]);
    expect(&judge(&object, &policy, &given(&a.public().to_pem())), Outcome::Pass, "signature-valid");
    expect(&judge(&object, &policy, &given(&key().public().to_pem())), Outcome::Fail, "signature-invalid");
    expect(&judge(&object, &policy, &given("not a key")), Outcome::Fault, "key-unavailable");
    expect(&judge(&object, &policy, &BTreeMap::new()), Outcome::Fault, "key-unavailable");
}

#[test]
fn what_needs_a_cluster_or_another_version_is_a_named_fault() {
    let a = key();
    let none = BTreeMap::new();
    let secret = json!({"attestors": [{"entries": [{"keys": {"publicKeys": "k8s://x/y"}}]}]});
    expect(&judge(&signed(&[&a]), &policy(&secret, &json!({})), &none), Outcome::Fault, "key-unavailable");
    let elsewhere =
        json!({"repository": "registry.example.com/x", "attestors": [{"entries": entries(&[&a])}]});
    expect(
        &judge(&signed(&[&a]), &policy(&elsewhere, &json!({})), &none),
        Outcome::Fault,
        "policy-unsupported",
    );
    let kms = json!({"attestors": [{"entries": [{"keys": {"kms": "awskms:///alias/x"}}]}]});
    expect(&judge(&signed(&[&a]), &policy(&kms, &json!({})), &none), Outcome::Fault, "key-unavailable");
}

/// One good key of two where only one is needed is enough, whatever the other says.
#[test]
fn a_fault_that_cannot_change_the_answer_does_not() {
    let a = key();
    let mut of = entries(&[&a]);
    of.push(json!({"keys": {"publicKeys": "k8s://x/y"}}));
    let any = policy(&json!({"attestors": [{"count": 1, "entries": of.clone()}]}), &json!({}));
    let all = policy(&json!({"attestors": [{"entries": of}]}), &json!({}));
    let none = BTreeMap::new();
    expect(&judge(&signed(&[&a]), &any, &none), Outcome::Pass, "signature-valid");
    expect(&judge(&signed(&[&a]), &all, &none), Outcome::Fault, "key-unavailable");
    assert_eq!(
        judge(&signed(&[&key()]), &all, &none).outcome(),
        Outcome::Fail,
        "both would be needed, and one is bad"
    );
}

#[test]
fn an_attestors_annotations_are_those_of_the_object() {
    let a = key();
    let mut entry = entries(&[&a]);
    entry[0]["annotations"] = json!({"team": "shop"});
    let policy = policy(&json!({"attestors": [{"entries": entry}]}), &json!({}));
    let mut object = config("safe");
    let none = BTreeMap::new();
    expect(&judge(&signed(&[&a]), &policy, &none), Outcome::Fail, "annotation-mismatch");
    object["metadata"]["annotations"] = json!({"team": "shop"});
    let object = sign(vec![object], &a, &options()).unwrap().remove(0);
    expect(&judge(&object, &policy, &none), Outcome::Pass, "signature-valid");
}

#[test]
fn a_dry_run_is_recorded_as_needing_a_cluster() {
    let a = key();
    let rule = json!({"dryRun": {"enable": true}, "attestors": [{"entries": entries(&[&a])}]});
    let decision = judge(&signed(&[&a]), &policy(&rule, &json!({})), &BTreeMap::new());
    expect(&decision, Outcome::Pass, "signature-valid");
    let mut codes = Vec::new();
    decision.check.walk(&mut |check| codes.push((check.outcome, check.reason.code())));
    assert!(codes.contains(&(Outcome::Skip, "needs-cluster")), "{codes:?}");
}

#[test]
fn other_rule_types_are_named_and_never_pass() {
    let mut document = json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "p"}, "spec": {"rules": [
        {"name": "labels", "match": {"any": [{"resources": {"kinds": ["ConfigMap"]}}]}, "validate": {"pattern": {"metadata": {"labels": {"a": "?*"}}}}}]}});
    let compiled = |document: &Value| match compile(document).unwrap() {
        Compiled::Policy(policy) => policy,
        other @ (Compiled::Exception(_) | Compiled::TrustRoot(_)) => panic!("{other:?}"),
    };
    let decision = judge(&config("safe"), &compiled(&document), &BTreeMap::new());
    expect(&decision, Outcome::Skip, "not-handled");
    document["spec"]["rules"][0]["match"] = json!({"any": [{"resources": {"kinds": ["Secret"]}}]});
    expect(&judge(&config("safe"), &compiled(&document), &BTreeMap::new()), Outcome::Skip, "not-matched");
}

/// A fault is a fault only where what it hides could have been enough: otherwise it is certain that the rule is not met.
#[test]
fn faults_count_where_they_could_have_made_the_threshold() {
    let (first, second, stranger) = (key(), key(), key());
    let object = signed(&[&first, &second]);
    let entry = |letter: char| match letter {
        '1' => entries(&[&first]).remove(0),
        '2' => entries(&[&second]).remove(0),
        'x' => entries(&[&stranger]).remove(0),
        '?' => json!({"keys": {"publicKeys": "k8s://keys/signer"}}),
        other => panic!("{other}"),
    };
    for (count, letters, outcome, code) in [
        (Some(2), "1?x", Outcome::Fault, "key-unavailable"),
        (Some(2), "x?x", Outcome::Fail, "signature-invalid"),
        (Some(2), "x??", Outcome::Fault, "key-unavailable"),
        (Some(1), "x?", Outcome::Fault, "key-unavailable"),
        (Some(1), "1?", Outcome::Pass, ""),
        (Some(1), "1x", Outcome::Pass, ""),
        (Some(1), "xx", Outcome::Fail, "signature-invalid"),
        (Some(2), "12x", Outcome::Pass, ""),
        (Some(2), "12?", Outcome::Pass, ""),
        (Some(2), "1xx", Outcome::Fail, "threshold-not-met"),
        (Some(3), "1?x", Outcome::Fail, "threshold-not-met"),
        (Some(3), "12?", Outcome::Fault, "key-unavailable"),
        (Some(3), "12x", Outcome::Fail, "threshold-not-met"),
        (None, "12", Outcome::Pass, ""),
        (None, "1?", Outcome::Fault, "key-unavailable"),
        (None, "x?", Outcome::Fail, "signature-invalid"),
        (None, "1x", Outcome::Fail, "threshold-not-met"),
    ] {
        let mut set = json!({"entries": letters.chars().map(entry).collect::<Vec<_>>()});
        if let Some(count) = count {
            set["count"] = json!(count);
        }
        let decision = judge(&object, &policy(&json!({"attestors": [set]}), &json!({})), &BTreeMap::new());
        assert_eq!(decision.outcome(), outcome, "{count:?} of {letters}: {}", decision.headline());
        if outcome != Outcome::Pass {
            assert_eq!(decision.headline().code(), code, "{count:?} of {letters}");
        }
    }
}
