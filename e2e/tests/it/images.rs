//! Images in real registries, signed and verified by real cosign of both generations, and by us.

mod advice;
mod again;
#[cfg(target_os = "linux")]
mod examples;
pub(crate) mod fixtures;
mod ours;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::registry::Kind;
use serde_json::Value;

use self::fixtures::{
    Cosign, Form, Predicate, Signed, Signer, Stage, attested_keyless, attested_keyless_legacy,
    attested_with_key, attested_with_key_legacy, refused_by_rekor2, signed_by_workflow, signed_keyless,
    signed_keyless_legacy, signed_recursively, signed_with_key, signed_with_key_legacy,
    signed_with_key_logged, unsigned,
};
use self::ours::{By, attested_by_us, signed_by_us};

const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Runs a test on both registry programs, each with both cosigns signing.
fn on_both(test: impl Fn(&Stage, Cosign)) {
    for kind in Kind::BOTH {
        let Some(stage) = Stage::with(kind) else { return };
        for cosign in Cosign::BOTH {
            test(&stage, cosign);
        }
    }
}

/// Both cosigns and we accept it for its signer and refuse it for another, and it lies where it should.
fn holds(stage: &Stage, signed: &Signed) {
    accepted(stage, signed);
    lies_where_it_should(stage, signed, &signed.image.digest);
}

fn accepted(stage: &Stage, signed: &Signed) {
    let stranger = match &signed.by {
        Signer::Key { log, .. } => Signer::Key { public: stage.world.trust.path("stranger.pub"), log: *log },
        Signer::Identity { issuer, log, .. } => {
            let subject = "intern@example.com".to_owned();
            Signer::Identity { subject, issuer: issuer.clone(), log: *log }
        }
    };
    for cosign in Cosign::BOTH {
        let run = signed.verified_by(stage, cosign);
        assert_eq!(run.code, 0, "{cosign:?} refuses {signed:?}: {}{}", run.stdout, run.stderr);
        if let Some(predicate) = signed.predicate {
            assert_eq!(statement(&run.stdout)["predicateType"], predicate.uri(), "{signed:?}");
        }
        let run = signed.verified_for(stage, cosign, &stranger, &signed.image.by_digest());
        assert_ne!(run.code, 0, "{cosign:?} accepts {signed:?} for {stranger:?}: {}", run.stdout);
    }
    we_agree(stage, signed, &stranger);
}

/// We accept it for its signer and refuse it for another, for the right reason: asked for by tag and by
/// digest, and from a recording as from the registry.
fn we_agree(stage: &Stage, signed: &Signed, stranger: &Signer) {
    let trust = &stage.world.trust;
    let flags = |signer: &Signer| {
        let mut flags = signer.flags(stage);
        if let Some(predicate) = signed.predicate {
            flags.push_str(&format!(" --type {}", predicate.uri()));
        }
        flags
    };
    let (image, folder) = (&signed.image, format!("recorded-{}", signed.image.digest.replace(':', "-")));
    trust.run(&format!("record {} --to {folder}", image.by_tag())).unwrap().success().unwrap();
    for reference in [image.by_tag(), image.by_digest()] {
        for from in [String::new(), format!(" --images {folder}")] {
            let good = trust.verdict(&format!("verify {reference} {}{from}", flags(&signed.by))).unwrap();
            assert_eq!(good.codes(), (0, vec!["image-verified"]), "{signed:?}{from}: {}", good.json);
            let refused = trust.verdict(&format!("verify {reference} {}{from}", flags(stranger))).unwrap();
            let expected = match stranger {
                Signer::Key { .. } => "signature-invalid",
                Signer::Identity { .. } => "identity-mismatch",
            };
            assert_eq!(refused.codes(), (1, vec![expected]), "{signed:?}{from}: {}", refused.json);
        }
    }
}

/// The statement in what cosign prints about an attestation.
fn statement(printed: &str) -> Value {
    let envelope: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    serde_json::from_slice(&STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap()
}

/// The tag or the referrer that what was signed is kept in.
fn lies_where_it_should(stage: &Stage, signed: &Signed, digest: &str) {
    let repository = signed.image.repository.split_once('/').unwrap().1;
    let tags = stage.registry.tags(repository).unwrap();
    let tag = digest.replace(':', "-");
    let legacy = format!("{tag}.{}", if signed.predicate.is_some() { "att" } else { "sig" });
    let referrers = stage.registry.referrers(repository, digest).unwrap();
    assert_eq!(referrers.is_some(), signed.kind.has_referrers());
    let index = referrers.or_else(|| stage.registry.manifest(repository, &tag).unwrap());
    let found = index.as_ref().map(artifact_types).unwrap_or_default();
    match signed.form {
        Form::Legacy => assert!(tags.contains(&legacy) && found.is_empty(), "{signed:?}: {tags:?} {found:?}"),
        Form::Bundle => {
            assert_eq!(found, [artifact_type(signed)], "{signed:?}: {index:?}");
            assert!(!tags.contains(&legacy), "{tags:?}");
            assert_eq!(tags.contains(&tag), !signed.kind.has_referrers(), "{tags:?}");
        }
    }
}

/// The artifact type that a listing gives a bundle: often not its own but that of its empty config.
fn artifact_type(signed: &Signed) -> &'static str {
    match (signed.kind, signed.with) {
        // Where there is no API the signer writes the listing itself.
        (Kind::RawReferrers, _) | (Kind::NoReferrers | Kind::Distribution, Cosign::Two) => EMPTY_TYPE,
        _ => BUNDLE_TYPE,
    }
}

