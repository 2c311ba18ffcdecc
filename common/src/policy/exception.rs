//! Exceptions: objects that named rules leave alone.

use super::condition::Conditions;
use super::selector::Clause;
use super::{PolicyId, PolicyWarning, wildcard};

/// Objects that named rules leave alone.
#[derive(Clone, Debug)]
pub struct Exception {
    /// What it is called.
    pub id: PolicyId,
    /// Whether it also holds in background scans.
    pub background: bool,
    /// Which objects.
    pub matching: Clause,
    /// Which rules.
    pub targets: Vec<ExceptionTarget>,
    /// Conditions that must hold as well.
    pub conditions: Option<Conditions>,
    /// What its author should know about.
    pub warnings: Vec<PolicyWarning>,
}

/// Rules of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionTarget {
    /// `name` or `namespace/name`, exact.
    pub policy: String,
    /// Patterns of rule names.
    pub rules: Vec<String>,
}

impl Exception {
    /// Whether the exception names a rule (`spec/kyverno.md` 4.6: the policy exactly, rules by wildcard).
    ///
    /// Attack: an exception that was granted from a `ClusterPolicy` must not lift another kind of policy that has
    /// its name. It speaks of the kinds of its own group, and no others have exceptions yet.
    #[must_use]
    pub fn names(&self, policy: &PolicyId, rule: &str) -> bool {
        if !["ClusterPolicy", "Policy"].contains(&policy.kind.as_str()) {
            return false;
        }
        let policy = policy.to_string();
        let covers = |target: &ExceptionTarget| {
            target.policy == policy && wildcard::any_matches(target.rules.iter().map(String::as_str), rule)
        };
        self.targets.iter().any(covers)
    }
}
