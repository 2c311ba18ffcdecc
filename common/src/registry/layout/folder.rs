//! Files of a folder that somebody else may have written.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::digest::Digest;

/// A folder whose files are read and never left.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A symbolic link leads out of the folder.
    #[error("it leads out of the folder; replace the link by the file")]
    Outside,
    /// A folder, a pipe, a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// More bytes than such a file may have.
    #[error("it is larger than {bound} bytes")]
    TooLarge {
        /// How many it may have.
        bound: usize,
    },
    /// The operating system says no.
    #[error("{0}")]
    Unreadable(String),
}

impl Folder {
    /// # Errors
    /// [`FileError::Unreadable`], also for what is no folder.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let real = fs::canonicalize(path).map_err(unreadable)?;
        if !real.is_dir() {
            return Err(FileError::Unreadable("not a folder".to_owned()));
        }
        Ok(Self(real))
    }

    /// Where a blob is: digests were checked, so they hold no way out.
    pub(super) fn blob_path(digest: &Digest) -> PathBuf {
        Path::new("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    /// The bytes of a file; `None` where there is none.
    ///
    /// Attack: a layout from elsewhere may hold a link to `/etc/shadow`, a pipe that never ends or says
    /// nothing, or a file of a terabyte. Links inside the folder are fine (tools that share blobs make
    /// them). Who may change the folder while it is read can still make the reader wait, and no more: what
    /// is read is checked by digest.
    pub(super) fn read(&self, file: &Path, bound: usize) -> Result<Option<Vec<u8>>, FileError> {
        let path = match fs::canonicalize(self.0.join(file)) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if !path.starts_with(&self.0) {
            return Err(FileError::Outside);
        }
        let metadata = fs::metadata(&path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(FileError::NotRegular);
        }
        if metadata.len() > bound as u64 {
            return Err(FileError::TooLarge { bound });
        }
        let mut bytes = Vec::new();
        // One byte more, in case the file has grown since.
        let mut file = File::open(&path).map_err(unreadable)?.take(bound as u64 + 1);
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() > bound { Err(FileError::TooLarge { bound }) } else { Ok(Some(bytes)) }
    }
}

pub(super) fn unreadable(error: impl std::fmt::Display) -> FileError {
    // What the system says, without its number.
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    FileError::Unreadable(words.to_lowercase())
}
