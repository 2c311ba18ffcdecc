use serde_json::{Value, json};

use crate::dialect::{CompileErrors, Compiled, NamedTrustRoot, PolicySet, Problem, compile, is_policy};
use crate::policy::images::{ImageEntry, SignatureStorage};
use crate::policy::{
    Action, Authority, Body, KeyRef, KeySource, ManifestRule, Matching, NamespaceAllowance, OnFault, Policy,
    PolicyId, Requirement,
};
use crate::trust::TrustRoot;

const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHRIF45w4yuBQU453/EiBVPJI/mWe
Yja8yfaj11YjJmhlQY65lKytVvz3ztkX6W0139IPMQWgEXuvS/BsIb+gcQ==
-----END PUBLIC KEY-----";

fn keys() -> Value {
    json!({"keys": {"publicKeys": KEY}})
}

fn images(entry: &Value) -> Value {
    json!({"name": "r", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]}, "verifyImages": [entry]})
}

fn entry(attestor: &Value) -> Value {
    json!({"imageReferences": ["ghcr.io/acme/*"], "attestors": [{"entries": [attestor]}]})
}

fn manifests(attestor: &Value) -> Value {
    json!({"name": "r", "match": {"any": [{"resources": {"kinds": ["Deployment"]}}]},
        "validate": {"manifests": {"attestors": [{"entries": [attestor]}]}}})
}

fn document(kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": "kubectl-trust.io/v1alpha1", "kind": kind, "metadata": {"name": "p"}, "spec": spec})
}

fn policy(rule: &Value) -> Value {
    document("ClusterTrustPolicy", &json!({"rules": [rule]}))
}

fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[key] = value;
    document
}

fn compiled(document: &Value) -> Policy {
    match compile(document).unwrap_or_else(|errors| panic!("{errors}")) {
        Compiled::Policy(policy) => policy,
        other @ (Compiled::Exception(_) | Compiled::TrustRoot(_)) => panic!("{other:?}"),
    }
}

fn errors(document: &Value) -> Vec<(String, Problem)> {
    let CompileErrors(errors) = compile(document).err().unwrap_or(CompileErrors(vec![]));
    errors.into_iter().map(|error| (error.path.to_string(), error.problem)).collect()
}

fn refuses(document: &Value, path: &str, problem: Problem) {
    assert_eq!(errors(document), [(path.to_owned(), problem)], "{document}");
}

fn image_entry(policy: &Policy) -> &ImageEntry {
    let Body::Images(rule) = &policy.rules[0].body else { panic!("another body") };
    &rule.entries[0]
}

fn manifest_rule(policy: &Policy) -> &ManifestRule {
    let Body::Manifest(rule) = &policy.rules[0].body else { panic!("another body") };
    rule
}

fn key_of(requirement: &Requirement) -> KeySource {
    let Authority::Key(source) = &requirement.attestors()[0].authority else { panic!("no key") };
    source.clone()
}

const ENTRY: &str = "spec.rules[0].verifyImages[0]";
const ATTESTOR: &str = "spec.rules[0].verifyImages[0].attestors[0].entries[0]";

#[test]
fn what_is_not_said_is_the_safer_choice() {
    let policy = compiled(&policy(&images(&entry(&keys()))));
    assert_eq!((policy.on_fault, policy.background, policy.admission), (OnFault::Refuse, true, true));
    assert_eq!(policy.id, PolicyId { kind: "ClusterTrustPolicy".into(), ..policy.id.clone() });
    let entry = image_entry(&policy);
    assert!(entry.mutate_digest && entry.verify_digest && entry.required);
    assert_eq!(entry.storage, SignatureStorage::Cosign, "wherever signatures are");
    // The rule, and those for controllers that follow from it.
    let names: Vec<_> = policy.rules.iter().map(|rule| rule.name.to_string()).collect();
    assert_eq!(names, ["r", "autogen-r", "autogen-cronjob-r"]);
    assert!(policy.rules.iter().all(|rule| rule.action.default == Action::Enforce));
    let manifest = compiled(&super::tests::policy(&manifests(&keys())));
    let rule = manifest_rule(&manifest);
    assert_eq!((rule.matching, &rule.allow_namespace), (Matching::Strict, &NamespaceAllowance::None));
    assert_eq!(manifest.rules[0].action.default, Action::Enforce);
}

#[test]
fn somebody_must_have_signed() {
    let nobody = json!({"imageReferences": ["*"]});
    refuses(&policy(&images(&nobody)), &format!("{ENTRY}.attestors"), Problem::NoAttestors);
    for list in ["attestors", "attestations"] {
        let path = format!("{ENTRY}.{list}");
        let mut empty = nobody.clone();
        empty[list] = json!([]);
        refuses(&policy(&images(&empty)), &path, Problem::NoAttestors);
        // Beside another list as well: somebody believed that it says something.
        let mut beside = entry(&keys());
        beside["attestations"] = json!([]);
        refuses(&policy(&images(&beside)), &format!("{ENTRY}.attestations"), Problem::NoAttestors);
    }
    let anybody =
        json!({"imageReferences": ["*"], "attestations": [{"type": "https://slsa.dev/provenance/v1"}]});
    let path = format!("{ENTRY}.attestations[0].attestors");
    refuses(&policy(&images(&anybody)), &path, Problem::NoAttestors);
    let mut rule = manifests(&keys());
    rule["validate"]["manifests"]["attestors"] = json!([]);
    refuses(&policy(&rule), "spec.rules[0].validate.manifests.attestors", Problem::NoAttestors);
}

