mod statements;

use serde_json::json;

use super::*;
use crate::image::ImageRef;
use crate::policy::expression::{Expression, ExpressionError};
use crate::policy::selector::{ReviewFacts, UserInfo};

const NOW: jiff::Timestamp = jiff::Timestamp::constant(1_700_000_000, 0);

fn condition(key: &Value, operator: &str, value: &Value) -> Condition {
    Condition {
        path: FieldPath::keys(["spec"]),
        key: Template::parse(key).unwrap(),
        operator: Operator::parse(operator).unwrap(),
        value: Template::parse(value).unwrap(),
        message: Some("say so".into()),
    }
}

fn object() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "prod", "labels": {"app.io/tier": "front", "n": "3"}},
        "spec": {"replicas": 3, "images": ["a:1", "b:2"]}
    })
}

fn evaluate(condition: &Condition, values: &Values) -> ConditionResult {
    let object = object();
    condition.evaluate(&Scope::new(&ReviewFacts::of(&object), &[], values, NOW))
}

fn holds(key: &Value, operator: &str, value: &Value) -> bool {
    match evaluate(&condition(key, operator, value), &Values::new()) {
        ConditionResult::True => true,
        ConditionResult::False(_) => false,
        ConditionResult::Fault(fault) => panic!("{fault}"),
    }
}

/// What a policy says of a failure names the values, and a variable without one keeps the author's words.
#[test]
fn messages_have_their_variables_replaced() {
    let failed = |message: &str| {
        let said = Some(message.to_owned());
        let condition = Condition { message: said, ..condition(&json!("a"), "Equals", &json!("b")) };
        match evaluate(&condition, &Values::new()) {
            ConditionResult::False(failed) => failed[0].message.clone().unwrap(),
            ConditionResult::True | ConditionResult::Fault(_) => panic!("{message}"),
        }
    };
    assert_eq!(
        failed("{{ request.object.kind }} {{request.name}} is not signed"),
        "Deployment web is not signed"
    );
    for kept in ["no variable", "{{ nobody.knows }} is missing", "{{ broken("] {
        assert_eq!(failed(kept), kept);
    }
}

