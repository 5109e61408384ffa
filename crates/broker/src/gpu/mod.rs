//! GPUs: what there is and who holds it, switching modes, and giving units to desktops.
//!
//! A desktop holds its units while its machine exists in power: they are claimed before it starts, and given back after it
//! went off. Each claim is a row first and a thing in the world second, and goes the other way round: whatever exists without
//! a row is a leftover, which [`Broker::tidy_gpus`] removes.

mod fleet;

use crate::clock::now;
use crate::{Broker, BrokerError, fault};
use fleet::Books;
use oriel_gpu::{Inventory, inventory::Gpu, mode::Plan};
use oriel_model::{
    Desktop, DesktopState, Finding, GpuAddress, GpuClaim, GpuHold, GpuRequest, GpuSwitch, GpuUnit, Name, Operation,
    OperationId, OperationKind, Pool, UserId,
};
use oriel_placement::{Decision, Placer, Policy, Request, Wish};
use oriel_store::{GpuCard, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// How long a claim stands by itself; a desktop that is on its way renews it every round.
const LEASE_SECONDS: i64 = 600;
/// Looks at the cards after others were quicker, before giving up for this round.
const TRIES_MAX: u32 = 5;

/// A GPU with those who hold something of it.
#[derive(Clone, Debug)]
pub struct HeldGpu {
    pub gpu: Gpu,
    /// Into how many slots it is divided in its mode; 0 when it gives nothing, or has a pool instead.
    pub slots: u8,
    pub holders: Vec<Holder>,
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
        let books = Books::new(host, &inventory, &[], &BTreeSet::new())
            .map_err(|error| BrokerError::internal("reading the host's GPUs", error))?;
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
            HeldGpu { slots: books.slots(&gpu), gpu, holders, switching }
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
        let mut words: BTreeMap<_, String> = BTreeMap::new();
        for claim in self.inner.store.gpu_claims().await? {
            let what = claim.hold.profile.as_deref().unwrap_or(claim.hold.mode.word());
            let text = words.entry(claim.desktop).or_default();
            if !text.is_empty() {
                text.push_str(", ");
            }
            write!(text, "{what} on {}", claim.hold.gpu).ok();
        }
        Ok(words)
    }

    /// What the doctor says of one GPU, or of all.
    pub async fn gpu_findings(&self, gpu: Option<&GpuAddress>) -> Result<Vec<Finding>, BrokerError> {
        Ok(self.inner.compute.gpu_findings(gpu).await?)
    }

    /// How a GPU would be switched. Desktops that hold something of it are a refusal that names them.
    pub async fn plan_gpu_mode(&self, switch: &GpuSwitch) -> Result<Plan, BrokerError> {
        let held = self.find_gpu(&switch.gpu.to_string()).await?;
        let mut plan = self.inner.compute.plan_gpu_mode(switch).await?;
        if !held.holders.is_empty() {
            let names: BTreeSet<&str> = held.holders.iter().map(|holder| holder.name.as_str()).collect();
            let names: Vec<&str> = names.into_iter().collect();
            plan.needs_drain = true;
            plan.steps.clear();
            plan.refused.retain(|refusal| refusal.code != "in-use");
            plan.refused.push(oriel_gpu::mode::Refusal {
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
                    refusal.reason.clone(),
                    "mend that and switch again",
                ));
            }
            Ok(compute.apply_gpu_mode(&plan, progress).await?)
        };
        let done = work.await;
        store.end_gpu_switch(host, &switch.gpu, operation).await?;
        done
    }

    /// Claims what the pool asks for, unless the desktop has it already, and makes it on the host.
    pub(crate) async fn hold_gpus(&self, desktop: &Desktop, pool: &Pool) -> Result<Vec<GpuHold>, BrokerError> {
        let Some(request) = &pool.gpu else { return Ok(Vec::new()) };
        let mut claims = self.inner.store.gpu_claims_of(desktop.id).await?;
        if claims.is_empty() {
            claims = self.claim_gpus(desktop, request).await?;
            fault::point("gpu.claimed");
        } else {
            self.inner.store.renew_gpu_claims(desktop.id, now().plus_seconds(LEASE_SECONDS)).await?;
        }
        for claim in &claims {
            self.inner.compute.prepare_gpu(&claim.hold).await?;
            fault::point("gpu.prepared");
        }
        Ok(claims.into_iter().map(|claim| claim.hold).collect())
    }

    /// Takes back what the desktop holds; its machine must be off.
    pub(crate) async fn give_back_gpus(&self, desktop: oriel_model::DesktopId) -> Result<(), BrokerError> {
        for claim in self.inner.store.gpu_claims_of(desktop).await? {
            self.give_back(&claim).await?;
        }
        Ok(())
    }

    async fn give_back(&self, claim: &GpuClaim) -> Result<(), BrokerError> {
        self.inner.compute.release_gpu(&claim.hold).await?;
        fault::point("gpu.released");
        self.inner.store.release_gpu(claim.id).await?;
        Ok(())
    }

    async fn claim_gpus(&self, desktop: &Desktop, request: &GpuRequest) -> Result<Vec<GpuClaim>, BrokerError> {
        let store = &self.inner.store;
        let host = self.inner.compute.name();
        let mut tries = 0;
        loop {
            // In this order: what is claimed after the first look shows in the second or fails the claim.
            let cards = store.gpu_cards(host).await?;
            let claims: Vec<GpuClaim> =
                store.gpu_claims().await?.into_iter().filter(|claim| claim.host == host).collect();
            let inventory = self.inner.compute.gpus().await?;
            let holds = choose(host, &inventory, &cards, &claims, desktop, request)?;
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
                compute.release_gpu(&slice).await?;
                tidied += 1;
            }
        }
        for claim in claims.iter().filter(|claim| claim.host == host && claim.leased_until < now()) {
            let Some(desktop) = store.desktop(claim.desktop).await? else { continue };
            if matches!(desktop.state, DesktopState::Requested | DesktopState::Placed | DesktopState::Stopped) {
                tracing::info!(desktop = %desktop.name, gpu = %claim.hold.gpu, "Giving back what a desktop that is off held");
                self.give_back(claim).await?;
                tidied += 1;
            } else {
                store.renew_gpu_claims(desktop.id, now().plus_seconds(LEASE_SECONDS)).await?;
            }
        }
        Ok(tidied)
    }
}

/// Which units, or the closest failure in words.
fn choose(
    host: &str,
    inventory: &Inventory,
    cards: &[GpuCard],
    claims: &[GpuClaim],
    desktop: &Desktop,
    request: &GpuRequest,
) -> Result<Vec<GpuHold>, BrokerError> {
    let switching = cards.iter().filter(|card| card.switching.is_some()).map(|card| card.gpu.clone()).collect();
    let books = Books::new(host, inventory, claims, &switching)
        .map_err(|error| BrokerError::internal("reading the host's GPUs", error))?;
    // CPUs and memory are no part of the question: the host overcommits them.
    let wanted = Request::new(Wish::Units(request.clone()), 0, 0);
    let decision = Placer::new(Policy::Density).place(&books.fleet, &wanted).map_err(|refusal| {
        BrokerError::conflict(
            "no_gpu",
            refusal.to_string(),
            "stop a desktop that holds one, switch another GPU with `oriel gpu mode set`, or change the pool's request",
        )
    })?;
    let mut taken: Vec<GpuHold> = claims.iter().map(|claim| claim.hold.clone()).collect();
    let others = taken.len();
    complete(inventory, &books, &decision, desktop, &mut taken)?;
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
