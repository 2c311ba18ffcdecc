//! One writer at a time: what two write into one index at once, one of them loses.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::folder::{FileError, unreadable};

/// The file that is locked, while it is there.
pub(super) const LOCK_FILE: &str = ".lock";
/// Between two attempts to lock it. Writing takes some milliseconds.
const BETWEEN: Duration = Duration::from_millis(20);
/// Bytes that are read of the number of a process.
const HOLDER_BYTES: u64 = 20;

/// A folder that no other process writes to. It is free again when this is dropped, and when the process ends.
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

/// Why a folder was not locked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LockError {
    /// Another process holds it all the time; its number, if it could be read.
    Held(Option<u32>),
    /// The lock file.
    File(FileError),
}

impl Lock {
    /// Locks a folder that is there, once no other process does; waits for it at most so long.
    ///
    /// # Errors
    /// [`LockError`].
    pub(super) fn take(folder: &Path, longest: Duration) -> Result<Self, LockError> {
        let path = folder.join(LOCK_FILE);
        let end = Instant::now() + longest;
        loop {
            let mut file = open(&path)?;
            match file.try_lock() {
                // Another writer may have removed the file since it was opened.
                Ok(()) if is_same(&file, &path) => {
                    let lock = Self { file, path };
                    return lock.signed().map_err(|why| LockError::File(unreadable(why)));
                }
                Ok(()) | Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(BETWEEN),
                Ok(()) | Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&mut file))),
                Err(TryLockError::Error(why)) => return Err(LockError::File(unreadable(why))),
            }
        }
    }

    /// With the number of this process in it, for those that wait.
    fn signed(mut self) -> io::Result<Self> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        write!(self.file, "{}", std::process::id())?;
        Ok(self)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still locked, so that it is the file of no other writer. Left behind it does no harm.
        if cfg!(unix) {
            drop(fs::remove_file(&self.path));
        }
        drop(self.file.unlock());
    }
}

/// Attack: a folder from elsewhere with a link in the file's place. It is not followed.
fn open(path: &Path) -> Result<File, LockError> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(LockError::File(FileError::NotRegular));
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(path);
    file.map_err(|why| LockError::File(unreadable(why)))
}

/// Whether the path still names the open file.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    let (open, named) = (file.metadata().map(place), fs::symlink_metadata(path).map(place));
    matches!((open, named), (Ok(open), Ok(named)) if open == named)
}

/// Elsewhere the file stays, so it is.
#[cfg(not(unix))]
fn is_same(_file: &File, path: &Path) -> bool {
    path.is_file()
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(HOLDER_BYTES).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    #[test]
    fn a_folder_has_one_writer_and_nothing_is_left_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path(), SOON).unwrap();
        let held = Lock::take(folder.path(), SOON).err();
        assert_eq!(held, Some(LockError::Held(Some(std::process::id()))));
        drop(lock);
        assert!(!folder.path().join(LOCK_FILE).exists());
        drop(Lock::take(folder.path(), SOON).unwrap());
    }

    #[test]
    fn who_waits_goes_on_when_the_folder_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path(), SOON).unwrap();
        let path = folder.path().to_owned();
        let waiting = thread::spawn(move || Lock::take(&path, Duration::from_secs(20)).is_ok());
        thread::sleep(SOON);
        drop(lock);
        assert!(waiting.join().unwrap());
    }

    /// Attack: the lock file is a link to a file that the caller may write.
    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(LOCK_FILE)).unwrap();
        let error = Lock::take(folder.path(), SOON).err();
        assert_eq!(error, Some(LockError::File(FileError::NotRegular)));
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    }
}
