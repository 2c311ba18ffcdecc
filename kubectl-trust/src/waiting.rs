//! What the process waits for, on the last line of a terminal at standard error.
//!
//! The line is drawn by a thread of its own, so that it is there as well while the process is blocked: by a credential
//! helper, or a file on a slow disk. Whatever else is written wipes it first ([`wiped`]). Where standard error is no
//! terminal, nothing is written and nothing is noted.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::registry::http::{Observer, Stage, Wait};
use common::verdict::printable;
use rustix::termios::tcgetwinsize;

/// How long nothing is said of a wait: a second is where people begin to wonder.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks of the drawing thread.
const BETWEEN: Duration = Duration::from_millis(250);
/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

/// A wait; it is over when this is dropped.
#[must_use]
pub(crate) struct Waiting(Option<u64>);

/// Says from now on what is waited for, and until when at most.
pub(crate) fn for_(what: impl Display, until: Option<Instant>) -> Waiting {
    if !at_terminal() {
        return Waiting(None);
    }
    let mut line = line();
    line.number += 1;
    let number = line.number;
    line.waits.insert(number, Entry { what: what.to_string(), since: Instant::now(), until });
    if !line.is_watched {
        line.is_watched = true;
        thread::spawn(watch);
    }
    Waiting(Some(number))
}

/// The same for so long from now on.
pub(crate) fn for_at_most(what: impl Display, limit: Duration) -> Waiting {
    for_(what, Instant::now().checked_add(limit))
}

/// Writes something else to the terminal: the line is wiped, and does not come back while `write` runs.
pub(crate) fn wiped<T>(write: impl FnOnce() -> T) -> T {
    if !at_terminal() {
        return write();
    }
    let mut line = line();
    line.wipe();
    write()
}

/// Says how far something is; `None` says no more.
pub(crate) fn progress(text: Option<String>) {
    if !at_terminal() {
        return;
    }
    let mut line = line();
    line.progress = text;
    line.draw();
}

/// Tells people what clients of registries and recorders wait for.
#[derive(Debug)]
pub(crate) struct ToPeople;

impl Observer for ToPeople {
    fn waits(&self, wait: &Wait<'_>) -> Box<dyn Send> {
        Box::new(match wait.stage {
            Stage::Answer => for_(wait.request, wait.until),
            Stage::Attempt => for_(format_args!("the next attempt of {}", wait.request), wait.until),
            Stage::Writer(Some(number)) => {
                for_(format_args!("process {number}, which writes to {}", wait.request), wait.until)
            }
            Stage::Writer(None) => {
                for_(format_args!("another process, which writes to {}", wait.request), wait.until)
            }
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(number) = self.0 else { return };
        let mut line = line();
        line.waits.remove(&number);
        // What is over is not said for another quarter of a second.
        if line.shown == Some(number) {
            line.draw();
        }
    }
}

/// One thing that is waited for.
struct Entry {
    what: String,
    since: Instant,
    until: Option<Instant>,
}

/// The line, and what may stand on it.
struct Line {
    /// In the order in which they began.
    waits: BTreeMap<u64, Entry>,
    /// Of the last of them.
    number: u64,
    progress: Option<String>,
    /// The wait that stands there now.
    shown: Option<u64>,
    /// Whether anything stands there now.
    is_written: bool,
    /// Whether there is a thread that draws.
    is_watched: bool,
}

static LINE: Mutex<Line> = Mutex::new(Line {
    waits: BTreeMap::new(),
    number: 0,
    progress: None,
    shown: None,
    is_written: false,
    is_watched: false,
});

fn line() -> MutexGuard<'static, Line> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn at_terminal() -> bool {
    static AT_TERMINAL: OnceLock<bool> = OnceLock::new();
    *AT_TERMINAL.get_or_init(|| io::stderr().is_terminal())
}

/// Draws as long as the process lives.
fn watch() {
    loop {
        thread::sleep(BETWEEN);
        line().draw();
    }
}

impl Line {
    /// Draws what there is to say, and wipes what is no longer true.
    fn draw(&mut self) {
        let now = Instant::now();
        let long = |(_, entry): &(&u64, &Entry)| now.duration_since(entry.since) >= PATIENCE;
        let mut waits = self.waits.iter().filter(long);
        let first = waits.next();
        let more = waits.count();
        self.shown = first.map(|(number, _)| *number);
        let said = first.map(|(_, entry)| entry.said(now, more));
        let said = match (&self.progress, said) {
            (None, None) => return self.wipe(),
            (Some(progress), None) => (progress.clone(), String::new(), String::new()),
            (None, Some((what, rest))) => ("waiting for ".to_owned(), what, rest),
            (Some(progress), Some((what, rest))) => (format!("{progress}, waiting for "), what, rest),
        };
        let text = fitting(&said, columns());
        self.is_written = true;
        // Nothing depends on it, so nothing is done about a failed write.
        drop(write!(io::stderr(), "\r{text}\x1b[K"));
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.is_written) {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}

impl Entry {
    /// What is waited for; and how long already, until when, and for how many others.
    fn said(&self, now: Instant, more: usize) -> (String, String) {
        let seconds = now.duration_since(self.since).as_secs();
        let until = self.until.map(|until| until.saturating_duration_since(self.since).as_secs_f64().round());
        let until = until.map(|seconds| format!(", until {seconds} s")).unwrap_or_default();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        (printable(&self.what).into_owned(), format!(" ({seconds} s{until}){more}"))
    }
}

/// The three parts on one line, the middle one cut if it must be: a line that is broken in two cannot be wiped.
fn fitting((before, what, after): &(String, String, String), columns: usize) -> String {
    // The last column is left free: a character there may move the cursor to the next line.
    let room = columns.saturating_sub(1);
    let taken = before.chars().count() + after.chars().count();
    let left = room.saturating_sub(taken);
    let what = if what.chars().count() <= left {
        what.clone()
    } else {
        let kept = left.saturating_sub(3);
        format!("{}...", what.chars().take(kept).collect::<String>())
    };
    format!("{before}{what}{after}").chars().take(room).collect()
}

fn columns() -> usize {
    match tcgetwinsize(io::stderr()).map(|size| usize::from(size.ws_col)) {
        Ok(0) | Err(_) => COLUMNS,
        Ok(columns) => columns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_and_until_when_stands_behind_what_is_waited_for() {
        let since = Instant::now();
        let entry = |until| Entry { what: "GET https://a.example/\u{1b}[2J".to_owned(), since, until };
        let later = since + Duration::from_millis(4_200);
        let limited = entry(Some(since + Duration::from_secs(60))).said(later, 0);
        assert_eq!(limited.1, " (4 s, until 60 s)");
        assert!(!limited.0.contains('\u{1b}'), "{limited:?}");
        assert_eq!(entry(None).said(later, 3).1, " (4 s) and 3 more");
    }

    #[test]
    fn a_line_is_never_longer_than_the_terminal() {
        let said = |what: &str| ("waiting for ".to_owned(), what.to_owned(), " (4 s)".to_owned());
        assert_eq!(fitting(&said("GET x"), 80), "waiting for GET x (4 s)");
        assert_eq!(fitting(&said(&"x".repeat(100)), 30), "waiting for xxxxxxxx... (4 s)");
        for columns in [1, 2, 20, 29, 30] {
            assert!(fitting(&said(&"x".repeat(100)), columns).chars().count() < columns);
        }
    }
}
