//! What is remembered, within a bound.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use super::Options;
use super::flight::{Landed, Landing, Question};
use crate::digest::Digest;
use crate::image::{Repository, Version};
use crate::limits;
use crate::registry::{Content, Descriptor, Fetched, Manifest};
use crate::verdict::{RegistryFault, RegistryProblem};

/// What a question is about, and who asks it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The hash of the scope.
    pub(super) scope: Arc<str>,
    pub(super) at: Repository,
    pub(super) what: What,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum What {
    Manifest(Version),
    Blob(Digest),
    Referrers(Digest),
}

/// An answer that is something.
#[derive(Clone)]
pub(super) enum Thing {
    Manifest(Arc<Manifest>),
    Blob(Arc<[u8]>),
    List(Arc<[Descriptor]>),
}

/// An answer that is remembered; that there is nothing is one.
pub(super) struct Known(pub(super) Option<Thing>);

/// For how long an answer is good.
enum Nature {
    /// It has a digest.
    Fact,
    /// Signatures are added and removed.
    List,
    /// It may be another one the next moment.
    Moment,
}

impl Key {
    fn nature(&self) -> Nature {
        match &self.what {
            What::Manifest(Version::Digest(_)) | What::Blob(_) => Nature::Fact,
            What::Referrers(_) => Nature::List,
            What::Manifest(Version::Tag(tag)) if tag.derived_from().is_some() => Nature::List,
            What::Manifest(Version::Tag(_)) => Nature::Moment,
        }
    }

    /// Whether the answer cannot change.
    pub(super) fn is_fact(&self) -> bool {
        matches!(self.nature(), Nature::Fact)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Manifest(version) => write!(f, "{}{}", self.at, version.suffix()),
            What::Blob(digest) => write!(f, "{}@{digest}", self.at),
            What::Referrers(subject) => write!(f, "referrers of {}@{subject}", self.at),
        }
    }
}

struct Kept {
    found: Option<Thing>,
    /// When it was asked for: it is at least as old as that.
    since: Instant,
    /// For how long it is good.
    ttl: Option<Duration>,
    weight: usize,
}

/// What is remembered, and what is being asked.
pub(super) struct Memory {
    kept: LruCache<Key, Kept>,
    bytes: usize,
    pub(super) flights: HashMap<Question, Landing>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { kept: LruCache::unbounded(), bytes: 0, flights: HashMap::new() }
    }
}

impl Memory {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The answer, if one is known and its time is not over.
    pub(super) fn known(&mut self, key: &Key, now: Instant) -> Option<Known> {
        let kept = self.kept.get(key)?;
        let fresh = kept.ttl.is_none_or(|ttl| now.duration_since(kept.since) < ttl);
        fresh.then(|| Known(kept.found.clone()))
    }

    /// Keeps an answer, or looks for one of before in place of a fault.
    pub(super) fn settle(
        &mut self,
        key: &Key,
        found: Fetched<Thing>,
        began: Instant,
        options: &Options,
    ) -> Landed {
        match found {
            Ok(found) => {
                self.remember(key, found.as_ref(), began, options);
                Landed { found: Ok(found), stale: false }
            }
            Err(fault) => match self.of_before(key, &fault, options) {
                Some(thing) => Landed { found: Ok(Some(thing)), stale: true },
                None => Landed { found: Err(fault), stale: false },
            },
        }
    }

    fn remember(&mut self, key: &Key, found: Option<&Thing>, since: Instant, options: &Options) {
        let empty = found.is_none_or(Thing::is_empty_list);
        match (key.nature(), found) {
            (Nature::List, _) if empty => {
                self.keep(key.clone(), found, since, Some(options.negative_ttl), options);
            }
            (Nature::List, _) => self.keep(key.clone(), found, since, Some(options.list_ttl), options),
            (Nature::Fact, Some(_)) => self.keep(key.clone(), found, since, None, options),
            // That the manifest is there is a fact; that the tag points to it is true for a moment.
            (Nature::Moment, Some(Thing::Manifest(manifest))) => {
                let what = What::Manifest(Version::Digest(manifest.digest.clone()));
                self.keep(Key { what, ..key.clone() }, found, since, None, options);
                if !options.tag_ttl.is_zero() {
                    self.keep(key.clone(), found, since, Some(options.tag_ttl), options);
                }
            }
            // What is not there may be pushed the next moment.
            (Nature::Fact | Nature::Moment, _) => {}
        }
    }

