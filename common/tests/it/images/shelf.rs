//! Images and what is signed about them, made in memory; registries that lie about it; and policies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::dialect::{Compiled, compile};
use common::digest::Digest;
use common::evaluate::{Context, Rules, Task, by_image, by_policies};
use common::image::{ImageRef, Repository, Tag, Version};
use common::key::PrivateKey;
use common::object::{ObjectRef, Origin};
use common::policy::images::ImageEntry;
use common::policy::{Policy, Requirement, ReviewFacts, RuleValues};
use common::registry::{Descriptor, Fetch, Manifest, Memory, Registry};
use common::signature::make::{Said, simple_signing_payload, statement_bundle};
use common::sources::{Offline, Sources};
use common::trust::TrustRoot;
use common::verdict::{Decision, Outcome, RegistryFault, RegistryProblem, Subject, SubjectKind};
use common::yaml;
use futures::executor::block_on;
use serde_json::{Value, json};

use super::{by_key, entry};
use crate::authority;
use crate::judge::now;

/// The image of most tests, and its repository.
pub(crate) const APP: &str = "ghcr.io/acme/app:1";
pub(crate) const REPOSITORY: &str = "ghcr.io/acme/app";

pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

pub(crate) fn key() -> PrivateKey {
    authority::key(&rcgen::PKCS_ECDSA_P256_SHA256)
}

pub(crate) fn manifest(body: &Value) -> Manifest {
    Manifest::parse(body.to_string().into_bytes().into(), None).unwrap()
}

/// An image; another text makes another one.
pub(crate) fn image(what: &str) -> Manifest {
    let config = descriptor("application/vnd.oci.image.config.v1+json", what.as_bytes());
    manifest(&json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": []}))
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(bytes).to_string(), "size": bytes.len()})
}

/// A layer that holds something signed, or poses as one.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Layer {
    /// A signature in cosign's first format.
    pub(crate) fn signature(key: &PrivateKey, reference: &str, digest: &Digest) -> Self {
        Self::payload(key, simple_signing_payload(reference, digest, &Said::new()))
    }

    /// Any bytes in its place, signed.
    pub(crate) fn payload(key: &PrivateKey, payload: Vec<u8>) -> Self {
        let signature = STANDARD.encode(key.sign(&payload).unwrap());
        Self::of(SIMPLE_SIGNING, payload).with(SIGNATURE, &signature)
    }

    /// A statement in cosign's first format.
    pub(crate) fn envelope(key: &PrivateKey, statement: &Value) -> Self {
        Self::raw_envelope(&json_bundle(key, statement)["dsseEnvelope"])
    }

    pub(crate) fn raw_envelope(envelope: &Value) -> Self {
        Self::of(ENVELOPE, envelope.to_string().into_bytes())
    }

    /// A statement in cosign's second format.
    pub(crate) fn bundle(key: &PrivateKey, statement: &Value) -> Self {
        Self::raw_bundle(&json_bundle(key, statement))
    }

    pub(crate) fn raw_bundle(bundle: &Value) -> Self {
        Self::of(BUNDLE, bundle.to_string().into_bytes())
    }

    pub(crate) fn of(media_type: &str, bytes: Vec<u8>) -> Self {
        Self { media_type: media_type.to_owned(), bytes, annotations: BTreeMap::new() }
    }

    pub(crate) fn with(mut self, annotation: &str, value: &str) -> Self {
        self.annotations.insert(annotation.to_owned(), value.to_owned());
        self
    }
}

pub(crate) fn json_bundle(key: &PrivateKey, statement: &Value) -> Value {
    serde_json::from_slice(&statement_bundle(statement, key).unwrap()).unwrap()
}

/// What registries hold.
#[derive(Clone, Default)]
pub(crate) struct Shelf(pub(crate) Memory);

impl Shelf {
    /// One image under its usual name.
    pub(crate) fn of(image: &Manifest) -> Self {
        Self::default().image(APP, image)
    }

    pub(crate) fn image(self, name: &str, image: &Manifest) -> Self {
        Self(self.0.with_manifest(&ImageRef::parse(name).unwrap(), image.clone()))
    }

    /// cosign's tag for signatures (`.sig`) or attestations (`.att`) of an image.
    pub(crate) fn tag(self, at: &str, of: &Digest, suffix: &str, layers: &[Layer]) -> Self {
        let name = format!("{at}:{}", Tag::derived(of, suffix));
        let artifact = manifest(&artifact(layers));
        self.blobs(at, layers).image(&name, &artifact)
    }

    /// The signatures of the usual image.
    pub(crate) fn signed(self, of: &Manifest, layers: &[Layer]) -> Self {
        self.tag(REPOSITORY, &of.digest, ".sig", layers)
    }

    /// The attestations of the usual image.
    pub(crate) fn attested(self, of: &Manifest, layers: &[Layer]) -> Self {
        self.tag(REPOSITORY, &of.digest, ".att", layers)
    }

