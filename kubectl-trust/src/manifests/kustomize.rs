//! Building kustomizations, as `kubectl -k` does: by kubectl itself, which carries kustomize.

use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context as _, bail};
use common::yaml::Document;
use common::{limits, yaml};

use crate::input::{Input, InputError};
use crate::io_error::problem;
use crate::waiting;

/// What kubectl may say of a failure, in bytes. It says one line.
const SAID_BYTES: u64 = 4 * 1024;

/// The documents that a folder with a `kustomization.yaml` builds.
///
/// # Errors
/// No such folder, no kubectl, a kustomization that it cannot build, more than a file may hold.
pub(super) fn build(folder: &Path) -> anyhow::Result<Input> {
    let content = content(folder)?;
    let documents = yaml::read(&content).map_err(InputError::Content);
    Ok(Input { name: name(folder), documents })
}

/// The same with the text that they are read from.
///
/// # Errors
/// As [`build`], and text that cannot be read.
pub(crate) fn text(folder: &Path) -> anyhow::Result<(String, Vec<Document>)> {
    let content = content(folder)?;
    let documents = yaml::read(&content).with_context(|| name(folder))?;
    let text =
        String::from_utf8(content).ok().with_context(|| format!("{}: not UTF-8 text", name(folder)))?;
    Ok((text, documents))
}

/// What messages and verdicts call it: `-k overlay`.
pub(crate) fn name(folder: &Path) -> String {
    format!("-k {}", folder.display())
}

fn content(folder: &Path) -> anyhow::Result<Vec<u8>> {
    if !folder.is_dir() {
        bail!("{}: not a folder; give the one that holds the kustomization.yaml", name(folder));
    }
    run(folder).with_context(|| name(folder))
}

fn run(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut kubectl = Command::new("kubectl");
    kubectl.arg("kustomize").arg(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = kubectl.spawn().map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            return anyhow::anyhow!("kubectl builds kustomizations, and it is not in PATH");
        }
        anyhow::anyhow!("kubectl kustomize: {}", problem(&error))
    })?;
    let _waiting = waiting::for_(format_args!("kubectl kustomize {}", folder.display()), None);
    let read = read(&mut child);
    if read.as_ref().is_ok_and(|(content, _)| content.len() > limits::INPUT_BYTES) {
        // It may still write; what it has to say is of no use any more.
        let _ = child.kill();
    }
    let status = child.wait().context("kubectl kustomize")?;
    let (content, said) = read.context("kubectl kustomize")?;
    if content.len() > limits::INPUT_BYTES {
        bail!("it builds more than {} MiB", limits::INPUT_BYTES / (1024 * 1024));
    }
    if !status.success() {
        let said = String::from_utf8_lossy(&said);
        bail!("kubectl kustomize: {}", said.trim().trim_start_matches("error: "));
    }
    Ok(content)
}

/// Both outputs at once, so that neither keeps kubectl waiting.
fn read(child: &mut Child) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let said = thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            stderr.by_ref().take(SAID_BYTES).read_to_end(&mut said)?;
            io::copy(&mut stderr, &mut io::sink())?;
        }
        io::Result::Ok(said)
    });
    let mut content = Vec::new();
    if let Some(stdout) = stdout {
        stdout.take(limits::INPUT_BYTES as u64 + 1).read_to_end(&mut content)?;
    }
    let said = said.join().unwrap_or_else(|_| Ok(Vec::new()))?;
    Ok((content, said))
}
