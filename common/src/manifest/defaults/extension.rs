//! Kinds that extend the API server: custom resources, webhooks, admission policies, flow control.

use super::Rule::{Calc, Empty, Int, Json, Opaque, Text, Zero};
use super::{Kind, Row, kind, row, rules};

pub(super) const KINDS: &[Kind] = &[
    kind("apiextensions.k8s.io", "CustomResourceDefinition", DEFINITION),
    kind("apiregistration.k8s.io", "APIService", &[row("spec.service.port", Int(443))]),
    kind("admissionregistration.k8s.io", "MutatingWebhookConfiguration", MUTATING),
    kind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", VALIDATING),
    kind("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", ADMISSION_POLICY),
    kind("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", POLICY_BINDING),
    kind(
        "flowcontrol.apiserver.k8s.io",
        "FlowSchema",
        &[row("spec.matchingPrecedence", Int(1000)).or_zero()],
    ),
    kind("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", PRIORITY_LEVEL),
    kind("apps", "ControllerRevision", &[row("data", Opaque)]),
    kind("resource.k8s.io", "ResourceClaim", &[row("spec.devices.config[].opaque.parameters", Opaque)]),
    kind(
        "resource.k8s.io",
        "ResourceClaimTemplate",
        &[row("spec.spec.devices.config[].opaque.parameters", Opaque)],
    ),
    kind("resource.k8s.io", "DeviceClass", &[row("spec.config[].opaque.parameters", Opaque)]),
];

const DEFINITION: &[Row] = &[
    row("spec.names.listKind", Calc(rules::various::list_kind)).or_zero(),
    row("spec.names.singular", Calc(rules::various::singular)).or_zero(),
    row("spec.conversion", Json(r#"{"strategy": "None"}"#)),
    row("spec.preserveUnknownFields", Zero),
    // A schema may name a property `limits` or `labels`, whose `{}` means "anything": nothing is dropped.
    row("spec.versions[].schema.openAPIV3Schema", Opaque),
];

const MUTATING: &[Row] = &[
    row("webhooks[].failurePolicy", Text("Fail")),
    row("webhooks[].matchPolicy", Text("Equivalent")),
    row("webhooks[].timeoutSeconds", Int(10)),
    row("webhooks[].rules[].scope", Text("*")),
    row("webhooks[].reinvocationPolicy", Text("Never")),
    row("webhooks[].{namespaceSelector,objectSelector}", Empty),
    row("webhooks[].clientConfig.service.port", Int(443)),
];

const VALIDATING: &[Row] = &[
    row("webhooks[].failurePolicy", Text("Fail")),
    row("webhooks[].matchPolicy", Text("Equivalent")),
    row("webhooks[].timeoutSeconds", Int(10)),
    row("webhooks[].rules[].scope", Text("*")),
    row("webhooks[].{namespaceSelector,objectSelector}", Empty),
    row("webhooks[].clientConfig.service.port", Int(443)),
];

const ADMISSION_POLICY: &[Row] = &[
    row("spec.failurePolicy", Text("Fail")),
    row("spec.matchConstraints.matchPolicy", Text("Equivalent")),
    row("spec.matchConstraints.{namespaceSelector,objectSelector}", Empty),
    row("spec.matchConstraints.{resourceRules,excludeResourceRules}[].scope", Text("*")),
];

const POLICY_BINDING: &[Row] = &[
    row("spec.matchResources.matchPolicy", Text("Equivalent")),
    row("spec.matchResources.{namespaceSelector,objectSelector}", Empty),
    row("spec.matchResources.{resourceRules,excludeResourceRules}[].scope", Text("*")),
];

const PRIORITY_LEVEL: &[Row] =
    &[row("spec.limited.lendablePercent", Int(0)), row("spec.limited.nominalConcurrencyShares", Int(30))];
