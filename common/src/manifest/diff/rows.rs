//! Rows of the table for which no pair of a real server is at hand: each is accepted as the table says,
//! and refused as soon as one of the values it adds is another.

use serde_json::{Value, json};

use super::tests::{expectations, live, paths};
use super::*;

fn object(kind: &str, rest: &Value) -> Value {
    let (api_version, kind) = kind.rsplit_once('/').unwrap();
    let mut object =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "uid": "u-1"}});
    for (key, value) in rest.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

pub(super) fn of(kind: &str, spec: &Value) -> Value {
    object(kind, &json!({"spec": spec}))
}

fn leaves(value: &Value, pointer: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(key, value)| {
                leaves(value, &format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), out);
            });
        }
        Value::Array(list) if !list.is_empty() => {
            list.iter().enumerate().for_each(|(at, value)| leaves(value, &format!("{pointer}/{at}"), out));
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => out.push(pointer.to_owned()),
    }
}

/// The pair matches, and no longer when any leaf of it is another value. Free leaves are named.
#[track_caller]
fn gains(signed: &Value, found: &Value, free: &[&str]) {
    let comparison = live(signed, found);
    assert_eq!(paths(&comparison), [""; 0], "{signed} {found}");
    let mut all = Vec::new();
    leaves(found, "", &mut all);
    for pointer in all.iter().filter(|pointer| pointer.as_str() != "/metadata/uid") {
        let mut other = found.clone();
        let leaf = other.pointer_mut(pointer).unwrap();
        let wrong = match &*leaf {
            Value::Number(number) => json!(number.as_i64().unwrap() + 1),
            Value::Bool(flag) => json!(!*flag),
            Value::String(text) => json!(format!("{text}!")),
            Value::Null | Value::Array(_) | Value::Object(_) => json!({"evil": 1}),
        };
        *leaf = wrong;
        assert_eq!(live(signed, &other).is_match(), free.contains(&pointer.as_str()), "{pointer}: {other}");
    }
}

#[track_caller]
fn refuses(signed: &Value, found: &Value) {
    assert!(!live(signed, found).is_match(), "{signed} {found}");
}

#[test]
fn stateful_sets() {
    let whole = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}});
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "d"},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}, "volumeMode": "Filesystem"},
        "status": {"phase": "Pending"}});
    gains(
        &of(
            "apps/v1/StatefulSet",
            &json!({"volumeClaimTemplates": [
                {"metadata": {"name": "d"}, "spec": {"resources": {"requests": {"storage": "1024Mi"}}}}]}),
        ),
        &of(
            "apps/v1/StatefulSet",
            &json!({"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady",
                "updateStrategy": whole, "volumeClaimTemplates": [claim],
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}),
        ),
        &[],
    );
    let strategy = |strategy: &Value| of("apps/v1/StatefulSet", &json!({"updateStrategy": strategy}));
    gains(
        &of("apps/v1/StatefulSet", &json!({})),
        &strategy(&json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})),
        &[],
    );
    let partial = json!({"rollingUpdate": {"partition": 2}});
    let completed = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2, "maxUnavailable": 1}});
    gains(&strategy(&partial), &strategy(&completed), &[]);
    let on_delete = json!({"type": "OnDelete", "rollingUpdate": {"partition": 0}});
    refuses(&strategy(&json!({"type": "OnDelete"})), &strategy(&on_delete));
}

