//! Kubernetes quantities by value: `1000` = `1k`, `0.5Gi` = `512Mi`.

use serde_json::Value;

/// Digits of a mantissa that are compared by value. Kubernetes itself keeps 18; more are not a number
/// it would rewrite, so such values must be equal as text.
const DIGITS: usize = 18;

/// Whether two values are the same quantity. Only texts and numbers are quantities at all.
pub(in crate::manifest) fn same(signed: &Value, found: &Value) -> bool {
    matches!((read(signed), read(found)), (Some(a), Some(b)) if a == b)
}

/// A number without trailing zeros: `negative`, digits, power of ten. Unique for every value.
type Exact = (bool, u128, i32);

fn read(value: &Value) -> Option<Exact> {
    match value {
        Value::String(text) => parse(text),
        Value::Number(number) => parse(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reads `<sign><digits>.<digits><suffix>`; the suffix is binary, decimal or an exponent.
fn parse(text: &str) -> Option<Exact> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > DIGITS || fraction.contains('.') {
        return None;
    }
    let (binary, decimal) = scale(suffix)?;
    let mantissa = digits.parse::<u128>().ok()? << binary;
    let exponent = decimal.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    Some(normal(negative, mantissa, exponent))
}

fn normal(negative: bool, mut mantissa: u128, mut exponent: i32) -> Exact {
    if mantissa == 0 {
        return (false, 0, 0);
    }
    while mantissa.is_multiple_of(10) {
        mantissa /= 10;
        exponent += 1;
    }
    (negative, mantissa, exponent)
}

/// The powers of two and of ten that a suffix stands for. 18 digits and 2^60 fit 128 bits.
fn scale(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        other => (0, exponent(other)?),
    })
}

fn exponent(suffix: &str) -> Option<i32> {
    let digits = suffix.strip_prefix(['e', 'E'])?;
    let power = digits.parse::<i32>().ok()?;
    (-99..=99).contains(&power).then_some(power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_equal_by_value_and_only_then() {
        for (a, b) in [
            (json!("1000"), json!("1k")),
            (json!(1), json!("1")),
            (json!(0.1), json!("100m")),
            (json!(1e3), json!("1k")),
            (json!("0.5Gi"), json!("512Mi")),
            (json!("1024Mi"), json!("1Gi")),
            (json!("1.5"), json!("1500m")),
            (json!("1E"), json!("1e18")),
            (json!("-0"), json!("0")),
        ] {
            assert!(same(&a, &b), "{a} {b}");
        }
        for (a, b) in [
            (json!("1G"), json!("1Gi")),
            (json!("1"), json!("-1")),
            (json!("1"), json!("1m")),
            (json!(true), json!("1")),
            (json!(""), json!("0")),
            (json!("."), json!("0")),
            (json!("1.2.3"), json!("1.23")),
            (json!("1e999"), json!("1e999")),
            (json!("1 "), json!("1")),
            (json!("é"), json!("é")),
            (json!("9999999999999999999"), json!("9999999999999999999")),
        ] {
            assert!(!same(&a, &b), "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(a in ".*", b in "[0-9.eEkKMGimnu+-]{0,30}") {
            let _ = same(&Value::String(a), &Value::String(b));
        }
    }
}
