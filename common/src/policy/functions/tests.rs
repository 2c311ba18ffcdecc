use jmespath::ToJmespath as _;
use serde_json::{Value, json};

use super::*;
use crate::policy::expression::Expression;

/// 14 November 2023, 22:13:20.5 UTC.
pub(super) const NOW: Timestamp = Timestamp::constant(1_700_000_000, 500_000_000);

pub(super) fn evaluate(expression: &str, document: &Value) -> Result<Value, String> {
    let expression = Expression::parse_quoting(expression).unwrap();
    let found = expression.evaluate(&document.to_jmespath().unwrap(), &Functions::at(NOW));
    found.map_err(|error| error.why)
}

/// Each expression and its value, in a document with something of every type.
fn all_are(cases: &[(&str, Value)]) {
    let document = document();
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression, &document).as_ref(), Ok(expected), "{expression}");
    }
}

/// Each expression, and why it has no value.
fn none_is(cases: &[(&str, &str)]) {
    let document = document();
    for (expression, why) in cases {
        assert_eq!(evaluate(expression, &document), Err((*why).to_owned()), "{expression}");
    }
}

pub(super) fn document() -> Value {
    json!({
        "text": "Web", "number": 3, "list": ["a", "b"], "map": {"a": 1, "b": "x"}, "none": null, "yes": true,
        "empty": [], "time": "2023-11-10T10:00:00+02:00", "n.m": 1,
    })
}

#[test]
fn names_are_unique_and_each_function_checks_its_arguments() {
    let mut names: Vec<_> = entries().map(|entry| entry.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), entries().count());
    for Entry { name, arguments, .. } in entries().filter(|entry| entry.name != quoted::QUOTED) {
        let call = |arguments: &[&str]| evaluate(&format!("{name}({})", arguments.join(", ")), &document());
        let many = vec!["text"; arguments + 1];
        assert_eq!(call(&many), Err(format!("{name}: takes {arguments} arguments, not {}", arguments + 1)));
        for wrong in ["none", "&text"] {
            let error = call(&vec![wrong; *arguments]);
            assert!(*arguments == 0 || error.clone().unwrap_err().contains("must be"), "{name} {error:?}");
        }
    }
}

#[test]
fn time() {
    all_are(&[
        ("time_since('', '2023-11-14T22:13:20Z', '')", json!("500ms")),
        ("time_since('', '2023-11-11T22:14:20.5Z', '')", json!("71h59m0s")),
        ("time_since('', time, '2023-11-10T10:00:00Z')", json!("2h0m0s")),
        ("time_since('2006-01-02', '2023-11-13', '2023-11-14')", json!("24h0m0s")),
        ("time_since('', '2024-11-14T22:13:20.5Z', '')", json!("-8784h0m0s")),
        ("time_now()", json!("2023-11-14T22:13:20Z")),
        ("time_now_utc()", json!("2023-11-14T22:13:20Z")),
        ("time_add(time, '-36h30m')", json!("2023-11-08T21:30:00+02:00")),
        ("time_before(time, time_now())", json!(true)),
        ("time_before(time, time)", json!(false)),
        ("time_after(time, '2023-11-10T07:59:59Z')", json!(true)),
        ("time_between(time, '2023-11-10T07:59:59Z', '2023-11-10T08:00:01Z')", json!(true)),
        ("time_between(time, time, time)", json!(false)),
        ("time_diff('2023-11-10T08:00:01Z', time)", json!("-1s")),
        ("time_parse('2006-01-02', '2023-11-10')", json!("2023-11-10T00:00:00Z")),
        ("time_parse('1', '1700000000')", json!("2023-11-14T22:13:20Z")),
        ("time_utc(time)", json!("2023-11-10T08:00:00Z")),
        ("time_truncate('2023-11-14T22:13:20Z', '1h')", json!("2023-11-14T22:00:00Z")),
        // The zero time of Go was a Monday.
        ("time_truncate('2023-11-14T22:13:20Z', '168h')", json!("2023-11-13T00:00:00Z")),
        ("time_truncate(time, '0s')", json!("2023-11-10T10:00:00+02:00")),
    ]);
    none_is(&[
        ("time_since('', none, '')", "time_since: argument 2 must be a text, not null"),
        ("time_since('', text, '')", "time_since: `Web` is not a time (RFC 3339)"),
        ("time_since('3:04PM', text, '')", "time_since: the layout `3:04PM` is not supported"),
        ("time_since('2006', '1700000000', '')", "time_since: `1700000000` is not a time of that layout"),
        ("time_add(time, text)", "time_add: `Web` is not a duration"),
        ("time_add(time, '99999999999h')", "time_add: the value is out of range"),
        ("time_add('9999-12-31T00:00:00Z', '48h')", "time_add: the value is out of range"),
        ("time_parse('1', '17e8')", "time_parse: `17e8` is not a number of seconds"),
        ("time_parse('1', '99999999999999')", "time_parse: the value is out of range"),
    ]);
}

