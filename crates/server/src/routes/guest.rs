//! People without an account: knocking at a live connection with an invitation that is for them, and waiting there to be let in.
//! Nobody of them has a session: a ticket leads to one viewer, and to nothing else.

use super::{
    connect::{MESSAGE_BYTES_MAX, binary, messages, no_websocket},
    me::address,
};
use crate::{
    Answer, App, Peer,
    api::{
        invite::{GuestRole, Knock, KnockTicket},
        problem::Problem,
    },
    audit::{About, TriedName},
    extract::Body,
};
use async_trait::async_trait;
use axum::{
    Extension, Json,
    extract::{
        Path, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::{SinkExt, StreamExt};
use oriel_gateway::{GUEST_TICKET_SECONDS, Guest, GuestKind, KnockRefusal, Person};
use oriel_model::{AuditDeed, Connection, InviteId};
use secrecy::ExposeSecret as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest name that is shown, in characters; in bytes it may be three times as many, which the viewer protocol has room for.
const NAME_CHARS_MAX: usize = 40;
const _: () = assert!(NAME_CHARS_MAX * 3 <= oriel_screen::PERSON_NAME_BYTES_MAX);

/// A name as it is shown. What could make it look like somebody else's words is none: lines, letters that turn the reading direction
/// or are not seen.
fn shown_name(name: &str) -> Answer<String> {
    let name = name.trim();
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(
                letter,
                '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            )
    };
    let is_long = name.chars().count() > NAME_CHARS_MAX || name.len() > NAME_CHARS_MAX * 3;
    if name.is_empty() || is_long || name.chars().any(is_hidden) {
        return Err(Problem::bad_request(
            "that is no name that can be shown",
            format!("say a name of 1 to {NAME_CHARS_MAX} letters, in one line"),
        ));
    }
    Ok(name.to_owned())
}

/// As the audit names somebody of whom nobody knows who they are.
fn told_name(name: &str) -> String {
    format!("{name} (guest, unverified)")
}

/// Knock at a connection with an invitation for people without an account: answers a ticket for one WebSocket, in which one waits to be let in.
#[utoipa::path(post, path = "/guests/knock", tag = "sessions", operation_id = "knock", request_body = Knock, responses((status = 200, body = KnockTicket)))]
pub async fn knock(State(app): State<App>, Extension(peer): Extension<Peer>, Body(knock): Body<Knock>) -> Response {
    let told = shown_name(&knock.name).unwrap_or_else(|_| "a name that cannot be shown".to_owned());
    let mut about = None;
    let answered = knock_with(&app, address(peer), &knock, &mut about).await;
    let mut response = answered.map_or_else(IntoResponse::into_response, IntoResponse::into_response);
    response.extensions_mut().insert(TriedName(told_name(&told)));
    if let Some(invite) = about {
        response.extensions_mut().insert(About(invite.to_string()));
    }
    response
}

async fn knock_with(
    app: &App,
    address: IpAddr,
    knock: &Knock,
    about: &mut Option<InviteId>,
) -> Answer<Json<KnockTicket>> {
    let name = shown_name(&knock.name)?;
    app.broker.try_knock(address)?;
    let knocked = app.gateway.knock(&oriel_identity::sha256_hex(knock.secret.as_bytes()));
    app.broker.knocked(address, matches!(knocked, Some(Ok(_))));
    let (connection, invite) = knocked.ok_or_else(unknown)??;
    *about = Some(invite.id);
    // The pool may say otherwise by now.
    app.broker.may_share_with_guests(&connection, invite.control).await?;
    let guest = Guest {
        connection: connection.id,
        name,
        kind: GuestKind::Visitor { invite: invite.id },
        control: invite.control,
        may_control: invite.control && invite.may_control,
    };
    let (secret, ticket_sha256) = oriel_identity::random_token();
    if !app.gateway.put_visitor_ticket(ticket_sha256, invite.id, guest) {
        return Err(unknown());
    }
    let (owner, _) = app.broker.introduction(connection.user, connection.desktop).await?;
    tracing::info!(connection = %connection.id, desktop = %connection.desktop, invite = %invite.id, %address, control = invite.control, "Somebody without an account knocks");
    let ticket = secret.expose_secret().to_owned();
    Ok(Json(KnockTicket {
        path: format!("{}/guests/connect/{ticket}", crate::access::BASE),
        ticket,
        kind: connection.port.into(),
        expires_in_seconds: GUEST_TICKET_SECONDS as u32,
        owner,
        role: GuestRole::of(invite.control),
    }))
}

fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "invite_unknown",
        "this invitation lets nobody in: it has expired or was withdrawn, or what it led to has ended",
        "ask whoever sent it for a new one",
    )
}

