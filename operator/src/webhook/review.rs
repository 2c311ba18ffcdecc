//! The envelope of admission: an `AdmissionReview` of `admission.k8s.io/v1`, bytes to a request and an answer
//! to bytes.
//!
//! Only the envelope is read into a struct. Objects stay untyped trees, because a struct would drop the fields
//! that it does not know.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::policy::{Operation, UserInfo};
use common::yaml;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The version that is spoken. `v1beta1` left Kubernetes with 1.22.
const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// A request of the API server.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the API server calls the request; the answer repeats it.
    pub uid: String,
    /// What is asked.
    pub operation: Operation,
    /// `ephemeralcontainers`, `scale`, …; empty for the object itself.
    pub subresource: String,
    /// The namespace; empty for objects of the cluster.
    pub namespace: String,
    /// The object's name; empty where the API server has yet to make one.
    pub name: String,
    /// Who asks; `None` where nobody says so.
    pub user: Option<UserInfo>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// The object; `null` on DELETE.
    pub object: Value,
    /// The object before.
    pub old_object: Option<Value>,
}

/// Why there is no request to answer.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Not JSON, or not the JSON of a review.
    #[error("not a review: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another kind or version.
    #[error("a review of {expected} is expected, found kind `{kind}` of apiVersion `{api_version}`")]
    Version {
        /// The version that is spoken.
        expected: &'static str,
        /// Its `apiVersion`.
        api_version: String,
        /// Its `kind`.
        kind: String,
    },
    /// A review that asks nothing.
    #[error("the review asks nothing")]
    Empty,
    /// No name that an answer could repeat.
    #[error("the request has no uid")]
    NoUid,
    /// An operation that is none.
    #[error("unknown operation `{0}`")]
    Operation(String),
}

/// A request that can be answered, and an object that may be unreadable.
pub type Read = Result<Request, Unreadable>;

/// The object of a request cannot be read: no policy can be asked, so it is refused whatever they say.
///
/// Attack: an object that the policies' reader does not take and the API server does must not pass by as a
/// fault that a policy allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The request.
    pub uid: String,
    /// Which object, and what about it.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'e> {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(borrow, default)]
    request: Option<Wire<'e>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'e> {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    sub_resource: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    user_info: WireUser,
    #[serde(default)]
    dry_run: Option<bool>,
    #[serde(borrow, default)]
    object: Option<&'e RawValue>,
    #[serde(borrow, default)]
    old_object: Option<&'e RawValue>,
}

#[derive(Default, Deserialize)]
struct WireUser {
    #[serde(default)]
    username: String,
    #[serde(default)]
    groups: Vec<String>,
}

impl Request {
    /// Reads a review.
    ///
    /// # Errors
    /// [`ReviewError`] where there is nothing that could be answered.
    pub fn read(body: &[u8]) -> Result<Read, ReviewError> {
        let Envelope { api_version, kind, request } = serde_json::from_slice(body)?;
        if api_version != API_VERSION || kind != KIND {
            return Err(ReviewError::Version { expected: API_VERSION, api_version, kind });
        }
        let wire = request.ok_or(ReviewError::Empty)?;
        if wire.uid.is_empty() {
            return Err(ReviewError::NoUid);
        }
        let Some(operation) = Operation::parse(&wire.operation) else {
            return Err(ReviewError::Operation(wire.operation));
        };
        let (object, old_object) = match (tree("object", wire.object), tree("oldObject", wire.old_object)) {
            (Ok(object), Ok(old)) => (object, old),
            (Err(problem), _) | (_, Err(problem)) => {
                return Ok(Err(Unreadable { uid: wire.uid, problem }));
            }
        };
        // Attack A42: what names no kind is about no rule, and would pass all of them.
        if matches!(operation, Operation::Create | Operation::Update)
            && !object.as_ref().is_some_and(is_typed)
        {
            let problem = "object: it has no apiVersion and kind".to_owned();
            return Ok(Err(Unreadable { uid: wire.uid, problem }));
        }
        let WireUser { username, groups } = wire.user_info;
        Ok(Ok(Self {
            uid: wire.uid,
            operation,
            subresource: wire.sub_resource,
            namespace: wire.namespace.unwrap_or_default(),
            name: wire.name,
            user: Some(UserInfo { username, groups, ..UserInfo::default() }),
            dry_run: wire.dry_run.unwrap_or(false),
            object: object.unwrap_or(Value::Null),
            old_object,
        }))
    }
}

