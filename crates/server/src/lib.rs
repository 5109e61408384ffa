//! The edge: HTTP and WebSocket. The only room that knows JSON over HTTP.

pub mod access;
pub mod api;
mod extract;
mod openapi;
mod routes;

pub use openapi::document as openapi_document;

/// The session cookie. The prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`.
pub const COOKIE: &str = "__Host-oriel";
/// Largest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 << 10;

pub(crate) type Answer<T> = Result<T, api::problem::Problem>;

#[derive(Clone)]
pub struct App {
    openapi: String,
}
fn soon() -> api::problem::Problem {
    api::problem::Problem::internal()
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
            "docs/openapi.json differs from the handlers: run `oriel openapi > docs/openapi.json` (or this test with ORIEL_WRITE_OPENAPI=1) and commit it"
        );
    }
}
