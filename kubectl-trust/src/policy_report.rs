//! Policy reports (`wgpolicyk8s.io/v1alpha2`), as cluster tools read them.

use std::collections::BTreeMap;

use common::object::ObjectRef;
use common::policy::Policy;
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use crate::text;

/// A list of one report a resource.
pub(crate) fn report(decisions: &[Decision], policies: &[Policy]) -> Value {
    let mut of_resource: BTreeMap<&ObjectRef, Vec<&Decision>> = BTreeMap::new();
    for decision in decisions.iter().filter(|decision| text::applies(decision)) {
        of_resource.entry(&decision.subject.object).or_default().push(decision);
    }
    let items: Vec<_> =
        of_resource.iter().map(|(object, decisions)| one(object, decisions, policies)).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn one(object: &ObjectRef, decisions: &[&Decision], policies: &[Policy]) -> Value {
    let results: Vec<_> = decisions.iter().filter_map(|decision| result(decision, policies)).collect();
    let count = |word: &str| results.iter().filter(|result| result["result"] == word).count();
    let cluster = object.namespace.is_empty();
    let mut metadata = json!({"name": format!("{}-{}", object.kind.to_ascii_lowercase(), object.name),
        "labels": {"app.kubernetes.io/managed-by": "kubectl-trust"}});
    let mut scope = json!({"apiVersion": object.api_version, "kind": object.kind, "name": object.name});
    if !cluster {
        metadata["namespace"] = json!(object.namespace);
        scope["namespace"] = json!(object.namespace);
    }
    json!({
        "apiVersion": "wgpolicyk8s.io/v1alpha2",
        "kind": if cluster { "ClusterPolicyReport" } else { "PolicyReport" },
        "metadata": metadata, "scope": scope,
        "summary": {"pass": count("pass"), "fail": count("fail"), "warn": count("warn"), "error": count("error"), "skip": count("skip")},
        "results": results,
    })
}

fn result(decision: &Decision, policies: &[Policy]) -> Option<Value> {
    let by = decision.by.as_ref()?;
    let policy = policies.iter().find(|policy| policy.id.to_string() == *by.policy)?;
    let word = match decision.outcome() {
        Outcome::Pass => "pass",
        Outcome::Fail if policy.scored => "fail",
        Outcome::Fail => "warn",
        Outcome::Fault => "error",
        Outcome::Skip => "skip",
    };
    let mut value = json!({
        "source": "kubectl-trust", "policy": *by.policy, "rule": *by.rule, "result": word, "scored": policy.scored,
        "message": text::said(decision), "properties": {"code": decision.headline().code()},
    });
    for (field, text) in [("severity", &policy.severity), ("category", &policy.category)] {
        if let Some(text) = text {
            value[field] = json!(text);
        }
    }
    Some(value)
}
