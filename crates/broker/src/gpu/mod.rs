//! GPUs: what there is and who holds it, switching modes, and giving units to desktops.
//!
//! A desktop holds its units while its machine exists in power: they are claimed before it starts, and given back after it
//! went off. Each claim is a row first and a thing in the world second, and goes the other way round: whatever exists without
//! a row is a leftover, which [`Broker::tidy_gpus`] removes.

mod fleet;
pub(crate) mod turn;

use crate::clock::now;
use crate::{Broker, BrokerError, fault};
pub use fleet::Stranger;

use fleet::{Books, Look};
use oriel_gpu::{
    Inventory,
    inventory::Gpu,
    mode::{Plan, Refusal, Wish as ModeWish},
};
use oriel_model::{
    Desktop, DesktopState, Finding, GpuAddress, GpuClaim, GpuHold, GpuMode, GpuPlacement, GpuRequest, GpuSwitch,
    GpuTurn, GpuUnit, Name, Numa, Operation, OperationId, OperationKind, Pool, UserId, may_start,
};
use oriel_placement::{Closest, Decision, NumaWish, Placer, Policy, Request, Wish};
use oriel_store::StoreError;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// How long a claim stands by itself; a desktop that is on its way renews it every round.
const LEASE_SECONDS: i64 = 600;
/// Looks at the cards after others were quicker, before giving up for this round.
const TRIES_MAX: u32 = 5;

/// How GPUs are handed out, as the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuRules {
    /// For pools that say nothing of it.
    pub placement: GpuPlacement,
    /// How many desktops at a time may use an edition of a vendor's licence (`vWS`); editions that are not named have no cap.
    pub licences: BTreeMap<String, u32>,
}

/// A GPU with those who hold something of it.
#[derive(Clone, Debug)]
pub struct HeldGpu {
    pub gpu: Gpu,
    /// Into how many slots it is divided in its mode; 0 when it gives nothing, or has a pool instead.
    pub slots: u8,
    pub holders: Vec<Holder>,
    /// Others than desktops of ours that have something of it.
    pub strangers: Vec<Stranger>,
    /// The only profile that its desktops may have, where its mode was set so.
    pub only_profile: Option<String>,
    /// The operation that changes its mode.
    pub switching: Option<OperationId>,
}

/// A desktop, and what it holds.
#[derive(Clone, Debug)]
pub struct Holder {
    pub desktop: oriel_model::DesktopId,
    pub name: Name,
    pub hold: GpuHold,
}

impl Broker {
    /// The host's GPUs as they are now, and who holds them.
    pub async fn gpus(&self) -> Result<Vec<HeldGpu>, BrokerError> {
        let host = self.inner.compute.name();
        let inventory = self.inner.compute.gpus().await?;
        let cards = self.inner.store.gpu_cards(host).await?;
        let claims = self.inner.store.gpu_claims().await?;
        let wishes = self.inner.compute.gpu_wishes().await?;
        let look = Look {
            host,
            inventory: &inventory,
            wishes: &wishes,
            claims: &claims,
            switching: &BTreeSet::new(),
            licences: &self.gpu_rules().licences,
        };
        let books = Books::new(&look).map_err(|error| BrokerError::internal("reading the host's GPUs", error))?;
        let desktops: BTreeMap<_, _> =
            self.inner.store.desktops().await?.into_iter().map(|desktop| (desktop.id, desktop.name)).collect();
        let of = |gpu: Gpu| {
            let holders = claims
                .iter()
                .filter(|claim| claim.host == host && claim.hold.gpu == gpu.address)
                .filter_map(|claim| {
                    let name = desktops.get(&claim.desktop)?.clone();
                    Some(Holder { desktop: claim.desktop, name, hold: claim.hold.clone() })
                })
                .collect();
            let switching = cards.iter().find(|card| card.gpu == gpu.address).and_then(|card| card.switching);
            HeldGpu {
                slots: books.slots(&gpu),
                strangers: books.strangers(&gpu.address),
                only_profile: only_profile(&gpu, &wishes),
                gpu,
                holders,
                switching,
            }
        };
        Ok(inventory.gpus.into_iter().map(of).collect())
    }

    /// By address, with or without the domain.
    pub async fn find_gpu(&self, key: &str) -> Result<HeldGpu, BrokerError> {
        let address: GpuAddress = key.parse().map_err(|_| BrokerError::missing("GPU", key))?;
        let found = self.gpus().await?.into_iter().find(|held| held.gpu.address == address);
        found.ok_or_else(|| BrokerError::missing("GPU", key))
    }

