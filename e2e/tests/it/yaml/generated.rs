//! Texts put together at random, the same ones in every run. `TRUST_E2E_CASES` asks for more.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{Readers, document, ours, report, trouble};

/// How many by default: a kubectl run takes 50 ms, and most texts share one.
const CASES: usize = 400;
/// Texts of one kubectl run.
const BATCH: usize = 25;

/// What resolves to different things by a character's difference.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&[
        "0",
        "1",
        "7",
        "8",
        "9",
        "_",
        ".",
        "-",
        "+",
        "e",
        "E",
        "x",
        "o",
        "b",
        ":",
        "y",
        "n",
        "Y",
        "No",
        "on",
        "off",
        "true",
        "null",
        "~",
        ".inf",
        ".nan",
        "0x",
        "0b",
        "0o",
        "00",
        "1e",
        "1:3",
        "2001-01-01",
        "T12:00:00Z",
        "=",
        "<<",
        "!!str ",
        "!!int ",
        "!!float ",
        "'",
        "\"",
        "#",
        " #",
        "|",
        ">",
        "%",
        "@",
        "\t",
        " ",
        "\u{e9}",
        "\u{1f600}",
        "?",
        ": ",
        "- ",
        ",",
        "[",
        "]",
        "{",
        "}",
        "\\",
        "\\n",
        "A",
        "f",
    ])
}

/// A plain scalar, or what looks like one.
fn plain() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 1..5).prop_map(|pieces| pieces.concat())
}

/// A number in any of the notations.
fn number() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(&["", "-", "+"]);
    (
        sign,
        prop_oneof![
            "[0-9_]{1,20}",
            "0[xX][0-9a-fA-F_]{1,17}",
            "0[bB][01_]{1,8}",
            "0o?[0-9_]{1,8}",
            "[0-9_]{0,6}\\.[0-9_]{0,20}([eE][-+]?[0-9]{1,3})?",
            "[0-9]{1,3}[eE][-+]?[0-9]{1,3}"
        ],
    )
        .prop_map(|(sign, digits)| format!("{sign}{digits}"))
}

/// A quoted scalar over one or several lines.
fn quoted() -> impl Strategy<Value = String> {
    let inner = || {
        prop::collection::vec(
            prop::sample::select(&[
                "a", " ", "  ", "\n    ", "\n\n    ", "\t", "''", "#", ": ", "\u{e9}", "-",
            ]),
            0..7,
        )
    };
    let escaped = prop::collection::vec(
        prop::sample::select(&[
            "a",
            " ",
            "\n    ",
            "\n\n    ",
            "\\n",
            "\\t",
            "\\\"",
            "\\\\",
            "\\x41",
            "\\u00e9",
            "\\U0001F600",
            "\\N",
            "\\_",
            "\\L",
            "\\ ",
            "\\\n    ",
            "\\/",
            "\\0",
            "'",
        ]),
        0..7,
    );
    prop_oneof![
        inner().prop_map(|parts| format!("'{}'", parts.concat())),
        escaped.prop_map(|parts| format!("\"{}\"", parts.concat())),
    ]
}

/// A block scalar with any indicator.
fn block() -> impl Strategy<Value = String> {
    let header = "[|>][-+]?[1-3]?";
    let lines = prop::collection::vec(
        prop::sample::select(&[
            "    a\n",
            "     b\n",
            "    \n",
            "\n",
            "      c\n",
            "    # d\n",
            "    e \n",
            "    \tf\n",
            "   \n",
        ]),
        0..6,
    );
    (header, lines).prop_map(|(header, lines)| format!("{header}\n{}", lines.concat()))
}

/// A flow collection with anchors, aliases and merge keys.
fn flow() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        plain(),
        number(),
        Just("*a".to_owned()),
        Just("&a {p: 1, q: 2}".to_owned()),
        Just("'x'".to_owned())
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let key = prop::sample::select(&["k", "l", "<<", "'<<'", "yes", "1", "\"m\"", "!!str n", "? o"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((key, inner), 0..4).prop_map(|entries| {
                let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        plain().prop_map(|value| document(&format!("\n  v: {value}\n"))),
        number().prop_map(|value| document(&format!("\n  v: {value}\n"))),
        quoted().prop_map(|value| document(&format!("\n  v: {value}\n"))),
        block().prop_map(|value| document(&format!("\n  v: {value}  w: 1\n"))),
        prop_oneof![plain(), number()].prop_map(|key| document(&format!("\n  {key}: 1\n"))),
        flow().prop_map(|value| document(&format!("\n  first: &a {{p: 0}}\n  v: {value}\n"))),
    ]
}

#[test]
fn texts_put_together_at_random() {
    let Some(readers) = Readers::new() else { return };
    let asked = std::env::var("TRUST_E2E_CASES").ok().and_then(|number| number.parse().ok());
    let mut runner = TestRunner::deterministic();
    let strategy = text();
    let texts = (0..asked.unwrap_or(CASES)).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    // Those we refuse go alone: kubectl mostly refuses them too, and would take a batch down with them.
    let (accepted, refused): (Vec<_>, Vec<_>) = texts.partition(|text| ours(text).is_ok());
    let mut troubles = Vec::new();
    for batch in accepted.chunks(BATCH).chain(refused.chunks(1)) {
        for (text, theirs) in batch.iter().zip(readers.kubectl_each(batch)) {
            troubles.extend(trouble(text, &ours(text), &theirs));
        }
    }
    report(&troubles);
}
