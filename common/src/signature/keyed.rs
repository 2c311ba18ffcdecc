//! Signatures by a key.

use jiff::Timestamp;
use serde_json::json;
use sigstore_types::{Artifact, Bundle, DerPublicKey, HashAlgorithm, MessageDigest, SignatureContent};
use sigstore_verify::{Error, PublicKeyVerificationPolicy, VerificationResult};

use super::evidence::{Material, VerifiedSignature};
use super::found::{Body, Found};
use super::log::{self, Content, RekorBundle};
use super::{Subject, artifact};
use crate::digest::{Algorithm, Digest};
use crate::key::PublicKey;
use crate::signer::Signer;
use crate::trust::TrustRoot;
use crate::verdict::{Reason, SignatureProblem};

/// What came with a keyed signature to prove that a log took it in.
enum Entry {
    /// A known log did.
    Good { logged: Option<Timestamp>, in_log: bool, timestamped: Option<Timestamp> },
    /// Nothing: unreadable, or by a log that is not trusted.
    Unproven(String),
    /// It is for other bytes or another signature, or its promise is forged.
    Contradicts(String),
}

/// Verifies one signature with a key.
///
/// 1. The signature must be the key's over `message`. This alone makes it good: a key needs no log.
/// 2. A log entry that comes with it must not contradict it: an entry for other bytes, or with a bad
///    promise by a log that is known, means somebody put the pieces together.
///
/// An entry that cannot be read, or that no known log vouches for, proves nothing; it becomes a warning in
/// the result. Whether a proof is demanded is for [`crate::decide`].
///
/// # Errors
/// [`Reason::SignatureInvalid`], [`Reason::LogEntryInvalid`].
pub fn by_key(
    key: &PublicKey,
    message: &[u8],
    material: &Material,
    logs: Option<&TrustRoot>,
) -> Result<VerifiedSignature, Reason> {
    // (1)
    let verified = signed_by(key, message, &material.signature)?;
    // (2)
    let content = Content::Message { bytes: message, signature: &material.signature };
    with_entry(verified, beside(key, content, material, Artifact::from_blob(message), logs))
}

impl Found {
    /// The same for a signature of an image or file, in any format.
    ///
    /// # Errors
    /// As [`by_key`]; [`Reason::PayloadInvalid`], [`Reason::DigestMismatch`] for what is not about `subject`.
    pub fn by_key(
        &self,
        key: &PublicKey,
        subject: Subject<'_>,
        logs: Option<&TrustRoot>,
    ) -> Result<VerifiedSignature, Reason> {
        self.is_about(subject)?;
        match &self.body {
            Body::Detached { message, material } => by_key(key, message, material, logs),
            Body::Envelope { envelope, material } => {
                let verified = signed_by(key, &envelope.pae(), envelope.signature.sig.as_bytes())?;
                let artifact = artifact(subject)?;
                with_entry(verified, beside(key, Content::Envelope(envelope), material, artifact, logs))
            }
            Body::Bundle(bundle) => bundled(key, bundle, subject, logs),
            Body::Unreadable(reason) => Err(reason.clone()),
        }
    }
}

/// A bundle. One that carries a certificate may have been signed by the key all the same, but says that it
/// was not: it is refused.
fn bundled(
    key: &PublicKey,
    bundle: &Bundle,
    subject: Subject<'_>,
    logs: Option<&TrustRoot>,
) -> Result<VerifiedSignature, Reason> {
    if bundle.signing_certificate().is_some() {
        return Err(not_by(key));
    }
    let verified = match &bundle.content {
        SignatureContent::DsseEnvelope(envelope) => {
            signed_by(key, &envelope.pae(), envelope.signature.sig.as_bytes())?
        }
        SignatureContent::MessageSignature(message) => {
            if message.message_digest.as_ref().is_some_and(|said| !names(said, subject)) {
                return Err(Reason::PayloadInvalid { problem: "it is for other bytes".to_owned() });
            }
            match subject.bytes {
                Some(bytes) => signed_by(key, bytes, message.signature.as_bytes())?,
                None => signed_digest_by(key, subject.digest, message.signature.as_bytes())?,
            }
        }
        _ => return Err(not_by(key)),
    };
    if let Some(detail) = log::contradicts_itself(bundle) {
        return Err(Reason::LogEntryInvalid { detail: detail.to_owned() });
    }
    let material = &bundle.verification_material;
    let stamped = !material.timestamp_verification_data.rfc3161_timestamps.is_empty();
    if material.tlog_entries.is_empty() && !stamped {
        return Ok(verified);
    }
    let known = |logs: &TrustRoot| {
        material.tlog_entries.iter().all(|entry| logs.knows_log(entry.log_id.key_id.as_bytes()))
    };
    let entry = match logs {
        None => Entry::Unproven("the log entry was not checked: no trust root is given".to_owned()),
        Some(logs) if !known(logs) => {
            Entry::Unproven("the log entry is by a log that is not in the trust root".to_owned())
        }
        Some(logs) => judge(logs, bundle, artifact(subject)?, key, None),
    };
    with_entry(verified, entry)
}

/// Whether the digest in a bundle is that of the subject, as far as can be told: without its bytes, two digests by
/// different hash functions cannot be compared. It proves nothing; one that is wrong was put beside the signature by
/// another signer, and an identity's bundle is refused for it as well.
fn names(said: &MessageDigest, subject: Subject<'_>) -> bool {
    let algorithm = match said.algorithm {
        HashAlgorithm::Sha2256 => Algorithm::Sha256,
        HashAlgorithm::Sha2384 => Algorithm::Sha384,
        HashAlgorithm::Sha2512 => Algorithm::Sha512,
        _ => return false,
    };
    let digest = Digest::parse(&format!("{}:{}", algorithm.name(), hex::encode(said.digest.as_bytes())));
    digest.is_ok_and(|digest| match subject.bytes {
        Some(bytes) => digest.names(bytes),
        None => digest.algorithm() != subject.digest.algorithm() || digest == *subject.digest,
    })
}

