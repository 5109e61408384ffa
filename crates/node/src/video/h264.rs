//! H.264 of what is captured: one encoder, however many watch, and none while nobody does.
//!
//! ```text
//!            ffmpeg is tried            somebody watches
//!  begin ───────────────────▶ idle ◀──────────────────────▶ encodes ── another size, other settings, a key frame that does not come ──▶ encodes anew
//!               └▶ none works: JPEG only                        └── it ends, or gives nothing ──▶ rests (longer each time), or takes the next encoder;
//!                                                                   after the last one: JPEG only, until something else comes in, or for a while
//! ```
//! Key frames come at least each `gop` pictures. ffmpeg cannot be asked for one in between: an encoder that owes one for too long is started anew, for what comes out of a new
//! one first is a key frame. That interrupts all who watch, so one that will come by itself is waited for.

use super::colour::Colours;
use super::encode::Pixels;
use super::feed::{Feed, Frame, Shape};
use super::ffmpeg::{Coder, Frames, Running, Units, find};
use oriel_device::{Encoder, UNITS_MAX, VideoWanted};
use oriel_screen::h264::{Matrix, Unit};
use serde::Deserialize;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// What is shown where there is no picture for so long: a blank one, as uStreamer has it.
const SIGNAL_LOST: Duration = Duration::from_secs(2);
const BLANK_SIZE: (u32, u32) = (640, 480);
/// It comes again so often: a decoder that hears nothing for long is no better than none.
const BLANK_AGAIN: Duration = Duration::from_secs(1);
/// Whoever looks away and back finds the same encoder.
const LINGER: Duration = Duration::from_secs(5);
/// How much longer than until the next key frame is due somebody waits for one before the encoder is started anew, how long at most, and how often that may be: one
/// viewer who is always late may not take the picture from all others.
const KEY_WAIT: Duration = Duration::from_secs(1);
const KEY_WAIT_MAX: Duration = Duration::from_secs(3);
const ANEW_MIN: Duration = Duration::from_secs(5);
/// From the start of one encoder to the next: a source that changes with each picture, and settings that do, start no more processes than that.
const APART_MIN: Duration = Duration::from_millis(500);
/// An encoder that gives nothing for so long is stuck: it gets a picture each second or two, be it a blank one.
const STUCK: Duration = Duration::from_secs(8);
/// So many pictures are on their way through an encoder at most. More would wait in queues of ffmpeg (since 7.0) or of a driver, and be shown late.
const INSIDE_MAX: u32 = 4;
/// Where nothing comes out for so long, those inside are forgotten: of a broken JPEG nothing comes, and some encoders want more before they begin.
const FORGOTTEN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);
/// Rests after an encoder that ended: the first, and the longest.
const REST: Duration = Duration::from_millis(500);
const REST_MAX: Duration = Duration::from_secs(30);
/// One that gave so many units was a good one.
const GOOD_UNITS: u64 = 100;
/// So often in a row one may end without a single unit, or soon after its first ones, before the next is tried.
const VAIN_MAX: u32 = 2;
const BAD_MAX: u32 = 4;
/// Where none is left, nobody is sent here for so long, unless what comes in changes: at first, and at most.
const OUT: Duration = Duration::from_mins(1);
const OUT_MAX: Duration = Duration::from_mins(16);

/// What may encode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum H264Mode {
    /// The hardware where it can, else software.
    #[default]
    Auto,
    Hardware,
    Software,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H264Options {
    pub mode: H264Mode,
    /// Until somebody sets others: thousands of bits a second, and pictures from one key frame to the next.
    pub kilobits: u16,
    pub gop: u8,
}

/// The picture of no picture: black.
pub(super) fn blank() -> Frame {
    let (width, height) = BLANK_SIZE;
    let colours = Colours { full: false, matrix: Matrix::Bt601 };
    let pairs = (width / 2 * height) as usize;
    Frame { shape: Shape { pixels: Pixels::Yuyv, width, height, colours }, bytes: [16, 128, 16, 128].repeat(pairs) }
}

struct Shared {
    options: H264Options,
    feed: Arc<Feed>,
    ready: AtomicBool,
    units: broadcast::Sender<Unit>,
    wanted: watch::Sender<VideoWanted>,
    /// Since when somebody waits for a key frame.
    key: Mutex<Option<Instant>>,
}

