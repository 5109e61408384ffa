//! A host's GPUs: looked at, carved for desktops, switched. What lies under it is the running host, or a kernel in memory: the
//! fake's GPUs answer as real ones do.
//!
//! Before anything else is done, a switch that a crash cut off is recovered and every mode that was set is made true again
//! (after a reboot the kernel has forgotten). What of that fails is tried again whenever somebody calls [`Gpus::settle`].

mod surroundings;

use crate::ComputeError;
use oriel_gpu::{
    Inventory, Sysfs, assign, doctor, inventory,
    mode::{self, Plan, Progress, ReapplyOutcome, RecoveryOutcome, StateFolder, Wish},
};
use oriel_machine::Surroundings;
use oriel_model::{Finding, GpuAddress, GpuHold, GpuMode, GpuSwitch, GpuUnit};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Mutex as AsyncMutex, OnceCell, mpsc};

/// How long a look at the GPUs is good for, unless we changed something ourselves: drivers' tools take a second and more.
const LOOK_SECONDS: u64 = 3;

/// Steps of a switch that were done and not yet written down.
const STEPS_UNHEARD_MAX: usize = 64;

/// What the operation hears of a switch: the number of the step that begins, how many there are, what it does.
pub type Listener<'a> = &'a (dyn for<'b> Fn(usize, usize, &'b str) + Send + Sync);

/// What became of the modes that were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettledGpus {
    /// GPUs that are as they were set.
    pub settled: usize,
    /// GPUs that will be after a reboot of the host.
    pub after_reboot: Vec<GpuAddress>,
    /// GPUs that have a mode and are not there now.
    pub missing: Vec<GpuAddress>,
    /// Why the others are not, one sentence each.
    pub failed: Vec<String>,
}

/// What a host answers with where [`Compute`](crate::Compute) asks for its GPUs.
pub struct Gpus {
    shared: Arc<Shared>,
    /// The first try to make modes true: nothing is asked before it. What it came to is for who asks first.
    ready: OnceCell<Mutex<Option<Settling>>>,
    /// One change at a time: two desktops that start together would see the same free slice.
    change: AsyncMutex<()>,
}

/// What a try came to. Its error is words already: it is told to whoever asks, later.
type Settling = Result<SettledGpus, String>;

struct Shared {
    sysfs: Arc<dyn Sysfs>,
    /// The modes that were set, and the journals of switches.
    state: PathBuf,
    look: Mutex<Option<(Instant, Arc<Inventory>)>>,
}

impl Gpus {
    /// `state` is made when it is needed.
    pub fn new(sysfs: Arc<dyn Sysfs>, state: PathBuf) -> Self {
        let shared = Shared { sysfs, state, look: Mutex::default() };
        Self { shared: Arc::new(shared), ready: OnceCell::new(), change: AsyncMutex::default() }
    }

