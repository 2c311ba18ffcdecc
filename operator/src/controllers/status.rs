//! What policies say about themselves: whether they are in force (`kubectl get clusterpolicy`, column READY).
//!
//! Every replica would write the same, so whoever is first does; nothing is written that is there already.

use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tracing::warn;

use super::assembly::NotJudged;

/// Whether a policy is in force, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// Of the object that it is about.
    pub(super) namespace: String,
    pub(super) name: String,
    ready: bool,
    message: String,
    generation: Option<i64>,
}

/// Characters of a message; the API server takes 32,768 (`metav1.Condition`).
const MESSAGE: usize = 4_096;

impl Condition {
    /// What the object should say of itself; `None` where it does. `problem` is why its newest version is not in force,
    /// `not_judged` what of it nobody here judges.
    pub(super) fn of(object: &Value, problem: Option<&str>, not_judged: Option<&NotJudged>) -> Option<Self> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let message = match (problem, not_judged) {
            (Some(problem), _) => problem.to_owned(),
            (None, Some(NotJudged { rules, all: true })) => format!("nothing of it is judged here: {rules}"),
            (None, Some(NotJudged { rules, all: false })) => {
                format!("in force, but for what is not judged here: {rules}")
            }
            (None, None) => "in force".to_owned(),
        };
        let message = message.chars().take(MESSAGE).collect();
        let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let wanted = Self {
            namespace,
            name,
            ready: problem.is_none() && !not_judged.is_some_and(|one| one.all),
            message,
            generation,
        };
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
        (!ready.is_some_and(|there| wanted.is(there))).then_some(wanted)
    }

    fn is(&self, there: &Value) -> bool {
        let wanted = self.condition(Timestamp::UNIX_EPOCH);
        ["status", "reason", "message", "observedGeneration"]
            .iter()
            .all(|field| there[field] == wanted[field])
    }

    fn condition(&self, now: Timestamp) -> Value {
        let (status, reason) = if self.ready { ("True", "Succeeded") } else { ("False", "Invalid") };
        let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        json!({"type": "Ready", "status": status, "reason": reason, "message": self.message,
            "observedGeneration": self.generation, "lastTransitionTime": at})
    }

    /// Writes it.
    pub(super) async fn write(self, client: &Client, of: &ApiResource, now: Timestamp) {
        let api: Api<DynamicObject> = match self.namespace.as_str() {
            "" => Api::all_with(client.clone(), of),
            namespace => Api::namespaced_with(client.clone(), namespace, of),
        };
        let status = json!({"status": {"ready": self.ready, "conditions": [self.condition(now)]}});
        let written = api.patch_status(&self.name, &PatchParams::default(), &Patch::Merge(status)).await;
        if let Err(error) = written {
            warn!(kind = of.kind, name = self.name, %error, "the status cannot be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy that nobody enforces must not be called ready.
    #[test]
    fn what_is_not_judged_is_said() {
        let policy = json!({"metadata": {"name": "a"}});
        let of = |all| {
            let not_judged = NotJudged { rules: "r (validate.pattern)".to_owned(), all };
            let wanted = Condition::of(&policy, None, Some(&not_judged)).unwrap();
            (wanted.ready, wanted.message)
        };
        assert_eq!(of(true), (false, "nothing of it is judged here: r (validate.pattern)".to_owned()));
        assert_eq!(
            of(false),
            (true, "in force, but for what is not judged here: r (validate.pattern)".to_owned())
        );
    }

    #[test]
    fn only_what_is_not_there_is_written() {
        let mut policy = json!({"metadata": {"name": "a", "generation": 3}});
        let now = Timestamp::UNIX_EPOCH;
        for problem in [None, Some("spec.rules: missing")] {
            let wanted = Condition::of(&policy, problem, None).unwrap();
            policy["status"] = json!({"conditions": [{"type": "Other"}, wanted.condition(now)]});
            assert_eq!(Condition::of(&policy, problem, None), None);
        }
        assert_eq!(policy["status"]["conditions"][1]["message"], "spec.rules: missing");
        policy["metadata"]["generation"] = json!(4);
        assert!(Condition::of(&policy, Some("spec.rules: missing"), None).is_some());
    }
}
