//! The trust root that the flags choose: compiled in, from a file, in pieces, or kept up to date by TUF.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use common::digest::Digest;
use common::limits;
use common::registry::http::Config;
use common::trust::{Pieces, TrustRoot};
use common::tuf::{self, Freshness, Mode, Place, Tuf};
use serde_json::{Value, json};

use crate::cli::{TrustArgs, TufArgs};
use crate::clock::now;
use crate::output::Printer;
use crate::runtime;
use crate::waiting::ToPeople;
use crate::{images, input};

/// A trust root, and what is to be said about it.
#[derive(Default)]
pub(crate) struct Trusted {
    /// It; `None` for the public-good one, as compiled in.
    pub(crate) root: Option<Arc<TrustRoot>>,
    /// Where it was read, if by TUF, and how new it is.
    tuf: Option<(String, Freshness)>,
}

/// The trust root of the trust flags.
///
/// # Errors
/// A file that cannot be read or used, a repository that gives no trust root.
pub(crate) fn of(trust: &TrustArgs) -> anyhow::Result<Trusted> {
    if trust.trusted_root.is_some() || trust.tuf.is_given() || trust.tuf.stray().is_some() {
        return whole(trust.trusted_root.as_deref(), &trust.tuf, trust.offline);
    }
    let read = |path: &Option<PathBuf>| {
        path.as_deref().map(|path| input::text(path, limits::CERTIFICATE_BYTES)).transpose()
    };
    let ca_roots = read(&trust.ca_roots)?;
    let ca_intermediates = read(&trust.ca_intermediates)?;
    let rekor_keys = read(&trust.rekor_public_key)?;
    let ct_keys = read(&trust.ct_public_key)?;
    let tsa_chain = read(&trust.tsa_certificate_chain)?;
    let pieces = Pieces {
        ca_roots: ca_roots.as_deref(),
        ca_intermediates: ca_intermediates.as_deref(),
        rekor_keys: rekor_keys.as_deref(),
        ct_keys: ct_keys.as_deref(),
        tsa_chain: tsa_chain.as_deref(),
    };
    if pieces.is_empty() {
        return Ok(Trusted::default());
    }
    Ok(Trusted { root: Some(Arc::new(TrustRoot::from_pieces(&pieces)?)), tuf: None })
}

/// A trust root that is not put together of pieces.
///
/// # Errors
/// As [`of`].
pub(crate) fn whole(file: Option<&Path>, tuf: &TufArgs, offline: bool) -> anyhow::Result<Trusted> {
    if let Some(flag) = tuf.stray() {
        bail!("{flag} is about a TUF repository; name one with --tuf, or with --tuf-mirror and --tuf-root");
    }
    if tuf.is_given() {
        return by_tuf(tuf, offline);
    }
    let Some(path) = file else { return Ok(Trusted::default()) };
    let text = input::text(path, limits::TRUSTED_ROOT_BYTES)?;
    let root = TrustRoot::from_json(&text).with_context(|| path.display().to_string())?;
    Ok(Trusted { root: Some(Arc::new(root)), tuf: None })
}

fn by_tuf(args: &TufArgs, offline: bool) -> anyhow::Result<Trusted> {
    let root = match (&args.tuf_root, &args.tuf_mirror) {
        (Some(path), _) => {
            input::bytes(path, limits::TUF_ROOT_BYTES).map_err(|error| input::unreadable(path, &error))?
        }
        (None, Some(mirror)) if !args.tuf && !is_public_good(mirror) => bail!(
            "--tuf-mirror {mirror}: what does trust in it begin with? Give its root.json with --tuf-root, or \
             --tuf if it is a mirror of the public-good repository"
        ),
        (None, _) => tuf::public_good_root().to_vec(),
    };
    let mirror = args.tuf_mirror.as_deref().unwrap_or_else(|| tuf::public_good_mirror());
    let folder = match &args.tuf_cache {
        Some(folder) => folder.clone(),
        None => default_cache(mirror, &root)?,
    };
    let tuf = Tuf::new(mirror, root, &config(args)?).map_err(|error| match &args.tuf_root {
        Some(path) if error.place == Place::Pinned => {
            anyhow::Error::new(error).context(path.display().to_string())
        }
        _ => anyhow::Error::new(error),
    })?;
    let tuf = tuf.with_cache(folder);
    let mode = match (offline, args.insecure_ignore_tuf_expiry) {
        (false, _) => Mode::Online,
        (true, false) => Mode::Offline,
        (true, true) => Mode::InsecureOfflineEvenIfExpired,
    };
    let deadline = Instant::now() + Duration::from_secs(limits::TUF_SECONDS);
    let (root, freshness) = runtime::block_on(tuf.trust_root(mode, now(), deadline))??;
    Ok(Trusted { root: Some(Arc::new(root)), tuf: Some((tuf.mirror().to_owned(), freshness)) })
}

