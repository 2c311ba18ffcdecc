//! From arguments to an exit status, on one page.

use std::ffi::OsString;
use std::path::Path;

use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue};

use crate::cli::{Cli, Command, command, elsewhere};
use crate::exit::ExitStatus;
use crate::output::{Color, Printer};
use crate::{commands, completion};

/// Reads the arguments, runs the command, reports what stopped it.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitStatus {
    let args: Vec<_> = args.collect();
    if let Some(question) = completion::asked(&args, std::env::var_os(completion::VARIABLE)) {
        return reply(completion::answer(&question, command(called_as())));
    }
    let matches = match command(called_as()).try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) => return not_understood(&error, &args),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let mut printer = Printer::new(color(&cli));
    if cli.command.is_quiet() {
        printer.quiet();
    }
    if let Some(path) = cli.command.output_file() {
        printer.write_to(path);
    }
    let ended = commands::run(cli.command, &mut printer);
    end(ended, printer)
}

/// Prints an answer for a script.
fn reply(answer: anyhow::Result<Vec<u8>>) -> ExitStatus {
    match answer {
        Ok(answer) => {
            // As it is: what takes colours out also takes out the character by which bash parts candidates.
            let mut printer = Printer::new(Color::Always);
            printer.raw(&answer);
            printer.finish(ExitStatus::Trusted)
        }
        Err(error) => end(Err(error), Printer::new(Color::Auto)),
    }
}

/// Reports what stopped the command, if something did.
fn end(ended: anyhow::Result<ExitStatus>, mut printer: Printer) -> ExitStatus {
    let status = ended.unwrap_or_else(|error| {
        printer.discard();
        printer.error(&error);
        ExitStatus::Undecided
    });
    printer.finish(status)
}

fn color(cli: &Cli) -> Color {
    let removed = matches!(&cli.command, Command::Test(test) if test.remove_color);
    if removed { Color::Never } else { cli.color }
}

/// A verb that another program has gets the one to type instead.
fn not_understood(error: &clap::Error, args: &[OsString]) -> ExitStatus {
    let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand) else {
        return usage(error);
    };
    let behind = args.iter().position(|arg| arg == verb.as_str()).map_or(args.len(), |at| at + 1);
    match elsewhere::instead(verb, args.get(behind..).unwrap_or_default(), called_as()) {
        Some(text) => end(Err(anyhow::Error::msg(text)), Printer::new(Color::Auto)),
        None => usage(error),
    }
}

/// Help and version are answers; everything else clap says is wrong usage.
fn usage(error: &clap::Error) -> ExitStatus {
    if error.use_stderr() {
        // Where standard error is closed, the exit code says it.
        drop(error.print());
        return ExitStatus::Undecided;
    }
    let mut printer = Printer::new(Color::Auto);
    printer.raw(error.render().ansi().to_string().as_bytes());
    printer.finish(ExitStatus::Trusted)
}

/// The form people typed: kubectl hands its own environment on, in which the shell put the program's name.
pub(crate) fn called_as() -> &'static str {
    let typed = std::env::var_os("_");
    let name = typed.as_deref().map(Path::new).and_then(Path::file_name);
    if name.is_some_and(|name| name == "kubectl-trust") { "kubectl-trust" } else { "kubectl trust" }
}