#[test]
fn settings_are_fields() {
    let annotated = with(
        policy(&manifests(&keys())),
        "/metadata/annotations",
        json!({"kubectl-trust.io/match": "compat", "team.example/owner": "x"}),
    );
    let found = errors(&annotated);
    assert!(
        matches!(&found[..], [(path, Problem::NotInVersion { .. })] if path.contains("kubectl-trust.io/match")),
        "{found:?}"
    );
    let at = "/spec/rules/0/validate/manifests";
    let wide = with(policy(&manifests(&keys())), &format!("{at}/matching"), json!("Compat"));
    let wide = with(wide, &format!("{at}/allowNamespaces"), json!(["*"]));
    let wide = compiled(&with(wide, &format!("{at}/allowFinalizers"), json!(["acme.io/x"])));
    let rule = manifest_rule(&wide);
    assert!(matches!(rule.matching, Matching::Compat(_)));
    assert_eq!(
        (&rule.allow_namespace, &rule.allow_finalizers[..]),
        (&NamespaceAllowance::Any, &["acme.io/x".to_owned()][..])
    );
    let pattern = with(policy(&manifests(&keys())), &format!("{at}/allowNamespaces"), json!(["team-*"]));
    let found = errors(&pattern);
    assert!(matches!(&found[..], [(path, Problem::NotSupported(_))] if path.ends_with("allowNamespaces[0]")));
}

/// A rule that only records writes no digests, without being told.
#[test]
fn only_what_may_block_pins() {
    let audit = with(policy(&images(&entry(&keys()))), "/spec/failureAction", json!("Audit"));
    assert!(!image_entry(&compiled(&audit)).mutate_digest);
    let told = with(audit.clone(), "/spec/rules/0/verifyImages/0/mutateDigest", json!(true));
    assert_eq!(errors(&told)[0], (format!("{ENTRY}.mutateDigest"), Problem::MutateInAudit));
    let own = with(audit, "/spec/rules/0/failureAction", json!("Enforce"));
    assert!(image_entry(&compiled(&own)).mutate_digest);
}

#[test]
fn words_of_other_dialects_are_unknown() {
    for (attestor, path) in [
        (json!({"keys": {"publicKeys": KEY, "rekor": {"ignoreTlog": true}}}), "keys.rekor"),
        (json!({"keys": {"publicKeys": KEY, "signatureAlgorithm": "sha256"}}), "keys.signatureAlgorithm"),
        (json!({"keyless": {"subject": "a", "issuer": "b", "roots": "PEM"}}), "keyless.roots"),
    ] {
        let found = errors(&policy(&images(&entry(&attestor))));
        assert!(
            matches!(&found[..], [(at, Problem::UnknownField { .. })] if *at == format!("{ATTESTOR}.{path}")),
            "{found:?}"
        );
    }
    for (pointer, value) in [
        ("/spec/validationFailureAction", json!("Audit")),
        ("/spec/rules/0/verifyImages/0/required", json!(false)),
        ("/spec/rules/0/verifyImages/0/imageReferencse", json!([])),
        ("/spec/rules/0/mutate", json!({})),
    ] {
        let found = errors(&with(policy(&images(&entry(&keys()))), pointer, value));
        assert!(matches!(&found[..], [(_, Problem::UnknownField { .. })]), "{pointer}: {found:?}");
    }
    let elsewhere = json!([{"name": "c", "configMap": {"name": "a", "namespace": "b"}}]);
    let found = errors(&with(policy(&images(&entry(&keys()))), "/spec/rules/0/context", elsewhere));
    assert!(matches!(&found[..], [(_, Problem::NotSupported(_))]), "{found:?}");
}

#[test]
fn options_that_weaken_are_called_so_and_warned_about() {
    let attestor = json!({"keyless": {"subject": "a", "issuer": "b", "insecureIgnoreTlog": true}});
    let policy = compiled(&policy(&images(&entry(&attestor))));
    assert!(
        policy.warnings[0].message.starts_with("insecureIgnoreTlog: no log proof"),
        "{:?}",
        policy.warnings
    );
    let ignoring =
        with(super::tests::policy(&images(&entry(&keys()))), "/spec/failurePolicy", json!("Ignore"));
    assert!(compiled(&ignoring).warnings[0].message.starts_with("failurePolicy Ignore"));
}

