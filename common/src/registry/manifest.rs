//! Manifests and indexes (OCI image specification, `manifest.md`, `image-index.md`, `descriptor.md`; the
//! Docker media types of schema 2 have the same shape).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::image::Platform;
use crate::limits;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Media types that a client of manifests accepts.
pub const MANIFEST_MEDIA_TYPES: [&str; 4] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX];

/// A manifest or index, with the bytes that its digest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// One of [`MANIFEST_MEDIA_TYPES`].
    pub media_type: &'static str,
    /// The digest of `bytes`.
    pub digest: Digest,
    /// What the registry sent.
    pub bytes: Arc<[u8]>,
    /// What it says.
    pub content: Content,
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One image or artifact.
    Image(ImageManifest),
    /// A list of manifests, usually one a platform.
    Index(Index),
}

/// One image or artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// What kind of artifact it says it is.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// The configuration; its media type is the artifact type of older artifacts.
    pub config: Option<Descriptor>,
    /// The contents.
    #[serde(default, deserialize_with = "or_empty")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// Free texts.
    #[serde(default, deserialize_with = "or_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A list of manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// The manifests.
    #[serde(default, deserialize_with = "or_empty")]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this index is about.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// Free texts.
    #[serde(default, deserialize_with = "or_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What one manifest says of another blob or manifest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Of the thing.
    pub media_type: String,
    /// Of the thing.
    #[serde(deserialize_with = "digest")]
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What kind of artifact the thing is said to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Free texts.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// For which platform, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

/// Why bytes are no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not the JSON of a manifest.
    #[error("it is not the JSON of a manifest: {0}")]
    Json(String),
    /// A media type that we do not read.
    #[error("its media type `{0}` is not that of an image manifest or index")]
    MediaType(String),
    /// The body says it is one thing and the header another, or it has the fields of both.
    #[error("it can be read as a manifest and as an index")]
    Ambiguous,
    /// More entries than any honest one.
    #[error("it lists more than {} entries", limits::MANIFEST_ENTRIES)]
    TooManyEntries,
}

/// The fields that tell which kind it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    layers: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    config: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// Reads a manifest; `declared` is the media type that came beside it (`Content-Type`, or that of a
    /// descriptor), where there was one.
    ///
    /// Attack (CVE-2021-41190): bytes that one client reads as a manifest and another as an index have two
    /// meanings under one digest. A body that has the fields of both, or that contradicts the media type
    /// beside it, is refused.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn parse(bytes: Arc<[u8]>, declared: Option<&str>) -> Result<Self, ManifestError> {
        let kind: Kind = serde_json::from_slice(&bytes).map_err(json)?;
        let declared = declared.map(|text| text.split(';').next().unwrap_or(text).trim());
        let declared = declared.filter(|text| !text.is_empty() && !is_generic(text));
        let media_type = match (kind.media_type.as_deref(), declared) {
            (Some(inside), Some(outside)) if inside != outside => return Err(ManifestError::Ambiguous),
            (Some(known), _) | (None, Some(known)) => known,
            // OCI: "SHOULD be present"; without it the fields tell.
            (None, None) if kind.manifests.is_some() => OCI_INDEX,
            (None, None) => OCI_MANIFEST,
        };
        let known = MANIFEST_MEDIA_TYPES.into_iter().find(|known| *known == media_type);
        let media_type = known.ok_or_else(|| ManifestError::MediaType(media_type.to_owned()))?;
        let is_index = is_index(media_type);
        let as_image = kind.layers.is_some() || kind.config.is_some();
        if (is_index && as_image) || (!is_index && kind.manifests.is_some()) {
            return Err(ManifestError::Ambiguous);
        }
        Self::again(media_type, Digest::of(&bytes), bytes)
    }

    /// The same of bytes that were read before, and have one meaning.
    pub(super) fn again(
        media_type: &'static str,
        digest: Digest,
        bytes: Arc<[u8]>,
    ) -> Result<Self, ManifestError> {
        let (content, entries) = if is_index(media_type) {
            let index: Index = serde_json::from_slice(&bytes).map_err(json)?;
            let entries = index.manifests.len();
            (Content::Index(index), entries)
        } else {
            let image: ImageManifest = serde_json::from_slice(&bytes).map_err(json)?;
            let entries = image.layers.len();
            (Content::Image(image), entries)
        };
        if entries > limits::MANIFEST_ENTRIES {
            return Err(ManifestError::TooManyEntries);
        }
        Ok(Self { media_type, digest, bytes, content })
    }

    /// The manifest that this one is about.
    #[must_use]
    pub fn subject(&self) -> Option<&Descriptor> {
        match &self.content {
            Content::Image(image) => image.subject.as_ref(),
            Content::Index(index) => index.subject.as_ref(),
        }
    }

    /// The image or artifact, if it is not an index.
    #[must_use]
    pub fn image(&self) -> Option<&ImageManifest> {
        match &self.content {
            Content::Image(image) => Some(image),
            Content::Index(_) => None,
        }
    }

    /// The index, if it is one.
    #[must_use]
    pub fn index(&self) -> Option<&Index> {
        match &self.content {
            Content::Index(index) => Some(index),
            Content::Image(_) => None,
        }
    }
}

