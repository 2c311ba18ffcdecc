//! HTTP: accept, bounds, deadline; bytes in, bytes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::Request as HttpRequest;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response as HttpResponse};
use axum::routing::post;
use common::policy::OnFault;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, error, info};

use super::admit::{Engine, admit};
use super::gate::{Gate, REVIEW_BYTES, Room};
use super::respond::{self, Unjudged};
use super::review::{Request, Response, ReviewError};
use super::{Deadline, Route, admit_policy, image_review};
use crate::clock;
use crate::expiry;
use crate::metrics::{Ended, Metrics, Now};
use crate::supervision::{Observer, Supervision};

/// What every request is answered with.
pub struct Server {
    engine: Arc<Engine>,
    gate: Gate,
    ending: AtomicBool,
    supervision: Supervision,
}

impl Observer for Server {
    fn supervision(&self) -> &Supervision {
        &self.supervision
    }

    fn metrics(&self) -> &Metrics {
        &self.engine.metrics
    }
}

impl Server {
    /// A server that judges with `engine`.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine: Arc::new(engine),
            gate: Gate::default(),
            ending: AtomicBool::new(false),
            supervision: Supervision::default(),
        }
    }

    /// What it judges with.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Why it should get no requests; `None` where it should.
    #[must_use]
    pub fn not_ready(&self) -> Option<&'static str> {
        if self.ending.load(Ordering::Relaxed) {
            return Some("ending\n");
        }
        self.engine.snapshots.current().is_none().then_some("the policies are not loaded yet\n")
    }

    /// No longer ready; requests that come all the same are answered.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// The metrics, as text.
    ///
    /// # Errors
    /// Never: they are written into memory.
    pub fn metrics(&self) -> Result<String, std::fmt::Error> {
        let snapshot = self.engine.snapshots.current();
        let policies = snapshot.as_ref().map(|snapshot| snapshot.len()).unwrap_or_default();
        let named = snapshot.iter().flat_map(|snapshot| &snapshot.trust_roots);
        let named = named.map(|(name, root)| (Arc::<str>::from(name.as_str()), root));
        let configured = self.engine.world.trust_root.iter().map(|root| (Arc::default(), root));
        let now = clock::now();
        let roots =
            configured.chain(named).filter_map(|(name, root)| Some((name, expiry::of_root(root, now)?)));
        let roots = roots.collect();
        let registries = &self.engine.world.registries;
        let (answers, traffic, kept_bytes) =
            (registries.stats(), registries.traffic(), registries.kept_bytes());
        self.engine.metrics.text(Now {
            in_flight: self.gate.inside(),
            policies,
            answers,
            traffic,
            kept_bytes,
            roots,
        })
    }
}

/// The routes of admission.
pub fn router(server: &Arc<Server>) -> Router {
    let mut router = Router::new();
    let routes = Route::ALL.iter().map(|(path, route)| (*path, Asked::Object(*route)));
    let others = [(admit_policy::PATH, Asked::Policy), (image_review::PATH, Asked::Images)];
    for (path, asked) in routes.chain(others) {
        let server = Arc::clone(server);
        let handler = move |request: HttpRequest| async move { review(&server, asked, request).await };
        router = router.route(path, post(handler));
    }
    for (path, route) in Route::ALL {
        let server = Arc::clone(server);
        let handler = move |Path(group): Path<String>, request: HttpRequest| async move {
            match group.parse() {
                Ok(group) => {
                    review(&server, Asked::Object(Route { group: Some(group), ..route }), request).await
                }
                Err(_) => StatusCode::NOT_FOUND.into_response(),
            }
        };
        router = router.route(&format!("{path}/{{group}}"), post(handler));
    }
    router
}

/// What is asked at a path.
#[derive(Clone, Copy)]
enum Asked {
    /// Whether an object may be stored, or what of it to pin.
    Object(Route),
    /// Whether a policy may be written.
    Policy,
    /// Whether some images may run.
    Images,
}

impl Asked {
    /// The label of metrics and logs.
    fn word(self) -> &'static str {
        match self {
            Self::Object(route) => route.phase.as_str(),
            Self::Policy => "policy",
            Self::Images => "images",
        }
    }
}

/// Why there is no review to answer.
struct NoReview(StatusCode, String);

async fn review(server: &Server, asked: Asked, request: HttpRequest) -> HttpResponse {
    let began = Instant::now();
    let deadline = Deadline::new(began, Deadline::timeout_in(request.uri().query().unwrap_or_default()));
    let (parts, body) = request.into_parts();
    let read = read(server, &parts.headers, body, deadline).await;
    let answer = match read {
        Ok((body, _room)) => answer(server, asked, &body, (began, deadline)).await,
        Err(why) => Err(why),
    };
    match answer {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(NoReview(status, why)) => {
            info!(%status, why, "a request that is no review");
            (status, why + "\n").into_response()
        }
    }
}

