//! Where images come from: recordings in folders, or registries.

mod docker;
mod helper;
mod late;
mod signature_repositories;

use std::sync::Arc;

use anyhow::{Context as _, bail};
use common::image::ImageRef;
use common::limits;
use common::registry::http::{Client, Config, Proxies, Transport};
use common::registry::{Layout, Layouts, Registry};
use common::verdict::shell_word;

use self::late::Late;
pub(crate) use self::signature_repositories::SignaturePolicies;
use crate::cli::ImageArgs;
use crate::cluster::duration;
use crate::input;
use crate::waiting::ToPeople;

/// Whoever asks.
pub(crate) const USER_AGENT: &str = concat!("kubectl-trust/", env!("CARGO_PKG_VERSION"));

/// The image that an argument names.
///
/// # Errors
/// It names none, or a file: what is typed wrongly is no finding, and is said before anything is contacted.
pub(crate) fn named(typed: &str) -> anyhow::Result<ImageRef> {
    if input::looks_like_a_file(typed) {
        bail!("{typed}: is a file, and no image; did you mean -f {}?", shell_word(typed));
    }
    ImageRef::parse(typed).with_context(|| shell_word(typed).into_owned())
}

/// The recordings that the flags name, else the registries. Nothing is contacted before the first question.
///
/// # Errors
/// A folder that is no recording, an unreadable certificate, a duration that is none.
pub(crate) fn registries(args: &ImageArgs) -> anyhow::Result<Arc<dyn Registry>> {
    match args.recordings.as_slice() {
        [] => Ok(Arc::new(Late::new(without_logins(args)?))),
        folders => recordings(folders),
    }
}

/// Recordings in folders.
///
/// # Errors
/// A folder that is no recording.
pub(crate) fn recordings(folders: &[std::path::PathBuf]) -> anyhow::Result<Arc<dyn Registry>> {
    let open = |folder: &std::path::PathBuf| Layout::open(folder).map_err(anyhow::Error::new);
    let layouts = folders.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Arc::new(Layouts(layouts)))
}

/// All registries, with the credentials of Docker's configuration.
///
/// # Errors
/// An unreadable certificate or configuration, a duration that is none.
pub(crate) fn client(args: &ImageArgs) -> anyhow::Result<Client> {
    Ok(without_logins(args)?.with_credentials(Arc::new(docker::credentials()?)))
}

fn without_logins(args: &ImageArgs) -> anyhow::Result<Client> {
    let authority = |path: &std::path::PathBuf| input::text(path, limits::CERTIFICATE_BYTES);
    let config = Config {
        user_agent: Some(USER_AGENT.to_owned()),
        transports: Transport::insecure(&args.insecure_registry).context("--insecure-registry")?,
        authorities: args.registry_ca.iter().map(authority).collect::<anyhow::Result<Vec<_>>>()?,
        proxies: proxies(),
        observer: Some(Arc::new(ToPeople)),
        ..Config::default()
    };
    let client = Client::new(config)?;
    let timeout = duration(&args.registry_timeout).context("--registry-timeout")?;
    Ok(match timeout {
        Some(timeout) if args.are_flags => {
            client.with_time_limit(timeout, &format!("{} (--registry-timeout)", args.registry_timeout))
        }
        Some(timeout) => client.with_time_limit(timeout, &args.registry_timeout),
        None => client.without_time_limit(),
    })
}

/// The proxies that the environment names, as every other program reads it.
pub(crate) fn proxies() -> Proxies {
    let of = |names: [&str; 2]| {
        names.iter().find_map(|name| std::env::var(name).ok()).filter(|url| !url.is_empty())
    };
    Proxies {
        https: of(["HTTPS_PROXY", "https_proxy"]),
        http: of(["HTTP_PROXY", "http_proxy"]),
        no_proxy: of(["NO_PROXY", "no_proxy"]),
    }
}
