//! Makes cards what their time plans say: switches them when a turn begins, once nobody holds anything of them.

use super::{Again, Reconciler, Round};
use crate::clock::now;
use crate::{Broker, BrokerError, HeldGpu};
use async_trait::async_trait;
use oriel_model::{
    Desktop, DesktopId, GpuAddress, GpuClaim, GpuSwitch, GpuTurn, GpuTurnId, Maintenance, MaintenanceOf, Micros, Pool,
    PoolId, may_start,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// After a switch that did not come to what was wanted, the next try.
const AGAIN_SECONDS: i64 = 10 * 60;
/// Whoever holds something of a card when its plan changes has so long to leave.
const NOTICE_SECONDS: i64 = 10 * 60;
/// People are told so long before they have to leave.
const TOLD_SECONDS: i64 = 15 * 60;

#[derive(Default)]
pub(super) struct GpuTurns {
    /// When an operation that changes a card was last asked for.
    tried: BTreeMap<GpuAddress, Micros>,
}

#[async_trait]
impl Reconciler for GpuTurns {
    fn name(&self) -> &'static str {
        "gpu turns"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(20)
    }

    fn leads(&self) -> bool {
        true
    }

    fn forget(&mut self) {
        *self = Self::default();
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let host = broker.inner.compute.name();
        let mut turns = broker.inner.store.gpu_turns().await?;
        turns.retain(|turn| turn.host == host);
        if turns.is_empty() {
            self.tried.clear();
            return Ok(Round { again: Again::Later, summary: "no card has a time plan".to_owned() });
        }
        let gpus = broker.gpus().await?;
        let cards: BTreeSet<&GpuAddress> = turns.iter().map(|turn| &turn.gpu).collect();
        let mut said = Vec::new();
        for gpu in cards {
            let Some(held) = gpus.iter().find(|held| held.gpu.address == *gpu) else {
                said.push(format!("{gpu} is not there"));
                continue;
            };
            match self.keep(broker, &turns, held).await? {
                Step::AsPlanned => {}
                // Whoever changes it says when that is done.
                Step::Switching => said.push(format!("{gpu} is being changed")),
                Step::Held(by) => said.push(format!("{gpu} waits for {by}")),
                Step::Refused(why) => said.push(format!("{gpu} cannot change: {why}")),
            }
        }
        let summary = if said.is_empty() { "cards are as planned".to_owned() } else { said.join("; ") };
        Ok(Round { again: Again::Later, summary })
    }
}

/// What became of one card.
enum Step {
    AsPlanned,
    Switching,
    /// Desktops that hold something of it, and what others have of it.
    Held(String),
    Refused(String),
}

