//! `JMESPath` expressions, bounded.

pub(super) mod bounds;

use std::sync::Arc;

use jiff::Timestamp;
use jmespath::ast::Ast;
use jmespath::{DEFAULT_RUNTIME, ErrorReason, Rcvar, ToJmespath as _};
use serde_json::Value;

use super::functions::{self, Functions};
use crate::limits;
use bounds::{bounded, copies, weigh};

/// A `JMESPath` expression and the variables it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    compiled: Arc<jmespath::Expression<'static>>,
    variables: Vec<Vec<String>>,
    compared: Vec<Vec<String>>,
    /// Whether it calls functions that are not part of `JMESPath`.
    extended: bool,
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
    /// An expression inside an expression, other than `'{{ … }}'` as a whole text.
    #[error("an expression inside an expression is not supported, except as a whole text in single quotes")]
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
    /// A function that nobody knows here.
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
    /// What the function or the library says.
    pub why: String,
}

impl Expression {
    /// Reads an expression. Kyverno's `\"key\"` is the same as `"key"`.
    ///
    /// # Errors
    /// [`ExpressionError`].
    pub fn parse(typed: &str) -> Result<Self, ExpressionError> {
        // Such an expression may be evaluated in a value of its own, and what it quotes would have to be
        // evaluated in the whole document.
        if typed.contains("{{") { Err(ExpressionError::Nested) } else { Self::parse_quoting(typed) }
    }

    /// Reads an expression that is about one value and no variables: `@` is that value.
    ///
    /// # Errors
    /// [`ExpressionError`].
    pub fn of_value(typed: &str) -> Result<Self, ExpressionError> {
        if typed.contains("{{") { Err(ExpressionError::Nested) } else { Ok(Self::read(typed)?.0) }
    }

    /// Reads an expression that may hold others in quotes: `time_since('', '{{ metadata.time }}', '')`.
    ///
    /// # Errors
    /// [`ExpressionError`].
    pub(super) fn parse_quoting(typed: &str) -> Result<Self, ExpressionError> {
        let (read, whole) = Self::read(typed)?;
        if whole { Err(ExpressionError::WholeDocument) } else { Ok(read) }
    }

