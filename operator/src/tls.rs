//! TLS: what we are reached with, and who may reach us.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The settings for a certificate with its chain and its key (PEM). With `clients`, the authorities (PEM) of those who
/// may reach us: nobody else gets past the handshake.
///
/// Attack A43: whoever reaches the port could have us ask registries for anything, and learn what we may read.
///
/// # Errors
/// A text that is none.
pub(crate) fn settings(chain: &[u8], key: &[u8], clients: Option<&str>) -> anyhow::Result<Arc<ServerConfig>> {
    let certificates = |text: &[u8]| CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let chain = certificates(chain).context("the certificate")?;
    ensure!(!chain.is_empty(), "the certificate: no PEM certificate");
    let key = PrivateKeyDer::from_pem_slice(key).context("the key of the certificate")?;
    let builder = ServerConfig::builder();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(text) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(text.as_bytes()).context("the authorities of clients")? {
                roots.add(certificate).context("the authorities of clients")?;
            }
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build()?)
        }
    };
    let mut settings = builder.with_single_cert(chain, key).context("the certificate and its key")?;
    settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(settings))
}
