//! The walk over both trees at once.
//!
//! Equal subtrees cost one pass without allocation; the table is asked only where something differs.

use std::cell::OnceCell;

use serde_json::{Map, Value};

use super::super::annotations::is_signature_annotation;
use super::super::defaults::every::{self, BOOKKEEPING, LAST_APPLIED};
use super::super::defaults::quantity;
use super::super::defaults::site::{Level, Site, Step};
use super::super::defaults::table::{self, Compiled, Node};
use super::super::defaults::{Row, Rule};
use super::scalar::{is_zero, same_scalar, same_whole};
use super::{Comparison, Expectations};
use crate::limits;
use crate::object::{FieldChange, FieldPath, ObjectRef, items};

/// Compares two trees. `original` is the signed tree as signed, where `signed` was rewritten.
pub(super) fn run(
    signed: &Value,
    found: &Value,
    how: &Expectations<'_>,
    original: Option<&Value>,
) -> Comparison {
    let object = ObjectRef::of(signed);
    // A list says nothing about the kinds in it: with the emptiness rules of its own group, a signed
    // `denied: []` of a custom resource inside it could be removed.
    let built_in = every::is_built_in(object.group()) && items(signed).is_none();
    let empty = Value::Object(Map::new());
    let mut walk = Walk {
        how,
        object: &object,
        table: OnceCell::new(),
        built_in,
        empty: &empty,
        levels: Vec::with_capacity(16),
        out: Comparison::default(),
    };
    walk.levels.push(Level { step: Step::Key(""), signed: Some(signed), found: Some(found) });
    walk.visit(Some(signed), Some(found));
    let mut out = walk.out;
    if let Some(texts) = original.and_then(|original| original.get("stringData")) {
        let path = FieldPath::keys(["stringData"]);
        out.effects
            .push((FieldChange { path, signed: Some(texts.clone()), found: None }, &every::STRING_DATA));
    }
    out.differences.sort_by(|a, b| a.path.cmp(&b.path));
    out.ignored.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    out.effects.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    out
}

pub(super) struct Walk<'w, 'v> {
    pub(super) how: &'w Expectations<'w>,
    object: &'w ObjectRef,
    /// The rows of the object's kind, looked up when something first differs.
    table: OnceCell<Option<&'static Node>>,
    built_in: bool,
    empty: &'v Value,
    pub(super) levels: Vec<Level<'v>>,
    pub(super) out: Comparison,
}

