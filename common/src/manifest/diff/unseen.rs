//! Changes that a rule of another place would hide: empty values of foreign types, annotations that look
//! like those of a signature.

use serde_json::{Value, json};

use super::attacks::{object, refused};
use super::tests::live;

/// A List is of the core group, and what is in it may be anything: `denied: []` of a custom resource must
/// not go unseen because a built-in kind could lose it.
#[test]
fn empty_values_inside_a_list_are_seen() {
    let inside = |api_version: &str, kind: &str, spec: Value| {
        json!({"apiVersion": api_version, "kind": kind,
            "items": [object("security.example.com/v1", "Firewall", &json!({"spec": spec}))]})
    };
    for (api_version, kind) in [("v1", "List"), ("v1", "PodList"), ("apps/v1", "DeploymentList")] {
        let signed = inside(api_version, kind, json!({"denied": [], "labels": {}}));
        refused(
            &signed,
            &inside(api_version, kind, json!({})),
            &["items[0].spec.denied", "items[0].spec.labels"],
        );
        let filled = inside(api_version, kind, json!({"denied": ["x"], "labels": {}}));
        refused(&signed, &filled, &["items[0].spec.denied[0]"]);
    }
}

/// The parameters of a device driver are its own: the server keeps `denied: []` in them.
#[test]
fn empty_values_in_device_parameters_are_seen() {
    type Spec = fn(Value) -> Value;
    let config = |parameters: Value| json!([{"opaque": {"driver": "d", "parameters": parameters}}]);
    let kinds: [(&str, &str, Spec); 3] = [
        ("ResourceClaim", "spec.devices", |config| json!({"devices": {"config": config}})),
        (
            "ResourceClaimTemplate",
            "spec.spec.devices",
            |config| json!({"spec": {"devices": {"config": config}}}),
        ),
        ("DeviceClass", "spec", |config| json!({"config": config})),
    ];
    for (kind, path, spec) in kinds {
        let claim = |parameters: Value| {
            object("resource.k8s.io/v1", kind, &json!({"spec": spec(config(parameters))}))
        };
        let below = format!("{path}.config[0].opaque.parameters");
        refused(
            &claim(json!({"denied": [], "limits": {"labels": {}}})),
            &claim(json!({"limits": {}})),
            &[&format!("{below}.denied"), &format!("{below}.limits.labels")],
        );
    }
}

/// What the readers of signatures take for content is compared as content.
#[test]
fn annotations_like_those_of_a_signature_are_seen() {
    let annotated = |key: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "annotations": {format!("cosign.sigstore.dev/{key}"): "x"}}})
    };
    let signed = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    for key in ["message", "signature_12", "bundle_1"] {
        assert!(live(&signed, &annotated(key)).is_match(), "{key}");
    }
    let content = [
        "signature_007",
        "message_0",
        "message_",
        "message_x",
        "message_1_2",
        "messages",
        "signature-1",
        "signature_99999999999999999999999",
    ];
    for key in content {
        let path = format!(r#"metadata.annotations."cosign.sigstore.dev/{key}""#);
        refused(&signed, &annotated(key), &[&path]);
    }
}
