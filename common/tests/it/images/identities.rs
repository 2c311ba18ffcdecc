//! Identities that are nearly those that a policy names.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::policy::images::ImageEntry;
use common::policy::{Authority as Signers, Keyless, LogOptions, Matcher};
use common::signature::make::{Said, simple_signing_payload};
use common::trust::TrustRoot;
use common::verdict::{Decision, Outcome, Reason};
use rcgen::CustomExtension;
use serde_json::json;

use super::shelf::*;
use super::{entry, requirement};
use crate::authority::{Authority, Certified, Entry, ISSUER, Leaf, Log, SUBJECT, email, root, uri};

struct World {
    authority: Authority,
    log: Log,
}

static WORLD: LazyLock<World> =
    LazyLock::new(|| World { authority: Authority::new("fulcio"), log: Log::new() });

const WORKFLOW: &str = "https://github.com/org/app/.github/workflows/release.yml@refs/heads/main";

/// A signature of the usual image, in the log.
fn layer(signer: &Certified, said: &str) -> Layer {
    let payload = simple_signing_payload(said, &image("good").digest, &Said::new());
    let layer = Layer::payload(&signer.key, payload.clone());
    let signature = STANDARD.decode(&layer.annotations[SIGNATURE]).unwrap();
    let bundle = WORLD.log.bundle(&Entry::of(&payload, &signature, &signer.pem));
    layer
        .with("dev.sigstore.cosign/certificate", &signer.pem)
        .with("dev.sigstore.cosign/bundle", &bundle.to_string())
}

fn keyless(subjects: Vec<Matcher>, issuers: Vec<Matcher>) -> Signers {
    let extensions = [].into();
    Signers::Keyless(Box::new(Keyless {
        subjects,
        issuers,
        extensions,
        roots: None,
        log: LogOptions::default(),
    }))
}

fn identity(subject: Matcher, issuer: Matcher) -> ImageEntry {
    entry(Some(requirement(keyless(vec![subject], vec![issuer]), LogOptions::default())))
}

fn judge_layers(demanded: &ImageEntry, layers: &[Layer]) -> Decision {
    let good = image("good");
    let shelf = Shelf::of(&good).signed(&good, layers);
    let trusted = root(&WORLD.authority, &WORLD.log, None);
    judge_with(APP, demanded, shelf.registry(), Some(Arc::clone(&trusted)), &Facts::default())
}

pub(super) fn trusted_root() -> Arc<TrustRoot> {
    root(&WORLD.authority, &WORLD.log, None)
}

pub(super) fn authority_pem() -> String {
    WORLD.authority.pem()
}

/// The usual image, signed by an identity that the authority vouches for.
pub(super) fn signed_shelf(leaf: &Leaf) -> Shelf {
    let good = image("good");
    Shelf::of(&good).signed(&good, &[layer(&WORLD.authority.certify(leaf), REPOSITORY)])
}

fn judge_leaf(demanded: &ImageEntry, leaf: &Leaf) -> Decision {
    judge_layers(demanded, &[layer(&WORLD.authority.certify(leaf), REPOSITORY)])
}

fn exact(text: &str) -> Matcher {
    Matcher::exact(text).unwrap()
}

#[test]
fn a27_identities_that_nearly_match() {
    let issuer = || exact(ISSUER);
    let patterns = [
        exact(WORKFLOW),
        Matcher::wildcard("https://github.com/org/*").unwrap(),
        Matcher::regex("https://github.com/org/.*").unwrap(),
        Matcher::regex("https://github\\.com/org/app/.*@refs/heads/main").unwrap(),
    ];
    let near = [
        "https://github.com/org-evil/app/.github/workflows/release.yml@refs/heads/main",
        "https://github.com/org",
        "https://evil.example/https://github.com/org/app/.github/workflows/release.yml@refs/heads/main",
        "http://github.com/org/app/.github/workflows/release.yml@refs/heads/main",
        "https://github.com.evil.example/org/app/.github/workflows/release.yml@refs/heads/main",
        "HTTPS://GITHUB.COM/ORG/APP/.github/workflows/release.yml@refs/heads/main",
    ];
    for pattern in patterns {
        let demanded = identity(pattern.clone(), issuer());
        passes(&judge_leaf(&demanded, &Leaf { names: vec![uri(WORKFLOW)], ..Leaf::default() }));
        for name in near {
            let decision = judge_leaf(&demanded, &Leaf { names: vec![uri(name)], ..Leaf::default() });
            expect(&decision, Outcome::Fail, "identity-mismatch");
        }
    }
    // What comes behind an exact name or an anchored end.
    let longer = format!("{WORKFLOW}-evil");
    for pattern in [exact(WORKFLOW), Matcher::regex("https://.*@refs/heads/main").unwrap()] {
        let decision =
            judge_leaf(&identity(pattern, issuer()), &Leaf { names: vec![uri(&longer)], ..Leaf::default() });
        expect(&decision, Outcome::Fail, "identity-mismatch");
    }
}

