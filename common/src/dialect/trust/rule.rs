//! Rules of our own policies.

use super::{ACTIONS, PolicyContext, action_overrides, images, manifests};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::dialect::vocabulary::matching::{self, Allowed, Clause};
use crate::dialect::vocabulary::{conditions, extractors, rules};
use crate::policy::condition::ContextSource;
use crate::policy::{ActionRules, Body, ContextEntry, Rule, Selector};

const BODIES: [&str; 2] = ["verifyImages", "validate"];

/// Compiles one rule.
pub(super) fn compile(node: &Node<'_, '_>, policy: &PolicyContext) -> Option<Rule> {
    node.map(|fields| {
        let name = fields.required("name", "give the rule a name").and_then(|node| rules::name(&node));
        let allowed =
            Allowed { legacy: false, namespaces: policy.namespace.is_none(), users: !policy.background };
        let matching = fields.required("match", rules::ABOUT);
        let matching = matching.and_then(|node| rules::about(&node, allowed));
        let exclude = fields.get("exclude").and_then(|node| matching::clause(&node, allowed));
        let action = actions(fields, policy);
        let context = context(fields);
        let preconditions = fields.get("preconditions").map(|node| conditions::conditions(&node));
        let mut body = body(fields, &action, matching.as_ref(), policy);
        if let Some(Body::Images(rule)) = &mut body {
            rule.name_context(&context);
        }
        Some(Rule {
            name: name?.into(),
            path: node.path.clone(),
            selector: Selector { matching: matching?, exclude },
            context,
            preconditions,
            action,
            skip_background: false,
            judge_updates: policy.judge_updates,
            report_properties: fields.string_map("reportProperties"),
            body: body?,
        })
    })
    .flatten()
}

/// Named values. What nobody reads would make a rule that can never be decided.
fn context(fields: &mut Fields<'_, '_>) -> Vec<ContextEntry> {
    let context = conditions::context(&fields.list("context"));
    for entry in &context {
        let problem = match &entry.source {
            ContextSource::Variable { .. } => continue,
            ContextSource::External { .. } => {
                Problem::NotSupported("values from elsewhere; write `variable`")
            }
            ContextSource::Unreadable(error) => Problem::Expression(error.clone()),
        };
        fields.report.error(&entry.path, problem);
    }
    context
}

/// What the rule says hides what the policy says.
fn actions(fields: &mut Fields<'_, '_>, policy: &PolicyContext) -> ActionRules {
    let own = fields.choice("failureAction", &ACTIONS);
    let node = fields.get("failureActionOverrides");
    if let Some(node) = node.as_ref().filter(|_| policy.namespace.is_some()) {
        node.error(Problem::OtherNamespaces);
    }
    let mut overrides = node.map(|node| action_overrides(&node)).unwrap_or_default();
    if own.is_none() {
        overrides.extend(policy.overrides.iter().cloned());
    }
    ActionRules { overrides, default: own.unwrap_or(policy.action) }
}

fn body(
    fields: &mut Fields<'_, '_>,
    action: &ActionRules,
    matching: Option<&Clause>,
    policy: &PolicyContext,
) -> Option<Body> {
    let found = fields.present(&BODIES);
    let extractors = fields.get("imageExtractors").map(|node| (extractors::extractors(&node), node));
    let (verify_images, validate) = (fields.get("verifyImages"), fields.get("validate"));
    if found.len() != 1 {
        fields.error(Problem::NotExactlyOne { of: BODIES.to_vec(), found });
        return None;
    }
    if let Some(node) = verify_images {
        rules::check_kinds(fields, matching);
        let extractors = extractors.map(|(extractors, _)| extractors).unwrap_or_default();
        return Some(Body::Images(Box::new(images::compile(&node, extractors, action, policy))));
    }
    if let Some((_, node)) = extractors {
        node.error(Problem::Conflict { with: "validate", instead: "only verifyImages looks for images" });
    }
    let manifests = validate?.map(|fields| {
        let node = fields.required("manifests", "say who must have signed the object")?;
        manifests::compile(&node, policy)
    });
    Some(Body::Manifest(Box::new(manifests.flatten()?)))
}
