//! One command, one file, one function that returns an exit status.

mod apply;
mod attest;
mod completion;
mod diff;
mod explain;
pub(crate) mod judge;
mod keygen;
mod man;
mod record;
mod sign;
mod test;
mod trust_root;
mod unmatched;
mod verify;
mod verify_resource;
mod version;

use crate::cli::Command;
use crate::exit::ExitStatus;
use crate::output::Printer;

/// Runs a command.
pub(crate) fn run(command: Command, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Keygen(args) => keygen::run(&args, printer),
        Command::Sign(args) => sign::run(&args, printer),
        Command::Attest(args) => attest::run(&args, printer),
        Command::Record(args) => record::run(&args, printer),
        Command::Verify(args) => verify::run(&args, printer),
        Command::TrustRoot(args) => trust_root::run(&args, printer),
        Command::Version(args) => Ok(version::run(&args, printer)),
        Command::Man(args) => man::run(&args, printer),
        Command::Completion(args) => completion::run(&args, printer),
        Command::VerifyResource(args) => verify_resource::run(&args, printer),
        Command::Diff(args) => diff::run(&args, printer),
        Command::Explain(args) => explain::run(&args, printer),
        Command::Test(args) => test::run(&args, printer),
        Command::Apply(args) => apply::run(&args, printer),
    }
}
