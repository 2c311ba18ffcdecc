//! Writing a layout: blobs first, the index last, each file at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::folder::{FileError, Folder, unreadable};
use super::lock::{LOCK_FILE, Lock, LockError};
use super::{INDEX_FILE, REF_NAME, SIGNATURE_REPOSITORY, VERSION, VERSION_FILE};
use crate::digest::Digest;
use crate::image::{ImageRef, Repository, Version};
use crate::limits;
use crate::registry::Manifest;
use crate::registry::http::{Observer, Stage, Wait};
use crate::registry::manifest::OCI_INDEX;

/// How the names of files begin that are not whole yet.
const UNFINISHED: &str = ".writing-";

/// Why a recording was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct WriteError {
    /// The folder, or the file in it.
    pub path: PathBuf,
    /// What about it.
    pub problem: WriteProblem,
}

/// What is wrong with a place to write to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteProblem {
    /// A file that cannot be read or written.
    #[error("{0}")]
    File(FileError),
    /// A folder with something else in it.
    #[error("the folder holds other files and is no OCI image layout; name a new folder")]
    NotALayout,
    /// An index that cannot be added to.
    #[error("it is not the index of a layout ({0}); name a new folder")]
    Index(String),
    /// Another process writes to it all the time.
    #[error(
        "another process{} has been writing to the folder for {} s; wait for it, or name another folder",
        holder.map(|number| format!(" (number {number})")).unwrap_or_default(),
        limits::LAYOUT_LOCK_SECONDS
    )]
    Locked {
        /// The number of that process, if it is known.
        holder: Option<u32>,
    },
    /// The layout would be too large to be read again.
    #[error("the layout would hold too many manifests; name a new folder")]
    Full,
}

/// What is to be written.
#[derive(Default)]
pub(super) struct Contents {
    /// By name.
    entries: BTreeMap<String, Value>,
    blobs: BTreeMap<Digest, Arc<[u8]>>,
    /// Images, and repositories in which everything about them was read and is in here.
    whole: BTreeSet<(Repository, Digest)>,
    /// Entries that say so of repositories that are not the image's own.
    signatures_in: BTreeMap<(Repository, Digest), Value>,
}

impl Contents {
    /// A manifest under a name.
    pub(super) fn manifest(&mut self, manifest: &Manifest, at: &Repository, version: &Version) {
        let name = format!("{at}{}", version.suffix());
        let entry = json!({
            "mediaType": manifest.media_type,
            "digest": manifest.digest.to_string(),
            "size": manifest.bytes.len(),
            "annotations": {REF_NAME: name},
        });
        self.entries.insert(name, entry);
        self.blobs.insert(manifest.digest.clone(), Arc::clone(&manifest.bytes));
    }

    pub(super) fn blob(&mut self, digest: &Digest, bytes: Arc<[u8]>) {
        self.blobs.insert(digest.clone(), bytes);
    }

    /// Everything about this image in its own repository is in here; whether that is new.
    pub(super) fn image(&mut self, at: &Repository, digest: &Digest) -> bool {
        self.whole.insert((at.clone(), digest.clone()))
    }

    /// Everything about this image in another repository is in here.
    pub(super) fn signatures_in(&mut self, at: &Repository, image: &Manifest) {
        let entry = json!({
            "mediaType": image.media_type,
            "digest": image.digest.to_string(),
            "size": image.bytes.len(),
            "annotations": {SIGNATURE_REPOSITORY: at.to_string()},
        });
        let key = (at.clone(), image.digest.clone());
        self.whole.insert(key.clone());
        self.signatures_in.insert(key, entry);
    }

    pub(super) fn holds(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest)
    }

    /// Names, blobs (manifests among them), bytes.
    pub(super) fn size(&self) -> (usize, usize, usize) {
        (self.entries.len(), self.blobs.len(), self.blobs.values().map(|bytes| bytes.len()).sum())
    }

    /// Writes into a folder, beside what a layout there holds already:
    ///
    /// 1. The new index is put together; nothing is written if it cannot be.
    /// 2. Blobs, which are the same whichever process writes them.
    /// 3. Alone in the folder, the version and the index, put together anew from what is there then. The index comes
    ///    last, so that a layout never lists what it does not hold.
    pub(super) fn write(&self, path: &Path, observer: Option<&dyn Observer>) -> Result<(), WriteError> {
        let error = |problem| WriteError { path: path.to_owned(), problem };
        let file = |why| error(WriteProblem::File(why));
        fs::create_dir_all(path).map_err(|why| file(unreadable(why)))?;
        let folder = Folder::open(path).map_err(file)?;
        self.index(path, &folder)?; // 1.
        let place = Place { path, folder };
        for (digest, bytes) in &self.blobs {
            place.blob(digest, bytes)?; // 2.
        }
        let _alone = alone(path, observer)?; // 3.
        let index = self.index(path, &place.folder)?;
        place.file(Path::new(VERSION_FILE), json!({"imageLayoutVersion": VERSION}).to_string().as_bytes())?;
        place.file(Path::new(INDEX_FILE), &index)
    }

    /// The index with the entries that were there before and say nothing of what is new.
    fn index(&self, path: &Path, folder: &Folder) -> Result<Vec<u8>, WriteError> {
        let error = |problem| WriteError { path: path.join(INDEX_FILE), problem };
        let mut index = before(path, folder)?;
        let manifests = index.entry("manifests").or_insert_with(|| json!([]));
        let Value::Array(entries) = manifests else {
            return Err(error(WriteProblem::Index("its manifests are no list".to_owned())));
        };
        entries.retain(|entry| !self.replaces(entry, folder));
        entries.extend(self.entries.values().chain(self.signatures_in.values()).cloned());
        entries.sort_by_cached_key(|entry| {
            let text = |key| annotation(entry, key).to_owned();
            (text(REF_NAME), entry["digest"].to_string(), text(SIGNATURE_REPOSITORY))
        });
        let full = entries.len() > limits::LAYOUT_MANIFESTS;
        let mut bytes =
            serde_json::to_vec_pretty(&index).map_err(|why| error(WriteProblem::Index(why.to_string())))?;
        bytes.push(b'\n');
        if full || bytes.len() > limits::LAYOUT_INDEX_BYTES {
            return Err(error(WriteProblem::Full));
        }
        Ok(bytes)
    }

    /// Whether an entry of before is out of date: it has a new entry's name, or is about an image of which
    /// everything is new. A signature that is gone from the registry must not live on in a recording.
    fn replaces(&self, entry: &Value, folder: &Folder) -> bool {
        if self.signatures_in.values().any(|new| new == entry) {
            return true;
        }
        let name = annotation(entry, REF_NAME);
        let Ok(image) = ImageRef::parse(name) else { return false };
        let about = match image.version() {
            Version::Tag(tag) => tag.derived_from(),
            Version::Digest(digest) => subject(folder, &digest),
        };
        let again = |of| self.whole.contains(&(image.repository().clone(), of));
        self.entries.contains_key(name) || about.is_some_and(again)
    }
}