    /// A manifest that says it is about an image.
    pub(crate) fn referrer(self, at: &str, of: &Manifest, artifact_type: &str, layer: &Layer) -> Self {
        let layers = std::slice::from_ref(layer);
        let mut body = artifact(layers);
        body["artifactType"] = json!(artifact_type);
        body["subject"] = descriptor(of.media_type, &of.bytes);
        let Self(memory) = self.blobs(at, layers);
        Self(memory.with_untagged(&Repository::parse(at).unwrap(), manifest(&body)))
    }

    /// A bundle about the usual image.
    pub(crate) fn bundled(self, of: &Manifest, layer: &Layer) -> Self {
        self.referrer(REPOSITORY, of, BUNDLE, layer)
    }

    fn blobs(self, at: &str, layers: &[Layer]) -> Self {
        let at = Repository::parse(at).unwrap();
        let with = |memory: Memory, layer: &Layer| memory.with_blob(&at, layer.bytes.clone());
        Self(layers.iter().fold(self.0, with))
    }

    pub(crate) fn registry(self) -> Arc<dyn Registry> {
        Arc::new(self.0)
    }
}

fn artifact(layers: &[Layer]) -> Value {
    let layer = |layer: &Layer| {
        let mut one = descriptor(&layer.media_type, &layer.bytes);
        one["annotations"] = json!(layer.annotations);
        one
    };
    json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": layers.iter().map(layer).collect::<Vec<_>>()})
}

/// What a registry says in place of the truth.
pub(crate) enum Lie {
    Fault(RegistryProblem),
    Manifest(Box<Manifest>),
    Listed(Vec<Descriptor>),
}

/// Says what is false of a request like `manifest ghcr.io/acme/app:1`, and how often it was made before.
type Lies = Box<dyn Fn(&str, usize) -> Option<Lie> + Send + Sync>;

/// A registry that remembers what it was asked, and lies.
pub(crate) struct Liar {
    shelf: Shelf,
    asked: Mutex<Vec<String>>,
    lies: Lies,
}

impl Liar {
    pub(crate) fn new(
        shelf: Shelf,
        lies: impl Fn(&str, usize) -> Option<Lie> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { shelf, asked: Mutex::default(), lies: Box::new(lies) })
    }

    /// One that only remembers.
    pub(crate) fn honest(shelf: Shelf) -> Arc<Self> {
        Self::new(shelf, |_, _| None)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// How many requests hold this text.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.asked().iter().filter(|request| request.contains(part)).count()
    }

    fn lie(&self, request: &str) -> Option<Lie> {
        let mut asked = self.asked.lock().unwrap();
        let before = asked.iter().filter(|earlier| *earlier == request).count();
        asked.push(request.to_owned());
        (self.lies)(request, before)
    }
}

/// A registry that gives no answer to requests that hold this text.
pub(crate) fn failing(shelf: Shelf, step: &'static str, problem: RegistryProblem) -> Arc<Liar> {
    Liar::new(shelf, move |request, _| request.contains(step).then(|| Lie::Fault(problem.clone())))
}

fn answer<'r, T: Send + 'r>(answer: Result<Option<T>, RegistryFault>) -> Fetch<'r, T> {
    Box::pin(std::future::ready(answer))
}

impl Registry for Liar {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        let request = format!("manifest {at}{}", version.suffix());
        match self.lie(&request) {
            Some(Lie::Fault(problem)) => answer(Err(RegistryFault::new(request, problem))),
            Some(Lie::Manifest(manifest)) => answer(Ok(Some(Arc::new(*manifest)))),
            Some(Lie::Listed(_)) | None => self.shelf.0.manifest(at, version),
        }
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        let request = format!("blob {at}@{digest}");
        match self.lie(&request) {
            Some(Lie::Fault(problem)) => answer(Err(RegistryFault::new(request, problem))),
            Some(Lie::Manifest(_) | Lie::Listed(_)) | None => self.shelf.0.blob(at, digest, bound),
        }
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        let request = format!("referrers {at}@{subject}");
        match self.lie(&request) {
            Some(Lie::Fault(problem)) => answer(Err(RegistryFault::new(request, problem))),
            Some(Lie::Listed(listed)) => answer(Ok(Some(listed))),
            Some(Lie::Manifest(_)) | None => self.shelf.0.referrers(at, subject),
        }
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        let request = format!("tags {at}");
        match self.lie(&request) {
            Some(Lie::Fault(problem)) => answer(Err(RegistryFault::new(request, problem))),
            Some(Lie::Manifest(_) | Lie::Listed(_)) | None => self.shelf.0.signed_digests(at),
        }
    }
}

/// An entry that demands a signature by one key.
pub(crate) fn signed_by(key: &PrivateKey) -> ImageEntry {
    entry(Some(of(key)))
}

pub(crate) fn of(key: &PrivateKey) -> Requirement {
    by_key(&key.public().to_pem())
}

