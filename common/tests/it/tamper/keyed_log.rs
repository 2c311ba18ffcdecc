//! A key's signature with a log entry beside it: the entry is never needed, and must not contradict.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::key::PrivateKey;
use common::manifest::message;

use super::*;
use crate::authority::{INTEGRATED, key, set};

/// A key's signature, and what the log took in for it.
struct Keyed {
    key: PrivateKey,
    object: Value,
    raw: Vec<u8>,
    signature: Vec<u8>,
    entry: Entry,
}

static KEYED: LazyLock<Keyed> = LazyLock::new(|| {
    let key = key(&rcgen::PKCS_ECDSA_P256_SHA256);
    let mut object = config_map("settings");
    let raw = message::plain(std::slice::from_ref(&object));
    let signature = key.sign(&raw).unwrap();
    let entry = Entry::of(&raw, &signature, &key.public().to_pem());
    set(&mut object, "message", message::encode(&raw));
    set(&mut object, "signature", STANDARD.encode(&signature));
    Keyed { key, object, raw, signature, entry }
});

fn by_key() -> Demand {
    let mut demand = Demand::keys(1, &[&KEYED.key.public().to_pem()]);
    demand.root = Some(root(&WORLD.authority, &WORLD.log, None));
    demand
}

fn with_text(bundle: &[u8]) -> Value {
    let mut object = KEYED.object.clone();
    set(&mut object, "bundle", message::encode(bundle));
    object
}

fn with(bundle: &Value) -> Value {
    with_text(bundle.to_string().as_bytes())
}

#[test]
fn a_good_entry_gives_the_time() {
    let decision = accepted("logged", &by_key(), &with(&WORLD.log.bundle(&KEYED.entry)));
    assert_eq!(decision.warnings, Vec::<String>::new());
    assert!(decision.check.children[0].reason.to_string().ends_with("logged at 2025-06-01T12:00:00Z"));
}

#[test]
fn an_entry_that_contradicts_the_signature_is_refused() {
    let other = Entry::of(b"other", &KEYED.signature, &KEYED.key.public().to_pem());
    let again = KEYED.key.sign(&KEYED.raw).unwrap();
    let another = Entry::of(&KEYED.raw, &again, &KEYED.key.public().to_pem());
    let foreign = Entry::of(&KEYED.raw, &KEYED.signature, &WORLD.signer.key.public().to_pem());
    let log = &WORLD.log;
    let changed = |path: &str, value: Value| {
        let mut bundle = log.bundle(&KEYED.entry);
        *bundle.pointer_mut(path).unwrap() = value;
        with(&bundle)
    };
    let forged = STANDARD.encode(WORLD.other_log.0.sign(b"promise").unwrap());
    let rows = [
        ("an entry for other bytes", with(&log.bundle(&other))),
        ("an entry for another signature", with(&log.bundle(&another))),
        ("an entry for another key", with(&log.bundle(&foreign))),
        ("an entry for other bytes, by nobody's log", with(&WORLD.other_log.bundle(&other))),
        ("a promise by somebody else", changed("/SignedEntryTimestamp", json!(forged))),
        ("another time", changed("/Payload/integratedTime", json!(INTEGRATED - 1))),
        ("another place", changed("/Payload/logIndex", json!(8))),
    ];
    refused(&by_key(), "log-entry-invalid", rows);
}

#[test]
fn an_entry_that_proves_nothing_is_a_warning() {
    let mut unknown = KEYED.entry.clone();
    unknown.body["kind"] = json!("x");
    let rows = [
        ("a log that is not trusted", with(&WORLD.other_log.bundle(&KEYED.entry)), "not in the trust root"),
        ("no JSON", with_text(b"bundle"), "proves nothing"),
        ("another shape", with(&json!({"Payload": {}})), "proves nothing"),
        ("a kind that nobody knows", with(&WORLD.log.bundle(&unknown)), "proves nothing"),
    ];
    for (what, object, warning) in rows {
        let decision = accepted(what, &by_key(), &object);
        assert!(
            decision.warnings.iter().any(|text| text.contains(warning)),
            "{what}: {:?}",
            decision.warnings
        );
        assert!(!decision.check.children[0].reason.to_string().contains("logged"), "{what}");
    }
}

#[test]
fn leftovers_of_an_earlier_signer_are_warnings() {
    for (base, text) in [("certificate", "!"), ("bundle", "!"), ("signature_2", "x"), ("bundle_1", "x")] {
        let mut object = KEYED.object.clone();
        set(&mut object, base, text);
        let decision = accepted(base, &by_key(), &object);
        assert_eq!(decision.warnings.len(), 1, "{base}: {:?}", decision.warnings);
        assert!(decision.warnings[0].contains(base), "{base}: {:?}", decision.warnings);
    }
}

#[test]
fn a_log_entry_does_not_stand_in_for_the_key() {
    let mut demand = by_key();
    demand.rule.requirement = Demand::keys(1, &[&WORLD.signer.key.public().to_pem()]).rule.requirement;
    refused(
        &demand,
        "signature-invalid",
        [("a logged signature of another key", with(&WORLD.log.bundle(&KEYED.entry)))],
    );
}

#[test]
fn a_fact_about_one_object_does_not_speak_for_another() {
    let facts = Facts::default();
    let unread = |text: &str| {
        let mut object = KEYED.object.clone();
        set(&mut object, "bundle", text);
        object
    };
    let warnings = |object: &Value| by_key().judge_knowing(object, &facts).warnings.len();
    let objects = [(KEYED.object.clone(), 0), (unread("!"), 1), (unread(&message::encode(b"")), 1)];
    for (object, expected) in objects.iter().chain(objects.iter().rev()) {
        assert_eq!(warnings(object), *expected);
    }
}
