//! Signatures written into a text: every line that was there stays, and the signed text verifies.

use common::manifest::DEFAULT_DOMAIN;
use common::manifest::sign::{Earlier, Options, sign};
use common::verdict::Outcome;
use common::yaml;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::round_trips::{KEY, PLAIN, demand};

/// What may stand behind a value or above a key.
fn comment() -> impl Strategy<Value = &'static str> {
    select(vec!["", " # why", "  # a: b", " # é ---", " # \"x"])
}

/// One string, in every way of writing it.
fn string() -> impl Strategy<Value = String> {
    let plain = "[a-z]{1,8}( [a-z]{1,5})?".prop_map(|text| text);
    let single = "[a-z #:é]{0,8}".prop_map(|text| format!("'{text}'"));
    let double = "[a-z #:'é]{0,8}".prop_map(|text| format!("\"{text}\\n\""));
    prop_oneof![plain, single, double]
}

/// An entry of a map of strings, at a depth. Its key is `%`, to be replaced by one that does not stand there twice.
fn entry(indentation: usize) -> impl Strategy<Value = String> {
    let text = (string(), comment(), "[a-z]{1,4}", 0..4_u8);
    text.prop_map(move |(value, comment, word, style)| {
        let blank = " ".repeat(indentation);
        match style {
            0 => format!("{blank}# {word}\n{blank}%: {value}{comment}\n"),
            1 => format!("{blank}%: |{comment}\n{blank}  {word} # no comment\n\n"),
            2 => format!("{blank}\"%\":   >-\n{blank}   {word}\n{blank}   {word}\n"),
            _ => format!("\n{blank}%: {value}{comment}\n"),
        }
    })
}

fn entries(indentation: usize) -> impl Strategy<Value = String> {
    let some = proptest::collection::vec(entry(indentation), 1..4);
    some.prop_map(|entries| {
        let numbered = entries.iter().enumerate();
        numbered.map(|(index, entry)| entry.replace('%', &format!("k{index}"))).collect()
    })
}

/// The metadata of an object; every line of it is one that stays.
fn metadata() -> impl Strategy<Value = String> {
    (select(vec![1_usize, 2, 4]), comment(), 0..5_u8).prop_flat_map(|(indentation, comment, style)| {
        entries(2 * indentation).prop_map(move |inside| {
            let blank = " ".repeat(indentation);
            let name = format!("{blank}name: a{comment}\n{blank}namespace: \"b\"\n");
            match style {
                0 => format!("metadata:{comment}\n{name}"),
                1 => format!("metadata:{comment}\n{name}{blank}annotations:{comment}\n{inside}"),
                2 => format!("metadata:\n{blank}annotations:{comment}\n{inside}{name}"),
                3 => format!("metadata:\n{blank}annotations:{comment}\n{name}"),
                _ => format!("metadata:\n{blank}labels:\n{inside}{name}"),
            }
        })
    })
}

fn document() -> impl Strategy<Value = String> {
    let parts = (comment(), metadata(), entries(2), comment());
    let order = Just(vec![0, 1, 2, 3]).prop_shuffle();
    (parts, order).prop_map(|((first, metadata, data, last), order)| {
        let kind = format!("kind: ConfigMap{last}\n");
        let version = "'apiVersion':  \"v1\"\n".to_owned();
        let parts = [version, kind, metadata, format!("data:\n{data}")];
        let body: String = order.iter().map(|at| parts[*at].clone()).collect();
        format!("{}\n{body}", first.trim_start())
    })
}

fn text() -> impl Strategy<Value = String> {
    let documents = proptest::collection::vec(document(), 1..4);
    let separator = select(vec!["---\n", "--- # next\n", "...\n---\n", "---\n# only this\n---\n"]);
    let around = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (documents, separator, around).prop_map(|(documents, separator, (crlf, mark, first, cut))| {
        let text = documents.join(separator);
        let text = if first { format!("---\n{text}") } else { text };
        let text = if cut { text.trim_end_matches('\n').to_owned() } else { text };
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        if mark { format!("\u{feff}{text}") } else { text }
    })
}

fn documents(text: &str) -> Vec<Value> {
    yaml::read(text.as_bytes()).unwrap().into_iter().map(|document| document.value).collect()
}

/// The text without the lines that are ours. A map that was missing, or had nothing in it, is one of them if the text
/// that was there does not have the line.
fn without_ours(edited: &str, original: &str) -> String {
    let mut there = original.split_inclusive('\n').peekable();
    let mut kept = String::new();
    for line in edited.split_inclusive('\n') {
        let expected = there.peek().copied().unwrap_or_default();
        // The last line may have got an end.
        if expected == line || (!expected.is_empty() && expected == line.trim_end_matches(['\r', '\n'])) {
            kept.push_str(expected);
            there.next();
        } else {
            let ours = line.trim_start();
            assert!(
                ours.starts_with(DEFAULT_DOMAIN) || ours.starts_with("annotations:"),
                "{line:?} in\n{edited}"
            );
        }
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn signing_in_a_text_only_adds_lines(text in text()) {
        let signed = sign(documents(&text), &KEY, &PLAIN).unwrap();
        let edited = yaml::edit(&text, &signed).unwrap_or_else(|error| panic!("{error}: {text}"));
        prop_assert_eq!(without_ours(&edited, &text), &*text, "{}", edited);
        prop_assert_eq!(demand().judge_text(edited.as_bytes()), (Outcome::Pass, "signature-valid"), "{}", edited);
        // Once more, and by a second one: no line beside the signature's own changes.
        let second = Options { earlier: Earlier::Append, ..PLAIN };
        for options in [PLAIN, second] {
            let again = sign(documents(&edited), &KEY, &options).unwrap();
            let again = yaml::edit(&edited, &again).unwrap_or_else(|error| panic!("{error}: {edited}"));
            prop_assert_eq!(without_ours(&again, &text), &*text, "{}", again);
            prop_assert_eq!(demand().judge_text(again.as_bytes()).0, Outcome::Pass, "{}", again);
        }
    }
}
