//! Writing files whole or not at all: new ones are written beside those that they replace, and take their places when
//! all are there.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use tempfile::TempPath;

use crate::interruption;
use crate::io_error::problem;

/// How files are called that have not taken their place yet.
const PREFIX: &str = ".kubectl-trust-";

/// How old such a file must be for no run to be still at work with it, by the clock of the folder's own file system.
/// Between writing the first and moving the last there is no network and no signing, only this disk.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Those who could read the one that it replaces; all, where there is none.
    Kept,
    /// Its owner (0600).
    Private,
}

/// What becomes of a file that has the place already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is replaced.
    Replaced,
    /// It stays, and that is an error.
    Kept,
}

/// Files that are written and not in their places yet. Dropped, they are gone.
///
/// Only their paths are kept: open files are few, and runs may write thousands.
#[derive(Default)]
pub(crate) struct Staging {
    files: Vec<(PathBuf, TempPath)>,
    /// Folders that were looked through for what earlier runs left behind.
    cleared: BTreeSet<PathBuf>,
}

impl Staging {
    /// Writes a new file beside the one that it shall replace. A link stays; what it points to is replaced.
    ///
    /// # Errors
    /// An unwritable folder.
    pub(crate) fn add(&mut self, path: &Path, content: &[u8], access: Access) -> anyhow::Result<()> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder =
            target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let staged = write(&target, folder, content, access).map_err(|error| unwritable(path, &error))?;
        if self.cleared.insert(folder.to_owned()) {
            clear(folder, &staged);
        }
        self.files.push((target, staged));
        Ok(())
    }

    /// Puts every file into its place, in the order in which they were added. A signal that would end the process
    /// waits until the last has its own.
    ///
    /// # Errors
    /// A place that cannot be taken: the files after it do not take theirs.
    pub(crate) fn commit(self, existing: Existing) -> anyhow::Result<()> {
        let mut pending = pending();
        for (target, staged) in self.files {
            pending.remove::<Path>(&staged);
            let persisted = match existing {
                Existing::Replaced => staged.persist(&target),
                Existing::Kept => staged.persist_noclobber(&target),
            };
            persisted.map_err(|error| unwritable(&target, &error.error))?;
        }
        Ok(())
    }
}

/// Writes one file whole or not at all.
///
/// # Errors
/// An unwritable folder; the old file is then as it was.
pub(crate) fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let special = fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
    if special {
        // A device or pipe is written to; a file in its place would be no device any more.
        return fs::write(path, content).map_err(|error| unwritable(path, &error));
    }
    let mut staging = Staging::default();
    staging.add(path, content, Access::Kept)?;
    staging.commit(Existing::Replaced)
}

/// Every file of this process that has no place yet. Whatever holds it keeps a signal from ending the process.
fn pending() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    static PENDING: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    static REPAIRED: Once = Once::new();
    let lock = || PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    REPAIRED.call_once(|| {
        interruption::before_end(move || {
            let pending = lock();
            pending.iter().for_each(|path| drop(fs::remove_file(path)));
            // Held to the end, so that no further file is written.
            std::mem::forget(pending);
        });
    });
    lock()
}

fn write(target: &Path, folder: &Path, content: &[u8], access: Access) -> io::Result<TempPath> {
    if target.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut file = {
        let mut pending = pending();
        let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?;
        pending.insert(file.path().to_owned());
        file
    };
    file.write_all(content)?;
    if access == Access::Kept {
        fs::set_permissions(file.path(), permissions(target))?;
    }
    file.as_file().sync_all()?;
    Ok(file.into_temp_path())
}

/// Removes what runs left in a folder that were ended by force. Nothing depends on it, so nothing is said where it
/// fails.
fn clear(folder: &Path, own: &Path) {
    let written =
        |path: &Path| fs::symlink_metadata(path).and_then(|meta| Ok((meta.is_file(), meta.modified()?)));
    let (Ok((_, now)), Ok(entries)) = (written(own), fs::read_dir(folder)) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let old = |(is_file, at)| is_file && now.duration_since(at).is_ok_and(|age| age > ABANDONED);
        if written(&entry.path()).is_ok_and(old) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{}: cannot be written: {}", path.display(), problem(error))
}

/// Those of the file that is replaced, else what a new file gets. A private file keeps the 0600 that
/// temporary files are made with.
#[cfg(unix)]
fn permissions(path: &Path) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).map_or_else(|_| fs::Permissions::from_mode(0o644), |meta| meta.permissions())
}