#[test]
fn autoscalers() {
    let hpa = |spec: Value| of("autoscaling/v2/HorizontalPodAutoscaler", &spec);
    let up = json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]});
    let down = json!({"stabilizationWindowSeconds": 60, "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]});
    gains(
        &hpa(json!({"metrics": [], "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}})),
        &hpa(
            json!({"minReplicas": 1, "behavior": {"scaleUp": up, "scaleDown": down}, "metrics": [{"type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]}),
        ),
        &[],
    );
    refuses(&hpa(json!({})), &hpa(json!({"behavior": {"scaleUp": up}})));
    let metric =
        |value: Value| json!({"metrics": [{"type": "Pods", "pods": {"target": {"averageValue": value}}}]});
    assert!(live(&hpa(metric(json!(1000))), &hpa(metric(json!("1k")))).is_match());
    let annotated = |key: &str| {
        json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "a", "annotations": {key: "[]"}}})
    };
    let bare =
        json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}});
    assert!(live(&bare, &annotated("autoscaling.alpha.kubernetes.io/current-metrics")).is_match());
    refuses(&bare, &annotated("autoscaling.alpha.kubernetes.io/behavior"));
    refuses(&bare, &annotated("autoscaling.alpha.kubernetes.io/metrics"));
}

#[test]
fn jobs() {
    let job = |spec: Value| of("batch/v1/Job", &spec);
    let base = json!({"completionMode": "NonIndexed", "suspend": false, "manualSelector": false});
    let with = |more: Value| {
        let mut spec = base.clone();
        more.as_object().unwrap().iter().for_each(|(key, value)| spec[key] = value.clone());
        job(spec)
    };
    gains(
        &job(json!({})),
        &with(json!({"backoffLimit": 6, "completions": 1, "parallelism": 1,
            "podReplacementPolicy": "TerminatingOrFailed"})),
        &[],
    );
    gains(
        &job(json!({"completions": 3, "backoffLimitPerIndex": 1, "podFailurePolicy": {"rules": [{}]}})),
        &with(json!({"completions": 3, "parallelism": 1, "backoffLimitPerIndex": 1,
            "podFailurePolicy": {"rules": [{}]}, "backoffLimit": i32::MAX, "podReplacementPolicy": "Failed"})),
        &[],
    );
    refuses(&job(json!({"parallelism": 2})), &job(json!({"parallelism": 2, "completions": 1})));
    let selected = json!({"selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}},
        "template": {"metadata": {"labels": {"app": "x", "job-name": "a", "controller-uid": "u-1"}}}});
    let template = json!({"template": {"metadata": {"labels": {"app": "x"}}}});
    gains(&job(template.clone()), &job(selected.clone()), &[]);
    let labelled = |labels: Value| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "uid": "u-1", "labels": labels},
            "spec": {"template": {"metadata": {"labels": {"app": "x"}}}}})
    };
    assert!(live(&labelled(json!({})), &labelled(json!({"app": "x"}))).is_match());
    let review = Expectations { origin: Origin::Review, ..expectations() };
    assert!(compare(&labelled(json!({})), &labelled(json!({"app": "x"})), &review).is_match());
    assert!(
        !compare(&labelled(json!({})), &labelled(json!({"app": "x", "job-name": "a"})), &review).is_match()
    );
    refuses(&labelled(json!({"own": "y"})), &labelled(json!({"own": "y", "app": "x"})));
    let manual = |spec: &Value| {
        let mut spec = spec.clone();
        spec["manualSelector"] = json!(true);
        job(spec)
    };
    refuses(&manual(&template), &manual(&selected));
}

#[test]
fn services() {
    let service = |spec: Value| of("v1/Service", &spec);
    gains(
        &service(
            json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "sessionAffinity": "ClientIP",
            "selector": {"a": "b"}, "ports": [{"port": 80, "targetPort": 0, "nodePort": 0}]}),
        ),
        &service(
            json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}, "allocateLoadBalancerNodePorts": true,
            "internalTrafficPolicy": "Cluster", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "healthCheckNodePort": 31000,
            "selector": {"a": "b"},
            "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP", "nodePort": 30000}]}),
        ),
        &["/spec/healthCheckNodePort", "/spec/ports/0/nodePort"],
    );
    let headless = json!({"clusterIP": "None", "ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "RequireDualStack",
        "clusterIPs": ["None"]});
    gains(&service(json!({"clusterIP": "None"})), &service(headless), &[]);
    let dual = json!({"ipFamilyPolicy": "PreferDualStack", "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1", "fd00::1"], "ipFamilies": ["IPv4", "IPv6"]});
    gains(&service(json!({"ipFamilyPolicy": "PreferDualStack"})), &service(dual), &[]);
    let twice = json!({"ipFamilyPolicy": "PreferDualStack", "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1", "10.0.0.2"], "ipFamilies": ["IPv4", "IPv4"]});
    refuses(&service(json!({"ipFamilyPolicy": "PreferDualStack"})), &service(twice));
    let single = json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"],
        "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"});
    refuses(&service(json!({})), &service(single));
    let closed =
        json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": [{"port": 80}]});
    let mut opened = closed.clone();
    opened["ports"][0]["nodePort"] = json!(30000);
    refuses(&service(closed), &service(opened));
    for ip in ["None", "", "10.0.0", "fd00::1/64"] {
        refuses(&service(json!({})), &service(json!({"clusterIP": ip})));
    }
    for port in [0, 65536, -1] {
        let ports = |port: Value| service(json!({"type": "NodePort", "ports": [port]}));
        refuses(&ports(json!({"port": 1})), &ports(json!({"port": 1, "nodePort": port})));
    }
    let finalized = json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer"},
        "metadata": {"name": "a", "finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}});
    assert!(live(&service(json!({"type": "LoadBalancer"})), &finalized).is_match());
}

