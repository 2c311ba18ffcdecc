//! Times as texts, by the layouts of Go: a layout writes 2 January 2006, 15:04:05 as a time is written.

use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use jiff::{Span, Timestamp};

use super::call::FunctionError;
use crate::policy::measure::UNIT;

/// RFC 3339.
pub(super) const RFC3339: &str = "2006-01-02T15:04:05Z07:00";

const EPOCH: Date = Date::constant(1970, 1, 1);
/// Nanoseconds.
const DAY: i128 = 86_400 * UNIT;

/// A time and the offset it is written with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// Nanoseconds since 1970. Not a `Timestamp`, which ends a day before the `9999-12-31T23:59:59Z` that
    /// is written for "never".
    pub(super) nanoseconds: i128,
    /// The offset from UTC it is written with.
    pub(super) offset: Offset,
}

/// A part of a layout.
#[derive(Clone, Copy)]
enum Part {
    Year,
    ShortYear,
    Month,
    MonthName,
    ShortMonthName,
    Day,
    PaddedDay,
    WeekdayName,
    ShortWeekdayName,
    Hour,
    Minute,
    Second,
    /// `Z` or an offset.
    ZuluOr(Separator),
    Offset(Separator),
    ZoneName,
}

/// What stands between the hours and the minutes of an offset.
type Separator = &'static str;

