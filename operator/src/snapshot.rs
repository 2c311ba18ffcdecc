//! The policies that a request is judged by: one immutable set a request.

use std::sync::Arc;

use common::dialect::PolicySet;
use common::policy::images::RegistryCredentials;
use common::policy::selector::Clause;
use common::policy::{Body, Exception, OnFault, Policy, Rule, Values};
use tokio::sync::watch;

/// What is in force at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Policies that refuse what they cannot decide.
    refusing: Vec<Policy>,
    /// Those that allow it.
    allowing: Vec<Policy>,
    /// Exceptions.
    pub exceptions: Vec<Exception>,
    /// Values of variables that are read from elsewhere.
    pub values: Values,
    /// Every set of credentials for registries that a policy names.
    pub credentials: Vec<RegistryCredentials>,
    /// Whether what applies depends on the labels of namespaces.
    pub selects_namespaces: bool,
    /// Whether what applies depends on the roles of users.
    pub selects_roles: bool,
    /// Counted up; 0 before it is in force.
    number: u64,
}

impl Snapshot {
    /// The policies and exceptions of a set.
    #[must_use]
    pub fn new(set: PolicySet) -> Self {
        let lifted = || set.exceptions.iter().map(|exception| &exception.matching);
        let selects_roles =
            set.policies.iter().flat_map(clauses).any(names_roles) || lifted().any(names_roles);
        let selects_namespaces = set.policies.iter().any(by_namespace) || lifted().any(selects);
        let credentials = credentials(&set.policies);
        let (refusing, allowing) =
            set.policies.into_iter().partition(|policy| policy.on_fault == OnFault::Refuse);
        let (exceptions, values) = (set.exceptions, Values::default());
        Self {
            refusing,
            allowing,
            exceptions,
            values,
            credentials,
            selects_namespaces,
            selects_roles,
            number: 0,
        }
    }

    /// The policies of one failure policy.
    #[must_use]
    pub fn policies(&self, on_fault: OnFault) -> &[Policy] {
        match on_fault {
            OnFault::Refuse => &self.refusing,
            OnFault::Allow => &self.allowing,
        }
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.refusing.len() + self.allowing.len()
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
            *current = Some(Arc::new(std::mem::take(&mut snapshot)));
        });
        number
    }

    /// The API server asks about everything that a snapshot is about.
    pub fn registered(&self, snapshot: &Snapshot) {
        self.registered.send_replace(snapshot.number);
    }

    /// Waits until it does about the snapshot of this number, or a later one.
    pub async fn until_registered(&self, number: u64) {
        // The sender is ours: it cannot be gone.
        let mut registered = self.registered.subscribe();
        let _known = registered.wait_for(|registered| *registered >= number).await;
    }
}
