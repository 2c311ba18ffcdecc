//! Rules (`spec/kyverno.md` 1.3, 1.7).

use std::collections::BTreeSet;

use super::{ACTIONS, PolicyContext, action_overrides, images, manifests};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::dialect::vocabulary::matching::{self, Allowed};
use crate::dialect::vocabulary::{autogen, conditions, extractors, rules};
use crate::policy::{Action, ActionOverride, ActionRules, Body, JudgeUpdates, Rule, Selector};

const BODIES: [&str; 4] = ["validate", "mutate", "generate", "verifyImages"];

/// Compiles the rules, each followed by those generated from it.
pub(super) fn compile_rules(list: &Node<'_, '_>, policy: &PolicyContext) -> Vec<Rule> {
    let nodes = list.list();
    if list.value.as_array().is_some_and(Vec::is_empty) {
        list.error(Problem::Empty("add a rule"));
    }
    let values: Vec<_> = nodes.iter().map(|node| node.value).collect();
    let wanted = || autogen::annotated(policy.settings.autogen.as_deref(), list);
    let targets = autogen::Targets::of(&values, wanted);
    let written: BTreeSet<_> = values.iter().filter_map(|rule| rule.get("name")?.as_str()).collect();
    let (mut rules, mut names) = (Vec::new(), BTreeSet::new());
    for node in &nodes {
        let generated = targets.generate(node.value);
        let generated =
            generated.iter().map(|value| Node { value, path: node.path.clone(), report: node.report });
        for (at, node) in std::iter::once(node.clone()).chain(generated).enumerate() {
            let Some(rule) = compile_rule(&node, policy) else { continue };
            // Its author may have written such a rule by hand, and nothing is judged by either.
            let by_hand = at > 0 && written.contains(&*rule.name);
            if by_hand && matches!(rule.body, Body::NotHandled { .. }) {
                continue;
            }
            if !names.insert(rule.name.clone()) {
                node.report.error(&node.path.key("name"), Problem::Duplicate(rule.name.to_string()));
            }
            rules.push(rule);
        }
    }
    rules
}

fn compile_rule(node: &Node<'_, '_>, policy: &PolicyContext) -> Option<Rule> {
    node.map(|fields| {
        let name = fields.required("name", "give the rule a name").and_then(|node| rules::name(&node));
        let allowed = allowed(policy);
        let matching = fields.required("match", rules::ABOUT);
        let matching = matching.and_then(|node| rules::about(&node, allowed));
        let exclude = fields.get("exclude").and_then(|node| matching::clause(&node, allowed));
        let found = fields.present(&BODIES);
        let parts = body(fields, policy);
        if found.len() != 1 {
            fields.error(Problem::NotExactlyOne { of: BODIES.to_vec(), found });
        }
        let skip_background = fields.boolean("skipBackgroundRequests", true);
        let report_properties = fields.string_map("reportProperties");
        let Some(mut parts) = parts else {
            not_read(fields);
            return None;
        };
        if let Body::Images(rule) = &parts.body {
            rules::check_kinds(fields, matching.as_ref(), &rule.extractors);
        }
        let handled = !matches!(parts.body, Body::NotHandled { .. });
        let (context, preconditions) = if handled { circumstances(fields) } else { not_read(fields) };
        if let Body::Images(rule) = &mut parts.body {
            rule.name_context(&context);
        }
        Some(Rule {
            name: name?.into(),
            path: node.path.clone(),
            selector: Selector { matching: matching?, exclude },
            context,
            preconditions,
            action: actions(parts.overrides, parts.action, policy),
            skip_background,
            judge_updates: parts.judge_updates.unwrap_or(policy.settings.judge_updates),
            report_properties,
            body: parts.body,
        })
    })
    .flatten()
}

/// What its clauses may say.
fn allowed(policy: &PolicyContext) -> Allowed {
    Allowed { legacy: policy.legacy, namespaces: !policy.namespaced, users: !policy.background }
}

type Circumstances = (Vec<crate::policy::ContextEntry>, Option<crate::policy::Conditions>);

