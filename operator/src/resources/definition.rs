//! From types to `CustomResourceDefinition`s.

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::{GROUP, PolicySpec, TrustRootSpec, VERSION};

/// What a kind is called, and where it lives.
struct Definition {
    kind: &'static str,
    plural: &'static str,
    short: &'static str,
    scope: &'static str,
    description: &'static str,
    columns: Value,
    spec: Value,
}

/// The definitions of all our kinds, each with the name of its file.
#[must_use]
pub fn definitions() -> Vec<(String, Value)> {
    let policy = |kind, plural, short, scope, description| Definition {
        kind,
        plural,
        short,
        scope,
        description,
        columns: columns(&[
            ("ACTION", "string", ".spec.failureAction"),
            ("FAILURE POLICY", "string", ".spec.failurePolicy"),
        ]),
        spec: schema::<PolicySpec>(),
    };
    let kinds = [
        policy(
            "ClusterTrustPolicy",
            "clustertrustpolicies",
            "ctp",
            "Cluster",
            "What may enter the cluster: rules about signatures of images and manifests.",
        ),
        policy(
            "TrustPolicy",
            "trustpolicies",
            "tp",
            "Namespaced",
            "What may enter this namespace: rules about signatures of images and manifests.",
        ),
        Definition {
            kind: "TrustRoot",
            plural: "trustroots",
            short: "tr",
            scope: "Cluster",
            description: "Whom policies that name this root trust to vouch for identities and to keep logs.",
            columns: columns(&[]),
            spec: schema::<TrustRootSpec>(),
        },
    ];
    kinds.into_iter().map(|kind| (format!("{}.yaml", kind.plural), kind.to_value())).collect()
}

impl Definition {
    fn to_value(&self) -> Value {
        let kind = self.kind;
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{}.{GROUP}", self.plural)},
            "spec": {
                "group": GROUP,
                "scope": self.scope,
                "names": {
                    "kind": kind, "listKind": format!("{kind}List"), "plural": self.plural,
                    "singular": kind.to_lowercase(), "shortNames": [self.short], "categories": ["trust"],
                },
                "versions": [{
                    "name": VERSION, "served": true, "storage": true,
                    "additionalPrinterColumns": self.columns,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {
                        "type": "object",
                        "description": self.description,
                        "required": ["spec"],
                        "properties": {"spec": self.spec, "status": status()},
                    }},
                }],
            },
        })
    }
}

/// The columns that `kubectl get` shows: whether it is ready, what is particular to the kind, its age, and at the end
/// what it says of itself, which may be long.
fn columns(more: &[(&str, &str, &str)]) -> Value {
    let column = |name: &str, kind: &str, path: &str| json!({"name": name, "type": kind, "jsonPath": path});
    let ready = |field| format!(r#".status.conditions[?(@.type == "Ready")].{field}"#);
    let mut columns: Vec<_> = more.iter().map(|(name, kind, path)| column(name, kind, path)).collect();
    columns.push(column("READY", "string", &ready("status")));
    columns.push(column("AGE", "date", ".metadata.creationTimestamp"));
    columns.push(column("MESSAGE", "string", &ready("message")));
    columns.into()
}

/// What an object says of itself (`metav1.Condition`).
fn status() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "properties": {
            "ready": {"type": "boolean"},
            "conditions": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": {
                    "type": "object",
                    "required": ["type", "status"],
                    "properties": {
                        "type": text, "reason": text, "message": text,
                        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                        "observedGeneration": {"type": "integer", "format": "int64"},
                        "lastTransitionTime": {"type": "string", "format": "date-time"},
                    },
                },
            },
        },
    })
}

/// The schema of a type as the API server takes it (a structural schema).
fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let generator = settings.with_transform(structural).into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

/// What schemars writes in a way that the API server does not take.
fn structural(schema: &mut Schema) {
    transform_subschemas(&mut structural, schema);
    let Some(map) = schema.as_object_mut() else { return };
    // A field that may be left out is not one that may be null: the API server drops nulls before it fills in defaults.
    if let Some(Value::Array(any)) = map.get("anyOf")
        && let Some(Value::Object(real)) = any.iter().find(|one| one.get("type").is_some()).cloned()
    {
        map.remove("anyOf");
        for (key, value) in real {
            map.entry(key).or_insert(value);
        }
    }
    // An enumeration whose words have docs of their own.
    if let Some(Value::Array(words)) = map.remove("oneOf") {
        let words: Vec<_> = words.iter().flat_map(words_of).collect();
        map.insert("type".to_owned(), "string".into());
        map.insert("enum".to_owned(), words.into());
    }
    // Where a comment in the source has its line ends means nothing.
    if let Some(Value::String(text)) = map.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    for unwanted in ["title", "nullable", "format"] {
        map.remove(unwanted);
    }
    if map.get("type").is_some_and(|kind| kind == "object") && !map.contains_key("additionalProperties") {
        map.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
    }
}

fn words_of(schema: &Value) -> Vec<Value> {
    match (schema.get("const"), schema.get("enum").and_then(Value::as_array)) {
        (Some(word), _) => vec![word.clone()],
        (None, Some(words)) => words.clone(),
        (None, None) => vec![],
    }
}
