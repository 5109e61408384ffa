//! Devices that somebody looks at: one connection each, and one question a second, however many look.
//!
//! ```text
//!  pages ──▶ Look ◀── its task ──▶ a picture or a part of the state, once a second
//!                         └──────▶ /api/ws, where the streamer has to be kept running
//! ```
//! The task begins with the first who asks and ends when nobody has asked for a while. It has the device's events only where nobody
//! else has its streamer run: whoever comes to the events lets all keys go that somebody at the machine holds.

use super::{DEVICE_TIME_MAX, Trouble, external_of, failed, in_time, is_bmc, is_ipmi, kvm_of};
use crate::{Broker, BrokerError};
use bytes::Bytes;
use oriel_identity::sha256_hex;
use oriel_model::{Desktop, DesktopId, SwitchPort};
use oriel_physical::{Client, DeviceError, Overview, State, Watcher};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Devices that are looked at by this program, at most.
const LOOKS_MAX: usize = 256;
/// Width of a device's picture, in pixels, at most.
const PICTURE_WIDTH_MAX: u16 = 640;
/// One question a second, whatever it is.
const TICK: Duration = Duration::from_secs(1);
/// Nobody asked for so long: nobody looks any more.
const LEFT: Duration = Duration::from_secs(10);
/// Nobody asked for a picture for so long.
const PICTURE_LEFT: Duration = Duration::from_secs(4);
/// An older picture is not shown: the machine may be another one by now.
/// Every other question is for a part of the state where there are no events, and slow devices take a second for each.
const FRESH: Duration = Duration::from_secs(4);
/// How long a picture is waited for: a streamer that has to start takes seconds.
const PICTURE_TIME_MAX: Duration = Duration::from_secs(12);
/// A streamer that runs for so long and gives no picture has none to give.
const WARM_TICKS: u32 = 8;
/// Ticks between our heartbeats.
const BEAT_TICKS: u32 = 5;
/// How long the device remembers the sign-in; a new one is made before that.
const SIGNED_IN_SECONDS: u32 = 3600;
const RENEWED: Duration = Duration::from_mins(50);
/// A connection that held for so long was a good one: its loss is not told, but made good.
const GOOD: Duration = Duration::from_secs(10);
/// Waits after failures, in seconds.
const WAITS: [u64; 4] = [2, 5, 10, 20];
const WAIT_MAX: Duration = Duration::from_secs(30);
/// After refused credentials: the device may ask a directory that locks accounts.
const REFUSED_WAIT: Duration = Duration::from_mins(1);
/// Everything, asked at the beginning.
const PARTS: [&str; 7] = ["atx", "streamer", "msd", "gpio", "hid", "info", "switch"];
/// What is asked in turn where there are no events.
const TURNS: [&str; 7] = ["atx", "streamer", "atx", "msd", "gpio", "hid", "switch"];

/// A picture of what a machine shows.
#[derive(Clone, Debug)]
pub struct DevicePicture {
    pub jpeg: Bytes,
    /// Changes with the picture.
    pub etag: String,
    taken: Instant,
}

impl DevicePicture {
    pub fn age(&self) -> Duration {
        self.taken.elapsed()
    }

    fn is_fresh(&self) -> bool {
        self.age() < FRESH
    }
}

/// A device as it was a moment ago.
#[derive(Clone, Debug)]
pub struct DeviceLook {
    pub overview: Arc<Overview>,
    /// Since something of it was last heard.
    pub age: Duration,
}

impl DeviceLook {
    /// What of it is a port's.
    fn at(self, port: Option<SwitchPort>) -> Self {
        match port {
            Some(port) => Self { overview: Arc::new(self.overview.at_port(port)), ..self },
            None => self,
        }
    }
}

/// What is known of a device without asking it.
#[derive(Clone, Debug, Default)]
pub struct DeviceKnown {
    pub look: Option<DeviceLook>,
    /// Why there is none, where it was tried.
    pub trouble: Option<String>,
}

/// What those who look see.
#[derive(Clone, Debug, Default)]
struct Seen {
    overview: Option<(Arc<Overview>, Instant)>,
    picture: Option<DevicePicture>,
    /// The streamer runs and has no picture.
    dark: bool,
    trouble: Option<Trouble>,
}

impl Seen {
    fn look(&self) -> Option<DeviceLook> {
        let (overview, heard) = self.overview.as_ref()?;
        Some(DeviceLook { overview: Arc::clone(overview), age: heard.elapsed() })
    }
}

