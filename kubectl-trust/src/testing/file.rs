//! The test file, old and new field names alike.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use common::limits;
use common::yaml;
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
    /// What is expected.
    pub(crate) cases: Vec<Case>,
    /// Fields that have no effect here.
    pub(crate) unused: Vec<String>,
    /// Its text, for the places of what failed.
    pub(crate) content: Vec<u8>,
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
    /// `name` or `namespace/name` of each resource.
    pub(crate) resources: Vec<String>,
    /// The kind, where one is given.
    pub(crate) kind: Option<String>,
    /// What must come out.
    pub(crate) expected: Expected,
    /// `CREATE`, `UPDATE`, `DELETE`.
    pub(crate) operation: Option<String>,
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

/// Reads a test file. Its paths are relative to its folder.
///
/// # Errors
/// An unreadable file, a missing or misspelt field, a file that it names and that is not there; each with
/// the field's path.
pub(crate) fn read(path: &Path) -> anyhow::Result<TestFile> {
    let place = path.display().to_string();
    let content = input::bytes(path, limits::INPUT_BYTES).map_err(|error| input::unreadable(path, &error))?;
    let mut documents = yaml::read(&content).with_context(|| place.clone())?;
    let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
        bail!("{place}: a test file holds one document");
    };
    let file = parse(path, &document.value).with_context(|| place)?;
    Ok(TestFile { content, ..file })
}

fn parse(path: &Path, document: &Value) -> anyhow::Result<TestFile> {
    let Some(fields) = document.as_object() else {
        bail!("not an object: a test is a map with policies, resources and results")
    };
    if let Some(kind) = fields.get("kind").filter(|kind| *kind != "Test") {
        bail!("kind: expected Test, found {kind}");
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut unused = Vec::new();
    for key in fields.keys() {
        match key.as_str() {
            "apiVersion" | "kind" | "metadata" | "name" | "policies" | "resources" | "exceptions"
            | "variables" | "values" | "userinfo" | "results" => {}
            other if OTHER_FIELDS.contains(&other) => unused.push(other.to_owned()),
            other => bail!("{other}: unknown field"),
        }
    }
    let name = fields.get("name").or_else(|| document.pointer("/metadata/name")).and_then(Value::as_str);
    Ok(TestFile {
        path: path.to_owned(),
        name: name.unwrap_or_default().to_owned(),
        policies: paths(folder, fields, "policies", true)?,
        resources: paths(folder, fields, "resources", false)?,
        exceptions: paths(folder, fields, "exceptions", false)?,
        variables: one_path(folder, fields, "variables")?,
        values: fields.get("values").cloned(),
        userinfo: one_path(folder, fields, "userinfo")?,
        cases: cases(fields, &mut unused)?,
        unused,
        content: Vec::new(),
    })
}

fn paths(
    folder: &Path,
    fields: &Map<String, Value>,
    field: &str,
    required: bool,
) -> anyhow::Result<Vec<PathBuf>> {
    let list = strings(fields.get(field), field)?;
    if list.is_empty() && required {
        bail!("{field}: a test names at least one");
    }
    list.iter()
        .enumerate()
        .map(|(index, name)| existing(folder, name, &format!("{field}[{index}]")))
        .collect()
}

fn one_path(folder: &Path, fields: &Map<String, Value>, field: &str) -> anyhow::Result<Option<PathBuf>> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => existing(folder, name, field).map(Some),
        Some(_) => bail!("{field}: expected a file name"),
    }
}

fn existing(folder: &Path, name: &str, field: &str) -> anyhow::Result<PathBuf> {
    if name.contains("://") {
        bail!("{field}: {name}: a test contacts nothing; keep the file beside it");
    }
    let path = folder.join(name);
    if path.try_exists().unwrap_or(false) {
        Ok(path)
    } else {
        bail!("{field}: {}: no such file", path.display())
    }
}

