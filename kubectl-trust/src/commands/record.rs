//! `kubectl trust record`: what verifying images needs, into a folder.

use std::sync::Arc;

use anyhow::bail;
use common::image::{ImageRef, Repository};
use common::registry::layout::{Recorded, Recorder};
use futures::stream::{self, StreamExt as _};

use super::judge::AT_ONCE;
use crate::cli::RecordArgs;
use crate::exit::ExitStatus;
use crate::images::{self, SignaturePolicies};
use crate::output::{Printer, Progress};
use crate::runtime;
use crate::waiting::ToPeople;

/// Records every image, some at the same time, and goes on where one fails.
pub(crate) fn run(args: &RecordArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let parse = |text: &String| images::named(text);
    let wanted = args.images.iter().map(parse).collect::<anyhow::Result<Vec<_>>>()?;
    let stands_for = args.stands_for.as_ref().map(parse).transpose()?;
    if stands_for.is_some() && wanted.len() > 1 {
        bail!("--as is the name of one image, and {} are to be recorded", wanted.len());
    }
    let policies = SignaturePolicies::read(&args.policies)?;
    let registry = images::registries(&args.registry)?;
    let mut recorders = Vec::with_capacity(wanted.len());
    for image in &wanted {
        // Policies know the image by the name that it gets.
        let places = signature_repositories(args, &policies, stands_for.as_ref().unwrap_or(image), printer);
        recorders.push((
            image,
            Recorder::new(&*registry, &args.to).with_signatures_in(places).with_observer(Arc::new(ToPeople)),
        ));
    }
    let recorded = runtime::block_on(record(&recorders, stands_for.as_ref(), args, printer))?;
    printer.line(format_args!("{recorded} of {} images recorded", wanted.len()));
    Ok(if recorded == wanted.len() { ExitStatus::Trusted } else { ExitStatus::Undecided })
}

/// Records images and says of each, in the order given, what came of it; how many are recorded.
async fn record(
    recorders: &[(&ImageRef, Recorder<'_>)],
    stands_for: Option<&ImageRef>,
    args: &RecordArgs,
    printer: &mut Printer,
) -> usize {
    let outcomes = stream::iter(recorders)
        .map(|(image, recorder)| async move { (image, recorder.record(image, stands_for).await) });
    let mut outcomes = outcomes.buffered(AT_ONCE);
    let mut progress = Progress::new("images recorded", recorders.len());
    let mut recorded = 0;
    while let Some((image, outcome)) = outcomes.next().await {
        progress.step();
        match outcome {
            Ok(done) => {
                recorded += 1;
                show(&done, args, printer);
            }
            Err(error) => printer.error(&anyhow::Error::new(error).context(image.typed().to_owned())),
        }
        printer.show();
    }
    recorded
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
            "warning: {} listed blobs and manifests are not recorded; judging one of them is a fault",
            done.left_out
        ));
    }
}
