//! Numbers, Kubernetes quantities and Go durations: reading and writing them.
//!
//! Everything is exact: a number is a count of billionths in 128 bits; what does not fit is not a number.

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
