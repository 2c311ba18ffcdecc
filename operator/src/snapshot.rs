//! The policies that a request is judged by: one immutable set a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::dialect::PolicySet;
use common::policy::{Exception, OnFault, Policy, Values};
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
    /// The labels of namespaces, by name; `None` where nobody knows them.
    namespaces: Option<BTreeMap<String, BTreeMap<String, String>>>,
}

impl Snapshot {
    /// The policies and exceptions of a set.
    #[must_use]
    pub fn new(set: PolicySet) -> Self {
        let (refusing, allowing) =
            set.policies.into_iter().partition(|policy| policy.on_fault == OnFault::Refuse);
        Self { refusing, allowing, exceptions: set.exceptions, ..Self::default() }
    }

    /// The policies of one failure policy.
    #[must_use]
    pub fn policies(&self, on_fault: OnFault) -> &[Policy] {
        match on_fault {
            OnFault::Refuse => &self.refusing,
            OnFault::Allow => &self.allowing,
        }
    }

    /// The labels of a namespace; `None` where nobody knows them, which a rule that needs them takes for a fault.
    #[must_use]
    pub fn namespace_labels(&self, namespace: &str) -> Option<&BTreeMap<String, String>> {
        self.namespaces.as_ref()?.get(namespace)
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

/// The snapshot of this moment, and those who wait for the next.
#[derive(Debug)]
pub struct Snapshots(watch::Sender<Option<Arc<Snapshot>>>);

impl Default for Snapshots {
    /// Nothing is loaded.
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Snapshots {
    /// What is in force; `None` until the first set is loaded.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.0.borrow().clone()
    }

    /// Puts another set in force. Requests that are being judged keep theirs.
    pub fn put(&self, snapshot: Snapshot) {
        self.0.send_replace(Some(Arc::new(snapshot)));
    }
}
