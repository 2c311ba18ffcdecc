//! Every bound on what comes from outside, in one place, each with its unit and its reason.
//!
//! A bound is an answer to an attack (decompression, alias expansion, deep nesting, long lists), so each
//! is far above honest use and far below what a small machine can bear.

/// Bytes of one input file (manifests, policies, test files). A release of a large operator with its
/// custom resource definitions is about 2 MiB; the 64 MiB file of an attacker must be refused unread.
pub const INPUT_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of a file that holds a path, as Git leaves a link where there are no links: `PATH_MAX` of Linux.
pub const PATH_BYTES: usize = 4096;

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

/// Bytes of the `root` metadata of a TUF repository. The public-good one has 6 KiB; this and the next three
/// are what other TUF clients use (TUF specification, 5.3 to 5.6: each download has a bound).
pub const TUF_ROOT_BYTES: usize = 512_000;

/// Bytes of the `timestamp` metadata of a TUF repository.
pub const TUF_TIMESTAMP_BYTES: usize = 16 * 1024;

/// Bytes of the `snapshot` metadata of a TUF repository.
pub const TUF_SNAPSHOT_BYTES: usize = 2_000_000;

/// Bytes of the metadata of one `targets` role of a TUF repository.
pub const TUF_TARGETS_BYTES: usize = 5_000_000;

/// Root versions that are walked from the one that trust begins with (TUF specification, 5.3.3). The
/// public-good repository has made about three a year.
pub const TUF_ROOTS: u32 = 64;

/// Seconds of all that is asked of a TUF repository. Attack: slow retrieval. It takes some ten small files.
pub const TUF_SECONDS: u64 = 60;

/// Targets roles that are read while a target is looked for.
pub const TUF_DELEGATIONS: u32 = 32;

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

/// Messages kept in memory by one process.
pub const CACHED_FACTS: usize = 4_096;

/// Bytes of what signatures prove that is kept in memory by one process. That a key signed has some 600, so that
/// is twelve thousand images; what an identity proves has two or three thousand.
pub const CACHED_FACT_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of one such fact; a longer one is found out each time, and does not push out thousands of others.
pub const CACHED_FACT_ENTRY_BYTES: usize = 64 * 1024;

/// Bytes that each fact about a signature takes beside its texts: itself, its key, and its place in the list and
/// in the table.
pub const CACHED_FACT_OVERHEAD: usize = 384;

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

/// Conditions of one policy that the API server evaluates: as many as it takes of a webhook (Kubernetes API reference,
/// `matchConditions`).
pub const MATCH_CONDITIONS: usize = 64;

/// Characters of a rule name: the API server's limit on Kyverno's CRD.
pub const RULE_NAME: usize = 63;

/// Errors reported for one policy; more are counted, not listed.
pub const POLICY_ERRORS: usize = 100;

/// Bytes of an image reference: 255 of the host, 255 of the path, a tag of 128 and a digest of 135, and
/// room for the signs between them.
pub const REFERENCE_BYTES: usize = 1_024;

/// Bytes of a repository's path; Docker and most registries allow 255.
pub const REPOSITORY_BYTES: usize = 255;

/// Bytes of a manifest or index. Registries refuse more than 4 MiB (OCI distribution specification,
/// "Pushing Manifests").
pub const MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// Layers of a manifest, and manifests of an index. Images have tens of layers, indexes tens of platforms.
pub const MANIFEST_ENTRIES: usize = 1_000;

/// Bytes of a `simplesigning` payload; honest ones are below 1 KiB.
pub const PAYLOAD_BYTES: usize = 64 * 1024;

/// Bytes of an attestation or of a Sigstore bundle that holds one. SBOMs are the largest, a few MiB.
pub const ATTESTATION_BYTES: usize = 16 * 1024 * 1024;

/// Signatures and attestations that are read of one image, of each kind of place. Attack: thousands of
/// worthless ones before the good one must not keep the verifier busy; more than these is a fault.
pub const IMAGE_SIGNATURES: usize = 64;

/// Bytes of all signatures and attestations of one image.
pub const IMAGE_EVIDENCE_BYTES: usize = 64 * 1024 * 1024;

/// Subjects of an in-toto statement, and digests of each.
pub const STATEMENT_SUBJECTS: usize = 1_024;

/// Bytes of the configuration of an image; those of large Java images have about 50 KiB.
pub const IMAGE_CONFIG_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of the `oci-layout` file, whose only content is a version.
pub const LAYOUT_VERSION_BYTES: usize = 4 * 1024;

/// Bytes of the `index.json` of a layout: an entry has about 300.
pub const LAYOUT_INDEX_BYTES: usize = 16 * 1024 * 1024;

/// Manifests of a layout, those inside its indexes among them. A recorded image has about ten, so that is
/// every image of a large cluster.
pub const LAYOUT_MANIFESTS: usize = 20_000;

/// Entries of all indexes of a layout that are followed, an index as often as it is listed.
pub const LAYOUT_STEPS: usize = 200_000;

/// Bytes of all manifests of a layout, which are kept in memory.
pub const LAYOUT_MANIFEST_BYTES: usize = 256 * 1024 * 1024;

/// Indexes inside an index. One with one manifest a platform has none; build tools make one more.
pub const INDEX_DEPTH: usize = 3;

/// Seconds that a writer of a layout waits for the others. Each writes an index, which takes milliseconds; on a slow
/// disk with sixteen of them, some seconds.
pub const LAYOUT_LOCK_SECONDS: u64 = 30;

/// Bytes that are recorded of one image (manifests, configurations, signatures, attestations; no layers).
pub const RECORDED_BYTES: usize = 512 * 1024 * 1024;