#[test]
fn a27_issuers_that_nearly_match() {
    let demanded = identity(exact(SUBJECT), exact(ISSUER));
    passes(&judge_leaf(&demanded, &Leaf::default()));
    for other in
        ["https://accounts.example.com.evil", "https://accounts.example.co", "accounts.example.com", ""]
    {
        let issuer = Some(other.to_owned());
        let decision =
            judge_leaf(&demanded, &Leaf { issuer: issuer.clone(), bare_issuer: issuer, ..Leaf::default() });
        assert_eq!(decision.outcome(), Outcome::Fail, "{other}");
        assert_eq!(decision.headline().code(), "issuer-mismatch", "{other}: {}", decision.headline());
    }
    let none = judge_leaf(&demanded, &Leaf { issuer: None, bare_issuer: None, ..Leaf::default() });
    expect(&none, Outcome::Fail, "issuer-mismatch");
    // No issuer is none that a pattern for all of them accepts.
    let any = identity(exact(SUBJECT), Matcher::wildcard("*").unwrap());
    let none = judge_leaf(&any, &Leaf { issuer: None, bare_issuer: None, ..Leaf::default() });
    expect(&none, Outcome::Fail, "issuer-mismatch");
    // The newer of two extensions is the issuer.
    let evil = Some("https://evil.example".to_owned());
    let older = judge_leaf(&demanded, &Leaf { issuer: evil, ..Leaf::default() });
    expect(&older, Outcome::Fail, "issuer-mismatch");
}

#[test]
fn a27_several_names_and_none() {
    let demanded = identity(exact(SUBJECT), exact(ISSUER));
    for names in [
        vec![],
        vec![email("evil@example.com"), email(SUBJECT)],
        vec![uri("https://evil.example"), email(SUBJECT)],
    ] {
        let decision = judge_leaf(&demanded, &Leaf { names, ..Leaf::default() });
        assert_eq!(decision.outcome(), Outcome::Fail, "{}", decision.headline());
    }
}

/// Attack: a workflow of another repository, whose identity and issuer are as demanded.
#[test]
fn a27_claims_that_nearly_match() {
    const REPOSITORY_CLAIM: &str = "githubWorkflowRepository";
    let fulcio = |last: u64, text: &str| {
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, last], text.as_bytes().to_vec())
    };
    let Signers::Keyless(mut demanded) = keyless(vec![exact(SUBJECT)], vec![exact(ISSUER)]) else {
        unreachable!()
    };
    demanded.extensions = [(REPOSITORY_CLAIM.to_owned(), "acme/app".to_owned())].into();
    let demanded = entry(Some(requirement(Signers::Keyless(demanded), LogOptions::default())));
    for (found, passes) in [(Some("acme/app"), true), (Some("acme/app-evil"), false), (None, false)] {
        let more =
            found.map(|found| fulcio(5, found)).into_iter().chain([fulcio(6, "refs/heads/main")]).collect();
        let decision = judge_leaf(&demanded, &Leaf { more, ..Leaf::default() });
        if passes {
            super::shelf::passes(&decision);
        } else {
            expect(&decision, Outcome::Fail, "claim-mismatch");
            assert_eq!(decision.headline().found().as_deref(), Some(found.unwrap_or("nothing")));
        }
    }
}

/// Of several signatures by others, the one that comes nearest is told: here that of the right issuer.
#[test]
fn the_nearest_miss_is_the_one_that_the_right_issuer_vouches_for() {
    let named = |name: &str, issuer: &str| {
        let issuer = Some(issuer.to_owned());
        let leaf = Leaf { names: vec![email(name)], bare_issuer: issuer.clone(), issuer, ..Leaf::default() };
        layer(&WORLD.authority.certify(&leaf), name)
    };
    let demanded = identity(exact("release@example.com"), exact(ISSUER));
    let (far, near) =
        (named("far@example.com", "https://other.example.com"), named("near@example.com", ISSUER));
    for layers in [[far.clone(), near.clone()], [near, far.clone()]] {
        let decision = judge_layers(&demanded, &layers);
        expect(&decision, Outcome::Fail, "identity-mismatch");
        let Reason::IdentityMismatch { found, issuer_expected, .. } = decision.headline().itself() else {
            panic!("{}", decision.headline())
        };
        assert_eq!((found.as_str(), issuer_expected), ("near@example.com", &None));
    }
    // Where the issuer is another as well, both are told.
    let both = judge_layers(&demanded, &[far]);
    let Reason::IdentityMismatch { issuer_expected, .. } = both.headline().itself() else {
        panic!("{}", both.headline())
    };
    assert_eq!(issuer_expected.as_deref(), Some(ISSUER));
}

/// A signature of an image is named, also where it is the only one: it may be in many places.
#[test]
fn every_signature_of_an_image_is_named() {
    let decision = judge_leaf(&identity(exact(SUBJECT), exact(ISSUER)), &Leaf::default());
    let mut named = Vec::new();
    decision.check.walk(&mut |check| {
        if check.what.contains("sha256-") {
            named.push((check.what.ends_with(".sig (legacy signature)"), check.outcome));
        }
    });
    assert_eq!(named, [(true, Outcome::Pass)], "{:#?}", decision.check);
}

