//! Which places count, where a policy or a flag pins the format.

use common::policy::images::{ImageEntry, SignatureStorage};
use common::verdict::Outcome;
use serde_json::json;

use super::attestation;
use super::shelf::*;

const SIMPLE_SIGNING_TYPE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

fn pinned(storage: SignatureStorage, entry: ImageEntry) -> ImageEntry {
    ImageEntry { storage, ..entry }
}

/// Attack A39: a signature in another format than the one that was asked for, wherever it is attached.
#[test]
fn a39_a_pinned_format_reads_its_own_places_only() {
    let (key, good) = (key(), image("good"));
    let legacy = Layer::signature(&key, REPOSITORY, &good.digest);
    let bundle = Layer::bundle(&key, &common::signature::make::signature_statement(&good.digest, &[].into()));
    let shelf = || Shelf::of(&good);
    let tag = || shelf().signed(&good, std::slice::from_ref(&legacy));
    let bundled = || shelf().bundled(&good, &bundle);
    // cosign attaches its first format as a referrer where it is told to (OCI 1.1).
    let attached = || shelf().referrer(REPOSITORY, &good, SIMPLE_SIGNING_TYPE, &legacy);
    for (storage, what, shelf, passing) in [
        (SignatureStorage::Cosign, "tag", tag(), true),
        (SignatureStorage::Cosign, "bundle", bundled(), true),
        (SignatureStorage::Cosign, "attached", attached(), true),
        (SignatureStorage::Tags, "tag", tag(), true),
        (SignatureStorage::Tags, "bundle", bundled(), false),
        (SignatureStorage::Tags, "attached", attached(), false),
        (SignatureStorage::Bundle, "tag", tag(), false),
        (SignatureStorage::Bundle, "bundle", bundled(), true),
        (SignatureStorage::Bundle, "attached", attached(), false),
    ] {
        let decision = judge(APP, &pinned(storage, signed_by(&key)), shelf.registry());
        if passing {
            passes(&decision);
        } else {
            expect(&decision, Outcome::Fail, "signature-missing");
            assert!(!decision.headline().to_string().is_empty(), "{what}");
        }
    }
}

#[test]
fn a39_statements_count_only_in_the_pinned_format() {
    const TYPE: &str = "https://example.com/scan/v1";
    let (key, good) = (key(), image("good"));
    let said = common::signature::make::statement("app", &good.digest, TYPE, &json!({}));
    let (envelope, bundle) = (Layer::envelope(&key, &said), Layer::bundle(&key, &said));
    let shelf = || Shelf::of(&good);
    let tag = || shelf().attested(&good, std::slice::from_ref(&envelope));
    let attached = || shelf().referrer(REPOSITORY, &good, "application/vnd.in-toto+json", &envelope);
    let entry = || {
        let attestations = vec![attestation(TYPE, Some(of(&key)))];
        ImageEntry { requirement: None, attestations, ..signed_by(&key) }
    };
    for (storage, shelf, passing) in [
        (SignatureStorage::Cosign, attached(), true),
        (SignatureStorage::Tags, tag(), true),
        (SignatureStorage::Tags, attached(), false),
        (SignatureStorage::Tags, shelf().bundled(&good, &bundle), false),
        (SignatureStorage::Bundle, tag(), false),
        (SignatureStorage::Bundle, attached(), false),
        (SignatureStorage::Bundle, shelf().bundled(&good, &bundle), true),
    ] {
        let decision = judge(APP, &pinned(storage, entry()), shelf.registry());
        if passing {
            passes(&decision);
        } else {
            expect(&decision, Outcome::Fail, "attestation-missing");
        }
    }
}

/// Where only tags are read, an image that is not there is not "unsigned".
#[test]
fn a_pinned_format_still_sees_the_image_first() {
    let (key, good) = (key(), image("good"));
    let digest = format!("{REPOSITORY}@{}", good.digest);
    for storage in [SignatureStorage::Tags, SignatureStorage::Bundle, SignatureStorage::Cosign] {
        let decision = judge(&digest, &pinned(storage, signed_by(&key)), Shelf::default().registry());
        expect(&decision, Outcome::Fail, "image-not-found");
    }
}
