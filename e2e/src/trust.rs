//! Our own binary, as cargo built it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{self, Run};

/// `kubectl-trust` with a home of its own, which is also the folder it runs in.
#[derive(Debug)]
pub struct Trust {
    binary: PathBuf,
    home: TempDir,
}

/// A verdict as `-o json` prints it, and the exit code that came with it.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The exit code.
    pub code: i32,
    /// The JSON.
    pub json: Value,
}

impl Trust {
    /// Finds the binary and makes a home.
    ///
    /// # Errors
    /// It is not built, or older than the sources it was built from.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            binary: binary("kubectl-trust")?,
            home: tempfile::Builder::new().prefix("trust-e2e-").tempdir()?,
        })
    }

    /// The folder that commands run in.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The binary.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// A file's path in the home.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    /// Writes a file in the home.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Reads a text file of the home.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, name: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.path(name)).with_context(|| name.to_owned())
    }

    /// The bare command, for callers who add to its environment.
    pub fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = process::isolated(&self.binary, self.home());
        command.args(arguments);
        command
    }

    /// Another program, in the same home.
    pub fn other(&self, program: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = process::isolated(program, self.home());
        command.args(arguments);
        command
    }

    /// Runs `kubectl-trust`; the arguments are separated by blanks.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, arguments: &str) -> anyhow::Result<Run> {
        process::run(&mut self.command(arguments.split_whitespace()))
    }

    /// Makes the key pair `<prefix>.key`, `<prefix>.pub`.
    ///
    /// # Errors
    /// The command fails.
    pub fn keygen(&self, prefix: &str) -> anyhow::Result<()> {
        self.run(&format!("keygen --output-prefix {prefix}"))?.success().map(drop)
    }

    /// Runs a command that prints a verdict; `-o json` is added.
    ///
    /// # Errors
    /// It printed no verdict.
    pub fn verdict(&self, arguments: &str) -> anyhow::Result<Verdict> {
        Verdict::of(&process::run(&mut self.command(arguments.split_whitespace().chain(["-o", "json"])))?)
    }
}

impl Verdict {
    /// Reads the verdict that a run printed.
    ///
    /// # Errors
    /// It printed something else.
    pub fn of(run: &Run) -> anyhow::Result<Self> {
        let json: Value = serde_json::from_str(&run.stdout)
            .with_context(|| format!("no verdict; exit code {}: {}{}", run.code, run.stdout, run.stderr))?;
        ensure!(json["kind"] == "Verdict", "not a verdict: {json}");
        Ok(Self { code: run.code, json })
    }

    /// The exit code and the reason codes of all results, in order.
    #[must_use]
    pub fn codes(&self) -> (i32, Vec<&str>) {
        let results = self.json["results"].as_array().into_iter().flatten();
        (self.code, results.filter_map(|result| result["reason"]["code"].as_str()).collect())
    }

    /// The paths of all differences of all results, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let results = self.json["results"].as_array().into_iter().flatten();
        let differences = results.filter_map(|result| result["reason"]["differences"].as_array()).flatten();
        differences.filter_map(|difference| difference["path"].as_str()).collect()
    }
}

/// A binary of ours beside the folder that the test binary lies in (`target/<profile>/deps`).
///
/// # Errors
/// It is not built, or older than the sources it was built from.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    const BUILD: &str = "run `cargo build --workspace` first, with the profile of the tests";
    let test = std::env::current_exe()?;
    let profile = test.parent().and_then(Path::parent).context("the test binary lies nowhere")?;
    let binary = profile.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    ensure!(binary.is_file(), "{} is not there: {BUILD}", binary.display());
    // cargo does not build another package's binary for a test; an old one would be tested in silence.
    let sources = fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    let built = binary.metadata()?.modified()?;
    for source in sources.split_whitespace().skip(1) {
        let changed = fs::metadata(source).and_then(|file| file.modified());
        let newer = changed.map_or(true, |changed| changed > built);
        ensure!(!newer, "{} is older than {source}: {BUILD}", binary.display());
    }
    Ok(binary)
}
