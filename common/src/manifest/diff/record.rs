//! What a comparison writes down: differences, effects, and what was allowed by name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::defaults::Row;
use super::super::defaults::site::{Level, Step};
use super::super::defaults::table::Compiled;
use super::super::ignore::Coverage;
use super::Allowance;
use super::walk::Walk;
use crate::digest::Digest;
use crate::limits;
use crate::object::{FieldChange, FieldPath, Origin, Segment};

impl<'v> Walk<'_, 'v> {
    /// A namespace where none was signed.
    pub(super) fn namespace(&mut self, signed: Option<&'v Value>, found: &'v Value) {
        match found.as_str() {
            Some(name) if self.how.allow_namespace.allows(name) => {
                let change = self.change(signed, Some(found));
                self.out.allowed.push((change, Allowance::Namespace(name.to_owned())));
            }
            Some(_) | None => self.report(signed, Some(found)),
        }
    }

    /// Finalizers: what was signed in its order, and between it only what the table or the caller names.
    pub(super) fn finalizers(&mut self, signed: &'v [Value], found: &'v [Value]) {
        let mut rest = signed.iter().peekable();
        let added: Vec<bool> =
            found.iter().map(|value| rest.next_if(|next| *next == value).is_none()).collect();
        if rest.peek().is_some() {
            return self.elements(signed, found);
        }
        // The server keeps finalizers as a set, so a repeated one is nobody's effect.
        let mut seen = BTreeSet::new();
        for (index, (value, added)) in found.iter().zip(added).enumerate() {
            let fresh = value.as_str().is_some_and(|name| seen.insert(name));
            if !added {
                continue;
            }
            self.levels.push(Level { step: Step::Index(index), signed: None, found: Some(value) });
            if fresh {
                self.finalizer(value);
            } else {
                self.report(None, Some(value));
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
    pub(super) fn report(&mut self, signed: Option<&'v Value>, found: Option<&'v Value>) {
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

    /// Whether an image is the signed one, under the digest for which another rule found it good.
    ///
    /// Attack: a digest that nobody verified, behind a tag that was signed.
    pub(super) fn is_pinned(&self, signed: &Value, found: &Value) -> bool {
        let (Value::String(signed), Value::String(found)) = (signed, found) else { return false };
        let digest = found.strip_prefix(signed.as_str()).and_then(|rest| rest.strip_prefix('@'));
        let digest = digest.filter(|digest| !signed.contains('@') && digest.parse::<Digest>().is_ok());
        digest.is_some() && self.how.origin != Origin::File && self.how.pinned.contains(&self.path())
    }

    pub(super) fn pinned(&mut self, signed: &Value, found: &Value) {
        let change = self.change(Some(signed), Some(found));
        let image = found.as_str().unwrap_or_default().to_owned();
        self.out.allowed.push((change, Allowance::Pinned(image)));
    }

    pub(super) fn effect(&mut self, signed: Option<&Value>, found: Option<&Value>, row: &'static Row) {
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
