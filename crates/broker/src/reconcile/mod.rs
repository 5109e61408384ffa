//! Reconcilers: each reads what is wanted and what is there, and takes one idempotent step per thing.
//!
//! A reconciler takes no input. A signal or a timer only says "look again": the same code runs in the happy case, after a
//! fault and after a restart. Nothing retries inside; the next round does. Every reconciler's last run and error can be
//! seen ([`ReconcilerStatus`]).

mod account;
mod asked_back;
mod boot;
mod desktop;
mod directory;
mod external;
mod gpu;
mod gpu_mode;
mod gpu_turn;
mod heard;
mod history;
mod hold;
mod look;
mod maintenance;
mod moving;
mod operation;
mod pool;
mod power;
mod presence;
mod reaper;
mod recording;
pub(crate) mod rollout;
mod seal_key;
mod subscription;
pub(crate) mod upkeep;
mod world;

use crate::clock::now;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_model::{DesktopId, Micros, PoolId, Syslog, Webhook};
use oriel_trace::Instrument as _;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subscription::Subscribers;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// One reconciler.
#[async_trait]
trait Reconciler: Send {
    fn name(&self) -> &'static str;
    /// How often it looks when nothing wakes it, as things stand.
    fn period(&self) -> Duration;
    /// Whether only the program that leads may run it.
    fn leads(&self) -> bool {
        false
    }
    /// Looks once and takes what steps it can.
    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError>;
    /// Another program did it meanwhile: what was known is known no longer.
    fn forget(&mut self) {}
}

/// What a round came to.
struct Round {
    again: Again,
    /// One line for people.
    summary: String,
}

/// How soon a program that does not lead looks whether it may.
const LEAD_EVERY: Duration = Duration::from_secs(5);

/// One round, where it is this program's.
async fn round(broker: &Broker, reconciler: &mut dyn Reconciler) -> Result<Round, BrokerError> {
    if reconciler.leads() && !broker.lead().await? {
        reconciler.forget();
        return Ok(Round { again: Again::NotMine, summary: "another program on this database does it".to_owned() });
    }
    reconciler.run(broker).await
}

/// A reconciler that somebody runs by hand, a round at a time: a simulation, a benchmark.
pub struct ByHand {
    broker: Broker,
    reconciler: Box<dyn Reconciler>,
}

impl ByHand {
    /// Looks once and takes what steps it can. Answers what it came to, and whether something is on its way.
    pub async fn round(&mut self) -> Result<(String, bool), BrokerError> {
        let round = round(&self.broker, &mut *self.reconciler).await?;
        Ok((round.summary, !matches!(round.again, Again::Later | Again::NotMine)))
    }
}

/// When to look again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// A step was taken and another may follow.
    Now,
    /// Something needs a moment.
    Soon,
    /// Nothing is on its way: at the next signal or period.
    Later,
    /// Another program does it: look now and then whether that is still so.
    NotMine,
}

/// How often a reconciler looks that waits for something.
const SOON: Duration = Duration::from_millis(700);
/// Between steps that follow each other: a mistake in a state machine must not become a busy loop.
const NOW: Duration = Duration::from_millis(20);

/// What is known of a reconciler.
#[derive(Clone, Debug, PartialEq)]
pub struct ReconcilerStatus {
    pub name: &'static str,
    pub period: Duration,
    pub last_run: Option<Micros>,
    pub last_duration: Duration,
    /// Of all rounds together.
    pub spent: Duration,
    /// Of the last round; `None` when it went well.
    pub last_error: Option<String>,
    pub runs: u64,
    pub progress: String,
}

/// Bells to wake reconcilers, and what they last did.
#[derive(Default)]
pub(crate) struct Board {
    accounts: Notify,
    desktops: Notify,
    pools: Notify,
    presence: Notify,
    machines: Notify,
    maintenance: Notify,
    operations: Notify,
    recordings: Notify,
    syslogs: Notify,
    webhooks: Notify,
    gpu_turns: Notify,
    status: Mutex<BTreeMap<&'static str, ReconcilerStatus>>,
    pub(crate) heard: heard::Heard,
}

