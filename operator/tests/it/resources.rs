//! Our own kinds: the files that are deployed follow from the types, and the compiler knows what the types know.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::dialect::{Compiled, Problem, compile};
use common::manifest::DEFAULT_DOMAIN;
use common::manifest::diff::{Expectations, compare};
use common::manifest::ignore::IgnoreRules;
use common::object::Origin;
use common::policy::NamespaceAllowance;
use operator::resources::{
    Action, ActionOverride, Attestation, AttestorEntry, AttestorSet, Certificates, Clause, Condition,
    ContextEntry, Controller, Credentials, Deny, FailurePolicy, Filter, IgnoreField, ImageDeny, ImageEntry,
    ImageExtractor, JudgeUpdates, Keyless, Keys, LabelExpression, LabelOperator, LabelSelector, ManifestRule,
    Matching, ObjectSelector, Operation, Pem, PolicySpec, Resources, Rule, SecretName, Severity,
    SignatureFormat, SignedReference, TrustRootSpec, User, UserKind, Validate, Variable, definitions,
};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/crd")
}

/// `UPDATE=1` writes them anew.
#[test]
fn the_files_that_are_deployed_follow_from_the_types() {
    for (name, definition) in definitions() {
        let path = folder().join(&name);
        let text = format!(
            "# Generated from operator/src/resources: UPDATE=1 cargo test -p operator --test it resources\n{}",
            common::yaml::to_yaml(&definition)
        );
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "{name} is old; run with UPDATE=1");
    }
}

const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHRIF45w4yuBQU453/EiBVPJI/mWe
Yja8yfaj11YjJmhlQY65lKytVvz3ztkX6W0139IPMQWgEXuvS/BsIb+gcQ==
-----END PUBLIC KEY-----
";

fn secret() -> SecretName {
    SecretName { name: "key".into(), namespace: Some("team".into()) }
}

fn attestors(certificate: &str) -> Vec<AttestorSet> {
    let keys = |keys| AttestorEntry { keys: Some(keys), ..AttestorEntry::default() };
    let logged = Keys {
        public_keys: Some(KEY.into()),
        trust_root: Some("private".into()),
        insecure_ignore_tlog: Some(true),
        ..Keys::default()
    };
    let identity = Keyless {
        subject: Some("*@acme.io".into()),
        subject_reg_exp: Some(".+@acme[.]io".into()),
        issuer: Some("https://accounts.example.com".into()),
        issuer_reg_exp: Some("https://accounts[.]example[.]com".into()),
        additional_extensions: [("1.3.6.1.4.1.57264.1.20".to_owned(), "push".to_owned())].into(),
        trust_root: Some("private".into()),
        insecure_ignore_tlog: Some(false),
        insecure_ignore_sct: Some(true),
    };
    let certificates = Certificates {
        cert: Some(certificate.into()),
        cert_chain: Some(certificate.into()),
        trust_root: Some("private".into()),
        insecure_ignore_tlog: Some(true),
        insecure_ignore_sct: Some(true),
    };
    let entries = vec![
        AttestorEntry {
            annotations: [("team".to_owned(), "shop".to_owned())].into(),
            repository: Some("registry.example.com/signatures".into()),
            ..keys(logged)
        },
        keys(Keys { secret: Some(secret()), ..Keys::default() }),
        keys(Keys { kms: Some("awskms:///alias/k".into()), ..Keys::default() }),
        AttestorEntry { certificates: Some(certificates), ..AttestorEntry::default() },
        AttestorEntry { keyless: Some(identity), ..AttestorEntry::default() },
        AttestorEntry {
            attestor: Some(json!({"entries": [{"keys": {"publicKeys": KEY}}]})),
            ..AttestorEntry::default()
        },
    ];
    vec![AttestorSet { count: Some(2), entries }]
}

fn labels() -> LabelSelector {
    let one = LabelExpression { key: "env".into(), operator: LabelOperator::In, values: vec!["prod".into()] };
    LabelSelector {
        match_labels: [("team".to_owned(), "shop".to_owned())].into(),
        match_expressions: vec![one],
    }
}

