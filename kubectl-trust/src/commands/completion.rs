//! `kubectl trust completion`.

use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::cli::{Completer, CompletionArgs};
use crate::completion::{VARIABLE, WORD};
use crate::exit::ExitStatus;
use crate::output::Printer;

/// The program, found on `PATH` as kubectl finds it.
const PROGRAM: &str = "kubectl-trust";

/// Prints the script that makes a shell, or kubectl, ask this program.
///
/// # Errors
/// None that is known: the script is written to memory.
pub(crate) fn run(args: &CompletionArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let shell: &dyn EnvCompleter = match args.completer {
        Completer::Bash => &Bash,
        Completer::Zsh => &Zsh,
        Completer::Fish => &Fish,
        Completer::Elvish => &Elvish,
        Completer::Powershell => &Powershell,
        Completer::Kubectl => {
            printer.raw(for_kubectl().as_bytes());
            return Ok(ExitStatus::Trusted);
        }
    };
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    printer.raw(&script);
    Ok(ExitStatus::Trusted)
}

/// kubectl runs the program `kubectl_complete-NAME` that it finds on `PATH` with the words typed behind the plugin's
/// name (`pluginCompletion` in k8s.io/kubectl/pkg/cmd/plugin).
fn for_kubectl() -> String {
    format!(
        "#!/bin/sh\n# kubectl_complete-trust: kubectl runs it to complete what is typed behind `kubectl trust`.\n\
         exec {PROGRAM} {WORD} \"$@\"\n"
    )
}
