//! Policies and what belongs to them, for clusters that take only signed ones: what their definitions fill in, and the
//! status that whoever enforces them writes. Every value is what the field means where it is absent, so that no rule
//! says anything else for having gained it.

use super::Rule::{Ctl, Flag, Int, Text};
use super::{Kind, Row, kind, row, rules};

const GROUP: &str = "kubectl-trust.io";
const KYVERNO: &str = "kyverno.io";

pub(super) const KINDS: &[Kind] = &[
    kind(GROUP, "ClusterTrustPolicy", OURS),
    kind(GROUP, "TrustPolicy", OURS),
    kind(GROUP, "TrustRoot", &[STATUS]),
    kind(KYVERNO, "ClusterPolicy", KYVERNOS),
    kind(KYVERNO, "Policy", KYVERNOS),
];

/// It says nothing that anybody judges by; the API server takes it at a path of its own only.
const STATUS: Row = row("status", Ctl(rules::various::any_map));

/// `operator/deploy/crd`.
const OURS: &[Row] = &[
    STATUS,
    row("spec.failureAction", Text("Enforce")),
    row("spec.failurePolicy", Text("Fail")),
    row("spec.judgeUpdates", Text("Starting")),
    row("spec.timeoutSeconds", Int(10)),
    row("spec.background", Flag(true)),
    row("spec.rules[].verifyImages[].{signatureFormat,signedReference}", Text("Any")),
    row("spec.rules[].verifyImages[].verifyDigest", Flag(true)),
    row("spec.rules[].validate.manifests.annotationDomain", Text("cosign.sigstore.dev")),
    row("spec.rules[].validate.manifests.matching", Text("Strict")),
];

/// `spec/kyverno.md` 1.2, 1.3, 1.5, 1.7.
const KYVERNOS: &[Row] = &[
    STATUS,
    row("spec.{admission,background}", Flag(true)),
    row("spec.emitWarning", Flag(false)),
    row("spec.validationFailureAction", Text("Audit")),
    row("spec.rules[].skipBackgroundRequests", Flag(true)),
    row("spec.rules[].validate.allowExistingViolations", Flag(true)),
    row("spec.rules[].verifyImages[].{mutateDigest,verifyDigest,required,useCache}", Flag(true)),
];