fn filter() -> Filter {
    let resources = Resources {
        kinds: vec!["Pod".into()],
        names: vec!["web-*".into()],
        namespaces: vec!["prod".into()],
        annotations: [("a".to_owned(), "b".to_owned())].into(),
        selector: Some(labels()),
        namespace_selector: Some(labels()),
        operations: vec![Operation::Create, Operation::Update],
    };
    let user = User { kind: UserKind::ServiceAccount, name: "ci".into(), namespace: Some("build".into()) };
    Filter {
        resources: Some(resources),
        roles: vec!["prod:dev".into()],
        cluster_roles: vec!["admin".into()],
        subjects: vec![user],
    }
}

fn entry(certificate: &str) -> ImageEntry {
    let attestation = Attestation {
        name: Some("built".into()),
        predicate_type: "https://slsa.dev/provenance/v1".into(),
        attestors: attestors(certificate),
        conditions: vec![json!({"all": [{"key": "{{ builder.id }}", "operator": "Equals", "value": "x"}]})],
    };
    let deny = Deny { conditions: json!({"any": [{"key": "a", "operator": "Equals", "value": "b"}]}) };
    ImageEntry {
        image_references: vec!["ghcr.io/acme/*".into()],
        skip_image_references: vec!["ghcr.io/acme/test-*".into()],
        attestors: Some(attestors(certificate)),
        attestations: Some(vec![attestation]),
        signature_format: Some(SignatureFormat::Any),
        repository: Some("registry.example.com/signatures".into()),
        mutate_digest: Some(true),
        verify_digest: Some(true),
        validate: Some(ImageDeny { message: Some("no".into()), deny }),
        signed_reference: Some(SignedReference::Repository),
        platform: Some("linux/amd64".into()),
        newest_by: Some("predicate.time".into()),
        image_registry_credentials: Some(Credentials { secrets: vec!["login".into()] }),
    }
}

fn over() -> Vec<ActionOverride> {
    let namespaces = vec!["test-*".to_owned()];
    vec![ActionOverride { action: Action::Audit, namespaces, namespace_selector: Some(labels()) }]
}

/// Every field of every type, each set.
fn full(certificate: &str) -> PolicySpec {
    let clause = || Clause { any: Some(vec![filter()]), all: None };
    let variable = Variable { value: json!({"a": 1}), jmes_path: Some("a".into()), default: json!("none") };
    let images = Rule {
        name: "images".into(),
        matching: clause(),
        exclude: Some(Clause { any: None, all: Some(vec![filter()]) }),
        failure_action: Some(Action::Enforce),
        failure_action_overrides: over(),
        context: vec![ContextEntry { name: "found".into(), variable }],
        preconditions: json!({"all": [{"key": "a", "operator": "Equals", "value": "a"}]}),
        image_extractors: [(
            "Task".to_owned(),
            vec![ImageExtractor {
                path: "/spec/steps/*".into(),
                value: Some("image".into()),
                name: Some("steps".into()),
                key: Some("name".into()),
                jmes_path: None,
            }],
        )]
        .into(),
        verify_images: Some(vec![entry(certificate)]),
        validate: None,
        report_properties: [("a".to_owned(), "b".to_owned())].into(),
    };
    let selector = ObjectSelector {
        group: Some("apps".into()),
        version: Some("v1".into()),
        kind: Some("Deployment".into()),
        name: Some("web".into()),
        namespace: Some("prod".into()),
    };
    let manifests = ManifestRule {
        attestors: attestors(certificate),
        annotation_domain: Some("cosign.sigstore.dev".into()),
        ignore_fields: vec![IgnoreField { objects: vec![selector], fields: vec!["spec.replicas".into()] }],
        matching: Some(Matching::Strict),
        allow_namespaces: vec!["prod".into()],
        allow_finalizers: vec!["acme.io/x".into()],
    };
    let manifests = Rule {
        name: "manifests".into(),
        matching: clause(),
        validate: Some(Validate { manifests }),
        ..Rule::default()
    };
    PolicySpec {
        failure_action: Some(Action::Enforce),
        failure_action_overrides: over(),
        failure_policy: Some(FailurePolicy::Fail),
        judge_updates: Some(JudgeUpdates::All),
        timeout_seconds: Some(10),
        match_conditions: vec![Condition { name: "a".into(), expression: "true".into() }],
        background: Some(false),
        autogen_controllers: Some(vec![Controller::Deployment]),
        severity: Some(Severity::High),
        category: Some("signatures".into()),
        rules: vec![images, manifests],
    }
}

