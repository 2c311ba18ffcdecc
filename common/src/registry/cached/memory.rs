//! What is remembered, within a bound: each answer once, as bytes, and the last ones also as they are given.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use super::Options;
use super::answer::{Packed, Thing};
use super::flight::{Landed, Landing, Question};
use super::question::{Key, KeyId, Nature, What};
use crate::image::Version;
use crate::limits;
use crate::registry::Fetched;
use crate::verdict::{RegistryFault, RegistryProblem};

/// An answer that is remembered; that there is nothing is one.
pub(super) enum Known {
    Nothing,
    /// As it is given.
    Read(Thing),
    /// What is kept under this hash, to be read again without the lock.
    Packed(KeyId, Packed),
}

struct Kept {
    found: Held,
    /// When it was asked for: it is at least as old as that.
    since: Instant,
    /// For how long it is good.
    ttl: Option<Duration>,
}

/// What an answer is.
enum Held {
    Nothing,
    Here(Packed),
    /// What a tag points to: the answer that is kept under this hash, if it still is.
    There(KeyId),
}

/// What is remembered, and what is being asked.
pub(super) struct Memory {
    kept: LruCache<KeyId, Kept>,
    kept_bytes: usize,
    /// What was asked for last of that, as it is given: whoever asks for it all the time does not wait until it
    /// was read again.
    read: LruCache<KeyId, Thing>,
    read_bytes: usize,
    pub(super) flights: HashMap<Question, Landing>,
}

impl Default for Memory {
    fn default() -> Self {
        let (kept, read) = (LruCache::unbounded(), LruCache::unbounded());
        Self { kept, kept_bytes: 0, read, read_bytes: 0, flights: HashMap::new() }
    }
}

impl Memory {
    pub(super) fn bytes(&self) -> usize {
        self.kept_bytes + self.read_bytes
    }

    /// The answer, if one is known and its time is not over.
    pub(super) fn known(&mut self, key: &Key, now: Instant) -> Option<Known> {
        let id = key.id();
        let kept = self.kept.get(&id)?;
        let fresh = kept.ttl.is_none_or(|ttl| now.duration_since(kept.since) < ttl);
        let there = match &kept.found {
            _ if !fresh => return None,
            Held::Nothing => return Some(Known::Nothing),
            Held::Here(packed) => return Some(given(id, packed, &mut self.read)),
            Held::There(there) => *there,
        };
        match &self.kept.get(&there)?.found {
            Held::Here(packed) => Some(given(there, packed, &mut self.read)),
            Held::Nothing | Held::There(_) => None,
        }
    }

    /// Keeps an answer, or looks for one of before in place of a fault.
    pub(super) fn settle(
        &mut self,
        key: &Key,
        found: Fetched<Thing>,
        began: Instant,
        options: &Options,
    ) -> Landed {
        match found {
            Ok(found) => {
                self.remember(key, found.as_ref(), began, options);
                Landed { found: Ok(found), stale: false }
            }
            Err(fault) => match self.of_before(key, &fault, options) {
                Some(thing) => Landed { found: Ok(Some(thing)), stale: true },
                None => Landed { found: Err(fault), stale: false },
            },
        }
    }

    fn remember(&mut self, key: &Key, found: Option<&Thing>, since: Instant, options: &Options) {
        let empty = found.is_none_or(Thing::is_empty_list);
        match (key.nature(), found) {
            (Nature::List, _) if empty => {
                self.keep(key.id(), found, since, Some(options.negative_ttl), options);
            }
            (Nature::List, _) => self.keep(key.id(), found, since, Some(options.list_ttl), options),
            (Nature::Fact, Some(_)) => self.keep(key.id(), found, since, None, options),
            // That the manifest is there is a fact; that the tag points to it is true for a moment.
            (Nature::Moment, Some(Thing::Manifest(manifest))) => {
                let there = key.about(What::Manifest(Version::Digest(manifest.digest.clone()))).id();
                self.keep(there, found, since, None, options);
                if !options.tag_ttl.is_zero() {
                    let kept = Kept { found: Held::There(there), since, ttl: Some(options.tag_ttl) };
                    self.put(key.id(), kept, options);
                }
            }
            // What is not there may be pushed the next moment.
            (Nature::Fact | Nature::Moment, _) => {}
        }
    }

    fn keep(
        &mut self,
        id: KeyId,
        found: Option<&Thing>,
        since: Instant,
        ttl: Option<Duration>,
        options: &Options,
    ) {
        let Some(thing) = found else {
            self.put(id, Kept { found: Held::Nothing, since, ttl }, options);
            return;
        };
        match Packed::of(thing) {
            Some(packed) => {
                self.put(id, Kept { found: Held::Here(packed.clone()), since, ttl }, options);
                self.was_read(id, &packed, thing, options);
            }
            None => self.forget(id),
        }
    }

