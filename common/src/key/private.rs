//! Private keys: read, made, used for signing.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA256_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::{KeyError, Password, PublicKey, encrypted, pem};

/// A private key in memory. It never shows itself in `Debug` output.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl PrivateKey {
    /// Reads a PEM private key: cosign's encrypted ones (both labels), PKCS#8 (RFC 5958), SEC1
    /// (RFC 5915) and PKCS#1 (RFC 8017). `password` is asked only for an encrypted key.
    ///
    /// # Errors
    /// [`KeyError`]: not a private key, a wrong password, an unsupported algorithm.
    pub fn parse(text: &str, password: impl FnOnce() -> Option<Password>) -> Result<Self, KeyError> {
        let blocks = pem::blocks(text)?;
        let [block] = blocks.as_slice() else {
            // OpenSSL writes the curve into a block of its own before a SEC1 key.
            return match blocks.as_slice() {
                [parameters, key] if parameters.label == "EC PARAMETERS" => Self::of_block(key, password),
                several => Err(KeyError::Several(several.len())),
            };
        };
        Self::of_block(block, password)
    }

    fn of_block(block: &pem::Block, password: impl FnOnce() -> Option<Password>) -> Result<Self, KeyError> {
        match block.label.as_str() {
            label if encrypted::LABELS.contains(&label) => {
                let password = password().ok_or(KeyError::PasswordNeeded)?;
                Self::from_pkcs8(&encrypted::open(&block.der, &password)?)
            }
            "PRIVATE KEY" => Self::from_pkcs8(&block.der),
            "EC PRIVATE KEY" => {
                Self::ecdsa(|algorithm| EcdsaKeyPair::from_private_key_der(algorithm, &block.der).ok())?
                    .ok_or(KeyError::Unsupported("the SEC1 key cannot be read"))
            }
            "RSA PRIVATE KEY" => Self::rsa(RsaKeyPair::from_der(&block.der).ok())?
                .ok_or(KeyError::Unsupported("the RSA key cannot be read")),
            found => Err(KeyError::WrongLabel { found: found.to_owned(), expected: "a private key" }),
        }
    }

    /// Reads PKCS#8 DER, versions 1 and 2.
    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        if let Some(key) = Self::ecdsa(|algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der).ok())? {
            return Ok(key);
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let spki = pair.public_key().as_der().map_err(|_| KeyError::Refused)?;
            return Ok(Self { public: PublicKey::from_spki(spki.as_ref())?, pair: Pair::Ed25519(pair) });
        }
        Self::rsa(RsaKeyPair::from_pkcs8(der).ok())?
            .ok_or(KeyError::Unsupported("the PKCS#8 key cannot be read"))
    }

    /// The first curve whose reader takes the key.
    fn ecdsa(
        read: impl Fn(&'static EcdsaSigningAlgorithm) -> Option<EcdsaKeyPair>,
    ) -> Result<Option<Self>, KeyError> {
        let curves = [
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &ECDSA_P384_SHA384_ASN1_SIGNING,
            &ECDSA_P521_SHA256_ASN1_SIGNING,
        ];
        let Some(pair) = curves.into_iter().find_map(read) else {
            return Ok(None);
        };
        let spki = pair.public_key().as_der().map_err(|_| KeyError::Refused)?;
        Ok(Some(Self { public: PublicKey::from_spki(spki.as_ref())?, pair: Pair::Ecdsa(pair) }))
    }

    fn rsa(pair: Option<RsaKeyPair>) -> Result<Option<Self>, KeyError> {
        let Some(pair) = pair else { return Ok(None) };
        let spki = pair.public_key().as_der().map_err(|_| KeyError::Refused)?;
        Ok(Some(Self { public: PublicKey::from_spki(spki.as_ref())?, pair: Pair::Rsa(Box::new(pair)) }))
    }

    /// Makes an ECDSA P-256 key and returns it with its PEM, encrypted under `password` in cosign's
    /// format (`ENCRYPTED SIGSTORE PRIVATE KEY`). An empty password is legal there.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the crypto library cannot make one.
    pub fn generate(password: &Password) -> Result<(Self, Zeroizing<String>), KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map_err(|_| KeyError::Refused)?;
        let der = Zeroizing::new(document.as_ref().to_vec());
        let envelope = encrypted::seal(&der, password)?;
        Ok((Self::from_pkcs8(&der)?, Zeroizing::new(pem::write(encrypted::LABELS[0], &envelope))))
    }

    /// Signs: ECDSA in ASN.1 DER, Ed25519, or RSA PKCS#1 v1.5. The hash is SHA-256 wherever the crypto
    /// library can, because k8s-manifest-sigstore reads no other; with P-384 it cannot, and signs with
    /// SHA-384.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the crypto library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => {
                pair.sign(&random, message).map(|s| s.as_ref().to_vec()).map_err(|_| KeyError::Refused)
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| KeyError::Refused)?;
                Ok(signature)
            }
        }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {})", self.public.fingerprint())
    }
}
