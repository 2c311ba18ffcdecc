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
    /// Pieces that are there and could not be decoded; they prove nothing.
    pub unread: Vec<Piece>,
}

/// A piece that comes with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// The signing certificate.
    Certificate,
    /// The log entry.
    Bundle,
}

impl Piece {
    /// Of its annotation.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Bundle => "bundle",
        }
    }
}

impl Material {
    /// What a person should know of a piece that is there and could not be decoded.
    #[must_use]
    pub fn unread(&self, piece: Piece) -> Option<String> {
        let text = || format!("the {} annotation cannot be read", piece.name());
        self.unread.contains(&piece).then(text)
    }

    /// The same of every such piece.
    pub fn leftovers(&self) -> impl Iterator<Item = String> {
        self.unread.iter().filter_map(|piece| self.unread(*piece))
    }
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
