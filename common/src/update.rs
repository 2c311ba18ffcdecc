//! What an update starts (ADR 0014).
//!
//! An update is judged for what it starts. Controllers scale an old ReplicaSet down, take their finalizer off a Pod
//! that has ended, suspend and label: were each of these refused because the object is older than the policy, its
//! untrusted Pods would run for ever. So an update passes where nothing new can run because of it; everything else
//! is judged in full, also where the stored object would be refused as well.
//!
//! Only fields that are known to start nothing may change. Attack: a field that is missing from this list must
//! not be a way to start what is not trusted, so every other field is judged.

mod content;
mod workload;

use std::cell::OnceCell;

use serde_json::Value;

use crate::image::{self, FoundImage};
use crate::object::ObjectRef;
use crate::policy::{Body, ImagesRule, Operation, ReviewFacts, UserInfo};

/// Why nothing new can run because of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartsNothing {
    /// A Pod keeps its images.
    SameImages,
    /// What makes Pods keeps its template and makes no more of them.
    NoMorePods,
    /// A manifest keeps its content.
    SameContent,
}

impl StartsNothing {
    /// The same as a sentence for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::SameImages => "the update adds and changes no image of the Pod",
            Self::NoMorePods => "the update keeps the Pod template and asks for no more Pods",
            Self::SameContent => {
                "the update keeps the content; it only reduces, or changes owner references, finalizers or status"
            }
        }
    }
}

/// An update of a stored object. What is found out about it is found out once, however many rules ask.
#[derive(Debug)]
pub(crate) struct Update<'u> {
    stored: &'u Value,
    object: &'u Value,
    kind: ObjectRef,
    /// Whether a controller of Kubernetes asks for it.
    by_controller: bool,
    /// Whether no image is added or changed where Kubernetes has images.
    same_images: OnceCell<bool>,
    same_content: OnceCell<bool>,
}

impl<'u> Update<'u> {
    /// The update that a request is; `None` where it is another operation, or where the stored object is unknown.
    pub(crate) fn of(facts: &ReviewFacts<'u>) -> Option<Self> {
        let (object, stored) = (facts.object, facts.old_object?);
        let (kind, before) = (ObjectRef::of(object), ObjectRef::of(stored));
        // Attack: another object in the place of the stored one proves nothing about it.
        (facts.operation == Operation::Update && !kind.kind.is_empty() && kind == before).then(|| Self {
            stored,
            object,
            kind,
            by_controller: facts.user.is_some_and(UserInfo::is_controller),
            same_images: OnceCell::new(),
            same_content: OnceCell::new(),
        })
    }

    /// Why nothing that a rule is about can run because of the update; `None` where something can, or where that is unknown.
    pub(crate) fn starts_nothing(&self, body: &Body) -> Option<StartsNothing> {
        match body {
            Body::Images(rule) => self.runs_no_image(rule),
            Body::Manifest(_) => self.keeps_content().then_some(StartsNothing::SameContent),
            Body::NotHandled { .. } => None,
        }
    }

    fn runs_no_image(&self, rule: &ImagesRule) -> Option<StartsNothing> {
        if !self.keeps_images(rule) {
            return None;
        }
        if workload::is_pod(&self.kind) {
            return workload::keeps_gates(self.stored, self.object).then_some(StartsNothing::SameImages);
        }
        let same = workload::asks_for_no_more(&self.kind, self.stored, self.object);
        same.then_some(StartsNothing::NoMorePods)
    }

    /// Attack A8: an image in any list of the Pod; and where the rule says itself where images stand, there too.
    fn keeps_images(&self, rule: &ImagesRule) -> bool {
        let built_in = || keeps(image::images(self.stored), image::images(self.object));
        *self.same_images.get_or_init(built_in)
            && (!rule.has_extractors(self.object)
                || keeps(rule.images(self.stored), rule.images(self.object)))
    }

    fn keeps_content(&self) -> bool {
        *self
            .same_content
            .get_or_init(|| content::keeps(&self.kind, self.stored, self.object, self.by_controller))
    }
}

/// Whether every image stood there before: in the same list, under the same name, with the same text. What cannot be
/// read is judged.
fn keeps<E>(stored: Result<Vec<FoundImage>, E>, found: Result<Vec<FoundImage>, E>) -> bool {
    let (Ok(stored), Ok(found)) = (stored, found) else { return false };
    let place = |image: &FoundImage| (image.list.clone(), image.name.clone(), image.text.clone());
    let stored: std::collections::BTreeSet<_> = stored.iter().map(place).collect();
    found.iter().all(|image| stored.contains(&place(image)))
}

#[cfg(test)]
mod tests;
