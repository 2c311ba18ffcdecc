//! The path of a field that a policy leaves out of the comparison: reading and matching.
//!
//! Steps are separated by dots. `*` is exactly one step (a key or an index), `**` any number; a `*`
//! inside a step matches within one key (`pre*`). List elements: `.0.`, `[0]`, `[*]`, `[name=web]`.
//! Keys with dots stand in double quotes, `labels."a.b/c"` or `labels["a.b/c"]`; as people write them
//! for Kyverno without quotes, neighbouring plain steps match one key that holds the dots as well.

use std::fmt;

use super::identity::{self, MatcherError};
use crate::limits;
use crate::object::{FieldPath, Segment};

/// An ignore rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot ignore {text:?}: {problem}")]
pub struct IgnoreError {
    /// The rule as written.
    pub text: String,
    /// What is wrong with it.
    pub problem: IgnoreProblem,
}

/// Why an ignore rule cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoreProblem {
    /// Nothing but wildcards: it would switch the whole comparison off without a word.
    Everything,
    /// An empty step, as in `spec..replicas`.
    EmptyStep,
    /// A quote or bracket that does not close, or text behind one.
    Unbalanced,
    /// Brackets that hold neither an index, nor `*`, nor `name=...`, nor a quoted key.
    Bracket,
    /// Longer than `limits::PATTERN_BYTES`.
    TooLong,
}

impl fmt::Display for IgnoreProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everything => {
                "it would ignore every field, so any change of a signed object would pass; name a field"
            }
            Self::EmptyStep => "a step of the path is empty",
            Self::Unbalanced => "a quote or bracket is not closed, or text follows it without a dot",
            Self::Bracket => "brackets hold an index, `*`, `name=...` or a quoted key",
            Self::TooLong => "it is too long",
        })
    }
}

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// `*`: one step.
    One,
    /// `**`: any number of steps.
    Any,
    /// `[*]`: one list element.
    Element,
    /// `[3]`.
    At(usize),
    /// `[name=web]`.
    Named(String),
    /// A key in quotes.
    Quoted(String),
    /// Plain text: a key or an index, perhaps with `*` inside; perhaps a part of a key with dots.
    Plain(String),
}

/// A path that covers what it leads to and all beneath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnorePath {
    text: String,
    tokens: Vec<Token>,
}

/// How a pattern covers a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    Whole,
    Beneath,
    None,
}

impl IgnorePath {
    /// Reads a path.
    ///
    /// # Errors
    /// [`IgnoreError`].
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let fail = |problem| IgnoreError { text: shown(text), problem };
        if text.len() > limits::PATTERN_BYTES {
            return Err(fail(IgnoreProblem::TooLong));
        }
        let tokens = tokens(text).map_err(fail)?;
        let wild = |token: &Token| match token {
            Token::One | Token::Any | Token::Element => true,
            Token::Plain(text) => text.chars().all(|c| c == '*'),
            Token::At(_) | Token::Named(_) | Token::Quoted(_) => false,
        };
        if tokens.iter().all(wild) {
            return Err(fail(IgnoreProblem::Everything));
        }
        Ok(Self { text: text.to_owned(), tokens })
    }

    /// Whether it is a regular expression as well, as which compat reads it.
    ///
    /// # Errors
    /// [`MatcherError`]: it would match nothing there.
    pub fn check_compat(&self) -> Result<(), MatcherError> {
        identity::compile(&format!("{}.*", self.text.replace('*', ".*"))).map(drop)
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the pattern spells out this path of keys, without a wildcard.
    pub(crate) fn is_exactly(&self, path: &FieldPath) -> bool {
        let spelled = |(token, segment): (&Token, &Segment)| match (token, segment) {
            (Token::Plain(text) | Token::Quoted(text), Segment::Key(key)) => text == key,
            (_, Segment::Key(_) | Segment::Index(_)) => false,
        };
        self.tokens.len() == path.segments().len() && self.tokens.iter().zip(path.segments()).all(spelled)
    }

    /// Walks the path with the set of positions that the pattern can be at: no backtracking, so no
    /// pattern takes exponential time.
    pub(crate) fn covers(&self, path: &[Segment], names: &[Option<&str>]) -> Cover {
        let end = self.tokens.len();
        let mut at = vec![false; end + 1];
        self.arrive(&mut at, 0);
        for (index, segment) in path.iter().enumerate() {
            if at.get(end) == Some(&true) {
                return Cover::Whole;
            }
            let name = names.get(index).copied().flatten();
            let mut next = vec![false; end + 1];
            for position in (0..end).filter(|position| at.get(*position) == Some(&true)) {
                self.step(position, segment, name, &mut next);
            }
            if !next.contains(&true) {
                return Cover::None;
            }
            at = next;
        }
        if at.get(end) == Some(&true) { Cover::Whole } else { Cover::Beneath }
    }

    /// Marks a position, and the one behind a `**`, which may match nothing.
    fn arrive(&self, at: &mut [bool], position: usize) {
        let optional = self.tokens.iter().skip(position).take_while(|token| **token == Token::Any).count();
        for mark in at.iter_mut().skip(position).take(optional + 1) {
            *mark = true;
        }
    }

    fn step(&self, position: usize, segment: &Segment, name: Option<&str>, next: &mut [bool]) {
        let Some(token) = self.tokens.get(position) else { return };
        let takes = match (token, segment) {
            (Token::Any, _) => return self.arrive(next, position),
            (Token::One, _) | (Token::Element, Segment::Index(_)) => true,
            (Token::At(wanted), Segment::Index(index)) => wanted == index,
            (Token::Named(wanted), Segment::Index(_)) => name == Some(wanted),
            (Token::Quoted(wanted), Segment::Key(key)) => wanted == key,
            (Token::Plain(text), Segment::Index(index)) => text.parse() == Ok(*index),
            (Token::Plain(_), Segment::Key(key)) => return self.step_key(position, key, next),
            (Token::Element | Token::At(_) | Token::Named(_), Segment::Key(_))
            | (Token::Quoted(_), Segment::Index(_)) => false,
        };
        if takes {
            self.arrive(next, position + 1);
        }
    }

    /// Plain steps `a`, `b`, `c` also match the one key `a.b.c`.
    fn step_key(&self, position: usize, key: &str, next: &mut [bool]) {
        let dots = key.bytes().filter(|b| *b == b'.').count();
        let mut joined = String::new();
        for (count, token) in self.tokens.iter().skip(position).take(dots + 1).enumerate() {
            let Token::Plain(text) = token else { return };
            if count > 0 {
                joined.push('.');
            }
            joined.push_str(text);
            if glob(&joined, key) {
                self.arrive(next, position + count + 1);
            }
        }
    }
}

