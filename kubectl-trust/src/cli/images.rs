//! Flags of commands about images.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::ArgValueCandidates;
use common::image::Repository;

use super::shared::ImageArgs;
use super::signing::SigningArgs;
use crate::completion::values;
use crate::predicate;

/// Where signatures of images are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignatureFormat {
    #[default]
    Any,
    Bundle,
    Legacy,
}

/// How images are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageFormat {
    #[default]
    Bundle,
    Legacy,
}

/// What a signature must call the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReferenceMode {
    #[default]
    Any,
    Repository,
    Exact,
}

#[derive(Debug, Args)]
pub(crate) struct AttestArgs {
    /// Images that the statement is about
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,
    /// What is said: a JSON file
    #[arg(long, value_name = "FILE")]
    pub(crate) predicate: PathBuf,
    /// In whose terms: a URI, or one of cosign's short names (slsaprovenance, slsaprovenance1, spdx,
    /// cyclonedx, vuln, openvex, link, custom)
    #[arg(
        long = "type",
        value_name = "TYPE",
        default_value = "custom",
        value_parser = predicate::type_of,
        add = ArgValueCandidates::new(values::predicate_types)
    )]
    pub(crate) predicate_type: String,
    #[command(flatten)]
    pub(crate) signer: SigningArgs,
    #[command(flatten)]
    pub(crate) registry: ImageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// Images to record
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,
    /// Folder of the recording; what is in it stays
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Name under which the image is recorded, if it is not its own
    #[arg(long = "as", value_name = "IMAGE")]
    pub(crate) stands_for: Option<String>,
    /// Policies whose rules look for signatures of the images in other repositories: what these hold is recorded as
    /// well. A file or folder; repeatable
    #[arg(long = "policy", value_name = "FILE")]
    pub(crate) policies: Vec<PathBuf>,
    /// Another repository that may hold signatures of the images; repeatable. What it holds of them is recorded as
    /// well, and so is that it holds nothing
    #[arg(long = "signature-repository", value_name = "REPOSITORY", value_parser = Repository::parse)]
    pub(crate) signature_repositories: Vec<Repository>,
    #[command(flatten)]
    pub(crate) registry: ImageArgs,
}
