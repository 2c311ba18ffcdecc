//! Facts that never change, kept by digest: what a message says, and whether a signature is somebody's.
//!
//! Verdicts are never kept: a policy may change, time goes on, and a verdict that outlives its object
//! is an attack. A key holds everything the fact depends on, so no fact can answer for another.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use crate::digest::hash_of_parts;
use crate::limits;
use crate::manifest::Message;
use crate::signature::{Found, VerifiedSignature};
use crate::trust::TrustRoot;
use crate::verdict::{MessageProblem, Reason};

/// What one message says.
pub type MessageFact = Result<Arc<Message>, MessageProblem>;
/// What one signature proves.
pub type SignatureFact = Result<VerifiedSignature, Reason>;

/// A trust root put together from pieces.
pub type RootFact = Result<Arc<TrustRoot>, Reason>;

/// A bounded memory of facts, shared by all evaluations of a process.
#[derive(Debug)]
pub struct Facts {
    messages: Mutex<LruCache<FactKey, MessageFact>>,
    signatures: Mutex<Signatures>,
    roots: Mutex<LruCache<FactKey, RootFact>>,
    found: Mutex<LruCache<FactKey, Arc<Found>>>,
    checked: AtomicU64,
}

/// What signatures prove, within a bound of bytes.
///
/// Attack: names in certificates and what is said of a broken signature are texts of strangers, as long as they
/// like.
#[derive(Debug)]
struct Signatures {
    /// With their bytes.
    known: LruCache<FactKey, (SignatureFact, usize)>,
    bytes: usize,
}

/// A digest over everything a fact depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FactKey([u8; 32]);

impl FactKey {
    /// The key of a list of parts; no two lists of different parts have the same one.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        Self(hash_of_parts(parts))
    }
}

impl Default for Facts {
    fn default() -> Self {
        let bound = NonZeroUsize::new(limits::CACHED_FACTS).unwrap_or(NonZeroUsize::MIN);
        let found = NonZeroUsize::new(limits::CACHED_SIGNATURES).unwrap_or(NonZeroUsize::MIN);
        let roots = NonZeroUsize::new(limits::CACHED_ROOTS).unwrap_or(NonZeroUsize::MIN);
        Self {
            messages: Mutex::new(LruCache::new(bound)),
            signatures: Mutex::new(Signatures { known: LruCache::unbounded(), bytes: 0 }),
            roots: Mutex::new(LruCache::new(roots)),
            found: Mutex::new(LruCache::new(found)),
            checked: AtomicU64::new(0),
        }
    }
}

impl Facts {
    /// What the text of a `message` annotation says.
    ///
    /// # Errors
    /// Why it says nothing; that is a fact as well, and kept.
    pub fn message(&self, annotation: &str) -> MessageFact {
        let key = FactKey::of(&[annotation.as_bytes()]);
        remember(&self.messages, key, || Message::read(annotation).map(Arc::new))
    }

    /// What a signature proves; `establish` finds out, without the lock.
    ///
    /// # Errors
    /// Why it proves nothing; that is a fact as well, and kept.
    pub fn signature(&self, key: FactKey, establish: impl FnOnce() -> SignatureFact) -> SignatureFact {
        let lock = || self.signatures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((fact, _)) = lock().known.get(&key) {
            return fact.clone();
        }
        self.checked.fetch_add(1, Ordering::Relaxed);
        let fact = establish();
        // Not a fact for ever: clocks are set, and time goes by.
        if matches!(fact, Err(Reason::SigningTimeInFuture { .. })) {
            return fact;
        }
        // Everything that it says, and the names of its parts: from above.
        let weight = limits::CACHED_FACT_OVERHEAD + format!("{fact:?}").len();
        lock().keep(key, fact.clone(), weight);
        fact
    }

    /// How many signatures were checked so far, because what they prove was not known.
    #[must_use]
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// A signature as it was found; `read` decodes it, without the lock.
    pub fn found(&self, key: FactKey, read: impl FnOnce() -> Found) -> Arc<Found> {
        remember(&self.found, key, || Arc::new(read()))
    }

    /// The trust root that some pieces make; `build` puts it together, without the lock.
    ///
    /// # Errors
    /// Why they make none; that is a fact as well, and kept.
    pub fn trust_root(&self, key: FactKey, build: impl FnOnce() -> RootFact) -> RootFact {
        remember(&self.roots, key, build)
    }
}

impl Signatures {
    fn keep(&mut self, key: FactKey, fact: SignatureFact, weight: usize) {
        if weight > limits::CACHED_FACT_ENTRY_BYTES {
            return;
        }
        self.bytes += weight;
        self.bytes -= self.known.put(key, (fact, weight)).map_or(0, |(_, weight)| weight);
        while self.bytes > limits::CACHED_FACT_BYTES {
            let Some((_, (_, weight))) = self.known.pop_lru() else { return };
            self.bytes -= weight;
        }
    }
}

/// Looks up, or finds out and keeps. Two callers may find out the same at once; both get the same answer.
fn remember<F: Clone>(memory: &Mutex<LruCache<FactKey, F>>, key: FactKey, find: impl FnOnce() -> F) -> F {
    let lock = || memory.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(fact) = lock().get(&key) {
        return fact.clone();
    }
    let fact = find();
    lock().put(key, fact.clone());
    fact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(FactKey::of(&[b"ab", b"c"]), FactKey::of(&[b"a", b"bc"]));
        assert_ne!(FactKey::of(&[b"a", b""]), FactKey::of(&[b"a"]));
    }

    #[test]
    fn a_fact_is_found_out_once() {
        let facts = Facts::default();
        let key = FactKey::of(&[b"x"]);
        let missing = || Err(Reason::LogEntryMissing);
        assert_eq!(facts.signature(key, missing), missing());
        assert_eq!(facts.signature(key, || unreachable!("it is known")), missing());
        assert_eq!(facts.checked(), 1);
    }

    /// Attack: texts without end in signatures fill the memory, or push out what is known of all others.
    #[test]
    fn facts_are_kept_within_a_bound_of_bytes() {
        let facts = Facts::default();
        let says = |length| Err(Reason::PayloadInvalid { problem: "x".repeat(length) });
        let key = |number: usize| FactKey::of(&[&number.to_be_bytes()]);
        for (length, most) in [(10, 20_000), (10_000, 1_000)] {
            for number in 0..most * 2 {
                drop(facts.signature(key(number + length), || says(length)));
            }
            let known = facts.signatures.lock().unwrap();
            assert!(known.bytes <= limits::CACHED_FACT_BYTES, "{} bytes", known.bytes);
            let kept = known.known.len();
            assert!(kept <= most && kept >= most / 2, "{kept} of {length} bytes");
        }
        let before = facts.signatures.lock().unwrap().known.len();
        drop(facts.signature(key(0), || says(limits::CACHED_FACT_ENTRY_BYTES)));
        assert_eq!(facts.signatures.lock().unwrap().known.len(), before);
    }
}
