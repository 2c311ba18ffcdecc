//! Every flag, its help, its unit and its default. No logic.
#![expect(clippy::doc_markdown, reason = "these comments are the help text, and backticks would show in it")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use jiff::SignedDuration;

use crate::enforcement::Enforcement;
use crate::engines::UnreadablePolicies;

/// Decides what may run in a cluster: admission webhooks that verify images, attestations and signed manifests
/// with Sigstore.
#[derive(Debug, Parser)]
#[command(name = "trust-operator", version, max_term_width = 110)]
pub struct Args {
    /// Judge without a cluster: the policies are those of --policies, and no key is read from a Secret
    #[arg(long)]
    pub standalone: bool,
    /// Standalone: files of policies and exceptions, or folders of them; read again on SIGHUP (repeatable)
    #[arg(long, value_name = "PATH", requires = "standalone", required_if_eq("standalone", "true"))]
    pub policies: Vec<PathBuf>,
    /// How the cluster is reached and served; not with --standalone
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Where the API server reaches us, over TLS
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Where /healthz, /readyz and /metrics are served, over plain HTTP
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub health_listen: SocketAddr,
    /// The certificate to serve with, and its chain (PEM); without it, one is made at every start
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of --tls-cert (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// The authority of --tls-cert (PEM), which the API server is told; without it, one that it knows already
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_ca: Option<PathBuf>,
    /// Authorities of clients (PEM): nobody reaches us without a certificate of one of them
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// Where to write the authority of the certificate that is made (PEM), for whoever calls us
    #[arg(long, value_name = "FILE", conflicts_with = "tls_cert")]
    pub tls_ca_out: Option<PathBuf>,
    /// Another name or address that the certificate which is made is for (repeatable)
    #[arg(long, value_name = "NAME", conflicts_with = "tls_cert")]
    pub tls_name: Vec<String>,
    /// The trust root for identities, a Sigstore trusted_root.json; without it, the public-good one
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
    /// Where images come from
    #[command(flatten)]
    pub registries: RegistryArgs,
    /// How long to wait, not ready any more, before no connection is taken: as long as others need to notice
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub shutdown_delay: Duration,
    /// How to log: text or json. What is logged is chosen by the variable TRUST_LOG (default: info)
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    pub log_format: LogFormat,
}

/// How the cluster is reached and served.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct ClusterArgs {
    /// A kubeconfig; without it, the account of the Pod that this runs in
    #[arg(long, value_name = "FILE", conflicts_with = "standalone")]
    pub kubeconfig: Option<PathBuf>,
    /// Our own namespace, whose objects are never judged: nothing must keep us from starting again
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "trust-operator")]
    pub namespace: String,
    /// The Service in our namespace by which the API server reaches us
    #[arg(long, value_name = "NAME", default_value = "trust-operator")]
    pub service: String,
    /// Outside of the cluster: where the API server reaches us, as https://HOST:PORT
    #[arg(long, value_name = "URL", conflicts_with = "standalone")]
    pub webhook_url: Option<String>,
    /// The Secret in our namespace that holds the certificate we are reached with; it is made and renewed
    #[arg(long, value_name = "NAME", default_value = "trust-operator-tls")]
    pub tls_secret: String,
    /// Another namespace whose objects are not judged (repeatable)
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "standalone")]
    pub exempt_namespace: Vec<String>,
    /// A namespace whose PolicyExceptions count; those of all others do not (repeatable)
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "standalone")]
    pub exceptions_from: Vec<String>,
    /// Which policies refuse: all; own (those of our own kinds); none; or those with a label, as KEY=VALUE. All others only
    /// warn and are counted, for clusters where another engine still refuses
    #[arg(long, value_name = "WHICH", default_value = "all", conflicts_with = "standalone")]
    pub enforce: Enforcement,
    /// What becomes of a policy of another engine's kind that cannot be read, when it is written: auto (refused, and
    /// let in with a warning while that engine is in the cluster), refuse or warn
    #[arg(long, value_enum, default_value_t, value_name = "ACTION", hide_possible_values = true)]
    pub unreadable_policies: UnreadablePolicies,
    /// Policies, exceptions and trust roots are taken only as this policy demands of them: a file of ClusterTrustPolicies
    /// whose rules (validate.manifests) are about their kinds
    #[arg(long, value_name = "FILE", conflicts_with = "standalone")]
    pub signed_policies: Option<PathBuf>,
    /// A ClusterRole with which the webhook configurations go, when it is deleted
    #[arg(long, value_name = "NAME", conflicts_with = "standalone")]
    pub owner: Option<String>,
}

/// Where images come from.
#[derive(Debug, clap::Args)]
pub struct RegistryArgs {
    /// A folder of recorded images (OCI layout) instead of registries (repeatable)
    #[arg(long = "images", value_name = "DIR")]
    pub recordings: Vec<PathBuf>,
    /// A registry to speak plain HTTP with; https://HOST: TLS with whoever answers (repeatable)
    #[arg(long, value_name = "HOST")]
    pub insecure_registry: Vec<String>,
    /// A certificate authority of registries (PEM), beside those of the system (repeatable)
    #[arg(long, value_name = "FILE")]
    pub registry_ca: Vec<PathBuf>,
    /// Logins of registries, as in Docker's config.json; its credential helpers are never run
    #[arg(long, value_name = "FILE")]
    pub registry_config: Option<PathBuf>,
    /// How long it is remembered what a tag points to; 0s: it is asked each time
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub tag_freshness: Duration,
    /// A folder where manifests and signatures outlive the process; nobody else should be able to write there
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
}

/// How to log.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// A time: `1s`, `500ms`, `2m`.
fn time(text: &str) -> Result<Duration, String> {
    let time = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    time.ok_or_else(|| "not a time; write 1s, 500ms or 2m".to_owned())
}
