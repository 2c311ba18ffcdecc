//! Who must have signed policies themselves (`--signed-policies`).
//!
//! Attack: whoever may write policies decides what may run, and whoever reaches the API server with rights that are too
//! wide may write policies. With this option neither is enough: a policy, an exception or a trust root is an object like
//! others, judged by rules that come from a file, by the same path (`webhook/signed.rs`).

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use common::dialect::PolicySet;
use common::limits;
use common::policy::{Action, Attestor, Authority, Body, KeySource, OnFault, Policy, Rule};

use crate::files;
use crate::snapshot::Snapshot;

/// The rules that policies themselves are judged by; by default there are none, and every policy counts.
#[derive(Debug, Default)]
pub struct Signers {
    rules: Option<Snapshot>,
}

impl Signers {
    /// Reads the rules from a file of policies and trust roots.
    ///
    /// # Errors
    /// It cannot be read, or would let something through: a rule that only records or that is not about signatures of
    /// objects, a trust root that is named and not there.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = || format!("--signed-policies {}", path.display());
        let content = files::bytes(path, limits::INPUT_BYTES)?;
        let mut set = PolicySet::default();
        if let Err(errors) = set.add_file(&path.display().to_string(), &content) {
            bail!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
        Self::of(set).with_context(name)
    }

    fn of(mut set: PolicySet) -> anyhow::Result<Self> {
        ensure!(!set.policies.is_empty(), "it holds no policy");
        ensure!(set.exceptions.is_empty(), "it holds an exception, and there are none from these rules");
        for policy in &mut set.policies {
            let missing = policy.name_roots(&set.trust_roots);
            if let Some(name) = missing.first() {
                bail!("{}: it names the trust root {name}, which must stand in the same file", policy.id);
            }
            only_demands(policy)?;
        }
        Ok(Self { rules: Some(Snapshot::new(set)) })
    }

    /// The rules; `None` where nothing is demanded.
    pub(crate) fn rules(&self) -> Option<&Snapshot> {
        self.rules.as_ref()
    }
}

/// That a policy does nothing but demand, and that nothing of it has to be asked for: what was signed must be known
/// before anything else is.
fn only_demands(policy: &Policy) -> anyhow::Result<()> {
    ensure!(policy.on_fault == OnFault::Refuse, "{}: failurePolicy must be Fail", policy.id);
    ensure!(policy.id.namespace.is_empty(), "{}: a policy of one namespace is not asked", policy.id);
    let demands = |rule: &Rule| {
        let is_manifest = matches!(rule.body, Body::Manifest(_));
        is_manifest && rule.action.default == Action::Enforce && rule.action.overrides.is_empty()
    };
    for rule in &policy.rules {
        let called = || format!("{}, rule {}", policy.id, rule.name);
        ensure!(
            demands(rule),
            "{}: only rules with validate.manifests that always enforce demand a signature",
            called()
        );
        ensure!(
            !asks(rule),
            "{}: users, operations, conditions and labels of namespaces are not known when policies are read",
            called()
        );
        ensure!(!names_keys(&rule.body), "{}: its keys must stand in the file", called());
    }
    Ok(())
}

/// Whether it depends on who asks and for what, or on the labels of namespaces: then a policy could be signed for the
/// webhook and unsigned for the controllers, or the other way round.
fn asks(rule: &Rule) -> bool {
    if rule.preconditions.is_some() {
        return true;
    }
    let clauses = std::iter::once(&rule.selector.matching).chain(&rule.selector.exclude);
    clauses.flat_map(|clause| &clause.filters).any(|filter| {
        filter.names_users() || filter.namespace_selector.is_some() || !filter.operations.is_empty()
    })
}

fn names_keys(body: &Body) -> bool {
    let Body::Manifest(rule) = body else { return false };
    let elsewhere =
        |attestor: &&Attestor| matches!(&attestor.authority, Authority::Key(KeySource::Reference(_)));
    rule.requirement.attestors().iter().any(elsewhere)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHRIF45w4yuBQU453/EiBVPJI/mWe
Yja8yfaj11YjJmhlQY65lKytVvz3ztkX6W0139IPMQWgEXuvS/BsIb+gcQ==
-----END PUBLIC KEY-----";

    fn good() -> Value {
        json!({"apiVersion": "kubectl-trust.io/v1alpha1", "kind": "ClusterTrustPolicy", "metadata": {"name": "s"},
            "spec": {"background": false, "rules": [{"name": "r",
                "match": {"any": [{"resources": {"kinds": ["kubectl-trust.io/*/*"]}}]},
                "validate": {"manifests": {"attestors": [{"entries": [{"keys": {"publicKeys": KEY}}]}]}}}]}})
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut document = good();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[key] = value;
        document
    }

    fn read(text: &str) -> anyhow::Result<Signers> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        Signers::read(file.path())
    }

    /// Attack: rules that look like a demand and let something through.
    #[test]
    fn rules_that_do_not_demand_are_refused() {
        const RULE: &str = "/spec/rules/0";
        assert!(read(&good().to_string()).unwrap().rules.is_some());
        let keyless = json!([{"keyless": {"subject": "a", "issuer": "b", "trustRoot": "none"}}]);
        let filter = format!("{RULE}/match/any/0");
        let entries = format!("{RULE}/validate/manifests/attestors/0/entries");
        for (pointer, value, said) in [
            ("/spec/failureAction", json!("Audit"), "always enforce"),
            ("/spec/failurePolicy", json!("Ignore"), "failurePolicy must be Fail"),
            (
                "/spec/failureActionOverrides",
                json!([{"action": "Audit", "namespaces": ["a"]}]),
                "always enforce",
            ),
            (&format!("{filter}/subjects"), json!([{"kind": "User", "name": "a"}]), "users"),
            (&format!("{filter}/resources/namespaceSelector"), json!({}), "labels of namespaces"),
            (&format!("{filter}/resources/operations"), json!(["UPDATE"]), "operations"),
            (&format!("{RULE}/preconditions"), json!({"all": []}), "conditions"),
            (&format!("{entries}/0/keys/publicKeys"), json!("k8s://a/b"), "must stand in the file"),
            (&entries, keyless, "the trust root none, which must stand in the same file"),
            ("/kind", json!("Deployment"), "is not a policy"),
            ("/kind", json!("TrustPolicy"), "a policy of one namespace is not asked"),
        ] {
            let error = format!("{:#}", read(&with(pointer, value).to_string()).unwrap_err());
            assert!(error.contains(said), "{pointer}: {error}");
        }
        assert!(format!("{:#}", read("").unwrap_err()).contains("holds no policy"));
    }
}
