//! From trust and matching flags to the one rule that they stand for.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use common::key::PublicKey;
use common::limits;
use common::manifest::ignore::{self, IgnoreField};
use common::object::FieldPath;
use common::policy::{
    Attestor, Authority, Body, DefaultFields, KeyRef, KeySource, Keyless, LogOptions, ManifestRule, Matcher,
    Matching, NamespaceAllowance, Policy, Requirement,
};

use crate::cli::{MatchArgs, MatchMode, TrustArgs};
use crate::{environment, input};

/// What the flags demand.
#[derive(Debug)]
pub(crate) struct Demands {
    /// The rule.
    pub(crate) rule: ManifestRule,
    /// What still holds although a flag weakens the check.
    pub(crate) weakened: Vec<&'static str>,
}

impl TrustArgs {
    /// Whether any flag says whom to trust.
    pub(crate) fn names_a_signer(&self) -> bool {
        !self.keys.is_empty() || self.names_an_identity()
    }

    fn names_an_identity(&self) -> bool {
        self.certificate_identity.is_some()
            || self.certificate_identity_regexp.is_some()
            || self.certificate_oidc_issuer.is_some()
            || self.certificate_oidc_issuer_regexp.is_some()
    }
}

/// Reads keys and certificates and makes the rule.
///
/// # Errors
/// No signer named, half an identity, an unreadable key or certificate, a bad pattern.
pub(crate) fn demands(
    trust: &TrustArgs,
    matching: &MatchArgs,
    defaults: DefaultFields,
) -> anyhow::Result<Demands> {
    somebody(trust)?;
    let mut weakened = Vec::new();
    if trust.insecure_ignore_sct {
        weakened.push("--insecure-ignore-sct: the CT log is not asked for; chain, identity, time and log entry still hold");
    }
    if trust.insecure_ignore_tlog {
        weakened.push("--insecure-ignore-tlog changes nothing for manifests: keys need no log, keyless signatures have no time without it");
    }
    Ok(Demands { rule: rule(requirement(trust)?, matching, defaults)?, weakened })
}

/// That the flags name somebody to trust.
///
/// # Errors
/// They do not.
pub(crate) fn somebody(trust: &TrustArgs) -> anyhow::Result<()> {
    if !trust.names_a_signer() {
        bail!("whom do you trust? Give --key FILE, or --certificate-identity and --certificate-oidc-issuer");
    }
    Ok(())
}

/// A rule that demands `requirement`, with the matching flags; `defaults` is what compat ignores anyway.
pub(crate) fn rule(
    requirement: Requirement,
    matching: &MatchArgs,
    defaults: DefaultFields,
) -> anyhow::Result<ManifestRule> {
    Ok(ManifestRule {
        requirement,
        annotation_domain: matching.annotation_domain.clone(),
        ignore_fields: ignored(matching)?,
        matching: match matching.mode {
            MatchMode::Strict => Matching::Strict,
            MatchMode::Compat => Matching::Compat(defaults),
        },
        allow_namespace: allowance(&matching.allow_namespace),
        allow_finalizers: matching.allow_finalizer.clone(),
        dry_run: None,
        repository: None,
    })
}

/// Adds what the flags allow to every manifest rule, so that somebody can try what a policy would say if it
/// allowed more.
///
/// # Errors
/// `--ignore-fields` that cannot be read.
pub(crate) fn widen(policies: &mut [Policy], matching: &MatchArgs) -> anyhow::Result<()> {
    let fields = ignored(matching)?;
    for rule in policies.iter_mut().flat_map(|policy| &mut policy.rules) {
        let Body::Manifest(rule) = &mut rule.body else { continue };
        rule.ignore_fields.extend(fields.iter().cloned());
        rule.allow_finalizers.extend(matching.allow_finalizer.iter().cloned());
        if matching.mode == MatchMode::Compat && rule.matching == Matching::Strict {
            rule.matching = Matching::Compat(DefaultFields::Kyverno);
        }
        match (&mut rule.allow_namespace, allowance(&matching.allow_namespace)) {
            (NamespaceAllowance::Any, _) | (_, NamespaceAllowance::None) => {}
            (NamespaceAllowance::Named(all), NamespaceAllowance::Named(more)) => all.extend(more),
            (allowed, more) => *allowed = more,
        }
    }
    Ok(())
}

/// What `--ignore-fields` leave out, one for each.
///
/// # Errors
/// A path that cannot be read.
pub(crate) fn ignored(matching: &MatchArgs) -> anyhow::Result<Vec<IgnoreField>> {
    let place = |index| FieldPath::keys(["--ignore-fields"]).index(index);
    let fields = matching.ignore_fields.iter().enumerate();
    fields
        .map(|(index, text)| ignore::parse_flag(text, place(index)))
        .collect::<Result<Vec<_>, _>>()
        .context("--ignore-fields")
}

