//! What everything above counts on, of any backend. `oriel-libvirt` asks the same of libvirt: this file is a module of its tests as well.

use async_trait::async_trait;
use oriel_compute::{Compute, ComputeError, Observed, Power};
use oriel_machine::{Arch, Boot, CloudParts, GuestIdentity, Hardware, Keyboard, MachineSpec};
use oriel_model::{AcceleratorKind, Desktop, DesktopId, GuestPort, ImageOs, Network, PoolId};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// A backend with what a test needs around it.
#[async_trait]
pub trait Stage: Send + Sync {
    type Host: Compute;

    fn host(&self) -> &Self::Host;
    /// A machine as small as one can be, of generation 1; nothing is made yet.
    async fn spec(&self, name: &str) -> MachineSpec;
    /// What disks are cloned from.
    fn base(&self) -> PathBuf;
    /// How long a machine may take to come up, go off or go away.
    fn patience(&self) -> Duration;
    /// The next changing call's answer is lost, though it does its work. False: that cannot be made to happen here.
    fn lose_an_answer(&self) -> bool;
    /// Puts something there that looks like ours and is not; `true` when that could be done.
    async fn put_foreign(&self, like: &MachineSpec) -> bool;
    /// Whether what [`Self::put_foreign`] put there is as it was.
    async fn foreign_is_untouched(&self) -> bool;
}

type Done = Result<(), ComputeError>;

/// A machine for any backend; each changes what it must.
pub fn spec(name: &str, cloud: Option<CloudParts>) -> MachineSpec {
    MachineSpec {
        desktop: DesktopId::new(),
        generation: 1,
        name: name.parse().unwrap(),
        title: format!("{name} (a test)"),
        os: ImageOs::Linux,
        arch: Arch::X86_64,
        boot: Boot::Disk,
        vcpus: 1,
        memory_mib: 64,
        disk_gib: 1,
        accelerator: AcceleratorKind::Tcg,
        network: Network::User,
        port_base: None,
        keyboard: Keyboard::default(),
        gpus: Vec::new(),
        hardware: Hardware::default(),
        cloud,
        home: None,
    }
}

pub fn row(spec: &MachineSpec) -> Desktop {
    let row = serde_json::json!({
        "id": spec.desktop, "name": spec.name, "pool": PoolId::new(), "owner": null, "intent": "running", "state": "ready",
        "failure": null, "step": null, "generation": spec.generation, "host": null, "port_base": spec.port_base, "facts": {},
        "created": 0, "changed": 0, "image": null,
    });
    serde_json::from_value(row).unwrap()
}

async fn seen(host: &impl Compute, desktop: DesktopId) -> Vec<Observed> {
    let mut all = host.list().await.unwrap();
    all.retain(|found| found.desktop == desktop);
    let mut named = host.observe(&[desktop]).await.unwrap();
    named.retain(|found| found.desktop == desktop);
    if named.len() != all.len() {
        // It moved between the two looks.
        all = host.list().await.unwrap();
        all.retain(|found| found.desktop == desktop);
    }
    all
}

/// All steps from nothing to a machine that was told to run.
pub async fn make(host: &impl Compute, spec: &MachineSpec, base: &std::path::Path) -> Done {
    let identity = GuestIdentity::generate(&spec.name, None).unwrap();
    host.remove(spec.desktop, Some(spec.generation)).await?;
    host.clone_disk(spec, base).await?;
    host.write_seed(spec, &identity).await?;
    host.define(spec).await?;
    host.start(spec).await
}