/// The body, within its bounds, and the room that it takes.
///
/// Attacks: a body without end, a byte a second, two hundred of the largest size at once (A35, A42, A50).
async fn read(
    server: &Server,
    headers: &HeaderMap,
    mut body: Body,
    deadline: Deadline,
) -> Result<(Vec<u8>, Room), NoReview> {
    let refuse = |status, why: &str| NoReview(status, why.to_owned());
    let json =
        headers.get(header::CONTENT_TYPE).is_some_and(|of| of.as_bytes().starts_with(b"application/json"));
    if !json {
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a review is application/json"));
    }
    let (mut read, mut room) = (Vec::new(), server.gate.room());
    loop {
        let Ok(frame) = timeout_at(deadline.questions, body.frame()).await else {
            return Err(refuse(StatusCode::REQUEST_TIMEOUT, "the review did not arrive in time"));
        };
        let Some(frame) = frame else { return Ok((read, room)) };
        let broken = |error| NoReview(StatusCode::BAD_REQUEST, format!("the review broke off: {error}"));
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if read.len() + data.len() > REVIEW_BYTES {
            return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "the review is larger than 8 MiB"));
        }
        if !room.grow(read.len() + data.len(), deadline.questions).await {
            return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "overloaded: no room for the review"));
        }
        read.extend_from_slice(&data);
    }
}

async fn answer(
    server: &Server,
    asked: Asked,
    body: &[u8],
    (began, deadline): (Instant, Deadline),
) -> Result<Vec<u8>, NoReview> {
    let no_review = |error: ReviewError| NoReview(StatusCode::BAD_REQUEST, error.to_string());
    let defect = |error: serde_json::Error| NoReview(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let (bytes, ended) = if let Asked::Images = asked {
        let request = image_review::read(body).map_err(no_review)?;
        let (response, ended) = judge(server, asked, request, deadline).await;
        (image_review::to_bytes(&response), ended)
    } else {
        match Request::read(body).map_err(no_review)? {
            Ok(request) => {
                let uid = request.uid.clone();
                let (response, ended) = judge(server, asked, request, deadline).await;
                (response.to_bytes(&uid), ended)
            }
            Err(unreadable) => {
                let response = respond::unreadable(&unreadable);
                (response.to_bytes(&unreadable.uid), Ended::Unjudged("input-unreadable"))
            }
        }
    };
    let took = began.elapsed();
    server.engine.metrics.answered(asked.word(), ended, took);
    debug!(phase = asked.word(), ?ended, ?took, "answered");
    bytes.map_err(defect)
}

/// Judges in a task of its own: whatever it does, the answer is there in time.
async fn judge(server: &Server, asked: Asked, request: Request, deadline: Deadline) -> (Response, Ended) {
    let on_fault = match asked {
        Asked::Object(route) => route.on_fault,
        Asked::Policy | Asked::Images => OnFault::Refuse,
    };
    let unjudged = |request: &Request, why: Unjudged| {
        (respond::unjudged(request, why, on_fault), Ended::Unjudged(why.code()))
    };
    let Some(_place) = server.gate.enter() else { return unjudged(&request, Unjudged::Overloaded) };
    let (request, engine) = (Arc::new(request), Arc::clone(&server.engine));
    let task = tokio::spawn(ask(Arc::clone(&request), asked, deadline, engine));
    let abort = task.abort_handle();
    match timeout_at(deadline.answer, task).await {
        Ok(Ok(response)) => {
            log(&request, asked, &response);
            let ended = if response.allowed { Ended::Allowed } else { Ended::Denied };
            (response, ended)
        }
        Ok(Err(panic)) => {
            error!(uid = request.uid, %panic, "a request could not be judged because of a defect");
            unjudged(&request, Unjudged::Defect)
        }
        Err(_) => {
            abort.abort();
            unjudged(&request, Unjudged::Deadline)
        }
    }
}

async fn ask(request: Arc<Request>, asked: Asked, deadline: Deadline, engine: Arc<Engine>) -> Response {
    match asked {
        Asked::Object(route) => admit(&request, route, deadline, &engine).await,
        Asked::Policy => admit_policy::admit(&request, deadline, &engine).await,
        Asked::Images => image_review::admit(&request, deadline, &engine).await,
    }
}

/// A line for every refusal. Never the object: it may hold secrets.
fn log(request: &Request, asked: Asked, response: &Response) {
    if response.allowed {
        return;
    }
    let object = respond::called(request);
    let decisions = response.audit.get("decisions").map(String::as_str).unwrap_or_default();
    info!(
        uid = request.uid,
        phase = asked.word(),
        operation = request.operation.as_str(),
        kind = object.kind,
        namespace = object.namespace,
        name = object.name,
        user = request.user.as_ref().map(|user| user.username.as_str()).unwrap_or_default(),
        dry_run = request.dry_run,
        decisions,
        "refused"
    );
}