/// Attack: whoever may write policies in his namespace has the Secrets of others read.
#[test]
fn a_policy_of_one_namespace_stays_in_it() {
    let own = |attestor: &Value| {
        let policy = document("TrustPolicy", &json!({"rules": [images(&entry(attestor))]}));
        with(policy, "/metadata/namespace", json!("team"))
    };
    let secret = |namespace: Option<&str>| json!({"keys": {"secret": {"name": "k", "namespace": namespace}}});
    let reference = KeyRef::Secret { namespace: "team".into(), name: "k".into() };
    for attestor in [secret(None), secret(Some("team")), json!({"keys": {"publicKeys": "k8s://team/k"}})] {
        let policy = compiled(&own(&attestor));
        assert_eq!(policy.id.to_string(), "team/p");
        let key = key_of(image_entry(&policy).requirement.as_ref().unwrap());
        assert_eq!(key, KeySource::Reference(reference.clone()));
    }
    for attestor in [secret(Some("other")), json!({"keys": {"publicKeys": "k8s://other/k"}})] {
        refuses(&own(&attestor), &format!("{ATTESTOR}.keys"), Problem::OtherNamespaces);
    }
    let variable = errors(&own(&json!({"keys": {"publicKeys": "{{ request.object.metadata.name }}"}})));
    assert!(matches!(&variable[..], [(_, Problem::NotSupported(_))]), "{variable:?}");
    let login = |name: &str| {
        let at = "/spec/rules/0/verifyImages/0/imageRegistryCredentials";
        with(own(&keys()), at, json!({"secrets": [name]}))
    };
    assert_eq!(image_entry(&compiled(&login("pull"))).credentials.secrets, ["team/pull"]);
    let path = format!("{ENTRY}.imageRegistryCredentials.secrets[0]");
    refuses(&login("other/pull"), &path, Problem::OtherNamespaces);
    let overrides = json!([{"action": "Audit", "namespaces": ["team"]}]);
    let overridden = with(own(&keys()), "/spec/failureActionOverrides", overrides);
    refuses(&overridden, "spec.failureActionOverrides", Problem::OtherNamespaces);
}

fn root(spec: &Value) -> Value {
    with(document("TrustRoot", spec), "/metadata/name", json!("private"))
}

#[test]
fn a_trust_root_is_whole_or_in_pieces() {
    let public: Value = serde_json::from_str(TrustRoot::public_good().unwrap().json()).unwrap();
    for spec in [json!({"trustedRoot": public}), json!({"pem": {"rekorKeys": KEY}})] {
        assert!(is_policy(&root(&spec)), "it is no resource that is judged");
        let Ok(Compiled::TrustRoot(NamedTrustRoot { name, .. })) = compile(&root(&spec)) else {
            panic!("{spec}")
        };
        assert_eq!(name, "private");
    }
    let both = json!({"trustedRoot": {}, "pem": {}});
    for (spec, path) in [
        (json!({}), "spec"),
        (both, "spec"),
        (json!({"pem": {}}), "spec.pem"),
        (json!({"pem": {"rekorKeys": "x"}}), "spec.pem.rekorKeys"),
        (json!({"pem": {"certificateAuthorities": KEY}}), "spec.pem.certificateAuthorities"),
        (json!({"pem": {"intermediates": KEY}}), "spec.pem.certificateAuthorities"),
        (json!({"pem": {"rekorKey": KEY}}), "spec.pem.rekorKey"),
        (json!({"trustedRoot": {"tlogs": 1}}), "spec.trustedRoot"),
    ] {
        let found = errors(&root(&spec));
        assert!(found.iter().any(|(at, _)| at == path), "{spec}: {found:?}");
    }
}

/// Attack: where a private root names no log, the public one's must not count.
#[test]
fn a_root_of_pieces_trusts_nobody_else() {
    let Ok(Compiled::TrustRoot(named)) = compile(&root(&json!({"pem": {"rekorKeys": KEY}}))) else {
        panic!()
    };
    assert_eq!(named.root.parts().len(), 1);
}

#[test]
fn policies_are_given_the_roots_that_they_name() {
    let attestor = json!({"keyless": {"subject": "a", "issuer": "b", "trustRoot": "private"}});
    let mut set = PolicySet::default();
    set.add_object("p", &policy(&images(&entry(&attestor)))).unwrap();
    set.name_roots();
    let named = |set: &PolicySet| {
        let requirement = image_entry(&set.policies[0]).requirement.clone().unwrap();
        let Authority::Keyless(keyless) = &requirement.attestors()[0].authority else {
            panic!("no identity")
        };
        keyless.log.trust_root.clone().unwrap()
    };
    assert!(named(&set).root.is_none());
    assert!(set.warnings.pop().unwrap().to_string().contains("there is no TrustRoot private"));
    set.add_object("r", &root(&json!({"pem": {"rekorKeys": KEY}}))).unwrap();
    set.name_roots();
    assert!(named(&set).root.is_some() && set.warnings.is_empty());
    let again = set.add_object("r", &root(&json!({"pem": {"rekorKeys": KEY}}))).unwrap_err();
    assert_eq!(again.to_string(), "r: there are two trust roots of the name private");
}
