//! Desktops: what there is, what should become of it, and being let in.

use crate::{
    Answer, App,
    api::{
        desktop::{Connect, ConnectKind, ConnectTicket, Desktop, DesktopList, DesktopNew},
        problem::Problem,
    },
    caller::{Caller, TheDesktop},
    extract::{Body, Query},
    names::{self, Names},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use oriel_broker::{NewDesktop, TICKET_SECONDS};
use oriel_model::{self as model, DesktopIntent, Permission};
use secrecy::ExposeSecret;
use serde::Deserialize;

/// Which desktops to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DesktopQuery {
    /// Everybody's rather than the own ones, as far as one's role shows them.
    #[serde(default)]
    #[param(required = false)]
    pub all: bool,
}

/// Writes down what is wanted; the reconciler does it.
async fn intend(
    app: &App,
    caller: &Caller,
    desktop: &model::Desktop,
    intent: DesktopIntent,
) -> Answer<(StatusCode, Json<Desktop>)> {
    let intended = app.broker.set_intent(desktop.id, intent).await;
    let desktop = intended.map_err(|error| error.said_to(&caller.user))?;
    Ok((StatusCode::ACCEPTED, Json(names::desktop(app, &desktop).await?)))
}

/// The own desktops, or everybody's.
#[utoipa::path(get, path = "/desktops", tag = "desktops", operation_id = "list_desktops", params(DesktopQuery), responses((status = 200, body = DesktopList)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<DesktopQuery>,
) -> Answer<Json<DesktopList>> {
    if query.all && !caller.grants.may_somewhere(Permission::DesktopsRead) {
        return Err(Problem::forbidden());
    }
    // The local administrator has no desktops of its own.
    let all = query.all || caller.account().is_none();
    let desktops = app.broker.desktops(&caller.user, all).await?;
    let names = Names::read(&app).await?;
    let problems = app.broker.sign_on_problems(&caller.user).await?;
    let shown = desktops
        .iter()
        .map(|desktop| Desktop { sign_on_problem: problems.get(&desktop.id).cloned(), ..names.desktop(&app, desktop) });
    Ok(Json(DesktopList { desktops: shown.collect() }))
}

/// A new desktop; it starts at once.
#[utoipa::path(post, path = "/desktops", tag = "desktops", operation_id = "create_desktop", request_body = DesktopNew, responses((status = 201, body = Desktop)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<DesktopNew>,
) -> Answer<(StatusCode, Json<Desktop>)> {
    let pool = app.broker.find_pool(&new.pool).await?;
    if !caller.may_in(Permission::DesktopsWrite, pool.id) {
        return Err(Problem::not_found("pool"));
    }
    let owner = match &new.owner {
        Some(key) => Some(app.broker.find_user(key).await?),
        None => None,
    };
    let name = new.name.as_deref().map(super::image::name).transpose()?;
    let made = app.broker.create_desktop(NewDesktop { pool, owner, name }).await;
    let desktop = made.map_err(|error| error.said_to(&caller.user))?;
    Ok((StatusCode::CREATED, Json(names::desktop(&app, &desktop).await?)))
}

/// One desktop.
#[utoipa::path(get, path = "/desktops/{id}", tag = "desktops", operation_id = "show_desktop", params(("id" = String, Path)), responses((status = 200, body = Desktop)))]
pub async fn show(State(app): State<App>, caller: Caller, TheDesktop(desktop): TheDesktop) -> Answer<Json<Desktop>> {
    let sign_on_problem = app.broker.sign_on_problems(&caller.user).await?.remove(&desktop.id);
    Ok(Json(Desktop { sign_on_problem, ..names::desktop(&app, &desktop).await? }))
}

/// Delete a desktop with its disk.
#[utoipa::path(delete, path = "/desktops/{id}", tag = "desktops", operation_id = "delete_desktop", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    TheDesktop(desktop): TheDesktop,
) -> Answer<(StatusCode, Json<Desktop>)> {
    intend(&app, &caller, &desktop, DesktopIntent::Deleted).await
}

/// Start it.
#[utoipa::path(post, path = "/desktops/{id}/start", tag = "desktops", operation_id = "start_desktop", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn start(
    State(app): State<App>,
    caller: Caller,
    TheDesktop(desktop): TheDesktop,
) -> Answer<(StatusCode, Json<Desktop>)> {
    intend(&app, &caller, &desktop, DesktopIntent::Running).await
}

/// Shut it down.
#[utoipa::path(post, path = "/desktops/{id}/stop", tag = "desktops", operation_id = "stop_desktop", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn stop(
    State(app): State<App>,
    caller: Caller,
    TheDesktop(desktop): TheDesktop,
) -> Answer<(StatusCode, Json<Desktop>)> {
    intend(&app, &caller, &desktop, DesktopIntent::Stopped).await
}

/// Cut its power, as a button does that is held: its system is not asked, and what is not saved is lost.
#[utoipa::path(post, path = "/desktops/{id}/cut", tag = "desktops", operation_id = "cut_desktop_power", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn cut(State(app): State<App>, TheDesktop(desktop): TheDesktop) -> Answer<(StatusCode, Json<Desktop>)> {
    let desktop = app.broker.cut_power(desktop.id).await?;
    Ok((StatusCode::ACCEPTED, Json(names::desktop(&app, &desktop).await?)))
}

