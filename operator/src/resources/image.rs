//! What is demanded of images.
#![expect(clippy::doc_markdown, reason = "these comments are what kubectl explain shows, backticks and all")]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

use super::AttestorSet;

/// What is demanded of some images: attestors, attestations or both.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.attestors) || has(self.attestations)",
    "message": "somebody must have signed; attestors or attestations are needed",
}]))]
pub struct ImageEntry {
    /// Patterns of images: ghcr.io/acme/*, registry.example.com/app:1.*. `*` alone is every image.
    #[schemars(length(min = 1, max = 256))]
    pub image_references: Vec<String>,
    /// Patterns of images that are left out again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub skip_image_references: Vec<String>,
    /// Sets of signers, all of which must have signed the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub attestors: Option<Vec<AttestorSet>>,
    /// Attestations, all of which must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub attestations: Option<Vec<Attestation>>,
    /// Which signatures count: Any (bundles and cosign's tags) or Bundle (Sigstore bundles only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Any"))]
    pub signature_format: Option<SignatureFormat>,
    /// A repository in which signatures are looked for, in place of the image's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Whether tags are replaced by the digests that were verified. Without it: where the rule may block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutate_digest: Option<bool>,
    /// Whether a digest is demanded in what is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub verify_digest: Option<bool>,
    /// Conditions over all attestations under which the image is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate: Option<ImageDeny>,
    /// Whether signatures must say what the image is called here: Any, the same Repository, or Exact with its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Any"))]
    pub signed_reference: Option<SignedReference>,
    /// The platform of all nodes, where they have only one, as linux/amd64: signatures of its manifest count as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Where attestations say when they were made (JMESPath over the statement): of those of one signer only the newest
    /// counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_by: Option<String>,
    /// Logins for the registries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_registry_credentials: Option<Credentials>,
}

/// Which signatures count.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub enum SignatureFormat {
    /// Sigstore bundles and cosign's tags.
    Any,
    /// Sigstore bundles only.
    Bundle,
}

/// Whether signatures must say what the image is called here.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub enum SignedReference {
    /// No: a signature is good wherever the image was copied to.
    Any,
    /// They must name the same repository.
    Repository,
    /// And the same tag.
    Exact,
}

/// An attestation that must be there.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct Attestation {
    /// The name under which `validate` reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The predicate type, a URI.
    #[serde(rename = "type")]
    pub predicate_type: String,
    /// Sets of signers, all of which must have signed it.
    #[schemars(length(min = 1, max = 16))]
    pub attestors: Vec<AttestorSet>,
    /// Conditions over the predicate, all of which must hold, each of the form {all: […], any: […]}.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), schema_with = "objects")]
    pub conditions: Vec<Value>,
}

/// Conditions under which an image is refused.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct ImageDeny {
    /// What is said then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The conditions.
    pub deny: Deny,
}

/// Conditions.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct Deny {
    /// {all: […], any: […]}, or a list of conditions that must all hold.
    #[schemars(schema_with = "anything")]
    pub conditions: Value,
}

/// Logins for registries.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct Credentials {
    /// Secrets of type kubernetes.io/dockerconfigjson, as NAME (in the operator's namespace) or NAMESPACE/NAME. Those of
    /// a TrustPolicy are in its own namespace.
    #[schemars(length(max = 16))]
    pub secrets: Vec<String>,
}

/// Where images stand in objects of a kind that is no workload of Kubernetes.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageExtractor {
    /// The way to what holds an image, as /spec/steps/*; `*` stands for every element.
    pub path: String,
    /// The field that holds the image; without it, the last step of the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What the images are called together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The field that tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What makes an image of the text (JMESPath).
    #[serde(rename = "jmesPath", default, skip_serializing_if = "Option::is_none")]
    pub jmes_path: Option<String>,
}

/// Image extractors by kind.
pub(super) type ImageExtractors = BTreeMap<String, Vec<ImageExtractor>>;

/// Anything, of which the schema says nothing.
pub(super) fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

fn objects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "maxItems": 64, "items": {"type": "object"}})
}
