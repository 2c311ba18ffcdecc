//! How the process ends: the contract that scripts rely on.

use std::process::ExitCode;

use common::verdict::{Decision, Outcome, Reason};

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
    /// The status of decisions by policies. A rule that was not handled is not trust, nor is it where no rule was about
    /// anything; what was skipped because the policies want it is.
    pub(crate) fn of_decisions(decisions: &[Decision]) -> Self {
        let reason = |is: fn(&Reason) -> bool| decisions.iter().any(|decision| is(decision.headline()));
        match Outcome::worst(decisions.iter().map(Decision::outcome)) {
            Outcome::Fail => Self::Refused,
            Outcome::Pass | Outcome::Skip if reason(Reason::is_not_handled) => Self::Undecided,
            Outcome::Skip if reason(Reason::is_wanted_skip) => Self::Trusted,
            outcome @ (Outcome::Pass | Outcome::Skip | Outcome::Fault) => Self::of(outcome),
        }
    }

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use common::object::ObjectRef;
    use common::verdict::{Check, Subject, SubjectKind};

    use super::*;

    fn decision(outcome: Outcome, reason: Reason) -> Decision {
        let subject = Subject {
            kind: SubjectKind::Manifest,
            source: "a.yaml#0".to_owned(),
            object: ObjectRef::default(),
        };
        Decision::new(Arc::new(subject), None, Check::leaf("rule", outcome, reason))
    }

    /// What is not trust must never look like it to a script.
    #[test]
    fn only_what_was_judged_or_skipped_on_purpose_is_trusted() {
        let pass = || decision(Outcome::Pass, Reason::ConditionsHold);
        let fail = || decision(Outcome::Fail, Reason::NothingChecked);
        let fault = || decision(Outcome::Fault, Reason::TrustRootMissing);
        let not_handled =
            || decision(Outcome::Skip, Reason::NotHandled { rule_type: "validate.pattern".into() });
        let unmatched =
            || decision(Outcome::Skip, Reason::NotMatched { why: "another kind".into(), at: None });
        let wanted = || decision(Outcome::Skip, Reason::ExceptionApplies { names: vec![] });
        for (decisions, expected) in [
            (vec![], ExitStatus::Undecided),
            (vec![unmatched()], ExitStatus::Undecided),
            (vec![wanted(), unmatched()], ExitStatus::Trusted),
            (vec![decision(Outcome::Skip, Reason::NothingChecked)], ExitStatus::Undecided),
            (vec![wanted(), not_handled()], ExitStatus::Undecided),
            (vec![pass(), unmatched(), wanted()], ExitStatus::Trusted),
            (vec![pass(), not_handled()], ExitStatus::Undecided),
            (vec![pass(), fault()], ExitStatus::Undecided),
            (vec![fail(), fault(), not_handled()], ExitStatus::Refused),
        ] {
            assert_eq!(ExitStatus::of_decisions(&decisions), expected, "{decisions:#?}");
        }
    }
}
