//! `PolicyException` (`spec/kyverno.md` 4.6).

use serde_json::Value;

use super::settings;
use crate::dialect::reader::{Fields, Node, Report};
use crate::dialect::vocabulary::conditions;
use crate::dialect::vocabulary::matching::{self, Allowed};
use crate::dialect::{Compiled, Problem};
use crate::policy::{Exception, ExceptionTarget, PolicyId};

/// Compiles an exception.
pub(in crate::dialect) fn compile_exception(document: &Value, report: &Report) -> Option<Compiled> {
    let root = Node::root(document, report);
    let exception = root.map(|fields| {
        fields.skip(&["apiVersion", "kind", "status"]);
        let metadata = fields.required("metadata", "an exception needs a name");
        let spec = fields.required("spec", "an exception needs a spec");
        let (id, _) = settings::metadata(&metadata?)?;
        let id = PolicyId { kind: "PolicyException".to_owned(), ..id };
        spec?.map(|spec| compile_spec(spec, id)).flatten()
    });
    let mut exception = exception.flatten()?;
    exception.warnings = report.warnings();
    Some(Compiled::Exception(exception))
}

fn compile_spec(spec: &mut Fields<'_, '_>, id: PolicyId) -> Option<Exception> {
    let background = spec.boolean("background", true);
    // Without a request an exception for users excepts nobody, so background scans are no obstacle.
    let allowed = Allowed { legacy: false, namespaces: true, users: true };
    let matching = spec.required("match", "say which objects are excepted").and_then(|node| {
        let clause = matching::clause(&node, allowed);
        if clause.is_none() {
            node.error(Problem::Empty("say which objects are excepted"));
        }
        clause
    });
    let targets = spec.required("exceptions", "name the rules");
    if let Some(targets) = &targets
        && targets.value.as_array().is_some_and(Vec::is_empty)
    {
        targets.error(Problem::Empty("name the rules"));
    }
    let conditions = spec.get("conditions").map(|node| conditions::conditions(&node));
    let mut targets: Vec<_> = targets?.list().iter().filter_map(target).collect();
    // Such an exception lifts single controls of other rules. Read without it, it would lift whole rules.
    if let Some(node) = spec.get("podSecurity") {
        node.warn("excepts from single controls of rules that are not handled; nothing else is lifted");
        targets.clear();
    }
    Some(Exception { id, background, matching: matching?, targets, conditions, warnings: vec![] })
}

fn target(node: &Node<'_, '_>) -> Option<ExceptionTarget> {
    node.map(|fields| {
        let policy =
            fields.required("policyName", "name the policy").and_then(|node| node.text("name the policy"));
        let rules = fields.required("ruleNames", "name the rules")?;
        if rules.value.as_array().is_some_and(Vec::is_empty) {
            rules.error(Problem::Empty("name the rules"));
        }
        Some(ExceptionTarget { policy: policy?.to_owned(), rules: rules.strings() })
    })
    .flatten()
}
