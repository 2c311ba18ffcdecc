//! Every bound on what comes from outside, in one place, each with its unit and its reason.
//!
//! A bound is an answer to an attack (decompression, alias expansion, deep nesting, long lists), so each
//! is far above honest use and far below what a small machine can bear.

/// Bytes of one input file (manifests, policies, test files). A release of a large operator with its
/// custom resource definitions is about 2 MiB; the 64 MiB file of an attacker must be refused unread.
pub const INPUT_BYTES: usize = 32 * 1024 * 1024;

/// Documents in one YAML stream. The largest public releases hold a few hundred.
pub const YAML_DOCUMENTS: usize = 10_000;

/// YAML nodes in one stream after anchors are expanded; stops alias bombs.
pub const YAML_NODES: usize = 4_000_000;

/// Levels of nesting in YAML, JSON and typed trees. Kubernetes objects stay below 60 (CRD schemas).
pub const DEPTH: usize = 128;

/// Bytes of all annotations of one object: the API server's own limit
/// (`TotalAnnotationSizeLimitB` in apimachinery, 256 KiB). Files may carry more than a server would
/// take, so a single annotation is allowed four times that.
pub const ANNOTATION_BYTES: usize = 1024 * 1024;

/// Bytes of a message after one decompression. A message that fits an annotation of 256 KiB and is
/// honest text expands about tenfold; a bomb expands a thousandfold.
pub const MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of all files in a tarball message, and of each.
pub const TARBALL_BYTES: usize = 8 * 1024 * 1024;

/// Files and folders in a tarball message.
pub const TARBALL_ENTRIES: usize = 1_000;

/// Documents in one signed message; candidates are searched among them for every object.
pub const MESSAGE_DOCUMENTS: usize = 2_000;

/// Documents of one message that may all be the object, as they share its group, kind, name and namespace.
/// Each costs a comparison; an honest message holds one.
pub const MESSAGE_CANDIDATES: usize = 16;

/// Signatures read from one object (`signature`, `signature_1`, …). Each costs a verification per key.
pub const SIGNATURES: usize = 32;

/// Bytes of one decoded signature: RSA-8192 has 1,024.
pub const SIGNATURE_BYTES: usize = 2_048;

/// Bytes of a decoded certificate (PEM). Fulcio's are below 4 KiB with every extension.
pub const CERTIFICATE_BYTES: usize = 64 * 1024;

/// Certificates in a chain file or annotation (cosign reads at most 11 as well).
pub const CERTIFICATES: usize = 16;

/// Bytes of a decoded log bundle.
pub const BUNDLE_BYTES: usize = 256 * 1024;

/// Bytes of a key file.
pub const KEY_BYTES: usize = 256 * 1024;

/// Public keys in one text (several PEM blocks).
pub const KEYS: usize = 64;

/// Bytes of a `trusted_root.json`; the public-good one has about 9 KiB.
pub const TRUSTED_ROOT_BYTES: usize = 1024 * 1024;

/// Rules in one policy, and entries in one attestor set.
pub const POLICY_RULES: usize = 1_000;

/// Levels of nested attestor sets.
pub const ATTESTOR_DEPTH: usize = 8;

/// Differences reported for one object; more are counted, not listed.
pub const DIFFERENCES: usize = 1_000;

/// Elements of a list that are shown by their names in reports; the whole list is read for each
/// difference. A Pod has tens of containers, and no honest list of named elements has thousands.
pub const NAMED_ELEMENTS: usize = 1_000;

/// Bytes of a compiled regular expression from a policy or flag.
pub const REGEX_BYTES: usize = 1024 * 1024;

/// Bytes of a pattern (wildcard or regular expression).
pub const PATTERN_BYTES: usize = 4_096;

/// Messages and signature facts kept in memory by one process.
pub const CACHED_FACTS: usize = 4_096;

/// Bytes of one `{{ expression }}`; published policies stay below 300.
pub const EXPRESSION_BYTES: usize = 1_024;

/// Operators and brackets of one expression: the library's parser and interpreter recurse on them, and
/// a stack overflow cannot be caught.
pub const EXPRESSION_OPERATORS: usize = 128;

/// Digits of one number in an expression: indexes and slice steps beyond overflow in the library.
pub const EXPRESSION_DIGITS: usize = 8;

/// Copies of one part of the document that an expression may make: `[@, @, @].[@, @, @]` makes nine.
/// Published policies stay below ten; each further multi-select of an attacker multiplies the memory.
pub const EXPRESSION_COPIES: usize = 64;

/// Bytes of the value of one expression, as an estimate: each node counts as 64 and its text. The
/// library shares what an expression repeats, and sharing ends when the value is copied out.
pub const EXPRESSION_VALUE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of one text that a function of an expression takes or gives. What conditions look at (an
/// annotation, a value of a `ConfigMap`) is at most as long.
pub const FUNCTION_TEXT_BYTES: usize = 1024 * 1024;

/// Bytes that the functions of one scope (the expressions of one rule for one object) may read and write
/// together. Honest conditions need a few thousand; a list of 100,000 elements, each of which a function
/// expands to its bound, would fill the memory.
pub const FUNCTION_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a text that a regular expression of a condition searches. The time is the length of the text
/// times the size of the compiled expression at worst.
pub const SEARCHED_BYTES: usize = 64 * 1024;

/// Compiled regular expressions kept for one scope; a filter over a list uses the same few again.
pub const KEPT_REGEXES: usize = 8;

/// Characters of a rule name: the API server's limit on Kyverno's CRD.
pub const RULE_NAME: usize = 63;

/// Errors reported for one policy; more are counted, not listed.
pub const POLICY_ERRORS: usize = 100;
