//! By when an answer must be there.

use std::time::Duration;

use tokio::time::Instant;

/// Seconds that the API server waits for a webhook which says nothing else (Kubernetes API reference,
/// `timeoutSeconds`).
const DEFAULT: Duration = Duration::from_secs(10);
/// Seconds that it waits at most.
const LONGEST: Duration = Duration::from_secs(30);

/// By when an answer must be there. One for the whole request, handed down.
///
/// The API server gives up at its timeout, and then says nothing but that it did; so we answer before, with
/// what we waited for. The time that is kept back is a tenth, at least 100 and at most 1,000 milliseconds, and
/// half of a timeout so short that this would be most of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When questions to others are given up, with the reason that says which.
    pub questions: Instant,
    /// When we answer in any case.
    pub answer: Instant,
}

impl Deadline {
    /// Of a request that arrived at `began`, whose sender waits for `timeout`.
    #[must_use]
    pub fn new(began: Instant, timeout: Option<Duration>) -> Self {
        let timeout = timeout.unwrap_or(DEFAULT).min(LONGEST);
        let margin =
            (timeout / 10).clamp(Duration::from_millis(100), Duration::from_secs(1)).min(timeout / 2);
        Self { questions: began + timeout - margin, answer: began + timeout - margin / 2 }
    }

    /// The timeout of the API server, as it writes it into the query: `timeout=10s`. Anything else is `None`.
    #[must_use]
    pub fn timeout_in(query: &str) -> Option<Duration> {
        let value = query.split('&').find_map(|pair| pair.strip_prefix("timeout="))?;
        let (number, unit) = match value.strip_suffix("ms") {
            Some(number) => (number, 1),
            None => (value.strip_suffix('s')?, 1_000),
        };
        let number = number.parse::<u32>().ok().filter(|number| *number > 0)?;
        Some(Duration::from_millis(u64::from(number) * unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_time_is_kept_back() {
        let began = Instant::now();
        let of = |milliseconds| {
            let deadline = Deadline::new(began, Some(Duration::from_millis(milliseconds)));
            let since = |end: Instant| end.duration_since(began).as_millis();
            (since(deadline.questions), since(deadline.answer))
        };
        assert_eq!(of(10_000), (9_000, 9_500));
        assert_eq!(of(30_000), (29_000, 29_500));
        assert_eq!(of(1_000), (900, 950));
        assert_eq!(of(100), (50, 75));
        assert_eq!(of(99_000), of(30_000), "no webhook may wait for longer");
        assert_eq!(Deadline::new(began, None), Deadline::new(began, Some(DEFAULT)));
    }

    #[test]
    fn the_timeout_is_read_as_the_api_server_writes_it() {
        let seconds = |number| Some(Duration::from_secs(number));
        for (query, expected) in [
            ("timeout=10s", seconds(10)),
            ("a=b&timeout=3s", seconds(3)),
            ("timeout=500ms", Some(Duration::from_millis(500))),
            ("", None),
            ("timeout=", None),
            ("timeout=10", None),
            ("timeout=0s", None),
            ("timeout=-1s", None),
            ("timeout=99999999999s", None),
            ("xtimeout=5s", None),
        ] {
            assert_eq!(Deadline::timeout_in(query), expected, "{query}");
        }
    }
}
