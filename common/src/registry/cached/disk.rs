//! Manifests and blobs in a folder: `<scope>/<repository>/<digest>.<kind>`, the first two as hashes.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use lru::LruCache;

use super::Options;
use super::answer::Thing;
use super::question::{Key, What};
use crate::digest::Digest;
use crate::image::Version;
use crate::limits;
use crate::registry::Manifest;

const MANIFEST: &str = "manifest";
const BLOB: &str = "blob";
/// What the names of files begin with that are being written.
const UNFINISHED: &str = ".unfinished-";
/// After this time nobody writes them any more.
const ABANDONED: Duration = Duration::from_secs(600);

/// The folder. All of it blocks.
pub(super) struct Disk {
    folder: PathBuf,
    entry_bytes: usize,
    bytes: u64,
    /// What is there, once it was looked at.
    files: Mutex<Option<Files>>,
}

struct Files {
    known: LruCache<PathBuf, u64>,
    bytes: u64,
}

impl Disk {
    pub(super) fn new(folder: PathBuf, options: &Options) -> Self {
        let (entry_bytes, bytes) = (options.entry_bytes, options.folder_bytes);
        Self { folder, entry_bytes, bytes, files: Mutex::new(None) }
    }

    /// Where the answer to a question is; lists are nowhere.
    ///
    /// Attack: the repository is part of the path as it is of the key, so that a blob of one repository is not
    /// found in another. Names are hashes, so none leads out of the folder.
    fn path(&self, key: &Key) -> Option<(PathBuf, Digest)> {
        let (digest, kind) = match &key.what {
            What::Manifest(Version::Digest(digest)) => (digest, MANIFEST),
            What::Blob(digest) => (digest, BLOB),
            What::Manifest(Version::Tag(_)) | What::Referrers(_) | What::SignedDigests => return None,
        };
        let repository = Digest::of(key.at.to_string().as_bytes());
        let folder = self.folder.join(&*key.scope).join(repository.hex());
        Some((folder.join(format!("{}.{kind}", digest.tag())), digest.clone()))
    }

    /// What a file says, if it has the digest that it is called by. Another one is removed.
    ///
    /// Attack: whoever can write to the folder puts other bytes under the digest of good ones.
    pub(super) fn read(&self, key: &Key) -> Option<Thing> {
        let (path, digest) = self.path(key)?;
        let bytes = match self.bytes(&path) {
            Ok(bytes) => bytes.filter(|bytes| digest.names(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_) => None,
        };
        let thing = bytes.and_then(|bytes| match &key.what {
            What::Manifest(_) => Some(Thing::Manifest(Manifest::parse(bytes, None).ok()?.into())),
            What::Blob(_) => Some(Thing::Blob(bytes)),
            What::Referrers(_) | What::SignedDigests => None,
        });
        let mut files = self.files();
        let files = files.get_or_insert_with(|| self.look());
        if thing.is_some() {
            files.known.promote(&path);
        } else {
            files.remove(&path);
        }
        thing
    }

    /// A regular file of no more bytes than we write.
    fn bytes(&self, path: &Path) -> io::Result<Option<Arc<[u8]>>> {
        let metadata = fs::symlink_metadata(path)?;
        if !metadata.is_file() || metadata.len() > self.entry_bytes as u64 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        // One byte more, in case the file has grown since.
        File::open(path)?.take(self.entry_bytes as u64 + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() <= self.entry_bytes).then(|| bytes.into()))
    }

    /// Writes beside the file and renames, so that nobody reads half of it, and makes room for it.
    pub(super) fn write(&self, key: &Key, thing: &Thing) -> io::Result<()> {
        let Some((path, _)) = self.path(key) else { return Ok(()) };
        let Some(bytes) = persistent(thing) else { return Ok(()) };
        let weight = bytes.len() as u64 + limits::CACHED_FILE_OVERHEAD;
        if bytes.len() > self.entry_bytes || weight > self.bytes {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.folder);
        create(folder)?;
        let mut beside = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        beside.write_all(&bytes)?;
        beside.persist(&path)?;
        let mut files = self.files();
        let files = files.get_or_insert_with(|| self.look());
        files.add(path, weight);
        files.shrink(self.bytes);
        Ok(())
    }

    fn files(&self) -> MutexGuard<'_, Option<Files>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was left by earlier processes, the oldest first. In folders that are called like ours, what is not
    /// called like a file of ours is removed; everything else is none of our business.
    fn look(&self) -> Files {
        let scopes = hashed(&self.folder);
        let repositories = scopes.flat_map(|scope| hashed(&scope).collect::<Vec<_>>());
        let entries = repositories.flat_map(fs::read_dir).flatten().flatten();
        let mut found: Vec<_> = entries.filter_map(|entry| left(&entry)).collect();
        found.sort();
        let mut files = Files { known: LruCache::unbounded(), bytes: 0 };
        for (_, path, weight) in found {
            files.add(path, weight);
        }
        files.shrink(self.bytes);
        files
    }
}

impl Files {
    fn add(&mut self, path: PathBuf, weight: u64) {
        self.bytes += weight;
        self.bytes -= self.known.put(path, weight).unwrap_or_default();
    }

    fn remove(&mut self, path: &Path) {
        drop(fs::remove_file(path));
        self.bytes -= self.known.pop(path).unwrap_or_default();
    }

    fn shrink(&mut self, bound: u64) {
        while self.bytes > bound {
            let Some((path, weight)) = self.known.pop_lru() else { return };
            self.bytes -= weight;
            drop(fs::remove_file(&path));
            // Only if it is empty: else repositories of strangers would leave folders for ever.
            drop(path.parent().map(fs::remove_dir));
        }
    }
}

/// The bytes of what can be read again without the media type that came beside it.
fn persistent(thing: &Thing) -> Option<Arc<[u8]>> {
    match thing {
        Thing::Blob(bytes) => Some(Arc::clone(bytes)),
        Thing::Manifest(manifest) => {
            let again = Manifest::parse(Arc::clone(&manifest.bytes), None).ok()?;
            (again == **manifest).then(|| Arc::clone(&manifest.bytes))
        }
        Thing::List(_) | Thing::Digests(_) => None,
    }
}

/// Folders in a folder that are called like a hash. Links are not followed.
fn hashed(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let is_hash = |name: &str| Digest::parse(&format!("sha256:{name}")).is_ok();
    folders.filter(move |entry| entry.file_name().to_str().is_some_and(is_hash)).map(|entry| entry.path())
}

fn is_ours(path: &Path) -> bool {
    let kind = path.extension().and_then(|kind| kind.to_str());
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    matches!(kind, Some(MANIFEST | BLOB)) && Digest::parse(&name.replacen('-', ":", 1)).is_ok()
}

/// A file that an earlier process left: when, where, how large.
fn left(entry: &DirEntry) -> Option<(Option<SystemTime>, PathBuf, u64)> {
    let (path, metadata) = (entry.path(), entry.metadata().ok()?);
    let modified = metadata.modified().ok();
    if metadata.is_file() && is_ours(&path) {
        return Some((modified, path, metadata.len() + limits::CACHED_FILE_OVERHEAD));
    }
    if !is_being_written(&path, modified) {
        // Of a folder nothing comes: it is not ours to empty.
        drop(fs::remove_file(path));
    }
    None
}

/// Another process may be writing it.
fn is_being_written(path: &Path, modified: Option<SystemTime>) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let age = modified.and_then(|time| time.elapsed().ok()).unwrap_or_default();
    name.starts_with(UNFINISHED) && age < ABANDONED
}

/// A folder that others cannot look into: what is in it tells what runs here.
fn create(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
