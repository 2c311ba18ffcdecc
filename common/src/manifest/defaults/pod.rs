//! Pod specs: in Pods and in the templates of workloads.

use super::Rule::{Calc, Ctl, Empty, Flag, Int, Json, Map, Null, Quantity, Text, Zero};
use super::{Row, row, rules};

/// What `C.` stands for in a path.
pub(super) const CONTAINERS: &str = "{containers,initContainers,ephemeralContainers}[].";

/// Pod templates, beside their spec. Paths start at the template.
pub(super) const TEMPLATE: &[Row] = &[
    row("metadata", Empty),
    // Servers before about 1.34 write the time of creation out although it is never set.
    row("metadata", Json(r#"{"creationTimestamp": null}"#)),
    row("metadata.creationTimestamp", Null),
];

/// Pod specs everywhere. Paths start at the pod spec.
pub(super) const SPEC: &[Row] = &[
    row("dnsPolicy", Text("ClusterFirst")).or_zero(),
    row("restartPolicy", Text("Always")).or_zero(),
    row("schedulerName", Text("default-scheduler")).or_zero(),
    row("terminationGracePeriodSeconds", Int(30)),
    row("securityContext", Empty),
    row("serviceAccount", Calc(rules::pod::account_of_alias)),
    row("serviceAccountName", Calc(rules::pod::account_of_alias)),
    row("{hostNetwork,hostPID,hostIPC}", Zero),
    row("{nodeName,hostname,subdomain,priorityClassName}", Zero),
    row("{overhead,nodeSelector}", Map),
    row("overhead.*", Quantity),
    row("resources.{limits,requests}", Map),
    row("resources.{limits,requests}.*", Quantity),
    // Containers
    row("C.resources", Empty),
    row("C.resources.{limits,requests}", Map),
    row("C.resources.{limits,requests}.*", Quantity),
    row("C.imagePullPolicy", Calc(rules::pod::pull_policy)).or_zero(),
    row("C.terminationMessagePath", Text("/dev/termination-log")).or_zero(),
    row("C.terminationMessagePolicy", Text("File")).or_zero(),
    row("C.{stdin,stdinOnce,tty}", Zero),
    row("C.workingDir", Zero),
    row("C.volumeMounts[].{readOnly,subPath,subPathExpr}", Zero),
    row("C.ports[].protocol", Text("TCP")).or_zero(),
    row("C.ports[].{name,hostPort,hostIP}", Zero),
    row("C.env[].value", Zero),
    row("C.env[].valueFrom.fieldRef.apiVersion", Text("v1")).or_zero(),
    row("C.env[].valueFrom.resourceFieldRef.divisor", Text("0")),
    row("C.env[].valueFrom.resourceFieldRef.divisor", Quantity),
    // Probes and hooks
    row("C.{livenessProbe,readinessProbe,startupProbe}.timeoutSeconds", Int(1)).or_zero(),
    row("C.{livenessProbe,readinessProbe,startupProbe}.periodSeconds", Int(10)).or_zero(),
    row("C.{livenessProbe,readinessProbe,startupProbe}.successThreshold", Int(1)).or_zero(),
    row("C.{livenessProbe,readinessProbe,startupProbe}.failureThreshold", Int(3)).or_zero(),
    row("C.{livenessProbe,readinessProbe,startupProbe}.initialDelaySeconds", Zero),
    row("C.{livenessProbe,readinessProbe,startupProbe}.grpc.service", Text("")),
    row("C.{livenessProbe,readinessProbe,startupProbe}.httpGet.path", Text("/")).or_zero(),
    row("C.{livenessProbe,readinessProbe,startupProbe}.httpGet.scheme", Text("HTTP")).or_zero(),
    row("C.lifecycle.{postStart,preStop}.httpGet.path", Text("/")).or_zero(),
    row("C.lifecycle.{postStart,preStop}.httpGet.scheme", Text("HTTP")).or_zero(),
    // Volumes
    row("volumes[].{configMap,secret,downwardAPI,projected}.defaultMode", Int(420)),
    row("volumes[].emptyDir", Calc(rules::pod::empty_dir)),
    row("volumes[].emptyDir.sizeLimit", Quantity),
    row("volumes[].hostPath.type", Text("")),
    row("volumes[].image.pullPolicy", Calc(rules::pod::volume_pull_policy)).or_zero(),
    row("volumes[].iscsi.iscsiInterface", Text("default")).or_zero(),
    row("volumes[].{nfs,iscsi,persistentVolumeClaim}.readOnly", Zero),
    row("volumes[].downwardAPI.items[].fieldRef.apiVersion", Text("v1")).or_zero(),
    row("volumes[].downwardAPI.items[].resourceFieldRef.divisor", Text("0")),
    row("volumes[].downwardAPI.items[].resourceFieldRef.divisor", Quantity),
    row("volumes[].projected.sources[].downwardAPI.items[].fieldRef.apiVersion", Text("v1")).or_zero(),
    row("volumes[].projected.sources[].downwardAPI.items[].resourceFieldRef.divisor", Text("0")),
    row("volumes[].projected.sources[].downwardAPI.items[].resourceFieldRef.divisor", Quantity),
    row("volumes[].projected.sources[].serviceAccountToken.expirationSeconds", Int(3600)),
    row("volumes[].ephemeral.volumeClaimTemplate.metadata", Empty),
    row("volumes[].ephemeral.volumeClaimTemplate.metadata", Json(r#"{"creationTimestamp": null}"#)),
    row("volumes[].ephemeral.volumeClaimTemplate.metadata.creationTimestamp", Null),
    row("volumes[].ephemeral.volumeClaimTemplate.spec.volumeMode", Text("Filesystem")),
    row("volumes[].ephemeral.volumeClaimTemplate.spec.resources.{limits,requests}", Map),
    row("volumes[].ephemeral.volumeClaimTemplate.spec.resources.{limits,requests}.*", Quantity),
    row("volumes[].csi.volumeAttributes", Map),
    row("volumes[].flexVolume.options", Map),
    row("volumes[].rbd.pool", Text("rbd")).or_zero(),
    row("volumes[].rbd.user", Text("admin")).or_zero(),
    row("volumes[].rbd.keyring", Text("/etc/ceph/keyring")).or_zero(),
    row("volumes[].azureDisk.cachingMode", Text("ReadWrite")),
    row("volumes[].azureDisk.kind", Text("Shared")),
    row("volumes[].azureDisk.fsType", Text("ext4")),
    row("volumes[].azureDisk.readOnly", Flag(false)),
    row("volumes[].scaleIO.storageMode", Text("ThinProvisioned")).or_zero(),
    row("volumes[].scaleIO.fsType", Text("xfs")).or_zero(),
];

/// Pods themselves, never templates. Paths start at the pod spec.
pub(super) const POD_ONLY: &[Row] = &[
    row("C.resources.requests", Calc(rules::pod::requests)),
    row("C.resources.requests.*", Calc(rules::pod::request)),
    row("C.ports[].hostPort", Calc(rules::pod::host_port)).or_zero(),
    row("enableServiceLinks", Flag(true)),
    row("priority", Int(0)).when(rules::pod::has_no_class),
    row("priority", Ctl(rules::pod::class_priority)),
    row("preemptionPolicy", Text("PreemptLowerPriority")).when(rules::pod::has_no_class),
    row("preemptionPolicy", Ctl(rules::pod::class_preemption)),
    row("serviceAccountName", Ctl(rules::pod::default_account)),
    row("serviceAccount", Ctl(rules::pod::default_account)),
    row("tolerations[]", Ctl(rules::pod::toleration)),
    row("volumes[]", Ctl(rules::token::volume)),
    row("{containers,initContainers}[].volumeMounts[]", Ctl(rules::token::mount)),
    row("nodeName", super::Rule::Alloc(rules::any_text)).or_zero().live_only(),
];
