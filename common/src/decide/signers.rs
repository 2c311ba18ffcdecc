//! How signatures are made that a rule takes, for advice.

use crate::gather::name;
use crate::policy::requirement::Node;
use crate::policy::{Attestor, Authority, Keyless, Matcher, Requirement};
use crate::verdict::{SignWith, Signers, Who};

/// Where policies say nothing of a log, they mean the public-good one (Kyverno's default of `rekor.url`).
const PUBLIC_LOG: &str = "https://rekor.sigstore.dev";

/// The signers that a requirement needs when there is no signature yet.
pub(super) fn needed(requirement: &Requirement, sign_with: &dyn Fn(&Attestor, &str) -> SignWith) -> Signers {
    let mut leaf = |attestor: &Attestor| Signers::one(sign_with(attestor, &name(&attestor.authority)));
    requirement.fold(&mut leaf, &mut |node, parts| joined(node, parts.into_iter().map(|part| (false, part))))
}

/// The signers that a node still needs, from its parts: whether each is satisfied, and the signers that it needs.
pub(super) fn joined(node: Node<'_>, parts: impl Iterator<Item = (bool, Signers)>) -> Signers {
    let (satisfied, missing): (Vec<_>, Vec<_>) = parts.partition(|(satisfied, _)| *satisfied);
    let missing: Vec<_> = missing.into_iter().map(|(_, signers)| signers).collect();
    match node {
        Node::All => Signers::all(missing),
        Node::AtLeast { count, .. } => Signers::some(count.saturating_sub(satisfied.len()), missing),
    }
}

/// One attestor's signature of a manifest or file: a key needs no log.
pub(super) fn of_object(attestor: &Attestor, called: &str) -> SignWith {
    let mut who = who(attestor, called);
    if let Who::Key { log, .. } = &mut who {
        *log = None;
    }
    SignWith { who, annotations: annotations(attestor), legacy: false }
}

/// One attestor's signature of an image.
pub(super) fn of_image(attestor: &Attestor, called: &str) -> SignWith {
    SignWith { who: who(attestor, called), annotations: annotations(attestor), legacy: false }
}

fn annotations(attestor: &Attestor) -> Vec<(String, String)> {
    attestor.annotations.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn who(attestor: &Attestor, called: &str) -> Who {
    let log = &attestor.log;
    match &attestor.authority {
        Authority::Keyless(keyless) => identity(keyless),
        Authority::Certificate(authority) if authority.cert.is_none() => Who::Other {
            what: "one whose certificate comes with it, from the chain that the rule has".to_owned(),
        },
        Authority::Certificate(_) => Who::Certificate,
        Authority::Unsupported { what } => Who::Other { what: what.clone() },
        Authority::Key(_) => Who::Key {
            name: called.to_owned(),
            log: (!log.ignore_tlog).then(|| log.rekor_url.clone().unwrap_or_else(|| PUBLIC_LOG.to_owned())),
        },
    }
}

fn identity(keyless: &Keyless) -> Who {
    let log = &keyless.log;
    Who::Identity {
        subject: any(&keyless.subjects),
        issuer: every(&keyless.issuers),
        private: keyless.roots.is_some() || log.trust_root.is_some() || log.rekor_key.is_some(),
    }
}

/// What a text must be, of which one of these must accept it.
pub(super) fn any(matchers: &[Matcher]) -> String {
    described(matchers, " or ")
}

/// What a text must be that all of these must accept.
pub(super) fn every(matchers: &[Matcher]) -> String {
    described(matchers, " and ")
}

fn described(matchers: &[Matcher], between: &str) -> String {
    let one = |matcher: &Matcher| match matcher {
        Matcher::Regex(_) => format!("{matcher} (the whole text must match)"),
        Matcher::Exact(_) | Matcher::Wildcard(_) | Matcher::Expression(_) => matcher.to_string(),
    };
    matchers.iter().map(one).collect::<Vec<_>>().join(between)
}