    /// An expression, and whether it reads all of the document.
    fn read(typed: &str) -> Result<(Self, bool), ExpressionError> {
        let text = typed.trim().replace("\\\"", "\"");
        bounded(&text)?;
        let mut ast = jmespath::parse(&text).map_err(|error| {
            if text.contains("{{") {
                return ExpressionError::Nested;
            }
            ExpressionError::Syntax { text: text.clone(), offset: error.offset }
        })?;
        functions::unquote(&mut ast, &text)?;
        if copies(&ast) > limits::EXPRESSION_COPIES {
            return Err(ExpressionError::TooLarge);
        }
        let Reads { variables, compared, unknown_function, extended, whole } = Reads::of(&ast);
        if let Some(name) = unknown_function {
            return Err(ExpressionError::Function(name));
        }
        let compiled = Arc::new(jmespath::Expression::new(text, ast, &DEFAULT_RUNTIME));
        Ok((Self { compiled, variables, compared, extended }, whole))
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

    /// Plain paths that are compared with something and have no alternative: `a.b` of `a.b == 'c'`.
    pub(super) fn compared(&self) -> &[Vec<String>] {
        &self.compared
    }

    /// The time that it finds in a document (RFC 3339); `None` where it finds none.
    #[must_use]
    pub fn time_in(&self, document: &Value) -> Option<Timestamp> {
        let found = self.evaluate(&document.to_jmespath().ok()?, &Functions::timeless()).ok()?;
        found.as_str()?.parse().ok()
    }

    /// Its value in a document, at a time.
    ///
    /// # Errors
    /// [`EvaluationError`] when a function got what it does not take or the value is too large.
    pub(super) fn evaluate(&self, document: &Rcvar, functions: &Functions) -> Result<Value, EvaluationError> {
        let failed = |why: String| EvaluationError { text: self.text().to_owned(), why };
        let runtime = if self.extended { functions.runtime() } else { &DEFAULT_RUNTIME };
        let mut context = jmespath::Context::new(self.text(), runtime);
        let found = jmespath::interpret(document, self.compiled.as_ast(), &mut context)
            .map_err(|error| failed(in_words(error.reason)))?;
        weigh(&found, limits::DEPTH, limits::EXPRESSION_VALUE_BYTES)
            .ok_or_else(|| failed("its value is too large".to_owned()))?;
        serde_json::to_value(&*found).map_err(|_| failed("its value is not JSON".to_owned()))
    }
}

/// Without the library's "Parse error", which is what it calls every error with a text of its own.
fn in_words(reason: ErrorReason) -> String {
    match reason {
        ErrorReason::Parse(why) => why,
        ErrorReason::Runtime(why) => why.to_string(),
    }
}

/// What an expression reads of the document it is evaluated in.
#[derive(Default)]
struct Reads {
    variables: Vec<Vec<String>>,
    compared: Vec<Vec<String>>,
    unknown_function: Option<String>,
    extended: bool,
    whole: bool,
}

impl Reads {
    fn of(ast: &Ast) -> Self {
        let mut reads = Self::default();
        reads.walk(ast, true);
        reads
    }

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
            Ast::Comparison { lhs, rhs, .. } => {
                let sides = [lhs, rhs].into_iter().filter(|_| root);
                self.compared.extend(sides.filter_map(|side| plain_path(side)));
                self.walk(lhs, root);
                self.walk(rhs, root);
            }
            Ast::Or { lhs, rhs, .. } => {
                let compared = self.compared.len();
                self.walk(lhs, root);
                self.walk(rhs, root);
                self.compared.truncate(compared);
            }
            Ast::And { lhs, rhs, .. } => {
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
    use jmespath::{ToJmespath as _, Variable};
    use serde_json::json;

    use super::*;

    fn functions() -> Functions {
        Functions::at(Timestamp::UNIX_EPOCH)
    }

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
        assert_eq!(Expression::parse("random(a)"), Err(ExpressionError::Function("random".into())));
        assert_eq!(Expression::parse("keys(@)"), Err(ExpressionError::WholeDocument));
        for large in ["(".repeat(200), "!".repeat(200), "a".repeat(2_000), "a[-2147483648]".into()] {
            assert_eq!(Expression::parse(&large), Err(ExpressionError::TooLarge));
        }
        for escaped in [r"'\'' == a[123456789]", r"'\\' == a[123456789] || ''"] {
            assert_eq!(Expression::parse(escaped), Err(ExpressionError::TooLarge), "{escaped}");
        }
        let quoted = Expression::parse_quoting("starts_with('{{ a[-2147483648] }}', 'x')");
        assert_eq!(quoted, Err(ExpressionError::TooLarge));
        Expression::parse("starts_with('1700000000', a)").unwrap();
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
            expression.evaluate(&json!({"a": null}).to_jmespath().unwrap(), &functions()).unwrap();
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
        let error = Expression::parse("a").unwrap().evaluate(&document, &functions()).unwrap_err();
        assert_eq!(error.why, "its value is too large");
        let long = json!({"a": "x".repeat(limits::EXPRESSION_VALUE_BYTES / 8)}).to_jmespath().unwrap();
        assert!(Expression::parse("[a,a,a,a]").unwrap().evaluate(&long, &functions()).is_ok());
        assert!(Expression::parse("[a,a,a,a,a,a,a,a]").unwrap().evaluate(&long, &functions()).is_err());
    }

    #[test]
    fn a_value_that_is_too_deep_is_an_error() {
        let nested = |depth: usize| {
            let list = (1..depth).fold(Value::Null, |value, _| json!([value]));
            json!({"a": list}).to_jmespath().unwrap()
        };
        let expression = Expression::parse("a").unwrap();
        assert!(expression.evaluate(&nested(limits::DEPTH), &functions()).is_ok());
        assert!(expression.evaluate(&nested(limits::DEPTH + 1), &functions()).is_err());
    }

    #[test]
    fn a_function_that_gets_the_wrong_type_is_an_error_not_a_value() {
        let document = json!({"a": 1}).to_jmespath().unwrap();
        let error =
            Expression::parse("starts_with(a, 'x')").unwrap().evaluate(&document, &functions()).unwrap_err();
        assert_eq!(error.text, "starts_with(a, 'x')");
    }
}
