//! Facts about one signature over known bytes. No judgement: who signed, when, and what vouches for
//! it; whether that is enough is decided elsewhere.

mod certificate;
mod chain;
mod detach;
mod evidence;
mod found;
mod keyed;
mod keyless;
mod log;
pub mod make;
pub mod simple_signing;
pub mod statement;

pub use certificate::{CertificateTrust, by_certificate};
pub use detach::DetachError;
pub use evidence::{Material, Piece, VerifiedSignature};
pub use found::{Annotations, Claim, Format, Found};
pub use keyed::by_key;
pub use keyless::{LogDemands, by_identity, claimed_identity};

use sigstore_types::{Artifact, ArtifactDigest, HashAlgorithm};

use crate::digest::{Algorithm, Digest};
use crate::verdict::Reason;

/// What a signature must be about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// The digest of the manifest or file.
    pub digest: &'s Digest,
    /// Its bytes, where they are at hand; needed for signatures over the bytes themselves.
    pub bytes: Option<&'s [u8]>,
}

impl Found {
    /// Whether it is about `subject`, before any cryptography.
    fn is_about(&self, subject: Subject<'_>) -> Result<(), Reason> {
        match &self.claim {
            Ok(claim) => claim.contradicts(subject.digest).map_or(Ok(()), Err),
            Err(reason) => Err(reason.clone()),
        }
    }
}

/// A subject as the Sigstore crates take it: its bytes if they are there, else its digest.
fn artifact(subject: Subject<'_>) -> Result<Artifact<'_>, Reason> {
    if let Some(bytes) = subject.bytes {
        return Ok(Artifact::from_blob(bytes));
    }
    let algorithm = match subject.digest.algorithm() {
        Algorithm::Sha256 => HashAlgorithm::Sha2256,
        Algorithm::Sha384 => HashAlgorithm::Sha2384,
        Algorithm::Sha512 => HashAlgorithm::Sha2512,
    };
    let digest = ArtifactDigest::new(algorithm, subject.digest.bytes());
    digest.map(Artifact::from_digest).map_err(|error| Reason::PayloadInvalid { problem: error.to_string() })
}
