//! Moves desktops along their life (`oriel_model::Desktop` draws it), one idempotent step a round.
//!
//! Every step first makes something true in the world and then says so in the row: a kill in between only means that the
//! step is taken again. What exists in the world without a row that wants it is removed.

use super::{
    Again, Reconciler, Round,
    hold::{advance_to_start, held_back, place_of, rest, start_or_rest},
    look::{Look, Wanted},
    world::{World, keep_golden, look_at_world, remove_from_cloud},
};
use crate::clock::now;
use crate::{Broker, BrokerError, fault, personal_disk::DiskWish};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use oriel_compute::{Compute, ComputeError, Greeting, Observed, Power, Renewed};
use oriel_machine::{Boot, CloudParts, GuestIdentity, HomeDisk, Keyboard, MachineSpec};
use oriel_model::{
    AcceleratorKind, CaptureStep, CloudAddress, CloudId, Desktop, DesktopFacts, DesktopId, DesktopIntent, DesktopState,
    GuestPort, Image, ImageId, ImageSource, Micros, Network, PoolId, StartStep,
};
use oriel_store::StoreError;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// Desktops worked on at once.
const PARALLEL_MAX: usize = 4;
/// A guest that has not answered for so long has failed. Software emulation is slow, and a first boot does more.
const START_SECONDS_MAX: i64 = 900;
/// Where tidying what volumes are cloned from failed or took too long, it is tried again after so long.
const GOLDEN_AGAIN: Duration = Duration::from_mins(5);
/// A guest that has not even greeted on SSH for so long hangs in its boot: it is switched off and on, a few times at most.
const BOOT_SECONDS_MAX: f64 = 180.0;
/// In software emulation, beside others: slow is not stuck, and switched off it begins anew.
const EMULATED_BOOT_SECONDS_MAX: f64 = 480.0;
const BOOTS_MAX: u32 = 3;
/// A guest that does not shut down in this time is switched off.
const SHUT_DOWN_SECONDS_MAX: i64 = 60;
/// Nor one whose disk becomes an image, in this.
const SEALED_SHUT_DOWN_SECONDS_MAX: i64 = 300;
/// Rounds in a row in which the same desktop's step may fail before it is called failed.
const FAILURES_MAX: u32 = 5;

#[derive(Default)]
pub(super) struct Desktops {
    /// Rounds in a row in which a desktop's step failed.
    failures: HashMap<DesktopId, u32>,
    look: Look,
    /// Clouds whose golden volumes are not looked at until then.
    golden_after: HashMap<CloudId, Instant>,
    /// How many there were when all were looked at.
    total: usize,
}

#[async_trait]
impl Reconciler for Desktops {
    fn name(&self) -> &'static str {
        "desktops"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn leads(&self) -> bool {
        true
    }

    fn forget(&mut self) {
        self.look.forget();
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let heard = broker.inner.reconcilers.heard.take_desktops();
        let mut used = broker.inner.store.present(broker.program(), now()).await?;
        used.extend(broker.sessions().map(|sessions| sessions.connected()).unwrap_or_default());
        let mut tally = Tally::default();
        let drained = broker.drained_pools().await?;
        let people = People { used: &used, drained: &drained };
        match self.look.wanted(broker, heard, used.clone()).await? {
            Wanted::Some(rows, observed) => self.step_all(broker, rows, &observed, people, &mut tally).await?,
            Wanted::All => self.look_at_all(broker, people, &mut tally).await?,
        }
        let again = match (tally.moving, tally.waiting) {
            (0, 0) => Again::Later,
            (0, _) => Again::Soon,
            _ => Again::Now,
        };
        let on_their_way = tally.moving + tally.waiting;
        Ok(Round { again, summary: format!("desktops: {}, on their way: {on_their_way}", self.total) })
    }
}

/// What a round knows of people: who is where, and where nothing is to start.
#[derive(Clone, Copy)]
pub(super) struct People<'a> {
    used: &'a BTreeSet<DesktopId>,
    pub drained: &'a BTreeSet<PoolId>,
}

/// What a round came to.
#[derive(Default)]
struct Tally {
    moving: usize,
    waiting: usize,
}

