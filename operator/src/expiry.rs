//! What ends by itself: certificates and trust roots. Told before it does.

use common::policy::{Authority, Body, Policy, Requirement};
use common::trust::TrustRoot;
use jiff::{SignedDuration, Timestamp};

use crate::certificate;

/// How long before a certificate ends its policy's author is told.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// When the next part of a trust root ends; of one that has ended as a whole, when that was. `None`: never.
#[must_use]
pub fn of_root(root: &TrustRoot, now: Timestamp) -> Option<Timestamp> {
    let ends = || root.parts().iter().filter_map(|part| part.until);
    ends().filter(|end| *end > now).min().or_else(|| {
        let goes_on = root.parts().iter().any(|part| part.until.is_none());
        ends().max().filter(|_| !goes_on)
    })
}

/// What is to be said about certificates in a policy that end soon, or have ended.
#[must_use]
pub fn warnings(policy: &Policy, now: Timestamp) -> Vec<String> {
    let mut warnings = Vec::new();
    for attestor in
        policy.rules.iter().flat_map(|rule| requirements(&rule.body)).flat_map(Requirement::attestors)
    {
        let texts = match &attestor.authority {
            Authority::Certificate(of) => [&of.cert, &of.chain],
            Authority::Keyless(keyless) => [&keyless.roots, &None],
            Authority::Key(_) | Authority::Unsupported { .. } => continue,
        };
        // What an expression gives is known only in a request.
        let texts = texts.into_iter().flatten().filter_map(|given| given.value().ok());
        let ends = texts.filter_map(|certificates| certificate::first_end(certificates.pem()).ok());
        if let Some(end) = ends.min().filter(|end| *end < now + SOON) {
            let ends = if end < now { "has ended" } else { "ends" };
            warnings.push(format!(
                "{}: a certificate {ends}, on {}",
                attestor.path,
                end.strftime("%Y-%m-%d")
            ));
        }
    }
    warnings.dedup();
    warnings
}

fn requirements(body: &Body) -> Vec<&Requirement> {
    match body {
        Body::Manifest(rule) => vec![&rule.requirement],
        Body::Images(rule) => {
            let entries = rule.entries.iter();
            let of = entries.flat_map(|entry| {
                entry
                    .requirement
                    .iter()
                    .chain(entry.attestations.iter().filter_map(|one| one.requirement.as_ref()))
            });
            of.collect()
        }
        Body::NotHandled { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use common::dialect::{Compiled, compile};
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use serde_json::json;

    use super::*;

    fn certificate(year: i32) -> String {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.not_after = date_time_ymd(year, 6, 15);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn certificates_that_end_soon_are_told() {
        let chain = certificate(2090) + &certificate(2030);
        let rule = json!({"name": "r", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]}, "verifyImages": [
            {"imageReferences": ["*"], "attestors": [{"entries": [{"certificates": {"certChain": chain}}]}]}]});
        let document = json!({"apiVersion": "kubectl-trust.io/v1alpha1", "kind": "ClusterTrustPolicy",
            "metadata": {"name": "a"}, "spec": {"autogenControllers": [], "rules": [rule]}});
        let Ok(Compiled::Policy(policy)) = compile(&document) else { panic!("a policy") };
        let at = |day: &str| warnings(&policy, format!("{day}T00:00:00Z").parse().unwrap());
        assert_eq!(at("2030-05-01"), [""; 0]);
        let path = "spec.rules[0].verifyImages[0].attestors[0].entries[0].certificates";
        assert_eq!(at("2030-06-01"), [format!("{path}: a certificate ends, on 2030-06-15")]);
        assert_eq!(at("2031-01-01"), [format!("{path}: a certificate has ended, on 2030-06-15")]);
    }

    #[test]
    fn the_next_end_of_a_trust_root_is_known() {
        let public: serde_json::Value =
            serde_json::from_str(TrustRoot::public_good().unwrap().json()).unwrap();
        let until = |list: &str, end: Option<&str>| {
            let mut log = public[list][0].clone();
            log["publicKey"]["validFor"] = json!({"start": "2020-01-01T00:00:00Z", "end": end});
            if end.is_none() {
                log["publicKey"]["validFor"].as_object_mut().unwrap().remove("end");
            }
            log
        };
        let root = |log, certificates| {
            let json = json!({"mediaType": public["mediaType"], "tlogs": [until("tlogs", log)],
                "ctlogs": [until("ctlogs", certificates)], "certificateAuthorities": [], "timestampAuthorities": []});
            TrustRoot::from_json(&json.to_string()).unwrap()
        };
        let (early, late) = ("2025-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        let at = |root: &TrustRoot, now: &str| of_root(root, now.parse().unwrap()).map(|end| end.to_string());
        let both = root(Some(early), Some(late));
        assert_eq!(at(&both, "2024-01-01T00:00:00Z").as_deref(), Some(early));
        assert_eq!(at(&both, "2026-01-01T00:00:00Z").as_deref(), Some(late));
        assert_eq!(at(&both, "2028-01-01T00:00:00Z").as_deref(), Some(late), "it has ended");
        assert_eq!(at(&root(Some(early), None), "2026-01-01T00:00:00Z"), None);
    }
}
