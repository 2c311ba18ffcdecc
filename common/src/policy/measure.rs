//! Numbers, Kubernetes quantities and Go durations: reading and writing them.
//!
//! Everything is exact: a number is a count of billionths in 128 bits; what does not fit is not a number.

use serde_json::Number;

/// Billionths of one, and nanoseconds of a second.
pub(super) const UNIT: i128 = 1_000_000_000;

/// A Go duration in nanoseconds: `1h30m`, `1.5s`, `-2ms`. A bare number is none.
pub(super) fn duration(text: &str) -> Option<i128> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", UNIT),
        ("m", 60 * UNIT),
        ("h", 3_600 * UNIT),
    ];
    let (negative, mut rest) = signed(text);
    let mut total: i128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let after = &rest[digits..];
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == &after[..unit])?;
        total = total.checked_add(decimal(&rest[..digits])?.checked_mul(*scale)? / UNIT)?;
        rest = &after[unit..];
    }
    Some(if negative { -total } else { total })
}

/// A number or Kubernetes quantity in billionths: `1.5`, `2e3`, `100m`, `1Ki`.
pub(super) fn quantity(text: &str) -> Option<i128> {
    let (negative, text) = signed(text);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let value = scaled(decimal(&text[..digits])?, &text[digits..])?;
    Some(if negative { -value } else { value })
}

fn scaled(value: i128, suffix: &str) -> Option<i128> {
    let power = |base: i128, exponent: u32| value.checked_mul(base.checked_pow(exponent)?);
    match suffix {
        "" => Some(value),
        "n" => Some(value / UNIT),
        "u" => Some(value / 1_000_000),
        "m" => Some(value / 1_000),
        "k" => power(1_000, 1),
        "M" => power(1_000, 2),
        "G" => power(1_000, 3),
        "T" => power(1_000, 4),
        "P" => power(1_000, 5),
        "E" => power(1_000, 6),
        "Ki" => power(1_024, 1),
        "Mi" => power(1_024, 2),
        "Gi" => power(1_024, 3),
        "Ti" => power(1_024, 4),
        "Pi" => power(1_024, 5),
        "Ei" => power(1_024, 6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let factor = 10_i128.checked_pow(exponent.unsigned_abs())?;
            if exponent < 0 { Some(value / factor) } else { value.checked_mul(factor) }
        }
    }
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// `12`, `1.5`, `.5` in billionths; finer digits are cut off.
fn decimal(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let billionths: i128 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    whole.checked_mul(UNIT)?.checked_add(billionths)
}

/// How Kubernetes writes a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuantityFormat {
    /// `1Ki`, `1Mi`, ….
    Binary,
    /// `100m`, `1k`, `1M`, ….
    Decimal,
    /// `1e3`, `1e6`, ….
    Exponent,
}

impl QuantityFormat {
    /// The format a quantity is written in.
    pub(super) fn of(text: &str) -> Self {
        if text.ends_with('i') {
            Self::Binary
        } else if text
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-')
            .ends_with(['e', 'E'])
            && !text.ends_with(['e', 'E'])
        {
            Self::Exponent
        } else {
            Self::Decimal
        }
    }

    /// Writes billionths as Kubernetes does: no fraction, the largest suffix that needs none.
    pub(super) fn write(self, billionths: i128) -> String {
        const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        const EXPONENT: [&str; 10] = ["e-9", "e-6", "e-3", "", "e3", "e6", "e9", "e12", "e15", "e18"];
        if billionths == 0 {
            return "0".to_owned();
        }
        let (whole, fraction) = (billionths / UNIT, billionths % UNIT);
        let (value, base, suffixes) = match self {
            Self::Binary if fraction == 0 && whole.abs() >= 1_024 => (whole, 1_024, BINARY.as_slice()),
            Self::Binary | Self::Decimal => (billionths, 1_000, DECIMAL.as_slice()),
            Self::Exponent => (billionths, 1_000, EXPONENT.as_slice()),
        };
        let (mut value, mut suffixes) = (value, suffixes.iter());
        let mut suffix = suffixes.next().copied().unwrap_or_default();
        while value % base == 0
            && let Some(next) = suffixes.next()
        {
            (value, suffix) = (value / base, next);
        }
        format!("{value}{suffix}")
    }
}

/// Nanoseconds as Go writes a duration: `71h59m0s`, `1.5s`, `20ms`, `0s`.
pub(super) fn write_duration(nanoseconds: i128) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let second = UNIT.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    if total < second {
        let (scale, unit) = match total {
            ..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            1_000_000.. => (1_000_000, "ms"),
        };
        return format!("{sign}{}{unit}", with_fraction(total, scale));
    }
    let (minutes, rest) = (total / (60 * second), total % (60 * second));
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let seconds = with_fraction(rest, second);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// Billionths as a number of JSON: whole where it is whole.
pub(super) fn to_number(billionths: i128) -> Option<Number> {
    if billionths % UNIT == 0
        && let Ok(whole) = i64::try_from(billionths / UNIT)
    {
        return Some(whole.into());
    }
    Number::from_f64(write_number(billionths).parse().ok()?)
}

/// Billionths in digits: `-1.5`.
pub(super) fn write_number(billionths: i128) -> String {
    let sign = if billionths < 0 { "-" } else { "" };
    format!("{sign}{}", with_fraction(billionths.unsigned_abs(), UNIT.unsigned_abs()))
}

/// `value / scale` in digits; `scale` is a power of ten.
fn with_fraction(value: u128, scale: u128) -> String {
    let fraction = value % scale;
    if fraction == 0 {
        return (value / scale).to_string();
    }
    // The leading one keeps the zeros behind the point.
    let digits = (scale + fraction).to_string();
    format!("{}.{}", value / scale, digits[1..].trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for text in
            ["0s", "1ns", "1.5µs", "20ms", "1s", "1.000000001s", "1m0s", "-1m30s", "71h59m0s", "1h0m0.5s"]
        {
            assert_eq!(write_duration(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn quantities_are_written_as_kubernetes_writes_them() {
        let cases = [
            ("0Gi", "0"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1000Ki", "1000Ki"),
            ("0.5Ki", "512"),
            ("1500", "1500"),
            ("3000", "3k"),
            ("0.1", "100m"),
            ("-1500m", "-1500m"),
            ("1e3", "1e3"),
            ("15e5", "1500e3"),
            ("1E", "1E"),
        ];
        for (typed, expected) in cases {
            assert_eq!(QuantityFormat::of(typed).write(quantity(typed).unwrap()), expected, "{typed}");
        }
    }

    #[test]
    fn numbers_are_whole_where_they_are() {
        for text in ["0", "3", "-7", "1.5", "-0.25", "100000000000"] {
            let billionths = quantity(text).unwrap();
            assert_eq!(to_number(billionths).unwrap().to_string(), text);
            assert_eq!(write_number(billionths), text);
        }
        assert_eq!(to_number(i128::MAX).unwrap().to_string(), "1.7014118346046924e+29");
    }
}