impl Shared {
    fn key_wanted(&self) -> Option<Instant> {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_key_wanted(&self, since: Option<Instant>) {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever came first waits longest.
        *key = since.map(|since| key.unwrap_or(since));
    }
}

/// Encodes what a [`Feed`] has until this is dropped.
pub struct H264 {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl H264 {
    /// Begins to find out what encodes. To be called within a runtime.
    pub fn begin(options: H264Options, feed: Arc<Feed>) -> Self {
        let H264Options { kilobits, gop, .. } = options;
        let shared = Arc::new(Shared {
            options,
            feed,
            ready: AtomicBool::new(false),
            units: broadcast::Sender::new(UNITS_MAX),
            wanted: watch::Sender::new(VideoWanted { watching: false, frames_per_second: 30, kilobits, gop }),
            key: Mutex::new(None),
        });
        let task = tokio::spawn(run(Arc::clone(&shared))).abort_handle();
        Self { shared, task }
    }

    /// Ends the encoder.
    pub fn end(&self) {
        self.task.abort();
        self.shared.ready.store(false, Ordering::Relaxed);
    }
}

impl Drop for H264 {
    fn drop(&mut self) {
        self.end();
    }
}

impl Encoder for H264 {
    fn is_ready(&self) -> bool {
        self.shared.ready.load(Ordering::Relaxed)
    }

    fn defaults(&self) -> (u16, u8) {
        (self.shared.options.kilobits, self.shared.options.gop)
    }

    fn units(&self) -> broadcast::Receiver<Unit> {
        self.shared.units.subscribe()
    }

    fn want(&self, wanted: VideoWanted) {
        self.shared.wanted.send_if_modified(|before| std::mem::replace(before, wanted) != wanted);
    }

    fn want_key(&self) {
        self.shared.set_key_wanted(Some(Instant::now()));
    }
}

/// Which encoder is taken, and how long to rest before it is.
#[derive(Debug, Default)]
struct Luck {
    at: usize,
    /// Ends in a row: all, and those without a unit.
    bad: u32,
    vain: u32,
}

impl Luck {
    /// One that gave so many units has ended. Of so many encoders the next one is taken where this one gives nothing, or never lasts.
    fn ended(&mut self, units: u64, coders: usize) -> Duration {
        self.vain = if units == 0 { self.vain + 1 } else { 0 };
        self.bad = if units >= GOOD_UNITS { 0 } else { self.bad.saturating_add(1) };
        if (self.vain >= VAIN_MAX || self.bad >= BAD_MAX) && self.at + 1 < coders {
            *self = Self { at: self.at + 1, ..Self::default() };
            return Duration::ZERO;
        }
        REST.saturating_mul(1 << self.bad.saturating_sub(1).min(10)).min(REST_MAX)
    }