#[derive(Debug)]
struct Asked {
    at: Instant,
    picture: Option<Instant>,
    /// Parts that somebody has just changed.
    hurry: Vec<&'static str>,
}

/// One device that is looked at.
#[derive(Debug)]
pub(super) struct Look {
    asked: Mutex<Asked>,
    seen: watch::Sender<Seen>,
}

impl Look {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, state: &State) {
        self.tell_overview(state.overview());
    }

    /// A part that somebody has just changed.
    pub(super) fn take_hurry(&self) -> Option<&'static str> {
        self.asked().hurry.pop()
    }

    pub(super) fn tell_overview(&self, overview: Overview) {
        let overview = Arc::new(overview);
        self.seen.send_modify(|seen| {
            seen.overview = Some((overview, Instant::now()));
            seen.trouble = None;
        });
    }

    fn show(&self, jpeg: Bytes) {
        let etag = sha256_hex(&jpeg).chars().take(32).collect();
        let picture = DevicePicture { jpeg, etag, taken: Instant::now() };
        self.seen.send_modify(|seen| (seen.picture, seen.dark) = (Some(picture), false));
    }

    fn darken(&self) {
        self.seen.send_modify(|seen| (seen.picture, seen.dark) = (None, true));
    }
}

/// All devices that are looked at.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<DesktopId, Arc<Look>>>);

impl Looks {
    fn all(&self) -> MutexGuard<'_, HashMap<DesktopId, Arc<Look>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody asks. `true`: nobody did before, so that its task has to begin. `None`: too many are looked at.
    fn ask(&self, machine: DesktopId, picture: bool) -> Option<(Arc<Look>, bool)> {
        let mut all = self.all();
        let now = Instant::now();
        if let Some(look) = all.get(&machine) {
            let mut asked = look.asked();
            asked.at = now;
            if picture {
                asked.picture = Some(now);
            }
            drop(asked);
            return Some((Arc::clone(look), false));
        }
        if all.len() >= LOOKS_MAX {
            return None;
        }
        let asked = Asked { at: now, picture: picture.then_some(now), hurry: Vec::new() };
        let look = Arc::new(Look { asked: Mutex::new(asked), seen: watch::Sender::new(Seen::default()) });
        all.insert(machine, Arc::clone(&look));
        Some((look, true))
    }

    /// Whether somebody still looks by it; it is forgotten where nobody does.
    pub(super) fn keeps(&self, machine: DesktopId, look: &Arc<Look>) -> bool {
        let mut all = self.all();
        if all.get(&machine).is_none_or(|kept| !Arc::ptr_eq(kept, look)) {
            return false;
        }
        let left = look.asked().at.elapsed() >= LEFT;
        if left {
            all.remove(&machine);
        }
        !left
    }

    /// A part was changed: it is asked for next.
    pub(super) fn hurry(&self, machine: DesktopId, part: &'static str) {
        let look = self.all().get(&machine).cloned();
        if let Some(look) = look {
            let mut asked = look.asked();
            if !asked.hurry.contains(&part) {
                asked.hurry.push(part);
            }
        }
    }

    /// What was known of it no longer holds.
    pub(crate) fn forget(&self, machine: DesktopId) {
        self.all().remove(&machine);
    }
}

/// The next event; without a watcher there is none.
async fn next_event(watcher: &mut Option<Watcher>) -> Result<Bytes, DeviceError> {
    match watcher {
        Some(watcher) => watcher.event().await,
        None => std::future::pending().await,
    }
}

/// What the task holds of the device.
struct Eyes {
    client: Client,
    state: State,
    watcher: Option<Watcher>,
    /// Ticks since the streamer was to begin.
    warm: u32,
    ticks: u32,
    turn: usize,
}

impl Broker {
    fn look_at(&self, machine: &Desktop, picture: bool) -> Result<Arc<Look>, BrokerError> {
        external_of(machine)?;
        let Some((look, begins)) = self.inner.looks.ask(machine.id, picture) else {
            return Err(BrokerError::conflict(
                "too_many_devices",
                format!("{LOOKS_MAX} devices are looked at already"),
                "close a wall of devices, and try again in a moment",
            ));
        };
        if begins {
            tokio::spawn(hold(self.clone(), machine.clone(), Arc::clone(&look)));
        }
        Ok(look)
    }

