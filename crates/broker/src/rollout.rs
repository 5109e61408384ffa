//! Bringing a pool from one version of its image to another, and back. [`crate::reconcile`] does it, desktop by desktop.

use crate::clock::now;
use crate::reconcile::rollout::{Look, RolloutCount, words};
use crate::{Broker, BrokerError};
use oriel_model::{
    Desktop, Finding, FindingEvidence, Image, ImageId, ImageState, Pool, Rollout, RolloutPlan, RolloutState, Severity,
};
use oriel_store::StoreError;

/// Desktops and pools that a refusal names.
const NAMED_MAX: usize = 5;

/// A roll-out and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutView {
    pub rollout: Rollout,
    pub count: RolloutCount,
    /// Where it stands, in a line for people.
    pub step: String,
}

/// What holds a version of an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageUses {
    /// Their new desktops are of it.
    pub pools: Vec<Pool>,
    /// Their last roll-out leads to it or away from it, and their new desktops are not of it.
    pub rollouts: Vec<Pool>,
    /// Names of desktops whose disks are clones of it.
    pub desktops: Vec<String>,
}

impl Broker {
    /// The pool's last one.
    pub async fn rollout(&self, pool: &Pool) -> Result<Option<RolloutView>, BrokerError> {
        match self.inner.store.rollout(pool.id).await? {
            Some(rollout) => Ok(Some(self.view(pool, rollout).await?)),
            None => Ok(None),
        }
    }

    /// As [`Self::rollout`], for who has the pool's desktops at hand.
    pub async fn rollout_among(&self, pool: &Pool, desktops: &[Desktop]) -> Result<Option<RolloutView>, BrokerError> {
        match self.inner.store.rollout(pool.id).await? {
            Some(rollout) => Ok(Some(self.view_of(pool, rollout, desktops).await?)),
            None => Ok(None),
        }
    }

    async fn view(&self, pool: &Pool, rollout: Rollout) -> Result<RolloutView, BrokerError> {
        let desktops = self.inner.store.desktops_in_pool(pool.id).await?;
        self.view_of(pool, rollout, &desktops).await
    }

    async fn view_of(&self, pool: &Pool, rollout: Rollout, desktops: &[Desktop]) -> Result<RolloutView, BrokerError> {
        let (presence, people) = (self.inner.store.presence_in(pool.id).await?, self.people_on(pool).await?);
        let look = Look { pool, rollout: &rollout, desktops, presence: &presence, people: &people, now: now() };
        let count = RolloutCount::of(look);
        let step = words(look, &count);
        Ok(RolloutView { rollout, count, step })
    }

    /// Begins to bring the pool's desktops to a version of its image, the newest that is ready when none is named.
    ///
    /// Errors: `Missing` image; conflicts `same_version`, `image_retired`, `rollout_open`, `image_not_on_cloud`; `Invalid` for a plan or an image that does not fit.
    pub async fn start_rollout(
        &self,
        pool: &Pool,
        version: Option<u32>,
        plan: RolloutPlan,
    ) -> Result<RolloutView, BrokerError> {
        let from = self.rolled_image(pool).await?;
        let wanted = self.inner.store.image_by_name(&from.name, version).await?;
        let to = wanted.ok_or_else(|| {
            BrokerError::missing(
                "image",
                version.map_or_else(|| from.name.to_string(), |it| format!("{}:{it}", from.name)),
            )
        })?;
        if to.id == from.id {
            return Err(BrokerError::conflict(
                "same_version",
                format!("{} is of {} version {} already", pool.name, from.name, from.version),
                format!("name another version, of those that `oriel image versions {}` shows", from.name),
            ));
        }
        if to.state == ImageState::Retired {
            return Err(BrokerError::conflict(
                "image_retired",
                format!("{} version {} is retired: no new desktops are made from it", to.name, to.version),
                format!("name another version, of those that `oriel image versions {}` shows", to.name),
            ));
        }
        self.begin_rollout(pool, &from, &to, plan, false).await
    }

    /// Brings the pool's desktops back to the version that the last roll-out led away from, also while it goes on.
    ///
    /// Errors: conflict `nothing_to_go_back_to`; as [`Self::start_rollout`].
    pub async fn roll_back(&self, pool: &Pool, plan: RolloutPlan) -> Result<RolloutView, BrokerError> {
        let current = self.rolled_image(pool).await?;
        let last = self.inner.store.rollout(pool.id).await?;
        // Who has gone back does not come to what they went back from by asking twice.
        let last = last.filter(|last| !last.is_rollback && [last.from, last.to].contains(&current.id));
        let Some(last) = last else {
            return Err(BrokerError::conflict(
                "nothing_to_go_back_to",
                format!("no roll-out brought {} to {} version {}", pool.name, current.name, current.version),
                format!("bring it to a version by name: oriel pool rollout start {} --version NUMBER", pool.name),
            ));
        };
        let (from, to) = (self.image_of(last.to).await?, self.image_of(last.from).await?);
        self.begin_rollout(pool, &from, &to, plan, true).await
    }