#[test]
fn every_operator() {
    let images = json!("{{ request.object.spec.images }}");
    let replicas = json!("{{ request.object.spec.replicas }}");
    let tier = json!(r#"{{ request.object.metadata.labels."app.io/tier" }}"#);
    let absent = json!("{{ request.object.metadata.annotations.none }}");
    let cases = [
        (&tier, "Equals", json!("fr*"), true),
        (&tier, "NotEqual", json!("back"), true),
        (&json!("{{ request.name }}-{{ request.namespace }}"), "Equal", json!("web-prod"), true),
        (&json!("{{ request.operation }}"), "In", json!(["CREATE", "UPDATE"]), true),
        (
            &json!("{{ request.kind.group }}/{{ request.kind.kind }}"),
            "equals",
            json!("apps/Deployment"),
            true,
        ),
        (&images, "AnyIn", json!(["b:*", "c"]), true),
        (&images, "AnyIn", json!(["c"]), false),
        (&images, "AllIn", json!(["a:*", "b:*"]), true),
        (&images, "AllIn", json!(["a:*"]), false),
        (&images, "In", json!(["a:*"]), false),
        (&images, "AnyNotIn", json!(["a:*"]), true),
        (&images, "NotIn", json!(["a:*", "b:*"]), false),
        (&images, "AllNotIn", json!(["a:*"]), false),
        (&images, "AllNotIn", json!(["c"]), true),
        (&replicas, "GreaterThan", json!(2), true),
        (&replicas, "GreaterThanOrEquals", json!("3"), true),
        (&replicas, "LessThan", json!(3), false),
        (&replicas, "LessThanOrEquals", json!(3.0), true),
        (&json!("90s"), "DurationGreaterThan", json!("1m"), true),
        (&json!("90s"), "DurationLessThanOrEquals", json!("1m"), false),
        (&absent, "Equals", json!(""), true),
        (&absent, "NotEquals", json!("x"), true),
        (&absent, "AllNotIn", json!(["x"]), true),
        (&absent, "LessThan", json!(5), false),
        (&json!("{{ request.object.metadata.annotations.none || 'd' }}"), "Equals", json!("d"), true),
        (&json!("{{ request.object.spec.images[1] }}"), "Equals", json!("b:2"), true),
        (&json!("{{ length(request.object.spec.images) }}"), "Equals", json!(2), true),
    ];
    for (key, operator, value, expected) in cases {
        assert_eq!(holds(key, operator, &value), expected, "{key} {operator} {value}");
    }
}

#[test]
fn a_failure_says_what_was_expected_and_found() {
    let condition = condition(&json!("{{ request.object.spec.replicas }}"), "Equals", &json!(5));
    let ConditionResult::False(failed) = evaluate(&condition, &Values::new()) else { panic!("holds") };
    assert_eq!((&failed[0].expected, &failed[0].found), (&json!(5), &json!(3)));
    assert_eq!(failed[0].message.as_deref(), Some("say so"));
}

#[test]
fn values_from_outside_stand_for_what_must_be_read() {
    let key = json!("{{ settings.data.mode }}");
    let condition = condition(&key, "Equals", &json!("on"));
    let fault = |result: ConditionResult| match result {
        ConditionResult::Fault(ConditionFault { why, .. }) => why,
        ConditionResult::True | ConditionResult::False(_) => panic!("no fault"),
    };
    let unknown = VariableFault::Unknown("settings.data.mode".into());
    assert_eq!(fault(evaluate(&condition, &Values::new())), unknown.into());
    let values = Values::from([("settings.data.mode".to_owned(), json!("on"))]);
    assert_eq!(evaluate(&condition, &values), ConditionResult::True);
    let values = Values::from([("settings".to_owned(), json!({"data": {"mode": "on"}}))]);
    assert_eq!(evaluate(&condition, &values), ConditionResult::True);

    let entry = ContextEntry {
        name: "settings".into(),
        path: FieldPath::root(),
        source: ContextSource::External { what: "configMap".into() },
    };
    let object = object();
    let scope = Scope::new(&ReviewFacts::of(&object), &[entry], &Values::new(), NOW);
    let not_read = VariableFault::NotRead { name: "settings".into(), what: "configMap".into() };
    assert_eq!(fault(condition.evaluate(&scope)), not_read.into());
}

#[test]
fn values_win_over_the_request() {
    let condition = condition(&json!("{{ request.operation }}"), "Equals", &json!("UPDATE"));
    let values = Values::from([("request.operation".to_owned(), json!("UPDATE"))]);
    assert_eq!(evaluate(&condition, &values), ConditionResult::True);
}

#[test]
fn computed_variables_see_those_before_them() {
    let variable = |name: &str, value: Option<Value>, query: Option<&str>, default: Option<Value>| {
        let template = |value: Value| Template::parse(&value).unwrap();
        ContextEntry {
            name: name.to_owned(),
            path: FieldPath::root(),
            source: ContextSource::Variable {
                value: value.map(template),
                query: query.map(|query| Expression::parse(query).unwrap()),
                default: default.map(template),
            },
        }
    };
    let context = [
        variable("first", Some(json!({"a": "{{ request.name }}"})), None, None),
        variable("second", Some(json!("{{ first }}")), Some("a"), None),
        variable("third", None, Some("request.object.none"), Some(json!("{{ second }}!"))),
        variable("early", Some(json!("{{ late }}")), None, None),
        variable("late", Some(json!("x")), None, None),
        ContextEntry {
            name: "broken".into(),
            path: FieldPath::root(),
            source: ContextSource::Unreadable(ExpressionError::Empty),
        },
    ];
    let object = object();
    let scope = Scope::new(&ReviewFacts::of(&object), &context, &Values::new(), NOW);
    let value = |text: &str| scope.render(&Template::parse_text(text).unwrap());
    assert_eq!(value("{{ third }}"), Ok(json!("web!")));
    assert!(matches!(value("{{ early }}"), Err(VariableFault::Definition { name, .. }) if name == "early"));
    assert!(matches!(value("{{ broken }}"), Err(VariableFault::Definition { name, .. }) if name == "broken"));
}

#[test]
fn who_asks_is_a_fault_without_a_request() {
    let object = object();
    let user = UserInfo { username: "system:serviceaccount:ci:bot".into(), ..UserInfo::default() };
    let without = ReviewFacts::of(&object);
    let with = ReviewFacts { user: Some(&user), ..without };
    for (text, expected) in [
        ("serviceAccountName", "bot"),
        ("serviceAccountNamespace", "ci"),
        ("request.userInfo.username", "system:serviceaccount:ci:bot"),
    ] {
        let template = Template::parse_text(&format!("{{{{ {text} }}}}")).unwrap();
        let render = |facts| Scope::new(facts, &[], &Values::new(), NOW).render(&template);
        assert_eq!(render(&with), Ok(json!(expected)));
        assert_eq!(render(&without), Err(VariableFault::NoRequest(text.to_owned())));
    }
    let scope = Scope::new(&without, &[], &Values::new(), NOW);
    let unknown = scope.render(&Template::parse_text("{{ request.dryRun }}").unwrap());
    assert_eq!(unknown, Err(VariableFault::Unknown("request.dryRun".into())));
}

#[test]
fn a_certain_answer_wins_over_a_fault_and_a_fault_over_a_guess() {
    let yes = condition(&json!("a"), "Equals", &json!("a"));
    let no = condition(&json!("a"), "Equals", &json!("b"));
    let fault = condition(&json!("{{ unknown }}"), "Equals", &json!("a"));
    let object = object();
    let scope = Scope::new(&ReviewFacts::of(&object), &[], &Values::new(), NOW);
    let shown = |any: &[&Condition], all: &[&Condition]| {
        let list = |conditions: &[&Condition]| conditions.iter().map(|c| (*c).clone()).collect();
        match (Conditions { any: list(any), all: list(all) }).evaluate(&scope) {
            ConditionResult::True => "true",
            ConditionResult::False(_) => "false",
            ConditionResult::Fault(_) => "fault",
        }
    };
    assert_eq!(shown(&[], &[]), "true");
    assert_eq!(shown(&[], &[&yes, &fault]), "fault");
    assert_eq!(shown(&[], &[&fault, &no]), "false");
    assert_eq!(shown(&[&fault, &yes], &[]), "true");
    assert_eq!(shown(&[&fault, &no], &[]), "fault");
    assert_eq!(shown(&[&no], &[&yes]), "false");
    assert_eq!(shown(&[&yes], &[&no]), "false");
    assert_eq!(shown(&[&no], &[&fault]), "false");
    assert_eq!(shown(&[&yes], &[&fault]), "fault");
}

#[test]
fn what_has_no_order_is_a_fault() {
    for (key, operator) in
        [(json!("text"), "LessThan"), (json!({"a": 1}), "AnyIn"), (json!(true), "GreaterThan")]
    {
        let result = evaluate(&condition(&key, operator, &json!(1)), &Values::new());
        let ConditionResult::Fault(fault) = result else { panic!("{result:?}") };
        assert!(matches!(fault.why, ConditionFaultReason::Incomparable { .. }), "{key}");
    }
}

#[test]
fn images_are_seen_by_list_and_container() {
    let pod = |image: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "web", "image": image}]}})
    };
    let value = |object: &Value| {
        let scope = Scope::new(&ReviewFacts::of(object), &[], &Values::new(), NOW);
        scope.render(&Template::parse(&json!("{{ images.containers.web.registry }}")).unwrap())
    };
    assert_eq!(value(&pod("ghcr.io/acme/app:1")), Ok(json!("ghcr.io")));
    assert_eq!(value(&pod("nginx")), Ok(json!("docker.io")));
    assert!(matches!(value(&pod("GHCR.io//app")), Err(VariableFault::Images(_))), "not absent");
}

