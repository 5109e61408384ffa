//! Who may pass: runs before every handler of the API and asks the table of [`crate::access`].

use crate::{
    App, COOKIE, CSRF_HEADER, Peer,
    access::{self, Access},
    api::problem::Problem,
    audit::{Answered, Asked, Telling},
    caller::{Caller, TheDesktop, Via},
    proxy::Proxied,
};
use axum::{
    extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use oriel_broker::BrokerError;
use oriel_identity::sha256_hex;
use oriel_model::{Permission, SignInStep, TokenScope};

/// Longest token or cookie value that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 256;

pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut telling = Telling::of(&app, Asked::of(&parts));
    let admitted = admit(&app, &mut parts).await;
    telling.by(parts.extensions.get::<Caller>().cloned());
    let response = match admitted {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    telling.tell(Answered::of(&response)).await;
    response
}

async fn admit(app: &App, parts: &mut Parts) -> Result<(), Problem> {
    let path = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let Some(access) = access::of_request(&parts.method, &path) else {
        tracing::error!(method = %parts.method, path, "an endpoint is not in the access table: refused");
        return Err(Problem::forbidden());
    };
    let peer = parts.extensions.get::<Peer>().copied();
    let origin = check_origin(&parts.headers, peer)?;
    if access == Access::Public {
        return Ok(());
    }
    if access == Access::GuestTicket {
        // Whoever else is signed in in that browser has nothing to do with it.
        return if origin == Origin::Own { Ok(()) } else { Err(wrong_origin()) };
    }
    let caller = identify(app, parts, peer).await?;
    // Before anything is refused: the audit names whom it was refused to.
    parts.extensions.insert(caller.clone());
    if let Via::Browser(session) = &caller.via {
        if !parts.method.is_safe() {
            let sent = parts.headers.get(CSRF_HEADER).map(axum::http::HeaderValue::as_bytes).unwrap_or_default();
            if !oriel_identity::equal(sent, session.csrf.as_bytes()) {
                return Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "bad_csrf_token",
                    "the request carries a session but not the token that shows that it comes from our own page",
                    "send the header X-Oriel-Csrf with the value `csrf` of GET /api/v1/me; reload the page if you see this in a browser",
                ));
            }
        }
        // Browsers let any page open a WebSocket to us, with cookies: only ours may.
        if access == Access::Ticket && origin != Origin::Own {
            return Err(wrong_origin());
        }
    }
    if let Via::Browser(session) = &caller.via
        && session.step != SignInStep::Done
        && access != Access::Arriving
    {
        let (detail, next_step) = match session.step {
            SignInStep::Enrol => (
                "a group of yours asks for a second factor, and you have none yet",
                "set one up: POST /api/v1/me/second-factor/totp, or POST /api/v1/me/passkeys/new",
            ),
            _ => (
                "your second factor is still missing",
                "send a code of your app, or show a passkey: POST /api/v1/me/second-factor",
            ),
        };
        return Err(Problem::new(StatusCode::FORBIDDEN, "second_factor_needed", detail, next_step));
    }
    let enters = matches!(access, Access::Arriving | Access::Entering);
    if matches!(&caller.via, Via::Browser(session) if session.locked) && !enters {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "locked",
            "nobody touched a desktop for as long as its rules allow, so this browser is locked",
            "enter your password: POST /api/v1/me/unlock",
        ));
    }
    if caller.user.must_change_password && !enters {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "password_change_required",
            "this password was given to be used once",
            "choose a password of your own first: POST /api/v1/me/password",
        ));
    }
    check_scope(&caller, &parts.method, access)?;
    match access {
        Access::May(to) if !caller.may(to) => return Err(Problem::forbidden()),
        Access::Somewhere(to)
        | Access::Pool(to)
        | Access::Machine(to)
        | Access::DesktopAs(to)
        | Access::Session(to)
            if !caller.grants.may_somewhere(to) =>
        {
            return Err(Problem::forbidden());
        }
        // Of a pool that is not theirs nobody learns whether it exists.
        Access::Pool(to) => {
            let pool = app.broker.find_pool(&key(app, parts).await?).await?;
            only_if(caller.may_in(to, pool.id), "pool")?;
        }
        Access::Entitled(to) => {
            let pool = app.broker.find_pool(&key(app, parts).await?).await?;
            if !app.broker.may_take_of(&caller.user, &caller.grants, pool.id, to).await? {
                let sees = caller.may_in(Permission::PoolsRead, pool.id);
                return Err(if sees { Problem::forbidden() } else { Problem::not_found("pool") });
            }
        }
        Access::Machine(to) => {
            let machine = app.broker.find_machine(&key(app, parts).await?).await?;
            only_if(caller.may_in(to, machine.pool), "machine")?;
        }
        Access::Session(to) => {
            let id = key(app, parts).await?.parse().map_err(|_| Problem::not_found("session"))?;
            let connection = app.gateway.connection(id).ok_or_else(|| Problem::not_found("session"))?;
            // Of a desktop that is being deleted under it only those who may everywhere know the pool.
            let allowed = match app.broker.desktop_pool(connection.desktop).await {
                Ok(pool) => caller.may_in(to, pool),
                Err(BrokerError::Missing { .. }) => caller.may(to),
                Err(error) => return Err(error.into()),
            };
            only_if(allowed, "session")?;
        }
        Access::Desktop(to) => {
            let key = key(app, parts).await?;
            let desktop = app.broker.find_desktop_for(&caller.user, &caller.grants, &key, to).await?;
            parts.extensions.insert(TheDesktop(desktop));
        }
        Access::DesktopAs(to) => {
            let key = key(app, parts).await?;
            let desktop = app.broker.find_desktop_as(&caller.user, &caller.grants, &key, to).await?;
            parts.extensions.insert(TheDesktop(desktop));
        }
        _ => {}
    }
    Ok(())
}

