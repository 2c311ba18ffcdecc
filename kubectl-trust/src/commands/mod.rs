//! One command, one file, one function that returns an exit status.

mod apply;
mod completion;
mod diff;
mod explain;
pub(crate) mod judge;
mod keygen;
mod sign;
mod test;
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
        Command::Verify(args) => verify::run(&args, printer),
        Command::Version(args) => Ok(version::run(&args, printer)),
        Command::Completion { shell } => Ok(completion::run(shell, printer)),
        Command::VerifyResource(args) => verify_resource::run(&args, printer),
        Command::Diff(args) => diff::run(&args, printer),
        Command::Explain(args) => explain::run(&args, printer),
        Command::Test(args) => test::run(&args, printer),
        Command::Apply(args) => apply::run(&args, printer),
    }
}

/// Image arguments are part of the command line's contract and come with a later version.
fn refuse_images(images: &[String]) -> anyhow::Result<()> {
    match images.first() {
        None => Ok(()),
        Some(image) => {
            anyhow::bail!("{image}: images are not supported in this version; for a manifest write -f FILE")
        }
    }
}
