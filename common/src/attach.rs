//! Putting signatures and attestations beside an image, where verifiers look for them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::image::{Repository, Tag, Version};
use crate::registry::push::Push;
use crate::registry::{Descriptor, Manifest, Registry};
use crate::signature::Material;
use crate::signature::make::BUNDLE_MEDIA_TYPE;
use crate::signature::simple_signing;
use crate::verdict::{RegistryFault, RegistryProblem};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// A bundle as a referrer of the image (cosign's `BUNDLE_SPEC.md`; OCI image specification, "Guidelines for
/// artifact usage"). Returns the digest of the referrer.
///
/// # Errors
/// The registry did not take it.
pub async fn bundle(
    push: &dyn Push,
    at: &Repository,
    subject: &Manifest,
    bundle: Vec<u8>,
    predicate_type: &str,
    now: Timestamp,
) -> Result<Digest, RegistryFault> {
    let layer = blob(push, at, BUNDLE_MEDIA_TYPE, bundle).await?;
    let config = blob(push, at, EMPTY, b"{}".to_vec()).await?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": BUNDLE_MEDIA_TYPE,
        "config": config,
        "layers": [layer],
        "annotations": {
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": predicate_type,
            "org.opencontainers.image.created": now.to_string(),
        },
        "subject": {
            "mediaType": subject.media_type, "digest": subject.digest.to_string(), "size": subject.bytes.len(),
        },
    });
    let bytes: Arc<[u8]> = manifest.to_string().into_bytes().into();
    let version = Version::Digest(Digest::of(&bytes));
    push.put_manifest(at, &version, MANIFEST, bytes).await
}

/// A payload with the pieces of its signature in the tag of cosign's first format, beside those that are there. Returns
/// the digest of the tag's manifest.
///
/// # Errors
/// The registry did not answer, holds something else under the tag, or did not take it.
pub async fn simple_signing(
    registry: &dyn Registry,
    push: &dyn Push,
    at: &Repository,
    subject: &Digest,
    payload: Vec<u8>,
    signature: &Material,
) -> Result<Digest, RegistryFault> {
    let tag = Version::Tag(Tag::derived(subject, ".sig"));
    let there = registry.manifest(at, &tag).await?;
    let image =
        there.as_ref().map(|there| there.image().ok_or_else(|| not_signatures(at, subject))).transpose()?;
    let mut layers: Vec<_> = image.into_iter().flat_map(|image| &image.layers).map(described).collect();
    let mut layer = blob(push, at, simple_signing::MEDIA_TYPE, payload).await?;
    layer["annotations"] = json!(signature.layer_annotations());
    layers.push(layer);
    let diffs: Vec<_> = layers.iter().map(|layer| layer["digest"].clone()).collect();
    let config =
        json!({"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": diffs}});
    let config = blob(push, at, CONFIG, config.to_string().into_bytes()).await?;
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    push.put_manifest(at, &tag, MANIFEST, manifest.to_string().into_bytes().into()).await
}

fn not_signatures(at: &Repository, subject: &Digest) -> RegistryFault {
    let problem = RegistryProblem::Malformed("an index where signatures must be".to_owned());
    RegistryFault::new(format!("{at}:{}", Tag::derived(subject, ".sig")), problem)
}

/// Writes a blob; the answer describes it.
async fn blob(
    push: &dyn Push,
    at: &Repository,
    media_type: &str,
    bytes: Vec<u8>,
) -> Result<Value, RegistryFault> {
    let size = bytes.len();
    let digest = push.put_blob(at, bytes.into()).await?;
    Ok(json!({"mediaType": media_type, "digest": digest.to_string(), "size": size}))
}

fn described(layer: &Descriptor) -> Value {
    json!({
        "mediaType": layer.media_type, "digest": layer.digest.to_string(), "size": layer.size,
        "annotations": layer.annotations,
    })
}
