//! What a device knows beside its machine: who watches, what is being pressed, what was set.

use crate::account::Door;
use crate::drive::Drive;
use crate::log::Log;
use crate::machine::{Button, Encoder, Machine, Picture, Report, VideoWanted, Wanted};
use crate::server::DeviceOptions;
use crate::{CONNECTIONS_MAX, FRAMES_A_SECOND_MAX};
use oriel_physical::gadget::Gadget;
use oriel_physical::hid::Hid;
use oriel_screen::h264::Unit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// How long pictures are taken after the last one has left, or after somebody asked for one in vain.
const LINGER: Duration = Duration::from_secs(10);
/// A machine that does not take a report by then does not get it.
const REPORT_TIME_MAX: Duration = Duration::from_secs(5);
/// JPEGs a second while H.264 is watched, and they are not.
const JPEGS_BESIDE_VIDEO: u8 = 1;
/// How often the mouse is moved a little, where that is wanted.
pub(crate) const JIGGLE_SECONDS: u64 = 60;

/// What changes.
pub(crate) struct Now {
    pub jiggler: bool,
    pub relative: bool,
    /// The last time that somebody did something.
    pub active: Instant,
    pub pressing: Option<Button>,
    pub quality: u8,
    pub frames_per_second: u8,
    /// Of H.264, where it was set.
    pub kilobits: Option<u16>,
    pub gop: Option<u8>,
    pub clients: u32,
    watchers: u32,
    jpeg_watchers: u32,
    video_watchers: u32,
    linger: Option<Instant>,
    pub saved: Option<Picture>,
    /// Pictures of the last second.
    pub captured: u32,
    /// Units of H.264 of the last second.
    pub encoded: u32,
    wanted: Option<Wanted>,
    video_wanted: Option<VideoWanted>,
}

impl Now {
    /// Pictures a second; 0 was asked for where there is to be no limit.
    pub const fn rate(&self) -> u8 {
        if self.frames_per_second == 0 { FRAMES_A_SECOND_MAX } else { self.frames_per_second }
    }

    pub const fn jpeg_is_watched(&self) -> bool {
        self.jpeg_watchers > 0
    }

    pub const fn video_is_watched(&self) -> bool {
        self.video_watchers > 0
    }

    fn counts(&mut self, what: Watches) -> [Option<&mut u32>; 2] {
        let of = match what {
            Watches::State => None,
            Watches::Jpeg => Some(&mut self.jpeg_watchers),
            Watches::Video => Some(&mut self.video_watchers),
        };
        [Some(&mut self.watchers), of]
    }
}

pub(crate) struct Inner {
    pub options: DeviceOptions,
    pub machine: Arc<dyn Machine>,
    pub door: Door,
    pub log: Log,
    pub drive: Option<Drive>,
    pub started: Instant,
    now: Mutex<Now>,
    /// Held while the machine is told what is wanted, so that what holds is told last.
    telling: Mutex<()>,
    gadget: tokio::sync::Mutex<Gadget>,
    /// Counts what has changed: whoever tells others of it compares what they know.
    changed: watch::Sender<u64>,
    /// Room for WebSockets, which are connections of their own.
    pub sockets: Arc<Semaphore>,
    /// Everything ends.
    pub ended: watch::Sender<bool>,
}

impl Inner {
    pub fn new(options: DeviceOptions, machine: Arc<dyn Machine>) -> Self {
        let door = Door::new(options.accounts.clone(), options.session_max);
        let storage = options.storage.clone().filter(|_| machine.slot().is_some());
        let drive = storage.map(|folder| Drive::new(folder, options.storage_bytes_max));
        let now = Now {
            jiggler: false,
            relative: false,
            active: Instant::now(),
            pressing: None,
            quality: 80,
            frames_per_second: FRAMES_A_SECOND_MAX,
            kilobits: None,
            gop: None,
            clients: 0,
            watchers: 0,
            jpeg_watchers: 0,
            video_watchers: 0,
            linger: None,
            saved: None,
            captured: 0,
            encoded: 0,
            wanted: None,
            video_wanted: None,
        };
        Self {
            options,
            machine,
            door,
            log: Log::default(),
            drive,
            started: Instant::now(),
            now: Mutex::new(now),
            telling: Mutex::new(()),
            gadget: tokio::sync::Mutex::default(),
            changed: watch::Sender::new(0),
            sockets: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            ended: watch::Sender::new(false),
        }
    }

