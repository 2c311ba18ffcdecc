//! `TrustRoot`.

use schemars::{JsonSchema, json_schema};
use serde::Serialize;
use serde_json::Value;

/// Whom policies that name this root trust to vouch for identities and to keep logs: a private Sigstore.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.trustedRoot) != has(self.pem)",
    "message": "exactly one of trustedRoot and pem is needed",
}]))]
pub struct TrustRootSpec {
    /// A Sigstore trusted root, as `trusted_root.json` has it (media type application/vnd.dev.sigstore.trustedroot…).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "object")]
    pub trusted_root: Option<Value>,
    /// The same in PEM, without validity windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem: Option<Pem>,
}

/// Authorities and logs in PEM. What is not named does not exist: without `ctLogKeys`, no certificate has to prove that
/// it was logged; without `rekorKeys`, nothing is believed to have been logged.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.intermediates) || has(self.certificateAuthorities)",
    "message": "intermediates mean nothing without certificateAuthorities",
}]))]
pub struct Pem {
    /// Root certificates of the authority that issues signing certificates (Fulcio).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authorities: Option<String>,
    /// Intermediate certificates below them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intermediates: Option<String>,
    /// Public keys of transparency logs (Rekor).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rekor_keys: Option<String>,
    /// Public keys of certificate transparency logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ct_log_keys: Option<String>,
    /// Certificates of a timestamp authority, leaf first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_authority: Option<String>,
}

/// An object of which the schema says nothing more.
fn object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    json_schema!({"type": "object"})
}
