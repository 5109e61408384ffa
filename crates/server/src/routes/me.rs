//! Signing in and out, and the person who is signed in.

use crate::{
    Answer, App, COOKIE, Peer,
    api::me::{Login, Me, PasswordChange, Unlock},
    audit::TriedName,
    caller::{Caller, Via},
    extract::Body,
};
use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use oriel_model::{Grants, Permission, TokenScope, User};
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;

/// How long browsers keep the cookie, in seconds. The server ends sessions earlier when they are idle.
const COOKIE_SECONDS: u32 = 7 * 24 * 3600;

fn set_cookie(value: &str, seconds: u32) -> String {
    format!("{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}")
}

fn address(peer: Peer) -> IpAddr {
    match peer {
        Peer::Tcp { address, .. } => address.ip(),
        Peer::Local => IpAddr::from([127, 0, 0, 1]),
    }
}

fn about(user: &User, grants: &Grants, csrf: &str, locked: bool) -> Me {
    let permissions = Permission::ALL.iter().filter(|one| grants.may_somewhere(**one)).map(ToString::to_string);
    Me {
        id: user.id.to_string(),
        name: user.name.clone(),
        role: user.role.into(),
        permissions: permissions.collect(),
        pools: grants.pools.iter().map(ToString::to_string).collect(),
        must_change_password: user.must_change_password,
        locked,
        csrf: csrf.to_owned(),
    }
}

/// Sign in with a name and a password. Sets the session cookie.
#[utoipa::path(post, path = "/login", tag = "me", request_body = Login, responses((status = 200, body = Me)))]
pub async fn login(State(app): State<App>, Extension(peer): Extension<Peer>, Body(login): Body<Login>) -> Response {
    let tried = TriedName(login.name.clone());
    let mut response = sign_in(&app, login, peer).await.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(tried);
    response
}

async fn sign_in(app: &App, login: Login, peer: Peer) -> Answer<Response> {
    let signed_in = app.broker.sign_in(&login.name, login.password.into(), address(peer)).await?;
    let grants = app.broker.grants(&signed_in.user, TokenScope::All).await?;
    let me = about(&signed_in.user, &grants, &signed_in.session.csrf, false);
    let cookie = set_cookie(signed_in.token.expose_secret(), COOKIE_SECONDS);
    Ok(([(header::SET_COOKIE, cookie)], Json(me)).into_response())
}

/// Sign out: the session ends on the server too.
#[utoipa::path(post, path = "/logout", tag = "me", responses((status = 204)))]
pub async fn logout(State(app): State<App>, caller: Caller) -> Answer<Response> {
    if let Via::Browser(session) = &caller.via {
        app.broker.sign_out(&session.token_sha256).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, set_cookie("", 0))]).into_response())
}

/// Who is signed in.
#[utoipa::path(get, path = "/me", tag = "me", responses((status = 200, body = Me)))]
pub async fn me(caller: Caller) -> Answer<Json<Me>> {
    let (csrf, locked) = match &caller.via {
        Via::Browser(session) => (session.csrf.as_str(), session.locked),
        Via::Program(_) | Via::Local => ("", false),
    };
    Ok(Json(about(&caller.user, &caller.grants, csrf, locked)))
}

/// Open this browser's session again after it was locked, with the person's password.
#[utoipa::path(post, path = "/me/unlock", tag = "me", request_body = Unlock, responses((status = 204)))]
pub async fn unlock(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    Body(unlock): Body<Unlock>,
) -> Answer<StatusCode> {
    // Programs have no session that could be locked.
    if let Via::Browser(session) = &caller.via {
        app.broker.unlock(session, &caller.user, unlock.password.into(), address(peer)).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Change the own password. Ends all sessions of the person; the browser that asked gets a fresh one (read `me` again).
#[utoipa::path(post, path = "/me/password", tag = "me", request_body = PasswordChange, responses((status = 204)))]
pub async fn password(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    Body(change): Body<PasswordChange>,
) -> Answer<Response> {
    let person = caller.person()?;
    let new: SecretString = change.new.into();
    app.broker.change_password(person, change.current.into(), new.clone(), address(peer)).await?;
    let answer = StatusCode::NO_CONTENT.into_response();
    if !matches!(caller.via, Via::Browser(_)) {
        return Ok(answer);
    }
    // The change ended all sessions of the person; this browser, which knows the new password, gets a fresh one.
    let signed_in = app.broker.sign_in(&person.name, new, address(peer)).await?;
    let cookie = set_cookie(signed_in.token.expose_secret(), COOKIE_SECONDS);
    Ok(([(header::SET_COOKIE, cookie)], answer).into_response())
}
