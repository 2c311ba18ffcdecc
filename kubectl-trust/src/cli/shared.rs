//! Flags that several commands have.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use clap_complete::ArgValueCandidates;

use super::VerdictFormat;
use super::tuf::TufArgs;
use crate::completion::values;

/// How an object is compared with what was signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum MatchMode {
    /// Nothing but what the API server itself does is tolerated
    #[default]
    Strict,
    /// As k8s-manifest-sigstore and Kyverno accept it, with warnings
    Compat,
}

#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// File, folder or - for standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Folder with a kustomization, which kubectl builds; repeatable
    #[arg(short = 'k', long = "kustomize", value_name = "DIR")]
    pub(crate) kustomize: Vec<PathBuf>,
    /// Read folders below folders, too; sign every image of an index, too
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
}

/// What is printed of a verdict, and where.
#[derive(Debug, Args)]
pub(crate) struct VerdictOutput {
    /// Format of the verdict: text, json, yaml, junit, sarif, or name (of what is trusted, a line each: an image with the
    /// digest that was judged)
    #[arg(
        id = "output",
        short = 'o',
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub(crate) format: VerdictFormat,
    /// File that the verdict goes to, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output_file: Option<PathBuf>,
    /// Print only what is refused or could not be decided
    #[arg(short = 'q', long)]
    pub(crate) quiet: bool,
}

impl FileArgs {
    /// Whether no manifest is named.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.kustomize.is_empty()
    }
}

/// Whom and what to trust; the flags mean what cosign's mean.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Public key (PEM, one or several), `k8s://NAMESPACE/SECRET`, or `env://NAME` for one in an environment variable;
    /// repeat for any of several
    #[arg(
        long = "key",
        value_name = "FILE",
        value_hint = ValueHint::AnyPath,
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub(crate) keys: Vec<String>,
    /// The signer's identity: e-mail address or URI, exactly
    #[arg(long, value_name = "TEXT")]
    pub(crate) certificate_identity: Option<String>,
    /// The signer's identity as a regular expression, anchored at both ends
    #[arg(long, value_name = "REGEX", conflicts_with = "certificate_identity")]
    pub(crate) certificate_identity_regexp: Option<String>,
    /// Who vouches for the identity: the OIDC issuer, exactly
    #[arg(long, value_name = "URL")]
    pub(crate) certificate_oidc_issuer: Option<String>,
    /// The OIDC issuer as a regular expression, anchored at both ends
    #[arg(long, value_name = "REGEX", conflicts_with = "certificate_oidc_issuer")]
    pub(crate) certificate_oidc_issuer_regexp: Option<String>,
    /// Sigstore `trusted_root.json`; without it the public-good instance, as compiled in
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tuf", "tuf_mirror"])]
    pub(crate) trusted_root: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tuf: TufArgs,
    /// Root certificates of a private authority (PEM)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trusted_root", "tuf", "tuf_mirror"])]
    pub(crate) ca_roots: Option<PathBuf>,
    /// Intermediate certificates of that authority (PEM)
    #[arg(long, value_name = "FILE", requires = "ca_roots")]
    pub(crate) ca_intermediates: Option<PathBuf>,
    /// Public keys of the transparency log (PEM)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trusted_root", "tuf", "tuf_mirror"])]
    pub(crate) rekor_public_key: Option<PathBuf>,
    /// Public keys of the certificate transparency log (PEM)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trusted_root", "tuf", "tuf_mirror"])]
    pub(crate) ct_public_key: Option<PathBuf>,
    /// Certificate chain of the timestamp authority, leaf first (PEM)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trusted_root", "tuf", "tuf_mirror"])]
    pub(crate) tsa_certificate_chain: Option<PathBuf>,
    /// Annotation that the object (of an image: the signature) must carry; repeatable
    #[arg(short = 'a', long = "annotation", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) annotations: Vec<(String, String)>,
    /// Contact nobody for a trust root: with --tuf, what is cached. Logs are never asked; images are, where
    /// --images names no recording
    #[arg(long)]
    pub(crate) offline: bool,
    /// Do not ask for a proof of the transparency log; signer, signature and what was signed still hold.
    /// Manifests and files signed with a key never need one; an identity then needs a timestamp
    #[arg(long)]
    pub(crate) insecure_ignore_tlog: bool,
    /// Do not ask for the certificate's proof of the CT log; chain, identity, time and log entry still hold
    #[arg(long)]
    pub(crate) insecure_ignore_sct: bool,
}

