//! Answers, as they are given and as they are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::{Algorithm, Digest};
use crate::registry::{Content, Descriptor, Manifest};

/// An answer that is something.
#[derive(Clone)]
pub(super) enum Thing {
    Manifest(Arc<Manifest>),
    Blob(Arc<[u8]>),
    List(Arc<[Descriptor]>),
    Digests(Arc<[Digest]>),
}

/// The same as bytes, of which it can be read again: what a manifest says takes as much room once more, and
/// most of what is known is not asked for at the moment.
#[derive(Clone)]
pub(super) enum Packed {
    Manifest {
        media_type: &'static str,
        /// Unless it is the SHA-256 digest of the bytes.
        digest: Option<Box<Digest>>,
        bytes: Arc<[u8]>,
    },
    Blob(Arc<[u8]>),
    /// JSON of descriptors.
    List(Arc<[u8]>),
    /// Lines of text.
    Digests(Arc<[u8]>),
}

impl Packed {
    /// `None` for what cannot be written down.
    pub(super) fn of(thing: &Thing) -> Option<Self> {
        Some(match thing {
            Thing::Manifest(manifest) => {
                let (media_type, bytes) = (manifest.media_type, Arc::clone(&manifest.bytes));
                let other = manifest.digest.algorithm() != Algorithm::Sha256;
                Self::Manifest { media_type, digest: other.then(|| manifest.digest.clone().into()), bytes }
            }
            Thing::Blob(bytes) => Self::Blob(Arc::clone(bytes)),
            Thing::List(list) => Self::List(serde_json::to_vec(list).ok()?.into()),
            Thing::Digests(digests) => {
                let lines: Vec<_> = digests.iter().map(ToString::to_string).collect();
                Self::Digests(lines.join("\n").into_bytes().into())
            }
        })
    }

    /// Reads it again.
    pub(super) fn thing(&self) -> Option<Thing> {
        Some(match self {
            Self::Manifest { media_type, digest, bytes } => {
                let digest = digest.as_deref().cloned().unwrap_or_else(|| Digest::of(bytes));
                Thing::Manifest(Manifest::again(media_type, digest, Arc::clone(bytes)).ok()?.into())
            }
            Self::Blob(bytes) => Thing::Blob(Arc::clone(bytes)),
            Self::List(bytes) => Thing::List(serde_json::from_slice::<Vec<_>>(bytes).ok()?.into()),
            Self::Digests(bytes) => {
                let lines = std::str::from_utf8(bytes).ok()?.lines();
                Thing::Digests(lines.map(Digest::parse).collect::<Result<_, _>>().ok()?)
            }
        })
    }

    pub(super) fn bytes(&self) -> &Arc<[u8]> {
        match self {
            Self::Manifest { bytes, .. } | Self::Blob(bytes) | Self::List(bytes) | Self::Digests(bytes) => {
                bytes
            }
        }
    }
}

impl Thing {
    pub(super) fn is_empty_list(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Digests(digests) => digests.is_empty(),
            Self::Manifest(_) | Self::Blob(_) => false,
        }
    }

    /// Bytes in memory beside those that are kept of it anyway, estimated from above.
    ///
    /// Attack: a manifest of many tiny texts takes ten times its bytes, so its bytes are not its weight.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Blob(_) => 0,
            Self::List(list) => list.iter().map(descriptor).sum(),
            Self::Digests(digests) => {
                digests.iter().map(|digest| size_of::<Digest>() + digest.hex().len()).sum()
            }
            Self::Manifest(manifest) => size_of::<Manifest>() + content(&manifest.content),
        }
    }
}

fn content(content: &Content) -> usize {
    match content {
        Content::Image(image) => {
            let inside = image.layers.iter().chain(&image.config).chain(&image.subject).map(descriptor);
            inside.sum::<usize>() + texts(&image.annotations) + image.artifact_type.as_ref().map_or(0, text)
        }
        Content::Index(index) => {
            let inside = index.manifests.iter().chain(&index.subject).map(descriptor);
            inside.sum::<usize>() + texts(&index.annotations)
        }
    }
}

fn descriptor(of: &Descriptor) -> usize {
    let platform = of.platform.as_ref().map_or(0, |platform| {
        text(&platform.os) + text(&platform.architecture) + platform.variant.as_ref().map_or(0, text)
    });
    let artifact_type = of.artifact_type.as_ref().map_or(0, text);
    // A shared text counts its owners as well.
    let own = size_of::<Descriptor>() + of.digest.hex().len() + 4 * size_of::<usize>();
    own + text(&of.media_type) + artifact_type + texts(&of.annotations) + platform
}

/// A text with the room that its allocation takes beside it.
fn text(of: &String) -> usize {
    of.capacity() + 2 * size_of::<usize>()
}

/// A map: nodes have room for eleven entries, and are at least five elevenths full but for the first.
fn texts(of: &BTreeMap<String, String>) -> usize {
    const NODE: usize = 640;
    if of.is_empty() {
        return 0;
    }
    let nodes = of.len().div_ceil(5);
    nodes * NODE + of.iter().map(|(key, value)| text(key) + text(value)).sum::<usize>()
}