/// The usual demand on an attestation of a vulnerability scan: not older than seven days.
#[test]
fn a_scan_is_fresh_for_seven_days() {
    let scanned = |finished: &Value| json!({ "metadata": { "scanFinishedOn": finished }, "scanner": {} });
    let six_days = json!("2023-11-08T22:13:20Z");
    for key in [
        "{{ time_since('', '{{ metadata.scanFinishedOn }}', '') }}",
        "{{ time_since('','{{metadata.scanFinishedOn}}','') }}",
        "{{ time_since('', metadata.scanFinishedOn, '') }}",
        "{{ time_since('2006-01-02T15:04:05Z07:00', metadata.scanFinishedOn, time_now()) }}",
        "{{ time_diff(metadata.scanFinishedOn, time_now_utc()) }}",
    ] {
        let conditions = Conditions {
            all: vec![condition(&json!(key), "LessThanOrEquals", &json!("168h"))],
            ..Conditions::default()
        };
        let judged = |predicate: &Value| match conditions.evaluate(&Scope::of_statement(predicate, None, NOW))
        {
            ConditionResult::True => "pass",
            ConditionResult::False(_) => "fail",
            ConditionResult::Fault(fault) if fault.why.is_of_document() => "unanswered",
            ConditionResult::Fault(_) => "fault",
        };
        assert_eq!(judged(&scanned(&six_days)), "pass", "{key}");
        assert_eq!(judged(&scanned(&json!("2023-11-08T23:13:20+01:00"))), "pass", "{key}");
        assert_eq!(judged(&scanned(&json!("2023-11-07T22:13:20Z"))), "pass", "{key}: exactly");
        assert_eq!(judged(&scanned(&json!("2023-11-07T22:13:19Z"))), "fail", "{key}: a second more");
        assert_eq!(judged(&scanned(&json!("2023-11-06T22:13:20Z"))), "fail", "{key}");
        for unreadable in [json!(null), json!("yesterday"), json!(""), json!(1_700_000_000), json!(["a"])] {
            assert_eq!(judged(&scanned(&unreadable)), "unanswered", "{key} {unreadable}");
        }
        assert_eq!(judged(&json!({ "metadata": {} })), "unanswered", "{key}");
        assert_eq!(judged(&json!({})), "unanswered", "{key}");
        assert_eq!(judged(&json!("2023-11-08T22:13:20Z")), "unanswered", "{key}");
    }
}