#[test]
fn texts() {
    all_are(&[
        ("to_upper('aßé')", json!("AßÉ")),
        ("to_lower(text)", json!("web")),
        ("trim('¡¡Hello!¡', '!¡')", json!("Hello")),
        ("trim_prefix('v1', 'v')", json!("1")),
        ("trim_prefix('1', 'v')", json!("1")),
        ("split('a::b:', ':')", json!(["a", "", "b", ""])),
        ("split('aé', '')", json!(["a", "é"])),
        ("replace('aaa', 'a', 'b', `2`)", json!("bba")),
        ("replace('aaa', 'a', 'b', `-1`)", json!("bbb")),
        ("replace('ab', '', '-', `2`)", json!("-a-b")),
        ("replace_all('a.b.c', '.', '')", json!("abc")),
        ("equal_fold('STRASSE ſ \u{212a}', 'strasse s k')", json!(true)),
        ("equal_fold('ß', 'ss')", json!(false)),
        ("compare('a', 'b')", json!(-1)),
        ("compare('a', 'a')", json!(0)),
        ("compare('b', 'a')", json!(1)),
        ("base64_encode('Hello?>')", json!("SGVsbG8/Pg==")),
        ("base64_decode('SGVsbG8/Pg==')", json!("Hello?>")),
        ("truncate('éab', `2`)", json!("éa")),
        ("truncate('ab', `5.0`)", json!("ab")),
        ("truncate('ab', `-5`)", json!("")),
        ("text | truncate(@, `1`)", json!("W")),
        ("sha256('alertmanager')", json!("11e295cda8ce492b522a7ba16a3a73db96012f00acd8f129d5c2a3012c3408d3")),
    ]);
    none_is(&[
        ("to_upper(number)", "to_upper: argument 1 must be a text, not number"),
        ("truncate(text, `1.5`)", "truncate: argument 2 must be a whole number, not number"),
        ("truncate(text, text)", "truncate: argument 2 must be a number, not string"),
        ("base64_decode(text)", "base64_decode: `Web` is not a text in base64"),
        ("base64_decode('/w==')", "base64_decode: `/w==` is not a text in base64"),
    ]);
}

#[test]
fn paths_are_canonicalized_by_their_text() {
    for (path, expected) in [
        ("///var//run//docker.sock", "/var/run/docker.sock"),
        ("/var/../etc/./", "/etc"),
        ("/../..", "/"),
        ("a/../../b", "../b"),
        ("../../a", "../../a"),
        ("a/..", "."),
        (".", "."),
        ("", ""),
    ] {
        assert_eq!(evaluate(&format!("path_canonicalize('{path}')"), &json!({})), Ok(json!(expected)));
    }
}

#[test]
fn patterns() {
    all_are(&[
        ("regex_match('^[a-z]+$', 'abc')", json!(true)),
        ("regex_match('b', 'abc')", json!(true)),
        ("regex_match('^3$', number)", json!(true)),
        ("regex_match('^[a-z]+$', text)", json!(false)),
        ("list[?regex_match('^a', @)]", json!(["a"])),
        ("regex_replace_all('([a-z])(\\d)', 'a1-b2', '${2}$1')", json!("1a-2b")),
        ("regex_replace_all('x*', 'ab', '-')", json!("-a-b-")),
        ("regex_replace_all_literal('\\d', 'a1', '$1')", json!("a$1")),
        ("regex_replace_all_literal('3', number, `4`)", json!("4")),
        ("pattern_match('W?b*', text)", json!(true)),
        ("pattern_match('e', text)", json!(false)),
        ("pattern_match('3*', `31.0`)", json!(true)),
    ]);
    none_is(&[
        ("regex_match('^a', none)", "regex_match: argument 2 must be a text or a number, not null"),
        ("pattern_match(number, text)", "pattern_match: argument 1 must be a text, not number"),
        (
            "regex_match('(((a{99}){99}){99})', text)",
            "regex_match: the pattern is a regular expression that is too large when compiled",
        ),
    ]);
    assert!(
        evaluate("regex_match('(', text)", &document()).unwrap_err().contains("not a regular expression")
    );
}