/// Images of one object. A Pod has tens of containers; the 100,000 of an attacker are refused.
pub const IMAGES: usize = 1_000;

/// Trust roots made of a policy's pieces (PEM keys, roots) that are kept; each is some hundred KiB.
pub const CACHED_ROOTS: usize = 64;

/// Decoded signatures and attestations that are kept. An SBOM may be some MiB, a signature is some KiB.
pub const CACHED_SIGNATURES: usize = 1_024;

/// Combinations of attestations that a rule's `validate.deny` is tried on: the product of how many there
/// are of each name.
pub const ATTESTATION_COMBINATIONS: usize = 256;

/// Bytes of a file that is verified or signed as it is (`--blob`). It is read into memory whole.
pub const BLOB_FILE_BYTES: usize = 1024 * 1024 * 1024;

/// Redirects that one request to a registry follows. Honest ones need one or two (a blob's storage).
pub const REDIRECTS: usize = 5;

/// Attempts of one request to a registry, the first included.
pub const REQUEST_ATTEMPTS: u32 = 3;

/// Seconds of one read or write of a registry, its attempts included, where the caller gives no other limit. Attack: a
/// byte a second keeps a connection alive for ever.
pub const REQUEST_SECONDS: u64 = 30;

/// Seconds until a connection must stand.
pub const CONNECT_SECONDS: u64 = 5;

/// Seconds of one request to a service that signing needs. A log of Rekor v2 answers with its next checkpoint,
/// which may be 10 seconds away.
pub const SIGNING_SECONDS: u64 = 60;

/// Requests to one registry at a time; a slow one blocks only its own.
pub const REGISTRY_REQUESTS: usize = 16;

/// Registries whose requests are counted at a time; names come from image references of strangers.
pub const REGISTRY_HOSTS: usize = 1_024;

/// Bytes that are read of an answer that is an error; honest ones are below 1 KiB.
pub const ERROR_BODY_BYTES: usize = 64 * 1024;

/// Bytes of the answer of a token service. The largest tokens (of clouds) have a few KiB.
pub const TOKEN_BYTES: usize = 256 * 1024;

/// Authorizations kept in memory, one a repository and set of credentials.
pub const TOKENS: usize = 1_024;

/// Seconds that a token is used at most, whatever its service says.
pub const TOKEN_SECONDS: u64 = 3_600;

/// Credentials that are tried for one request. Kubernetes tries every pull secret; each costs a request.
pub const CREDENTIALS_TRIED: usize = 8;

/// Bytes of a Docker configuration; a Secret has at most 1 MiB.
pub const DOCKER_CONFIG_BYTES: usize = 1024 * 1024;

/// Pages of one list of referrers. Attack: `Link` headers without end.
pub const REFERRER_PAGES: usize = 16;

/// Referrers of one manifest, over all pages or in the index of the fallback tag.
pub const REFERRERS: usize = 1_000;

/// Tags of a repository that are read, on one page, to say what else is signed there. They decide nothing.
pub const LISTED_TAGS: usize = 1_000;

/// Seconds for that page. It explains a refusal; attack: a registry that delays it must not turn the refusal into
/// a fault, which some policies let in.
pub const LISTED_TAGS_SECONDS: u64 = 2;

/// Other images of a repository that a refusal calls signed by name.
pub const SIGNED_DIGESTS_NAMED: usize = 3;

/// Characters of what one reason says in a message. Honest ones have some hundred; texts of strangers that
/// stand in them may have a megabyte.
pub const REASON_CHARACTERS: usize = 4_096;

/// Characters of a registry's own words in a fault.
pub const FAULT_CHARACTERS: usize = 300;

/// Bytes of what is remembered of registries in memory: manifests, signatures and lists of them. An image that a
/// key signed has two or three KiB of these, one that an identity signed eight: that is some eight to twenty
/// thousand images.
pub const CACHED_REGISTRY_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of one remembered manifest, blob or list. Larger ones are SBOMs, and a few would push out all the rest.
pub const CACHED_REGISTRY_ENTRY_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that each remembered answer takes beside what it says: its place in the list (about 140, the hash that
/// it is kept under among them), that in the table (17, which may be half empty) and the counters of its bytes.
/// Attack: answers that are nothing must not be had for nothing.
pub const CACHED_REGISTRY_OVERHEAD: usize = 256;

/// Of the bytes of what is remembered of registries, one in so many is for manifests and lists as they are read:
/// those of the last thousand images or so. All others are bytes, and are read again when they are asked for.
pub const CACHED_REGISTRY_READ_SHARE: usize = 32;

/// Seconds that a list of signatures is remembered: so long a new signature may go unseen.
pub const CACHED_LIST_SECONDS: u64 = 30;

/// Seconds that it is remembered that there are no signatures. Signing follows pushing by seconds.
pub const CACHED_NEGATIVE_SECONDS: u64 = 10;

/// Bytes of remembered manifests and blobs in a folder.
pub const CACHED_FOLDER_BYTES: u64 = 512 * 1024 * 1024;

/// Bytes that a remembered file takes beside its content: the last block, its name and its inode.
pub const CACHED_FILE_OVERHEAD: u64 = 4 * 1024;

/// Fields that advice proposes to ignore, all together. Who ignores more should sign anew.
pub const SUGGESTED_FIELDS: usize = 8;

/// Problems, signers, fields and ways out that one refusal lists; the rest is counted.
pub const LISTED: usize = 4;

/// Ignored differences that a verdict names; the rest is counted.
pub const IGNORED_LISTED: usize = 32;
