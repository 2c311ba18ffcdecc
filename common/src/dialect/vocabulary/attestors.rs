//! Attestor sets (`spec/kyverno.md` 1.5): who must have signed.
//!
//! The dialects differ in how trust in logs and authorities is written down ([`Words`]), and in nothing else.

use std::collections::BTreeSet;

use super::certificates::certificate_pem;
use super::logs;
use super::reading::{Purpose, Reading, Words};
use super::texts::{plain, plain_map};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::key::PublicKey;
use crate::limits;
use crate::policy::identity::MatcherError;
use crate::policy::template::Template;
use crate::policy::{
    Attestor, Authority, CertificateAuthority, KeyRef, KeySource, Keyless, LogOptions, Matcher, Requirement,
};

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
        let repository = fields.text("repository", "write a repository or remove the field");
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
        let complete = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
        let secret = KeyRef::Secret { namespace: namespace.to_owned(), name: name.to_owned() };
        return complete.then_some(secret);
    }
    KMS_SCHEMES.iter().any(|scheme| text.starts_with(scheme)).then(|| KeyRef::Kms(text.to_owned()))
}

fn secret(node: &Node<'_, '_>) -> Option<KeySource> {
    node.map(|fields| {
        let name = fields.required("name", "name the Secret").and_then(|node| node.text("name the Secret"));
        let namespace = fields.string("namespace").unwrap_or_default();
        Some(KeySource::Reference(KeyRef::Secret { namespace, name: name?.to_owned() }))
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

fn certificates(node: &Node<'_, '_>, reading: Reading) -> Authorities {
    let read = |fields: &mut Fields<'_, '_>| {
        let (cert, chain) = (fields.get("cert"), fields.get("certChain"));
        if cert.is_none() && chain.is_none() {
            fields.error(Problem::Missing("write cert, certChain or both"));
        }
        let log = logs::options(fields, reading.words);
        let pem = |node: Option<Node<'_, '_>>| node.and_then(|node| certificate_pem(&node));
        let authority = CertificateAuthority { cert: pem(cert), chain: pem(chain), log };
        vec![(Authority::Certificate(authority), LogOptions::default())]
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
        Words::Kyverno => fields.get("roots").and_then(|node| certificate_pem(&node)),
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
    let mut read = |node: Option<Node<'_, '_>>, parse: fn(&str) -> Result<Matcher, MatcherError>| {
        let Some(node) = node else { return };
        match plain(&node).map(parse) {
            Some(Ok(matcher)) => matchers.push(matcher),
            Some(Err(error)) => node.error(Problem::Pattern(error)),
            None => {}
        }
    };
    read(fields.get(plain_name), Matcher::wildcard);
    read(fields.get(regex_name), Matcher::regex);
    matchers
}
