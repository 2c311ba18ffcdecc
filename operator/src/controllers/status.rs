//! What policies and trust roots say about themselves: whether they are in force (`kubectl get clusterpolicy`, column
//! READY).
//!
//! Every replica would write the same, so the first one does: the others are told that the object has changed since
//! they looked. Nothing is written that is there already.
//!
//! The status of a kind of another engine is that engine's while it is there, or while another manager writes it:
//! two who correct each other write for ever. Then the state goes into an event and the log, once, and into metrics.

use common::dialect::PolicyKind;
use common::trust::{PartKind, TrustRoot};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client};
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::engines::OtherEngines;

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is in force; what else there is to say.
    InForce(Option<String>),
    /// Its newest version does not compile: what became of it, and why.
    Broken(String),
    /// These rules of it, which are all, nobody here judges.
    NotJudged(String),
    /// These trust roots that it names are not there.
    WithoutRoots(String),
}

impl State {
    pub(super) fn is_ready(&self) -> bool {
        matches!(self, Self::InForce(_))
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::InForce(_) => "Succeeded",
            Self::Broken(_) => "Invalid",
            Self::NotJudged(_) => "NotJudged",
            Self::WithoutRoots(_) => "TrustRootMissing",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::InForce(None) => "in force".to_owned(),
            Self::InForce(Some(more)) => format!("in force, {more}"),
            Self::Broken(problem) => problem.clone(),
            Self::NotJudged(rules) => format!("nothing of it is judged here: {rules}"),
            Self::WithoutRoots(names) => {
                format!("what needs it cannot be decided: there is no TrustRoot {names}")
            }
        }
    }
}

/// Whom a trust root trusts, in few words.
pub(super) fn trusts(root: &TrustRoot) -> String {
    const KINDS: [PartKind; 4] = [
        PartKind::CertificateAuthority,
        PartKind::TransparencyLog,
        PartKind::CertificateLog,
        PartKind::TimestampAuthority,
    ];
    let count = |kind| root.parts().iter().filter(|part| part.kind == kind).count();
    let parts = KINDS.map(|kind| (kind.word(), count(kind)));
    let named = parts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}"));
    format!("trusts {} (sha256:{}…)", named.collect::<Vec<_>>().join(", "), &root.fingerprint()[..12])
}

/// What the API server notes as the manager of what we write.
const MANAGER: &str = "trust-operator";

/// For how long the status of another manager is left alone that has written it, where no engine is known to be there.
const QUIET: SignedDuration = SignedDuration::from_mins(10);

/// When another manager last wrote the status of an object; `None` where none has.
pub(super) fn written_by_others(object: &Value) -> Option<Timestamp> {
    let fields = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let others = fields.into_iter().flatten().filter(|entry| {
        entry["manager"] != MANAGER
            && (entry["subresource"] == "status" || !entry["fieldsV1"]["f:status"].is_null())
    });
    // One without a time is taken for one of now.
    let time = |entry: &Value| entry["time"].as_str().and_then(|time| time.parse().ok());
    others.map(|entry| time(entry).unwrap_or(Timestamp::MAX)).max()
}

/// Who else writes at the moment.
pub(super) struct Writers<'w> {
    pub(super) engines: &'w OtherEngines,
    pub(super) now: Timestamp,
}

impl Writers<'_> {
    /// Whether the status of an object of a kind is for others to write.
    pub(super) fn are_others(&self, kind: &PolicyKind, written: Option<Timestamp>) -> bool {
        let recently = |at: Timestamp| self.now.duration_since(at) < QUIET;
        !kind.is_ours() && (self.engines.is_present(kind.group) || written.is_some_and(recently))
    }
}

/// Whether a document is in force, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// Of the object that it is about.
    pub(super) namespace: String,
    pub(super) name: String,
    /// The version of the object that was looked at.
    version: Value,
    ready: bool,
    reason: &'static str,
    message: String,
    generation: Option<i64>,
    uid: String,
    /// Whether others write the status of the object, so that this is told elsewhere.
    pub(super) elsewhere: bool,
}

/// Characters of the note of an event (events.k8s.io/v1 `Event`).
const NOTE: usize = 1_024;
/// Characters of a message; the API server takes 32,768 (`metav1.Condition`).
const MESSAGE: usize = 4_096;

