//! Everything that is wrong, and has to be set right for itself.

use std::borrow::Cow;

use super::{Check, Decision, Needs, Outcome, Reason, Signers};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem<'d> {
    /// What; with the image that it is about, where it is about one.
    pub reason: Cow<'d, Reason>,
    /// Who must sign, where signatures are missing.
    pub signers: Option<&'d Signers>,
}

impl Decision {
    /// Everything that is wrong: what decided first, then the other findings, then what could not be checked,
    /// each once.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem<'_>> {
        let mut all = Vec::new();
        collect(&self.check, None, &mut all);
        // A stable sort: the order of the policy stays.
        all.sort_by_key(|problem| (*problem.reason != *self.headline(), problem.reason.is_fault()));
        let mut problems: Vec<Problem<'_>> = Vec::with_capacity(all.len());
        for problem in all {
            if !problems.iter().any(|known| known.reason == problem.reason) {
                problems.push(problem);
            }
        }
        problems
    }
}

fn collect<'d>(check: &'d Check, mut image: Option<&'d Reason>, all: &mut Vec<Problem<'d>>) {
    if !is_wrong(check) {
        return;
    }
    if matches!(check.reason, Reason::ImageRefused { .. }) && !check.children.is_empty() {
        image = Some(&check.reason);
    }
    // Where each part is needed, each is a problem of its own; where enough of them do, the whole is one.
    if check.needs == Needs::All && check.children.iter().any(is_wrong) {
        check.children.iter().for_each(|child| collect(child, image, all));
        return;
    }
    all.push(Problem { reason: about(image, &check.reason), signers: check.signers() });
}

fn is_wrong(check: &Check) -> bool {
    matches!(check.outcome, Outcome::Fail | Outcome::Fault)
}

/// The reason, with the image in whose tree it stands.
fn about<'d>(image: Option<&'d Reason>, reason: &'d Reason) -> Cow<'d, Reason> {
    match (image, reason) {
        (Some(Reason::ImageRefused { image, digest, .. }), why)
            if !matches!(why, Reason::ImageRefused { .. }) =>
        {
            let (image, digest, why) = (image.clone(), digest.clone(), Box::new(why.clone()));
            Cow::Owned(Reason::ImageRefused { image, digest, why })
        }
        _ => Cow::Borrowed(reason),
    }
}
