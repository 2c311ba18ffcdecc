//! Conditions over signed statements.

use serde_json::json;

use super::*;

/// Attack: a statement that leaves out what a condition asks, so that nothing in it is forbidden.
#[test]
fn a_statement_must_say_what_it_is_asked_for() {
    let answer = |key: &str, operator: &str, value: Value, said: &Value| {
        let scope = Scope::of_statement(said, None, NOW);
        match condition(&json!(key), operator, &value).evaluate(&scope) {
            ConditionResult::True => "true",
            ConditionResult::False(_) => "false",
            ConditionResult::Fault(fault) if fault.why.is_of_document() => "unanswered",
            ConditionResult::Fault(_) => "fault",
        }
    };
    let said = json!({"a": {"b": "x", "none": null}, "list": [{"level": "low"}], "request": {"of": "ours"}});
    for (key, operator, value, expected) in [
        ("{{ a.b }}", "Equals", json!("x"), "true"),
        ("{{ a.c }}", "NotEquals", json!("x"), "unanswered"),
        ("{{ a.none }}", "AllNotIn", json!(["x"]), "unanswered"),
        ("{{ c }}", "NotEquals", json!("x"), "unanswered"),
        ("{{ a.c || 'none' }}", "Equals", json!("none"), "true"),
        ("{{ a.c != 'x' }}", "Equals", json!(true), "unanswered"),
        ("{{ a.b == 'x' && a.c == 'y' }}", "Equals", json!(true), "unanswered"),
        ("{{ a.c == 'x' || a.b == 'x' }}", "Equals", json!(true), "true"),
        ("{{ a.c > `3` }}", "Equals", json!(true), "unanswered"),
        ("{{ list[?level=='high'] | length(@) }}", "Equals", json!(0), "true"),
        ("{{ lists[?level=='high'] | length(@) }}", "Equals", json!(0), "unanswered"),
        ("{{ list[5].level }}", "NotEquals", json!("high"), "unanswered"),
        ("text {{ a.c }}", "NotEquals", json!("x"), "unanswered"),
        ("x", "NotEquals", json!("{{ a.c }}"), "unanswered"),
        ("{{ a }}", "AnyIn", json!(["x"]), "unanswered"),
        ("{{ a.b }}", "LessThan", json!(3), "unanswered"),
        // Without a request, what requests give has no value, and a statement gives none instead.
        ("{{ request.of }}", "Equals", json!("ours"), "unanswered"),
        ("{{ images.containers }}", "Equals", json!("x"), "fault"),
        ("{{ serviceAccountName }}", "Equals", json!("x"), "fault"),
    ] {
        assert_eq!(answer(key, operator, value, &said), expected, "{key} {operator}");
    }
    assert_eq!(answer("{{ request.of }}", "Equals", json!("x"), &json!({})), "fault");
    // What is told is the field that is missing, and not what a function makes of that.
    let scope = Scope::of_statement(&said, None, NOW);
    for (key, missing) in [
        ("{{ a.results[].level | length(@) }}", "a.results"),
        ("{{ time_since('', a.finished, '') }}", "a.finished"),
        ("{{ list[5].level }}", "list[5].level"),
    ] {
        let condition = condition(&json!(key), "Equals", &json!(0));
        let ConditionResult::Fault(fault) = condition.evaluate(&scope) else { panic!("{key}") };
        assert_eq!(fault.why, VariableFault::Absent(missing.to_owned()).into(), "{key}");
    }
}