/// Where images come from.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImageArgs {
    /// Folder with recorded images (an OCI layout), instead of registries; repeatable
    #[arg(long = "images", value_name = "DIR")]
    pub(crate) recordings: Vec<PathBuf>,
    /// Registry that is spoken to in plain HTTP or with a certificate that nobody vouches for; repeatable.
    /// Digests and signatures are checked all the same; who listens sees what is asked, and may answer that
    /// nothing is there
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) insecure_registry: Vec<String>,
    /// Certificate authorities of private registries (PEM); repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) registry_ca: Vec<PathBuf>,
    /// Longest time for all that is asked of registries, as 10s, 2m; 0 for no limit
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub(crate) registry_timeout: String,
    /// Whether the command has these flags, so that a message may name one.
    #[arg(skip = true)]
    pub(crate) are_flags: bool,
}

impl Default for ImageArgs {
    fn default() -> Self {
        let registry_timeout = "60s".to_owned();
        Self {
            recordings: Vec::new(),
            insecure_registry: Vec::new(),
            registry_ca: Vec::new(),
            registry_timeout,
            are_flags: false,
        }
    }
}

/// What may differ from what was signed.
#[derive(Debug, Args)]
pub(crate) struct MatchArgs {
    /// How objects are compared: strict (nothing but what the API server itself does is tolerated), or
    /// compat (as k8s-manifest-sigstore and Kyverno accept it, with warnings)
    #[arg(long = "match", value_enum, default_value_t, value_name = "MODE", hide_possible_values = true)]
    pub(crate) mode: MatchMode,
    /// Field that may differ, for one kind or all: 'Deployment:spec.replicas'; repeatable
    #[arg(long, value_name = "[KIND:]PATH")]
    pub(crate) ignore_fields: Vec<String>,
    /// Namespace the object may be in although it was signed without one; without a value any
    #[arg(long, value_name = "NAMESPACE", num_args = 0..=1, default_missing_value = "*", require_equals = false)]
    pub(crate) allow_namespace: Vec<String>,
    /// Finalizer that need not have been signed; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_finalizer: Vec<String>,
    /// Prefix of the signature annotations
    #[arg(long, value_name = "DOMAIN", default_value = common::manifest::DEFAULT_DOMAIN, value_parser = domain)]
    pub(crate) annotation_domain: String,
}

/// Which cluster, with kubectl's own flags. Used only by commands and arguments that name live objects.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ClusterArgs {
    /// Path of the kubeconfig file
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig to use
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(values::contexts))]
    pub(crate) context: Option<String>,
    /// Namespace of the objects
    #[arg(short = 'n', long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Objects of every namespace
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,
    /// Label selector
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// User to impersonate
    #[arg(long = "as", value_name = "USER")]
    pub(crate) as_user: Option<String>,
    /// Longest time of one request, as 10s, 2m; 0 for no limit
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) request_timeout: String,
}

/// A file, where other commands have a format.
pub(super) fn file(text: &str) -> Result<PathBuf, String> {
    if ["text", "json", "yaml"].contains(&text) {
        return Err(format!(
            "this names a file here and no format; write ./{text} for a file of that name. What is called *.json is \
             written as JSON, everything else as YAML"
        ));
    }
    Ok(PathBuf::from(text))
}

/// The prefix of annotation names: what an API server takes for one.
pub(super) fn domain(text: &str) -> Result<String, String> {
    let part = |part: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !part.is_empty() && part.chars().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    if text.len() <= 253 && text.split('.').all(part) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not a domain such as example.com"))
    }
}

pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not KEY=VALUE")),
    }
}
