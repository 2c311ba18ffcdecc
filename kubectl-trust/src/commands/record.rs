//! `kubectl trust record`: what verifying images needs, into a folder.

use anyhow::{Context as _, bail};
use common::image::ImageRef;
use common::registry::layout::Recorder;

use crate::cli::RecordArgs;
use crate::exit::ExitStatus;
use crate::images;
use crate::output::Printer;
use crate::runtime;

/// Records every image. What was recorded before one fails stays.
pub(crate) fn run(args: &RecordArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let parse = |text: &String| ImageRef::parse(text).with_context(|| text.clone());
    let recorded = args.images.iter().map(parse).collect::<anyhow::Result<Vec<_>>>()?;
    let stands_for = args.stands_for.as_ref().map(parse).transpose()?;
    if stands_for.is_some() && recorded.len() > 1 {
        bail!("--as is the name of one image, and {} are to be recorded", recorded.len());
    }
    let registry = images::registries(&args.registry)?;
    runtime::block_on(async {
        let recorder = Recorder::new(&*registry, &args.to);
        for image in &recorded {
            let done = recorder.record(image, stands_for.as_ref()).await;
            let done = done.with_context(|| image.typed().to_owned())?;
            printer.line(format_args!(
                "{}: {} ({} manifests, {} blobs, {} bytes)",
                args.to.display(),
                done.name,
                done.manifests,
                done.blobs,
                done.bytes
            ));
            if done.left_out > 0 {
                printer.note_line(format_args!(
                    "warning: {} listed things are not recorded; whoever asks for one gets a fault",
                    done.left_out
                ));
            }
        }
        anyhow::Ok(())
    })??;
    Ok(ExitStatus::Trusted)
}