#[test]
fn claims_and_volumes() {
    let claim = |spec: Value| of("v1/PersistentVolumeClaim", &spec);
    let source = json!({"kind": "PersistentVolumeClaim", "name": "b"});
    let stored = json!({"apiGroup": null, "kind": "PersistentVolumeClaim", "name": "b"});
    gains(
        &claim(json!({"dataSource": source})),
        &claim(json!({"dataSource": stored, "dataSourceRef": stored, "volumeMode": "Filesystem"})),
        &[],
    );
    let bound = claim(json!({"volumeName": "pv-1", "storageClassName": "standard"}));
    let unbound = claim(json!({}));
    assert!(live(&unbound, &bound).is_match());
    for origin in [Origin::File, Origin::Review] {
        let comparison = compare(&unbound, &bound, &Expectations { origin, ..expectations() });
        assert_eq!(paths(&comparison), ["spec.storageClassName", "spec.volumeName"]);
    }
}

#[test]
fn limits() {
    let range = |limit: Value| of("v1/LimitRange", &json!({"limits": [limit]}));
    gains(
        &range(
            json!({"type": "Container", "max": {"cpu": "1000m"}, "min": {"memory": 1024}, "default": {"gpu": 1}}),
        ),
        &range(json!({"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "1Ki"},
            "default": {"cpu": "1", "gpu": "1"}, "defaultRequest": {"cpu": "1", "gpu": "1", "memory": "1Ki"}})),
        &[],
    );
    let pod = json!({"type": "Pod", "max": {"cpu": "1"}});
    let mut filled = pod.clone();
    filled["default"] = json!({"cpu": "1"});
    refuses(&range(pod), &range(filled));
}

