//! What can be wrong with the pieces of a signed manifest, and with keys that must be fetched.

use std::fmt;

use crate::signer::short;

/// What is wrong with a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureProblem {
    /// It verifies under none of the keys: names of the keys tried, and how many signatures there were.
    NotByKey {
        /// The key that was tried.
        key: String,
        /// Signatures in the manifest.
        signatures: usize,
    },
    /// It does not verify under the certificate that comes with it.
    NotByCertificate,
    /// It is not base64 (RFC 4648). References (`https://…`, `k8s://…`, file names) end here: nothing in
    /// a manifest is ever fetched.
    NotBase64,
    /// More than `limits::SIGNATURE_BYTES`.
    TooLarge,
}

/// What is wrong with the message annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageProblem {
    /// Not base64 (RFC 4648, standard alphabet, padded), or cut off.
    NotBase64,
    /// Larger than `limits::MESSAGE_BYTES` when decompressed: a decompression bomb.
    TooLarge,
    /// A gzip stream that breaks off or is damaged.
    BrokenGzip,
    /// A tar archive that cannot be read, or one with more entries or bytes than allowed.
    BrokenTar,
    /// Its YAML cannot be read.
    NotYaml(String),
    /// It holds no document.
    Empty,
    /// More documents than `limits::MESSAGE_DOCUMENTS`.
    TooManyDocuments,
    /// That many documents are the object: more than `limits::MESSAGE_CANDIDATES`.
    TooManyCandidates(usize),
}

/// Why something that must be fetched is not at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// There is no cluster to ask.
    NeedsCluster,
    /// A key management service; not supported.
    KeyService,
    /// The cluster or file answered, and it is not there.
    NotFound,
    /// The answer was a refusal: a missing right.
    Forbidden(String),
    /// No answer.
    Unreachable(String),
    /// It is there and is not what it should be.
    Unreadable(String),
}

impl fmt::Display for SignatureProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotByKey { key, signatures } => {
                write!(f, "no signature by {}: ", short_key(key))?;
                match signatures {
                    1 => write!(f, "the one signature was made with another key, or over other bytes"),
                    n => write!(f, "the {n} signatures were made with other keys, or over other bytes"),
                }
            }
            Self::NotByCertificate => write!(f, "the signature was not made with the key of its certificate"),
            Self::NotBase64 => {
                write!(f, "the signature annotation is not base64; it is never taken for a file name or URL")
            }
            Self::TooLarge => write!(f, "the signature annotation is larger than any signature"),
        }
    }
}

fn short_key(key: &str) -> String {
    key.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for MessageProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBase64 => write!(f, "it is not base64, or is cut off"),
            Self::TooLarge => write!(
                f,
                "it is larger than {} MiB when decompressed",
                crate::limits::MESSAGE_BYTES / 1024 / 1024
            ),
            Self::BrokenGzip => write!(f, "its gzip stream is damaged or cut off"),
            Self::BrokenTar => write!(f, "its tar archive cannot be read, or is too large"),
            Self::NotYaml(problem) => write!(f, "it is not YAML ({problem})"),
            Self::Empty => write!(f, "it holds no document"),
            Self::TooManyDocuments => {
                write!(f, "it holds more than {} documents", crate::limits::MESSAGE_DOCUMENTS)
            }
            Self::TooManyCandidates(found) => {
                let most = crate::limits::MESSAGE_CANDIDATES;
                write!(f, "it holds this object {found} times; more than {most} are not compared")
            }
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsCluster => write!(f, "it lives in a cluster, and this command does not contact one"),
            Self::KeyService => write!(f, "key management services are not supported"),
            Self::NotFound => write!(f, "it is not there"),
            Self::Forbidden(right) => write!(f, "reading it needs the right to {right}"),
            Self::Unreachable(problem) => write!(f, "no answer ({problem})"),
            Self::Unreadable(problem) => write!(f, "{problem}"),
        }
    }
}