impl Condition {
    /// What the object should say of itself; `None` where it does.
    pub(super) fn of(object: &Value, state: &State) -> Option<Self> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let wanted = Self {
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            version: object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default(),
            ready: state.is_ready(),
            reason: state.reason(),
            message: state.message().chars().take(MESSAGE).collect(),
            generation: object.pointer("/metadata/generation").and_then(Value::as_i64),
            uid: text("/metadata/uid"),
            elsewhere: false,
        };
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
        (!ready.is_some_and(|there| wanted.is(there))).then_some(wanted)
    }

    #[cfg(test)]
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    fn is(&self, there: &Value) -> bool {
        let wanted = self.condition(Timestamp::UNIX_EPOCH);
        ["status", "reason", "message", "observedGeneration"]
            .iter()
            .all(|field| there[field] == wanted[field])
    }

    fn condition(&self, now: Timestamp) -> Value {
        let status = if self.ready { "True" } else { "False" };
        let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        json!({"type": "Ready", "status": status, "reason": self.reason, "message": self.message,
            "observedGeneration": self.generation, "lastTransitionTime": at})
    }

    /// Tells it: in the object itself, or where others write that, in an event and the log.
    pub(super) async fn tell(self, client: &Client, of: &ApiResource, now: Timestamp) {
        if self.elsewhere { self.publish(client, of).await } else { self.write(client, of, now).await }
    }

    async fn publish(self, client: &Client, of: &ApiResource) {
        let ready = self.ready;
        info!(kind = of.kind, name = self.name, ready, "{}", self.message);
        let reporter = Reporter { controller: MANAGER.into(), instance: None };
        let about = ObjectReference {
            api_version: Some(of.api_version.clone()),
            kind: Some(of.kind.clone()),
            name: Some(self.name.clone()),
            namespace: Some(self.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            uid: Some(self.uid),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: if ready { EventType::Normal } else { EventType::Warning },
            reason: self.reason.to_owned(),
            note: Some(self.message.chars().take(NOTE).collect()),
            action: "Read".to_owned(),
            secondary: None,
        };
        if let Err(error) = Recorder::new(client.clone(), reporter).publish(&event, &about).await {
            warn!(kind = of.kind, name = self.name, %error, "the event cannot be written");
        }
    }

    /// Writes it, unless the object has been written since: then the watch brings it once more, and it is looked at
    /// anew.
    async fn write(self, client: &Client, of: &ApiResource, now: Timestamp) {
        let api: Api<DynamicObject> = match self.namespace.as_str() {
            "" => Api::all_with(client.clone(), of),
            namespace => Api::namespaced_with(client.clone(), namespace, of),
        };
        let status = json!({"metadata": {"resourceVersion": self.version},
            "status": {"ready": self.ready, "conditions": [self.condition(now)]}});
        match api
            .patch_status(
                &self.name,
                &PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() },
                &Patch::Merge(status),
            )
            .await
        {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => warn!(kind = of.kind, name = self.name, %error, "the status cannot be written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_is_written() {
        let mut policy = json!({"metadata": {"name": "a", "generation": 3}});
        let now = Timestamp::UNIX_EPOCH;
        for state in
            [State::InForce(None), State::Broken("it is not in force: spec.rules: missing".to_owned())]
        {
            let wanted = Condition::of(&policy, &state).unwrap();
            policy["status"] = json!({"conditions": [{"type": "Other"}, wanted.condition(now)]});
            assert_eq!(Condition::of(&policy, &state), None);
        }
        assert_eq!(policy["status"]["conditions"][1]["message"], "it is not in force: spec.rules: missing");
        policy["metadata"]["generation"] = json!(4);
        assert!(Condition::of(&policy, &State::InForce(None)).is_some());
    }

    /// A policy that nobody enforces, or that cannot let anything in, must not be called ready.
    #[test]
    fn ready_is_what_is_in_force() {
        let of = |state| Condition::of(&json!({"metadata": {"name": "a"}}), &state).unwrap();
        assert!(of(State::InForce(Some("but for x".to_owned()))).ready);
        for state in
            [State::NotJudged("r".into()), State::WithoutRoots("r".into()), State::Broken("p".into())]
        {
            assert!(!of(state).ready);
        }
    }

    #[test]
    fn a_trust_root_says_whom_it_trusts() {
        let said = trusts(&TrustRoot::public_good().unwrap());
        assert!(said.starts_with("trusts certificate authority: 2, transparency log: "), "{said}");
    }
}
