//! How time and logs are proven: PEM beside each attestor, or the name of a trust root.

use super::policy_value::policy_value;
use super::reading::{Purpose, Reading, Words};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::policy::template::Template;
use crate::policy::{LogOptions, NamedRoot};
use crate::trust::{Certificates, LogKeys};

/// What an attestor says about logs.
pub(super) fn options(fields: &mut Fields<'_, '_>, words: Words) -> LogOptions {
    match words {
        Words::Kyverno => beside(fields),
        Words::Trust => named(fields, true),
    }
}

/// The same of a key, which no certificate log has seen. A manifest's needs no log at all.
pub(super) fn of_key(fields: &mut Fields<'_, '_>, reading: Reading) -> LogOptions {
    const UNNEEDED: &str = "not needed: a manifest signed by a key is verified without a log";
    let log = match reading.words {
        Words::Kyverno => beside(fields),
        Words::Trust => named(fields, false),
    };
    if reading.purpose == Purpose::Manifest {
        match reading.words {
            Words::Kyverno => fields.without_effect(&["rekor", "ctlog"], UNNEEDED),
            Words::Trust => fields.without_effect(&["trustRoot", "insecureIgnoreTlog"], UNNEEDED),
        }
    }
    signature_algorithm(fields, reading.words);
    log
}

/// The same of an identity; one that no log saw is worth a warning.
pub(super) fn of_identity(fields: &mut Fields<'_, '_>, reading: Reading) -> LogOptions {
    let log = options(fields, reading.words);
    if log.ignore_tlog {
        let option = match reading.words {
            Words::Kyverno => "rekor.ignoreTlog",
            Words::Trust => "insecureIgnoreTlog",
        };
        let message = match reading.purpose {
            Purpose::Manifest => {
                format!("{option} has no effect: the proof that a manifest carries is checked")
            }
            Purpose::Image | Purpose::Notary => format!(
                "{option}: no log proof is demanded: a signature counts although nobody can see when it was made"
            ),
        };
        fields.report.warn(&fields.path, message);
    }
    log
}

fn beside(fields: &mut Fields<'_, '_>) -> LogOptions {
    let mut log = LogOptions::default();
    if let Some(node) = fields.get("rekor") {
        node.map(|fields| {
            log.rekor_url = fields.get("url").and_then(|node| url(&node));
            let key = fields.get("pubkey");
            log.rekor_key =
                key.and_then(|node| policy_value(&node, LogKeys::parse_transparency_log, Problem::Pem));
            log.ignore_tlog = fields.boolean("ignoreTlog", false);
        });
    }
    if let Some(node) = fields.get("ctlog") {
        node.map(|fields| {
            log.ignore_sct = fields.boolean("ignoreSCT", false);
            let (key, chain) = (fields.get("pubkey"), fields.get("tsaCertChain"));
            log.ct_key =
                key.and_then(|node| policy_value(&node, LogKeys::parse_certificate_log, Problem::Pem));
            log.tsa_chain = chain
                .and_then(|node| policy_value(&node, Certificates::parse_timestamp_authority, Problem::Pem));
        });
    }
    log
}

/// The URL of a log. It is only told to people, so an expression in it is kept as it is.
fn url(node: &Node<'_, '_>) -> Option<String> {
    let text = node.text("write the log's URL")?;
    if text.contains("{{") {
        Template::parse_text(text).map_err(|error| node.error(Problem::Expression(error))).ok()?;
        return Some(text.to_owned());
    }
    let host = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let begins = |host: &str| host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    if !host.is_some_and(begins) || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        node.error(Problem::Url(text.to_owned()));
        return None;
    }
    Some(text.to_owned())
}

fn named(fields: &mut Fields<'_, '_>, certificates: bool) -> LogOptions {
    let root = fields.text("trustRoot", "name a TrustRoot or remove the field");
    LogOptions {
        trust_root: root.map(NamedRoot::unknown),
        ignore_tlog: fields.boolean("insecureIgnoreTlog", false),
        ignore_sct: certificates && fields.boolean("insecureIgnoreSCT", false),
        ..LogOptions::default()
    }
}

/// The hash is the one that belongs to the key's type; anything stronger than the default is only noted.
pub(super) fn signature_algorithm(fields: &mut Fields<'_, '_>, words: Words) {
    const BITS: [(&str, u16); 4] = [("sha224", 224), ("sha256", 256), ("sha384", 384), ("sha512", 512)];
    if words == Words::Trust {
        return;
    }
    let Some(node) = fields.get("signatureAlgorithm") else { return };
    match node.choice(&BITS) {
        Some(224) => node.error(Problem::NotSupported("SHA-224 signatures; use sha256")),
        Some(384 | 512) => node.warn("the hash follows from the key's type; this option changes nothing"),
        Some(_) | None => {}
    }
}
