use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::dialect::{Compiled, compile};
use crate::policy::ReviewFacts;
use crate::policy::selector::Mismatch;

fn rule(name: &str, extra: &Value) -> Value {
    let mut rule = json!({
        "name": name,
        "match": {"any": [{"resources": {"kinds": ["Deployment"]}}]},
        "validate": {
            "failureAction": "Enforce",
            "manifests": {"attestors": [{"entries": [{"keys": {"publicKeys": "k8s://ns/key"}}]}]}
        }
    });
    for (key, value) in extra.as_object().into_iter().flatten() {
        rule[key.as_str()] = value.clone();
    }
    rule
}

fn policy(rules: &[Value], spec: &Value) -> Policy {
    named("ClusterPolicy", rules, spec)
}

fn named(kind: &str, rules: &[Value], spec: &Value) -> Policy {
    let mut document = json!({
        "apiVersion": "kyverno.io/v1", "kind": kind, "metadata": {"name": "p", "namespace": "team"},
        "spec": {"rules": rules}
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        document["spec"][key.as_str()] = value.clone();
    }
    match compile(&document).unwrap_or_else(|errors| panic!("{errors}")) {
        Compiled::Policy(policy) => policy,
        other @ (Compiled::Exception(_) | Compiled::TrustRoot(_)) => panic!("{other:?}"),
    }
}

fn exception(spec: &Value) -> Exception {
    let mut document = json!({
        "apiVersion": "kyverno.io/v2", "kind": "PolicyException", "metadata": {"name": "e", "namespace": "n"},
        "spec": {
            "match": {"any": [{"resources": {"kinds": ["Deployment"]}}]},
            "exceptions": [{"policyName": "p", "ruleNames": ["r*"]}]
        }
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        document["spec"][key.as_str()] = value.clone();
    }
    match compile(&document).unwrap_or_else(|errors| panic!("{errors}")) {
        Compiled::Exception(exception) => exception,
        other @ (Compiled::Policy(_) | Compiled::TrustRoot(_)) => panic!("{other:?}"),
    }
}

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "prod"}})
}

fn outcomes(
    policy: &Policy,
    facts: &ReviewFacts<'_>,
    exceptions: &[Exception],
    background: bool,
) -> Vec<Selectedness> {
    let selected =
        select(facts, std::slice::from_ref(policy), exceptions, &RuleValues::default(), background, NOW);
    selected.into_iter().map(|selected| selected.outcome).collect()
}

fn outcome(extra: &Value) -> Selectedness {
    let object = deployment();
    outcomes(&policy(&[rule("r", extra)], &json!({})), &ReviewFacts::of(&object), &[], false).remove(0)
}

const APPLIES: Selectedness = Selectedness::Applies { action: Action::Enforce };

#[test]
fn every_rule_of_every_policy_has_a_result() {
    let pods = json!({"match": {"any": [{"resources": {"kinds": ["Pod"]}}]}});
    let rules = [rule("a", &json!({})), rule("b", &pods), rule("c", &json!({"validate": {"pattern": {}}}))];
    let policies = [policy(&rules, &json!({})), policy(&rules[..1], &json!({}))];
    let object = deployment();
    let selected = select(&ReviewFacts::of(&object), &policies, &[], &RuleValues::default(), false, NOW);
    let names: Vec<&str> = selected.iter().map(|selected| &*selected.rule.name).collect();
    assert_eq!(names, ["a", "b", "c", "a"]);
    assert_eq!(selected[0].outcome, APPLIES);
    let path = FieldPath::keys(["spec", "rules"]).index(1).key("match").key("any").index(0);
    let mismatch = FilterMismatch { path, why: Mismatch::Kind };
    assert_eq!(selected[1].outcome, Selectedness::Skipped(SkipReason::NotMatched(vec![mismatch])));
    assert_eq!(selected[2].outcome, Selectedness::NotHandled { rule_type: "validate.pattern".into() });
}

