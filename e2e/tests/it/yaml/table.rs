//! Texts chosen by hand: what the specifications and past surprises name.

use super::{Readers, document, ours, report, trouble};

/// Plain and quoted scalars.
const SCALARS: &[&str] = &[
    "y", "Y", "n", "N", "yes", "Yes", "YES", "yEs", "no", "on", "On", "off", "OFF", "true", "True", "TRUE", "tRue",
    "~", "null", "Null", "NULL", "nULL", "", "0", "-0", "+0", "00", "0644", "0755", "08", "09", "0o17", "0O17", "-0644",
    "+12", "1_000", "_1", "1_", "1__0", "0x1F", "0X1f", "-0x1F", "0x_1", "0x", "0b11", "0B11", "-0b11", "0b12", "0b",
    "1.0", "1.", ".5", "-.5", "+.5", ".", "..", "1e3", "1E3", "1e+3", "1e-3", "1.5e3", "1e", "e3", "1_0.5", "1.5_0",
    "1e1_0", ".1e1", "-1e3", "1e400", "-1e400", "1e-400", "0.1", "0.30000000000000004", "1.0000000000000001",
    "123456789.123456789", "9007199254740993", "-9007199254740993", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "0xFFFFFFFFFFFFFFFF", "0x1FFFFFFFFFFFFFFFF", "01777777777777777777777", "123456789012345678901234567890", "1e21",
    "100000000000000000000000.0", "1:30", "1:30:00", "190:20:30.15", "-1:30", "2001-01-01", "2001-1-1",
    "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10 -5", "2001-12-15 2:59:43.10", ".inf", "-.inf", "+.INF",
    ".nan", ".NaN", "inf", "nan", "NaN", "Infinity", "=", "<<", "!", "!!str 1", "!!str yes", "!!int 1", "!!int '1'",
    "!!float 1", "!!bool yes", "!!bool 'yes'", "!!null ''", "!!binary aGVsbG8=", "!!binary /w==", "!!timestamp 2001-01-01",
    "!local 1", "!local yes", "!<tag:yaml.org,2002:str> 1", "!!set {a, b}", "!!omap [a: 1]", "!!map {a: 1}", "!!seq [1]",
    "'yes'", "\"yes\"", "'it''s'", "\"\\x41\\u00e9\\U0001F600\\n\\t\\0\\e\\N\\_\\L\\P\"", "\"\\/\"", "\"a\\\n    b\"", "'a\n    b'",
    "\"a\n\n    b\"", "a\n    b", "a\n\n    b", "'a \n    b'", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "\u{1f600}", "\u{e9}", "a\u{a0}b",
    "\u{a0}", "\u{200b}", "a\tb", "a \tb", "\ta", "a # b", "a# b", "#a", "a: b", "a:b", "a:", ":a", "- a", "-a", "? a", "?a",
    "[a, b]", "[a, b,]", "[a,,b]", "[]", "{}", "{a: 1, b: 2}", "{a: 1,}", "{a, b}", "{a: , b: }", "{'a':1}", "{\"a\":1}", "{a:1}",
    "[a: 1, b]", "[? a : 1]", "[a\n    , b]", "{a: [1, {b: 2}]}", "%a", "@a", "`a", "&a 1", "&a", "*a", "|", ">", "|x", "a, b", "a]b", "'a\u{85}b'", "'a\u{2028}  b'", "a\u{2029}b",
    "[a b, c]", "!!str", "!!str ~", "!!str ''", "!!int", "&a !!int 1", "!!int &a 1", "\"a\" b", "'a' # c", "'a'# c", "[1] # c", "\u{feff}a",
];

/// Keys, each with the value 1.
const KEYS: &[&str] = &[
    "a", "y", "n", "yes", "on", "off", "true", "null", "~", "1", "-1", "0644", "0x1F", "1_000", "1.5", "1.0", "1e3", ".inf",
    "9223372036854775808", "18446744073709551616", "2001-01-01", "1:30", "=", "'yes'", "\"1\"", "!!str 1", "!!str yes", "''",
    "? a\n ", "[a]", "{a: 1}", "&k a", "a b", "a:b", "a#b", "-a", "\u{e9}", "\u{1f600}", "|\n    a\n ", "0.1", "1e100",
];

