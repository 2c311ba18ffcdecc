//! Rekor entries as cosign's `RekorBundle` carries them, turned into Sigstore bundles of version 0.1,
//! which the Sigstore crates verify.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sigstore_types::{Bundle, DsseEnvelope, TransparencyLogEntry};

use crate::limits;

/// cosign's bundle JSON (`pkg/cosign/bundle`), as the `bundle` annotation holds it.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RekorBundle {
    signed_entry_timestamp: String,
    payload: Payload,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    body: String,
    #[serde(rename = "integratedTime")]
    integrated_time: i64,
    #[serde(rename = "logIndex")]
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

/// cosign's timestamp JSON (`pkg/cosign/bundle`), as the `rfc3161timestamp` annotation holds it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Rfc3161 {
    #[serde(rename = "SignedRFC3161Timestamp")]
    signed: String,
}

/// What a signature is over, and the signature.
#[derive(Clone, Copy)]
pub(super) enum Content<'c> {
    /// Bytes, and a signature beside them.
    Message { bytes: &'c [u8], signature: &'c [u8] },
    /// An envelope that holds both.
    Envelope(&'c DsseEnvelope),
}

impl Content<'_> {
    /// As a field of a Sigstore bundle: its name and value.
    fn json(&self) -> (&'static str, Value) {
        match self {
            Self::Message { bytes, signature } => (
                "messageSignature",
                json!({
                    "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(digest(&SHA256, bytes))},
                    "signature": STANDARD.encode(signature),
                }),
            ),
            Self::Envelope(envelope) => ("dsseEnvelope", json!(envelope)),
        }
    }
}

impl RekorBundle {
    /// Reads a bundle; `None` when it is not one.
    pub(super) fn parse(json: &str) -> Option<Self> {
        (json.len() <= limits::BUNDLE_BYTES).then(|| serde_json::from_str(json).ok()).flatten()
    }

    /// An entry with the log's promise and time; `None` where it has none (Rekor v2).
    pub(super) fn of(entry: &TransparencyLogEntry) -> Option<Self> {
        let promise = entry.inclusion_promise.as_ref()?;
        Some(Self {
            signed_entry_timestamp: promise.signed_entry_timestamp.to_base64(),
            payload: Payload {
                body: entry.canonicalized_body.to_base64(),
                integrated_time: entry.integrated_time?.as_second(),
                log_index: entry.log_index.as_i64(),
                log_id: hex::encode(entry.log_id.key_id.as_bytes()),
            },
        })
    }

    /// As an annotation holds it.
    pub(super) fn to_json(&self) -> String {
        json!(self).to_string()
    }

    /// When the entry claims to have been taken in; not yet believed.
    pub(super) fn claimed_time(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.payload.integrated_time).ok()
    }

    /// The log that it claims to be of.
    pub(super) fn log_id(&self) -> &str {
        &self.payload.log_id
    }

    fn body(&self) -> Option<Value> {
        serde_json::from_slice(&STANDARD.decode(&self.payload.body).ok()?).ok()
    }

    /// As an entry of a Sigstore bundle; the kind and version are those that the entry's body names.
    fn json(&self) -> Result<Value, String> {
        let body = self.body();
        let part = |name: &str| body.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let (Some(kind), Some(version)) = (part("kind"), part("apiVersion")) else {
            return Err("its body is not a log entry".to_owned());
        };
        let log_id = hex::decode(&self.payload.log_id).map_err(|_| "its log id is not hexadecimal")?;
        Ok(json!({
            "logIndex": self.payload.log_index.to_string(),
            "logId": {"keyId": STANDARD.encode(log_id)},
            "kindVersion": {"kind": kind, "version": version},
            "integratedTime": self.payload.integrated_time.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": self.signed_entry_timestamp},
            "canonicalizedBody": self.payload.body,
        }))
    }

    /// Whether the body names another signature or other bytes than those it lies beside. Needs no trust
    /// root, and stops an entry of somebody else's from lending its time.
    pub(super) fn contradiction(&self, content: Content<'_>) -> Option<String> {
        let Content::Message { bytes, signature } = content else { return None };
        let body = self.body()?;
        let spec = body.get("spec")?;
        let logged = spec.pointer("/signature/content").and_then(Value::as_str);
        if let Some(logged) = logged
            && STANDARD.decode(logged).ok().as_deref() != Some(signature)
        {
            return Some("it is for another signature".to_owned());
        }
        let hash = spec.pointer("/data/hash");
        let part = |name: &str| hash.and_then(|hash| hash.get(name)).and_then(Value::as_str);
        if part("algorithm") == Some("sha256") && part("value") != Some(&hex::encode(digest(&SHA256, bytes)))
        {
            return Some("it is for other bytes".to_owned());
        }
        None
    }
}

/// What the proofs in a bundle say twice, and not the same way. What is verified is one of each two; the other is
/// what people and other verifiers read.
///
/// The size and the root of a tree are also in the checkpoint that the log signed. A log of the second
/// generation has one tree, so that an entry's index is that of its proof.
pub(super) fn contradicts_itself(bundle: &Bundle) -> Option<&'static str> {
    bundle.verification_material.tlog_entries.iter().find_map(|entry| {
        let proof = entry.inclusion_proof.as_ref()?;
        let checkpoint = proof.checkpoint.checkpoint()?;
        if proof.tree_size != checkpoint.tree_size() {
            Some("its proof is of a tree of another size than its checkpoint")
        } else if proof.root_hash != *checkpoint.root_hash() {
            Some("its proof is of a tree with another root than its checkpoint")
        } else if entry.integrated_time.is_none() && proof.log_index != entry.log_index {
            Some("its proof is of another entry")
        } else {
            None
        }
    })
}

/// A signature, who made it (`publicKey`, `certificate` or `x509CertificateChain` with its value), its log
/// entry and its timestamp as one Sigstore bundle.
///
/// With an entry it is of version 0.1, whose proof is the log's signed promise; without one of version 0.3,
/// which takes a timestamp alone. The media type is chosen here and never read from outside, so nobody can
/// relabel a newer bundle to drop its inclusion proof.
///
/// # Errors
/// What is wrong with the pieces.
pub(super) fn bundle(
    signer: (&str, Value),
    content: Content<'_>,
    entry: Option<&RekorBundle>,
    timestamp: Option<&str>,
) -> Result<Bundle, String> {
    let (who, value) = signer;
    let mut material = json!({who: value});
    let version = if entry.is_some() { "0.1" } else { "0.3" };
    if let Some(entry) = entry {
        material["tlogEntries"] = json!([entry.json()?]);
    }
    if let Some(text) = timestamp {
        let timestamp: Rfc3161 = serde_json::from_str(text)
            .map_err(|error| format!("its timestamp is not cosign's timestamp JSON ({error})"))?;
        material["timestampVerificationData"] =
            json!({"rfc3161Timestamps": [{"signedTimestamp": timestamp.signed}]});
    }
    let (name, content) = content.json();
    let bundle = json!({
        "mediaType": format!("application/vnd.dev.sigstore.bundle+json;version={version}"),
        "verificationMaterial": material,
        name: content,
    });
    Bundle::from_json(&bundle.to_string()).map_err(|error| error.to_string())
}
