//! Other engines in the same cluster, whose kinds of policies we read as well.
//!
//! Who moves from one engine to another runs both for a while. What is theirs is left to them: the status of their
//! policies, and policies that only they can read.

use std::collections::BTreeSet;

use clap::ValueEnum;
use tokio::sync::watch;

/// An engine, and how it is recognized.
#[derive(Debug)]
pub struct OtherEngine {
    /// What it is called.
    pub name: &'static str,
    /// The API group of its kinds.
    pub group: &'static str,
    /// The label that it puts on its webhook configurations. It has some while it runs, and removes them when it is
    /// removed.
    pub label: &'static str,
}

/// Every engine whose kinds we read.
pub const ENGINES: [OtherEngine; 1] =
    [OtherEngine { name: "Kyverno", group: "kyverno.io", label: "webhook.kyverno.io/managed-by" }];

/// What becomes of a policy of a foreign kind that we cannot read, when it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UnreadablePolicies {
    /// It is refused, unless its own engine is there: it may be meant for that one.
    #[default]
    Auto,
    /// It is refused.
    Refuse,
    /// It is let in with a warning.
    Warn,
}

/// Which engines are there at the moment.
#[derive(Debug)]
pub struct OtherEngines {
    /// Their API groups.
    present: watch::Sender<BTreeSet<&'static str>>,
    unreadable: UnreadablePolicies,
}

impl Default for OtherEngines {
    fn default() -> Self {
        Self::new(UnreadablePolicies::default())
    }
}

impl OtherEngines {
    /// None is known to be there.
    #[must_use]
    pub fn new(unreadable: UnreadablePolicies) -> Self {
        Self { present: watch::Sender::new(BTreeSet::new()), unreadable }
    }

    /// Whether the engine of an API group is there.
    #[must_use]
    pub fn is_present(&self, group: &str) -> bool {
        self.present.borrow().contains(group)
    }

    /// Notes whether an engine is there. Those who subscribed are told where that is new.
    pub fn note(&self, engine: &OtherEngine, is_present: bool) {
        self.present.send_if_modified(|present| {
            if is_present { present.insert(engine.group) } else { present.remove(engine.group) }
        });
    }

    /// Those who want to know when engines come and go.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<BTreeSet<&'static str>> {
        self.present.subscribe()
    }

    /// Whether a policy of an API group that we cannot read may be written all the same.
    #[must_use]
    pub fn may_write_unreadable(&self, group: &str) -> bool {
        let foreign = ENGINES.iter().any(|engine| engine.group == group);
        foreign
            && match self.unreadable {
                UnreadablePolicies::Auto => self.is_present(group),
                UnreadablePolicies::Refuse => false,
                UnreadablePolicies::Warn => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use common::dialect::KINDS;

    use super::*;

    #[test]
    fn every_foreign_kind_has_its_engine() {
        for kind in KINDS.iter().filter(|kind| !kind.is_ours()) {
            assert!(ENGINES.iter().any(|engine| engine.group == kind.group), "{}", kind.group);
        }
    }

    #[test]
    fn a_policy_meant_for_others_is_not_ours_to_refuse() {
        use UnreadablePolicies::{Auto, Refuse, Warn};

        let may = |unreadable, present, group: &str| {
            let engines = OtherEngines::new(unreadable);
            engines.note(&ENGINES[0], present);
            engines.may_write_unreadable(group)
        };
        for (unreadable, present, expected) in
            [(Auto, false, false), (Auto, true, true), (Refuse, true, false), (Warn, false, true)]
        {
            assert_eq!(may(unreadable, present, "kyverno.io"), expected, "{unreadable:?} {present}");
            assert!(!may(unreadable, present, "kubectl-trust.io"), "our own kinds are ours");
        }
    }
}
