//! Inviting to a live connection, coming by an invitation, and looking on as an administrator.

use crate::{
    Answer, App,
    api::{
        invite::{GuestRole, GuestTicket, Invite, InviteLink, InviteList, NewInvite, Shadow},
        problem::Problem,
    },
    caller::Caller,
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_gateway::{GUEST_TICKET_SECONDS, Guest, GuestKind};
use oriel_model::{Connection, InviteId, Micros};
use secrecy::ExposeSecret as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// How long an invitation lets people in, unless said otherwise, and at most.
const INVITE_MINUTES: u32 = 60;
const INVITE_MINUTES_MAX: u32 = 24 * 60;
/// Of one for people without an account.
const GUEST_MINUTES_MAX: u32 = 8 * 60;

fn missing() -> Problem {
    Problem::not_found("session")
}

fn connection(app: &App, id: &str) -> Answer<Connection> {
    id.parse().ok().and_then(|id| app.gateway.connection(id)).ok_or_else(missing)
}

/// A connection of the caller's: nobody else's is shared, not even by an administrator.
fn own(app: &App, caller: &Caller, id: &str) -> Answer<Connection> {
    let connection = connection(app, id)?;
    if caller.account() == Some(connection.user) { Ok(connection) } else { Err(missing()) }
}

fn now() -> Micros {
    Micros(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64))
}

/// Invite others to a connection of one's own. Answers the link, which is not told again.
#[utoipa::path(post, path = "/sessions/{id}/invites", tag = "sessions", operation_id = "create_invite", params(("id" = String, Path)), request_body = NewInvite, responses((status = 200, body = InviteLink)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(new): Body<NewInvite>,
) -> Answer<Json<InviteLink>> {
    let connection = own(&app, &caller, &id)?;
    let minutes = new.minutes.unwrap_or(INVITE_MINUTES);
    let most = if new.guests { GUEST_MINUTES_MAX } else { INVITE_MINUTES_MAX };
    if !(1..=most).contains(&minutes) {
        return Err(Problem::bad_request(
            format!("such an invitation cannot be open for {minutes} minutes"),
            format!("choose 1 to {most} minutes"),
        ));
    }
    let control = new.role == GuestRole::Control;
    let may_control = if new.guests {
        app.broker.may_share_with_guests(&connection, control).await?;
        // Only what the link says.
        control
    } else {
        app.broker.may_share(&connection, control).await?
    };
    let (token, token_sha256) = oriel_identity::random_token();
    let created = now();
    let expires = created.plus_seconds(i64::from(minutes) * 60);
    let invite = oriel_gateway::Invite {
        id: InviteId::new(),
        token_sha256,
        control,
        may_control,
        visitors: new.guests,
        created,
        expires,
    };
    let shown = Invite::from(&invite);
    app.gateway.invite(connection.id, invite).ok_or_else(missing)?.map_err(|full| {
        Problem::new(StatusCode::CONFLICT, "too_many_invites", full.to_string(), "withdraw those that are not needed")
    })?;
    tracing::info!(user = %caller.user.name, connection = %connection.id, desktop = %connection.desktop, invite = %shown.id, control, minutes, guests = new.guests, "Connection shared");
    let kind = crate::api::desktop::ConnectKind::from(connection.port).word();
    let token = token.expose_secret();
    // What stands behind the `#` is sent to nobody, and is in no log on the way.
    let path =
        if new.guests { format!("/join/guest?kind={kind}#{token}") } else { format!("/join/{token}?kind={kind}") };
    Ok(Json(InviteLink { invite: shown, path }))
}

/// Invitations to a connection of one's own: those that let people in, and those by which somebody is here.
#[utoipa::path(get, path = "/sessions/{id}/invites", tag = "sessions", operation_id = "list_invites", params(("id" = String, Path)), responses((status = 200, body = InviteList)))]
pub async fn list(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<InviteList>> {
    let connection = own(&app, &caller, &id)?;
    let invites = app.gateway.invites(connection.id).iter().map(Invite::from).collect();
    Ok(Json(InviteList { invites }))
}

/// Withdraw an invitation: whoever came by it leaves.
#[utoipa::path(delete, path = "/sessions/{id}/invites/{invite}", tag = "sessions", operation_id = "revoke_invite", params(("id" = String, Path), ("invite" = String, Path)), responses((status = 204)))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path((id, invite)): Path<(String, String)>,
) -> Answer<StatusCode> {
    let connection = own(&app, &caller, &id)?;
    let missing = || Problem::not_found("invitation");
    let invite = invite.parse().map_err(|_| missing())?;
    if app.gateway.revoke_invite(connection.id, invite) {
        tracing::info!(user = %caller.user.name, connection = %connection.id, %invite, "Invitation withdrawn");
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(missing())
    }
}

