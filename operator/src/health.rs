//! What an operator of the operator looks at: `/healthz`, `/readyz`, `/metrics`, over plain HTTP, on an address
//! of its own. Nothing there tells what was judged.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::supervision::Observer as _;
use crate::webhook::server::Server;

/// The routes.
pub fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(server)
}

/// Whether requests can be judged: the policies are loaded, and we are not about to end.
///
/// A task that does not run is named and makes nobody unready: what is in force is still judged by, and were all
/// replicas unready because of one object, everything would be refused.
async fn ready(State(server): State<Arc<Server>>) -> (StatusCode, String) {
    match server.not_ready() {
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why.to_owned()),
        None => match server.supervision().problem() {
            None => (StatusCode::OK, "ok\n".to_owned()),
            Some(problem) => (StatusCode::OK, format!("ok, but {problem}\n")),
        },
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> impl IntoResponse {
    match server.metrics() {
        Ok(text) => {
            let of = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, of)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