/// The folder without other writers.
fn alone(path: &Path, observer: Option<&dyn Observer>) -> Result<Lock, WriteError> {
    let longest = Duration::from_secs(limits::LAYOUT_LOCK_SECONDS);
    let lock = match Lock::take(path, Duration::ZERO) {
        Err(LockError::Held(holder)) => {
            let (request, stage) = (path.display().to_string(), Stage::Writer(holder));
            let wait = Wait { request: &request, stage, until: Some(Instant::now() + longest) };
            let _waiting = observer.map(|observer| observer.waits(&wait));
            Lock::take(path, longest)
        }
        taken => taken,
    };
    lock.map_err(|why| match why {
        LockError::Held(holder) => {
            WriteError { path: path.to_owned(), problem: WriteProblem::Locked { holder } }
        }
        LockError::File(why) => WriteError { path: path.join(LOCK_FILE), problem: WriteProblem::File(why) },
    })
}

/// What a manifest of before is about; nothing if it cannot be read.
fn subject(folder: &Folder, digest: &Digest) -> Option<Digest> {
    let bytes = folder.read(&Folder::blob_path(digest), limits::MANIFEST_BYTES).ok()??;
    let manifest = Manifest::parse(bytes.into(), None).ok()?;
    manifest.subject().map(|subject| subject.digest.clone())
}

/// The index that is there, or a new one.
fn before(path: &Path, folder: &Folder) -> Result<Map<String, Value>, WriteError> {
    let error = |problem| WriteError { path: path.join(INDEX_FILE), problem };
    let file = |why| error(WriteProblem::File(why));
    let found = folder.read(Path::new(INDEX_FILE), limits::LAYOUT_INDEX_BYTES).map_err(file)?;
    let Some(bytes) = found else {
        let mut inside = fs::read_dir(path).map_err(|why| file(unreadable(why)))?;
        // Blobs without an index are what is left of a recording that was stopped.
        // Files that another process is writing just now are ours, too.
        let unfinished = |name: &OsStr| name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes());
        let ours = |name: &OsStr| name == "blobs" || name == LOCK_FILE || unfinished(name);
        let foreign = inside.any(|entry| entry.is_ok_and(|entry| !ours(&entry.file_name())));
        if foreign
            && folder.read(Path::new(VERSION_FILE), limits::LAYOUT_VERSION_BYTES).ok().flatten().is_none()
        {
            return Err(WriteError { path: path.to_owned(), problem: WriteProblem::NotALayout });
        }
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX});
        return Ok(index.as_object().cloned().unwrap_or_default());
    };
    serde_json::from_slice(&bytes).map_err(|why| error(WriteProblem::Index(why.to_string())))
}

fn annotation<'e>(entry: &'e Value, key: &str) -> &'e str {
    entry.get("annotations").and_then(|all| all.get(key)).and_then(Value::as_str).unwrap_or_default()
}

/// A folder that is written to.
struct Place<'p> {
    path: &'p Path,
    folder: Folder,
}

impl Place<'_> {
    /// A blob that is there already is kept if it is whole.
    fn blob(&self, digest: &Digest, bytes: &[u8]) -> Result<(), WriteError> {
        let file = Folder::blob_path(digest);
        match self.folder.read(&file, bytes.len()) {
            Ok(Some(found)) if found == bytes => Ok(()),
            _ => self.file(&file, bytes),
        }
    }

    /// Writes beside the file and renames, so that nobody reads half of it; a link in its place is
    /// replaced, not followed.
    fn file(&self, file: &Path, bytes: &[u8]) -> Result<(), WriteError> {
        let path = self.path.join(file);
        let error = |why| WriteError { path: path.clone(), problem: WriteProblem::File(why) };
        let write = || -> std::io::Result<()> {
            let folder = path.parent().unwrap_or(self.path);
            fs::create_dir_all(folder)?;
            let mut beside = tempfile::NamedTempFile::with_prefix_in(UNFINISHED, folder)?;
            beside.write_all(bytes)?;
            beside.persist(&path)?;
            Ok(())
        };
        write().map_err(|why| error(unreadable(why)))
    }
}
