//! Attestor sets (`spec/kyverno.md` 1.5): who must have signed.
//!
//! The dialects differ in how trust in logs and authorities is written down ([`Words`]), and in nothing else.

use std::collections::BTreeSet;

use super::logs;
use super::policy_value::policy_value;
use super::reading::{Purpose, Reading, Words};
use super::texts::{is_object_name, object_name, plain_map};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::image::Repository;
use crate::key::PublicKey;
use crate::limits;
use crate::policy::template::Template;
use crate::policy::{
    Attestor, Authority, CertificateAuthority, KeyRef, KeySource, Keyless, LogOptions, Matcher, PolicyValue,
    Requirement,
};
use crate::trust::{Certificates, PemError};

/// A list of attestor sets, all of which must be satisfied; `None` for an empty list, or when an error
/// was reported.
pub(in crate::dialect) fn sets(node: &Node<'_, '_>, reading: Reading) -> Option<Requirement> {
    let list = node.list();
    let mut sets: Vec<Requirement> = list.iter().filter_map(|node| set(node, reading, 1)).collect();
    if sets.len() == 1 { sets.pop() } else { (!sets.is_empty()).then_some(Requirement::All(sets)) }
}

fn set(node: &Node<'_, '_>, reading: Reading, depth: usize) -> Option<Requirement> {
    if depth > limits::ATTESTOR_DEPTH {
        node.error(Problem::TooDeep { max: limits::ATTESTOR_DEPTH });
        return None;
    }
    node.map(|fields| {
        let count = fields.get("count").and_then(|node| node.integer(0, 1_000));
        let entries = fields.list("entries");
        let of: Vec<Requirement> = entries.iter().flat_map(|node| entry(node, reading, depth)).collect();
        if entries.is_empty() {
            fields.error(Problem::NoAttestors);
            return None;
        }
        let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        // Entries in which an error was found are missing from `of`; their errors are enough.
        if count > of.len() && of.len() >= entries.len() {
            fields
                .report
                .error(&fields.path.key("count"), Problem::CountTooHigh { count, entries: of.len() });
        }
        warn_same_key_twice(fields, &of);
        // Absent and 0 both mean every entry.
        let path = node.path.clone();
        Some(if count == 0 { Requirement::All(of) } else { Requirement::AtLeast { count, of, path } })
    })
    .flatten()
}

fn warn_same_key_twice(fields: &Fields<'_, '_>, of: &[Requirement]) {
    let mut seen = BTreeSet::new();
    for attestor in of.iter().flat_map(Requirement::attestors) {
        let Authority::Key(KeySource::Inline(key)) = &attestor.authority else { continue };
        if !seen.insert(key.fingerprint()) {
            let message = format!("the key {} is listed twice; it counts as one signer", key.fingerprint());
            fields.report.warn(&fields.path, message);
        }
    }
}

const KINDS: [&str; 4] = ["keys", "certificates", "keyless", "attestor"];

/// An entry; several keys in one are several entries.
fn entry(node: &Node<'_, '_>, reading: Reading, depth: usize) -> Vec<Requirement> {
    let read = |fields: &mut Fields<'_, '_>| {
        let found = fields.present(&KINDS);
        let annotations = fields.get("annotations").map(|node| plain_map(&node)).unwrap_or_default();
        let repository = fields.get("repository").and_then(|node| repository(&node));
        logs::signature_algorithm(fields, reading.words);
        let nested = fields.get("attestor");
        let keys = fields.get("keys").map(|node| keys(&node, reading));
        let certificates = fields.get("certificates").map(|node| certificates(&node, reading));
        let keyless = fields.get("keyless").map(|node| keyless(&node, reading));
        let [kind] = found[..] else {
            fields.error(Problem::NotExactlyOne { of: KINDS.to_vec(), found });
            return vec![];
        };
        if let Some(nested) = nested {
            return nested_set(
                fields,
                &nested,
                (reading, depth),
                annotations.is_empty() && repository.is_none(),
            );
        }
        let path = fields.path.key(kind);
        let authorities = keys.or(certificates).or(keyless).unwrap_or_default();
        let attestor = |(authority, log)| {
            Requirement::Attestor(Box::new(Attestor {
                path: path.clone(),
                authority,
                annotations: annotations.clone(),
                repository: repository.clone(),
                log,
            }))
        };
        authorities.into_iter().map(attestor).collect()
    };
    node.map(read).unwrap_or_default()
}

/// The place of signatures.
pub(in crate::dialect) fn repository(node: &Node<'_, '_>) -> Option<PolicyValue<Repository>> {
    policy_value(node, Repository::parse, Problem::Repository)
}

