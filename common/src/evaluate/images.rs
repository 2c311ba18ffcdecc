//! Judging images.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::Context;
use crate::decide::{self, ImageDecision};
use crate::gather::{self, Resolved, World};
use crate::image::ImageRef;
use crate::object::ObjectRef;
use crate::policy::condition::Scope;
use crate::policy::images::ImageEntry;
use crate::registry::Registry;
use crate::verdict::{Check, Decision, Outcome, Reason, Subject, SubjectKind};

/// Judges one image by one entry, as a command line demands it.
pub async fn by_image(typed: &str, entry: &ImageEntry, context: Context<'_>) -> Decision {
    let subject =
        Subject { kind: SubjectKind::Image, source: typed.to_owned(), object: ObjectRef::default() };
    let image = match ImageRef::parse(typed) {
        Ok(image) => image,
        Err(error) => {
            let reason = Reason::ImageInvalid { image: typed.to_owned(), problem: error.to_string() };
            return Decision::new(subject, None, Check::leaf(typed, Outcome::Fail, reason));
        }
    };
    let judged = judge(&image, entry, None, &Resolutions::default(), context).await;
    let ImageDecision { check, signers, warnings, payloads, .. } = judged;
    Decision { signers, warnings, payloads, ..Decision::new(subject, None, check) }
}

/// Judges one image by one entry, looking no further than needed.
pub(super) async fn judge(
    image: &ImageRef,
    entry: &ImageEntry,
    scope: Option<&Scope>,
    resolutions: &Resolutions,
    context: Context<'_>,
) -> ImageDecision {
    let world = World { sources: context.sources, facts: context.known, now: context.now };
    let registry = context.sources.registry(&entry.credentials);
    let resolved = match resolutions.of(image, registry).await {
        Ok(resolved) => resolved,
        Err(reason) => return decide::image(image, entry, &Err(reason), context.now),
    };
    let mut reaches = gather::reaches(entry).into_iter();
    loop {
        let Some(reach) = reaches.next() else {
            return decide::image(image, entry, &Err(Reason::NothingChecked), context.now);
        };
        let evidence = gather::image(image, &resolved, entry, reach, scope, world).await;
        let decided = decide::image(image, entry, &evidence, context.now);
        if decided.check.outcome == Outcome::Pass || reaches.len() == 0 {
            return decided;
        }
    }
}

/// Which manifest each image of one request is, asked once however many rules ask.
#[derive(Default)]
pub(super) struct Resolutions {
    known: Mutex<BTreeMap<String, Arc<OnceCell<Result<Resolved, Reason>>>>>,
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
