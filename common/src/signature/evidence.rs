//! What was verified.

use jiff::Timestamp;

use crate::signer::Signer;

/// The pieces that come with a signature, decoded but not yet believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// PEM of the signing certificate (and of intermediates after it).
    pub certificate: Option<String>,
    /// JSON of cosign's `RekorBundle`: an entry and the log's promise.
    pub bundle: Option<String>,
    /// Pieces that could not be decoded, in words; they prove nothing.
    pub leftovers: Vec<String>,
}

/// A signature that verified. Only this crate's signature module makes one, so having it means the
/// cryptography was done.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::manual_non_exhaustive, reason = "closed to the rest of this crate, too")]
pub struct VerifiedSignature {
    /// Who signed.
    pub signer: Signer,
    /// When a trusted log took it in.
    pub logged: Option<Timestamp>,
    /// What else came with it and proved nothing.
    pub warnings: Vec<String>,
    private: (),
}

impl VerifiedSignature {
    pub(super) fn new(signer: Signer) -> Self {
        Self { signer, logged: None, warnings: Vec::new(), private: () }
    }
}
