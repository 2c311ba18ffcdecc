//! Judging images.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

use super::resolutions::Resolutions;
use super::{Context, Task};
use crate::decide::{self, ImageDecision};
use crate::gather::{self, Resolved, World};
use crate::image::{self, ExtractError, FoundImage, ImageRef, Names, ReferenceError};
use crate::object::{FieldPath, ObjectRef};
use crate::policy::condition::Scope;
use crate::policy::images::{ImageEntry, ImagesRule};
use crate::verdict::{Check, DecidedBy, Decision, Outcome, Pin, Reason, Subject, SubjectKind};

/// Judges one image by one entry, as a command line demands it.
pub async fn by_image(typed: &str, entry: &ImageEntry, context: Context<'_>) -> Decision {
    let subject =
        Subject { kind: SubjectKind::Image, source: typed.to_owned(), object: ObjectRef::default() };
    let image = match ImageRef::parse(typed) {
        Ok(image) => image,
        Err(error) => {
            return Decision::new(subject, None, invalid(typed, &error));
        }
    };
    let judged = judge(&image, entry, None, &Resolutions::default(), context).await;
    let ImageDecision { check, signers, warnings, payloads, .. } = judged;
    Decision { signers, warnings, payloads, ..Decision::new(subject, None, check) }
}

/// Images of one object that are judged at the same time.
const AT_ONCE: usize = 8;

/// What the image rules of one request share.
#[derive(Default)]
pub(super) struct Shared {
    /// The object's images, once a rule asks.
    images: OnceLock<Result<Images, ExtractError>>,
    resolutions: Resolutions,
}

/// The images of one object, in its order.
struct Images(Vec<Standing>);

/// One place of an object where an image stands.
struct Standing {
    found: FoundImage,
    /// What patterns may call it; `None` where it cannot be read, or stands further up as well.
    names: Option<Names>,
}

impl Images {
    fn of(found: Vec<FoundImage>) -> Self {
        let mut seen = BTreeSet::new();
        let mut first = |image| seen.insert(image).then(|| Names::of(image));
        let names: Vec<_> = found.iter().map(|one| first(one.image.as_ref().ok()?)).collect();
        drop(seen);
        Self(found.into_iter().zip(names).map(|(found, names)| Standing { found, names }).collect())
    }
}

impl Shared {
    /// The images where Kubernetes has them, the same for every rule that says nothing else.
    fn images(&self, object: &Value) -> &Result<Images, ExtractError> {
        self.images.get_or_init(|| image::images(object).map(Images::of))
    }
}

/// Judges the images of one object by one rule: each image by every entry that names it.
pub(super) async fn by_rule(
    task: &Task<'_>,
    rule: &ImagesRule,
    by: Option<DecidedBy>,
    scope: Option<&Scope>,
    shared: &Shared,
    context: Context<'_>,
) -> Decision {
    let (object, own) = (task.facts.subject(), OnceLock::new());
    let images = if rule.has_extractors(object) {
        own.get_or_init(|| rule.images(object).map(Images::of))
    } else {
        shared.images(object)
    };
    let images = match images {
        Ok(images) => images,
        Err(error) => {
            let reason = Reason::InputUnreadable { problem: error.to_string() };
            return Decision::new(task.subject.clone(), by, Check::leaf("images", Outcome::Fault, reason));
        }
    };
    let asked = Asked::of(images, rule);
    let judging =
        asked.pairs.iter().map(|(entry, image)| judge(image, entry, scope, &shared.resolutions, context));
    let judged = gather::in_order(judging.collect(), AT_ONCE).await;
    let pins = pins(images, &asked, &judged);
    let verified = verified(images, &asked, &judged);
    let Asked { pairs, settled: mut checks } = asked;
    let (mut signers, mut warnings, mut payloads) = (Vec::new(), Vec::new(), Vec::new());
    for (one, (entry, _)) in judged.into_iter().zip(&pairs) {
        checks.push(one.check.at(&entry.path));
        signers.extend(one.signers);
        warnings.extend(one.warnings);
        payloads.extend(one.payloads);
    }
    if checks.is_empty() {
        checks = vec![nothing_named(images)];
    }
    signers.sort();
    signers.dedup();
    let check = Check::all("images", checks);
    Decision { signers, warnings, payloads, pins, verified, ..Decision::new(task.subject.clone(), by, check) }
}

fn nothing_named(images: &Images) -> Check {
    let why =
        if images.0.is_empty() { "the object has no images" } else { "it names none of the object's images" };
    Check::leaf("images", Outcome::Skip, Reason::NotMatched { why: why.into(), at: None })
}

/// What a rule asks of the images of one object.
struct Asked<'a> {
    /// Each image once for every entry that names it.
    pairs: Vec<(&'a ImageEntry, &'a ImageRef)>,
    /// What is settled without looking.
    settled: Vec<Check>,
}

impl<'a> Asked<'a> {
    fn of(images: &'a Images, rule: &'a ImagesRule) -> Self {
        let mut asked = Self { pairs: Vec::new(), settled: Vec::new() };
        for Standing { found, names } in &images.0 {
            match (&found.image, names) {
                // Each image once, however often the object names it (attack A12).
                (Ok(image), Some(names)) => {
                    rule.entries.iter().for_each(|entry| asked.ask(entry, image, names));
                }
                (Ok(_), None) => {}
                // Attack A7: what we cannot read, a container runtime perhaps can.
                (Err(error), _) => asked.settled.push(invalid(&found.text, error)),
            }
        }
        asked
    }

