//! TUF repositories that are made while a test runs, with keys of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use sigstore_tuf::canonical_json::to_canonical_bytes;

/// Paths below the mirror's URL, and what is there.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

pub(super) struct Signer {
    pub(super) id: String,
    pair: Ed25519KeyPair,
}

/// One role of a repository.
#[derive(Clone)]
pub(super) struct Role {
    pub(super) version: u64,
    pub(super) expires: &'static str,
    /// Whose signatures the root asks for.
    pub(super) signers: Vec<Arc<Signer>>,
    /// How many of them.
    pub(super) threshold: usize,
    /// Who signs; the same, if nobody is named.
    pub(super) signed_by: Vec<Arc<Signer>>,
}

/// One state of a repository.
#[derive(Clone)]
pub(super) struct State {
    pub(super) root: Role,
    pub(super) timestamp: Role,
    pub(super) snapshot: Role,
    pub(super) targets: Role,
    pub(super) target: Vec<u8>,
    /// What the targets metadata calls it.
    pub(super) target_name: &'static str,
}

impl Signer {
    pub(super) fn new() -> Arc<Self> {
        let pair = Ed25519KeyPair::generate().unwrap();
        Arc::new(Self { id: hex::encode(digest(&SHA256, pair.public_key().as_ref())), pair })
    }

    fn key(&self) -> Value {
        let public = hex::encode(self.pair.public_key());
        json!({"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}})
    }
}

impl Role {
    fn new(count: usize, threshold: usize, expires: &'static str) -> Self {
        let signers = (0..count).map(|_| Signer::new()).collect();
        Self { version: 1, expires, signers, threshold, signed_by: Vec::new() }
    }

    fn entry(&self) -> Value {
        let ids: Vec<_> = self.signers.iter().map(|signer| &signer.id).collect();
        json!({"keyids": ids, "threshold": self.threshold})
    }

    fn sign(&self, signed: &Value) -> Vec<u8> {
        let signers = if self.signed_by.is_empty() { &self.signers } else { &self.signed_by };
        let bytes = to_canonical_bytes(signed).unwrap();
        let sign =
            |signer: &Arc<Signer>| json!({"keyid": signer.id, "sig": hex::encode(signer.pair.sign(&bytes))});
        let signatures: Vec<_> = signers.iter().map(sign).collect();
        json!({"signed": signed, "signatures": signatures}).to_string().into_bytes()
    }

    fn body(&self, kind: &str, more: Value) -> Value {
        let mut body = json!({"_type": kind, "spec_version": "1.0.31", "version": self.version, "expires": self.expires});
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        body
    }
}

impl State {
    pub(super) fn new(target: &str) -> Self {
        Self {
            root: Role::new(3, 2, "2026-07-01T00:00:00Z"),
            timestamp: Role::new(1, 1, "2026-01-08T00:00:00Z"),
            snapshot: Role::new(1, 1, "2026-01-22T00:00:00Z"),
            targets: Role::new(2, 2, "2026-06-01T00:00:00Z"),
            target: target.as_bytes().to_vec(),
            target_name: "trusted_root.json",
        }
    }

    /// The next state: all but the root are one version on.
    pub(super) fn next(&self, target: &str) -> Self {
        let mut next = self.clone();
        for role in [&mut next.timestamp, &mut next.snapshot, &mut next.targets] {
            role.version += 1;
        }
        next.target = target.as_bytes().to_vec();
        next
    }

    pub(super) fn root_json(&self) -> Vec<u8> {
        let roles = [
            ("root", &self.root),
            ("timestamp", &self.timestamp),
            ("snapshot", &self.snapshot),
            ("targets", &self.targets),
        ];
        let keys: BTreeMap<_, _> = roles
            .iter()
            .flat_map(|(_, role)| &role.signers)
            .map(|signer| (signer.id.clone(), signer.key()))
            .collect();
        let entries: BTreeMap<_, _> = roles.iter().map(|(name, role)| (*name, role.entry())).collect();
        let more = json!({"consistent_snapshot": true, "keys": keys, "roles": entries});
        self.root.sign(&self.root.body("root", more))
    }

    /// Everything that a mirror holds, with the root of this state alone.
    pub(super) fn files(&self) -> Files {
        let hash = hex::encode(digest(&SHA256, &self.target));
        let entry = json!({"length": self.target.len(), "hashes": {"sha256": hash}});
        let targets =
            self.targets.sign(&self.targets.body("targets", json!({"targets": {self.target_name: entry}})));
        let pin = |role: &Role, bytes: &[u8]| json!({"version": role.version, "length": bytes.len(), "hashes": {"sha256": hex::encode(digest(&SHA256, bytes))}});
        let meta = json!({"meta": {"targets.json": pin(&self.targets, &targets)}});
        let snapshot = self.snapshot.sign(&self.snapshot.body("snapshot", meta));
        let meta = json!({"meta": {"snapshot.json": pin(&self.snapshot, &snapshot)}});
        let timestamp = self.timestamp.sign(&self.timestamp.body("timestamp", meta));
        Files::from([
            (format!("{}.root.json", self.root.version), self.root_json()),
            ("timestamp.json".to_owned(), timestamp),
            (format!("{}.snapshot.json", self.snapshot.version), snapshot),
            (format!("{}.targets.json", self.targets.version), targets),
            (format!("targets/{hash}.{}", self.target_name), self.target.clone()),
        ])
    }
}