/// A token that is kept to some permissions, or to reading, does nothing that none of them names: it makes no other token, and no
/// viewer of it opens what it may not use.
fn check_scope(caller: &Caller, method: &axum::http::Method, access: Access) -> Result<(), Problem> {
    let scope = &caller.grants.scope;
    let included = match access.permission() {
        Some(permission) => scope.includes(permission),
        None => *scope == TokenScope::All || method.is_safe(),
    };
    if included {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "token_scope",
        "this token was made for less than that",
        match access.permission() {
            Some(permission) => format!("make a token whose permissions include {permission}, or one without limits"),
            None => "make a token without limits".to_owned(),
        },
    ))
}

fn only_if(allowed: bool, what: &str) -> Result<(), Problem> {
    if allowed { Ok(()) } else { Err(Problem::not_found(what)) }
}

/// What the path names by `id`.
async fn key(app: &App, parts: &mut Parts) -> Result<String, Problem> {
    let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Problem::not_found("thing"))?;
    Ok(params.iter().find(|(name, _)| *name == "id").map(|(_, key)| key.to_owned()).unwrap_or_default())
}

async fn identify(app: &App, parts: &Parts, peer: Option<Peer>) -> Result<Caller, Problem> {
    if peer == Some(Peer::Local) {
        return Ok(Caller::local());
    }
    if let Some(token) = bearer(&parts.headers) {
        let found = app.broker.token_user(&sha256_hex(token.as_bytes())).await?;
        let (token, user) = found.ok_or_else(Problem::not_signed_in)?;
        let grants = app.broker.grants(&user, token.scope.clone()).await?;
        return Ok(Caller { user, via: Via::Program(token), grants });
    }
    let cookie = cookie(&parts.headers, COOKIE).ok_or_else(Problem::not_signed_in)?;
    let found = app.broker.session(&sha256_hex(cookie.as_bytes())).await?;
    let (session, user) = found.ok_or_else(Problem::not_signed_in)?;
    // Whoever signed in anew at the proxy in front is not whom this browser still has a session of.
    if let Some(Proxied(Some(Ok(person)))) = parts.extensions.get::<Proxied>()
        && !app.broker.goes_with_proxy(&user, person).await?
    {
        return Err(Problem::not_signed_in());
    }
    let grants = app.broker.grants(&user, TokenScope::All).await?;
    Ok(Caller { user, via: Via::Browser(session), grants })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= TOKEN_BYTES_MAX).then_some(token)
}

pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    bounded_cookie(headers, wanted, TOKEN_BYTES_MAX)
}

/// As [`cookie`], of another length.
pub(crate) fn bounded_cookie<'a>(headers: &'a HeaderMap, wanted: &str, bytes_max: usize) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == wanted && !value.is_empty() && value.len() <= bytes_max)
        .map(|(_, value)| value)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The page that asks is ours.
    Own,
    /// The request names none: a program, or a browser's plain navigation.
    Unnamed,
}

fn wrong_origin() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "wrong_origin",
        "the request comes from a page of another site",
        "open Oriel at the address that it prints; a proxy in front must pass the Host header on, and where it ends TLS be trusted (proxy.trust) and send X-Forwarded-Proto",
    )
}

/// A request that names an origin must name the one that it goes to.
fn check_origin(headers: &HeaderMap, peer: Option<Peer>) -> Result<Origin, Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(Origin::Unnamed) };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).ok_or_else(wrong_origin)?;
    let scheme = match peer {
        Some(Peer::Tcp { tls: true, .. }) => "https",
        _ => "http",
    };
    let own = format!("{scheme}://{host}");
    match origin.to_str() {
        Ok(origin) if origin.eq_ignore_ascii_case(&own) => Ok(Origin::Own),
        _ => Err(wrong_origin()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn only_our_own_origin_passes() {
        let plain = Some(Peer::Tcp { address: "127.0.0.1:9".parse().unwrap(), tls: false });
        let tls = Some(Peer::Tcp { address: "127.0.0.1:9".parse().unwrap(), tls: true });
        let check = |origin, peer| check_origin(&headers(&[("host", "oriel.lan:8470"), ("origin", origin)]), peer).ok();
        assert_eq!(check("http://oriel.lan:8470", plain), Some(Origin::Own));
        assert_eq!(check("https://oriel.lan:8470", tls), Some(Origin::Own));
        for bad in [
            "https://oriel.lan:8470",
            "http://oriel.lan",
            "http://evil.lan",
            "null",
            "http://oriel.lan:8470.evil.lan",
            "",
        ] {
            assert_eq!(check(bad, plain), None, "{bad}");
        }
        assert_eq!(check_origin(&headers(&[("host", "a")]), plain).ok(), Some(Origin::Unnamed));
        assert!(check_origin(&headers(&[("origin", "http://a")]), plain).is_err());
    }

    #[test]
    fn finds_the_cookie_among_others() {
        let found = |text| cookie(&headers(&[("cookie", text)]), COOKIE).map(str::to_owned);
        assert_eq!(found("a=b; __Host-oriel=xyz; c=d").as_deref(), Some("xyz"));
        assert_eq!(found("oriel=xyz"), None);
        assert_eq!(found("__Host-oriel="), None);
        assert_eq!(found("__Host-oriel-device=abc; __Host-oriel=xyz").as_deref(), Some("xyz"));
        assert_eq!(bearer(&headers(&[("authorization", "bearer  t ")])), Some("t"));
        assert_eq!(bearer(&headers(&[("authorization", "Basic t")])), None);
    }
}
