//! Signing images in registries.

use std::sync::Arc;

use anyhow::Context as _;
use common::attach;
use common::image::{ImageRef, Version};
use common::registry::http::Client;
use common::registry::{Manifest, Registry as _};
use common::signature::make::{self, Said};
use common::signature::statement::IMAGE_SIGNATURE;

use crate::cli::{ImageFormat, SignArgs};
use crate::clock;
use crate::images;
use crate::output::Printer;
use crate::runtime;
use crate::signing::{self, Signer};

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
    pub(in crate::commands) async fn find(typed: &str, client: &Client) -> anyhow::Result<Self> {
        let image = ImageRef::parse(typed).with_context(|| typed.to_owned())?;
        let found = client.manifest(image.repository(), &image.version()).await;
        let found = found.map_err(|fault| anyhow::anyhow!("{typed}: {fault}"))?;
        let manifest = found.with_context(|| format!("{typed}: the registry has no such image"))?;
        Ok(Self { image, manifest })
    }

    /// The repository, which is what signers call an image.
    pub(in crate::commands) fn name(&self) -> String {
        self.image.repository().to_string()
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

/// Signs every image in its registry. All are looked up before the first is signed.
pub(super) fn run(args: &SignArgs, signer: &Signer, printer: &mut Printer) -> anyhow::Result<()> {
    let client = images::client(&args.registry)?;
    let said: Said = args.annotations.iter().cloned().collect();
    if args.format == ImageFormat::Legacy {
        signer.gives_pieces()?;
    }
    runtime::block_on(async {
        let mut targets = Vec::new();
        for image in &args.images {
            targets.extend(Target::find(image, &client).await?.all(args.files.recursive, &client).await?);
        }
        signer.announce(printer);
        for target in &targets {
            sign(target, args.format, signer, &said, &client).await?;
            printer.note_line(format_args!("{}: signed {}", target.image.typed(), target.manifest.digest));
        }
        anyhow::Ok(())
    })??;
    if !signer.is_logged() {
        printer.note_line(UNLOGGED);
    }
    Ok(())
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
