//! Policies, exceptions and trust roots as the cluster has them, and the snapshot that follows. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::dialect::{Compiled, PolicySet, compile};
use common::object::ObjectRef;
use common::policy::{Body, Exception, JudgeUpdates, Policy, Rule};
use serde_json::{Value, json};

use super::status::{self, Condition, State};

/// One kind of documents that are watched.
pub(super) type Kind = &'static str;

/// What happened to one kind.
#[derive(Debug)]
pub(super) enum Change {
    /// Everything of the kind is listed anew from here on.
    Begin,
    /// An object is there, new or changed.
    Put(Box<Value>),
    /// The same, and it does not count, for this reason.
    Refused(Box<Value>, String),
    /// An object is gone.
    Gone {
        /// Its namespace; empty for objects of the cluster.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Everything has been listed.
    Done,
}

/// A document whose newest version does not count.
#[derive(Debug)]
pub(super) struct Broken {
    /// What it is called.
    pub(super) called: String,
    /// What became of it, and why.
    pub(super) problem: String,
}

/// What the cluster has.
#[derive(Debug)]
pub(super) struct Assembly {
    /// By kind, namespace and name.
    documents: BTreeMap<Name, Document>,
    /// Kinds of which everything is known.
    known: BTreeSet<Kind>,
    /// What has been listed so far, of kinds that are being listed.
    listing: BTreeMap<Kind, BTreeSet<Name>>,
    kinds: BTreeSet<Kind>,
    /// Namespaces from which exceptions count.
    exceptions_from: BTreeSet<String>,
    /// Documents of which something is new.
    touched: BTreeSet<Name>,
}

type Name = (Kind, String, String);

/// One document, and what it compiles to.
#[derive(Debug)]
struct Document {
    /// The newest version of a policy that compiles; of an exception, the newest if it does.
    ///
    /// Attack: an edit that makes a policy unreadable must not switch it off, so the one before stays. An exception
    /// weakens, so there it is the other way round.
    compiled: Option<Compiled>,
    /// Why the newest version does not count.
    problem: Option<String>,
    /// Trust roots that it names and that are not there.
    missing: BTreeSet<String>,
    /// Of the newest version: its metadata and status.
    seen: Value,
}

impl Assembly {
    pub(super) fn new(kinds: impl IntoIterator<Item = Kind>, exceptions_from: BTreeSet<String>) -> Self {
        Self {
            documents: BTreeMap::new(),
            known: BTreeSet::new(),
            listing: BTreeMap::new(),
            kinds: kinds.into_iter().collect(),
            exceptions_from,
            touched: BTreeSet::new(),
        }
    }

    /// Takes a change in; the answer is what is wrong with a document that has just come.
    pub(super) fn take(&mut self, kind: Kind, change: &Change) -> Option<Broken> {
        match change {
            Change::Begin => drop(self.listing.insert(kind, BTreeSet::new())),
            Change::Put(object) => {
                let compiled = compile(object).map_err(|errors| errors.to_string().replace('\n', "; "));
                return self.put(kind, object, compiled);
            }
            Change::Refused(object, problem) => return self.put(kind, object, Err(problem.clone())),
            Change::Gone { namespace, name } => {
                self.documents.remove(&(kind, namespace.clone(), name.clone()));
            }
            Change::Done => {
                let listed = self.listing.remove(kind).unwrap_or_default();
                self.documents.retain(|name, _| name.0 != kind || listed.contains(name));
                self.known.insert(kind);
            }
        }
        None
    }

    fn put(&mut self, kind: Kind, object: &Value, compiled: Result<Compiled, String>) -> Option<Broken> {
        let ObjectRef { namespace, name, .. } = ObjectRef::of(object);
        let key = (kind, namespace, name);
        if let Some(listed) = self.listing.get_mut(kind) {
            listed.insert(key.clone());
        }
        let called = format!("{kind} {}/{}", key.1, key.2);
        self.touched.insert(key.clone());
        let document = self.documents.entry(key).or_insert_with(Document::unknown);
        document.seen = seen(object);
        match compiled {
            Ok(compiled) => {
                (document.compiled, document.problem) = (Some(compiled), None);
                None
            }
            Err(problem) => {
                // Attack: one that was to be narrowed must not go on as wide as before, for a slip.
                if let Some(Compiled::Exception(_)) = document.compiled {
                    document.compiled = None;
                }
                document.problem = Some(problem.clone());
                Some(Broken { called, problem: format!("{}: {problem}", document.stays()) })
            }
        }
    }

