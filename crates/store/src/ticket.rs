//! Tickets: one person, one desktop, one use.
//!
//! ```text
//! put ─▶ unused ─▶ (first one who takes it) used ─▶ (expired) forgotten
//! ```
//! Whoever presents a ticket uses it up, also with the wrong session: a stolen ticket is worth nothing afterwards.

use crate::{Store, StoreError, codec, desktop::locked, now, quota};
use oriel_model::{DesktopId, Micros, Ticket};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use std::collections::BTreeSet;

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "ticket")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub ticket_sha256: String,
        pub user_id: String,
        pub session_sha256: String,
        pub desktop_id: String,
        pub port: String,
        pub resume: Option<String>,
        pub expires: i64,
        /// When it was taken.
        pub used: Option<i64>,
        pub app_id: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Ticket {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            ticket_sha256: row.ticket_sha256,
            user: codec::parse("ticket", &row.user_id)?,
            session_sha256: row.session_sha256,
            desktop: codec::parse("ticket", &row.desktop_id)?,
            port: codec::from_word("ticket", row.port)?,
            resume: row.resume.map(|id| codec::parse("ticket", &id)).transpose()?,
            app: row.app_id.map(|id| codec::parse("ticket", &id)).transpose()?,
            expires: Micros(row.expires),
        })
    }
}

/// Tickets of one session that nobody has used yet; the oldest gives way to one more. A ticket lives for half a minute.
pub const TICKETS_PER_SESSION_MAX: u64 = 64;

/// Why a ticket does not let anybody in.
#[derive(Debug, thiserror::Error)]
pub enum TicketRefusal {
    #[error("this ticket is not known: ask for a new one")]
    Unknown,
    #[error("this ticket was used already: ask for a new one")]
    Used,
    #[error("this ticket has expired: ask for a new one")]
    Expired,
    #[error("this ticket was given to another session: ask for a new one")]
    NotYours,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sea_orm::DbErr> for TicketRefusal {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Its person counts as being in the desktop through this program as long as it can be used.
    ///
    /// Errors: `Missing` when the user or the desktop has gone meanwhile; `OverQuota` when it is for one session more than they may have.
    pub async fn put_ticket(&self, ticket: &Ticket, program: &str) -> Result<(), StoreError> {
        self.put_ticket_at(ticket, program, None).await.map(drop)
    }

    /// As [`Self::put_ticket`], for a desktop that has one keyboard and screen: what has them, and all that are seen by them. Answers `false`,
    /// and gives none, while somebody else is at one of those through another program; who is there through this one its gateway knows.
    pub async fn put_ticket_at(
        &self,
        ticket: &Ticket,
        program: &str,
        seat: Option<(DesktopId, &BTreeSet<DesktopId>)>,
    ) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let person = quota::hold(&txn, ticket.user).await?;
        if let Some((seat, shared)) = seat {
            // Whoever asks for the same one through another program takes turns.
            locked(&txn, seat).await?;
            if !quota::elsewhere(&txn, ticket.user, program, now()).await?.is_disjoint(shared) {
                return Ok(false);
            }
        }
        let row = row::Model {
            ticket_sha256: ticket.ticket_sha256.clone(),
            user_id: ticket.user.to_string(),
            session_sha256: ticket.session_sha256.clone(),
            desktop_id: ticket.desktop.to_string(),
            port: codec::word(ticket.port)?,
            resume: ticket.resume.map(|id| id.to_string()),
            expires: ticket.expires.0,
            used: None,
            app_id: ticket.app.map(|id| id.to_string()),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&txn)
            .await
            .map_err(|error| StoreError::dangling(error, "desktop", ticket.desktop))?;
        // Behind the ticket, which holds the desktop: whoever deletes that waits for neither of them while they wait for it.
        quota::attend(&txn, (ticket.user, &person), ticket.desktop, program, ticket.expires).await?;
        let surplus: Vec<String> = row::Entity::find()
            .select_only()
            .column(row::Column::TicketSha256)
            .filter(row::Column::SessionSha256.eq(&ticket.session_sha256))
            .filter(row::Column::Used.is_null())
            .order_by_desc(row::Column::Expires)
            .offset(TICKETS_PER_SESSION_MAX)
            .limit(TICKETS_PER_SESSION_MAX)
            .into_tuple()
            .all(&txn)
            .await?;
        if !surplus.is_empty() {
            let gone = row::Entity::delete_many().filter(row::Column::TicketSha256.is_in(surplus));
            gone.exec(&txn).await?;
        }
        txn.commit().await?;
        Ok(true)
    }

    /// Uses a ticket up. Of any number of callers at once, in any number of programs, one gets it.
    pub async fn take_ticket(
        &self,
        ticket_sha256: &str,
        session_sha256: &str,
        now: Micros,
    ) -> Result<Ticket, TicketRefusal> {
        let won = row::Entity::update_many()
            .col_expr(row::Column::Used, Expr::value(now.0))
            .filter(row::Column::TicketSha256.eq(ticket_sha256))
            .filter(row::Column::Used.is_null())
            .exec(&self.writer)
            .await?
            .rows_affected
            == 1;
        let row = row::Entity::find_by_id(ticket_sha256).one(&self.writer).await?.ok_or(TicketRefusal::Unknown)?;
        if row.expires <= now.0 {
            return Err(TicketRefusal::Expired);
        }
        if !won {
            return Err(TicketRefusal::Used);
        }
        if row.session_sha256 != session_sha256 {
            return Err(TicketRefusal::NotYours);
        }
        Ok(Ticket::try_from(row)?)
    }
}
