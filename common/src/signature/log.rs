//! Rekor entries as cosign's `RekorBundle` carries them, turned into Sigstore bundles of version 0.1,
//! which the Sigstore crates verify.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sigstore_types::{Bundle, DerPublicKey};
use sigstore_verify::{Error, PublicKeyVerificationPolicy, Verifier};

use crate::key::PublicKey;
use crate::limits;
use crate::trust::TrustRoot;

/// cosign's bundle JSON (`pkg/cosign/bundle`), as the `bundle` annotation holds it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RekorBundle {
    signed_entry_timestamp: String,
    payload: Payload,
}

#[derive(Deserialize)]
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

/// What a log entry says about a keyed signature.
pub(super) enum Entry {
    /// A known log took this signature in at that time.
    Good(Timestamp),
    /// Nothing: unreadable, or by a log that is not trusted.
    Unproven(String),
    /// It is for other bytes or another signature, or its promise is forged.
    Contradicts(String),
}

impl RekorBundle {
    /// Reads a bundle; `None` when it is not one.
    pub(super) fn parse(json: &str) -> Option<Self> {
        (json.len() <= limits::BUNDLE_BYTES).then(|| serde_json::from_str(json).ok()).flatten()
    }

    /// When the entry claims to have been taken in; not yet believed.
    pub(super) fn claimed_time(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.payload.integrated_time).ok()
    }

    /// The kind and version that the entry's body names.
    fn kind_version(&self) -> Option<(String, String)> {
        let body: Value = serde_json::from_slice(&STANDARD.decode(&self.payload.body).ok()?).ok()?;
        Some((body.get("kind")?.as_str()?.to_owned(), body.get("apiVersion")?.as_str()?.to_owned()))
    }

    /// This entry, a signature over `message` and its verification material as a Sigstore bundle.
    ///
    /// Version 0.1 is the one whose proof is the log's signed promise; the media type is chosen here
    /// and never read from outside, so nobody can relabel a newer bundle to drop its inclusion proof.
    pub(super) fn to_bundle(
        &self,
        material: &Value,
        signature: &[u8],
        message: &[u8],
    ) -> Result<Bundle, String> {
        let (kind, version) = self.kind_version().ok_or("its body is not a log entry")?;
        let log_id = hex::decode(&self.payload.log_id).map_err(|_| "its log id is not hexadecimal")?;
        let mut verification = material.clone();
        verification["tlogEntries"] = json!([{
            "logIndex": self.payload.log_index.to_string(),
            "logId": {"keyId": STANDARD.encode(log_id)},
            "kindVersion": {"kind": kind, "version": version},
            "integratedTime": self.payload.integrated_time.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": self.signed_entry_timestamp},
            "canonicalizedBody": self.payload.body,
        }]);
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
            "verificationMaterial": verification,
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(digest(&SHA256, message))},
                "signature": STANDARD.encode(signature),
            },
        });
        Bundle::from_json(&bundle.to_string()).map_err(|error| error.to_string())
    }
}

/// Checks the entry that comes with a keyed signature which is already known to be good.
pub(super) fn check_entry(
    json: &str,
    signature: &[u8],
    message: &[u8],
    key: &PublicKey,
    logs: Option<&TrustRoot>,
) -> Entry {
    let Some(entry) = RekorBundle::parse(json) else {
        return Entry::Unproven(
            "the log bundle beside the signature is not one; it proves nothing".to_owned(),
        );
    };
    if let Some(contradiction) = contradiction(&entry, signature, message) {
        return Entry::Contradicts(contradiction);
    }
    let material = json!({"publicKey": {"hint": ""}});
    let bundle = match entry.to_bundle(&material, signature, message) {
        Ok(bundle) => bundle,
        Err(why) => {
            return Entry::Unproven(format!("the log bundle cannot be read: {why}; it proves nothing"));
        }
    };
    let Some(logs) = logs else {
        return Entry::Unproven("the log entry was not checked: no trust root is given".to_owned());
    };
    // Its promise says nothing then, good or bad.
    if !hex::decode(&entry.payload.log_id).is_ok_and(|id| logs.knows_log(&id)) {
        let id = &entry.payload.log_id;
        return Entry::Unproven(format!("the log entry is by a log that is not in the trust root ({id})"));
    }
    judge(logs.verifier(), &bundle, message, key, &entry)
}

fn judge(
    verifier: &Verifier,
    bundle: &Bundle,
    message: &[u8],
    key: &PublicKey,
    entry: &RekorBundle,
) -> Entry {
    let policy = PublicKeyVerificationPolicy::new(DerPublicKey::new(key.spki().to_vec()));
    match verifier.verify(message, bundle, &policy) {
        Ok(result) => match result.integrated_time().or_else(|| entry.claimed_time()) {
            Some(time) => Entry::Good(time),
            None => Entry::Unproven("the log entry names no time".to_owned()),
        },
        Err(
            error @ (Error::TransparencyLog(_) | Error::ArtifactMismatch(_) | Error::SignatureInvalid(_)),
        ) => Entry::Contradicts(error.to_string()),
        // Key types and entry kinds the crate does not know: the signature itself was verified here.
        Err(error) => Entry::Unproven(format!("the log entry was not checked: {error}")),
    }
}

/// Whether the body names another signature or other bytes than those it lies beside. Needs no trust
/// root, and stops an entry of somebody else's from lending its time.
fn contradiction(entry: &RekorBundle, signature: &[u8], message: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(&STANDARD.decode(&entry.payload.body).ok()?).ok()?;
    let spec = body.get("spec")?;
    let logged = spec.pointer("/signature/content").and_then(Value::as_str);
    if let Some(logged) = logged
        && STANDARD.decode(logged).ok().as_deref() != Some(signature)
    {
        return Some("it is for another signature".to_owned());
    }
    let hash = spec.pointer("/data/hash");
    let part = |name: &str| hash.and_then(|hash| hash.get(name)).and_then(Value::as_str);
    if part("algorithm") == Some("sha256") && part("value") != Some(&hex::encode(digest(&SHA256, message))) {
        return Some("it is for other bytes".to_owned());
    }
    None
}