    /// Of so many encoders none is left: the last one, too, gives nothing, or never lasts.
    fn is_out(&self, coders: usize) -> bool {
        self.at + 1 >= coders && (self.vain >= VAIN_MAX || self.bad >= BAD_MAX)
    }
}

/// How long there are JPEGs only, for pictures of which that was so `before` times in a row.
fn out(before: u32) -> Duration {
    OUT.saturating_mul(1 << before.min(10)).min(OUT_MAX)
}

async fn run(shared: Arc<Shared>) {
    let found = find(shared.options.mode).await;
    for (coder, why) in &found.failed {
        tracing::info!(encoder = coder.name, why, "An encoder of H.264 does not work here");
    }
    let names: Vec<&str> = found.coders.iter().map(|coder| coder.name).collect();
    if names.is_empty() {
        tracing::warn!("Nothing encodes H.264: there are JPEGs only; oriel node check says why");
        return;
    }
    tracing::info!(encoders = names.join(", "), "H.264 is encoded while somebody watches");
    shared.ready.store(true, Ordering::Relaxed);
    let mut wanted = shared.wanted.subscribe();
    let (mut luck, mut outs, mut last_shape, mut said) = (Luck::default(), 0, None, String::new());
    loop {
        let idle = !wanted.borrow().watching;
        if idle {
            shared.feed.want(None);
        }
        if wanted.wait_for(|wanted| wanted.watching).await.is_err() {
            return;
        }
        let now = *wanted.borrow_and_update();
        shared.feed.want(Some(now.frames_per_second));
        let first = timeout(SIGNAL_LOST, shared.feed.next()).await.unwrap_or_else(|_| blank());
        let shape = first.shape;
        // What is too large for one encoder tells nothing of another size.
        if last_shape.replace(shape) != Some(shape) {
            (luck, outs) = (Luck::default(), 0);
        }
        let Some(coder) = found.coders.get(luck.at).copied() else { return };
        let (counts, began) = (Counts::default(), Instant::now());
        match session(&shared, &mut wanted, coder, now, first, &counts).await {
            Over::Anew => sleep(APART_MIN.saturating_sub(began.elapsed())).await,
            Over::Failed(why) => {
                if said != why {
                    tracing::warn!(encoder = coder.name, why, "The encoder of H.264 ended");
                    said = why;
                }
                let (units, coders) = (counts.units.load(Ordering::Relaxed), found.coders.len());
                let most = luck.ended(units, coders);
                if units >= GOOD_UNITS {
                    outs = 0;
                }
                if luck.is_out(coders) {
                    let most = out(outs);
                    let seconds = most.as_secs();
                    tracing::warn!(seconds, "No encoder of H.264 lasts: there are JPEGs only for a while");
                    shared.ready.store(false, Ordering::Relaxed);
                    // One now and then, to see whether it is still alike.
                    shared.feed.want(Some(1));
                    rest(&shared, most, shape).await;
                    (luck, outs) = (Luck::default(), outs.saturating_add(1));
                    shared.ready.store(true, Ordering::Relaxed);
                } else {
                    rest(&shared, most, shape).await;
                }
            }
        }
    }
}

/// Waits so long after an encoder that failed. Pictures of another shape end the wait, for they may fare better, but none ends it before the first rest is over.
async fn rest(shared: &Shared, most: Duration, failed: Shape) {
    let least = most.min(REST);
    sleep(least).await;
    let others = async {
        while shared.feed.waiting().is_none_or(|shape| shape == failed) {
            sleep(LOOK).await;
        }
    };
    timeout(most.saturating_sub(least), others).await.ok();
}

/// Why an encoder ended.
enum Over {
    /// A new one is to go on, when somebody watches.
    Anew,
    Failed(String),
}

/// Why one is to end that did not end by itself; `None`: it did.
type Ended = Option<Over>;

/// Of one encoder.
#[derive(Debug, Default)]
struct Counts {
    units: AtomicU64,
    /// Pictures on their way through it.
    inside: AtomicU32,
    came: Notify,
}

impl Counts {
    /// One goes in.
    fn picture(&self) {
        self.inside.fetch_add(1, Ordering::Relaxed);
    }

    /// One came out.
    fn unit(&self) {
        self.units.fetch_add(1, Ordering::Relaxed);
        // Those that were forgotten may come after all.
        let inside = self.inside.load(Ordering::Relaxed).saturating_sub(1);
        self.inside.store(inside, Ordering::Relaxed);
        self.came.notify_one();
    }