    pub fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub fn change(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whether pictures are taken.
    pub fn is_streaming(&self) -> bool {
        let now = self.now();
        self.options.keep_picture || now.watchers > 0 || now.linger.is_some_and(|until| until > Instant::now())
    }

    /// Tells the machine what is wanted of it, where that is another thing.
    pub fn want(&self) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let watching = self.is_streaming();
        let (wanted, changed) = {
            let mut now = self.now();
            // Whoever watches H.264 needs no JPEGs but those of a wall or a thumbnail.
            let only_video = now.video_is_watched() && !now.jpeg_is_watched();
            let frames_per_second = if only_video { JPEGS_BESIDE_VIDEO } else { now.rate() };
            let wanted = Wanted { watching, quality: now.quality, frames_per_second };
            (wanted, now.wanted.replace(wanted) != Some(wanted))
        };
        if changed {
            self.machine.want(wanted);
            self.change();
        }
        let Some(encoder) = self.machine.encoder() else { return };
        let (kilobits, gop) = self.video_params(encoder);
        let (wanted, changed) = {
            let mut now = self.now();
            let watching = now.video_is_watched();
            let wanted = VideoWanted { watching, frames_per_second: now.rate(), kilobits, gop };
            (wanted, now.video_wanted.replace(wanted) != Some(wanted))
        };
        if changed {
            encoder.want(wanted);
            self.change();
        }
    }

    /// The encoder, when it can be used.
    pub fn encoder(&self) -> Option<&dyn Encoder> {
        self.machine.encoder().filter(|encoder| encoder.is_ready())
    }

    /// Thousands of bits a second, and pictures from one key frame to the next.
    pub fn video_params(&self, encoder: &dyn Encoder) -> (u16, u8) {
        let (kilobits, gop) = encoder.defaults();
        let now = self.now();
        (now.kilobits.unwrap_or(kilobits), now.gop.unwrap_or(gop))
    }

    /// Whoever watches H.264 needs a key frame.
    pub fn want_key(&self) {
        if let Some(encoder) = self.encoder() {
            encoder.want_key();
        }
    }

    /// Somebody asked for a picture: there may be one at their next try.
    pub fn wake(&self) {
        self.now().linger = Some(Instant::now() + LINGER);
        self.want();
    }

    /// One more who watches, until it is dropped.
    pub fn watch(self: &Arc<Self>, what: Watches) -> Watching {
        self.now().counts(what).into_iter().flatten().for_each(|count| *count += 1);
        self.want();
        Watching(Arc::clone(self), what)
    }

    /// The newest picture, while they are taken.
    pub fn picture(&self) -> Option<Picture> {
        if self.is_streaming() { self.machine.pictures().borrow().clone() } else { None }
    }

    async fn tell(&self, gadget: &mut Gadget) {
        let keyboard = std::mem::take(&mut gadget.keyboard).into_iter().map(Report::Keyboard);
        let absolute = std::mem::take(&mut gadget.absolute).into_iter().map(Report::Absolute);
        let steps = std::mem::take(&mut gadget.steps).into_iter().map(Report::Relative);
        for report in keyboard.chain(absolute).chain(steps) {
            if timeout(REPORT_TIME_MAX, self.machine.report(report)).await.is_err() {
                self.log.add("The machine takes no keys: what was typed is left out");
                return;
            }
        }
    }

    /// One message, on its way in the order that messages came in.
    pub async fn take(&self, message: &Hid) {
        let mut gadget = self.gadget.lock().await;
        gadget.take(message);
        self.tell(&mut gadget).await;
        drop(gadget);
        self.now().active = Instant::now();
    }

