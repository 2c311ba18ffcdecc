//! Images, by the trust flags.

use common::cache::Facts;
use common::evaluate::{self, Context};
use common::object::FieldPath;
use common::policy::images::{
    AttestationEntry, ImageEntry, RegistryCredentials, SignatureStorage, SignedReference,
};
use common::policy::{PolicyValue, Requirement};
use common::sources::Sources;
use common::verdict::Decision;
use futures::stream::{self, StreamExt as _};

use crate::cli::{ReferenceMode, SignatureFormat, TrustArgs, VerifyArgs};
use crate::clock;
use crate::commands::judge::AT_ONCE;
use crate::images::named;
use crate::output::Progress;
use crate::trust;

/// What the flags of `verify` demand of every image.
///
/// # Errors
/// As [`demanded`].
pub(super) fn entry(args: &VerifyArgs) -> anyhow::Result<ImageEntry> {
    Ok(ImageEntry {
        storage: storage(args.format),
        repository: args.signature_repository.clone().map(PolicyValue::Literal),
        signed_reference: match args.signed_reference {
            ReferenceMode::Any => SignedReference::Any,
            ReferenceMode::Repository => SignedReference::Repository,
            ReferenceMode::Exact => SignedReference::Exact,
        },
        platform: args.platform.clone(),
        ..demanded(&args.trust, args.predicate_type.clone())?
    })
}

/// Where signatures are looked for.
fn storage(format: SignatureFormat) -> SignatureStorage {
    match format {
        SignatureFormat::Any => SignatureStorage::Cosign,
        SignatureFormat::Legacy => SignatureStorage::Tags,
        SignatureFormat::Bundle => SignatureStorage::Bundle,
    }
}

/// What trust flags demand of every image: a signature, or an attestation of a type.
///
/// # Errors
/// No signer named, half an identity, an unreadable key, a bad pattern.
pub(in crate::commands) fn demanded(
    trust: &TrustArgs,
    predicate_type: Option<String>,
) -> anyhow::Result<ImageEntry> {
    trust::somebody(trust)?;
    Ok(demanding(trust::requirement(trust)?, predicate_type))
}

/// What a requirement demands of every image: of its signatures, or of its attestations of a type.
pub(in crate::commands) fn demanding(requirement: Requirement, predicate_type: Option<String>) -> ImageEntry {
    let (path, requirement) = (FieldPath::root(), Some(requirement));
    let (requirement, attestations) = match predicate_type {
        None => (requirement, Vec::new()),
        Some(predicate_type) => {
            let (name, conditions) = (None, Vec::new());
            let attestation =
                AttestationEntry { path: path.clone(), name, predicate_type, requirement, conditions };
            (None, vec![attestation])
        }
    };
    ImageEntry {
        path,
        storage: SignatureStorage::Cosign,
        references: Vec::new(),
        skip: Vec::new(),
        requirement,
        attestations,
        repository: None,
        oci11: false,
        mutate_digest: true,
        verify_digest: false,
        required: true,
        use_cache: true,
        deny: None,
        context: Vec::new(),
        credentials: RegistryCredentials::default(),
        signed_reference: SignedReference::Any,
        platform: None,
        newest_by: None,
    }
}

/// That these are the names of images; what is typed wrongly is no finding.
///
/// # Errors
/// The first that is none, or is the name of a file.
pub(in crate::commands) fn names(typed: &[String]) -> anyhow::Result<()> {
    typed.iter().try_for_each(|typed| named(typed).map(drop))
}

/// Judges every image, some at the same time; the answers are in the order asked.
pub(in crate::commands) async fn judge(
    images: &[String],
    entry: &ImageEntry,
    sources: &dyn Sources,
    mut progress: Progress,
) -> Vec<Decision> {
    let known = Facts::default();
    let context = Context { sources, known: &known, now: clock::now() };
    let judged = stream::iter(images).map(|image| evaluate::by_image(image, entry, context));
    let step = |decision: Decision| {
        progress.step();
        decision
    };
    judged.buffered(AT_ONCE).map(step).collect().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_places_of_its_own() {
        let storages = [SignatureFormat::Any, SignatureFormat::Legacy, SignatureFormat::Bundle].map(storage);
        assert_eq!(storages, [SignatureStorage::Cosign, SignatureStorage::Tags, SignatureStorage::Bundle]);
    }
}
