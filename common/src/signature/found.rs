//! One signature or attestation of an image as it was found, in whatever format: decoded, not believed.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sigstore_types::{Bundle, DsseEnvelope, SignatureContent};

use super::evidence::Material;
use super::simple_signing::ImageClaim;
use super::statement::{PAYLOAD_TYPE, Statement};
use crate::digest::Digest;
use crate::limits;
use crate::verdict::{Payload, Reason, Said, SignatureProblem};

/// Annotations that cosign puts on a layer of its first format (`pkg/oci/static` and `SIGNATURE_SPEC.md`).
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const BUNDLE: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// The annotations of a layer.
pub type Annotations = std::collections::BTreeMap<String, String>;

impl Material {
    /// As the annotations of a layer in cosign's first format.
    #[must_use]
    pub fn layer_annotations(&self) -> Annotations {
        let pieces = [
            (SIGNATURE, Some(STANDARD.encode(&self.signature))),
            (CERTIFICATE, self.certificate.clone()),
            (CHAIN, self.chain.clone()),
            (BUNDLE, self.bundle.clone()),
            (TIMESTAMP, self.timestamp.clone()),
        ];
        pieces.into_iter().filter_map(|(name, piece)| Some((name.to_owned(), piece?))).collect()
    }
}

/// Parts of a bundle that its reader takes for granted, or one of which it takes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    media_type: Option<IgnoredAny>,
    message_signature: Option<IgnoredAny>,
    dsse_envelope: Option<IgnoredAny>,
}

/// Reads a bundle that has one meaning: of a version, and with one signed content (a `oneof` of
/// `sigstore_bundle.proto`).
fn read_bundle(text: &str) -> Result<Bundle, String> {
    let bundle = Bundle::from_json(text).map_err(|error| error.to_string())?;
    let outline: Outline = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match outline {
        Outline { media_type: None, .. } => Err("it names no media type".to_owned()),
        Outline { message_signature: Some(_), dsse_envelope: Some(_), .. } => {
            Err("it holds a signature over bytes and an envelope; one of the two is signed".to_owned())
        }
        Outline { .. } => Ok(bundle),
    }
}

/// How a signature is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// cosign's first format: a payload that names the image, and annotations beside it.
    SimpleSigning,
    /// cosign's first format for attestations: a DSSE envelope, and annotations beside it.
    Attestation,
    /// A Sigstore bundle.
    Bundle,
    /// A signature over bytes, and pieces beside it.
    Detached,
}

impl Format {
    /// Whether signatures of images come in this format.
    #[must_use]
    pub fn holds_signatures(self) -> bool {
        match self {
            Self::SimpleSigning | Self::Bundle | Self::Detached => true,
            Self::Attestation => false,
        }
    }

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SimpleSigning => "legacy signature",
            Self::Attestation => "legacy attestation",
            Self::Bundle => "bundle",
            Self::Detached => "detached signature",
        }
    }
}

/// What was signed.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// A payload that names an image.
    Image(ImageClaim),
    /// A statement about an image; also that it is signed.
    Statement(Statement),
    /// The bytes of the manifest (or file) themselves.
    Bytes,
}

impl Claim {
    /// What is wrong with it as a claim about `digest`, if anything is.
    ///
    /// Attack A21: a good signature of another image, copied beside this one.
    #[must_use]
    pub fn contradicts(&self, digest: &Digest) -> Option<Reason> {
        let found = match self {
            Self::Image(claim) if claim.digest != *digest => claim.digest.to_string(),
            Self::Statement(statement) if !statement.is_about(digest) => {
                statement.subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
            Self::Image(_) | Self::Statement(_) | Self::Bytes => return None,
        };
        Some(Reason::DigestMismatch { expected: digest.to_string(), found })
    }

    /// The statement, if it is one.
    #[must_use]
    pub fn statement(&self) -> Option<&Statement> {
        match self {
            Self::Statement(statement) => Some(statement),
            Self::Image(_) | Self::Bytes => None,
        }
    }

    /// Whether it says that an image (or a file) is signed, rather than something about it.
    ///
    /// Attack A25: an attestation of a failed scan by the right signer is not a signature.
    #[must_use]
    pub fn is_signature(&self) -> bool {
        match self {
            Self::Image(_) | Self::Bytes => true,
            Self::Statement(statement) => statement.is_image_signature(),
        }
    }
}

/// A signature as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where, for people: `sha256-….sig`, `referrer sha256:…`.
    pub place: String,
    /// How it is written down.
    pub format: Format,
    /// What it says; [`Reason::PayloadInvalid`] where that cannot be read.
    pub claim: Result<Claim, Reason>,
    pub(super) body: Body,
    id: [u8; 32],
    said: OnceLock<Option<Arc<Payload>>>,
}