fn is_typed(object: &Value) -> bool {
    let named = |field: &str| object.get(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    named("apiVersion") && named("kind")
}

fn tree(what: &str, raw: Option<&RawValue>) -> Result<Option<Value>, String> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(None) };
    let value = yaml::read_json(raw.get().as_bytes()).map_err(|error| format!("{what}: {error}"))?;
    if value.is_object() { Ok(Some(value)) } else { Err(format!("{what}: not an object")) }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// Whether the request may go on.
    pub allowed: bool,
    /// Why not, for whoever asked.
    pub message: Option<String>,
    /// The HTTP status that whoever asked gets with a refusal; 403 where policies refuse.
    pub code: u16,
    /// What whoever asked is told in any case.
    pub warnings: Vec<String>,
    /// What the audit log of the API server keeps.
    pub audit: BTreeMap<&'static str, String>,
    /// What to change: a JSON patch (RFC 6902).
    pub patch: Vec<PatchStep>,
}

/// One step of a JSON patch: another value in the place of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PatchStep {
    op: &'static str,
    /// A JSON pointer.
    path: String,
    value: String,
}

impl PatchStep {
    /// Another text in the place of one.
    #[must_use]
    pub fn replace(path: String, value: String) -> Self {
        Self { op: "replace", path, value }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: AnswerBody<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerBody<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: &'a BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
}

#[derive(Serialize)]
struct Status<'a> {
    #[serde(rename = "status")]
    word: &'static str,
    code: u16,
    reason: &'static str,
    message: &'a str,
}

