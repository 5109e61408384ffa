//! Being let in once.

use crate::capture::held_for_capture;
use crate::clock::now;
use crate::{Broker, BrokerError, seat::PRESENCE_SECONDS};
use oriel_identity as identity;
use oriel_model::{App, AppId, ConnectionId, Desktop, DesktopIntent, DesktopState, GuestPort, Seat, Ticket, User};
use oriel_store::TicketRefusal;
use secrecy::SecretString;

/// How long a ticket can be used.
pub const TICKET_SECONDS: i64 = 30;

/// `secret` goes to the browser and exists nowhere else.
pub struct NewTicket {
    pub ticket: Ticket,
    pub secret: SecretString,
}

impl Broker {
    /// A ticket for one connection to a desktop that the person may use; a desktop that is off is started and the caller told
    /// to come back. `session_sha256` names the session that asks: only it can use the ticket.
    ///
    /// Errors: conflict `desktop_not_ready`; `OverQuota` for one session, or one desktop that runs, more than they may have; on a session host
    /// conflicts `no_place`, `shared_host`.
    pub async fn connect(
        &self,
        user: &User,
        desktop: &Desktop,
        port: GuestPort,
        resume: Option<ConnectionId>,
        session_sha256: &str,
    ) -> Result<NewTicket, BrokerError> {
        self.connect_to(user, desktop, (port, None), resume, session_sha256).await
    }

    /// As [`Self::connect`], for a session that is one program of the desktop's pool. Errors: also `Missing` app.
    pub async fn connect_app(
        &self,
        user: &User,
        desktop: &Desktop,
        app: &App,
        resume: Option<ConnectionId>,
        session_sha256: &str,
    ) -> Result<NewTicket, BrokerError> {
        if app.pool != desktop.pool {
            return Err(BrokerError::missing("app", &app.name));
        }
        self.connect_to(user, desktop, (GuestPort::Rdp, Some(app.id)), resume, session_sha256).await
    }

    async fn connect_to(
        &self,
        user: &User,
        desktop: &Desktop,
        (port, app): (GuestPort, Option<AppId>),
        resume: Option<ConnectionId>,
        session_sha256: &str,
    ) -> Result<NewTicket, BrokerError> {
        if let Some(external) = &desktop.external {
            Self::check_door(desktop, external, port)?;
        }
        if desktop.owner.is_none() && self.is_session_host(desktop.pool).await? {
            self.check_host_door(user, desktop, port).await?;
        }
        if desktop.intent == DesktopIntent::Capture {
            return Err(held_for_capture(desktop));
        }
        if desktop.intent == DesktopIntent::Stopped {
            self.set_intent(desktop.id, DesktopIntent::Running).await?;
        }
        self.still_wanted(user, desktop).await?;
        // A console shows the machine's own screen, so it can be watched from power-on.
        let reachable = match desktop.state {
            // What did not answer a minute ago may answer now, and dialling says best why it does not.
            DesktopState::Ready | DesktopState::InUse | DesktopState::Unreachable => true,
            DesktopState::Starting => port == GuestPort::Console,
            _ => false,
        };
        if !reachable {
            let text = match desktop.state {
                DesktopState::Failed => format!(
                    "{} failed: {}",
                    desktop.name,
                    desktop.failure.as_deref().unwrap_or("no reason was recorded")
                ),
                DesktopState::Deleting => format!("{} is being deleted", desktop.name),
                _ => format!("{} is starting", desktop.name),
            };
            return Err(BrokerError::conflict(
                "desktop_not_ready",
                text,
                "wait until it is ready; the page shows each step",
            ));
        }
        let (secret, ticket_sha256) = identity::random_token();
        let ticket = Ticket {
            ticket_sha256,
            user: user.id,
            session_sha256: session_sha256.to_owned(),
            desktop: desktop.id,
            port,
            resume,
            app,
            expires: now().plus_seconds(TICKET_SECONDS),
        };
        self.inner.store.put_ticket(&ticket, self.program()).await?;
        Ok(NewTicket { ticket, secret })
    }

    /// Somebody is about to come back to a desktop that they were given: it waits for them from now on.
    async fn still_wanted(&self, user: &User, desktop: &Desktop) -> Result<(), BrokerError> {
        let old = |seat: Seat| seat.seen.plus_seconds(TICKET_SECONDS) < now();
        if desktop.owner == Some(user.id) && desktop.facts.seat.is_some_and(old) {
            let seen = |row: &mut Desktop| {
                if let (Some(owner), Some(seat)) = (row.owner, row.facts.seat.as_mut())
                    && owner == user.id
                {
                    seat.seen = now();
                }
            };
            self.inner.store.modify_desktop(desktop.id, seen).await?;
        }
        Ok(())
    }

    /// Uses a ticket up. From here on its person counts as being there; [`Self::attendance`] says for how long.
    pub async fn redeem(&self, ticket_sha256: &str, session_sha256: &str) -> Result<Ticket, TicketRefusal> {
        let ticket = self.inner.store.take_ticket(ticket_sha256, session_sha256, now()).await?;
        self.inner.store.attend(ticket.user, ticket.desktop, self.program(), PRESENCE_SECONDS).await?;
        Ok(ticket)
    }
}
