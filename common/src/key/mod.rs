//! Public and private keys: what is read, what is written, what they verify and sign.
//!
//! Cryptography is aws-lc-rs; this module chooses algorithms by key type and turns every unreadable
//! text into an error that says what it is instead.

mod encrypted;
mod pem;
mod private;
mod public;

pub use encrypted::Password;
pub use private::PrivateKey;
pub use public::PublicKey;

/// Why a text is not the key that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No PEM block at all.
    #[error("not a key: no PEM block (`-----BEGIN …`) in it")]
    NotPem,
    /// A block that begins and does not end, or is not base64.
    #[error("PEM block {index} cannot be read: it is cut off or not base64")]
    BrokenPem {
        /// Which block of the text, from 1.
        index: usize,
    },
    /// A PEM block of another kind.
    #[error("found a PEM block `{found}` where {expected} is needed{}", hint(.found))]
    WrongLabel {
        /// The label found.
        found: String,
        /// What is needed.
        expected: &'static str,
    },
    /// More blocks than [`crate::limits::KEYS`], or more bytes than [`crate::limits::KEY_BYTES`].
    #[error("too large for a key file")]
    TooLarge,
    /// One key was asked for and several are there.
    #[error("holds {0} keys where one is needed")]
    Several(usize),
    /// The DER inside the PEM is not a key, or not of a type we support.
    #[error("unsupported key: {0} (supported: ECDSA P-256, P-384, P-521, Ed25519, RSA 2048 to 8192)")]
    Unsupported(&'static str),
    /// The encrypted key's JSON envelope is not cosign's.
    #[error("encrypted key with an unreadable envelope: {0}")]
    Envelope(&'static str),
    /// scrypt parameters outside the three that cosign writes; others would let a key file burn memory.
    #[error(
        "encrypted key with scrypt parameters N={n}, r={r}, p={p}; cosign writes N=32768, 65536 or 131072, r=8, p=1"
    )]
    Scrypt {
        /// Cost.
        n: u64,
        /// Block size.
        r: u32,
        /// Parallelism.
        p: u32,
    },
    /// The key is encrypted and no password was given.
    #[error("the key is encrypted and no password was given")]
    PasswordNeeded,
    /// Authentication of the ciphertext failed.
    #[error("wrong password")]
    WrongPassword,
    /// The crypto library refused to make or use the key.
    #[error("the crypto library refused the key")]
    Refused,
}

fn hint(label: &str) -> &'static str {
    match label {
        "CERTIFICATE" => {
            " (a certificate is trusted by its authority and by the identity in it, not as a key)"
        }
        "PUBLIC KEY" => " (this is the public half; signing needs the private key)",
        l if l.contains("PRIVATE KEY") => " (this is the private half; verifying needs the public key)",
        _ => "",
    }
}
