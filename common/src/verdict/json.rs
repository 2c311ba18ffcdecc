//! The JSON verdict, a stable contract (`kubectl-trust.io/v1alpha1`).

use serde_json::{Map, Value, json};

use super::{Check, Decision, Outcome, Pin, Reason, Subject, Verdict, Voice};
use crate::signer::Signer;

/// The whole verdict.
#[must_use]
pub fn to_json(verdict: &Verdict) -> Value {
    json!({
        "apiVersion": "kubectl-trust.io/v1alpha1",
        "kind": "Verdict",
        "outcome": verdict.outcome().word(),
        "summary": {
            "pass": verdict.count(Outcome::Pass), "fail": verdict.count(Outcome::Fail),
            "skip": verdict.count(Outcome::Skip), "fault": verdict.count(Outcome::Fault),
        },
        "results": verdict.decisions.iter().map(decision_json).collect::<Vec<_>>(),
    })
}

/// One decision.
#[must_use]
pub fn decision_json(decision: &Decision) -> Value {
    let mut result = Map::new();
    result.insert("subject".to_owned(), subject(&decision.subject));
    if let Some(by) = &decision.by {
        result.insert("policy".to_owned(), json!(*by.policy));
        result.insert("rule".to_owned(), json!(*by.rule));
        result.insert("enforced".to_owned(), json!(by.enforced));
    }
    result.insert("outcome".to_owned(), json!(decision.outcome().word()));
    let voice = Voice::of(decision);
    result.insert("reason".to_owned(), reason(&decision.check, &decision.subject, voice));
    result.insert("signers".to_owned(), decision.signers.iter().map(signer).collect());
    if !decision.warnings.is_empty() {
        result.insert("warnings".to_owned(), json!(decision.warnings));
    }
    if let Reason::ImageVerified { digest, .. } | Reason::ImageRefused { digest: Some(digest), .. } =
        decision.headline()
    {
        result.insert("digest".to_owned(), json!(digest));
    }
    if !decision.payloads.is_empty() {
        let payloads = decision.payloads.iter().map(|payload| payload.to_json());
        result.insert("payloads".to_owned(), payloads.collect());
    }
    if !decision.pins.is_empty() {
        let pin = |pin: &Pin| json!({"path": pin.path.to_string(), "from": pin.from, "to": pin.to});
        result.insert("pins".to_owned(), decision.pins.iter().map(pin).collect());
    }
    result.insert("checks".to_owned(), json!([check(&decision.check, &decision.subject, voice)]));
    Value::Object(result)
}

fn subject(subject: &Subject) -> Value {
    let object = &subject.object;
    json!({
        "type": subject.kind.word(), "source": subject.source,
        "apiVersion": object.api_version, "kind": object.kind, "namespace": object.namespace, "name": object.name,
    })
}

fn check(node: &Check, of: &Subject, voice: Voice) -> Value {
    let children: Vec<_> = node.children.iter().map(|child| check(child, of, voice)).collect();
    let mut value = json!({
        "what": node.what, "outcome": node.outcome.word(), "reason": reason(node, of, voice), "children": children,
    });
    if let (Some(path), Value::Object(map)) = (&node.path, &mut value) {
        map.insert("policyPath".to_owned(), json!(path.to_string()));
    }
    value
}

fn reason(node: &Check, of: &Subject, voice: Voice) -> Value {
    let reason = &node.reason;
    let hint = reason.hint(of, node.signers(), voice);
    let mut value = Map::new();
    value.insert("code".to_owned(), json!(reason.code()));
    value.insert("message".to_owned(), json!(reason.to_string()));
    for (name, text) in [("expected", reason.expected()), ("found", reason.found()), ("hint", hint)] {
        if let Some(text) = text {
            value.insert(name.to_owned(), json!(text));
        }
    }
    if let Reason::ManifestDiffers { changes, names, omitted, suggested, .. } = reason {
        let shown = changes.iter().zip(names).map(|(change, name)| {
            json!({"path": change.path.to_string(), "field": name, "signed": change.signed, "found": change.found})
        });
        value.insert("differences".to_owned(), shown.collect());
        value.insert("omitted".to_owned(), json!(omitted));
        value.insert("ignoreFields".to_owned(), json!(suggested));
    }
    if let Reason::ManifestMatches { except, .. } = reason
        && !except.is_empty()
    {
        let shown = except.iter().map(
            |change| json!({"path": change.path.to_string(), "signed": change.signed, "found": change.found}),
        );
        value.insert("ignored".to_owned(), shown.collect());
    }
    if let Reason::ThresholdNotMet { missing, .. } = reason.itself()
        && !missing.is_empty()
    {
        value.insert("missing".to_owned(), json!(missing));
    }
    Value::Object(value)
}

fn signer(signer: &Signer) -> Value {
    match signer {
        Signer::Key { fingerprint } => json!({"kind": "key", "fingerprint": fingerprint}),
        Signer::Keyless { subject, issuer, .. } => {
            json!({"kind": "keyless", "subject": subject, "issuer": issuer})
        }
        Signer::Certificate { subject, fingerprint } => {
            json!({"kind": "certificate", "subject": subject, "fingerprint": fingerprint})
        }
    }
}
