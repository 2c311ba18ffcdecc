//! Everything that is written to a terminal goes through the [`Printer`]: results to standard output,
//! talk to standard error.

mod words;

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anstream::adapter::StripBytes;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use common::verdict::{Outcome, printable};
use serde_json::Value;

use self::words::shortened;
use crate::exit::ExitStatus;
use crate::io_error::problem;
use crate::staging;
use crate::waiting;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Writes results and talk. Remembers a failed write, so that a full disk is not a success.
pub(crate) struct Printer {
    out: BufWriter<Box<dyn Write>>,
    err: AutoStream<io::Stderr>,
    /// Whether the terminal can show `✓ ✗ - !`.
    unicode: bool,
    failed: Option<io::Error>,
    /// Nothing but the result is of interest.
    quiet: bool,
    file: Option<ResultFile>,
}

/// A file that the result goes to, and what it is until now.
struct ResultFile {
    path: PathBuf,
    content: Rc<RefCell<Vec<u8>>>,
}

/// What is written here is kept, without colour, until the result is whole.
struct Kept {
    content: Rc<RefCell<Vec<u8>>>,
    strip: StripBytes,
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut content = self.content.borrow_mut();
        self.strip.strip_next(bytes).for_each(|part| content.extend_from_slice(part));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Printer {
    pub(crate) fn new(color: Color) -> Self {
        let choice = |terminal: bool| match color {
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
            Color::Auto if std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty()) || !terminal => {
                ColorChoice::Never
            }
            Color::Auto => ColorChoice::Auto,
        };
        let stdout = AutoStream::new(io::stdout(), choice(io::stdout().is_terminal()));
        let err = AutoStream::new(io::stderr(), choice(io::stderr().is_terminal()));
        Self {
            out: BufWriter::new(Box::new(Wiping(stdout))),
            err,
            unicode: utf8_locale(),
            failed: None,
            quiet: false,
            file: None,
        }
    }

    /// Talks no more: only the result is printed, and what stopped it.
    pub(crate) fn quiet(&mut self) {
        self.quiet = true;
    }

    /// Writes the result to a file, which is replaced once the result is whole; without colour, because a file is no
    /// terminal.
    pub(crate) fn write_to(&mut self, path: &Path) {
        let content = Rc::default();
        let kept = Kept { content: Rc::clone(&content), strip: StripBytes::new() };
        self.out = BufWriter::new(Box::new(kept));
        self.unicode = true;
        self.file = Some(ResultFile { path: path.to_owned(), content });
    }

    /// Forgets the result that was to go to a file: it is not whole.
    pub(crate) fn discard(&mut self) {
        self.file = None;
    }

    /// One line of the result. Whatever a manifest, policy or certificate says is in it can neither end the
    /// line nor write to the terminal, and no word of it takes more than a few lines.
    pub(crate) fn line(&mut self, text: impl Display) {
        let written = writeln!(self.out, "{}", self.shown(&text.to_string()));
        self.note(written);
    }

    /// One line of the result that is to be pasted or read by another command: with all of each word.
    pub(crate) fn whole_line(&mut self, text: impl Display) {
        let written = writeln!(self.out, "{}", printable(&text.to_string()));
        self.note(written);
    }

    /// One line that begins with the mark of an outcome, behind `indent` spaces.
    pub(crate) fn marked(&mut self, indent: usize, outcome: Outcome, text: impl Display) {
        let mark = self.mark(outcome);
        let written = writeln!(self.out, "{:indent$}{mark} {}", "", self.shown(&text.to_string()));
        self.note(written);
    }

    /// Shows what was written of the result so far, where more takes its time.
    pub(crate) fn show(&mut self) {
        let flushed = self.out.flush();
        self.note(flushed);
    }

