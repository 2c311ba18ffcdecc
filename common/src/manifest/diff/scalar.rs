//! When two scalars are one value.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// What Go calls the zero value of a boolean, a number or a text.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Equal scalars. Numbers are equal only in the same representation: as floats, 2^53 and 2^53 + 1
/// would be one number.
pub(super) fn same_scalar(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        _ => false,
    }
}

/// Whether a float without fraction and an integer are the same number, where floats are exact.
pub(super) fn same_whole(a: &Number, b: &Number) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let (float, integer) = match (a.is_f64(), b.is_f64()) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        (true, true) | (false, false) => return false,
    };
    let (Some(float), Some(integer)) = (float.as_f64(), integer.as_i64()) else { return false };
    #[expect(clippy::cast_possible_truncation, reason = "below 2^53 and without fraction, checked first")]
    let same = || (float as i64).cmp(&integer) == Ordering::Equal;
    float.abs() < EXACT && float.fract() == 0.0 && same()
}
