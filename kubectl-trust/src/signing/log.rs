//! Publishing signatures of keys in a transparency log.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::digest::Digest;
use common::key::PublicKey;
use serde_json::{Value, json};
use sigstore_sign::rekor::{
    DsseEntry, HashedRekord, HashedRekordV2, RekorApiVersion, RekorClient, RekorV2Client, RekorV2KeyDetails,
};
use sigstore_sign::tsa::TimestampClient;
use sigstore_sign::types::bundle::{KindVersion, Rfc3161Timestamp};
use sigstore_sign::types::{
    Bundle, DerPublicKey, Sha256Hash, SignatureBytes, SignatureContent, TransparencyLogEntry, pae,
};

use super::services::{Services, asked, line};

/// A transparency log, and the timestamp authority beside it.
pub(crate) struct Log {
    services: Services,
}

impl Log {
    pub(super) fn new(services: Services) -> Self {
        Self { services }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        self.services.log()
    }

    pub(super) fn services(&self) -> &Services {
        &self.services
    }

    /// Publishes a key's signature, and puts the proof of it into the bundle. `bytes` is what was signed, for
    /// a bundle that does not hold it.
    ///
    /// # Errors
    /// The log or the timestamp authority refuses or does not answer; a key whose signatures a log of that
    /// version does not take.
    pub(super) async fn add(&self, bundle: &mut Bundle, key: &PublicKey, bytes: &[u8]) -> anyhow::Result<()> {
        self.takes(key)?;
        let (signed, signature) = match &bundle.content {
            SignatureContent::MessageSignature(message) => (None, message.signature.clone()),
            SignatureContent::DsseEnvelope(envelope) => (Some(envelope), envelope.signature.sig.clone()),
            _ => bail!("the bundle holds neither a signature over bytes nor an envelope"),
        };
        let entry = match (self.services.named.rekor_api_version(), signed) {
            (RekorApiVersion::V1, None) => {
                let entry = json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
                    "data": {"hash": {"algorithm": "sha256", "value": Digest::of(bytes).hex()}},
                    "signature": {"content": signature, "publicKey": {"content": verifier(key)}},
                }});
                self.first(Entry::Hash(serde_json::from_value(entry)?)).await?
            }
            (RekorApiVersion::V1, Some(envelope)) => {
                let entry = json!({"apiVersion": "0.0.1", "kind": "dsse", "spec": {
                    "proposedContent": {"envelope": json!(envelope).to_string(), "verifiers": [verifier(key)]},
                }});
                self.first(Entry::Envelope(serde_json::from_value(entry)?)).await?
            }
            (_, None) => self.second(&Digest::of(bytes), &signature, key).await?,
            (_, Some(envelope)) => {
                let bytes = pae(&envelope.payload_type, envelope.payload.as_bytes());
                self.second(&Digest::of(&bytes), &signature, key).await?
            }
        };
        let timestamp = self.timestamp(&signature).await?;
        let material = &mut bundle.verification_material;
        material.tlog_entries.push(entry);
        material.timestamp_verification_data.rfc3161_timestamps.extend(timestamp);
        Ok(())
    }

    /// That the log can check a signature of the key: it knows SHA-256 only, and of Rekor v2 the library
    /// speaks P-256 only.
    fn takes(&self, key: &PublicKey) -> anyhow::Result<()> {
        let taken: &[&str] = match self.services.named.rekor_api_version() {
            RekorApiVersion::V1 => &["ECDSA P-256", "ECDSA P-521", "RSA"],
            RekorApiVersion::V2 | _ => &["ECDSA P-256"],
        };
        if !taken.contains(&key.kind()) {
            bail!(
                "{}: no signatures of {} keys go into this log; use {}",
                self.url(),
                key.kind(),
                taken.join(" or ")
            );
        }
        Ok(())
    }

    /// An entry in a log of the first generation.
    async fn first(&self, entry: Entry) -> anyhow::Result<TransparencyLogEntry> {
        let client = RekorClient::builder(self.url()).with_http_client(self.services.http.clone()).build();
        let client = client.map_err(|why| self.refused(&why))?;
        let _waiting = asked(self.url());
        let (made, kind) = match entry {
            Entry::Hash(entry) => (client.create_entry(entry).await, KindVersion::HashedRekordV001),
            Entry::Envelope(entry) => (client.create_dsse_entry(entry).await, KindVersion::DsseV001),
        };
        let made = made.map_err(|why| self.refused(&why))?;
        made.to_bundle_entry(kind).map_err(|why| self.refused(&why))
    }

    /// An entry in a log of the second generation.
    async fn second(
        &self,
        digest: &Digest,
        signature: &SignatureBytes,
        key: &PublicKey,
    ) -> anyhow::Result<TransparencyLogEntry> {
        let digest = Sha256Hash::from_hex(digest.hex()).context("not a SHA-256 digest")?;
        let (key, details) = (DerPublicKey::from_bytes(key.spki()), RekorV2KeyDetails::PkixEcdsaP256Sha256);
        let request = HashedRekordV2::new_with_public_key(&digest, signature, &key, details);
        let client = RekorV2Client::builder(self.url()).with_http_client(self.services.http.clone()).build();
        let client = client.map_err(|why| self.refused(&why))?;
        let _waiting = asked(self.url());
        client.create_entry(request).await.map_err(|why| self.refused(&why))
    }

    async fn timestamp(&self, signature: &SignatureBytes) -> anyhow::Result<Option<Rfc3161Timestamp>> {
        let Some(url) = self.services.named.tsa_url() else { return Ok(None) };
        let refused =
            |why: sigstore_sign::tsa::Error| anyhow::anyhow!("no timestamp from {url}: {}", line(&why));
        let client = TimestampClient::builder(url).with_http_client(self.services.http.clone()).build();
        let _waiting = asked(url);
        let token = client.map_err(refused)?.timestamp_signature(signature).await.map_err(refused)?;
        Ok(Some(Rfc3161Timestamp::new(token)))
    }

    fn refused(&self, why: &dyn std::fmt::Display) -> anyhow::Error {
        anyhow::anyhow!("no log entry from {}: {}", self.url(), line(why))
    }
}

/// An entry as Rekor v1 is asked for it.
enum Entry {
    Hash(HashedRekord),
    Envelope(DsseEntry),
}

/// A key as Rekor v1 has it: PEM in base64.
fn verifier(key: &PublicKey) -> Value {
    json!(STANDARD.encode(key.to_pem()))
}
