//! Places on session hosts: many people on one machine, each in a session of their own.
//!
//! The isolation between them is the machine's operating system. Oriel's part is that each signs in as themselves ([`crate::guest`]), and
//! that what one of them may open says nothing of the others: no machine's screen, no pictures, no shell of the account that Oriel has.

use crate::clock::now;
use crate::{Broker, BrokerError, NewDesktop, OpenAs, reconcile::upkeep};
use oriel_model::{
    Desktop, DesktopId, DesktopIntent, DesktopState, GuestPort, HostPlace, Name, NameError, Permission, Pool, PoolId,
    PoolKind, TokenScope, User, UserId,
};
use oriel_store::StoreError;
use std::collections::{BTreeMap, BTreeSet};

/// Looks at what is free after others were quicker, before giving up.
const TRIES_MAX: usize = 32;
/// Hosts that a refusal names.
const NAMED_MAX: usize = 5;
/// Hosts that one look tries: many people who come together want the same one.
const HOSTS_MAX: usize = 16;

/// Who has what open through this program, as its own and not as a guest's.
pub(crate) fn people_here(broker: &Broker) -> BTreeSet<(UserId, DesktopId)> {
    let open = broker.sessions().map(|sessions| sessions.open()).unwrap_or_default();
    open.into_iter().filter(|open| open.what != OpenAs::Guest).map(|open| (open.user, open.desktop)).collect()
}

impl Broker {
    pub(crate) async fn is_session_host(&self, pool: PoolId) -> Result<bool, BrokerError> {
        Ok(self.inner.store.pool(pool).await?.is_some_and(|pool| pool.kind == PoolKind::SessionHost))
    }

    /// How many people have a place on each host of a pool; those without any are left out.
    pub(crate) async fn places_on(&self, pool: PoolId) -> Result<BTreeMap<DesktopId, u32>, BrokerError> {
        let mut on = BTreeMap::new();
        for place in self.inner.store.places_in(pool).await? {
            *on.entry(place.desktop).or_default() += 1;
        }
        Ok(on)
    }

    /// As [`Self::places_on`]; of other pools, whose desktops are for one person each, nobody has any.
    pub(crate) async fn people_on(&self, pool: &Pool) -> Result<BTreeMap<DesktopId, u32>, BrokerError> {
        if pool.kind == PoolKind::SessionHost { self.places_on(pool.id).await } else { Ok(BTreeMap::new()) }
    }

    /// Who has a place on which host of a pool, and whether they are connected.
    ///
    /// Errors: conflict `no_session_hosts`.
    pub async fn places(&self, pool: &Pool) -> Result<Vec<(HostPlace, bool)>, BrokerError> {
        if pool.kind != PoolKind::SessionHost {
            return Err(no_hosts(pool));
        }
        let moment = now();
        let connected = |place: &HostPlace| place.until.is_some_and(|until| until > moment);
        Ok(self.inner.store.places_in(pool.id).await?.into_iter().map(|place| (place, connected(&place))).collect())
    }

    /// A place on a host of the pool: the one that the person has, else one on the host that the pool's rule prefers, else on a host that is
    /// started or made for them. Answers the host.
    pub(crate) async fn take_place(&self, user: &User, pool: &Pool) -> Result<Desktop, BrokerError> {
        let store = &self.inner.store;
        let mut lost = BTreeSet::new();
        for _ in 0..TRIES_MAX {
            if let Some(host) = store.keep_place(pool.id, user.id, now()).await? {
                self.wake_desktop(host.id);
                return Ok(host);
            }
            let (hosts, on) = (store.desktops_in_pool(pool.id).await?, self.places_on(pool.id).await?);
            let name = next_name(pool, &hosts, &lost);
            let silent = silent(&hosts);
            let open = upkeep::hosts_in_order(pool, hosts, &on);
            let found = open.len();
            for host in open.into_iter().take(HOSTS_MAX) {
                if let Some(host) = self.take_place_on(user, &host).await? {
                    return Ok(host);
                }
            }
            // They asked twice at once, and have one by now: no host is made for them.
            if store.place_of(pool.id, user.id).await?.is_some() {
                continue;
            }
            if pool.is_external() {
                if found == 0 {
                    return Err(full(pool, &silent));
                }
                continue;
            }
            let name = name?;
            let new = NewDesktop { pool: pool.clone(), owner: None, name: Some(name.clone()) };
            match self.make_desktop(new, None).await {
                // Others may be quicker there, too.
                Ok(host) => {
                    if let Some(host) = self.take_place_on(user, &host).await? {
                        return Ok(host);
                    }
                }
                // Others have made it: then it is one of those that are looked at next.
                Err(BrokerError::Store(StoreError::Taken { .. })) => _ = lost.insert(name.to_string()),
                Err(BrokerError::Store(StoreError::PoolFull { .. })) if found > 0 => {}
                Err(BrokerError::Store(StoreError::PoolFull { .. })) => return Err(full(pool, &silent)),
                Err(error) => return Err(error),
            }
        }
        Err(BrokerError::conflict(
            "pool_busy",
            format!("many people ask for places of {} at this moment, and others were quicker", pool.name),
            "try again",
        ))
    }