#[test]
fn definitions() {
    let definition = |names: Value, more: Value| {
        let mut spec = more;
        spec["names"] = names;
        of("apiextensions.k8s.io/v1/CustomResourceDefinition", &spec)
    };
    gains(
        &definition(json!({"kind": "Widget", "plural": "widgets"}), json!({"preserveUnknownFields": false})),
        &definition(
            json!({"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}),
            json!({"conversion": {"strategy": "None"}}),
        ),
        &[],
    );
}

#[test]
fn pods() {
    let pod = |spec: Value| of("v1/Pod", &spec);
    let classed = json!({"priorityClassName": "high", "priority": 1000, "preemptionPolicy": "Never"});
    gains(&pod(json!({"priorityClassName": "high"})), &pod(classed), &["/spec/priority"]);
    refuses(&pod(json!({})), &pod(json!({"priority": 1000})));
    gains(
        &pod(json!({"volumes": [{"name": "v"}], "serviceAccountName": "x"})),
        &pod(
            json!({"volumes": [{"name": "v", "emptyDir": {}}], "serviceAccountName": "x", "serviceAccount": "x"}),
        ),
        &[],
    );
    let node = pod(json!({"nodeName": "n"}));
    assert!(live(&pod(json!({})), &node).is_match());
    let review = Expectations { origin: Origin::Review, ..expectations() };
    assert!(!compare(&pod(json!({})), &node, &review).is_match());
    let tolerant = json!({"tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]});
    let mut appended = tolerant.clone();
    appended["tolerations"].as_array_mut().unwrap().push(json!({"key": "node.kubernetes.io/unreachable",
        "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
    gains(&pod(tolerant), &pod(appended), &[]);
    // Another effect of the same taint is not covered, so the plugin still appends its own.
    let other = json!({"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoSchedule"});
    let own = json!({"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
        "tolerationSeconds": 300});
    gains(&pod(json!({"tolerations": [other]})), &pod(json!({"tolerations": [other, own]})), &[]);
}

#[test]
fn service_account_tokens() {
    let pod = |spec: Value| of("v1/Pod", &spec);
    let declined = |mut spec: Value| {
        spec["automountServiceAccountToken"] = json!(false);
        pod(spec)
    };
    refuses(&declined(json!({})), &declined(token()));
    let mounted = |mounts: Value| {
        let mut spec = token();
        spec["containers"] = json!([{"name": "c", "volumeMounts": mounts}]);
        pod(spec)
    };
    let path = "/var/run/secrets/kubernetes.io/serviceaccount";
    let mount = |name: &str| json!({"name": name, "mountPath": path, "readOnly": true});
    let bare = |mounts: Value| pod(json!({"containers": [{"name": "c", "volumeMounts": mounts}]}));
    let found = mounted(json!([mount("kube-api-access-abcde")]));
    assert!(live(&bare(json!([])), &found).is_match());
    // A container with a mount of its own at that path gets no other.
    let (own, both) = (json!([mount("x")]), json!([mount("x"), mount("kube-api-access-abcde")]));
    assert_eq!(paths(&live(&bare(own), &mounted(both))), ["spec.containers[0].volumeMounts[1]"]);
    let other = json!([mount("kube-api-access-zzzzz")]);
    assert_eq!(paths(&live(&bare(json!([])), &mounted(other))), ["spec.containers[0].volumeMounts[0].name"]);
}

fn token() -> Value {
    json!({"volumes": [{"name": "kube-api-access-abcde", "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}}]})
}

/// The same additions in a template are no effects: admission plugins see Pods only.
#[test]
fn what_pods_gain_templates_do_not() {
    let additions = [
        token(),
        json!({"enableServiceLinks": true}),
        json!({"priority": 0}),
        json!({"serviceAccountName": "default"}),
        json!({"nodeName": "n"}),
    ];
    for addition in additions {
        assert!(live(&of("v1/Pod", &json!({})), &of("v1/Pod", &addition)).is_match(), "{addition}");
        let template = |spec: &Value| of("apps/v1/Deployment", &json!({"template": {"spec": spec}}));
        refuses(&template(&json!({})), &template(&addition));
    }
}

#[test]
fn secrets() {
    let secret = |rest: Value| object("v1/Secret", &rest);
    gains(
        &secret(json!({"type": "", "data": {"a": "eA==", "b": "eA=="}, "stringData": {"b": "y"}})),
        &secret(json!({"type": "Opaque", "data": {"a": "eA==", "b": "eQ=="}})),
        &[],
    );
    let plain = secret(json!({"stringData": {"b": "y"}}));
    assert!(live(&plain, &plain).is_match());
    refuses(&plain, &secret(json!({"stringData": {"b": "y"}, "data": {"b": "evil"}})));
    refuses(&plain, &secret(json!({})));
}

#[test]
fn bindings() {
    let binding =
        |subjects: Value| object("rbac.authorization.k8s.io/v1/RoleBinding", &json!({"subjects": subjects}));
    let group = "rbac.authorization.k8s.io";
    gains(
        &binding(
            json!([{"kind": "User", "name": "u", "apiGroup": ""}, {"kind": "ServiceAccount", "apiGroup": ""}]),
        ),
        &binding(json!([{"kind": "User", "name": "u", "apiGroup": group}, {"kind": "ServiceAccount"}])),
        &[],
    );
    refuses(
        &binding(json!([{"kind": "ServiceAccount", "name": "s"}])),
        &binding(json!([{"kind": "ServiceAccount", "name": "s", "apiGroup": group}])),
    );
}
