//! Flags about the trust root that is kept up to date by TUF.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// A TUF repository that the trust root is read from.
#[derive(Debug, Default, Args)]
pub(crate) struct TufArgs {
    /// Read the public-good instance's trust root from its TUF repository, instead of the one compiled in
    #[arg(long, conflicts_with = "tuf_root")]
    pub(crate) tuf: bool,
    /// Read the trust root from this TUF repository, which begins with --tuf-root; together with --tuf, a
    /// mirror of the public-good one
    #[arg(long, value_name = "URL")]
    pub(crate) tuf_mirror: Option<String>,
    /// Root metadata (root.json) that trust in the repository begins with
    #[arg(long, value_name = "FILE", requires = "tuf_mirror")]
    pub(crate) tuf_root: Option<PathBuf>,
    /// Folder that verified TUF metadata is kept in; without it one for each repository below
    /// $XDG_CACHE_HOME/kubectl-trust or ~/.cache/kubectl-trust
    #[arg(long, value_name = "DIR")]
    pub(crate) tuf_cache: Option<PathBuf>,
    /// Certificate authorities of the TUF mirror's TLS (PEM), beside those of the system
    #[arg(long, value_name = "FILE")]
    pub(crate) tuf_ca: Option<PathBuf>,
    /// With --offline: use the cached trust root although its metadata is expired; its signatures still hold,
    /// and a key that was revoked since is still trusted
    #[arg(long, requires = "offline")]
    pub(crate) insecure_ignore_tuf_expiry: bool,
}

/// Formats of a trust root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RootFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct TrustRootArgs {
    /// Sigstore `trusted_root.json`; without it the public-good instance, as compiled in
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tuf", "tuf_mirror"])]
    pub(crate) trusted_root: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tuf: TufArgs,
    /// Contact nothing: with --tuf, what is cached
    #[arg(long)]
    pub(crate) offline: bool,
    /// text says who is trusted since when and until when; json is the `trusted_root.json` itself, for
    /// --trusted-root
    #[arg(short = 'o', long, value_enum, default_value_t)]
    pub(crate) output: RootFormat,
}

impl TufArgs {
    /// Whether a repository is named.
    pub(crate) fn is_given(&self) -> bool {
        self.tuf || self.tuf_mirror.is_some()
    }

    /// The first flag that says something about a repository that is not named.
    pub(crate) fn stray(&self) -> Option<&'static str> {
        let flags = [
            (self.tuf_cache.is_some(), "--tuf-cache"),
            (self.tuf_ca.is_some(), "--tuf-ca"),
            (self.insecure_ignore_tuf_expiry, "--insecure-ignore-tuf-expiry"),
        ];
        flags.into_iter().find(|(given, _)| *given && !self.is_given()).map(|(_, flag)| flag)
    }
}
