//! Manifests that are none: never a pass, never silence, never a panic.

use std::fs::File;
use std::time::{Duration, Instant};

use common::manifest::message;

use crate::support::{CONFIG_MAP, Place};

const TRUST: &str = "--key cosign.pub";

fn verify(name: &str) -> String {
    format!("verify -f {name} {TRUST}")
}

#[test]
fn what_holds_no_manifest_is_undecided() {
    let place = Place::new();
    let cases: [(&str, &[u8], &[&str]); 13] = [
        ("empty.yaml", b"", &["! empty.yaml", "holds nothing to verify", "[input-empty]"]),
        ("comment.yaml", b"# only words\n---\n", &["! comment.yaml", "[input-empty]"]),
        ("prose.yaml", b"a: b: c\n", &["! prose.yaml", "line 1", "[input-unreadable]"]),
        ("scalar.yaml", b"hello\n", &["! scalar.yaml: document 1", "not an object", "[input-unreadable]"]),
        ("list.yaml", b"- a\n- b\n", &["! list.yaml: document 1", "not an object", "[input-unreadable]"]),
        ("bytes.yaml", b"a: \xff\n", &["! bytes.yaml", "not UTF-8 text (byte 3)", "[input-unreadable]"]),
        ("twice.yaml", b"a: 1\na: 2\n", &["! twice.yaml", "line 2", "duplicate", "[input-unreadable]"]),
        ("dashes.yaml", b"a: 1\n--- b\n", &["! dashes.yaml", "line 2", "`---`", "[input-unreadable]"]),
        ("json.json", b"{\"a\": 1", &["! json.json", "line 1", "[input-unreadable]"]),
        ("no-kind.yaml", b"a: 1\n", &["! no-kind.yaml: document 1", "apiVersion", "[input-unreadable]"]),
        (
            "keys.yaml",
            b"apiVersion: v1\nkind: List\nitems: []\nItems: []\n",
            &["! keys.yaml", "and nothing else", "[input-unreadable]"],
        ),
        (
            "null.yaml",
            b"kind: A\n---\nnull\n",
            &["! null.yaml", "document 2 (line 3) is empty", "[input-unreadable]"],
        ),
        ("items.yaml", b"apiVersion: v1\nkind: List\nitems: []\n", &["! items.yaml", "[input-empty]"]),
    ];
    for (name, content, fragments) in cases {
        place.write(name, content);
        place.answers(&verify(name), 2, fragments);
        let verdict = place.run(&format!("{} -o json", verify(name))).json();
        assert_ne!(verdict["outcome"], "pass", "{name}");
        assert_eq!(verdict["summary"]["pass"], 0, "{name}");
    }
}

#[test]
fn one_broken_document_fails_its_file_and_no_other() {
    let place = Place::signed(CONFIG_MAP);
    place.write("mixed.yaml", place.read("signed.yaml") + "---\nnull\n");
    place.answers(
        "verify -f mixed.yaml -f signed.yaml --key cosign.pub",
        2,
        &["! mixed.yaml", "document 2", "✓ signed.yaml", "1 of 2 trusted, 1 could not be checked"],
    );
}

#[test]
fn a_file_beyond_every_bound_is_refused_unread() {
    let place = Place::new();
    File::create(place.path("huge.yaml")).unwrap().set_len(64 * 1024 * 1024).unwrap();
    let start = Instant::now();
    place.answers(&verify("huge.yaml"), 2, &["! huge.yaml", "larger than 32 MiB", "[input-unreadable]"]);
    assert!(start.elapsed() < Duration::from_secs(5));
    place.refuses("sign -f huge.yaml --key cosign.key", &["huge.yaml: larger than 32 MiB"]);
    place.refuses("apply huge.yaml -r huge.yaml", &["huge.yaml: larger than 32 MiB"]);
}

#[test]
fn an_endless_stream_is_refused() {
    let place = Place::new();
    place.answers(&verify("/dev/zero"), 2, &["! /dev/zero", "larger than 32 MiB", "[input-unreadable]"]);
}

#[test]
fn deep_nesting_and_alias_bombs_are_refused() {
    let place = Place::new();
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", format!("*a{},", level - 1).repeat(10)));
    }
    for (name, content) in [
        ("deep.yaml", "[".repeat(20_000)),
        ("deep.json", "{\"a\":".repeat(20_000)),
        ("closed.json", "{\"a\":".repeat(20_000) + "1" + &"}".repeat(20_000)),
        ("bomb.yaml", bomb),
    ] {
        place.write(name, content);
        place.answers(&verify(name), 2, &[&format!("! {name}"), "[input-unreadable]"]);
        place.refuses(&format!("sign -f {name} --key cosign.key"), &[name, "line "]);
        place.refuses(&format!("apply {name} -r {name}"), &[name, "line "]);
    }
}

/// A manifest with these annotations in the signature's place.
fn carrying(message: &str, signature: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app\n  annotations:\n    \
         cosign.sigstore.dev/message: '{message}'\n    cosign.sigstore.dev/signature: '{signature}'\n"
    )
}

#[test]
fn a_message_that_cannot_be_read_is_a_refusal() {
    let place = Place::signed(CONFIG_MAP);
    let good = message::encode(CONFIG_MAP.as_bytes());
    let bomb = message::encode(&vec![0; 64 * 1024 * 1024]);
    let cut = &good[..good.len() - 9];
    for (text, words) in [
        (bomb.as_str(), "larger than 8 MiB when decompressed"),
        (cut, "not base64, or is cut off"),
        ("https://example.com/message", "not base64"),
        ("H4sIAAAAAAAA", "gzip stream is damaged or cut off"),
    ] {
        place.write("a.yaml", carrying(text, "AAAA"));
        place.answers(&verify("a.yaml"), 1, &["✗ a.yaml: ConfigMap app", words, "[message-unreadable]"]);
    }
}

/// Nothing in a manifest is ever opened or fetched: the answer is that it is no signature.
#[test]
fn a_signature_that_is_a_reference_is_a_refusal() {
    let place = Place::signed(CONFIG_MAP);
    let good = message::encode(CONFIG_MAP.as_bytes());
    for reference in ["https://127.0.0.1:9/sig", "k8s://a/b", "/etc/hostname", "cosign.pub"] {
        place.write("a.yaml", carrying(&good, reference));
        place.answers(&verify("a.yaml"), 1, &["✗ a.yaml: ConfigMap app", "[signature-invalid]"]);
    }
}
