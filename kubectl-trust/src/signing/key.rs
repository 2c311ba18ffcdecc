//! Private keys in files and in the environment, and their passwords.

use std::path::Path;

use anyhow::{Context as _, bail};
use common::key::{KeyError, Password, PrivateKey};
use common::limits;
use zeroize::Zeroizing;

use crate::prompt;
use crate::{environment, input};

/// Reads a private key; a password is asked for only when it is encrypted.
pub(crate) fn private_key(path: &Path) -> anyhow::Result<PrivateKey> {
    let reference = path.to_string_lossy();
    let text = match environment::key(&reference).with_context(|| format!("--key {reference}"))? {
        Some(text) => text,
        None => match reference.split_once("://") {
            Some((scheme, _)) => {
                bail!(
                    "--key {reference}: signing with {scheme}:// keys is not supported; give a file or env://NAME"
                )
            }
            None => Zeroizing::new(input::text(path, limits::KEY_BYTES)?),
        },
    };
    let mut asked = None;
    let from_environment = password_from_environment()?;
    let set = from_environment.is_some();
    let ask = || {
        from_environment.or_else(|| match prompt::password(&format!("Password of {}: ", path.display())) {
            Ok(typed) => Some(Password::new(typed)),
            Err(error) => {
                asked = Some(error);
                None
            }
        })
    };
    PrivateKey::parse(&text, ask).map_err(|error| match (error, asked) {
        (KeyError::PasswordNeeded, Some(asked)) => asked.context(path.display().to_string()),
        (KeyError::WrongPassword, _) if set => anyhow::anyhow!(
            "{}: wrong password (COSIGN_PASSWORD is set; unset it to be asked)",
            path.display()
        ),
        (error, _) => anyhow::Error::new(error).context(path.display().to_string()),
    })
}

/// The password in `COSIGN_PASSWORD`, which may be empty.
pub(crate) fn password_from_environment() -> anyhow::Result<Option<Password>> {
    match std::env::var("COSIGN_PASSWORD") {
        Ok(password) => Ok(Some(Password::new(password))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => bail!("COSIGN_PASSWORD is not UTF-8 text"),
    }
}
