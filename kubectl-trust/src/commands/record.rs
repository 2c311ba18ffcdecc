//! `kubectl trust record`: what verifying images needs, into a folder.

use anyhow::{Context as _, bail};
use common::image::{ImageRef, Repository};
use common::registry::layout::{Recorded, Recorder};

use crate::cli::RecordArgs;
use crate::exit::ExitStatus;
use crate::images::{self, SignaturePolicies};
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
    let policies = SignaturePolicies::read(&args.policies)?;
    let registry = images::registries(&args.registry)?;
    runtime::block_on(async {
        for image in &recorded {
            // Policies know the image by the name that it gets.
            let places =
                signature_repositories(args, &policies, stands_for.as_ref().unwrap_or(image), printer);
            let recorder = Recorder::new(&*registry, &args.to).with_signatures_in(places);
            let done = recorder.record(image, stands_for.as_ref()).await;
            let done = done.with_context(|| image.typed().to_owned())?;
            show(&done, args, printer);
        }
        anyhow::Ok(())
    })??;
    Ok(ExitStatus::Trusted)
}

/// The repositories that the flags name, and those that the policies name for an image.
fn signature_repositories(
    args: &RecordArgs,
    policies: &SignaturePolicies,
    image: &ImageRef,
    printer: &mut Printer,
) -> Vec<Repository> {
    let found = policies.of(image);
    if !args.policies.is_empty() && !found.is_named {
        let image = image.typed();
        printer.note_line(format_args!("warning: {image}: no rule of the policies is about it"));
    }
    for unknown in &found.unknown {
        let image = image.typed();
        printer.note_line(format_args!(
            "warning: {image}: {unknown}; name the repository with --signature-repository"
        ));
    }
    let mut places = args.signature_repositories.clone();
    places.extend(found.repositories);
    places.sort();
    places.dedup();
    places
}

fn show(done: &Recorded, args: &RecordArgs, printer: &mut Printer) {
    printer.line(format_args!(
        "{}: {} ({} manifests, {} blobs, {} bytes)",
        args.to.display(),
        done.name,
        done.manifests,
        done.blobs,
        done.bytes
    ));
    for place in &done.nothing_in {
        printer.note_line(format_args!(
            "{}: {place} holds no signatures of it, which is recorded as well",
            done.name
        ));
    }
    if done.left_out > 0 {
        printer.note_line(format_args!(
            "warning: {} listed things are not recorded; whoever asks for one gets a fault",
            done.left_out
        ));
    }
}
