//! A reader of untyped documents that knows where it stands, collects every error, and cannot forget
//! an unknown field: fields are read inside [`Node::map`], which reports whatever was not asked for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{CompileError, CompileErrors, Problem};
use crate::limits;
use crate::object::FieldPath;
use crate::policy::PolicyWarning;

/// Errors and warnings of one document.
#[derive(Default)]
pub(super) struct Report {
    errors: RefCell<Vec<CompileError>>,
    more: Cell<usize>,
    warnings: RefCell<Vec<PolicyWarning>>,
}

impl Report {
    pub(super) fn error(&self, path: &FieldPath, problem: Problem) {
        let error = CompileError { path: path.clone(), problem };
        let mut errors = self.errors.borrow_mut();
        // A document of a million unknown keys must not cost a million comparisons of a million errors.
        if errors.len() >= limits::POLICY_ERRORS {
            self.more.set(self.more.get() + 1);
        } else if !errors.contains(&error) {
            // Generated rules repeat the problems of the rule they come from.
            errors.push(error);
        }
    }

    /// Whether further errors are only counted.
    fn is_full(&self) -> bool {
        self.errors.borrow().len() >= limits::POLICY_ERRORS
    }

    pub(super) fn warn(&self, path: &FieldPath, message: impl Into<String>) {
        let warning = PolicyWarning { path: path.clone(), message: message.into() };
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < limits::POLICY_ERRORS && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(super) fn warnings(&self) -> Vec<PolicyWarning> {
        self.warnings.borrow().clone()
    }

    /// The result, if nothing was wrong.
    pub(super) fn finish<T>(self, result: Option<T>) -> Result<T, CompileErrors> {
        let mut errors = self.errors.into_inner();
        match result {
            Some(result) if errors.is_empty() => Ok(result),
            Some(_) | None => {
                if self.more.get() > 0 {
                    let problem = Problem::More(self.more.get());
                    errors.push(CompileError { path: FieldPath::root(), problem });
                }
                Err(CompileErrors(errors))
            }
        }
    }
}

/// A value, where it stands, and where to report.
#[derive(Clone)]
pub(super) struct Node<'v, 'r> {
    pub(super) value: &'v Value,
    pub(super) path: FieldPath,
    pub(super) report: &'r Report,
}

impl<'v, 'r> Node<'v, 'r> {
    pub(super) fn root(value: &'v Value, report: &'r Report) -> Self {
        Self { value, path: FieldPath::root(), report }
    }

    pub(super) fn error(&self, problem: Problem) {
        self.report.error(&self.path, problem);
    }

    pub(super) fn warn(&self, message: impl Into<String>) {
        self.report.warn(&self.path, message);
    }

    fn wrong_type(&self, expected: &'static str) {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "a map",
        };
        self.error(Problem::WrongType { expected, found });
    }

    /// Reads the fields of a map; every field that `read` did not ask for is an error.
    pub(super) fn map<T>(&self, read: impl FnOnce(&mut Fields<'v, 'r>) -> T) -> Option<T> {
        let Value::Object(map) = self.value else {
            self.wrong_type("a map");
            return None;
        };
        let mut fields = Fields { map, path: self.path.clone(), report: self.report, known: Vec::new() };
        let result = read(&mut fields);
        fields.report_unknown();
        Some(result)
    }

