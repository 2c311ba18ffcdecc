//! What a key has signed already, just as it is: there is nothing to do about it. The verifier decides.

use common::key::PublicKey;
use common::manifest::Annotations;
use common::manifest::sign::{Options, unchanged};
use common::object::{ObjectRef, Origin};
use common::policy::images::{ImageEntry, SignatureStorage};
use common::policy::{ManifestRule, Matching, NamespaceAllowance};
use common::sources::Offline;
use common::verdict::{Outcome, Subject, SubjectKind, Verdict};
use serde_json::Value;

use crate::cli::{ImageFormat, SignArgs};
use crate::commands::judge::{self, Item};
use crate::commands::verify::images::demanding;
use crate::output::Progress;
use crate::runtime;
use crate::trust;

/// Of every document of a file, whether it carries the message that would be signed now, and a good signature of the
/// key over it. With `--replace` said, it must be the only one.
///
/// # Errors
/// The system gives no event queue.
pub(super) fn documents(
    documents: &[Value],
    key: &PublicKey,
    args: &SignArgs,
    options: &Options<'_>,
) -> anyhow::Result<Vec<bool>> {
    let mut settled = unchanged(documents, options);
    let kind = SubjectKind::Manifest;
    let subject = |object| Subject { kind, source: String::new(), object: ObjectRef::of(object) };
    // The others need no look: they are signed in any case.
    let asked = documents.iter().zip(&settled).filter(|(_, same)| **same).map(|(object, _)| object);
    let asked: Vec<_> =
        asked.map(|object| Item::Object { subject: subject(object), object, origin: Origin::File }).collect();
    let (rule, world) = (rule(key, args), Offline::default());
    let Verdict { decisions } = runtime::block_on(judge::by_rule(&asked, &rule, &world, Progress::none()))?;
    let mut decisions = decisions.into_iter();
    for (settled, document) in settled.iter_mut().zip(documents).filter(|(same, _)| **same) {
        let passes = decisions.next().is_some_and(|decision| decision.outcome() == Outcome::Pass);
        let signatures = Annotations::read(document, options.domain).signatures.len();
        *settled = passes && (signatures == 1 || !args.replace);
    }
    if options.whole && settled.contains(&false) {
        settled.fill(false);
    }
    Ok(settled)
}

fn rule(key: &PublicKey, args: &SignArgs) -> ManifestRule {
    ManifestRule {
        requirement: trust::signed_by(key.clone(), &args.annotations),
        annotation_domain: args.annotation_domain.clone(),
        ignore_fields: Vec::new(),
        matching: Matching::Strict,
        allow_namespace: NamespaceAllowance::None,
        allow_finalizers: Vec::new(),
        dry_run: None,
        repository: None,
    }
}

/// What an image needs to be signed already: a signature of the key, with the annotations, in the same format.
pub(super) fn entry(key: &PublicKey, args: &SignArgs) -> ImageEntry {
    let storage = match args.format {
        ImageFormat::Bundle => SignatureStorage::Bundle,
        ImageFormat::Legacy => SignatureStorage::Tags,
    };
    ImageEntry { storage, ..demanding(trust::signed_by(key.clone(), &args.annotations), None) }
}