    /// What desktops hold, in words, by desktop: `M60-2Q on 0000:06:00.0`.
    pub async fn gpus_of_desktops(&self) -> Result<BTreeMap<oriel_model::DesktopId, String>, BrokerError> {
        Ok(words(self.inner.store.gpu_claims().await?))
    }

    /// What one desktop holds, in words.
    pub async fn gpus_of_desktop(&self, desktop: oriel_model::DesktopId) -> Result<Option<String>, BrokerError> {
        Ok(words(self.inner.store.gpu_claims_of(desktop).await?).remove(&desktop))
    }

    /// What the doctor says of one GPU, or of all.
    pub async fn gpu_findings(&self, gpu: Option<&GpuAddress>) -> Result<Vec<Finding>, BrokerError> {
        Ok(self.inner.compute.gpu_findings(gpu).await?)
    }

    /// How a GPU would be switched. Desktops that hold something of it are a refusal that names them.
    pub async fn plan_gpu_mode(&self, switch: &GpuSwitch) -> Result<Plan, BrokerError> {
        let held = self.find_gpu(&switch.gpu.to_string()).await?;
        let mut plan = self.inner.compute.plan_gpu_mode(switch).await?;
        for refusal in &mut plan.refused {
            refusal.reason = in_fields(&refusal.reason);
        }
        if !held.holders.is_empty() {
            let names: BTreeSet<&str> = held.holders.iter().map(|holder| holder.name.as_str()).collect();
            let names: Vec<&str> = names.into_iter().collect();
            plan.needs_drain = true;
            plan.steps.clear();
            plan.refused.retain(|refusal| refusal.code != "in-use");
            plan.refused.push(Refusal {
                code: "in-use".to_owned(),
                reason: format!("{} hold units of it: stop those desktops first", names.join(", ")),
            });
        }
        Ok(plan)
    }

    /// Switches a GPU, as an operation. Refused at once when the plan is.
    pub async fn switch_gpu(&self, switch: GpuSwitch, by: Option<UserId>) -> Result<Operation, BrokerError> {
        let plan = self.plan_gpu_mode(&switch).await?;
        if let Some(refusal) = plan.refused.first() {
            return Err(BrokerError::conflict(
                "gpu_mode_refused",
                refusal.reason.clone(),
                "look at the plan to see all that is in the way",
            ));
        }
        undrained(&plan, &switch)?;
        let host = self.inner.compute.name().to_owned();
        self.queue_operation(OperationKind::GpuSwitch { host, switch }, by).await
    }

