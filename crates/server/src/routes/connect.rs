//! The viewer's WebSocket.

use crate::{
    Answer, App, Peer,
    api::problem::Problem,
    caller::{Caller, Via},
};
use async_trait::async_trait;
use axum::{
    Extension,
    extract::{
        Path, State,
        ws::{Message, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::Response,
};
use bytes::Bytes;
use futures::{SinkExt, Stream, StreamExt, future};
use oriel_gateway::{Guest, Person, ViewerRequest};
use oriel_model::{Permission, TokenScope};
use oriel_screen::wire::{CLIPBOARD_INPUT_BYTES_MAX, INPUT_BYTES_MAX};
use std::net::IpAddr;

/// Largest message from a viewer: a record of the largest input with its head, and as much as a text for what shares its message.
pub(super) const MESSAGE_BYTES_MAX: usize = CLIPBOARD_INPUT_BYTES_MAX + INPUT_BYTES_MAX;

/// The payloads of a viewer's binary messages, until it closes, breaks off or sends text.
pub(super) fn messages(incoming: impl Stream<Item = Result<Message, axum::Error>>) -> impl Stream<Item = Bytes> {
    incoming
        .take_while(|message| future::ready(!matches!(message, Err(_) | Ok(Message::Close(_) | Message::Text(_)))))
        .filter_map(|message| {
            future::ready(match message {
                Ok(Message::Binary(bytes)) => Some(bytes),
                _ => None,
            })
        })
}

/// Somebody with a viewer, and what they asked for.
struct Seated {
    app: App,
    caller: Caller,
    session: String,
    address: Option<IpAddr>,
    request: ViewerRequest,
}

#[async_trait]
impl Person for Seated {
    fn session(&self) -> &str {
        &self.session
    }

    fn address(&self) -> Option<IpAddr> {
        self.address
    }

    async fn still_may(&self) -> Result<(), String> {
        let (user, scope) = match &self.caller.via {
            Via::Browser(_) => {
                let found = self.app.broker.session(&self.session).await.map_err(|error| error.to_string())?;
                let (session, user) = found.ok_or("you are signed out; sign in again")?;
                if session.locked {
                    return Err("this browser is locked; enter your password".to_owned());
                }
                (user, TokenScope::All)
            }
            Via::Program(_) => {
                let found = self.app.broker.token_user(&self.session).await.map_err(|error| error.to_string())?;
                let (token, user) = found.ok_or("your token no longer holds; make another one")?;
                (user, token.scope)
            }
            Via::Local => return Err("the local administrator has no viewers".to_owned()),
        };
        let (broker, desktop) = (&self.app.broker, self.request.desktop);
        let grants = broker.grants(&user, scope).await.map_err(|error| error.to_string())?;
        match &self.request.guest {
            Some(guest) if guest.is_helper() => {
                let pool = broker.desktop_pool(desktop).await.map_err(|error| error.to_string())?;
                let may = grants.may_in(Permission::SessionsShadow, pool);
                if may { Ok(()) } else { Err("your role does not let you look on".to_owned()) }
            }
            Some(_) => Ok(()),
            None => {
                let found =
                    broker.find_desktop_for(&user, &grants, &desktop.to_string(), Permission::DesktopsUse).await;
                found.map(drop).map_err(|error| error.to_string())
            }
        }
    }

    async fn lock(&self) {
        if let Err(error) = self.app.broker.lock(&self.session).await {
            tracing::error!(%error, "A browser that nobody touches could not be locked");
        }
    }
}

pub(super) fn binary(bytes: Bytes) -> future::Ready<Result<Message, axum::Error>> {
    future::ready(Ok(Message::Binary(bytes)))
}

pub(super) fn no_websocket() -> Problem {
    Problem::new(
        StatusCode::UPGRADE_REQUIRED,
        "not_a_websocket",
        "this address is for the viewer's WebSocket only",
        "open it as a WebSocket (docs/viewer-protocol.md)",
    )
}

/// Open the viewer's WebSocket with a ticket (docs/viewer-protocol.md). A ticket works once, for 30 seconds, for the person who asked for it.
#[utoipa::path(get, path = "/connect/{ticket}", tag = "desktops", operation_id = "open_viewer", params(("ticket" = String, Path)), responses((status = 101, description = "the viewer protocol follows")))]
pub async fn viewer(
    State(app): State<App>,
    caller: Caller,
    Extension(peer): Extension<Peer>,
    Path(ticket): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Response> {
    let upgrade = upgrade.map_err(|_| no_websocket())?;
    caller.person()?;
    let session = caller.session_sha256().unwrap_or_default();
    let ticket_sha256 = oriel_identity::sha256_hex(ticket.as_bytes());
    // Being allowed may have ended since the ticket was made.
    let request = if let Some(taken) = app.gateway.take_guest_ticket(&ticket_sha256, session) {
        let request = taken?;
        if request.guest.as_ref().is_some_and(Guest::is_helper) {
            let pool = app.broker.desktop_pool(request.desktop).await?;
            if !caller.may_in(Permission::SessionsShadow, pool) {
                return Err(Problem::forbidden());
            }
        }
        request
    } else {
        let ticket = app.broker.redeem(&ticket_sha256, session).await?;
        let desktop = app.broker.enter(&caller.user, &caller.grants, ticket.desktop).await?;
        ViewerRequest {
            user: ticket.user,
            desktop: ticket.desktop,
            port: ticket.port,
            person: caller.user.name.clone(),
            resume: ticket.resume,
            guest: None,
            seat: app.broker.seat_of(&desktop).await?,
            app: ticket.app,
        }
    };
    let address = match peer {
        Peer::Tcp { address, .. } => Some(address.ip()),
        Peer::Local => None,
    };
    let seated = Seated {
        app: app.clone(),
        caller: caller.clone(),
        session: session.to_owned(),
        address,
        request: request.clone(),
    };
    let broker = app.broker.clone();
    Ok(upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX).write_buffer_size(0).on_upgrade(
        move |socket| async move {
            let (outgoing, incoming) = socket.split();
            let (incoming, outgoing) = (Box::pin(messages(incoming)), Box::pin(outgoing.with(binary)));
            // Who is at somebody else's connection has none of their own.
            let attendance = request.guest.is_none().then(|| broker.attendance(request.user, request.desktop));
            app.gateway.attach_as(request, &seated, incoming, outgoing).await;
            if let Some(attendance) = attendance {
                attendance.end().await;
            }
        },
    ))
}
