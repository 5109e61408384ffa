//! The edge: HTTP and WebSocket. The only room that knows JSON over HTTP.
//!
//! ```text
//!  door (TCP, TLS, unix socket) ─▶ headers ─▶ time limit ─▶ guard (access table) ─▶ route (one file per noun) ─▶ broker
//!                                       └─▶ pages built into the program               └─▶ gateway (WebSocket)
//! ```
//! Who may call what is one table ([`access`]); a handler never asks. Shapes are in [`api`], and `docs/openapi.json` is what
//! they add up to.

pub mod access;
pub mod api;
mod assets;
mod attachment;
mod audit;
mod caller;
mod extract;
mod failure;
mod guard;
mod headers;
mod listen;
mod metrics;
mod names;
mod openapi;
mod piece;
mod proxy;
mod range;
mod routes;
pub mod tls;
mod trace;

pub use listen::{Door, LocalDoor, Peer, SOCKETS_MAX, serve as serve_door};
pub use openapi::document as openapi_document;
pub use proxy::{PROXY_SECRET_HEADER, Proxy, own_addresses};

use api::problem::Problem;
use axum::{Router, extract::DefaultBodyLimit, middleware};
use oriel_broker::Broker;
use oriel_gateway::Gateway;
use std::{sync::Arc, time::Duration};

/// The session cookie. The prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`.
pub const COOKIE: &str = "__Host-oriel";
/// The cookie of a browser that is remembered.
pub const DEVICE_COOKIE: &str = "__Host-oriel-device";
/// The cookie of a browser that signs in elsewhere.
pub const SIGN_IN_COOKIE: &str = "__Host-oriel-sign-in";
/// The cookie of a browser that signs in with a passkey alone.
pub const PASSKEY_COOKIE: &str = "__Host-oriel-passkey";
/// The header that shows that a change comes from our own page.
pub const CSRF_HEADER: &str = "x-oriel-csrf";
/// Largest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// How long a request may take until its answer begins. (A viewer's WebSocket begins at once.)
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);
/// How long the server waits on stopping for requests and viewers that are being served.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(10);

pub(crate) type Answer<T> = Result<T, Problem>;
pub(crate) type App = Arc<Edge>;

/// Finds things on the machine; the program knows how.
pub type Doctor = Arc<dyn Fn() -> futures::future::BoxFuture<'static, Vec<oriel_model::Finding>> + Send + Sync>;

/// What the handlers need.
pub struct Edge {
    broker: Broker,
    gateway: Gateway,
    doctor: Doctor,
    openapi: bytes::Bytes,
    metrics: metrics::Metrics,
    proxy: Option<Proxy>,
}

/// Everything: the API below `/api/v1`, the pages for the rest.
pub fn router(broker: Broker, gateway: Gateway, doctor: Doctor) -> Router {
    router_behind(None, broker, gateway, doctor)
}

/// As [`router`], behind a proxy that is trusted.
pub fn router_behind(proxy: Option<Proxy>, broker: Broker, gateway: Gateway, doctor: Doctor) -> Router {
    let (api, _) = openapi::describe();
    let edge: App = Arc::new(Edge {
        broker,
        gateway,
        doctor,
        openapi: openapi::document().into(),
        metrics: metrics::Metrics::default(),
        proxy,
    });
    api.route_layer(middleware::from_fn_with_state(Arc::clone(&edge), guard::guard))
        .route_layer(middleware::from_fn(trace::trace))
        .method_not_allowed_fallback(assets::method_not_allowed)
        .fallback(assets::file)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(headers::time_limit))
        .layer(tower_http::compression::CompressionLayer::new())
        .layer(middleware::from_fn(headers::secure))
        .layer(middleware::from_fn_with_state(Arc::clone(&edge), proxy::trust))
        .with_state(edge)
}

#[cfg(test)]
mod tests {
    #[test]
    fn openapi_is_committed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let made = super::openapi_document();
        if std::env::var_os("ORIEL_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            made == committed,
            "docs/openapi.json differs from the handlers: write it with `oriel openapi > docs/openapi.json` (or this test with ORIEL_WRITE_OPENAPI=1) and commit it"
        );
    }
}
