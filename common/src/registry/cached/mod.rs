//! A registry that remembers what another one said: facts that cannot change for long, lists that can for
//! seconds, faults never.
//!
//! What a tag points to is asked every time, unless [`Options::tag_ttl`] allows a moment, and except of the tags
//! that cosign derives from a digest: those are lists of signatures. A verdict is never here; it is made anew of
//! what is remembered.

mod answer;
mod disk;
mod flight;
mod memory;
mod question;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use answer::Thing;
use flight::{Entry, Landed, Store};
use question::{Key, What};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::{Descriptor, Fetch, Fetched, Manifest, Registry};
use crate::digest::Digest;
use crate::image::{Repository, Version};
use crate::limits;
use crate::verdict::{RegistryFault, RegistryProblem};

/// How much is remembered, and for how long.
#[derive(Clone)]
pub struct Options {
    /// With whose credentials the registry is asked: any text that is another one for other credentials (and
    /// for new ones in the place of old ones). Only its hash is kept.
    ///
    /// Attack: what one tenant may read must not be answered to another, who may not.
    pub scope: String,
    /// Bytes of everything that is kept in memory.
    pub bytes: usize,
    /// Bytes of one thing that is kept; larger ones are asked for each time.
    pub entry_bytes: usize,
    /// For how long a list of signatures is kept: a derived tag or referrers. New signatures are seen after
    /// this time.
    pub list_ttl: Duration,
    /// For how long it is kept that there are none.
    pub negative_ttl: Duration,
    /// For how long it is kept what any other tag points to. Zero: it is asked each time, and only those who ask
    /// at the same moment share the answer.
    ///
    /// A tag that moves is seen so much later, which is no attack as long as whoever judges it also pins it:
    /// verdict and pin speak of the same digest.
    pub tag_ttl: Duration,
    /// Up to which age a list is used although its time is over, when the registry has an outage. `None`:
    /// never. See [`Cached`].
    pub stale_if_error: Option<Duration>,
    /// Where manifests and blobs outlive the process. Nobody else should be able to write there: what is read
    /// is checked by digest, so content cannot be forged, but whose it may be read by can.
    pub folder: Option<PathBuf>,
    /// Bytes of all files in it.
    pub folder_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scope: String::new(),
            bytes: limits::CACHED_REGISTRY_BYTES,
            entry_bytes: limits::CACHED_REGISTRY_ENTRY_BYTES,
            list_ttl: Duration::from_secs(limits::CACHED_LIST_SECONDS),
            negative_ttl: Duration::from_secs(limits::CACHED_NEGATIVE_SECONDS),
            tag_ttl: Duration::ZERO,
            stale_if_error: None,
            folder: None,
            folder_bytes: limits::CACHED_FOLDER_BYTES,
        }
    }
}

/// How callers were answered, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// From memory or from the folder.
    pub hits: u64,
    /// By asking the registry.
    pub misses: u64,
    /// By the question that another caller was asking at the time.
    pub shared: u64,
    /// With a list whose time was over, because the registry had an outage.
    pub stale: u64,
    /// Files that could not be written.
    pub unwritten: u64,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    shared: AtomicU64,
    stale: AtomicU64,
    unwritten: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A registry with a memory.
///
/// 1. What is remembered answers. Manifests and blobs by digest, until the room is needed; lists of signatures
///    for [`Options::list_ttl`], or [`Options::negative_ttl`] if they are empty; other tags for
///    [`Options::tag_ttl`].
/// 2. Else the question is asked once, however many ask it: in a task of its own, so that a caller who leaves
///    takes nothing from the others, and who asks something else does not wait.
/// 3. A fault goes to everybody who waits and is not kept: the next caller asks again.
/// 4. Unless [`Options::stale_if_error`] allows it: then a list that was seen before is used again, if it was
///    not empty and the registry has an outage. A list that was empty is never used for longer, because "not
///    signed" and "no attestation" would be said without having looked; nor is any after a refusal (401) or an
///    answer that is wrong, which are no outages. Each use counts in [`Stats::stale`].
///
/// Attack: the scope and the repository are part of every key, so a blob that one tenant or repository may
/// show is not shown by another.
///
/// A question outlives its caller's deadline; the registry beneath must have one of its own. Outside of a
/// runtime of tokio nothing is shared between callers.
#[derive(Clone)]
pub struct Cached {
    inner: Arc<dyn Registry>,
    /// The hash of the scope.
    scope: Arc<str>,
    store: Arc<Store>,
}

impl Cached {
    /// A memory for one registry, or for all that `inner` speaks for.
    #[must_use]
    pub fn new(inner: Arc<dyn Registry>, options: Options) -> Self {
        let scope = hashed(&options.scope);
        Self { inner, scope, store: Arc::new(Store::new(options)) }
    }

