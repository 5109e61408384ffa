//! Accounts of people on session hosts: opened where somebody has a place on a host that is up, closed where they have none any more.

use super::{Again, Reconciler, Round};
use crate::clock::now;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use oriel_model::{AccountState, Desktop, DesktopId, DesktopState, HostAccount, Micros, Pool, PoolKind, UserId};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Hosts that are told at once.
const PARALLEL_MAX: usize = 8;
/// What came to nothing is tried again after so long.
const AGAIN_SECONDS: i64 = 60;

pub(super) struct Accounts;

/// What one host is to be told.
struct Task {
    host: Desktop,
    open: Vec<UserId>,
    close: Vec<UserId>,
}

#[async_trait]
impl Reconciler for Accounts {
    fn name(&self) -> &'static str {
        "accounts"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn leads(&self) -> bool {
        true
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let mut tasks = Vec::new();
        let pools = broker.inner.store.pools().await?;
        for pool in pools.iter().filter(|pool| pool.kind == PoolKind::SessionHost && !pool.is_external()) {
            tasks.extend(tasks_of(broker, pool).await?);
        }
        let told = stream::iter(tasks.into_iter().map(|task| tell(broker, task))).buffer_unordered(PARALLEL_MAX);
        let told: Vec<Result<usize, BrokerError>> = told.collect().await;
        let mut done = 0;
        for told in told {
            done += told?;
        }
        let summary = match done {
            0 => "accounts on session hosts are as they shall be".to_owned(),
            _ => format!("accounts opened or closed: {done}"),
        };
        Ok(Round { again: Again::Later, summary })
    }
}

async fn tasks_of(broker: &Broker, pool: &Pool) -> Result<Vec<Task>, BrokerError> {
    let store = &broker.inner.store;
    let (accounts, places) = (store.accounts_in(pool.id).await?, store.places_in(pool.id).await?);
    if accounts.is_empty() && places.is_empty() {
        return Ok(Vec::new());
    }
    let accounts: BTreeMap<(DesktopId, UserId), HostAccount> =
        accounts.into_iter().map(|one| ((one.host, one.user), one)).collect();
    let there: BTreeSet<(DesktopId, UserId)> = places.iter().map(|place| (place.desktop, place.user)).collect();
    let moment = now();
    let mut tasks = Vec::new();
    for host in store.desktops_in_pool(pool.id).await? {
        // What is off lets nobody in; it is told when it is up.
        if !matches!(host.state, DesktopState::Ready | DesktopState::InUse) {
            continue;
        }
        let of_host = |(at, _): &&(DesktopId, UserId)| *at == host.id;
        let open = there.iter().filter(of_host).filter(|key| is_missing(accounts.get(*key), &host, moment));
        let gone = |(key, account): &(&(DesktopId, UserId), &HostAccount)| {
            of_host(key) && !there.contains(*key) && account.state != AccountState::Closed && is_due(account, moment)
        };
        let task = Task {
            open: open.map(|(_, user)| *user).collect(),
            close: accounts.iter().filter(gone).map(|((_, user), _)| *user).collect(),
            host,
        };
        if !task.open.is_empty() || !task.close.is_empty() {
            tasks.push(task);
        }
    }
    Ok(tasks)
}

/// Whether its host is still to be told of it.
fn is_missing(account: Option<&HostAccount>, host: &Desktop, now: Micros) -> bool {
    account.is_none_or(|one| {
        one.generation != host.generation
            || !matches!(one.state, AccountState::Ready | AccountState::Theirs) && is_due(one, now)
    })
}

/// Whether the last try is long enough ago, if that came to nothing.
fn is_due(account: &HostAccount, now: Micros) -> bool {
    account.problem.is_none() || account.changed.plus_seconds(AGAIN_SECONDS) <= now
}

/// Answers how many accounts are as they shall be now. A host that does not answer is not asked for the next one at once.
async fn tell(broker: &Broker, task: Task) -> Result<usize, BrokerError> {
    let Task { host, open, close } = task;
    let mut done = 0;
    // Those that end first: a place was free because somebody left.
    for user in close {
        if !broker.lead().await? || !broker.close_account(user, &host).await? {
            return Ok(done);
        }
        done += 1;
    }
    for user in open {
        let Some(user) = broker.inner.store.user(user).await? else { continue };
        if !broker.lead().await? {
            return Ok(done);
        }
        match broker.sign_on(&user, &host).await {
            Ok(_) => done += 1,
            Err(BrokerError::Conflict { code: "host_silent", .. }) => return Ok(done),
            // It is said on the person's card, and nothing of the others'.
            Err(BrokerError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
