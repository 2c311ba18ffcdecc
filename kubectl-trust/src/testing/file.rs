//! The test file, old and new field names alike.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, bail};
use common::object::{FieldPath, Segment};
use common::policy::Operation;
use common::yaml::Document;
use common::{dialect, limits, yaml};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::input;

/// A test file.
#[derive(Debug)]
pub(crate) struct TestFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it is called.
    pub(crate) name: String,
    /// Files with policies.
    pub(crate) policies: Vec<PathBuf>,
    /// Files with resources.
    pub(crate) resources: Vec<PathBuf>,
    /// Files with exceptions.
    pub(crate) exceptions: Vec<PathBuf>,
    /// A file with values of variables.
    pub(crate) variables: Option<PathBuf>,
    /// The same in place.
    pub(crate) values: Option<Value>,
    /// A file that says who asks.
    pub(crate) userinfo: Option<PathBuf>,
    /// The time at which it is judged, where it says so (`kubectl-trust.io/now`).
    pub(crate) now: Option<jiff::Timestamp>,
    /// What is expected.
    pub(crate) cases: Vec<Case>,
    /// Fields that have no effect here.
    pub(crate) unused: Vec<FieldPath>,
    /// The text of its file, for the places of what failed.
    pub(crate) content: Rc<[u8]>,
    /// Which document of the file it is, from 0.
    pub(crate) document: usize,
}

/// One expectation, for one or several resources.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Which entry of `results`.
    pub(crate) index: usize,
    /// `name` or `namespace/name` of the policy.
    pub(crate) policy: String,
    /// The rule.
    pub(crate) rule: String,
    /// `name` or `namespace/name` of each resource, with wildcards; all resources where none is named.
    pub(crate) resources: Vec<String>,
    /// The kind, where one is given.
    pub(crate) kind: Option<String>,
    /// What must come out.
    pub(crate) expected: Expected,
    /// `CREATE`, `UPDATE`, `DELETE`; `None` where the case names none.
    pub(crate) operation: Option<Operation>,
}

/// What can be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expected {
    Pass,
    Fail,
    Warn,
    Error,
    Skip,
}

impl Expected {
    /// The word in the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Skip => "skip",
        }
    }
}

const FIELDS: [&str; 11] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "policies",
    "resources",
    "exceptions",
    "variables",
    "values",
    "userinfo",
    "results",
];
const RESULT_FIELDS: [&str; 10] = [
    "policy",
    "rule",
    "resource",
    "resources",
    "resourceSpecs",
    "namespace",
    "kind",
    "result",
    "status",
    "operation",
];
/// Fields of the schema that other engines use.
const OTHER_FIELDS: [&str; 12] = [
    "targetResources",
    "clusterResources",
    "paramResources",
    "context",
    "jsonPayload",
    "jsonPayloads",
    "httpPayloads",
    "envoyPayloads",
    "apiCallResponses",
    "globalContextEntries",
    "checks",
    "status",
];
/// Fields of a result that other engines use, or that say what is known anyway.
const OTHER_RESULT_FIELDS: [&str; 16] = [
    "patchedResource",
    "patchedResources",
    "generatedResource",
    "generatedResources",
    "cloneSourceResource",
    "failOnMissingResources",
    "isValidatingPolicy",
    "isImageValidatingPolicy",
    "isMutatingPolicy",
    "isDeletingPolicy",
    "isGeneratingPolicy",
    "isValidatingAdmissionPolicy",
    "isMutatingAdmissionPolicy",
    "apiVersion",
    "source",
    "message",
];

/// Reads the tests of a file, one a document. Their paths are relative to its folder.
///
/// # Errors
/// An unreadable file, one without documents. Of each test: a missing or misspelt field, a file that it names and
/// that is not there; with the field's path.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<anyhow::Result<TestFile>>> {
    let place = path.display().to_string();
    let content = input::bytes(path, limits::INPUT_BYTES).map_err(|error| input::unreadable(path, &error))?;
    let content: Rc<[u8]> = content.into();
    let documents = yaml::read(&content).with_context(|| place.clone())?;
    if documents.is_empty() {
        bail!("{place}: a test file holds at least one document");
    }
    let one = |document: &Document| match parse(path, &document.value) {
        Ok(file) => Ok(TestFile { content: Rc::clone(&content), document: document.index, ..file }),
        Err(mistake) => match yaml::locate(&content, document.index, &mistake.path) {
            Some((line, column)) => bail!("{place}:{line}:{column}: {mistake}"),
            None => bail!("{place}: {mistake}"),
        },
    };
    Ok(documents.iter().map(one).collect())
}

/// What is wrong with a field.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
struct Mistake {
    path: FieldPath,
    problem: String,
}

fn mistake<T>(path: &FieldPath, problem: impl Into<String>) -> Result<T, Mistake> {
    Err(Mistake { path: path.clone(), problem: problem.into() })
}

