//! Who must have signed: a boolean tree over attestors.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Matcher, PolicyValue};
use crate::image::Repository;
use crate::key::PublicKey;
use crate::object::FieldPath;
use crate::trust::{Certificates, LogKeys, TrustRoot};

/// Who must have signed. Never empty and at most [`crate::limits::ATTESTOR_DEPTH`] deep once compiled,
/// so "nothing demanded" cannot be written down by accident.
#[derive(Clone, Debug)]
pub enum Requirement {
    /// All of these.
    All(Vec<Requirement>),
    /// At least `count` of these, by *different* signers.
    AtLeast {
        /// How many, at least 1.
        count: usize,
        /// Of which.
        of: Vec<Requirement>,
        /// Where in the policy.
        path: FieldPath,
    },
    /// One attestor.
    Attestor(Box<Attestor>),
}

/// An inner node of a requirement, as [`Requirement::fold`] shows it.
#[derive(Clone, Copy, Debug)]
pub enum Node<'r> {
    /// All of the children.
    All,
    /// At least `count` of them, by different signers.
    AtLeast {
        /// How many.
        count: usize,
        /// Where in the policy.
        path: &'r FieldPath,
    },
}

impl Requirement {
    /// Folds the tree bottom-up, children in written order; every leaf is visited, so that a report can
    /// say what each entry found and no early success hides a later fault.
    pub fn fold<T>(
        &self,
        leaf: &mut impl FnMut(&Attestor) -> T,
        join: &mut impl FnMut(Node<'_>, Vec<T>) -> T,
    ) -> T {
        match self {
            Self::All(of) => {
                let parts = of.iter().map(|part| part.fold(leaf, join)).collect();
                join(Node::All, parts)
            }
            Self::AtLeast { count, of, path } => {
                let parts = of.iter().map(|part| part.fold(leaf, join)).collect();
                join(Node::AtLeast { count: *count, path }, parts)
            }
            Self::Attestor(attestor) => leaf(attestor),
        }
    }

    /// The signers that satisfy the requirement, or `None`. `leaf` answers who signed as an attestor
    /// demands: an empty set for nobody.
    pub fn satisfied_by(
        &self,
        leaf: &mut impl FnMut(&Attestor) -> BTreeSet<String>,
    ) -> Option<BTreeSet<String>> {
        let mut leaf = |attestor: &Attestor| Some(leaf(attestor)).filter(|signers| !signers.is_empty());
        self.fold(&mut leaf, &mut |node, parts| node.join(parts))
    }

    /// Whether something of an attestor depends on a variable.
    #[must_use]
    pub fn has_variables(&self) -> bool {
        self.has_expressions() || self.has_variable_keys()
    }

    fn has_variable_keys(&self) -> bool {
        match self {
            Self::All(of) | Self::AtLeast { of, .. } => of.iter().any(Self::has_variable_keys),
            Self::Attestor(attestor) => {
                matches!(&attestor.authority, Authority::Key(KeySource::Reference(KeyRef::Variable(_))))
            }
        }
    }

    /// Every attestor of the tree in written order.
    #[must_use]
    pub fn attestors(&self) -> Vec<&Attestor> {
        let mut attestors = Vec::new();
        self.collect(&mut attestors);
        attestors
    }

    /// The same, to be changed.
    pub(crate) fn attestors_mut(&mut self, each: &mut impl FnMut(&mut Attestor)) {
        match self {
            Self::All(of) | Self::AtLeast { of, .. } => {
                for part in of {
                    part.attestors_mut(each);
                }
            }
            Self::Attestor(attestor) => each(attestor),
        }
    }

    fn collect<'r>(&'r self, attestors: &mut Vec<&'r Attestor>) {
        match self {
            Self::All(of) | Self::AtLeast { of, .. } => of.iter().for_each(|part| part.collect(attestors)),
            Self::Attestor(attestor) => attestors.push(attestor),
        }
    }
}