#[test]
fn each_reason_to_skip_is_named() {
    let exclude = json!({"exclude": {"any": [{"resources": {"namespaces": ["prod"]}}]}});
    let Selectedness::Skipped(SkipReason::Excluded { by }) = outcome(&exclude) else {
        panic!("not excluded")
    };
    assert_eq!(by[0].to_string(), "spec.rules[0].exclude.any[0]");
    let condition = json!({"key": "{{ request.object.metadata.name }}", "operator": "Equals", "value": "db"});
    let Selectedness::Skipped(SkipReason::Preconditions(failed)) =
        outcome(&json!({"preconditions": [condition]}))
    else {
        panic!("preconditions hold")
    };
    assert_eq!((&failed[0].found, &failed[0].expected), (&json!("web"), &json!("db")));
}

#[test]
fn operations_without_an_object_to_verify_are_skipped_by_name() {
    let object = deployment();
    let facts = ReviewFacts::of(&object);
    let deletion = ReviewFacts {
        object: &Value::Null,
        old_object: Some(&object),
        operation: Operation::Delete,
        ..facts
    };
    let connect = ReviewFacts { operation: Operation::Connect, ..facts };
    let update = ReviewFacts { operation: Operation::Update, ..facts };
    let any = policy(&[rule("r", &json!({}))], &json!({}));
    let result = |facts| outcomes(&any, &facts, &[], false).remove(0);
    assert_eq!(result(update), APPLIES);
    assert_eq!(result(deletion), Selectedness::Skipped(SkipReason::Deletion));
    assert_eq!(result(connect), Selectedness::Skipped(SkipReason::Connect));
    let asked =
        json!({"match": {"any": [{"resources": {"kinds": ["Deployment"], "operations": ["CONNECT"]}}]}});
    let asked = policy(&[rule("r", &asked)], &json!({}));
    assert_eq!(outcomes(&asked, &connect, &[], false), [APPLIES]);
}

#[test]
fn policies_are_for_admission_for_scans_or_for_one_namespace() {
    let object = deployment();
    let facts = ReviewFacts::of(&object);
    let rules = [rule("r", &json!({}))];
    let result = |policy: &Policy, background| outcomes(policy, &facts, &[], background).remove(0);
    let admission = policy(&rules, &json!({"background": false}));
    assert_eq!(result(&admission, true), Selectedness::Skipped(SkipReason::BackgroundDisabled));
    assert_eq!(result(&admission, false), APPLIES);
    let scan = policy(&rules, &json!({"admission": false}));
    assert_eq!(result(&scan, false), Selectedness::Skipped(SkipReason::AdmissionDisabled));
    assert_eq!(result(&scan, true), APPLIES);
    let elsewhere = named("Policy", &rules, &json!({}));
    assert_eq!(result(&elsewhere, false), Selectedness::Skipped(SkipReason::OtherNamespace));
    let here = ReviewFacts { namespace: "team", ..facts };
    assert_eq!(outcomes(&elsewhere, &here, &[], false), [APPLIES]);
}

#[test]
fn what_nobody_can_say_is_a_fault() {
    let by_labels = json!({"match": {"any": [{"resources": {
        "kinds": ["Deployment"], "namespaceSelector": {"matchLabels": {"trust": "on"}}
    }}]}});
    let unknown = SelectFault::NamespaceLabels(LabelsUnknown);
    let fault = |why| Selectedness::Fault { why, action: Action::Enforce };
    assert_eq!(outcome(&by_labels), fault(unknown));
    // Of a rule that is not ours the same is said whether it applies or not.
    let mut other = rule("r", &by_labels);
    other["validate"] = json!({"pattern": {}});
    let object = deployment();
    assert_eq!(
        outcomes(&policy(&[other], &json!({})), &ReviewFacts::of(&object), &[], false),
        [Selectedness::NotHandled { rule_type: "validate.pattern".into() }]
    );
    let lookup = json!({
        "context": [{"name": "settings", "configMap": {"name": "c", "namespace": "n"}}],
        "preconditions": [{"key": "{{ settings.data.on }}", "operator": "Equals", "value": "yes"}]
    });
    assert!(matches!(outcome(&lookup), Selectedness::Fault { why: SelectFault::Precondition(_), .. }));
    let mut by_action = rule("r", &json!({}));
    by_action["validate"]["failureActionOverrides"] =
        json!([{"action": "Audit", "namespaceSelector": {"matchLabels": {"trust": "off"}}}]);
    let by_action = policy(&[by_action], &json!({}));
    let object = deployment();
    let facts = ReviewFacts::of(&object);
    assert_eq!(outcomes(&by_action, &facts, &[], false), [APPLIES], "they could only make it block less");
    let labels = BTreeMap::from([("trust".to_owned(), "off".to_owned())]);
    let known = ReviewFacts { namespace_labels: Some(&labels), ..facts };
    assert_eq!(outcomes(&by_action, &known, &[], false), [Selectedness::Applies { action: Action::Audit }]);
}

