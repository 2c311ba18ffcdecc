//! Flags of commands that verify by the trust flags.

use std::path::PathBuf;

use clap::Args;
use clap_complete::ArgValueCandidates;
use common::image::Repository;

use super::Format;
use super::images::{ReferenceMode, SignatureFormat};
use super::shared::{ClusterArgs, FileArgs, ImageArgs, MatchArgs, TrustArgs, VerdictOutput};
use crate::completion::values;
use crate::predicate;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) files: FileArgs,
    /// Images to verify
    #[arg(value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
    /// File of any content to verify, with --signature or --bundle
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "images"])]
    pub(crate) blob: Option<PathBuf>,
    /// Signature of the file: base64 in a file, as `cosign sign-blob` writes it
    #[arg(long, value_name = "FILE", requires = "blob", conflicts_with = "bundle")]
    pub(crate) signature: Option<PathBuf>,
    /// Certificate that came with that signature (PEM)
    #[arg(long, value_name = "FILE", requires = "signature")]
    pub(crate) certificate: Option<PathBuf>,
    /// Sigstore bundle of the file
    #[arg(long, value_name = "FILE", requires = "blob")]
    pub(crate) bundle: Option<PathBuf>,
    /// Demand an attestation of this predicate type instead of a signature: a URI, or one of cosign's short
    /// names (slsaprovenance, slsaprovenance1, spdx, cyclonedx, vuln, openvex, link, custom)
    #[arg(
        long = "type",
        value_name = "TYPE",
        value_parser = predicate::type_of,
        add = ArgValueCandidates::new(values::predicate_types)
    )]
    pub(crate) predicate_type: Option<String>,
    /// Where signatures of images are looked for: any place, bundles only, or cosign's tags only
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: SignatureFormat,
    /// Repository that holds the signatures, if it is not the image's own
    #[arg(long, value_name = "REPOSITORY", value_parser = Repository::parse)]
    pub(crate) signature_repository: Option<Repository>,
    /// What the signature must call the image: anything, the same repository, or the same repository and tag
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub(crate) signed_reference: ReferenceMode,
    /// Platform of the nodes, as linux/amd64: what is signed of an index's manifest for it counts as well
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<common::image::Platform>,
    #[command(flatten)]
    pub(crate) registry: ImageArgs,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) matching: MatchArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: VerdictOutput,
}

#[derive(Debug, Args)]
pub(crate) struct ResourceArgs {
    /// KIND or KIND/NAME of live objects
    #[arg(value_name = "KIND[/NAME]")]
    pub(crate) resources: Vec<String>,
    #[command(flatten)]
    pub(crate) files: FileArgs,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) matching: MatchArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: VerdictOutput,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// KIND/NAME of a live object
    #[arg(value_name = "KIND/NAME")]
    pub(crate) resources: Vec<String>,
    #[command(flatten)]
    pub(crate) files: FileArgs,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) matching: MatchArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Show what was left out as well: server defaults, bookkeeping, ignored fields
    #[arg(long)]
    pub(crate) all: bool,
    /// The files hold objects as a cluster stores them
    #[arg(long)]
    pub(crate) live: bool,
    /// Format of the differences
    #[arg(short = 'o', long, value_enum, default_value_t)]
    pub(crate) output: Format,
}