#[test]
fn arithmetic() {
    all_are(&[
        ("add(number, `1.5`)", json!(4.5)),
        ("add('1Gi', '512Mi')", json!("1536Mi")),
        ("add('1h', '30m')", json!("1h30m0s")),
        ("add('30m', '1h')", json!("1h30m0s")),
        ("add('30m', '40m')", json!("70m")),
        ("subtract('1h', '90s')", json!("58m30s")),
        ("subtract(`1`, `3`)", json!(-2)),
        ("multiply('250m', `3`)", json!("750m")),
        ("multiply(`2`, '12h')", json!("24h0m0s")),
        ("multiply(`1000000000000`, `1000000000000`)", json!(1e24)),
        ("divide('1Gi', '256Mi')", json!(4)),
        ("divide('1h', `4`)", json!("15m0s")),
        ("divide(`1`, `3`)", json!(0.333_333_333)),
        ("modulo(`-7`, `3`)", json!(-1)),
        ("modulo('1h', '25s')", json!("0s")),
        ("modulo('13', '5')", json!("3")),
        ("round(`2.345`, `2`)", json!(2.35)),
        ("round(`-2.5`, `0`)", json!(-3)),
        ("round(`2.5`, `40`)", json!(2.5)),
        ("sum([number, `1`, `2`])", json!(6)),
        ("sum(['1Gi', '1Gi'])", json!("2Gi")),
        ("sum(['10s', '20s', '1m'])", json!("1m30s")),
    ]);
    none_is(&[
        ("add(number, '1Gi')", "add: the operands do not go together"),
        ("add('1Gi', '1h')", "add: the operands do not go together"),
        ("add(text, number)", "add: `Web` is not a number, quantity or duration"),
        ("add(number, list)", "add: argument 2 must be a number, quantity or duration, not array"),
        ("add(`1e30`, number)", "add: the value is out of range"),
        ("multiply('1Gi', '1Gi')", "multiply: the operands do not go together"),
        ("multiply(`1e28`, `1e28`)", "multiply: the value is out of range"),
        ("divide(number, '1h')", "divide: the operands do not go together"),
        ("divide(number, `0`)", "divide: division by zero"),
        ("modulo(number, `0`)", "modulo: division by zero"),
        ("modulo(`1.5`, `1`)", "modulo: the operands do not go together"),
        ("round(number, `-1`)", "round: the value is out of range"),
        ("sum(empty)", "sum: argument 1 must be a list of numbers, not array"),
        ("sum(list)", "sum: `a` is not a number, quantity or duration"),
    ]);
}

#[test]
fn structures() {
    all_are(&[
        ("parse_json('{\"a\": [1, null]}')", json!({"a": [1, null]})),
        ("parse_json('5')", json!(5)),
        ("parse_yaml('a: [yes, 1]')", json!({"a": [true, 1]})),
        ("parse_yaml('')", json!(null)),
        ("items(map, 'k', 'v')", json!([{"k": "a", "v": 1}, {"k": "b", "v": "x"}])),
        ("items(list, 'k', 'v')", json!([{"k": 0, "v": "a"}, {"k": 1, "v": "b"}])),
        ("object_from_lists(list, [number])", json!({"a": 3, "b": null})),
        ("object_from_lists([number, yes], list)", json!({"3": "a", "true": "b"})),
        ("lookup(map, 'b')", json!("x")),
        ("lookup(map, 'c')", json!(null)),
        ("lookup(list, `1`)", json!("b")),
        ("lookup(list, `-1`)", json!(null)),
        ("lookup(list, `2`)", json!(null)),
        ("label_match({b: 'x'}, map)", json!(true)),
        ("label_match({b: 'y'}, map)", json!(false)),
        ("label_match(map, {b: 'x'})", json!(false)),
        ("to_boolean('TrUe')", json!(true)),
        ("to_boolean('false')", json!(false)),
    ]);
    none_is(&[
        ("parse_yaml('a: 1\n---\nb: 2')", "parse_yaml: `a: 1\n---\nb: 2` is not one document"),
        ("items(text, 'k', 'v')", "items: argument 1 must be a map or a list, not string"),
        (
            "object_from_lists([none], list)",
            "object_from_lists: argument 1 must be a list of texts, not array",
        ),
        ("lookup(list, text)", "lookup: argument 2 must be a number, not string"),
        ("lookup(list, `0.5`)", "lookup: argument 2 must be a whole number, not number"),
        ("label_match(list, map)", "label_match: argument 1 must be a map, not array"),
        ("to_boolean('1')", "to_boolean: `1` is not `true` or `false`"),
        ("to_boolean(yes)", "to_boolean: argument 1 must be a text, not boolean"),
    ]);
    for broken in ["parse_json('{')", "parse_json('{\"a\": 1, \"a\": 2}')", "parse_yaml('a: [')"] {
        assert!(evaluate(broken, &json!({})).is_err(), "{broken}");
    }
}

/// A quoted expression is an argument: its value is a text, and it sees the whole document.
#[test]
fn quoted_expressions() {
    all_are(&[
        ("to_upper('{{ text }}')", json!("WEB")),
        ("to_upper(' {{text}} ')", json!("WEB")),
        ("truncate('{{ number }}', `1`)", json!("3")),
        ("to_boolean('{{ yes }}')", json!(true)),
        ("parse_json('{{ map }}').b", json!("x")),
        ("to_upper('{{ \"n.m\" }}')", json!("1")),
        ("time_diff('{{ time_add(time, `\"1h\"`) }}', '{{ time }}')", json!("-1h0m0s")),
        ("['{{ text }}'][0] || none", json!("Web")),
        ("'{{ text }}' == 'Web' && lookup(map, '{{ list[0] }}')", json!(1)),
    ]);
    none_is(&[
        ("to_upper('{{ none }}')", "a quoted expression has no value"),
        ("to_upper('{{ map.c }}')", "a quoted expression has no value"),
    ]);
    let expression = Expression::parse_quoting("to_upper('{{ text.a }}')").unwrap();
    assert_eq!(expression.variables(), [["text", "a"]]);
}
