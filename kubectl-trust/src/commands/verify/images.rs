//! Images, by the trust flags.

use common::cache::Facts;
use common::evaluate::{self, Context};
use common::object::FieldPath;
use common::policy::images::{
    AttestationEntry, ImageEntry, RegistryCredentials, SignatureStorage, SignedReference,
};
use common::sources::Sources;
use common::verdict::Decision;
use futures::stream::{self, StreamExt as _};

use crate::cli::{ReferenceMode, SignatureFormat, VerifyArgs};
use crate::commands::judge;
use crate::output::Progress;
use crate::{predicate, trust};

/// Images that are judged at the same time.
const AT_ONCE: usize = 16;

/// What the flags demand of every image.
///
/// # Errors
/// No signer named, half an identity, an unreadable key, a bad pattern.
pub(super) fn entry(args: &VerifyArgs) -> anyhow::Result<ImageEntry> {
    trust::somebody(&args.trust)?;
    let requirement = Some(trust::requirement(&args.trust)?);
    let predicate_type = args.predicate_type.as_deref().map(predicate::type_of);
    let path = FieldPath::root();
    let (requirement, attestations) = match predicate_type {
        None => (requirement, Vec::new()),
        Some(predicate_type) => {
            let (name, conditions) = (None, Vec::new());
            let attestation =
                AttestationEntry { path: path.clone(), name, predicate_type, requirement, conditions };
            (None, vec![attestation])
        }
    };
    Ok(ImageEntry {
        path,
        storage: match args.format {
            SignatureFormat::Any | SignatureFormat::Legacy => SignatureStorage::Cosign,
            SignatureFormat::Bundle => SignatureStorage::Bundle,
        },
        references: Vec::new(),
        skip: Vec::new(),
        requirement,
        attestations,
        repository: args.signature_repository.clone(),
        oci11: false,
        mutate_digest: true,
        verify_digest: false,
        required: true,
        use_cache: true,
        deny: None,
        credentials: RegistryCredentials::default(),
        signed_reference: match args.signed_reference {
            ReferenceMode::Any => SignedReference::Any,
            ReferenceMode::Repository => SignedReference::Repository,
            ReferenceMode::Exact => SignedReference::Exact,
        },
        platform: args.platform.clone(),
    })
}

/// Judges every image, some at the same time; the answers are in the order asked.
pub(super) async fn judge(
    images: &[String],
    entry: &ImageEntry,
    sources: &dyn Sources,
    mut progress: Progress,
) -> Vec<Decision> {
    let known = Facts::default();
    let context = Context { sources, known: &known, now: judge::now() };
    let judged = stream::iter(images).map(|image| evaluate::by_image(image, entry, context));
    let step = |decision: Decision| {
        progress.step();
        decision
    };
    judged.buffered(AT_ONCE).map(step).collect().await
}