    /// Power, picture, drive and switches as they were a moment ago: one connection for all who ask.
    pub async fn device_look(&self, machine: &Desktop) -> Result<DeviceLook, BrokerError> {
        let (device, port) = self.front_of(machine).await?;
        let machine = &device;
        let look = self.look_at(machine, false)?;
        let mut seen = look.seen.subscribe();
        let known = timeout(DEVICE_TIME_MAX, seen.wait_for(|seen| seen.trouble.is_some() || seen.overview.is_some()))
            .await
            .ok()
            .and_then(Result::ok)
            .map(|seen| seen.clone());
        let late = || failed(machine, &DeviceError::TimedOut(DEVICE_TIME_MAX.as_secs()));
        let known = known.ok_or_else(late)?;
        match (&known.trouble, known.look()) {
            (Some(trouble), _) => Err(trouble.error()),
            (None, Some(look)) => Ok(look.at(port)),
            (None, None) => Err(late()),
        }
    }

    /// A JPEG of what the machine shows, at most a few seconds old: one question for all who ask. A device that nobody watches starts
    /// its streamer for it; whoever does not wait asks again.
    pub async fn device_picture(&self, machine: &Desktop, wait: bool) -> Result<DevicePicture, BrokerError> {
        kvm_of(machine, "picture")?;
        let look = self.look_at(machine, true)?;
        let mut seen = look.seen.subscribe();
        let is_there = |seen: &Seen| {
            seen.trouble.is_some() || seen.dark || seen.picture.as_ref().is_some_and(DevicePicture::is_fresh)
        };
        let patience = if wait { PICTURE_TIME_MAX } else { Duration::ZERO };
        let known = timeout(patience, seen.wait_for(is_there)).await.ok().and_then(Result::ok).map(|seen| seen.clone());
        match known {
            Some(Seen { trouble: Some(trouble), .. }) => Err(trouble.error()),
            Some(Seen { picture: Some(picture), .. }) => Ok(picture),
            None if !wait => Err(BrokerError::conflict(
                "picture_on_its_way",
                format!("the picture of {} is on its way", machine.name),
                "ask again in a second",
            )),
            Some(_) | None => Err(failed(machine, &DeviceError::NoPicture)),
        }
    }

    /// What is known without asking: of a device that nobody looks at nothing is.
    pub async fn device_known(&self, machine: &Desktop) -> DeviceKnown {
        let (device, port) = match self.front_of(machine).await {
            Ok(front) => front,
            Err(error) => return DeviceKnown { look: None, trouble: Some(error.to_string()) },
        };
        let look = self.inner.looks.all().get(&device.id).cloned();
        let Some(look) = look else { return DeviceKnown::default() };
        let seen = look.seen.borrow();
        let trouble = seen.trouble.as_ref().map(|trouble| trouble.text.clone());
        DeviceKnown { look: seen.look().map(|look| look.at(port)), trouble }
    }

    /// Looks until nobody looks any more, or the sign-in has to be made anew. `held`: since when the device answers.
    async fn look(&self, machine: &Desktop, look: &Arc<Look>, held: &mut Option<Instant>) -> Result<(), BrokerError> {
        // As it is now: its address, credentials and identity may be others than when somebody asked first.
        let machine = &self.find_machine(&machine.id.to_string()).await?;
        if is_ipmi(machine) {
            return self.look_at_ipmi(machine, look, held).await;
        }
        if is_bmc(machine) {
            return self.look_at_bmc(machine, look, held).await;
        }
        let began = Instant::now();
        let client = in_time(machine, self.device(machine, SIGNED_IN_SECONDS)).await?;
        let mut eyes = Eyes { client, state: State::default(), watcher: None, warm: 0, ticks: 0, turn: 0 };
        for part in PARTS {
            eyes.client.refresh(&mut eyes.state, part).await.map_err(|error| failed(machine, &error))?;
        }
        look.tell(&eyes.state);
        *held = Some(Instant::now());
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while began.elapsed() < RENEWED && self.inner.looks.keeps(machine.id, look) {
            let event = tokio::select! {
                _ = tick.tick() => None,
                event = next_event(&mut eyes.watcher) => Some(event),
            };
            match event {
                Some(Ok(event)) => {
                    if matches!(eyes.state.apply(&event), Ok(Some(_))) {
                        look.tell(&eyes.state);
                    }
                }
                // What is not told from now on is asked for.
                Some(Err(error)) => {
                    tracing::debug!(machine = %machine.name, %error, "A device's events ended");
                    eyes.watcher = None;
                }
                None => self.question(machine, look, &mut eyes).await?,
            }
        }
        Ok(())
    }