    /// What is in force; `None` until everything has been listed once.
    pub(super) fn set(&mut self) -> Option<PolicySet> {
        if self.known.len() < self.kinds.len() {
            return None;
        }
        let mut set = PolicySet::default();
        let mut names = Vec::new();
        for (name, document) in &self.documents {
            match &document.compiled {
                Some(Compiled::Policy(policy)) => {
                    names.push(name.clone());
                    set.policies.push(policy.clone());
                }
                Some(Compiled::Exception(exception)) if self.counts(exception) => {
                    set.exceptions.push(exception.clone());
                }
                Some(Compiled::TrustRoot(named)) => {
                    set.trust_roots.insert(named.name.clone(), Arc::clone(&named.root));
                }
                Some(Compiled::Exception(_)) | None => {}
            }
        }
        for (name, policy) in names.into_iter().zip(&mut set.policies) {
            let missing = policy.name_roots(&set.trust_roots);
            let Some(document) = self.documents.get_mut(&name) else { continue };
            if document.missing != missing {
                document.missing = missing;
                self.touched.insert(name);
            }
        }
        Some(set)
    }

    /// What documents of which something is new should say of themselves, where they do not yet.
    pub(super) fn conditions(&mut self) -> Vec<(Kind, Condition)> {
        let touched = std::mem::take(&mut self.touched);
        let documents = touched.into_iter().filter_map(|name| Some((name.0, self.documents.get(&name)?)));
        documents
            .filter_map(|(kind, document)| Some((kind, Condition::of(&document.seen, &document.state())?)))
            .collect()
    }

    /// Attack: whoever may make an exception in a namespace of his own would lift every policy.
    fn counts(&self, exception: &Exception) -> bool {
        self.exceptions_from.contains(&exception.id.namespace)
    }

    /// How many documents have a newest version that does not count.
    pub(super) fn broken(&self) -> usize {
        self.documents.values().filter(|document| document.problem.is_some()).count()
    }
}

impl Document {
    fn unknown() -> Self {
        Self { compiled: None, problem: None, missing: BTreeSet::new(), seen: Value::Null }
    }

    /// What becomes of a document whose newest version does not count.
    fn stays(&self) -> &'static str {
        match self.compiled {
            Some(_) => "the version before stays in force",
            None => "it is not in force",
        }
    }

    fn state(&self) -> State {
        if let Some(problem) = &self.problem {
            return State::Broken(format!("{}: {problem}", self.stays()));
        }
        match &self.compiled {
            Some(Compiled::Policy(policy)) => self.state_of(policy),
            Some(Compiled::TrustRoot(named)) => State::InForce(Some(status::trusts(&named.root))),
            Some(Compiled::Exception(_)) | None => State::InForce(None),
        }
    }

    fn state_of(&self, policy: &Policy) -> State {
        let rules: Vec<_> = policy.not_handled().map(|(name, of)| format!("{name} ({of})")).collect();
        if !self.missing.is_empty() {
            let names: Vec<_> = self.missing.iter().map(String::as_str).collect();
            return State::WithoutRoots(names.join(", "));
        }
        if !rules.is_empty() && rules.len() == policy.rules.len() {
            return State::NotJudged(rules.join(", "));
        }
        let but =
            (!rules.is_empty()).then(|| format!("but for what is not judged here: {}", rules.join(", ")));
        let updates = judges_all_updates(policy).then(|| ALL_UPDATES.to_owned());
        let more: Vec<_> = but.into_iter().chain(updates).collect();
        State::InForce((!more.is_empty()).then(|| more.join("; ")))
    }
}

/// What a policy says of itself that was told to judge updates which start nothing.
const ALL_UPDATES: &str = "judges all updates, also those that start nothing: controllers cannot scale down, end or clean \
                           up what is not trusted and older";

