//! Values of variables, labels of namespaces and subresources: what a test or a command says instead of a cluster.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use common::object::ObjectRef;
use common::policy::{Operation, PolicyId, RuleValues, Values};
use serde::Deserialize;
use serde_json::Value;

use super::document::single;

/// The labels of a namespace.
pub(crate) type Labels = BTreeMap<String, String>;

/// The variable that stands for the operation of the request, in conditions as well as in `match`.
const OPERATION: &str = "request.operation";

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
    #[serde(default, deserialize_with = "nullable")]
    global_values: Values,
    #[serde(default, deserialize_with = "nullable")]
    policies: Vec<PolicyValues>,
    #[serde(default, deserialize_with = "nullable")]
    namespace_selector: Vec<NamespaceLabels>,
    /// Namespaces as a cluster has them; of these the labels count.
    #[serde(default, deserialize_with = "nullable")]
    namespaces: Vec<Value>,
    #[serde(default, deserialize_with = "nullable")]
    subresources: Vec<Subresource>,
    /// Values given one by one, which win over all of the file.
    #[serde(skip)]
    overrides: Values,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyValues {
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    resources: Vec<NamedValues>,
    #[serde(default, deserialize_with = "nullable")]
    rules: Vec<NamedValues>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NamedValues {
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    values: Values,
    #[serde(default, rename = "foreachValues")]
    _foreach_values: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamespaceLabels {
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    labels: Labels,
}

/// That objects of a kind are requests for a subresource: a `Scale` is `deployments/scale`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Subresource {
    subresource: ApiResource,
    #[serde(default, rename = "parentResource")]
    _parent_resource: Option<Value>,
}

/// What the discovery of an API server says of a resource (`meta/v1` `APIResource`).
#[derive(Debug, Deserialize)]
struct ApiResource {
    /// `deployments/scale`.
    name: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    kind: String,
}

/// `null` is how people leave a list or map empty.
fn nullable<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
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
        let mut file: Self = serde_json::from_value(value)?;
        let namespaces: Vec<_> = file.namespaces.iter().filter_map(namespace).collect();
        for (name, labels) in namespaces {
            file.add_namespace(&name, labels);
        }
        Ok(file)
    }

    /// The values for one policy and one object: global ones, those of each rule, those of the object, and last those
    /// given one by one.
    pub(crate) fn of(&self, policy: &PolicyId, object: &ObjectRef) -> RuleValues {
        let is_of_policy =
            |entry: &&PolicyValues| entry.name == policy.name || entry.name == policy.to_string();
        let is_of_object = |entry: &&NamedValues| {
            entry.name == object.name || entry.name == format!("{}/{}", object.namespace, object.name)
        };
        let entries: Vec<_> = self.policies.iter().filter(is_of_policy).collect();
        let last = || entries.iter().flat_map(|entry| entry.resources.iter().filter(is_of_object));
        let whole = |mut values: Values| {
            last().for_each(|entry| values.extend(entry.values.clone()));
            values.extend(self.overrides.clone());
            values
        };
        let mut of_rule = BTreeMap::new();
        for rule in entries.iter().flat_map(|entry| &entry.rules) {
            let values = of_rule.entry(rule.name.clone()).or_insert_with(|| self.global_values.clone());
            values.extend(rule.values.clone());
        }
        RuleValues {
            of_all: whole(self.global_values.clone()),
            of_rule: of_rule.into_iter().map(|(name, values)| (name, whole(values))).collect(),
        }
    }

    /// Adds values given one by one.
    pub(crate) fn set(&mut self, values: &[(String, String)]) {
        let values = values.iter().map(|(key, value)| (key.clone(), Value::from(value.clone())));
        self.overrides.extend(values);
    }

    /// The labels of a namespace, where they are given.
    pub(crate) fn namespace_labels(&self, namespace: &str) -> Option<&Labels> {
        self.namespace_selector.iter().find(|entry| entry.name == namespace).map(|entry| &entry.labels)
    }

    /// Gives a namespace its labels, unless they are given already.
    pub(crate) fn add_namespace(&mut self, name: &str, labels: Labels) {
        if self.namespace_labels(name).is_none() {
            self.namespace_selector.push(NamespaceLabels { name: name.to_owned(), labels });
        }
    }

    /// The subresource that objects of a kind are requests for; empty for all others.
    pub(crate) fn subresource(&self, object: &ObjectRef) -> &str {
        let is_it = |entry: &&Subresource| {
            let ApiResource { group, version, kind, .. } = &entry.subresource;
            *kind == object.kind && *group == object.group() && *version == object.version()
        };
        let found = self.subresources.iter().find(is_it);
        found
            .and_then(|entry| entry.subresource.name.split_once('/'))
            .map_or("", |(_, subresource)| subresource)
    }
}

