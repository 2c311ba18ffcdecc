//! `kubectl trust keygen`: a key pair in cosign's own format.

use std::path::{Path, PathBuf};

use anyhow::bail;
use common::key::{Password, PrivateKey};

use crate::cli::KeygenArgs;
use crate::exit::ExitStatus;
use crate::input;
use crate::output::Printer;
use crate::prompt;
use crate::signing::password_from_environment;

/// Makes the pair. Neither file is written when either is in the way.
pub(crate) fn run(args: &KeygenArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let KeygenArgs { output_prefix, force } = args;
    let (private, public) = (with_suffix(output_prefix, ".key"), with_suffix(output_prefix, ".pub"));
    for path in [&private, &public] {
        if !force && path.symlink_metadata().is_ok() {
            bail!("{}: is there already; --force overwrites it", path.display());
        }
    }
    let (key, pem) = PrivateKey::generate(&new_password()?)?;
    let staged = [
        input::stage(&private, pem.as_bytes(), true)?,
        input::stage(&public, key.public().to_pem().as_bytes(), false)?,
    ];
    staged.into_iter().try_for_each(|file| file.commit(*force))?;
    printer.line(format_args!("Private key: {} (encrypted; keep it)", private.display()));
    printer.line(format_args!("Public key:  {} ({})", public.display(), key.public().fingerprint()));
    Ok(ExitStatus::Trusted)
}

fn with_suffix(prefix: &Path, suffix: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The password of a new key: from `COSIGN_PASSWORD`, else typed twice.
fn new_password() -> anyhow::Result<Password> {
    if let Some(password) = password_from_environment()? {
        return Ok(password);
    }
    let first = prompt::password("Password for the new private key: ")?;
    if first != prompt::password("Again: ")? {
        bail!("the two passwords differ; no key was made");
    }
    Ok(Password::new(first))
}
