//! The webhook in this process: the whole router, without a port.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::dialect::PolicySet;
use common::registry::Cached;
use common::registry::cached::Options;
use operator::conditions::Conditions;
use operator::engines::OtherEngines;
use operator::metrics::Metrics;
use operator::namespaces::Namespaces;
use operator::registries::Registries;
use operator::roles::Roles;
use operator::signers::Signers;
use operator::snapshot::{Snapshot, Snapshots};
use operator::webhook::admit::Engine;
use operator::webhook::server::{self, Server};
use operator::world::World;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::shelf::Shelf;

/// A webhook and the registries that it asks.
pub(crate) struct Webhook {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) server: Arc<Server>,
}

/// What the API server gets.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) allowed: bool,
    pub(crate) message: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) audit: Value,
    pub(crate) patch: Vec<Value>,
}

impl Webhook {
    /// Nothing is loaded yet.
    pub(crate) fn empty(tag_ttl: Duration) -> Self {
        let options = Options { tag_ttl, ..Options::default() };
        Self::asking(|shelf| Registries::remembering(Cached::new(shelf, options)))
    }

    /// The same, where every question is asked by whoever has it.
    pub(crate) fn without_memory() -> Self {
        Self::asking(|shelf| Registries::recorded(shelf))
    }

    /// Policies themselves must be signed, as a file of policies demands.
    pub(crate) fn signed_by(rules: &Value) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), rules.to_string()).unwrap();
        let signers = Signers::read(file.path()).unwrap();
        Self::of(|shelf| Registries::recorded(shelf), signers)
    }

    fn asking(registries: impl FnOnce(Arc<Shelf>) -> Registries) -> Self {
        Self::of(registries, Signers::default())
    }

    fn of(registries: impl FnOnce(Arc<Shelf>) -> Registries, signers: Signers) -> Self {
        let shelf = Shelf::new();
        let engine = Engine {
            snapshots: Snapshots::default(),
            namespaces: Namespaces::default(),
            roles: Roles::default(),
            signers,
            conditions: Conditions::default(),
            engines: OtherEngines::default(),
            world: World {
                registries: registries(Arc::clone(&shelf)),
                trust_root: None,
                namespace: String::new(),
            },
            facts: Facts::default(),
            metrics: Metrics::default(),
        };
        Self { shelf, server: Arc::new(Server::new(engine)) }
    }

    pub(crate) fn with(policies: impl FnOnce(&Shelf) -> Vec<Value>) -> Self {
        let this = Self::empty(Duration::from_secs(1));
        this.load(&policies(&this.shelf));
        this
    }

    pub(crate) fn load(&self, policies: &[Value]) {
        let mut set = PolicySet::default();
        for policy in policies {
            set.add_object("policy", policy).unwrap();
        }
        let _number = self.server.engine().snapshots.put(Snapshot::new(set));
    }

    /// The answer to a review.
    pub(crate) async fn ask(&self, path: &str, request: Value) -> Reply {
        let (status, body) = self.post(path, "application/json", review(&request).into()).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        reply(&serde_json::from_slice(&body).unwrap())
    }

    /// Any request, and its answer.
    pub(crate) async fn post(&self, path: &str, content_type: &str, body: Body) -> (StatusCode, Vec<u8>) {
        let request = Request::post(path).header("Content-Type", content_type).body(body).unwrap();
        let response = server::router(&self.server).oneshot(request).await.unwrap();
        let status = response.status();
        (status, to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
    }

    pub(crate) async fn mutate(&self, object: &Value) -> Reply {
        self.ask("/mutate/fail?timeout=10s", create(object)).await
    }

    pub(crate) async fn validate(&self, object: &Value) -> Reply {
        self.ask("/validate/fail?timeout=10s", create(object)).await
    }
}

/// The body of a review.
pub(crate) fn review(request: &Value) -> String {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).to_string()
}

pub(crate) fn reply(review: &Value) -> Reply {
    assert_eq!(
        (&review["apiVersion"], &review["kind"]),
        (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
    );
    let response = &review["response"];
    assert_eq!(response["uid"], "the-uid");
    let allowed = response["allowed"].as_bool().unwrap();
    assert_eq!(allowed, response["status"].is_null(), "{response}");
    let warnings = response["warnings"].as_array().into_iter().flatten();
    let patch = response["patch"].as_str().map(|patch| STANDARD.decode(patch).unwrap());
    Reply {
        allowed,
        message: response["status"]["message"].as_str().unwrap_or_default().to_owned(),
        warnings: warnings.map(|warning| warning.as_str().unwrap().to_owned()).collect(),
        audit: response["auditAnnotations"].clone(),
        patch: patch.map(|patch| serde_json::from_slice(&patch).unwrap()).unwrap_or_default(),
    }
}

pub(crate) fn create(object: &Value) -> Value {
    request("CREATE", object, &Value::Null)
}

pub(crate) fn update(old: &Value, new: &Value) -> Value {
    request("UPDATE", new, old)
}

pub(crate) fn request(operation: &str, object: &Value, old: &Value) -> Value {
    let namespace =
        if object.is_null() { &old["metadata"]["namespace"] } else { &object["metadata"]["namespace"] };
    json!({"uid": "the-uid", "operation": operation, "namespace": namespace, "object": object, "oldObject": old,
        "userInfo": {"username": "dev", "groups": ["system:authenticated"]}})
}

pub(crate) fn pod(images: &[&str]) -> Value {
    let container = |(index, image): (usize, &&str)| json!({"name": format!("c{index}"), "image": image});
    let containers: Vec<_> = images.iter().enumerate().map(container).collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": containers}})
}

/// A policy that demands signatures by the shelf's key of everything below `registry.example`.
pub(crate) fn signed(shelf: &Shelf, change: impl FnOnce(&mut Value)) -> Value {
    let keys = json!({"publicKeys": shelf.key.public().to_pem(), "rekor": {"ignoreTlog": true}});
    let mut policy = json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "signed"},
        "spec": {"rules": [{"name": "by-us", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
            "verifyImages": [{"imageReferences": ["*.example/*"], "failureAction": "Enforce",
                "attestors": [{"entries": [{"keys": keys}]}]}]}]}});
    change(&mut policy);
    policy
}

/// The path of the first entry.
pub(crate) const ENTRY: &str = "/spec/rules/0/verifyImages/0";

/// A policy that audits only.
pub(crate) fn audited(policy: &mut Value) {
    *policy.pointer_mut("/metadata/name").unwrap() = json!("audited");
    let entry = policy.pointer_mut(ENTRY).unwrap();
    entry["failureAction"] = json!("Audit");
    entry["mutateDigest"] = json!(false);
}
