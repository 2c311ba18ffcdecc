//! Signing files of any content, as `cosign sign-blob` does.

use std::path::Path;

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::limits;
use common::signature::Material;

use crate::cli::SignArgs;
use crate::output::Printer;
use crate::runtime;
use crate::signing::{self, Signer, Verifying};
use crate::{input, staging};

/// Signs one file; the bundle or the signature is written, the latter to standard output if nothing is said.
pub(super) fn run(
    path: &Path,
    args: &SignArgs,
    signer: &Signer,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    if args.bundle.is_some() && args.output_signature.is_some() {
        bail!("--bundle and --output-signature are two signatures; sign twice");
    }
    if args.bundle.is_none() && signer.is_logged() {
        bail!("--bundle FILE is needed: a signature alone proves neither an identity nor a log entry");
    }
    let bytes =
        input::bytes(path, limits::BLOB_FILE_BYTES).map_err(|error| input::unreadable(path, &error))?;
    signer.announce(printer);
    let bundle = runtime::block_on(signer.message(&bytes))??;
    let mut verifying = Verifying::by(signer, &args.signer);
    verifying.flag("--blob", &path.to_string_lossy());
    if let Some(file) = &args.bundle {
        staging::replace(file, &signing::json(&bundle)?)?;
        printer.note_line(format_args!("{}: signed, bundle in {}", path.display(), file.display()));
        verifying.flags("--bundle", [file]);
        verifying.say(printer);
        return Ok(());
    }
    let signature = STANDARD.encode(Material::from_bundle(&bundle)?.signature);
    match &args.output_signature {
        Some(file) => {
            staging::replace(file, signature.as_bytes())?;
            printer.note_line(format_args!("{}: signed, signature in {}", path.display(), file.display()));
            verifying.flags("--signature", [file]);
            verifying.say(printer);
        }
        None => printer.whole_line(signature),
    }
    Ok(())
}
