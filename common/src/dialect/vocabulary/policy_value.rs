//! Texts that stand for something, or hold an expression that gives it.

use crate::dialect::Problem;
use crate::dialect::reader::Node;
use crate::policy::PolicyValue;
use crate::policy::template::Template;

/// What a text stands for. One that holds an expression is read once the expression has a value.
pub(in crate::dialect) fn policy_value<T, E>(
    node: &Node<'_, '_>,
    read: impl FnOnce(&str) -> Result<T, E>,
    problem: impl FnOnce(E) -> Problem,
) -> Option<PolicyValue<T>> {
    let text = node.text("write a text or remove the field")?;
    let read = if text.contains("{{") {
        Template::parse_text(text).map(PolicyValue::Expression).map_err(Problem::Expression)
    } else {
        read(text).map(PolicyValue::Literal).map_err(problem)
    };
    read.map_err(|problem| node.error(problem)).ok()
}
