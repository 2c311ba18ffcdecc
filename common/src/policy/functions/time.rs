//! Functions of time. Times are RFC 3339, durations as in Go.

use jiff::Timestamp;
use jiff::tz::Offset;
use jmespath::Variable;

use super::call::{Call, FunctionError, text};
use super::layout::{Moment, RFC3339};
use super::{Body, Entry};
use crate::policy::measure::{UNIT, duration, write_duration};

pub(super) const FUNCTIONS: [Entry; 11] = [
    entry("time_add", 2, add),
    entry("time_after", 2, |call| Ok(Variable::Bool(instant(call, 0)? > instant(call, 1)?))),
    entry("time_before", 2, |call| Ok(Variable::Bool(instant(call, 0)? < instant(call, 1)?))),
    entry("time_between", 3, between),
    entry("time_diff", 2, |call| Ok(span_between(instant(call, 0)?, instant(call, 1)?))),
    entry("time_now", 0, now),
    entry("time_now_utc", 0, now),
    entry("time_parse", 2, parse),
    entry("time_since", 3, since),
    entry("time_truncate", 2, truncate),
    entry("time_utc", 1, |call| written(Moment { offset: Offset::UTC, ..moment(call, 0)? })),
];

const fn entry(name: &'static str, arguments: usize, body: Body) -> Entry {
    Entry { name, arguments, body }
}

/// Nanoseconds from the zero time of Go (1 January of the year 1) to that of Unix.
const ZERO_TO_EPOCH: i128 = 62_135_596_800 * UNIT;

fn moment(call: &Call<'_>, at: usize) -> Result<Moment, FunctionError> {
    Moment::parse(RFC3339, call.text(at)?)
}

/// Nanoseconds since the epoch.
fn instant(call: &Call<'_>, at: usize) -> Result<i128, FunctionError> {
    Ok(moment(call, at)?.nanoseconds)
}

fn span(call: &Call<'_>, at: usize) -> Result<i128, FunctionError> {
    let text = call.text(at)?;
    duration(text).ok_or_else(|| FunctionError::unreadable(text, "a duration"))
}

fn span_between(from: i128, to: i128) -> Variable {
    text(write_duration(to - from))
}

fn written(moment: Moment) -> Result<Variable, FunctionError> {
    moment.write().map(text)
}

fn moved(moment: Moment, by: i128) -> Result<Variable, FunctionError> {
    let nanoseconds = moment.nanoseconds.checked_add(by).ok_or(FunctionError::OutOfRange)?;
    written(Moment { nanoseconds, ..moment })
}

/// UTC also where Kyverno would write the offset of the machine it runs on.
fn now(call: &Call<'_>) -> Result<Variable, FunctionError> {
    written(Moment::utc(call.now()?))
}

fn since(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let layout = match call.text(0)? {
        "" => RFC3339,
        layout => layout,
    };
    let from = Moment::parse(layout, call.text(1)?)?;
    let to = match call.text(2)? {
        "" => Moment::utc(call.now()?),
        to => Moment::parse(layout, to)?,
    };
    Ok(span_between(from.nanoseconds, to.nanoseconds))
}

fn between(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (at, start, end) = (instant(call, 0)?, instant(call, 1)?, instant(call, 2)?);
    Ok(Variable::Bool(start < at && at < end))
}

fn add(call: &Call<'_>) -> Result<Variable, FunctionError> {
    moved(moment(call, 0)?, span(call, 1)?)
}

/// Down to a multiple of the duration since the zero time; a duration that is not positive changes nothing.
fn truncate(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (moment, span) = (moment(call, 0)?, span(call, 1)?);
    let beyond = if span > 0 { (moment.nanoseconds + ZERO_TO_EPOCH).rem_euclid(span) } else { 0 };
    moved(moment, -beyond)
}

/// A layout that is a number means seconds since the epoch.
fn parse(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (layout, typed) = (call.text(0)?, call.text(1)?);
    if layout.parse::<i64>().is_err() {
        return written(Moment::parse(layout, typed)?);
    }
    let seconds: i64 = typed.parse().map_err(|_| FunctionError::unreadable(typed, "a number of seconds"))?;
    Timestamp::from_second(seconds).map_err(|_| FunctionError::OutOfRange).map(Moment::utc).and_then(written)
}
