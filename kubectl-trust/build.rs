//! Tells the program which commit it was built from, and when, where that can be said truthfully.
//!
//! The commit is what `KUBECTL_TRUST_COMMIT` says (empty: none). Without it a release build asks git, if the sources
//! are a checkout of their own repository: those of a tarball, or vendored into another repository, are not. Any other
//! build is one of a working tree, whose commit says little, and must not be made anew after every commit. The time is
//! that of `SOURCE_DATE_EPOCH` alone, so that the same sources give the same bytes.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    for (variable, told, value) in [
        ("KUBECTL_TRUST_COMMIT", "KUBECTL_TRUST_BUILD_COMMIT", commit()?),
        ("SOURCE_DATE_EPOCH", "KUBECTL_TRUST_BUILD_EPOCH", epoch()?),
    ] {
        println!("cargo::rerun-if-env-changed={variable}");
        if let Some(value) = value {
            println!("cargo::rustc-env={told}={value}");
        }
    }
    Ok(())
}

fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name}: not UTF-8")),
    }
}

/// Seconds since 1970 (reproducible-builds.org/specs/source-date-epoch).
fn epoch() -> Result<Option<String>, String> {
    let Some(text) = variable("SOURCE_DATE_EPOCH")?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let seconds: Result<u32, _> = text.parse();
    seconds.map(|seconds| Some(seconds.to_string())).map_err(|_| {
        format!("SOURCE_DATE_EPOCH={text}: not a number of seconds since 1970; unset it or give `date +%s`")
    })
}

fn commit() -> Result<Option<String>, String> {
    let is_commit = |text: &str| {
        // As long as git abbreviates at least, up to SHA-256.
        (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match variable("KUBECTL_TRUST_COMMIT")? {
        Some(given) if given.is_empty() => Ok(None),
        Some(given) if is_commit(&given) => Ok(Some(given.to_ascii_lowercase())),
        Some(given) => {
            Err(format!("KUBECTL_TRUST_COMMIT={given}: not a commit; give its hex digits, or nothing"))
        }
        None if variable("PROFILE")?.as_deref() == Some("release") => {
            Ok(checked_out().filter(|text| is_commit(text)))
        }
        None => Ok(None),
    }
}

/// The commit of the repository that these sources belong to. A commit or a change of branch runs this script anew.
fn checked_out() -> Option<String> {
    let folder = env::var_os("CARGO_MANIFEST_DIR")?;
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(Path::new(&folder)).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // A folder within another repository is not tracked there, or lies deeper.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    if git(&["rev-parse", "--show-prefix"])? != "kubectl-trust/" {
        return None;
    }
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let path = Path::new(&folder).join(git(&["rev-parse", "--git-path", name])?);
        // cargo takes a path that is not there for one that has always changed.
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(&["rev-parse", "HEAD"])
}
