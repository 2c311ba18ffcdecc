//! Texts of others in messages: names of images, annotations, predicate types, subjects of certificates.

use common::object::ObjectRef;
use common::policy::Requirement;
use common::signature::make::{Said, simple_signing_payload, statement};
use common::verdict::{Decision, Verdict, denial, to_json};
use serde_json::json;

use super::shelf::*;
use super::{attestation, entry};

/// Colours, a line of one's own, a change of direction.
const HOSTILE: &str = "x\n\u{1b}[2K\u{9b}1m✓ trusted\r\u{202e}\u{7}";

/// No message holds what moves the cursor, nor grows with what a stranger wrote.
#[track_caller]
fn clean(decision: &Decision) {
    let unfit = |text: &str| text.chars().any(|c| c.is_control() || c == '\u{202e}');
    let mut messages = vec![decision.headline().to_string()];
    decision.check.walk(&mut |check| messages.push(check.reason.to_string()));
    messages.extend(decision.warnings.iter().cloned());
    for message in messages {
        assert!(!unfit(&message), "{message:?}");
        assert!(message.len() < 8 * 1024, "{} bytes: {}…", message.len(), &message[..200]);
    }
    let by = common::verdict::DecidedBy { policy: "p".into(), rule: "r".into(), enforced: true };
    let decision = Decision { by: Some(by), ..decision.clone() };
    let text = denial(&ObjectRef::default(), [&decision], None).unwrap();
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    assert!(!text.contains("\n\u{fffd}[2K"), "{text}");
    assert!(text.len() < 16 * 1024, "{} bytes", text.len());
    // The contract for scripts keeps texts as they are, escaped.
    let contract = to_json(&Verdict { decisions: vec![decision] }).to_string();
    assert!(!contract.contains('\u{1b}') && !contract.contains('\n'));
}

fn long() -> String {
    "a".repeat(1024 * 1024)
}

#[test]
fn a48_names_of_images() {
    let key = key();
    let registry = Shelf::of(&image("good")).registry();
    let policy = demands("p", &key);
    for name in
        [HOSTILE.to_owned(), format!("ghcr.io/acme/app:{HOSTILE}"), long(), format!("ghcr.io/{}:1", long())]
    {
        clean(&judge(&name, &signed_by(&key), registry.clone()));
        clean(&review_one(&pod(&[&name]), &policy, registry.clone()));
    }
}

#[test]
fn a48_what_signers_say() {
    let (key, good) = (key(), image("good"));
    let mut annotated = signed_by(&key);
    let Some(Requirement::Attestor(attestor)) = &mut annotated.requirement else { panic!("one attestor") };
    attestor.annotations.insert("env".to_owned(), "prod".to_owned());
    let mut bound = signed_by(&key);
    bound.signed_reference = common::policy::images::SignedReference::Repository;
    for text in [HOSTILE.to_owned(), "a".repeat(60_000)] {
        let said = Said::from([("env".to_owned(), text.clone())]);
        let layers = [
            Layer::payload(&key, simple_signing_payload(REPOSITORY, &good.digest, &said)),
            Layer::payload(&key, simple_signing_payload(&text, &good.digest, &Said::new())),
        ];
        for layer in layers {
            let registry = Shelf::of(&good).signed(&good, &[layer]).registry();
            clean(&judge(APP, &annotated, registry.clone()));
            if text == HOSTILE {
                continue;
            }
            let decision = judge(APP, &bound, registry);
            if decision.outcome() != common::verdict::Outcome::Pass {
                clean(&decision);
            }
        }
        let payload = simple_signing_payload(REPOSITORY, &good.digest, &Said::new());
        let payload = String::from_utf8(payload).unwrap();
        let kind = json!(text).to_string();
        let payload = payload.replace("\"cosign container image signature\"", &kind).into_bytes();
        let registry = Shelf::of(&good).signed(&good, &[Layer::payload(&key, payload)]).registry();
        clean(&judge(APP, &signed_by(&key), registry));
    }
}

#[test]
fn a48_what_strangers_attest() {
    let (key, stranger, good) = (key(), key(), image("good"));
    let mut demanded = entry(None);
    demanded.attestations.push(attestation("https://example.com/scan/v1", Some(of(&key))));
    for text in [HOSTILE.to_owned(), long()] {
        let said = statement(&text, &good.digest, &text, &json!({"a": text}));
        let mut kind = said.clone();
        kind["_type"] = json!(text);
        let other = Layer::raw_envelope(&json!({"payloadType": text, "payload": "e30=",
            "signatures": [{"sig": "AAAA", "keyid": text}]}));
        let layers = [Layer::envelope(&stranger, &said), Layer::envelope(&stranger, &kind), other];
        for layer in layers {
            let registry = Shelf::of(&good).attested(&good, std::slice::from_ref(&layer)).registry();
            clean(&judge(APP, &demanded, registry));
            let registry = Shelf::of(&good).signed(&good, std::slice::from_ref(&layer)).registry();
            clean(&judge(APP, &signed_by(&key), registry));
            let bundled = Shelf::of(&good).bundled(&good, &layer).registry();
            clean(&judge(APP, &signed_by(&key), bundled));
        }
    }
}