/// A set inside an entry. Annotations beside it would have to hold for every entry of it; Kyverno reads
/// them for none.
fn nested_set(
    fields: &Fields<'_, '_>,
    nested: &Node<'_, '_>,
    (reading, depth): (Reading, usize),
    alone: bool,
) -> Vec<Requirement> {
    if !alone {
        let instead = "write annotations and repository into the entries of the nested set";
        fields.error(Problem::Conflict { with: "attestor", instead });
    }
    set(nested, reading, depth + 1).into_iter().collect()
}

type Authorities = Vec<(Authority, LogOptions)>;

const KEY_SOURCES: [&str; 3] = ["publicKeys", "secret", "kms"];

fn keys(node: &Node<'_, '_>, reading: Reading) -> Authorities {
    let read = |fields: &mut Fields<'_, '_>| {
        if reading.purpose == Purpose::Notary {
            fields.error(Problem::NotSupported("keys with type Notary; use certificates"));
        }
        let found = fields.present(&KEY_SOURCES);
        let log = logs::of_key(fields, reading);
        let inline = fields.get("publicKeys").map(|node| public_keys(&node));
        let secret = fields.get("secret").and_then(|node| secret(&node));
        let kms = fields.get("kms").and_then(|node| kms(&node));
        if found.len() != 1 {
            fields.error(Problem::NotExactlyOne { of: KEY_SOURCES.to_vec(), found });
        }
        let sources = inline.unwrap_or_default().into_iter().chain(secret).chain(kms);
        sources.map(|source| (Authority::Key(source), log.clone())).collect()
    };
    node.map(read).unwrap_or_default()
}

const KMS_SCHEMES: [&str; 4] = ["awskms://", "azurekms://", "gcpkms://", "hashivault://"];

/// PEM blocks, each a key of its own, or one reference.
pub(in crate::dialect) fn public_keys(node: &Node<'_, '_>) -> Vec<KeySource> {
    let Some(text) = node.text("write a public key") else { return vec![] };
    let text = text.trim();
    if text.contains("-----BEGIN") {
        return match PublicKey::parse_all(text) {
            Ok(keys) => keys.into_iter().map(KeySource::Inline).collect(),
            Err(error) => {
                node.error(Problem::Key(error));
                vec![]
            }
        };
    }
    if text.contains("{{") {
        return key_variable(node, text);
    }
    let reference = key_reference(text);
    if reference.is_none() {
        node.error(Problem::KeyReference);
    }
    if let Some(KeyRef::Kms(_)) = reference {
        node.warn(KMS_WARNING);
    }
    reference.map(KeySource::Reference).into_iter().collect()
}

/// A template for a key; it is rendered with the request, so it must at least be one.
fn key_variable(node: &Node<'_, '_>, text: &str) -> Vec<KeySource> {
    match Template::parse_text(text) {
        Ok(_) => vec![KeySource::Reference(KeyRef::Variable(text.to_owned()))],
        Err(error) => {
            node.error(Problem::Expression(error));
            vec![]
        }
    }
}

const KMS_WARNING: &str =
    "keys of a KMS cannot be read: what needs this key cannot be decided; write its public key here";

fn key_reference(text: &str) -> Option<KeyRef> {
    if let Some(rest) = text.strip_prefix("k8s://") {
        let (namespace, name) = rest.split_once('/')?;
        let complete = is_object_name(namespace) && is_object_name(name);
        let secret = KeyRef::Secret { namespace: namespace.to_owned(), name: name.to_owned() };
        return complete.then_some(secret);
    }
    KMS_SCHEMES.iter().any(|scheme| text.starts_with(scheme)).then(|| KeyRef::Kms(text.to_owned()))
}

fn secret(node: &Node<'_, '_>) -> Option<KeySource> {
    node.map(|fields| {
        let name = fields.required("name", "name the Secret");
        let name = name.and_then(|node| object_name(&node, "the name of a Secret"));
        let namespace = fields.get("namespace").filter(|node| node.value != "");
        let namespace = namespace.map(|node| object_name(&node, "the name of a namespace"));
        Some(KeySource::Reference(KeyRef::Secret {
            namespace: namespace.unwrap_or(Some(String::new()))?,
            name: name?,
        }))
    })
    .flatten()
}

fn kms(node: &Node<'_, '_>) -> Option<KeySource> {
    let text = node.text("write a KMS URI")?;
    if !KMS_SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
        node.error(Problem::KeyReference);
    }
    node.warn(KMS_WARNING);
    Some(KeySource::Reference(KeyRef::Kms(text.to_owned())))
}

