//! Our own kinds: `ClusterTrustPolicy`, `TrustPolicy` and `TrustRoot` of `kubectl-trust.io` (ADR 0012).
//!
//! The rules are those of Kyverno's policies, with these differences: what fails blocks (`failureAction: Enforce`),
//! somebody must have signed, settings are fields and not annotations, and private authorities and logs are
//! `TrustRoot`s that attestors name.

mod images;
mod manifests;
mod root;
mod rule;

use std::collections::BTreeSet;

use serde_json::Value;

pub(super) use root::compile_root;

use super::reader::{Fields, Node, Report};
use super::vocabulary::matching;
use super::vocabulary::reading::{Purpose, Reading, Words};
use super::vocabulary::{autogen, metadata, webhook};
use super::{Compiled, Problem};
use crate::policy::{Action, ActionOverride, JudgeUpdates, OnFault, Policy, PolicyId, Rule};

/// The API group.
pub(super) const GROUP: &str = "kubectl-trust.io";
/// What a policy of the cluster is called.
pub(super) const CLUSTER_POLICY: &str = "ClusterTrustPolicy";
/// What a policy of one namespace is called.
pub(super) const POLICY: &str = "TrustPolicy";

/// What a trust root is called.
pub(super) const ROOT: &str = "TrustRoot";

const ACTIONS: [(&str, Action); 2] = [("Audit", Action::Audit), ("Enforce", Action::Enforce)];
const FAILURE_POLICIES: [(&str, OnFault); 2] = [("Fail", OnFault::Refuse), ("Ignore", OnFault::Allow)];
const JUDGE_UPDATES: [(&str, JudgeUpdates); 2] =
    [("Starting", JudgeUpdates::Starting), ("All", JudgeUpdates::All)];
const SEVERITIES: [(&str, &str); 5] =
    [("info", "info"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("critical", "critical")];

/// How attestors are read here.
const fn reading(purpose: Purpose) -> Reading {
    Reading { purpose, words: Words::Trust }
}

/// What the rules of a policy need to know about it.
struct PolicyContext {
    /// The namespace of a `TrustPolicy`.
    namespace: Option<String>,
    background: bool,
    action: Action,
    overrides: Vec<ActionOverride>,
    judge_updates: JudgeUpdates,
    /// Controllers for which rules for Pods hold as well.
    controllers: Vec<&'static str>,
}

/// Compiles a `ClusterTrustPolicy` or `TrustPolicy`.
pub(super) fn compile_policy(document: &Value, report: &Report) -> Option<Compiled> {
    let root = Node::root(document, report);
    let kind = if document["kind"] == POLICY { POLICY } else { CLUSTER_POLICY };
    let policy = root.map(|fields| {
        fields.skip(&["apiVersion", "kind", "status"]);
        let metadata = fields.required("metadata", "a policy needs a name");
        let spec = fields.required("spec", "a policy needs rules");
        let (metadata, spec) = (metadata?, spec?);
        let id = named(&metadata, kind)?;
        let id = metadata::namespace(&metadata, id, kind == POLICY);
        spec.map(|spec| compile_spec(spec, id)).flatten()
    });
    let mut policy = policy.flatten()?;
    policy.warnings = report.warnings();
    Some(Compiled::Policy(policy))
}

/// What a document is called. Attack: what is an annotation of another dialect would be read by nobody.
fn named(metadata: &Node<'_, '_>, kind: &str) -> Option<PolicyId> {
    let read = |fields: &mut Fields<'_, '_>| {
        for (key, node) in fields.get("annotations").map(|node| node.entries()).unwrap_or_default() {
            if key.starts_with("kubectl-trust.io/") {
                node.error(Problem::NotInVersion { instead: "settings of this kind are fields of its spec" });
            }
        }
        Some(PolicyId { kind: kind.to_owned(), ..metadata::id(fields)? })
    };
    metadata.map(read).flatten()
}

fn compile_spec(spec: &mut Fields<'_, '_>, id: PolicyId) -> Option<Policy> {
    let namespace = (!id.namespace.is_empty()).then(|| id.namespace.clone());
    let overrides = spec.get("failureActionOverrides");
    if let Some(node) = overrides.as_ref().filter(|_| namespace.is_some()) {
        node.error(Problem::OtherNamespaces);
    }
    let context = PolicyContext {
        background: spec.boolean("background", true),
        action: spec.choice("failureAction", &ACTIONS).unwrap_or(Action::Enforce),
        overrides: overrides.map(|node| action_overrides(&node)).unwrap_or_default(),
        judge_updates: spec.choice("judgeUpdates", &JUDGE_UPDATES).unwrap_or_default(),
        controllers: controllers(spec),
        namespace,
    };
    let on_fault = spec.choice("failurePolicy", &FAILURE_POLICIES).unwrap_or_default();
    if on_fault == OnFault::Allow {
        let message =
            "failurePolicy Ignore: what cannot be decided, as without an answer of a registry, is let in";
        spec.report.warn(&spec.path, message);
    }
    let timeout = spec.get("timeoutSeconds").and_then(|node| node.integer(1, 30));
    let severity = spec.choice("severity", &SEVERITIES).map(str::to_owned);
    let category = spec.text("category", "write a category or remove the field");
    let list = spec.required("rules", "add a rule")?;
    Some(Policy {
        id,
        rules: compile_rules(&list, &context),
        on_fault,
        apply_one: false,
        background: context.background,
        admission: true,
        emit_warning: true,
        match_conditions: webhook::match_conditions(spec),
        timeout_seconds: timeout.and_then(|seconds| u32::try_from(seconds).ok()),
        severity,
        category,
        scored: true,
        warnings: vec![],
    })
}

/// The rules, each followed by those generated from it. Unlike with Kyverno, a rule decides for itself whether there
/// can be any.
fn compile_rules(list: &Node<'_, '_>, policy: &PolicyContext) -> Vec<Rule> {
    if list.value.as_array().is_some_and(Vec::is_empty) {
        list.error(Problem::Empty("add a rule"));
    }
    let (mut rules, mut names) = (Vec::new(), BTreeSet::new());
    for node in list.list() {
        let targets = autogen::Targets::of(&[node.value], || policy.controllers.clone());
        let generated = targets.generate(node.value);
        let generated =
            generated.iter().map(|value| Node { value, path: node.path.clone(), report: node.report });
        for node in std::iter::once(node.clone()).chain(generated) {
            let Some(rule) = rule::compile(&node, policy) else { continue };
            if !names.insert(rule.name.clone()) {
                node.report.error(&node.path.key("name"), Problem::Duplicate(rule.name.to_string()));
            }
            rules.push(rule);
        }
    }
    rules
}

fn controllers(spec: &mut Fields<'_, '_>) -> Vec<&'static str> {
    let known = autogen::CONTROLLERS.map(|name| (name, name));
    let chosen = |node: Node<'_, '_>| node.list().iter().filter_map(|node| node.choice(&known)).collect();
    spec.get("autogenControllers").map_or_else(|| autogen::CONTROLLERS.to_vec(), chosen)
}

/// `[{action, namespaces, namespaceSelector}]`.
fn action_overrides(node: &Node<'_, '_>) -> Vec<ActionOverride> {
    matching::action_overrides(node, &ACTIONS)
}

#[cfg(test)]
mod tests;