impl Desktops {
    async fn look_at_all(&mut self, broker: &Broker, people: People<'_>, tally: &mut Tally) -> Result<(), BrokerError> {
        let began = now();
        // The world first: a desktop made after this look is not taken for an orphan.
        let World { seen, mut orphans, blind, trouble } = look_at_world(broker).await?;
        self.total = 0;
        let mut cloned: BTreeMap<CloudId, BTreeSet<ImageId>> = BTreeMap::new();
        // A pool at a time: of many thousands not all are held at once. Others' machines have no life that Oriel could move along.
        for pool in broker.inner.store.pools().await?.iter().filter(|pool| !pool.is_external()) {
            let rows = broker.inner.store.desktops_in_pool(pool.id).await?;
            self.total += rows.len();
            for row in &rows {
                orphans.remove(&row.id);
            }
            if let Some(place) = pool.cloud.as_ref().filter(|place| !place.root.is_usual()) {
                let images = rows.iter().filter_map(|row| row.facts.image).chain(pool.image);
                cloned.entry(place.cloud).or_default().extend(images);
            }
            // Of what cannot be seen nothing is known: it is not off, nor gone.
            if blind.contains(&pool.cloud.as_ref().map(|place| place.cloud)) {
                continue;
            }
            self.step_all(broker, rows, &seen, people, tally).await?;
        }
        for (id, cloud) in orphans {
            // A pool that was made and filled meanwhile was not looked at.
            if broker.inner.store.desktop(id).await?.is_none() {
                tracing::info!(desktop = %id, "Removing what is left of a desktop that is gone");
                match cloud {
                    None => broker.host()?.remove(id, None).await?,
                    Some(cloud) => remove_from_cloud(broker, cloud, id).await?,
                }
            }
        }
        self.golden_after.retain(|_, after| Instant::now() < *after);
        for cloud in broker.inner.store.clouds().await?.iter().filter(|cloud| !blind.contains(&Some(cloud.id))) {
            let images = cloned.remove(&cloud.id).unwrap_or_default();
            // Desktops everywhere wait for it: not each time for a Cinder that is down.
            if !self.golden_after.contains_key(&cloud.id) && !keep_golden(broker, cloud.id, &images).await? {
                self.golden_after.insert(cloud.id, Instant::now() + GOLDEN_AGAIN);
            }
        }
        if let Some(error) = trouble {
            return Err(error);
        }
        self.look.saw_all(began, self.total);
        Ok(())
    }

