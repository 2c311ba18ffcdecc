//! What a verdict about images costs when everything is remembered, in units of a P-256 verification.
//!
//! All numbers come from one run (`cargo bench -p common --bench image`), because only their ratios mean
//! anything on a machine that others use as well.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "criterion's macro; a benchmark may fail loudly"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::dialect::{Compiled, compile};
use common::digest::Digest;
use common::evaluate::{Context, Rules, Task, by_policies};
use common::image::{ImageRef, Tag};
use common::key::{Password, PrivateKey};
use common::object::{ObjectRef, Origin};
use common::policy::{Policy, ReviewFacts, RuleValues};
use common::registry::cached::Options;
use common::registry::{Cached, Manifest, Memory};
use common::signature::make::{Said, simple_signing_payload};
use common::sources::Offline;
use common::verdict::{Outcome, Subject, SubjectKind};
use criterion::{Criterion, criterion_group, criterion_main};
use futures::executor::block_on;
use serde_json::{Value, json};

const CONTAINERS: usize = 10;
const POLICIES: usize = 50;
/// Calls that are timed together, and how often that is done for what is printed.
const CALLS: u32 = 25;
const BATCHES: u32 = 40;

fn descriptor(media_type: &str, bytes: &[u8], annotations: &Value) -> Value {
    let digest = Digest::of(bytes).to_string();
    json!({"mediaType": media_type, "digest": digest, "size": bytes.len(), "annotations": annotations})
}

fn manifest(config: &Value, layers: &[Value]) -> Manifest {
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let body = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
    Manifest::parse(body.to_string().into_bytes().into(), None).unwrap()
}

/// A registry with one signed image a team, and their names by digest.
fn signed(key: &PrivateKey) -> (Memory, Vec<String>) {
    let mut memory = Memory::default();
    let mut names = Vec::new();
    for team in 0..CONTAINERS {
        let name = format!("registry.example.com/team-{team}/app");
        let config = descriptor("application/vnd.oci.image.config.v1+json", name.as_bytes(), &json!({}));
        let image = manifest(&config, &[]);
        let payload = simple_signing_payload(&name, &image.digest, &Said::new());
        let signature = STANDARD.encode(key.sign(&payload).unwrap());
        let layer = descriptor(
            "application/vnd.dev.cosign.simplesigning.v1+json",
            &payload,
            &json!({"dev.cosignproject.cosign/signature": signature}),
        );
        let by_digest = ImageRef::parse(&format!("{name}@{}", image.digest)).unwrap();
        let by_tag = ImageRef::parse(&format!("{name}:{}", Tag::derived(&image.digest, ".sig"))).unwrap();
        memory = memory
            .with_manifest(&by_digest, image)
            .with_manifest(&by_tag, manifest(&config, &[layer]))
            .with_blob(by_digest.repository(), payload);
        names.push(by_digest.to_string());
    }
    (memory, names)
}

/// One policy a team.
fn policies(key: &PrivateKey) -> Vec<Policy> {
    let policy = |team: usize| {
        let keys = json!({"publicKeys": key.public().to_pem(), "rekor": {"ignoreTlog": true}});
        let document = json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": format!("team-{team}")},
            "spec": {"rules": [{"name": "signed", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
                "verifyImages": [{"imageReferences": [format!("registry.example.com/team-{team}/*")], "failureAction": "Enforce",
                    "attestors": [{"entries": [{"keys": keys}]}]}]}]}});
        match compile(&document).unwrap() {
            Compiled::Policy(policy) => policy,
            Compiled::Exception(_) | Compiled::TrustRoot(_) => unreachable!("a policy"),
        }
    };
    (0..POLICIES).map(policy).collect()
}

fn pod(images: &[String]) -> Value {
    let named = images.iter().enumerate();
    let containers: Vec<_> =
        named.map(|(index, image)| json!({"name": format!("c{index}"), "image": image})).collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "prod"}, "spec": {"containers": containers}})
}

