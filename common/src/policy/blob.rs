//! What is demanded of a file.

use super::requirement::Requirement;

/// The file must be signed, or something must be attested of it.
#[derive(Clone, Debug)]
pub struct BlobRule {
    /// By whom.
    pub requirement: Requirement,
    /// What they must have said.
    pub said: Said,
}

/// What a signer says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// That it is theirs: a signature over its bytes.
    Signature,
    /// A statement about it, of this predicate type.
    Statement(String),
    /// Either, and a statement of any type: that it is theirs or anything else about it.
    Anything,
}
