//! Certificates: whose they are, when, for what, and who vouches for them.

use common::signer::Signer;
use common::trust::TrustRoot;
use rcgen::ExtendedKeyUsagePurpose;

use super::*;
use crate::authority::{email, key, uri};

const EVIL: &str = "https://evil.example";

/// Signed properly, with a certificate that is changed in one thing.
fn with_leaf(change: fn(&mut Leaf)) -> Value {
    let mut leaf = Leaf::default();
    change(&mut leaf);
    signed_with(&WORLD.authority.certify(&leaf))
}

#[test]
fn an_honest_signature_names_signer_and_time() {
    let decision = accepted("honest", &demand(), &good());
    let [Signer::Keyless { subject, issuer, .. }] = decision.signers.as_slice() else { panic!("one signer") };
    assert_eq!((subject.as_str(), issuer.as_deref()), (SUBJECT, Some(ISSUER)));
    let mut logged = false;
    decision.check.walk(&mut |check| logged |= check.reason.to_string().contains("2025-06-01T12:00:00Z"));
    assert!(logged, "the log's time is shown");
}

#[test]
fn a_certificate_counts_only_in_its_time() {
    let code = "certificate-not-valid-at-signing";
    let rows: [Row<Leaf>; 2] = [
        ("a stolen key used after expiry", |leaf| leaf.days = [(2025, 5, 1), (2025, 5, 2)]),
        ("backdated before it was issued", |leaf| leaf.days = [(2025, 7, 1), (2025, 7, 2)]),
    ];
    refused(&demand(), code, rows.map(|(attack, change)| (attack, with_leaf(change))));
}

#[test]
fn a_certificate_for_another_use_is_refused() {
    let rows: [Row<Leaf>; 2] = [
        ("a web server's certificate", |leaf| leaf.usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        ("a certificate for no use", |leaf| leaf.usages = vec![]),
    ];
    refused(&demand(), "certificate-untrusted", rows.map(|(attack, change)| (attack, with_leaf(change))));
}

#[test]
fn a_certificate_of_somebody_else_is_refused() {
    let rows: [Row<Leaf>; 4] = [
        ("another user of the same authority", |leaf| leaf.names = vec![email("eve@example.com")]),
        ("a name that begins right", |leaf| leaf.names = vec![email("dev@example.com.evil.example")]),
        ("the same text as a URI", |leaf| leaf.names = vec![uri("mailto:dev@example.com")]),
        ("no name", |leaf| leaf.names = vec![]),
    ];
    refused(&demand(), "identity-mismatch", rows.map(|(attack, change)| (attack, with_leaf(change))));
}

#[test]
fn a_name_that_another_issuer_vouches_for_is_refused() {
    let rows: [Row<Leaf>; 3] = [
        ("an identity provider of the attacker's", |leaf| {
            (leaf.issuer, leaf.bare_issuer) = (Some(EVIL.into()), Some(EVIL.into()));
        }),
        ("the right issuer only in the old extension", |leaf| leaf.issuer = Some(EVIL.into())),
        ("no issuer", |leaf| (leaf.issuer, leaf.bare_issuer) = (None, None)),
    ];
    refused(&demand(), "issuer-mismatch", rows.map(|(attack, change)| (attack, with_leaf(change))));
}

#[test]
fn a_certificate_that_nobody_we_trust_issued_is_refused() {
    let hidden = WORLD.authority.below("fulcio-intermediate");
    let foreign = WORLD.stranger.below("fulcio-intermediate");
    let signer = foreign.certify(&Leaf::default());
    let signed = Signed::by(&signer, "settings");
    let chain = [signer.pem, foreign.pem(), WORLD.stranger.pem()].concat();
    let whole_chain = signed.carrying(&chain, &WORLD.log.bundle(&signed.entry));
    let rows = [
        ("self-made in the victim's name", signed_with(&Leaf::default().self_made())),
        ("an authority of the same name", signed_with(&WORLD.stranger.certify(&Leaf::default()))),
        ("an intermediate that is not shown", signed_with(&hidden.certify(&Leaf::default()))),
        ("a whole chain of the attacker's own", whole_chain),
    ];
    refused(&demand(), "certificate-untrusted", rows);
}

#[test]
fn other_shapes_of_honest_certificates_pass() {
    accepted("issuer in the old extension", &demand(), &with_leaf(|leaf| leaf.issuer = None));
    accepted("issuer in the new extension", &demand(), &with_leaf(|leaf| leaf.bare_issuer = None));
    let workflow = "https://github.com/acme/app/.github/workflows/release.yaml@refs/heads/main";
    let leaf = Leaf { names: vec![uri(workflow)], ..Leaf::default() };
    accepted("a workflow", &identity(workflow, ISSUER), &signed_with(&WORLD.authority.certify(&leaf)));
}

#[test]
fn an_intermediate_in_the_annotation_links_leaf_and_root() {
    let intermediate = WORLD.authority.below("fulcio-intermediate");
    let signer = intermediate.certify(&Leaf::default());
    let signed = Signed::by(&signer, "settings");
    let chain = [signer.pem.clone(), intermediate.pem()].concat();
    accepted("chain", &demand(), &signed.carrying(&chain, &WORLD.log.bundle(&signed.entry)));
}

#[test]
fn a_trust_root_with_a_certificate_log_demands_its_proof() {
    let ct = key(&rcgen::PKCS_ECDSA_P256_SHA256);
    let with = |ignore| demand_with_sct(&ct, ignore);
    refused(&with(false), "sct-invalid", [("an authority that issues unseen", good())]);
    accepted("not demanded", &with(true), &good());
}

#[test]
fn the_public_trust_root_does_not_vouch_for_a_private_authority() {
    let demand = Demand { root: TrustRoot::public_good(), ..demand() };
    refused(&demand, "log-entry-invalid", [("a private log", good())]);
}