/// `known` are all fields of the schema, also those without an effect here: one of these may be meant.
fn unknown<'n, T>(path: &FieldPath, known: impl Iterator<Item = &'n &'n str>) -> Result<T, Mistake> {
    let typed = match path.segments().last() {
        Some(Segment::Key(key)) => key.as_str(),
        Some(Segment::Index(_)) | None => "",
    };
    let near = dialect::nearest(typed, known.copied());
    let meant = near.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
    mistake(path, format!("unknown field{meant}"))
}

/// A map, and where it stands.
struct Fields<'v> {
    map: &'v Map<String, Value>,
    path: FieldPath,
}

impl<'v> Fields<'v> {
    fn of(value: &'v Value, path: FieldPath) -> Result<Self, Mistake> {
        match value.as_object() {
            Some(map) => Ok(Self { map, path }),
            None => mistake(&path, "expected a map"),
        }
    }

    fn at(&self, field: &str) -> FieldPath {
        self.path.key(field)
    }

    /// Every key is one of `known`, or one of `unused`, which is noted.
    fn check(&self, known: &[&str], unused: &[&str], noted: &mut Vec<FieldPath>) -> Result<(), Mistake> {
        for key in self.map.keys() {
            if unused.contains(&key.as_str()) {
                noted.push(self.at(key));
            } else if !known.contains(&key.as_str()) {
                return unknown(&self.at(key), known.iter().chain(unused));
            }
        }
        Ok(())
    }

    /// Text that is not empty.
    fn text(&self, field: &str) -> Option<&'v str> {
        self.map.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn list(&self, field: &str) -> Result<&'v [Value], Mistake> {
        match self.map.get(field) {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => mistake(&self.at(field), "expected a list"),
        }
    }

    fn strings(&self, field: &str) -> Result<Vec<String>, Mistake> {
        let one = |(index, value): (usize, &Value)| match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => mistake(&self.at(field).index(index), "expected text"),
        };
        self.list(field)?.iter().enumerate().map(one).collect()
    }

    fn files(&self, field: &str, folder: &Path) -> Result<Vec<PathBuf>, Mistake> {
        let names = self.strings(field)?;
        let one = |(index, name): (usize, &String)| existing(folder, name, &self.at(field).index(index));
        names.iter().enumerate().map(one).collect()
    }

    fn file(&self, field: &str, folder: &Path) -> Result<Option<PathBuf>, Mistake> {
        match self.map.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(name)) => existing(folder, name, &self.at(field)).map(Some),
            Some(_) => mistake(&self.at(field), "expected a file name"),
        }
    }
}

fn existing(folder: &Path, name: &str, at: &FieldPath) -> Result<PathBuf, Mistake> {
    if name.contains("://") {
        return mistake(at, format!("{name}: a test contacts nothing; keep the file beside it"));
    }
    let path = folder.join(name);
    if path.try_exists().unwrap_or(false) {
        Ok(path)
    } else {
        mistake(at, format!("{}: no such file or directory", path.display()))
    }
}

/// The annotation by which a test says what time it is, so that conditions over time come out the same always.
const NOW: &str = "kubectl-trust.io/now";

fn now(document: &Value) -> Result<Option<jiff::Timestamp>, Mistake> {
    let annotations = document.get("metadata").and_then(|metadata| metadata.get("annotations"));
    let Some(time) = annotations.and_then(|annotations| annotations.get(NOW)) else { return Ok(None) };
    let at = FieldPath::keys(["metadata", "annotations", NOW]);
    match time.as_str().and_then(|text| text.parse().ok()) {
        Some(time) => Ok(Some(time)),
        None => mistake(&at, "expected a time such as 2026-11-25T08:00:00Z"),
    }
}