/// The signature itself.
fn signed_by(key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<VerifiedSignature, Reason> {
    if !key.verifies(message, signature) {
        return Err(not_by(key));
    }
    Ok(VerifiedSignature::new(Signer::Key { fingerprint: key.fingerprint().to_owned() }))
}

/// The same where only the digest of what was signed is known.
fn signed_digest_by(key: &PublicKey, digest: &Digest, signature: &[u8]) -> Result<VerifiedSignature, Reason> {
    match key.verifies_digest(digest, signature) {
        Some(true) => Ok(VerifiedSignature::new(Signer::Key { fingerprint: key.fingerprint().to_owned() })),
        Some(false) => Err(not_by(key)),
        None => {
            let problem = format!(
                "a signature by a key of type {} cannot be verified by a {} digest alone; give the file",
                key.kind(),
                digest.algorithm().name()
            );
            Err(Reason::PayloadInvalid { problem })
        }
    }
}

fn not_by(key: &PublicKey) -> Reason {
    let key = format!("key {}", key.fingerprint());
    Reason::SignatureInvalid { problem: SignatureProblem::NotByKey { key, signatures: 1 } }
}

fn with_entry(mut verified: VerifiedSignature, entry: Entry) -> Result<VerifiedSignature, Reason> {
    match entry {
        Entry::Good { logged, in_log, timestamped } => {
            verified.logged = logged;
            verified.in_log = in_log;
            verified.timestamped = timestamped;
        }
        Entry::Unproven(why) if why.is_empty() => {}
        Entry::Unproven(detail) => {
            verified.warnings.push(detail.clone());
            verified.log_problem = Some(Reason::LogEntryInvalid { detail });
        }
        Entry::Contradicts(detail) => return Err(Reason::LogEntryInvalid { detail }),
    }
    Ok(verified)
}

/// Checks the entry and the timestamp that lie beside a signature which is already known to be good.
fn beside(
    key: &PublicKey,
    content: Content<'_>,
    material: &Material,
    artifact: Artifact<'_>,
    logs: Option<&TrustRoot>,
) -> Entry {
    let Some(json) = &material.bundle else { return Entry::Unproven(String::new()) };
    let Some(entry) = RekorBundle::parse(json) else {
        return Entry::Unproven(
            "the log bundle beside the signature is not one; it proves nothing".to_owned(),
        );
    };
    if let Some(contradiction) = entry.contradiction(content) {
        return Entry::Contradicts(contradiction);
    }
    let signer = ("publicKey", json!({"hint": ""}));
    let bundle = match log::bundle(signer, content, Some(&entry), material.timestamp.as_deref()) {
        Ok(bundle) => bundle,
        Err(why) => {
            return Entry::Unproven(format!("the log bundle cannot be read: {why}; it proves nothing"));
        }
    };
    let Some(logs) = logs else {
        return Entry::Unproven("the log entry was not checked: no trust root is given".to_owned());
    };
    // Its promise says nothing then, good or bad.
    if !hex::decode(entry.log_id()).is_ok_and(|id| logs.knows_log(&id)) {
        let id = entry.log_id();
        return Entry::Unproven(format!("the log entry is by a log that is not in the trust root ({id})"));
    }
    judge(logs, &bundle, artifact, key, entry.claimed_time())
}

fn judge(
    logs: &TrustRoot,
    bundle: &Bundle,
    artifact: Artifact<'_>,
    key: &PublicKey,
    claimed: Option<Timestamp>,
) -> Entry {
    let has_entry = !bundle.verification_material.tlog_entries.is_empty();
    let policy = PublicKeyVerificationPolicy::new(DerPublicKey::new(key.spki().to_vec()));
    let policy = if has_entry { policy } else { policy.skip_tlog_unsafe() };
    match logs.verifier().verify(artifact, bundle, &policy) {
        Ok(result) if !in_use(logs, bundle, result.verified_timestamps()) => {
            Entry::Unproven("the key of the log was not in use at that time".to_owned())
        }
        Ok(result) => good(&result, has_entry, claimed),
        Err(
            error @ (Error::TransparencyLog(_) | Error::ArtifactMismatch(_) | Error::SignatureInvalid(_)),
        ) => Entry::Contradicts(error.to_string()),
        // Key types and entry kinds the crate does not know, timestamps by nobody known: the signature
        // itself was verified here.
        Err(error) => Entry::Unproven(format!("the log entry was not checked: {error}")),
    }
}

/// Entries of logs of the second generation have no time that the verifier of the Sigstore crates could compare.
fn in_use(logs: &TrustRoot, bundle: &Bundle, times: &[Timestamp]) -> bool {
    bundle.verification_material.tlog_entries.iter().all(|entry| {
        entry.integrated_time.is_some() || logs.log_was_in_use(entry.log_id.key_id.as_bytes(), times)
    })
}

fn good(result: &VerificationResult, has_entry: bool, claimed: Option<Timestamp>) -> Entry {
    let logged = result.integrated_time().or(claimed);
    let stamp = |time: &&Timestamp| Some(**time) != logged;
    let timestamped = result.verified_timestamps().iter().find(stamp).copied();
    Entry::Good { logged, in_log: has_entry && result.tlog_verified(), timestamped }
}