fn artifact_types(index: &Value) -> Vec<&str> {
    let manifests = index["manifests"].as_array().into_iter().flatten();
    manifests.filter_map(|manifest| manifest["artifactType"].as_str()).collect()
}

#[test]
fn every_kind_of_registry_keeps_what_is_pushed_and_signed() {
    for kind in Kind::ALL {
        let Some(stage) = Stage::with(kind) else { return };
        let index = stage.registry.push_index("a/b/c", "1.0", "content").unwrap();
        let found = stage.registry.manifest("a/b/c", "1.0").unwrap().unwrap();
        assert_eq!(found, stage.registry.manifest("a/b/c", &index.digest).unwrap().unwrap(), "{kind:?}");
        let listed = found["manifests"].as_array().unwrap().iter().map(|entry| entry["digest"].clone());
        assert!(listed.eq(index.platforms.iter().map(|(_, digest)| digest.clone())), "{kind:?}: {found}");
        assert_eq!(stage.registry.manifest("a/b/c", "2.0").unwrap(), None);
        for cosign in Cosign::BOTH {
            holds(&stage, &signed_with_key_legacy(&stage, cosign));
            holds(&stage, &signed_with_key(&stage, cosign));
        }
    }
}

#[test]
fn what_nobody_signed_is_refused() {
    on_both(|stage, cosign| {
        let signed = signed_with_key_legacy(stage, cosign);
        let run = signed.verified_for(stage, cosign, &signed.by, &unsigned(stage).by_digest());
        assert!(run.code != 0 && run.stderr.contains("no signatures found"), "{run:?}");
    });
}

#[test]
fn signed_with_a_key_in_the_legacy_form() {
    on_both(|stage, cosign| holds(stage, &signed_with_key_legacy(stage, cosign)));
}

#[test]
fn signed_with_a_key_in_a_bundle() {
    on_both(|stage, cosign| holds(stage, &signed_with_key(stage, cosign)));
}

#[test]
fn signed_with_a_key_and_logged() {
    on_both(|stage, cosign| {
        for &log in cosign.logs() {
            holds(stage, &signed_with_key_logged(stage, cosign, log));
        }
    });
}

#[test]
fn signed_by_an_identity_in_the_legacy_form() {
    on_both(|stage, cosign| {
        holds(stage, &signed_keyless_legacy(stage, cosign));
    });
}

#[test]
fn signed_by_an_identity_in_a_bundle() {
    on_both(|stage, cosign| {
        for &log in cosign.logs() {
            holds(stage, &signed_keyless(stage, cosign, log));
        }
    });
}

/// Which is why it signs with Rekor v1 only here; once this fails, `Cosign::logs` can grow.
#[test]
fn cosign_2_writes_entries_that_rekor_2_refuses() {
    let Some(stage) = Stage::with(Kind::Referrers) else { return };
    let run = refused_by_rekor2(&stage);
    assert!(run.code != 0 && run.stderr.contains("must be hashedrekord"), "{run:?}");
}

#[test]
fn signed_by_a_workflow() {
    on_both(|stage, cosign| {
        for &log in cosign.logs() {
            holds(stage, &signed_by_workflow(stage, cosign, log));
        }
    });
}

#[test]
fn attested_with_a_key() {
    on_both(|stage, cosign| {
        for predicate in Predicate::BOTH {
            holds(stage, &attested_with_key_legacy(stage, cosign, predicate));
            holds(stage, &attested_with_key(stage, cosign, predicate));
        }
    });
}

/// We sign and attest; both cosigns and we agree, and none takes it for somebody else's.
#[test]
fn signed_and_attested_by_us() {
    for kind in Kind::BOTH {
        let Some(stage) = Stage::with(kind) else { return };
        for form in [Form::Legacy, Form::Bundle] {
            accepted(&stage, &signed_by_us(&stage, By::Key(None), form));
        }
        for predicate in Predicate::BOTH {
            accepted(&stage, &attested_by_us(&stage, By::Key(None), predicate));
        }
    }
}

/// The same with everything that a log is told of: keys and identities, both generations of logs.
#[test]
fn signed_attested_and_published_by_us() {
    let Some(stage) = Stage::with(Kind::BOTH[0]) else { return };
    for by in By::LOGGED {
        for form in [Form::Legacy, Form::Bundle] {
            if by.fits(form) {
                accepted(&stage, &signed_by_us(&stage, by, form));
            }
        }
        accepted(&stage, &attested_by_us(&stage, by, Predicate::Vuln));
    }
}

#[test]
fn attested_by_an_identity() {
    on_both(|stage, cosign| {
        for predicate in Predicate::BOTH {
            holds(stage, &attested_keyless_legacy(stage, cosign, predicate));
            for &log in cosign.logs() {
                holds(stage, &attested_keyless(stage, cosign, predicate, log));
            }
        }
    });
}

#[test]
fn an_index_is_signed_with_each_of_its_images() {
    on_both(|stage, cosign| {
        for form in [Form::Legacy, Form::Bundle] {
            let signed = signed_recursively(stage, cosign, form);
            holds(stage, &signed);
            assert_eq!(signed.image.platforms.len(), 2, "{signed:?}");
            for (platform, digest) in &signed.image.platforms {
                let reference = format!("{}@{digest}", signed.image.repository);
                let run = signed.verified_for(stage, cosign, &signed.by, &reference);
                assert_eq!(run.code, 0, "{platform} of {signed:?}: {}", run.stderr);
                lies_where_it_should(stage, &signed, digest);
            }
        }
    });
}
