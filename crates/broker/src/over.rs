//! What is open and may be no longer: ended, however many people and machines a change is about.

use crate::{Broker, BrokerError};
use futures::future;
use oriel_model::{DesktopId, PoolId, SessionPolicy, UserId};
use oriel_store::StoreError;
use std::collections::{BTreeSet, HashSet};

/// What somebody reads whose connection is under looser rules than hold for them now.
const STRICTER: &str = "an administrator changed what you may do on connections; connect again";

/// Something that somebody has open of a desktop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub user: UserId,
    pub desktop: DesktopId,
    pub what: OpenAs,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenAs {
    /// A connection, and the rules it is under; none before its machine was dialled.
    Connection(Option<SessionPolicy>),
    /// Files, whose rules are asked for each time.
    Files,
    /// A seat at somebody else's connection.
    Guest,
}

/// Does something to its end, also when whoever asked hangs up or their time is over: a right that is taken away half would be
/// taken from nobody a second time.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, BrokerError>> + Send + 'static,
) -> Result<T, BrokerError> {
    tokio::spawn(work).await.map_err(|error| BrokerError::internal("finishing a change", error))?
}

impl Broker {
    /// Ends what these people have open of these pools (`None`: of all) and may open no longer. Desktops that they own stay theirs;
    /// what was theirs only through a pool or a role does not. One pass over what is open, which is little beside people times
    /// machines; nothing fails half way: where the database does not say that somebody may, they may not.
    pub(crate) async fn end_what_is_over(&self, pools: Option<&[PoolId]>, users: &[UserId]) {
        // First: what somebody has open on a host is theirs by their place there.
        for user in users {
            if let Err(error) = self.end_places(pools, *user).await {
                tracing::warn!(%error, %user, "Whether somebody's places are still theirs is not known: they last until nobody is there");
            }
        }
        let Some(sessions) = self.sessions() else { return };
        let users: HashSet<UserId> = users.iter().copied().collect();
        let mut over = BTreeSet::new();
        for open in sessions.open().into_iter().filter(|open| users.contains(&open.user)) {
            // Guests come by invitation, and need no right of their own but where a machine is everybody's of its pool.
            let is_guest = open.what == OpenAs::Guest;
            match self.is_over(&open, pools, is_guest).await {
                Ok(Some(name)) => _ = over.insert((open.user, open.desktop, name)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, user = %open.user, desktop = %open.desktop, "Whether somebody still may is not known: ended");
                    over.insert((open.user, open.desktop, "this desktop".to_owned()));
                }
            }
        }
        future::join_all(over.into_iter().map(|(user, desktop, name)| {
            let sessions = &sessions;
            async move { sessions.end_of(user, desktop, &format!("you may no longer use {name}")).await }
        }))
        .await;
    }

    /// Takes back at once the places that somebody has on session hosts of these pools (`None`: of all) and may have no longer.
    pub(crate) async fn end_places(&self, pools: Option<&[PoolId]>, user: UserId) -> Result<(), BrokerError> {
        let store = &self.inner.store;
        let mut places = store.places_of(user).await?;
        places.retain(|place| pools.is_none_or(|pools| pools.contains(&place.pool)));
        if places.is_empty() {
            return Ok(());
        }
        let Some(person) = store.user(user).await? else { return Ok(()) };
        for place in places {
            if !person.disabled && self.may_have_of(place.pool, &person).await? {
                continue;
            }
            match store.take_back_place(place, |_, _| true).await {
                Ok(_) => {
                    tracing::info!(user = %person.name, host = %place.desktop, "Place ended: its person may have it no longer");
                    self.wake_pool(place.pool);
                    self.wake_accounts();
                }
                // Its host has gone, and the place with it.
                Err(StoreError::Missing { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Ends the connections of these people whose rules are looser than those that hold for them now: what a machine gives is held
    /// back by rules that are read when it is dialled, so that only a new connection is under others. Looser rules wait for the next
    /// connection by themselves.
    pub(crate) async fn end_what_is_looser(&self, users: &[UserId]) {
        let Some(sessions) = self.sessions() else { return };
        let users: HashSet<UserId> = users.iter().copied().collect();
        let mut looser = BTreeSet::new();
        for open in sessions.open().into_iter().filter(|open| users.contains(&open.user)) {
            let OpenAs::Connection(policy) = open.what else { continue };
            // Being dialled: with which rules is not known.
            let Some(policy) = policy else {
                looser.insert((open.user, open.desktop));
                continue;
            };
            let is_looser = match self.session_policy(open.user, open.desktop).await {
                Ok(now) => now.is_stricter_than(&policy),
                // What is gone is ended by whoever deleted it.
                Err(BrokerError::Missing { .. }) => false,
                Err(error) => {
                    tracing::warn!(%error, user = %open.user, desktop = %open.desktop, "A connection's rules are not known: ended");
                    true
                }
            };
            if is_looser {
                looser.insert((open.user, open.desktop));
            }
        }
        future::join_all(looser.into_iter().map(|(user, desktop)| {
            let sessions = &sessions;
            async move { sessions.end_of(user, desktop, STRICTER).await }
        }))
        .await;
    }

    /// The desktop's name, when it is over.
    async fn is_over(
        &self,
        open: &Open,
        pools: Option<&[PoolId]>,
        is_guest: bool,
    ) -> Result<Option<String>, BrokerError> {
        // What is gone is ended by whoever deleted it.
        let Some(desktop) = self.inner.store.desktop(open.desktop).await? else { return Ok(None) };
        let is_everybodys = desktop.external.is_some() && desktop.owner.is_none();
        let concerned = pools.is_none_or(|pools| pools.contains(&desktop.pool));
        if !concerned || is_guest && (pools.is_none() || !is_everybodys) {
            return Ok(None);
        }
        let name = desktop.name.to_string();
        let Some(user) = self.inner.store.user(open.user).await? else { return Ok(Some(name)) };
        match self.find_desktop(&user, &desktop.id.to_string()).await {
            Ok(_) => Ok(None),
            Err(BrokerError::Missing { .. } | BrokerError::Forbidden { .. }) => Ok(Some(name)),
            Err(error) => Err(error),
        }
    }
}
