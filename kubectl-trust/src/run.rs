//! From arguments to an exit status, on one page.

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::cli::{Cli, Command};
use crate::commands;
use crate::exit::ExitStatus;
use crate::output::{Color, Printer};

/// Reads the arguments, runs the command, reports what stopped it.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitStatus {
    let matches = match Cli::command().bin_name(called_as()).try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
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
    let status = match commands::run(cli.command, &mut printer) {
        Ok(status) => status,
        Err(error) => {
            printer.discard();
            printer.error(&error);
            ExitStatus::Undecided
        }
    };
    printer.finish(status)
}

fn color(cli: &Cli) -> Color {
    let removed = matches!(&cli.command, Command::Test(test) if test.remove_color);
    if removed { Color::Never } else { cli.color }
}

/// Help and version are answers; everything else clap says is wrong usage.
fn usage(error: &clap::Error) -> ExitStatus {
    let printed = error.print();
    if error.use_stderr() || printed.is_err() { ExitStatus::Undecided } else { ExitStatus::Trusted }
}

/// The form people typed: kubectl hands its own environment on, in which the shell put the program's name.
pub(crate) fn called_as() -> &'static str {
    let typed = std::env::var_os("_");
    let name = typed.as_deref().map(Path::new).and_then(Path::file_name);
    if name.is_some_and(|name| name == "kubectl-trust") { "kubectl-trust" } else { "kubectl trust" }
}
