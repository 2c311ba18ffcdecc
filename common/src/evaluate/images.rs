//! Judging images.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

use super::resolutions::Resolutions;
use super::{Context, Task};
use crate::decide::{self, ImageDecision};
use crate::gather::{self, Resolved, World};
use crate::image::{self, ExtractError, FoundImage, ImageRef, Names, ReferenceError};
use crate::object::{FieldPath, ObjectRef, Origin};
use crate::policy::condition::Scope;
use crate::policy::images::{ImageEntry, ImagesRule};
use crate::policy::{Operation, UserInfo};
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
    let asked = Judged { image: &image, entry, due: !entry.mutate_digest };
    let judged = judge(asked, None, &Resolutions::default(), context).await;
    let ImageDecision { check, signers, warnings, payloads, .. } = judged;
    Decision { signers, warnings, payloads, ..Decision::new(subject, None, check) }
}

/// Images of one object that are judged at the same time.
const AT_ONCE: usize = 8;

/// Whether images are named by their digest already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pinning {
    /// Whoever is to pin them has yet to do it.
    #[default]
    ToCome,
    /// The object is as it will be stored. Attack: an image that slipped past whoever pins is judged by what its tag
    /// is now, and runs as what it is later.
    Done,
}

/// What the image rules of one request share.
#[derive(Default)]
pub(super) struct Shared {
    pinning: Pinning,
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
    pub(super) fn new(pinning: Pinning) -> Self {
        Self { pinning, ..Self::default() }
    }

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
    let kept = Kept::of(task);
    let due = |entry: &ImageEntry, image| match shared.pinning {
        Pinning::ToCome => !entry.mutate_digest,
        Pinning::Done => !kept.holds(images, image),
    };
    let judging = asked.pairs.iter().map(|(entry, image)| {
        judge(Judged { image, entry, due: due(entry, image) }, scope, &shared.resolutions, context)
    });
    let judged = gather::in_order(judging.collect(), AT_ONCE).await;
    let pins = pins(images, &asked, &judged, &kept);
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

/// Images that are judged like all others, but need no digest that they do not have, and get none.
enum Kept<'k> {
    /// None.
    None,
    /// Those of a running Pod that an update leaves as they are. Its containers run already, and to pin them would start
    /// them anew.
    Where(&'k Value),
    /// All of a `ReplicaSet` that the controller of its Deployment writes: its template is that of the Deployment, by which
    /// the controller knows it. Were it pinned, the controller would make another, without end. Its Pods are pinned.
    All,
}

impl<'k> Kept<'k> {
    fn of(task: &Task<'k>) -> Self {
        let object = ObjectRef::of(task.facts.subject());
        let update = task.origin == Origin::Review && task.facts.operation == Operation::Update;
        match (object.group(), object.kind.as_str(), task.facts.old_object.filter(|_| update)) {
            ("", "Pod", Some(old)) => Self::Where(old),
            ("apps", "ReplicaSet", _) if Self::is_owners(task) => Self::All,
            _ => Self::None,
        }
    }

    /// Attack: a user who names an owner that is none. The controller itself must ask.
    fn is_owners(task: &Task<'_>) -> bool {
        let owners = task.facts.subject().pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let owned = owners.into_iter().flatten().any(|owner| owner["controller"] == true);
        owned && task.facts.user.is_some_and(UserInfo::is_controller)
    }

    /// Whether an image stands where it stood.
    fn is(&self, found: &FoundImage) -> bool {
        match self {
            Self::None => false,
            Self::Where(old) => found.path.find(old).and_then(Value::as_str) == Some(found.text.as_str()),
            Self::All => true,
        }
    }