    /// Everything here blocks: on files, on drivers' tools, on a kernel that resets a card.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, ComputeError> + Send + 'static,
    ) -> Result<T, ComputeError> {
        self.first_try().await;
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || work(&shared)).await?
    }

    /// What fails here must not keep the host's other GPUs from their desktops: it is told by [`Gpus::settle`].
    async fn first_try(&self) -> &Mutex<Option<Settling>> {
        self.ready.get_or_init(async || Mutex::new(Some(self.try_modes().await))).await
    }

    async fn try_modes(&self) -> Settling {
        let shared = Arc::clone(&self.shared);
        let settled = tokio::task::spawn_blocking(move || shared.settle()).await;
        settled.map_err(ComputeError::from).flatten().map_err(|error| error.to_string())
    }

    /// Makes true again what was set, and says what came of it. Where it is so already, nothing is done.
    pub async fn settle(&self) -> Result<SettledGpus, ComputeError> {
        let first = self.first_try().await.lock().unwrap_or_else(PoisonError::into_inner).take();
        let settled = match first {
            Some(settled) => settled,
            None => {
                // The first try needs no such lock: whoever holds it waits for that try.
                let _change = self.change.lock().await;
                self.try_modes().await
            }
        };
        settled.map_err(ComputeError::GpuModes)
    }

    /// The modes that were set.
    pub async fn wishes(&self) -> Result<Vec<Wish>, ComputeError> {
        self.with(|shared| Ok(shared.wishes())).await
    }

    pub async fn inventory(&self) -> Result<Inventory, ComputeError> {
        self.with(|shared| shared.inventory().map(|inventory| Inventory::clone(&inventory))).await
    }

    pub async fn findings(&self, gpu: Option<GpuAddress>) -> Result<Vec<Finding>, ComputeError> {
        self.with(move |shared| {
            let inventory = shared.inventory()?;
            if let Some(gpu) = &gpu {
                inventory.gpu(gpu)?;
            }
            let wishes_file = shared.state.join("modes.json").display().to_string();
            let options = doctor::Options { gpu, wishes: shared.wishes(), wishes_file, ..doctor::Options::default() };
            Ok(doctor::doctor(&*shared.sysfs, &inventory, &options))
        })
        .await
    }

    pub async fn prepare(&self, hold: &GpuHold) -> Result<(), ComputeError> {
        let _change = self.change.lock().await;
        let hold = hold.clone();
        self.with(move |shared| {
            shared.viable(&hold)?;
            let done = assign::prepare(&*shared.sysfs, &hold).map_err(|error| failed(&hold.gpu, &error));
            shared.forget_look();
            done
        })
        .await
    }

    pub async fn release(&self, hold: &GpuHold) -> Result<(), ComputeError> {
        let _change = self.change.lock().await;
        let hold = hold.clone();
        self.with(move |shared| {
            let done = assign::release(&*shared.sysfs, &hold).map_err(|error| failed(&hold.gpu, &error));
            shared.forget_look();
            done
        })
        .await
    }

    /// Slices of desktops, whether anybody claims them or not.
    pub async fn slices(&self) -> Result<Vec<GpuHold>, ComputeError> {
        self.with(|shared| {
            // Slices that were made this moment count, whoever made them.
            shared.forget_look();
            let found = assign::leftovers(&*shared.sysfs, &*shared.inventory()?, &[], &[]);
            Ok(found.into_iter().map(|slice| slice.hold).collect())
        })
        .await
    }

    pub async fn plan(&self, switch: &GpuSwitch) -> Result<Plan, ComputeError> {
        let wish = Wish {
            profile: switch.profile.clone(),
            count: switch.count,
            mixed: switch.mixed,
            force: switch.force,
            ..Wish::new(switch.gpu.clone(), switch.mode)
        };
        self.with(move |shared| {
            shared.forget_look();
            Ok(mode::plan(&*shared.sysfs, &*shared.inventory()?, &wish)?)
        })
        .await
    }

    pub async fn apply(&self, plan: &Plan, listener: Listener<'_>) -> Result<(), ComputeError> {
        let _change = self.change.lock().await;
        let plan = plan.clone();
        let (say, mut said) = mpsc::channel(STEPS_UNHEARD_MAX);
        let work = self.with(move |shared| {
            let mut hear = |progress: Progress<'_>| {
                if let Progress::Step { number, of, step } | Progress::Skipped { number, of, step } = progress {
                    let _ = say.blocking_send((number, of, step.does.clone()));
                } else {
                    tracing::warn!(gpu = %plan.gpu, "{progress}");
                }
            };
            let state = shared.state(&plan.gpu)?;
            let done = mode::apply(&*shared.sysfs, &plan, &state, &mut hear).map_err(|error| failed(&plan.gpu, &error));
            shared.forget_look();
            done.map(drop)
        });
        let listen = async {
            // Ends when the work drops its end.
            while let Some((number, of, does)) = said.recv().await {
                listener(number, of, &does);
            }
        };
        tokio::join!(work, listen).0
    }

    /// What decides how a machine that holds these looks.
    pub async fn surroundings(&self, holds: &[GpuHold], roms: PathBuf) -> Result<Surroundings, ComputeError> {
        let holds = holds.to_vec();
        self.with(move |shared| Ok(surroundings::surroundings(&*shared.sysfs, &*shared.inventory()?, &holds, &roms)))
            .await
    }
}