const CERT_WITHOUT_CHAIN: &str = "a certificate without its chain cannot be checked against a log: what needs this \
     certificate cannot be decided; add certChain";

type ReadCertificates = fn(&str) -> Result<Certificates, PemError>;

fn certificates(node: &Node<'_, '_>, reading: Reading) -> Authorities {
    let read = |fields: &mut Fields<'_, '_>| {
        let (cert, chain) = (fields.get("cert"), fields.get("certChain"));
        if cert.is_none() && chain.is_none() {
            fields.error(Problem::Missing("write cert, certChain or both"));
        }
        let log = logs::options(fields, reading.words);
        let (of_cert, of_chain): (ReadCertificates, ReadCertificates) = match reading.purpose {
            Purpose::Notary => (Certificates::parse_form, Certificates::parse_form),
            // Where a log is asked for, the chain becomes part of a trust root.
            Purpose::Image if !log.ignore_tlog => (Certificates::parse, Certificates::parse_authority),
            Purpose::Image | Purpose::Manifest => (Certificates::parse, Certificates::parse),
        };
        let cert = cert.and_then(|node| policy_value(&node, of_cert, Problem::Pem));
        let chain = chain.and_then(|node| policy_value(&node, of_chain, Problem::Pem));
        if reading.purpose == Purpose::Image && chain.is_none() && !log.ignore_tlog {
            fields.report.warn(&fields.path, CERT_WITHOUT_CHAIN);
        }
        let authority = CertificateAuthority { cert, chain, log };
        vec![(Authority::Certificate(Box::new(authority)), LogOptions::default())]
    };
    node.map(read).unwrap_or_default()
}

fn keyless(node: &Node<'_, '_>, reading: Reading) -> Authorities {
    let read = |fields: &mut Fields<'_, '_>| {
        if reading.purpose == Purpose::Notary {
            fields.error(Problem::NotSupported("keyless with type Notary; use certificates"));
        }
        let log = logs::of_identity(fields, reading);
        identity(fields, log, reading.words)
    };
    node.map(read).unwrap_or_default().into_iter().map(|keyless| (keyless, LogOptions::default())).collect()
}

/// Identity, issuer, roots and extensions, which the older image rules carry directly.
pub(in crate::dialect) fn identity(
    fields: &mut Fields<'_, '_>,
    log: LogOptions,
    words: Words,
) -> Vec<Authority> {
    let subjects = matchers(fields, "subject", "subjectRegExp");
    let issuers = matchers(fields, "issuer", "issuerRegExp");
    let roots = match words {
        Words::Kyverno => {
            let roots = fields.get("roots");
            roots.and_then(|node| policy_value(&node, Certificates::parse_authority, Problem::Pem))
        }
        Words::Trust => None,
    };
    let extensions = fields.get("additionalExtensions").map(|node| plain_map(&node)).unwrap_or_default();
    let open = |matchers: &[Matcher]| matchers.iter().any(Matcher::accepts_anything);
    let (any_subject, any_issuer) = (open(&subjects), issuers.iter().all(Matcher::accepts_anything));
    let none_given = fields.present(&["subject", "subjectRegExp"]).is_empty();
    if none_given || (any_subject && any_issuer) {
        fields.error(Problem::NoIdentity);
    } else if any_subject {
        fields.report.warn(&fields.path, "every identity of the issuer is trusted");
    }
    if fields.present(&["issuer", "issuerRegExp"]).is_empty() {
        fields.error(Problem::NoIssuer);
    } else if any_issuer && !issuers.is_empty() && !any_subject {
        fields.report.warn(&fields.path, "identities of every issuer are trusted");
    }
    vec![Authority::Keyless(Box::new(Keyless { subjects, issuers, extensions, roots, log }))]
}

fn matchers(fields: &mut Fields<'_, '_>, plain_name: &'static str, regex_name: &'static str) -> Vec<Matcher> {
    let mut matchers = Vec::new();
    let mut read = |node: Option<Node<'_, '_>>, is_regex: bool| {
        let Some(node) = node else { return };
        let Some(text) = node.text("write a text or remove the field") else { return };
        let parse = if is_regex { Matcher::regex } else { Matcher::wildcard };
        let read = if text.contains("{{") {
            Matcher::expression(text, is_regex).map_err(Problem::Expression)
        } else {
            parse(text).map_err(Problem::Pattern)
        };
        match read {
            Ok(matcher) => matchers.push(matcher),
            Err(problem) => node.error(problem),
        }
    };
    read(fields.get(plain_name), false);
    read(fields.get(regex_name), true);
    matchers
}