    /// One question: a picture where somebody wants one, else a part of the state.
    async fn question(&self, machine: &Desktop, look: &Look, eyes: &mut Eyes) -> Result<(), BrokerError> {
        let fail = |error: DeviceError| failed(machine, &error);
        if !eyes.client.is_open() {
            // Servers end connections after so many requests.
            eyes.client = in_time(machine, self.device(machine, SIGNED_IN_SECONDS)).await?;
        }
        eyes.ticks = eyes.ticks.wrapping_add(1);
        if eyes.ticks.is_multiple_of(BEAT_TICKS)
            && let Some(watcher) = &mut eyes.watcher
            && watcher.beat(Instant::now()).await.is_err()
        {
            eyes.watcher = None;
        }
        let (hurry, wants_picture) = {
            let mut asked = look.asked();
            // Events tell what was changed.
            let hurry = if eyes.watcher.is_some() { None } else { asked.hurry.pop() };
            if eyes.watcher.is_some() {
                asked.hurry.clear();
            }
            (hurry, asked.picture.is_some_and(|at| at.elapsed() < PICTURE_LEFT))
        };
        let in_turn = eyes.watcher.is_none() && (!wants_picture || eyes.ticks.is_multiple_of(2));
        if hurry.is_some() || in_turn {
            let part = hurry.or_else(|| TURNS.get(eyes.turn % TURNS.len()).copied()).unwrap_or("atx");
            if hurry.is_none() {
                eyes.turn = eyes.turn.wrapping_add(1);
            }
            eyes.client.refresh(&mut eyes.state, part).await.map_err(fail)?;
            look.tell(&eyes.state);
            return Ok(());
        }
        if !wants_picture {
            return Ok(());
        }
        match eyes.client.snapshot(PICTURE_WIDTH_MAX).await.map_err(fail)? {
            Some(jpeg) => look.show(jpeg),
            None if eyes.watcher.is_none() => {
                // The streamer runs for nobody, so that nobody is at the machine whose keys could be let go.
                let client = in_time(machine, self.device(machine, SIGNED_IN_SECONDS)).await?;
                eyes.watcher = Some(Watcher::open(client).await.map_err(fail)?);
                eyes.warm = 0;
            }
            None => {
                eyes.warm = eyes.warm.saturating_add(1);
                if eyes.warm >= WARM_TICKS {
                    look.darken();
                }
            }
        }
        Ok(())
    }
}

/// To the end of all looking, with patience after failures.
async fn hold(broker: Broker, machine: Desktop, look: Arc<Look>) {
    let mut failures = 0usize;
    while broker.inner.looks.keeps(machine.id, &look) {
        // Not since we began: a device that hangs takes its time to fail, and was never a good one.
        let mut held = None;
        let Err(error) = broker.look(&machine, &look, &mut held).await else { continue };
        if held.is_some_and(|since| since.elapsed() >= GOOD) {
            failures = 0;
            continue;
        }
        let trouble = Trouble::of(machine.name.as_str(), &error);
        let wait = match trouble.code {
            "device_credentials" | "identity_changed" => REFUSED_WAIT,
            _ => WAITS.get(failures).copied().map_or(WAIT_MAX, Duration::from_secs),
        };
        failures = failures.saturating_add(1);
        look.seen.send_replace(Seen { trouble: Some(trouble), ..Seen::default() });
        let until = Instant::now() + wait;
        while Instant::now() < until && broker.inner.looks.keeps(machine.id, &look) {
            sleep(TICK).await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn many_who_ask_are_one_who_looks() {
        let looks = Looks::default();
        let machine = DesktopId::new();
        let (first, begins) = looks.ask(machine, false).unwrap();
        let (second, again) = looks.ask(machine, true).unwrap();
        assert!(begins && !again && Arc::ptr_eq(&first, &second) && first.asked().picture.is_some());
        looks.hurry(machine, "atx");
        looks.hurry(machine, "atx");
        assert_eq!(first.asked().hurry, ["atx"]);
        assert!(looks.keeps(machine, &first));
        // Whoever changed the machine is looked at anew.
        looks.forget(machine);
        assert!(!looks.keeps(machine, &first) && looks.ask(machine, false).unwrap().1);
        // Nobody asked for long.
        let (look, _) = looks.ask(machine, false).unwrap();
        look.asked().at = Instant::now().checked_sub(LEFT).unwrap();
        assert!(!looks.keeps(machine, &look) && looks.all().is_empty());
    }

    #[test]
    fn there_is_a_bound() {
        let looks = Looks::default();
        for _ in 0..LOOKS_MAX {
            looks.ask(DesktopId::new(), false).unwrap();
        }
        assert!(looks.ask(DesktopId::new(), false).is_none());
    }
}
