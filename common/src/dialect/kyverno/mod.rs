//! Kyverno's `ClusterPolicy`, `Policy` and `PolicyException` (`spec/kyverno.md` 1 and 4.6).

mod exception;
mod images;
mod manifests;
mod rule;
mod settings;

use serde_json::Value;

pub(super) use exception::compile_exception;

use super::reader::{Fields, Node, Report};
use super::vocabulary::reading::{Purpose, Reading, Words};
use super::vocabulary::{matching, metadata};
use super::{Compiled, Problem, vocabulary};
use crate::policy::{Action, ActionOverride, MatchCondition, OnFault, Policy, PolicyId, Rule};
use settings::Settings;

/// The API group.
pub(super) const GROUP: &str = "kyverno.io";

const ACTIONS: [(&str, Action); 4] = [
    ("Audit", Action::Audit),
    ("Enforce", Action::Enforce),
    ("audit", Action::Audit),
    ("enforce", Action::Enforce),
];
const FAILURE_POLICIES: [(&str, OnFault); 2] = [("Fail", OnFault::Refuse), ("Ignore", OnFault::Allow)];

/// How attestors are read here.
const fn reading(purpose: Purpose) -> Reading {
    Reading { purpose, words: Words::Kyverno }
}

/// What the rules of a policy need to know about it.
#[expect(clippy::struct_excessive_bools, reason = "one per option of the policy language")]
struct PolicyContext {
    /// `Policy`, not `ClusterPolicy`.
    namespaced: bool,
    /// `v1`: the older forms of fields are allowed.
    legacy: bool,
    background: bool,
    admission: bool,
    action: Option<Action>,
    overrides: Vec<ActionOverride>,
    settings: Settings,
}

/// Compiles a `ClusterPolicy` or `Policy`.
pub(super) fn compile_policy(document: &Value, report: &Report) -> Option<Compiled> {
    let root = Node::root(document, report);
    let legacy = document.get("apiVersion").and_then(Value::as_str) == Some("kyverno.io/v1");
    let namespaced = document.get("kind").and_then(Value::as_str) == Some("Policy");
    let policy = root.map(|fields| {
        fields.skip(&["apiVersion", "kind", "status"]);
        let metadata = fields.required("metadata", "a policy needs a name");
        let spec = fields.required("spec", "a policy needs rules");
        let (metadata, spec) = (metadata?, spec?);
        let (id, settings) = settings::metadata(&metadata)?;
        let kind = if namespaced { "Policy" } else { "ClusterPolicy" };
        let id = metadata::namespace(&metadata, PolicyId { kind: kind.to_owned(), ..id }, namespaced);
        spec.map(|spec| compile_spec(spec, id, settings, (namespaced, legacy))).flatten()
    });
    let mut policy = policy.flatten()?;
    policy.warnings = report.warnings();
    Some(Compiled::Policy(policy))
}

fn compile_spec(
    spec: &mut Fields<'_, '_>,
    id: PolicyId,
    settings: Settings,
    (namespaced, legacy): (bool, bool),
) -> Option<Policy> {
    let Webhook { on_fault, timeout_seconds, match_conditions } = webhook(spec);
    let apply_one = spec.choice("applyRules", &[("All", false), ("One", true)]).unwrap_or(false);
    let emit_warning = spec.boolean("emitWarning", false);
    let context = PolicyContext {
        namespaced,
        legacy,
        background: spec.boolean("background", true),
        admission: spec.boolean("admission", true),
        action: spec.choice("validationFailureAction", &ACTIONS),
        overrides: policy_overrides(spec, namespaced),
        settings,
    };
    if !context.background && !context.admission {
        spec.error(Problem::Conflict {
            with: "admission: false",
            instead: "one of background and admission must be true",
        });
    }
    without_effect(spec);
    let list = spec.required("rules", "add a rule")?;
    let rules: Vec<Rule> = rule::compile_rules(&list, &context);
    Some(Policy {
        id,
        rules,
        on_fault,
        apply_one,
        background: context.background,
        admission: context.admission,
        emit_warning,
        timeout_seconds,
        match_conditions,
        severity: context.settings.severity,
        category: context.settings.category,
        scored: context.settings.scored,
        warnings: vec![],
    })
}

/// Switches that are known and change nothing.
fn without_effect(spec: &mut Fields<'_, '_>) {
    const OTHER_RULES: &str =
        "has no effect here: it concerns mutate and generate rules, which are not handled";
    let switches = [
        ("schemaValidation", "has no effect"),
        ("mutateExistingOnPolicyUpdate", OTHER_RULES),
        ("generateExistingOnPolicyUpdate", OTHER_RULES),
        ("generateExisting", OTHER_RULES),
        ("useServerSideApply", OTHER_RULES),
    ];
    for (name, why) in switches {
        if let Some(node) = spec.get(name).filter(|node| node.boolean().is_some()) {
            node.warn(why);
        }
    }
}

/// How the API server is to ask.
#[derive(Default)]
struct Webhook {
    on_fault: OnFault,
    timeout_seconds: Option<u32>,
    match_conditions: Vec<MatchCondition>,
}

/// `failurePolicy` and the timeout, in their old and new places, and conditions.
fn webhook(spec: &mut Fields<'_, '_>) -> Webhook {
    let old_policy = spec.choice("failurePolicy", &FAILURE_POLICIES);
    let old_timeout = spec.get("webhookTimeoutSeconds").and_then(|node| seconds(&node));
    let configuration = spec.get("webhookConfiguration");
    let (new_policy, new_timeout, match_conditions) = configuration
        .and_then(|node| {
            node.map(|fields| {
                let policy = fields.choice("failurePolicy", &FAILURE_POLICIES);
                let timeout = fields.get("timeoutSeconds").and_then(|node| seconds(&node));
                (policy, timeout, vocabulary::webhook::match_conditions(fields))
            })
        })
        .unwrap_or_default();
    let instead = "keep the one in webhookConfiguration";
    if old_policy.is_some() && new_policy.is_some() {
        spec.error(Problem::Conflict { with: "failurePolicy in webhookConfiguration", instead });
    }
    if old_timeout.is_some() && new_timeout.is_some() {
        spec.error(Problem::Conflict { with: "timeoutSeconds in webhookConfiguration", instead });
    }
    Webhook {
        on_fault: new_policy.or(old_policy).unwrap_or_default(),
        timeout_seconds: new_timeout.or(old_timeout),
        match_conditions,
    }
}

fn seconds(node: &Node<'_, '_>) -> Option<u32> {
    node.integer(1, 30).and_then(|seconds| u32::try_from(seconds).ok())
}

fn policy_overrides(spec: &mut Fields<'_, '_>, namespaced: bool) -> Vec<ActionOverride> {
    let Some(node) = spec.get("validationFailureActionOverrides") else { return vec![] };
    if namespaced {
        node.error(Problem::OtherNamespaces);
    }
    action_overrides(&node)
}

/// `[{action, namespaces, namespaceSelector}]`.
fn action_overrides(node: &Node<'_, '_>) -> Vec<ActionOverride> {
    matching::action_overrides(node, &ACTIONS)
}

#[cfg(test)]
mod tests;
