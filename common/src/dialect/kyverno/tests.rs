use serde_json::{Value, json};

use crate::dialect::{CompileErrors, Compiled, Problem, compile, is_policy};
use crate::key::KeyError;
use crate::policy::condition::ContextSource;
use crate::policy::expression::ExpressionError;
use crate::policy::identity::MatcherError;
use crate::policy::selector::{Combine, ReviewFacts};
use crate::policy::{
    Action, Authority, Body, Exception, KeyRef, KeySource, Matching, NamespaceAllowance, OnFault, Policy,
    Requirement,
};

const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHRIF45w4yuBQU453/EiBVPJI/mWe
Yja8yfaj11YjJmhlQY65lKytVvz3ztkX6W0139IPMQWgEXuvS/BsIb+gcQ==
-----END PUBLIC KEY-----";
const OTHER_KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhlE050eoQ/yCK5zb3eNSVCDYPJiv
mh3WVYWHH9LCwhibEOjkrnwVOprdtmtEo7HwOm9eKgXscWmntJ/Hnt8+Ag==
-----END PUBLIC KEY-----";

fn keys(text: &str) -> Value {
    json!({"keys": {"publicKeys": text}})
}

fn manifests(body: Value) -> Value {
    json!({
        "name": "r",
        "match": {"any": [{"resources": {"kinds": ["Deployment"]}}]},
        "validate": {"failureAction": "Enforce", "manifests": body}
    })
}

fn signed_by(entries: &Value) -> Value {
    manifests(json!({"attestors": [{"entries": entries}]}))
}

fn images(entry: Value) -> Value {
    json!({"name": "r", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]}, "verifyImages": [entry]})
}

fn image_entry() -> Value {
    json!({
        "failureAction": "Enforce", "imageReferences": ["ghcr.io/acme/*"],
        "attestors": [{"entries": [keys(KEY)]}]
    })
}

fn policy_of(rules: Value) -> Value {
    json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "p"},
        "spec": {"background": false, "rules": rules}
    })
}

fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
    document
}

fn errors(document: &Value) -> Vec<(String, Problem)> {
    let CompileErrors(errors) = compile(document).err().unwrap_or(CompileErrors(vec![]));
    errors.into_iter().map(|error| (error.path.to_string(), error.problem)).collect()
}

fn compiled(document: &Value) -> Policy {
    match compile(document).unwrap_or_else(|errors| panic!("{errors}")) {
        Compiled::Policy(policy) => policy,
        Compiled::Exception(exception) => panic!("{}", exception.id),
    }
}

fn valid() -> Value {
    policy_of(json!([signed_by(&json!([keys(KEY)]))]))
}

/// A policy, its one problem, and where.
fn refuses(document: &Value, path: &str, problem: Problem) {
    assert_eq!(errors(document), [(path.to_owned(), problem)], "{document}");
}

const MANIFESTS: &str = "spec.rules[0].validate.manifests";
const ENTRY: &str = "spec.rules[0].validate.manifests.attestors[0].entries[0]";

#[test]
fn documents_are_known_by_group_and_kind() {
    assert!(is_policy(&valid()));
    let newer = with(valid(), "/apiVersion", json!("kyverno.io/v3"));
    assert!(is_policy(&newer), "must not be taken for a resource");
    assert!(matches!(&errors(&newer)[..], [(path, Problem::UnknownKind { .. })] if path == "apiVersion"));
    assert!(!is_policy(&json!({"apiVersion": "example.io/v1", "kind": "ClusterPolicy"})));
    assert!(!is_policy(&json!({"apiVersion": "v1", "kind": "Policy"})));
    for hostile in [json!(null), json!([]), json!({"kind": 5, "apiVersion": {}})] {
        assert!(!is_policy(&hostile));
        assert!(compile(&hostile).is_err());
    }
}