/// Everything after `spec:`.
const BLOCKS: &[&str] = &[
    " &b\n  x: 1\n  y2: *b2\n", " &b {x: 1}\nother: *b\n", "\n  a: &a [1, 2]\n  b: *a\n", "\n  a: &a 1\n  b: &a 2\n  c: *a\n",
    "\n  base: &b {x: 1, z: 2}\n  item: {<<: *b, z: 3}\n", "\n  base: &b {x: 1, z: 2}\n  item: {z: 3, <<: *b}\n",
    "\n  a: &a {x: 1}\n  b: &b {x: 2, z: 2}\n  item: {<<: [*a, *b]}\n", "\n  a: &a {x: 1}\n  b: &b {x: 2}\n  item:\n    <<: [*b, *a]\n    q: 1\n",
    "\n  a: &a {x: 1}\n  b: &b {<<: *a, x: 2}\n  c: {<<: *b}\n", "\n  item: {<<: {x: 1}}\n", "\n  item: {<<: [{x: 1}, {x: 2, w: 3}]}\n",
    "\n  item: {<<: 1}\n", "\n  item: {<<: null}\n", "\n  item: {<<: []}\n", "\n  item: {<<: [1]}\n", "\n  item: {'<<': {x: 1}}\n",
    "\n  item: {\"<<\": {x: 1}}\n", "\n  item: {!!merge <<: {x: 1}}\n", "\n  item: {!!str <<: {x: 1}}\n", "\n  item: {<<: {x: 1}, <<: {w: 2}}\n",
    "\n  a: &a {x: 1, deep: {p: 1}}\n  c: {<<: *a, deep: {q: 2}}\n", "\n  a: 1\n  a: 2\n", "\n  on: 1\n  'true': 2\n", "\n  1: a\n  '1': b\n",
    "\n  - a\n  -  b\n  - - c\n    - d\n  - e: 1\n    f: 2\n", "\n- a\n- b\n", "\n  a:\n  - 1\n  - 2\n  b:\n    - 3\n", "\n  a:\n  b:\n", "\n  ? a\n  : 1\n  ? b\n",
    "\n  a: |\n    x\n     y\n\n    z\n", "\n  a: |-\n    x\n\n", "\n  a: |+\n    x\n\n\n", "\n  a: >\n    x\n    y\n\n    z\n      more\n    last\n", "\n  a: >-\n    x\n    y\n",
    "\n  a: >+\n    x\n\n", "\n  a: |2\n      x\n", "\n  a: |1\n   x\n", "\n  a: |2-\n      x\n", "\n  a: |-2\n      x\n", "\n  a: |\n\n    x\n", "\n  a: |\n      \n    x\n",
    "\n  a: |\n    x\n  # comment\n  b: 1\n", "\n  a: |\n    # no comment\n", "\n  a: | # comment\n    x\n", "\n  a: |\n  b: 1\n", "\n  a: |\n\n\n  b: 1\n", "\n  a: |+\n\n\n  b: 1\n",
    "\n  a: |\n\tx\n", "\n  a: |\n    x\ty\t\n", "\n  a: >\n    x\n    \ty\n    z\n", "\n  a: |\r\n    x\r\n    y\r\n", "\r\n  a: 1\r\n  b: 2\r\n", "\n  a: \"x\r\n    y\"\n", "\n  a: |\n    x",
    "\n  a: x\n  b : y\n", "\n  a:    x   \n", "\n  a: x\t\n", "\n  a:\tx\n", "\n\ta: x\n", "\n  a: 1\n b: 2\n", "\n   a: 1\n  b: 2\n", "\n  a: {b: 1\n  }\n", "\n  a: {b: 1\n}\n", "\n  a: [\n  1,\n  2\n]\n",
    "\n  a: 'x\n\n\n    y'\n", "\n  a: \"x \\\n      y\"\n", "\n  a: \"x\\\n      \\ y\"\n", "\n  a: x\n    y: z\n", "\n  a: x\n    # c\n    y\n", "\n  a: b: c\n", "\n  a: 'b': c\n", "\n  \"a\" : 1\n", "\n  'a':1\n",
    "\n  a: !!str\n  b: 1\n", "\n  a: &x\n  b: *x\n", "\n  *x : 1\n", "\n  &x a: 1\n  b: *x\n", "\n  a: *nothing\n", "\n  a: &x [*x]\n", "\n  a: \u{feff}x\n", "\n  a: x\n...\n", "\n  a: x\n...\n# c\n",
    "\n  a: x # c\n  # c\n\n", "\n  a: 'x\ty'\n", "\n  a: x\u{7}y\n", "\n  a: \"x\u{7f}y\"\n", "\n  a: x\u{9f}y\n", "\n  a: x\u{fffe}y\n", "\n  a: x\u{fffd}y\n",
];

/// Whole streams.
const STREAMS: &[&str] = &[
    "@\n---\n@", "---\n@\n---\n@\n---\n", "# c\n---\n# d\n---\n@", "@\n--- # c\n@", "@\n---   \n@", "@\n---x\n@", "@\n--- {a: b}\n@", "@\n--- @", "@\n...\n@", "@\n...\n---\n@",
    "%YAML 1.1\n---\n@", "%YAML 1.2\n---\n@", "@\n---\nnull\n---\n@", "@\n---\n~\n", "@\n---\n\n---\n@", "@\r\n---\r\n@", "\u{feff}@", "@\n---\n\u{feff}@", " ---\n@", "---\n---\n@", "@\n ---\n@", "\n\n@",
    "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"}}",
    "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"}}{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"z\"}}",
    "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"},\"spec\":{\"a\":1,\"a\":2}}",
    "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"},\"spec\":{\"a\":1e2,\"b\":1.0,\"c\":\"\\ud83d\\ude00\",\"d\":9007199254740993}}",
    "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"},\"spec\":{\"a\":18446744073709551615}}",
    "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"}}\n---\n@", "@\n---\n{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"}}",
    "{apiVersion: v1, kind: Thing, metadata: {name: x}}", "{apiVersion: v1, kind: Thing, metadata: {name: x}}\n---\n@", "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"},}",
    "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"},\"spec\":yes}", "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"x\"}} # c",
];

fn check(texts: &[String]) {
    let Some(readers) = Readers::new() else { return };
    let troubles: Vec<_> = texts
        .iter()
        .filter_map(|text| trouble(text, &ours(text), &readers.kubectl(text)))
        .collect();
    report(&troubles);
}

#[test]
fn scalars() {
    check(&SCALARS.iter().map(|scalar| document(&format!("\n  v: {scalar}\n"))).collect::<Vec<_>>());
}

#[test]
fn keys() {
    check(&KEYS.iter().map(|key| document(&format!("\n  {key}: 1\n"))).collect::<Vec<_>>());
}

#[test]
fn blocks() {
    check(&BLOCKS.iter().map(|block| document(block)).collect::<Vec<_>>());
}

#[test]
fn streams() {
    let object = document(" {a: 1}");
    check(&STREAMS.iter().map(|stream| stream.replace('@', &object)).collect::<Vec<_>>());
}
