//! Matchers for identities, issuers and other texts.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::condition::Scope;
use super::expression::ExpressionError;
use super::template::Template;
use super::{policy_value, wildcard};
use crate::limits;

/// A text, a wildcard pattern, or a regular expression. Every form is anchored at both ends.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// Exactly this text.
    Exact(String),
    /// `*` and `?`.
    Wildcard(String),
    /// A regular expression.
    Regex(Box<RegexMatcher>),
    /// What an expression gives: it accepts nothing before it has a value.
    Expression(Box<ExpressionMatcher>),
}

/// A matcher that an expression gives.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpressionMatcher {
    typed: String,
    template: Template,
    is_regex: bool,
    /// Why it gave none.
    problem: Option<String>,
}

/// A regular expression that must describe the whole text.
#[derive(Clone, Debug)]
pub struct RegexMatcher {
    typed: String,
    compiled: Regex,
}

/// Why a text is not a matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatcherError {
    /// It would match nothing, or (worse, in other tools) everything.
    #[error("empty")]
    Empty,
    /// Longer than [`limits::PATTERN_BYTES`].
    #[error("longer than {} bytes", limits::PATTERN_BYTES)]
    TooLong,
    /// The syntax is wrong.
    #[error("not a regular expression: {0}")]
    Syntax(String),
    /// Compiles to more than [`limits::REGEX_BYTES`].
    #[error("a regular expression that is too large when compiled")]
    TooLarge,
}

impl Matcher {
    /// Exactly this text.
    ///
    /// # Errors
    /// [`MatcherError::Empty`], [`MatcherError::TooLong`].
    pub fn exact(text: &str) -> Result<Self, MatcherError> {
        checked(text).map(|text| Self::Exact(text.to_owned()))
    }

    /// A wildcard pattern; exact when it holds no wildcard.
    ///
    /// # Errors
    /// [`MatcherError::Empty`], [`MatcherError::TooLong`].
    pub fn wildcard(pattern: &str) -> Result<Self, MatcherError> {
        let pattern = checked(pattern)?.to_owned();
        Ok(if wildcard::is_pattern(&pattern) { Self::Wildcard(pattern) } else { Self::Exact(pattern) })
    }

    /// A regular expression, which must describe the whole text.
    ///
    /// Attack: `https://github.com/acme/` without anchors would also accept
    /// `https://evil.example/?https://github.com/acme/`.
    ///
    /// # Errors
    /// [`MatcherError`] for what is empty, too long, malformed or too large.
    pub fn regex(typed: &str) -> Result<Self, MatcherError> {
        checked(typed)?;
        // The bare text first: `a)|(b` is malformed, and must not become well-formed by our brackets.
        compile(typed)?;
        // A line comment of the `x` flag would swallow our bracket, hence the line break.
        let compiled =
            compile(&format!("^(?:{typed})$")).or_else(|_| compile(&format!("^(?:{typed}\n)$")))?;
        Ok(Self::Regex(Box::new(RegexMatcher { typed: typed.to_owned(), compiled })))
    }

    /// A matcher that an expression gives: a wildcard pattern, or a regular expression.
    ///
    /// # Errors
    /// [`ExpressionError`].
    pub fn expression(typed: &str, is_regex: bool) -> Result<Self, ExpressionError> {
        let template = Template::parse_text(typed)?;
        let (typed, problem) = (typed.to_owned(), None);
        Ok(Self::Expression(Box::new(ExpressionMatcher { typed, template, is_regex, problem })))
    }

    /// A matcher that has no value for a reason.
    pub(super) fn without_value(problem: &str) -> Self {
        let (typed, template) = (String::new(), Template::Literal(serde_json::Value::Null));
        let problem = Some(problem.to_owned());
        Self::Expression(Box::new(ExpressionMatcher { typed, template, is_regex: false, problem }))
    }

    /// Whether it is known what it accepts.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Expression(_))
    }

    /// Why it is not known what it accepts.
    pub(super) fn problem(&self) -> Option<&str> {
        match self {
            Self::Exact(_) | Self::Wildcard(_) | Self::Regex(_) => None,
            Self::Expression(expression) => {
                Some(expression.problem.as_deref().unwrap_or("its expression has no value here"))
            }
        }
    }

    /// Puts the value of its expression in the place of it.
    pub(super) fn put(&mut self, scope: &Scope) {
        let Self::Expression(expression) = self else { return };
        let read = if expression.is_regex { Self::regex } else { Self::wildcard };
        let text = policy_value::text(&expression.template, scope);
        match text.and_then(|text| read(&text).map_err(|error| error.to_string())) {
            Ok(matcher) => *self = matcher,
            Err(problem) => expression.problem = Some(problem),
        }
    }

    /// Whether the whole text is described.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(expected) => expected == text,
            Self::Wildcard(pattern) => wildcard::matches(pattern, text),
            Self::Regex(regex) => regex.matches(text),
            Self::Expression(_) => false,
        }
    }

    /// Whether it accepts (practically) every text, so that naming it asks for nothing.
    #[must_use]
    pub fn accepts_anything(&self) -> bool {
        match self {
            Self::Exact(_) | Self::Expression(_) => false,
            Self::Wildcard(pattern) => pattern.chars().all(|c| c == '*'),
            Self::Regex(regex) => ["", "a", "https://example.invalid/b?c=1", "d@e.invalid\u{1}"]
                .iter()
                .all(|probe| regex.compiled.is_match(probe)),
        }
    }
}