impl GpuTurns {
    async fn keep(&mut self, broker: &Broker, turns: &[GpuTurn], held: &HeldGpu) -> Result<Step, BrokerError> {
        let moment = now();
        let gpu = &held.gpu.address;
        let of_card: Vec<&GpuTurn> = turns.iter().filter(|turn| turn.gpu == *gpu).collect();
        let is_so = |turn: &GpuTurn| {
            held.switching.is_none() && held.gpu.mode == turn.mode && held.only_profile == turn.profile
        };
        for turn in &of_card {
            let is_ready = is_so(turn) && turn.is_now(moment);
            if is_ready != turn.is_ready {
                broker.inner.store.set_gpu_turn_ready(turn.id, is_ready).await?;
                broker.wake_pool(turn.pool);
            }
        }
        let Some(turn) = of_card.into_iter().find(|turn| turn.is_now(moment)) else { return Ok(Step::AsPlanned) };
        if held.switching.is_some() {
            return Ok(Step::Switching);
        }
        if is_so(turn) {
            self.tried.remove(gpu);
            return Ok(Step::AsPlanned);
        }
        // Slices that are not ours go only by an administrator's word: machines that are off may count on them.
        if !held.holders.is_empty() || !held.strangers.is_empty() {
            let ours = held.holders.iter().map(|holder| holder.name.as_str());
            let names: BTreeSet<&str> = ours.chain(held.strangers.iter().map(|other| other.name.as_str())).collect();
            return Ok(Step::Held(names.into_iter().collect::<Vec<_>>().join(", ")));
        }
        if self.tried.get(gpu).is_some_and(|tried| tried.plus_seconds(AGAIN_SECONDS) > moment) {
            // Its operation waits for its turn, or has failed, and says why.
            return Ok(Step::Switching);
        }
        let wanted =
            GpuSwitch { profile: turn.profile.clone(), drained: true, ..GpuSwitch::new(gpu.clone(), turn.mode) };
        match broker.switch_gpu(wanted, None).await {
            Ok(_) => {
                self.tried.insert(gpu.clone(), moment);
                Ok(Step::Switching)
            }
            Err(error @ (BrokerError::Conflict { .. } | BrokerError::Invalid { .. })) => {
                Ok(Step::Refused(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }
}

/// What there is of time plans at one look.
pub(super) struct Plan {
    turns: Vec<GpuTurn>,
    claims: Vec<GpuClaim>,
}

impl Plan {
    pub(super) async fn read(broker: &Broker) -> Result<Self, BrokerError> {
        let store = &broker.inner.store;
        let turns = store.gpu_turns().await?;
        let claims = if turns.is_empty() { Vec::new() } else { store.gpu_claims().await? };
        Ok(Self { turns, claims })
    }

    /// Whether nothing of a pool may start now.
    pub(super) fn is_closed_to(&self, pool: PoolId, now: Micros) -> bool {
        let own: Vec<GpuTurn> = self.turns.iter().filter(|turn| turn.pool == pool).cloned().collect();
        !may_start(&own, now)
    }

    /// By when desktops must be off, as [`leaving`] says: of pools whose desktops people share. Others keep theirs, and the card waits.
    pub(super) fn leaving(&self, pool: &Pool, desktops: &[Desktop], now: Micros) -> BTreeMap<DesktopId, Micros> {
        if pool.kind.is_shared() { leaving(&self.turns, &self.claims, desktops, now) } else { BTreeMap::new() }
    }

    /// Those of all pools but those whose host is in maintenance: nothing starts there, and nobody has to leave for it.
    pub(super) async fn leaving_everywhere(
        &self,
        broker: &Broker,
        closed: &[Maintenance],
        now: Micros,
    ) -> Result<BTreeMap<DesktopId, Micros>, BrokerError> {
        let store = &broker.inner.store;
        let ids: BTreeSet<DesktopId> = self.claims.iter().map(|claim| claim.desktop).collect();
        let desktops = store.desktops_named(&ids.into_iter().collect::<Vec<_>>()).await?;
        let pools: BTreeSet<PoolId> = desktops.iter().map(|desktop| desktop.pool).collect();
        let mut all = BTreeMap::new();
        let stands = |pool: &Pool| closed.iter().all(|one| one.of != MaintenanceOf::place_of(pool));
        for pool in store.pools_named(&pools.into_iter().collect::<Vec<_>>()).await?.into_iter().filter(stands) {
            let own: Vec<Desktop> = desktops.iter().filter(|desktop| desktop.pool == pool.id).cloned().collect();
            all.extend(self.leaving(&pool, &own, now));
        }
        Ok(all)
    }
}

/// By when desktops of a pool that hold something of a card with a time plan must be off, where that is soon: because the turn of their
/// pool ends, or because it is not. What an administrator made for somebody stays on.
fn leaving(turns: &[GpuTurn], claims: &[GpuClaim], desktops: &[Desktop], now: Micros) -> BTreeMap<DesktopId, Micros> {
    let mut leaving: BTreeMap<DesktopId, Micros> = BTreeMap::new();
    if turns.is_empty() {
        return leaving;
    }
    let mut ends: BTreeMap<GpuTurnId, Option<Micros>> = BTreeMap::new();
    for desktop in desktops.iter().filter(|one| one.owner.is_none() || one.facts.seat.is_some()) {
        for claim in claims.iter().filter(|claim| claim.desktop == desktop.id) {
            let hold = &claim.hold;
            let of_card: Vec<&GpuTurn> = turns.iter().filter(|turn| turn.is_of(&claim.host, &hold.gpu)).collect();
            let Some(changed) = of_card.iter().map(|turn| turn.created).max() else { continue };
            let own = of_card.iter().find(|turn| {
                turn.pool == desktop.pool
                    && turn.mode == hold.mode
                    && turn.profile.as_ref().is_none_or(|profile| hold.profile.as_ref() == Some(profile))
                    && turn.is_now(now)
            });
            let by = match own.map(|turn| *ends.entry(turn.id).or_insert_with(|| turn.drains(turns, now))) {
                // Never within a year.
                Some(None) => continue,
                Some(Some(drains)) => drains,
                None => changed.plus_seconds(NOTICE_SECONDS),
            };
            if by <= now.plus_seconds(TOLD_SECONDS) {
                let soonest = leaving.entry(desktop.id).or_insert(by);
                *soonest = by.min(*soonest);
            }
        }
    }
    leaving
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use oriel_model::{DesktopFacts, DesktopIntent, DesktopState, GpuClaimId, GpuHold, GpuMode, GpuUnit, Seat, UserId};

    /// 2026-11-18T11:06:40Z, a Wednesday.
    const NOW: Micros = Micros(1_795_000_000_000_000);

    #[test]
    fn who_holds_a_card_leaves_before_its_turn_ends() {
        let (cad, lab) = (PoolId::new(), PoolId::new());
        let gpu: GpuAddress = "0000:41:00.0".parse().unwrap();
        let turn = |pool: PoolId, hours: &str, created: Micros| GpuTurn {
            id: GpuTurnId::new(),
            host: "here".to_owned(),
            gpu: gpu.clone(),
            pool,
            mode: GpuMode::Vgpu,
            profile: Some("M60-2Q".to_owned()),
            hours: hours.parse().unwrap(),
            is_ready: true,
            created,
        };
        let mut desktop = Desktop {
            id: DesktopId::new(),
            name: "cad-1".parse().unwrap(),
            pool: cad,
            owner: Some(UserId::new()),
            intent: DesktopIntent::Running,
            state: DesktopState::InUse,
            failure: None,
            step: None,
            generation: 1,
            host: Some("here".to_owned()),
            port_base: None,
            facts: DesktopFacts { seat: Some(Seat { since: NOW, seen: NOW }), ..DesktopFacts::default() },
            external: None,
            created: Micros(0),
            changed: Micros(0),
        };
        let claim = GpuClaim {
            id: GpuClaimId::new(),
            desktop: desktop.id,
            ordinal: 0,
            host: "here".to_owned(),
            hold: GpuHold {
                gpu: gpu.clone(),
                mode: GpuMode::Vgpu,
                profile: Some("M60-2Q".to_owned()),
                slots: vec![0],
                unit: GpuUnit::Mdev {
                    uuid: oriel_gpu::mode::desktop_slice(desktop.id.0, 0),
                    parent: gpu.clone(),
                    type_id: "nvidia-18".to_owned(),
                },
            },
            fence: 1,
            leased_until: NOW,
            created: NOW,
        };
        let when = |turns: &[GpuTurn], now: Micros| {
            leaving(turns, std::slice::from_ref(&claim), std::slice::from_ref(&desktop), now).get(&desktop.id).copied()
        };
        let old = Micros(0);
        let plan = [turn(cad, "wed 08:00-12:00 UTC", old), turn(lab, "wed 12:00-18:00 UTC", old)];
        let noon = NOW.plus_seconds(53 * 60 + 20);
        let drains = Some(noon.plus_seconds(-600));
        assert_eq!(when(&[], NOW), None, "no plan");
        assert_eq!(when(&plan, NOW), None, "not soon");
        assert_eq!(when(&plan, noon.plus_seconds(-20 * 60)), drains, "told before");
        assert_eq!(when(&plan, noon), Some(old.plus_seconds(600)), "the next one's turn: at once");
        let fresh = [turn(lab, "daily 00:00-24:00 UTC", NOW)];
        assert_eq!(when(&fresh, NOW), Some(NOW.plus_seconds(600)), "who was there before the plan was has a moment");
        let other = GpuTurn { profile: Some("M60-4Q".to_owned()), ..turn(cad, "daily 00:00-24:00 UTC", old) };
        assert!(when(&[other], NOW).is_some(), "of their own pool, but of another profile");
        assert_eq!(when(&[turn(cad, "daily 00:00-24:00 UTC", old)], NOW), None, "it does not end");
        desktop.facts.seat = None;
        let of_all = leaving(&plan, std::slice::from_ref(&claim), std::slice::from_ref(&desktop), noon);
        assert!(of_all.is_empty(), "an administrator made it for somebody");
    }
}
