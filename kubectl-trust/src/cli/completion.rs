//! Flags of the command that prints completion scripts.

use clap::{Args, ValueEnum};

/// What completes a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Completer {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
    /// For the program `kubectl_complete-trust`
    Kubectl,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// Whose script: that of a shell completes `kubectl-trust`; that of kubectl completes `kubectl trust`, in every
    /// shell that kubectl completes
    #[arg(value_name = "SHELL|kubectl")]
    pub(crate) completer: Completer,
}
