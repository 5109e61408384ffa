//! Bookings: a desktop of a pool is kept for somebody for a span of time.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{
    AuditDeed, Booked, Booking, BookingBy, BookingCursor, BookingFilter, BookingId, BookingRules, Pool, PoolId, Span,
    User, UserId,
};

/// Bookings of one page of a list, unless another number is asked for, and the most.
const LISTED: u64 = 100;
const LISTED_MAX: u64 = 500;

pub struct NewBooking {
    pub pool: Pool,
    /// Whose it is.
    pub user: User,
    pub span: Span,
    pub by: BookingBy,
}

/// How much of a pool is booked in an hour, at its peak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookedHour {
    pub span: Span,
    pub booked: u64,
}

impl Broker {
    /// Books a desktop. It is kept from some minutes before the booking begins (the pool's start-ahead) until it ends, used or not.
    ///
    /// Where nothing is left it takes the place of lower ones, whose people are told.
    ///
    /// Errors: `Missing` pool for whom it is for and who may not use it; `Booking`.
    pub async fn book(&self, new: NewBooking) -> Result<Booked, BrokerError> {
        if !self.may_have_of(new.pool.id, &new.user).await? {
            return Err(BrokerError::conflict(
                "not_entitled",
                format!("{} may not use {}", new.user.name, new.pool.name),
                format!("let them: oriel pool allow {} {}", new.pool.name, new.user.name),
            ));
        }
        let moment = now();
        let booking = Booking {
            id: BookingId::new(),
            pool: new.pool.id,
            user: new.user.id,
            span: new.span,
            // The store says these.
            priority: 0,
            firm_from: moment,
            displaced: None,
            created: moment,
        };
        let booked = self.inner.store.create_booking(&booking, new.by, moment).await?;
        let displaced = booked.displaced.len();
        tracing::info!(pool = %new.pool.name, user = %new.user.name, span = %booking.span, displaced, "Desktop booked");
        self.wake_pool(new.pool.id);
        Ok(booked)
    }

    /// Tells the audit, and so webhooks and syslog, of bookings whose place another one took. Only who leads does: nobody is told
    /// twice, unless this program dies between the two.
    pub(crate) async fn tell_displaced(&self) -> Result<(), BrokerError> {
        let store = &self.inner.store;
        let untold = store.untold_bookings().await?;
        for one in untold {
            if !self.lead().await? {
                return Ok(());
            }
            let (pool, user) = tokio::try_join!(store.pool(one.pool), store.user(one.user))?;
            // Both are there: bookings go with them. What went meanwhile concerns nobody any more.
            if let (Some(pool), Some(user)) = (pool, user) {
                self.audit(displaced(&one, &pool, &user)).await?;
                tracing::info!(pool = %pool.name, user = %user.name, span = %one.span, "Booking displaced");
            }
            store.set_booking_told(one.id).await?;
        }
        Ok(())
    }

    /// Those that are not over, of a pool, of a person, or of all, by when they begin.
    pub async fn bookings(&self, pool: Option<PoolId>, user: Option<UserId>) -> Result<Vec<Booking>, BrokerError> {
        Ok(self.inner.store.bookings(pool, user, now()).await?)
    }

    /// Those that are not over, by when they begin: a page behind `after`, and where the next one begins, if there is more.
    pub async fn list_bookings(
        &self,
        filter: &BookingFilter,
        after: Option<BookingCursor>,
        count: Option<u64>,
    ) -> Result<(Vec<Booking>, Option<BookingCursor>), BrokerError> {
        let count = count.unwrap_or(LISTED).clamp(1, LISTED_MAX);
        // One more says whether there is more.
        let mut page = self.inner.store.list_bookings(filter, after, count + 1, now()).await?;
        let more = page.len() as u64 > count;
        page.truncate(count as usize);
        let next = page.last().filter(|_| more).map(|last| BookingCursor { begins: last.span.from, id: last.id });
        Ok((page, next))
    }

    /// By id. Errors: `Missing`.
    pub async fn find_booking(&self, key: &str) -> Result<Booking, BrokerError> {
        let missing = || BrokerError::missing("booking", key);
        let id: BookingId = key.parse().map_err(|_| missing())?;
        self.inner.store.booking(id).await?.ok_or_else(missing)
    }

    /// Its desktop is kept no longer; whoever is in one stays. Twice is no error.
    pub async fn cancel_booking(&self, booking: &Booking) -> Result<(), BrokerError> {
        self.inner.store.delete_booking(booking.id).await?;
        self.wake_pool(booking.pool);
        Ok(())
    }

    /// How much of a pool is booked, hour by hour from a span's begin on, for as long as a booking may last.
    pub async fn booked_hours(&self, pool: PoolId, span: Span) -> Result<Vec<BookedHour>, BrokerError> {
        let there = self.inner.store.booked(pool, span).await?;
        Ok(span.hours().map(|hour| BookedHour { span: hour, booked: hour.peak(&there) }).collect())
    }

    /// The pools of which somebody may book desktops, by name, with what they may book there.
    pub async fn bookable_by(&self, user: UserId) -> Result<Vec<(Pool, BookingRules)>, BrokerError> {
        let store = &self.inner.store;
        let (rules, pools) = tokio::try_join!(store.quotas_for(user), store.pools_for(user))?;
        let shared = pools.into_iter().filter(|pool| pool.kind.is_shared());
        let with_rules = |pool: Pool| {
            let of_it: Vec<_> = rules
                .iter()
                .filter(|rule| match rule.scope {
                    oriel_model::QuotaScope::Pool(id) => id == pool.id,
                    _ => true,
                })
                .cloned()
                .collect();
            Some((pool, BookingRules::of(&of_it)?))
        };
        Ok(shared.filter_map(with_rules).collect())
    }
}

/// Nobody asked for it: it came of a booking of somebody else, which the audit has, too. Its target says whose it was.
fn displaced(booking: &Booking, pool: &Pool, user: &User) -> AuditDeed {
    AuditDeed {
        actor_name: "oriel".to_owned(),
        via: "nobody".to_owned(),
        action: "displace_booking".to_owned(),
        target: format!("/users/{}/bookings/{} of {}, {}", user.name, booking.id, pool.name, booking.span),
        outcome: 200,
        code: "higher_priority".to_owned(),
        ..AuditDeed::default()
    }
}
