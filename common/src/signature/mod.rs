//! Facts about one signature over known bytes. No judgement: who signed, when, and what vouches for
//! it; whether that is enough is decided elsewhere.

mod certificate;
mod evidence;
mod keyless;
mod log;

pub use certificate::{CertificateTrust, by_certificate};
pub use evidence::{Material, Piece, VerifiedSignature};
pub use keyless::{LogDemands, by_identity};

use crate::key::PublicKey;
use crate::signer::Signer;
use crate::trust::TrustRoot;
use crate::verdict::{Reason, SignatureProblem};

/// Verifies one signature with a key.
///
/// 1. The signature must be the key's over `message`. This alone makes it good: a key needs no log.
/// 2. A log entry that comes with it must not contradict it: an entry for other bytes, or with a bad
///    promise by a log that is known, means somebody put the pieces together.
///
/// An entry that cannot be read, or that no known log vouches for, proves nothing and costs nothing;
/// it becomes a warning in the result.
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
    if !key.verifies(message, &material.signature) {
        let key = format!("key {}", key.fingerprint());
        let problem = SignatureProblem::NotByKey { key, signatures: 1 };
        return Err(Reason::SignatureInvalid { problem });
    }
    let mut verified = VerifiedSignature::new(Signer::Key { fingerprint: key.fingerprint().to_owned() });
    // (2)
    if let Some(bundle) = &material.bundle {
        match log::check_entry(bundle, &material.signature, message, key, logs) {
            log::Entry::Good(time) => verified.logged = Some(time),
            log::Entry::Unproven(why) => verified.warnings.push(why),
            log::Entry::Contradicts(detail) => return Err(Reason::LogEntryInvalid { detail }),
        }
    }
    Ok(verified)
}