/// Shut it down and start it again.
#[utoipa::path(post, path = "/desktops/{id}/restart", tag = "desktops", operation_id = "restart_desktop", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn restart(
    State(app): State<App>,
    caller: Caller,
    TheDesktop(desktop): TheDesktop,
) -> Answer<(StatusCode, Json<Desktop>)> {
    intend(&app, &caller, &desktop, DesktopIntent::Restart).await
}

/// Wipe it and make it again from its pool's image. What was stored on it is lost.
#[utoipa::path(post, path = "/desktops/{id}/recycle", tag = "desktops", operation_id = "recycle_desktop", params(("id" = String, Path)), responses((status = 202, body = Desktop)))]
pub async fn recycle(
    State(app): State<App>,
    caller: Caller,
    TheDesktop(desktop): TheDesktop,
) -> Answer<(StatusCode, Json<Desktop>)> {
    intend(&app, &caller, &desktop, DesktopIntent::Recycle).await
}

/// Ask to be let in: answers a ticket for one WebSocket. Starts a stopped desktop.
#[utoipa::path(post, path = "/desktops/{id}/connect", tag = "desktops", operation_id = "connect_desktop", params(("id" = String, Path)), request_body = Connect, responses((status = 200, body = ConnectTicket)))]
pub async fn connect(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Body(connect): Body<Connect>,
) -> Answer<Json<ConnectTicket>> {
    let person = caller.person()?;
    let resume = match &connect.resume {
        Some(id) => Some(id.parse().map_err(|_| {
            Problem::bad_request("that is not a connection's id", "leave `resume` out to connect anew")
        })?),
        None => None,
    };
    let owned_by_other = desktop.owner.is_some_and(|owner| owner != person.id);
    if owned_by_other && app.gateway.is_used_by_others(desktop.id, person.id) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "in_use",
            format!("{} is in use by its person", desktop.name),
            "shadow the session instead (Sessions, or oriel session shadow), or end it first",
        ));
    }
    // Of those who only have a minute to come back the gateway lets go.
    if let Some(seat) = app.broker.seat_of(&desktop).await?
        && (app.gateway.is_seated_by_others(seat, person.id) || app.broker.is_seated_elsewhere(seat, person.id).await?)
    {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "in_use",
            if seat == desktop.id {
                format!("somebody else is at {}", desktop.name)
            } else {
                format!("somebody else is at the switch that {} is at, which shows one machine at a time", desktop.name)
            },
            "ask them to invite you, or try again when they have left",
        ));
    }
    let session = caller.session_sha256().unwrap_or_default();
    let made = match &connect.app {
        None => app.broker.connect(person, &desktop, connect.kind.into(), resume, session).await,
        Some(_) if connect.kind != ConnectKind::Rdp => {
            return Err(Problem::bad_request(
                "a program is opened by RDP",
                "say `rdp` with `kind`, or leave `app` out",
            ));
        }
        Some(key) => {
            let run = app.broker.find_app_for(person, key).await?;
            app.broker.connect_app(person, &desktop, &run, resume, session).await
        }
    };
    let made = made.map_err(|error| error.said_to(person))?;
    let ticket = made.secret.expose_secret().to_owned();
    Ok(Json(ConnectTicket {
        path: format!("{}/connect/{ticket}", crate::access::BASE),
        ticket,
        kind: connect.kind,
        expires_in_seconds: TICKET_SECONDS as u32,
    }))
}

/// A small picture of its screen, at most 480 pixels wide.
#[utoipa::path(get, path = "/desktops/{id}/thumbnail", tag = "desktops", operation_id = "desktop_thumbnail", params(("id" = String, Path)), responses((status = 200, content_type = "image/jpeg", body = Vec<u8>), (status = 304, description = "the picture has not changed")))]
pub async fn thumbnail(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    headers: HeaderMap,
) -> Answer<Response> {
    let nothing = |text: String, next: &str| Problem::new(StatusCode::NOT_FOUND, "no_thumbnail", text, next);
    // There is no looking on unseen, not even small.
    if desktop.owner.is_some_and(|owner| owner != caller.user.id) {
        // Whoever is there need not be its owner, and it is their rules that count.
        for other in app.gateway.others_on(desktop.id, caller.user.id) {
            if app.broker.session_policy(other, desktop.id).await?.shadowing != model::ShadowingPolicy::Tell {
                return Err(nothing(
                    format!("{} is in use, and by its rules nobody looks on unseen", desktop.name),
                    "shadow the session: its person is asked",
                ));
            }
        }
    }
    let Some(thumbnail) = app.broker.thumbnail(&desktop).await? else {
        return Err(nothing(format!("{} shows nothing at the moment", desktop.name), "ask again when it runs"));
    };
    let etag = format!("\"{}\"", thumbnail.etag);
    // Private, and asked for again each time: the tag makes that cheap.
    let tags = [(header::ETAG, etag.as_str()), (header::CACHE_CONTROL, "private, no-cache")];
    if crate::assets::is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, tags).into_response());
    }
    let jpeg = thumbnail.jpeg.as_ref().clone();
    Ok((tags, [(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}