    /// In place of what was kept before, and of what was not asked for the longest.
    fn put(&mut self, id: KeyId, kept: Kept, options: &Options) {
        // Also when the new answer is too large: the old one is out of date.
        self.forget(id);
        if kept.weight() > options.entry_bytes {
            return;
        }
        self.kept_bytes += kept.weight();
        self.kept.put(id, kept);
        self.shrink(options);
    }

    fn shrink(&mut self, options: &Options) {
        while self.bytes() > options.bytes {
            let Some((oldest, kept)) = self.kept.pop_lru() else { return };
            self.kept_bytes -= kept.weight();
            self.forget_read(oldest);
        }
    }

    fn forget(&mut self, id: KeyId) {
        self.kept_bytes -= self.kept.pop(&id).map_or(0, |kept| kept.weight());
        self.forget_read(id);
    }

    fn forget_read(&mut self, id: KeyId) {
        self.read_bytes -= self.read.pop(&id).map_or(0, |thing| read_weight(&thing));
    }

    /// What is kept under this hash says that; unless something else is kept there meanwhile.
    pub(super) fn was_read(&mut self, id: KeyId, packed: &Packed, thing: &Thing, options: &Options) {
        let (bound, weight) = (options.bytes / limits::CACHED_REGISTRY_READ_SHARE, read_weight(thing));
        let is_kept = self.kept.peek(&id).is_some_and(|kept| kept.is(packed));
        // Blobs are given as they are kept, and an empty list is read at once.
        if !is_kept || matches!(thing, Thing::Blob(_)) || thing.is_empty_list() || weight > bound {
            return;
        }
        self.forget_read(id);
        self.read_bytes += weight;
        self.read.put(id, thing.clone());
        while self.read_bytes > bound {
            let Some((_, oldest)) = self.read.pop_lru() else { break };
            self.read_bytes -= read_weight(&oldest);
        }
        self.shrink(options);
    }

    /// A list that was seen before, if it may be used in place of this fault.
    fn of_before(&self, key: &Key, fault: &RegistryFault, options: &Options) -> Option<Thing> {
        let bound = options.stale_if_error?;
        if !matches!(key.nature(), Nature::List) || !is_outage(&fault.problem) {
            return None;
        }
        let kept = self.kept.peek(&key.id()).filter(|kept| kept.since.elapsed() <= bound)?;
        match &kept.found {
            Held::Here(packed) => packed.thing().filter(|thing| !thing.is_empty_list()),
            Held::Nothing | Held::There(_) => None,
        }
    }
}

/// What is kept, in the form that is at hand.
fn given(id: KeyId, packed: &Packed, read: &mut LruCache<KeyId, Thing>) -> Known {
    match packed {
        Packed::Blob(bytes) => Known::Read(Thing::Blob(Arc::clone(bytes))),
        Packed::Manifest { .. } | Packed::List(_) | Packed::Digests(_) => match read.get(&id) {
            Some(thing) => Known::Read(thing.clone()),
            None => Known::Packed(id, packed.clone()),
        },
    }
}

impl Kept {
    /// Bytes in memory, from above.
    fn weight(&self) -> usize {
        let bytes = match &self.found {
            Held::Here(packed) => packed.bytes().len(),
            Held::Nothing | Held::There(_) => 0,
        };
        limits::CACHED_REGISTRY_OVERHEAD + bytes
    }

    /// Whether it is this very answer.
    fn is(&self, packed: &Packed) -> bool {
        matches!(&self.found, Held::Here(held) if Arc::ptr_eq(held.bytes(), packed.bytes()))
    }
}

fn read_weight(thing: &Thing) -> usize {
    limits::CACHED_REGISTRY_OVERHEAD + thing.weight()
}

/// Whether the registry could not answer, in contrast to an answer that is a refusal or wrong.
///
/// Attack: who lost the right to read, or a registry that sends rubbish, must not live on what was seen before.
fn is_outage(problem: &RegistryProblem) -> bool {
    match problem {
        RegistryProblem::Unreachable(_)
        | RegistryProblem::RateLimited { .. }
        | RegistryProblem::DeadlineExceeded => true,
        RegistryProblem::Status(status) => *status >= 500,
        RegistryProblem::Unauthorized { .. }
        | RegistryProblem::TooLarge { .. }
        | RegistryProblem::TooMany { .. }
        | RegistryProblem::ContentMismatch { .. }
        | RegistryProblem::Malformed(_)
        | RegistryProblem::Refused { .. }
        | RegistryProblem::NotRecorded
        | RegistryProblem::SignaturesNotRecorded { .. } => false,
    }
}
