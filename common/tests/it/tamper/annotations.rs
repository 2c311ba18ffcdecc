//! Annotations: removed, emptied, cut off, swapped, in every form of message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::key::{Password, PrivateKey};
use common::manifest::DEFAULT_DOMAIN;
use common::manifest::message::Form;
use common::manifest::sign::{Earlier, Options, sign};

use super::*;
use crate::authority::{key, set};

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(&Password::new("")).unwrap().0);

const OWN_DOMAIN: &str = "sign.example.com";

/// One way to carry a key's signature.
struct Case {
    name: &'static str,
    /// `settings`, signed.
    object: Value,
    /// `other`, signed in the same way.
    other: Value,
    domain: &'static str,
    /// Of the signature's annotations.
    suffix: &'static str,
    demand: Demand,
}

fn options(domain: &str) -> Options<'_> {
    Options { domain, form: Form::Plain, earlier: Earlier::Replace, whole: false, annotations: &[] }
}

fn case(name: &'static str, options: &Options<'_>, domain: &'static str) -> Case {
    let signed = |name: &str| {
        let documents =
            if options.whole { vec![config_map(name), config_map("third")] } else { vec![config_map(name)] };
        sign(documents, &KEY, options).unwrap().swap_remove(0)
    };
    let mut demand = Demand::keys(1, &[&KEY.public().to_pem()]);
    domain.clone_into(&mut demand.rule.annotation_domain);
    Case { name, object: signed("settings"), other: signed("other"), domain, suffix: "", demand }
}

fn cases() -> Vec<Case> {
    let plain = options(DEFAULT_DOMAIN);
    let mut appended = case("appended", &plain, DEFAULT_DOMAIN);
    let first = key(&rcgen::PKCS_ECDSA_P256_SHA256);
    let append = |name| {
        let objects = sign(vec![config_map(name)], &first, &plain).unwrap();
        sign(objects, &KEY, &Options { earlier: Earlier::Append, ..plain.clone() }).unwrap().swap_remove(0)
    };
    (appended.object, appended.other, appended.suffix) = (append("settings"), append("other"), "_1");
    vec![
        case("plain", &plain, DEFAULT_DOMAIN),
        case("tarball", &Options { form: Form::Tarball, ..plain.clone() }, DEFAULT_DOMAIN),
        case("whole file", &Options { whole: true, ..plain.clone() }, DEFAULT_DOMAIN),
        case("own domain", &options(OWN_DOMAIN), OWN_DOMAIN),
        appended,
    ]
}

impl Case {
    fn name_of(&self, base: &str) -> String {
        let suffix = if base == "message" { "" } else { self.suffix };
        format!("{}/{base}{suffix}", self.domain)
    }

