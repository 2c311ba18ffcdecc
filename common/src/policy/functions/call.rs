//! One call of a function: what it was given, and what it may spend.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jmespath::{Rcvar, Variable};
use regex::Regex;

use crate::limits;
use crate::policy::identity::{self, MatcherError};
use crate::policy::measure;
use crate::yaml::YamlError;

/// Why a function has no value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum FunctionError {
    /// Too many or too few arguments.
    #[error("takes {expected} arguments, not {found}")]
    Arguments { expected: usize, found: usize },
    /// An argument of another type.
    #[error("argument {position} must be {expected}, not {found}")]
    Type {
        /// From 1.
        position: usize,
        expected: &'static str,
        found: String,
    },
    /// A text that does not say what it should.
    #[error("`{text}` is not {expected}")]
    Unreadable { text: String, expected: &'static str },
    /// A layout with parts that are not known.
    #[error("the layout `{0}` is not supported")]
    Layout(String),
    /// Arguments whose kinds do not go together: a number and a duration.
    #[error("the operands do not go together")]
    Kinds,
    /// A division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A value that does not fit.
    #[error("the value is out of range")]
    OutOfRange,
    /// More than [`limits::FUNCTION_TEXT_BYTES`], or for regular expressions [`limits::SEARCHED_BYTES`].
    #[error("a text that is too long")]
    TooLong,
    /// More than [`limits::FUNCTION_BYTES`].
    #[error("the functions of this rule read and write too much")]
    Exhausted,
    /// A pattern that cannot be used.
    #[error("the pattern is {0}")]
    Pattern(#[from] MatcherError),
    /// Not YAML, or not JSON.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A quoted expression that finds nothing.
    #[error("a quoted expression has no value")]
    NoValue,
    /// A function of the time, where the value must not depend on it.
    #[error("what time it is is not known here")]
    NoTime,
}

impl FunctionError {
    /// A text that does not say what it should; only its beginning is shown.
    pub(super) fn unreadable(text: &str, expected: &'static str) -> Self {
        const SHOWN: usize = 80;
        Self::Unreadable { text: text.chars().take(SHOWN).collect(), expected }
    }
}

/// What the calls of one scope share.
pub(super) struct Shared {
    pub(super) now: Option<Timestamp>,
    /// Bytes that may still be read and written.
    room: AtomicUsize,
    regexes: Mutex<HashMap<String, Regex>>,
}

impl Shared {
    pub(super) fn new(now: Option<Timestamp>) -> Self {
        Self { now, room: AtomicUsize::new(limits::FUNCTION_BYTES), regexes: Mutex::default() }
    }
}

/// One call.
pub(super) struct Call<'a> {
    arguments: &'a [Rcvar],
    shared: &'a Shared,
}

/// Bytes of a node without its text.
const NODE: usize = 64;

impl<'a> Call<'a> {
    /// Checks the number of arguments, and pays for reading them.
    pub(super) fn new(
        arguments: &'a [Rcvar],
        expected: usize,
        shared: &'a Shared,
    ) -> Result<Self, FunctionError> {
        if arguments.len() != expected {
            return Err(FunctionError::Arguments { expected, found: arguments.len() });
        }
        let call = Self { arguments, shared };
        for argument in arguments {
            call.spend_for(argument)?;
        }
        Ok(call)
    }

    /// The time of the evaluation.
    pub(super) fn now(&self) -> Result<Timestamp, FunctionError> {
        self.shared.now.ok_or(FunctionError::NoTime)
    }