    /// `None` when others were quicker.
    async fn take_place_on(&self, user: &User, host: &Desktop) -> Result<Option<Desktop>, BrokerError> {
        let store = &self.inner.store;
        match store.take_place(host.id, user.id, now()).await {
            Ok(Some(place)) => {
                tracing::info!(host = %host.name, user = %user.name, place = place.number, "Place given");
                self.wake_desktop(host.id);
                self.wake_pool(host.pool);
                self.wake_accounts();
                Ok(store.desktop(host.id).await?)
            }
            // It is full by now, went meanwhile, or they asked twice at once and have one: the next look says.
            Ok(None) | Err(StoreError::Missing { .. } | StoreError::Taken { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Through which doors of a session host somebody goes: into a session of their own with a place; the machine's own screen and the shell
    /// of its administrator are for those whose role opens all desktops of the pool.
    ///
    /// Errors: conflicts `no_place`, `shared_host`.
    pub(crate) async fn check_host_door(
        &self,
        user: &User,
        host: &Desktop,
        port: GuestPort,
    ) -> Result<(), BrokerError> {
        if host.external.is_none() && port != GuestPort::Rdp {
            let grants = self.grants(user, TokenScope::All).await?;
            if grants.may_in(Permission::DesktopsUse, host.pool) {
                return Ok(());
            }
            return Err(BrokerError::conflict(
                "shared_host",
                format!("{} is shared by many people: its own screen and its shell are its administrators'", host.name),
                "open it by RDP, which is a session of your own",
            ));
        }
        if self.inner.store.see_place(host.id, user.id, now(), None).await? {
            return Ok(());
        }
        Err(BrokerError::conflict(
            "no_place",
            format!("you have no place on {}, or no longer", host.name),
            "get one of its pool first: then you are led to the host that has one",
        ))
    }

    /// Takes nobody new from now on. When its last person has left, a host of Oriel's own is made anew of its pool's image, and is open again;
    /// another one stays as it is until [`Self::undrain`].
    ///
    /// Errors: `Missing`; conflict `no_session_hosts`.
    pub async fn drain(&self, host: &Desktop) -> Result<Desktop, BrokerError> {
        self.set_draining(host, true).await
    }

    /// It is open again.
    ///
    /// Errors: `Missing`; conflicts `no_session_hosts`, `rollout_drains`.
    pub async fn undrain(&self, host: &Desktop) -> Result<Desktop, BrokerError> {
        self.set_draining(host, false).await
    }

    async fn set_draining(&self, host: &Desktop, draining: bool) -> Result<Desktop, BrokerError> {
        let pool = self.inner.store.pool(host.pool).await?.ok_or_else(|| BrokerError::missing("pool", host.pool))?;
        if pool.kind != PoolKind::SessionHost {
            return Err(no_hosts(&pool));
        }
        let rollout = self.inner.store.rollout(pool.id).await?.filter(|it| !draining && it.is_moving(now()));
        if rollout.is_some_and(|it| host.facts.drained_for == Some(it.to)) {
            return Err(BrokerError::conflict(
                "rollout_drains",
                format!("a roll-out of {} drains {}, and would do so again at once", pool.name, host.name),
                format!("pause it, and its hosts take people again: oriel pool rollout pause {}", pool.name),
            ));
        }
        let drain = |row: &mut Desktop| (row.facts.draining, row.facts.drained_for) = (draining, None);
        let host = self.inner.store.modify_desktop(host.id, drain).await?;
        self.wake_pool(pool.id);
        Ok(host)
    }
}

/// What the next host is called. Whoever sees the same ones calls it the same, and one of them makes it: many people who come at once to a
/// pool that is full get one host more, and not one each. `lost`: names that were others'.
fn next_name(pool: &Pool, hosts: &[Desktop], lost: &BTreeSet<String>) -> Result<Name, BrokerError> {
    let taken: BTreeSet<&str> =
        hosts.iter().map(|host| host.name.as_str()).chain(lost.iter().map(String::as_str)).collect();
    // One more than there are: one of them is free.
    let mut names = (1..=taken.len() + 1).map(|number| format!("{}-{number}", pool.name));
    let free = names.find(|name| !taken.contains(name.as_str())).unwrap_or_default();
    free.parse().map_err(|error: NameError| {
        BrokerError::invalid(
            "bad_name",
            error.to_string(),
            "give the pool a shorter name: its hosts are called after it",
        )
    })
}

/// Names of hosts that failed, or do not answer.
fn silent(hosts: &[Desktop]) -> Vec<String> {
    let lost = |one: &&Desktop| {
        matches!(one.state, DesktopState::Failed | DesktopState::Unreachable) && one.intent != DesktopIntent::Deleted
    };
    hosts.iter().filter(lost).map(|one| one.name.to_string()).collect()
}

fn full(pool: &Pool, silent: &[String]) -> BrokerError {
    if !silent.is_empty() {
        let named = silent.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = silent.len().saturating_sub(NAMED_MAX);
        let named = if more == 0 { named } else { format!("{named} and {more} more") };
        return BrokerError::conflict(
            "pool_full",
            format!(
                "no host of {} has a place: {named} cannot be reached, and the others, if any, are full or take nobody new",
                pool.name
            ),
            "try again in a minute; when it stays so, tell an administrator, who sees why with the hosts",
        );
    }
    BrokerError::conflict(
        "pool_full",
        format!("all hosts of {} are full, or take nobody new", pool.name),
        "try again when somebody has left, or have an administrator raise the pool's sessions or desktops_max",
    )
}

fn no_hosts(pool: &Pool) -> BrokerError {
    BrokerError::conflict(
        "no_session_hosts",
        format!("{} holds no session hosts: its desktops are for one person each", pool.name),
        "name a pool of kind session_host, or a host of one",
    )
}
