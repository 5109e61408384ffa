//! Second factors: shown at the door, set up and taken away by their people, reset by administrators.

use crate::{
    Answer, App, DEVICE_COOKIE, Peer,
    api::{
        me::Me,
        problem::Problem,
        second_factor::{
            FactorCode, FactorRemoval, PasswordAgain, RecoveryCodes, SecondFactor, TotpBegin, TotpConfirm, TotpNew,
        },
    },
    caller::{Caller, Via},
    extract::Body,
    routes::me::{From, about, address},
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use oriel_model::{SecondFactorRule, SignInStep, WebSession};
use secrecy::{ExposeSecret, SecretString};

/// Programs have none of their own.
pub(crate) fn browser(caller: &Caller) -> Answer<&WebSession> {
    match &caller.via {
        Via::Browser(session) => Ok(session),
        Via::Program(_) | Via::Local => Err(Problem::new(
            StatusCode::CONFLICT,
            "browser_only",
            "second factors are shown and set up in a browser, and a program asked",
            "sign in with a browser; an administrator can reset somebody's with `oriel user reset-second-factor`",
        )),
    }
}

fn shown(codes: &[SecretString]) -> Json<RecoveryCodes> {
    Json(RecoveryCodes { codes: codes.iter().map(|code| code.expose_secret().to_owned()).collect() })
}

/// Show the second factor: a code of the authenticator app, or a recovery code. Each is good once. The session goes on from here.
#[utoipa::path(post, path = "/me/second-factor", tag = "me", operation_id = "show_second_factor", request_body = FactorCode, responses((status = 200, body = Me)))]
pub async fn prove(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Body(shown): Body<FactorCode>,
) -> Answer<Response> {
    let session = browser(&caller)?;
    let label = label(&headers);
    let remember = (shown.remember == Some(true)).then_some(label.as_str());
    let device = app.broker.prove_second_factor(session, &caller.user, &shown.code, remember, address(peer)).await?;
    whole(&app, &caller, session, device).await
}

/// Somebody whose second factor was right; `device` is the cookie of a browser that is to be remembered.
pub(crate) async fn whole(
    app: &App,
    caller: &Caller,
    session: &WebSession,
    device: Option<SecretString>,
) -> Answer<Response> {
    let whole = WebSession { step: SignInStep::Done, ..session.clone() };
    let from = From::of(app, caller.user.id).await?;
    let me = Json(about(&caller.user, &caller.grants, Some(&whole), SecondFactorRule::Optional, from));
    Ok(match device {
        Some(device) => {
            let cookie = format!(
                "{DEVICE_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={}",
                device.expose_secret(),
                oriel_broker::DEVICE_SECONDS
            );
            ([(header::SET_COOKIE, cookie)], me).into_response()
        }
        None => me.into_response(),
    })
}

/// Begin to set up an authenticator app: the answer is a secret for it, which is not in force before its first code is confirmed.
/// Whoever is signed in gives their password; at the door it is for those who have no second factor yet.
#[utoipa::path(post, path = "/me/second-factor/totp", tag = "me", operation_id = "begin_totp", request_body = TotpBegin, responses((status = 200, body = TotpNew)))]
pub async fn begin(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    Body(begin): Body<TotpBegin>,
) -> Answer<Json<TotpNew>> {
    let password = begin.password.map(Into::into);
    let new = app.broker.begin_totp(browser(&caller)?, &caller.user, password, address(peer)).await?;
    Ok(Json(TotpNew {
        secret: new.secret.expose_secret().to_owned(),
        uri: new.uri.expose_secret().to_owned(),
        envelope: new.envelope,
    }))
}

/// Put the secret into force with the app's first code. Replaces the app that was there, makes new recovery codes, and forgets
/// remembered browsers. At the door the session goes on from here.
#[utoipa::path(post, path = "/me/second-factor/totp/confirm", tag = "me", operation_id = "confirm_totp", request_body = TotpConfirm, responses((status = 200, body = RecoveryCodes)))]
pub async fn confirm(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    Body(confirm): Body<TotpConfirm>,
) -> Answer<Json<RecoveryCodes>> {
    let session = browser(&caller)?;
    let codes = app.broker.confirm_totp(session, &caller.user, &confirm.envelope, &confirm.code, address(peer)).await?;
    Ok(shown(&codes))
}

/// The own second factor, and which browsers are remembered.
#[utoipa::path(get, path = "/me/second-factor", tag = "me", operation_id = "my_second_factor", responses((status = 200, body = SecondFactor)))]
pub async fn mine(State(app): State<App>, caller: Caller) -> Answer<Json<SecondFactor>> {
    Ok(Json(app.broker.second_factor(caller.person()?.id).await?.into()))
}

/// Take the own second factor away, with the password: app, passkeys and codes, or the app alone. Not while a group asks for one and
/// none is left.
#[utoipa::path(post, path = "/me/second-factor/remove", tag = "me", operation_id = "remove_second_factor", request_body = FactorRemoval, responses((status = 204)))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    Body(removal): Body<FactorRemoval>,
) -> Answer<StatusCode> {
    let session = browser(&caller)?;
    let keep_passkeys = removal.keep_passkeys == Some(true);
    let password = removal.password.map(Into::into);
    app.broker.remove_second_factor(session, &caller.user, password, keep_passkeys, address(peer)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// New recovery codes in place of the old ones, with the password.
#[utoipa::path(post, path = "/me/second-factor/recovery-codes", tag = "me", operation_id = "new_recovery_codes", request_body = PasswordAgain, responses((status = 200, body = RecoveryCodes)))]
pub async fn recovery_codes(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    Body(again): Body<PasswordAgain>,
) -> Answer<Json<RecoveryCodes>> {
    let session = browser(&caller)?;
    let password = again.password.map(Into::into);
    let codes = app.broker.new_recovery_codes(session, &caller.user, password, address(peer)).await?;
    Ok(shown(&codes))
}

/// Forget a remembered browser: it is asked for the second factor at its next sign-in.
#[utoipa::path(delete, path = "/me/browsers/{browser}", tag = "me", operation_id = "forget_browser", params(("browser" = String, Path)), responses((status = 204)))]
pub async fn forget(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<StatusCode> {
    let id = id.parse().map_err(|_| Problem::not_found("remembered browser"))?;
    app.broker.forget_device(caller.person()?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody's second factor, without its secrets.
#[utoipa::path(get, path = "/users/{id}/second-factor", tag = "users", operation_id = "user_second_factor", params(("id" = String, Path)), responses((status = 200, body = SecondFactor)))]
pub async fn of_user(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<SecondFactor>> {
    let user = app.broker.find_user(&id).await?;
    Ok(Json(app.broker.second_factor(user.id).await?.into()))
}

/// Take somebody's second factor away, app, passkeys and codes, for who lost them. Signs them out everywhere. Where a group asks for
/// one, whoever signs in next with their password sets it up: make sure that it is them, or reset the password as well.
#[utoipa::path(delete, path = "/users/{id}/second-factor", tag = "users", operation_id = "reset_second_factor", params(("id" = String, Path)), responses((status = 204)))]
pub async fn reset(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let user = app.broker.find_user(&id).await?;
    app.broker.reset_second_factor(user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a browser says it is, in a few words.
pub(crate) fn label(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    // The order matters: many name others besides themselves.
    let first = |of: &[(&str, &'static str)]| of.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let browser = first(&[("Firefox/", "Firefox"), ("Edg/", "Edge"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "a browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named() {
        for (agent, name) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
                "Safari on macOS",
            ),
            ("curl/8.5.0", "a browser"),
            ("", "a browser"),
        ] {
            let headers = HeaderMap::from_iter([(header::USER_AGENT, agent.parse().unwrap())]);
            assert_eq!(label(&headers), name);
        }
    }
}
