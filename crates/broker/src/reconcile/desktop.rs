//! Moves desktops along their life (`oriel_model::Desktop` draws it), one idempotent step a round.
//!
//! Every step first makes something true in the world and then says so in the row: a kill in between only means that the
//! step is taken again. What exists in the world without a row that wants it is removed.

use super::{
    Again, Reconciler, Round,
    look::{Look, Wanted},
};
use crate::clock::now;
use crate::{Broker, BrokerError, fault};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use oriel_compute::{Observed, Power};
use oriel_machine::{Boot, GuestIdentity, Keyboard, MachineSpec};
use oriel_model::{
    Desktop, DesktopFacts, DesktopId, DesktopIntent, DesktopState, GuestPort, Image, ImageSource, Micros, Network,
    PoolKind, StartStep,
};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Desktops worked on at once.
const PARALLEL_MAX: usize = 4;
/// A guest that has not answered for so long has failed. Software emulation is slow, and a first boot does more.
const START_SECONDS_MAX: i64 = 900;
/// A guest that has not even greeted on SSH for so long hangs in its boot: it is switched off and on, a few times at most.
const BOOT_SECONDS_MAX: i64 = 180;
const BOOTS_MAX: u32 = 3;
/// A guest that does not shut down in this time is switched off.
const SHUT_DOWN_SECONDS_MAX: i64 = 60;
/// Rounds in a row in which the same desktop's step may fail before it is called failed.
const FAILURES_MAX: u32 = 5;