    fn ask(&mut self, entry: &'a ImageEntry, image: &'a ImageRef, names: &Names) {
        if !entry.is_about(names) {
            return;
        }
        let Some(skipping) = entry.skips(names) else {
            return self.pairs.push((entry, image));
        };
        let reason = Reason::ImageSkipped { image: image.typed().to_owned(), pattern: skipping.to_string() };
        self.settled.push(Check::leaf(image.typed().to_owned(), Outcome::Skip, reason).at(&entry.path));
    }
}

/// The images that are to be named by the digest that was judged. Only those that passed every entry.
fn pins(images: &Images, asked: &Asked<'_>, judged: &[ImageDecision]) -> Vec<Pin> {
    let mut pins = Vec::new();
    for Standing { found, .. } in &images.0 {
        let Some(image) = found.image.as_ref().ok().filter(|image| image.digest().is_none()) else {
            continue;
        };
        let of_it = asked.pairs.iter().zip(judged).filter(|((_, asked), _)| *asked == image);
        let of_it: Vec<_> = of_it.collect();
        let refused = |outcome| matches!(outcome, Outcome::Fail | Outcome::Fault);
        if of_it.iter().any(|(_, one)| refused(one.check.outcome)) {
            continue;
        }
        let pinning = of_it.iter().find(|((entry, _), _)| entry.mutate_digest);
        if let Some(digest) = pinning.and_then(|(_, one)| one.digest.as_ref()) {
            let (path, from) = (found.path.clone(), found.text.clone());
            pins.push(Pin { path, from, to: image.pinned(digest) });
        }
    }
    pins
}

/// Places of images that name a digest and passed every entry, of which one asks for more than a digest.
fn verified(images: &Images, asked: &Asked<'_>, judged: &[ImageDecision]) -> Vec<FieldPath> {
    let good = |image: &ImageRef| {
        let of_it = || asked.pairs.iter().zip(judged).filter(|((_, asked), _)| *asked == image);
        let asks = |entry: &ImageEntry| entry.requirement.is_some() || !entry.attestations.is_empty();
        of_it().all(|(_, one)| one.check.outcome == Outcome::Pass)
            && of_it().any(|((entry, _), _)| asks(entry))
    };
    let named =
        images.0.iter().filter_map(|Standing { found, .. }| Some((found, found.image.as_ref().ok()?)));
    let named = named.filter(|(_, image)| image.digest().is_some() && good(image));
    named.map(|(found, _)| found.path.clone()).collect()
}

fn invalid(text: &str, error: &ReferenceError) -> Check {
    let why = Reason::ImageInvalid { image: text.to_owned(), problem: error.to_string() };
    let reason = Reason::ImageRefused { image: text.to_owned(), digest: None, why: Box::new(why) };
    Check::leaf(text.to_owned(), Outcome::Fail, reason)
}

/// Judges one image by one entry: the manifest that it is now, and where the entry names the platform of
/// the nodes and that does not pass, the manifest for it. The decision says which of the two it is about.
pub(super) async fn judge(
    image: &ImageRef,
    entry: &ImageEntry,
    scope: Option<&Scope>,
    resolutions: &Resolutions,
    context: Context<'_>,
) -> ImageDecision {
    let registry = context.sources.registry(&entry.credentials);
    let resolved = match resolutions.of(image, &entry.credentials, registry).await {
        Ok(resolved) => resolved,
        Err(reason) => return decide::image(image, entry, &Err(reason), context.now),
    };
    let decided = judge_manifest(image, &resolved, entry, scope, context).await;
    let Some(platform) = entry.platform.as_ref().filter(|_| decided.check.outcome != Outcome::Pass) else {
        return decided;
    };
    match gather::resolve_platform(image, &resolved, platform, registry).await {
        Ok(Some(of_platform)) => {
            let second = judge_manifest(image, &of_platform, entry, scope, context).await;
            if second.check.outcome == Outcome::Pass { second } else { decided }
        }
        Ok(None) | Err(_) => decided,
    }
}

/// Judges one manifest, looking no further than needed.
async fn judge_manifest(
    image: &ImageRef,
    resolved: &Resolved,
    entry: &ImageEntry,
    scope: Option<&Scope>,
    context: Context<'_>,
) -> ImageDecision {
    let world = World { sources: context.sources, facts: context.known, now: context.now };
    let mut reaches = gather::reaches(entry).into_iter();
    let mut empty: Option<Vec<String>> = None;
    loop {
        let Some(reach) = reaches.next() else {
            return decide::image(image, entry, &Err(Reason::NothingChecked), context.now);
        };
        // Where nothing was, nothing is asked for again.
        let reach = if empty.is_some() { reach.without_tags() } else { reach };
        let mut evidence = gather::image(image, resolved, entry, reach, scope, world).await;
        if let (Ok(evidence), Some(places)) = (&mut evidence, empty.take()) {
            evidence.looked_for.splice(0..0, places);
        }
        empty = evidence.as_ref().ok().filter(|found| found.is_empty()).map(|found| found.looked_for.clone());
        let decided = decide::image(image, entry, &evidence, context.now);
        if decided.check.outcome == Outcome::Pass || reaches.len() == 0 {
            return decided;
        }
    }
}