impl RegexMatcher {
    /// The flag `m` in the typed text would let `^` and `$` match at line breaks, so the match must also
    /// span the whole text.
    fn matches(&self, text: &str) -> bool {
        self.compiled.find(text).is_some_and(|found| found.start() == 0 && found.end() == text.len())
    }
}

fn checked(text: &str) -> Result<&str, MatcherError> {
    match text.len() {
        0 => Err(MatcherError::Empty),
        len if len > limits::PATTERN_BYTES => Err(MatcherError::TooLong),
        _ => Ok(text),
    }
}

/// Compiles a regular expression within its bound, without anchors.
pub(super) fn compile(pattern: &str) -> Result<Regex, MatcherError> {
    let built = RegexBuilder::new(pattern).size_limit(limits::REGEX_BYTES).build();
    built.map_err(|error| {
        if matches!(error, regex::Error::CompiledTooBig(_)) {
            return MatcherError::TooLarge;
        }
        // The last line of the library's text says what; the lines before draw arrows.
        MatcherError::Syntax(error.to_string().lines().last().unwrap_or_default().to_owned())
    })
}

impl fmt::Display for Matcher {
    /// As typed; a regular expression between slashes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) | Self::Wildcard(text) => f.write_str(text),
            Self::Regex(regex) => write!(f, "/{}/", regex.typed),
            Self::Expression(expression) => f.write_str(&expression.typed),
        }
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) | (Self::Wildcard(a), Self::Wildcard(b)) => a == b,
            (Self::Regex(a), Self::Regex(b)) => a.typed == b.typed,
            (Self::Expression(a), Self::Expression(b)) => a == b,
            (Self::Exact(_) | Self::Wildcard(_) | Self::Regex(_) | Self::Expression(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_expression_describes_the_whole_text() {
        let cases = [
            ("https://github.com/acme/.*", "https://github.com/acme/app", true),
            ("https://github.com/acme/.*", "https://evil/?https://github.com/acme/app", false),
            ("a|b", "ab", false),
            ("a|b", "b", true),
            ("a|ab", "ab", true),
            ("(?m)a", "a\nb", false),
            ("(?m)^a$", "b\na", false),
            ("(?x)a # comment", "a", true),
            ("(?x)a # comment", "ab", false),
            ("^a$", "a", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Matcher::regex(pattern).unwrap().matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_matcher_says_why() {
        assert_eq!(Matcher::regex(""), Err(MatcherError::Empty));
        assert_eq!(Matcher::wildcard(""), Err(MatcherError::Empty));
        assert_eq!(Matcher::exact(&"a".repeat(5_000)), Err(MatcherError::TooLong));
        assert_eq!(Matcher::regex("((a{500}){500}){50}"), Err(MatcherError::TooLarge));
        for malformed in ["a)|(b", "(", "[", "a**{"] {
            assert!(matches!(Matcher::regex(malformed), Err(MatcherError::Syntax(_))), "{malformed}");
        }
    }

    #[test]
    fn shown_as_typed() {
        assert_eq!(Matcher::wildcard("*@acme.io").unwrap().to_string(), "*@acme.io");
        assert_eq!(Matcher::regex("a.*").unwrap().to_string(), "/a.*/");
        assert_eq!(Matcher::wildcard("a").unwrap(), Matcher::exact("a").unwrap());
    }

    #[test]
    fn a_matcher_that_asks_for_nothing_is_known() {
        for open in ["*", "**"] {
            assert!(Matcher::wildcard(open).unwrap().accepts_anything(), "{open}");
        }
        for open in [".*", "(?s).*", "[^z]*"] {
            assert!(Matcher::regex(open).unwrap().accepts_anything(), "{open}");
        }
        assert!(!Matcher::wildcard("*@acme.io").unwrap().accepts_anything());
        assert!(!Matcher::regex(".+@acme[.]io").unwrap().accepts_anything());
    }
}
