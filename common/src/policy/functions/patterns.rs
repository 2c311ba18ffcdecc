//! Functions of regular expressions and wildcard patterns.

use jmespath::Variable;

use super::call::{Call, FunctionError, text, within};
use super::{Body, Entry};
use crate::limits;
use crate::policy::identity::MatcherError;
use crate::policy::wildcard;

pub(super) const FUNCTIONS: [Entry; 4] = [
    entry("pattern_match", 2, pattern_match),
    entry("regex_match", 2, |call| Ok(Variable::Bool(call.regex(0)?.is_match(&searched(call)?)))),
    entry("regex_replace_all", 3, |call| replace_all(call, Replacement::Template)),
    entry("regex_replace_all_literal", 3, |call| replace_all(call, Replacement::Literal)),
];

const fn entry(name: &'static str, arguments: usize, body: Body) -> Entry {
    Entry { name, arguments, body }
}

fn searched(call: &Call<'_>) -> Result<String, FunctionError> {
    let text = call.shown(1)?;
    within(text.len(), limits::SEARCHED_BYTES)?;
    Ok(text)
}

/// A wildcard pattern must describe the whole text.
fn pattern_match(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (pattern, text) = (call.text(0)?, call.shown(1)?);
    within(pattern.len(), limits::PATTERN_BYTES).map_err(|_| MatcherError::TooLong)?;
    // A pattern of stars looks at every character of the text again for each of its own.
    call.spend(pattern.len().saturating_mul(text.len()) / 4)?;
    Ok(Variable::Bool(wildcard::matches(pattern, &text)))
}

/// What takes the place of a match.
#[derive(Clone, Copy)]
enum Replacement {
    /// A text with `$1` and `${name}` in it.
    Template,
    /// A text.
    Literal,
}

fn replace_all(call: &Call<'_>, replacement: Replacement) -> Result<Variable, FunctionError> {
    let (regex, text_searched, new) = (call.regex(0)?, searched(call)?, call.shown(2)?);
    let groups = match replacement {
        Replacement::Template => new.matches('$').count(),
        Replacement::Literal => 0,
    };
    let (mut written, mut end) = (String::new(), 0);
    for found in regex.captures_iter(&text_searched) {
        let Some(whole) = found.get(0) else { continue };
        written.push_str(&text_searched[end..whole.start()]);
        end = whole.end();
        // Before it is written: a group holds at most the whole match.
        let longest = groups.saturating_mul(whole.len()).saturating_add(new.len());
        within(written.len().saturating_add(longest), limits::FUNCTION_TEXT_BYTES)?;
        match replacement {
            Replacement::Template => found.expand(&new, &mut written),
            Replacement::Literal => written.push_str(&new),
        }
    }
    written.push_str(&text_searched[end..]);
    within(written.len(), limits::FUNCTION_TEXT_BYTES)?;
    Ok(text(written))
}
