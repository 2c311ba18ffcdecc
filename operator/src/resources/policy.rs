//! `ClusterTrustPolicy` and `TrustPolicy`.
#![expect(clippy::doc_markdown, reason = "these comments are what kubectl explain shows, backticks and all")]

use std::collections::BTreeMap;

use common::manifest::DEFAULT_DOMAIN;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::image::{ImageExtractors, anything};
use super::{AttestorSet, Clause, ImageEntry, LabelSelector};

/// Rules that objects are judged by when they are created and changed.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySpec {
    /// Whether what fails is refused (Enforce) or let in with a warning (Audit).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enforce"))]
    pub failure_action: Option<Action>,
    /// Another action for some namespaces; the first that matches counts. Not in a TrustPolicy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub failure_action_overrides: Vec<ActionOverride>,
    /// What becomes of requests that cannot be decided, as when a registry gives no answer: refused (Fail) or let in
    /// with a warning (Ignore). What was found to be wrong is refused either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Fail"))]
    pub failure_policy: Option<FailurePolicy>,
    /// Which updates are judged: those because of which something new can run (Starting), or All. With All, controllers
    /// cannot scale down, end or clean up what is not trusted and older than the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Starting"))]
    pub judge_updates: Option<JudgeUpdates>,
    /// Seconds that the API server waits for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 30), extend("default" = 10))]
    pub timeout_seconds: Option<u32>,
    /// Conditions under which the API server asks at all (CEL); all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub match_conditions: Vec<Condition>,
    /// Whether the policy also judges what is in the cluster already. Rules about users need false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub background: Option<bool>,
    /// Controllers for which verifyImages rules for Pods hold as well; without the field, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7))]
    pub autogen_controllers: Option<Vec<Controller>>,
    /// How bad a failure is, for reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// A category, for reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The rules, all of which are judged.
    #[schemars(length(min = 1, max = 64))]
    pub rules: Vec<Rule>,
}

/// A condition that the API server evaluates.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct Condition {
    /// Unique in its policy.
    pub name: String,
    /// The expression, over object, oldObject, request and authorizer.
    pub expression: String,
}

/// What becomes of what fails.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub enum Action {
    /// It is let in with a warning.
    Audit,
    /// It is refused.
    Enforce,
}

/// What becomes of what cannot be decided.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub enum FailurePolicy {
    /// It is refused.
    Fail,
    /// It is let in with a warning.
    Ignore,
}

/// Which updates are judged.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub enum JudgeUpdates {
    /// Those because of which something new can run.
    Starting,
    /// All.
    All,
}

/// A controller of Pods.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
#[expect(missing_docs, reason = "the API server's own words")]
pub enum Controller {
    DaemonSet,
    Deployment,
    Job,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
    CronJob,
}

/// How bad a failure is.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "words of reports")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// Another action for some namespaces.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.namespaces) || has(self.namespaceSelector)",
    "message": "namespaces or a namespaceSelector are needed",
}]))]
pub struct ActionOverride {
    /// The action.
    pub action: Action,
    /// Patterns of namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub namespaces: Vec<String>,
    /// Labels of namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
}

/// One rule: exactly one of verifyImages and validate.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.verifyImages) != has(self.validate)",
    "message": "exactly one of verifyImages and validate is needed",
}]))]
pub struct Rule {
    /// Unique in its policy.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// What the rule is about.
    #[serde(rename = "match")]
    pub matching: Clause,
    /// What of that is left out again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Clause>,
    /// In place of the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_action: Option<Action>,
    /// Before those of the policy. Not in a TrustPolicy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub failure_action_overrides: Vec<ActionOverride>,
    /// Named values for conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub context: Vec<ContextEntry>,
    /// Conditions without which the rule says nothing: {all: […], any: […]}, or a list of which all must hold.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "anything")]
    pub preconditions: Value,
    /// Where images stand in objects of other kinds than Kubernetes' own workloads, by kind.
    #[serde(default, skip_serializing_if = "ImageExtractors::is_empty")]
    pub image_extractors: ImageExtractors,
    /// Images must be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub verify_images: Option<Vec<ImageEntry>>,
    /// The object must be as it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate: Option<Validate>,
    /// Properties that are copied to reports.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub report_properties: BTreeMap<String, String>,
}

/// A named value.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct ContextEntry {
    /// Its name.
    pub name: String,
    /// The value.
    pub variable: Variable,
}

/// A value: as it is, or found by an expression.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// The value.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "anything")]
    pub value: Value,
    /// What finds it (JMESPath).
    #[serde(rename = "jmesPath", default, skip_serializing_if = "Option::is_none")]
    pub jmes_path: Option<String>,
    /// The value where the expression finds none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "anything")]
    pub default: Value,
}

/// What an object must be.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Validate {
    /// As it was signed.
    pub manifests: ManifestRule,
}

/// An object must be as it was signed.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestRule {
    /// Sets of signers, all of which must have signed the manifest.
    #[schemars(length(min = 1, max = 16))]
    pub attestors: Vec<AttestorSet>,
    /// The domain of the annotations that hold the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DEFAULT_DOMAIN))]
    pub annotation_domain: Option<String>,
    /// Fields that may differ from what was signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub ignore_fields: Vec<IgnoreField>,
    /// How an object is compared: Strict, or as k8s-manifest-sigstore and Kyverno do it (Compat), with warnings for what
    /// only that accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Strict"))]
    pub matching: Option<Matching>,
    /// Namespaces that an object may be in whose manifest was signed without one; `*` alone for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub allow_namespaces: Vec<String>,
    /// Finalizers that an object may have which were not signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub allow_finalizers: Vec<String>,
}

/// How an object is compared with what was signed.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub enum Matching {
    /// Only what the API server itself does to an object is no difference.
    Strict,
    /// As k8s-manifest-sigstore and Kyverno accept it.
    Compat,
}

/// Fields of some objects.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct IgnoreField {
    /// Which objects; without any, all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub objects: Vec<ObjectSelector>,
    /// Paths of fields, as spec.replicas; `*` stands for one step, `**` for any number.
    #[schemars(length(min = 1, max = 256))]
    pub fields: Vec<String>,
}

/// Objects; what is not named matches everything.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct ObjectSelector {
    /// The API group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A pattern of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A pattern of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}