fn circumstances(fields: &mut Fields<'_, '_>) -> Circumstances {
    if let Some(node) = fields.get("celPreconditions") {
        node.error(Problem::NotSupported("celPreconditions outside validate.cel; use preconditions"));
    }
    let context = conditions::context(&fields.list("context"));
    (context, fields.get("preconditions").map(|node| conditions::conditions(&node)))
}

/// Of rules that are not ours nothing is judged, so nothing of what they would need is read.
fn not_read(fields: &mut Fields<'_, '_>) -> Circumstances {
    fields.skip(&["celPreconditions", "context", "preconditions", "imageExtractors"]);
    (vec![], None)
}

/// What a body says.
struct Parts {
    body: Body,
    action: Option<Action>,
    overrides: Vec<ActionOverride>,
    /// What `allowExistingViolations` says, where it says anything.
    judge_updates: Option<JudgeUpdates>,
}

impl Parts {
    fn of(body: Body, action: Option<Action>) -> Self {
        Self { body, action, overrides: vec![], judge_updates: None }
    }
}

fn body(fields: &mut Fields<'_, '_>, policy: &PolicyContext) -> Option<Parts> {
    let (validate, verify_images) = (fields.get("validate"), fields.get("verifyImages"));
    let other = ["mutate", "generate"].map(|name| fields.get(name).map(|_| name));
    match (verify_images, validate, other) {
        (Some(node), _, _) => {
            if !policy.admission {
                node.error(Problem::Conflict {
                    with: "admission: false",
                    instead: "remove it from the spec",
                });
            }
            let extractors =
                fields.get("imageExtractors").map(|node| extractors::extractors(&node)).unwrap_or_default();
            let (rule, action) = images::compile(&node, extractors, policy);
            Some(Parts::of(Body::Images(Box::new(rule)), action))
        }
        (None, Some(node), _) => {
            let parts = node.map(|inner| validate_body(inner, policy)).flatten();
            if let (Some(Parts { body: Body::Manifest(_), .. }), Some(node)) =
                (&parts, fields.get("imageExtractors"))
            {
                node.warn("has no effect on a manifest rule");
            }
            parts
        }
        (None, None, [Some(name), _] | [None, Some(name)]) => {
            Some(Parts::of(Body::NotHandled { rule_type: name.to_owned() }, None))
        }
        (None, None, [None, None]) => None,
    }
}

const VALIDATIONS: [&str; 8] =
    ["pattern", "anyPattern", "deny", "foreach", "podSecurity", "cel", "assert", "manifests"];

fn validate_body(fields: &mut Fields<'_, '_>, policy: &PolicyContext) -> Option<Parts> {
    let action = fields.choice("failureAction", &ACTIONS);
    let overrides =
        fields.get("failureActionOverrides").map(|node| action_overrides(&node)).unwrap_or_default();
    let allow_existing = fields.get("allowExistingViolations").and_then(|node| node.boolean());
    let judge_updates =
        allow_existing.map(|allow| if allow { JudgeUpdates::Starting } else { JudgeUpdates::All });
    let message = fields.get("message").filter(|node| node.string().is_some());
    let found = fields.present(&VALIDATIONS);
    fields.skip(&VALIDATIONS);
    let [kind] = found[..] else {
        fields.error(Problem::NotExactlyOne { of: VALIDATIONS.to_vec(), found });
        return None;
    };
    let body = match fields.get("manifests") {
        Some(node) => {
            if let Some(message) = message {
                message.warn("not used: a manifest rule says itself what is wrong");
            }
            if action.is_none() && policy.action.is_none() {
                node.warn(
                    "no failureAction: failures are recorded, not blocked; write failureAction: Enforce",
                );
            }
            Body::Manifest(Box::new(manifests::compile(&node, &policy.settings)?))
        }
        None => Body::NotHandled { rule_type: format!("validate.{kind}") },
    };
    Some(Parts { body, action, overrides, judge_updates })
}

/// One list out of the layers (`spec/kyverno.md` 2.9): what the rule says without condition hides what
/// the policy says.
fn actions(
    mut overrides: Vec<ActionOverride>,
    action: Option<Action>,
    policy: &PolicyContext,
) -> ActionRules {
    if let Some(default) = action {
        return ActionRules { overrides, default };
    }
    overrides.extend(policy.overrides.iter().cloned());
    ActionRules { overrides, default: policy.action.unwrap_or_default() }
}
