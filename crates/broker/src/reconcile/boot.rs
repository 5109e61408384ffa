//! A desktop that starts: what its machine is given for that, and whether it has come up.

use super::{
    desktop::{START_SECONDS_MAX, Step, advance, change_lost_ports, describe, fail, seconds_since},
    hold::rest,
};
use crate::clock::now;
use crate::{Broker, BrokerError, fault, personal_disk::DiskWish};
use oriel_compute::{Compute, ComputeError, Greeting, Power};
use oriel_machine::{Boot, MachineSpec};
use oriel_model::{AcceleratorKind, Desktop, DesktopState, GuestPort, StartStep};
use std::time::Duration;

/// A guest that has not even greeted on SSH for so long hangs in its boot: it is switched off and on, a few times at most.
const BOOT_SECONDS_MAX: f64 = 180.0;
/// In software emulation, beside others: slow is not stuck, and switched off it begins anew.
const EMULATED_BOOT_SECONDS_MAX: f64 = 480.0;
const BOOTS_MAX: u32 = 3;

/// Claims and makes what the desktop shall hold of GPUs, before its machine starts.
async fn hold_gpus(broker: &Broker, desktop: &Desktop, spec: &mut MachineSpec) -> Result<(), BrokerError> {
    let pool = broker.find_pool(&desktop.pool.to_string()).await?;
    spec.gpus = broker.hold_gpus(desktop, &pool).await?;
    Ok(())
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

/// A step of a desktop whose machine is to start, or has: until it answers, as itself.
pub(super) async fn start(broker: &Broker, desktop: &Desktop, power: Power) -> Result<Step, BrokerError> {
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
            // It is nobody's, and the card is others' by its time plan: its pool starts it when that is over.
            Err(BrokerError::Conflict { code: "gpu_not_its_turn" | "gpu_not_ready", .. })
                if desktop.owner.is_none() =>
            {
                advance(broker, desktop, rest).await?;
                return Ok(Step::Moving);
            }
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
