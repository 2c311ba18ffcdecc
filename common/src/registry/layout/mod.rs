//! Recorded images: OCI image layouts on disk (OCI image specification, `image-layout.md`).
//!
//! A layout is one folder: `oci-layout` says which version it is, `index.json` lists manifests, `blobs/`
//! holds everything by digest. A manifest's name there is the full reference in the annotation
//! `org.opencontainers.image.ref.name` (or `io.containerd.image.name`). Entries without one, as `cosign
//! save` writes them, stand for the same digest in every repository.
//!
//! An entry with the annotation `kubectl-trust.io/signature-repository` says of an image that all signatures of it
//! in that other repository are in the layout, be it none.

mod answer;
mod folder;
mod lock;
mod open;
pub mod record;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

pub use folder::FileError;
pub use record::{RecordError, Recorded, Recorder};
pub use write::{WriteError, WriteProblem};

use self::folder::Folder;
use super::{Manifest, ManifestError};
use crate::digest::Digest;
use crate::image::{ReferenceError, Repository, Tag};
use crate::limits;

/// The annotation that holds the name of an entry.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The same as containerd and Docker write it, beside a short [`REF_NAME`].
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// What `cosign save` says of an entry, and what it says then.
const COSIGN_KIND: &str = "kind";
const COSIGN_IMAGES: [&str; 2] = ["dev.cosignproject.cosign/image", "dev.cosignproject.cosign/imageIndex"];
/// Kinds of entries that are about the image, and the suffix of the tag that they have in a registry.
const COSIGN_EVIDENCE: [(&str, &str); 2] =
    [("dev.cosignproject.cosign/sigs", ".sig"), ("dev.cosignproject.cosign/atts", ".att")];

/// The repository, not the image's own, in which signatures of the entry's digest were looked for. Ours: no
/// specification has a word for "there are none".
const SIGNATURE_REPOSITORY: &str = "kubectl-trust.io/signature-repository";

const VERSION_FILE: &str = "oci-layout";
const INDEX_FILE: &str = "index.json";
/// The one version of layouts.
const VERSION: &str = "1.0.0";

/// One layout; its manifests are in memory, its blobs on disk.
#[derive(Clone, Debug)]
pub struct Layout {
    folder: Folder,
    manifests: BTreeMap<Digest, Held>,
    tags: BTreeMap<(Repository, Tag), Digest>,
    /// Tags derived from digests, in whatever repository those are asked for.
    derived: BTreeMap<Tag, Digest>,
    /// Images whose signatures in another repository are all in here.
    signatures_in: BTreeSet<(Repository, Digest)>,
}

/// A manifest and where it was recorded.
#[derive(Clone, Debug)]
struct Held {
    manifest: Arc<Manifest>,
    of: BTreeSet<Repository>,
    /// Whether it stands for the same digest in every repository.
    anywhere: bool,
}

/// Several layouts, each of which may answer.
#[derive(Clone, Debug, Default)]
pub struct Layouts(pub Vec<Layout>);

/// Why a folder cannot be read as a layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct LayoutError {
    /// The folder, or the file in it.
    pub path: PathBuf,
    /// What about it.
    pub problem: LayoutProblem,
}

/// What is wrong with a layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutProblem {
    /// A file that is not read.
    #[error("{0}")]
    File(FileError),
    /// A file that must be there.
    #[error("the file is missing, so this is no OCI image layout; record or save the image again")]
    Missing,
    /// Another version than the one there is.
    #[error("the version of the layout is `{0}`, and only {VERSION} is known")]
    Version(String),
    /// Not the JSON that it should be.
    #[error("it is not the JSON of a layout: {0}")]
    Json(String),
    /// More manifests than [`limits::LAYOUT_MANIFESTS`], or more bytes of them than
    /// [`limits::LAYOUT_MANIFEST_BYTES`].
    #[error(
        "the layout holds more than {} manifests or {} bytes of them; split it",
        limits::LAYOUT_MANIFESTS,
        limits::LAYOUT_MANIFEST_BYTES
    )]
    TooManyManifests,
    /// Indexes inside indexes beyond [`limits::INDEX_DEPTH`].
    #[error("indexes are nested more than {} deep", limits::INDEX_DEPTH)]
    TooDeep,
    /// Other bytes than the file's name says.
    #[error("its digest is {found}; the file was changed")]
    Digest {
        /// The digest of what is there.
        found: Digest,
    },
    /// A blob that is no manifest although it is listed as one.
    #[error("{0}")]
    Manifest(ManifestError),
    /// A name that is no reference.
    #[error("the name `{name}` is not an image reference: {why}")]
    Name {
        /// As it stands there.
        name: String,
        /// Why.
        why: ReferenceError,
    },
    /// Two manifests of one name.
    #[error("`{0}` is the name of two manifests; remove one entry")]
    TwoOfOneName(String),
    /// A name whose digest is not that of the entry.
    #[error("`{0}` is the name of another digest than the entry has")]
    OtherDigest(String),
    /// Signatures of nobody knows which image.
    #[error("it holds signatures, and not exactly one image that they could be of")]
    EvidenceOfNothing,
}

#[cfg(test)]
mod tests;
