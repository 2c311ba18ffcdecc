use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Objects of every kind with a Pod of this specification, and where it is.
fn workloads(spec: &Value) -> Vec<(Value, &'static str)> {
    let template = json!({"spec": spec});
    let of =
        |version: &str, kind: &str, body: Value| json!({"apiVersion": version, "kind": kind, "spec": body});
    let mut all = vec![
        (of("v1", "Pod", spec.clone()), "spec"),
        (json!({"apiVersion": "v1", "kind": "PodTemplate", "template": template}), "template.spec"),
        (
            of("batch/v1", "CronJob", json!({"jobTemplate": {"spec": {"template": template}}})),
            "spec.jobTemplate.spec.template.spec",
        ),
    ];
    for (version, kind) in [
        ("v1", "ReplicationController"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "Deployment"),
        ("apps/v1beta1", "StatefulSet"),
        ("apps/v1", "ReplicaSet"),
        ("extensions/v1beta1", "Deployment"),
        ("batch/v1", "Job"),
    ] {
        all.push((of(version, kind, json!({"template": template})), "spec.template.spec"));
    }
    all
}

fn pod(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "spec": spec})
}

fn texts(object: &Value) -> Vec<String> {
    images(object).unwrap().into_iter().map(|found| found.text).collect()
}

/// Attack A8: whatever brings an image counts, in every kind that holds a Pod.
#[test]
fn a8_every_list_of_every_workload_is_read() {
    let spec = json!({
        "initContainers": [{"name": "init", "image": "i"}, {"name": "sidecar", "image": "s", "restartPolicy": "Always"}],
        "containers": [{"name": "web", "image": "c:1"}],
        "ephemeralContainers": [{"name": "debug", "image": "e", "targetContainerName": "web"}],
        "volumes": [
            {"name": "other", "emptyDir": {}},
            {"name": "model", "image": {"reference": "v", "pullPolicy": "Always"}},
        ],
    });
    for (object, root) in workloads(&spec) {
        let found = images(&object).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|image| {
                (image.path.to_string(), image.list.as_str(), image.name.as_str(), image.text.as_str())
            })
            .collect();
        let at = |path: &str| format!("{root}.{path}");
        let expected = [
            (at("initContainers[0].image"), "initContainers", "init", "i"),
            (at("initContainers[1].image"), "initContainers", "sidecar", "s"),
            (at("containers[0].image"), "containers", "web", "c:1"),
            (at("ephemeralContainers[0].image"), "ephemeralContainers", "debug", "e"),
            (at("volumes[1].image.reference"), "volumes", "model", "v"),
        ];
        assert_eq!(shown, expected, "{object}");
        assert!(found.iter().all(|image| image.path.find(&object) == Some(&json!(image.text))));
    }
}

/// Only the group tells whose kind it is.
#[test]
fn kinds_of_others_have_no_images() {
    for (version, kind) in [
        ("example.io/v1", "Pod"),
        ("batch/v1", "Deployment"),
        ("apps/v1", "Pod"),
        ("apps/v1", "CronJob"),
        ("v1", "ConfigMap"),
        ("v1", "pod"),
        ("", ""),
    ] {
        let object = json!({"apiVersion": version, "kind": kind, "spec": {"containers": [{"name": "a", "image": "x"}]}});
        assert_eq!(texts(&object), [""; 0], "{version} {kind}");
    }
    let without_version = json!({"kind": "Pod", "spec": {"containers": [{"name": "a", "image": "x"}]}});
    assert_eq!(texts(&without_version), ["x"], "the core group is the one without a name");
}

#[test]
fn what_is_absent_has_no_images() {
    for spec in [
        json!(null),
        json!({}),
        json!({"containers": null, "volumes": null}),
        json!({"containers": [{"name": "a"}], "volumes": [{"name": "v", "image": null}]}),
        json!({"containers": [{"name": "a", "image": null}], "volumes": [{"name": "v", "image": {}}]}),
        json!({"containers": [{"name": "a", "image": ""}, {"name": "b", "image": " \t"}]}),
    ] {
        for (object, _) in workloads(&spec) {
            assert_eq!(texts(&object), [""; 0], "{object}");
        }
    }
    let null = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": null}});
    assert_eq!(texts(&null), [""; 0]);
}

/// Attack A7: what cannot be read is there, and says why.
#[test]
fn a7_an_image_that_cannot_be_read_is_not_left_out() {
    for text in ["auto:", "GHCR.io/Acme/app", " nginx", "nginx@sha256:12", "http://x/y", "\u{0}", "a b"] {
        let found = images(&pod(&json!({"containers": [{"name": "a", "image": text}]}))).unwrap();
        assert_eq!(found.len(), 1, "{text:?}");
        assert!(found[0].image.is_err() && found[0].text == text, "{text:?}");
        let refused = variables(&found).unwrap_err();
        assert!(refused.to_string().starts_with("spec.containers[0].image: "), "{refused}");
    }
    // Istio writes it where its webhook fills in the proxy's image; until then it is an image of that name.
    let auto = images(&pod(&json!({"containers": [{"name": "a", "image": "auto"}]}))).unwrap();
    assert_eq!(auto[0].image.as_ref().unwrap().to_string(), "docker.io/library/auto:latest");
}