/// The signature itself.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// Over bytes, with pieces beside it.
    Detached { message: Arc<[u8]>, material: Material },
    /// A DSSE envelope, with pieces beside it.
    Envelope { envelope: Box<DsseEnvelope>, material: Material },
    /// All in one.
    Bundle(Box<Bundle>),
    /// It cannot be read; nothing is proven by it.
    Unreadable(Reason),
}

impl Found {
    /// A layer of a `.sig` manifest: the payload, and annotations.
    #[must_use]
    pub fn simple_signing(place: String, payload: Arc<[u8]>, annotations: &Annotations) -> Self {
        let claim = ImageClaim::parse(&payload).map(Claim::Image).map_err(invalid);
        let id = id(Format::SimpleSigning, &payload, Some(annotations));
        let body = match detached(annotations) {
            Ok(material) => Body::Detached { message: payload, material },
            Err(problem) => Body::Unreadable(Reason::SignatureInvalid { problem }),
        };
        Self { place, format: Format::SimpleSigning, claim, body, id, said: OnceLock::new() }
    }

    /// A layer of an `.att` manifest: a DSSE envelope, and annotations.
    #[must_use]
    pub fn attestation(place: String, envelope: &[u8], annotations: &Annotations) -> Self {
        let format = Format::Attestation;
        let id = id(format, envelope, Some(annotations));
        match serde_json::from_slice::<DsseEnvelope>(envelope) {
            Ok(envelope) => {
                let claim = statement(&envelope);
                let material = pieces(annotations);
                Self {
                    place,
                    format,
                    claim,
                    body: Body::Envelope { envelope: Box::new(envelope), material },
                    id,
                    said: OnceLock::new(),
                }
            }
            Err(error) => {
                Self::unreadable(place, format, id, invalid(format!("it is not a DSSE envelope ({error})")))
            }
        }
    }

    /// A Sigstore bundle (protobuf-specs, `sigstore_bundle.proto`), versions 0.1 to 0.3.
    #[must_use]
    pub fn bundle(place: String, json: &[u8]) -> Self {
        let format = Format::Bundle;
        let id = id(format, json, None);
        let text = std::str::from_utf8(json).map_err(|error| error.to_string());
        match text.and_then(read_bundle) {
            Ok(bundle) => Self {
                place,
                format,
                claim: claim_of(&bundle),
                body: Body::Bundle(Box::new(bundle)),
                id,
                said: OnceLock::new(),
            },
            Err(detail) => Self::unreadable(place, format, id, Reason::BundleInvalid { detail }),
        }
    }

    /// A detached signature over the bytes of a message or file, whose digest is known already, with the
    /// pieces that came with it. A signature that could not be read proves nothing.
    #[must_use]
    pub fn of_message(message: &Arc<[u8]>, digest: &Digest, material: Result<Material, Reason>) -> Self {
        let id = id_of_material(digest, material.as_ref().ok());
        let (claim, format) = (Ok(Claim::Bytes), Format::Detached);
        let body = match material {
            Ok(material) => Body::Detached { message: Arc::clone(message), material },
            Err(reason) => Body::Unreadable(reason),
        };
        Self { place: String::new(), format, claim, body, id, said: OnceLock::new() }
    }

    fn unreadable(place: String, format: Format, id: [u8; 32], reason: Reason) -> Self {
        Self {
            place,
            format,
            claim: Err(reason.clone()),
            body: Body::Unreadable(reason),
            id,
            said: OnceLock::new(),
        }
    }

    /// A hash over everything it holds, to keep facts about it by.
    #[must_use]
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// What it says, for scripts; nothing where it is about bytes, or cannot be read.
    #[must_use]
    pub fn payload(&self) -> Option<Arc<Payload>> {
        let payload = || {
            let said = match self.claim.as_ref().ok()? {
                Claim::Image(ImageClaim { digest, reference, annotations }) => {
                    let (reference, annotations) = (reference.clone(), annotations.clone());
                    Said::Image { digest: digest.to_string(), reference, annotations }
                }
                Claim::Statement(Statement { predicate_type, predicate, .. }) => {
                    let (predicate_type, predicate) = (predicate_type.clone(), Arc::clone(predicate));
                    Said::Statement { predicate_type, predicate }
                }
                Claim::Bytes => return None,
            };
            Some(Arc::new(Payload { said, format: self.format.name(), found: self.place.clone() }))
        };
        self.said.get_or_init(payload).clone()
    }