    /// Waits until another may go in.
    async fn room(&self) {
        while self.inside.load(Ordering::Relaxed) >= INSIDE_MAX {
            if timeout(FORGOTTEN, self.came.notified()).await.is_err() {
                self.inside.store(0, Ordering::Relaxed);
            }
        }
    }
}

async fn session(
    shared: &Shared,
    wanted: &mut watch::Receiver<VideoWanted>,
    coder: Coder,
    now: VideoWanted,
    first: Frame,
    counts: &Counts,
) -> Over {
    let Shape { width, height, .. } = first.shape;
    let Running { end, mut frames, mut units } = match Running::start(coder, first.shape, &now) {
        Ok(running) => running,
        Err(why) => return Over::Failed(why),
    };
    tracing::debug!(encoder = coder.name, width, height, kilobits = now.kilobits, gop = now.gop, "H.264 is encoded");
    let ended = tokio::select! {
        ended = give(shared, &mut frames, first, counts) => ended,
        ended = take(shared, &mut units, counts) => ended,
        ended = settings(wanted, now) => ended,
        ended = look(shared, now, counts) => ended,
    };
    match ended {
        Some(over) => over,
        None => Over::Failed(end.why().await),
    }
}

/// Gives it pictures, for as long as they are alike.
async fn give(shared: &Shared, frames: &mut Frames, first: Frame, counts: &Counts) -> Ended {
    let shape = first.shape;
    let nothing = blank();
    let patience = if shape == nothing.shape { BLANK_AGAIN } else { SIGNAL_LOST };
    let mut frame = first;
    loop {
        counts.picture();
        if frames.write(&frame.bytes).await.is_err() {
            return None;
        }
        shared.feed.done(frame);
        counts.room().await;
        frame = match timeout(patience, shared.feed.next()).await {
            Ok(frame) => frame,
            Err(_) => Frame { shape: nothing.shape, bytes: nothing.bytes.clone() },
        };
        if frame.shape != shape {
            shared.feed.put_back(frame);
            return Some(Over::Anew);
        }
    }
}

/// Takes units out of it, for all who watch.
async fn take(shared: &Shared, units: &mut Units, counts: &Counts) -> Ended {
    loop {
        match units.next().await {
            Ok(Some(unit)) => {
                if unit.key {
                    shared.set_key_wanted(None);
                }
                counts.unit();
                // Nobody may listen at the moment.
                shared.units.send(unit).ok();
            }
            Ok(None) => return None,
            Err(what) => return Some(Over::Failed(what)),
        }
    }
}

/// Until nobody watches any more, or they want something else.
async fn settings(wanted: &mut watch::Receiver<VideoWanted>, was: VideoWanted) -> Ended {
    loop {
        if wanted.changed().await.is_err() {
            return Some(Over::Anew);
        }
        let idle = !wanted.borrow_and_update().watching;
        if idle && !matches!(timeout(LINGER, wanted.wait_for(|wanted| wanted.watching)).await, Ok(Ok(_))) {
            return Some(Over::Anew);
        }
        let now = *wanted.borrow_and_update();
        if now != was {
            return Some(Over::Anew);
        }
    }
}

/// How long a key frame is waited for before the encoder begins anew.
fn patience(wanted: VideoWanted) -> Duration {
    let by_itself = Duration::from_secs(wanted.gop.into()) / u32::from(wanted.frames_per_second.max(1));
    (by_itself + KEY_WAIT).min(KEY_WAIT_MAX)
}

/// Until it owes a key frame, or anything, for too long.
async fn look(shared: &Shared, wanted: VideoWanted, counts: &Counts) -> Ended {
    let patience = patience(wanted);
    let mut period = interval(LOOK);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (began, mut last, mut since) = (Instant::now(), 0, Instant::now());
    loop {
        period.tick().await;
        let units = counts.units.load(Ordering::Relaxed);
        if units != last {
            (last, since) = (units, Instant::now());
        }
        if since.elapsed() > STUCK {
            let seconds = STUCK.as_secs();
            return Some(Over::Failed(format!("it gave nothing for {seconds} s")));
        }
        let owes = shared.key_wanted().is_some_and(|since| since.elapsed() > patience);
        if owes && units > 0 && began.elapsed() > ANEW_MIN {
            return Some(Over::Anew);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;
    use crate::video::raw::{self, PixFormat};
    use async_trait::async_trait;
    use futures::FutureExt as _;
    use oriel_device::{Button, Device, DeviceOptions, Machine, Picture, Report, Status, Wanted};
    use oriel_physical::{PhysicalOptions, PhysicalSource, Session, Way, connect};
    use oriel_screen::{ScreenEvent, Source as _};
    use oriel_stream::BoxStream;
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use std::net::SocketAddr;
    use std::process::Stdio;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio::net::{TcpListener, TcpStream};

    const TIME_MAX: Duration = Duration::from_secs(30);
    const NAME: &str = "seam.example";

    /// A node of which there is only the picture.
    struct Seam {
        h264: H264,
        status: watch::Sender<Status>,
        pictures: watch::Sender<Option<Picture>>,
    }

    #[async_trait]
    impl Machine for Seam {
        fn name(&self) -> &str {
            NAME
        }
        fn status(&self) -> watch::Receiver<Status> {
            self.status.subscribe()
        }
        fn pictures(&self) -> watch::Receiver<Option<Picture>> {
            self.pictures.subscribe()
        }
        fn want(&self, _wanted: Wanted) {}
        fn encoder(&self) -> Option<&dyn Encoder> {
            Some(&self.h264)
        }
        async fn report(&self, _report: Report) {}
        async fn press(&self, _button: Button) -> Result<(), String> {
            Err("there are no buttons".to_owned())
        }
    }

    #[derive(Debug)]
    struct Loopback(SocketAddr);

    #[async_trait]
    impl Way for Loopback {
        async fn open(&self) -> Result<BoxStream, String> {
            let stream = TcpStream::connect(self.0).await.map_err(|error| error.to_string())?;
            Ok(Box::new(stream) as BoxStream)
        }
    }

    fn tls() -> Arc<ServerConfig> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap())
    }

    /// Our own client of PiKVMs.
    struct Seat {
        stream: DuplexStream,
        source: PhysicalSource,
        events: Vec<ScreenEvent>,
    }

    impl Seat {
        async fn new(address: SocketAddr) -> Self {
            let options = PhysicalOptions {
                host: NAME.to_owned(),
                user: "admin".to_owned(),
                h264: true,
                ..PhysicalOptions::default()
            };
            let way = Arc::new(Loopback(address));
            let stream = way.open().await.unwrap();
            let Session { stream, source, .. } = connect(stream, options, way, || 0).await.unwrap();
            Self { stream, source, events: Vec::new() }
        }

        /// Units of one size, once there are so many.
        async fn units(&mut self, size: (u16, u16), count: usize) -> Vec<(bool, Vec<u8>)> {
            let mut buffer = vec![0; 16 << 10];
            let waiting = async {
                loop {
                    let units: Vec<_> = self
                        .events
                        .iter()
                        .filter_map(|event| match event {
                            ScreenEvent::Video { rect, key, bytes, .. } if (rect.w, rect.h) == size => {
                                Some((*key, bytes.to_vec()))
                            }
                            ScreenEvent::Tile { .. } => panic!("a JPEG where there is H.264"),
                            _ => None,
                        })
                        .collect();
                    if units.len() >= count {
                        return units;
                    }
                    let length = self.stream.read(&mut buffer).await.unwrap();
                    assert!(length > 0, "the session ended");
                    let mut out = Vec::new();
                    self.source.receive(&buffer[..length], &mut out, &mut self.events).unwrap();
                    self.stream.write_all(&out).await.unwrap();
                }
            };
            timeout(TIME_MAX, waiting).await.unwrap_or_else(|_| panic!("no video of {size:?}"))
        }
    }

    /// The first picture of a stream as red, green and blue, by a decoder that believes what the stream says of its colours.
    async fn decoded(units: &[(bool, Vec<u8>)]) -> Vec<u8> {
        let stream: Vec<u8> = units.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let arguments = "-hide_banner -loglevel error -f h264 -i pipe:0 -frames:v 1 -f rawvideo -pix_fmt rgb24 pipe:1";
        let mut child = tokio::process::Command::new("ffmpeg")
            .args(arguments.split(' '))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It may have enough before the end.
        stdin.write_all(&stream).await.ok();
        drop(stdin);
        child.wait_with_output().await.unwrap().stdout
    }

    fn assert_near(rgb: &[u8], (width, height): (usize, usize), left: [u8; 3], right: [u8; 3]) {
        assert_eq!(rgb.len(), width * height * 3);
        for (x, want) in [(width / 4, left), (width * 3 / 4, right)] {
            let at = (height / 2 * width + x) * 3;
            let pixel = &rgb[at..at + 3];
            assert!(pixel.iter().zip(want).all(|(is, want)| is.abs_diff(want) < 8), "{pixel:?} is not {want:?}");
        }
    }

    /// Two halves, each of one pair of pixels.
    fn halves(width: u32, height: u32, left: [u8; 4], right: [u8; 4]) -> Vec<u8> {
        let half = (width / 4) as usize;
        [left.repeat(half), right.repeat(half)].concat().repeat(height as usize)
    }

    #[tokio::test]
    async fn our_own_client_sees_the_colours_that_were_captured() {
        let feed = Arc::new(Feed::new());
        let options = H264Options { mode: H264Mode::Software, kilobits: 2000, gop: 5 };
        let h264 = H264::begin(options, Arc::clone(&feed));
        let ready = async {
            while !h264.is_ready() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(TIME_MAX, ready).await.expect("is the package ffmpeg installed?");
        let status = Status { power: None, disk: false, leds: 0, input: true };
        let seam = Arc::new(Seam { h264, status: watch::Sender::new(status), pictures: watch::Sender::new(None) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = DeviceOptions { tls: Some(tls()), ..DeviceOptions::default() };
        let device = Device::start(listener, seam, options).unwrap();

        // What the thread that captures does. Red and green of an HD cable.
        let format = |width, height, colorspace| PixFormat { width, height, colorspace, ..PixFormat::default() };
        let hd = (
            format(320, 240, raw::COLORSPACE_REC709),
            Pixels::Yuyv,
            halves(320, 240, [63, 102, 63, 240], [173, 42, 173, 26]),
        );
        let (captured, mut capturing) = watch::channel(hd);
        let camera = tokio::spawn(async move {
            while capturing.has_changed().is_ok() {
                {
                    let picture = capturing.borrow_and_update();
                    feed.offer(&picture.0, picture.1, &picture.2);
                }
                sleep(Duration::from_millis(20)).await;
            }
        });
        let mut seat = Seat::new(device.address()).await;
        let units = seat.units((320, 240), 3).await;
        assert!(units[0].0 && !units[1].0, "it begins with a key frame");
        assert_near(&decoded(&units).await, (320, 240), [254, 0, 0], [0, 255, 0]);
        // Whoever comes later begins with a key frame, too.
        let mut late = Seat::new(device.address()).await;
        assert!(late.units((320, 240), 1).await[0].0);

        // Another mode, of another size and with the colours of BT.601, full range: blue and grey.
        let sd = PixFormat { quantization: raw::FULL_RANGE, ..format(160, 128, 0) };
        captured.send_replace((sd, Pixels::Uyvy, halves(160, 128, [255, 29, 107, 29], [128, 200, 128, 200])));
        let units = seat.units((160, 128), 2).await;
        assert!(units[0].0);
        assert_near(&decoded(&units).await, (160, 128), [0, 0, 255], [200, 200, 200]);

        // A dongle that gives JPEGs.
        let mut encoder = crate::video::encode::Encoder::new();
        let rgb = format(256, 128, 0);
        let pixels = [[200u8, 40, 90].repeat(128), [20, 140, 60].repeat(128)].concat().repeat(128);
        let (jpeg, ..) = encoder.jpeg(&rgb, Pixels::Rgb, &pixels, 95).unwrap();
        captured.send_replace((PixFormat::default(), Pixels::Jpeg, jpeg.to_vec()));
        let units = seat.units((256, 128), 2).await;
        assert_near(&decoded(&units).await, (256, 128), [200, 40, 90], [20, 140, 60]);
        camera.abort();
        // No signal: a blank picture.
        let units = seat.units((640, 480), 1).await;
        assert!(units[0].0);
        assert_near(&decoded(&units).await, (640, 480), [0, 0, 0], [0, 0, 0]);
        assert!(late.units((640, 480), 1).await[0].0);
    }

    #[test]
    fn an_encoder_that_gives_nothing_makes_room_for_the_next() {
        let mut luck = Luck::default();
        assert_eq!(luck.ended(0, 2), REST);
        assert_eq!((luck.ended(0, 2), luck.at), (Duration::ZERO, 1));
        // The last one is tried for ever, more and more seldom.
        assert_eq!([luck.ended(0, 2), luck.ended(0, 2), luck.ended(3, 2)], [REST, REST * 2, REST * 4]);
        for _ in 0..100 {
            assert!(luck.ended(0, 2) <= REST_MAX);
        }
        assert!(luck.is_out(2));
        assert_eq!((luck.ended(GOOD_UNITS, 2), luck.at), (REST, 1));
        assert!(!luck.is_out(2), "it lasted");
        // So does one that never lasts.
        let mut luck = Luck::default();
        let rests: [Duration; 4] = std::array::from_fn(|_| luck.ended(3, 2));
        assert_eq!((rests, luck.at), ([REST, REST * 2, REST * 4, Duration::ZERO], 1));
        assert!(!luck.is_out(2), "the next is not tried yet");
        let outs: [bool; 4] = std::array::from_fn(|_| {
            luck.ended(3, 2);
            luck.is_out(2)
        });
        assert_eq!(outs, [false, false, false, true]);
        assert_eq!([0, 1, 4, 9, u32::MAX].map(out), [OUT, OUT * 2, OUT_MAX, OUT_MAX, OUT_MAX]);
    }

    #[test]
    fn a_key_frame_that_comes_by_itself_is_waited_for() {
        let of = |frames_per_second, gop| patience(VideoWanted { watching: true, frames_per_second, kilobits: 1, gop });
        assert_eq!([of(30, 0), of(30, 30), of(30, 60), of(1, 60)].map(|wait| wait.as_secs()), [1, 2, 3, 3]);
    }

    #[tokio::test]
    async fn few_pictures_are_inside_an_encoder() {
        let counts = Counts::default();
        for _ in 0..INSIDE_MAX {
            assert!(counts.room().now_or_never().is_some());
            counts.picture();
        }
        assert!(counts.room().now_or_never().is_none());
        counts.unit();
        assert!(counts.room().now_or_never().is_some());
    }
}
