//! What a rule is about.
#![expect(clippy::doc_markdown, reason = "these comments are what kubectl explain shows, backticks and all")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Which requests and objects: one of `any` and `all`.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.any) != has(self.all)",
    "message": "exactly one of any and all is needed",
}]))]
pub struct Clause {
    /// One of these must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub any: Option<Vec<Filter>>,
    /// All of these must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub all: Option<Vec<Filter>>,
}

/// Attributes, all of which must match.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// Objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Patterns of roles that the requesting user must have one of, as namespace:name. Needs background: false.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub roles: Vec<String>,
    /// Patterns of cluster roles that the requesting user must have one of. Needs background: false.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub cluster_roles: Vec<String>,
    /// Users of whom one must have made the request. Needs background: false.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub subjects: Vec<User>,
}

/// Attributes of objects, all of which must match; each list names alternatives.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Kinds: Kind, version/Kind or group/version/Kind, with /subresource where needed; `*` stands for any part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub kinds: Vec<String>,
    /// Patterns of names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub names: Vec<String>,
    /// Patterns of namespaces. Not in a TrustPolicy, which is about its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub namespaces: Vec<String>,
    /// Patterns of annotations, all of which must be there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// Labels of its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Operations; without any, CREATE and UPDATE.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub operations: Vec<Operation>,
}

/// An operation of a request.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the API server's own words")]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

/// Labels and expressions over labels, all of which must hold.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels with exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Expressions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub match_expressions: Vec<LabelExpression>,
}

/// One expression over a label.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct LabelExpression {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: LabelOperator,
    /// With what; only for In and NotIn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
#[expect(missing_docs, reason = "the API server's own words")]
pub enum LabelOperator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// Somebody who makes requests.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.kind != 'ServiceAccount' || has(self.namespace)",
    "message": "a ServiceAccount needs its namespace",
}]))]
pub struct User {
    /// What is named.
    pub kind: UserKind,
    /// A pattern of its name.
    pub name: String,
    /// The namespace of a service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What a subject is.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
#[expect(missing_docs, reason = "the API server's own words")]
pub enum UserKind {
    User,
    Group,
    ServiceAccount,
}
