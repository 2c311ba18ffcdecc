//! The question of the `ImagePolicyWebhook` admission plugin: an `ImageReview` of `imagepolicy.k8s.io/v1alpha1`
//! (Kubernetes, "Admission Control in Kubernetes", `ImagePolicyWebhook`).
//!
//! It is built into the API server, so it also guards a cluster that has no webhooks yet. It sends the images of a
//! Pod and its namespace and nothing else: no name, no labels, no user, no image volumes. So only rules that need no
//! more apply, and nothing can be pinned. Its annotations are whatever the author of the Pod wrote, and are not looked
//! at.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use common::policy::{OnFault, Operation};

use super::admit::{self, Engine};
use super::respond::{self, Unjudged};
use super::review::{Request, Response, ReviewError};
use super::{Deadline, Phase, Route};

/// The path that is served.
pub const PATH: &str = "/image-policy";

const API_VERSION: &str = "imagepolicy.k8s.io/v1alpha1";
const KIND: &str = "ImageReview";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    spec: Option<Spec>,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    containers: Vec<Container>,
    #[serde(default)]
    namespace: String,
}

#[derive(Deserialize)]
struct Container {
    image: String,
}

/// Reads a review as a request for the Pod that it describes.
///
/// # Errors
/// [`ReviewError`] where there is nothing that could be answered.
pub fn read(body: &[u8]) -> Result<Request, ReviewError> {
    let Review { api_version, kind, spec } = serde_json::from_slice(body)?;
    if api_version != API_VERSION || kind != KIND {
        return Err(ReviewError::Version { expected: API_VERSION, api_version, kind });
    }
    let Spec { containers, namespace } = spec.ok_or(ReviewError::Empty)?;
    if containers.is_empty() {
        return Err(ReviewError::Empty);
    }
    let container = |(index, Container { image }): (usize, Container)| -> Value {
        json!({"name": format!("container-{index}"), "image": image})
    };
    let containers: Vec<_> = containers.into_iter().enumerate().map(container).collect();
    Ok(Request {
        uid: String::new(),
        operation: Operation::Create,
        subresource: String::new(),
        name: String::new(),
        // Nobody knows: a rule about users is about everybody then, and leaves nobody out.
        user: None,
        dry_run: false,
        object: json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace},
            "spec": {"containers": containers}}),
        old_object: None,
        namespace,
    })
}

/// Judges the Pod by all policies, a failure policy at a time; the first refusal is the answer, and the audit log keeps
/// what all of them said. This plugin of the API server evaluates no conditions, so all policies that have some apply.
pub async fn admit(request: &Request, deadline: Deadline, engine: &Engine) -> Response {
    // One set for all of them. Attack: policies that change in between, so that one is asked neither where it was nor
    // where it is.
    let Some(snapshot) = engine.snapshots.current() else {
        return respond::unjudged(request, Unjudged::NotReady, OnFault::Refuse);
    };
    let (mut decisions, mut refusal) = (Vec::new(), None);
    for (on_fault, group) in snapshot.all_together() {
        let route = Route { phase: Phase::Validate, on_fault, group };
        // Nobody says who asks.
        let of_group = admit::decide((request, None), route, deadline, &snapshot, engine).await;
        let response = respond::validated(request, &of_group, on_fault);
        refusal = refusal.or_else(|| Some(response).filter(|response| !response.allowed));
        decisions.extend(of_group);
    }
    engine.metrics.decided(&decisions);
    let answer = refusal.unwrap_or_else(|| Response { allowed: true, code: 200, ..Response::default() });
    Response { audit: respond::audit(&decisions), ..answer }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    status: Status<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    audit_annotations: &'a std::collections::BTreeMap<&'static str, String>,
}

/// The bytes of the answer.
///
/// # Errors
/// Never with what is in it: texts.
pub fn to_bytes(response: &Response) -> serde_json::Result<Vec<u8>> {
    let status = Status {
        allowed: response.allowed,
        reason: response.message.as_deref(),
        audit_annotations: &response.audit,
    };
    serde_json::to_vec(&Answer { api_version: API_VERSION, kind: KIND, status })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(spec: &Value) -> Vec<u8> {
        json!({"apiVersion": API_VERSION, "kind": KIND, "spec": spec}).to_string().into_bytes()
    }

    #[test]
    fn a_review_is_a_pod() {
        let spec = json!({"containers": [{"image": "a:1"}, {"image": "b"}], "namespace": "shop",
            "annotations": {"break-glass.image-policy.k8s.io/ticket": "1"}});
        let request = read(&review(&spec)).unwrap();
        assert_eq!((request.namespace.as_str(), request.operation), ("shop", Operation::Create));
        assert_eq!(request.object.pointer("/spec/containers/1/image"), Some(&json!("b")));
        assert!(
            !request.object.to_string().contains("break-glass"),
            "what the author of a Pod wrote loosens nothing"
        );
    }

    #[test]
    fn what_is_no_review_has_no_answer() {
        for body in [
            b"".to_vec(),
            review(&Value::Null),
            review(&json!({"containers": []})),
            review(&json!({"containers": [{}]})),
            json!({"apiVersion": "v1", "kind": KIND}).to_string().into_bytes(),
        ] {
            assert!(read(&body).is_err(), "{}", String::from_utf8_lossy(&body));
        }
    }
}