/// The rule as an error shows it, cut to a length that people read.
fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Whether `*` in the pattern stands for any characters; linear in the product of the lengths.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = text.split_once(part) else { return false };
        text = after;
    }
    text.ends_with(last)
}

fn tokens(text: &str) -> Result<Vec<Token>, IgnoreProblem> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = step(rest, &mut tokens)?;
        if rest.is_empty() {
            return Ok(tokens);
        }
        // A bracket follows a step directly, everything else after a dot.
        if !rest.starts_with('[') {
            rest = rest.strip_prefix('.').ok_or(IgnoreProblem::Unbalanced)?;
        }
    }
}

/// Reads one step and returns what follows it.
fn step<'t>(text: &'t str, tokens: &mut Vec<Token>) -> Result<&'t str, IgnoreProblem> {
    if let Some(inner) = text.strip_prefix('[') {
        return bracket(inner, tokens);
    }
    if let Some(inner) = text.strip_prefix('"') {
        let (key, rest) = quoted(inner)?;
        tokens.push(Token::Quoted(key));
        return Ok(rest);
    }
    let end = text.find(['.', '[', '"']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).ok_or(IgnoreProblem::Unbalanced)?;
    tokens.push(match name {
        "" => {
            return Err(if tokens.is_empty() && rest.is_empty() {
                IgnoreProblem::Everything
            } else {
                IgnoreProblem::EmptyStep
            });
        }
        "*" => Token::One,
        "**" => Token::Any,
        name => Token::Plain(name.to_owned()),
    });
    Ok(rest)
}

fn bracket<'t>(inner: &'t str, tokens: &mut Vec<Token>) -> Result<&'t str, IgnoreProblem> {
    if let Some(inner) = inner.strip_prefix('"') {
        let (key, rest) = quoted(inner)?;
        tokens.push(Token::Quoted(key));
        return rest.strip_prefix(']').ok_or(IgnoreProblem::Unbalanced);
    }
    let (content, rest) = inner.split_once(']').ok_or(IgnoreProblem::Unbalanced)?;
    tokens.push(match content.strip_prefix("name=") {
        Some("") => return Err(IgnoreProblem::Bracket),
        Some(name) => Token::Named(name.trim_matches('"').to_owned()),
        None if content == "*" || content.is_empty() => Token::Element,
        None => Token::At(content.parse().map_err(|_| IgnoreProblem::Bracket)?),
    });
    Ok(rest)
}

/// Reads up to the closing quote; `\"` and `\\` stand for themselves.
fn quoted(text: &str) -> Result<(String, &str), IgnoreProblem> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((key, text.get(at + 1..).unwrap_or_default())),
            '\\' => key.extend(chars.next().map(|(_, c)| c)),
            c => key.push(c),
        }
    }
    Err(IgnoreProblem::Unbalanced)
}