impl From<KnockRefusal> for Problem {
    fn from(refusal: KnockRefusal) -> Self {
        let (code, next) = match refusal {
            KnockRefusal::Taken => ("guest_seat_taken", "wait until they have left, or ask for a link of your own"),
            KnockRefusal::TooMany => ("too_many_knocks", "ask whoever sent it for a new one"),
        };
        Self::new(StatusCode::CONFLICT, code, refusal.to_string(), next)
    }
}

/// Somebody without an account, and where they want to be.
struct Visitor {
    app: App,
    address: Option<IpAddr>,
    connection: Connection,
    guest: Guest,
    invite: InviteId,
    was_let_in: AtomicBool,
}

impl Visitor {
    /// Told whoever wants to know afterwards; what is not written down is said where the service's own words go.
    async fn tell(&self, deed: AuditDeed) {
        let deed = AuditDeed {
            target: format!("/sessions/{}/invites/{} {}", self.connection.id, self.invite, told_name(&self.guest.name)),
            address: self.address.map(|address| address.to_string()).unwrap_or_default(),
            ..deed
        };
        if let Err(error) = self.app.broker.audit(deed.clone()).await {
            tracing::error!(%error, ?deed, "The audit could not be written; this is what it would say");
        }
    }

    async fn left(&self) {
        if self.was_let_in.load(Ordering::Relaxed) {
            let (actor_name, via, action) = (told_name(&self.guest.name), "guest".to_owned(), "guest_left".to_owned());
            self.tell(AuditDeed { actor_name, via, action, outcome: 200, ..AuditDeed::default() }).await;
        }
    }
}

#[async_trait]
impl Person for Visitor {
    fn session(&self) -> &'static str {
        ""
    }

    fn address(&self) -> Option<IpAddr> {
        self.address
    }

    async fn still_may(&self) -> Result<(), String> {
        let may = self.app.broker.may_share_with_guests(&self.connection, self.guest.control).await;
        may.map_err(|error| error.to_string())
    }

    async fn lock(&self) {}

    async fn answered(&self, yes: Option<bool>) {
        let (outcome, code) = match yes {
            Some(true) => (200, ""),
            Some(false) => (403, "refused"),
            None => (408, "no_answer"),
        };
        self.was_let_in.store(yes == Some(true), Ordering::Relaxed);
        let (user, desktop) = (self.connection.user, self.connection.desktop);
        let owner = self.app.broker.introduction(user, desktop).await;
        self.tell(AuditDeed {
            actor: Some(user),
            actor_name: owner.map_or_else(|_| user.to_string(), |(owner, _)| owner),
            via: "viewer".to_owned(),
            action: "admit_guest".to_owned(),
            outcome,
            code: code.to_owned(),
            ..AuditDeed::default()
        })
        .await;
    }
}

/// Open the WebSocket of a viewer without an account (docs/viewer-protocol.md). A ticket works once, for 30 seconds.
#[utoipa::path(get, path = "/guests/connect/{ticket}", tag = "sessions", operation_id = "open_guest_viewer", params(("ticket" = String, Path)), responses((status = 101, description = "the viewer protocol follows")))]
pub async fn viewer(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    Path(ticket): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Response> {
    let upgrade = upgrade.map_err(|_| no_websocket())?;
    let taken = app.gateway.take_visitor_ticket(&oriel_identity::sha256_hex(ticket.as_bytes()));
    let request = taken.ok_or_else(used_up)??;
    let Some(guest) = request.guest.clone() else { return Err(used_up()) };
    let GuestKind::Visitor { invite } = guest.kind else { return Err(used_up()) };
    let connection = app.gateway.connection(guest.connection).ok_or_else(unknown)?;
    let address = match peer {
        Peer::Tcp { address, .. } => Some(address.ip()),
        Peer::Local => None,
    };
    let visitor = Visitor { app: app.clone(), address, connection, guest, invite, was_let_in: AtomicBool::new(false) };
    Ok(upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX).write_buffer_size(0).on_upgrade(
        move |socket| async move {
            let (outgoing, incoming) = socket.split();
            let (incoming, outgoing) = (Box::pin(messages(incoming)), Box::pin(outgoing.with(binary)));
            app.gateway.attach_as(request, &visitor, incoming, outgoing).await;
            visitor.left().await;
        },
    ))
}

fn used_up() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "ticket_unknown",
        "this ticket has been used, or there was none such",
        "reload the page: it knocks anew",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_can_be_read() {
        assert_eq!(shown_name("  Zoë Ångström ").ok().as_deref(), Some("Zoë Ångström"));
        let (long, wide) = ("x".repeat(NAME_CHARS_MAX + 1), "\u{1f600}".repeat(NAME_CHARS_MAX));
        for wrong in ["", "   ", "two\nlines", "a\u{202e}b", "a\u{200b}b", long.as_str(), wide.as_str()] {
            assert!(shown_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
