//! Certificates and keys that stand in a policy as text, read once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::pieces::certificate_blocks;
use super::{Pieces, TrustError, TrustRoot, parse_certificates};
use crate::key::{KeyError, PublicKey};

/// Why a text is not what belongs there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Neither PEM nor base64 of PEM.
    #[error("not PEM certificates: neither PEM nor base64 of PEM")]
    NotPem,
    /// PEM that holds something else, or something broken.
    #[error("not PEM certificates: {0}")]
    Certificates(String),
    /// Not public keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Readable, and of no use where it stands.
    #[error("cannot be used: {0}")]
    Unusable(String),
}

impl PemError {
    /// The author of a policy knows where the piece stands.
    fn of(error: TrustError) -> Self {
        match error {
            TrustError::Piece { problem, .. } | TrustError::Unusable(problem) => Self::Unusable(problem),
            TrustError::TooLarge | TrustError::Unreadable(_) | TrustError::Empty => {
                Self::Unusable(error.to_string())
            }
        }
    }
}

/// PEM of one certificate or several, all of which can be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Certificates(String);

impl Certificates {
    /// Reads PEM certificates, or the base64 of such a text; none is dropped.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn parse(text: &str) -> Result<Self, PemError> {
        let read = Self::parse_form(text)?;
        parse_certificates(read.pem()).map_err(PemError::Certificates)?;
        Ok(read)
    }

    /// The same where nobody will look into the certificates, because what they are for is not supported.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn parse_form(text: &str) -> Result<Self, PemError> {
        let decoded = || {
            let packed: String = text.split_whitespace().collect();
            String::from_utf8(STANDARD.decode(packed).ok()?).ok()
        };
        let pem = if text.contains("-----BEGIN") { Some(text.to_owned()) } else { decoded() };
        let pem = pem.ok_or(PemError::NotPem)?;
        certificate_blocks(&pem).map_err(PemError::Certificates)?;
        Ok(Self(pem))
    }

    /// The same of an authority: one that a trust root can be made of.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn parse_authority(text: &str) -> Result<Self, PemError> {
        let read = Self::parse(text)?;
        let pieces = Pieces { ca_roots: Some(read.pem()), ..Pieces::default() };
        TrustRoot::of_pieces_alone(&pieces).map_err(PemError::of)?;
        Ok(read)
    }

    /// The same of a timestamp authority.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn parse_timestamp_authority(text: &str) -> Result<Self, PemError> {
        let read = Self::parse(text)?;
        let pieces = Pieces { tsa_chain: Some(read.pem()), ..Pieces::default() };
        TrustRoot::of_pieces_alone(&pieces).map_err(PemError::of)?;
        Ok(read)
    }

    /// The PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0
    }
}

/// PEM of the public keys of a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKeys(String);

impl LogKeys {
    /// Reads the keys of a transparency log.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn parse_transparency_log(text: &str) -> Result<Self, PemError> {
        Self::usable(text, |keys| Pieces { rekor_keys: Some(keys), ..Pieces::default() })
    }

    /// Reads the keys of a certificate transparency log.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn parse_certificate_log(text: &str) -> Result<Self, PemError> {
        // A root of such keys alone trusts nobody, which is no mistake of the keys.
        Self::usable(text, |keys| Pieces { ct_keys: Some(keys), rekor_keys: Some(keys), ..Pieces::default() })
    }

    fn usable(text: &str, pieces: impl Fn(&str) -> Pieces<'_>) -> Result<Self, PemError> {
        PublicKey::parse_all(text)?;
        TrustRoot::of_pieces_alone(&pieces(text)).map_err(PemError::of)?;
        Ok(Self(text.to_owned()))
    }

    /// The PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0
    }
}
