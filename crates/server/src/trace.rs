//! A span of each request to the API, where somebody wants traces: named by its route, never by its path, which may hold a secret.

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
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
    let (method, said) = method(request.method());
    let name = format!("{said} {route}");
    let span = oriel_trace::root!(
        "request",
        otel.name = name.as_str(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
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

/// As an attribute and in a span's name: a caller's own word is in neither (semantic conventions of OpenTelemetry, HTTP spans).
fn method(method: &Method) -> (&'static str, &'static str) {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.map_or(("_OTHER", "HTTP"), |known| (known, known))
}