    fn keep(
        &mut self,
        key: Key,
        found: Option<&Thing>,
        since: Instant,
        ttl: Option<Duration>,
        options: &Options,
    ) {
        let weight = limits::CACHED_REGISTRY_OVERHEAD + found.map_or(0, Thing::weight);
        // Also when the new answer is too large: the old one is out of date.
        if let Some(old) = self.kept.pop(&key) {
            self.bytes -= old.weight;
        }
        if weight > options.entry_bytes {
            return;
        }
        self.bytes += weight;
        self.kept.put(key, Kept { found: found.cloned(), since, ttl, weight });
        while self.bytes > options.bytes {
            let Some((_, oldest)) = self.kept.pop_lru() else { return };
            self.bytes -= oldest.weight;
        }
    }

    /// A list that was seen before, if it may be used in place of this fault.
    fn of_before(&self, key: &Key, fault: &RegistryFault, options: &Options) -> Option<Thing> {
        let bound = options.stale_if_error?;
        if !matches!(key.nature(), Nature::List) || !is_outage(&fault.problem) {
            return None;
        }
        let kept = self.kept.peek(key).filter(|kept| kept.since.elapsed() <= bound)?;
        kept.found.clone().filter(|thing| !thing.is_empty_list())
    }
}

/// Whether the registry could not answer, in contrast to an answer that is a refusal or wrong.
///
/// Attack: who lost the right to read, or a registry that sends rubbish, must not live on what was seen before.
fn is_outage(problem: &RegistryProblem) -> bool {
    match problem {
        RegistryProblem::Unreachable(_)
        | RegistryProblem::RateLimited { .. }
        | RegistryProblem::DeadlineExceeded => true,
        RegistryProblem::Status(status) => *status >= 500,
        RegistryProblem::Unauthorized { .. }
        | RegistryProblem::TooLarge { .. }
        | RegistryProblem::TooMany { .. }
        | RegistryProblem::ContentMismatch { .. }
        | RegistryProblem::Malformed(_)
        | RegistryProblem::Refused { .. }
        | RegistryProblem::NotRecorded => false,
    }
}

impl Thing {
    fn is_empty_list(&self) -> bool {
        matches!(self, Self::List(list) if list.is_empty())
    }

    /// Bytes in memory, estimated from above.
    ///
    /// Attack: a manifest of many tiny texts takes ten times its bytes, so its bytes are not its weight.
    fn weight(&self) -> usize {
        match self {
            Self::Blob(bytes) => bytes.len(),
            Self::List(list) => list.iter().map(descriptor).sum(),
            Self::Manifest(manifest) => manifest.bytes.len() + content(&manifest.content),
        }
    }
}

fn content(content: &Content) -> usize {
    match content {
        Content::Image(image) => {
            let inside = image.layers.iter().chain(&image.config).chain(&image.subject).map(descriptor);
            inside.sum::<usize>() + texts(&image.annotations) + image.artifact_type.as_ref().map_or(0, text)
        }
        Content::Index(index) => {
            let inside = index.manifests.iter().chain(&index.subject).map(descriptor);
            inside.sum::<usize>() + texts(&index.annotations)
        }
    }
}

fn descriptor(of: &Descriptor) -> usize {
    let platform = of.platform.as_ref().map_or(0, |platform| {
        text(&platform.os) + text(&platform.architecture) + platform.variant.as_ref().map_or(0, text)
    });
    let artifact_type = of.artifact_type.as_ref().map_or(0, text);
    // A shared text counts its owners as well.
    let own = size_of::<Descriptor>() + of.digest.hex().len() + 4 * size_of::<usize>();
    own + text(&of.media_type) + artifact_type + texts(&of.annotations) + platform
}

/// A text with the room that its allocation takes beside it.
fn text(of: &String) -> usize {
    of.capacity() + 2 * size_of::<usize>()
}

/// A map: nodes have room for eleven entries, and are at least five elevenths full but for the first.
fn texts(of: &BTreeMap<String, String>) -> usize {
    const NODE: usize = 640;
    if of.is_empty() {
        return 0;
    }
    let nodes = of.len().div_ceil(5);
    nodes * NODE + of.iter().map(|(key, value)| text(key) + text(value)).sum::<usize>()
}
