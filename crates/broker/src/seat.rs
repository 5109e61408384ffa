//! Getting a desktop of a pool, and being in it.

use crate::clock::now;
use crate::{Broker, BrokerError, NewDesktop, reconcile::upkeep};
use oriel_model::{BookingRefusal, Desktop, DesktopId, DesktopIntent, Grants, Permission, Pool, PoolKind, Seat, User};
use oriel_store::StoreError;

/// Looks at what is free after others were quicker, before giving up.
const TRIES_MAX: usize = 8;
/// A connection that is being opened counts for so long; one that stands says so again and again.
pub(crate) const PRESENCE_SECONDS: i64 = 60;

impl Broker {
    /// Pools of which the person may get a desktop, with the one they have.
    pub async fn pools_for(&self, user: &User) -> Result<Vec<(Pool, Option<Desktop>)>, BrokerError> {
        let own = self.inner.store.desktops_of(user.id).await?;
        let pools = self.inner.store.pools_for(user.id).await?.into_iter();
        // Hosts on which they have a place are among those that they may open.
        let open = self.inner.store.desktops_for(user.id).await?;
        let theirs = |pool: &Pool| {
            let of = if pool.kind == PoolKind::SessionHost { &open } else { &own };
            of.iter().find(|one| one.pool == pool.id && one.intent != DesktopIntent::Deleted).cloned()
        };
        Ok(pools
            .filter(|pool| pool.kind != PoolKind::External)
            .map(|pool| {
                let has = theirs(&pool);
                (pool, has)
            })
            .collect())
    }

    /// The person's desktop of a pool: the one that they have, else one that is free, else a new one. Of any number of people who ask
    /// for the last one at once, in any number of programs, one gets it.
    ///
    /// Errors: `Missing` pool for who may not use it; conflicts `pool_full`, `desktop_going`, `external_pool`, `personal_disk_in_use`;
    /// `OverQuota`; `Booking` when the last ones are booked by others. Of a pool of session hosts it is a place on one of them.
    pub async fn take_desktop(&self, user: &User, pool: &Pool) -> Result<Desktop, BrokerError> {
        let store = &self.inner.store;
        if !self.may_have_of(pool.id, user).await? {
            return Err(BrokerError::missing("pool", &pool.name));
        }
        if pool.kind == PoolKind::External {
            return Err(BrokerError::conflict(
                "external_pool",
                format!("{} holds external machines: they are not given away", pool.name),
                "open one of its machines as it is",
            ));
        }
        if pool.kind == PoolKind::SessionHost {
            return self.take_place(user, pool).await;
        }
        for _ in 0..TRIES_MAX {
            if let Some(desktop) = self.own_of(user, pool).await? {
                return Ok(desktop);
            }
            self.check_disk_free(user, pool).await?;
            let free = upkeep::in_order(pool, store.free_in_pool(pool.id).await?, &user.name, now());
            for candidate in free.iter().take(TRIES_MAX) {
                match store.give_seat(candidate.id, user.id, pool.kind.is_shared(), now()).await {
                    Ok(Some(desktop)) => {
                        tracing::info!(desktop = %desktop.name, user = %user.name, "Desktop given");
                        self.wake_desktop(desktop.id);
                        self.wake_pool(pool.id);
                        return Ok(desktop);
                    }
                    // Somebody was quicker, or it went meanwhile.
                    Ok(None) | Err(StoreError::Missing { .. }) => {}
                    // They asked twice at once, and the other one has it.
                    Err(StoreError::Taken { .. }) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            let new = NewDesktop { pool: pool.clone(), owner: Some(user.clone()), name: None };
            let seat = Seat { since: now(), seen: now() };
            match self.make_desktop(new, Some(seat)).await {
                Err(BrokerError::Store(StoreError::Taken { .. })) => {}
                // It may be full of desktops one of which became free just now; otherwise it is full.
                Err(BrokerError::Store(StoreError::PoolFull { .. })) if !free.is_empty() => {}
                Err(BrokerError::Store(StoreError::PoolFull { pool, max })) => {
                    let full = BookingRefusal::pool_full(&pool, max);
                    return Err(BrokerError::conflict(full.code, full.text, full.next_step));
                }
                made => return made,
            }
        }
        Err(BrokerError::conflict(
            "pool_busy",
            format!("many people ask for desktops of {} at this moment, and others were quicker", pool.name),
            "try again",
        ))
    }

    /// The one that they have, if any.
    async fn own_of(&self, user: &User, pool: &Pool) -> Result<Option<Desktop>, BrokerError> {
        let store = &self.inner.store;
        let Some(found) = store.seat_of(pool.id, user.id).await? else {
            // Others may have been made for them by hand.
            let own = store.desktops_of(user.id).await?;
            return Ok(own.into_iter().find(|one| one.pool == pool.id && one.intent != DesktopIntent::Deleted));
        };
        let moment = now();
        let mut kept = false;
        let desktop = store
            .modify_desktop_within_quota(found.id, |row| {
                kept = row.owner == Some(user.id) && row.intent != DesktopIntent::Deleted;
                if let (true, Some(seat)) = (kept, row.facts.seat.as_mut()) {
                    // From now on it waits for them anew.
                    seat.seen = moment;
                    if row.intent == DesktopIntent::Stopped {
                        row.intent = DesktopIntent::Running;
                    }
                }
            })
            .await;
        match desktop {
            Ok(desktop) if kept => {
                self.wake_desktop(desktop.id);
                Ok(Some(desktop))
            }
            Ok(desktop) if desktop.owner == Some(user.id) => Err(BrokerError::conflict(
                "desktop_going",
                format!("{} is being deleted", desktop.name),
                "ask again in a moment: then you get another one",
            )),
            // It was taken back, or has gone, since we looked.
            Ok(_) | Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The person opens a connection: from here on the desktop is given to nobody else as long as they are there. External machines
    /// are not given away, and do not count. Answers the desktop as it is then.
    ///
    /// Errors: `Missing` for who may not, or no longer.
    pub async fn enter(&self, user: &User, grants: &Grants, id: DesktopId) -> Result<Desktop, BrokerError> {
        let found = self.find_desktop_for(user, grants, &id.to_string(), Permission::DesktopsUse).await?;
        // It waits for them from now on, so that the place that they have now is theirs when they are there.
        let is_shared = found.owner.is_none() && self.is_session_host(found.pool).await?;
        let until = Some(now().plus_seconds(PRESENCE_SECONDS));
        let has_place = is_shared && self.inner.store.see_place(found.id, user.id, now(), until).await?;
        if found.external.is_some() {
            if is_shared && !has_place {
                return Err(BrokerError::missing("desktop", found.name));
            }
            return Ok(found);
        }
        let may = |desktop: &Desktop| {
            (grants.may_in(Permission::DesktopsUse, desktop.pool) || desktop.owner == Some(user.id) || has_place)
                && !matches!(desktop.intent, DesktopIntent::Recycle | DesktopIntent::Capture | DesktopIntent::Deleted)
        };
        match self.inner.store.enter(id, self.program(), PRESENCE_SECONDS, may).await? {
            Some(desktop) => Ok(desktop),
            None => Err(BrokerError::missing("desktop", found.name)),
        }
    }
}
