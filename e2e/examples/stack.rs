//! Runs a command with a registry and a private Sigstore at hand, and ends them after it:
//!
//! `cargo run -p e2e --example stack -- examples/make-images.sh`
//!
//! The command gets two more arguments: the registry's `127.0.0.1:PORT` and the folder with the Sigstore's
//! `trusted_root.json` and `signing_config.json`. cosign comes first on its `PATH`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};
use e2e::programs;
use e2e::registry::{Kind, Registry};
use e2e::sigstore::Sigstore;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().context("usage: stack COMMAND [ARGUMENT...]")?;
    let (Some(registry), Some(sigstore), Some(cosign)) =
        (Registry::start(Kind::Referrers)?, Sigstore::start()?, programs::find("cosign")?)
    else {
        return Ok(ExitCode::FAILURE);
    };
    let tools = tools(sigstore.folder(), &cosign)?;
    let mut command = Command::new(&program);
    command.args(arguments).arg(registry.host()).arg(sigstore.folder());
    let status = command.env("PATH", tools).status().with_context(|| format!("{}", program.display()))?;
    ensure!(status.success(), "{}: {status}", program.display());
    Ok(ExitCode::SUCCESS)
}

/// The search path, with cosign by its own name in front.
fn tools(folder: &Path, cosign: &Path) -> anyhow::Result<std::ffi::OsString> {
    let tools = folder.join("bin");
    std::fs::create_dir(&tools)?;
    std::os::unix::fs::symlink(cosign, tools.join("cosign"))?;
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let all = [tools].into_iter().chain(std::env::split_paths(&rest)).collect::<Vec<PathBuf>>();
    Ok(std::env::join_paths(all)?)
}
