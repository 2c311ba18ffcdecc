//! The policies that a request is judged by: one immutable set a request.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::dialect::PolicySet;
use common::policy::images::RegistryCredentials;
use common::policy::selector::Clause;
use common::policy::{
    Body, Exception, MatchCondition, OnFault, Policy, PolicyId, Rule, RuleValues, TrustRoots,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::group::Group;

/// Which policies are asked together: those of one failure policy and, where the API server evaluates conditions before
/// it asks, of the same conditions.
pub type Together = (OnFault, Option<Group>);

/// How long API servers may take to notice a webhook configuration that was changed.
const NOTICED: Duration = Duration::from_secs(5);

/// What is in force at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    policies: BTreeMap<Together, Vec<Policy>>,
    /// Those that were asked with others before: until the API servers know, they may still be.
    moved: BTreeMap<Together, Vec<Policy>>,
    /// Exceptions.
    pub exceptions: Vec<Exception>,
    /// Values of variables that are read from elsewhere.
    pub values: RuleValues,
    /// Every set of credentials for registries that a policy names.
    pub credentials: Vec<RegistryCredentials>,
    /// Whether what applies depends on the labels of namespaces.
    pub selects_namespaces: bool,
    /// Whether what applies depends on the roles of users.
    pub selects_roles: bool,
    /// Trust roots that policies may name.
    pub trust_roots: TrustRoots,
    /// Counted up; 0 before it is in force.
    number: u64,
    /// Whether an API server is told of it at all.
    is_told: bool,
    /// When the API server was told of it.
    registered: OnceLock<Instant>,
}

impl Snapshot {
    /// The policies and exceptions of a set, for whoever asks without evaluating conditions first.
    #[must_use]
    pub fn new(set: PolicySet) -> Self {
        Self::together(set, |policy| (policy.on_fault, None))
    }

    /// The same for an API server that is told to evaluate conditions first.
    #[must_use]
    pub fn of_cluster(set: PolicySet) -> Self {
        let place = |policy: &Policy| (policy.on_fault, Group::of(&policy.match_conditions));
        Self { is_told: true, ..Self::together(set, place) }
    }

    fn together(set: PolicySet, with: impl Fn(&Policy) -> Together) -> Self {
        let lifted = || set.exceptions.iter().map(|exception| &exception.matching);
        let selects_roles =
            set.policies.iter().flat_map(clauses).any(names_roles) || lifted().any(names_roles);
        let selects_namespaces = set.policies.iter().any(by_namespace) || lifted().any(selects);
        let credentials = credentials(&set.policies);
        let mut policies: BTreeMap<Together, Vec<Policy>> = BTreeMap::new();
        for policy in set.policies {
            policies.entry(with(&policy)).or_default().push(policy);
        }
        Self {
            policies,
            exceptions: set.exceptions,
            trust_roots: set.trust_roots,
            credentials,
            selects_namespaces,
            selects_roles,
            ..Self::default()
        }
    }

    /// The policies that are asked together.
    #[must_use]
    pub fn policies(&self, together: Together) -> &[Policy] {
        self.policies.get(&together).map(Vec::as_slice).unwrap_or_default()
    }

    /// Which policies are asked together.
    pub fn all_together(&self) -> impl Iterator<Item = Together> {
        self.policies.keys().copied()
    }

    /// The conditions under which some are asked.
    #[must_use]
    pub fn conditions(&self, together: Together) -> &[MatchCondition] {
        match together {
            (_, None) => &[],
            (_, Some(_)) => self.policies(together).first().map_or(&[], |policy| &policy.match_conditions),
        }
    }

    /// Those of other places that must be asked here as well, because the API servers may not know yet where they are.
    ///
    /// Attack: a moment in which a policy is asked neither where it was nor where it is.
    #[must_use]
    pub fn moved_here(&self, here: Together) -> Vec<&[Policy]> {
        if self.registered.get().is_some_and(|since| since.elapsed() > NOTICED) {
            return Vec::new();
        }
        let moved = self.moved.iter().filter(|(there, _)| **there != here);
        moved.map(|(_, policies)| policies.as_slice()).collect()
    }