impl Manifest {
    /// What kind of artifact it says it is; of older artifacts the configuration's media type says so (OCI
    /// distribution specification, "Listing Referrers").
    #[must_use]
    pub fn artifact_type(&self) -> Option<&str> {
        let image = self.image()?;
        let config = image.config.as_ref().map(|config| config.media_type.as_str());
        image.artifact_type.as_deref().filter(|text| !text.is_empty()).or(config)
    }

    /// The manifest as a list of referrers shows it.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        let annotations = match &self.content {
            Content::Image(image) => &image.annotations,
            Content::Index(index) => &index.annotations,
        };
        Descriptor {
            media_type: self.media_type.to_owned(),
            digest: self.digest.clone(),
            size: self.bytes.len() as u64,
            artifact_type: self.artifact_type().map(str::to_owned),
            annotations: annotations.clone(),
            platform: None,
        }
    }
}

/// Whether a media type is that of a manifest or index that we read.
#[must_use]
pub fn is_manifest(media_type: &str) -> bool {
    MANIFEST_MEDIA_TYPES.contains(&media_type)
}

fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_INDEX)
}

#[expect(clippy::needless_pass_by_value, reason = "a function that errors are mapped with")]
fn json(error: serde_json::Error) -> ManifestError {
    ManifestError::Json(error.to_string())
}

/// Media types that say nothing.
fn is_generic(text: &str) -> bool {
    matches!(text, "application/json" | "application/octet-stream" | "text/plain")
}

/// Clients and registries in Go write an empty list or map as `null`, and read it as empty.
fn or_empty<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    Digest::parse(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: &serde_json::Value, declared: Option<&str>) -> Result<Manifest, ManifestError> {
        Manifest::parse(value.to_string().into_bytes().into(), declared)
    }

    fn descriptor(size: u64) -> serde_json::Value {
        json!({"mediaType": "application/octet-stream", "digest": Digest::of(b"x").to_string(), "size": size})
    }

    #[test]
    fn a_manifest_is_what_its_media_type_says() {
        let image = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(1), "layers": [descriptor(2)]});
        let read = parse(&image, Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8")).unwrap();
        assert_eq!(read.image().unwrap().layers[0].size, 2);
        assert_eq!(read.digest, Digest::of(image.to_string().as_bytes()));
        let index = json!({"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests": [descriptor(3)]});
        assert_eq!(parse(&index, None).unwrap().index().unwrap().manifests.len(), 1);
        let bare = json!({"schemaVersion": 2, "manifests": []});
        assert!(parse(&bare, None).unwrap().index().is_some());
    }

    #[test]
    fn null_is_an_empty_list() {
        let index = json!({"mediaType": OCI_INDEX, "manifests": null, "annotations": null});
        assert_eq!(parse(&index, None).unwrap().index(), Some(&Index::default()));
        let image = json!({"mediaType": OCI_MANIFEST, "layers": null});
        assert_eq!(parse(&image, None).unwrap().image(), Some(&ImageManifest::default()));
    }

    /// Attack: one digest, two meanings.
    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let both = json!({"mediaType": OCI_MANIFEST, "layers": [], "manifests": []});
        assert_eq!(parse(&both, None), Err(ManifestError::Ambiguous));
        let index = json!({"mediaType": OCI_INDEX, "manifests": [], "config": descriptor(1)});
        assert_eq!(parse(&index, None), Err(ManifestError::Ambiguous));
        let image = json!({"mediaType": OCI_MANIFEST, "layers": []});
        assert_eq!(parse(&image, Some(OCI_INDEX)), Err(ManifestError::Ambiguous));
        let other = json!({"mediaType": "text/html"});
        assert_eq!(parse(&other, None), Err(ManifestError::MediaType("text/html".to_owned())));
    }

    #[test]
    fn hostile_manifests_are_refused() {
        let layers: Vec<_> = (0..=limits::MANIFEST_ENTRIES).map(|_| descriptor(1)).collect();
        let long = json!({"mediaType": OCI_MANIFEST, "layers": layers});
        assert_eq!(parse(&long, None), Err(ManifestError::TooManyEntries));
        let traversal = json!({"layers": [{"mediaType": "a", "digest": "sha256:../../x", "size": 1}]});
        assert!(matches!(parse(&traversal, None), Err(ManifestError::Json(_))));
        assert!(matches!(Manifest::parse(b"".as_slice().into(), None), Err(ManifestError::Json(_))));
        assert!(matches!(Manifest::parse(b"[]".as_slice().into(), None), Err(ManifestError::Json(_))));
    }
}
