//! How attestors are read: for what, and in whose words.

/// How attestors are read.
#[derive(Clone, Copy)]
pub(in crate::dialect) struct Reading {
    pub(in crate::dialect) purpose: Purpose,
    pub(in crate::dialect) words: Words,
}

/// Who writes about logs and authorities how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum Words {
    /// PEM beside each attestor: `rekor`, `ctlog`, `roots`.
    Kyverno,
    /// The name of a trust root: `trustRoot`.
    Trust,
}

/// What the attestors are for; options mean different things.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::dialect) enum Purpose {
    Manifest,
    Image,
    /// Images signed with Notary, which knows certificates only.
    Notary,
}
