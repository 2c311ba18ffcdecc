//! Functions of policy expressions that `JMESPath` itself has not: those of time, by the names and with the
//! arguments that Kyverno gives them. Texts are times of RFC 3339; durations are written as Go writes them.

use jiff::{SignedDuration, Timestamp};
use jmespath::functions::{ArgumentType, CustomFunction, Signature};
use jmespath::{Context, ErrorReason, JmespathError, Rcvar, Runtime, Variable};

/// Layouts that a time may be read by; the empty one is RFC 3339.
const LAYOUTS: [&str; 3] = ["", "2006-01-02T15:04:05Z07:00", "RFC3339"];

/// How a function computes: from the time of the judgement and its arguments, which are texts.
type Compute = fn(Timestamp, &[&str]) -> Result<Variable, String>;

/// Name, number of arguments, and how.
const FUNCTIONS: [(&str, usize, Compute); 6] = [
    ("time_since", 3, time_since),
    ("time_diff", 2, |_, texts| Ok(duration(time(texts[1])?.duration_since(time(texts[0])?)))),
    ("time_before", 2, |_, texts| Ok(Variable::Bool(time(texts[0])? < time(texts[1])?))),
    ("time_after", 2, |_, texts| Ok(Variable::Bool(time(texts[0])? > time(texts[1])?))),
    ("time_now", 0, |now, _| Ok(text(now))),
    ("time_now_utc", 0, |now, _| Ok(text(now))),
];

/// Whether a function is one of these.
pub(super) fn is_known(name: &str) -> bool {
    FUNCTIONS.iter().any(|(known, ..)| *known == name)
}

/// The functions of `JMESPath` and these, at one time. The clock is a parameter, so that a judgement can be
/// repeated.
pub(super) fn runtime(now: Timestamp) -> Runtime {
    let mut runtime = Runtime::new();
    runtime.register_builtin_functions();
    for (name, arguments, compute) in FUNCTIONS {
        let signature = Signature::new(vec![ArgumentType::String; arguments], None);
        let function = move |values: &[Rcvar], context: &mut Context<'_>| {
            let texts: Vec<_> =
                values.iter().filter_map(|value| value.as_string()).map(String::as_str).collect();
            let computed = compute(now, &texts).map(Rcvar::new);
            computed.map_err(|why| failure(context, &format!("{name}: {why}")))
        };
        runtime.register_function(name, Box::new(CustomFunction::new(signature, Box::new(function))));
    }
    runtime
}

fn failure(context: &Context<'_>, why: &str) -> JmespathError {
    JmespathError::new(context.expression, context.offset, ErrorReason::Parse(why.to_owned()))
}

/// `time_since(layout, from, to)`: how long from `from` to `to`; an empty `to` is now.
fn time_since(now: Timestamp, texts: &[&str]) -> Result<Variable, String> {
    let [layout, from, to] = texts else { return Err("it takes three texts".to_owned()) };
    if !LAYOUTS.contains(layout) {
        return Err(format!("the layout `{layout}` is not supported; leave it empty for RFC 3339"));
    }
    let to = if to.is_empty() { now } else { time(to)? };
    Ok(duration(to.duration_since(time(from)?)))
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| format!("`{}` is not a time of RFC 3339", text.chars().take(40).collect::<String>()))
}

fn text(time: Timestamp) -> Variable {
    Variable::String(time.to_string())
}

/// As Go writes it: `71h59m0s`.
fn duration(span: SignedDuration) -> Variable {
    let (sign, seconds) = (if span.is_negative() { "-" } else { "" }, span.as_secs().unsigned_abs());
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    Variable::String(match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(expression: &str) -> Result<Variable, String> {
        let runtime = runtime("2026-11-25T12:00:00Z".parse().unwrap());
        let expression = runtime.compile(expression).unwrap();
        let found = expression.search(Rcvar::new(Variable::Null)).map_err(|error| error.to_string())?;
        Ok((*found).clone())
    }

    #[test]
    fn times_are_compared_with_the_time_of_the_judgement() {
        for (expression, expected) in [
            ("time_since('', '2026-11-24T11:59:30Z', '')", "24h0m30s"),
            ("time_since('', '2026-11-25T12:00:10Z', '')", "-10s"),
            ("time_since('', '2026-11-24T14:00:00+02:00', '2026-11-24T12:05:00Z')", "5m0s"),
            ("time_diff('2026-11-24T00:00:00Z', '2026-11-25T00:00:00Z')", "24h0m0s"),
            ("time_now_utc()", "2026-11-25T12:00:00Z"),
        ] {
            assert_eq!(value(expression).unwrap(), Variable::String(expected.to_owned()), "{expression}");
        }
        assert_eq!(value("time_before('2026-01-01T00:00:00Z', time_now())").unwrap(), Variable::Bool(true));
        assert_eq!(value("time_after('2026-01-01T00:00:00Z', time_now())").unwrap(), Variable::Bool(false));
    }

    /// What is no time is a fault, not an old or a new one.
    #[test]
    fn what_is_no_time_has_no_age() {
        for expression in [
            "time_since('', 'yesterday', '')",
            "time_since('', '', '')",
            "time_since('Kitchen', '2026-11-24T11:59:30Z', '')",
            "time_since('', `5`, '')",
            "time_since('', missing, '')",
            "time_since('')",
            "time_diff('2026-11-24', '2026-11-25T00:00:00Z')",
        ] {
            assert!(value(expression).is_err(), "{expression}");
        }
    }
}
