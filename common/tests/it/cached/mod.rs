//! Registries with a memory, over one that counts what it is asked.

mod folder;
mod lists;
mod sharing;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::digest::Digest;
use common::image::{ImageRef, Repository, Tag, Version};
use common::registry::cached::Options;
use common::registry::{Cached, Descriptor, Fetch, Fetched, Manifest, Memory, Registry};
use common::verdict::{RegistryFault, RegistryProblem};
use serde_json::json;

/// A registry that counts, takes its time, and fails when it is told to.
#[derive(Default)]
pub(crate) struct Counting {
    pub(crate) holds: Mutex<Memory>,
    asked: Mutex<BTreeMap<String, usize>>,
    fault: Mutex<Option<RegistryProblem>>,
    /// Repositories whose path ends like this take that long.
    slow: Mutex<Option<(&'static str, Duration)>>,
}

impl Counting {
    fn holding(memory: Memory) -> Arc<Self> {
        Arc::new(Self { holds: Mutex::new(memory), ..Self::default() })
    }

    fn fails(&self, problem: Option<RegistryProblem>) {
        *self.fault.lock().unwrap() = problem;
    }

    fn is_slow_at(&self, end: &'static str, time: Duration) {
        *self.slow.lock().unwrap() = Some((end, time));
    }

    /// How often each question was asked.
    fn asked(&self) -> BTreeMap<String, usize> {
        self.asked.lock().unwrap().clone()
    }

    fn total(&self) -> usize {
        self.asked().values().sum()
    }

    async fn answer<T>(
        &self,
        at: &Repository,
        what: String,
        look: impl AsyncFnOnce(Memory) -> Fetched<T>,
    ) -> Fetched<T> {
        *self.asked.lock().unwrap().entry(format!("{at} {what}")).or_default() += 1;
        let slow = *self.slow.lock().unwrap();
        if let Some((_, time)) = slow.filter(|(end, _)| at.to_string().ends_with(end)) {
            tokio::time::sleep(time).await;
        }
        let fault = self.fault.lock().unwrap().clone();
        if let Some(problem) = fault {
            return Err(RegistryFault::new(what, problem));
        }
        let memory = self.holds.lock().unwrap().clone();
        look(memory).await
    }
}

impl Registry for Counting {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        let what = format!("manifest {}", version.suffix());
        Box::pin(self.answer(at, what, async move |memory| memory.manifest(at, version).await))
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        let what = format!("blob {digest}");
        Box::pin(self.answer(at, what, async move |memory| memory.blob(at, digest, bound).await))
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        let what = format!("referrers {subject}");
        Box::pin(self.answer(at, what, async move |memory| memory.referrers(at, subject).await))
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        Box::pin(self.answer(at, "tags".to_owned(), async move |memory| memory.signed_digests(at).await))
    }
}

fn at(name: &str) -> Repository {
    Repository::parse(&format!("registry.example.com/{name}")).unwrap()
}

fn by_tag(tag: &str) -> Version {
    Version::Tag(Tag::parse(tag).unwrap())
}

fn by_digest(manifest: &Manifest) -> Version {
    Version::Digest(manifest.digest.clone())
}

/// The tag of an image's signatures.
fn signatures(of: &Manifest) -> Version {
    Version::Tag(Tag::derived(&of.digest, ".sig"))
}

/// A manifest that is told apart by a number.
fn manifest(number: usize, subject: Option<&Manifest>) -> Manifest {
    let of = subject.map(
        |of| json!({"mediaType": of.media_type, "digest": of.digest.to_string(), "size": of.bytes.len()}),
    );
    let body = json!({"artifactType": format!("application/x-{number}"), "layers": [], "subject": of});
    Manifest::parse(body.to_string().into_bytes().into(), None).unwrap()
}

/// `image` as `name:1`, with one signature as a derived tag and one as a referrer, and a blob.
fn signed(memory: Memory, name: &str, image: &Manifest) -> Memory {
    let tagged = |tag: &str| ImageRef::parse(&format!("registry.example.com/{name}:{tag}")).unwrap();
    let derived = Tag::derived(&image.digest, ".sig");
    memory
        .with_manifest(&tagged("1"), image.clone())
        .with_manifest(&tagged(derived.as_str()), manifest(1_000, None))
        .with_untagged(&at(name), manifest(1_001, Some(image)))
        .with_blob(&at(name), format!("blob of {name}").into_bytes())
}

fn blob(name: &str) -> Digest {
    Digest::of(format!("blob of {name}").as_bytes())
}

fn cached(inner: &Arc<Counting>, options: Options) -> Cached {
    Cached::new(Arc::<Counting>::clone(inner), options)
}

fn timeout() -> RegistryProblem {
    RegistryProblem::DeadlineExceeded
}
