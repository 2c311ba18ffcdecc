//! Keys in environment variables, as CI systems hand secrets over.

use anyhow::{Context as _, bail};
use common::limits;
use zeroize::Zeroizing;

/// The text that a reference `env://NAME` stands for; `None` for every other reference.
///
/// # Errors
/// No such variable, an empty one, one that is no text or larger than a key ([`limits::KEY_BYTES`]). Nothing of what
/// it holds is ever in the message.
pub(crate) fn key(reference: &str) -> anyhow::Result<Option<Zeroizing<String>>> {
    let Some(name) = reference.strip_prefix("env://") else { return Ok(None) };
    if name.is_empty() {
        bail!("write env://NAME, with the name of an environment variable");
    }
    let text = std::env::var_os(name).with_context(|| format!("the environment has no variable {name}"))?;
    let text = text.into_string().ok().with_context(|| format!("{name} is not UTF-8 text"))?;
    let text = Zeroizing::new(text);
    if text.trim().is_empty() {
        bail!("{name} is empty; CI systems leave a secret empty where it is not to be seen");
    }
    if text.len() > limits::KEY_BYTES {
        bail!("{name} is larger than {} KiB, and no key", limits::KEY_BYTES / 1024);
    }
    Ok(Some(text))
}