    /// Whether an image is nowhere but where it stood.
    fn holds(&self, images: &Images, image: &ImageRef) -> bool {
        let found = images.0.iter().map(|standing| &standing.found);
        !matches!(self, Self::None)
            && found.into_iter().all(|found| found.image.as_ref() != Ok(image) || self.is(found))
    }
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
fn pins(images: &Images, asked: &Asked<'_>, judged: &[ImageDecision], kept: &Kept<'_>) -> Vec<Pin> {
    let mut pins = Vec::new();
    for Standing { found, .. } in images.0.iter().filter(|standing| !kept.is(&standing.found)) {
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

/// Places of images that name a digest and passed every entry, of which one asks who signed.
fn verified(images: &Images, asked: &Asked<'_>, judged: &[ImageDecision]) -> Vec<FieldPath> {
    let good = |image: &ImageRef| {
        let of_it = || asked.pairs.iter().zip(judged).filter(|((_, asked), _)| *asked == image);
        // A statement by nobody in particular can be made by anybody, about any image.
        let asks = |entry: &ImageEntry| {
            entry.requirement.is_some() || entry.attestations.iter().any(|one| one.requirement.is_some())
        };
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

/// What is judged.
#[derive(Clone, Copy)]
pub(super) struct Judged<'j> {
    image: &'j ImageRef,
    entry: &'j ImageEntry,
    /// Whether it must be named by digest by now, where the entry asks for one.
    due: bool,
}

/// Judges one image by one entry: the manifest that it is now, and where the entry names the platform of
/// the nodes and that does not pass, the manifest for it. The decision says which of the two it is about.
pub(super) async fn judge(
    asked: Judged<'_>,
    scope: Option<&Scope>,
    resolutions: &Resolutions,
    context: Context<'_>,
) -> ImageDecision {
    let Judged { image, entry, due } = asked;
    if let Some(decided) = decide::image_unasked(image, entry, due) {
        return decided;
    }
    let registry = context.sources.registry(&entry.credentials);
    let resolved = match resolutions.of(image, &entry.credentials, registry).await {
        Ok(resolved) => resolved,
        Err(reason) => {
            let beside = decide::Beside { due, scope: None, now: context.now };
            return decide::image(image, entry, &Err(reason), beside);
        }
    };
    let decided = judge_manifest(asked, &resolved, scope, context).await;
    let Some(platform) = entry.platform.as_ref().filter(|_| decided.check.outcome != Outcome::Pass) else {
        return decided;
    };
    match gather::resolve_platform(image, &resolved, platform, registry).await {
        Ok(Some(of_platform)) => {
            let second = judge_manifest(asked, &of_platform, scope, context).await;
            if second.check.outcome == Outcome::Pass { second } else { decided }
        }
        Ok(None) | Err(_) => decided,
    }
}

/// Judges one manifest, looking no further than needed.
async fn judge_manifest(
    Judged { image, entry, due }: Judged<'_>,
    resolved: &Resolved,
    scope: Option<&Scope>,
    context: Context<'_>,
) -> ImageDecision {
    let world = World { sources: context.sources, facts: context.known, now: context.now };
    let seen = scope.map(|scope| scope.with_image(image, context.now));
    let beside = decide::Beside { due, scope: seen.as_ref(), now: context.now };
    let mut reaches = gather::reaches(entry).into_iter();
    let mut empty: Option<Vec<String>> = None;
    loop {
        let Some(reach) = reaches.next() else {
            return decide::image(image, entry, &Err(Reason::NothingChecked), beside);
        };
        // Where nothing was, nothing is asked for again.
        let reach = if empty.is_some() { reach.without_tags() } else { reach };
        let mut evidence = gather::image(image, resolved, entry, reach, scope, world).await;
        if let (Ok(evidence), Some(places)) = (&mut evidence, empty.take()) {
            evidence.looked_for.splice(0..0, places);
        }
        empty = evidence.as_ref().ok().filter(|found| found.is_empty()).map(|found| found.looked_for.clone());
        let decided = decide::image(image, entry, &evidence, beside);
        if decided.check.outcome == Outcome::Pass || reaches.len() == 0 {
            return decided;
        }
    }
}
