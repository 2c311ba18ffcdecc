//! Every flag, its help, its unit and its default. No logic.

mod completion;
pub(crate) mod elsewhere;
mod examples;
mod help;
mod images;
mod man;
mod shared;
mod signing;
mod tuf;
mod verifying;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::completion::{Completer, CompletionArgs};
pub(crate) use self::help::command;
pub(crate) use self::images::{AttestArgs, ImageFormat, RecordArgs, ReferenceMode, SignatureFormat};
pub(crate) use self::man::ManArgs;
use self::shared::key_value;
pub(crate) use self::shared::{
    ClusterArgs, FileArgs, ImageArgs, MatchArgs, MatchMode, TrustArgs, VerdictOutput,
};
pub(crate) use self::signing::SigningArgs;
pub(crate) use self::tuf::{RootFormat, TrustRootArgs, TufArgs};
pub(crate) use self::verifying::{DiffArgs, ResourceArgs, VerifyArgs};
use crate::output::Color;

/// Sign Kubernetes manifests, verify them, and explain what a policy says about them.
///
/// Exit codes: 0 everything asked was trusted; 1 at least one refusal, failed test or difference; 2 no
/// refusal, but something could not be decided, read or understood.
#[derive(Debug, Parser)]
#[command(name = "kubectl-trust", version, max_term_width = 110)]
pub(crate) struct Cli {
    /// When to colour the output: auto (on a terminal, unless `NO_COLOR` is set), always or never
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = true,
        display_order = 900
    )]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key pair: PREFIX.key (encrypted, in cosign's format) and PREFIX.pub
    Keygen(KeygenArgs),
    /// Sign manifests (in the format of k8s-manifest-sigstore), images and files (in those of cosign)
    Sign(SignArgs),
    /// Attest something of images: an in-toto statement, signed, beside the image
    Attest(AttestArgs),
    /// Verify signed manifests (the signature, and that nothing changed since), images and files
    Verify(Box<VerifyArgs>),
    /// Save what verifying images needs, as an OCI layout: for tests and `explain` without a network
    Record(RecordArgs),
    /// Verify objects as a cluster holds them
    VerifyResource(ResourceArgs),
    /// Show how an object differs from what was signed
    Diff(DiffArgs),
    /// Run the policy tests (kyverno-test.yaml) below folders, offline
    Test(TestArgs),
    /// Apply policies to resources
    Apply(ApplyArgs),
    /// Show every check, what was looked for, what was found and what would pass
    Explain(ExplainArgs),
    /// Show whom a trust root makes trusted, or print it for use where there is no network
    TrustRoot(TrustRootArgs),
    /// Print the version
    Version(VersionArgs),
    /// Print a completion script
    Completion(CompletionArgs),
    /// Write the manual pages
    #[command(hide = true)]
    Man(ManArgs),
}

impl Command {
    /// The file that the result goes to, where one is given.
    pub(crate) fn output_file(&self) -> Option<&Path> {
        if let Self::Test(test) = self {
            return test.output_file.as_deref();
        }
        self.verdict_output()?.output_file.as_deref()
    }

    /// Whether only the result is wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.verdict_output().is_some_and(|output| output.quiet)
    }

    fn verdict_output(&self) -> Option<&VerdictOutput> {
        match self {
            Self::Verify(verify) => Some(&verify.output),
            Self::VerifyResource(resource) => Some(&resource.output),
            Self::Apply(apply) => Some(&apply.output),
            Self::Keygen(_)
            | Self::Sign(_)
            | Self::Attest(_)
            | Self::Record(_)
            | Self::Diff(_)
            | Self::Test(_)
            | Self::Explain(_)
            | Self::TrustRoot(_)
            | Self::Version(_)
            | Self::Completion(_)
            | Self::Man(_) => None,
        }
    }
}

/// Formats of a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
    Yaml,
}

/// Formats of what was verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerdictFormat {
    #[default]
    Text,
    Json,
    Yaml,
    /// `JUnit`'s XML, a test case a decision
    Junit,
    /// SARIF 2.1.0, a result for what is refused or undecided
    Sarif,
    /// The names of what is trusted, a line each
    Name,
}

/// Formats of test results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    #[default]
    Text,
    Json,
    Yaml,
    Junit,
    Markdown,
}

