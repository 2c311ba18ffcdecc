//! What accepted signatures and attestations say, for scripts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

/// What one signature or attestation says. It is kept beside the signature and shared by every decision that
/// accepts it; it becomes JSON only where somebody asks for that.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// What is said.
    pub said: Said,
    /// How it is written down.
    pub format: &'static str,
    /// Where it was found.
    pub found: String,
}

/// What is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// That an image is signed.
    Image {
        /// Its digest.
        digest: String,
        /// What it was called.
        reference: String,
        /// What else was said.
        annotations: BTreeMap<String, String>,
    },
    /// Something about an image.
    Statement {
        /// Of which type.
        predicate_type: String,
        /// What.
        predicate: Arc<Value>,
    },
}

impl Payload {
    /// As it stands in the JSON verdict.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Self { said, format, found } = self;
        match said {
            Said::Image { digest, reference, annotations } => json!({
                "digest": digest, "reference": reference, "annotations": annotations, "format": format, "found": found,
            }),
            Said::Statement { predicate_type, predicate } => json!({
                "predicateType": predicate_type, "predicate": **predicate, "format": format, "found": found,
            }),
        }
    }
}
