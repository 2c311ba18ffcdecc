//! Services, storage, configuration, policy and access.

use super::Rule::{Alloc, Calc, Ctl, Empty, Flag, Int, Json, Map, Null, Quantity, Set, Text, Zero};
use super::{Kind, Row, Warning, kind, row, rules};

pub(super) const KINDS: &[Kind] = &[
    kind("", "Service", SERVICE),
    kind("discovery.k8s.io", "EndpointSlice", ENDPOINT_SLICE),
    kind("networking.k8s.io", "NetworkPolicy", NETWORK_POLICY),
    kind("networking.k8s.io", "Ingress", INGRESS),
    kind("networking.k8s.io", "IngressClass", &[row("spec.parameters.scope", Text("Cluster"))]),
    kind("", "Namespace", NAMESPACE),
    kind("", "ConfigMap", &[row("{data,binaryData}", Map)]),
    kind("", "Secret", SECRET),
    kind("", "PersistentVolume", VOLUME),
    kind("", "PersistentVolumeClaim", VOLUME_CLAIM),
    kind("storage.k8s.io", "StorageClass", STORAGE_CLASS),
    kind("storage.k8s.io", "CSIDriver", CSI_DRIVER),
    kind("storage.k8s.io", "CSIStorageCapacity", &[row("{capacity,maximumVolumeSize}", Quantity)]),
    kind("", "LimitRange", LIMIT_RANGE),
    kind("", "ResourceQuota", &[row("spec.hard", Map), row("spec.hard.*", Quantity)]),
    kind("rbac.authorization.k8s.io", "Role", &[row("rules", Null)]),
    kind("rbac.authorization.k8s.io", "ClusterRole", CLUSTER_ROLE),
    kind("rbac.authorization.k8s.io", "RoleBinding", BINDING),
    kind("rbac.authorization.k8s.io", "ClusterRoleBinding", BINDING),
    kind("node.k8s.io", "RuntimeClass", RUNTIME_CLASS),
    kind("scheduling.k8s.io", "PriorityClass", PRIORITY_CLASS),
];

