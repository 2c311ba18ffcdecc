//! Logins of `docker login`: its configuration file, which names its credential helpers.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use common::limits;
use common::registry::credentials::{Credentials, DockerConfig};

use super::helper;
use crate::input;

/// Everything that Docker's configuration says; nothing where there is none.
///
/// # Errors
/// A file that is there and cannot be read.
pub(super) fn credentials() -> anyhow::Result<Credentials> {
    let Some(path) = path() else { return Ok(Credentials::default()) };
    match fs::exists(&path) {
        Ok(true) => {}
        Ok(false) => return Ok(Credentials::default()),
        Err(error) => return Err(input::unreadable(&path, &error)),
    }
    let text = input::text(&path, limits::DOCKER_CONFIG_BYTES)?;
    let name = path.display().to_string();
    let config = DockerConfig::parse(&text, &name).with_context(|| name.clone())?;
    Ok(config.credentials.with_helpers(config.helpers, Box::new(helper::login)))
}

fn path() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").filter(|home| !home.is_empty());
    let folder = folder.or_else(|| Some(PathBuf::from(home()?).join(".docker")))?;
    Some(folder.join("config.json"))
}
