//! Registries with signed images, made in memory; they count, take their time, and fail when told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::digest::Digest;
use common::image::{ImageRef, Repository, Tag, Version};
use common::key::{Password, PrivateKey};
use common::registry::{Descriptor, Fetch, Fetched, Manifest, Memory, Registry};
use common::signature::make::{Said, simple_signing_payload};
use common::verdict::{RegistryFault, RegistryProblem};
use serde_json::{Value, json};

/// A registry that counts, takes its time, and fails when it is told to.
pub(crate) struct Shelf {
    pub(crate) key: PrivateKey,
    holds: Mutex<Memory>,
    asked: Mutex<BTreeMap<String, usize>>,
    behaviour: Mutex<Behaviour>,
}

/// How repositories whose name holds a text behave.
#[derive(Clone, Copy, Default)]
pub(crate) enum Behaviour {
    #[default]
    Good,
    Slow(&'static str, Duration),
    Broken(&'static str),
    Panics(&'static str),
}

impl Shelf {
    pub(crate) fn new() -> Arc<Self> {
        let (key, _) = PrivateKey::generate(&Password::new("")).unwrap();
        let (holds, asked, behaviour) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { key, holds, asked, behaviour })
    }

    /// Puts an image there, of which there is one for each text, and gives its digest.
    pub(crate) fn push(&self, name: &str, content: &str) -> Digest {
        let image = image(content);
        let digest = image.digest.clone();
        self.change(|memory| memory.with_manifest(&ImageRef::parse(name).unwrap(), image));
        digest
    }

    /// The same, and signs it.
    pub(crate) fn push_signed(&self, name: &str, content: &str) -> Digest {
        let digest = self.push(name, content);
        let image = ImageRef::parse(name).unwrap();
        let at = image.repository().clone();
        let payload = simple_signing_payload(&at.to_string(), &digest, &Said::new());
        let signature = STANDARD.encode(self.key.sign(&payload).unwrap());
        let mut layer = descriptor("application/vnd.dev.cosign.simplesigning.v1+json", &payload);
        layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signature});
        let tag = ImageRef::parse(&format!("{at}:{}", Tag::derived(&digest, ".sig"))).unwrap();
        let signatures = manifest(b"{}", &[layer]);
        self.change(|memory| memory.with_manifest(&tag, signatures).with_blob(&at, payload));
        digest
    }

    pub(crate) fn behaves(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// How often each question was asked.
    pub(crate) fn asked(&self) -> BTreeMap<String, usize> {
        self.asked.lock().unwrap().clone()
    }

    fn change(&self, change: impl FnOnce(Memory) -> Memory) {
        let mut holds = self.holds.lock().unwrap();
        let memory = std::mem::take(&mut *holds);
        *holds = change(memory);
    }

    async fn answer<T>(
        &self,
        at: &Repository,
        what: String,
        look: impl AsyncFnOnce(Memory) -> Fetched<T>,
    ) -> Fetched<T> {
        *self.asked.lock().unwrap().entry(format!("{at} {what}")).or_default() += 1;
        let (name, behaviour) = (at.to_string(), *self.behaviour.lock().unwrap());
        match behaviour {
            Behaviour::Slow(part, time) if name.contains(part) => tokio::time::sleep(time).await,
            Behaviour::Broken(part) if name.contains(part) => {
                return Err(RegistryFault::new(what, RegistryProblem::Status(503)));
            }
            Behaviour::Panics(part) if name.contains(part) => panic!("a defect"),
            Behaviour::Good | Behaviour::Slow(..) | Behaviour::Broken(_) | Behaviour::Panics(_) => {}
        }
        let memory = self.holds.lock().unwrap().clone();
        look(memory).await
    }
}

impl Registry for Shelf {
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

fn image(content: &str) -> Manifest {
    manifest(content.as_bytes(), &[])
}

fn manifest(config: &[u8], layers: &[Value]) -> Manifest {
    let body = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", config), "layers": layers});
    Manifest::parse(body.to_string().into_bytes().into(), None).unwrap()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(bytes).to_string(), "size": bytes.len()})
}
