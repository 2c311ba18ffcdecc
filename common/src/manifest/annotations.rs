//! The annotations that carry a signature, in the format of k8s-manifest-sigstore.
//!
//! `<domain>/message` is shared by all signatures; `<domain>/signature`, `certificate` and `bundle` of
//! the n-th further one end in `_n`. Readers stop at the first missing `signature_n`.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use super::message;
use crate::limits;
use crate::signature::{Material, Piece};
use crate::verdict::{Reason, SignatureProblem};

/// The domain that k8s-manifest-sigstore and Kyverno use unless told otherwise.
pub const DEFAULT_DOMAIN: &str = "cosign.sigstore.dev";

/// What may follow the domain; only the first four are read.
const BASE_NAMES: [&str; 5] = ["message", "signature", "certificate", "bundle", "resourceBundleRef"];

/// One signature as its annotations hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSignature<'o> {
    /// Which: 0 has no suffix.
    pub index: usize,
    signature: &'o str,
    certificate: Option<&'o str>,
    bundle: Option<&'o str>,
}

/// The signature annotations of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations<'o> {
    /// The `message` annotation.
    pub message: Option<&'o str>,
    /// Every signature up to the first gap, at most [`limits::SIGNATURES`].
    pub signatures: Vec<RawSignature<'o>>,
    /// What lies there and is not read, in words.
    pub leftovers: Vec<String>,
}

impl<'o> Annotations<'o> {
    /// Reads the annotations of an object's own metadata; those of a pod template are never taken.
    #[must_use]
    pub fn read(object: &'o Value, domain: &str) -> Self {
        let Some(annotations) = object.pointer("/metadata/annotations").and_then(Value::as_object) else {
            return Self::default();
        };
        let get = |base: &str, index: usize| annotations.get(&name(domain, base, index))?.as_str();
        let signatures: Vec<_> = (0..limits::SIGNATURES)
            .map_while(|index| {
                let (certificate, bundle) = (get("certificate", index), get("bundle", index));
                Some(RawSignature { index, signature: get("signature", index)?, certificate, bundle })
            })
            .collect();
        let leftovers = leftovers(annotations, domain, signatures.len());
        Self { message: get("message", 0), signatures, leftovers }
    }
}

/// Annotations of the domain that no reader of this format takes, so that nobody believes they count.
fn leftovers(annotations: &Map<String, Value>, domain: &str, signatures: usize) -> Vec<String> {
    let unread = |base: &str, index: usize| match base {
        "message" | "resourceBundleRef" => base == "resourceBundleRef" || index > 0,
        _ => index >= signatures,
    };
    annotations
        .keys()
        .filter_map(|key| {
            let (base, index) = split_name(key, domain)?;
            unread(base, index).then(|| format!("the annotation {key} is not used"))
        })
        .collect()
}

impl RawSignature<'_> {
    /// The annotation's name, for messages.
    #[must_use]
    pub fn name(&self, domain: &str) -> String {
        name(domain, "signature", self.index)
    }

    /// Decodes the pieces. A certificate or bundle that cannot be decoded is left unread: it can
    /// prove nothing, and only a keyless verifier needs it.
    ///
    /// # Errors
    /// [`Reason::SignatureInvalid`] when the signature is not base64. It is never taken for a file name,
    /// URL or key reference, which would let a manifest make the verifier read files or call hosts.
    pub fn decode(&self) -> Result<Material, Reason> {
        let invalid = |problem| Reason::SignatureInvalid { problem };
        if self.signature.len() > limits::SIGNATURE_BYTES * 2 {
            return Err(invalid(SignatureProblem::TooLarge));
        }
        let signature = STANDARD.decode(self.signature).map_err(|_| invalid(SignatureProblem::NotBase64))?;
        let mut material = Material { signature, ..Material::default() };
        let mut piece = |piece, text: Option<&str>, limit| {
            let decoded = read_piece(text?, limit);
            if decoded.is_none() {
                material.unread.push(piece);
            }
            decoded
        };
        let certificate = piece(Piece::Certificate, self.certificate, limits::CERTIFICATE_BYTES);
        let bundle = piece(Piece::Bundle, self.bundle, limits::BUNDLE_BYTES);
        Ok(Material { certificate, bundle, ..material })
    }
}

/// The annotations of a signature that has these pieces: base names and texts. A timestamp has none.
pub(super) fn pieces(signature: &Material) -> impl Iterator<Item = (&'static str, String)> {
    let packed = |text: &String| message::encode(text.as_bytes());
    [
        ("signature", Some(STANDARD.encode(&signature.signature))),
        ("certificate", signature.certificate.as_ref().map(packed)),
        ("bundle", signature.bundle.as_ref().map(packed)),
    ]
    .into_iter()
    .filter_map(|(name, text)| Some((name, text?)))
}