impl Node<'_> {
    /// Whether the node is satisfied by its children, each the signers that satisfied it or `None`; the
    /// answer is the signers of all satisfied children.
    #[must_use]
    pub fn join(&self, parts: Vec<Option<BTreeSet<String>>>) -> Option<BTreeSet<String>> {
        let total = parts.len();
        let passed: Vec<BTreeSet<String>> = parts.into_iter().flatten().collect();
        let enough = match self {
            // An empty conjunction would be true of everything.
            Self::All => total > 0 && passed.len() == total,
            Self::AtLeast { count, .. } => *count > 0 && distinct_signers(&passed) >= *count,
        };
        enough.then(|| passed.into_iter().flatten().collect())
    }
}

/// How many of the entries can be credited to a signer of their own: the size of a maximum matching of
/// entries to signers.
///
/// Stops the attack of one signer counted twice: the same key listed twice, or one identity that two
/// wildcards match, is one of two required signatures, not two.
#[must_use]
pub fn distinct_signers(entries: &[BTreeSet<String>]) -> usize {
    let mut credits = Credits { holds: vec![None; entries.len()], owner: BTreeMap::new() };
    (0..entries.len()).filter(|&entry| credits.add(entries, entry)).count()
}

/// Which entry is credited to which signer, both ways.
struct Credits<'e> {
    holds: Vec<Option<&'e str>>,
    owner: BTreeMap<&'e str, usize>,
}

impl<'e> Credits<'e> {
    /// Finds a signer for one more entry, moving earlier entries to another of their signers where
    /// needed (an augmenting path, found breadth first: no recursion on hostile lengths).
    fn add(&mut self, entries: &'e [BTreeSet<String>], entry: usize) -> bool {
        let mut reached_by: BTreeMap<&str, usize> = BTreeMap::new();
        let mut queue = VecDeque::from([entry]);
        while let Some(from) = queue.pop_front() {
            let new = entries[from].iter().map(String::as_str).filter(|s| !reached_by.contains_key(s));
            let new: Vec<&str> = new.collect();
            reached_by.extend(new.iter().map(|signer| (*signer, from)));
            if let Some(free) = new.iter().find(|signer| !self.owner.contains_key(*signer)) {
                self.reassign(free, &reached_by);
                return true;
            }
            queue.extend(new.iter().filter_map(|signer| self.owner.get(signer)));
        }
        false
    }

    /// Walks the path back: each entry takes the signer it reached and gives up the one it held.
    fn reassign(&mut self, free: &'e str, reached_by: &BTreeMap<&'e str, usize>) {
        let mut next = Some(free);
        while let Some((signer, &entry)) = next.and_then(|signer| reached_by.get_key_value(signer)) {
            self.owner.insert(signer, entry);
            next = self.holds[entry].replace(signer);
        }
    }
}

/// One entry: who may have signed, and what else must hold.
#[derive(Clone, Debug)]
pub struct Attestor {
    /// Where in the policy.
    pub path: FieldPath,
    /// Who.
    pub authority: Authority,
    /// For images: annotations of the signature. For manifests: the object's own annotations. Each must
    /// be there with exactly this value.
    pub annotations: BTreeMap<String, String>,
    /// Another place for the signatures.
    pub repository: Option<PolicyValue<Repository>>,
    /// How logs are proven for a *key*; certificates and keyless identities carry their own. Manifests
    /// signed by a key need no proof.
    pub log: LogOptions,
}

impl Attestor {
    /// How logs are proven, in all places that say so.
    fn log_options_mut(&mut self) -> impl Iterator<Item = &mut LogOptions> {
        let of_authority = match &mut self.authority {
            Authority::Certificate(authority) => Some(&mut authority.log),
            Authority::Keyless(keyless) => Some(&mut keyless.log),
            Authority::Key(_) | Authority::Unsupported { .. } => None,
        };
        std::iter::once(&mut self.log).chain(of_authority)
    }

    /// Where the entry stands that it is written in.
    pub(crate) fn entry(&self) -> FieldPath {
        let mut path = self.path.clone();
        path.pop();
        path
    }

    /// Trust roots that are named, to be given or taken away.
    pub(super) fn named_roots_mut(&mut self) -> impl Iterator<Item = &mut NamedRoot> {
        self.log_options_mut().filter_map(|log| log.trust_root.as_mut())
    }
}

