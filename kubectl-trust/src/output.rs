//! Everything that is written to a terminal goes through the [`Printer`]: results to standard output,
//! talk to standard error.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use common::verdict::Outcome;
use serde_json::Value;

use crate::exit::ExitStatus;

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
    failed: Option<ErrorKind>,
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
        Self { out: BufWriter::new(Box::new(stdout)), err, unicode: utf8_locale(), failed: None }
    }

    /// One line of the result.
    pub(crate) fn line(&mut self, text: impl Display) {
        let written = writeln!(self.out, "{text}");
        self.note(&written);
    }

    /// Bytes of the result as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let written = self.out.write_all(bytes);
        self.note(&written);
    }

    /// The result as JSON, indented.
    pub(crate) fn json(&mut self, value: &Value) {
        self.line(format_args!("{value:#}"));
    }

    /// The result as YAML.
    pub(crate) fn yaml(&mut self, value: &Value) {
        self.raw(common::yaml::to_yaml(value).as_bytes());
    }

    /// Talk: what a person should know, on standard error.
    pub(crate) fn note_line(&mut self, text: impl Display) {
        let written = self.out.flush().and_then(|()| writeln!(self.err, "{text}"));
        self.note(&written);
    }

    /// Why nothing could be done.
    pub(crate) fn error(&mut self, error: &anyhow::Error) {
        let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        self.note_line(format_args!("{style}error{style:#}: {error:#}"));
    }

    /// The mark of an outcome; colour repeats what the mark says.
    pub(crate) fn mark(&self, outcome: Outcome) -> String {
        let (mark, ascii, color) = match outcome {
            Outcome::Pass => ("✓", "ok", AnsiColor::Green),
            Outcome::Fail => ("✗", "FAIL", AnsiColor::Red),
            Outcome::Skip => ("-", "skip", AnsiColor::BrightBlack),
            Outcome::Fault => ("!", "FAULT", AnsiColor::Yellow),
        };
        let style = Style::new().fg_color(Some(color.into()));
        format!("{style}{}{style:#}", if self.unicode { mark } else { ascii })
    }

    /// Writes out what is buffered. A closed pipe ends quietly; any other failed write is a fault.
    pub(crate) fn finish(mut self, status: ExitStatus) -> ExitStatus {
        let flushed = self.out.flush();
        self.note(&flushed);
        match self.failed {
            None | Some(ErrorKind::BrokenPipe) => status,
            Some(_) => ExitStatus::Undecided,
        }
    }

    fn note(&mut self, written: &io::Result<()>) {
        if let Err(error) = written {
            self.failed.get_or_insert(error.kind());
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