    async fn step_all(
        &mut self,
        broker: &Broker,
        rows: Vec<Desktop>,
        seen: &HashMap<DesktopId, Observed>,
        people: People<'_>,
        tally: &mut Tally,
    ) -> Result<(), BrokerError> {
        let parallel = broker.inner.parallel.get().copied().unwrap_or(PARALLEL_MAX);
        let steps = rows.into_iter().filter(|desktop| desktop.external.is_none()).map(|desktop| {
            let found = seen.get(&desktop.id);
            async move {
                let outcome = match broker.lead().await {
                    Ok(true) => match held_back(broker, &desktop, found, people).await {
                        Ok(None) => step(broker, &desktop, found, people.used.contains(&desktop.id)).await,
                        Ok(Some(held)) => Ok(held),
                        Err(error) => Err(error),
                    },
                    // Whoever leads now takes it from here.
                    Ok(false) => Ok(Step::Waiting),
                    Err(error) => Err(error),
                };
                (desktop, outcome)
            }
        });
        let outcomes: Vec<_> = stream::iter(steps).buffer_unordered(parallel).collect().await;
        for (desktop, outcome) in outcomes {
            let was_on_its_way = self.look.on_their_way.contains(&desktop.id);
            let rests = matches!(outcome, Ok(Step::Settled));
            if rests {
                self.look.on_their_way.remove(&desktop.id);
            } else {
                self.look.on_their_way.insert(desktop.id);
            }
            // What its pool counts may have changed, by us or by whoever wrote the row.
            if matches!(outcome, Ok(Step::Moving)) || (was_on_its_way && rests) {
                broker.wake_pool(desktop.pool);
            }
            match outcome {
                Ok(step) => {
                    self.failures.remove(&desktop.id);
                    tally.moving += usize::from(matches!(step, Step::Moving));
                    tally.waiting += usize::from(matches!(step, Step::Waiting));
                }
                Err(error) => {
                    tally.waiting += 1;
                    // A cloud that is away for a minute makes no desktop failed.
                    let passing = matches!(&error, BrokerError::Compute(error) if error.is_passing());
                    let count = self.failures.get(&desktop.id).copied().unwrap_or(0) + u32::from(!passing);
                    tracing::warn!(desktop = %desktop.name, state = desktop.state.word(), error = %super::chain(&error), count, "A step failed");
                    if count >= FAILURES_MAX && desktop.intent != DesktopIntent::Deleted {
                        self.failures.remove(&desktop.id);
                        fail(broker, desktop.id, &super::chain(&error)).await?;
                    } else {
                        self.failures.insert(desktop.id, count);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a step came to.
pub(super) enum Step {
    /// As wanted.
    Settled,
    /// A step was taken; the next one can follow at once.
    Moving,
    /// The machine needs time; look again soon.
    Waiting,
}

/// `used`: somebody is connected to it, through this program or another.
async fn step(broker: &Broker, desktop: &Desktop, found: Option<&Observed>, used: bool) -> Result<Step, BrokerError> {
    let power = found.map_or(Power::Off, |found| found.power);
    if desktop.intent == DesktopIntent::Capture && broker.let_go_of_capture(desktop).await? {
        return Ok(Step::Moving);
    }
    match (desktop.intent, desktop.state) {
        (DesktopIntent::Deleted, _) => delete(broker, desktop, power).await,
        (DesktopIntent::Recycle, _) => recycle(broker, desktop, power).await,
        (DesktopIntent::Stopped | DesktopIntent::Restart, state) if was_started(state) => {
            stop(broker, desktop, power).await
        }
        (DesktopIntent::Restart, DesktopState::Failed | DesktopState::Stopped) => restart(broker, desktop, found).await,
        (DesktopIntent::Capture, state) if was_started(state) && is_sealed(desktop) => {
            stop(broker, desktop, power).await
        }
        // Whoever makes an image of it says when it goes on.
        (DesktopIntent::Capture, DesktopState::Stopped) if power != Power::Running => Ok(Step::Waiting),
        // A desktop that was told to stop before it was there goes on until it can.
        (_, DesktopState::Requested) => place(broker, desktop).await,
        // To be made anew and then off: it comes here without the rounds of `recycle`.
        (_, DesktopState::Recycling) if still_ends(desktop, power) => {
            broker.acting_host(desktop).await?.shut_down(desktop.id).await?;
            Ok(Step::Waiting)
        }
        (_, DesktopState::Placed | DesktopState::Recycling) => choose_generation(broker, desktop).await,
        (_, DesktopState::Provisioning) => provision(broker, desktop).await,
        (_, DesktopState::Starting) => start(broker, desktop, power).await,
        (_, DesktopState::Ready | DesktopState::InUse) => watch(broker, desktop, power, used).await,
        (_, DesktopState::Stopping) => stop(broker, desktop, power).await,
        (DesktopIntent::Running, DesktopState::Stopped) => {
            advance_to_start(broker, desktop, start_or_rest).await?;
            Ok(Step::Moving)
        }
        (_, DesktopState::Stopped) if power == Power::Running => {
            adopt(broker, desktop).await?;
            Ok(Step::Moving)
        }
        (_, DesktopState::Failed) if power == Power::Off => {
            give_back(broker, desktop).await?;
            Ok(Step::Settled)
        }
        (_, DesktopState::Failed) if power == Power::Crashed => {
            broker.give_back_disk(desktop).await?;
            Ok(Step::Settled)
        }
        // Its machine came up and did not answer. It shall be off, and its person waits for their disk elsewhere.
        (DesktopIntent::Stopped, DesktopState::Failed) => {
            let host = broker.acting_host(desktop).await?;
            if still_ends(desktop, power) {
                host.shut_down(desktop.id).await?;
            } else {
                host.power_off(desktop.id).await?;
            }
            Ok(Step::Waiting)
        }
        (_, DesktopState::Unreachable) if power != Power::Lost => {
            regain(broker, desktop, power).await?;
            Ok(Step::Moving)
        }
        (_, DesktopState::Stopped | DesktopState::Failed | DesktopState::Deleting | DesktopState::Unreachable) => {
            Ok(Step::Settled)
        }
    }
}

/// Somebody started it with other tools: it is theirs to use, unless more would run than its owner may have. Then it is one that
/// shall be off and is starting, which is shut down.
async fn adopt(broker: &Broker, desktop: &Desktop) -> Result<(), BrokerError> {
    let (state, generation) = (desktop.state, desktop.generation);
    let place = place_of(broker, desktop).await?;
    let adopted = broker
        .inner
        .store
        .start_desktop_within_quota(desktop.id, place, |row, open| {
            // What was asked for meanwhile stands.
            if open && row.state == state && row.generation == generation && row.intent == desktop.intent {
                row.intent = DesktopIntent::Running;
                enter_starting(row);
            }
        })
        .await;
    match adopted {
        Ok(_) => Ok(()),
        Err(StoreError::OverQuota(over)) => {
            tracing::info!(desktop = %desktop.name, %over, "Desktop that was started elsewhere is shut down");
            advance_to_start(broker, desktop, start_or_rest).await.map(drop)
        }
        Err(error) => Err(error.into()),
    }
}

/// It may be shut down: its guest has forgotten who it is, or is not to.
fn is_sealed(desktop: &Desktop) -> bool {
    desktop.facts.capture.is_some_and(|capture| capture.step == CaptureStep::Sealed)
}

const fn was_started(state: DesktopState) -> bool {
    matches!(state, DesktopState::Starting | DesktopState::Ready | DesktopState::InUse | DesktopState::Stopping)
}

pub(super) fn enter_starting(desktop: &mut Desktop) {
    // Of a disk that was there already nobody asks how long it took.
    if desktop.state != DesktopState::Provisioning {
        desktop.facts.placed = None;
    }
    desktop.facts.prepared = Some(now());
    desktop.state = DesktopState::Starting;
    desktop.step = Some(StartStep::Booting);
    desktop.failure = None;
    desktop.facts.started = None;
    desktop.facts.start_seconds = None;
    desktop.facts.ready = None;
    desktop.facts.boots = 0;
    desktop.facts.cut = false;
    desktop.facts.disk_of = None;
}

/// Writes a step down, unless the row has moved on since it was read.
pub(super) async fn advance(
    broker: &Broker,
    desktop: &Desktop,
    change: impl FnOnce(&mut Desktop) + Send,
) -> Result<Desktop, BrokerError> {
    let state = desktop.state;
    let generation = desktop.generation;
    let written = broker
        .inner
        .store
        .modify_desktop(desktop.id, |row| {
            if row.state == state && row.generation == generation {
                change(row);
            }
        })
        .await?;
    told(&written, state);
    Ok(written)
}

pub(super) fn told(written: &Desktop, from: DesktopState) {
    if written.state != from {
        tracing::info!(desktop = %written.name, from = from.word(), to = written.state.word(), "Desktop moved on");
    }
}

async fn fail(broker: &Broker, id: DesktopId, reason: &str) -> Result<(), BrokerError> {
    broker
        .inner
        .store
        .modify_desktop(id, |row| {
            // A wipe that was promised stays promised: the old disk is started for nobody.
            if row.state == DesktopState::Recycling && row.intent != DesktopIntent::Deleted {
                row.intent = DesktopIntent::Recycle;
            }
            row.state = DesktopState::Failed;
            row.step = None;
            row.failure = Some(reason.to_owned());
        })
        .await?;
    Ok(())
}

async fn place(broker: &Broker, desktop: &Desktop) -> Result<Step, BrokerError> {
    let pool = broker.find_pool(&desktop.pool.to_string()).await?;
    let host = match &pool.cloud {
        None => broker.inner.compute.name().to_owned(),
        Some(place) => broker.cloud(place.cloud).await?.host(),
    };
    if pool.cloud.is_none() && pool.network == Network::User && desktop.port_base.is_none() {
        claim_ports(broker, desktop).await?;
    }
    advance(broker, desktop, |row| {
        row.host = Some(host);
        row.state = DesktopState::Placed;
        row.step = Some(StartStep::Placing);
        row.facts.placed = Some(now());
    })
    .await?;
    fault::point("desktop.placed");
    Ok(Step::Moving)
}

/// The host knows which ports are in use there; the database sees to it that no two desktops get the same.
async fn claim_ports(broker: &Broker, desktop: &Desktop) -> Result<(), BrokerError> {
    let (compute, store) = (&broker.inner.compute, &broker.inner.store);
    let taken = store.desktops().await?.iter().filter_map(|other| other.port_base).collect();
    let base = compute.free_ports(&taken).await?;
    let ports = base..=base + MachineSpec::PORTS - 1;
    store.claim_port_base(desktop.id, compute.name(), ports, MachineSpec::PORTS).await?;
    Ok(())
}

/// While a desktop is off, another program may have taken its ports: then it gets others. Answers whether it did.
async fn change_lost_ports(broker: &Broker, desktop: &Desktop, spec: &MachineSpec) -> Result<bool, BrokerError> {
    if spec.cloud.is_some() || spec.network != Network::User {
        return Ok(false);
    }
    if let Some(base) = desktop.port_base {
        if broker.inner.compute.ports_free(base).await {
            return Ok(false);
        }
        tracing::info!(desktop = %desktop.name, base, "Another program has taken the desktop's ports; choosing others");
        broker.inner.store.modify_desktop(desktop.id, |row| row.port_base = None).await?;
    }
    claim_ports(broker, desktop).await?;
    Ok(true)
}

/// A new generation: fresh credentials and keys, then the number that everything made from now on carries.
async fn choose_generation(broker: &Broker, desktop: &Desktop) -> Result<Step, BrokerError> {
    let pool = broker.find_pool(&desktop.pool.to_string()).await?;
    let owner = match desktop.owner {
        Some(owner) => broker.inner.store.user(owner).await?.map(|user| user.name),
        None => None,
    };
    let version = broker.version_for(&pool, desktop).await?;
    let name = desktop.name.clone();
    let identity = tokio::task::spawn_blocking(move || GuestIdentity::generate(&name, owner.as_deref()))
        .await
        .map_err(|error| BrokerError::internal("making a guest's keys", error))?
        .map_err(|error| BrokerError::internal("making a guest's keys", error))?;
    broker.keep_guest_identity(desktop.id, &identity).await?;
    fault::point("desktop.secret_kept");
    // One that is wiped has had its place for long.
    let is_new = desktop.state == DesktopState::Placed;
    // What a cloud's servers run on is the cloud's to know.
    let accelerator = Some(broker.inner.accelerator.clone()).filter(|_| pool.cloud.is_none());
    advance(broker, desktop, |row| {
        // Only now: what is wiped is given to nobody, nor started again, as what it was.
        settle(row, DesktopIntent::Recycle);
        row.generation += 1;
        row.state = DesktopState::Provisioning;
        row.step = Some(StartStep::Cloning);
        row.facts = DesktopFacts {
            image: version,
            accelerator: accelerator.as_ref().map(|it| it.kind.word().to_owned()),
            accelerator_reason: accelerator.map(|it| it.reason),
            ssh_host_key: Some(identity.ssh_host_public.clone()),
            rdp_certificate_sha256: Some(identity.rdp_certificate_sha256.clone()),
            guest_user: Some(identity.user.clone()),
            seat: row.facts.seat,
            placed: row.facts.placed.filter(|_| is_new),
            personal_disk: pool.personal_disk.as_ref().map(|disk| disk.name.clone()),
            ..DesktopFacts::default()
        };
    })
    .await?;
    fault::point("desktop.generation_chosen");
    Ok(Step::Moving)
}

async fn provision(broker: &Broker, desktop: &Desktop) -> Result<Step, BrokerError> {
    let (spec, image) = describe(broker, desktop).await?;
    if let Some(parts) = &spec.cloud
        && parts.image.is_empty()
    {
        let place = desktop.host.as_deref().unwrap_or_default();
        fail(
            broker,
            desktop.id,
            &format!(
                "image {} version {} is not on {place}; bring it there with `oriel cloud image`, then restart the desktop",
                image.name, image.version
            ),
        )
        .await?;
        return Ok(Step::Settled);
    }
    // One that stands already may get a fresh disk in its place.
    let host = broker.acting_host(desktop).await?;
    if desktop.generation > 1 && host.is_cloud() {
        let identity = broker.guest_identity(desktop).await?;
        match host.renew(&spec, &identity).await? {
            // One that takes so long comes to nothing.
            Renewed::Underway if seconds_since(desktop.changed) < START_SECONDS_MAX as f64 => {
                return Ok(Step::Waiting);
            }
            Renewed::Underway | Renewed::No => {}
            Renewed::Done => {
                advance_to_start(broker, desktop, start_or_rest).await?;
                return Ok(Step::Moving);
            }
        }
    }
    broker.acting_host(desktop).await?.remove(desktop.id, Some(desktop.generation)).await?;
    broker.acting_host(desktop).await?.clone_disk(&spec, &broker.inner.images.path(&image.sha256)?).await?;
    fault::point("desktop.cloned");
    let identity = broker.guest_identity(desktop).await?;
    match broker.acting_host(desktop).await?.write_seed(&spec, &identity).await {
        // Waiting would look like a slow start: the person is told what is in the way, and may try again.
        Err(error @ ComputeError::NoPlace { .. }) => {
            fail(broker, desktop.id, &error.to_string()).await?;
            return Ok(Step::Settled);
        }
        done => done?,
    }
    fault::point("desktop.seeded");
    broker.acting_host(desktop).await?.define(&spec).await?;
    fault::point("desktop.defined");
    advance_to_start(broker, desktop, start_or_rest).await?;
    Ok(Step::Moving)
}

/// The machine as its pool and image want it.
async fn describe(broker: &Broker, desktop: &Desktop) -> Result<(MachineSpec, Image), BrokerError> {
    let pool = broker.find_pool(&desktop.pool.to_string()).await?;
    let image = match desktop.facts.image {
        Some(id) => broker.find_image(&id.to_string()).await?,
        None => broker.pool_image(&pool).await?,
    };
    let keyboard: Keyboard =
        pool.keyboard.parse().map_err(|error| BrokerError::internal("reading a pool's keyboard layout", error))?;
    let cloud = match &pool.cloud {
        None => None,
        Some(place) => Some(CloudParts {
            // Empty where the cloud has none: only a machine that is made needs it.
            image: broker.inner.store.cloud_image(place.cloud, image.id).await?.map(|of| of.remote).unwrap_or_default(),
            flavor: place.flavor.clone(),
            network: place.network.clone(),
            pool: pool.id,
            floating: match &place.address {
                CloudAddress::Fixed => None,
                CloudAddress::Floating { network } => Some(network.clone()),
            },
            root: place.root.clone(),
        }),
    };
    let spec = MachineSpec {
        desktop: desktop.id,
        generation: desktop.generation,
        name: desktop.name.clone(),
        title: format!("{} (Oriel pool {})", desktop.name, pool.name),
        os: image.os,
        arch: broker.check_arch(&image, pool.cloud.is_some())?,
        boot: if desktop.facts.from_drive { Boot::Drive } else { Boot::Disk },
        vcpus: pool.vcpus,
        memory_mib: pool.memory_mib,
        disk_gib: pool.disk_gib,
        accelerator: broker.inner.accelerator.kind,
        network: pool.network,
        port_base: desktop.port_base,
        keyboard,
        gpus: Vec::new(),
        hardware: pool.hardware,
        cloud,
        home: desktop.facts.personal_disk.as_ref().map(|_| HomeDisk::default()),
    };
    Ok((spec, image))
}

/// Claims and makes what the desktop shall hold of GPUs, before its machine starts.
async fn hold_gpus(broker: &Broker, desktop: &Desktop, spec: &mut MachineSpec) -> Result<(), BrokerError> {
    let pool = broker.find_pool(&desktop.pool.to_string()).await?;
    spec.gpus = broker.hold_gpus(desktop, &pool).await?;
    Ok(())
}

/// What it held while it ran is others' again: its machine is off.
async fn give_back(broker: &Broker, desktop: &Desktop) -> Result<(), BrokerError> {
    broker.give_back_gpus(desktop.id).await?;
    broker.give_back_disk(desktop).await
}

/// Its person's disk is in its machine from the next start on; nothing, when it can start.
async fn hold_disk(
    broker: &Broker,
    desktop: &Desktop,
    power: Power,
    spec: &mut MachineSpec,
) -> Result<Option<Step>, BrokerError> {
    let held = if matches!(power, Power::Off | Power::Crashed) {
        match broker.wish_for_disk(desktop).await? {
            DiskWish::Settled(held) => held,
            DiskWish::Wait(what) if seconds_since(desktop.changed) < START_SECONDS_MAX as f64 => {
                tracing::debug!(desktop = %desktop.name, what, "Desktop waits for its person's disk");
                return Ok(Some(Step::Waiting));
            }
            // Without it, what is kept at home would be lost: the person is told, and may try again.
            DiskWish::Wait(text) | DiskWish::Refused(text) => {
                fail(broker, desktop.id, &text).await?;
                return Ok(Some(Step::Settled));
            }
        }
    } else {
        broker.inner.store.disk_in(desktop.id).await?
    };
    if let Some(home) = &mut spec.home {
        home.disk = held.map(|disk| disk.id);
    }
    Ok(None)
}

async fn start(broker: &Broker, desktop: &Desktop, power: Power) -> Result<Step, BrokerError> {
    let (mut spec, image) = describe(broker, desktop).await?;
    if matches!(power, Power::Off | Power::Crashed) && change_lost_ports(broker, desktop, &spec).await? {
        return Ok(Step::Moving);
    }
    // What was taken out meanwhile is nothing to start from.
    if spec.boot == Boot::Drive && matches!(broker.host_of(desktop).await?.media(desktop.id).await, Ok(None)) {
        spec.boot = Boot::Disk;
    }
    // It was asked to start, and may: only what watches over its host is silent, as for a minute when its cloud is down.
    let is_awaited = power == Power::Lost && desktop.facts.started.is_some();
    if power != Power::Running && !is_awaited {
        if let Some(step) = hold_disk(broker, desktop, power, &mut spec).await? {
            return Ok(step);
        }
        match hold_gpus(broker, desktop, &mut spec).await {
            // Its card is being made what its turn says.
            Err(BrokerError::Conflict { code: "gpu_not_ready", .. })
                if seconds_since(desktop.changed) < START_SECONDS_MAX as f64 =>
            {
                return Ok(Step::Waiting);
            }
            // Waiting would look like a slow start: the person is told what is in the way, and may try again.
            Err(BrokerError::Conflict { code: "no_gpu" | "gpu_not_its_turn" | "gpu_not_ready", text, next_step }) => {
                fail(broker, desktop.id, &format!("{text}; {next_step}")).await?;
                return Ok(Step::Settled);
            }
            held => held?,
        }
        // Defining again is free and brings back a domain that somebody undefined.
        broker.acting_host(desktop).await?.define(&spec).await?;
        match broker.acting_host(desktop).await?.start(&spec).await {
            Err(error @ ComputeError::NoPlace { .. }) => {
                fail(broker, desktop.id, &error.to_string()).await?;
                return Ok(Step::Settled);
            }
            done => done?,
        }
        fault::point("desktop.started");
    }
    let Some(started) = desktop.facts.started else {
        let disk_of = broker.inner.store.disk_in(desktop.id).await?.map(|disk| disk.user);
        advance(broker, desktop, |row| {
            row.facts.started = Some(now());
            row.facts.disk_of = disk_of;
            row.facts.boots += 1;
            // Once; who told it to since the machine was described means the next start.
            row.facts.on_drive = spec.boot == Boot::Drive;
            row.facts.from_drive &= !desktop.facts.from_drive;
            row.step = Some(StartStep::Booting);
            row.failure = None;
        })
        .await?;
        return Ok(Step::Moving);
    };
    // An imported image may never speak RDP, nor an installer: its console is there as soon as it runs.
    let imported = image.source.recipe().is_none() || desktop.facts.on_drive;
    let host = broker.host_of(desktop).await?;
    let greeting = if imported {
        if host.has_come_up(desktop).await { Greeting::Known } else { Greeting::Silent }
    } else {
        host.greeting(desktop, GuestPort::Rdp).await
    };
    let seconds = seconds_since(started);
    if greeting == Greeting::Known {
        let written = advance(broker, desktop, |row| {
            row.failure = None;
            // It was given to somebody since it started: their disk is not in it yet.
            if row.lacks_disk() {
                row.start_with_disk();
                return;
            }
            row.state = DesktopState::Ready;
            row.step = None;
            row.facts.start_seconds = Some(seconds);
            row.facts.ready = Some(now());
            // Its person waited for it; now it waits for them.
            if let Some(seat) = row.facts.seat.as_mut() {
                seat.seen = now();
            }
        })
        .await?;
        fault::point("desktop.ready");
        if written.state != DesktopState::Ready {
            return Ok(Step::Moving);
        }
        // A desktop environment takes its time to start, in software emulation a minute: it starts before somebody waits.
        if let (Some(sessions), Some(owner), false) = (broker.sessions(), desktop.owner, imported) {
            sessions.prelaunch(owner, desktop.id);
        }
        return Ok(Step::Moving);
    }
    if seconds > START_SECONDS_MAX as f64 {
        let text = match greeting {
            Greeting::Stranger => not_itself(desktop),
            Greeting::Silent | Greeting::Known => no_answer(host.as_ref(), desktop).await,
        };
        fail(broker, desktop.id, &text).await?;
        return Ok(Step::Settled);
    }
    if greeting == Greeting::Stranger {
        let text = not_itself_yet(desktop);
        // What it was given may come yet: it is up, and not switched off in the middle of its first boot.
        if desktop.failure.as_deref() != Some(text.as_str()) {
            advance(broker, desktop, |row| {
                row.step = Some(StartStep::WaitingForRdp);
                row.failure = Some(text);
            })
            .await?;
        }
        return Ok(Step::Waiting);
    }
    if desktop.step == Some(StartStep::Booting) {
        if host.answers(desktop, GuestPort::Ssh).await {
            advance(broker, desktop, |row| row.step = Some(StartStep::WaitingForRdp)).await?;
        } else if seconds > boot_seconds_max(desktop) && desktop.facts.boots < BOOTS_MAX {
            tracing::warn!(desktop = %desktop.name, seconds, "The guest hangs in its boot; switching it off and on");
            broker.acting_host(desktop).await?.power_off(desktop.id).await?;
            advance(broker, desktop, |row| row.facts.started = None).await?;
        }
    }
    Ok(Step::Waiting)
}

/// Why nobody can be sent to a guest that has not answered in time.
async fn no_answer(host: &dyn Compute, desktop: &Desktop) -> String {
    // What is in the way may be known: no address, no router, nobody who listens.
    let last = Duration::from_secs(oriel_compute::ANSWER_SECONDS_MAX);
    let last = match tokio::time::timeout(last, host.dial(desktop, GuestPort::Rdp)).await {
        Ok(Err(error)) => format!(" (the last try: {error})"),
        _ => String::new(),
    };
    format!(
        "{} did not answer on RDP within {START_SECONDS_MAX} seconds{last}; open its console to see why, then restart it",
        desktop.name
    )
}

/// Why nobody is sent to a guest that answers as another machine: a gateway would refuse it.
fn not_itself(desktop: &Desktop) -> String {
    format!(
        "{0} answers on RDP, but not with the certificate that Oriel gave it: its first boot did not take its settings, or somebody changed \
         them since; have it made anew (oriel desktop recycle {0}), or see in its console what cloud-init says",
        desktop.name
    )
}

/// The same, while it may change.
fn not_itself_yet(desktop: &Desktop) -> String {
    format!(
        "{} answers on RDP, but not yet with the certificate that Oriel gave it; its first boot may not have taken all its settings, and is \
         waited for",
        desktop.name
    )
}

fn boot_seconds_max(desktop: &Desktop) -> f64 {
    let is_emulated = desktop.facts.accelerator.as_deref() == Some(AcceleratorKind::Tcg.word());
    if is_emulated { EMULATED_BOOT_SECONDS_MAX } else { BOOT_SECONDS_MAX }
}

fn seconds_since(then: Micros) -> f64 {
    (now().0 - then.0) as f64 / 1e6
}

/// A running desktop: in use or not, or no longer running.
async fn watch(broker: &Broker, desktop: &Desktop, power: Power, used: bool) -> Result<Step, BrokerError> {
    match power {
        Power::Running | Power::Paused => {
            let state = if used { DesktopState::InUse } else { DesktopState::Ready };
            if state != desktop.state {
                advance(broker, desktop, |row| row.state = state).await?;
            }
            Ok(Step::Settled)
        }
        Power::Crashed => {
            advance_to_start(broker, desktop, start_or_rest).await?;
            Ok(Step::Moving)
        }
        // Somebody sees that it works all the same: only what watches over its host is gone.
        Power::Lost if used => Ok(Step::Settled),
        Power::Lost => {
            let place = desktop.host.as_deref().unwrap_or("its cloud");
            let text = format!(
                "the host under it does not answer to {place}; it is back when that is, and an administrator can have it made anew on another one (oriel desktop migrate {} --evacuate)",
                desktop.name
            );
            advance(broker, desktop, |row| {
                row.state = DesktopState::Unreachable;
                row.failure = Some(text);
            })
            .await?;
            Ok(Step::Moving)
        }
        Power::Off => {
            give_back(broker, desktop).await?;
            // Shut down from inside: it stays off until somebody opens it.
            advance(broker, desktop, |row| {
                row.state = DesktopState::Stopped;
                row.step = None;
                if row.intent == DesktopIntent::Running {
                    row.intent = DesktopIntent::Stopped;
                }
            })
            .await?;
            Ok(Step::Moving)
        }
    }
}

/// The host under it answers again, or it stands on another one.
async fn regain(broker: &Broker, desktop: &Desktop, power: Power) -> Result<(), BrokerError> {
    advance_to_start(broker, desktop, |row, open| {
        row.failure = None;
        // One that was evacuated is off, and nobody has asked for that.
        let starts = power == Power::Off && row.intent == DesktopIntent::Running;
        if starts && open {
            enter_starting(row);
        } else {
            if starts {
                rest(row);
            }
            row.state = DesktopState::Ready;
        }
    })
    .await
    .map(drop)
}

async fn stop(broker: &Broker, desktop: &Desktop, power: Power) -> Result<Step, BrokerError> {
    // A guest that panicked is off already, and its host goes on saying why. A cloud says so of what it could not make.
    let mut is_off = power == Power::Off;
    if power == Power::Crashed && !broker.host_of(desktop).await?.is_cloud() {
        broker.acting_host(desktop).await?.power_off(desktop.id).await?;
        is_off = true;
    }
    if is_off {
        give_back(broker, desktop).await?;
        advance_to_start(broker, desktop, |row, open| {
            if open && matches!(row.intent, DesktopIntent::Restart | DesktopIntent::Running) {
                row.intent = DesktopIntent::Running;
                enter_starting(row);
            } else {
                rest(row);
                row.state = DesktopState::Stopped;
                row.step = None;
                row.failure = None;
                row.facts.cut = false;
            }
        })
        .await?;
        return Ok(Step::Moving);
    }
    if desktop.state == DesktopState::Stopping {
        let patience = match desktop.intent {
            // What it has not written yet would not be in the image.
            DesktopIntent::Capture => SEALED_SHUT_DOWN_SECONDS_MAX,
            _ => SHUT_DOWN_SECONDS_MAX,
        };
        if desktop.facts.cut || seconds_since(desktop.changed) > patience as f64 {
            broker.acting_host(desktop).await?.power_off(desktop.id).await?;
        }
        return Ok(Step::Waiting);
    }
    if let Some(sessions) = broker.sessions() {
        let drain = broker.drain_of(&broker.find_pool(&desktop.pool.to_string()).await?).await?;
        let what = match (drain, desktop.intent) {
            (_, DesktopIntent::Capture) => "is being made into an image".to_owned(),
            (Some(drain), _) => format!("is shut down, as its host is in maintenance{}", drain.because()),
            (None, DesktopIntent::Restart) => "is restarting".to_owned(),
            (None, _) => "is being switched off".to_owned(),
        };
        sessions.end_desktop(desktop.id, &format!("{} {what}", desktop.name)).await;
    }
    // A guest that is still booting does not hear a request to shut down.
    if desktop.state == DesktopState::Starting || desktop.facts.cut {
        broker.acting_host(desktop).await?.power_off(desktop.id).await?;
    } else {
        broker.acting_host(desktop).await?.shut_down(desktop.id).await?;
    }
    advance(broker, desktop, |row| {
        row.state = DesktopState::Stopping;
        row.step = None;
        row.failure = None;
    })
    .await?;
    fault::point("desktop.stopping");
    Ok(Step::Waiting)
}

/// What was asked for is done: from now on the desktop shall run, unless somebody asked for something else meanwhile.
fn settle(row: &mut Desktop, asked: DesktopIntent) {
    if row.intent == asked {
        row.intent = DesktopIntent::Running;
    }
}

/// Another try for a desktop that failed or was off.
async fn restart(broker: &Broker, desktop: &Desktop, found: Option<&Observed>) -> Result<Step, BrokerError> {
    let found = found.filter(|found| found.generation == desktop.generation);
    let has_disk = found.is_some_and(|found| found.disk);
    broker.acting_host(desktop).await?.power_off(desktop.id).await?;
    if has_disk && !found.is_some_and(|found| found.seed) {
        // It failed between the two. Without its seed it would start as nobody's machine, that lets nobody in.
        let (spec, _) = describe(broker, desktop).await?;
        let identity = broker.guest_identity(desktop).await?;
        broker.acting_host(desktop).await?.write_seed(&spec, &identity).await?;
    }
    advance_to_start(broker, desktop, |row, open| {
        settle(row, DesktopIntent::Restart);
        if !open {
            rest(row);
        } else if has_disk {
            enter_starting(row);
        } else {
            // It never got as far as a disk: from the beginning.
            row.failure = None;
            row.state = DesktopState::Requested;
            row.step = Some(StartStep::Placing);
        }
    })
    .await?;
    Ok(Step::Moving)
}

async fn recycle(broker: &Broker, desktop: &Desktop, power: Power) -> Result<Step, BrokerError> {
    if let Some(sessions) = broker.sessions() {
        let what = match desktop.facts.next {
            Some(_) => "gets a new version of its system and is being made anew; come back in a few minutes",
            None => "is being made anew",
        };
        sessions.end_desktop(desktop.id, &format!("{} {what}", desktop.name)).await;
    }
    if desktop.host.is_none() {
        advance(broker, desktop, |row| {
            settle(row, DesktopIntent::Recycle);
            row.state = DesktopState::Requested;
        })
        .await?;
        return Ok(Step::Moving);
    }
    if desktop.state != DesktopState::Recycling {
        ask_to_end(broker, desktop, power).await?;
        advance(broker, desktop, |row| {
            row.state = DesktopState::Recycling;
            row.failure = None;
            row.step = Some(StartStep::Placing);
        })
        .await?;
        fault::point("desktop.recycling");
        return Ok(Step::Moving);
    }
    if still_ends(desktop, power) {
        return Ok(Step::Waiting);
    }
    switch_off(broker, desktop).await?;
    give_back(broker, desktop).await?;
    choose_generation(broker, desktop).await
}

/// A machine that goes with its person's disk in it is shut down first: what was written last is to be on the disk.
async fn ask_to_end(broker: &Broker, desktop: &Desktop, power: Power) -> Result<(), BrokerError> {
    if power == Power::Running && desktop.facts.disk_of.is_some() {
        broker.acting_host(desktop).await?.shut_down(desktop.id).await?;
    }
    Ok(())
}

/// It was asked a moment ago.
fn still_ends(desktop: &Desktop, power: Power) -> bool {
    power == Power::Running
        && desktop.facts.disk_of.is_some()
        && seconds_since(desktop.changed) < SHUT_DOWN_SECONDS_MAX as f64
}

/// Before it is removed. A cloud switches off what it deletes, and asking it twice takes longer.
async fn switch_off(broker: &Broker, desktop: &Desktop) -> Result<(), BrokerError> {
    let host = broker.acting_host(desktop).await?;
    if !host.is_cloud() {
        host.power_off(desktop.id).await?;
    }
    Ok(())
}

async fn delete(broker: &Broker, desktop: &Desktop, power: Power) -> Result<Step, BrokerError> {
    if desktop.state != DesktopState::Deleting {
        ask_to_end(broker, desktop, power).await?;
        advance(broker, desktop, |row| {
            row.state = DesktopState::Deleting;
            row.step = None;
        })
        .await?;
        return Ok(Step::Moving);
    }
    if let Some(sessions) = broker.sessions() {
        sessions.end_desktop(desktop.id, &format!("{} was deleted", desktop.name)).await;
    }
    if still_ends(desktop, power) {
        return Ok(Step::Waiting);
    }
    switch_off(broker, desktop).await?;
    give_back(broker, desktop).await?;
    broker.acting_host(desktop).await?.remove(desktop.id, None).await?;
    fault::point("desktop.removed");
    broker.inner.store.delete_desktop(desktop.id).await?;
    Ok(Step::Moving)
}
