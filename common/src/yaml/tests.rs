use serde_json::json;

use super::*;

fn one(text: &str) -> Value {
    let mut documents = read(text.as_bytes()).unwrap();
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0).value
}

fn refused(text: &str) -> YamlError {
    read(text.as_bytes()).unwrap_err()
}

#[test]
fn scalars_resolve_as_in_yaml_1_1() {
    let text = "a: yes\nb: No\nc: on\nd: 0644\ne: 1_000\nf: 0x1F\ng: 0b11\nh: ~\ni: null\nj: 1e3\nk: '1'\nl: 08\nm: 1.0\nn: y\n";
    let expected = json!({"a": true, "b": false, "c": true, "d": 420, "e": 1000, "f": 31, "g": 3, "h": null,
        "i": null, "j": 1000, "k": "1", "l": 8, "m": 1, "false": true});
    assert_eq!(one(text), expected);
}

#[test]
fn keys_become_strings_as_in_kubectl() {
    assert_eq!(one("data: {on: a, 1: b, yes2: c}"), json!({"data": {"true": "a", "1": "b", "yes2": "c"}}));
    assert!(matches!(refused("1.5: x"), YamlError::Syntax { line: 1, .. }));
}

#[test]
fn duplicate_keys_are_refused_also_when_only_their_strings_are_equal() {
    for text in ["a: 1\na: 2\n", "on: 1\n'true': 2\n", "{\"a\":1,\"a\":2}", "a: {b: 1, b: 1}"] {
        assert!(matches!(refused(text), YamlError::Syntax { .. }), "{text}");
    }
}

/// What is said is for who wrote the text: nobody can set an option of the reader.
#[test]
fn what_is_wrong_is_said_to_who_wrote_it() {
    let mut bomb = format!("a0: &a0 [{}]\n", "x,".repeat(20));
    for level in 1..6 {
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", format!("*a{},", level - 1).repeat(20)));
    }
    for (text, expected) in [
        ("a: 1\na: 2\n", "line 2: duplicate key `a`"),
        (bomb.as_str(), "too many or too deep nodes for a text of this size"),
    ] {
        let said = refused(text).to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn integers_stay_exact_up_to_64_bits() {
    assert_ne!(one("a: 9007199254740993"), one("a: 9007199254740992"));
    assert_eq!(one("a: 18446744073709551615"), json!({"a": u64::MAX}));
    assert_eq!(one("a: 18446744073709551616"), json!({"a": 18_446_744_073_709_551_616.0}));
}

#[test]
fn merge_keys_and_anchors_are_expanded() {
    let text = "base: &b {x: 1, z: 2}\nitem:\n  <<: *b\n  z: 3\n";
    assert_eq!(one(text), json!({"base": {"x": 1, "z": 2}, "item": {"x": 1, "z": 3}}));
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        let item = format!("*a{},", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{item}]\n"));
    }
    assert!(matches!(refused(&text), YamlError::Syntax { .. }));
}

#[test]
fn deep_nesting_is_refused() {
    for text in
        ["[".repeat(20_000), "{\"a\":".repeat(20_000), format!("a: {}", "[".repeat(200) + &"]".repeat(200))]
    {
        assert!(matches!(refused(&text), YamlError::Syntax { .. }));
    }
}

#[test]
fn documents_are_split_as_kubectl_does() {
    let text = "# licence\n---\na: 1\n--- # next\n\n# only a comment\n---\r\nb: 2\n---\n";
    let documents = read(text.as_bytes()).unwrap();
    let lines: Vec<_> = documents.iter().map(|d| (d.index, d.line)).collect();
    assert_eq!(lines, [(0, 3), (1, 8)]);
    assert_eq!(documents[1].value, json!({"b": 2}));
}

#[test]
fn a_separator_that_hides_documents_is_refused() {
    for text in ["a: 1\n--- {b: 2}\n", "a: 1\n---x\nb: 2\n", "a: 1\n--- !!map\nb: 2\n"] {
        assert_eq!(refused(text), YamlError::Separator { line: 2 });
    }
}

/// Attack: to `kubectl` a comment ends at each of YAML 1.1's breaks, and the object behind it is applied.
#[test]
fn a_comment_hides_no_document() {
    let good = "kind: A\n";
    for end in ['\r', '\u{85}', '\u{2028}', '\u{2029}'] {
        let hidden = format!("{good}---\n# c{end}kind: Pod{end}");
        match read(hidden.as_bytes()) {
            Ok(documents) => assert_eq!(documents.len(), 2, "{end:?}"),
            Err(error) => assert!(matches!(error, YamlError::Ambiguous { .. }), "{end:?}: {error}"),
        }
        let behind = format!("--- # c{end}kind: Pod\n---\n{good}");
        assert_eq!(refused(&behind), YamlError::Separator { line: 1 }, "{end:?}");
    }
    assert_eq!(read(b"--- # c\r\nkind: A\r\n---\r\n# c\r\n").unwrap().len(), 1);
}

#[test]
fn a_second_document_behind_an_end_marker_is_refused() {
    assert!(matches!(refused("a: 1\n...\nb: 2\n"), YamlError::Syntax { .. }));
}

#[test]
fn a_json_stream_is_read_to_its_end() {
    let documents = read(b"{\"a\":1}\n{\"b\":2}").unwrap();
    assert_eq!(documents.len(), 2);
    assert_eq!((documents[1].index, documents[1].value.clone()), (1, json!({"b": 2})));
    assert_eq!(one("{a: 1}"), json!({"a": 1}));
}

#[test]
fn the_lines_of_a_long_json_stream_are_counted_once() {
    let text = format!("{{}}{}", "\n".repeat(2_000)).repeat(4_000);
    let documents = read(text.as_bytes()).unwrap();
    assert_eq!(documents.last().map(|document| document.line), Some(1 + 3_999 * 2_000));
}

#[test]
fn null_documents_are_named_and_empty_texts_hold_none() {
    assert_eq!(refused("a: 1\n---\nnull\n"), YamlError::Null { index: 1, line: 3 });
    assert_eq!(refused("~"), YamlError::Null { index: 0, line: 1 });
    assert_eq!(read(b"# nothing\n---\n").unwrap(), []);
    assert_eq!(read(b"").unwrap(), []);
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    assert_eq!(read(b"a: \xff").unwrap_err(), YamlError::NotText(3));
}

#[test]
fn what_is_written_is_read_back() {
    let value = json!({"a": ["yes", "on", "1_000", "0644", "~", "null", "1:30", "2001-01-01", "=", "<<", " x ", "a: b", "#c", ""],
        "b": {"n": 1, "y": "two\nlines\n", "z": "x".repeat(500), "emoji": "\u{1f600}\u{85}\u{7}"},
        "c": [], "d": {}, "e": null, "f": 1.5, "g": 9_007_199_254_740_993_u64, "h": [[1, [2]], {"k": "v"}]});
    let text = to_yaml(&value);
    assert_eq!(one(&text), value, "{text}");
    assert!(text.lines().any(|line| line.trim() == format!("z: {}", "x".repeat(500))), "{text}");
}