/// base64(gzip(text)), if it is that and ends within the limit.
fn read_piece(text: &str, limit: usize) -> Option<String> {
    let bytes = gunzip(&STANDARD.decode(text).ok()?, limit)?;
    String::from_utf8(bytes).ok()
}

/// Everything a gzip stream holds, if it ends within `limit` bytes; the limit stops decompression bombs.
pub(super) fn gunzip(bytes: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    MultiGzDecoder::new(bytes).take(limit + 1).read_to_end(&mut decoded).ok()?;
    (decoded.len() as u64 <= limit).then_some(decoded)
}

/// `<domain>/<base>`, with `_<index>` for all but the first.
#[must_use]
pub fn name(domain: &str, base: &str, index: usize) -> String {
    match index {
        0 => format!("{domain}/{base}"),
        _ => format!("{domain}/{base}_{index}"),
    }
}

/// The base name and index of an annotation of this format; `None` for any other.
fn split_name<'k>(key: &'k str, domain: &str) -> Option<(&'k str, usize)> {
    let rest = key.strip_prefix(domain)?.strip_prefix('/')?;
    if BASE_NAMES.contains(&rest) {
        return Some((rest, 0));
    }
    let (base, index) = rest.rsplit_once('_')?;
    let canonical = !index.starts_with('0') && !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
    (BASE_NAMES.contains(&base) && canonical).then(|| Some((base, index.parse().ok()?))).flatten()
}

/// Whether an annotation belongs to the signature format of `domain`.
#[must_use]
pub fn is_signature_annotation(key: &str, domain: &str) -> bool {
    split_name(key, domain).is_some()
}

/// Removes every annotation of the format, and the `annotations` map should it be empty then: what is
/// left is what gets signed.
pub fn strip(object: &mut Value, domain: &str) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !is_signature_annotation(key, domain));
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn annotated(annotations: &Value) -> Value {
        json!({"metadata": {"annotations": annotations}})
    }

    #[test]
    fn reading_stops_at_the_first_gap_and_says_what_it_left() {
        let object =
            annotated(&json!({"cosign.sigstore.dev/message": "m", "cosign.sigstore.dev/signature": "a",
            "cosign.sigstore.dev/signature_2": "c", "cosign.sigstore.dev/resourceBundleRef": "r"}));
        let read = Annotations::read(&object, DEFAULT_DOMAIN);
        assert_eq!((read.message, read.signatures.len()), (Some("m"), 1));
        assert_eq!(read.leftovers.len(), 2, "{:?}", read.leftovers);
    }

    #[test]
    fn only_exact_names_belong_to_the_format() {
        for (key, belongs) in [
            ("cosign.sigstore.dev/signature", true),
            ("cosign.sigstore.dev/signature_12", true),
            ("cosign.sigstore.dev/signature_01", false),
            ("cosign.sigstore.dev/signature_", false),
            ("cosign.sigstore.dev/messageFoo", false),
            ("cosign.sigstore.dev/imageRef", false),
            ("xcosign.sigstore.dev/message", false),
            ("cosignXsigstore.dev/message", false),
        ] {
            assert_eq!(is_signature_annotation(key, DEFAULT_DOMAIN), belongs, "{key}");
        }
    }

    #[test]
    fn a_reference_is_not_a_signature() {
        for text in ["https://evil.example/sig", "env://HOME", "/etc/passwd", "k8s://a/b", "MEUC"] {
            let object = annotated(&json!({"cosign.sigstore.dev/signature": text}));
            let signature = Annotations::read(&object, DEFAULT_DOMAIN).signatures[0].decode();
            let bad = SignatureProblem::NotBase64;
            let decoded_anyway = text == "MEUC";
            assert_eq!(signature.is_ok(), decoded_anyway, "{text}");
            assert!(decoded_anyway || signature == Err(Reason::SignatureInvalid { problem: bad }));
        }
    }

    #[test]
    fn a_bomb_is_cut_at_the_limit() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &vec![0; 3_000_000]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert_eq!(gunzip(&bomb, 2_999_999), None);
        assert_eq!(gunzip(&bomb, 3_000_000).map(|bytes| bytes.len()), Some(3_000_000));
        assert_eq!(gunzip(&bomb[..bomb.len() - 4], 3_000_000), None);
    }

    #[test]
    fn stripping_leaves_no_trace() {
        let mut object =
            annotated(&json!({"cosign.sigstore.dev/message": "m", "cosign.sigstore.dev/bundle_3": "b"}));
        strip(&mut object, DEFAULT_DOMAIN);
        assert_eq!(object, json!({"metadata": {}}));
        let mut kept = annotated(&json!({"cosign.sigstore.dev/message": "m", "a": "b"}));
        strip(&mut kept, DEFAULT_DOMAIN);
        assert_eq!(kept, annotated(&json!({"a": "b"})));
    }
}