    /// Notes which policies another snapshot has elsewhere.
    fn follows(&mut self, before: &Self) {
        let place = |snapshot: &Self| -> BTreeMap<PolicyId, Together> {
            let all = snapshot.policies.iter();
            all.flat_map(|(at, policies)| policies.iter().map(|policy| (policy.id.clone(), *at))).collect()
        };
        let before = place(before);
        for (at, policies) in &self.policies {
            let moved = policies.iter().filter(|policy| before.get(&policy.id).is_some_and(|was| was != at));
            let moved: Vec<_> = moved.cloned().collect();
            if !moved.is_empty() {
                self.moved.insert(*at, moved);
            }
        }
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.policies.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn credentials(policies: &[Policy]) -> Vec<RegistryCredentials> {
    let mut all = Vec::new();
    for rule in policies.iter().flat_map(|policy| &policy.rules) {
        let Body::Images(images) = &rule.body else { continue };
        let named = images.entries.iter().map(|entry| &entry.credentials);
        all.extend(named.filter(|named| !named.secrets.is_empty()).cloned());
    }
    all.dedup();
    all
}

/// Whether what a policy does depends on the labels of namespaces.
fn by_namespace(policy: &Policy) -> bool {
    let overrides = |rule: &Rule| rule.action.overrides.iter().any(|one| one.namespace_selector.is_some());
    policy.rules.iter().any(overrides) || clauses(policy).any(selects)
}

/// What the rules of a policy are about, and what they leave out.
fn clauses(policy: &Policy) -> impl Iterator<Item = &Clause> {
    let selectors = policy.rules.iter().map(|rule| &rule.selector);
    selectors.flat_map(|selector| std::iter::once(&selector.matching).chain(&selector.exclude))
}

fn selects(clause: &Clause) -> bool {
    clause.filters.iter().any(|filter| filter.namespace_selector.is_some())
}

fn names_roles(clause: &Clause) -> bool {
    clause.filters.iter().any(|filter| !filter.roles.is_empty() || !filter.cluster_roles.is_empty())
}

/// The snapshot of this moment, and those who wait for the next.
#[derive(Debug)]
pub struct Snapshots {
    current: watch::Sender<Option<Arc<Snapshot>>>,
    /// The number of the newest snapshot of whose policies the API server was told.
    registered: watch::Sender<u64>,
}

impl Default for Snapshots {
    /// Nothing is loaded.
    fn default() -> Self {
        Self { current: watch::Sender::new(None), registered: watch::Sender::new(0) }
    }
}

impl Snapshots {
    /// What is in force; `None` until the first set is loaded.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.borrow().clone()
    }

    /// Those who want to know of every other set.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.current.subscribe()
    }

    /// Puts another set in force, and gives its number. Requests that are being judged keep theirs.
    #[must_use = "it says when the API server knows"]
    pub fn put(&self, mut snapshot: Snapshot) -> u64 {
        let mut number = 0;
        self.current.send_modify(|current| {
            number = current.as_ref().map_or(0, |current| current.number) + 1;
            snapshot.number = number;
            if let Some(before) = current.as_ref().filter(|_| snapshot.is_told) {
                snapshot.follows(before);
            }
            *current = Some(Arc::new(std::mem::take(&mut snapshot)));
        });
        number
    }

    /// The API server asks about everything that a snapshot is about.
    pub fn registered(&self, snapshot: &Snapshot) {
        snapshot.registered.get_or_init(Instant::now);
        self.registered.send_replace(snapshot.number);
    }

    /// Waits until it does about the snapshot of this number, or a later one.
    pub async fn until_registered(&self, number: u64) {
        // The sender is ours: it cannot be gone.
        let mut registered = self.registered.subscribe();
        let _known = registered.wait_for(|registered| *registered >= number).await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn snapshot(policies: &[(&str, Value)]) -> Snapshot {
        let mut set = PolicySet::default();
        for (name, conditions) in policies {
            let rule = json!({"name": "r", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
                "verifyImages": [{"imageReferences": ["*"], "failureAction": "Enforce"}]});
            let policy = json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": name},
                "spec": {"webhookConfiguration": {"matchConditions": conditions}, "rules": [rule]}});
            set.add_object(name, &policy).unwrap();
        }
        Snapshot::of_cluster(set)
    }

    fn names(policies: &[Policy]) -> Vec<&str> {
        policies.iter().map(|policy| policy.id.name.as_str()).collect()
    }

    /// Attack: a moment in which a policy is asked neither where it was nor where it is.
    #[tokio::test(start_paused = true)]
    async fn a_policy_that_moves_is_asked_everywhere_until_that_is_known() {
        let condition = json!([{"name": "a", "expression": "x"}]);
        let snapshots = Snapshots::default();
        let _number = snapshots.put(snapshot(&[("stays", json!([])), ("moves", json!([]))]));
        let new = [("stays", json!([])), ("moves", condition.clone()), ("comes", condition)];
        let _number = snapshots.put(snapshot(&new));
        let current = snapshots.current().unwrap();
        let here = |together| current.moved_here(together).into_iter().map(names).collect::<Vec<_>>();
        let general = (OnFault::Refuse, None);
        let narrow = current.all_together().find(|(_, group)| group.is_some()).unwrap();
        assert_eq!(
            (names(current.policies(general)), names(current.policies(narrow))),
            (vec!["stays"], vec!["moves", "comes"])
        );
        // The new one was never in force; where it is asked anyway, the other is not asked twice.
        assert_eq!((here(general), here(narrow)), (vec![vec!["moves"]], vec![]));
        // A place that is gone still asks for those who were there.
        let gone = (OnFault::Refuse, "1".parse().ok());
        assert_eq!((names(current.policies(gone)).len(), here(gone)), (0, vec![vec!["moves"]]));
        // A place of the other failure policy is one as well.
        assert_eq!(here((OnFault::Allow, None)), [["moves"]]);
        snapshots.registered(&current);
        assert_eq!(here(general), [["moves"]], "not every API server knows yet");
        tokio::time::advance(NOTICED * 2).await;
        assert_eq!(here(general), Vec::<Vec<&str>>::new());
    }
}
