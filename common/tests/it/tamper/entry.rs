//! Log entries: what the log promised, and for which signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;

use super::*;
use crate::authority::{INTEGRATED, set};

/// The good object with another bundle.
fn with_bundle(change: fn(&mut Value)) -> Value {
    let mut bundle = WORLD.log.bundle(&WORLD.signed.entry);
    change(&mut bundle);
    let mut object = good();
    set(&mut object, "bundle", message::encode(bundle.to_string().as_bytes()));
    object
}

/// The good object with another entry, which the log did promise.
fn with_entry(change: fn(&mut Entry)) -> Value {
    let mut entry = WORLD.signed.entry.clone();
    change(&mut entry);
    WORLD.signed.carrying(&WORLD.signer.pem, &WORLD.log.bundle(&entry))
}

/// Flips one bit of what a base64 text in a tree stands for.
fn flip(root: &mut Value, path: &str) {
    let text = root.pointer_mut(path).unwrap();
    let mut bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    *text = json!(STANDARD.encode(bytes));
}

fn remove(object: &mut Value, key: &str) {
    object.as_object_mut().unwrap().remove(key);
}

#[test]
fn pieces_of_different_signatures_do_not_go_together() {
    let twin = WORLD.authority.certify(&Leaf::default());
    let (mine, other) = (&WORLD.signed, Signed::by(&WORLD.signer, "other"));
    let (pem, again) = (WORLD.signer.pem.as_str(), WORLD.signer.key.sign(&mine.raw).unwrap());
    let bundle = |signed: &Signed| WORLD.log.bundle(&signed.entry);
    let with = |signature: &[u8], pem: &str, bundle: &Value| {
        carrying(&mine.object, &mine.raw, signature, pem, bundle)
    };
    let twins = Signed::by(&twin, "settings");
    let entry_of_twin = Entry::of(&mine.raw, &mine.signature, &twin.pem);
    let rows = [
        ("an entry for another message", with(&mine.signature, pem, &bundle(&other))),
        ("an entry for another signature", with(&again, pem, &bundle(mine))),
        ("an entry of a signer of the same name", with(&mine.signature, pem, &bundle(&twins))),
        ("an entry for another certificate", with(&mine.signature, pem, &WORLD.log.bundle(&entry_of_twin))),
    ];
    refused(&demand(), "log-entry-invalid", rows);
    let rows = [
        ("a certificate of a signer of the same name", with(&mine.signature, &twin.pem, &bundle(mine))),
        ("a signature over another message", with(&other.signature, pem, &bundle(mine))),
        ("signature and entry of another message", with(&other.signature, pem, &bundle(&other))),
    ];
    refused(&demand(), "signature-invalid", rows);
}

#[test]
fn what_the_log_did_not_promise_is_refused() {
    accepted("unchanged", &demand(), &with_bundle(|_| ()));
    let rows: [Row<Value>; 10] = [
        ("a promise with a flipped bit", |b| flip(b, "/SignedEntryTimestamp")),
        ("an empty promise", |b| b["SignedEntryTimestamp"] = json!("")),
        ("another time within validity", |b| b["Payload"]["integratedTime"] = json!(INTEGRATED + 1)),
        ("a negative time", |b| b["Payload"]["integratedTime"] = json!(-1)),
        ("another place in the log", |b| b["Payload"]["logIndex"] = json!(8)),
        ("a negative place", |b| b["Payload"]["logIndex"] = json!(-8)),
        ("the name of another log", |b| b["Payload"]["logID"] = json!(WORLD.other_log.id())),
        ("no log's name", |b| b["Payload"]["logID"] = json!("")),
        ("a body with a flipped bit", |b| flip(b, "/Payload/body")),
        ("an empty body", |b| b["Payload"]["body"] = json!("")),
    ];
    refused(&demand(), "log-entry-invalid", rows.map(|(attack, change)| (attack, with_bundle(change))));
    let timeless = with_bundle(|b| b["Payload"]["integratedTime"] = json!(0));
    refused(&demand(), "timestamp-missing", [("no time", timeless)]);
    let foreign = WORLD.signed.carrying(&WORLD.signer.pem, &WORLD.other_log.bundle(&WORLD.signed.entry));
    refused(&demand(), "log-entry-invalid", [("a log of the attacker's own", foreign)]);
}

#[test]
fn a_bundle_of_another_shape_is_refused() {
    let rows: [Row<Value>; 7] = [
        ("a promise that is not base64", |b| b["SignedEntryTimestamp"] = json!("!")),
        ("a time as text", |b| b["Payload"]["integratedTime"] = json!("1748779200")),
        ("a proof that nobody reads", |b| b["Payload"]["inclusionProof"] = json!({})),
        ("a media type that nobody reads", |b| b["mediaType"] = json!("x")),
        ("no promise", |b| remove(b, "SignedEntryTimestamp")),
        ("no payload", |b| remove(b, "Payload")),
        ("a list", |b| *b = json!([b])),
    ];
    refused(&demand(), "log-entry-invalid", rows.map(|(attack, change)| (attack, with_bundle(change))));
}

#[test]
fn an_entry_that_says_something_else_is_refused() {
    let rows: [Row<Entry>; 8] = [
        ("an older kind that is checked less", |e| e.body["kind"] = json!("rekord")),
        ("a kind that nobody knows", |e| e.body["kind"] = json!("x")),
        ("a version that nobody knows", |e| e.body["apiVersion"] = json!("9.9.9")),
        ("a hash of other bytes", |e| e.body["spec"]["data"]["hash"]["value"] = json!("0".repeat(64))),
        ("a hash of another kind", |e| e.body["spec"]["data"]["hash"]["algorithm"] = json!("sha1")),
        ("no verifier", |e| e.body["spec"]["signature"]["publicKey"] = json!({})),
        ("no signature", |e| e.body["spec"]["signature"]["content"] = json!("")),
        ("a body that is no map", |e| e.body = json!([])),
    ];
    refused(&demand(), "log-entry-invalid", rows.map(|(attack, change)| (attack, with_entry(change))));
    let timeless = with_entry(|e| e.body["apiVersion"] = json!("0.0.2"));
    refused(&demand(), "timestamp-missing", [("the version whose promise names no time", timeless)]);
    let rows: [Row<Entry>; 2] = [
        ("taken in after expiry", |e| e.time += 864_000),
        ("taken in before it was issued", |e| e.time -= 864_000),
    ];
    let code = "certificate-not-valid-at-signing";
    refused(&demand(), code, rows.map(|(attack, change)| (attack, with_entry(change))));
}

/// The log's clock is ahead of this machine's, or an attacker owns the log.
#[test]
fn a_signing_time_that_is_still_to_come_is_named() {
    let row: Row<Entry> = ("taken in in a hundred years", |e| e.time += 100 * 365 * 86_400);
    let later = with_entry(row.1);
    refused(&demand(), "signing-time-in-future", [(row.0, later.clone())]);
    let (known, said) = (Facts::default(), "which is before the signing time");
    let decision = demand().judge_knowing(&later, &known);
    let text = decision.headline().to_string();
    assert!(text.contains(said) && text.contains("is the clock right?"), "{text}");
    // It is asked again: the clock may have been set.
    let before = known.checked();
    drop(demand().judge_knowing(&later, &known));
    assert!(known.checked() > before, "a fact of the clock was kept");
}