pub(crate) fn judge(name: &str, entry: &ImageEntry, images: Arc<dyn Registry>) -> Decision {
    judge_with(name, entry, images, None, &Facts::default())
}

pub(crate) fn judge_with(
    name: &str,
    entry: &ImageEntry,
    images: Arc<dyn Registry>,
    trust_root: Option<Arc<TrustRoot>>,
    known: &Facts,
) -> Decision {
    let sources = Offline { trust_root, images: Some(images) };
    block_on(by_image(name, entry, Context { sources: &sources, known, now: now() }))
}

#[track_caller]
pub(crate) fn expect(decision: &Decision, outcome: Outcome, code: &str) {
    let found = (decision.outcome(), decision.headline().code());
    assert_eq!(found, (outcome, code), "{}\n{:#?}", decision.headline(), decision.check);
}

#[track_caller]
pub(crate) fn passes(decision: &Decision) {
    expect(decision, Outcome::Pass, "image-verified");
}

/// A policy of one rule, from the YAML (or JSON) of its `verifyImages`.
pub(crate) fn policy(name: &str, entries: &str) -> Policy {
    try_policy(name, entries).unwrap_or_else(|problem| panic!("{problem}"))
}

pub(crate) fn try_policy(name: &str, entries: &str) -> Result<Policy, String> {
    annotated(&json!({"name": name}), entries)
}

/// The same with its metadata.
pub(crate) fn annotated(metadata: &Value, entries: &str) -> Result<Policy, String> {
    let text = format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {metadata}\nspec:\n  rules:\n  - name: images\n    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}\n    verifyImages: {entries}\n"
    );
    let document = yaml::read(text.as_bytes()).unwrap().remove(0).value;
    match compile(&document) {
        Ok(Compiled::Policy(policy)) => Ok(policy),
        Ok(other @ (Compiled::Exception(_) | Compiled::TrustRoot(_))) => panic!("{other:?}"),
        Err(errors) => Err(errors.to_string()),
    }
}

/// Entries of `verifyImages`, as a policy's YAML takes them.
pub(crate) fn entries(list: &[Value]) -> String {
    Value::from(list).to_string()
}

/// One entry about every image, with further fields.
pub(crate) fn demand(attestors: &Value, more: &Value) -> Value {
    let mut entry = json!({"imageReferences": ["*"], "failureAction": "Enforce", "attestors": attestors});
    for (field, value) in more.as_object().unwrap() {
        entry[field] = value.clone();
    }
    entry
}

/// `attestors` that ask for all of the keys.
pub(crate) fn attestors(keys: &[&PrivateKey]) -> Value {
    json!([{"entries": keys.iter().map(|key| attestor(key)).collect::<Vec<_>>()}])
}

pub(crate) fn attestor(key: &PrivateKey) -> Value {
    json!({"keys": {"publicKeys": key.public().to_pem(), "rekor": {"ignoreTlog": true}}})
}

/// A policy that demands a key's signature of every image.
pub(crate) fn demands(name: &str, key: &PrivateKey) -> Policy {
    policy(name, &entries(&[demand(&attestors(&[key]), &json!({}))]))
}

pub(crate) fn pod(images: &[&str]) -> Value {
    let container = |(index, image): (usize, &&str)| json!({"name": format!("c{index}"), "image": image});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"containers": images.iter().enumerate().map(container).collect::<Vec<_>>()}})
}

/// The decision of each policy's own rule, in the order of the policies.
pub(crate) fn review(object: &Value, policies: &[Policy], images: Arc<dyn Registry>) -> Vec<Decision> {
    review_knowing(object, policies, images, &Facts::default())
}

pub(crate) fn review_knowing(
    object: &Value,
    policies: &[Policy],
    images: Arc<dyn Registry>,
    known: &Facts,
) -> Vec<Decision> {
    review_by(object, policies, &Offline { trust_root: None, images: Some(images) }, known)
}

pub(crate) fn review_by(
    object: &Value,
    policies: &[Policy],
    sources: &dyn Sources,
    known: &Facts,
) -> Vec<Decision> {
    let subject =
        Subject { kind: SubjectKind::Resource, source: "Pod/web".to_owned(), object: ObjectRef::of(object) };
    let task = Task { subject: subject.into(), facts: ReviewFacts::of(object), origin: Origin::File };
    let rules = Rules { policies, exceptions: &[], values: &RuleValues::default(), background: false };
    let decisions = block_on(by_policies(&task, rules, Context { sources, known, now: now() }));
    let own = |decision: &Decision| decision.by.as_ref().is_some_and(|by| &*by.rule == "images");
    let decisions: Vec<_> = decisions.into_iter().filter(own).collect();
    assert_eq!(decisions.len(), policies.len(), "one rule each");
    decisions
}

/// The same for one policy.
pub(crate) fn review_one(object: &Value, policy: &Policy, images: Arc<dyn Registry>) -> Decision {
    review(object, std::slice::from_ref(policy), images).remove(0)
}
