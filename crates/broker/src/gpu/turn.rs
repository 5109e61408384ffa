//! Time plans of cards: whose a card is at which hours, and what is started on it.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_gpu::inventory::Gpu;
use oriel_model::{
    GpuAddress, GpuMode, GpuRequest, GpuTurn, GpuTurnId, GpuWish, Peak, Pool, PoolId, may_start, next_in_words,
    next_turn,
};
use std::collections::BTreeSet;

pub struct NewGpuTurn {
    /// The card's address.
    pub gpu: String,
    /// Of which people share desktops.
    pub pool: Pool,
    pub mode: GpuMode,
    pub profile: Option<String>,
    /// `mon-fri 08:00-18:00 Europe/Berlin`.
    pub hours: String,
}

impl Broker {
    /// All turns, oldest first.
    pub async fn gpu_turns(&self) -> Result<Vec<GpuTurn>, BrokerError> {
        Ok(self.inner.store.gpu_turns().await?)
    }

    /// Gives a card of this program's host to a pool at some hours of the week. From then on it gives nothing outside of its turns, and the
    /// pool has the cards of its turns alone.
    ///
    /// Errors: `Missing` GPU or pool; invalid `bad_turn`; `Booking` where other turns of the card are in the way.
    pub async fn add_gpu_turn(&self, new: NewGpuTurn) -> Result<GpuTurn, BrokerError> {
        let bad = |text: String, next: &str| Err(BrokerError::invalid("bad_turn", text, next));
        let gpu = self.find_gpu(&new.gpu).await?.gpu;
        let hours = match new.hours.parse::<Peak>() {
            Ok(hours) => hours,
            Err(error) => return bad(error, "write its hours like `mon-fri 08:00-18:00 Europe/Berlin`"),
        };
        if !new.pool.kind.is_shared() {
            return bad(
                format!("desktops of {} stay with the people who have them, and so would the card", new.pool.name),
                "choose a floating or an ephemeral pool",
            );
        }
        let Some(request) = &new.pool.gpu else {
            return bad(
                format!("desktops of {} have no GPU", new.pool.name),
                "say which: oriel pool set POOL --gpu vgpu,profile=…",
            );
        };
        let profile = checked(&new, request, &gpu)?;
        let turn = GpuTurn {
            id: GpuTurnId::new(),
            host: self.inner.compute.name().to_owned(),
            gpu: gpu.address,
            pool: new.pool.id,
            mode: new.mode,
            profile,
            hours,
            is_ready: false,
            created: now(),
        };
        self.inner.store.create_gpu_turn(&turn, now()).await?;
        tracing::info!(gpu = %turn.gpu, pool = %new.pool.name, hours = %turn.hours, "GPU given to a pool by its time plan");
        self.wake_gpu_turns();
        self.wake_pool(turn.pool);
        Ok(turn)
    }

    /// The card is that pool's at these hours no longer. A card without any turn is as it was before. Errors: `Missing`.
    pub async fn remove_gpu_turn(&self, key: &str) -> Result<(), BrokerError> {
        let missing = || BrokerError::missing("turn of a GPU", key);
        let id: GpuTurnId = key.parse().map_err(|_| missing())?;
        if !self.inner.store.delete_gpu_turn(id, now()).await? {
            return Err(missing());
        }
        self.wake_gpu_turns();
        Ok(())
    }

    /// Refuses what would start now of a pool whose turn it is not.
    pub(crate) async fn check_turn(&self, pool: &Pool) -> Result<(), BrokerError> {
        let own = self.inner.store.gpu_turns_of(pool.id).await?;
        if may_start(&own, now()) { Ok(()) } else { Err(not_its_turn(pool, &own)) }
    }
}

/// The key of the profile that is wanted, if one is; refuses what desktops of the pool could not have.
fn checked(new: &NewGpuTurn, request: &GpuRequest, gpu: &Gpu) -> Result<Option<String>, BrokerError> {
    let bad = |text: String, next: &str| Err(BrokerError::invalid("bad_turn", text, next));
    if new.mode == GpuMode::Host {
        return bad("in mode host a card gives nothing".to_owned(), "choose whole, vgpu, vf or shared");
    }
    let wished = match request.mode {
        GpuWish::Auto => None,
        GpuWish::Whole => Some(GpuMode::Whole),
        GpuWish::Vgpu => Some(GpuMode::Vgpu),
        GpuWish::Vf => Some(GpuMode::Vf),
        GpuWish::Shared => Some(GpuMode::Shared),
    };
    if let Some(wished) = wished.filter(|wished| *wished != new.mode) {
        return bad(format!("{} asks for {wished}", new.pool.name), "choose that mode, or change the pool's `gpu`");
    }
    let Some(key) = &new.profile else { return Ok(None) };
    if new.mode != GpuMode::Vgpu {
        return bad(format!("mode {} has no profiles", new.mode), "leave the profile out, or choose vgpu");
    }
    let Some(profile) = gpu.profile(key) else {
        return bad(format!("{} has no profile {key:?}", gpu.address), "choose one that `oriel gpu show` lists");
    };
    if let Some(wished) = &request.profile
        && gpu.profile(wished).is_none_or(|wished| wished.key != profile.key)
    {
        return bad(format!("{} asks for {wished}", new.pool.name), "choose that profile, or change the pool's `gpu`");
    }
    Ok(Some(profile.key.clone()))
}

/// Says when its turn is. The card may be on its way to be as its turn says, or be drained for the next one.
pub(crate) fn not_its_turn(pool: &Pool, own: &[GpuTurn]) -> BrokerError {
    let moment = now();
    if let Some(turn) = own.iter().find(|turn| turn.takes(own, moment)) {
        return BrokerError::conflict(
            "gpu_not_ready",
            format!("it is the turn of {} on {}, whose mode is not what it says yet", pool.name, turn.gpu),
            "try again in a minute",
        );
    }
    // One that is nearly over takes nobody any more.
    let now_until = own.iter().find(|turn| turn.is_now(moment)).and_then(|_| next_turn(own, moment));
    let next = next_turn(own, now_until.map_or(moment, |span| span.to));
    BrokerError::conflict(
        "gpu_not_its_turn",
        format!("{} has its GPU by a time plan: {}", pool.name, next_in_words(next)),
        "come back then, or book a desktop for that time",
    )
}

/// Of these cards of a host those that give a pool nothing now, by the plan of all.
pub(crate) fn closed<'a>(
    turns: &[GpuTurn],
    host: &str,
    pool: PoolId,
    gpus: impl Iterator<Item = &'a GpuAddress>,
) -> BTreeSet<GpuAddress> {
    let moment = now();
    let has_turns = turns.iter().any(|turn| turn.pool == pool);
    let is_closed = |gpu: &&GpuAddress| {
        let of_card: Vec<&GpuTurn> = turns.iter().filter(|turn| turn.is_of(host, gpu)).collect();
        let is_open = of_card.iter().any(|turn| turn.pool == pool && turn.is_ready && turn.takes(turns, moment));
        !is_open && (has_turns || !of_card.is_empty())
    };
    gpus.filter(is_closed).cloned().collect()
}
