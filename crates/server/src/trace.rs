//! A span of each request to the API, where somebody wants traces: named by its route, never by its path, which may hold a secret.

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use oriel_trace::Instrument as _;
use oriel_trace::tracing::field::Empty;

pub(crate) async fn trace(request: Request, next: Next) -> Response {
    if !oriel_trace::is_on() {
        return next.run(request).await;
    }
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let method = request.method().as_str().to_owned();
    let name = format!("{method} {route}");
    let span = oriel_trace::root!(
        "request",
        otel.name = name.as_str(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        http.route = route.as_str(),
        http.response.status_code = Empty,
    );
    let caller = request.headers().get(oriel_trace::TRACEPARENT).and_then(|value| value.to_str().ok());
    oriel_trace::begin(&span, caller);
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}