/// Longer ones before those they begin with.
const PARTS: [(&str, Part); 17] = [
    ("2006", Part::Year),
    ("Z07:00", Part::ZuluOr(":")),
    ("Z0700", Part::ZuluOr("")),
    ("-07:00", Part::Offset(":")),
    ("-0700", Part::Offset("")),
    ("January", Part::MonthName),
    ("Jan", Part::ShortMonthName),
    ("Monday", Part::WeekdayName),
    ("Mon", Part::ShortWeekdayName),
    ("MST", Part::ZoneName),
    ("01", Part::Month),
    ("02", Part::Day),
    ("_2", Part::PaddedDay),
    ("15", Part::Hour),
    ("04", Part::Minute),
    ("05", Part::Second),
    ("06", Part::ShortYear),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Moment {
    /// Reads a time. What the layout does not say is that of 1 January 0, 00:00 UTC, as in Go.
    pub(super) fn parse(layout: &str, text: &str) -> Result<Self, FunctionError> {
        let mut reader = Reader::new(text);
        let mut left = layout;
        while !left.is_empty() {
            let (step, rest) = Step::first_of(left)
                .ok_or_else(|| FunctionError::Layout(layout.chars().take(80).collect()))?;
            reader.read(step).ok_or_else(|| unreadable(layout, text))?;
            left = rest;
        }
        reader.finish().ok_or_else(|| unreadable(layout, text))
    }

    /// A time, written in UTC.
    pub(super) fn utc(at: Timestamp) -> Self {
        Self { nanoseconds: at.as_nanosecond(), offset: Offset::UTC }
    }

    /// Writes it as RFC 3339 without a fraction.
    pub(super) fn write(self) -> Result<String, FunctionError> {
        let local = self.nanoseconds + i128::from(self.offset.seconds()) * UNIT;
        let days = i32::try_from(local.div_euclid(DAY)).ok();
        let days = days.and_then(|days| Span::new().try_days(days).ok());
        let date = days.and_then(|days| EPOCH.checked_add(days).ok());
        let date = date.filter(|date| date.year() >= 0).ok_or(FunctionError::OutOfRange)?;
        let second = local.rem_euclid(DAY) / UNIT;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let zone = match self.offset.seconds() / 60 {
            0 => "Z".to_owned(),
            minutes => {
                let sign = if minutes < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
        };
        let (year, month, day) = (date.year(), date.month(), date.day());
        Ok(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}"))
    }
}

/// A step of reading.
#[derive(Clone, Copy)]
enum Step<'l> {
    /// A part, and the fraction that follows it in the layout.
    Part(Part, &'l str),
    Literal(char),
}

impl<'l> Step<'l> {
    /// The first step of a layout, and what is left of it; `None` for a part that is not known here.
    fn first_of(layout: &'l str) -> Option<(Self, &'l str)> {
        let part = PARTS.iter().find_map(|(typed, part)| Some((*part, layout.strip_prefix(typed)?)));
        if let Some((part, rest)) = part {
            let fraction = if matches!(part, Part::Second) { fraction_of(rest) } else { "" };
            return Some((Self::Part(part, fraction), &rest[fraction.len()..]));
        }
        let first = layout.chars().next()?;
        // Digits would be parts as well.
        let unknown = first.is_ascii_digit() || layout.starts_with("PM") || layout.starts_with("pm");
        (!unknown).then(|| (Self::Literal(first), &layout[first.len_utf8()..]))
    }
}

fn unreadable(layout: &str, text: &str) -> FunctionError {
    let expected = if layout == RFC3339 { "a time (RFC 3339)" } else { "a time of that layout" };
    FunctionError::unreadable(text, expected)
}

/// The fraction a layout begins with: `.000` has just so many digits, `.999` as many as there are.
fn fraction_of(layout: &str) -> &str {
    let digits = layout.strip_prefix('.').unwrap_or_default();
    let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let uniform = ['0', '9'].iter().any(|digit| digits[..length].chars().all(|c| c == *digit));
    if length > 0 && uniform { &layout[..=length] } else { "" }
}

/// Reads a time from left to right.
struct Reader<'t> {
    rest: &'t str,
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    offset: Offset,
}

impl<'t> Reader<'t> {
    fn new(rest: &'t str) -> Self {
        let (year, month, day) = (0, 1, 1);
        let (hour, minute, second, nanosecond) = (0, 0, 0, 0);
        Self { rest, year, month, day, hour, minute, second, nanosecond, offset: Offset::UTC }
    }

    fn read(&mut self, step: Step<'_>) -> Option<()> {
        match step {
            Step::Part(part, fraction) => self.part(part, fraction),
            Step::Literal(literal) => {
                self.rest = self.rest.strip_prefix(literal)?;
                Some(())
            }
        }
    }

    fn part(&mut self, part: Part, layout_fraction: &str) -> Option<()> {
        match part {
            Part::Year => self.year = self.digits(4)?,
            Part::ShortYear => {
                let short: i16 = self.digits(2)?;
                self.year = if short >= 69 { 1900 + short } else { 2000 + short };
            }
            Part::Month => self.month = self.digits(2)?,
            Part::MonthName => self.month = self.name(&MONTHS, None)?,
            Part::ShortMonthName => self.month = self.name(&MONTHS, Some(3))?,
            Part::Day => self.day = self.digits(2)?,
            Part::PaddedDay => {
                self.day = match self.rest.strip_prefix(' ') {
                    Some(rest) => {
                        self.rest = rest;
                        self.digits(1)?
                    }
                    None => self.digits(2)?,
                };
            }
            Part::WeekdayName => _ = self.name(&WEEKDAYS, None)?,
            Part::ShortWeekdayName => _ = self.name(&WEEKDAYS, Some(3))?,
            Part::Hour => self.hour = self.digits(2)?,
            Part::Minute => self.minute = self.digits(2)?,
            Part::Second => {
                self.second = self.digits(2)?;
                self.fraction(layout_fraction)?;
            }
            Part::ZuluOr(separator) => match self.rest.strip_prefix('Z') {
                Some(rest) => self.rest = rest,
                None => self.offset(separator)?,
            },
            Part::Offset(separator) => self.offset(separator)?,
            // Other abbreviations mean different offsets in different places.
            Part::ZoneName => {
                self.rest = self.rest.strip_prefix("UTC").or_else(|| self.rest.strip_prefix("GMT"))?;
            }
        }
        Some(())
    }

    /// Exactly so many digits.
    fn digits<N: std::str::FromStr>(&mut self, count: usize) -> Option<N> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    }

    /// The number of a name, from 1.
    fn name(&mut self, names: &[&str], length: Option<usize>) -> Option<i8> {
        for (name, number) in names.iter().zip(1..) {
            let name = length.map_or(*name, |length| &name[..length]);
            if let Some(rest) = self.rest.strip_prefix(name) {
                self.rest = rest;
                return Some(number);
            }
        }
        None
    }

    /// Seconds may have a fraction whether the layout says so or not; digits beyond nanoseconds are cut off.
    fn fraction(&mut self, layout: &str) -> Option<()> {
        let digits = self.rest.strip_prefix('.').unwrap_or_default();
        let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        if layout.contains('0') && length + 1 != layout.len() {
            return None;
        }
        if length > 0 {
            self.nanosecond = format!("{:0<9}", &digits[..length.min(9)]).parse().ok()?;
            self.rest = &digits[length..];
        }
        Some(())
    }

    fn offset(&mut self, separator: Separator) -> Option<()> {
        let sign = match self.rest.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.rest = &self.rest[1..];
        let hours: i32 = self.digits(2)?;
        self.rest = self.rest.strip_prefix(separator)?;
        let minutes: i32 = self.digits(2)?;
        if hours > 23 || minutes > 59 {
            return None;
        }
        self.offset = Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()?;
        Some(())
    }

    fn finish(self) -> Option<Moment> {
        if !self.rest.is_empty() {
            return None;
        }
        let Self { year, month, day, hour, minute, second, nanosecond, offset, .. } = self;
        let date = Date::new(year, month, day).ok()?;
        let time = Time::new(hour, minute, second, nanosecond).ok()?;
        let days = date.since(EPOCH).ok()?.get_days();
        let seconds =
            i128::from(time.hour()) * 3_600 + i128::from(time.minute()) * 60 + i128::from(time.second());
        let local = i128::from(days) * DAY + seconds * UNIT + i128::from(nanosecond);
        Some(Moment { nanoseconds: local - i128::from(offset.seconds()) * UNIT, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(layout: &str, text: &str) -> Result<String, FunctionError> {
        Moment::parse(layout, text).and_then(Moment::write)
    }

    #[test]
    fn times_of_known_layouts_are_read() {
        let cases = [
            (RFC3339, "2023-01-12T12:37:56-05:00", "2023-01-12T12:37:56-05:00"),
            (RFC3339, "2023-01-12T12:37:56.123456789123Z", "2023-01-12T12:37:56Z"),
            (RFC3339, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("2006-01-02T15:04:05.999999999Z07:00", "2023-01-12T12:37:56Z", "2023-01-12T12:37:56Z"),
            ("2006-01-02T15:04:05.000Z", "2023-01-12T12:37:56.001Z", "2023-01-12T12:37:56Z"),
            (RFC3339, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            (RFC3339, "1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59Z"),
            ("2006-01-02", "2024-02-29", "2024-02-29T00:00:00Z"),
            ("2006-01-02 15:04:05", "2023-01-12 12:37:56.5", "2023-01-12T12:37:56Z"),
            ("Mon, 02 Jan 2006 15:04:05 MST", "Thu, 12 Jan 2023 12:37:56 GMT", "2023-01-12T12:37:56Z"),
            ("Mon Jan _2 15:04:05 -0700 2006", "Thu Jan  5 12:37:56 +0530 2023", "2023-01-05T12:37:56+05:30"),
            ("Monday, 02-Jan-06 15:04", "Thursday, 12-May-99 12:37", "1999-05-12T12:37:00Z"),
            ("02 January 2006", "12 December 2023", "2023-12-12T00:00:00Z"),
        ];
        for (layout, text, expected) in cases {
            assert_eq!(read(layout, text).as_deref(), Ok(expected), "{layout} {text}");
        }
    }

    #[test]
    fn what_is_not_the_layout_is_no_time() {
        for text in [
            "",
            "now",
            "2023-01-12",
            "2023-01-12 12:37:56Z",
            "2023-01-12t12:37:56z",
            "2023-01-12T12:37:56",
            "2023-01-12T12:37:56Z ",
            "2023-01-12T12:37:56+24:00",
            "2023-01-12T12:37:56[UTC]",
            "2023-02-30T12:37:56Z",
            "2023-01-12T24:00:00Z",
            "2023-01-12T12:37:60Z",
            "2023-1-12T12:37:56Z",
            "２０２３-01-12T12:37:56Z",
            "+023-01-12T12:37:56Z",
        ] {
            assert!(matches!(read(RFC3339, text), Err(FunctionError::Unreadable { .. })), "{text}");
        }
        assert!(read("2006-01-02T15:04:05.000Z", "2023-01-12T12:37:56.01Z").is_err());
        assert!(read("15:04 MST", "12:37 CST").is_err(), "China or Chicago");
        for layout in ["RFC3339", "3:04PM", "2006-002", "PM"] {
            assert!(matches!(
                read(layout, "x"),
                Err(FunctionError::Layout(_) | FunctionError::Unreadable { .. })
            ));
        }
    }
}