impl Response {
    /// The bytes of the review that answers the request `uid`.
    ///
    /// # Errors
    /// Never with what is in it: texts and numbers.
    pub fn to_bytes(&self, uid: &str) -> serde_json::Result<Vec<u8>> {
        let reason = if self.code == 403 { "Forbidden" } else { "Invalid" };
        let status = self.message.as_deref().map(|message| Status {
            word: "Failure",
            code: self.code,
            reason,
            message,
        });
        let patch = match self.patch.as_slice() {
            [] => None,
            patch => Some(STANDARD.encode(serde_json::to_vec(patch)?)),
        };
        serde_json::to_vec(&Answer {
            api_version: API_VERSION,
            kind: KIND,
            response: AnswerBody {
                uid,
                allowed: self.allowed,
                status,
                warnings: &self.warnings,
                audit_annotations: &self.audit,
                patch_type: patch.as_ref().map(|_| "JSONPatch"),
                patch,
            },
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A request as the API server would send it.
    pub(in crate::webhook) fn request(operation: &str, object: &Value, old: Option<&Value>) -> Request {
        let namespace = object.pointer("/metadata/namespace");
        let body = review(&json!({"uid": "u", "operation": operation, "object": object, "oldObject": old,
            "namespace": namespace, "userInfo": {"username": "dev"}}));
        Request::read(&body).unwrap().unwrap()
    }

    fn review(request: &Value) -> Vec<u8> {
        json!({"apiVersion": API_VERSION, "kind": KIND, "request": request}).to_string().into_bytes()
    }

    #[test]
    fn a_request_is_read() {
        let request = json!({"uid": "u", "operation": "UPDATE", "subResource": "ephemeralcontainers",
            "namespace": "shop", "name": "web", "dryRun": true, "object": {"apiVersion": "v1", "kind": "Pod"}, "oldObject": {},
            "userInfo": {"username": "dev", "groups": ["a"], "extra": {"x": ["y"]}}, "unknown": 1});
        let read = Request::read(&review(&request)).unwrap().unwrap();
        assert_eq!((read.uid.as_str(), read.operation), ("u", Operation::Update));
        assert_eq!((read.subresource.as_str(), read.namespace.as_str()), ("ephemeralcontainers", "shop"));
        assert_eq!((read.name.as_str(), read.dry_run), ("web", true));
        let user = read.user.unwrap();
        assert_eq!((user.username.as_str(), user.groups), ("dev", vec!["a".to_owned()]));
        assert_eq!(read.object, json!({"apiVersion": "v1", "kind": "Pod"}));
        assert_eq!(read.old_object, Some(json!({})));
        let removal =
            json!({"uid": "u", "operation": "DELETE", "object": null, "oldObject": {"kind": "Pod"}});
        let read = Request::read(&review(&removal)).unwrap().unwrap();
        assert_eq!((read.object, read.old_object), (Value::Null, Some(json!({"kind": "Pod"}))));
    }

    /// Attack A42.
    #[test]
    fn a42_reviews_that_are_none_have_no_answer() {
        let version = |version: &str| json!({"apiVersion": version, "kind": KIND, "request": {"uid": "u"}});
        let cases: [(Vec<u8>, &str); 8] = [
            (b"".to_vec(), "not a review"),
            (b"{".to_vec(), "not a review"),
            (b"[]".to_vec(), "kind ``"),
            (version("admission.k8s.io/v1beta1").to_string().into_bytes(), "v1beta1"),
            (version("").to_string().into_bytes(), "expected"),
            (review(&Value::Null), "asks nothing"),
            (review(&json!({"operation": "CREATE"})), "no uid"),
            (review(&json!({"uid": "u", "operation": "PATCH"})), "PATCH"),
        ];
        for (body, expected) in cases {
            let error = Request::read(&body).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    /// Attack A42: what the API server would take and we do not read.
    #[test]
    fn a42_an_object_that_cannot_be_read_is_known_by_its_request() {
        let deep = format!("{}{}", "{\"a\":".repeat(200), "1".to_owned() + &"}".repeat(200));
        for object in ["[]", "1", "\"text\"", r#"{"a":1,"a":2}"#, deep.as_str()] {
            for place in ["object", "oldObject"] {
                let body = format!(
                    r#"{{"apiVersion":"{API_VERSION}","kind":"{KIND}","request":{{"uid":"u","operation":"CREATE","{place}":{object}}}}}"#
                );
                let unreadable = Request::read(body.as_bytes()).unwrap().unwrap_err();
                assert_eq!(unreadable.uid, "u");
                assert!(unreadable.problem.starts_with(place), "{}", unreadable.problem);
            }
        }
    }

    /// Attack A42: an object that is missing, or names no kind.
    #[test]
    fn a42_an_object_without_a_kind_is_unreadable() {
        let untyped =
            [Value::Null, json!({}), json!({"kind": "Pod"}), json!({"apiVersion": "v1", "kind": ""})];
        for (operation, object) in
            ["CREATE", "UPDATE"].iter().flat_map(|one| untyped.iter().map(move |it| (one, it)))
        {
            let request = json!({"uid": "u", "operation": operation, "object": object});
            let unreadable = Request::read(&review(&request)).unwrap().unwrap_err();
            assert!(unreadable.problem.contains("no apiVersion and kind"), "{operation} {object}");
        }
    }

    #[test]
    fn answers_have_the_shape_that_the_api_server_reads() {
        let read = |response: &Response| -> Value {
            serde_json::from_slice(&response.to_bytes("u").unwrap()).unwrap()
        };
        let allowed = Response { allowed: true, code: 200, ..Response::default() };
        assert_eq!(
            read(&allowed),
            json!({"apiVersion": API_VERSION, "kind": KIND, "response": {"uid": "u", "allowed": true}})
        );
        let refused = Response {
            message: Some("no".into()),
            code: 403,
            warnings: vec!["w".into()],
            audit: BTreeMap::from([("outcome", "fail".to_owned())]),
            ..Response::default()
        };
        assert_eq!(
            read(&refused)["response"],
            json!({"uid": "u", "allowed": false, "warnings": ["w"], "auditAnnotations": {"outcome": "fail"},
                "status": {"status": "Failure", "code": 403, "reason": "Forbidden", "message": "no"}})
        );
        let patch = vec![PatchStep::replace("/spec/a~1b".into(), "x".into())];
        let patched = read(&Response { patch, ..allowed });
        assert_eq!(patched["response"]["patchType"], "JSONPatch");
        let patch = STANDARD.decode(patched["response"]["patch"].as_str().unwrap()).unwrap();
        let patch: Value = serde_json::from_slice(&patch).unwrap();
        assert_eq!(patch, json!([{"op": "replace", "path": "/spec/a~1b", "value": "x"}]));
    }
}
