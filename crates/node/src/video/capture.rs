//! The thread that captures. It outlives everything that can happen to a cable: no signal, another mode, a device that is pulled out and put back.

use super::device::{Device, Signal};
use super::encode::{Encoder, Pixels};
use super::feed::Feed;
use super::raw::{self, PixFormat, Timings};
use super::stream::Stream;
use super::{VideoError, edid, name_of};
use oriel_device::{Picture, Wanted};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// How long the driver is waited for at a time: so long may it take until the thread sees that something else is wanted.
const LOOK: Duration = Duration::from_millis(100);
/// How often what comes in is asked for, where the driver does not tell of changes, and while there is nothing.
const ASK: Duration = Duration::from_secs(1);
const ASK_AGAIN: Duration = Duration::from_millis(300);
/// A stream that gives no picture for so long has none: it is begun anew.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// After an error.
const REST: Duration = Duration::from_secs(1);

/// What is captured, and how.
#[derive(Clone, Debug)]
pub struct VideoOptions {
    pub device: PathBuf,
    /// The input's number; the one that is chosen already when left out.
    pub input: Option<u32>,
    /// Of devices that do not say what comes in.
    pub size: Option<(u32, u32)>,
    /// What machines are told of the screen; the device's own when left out.
    pub edid: Option<Vec<u8>>,
}

/// What there is to see at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nobody knows: nobody watches a device that does not tell of itself.
    Unknown,
    /// The device is gone, or cannot be used; the log says why.
    NoDevice,
    NoSignal,
    Signal,
}

struct State {
    wanted: Wanted,
    ends: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    pictures: watch::Sender<Option<Picture>>,
    seen: watch::Sender<Seen>,
    /// For whoever makes video of them.
    feed: Arc<Feed>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self) -> bool {
        self.state().ends
    }

    /// What is wanted; `None`: nothing, or everything ends.
    fn wanted(&self) -> Option<Wanted> {
        let state = self.state();
        Some(state.wanted).filter(|wanted| wanted.watching && !state.ends)
    }

    /// Waits until something is wanted or everything ends, at most so long.
    fn rest(&self, most: Duration, while_wanted: bool) {
        let state = self.state();
        let idle = |state: &mut State| !state.ends && (while_wanted || !state.wanted.watching);
        drop(self.changed.wait_timeout_while(state, most, idle));
    }

    fn saw(&self, seen: Seen) {
        self.seen.send_if_modified(|before| std::mem::replace(before, seen) != seen);
        if seen != Seen::Signal {
            self.no_picture();
        }
    }

    /// An old picture is not to be taken for a new one.
    fn no_picture(&self) {
        self.pictures.send_if_modified(|picture| picture.take().is_some());
    }
}

/// A video device that is captured from until this is dropped.
pub struct Video {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Video {
    /// Begins. The device need not be there yet.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn begin(options: VideoOptions) -> std::io::Result<Self> {
        let wanted = Wanted { watching: false, quality: 80, frames_per_second: 30 };
        let shared = Arc::new(Shared {
            state: Mutex::new(State { wanted, ends: false }),
            changed: Condvar::new(),
            pictures: watch::Sender::new(None),
            seen: watch::Sender::new(Seen::Unknown),
            feed: Arc::new(Feed::new()),
        });
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("video".to_owned()).spawn(move || run(&options, &theirs))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    pub fn pictures(&self) -> watch::Receiver<Option<Picture>> {
        self.shared.pictures.subscribe()
    }

    pub fn seen(&self) -> watch::Receiver<Seen> {
        self.shared.seen.subscribe()
    }

    /// Where pictures go that are to become video.
    pub fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.shared.feed)
    }

    pub fn want(&self, wanted: Wanted) {
        self.shared.state().wanted = wanted;
        self.shared.changed.notify_all();
    }

    /// Lets the device go. Takes a tenth of a second.
    pub fn end(&self) {
        self.shared.state().ends = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.join().ok();
        }
    }
}

