//! Judging images.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::{self, StreamExt as _};
use tokio::sync::OnceCell;

use super::{Context, Task};
use crate::decide::{self, ImageDecision};
use crate::gather::{self, Resolved, World};
use crate::image::{FoundImage, ImageRef, ReferenceError};
use crate::object::ObjectRef;
use crate::policy::condition::Scope;
use crate::policy::images::{ImageEntry, ImagesRule};
use crate::registry::Registry;
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

/// Judges the images of one object by one rule: each image by every entry that names it.
pub(super) async fn by_rule(
    task: &Task<'_>,
    rule: &ImagesRule,
    by: Option<DecidedBy>,
    scope: Option<&Scope>,
    resolutions: &Resolutions,
    context: Context<'_>,
) -> Decision {
    let found = match rule.images(task.facts.subject()) {
        Ok(found) => found,
        Err(error) => {
            let reason = Reason::InputUnreadable { problem: error.to_string() };
            return Decision::new(task.subject.clone(), by, Check::leaf("images", Outcome::Fault, reason));
        }
    };
    let asked = Asked::of(&found, rule);
    let judged = stream::iter(&asked.pairs)
        .map(|(entry, image)| judge(image, entry, scope, resolutions, context))
        .buffered(AT_ONCE);
    let judged: Vec<ImageDecision> = judged.collect().await;
    let pins = pins(&found, &asked, &judged);
    let mut decision =
        Decision::new(task.subject.clone(), by, Check::leaf("images", Outcome::Skip, Reason::NothingChecked));
    let mut checks = asked.settled;
    for (one, (entry, _)) in judged.into_iter().zip(&asked.pairs) {
        checks.push(one.check.at(&entry.path));
        decision.signers.extend(one.signers);
        decision.warnings.extend(one.warnings);
        decision.payloads.extend(one.payloads);
    }
    if checks.is_empty() {
        let why = if found.is_empty() {
            "the object has no images"
        } else {
            "it names none of the object's images"
        };
        checks.push(Check::leaf("images", Outcome::Skip, Reason::NotMatched { why: why.to_owned() }));
    }
    decision.signers.sort();
    decision.signers.dedup();
    decision.check = Check::all("images", checks);
    decision.pins = pins;
    decision
}

/// What a rule asks of the images of one object.
struct Asked<'a> {
    /// Each image once for every entry that names it, however often the object does (attack A12).
    pairs: Vec<(&'a ImageEntry, &'a ImageRef)>,
    /// What is settled without looking.
    settled: Vec<Check>,
}

impl<'a> Asked<'a> {
    fn of(found: &'a [FoundImage], rule: &'a ImagesRule) -> Self {
        let mut asked = Self { pairs: Vec::new(), settled: Vec::new() };
        let mut seen = BTreeSet::new();
        for found in found {
            match &found.image {
                Ok(image) if seen.insert(image) => {
                    rule.entries.iter().for_each(|entry| asked.ask(entry, image));
                }
                Ok(_) => {}
                // Attack A7: what we cannot read, a container runtime perhaps can.
                Err(error) => asked.settled.push(invalid(&found.text, error)),
            }
        }
        asked
    }

    fn ask(&mut self, entry: &'a ImageEntry, image: &'a ImageRef) {
        if !entry.references.iter().any(|pattern| pattern.covers(image)) {
            return;
        }
        let Some(skipping) = entry.skip.iter().find(|pattern| pattern.covers_strictly(image)) else {
            return self.pairs.push((entry, image));
        };
        let reason = Reason::ImageSkipped { image: image.typed().to_owned(), pattern: skipping.to_string() };
        self.settled.push(Check::leaf(image.typed(), Outcome::Skip, reason).at(&entry.path));
    }
}

/// The images that are to be named by the digest that was judged. Only those that passed every entry.
fn pins(found: &[FoundImage], asked: &Asked<'_>, judged: &[ImageDecision]) -> Vec<Pin> {
    let mut pins = Vec::new();
    for found in found {
        let Ok(image) = &found.image else { continue };
        let of_it = asked.pairs.iter().zip(judged).filter(|((_, asked), _)| *asked == image);
        let of_it: Vec<_> = of_it.collect();
        let refused = |outcome| matches!(outcome, Outcome::Fail | Outcome::Fault);
        if image.digest().is_some() || of_it.iter().any(|(_, one)| refused(one.check.outcome)) {
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

fn invalid(text: &str, error: &ReferenceError) -> Check {
    let why = Reason::ImageInvalid { image: text.to_owned(), problem: error.to_string() };
    let reason = Reason::ImageRefused { image: text.to_owned(), digest: None, why: Box::new(why) };
    Check::leaf(text, Outcome::Fail, reason)
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
    let resolved = match resolutions.of(image, registry).await {
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

/// The answer to a question that is asked once.
type Asking = Arc<OnceCell<Result<Resolved, Reason>>>;

/// Which manifest each image of one request is, asked once however many rules ask.
#[derive(Default)]
pub(super) struct Resolutions {
    known: Mutex<BTreeMap<String, Asking>>,
}

impl Resolutions {
    async fn of(&self, image: &ImageRef, registry: &dyn Registry) -> Result<Resolved, Reason> {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(image.to_string()).or_default())
        };
        cell.get_or_init(|| gather::resolve(image, registry)).await.clone()
    }
}