/// The operation that values say the request is, where they say any.
pub(crate) fn operation(values: &Values) -> Option<Operation> {
    Operation::parse(values.get(OPERATION)?.as_str()?)
}

/// The name and the labels of a Namespace; `None` for every other object.
pub(crate) fn namespace(object: &Value) -> Option<(String, Labels)> {
    let reference = ObjectRef::of(object);
    if reference.kind != "Namespace" || !reference.group().is_empty() {
        return None;
    }
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let labels = labels.filter_map(|(key, label)| Some((key.clone(), label.as_str()?.to_owned())));
    Some((reference.name, labels.collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(value: Value) -> ValuesFile {
        ValuesFile::parse(value).unwrap()
    }

    fn object(kind: &str, namespace: &str) -> ObjectRef {
        let (api_version, name) = ("v1".to_owned(), "app".to_owned());
        ObjectRef { api_version, kind: kind.to_owned(), namespace: namespace.to_owned(), name }
    }

    fn policy(namespace: &str) -> PolicyId {
        PolicyId { kind: "Policy".to_owned(), namespace: namespace.to_owned(), name: "p".to_owned() }
    }

    #[test]
    fn the_values_of_a_rule_are_those_of_that_rule_alone() {
        let file = file(json!({"globalValues": {"a": 1, "b": 1},
            "policies": [{"name": "p", "rules": [{"name": "one", "values": {"b": 2}}, {"name": "two", "values": {"c": 3}}]}]}));
        let values = file.of(&policy(""), &object("Pod", ""));
        let seen = |rule: &str| serde_json::to_string(values.of(rule)).unwrap();
        assert_eq!(seen("one"), r#"{"a":1,"b":2}"#);
        assert_eq!(seen("two"), r#"{"a":1,"b":1,"c":3}"#);
        assert_eq!(seen("autogen-cronjob-two"), seen("two"));
        assert_eq!(seen("three"), r#"{"a":1,"b":1}"#);
    }

    #[test]
    fn what_is_set_wins_over_the_file_and_the_object_over_the_rule() {
        let mut file = file(json!({"globalValues": {"a": "global"}, "policies": [{"name": "shop/p",
            "rules": [{"name": "r", "values": {"a": "rule", "b": "rule"}}],
            "resources": [{"name": "app", "values": {"a": "object"}}]}]}));
        let of = |file: &ValuesFile, namespace: &str| {
            let values = file.of(&policy(namespace), &object("Pod", "shop"));
            ["a", "b"].map(|name| values.of("r").get(name).and_then(Value::as_str).unwrap_or("").to_owned())
        };
        assert_eq!(of(&file, "shop"), ["object", "rule"]);
        assert_eq!(of(&file, "other"), ["global", ""], "another namespace's policy");
        file.set(&[("a".to_owned(), "set".to_owned())]);
        assert_eq!(of(&file, "shop"), ["set", "rule"]);
    }

    #[test]
    fn a_namespaced_policy_is_found_by_either_name() {
        for name in ["p", "shop/p"] {
            let file = file(
                json!({"policies": [{"name": name, "resources": [{"name": "shop/app", "values": {"a": 1}}]}]}),
            );
            assert_eq!(file.of(&policy("shop"), &object("Pod", "shop")).of_all.len(), 1, "{name}");
        }
    }

    #[test]
    fn namespaces_give_their_labels_unless_the_selector_does() {
        let file = file(json!({"namespaceSelector": [{"name": "a", "labels": {"from": "selector"}}],
            "namespaces": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": {"from": "object"}}},
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "b"}}, {"kind": "Pod"}]}));
        assert_eq!(file.namespace_labels("a").unwrap()["from"], "selector");
        assert_eq!(file.namespace_labels("b"), Some(&Labels::new()), "it has none, and that is known");
        assert_eq!(file.namespace_labels("c"), None);
    }

    #[test]
    fn objects_of_a_kind_are_requests_for_a_subresource() {
        let scale =
            json!({"name": "deployments/scale", "kind": "Scale", "group": "autoscaling", "version": "v1"});
        let file = file(
            json!({"subresources": [{"subresource": scale, "parentResource": {"name": "deployments"}}]}),
        );
        let of = |api_version: &str| ObjectRef { api_version: api_version.to_owned(), ..object("Scale", "") };
        assert_eq!(file.subresource(&of("autoscaling/v1")), "scale");
        assert_eq!(file.subresource(&of("v1")), "");
    }
}