#[derive(Debug, Args)]
pub(crate) struct KeygenArgs {
    /// Where the two files go: PREFIX.key and PREFIX.pub
    #[arg(long, value_name = "PREFIX", default_value = "cosign")]
    pub(crate) output_prefix: PathBuf,
    /// Make no new pair: write PREFIX.pub alone, the public half of this private key
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Overwrite files that are there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    pub(crate) files: FileArgs,
    /// Images to sign, in their registry
    #[arg(value_name = "IMAGE", conflicts_with = "files")]
    pub(crate) images: Vec<String>,
    /// File of any content to sign
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "images"])]
    pub(crate) blob: Option<PathBuf>,
    /// Where the file's Sigstore bundle goes
    #[arg(long, value_name = "FILE", requires = "blob")]
    pub(crate) bundle: Option<PathBuf>,
    /// Where the file's signature goes, in base64; without it and --bundle to standard output
    #[arg(long, value_name = "FILE", requires = "blob")]
    pub(crate) output_signature: Option<PathBuf>,
    /// How images are signed: a Sigstore bundle that refers to the image, or cosign's older tag
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: ImageFormat,
    #[command(flatten)]
    pub(crate) signer: SigningArgs,
    #[command(flatten)]
    pub(crate) registry: ImageArgs,
    /// Where the signed manifests go; - for standard output
    #[arg(short = 'o', long, value_name = "FILE", default_value = "-", value_parser = shared::file)]
    pub(crate) output: PathBuf,
    /// Write the signatures into each file; every other line stays as it is, where the file is YAML
    #[arg(long, conflicts_with = "output")]
    pub(crate) in_place: bool,
    /// Sign again what this key has signed already, and what has not changed since
    #[arg(long)]
    pub(crate) force: bool,
    /// Keep earlier signatures and add one beside them; what has none gets its first
    #[arg(long, short = 'A', conflicts_with = "replace")]
    pub(crate) append: bool,
    /// Drop earlier signatures (the default)
    #[arg(long)]
    pub(crate) replace: bool,
    /// One message for all documents of a file, instead of one for each
    #[arg(long)]
    pub(crate) whole_file: bool,
    /// Sign the items of a List one by one, so that they stay signed once applied
    #[arg(long)]
    pub(crate) expand_lists: bool,
    /// The older message form, a tarball
    #[arg(long, conflicts_with = "append")]
    pub(crate) tarball: bool,
    /// Annotation to add to every document, or to the signature of every image; repeatable
    #[arg(short = 'a', long = "annotation", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) annotations: Vec<(String, String)>,
    /// Prefix of the signature annotations
    #[arg(long, value_name = "DOMAIN", default_value = common::manifest::DEFAULT_DOMAIN, value_parser = shared::domain)]
    pub(crate) annotation_domain: String,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Folders with tests; the current one if none is given
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Name of the test files
    #[arg(short = 'f', long, value_name = "NAME", default_value = "kyverno-test.yaml")]
    pub(crate) file_name: String,
    /// Only these cases: 'policy=p,rule=r,resource=x', each with the wildcards * and ?
    #[arg(short = 't', long, value_name = "SELECTOR")]
    pub(crate) test_case_selector: Option<String>,
    /// Show failed cases only
    #[arg(long)]
    pub(crate) fail_only: bool,
    /// Show the message of every case
    #[arg(long)]
    pub(crate) detailed_results: bool,
    /// Say that no test is found as an error; the exit code is 2 in any case
    #[arg(long)]
    pub(crate) require_tests: bool,
    /// Read images that are not recorded beside the test (in its folder images/) from their registries
    #[arg(long)]
    pub(crate) registry: bool,
    /// The same as --color never
    #[arg(long)]
    pub(crate) remove_color: bool,
    /// File that the results go to, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output_file: Option<PathBuf>,
    /// Format of the results
    #[arg(short = 'o', long, value_enum, default_value_t)]
    pub(crate) output: TestFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Policy files or folders
    #[arg(value_name = "POLICY", required = true)]
    pub(crate) policies: Vec<PathBuf>,
    /// Resource files or folders; repeatable
    #[arg(short = 'r', long = "resource", alias = "resources", value_name = "FILE")]
    pub(crate) resources: Vec<PathBuf>,
    /// Resources of the cluster, of the kinds that the policies name
    #[arg(long, conflicts_with = "resources")]
    pub(crate) cluster: bool,
    /// The files hold exported live objects: the API server's own fields are expected
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) registry: ImageArgs,
    /// Sigstore `trusted_root.json`; without it the public-good instance, as compiled in
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tuf", "tuf_mirror"])]
    pub(crate) trusted_root: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tuf: TufArgs,
    /// With --tuf: use the cached trust root, and contact nobody for it
    #[arg(long)]
    pub(crate) offline: bool,
    /// Values file: values of variables, labels of namespaces
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) values_file: Option<PathBuf>,
    /// Value of one variable; repeatable
    #[arg(short = 's', long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
    /// User info file: who asks; without it nobody
    #[arg(short = 'u', long, value_name = "FILE")]
    pub(crate) userinfo: Option<PathBuf>,
    /// Files or folders of policy exceptions; repeatable
    #[arg(short = 'e', long = "exception", alias = "exceptions", value_name = "FILE")]
    pub(crate) exceptions: Vec<PathBuf>,
    /// Print policy reports (wgpolicyk8s.io/v1alpha2), as YAML or with -o json as JSON
    #[arg(short = 'p', long)]
    pub(crate) policy_report: bool,
    /// Count failures of audit rules as warnings
    #[arg(long)]
    pub(crate) audit_warn: bool,
    /// Exit code when there are only warnings
    #[arg(long, value_name = "CODE", default_value_t = 0)]
    pub(crate) warn_exit_code: u8,
    /// Show passes and skips as well, each with its message
    #[arg(long)]
    pub(crate) detailed_results: bool,
    #[command(flatten)]
    pub(crate) kube: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: VerdictOutput,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// KIND/NAME of a live object; the word image and images; or a test case 'policy=p,rule=r,resource=x' together
    /// with --test
    #[arg(value_name = "KIND/NAME|image IMAGE")]
    pub(crate) resources: Vec<String>,
    #[command(flatten)]
    pub(crate) files: FileArgs,
    /// Policy files or folders; without them the trust flags decide, or the cluster's policies
    #[arg(long = "policy", value_name = "FILE")]
    pub(crate) policies: Vec<PathBuf>,
    /// Folder with a test file whose cases are explained
    #[arg(long, value_name = "PATH")]
    pub(crate) test: Option<PathBuf>,
    /// The files hold objects as a cluster stores them
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) registry: ImageArgs,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) matching: MatchArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Format of the tree
    #[arg(short = 'o', long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// The plugin's version only; there is no other
    #[arg(long)]
    pub(crate) client: bool,
    /// Format
    #[arg(short = 'o', long, value_enum, default_value_t)]
    pub(crate) output: Format,
}