/// Who may have signed.
#[derive(Clone, Debug)]
pub enum Authority {
    /// The holder of a key.
    Key(KeySource),
    /// The holder of a certificate, or of any certificate of a chain.
    Certificate(Box<CertificateAuthority>),
    /// An identity that a certificate authority vouches for.
    Keyless(Box<Keyless>),
    /// Something a policy may demand and we cannot check: a fault when it is reached, never a pass.
    Unsupported {
        /// What, for the message.
        what: String,
    },
}

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// It stands in the policy.
    Inline(PublicKey),
    /// It must be read from elsewhere.
    Reference(KeyRef),
}

/// A key that is not in the policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyRef {
    /// `cosign.pub` of a Secret.
    Secret {
        /// Its namespace; empty = the policy engine's own.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A key management service, by URI.
    Kms(String),
    /// A template whose value is PEM or another reference.
    Variable(String),
}

/// A certificate, a chain, or both; never neither.
#[derive(Clone, Debug, PartialEq)]
pub struct CertificateAuthority {
    /// The signing certificate.
    pub cert: Option<PolicyValue<Certificates>>,
    /// The chain above it.
    pub chain: Option<PolicyValue<Certificates>>,
    /// How time and logs are proven.
    pub log: LogOptions,
}

/// An identity vouched for by a certificate authority.
///
/// Identity *and* issuer are always there: with neither subject, every user of the certificate authority
/// would be a trusted signer; without an issuer, anyone who can run an identity provider that names its
/// users freely.
#[derive(Clone, Debug)]
pub struct Keyless {
    /// One of the certificate's names (SAN) must be accepted by one of these. Never empty.
    pub subjects: Vec<Matcher>,
    /// All must accept the certificate's issuer. Never empty.
    pub issuers: Vec<Matcher>,
    /// Further extensions, by name or OID, with exact values.
    pub extensions: BTreeMap<String, String>,
    /// The certificate authorities; `None` = the configured trust root.
    pub roots: Option<PolicyValue<Certificates>>,
    /// How time and logs are proven.
    pub log: LogOptions,
}

impl Keyless {
    /// Whether a name of the certificate is one that was asked for (`subject` or `subjectRegExp`).
    #[must_use]
    pub fn accepts_subject(&self, name: &str) -> bool {
        self.subjects.iter().any(|matcher| matcher.matches(name))
    }

    /// Whether it asks for nobody in particular.
    #[must_use]
    pub fn accepts_anybody(&self) -> bool {
        self.subjects.iter().any(Matcher::accepts_anything)
            && self.issuers.iter().all(Matcher::accepts_anything)
    }

    /// Whether the certificate's issuer is the one that was asked for (`issuer` and `issuerRegExp`).
    #[must_use]
    pub fn accepts_issuer(&self, issuer: &str) -> bool {
        !self.issuers.is_empty() && self.issuers.iter().all(|matcher| matcher.matches(issuer))
    }
}

/// How time and logs are proven.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogOptions {
    /// The trust root of authorities and logs; `None` = the configured one.
    pub trust_root: Option<NamedRoot>,
    /// URL of the signature log.
    pub rekor_url: Option<String>,
    /// The signature log's keys.
    pub rekor_key: Option<PolicyValue<LogKeys>>,
    /// Whether the proof of the signature log is not demanded.
    pub ignore_tlog: bool,
    /// Whether the certificate's log promise is not demanded.
    pub ignore_sct: bool,
    /// The certificate log's keys.
    pub ct_key: Option<PolicyValue<LogKeys>>,
    /// The timestamp authority's chain.
    pub tsa_chain: Option<PolicyValue<Certificates>>,
}

/// A trust root that a policy names. Policies are given the roots of their names after all have been read
/// ([`Policy::name_roots`](super::Policy::name_roots)); one that is not there is a fault when it is needed.
#[derive(Clone, Debug)]
pub struct NamedRoot {
    /// Its name.
    pub name: String,
    /// The root, where there is one of the name.
    pub root: Option<Arc<TrustRoot>>,
}