    /// Bytes of the result as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let written = self.out.write_all(bytes);
        self.note(written);
    }

    /// The result as JSON, indented. Characters that a terminal obeys stand only inside strings, so they
    /// can be escaped.
    pub(crate) fn json(&mut self, value: &Value) {
        let mut text = String::new();
        for c in format!("{value:#}\n").chars() {
            if c == '\n' || printable(c.encode_utf8(&mut [0; 4])).starts_with(c) {
                text.push(c);
            } else {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
        }
        self.raw(text.as_bytes());
    }

    /// The result as YAML.
    pub(crate) fn yaml(&mut self, value: &Value) {
        self.raw(common::yaml::to_yaml(value).as_bytes());
    }

    /// Talk: what a person should know, on standard error, also when nobody reads standard output any more.
    pub(crate) fn note_line(&mut self, text: impl Display) {
        if !self.quiet {
            self.aside(text);
        }
    }

    /// What belongs to the result and stands beside it, on standard error, however quiet the run is to be: what is not
    /// trusted, where only the names of the trusted are the result.
    pub(crate) fn aside(&mut self, text: impl Display) {
        let flushed = self.out.flush();
        self.note(flushed);
        let text = text.to_string();
        let written = waiting::wiped(|| writeln!(self.err, "{}", printable(&shortened(&text))));
        self.note(written);
    }

    /// Why nothing could be done; several problems stand below each other.
    pub(crate) fn error(&mut self, error: &anyhow::Error) {
        let flushed = self.out.flush();
        self.note(flushed);
        let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let text = format!("{error:#}");
        let mut lines = text.lines();
        let said = |line| printable(&shortened(line)).into_owned();
        let first = said(lines.next().unwrap_or_default());
        let written = waiting::wiped(|| {
            writeln!(self.err, "{style}error{style:#}: {first}")?;
            lines.try_for_each(|line| writeln!(self.err, "       {}", said(line)))
        });
        self.note(written);
    }

    /// The mark of an outcome; colour repeats what the mark says.
    fn mark(&self, outcome: Outcome) -> String {
        let (mark, ascii, color) = match outcome {
            Outcome::Pass => ("✓", "ok", AnsiColor::Green),
            Outcome::Fail => ("✗", "FAIL", AnsiColor::Red),
            Outcome::Skip => ("-", "skip", AnsiColor::BrightBlack),
            Outcome::Fault => ("!", "FAULT", AnsiColor::Yellow),
        };
        let style = Style::new().fg_color(Some(color.into()));
        // Words of several lengths are made one, or the columns behind them would not stand below each other.
        let (mark, width) = if self.unicode { (mark, 1) } else { (ascii, 5) };
        format!("{style}{mark:width$}{style:#}")
    }

    /// The text as this terminal can show it: nothing that it obeys, and no signs of our own that it lacks.
    fn shown(&self, text: &str) -> String {
        let text = printable(&shortened(text)).into_owned();
        if self.unicode { text } else { text.replace('…', "...").replace('←', "<-") }
    }

    /// Writes out what is buffered. A closed pipe ends quietly; any other failed write is a fault, unless
    /// there is a refusal to report already.
    pub(crate) fn finish(mut self, status: ExitStatus) -> ExitStatus {
        let flushed = self.out.flush();
        self.note(flushed);
        if let Some(ResultFile { path, content }) = self.file.take()
            && let Err(error) = staging::replace(&path, &content.borrow())
        {
            self.error(&error);
            return if status == ExitStatus::Refused { status } else { ExitStatus::Undecided };
        }
        match self.failed.take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                let problem = anyhow::anyhow!("the output cannot be written: {}", problem(&error));
                self.error(&problem);
                if status == ExitStatus::Refused { status } else { ExitStatus::Undecided }
            }
            Some(_) | None => status,
        }
    }

    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }
}

/// Standard output, before which the line about waiting is wiped: both may be one terminal.
struct Wiping<W>(W);

impl<W: Write> Write for Wiping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        waiting::wiped(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        waiting::wiped(|| self.0.flush())
    }
}

/// How long nothing is said, and how long a number stands.
const PATIENCE: Duration = Duration::from_secs(1);
const BETWEEN: Duration = Duration::from_millis(100);

/// Counts on the line that says what is waited for ([`waiting`]).
pub(crate) struct Progress {
    what: &'static str,
    total: usize,
    done: usize,
    /// When to write next; `None` where nobody looks.
    next: Option<Instant>,
    written: bool,
}

impl Progress {
    /// A counter for what may take longer than a second; only for people at a terminal.
    pub(crate) fn new(what: &'static str, total: usize) -> Self {
        let shown = total > 1 && io::stderr().is_terminal();
        Self { what, total, done: 0, next: shown.then(|| Instant::now() + PATIENCE), written: false }
    }

    /// Counts nothing.
    pub(crate) fn none() -> Self {
        Self::new("", 0)
    }

    /// One more is done.
    pub(crate) fn step(&mut self) {
        self.done += 1;
        let now = Instant::now();
        if self.next.is_some_and(|next| now >= next) {
            self.next = Some(now + BETWEEN);
            self.written = true;
            waiting::progress(Some(format!("{} of {} {}", self.done, self.total, self.what)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.written {
            waiting::progress(None);
        }
    }
}

/// POSIX: the first of these that is set names the encoding.
fn utf8_locale() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    // Without any locale the output goes to a log more often than to an old terminal.
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}
