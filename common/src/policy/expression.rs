//! `JMESPath` expressions, bounded.

use std::sync::Arc;

use jiff::Timestamp;
use jmespath::ast::Ast;
use jmespath::{DEFAULT_RUNTIME, Rcvar, Variable};
use serde_json::Value;

use super::functions;
use crate::limits;

/// A `JMESPath` expression and the variables it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    compiled: Arc<jmespath::Expression<'static>>,
    /// Whether it uses functions of [`functions`].
    extended: bool,
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

/// Why an expression has no value: a function got what it does not take, or the value is too large.
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
        let (read, whole) = Self::read(typed)?;
        if whole { Err(ExpressionError::WholeDocument) } else { Ok(read) }
    }

    /// Reads an expression that is about one value and no variables: `@` is that value.
    ///
    /// # Errors
    /// [`ExpressionError`].
    pub fn of_value(typed: &str) -> Result<Self, ExpressionError> {
        Ok(Self::read(typed)?.0)
    }

    /// An expression, and whether it reads all of the document.
    fn read(typed: &str) -> Result<(Self, bool), ExpressionError> {
        let text = typed.trim().replace("\\\"", "\"");
        bounded(&text)?;
        let compiled = jmespath::compile(&text)
            .map_err(|error| ExpressionError::Syntax { text: text.clone(), offset: error.offset })?;
        if copies(compiled.as_ast()) > limits::EXPRESSION_COPIES {
            return Err(ExpressionError::TooLarge);
        }
        let mut reads = Reads::default();
        reads.walk(compiled.as_ast(), true);
        if let Some(name) = reads.unknown_function {
            return Err(ExpressionError::Function(name));
        }
        let (compiled, extended) = (Arc::new(compiled), reads.extended);
        Ok((Self { compiled, extended, variables: reads.variables }, reads.whole))
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

    /// Its value in a document, at a time.
    ///
    /// # Errors
    /// [`EvaluationError`] when a function got what it does not take or the value is too large.
    pub(super) fn evaluate(
        &self,
        document: &Rcvar,
        now: Option<Timestamp>,
    ) -> Result<Value, EvaluationError> {
        let failed = |why: String| EvaluationError { text: self.text().to_owned(), why };
        let extended = match (self.extended, now) {
            (false, _) => None,
            (true, Some(now)) => Some(functions::runtime(now)),
            (true, None) => return Err(failed("what time it is is not known here".to_owned())),
        };
        let runtime = extended.as_ref().unwrap_or(&DEFAULT_RUNTIME);
        let mut context = jmespath::Context::new(self.text(), runtime);
        let found = jmespath::interpret(document, self.compiled.as_ast(), &mut context)
            .map_err(|error| failed(error.reason.to_string()))?;
        weigh(&found, limits::DEPTH, limits::EXPRESSION_VALUE_BYTES)
            .ok_or_else(|| failed("its value is too large".to_owned()))?;
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

/// What is left of `room` bytes once the value is copied out; `None` when it does not fit or is deeper
/// than `depth`. Nodes that the library shares are counted as often as they are copied, and counting
/// stops at the bound: a few `[@, @, @]` share their way to a billion nodes.
fn weigh(value: &Variable, depth: usize, room: usize) -> Option<usize> {
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
fn copies(node: &Ast) -> usize {
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

/// What an expression reads of the document it is evaluated in.
#[derive(Default)]
struct Reads {
    variables: Vec<Vec<String>>,
    unknown_function: Option<String>,
    extended: bool,
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
                if functions::is_known(name) {
                    self.extended = true;
                } else if DEFAULT_RUNTIME.get_function(name).is_none() {
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
            expression.evaluate(&json!({"a": null}).to_jmespath().unwrap(), None).unwrap();
        }
    }

    /// Nested multi-selects share one node billions of times, and flattened ones copy it as often.
    #[test]
    fn expressions_that_multiply_are_refused_unevaluated() {
        for text in [
            format!("l[*]{}", ".[@,@,@]".repeat(15)),
            format!("l[]{}", ".[@,@,@][]".repeat(12)),
            format!("l[*]{}", ".{a:@,b:@}".repeat(14)),
            "map(&[@,@,@,@,@,@,@,@,@], [l,l,l,l,l,l,l,l])".to_owned(),
        ] {
            assert_eq!(Expression::parse(&text), Err(ExpressionError::TooLarge), "{text}");
        }
        for honest in ["spec.[a, b, c][].image", "[a, b][] || [c, d][] || [e, f][].{x: y, z: w}"] {
            Expression::parse(honest).unwrap();
        }
    }

    /// Counting must stop at the bound: this value has 3^40 nodes, and its evaluation shares 41.
    #[test]
    fn a_value_that_grows_when_copied_is_an_error() {
        let mut value = Rcvar::new(Variable::Null);
        for _ in 0..40 {
            value = Rcvar::new(Variable::Array(vec![value.clone(), value.clone(), value]));
        }
        let document = Rcvar::new(Variable::Object([("a".to_owned(), value)].into()));
        let error = Expression::parse("a").unwrap().evaluate(&document, None).unwrap_err();
        assert_eq!(error.why, "its value is too large");
        let long = json!({"a": "x".repeat(limits::EXPRESSION_VALUE_BYTES / 8)}).to_jmespath().unwrap();
        assert!(Expression::parse("[a,a,a,a]").unwrap().evaluate(&long, None).is_ok());
        assert!(Expression::parse("[a,a,a,a,a,a,a,a]").unwrap().evaluate(&long, None).is_err());
    }

    #[test]
    fn a_value_that_is_too_deep_is_an_error() {
        let nested = |depth: usize| {
            let list = (1..depth).fold(Value::Null, |value, _| json!([value]));
            json!({"a": list}).to_jmespath().unwrap()
        };
        let expression = Expression::parse("a").unwrap();
        assert!(expression.evaluate(&nested(limits::DEPTH), None).is_ok());
        assert!(expression.evaluate(&nested(limits::DEPTH + 1), None).is_err());
    }

    #[test]
    fn a_function_that_gets_the_wrong_type_is_an_error_not_a_value() {
        let document = json!({"a": 1}).to_jmespath().unwrap();
        let error = Expression::parse("starts_with(a, 'x')").unwrap().evaluate(&document, None).unwrap_err();
        assert_eq!(error.text, "starts_with(a, 'x')");
    }
}