    fn text<'o>(&self, object: &'o Value, base: &str) -> &'o str {
        object["metadata"]["annotations"][self.name_of(base)].as_str().unwrap()
    }

    /// The object with another text in an annotation; without it for `null`.
    fn with(&self, base: &str, text: impl Into<Value>) -> Value {
        let mut object = self.object.clone();
        let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
        let text = text.into();
        annotations.remove(&self.name_of(base));
        if !text.is_null() {
            annotations.insert(self.name_of(base), text);
        }
        object
    }

    fn refused<const N: usize>(&self, base: &str, code: &str, rows: [(&'static str, Value); N]) {
        let names = rows.each_ref().map(|(attack, _)| format!("{}: {base} {attack}", self.name));
        let objects = rows.map(|(_, text)| self.with(base, text));
        refused(&self.demand, code, names.iter().map(String::as_str).zip(objects));
    }
}

fn half(text: &str) -> &str {
    &text[..text.len() / 2 / 4 * 4]
}

fn flipped(text: &str, at: usize) -> String {
    let mut bytes = STANDARD.decode(text).unwrap();
    bytes[at] ^= 1;
    STANDARD.encode(bytes)
}

#[test]
fn a_signature_that_is_not_there_or_not_the_one_is_refused() {
    for case in cases() {
        accepted(case.name, &case.demand, &case.object);
        let text = case.text(&case.object, "signature");
        let rows = [
            ("emptied", json!("")),
            ("cut off", json!(half(text))),
            ("with a flipped bit", json!(flipped(text, 20))),
            ("of another object", json!(case.text(&case.other, "signature"))),
            ("twice over", json!(message::encode(text.as_bytes()))),
            ("as a URL to fetch", json!("https://evil.example/signature")),
            ("as a file to read", json!("/etc/passwd")),
            ("with a line end", json!(format!("{text}\n"))),
            ("in the URL alphabet", json!("-_-_")),
            ("larger than any", json!("A".repeat(8_192))),
            ("of zeros", json!(STANDARD.encode([0x30, 6, 2, 1, 0, 2, 1, 0]))),
        ];
        case.refused("signature", "signature-invalid", rows);
        // The other signature of an appended one stays, and is another's.
        let code = if case.suffix.is_empty() { "signature-missing" } else { "signature-invalid" };
        case.refused("signature", code, [("removed", Value::Null), ("as a number", json!(5))]);
    }
}

#[test]
fn a_message_that_is_not_there_or_not_the_one_is_refused() {
    let bomb = message::encode(&vec![b' '; 16 * 1024 * 1024]);
    for case in cases() {
        let text = case.text(&case.object, "message");
        let rows = [
            ("emptied", json!("")),
            ("cut off", json!(half(text))),
            ("not base64", json!("%%%%")),
            ("with a damaged checksum", json!(flipped(text, STANDARD.decode(text).unwrap().len() - 6))),
            ("as a bomb", json!(bomb)),
            ("of no document", json!(message::encode(b"# nothing\n"))),
            ("of broken YAML", json!(message::encode(b"a: ["))),
        ];
        case.refused("message", "message-unreadable", rows);
        case.refused("message", "message-missing", [("removed", Value::Null), ("as a number", json!(5))]);
        case.refused(
            "message",
            "target-mismatch",
            [("of another object", json!(case.text(&case.other, "message")))],
        );
    }
}

#[test]
fn a_message_made_to_fit_a_changed_object_is_refused() {
    for case in cases() {
        let mut object = config_map("settings");
        object["data"]["mode"] = json!("off");
        let forged = message::encode(&message::plain(std::slice::from_ref(&object)));
        case.refused("message", "manifest-differs", [("of a changed object", json!(forged))]);
        let mut both = case.with("message", forged.as_str());
        both["data"]["mode"] = json!("off");
        refused(&case.demand, "signature-invalid", [("object and message changed alike", both)]);
        let mut changed = case.object.clone();
        changed["data"]["mode"] = json!("off");
        refused(&case.demand, "manifest-differs", [("a signed object, changed", changed)]);
        let mut renamed = case.object.clone();
        renamed["metadata"]["name"] = json!("another");
        refused(&case.demand, "target-mismatch", [("a signed object, renamed", renamed)]);
    }
}

#[test]
fn a_signature_under_another_domain_does_not_count() {
    let mut own = case("own domain", &options(OWN_DOMAIN), OWN_DOMAIN);
    own.demand.rule.annotation_domain = DEFAULT_DOMAIN.to_owned();
    refused(&own.demand, "signature-missing", [("a domain nobody named", own.object)]);
}

#[test]
fn certificates_that_lost_their_content_are_refused() {
    let bomb = message::encode(&vec![b' '; 16 * 1024 * 1024]);
    let (certificate, _) = halves();
    let rows = [
        ("emptied", json!("")),
        ("a URL to fetch", json!("https://evil.example/certificate")),
        ("cut off", json!(certificate)),
        ("a bomb", json!(bomb)),
        ("a key", json!(message::encode(WORLD.signer.key.public().to_pem().as_bytes()))),
        ("no PEM", json!(message::encode(b"certificate"))),
    ];
    refused(
        &demand(),
        "certificate-untrusted",
        rows.map(|(attack, text)| (attack, with("certificate", text))),
    );
    let rows = [("removed", Value::Null), ("a number", json!(5))];
    refused(&demand(), "certificate-missing", rows.map(|(attack, text)| (attack, with("certificate", text))));
}

#[test]
fn bundles_that_lost_their_content_are_refused() {
    let bomb = message::encode(&vec![b' '; 16 * 1024 * 1024]);
    let (_, bundle) = halves();
    let rows = [
        ("emptied", json!("")),
        ("not base64", json!("{}")),
        ("cut off", json!(bundle)),
        ("a bomb", json!(bomb)),
        ("an empty map", json!(message::encode(b"{}"))),
        ("no JSON", json!(message::encode(b"bundle"))),
    ];
    refused(&demand(), "log-entry-invalid", rows.map(|(attack, text)| (attack, with("bundle", text))));
    let rows = [("removed", Value::Null), ("a number", json!(5))];
    refused(&demand(), "log-entry-missing", rows.map(|(attack, text)| (attack, with("bundle", text))));
}

/// The keyless object with another text in an annotation.
fn with(base: &str, text: Value) -> Value {
    let mut object = good();
    set(&mut object, base, text);
    object
}

/// Half of the keyless object's certificate and bundle annotations.
fn halves() -> (String, String) {
    let object = good();
    let of = |base: &str| {
        half(object["metadata"]["annotations"][format!("{DEFAULT_DOMAIN}/{base}")].as_str().unwrap())
            .to_owned()
    };
    (of("certificate"), of("bundle"))
}

/// Attack: a small message whose every document must be compared with the object.
#[test]
fn a_message_of_one_object_many_times_is_not_compared() {
    let many = |count| {
        let raw = message::plain(&vec![config_map("settings"); count]);
        let mut object = config_map("settings");
        set(&mut object, "message", message::encode(&raw));
        set(&mut object, "signature", STANDARD.encode(KEY.sign(&raw).unwrap()));
        object
    };
    let demand = Demand::keys(1, &[&KEY.public().to_pem()]);
    accepted("as many as are compared", &demand, &many(common::limits::MESSAGE_CANDIDATES));
    let rows = [("one more", many(common::limits::MESSAGE_CANDIDATES + 1))];
    refused(&demand, "message-unreadable", rows);
}

/// A signature that cannot be read is no reason to refuse beside a good one, nor one to be silent.
#[test]
fn a_broken_signature_beside_a_good_one_is_a_warning() {
    let mut object =
        sign(vec![config_map("settings")], &KEY, &options(DEFAULT_DOMAIN)).unwrap().swap_remove(0);
    set(&mut object, "signature_1", "https://example.com/signature".to_owned());
    let decision = accepted("beside", &Demand::keys(1, &[&KEY.public().to_pem()]), &object);
    assert!(
        decision.warnings.iter().any(|warning| warning.contains("signature_1")),
        "{:?}",
        decision.warnings
    );
}