impl Broker {
    /// Starts all reconcilers; they end when `stop` is cancelled, each after its current step.
    pub fn start_reconcilers(&self, stop: &CancellationToken, tasks: &TaskTracker) {
        tasks.spawn(keep_running(self.clone(), desktop::Desktops::default(), stop.clone()));
        tasks.spawn(keep_running(
            self.clone(),
            operation::Operations::new(stop.child_token(), tasks.clone()),
            stop.clone(),
        ));
        tasks.spawn(keep_running(self.clone(), pool::Pools::default(), stop.clone()));
        tasks.spawn(keep_running(self.clone(), presence::Presence::default(), stop.clone()));
        tasks.spawn(keep_running(self.clone(), maintenance::Maintenances::default(), stop.clone()));
        tasks.spawn(keep_running(self.clone(), account::Accounts, stop.clone()));
        tasks.spawn(keep_running(self.clone(), external::Machines::default(), stop.clone()));
        tasks.spawn(keep_running(self.clone(), power::Power::default(), stop.clone()));
        tasks.spawn(keep_running(self.clone(), gpu::Gpus, stop.clone()));
        tasks.spawn(keep_running(self.clone(), gpu_mode::GpuModes::default(), stop.clone()));
        tasks.spawn(keep_running(self.clone(), gpu_turn::GpuTurns::default(), stop.clone()));
        tasks.spawn(keep_running(self.clone(), recording::Recordings::default(), stop.clone()));
        tasks.spawn(keep_running(self.clone(), recording::OldRecordings, stop.clone()));
        tasks.spawn(keep_running(self.clone(), moving::Moves::default(), stop.clone()));
        tasks.spawn(keep_running(self.clone(), directory::Directories, stop.clone()));
        tasks.spawn(keep_running(self.clone(), Subscribers::<Syslog>::new(tasks.clone()), stop.clone()));
        tasks.spawn(keep_running(self.clone(), Subscribers::<Webhook>::new(tasks.clone()), stop.clone()));
        tasks.spawn(keep_running(self.clone(), history::History, stop.clone()));
        tasks.spawn(keep_running(self.clone(), reaper::Reaper, stop.clone()));
        tasks.spawn(keep_running(self.clone(), seal_key::SealKeys, stop.clone()));
    }

    /// The reconciler `accounts`, `desktops`, `directories`, `gpus`, `history`, `pools`, `presence` or `webhooks`, to be run by hand instead.
    pub fn by_hand(&self, name: &str) -> Option<ByHand> {
        let reconciler: Box<dyn Reconciler> = match name {
            "accounts" => Box::new(account::Accounts),
            "desktops" => Box::new(desktop::Desktops::default()),
            "directories" => Box::new(directory::Directories),
            "gpus" => Box::new(gpu::Gpus),
            "history" => Box::new(history::History),
            "pools" => Box::new(pool::Pools::default()),
            "presence" => Box::new(presence::Presence::default()),
            "webhooks" => Box::new(Subscribers::<Webhook>::new(TaskTracker::new())),
            _ => return None,
        };
        Some(ByHand { broker: self.clone(), reconciler })
    }

