//! How the process ends: the contract that scripts rely on.

use std::process::ExitCode;

use common::verdict::Outcome;

/// The exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// 0: everything asked was trusted, or passed.
    Trusted,
    /// 1: at least one refusal, failed test or difference.
    Refused,
    /// 2: no refusal, but something could not be decided, read or understood.
    Undecided,
    /// What `--warn-exit-code` says, where there are only warnings.
    Warned(u8),
}

impl ExitStatus {
    /// The status of a verdict. Only skips is nothing verified, which is never trust.
    pub(crate) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Trusted,
            Outcome::Fail => Self::Refused,
            Outcome::Fault | Outcome::Skip => Self::Undecided,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Trusted => 0,
            ExitStatus::Refused => 1,
            ExitStatus::Undecided => 2,
            ExitStatus::Warned(code) => code,
        })
    }
}
