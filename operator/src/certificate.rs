//! The certificate that we are reached with.

use std::net::IpAddr;

use common::limits;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::args::Args;
use crate::files;

/// A certificate with its chain, its key, and the authority to verify it with, all PEM.
pub(crate) struct Served {
    /// The certificate, and its chain.
    pub(crate) chain: Vec<u8>,
    /// Its key.
    pub(crate) key: Vec<u8>,
    /// Of a certificate that was made: its authority.
    pub(crate) authority: Option<String>,
}

/// The certificate of the flags, or one that is made now.
///
/// # Errors
/// A file that cannot be read, a name that no certificate can have.
pub(crate) fn of(args: &Args) -> anyhow::Result<Served> {
    if let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) {
        let chain = files::bytes(chain, limits::CERTIFICATE_BYTES)?;
        return Ok(Served { chain, key: files::bytes(key, limits::KEY_BYTES)?, authority: None });
    }
    let mut names = vec!["localhost".to_owned(), IpAddr::from([127, 0, 0, 1]).to_string()];
    names.extend(args.tls_name.iter().cloned());
    made(names)
}

/// An authority, and a certificate of it for some names. The key of the authority is gone when this returns, so
/// it will never sign another one.
fn made(names: Vec<String>) -> anyhow::Result<Served> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name.push(DnType::CommonName, "trust-operator authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate()?;
    let mut served = CertificateParams::new(names)?;
    served.distinguished_name.push(DnType::CommonName, "trust-operator");
    served.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    served.use_authority_key_identifier_extension = true;
    let certificate = served.signed_by(&key, &issuer)?;
    Ok(Served {
        chain: certificate.pem().into_bytes(),
        key: key.serialize_pem().into_bytes(),
        authority: Some(authority_certificate.pem()),
    })
}