async fn until(stage: &impl Stage, spec: &MachineSpec, power: Power) {
    let began = Instant::now();
    loop {
        let found = seen(stage.host(), spec.desktop).await;
        let of_it: Vec<_> = found.iter().filter(|found| found.generation == spec.generation).collect();
        if of_it.len() == 1 && of_it[0].power == power {
            return;
        }
        assert!(began.elapsed() < stage.patience(), "wanted {power:?}: {found:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Taken again until it is done, as a reconciler does.
async fn again<F: Future<Output = Done>>(stage: &impl Stage, step: impl Fn() -> F) {
    let began = Instant::now();
    while let Err(error) = step().await {
        assert!(began.elapsed() < stage.patience(), "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn off(stage: &impl Stage, spec: &MachineSpec) {
    let began = Instant::now();
    // A machine that is just being built hears nothing yet.
    while seen(stage.host(), spec.desktop).await.iter().any(|found| found.power != Power::Off) {
        again(stage, || stage.host().power_off(spec.desktop)).await;
        assert!(began.elapsed() < stage.patience(), "it does not go off");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub async fn gone(stage: &impl Stage, spec: &MachineSpec) {
    again(stage, || stage.host().remove(spec.desktop, None)).await;
    assert_eq!(seen(stage.host(), spec.desktop).await, [], "nothing is left");
}

async fn dialled(stage: &impl Stage, spec: &MachineSpec) {
    let began = Instant::now();
    // It runs a moment before its console is there.
    while let Err(error) = stage.host().dial(&row(spec), GuestPort::Console).await {
        assert!(began.elapsed() < stage.patience(), "{error}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Made, started, dialled, stopped, started, made anew, removed.
pub async fn lives_and_leaves_nothing(stage: &impl Stage) {
    let (host, base) = (stage.host(), stage.base());
    let first = stage.spec("life").await;
    assert_eq!(seen(host, first.desktop).await, []);
    let error = host.dial(&row(&first), GuestPort::Console).await.err().unwrap();
    assert!(matches!(error, ComputeError::NoMachine), "{error}");
    assert!(host.start(&first).await.is_err(), "there is nothing to start");
    make(host, &first, &base).await.unwrap();
    until(stage, &first, Power::Running).await;
    let found = seen(host, first.desktop).await;
    let whole =
        Observed { desktop: first.desktop, generation: 1, power: Power::Running, domain: true, disk: true, seed: true };
    assert_eq!(found, [whole]);
    dialled(stage, &first).await;
    again(stage, || host.shut_down(first.desktop)).await;
    off(stage, &first).await;
    let error = host.dial(&row(&first), GuestPort::Console).await.err().unwrap();
    assert!(matches!(error, ComputeError::NotRunning), "{error}");
    assert_eq!(seen(host, first.desktop).await, [Observed { power: Power::Off, ..whole }]);
    again(stage, || host.start(&first)).await;
    until(stage, &first, Power::Running).await;
    dialled(stage, &first).await;

    let second = MachineSpec { generation: 2, ..first.clone() };
    off(stage, &first).await;
    again(stage, || async { make(host, &second, &base).await }).await;
    until(stage, &second, Power::Running).await;
    assert_eq!(seen(host, first.desktop).await, [Observed { generation: 2, ..whole }], "the first one is gone");
    off(stage, &second).await;
    gone(stage, &second).await;
    // Nothing to do, and no error.
    host.power_off(first.desktop).await.unwrap();
    host.shut_down(first.desktop).await.unwrap();
    host.remove(first.desktop, None).await.unwrap();
}

/// Every step twice, of two desktops at once: each has one machine, and what is done to one is not done to the other.
pub async fn steps_may_be_repeated(stage: &impl Stage) {
    let (host, base) = (stage.host(), stage.base());
    let (one, other) = (stage.spec("twice-a").await, stage.spec("twice-b").await);
    for spec in [&one, &other, &one, &other] {
        make(host, spec, &base).await.unwrap();
    }
    for spec in [&one, &other] {
        until(stage, spec, Power::Running).await;
        host.start(spec).await.unwrap();
        host.define(spec).await.unwrap();
        assert_eq!(seen(host, spec.desktop).await.len(), 1);
    }
    off(stage, &one).await;
    host.power_off(one.desktop).await.unwrap();
    host.shut_down(one.desktop).await.unwrap();
    assert_eq!(seen(host, other.desktop).await[0].power, Power::Running, "the other one was not asked");
    gone(stage, &one).await;
    host.remove(one.desktop, None).await.unwrap();
    assert_eq!(seen(host, other.desktop).await.len(), 1);
    off(stage, &other).await;
    gone(stage, &other).await;
}

/// Each step does its work and its answer is lost; it is taken again. One machine comes of it.
pub async fn lost_answers_make_no_twins(stage: &impl Stage) {
    if !stage.lose_an_answer() {
        eprintln!("skipped: answers of this backend cannot be lost on purpose");
        return;
    }
    let (host, base) = (stage.host(), stage.base());
    let spec = stage.spec("lost").await;
    again(stage, || async { make(host, &spec, &base).await }).await;
    until(stage, &spec, Power::Running).await;
    assert_eq!(seen(host, spec.desktop).await.len(), 1);
    stage.lose_an_answer();
    off(stage, &spec).await;
    stage.lose_an_answer();
    again(stage, || host.start(&spec)).await;
    until(stage, &spec, Power::Running).await;
    assert_eq!(seen(host, spec.desktop).await.len(), 1);
    off(stage, &spec).await;
    stage.lose_an_answer();
    gone(stage, &spec).await;
}

/// What looks like ours and is not is neither listed, nor started, nor removed.
pub async fn foreign_machines_are_left_alone(stage: &impl Stage) {
    let (host, base) = (stage.host(), stage.base());
    let spec = stage.spec("foreign").await;
    if !stage.put_foreign(&spec).await {
        eprintln!("skipped: nothing foreign can be put beside this backend's machines");
        return;
    }
    assert_eq!(seen(host, spec.desktop).await, []);
    host.power_off(spec.desktop).await.unwrap();
    host.shut_down(spec.desktop).await.unwrap();
    host.remove(spec.desktop, None).await.unwrap();
    assert!(host.start(&spec).await.is_err(), "it is not ours to start");
    assert!(host.dial(&row(&spec), GuestPort::Console).await.is_err(), "nor to look at");
    make(host, &spec, &base).await.unwrap();
    until(stage, &spec, Power::Running).await;
    host.prune().await.unwrap();
    off(stage, &spec).await;
    gone(stage, &spec).await;
    assert!(stage.foreign_is_untouched().await);
}
