//! Functions of maps, lists and what is written in texts.

use std::collections::BTreeMap;

use jmespath::{Rcvar, ToJmespath as _, Variable};
use serde_json::Value;

use super::call::{Call, FunctionError, shown_number, text};
use super::{Body, Entry};
use crate::limits;
use crate::policy::expression::bounds::weigh;
use crate::yaml;

pub(super) const FUNCTIONS: [Entry; 7] = [
    entry("items", 3, items),
    entry("label_match", 2, label_match),
    entry("lookup", 2, lookup),
    entry("object_from_lists", 2, object_from_lists),
    entry("parse_json", 1, |call| parsed(call, yaml::read_json(call.text(0)?.as_bytes())?)),
    entry("parse_yaml", 1, parse_yaml),
    entry("to_boolean", 1, to_boolean),
];

const fn entry(name: &'static str, arguments: usize, body: Body) -> Entry {
    Entry { name, arguments, body }
}

fn parse_yaml(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let typed = call.text(0)?;
    let mut documents = yaml::read(typed.as_bytes())?;
    match (documents.pop(), documents.pop()) {
        (Some(only), None) => parsed(call, only.value),
        (None, _) => Ok(Variable::Null),
        (Some(_), Some(_)) => Err(FunctionError::unreadable(typed, "one document")),
    }
}

/// A value with all that is in it; a text of brackets has more nodes than its length says.
fn parsed(call: &Call<'_>, value: Value) -> Result<Variable, FunctionError> {
    let value = value.to_jmespath().map_err(|_| FunctionError::OutOfRange)?;
    let left = weigh(&value, limits::DEPTH, limits::FUNCTION_BYTES).ok_or(FunctionError::Exhausted)?;
    call.spend(limits::FUNCTION_BYTES - left)?;
    Ok(Rcvar::unwrap_or_clone(value))
}

/// Every entry as a map of its key and its value; of a list, its index and its element.
fn items(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (key_name, value_name) = (call.text(1)?, call.text(2)?);
    let pair = |key: Variable, value: &Rcvar| {
        // The nodes of the pair, and both names anew for each.
        call.spend(256 + key_name.len() + value_name.len() + key.as_string().map_or(0, String::len))?;
        let entries = [(key_name.to_owned(), Rcvar::new(key)), (value_name.to_owned(), value.clone())];
        Ok(Rcvar::new(Variable::Object(BTreeMap::from(entries))))
    };
    let pairs: Result<Vec<Rcvar>, FunctionError> = match &**call.any(0) {
        Variable::Object(map) => map.iter().map(|(key, value)| pair(text(key), value)).collect(),
        Variable::Array(list) => {
            list.iter().zip(0_u64..).map(|(value, at)| pair(Variable::Number(at.into()), value)).collect()
        }
        Variable::Null
        | Variable::String(_)
        | Variable::Bool(_)
        | Variable::Number(_)
        | Variable::Expref(_) => Err(call.mismatch(0, "a map or a list")),
    };
    pairs.map(Variable::Array)
}

/// Keys and values by their places; a key without a value has `null`.
fn object_from_lists(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (keys, values) = (call.list(0)?, call.list(1)?);
    let mut values = values.iter();
    let mut map = BTreeMap::new();
    for key in keys {
        let key = match &**key {
            Variable::String(key) => key.clone(),
            Variable::Number(_) => shown_number(key),
            Variable::Bool(key) => key.to_string(),
            Variable::Null | Variable::Array(_) | Variable::Object(_) | Variable::Expref(_) => {
                return Err(call.mismatch(0, "a list of texts"));
            }
        };
        map.insert(key, values.next().cloned().unwrap_or_else(|| Rcvar::new(Variable::Null)));
    }
    Ok(Variable::Object(map))
}

/// The value of a key or an index; `null` when there is none.
fn lookup(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let found = match &**call.any(0) {
        Variable::Object(map) => map.get(call.text(1)?),
        Variable::Array(list) => usize::try_from(call.whole(1)?).ok().and_then(|at| list.get(at)),
        Variable::Null
        | Variable::String(_)
        | Variable::Bool(_)
        | Variable::Number(_)
        | Variable::Expref(_) => return Err(call.mismatch(0, "a map or a list")),
    };
    Ok(found.map_or(Variable::Null, |found| Variable::clone(found)))
}

/// Whether the second map has every entry of the first.
fn label_match(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (labels, matched) = (call.map(0)?, call.map(1)?);
    Ok(Variable::Bool(labels.iter().all(|(key, value)| matched.get(key) == Some(value))))
}

fn to_boolean(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let typed = call.text(0)?;
    [("true", true), ("false", false)]
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(typed))
        .map(|(_, value)| Variable::Bool(value))
        .ok_or_else(|| FunctionError::unreadable(typed, "`true` or `false`"))
}