fn is_public_good(mirror: &str) -> bool {
    mirror.trim_end_matches('/') == tuf::public_good_mirror().trim_end_matches('/')
}

fn config(args: &TufArgs) -> anyhow::Result<Config> {
    let authority = |path: &PathBuf| input::text(path, limits::CERTIFICATE_BYTES);
    Ok(Config {
        user_agent: Some(images::USER_AGENT.to_owned()),
        authorities: args.tuf_ca.iter().map(authority).collect::<anyhow::Result<_>>()?,
        proxies: images::proxies(),
        observer: Some(Arc::new(ToPeople)),
        ..Config::default()
    })
}

/// A folder for each repository and root, in the place that the XDG base directory specification names.
fn default_cache(mirror: &str, root: &[u8]) -> anyhow::Result<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    let base = base.context(
        "--tuf keeps what it verified in a folder, and neither XDG_CACHE_HOME nor HOME names one; give \
         --tuf-cache DIR",
    )?;
    let of = Digest::of(&[mirror.trim_end_matches('/').as_bytes(), b"\n", root].concat()).to_string();
    let hex = of.trim_start_matches("sha256:");
    Ok(base.join("kubectl-trust").join("tuf").join(&hex[..32]))
}

impl Trusted {
    /// Says where the root came from and what is wrong with that. Warnings are for whoever looks at standard
    /// error, whatever the format of the result.
    pub(crate) fn say(&self, for_people: bool, printer: &mut Printer) {
        let Some((mirror, freshness)) = &self.tuf else { return };
        if for_people {
            printer.note_line(line(mirror, freshness));
        }
        for warning in warnings(freshness) {
            printer.note_line(format_args!("warning: {warning}"));
        }
    }

    /// The verdict with what there is to say about the trust root.
    pub(crate) fn with_verdict(&self, mut verdict: Value) -> Value {
        if let (Some((mirror, freshness)), Some(root), Value::Object(map)) =
            (&self.tuf, &self.root, &mut verdict)
        {
            let said = json!({
                "source": "tuf", "mirror": mirror, "from": word(freshness.from),
                "fingerprint": format!("sha256:{}", root.fingerprint()),
                "rootVersion": freshness.root_version, "timestampVersion": freshness.timestamp_version,
                "expires": freshness.expires.to_string(), "expired": freshness.is_expired(),
                "checkedAt": freshness.checked_at.to_string(), "warnings": warnings(freshness),
            });
            map.insert("trustRoot".to_owned(), said);
        }
        verdict
    }
}

fn line(mirror: &str, freshness: &Freshness) -> String {
    let Freshness { root_version, timestamp_version, expires, .. } = freshness;
    let from = match freshness.from {
        Place::Cache => "what is cached of ",
        Place::Mirror | Place::Pinned => "",
    };
    let valid = if freshness.is_expired() { "expired at" } else { "valid until" };
    format!(
        "trust root: {from}{mirror} (root {root_version}, timestamp {timestamp_version}), {valid} {expires}"
    )
}

fn warnings(freshness: &Freshness) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(error) = &freshness.unreachable {
        warnings.push(format!("the cached trust root is used, because of {}: {}", error.at, error.problem));
    }
    if freshness.is_expired() {
        warnings.push(
            "the trust root is expired (--insecure-ignore-tuf-expiry): signatures, versions and hashes still \
             hold; a key that was revoked since is still trusted"
                .to_owned(),
        );
    }
    if let Some(problem) = &freshness.not_cached {
        warnings.push(format!(
            "the trust root is not cached, so an old state would not be noticed next time: {problem}"
        ));
    }
    warnings
}

fn word(place: Place) -> &'static str {
    match place {
        Place::Pinned => "pinned",
        Place::Mirror => "mirror",
        Place::Cache => "cache",
    }
}
