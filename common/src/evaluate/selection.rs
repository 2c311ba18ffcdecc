//! Why a rule has nothing to say, or nobody can say whether it has, as reasons.

use crate::policy::condition::FailedCondition;
use crate::policy::selector::{FilterMismatch, Mismatch};
use crate::select::{SelectFault, SkipReason};
use crate::verdict::Reason;

/// The reason of a skip.
pub(super) fn skip_reason(why: &SkipReason) -> Reason {
    let not_matched = |why: &'static str| Reason::NotMatched { why: why.into(), at: None };
    let for_this = |why: String| Reason::NotMatched { why: why.into(), at: None };
    match why {
        SkipReason::BackgroundDisabled => not_matched("the policy is not for background scans"),
        SkipReason::AdmissionDisabled => not_matched("the policy is not for admission requests"),
        SkipReason::OtherNamespace => not_matched("the policy is for another namespace"),
        SkipReason::NotMatched(filters) => closest(filters),
        SkipReason::Excluded { by } => {
            let by: Vec<_> = by.iter().map(ToString::to_string).collect();
            for_this(format!("excluded by {}", by.join(", ")))
        }
        SkipReason::Deletion => not_matched("an object that goes away is not verified"),
        SkipReason::StartsNothing(why) => Reason::UpdateStartsNothing { why: why.words() },
        SkipReason::Connect => not_matched("a CONNECT carries no object to verify"),
        SkipReason::EarlierRuleApplied { rule } => {
            for_this(format!("rule {rule} applied first, and the policy applies one rule only"))
        }
        SkipReason::Preconditions(failed) => Reason::PreconditionsNotMet { why: conditions(failed) },
        SkipReason::Exceptions(names) => {
            Reason::ExceptionApplies { names: names.iter().map(ToString::to_string).collect() }
        }
    }
}

/// The mismatch that came closest to a match: those of a later attribute fulfilled the earlier ones.
fn closest(filters: &[FilterMismatch]) -> Reason {
    let of_kind = filters.iter().filter(|filter| filter.why != Mismatch::Kind);
    match of_kind.max_by_key(|filter| filter.why).or(filters.first()) {
        Some(filter) => Reason::NotMatched { why: filter.why.words().into(), at: Some(filter.path.clone()) },
        None => Reason::NotMatched { why: "it matches nothing".into(), at: None },
    }
}

fn conditions(failed: &[FailedCondition]) -> String {
    let one = |condition: &FailedCondition| {
        let (found, expected) = (&condition.found, &condition.expected);
        format!("{}: {found} {} {expected} does not hold", condition.path, condition.operator)
    };
    failed.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The reason of a fault.
#[expect(clippy::wildcard_enum_match_arm, reason = "other reasons stay as they are")]
pub(super) fn fault_reason(why: &SelectFault, namespace: &str) -> Reason {
    match why {
        SelectFault::NamespaceLabels(_) => Reason::NamespaceLabelsUnknown { namespace: namespace.to_owned() },
        SelectFault::Precondition(fault) => {
            Reason::VariableUnresolved { variable: fault.path.to_string(), problem: fault.why.to_string() }
        }
        SelectFault::Exception { id, why } => match fault_reason(why, namespace) {
            Reason::VariableUnresolved { variable, problem } => {
                Reason::VariableUnresolved { variable: format!("{variable} of exception {id}"), problem }
            }
            other => other,
        },
    }
}