    /// Every key and button is let go.
    pub async fn clear(&self) {
        let mut gadget = self.gadget.lock().await;
        gadget.clear();
        self.tell(&mut gadget).await;
    }

    /// Positions or steps.
    pub async fn set_relative(&self, relative: bool) {
        let mut gadget = self.gadget.lock().await;
        gadget.clear();
        self.tell(&mut gadget).await;
        gadget.relative = relative;
        drop(gadget);
        self.now().relative = relative;
        self.change();
    }

    /// Looks every second: who still watches, how many pictures came, whether the mouse is to be moved.
    pub async fn tick(self: Arc<Self>) {
        let mut period = interval(Duration::from_secs(1));
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut pictures, mut status) = (self.machine.pictures(), self.machine.status());
        let mut units = self.machine.encoder().map(Encoder::units);
        let (mut count, mut encoded, mut ready) = (0, 0, false);
        let mut jiggled = Instant::now();
        loop {
            tokio::select! {
                _ = period.tick() => {
                    self.want();
                    let captured = std::mem::replace(&mut self.now().captured, count);
                    if captured != count {
                        self.change();
                    }
                    count = 0;
                    let (before, now_ready) = (std::mem::replace(&mut self.now().encoded, encoded), self.encoder().is_some());
                    if before != encoded || std::mem::replace(&mut ready, now_ready) != now_ready {
                        self.change();
                    }
                    encoded = 0;
                    let idle = {
                        let now = self.now();
                        now.jiggler && now.active.max(jiggled).elapsed() >= Duration::from_secs(JIGGLE_SECONDS)
                    };
                    if idle {
                        jiggled = Instant::now();
                        self.jiggle().await;
                    }
                    if let Some(drive) = &self.drive && drive.look().await {
                        self.change();
                    }
                }
                Ok(()) = pictures.changed() => {
                    let first = count == 0;
                    count += 1;
                    // The first one may have another size, or be the first of all.
                    if first {
                        self.change();
                    }
                }
                Ok(()) = status.changed() => {
                    self.change();
                }
                // Only counted: those that were missed count, too.
                more = counted(&mut units) => {
                    encoded += more;
                }
                else => return,
            }
        }
    }

    async fn jiggle(&self) {
        let relative = self.now().relative;
        let steps = if relative {
            [(1, 0), (-1, 0)].map(|step| Hid::Relative { steps: vec![step], squash: false })
        } else {
            [-200, 0].map(|x| Hid::Absolute { x, y: 0 })
        };
        let mut gadget = self.gadget.lock().await;
        steps.iter().for_each(|step| gadget.take(step));
        self.tell(&mut gadget).await;
    }
}

/// How many units have come; never, where none will come.
async fn counted(units: &mut Option<broadcast::Receiver<Unit>>) -> u32 {
    use broadcast::error::RecvError;
    let received = match units {
        Some(units) => units.recv().await,
        None => std::future::pending().await,
    };
    match received {
        Ok(_) => 1,
        Err(RecvError::Lagged(missed)) => u32::try_from(missed).unwrap_or(0),
        Err(RecvError::Closed) => {
            *units = None;
            0
        }
    }
}

/// What somebody watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watches {
    /// Events; pictures are to be there when they ask for one.
    State,
    Jpeg,
    Video,
}

/// Somebody watches.
pub(crate) struct Watching(Arc<Inner>, Watches);

impl Drop for Watching {
    fn drop(&mut self) {
        {
            let mut now = self.0.now();
            now.counts(self.1).into_iter().flatten().for_each(|count| *count -= 1);
            now.linger = Some(Instant::now() + LINGER);
        }
        self.0.want();
    }
}

/// A client of events, until it is dropped; `None`: there are too many.
pub(crate) struct Present(Arc<Inner>);

impl Present {
    pub fn new(inner: &Arc<Inner>) -> Option<Self> {
        {
            let mut now = inner.now();
            if now.clients as usize >= crate::CLIENTS_MAX {
                return None;
            }
            now.clients += 1;
        }
        inner.change();
        Some(Self(Arc::clone(inner)))
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.now().clients -= 1;
        self.0.change();
    }
}
