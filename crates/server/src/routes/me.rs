//! Signing in and out, and the person who is signed in.

use crate::{
    Answer, App, COOKIE, DEVICE_COOKIE, Peer,
    api::{
        me::{Login, Me, PasswordChange, Unlock},
        second_factor::FactorKind,
    },
    audit::TriedName,
    caller::{Caller, Via},
    extract::Body,
    guard::cookie,
};
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use oriel_identity::sha256_hex;
use oriel_model::{Grants, Permission, SecondFactorRule, SignInStep, TokenScope, User, UserId, WebSession};
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;

/// How long browsers keep the cookie, in seconds. The server ends sessions earlier when they are idle.
const COOKIE_SECONDS: u32 = 7 * 24 * 3600;

fn set_cookie(value: &str, seconds: u32) -> String {
    format!("{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}")
}

/// Of a session that has begun.
pub(crate) fn session_cookie(token: &SecretString) -> String {
    set_cookie(token.expose_secret(), COOKIE_SECONDS)
}

/// Who else keeps somebody's password.
#[derive(Default)]
pub(crate) struct From {
    directory: Option<String>,
    provider: Option<String>,
}

impl From {
    pub async fn of(app: &App, user: UserId) -> Answer<Self> {
        let (directory, provider) = tokio::try_join!(app.broker.directory_of(user), app.broker.provider_of(user))?;
        Ok(Self { directory, provider })
    }
}

pub(crate) fn address(peer: Peer) -> IpAddr {
    match peer {
        Peer::Tcp { address, .. } => address.ip(),
        Peer::Local => IpAddr::from([127, 0, 0, 1]),
    }
}

pub(crate) fn about(
    user: &User,
    grants: &Grants,
    session: Option<&WebSession>,
    rule: SecondFactorRule,
    from: From,
) -> Me {
    let permissions = Permission::ALL.iter().filter(|one| grants.may_somewhere(**one)).map(ToString::to_string);
    Me {
        id: user.id.to_string(),
        name: user.name.clone(),
        role: user.role.into(),
        permissions: permissions.collect(),
        pools: grants.pools.iter().map(ToString::to_string).collect(),
        directory: from.directory,
        provider: from.provider,
        must_change_password: user.must_change_password,
        locked: session.is_some_and(|session| session.locked),
        step: session.map_or(SignInStep::Done, |session| session.step).into(),
        may_remember: rule != SecondFactorRule::EveryTime,
        factors: Vec::new(),
        csrf: session.map(|session| session.csrf.clone()).unwrap_or_default(),
    }
}

/// Sign in with a name and a password. Sets the session cookie; what is missing still is the answer's `step`.
#[utoipa::path(post, path = "/login", tag = "me", request_body = Login, responses((status = 200, body = Me)))]
pub async fn login(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Body(login): Body<Login>,
) -> Response {
    let tried = TriedName(login.name.clone());
    let device = cookie(&headers, DEVICE_COOKIE).map(sha256_hex);
    let mut response = sign_in(&app, login, device.as_deref(), peer).await.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(tried);
    response
}

async fn sign_in(app: &App, login: Login, device: Option<&str>, peer: Peer) -> Answer<Response> {
    let signed_in = app.broker.sign_in(&login.name, login.password.into(), device, address(peer)).await?;
    let grants = app.broker.grants(&signed_in.user, TokenScope::All).await?;
    let rule = app.broker.second_factor_rule(signed_in.user.id).await?;
    let from = From::of(app, signed_in.user.id).await?;
    let mut me = about(&signed_in.user, &grants, Some(&signed_in.session), rule, from);
    me.factors = factors(app, &signed_in.user, Some(&signed_in.session)).await?;
    let cookie = session_cookie(&signed_in.token);
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
pub async fn me(State(app): State<App>, caller: Caller) -> Answer<Json<Me>> {
    let session = match &caller.via {
        Via::Browser(session) => Some(session),
        Via::Program(_) | Via::Local => None,
    };
    // Only who stands at the door is asked whether to be remembered.
    let rule = match session {
        Some(session) if session.step != SignInStep::Done => app.broker.second_factor_rule(caller.user.id).await?,
        _ => SecondFactorRule::default(),
    };
    let from = From::of(&app, caller.user.id).await?;
    let mut me = about(&caller.user, &caller.grants, session, rule, from);
    me.factors = factors(&app, &caller.user, session).await?;
    Ok(Json(me))
}

/// With what somebody goes on who has shown their password.
async fn factors(app: &App, user: &User, session: Option<&WebSession>) -> Answer<Vec<FactorKind>> {
    if session.is_none_or(|session| session.step != SignInStep::Factor) {
        return Ok(Vec::new());
    }
    let of = app.broker.second_factor(user.id).await?;
    let app = of.totp.map(|_| FactorKind::App);
    let passkey = of.passkeys.first().map(|_| FactorKind::Passkey);
    Ok(app.into_iter().chain(passkey).collect())
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
    app.broker.change_password(person, change.current.into(), change.new.into(), address(peer)).await?;
    let answer = StatusCode::NO_CONTENT.into_response();
    if !matches!(caller.via, Via::Browser(_)) {
        return Ok(answer);
    }
    // The change ended all sessions of the person; this browser, which was inside, gets a fresh one.
    let signed_in = app.broker.renew_session(person.clone()).await?;
    let cookie = session_cookie(&signed_in.token);
    Ok(([(header::SET_COOKIE, cookie)], answer).into_response())
}
