//! Content digests: the name of bytes (OCI image specification, `descriptor.md`, "Digests").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest::{self as hashing, Context, SHA256, SHA384, SHA512};
use serde::{Serialize, Serializer};

/// A digest whose form was checked: `sha256:` and 64 lower-case hexadecimal digits, or the same of
/// SHA-384 and SHA-512.
///
/// Attack: a digest becomes part of URLs, tags and file names, so `sha256:../../x`, another length or
/// capital letters (two names for the same bytes) must end where they are read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    hex: Arc<str>,
}

/// Hash functions that digests may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, the one that everybody uses.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// No `algorithm:` in front.
    #[error("a digest has the form sha256:…")]
    Form,
    /// An algorithm that is not one of the three.
    #[error("the digest algorithm is not supported (sha256, sha384 and sha512 are)")]
    Algorithm,
    /// Another number of digits, or something that is no lower-case hexadecimal digit.
    #[error("a {0} digest has {1} lower-case hexadecimal digits")]
    Hex(&'static str, usize),
}

impl Algorithm {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// As written in front of the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }

    fn library(self) -> &'static hashing::Algorithm {
        match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        }
    }

    fn hash(self, bytes: &[u8]) -> hashing::Digest {
        hashing::digest(self.library(), bytes)
    }
}

impl Digest {
    /// The SHA-256 digest of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let algorithm = Algorithm::Sha256;
        Self { algorithm, hex: hex::encode(algorithm.hash(bytes)).into() }
    }

    /// Reads `algorithm:hex`.
    ///
    /// # Errors
    /// [`DigestError`].
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let (name, hex) = text.split_once(':').ok_or(DigestError::Form)?;
        let algorithm = Algorithm::ALL.into_iter().find(|known| known.name() == name);
        let algorithm = algorithm.ok_or(DigestError::Algorithm)?;
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() != algorithm.digits() || !hex.bytes().all(digit) {
            return Err(DigestError::Hex(algorithm.name(), algorithm.digits()));
        }
        Ok(Self { algorithm, hex: hex.into() })
    }

    /// Whether the bytes are those that the digest names.
    #[must_use]
    pub fn names(&self, bytes: &[u8]) -> bool {
        hex::encode(self.algorithm.hash(bytes)) == *self.hex
    }

    /// The hash function.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits, without the algorithm.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The hash itself.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        hex::decode(&*self.hex).unwrap_or_default()
    }

    /// The hash as the crypto library takes it. Nobody knows of what it is: a signature over it is one over
    /// whatever has it.
    pub(crate) fn imported(&self) -> Option<hashing::Digest> {
        hashing::Digest::import_less_safe(&self.bytes(), self.algorithm.library()).ok()
    }

    /// `sha256-…`: the digest as the beginning of a tag, where `:` is not allowed. cosign derives its
    /// tags from it, and the referrers fallback is this very tag (OCI distribution specification,
    /// "Referrers Tag Schema").
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{}-{}", self.algorithm.name(), self.hex)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A SHA-256 hash over a list of parts. Each goes in with its length, so that no two lists of different parts
/// give the same bytes.
pub(crate) fn hash_of_parts(parts: &[&[u8]]) -> [u8; 32] {
    let length = |part: &[u8]| (part.len() as u64).to_be_bytes();
    let whole: usize = parts.iter().map(|part| size_of::<u64>() + part.len()).sum();
    let mut together = [0; 512];
    let hashed = if let Some(room) = together.get_mut(..whole) {
        // Each step into the library costs more than hashing a block, and most parts are short.
        let mut rest = &mut room[..];
        for part in parts {
            for bytes in [&length(part), *part] {
                let (place, after) = rest.split_at_mut(bytes.len());
                place.copy_from_slice(bytes);
                rest = after;
            }
        }
        hashing::digest(&SHA256, room)
    } else {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&length(part));
            context.update(part);
        }
        context.finish()
    };
    let mut hash = [0; 32];
    hash.copy_from_slice(hashed.as_ref());
    hash
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_names_its_bytes_and_no_others() {
        let digest = Digest::of(b"abc");
        assert_eq!(
            digest.to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(digest.names(b"abc") && !digest.names(b"abd"));
        assert_eq!(Digest::parse(&digest.to_string()), Ok(digest.clone()));
        assert_eq!(digest.tag(), format!("sha256-{}", digest.hex()));
        let long = format!("sha512:{}", hex::encode(hashing::digest(&SHA512, b"abc")));
        assert!(Digest::parse(&long).unwrap().names(b"abc"));
    }

    /// However they go in: all together, one by one, some before a long one.
    #[test]
    fn a_hash_of_parts_is_that_of_lengths_and_bytes() {
        for lengths in [&[][..], &[0, 1, 500], &[504], &[505], &[1, 512, 3], &[9_999, 7, 496, 40], &[200; 9]]
        {
            let parts: Vec<Vec<u8>> = lengths.iter().map(|length| vec![b'x'; *length]).collect();
            let whole: Vec<u8> = parts
                .iter()
                .flat_map(|part| [&(part.len() as u64).to_be_bytes(), &**part].concat())
                .collect();
            let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
            assert_eq!(hash_of_parts(&parts), *hashing::digest(&SHA256, &whole).as_ref(), "{lengths:?}");
        }
    }

    /// Attack A4: another form of digest must never reach a URL.
    #[test]
    fn a4_what_is_no_digest_says_why() {
        let hex = "a".repeat(64);
        for (text, expected) in [
            (hex.clone(), DigestError::Form),
            (format!("md5:{hex}"), DigestError::Algorithm),
            (format!("SHA256:{hex}"), DigestError::Algorithm),
            (format!("sha256:{}", "A".repeat(64)), DigestError::Hex("sha256", 64)),
            (format!("sha256:{hex}a"), DigestError::Hex("sha256", 64)),
            ("sha256:../../".to_owned(), DigestError::Hex("sha256", 64)),
            (format!("sha512:{hex}"), DigestError::Hex("sha512", 128)),
            (format!("sha256:{hex}\n"), DigestError::Hex("sha256", 64)),
        ] {
            assert_eq!(Digest::parse(&text), Err(expected), "{text}");
        }
    }
}