    async fn image_of(&self, id: ImageId) -> Result<Image, BrokerError> {
        self.inner.store.image(id).await?.ok_or_else(|| BrokerError::missing("image", id))
    }

    async fn rolled_image(&self, pool: &Pool) -> Result<Image, BrokerError> {
        if pool.is_external() {
            return Err(BrokerError::conflict(
                "external_pool",
                format!("{} holds external machines: they have no image of Oriel's making", pool.name),
                "bring them up to date where they stand",
            ));
        }
        self.pool_image(pool).await
    }

    async fn begin_rollout(
        &self,
        pool: &Pool,
        from: &Image,
        to: &Image,
        plan: RolloutPlan,
        is_rollback: bool,
    ) -> Result<RolloutView, BrokerError> {
        plan.check().map_err(|error| BrokerError::invalid("bad_rollout", error, "mend that part of the roll-out"))?;
        self.check_pool(&Pool { image: Some(to.id), ..pool.clone() }).await?;
        if let Some(place) = &pool.cloud
            && self.inner.store.cloud_image(place.cloud, to.id).await?.is_none()
        {
            let cloud = self.cloud(place.cloud).await?.host();
            return Err(BrokerError::conflict(
                "image_not_on_cloud",
                format!("image {} version {} is not on {cloud}", to.name, to.version),
                format!("bring it there first: oriel cloud image CLOUD {}:{}", to.name, to.version),
            ));
        }
        let moment = now();
        let rollout = Rollout {
            pool: pool.id,
            from: from.id,
            to: to.id,
            plan,
            state: if is_rollback { RolloutState::Rest } else { RolloutState::Canary },
            is_paused: false,
            is_rollback,
            watched_since: None,
            failures: Vec::new(),
            reason: None,
            created: moment,
            changed: moment,
        };
        if !self.inner.store.begin_rollout(&rollout, is_rollback).await? {
            return Err(rollout_open(pool));
        }
        tracing::info!(pool = %pool.name, image = %to.name, from = from.version, to = to.version, is_rollback, "Roll-out begun");
        self.wake_pool(pool.id);
        self.view(pool, rollout).await
    }

    /// Nothing more is replaced until it is resumed; what is on its way goes on. Errors: conflict `rollout_over`.
    pub async fn pause_rollout(&self, pool: &Pool, is_paused: bool) -> Result<RolloutView, BrokerError> {
        self.change_rollout(pool, |rollout| rollout.is_paused = is_paused).await
    }

    /// Ends it: new desktops are of the version of before again, and those that are of the new one stay as they are.
    /// Errors: conflict `rollout_over`.
    pub async fn cancel_rollout(&self, pool: &Pool) -> Result<RolloutView, BrokerError> {
        self.change_rollout(pool, |rollout| rollout.state = RolloutState::Cancelled).await
    }

    async fn change_rollout(
        &self,
        pool: &Pool,
        change: impl FnOnce(&mut Rollout) + Send,
    ) -> Result<RolloutView, BrokerError> {
        let mut is_open = false;
        let changed = self.inner.store.modify_rollout(pool.id, |rollout| {
            is_open = rollout.state.is_open();
            if is_open {
                change(rollout);
            }
        });
        let rollout = match changed.await {
            Err(StoreError::Missing { what: "roll-out", .. }) => {
                return Err(BrokerError::missing("roll-out", &pool.name));
            }
            changed => changed?,
        };
        if !is_open {
            return Err(BrokerError::conflict(
                "rollout_over",
                format!("the last roll-out of {} has ended: {}", pool.name, rollout.state.word()),
                format!("begin another one: oriel pool rollout start {}", pool.name),
            ));
        }
        self.wake_pool(pool.id);
        self.view(pool, rollout).await
    }

    /// Forgets one that has ended: the pool can no longer go back by it, and its versions may be deleted. Errors: conflict `rollout_open`.
    pub async fn forget_rollout(&self, pool: &Pool) -> Result<(), BrokerError> {
        if self.inner.store.delete_rollout(pool.id).await? {
            return Ok(());
        }
        match self.inner.store.rollout(pool.id).await? {
            Some(_) => Err(rollout_open(pool)),
            None => Err(BrokerError::missing("roll-out", &pool.name)),
        }
    }

    /// Whether a roll-out of the pool goes on, for who would change its image beside it.
    pub(crate) async fn check_no_rollout(&self, pool: &Pool) -> Result<(), BrokerError> {
        match self.inner.store.rollout(pool.id).await? {
            Some(rollout) if rollout.state.is_open() => Err(rollout_open(pool)),
            _ => Ok(()),
        }
    }

    /// The version that a desktop is made of now.
    pub(crate) async fn version_for(&self, pool: &Pool, desktop: &Desktop) -> Result<Option<ImageId>, BrokerError> {
        let facts = &desktop.facts;
        if facts.next.is_none() && (facts.image.is_none() || facts.image == pool.image) {
            return Ok(pool.image);
        }
        Ok(match self.inner.store.rollout(pool.id).await? {
            Some(rollout) if rollout.tries(desktop) => Some(rollout.to),
            _ => pool.image,
        })
    }

