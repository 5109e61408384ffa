//! Inviting to a live connection, and letting guests in: [`Gateway`]'s half of sharing. Whether it may be done is the broker's to say.

use crate::registry::{Gateway, ViewerRequest, now};
use crate::roster::{Invite, KnockRefusal, TooManyInvites};
use crate::seat::Guest;
use oriel_model::{Connection, ConnectionId, InviteId, UserId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a guest's ticket can be used.
pub const GUEST_TICKET_SECONDS: u64 = 30;
/// Tickets that nobody has used yet, of everybody and of one session.
const TICKETS_MAX: usize = 4096;
const TICKETS_PER_SESSION_MAX: usize = 32;

/// Tickets of guests. They live no longer than the connection's process, so they are in no database.
#[derive(Default)]
pub(crate) struct GuestTickets(Mutex<HashMap<String, Ticket>>);

struct Ticket {
    session_sha256: String,
    request: ViewerRequest,
    expires: Instant,
}

impl Ticket {
    fn is_visitors(&self) -> bool {
        self.request.guest.as_ref().is_some_and(Guest::is_visitor)
    }
}

/// Why a guest's ticket does not let them in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuestTicketRefusal {
    #[error("this ticket has expired: ask for a new one")]
    Expired,
    #[error("this ticket was given to another session: ask for a new one")]
    NotYours,
}

impl GuestTickets {
    fn kept(&self) -> MutexGuard<'_, HashMap<String, Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, ticket_sha256: String, ticket: Ticket) {
        let mut kept = self.kept();
        let now = Instant::now();
        kept.retain(|_, other| other.expires > now);
        let own = |other: &Ticket| other.session_sha256 == ticket.session_sha256;
        let surplus = kept.values().filter(|other| own(other)).count() >= TICKETS_PER_SESSION_MAX;
        let oldest = |of_session: bool| {
            kept.iter()
                .filter(|(_, other)| !of_session || own(other))
                .min_by_key(|(_, other)| other.expires)
                .map(|(key, _)| key.clone())
        };
        let gives_way = if surplus || kept.len() >= TICKETS_MAX { oldest(surplus) } else { None };
        gives_way.and_then(|key| kept.remove(&key));
        kept.insert(ticket_sha256, ticket);
    }

    fn take(
        &self,
        ticket_sha256: &str,
        is_theirs: impl FnOnce(&Ticket) -> bool,
    ) -> Option<Result<ViewerRequest, GuestTicketRefusal>> {
        // Used up by whoever shows it, also by the wrong one.
        let ticket = self.kept().remove(ticket_sha256)?;
        Some(if !is_theirs(&ticket) {
            Err(GuestTicketRefusal::NotYours)
        } else if ticket.expires <= Instant::now() {
            Err(GuestTicketRefusal::Expired)
        } else {
            Ok(ticket.request)
        })
    }
}

impl Gateway {
    /// A live connection.
    pub fn connection(&self, id: ConnectionId) -> Option<Connection> {
        self.connections().into_iter().map(|info| info.connection).find(|connection| connection.id == id)
    }

    /// Opens an invitation to a connection; `None` when it is not live.
    ///
    /// # Errors
    /// There are [`INVITES_MAX`](crate::INVITES_MAX) already.
    pub fn invite(&self, to: ConnectionId, invite: Invite) -> Option<Result<(), TooManyInvites>> {
        let entry = self.live().get(&to).cloned()?;
        Some(entry.roster.invite(invite, now()))
    }

    /// A connection's invitations, oldest first; none when it is not live.
    pub fn invites(&self, to: ConnectionId) -> Vec<Invite> {
        let entry = self.live().get(&to).cloned();
        entry.map(|entry| entry.roster.invites(now())).unwrap_or_default()
    }

    /// Withdraws an invitation; whoever came by it leaves. False when there is none.
    pub fn revoke_invite(&self, to: ConnectionId, invite: InviteId) -> bool {
        let entry = self.live().get(&to).cloned();
        entry.is_some_and(|entry| entry.roster.revoke(invite))
    }

    /// What an invitation's token leads to, while it lets anybody in.
    pub fn invited(&self, token_sha256: &str) -> Option<(Connection, Invite)> {
        let now = now();
        let (id, invite) =
            self.live().iter().find_map(|(id, entry)| Some((*id, entry.roster.invited(token_sha256, now)?)))?;
        Some((self.connection(id)?, invite))
    }

    /// What somebody without an account knocks at with an invitation's token; `None` when it lets no such person in.
    pub fn knock(&self, token_sha256: &str) -> Option<Result<(Connection, Invite), KnockRefusal>> {
        let now = now();
        let (id, knocked) =
            self.live().iter().find_map(|(id, entry)| Some((*id, entry.roster.knock(token_sha256, now)?)))?;
        match knocked {
            Ok(invite) => Some(Ok((self.connection(id)?, invite))),
            Err(refusal) => Some(Err(refusal)),
        }
    }

    /// Somebody looks on at nobody's connection any more as an administrator.
    pub fn end_helping(&self, user: UserId, text: &str) {
        for entry in self.live().values() {
            entry.roster.dismiss(|guest| guest.is_helper && guest.user == user, text);
        }
    }

    /// Lets somebody in as a guest, once, within [`GUEST_TICKET_SECONDS`], from this session. False when the connection is not live.
    pub fn put_guest_ticket(&self, ticket_sha256: String, session_sha256: &str, user: UserId, guest: Guest) -> bool {
        let Some(connection) = self.connection(guest.connection) else { return false };
        let request = ViewerRequest {
            user,
            desktop: connection.desktop,
            port: connection.port,
            person: if guest.is_visitor() { format!("{} (guest)", guest.name) } else { guest.name.clone() },
            resume: None,
            guest: Some(guest),
            seat: None,
            app: None,
        };
        let expires = Instant::now() + Duration::from_secs(GUEST_TICKET_SECONDS);
        let ticket = Ticket { session_sha256: session_sha256.to_owned(), request, expires };
        self.guest_tickets().put(ticket_sha256, ticket);
        true
    }

    /// Uses a guest's ticket up; `None` when there is none such.
    pub fn take_guest_ticket(
        &self,
        ticket_sha256: &str,
        session_sha256: &str,
    ) -> Option<Result<ViewerRequest, GuestTicketRefusal>> {
        // One of somebody without an account is nobody's who has one.
        let is_theirs = |ticket: &Ticket| ticket.session_sha256 == session_sha256 && !ticket.is_visitors();
        self.guest_tickets().take(ticket_sha256, is_theirs)
    }

    /// Lets somebody without an account knock, once, within [`GUEST_TICKET_SECONDS`]. False when the connection is not live.
    pub fn put_visitor_ticket(&self, ticket_sha256: String, invite: InviteId, guest: Guest) -> bool {
        // So that one link takes no room from others.
        self.put_guest_ticket(ticket_sha256, &format!("visitors of {invite}"), UserId::new(), guest)
    }

    /// Uses the ticket of somebody without an account up; `None` when there is none such.
    pub fn take_visitor_ticket(&self, ticket_sha256: &str) -> Option<Result<ViewerRequest, GuestTicketRefusal>> {
        self.guest_tickets().take(ticket_sha256, Ticket::is_visitors)
    }
}
