//! Passkeys: in place of name and password, beside the password, made and removed by their people.

use crate::{
    Answer, App, PASSKEY_COOKIE, Peer,
    api::{
        me::Me,
        passkey::{PasskeyAdded, PasskeyFactor, PasskeyLogin, PasskeyNew, PasskeyQuestion, PasskeyToMake},
        problem::Problem,
        second_factor::PasswordAgain,
    },
    audit::TriedName,
    caller::Caller,
    extract::Body,
    guard::bounded_cookie,
    routes::{
        me::{From, about, address, session_cookie},
        second_factor::{browser, label, whole},
        sign_in::own_origin,
    },
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use oriel_broker::PASSKEY_SECONDS;
use oriel_model::{SecondFactorRule, TokenScope};
use secrecy::ExposeSecret as _;

/// Longest cookie of a question on its way, in bytes.
const COOKIE_BYTES_MAX: usize = 2048;

fn set_cookie(value: &str, seconds: i64) -> String {
    format!("{PASSKEY_COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}")
}

/// Begin to sign in with a passkey alone: the question is the same for everybody. Sets a cookie that comes back with the answer.
#[utoipa::path(post, path = "/sign-in/passkey", tag = "me", operation_id = "begin_passkey_sign_in", responses((status = 200, body = PasskeyQuestion)))]
pub async fn begin_sign_in(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Answer<Response> {
    let ask = app.broker.begin_passkey_sign_in(&own_origin(&headers, peer)?)?;
    let cookie = set_cookie(ask.envelope.expose_secret(), PASSKEY_SECONDS);
    Ok(([(header::SET_COOKIE, cookie)], Json(PasskeyQuestion::new(ask, false))).into_response())
}

/// Sign in with a passkey alone, which counts as password and second factor. Sets the session cookie.
#[utoipa::path(post, path = "/sign-in/passkey/finish", tag = "me", operation_id = "passkey_sign_in", request_body = PasskeyLogin, responses((status = 200, body = Me)))]
pub async fn finish_sign_in(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Body(login): Body<PasskeyLogin>,
) -> Response {
    let envelope = bounded_cookie(&headers, PASSKEY_COOKIE, COOKIE_BYTES_MAX).unwrap_or_default().to_owned();
    let mut name = None;
    let signed_in = sign_in(&app, &headers, peer, login, envelope, &mut name).await;
    let mut response = signed_in.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(TriedName(name.unwrap_or_else(|| "somebody with a passkey".to_owned())));
    response
}

async fn sign_in(
    app: &App,
    headers: &HeaderMap,
    peer: Peer,
    login: PasskeyLogin,
    envelope: String,
    name: &mut Option<String>,
) -> Answer<Response> {
    let origin = own_origin(headers, peer)?;
    let shown = login.credential.shown(envelope);
    let arrival = app.broker.finish_passkey_sign_in(&origin, &shown, address(peer)).await;
    *name = arrival.name;
    let signed_in = arrival.outcome?;
    let grants = app.broker.grants(&signed_in.user, TokenScope::All).await?;
    let from = From::of(app, signed_in.user.id).await?;
    let me = about(&signed_in.user, &grants, Some(&signed_in.session), SecondFactorRule::Optional, from);
    let cookies = AppendHeaders([
        (header::SET_COOKIE, session_cookie(&signed_in.token)),
        (header::SET_COOKIE, set_cookie("", 0)),
    ]);
    Ok((cookies, Json(me)).into_response())
}

/// Begin to show a passkey as the second factor: the question for it.
#[utoipa::path(post, path = "/me/second-factor/passkey", tag = "me", operation_id = "begin_passkey_factor", responses((status = 200, body = PasskeyQuestion)))]
pub async fn begin_factor(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Answer<Json<PasskeyQuestion>> {
    let origin = own_origin(&headers, peer)?;
    let ask = app.broker.begin_passkey_factor(browser(&caller)?, &caller.user, &origin).await?;
    Ok(Json(PasskeyQuestion::new(ask, true)))
}

/// Show a passkey as the second factor. The session goes on from here.
#[utoipa::path(post, path = "/me/second-factor/passkey/finish", tag = "me", operation_id = "show_passkey", request_body = PasskeyFactor, responses((status = 200, body = Me)))]
pub async fn show_factor(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Body(factor): Body<PasskeyFactor>,
) -> Answer<Response> {
    let session = browser(&caller)?;
    let origin = own_origin(&headers, peer)?;
    let label = label(&headers);
    let remember = (factor.remember == Some(true)).then_some(label.as_str());
    let shown = factor.credential.shown(factor.envelope);
    let device = app.broker.prove_passkey(session, &caller.user, &origin, &shown, remember, address(peer)).await?;
    whole(&app, &caller, session, device).await
}

/// Begin to make a passkey: what the authenticator is to make. Whoever is signed in gives their password; at the door it is for those
/// who have no second factor yet.
#[utoipa::path(post, path = "/me/passkeys/new", tag = "me", operation_id = "begin_passkey", request_body = PasswordAgain, responses((status = 200, body = PasskeyToMake)))]
pub async fn begin(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Body(again): Body<PasswordAgain>,
) -> Answer<Json<PasskeyToMake>> {
    let session = browser(&caller)?;
    let origin = own_origin(&headers, peer)?;
    let password = again.password.map(Into::into);
    let creation = app.broker.begin_passkey(session, &caller.user, &origin, password, address(peer)).await?;
    Ok(Json(PasskeyToMake::new(creation, &caller.user)))
}

/// Keep a passkey that was made. With the first second factor come recovery codes. At the door the session goes on from here.
#[utoipa::path(post, path = "/me/passkeys", tag = "me", operation_id = "add_passkey", request_body = PasskeyNew, responses((status = 201, body = PasskeyAdded)))]
pub async fn add(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Body(new): Body<PasskeyNew>,
) -> Answer<(StatusCode, Json<PasskeyAdded>)> {
    let session = browser(&caller)?;
    let origin = own_origin(&headers, peer)?;
    let (envelope, new) = new.into_parts();
    let (passkey, codes) = app.broker.add_passkey(session, &caller.user, &origin, &envelope, &new).await?;
    let codes = codes.iter().map(|code| code.expose_secret().to_owned()).collect();
    Ok((StatusCode::CREATED, Json(PasskeyAdded { passkey: passkey.into(), codes })))
}

/// Remove a passkey of one's own, with the password. Not the last second factor while a group asks for one.
#[utoipa::path(post, path = "/me/passkeys/{passkey}/remove", tag = "me", operation_id = "remove_passkey", params(("passkey" = String, Path)), request_body = PasswordAgain, responses((status = 204)))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    Body(again): Body<PasswordAgain>,
) -> Answer<StatusCode> {
    let session = browser(&caller)?;
    let id = id.parse().map_err(|_| Problem::not_found("passkey"))?;
    let password = again.password.map(Into::into);
    app.broker.remove_passkey(session, &caller.user, id, password, address(peer)).await?;
    Ok(StatusCode::NO_CONTENT)
}
