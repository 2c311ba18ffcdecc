//! Ignored fields as unanchored regular expressions, and the lists both projects ship.

use regex::Regex;

use super::flat::pattern;
use super::{CompatRules, DefaultFields};
use crate::object::ObjectRef;
use crate::policy::IgnorePath;

/// An ignored field: the text with `*` appended, each `*` as `.*`, found anywhere in a path.
pub(super) struct Field {
    text: String,
    pattern: Option<Regex>,
}

impl Field {
    fn new(field: &str) -> Self {
        let text = format!("{field}*");
        let pattern = pattern(&text.replace('*', ".*"));
        Self { text, pattern }
    }

    pub(super) fn matches(&self, key: &str) -> bool {
        self.text == key || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(key))
    }
}

/// The fields that apply to an object, and those of the policy that cannot be read.
pub(super) fn compile(
    rules: &CompatRules<'_>,
    domain: &str,
    object: &ObjectRef,
) -> (Vec<Field>, Vec<String>) {
    let lists: &[List] = match rules.defaults {
        DefaultFields::Signature => &[],
        DefaultFields::Library => LIBRARY,
        DefaultFields::Kyverno => BOTH,
    };
    let annotations = SIGNATURE.iter().map(|name| format!("metadata.annotations.{domain}/{name}"));
    let shipped = lists.iter().filter(|list| list.takes(object)).flat_map(|list| list.fields);
    let covering = rules.fields.iter().filter(|field| field.covers(object));
    let own: Vec<&str> = covering.flat_map(|field| field.fields.iter().map(IgnorePath::text)).collect();
    let mut fields: Vec<Field> = annotations.map(|field| Field::new(&field)).collect();
    fields.extend(shipped.map(|field| Field::new(field)));
    fields.extend(own.iter().map(|field| Field::new(field)));
    let invalid =
        own.into_iter().filter(|text| Field::new(text).pattern.is_none()).map(str::to_owned).collect();
    (fields, invalid)
}

/// Fields of some kinds. No kinds: every kind.
struct List {
    group: Option<&'static str>,
    kinds: &'static [&'static str],
    fields: &'static [&'static str],
}

impl List {
    fn takes(&self, object: &ObjectRef) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&object.kind.as_str());
        kind && self.group.is_none_or(|group| group == object.group())
    }
}

const fn list(kinds: &'static [&'static str], fields: &'static [&'static str]) -> List {
    List { group: None, kinds, fields }
}

const SIGNATURE: &[&str] = &["message*", "signature*", "certificate*", "bundle*", "resourceBundleRef*"];

/// k8s-manifest-sigstore, `pkg/k8smanifest/resources/default-config.yaml`.
const LIBRARY: &[List] = &[
    LIBRARY_EVERY,
    SERVICE_ACCOUNT,
    list(&["Service"], &["spec.ports.*.nodePort", "spec.clusterIP", "spec.clusterIPs.0"]),
    list(&["Deployment"], &["metadata.annotations.deployment.kubernetes.io/revision"]),
    list(&["DaemonSet"], &["metadata.annotations.deprecated.daemonset.template.generation"]),
    ROUTE,
];

/// And Kyverno, `pkg/engine/resources/default-config.yaml`.
const BOTH: &[List] = &[
    LIBRARY_EVERY,
    SERVICE_ACCOUNT,
    ROUTE,
    list(
        &[],
        &[
            "metadata.namespace",
            "metadata.finalizers*",
            "metadata.annotations.control-plane.alpha.kubernetes.io/leader",
            "metadata.annotations.deprecated.daemonset.template.generation",
            "metadata.annotations.deployment.kubernetes.io/revision",
            "spec.containers.*.imagePullPolicy",
            "spec.containers.*.terminationMessagePath",
            "spec.containers.*.terminationMessagePolicy",
            "spec.dnsPolicy",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.terminationGracePeriodSeconds",
        ],
    ),
    list(
        &["Pod"],
        &[
            "spec.volumes.*.name",
            "spec.volumes.*.projected.*",
            "spec.volumes.*.configMap.defaultMode",
            "spec.containers.*.volumeMounts.*",
            "spec.tolerations.*",
            "spec.enableServiceLinks",
            "spec.preemptionPolicy",
            "spec.priority",
            "spec.serviceAccount",
        ],
    ),
    list(
        &["Deployment"],
        &[
            "spec.progressDeadlineSeconds",
            "spec.revisionHistoryLimit",
            "spec.strategy.*",
            "spec.template.metadata.creationTimestamp",
            "spec.containers.*.ports.*.protocol",
            "spec.containers.*.resources",
            "spec.securityContext",
        ],
    ),
    list(&["CustomResourceDefinition"], &["spec.conversion.strategy", "spec.names.listKind"]),
    list(
        &["Service"],
        &[
            "spec.ports.*.nodePort",
            "spec.clusterIP",
            "spec.clusterIPs.0",
            "spec.sessionAffinity",
            "spec.type",
            "spec.ipFamilies.*",
            "spec.ipFamilyPolicy",
            "spec.internalTrafficPolicy",
        ],
    ),
    list(
        &["ClusterPolicy", "Policy"],
        &[
            "metadata.annotations.pod-policies.kyverno.io/autogen-controllers",
            "spec.failurePolicy",
            "spec.background",
            "spec.validationFailureAction",
        ],
    ),
];

const LIBRARY_EVERY: List = list(
    &[],
    &[
        "metadata.annotations.cosign.sigstore.dev/resourceBundleRef",
        "metadata.annotations.cosign.sigstore.dev/signature",
        "metadata.annotations.cosign.sigstore.dev/message",
        "metadata.annotations.cosign.sigstore.dev/certificate",
        "metadata.annotations.cosign.sigstore.dev/bundle",
        "metadata.managedFields.*",
        "metadata.resourceVersion",
        "metadata.selfLink",
        "metadata.annotations.kubectl.kubernetes.io/last-applied-configuration",
        "metadata.annotations.namespace",
        "metadata.creationTimestamp",
        "metadata.generation",
        "metadata.uid",
        "metadata.finalizers",
        "metadata.labels.app.kubernetes.io/instance",
        "status",
    ],
);

const SERVICE_ACCOUNT: List = list(&["ServiceAccount"], &["secrets.*.name", "imagePullSecrets.*.name"]);

const ROUTE: List = List { group: Some("route.openshift.io"), kinds: &["Route"], fields: &["spec.host"] };
