//! An expression in the quotes of another: `time_since('', '{{ metadata.time }}', '')`.

use jmespath::Variable;
use jmespath::ast::Ast;

use super::Entry;
use super::call::{Call, FunctionError, shown_number, text, within};
use crate::limits;
use crate::policy::expression::ExpressionError;
use crate::policy::expression::bounds::{bounded, weigh};

/// The function that an expression in quotes becomes; nobody can type its name.
pub(super) const QUOTED: &str = "'{{ }}'";

pub(super) const FUNCTIONS: [Entry; 1] = [Entry { name: QUOTED, arguments: 1, body: quoted }];

/// Puts the expression in the place of every quoted literal that is one `{{ expression }}`.
///
/// The value never becomes text of the outer expression: attack: a value with a quote in it ends the
/// literal and goes on as an expression of its own. What is quoted is evaluated in the whole document, so
/// it must stand where the outer expression is; in a filter or projection it would see the element.
pub(crate) fn unquote(ast: &mut Ast, text: &str) -> Result<(), ExpressionError> {
    let mut found = 0;
    replace(ast, text, &mut found)?;
    if text.matches("{{").count() == found { Ok(()) } else { Err(ExpressionError::Nested) }
}

fn replace(node: &mut Ast, text: &str, found: &mut usize) -> Result<(), ExpressionError> {
    let mut each = |nodes: &mut dyn Iterator<Item = &mut Ast>| {
        for node in nodes {
            replace(node, text, found)?;
        }
        Ok(())
    };
    match node {
        Ast::Literal { offset, value } => {
            let Some(inner) =
                value.as_string().and_then(|value| inner(value, text.get(*offset..).unwrap_or_default()))
            else {
                return Ok(());
            };
            bounded(inner)?;
            let inner = jmespath::parse(inner).map_err(|_| ExpressionError::Nested)?;
            *found += 1;
            *node = Ast::Function { offset: *offset, name: QUOTED.to_owned(), args: vec![inner] };
            Ok(())
        }
        Ast::Subexpr { lhs: node, .. }
        | Ast::Projection { lhs: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::ObjectValues { node, .. }
        | Ast::Not { node, .. } => each(&mut std::iter::once(&mut **node)),
        Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } | Ast::Comparison { lhs, rhs, .. } => {
            each(&mut [&mut **lhs, &mut **rhs].into_iter())
        }
        Ast::MultiList { elements, .. } => each(&mut elements.iter_mut()),
        Ast::MultiHash { elements, .. } => each(&mut elements.iter_mut().map(|part| &mut part.value)),
        Ast::Function { args, .. } => each(&mut args.iter_mut()),
        Ast::Identity { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Slice { .. }
        | Ast::Expref { .. }
        | Ast::Condition { .. } => Ok(()),
    }
}

/// The expression, where a literal is one and stands in the text just so: in single quotes, unescaped.
fn inner<'v>(value: &'v str, typed: &str) -> Option<&'v str> {
    let inner = value.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let as_typed = typed.strip_prefix('\'')?.strip_prefix(value)?.starts_with('\'');
    let whole = !inner.contains("{{") && !inner.contains("}}") && !inner.starts_with('{');
    (as_typed && whole).then_some(inner)
}

/// A value in quotes is a text.
fn quoted(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let value = &**call.any(0);
    Ok(match value {
        Variable::Null => return Err(FunctionError::NoValue),
        Variable::Expref(_) => return Err(call.mismatch(0, "a value")),
        Variable::String(_) => text(call.text(0)?),
        Variable::Number(_) => text(shown_number(value)),
        Variable::Bool(_) | Variable::Array(_) | Variable::Object(_) => {
            weigh(value, limits::DEPTH, limits::FUNCTION_TEXT_BYTES).ok_or(FunctionError::TooLong)?;
            let shown = value.to_string();
            within(shown.len(), limits::FUNCTION_TEXT_BYTES)?;
            text(shown)
        }
    })
}