fn strings(value: Option<&Value>, field: &str) -> anyhow::Result<Vec<String>> {
    let list = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => bail!("{field}: expected a list"),
    };
    let one = |(index, value): (usize, &Value)| match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("{field}[{index}]: expected text"),
    };
    list.iter().enumerate().map(one).collect()
}

fn cases(fields: &Map<String, Value>, unused: &mut Vec<String>) -> anyhow::Result<Vec<Case>> {
    let Some(results) = fields.get("results").and_then(Value::as_array) else {
        bail!("results: expected a list of what must come out");
    };
    results.iter().enumerate().map(|(index, value)| case(index, value, unused)).collect()
}

/// One result: `resource`, `namespace` and `status` are older names of today's fields.
fn case(index: usize, value: &Value, unused: &mut Vec<String>) -> anyhow::Result<Case> {
    let place = format!("results[{index}]");
    let Some(fields) = value.as_object() else { bail!("{place}: expected a map") };
    for key in fields.keys() {
        match key.as_str() {
            "policy" | "rule" | "resource" | "resources" | "resourceSpecs" | "namespace" | "kind"
            | "result" | "status" | "operation" => {}
            other if OTHER_RESULT_FIELDS.contains(&other) => unused.push(format!("{place}.{other}")),
            other => bail!("{place}.{other}: unknown field"),
        }
    }
    let text = |field: &str| fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(policy) = text("policy") else { bail!("{place}.policy: missing") };
    let Some(word) = text("result").or(text("status")) else { bail!("{place}.result: missing") };
    let expected = serde_json::from_value(Value::from(word))
        .ok()
        .with_context(|| format!("{place}.result: `{word}` is none of pass, fail, skip, warn, error"))?;
    let mut resources = strings(fields.get("resources"), &format!("{place}.resources"))?;
    resources.extend(text("resource").map(str::to_owned));
    resources.extend(specs(fields.get("resourceSpecs")));
    if resources.is_empty() {
        bail!("{place}.resources: names no resource");
    }
    if let Some(namespace) = text("namespace") {
        resources
            .iter_mut()
            .filter(|name| !name.contains('/'))
            .for_each(|name| *name = format!("{namespace}/{name}"));
    }
    let rule = text("rule").unwrap_or("*").to_owned();
    let (kind, operation) = (text("kind").map(str::to_owned), text("operation").map(str::to_owned));
    Ok(Case { index, policy: policy.to_owned(), rule, resources, kind, expected, operation })
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

    fn parsed(results: &Value) -> anyhow::Result<TestFile> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        parse(&folder.join("kyverno-test.yaml"), &json!({"policies": ["Cargo.toml"], "results": results}))
    }

    #[test]
    fn old_and_new_names_are_the_same() {
        let old = parsed(
            &json!([{"policy": "p", "rule": "r", "resource": "a", "namespace": "n", "status": "fail"}]),
        );
        let new = parsed(&json!([{"policy": "p", "rule": "r", "resources": ["n/a"], "result": "fail"}]));
        let of = |file: anyhow::Result<TestFile>| format!("{:?}", file.unwrap().cases);
        assert_eq!(of(old), of(new));
    }

    #[test]
    fn what_is_missing_or_misspelt_is_named() {
        for (results, expected) in [
            (
                json!([{"policy": "p", "resources": ["a"], "reslt": "fail"}]),
                "results[0].reslt: unknown field",
            ),
            (json!([{"policy": "p", "resources": ["a"]}]), "results[0].result: missing"),
            (
                json!([{"policy": "p", "resources": ["a"], "result": "good"}]),
                "results[0].result: `good` is none of pass, fail, skip, warn, error",
            ),
            (json!([{"policy": "p", "result": "pass"}]), "results[0].resources: names no resource"),
            (json!([{"rule": "p", "result": "pass"}]), "results[0].policy: missing"),
            (json!({}), "results: expected a list of what must come out"),
        ] {
            assert_eq!(parsed(&results).unwrap_err().to_string(), expected);
        }
    }
}
