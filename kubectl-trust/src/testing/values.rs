//! Values of variables, and who asks: what a test or a command says instead of a cluster.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use common::limits;
use common::policy::{UserInfo, Values};
use common::yaml;
use serde::Deserialize;
use serde_json::Value;

use crate::input;

/// A `Values` document (`cli.kyverno.io/v1alpha1`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ValuesFile {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    #[serde(rename = "metadata")]
    _metadata: Option<Value>,
    #[serde(default)]
    global_values: BTreeMap<String, Value>,
    #[serde(default)]
    policies: Vec<PolicyValues>,
    #[serde(default)]
    namespace_selector: Vec<NamespaceLabels>,
    #[serde(default, rename = "namespaces")]
    _namespaces: Vec<Value>,
    #[serde(default, rename = "subresources")]
    _subresources: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyValues {
    name: String,
    #[serde(default)]
    resources: Vec<NamedValues>,
    #[serde(default)]
    rules: Vec<NamedValues>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NamedValues {
    name: String,
    #[serde(default)]
    values: BTreeMap<String, Value>,
    #[serde(default, rename = "foreachValues")]
    _foreach_values: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamespaceLabels {
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl ValuesFile {
    /// Reads a values file.
    ///
    /// # Errors
    /// An unreadable file, an unknown field, a wrong type.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let place = path.display().to_string();
        Self::parse(single(path)?).with_context(|| place)
    }

    /// Reads values that stand in a test file.
    ///
    /// # Errors
    /// An unknown field, a wrong type.
    pub(crate) fn parse(value: Value) -> anyhow::Result<Self> {
        Ok(serde_json::from_value(value)?)
    }

    /// The values for one policy and one resource: global ones, the policy's rules', the resource's.
    pub(crate) fn of(&self, policy: &str, resource: &str) -> Values {
        let mut values = self.global_values.clone();
        for entry in self.policies.iter().filter(|entry| entry.name == policy) {
            entry.rules.iter().for_each(|rule| values.extend(rule.values.clone()));
            let resources = entry.resources.iter().filter(|entry| entry.name == resource);
            resources.for_each(|entry| values.extend(entry.values.clone()));
        }
        values
    }

    /// Adds values given one by one.
    pub(crate) fn set(&mut self, values: &[(String, String)]) {
        let values = values.iter().map(|(key, value)| (key.clone(), Value::from(value.clone())));
        self.global_values.extend(values);
    }

    /// The labels of a namespace, where they are given.
    pub(crate) fn namespace_labels(&self, namespace: &str) -> Option<&BTreeMap<String, String>> {
        self.namespace_selector.iter().find(|entry| entry.name == namespace).map(|entry| &entry.labels)
    }

    /// Gives a namespace its labels, unless they are given already.
    pub(crate) fn add_namespace(&mut self, name: &str, labels: BTreeMap<String, String>) {
        if self.namespace_labels(name).is_none() {
            self.namespace_selector.push(NamespaceLabels { name: name.to_owned(), labels });
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserFile {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    #[serde(rename = "metadata")]
    _metadata: Option<Value>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    cluster_roles: Vec<String>,
    #[serde(default)]
    user_info: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    #[serde(default)]
    username: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default, rename = "uid")]
    _uid: Option<String>,
    #[serde(default, rename = "extra")]
    _extra: Option<Value>,
}

/// Reads a `UserInfo` document.
///
/// # Errors
/// An unreadable file, an unknown field, a wrong type.
pub(crate) fn user(path: &Path) -> anyhow::Result<UserInfo> {
    let place = path.display().to_string();
    let file: UserFile = serde_json::from_value(single(path)?).with_context(|| place)?;
    let User { username, groups, _uid: _, _extra: _ } = file.user_info;
    Ok(UserInfo { username, groups, roles: file.roles, cluster_roles: file.cluster_roles })
}

fn single(path: &Path) -> anyhow::Result<Value> {
    let place = || path.display().to_string();
    let content = input::bytes(path, limits::INPUT_BYTES).map_err(|error| input::unreadable(path, &error))?;
    let mut documents = yaml::read(&content).with_context(place)?;
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => Ok(document.value),
        _ => bail!("{}: holds one document", place()),
    }
}
