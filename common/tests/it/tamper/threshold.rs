//! Thresholds count signers, whatever is listed or attached twice.

use common::key::PrivateKey;
use common::manifest::DEFAULT_DOMAIN;
use common::manifest::message::Form;
use common::manifest::sign::{Earlier, Options, sign};

use super::*;
use crate::authority::{key, set};

fn keys<const N: usize>() -> [PrivateKey; N] {
    std::array::from_fn(|_| key(&rcgen::PKCS_ECDSA_P256_SHA256))
}

/// One object with a signature of each key.
fn signed_by(keys: &[&PrivateKey]) -> Value {
    let earlier = |index| if index == 0 { Earlier::Replace } else { Earlier::Append };
    let objects = keys.iter().enumerate().fold(vec![config_map("settings")], |objects, (index, key)| {
        let options = Options {
            domain: DEFAULT_DOMAIN,
            form: Form::Plain,
            earlier: earlier(index),
            whole: false,
            annotations: &[],
        };
        sign(objects, key, &options).unwrap()
    });
    objects.into_iter().next().unwrap()
}

#[test]
fn one_signer_is_never_two() {
    let [a, b, c] = keys();
    let [pa, pb, pc] = [&a, &b, &c].map(|key| key.public().to_pem());
    let rows = [
        ("one key listed twice", Demand::keys(2, &[&pa, &pa]), signed_by(&[&a])),
        ("one key listed twice, signed twice", Demand::keys(2, &[&pa, &pa]), signed_by(&[&a, &a])),
        ("one of two, signed twice", Demand::keys(2, &[&pa, &pb]), signed_by(&[&a, &a])),
        ("one of two and a stranger", Demand::keys(2, &[&pa, &pb]), signed_by(&[&a, &c])),
        ("two of three where three are due", Demand::keys(3, &[&pa, &pb, &pc]), signed_by(&[&a, &b])),
        ("more than are listed", Demand::keys(3, &[&pa, &pb]), signed_by(&[&a, &b])),
    ];
    for (attack, demand, object) in rows {
        refused(&demand, "threshold-not-met", [(attack, object)]);
    }
}

#[test]
fn enough_signers_pass_in_any_order() {
    let [a, b, c] = keys();
    let pems = [&a, &b, &c].map(|key| key.public().to_pem());
    let demand = Demand::keys(2, &pems.each_ref().map(String::as_str));
    for signers in [[&a, &b], [&b, &a], [&a, &c], [&c, &b]] {
        assert_eq!(accepted("two of three", &demand, &signed_by(&signers)).signers.len(), 2);
    }
    let with_stranger = signed_by(&[&WORLD.signer.key, &a, &b]);
    assert_eq!(accepted("a stranger's signature first", &demand, &with_stranger).signers.len(), 2);
}

#[test]
fn a_broken_signature_is_not_counted_and_spoils_no_other() {
    let [a, b] = keys();
    let demand = Demand::keys(2, &[&a.public().to_pem(), &b.public().to_pem()]);
    let mut object = signed_by(&[&a, &b]);
    set(&mut object, "signature", "!");
    refused(&demand, "threshold-not-met", [("one of two destroyed", object.clone())]);
    let one = Demand::keys(1, &[&b.public().to_pem()]);
    accepted("the other one", &one, &object);
}

#[test]
fn a_set_of_one_is_held_to_its_number() {
    let [a] = keys();
    let pem = a.public().to_pem();
    refused(&Demand::keys(2, &[&pem]), "threshold-not-met", [("two of a list of one", signed_by(&[&a]))]);
    refused(&Demand::keys(0, &[&pem]), "threshold-not-met", [("none at all", signed_by(&[&a]))]);
    accepted("one of one", &Demand::keys(1, &[&pem]), &signed_by(&[&a]));
}
