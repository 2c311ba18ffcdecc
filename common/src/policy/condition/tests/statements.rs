//! Conditions over signed statements.

use serde_json::json;

use super::*;

/// Attack: a statement that leaves out what a condition asks, so that nothing in it is forbidden.
#[test]
fn a_statement_must_say_what_it_is_asked_for() {
    let answer = |key: &str, operator: &str, value: Value, said: &Value| {
        let scope = Scope::of_statement(said, [("settings", "the rule's context")], NOW);
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
        // What a statement says itself is its own, whatever it is called.
        ("{{ request.of }}", "Equals", json!("ours"), "true"),
        ("{{ images.containers }}", "Equals", json!("x"), "fault"),
        ("{{ serviceAccountName }}", "Equals", json!("x"), "fault"),
        ("{{ settings.data.mode }}", "NotEquals", json!("x"), "fault"),
        ("{{ a.b }}", "Equals", json!("{{ settings.data.mode }}"), "fault"),
    ] {
        assert_eq!(answer(key, operator, value, &said), expected, "{key} {operator}");
    }
    assert_eq!(answer("{{ request.of }}", "Equals", json!("x"), &json!({})), "fault");
    // What is told is the field that is missing, and not what a function makes of that.
    let scope = Scope::of_statement(&said, [], NOW);
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

/// A condition without an answer counts against the statement only where it decides the result.
#[test]
fn an_unanswered_condition_decides_against_the_statement_only_where_it_must() {
    let yes = condition(&json!("a"), "Equals", &json!("a"));
    let no = condition(&json!("a"), "Equals", &json!("b"));
    let unsaid = condition(&json!("{{ unsaid }}"), "Equals", &json!("a"));
    let elsewhere = condition(&json!("{{ request.name }}"), "Equals", &json!("a"));
    let scope = Scope::of_statement(&json!({}), [], NOW);
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
