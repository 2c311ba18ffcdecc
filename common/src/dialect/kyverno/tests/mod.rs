mod bodies;

use serde_json::{Value, json};

use crate::dialect::{CompileErrors, Compiled, Problem, compile, is_policy};
use crate::image::{ImageRef, PatternError};
use crate::key::KeyError;
use crate::policy::condition::ContextSource;
use crate::policy::expression::ExpressionError;
use crate::policy::identity::MatcherError;
use crate::policy::selector::{Combine, ReviewFacts};
use crate::policy::{
    Action, Authority, Body, DefaultFields, Exception, KeyRef, KeySource, ManifestRule, Matching,
    NamespaceAllowance, OnFault, Policy, Requirement,
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

fn manifests(body: &Value) -> Value {
    json!({
        "name": "r",
        "match": {"any": [{"resources": {"kinds": ["Deployment"]}}]},
        "validate": {"failureAction": "Enforce", "manifests": body}
    })
}

fn signed_by(entries: &Value) -> Value {
    manifests(&json!({"attestors": [{"entries": entries}]}))
}

fn images(entry: &Value) -> Value {
    json!({"name": "r", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]}, "verifyImages": [entry]})
}

fn image_entry() -> Value {
    json!({
        "failureAction": "Enforce", "imageReferences": ["ghcr.io/acme/*"],
        "attestors": [{"entries": [keys(KEY)]}]
    })
}

fn policy_of(rules: &Value) -> Value {
    json!({
        "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "p"},
        "spec": {"background": false, "rules": rules}
    })
}

fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[key] = value;
    document
}

fn errors(document: &Value) -> Vec<(String, Problem)> {
    let CompileErrors(errors) = compile(document).err().unwrap_or(CompileErrors(vec![]));
    errors.into_iter().map(|error| (error.path.to_string(), error.problem)).collect()
}

fn compiled(document: &Value) -> Policy {
    match compile(document).unwrap_or_else(|errors| panic!("{errors}")) {
        Compiled::Policy(policy) => policy,
        other @ (Compiled::Exception(_) | Compiled::TrustRoot(_)) => panic!("{other:?}"),
    }
}

fn manifest_rule(document: &Value) -> ManifestRule {
    let Body::Manifest(rule) = compiled(document).rules.remove(0).body else { panic!("another body") };
    *rule
}

fn valid() -> Value {
    policy_of(&json!([signed_by(&json!([keys(KEY)]))]))
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
fn rules_are_there_and_have_names_of_their_own() {
    refuses(&policy_of(&json!([])), "spec.rules", Problem::Empty("add a rule"));
    let rule = signed_by(&json!([keys(KEY)]));
    let twice = policy_of(&json!([rule, rule]));
    refuses(&twice, "spec.rules[1].name", Problem::Duplicate("r".into()));
    let long = with(valid(), "/spec/rules/0/name", json!("n".repeat(64)));
    refuses(&long, "spec.rules[0].name", Problem::TooLong { max: 63 });
    compiled(&with(valid(), "/spec/rules/0/name", json!("n".repeat(63))));
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
    let own = with(with(valid(), "/kind", json!("Policy")), "/spec/rules/0/match", namespaces);
    refuses(&own, "spec.rules[0].match.any[0].resources.namespaces", Problem::OtherNamespaces);
    let policy = compiled(&with(valid(), "/kind", json!("Policy")));
    assert_eq!((policy.id.to_string().as_str(), policy.warnings.len()), ("default/p", 1));
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
    let rule = |annotations: Value| manifest_rule(&annotated(annotations));
    let plain = rule(json!({"other.io/x": "y"}));
    assert_eq!((plain.matching, plain.allow_namespace), (Matching::Strict, NamespaceAllowance::None));
    assert_eq!(
        rule(json!({"kubectl-trust.io/match": "compat"})).matching,
        Matching::Compat(DefaultFields::Kyverno)
    );
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
        {"name": "b", "variable": {"value": "{{ random('x') }}"}},
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
        other @ (Compiled::Policy(_) | Compiled::TrustRoot(_)) => panic!("{other:?}"),
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
    let controls =
        json!({"match": matching, "exceptions": target, "podSecurity": [{"controlName": "Seccomp"}]});
    let of_controls = exception(&controls).unwrap();
    assert!(!of_controls.names(&policy("ns", "p"), "verify-x"), "a whole rule would be lifted");
    assert_eq!(of_controls.warnings[0].path.to_string(), "spec.podSecurity");
}