    /// The version that is tried on a desktop that is made now, where desktops are still missing for that.
    pub(crate) async fn tried_version(&self, pool: &Pool) -> Result<Option<ImageId>, BrokerError> {
        let Some(rollout) = self.inner.store.rollout(pool.id).await? else { return Ok(None) };
        if rollout.state != RolloutState::Canary || !rollout.is_moving(now()) {
            return Ok(None);
        }
        let desktops = self.inner.store.desktops_in_pool(pool.id).await?;
        let (presence, people) = (self.inner.store.presence_in(pool.id).await?, self.people_on(pool).await?);
        let look =
            Look { pool, rollout: &rollout, desktops: &desktops, presence: &presence, people: &people, now: now() };
        let count = RolloutCount::of(look);
        // Those that are free are tried first: nobody waits for them.
        let tried = count.new + count.on_their_way + count.old;
        let total = count.total() as usize + 1;
        let wanted = rollout.plan.canary.at_least(total).min(total);
        Ok(((tried as usize) < wanted).then_some(rollout.to))
    }

    /// What holds each version, in the order of the list.
    pub async fn image_uses(&self, images: &[Image]) -> Result<Vec<ImageUses>, BrokerError> {
        let store = &self.inner.store;
        let (pools, rollouts, desktops) = (store.pools().await?, store.rollouts().await?, store.desktops().await?);
        let uses = |image: &Image| ImageUses {
            pools: pools.iter().filter(|pool| pool.image == Some(image.id)).cloned().collect(),
            rollouts: rollouts
                .iter()
                .filter(|one| [one.from, one.to].contains(&image.id))
                .filter_map(|one| pools.iter().find(|pool| pool.id == one.pool && pool.image != Some(image.id)))
                .cloned()
                .collect(),
            desktops: desktops
                .iter()
                .filter(|one| one.facts.image == Some(image.id))
                .map(|one| one.name.to_string())
                .collect(),
        };
        Ok(images.iter().map(uses).collect())
    }

    /// One for each pool whose last roll-out stopped by itself, as long as nobody brought the pool elsewhere since.
    pub async fn rollout_findings(&self) -> Result<Vec<Finding>, BrokerError> {
        let store = &self.inner.store;
        let mut findings = Vec::new();
        for rollout in store.rollouts().await?.into_iter().filter(|one| one.state == RolloutState::Stopped) {
            let pool = store.pool(rollout.pool).await?.filter(|pool| pool.image == Some(rollout.from));
            let Some(pool) = pool else { continue };
            let to = self.image_of(rollout.to).await?;
            findings.push(Finding {
                id: "rollout".to_owned(),
                severity: Severity::Warning,
                subject: format!("pool {}", pool.name),
                evidence: rollout
                    .failures
                    .iter()
                    .take(NAMED_MAX)
                    .map(|failure| FindingEvidence {
                        path: format!("desktop {}", failure.name),
                        content: failure.reason.clone(),
                    })
                    .collect(),
                reason: format!(
                    "the roll-out of {} version {} stopped by itself: {}",
                    to.name,
                    to.version,
                    rollout.reason.unwrap_or_default()
                ),
                fix: format!("oriel pool rollback {}", pool.name),
                source: "docs/pools.md, Versions".to_owned(),
            });
        }
        Ok(findings)
    }

    /// Why a version cannot be deleted, with what holds it.
    pub(crate) async fn image_in_use(&self, image: &Image) -> Result<BrokerError, BrokerError> {
        let uses = self.image_uses(std::slice::from_ref(image)).await?.pop().unwrap_or_default();
        let names = |pools: &[Pool]| listed(pools.iter().map(|pool| pool.name.to_string()));
        let mut by = Vec::new();
        if !uses.pools.is_empty() {
            by.push(format!("new desktops of pool {}", names(&uses.pools)));
        }
        if !uses.rollouts.is_empty() {
            by.push(format!("the last roll-out of pool {}, which may go back to it", names(&uses.rollouts)));
        }
        if !uses.desktops.is_empty() {
            by.push(format!("the disks of {}", listed(uses.desktops.iter().cloned())));
        }
        let by = if by.is_empty() { "something that has just ended".to_owned() } else { by.join(", ") };
        let next = match uses.rollouts.first() {
            Some(pool) if uses.pools.is_empty() && uses.desktops.is_empty() => {
                format!("give up going back to it: oriel pool rollout forget {}", pool.name)
            }
            _ => "bring those to another version first, or delete them".to_owned(),
        };
        let text = format!("image {} version {} is used by {by}", image.name, image.version);
        Ok(BrokerError::conflict("image_in_use", text, next))
    }
}

fn rollout_open(pool: &Pool) -> BrokerError {
    BrokerError::conflict(
        "rollout_open",
        format!("a roll-out of {} goes on", pool.name),
        format!(
            "wait for its end, cancel it (oriel pool rollout cancel {0}), or go back (oriel pool rollback {0})",
            pool.name
        ),
    )
}

/// The first few, and how many more there are.
fn listed(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    let named = names.join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}
