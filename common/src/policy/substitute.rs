//! Values of expressions in attestors: keys, certificates, identities, places of signatures.
//!
//! They are put in place before anything is gathered, so that what is asked for and what is compared is the same.
//! What has no value stays without one, and is a fault for whatever needs it: never "nobody is demanded".

use std::borrow::Cow;

use super::Matcher;
use super::condition::Scope;
use super::images::{ImageEntry, ImagesRule};
use super::manifest::ManifestRule;
use super::policy_value::PolicyValue;
use super::requirement::{Attestor, Authority, CertificateAuthority, Keyless, LogOptions, Requirement};
use crate::image::Repository;
use crate::object::FieldPath;
use crate::trust::{Certificates, LogKeys};
use crate::verdict::Reason;

impl ManifestRule {
    /// The rule with the values of its expressions.
    #[must_use]
    pub fn put(&self, scope: Option<&Scope>) -> Cow<'_, Self> {
        let Some(scope) = scope.filter(|_| self.requirement.has_expressions()) else {
            return Cow::Borrowed(self);
        };
        let mut rule = self.clone();
        rule.requirement.attestors_mut(&mut |attestor| attestor.put(scope));
        Cow::Owned(rule)
    }
}

impl ImagesRule {
    /// The rule with the values of its expressions.
    #[must_use]
    pub fn put(&self, scope: Option<&Scope>) -> Cow<'_, Self> {
        let Some(scope) = scope.filter(|_| self.entries.iter().any(ImageEntry::has_expressions)) else {
            return Cow::Borrowed(self);
        };
        let mut rule = self.clone();
        for entry in &mut rule.entries {
            if let Some(repository) = &mut entry.repository {
                repository.put(scope, Repository::parse);
            }
            let attestations = entry.attestations.iter_mut().flat_map(|one| &mut one.requirement);
            for requirement in entry.requirement.iter_mut().chain(attestations) {
                requirement.attestors_mut(&mut |attestor| attestor.put(scope));
            }
        }
        Cow::Owned(rule)
    }
}

impl ImageEntry {
    /// Whether something of it is an expression whose value is put in place.
    #[must_use]
    pub fn has_expressions(&self) -> bool {
        let attestations = self.attestations.iter().filter_map(|one| one.requirement.as_ref());
        self.repository.as_ref().is_some_and(PolicyValue::is_expression)
            || self.requirement.iter().chain(attestations).any(Requirement::has_expressions)
    }
}

impl Requirement {
    /// Whether something of an attestor is an expression whose value is put in place.
    #[must_use]
    pub fn has_expressions(&self) -> bool {
        self.attestors().into_iter().any(Attestor::has_expressions)
    }
}

impl Attestor {
    fn has_expressions(&self) -> bool {
        let authority = match &self.authority {
            Authority::Certificate(authority) => {
                [&authority.cert, &authority.chain].into_iter().flatten().any(PolicyValue::is_expression)
                    || authority.log.has_expressions()
            }
            Authority::Keyless(keyless) => {
                keyless.subjects.iter().chain(&keyless.issuers).any(|matcher| !matcher.is_known())
                    || keyless.roots.as_ref().is_some_and(PolicyValue::is_expression)
                    || keyless.log.has_expressions()
            }
            Authority::Key(_) | Authority::Unsupported { .. } => false,
        };
        authority
            || self.log.has_expressions()
            || self.repository.as_ref().is_some_and(PolicyValue::is_expression)
    }

    fn put(&mut self, scope: &Scope) {
        if let Some(repository) = &mut self.repository {
            repository.put(scope, Repository::parse);
        }
        self.log.put(scope);
        match &mut self.authority {
            Authority::Certificate(authority) => authority.put(scope),
            Authority::Keyless(keyless) => keyless.put(scope),
            Authority::Key(_) | Authority::Unsupported { .. } => {}
        }
    }

    /// Why the attestor cannot be asked for: one of its expressions has no value.
    #[must_use]
    pub fn without_value(&self) -> Option<Reason> {
        let entry = self.entry();
        let mut missing = Missing { path: &entry, found: None };
        missing.see("repository", self.repository.as_ref());
        missing.path = &self.path;
        missing.log(&self.log);
        match &self.authority {
            Authority::Certificate(authority) => {
                missing.see("cert", authority.cert.as_ref());
                missing.see("certChain", authority.chain.as_ref());
                missing.log(&authority.log);
            }
            Authority::Keyless(keyless) => {
                missing.see("roots", keyless.roots.as_ref());
                missing.log(&keyless.log);
                missing.matchers("subject", &keyless.subjects);
                missing.matchers("issuer", &keyless.issuers);
            }
            Authority::Key(_) | Authority::Unsupported { .. } => {}
        }
        missing.found
    }
}

impl CertificateAuthority {
    fn put(&mut self, scope: &Scope) {
        for certificates in [&mut self.cert, &mut self.chain].into_iter().flatten() {
            certificates.put(scope, Certificates::parse);
        }
        self.log.put(scope);
    }
}

impl Keyless {
    fn put(&mut self, scope: &Scope) {
        let known = self.subjects.iter().chain(&self.issuers).all(Matcher::is_known);
        for matcher in self.subjects.iter_mut().chain(&mut self.issuers) {
            matcher.put(scope);
        }
        // What the compiler refuses is refused here as well.
        if !known && self.accepts_anybody() {
            self.subjects = vec![Matcher::without_value("any signer would be trusted")];
        }
        if let Some(roots) = &mut self.roots {
            roots.put(scope, Certificates::parse_authority);
        }
        self.log.put(scope);
    }
}

impl LogOptions {
    fn has_expressions(&self) -> bool {
        [&self.rekor_key, &self.ct_key].into_iter().flatten().any(PolicyValue::is_expression)
            || self.tsa_chain.as_ref().is_some_and(PolicyValue::is_expression)
    }

    fn put(&mut self, scope: &Scope) {
        if let Some(key) = &mut self.rekor_key {
            key.put(scope, LogKeys::parse_transparency_log);
        }
        if let Some(key) = &mut self.ct_key {
            key.put(scope, LogKeys::parse_certificate_log);
        }
        if let Some(chain) = &mut self.tsa_chain {
            chain.put(scope, Certificates::parse_timestamp_authority);
        }
    }
}

/// The first value of an attestor that is not there.
struct Missing<'a> {
    path: &'a FieldPath,
    found: Option<Reason>,
}

impl Missing<'_> {
    fn see<T>(&mut self, field: &str, value: Option<&PolicyValue<T>>) {
        if let Some(Err(problem)) = value.map(PolicyValue::value) {
            self.note(field, problem);
        }
    }

    fn matchers(&mut self, field: &str, matchers: &[Matcher]) {
        if let Some(problem) = matchers.iter().find_map(Matcher::problem) {
            self.note(field, problem);
        }
    }

    fn log(&mut self, log: &LogOptions) {
        self.see("rekor.pubkey", log.rekor_key.as_ref());
        self.see("ctlog.pubkey", log.ct_key.as_ref());
        self.see("ctlog.tsaCertChain", log.tsa_chain.as_ref());
    }

    fn note(&mut self, field: &str, problem: &str) {
        let variable = format!("{}.{field}", self.path);
        let problem = problem.to_owned();
        self.found.get_or_insert(Reason::VariableUnresolved { variable, problem });
    }
}