/// An object of another shape is never one without images.
#[test]
fn values_of_other_types_are_errors() {
    let image = |value: Value| json!({"containers": [{"name": "a", "image": value}]});
    for (spec, expected) in [
        (json!("x"), "spec must be a map, found a text"),
        (json!([]), "spec must be a map, found a list"),
        (json!({"containers": "x"}), "spec.containers must be a list, found a text"),
        (json!({"containers": {"a": 1}}), "spec.containers.a must be a map, found a number"),
        (json!({"containers": [null]}), "spec.containers[0] must be a map, found nothing"),
        (json!({"containers": ["nginx"]}), "spec.containers[0] must be a map, found a text"),
        (image(json!(1)), "spec.containers[0].image must be a text, found a number"),
        (image(json!(["nginx"])), "spec.containers[0].image must be a text, found a list"),
        (image(json!({"reference": "x"})), "spec.containers[0].image must be a text, found a map"),
        (json!({"containers": [{"image": "x"}]}), "spec.containers[0].name must be a text, found nothing"),
        (
            json!({"volumes": [{"name": "v", "image": "x"}]}),
            "spec.volumes[0].image must be a map, found a text",
        ),
        (
            json!({"volumes": [{"name": "v", "image": {"reference": false}}]}),
            "spec.volumes[0].image.reference must be a text, found a boolean",
        ),
    ] {
        let error = images(&pod(&spec)).unwrap_err().to_string();
        assert_eq!(error, format!("{expected}; correct the object"));
    }
    for hostile in
        [json!(null), json!([]), json!("x"), json!({"kind": ["Pod"]}), json!({"kind": "Pod", "spec": 1})]
    {
        drop(images(&hostile));
    }
}

/// Attack A12: one bad image among good ones, and more than anybody can verify.
#[test]
fn a12_every_image_counts_and_too_many_are_refused() {
    let containers = |count: usize| -> Vec<Value> {
        (0..count).map(|at| json!({"name": format!("c{at}"), "image": "ghcr.io/acme/app:1"})).collect()
    };
    let mut mixed = containers(3);
    mixed[1]["image"] = json!("evil");
    assert_eq!(texts(&pod(&json!({"containers": mixed})))[1], "evil");
    let full = pod(&json!({"containers": containers(limits::IMAGES)}));
    assert_eq!(images(&full).unwrap().len(), limits::IMAGES);
    let over = pod(&json!({"containers": containers(limits::IMAGES + 1)}));
    assert_eq!(images(&over), Err(ExtractError::TooMany));
    let spread = json!({"initContainers": containers(1), "containers": containers(limits::IMAGES)});
    assert_eq!(images(&pod(&spread)), Err(ExtractError::TooMany));
}

/// Attack A5 as expressions see it: one registry, one name.
#[test]
fn a5_variables_have_the_normal_form() {
    let hex = "a".repeat(64);
    let pinned = format!("GHCR.io:443/acme/sub/app:1@sha256:{hex}");
    let object = pod(&json!({
        "initContainers": [{"name": "nginx", "image": "index.docker.io/nginx"}],
        "containers": [{"name": "app", "image": pinned}],
    }));
    let found = variables(&images(&object).unwrap()).unwrap();
    assert_eq!(
        found,
        json!({
            "initContainers": {"nginx": {
                "registry": "docker.io", "name": "nginx", "path": "nginx", "tag": "latest", "digest": "",
                "reference": "docker.io/nginx:latest", "referenceWithTag": "docker.io/nginx:latest",
            }},
            "containers": {"app": {
                "registry": "ghcr.io", "name": "app", "path": "acme/sub/app", "tag": "1",
                "digest": format!("sha256:{hex}"),
                "reference": format!("ghcr.io/acme/sub/app@sha256:{hex}"),
                "referenceWithTag": "ghcr.io/acme/sub/app:1",
            }},
        })
    );
}

/// Attack: the second image of a name would hide the first from a precondition.
#[test]
fn two_images_of_one_name_have_no_variables() {
    let same = json!([{"name": "a", "image": "x"}, {"name": "a", "image": "y"}]);
    let found = images(&pod(&json!({"containers": same}))).unwrap();
    assert_eq!(found.len(), 2);
    let duplicate = VariablesError::Duplicate { list: "containers".to_owned(), name: "a".to_owned() };
    assert_eq!(variables(&found), Err(duplicate));
    let apart =
        json!({"initContainers": [{"name": "a", "image": "x"}], "containers": [{"name": "a", "image": "y"}]});
    assert!(variables(&images(&pod(&apart)).unwrap()).is_ok());
}

/// An element of a list, with an image or without.
fn element(list: &'static str) -> impl Strategy<Value = (Value, Option<String>)> {
    let image = proptest::option::of("[ -~é]{0,12}");
    ("[a-z]{1,3}", image, any::<bool>()).prop_map(move |(name, image, more)| {
        let mut element = json!({"name": name});
        if more {
            element["env"] = json!([{"name": "image", "value": "nginx"}]);
        }
        if let Some(image) = &image {
            let value = json!(image);
            element["image"] = if list == "volumes" { json!({"reference": value}) } else { value };
        }
        (element, image.filter(|image| !image.trim().is_empty()))
    })
}

fn list(name: &'static str) -> impl Strategy<Value = (&'static str, Vec<(Value, Option<String>)>)> {
    proptest::collection::vec(element(name), 0..4).prop_map(move |list| (name, list))
}

proptest! {
    /// Every text that names an image is found, in whatever list and workload it stands.
    #[test]
    fn every_image_is_found(
        lists in (list("initContainers"), list("containers"), list("ephemeralContainers"), list("volumes")),
    ) {
        let (mut spec, mut expected) = (json!({"hostNetwork": true}), Vec::new());
        for (name, elements) in [lists.0, lists.1, lists.2, lists.3] {
            spec[name] = elements.iter().map(|(element, _)| element.clone()).collect();
            expected.extend(elements.into_iter().filter_map(|(_, image)| image));
        }
        for (object, _) in workloads(&spec) {
            prop_assert_eq!(&texts(&object), &expected);
        }
    }
}
