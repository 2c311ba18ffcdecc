//! Durations as people say them.

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
/// From so many days on, hours say nothing to people.
const MANY: u64 = 30;

/// The text with a duration at its end in days: `330 days` for `7940h13m26.07s`, `LessThan 7 days` for
/// `LessThan 168h`. Any other text, and what is shorter than two days, stays as it is.
#[must_use]
pub fn readable(text: &str) -> String {
    let start = text.rfind(' ').map_or(0, |space| space + 1);
    let (before, duration) = text.split_at(start);
    format!("{before}{}", in_days(duration))
}

fn in_days(text: &str) -> String {
    let Some(seconds) = seconds(text).filter(|seconds| *seconds >= 2 * DAY) else { return text.to_owned() };
    let (days, hours) = (seconds / DAY, seconds % DAY / HOUR);
    if hours == 0 || days >= MANY { format!("{days} days") } else { format!("{days} days and {hours} h") }
}

/// The whole seconds of a Go duration that counts in hours, minutes and seconds.
fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    if !text.contains('h') {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let scale = match after.chars().next()? {
            'h' => HOUR,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        let whole: u64 = number.split('.').next()?.parse().ok()?;
        total = total.checked_add(whole.checked_mul(scale)?)?;
        rest = after.get(1..)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn days_are_said_as_days() {
        for (text, said) in [
            ("7940h13m26.07s", "330 days"),
            ("168h", "7 days"),
            ("168h0m0s", "7 days"),
            ("LessThanOrEquals 168h", "LessThanOrEquals 7 days"),
            ("169h30m0s", "7 days and 1 h"),
            ("47h59m59s", "47h59m59s"),
            ("90s", "90s"),
            ("1h0.5m", "1h0.5m"),
            ("", ""),
            ("h", "h"),
            ("99999999999999999999h", "99999999999999999999h"),
            ("72h of work", "72h of work"),
            ("sha256:72h", "sha256:72h"),
        ] {
            assert_eq!(readable(text), said, "{text}");
        }
    }
}
