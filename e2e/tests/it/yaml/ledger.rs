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
    ("are line breaks to kubectl", "U+0085, U+2028, U+2029 as they are"),
    ("disagree on this number", "Go takes `_` out anywhere and reads capitals in prefixes"),
    ("kubectl reads this as text", "to Go only yes, Yes and YES are booleans"),
    ("with a tag of its own", "Go makes a string of it"),
    ("lets a merge key override", "Go lets it override what stands before it"),
    ("takes a leading `?` in brackets", "to Go it is a key without a value"),
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
