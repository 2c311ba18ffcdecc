//! What a policy gives as a value, or as an expression for it.
//!
//! A value was read when the policy was. An expression has a value once a request is there
//! ([`PolicyValue::put`]), and what comes of it is read in the same way; until then, and where that fails, whatever needs
//! it is a fault.

use serde_json::Value;

use super::condition::Scope;
use super::template::Template;

/// A value, or an expression for it.
#[derive(Clone, Debug, PartialEq)]
pub enum PolicyValue<T> {
    /// It stands in the policy.
    Literal(T),
    /// An expression gives it.
    Expression(Template),
    /// An expression was to give it, and did not.
    Unresolved(String),
}

impl<T> PolicyValue<T> {
    /// The value.
    ///
    /// # Errors
    /// Why there is none.
    pub fn value(&self) -> Result<&T, &str> {
        match self {
            Self::Literal(value) => Ok(value),
            Self::Expression(_) => Err("its expression has no value here"),
            Self::Unresolved(problem) => Err(problem),
        }
    }

    /// Whether an expression is to give it.
    #[must_use]
    pub fn is_expression(&self) -> bool {
        matches!(self, Self::Expression(_))
    }

    /// Puts the value of its expression in the place of it; `read` reads the text as the policy's compiler does.
    pub fn put<E: ToString>(&mut self, scope: &Scope, read: impl FnOnce(&str) -> Result<T, E>) {
        let Self::Expression(template) = self else { return };
        let read = text(template, scope).and_then(|text| read(&text).map_err(|error| error.to_string()));
        *self = read.map_or_else(Self::Unresolved, Self::Literal);
    }
}

/// The text that an expression gives.
pub(super) fn text(template: &Template, scope: &Scope) -> Result<String, String> {
    match scope.render(template) {
        Ok(Value::String(text)) if text.trim().is_empty() => Err("its value is empty".to_owned()),
        Ok(Value::String(text)) => Ok(text),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err("its value is not text".to_owned())
        }
        Err(fault) => Err(fault.to_string()),
    }
}