#[test]
fn a24_one_identity_with_two_certificates_is_one_signer() {
    let (first, second) =
        (WORLD.authority.certify(&Leaf::default()), WORLD.authority.certify(&Leaf::default()));
    let other = WORLD.authority.certify(&Leaf { names: vec![email("ops@example.com")], ..Leaf::default() });
    let any = || keyless(vec![Matcher::wildcard("*@example.com").unwrap()], vec![exact(ISSUER)]);
    let two = common::policy::Requirement::AtLeast {
        count: 2,
        of: vec![requirement(any(), LogOptions::default()), requirement(any(), LogOptions::default())],
        path: common::object::FieldPath::root(),
    };
    let demanded = entry(Some(two));
    let decision = judge_layers(&demanded, &[layer(&first, "a"), layer(&second, "b")]);
    expect(&decision, Outcome::Fail, "threshold-not-met");
    passes(&judge_layers(&demanded, &[layer(&first, "a"), layer(&other, "b")]));
}

#[test]
fn a28_certificates_that_prove_nobody() {
    let demanded = identity(exact(SUBJECT), exact(ISSUER));
    let stranger = Authority::new("fulcio");
    let early = Leaf { days: [(2025, 5, 1), (2025, 5, 2)], ..Leaf::default() };
    let late = Leaf { days: [(2025, 7, 1), (2025, 7, 2)], ..Leaf::default() };
    let server = Leaf { usages: vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth], ..Leaf::default() };
    let rows = [
        ("expired when it was used", WORLD.authority.certify(&early), "certificate-not-valid-at-signing"),
        ("not valid yet", WORLD.authority.certify(&late), "certificate-not-valid-at-signing"),
        ("of another use", WORLD.authority.certify(&server), "certificate-untrusted"),
        ("by an authority of the same name", stranger.certify(&Leaf::default()), "certificate-untrusted"),
        ("by itself", Leaf::default().self_made(), "certificate-untrusted"),
    ];
    for (what, signer, code) in rows {
        let decision = judge_layers(&demanded, &[layer(&signer, REPOSITORY)]);
        let found = (decision.outcome(), decision.headline().code());
        assert_eq!(found, (Outcome::Fail, code), "{what}: {}", decision.headline());
    }
}

#[test]
fn a29_entries_and_signatures_of_two_signers_do_not_go_together() {
    let demanded = identity(exact(SUBJECT), exact(ISSUER));
    let mine = layer(&WORLD.authority.certify(&Leaf::default()), REPOSITORY);
    let twin = layer(&WORLD.authority.certify(&Leaf::default()), REPOSITORY);
    passes(&judge_layers(&demanded, std::slice::from_ref(&mine)));
    let swapped = |annotation: &str| mine.clone().with(annotation, &twin.annotations[annotation]);
    let rows = [
        ("dev.sigstore.cosign/bundle", "log-entry-invalid"),
        ("dev.sigstore.cosign/certificate", "signature-invalid"),
        (SIGNATURE, "signature-invalid"),
    ];
    for (annotation, code) in rows {
        expect(&judge_layers(&demanded, &[swapped(annotation)]), Outcome::Fail, code);
    }
}

/// Policies that bring their own authority and log, one after the other, with the facts of all.
#[test]
fn a18_each_policy_trusts_its_own_authority() {
    let (stranger, other_log, good) = (Authority::new("fulcio"), Log::new(), image("good"));
    let by = |authority: &Authority, log: &Log, subject: &str| {
        let keyless = json!({
            "subjectRegExp": subject, "issuer": ISSUER, "roots": authority.pem(),
            "rekor": {"pubkey": log.0.public().to_pem()}, "ctlog": {"ignoreSCT": true},
        });
        policy("p", &entries(&[demand(&json!([{"entries": [{"keyless": keyless}]}]), &json!({}))]))
    };
    let (mine, log) = (&WORLD.authority, &WORLD.log);
    let cases = [
        (by(mine, log, "dev@example\\.com"), None),
        (by(&stranger, log, "dev@example\\.com"), Some("certificate-untrusted")),
        (by(mine, &other_log, "dev@example\\.com"), Some("log-entry-invalid")),
        (by(mine, log, "dev@example"), Some("identity-mismatch")),
        (by(mine, log, "ev@example\\.com"), Some("identity-mismatch")),
    ];
    let signature = layer(&WORLD.authority.certify(&Leaf::default()), REPOSITORY);
    let registry = Shelf::of(&good).signed(&good, &[signature]).registry();
    let known = Facts::default();
    for (policy, code) in cases.iter().chain(cases.iter().rev()) {
        let one = std::slice::from_ref(policy);
        let decision = review_knowing(&pod(&[APP]), one, Arc::clone(&registry), &known).remove(0);
        match code {
            None => passes(&decision),
            Some(code) => expect(&decision, Outcome::Fail, code),
        }
    }
}
