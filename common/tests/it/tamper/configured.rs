//! Certificates that a policy configures: no identity, no log, and the time of judgement for all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::manifest::message;
use common::policy::{Authority as Signers, CertificateAuthority, LogOptions, PolicyValue};
use common::trust::Certificates;
use rcgen::ExtendedKeyUsagePurpose;

use super::*;
use crate::authority::set;
use crate::judge::attestor;

/// Valid at the tests' time of judgement.
fn current() -> Leaf {
    Leaf { days: [(2026, 1, 1), (2027, 1, 1)], ..Leaf::default() }
}

fn trusting(cert: Option<&str>, chain: Option<&str>) -> Demand {
    let own = |text: Option<&str>| text.map(|text| PolicyValue::Literal(Certificates::parse(text).unwrap()));
    let authority = CertificateAuthority { cert: own(cert), chain: own(chain), log: LogOptions::default() };
    Demand::requirement(attestor(Signers::Certificate(Box::new(authority))))
}

/// `settings`, signed; `carried` is the certificate that comes along.
fn signed_by(signer: &Certified, carried: Option<&str>) -> Value {
    let mut object = config_map("settings");
    let raw = message::plain(std::slice::from_ref(&object));
    set(&mut object, "message", message::encode(&raw));
    set(&mut object, "signature", STANDARD.encode(signer.key.sign(&raw).unwrap()));
    if let Some(pem) = carried {
        set(&mut object, "certificate", message::encode(pem.as_bytes()));
    }
    object
}

#[test]
fn a_certificate_that_was_configured_signs_and_no_other() {
    let (signer, other) = (WORLD.authority.certify(&current()), WORLD.authority.certify(&current()));
    let demand = trusting(Some(&signer.pem), None);
    accepted("bare", &demand, &signed_by(&signer, None));
    accepted("whatever comes along", &demand, &signed_by(&signer, Some(&other.pem)));
    let rows = [
        ("another key", signed_by(&other, None)),
        ("another key with its own certificate", signed_by(&other, Some(&other.pem))),
    ];
    refused(&demand, "signature-invalid", rows);
    let both = trusting(Some(&signer.pem), Some(&WORLD.authority.pem()));
    accepted("and its authority", &both, &signed_by(&signer, None));
    refused(&both, "signature-invalid", [("of the same authority", signed_by(&other, Some(&other.pem)))]);
    let stranger = WORLD.stranger.certify(&current());
    let issued_elsewhere = trusting(Some(&stranger.pem), Some(&WORLD.authority.pem()));
    let rows = [("a certificate that the authority beside it did not issue", signed_by(&stranger, None))];
    refused(&issued_elsewhere, "certificate-untrusted", rows);
}

#[test]
fn a_configured_certificate_counts_only_in_its_time() {
    for days in [[(2025, 1, 1), (2026, 1, 1)], [(2027, 1, 1), (2028, 1, 1)]] {
        let signer = WORLD.authority.certify(&Leaf { days, ..Leaf::default() });
        let object = signed_by(&signer, Some(&signer.pem));
        let chain = WORLD.authority.pem();
        for (cert, chain) in [
            (Some(signer.pem.as_str()), None),
            (Some(signer.pem.as_str()), Some(chain.as_str())),
            (None, Some(chain.as_str())),
        ] {
            let early = days[0].0 > 2026;
            let said = trusting(cert, chain).judge(&object).headline().to_string();
            assert_eq!(said.contains("is the clock right?"), early, "{said}");
            let rows = [("a key used outside its time", object.clone())];
            refused(&trusting(cert, chain), "certificate-not-valid-at-signing", rows);
        }
    }
}

#[test]
fn a_configured_authority_vouches_for_its_signers_only() {
    let demand = trusting(None, Some(&WORLD.authority.pem()));
    let signer = WORLD.authority.certify(&current());
    accepted("vouched for", &demand, &signed_by(&signer, Some(&signer.pem)));
    let intermediate = WORLD.authority.below("between");
    let below = intermediate.certify(&current());
    let chain = [below.pem.clone(), intermediate.pem()].concat();
    accepted("through an intermediate", &demand, &signed_by(&below, Some(&chain)));
    let stranger = WORLD.stranger.certify(&current());
    let self_made = current().self_made();
    let own_chain = [stranger.pem.clone(), WORLD.stranger.pem()].concat();
    let server =
        WORLD.authority.certify(&Leaf { usages: vec![ExtendedKeyUsagePurpose::ServerAuth], ..current() });
    let any_use = WORLD.authority.certify(&Leaf { usages: Vec::new(), ..current() });
    let rows = [
        ("an authority of the same name", signed_by(&stranger, Some(&stranger.pem))),
        ("with its own root along", signed_by(&stranger, Some(&own_chain))),
        ("a self-made certificate", signed_by(&self_made, Some(&self_made.pem))),
        ("a leaf of a leaf's", signed_by(&below, Some(&below.pem))),
        ("a web server's", signed_by(&server, Some(&server.pem))),
        ("one for no use", signed_by(&any_use, Some(&any_use.pem))),
    ];
    refused(&demand, "certificate-untrusted", rows);
    refused(&demand, "certificate-missing", [("no certificate", signed_by(&signer, None))]);
    let rows = [("somebody's certificate beside another signature", signed_by(&stranger, Some(&signer.pem)))];
    refused(&demand, "signature-invalid", rows);
}

#[test]
fn what_is_configured_must_be_readable_and_there() {
    let signer = WORLD.authority.certify(&current());
    let object = signed_by(&signer, Some(&signer.pem));
    let broken = format!("{}-----BEGIN CERTIFICATE-----\nAAAA\n", WORLD.authority.pem());
    for text in ["no PEM", "", broken.as_str()] {
        assert!(Certificates::parse(text).is_err(), "{text}");
    }
    let decision = trusting(None, None).judge(&object);
    assert_eq!(decision.outcome(), Outcome::Fail, "{}", decision.headline());
}

/// Why a certificate does not chain to an authority is told in words, and which usages it has.
#[test]
fn a_chain_that_does_not_hold_is_told_in_words() {
    use ExtendedKeyUsagePurpose::{ClientAuth, Other, ServerAuth};
    let demand = trusting(None, Some(&WORLD.authority.pem()));
    let below = WORLD.authority.below("between").certify(&current());
    let with = |usages: Vec<_>| WORLD.authority.certify(&Leaf { usages, ..current() });
    for (signer, words) in [
        (with(vec![]), "it lacks the usage \"code signing\" and names none"),
        (with(vec![ServerAuth]), "it lacks the usage \"code signing\"; it has \"TLS server\""),
        (
            with(vec![ServerAuth, ClientAuth]),
            "it lacks the usage \"code signing\"; it has \"TLS server\", \"TLS client\"",
        ),
        (with(vec![Other(vec![1, 2, 3, 4])]), "it lacks the usage \"code signing\"; it has 1.2.3.4"),
        (WORLD.stranger.certify(&current()), "is not signed by the one above it"),
        (below, "none of the configured authorities issued it"),
    ] {
        let decision = demand.judge(&signed_by(&signer, Some(&signer.pem)));
        assert_eq!(
            (decision.outcome(), decision.headline().code()),
            (Outcome::Fail, "certificate-untrusted")
        );
        let told = decision.headline().to_string();
        assert!(told.contains(words), "{told}");
    }
}
