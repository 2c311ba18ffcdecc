//! `JMESPath` expressions, bounded.

use std::sync::Arc;

use jmespath::ast::Ast;
use jmespath::{DEFAULT_RUNTIME, Rcvar};
use serde_json::Value;

use crate::limits;

/// A `JMESPath` expression and the variables it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    compiled: Arc<jmespath::Expression<'static>>,
    variables: Vec<Vec<String>>,
}

/// Why a text is not an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// `{{` without `}}`.
    #[error("`{{{{` without `}}}}`")]
    Unclosed,
    /// Nothing between the braces.
    #[error("an empty expression")]
    Empty,
    /// An expression inside an expression.
    #[error("an expression inside an expression is not supported")]
    Nested,
    /// An expression in a key of a map.
    #[error("an expression in the key of a map is not supported")]
    InKey,
    /// Beyond one of the bounds on expressions.
    #[error("an expression that is too large")]
    TooLarge,
    /// The syntax is wrong.
    #[error("`{text}` is not a JMESPath expression (character {offset})")]
    Syntax {
        /// As typed.
        text: String,
        /// Where, in characters.
        offset: usize,
    },
    /// A function that is not part of `JMESPath`.
    #[error("the function `{0}` is not supported")]
    Function(String),
    /// `@` outside a projection reads every variable at once.
    #[error("`@` outside a filter or projection is not supported")]
    WholeDocument,
}

/// Why an expression has no value: a function got what it does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be evaluated: {why}")]
pub struct EvaluationError {
    /// The expression.
    pub text: String,
    /// What the library says.
    pub why: String,
}

impl Expression {
    /// Reads an expression. Kyverno's `\"key\"` is the same as `"key"`.
    ///
    /// # Errors
    /// [`ExpressionError`].
    pub fn parse(typed: &str) -> Result<Self, ExpressionError> {
        let text = typed.trim().replace("\\\"", "\"");
        bounded(&text)?;
        let compiled = jmespath::compile(&text)
            .map_err(|error| ExpressionError::Syntax { text: text.clone(), offset: error.offset })?;
        let mut reads = Reads::default();
        reads.walk(compiled.as_ast(), true);
        match (reads.unknown_function, reads.whole) {
            (Some(name), _) => Err(ExpressionError::Function(name)),
            (None, true) => Err(ExpressionError::WholeDocument),
            (None, false) => Ok(Self { compiled: Arc::new(compiled), variables: reads.variables }),
        }
    }

    /// As typed, without the braces.
    #[must_use]
    pub fn text(&self) -> &str {
        self.compiled.as_str()
    }

    /// The variables it reads, each as far as it is a plain path: `request.object.metadata.name`.
    #[must_use]
    pub fn variables(&self) -> &[Vec<String>] {
        &self.variables
    }

    /// Its value in a document.
    ///
    /// # Errors
    /// [`EvaluationError`] when a function got what it does not take.
    pub(super) fn evaluate(&self, document: &Rcvar) -> Result<Value, EvaluationError> {
        let failed = |why: String| EvaluationError { text: self.text().to_owned(), why };
        let mut context = jmespath::Context::new(self.text(), &DEFAULT_RUNTIME);
        let found = jmespath::interpret(document, self.compiled.as_ast(), &mut context)
            .map_err(|error| failed(error.reason.to_string()))?;
        serde_json::to_value(&*found).map_err(|_| failed("its value is not JSON".to_owned()))
    }
}

/// Refuses what could make the library recurse or overflow without bound.
fn bounded(text: &str) -> Result<(), ExpressionError> {
    if text.is_empty() {
        return Err(ExpressionError::Empty);
    }
    let operators = text.bytes().filter(|b| b"([{!&|.*<>=@,:".contains(b)).count();
    let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default();
    let fits = text.len() <= limits::EXPRESSION_BYTES
        && operators <= limits::EXPRESSION_OPERATORS
        && digits <= limits::EXPRESSION_DIGITS;
    if fits { Ok(()) } else { Err(ExpressionError::TooLarge) }
}

/// What an expression reads of the document it is evaluated in.
#[derive(Default)]
struct Reads {
    variables: Vec<Vec<String>>,
    unknown_function: Option<String>,
    whole: bool,
}

