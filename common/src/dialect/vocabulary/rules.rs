//! Names of rules, and what they are about.

use std::collections::BTreeMap;

use super::matching::{self, Allowed, Clause};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::image;
use crate::limits;
use crate::policy::images::ImageExtractor;
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

/// The kinds of an image rule. On every kind it would stop whatever the cluster does; of kinds that hold no images it
/// looks at nothing.
pub(in crate::dialect) fn check_kinds(
    fields: &Fields<'_, '_>,
    matching: Option<&Clause>,
    extractors: &BTreeMap<String, Vec<ImageExtractor>>,
) {
    for filter in matching.iter().flat_map(|clause| &clause.filters) {
        if filter.kinds.iter().any(KindPattern::is_any_kind) {
            fields.report.error(&filter.path, Problem::AnyKind);
        }
        let named = filter.kinds.iter().filter(|pattern| pattern.warning().is_none());
        for kind in named.filter_map(KindPattern::literal) {
            if !image::holds_images(kind) && !extractors.contains_key(kind) {
                let message = format!(
                    "`{kind}`: no images of this kind are looked at; say in imageExtractors where they stand"
                );
                fields.report.warn(&filter.path, message);
            }
        }
    }
}