#[test]
fn a_rule_must_say_who_must_have_signed() {
    let attestors = format!("{MANIFESTS}.attestors");
    refuses(&policy_of(json!([manifests(json!({}))])), &attestors, Problem::NoAttestors);
    refuses(&policy_of(json!([manifests(json!({"attestors": []}))])), &attestors, Problem::NoAttestors);
    let set = format!("{MANIFESTS}.attestors[0]");
    refuses(&policy_of(json!([signed_by(&json!([]))])), &set, Problem::NoAttestors);
    refuses(&policy_of(json!([manifests(json!({"attestors": [{}]}))])), &set, Problem::NoAttestors);
}

#[test]
fn rules_are_there_and_have_names_of_their_own() {
    refuses(&policy_of(json!([])), "spec.rules", Problem::Empty("add a rule"));
    let rule = signed_by(&json!([keys(KEY)]));
    let twice = policy_of(json!([rule, rule]));
    refuses(&twice, "spec.rules[1].name", Problem::Duplicate("r".into()));
    let long = with(valid(), "/spec/rules/0/name", json!("n".repeat(64)));
    refuses(&long, "spec.rules[0].name", Problem::TooLong { max: 63 });
    compiled(&with(valid(), "/spec/rules/0/name", json!("n".repeat(63))));
}

#[test]
fn a_threshold_counts_keys_not_entries() {
    let rule = |count: i64, text: &str| {
        policy_of(json!([manifests(json!({"attestors": [{"count": count, "entries": [keys(text)]}]}))]))
    };
    let both = format!("{KEY}\n{OTHER_KEY}\n");
    let count = format!("{MANIFESTS}.attestors[0].count");
    refuses(&rule(2, KEY), &count, Problem::CountTooHigh { count: 2, entries: 1 });
    refuses(&rule(3, &both), &count, Problem::CountTooHigh { count: 3, entries: 2 });
    refuses(&rule(-1, KEY), &count, Problem::OutOfRange { found: "-1".into(), min: 0, max: 1_000 });
    let requirement = |document: &Value| match compiled(document).rules.remove(0).body {
        Body::Manifest(rule) => rule.requirement,
        other => panic!("{other:?}"),
    };
    assert!(
        matches!(requirement(&rule(2, &both)), Requirement::AtLeast { count: 2, of, .. } if of.len() == 2)
    );
    assert!(matches!(requirement(&rule(0, &both)), Requirement::All(of) if of.len() == 2));
    let twice = compiled(&rule(1, &format!("{KEY}\n{KEY}")));
    assert!(twice.warnings.iter().any(|warning| warning.message.contains("counts as one signer")));
}

#[test]
fn an_entry_says_one_thing() {
    let of = vec!["keys", "certificates", "keyless", "attestor"];
    let entry = |entry: Value| policy_of(json!([signed_by(&json!([entry]))]));
    refuses(&entry(json!({})), ENTRY, Problem::NotExactlyOne { of: of.clone(), found: vec![] });
    let both = json!({"keys": {"publicKeys": KEY}, "keyless": {"subject": "a", "issuer": "b"}});
    refuses(&entry(both), ENTRY, Problem::NotExactlyOne { of, found: vec!["keys", "keyless"] });
    let keys_path = format!("{ENTRY}.keys");
    let sources = vec!["publicKeys", "secret", "kms"];
    let none = Problem::NotExactlyOne { of: sources.clone(), found: vec![] };
    refuses(&entry(json!({"keys": {"signatureAlgorithm": "sha256"}})), &keys_path, none);
    let two = json!({"keys": {"publicKeys": KEY, "secret": {"name": "s"}}});
    refuses(
        &entry(two),
        &keys_path,
        Problem::NotExactlyOne { of: sources, found: vec!["publicKeys", "secret"] },
    );
    let beside = json!({"attestor": {"entries": [keys(KEY)]}, "annotations": {"a": "b"}});
    assert!(
        matches!(&errors(&entry(beside))[..], [(path, Problem::Conflict { with: "attestor", .. })] if path == ENTRY)
    );
}

