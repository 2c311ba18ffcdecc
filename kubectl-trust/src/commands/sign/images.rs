//! Signing images in registries.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use common::attach;
use common::image::{ImageRef, Version};
use common::registry::http::Client;
use common::registry::{Manifest, Registry as _};
use common::signature::make::{self, Said};
use common::signature::statement::IMAGE_SIGNATURE;
use common::sources::Offline;
use common::verdict::Outcome;

use super::settled;
use crate::cli::{ImageArgs, ImageFormat, SignArgs, SigningArgs};
use crate::clock;
use crate::commands::verify::images::judge;
use crate::images;
use crate::output::{Printer, Progress};
use crate::runtime;
use crate::signing::{self, Signer, Verifying};

/// An image as it is in its registry now.
pub(in crate::commands) struct Target {
    pub(in crate::commands) image: ImageRef,
    pub(in crate::commands) manifest: Arc<Manifest>,
}

impl Target {
    /// Looks an image up.
    ///
    /// # Errors
    /// No reference, not there, no answer.
    async fn find(typed: &str, client: &Client) -> anyhow::Result<Self> {
        let image = images::named(typed)?;
        let found = client.manifest(image.repository(), &image.version()).await;
        let found = found.map_err(|fault| anyhow::anyhow!("{typed}: {fault}"))?;
        let manifest = found.with_context(|| format!("{typed}: the registry has no such image"))?;
        Ok(Self { image, manifest })
    }

    /// The repository, which is what signers call an image.
    pub(in crate::commands) fn name(&self) -> String {
        self.image.repository().to_string()
    }

    /// The image by what cannot be moved.
    pub(in crate::commands) fn by_digest(&self) -> String {
        format!("{}@{}", self.name(), self.manifest.digest)
    }

    /// The image itself and, if asked for, every manifest of its index.
    async fn all(self, recursive: bool, client: &Client) -> anyhow::Result<Vec<Self>> {
        let listed = self.manifest.index().map(|index| index.manifests.clone()).unwrap_or_default();
        let mut all = vec![Self { image: self.image.clone(), manifest: Arc::clone(&self.manifest) }];
        for descriptor in listed.into_iter().filter(|_| recursive) {
            let version = Version::Digest(descriptor.digest.clone());
            let found = client.manifest(self.image.repository(), &version).await;
            let found = found.map_err(|fault| anyhow::anyhow!("{}: {fault}", descriptor.digest))?;
            let manifest = found.with_context(|| format!("{}: listed, and not there", descriptor.digest))?;
            all.push(Self { image: self.image.clone(), manifest });
        }
        Ok(all)
    }
}

/// Looks all images up, so that one answer names every one that is not there.
///
/// # Errors
/// Each that is no reference, not there, or of which nothing is known.
pub(in crate::commands) async fn find_all(typed: &[String], client: &Client) -> anyhow::Result<Vec<Target>> {
    let (mut targets, mut problems) = (Vec::new(), Vec::new());
    for image in typed {
        match Target::find(image, client).await {
            Ok(target) => targets.push(target),
            Err(problem) => problems.push(format!("{problem:#}")),
        }
    }
    if problems.is_empty() { Ok(targets) } else { bail!(problems.join("\n")) }
}

/// Signs every image in its registry. All are looked up before the first is signed.
pub(super) fn run(args: &SignArgs, signer: &Signer, printer: &mut Printer) -> anyhow::Result<()> {
    let client = images::client(&args.registry)?;
    let said: Said = args.annotations.iter().cloned().collect();
    if args.format == ImageFormat::Legacy {
        signer.gives_pieces()?;
    }
    let names = runtime::block_on(async {
        let (mut targets, mut names) = (Vec::new(), Vec::new());
        for target in find_all(&args.images, &client).await? {
            names.push(target.by_digest());
            targets.extend(target.all(args.files.recursive, &client).await?);
        }
        let known = already(&targets, args, signer, &client).await?;
        if known.contains(&false) {
            signer.announce(printer);
        }
        for (target, known) in targets.iter().zip(known) {
            let (image, digest) = (target.image.typed(), &target.manifest.digest);
            if known {
                printer.note_line(format_args!(
                    "{image}: {digest} is already signed by this key (--force signs again)"
                ));
                continue;
            }
            sign(target, args.format, signer, &said, &client).await?;
            printer.note_line(format_args!("{image}: signed {digest}"));
        }
        anyhow::Ok(names)
    })??;
    if !signer.is_logged() {
        printer.note_line(UNLOGGED);
    }
    let mut verifying = verifying(&names, signer, &args.signer, &args.registry);
    verifying.annotations(&args.annotations);
    if args.format == ImageFormat::Legacy {
        verifying.flag("--format", "legacy");
    }
    verifying.say(printer);
    Ok(())
}

/// The command that verifies images, named by their digests.
pub(in crate::commands) fn verifying(
    names: &[String],
    signer: &Signer,
    signing: &SigningArgs,
    registry: &ImageArgs,
) -> Verifying {
    let mut verifying = Verifying::by(signer, signing);
    for name in names {
        verifying.word(name);
    }
    if !signer.is_logged() {
        verifying.word("--insecure-ignore-tlog");
    }
    for host in &registry.insecure_registry {
        verifying.flag("--insecure-registry", host);
    }
    verifying.flags("--registry-ca", &registry.registry_ca);
    verifying
}

/// Of every image, whether the key has signed it already, in the same way.
///
/// # Errors
/// The registry cannot say.
async fn already(
    targets: &[Target],
    args: &SignArgs,
    signer: &Signer,
    client: &Client,
) -> anyhow::Result<Vec<bool>> {
    let Some(key) = signer.unlogged_key().filter(|_| !args.force) else {
        return Ok(vec![false; targets.len()]);
    };
    let world = Offline { images: Some(Arc::new(client.clone())), ..Offline::default() };
    let names: Vec<_> = targets.iter().map(Target::by_digest).collect();
    let decisions = judge(&names, &settled::entry(key, args), &world, Progress::none()).await;
    let known = decisions.iter().map(|decision| match decision.outcome() {
        Outcome::Pass => Ok(true),
        Outcome::Fail | Outcome::Skip => Ok(false),
        Outcome::Fault => bail!(
            "{}: whether it is signed already cannot be told: {} (--force signs it in any case)",
            decision.subject.source,
            decision.headline()
        ),
    });
    known.collect()
}

/// What follows from a signature that no log knows.
const UNLOGGED: &str = "no transparency log was told; cosign and policies that ask for one need \
    --insecure-ignore-tlog, or rekor.ignoreTlog: true (--rekor-url or --signing-config tells one)";

async fn sign(
    target: &Target,
    format: ImageFormat,
    signer: &Signer,
    said: &Said,
    client: &Client,
) -> anyhow::Result<()> {
    let (at, digest) = (target.image.repository(), &target.manifest.digest);
    let attached = match format {
        ImageFormat::Bundle => {
            let bundle = signer.statement(&make::signature_statement(digest, said)).await?;
            let bundle = signing::json(&bundle)?;
            attach::bundle(client, at, &target.manifest, bundle, IMAGE_SIGNATURE, clock::now()).await
        }
        ImageFormat::Legacy => {
            let payload = make::simple_signing_payload(&target.name(), digest, said);
            let signature = signer.pieces(&payload).await?;
            attach::simple_signing(client, client, at, digest, payload, &signature).await
        }
    };
    attached.map_err(|fault| anyhow::anyhow!("{}: {fault}", target.image.typed()))?;
    Ok(())
}
