//! Whom a rule trusts.
//!
//! What of these excludes each other is for the compiler to say: attestors stand so deep in lists that the API server
//! will not take expressions (CEL) about them.
#![expect(clippy::doc_markdown, reason = "these comments are what kubectl explain shows, backticks and all")]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

/// Entries of which all, or `count`, must have signed.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct AttestorSet {
    /// How many different signers are needed; without it, all entries must have signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub count: Option<u32>,
    /// Who may have signed.
    #[schemars(length(min = 1, max = 64))]
    pub entries: Vec<AttestorEntry>,
}

/// One signer, or a set of them: exactly one of keys, certificates, keyless and attestor.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct AttestorEntry {
    /// Holders of keys; each PEM block is an entry of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
    /// Holders of certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Certificates>,
    /// An identity that a certificate authority vouches for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyless: Option<Keyless>,
    /// A set in place of one signer, of the form {count, entries}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "object")]
    pub attestor: Option<Value>,
    /// What the signature (of an image) or the object (of a manifest) must be annotated with, exactly.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// A repository in which the signatures of this entry are looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// Keys: exactly one of publicKeys, secret and kms.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// Public keys in PEM, or k8s://NAMESPACE/SECRET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_keys: Option<String>,
    /// The Secret that holds the key as cosign.pub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretName>,
    /// The URI of a key in a key management service. Such keys cannot be read yet: what needs one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms: Option<String>,
    /// The TrustRoot whose logs prove when the signature was made; without it, the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_root: Option<String>,
    /// Do not demand that a log took the signature in. The signature by the key still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_ignore_tlog: Option<bool>,
}

/// A Secret.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct SecretName {
    /// Its name.
    pub name: String,
    /// Its namespace; without it, that of the operator, or of the TrustPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A certificate, the chain above it, or both.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificates {
    /// The signing certificate (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// The certificates above it (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_chain: Option<String>,
    /// The TrustRoot whose logs prove when the signature was made; without it, the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_root: Option<String>,
    /// Do not demand that a log took the signature in. The certificate must be valid now then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_ignore_tlog: Option<bool>,
    /// Do not demand that a certificate log saw the certificate. Chain, time and log entry still hold.
    #[serde(rename = "insecureIgnoreSCT", default, skip_serializing_if = "Option::is_none")]
    pub insecure_ignore_sct: Option<bool>,
}

/// An identity and who vouches for it.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Keyless {
    /// A pattern of the identity; `*` and `?` are wildcards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// A regular expression that describes the whole identity.
    #[serde(rename = "subjectRegExp", default, skip_serializing_if = "Option::is_none")]
    pub subject_reg_exp: Option<String>,
    /// A pattern of the issuer of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// A regular expression that describes the whole issuer.
    #[serde(rename = "issuerRegExp", default, skip_serializing_if = "Option::is_none")]
    pub issuer_reg_exp: Option<String>,
    /// Further extensions of the certificate, by name or OID, with exact values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub additional_extensions: BTreeMap<String, String>,
    /// The TrustRoot whose authorities vouch for the identity; without it, the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_root: Option<String>,
    /// Do not demand that a log took the signature in. A timestamp must prove its time then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_ignore_tlog: Option<bool>,
    /// Do not demand that a certificate log saw the certificate. Chain, time, identity and log entry still hold.
    #[serde(rename = "insecureIgnoreSCT", default, skip_serializing_if = "Option::is_none")]
    pub insecure_ignore_sct: Option<bool>,
}

/// An object of which the schema says nothing more; a schema cannot hold itself.
fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object"})
}