    /// The work of that operation. Nothing is claimed of the card meanwhile.
    pub(crate) async fn perform_gpu_switch(
        &self,
        operation: OperationId,
        switch: &GpuSwitch,
        progress: &(dyn for<'a> Fn(usize, usize, &'a str) + Send + Sync),
    ) -> Result<(), BrokerError> {
        let (store, compute) = (&self.inner.store, &self.inner.compute);
        let host = compute.name();
        store.begin_gpu_switch(host, &switch.gpu, operation).await?;
        let work = async {
            let plan = compute.plan_gpu_mode(switch).await?;
            if let Some(refusal) = plan.refused.first() {
                return Err(BrokerError::conflict(
                    "gpu_mode_refused",
                    in_fields(&refusal.reason),
                    "mend that and switch again",
                ));
            }
            // Somebody may have made a slice since it was asked for.
            undrained(&plan, switch)?;
            Ok(self.host()?.apply_gpu_mode(&plan, progress).await?)
        };
        let done = work.await;
        store.end_gpu_switch(host, &switch.gpu, operation).await?;
        self.wake_gpu_turns();
        done
    }

    fn gpu_rules(&self) -> &GpuRules {
        self.inner.gpu_rules.get_or_init(GpuRules::default)
    }

    /// Claims what the pool asks for, unless the desktop has it already, and makes it on the host.
    pub(crate) async fn hold_gpus(&self, desktop: &Desktop, pool: &Pool) -> Result<Vec<GpuHold>, BrokerError> {
        let Some(request) = &pool.gpu else { return Ok(Vec::new()) };
        let mut claims = self.inner.store.gpu_claims_of(desktop.id).await?;
        if claims.is_empty() {
            claims = self.claim_gpus(desktop, pool, request).await?;
            fault::point("gpu.claimed");
        } else {
            self.inner.store.renew_gpu_claims(desktop.id, now().plus_seconds(LEASE_SECONDS)).await?;
        }
        for claim in &claims {
            self.host()?.prepare_gpu(&claim.hold).await?;
            fault::point("gpu.prepared");
        }
        Ok(claims.into_iter().map(|claim| claim.hold).collect())
    }

    /// Takes back what the desktop holds; its machine must be off. That it was off a moment ago is not enough: a start whose answer
    /// was lost may come true late, so what holds something is switched off first.
    pub(crate) async fn give_back_gpus(&self, desktop: oriel_model::DesktopId) -> Result<(), BrokerError> {
        let claims = self.inner.store.gpu_claims_of(desktop).await?;
        if !claims.is_empty() {
            self.host()?.power_off(desktop).await?;
        }
        for claim in claims {
            self.give_back(&claim).await?;
        }
        Ok(())
    }

    async fn give_back(&self, claim: &GpuClaim) -> Result<(), BrokerError> {
        self.host()?.release_gpu(&claim.hold).await?;
        fault::point("gpu.released");
        self.inner.store.release_gpu(claim.id).await?;
        Ok(())
    }

    async fn claim_gpus(
        &self,
        desktop: &Desktop,
        pool: &Pool,
        request: &GpuRequest,
    ) -> Result<Vec<GpuClaim>, BrokerError> {
        let _choosing = self.inner.choosing_gpus.lock().await;
        let store = &self.inner.store;
        let host = self.inner.compute.name();
        let mut tries = 0;
        loop {
            // In this order: what is claimed after the first look shows in the second or fails the claim.
            let cards = store.gpu_cards(host).await?;
            let claims = store.gpu_claims().await?;
            let inventory = self.inner.compute.gpus().await?;
            let wishes = self.inner.compute.gpu_wishes().await?;
            let mut switching: BTreeSet<GpuAddress> =
                cards.iter().filter(|card| card.switching.is_some()).map(|card| card.gpu.clone()).collect();
            let turns = store.gpu_turns().await?;
            let own: Vec<GpuTurn> = turns.iter().filter(|turn| turn.pool == pool.id).cloned().collect();
            if !may_start(&own, now()) {
                return Err(turn::not_its_turn(pool, &own));
            }
            let addresses = inventory.gpus.iter().map(|gpu| &gpu.address);
            switching.extend(turn::closed(&turns, host, pool.id, addresses));
            let rules = self.gpu_rules();
            let look = Look {
                host,
                inventory: &inventory,
                wishes: &wishes,
                claims: &claims,
                switching: &switching,
                licences: &rules.licences,
            };
            let numa = match pool.hardware.numa {
                Numa::BesideCard => NumaWish::Prefer,
                Numa::Anywhere => NumaWish::Any,
            };
            let placement = request.placement.unwrap_or(rules.placement);
            let holds = choose(&look, desktop, request, placement, numa)?;
            let seen: BTreeMap<GpuAddress, u64> = cards.into_iter().map(|card| (card.gpu, card.version)).collect();
            let lease = now().plus_seconds(LEASE_SECONDS);
            match store.claim_gpus(desktop.id, host, &holds, &seen, lease).await {
                Ok(claims) => return Ok(claims),
                Err(StoreError::GpuTaken { .. }) if tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives back what desktops hold that are off, and removes slices of ours that nobody claims (a kill came between row
    /// and world).
    pub(crate) async fn tidy_gpus(&self) -> Result<usize, BrokerError> {
        let (store, compute) = (&self.inner.store, &self.inner.compute);
        let host = compute.name();
        // The world first: a slice made after this look has a claim by the time the claims are read.
        let slices = compute.gpu_slices().await?;
        let claims = store.gpu_claims().await?;
        let desktops = store.desktops().await?;
        // Another Oriel on this host has desktops that we do not know: their slices are theirs.
        let ours = |hold: &GpuHold| match &hold.unit {
            GpuUnit::Mdev { uuid, .. } => desktops.iter().any(|desktop| oriel_gpu::mode::is_of(*uuid, desktop.id.0)),
            _ => false,
        };
        let mut tidied = 0;
        for slice in slices.into_iter().filter(ours) {
            if !claims.iter().any(|claim| claim.host == host && claim.hold.unit == slice.unit) {
                tracing::info!(gpu = %slice.gpu, "Removing a slice that no desktop holds");
                self.host()?.release_gpu(&slice).await?;
                tidied += 1;
            }
        }
        for claim in claims.iter().filter(|claim| claim.host == host && claim.leased_until < now()) {
            let Some(desktop) = store.desktop(claim.desktop).await? else { continue };
            if matches!(desktop.state, DesktopState::Requested | DesktopState::Placed | DesktopState::Stopped) {
                tracing::info!(desktop = %desktop.name, gpu = %claim.hold.gpu, "Giving back what a desktop that is off held");
                self.give_back_gpus(desktop.id).await?;
                tidied += 1;
            } else {
                store.renew_gpu_claims(desktop.id, now().plus_seconds(LEASE_SECONDS)).await?;
            }
        }
        Ok(tidied)
    }
}

/// The profile that the card's mode was set for, where it gives that alone.
fn only_profile(gpu: &Gpu, wishes: &[ModeWish]) -> Option<String> {
    let wish = wishes.iter().find(|wish| wish.gpu == gpu.address && wish.mode == gpu.mode)?;
    // The wish may say the profile's id.
    let profile = wish.profile.as_deref().filter(|_| gpu.mode == GpuMode::Vgpu).and_then(|key| gpu.profile(key))?;
    Some(profile.key.clone())
}

/// The library's words are for the command line; who asks over HTTP has fields.
fn in_fields(text: &str) -> String {
    text.replace("--profile", "`profile`").replace("--mixed", "`mixed`").replace("--force", "`force`")
}

/// Slices that exist may be somebody's: whoever switches says that nobody needs them.
fn undrained(plan: &Plan, switch: &GpuSwitch) -> Result<(), BrokerError> {
    if !plan.needs_drain || switch.drained {
        return Ok(());
    }
    Err(BrokerError::conflict(
        "gpu_needs_drain",
        format!("slices of {} exist, and machines may count on them", plan.gpu),
        "stop those machines, then say with `drained` that the slices may go",
    ))
}

/// Which units, or the closest failure in words.
fn choose(
    look: &Look<'_>,
    desktop: &Desktop,
    request: &GpuRequest,
    placement: GpuPlacement,
    numa: NumaWish,
) -> Result<Vec<GpuHold>, BrokerError> {
    let no_gpu = |text: String| {
        BrokerError::conflict(
            "no_gpu",
            text,
            "stop a desktop that holds one, switch another GPU to such a mode, or change the pool's request",
        )
    };
    let unread = |error| BrokerError::internal("reading the host's GPUs", error);
    let mut books = Books::new(look).map_err(unread)?;
    let named: Vec<_> = request.cards.iter().filter_map(|gpu| books.find(gpu)).collect();
    let policy = match placement {
        _ if !request.cards.is_empty() => {
            if named.is_empty() {
                let gpus = request.cards.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                return Err(no_gpu(format!("host {} has none of the GPUs that the pool names: {gpus}", look.host)));
            }
            books.keep_only(&named).map_err(unread)?;
            Policy::Explicit(named.clone())
        }
        GpuPlacement::Density => Policy::Density,
        GpuPlacement::Performance => Policy::performance(),
    };
    // CPUs and memory are no part of the question: the host overcommits them.
    let wanted = Request { numa, ..Request::new(Wish::Units(request.clone()), 0, 0) };
    let decision = Placer::new(policy).place(&books.fleet, &wanted).map_err(|refusal| {
        // Of cards that the pool does not name nobody needs to hear.
        let card = named.first().copied().or(refusal.card).filter(|_| refusal.closest == Closest::NotEnabled);
        let closed = card.and_then(|card| Some((books.address(card)?, books.closed(card)?)));
        no_gpu(match closed {
            Some((gpu, why)) => format!("{gpu} of host {} does not give {}: {why}", look.host, refusal.wanted),
            None => refusal.to_string(),
        })
    })?;
    let mut taken: Vec<GpuHold> =
        look.claims.iter().filter(|claim| claim.host == look.host).map(|claim| claim.hold.clone()).collect();
    let others = taken.len();
    complete(look.inventory, &books, &decision, desktop, &mut taken)?;
    Ok(taken.split_off(others))
}

/// Adds the decision's units to those that are taken, in full.
fn complete(
    inventory: &Inventory,
    books: &Books,
    decision: &Decision,
    desktop: &Desktop,
    taken: &mut Vec<GpuHold>,
) -> Result<(), BrokerError> {
    for (ordinal, unit) in decision.units.iter().enumerate() {
        let gpu =
            books.address(unit.card).and_then(|address| inventory.gpus.iter().find(|gpu| gpu.address == *address));
        let profile = books
            .fleet
            .card(unit.card)
            .and_then(|card| books.fleet.group(card.group))
            .and_then(|group| group.profiles.get(usize::from(unit.profile)));
        let (Some(gpu), Some(profile)) = (gpu, profile) else { continue };
        let wish = oriel_gpu::assign::Wish {
            mode: profile.mode,
            profile: (profile.mode == oriel_model::GpuMode::Vgpu).then(|| profile.key.clone()),
            slots: unit.slots.iter().collect(),
            desktop: desktop.id,
            ordinal: ordinal as u32,
        };
        let hold = oriel_gpu::assign::hold(inventory, gpu, &wish, taken)
            .map_err(|error| BrokerError::internal("choosing a GPU's unit", error))?;
        taken.push(hold);
    }
    Ok(())
}

fn words(claims: Vec<GpuClaim>) -> BTreeMap<oriel_model::DesktopId, String> {
    let mut words: BTreeMap<_, String> = BTreeMap::new();
    for claim in claims {
        let what = claim.hold.profile.as_deref().unwrap_or(claim.hold.mode.word());
        let text = words.entry(claim.desktop).or_default();
        if !text.is_empty() {
            text.push_str(", ");
        }
        write!(text, "{what} on {}", claim.hold.gpu).ok();
    }
    words
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use oriel_gpu::{capture, inventory::Options};
    use oriel_model::{DesktopId, DesktopIntent, Micros, PoolId};

    fn captured(name: &str) -> Inventory {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../gpu/zoo/{name}.tar.gz"));
        oriel_gpu::inventory(&*capture::open(&file).unwrap(), &Options::default()).unwrap()
    }

    fn desktop() -> Desktop {
        Desktop {
            id: DesktopId::new(),
            name: "lab-1".parse().unwrap(),
            pool: PoolId::new(),
            owner: None,
            intent: DesktopIntent::Running,
            state: DesktopState::Requested,
            failure: None,
            step: None,
            generation: 0,
            host: None,
            port_base: None,
            facts: oriel_model::DesktopFacts::default(),
            external: None,
            created: Micros(0),
            changed: Micros(0),
        }
    }

    fn ask(inventory: &Inventory, request: &str) -> Result<Vec<GpuHold>, String> {
        let (switching, licences) = (BTreeSet::new(), BTreeMap::new());
        let look =
            Look { host: "here", inventory, wishes: &[], claims: &[], switching: &switching, licences: &licences };
        choose(&look, &desktop(), &request.parse().unwrap(), GpuPlacement::Density, NumaWish::Prefer)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_card_whose_group_is_not_free_is_not_offered() {
        let refused = ask(&captured("shared-group"), "whole,cards=0000:01:00.0").unwrap_err();
        assert!(refused.contains("0000:01:00.0") && refused.contains("another GPU in it, 0000:02:00.0"), "{refused}");
    }

    #[test]
    fn a_card_of_unknown_memory_counts_as_large_enough() {
        let mut inventory = captured("shared-group");
        // As if the other card of the group were away.
        let whole = &mut inventory.gpus[0].modes.whole;
        (whole.available, whole.reasons) = (true, Vec::new());
        inventory.gpus[0].vram_mib = Some(11_264);
        assert!(ask(&inventory, "whole,min_framebuffer_mib=8192").is_ok());
        assert!(ask(&inventory, "whole,min_framebuffer_mib=16384").is_err());
        inventory.gpus[0].vram_mib = None;
        assert!(ask(&inventory, "whole,min_framebuffer_mib=16384").is_ok());
    }

    #[test]
    fn units_of_one_desktop_are_kept_on_one_node() {
        let mut inventory = captured("tesla-m10");
        inventory.gpus.retain(|gpu| gpu.vendor_id == "10de");
        assert_eq!(inventory.gpus.len(), 4);
        for (at, gpu) in inventory.gpus.iter_mut().enumerate() {
            // As on a host that gives these cards whole: nobody has slices, and the neighbours by address are on other nodes.
            gpu.slices.clear();
            gpu.mode = GpuMode::Whole;
            gpu.numa_node = Some(at as u32 % 2);
        }
        let node =
            |hold: &GpuHold| inventory.gpus.iter().find(|gpu| gpu.address == hold.gpu).and_then(|gpu| gpu.numa_node);
        let holds = ask(&inventory, "whole,count=2").unwrap();
        assert_eq!((holds.len(), node(&holds[0])), (2, node(&holds[1])), "{holds:?}");
        // Preferred, not insisted on.
        assert_eq!(ask(&inventory, "whole,count=4").map(|holds| holds.len()), Ok(4));
    }

    #[test]
    fn fields_are_named_instead_of_flags() {
        assert_eq!(
            in_fields("name one with --profile, or insist with --force"),
            "name one with `profile`, or insist with `force`"
        );
    }
}
