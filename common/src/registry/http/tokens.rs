//! Authorizations that worked, so that a token is fetched once for several requests.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex as Short, PoisonError};
use std::time::Instant;

use lru::LruCache;
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;

use super::exchange::Action;
use crate::digest::Digest;
use crate::limits;

/// What an authorization is for. Everything that it depends on is in here.
///
/// Attack A18: a token that was got with the pull secret of one namespace must not open an image for
/// another, and one of this registry must not be sent to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Scheme, host and port of the registry.
    pub origin: String,
    /// The repository there.
    pub path: String,
    /// What it allows.
    pub action: Action,
    /// Of the credentials ([`crate::registry::credentials::Credentials::fingerprint`]).
    pub credentials: Digest,
}

/// An `Authorization` that a registry accepted.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// The header's value.
    pub header: HeaderValue,
    /// Which credentials it was got with.
    pub label: String,
    /// Until when it is used.
    pub until: Instant,
}

/// The grant for one key. Whoever gets a new one holds the lock, and the others wait for it.
pub(super) type Slot = Arc<Mutex<Option<Grant>>>;

/// The grants, the least used of them forgotten.
pub(super) struct Tokens(Short<LruCache<Key, Slot>>);

impl Tokens {
    pub(super) fn new() -> Self {
        let capacity = NonZeroUsize::new(limits::TOKENS).unwrap_or(NonZeroUsize::MIN);
        Self(Short::new(LruCache::new(capacity)))
    }

    pub(super) fn slot(&self, key: Key) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.get_or_insert(key, Slot::default))
    }
}

impl Grant {
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }
}
