//! What identities are verified against: certificate authorities, transparency logs, timestamp
//! authorities.

mod parts;
mod pem;
mod pieces;

pub(crate) use pieces::parse_certificates;

pub use parts::{Part, PartKind};
pub use pem::{Certificates, LogKeys, PemError};
pub use pieces::{PieceKind, Pieces};

use std::fmt;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use sigstore_trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TransparencyLog, TrustedRoot};
use sigstore_types::TimeRange;
use sigstore_verify::Verifier;

use crate::limits;

/// A root that trusts nobody.
const NOTHING: &str = r#"{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "tlogs": [], "certificateAuthorities": [], "ctlogs": [], "timestampAuthorities": []}"#;

/// A trust root, checked and prepared for verification.
pub struct TrustRoot {
    verifier: Verifier,
    json: String,
    fingerprint: String,
    parts: Vec<Part>,
    has_ct_log: bool,
    logs: Vec<String>,
    known: Vec<KnownLog>,
}

/// Why a trust root cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// More than [`limits::TRUSTED_ROOT_BYTES`].
    #[error("larger than any trusted root")]
    TooLarge,
    /// Not a Sigstore `trusted_root.json`.
    #[error("not a Sigstore trusted root: {0}")]
    Unreadable(String),
    /// Readable, and one of its keys or certificates is not.
    #[error("the trusted root holds material that cannot be used: {0}")]
    Unusable(String),
    /// Readable, and without any authority or log. Attack A33: nobody is trusted then, which must not be
    /// taken for "nothing to check".
    #[error("the trusted root names no certificate authority, log or timestamp authority")]
    Empty,
    /// A PEM text of one of the pieces. Shown as the command line names it; a policy's fields have names of their
    /// own.
    #[error("{}: {problem}", .piece.flag())]
    Piece {
        /// Which piece.
        piece: PieceKind,
        /// What is wrong with it.
        problem: String,
    },
}

impl TrustRoot {
    /// Reads a Sigstore `trusted_root.json` (media type `application/vnd.dev.sigstore.trustedroot…`).
    ///
    /// # Errors
    /// [`TrustError`]: every key and certificate in it must be usable; none is skipped.
    pub fn from_json(json: &str) -> Result<Self, TrustError> {
        if json.len() > limits::TRUSTED_ROOT_BYTES {
            return Err(TrustError::TooLarge);
        }
        let root = TrustedRoot::from_json(json).map_err(|error| TrustError::Unreadable(error.to_string()))?;
        if root.certificate_authorities.is_empty()
            && root.tlogs.is_empty()
            && root.timestamp_authorities.is_empty()
        {
            return Err(TrustError::Empty);
        }
        let verifier = Verifier::new(&root).map_err(|error| TrustError::Unusable(error.to_string()))?;
        Ok(Self {
            verifier,
            json: json.to_owned(),
            fingerprint: hex::encode(digest(&SHA256, json.as_bytes())),
            parts: parts::of(&root),
            has_ct_log: !root.ctlogs.is_empty(),
            logs: root.tlogs.iter().map(|log| log.base_url.clone()).collect(),
            known: root.tlogs.iter().map(KnownLog::of).collect(),
        })
    }

    /// The public-good root with pieces replaced, for private authorities without a
    /// `trusted_root.json`; what each piece replaces is said at [`Pieces`].
    ///
    /// # Errors
    /// [`TrustError::Piece`] names the piece that cannot be read.
    pub fn from_pieces(pieces: &Pieces<'_>) -> Result<Self, TrustError> {
        Self::replaced(SIGSTORE_PRODUCTION_TRUSTED_ROOT, pieces)
    }

    /// A root of these pieces and nothing else: of a private Sigstore, whose policies must not trust the public
    /// one's logs where it has none.
    ///
    /// # Errors
    /// As [`Self::from_pieces`]; [`TrustError::Empty`] for no piece at all.
    pub fn of_pieces_alone(pieces: &Pieces<'_>) -> Result<Self, TrustError> {
        Self::replaced(NOTHING, pieces)
    }

    /// This root with pieces replaced.
    ///
    /// # Errors
    /// As [`Self::from_pieces`].
    pub fn with_pieces(&self, pieces: &Pieces<'_>) -> Result<Self, TrustError> {
        Self::replaced(&self.json, pieces)
    }

    fn replaced(base: &str, pieces: &Pieces<'_>) -> Result<Self, TrustError> {
        let base = serde_json::from_str(base).map_err(|error| TrustError::Unreadable(error.to_string()))?;
        Self::from_json(&pieces.replace_in(base)?.to_string())
    }

    /// The public-good instance, as compiled in. Parsed at first use.
    #[must_use]
    pub fn public_good() -> Option<Arc<Self>> {
        static ROOT: LazyLock<Option<Arc<TrustRoot>>> =
            LazyLock::new(|| TrustRoot::from_json(SIGSTORE_PRODUCTION_TRUSTED_ROOT).ok().map(Arc::new));
        ROOT.clone()
    }

    /// What the verifier of the Sigstore crates needs.
    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Hex SHA-256 of the root's JSON: part of the key of every cached fact.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The root as it was read.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Everybody that it makes trusted.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether certificates must prove that they were logged. A private authority without a CT log
    /// cannot prove it, and its trust root says so by naming no log.
    #[must_use]
    pub fn demands_sct(&self) -> bool {
        self.has_ct_log
    }

    /// Whether a transparency log of this id (the SHA-256 of its key) is trusted.
    pub(crate) fn knows_log(&self, id: &[u8]) -> bool {
        self.known.iter().any(|known| known.id == id)
    }

    /// Whether the key of the transparency log of this id was in use at one of these times. Without any time,
    /// whether it still is: a key that was retired proves nothing that has no time (attack A33: it was stolen
    /// later).
    pub(crate) fn log_was_in_use(&self, id: &[u8], times: &[Timestamp]) -> bool {
        let used = |log: &KnownLog| match (&log.valid_for, times) {
            (None, _) => true,
            (Some(window), []) => window.end.is_none(),
            (Some(window), times) => times.iter().any(|time| window.contains(*time)),
        };
        self.known.iter().any(|known| known.id == id && used(known))
    }

    /// Base URLs of the transparency logs.
    #[must_use]
    pub fn logs(&self) -> &[String] {
        &self.logs
    }
}

/// What is known of a transparency log's key.
struct KnownLog {
    id: Vec<u8>,
    valid_for: Option<TimeRange>,
}

impl KnownLog {
    fn of(log: &TransparencyLog) -> Self {
        Self { id: log.log_id.key_id.as_bytes().to_vec(), valid_for: log.public_key.valid_for }
    }
}

impl fmt::Debug for TrustRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustRoot({}…)", &self.fingerprint[..12])
    }
}
