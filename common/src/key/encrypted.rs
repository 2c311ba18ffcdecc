//! cosign's encrypted private keys: scrypt, then `NaCl` secretbox, in a JSON envelope.
//!
//! Format: go-securesystemslib `encrypted`; PEM labels `ENCRYPTED SIGSTORE PRIVATE KEY` (now) and
//! `ENCRYPTED COSIGN PRIVATE KEY` (before cosign 2).

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::{Aead as _, KeyInit as _};
use crypto_secretbox::{Key, Nonce, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::KeyError;

/// The password of a private key; wiped from memory when dropped, absent from `Debug`.
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes a password as typed; the empty one is legal.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into().into_bytes()))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// PEM labels; the first is written.
pub(super) const LABELS: [&str; 2] = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cipher {
    name: String,
    nonce: String,
}

/// Decrypts an envelope to PKCS#8 DER.
pub(super) fn open(envelope: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let envelope: Envelope =
        serde_json::from_slice(envelope).map_err(|_| KeyError::Envelope("it is not cosign's JSON"))?;
    if envelope.kdf.name != "scrypt" || envelope.cipher.name != "nacl/secretbox" {
        return Err(KeyError::Envelope("its algorithms are not scrypt and nacl/secretbox"));
    }
    let salt = decode(&envelope.kdf.salt)?;
    let nonce: [u8; 24] = decode(&envelope.cipher.nonce)?
        .try_into()
        .map_err(|_| KeyError::Envelope("its nonce has not 24 bytes"))?;
    let ciphertext = decode(&envelope.ciphertext)?;
    let key = derive(password, &salt, &envelope.kdf.params)?;
    XSalsa20Poly1305::new(Key::from_slice(key.as_ref()))
        .decrypt(Nonce::from_slice(&nonce), ciphertext.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| KeyError::WrongPassword)
}

/// Encrypts PKCS#8 DER into an envelope, with a fresh salt and nonce and the parameters cosign uses
/// for new keys.
pub(super) fn seal(pkcs8: &[u8], password: &Password) -> Result<Vec<u8>, KeyError> {
    let (mut salt, mut nonce) = ([0_u8; 32], [0_u8; 24]);
    rand::fill(&mut salt).and_then(|()| rand::fill(&mut nonce)).map_err(|_| KeyError::Refused)?;
    let params = Params { n: 65_536, r: 8, p: 1 };
    let key = derive(password, &salt, &params)?;
    let ciphertext = XSalsa20Poly1305::new(Key::from_slice(key.as_ref()))
        .encrypt(Nonce::from_slice(&nonce), pkcs8)
        .map_err(|_| KeyError::Refused)?;
    let envelope = Envelope {
        kdf: Kdf { name: "scrypt".to_owned(), params, salt: STANDARD.encode(salt) },
        cipher: Cipher { name: "nacl/secretbox".to_owned(), nonce: STANDARD.encode(nonce) },
        ciphertext: STANDARD.encode(ciphertext),
    };
    serde_json::to_vec(&envelope).map_err(|_| KeyError::Refused)
}

/// scrypt with one of cosign's three parameter sets; a key file must not choose how much memory we use.
fn derive(password: &Password, salt: &[u8], params: &Params) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let Params { n, r, p } = *params;
    let log_n = match (n, r, p) {
        (32_768, 8, 1) => 15,
        (65_536, 8, 1) => 16,
        (131_072, 8, 1) => 17,
        _ => return Err(KeyError::Scrypt { n, r, p }),
    };
    let scrypt = scrypt::Params::new(log_n, r, p).map_err(|_| KeyError::Refused)?;
    let mut key = Zeroizing::new([0_u8; 32]);
    scrypt::scrypt(&password.0, salt, &scrypt, key.as_mut()).map_err(|_| KeyError::Refused)?;
    Ok(key)
}

fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    STANDARD.decode(text).map_err(|_| KeyError::Envelope("a field is not base64"))
}
