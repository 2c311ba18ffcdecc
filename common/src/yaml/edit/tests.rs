use serde_json::json;

use super::*;
use crate::yaml::read;

/// The documents of a text, each with these annotations set, or taken out where there is no value.
fn changed(text: &str, annotations: &[(&str, Option<&str>)]) -> Vec<Value> {
    let set = |mut document: Value| {
        let metadata = document.as_object_mut().unwrap().entry("metadata").or_insert_with(|| json!({}));
        let metadata = metadata.as_object_mut().unwrap();
        let map = metadata.entry("annotations").or_insert_with(|| json!({}));
        if map.is_null() {
            *map = json!({});
        }
        for (key, value) in annotations {
            match value {
                Some(value) => drop(map.as_object_mut().unwrap().insert((*key).to_owned(), json!(value))),
                None => drop(map.as_object_mut().unwrap().remove(*key)),
            }
        }
        document
    };
    read(text.as_bytes()).unwrap().into_iter().map(|document| set(document.value)).collect()
}

#[track_caller]
fn becomes(text: &str, annotations: &[(&str, Option<&str>)], expected: &str) {
    assert_eq!(edit(text, &changed(text, annotations)).as_deref(), Ok(expected), "{text:?}");
}

const SIGNED: [(&str, Option<&str>); 2] = [("x/message", Some("H4+/=")), ("x/signature", Some("MEU="))];

#[test]
fn only_lines_are_added() {
    for (text, expected) in [
        (
            "# why\nkind: A # a\nmetadata:  # m\n  name: 'a'\n",
            "# why\nkind: A # a\nmetadata:  # m\n  annotations:\n    x/message: H4+/=\n    x/signature: MEU=\n  name: 'a'\n",
        ),
        (
            "metadata:\n    annotations: # c\n\n      # of b\n        b: \"c\" # d\n    name: a\nkind: A",
            "metadata:\n    annotations: # c\n        x/message: H4+/=\n        x/signature: MEU=\n\n      # of b\n        b: \"c\" # d\n    name: a\nkind: A",
        ),
        (
            "kind: A\nmetadata:\n  name: a\n  annotations:",
            "kind: A\nmetadata:\n  name: a\n  annotations:\n    x/message: H4+/=\n    x/signature: MEU=",
        ),
        (
            "kind: A\nmetadata:\n  annotations: {}  # none\n  name: a\n",
            "kind: A\nmetadata:\n  annotations:  # none\n    x/message: H4+/=\n    x/signature: MEU=\n  name: a\n",
        ),
        (
            "kind: List\nitems:\n- kind: A\n",
            "kind: List\nmetadata:\n  annotations:\n    x/message: H4+/=\n    x/signature: MEU=\nitems:\n- kind: A\n",
        ),
        (
            "items: []\nkind: List",
            "items: []\nkind: List\nmetadata:\n  annotations:\n    x/message: H4+/=\n    x/signature: MEU=",
        ),
        (
            "kind: A\nmetadata: {name: a} # m\n",
            "kind: A\nmetadata: {annotations: {x/message: H4+/=, x/signature: MEU=}, name: a} # m\n",
        ),
        (
            "{kind: A, metadata: {name: a, annotations: { b: c}}}\n",
            "{kind: A, metadata: {name: a, annotations: {x/message: H4+/=, x/signature: MEU=,  b: c}}}\n",
        ),
        (
            "kind: A\nmetadata:\n  annotations: &b\n    b: c\n  name: a\n",
            "kind: A\nmetadata:\n  annotations: &b\n    x/message: H4+/=\n    x/signature: MEU=\n    b: c\n  name: a\n",
        ),
    ] {
        becomes(text, &SIGNED, expected);
    }
}

#[test]
fn line_ends_marks_and_separators_stay() {
    becomes(
        "\u{feff}---\r\n# é\r\nkind: A\r\nmetadata:\r\n  name: a\r\n...\r\n---\r\n# only this\r\n---\r\nkind: B\r\nmetadata:\r\n  name: b",
        &[("x/message", Some("H4"))],
        "\u{feff}---\r\n# é\r\nkind: A\r\nmetadata:\r\n  annotations:\r\n    x/message: H4\r\n  name: a\r\n...\r\n---\r\n# only this\r\n---\r\nkind: B\r\nmetadata:\r\n  annotations:\r\n    x/message: H4\r\n  name: b",
    );
}

