//! `kubectl trust verify`: signed manifests in files, images, files of any content.

mod blobs;
pub(super) mod images;

use anyhow::bail;
use common::object::Origin;
use common::policy::DefaultFields;
use common::verdict::{SubjectKind, Verdict};

use super::judge::{self, Lists, Reading};
use super::unmatched;
use crate::cli::{VerdictFormat, VerifyArgs};
use crate::cluster::World;
use crate::exit::ExitStatus;
use crate::manifests::Manifests;
use crate::output::{Printer, Progress};
use crate::report::Lines;
use crate::runtime;
use crate::trust_root::{self, Trusted};
use crate::{images as recorded, trust};

/// Verifies everything that is named, whatever is said of the others.
pub(crate) fn run(args: &VerifyArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let (mut verdict, mut lines) = (Verdict::default(), Lines::default());
    let mut weakened = Vec::new();
    if args.blob.is_none() && args.files.is_empty() && args.images.is_empty() {
        bail!("what shall be verified? Give -f FILE, an image, or --blob FILE");
    }
    images::names(&args.images)?;
    trust::somebody(&args.trust)?;
    let trusted = trust_root::of(&args.trust)?;
    if let Some(path) = &args.blob {
        let blob = blobs::read(path, args)?;
        let world = World::new(args.cluster.clone(), trusted.root.clone());
        verdict.decisions.push(runtime::block_on(blob.judge(&world))?);
    }
    if !args.files.is_empty() {
        let read = Manifests::read(&args.files)?;
        read.say(printer);
        lines = Lines::of(&read.inputs);
        verdict.decisions.extend(manifests(args, &read, &trusted, &mut weakened, printer)?.decisions);
    }
    if !args.images.is_empty() {
        let entry = images::entry(args)?;
        weakened.extend(weakened_for_images(args));
        let world = World::new(args.cluster.clone(), trusted.root.clone());
        let world = world.with_images(recorded::registries(&args.registry)?);
        let progress = Progress::new("images verified", args.images.len());
        let judged = images::judge(&args.images, &entry, &world, progress);
        verdict.decisions.extend(runtime::block_on(judged)?);
    }
    judge::print(&verdict, &lines, &trusted, &args.output, printer);
    if args.output.format == VerdictFormat::Text {
        for what in weakened {
            printer.note_line(what);
        }
    }
    Ok(ExitStatus::of(verdict.outcome()))
}

fn manifests(
    args: &VerifyArgs,
    read: &Manifests,
    trusted: &Trusted,
    weakened: &mut Vec<&'static str>,
    printer: &mut Printer,
) -> anyhow::Result<Verdict> {
    let demands = trust::demands(&args.trust, &args.matching, DefaultFields::Signature)?;
    let lists = Lists::Signed(&args.matching.annotation_domain);
    let how = Reading { kind: SubjectKind::Manifest, origin: Origin::File, lists };
    let items = judge::items(&read.inputs, how);
    unmatched::say(&args.matching, &items, printer)?;
    weakened.extend(&demands.weakened);
    let world = World::new(args.cluster.clone(), trusted.root.clone());
    let progress = Progress::new("manifests verified", items.len());
    runtime::block_on(judge::by_rule(&items, &demands.rule, &world, progress))
}

fn weakened_for_images(args: &VerifyArgs) -> impl Iterator<Item = &'static str> {
    let tlog = "--insecure-ignore-tlog: no log is asked whether the signature was made in the open; signer, \
                signature and digest still hold";
    let registry = "--insecure-registry: who sits between here and the registry may hide signatures; digests \
                    and signatures still hold";
    let flags =
        [(args.trust.insecure_ignore_tlog, tlog), (!args.registry.insecure_registry.is_empty(), registry)];
    flags.into_iter().filter(|(given, _)| *given).map(|(_, what)| what)
}