/// Attack: a predicate that ends the quotes of the expression and goes on as one that always passes.
#[test]
fn a_predicate_cannot_rewrite_the_condition() {
    let key = json!("{{ time_since('', '{{ metadata.scanFinishedOn }}', '') }}");
    let condition = condition(&key, "LessThanOrEquals", &json!("168h"));
    for attack in [
        "2023-11-14T22:13:20Z', '') || time_since('', '2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20Z', '2023-11-14T22:13:20Z') || to_upper('",
        "{{ time_now() }}",
        "' }} 1h {{ '",
    ] {
        let predicate = json!({ "metadata": { "scanFinishedOn": attack } });
        let result = condition.evaluate(&Scope::of_statement(&predicate, None, NOW));
        let ConditionResult::Fault(fault) = result else { panic!("{attack}: {result:?}") };
        assert!(matches!(fault.why, ConditionFaultReason::Variable(VariableFault::Evaluation(_))), "{fault}");
    }
}

/// A query is evaluated in its own value, and what it quotes would be looked up there.
#[test]
fn a_query_holds_no_quoted_expression() {
    assert_eq!(Expression::parse("starts_with('{{ b }}', a)"), Err(ExpressionError::Nested));
}

/// The time of the rule is that of its named values and of what uses them.
#[test]
fn named_values_see_the_time() {
    let entry = ContextEntry {
        name: "today".into(),
        path: FieldPath::root(),
        source: ContextSource::Variable {
            value: Some(Template::parse(&json!({"now": "{{ time_now() }}"})).unwrap()),
            query: Some(Expression::parse("truncate(now, `10`)").unwrap()),
            default: None,
        },
    };
    let object = object();
    let scope = Scope::new(&ReviewFacts::of(&object), &[entry], &Values::new(), NOW);
    let today = scope.render(&Template::parse_text("{{ today }} {{ time_now() }}").unwrap());
    assert_eq!(today, Ok(json!("2023-11-14 2023-11-14T22:13:20Z")));
}
