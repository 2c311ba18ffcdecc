//! What cosign signs for an image in its first format: a small JSON payload that names the image
//! ("simple signing", `containers-signature(5)` and cosign's `SIGNATURE_SPEC.md`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::limits;

/// Media type of the layer that holds the payload.
pub const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// The types that a payload of an image signature has: cosign's own, and that of the specification.
const TYPES: [&str; 2] = ["cosign container image signature", "atomic container signature"];

/// What a payload says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageClaim {
    /// The manifest that was signed.
    pub digest: Digest,
    /// What the signer called the image: a repository, with a tag or not. Empty where nothing was said.
    pub reference: String,
    /// What the signer says besides (`cosign sign -a key=value`). Values that are not texts are kept as
    /// JSON.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    critical: Critical,
    #[serde(default)]
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

impl ImageClaim {
    /// Reads a payload.
    ///
    /// Attack A23: a payload with fields that are not known, with one field twice, or of another type must
    /// not be read as a claim about an image; `critical` means that a reader understands all of it.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > limits::PAYLOAD_BYTES {
            return Err(format!("the payload is larger than {} bytes", limits::PAYLOAD_BYTES));
        }
        let payload: Payload = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is not a simple signing payload ({error})"))?;
        let Critical { identity, image, kind } = payload.critical;
        if !TYPES.contains(&kind.as_str()) {
            return Err(format!("its type `{kind}` is not that of an image signature"));
        }
        let digest = Digest::parse(&image.digest).map_err(|error| error.to_string())?;
        let text = |value: Value| match value {
            Value::String(text) => text,
            other
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                other.to_string()
            }
        };
        let optional = payload.optional.unwrap_or_default();
        let annotations = optional.into_iter().map(|(key, value)| (key, text(value))).collect();
        Ok(Self { digest, reference: identity.reference, annotations })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload() -> Value {
        json!({
            "critical": {
                "identity": {"docker-reference": "ghcr.io/acme/app"},
                "image": {"docker-manifest-digest": Digest::of(b"x").to_string()},
                "type": "cosign container image signature",
            },
            "optional": {"env": "prod", "build": 7},
        })
    }

    #[test]
    fn a_payload_names_the_image_and_what_the_signer_said() {
        let claim = ImageClaim::parse(payload().to_string().as_bytes()).unwrap();
        assert_eq!((claim.digest, claim.reference.as_str()), (Digest::of(b"x"), "ghcr.io/acme/app"));
        assert_eq!(claim.annotations["env"], "prod");
        assert_eq!(claim.annotations["build"], "7");
        let mut bare = payload();
        bare["optional"] = Value::Null;
        assert!(ImageClaim::parse(bare.to_string().as_bytes()).unwrap().annotations.is_empty());
    }

    /// Attack A23: every break of the payload is refused, whoever signed it.
    #[test]
    fn a23_what_is_not_exactly_a_payload_is_refused() {
        type Break = fn(&mut Value);
        let breaks: [Break; 8] = [
            |v| v["extra"] = json!(1),
            |v| v["critical"]["extra"] = json!(1),
            |v| v["critical"]["image"]["extra"] = json!(1),
            |v| v["critical"]["type"] = json!("atomic container"),
            |v| v["critical"]["image"]["docker-manifest-digest"] = json!("sha256:../../"),
            |v| v["critical"]["identity"] = json!({}),
            |v| v["critical"] = json!([]),
            |v| v["optional"] = json!([1]),
        ];
        for (index, change) in breaks.iter().enumerate() {
            let mut broken = payload();
            change(&mut broken);
            assert!(ImageClaim::parse(broken.to_string().as_bytes()).is_err(), "break {index}");
        }
        let text = payload().to_string();
        let twice = text.replace("\"type\":", "\"type\":\"cosign container image signature\",\"type\":");
        let marked = format!("\u{feff}{text}");
        let nan = text.replace("\"build\":7", "\"build\":NaN");
        let deep = text.replace("\"build\":7", &format!("\"build\":{}1{}", "[".repeat(200), "]".repeat(200)));
        let trailing = format!("{text} {{}}");
        for broken in [twice, marked, nan, deep, trailing, String::new()] {
            assert!(ImageClaim::parse(broken.as_bytes()).is_err(), "{broken}");
        }
        let mut latin = text.into_bytes();
        let at = latin.windows(4).position(|bytes| bytes == b"prod").unwrap();
        latin[at] = 0xe9;
        assert!(ImageClaim::parse(&latin).is_err(), "not UTF-8");
        assert!(ImageClaim::parse(&vec![b' '; limits::PAYLOAD_BYTES + 1]).is_err());
    }
}