impl<'v> Walk<'_, 'v> {
    fn table(&self) -> Option<&'static Node> {
        let of = self.object;
        *self.table.get_or_init(|| table::of(of.group(), of.version(), &of.kind))
    }

    /// Compares one step further down.
    pub(super) fn child(&mut self, step: Step<'v>, signed: Option<&'v Value>, found: Option<&'v Value>) {
        let (signed, found) = self.with_empty(step, signed, found);
        self.levels.push(Level { step, signed, found });
        self.visit(signed, found);
        self.levels.pop();
    }

    fn visit(&mut self, signed: Option<&'v Value>, found: Option<&'v Value>) {
        // Too deep is different: an attacker must not hide a change below what is compared.
        let deep = self.levels.len() > limits::DEPTH;
        match (signed, found) {
            (Some(Value::Object(a)), Some(Value::Object(b))) if !deep => self.maps(a, b),
            (Some(Value::Array(a)), Some(Value::Array(b))) if !deep => self.arrays(a, b),
            (Some(a), Some(b)) if same_scalar(a, b) => {}
            _ => self.differ(signed, found),
        }
    }

    fn maps(&mut self, signed: &'v Map<String, Value>, found: &'v Map<String, Value>) {
        for (key, value) in signed {
            if !self.is_unjudged(key) {
                self.child(Step::Key(key), Some(value), found.get(key));
            }
        }
        for (key, value) in found {
            if !signed.contains_key(key) && !self.is_unjudged(key) {
                self.child(Step::Key(key), None, Some(value));
            }
        }
    }

    fn arrays(&mut self, signed: &'v [Value], found: &'v [Value]) {
        if self.is_at(&["metadata", "finalizers"]) {
            return self.finalizers(signed, found);
        }
        if signed.is_empty() && !found.is_empty() && self.built_in {
            return self.differ(self.levels.last().and_then(|level| level.signed), self.found_here());
        }
        self.elements(signed, found);
    }

    pub(super) fn elements(&mut self, signed: &'v [Value], found: &'v [Value]) {
        for index in 0..signed.len().max(found.len()) {
            self.child(Step::Index(index), signed.get(index), found.get(index));
        }
    }

    pub(super) fn found_here(&self) -> Option<&'v Value> {
        self.levels.last().and_then(|level| level.found)
    }

    /// *never*: bookkeeping of the server, and what carries the signature. Top level only: the same keys
    /// inside a pod template are content.
    fn is_unjudged(&self, key: &str) -> bool {
        match self.levels.len() {
            1 => self.built_in && key == "status",
            2 => BOOKKEEPING.contains(&key) && self.is_at(&["metadata"]),
            3 => {
                (key == LAST_APPLIED || is_signature_annotation(key, self.how.domain))
                    && self.is_at(&["metadata", "annotations"])
            }
            _ => false,
        }
    }

    /// Whether the walk stands at these keys below the root.
    pub(super) fn is_at(&self, keys: &[&str]) -> bool {
        let is = |(level, key): (&Level<'_>, &&str)| matches!(level.step, Step::Key(step) if step == *key);
        self.levels.len() == keys.len() + 1 && self.levels.iter().skip(1).zip(keys).all(is)
    }

    /// The top-level metadata, annotations and labels: absent = empty, on both sides.
    fn with_empty(
        &self,
        step: Step<'v>,
        signed: Option<&'v Value>,
        found: Option<&'v Value>,
    ) -> (Option<&'v Value>, Option<&'v Value>) {
        let Step::Key(key) = step else { return (signed, found) };
        let same_when_empty = match self.levels.len() {
            1 => key == "metadata",
            2 => matches!(key, "annotations" | "labels") && self.is_at(&["metadata"]),
            _ => false,
        };
        let full = |value: Option<&'v Value>| value.filter(|value| !value.is_null()).or(Some(self.empty));
        if same_when_empty { (full(signed), full(found)) } else { (signed, found) }
    }

    /// Something differs here: an effect, or a difference.
    fn differ(&mut self, signed: Option<&'v Value>, found: Option<&'v Value>) {
        let rows = self.rows();
        let gone = found.is_none() || (found == Some(&Value::Null) && !is_nothing(signed));
        match (signed, found) {
            (Some(signed), _) if gone && self.is_droppable(signed, &rows).is_some() => {
                let row = self.is_droppable(signed, &rows).unwrap_or(&every::NULL);
                self.effect(Some(signed), found, row);
            }
            (_, Some(found)) if !gone && self.counts_as_unsigned(signed, &rows) => {
                self.added(signed, found, &rows);
            }
            (Some(a), Some(b)) => match self.rewritten(a, b, &rows) {
                Some(row) => self.effect(Some(a), Some(b), row),
                None if self.is_pinned(a, b) => self.pinned(a, b),
                None => self.report(signed, found),
            },
            _ => self.report(signed, found),
        }
    }

    /// The rows for this place that the origin of the object allows.
    pub(super) fn rows(&self) -> Vec<&'static Compiled> {
        let mut rows = Vec::new();
        if let Some(table) = self.table() {
            table.rows(self.levels.get(1..).unwrap_or_default(), &mut rows);
        }
        let site = Site::new(&self.levels);
        let (origin, kept) = (self.how.origin, OnceCell::new());
        let kept = || *kept.get_or_init(|| self.is_as_stored());
        rows.retain(|row| {
            (row.row.reaches(origin) || row.row.may_stay(origin) && kept()) && row.row.applies(&site)
        });
        rows
    }

    /// Whether the value that was found is the one that was stored before.
    fn is_as_stored(&self) -> bool {
        let Some(stored) = self.how.stored else { return false };
        let stored = self.below_root().iter().try_fold(stored, |value, level| match level.step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        });
        stored.is_some() && stored == self.found_here()
    }

    /// The row by which a signed value may be gone.
    fn is_droppable(&self, signed: &Value, rows: &[&'static Compiled]) -> Option<&'static Row> {
        let Step::Key(key) = self.levels.last()?.step else { return None };
        if signed.is_null() {
            return Some(&every::NULL);
        }
        if !self.built_in || self.table().is_some_and(|table| table.is_opaque(self.below_root())) {
            return None;
        }
        match signed {
            Value::Array(list) if list.is_empty() => Some(&every::EMPTY_LIST),
            Value::Object(map) if map.is_empty() && every::STRING_MAPS.contains(&key) => {
                Some(&every::EMPTY_MAP)
            }
            Value::Object(map) if map.is_empty() => find(rows, |rule| matches!(rule, Rule::Map)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => find(rows, |rule| matches!(rule, Rule::Zero)).filter(|_| is_zero(signed)),
        }
    }

    pub(super) fn below_root(&self) -> &[Level<'v>] {
        self.levels.get(1..).unwrap_or_default()
    }

    /// Whether the signed value leaves the field to the server: absent, `null`, and in built-in kinds
    /// `[]` and the zero of a field that has a default.
    fn counts_as_unsigned(&self, signed: Option<&Value>, rows: &[&'static Compiled]) -> bool {
        match signed {
            None | Some(Value::Null) => true,
            Some(Value::Array(list)) => list.is_empty() && self.built_in,
            Some(Value::String(text)) if text.is_empty() && self.is_at(&["metadata", "namespace"]) => true,
            Some(value) => is_zero(value) && rows.iter().any(|row| row.row.zeroed()),
        }
    }

    /// A value where none was signed: the whole default, an allowed addition, or a difference.
    fn added(&mut self, signed: Option<&'v Value>, found: &'v Value, rows: &[&'static Compiled]) {
        let site = Site::new(&self.levels);
        let expected: Vec<(Value, &'static Row)> =
            rows.iter().filter_map(|row| Some((expected(row, &site)?, row.row))).collect();
        if let Some((_, row)) = expected.iter().find(|(value, _)| value == found) {
            return self.effect(signed, Some(found), row);
        }
        if let Some((value, row)) = expected.iter().rev().max_by_key(|(value, _)| closeness(value, found)) {
            let before = self.out.differences.len() + self.out.omitted + self.out.ignored.len();
            self.deviations(value, signed, found);
            if before == self.out.differences.len() + self.out.omitted + self.out.ignored.len() {
                self.effect(signed, Some(found), row);
            }
            return;
        }
        if self.is_at(&["metadata", "namespace"]) {
            return self.namespace(signed, found);
        }
        let list = found.as_array().filter(|list| !list.is_empty());
        match list {
            Some(list) if self.is_at(&["metadata", "finalizers"]) => self.finalizers(&[], list),
            Some(list) if self.takes_elements(signed) => self.elements(&[], list),
            Some(_) | None => self.report(signed, Some(found)),
        }
    }

    /// Whether a list that was not signed is judged element by element: because effects add single
    /// elements to it, or because an empty list was signed.
    fn takes_elements(&self, signed: Option<&Value>) -> bool {
        let empty = matches!(signed, Some(Value::Array(_)));
        empty || self.table().is_some_and(|table| table.has_items(self.below_root()))
    }

    /// Reports where a subtree that was not signed deviates from the whole default. Quantities in it are
    /// compared by value.
    fn deviations(&mut self, expected: &Value, signed: Option<&'v Value>, found: &'v Value) {
        match (expected, found) {
            (Value::Object(wanted), Value::Object(map)) if wanted.keys().all(|key| map.contains_key(key)) => {
                for (key, value) in map {
                    self.deviation(Step::Key(key), wanted.get(key), value);
                }
            }
            (Value::Array(wanted), Value::Array(list)) if wanted.len() <= list.len() => {
                for (index, value) in list.iter().enumerate() {
                    self.deviation(Step::Index(index), wanted.get(index), value);
                }
            }
            _ if expected == found => {}
            _ if quantity::same(expected, found) && self.is_quantity() => {}
            _ => self.report(signed, Some(found)),
        }
    }

    fn deviation(&mut self, step: Step<'v>, expected: Option<&Value>, found: &'v Value) {
        self.levels.push(Level { step, signed: None, found: Some(found) });
        match expected {
            Some(expected) => self.deviations(expected, None, found),
            None => self.report(None, Some(found)),
        }
        self.levels.pop();
    }

    fn is_quantity(&self) -> bool {
        find(&self.rows(), |rule| matches!(rule, Rule::Quantity)).is_some()
    }

    /// The row by which the two values mean the same.
    fn rewritten(&self, signed: &Value, found: &Value, rows: &[&'static Compiled]) -> Option<&'static Row> {
        if let (false, Value::Number(a), Value::Number(b)) = (self.built_in, signed, found) {
            return same_whole(a, b).then_some(&every::WHOLE_FLOAT);
        }
        find(rows, |rule| matches!(rule, Rule::Quantity)).filter(|_| quantity::same(signed, found))
    }
}

/// How well a default fits what was found, to report the few fields that are wrong and not the whole.
fn closeness(expected: &Value, found: &Value) -> usize {
    match (expected, found) {
        (Value::Object(wanted), Value::Object(map)) if wanted.keys().all(|key| map.contains_key(key)) => {
            1 + wanted.len()
        }
        _ => 0,
    }
}

/// What a row expects here.
fn expected(row: &Compiled, site: &Site<'_>) -> Option<Value> {
    match row.row.rule() {
        Rule::Calc(rule) | Rule::Alloc(rule) | Rule::Ctl(rule) => rule(site),
        Rule::Text(_)
        | Rule::Int(_)
        | Rule::Flag(_)
        | Rule::Null
        | Rule::Json(_)
        | Rule::Set(_)
        | Rule::Empty
        | Rule::Zero
        | Rule::Map
        | Rule::Generic
        | Rule::Quantity
        | Rule::Rewritten
        | Rule::Opaque => row.value.clone(),
    }
}

fn find(rows: &[&'static Compiled], is: impl Fn(Rule) -> bool) -> Option<&'static Row> {
    rows.iter().map(|row| row.row).find(|row| is(row.rule()))
}

fn is_nothing(value: Option<&Value>) -> bool {
    matches!(value, None | Some(Value::Null))
}
