//! Trees and objects that try every corner of YAML and JSON.

use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

/// Texts that some YAML reader takes for something else, or that end a scalar early.
#[rustfmt::skip]
const TRAPS: &[&str] = &[
    "", " ", "yes", "No", "on", "OFF", "y", "N", "true", "False", "null", "~", "Null", "0644", "0o17",
    "0x1F", "1_000", "1e3", "-0", "+1", ".5", "1.", ".inf", "-.INF", ".NaN", "1:30", "190:20:30",
    "2001-01-01", "2001-12-14t21:59:43.10-05:00", "=", "<<", "---", "...", "--- x", "- a", "? a", ": a",
    "a: b", "a #b", "#a", "&a", "*a", "!!str x", "!a", "%YAML 1.1", "|", ">-", "@a", "`a`", "'", "\"", "\\",
    "{a: b}", "[a]", "a,b", "\n", "a\n", "\na", " a\n b\n", "a\n\n", "a\r\nb", "a\tb", "\t", "a ", " a",
    "\u{7f}", "\u{85}", "\u{2028}x", "\u{feff}", "\u{0}", "\u{1b}[31m", "\u{1f600}", "e\u{301}", "\u{fffd}",
    "\u{10ffff}",
];

/// A text: a trap, something a person would write, or anything at all.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(TRAPS).prop_map(str::to_owned),
        3 => "[a-z][a-zA-Z0-9./_-]{0,20}",
        1 => "[ -~\n\t]{0,120}",
        1 => any::<String>(),
    ]
}

/// Integers at which some reader loses digits.
const EDGES: &[i64] = &[i64::MIN, -1, 0, 1, 9_007_199_254_740_993, i64::MAX];

/// Numbers as our reader gives them back: a float without a fraction is an integer where 64 bits hold it.
fn number() -> impl Strategy<Value = Number> {
    let float = prop_oneof![any::<f64>(), -1e6..1e6, Just(1e300), Just(5e-324), Just(0.1 + 0.2)];
    let float = float.prop_filter_map("an integer", |float| {
        let integer = float.fract() == 0.0 && (-9.3e18..9.3e18).contains(&float);
        Number::from_f64(float).filter(|_| !integer)
    });
    prop_oneof![
        prop::sample::select(EDGES).prop_map(Number::from),
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        float,
    ]
}

/// A scalar that is not `null`.
pub(super) fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        number().prop_map(Value::Number),
        any::<bool>().prop_map(Value::from)
    ]
}

/// A tree over these leaves: lists and maps, nested and empty.
pub(super) fn tree(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Any JSON value.
pub(super) fn value() -> impl Strategy<Value = Value> {
    tree(prop_oneof![9 => scalar(), 1 => Just(Value::Null)])
}

fn texts() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(text(), text(), 1..4)
        .prop_map(|map| map.into_iter().map(|(key, text)| (key, json!(text))).collect())
}

/// A custom resource: no table says what a server does to it, so nothing about it may differ.
pub(super) fn custom_resource() -> impl Strategy<Value = Value> {
    let name = text().prop_filter("a name", |name| !name.is_empty());
    let parts = (name, "[a-z]{0,8}", texts(), texts(), tree(scalar()), tree(scalar()));
    parts.prop_map(|(name, namespace, labels, annotations, spec, status)| {
        json!({"apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations},
            "spec": {"top": spec, "replicas": 1}, "status": status})
    })
}
