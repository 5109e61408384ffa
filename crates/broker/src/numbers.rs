//! What those who watch want to know: numbers, and whether the database is there.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{Desktop, DesktopState, GpuClaim, HistoryPoint, Pool, PoolId, PoolKind};
use oriel_store::DesktopCount;
use std::collections::BTreeMap;

const MINUTE_MICROS: i64 = 60_000_000;

/// Of one pool: what there is of its desktops, and what it keeps ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolNumbers {
    pub desktops: u64,
    pub in_use: u64,
    /// On, in use or not.
    pub running: u64,
    /// Nobody's, and on.
    pub running_spares: u64,
    /// Nobody's, and off.
    pub stopped_spares: u64,
    /// Failed, or without an answer.
    pub failed: u64,
    pub running_spares_wanted: u64,
    pub stopped_spares_wanted: u64,
}

impl PoolNumbers {
    /// `counts`: those of this pool.
    fn of<'a>(pool: &Pool, counts: impl Iterator<Item = &'a DesktopCount>, at: oriel_model::Micros) -> Self {
        let size = pool.size_at(at);
        let mut numbers = Self {
            // Of session hosts those are places, and here hosts are counted.
            running_spares_wanted: if pool.kind == PoolKind::SessionHost { 0 } else { size.running_spares.into() },
            stopped_spares_wanted: size.stopped_spares.into(),
            ..Self::default()
        };
        // Oriel neither starts others' machines nor keeps some ready.
        let is_ours = !pool.is_external();
        for count in counts {
            let free = count.all.saturating_sub(count.assigned);
            numbers.desktops += count.all;
            match count.state {
                DesktopState::InUse => {
                    numbers.in_use += count.all;
                    numbers.running += if is_ours { count.all } else { 0 };
                }
                DesktopState::Ready if is_ours => {
                    numbers.running += count.all;
                    numbers.running_spares += free;
                }
                DesktopState::Starting | DesktopState::Stopping => numbers.running += count.all,
                DesktopState::Stopped => numbers.stopped_spares += free,
                DesktopState::Failed | DesktopState::Unreachable => numbers.failed += count.all,
                _ => {}
            }
        }
        numbers
    }
}

impl Broker {
    /// How many desktops each pool has in each state.
    pub async fn desktop_counts(&self) -> Result<Vec<DesktopCount>, BrokerError> {
        Ok(self.inner.store.desktop_counts().await?)
    }

    /// What there is of each pool, by the pools' names. Two questions to the database.
    pub async fn pool_numbers(&self) -> Result<Vec<(Pool, PoolNumbers)>, BrokerError> {
        let (mut pools, counts) = tokio::try_join!(self.pools(), self.desktop_counts())?;
        pools.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        let mut of: BTreeMap<PoolId, Vec<DesktopCount>> = BTreeMap::new();
        for count in counts {
            of.entry(count.pool).or_default().push(count);
        }
        let at = now();
        let numbers = |pool: Pool| {
            let counts = of.get(&pool.id).map(Vec::as_slice).unwrap_or_default();
            let numbers = PoolNumbers::of(&pool, counts.iter(), at);
            (pool, numbers)
        };
        Ok(pools.into_iter().map(numbers).collect())
    }

    /// How things stand now, of all pools together.
    pub async fn standing(&self) -> Result<HistoryPoint, BrokerError> {
        let minute = now().0.div_euclid(MINUTE_MICROS);
        let gpu_units = self.gpu_claims().await?.len() as u64;
        let mut point = HistoryPoint { minute, gpu_units, ..HistoryPoint::default() };
        for (_, numbers) in self.pool_numbers().await? {
            point.in_use += numbers.in_use;
            point.running += numbers.running;
            point.desktops += numbers.desktops;
            point.failed += numbers.failed;
            point.spares += numbers.running_spares;
            point.spares_wanted += numbers.running_spares_wanted;
        }
        Ok(point)
    }

    /// How things stood over the last hours, a point for each so many minutes.
    pub async fn history(&self, hours: u32, minutes: i64) -> Result<Vec<HistoryPoint>, BrokerError> {
        let from = now().plus_seconds(-3600 * i64::from(hours)).0.div_euclid(MINUTE_MICROS);
        Ok(HistoryPoint::coarse(&self.inner.store.history(from).await?, minutes))
    }

    /// Desktops that failed and machines that did not answer, the latest first.
    pub async fn desktops_in_trouble(&self, limit: u64) -> Result<Vec<Desktop>, BrokerError> {
        Ok(self.inner.store.desktops_in_trouble(limit).await?)
    }

    /// Every unit of a GPU that a desktop holds.
    pub async fn gpu_claims(&self) -> Result<Vec<GpuClaim>, BrokerError> {
        Ok(self.inner.store.gpu_claims().await?)
    }

    /// Asks the database for nothing. Errors: why it does not answer.
    pub async fn database_answers(&self) -> Result<(), BrokerError> {
        Ok(self.inner.store.ping().await?)
    }
}