#[test]
fn keyless_names_an_identity_and_an_issuer() {
    let entry = |keyless: Value| policy_of(json!([signed_by(&json!([{"keyless": keyless}]))]));
    let path = format!("{ENTRY}.keyless");
    refuses(&entry(json!({"issuer": "https://i"})), &path, Problem::NoIdentity);
    refuses(&entry(json!({"subject": "a@b"})), &path, Problem::NoIssuer);
    refuses(&entry(json!({"subject": "*", "issuerRegExp": ".*"})), &path, Problem::NoIdentity);
    let empty = Problem::Empty("write a text or remove the field");
    refuses(&entry(json!({"subject": "", "issuer": "i"})), &format!("{path}.subject"), empty);
    let broken = entry(json!({"subjectRegExp": "(", "issuer": "i"}));
    assert!(matches!(
        &errors(&broken)[..],
        [(at, Problem::Pattern(MatcherError::Syntax(_)))] if *at == format!("{path}.subjectRegExp")
    ));
    let variable = entry(json!({"subject": "{{ x }}", "issuer": "i"}));
    refuses(&variable, &format!("{path}.subject"), Problem::ExpressionNotAllowed);
    let open = compiled(&entry(json!({"subject": "*", "issuer": "https://i"})));
    assert_eq!(open.warnings[0].message, "every identity of the issuer is trusted");
    let rule =
        compiled(&entry(json!({"subjectRegExp": "a.*", "issuer": "i", "rekor": {"ignoreTlog": true}})));
    assert!(rule.warnings[0].message.starts_with("no log proof is demanded"));
    let Body::Manifest(rule) = &rule.rules[0].body else { panic!("{:?}", rule.rules) };
    let Authority::Keyless(keyless) = &rule.requirement.attestors()[0].authority else { panic!("{rule:?}") };
    assert!(keyless.accepts_subject("ab") && !keyless.accepts_subject("ba") && keyless.log.ignore_tlog);
}

