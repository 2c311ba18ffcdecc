//! What keeps an expression and its value small: the library recurses and copies without bound.

use jmespath::Variable;
use jmespath::ast::Ast;

use super::ExpressionError;
use crate::limits;

/// Refuses what could make the library recurse or overflow without bound.
pub(in crate::policy) fn bounded(text: &str) -> Result<(), ExpressionError> {
    if text.is_empty() {
        return Err(ExpressionError::Empty);
    }
    let operators = text.bytes().filter(|b| b"([{!&|.*<>=@,:".contains(b)).count();
    let fits = text.len() <= limits::EXPRESSION_BYTES
        && operators <= limits::EXPRESSION_OPERATORS
        && longest_number(text) <= limits::EXPRESSION_DIGITS;
    if fits { Ok(()) } else { Err(ExpressionError::TooLarge) }
}

/// Digits of the longest number outside quotes; those inside are never numbers to the library's parser.
fn longest_number(text: &str) -> usize {
    let (mut longest, mut digits, mut quote, mut escaped) = (0, 0, None, false);
    for c in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => {
                digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
                longest = longest.max(digits);
                quote = matches!(c, '\'' | '"' | '`').then_some(c);
            }
        }
    }
    longest
}

/// What is left of `room` bytes once the value is copied out; `None` when it does not fit or is deeper
/// than `depth`. Nodes that the library shares are counted as often as they are copied, and counting
/// stops at the bound: a few `[@, @, @]` share their way to a billion nodes.
pub(in crate::policy) fn weigh(value: &Variable, depth: usize, room: usize) -> Option<usize> {
    /// Bytes of a node without its text.
    const NODE: usize = 64;
    let depth = depth.checked_sub(1)?;
    let room = room.checked_sub(NODE)?;
    match value {
        Variable::Null | Variable::Bool(_) | Variable::Number(_) | Variable::Expref(_) => Some(room),
        Variable::String(text) => room.checked_sub(text.len()),
        Variable::Array(list) => list.iter().try_fold(room, |room, item| weigh(item, depth, room)),
        Variable::Object(map) => {
            map.iter().try_fold(room, |room, (key, item)| weigh(item, depth, room.checked_sub(key.len())?))
        }
    }
}

/// How often the expression can repeat one part of the document. Known before it is evaluated, because
/// `[@, @, @][]` in a row fills the memory inside the library.
pub(super) fn copies(node: &Ast) -> usize {
    let sum = |parts: &mut dyn Iterator<Item = &Ast>| parts.map(copies).fold(0, usize::saturating_add);
    match node {
        Ast::Identity { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Slice { .. }
        | Ast::Literal { .. } => 1,
        Ast::Subexpr { lhs, rhs, .. } | Ast::Projection { lhs, rhs, .. } => {
            copies(lhs).saturating_mul(copies(rhs))
        }
        Ast::Expref { ast: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::ObjectValues { node, .. }
        | Ast::Not { node, .. } => copies(node),
        Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } | Ast::Comparison { lhs, rhs, .. } => {
            copies(lhs).max(copies(rhs))
        }
        Ast::Condition { predicate, then, .. } => copies(predicate).max(copies(then)),
        Ast::MultiList { elements, .. } => sum(&mut elements.iter()),
        Ast::MultiHash { elements, .. } => sum(&mut elements.iter().map(|part| &part.value)),
        // `map(&[@, @], list)` applies one argument to another.
        Ast::Function { args, .. } if args.iter().any(|part| matches!(part, Ast::Expref { .. })) => {
            args.iter().map(copies).fold(1, usize::saturating_mul)
        }
        Ast::Function { args, .. } => sum(&mut args.iter()).max(1),
    }
}