impl NamedRoot {
    /// A name of which nobody has looked yet what it stands for.
    #[must_use]
    pub fn unknown(name: String) -> Self {
        Self { name, root: None }
    }

    fn identity(&self) -> (&str, Option<&str>) {
        (&self.name, self.root.as_deref().map(TrustRoot::fingerprint))
    }
}

impl PartialEq for NamedRoot {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for NamedRoot {}

#[cfg(test)]
mod tests {
    use super::*;

    fn attestor(name: &str) -> Requirement {
        Requirement::Attestor(Box::new(Attestor {
            path: FieldPath::keys([name]),
            authority: Authority::Unsupported { what: name.to_owned() },
            annotations: BTreeMap::new(),
            repository: None,
            log: LogOptions::default(),
        }))
    }

    fn at_least(count: usize, of: Vec<Requirement>) -> Requirement {
        Requirement::AtLeast { count, of, path: FieldPath::root() }
    }

    fn set(names: &str) -> BTreeSet<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// The signers of a leaf are the words of its name, those that are in `signed`.
    fn satisfied(requirement: &Requirement, signed: &str) -> Option<BTreeSet<String>> {
        let signed = set(signed);
        requirement.satisfied_by(&mut |attestor| {
            let Authority::Unsupported { what } = &attestor.authority else { return BTreeSet::new() };
            set(what).intersection(&signed).cloned().collect()
        })
    }

    #[test]
    fn a_threshold_counts_signers_not_entries() {
        let twice = at_least(2, vec![attestor("a"), attestor("a"), attestor("b")]);
        assert_eq!(satisfied(&twice, "a"), None, "one key listed twice is one signer");
        assert_eq!(satisfied(&twice, "a b"), Some(set("a b")));
        let wide = at_least(2, vec![attestor("a b"), attestor("a")]);
        assert_eq!(satisfied(&wide, "a"), None);
        assert_eq!(satisfied(&wide, "a b"), Some(set("a b")), "the wide entry is credited to b");
    }

    #[test]
    fn nested_sets_hand_their_signers_up() {
        let inner = Requirement::All(vec![attestor("a"), attestor("b")]);
        let outer = at_least(2, vec![inner, attestor("a")]);
        assert_eq!(satisfied(&outer, "a"), None);
        assert_eq!(satisfied(&outer, "a b"), Some(set("a b")));
    }

    #[test]
    fn nothing_demanded_is_never_satisfied() {
        assert_eq!(satisfied(&Requirement::All(vec![]), "a"), None);
        assert_eq!(satisfied(&at_least(0, vec![attestor("a")]), "a"), None);
        assert_eq!(satisfied(&at_least(1, vec![]), "a"), None);
    }

    #[test]
    fn every_leaf_is_visited_in_written_order() {
        let tree = Requirement::All(vec![
            at_least(1, vec![attestor("a"), attestor("b")]),
            Requirement::All(vec![attestor("c")]),
        ]);
        let shown = tree.fold(&mut |leaf| leaf.path.to_string(), &mut |node, parts| match node {
            Node::All => format!("all({})", parts.join(",")),
            Node::AtLeast { count, .. } => format!("{count}of({})", parts.join(",")),
        });
        assert_eq!(shown, "all(1of(a,b),all(c))");
        assert_eq!(tree.attestors().len(), 3);
    }

    proptest::proptest! {
        #[test]
        fn the_matching_is_maximal(
            entries in proptest::collection::vec(proptest::collection::btree_set("[a-e]", 0..4), 0..6)
        ) {
            proptest::prop_assert_eq!(distinct_signers(&entries), by_trying(&entries, &mut BTreeSet::new()));
        }
    }

    /// Tries every assignment.
    fn by_trying(entries: &[BTreeSet<String>], used: &mut BTreeSet<String>) -> usize {
        let Some((first, rest)) = entries.split_first() else { return 0 };
        let mut best = by_trying(rest, used);
        for signer in first {
            if used.insert(signer.clone()) {
                best = best.max(1 + by_trying(rest, used));
                used.remove(signer);
            }
        }
        best
    }
}