    /// The same memory, with the same bounds and counters, for other credentials. What is remembered for one
    /// scope does not answer for another; two that name the same scope must ask in the same way.
    #[must_use]
    pub fn beside(&self, inner: Arc<dyn Registry>, scope: &str) -> Self {
        Self { inner, scope: hashed(scope), store: Arc::clone(&self.store) }
    }

    /// How callers were answered, in all scopes of this memory.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counts = &self.store.counts;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            hits: read(&counts.hits),
            misses: read(&counts.misses),
            shared: read(&counts.shared),
            stale: read(&counts.stale),
            unwritten: read(&counts.unwritten),
        }
    }

    /// How often a list was used although its time was over. Not zero: an outage of a registry is hidden.
    #[must_use]
    pub fn stale_uses(&self) -> u64 {
        self.stats().stale
    }

    /// Bytes that are kept in memory now, by our estimate.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.store.memory().bytes()
    }

    async fn ask(&self, at: &Repository, what: What, bound: usize) -> Fetched<Thing> {
        let key = Key::new(Arc::clone(&self.scope), at.clone(), what);
        let counts = &self.store.counts;
        let Ok(runtime) = Handle::try_current() else { return self.ask_alone(&key, bound).await };
        let landing = match self.store.enter(&key, bound) {
            Entry::Known(known) => {
                count(&counts.hits);
                return self.store.unpack(&key, known);
            }
            Entry::Shared(landing) => {
                count(&counts.shared);
                landing
            }
            Entry::Mine(flight, landing) => {
                runtime.spawn(flight.fly(Arc::clone(&self.inner)));
                landing
            }
        };
        // Gone without an answer: the task panicked, or the runtime is being shut down.
        let landed = landing.await.unwrap_or_else(|_| Landed { found: Err(lost(&key)), stale: false });
        if landed.stale {
            count(&counts.stale);
        }
        landed.found
    }

    /// Without a runtime there is nothing to run a shared question on.
    async fn ask_alone(&self, key: &Key, bound: usize) -> Fetched<Thing> {
        let began = Instant::now();
        let known = self.store.memory().known(key, began);
        if let Some(known) = known {
            count(&self.store.counts.hits);
            return self.store.unpack(key, known);
        }
        count(&self.store.counts.misses);
        let found = flight::fetch(&*self.inner, key, bound).await;
        let landed = self.store.memory().settle(key, found, began, &self.store.options);
        if landed.stale {
            count(&self.store.counts.stale);
        }
        landed.found
    }
}

impl Registry for Cached {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        Box::pin(async move {
            match self.ask(at, What::Manifest(version.clone()), 0).await? {
                Some(Thing::Manifest(manifest)) => Ok(Some(manifest)),
                None => Ok(None),
                Some(Thing::Blob(_) | Thing::List(_) | Thing::Digests(_)) => Err(confused(at)),
            }
        })
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        Box::pin(async move {
            match self.ask(at, What::Blob(digest.clone()), bound).await? {
                // Kept for somebody who may read more.
                Some(Thing::Blob(bytes)) if bytes.len() > bound => {
                    Err(RegistryFault::new(format!("{at}@{digest}"), RegistryProblem::TooLarge { bound }))
                }
                Some(Thing::Blob(bytes)) => Ok(Some(bytes)),
                None => Ok(None),
                Some(Thing::Manifest(_) | Thing::List(_) | Thing::Digests(_)) => Err(confused(at)),
            }
        })
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        Box::pin(async move {
            match self.ask(at, What::Referrers(subject.clone()), 0).await? {
                Some(Thing::List(list)) => Ok(Some(list.to_vec())),
                None => Ok(None),
                Some(Thing::Manifest(_) | Thing::Blob(_) | Thing::Digests(_)) => Err(confused(at)),
            }
        })
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        Box::pin(async move {
            match self.ask(at, What::SignedDigests, 0).await? {
                Some(Thing::Digests(digests)) => Ok(Some(digests.to_vec())),
                None => Ok(None),
                Some(Thing::Manifest(_) | Thing::Blob(_) | Thing::List(_)) => Err(confused(at)),
            }
        })
    }
}

fn hashed(scope: &str) -> Arc<str> {
    Digest::of(scope.as_bytes()).hex().into()
}

fn lost(key: &Key) -> RegistryFault {
    let why = "the request ended without an answer".to_owned();
    RegistryFault::new(key.to_string(), RegistryProblem::Unreachable(why))
}

/// Cannot happen: the key says what kind of thing it is about. If it did, it must not look like "not there".
fn confused(at: &Repository) -> RegistryFault {
    let why = "something else is remembered for it".to_owned();
    RegistryFault::new(at.to_string(), RegistryProblem::Malformed(why))
}
