//! Signing in elsewhere: by providers of identities. A browser is sent there with a cookie that comes back with it, once.

use crate::{
    Answer, App, DEVICE_COOKIE, Peer, SIGN_IN_COOKIE,
    api::{
        problem::Problem,
        sign_in::{SignInBegin, SignInBegun, SignInNext, SignInProvider, SignInProviderList, SignInReturned},
    },
    audit::{Outcome, RefusalCode, TriedName},
    extract::{Body, Query},
    guard::{bounded_cookie, cookie},
    proxy::Proxied,
    routes::me::{address, session_cookie},
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use oriel_broker::{Arrival, BrokerError, Returned, SIGN_IN_SECONDS};
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
pub async fn providers(State(app): State<App>, proxied: Proxied) -> Answer<Json<SignInProviderList>> {
    // The proxy in front is one for whom it lets through.
    let is_open = |is_proxy: bool| !is_proxy || proxied.0.is_some();
    let providers = app.broker.providers().await?.into_iter();
    let providers = providers.filter(|one| one.enabled && is_open(one.settings.is_proxy()));
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
    let cookie = begun.cookie.map(|cookie| (header::SET_COOKIE, set_cookie(cookie.expose_secret(), SIGN_IN_SECONDS)));
    Ok((AppendHeaders(cookie), Json(SignInBegun { url: begun.url })).into_response())
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
    Ok(lead(arrival, true))
}

/// Sign in as whom the proxy in front says that one is, where the configuration trusts it. Leads to one of our pages: signed in, or with
/// the code of the refusal as `refused`.
#[utoipa::path(get, path = "/sign-in/proxy", tag = "me", operation_id = "sign_in_by_proxy", params(SignInNext), responses((status = 303)))]
pub async fn by_proxy(
    State(app): State<App>,
    proxied: Proxied,
    headers: HeaderMap,
    Query(asked): Query<SignInNext>,
) -> Answer<Response> {
    let refused = |code: &'static str, text: &str| Arrival {
        next: "/".to_owned(),
        name: None,
        outcome: Err(BrokerError::Forbidden { code, text: text.to_owned() }),
    };
    let arrival = match proxied.0 {
        None => refused(
            "not_by_proxy",
            "the request came from no proxy that is trusted, or it said of nobody that they ask",
        ),
        Some(Err(why)) => {
            tracing::error!(%why, "What the proxy in front says of somebody cannot be taken");
            refused("proxy_unclear", &why)
        }
        Some(Ok(person)) => {
            let session = cookie(&headers, crate::COOKIE).map(sha256_hex);
            let device = cookie(&headers, DEVICE_COOKIE).map(sha256_hex);
            let next = asked.next.unwrap_or_default();
            app.broker.sign_in_by_proxy(&person, &next, session.as_deref(), device.as_deref()).await
        }
    };
    Ok(lead(arrival, false))
}

/// To one of our pages. `is_back`: from a provider, with a cookie that has been used now.
fn lead(arrival: Arrival, is_back: bool) -> Response {
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
    if is_back && refusal != Some("sign_in_over") {
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
    response
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