    pub(super) fn string(&self) -> Option<&'v str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong_type("a string");
        }
        text
    }

    /// A text that is not empty; `hint` says what belongs there.
    pub(super) fn text(&self, hint: &'static str) -> Option<&'v str> {
        let text = self.string()?;
        if text.trim().is_empty() {
            self.error(Problem::Empty(hint));
            return None;
        }
        Some(text)
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let found = self.value.as_bool();
        if found.is_none() {
            self.wrong_type("a boolean");
        }
        found
    }

    pub(super) fn integer(&self, min: i64, max: i64) -> Option<i64> {
        let Value::Number(number) = self.value else {
            self.wrong_type("an integer");
            return None;
        };
        let found = number.as_i64().filter(|found| (min..=max).contains(found));
        if found.is_none() {
            self.error(Problem::OutOfRange { found: number.to_string(), min, max });
        }
        found
    }

    /// The elements of a list, at most [`limits::POLICY_RULES`].
    pub(super) fn list(&self) -> Vec<Node<'v, 'r>> {
        let Value::Array(list) = self.value else {
            self.wrong_type("a list");
            return vec![];
        };
        if list.len() > limits::POLICY_RULES {
            self.error(Problem::TooMany { max: limits::POLICY_RULES });
            return vec![];
        }
        let node = |(index, value)| Node { value, path: self.path.index(index), report: self.report };
        list.iter().enumerate().map(node).collect()
    }

    pub(super) fn strings(&self) -> Vec<String> {
        self.list()
            .iter()
            .filter_map(|node| node.text("write a text or remove the entry"))
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn string_map(&self) -> BTreeMap<String, String> {
        let Value::Object(map) = self.value else {
            self.wrong_type("a map");
            return BTreeMap::new();
        };
        let entry = |(key, value): (&String, &'v Value)| {
            let node = Node { value, path: self.path.key(key), report: self.report };
            Some((key.clone(), node.string()?.to_owned()))
        };
        map.iter().filter_map(entry).collect()
    }

    /// The entries of a map whose keys are names, not fields.
    pub(super) fn entries(&self) -> Vec<(&'v str, Node<'v, 'r>)> {
        let Value::Object(map) = self.value else {
            self.wrong_type("a map");
            return vec![];
        };
        let entry = |(key, value): (&'v String, &'v Value)| {
            (key.as_str(), Node { value, path: self.path.key(key), report: self.report })
        };
        map.iter().map(entry).collect()
    }

    /// One of several names.
    pub(super) fn choice<T: Copy>(&self, known: &[(&'static str, T)]) -> Option<T> {
        let text = self.string()?;
        let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&'static str> = known.iter().map(|(name, _)| *name).collect();
            let suggestion = nearest(text, known.iter().copied());
            self.error(Problem::UnknownValue { found: text.to_owned(), known, suggestion });
        }
        found
    }
}

/// The fields of a map.
pub(super) struct Fields<'v, 'r> {
    map: &'v Map<String, Value>,
    pub(super) path: FieldPath,
    pub(super) report: &'r Report,
    known: Vec<&'static str>,
}

impl<'v, 'r> Fields<'v, 'r> {
    /// A field; absent and `null` are the same, as for the API server.
    pub(super) fn get(&mut self, name: &'static str) -> Option<Node<'v, 'r>> {
        self.known.push(name);
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some(Node { value, path: self.path.key(name), report: self.report })
    }

    /// A field that must be there.
    pub(super) fn required(&mut self, name: &'static str, hint: &'static str) -> Option<Node<'v, 'r>> {
        let node = self.get(name);
        if node.is_none() {
            self.report.error(&self.path.key(name), Problem::Missing(hint));
        }
        node
    }

    /// Fields that are known and need no reading.
    pub(super) fn skip(&mut self, names: &[&'static str]) {
        self.known.extend(names);
    }

    /// Fields that are known and have no effect here; each one that is there is a warning.
    pub(super) fn without_effect(&mut self, names: &[&'static str], why: &str) {
        for name in names {
            if let Some(node) = self.get(name) {
                node.warn(why);
            }
        }
    }

    /// The fields of these that are there.
    pub(super) fn present(&self, names: &[&'static str]) -> Vec<&'static str> {
        let there = |name: &&str| self.map.get(*name).is_some_and(|value| !value.is_null());
        names.iter().copied().filter(there).collect()
    }

    pub(super) fn error(&self, problem: Problem) {
        self.report.error(&self.path, problem);
    }

    pub(super) fn string(&mut self, name: &'static str) -> Option<String> {
        self.get(name)?.string().map(str::to_owned)
    }

    /// A text that is not empty where it is there; `hint` says what belongs there.
    pub(super) fn text(&mut self, name: &'static str, hint: &'static str) -> Option<String> {
        self.get(name)?.text(hint).map(str::to_owned)
    }

    pub(super) fn boolean(&mut self, name: &'static str, default: bool) -> bool {
        self.get(name).and_then(|node| node.boolean()).unwrap_or(default)
    }

    pub(super) fn string_map(&mut self, name: &'static str) -> BTreeMap<String, String> {
        self.get(name).map(|node| node.string_map()).unwrap_or_default()
    }

    pub(super) fn list(&mut self, name: &'static str) -> Vec<Node<'v, 'r>> {
        self.get(name).map(|node| node.list()).unwrap_or_default()
    }

    pub(super) fn choice<T: Copy>(&mut self, name: &'static str, known: &[(&'static str, T)]) -> Option<T> {
        self.get(name)?.choice(known)
    }

    fn report_unknown(&self) {
        for key in self.map.keys().filter(|key| !self.known.contains(&key.as_str())) {
            // Looking for near names costs time that a document of a million unknown keys must not get.
            let suggestion =
                if self.report.is_full() { None } else { nearest(key, self.known.iter().copied()) };
            self.report.error(&self.path.key(key), Problem::UnknownField { suggestion });
        }
    }
}

/// The nearest of several names, if it is near: a third of the letters may differ, or it is the end of the name
/// (`ignoreTlog` of `insecureIgnoreTlog`).
#[must_use]
pub fn nearest<'n>(typed: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    if typed.len() > 64 {
        return None;
    }
    let word = typed.to_lowercase();
    let distance = |name: &'n str| {
        let known = name.to_lowercase();
        let is_end = word.len() > 3 && known.ends_with(&word);
        (if is_end { 0 } else { edits(&word, &known) }, name)
    };
    let (edits, name) = known.map(distance).min()?;
    let near = edits <= (name.len().max(typed.len()) / 3).max(1);
    near.then(|| name.to_owned())
}

/// Edit distance in which a swap of neighbours is one edit.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors(value: &Value, read: impl FnOnce(&Node<'_, '_>)) -> Vec<String> {
        let report = Report::default();
        read(&Node::root(value, &report));
        report.finish(None::<()>).unwrap_err().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn whatever_was_not_asked_for_is_reported_with_the_nearest_name() {
        let value = json!({"attestor": [], "name": "x", "zzz": 1, "nothing": null});
        let found = errors(&value, |node| {
            node.map(|fields| {
                fields.string("name");
                fields.skip(&["attestors"]);
            });
        });
        assert_eq!(
            found,
            [
                "attestor: unknown field, did you mean `attestors`?",
                "nothing: unknown field",
                "zzz: unknown field",
            ]
        );
    }

    #[test]
    fn types_and_bounds_are_checked() {
        let value = json!({"a": 1, "b": "x", "c": 7.5, "d": [1], "e": "Enforced", "f": " "});
        let found = errors(&value, |node| {
            node.map(|fields| {
                fields.string("a");
                fields.boolean("b", false);
                let integer = fields.get("c").and_then(|node| node.integer(1, 30));
                assert_eq!(integer, None);
                fields.get("d").map(|node| node.strings());
                fields.choice("e", &[("Audit", 1), ("Enforce", 2)]);
                fields.text("f", "write a name");
                fields.required("g", "write g");
            });
        });
        assert_eq!(
            found,
            [
                "a: must be a string, found a number",
                "b: must be a boolean, found a string",
                "c: must be between 1 and 30, found 7.5",
                "d[0]: must be a string, found a number",
                "e: unknown value `Enforced`, did you mean `Enforce`?; known: Audit, Enforce",
                "f: must not be empty; write a name",
                "g: missing; write g",
            ]
        );
    }

    #[test]
    fn names_are_near_when_few_letters_differ() {
        let known = ["attestors", "entries", "count", "keys", "keyless"];
        let cases = [
            ("attestor", Some("attestors")),
            ("Attestors", Some("attestors")),
            ("cuont", Some("count")),
            ("entires", Some("entries")),
            ("key", Some("keys")),
            ("stors", Some("attestors")),
            ("spec", None),
            ("x", None),
        ];
        for (typed, expected) in cases {
            assert_eq!(nearest(typed, known.into_iter()).as_deref(), expected, "{typed}");
        }
        assert_eq!(nearest(&"a".repeat(10_000), known.into_iter()), None);
    }

    #[test]
    fn the_list_of_errors_is_bounded() {
        let value = Value::Object((0..500).map(|n| (format!("field{n}"), Value::Null)).collect());
        let found = errors(&value, |node| {
            node.map(|_| ());
        });
        assert_eq!(found.len(), limits::POLICY_ERRORS + 1);
        assert_eq!(found.last().map(String::as_str), Some("and 400 more problems"));
    }
}