#[test]
fn values_decide_conditions_that_need_a_lookup() {
    let lookup =
        json!({"preconditions": [{"key": "{{ settings.on }}", "operator": "Equals", "value": "yes"}]});
    let policy = policy(&[rule("r", &lookup)], &json!({}));
    let object = deployment();
    let values = RuleValues::from(crate::policy::Values::from([("settings.on".to_owned(), json!("yes"))]));
    let selected = select(&ReviewFacts::of(&object), std::slice::from_ref(&policy), &[], &values, false, NOW);
    assert_eq!(selected[0].outcome, APPLIES);
}

#[test]
fn exceptions_lift_the_rules_they_name_and_only_where_they_surely_do() {
    let object = deployment();
    let facts = ReviewFacts::of(&object);
    let rules = policy(&[rule("r", &json!({})), rule("other", &json!({}))], &json!({}));
    let result = |spec: Value, background| outcomes(&rules, &facts, &[exception(&spec)], background);
    let id = exception(&json!({})).id;
    let lifted = Selectedness::Skipped(SkipReason::Exceptions(vec![id.clone()]));
    assert_eq!(result(json!({}), false), [lifted.clone(), APPLIES]);
    assert_eq!(result(json!({}), true)[0], lifted);
    assert_eq!(result(json!({"background": false}), true), [APPLIES, APPLIES]);
    let pods = json!({"match": {"any": [{"resources": {"kinds": ["Pod"]}}]}});
    assert_eq!(result(pods, false), [APPLIES, APPLIES]);
    let no = json!({"conditions": [{"key": "a", "operator": "Equals", "value": "b"}]});
    assert_eq!(result(no, false), [APPLIES, APPLIES]);
    let unknown = json!({"conditions": [{"key": "{{ x }}", "operator": "Equals", "value": "b"}]});
    assert!(matches!(
        &result(unknown.clone(), false)[0],
        Selectedness::Fault { why: SelectFault::Exception { id: named, .. }, .. } if *named == id
    ));
    let both = [exception(&unknown), exception(&json!({}))];
    assert_eq!(outcomes(&rules, &facts, &both, false)[0], lifted);
}

#[test]
fn with_apply_one_the_first_rule_that_applies_is_the_only_one() {
    let pods = json!({"match": {"any": [{"resources": {"kinds": ["Pod"]}}]}});
    let rules = [
        rule("pods", &pods),
        rule("not-ours", &json!({"validate": {"pattern": {}}})),
        rule("first", &json!({})),
        rule("second", &json!({})),
    ];
    let object = deployment();
    let result =
        outcomes(&policy(&rules, &json!({"applyRules": "One"})), &ReviewFacts::of(&object), &[], false);
    assert!(matches!(result[0], Selectedness::Skipped(SkipReason::NotMatched(_))));
    assert!(matches!(result[1], Selectedness::NotHandled { .. }));
    assert_eq!(result[2], APPLIES);
    let earlier = SkipReason::EarlierRuleApplied { rule: "first".into() };
    assert_eq!(result[3], Selectedness::Skipped(earlier));
}