/// Come by an invitation: answers a ticket for one WebSocket. Whoever is signed in and has the link may.
#[utoipa::path(post, path = "/invites/{token}/connect", tag = "sessions", operation_id = "accept_invite", params(("token" = String, Path)), responses((status = 200, body = GuestTicket)))]
pub async fn accept(State(app): State<App>, caller: Caller, Path(token): Path<String>) -> Answer<Json<GuestTicket>> {
    let unknown = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "invite_unknown",
            "this invitation lets nobody in: it has expired or was withdrawn, or what it led to has ended",
            "ask whoever sent it for a new one",
        )
    };
    let person = caller.person()?;
    let (connection, invite) =
        app.gateway.invited(&oriel_identity::sha256_hex(token.as_bytes())).ok_or_else(unknown)?;
    if connection.user == person.id {
        return Err(own_connection());
    }
    // The pool may say otherwise by now.
    let may_control = app.broker.may_share(&connection, invite.control).await? && invite.may_control;
    let guest = Guest {
        connection: connection.id,
        name: person.name.clone(),
        kind: GuestKind::Invited { invite: invite.id },
        control: invite.control,
        may_control,
    };
    ticket(&app, &caller, &connection, guest, false).await?.ok_or_else(unknown)
}

/// Look on at somebody's connection, and help. By the pool's policy the person is asked first, in their viewer, or told.
#[utoipa::path(post, path = "/sessions/{id}/shadow", tag = "sessions", operation_id = "shadow_session", params(("id" = String, Path)), request_body = Shadow, responses((status = 200, body = GuestTicket)))]
pub async fn shadow(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(shadow): Body<Shadow>,
) -> Answer<Json<GuestTicket>> {
    let connection = connection(&app, &id)?;
    let person = caller.person()?;
    if connection.user == person.id {
        return Err(own_connection());
    }
    let asks = app.broker.may_shadow(&connection).await?;
    let policy = app.broker.session_policy(connection.user, connection.desktop).await?;
    let control = shadow.control && !policy.view_only;
    let guest = Guest {
        connection: connection.id,
        name: person.name.clone(),
        kind: GuestKind::Helper { ask: asks },
        control,
        may_control: !policy.view_only,
    };
    ticket(&app, &caller, &connection, guest, asks).await?.ok_or_else(missing)
}

fn own_connection() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "own_connection",
        "this is your own connection",
        "open the desktop itself: it continues where you left it",
    )
}

/// `None`: the connection has just ended.
async fn ticket(
    app: &App,
    caller: &Caller,
    connection: &Connection,
    guest: Guest,
    asks: bool,
) -> Answer<Option<Json<GuestTicket>>> {
    let session = caller.session_sha256().unwrap_or_default();
    let (secret, ticket_sha256) = oriel_identity::random_token();
    let (control, kind) = (guest.control, guest.kind);
    if !app.gateway.put_guest_ticket(ticket_sha256, session, caller.user.id, guest) {
        return Ok(None);
    }
    let (owner, desktop) = app.broker.introduction(connection.user, connection.desktop).await?;
    tracing::info!(user = %caller.user.name, connection = %connection.id, desktop = %connection.desktop, ?kind, control, asks, "Somebody comes to another's connection");
    let ticket = secret.expose_secret().to_owned();
    Ok(Some(Json(GuestTicket {
        path: format!("{}/connect/{ticket}", crate::access::BASE),
        ticket,
        kind: connection.port.into(),
        expires_in_seconds: GUEST_TICKET_SECONDS as u32,
        desktop,
        owner,
        role: GuestRole::of(control),
        asks,
    })))
}
