//! A folder of metadata that was verified once. Whoever can write to it is an adversary: whatever is read
//! is verified again from the pinned root, so at worst there is nothing to read.
//!
//! | file | what |
//! |---|---|
//! | `root_history/7.root.json` | every root on the way from the pinned one |
//! | `timestamp.json` `snapshot.json` `targets.json` | the newest, without the versions in front of their names |
//! | `targets/trusted_root.json` | the trust root |

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{Error, MetadataStore, Repository};
use tempfile::NamedTempFile;

use super::mirror::is_root;
use super::{Asked, TARGET, TufProblem};
use crate::limits;

const ROOTS: &str = "root_history/";

/// The folder.
pub(super) struct Folder {
    path: PathBuf,
    /// What was verified and is not written yet.
    verified: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The first file that could not be written.
    problem: Mutex<Option<String>>,
}

/// The folder as a repository, for [`super::Mode::Offline`].
pub(super) struct Cached {
    pub(super) folder: Folder,
    pub(super) asked: Asked,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), verified: Mutex::default(), problem: Mutex::default() }
    }

    /// Writes what was verified, as one finished update. A crash between two files leaves a cache that does
    /// not verify any more, until the next update.
    ///
    /// # Errors
    /// The first file that could not be written, and why.
    pub(super) fn keep(&self, target: &[u8]) -> Result<(), String> {
        let verified = std::mem::take(&mut *self.verified.lock().unwrap_or_else(PoisonError::into_inner));
        self.write(&format!("targets/{TARGET}"), target);
        for (name, bytes) in &verified {
            self.write(name, bytes);
        }
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let written = self.at(name).and_then(|path| replace(&path, bytes));
        if let Err(error) = written {
            let problem = format!("{}/{name}: {}", self.path.display(), said(&error));
            self.problem.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
        }
    }

    /// A file of at most `bound` bytes.
    ///
    /// Attack: a link to a device, a pipe that never ends, a file of gigabytes.
    fn read(&self, name: &str, bound: usize) -> Result<Option<Vec<u8>>, TufProblem> {
        let unreadable = |error: io::Error| TufProblem::File(said(&error));
        let path = self.at(name).map_err(unreadable)?;
        let meta = match fs::metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if !meta.is_file() {
            return Err(TufProblem::File("not a regular file".to_owned()));
        }
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(unreadable)?;
        file.take(bound as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() > bound { Err(TufProblem::TooLarge { bound }) } else { Ok(Some(bytes)) }
    }

    /// Attack: names of delegated roles come from metadata; none leads out of the folder.
    fn at(&self, name: &str) -> io::Result<PathBuf> {
        let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if inside { Ok(self.path.join(name)) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }
}

impl MetadataStore for Folder {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.read(name, limits::TUF_TARGETS_BYTES)?)
    }

    /// Roots are written at once: a key that they take trust from must not come back when the rest of the
    /// update fails.
    fn store(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        if name.starts_with(ROOTS) {
            self.write(name, bytes);
        } else if name != "root.json" && unversioned(name).is_none() {
            let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
            verified.insert(name.to_owned(), bytes.to_owned());
        }
        Ok(())
    }
}

impl Cached {
    fn find(&self, names: [Option<&str>; 2], bound: u64) -> Result<Option<Vec<u8>>, TufProblem> {
        let bound = usize::try_from(bound).unwrap_or(usize::MAX);
        for name in names.into_iter().flatten() {
            self.asked.note(name);
            if let Some(bytes) = self.folder.read(name, bound)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    fn metadata(&self, name: &str, bound: u64) -> Result<Option<Vec<u8>>, TufProblem> {
        if is_root(name) {
            return self.find([Some(&format!("{ROOTS}{name}")), None], bound);
        }
        self.find([Some(name), unversioned(name)], bound)?.map(Some).ok_or(TufProblem::Missing)
    }

    fn target(&self, path: &str, bound: u64) -> Result<Option<Vec<u8>>, TufProblem> {
        let plain = path.split_once('.').map(|(_, name)| format!("targets/{name}"));
        let found = self.find([Some(&format!("targets/{path}")), plain.as_deref()], bound)?;
        found.map(Some).ok_or(TufProblem::Missing)
    }
}

impl Repository for Cached {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(std::future::ready(self.metadata(name, max_length).map_err(Error::from)))
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(std::future::ready(self.target(path, max_length).map_err(Error::from)))
    }
}

/// `snapshot.json` for `12.snapshot.json`.
fn unversioned(name: &str) -> Option<&str> {
    let (version, rest) = name.split_once('.')?;
    let versioned = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    (versioned && rest.contains('.')).then_some(rest)
}

/// Replaces a file as a whole; one that has these bytes is left alone.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let same = fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == bytes.len() as u64)
        && fs::read(path).is_ok_and(|old| old == bytes);
    if same {
        return Ok(());
    }
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// What the system says, without its number.
fn said(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}
