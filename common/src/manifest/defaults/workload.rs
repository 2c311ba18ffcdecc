//! Workloads: Pods and what creates them.

use super::Rule::{Alloc, Calc, Ctl, Empty, Flag, Int, Json, Map, Null, Quantity, Text, Zero};
use super::{Kind, Row, kind, row, rules};

pub(super) const KINDS: &[Kind] = &[
    kind("", "Pod", &[]).pod(),
    kind("apps", "Deployment", DEPLOYMENT).template("spec.template"),
    kind("apps", "ReplicaSet", REPLICA_SET).template("spec.template"),
    kind("", "ReplicationController", REPLICATION_CONTROLLER).template("spec.template"),
    kind("apps", "DaemonSet", DAEMON_SET).template("spec.template"),
    kind("apps", "StatefulSet", STATEFUL_SET).template("spec.template"),
    kind("batch", "Job", JOB).template("spec.template"),
    kind("batch", "CronJob", CRON_JOB).template("spec.jobTemplate.spec.template"),
    kind("autoscaling", "HorizontalPodAutoscaler", AUTOSCALER_1).version("v1"),
    kind("autoscaling", "HorizontalPodAutoscaler", AUTOSCALER_2).version("v2"),
];

const DEPLOYMENT: &[Row] = &[
    row(r#"metadata.annotations."deployment.kubernetes.io/revision""#, Ctl(rules::decimal_text)).live_only(),
    row("spec.replicas", Int(1)),
    row("spec.revisionHistoryLimit", Int(10)),
    row("spec.progressDeadlineSeconds", Int(600)),
    row(
        "spec.strategy",
        Json(r#"{"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}"#),
    ),
    row("spec.strategy.type", Text("RollingUpdate")).or_zero(),
    row("spec.strategy.rollingUpdate", Json(r#"{"maxSurge": "25%", "maxUnavailable": "25%"}"#))
        .when(rules::workload::is_rolling),
    row("spec.strategy.rollingUpdate.{maxSurge,maxUnavailable}", Text("25%")),
    row("spec.{minReadySeconds,paused}", Zero),
];

const REPLICA_SET: &[Row] = &[row("spec.replicas", Int(1)), row("spec.minReadySeconds", Zero)];

const REPLICATION_CONTROLLER: &[Row] = &[
    row("spec.replicas", Int(1)),
    row("spec.minReadySeconds", Zero),
    row("metadata.labels.*", Calc(rules::workload::template_label)),
    row("spec.selector", Calc(rules::workload::template_labels)),
    row("spec.selector", Map),
];

const DAEMON_SET: &[Row] = &[
    row(r#"metadata.annotations."deprecated.daemonset.template.generation""#, Ctl(rules::decimal_text)),
    row("spec.revisionHistoryLimit", Int(10)),
    row(
        "spec.updateStrategy",
        Json(r#"{"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}"#),
    ),
    row("spec.updateStrategy.type", Text("RollingUpdate")).or_zero(),
    row("spec.updateStrategy.rollingUpdate", Json(r#"{"maxSurge": 0, "maxUnavailable": 1}"#))
        .when(rules::workload::is_rolling),
    row("spec.updateStrategy.rollingUpdate.maxSurge", Int(0)),
    row("spec.updateStrategy.rollingUpdate.maxUnavailable", Int(1)),
    row("spec.minReadySeconds", Zero),
];

const STATEFUL_SET: &[Row] = &[
    row("spec.replicas", Int(1)),
    row("spec.revisionHistoryLimit", Int(10)),
    row("spec.podManagementPolicy", Text("OrderedReady")).or_zero(),
    row(
        "spec.updateStrategy",
        Json(r#"{"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}}"#),
    ),
    // Servers without the feature gate of maxUnavailable.
    row("spec.updateStrategy", Json(r#"{"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}"#)),
    row("spec.updateStrategy.type", Text("RollingUpdate")).or_zero(),
    row("spec.updateStrategy.rollingUpdate", Json(r#"{"partition": 0, "maxUnavailable": 1}"#))
        .when(rules::workload::is_rolling),
    row("spec.updateStrategy.rollingUpdate", Json(r#"{"partition": 0}"#)).when(rules::workload::is_rolling),
    row("spec.updateStrategy.rollingUpdate.partition", Int(0)),
    row("spec.updateStrategy.rollingUpdate.maxUnavailable", Int(1)),
    row(
        "spec.persistentVolumeClaimRetentionPolicy",
        Json(r#"{"whenDeleted": "Retain", "whenScaled": "Retain"}"#),
    ),
    row("spec.persistentVolumeClaimRetentionPolicy.{whenDeleted,whenScaled}", Text("Retain")).or_zero(),
    row("spec.minReadySeconds", Zero),
    row("spec.serviceName", Zero),
    row("spec.volumeClaimTemplates[].apiVersion", Text("v1")),
    row("spec.volumeClaimTemplates[].kind", Text("PersistentVolumeClaim")),
    row("spec.volumeClaimTemplates[].spec.volumeMode", Text("Filesystem")),
    row("spec.volumeClaimTemplates[].spec.resources.{limits,requests}", Map),
    row("spec.volumeClaimTemplates[].spec.resources.{limits,requests}.*", Quantity),
    row("spec.volumeClaimTemplates[].status", Json(r#"{"phase": "Pending"}"#)),
    row("spec.volumeClaimTemplates[].status.phase", Text("Pending")).or_zero(),
    row("spec.volumeClaimTemplates[].metadata.creationTimestamp", Null),
];

const JOB: &[Row] = &[
    row("spec.backoffLimit", Calc(rules::workload::backoff_limit)),
    row("spec.completions", Calc(rules::workload::completions)),
    row("spec.parallelism", Int(1)),
    row("spec.completionMode", Text("NonIndexed")),
    row("spec.suspend", Flag(false)),
    row("spec.manualSelector", Flag(false)),
    row("spec.podReplacementPolicy", Calc(rules::workload::pod_replacement)),
    row("spec.selector", Alloc(rules::workload::job_selector)),
    row("spec.selector.matchLabels", Alloc(rules::workload::job_match_labels)),
    row("spec.selector.matchLabels.*", Alloc(rules::workload::job_label)),
    row("spec.template.metadata", Alloc(rules::workload::job_template)),
    row("spec.template.metadata.labels", Alloc(rules::workload::job_labels)),
    row("spec.template.metadata.labels.*", Alloc(rules::workload::job_label)),
    row("metadata.labels.*", Calc(rules::workload::template_label)),
    // With those that were generated into the template.
    row("metadata.labels.*", Calc(rules::workload::job_own_label)).live_only(),
];

const CRON_JOB: &[Row] = &[
    row("spec.concurrencyPolicy", Text("Allow")).or_zero(),
    row("spec.suspend", Flag(false)),
    row("spec.successfulJobsHistoryLimit", Int(3)),
    row("spec.failedJobsHistoryLimit", Int(1)),
    row("spec.jobTemplate.metadata", Empty),
    row("spec.jobTemplate.metadata", Json(r#"{"creationTimestamp": null}"#)),
    row("spec.jobTemplate.metadata.creationTimestamp", Null),
];

// Not `/metrics` and not `/behavior`: those two annotations are spec in disguise.
const AUTOSCALER_1: &[Row] = &[
    row(
        r#"metadata.annotations."autoscaling.alpha.kubernetes.io/{conditions,current-metrics}""#,
        Ctl(rules::any_text),
    )
    .live_only(),
    row("spec.minReplicas", Int(1)),
    row("spec.targetCPUUtilizationPercentage", Int(80)),
];

const AUTOSCALER_2: &[Row] = &[
    row("spec.minReplicas", Int(1)),
    row(
        "spec.metrics",
        Json(
            r#"[{"type": "Resource", "resource":
                {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]"#,
        ),
    ),
    row(
        "spec.metrics[].{resource,containerResource,pods,object,external}.target.{averageValue,value}",
        Quantity,
    ),
    // Below `behavior` only: where none is signed, none is added.
    row(
        "spec.behavior.scaleUp",
        Json(
            r#"{"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15}]}"#,
        ),
    ),
    row("spec.behavior.scaleUp.stabilizationWindowSeconds", Int(0)),
    row("spec.behavior.{scaleUp,scaleDown}.selectPolicy", Text("Max")),
    row(
        "spec.behavior.scaleUp.policies",
        Json(
            r#"[{"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15}]"#,
        ),
    ),
    row(
        "spec.behavior.scaleDown",
        Json(
            r#"{"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}"#,
        ),
    ),
    row(
        "spec.behavior.scaleDown.policies",
        Json(r#"[{"type": "Percent", "value": 100, "periodSeconds": 15}]"#),
    ),
];