    /// Whether something comes with it that is to prove a log entry or a time.
    #[must_use]
    pub fn has_entry(&self) -> bool {
        match &self.body {
            Body::Detached { material, .. } | Body::Envelope { material, .. } => {
                material.bundle.is_some() || material.timestamp.is_some()
            }
            Body::Bundle(bundle) => {
                let material = &bundle.verification_material;
                let stamps = &material.timestamp_verification_data.rfc3161_timestamps;
                !material.tlog_entries.is_empty() || !stamps.is_empty()
            }
            Body::Unreadable(_) => false,
        }
    }

    /// Whether the bytes of what it is about are needed to verify it, not only their digest.
    #[must_use]
    pub fn needs_bytes(&self) -> bool {
        matches!(&self.claim, Ok(Claim::Bytes))
    }
}

fn invalid(problem: String) -> Reason {
    Reason::PayloadInvalid { problem }
}

fn claim_of(bundle: &Bundle) -> Result<Claim, Reason> {
    match &bundle.content {
        SignatureContent::MessageSignature(_) => Ok(Claim::Bytes),
        SignatureContent::DsseEnvelope(envelope) => statement(envelope),
        _ => Err(invalid("its content is of an unknown kind".to_owned())),
    }
}

/// The statement of an envelope.
///
/// Attack A26: an envelope whose payload type says that its payload is something else.
fn statement(envelope: &DsseEnvelope) -> Result<Claim, Reason> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(invalid(format!("the payload type `{}` is not {PAYLOAD_TYPE}", envelope.payload_type)));
    }
    Statement::parse(envelope.payload.as_bytes()).map(Claim::Statement).map_err(invalid)
}

/// The signature of a `.sig` layer and its pieces.
fn detached(annotations: &Annotations) -> Result<Material, SignatureProblem> {
    let text = annotations.get(SIGNATURE).map(String::as_str).unwrap_or_default();
    let signature = STANDARD.decode(text.trim()).map_err(|_| SignatureProblem::NotBase64)?;
    if signature.is_empty() {
        return Err(SignatureProblem::NotBase64);
    }
    if signature.len() > limits::SIGNATURE_BYTES {
        return Err(SignatureProblem::TooLarge);
    }
    Ok(Material { signature, ..pieces(annotations) })
}

/// The certificate with its chain, the log entry and the timestamp of a layer.
fn pieces(annotations: &Annotations) -> Material {
    let piece = |name: &str| annotations.get(name).filter(|text| !text.trim().is_empty()).cloned();
    Material {
        certificate: piece(CERTIFICATE),
        chain: piece(CHAIN),
        bundle: piece(BUNDLE),
        timestamp: piece(TIMESTAMP),
        ..Material::default()
    }
}

/// The same for a detached signature. A piece that is absent, one that is empty and one that cannot be read
/// are three things.
fn id_of_material(digest: &Digest, material: Option<&Material>) -> [u8; 32] {
    let mut pieces = Annotations::new();
    if let Some(material) = material {
        pieces.insert("signature".to_owned(), hex::encode(&material.signature));
        let named = [
            ("certificate", &material.certificate),
            ("chain", &material.chain),
            ("bundle", &material.bundle),
        ];
        let named = named.into_iter().chain([("timestamp", &material.timestamp)]);
        pieces.extend(named.filter_map(|(name, text)| Some((name.to_owned(), text.clone()?))));
        pieces
            .extend(material.unread.iter().map(|piece| (format!("unread {}", piece.name()), String::new())));
    }
    id(Format::Detached, digest.to_string().as_bytes(), Some(&pieces))
}

/// A hash in which no part can run into the next.
fn id(format: Format, content: &[u8], annotations: Option<&Annotations>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let mut part = |bytes: &[u8]| {
        context.update(&(bytes.len() as u64).to_be_bytes());
        context.update(bytes);
    };
    part(format.name().as_bytes());
    part(content);
    for (key, value) in annotations.into_iter().flatten() {
        part(key.as_bytes());
        part(value.as_bytes());
    }
    let mut id = [0; 32];
    id.copy_from_slice(context.finish().as_ref());
    id
}
