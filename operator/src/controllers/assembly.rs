//! Policies, exceptions and trust roots as the cluster has them, and the snapshot that follows. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use common::dialect::{self, CompileErrors, Compiled, PolicyKind, PolicySet};
use common::digest::Digest;
use common::object::ObjectRef;
use common::policy::{Body, Exception, JudgeUpdates, Policy, Rule};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::status::{self, Condition, State, Writers};
use crate::enforcement::Enforcement;

/// One kind of documents that are watched.
pub(super) type Kind = &'static PolicyKind;

/// What a document is known by: group, kind, namespace and name.
type Name = (&'static str, &'static str, String, String);

fn name_of(kind: Kind, namespace: &str, name: &str) -> Name {
    (kind.group, kind.kind, namespace.to_owned(), name.to_owned())
}

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
    known: BTreeSet<(&'static str, &'static str)>,
    /// What has been listed so far, of kinds that are being listed.
    listing: BTreeMap<(&'static str, &'static str), BTreeSet<Name>>,
    settings: Settings,
    /// Documents of which something is new.
    touched: BTreeSet<Name>,
    /// Whether what is in force may be something else than when it was asked for last.
    changed: bool,
    compile: Compile,
}

/// What counts, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Namespaces from which exceptions count.
    pub(crate) exceptions_from: BTreeSet<String>,
    /// Which policies are enforced.
    pub(crate) enforcement: Enforcement,
}

type Compile = fn(&Value) -> Result<Compiled, CompileErrors>;

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
    /// Of the newest version: what it says, without its status and bookkeeping.
    content: Option<Digest>,
    /// Whether it is enforced, where it is a policy.
    enforced: bool,
    kind: Kind,
    /// When another manager last wrote its status.
    written_by_others: Option<Timestamp>,
    /// What was told of it where it cannot be written into it.
    told: Option<State>,
}