fn parse(path: &Path, document: &Value) -> Result<TestFile, Mistake> {
    let fields = Fields::of(document, FieldPath::root())?;
    if let Some(kind) = fields.map.get("kind").filter(|kind| *kind != "Test") {
        return mistake(&fields.at("kind"), format!("expected Test, found {kind}"));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut unused = Vec::new();
    fields.check(&FIELDS, &OTHER_FIELDS, &mut unused)?;
    let name = fields.map.get("name").or_else(|| document.pointer("/metadata/name")).and_then(Value::as_str);
    let policies = fields.files("policies", folder)?;
    if policies.is_empty() {
        return mistake(&fields.at("policies"), "a test names at least one");
    }
    let Some(Value::Array(results)) = fields.map.get("results") else {
        return mistake(&fields.at("results"), "expected a list of what must come out");
    };
    let at = |index| fields.at("results").index(index);
    let results = results.iter().enumerate();
    let cases = results.map(|(index, value)| case(index, &Fields::of(value, at(index))?, &mut unused));
    let cases = cases.collect::<Result<_, _>>()?;
    Ok(TestFile {
        path: path.to_owned(),
        name: name.unwrap_or_default().to_owned(),
        policies,
        resources: fields.files("resources", folder)?,
        exceptions: fields.files("exceptions", folder)?,
        variables: fields.file("variables", folder)?,
        values: fields.map.get("values").cloned(),
        userinfo: fields.file("userinfo", folder)?,
        now: now(document)?,
        cases,
        unused,
        content: Rc::default(),
        document: 0,
    })
}

/// One result: `resource`, `namespace` and `status` are older names of today's fields.
fn case(index: usize, fields: &Fields<'_>, unused: &mut Vec<FieldPath>) -> Result<Case, Mistake> {
    fields.check(&RESULT_FIELDS, &OTHER_RESULT_FIELDS, unused)?;
    let Some(policy) = fields.text("policy") else { return mistake(&fields.at("policy"), "missing") };
    let Some(word) = fields.text("result").or(fields.text("status")) else {
        return mistake(&fields.at("result"), "missing");
    };
    let Ok(expected) = serde_json::from_value(Value::from(word)) else {
        let problem = format!("`{word}` is none of pass, fail, skip, warn, error");
        return mistake(&fields.at("result"), problem);
    };
    let operation = operation(fields)?;
    let mut resources = fields.strings("resources")?;
    resources.extend(fields.text("resource").map(str::to_owned));
    resources.extend(specs(fields.map.get("resourceSpecs")));
    if let Some(namespace) = fields.text("namespace") {
        if resources.is_empty() {
            resources.push("*".to_owned());
        }
        let bare = resources.iter_mut().filter(|name| !name.contains('/'));
        bare.for_each(|name| *name = format!("{namespace}/{name}"));
    }
    let rule = fields.text("rule").unwrap_or("*").to_owned();
    let kind = fields.text("kind").map(str::to_owned);
    Ok(Case { index, policy: policy.to_owned(), rule, resources, kind, expected, operation })
}

fn operation(fields: &Fields<'_>) -> Result<Option<Operation>, Mistake> {
    let Some(text) = fields.text("operation") else { return Ok(None) };
    Operation::parse(text).map(Some).ok_or_else(|| Mistake {
        path: fields.at("operation"),
        problem: format!("`{text}` is none of CREATE, UPDATE, DELETE, CONNECT"),
    })
}

fn specs(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|spec| {
        let name = spec.get("name")?.as_str()?;
        let namespace =
            spec.get("namespace").and_then(Value::as_str).filter(|namespace| !namespace.is_empty());
        Some(namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}")))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(results: &Value) -> Result<TestFile, Mistake> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        parse(&folder.join("kyverno-test.yaml"), &json!({"policies": ["Cargo.toml"], "results": results}))
    }

    #[test]
    fn old_and_new_names_are_the_same() {
        let old = parsed(
            &json!([{"policy": "p", "rule": "r", "resource": "a", "namespace": "n", "status": "fail"}]),
        );
        let new = parsed(&json!([{"policy": "p", "rule": "r", "resources": ["n/a"], "result": "fail"}]));
        let of = |file: Result<TestFile, Mistake>| format!("{:?}", file.unwrap().cases);
        assert_eq!(of(old), of(new));
    }

    #[test]
    fn no_resource_is_every_resource() {
        for (fields, expected) in [
            (json!({}), &[][..]),
            (json!({"resources": []}), &[]),
            (json!({"resources": null, "kind": "Pod"}), &[]),
            (json!({"namespace": "shop"}), &["shop/*"]),
        ] {
            let mut entry = json!({"policy": "p", "result": "pass"});
            entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            assert_eq!(parsed(&json!([entry])).unwrap().cases[0].resources, expected, "{fields}");
        }
    }

    #[test]
    fn what_is_missing_or_misspelt_is_named() {
        for (results, expected) in [
            (
                json!([{"policy": "p", "resources": ["a"], "reslt": "fail"}]),
                "results[0].reslt: unknown field, did you mean `result`?",
            ),
            (
                json!([{"policy": "p", "result": "fail", "isMUtatingPolcy": true}]),
                "results[0].isMUtatingPolcy: unknown field, did you mean `isMutatingPolicy`?",
            ),
            (json!([{"policy": "p", "resources": ["a"]}]), "results[0].result: missing"),
            (
                json!([{"policy": "p", "resources": ["a"], "result": "good"}]),
                "results[0].result: `good` is none of pass, fail, skip, warn, error",
            ),
            (json!([{"rule": "p", "result": "pass"}]), "results[0].policy: missing"),
            (json!({}), "results: expected a list of what must come out"),
        ] {
            assert_eq!(parsed(&results).unwrap_err().to_string(), expected);
        }
    }
}