impl Shared {
    fn state(&self, gpu: &GpuAddress) -> Result<StateFolder, ComputeError> {
        StateFolder::open(&self.state).map_err(|error| failed(gpu, &error))
    }

    fn forget_look(&self) {
        *self.look.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// As it is now, or was a moment ago.
    fn inventory(&self) -> Result<Arc<Inventory>, ComputeError> {
        let mut look = self.look.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, inventory)) = look.as_ref()
            && when.elapsed() < Duration::from_secs(LOOK_SECONDS)
        {
            return Ok(Arc::clone(inventory));
        }
        // Labs count more than display controllers as GPUs.
        let classes = std::env::var("ORIEL_GPU_CLASSES").unwrap_or_default();
        let options =
            inventory::Options { wanted: self.wanted(), ..inventory::Options::default() }.with_classes(&classes);
        let inventory = Arc::new(inventory::inventory(&*self.sysfs, &options)?);
        *look = Some((Instant::now(), Arc::clone(&inventory)));
        Ok(inventory)
    }

    /// The modes that were set.
    fn wishes(&self) -> Vec<Wish> {
        if !self.state.is_dir() {
            return Vec::new();
        }
        match StateFolder::open(&self.state).and_then(|state| state.wishes()) {
            Ok(wishes) => wishes,
            Err(error) => {
                tracing::error!(%error, "The modes that GPUs were set to cannot be read");
                Vec::new()
            }
        }
    }

    fn wanted(&self) -> BTreeMap<GpuAddress, GpuMode> {
        self.wishes().into_iter().map(|wish| (wish.gpu, wish.mode)).collect()
    }

    /// Before a start: what else is in a card's IOMMU group may have got a driver of the host since the card was switched, and
    /// then QEMU would end with words that name no device.
    fn viable(&self, hold: &GpuHold) -> Result<(), ComputeError> {
        let GpuUnit::Whole { .. } = &hold.unit else { return Ok(()) };
        self.forget_look();
        let inventory = self.inventory()?;
        let whole = &inventory.gpu(&hold.gpu)?.modes.whole;
        if whole.available {
            return Ok(());
        }
        let why = format!("{} cannot be given to a desktop: {}", hold.gpu, whole.reasons.join("; "));
        Err(failed(&hold.gpu, &why))
    }

    fn settle(&self) -> Result<SettledGpus, ComputeError> {
        let mut all = SettledGpus::default();
        // Without a folder nothing was ever set.
        if !self.state.is_dir() || !self.sysfs.live() {
            return Ok(all);
        }
        let state = StateFolder::open(&self.state)?;
        for recovered in mode::recover(&*self.sysfs, &state)? {
            tracing::warn!(gpu = %recovered.gpu, to = %recovered.to, outcome = ?recovered.outcome, "A switch of a GPU had been cut off");
            if let RecoveryOutcome::Stuck(why) = recovered.outcome {
                all.failed.push(format!("{}: the switch to {} that was cut off: {why}", recovered.gpu, recovered.to));
            }
        }
        self.forget_look();
        for done in mode::reapply(&*self.sysfs, &*self.inventory()?, &state)? {
            let (gpu, mode) = (done.wish.gpu, done.wish.mode);
            match done.outcome {
                ReapplyOutcome::Nothing => all.settled += 1,
                ReapplyOutcome::Done => {
                    tracing::info!(%gpu, %mode, "A GPU's mode was set again");
                    all.settled += 1;
                }
                ReapplyOutcome::AfterReboot => all.after_reboot.push(gpu),
                ReapplyOutcome::Missing => all.missing.push(gpu),
                ReapplyOutcome::Failed(why) => all.failed.push(format!("{gpu} to mode {mode}: {why}")),
            }
        }
        self.forget_look();
        Ok(all)
    }
}

fn failed(gpu: &GpuAddress, error: &dyn std::fmt::Display) -> ComputeError {
    ComputeError::Gpu { gpu: gpu.clone(), reason: error.to_string() }
}
