//! Flags of commands that sign.

use std::path::PathBuf;

use clap::Args;

/// Who signs, and who is told of it.
#[derive(Debug, Args)]
pub(crate) struct SigningArgs {
    /// Private key (cosign's encrypted format, PKCS#8 or SEC1), or `env://NAME` for one in an environment variable; its
    /// password is asked for, or taken from `COSIGN_PASSWORD`
    #[arg(long, value_name = "FILE", conflicts_with = "identity_token")]
    pub(crate) key: Option<PathBuf>,
    /// OIDC token of whoever signs, instead of a key; - for standard input. A certificate authority vouches
    /// for the identity, and a transparency log publishes the signature with it. Without it and --key, the token in
    /// `SIGSTORE_ID_TOKEN`, or that of the GitHub Actions job
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_token: Option<PathBuf>,
    /// Certificate authority (Fulcio); without it and --signing-config the public-good instance
    #[arg(long, value_name = "URL", requires = "rekor_url", conflicts_with = "key")]
    pub(crate) fulcio_url: Option<String>,
    /// Transparency log (Rekor v1); with a key the signature is published there, too
    #[arg(long, value_name = "URL")]
    pub(crate) rekor_url: Option<String>,
    /// Timestamp authority (RFC 3161)
    #[arg(long, value_name = "URL", requires = "rekor_url")]
    pub(crate) timestamp_server_url: Option<String>,
    /// Sigstore signing configuration, which names all of them; with a key the signature is published there, too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fulcio_url", "rekor_url", "timestamp_server_url"])]
    pub(crate) signing_config: Option<PathBuf>,
}
