//! Facts that are kept: after a good answer, everything that the answer rested on is changed, one thing at
//! a time, with the same memory. Attack: present something good once, then something else that looks the
//! same to a key that forgot a part.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::key::PrivateKey;
use common::manifest::message;

use super::*;
use crate::authority::{key, set};

/// Judges what is good, then what is not, with one memory.
#[track_caller]
fn refused_after(good: (&Demand, &Value), attack: &str, demand: &Demand, object: &Value, code: &str) {
    let known = Facts::default();
    assert_eq!(good.0.judge_knowing(good.1, &known).outcome(), Outcome::Pass, "{attack}: the good one");
    let decision = demand.judge_knowing(object, &known);
    let found = (decision.outcome(), decision.headline().code());
    assert_eq!(found, (Outcome::Fail, code), "{attack}: {}", decision.headline());
    assert_eq!(good.0.judge_knowing(good.1, &known).outcome(), Outcome::Pass, "{attack}: the good one again");
}

/// `settings` with another content and a message that says so.
fn changed(mut object: Value) -> Value {
    object["data"]["mode"] = json!("lax");
    let mut bare = config_map("settings");
    bare["data"]["mode"] = json!("lax");
    set(&mut object, "message", message::encode(&message::plain(&[bare])));
    object
}

fn by(key: &PrivateKey) -> Demand {
    Demand::keys(1, &[&key.public().to_pem()])
}

#[test]
fn a_fact_about_a_key_answers_for_nothing_else() {
    let (ours, other) = (key(&rcgen::PKCS_ECDSA_P256_SHA256), key(&rcgen::PKCS_ECDSA_P256_SHA256));
    let raw = message::plain(&[config_map("settings")]);
    let mut object = config_map("settings");
    set(&mut object, "message", message::encode(&raw));
    set(&mut object, "signature", STANDARD.encode(ours.sign(&raw).unwrap()));
    let demand = by(&ours);
    let mut signed_again = object.clone();
    set(&mut signed_again, "signature", STANDARD.encode(other.sign(&raw).unwrap()));
    let code = "signature-invalid";
    refused_after((&demand, &object), "another message", &demand, &changed(object.clone()), code);
    refused_after((&demand, &object), "another signature", &demand, &signed_again, code);
    refused_after((&demand, &object), "another key", &by(&other), &object, code);
}

#[test]
fn a_fact_about_an_identity_answers_for_nothing_else() {
    let (ours, object) = (demand(), good());
    let first = (&ours, &object);
    refused_after(first, "another message", &ours, &changed(object.clone()), "signature-invalid");
    // One promise for all: each is made anew, and would be another piece.
    let with = |base, text: &str| {
        let mut object = object.clone();
        set(&mut object, base, message::encode(text.as_bytes()));
        object
    };
    let another = WORLD.authority.certify(&Leaf::default());
    refused_after(
        first,
        "another certificate",
        &ours,
        &with("certificate", &another.pem),
        "signature-invalid",
    );
    let unlogged = WORLD.other_log.bundle(&WORLD.signed.entry).to_string();
    refused_after(first, "another log's promise", &ours, &with("bundle", &unlogged), "log-entry-invalid");
    let with_root = |root| Demand { root: Some(root), ..demand() };
    let stranger = with_root(root(&WORLD.stranger, &WORLD.log, None));
    refused_after(first, "another trust root", &stranger, &object, "certificate-untrusted");
}

#[test]
fn a_fact_without_an_sct_does_not_answer_where_one_is_demanded() {
    let ct = key(&rcgen::PKCS_ECDSA_P256_SHA256);
    let demanding = |ignore| demand_with_sct(&ct, ignore);
    refused_after((&demanding(true), &good()), "no SCT", &demanding(false), &good(), "sct-invalid");
}