#[derive(Default)]
pub(super) struct Desktops {
    /// Rounds in a row in which a desktop's step failed.
    failures: HashMap<DesktopId, u32>,
    look: Look,
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
        match self.look.wanted(broker, heard, used.clone()).await? {
            Wanted::Some(rows, observed) => self.step_all(broker, rows, &observed, &used, &mut tally).await?,
            Wanted::All => self.look_at_all(broker, &used, &mut tally).await?,
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

/// What a round came to.
#[derive(Default)]
struct Tally {
    moving: usize,
    waiting: usize,
}

impl Desktops {
    async fn look_at_all(
        &mut self,
        broker: &Broker,
        used: &BTreeSet<DesktopId>,
        tally: &mut Tally,
    ) -> Result<(), BrokerError> {
        let began = now();
        // The world first: a desktop made after this look is not taken for an orphan.
        let observed = broker.inner.compute.list().await?;
        let seen: HashMap<DesktopId, Observed> = observed.into_iter().map(|found| (found.desktop, found)).collect();
        let mut orphans: BTreeSet<DesktopId> = seen.keys().copied().collect();
        self.total = 0;
        // A pool at a time: of many thousands not all are held at once. Others' machines have no life that Oriel could move along.
        for pool in broker.inner.store.pools().await?.iter().filter(|pool| pool.kind != PoolKind::External) {
            let rows = broker.inner.store.desktops_in_pool(pool.id).await?;
            self.total += rows.len();
            for row in &rows {
                orphans.remove(&row.id);
            }
            self.step_all(broker, rows, &seen, used, tally).await?;
        }
        for id in orphans {
            // A pool that was made and filled meanwhile was not looked at.
            if broker.inner.store.desktop(id).await?.is_none() {
                tracing::info!(desktop = %id, "Removing what is left of a desktop that is gone");
                broker.host()?.remove(id, None).await?;
            }
        }
        self.look.saw_all(began, self.total);
        Ok(())
    }

    async fn step_all(
        &mut self,
        broker: &Broker,
        rows: Vec<Desktop>,
        seen: &HashMap<DesktopId, Observed>,
        used: &BTreeSet<DesktopId>,
        tally: &mut Tally,
    ) -> Result<(), BrokerError> {
        let parallel = broker.inner.parallel.get().copied().unwrap_or(PARALLEL_MAX);
        let steps = rows.into_iter().filter(|desktop| desktop.external.is_none()).map(|desktop| {
            let found = seen.get(&desktop.id);
            async move {
                let outcome = match broker.lead().await {
                    Ok(true) => step(broker, &desktop, found, used.contains(&desktop.id)).await,
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
                    let count = self.failures.get(&desktop.id).copied().unwrap_or(0) + 1;
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
enum Step {
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
    match (desktop.intent, desktop.state) {
        (DesktopIntent::Deleted, _) => delete(broker, desktop).await,
        (DesktopIntent::Recycle, _) => recycle(broker, desktop).await,
        (DesktopIntent::Stopped | DesktopIntent::Restart, state) if was_started(state) => {
            stop(broker, desktop, power).await
        }
        (DesktopIntent::Restart, DesktopState::Failed | DesktopState::Stopped) => restart(broker, desktop, found).await,
        // A desktop that was told to stop before it was there goes on until it can.
        (_, DesktopState::Requested) => place(broker, desktop).await,
        (_, DesktopState::Placed | DesktopState::Recycling) => choose_generation(broker, desktop).await,
        (_, DesktopState::Provisioning) => provision(broker, desktop).await,
        (_, DesktopState::Starting) => start(broker, desktop, power).await,
        (_, DesktopState::Ready | DesktopState::InUse) => watch(broker, desktop, power, used).await,
        (_, DesktopState::Stopping) => stop(broker, desktop, power).await,
        (DesktopIntent::Running, DesktopState::Stopped) => {
            advance(broker, desktop, enter_starting).await?;
            Ok(Step::Moving)
        }
        (_, DesktopState::Stopped) if power == Power::Running => {
            // Somebody started it with other tools: it is theirs to use.
            advance(broker, desktop, |d| {
                d.intent = DesktopIntent::Running;
                enter_starting(d);
            })
            .await?;
            Ok(Step::Moving)
        }
        (_, DesktopState::Failed) if power == Power::Off => {
            broker.give_back_gpus(desktop.id).await?;
            Ok(Step::Settled)
        }
        (_, DesktopState::Stopped | DesktopState::Failed | DesktopState::Deleting | DesktopState::Unreachable) => {
            Ok(Step::Settled)
        }
    }
}

const fn was_started(state: DesktopState) -> bool {
    matches!(state, DesktopState::Starting | DesktopState::Ready | DesktopState::InUse | DesktopState::Stopping)
}

fn enter_starting(desktop: &mut Desktop) {
    desktop.state = DesktopState::Starting;
    desktop.step = Some(StartStep::Booting);
    desktop.failure = None;
    desktop.facts.started = None;
    desktop.facts.start_seconds = None;
    desktop.facts.ready = None;
    desktop.facts.boots = 0;
}

/// Writes a step down, unless the row has moved on since it was read.
async fn advance(
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
    if written.state != state {
        tracing::info!(desktop = %written.name, from = state.word(), to = written.state.word(), "Desktop moved on");
    }
    Ok(written)
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
    let host = broker.inner.compute.name().to_owned();
    if pool.network == Network::User && desktop.port_base.is_none() {
        claim_ports(broker, desktop).await?;
    }
    advance(broker, desktop, |row| {
        row.host = Some(host);
        row.state = DesktopState::Placed;
        row.step = Some(StartStep::Placing);
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
async fn change_lost_ports(broker: &Broker, desktop: &Desktop, network: &Network) -> Result<bool, BrokerError> {
    if *network != Network::User {
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
    let name = desktop.name.clone();
    let identity = tokio::task::spawn_blocking(move || GuestIdentity::generate(&name, owner.as_deref()))
        .await
        .map_err(|error| BrokerError::internal("making a guest's keys", error))?
        .map_err(|error| BrokerError::internal("making a guest's keys", error))?;
    broker.keep_guest_identity(desktop.id, &identity).await?;
    fault::point("desktop.secret_kept");
    let accelerator = broker.inner.accelerator.clone();
    advance(broker, desktop, |row| {
        // Only now: what is wiped is given to nobody, nor started again, as what it was.
        settle(row, DesktopIntent::Recycle);
        row.generation += 1;
        row.state = DesktopState::Provisioning;
        row.step = Some(StartStep::Cloning);
        row.facts = DesktopFacts {
            image: pool.image,
            accelerator: Some(accelerator.kind.word().to_owned()),
            accelerator_reason: Some(accelerator.reason),
            ssh_host_key: Some(identity.ssh_host_public.clone()),
            rdp_certificate_sha256: Some(identity.rdp_certificate_sha256.clone()),
            guest_user: Some(identity.user.clone()),
            seat: row.facts.seat,
            ..DesktopFacts::default()
        };
    })
    .await?;
    fault::point("desktop.generation_chosen");
    Ok(Step::Moving)
}

async fn provision(broker: &Broker, desktop: &Desktop) -> Result<Step, BrokerError> {
    let (spec, image) = describe(broker, desktop).await?;
    broker.host()?.remove(desktop.id, Some(desktop.generation)).await?;
    broker.host()?.clone_disk(&spec, &broker.inner.images.path(&image.sha256)?).await?;
    fault::point("desktop.cloned");
    let identity = broker.guest_identity(desktop).await?;
    broker.host()?.write_seed(&spec, &identity).await?;
    fault::point("desktop.seeded");
    broker.host()?.define(&spec).await?;
    fault::point("desktop.defined");
    advance(broker, desktop, enter_starting).await?;
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
    let spec = MachineSpec {
        desktop: desktop.id,
        generation: desktop.generation,
        name: desktop.name.clone(),
        title: format!("{} (Oriel pool {})", desktop.name, pool.name),
        os: image.os,
        arch: broker.check_arch(&image)?,
        boot: Boot::Disk,
        vcpus: pool.vcpus,
        memory_mib: pool.memory_mib,
        disk_gib: pool.disk_gib,
        accelerator: broker.inner.accelerator.kind,
        network: pool.network,
        port_base: desktop.port_base,
        keyboard,
        gpus: Vec::new(),
        hardware: pool.hardware,
    };
    Ok((spec, image))
}

/// Claims and makes what the desktop shall hold of GPUs, before its machine starts.
async fn hold_gpus(broker: &Broker, desktop: &Desktop, spec: &mut MachineSpec) -> Result<(), BrokerError> {
    let pool = broker.find_pool(&desktop.pool.to_string()).await?;
    spec.gpus = broker.hold_gpus(desktop, &pool).await?;
    Ok(())
}

async fn start(broker: &Broker, desktop: &Desktop, power: Power) -> Result<Step, BrokerError> {
    let (mut spec, image) = describe(broker, desktop).await?;
    if matches!(power, Power::Off | Power::Crashed) && change_lost_ports(broker, desktop, &spec.network).await? {
        return Ok(Step::Moving);
    }
    if power != Power::Running {
        match hold_gpus(broker, desktop, &mut spec).await {
            // Waiting would look like a slow start: the person is told what is in the way, and may try again.
            Err(BrokerError::Conflict { code: "no_gpu", text, next_step }) => {
                fail(broker, desktop.id, &format!("{text}; {next_step}")).await?;
                return Ok(Step::Settled);
            }
            held => held?,
        }
        // Defining again is free and brings back a domain that somebody undefined.
        broker.host()?.define(&spec).await?;
        broker.host()?.start(&spec).await?;
        fault::point("desktop.started");
    }
    let Some(started) = desktop.facts.started else {
        advance(broker, desktop, |row| {
            row.facts.started = Some(now());
            row.facts.boots += 1;
            row.step = Some(StartStep::Booting);
        })
        .await?;
        return Ok(Step::Moving);
    };
    // An imported image may never speak RDP: its console is there as soon as it runs.
    let imported = matches!(image.source, ImageSource::Imported { .. });
    let answers = imported || broker.inner.compute.answers(desktop, GuestPort::Rdp).await;
    let seconds = seconds_since(started);
    if answers {
        advance(broker, desktop, |row| {
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
        // A desktop environment takes its time to start, in software emulation a minute: it starts before somebody waits.
        if let (Some(sessions), Some(owner), false) = (broker.sessions(), desktop.owner, imported) {
            sessions.prelaunch(owner, desktop.id);
        }
        return Ok(Step::Moving);
    }
    if seconds > START_SECONDS_MAX as f64 {
        let text = format!(
            "{} did not answer on RDP within {START_SECONDS_MAX} seconds; open its console to see why, then restart it",
            desktop.name
        );
        fail(broker, desktop.id, &text).await?;
        return Ok(Step::Settled);
    }
    if desktop.step == Some(StartStep::Booting) {
        if broker.inner.compute.answers(desktop, GuestPort::Ssh).await {
            advance(broker, desktop, |row| row.step = Some(StartStep::WaitingForRdp)).await?;
        } else if seconds > BOOT_SECONDS_MAX as f64 && desktop.facts.boots < BOOTS_MAX {
            tracing::warn!(desktop = %desktop.name, seconds, "The guest hangs in its boot; switching it off and on");
            broker.host()?.power_off(desktop.id).await?;
            advance(broker, desktop, |row| row.facts.started = None).await?;
        }
    }
    Ok(Step::Waiting)
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
            advance(broker, desktop, enter_starting).await?;
            Ok(Step::Moving)
        }
        Power::Off => {
            broker.give_back_gpus(desktop.id).await?;
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

async fn stop(broker: &Broker, desktop: &Desktop, power: Power) -> Result<Step, BrokerError> {
    if power == Power::Off {
        broker.give_back_gpus(desktop.id).await?;
        advance(broker, desktop, |row| {
            if row.intent == DesktopIntent::Restart || row.intent == DesktopIntent::Running {
                row.intent = DesktopIntent::Running;
                enter_starting(row);
            } else {
                row.state = DesktopState::Stopped;
                row.step = None;
            }
        })
        .await?;
        return Ok(Step::Moving);
    }
    if desktop.state == DesktopState::Stopping {
        if seconds_since(desktop.changed) > SHUT_DOWN_SECONDS_MAX as f64 {
            broker.host()?.power_off(desktop.id).await?;
        }
        return Ok(Step::Waiting);
    }
    if let Some(sessions) = broker.sessions() {
        let what = if desktop.intent == DesktopIntent::Restart { "is restarting" } else { "is being switched off" };
        sessions.end_desktop(desktop.id, &format!("{} {what}", desktop.name)).await;
    }
    // A guest that is still booting does not hear a request to shut down.
    if desktop.state == DesktopState::Starting {
        broker.host()?.power_off(desktop.id).await?;
    } else {
        broker.host()?.shut_down(desktop.id).await?;
    }
    advance(broker, desktop, |row| {
        row.state = DesktopState::Stopping;
        row.step = None;
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
    broker.host()?.power_off(desktop.id).await?;
    if has_disk && !found.is_some_and(|found| found.seed) {
        // It failed between the two. Without its seed it would start as nobody's machine, that lets nobody in.
        let (spec, _) = describe(broker, desktop).await?;
        let identity = broker.guest_identity(desktop).await?;
        broker.host()?.write_seed(&spec, &identity).await?;
    }
    advance(broker, desktop, |row| {
        settle(row, DesktopIntent::Restart);
        if has_disk {
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

async fn recycle(broker: &Broker, desktop: &Desktop) -> Result<Step, BrokerError> {
    if let Some(sessions) = broker.sessions() {
        sessions.end_desktop(desktop.id, &format!("{} is being made anew", desktop.name)).await;
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
        advance(broker, desktop, |row| {
            row.state = DesktopState::Recycling;
            row.failure = None;
            row.step = Some(StartStep::Placing);
        })
        .await?;
        fault::point("desktop.recycling");
        return Ok(Step::Moving);
    }
    broker.host()?.power_off(desktop.id).await?;
    broker.give_back_gpus(desktop.id).await?;
    choose_generation(broker, desktop).await
}

async fn delete(broker: &Broker, desktop: &Desktop) -> Result<Step, BrokerError> {
    if desktop.state != DesktopState::Deleting {
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
    broker.host()?.power_off(desktop.id).await?;
    broker.give_back_gpus(desktop.id).await?;
    broker.host()?.remove(desktop.id, None).await?;
    fault::point("desktop.removed");
    broker.inner.store.delete_desktop(desktop.id).await?;
    Ok(Step::Moving)
}
