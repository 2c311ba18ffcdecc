//! Speaks the command line of the official Sigstore conformance suite (sigstore-conformance,
//! `docs/cli_protocol.md`), so that the suite can drive our verifier:
//!
//! `verify-bundle [--staging] --bundle FILE (--key FILE | --certificate-identity S --certificate-oidc-issuer S)
//! [--trusted-root FILE] FILE_OR_DIGEST`
//!
//! Exit code 0 when the bundle verifies, 1 when it does not, 2 for what cannot be read.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use common::cache::Facts;
use common::digest::Digest;
use common::evaluate::{Context, by_digest};
use common::key::PublicKey;
use common::object::FieldPath;
use common::policy::blob::{BlobRule, Said};
use common::policy::{Attestor, Authority, KeySource, Keyless, LogOptions, Matcher, Requirement};
use common::signature::{Found, Subject};
use common::sources::Offline;
use common::trust::TrustRoot;
use common::verdict::{Decision, Outcome};
use sigstore_trust_root::SIGSTORE_STAGING_TRUSTED_ROOT;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Verify a bundle.
    VerifyBundle(VerifyBundle),
}

#[derive(Args)]
struct VerifyBundle {
    #[arg(long)]
    staging: bool,
    #[arg(long)]
    bundle: PathBuf,
    #[arg(long)]
    key: Option<PathBuf>,
    #[arg(long, conflicts_with = "key")]
    certificate_identity: Option<String>,
    #[arg(long, conflicts_with = "key")]
    certificate_oidc_issuer: Option<String>,
    #[arg(long)]
    trusted_root: Option<PathBuf>,
    #[arg(long)]
    verify_digest: bool,
    artifact: String,
}

#[expect(clippy::print_stderr, reason = "the suite shows what a client says there")]
fn main() -> ExitCode {
    let Command::VerifyBundle(asked) = Cli::parse().command;
    match judge(&asked) {
        Ok(decision) => {
            eprintln!("{}", decision.headline());
            ExitCode::from(u8::from(decision.outcome() != Outcome::Pass))
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn judge(asked: &VerifyBundle) -> anyhow::Result<Decision> {
    let read = |path: &PathBuf| fs::read(path).with_context(|| path.display().to_string());
    let found = Arc::new(Found::bundle(asked.bundle.display().to_string(), &read(&asked.bundle)?));
    let (digest, bytes) = if let Ok(digest) = Digest::parse(&asked.artifact) {
        (digest, None)
    } else {
        let bytes = read(&PathBuf::from(&asked.artifact))?;
        (Digest::of(&bytes), Some(bytes))
    };
    let bytes = bytes.filter(|_| !asked.verify_digest);
    let rule = BlobRule { requirement: requirement(asked)?, said: Said::Anything };
    let sources = Offline { trust_root: trust_root(asked)?, images: None };
    let known = Facts::default();
    #[expect(clippy::disallowed_methods, reason = "a program reads the clock once")]
    let now = jiff::Timestamp::now();
    let context = Context { sources: &sources, known: &known, now };
    let subject = Subject { digest: &digest, bytes: bytes.as_deref() };
    let judged = by_digest(&asked.artifact, subject, &found, &rule, context);
    Ok(futures::executor::block_on(judged))
}

fn requirement(asked: &VerifyBundle) -> anyhow::Result<Requirement> {
    let authority = match (&asked.key, &asked.certificate_identity, &asked.certificate_oidc_issuer) {
        (Some(key), ..) => {
            let pem = fs::read_to_string(key).with_context(|| key.display().to_string())?;
            Authority::Key(KeySource::Inline(PublicKey::parse(&pem)?))
        }
        (None, Some(identity), Some(issuer)) => Authority::Keyless(Box::new(Keyless {
            subjects: vec![Matcher::exact(identity)?],
            issuers: vec![Matcher::exact(issuer)?],
            extensions: BTreeMap::new(),
            roots: None,
            log: LogOptions::default(),
        })),
        _ => bail!("give --key, or --certificate-identity and --certificate-oidc-issuer"),
    };
    let (path, annotations, repository) = (FieldPath::root(), BTreeMap::new(), None);
    let log = LogOptions::default();
    Ok(Requirement::Attestor(Box::new(Attestor { path, authority, annotations, repository, log })))
}

fn trust_root(asked: &VerifyBundle) -> anyhow::Result<Option<Arc<TrustRoot>>> {
    let text = match &asked.trusted_root {
        Some(path) => fs::read_to_string(path).with_context(|| path.display().to_string())?,
        None if asked.staging => SIGSTORE_STAGING_TRUSTED_ROOT.to_owned(),
        None => return Ok(None),
    };
    Ok(Some(Arc::new(TrustRoot::from_json(&text)?)))
}