#[test]
fn what_is_there_keeps_its_line() {
    for (text, expected) in [
        (
            "kind: A\nmetadata:\n  annotations:\n    a: b\n    x/message: old # m\n    x/signature: 'old'\n    z: |\n      é\n",
            "kind: A\nmetadata:\n  annotations:\n    a: b\n    x/message: H4+/= # m\n    x/signature: MEU=\n    z: |\n      é\n",
        ),
        (
            "kind: A\nmetadata:\n  annotations:\n    x/message: |-\n      old\n    x/signature: >\n      old\n  name: a\n",
            "kind: A\nmetadata:\n  annotations:\n    x/message: H4+/=\n    x/signature: MEU=\n  name: a\n",
        ),
        (
            "kind: A\nmetadata: {annotations: {x/message: old, \"x/signature\": \"old\"}}\n",
            "kind: A\nmetadata: {annotations: {x/message: H4+/=, \"x/signature\": MEU=}}\n",
        ),
        (
            "kind: A\nmetadata:\n  annotations:\n    x/message: old\n    x/signature:\n  name: a\n",
            "kind: A\nmetadata:\n  annotations:\n    x/message: H4+/=\n    x/signature: MEU=\n  name: a\n",
        ),
    ] {
        becomes(text, &SIGNED, expected);
    }
}

#[test]
fn what_goes_takes_its_lines_with_it() {
    let text = "kind: A\nmetadata:\n  annotations:\n    x/certificate: a # c\n    x/bundle: >-\n      b\n      c\n    a: b\n  name: a\n";
    let without = "kind: A\nmetadata:\n  annotations:\n    x/message: H4+/=\n    x/signature: MEU=\n    a: b\n  name: a\n";
    becomes(text, &[SIGNED[0], SIGNED[1], ("x/certificate", None), ("x/bundle", None)], without);
}

#[test]
fn any_text_can_be_a_value() {
    for value in ["yes", "1", "a: b", "a, b]", "#", "x\ny", "é\u{2028}", "", " a ", "null", "\"'\\", "0x1"] {
        for text in ["kind: A\nmetadata:\n  name: a\n", "kind: A\nmetadata: {name: a}\n"] {
            let documents = changed(text, &[(value, Some(value)), ("a", Some(value))]);
            let edited = edit(text, &documents).unwrap();
            assert_eq!(read(edited.as_bytes()).unwrap()[0].value, documents[0], "{edited}");
        }
    }
}

#[test]
fn what_cannot_be_edited_is_named() {
    for (text, index, why) in [
        (r#"{"kind": "A", "metadata": {"name": "a"}}"#, 0, Obstacle::Json),
        ("kind: A\nmetadata: {name: a}\n---\nkind: B\nm: &m {name: a}\nmetadata: *m\n", 1, Obstacle::Alias),
        ("kind: A\nm: &m {a: b}\nmetadata:\n  <<: *m\n  name: a\n", 0, Obstacle::MergeKey),
        ("kind: A\nm: &m {a: b}\nmetadata:\n  annotations: {<<: *m}\n  name: a\n", 0, Obstacle::MergeKey),
        ("kind: A\nmetadata:\n  annotations:\n    x/message: !!str old\n", 0, Obstacle::Property),
        ("m: &m\n  name: a\nkind: A\nmetadata:\n  annotations: *m\n", 0, Obstacle::Alias),
        ("kind: A\nmetadata: &m\n  name: a\nm: *m\n", 0, Obstacle::ReadsOtherwise),
        ("kind: A\n? metadata\n: name: a\n", 0, Obstacle::SharedLine),
    ] {
        assert_eq!(edit(text, &changed(text, &SIGNED)), Err(Uneditable { index, why }), "{text:?}");
    }
    let flow = "kind: A\nmetadata: {annotations: {a: b, x: y}}\n";
    let gone = edit(flow, &changed(flow, &[("x", None)]));
    assert_eq!(gone, Err(Uneditable { index: 0, why: Obstacle::SharedLine }));
    let elsewhere = edit("kind: A\n", &[json!({"kind": "B"})]);
    assert_eq!(elsewhere, Err(Uneditable { index: 0, why: Obstacle::ReadsOtherwise }));
}

#[test]
fn what_needs_no_change_is_the_same_text() {
    let text = "kind:   A\r\nmetadata: {annotations:   {a: b}}";
    assert_eq!(edit(text, &changed(text, &[])).as_deref(), Ok(text));
}
