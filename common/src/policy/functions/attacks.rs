use std::time::Instant;

use jmespath::ToJmespath as _;
use proptest::strategy::Strategy as _;
use serde_json::json;

use super::tests::{NOW, evaluate};
use super::*;
use crate::limits;
use crate::policy::expression::Expression;

/// Attack: were the value written into the text of the expression, this one would end its quotes, and the
/// expression would go on as one that is always young enough.
#[test]
fn a_quoted_value_cannot_end_its_quotes() {
    let fresh = "2023-11-14T22:13:20Z";
    let attack = format!("{fresh}', '') || time_since('', '{fresh}");
    let expression = "time_since('', '{{ finished }}', '')";
    let spliced = expression.replace("{{ finished }}", &attack);
    assert_eq!(evaluate(&spliced, &json!({})), Ok(json!("500ms")), "the attack works on texts");
    let error = evaluate(expression, &json!({ "finished": attack })).unwrap_err();
    assert!(error.ends_with("is not a time (RFC 3339)"), "{error}");
    for value in ["'", "\\", "\\'", "'}}{{'", "{{ secret }}", "` | \"", "a' == 'a"] {
        let document = json!({ "value": value, "secret": "s" });
        assert_eq!(evaluate("trim('{{ value }}', '')", &document), Ok(json!(value)));
        assert_eq!(evaluate("'{{ value }}' == value", &document), Ok(json!(true)));
    }
}

#[test]
fn texts_are_bounded() {
    let document = json!({
        "long": "a".repeat(limits::FUNCTION_TEXT_BYTES), "longer": "a".repeat(limits::FUNCTION_TEXT_BYTES + 1),
        "searched": "a".repeat(limits::SEARCHED_BYTES), "groups": "$0".repeat(2_000),
        "list": vec!["a".repeat(100_000); 2], "pattern": "a".repeat(limits::PATTERN_BYTES + 1),
    });
    assert!(evaluate("to_upper(long)", &document).is_ok());
    for expression in [
        "to_upper(longer)",
        "to_upper('{{ longer }}')",
        "trim('{{ [long, long] }}', '')",
        "base64_encode(long)",
        "replace_all(long, 'a', 'bb')",
        "replace_all(long, '', 'b')",
        "regex_match('a', long)",
        "regex_replace_all('a*', searched, groups)",
        "regex_replace_all('a', searched, groups)",
        "regex_replace_all_literal('a', searched, searched)",
        "regex_replace_all('a', searched, long)",
    ] {
        assert!(
            evaluate(expression, &document).unwrap_err().ends_with("a text that is too long"),
            "{expression}"
        );
    }
    for expression in ["regex_match(pattern, 'a')", "pattern_match(pattern, 'a')"] {
        assert!(evaluate(expression, &document).unwrap_err().contains("the pattern is longer than"));
    }
}

/// Attack: a list whose every element costs what is honest once.
#[test]
fn all_calls_together_are_bounded() {
    let started = Instant::now();
    let nodes = "[],".repeat(limits::FUNCTION_TEXT_BYTES / 3);
    let document = json!({
        "long": vec!["a".repeat(limits::FUNCTION_TEXT_BYTES); 64],
        "nodes": vec![format!("[{}]", nodes.trim_end_matches(',')); 8],
        "patterns": (0..5_000).map(|n| format!("{n}(a{{9}}){{9}}")).collect::<Vec<_>>(),
        "stars": vec!["a".repeat(100_000); 64],
        "numbers": vec![1; 100_000],
        "many": (0..600_000).map(|n| json!([n])).collect::<Vec<_>>(),
    });
    for expression in [
        "map(&to_upper(@), long)",
        "map(&split(@, ''), long)",
        "map(&parse_json(@), nodes)",
        "map(&parse_yaml(@), nodes)",
        "map(&regex_match(@, 'x'), patterns)",
        &format!("map(&pattern_match('*{}b', @), stars)", "a".repeat(400)),
        "items(many, 'a', 'b')",
    ] {
        let error = evaluate(expression, &document).unwrap_err();
        assert!(error.ends_with("read and write too much"), "{expression}: {error}");
    }
    assert!(evaluate("sum(numbers)", &document).is_ok());
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// What one scope spends, all its expressions share.
#[test]
fn a_scope_spends_once() {
    let functions = Functions::at(NOW);
    let document = json!({ "long": "a".repeat(limits::FUNCTION_TEXT_BYTES) }).to_jmespath().unwrap();
    let expression = Expression::parse("trim(long, '')").unwrap();
    let spent = (0..100).take_while(|_| expression.evaluate(&document, &functions).is_ok()).count();
    assert!((20..=32).contains(&spent), "{spent}");
}

/// What a function could stumble over.
const TRAPS: [&str; 28] = [
    "",
    "-",
    ".",
    "0",
    "-0",
    "1e38",
    "-1e-38",
    "170141183460469231731687303715",
    "9e18",
    "Ki",
    "1Ei",
    "-1E",
    "1h",
    "-9999999999999h",
    "1ns",
    ".s",
    "µs",
    "9999-12-31T23:59:59.999999999-23:59",
    "0000-01-01T00:00:00+23:59",
    "2006-01-02T15:04:05.000Z07:00",
    "_2 é.99",
    "1700000000",
    "(?x)[",
    "$1${",
    "\u{0}",
    "ſß",
    "[[]]",
    "a: &a [*a]",
];

proptest::proptest! {
    #[test]
    fn no_argument_panics(
        function in proptest::sample::select(entries().map(|entry| (entry.name, entry.arguments)).collect::<Vec<_>>()),
        arguments in proptest::collection::vec(
            proptest::prop_oneof![
                4 => proptest::sample::select(TRAPS.to_vec()).prop_map(|text| json!(text)),
                1 => proptest::prelude::any::<f64>().prop_map(|number| json!(number)),
                1 => proptest::prelude::any::<i64>().prop_map(|number| json!(number)),
                1 => "\\PC{0,12}".prop_map(|text| json!(text)),
                1 => proptest::sample::select(TRAPS.to_vec()).prop_map(|text| json!([text, {text: [1]}])),
                1 => proptest::sample::select(TRAPS.to_vec()).prop_map(|text| json!({text: text})),
            ],
            4,
        ),
    ) {
        let (name, count) = function;
        let arguments: Vec<Rcvar> = arguments[..count].iter().map(|value| value.to_jmespath().unwrap()).collect();
        let functions = Functions::at(NOW);
        let mut context = Context::new("", functions.runtime());
        let _ = functions.runtime().get_function(name).unwrap().evaluate(&arguments, &mut context);
    }
}
