//! Making signatures with a key, in both formats that cosign reads.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sigstore_types::pae;

use super::statement::{IMAGE_SIGNATURE, PAYLOAD_TYPE};
use crate::digest::Digest;
use crate::key::{KeyError, PrivateKey};

/// Media type of a bundle of version 0.3.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Free texts that the signer adds.
pub type Said = BTreeMap<String, String>;

/// The payload of cosign's first format for one image; it is what is signed, byte by byte.
#[must_use]
pub fn simple_signing_payload(reference: &str, digest: &Digest, said: &Said) -> Vec<u8> {
    let optional = if said.is_empty() { Value::Null } else { json!(said) };
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": reference},
            "image": {"docker-manifest-digest": digest.to_string()},
            "type": "cosign container image signature",
        },
        "optional": optional,
    });
    payload.to_string().into_bytes()
}

/// The statement by which an image is signed in cosign's second format.
#[must_use]
pub fn signature_statement(digest: &Digest, said: &Said) -> Value {
    let mut subject = json!({"digest": {digest.algorithm().name(): digest.hex()}});
    if !said.is_empty() {
        subject["annotations"] = json!(said);
    }
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": IMAGE_SIGNATURE,
        "predicate": {},
    })
}

/// A statement about the thing with this digest; `name` is what the thing is called, where it has a name.
#[must_use]
pub fn statement(name: &str, digest: &Digest, predicate_type: &str, predicate: &Value) -> Value {
    let mut subject = json!({"digest": {digest.algorithm().name(): digest.hex()}});
    if !name.is_empty() {
        subject["name"] = json!(name);
    }
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": predicate_type,
        "predicate": predicate,
    })
}

/// A bundle that holds a statement, signed.
///
/// # Errors
/// [`KeyError::Refused`] when the crypto library fails.
pub fn statement_bundle(statement: &Value, key: &PrivateKey) -> Result<Vec<u8>, KeyError> {
    let payload = statement.to_string().into_bytes();
    let signature = key.sign(&pae(PAYLOAD_TYPE, &payload))?;
    let bundle = json!({
        "mediaType": BUNDLE_MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint(key)}},
        "dsseEnvelope": {
            "payload": STANDARD.encode(&payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": STANDARD.encode(signature)}],
        },
    });
    Ok(bundle.to_string().into_bytes())
}

/// A bundle that holds a signature over bytes.
///
/// # Errors
/// [`KeyError::Refused`] when the crypto library fails.
pub fn message_bundle(bytes: &[u8], key: &PrivateKey) -> Result<Vec<u8>, KeyError> {
    let signature = key.sign(bytes)?;
    let bundle = json!({
        "mediaType": BUNDLE_MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint(key)}},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(Digest::of(bytes).bytes())},
            "signature": STANDARD.encode(signature),
        },
    });
    Ok(bundle.to_string().into_bytes())
}

/// By which verifiers find the key: the hash of its `SubjectPublicKeyInfo`, as cosign writes it.
fn hint(key: &PrivateKey) -> String {
    STANDARD.encode(Digest::of(key.public().spki()).bytes())
}
