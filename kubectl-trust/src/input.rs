//! Files, folders and standard input: what `-f` means.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use common::limits;
use common::yaml::{self, Document, YamlError};

use crate::io_error::problem;
use crate::output::Progress;
use crate::waiting;

/// The content of one file, or why it cannot be read.
pub(crate) struct Input {
    /// The file as given; `-` for standard input.
    pub(crate) name: String,
    /// Its documents.
    pub(crate) documents: Result<Vec<Document>, InputError>,
}

/// Why a file gives no documents.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// The file itself.
    #[error("{}", problem(.0))]
    File(io::Error),
    /// Its content.
    #[error(transparent)]
    Content(#[from] YamlError),
}

/// Folders below a folder that are still read with `-R`.
const FOLDER_DEPTH: usize = 32;

/// The files that `-f` arguments name: files as they are, folders as kubectl reads them (their
/// `.yaml`, `.yml` and `.json` files, and `.signed` ones), `-` once.
///
/// # Errors
/// A path that does not exist, a URL, several names in one, an unreadable folder, a folder without any such file.
pub(crate) fn expand(arguments: &[PathBuf], recursive: bool) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for argument in arguments {
        if argument.as_os_str() == "-" {
            files.push(argument.clone());
            continue;
        }
        let meta = fs::metadata(argument).map_err(|error| not_there(argument, &error))?;
        if !meta.is_dir() {
            files.push(argument.clone());
            continue;
        }
        let before = files.len();
        folder(argument, recursive, FOLDER_DEPTH, &mut files)?;
        if files.len() == before {
            bail!(
                "{}: no .yaml, .yml, .json or .signed file in this folder; nothing was verified",
                argument.display()
            );
        }
    }
    if files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
        bail!("standard input (-) can be read only once");
    }
    Ok(files)
}

/// The error for an argument that names no file: what kubectl reads and we do not is said by its name.
fn not_there(argument: &Path, error: &io::Error) -> anyhow::Error {
    let name = argument.display().to_string();
    if name.starts_with("http://") || name.starts_with("https://") {
        return anyhow::anyhow!("{name}: URLs are not read; download it, or pipe it in: curl … | … -f -");
    }
    let parts: Vec<_> = name.split(',').collect();
    if parts.len() > 1 && parts.iter().all(|part| Path::new(part).exists()) {
        let each: Vec<_> = parts.iter().map(|part| format!("-f {part}")).collect();
        return anyhow::anyhow!("{name}: one name each: {}", each.join(" "));
    }
    unreadable(argument, error)
}

fn folder(path: &Path, recursive: bool, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if depth == 0 {
        bail!("{}: folders nest deeper than {FOLDER_DEPTH}", path.display());
    }
    let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let is_folder = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?.is_dir();
        // As kubectl: a link to a folder below a folder is not followed, so links make no circle.
        if is_folder && recursive && !path.is_symlink() {
            folder(&path, recursive, depth - 1, files)?;
        } else if !is_folder && is_manifest(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| ["yaml", "yml", "json", "signed"].contains(&extension))
}

/// Whether an argument that is to be a kind or an image was meant as a file: it is called like a manifest, or begins like
/// a path. That a file of such a name is there says nothing: many folders hold one that is called as an image is.
pub(crate) fn looks_like_a_file(argument: &str) -> bool {
    is_manifest(Path::new(argument)) || ["./", "../", "/"].iter().any(|start| argument.starts_with(start))
}

/// Reads one file whole, up to `limit` bytes.
///
/// # Errors
/// Not there, not readable, a folder, too large.
pub(crate) fn bytes(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let take = limit as u64 + 1;
    let typed = path.as_os_str() == "-" && io::stdin().is_terminal();
    // Who types knows what is waited for.
    let _waiting = (!typed).then(|| waiting::for_(format_args!("the content of {}", path.display()), None));
    if path.as_os_str() == "-" {
        io::stdin().lock().take(take).read_to_end(&mut content)?;
    } else {
        let file = fs::File::open(path)?;
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if size > limit {
            return Err(too_large(limit));
        }
        content.reserve(size);
        file.take(take).read_to_end(&mut content)?;
    }
    if content.len() > limit {
        return Err(too_large(limit));
    }
    Ok(content)
}

fn too_large(limit: usize) -> io::Error {
    const MIB: usize = 1024 * 1024;
    let text = if limit.is_multiple_of(MIB) {
        format!("larger than {} MiB", limit / MIB)
    } else {
        format!("larger than {} KiB", limit / 1024)
    };
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

/// The error for a path that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", path.display(), problem(error))
}

/// Reads a small text file (a key, a certificate) with its name in the error.
///
/// # Errors
/// As [`bytes`], and text that is not UTF-8.
pub(crate) fn text(path: &Path, limit: usize) -> anyhow::Result<String> {
    let content = bytes(path, limit).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(content).ok().with_context(|| format!("{}: not a text file", path.display()))
}

/// Reads the documents of every file, with a counter on a terminal.
pub(crate) fn counted(files: &[PathBuf]) -> Vec<Input> {
    let mut progress = Progress::new("files read", files.len());
    let one = |path: &PathBuf| {
        let input = read(path);
        progress.step();
        input
    };
    files.iter().map(one).collect()
}

fn read(path: &Path) -> Input {
    Input { name: path.display().to_string(), documents: with_text(path).map(|(_, documents)| documents) }
}

/// Reads the documents of a file, and the text that they stand in.
///
/// # Errors
/// The file cannot be read, or its content.
pub(crate) fn with_text(path: &Path) -> Result<(String, Vec<Document>), InputError> {
    let content = bytes(path, limits::INPUT_BYTES).map_err(InputError::File)?;
    let documents = yaml::read(&content)?;
    let text = String::from_utf8(content);
    Ok((text.map_err(|error| YamlError::NotText(error.utf8_error().valid_up_to()))?, documents))
}
