//! The walk over both trees at once.
//!
//! Equal subtrees cost one pass without allocation; the table is asked only where something differs.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::super::defaults::every::{self, BOOKKEEPING, LAST_APPLIED};
use super::super::defaults::quantity;
use super::super::defaults::site::{Level, Site, Step};
use super::super::defaults::table::{self, Compiled, Node};
use super::super::defaults::{Row, Rule};
use super::super::ignore::Coverage;
use super::{Allowance, Comparison, Expectations};
use crate::limits;
use crate::object::{FieldChange, FieldPath, ObjectRef, Segment};

/// Compares two trees. `original` is the signed tree as signed, where `signed` was rewritten.
pub(super) fn run(
    signed: &Value,
    found: &Value,
    how: &Expectations<'_>,
    original: Option<&Value>,
) -> Comparison {
    let object = ObjectRef::of(signed);
    let built_in = every::is_built_in(object.group());
    let empty = Value::Object(Map::new());
    let mut walk = Walk {
        how,
        table: if built_in { table::of(object.group(), object.version(), &object.kind) } else { None },
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
    table: Option<&'static Node>,
    built_in: bool,
    empty: &'v Value,
    pub(super) levels: Vec<Level<'v>>,
    pub(super) out: Comparison,
}

impl<'v> Walk<'_, 'v> {
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

    fn elements(&mut self, signed: &'v [Value], found: &'v [Value]) {
        for index in 0..signed.len().max(found.len()) {
            self.child(Step::Index(index), signed.get(index), found.get(index));
        }
    }

    pub(super) fn found_here(&self) -> Option<&'v Value> {
        self.levels.last().and_then(|level| level.found)
    }

    /// *never*: bookkeeping of the server, and what carries the signature. Top level only: the same keys
    /// inside a pod template are content (attack M13).
    fn is_unjudged(&self, key: &str) -> bool {
        match self.levels.len() {
            1 => self.built_in && key == "status",
            2 => BOOKKEEPING.contains(&key) && self.is_at(&["metadata"]),
            3 => {
                (key == LAST_APPLIED || every::is_signature_annotation(key, self.how.domain))
                    && self.is_at(&["metadata", "annotations"])
            }
            _ => false,
        }
    }

    /// Whether the walk stands at these keys below the root.
    fn is_at(&self, keys: &[&str]) -> bool {
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
                None => self.report(signed, found),
            },
            _ => self.report(signed, found),
        }
    }

    /// The rows for this place that the origin of the object allows.
    fn rows(&self) -> Vec<&'static Compiled> {
        let mut rows = Vec::new();
        if let Some(table) = self.table {
            table.rows(self.levels.get(1..).unwrap_or_default(), &mut rows);
        }
        let site = Site::new(&self.levels);
        rows.retain(|row| row.row.reaches(self.how.origin) && row.row.applies(&site));
        rows
    }

    /// The row by which a signed value may be gone.
    fn is_droppable(&self, signed: &Value, rows: &[&'static Compiled]) -> Option<&'static Row> {
        let Step::Key(key) = self.levels.last()?.step else { return None };
        if signed.is_null() {
            return Some(&every::NULL);
        }
        if !self.built_in || self.table.is_some_and(|table| table.is_opaque(self.below_root())) {
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

    fn below_root(&self) -> &[Level<'v>] {
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
        empty || self.table.is_some_and(|table| table.has_items(self.below_root()))
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

    fn namespace(&mut self, signed: Option<&'v Value>, found: &'v Value) {
        match found.as_str() {
            Some(name) if self.how.allow_namespace.allows(name) => {
                let change = self.change(signed, Some(found));
                self.out.allowed.push((change, Allowance::Namespace(name.to_owned())));
            }
            Some(_) | None => self.report(signed, Some(found)),
        }
    }

    /// Finalizers: what was signed in its order, and between it only what the table or the caller names.
    fn finalizers(&mut self, signed: &'v [Value], found: &'v [Value]) {
        let mut rest = signed.iter().peekable();
        let added: Vec<bool> =
            found.iter().map(|value| rest.next_if(|next| *next == value).is_none()).collect();
        if rest.peek().is_some() {
            return self.elements(signed, found);
        }
        for (index, (value, _)) in found.iter().zip(added).enumerate().filter(|(_, (_, added))| *added) {
            self.levels.push(Level { step: Step::Index(index), signed: None, found: Some(value) });
            // The server keeps finalizers as a set.
            if found.iter().take(index).any(|before| before == value) {
                self.report(None, Some(value));
            } else {
                self.finalizer(value);
            }
            self.levels.pop();
        }
    }

    fn finalizer(&mut self, value: &'v Value) {
        let rows = self.rows();
        let named = |row: &&&'static Compiled| row.value.as_ref() == Some(value);
        if let Some(row) = rows.iter().find(named) {
            return self.effect(None, Some(value), row.row);
        }
        match value.as_str() {
            Some(name) if self.how.allow_finalizers.iter().any(|allowed| allowed == name) => {
                let change = self.change(None, Some(value));
                self.out.allowed.push((change, Allowance::Finalizer(name.to_owned())));
            }
            Some(_) | None => self.report(None, Some(value)),
        }
    }

    /// Records a difference, unless an ignore rule covers it. Where rules reach beneath an added or
    /// removed subtree, each part of it is judged for itself.
    fn report(&mut self, signed: Option<&'v Value>, found: Option<&'v Value>) {
        let path = self.path();
        let (Some(root), levels) = (self.levels.first(), self.levels.len()) else { return };
        let (Some(a), Some(b)) = (root.signed, root.found) else { return };
        let ignore = self.how.ignore;
        match ignore.coverage(&path, a, b) {
            Coverage::Whole(rule) => {
                if self.out.ignored.len() < limits::DIFFERENCES {
                    let change = FieldChange { path, signed: signed.cloned(), found: found.cloned() };
                    self.out.ignored.push((change, rule.to_owned()));
                }
            }
            Coverage::Beneath if levels <= limits::DEPTH && self.parts(signed, found) => {}
            Coverage::Beneath | Coverage::None => {
                if self.out.differences.len() < limits::DIFFERENCES {
                    let change = FieldChange { path, signed: signed.cloned(), found: found.cloned() };
                    self.out.differences.push(change);
                } else {
                    self.out.omitted += 1;
                }
            }
        }
    }

    /// Reports the parts of a subtree that only one side has; says whether there were any.
    fn parts(&mut self, signed: Option<&'v Value>, found: Option<&'v Value>) -> bool {
        let (value, is_signed) = match (signed, found) {
            (Some(value), None | Some(Value::Null)) => (value, true),
            (None | Some(Value::Null), Some(value)) => (value, false),
            _ => return false,
        };
        let children: Vec<(Step<'v>, &'v Value)> = match value {
            Value::Object(map) => map.iter().map(|(key, value)| (Step::Key(key.as_str()), value)).collect(),
            Value::Array(list) => {
                list.iter().enumerate().map(|(at, value)| (Step::Index(at), value)).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return false,
        };
        for (step, value) in &children {
            let (signed, found) = if is_signed { (Some(*value), None) } else { (None, Some(*value)) };
            self.levels.push(Level { step: *step, signed, found });
            self.report(signed, found);
            self.levels.pop();
        }
        !children.is_empty()
    }

    fn effect(&mut self, signed: Option<&Value>, found: Option<&Value>, row: &'static Row) {
        let change = self.change(signed, found);
        if let Some(warning) = row.warning() {
            self.out.warnings.push((change.path.clone(), warning));
        }
        if self.out.effects.len() < limits::DIFFERENCES {
            self.out.effects.push((change, row));
        }
    }

    fn change(&self, signed: Option<&Value>, found: Option<&Value>) -> FieldChange {
        FieldChange { path: self.path(), signed: signed.cloned(), found: found.cloned() }
    }

    fn path(&self) -> FieldPath {
        let mut path = FieldPath::root();
        for level in self.below_root() {
            path.push(match level.step {
                Step::Key(key) => Segment::Key(key.to_owned()),
                Step::Index(index) => Segment::Index(index),
            });
        }
        path
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

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Equal scalars. Numbers are equal only in the same representation: as floats, 2^53 and 2^53 + 1
/// would be one number (attack M15).
fn same_scalar(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        _ => false,
    }
}

/// Whether a float without fraction and an integer are the same number, where floats are exact.
fn same_whole(a: &Number, b: &Number) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let (float, integer) = match (a.is_f64(), b.is_f64()) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        (true, true) | (false, false) => return false,
    };
    let (Some(float), Some(integer)) = (float.as_f64(), integer.as_i64()) else { return false };
    #[expect(clippy::cast_possible_truncation, reason = "below 2^53 and without fraction, checked first")]
    let same = || (float as i64).cmp(&integer) == Ordering::Equal;
    float.abs() < EXACT && float.fract() == 0.0 && same()
}