impl Drop for Video {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(options: &VideoOptions, shared: &Shared) {
    let mut said = String::new();
    while !shared.ends() {
        if let Err(error) = capture(options, shared, &mut said) {
            shared.saw(Seen::NoDevice);
            let error = error.to_string();
            // Once, and not each second.
            if said != error {
                tracing::warn!(%error, "There is no picture");
                said = error;
            }
            shared.rest(REST, true);
        }
    }
    shared.no_picture();
}

/// One device, from when it is opened until it is gone or everything ends.
fn capture(options: &VideoOptions, shared: &Shared, said: &mut String) -> Result<(), VideoError> {
    let device = Device::open(&options.device)?;
    if let Some(input) = options.input {
        device.choose(input)?;
    }
    let input = device.plug();
    let tells = device.plugs().into_iter().any(|plug| plug.index == input && plug.has_timings);
    match &options.edid {
        Some(edid) => device.set_edid(edid)?,
        None if tells && device.edid().is_none() => {
            if let Err(error) = device.set_edid(&edid::own()) {
                tracing::debug!(%error, "The input takes no EDID");
            }
        }
        None => {}
    }
    let events = device.watch_source();
    // Not each time that it is opened in vain.
    if said.is_empty() {
        tracing::info!(card = device.card, driver = device.driver, input, tells, events, "The video device is there");
    }
    let mut encoder = Encoder::new();
    let mut told = Seen::Unknown;
    while !shared.ends() {
        // Asked before the events are taken: what changes in between is seen at the next look.
        device.source_changed();
        let signal = if tells { device.signal()? } else { Signal::Untold };
        let seen = match (signal, shared.wanted()) {
            (Signal::Nothing, _) => Seen::NoSignal,
            (Signal::Untold, None) => {
                // One that was pulled out is to be closed before it comes back: its name would be taken.
                device.format()?;
                Seen::Unknown
            }
            (Signal::Timings(_), None) => Seen::Signal,
            (Signal::Timings(timings), Some(_)) => {
                device.set_timings(&timings)?;
                stream(&device, Some(&timings), options, shared, &mut encoder)?
            }
            (Signal::Untold, Some(_)) => stream(&device, None, options, shared, &mut encoder)?,
        };
        if told != seen {
            told = seen;
            tracing::info!(?seen, "What the video device sees");
        }
        if seen == Seen::Signal {
            said.clear();
        }
        shared.saw(seen);
        if shared.wanted().is_none() {
            shared.no_picture();
            encoder.rest();
            shared.rest(ASK, false);
        } else if seen == Seen::NoSignal {
            // A driver that tells of changes ends this early. One that has nothing to wait for may say so at once.
            let began = Instant::now();
            if events && device.wait(ASK_AGAIN).is_ok_and(|ready| ready.urgent) {
                continue;
            }
            shared.rest(ASK_AGAIN.saturating_sub(began.elapsed()), true);
        }
    }
    Ok(())
}

/// The format to stream in: the size of what comes in, and what costs least.
fn format(
    device: &Device,
    timings: Option<&Timings>,
    options: &VideoOptions,
) -> Result<(PixFormat, Pixels), VideoError> {
    let listed = device.formats();
    let now = device.format()?;
    let named = |name: u32| Pixels::of(name).map(|pixels| (name, pixels));
    let (name, _) = Pixels::best(&listed)
        .or_else(|| named(now.pixelformat))
        .ok_or_else(|| VideoError::Format(listed.iter().map(|name| name_of(*name)).collect::<Vec<_>>().join(", ")))?;
    let (width, height) =
        timings.map(|timings| (timings.width, timings.height)).or(options.size).unwrap_or((now.width, now.height));
    let wish = PixFormat { width, height, pixelformat: name, field: raw::FIELD_NONE, ..PixFormat::default() };
    let got = device.set_format(wish)?;
    let pixels = Pixels::of(got.pixelformat).ok_or_else(|| VideoError::Format(name_of(got.pixelformat)))?;
    Ok((got, pixels))
}

/// Streams until nobody watches any more or something has changed; what is seen then.
fn stream(
    device: &Device,
    timings: Option<&Timings>,
    options: &VideoOptions,
    shared: &Shared,
    encoder: &mut Encoder,
) -> Result<Seen, VideoError> {
    let (format, pixels) = format(device, timings, options)?;
    let stream = Stream::begin(device)?;
    let (width, height) = (format.width, format.height);
    let rate = timings.map_or(0, Timings::rate);
    tracing::debug!(width, height, rate, format = name_of(format.pixelformat), "Pictures are captured");
    let mut last = Instant::now();
    let mut asked = Instant::now();
    let mut next = Instant::now();
    while let Some(wanted) = shared.wanted() {
        let ready = device.wait(LOOK).map_err(|source| VideoError::Refused { what: "being waited for", source })?;
        if ready.urgent && device.source_changed() {
            // It may be the same as before: that costs one stream that is begun anew.
            return Ok(Seen::Unknown);
        }
        if let Some(timings) = timings
            && asked.elapsed() >= ASK
        {
            asked = Instant::now();
            match device.signal()? {
                Signal::Timings(now) if now.is_like(timings) => {}
                Signal::Nothing => return Ok(Seen::NoSignal),
                _ => return Ok(Seen::Unknown),
            }
        }
        if ready.readable
            && let Some(taken) = stream.newest()?
        {
            let now = Instant::now();
            if !taken.broken {
                shared.feed.offer(&format, pixels, stream.bytes(&taken));
            }
            if now >= next && !taken.broken {
                if let Some((jpeg, width, height)) = encoder.jpeg(&format, pixels, stream.bytes(&taken), wanted.quality)
                {
                    last = now;
                    next = pace(next, now, wanted.frames_per_second);
                    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    let picture = Picture { jpeg, width, height, taken: since.as_millis() as u64 };
                    shared.seen.send_if_modified(|seen| std::mem::replace(seen, Seen::Signal) != Seen::Signal);
                    shared.pictures.send_replace(Some(picture));
                }
            } else if !taken.broken {
                last = now;
            }
            stream.give(taken.index)?;
        } else if ready.broken {
            let source = std::io::Error::other("the stream has ended");
            return Err(VideoError::Refused { what: "streaming on", source });
        }
        if last.elapsed() > SILENCE_MAX {
            // A cable without a machine, for dongles that do not say so.
            return Ok(Seen::NoSignal);
        }
    }
    Ok(if timings.is_some() { Seen::Signal } else { Seen::Unknown })
}

/// When the next picture is due: in even steps, but never so that lost time is made up for.
pub(super) fn pace(due: Instant, now: Instant, frames_per_second: u8) -> Instant {
    let step = Duration::from_secs(1) / u32::from(frames_per_second.max(1));
    // A little early counts: cameras and clocks are never quite of the same pace.
    let slack = step / 8;
    if now.saturating_duration_since(due) > step {
        now + step.saturating_sub(slack)
    } else {
        due + step.saturating_sub(slack / 8)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_waited_for_and_let_go_at_once() {
        let options = VideoOptions { device: "/nonexistent/video0".into(), input: None, size: None, edid: None };
        let video = Video::begin(options).unwrap();
        let mut seen = video.seen();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let wait = seen.wait_for(|seen| *seen == Seen::NoDevice);
            tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap().unwrap();
        });
        assert!(video.pictures().borrow().is_none());
        let began = Instant::now();
        video.end();
        assert!(began.elapsed() < Duration::from_secs(1) + REST, "{:?}", began.elapsed());
    }

    #[test]
    fn pictures_keep_their_pace() {
        let begin = Instant::now();
        // 60 come, 30 are wanted.
        let (mut due, mut taken) = (begin, 0);
        for frame in 0..600u32 {
            let now = begin + Duration::from_secs(1) * frame / 60;
            if now >= due {
                taken += 1;
                due = pace(due, now, 30);
            }
        }
        assert!((295..=310).contains(&taken), "{taken}");
        // After a pause they do not come in a heap.
        let late = begin + Duration::from_mins(1);
        assert!(pace(begin, late, 30) > late);
    }
}
