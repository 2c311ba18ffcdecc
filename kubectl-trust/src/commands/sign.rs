//! `kubectl trust sign`: manifests in the format of k8s-manifest-sigstore, images and files in those of cosign.

mod blobs;
pub(super) mod images;
mod manifests;
mod settled;
mod texts;

use anyhow::bail;

use crate::cli::SignArgs;
use crate::exit::ExitStatus;
use crate::output::Printer;
use crate::signing::Signer;

/// Signs what the arguments name: a file of any content, images, or manifests.
pub(crate) fn run(args: &SignArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    if let Some(path) = &args.blob {
        blobs::run(path, args, &Signer::open(&args.signer)?, printer)?;
    } else if !args.images.is_empty() {
        images::run(args, &Signer::open(&args.signer)?, printer)?;
    } else if args.files.is_empty() {
        bail!("what shall be signed? Give -f FILE, an image, or --blob FILE");
    } else {
        manifests::run(args, printer)?;
    }
    Ok(ExitStatus::Trusted)
}
