//! Policies and exceptions as the cluster has them, and the snapshot that follows. Pure.

use std::collections::{BTreeMap, BTreeSet};

use common::dialect::{Compiled, PolicySet, compile};
use common::object::ObjectRef;
use common::policy::Exception;
use serde_json::Value;

/// One kind of documents that are watched.
pub(super) type Kind = &'static str;

/// What happened to one kind.
#[derive(Debug)]
pub(super) enum Change {
    /// Everything of the kind is listed anew from here on.
    Begin,
    /// An object is there, new or changed.
    Put(Box<Value>),
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

/// A document whose newest version does not compile.
#[derive(Debug)]
pub(super) struct Broken {
    /// What it is called.
    pub(super) called: String,
    /// What became of it, and why.
    pub(super) problem: String,
}

/// Rules that nobody here judges.
#[derive(Debug)]
pub(super) struct NotJudged {
    /// Their names and types.
    pub(super) rules: String,
    /// Whether the policy has no others.
    pub(super) all: bool,
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
    /// What is wrong with the newest version.
    problem: Option<String>,
}

impl Assembly {
    pub(super) fn new(kinds: impl IntoIterator<Item = Kind>, exceptions_from: BTreeSet<String>) -> Self {
        Self {
            documents: BTreeMap::new(),
            known: BTreeSet::new(),
            listing: BTreeMap::new(),
            kinds: kinds.into_iter().collect(),
            exceptions_from,
        }
    }

    /// Takes a change in; the answer is what is wrong with a document that has just come.
    pub(super) fn take(&mut self, kind: Kind, change: &Change) -> Option<Broken> {
        match change {
            Change::Begin => drop(self.listing.insert(kind, BTreeSet::new())),
            Change::Put(object) => return self.put(kind, object),
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

    fn put(&mut self, kind: Kind, object: &Value) -> Option<Broken> {
        let ObjectRef { namespace, name, .. } = ObjectRef::of(object);
        let key = (kind, namespace, name);
        if let Some(listed) = self.listing.get_mut(kind) {
            listed.insert(key.clone());
        }
        let called = format!("{kind} {}/{}", key.1, key.2);
        let document = self.documents.entry(key).or_insert(Document { compiled: None, problem: None });
        match compile(object) {
            Ok(compiled) => {
                *document = Document { compiled: Some(compiled), problem: None };
                None
            }
            Err(errors) => {
                let problem = errors.to_string().replace('\n', "; ");
                // Attack: one that was to be narrowed must not go on as wide as before, for a slip.
                if let Some(Compiled::Exception(_)) = document.compiled {
                    document.compiled = None;
                }
                let stays = match document.compiled {
                    Some(_) => "the version before stays in force",
                    None => "it is not in force",
                };
                document.problem = Some(problem.clone());
                Some(Broken { called, problem: format!("{stays}: {problem}") })
            }
        }
    }

    /// What of a policy in force nobody here judges: all of it, or some rules by name. `None`: nothing.
    pub(super) fn not_judged(&self, kind: Kind, object: &Value) -> Option<NotJudged> {
        let ObjectRef { namespace, name, .. } = ObjectRef::of(object);
        let document = self.documents.get(&(kind, namespace, name))?;
        let Some(Compiled::Policy(policy)) = &document.compiled else { return None };
        let rules: Vec<_> = policy.not_handled().map(|(name, of)| format!("{name} ({of})")).collect();
        let all = rules.len() == policy.rules.len();
        (!rules.is_empty()).then(|| NotJudged { rules: rules.join(", "), all })
    }

    /// Policies and exceptions in force; `None` until everything has been listed once.
    pub(super) fn set(&self) -> Option<PolicySet> {
        if self.known.len() < self.kinds.len() {
            return None;
        }
        let mut set = PolicySet::default();
        for document in self.documents.values() {
            match &document.compiled {
                Some(Compiled::Policy(policy)) => set.policies.push(policy.clone()),
                Some(Compiled::Exception(exception)) if self.counts(exception) => {
                    set.exceptions.push(exception.clone());
                }
                Some(Compiled::Exception(_)) | None => {}
            }
        }
        Some(set)
    }

    /// Attack: whoever may make an exception in a namespace of his own would lift every policy.
    fn counts(&self, exception: &Exception) -> bool {
        self.exceptions_from.contains(&exception.id.namespace)
    }

    /// How many documents have a newest version that does not compile.
    pub(super) fn broken(&self) -> usize {
        self.documents.values().filter(|document| document.problem.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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

    fn names(assembly: &Assembly) -> Vec<String> {
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
        assert_eq!(names(&assembly), ["a"]);
        assembly.take("P", &put(policy("b", "Pod")));
        assert_eq!(names(&assembly), ["a", "b"]);
        assembly.take("P", &gone("a"));
        assert_eq!(names(&assembly), ["b"]);
        // Listed anew, as after a lost connection: what is there until then stays until everything is listed.
        assembly.take("P", &Change::Begin);
        assembly.take("P", &put(policy("c", "Pod")));
        assert_eq!(names(&assembly), ["b", "c"]);
        assembly.take("P", &Change::Done);
        assert_eq!(names(&assembly), ["c"]);
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
        assert_eq!((names(&assembly), assembly.broken()), (vec!["a".to_owned()], 1));
        // Listed anew, it is still there, and so is the version before.
        assembly.take("P", &Change::Begin);
        assembly.take("P", &put(broken));
        assembly.take("P", &Change::Done);
        assert_eq!(names(&assembly), ["a"]);
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
        let judged = |assembly: &Assembly, object: &Value| {
            assembly.not_judged("P", object).map(|one| (one.rules, one.all))
        };
        assembly.take("P", &put(other.clone()));
        assert_eq!(judged(&assembly, &other), Some(("p (validate.pattern)".to_owned(), false)));
        other["spec"]["rules"] = json!([rule]);
        assembly.take("P", &put(other.clone()));
        assert_eq!(judged(&assembly, &other), Some(("p (validate.pattern)".to_owned(), true)));
        assert_eq!(judged(&assembly, &policy("a", "Pod")), None);
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