/// Judges the pod; how many rules passed it.
fn judge(pod: &Value, policies: &[Policy], sources: &Offline, known: &Facts) -> usize {
    let context = Context { sources, known, now: "2026-11-25T00:00:00Z".parse().unwrap() };
    let object = ObjectRef::of(pod);
    let subject = Subject { kind: SubjectKind::Resource, source: "bench".to_owned(), object };
    let task = Task { subject: subject.into(), facts: ReviewFacts::of(pod), origin: Origin::Review };
    let rules = Rules { policies, exceptions: &[], values: &RuleValues::default(), background: false };
    let decisions = block_on(by_policies(&task, rules, context));
    let passed = decisions.iter().filter(|one| one.outcome() == Outcome::Pass).count();
    assert!(decisions.iter().all(|one| matches!(one.outcome(), Outcome::Pass | Outcome::Skip)));
    passed
}

/// The time of one call in the batch that was disturbed least.
fn fastest(mut call: impl FnMut()) -> Duration {
    let batch = |_| {
        let begin = Instant::now();
        (0..CALLS).for_each(|_| call());
        begin.elapsed() / CALLS
    };
    (0..BATCHES).map(batch).min().unwrap()
}

fn warm(criterion: &mut Criterion) {
    // As in the operator: questions are shared, although none is asked here.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (key, _) = PrivateKey::generate(&Password::new("")).unwrap();
    let ((memory, names), policies) = (signed(&key), policies(&key));
    // So long that no list is read again in between.
    let list_ttl = Duration::from_secs(3_600);
    let (pod, memory) = (pod(&names), Arc::new(memory));
    let nothing_known = || {
        let cached = Cached::new(memory.clone(), Options { list_ttl, ..Options::default() });
        (Offline { trust_root: None, images: Some(Arc::new(cached.clone())) }, cached, Facts::default())
    };
    let cold = || {
        let (sources, _, known) = nothing_known();
        let begin = Instant::now();
        assert_eq!(judge(black_box(&pod), &policies, &sources, &known), CONTAINERS);
        begin.elapsed()
    };
    // Without the runtime, as below.
    let cold = (0..BATCHES).map(|_| cold()).min().unwrap();
    let (sources, cached, known) = nothing_known();
    let decide = || assert_eq!(judge(black_box(&pod), &policies, &sources, &known), CONTAINERS);
    // Without the runtime: the first questions are asked in place.
    decide();
    let (checked, asked) = (known.checked(), cached.stats().misses);
    assert_eq!(checked, CONTAINERS as u64);
    let _inside = runtime.enter();
    let payload = simple_signing_payload("registry.example.com/app", &Digest::of(b"x"), &Said::new());
    let signature = key.sign(&payload).unwrap();
    let verify = || assert!(key.public().verifies(black_box(&payload), &signature));
    criterion.bench_function("bare-p256-verify", |b| b.iter(verify));
    criterion.bench_function("pod/10-images/50-policies", |b| b.iter(decide));
    // What it costs to find out which rules apply to which images, without any.
    let others: Vec<_> = (0..CONTAINERS).map(|n| format!("registry.example.com/other-{n}/app")).collect();
    let other = self::pod(&others);
    let select = || assert_eq!(judge(black_box(&other), &policies, &sources, &known), 0);
    criterion.bench_function("pod/10-images-of-no-policy", |b| b.iter(select));
    let (verification, decision, selection) = (fastest(verify), fastest(decide), fastest(select));
    let ratio = decision.as_secs_f64() / verification.as_secs_f64();
    println!(
        "one warm decision: {} us, {ratio:.1} times a P-256 verification ({} us); {} us of it are matching",
        decision.as_micros(),
        verification.as_micros(),
        selection.as_micros()
    );
    // Nothing was checked or asked again, so nothing of it is in the time.
    assert_eq!((known.checked(), cached.stats().misses), (checked, asked));
    println!(
        "one cold decision, without a network: {} us; each warm image: {} ns",
        cold.as_micros(),
        decision.saturating_sub(selection).as_nanos() / CONTAINERS as u128
    );
    println!(
        "{asked} questions and {checked} verifications in all, {} answers remembered",
        cached.stats().hits
    );
}

fn settings() -> Criterion {
    let (warm_up, measured) = (Duration::from_millis(500), Duration::from_secs(2));
    Criterion::default().sample_size(20).warm_up_time(warm_up).measurement_time(measured).without_plots()
}

criterion_group! { name = image; config = settings(); targets = warm }
criterion_main!(image);
