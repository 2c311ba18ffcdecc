//! `--ignore-fields` that are about no field of what is judged: they may be misspelt.

use common::manifest::ignore::{self, IgnoreField};
use common::manifest::{Annotations, Message};
use common::object::ObjectRef;
use common::verdict::shell_word;
use serde_json::Value;

use super::judge::Item;
use crate::cli::{MatchArgs, MatchMode};
use crate::output::Printer;
use crate::trust;

/// Warns of each `--ignore-fields` whose field neither the objects nor what was signed as them have. A field that is
/// there and equal is none of these. With `--match compat` the paths are expressions as well, of which nothing is said.
///
/// # Errors
/// A path that cannot be read.
pub(super) fn say(matching: &MatchArgs, items: &[Item<'_>], printer: &mut Printer) -> anyhow::Result<()> {
    if matching.mode == MatchMode::Compat {
        return Ok(());
    }
    let objects: Vec<&Value> = items.iter().filter_map(object).collect();
    for (typed, field) in matching.ignore_fields.iter().zip(trust::ignored(matching)?) {
        let is_about = |object: &&Value| is_about(&field, object, &matching.annotation_domain);
        if !objects.is_empty() && !objects.iter().any(is_about) {
            let typed = shell_word(typed);
            printer.note_line(format_args!(
                "warning: --ignore-fields {typed}: nothing that was judged has such a field; is it misspelt?"
            ));
        }
    }
    Ok(())
}

fn object<'i>(item: &Item<'i>) -> Option<&'i Value> {
    match item {
        Item::Object { object, .. } => Some(object),
        Item::Nothing { .. } => None,
    }
}

fn is_about(field: &IgnoreField, object: &Value, domain: &str) -> bool {
    let identity = ObjectRef::of(object);
    let has = |value: &Value| field.fields.iter().any(|rule| ignore::has_field(rule, value));
    field.covers(&identity) && (has(object) || is_in_signed(object, &identity, domain, has))
}

/// Whether what was signed has the field; of a message that cannot be read it is not said that it has none.
fn is_in_signed(object: &Value, identity: &ObjectRef, domain: &str, has: impl Fn(&Value) -> bool) -> bool {
    let Some(message) = Annotations::read(object, domain).message else { return false };
    match Message::read(message) {
        Ok(message) => message.candidates(identity).into_iter().any(has),
        Err(_) => true,
    }
}
