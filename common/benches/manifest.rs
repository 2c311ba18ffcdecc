//! What a verdict costs, in units of the one thing that cannot be saved: a P-256 verification.
//!
//! All numbers come from one run (`cargo bench -p common --bench manifest`), because only their ratios
//! mean anything on a machine that others use as well.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "criterion's macro; a benchmark may fail loudly"
)]

use std::hint::black_box;

use common::cache::Facts;
use common::evaluate::{Context, Task, by_manifest_rule};
use common::key::{Password, PrivateKey};
use common::manifest::diff::{self, Expectations};
use common::manifest::ignore::IgnoreRules;
use common::manifest::message::{self, Form, Message};
use common::manifest::sign::{Earlier, Options, sign};
use common::manifest::{Annotations, DEFAULT_DOMAIN};
use common::object::{FieldPath, ObjectRef, Origin};
use common::policy::{
    Attestor, Authority, KeySource, LogOptions, ManifestRule, Matching, NamespaceAllowance, Requirement,
    ReviewFacts,
};
use common::sources::Offline;
use common::verdict::{Outcome, Subject, SubjectKind};
use common::yaml;
use criterion::{Criterion, criterion_group, criterion_main};
use futures::executor::block_on;
use serde_json::{Value, json};

/// A Deployment of about 4 KiB: two containers, twenty variables each, probes, limits and volumes.
fn deployment(name: &str) -> Value {
    let container = |name: &str| {
        let env: Vec<_> = (0..20)
            .map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("https://service-{n}.example.com/")}))
            .collect();
        let probe = json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10});
        json!({"name": name, "image": format!("registry.example.com/acme/{name}:1.2.3"), "env": env,
            "ports": [{"name": "http", "containerPort": 8080}], "livenessProbe": probe, "readinessProbe": probe,
            "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
            "securityContext": {"runAsNonRoot": true, "allowPrivilegeEscalation": false},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}]})
    };
    let labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop"});
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "prod", "labels": labels},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [container("web"), container("proxy")], "serviceAccountName": "web",
                "volumes": [{"name": "config", "configMap": {"name": "web"}}]}}}})
}

fn signed(documents: Vec<Value>, key: &PrivateKey) -> Vec<Value> {
    let (domain, form, earlier) = (DEFAULT_DOMAIN, Form::Plain, Earlier::Replace);
    sign(documents, key, &Options { domain, form, earlier, whole: false, annotations: &[] }).unwrap()
}

fn rule(key: &PrivateKey) -> ManifestRule {
    let attestor = Attestor {
        path: FieldPath::root(),
        authority: Authority::Key(KeySource::Inline(key.public().clone())),
        annotations: std::collections::BTreeMap::new(),
        repository: None,
        log: LogOptions::default(),
    };
    let of = vec![Requirement::Attestor(Box::new(attestor))];
    ManifestRule {
        requirement: Requirement::AtLeast { count: 1, of, path: FieldPath::root() },
        annotation_domain: DEFAULT_DOMAIN.to_owned(),
        ignore_fields: Vec::new(),
        matching: Matching::Strict,
        allow_namespace: NamespaceAllowance::None,
        allow_finalizers: Vec::new(),
        dry_run: None,
        repository: None,
    }
}

/// Judges every document of a text.
fn judge(text: &[u8], origin: Origin, rule: &ManifestRule, known: &Facts) -> Outcome {
    let now = "2026-11-25T00:00:00Z".parse().unwrap();
    let context = Context { sources: &Offline::default(), known, now };
    let outcome = |document: yaml::Document| {
        let object = ObjectRef::of(&document.value);
        let subject = Subject { kind: SubjectKind::Resource, source: "bench".to_owned(), object };
        let task = Task { subject: subject.into(), facts: ReviewFacts::of(&document.value), origin };
        block_on(by_manifest_rule(&task, rule, None, context)).outcome()
    };
    Outcome::worst(yaml::read(text).unwrap().into_iter().map(outcome))
}

fn verdicts(criterion: &mut Criterion) {
    let (key, _) = PrivateKey::generate(&Password::new("")).unwrap();
    let rule = rule(&key);
    let object = signed(vec![deployment("web")], &key).swap_remove(0);
    let (yaml, json) = (yaml::to_yaml(&object), object.to_string());
    let raw = message::plain(&[deployment("web")]);
    let signature = key.sign(&raw).unwrap();
    println!("Deployment: {} bytes of YAML, {} signed, {} as JSON", raw.len(), yaml.len(), json.len());
    criterion.bench_function("bare-p256-verify", |b| {
        b.iter(|| assert!(key.public().verifies(black_box(&raw), &signature)));
    });
    criterion.bench_function("file", |b| {
        b.iter(|| {
            let known = Facts::default();
            assert_eq!(judge(black_box(yaml.as_bytes()), Origin::File, &rule, &known), Outcome::Pass);
        });
    });
    let warm = Facts::default();
    criterion.bench_function("review", |b| {
        b.iter(|| assert_eq!(judge(black_box(json.as_bytes()), Origin::Review, &rule, &warm), Outcome::Pass));
    });
    for count in [100, 1000] {
        let documents = (0..count).map(|n| deployment(&format!("web-{n}"))).collect();
        let texts: Vec<_> = signed(documents, &key).iter().map(yaml::to_yaml).collect();
        let text = texts.join("---\n");
        criterion.bench_function(&format!("documents/{count}"), |b| {
            b.iter(|| {
                let known = Facts::default();
                assert_eq!(judge(black_box(text.as_bytes()), Origin::File, &rule, &known), Outcome::Pass);
            });
        });
    }
}

/// Where the time goes.
fn parts(criterion: &mut Criterion) {
    let (key, _) = PrivateKey::generate(&Password::new("")).unwrap();
    let object = signed(vec![deployment("web")], &key).swap_remove(0);
    let (yaml, json) = (yaml::to_yaml(&object), object.to_string());
    criterion.bench_function("yaml-read", |b| b.iter(|| yaml::read(black_box(yaml.as_bytes())).unwrap()));
    criterion.bench_function("json-read", |b| b.iter(|| yaml::read(black_box(json.as_bytes())).unwrap()));
    let text = Annotations::read(&object, DEFAULT_DOMAIN).message.unwrap();
    criterion.bench_function("message-read", |b| b.iter(|| Message::read(black_box(text)).unwrap()));
    let message = Message::read(text).unwrap();
    let how = Expectations {
        stored: None,
        pinned: &[],
        origin: Origin::Review,
        domain: DEFAULT_DOMAIN,
        ignore: &IgnoreRules::none(),
        allow_namespace: &NamespaceAllowance::None,
        allow_finalizers: &[],
    };
    let [document] = message.documents.as_slice() else { unreachable!("one document was signed") };
    criterion.bench_function("compare", |b| {
        b.iter(|| assert!(diff::compare(document, black_box(&object), &how).is_match()));
    });
}

fn settings() -> Criterion {
    let (warm_up, measured) = (std::time::Duration::from_millis(500), std::time::Duration::from_secs(2));
    Criterion::default().sample_size(20).warm_up_time(warm_up).measurement_time(measured).without_plots()
}

criterion_group! { name = manifest; config = settings(); targets = verdicts, parts }
criterion_main!(manifest);