impl Assembly {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            documents: BTreeMap::new(),
            known: BTreeSet::new(),
            listing: BTreeMap::new(),
            settings,
            touched: BTreeSet::new(),
            changed: false,
            compile: dialect::compile,
        }
    }

    /// Takes a change in; the answer is what is wrong with a document that has just come.
    pub(super) fn take(&mut self, kind: Kind, change: &Change) -> Option<Broken> {
        let of = (kind.group, kind.kind);
        match change {
            Change::Begin => drop(self.listing.insert(of, BTreeSet::new())),
            Change::Put(object) => return self.put(kind, object, None),
            Change::Refused(object, problem) => return self.put(kind, object, Some(problem)),
            Change::Gone { namespace, name } => {
                self.changed |= self.documents.remove(&name_of(kind, namespace, name)).is_some();
            }
            Change::Done => {
                let (listed, before) = (self.listing.remove(&of).unwrap_or_default(), self.documents.len());
                self.documents.retain(|name, _| (name.0, name.1) != of || listed.contains(name));
                self.changed |= self.known.insert(of) || self.documents.len() < before;
            }
        }
        None
    }

    /// A document is there. One that says what it said is compiled no second time, and changes nothing: attack: a
    /// manager that writes the status of every policy all the time.
    fn put(&mut self, kind: Kind, object: &Value, refused: Option<&String>) -> Option<Broken> {
        let ObjectRef { namespace, name, .. } = ObjectRef::of(object);
        let key = name_of(kind, &namespace, &name);
        if let Some(listed) = self.listing.get_mut(&(kind.group, kind.kind)) {
            listed.insert(key.clone());
        }
        self.touched.insert(key.clone());
        let document = self.documents.entry(key).or_insert_with(|| Document::unknown(kind));
        document.seen = seen(object);
        document.written_by_others = status::written_by_others(object);
        let content = content(object, refused);
        if document.content.as_ref() == Some(&content) {
            return None;
        }
        document.content = Some(content);
        document.enforced = self.settings.enforcement.covers(kind, object);
        self.changed = true;
        let called = format!("{} {namespace}/{name}", kind.kind);
        let compiled = match refused {
            Some(problem) => Err(problem.clone()),
            None => compiled(self.compile, object),
        };
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

    /// Whether what is in force may have changed since this was asked last; `false` until everything has been listed.
    pub(super) fn take_changed(&mut self) -> bool {
        self.known.len() == dialect::KINDS.len() && std::mem::take(&mut self.changed)
    }

    /// What is in force; `None` until everything has been listed once.
    pub(super) fn set(&mut self) -> Option<PolicySet> {
        if self.known.len() < dialect::KINDS.len() {
            return None;
        }
        let mut set = PolicySet::default();
        let mut names = Vec::new();
        for (name, document) in &self.documents {
            match &document.compiled {
                Some(Compiled::Policy(policy)) => {
                    names.push(name.clone());
                    set.policies.push(document.in_force(policy));
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
    ///
    /// The status of a kind that is not ours is left to those who write it as well, or both would write for ever. Then
    /// it is told elsewhere, once.
    pub(super) fn conditions(&mut self, writers: &Writers<'_>) -> Vec<(Kind, Condition)> {
        let touched = std::mem::take(&mut self.touched);
        let mut conditions = Vec::new();
        for name in touched {
            let Some(document) = self.documents.get_mut(&name) else { continue };
            if !document.kind.has_status {
                continue;
            }
            let state = document.state();
            let Some(mut condition) = Condition::of(&document.seen, &state) else { continue };
            condition.elsewhere = writers.are_others(document.kind, document.written_by_others);
            if condition.elsewhere && document.told.as_ref() == Some(&state) {
                continue;
            }
            document.told = Some(state);
            conditions.push((document.kind, condition));
        }
        conditions
    }

    /// Looks again at every document: other managers of its status may have come or gone, and a status that could not be
    /// written is tried again.
    pub(super) fn look_again(&mut self) {
        self.touched.extend(self.documents.keys().cloned());
    }

    /// Of every policy, what it is called and whether it is in force.
    pub(super) fn readiness(&self) -> Vec<(&'static str, String, bool)> {
        let policies = self.documents.iter().filter(|(_, document)| document.kind.has_status);
        let one = |((_, kind, namespace, name), document): (&Name, &Document)| {
            let called = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
            (*kind, called, document.state().is_ready())
        };
        policies.map(one).collect()
    }

    /// Attack: whoever may make an exception in a namespace of his own would lift every policy.
    fn counts(&self, exception: &Exception) -> bool {
        self.settings.exceptions_from.contains(&exception.id.namespace)
    }

    /// How many documents have a newest version that does not count.
    pub(super) fn broken(&self) -> usize {
        self.documents.values().filter(|document| document.problem.is_some()).count()
    }
}

impl Document {
    fn unknown(kind: Kind) -> Self {
        Self {
            compiled: None,
            problem: None,
            missing: BTreeSet::new(),
            seen: Value::Null,
            content: None,
            enforced: true,
            kind,
            written_by_others: None,
            told: None,
        }
    }

    /// What becomes of a document whose newest version does not count.
    fn stays(&self) -> &'static str {
        match self.compiled {
            Some(_) => "the version before stays in force",
            None => "it is not in force",
        }
    }

    /// The policy as it is judged by.
    fn in_force(&self, policy: &Policy) -> Policy {
        let mut policy = policy.clone();
        if !self.enforced {
            Enforcement::relax(&mut policy);
        }
        policy
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
        if policy.rules.iter().all(|rule| matches!(rule.body, Body::NotHandled { .. })) {
            return State::NotJudged(rules.join(", "));
        }
        let but =
            (!rules.is_empty()).then(|| format!("but for what is not judged here: {}", rules.join(", ")));
        let updates = judges_all_updates(policy).then(|| ALL_UPDATES.to_owned());
        let relaxed = (!self.enforced).then(|| RELAXED.to_owned());
        let more: Vec<_> = relaxed.into_iter().chain(but).chain(updates).collect();
        State::InForce((!more.is_empty()).then(|| more.join("; ")))
    }
}

/// What a policy says of itself that is not enforced.
const RELAXED: &str = "as Audit: --enforce leaves it to others to refuse";

/// What a policy says of itself that was told to judge updates which start nothing.
const ALL_UPDATES: &str = "judges all updates, also those that start nothing: controllers cannot scale down, end or clean \
                           up what is not trusted and older";

fn judges_all_updates(policy: &Policy) -> bool {
    let judged = |rule: &&Rule| !matches!(rule.body, Body::NotHandled { .. });
    policy.rules.iter().filter(judged).any(|rule| rule.judge_updates == JudgeUpdates::All)
}

/// The document, or every problem of it. A defect of the compiler is a problem of the document that shows it, and of no
/// other.
fn compiled(compile: Compile, object: &Value) -> Result<Compiled, String> {
    match catch_unwind(AssertUnwindSafe(|| compile(object))) {
        Ok(compiled) => compiled.map_err(|errors| errors.to_string().replace('\n', "; ")),
        Err(_) => {
            Err("a defect of trust-operator keeps it from being read: please report what its log says"
                .to_owned())
        }
    }
}

/// What a document says: everything but its status and the bookkeeping of the API server; and why it does not count.
fn content(object: &Value, refused: Option<&String>) -> Digest {
    let of = |path: &str| object.pointer(path).cloned().unwrap_or_default();
    let said = json!([of("/spec"), of("/metadata/labels"), of("/metadata/annotations"), refused]);
    Digest::of(said.to_string().as_bytes())
}

/// What of an object its condition depends on.
fn seen(object: &Value) -> Value {
    let of = |path: &str| object.pointer(path).cloned().unwrap_or_default();
    json!({
        "metadata": {"name": of("/metadata/name"), "namespace": of("/metadata/namespace"),
            "generation": of("/metadata/generation"), "resourceVersion": of("/metadata/resourceVersion"),
            "uid": of("/metadata/uid")},
        "status": {"conditions": of("/status/conditions")},
    })
}

#[cfg(test)]
mod tests;