#[test]
fn keys_are_pem_or_references() {
    let entry = |keys: Value| policy_of(json!([signed_by(&json!([{"keys": keys}]))]));
    let source = |keys: Value| match &compiled(&entry(keys)).rules[0].body {
        Body::Manifest(rule) => match &rule.requirement.attestors()[0].authority {
            Authority::Key(KeySource::Reference(reference)) => reference.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let secret = |namespace: &str| KeyRef::Secret { namespace: namespace.into(), name: "s".into() };
    assert_eq!(source(json!({"publicKeys": "k8s://ns/s"})), secret("ns"));
    assert_eq!(source(json!({"secret": {"name": "s"}})), secret(""));
    assert_eq!(source(json!({"kms": "awskms:///alias/k"})), KeyRef::Kms("awskms:///alias/k".into()));
    assert_eq!(source(json!({"publicKeys": "gcpkms://k"})), KeyRef::Kms("gcpkms://k".into()));
    assert_eq!(source(json!({"publicKeys": "{{ k }}"})), KeyRef::Variable("{{ k }}".into()));
    let path = format!("{ENTRY}.keys.publicKeys");
    for neither in ["k8s://ns", "k8s:///s", "k8s://ns/s/x", "cosign.pub", "env://KEY"] {
        refuses(&entry(json!({"publicKeys": neither})), &path, Problem::KeyReference);
    }
    let cut = KEY.replace("-----END PUBLIC KEY-----", "");
    refuses(&entry(json!({"publicKeys": cut})), &path, Problem::Key(KeyError::BrokenPem { index: 1 }));
    let leading = entry(json!({"publicKeys": format!("\n  {KEY}\n\n{OTHER_KEY}")}));
    let Body::Manifest(rule) = &compiled(&leading).rules[0].body else { panic!("no manifests") };
    assert_eq!(rule.requirement.attestors().len(), 2, "no key is dropped");
    let sha224 = entry(json!({"publicKeys": KEY, "signatureAlgorithm": "sha224"}));
    assert!(matches!(&errors(&sha224)[..], [(_, Problem::NotSupported(_))]));
}

#[test]
fn certificates_are_whole() {
    let entry = |value: Value| policy_of(json!([signed_by(&json!([{"certificates": value}]))]));
    let path = format!("{ENTRY}.certificates");
    refuses(&entry(json!({})), &path, Problem::Missing("write cert, certChain or both"));
    let cert = format!("{path}.cert");
    let cases = [
        ("not base64!", "neither PEM nor base64 of PEM"),
        (KEY, "a block of another kind"),
        ("-----BEGIN CERTIFICATE-----\nMIIB", "no whole PEM block"),
    ];
    for (text, why) in cases {
        refuses(&entry(json!({"cert": text})), &cert, Problem::Certificate(why));
    }
}

#[test]
fn nesting_is_bounded() {
    let mut set = json!({"entries": [keys(KEY)]});
    for _ in 0..7 {
        set = json!({"entries": [{"attestor": set}]});
    }
    compiled(&policy_of(json!([manifests(json!({"attestors": [set.clone()]}))])));
    let deep = json!({"entries": [{"attestor": set}]});
    let found = errors(&policy_of(json!([manifests(json!({"attestors": [deep]}))])));
    assert!(matches!(&found[..], [(_, Problem::TooDeep { max: 8 })]), "{found:?}");
}

#[test]
fn match_says_something_in_one_way() {
    let rule = |clause: Value| with(valid(), "/spec/rules/0/match", clause);
    let filter = json!({"resources": {"kinds": ["Pod"]}});
    let path = "spec.rules[0].match";
    let empty = || Problem::Empty("say which objects the rule is about");
    refuses(&rule(json!({})), path, empty());
    refuses(&rule(json!({"any": []})), path, empty());
    let found = errors(&rule(json!({"any": [{}]})));
    assert_eq!(found[0], (format!("{path}.any[0]"), Problem::Empty("name at least kinds")));
    let both = errors(&rule(json!({"any": [filter], "all": [filter]})));
    assert!(matches!(&both[..], [(at, Problem::Conflict { with: "any and all", .. })] if at == path));
    let mixed = errors(&rule(json!({"any": [filter], "resources": {"kinds": ["Pod"]}})));
    assert!(matches!(&mixed[..], [(at, Problem::Conflict { with: "any or all", .. })] if at == path));
    let wrong = rule(json!({"any": [{"resources": {"kinds": ["a/b/c/d/e"]}}]}));
    assert_eq!(
        errors(&wrong)[0],
        (format!("{path}.any[0].resources.kinds[0]"), Problem::Kind("a/b/c/d/e".into()))
    );
    let legacy = compiled(&rule(json!({"resources": {"kinds": ["Pod"]}})));
    assert_eq!(legacy.rules[0].selector.matching.combine, Combine::Any);
}

#[test]
fn users_are_for_admission_and_namespaces_for_cluster_policies() {
    let users = json!({"any": [{"resources": {"kinds": ["Pod"]}, "clusterRoles": ["admin"]}]});
    let background = with(with(valid(), "/spec/rules/0/exclude", users), "/spec/background", json!(true));
    refuses(&background, "spec.rules[0].exclude.any[0]", Problem::UsersInBackground);
    let namespaces = json!({"any": [{"resources": {"kinds": ["Pod"], "namespaces": ["a"]}}]});
    let namespaced = with(with(valid(), "/kind", json!("Policy")), "/spec/rules/0/match", namespaces);
    refuses(&namespaced, "spec.rules[0].match.any[0].resources.namespaces", Problem::OtherNamespaces);
    let policy = compiled(&with(valid(), "/kind", json!("Policy")));
    assert_eq!((policy.id.to_string().as_str(), policy.warnings.len()), ("default/p", 1));
}

#[test]
fn version_two_beta_has_no_legacy_fields() {
    let newer = |document: Value| with(document, "/apiVersion", json!("kyverno.io/v2beta1"));
    let old = with(newer(valid()), "/spec/rules/0/match", json!({"resources": {"kinds": ["Pod"]}}));
    assert!(
        matches!(&errors(&old)[..], [(path, Problem::NotInVersion { .. })] if path == "spec.rules[0].match")
    );
    let image =
        |field: &str, value: Value| newer(policy_of(json!([images(with(image_entry(), field, value))])));
    for (field, value) in [("/image", json!("a/*")), ("/key", json!(KEY)), ("/cosignOCI11", json!(true))] {
        let found = errors(&image(field, value));
        assert!(
            matches!(&found[..], [(path, Problem::NotInVersion { .. })] if path.ends_with(&field[1..])),
            "{found:?}"
        );
    }
}

#[test]
fn failure_policy_and_timeouts_stand_in_one_place() {
    assert_eq!(compiled(&valid()).on_fault, OnFault::Refuse);
    assert_eq!(compiled(&with(valid(), "/spec/failurePolicy", json!("Ignore"))).on_fault, OnFault::Allow);
    let new = json!({"failurePolicy": "Ignore", "timeoutSeconds": 5});
    let policy = compiled(&with(valid(), "/spec/webhookConfiguration", new.clone()));
    assert_eq!((policy.on_fault, policy.timeout_seconds), (OnFault::Allow, Some(5)));
    for (field, value) in [("/spec/failurePolicy", json!("Fail")), ("/spec/webhookTimeoutSeconds", json!(5))]
    {
        let both = with(with(valid(), "/spec/webhookConfiguration", new.clone()), field, value);
        assert!(matches!(&errors(&both)[..], [(path, Problem::Conflict { .. })] if path == "spec"));
    }
    let late = with(valid(), "/spec/webhookTimeoutSeconds", json!(31));
    let range = Problem::OutOfRange { found: "31".into(), min: 1, max: 30 };
    refuses(&late, "spec.webhookTimeoutSeconds", range);
    let neither = with(valid(), "/spec/admission", json!(false));
    assert!(
        matches!(&errors(&neither)[..], [(path, Problem::Conflict { with: "admission: false", .. })] if path == "spec")
    );
}

#[test]
fn the_action_comes_from_the_nearest_place() {
    let object = json!({"kind": "Deployment", "metadata": {"namespace": "prod"}});
    let action = |document: &Value| {
        let policy = compiled(document);
        policy.rules[0].action.resolve(&ReviewFacts::of(&object)).unwrap()
    };
    let quiet = with(valid(), "/spec/rules/0/validate/failureAction", Value::Null);
    assert_eq!(action(&quiet), Action::Audit, "Kyverno's default");
    assert!(compiled(&quiet).warnings[0].message.starts_with("no failureAction"));
    let spec = with(quiet.clone(), "/spec/validationFailureAction", json!("enforce"));
    assert_eq!(action(&spec), Action::Enforce);
    let audit_prod = json!([{"action": "Audit", "namespaces": ["pr*"]}]);
    let overridden = with(spec.clone(), "/spec/validationFailureActionOverrides", audit_prod.clone());
    assert_eq!(action(&overridden), Action::Audit);
    let rule = with(overridden.clone(), "/spec/rules/0/validate/failureAction", json!("Enforce"));
    assert_eq!(action(&rule), Action::Enforce, "the rule's action hides the policy's overrides");
    let rule = with(rule, "/spec/rules/0/validate/failureActionOverrides", audit_prod);
    assert_eq!(action(&rule), Action::Audit);
    let nowhere = with(spec, "/spec/validationFailureActionOverrides", json!([{"action": "Audit"}]));
    assert!(matches!(&errors(&nowhere)[..], [(_, Problem::Empty(_))]));
}

#[test]
fn our_annotations_choose_how_manifests_match() {
    let annotated = |annotations: Value| with(valid(), "/metadata/annotations", annotations);
    let rule = |annotations: Value| match compiled(&annotated(annotations)).rules.remove(0).body {
        Body::Manifest(rule) => *rule,
        other => panic!("{other:?}"),
    };
    let plain = rule(json!({"other.io/x": "y"}));
    assert_eq!((plain.matching, plain.allow_namespace), (Matching::Strict, NamespaceAllowance::None));
    assert_eq!(rule(json!({"kubectl-trust.io/match": "compat"})).matching, Matching::Compat);
    assert_eq!(
        rule(json!({"kubectl-trust.io/allow-namespace": "*"})).allow_namespace,
        NamespaceAllowance::Any
    );
    let named = NamespaceAllowance::Named(vec!["a".into(), "b".into()]);
    assert_eq!(rule(json!({"kubectl-trust.io/allow-namespace": "a, b"})).allow_namespace, named);
    let at = |name: &str| format!("metadata.annotations.\"kubectl-trust.io/{name}\"");
    let wrong = errors(&annotated(json!({"kubectl-trust.io/match": "lax"})));
    assert!(
        matches!(&wrong[..], [(path, Problem::UnknownValue { .. })] if *path == at("match")),
        "{wrong:?}"
    );
    let unknown = errors(&annotated(json!({"kubectl-trust.io/allow-finalizer": "a"})));
    let suggestion = Some("kubectl-trust.io/allow-finalizers".to_owned());
    assert_eq!(unknown, [(at("allow-finalizer"), Problem::UnknownField { suggestion })]);
    let pattern = errors(&annotated(json!({"kubectl-trust.io/allow-namespace": "team-*"})));
    assert!(matches!(&pattern[..], [(_, Problem::NotSupported(_))]), "{pattern:?}");
    let empty = errors(&annotated(json!({"kubectl-trust.io/allow-finalizers": ""})));
    assert!(matches!(&empty[..], [(_, Problem::Empty(_))]), "{empty:?}");
}

#[test]
fn ignored_fields_are_named() {
    let rule = |ignore: Value| {
        policy_of(json!([manifests(
            json!({"attestors": [{"entries": [keys(KEY)]}], "ignoreFields": [ignore]})
        )]))
    };
    let path = format!("{MANIFESTS}.ignoreFields[0].fields");
    let hint = "list the fields that may differ";
    refuses(&rule(json!({"objects": []})), &path, Problem::Missing(hint));
    refuses(&rule(json!({"fields": []})), &path, Problem::Empty(hint));
    let blank = Problem::Empty("write a text or remove the entry");
    refuses(&rule(json!({"fields": [""]})), &format!("{path}[0]"), blank);
    let open = compiled(&rule(json!({"fields": ["*"]})));
    assert!(open.warnings[0].message.starts_with("every field may differ"));
}

#[test]
fn image_rules_are_checked() {
    let rule = |entry: Value| policy_of(json!([images(entry)]));
    let entry = "spec.rules[0].verifyImages[0]";
    let references = format!("{entry}.imageReferences");
    let missing = with(image_entry(), "/imageReferences", Value::Null);
    refuses(&rule(missing), &references, Problem::Missing("an image reference is required"));
    let variable = with(image_entry(), "/imageReferences", json!(["{{ x }}", "a"]));
    refuses(&rule(variable), &format!("{references}[0]"), Problem::ExpressionNotAllowed);
    let audit = with(image_entry(), "/failureAction", Value::Null);
    refuses(&rule(audit.clone()), &format!("{entry}.mutateDigest"), Problem::MutateInAudit);
    compiled(&rule(with(audit, "/mutateDigest", json!(false))));
    let notary = errors(&rule(with(image_entry(), "/type", json!("Notary"))));
    assert!(matches!(&notary[..], [(_, Problem::NotSupported(_))]), "{notary:?}");
    let attestation = errors(&rule(with(image_entry(), "/attestations", json!([{"name": "a"}]))));
    assert_eq!(
        attestation,
        [(format!("{entry}.attestations[0].type"), Problem::Missing("write the predicate type"))]
    );
    let any = with(rule(image_entry()), "/spec/rules/0/match/any/0/resources/kinds", json!(["*"]));
    refuses(&any, "spec.rules[0].match.any[0]", Problem::AnyKind);
    let rewriting = json!({"Pod": [{"path": "/spec/x", "jmesPath": "a"}]});
    let rewriting = with(rule(image_entry()), "/spec/rules/0/imageExtractors", rewriting);
    assert!(errors(&rewriting).iter().all(|(path, problem)| {
        *path == format!("{entry}.mutateDigest") && matches!(problem, Problem::Conflict { .. })
    }));
    let unsigned = compiled(&rule(with(image_entry(), "/attestors", Value::Null)));
    assert!(unsigned.warnings[0].message.starts_with("no attestors and no attestations"));
}

#[test]
fn the_example_of_the_documentation_reads_like_this() {
    let mut entry = image_entry();
    entry["attestor"] = entry["attestors"].take();
    let found = compile(&policy_of(json!([images(entry)]))).unwrap_err().to_string();
    assert_eq!(found, "spec.rules[0].verifyImages[0].attestor: unknown field, did you mean `attestors`?");
}

#[test]
fn rules_are_generated_only_where_kyverno_generates_them() {
    let names = |document: &Value| -> Vec<String> {
        compiled(document).rules.into_iter().map(|rule| rule.name).collect()
    };
    let rule = |filter: Value| {
        let mut rule = images(image_entry());
        rule["match"] = json!({"any": [filter]});
        policy_of(json!([rule]))
    };
    let pods = rule(json!({"resources": {"kinds": ["Pod"], "namespaces": ["a"]}}));
    let all = ["r", "autogen-r", "autogen-cronjob-r"];
    assert_eq!(names(&pods), all);
    assert_eq!(names(&rule(json!({"resources": {"kinds": ["v1/Pod"]}}))), all);
    for narrow in [
        json!({"resources": {"kinds": ["Pod"], "names": ["a"]}}),
        json!({"resources": {"kinds": ["Pod"], "selector": {"matchLabels": {"a": "b"}}}}),
        json!({"resources": {"kinds": ["Pod", "Deployment"]}}),
        json!({"resources": {"kinds": ["Deployment"]}}),
    ] {
        assert_eq!(names(&rule(narrow.clone())), ["r"], "{narrow}");
    }
    let annotated = |value: &str| {
        with(
            pods.clone(),
            "/metadata/annotations",
            json!({"pod-policies.kyverno.io/autogen-controllers": value}),
        )
    };
    assert_eq!(names(&annotated("none")), ["r"]);
    assert_eq!(names(&annotated("Job, CronJob")), all);
    assert_eq!(names(&annotated("DaemonSet")), ["r", "autogen-r"]);
    let wrong = errors(&annotated("Deployments"));
    assert!(
        matches!(&wrong[..], [(_, Problem::UnknownValue { suggestion: Some(name), .. })] if name == "Deployment")
    );
    let on_pods = with(valid(), "/spec/rules/0/match/any/0/resources/kinds", json!(["Pod"]));
    assert_eq!(names(&on_pods), ["r"], "manifest rules never");
    let long = with(pods.clone(), "/spec/rules/0/name", json!("n".repeat(63)));
    assert!(compiled(&long).rules.iter().all(|rule| rule.name.len() <= 63));
}

#[test]
fn conditions_are_read_with_their_paths() {
    let rule = |conditions: Value| with(valid(), "/spec/rules/0/preconditions", conditions);
    let path = "spec.rules[0].preconditions";
    let condition = json!({"key": "a", "operator": "Equals", "value": "b"});
    let flat = compiled(&rule(json!([condition])));
    assert_eq!(flat.rules[0].preconditions.as_ref().unwrap().all.len(), 1);
    let operator = errors(&rule(json!({"all": [{"key": "a", "operator": "Equls", "value": 1}]})));
    assert!(matches!(
        &operator[..],
        [(at, Problem::UnknownValue { suggestion: Some(name), .. })] if *at == format!("{path}.all[0].operator") && name == "Equals"
    ));
    let expression = rule(json!({"any": [{"key": "{{ a", "operator": "Equals"}]}));
    refuses(&expression, &format!("{path}.any[0].key"), Problem::Expression(ExpressionError::Unclosed));
}

#[test]
fn context_is_kept_with_what_it_would_need() {
    let rule = |context: Value| with(valid(), "/spec/rules/0/context", context);
    let policy = compiled(&rule(json!([
        {"name": "a", "apiCall": {"urlPath": "/api", "jmesPath": "x"}},
        {"name": "b", "variable": {"value": "{{ to_upper('x') }}"}},
    ])));
    let [api, unreadable] = &policy.rules[0].context[..] else { panic!("{policy:?}") };
    assert_eq!(api.source, ContextSource::External { what: "apiCall".into() });
    assert!(matches!(unreadable.source, ContextSource::Unreadable(ExpressionError::Function(_))));
    assert_eq!(policy.warnings.len(), 1);
    let path = "spec.rules[0].context[0]";
    let none = errors(&rule(json!([{"name": "a"}])));
    assert!(matches!(&none[..], [(at, Problem::NotExactlyOne { .. })] if at == path));
    let twice = errors(&rule(json!([{"name": "a", "configMap": {}}, {"name": "a", "configMap": {}}])));
    assert_eq!(twice, [("spec.rules[0].context[1]".to_owned(), Problem::Duplicate("a".into()))]);
}

#[test]
fn a_rule_has_one_body() {
    let both = with(valid(), "/spec/rules/0/mutate", json!({}));
    assert!(
        matches!(&errors(&both)[..], [(_, Problem::NotExactlyOne { found, .. })] if *found == ["validate", "mutate"])
    );
    let none = with(valid(), "/spec/rules/0/validate", Value::Null);
    assert!(matches!(&errors(&none)[..], [(_, Problem::NotExactlyOne { found, .. })] if found.is_empty()));
    let two = with(valid(), "/spec/rules/0/validate/pattern", json!({}));
    assert!(
        matches!(&errors(&two)[..], [(at, Problem::NotExactlyOne { .. })] if at == "spec.rules[0].validate")
    );
    let bare = with(valid(), "/spec/rules/0/validate", json!({"message": "m"}));
    assert!(
        matches!(&errors(&bare)[..], [(at, Problem::NotExactlyOne { .. })] if at == "spec.rules[0].validate")
    );
}

fn exception(spec: &Value) -> Result<Exception, CompileErrors> {
    let document = json!({
        "apiVersion": "kyverno.io/v2beta1", "kind": "PolicyException",
        "metadata": {"name": "e", "namespace": "n"}, "spec": spec
    });
    compile(&document).map(|compiled| match compiled {
        Compiled::Exception(exception) => exception,
        Compiled::Policy(policy) => panic!("{}", policy.id),
    })
}

#[test]
fn exceptions_name_policies_exactly_and_rules_by_pattern() {
    let matching = json!({"any": [{"resources": {"kinds": ["Pod"]}}]});
    let target = json!([{"policyName": "ns/p", "ruleNames": ["verify-*"]}]);
    let valid = exception(&json!({"match": matching, "exceptions": target})).unwrap();
    let policy = |namespace: &str, name: &str| crate::policy::PolicyId {
        kind: "Policy".into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    assert_eq!((valid.id.to_string().as_str(), valid.background), ("n/e", true));
    assert!(valid.names(&policy("ns", "p"), "verify-x"));
    assert!(!valid.names(&policy("", "p"), "verify-x"));
    assert!(!valid.names(&policy("ns", "p"), "other"));
    let problem = |spec: Value| exception(&spec).unwrap_err().0.remove(0).problem;
    assert_eq!(problem(json!({"match": matching, "exceptions": []})), Problem::Empty("name the rules"));
    let everything = problem(json!({"match": {}, "exceptions": target}));
    assert_eq!(everything, Problem::Empty("say which objects are excepted"));
    let pod_security = problem(json!({"match": matching, "exceptions": target, "podSecurity": [{}]}));
    assert!(matches!(pod_security, Problem::NotSupported(_)));
}