fn judges_all_updates(policy: &Policy) -> bool {
    let judged = |rule: &&Rule| !matches!(rule.body, Body::NotHandled { .. });
    policy.rules.iter().filter(judged).any(|rule| rule.judge_updates == JudgeUpdates::All)
}

/// What of an object its condition depends on.
fn seen(object: &Value) -> Value {
    let of = |path: &str| object.pointer(path).cloned().unwrap_or_default();
    json!({
        "metadata": {"name": of("/metadata/name"), "namespace": of("/metadata/namespace"),
            "generation": of("/metadata/generation"), "resourceVersion": of("/metadata/resourceVersion")},
        "status": {"conditions": of("/status/conditions")},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, kind: &str) -> Value {
        json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": name},
            "spec": {"rules": [{"name": "r", "match": {"any": [{"resources": {"kinds": [kind]}}]},
                "verifyImages": [{"imageReferences": ["*"], "failureAction": "Enforce"}]}]}})
    }

    fn exception(namespace: &str) -> Value {
        json!({"apiVersion": "kyverno.io/v2", "kind": "PolicyException",
            "metadata": {"name": "e", "namespace": namespace},
            "spec": {"match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
                "exceptions": [{"policyName": "a", "ruleNames": ["*"]}]}})
    }

    fn put(object: Value) -> Change {
        Change::Put(Box::new(object))
    }

    fn gone(name: &str) -> Change {
        Change::Gone { namespace: String::new(), name: name.into() }
    }

    fn names(assembly: &mut Assembly) -> Vec<String> {
        assembly.set().unwrap().policies.iter().map(|policy| policy.id.name.clone()).collect()
    }

    fn assembly() -> Assembly {
        let mut assembly = Assembly::new(["P", "E"], ["trust".to_owned()].into());
        assembly.take("P", &Change::Begin);
        assembly.take("P", &put(policy("a", "Pod")));
        assert!(assembly.set().is_none(), "nothing is in force before everything is known");
        assembly.take("P", &Change::Done);
        assert!(assembly.set().is_none());
        assembly.take("E", &Change::Begin);
        assembly.take("E", &Change::Done);
        assembly
    }

    #[test]
    fn the_set_follows_the_cluster() {
        let mut assembly = assembly();
        assert_eq!(names(&mut assembly), ["a"]);
        assembly.take("P", &put(policy("b", "Pod")));
        assert_eq!(names(&mut assembly), ["a", "b"]);
        assembly.take("P", &gone("a"));
        assert_eq!(names(&mut assembly), ["b"]);
        // Listed anew, as after a lost connection: what is there until then stays until everything is listed.
        assembly.take("P", &Change::Begin);
        assembly.take("P", &put(policy("c", "Pod")));
        assert_eq!(names(&mut assembly), ["b", "c"]);
        assembly.take("P", &Change::Done);
        assert_eq!(names(&mut assembly), ["c"]);
    }

    /// Attack: an edit that makes a policy unreadable.
    #[test]
    fn a_policy_that_no_longer_compiles_stays_as_it_was() {
        let mut assembly = assembly();
        let mut broken = policy("a", "Pod");
        broken["spec"]["rules"][0]["verifyImages"][0]["imageReferencse"] = json!(1);
        let told = assembly.take("P", &put(broken.clone())).unwrap().problem;
        assert!(
            told.contains("the version before stays in force") && told.contains("imageReferencse"),
            "{told}"
        );
        assert_eq!((names(&mut assembly), assembly.broken()), (vec!["a".to_owned()], 1));
        // Listed anew, it is still there, and so is the version before.
        assembly.take("P", &Change::Begin);
        assembly.take("P", &put(broken));
        assembly.take("P", &Change::Done);
        assert_eq!(names(&mut assembly), ["a"]);
        assert!(assembly.take("P", &put(policy("a", "Job"))).is_none());
        assert_eq!(assembly.broken(), 0);
        let told = assembly.take("P", &put(json!({"metadata": {"name": "x"}}))).unwrap().problem;
        assert!(told.contains("it is not in force"), "{told}");
    }

    #[test]
    fn rules_that_nobody_here_judges_are_told_apart() {
        let mut assembly = assembly();
        let mut other = policy("b", "Pod");
        let rule = json!({"name": "p", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
            "validate": {"message": "m", "pattern": {"metadata": {"name": "?*"}}}});
        other["spec"]["rules"].as_array_mut().unwrap().push(rule.clone());
        let state = |assembly: &mut Assembly, object: &Value| {
            assembly.take("P", &put(object.clone()));
            let key = ("P", String::new(), object["metadata"]["name"].as_str().unwrap().to_owned());
            assembly.documents[&key].state()
        };
        let some = "but for what is not judged here: p (validate.pattern)".to_owned();
        assert_eq!(state(&mut assembly, &other), State::InForce(Some(some)));
        other["spec"]["rules"] = json!([rule]);
        assert_eq!(state(&mut assembly, &other), State::NotJudged("p (validate.pattern)".to_owned()));
        assert_eq!(state(&mut assembly, &policy("a", "Pod")), State::InForce(None));
    }

    /// A policy of ours that names a trust root, and the root.
    fn named() -> (Value, Value) {
        let keyless = json!({"subject": "a", "issuer": "b", "trustRoot": "private"});
        let policy = json!({"apiVersion": "kubectl-trust.io/v1alpha1", "kind": "ClusterTrustPolicy",
            "metadata": {"name": "t", "generation": 1},
            "spec": {"rules": [{"name": "r", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
                "verifyImages": [{"imageReferences": ["*"],
                    "attestors": [{"entries": [{"keyless": keyless}]}]}]}]}});
        let key = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHRIF45w4yuBQU453/EiBVPJI/mWe\n\
            Yja8yfaj11YjJmhlQY65lKytVvz3ztkX6W0139IPMQWgEXuvS/BsIb+gcQ==\n-----END PUBLIC KEY-----\n";
        let root = json!({"apiVersion": "kubectl-trust.io/v1alpha1", "kind": "TrustRoot",
            "metadata": {"name": "private"}, "spec": {"pem": {"rekorKeys": key}}});
        (policy, root)
    }

    /// What the condition of a document says, if it is to be written anew.
    fn told(assembly: &mut Assembly, of: &str) -> Option<(bool, String)> {
        let conditions = assembly.conditions();
        let one = conditions.into_iter().find(|(_, condition)| condition.name == of);
        one.map(|(_, condition)| (condition.is_ready(), condition.message().to_owned()))
    }

    #[test]
    fn a_policy_says_whether_its_trust_root_is_there() {
        let mut assembly = assembly();
        let (policy, root) = named();
        assembly.take("P", &put(policy));
        let root_of = |set: &PolicySet| set.trust_roots.keys().cloned().collect::<Vec<_>>();
        assert!(root_of(&assembly.set().unwrap()).is_empty());
        let missing = (false, "what needs it cannot be decided: there is no TrustRoot private".to_owned());
        assert_eq!(told(&mut assembly, "t"), Some(missing.clone()));
        assembly.take("P", &put(root));
        assert_eq!(root_of(&assembly.set().unwrap()), ["private"]);
        // Nothing of the policy itself is new.
        assert_eq!(told(&mut assembly, "t"), Some((true, "in force".to_owned())));
        assembly.take("P", &gone("private"));
        assert!(root_of(&assembly.set().unwrap()).is_empty());
        assert_eq!(told(&mut assembly, "t"), Some(missing));
    }

    /// Attack: an exception from a namespace of one's own.
    #[test]
    fn exceptions_count_from_named_namespaces_only() {
        let mut assembly = assembly();
        assembly.take("E", &put(exception("mine")));
        assert_eq!(assembly.set().unwrap().exceptions.len(), 0);
        assembly.take("E", &put(exception("trust")));
        assert_eq!(assembly.set().unwrap().exceptions.len(), 1);
        let mut broken = exception("trust");
        broken["spec"]["exceptoins"] = json!([]);
        assert!(assembly.take("E", &put(broken)).unwrap().problem.contains("it is not in force"));
        assert_eq!(assembly.set().unwrap().exceptions.len(), 0);
    }
}
