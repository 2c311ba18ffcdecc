//! `kubectl trust keygen`: a key pair in cosign's own format.
//!
//! The private key takes its place first. Should the process be killed before the public one has taken its own, the
//! public key can be made of the private one (`--from`), and signing prints a command that does so where the two do not
//! belong together.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::bail;
use common::key::{Password, PrivateKey, PublicKey};

use crate::cli::KeygenArgs;
use crate::exit::ExitStatus;
use crate::io_error::problem;
use crate::output::Printer;
use crate::prompt;
use crate::signing::{password_from_environment, private_key};
use crate::staging::{Access, Existing, Staging};

/// How long to wait for another run that replaces a pair in the same folder, which takes it milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look.
const BETWEEN: Duration = Duration::from_millis(20);

/// Makes the pair, or the public half of one. No file is written when one is in the way.
pub(crate) fn run(args: &KeygenArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let prefix = &args.output_prefix;
    let (private, public) = (with_suffix(prefix, ".key"), with_suffix(prefix, ".pub"));
    if let Some(from) = &args.from {
        in_the_way(&public, args.force)?;
        let key = private_key(from)?;
        write(&[(&public, key.public().to_pem().as_bytes(), Access::Kept)], args.force)?;
        say(&public, key.public(), printer);
        return Ok(ExitStatus::Trusted);
    }
    in_the_way(&private, args.force)?;
    in_the_way(&public, args.force)?;
    let (key, pem) = PrivateKey::generate(&new_password()?)?;
    let public_pem = key.public().to_pem();
    let pair = [(&private, pem.as_bytes(), Access::Private), (&public, public_pem.as_bytes(), Access::Kept)];
    write(&pair, args.force)?;
    printer.line(format_args!("Private key: {} (encrypted; keep it)", private.display()));
    say(&public, key.public(), printer);
    Ok(ExitStatus::Trusted)
}

fn in_the_way(path: &Path, force: bool) -> anyhow::Result<()> {
    if !force && path.symlink_metadata().is_ok() {
        bail!("{}: is there already; --force overwrites it", path.display());
    }
    Ok(())
}

fn say(path: &Path, key: &PublicKey, printer: &mut Printer) {
    printer.line(format_args!("Public key:  {} ({})", path.display(), key.fingerprint()));
}

/// Writes all files, or none. Two runs that replace the same pair do so one after the other, else halves of two pairs
/// would be left; where nothing is replaced, only one of them finds the first place free.
fn write(files: &[(&PathBuf, &[u8], Access)], force: bool) -> anyhow::Result<()> {
    let mut staging = Staging::default();
    for (path, content, access) in files {
        staging.add(path, content, *access)?;
    }
    if !force {
        return staging.commit(Existing::Kept);
    }
    let folders = files.iter().filter_map(|(path, ..)| path.parent());
    let _alone = folders.take(1).map(alone).collect::<anyhow::Result<Vec<_>>>()?;
    staging.commit(Existing::Replaced)
}

/// A lock on a folder, held until it is dropped. No file is left behind for it.
fn alone(folder: &Path) -> anyhow::Result<File> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let failed = |error: &std::io::Error| {
        anyhow::anyhow!(
            "{}: cannot be locked: {}; remove the old pair and do without --force",
            folder.display(),
            problem(error)
        )
    };
    let lock = File::open(folder).map_err(|error| failed(&error))?;
    let start = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
            Err(TryLockError::WouldBlock) if start.elapsed() > PATIENCE => {
                bail!("{}: another process has locked this folder; nothing was written", folder.display())
            }
            Err(TryLockError::WouldBlock) => sleep(BETWEEN),
        }
    }
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