const SERVICE: &[Row] = &[
    row("metadata.finalizers[]", Set(r#""service.kubernetes.io/load-balancer-cleanup""#))
        .when(rules::network::is_load_balancer),
    row("spec.type", Text("ClusterIP")).or_zero(),
    row("spec.sessionAffinity", Text("None")).or_zero(),
    row("spec.sessionAffinityConfig", Json(r#"{"clientIP": {"timeoutSeconds": 10800}}"#))
        .when(rules::network::is_sticky),
    row("spec.sessionAffinityConfig.clientIP", Json(r#"{"timeoutSeconds": 10800}"#))
        .when(rules::network::is_sticky),
    row("spec.sessionAffinityConfig.clientIP.timeoutSeconds", Int(10800)).when(rules::network::is_sticky),
    row("spec.ports[].protocol", Text("TCP")).or_zero(),
    row("spec.ports[].targetPort", Calc(rules::network::target_port)).or_zero(),
    row("spec.ports[].nodePort", Alloc(rules::network::node_port)).or_zero(),
    row("spec.ports[].{nodePort,name}", Zero),
    row("spec.healthCheckNodePort", Alloc(rules::network::health_port)).or_zero(),
    row("spec.internalTrafficPolicy", Text("Cluster")).when(rules::network::is_internal),
    row("spec.externalTrafficPolicy", Text("Cluster"))
        .when(rules::network::is_reached_from_outside)
        .or_zero(),
    row("spec.allocateLoadBalancerNodePorts", Flag(true)).when(rules::network::is_load_balancer),
    row("spec.clusterIP", Alloc(rules::network::cluster_ip)).or_zero(),
    row("spec.clusterIP", Zero),
    row("spec.clusterIPs", Alloc(rules::network::cluster_ips)),
    row("spec.ipFamilyPolicy", Calc(rules::network::family_policy)).in_cluster(),
    row("spec.ipFamilies", Calc(rules::network::families)).in_cluster(),
    row("spec.publishNotReadyAddresses", Zero),
    row("spec.selector", Map),
];

const ENDPOINT_SLICE: &[Row] = &[
    row("endpoints[].conditions", Empty),
    row("endpoints[].deprecatedTopology", Map),
    row("ports[].name", Text("")),
    row("ports[].protocol", Text("TCP")),
];

const NETWORK_POLICY: &[Row] = &[
    row("spec.policyTypes", Calc(rules::network::policy_types)),
    row("spec.{ingress,egress}[].ports[].protocol", Text("TCP")),
];

const INGRESS: &[Row] = &[
    row("spec.rules[].host", Zero),
    row("spec.rules[].http.paths[].path", Zero),
    row("spec.rules[].http.paths[].backend.service.port.{name,number}", Zero),
    row("spec.defaultBackend.service.port.{name,number}", Zero),
];

const NAMESPACE: &[Row] = &[
    row(r#"metadata.labels."kubernetes.io/metadata.name""#, Calc(rules::various::namespace_label)),
    row("spec", Set(r#"{"finalizers": ["kubernetes"]}"#)),
    row("spec.finalizers", Set(r#"["kubernetes"]"#)),
];

const SECRET: &[Row] = &[row("type", Text("Opaque")).or_zero(), row("data", Map)];

const VOLUME: &[Row] = &[
    row("metadata.finalizers[]", Set(r#""kubernetes.io/pv-protection""#)),
    row("spec.persistentVolumeReclaimPolicy", Text("Retain")).or_zero(),
    row("spec.volumeMode", Text("Filesystem")),
    row("spec.hostPath.type", Text("")),
    row("{spec.capacity,spec.csi.volumeAttributes}", Map),
    row("spec.capacity.*", Quantity),
    row("spec.claimRef", Alloc(rules::various::any_map)).live_only(),
    row("spec.{nfs,iscsi}.readOnly", Zero),
    row("spec.storageClassName", Zero),
];

const VOLUME_CLAIM: &[Row] = &[
    row("metadata.finalizers[]", Set(r#""kubernetes.io/pvc-protection""#)),
    row("spec.volumeMode", Text("Filesystem")),
    row("spec.resources.{limits,requests}", Map),
    row("spec.resources.{limits,requests}.*", Quantity),
    row("spec.dataSource.apiGroup", Null),
    row("spec.dataSourceRef", Calc(rules::various::data_source_ref)),
    row("spec.dataSourceRef.apiGroup", Null),
    row("spec.volumeName", Alloc(rules::any_text)).or_zero().live_only(),
    row("spec.storageClassName", Ctl(rules::any_text)).live_only(),
    row(
        r#"metadata.annotations."pv.kubernetes.io/{bind-completed,bound-by-controller}""#,
        Ctl(rules::any_text),
    )
    .live_only(),
    row(r#"metadata.annotations."volume{,.beta}.kubernetes.io/storage-provisioner""#, Ctl(rules::any_text))
        .live_only(),
    row(r#"metadata.annotations."volume.kubernetes.io/selected-node""#, Ctl(rules::any_text)).live_only(),
];

const STORAGE_CLASS: &[Row] = &[
    row("reclaimPolicy", Text("Delete")),
    row("volumeBindingMode", Text("Immediate")),
    row("parameters", Map),
];

const CSI_DRIVER: &[Row] = &[
    row("spec.attachRequired", Flag(true)),
    row("spec.fsGroupPolicy", Text("ReadWriteOnceWithFSType")),
    row("spec.volumeLifecycleModes", Json(r#"["Persistent"]"#)),
    row("spec.{podInfoOnMount,requiresRepublish,seLinuxMount}", Flag(false)),
    row("spec.{storageCapacity,preventPodSchedulingIfMissing}", Flag(false)),
];

const LIMIT_RANGE: &[Row] = &[
    row("spec.limits[].{default,defaultRequest}", Calc(rules::various::limit_defaults)),
    row("spec.limits[].{default,defaultRequest}.*", Calc(rules::various::limit_default)),
    row("spec.limits[].{max,min,default,defaultRequest,maxLimitRequestRatio}", Map),
    row("spec.limits[].{max,min,default,defaultRequest,maxLimitRequestRatio}.*", Quantity),
];

// Without rules the server writes `null`; in live objects a controller has put in what it aggregated.
const CLUSTER_ROLE: &[Row] = &[
    row("rules", Null),
    row("rules", Ctl(rules::various::any_list))
        .when(rules::various::is_aggregated)
        .live_only()
        .warns(Warning::AggregatedRules),
];

const BINDING: &[Row] = &[
    row("roleRef.apiGroup", Text("rbac.authorization.k8s.io")).or_zero(),
    row("subjects[].apiGroup", Text("rbac.authorization.k8s.io"))
        .when(rules::various::is_user_or_group)
        .or_zero(),
    row("subjects[].apiGroup", Zero),
];

const RUNTIME_CLASS: &[Row] =
    &[row("{overhead.podFixed,scheduling.nodeSelector}", Map), row("overhead.podFixed.*", Quantity)];

const PRIORITY_CLASS: &[Row] =
    &[row("preemptionPolicy", Text("PreemptLowerPriority")), row("globalDefault", Zero)];
