//! Public keys.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use x509_cert::der::{Decode as _, Encode as _, asn1::ObjectIdentifier};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::{KeyError, pem};
use crate::digest::{Algorithm, Digest};

/// A public key: ECDSA P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192 bits.
///
/// Equality and order are those of the fingerprint, so a set of keys is a set of signers.
#[derive(Clone)]
pub struct PublicKey {
    spki: Vec<u8>,
    fingerprint: String,
    kind: &'static str,
    /// The key parsed once for every hash it may be used with; the first is what cosign signs with today.
    verifiers: Vec<ParsedPublicKey>,
    /// The hash of each of them.
    hashes: &'static [Algorithm],
}

impl PublicKey {
    /// Reads every key of a text of PEM blocks (`PUBLIC KEY`, `RSA PUBLIC KEY`).
    ///
    /// # Errors
    /// [`KeyError`] when any block is not a supported public key; no key is dropped.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, KeyError> {
        pem::blocks(text)?.iter().map(Self::of_block).collect()
    }

    /// Reads a text that holds exactly one key.
    ///
    /// # Errors
    /// As [`Self::parse_all`], and [`KeyError::Several`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Self::parse_all(text)?;
        match (keys.len(), keys.pop()) {
            (1, Some(key)) => Ok(key),
            (count, _) => Err(KeyError::Several(count)),
        }
    }

    /// Reads a `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7).
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for other key types, curves and sizes.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::from_der(der)
            .map_err(|_| KeyError::Unsupported("not a SubjectPublicKeyInfo"))?;
        let curve = info.algorithm.parameters_oid().ok();
        Self::parsed(der, kind(info.algorithm.oid, curve)?)
    }

    fn of_block(block: &pem::Block) -> Result<Self, KeyError> {
        match block.label.as_str() {
            "PUBLIC KEY" => Self::from_spki(&block.der),
            "RSA PUBLIC KEY" => Self::parsed(&block.der, RSA),
            found => Err(KeyError::WrongLabel { found: found.to_owned(), expected: "a public key" }),
        }
    }

    fn parsed(der: &[u8], kind: Kind) -> Result<Self, KeyError> {
        let parse = |algorithm: &&'static dyn VerificationAlgorithm| {
            ParsedPublicKey::new(*algorithm, der)
                .map_err(|_| KeyError::Unsupported("its numbers are not valid"))
        };
        let verifiers = kind.algorithms.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let first = verifiers.first().ok_or(KeyError::Refused)?;
        // The library's own encoding: two spellings of one point must not count as two signers.
        let spki = first.as_der().map_err(|_| KeyError::Refused)?.as_ref().to_vec();
        if kind.name == RSA.name && PublicEncryptingKey::from_der(&spki).is_err() {
            return Err(KeyError::Unsupported("RSA of fewer than 2048 or more than 8192 bits"));
        }
        let fingerprint = format!("sha256:{}", hex::encode(digest(&SHA256, &spki)));
        Ok(Self { spki, fingerprint, kind: kind.name, verifiers, hashes: kind.hashes })
    }

    /// Whether `signature` is this key's over `message`: ECDSA in ASN.1 DER, Ed25519 (RFC 8032, pure),
    /// RSA PKCS#1 v1.5. P-384 and P-521 are accepted with their own hash and with SHA-256, which
    /// cosign used for every curve.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifiers.iter().any(|key| key.verify_sig(message, signature).is_ok())
    }

    /// The same where only the digest of the message is known. `None` where it says nothing about such a signature:
    /// Ed25519 signs the message itself, and every other key the digest of its own hash functions.
    #[must_use]
    pub fn verifies_digest(&self, digest: &Digest, signature: &[u8]) -> Option<bool> {
        let imported = digest.imported()?;
        let mut fitting =
            self.verifiers.iter().zip(self.hashes).filter(|(_, hash)| **hash == digest.algorithm());
        let (key, _) = fitting.next()?;
        Some(key.verify_digest_sig(&imported, signature).is_ok())
    }

    /// `sha256:` and the hex SHA-256 of the key's `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Its algorithm, for people: `ECDSA P-256`, `ECDSA P-384`, `ECDSA P-521`, `Ed25519` or `RSA`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The key as DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The key as a PEM block `PUBLIC KEY`.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write("PUBLIC KEY", &self.spki)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint)
    }
}

/// A key type, and the hashes that it may be used with.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    algorithms: &'static [&'static dyn VerificationAlgorithm],
    /// The hash of each, where the digest is what is signed.
    hashes: &'static [Algorithm],
}

const P256: Kind = Kind {
    name: "ECDSA P-256",
    algorithms: &[&signature::ECDSA_P256_SHA256_ASN1],
    hashes: &[Algorithm::Sha256],
};
const P384: Kind = Kind {
    name: "ECDSA P-384",
    algorithms: &[&signature::ECDSA_P384_SHA384_ASN1, &signature::ECDSA_P384_SHA256_ASN1],
    hashes: &[Algorithm::Sha384, Algorithm::Sha256],
};
const P521: Kind = Kind {
    name: "ECDSA P-521",
    algorithms: &[&signature::ECDSA_P521_SHA512_ASN1, &signature::ECDSA_P521_SHA256_ASN1],
    hashes: &[Algorithm::Sha512, Algorithm::Sha256],
};
const ED25519: Kind = Kind { name: "Ed25519", algorithms: &[&signature::ED25519], hashes: &[] };
const RSA: Kind = Kind {
    name: "RSA",
    algorithms: &[
        &signature::RSA_PKCS1_2048_8192_SHA256,
        &signature::RSA_PKCS1_2048_8192_SHA384,
        &signature::RSA_PKCS1_2048_8192_SHA512,
    ],
    hashes: &[Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512],
};

/// RFC 5480 (EC), RFC 8410 (Ed25519), RFC 8017 (RSA).
fn kind(key: ObjectIdentifier, curve: Option<ObjectIdentifier>) -> Result<Kind, KeyError> {
    const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    const SECP521R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
    const EDWARDS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    const RSA_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    match (key, curve) {
        (EC, Some(SECP256R1)) => Ok(P256),
        (EC, Some(SECP384R1)) => Ok(P384),
        (EC, Some(SECP521R1)) => Ok(P521),
        (EC, _) => Err(KeyError::Unsupported("an elliptic curve other than P-256, P-384 and P-521")),
        (EDWARDS, None) => Ok(ED25519),
        (RSA_KEY, _) => Ok(RSA),
        _ => Err(KeyError::Unsupported("its algorithm is not known")),
    }
}

/// The key of a DER certificate (RFC 5280).
impl TryFrom<&x509_cert::Certificate> for PublicKey {
    type Error = KeyError;

    fn try_from(certificate: &x509_cert::Certificate) -> Result<Self, KeyError> {
        let der = certificate.tbs_certificate.subject_public_key_info.to_der();
        Self::from_spki(&der.map_err(|_| KeyError::Unsupported("the certificate's key cannot be read"))?)
    }
}
