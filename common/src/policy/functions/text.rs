//! Functions of texts.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jmespath::{Rcvar, Variable};

use super::call::{Call, FunctionError, text, within};
use super::{Body, Entry};
use crate::limits;

pub(super) const FUNCTIONS: [Entry; 14] = [
    entry("base64_decode", 1, base64_decode),
    entry("base64_encode", 1, base64_encode),
    entry("compare", 2, compare),
    entry("equal_fold", 2, equal_fold),
    entry("path_canonicalize", 1, path_canonicalize),
    entry("replace", 4, |call| replaced(call, call.whole(3)?)),
    entry("replace_all", 3, |call| replaced(call, -1)),
    entry("sha256", 1, sha256),
    entry("split", 2, split),
    entry("to_lower", 1, |call| Ok(text(mapped(call.text(0)?, |c| single(c, c.to_lowercase()))))),
    entry("to_upper", 1, |call| Ok(text(mapped(call.text(0)?, |c| single(c, c.to_uppercase()))))),
    entry("trim", 2, trim),
    entry("trim_prefix", 2, trim_prefix),
    entry("truncate", 2, truncate),
];

const fn entry(name: &'static str, arguments: usize, body: Body) -> Entry {
    Entry { name, arguments, body }
}

/// Letters are mapped one to one, as in Go: `ß` has no capital of its own.
fn single(letter: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) | (None, _) => letter,
    }
}

fn mapped(text: &str, map: impl Fn(char) -> char) -> String {
    text.chars().map(map).collect()
}

/// Letters that differ in case only are one: `K` and the sign of the kelvin as well.
fn equal_fold(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let fold = |c: char| {
        let upper = single(c, c.to_uppercase());
        single(upper, upper.to_lowercase())
    };
    Ok(Variable::Bool(call.text(0)?.chars().map(fold).eq(call.text(1)?.chars().map(fold))))
}

fn compare(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let order = match call.text(0)?.cmp(call.text(1)?) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    };
    Ok(Variable::Number(order.into()))
}

fn trim(call: &Call<'_>) -> Result<Variable, FunctionError> {
    // A set: two long texts would cost their product.
    let cut: BTreeSet<char> = call.text(1)?.chars().collect();
    Ok(text(call.text(0)?.trim_matches(|c| cut.contains(&c))))
}

fn trim_prefix(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (whole, prefix) = (call.text(0)?, call.text(1)?);
    Ok(text(whole.strip_prefix(prefix).unwrap_or(whole)))
}

fn split(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (whole, separator) = (call.text(0)?, call.text(1)?);
    let part = |part: &str| Rcvar::new(text(part));
    Ok(Variable::Array(if separator.is_empty() {
        whole.chars().map(|c| part(c.encode_utf8(&mut [0; 4]))).collect()
    } else {
        whole.split(separator).map(part).collect()
    }))
}

/// The first `count` occurrences replaced; all when it is negative.
fn replaced(call: &Call<'_>, count: i128) -> Result<Variable, FunctionError> {
    let (whole, old, new) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let count = if count < 0 { usize::MAX } else { usize::try_from(count).unwrap_or(usize::MAX) };
    // Before anything is written: a long text in the place of every letter would be a million times longer.
    let found = whole.matches(old).take(count).count();
    let length = (whole.len() - found * old.len()).saturating_add(found.saturating_mul(new.len()));
    within(length, limits::FUNCTION_TEXT_BYTES)?;
    Ok(text(whole.replacen(old, new, count)))
}

/// At most so many characters.
fn truncate(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (whole, length) = (call.text(0)?, call.whole(1)?);
    let length = usize::try_from(length.max(0)).unwrap_or(usize::MAX);
    let end = whole.char_indices().nth(length).map_or(whole.len(), |(at, _)| at);
    Ok(text(&whole[..end]))
}

fn base64_decode(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let typed = call.text(0)?;
    let bytes = STANDARD.decode(typed.replace(['\r', '\n'], ""));
    let decoded = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.map(text).ok_or_else(|| FunctionError::unreadable(typed, "a text in base64"))
}

fn base64_encode(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let encoded = STANDARD.encode(call.text(0)?);
    within(encoded.len(), limits::FUNCTION_TEXT_BYTES)?;
    Ok(text(encoded))
}

fn sha256(call: &Call<'_>) -> Result<Variable, FunctionError> {
    Ok(text(hex::encode(digest::digest(&digest::SHA256, call.text(0)?.as_bytes()))))
}

/// A path without empty, `.` and `..` steps, by its text alone.
fn path_canonicalize(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let path = call.text(0)?;
    let rooted = path.starts_with('/');
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match (step, steps.last()) {
            ("" | ".", _) => {}
            ("..", Some(last)) if *last != ".." => _ = steps.pop(),
            // Nothing is above the root.
            ("..", _) if rooted => {}
            _ => steps.push(step),
        }
    }
    let joined = steps.join("/");
    Ok(text(match (rooted, path.is_empty() || !joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => joined,
        (false, false) => ".".to_owned(),
    }))
}
