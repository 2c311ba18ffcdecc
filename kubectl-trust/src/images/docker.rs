//! Logins of `docker login`: its configuration file and its credential helpers.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use common::limits;
use common::registry::credentials::{Credentials, DockerConfig, Login, Secret};
use serde::Deserialize;

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
    Ok(config.credentials.with_helpers(config.helpers, Box::new(helper)))
}

fn path() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").filter(|home| !home.is_empty());
    let folder = folder.or_else(|| Some(PathBuf::from(home()?).join(".docker")))?;
    Some(folder.join("config.json"))
}

/// What a helper answers (docker-credential-helpers, `credentials.Credentials`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The user by which a helper says that the secret is a refresh token.
const TOKEN: &str = "<token>";

/// Runs `docker-credential-NAME get`, as Docker does. A helper that is missing or refuses knows no login.
fn helper(name: &str, server: &str) -> Option<Login> {
    // A name is part of a program's name, never a path.
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return None;
    }
    let answer = ask(name, server).ok()?;
    let answer: Answer = serde_json::from_slice(&answer).ok()?;
    let secret = Secret::new(answer.secret);
    Some(match answer.username.as_str() {
        TOKEN => Login::IdentityToken(secret),
        _ => Login::Basic { user: answer.username, password: secret },
    })
}

fn ask(name: &str, server: &str) -> io::Result<Vec<u8>> {
    let mut helper = Command::new(format!("docker-credential-{name}"));
    helper.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = helper.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(server.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() { Ok(output.stdout) } else { Err(io::ErrorKind::NotFound.into()) }
}
