//! Files that hold one document.

use std::path::Path;

use anyhow::{Context as _, bail};
use common::{limits, yaml};
use serde_json::Value;

use crate::input;

/// The document of a file.
///
/// # Errors
/// An unreadable file, none or several documents.
pub(super) fn single(path: &Path) -> anyhow::Result<Value> {
    let place = || path.display().to_string();
    let content = input::bytes(path, limits::INPUT_BYTES).map_err(|error| input::unreadable(path, &error))?;
    let mut documents = yaml::read(&content).with_context(place)?;
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => Ok(document.value),
        _ => bail!("{}: holds one document", place()),
    }
}
