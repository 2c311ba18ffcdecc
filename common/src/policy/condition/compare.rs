//! How two values compare: numbers, Kubernetes quantities, Go durations, versions, wildcard texts.

use std::cmp::Ordering;

use serde_json::Value;

use crate::policy::measure::{duration, quantity};
use crate::policy::template::show;
use crate::policy::wildcard;

/// Whether a value is what is expected. Texts are compared as durations or quantities where both are,
/// else by wildcard; *only* the expectation is a pattern: attack: an object that calls itself `*`.
pub(super) fn equal(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Array(a), Value::Array(b)) => a == b,
        (Value::Object(a), Value::Object(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Array(_) | Value::Object(_) | Value::Bool(_), _)
        | (_, Value::Array(_) | Value::Object(_) | Value::Bool(_)) => false,
        (Value::Null | Value::Number(_) | Value::String(_), _) => {
            compare(found, expected) == Some(Ordering::Equal)
                || wildcard::matches(&show(expected), &show(found))
        }
    }
}

/// How two values compare; `None` when they do not.
pub(super) fn compare(found: &Value, expected: &Value) -> Option<Ordering> {
    let (a, b) = (scalar(found)?, scalar(expected)?);
    if let Some((a, b)) = durations(found, &a, expected, &b) {
        return Some(a.cmp(&b));
    }
    match (quantity(&a), quantity(&b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (None, _) | (_, None) => Some(version(&a)?.cmp(&version(&b)?)),
    }
}

/// Whether a value is one of a set: a list of values, a JSON list in a text, or one value. A text
/// `1-10` in the set is a range.
pub(super) fn contains(set: &Value, value: &Value) -> bool {
    match set {
        Value::Array(list) => list.iter().any(|item| is_item(value, item)),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(list)) => list.iter().any(|item| is_item(value, item)),
            Ok(_) | Err(_) => is_item(value, set),
        },
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => is_item(value, set),
    }
}

/// Members of sets are compared as texts (`true` is in `["true"]`), with the item as the pattern.
fn is_item(value: &Value, item: &Value) -> bool {
    wildcard::matches(&show(item), &show(value)) || item.as_str().is_some_and(|range| in_range(value, range))
}

fn in_range(value: &Value, range: &str) -> bool {
    let Some((low, high)) = range.split_once('-') else { return false };
    match (quantity(low.trim()), quantity(high.trim()), quantity(&show(value))) {
        (Some(low), Some(high), Some(value)) => low <= value && value <= high,
        (None, _, _) | (_, None, _) | (_, _, None) => false,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Both as durations: at least one is a duration, the other one too or a number of seconds.
fn durations(found: &Value, a: &str, expected: &Value, b: &str) -> Option<(i128, i128)> {
    let seconds = |value: &Value, text: &str| value.is_number().then(|| quantity(text)).flatten();
    match (duration(a), duration(b)) {
        (Some(a), Some(b)) => Some((a, b)),
        (Some(a), None) => Some((a, seconds(expected, b)?)),
        (None, Some(b)) => Some((seconds(found, a)?, b)),
        (None, None) => None,
    }
}

/// `1.5.2-rc.1+build`: its numbers, then whether it is a release, then the pre-release parts.
type Version = ([u64; 3], bool, Vec<PreRelease>);

/// Numbers come before words (semver 2.0.0, 11).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum PreRelease {
    Number(u64),
    Word(String),
}

fn version(text: &str) -> Option<Version> {
    let text = text.split_once('+').map_or(text, |(before, _)| before);
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    let numbers: Vec<u64> = core.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let part = |part: &str| match part.parse() {
        Ok(number) => PreRelease::Number(number),
        Err(_) => PreRelease::Word(part.to_owned()),
    };
    let pre: Vec<PreRelease> = pre.map(|pre| pre.split('.').map(part).collect()).unwrap_or_default();
    Some((numbers.try_into().ok()?, pre.is_empty(), pre))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_compare_by_what_they_mean() {
        use Ordering::{Equal, Greater, Less};
        let cases = [
            (json!(10), json!(1), Some(Greater)),
            (json!(1.5), json!(1), Some(Greater)),
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64), Some(Greater)),
            (json!("1025"), json!("1Ki"), Some(Greater)),
            (json!("1Gi"), json!("1024Mi"), Some(Equal)),
            (json!("100m"), json!("0.1"), Some(Equal)),
            (json!("1e3"), json!(1000), Some(Equal)),
            (json!("1h"), json!("60m"), Some(Equal)),
            (json!("1h"), json!(3600), Some(Equal)),
            (json!(60), json!("1.5m"), Some(Less)),
            (json!("-1h"), json!("1ns"), Some(Less)),
            (json!("10"), json!(1), Some(Greater)),
            (json!("1.5.2"), json!("1.5.10"), Some(Less)),
            (json!("1.5.0-rc.2"), json!("1.5.0-rc.10"), Some(Less)),
            (json!("1.5.0-rc.1"), json!("1.5.0"), Some(Less)),
            (json!("text"), json!(1), None),
            (json!(true), json!(true), None),
            (json!("9".repeat(60)), json!(1), None),
            (json!(""), json!(1), None),
            (json!("."), json!(1), None),
            (json!("1e999999"), json!(1), None),
        ];
        for (a, b, expected) in cases {
            assert_eq!(compare(&a, &b), expected, "{a} {b}");
            assert_eq!(compare(&b, &a), expected.map(Ordering::reverse), "{b} {a}");
        }
    }

    #[test]
    fn only_the_expectation_is_a_pattern() {
        let cases = [
            (json!("web"), json!("w*"), true),
            (json!("*"), json!("web"), false),
            (json!(1), json!("1"), true),
            (json!(1), json!("2"), false),
            (json!("string"), json!(1), false),
            (json!(true), json!("true"), false),
            (json!(true), json!(true), true),
            (json!("1.5.2"), json!("1.5.*"), true),
            (json!(null), json!(""), true),
            (json!(null), json!("x"), false),
            (json!(["a", "b"]), json!(["b", "a"]), false),
            (json!({"a": 1}), json!({"a": 1}), true),
        ];
        for (found, expected, answer) in cases {
            assert_eq!(equal(&found, &expected), answer, "{found} {expected}");
        }
    }

    #[test]
    fn sets_are_lists_texts_and_ranges() {
        let cases = [
            (json!(["a", "b*"]), json!("bc"), true),
            (json!(["a"]), json!("*"), false),
            (json!(r#"["a", "b"]"#), json!("b"), true),
            (json!("a*"), json!("ab"), true),
            (json!("1-10"), json!(5), true),
            (json!("1-10"), json!("11"), false),
            (json!("1Mi-1Gi"), json!("5Mi"), true),
            (json!([1, 2]), json!("2"), true),
            (json!([true]), json!(true), true),
            (json!(null), json!("a"), false),
        ];
        for (set, value, answer) in cases {
            assert_eq!(contains(&set, &value), answer, "{set} {value}");
        }
    }
}
