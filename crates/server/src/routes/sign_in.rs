//! Signing in elsewhere: by providers of identities. A browser is sent there with a cookie that comes back with it, once.

use crate::{
    Answer, App, DEVICE_COOKIE, Peer, SIGN_IN_COOKIE,
    api::{
        problem::Problem,
        sign_in::{SignInBegin, SignInBegun, SignInProvider, SignInProviderList, SignInReturned},
    },
    audit::{Outcome, RefusalCode, TriedName},
    extract::{Body, Query},
    guard::{bounded_cookie, cookie},
    routes::me::{address, session_cookie},
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use oriel_broker::{Returned, SIGN_IN_SECONDS};
use oriel_identity::sha256_hex;
use secrecy::ExposeSecret as _;

/// Longest cookie of a sign-in on its way, in bytes: browsers keep no longer ones.
const SIGN_IN_COOKIE_BYTES_MAX: usize = 4096;

/// Sent along when a browser comes back from another site, as `Strict` would not be.
fn set_cookie(value: &str, seconds: i64) -> String {
    format!("{SIGN_IN_COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}")
}

/// By which providers people sign in here.
#[utoipa::path(get, path = "/sign-in/oidc", tag = "me", operation_id = "sign_in_providers", responses((status = 200, body = SignInProviderList)))]
pub async fn providers(State(app): State<App>) -> Answer<Json<SignInProviderList>> {
    let providers = app.broker.providers().await?.into_iter().filter(|one| one.enabled);
    let providers = providers.map(|one| SignInProvider { id: one.id.to_string(), name: one.name }).collect();
    Ok(Json(SignInProviderList { providers }))
}

/// Begin to sign in by a provider: the answer is where the browser goes. From there it comes back with the cookie that is set here.
#[utoipa::path(post, path = "/sign-in/oidc/{id}", tag = "me", operation_id = "begin_sign_in", params(("id" = String, Path)), request_body = SignInBegin, responses((status = 200, body = SignInBegun)))]
pub async fn begin(
    State(app): State<App>,
    Path(id): Path<String>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Body(begin): Body<SignInBegin>,
) -> Answer<Response> {
    let origin = own_origin(&headers, peer)?;
    let session = cookie(&headers, crate::COOKIE).map(sha256_hex);
    let next = begin.next.unwrap_or_default();
    let again = begin.again == Some(true);
    let begun = app.broker.begin_provider_sign_in(&id, &origin, &next, again, session.as_deref()).await?;
    let cookie = set_cookie(begun.cookie.expose_secret(), SIGN_IN_SECONDS);
    Ok(([(header::SET_COOKIE, cookie)], Json(SignInBegun { url: begun.url })).into_response())
}

/// Where providers send browsers back to, once for each sign-in. Leads to one of our pages: signed in, or with the code of the refusal
/// as `refused`.
#[utoipa::path(get, path = "/sign-in/oidc/{id}/callback", tag = "me", operation_id = "finish_sign_in", params(("id" = String, Path), SignInReturned), responses((status = 303)))]
pub async fn finish(
    State(app): State<App>,
    Path(id): Path<String>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Query(returned): Query<SignInReturned>,
) -> Answer<Response> {
    let kept = bounded_cookie(&headers, SIGN_IN_COOKIE, SIGN_IN_COOKIE_BYTES_MAX);
    let device = cookie(&headers, DEVICE_COOKIE).map(sha256_hex);
    let returned = Returned {
        state: returned.state.unwrap_or_default(),
        code: returned.code,
        error: returned.error,
        error_description: returned.error_description,
        issuer: returned.iss,
    };
    let arrival = app.broker.finish_provider_sign_in(&id, kept, &returned, device.as_deref(), address(peer)).await;
    let mut cookies = Vec::new();
    let (place, outcome, refusal) = match arrival.outcome {
        Ok(signed_in) => {
            cookies.push((header::SET_COOKIE, session_cookie(&signed_in.token)));
            (arrival.next, StatusCode::OK, None)
        }
        Err(error) => {
            let problem = Problem::from(error);
            let sign = if arrival.next.contains('?') { '&' } else { '?' };
            (format!("{}{sign}refused={}", arrival.next, problem.code), problem.status, Some(problem.code))
        }
    };
    // What is the answer to no sign-in of this browser leaves the one alone that is on its way.
    if refusal != Some("sign_in_over") {
        cookies.push((header::SET_COOKIE, set_cookie("", 0)));
    }
    let place = HeaderValue::from_str(&place).unwrap_or(HeaderValue::from_static("/"));
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, place)], AppendHeaders(cookies)).into_response();
    let told = response.extensions_mut();
    if let Some(code) = refusal {
        told.insert(RefusalCode(code));
    }
    told.insert(Outcome(outcome.as_u16()));
    told.insert(TriedName(arrival.name.unwrap_or_else(|| "somebody from elsewhere".to_owned())));
    Ok(response)
}

/// Of the page that asks, which the guard has found to be ours.
pub(crate) fn own_origin(headers: &HeaderMap, peer: Peer) -> Answer<String> {
    let scheme = if matches!(peer, Peer::Tcp { tls: true, .. }) { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let good = (1..=300).contains(&host.len())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']' | b'_'));
    if good {
        return Ok(format!("{scheme}://{host}"));
    }
    Err(Problem::bad_request(
        "the request does not say at which address it was made".to_owned(),
        "send the header Host with the address that browsers open",
    ))
}