    pub fn reconcilers(&self) -> Vec<ReconcilerStatus> {
        self.inner.reconcilers.status.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Something changed of this desktop, or is wanted of it.
    pub(crate) fn wake_desktop(&self, id: DesktopId) {
        self.inner.reconcilers.heard.desktop(id);
        self.inner.reconcilers.desktops.notify_one();
    }

    /// Nobody knows of which: all are looked at.
    pub(crate) fn wake_desktops(&self) {
        self.inner.reconcilers.heard.all_desktops();
        self.inner.reconcilers.desktops.notify_one();
    }

    /// Something changed of this pool or of one of its desktops.
    pub(crate) fn wake_pool(&self, id: PoolId) {
        self.inner.reconcilers.heard.pool(id);
        self.inner.reconcilers.pools.notify_one();
    }

    /// Nobody knows of which: all are looked at.
    pub(crate) fn wake_pools(&self) {
        self.inner.reconcilers.heard.all_pools();
        self.inner.reconcilers.pools.notify_one();
    }

    pub(crate) fn wake_maintenance(&self) {
        self.inner.reconcilers.maintenance.notify_one();
    }

    /// Somebody has, or has no longer, a place on a session host.
    pub(crate) fn wake_accounts(&self) {
        self.inner.reconcilers.accounts.notify_one();
    }

    pub(crate) fn wake_machines(&self) {
        self.inner.reconcilers.machines.notify_one();
    }

    pub(crate) fn wake_operations(&self) {
        self.inner.reconcilers.operations.notify_one();
    }

    /// A time plan has changed, or a card.
    pub(crate) fn wake_gpu_turns(&self) {
        self.inner.reconcilers.gpu_turns.notify_one();
    }

    pub(crate) fn wake_recordings(&self) {
        self.inner.reconcilers.recordings.notify_one();
    }

    /// The audit has a new row, or one that was told of the last ones is there for the next.
    pub(crate) fn wake_subscribers(&self) {
        self.inner.reconcilers.syslogs.notify_one();
        self.inner.reconcilers.webhooks.notify_one();
    }

    /// The gateway says that connections came or went.
    pub fn connections_changed(&self) {
        self.inner.reconcilers.presence.notify_one();
        // Which desktops those are it asks the gateway.
        self.inner.reconcilers.desktops.notify_one();
        self.wake_machines();
    }

    fn bell(&self, name: &str) -> Option<&Notify> {
        match name {
            "accounts" => Some(&self.inner.reconcilers.accounts),
            "desktops" => Some(&self.inner.reconcilers.desktops),
            "pools" => Some(&self.inner.reconcilers.pools),
            "presence" => Some(&self.inner.reconcilers.presence),
            "machines" => Some(&self.inner.reconcilers.machines),
            "maintenance" => Some(&self.inner.reconcilers.maintenance),
            "operations" => Some(&self.inner.reconcilers.operations),
            "recordings" => Some(&self.inner.reconcilers.recordings),
            "syslogs" => Some(&self.inner.reconcilers.syslogs),
            "webhooks" => Some(&self.inner.reconcilers.webhooks),
            "gpu turns" => Some(&self.inner.reconcilers.gpu_turns),
            _ => None,
        }
    }
}

async fn keep_running(broker: Broker, mut reconciler: impl Reconciler, stop: CancellationToken) {
    let name = reconciler.name();
    let mut status = ReconcilerStatus {
        name,
        period: reconciler.period(),
        last_run: None,
        last_duration: Duration::ZERO,
        spent: Duration::ZERO,
        last_error: None,
        runs: 0,
        progress: String::new(),
    };
    loop {
        let began = Instant::now();
        let label = format!("reconcile {name}");
        let span = oriel_trace::root!("round", otel.name = label.as_str());
        oriel_trace::begin(&span, None);
        let round = round(&broker, &mut reconciler).instrument(span).await;
        status.last_run = Some(now());
        status.last_duration = began.elapsed();
        status.spent += status.last_duration;
        status.runs += 1;
        let again = match round {
            Ok(round) => {
                status.last_error = None;
                status.progress = round.summary;
                round.again
            }
            Err(error) => {
                let text = error.to_string();
                // The same trouble every few seconds is one line in the log.
                if status.last_error.as_ref() != Some(&text) {
                    tracing::warn!(reconciler = name, error = %chain(&error), "Reconciling failed; trying again");
                }
                status.last_error = Some(text);
                Again::Later
            }
        };
        // It may have changed its mind: one that fails again and again looks ever more rarely.
        status.period = reconciler.period();
        broker.inner.reconcilers.status.lock().unwrap_or_else(PoisonError::into_inner).insert(name, status.clone());
        let wait = match again {
            Again::Now => NOW,
            Again::Soon => SOON,
            Again::Later => status.period,
            Again::NotMine => LEAD_EVERY,
        };
        let bell = async {
            match broker.bell(name) {
                Some(bell) => bell.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = bell => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