fn certificate() -> String {
    rcgen::generate_simple_self_signed(["acme.io".to_owned()]).unwrap().cert.pem()
}

fn document(kind: &str, spec: &Value) -> Value {
    let api_version = "kubectl-trust.io/v1alpha1";
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "full"}, "spec": spec})
}

/// What is said in one place and read in another drifts apart unless somebody looks.
#[test]
fn the_compiler_knows_every_field_of_the_types() {
    let spec = serde_json::to_value(full(&certificate())).unwrap();
    match compile(&document("ClusterTrustPolicy", &spec)) {
        Ok(Compiled::Policy(policy)) => assert_eq!(policy.rules.len(), 2),
        other => panic!("{other:?}"),
    }
    let (_, definition) = definitions().remove(0);
    let missing = unused(spec_of(&definition), &[&spec]);
    // One of `any` and `all`; and an image that is rewritten has no place for its digest, so the example, which pins,
    // rewrites none.
    let excluded = ["rules.exclude.any", "rules.imageExtractors.jmesPath", "rules.match.all"];
    assert_eq!(missing, excluded, "the example is not full");
    let unknown = |name: &str| {
        let mut spec = spec.clone();
        spec["rules"][0]["verifyImages"][0][name] = json!(1);
        compile(&document("ClusterTrustPolicy", &spec)).unwrap_err().0.remove(0).problem
    };
    assert!(
        matches!(unknown("atestors"), Problem::UnknownField { suggestion: Some(name) } if name == "attestors")
    );
}

#[test]
fn the_compiler_knows_every_field_of_trust_roots() {
    let pem = Pem {
        certificate_authorities: Some(certificate()),
        intermediates: Some(certificate()),
        rekor_keys: Some(KEY.into()),
        ct_log_keys: Some(KEY.into()),
        timestamp_authority: Some(certificate()),
    };
    let root = common::trust::TrustRoot::public_good().unwrap();
    let whole = TrustRootSpec { trusted_root: serde_json::from_str(root.json()).unwrap(), pem: None };
    let pieces = TrustRootSpec { trusted_root: None, pem: Some(pem) };
    let specs = [whole, pieces].map(|spec| serde_json::to_value(spec).unwrap());
    for spec in &specs {
        match compile(&document("TrustRoot", spec)) {
            Ok(Compiled::TrustRoot(named)) => assert_eq!(named.name, "full"),
            other => panic!("{other:?}"),
        }
    }
    let (_, definition) = definitions().remove(2);
    assert!(unused(spec_of(&definition), &specs.each_ref()).is_empty());
}

fn spec_of(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
}

/// Properties of a schema that none of the values has, by their path.
fn unused(schema: &Value, values: &[&Value]) -> Vec<String> {
    if let Some(inner) = schema.get("items").or_else(|| schema.get("additionalProperties")) {
        let all: Vec<_> = values.iter().flat_map(|value| children(value)).collect();
        return unused(inner, &all);
    }
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let of = |(name, schema): (&String, &Value)| {
        let found: Vec<_> = values.iter().filter_map(|value| value.get(name)).collect();
        if found.is_empty() {
            return vec![name.clone()];
        }
        unused(schema, &found).into_iter().map(|path| format!("{name}.{path}")).collect()
    };
    properties.flat_map(of).collect()
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) => map.values().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    }
}

/// Every default of a schema: the keys on the way (lists are entered), and the value.
fn defaults(schema: &Value, at: &[String]) -> Vec<(Vec<String>, Value)> {
    let mut found: Vec<_> =
        schema.get("default").map(|value| (at.to_vec(), value.clone())).into_iter().collect();
    if let Some(items) = schema.get("items") {
        found.extend(defaults(items, &[at, &["0".to_owned()]].concat()));
    }
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    found.extend(
        properties.flat_map(|(name, schema)| defaults(schema, &[at, std::slice::from_ref(name)].concat())),
    );
    found
}

