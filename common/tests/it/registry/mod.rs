//! The HTTP client of registries against a scripted one on this machine.

mod authorization;
mod bodies;
mod limits;
mod push;
mod reads;
mod redirects;
mod referrers;
pub(crate) mod server;
mod statuses;
mod tls;
mod waiting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::digest::Digest;
use common::image::{Repository, Tag, Version};
use common::registry::http::{Client, Config};
use common::registry::{Fetched, Manifest, Registry as _};
use common::verdict::{RegistryFault, RegistryProblem};
use serde_json::json;
use server::{Reply, Request, Server};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn client() -> Client {
    Client::new(Config::default()).unwrap()
}

/// `acme/app` of a scripted registry.
fn app(server: &Server) -> Repository {
    Repository::parse(&format!("{}/acme/app", server.host())).unwrap()
}

fn tag(text: &str) -> Version {
    Version::Tag(Tag::parse(text).unwrap())
}

/// The bytes of a manifest.
fn image(name: &str) -> Vec<u8> {
    json!({"schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(name), "layers": []})
        .to_string()
        .into()
}

fn descriptor(name: &str) -> serde_json::Value {
    let media_type = "application/octet-stream";
    json!({"mediaType": media_type, "digest": Digest::of(name.as_bytes()).to_string(), "size": name.len()})
}

fn index(names: &[&str]) -> Vec<u8> {
    let manifests: Vec<_> = names.iter().map(|name| descriptor(name)).collect();
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string().into()
}

fn manifest(bytes: &[u8]) -> Reply {
    Reply::new(200).header("content-type", IMAGE).body(bytes)
}

/// A registry's "not there".
fn not_there() -> Reply {
    error(404, "MANIFEST_UNKNOWN")
}

fn error(status: u16, code: &str) -> Reply {
    let body = json!({"errors": [{"code": code, "message": "no"}]}).to_string();
    Reply::new(status).header("content-type", "application/json").body(body.as_bytes())
}

/// What came of `acme/app:1` at a registry that answers everything in one way, with a client that has two
/// seconds; and that it did not take longer.
async fn by_tag(
    reply: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
) -> (Fetched<Arc<Manifest>>, Server) {
    let server = Server::start(reply).await;
    let begin = Instant::now();
    let client = client().with_deadline(begin + Duration::from_secs(2));
    let outcome = client.manifest(&app(&server), &tag("1")).await;
    assert!(begin.elapsed() < Duration::from_millis(2500), "it took {:?}", begin.elapsed());
    (outcome, server)
}

/// The problem of what must be a fault.
fn problem<T: std::fmt::Debug>(outcome: Fetched<T>) -> RegistryProblem {
    fault(outcome).problem
}

fn fault<T: std::fmt::Debug>(outcome: Fetched<T>) -> RegistryFault {
    outcome.expect_err("an adversary's answer was taken for one")
}
