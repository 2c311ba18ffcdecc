//! Where our reader and kubectl's are known to part.

/// Words of our refusals of what kubectl accepts, and why we refuse.
pub(super) const STRICTER: &[(&str, &str)] = &[
    ("duplicate", "readers disagree on which of two values counts"),
    ("with a fraction; put it in quotes", "Go writes float keys in a form of its own"),
    ("infinity and NaN", "not JSON"),
    ("non-finite float", "not JSON; kubectl makes a string of it"),
    ("separator", "kubectl drops what stands beside the separator"),
    ("multiple YAML documents", "kubectl drops what stands behind `...`"),
    ("null document", "kubectl skips the document in silence"),
    ("BOM", "an invisible character in a value"),
    ("comments must be separated", "not YAML; kubectl's reader is older than the rule"),
    ("!!binary scalar is not valid UTF-8", "kubectl puts replacement characters there"),
    ("cannot deserialize tagged scalar", "a tag that no manifest needs"),
    ("wrongly indented line in block scalar", "Go drops a line that looks like a comment"),
    ("did not find expected ',' or '}'", "a plain scalar that ends in a colon, within braces"),
    ("plain scalar cannot start with '-'", "a lone dash within brackets"),
];

/// Words of kubectl's refusals of what we accept: nothing that it refuses reaches a cluster.
pub(super) const LAXER: &[(&str, &str)] = &[
    ("found unknown escape character", "`\\/`, which YAML 1.2 took over from JSON"),
    ("found invalid Unicode character escape code", "surrogate pairs, likewise"),
    (
        "found a tab character where an indentation space is expected",
        "a block scalar may begin with a tab in 1.2",
    ),
    ("map merge requires map or sequence of maps", "`<<: null` merges nothing"),
    ("unsupported map key of type: uint64", "a key beyond int64 is its digits to us"),
    ("invalid character '#'", "a comment after JSON"),
    ("did not find expected node content", "a plain scalar within brackets may begin with `?` or `:` in 1.2"),
    ("did not find expected ',' or", "and it may end in `?`"),
    ("found character that cannot start any token", "a key may stand behind a tab"),
    ("could not find expected ':'", "a bare U+2029 ends the line in YAML 1.1"),
];

/// A kind of text that both accept and read differently: defects of ours that are known and not mended
/// yet. Each has a witness, and the test fails when we no longer misread it: then the entry goes.
pub(super) struct Misread {
    pub(super) what: &'static str,
    pub(super) witnesses: &'static [&'static str],
    pub(super) is: fn(&str) -> bool,
}

/// `witnesses` stand behind `spec:`.
pub(super) const MISREAD: &[Misread] = &[
    Misread {
        what: "a number with `_` at its end, twice or in a fraction, or with 0X, 0B, 0O: Go takes `_` out anywhere and reads capitals",
        witnesses: &[
            " {v: 1_}\n",
            " {v: 1__0}\n",
            " {v: 1_0.5}\n",
            " {v: 0X1f}\n",
            " {v: 0B11}\n",
            " {v: 0O17}\n",
            " {0_: 1}\n",
        ],
        is: |text| words(text).any(odd_number),
    },
    Misread {
        what: "`yEs`, `tRue`: to Go only yes, Yes and YES are booleans",
        witnesses: &[" {v: yEs}\n", " {v: tRue}\n"],
        is: |text| words(text).any(mixed_case_word),
    },
    Misread {
        what: "a local tag (`!local 1`): Go makes a string of it",
        witnesses: &[" {v: !local 1}\n", " {v: !local yes}\n"],
        is: |text| words(text).any(|word| word.starts_with('!') && !word.starts_with("!!")),
    },
    Misread {
        what: "a merge key after another key: Go lets it override what stands before it",
        witnesses: &[
            "\n  base: &b {z: 2}\n  item: {z: 3, <<: *b}\n",
            "\n  base: &b {z: 2}\n  item:\n    z: 3\n    <<: *b\n",
        ],
        is: |text| text.contains(", <<:") || text.contains("\n    <<:"),
    },
    Misread {
        what: "a plain scalar that begins with `?` within brackets: to Go it is a key without a value",
        witnesses: &[" {v: [?.0b]}\n", " {v: [?a, b]}\n"],
        is: |text| words(text).any(|word| word.len() > 1 && word.starts_with('?')),
    },
    Misread {
        what: "U+0085, U+2028, U+2029 as they are: line breaks in YAML 1.1, so Go folds them and drops the indentation",
        witnesses: &["\n  a: 'x\u{85}    y'\n", "\n  a: 'x\u{2028}    y'\n", "\n  a: 'x\u{2029}    y'\n"],
        is: |text| text.contains(['\u{85}', '\u{2028}', '\u{2029}']),
    },
];

fn words(text: &str) -> impl Iterator<Item = &str> {
    let spec = text.find("spec:").map_or("", |start| &text[start..]);
    spec.split(|c: char| c.is_whitespace() || "[]{},".contains(c)).map(|word| word.trim_end_matches(':'))
}

fn odd_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['+', '-']);
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '_');
    numeric && (digits.contains('_') || ["0X", "0B", "0O"].iter().any(|prefix| digits.starts_with(prefix)))
}

fn mixed_case_word(word: &str) -> bool {
    let lower = word.to_lowercase();
    let known = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&lower.as_str());
    let first = word.chars().skip(1).all(char::is_lowercase);
    let upper = word.chars().all(char::is_uppercase);
    known && !first && !upper
}
