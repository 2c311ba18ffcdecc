//! Certificates that we are reached with: read from files, or made.

use std::net::IpAddr;

use anyhow::Context as _;
use common::digest::Digest;
use common::limits;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, date_time_ymd,
};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::args::Args;
use crate::{clock, files};

/// A certificate with its chain, its key, and the authority to verify it with, all PEM.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Served {
    /// The certificate, and its chain.
    pub(crate) chain: Vec<u8>,
    /// Its key.
    pub(crate) key: Vec<u8>,
    /// Of a certificate that was made: its authority, or several.
    pub(crate) authority: Option<String>,
}

/// For how long a certificate is made that is made at every start.
const AT_START: SignedDuration = SignedDuration::from_hours(24 * 365);

/// The certificate of the flags, or one that is made now.
///
/// # Errors
/// A file that cannot be read, a name that no certificate can have.
pub(crate) fn of(args: &Args) -> anyhow::Result<Served> {
    if let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) {
        let authority = match &args.tls_ca {
            None => None,
            Some(path) => Some(files::text(path, limits::CERTIFICATE_BYTES)?),
        };
        let chain = files::bytes(chain, limits::CERTIFICATE_BYTES)?;
        return Ok(Served { chain, key: files::bytes(key, limits::KEY_BYTES)?, authority });
    }
    let now = clock::now();
    let authority = Authority::make(now, AT_START)?;
    let (chain, key) = authority.issue(&names(args), now, AT_START)?;
    Ok(Served { chain: chain.into_bytes(), key: key.into_bytes(), authority: Some(authority.pem) })
}

/// The names of this machine, and those of the flags.
pub(crate) fn names(args: &Args) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), IpAddr::from([127, 0, 0, 1]).to_string()];
    names.extend(args.tls_name.iter().cloned());
    names
}

/// An authority that certificates are made of.
pub(crate) struct Authority {
    /// Its certificate.
    pub(crate) pem: String,
    key: KeyPair,
}

impl Authority {
    /// A new one, with a key of its own.
    pub(crate) fn make(now: Timestamp, life: SignedDuration) -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = Self::params(&key)?;
        valid(&mut params, now, life);
        Ok(Self { pem: params.self_signed(&key)?.pem(), key })
    }

    /// The one of a certificate and its key.
    pub(crate) fn kept(pem: &str, key: &str) -> anyhow::Result<Self> {
        Ok(Self { pem: pem.to_owned(), key: KeyPair::from_pem(key)? })
    }

    /// Its key (PEM).
    pub(crate) fn key(&self) -> String {
        self.key.serialize_pem()
    }

    /// A certificate for some names, and its key.
    pub(crate) fn issue(
        &self,
        names: &[String],
        now: Timestamp,
        life: SignedDuration,
    ) -> anyhow::Result<(String, String)> {
        let of = Self::params(&self.key)?;
        let issuer = Issuer::from_params(&of, &self.key);
        let key = KeyPair::generate()?;
        let mut served = CertificateParams::new(names)?;
        served.distinguished_name.push(DnType::CommonName, "trust-operator");
        served.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        served.use_authority_key_identifier_extension = true;
        valid(&mut served, now, life);
        Ok((served.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
    }

    /// All that follows from the key: two authorities have different names, so that a chain leads to the right one.
    fn params(key: &KeyPair) -> anyhow::Result<CertificateParams> {
        let mut params = CertificateParams::new(Vec::new())?;
        let id = Digest::of(&key.subject_public_key_info());
        let name = format!("trust-operator authority {}", &id.hex()[..16]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Ok(params)
    }
}

/// From the day before, for clocks that are late, to the day on which the life ends.
fn valid(params: &mut CertificateParams, now: Timestamp, life: SignedDuration) {
    let day = |time: Timestamp| {
        let date = time.to_zoned(TimeZone::UTC).date();
        let part = |number: i8| u8::try_from(number).unwrap_or(1);
        date_time_ymd(i32::from(date.year()), part(date.month()), part(date.day()))
    };
    params.not_before = day(now - SignedDuration::from_hours(24));
    params.not_after = day(now + life);
}

/// The first certificate of a text.
///
/// # Errors
/// There is none.
pub(crate) fn first(text: &str) -> anyhow::Result<String> {
    let all = pem::parse_many(text)?;
    let certificate = all.iter().find(|block| block.tag() == "CERTIFICATE").context("no certificate")?;
    Ok(pem::encode(certificate))
}

/// When the first of all certificates of a text to end does.
///
/// # Errors
/// There is none.
pub(crate) fn first_end(text: &str) -> anyhow::Result<Timestamp> {
    let all = pem::parse_many(text)?;
    let certificates = all.iter().filter(|block| block.tag() == "CERTIFICATE");
    let ends = certificates.map(|block| expiry(&pem::encode(block))).collect::<anyhow::Result<Vec<_>>>()?;
    ends.into_iter().min().context("no certificate")
}

/// When the first certificate of a text ends.
///
/// # Errors
/// There is none.
pub(crate) fn expiry(text: &str) -> anyhow::Result<Timestamp> {
    let first = Certificate::from_der(pem::parse(first(text)?)?.contents())?;
    let seconds = first.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
    Ok(Timestamp::from_second(i64::try_from(seconds)?)?)
}
