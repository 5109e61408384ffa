//! A deterministic simulation of the broker: its real code and its real store, on a database and a host in memory.
//!
//! One seed is one run of one world: two programs share a database and a host; people ask for desktops; calls rest, fail, or are
//! done without an answer; programs are killed between any two steps, or sleep until their lease is over and go on. After every step
//! [`check`] looks whether something was given away twice. Then the storm ends, and everything must come to what was asked
//! for, with nothing left over.

mod actor;
mod chance;
mod check;
mod host;
mod people;
mod stage;
mod world;

pub use oriel_store::seam::Plant;
pub use stage::Tally;

use oriel_identity::Vault;
use oriel_model::{DesktopIntent, DesktopState};
use oriel_store::{Store, seam};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use world::{Ground, World};

/// Steps of a storm.
const STEPS: u64 = 140;
/// Failing seeds after which a run of many ends.
const FAILURES_MAX: usize = 5;

/// A seed whose run broke something.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Broken {
    pub seed: u64,
    pub what: String,
    /// What happened until then, when it was asked for.
    pub log: Vec<String>,
}

/// What many runs came to.
#[derive(Debug, Default, serde::Serialize)]
pub struct Summary {
    pub seeds: u64,
    pub failed: Vec<Broken>,
    pub tally: Tally,
    pub seconds: f64,
}

/// Runs seeds on one thread, one after the other.
pub struct Theatre {
    runtime: tokio::runtime::Runtime,
    ground: Ground,
    plant: Option<Plant>,
}

impl Theatre {
    /// With a mistake in it, to see whether it is noticed.
    pub fn new(plant: Option<Plant>) -> anyhow::Result<Self> {
        // Nothing of a world does input or output: without that driver a thread that waits for its database sleeps and wakes more cheaply.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let folder = tempfile::tempdir()?;
        let vault = Vault::load(folder.path())?;
        let store = runtime.block_on(Store::in_memory(move |sql| without(plant, sql)))?;
        Ok(Self { runtime, ground: Ground { store, vault, folder }, plant })
    }

    /// One run. With `log`, a failure says what happened until then.
    pub fn play(&self, seed: u64, log: bool) -> Result<Tally, Broken> {
        stage::begin(seed, log);
        seam::plant(self.plant);
        let went = self.runtime.block_on(perform(&self.ground));
        let log = stage::with(stage::Stage::take_log);
        seam::plant(None);
        let tally = stage::end();
        went.map(|()| tally).map_err(|what| Broken { seed, what, log })
    }
}

/// The schema without the constraint that the mistake leaves out.
fn without(plant: Option<Plant>, sql: &str) -> String {
    match plant {
        Some(Plant::NoSeatKey) => sql.replace("CREATE UNIQUE INDEX desktop_by_seat", "CREATE INDEX desktop_by_seat"),
        Some(Plant::NoPortFence) => sql.replace(",\n    UNIQUE (host, port_base)", ""),
        _ => sql.to_owned(),
    }
}

async fn perform(ground: &Ground) -> Result<(), String> {
    let mut world = World::new(ground).await.map_err(|error| format!("making the world: {error:#}"))?;
    for _ in 0..STEPS {
        world.step().await?;
        check::always(&world).await?;
    }
    world.calm().await?;
    world.converge().await?;
    // Long enough for everybody to be gone for good, and for what failed to be replaced.
    world::wait(900);
    world.converge().await?;
    // Those that faults made fail are tried again, as a person would: all of them at once.
    world.lift_quota().await.map_err(|error| error.to_string())?;
    for desktop in world.desktops().await? {
        if desktop.state == DesktopState::Failed {
            world.ask(&desktop, DesktopIntent::Running).await.map_err(|error| error.to_string())?;
        }
    }
    world.converge().await?;
    world::wait(300);
    world.converge().await?;
    check::always(&world).await?;
    check::at_rest(&world).await?;
    world.keep_nothing_ready().await.map_err(|error| error.to_string())?;
    for desktop in world.desktops().await? {
        world.ask(&desktop, DesktopIntent::Deleted).await.map_err(|error| error.to_string())?;
    }
    world.converge().await?;
    check::empty(&world).await
}

/// Keeps this thread and its database's on one processor: they take turns, and waking each other across two takes longer than most
/// of what they do.
fn stay_on(thread: usize) {
    let Ok(may) = sched_getaffinity(None) else { return };
    let own: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| may.is_set(*cpu)).collect();
    let mut one = CpuSet::new();
    if let Some(cpu) = thread.checked_rem(own.len()).and_then(|place| own.get(place)) {
        one.set(*cpu);
        // Where that is not allowed, it is slower.
        sched_setaffinity(None, &one).ok();
    }
}

/// Runs `count` seeds from `first` on, on so many threads; those that have not begun when the limit is over are left out, and the
/// summary says how many ran.
pub fn play_all(
    first: u64,
    count: u64,
    threads: usize,
    limit: Option<Duration>,
    plant: Option<Plant>,
) -> anyhow::Result<Summary> {
    let began = std::time::Instant::now();
    let next = AtomicU64::new(0);
    let enough = AtomicBool::new(false);
    let work = &|| -> anyhow::Result<Summary> {
        let theatre = Theatre::new(plant)?;
        let mut part = Summary::default();
        while !enough.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count || limit.is_some_and(|limit| began.elapsed() >= limit) {
                break;
            }
            part.seeds += 1;
            match theatre.play(first + seed, false) {
                Ok(tally) => part.tally.add(&tally),
                Err(broken) => {
                    // Once more, with its log.
                    part.failed.push(theatre.play(broken.seed, true).err().unwrap_or(broken));
                    enough.store(part.failed.len() >= FAILURES_MAX, Ordering::Relaxed);
                }
            }
        }
        Ok(part)
    };
    let parts: Vec<anyhow::Result<Summary>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.max(1))
            .map(|thread| {
                scope.spawn(move || {
                    stay_on(thread);
                    work()
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut all = Summary::default();
    for part in parts {
        let part = part?;
        all.seeds += part.seeds;
        all.tally.add(&part.tally);
        all.failed.extend(part.failed);
    }
    all.failed.sort_by_key(|broken| broken.seed);
    all.seconds = began.elapsed().as_secs_f64();
    Ok(all)
}
