//! Attacks: changes that an attacker would like to have ignored, and what advice says of them.

use serde_json::{Value, json};

use super::*;

fn object(api_version: &str, kind: &str) -> ObjectRef {
    let (namespace, name) = ("prod".to_owned(), "web".to_owned());
    ObjectRef { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace, name }
}

fn deployment() -> ObjectRef {
    object("apps/v1", "Deployment")
}

fn path(text: &str) -> FieldPath {
    text.split('|').fold(FieldPath::root(), |path, step| match step.parse() {
        Ok(index) => path.index(index),
        Err(_) => path.key(step),
    })
}

fn change(at: &str, signed: &Value, found: &Value) -> FieldChange {
    let present = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
    FieldChange { path: path(at), signed: present(signed), found: present(found) }
}

fn offered(object: &ObjectRef, changes: &[FieldChange]) -> Vec<String> {
    ignorable(object, changes).unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn what_decides_nothing_is_offered_by_its_one_key() {
    let web = deployment();
    for (at, signed, found, path) in [
        ("spec|replicas", json!(2), json!(5), "spec.replicas"),
        ("spec|replicas", json!(null), json!(5), "spec.replicas"),
        ("metadata|labels|team", json!("a"), json!("b"), "metadata.labels.team"),
        ("metadata|annotations", json!(null), json!({"note": "b"}), "metadata.annotations.note"),
        ("metadata|labels", json!({"team": "b"}), json!(null), "metadata.labels.team"),
        (
            "spec|template|metadata|annotations",
            json!(null),
            json!({"kubectl.kubernetes.io/restartedAt": "2026-11-01T00:00:00Z"}),
            r#"spec.template.metadata.annotations."kubectl.kubernetes.io/restartedAt""#,
        ),
    ] {
        assert_eq!(offered(&web, &[change(at, &signed, &found)]), [path], "{at}");
    }
    let books = change(
        "metadata|annotations",
        &json!(null),
        &json!({"helm.sh/chart": "a", "meta.helm.sh/release-name": "b"}),
    );
    assert_eq!(offered(&object("v1", "Secret"), &[books]).len(), 2);
}

/// Of a Deployment: where, what was signed and what was found. Below `pod`, in the Pod template.
const OF_DEPLOYMENTS: [(&str, &str, &str); 30] = [
    ("pod|containers|1", "null", r#"{"name": "sidecar", "image": "evil"}"#),
    ("pod|containers|0|image", r#""a:1""#, r#""evil:1""#),
    ("pod|containers|0|securityContext|privileged", "null", "true"),
    ("pod|containers|0|securityContext", "null", r#"{"privileged": true}"#),
    ("pod|containers|0|env", "null", r#"[{"name": "LD_PRELOAD", "value": "/x.so"}]"#),
    ("pod|containers|0|env|0|value", r#""a""#, r#""/x.so""#),
    ("pod|containers|0|command", "null", r#"["sh"]"#),
    ("pod|volumes|0|hostPath|path", r#""/data""#, r#""/""#),
    ("pod|hostNetwork", "null", "true"),
    ("pod|serviceAccountName", r#""web""#, r#""admin""#),
    ("pod", "{}", "null"),
    (
        "template|annotations",
        "null",
        r#"{"kubectl.kubernetes.io/restartedAt": "x", "vault.hashicorp.com/agent-inject": "true"}"#,
    ),
    ("template|annotations|sidecar.istio.io/inject", "null", r#""true""#),
    ("template|annotations|container.apparmor.security.beta.kubernetes.io/web", r#""a""#, r#""unconfined""#),
    ("template|annotations|note", "null", r#""x""#),
    ("template|labels|team", "null", r#""x""#),
    ("template", "null", r#"{"annotations": {"a": "b"}}"#),
    ("metadata|annotations|keel.sh/policy", "null", r#""force""#),
    ("metadata|annotations|kubectl-trust.io/allow-namespace", "null", r#""*""#),
    ("metadata|annotations|a: b", "null", r#""x""#),
    ("metadata|annotations|team", "null", r#"{"a": "b"}"#),
    ("metadata|annotations", "null", "{}"),
    ("metadata|name", r#""web""#, r#""api""#),
    ("metadata|finalizers|0", "null", r#""evil.io/x""#),
    ("metadata|ownerReferences", "null", r#"[{"kind": "Deployment"}]"#),
    ("spec|replicas", "2", r#"{"a": 1}"#),
    ("spec|replicas", "2", "-1"),
    ("spec|replicas", "2", "2.5"),
    ("spec|paused", "true", "null"),
    ("spec|selector|matchLabels|app", r#""a""#, r#""b""#),
];

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const NETWORK: &str = "networking.k8s.io/v1";
const WEBHOOKS: &str = "admissionregistration.k8s.io/v1";

/// Of other kinds: there, nothing is known to decide nothing.
const OF_OTHERS: [(&str, &str, &str); 26] = [
    ("batch/v1", "CronJob", "spec|suspend"),
    ("batch/v1", "Job", "template|annotations|kubectl.kubernetes.io/restartedAt"),
    ("v1", "Namespace", "metadata|labels|pod-security.kubernetes.io/enforce"),
    ("v1", "Namespace", "metadata|labels|istio-injection"),
    ("v1", "Namespace", "metadata|labels|app.kubernetes.io/name"),
    ("v1", "Pod", "metadata|labels|app"),
    ("v1", "Pod", "metadata|annotations|note"),
    ("v1", "ServiceAccount", "metadata|annotations|eks.amazonaws.com/role-arn"),
    (NETWORK, "Ingress", "metadata|annotations|nginx.ingress.kubernetes.io/configuration-snippet"),
    (RBAC, "ClusterRole", "metadata|labels|rbac.authorization.k8s.io/aggregate-to-admin"),
    ("v1", "ConfigMap", "metadata|labels|grafana_dashboard"),
    ("example.com/v1", "Widget", "metadata|labels|team"),
    (RBAC, "ClusterRole", "rules|0|verbs|1"),
    (RBAC, "Role", "rules"),
    (RBAC, "RoleBinding", "subjects|0|name"),
    (NETWORK, "NetworkPolicy", "spec|ingress|0"),
    (NETWORK, "NetworkPolicy", "spec|egress"),
    ("v1", "ConfigMap", "data|a"),
    ("v1", "ConfigMap", "binaryData|a"),
    ("v1", "Secret", "data|a"),
    ("v1", "Secret", "stringData|a"),
    (WEBHOOKS, "ValidatingWebhookConfiguration", "webhooks|0|failurePolicy"),
    (WEBHOOKS, "MutatingWebhookConfiguration", "webhooks|0|clientConfig|url"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "spec|versions|0|schema|openAPIV3Schema"),
    ("v1", "Pod", "spec|containers|0|image"),
    ("v1", "Service", "spec|externalIPs"),
];

fn never_offered(object: &ObjectRef, at: &str, signed: &Value, found: &Value) {
    let at = match at.split_once('|').unwrap_or((at, "")) {
        ("pod", rest) => format!("spec|template|spec|{rest}"),
        ("template", rest) => format!("spec|template|metadata|{rest}"),
        _ => at.to_owned(),
    };
    let attack = change(at.trim_end_matches('|'), signed, found);
    assert_eq!(offered(object, std::slice::from_ref(&attack)), [""; 0], "{object} {at}");
    // Nor beside something harmless: half a rule does not make the object pass.
    let harmless = change("spec|replicas", &json!(2), &json!(5));
    assert_eq!(offered(object, &[harmless, attack]), [""; 0], "{object} {at}");
}

/// Every one of these would let something else run, or let it do more.
#[test]
fn what_decides_what_runs_is_never_offered() {
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for (at, signed, found) in OF_DEPLOYMENTS {
        never_offered(&deployment(), at, &value(signed), &value(found));
    }
    for (version, kind, at) in OF_OTHERS {
        never_offered(&object(version, kind), at, &json!("a"), &json!("b"));
        never_offered(&object(version, kind), at, &json!(null), &json!("b"));
    }
    for version in ["example.com/v1", "apps/v1beta1/x"] {
        never_offered(&object(version, "Widget"), "spec|replicas", &json!(1), &json!(2));
    }
    never_offered(&object("example.com/v1", "Deployment"), "spec|replicas", &json!(1), &json!(2));
}

/// A rule for a name with a wildcard would be one for other objects.
#[test]
fn a_name_that_means_others_gets_no_rule() {
    let replicas = [change("spec|replicas", &json!(2), &json!(5))];
    for name in ["*", "w?b", "a,b", "web, api", "-\n"] {
        let named = ObjectRef { name: name.to_owned(), ..deployment() };
        assert_eq!(ignorable(&named, &replicas), None, "{name}");
    }
    let many: Vec<_> =
        (0..9).map(|at| change(&format!("metadata|labels|k{at}"), &json!("a"), &json!("b"))).collect();
    assert_eq!(ignorable(&deployment(), &many[..8]).map(|paths| paths.len()), Some(8));
    assert_eq!(ignorable(&deployment(), &many), None);
    assert_eq!(ignorable(&deployment(), &[]), None);
}