fn allowance(namespaces: &[String]) -> NamespaceAllowance {
    match namespaces {
        [] => NamespaceAllowance::None,
        named if named.iter().any(|name| name == "*") => NamespaceAllowance::Any,
        named => NamespaceAllowance::Named(named.to_vec()),
    }
}

/// A signature by one key, of which no log is asked, with these annotations.
pub(crate) fn signed_by(key: PublicKey, annotations: &[(String, String)]) -> Requirement {
    let path = FieldPath::keys(["--key"]);
    let attestor = Attestor {
        path: path.clone(),
        authority: Authority::Key(KeySource::Inline(key)),
        annotations: annotations.iter().cloned().collect(),
        repository: None,
        log: LogOptions { ignore_tlog: true, ..LogOptions::default() },
    };
    Requirement::AtLeast { count: 1, of: vec![Requirement::Attestor(Box::new(attestor))], path }
}

/// Any of the keys, or the identity: what was given twice is a choice.
pub(crate) fn requirement(trust: &TrustArgs) -> anyhow::Result<Requirement> {
    let annotations: BTreeMap<_, _> = trust.annotations.iter().cloned().collect();
    let attestor = |path: FieldPath, authority: Authority| {
        let annotations = annotations.clone();
        Requirement::Attestor(Box::new(Attestor {
            path,
            authority,
            annotations,
            repository: None,
            // Of manifests and files signed with a key no log is asked anyway.
            log: LogOptions { ignore_tlog: trust.insecure_ignore_tlog, ..LogOptions::default() },
        }))
    };
    let mut of = Vec::new();
    for (index, reference) in trust.keys.iter().enumerate() {
        for source in key_sources(reference)? {
            of.push(attestor(FieldPath::keys(["--key"]).index(index), Authority::Key(source)));
        }
    }
    if trust.names_an_identity() {
        let path = FieldPath::keys(["--certificate-identity"]);
        of.push(attestor(path, Authority::Keyless(Box::new(keyless(trust)?))));
    }
    Ok(Requirement::AtLeast { count: 1, of, path: FieldPath::keys(["--key"]) })
}

fn key_sources(reference: &str) -> anyhow::Result<Vec<KeySource>> {
    if let Some(secret) = reference.strip_prefix("k8s://") {
        let Some((namespace, name)) =
            secret.split_once('/').filter(|(ns, name)| !ns.is_empty() && !name.is_empty())
        else {
            bail!("--key {reference}: write k8s://NAMESPACE/SECRET");
        };
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        return Ok(vec![KeySource::Reference(KeyRef::Secret { namespace, name })]);
    }
    let text = match environment::key(reference).with_context(|| format!("--key {reference}"))? {
        Some(text) => text.to_string(),
        None => match reference.split_once("://") {
            Some((scheme, _)) => bail!(
                "--key {reference}: {scheme}:// keys are not supported; give a file, k8s://NAMESPACE/SECRET or env://NAME"
            ),
            None => input::text(Path::new(reference), limits::KEY_BYTES)?,
        },
    };
    let keys = PublicKey::parse_all(&text).with_context(|| reference.to_owned())?;
    Ok(keys.into_iter().map(KeySource::Inline).collect())
}

fn keyless(trust: &TrustArgs) -> anyhow::Result<Keyless> {
    let pair = |exact: Option<&String>,
                regex: Option<&String>,
                flag: &str,
                other: &str|
     -> anyhow::Result<Matcher> {
        let matcher = match (exact, regex) {
            (Some(text), _) => Matcher::exact(text),
            (None, Some(text)) => Matcher::regex(text),
            (None, None) => {
                bail!("{other} needs {flag} as well: an identity means nothing without who vouches for it")
            }
        };
        matcher.with_context(|| flag.to_owned())
    };
    let subject = pair(
        trust.certificate_identity.as_ref(),
        trust.certificate_identity_regexp.as_ref(),
        "--certificate-identity",
        "--certificate-oidc-issuer",
    )?;
    let issuer = pair(
        trust.certificate_oidc_issuer.as_ref(),
        trust.certificate_oidc_issuer_regexp.as_ref(),
        "--certificate-oidc-issuer",
        "--certificate-identity",
    )?;
    let log = LogOptions {
        ignore_sct: trust.insecure_ignore_sct,
        ignore_tlog: trust.insecure_ignore_tlog,
        ..LogOptions::default()
    };
    Ok(Keyless {
        subjects: vec![subject],
        issuers: vec![issuer],
        extensions: BTreeMap::new(),
        roots: None,
        log,
    })
}