/// What the request and the rule give is seen beside the statement, and is never what the statement says. Attack: a
/// statement that brings the value that it is compared with.
#[test]
fn a_statement_is_seen_beside_the_request_and_cannot_take_its_place() {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"team": "red"}},
        "spec": {"containers": [{"name": "c", "image": "ghcr.io/acme/app:1.4"}]}});
    let image = ImageRef::parse("ghcr.io/acme/app:1.4").unwrap();
    let unread = ContextEntry {
        name: "settings".to_owned(),
        path: FieldPath::root(),
        source: ContextSource::External { what: "configMap".to_owned() },
    };
    let values = Values::from([("want.version".to_owned(), json!("1.4"))]);
    let beside = Scope::new(&ReviewFacts::of(&object), &[unread], &values, NOW).with_image(&image, NOW);
    let answer = |key: &str, value: Value, said: &Value| {
        let scope = Scope::of_statement(said, Some(&beside), NOW);
        match condition(&json!(key), "Equals", &value).evaluate(&scope) {
            ConditionResult::True => "true",
            ConditionResult::False(_) => "false",
            ConditionResult::Fault(fault) if fault.why.is_of_document() => "unanswered",
            ConditionResult::Fault(_) => "fault",
        }
    };
    let said = json!({"team": "red", "version": "1.4"});
    for (key, value, expected) in [
        ("{{ request.object.metadata.labels.team }}", "{{ team }}", "true"),
        ("{{ version }}", "{{ want.version }}", "true"),
        ("{{ version }}", "{{ image.tag }}", "true"),
        ("{{ images.containers.c.name }}", "app", "true"),
        ("{{ request.operation }}", "UPDATE", "false"),
        ("{{ request.object.metadata.labels.none }}", "red", "unanswered"),
        ("{{ settings.data.mode }}", "red", "fault"),
    ] {
        assert_eq!(answer(key, json!(value), &said), expected, "{key} {value}");
    }
    for (taken, key, value) in [
        (json!({"want": {"version": "evil"}}), "{{ want.version }}", "evil"),
        (json!({"request": {"object": {"x": "y"}}}), "{{ request.object.x }}", "y"),
        (json!({"image": {"tag": "evil"}}), "{{ image.tag }}", "evil"),
        (json!({"settings": {"data": {"mode": "evil"}}}), "{{ settings.data.mode }}", "evil"),
        (json!({"serviceAccountName": "evil"}), "{{ serviceAccountName }}", "evil"),
    ] {
        assert_eq!(answer(key, json!(value), &taken), "unanswered", "{taken}");
    }
}

/// The policy names attestations, so their names are theirs; one that is not there has no other value.
#[test]
fn a_named_attestation_is_what_its_name_stands_for() {
    let values = Values::from([("scan.failed".to_owned(), json!(9)), ("gone".to_owned(), json!(1))]);
    let object = json!({});
    let beside = Scope::new(&ReviewFacts::of(&object), &[], &values, NOW);
    let named = json!({"scan": {"failed": 0}});
    let scope = Scope::of_statements(named.as_object().unwrap(), ["gone"], Some(&beside), NOW);
    let holds = |key: &str, value: Value| condition(&json!(key), "Equals", &value).evaluate(&scope);
    assert_eq!(holds("{{ scan.failed }}", json!(0)), ConditionResult::True);
    assert_eq!(holds("{{ request.operation }}", json!("CREATE")), ConditionResult::True);
    let ConditionResult::Fault(gone) = holds("{{ gone }}", json!(1)) else { panic!("it is not there") };
    assert_eq!(gone.why, VariableFault::NoAttestation("gone".to_owned()).into());
}

/// A condition without an answer counts against the statement only where it decides the result.
#[test]
fn an_unanswered_condition_decides_against_the_statement_only_where_it_must() {
    let yes = condition(&json!("a"), "Equals", &json!("a"));
    let no = condition(&json!("a"), "Equals", &json!("b"));
    let unsaid = condition(&json!("{{ unsaid }}"), "Equals", &json!("a"));
    let elsewhere = condition(&json!("{{ request.name }}"), "Equals", &json!("a"));
    let scope = Scope::of_statement(&json!({}), None, NOW);
    let shown = |any: &[&Condition], all: &[&Condition], holds: bool| {
        let list = |conditions: &[&Condition]| conditions.iter().map(|c| (*c).clone()).collect();
        match (Conditions { any: list(any), all: list(all) }).evaluate_unanswered(&scope, holds) {
            ConditionResult::True => "true",
            ConditionResult::False(_) => "false",
            ConditionResult::Fault(_) => "fault",
        }
    };
    for (any, all, demanded, denied) in [
        (&[][..], &[&unsaid][..], "false", "true"),
        (&[], &[&unsaid, &yes], "false", "true"),
        (&[], &[&unsaid, &no], "false", "false"),
        (&[], &[&elsewhere, &unsaid], "false", "fault"),
        (&[&unsaid], &[], "false", "true"),
        (&[&unsaid, &yes], &[], "true", "true"),
        (&[&unsaid, &no], &[], "false", "true"),
        (&[&elsewhere, &unsaid], &[], "fault", "true"),
        (&[&unsaid], &[&no], "false", "false"),
    ] {
        assert_eq!(shown(any, all, false), demanded, "{any:?} {all:?}");
        assert_eq!(shown(any, all, true), denied, "{any:?} {all:?}");
    }
}