    /// Any argument.
    pub(super) fn any(&self, at: usize) -> &'a Rcvar {
        &self.arguments[at]
    }

    /// An argument that must be a text.
    pub(super) fn text(&self, at: usize) -> Result<&'a str, FunctionError> {
        let text = self.any(at).as_string().ok_or_else(|| self.mismatch(at, "a text"))?;
        within(text.len(), limits::FUNCTION_TEXT_BYTES)?;
        Ok(text)
    }

    /// An argument that must be a text or a number, as a text.
    pub(super) fn shown(&self, at: usize) -> Result<String, FunctionError> {
        match &**self.any(at) {
            Variable::Number(_) => Ok(shown_number(self.any(at))),
            Variable::String(_) => self.text(at).map(str::to_owned),
            Variable::Null
            | Variable::Bool(_)
            | Variable::Array(_)
            | Variable::Object(_)
            | Variable::Expref(_) => Err(self.mismatch(at, "a text or a number")),
        }
    }

    /// An argument that must be a number, in billionths.
    pub(super) fn number(&self, at: usize) -> Result<i128, FunctionError> {
        if !self.any(at).is_number() {
            return Err(self.mismatch(at, "a number"));
        }
        measure::quantity(&self.any(at).to_string()).ok_or(FunctionError::OutOfRange)
    }

    /// An argument that must be a whole number.
    pub(super) fn whole(&self, at: usize) -> Result<i128, FunctionError> {
        let number = self.number(at)?;
        if number % measure::UNIT == 0 {
            Ok(number / measure::UNIT)
        } else {
            Err(self.mismatch(at, "a whole number"))
        }
    }

    /// An argument that must be a list.
    pub(super) fn list(&self, at: usize) -> Result<&'a [Rcvar], FunctionError> {
        self.any(at).as_array().map(Vec::as_slice).ok_or_else(|| self.mismatch(at, "a list"))
    }

    /// An argument that must be a map.
    pub(super) fn map(&self, at: usize) -> Result<&'a BTreeMap<String, Rcvar>, FunctionError> {
        self.any(at).as_object().ok_or_else(|| self.mismatch(at, "a map"))
    }

    /// The error of an argument of another type.
    pub(super) fn mismatch(&self, at: usize, expected: &'static str) -> FunctionError {
        let found = self.any(at).get_type().to_string();
        FunctionError::Type { position: at + 1, expected, found }
    }

    /// An argument that must be a regular expression. Unlike those of identities it describes any part of
    /// a text, as Kyverno's does.
    pub(super) fn regex(&self, at: usize) -> Result<Regex, FunctionError> {
        let pattern = self.text(at)?;
        within(pattern.len(), limits::PATTERN_BYTES).map_err(|_| MatcherError::TooLong)?;
        let mut kept = self.shared.regexes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = kept.get(pattern) {
            return Ok(regex.clone());
        }
        // Compiling costs time rather than bytes; this bounds how often a list of patterns is compiled.
        self.spend(limits::REGEX_BYTES)?;
        let regex = identity::compile(pattern)?;
        if kept.len() >= limits::KEPT_REGEXES {
            kept.clear();
        }
        kept.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }

    /// Pays for what is read, written or computed.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), FunctionError> {
        let room = &self.shared.room;
        room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(bytes))
            .map(|_| ())
            .map_err(|_| FunctionError::Exhausted)
    }

    /// Pays for one value and its direct elements; what is deeper is shared, not copied.
    pub(super) fn spend_for(&self, value: &Variable) -> Result<(), FunctionError> {
        let element = |value: &Variable| NODE + value.as_string().map_or(0, String::len);
        let elements = match value {
            Variable::Array(list) => list.iter().map(|item| element(item)).sum(),
            Variable::Object(map) => map.iter().map(|(key, item)| key.len() + element(item)).sum(),
            Variable::Null
            | Variable::String(_)
            | Variable::Bool(_)
            | Variable::Number(_)
            | Variable::Expref(_) => 0,
        };
        self.spend(element(value) + elements)
    }
}

/// A length within its bound.
pub(super) fn within(bytes: usize, bound: usize) -> Result<(), FunctionError> {
    if bytes <= bound { Ok(()) } else { Err(FunctionError::TooLong) }
}

/// A number in digits; whole where it is (the library computes in floats, and `3.0` is `3`).
pub(super) fn shown_number(number: &Variable) -> String {
    let text = number.to_string();
    measure::quantity(&text).map_or(text, measure::write_number)
}

/// A text as a value.
pub(super) fn text(text: impl Into<String>) -> Variable {
    Variable::String(text.into())
}
