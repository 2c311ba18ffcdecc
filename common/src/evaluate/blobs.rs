//! Judging files.

use std::sync::Arc;

use super::Context;
use crate::decide;
use crate::digest::Digest;
use crate::gather::{self, World};
use crate::object::ObjectRef;
use crate::policy::blob::BlobRule;
use crate::signature::{Found, Subject as Signed};
use crate::verdict::{Decision, Subject, SubjectKind};

/// Judges one file by the signature that came with it; `name` is what the file is called.
pub async fn by_blob(
    name: &str,
    bytes: &[u8],
    found: &Arc<Found>,
    rule: &BlobRule,
    context: Context<'_>,
) -> Decision {
    let digest = Digest::of(bytes);
    by_digest(name, Signed { digest: &digest, bytes: Some(bytes) }, found, rule, context).await
}

/// The same for a file of which perhaps only the digest is known.
pub async fn by_digest(
    name: &str,
    signed: Signed<'_>,
    found: &Arc<Found>,
    rule: &BlobRule,
    context: Context<'_>,
) -> Decision {
    let world = World { sources: context.sources, facts: context.known, now: context.now };
    let attested = gather::blob(found, signed, rule, world).await;
    let decided = decide::blob(found, rule, &attested);
    let (source, object) = (name.to_owned(), ObjectRef::default());
    let subject = Subject { kind: SubjectKind::Blob, source, object };
    let (signers, warnings) = (decided.signers, decided.warnings);
    Decision { signers, warnings, ..Decision::new(subject, None, decided.check) }
}
