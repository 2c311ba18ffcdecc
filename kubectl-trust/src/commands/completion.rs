//! `kubectl trust completion`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::ExitStatus;
use crate::output::Printer;

/// Prints a completion script for the program under its own name, which is what kubectl completes.
pub(crate) fn run(shell: Shell, printer: &mut Printer) -> ExitStatus {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kubectl-trust", &mut script);
    printer.raw(&script);
    ExitStatus::Trusted
}
