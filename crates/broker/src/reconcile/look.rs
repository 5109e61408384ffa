//! Which desktops a round looks at. All of them now and then; in between those of which something was heard, those that are on their
//! way, those whose rows another program changed, and those whose people came or went. So a round's work is that of what
//! changed, and whatever was missed is found by the next look at all.

use super::heard::Names;
use crate::{Broker, BrokerError, clock::now};
use oriel_compute::Observed;
use oriel_model::{CloudId, Desktop, DesktopId, Micros};
use std::collections::{BTreeSet, HashMap};

/// All are looked at so often.
const ALL_SECONDS: i64 = 10;
/// And a second more rarely for every so many desktops.
const DESKTOPS_PER_SECOND: i64 = 1000;
/// Rows that others changed are asked for so often.
const CHANGED_SECONDS: i64 = 2;
/// A row says when it was changed a moment before others can see it, and programs' clocks differ.
const OVERLAP_SECONDS: i64 = 5;
const SECOND: i64 = 1_000_000;

#[derive(Default)]
pub(super) struct Look {
    /// Those that are not at rest.
    pub on_their_way: BTreeSet<DesktopId>,
    /// Those that somebody was connected to.
    used: BTreeSet<DesktopId>,
    all_after: Option<Micros>,
    changed_asked: Micros,
}

/// What is looked at.
pub(super) enum Wanted {
    All,
    /// Rows, and what there is of them on the host.
    Some(Vec<Desktop>, HashMap<DesktopId, Observed>),
}

impl Look {
    /// Until when the look at all holds is said by [`Self::saw_all`].
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    pub fn saw_all(&mut self, began: Micros, count: usize) {
        let rest = ALL_SECONDS + i64::try_from(count).unwrap_or(i64::MAX) / DESKTOPS_PER_SECOND;
        self.all_after = Some(began.plus_seconds(rest));
        self.changed_asked = began;
    }

    /// The host first: whatever changes there after this look changes the row, and is heard of.
    pub async fn wanted(
        &mut self,
        broker: &Broker,
        heard: Names<DesktopId>,
        used: BTreeSet<DesktopId>,
    ) -> Result<Wanted, BrokerError> {
        let moment = now();
        let mut ids = heard.some;
        ids.extend(self.used.symmetric_difference(&used));
        self.used = used;
        // Should this round not come to its end, the next one has them.
        self.on_their_way.append(&mut ids);
        if heard.all || self.all_after.is_none_or(|after| after <= moment) {
            self.all_after = None;
            return Ok(Wanted::All);
        }
        if moment.0 - self.changed_asked.0 >= CHANGED_SECONDS * SECOND {
            let since = self.changed_asked.plus_seconds(-OVERLAP_SECONDS);
            self.on_their_way.extend(broker.inner.store.desktops_changed_since(since).await?);
            self.changed_asked = moment;
        }
        let ids: Vec<DesktopId> = self.on_their_way.iter().copied().collect();
        if ids.is_empty() {
            return Ok(Wanted::Some(Vec::new(), HashMap::new()));
        }
        let on_clouds = broker.clouds_of(&ids).await?;
        let mut blind = BTreeSet::new();
        let mut observed = Vec::new();
        let here: Vec<DesktopId> = ids.iter().copied().filter(|id| !on_clouds.contains_key(id)).collect();
        if !here.is_empty() {
            observed = broker.inner.compute.observe(&here).await?;
        }
        for cloud in on_clouds.values().copied().collect::<BTreeSet<CloudId>>() {
            let there: Vec<DesktopId> = ids.iter().copied().filter(|id| on_clouds.get(id) == Some(&cloud)).collect();
            match broker.look_at_cloud(cloud, Some(&there)).await {
                Ok(found) => observed.extend(found),
                // Of what cannot be seen nothing is known: they wait.
                Err(_) => blind.extend(there),
            }
        }
        let mut rows = broker.inner.store.desktops_named(&ids).await?;
        // Others' machines have no life that Oriel could move along.
        rows.retain(|row| row.external.is_none());
        // Those that are gone have no row.
        self.on_their_way = rows.iter().map(|row| row.id).collect();
        rows.retain(|row| !blind.contains(&row.id));
        Ok(Wanted::Some(rows, observed.into_iter().map(|found| (found.desktop, found)).collect()))
    }
}
