//! Names of rules, and what they are about.

use super::matching::{self, Allowed, Clause};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::limits;
use crate::policy::selector::KindPattern;

/// What a rule without `match` lacks.
pub(in crate::dialect) const ABOUT: &str = "say which objects the rule is about";

/// The name of a rule.
pub(in crate::dialect) fn name(node: &Node<'_, '_>) -> Option<String> {
    let name = node.text("give the rule a name")?;
    if name.chars().count() > limits::RULE_NAME {
        node.error(Problem::TooLong { max: limits::RULE_NAME });
        return None;
    }
    Some(name.to_owned())
}

/// What a rule is about; saying nothing is an error.
pub(in crate::dialect) fn about(node: &Node<'_, '_>, allowed: Allowed) -> Option<Clause> {
    let clause = matching::clause(node, allowed);
    if clause.is_none() {
        node.error(Problem::Empty(ABOUT));
    }
    clause
}

/// `verifyImages` on every kind would stop whatever the cluster does.
pub(in crate::dialect) fn check_kinds(fields: &Fields<'_, '_>, matching: Option<&Clause>) {
    for filter in matching.iter().flat_map(|clause| &clause.filters) {
        if filter.kinds.iter().any(KindPattern::is_any_kind) {
            fields.report.error(&filter.path, Problem::AnyKind);
        }
    }
}
