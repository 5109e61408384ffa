//! The console and the viewer: files built into the program.
//!
//! `/assets/*` carry a hash in their names and never change; everything else is asked for again with its `ETag`. A path that
//! is no file is a page of the console, which finds out itself what to show.

use crate::api::problem::Problem;
use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};
use std::fmt::Write as _;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
struct Dist;

const INDEX: &str = "index.html";
const VIEWER: &str = "viewer/index.html";
const PLAYER: &str = "player/index.html";

/// Answers everything that is not the API.
pub async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return Problem::new(
            StatusCode::NOT_FOUND,
            "no_such_endpoint",
            format!("the API has no {method} {}", uri.path().chars().take(200).collect::<String>()),
            "see /api/v1/openapi.json for what there is",
        )
        .into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return method_not_allowed().await.into_response();
    }
    // The names are those of the build: nothing on disk is looked up by what a browser sends.
    if let Some(file) = Dist::get(path).filter(|_| !path.is_empty()) {
        return answer(path, &file, &headers);
    }
    let page = match path {
        "viewer" => {
            let to = uri.query().map_or_else(|| "/viewer/".to_owned(), |query| format!("/viewer/?{query}"));
            return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response();
        }
        "viewer/" => VIEWER,
        // An invitation is opened in the viewer, which asks for what it needs.
        _ if path.strip_prefix("join/").is_some_and(|token| !token.is_empty() && !token.contains('/')) => VIEWER,
        "player" => {
            let to = uri.query().map_or_else(|| "/player/".to_owned(), |query| format!("/player/?{query}"));
            return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response();
        }
        "player/" => PLAYER,
        // A missing file of the build (a page from before an upgrade asks for its old parts) is not a page.
        _ if path.starts_with("assets/") || path.rsplit('/').next().is_some_and(|last| last.contains('.')) => {
            return Problem::new(
                StatusCode::NOT_FOUND,
                "no_such_file",
                "this server's pages have no such file",
                "reload the page: the server may have been upgraded",
            )
            .into_response();
        }
        _ => INDEX,
    };
    match Dist::get(page) {
        Some(file) => answer(page, &file, &headers),
        None => Problem::new(
            StatusCode::NOT_FOUND,
            "pages_not_built",
            "this program was compiled without its pages",
            "build them with `npm ci && npm run build` in web/, then compile again, or start with ./run",
        )
        .into_response(),
    }
}

pub async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this address does not take that method",
        "see /api/v1/openapi.json for what it takes",
    )
}

fn answer(path: &str, file: &EmbeddedFile, request: &HeaderMap) -> Response {
    let mut etag = String::with_capacity(34);
    etag.push('"');
    for byte in file.metadata.sha256_hash().iter().take(16) {
        write!(etag, "{byte:02x}").ok();
    }
    etag.push('"');
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if is_known(request, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = HeaderValue::from_static(content_type(path));
        ([(header::CONTENT_TYPE, kind)], file.data.clone().into_owned()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

/// Whether `If-None-Match` names this tag (RFC 9110 §13.1.2; weak comparison, as compressors weaken tags).
pub(crate) fn is_known(request: &HeaderMap, etag: &str) -> bool {
    request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(path: &'static str) -> Response {
        file(Method::GET, Uri::from_static(path), HeaderMap::new()).await
    }

    #[tokio::test]
    async fn routes_of_the_console_fall_back_to_its_page_but_files_do_not() {
        for page in ["/", "/pools", "/desktops/42"] {
            let response = get(page).await;
            assert_eq!(response.status(), StatusCode::OK, "{page}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
        }
        for missing in
            ["/assets/old-1234.js", "/logo.png", "/api/v1/nothing", "/api", "/../Cargo.toml", "/..%2f..%2fCargo.toml"]
        {
            assert_eq!(get(missing).await.status(), StatusCode::NOT_FOUND, "{missing}");
        }
        assert_eq!(get("/viewer?desktop=1").await.headers()[header::LOCATION], "/viewer/?desktop=1");
    }

    #[tokio::test]
    async fn a_page_is_sent_once() {
        let etag = get("/").await.headers()[header::ETAG].clone();
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(&format!("W/{}", etag.to_str().unwrap())).unwrap());
        assert_eq!(file(Method::GET, Uri::from_static("/"), headers).await.status(), StatusCode::NOT_MODIFIED);
    }
}