impl Reads {
    /// Walks the expression; `root` tells whether the node is evaluated in the document itself or in
    /// some part of it (the right side of a path, a filter, a projection).
    fn walk(&mut self, node: &Ast, root: bool) {
        if let Some(path) = plain_path(node) {
            if root {
                self.variables.push(path);
            }
            return;
        }
        match node {
            Ast::Identity { .. } => self.whole |= root,
            Ast::Field { .. } | Ast::Index { .. } | Ast::Slice { .. } | Ast::Literal { .. } => {}
            Ast::Subexpr { lhs, rhs, .. } | Ast::Projection { lhs, rhs, .. } => {
                self.walk(lhs, root);
                self.walk(rhs, false);
            }
            Ast::Expref { ast, .. } => self.walk(ast, false),
            Ast::Flatten { node, .. } | Ast::ObjectValues { node, .. } | Ast::Not { node, .. } => {
                self.walk(node, root);
            }
            Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } | Ast::Comparison { lhs, rhs, .. } => {
                self.walk(lhs, root);
                self.walk(rhs, root);
            }
            Ast::Condition { predicate, then, .. } => {
                self.walk(predicate, root);
                self.walk(then, root);
            }
            Ast::MultiList { elements, .. } => {
                for part in elements {
                    self.walk(part, root);
                }
            }
            Ast::MultiHash { elements, .. } => {
                for part in elements {
                    self.walk(&part.value, root);
                }
            }
            Ast::Function { name, args, .. } => {
                if DEFAULT_RUNTIME.get_function(name).is_none() {
                    self.unknown_function.get_or_insert_with(|| name.clone());
                }
                for part in args {
                    self.walk(part, root);
                }
            }
        }
    }
}

/// The steps of a path of keys only.
fn plain_path(node: &Ast) -> Option<Vec<String>> {
    if let Ast::Field { name, .. } = node {
        return Some(vec![name.clone()]);
    }
    let Ast::Subexpr { lhs, rhs, .. } = node else { return None };
    let Ast::Field { name, .. } = &**rhs else { return None };
    let mut path = plain_path(lhs)?;
    path.push(name.clone());
    Some(path)
}

#[cfg(test)]
mod tests {
    use jmespath::ToJmespath as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_variables_of_an_expression_are_known() {
        let cases = [
            ("request.object.metadata.name", vec!["request.object.metadata.name"]),
            (
                r#"request.object.metadata.labels."app.io/x" || 'none'"#,
                vec!["request.object.metadata.labels.app.io/x"],
            ),
            ("length(a.b) > `3` && !c", vec!["a.b", "c"]),
            ("list[?name=='x'].value | [0]", vec!["list"]),
            ("[a, {k: b}]", vec!["a", "b"]),
            ("map(&inner, outer)", vec!["outer"]),
            ("items[*].spec.name", vec!["items"]),
            ("'text'", vec![]),
        ];
        for (text, expected) in cases {
            let found = Expression::parse(text).unwrap();
            let found: Vec<String> = found.variables().iter().map(|path| path.join(".")).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_says_why() {
        assert_eq!(Expression::parse("  "), Err(ExpressionError::Empty));
        assert!(matches!(Expression::parse("a b"), Err(ExpressionError::Syntax { .. })));
        assert_eq!(Expression::parse("to_upper(a)"), Err(ExpressionError::Function("to_upper".into())));
        assert_eq!(Expression::parse("keys(@)"), Err(ExpressionError::WholeDocument));
        for large in ["(".repeat(200), "!".repeat(200), "a".repeat(2_000), "a[-2147483648]".into()] {
            assert_eq!(Expression::parse(&large), Err(ExpressionError::TooLarge));
        }
    }

    #[test]
    fn the_largest_expressions_do_not_exhaust_the_stack() {
        let open = limits::EXPRESSION_OPERATORS;
        for text in [
            format!("{}a{}", "(".repeat(open), ")".repeat(open)),
            format!("{}a", "!".repeat(open)),
            format!("a{}", ".a".repeat(open)),
            format!("a{}", "||a".repeat(open / 2)),
        ] {
            let expression = Expression::parse(&text).unwrap();
            expression.evaluate(&json!({"a": null}).to_jmespath().unwrap()).unwrap();
        }
    }

    #[test]
    fn a_function_that_gets_the_wrong_type_is_an_error_not_a_value() {
        let document = json!({"a": 1}).to_jmespath().unwrap();
        let error = Expression::parse("starts_with(a, 'x')").unwrap().evaluate(&document).unwrap_err();
        assert_eq!(error.text, "starts_with(a, 'x')");
    }
}
