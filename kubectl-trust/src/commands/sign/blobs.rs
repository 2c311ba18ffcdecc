//! Signing files of any content, as `cosign sign-blob` does.

use std::path::Path;

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::key::PrivateKey;
use common::limits;
use common::signature::make;

use crate::cli::SignArgs;
use crate::input;
use crate::output::Printer;

/// Signs one file; the bundle or the signature is written, the latter to standard output if nothing is said.
pub(super) fn run(
    path: &Path,
    args: &SignArgs,
    key: &PrivateKey,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let bytes =
        input::bytes(path, limits::BLOB_FILE_BYTES).map_err(|error| input::unreadable(path, &error))?;
    if args.bundle.is_some() && args.output_signature.is_some() {
        bail!("--bundle and --output-signature are two signatures; sign twice");
    }
    if let Some(bundle) = &args.bundle {
        input::replace(bundle, &make::message_bundle(&bytes, key)?)?;
        printer.note_line(format_args!("{}: signed, bundle in {}", path.display(), bundle.display()));
        return Ok(());
    }
    let signature = STANDARD.encode(key.sign(&bytes)?);
    match &args.output_signature {
        Some(file) => {
            input::replace(file, signature.as_bytes())?;
            printer.note_line(format_args!("{}: signed, signature in {}", path.display(), file.display()));
        }
        None => printer.line(signature),
    }
    Ok(())
}
