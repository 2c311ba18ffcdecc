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
pub use look::Reach;
pub use manifest::{ManifestEvidence, manifest};

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