/// What the API server fills in is no difference from what was signed; anything else there is one. And filled in or not,
/// a policy means the same.
#[test]
fn a_signed_policy_may_gain_its_defaults() {
    let (_, definition) = definitions().remove(0);
    let defaults = defaults(spec_of(&definition), &["spec".to_owned()]);
    assert!(defaults.len() >= 8, "{defaults:?}");
    let spec = serde_json::to_value(full(&certificate())).unwrap();
    let whole = document("ClusterTrustPolicy", &spec);
    for (path, value) in defaults {
        let pointer = path.iter().fold(String::new(), |pointer, step| pointer + "/" + step);
        let pointer =
            if pointer.contains("/validate/") { pointer.replace("rules/0", "rules/1") } else { pointer };
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let with = |value: Option<&Value>| {
            let mut document = whole.clone();
            let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            match value {
                Some(value) => parent.insert(key.to_owned(), value.clone()),
                None => parent.remove(key),
            };
            document
        };
        let (signed, found) = (with(None), with(Some(&value)));
        assert!(matches(&signed, &found), "{pointer} may be filled in with {value}");
        let other = if value.is_boolean() { json!(false) } else { json!(7) };
        assert!(!matches(&signed, &with(Some(&other))), "{pointer} may be anything");
        // Rules about users, of which the example has some, have to say that they are not for the background.
        if key != "background" {
            assert!(meaning(&signed) == meaning(&found), "{pointer} means something else when it is absent");
        }
    }
}

/// All that a policy compiles to, but for the time that is the API server's own anyway.
fn meaning(document: &Value) -> String {
    let compiled = compile(document).unwrap_or_else(|errors| panic!("{errors}"));
    format!("{compiled:?}").replace("timeout_seconds: Some(10)", "timeout_seconds: None")
}

fn matches(signed: &Value, found: &Value) -> bool {
    let how = Expectations {
        origin: Origin::Review,
        stored: None,
        pinned: &[],
        domain: DEFAULT_DOMAIN,
        ignore: &IgnoreRules::none(),
        allow_namespace: &NamespaceAllowance::None,
        allow_finalizers: &[],
    };
    compare(signed, found, &how).is_match()
}

/// A kind that is read and not watched, or that we may not watch, would be one whose policies nobody enforces.
#[test]
fn every_kind_of_policies_may_be_watched_and_told_its_state() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rbac/cluster_role.yaml");
    let role = common::yaml::read(&fs::read(file).unwrap()).unwrap().remove(0).value;
    let may = |group: &str, resource: &str, verb: &str| {
        let holds = |list: &Value, text: &str| list.as_array().unwrap().iter().any(|one| one == text);
        role["rules"].as_array().unwrap().iter().any(|rule| {
            holds(&rule["apiGroups"], group)
                && holds(&rule["resources"], resource)
                && holds(&rule["verbs"], verb)
                && rule["resourceNames"].is_null()
        })
    };
    for kind in &common::dialect::KINDS {
        for verb in ["list", "watch"] {
            assert!(may(kind.group, kind.plural, verb), "{verb} {}", kind.plural);
        }
        let status = format!("{}/status", kind.plural);
        assert_eq!(may(kind.group, &status, "patch"), kind.has_status, "{status}");
    }
    let groups: BTreeSet<_> = common::dialect::KINDS.iter().map(|kind| kind.group).collect();
    for rule in role["rules"].as_array().unwrap() {
        let group = rule["apiGroups"][0].as_str().unwrap();
        for resource in rule["resources"].as_array().unwrap().iter().filter(|_| groups.contains(group)) {
            let plural = resource.as_str().unwrap().split('/').next().unwrap();
            let known =
                common::dialect::KINDS.iter().any(|kind| kind.group == group && kind.plural == plural);
            assert!(known, "a right for {resource}, which nobody watches");
        }
    }
}

/// Our own definitions are those of the kinds that are read.
#[test]
fn the_definitions_are_those_of_the_kinds_that_are_read() {
    let defined: BTreeSet<_> = definitions()
        .iter()
        .map(|(_, definition)| {
            let spec = &definition["spec"];
            (
                spec["names"]["kind"].as_str().unwrap().to_owned(),
                spec["names"]["plural"].as_str().unwrap().to_owned(),
                spec["scope"] == "Namespaced",
            )
        })
        .collect();
    let read = common::dialect::KINDS.iter().filter(|kind| kind.is_ours());
    let read: BTreeSet<_> =
        read.map(|kind| (kind.kind.to_owned(), kind.plural.to_owned(), kind.namespaced)).collect();
    assert_eq!(defined, read);
}
