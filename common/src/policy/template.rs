//! Templates: YAML values whose texts hold `{{ expressions }}`.

use serde_json::{Map, Value};

use super::expression::{Expression, ExpressionError};

/// A value whose texts may hold `{{ expressions }}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// No expression in it.
    Literal(Value),
    /// A text that is one expression and takes on its value and type.
    Whole(Expression),
    /// A text with expressions in it; their values are written into it.
    Text(Vec<Part>),
    /// A list with expressions in some element.
    List(Vec<Template>),
    /// A map with expressions in some value.
    Map(Vec<(String, Template)>),
}

/// Part of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// As it stands.
    Literal(String),
    /// An expression.
    Expression(Expression),
}

impl Template {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ExpressionError`] of the first expression that cannot be read.
    pub fn parse(value: &Value) -> Result<Self, ExpressionError> {
        if !holds_braces(value) {
            return Ok(Self::Literal(value.clone()));
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Self::Literal(value.clone())),
            Value::String(text) => Self::parse_text(text),
            Value::Array(list) => Ok(Self::List(list.iter().map(Self::parse).collect::<Result<_, _>>()?)),
            Value::Object(map) => Ok(Self::Map(map.iter().map(parse_entry).collect::<Result<_, _>>()?)),
        }
    }

    /// Reads a text. `\{{` stands for `{{` itself.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_text(text: &str) -> Result<Self, ExpressionError> {
        let mut parts = parts(text)?;
        Ok(match (parts.len(), parts.pop()) {
            (1, Some(Part::Expression(expression))) => Self::Whole(expression),
            (1, Some(Part::Literal(text))) => Self::Literal(Value::String(text)),
            (_, None) => Self::Literal(Value::String(String::new())),
            (_, Some(last)) => {
                parts.push(last);
                Self::Text(parts)
            }
        })
    }

    /// Every expression in it.
    #[must_use]
    pub fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Literal(_) => vec![],
            Self::Whole(expression) => vec![expression],
            Self::Text(parts) => parts.iter().filter_map(Part::expression).collect(),
            Self::List(list) => list.iter().flat_map(Self::expressions).collect(),
            Self::Map(map) => map.iter().flat_map(|(_, value)| value.expressions()).collect(),
        }
    }

    /// The value, with every expression's value put in its place.
    ///
    /// # Errors
    /// The first error of `value_of`.
    pub fn render<E>(&self, value_of: &mut impl FnMut(&Expression) -> Result<Value, E>) -> Result<Value, E> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Whole(expression) => value_of(expression),
            Self::Text(parts) => {
                let text: Result<String, E> = parts.iter().map(|part| part.render(value_of)).collect();
                text.map(Value::String)
            }
            Self::List(list) => {
                let values: Result<Vec<_>, E> = list.iter().map(|item| item.render(value_of)).collect();
                values.map(Value::Array)
            }
            Self::Map(map) => {
                let mut values = Map::new();
                for (key, value) in map {
                    values.insert(key.clone(), value.render(value_of)?);
                }
                Ok(Value::Object(values))
            }
        }
    }
}

fn parse_entry((key, value): (&String, &Value)) -> Result<(String, Template), ExpressionError> {
    if key.contains("{{") {
        return Err(ExpressionError::InKey);
    }
    Ok((key.clone(), Template::parse(value)?))
}

impl Part {
    fn render<E>(&self, value_of: &mut impl FnMut(&Expression) -> Result<Value, E>) -> Result<String, E> {
        match self {
            Self::Literal(literal) => Ok(literal.clone()),
            Self::Expression(expression) => value_of(expression).map(|value| show(&value)),
        }
    }

    fn expression(&self) -> Option<&Expression> {
        match self {
            Self::Literal(_) => None,
            Self::Expression(expression) => Some(expression),
        }
    }
}

/// A value as part of a text: texts as they are, nothing for `null`, the rest as JSON.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn holds_braces(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains("{{"),
        Value::Array(list) => list.iter().any(holds_braces),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains("{{") || holds_braces(value)),
    }
}

fn parts(text: &str) -> Result<Vec<Part>, ExpressionError> {
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(start) = rest.find("{{") {
        let before = &rest[..start];
        if let Some(escaped) = before.strip_suffix('\\') {
            literal.push_str(escaped);
            literal.push_str("{{");
            rest = &rest[start + 2..];
            continue;
        }
        literal.push_str(before);
        let inside = &rest[start + 2..];
        // Kyverno's `{{- x }}` means the same; no expression begins with a dash.
        let inside = inside.strip_prefix('-').unwrap_or(inside);
        let end = end_of_expression(inside)?;
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Expression(Expression::parse_quoting(&inside[..end])?));
        rest = &inside[end + 2..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// Where the `}}` stands that ends the expression: braces inside quotes and of multi-select hashes
/// (`{a: b}`) do not count.
fn end_of_expression(text: &str) -> Result<usize, ExpressionError> {
    let (mut depth, mut quote, mut previous) = (0_usize, None, ' ');
    for (at, c) in text.char_indices() {
        match (quote, c) {
            // Kyverno's `\"key\"`: a backslash before a double quote belongs to YAML, not to us.
            (Some(open), _) if c == open && (c == '"' || previous != '\\') => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '{') if previous == '{' => return Err(ExpressionError::Nested),
            (None, '{') => depth += 1,
            (None, '}') if depth > 0 => depth -= 1,
            (None, '}') if text[at..].starts_with("}}") => return Ok(at),
            (Some(_) | None, _) => {}
        }
        previous = c;
    }
    Err(ExpressionError::Unclosed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(template: &Template) -> Value {
        let render =
            template.render(&mut |expression| Ok::<_, ()>(json!(format!("<{}>", expression.text()))));
        render.unwrap()
    }

    #[test]
    fn expressions_are_found_where_they_stand() {
        let cases = [
            (json!("plain"), json!("plain")),
            (json!(5), json!(5)),
            (json!("{{ a.b }}"), json!("<a.b>")),
            (json!("x-{{a}}-{{ b }}"), json!("x-<a>-<b>")),
            (json!("{{- a }}"), json!("<a>")),
            (json!("x{{-a}}"), json!("x<a>")),
            (json!("{{ a || '}}' }}"), json!("<a || '}}'>")),
            (json!("{{ {x: a} }}"), json!("<{x: a}>")),
            (json!("{{ {x: {y: a}} }}"), json!("<{x: {y: a}}>")),
            (json!(r"\{{ a }}"), json!("{{ a }}")),
            (json!(r#"{{ a.\"b.c\" }}"#), json!(r#"<a."b.c">"#)),
            (json!(["{{a}}", {"k": "{{b}}"}]), json!(["<a>", {"k": "<b>"}])),
        ];
        for (typed, expected) in cases {
            assert_eq!(shown(&Template::parse(&typed).unwrap()), expected, "{typed}");
        }
    }

    #[test]
    fn what_is_no_template_says_why() {
        let cases = [
            (json!("{{ a"), ExpressionError::Unclosed),
            (json!("{{ 'a }}"), ExpressionError::Unclosed),
            (json!("{{}}"), ExpressionError::Empty),
            (json!("{{ a.{{b}} }}"), ExpressionError::Nested),
            (json!("{{ starts_with('{{ b }}-c', 'x') }}"), ExpressionError::Nested),
            (json!("{{ starts_with('{{ {{ b }} }}', 'x') }}"), ExpressionError::Nested),
            (json!("{{ starts_with('{{ b }}', 'x') || \"{{ c }}\" }}"), ExpressionError::Nested),
            (json!("{{ starts_with('{{ b || 'c' }}', 'x') }}"), ExpressionError::Nested),
            (json!("{{ starts_with(`\"{{ b }}\"`, 'x') }}"), ExpressionError::Nested),
            (json!("{{ list[?starts_with('{{ b }}', x)] }}"), ExpressionError::Nested),
            (json!("{{ a | starts_with('{{ b }}', 'x') }}"), ExpressionError::Nested),
            (json!("{{ map(&starts_with('{{ b }}', x), list) }}"), ExpressionError::Nested),
            (json!("{{ starts_with('{{{ b }}}', 'x') }}"), ExpressionError::Nested),
            (json!("{{ starts_with('{{ random(b) }}', 'x') }}"), ExpressionError::Function("random".into())),
            (json!("{{ starts_with('{{ @ }}', 'x') }}"), ExpressionError::WholeDocument),
            (json!({"{{a}}": 1}), ExpressionError::InKey),
        ];
        for (typed, expected) in cases {
            assert_eq!(Template::parse(&typed), Err(expected), "{typed}");
        }
    }
}
