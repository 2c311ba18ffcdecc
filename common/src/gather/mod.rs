//! Everything a judgement needs, before anything is judged: the only place that waits.
//!
//! What is gathered are facts: what a message says, whether a signature is a key's, which identity a
//! certificate proves. Whether that is who the policy asked for is for [`crate::decide`].

mod attest;
mod blob;
mod image;
mod look;
mod manifest;

pub use attest::{AttestorEvidence, name};
pub use blob::blob;
pub use image::{
    AttestationEvidence, Attested, ImageEvidence, Resolved, image, reaches, resolve, resolve_platform,
};
pub use look::{Reach, Referrers};
pub use manifest::{ManifestEvidence, manifest};

use std::future::Future;

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;

use crate::cache::Facts;
use crate::sources::Sources;

/// What gathering may ask.
#[derive(Clone, Copy)]
pub struct World<'w> {
    /// Keys and trust roots.
    pub sources: &'w dyn Sources,
    /// Facts known already.
    pub facts: &'w Facts,
    /// The time of the judgement.
    pub now: Timestamp,
}

/// Waits for several, some `at_once`, and answers in their order. Most images are signed once and named by one
/// entry, and one alone needs no queue.
///
/// They come as a list, because a closure that makes them is not known to be [`Send`] while somebody waits.
pub(crate) async fn in_order<F: Future>(mut waiting: Vec<F>, at_once: usize) -> Vec<F::Output> {
    if waiting.len() > 1 {
        return stream::iter(waiting).buffered(at_once).collect().await;
    }
    match waiting.pop() {
        Some(only) => vec![only.await],
        None => Vec::new(),
    }
}
