//! What was verified.

use jiff::Timestamp;

use crate::signer::Signer;
use crate::verdict::Reason;

/// The pieces that come with a signature, decoded but not yet believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// PEM of the signing certificate (and of intermediates after it).
    pub certificate: Option<String>,
    /// PEM of the chain above it, where that comes apart.
    pub chain: Option<String>,
    /// JSON of cosign's `RekorBundle`: an entry and the log's promise.
    pub bundle: Option<String>,
    /// JSON that holds a timestamp of RFC 3161 over the signature, as cosign writes it.
    pub timestamp: Option<String>,
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
    /// When a trusted log took it in, where the log says it.
    pub logged: Option<Timestamp>,
    /// Whether a trusted log proves that it took the signature in. Logs of the second generation prove it
    /// without a time of their own.
    pub in_log: bool,
    /// When a trusted timestamp authority saw it.
    pub timestamped: Option<Timestamp>,
    /// Why what came with it to prove a log entry proves none.
    pub log_problem: Option<Reason>,
    /// What else came with it and proved nothing.
    pub warnings: Vec<String>,
    private: (),
}

impl VerifiedSignature {
    pub(super) fn new(signer: Signer) -> Self {
        Self {
            signer,
            logged: None,
            in_log: false,
            timestamped: None,
            log_problem: None,
            warnings: Vec::new(),
            private: (),
        }
    }
}
