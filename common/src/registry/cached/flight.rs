//! Questions that are being asked: each once, however many wait for its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::Shared;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answer::Thing;
use super::disk::Disk;
use super::memory::{Known, Memory};
use super::question::{Key, KeyId, What};
use super::{Counts, Options, confused, count};
use crate::registry::{Fetched, Registry};

/// Everything that the scopes of one memory share. No lock is held while anybody waits.
pub(super) struct Store {
    pub(super) options: Options,
    pub(super) counts: Counts,
    memory: Mutex<Memory>,
    disk: Option<Arc<Disk>>,
}

/// What comes of a question.
#[derive(Clone)]
pub(super) struct Landed {
    pub(super) found: Fetched<Thing>,
    /// Whether it is an answer of before.
    pub(super) stale: bool,
}

/// Where everybody waits who asked the same.
pub(super) type Landing = Shared<oneshot::Receiver<Landed>>;

/// A question, with the bound that a blob has: who may read less must not be the one to ask for all.
pub(super) type Question = (KeyId, usize);

/// How a caller gets his answer.
pub(super) enum Entry {
    /// It is known.
    Known(Known),
    /// Somebody asks already.
    Shared(Landing),
    /// By asking.
    Mine(Flight, Landing),
}

impl Store {
    pub(super) fn new(options: Options) -> Self {
        let disk = options.folder.clone().map(|folder| Arc::new(Disk::new(folder, &options)));
        Self { options, counts: Counts::default(), memory: Mutex::default(), disk }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up and takes off in one step, so that nobody asks between the two.
    pub(super) fn enter(self: &Arc<Self>, key: &Key, bound: usize) -> Entry {
        let began = Instant::now();
        let mut memory = self.memory();
        if let Some(known) = memory.known(key, began) {
            return Entry::Known(known);
        }
        let question = (key.id(), bound);
        if let Some(landing) = memory.flights.get(&question) {
            return Entry::Shared(landing.clone());
        }
        let (sender, receiver) = oneshot::channel();
        let landing = receiver.shared();
        memory.flights.insert(question, landing.clone());
        drop(memory);
        let flight = Flight { store: Arc::clone(self), key: key.clone(), bound, began, sender: Some(sender) };
        Entry::Mine(flight, landing)
    }

    /// What is known of it, as it is given. Reading it again takes a while, so nobody waits for the lock meanwhile.
    pub(super) fn unpack(&self, key: &Key, known: Known) -> Fetched<Thing> {
        match known {
            Known::Nothing => Ok(None),
            Known::Read(thing) => Ok(Some(thing)),
            Known::Packed(id, packed) => {
                let thing = packed.thing().ok_or_else(|| confused(&key.at))?;
                self.memory().was_read(id, &packed, &thing, &self.options);
                Ok(Some(thing))
            }
        }
    }

    async fn read(&self, key: &Key) -> Option<Thing> {
        let (disk, key) = (Arc::clone(self.disk.as_ref()?), key.clone());
        tokio::task::spawn_blocking(move || disk.read(&key)).await.ok().flatten()
    }

    async fn write(&self, key: Key, thing: Thing) {
        let Some(disk) = self.disk.clone() else { return };
        let written = tokio::task::spawn_blocking(move || disk.write(&key, &thing)).await;
        if !matches!(written, Ok(Ok(()))) {
            count(&self.counts.unwritten);
        }
    }
}

/// One question on its way. However it ends, also when the task is dropped, it is no longer in the way of the
/// next one.
pub(super) struct Flight {
    store: Arc<Store>,
    key: Key,
    bound: usize,
    began: Instant,
    /// Until it has landed.
    sender: Option<oneshot::Sender<Landed>>,
}

impl Flight {
    /// Asks the folder, then the registry, and tells everybody who waits.
    pub(super) async fn fly(self, inner: Arc<dyn Registry>) {
        let (store, key, bound) = (Arc::clone(&self.store), self.key.clone(), self.bound);
        if let Some(thing) = store.read(&key).await {
            count(&store.counts.hits);
            self.land(Ok(Some(thing)));
            return;
        }
        count(&store.counts.misses);
        let found = fetch(&*inner, &key, bound).await;
        let fact = found.as_ref().ok().and_then(Clone::clone).filter(|_| key.is_fact());
        self.land(found);
        if let Some(thing) = fact {
            store.write(key, thing).await;
        }
    }

    fn question(&self) -> Question {
        (self.key.id(), self.bound)
    }

    fn land(mut self, found: Fetched<Thing>) {
        let landed = {
            let mut memory = self.store.memory();
            let landed = memory.settle(&self.key, found, self.began, &self.store.options);
            memory.flights.remove(&self.question());
            landed
        };
        if let Some(sender) = self.sender.take() {
            // Nobody is left who waits: it is remembered all the same.
            let _ = sender.send(landed);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.sender.is_some() {
            self.store.memory().flights.remove(&self.question());
        }
    }
}

/// Asks the registry itself.
pub(super) async fn fetch(inner: &dyn Registry, key: &Key, bound: usize) -> Fetched<Thing> {
    let at = &key.at;
    match &key.what {
        What::Manifest(version) => Ok(inner.manifest(at, version).await?.map(Thing::Manifest)),
        What::Blob(digest) => Ok(inner.blob(at, digest, bound).await?.map(Thing::Blob)),
        What::Referrers(subject) => {
            Ok(inner.referrers(at, subject).await?.map(|list| Thing::List(list.into())))
        }
        What::SignedDigests => {
            Ok(inner.signed_digests(at).await?.map(|digests| Thing::Digests(digests.into())))
        }
    }
}
