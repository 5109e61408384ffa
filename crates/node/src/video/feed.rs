//! The newest captured picture on its way to whoever encodes it as video. There is one place, and no queue: what is not taken in time is replaced, and the thread that
//! captures never waits.

use super::capture::pace;
use super::colour::Colours;
use super::encode::{Pixels, SIDE_MAX, whole};
use super::raw::PixFormat;
use oriel_screen::SURFACE_PIXELS_MAX;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// What is the same of all pictures that one encoder gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub pixels: Pixels,
    /// In pixels.
    pub width: u32,
    pub height: u32,
    pub colours: Colours,
}

/// A picture as the driver gave it, without what lies behind its rows.
#[derive(Debug)]
pub struct Frame {
    pub shape: Shape,
    pub bytes: Vec<u8>,
}

struct State {
    /// Pictures a second; `None`: nobody wants them.
    rate: Option<u8>,
    due: Instant,
    newest: Option<Frame>,
    /// Memory of a picture that was taken.
    spare: Vec<u8>,
}

pub struct Feed {
    state: Mutex<State>,
    came: Notify,
}

impl Feed {
    pub fn new() -> Self {
        let state = State { rate: None, due: Instant::now(), newest: None, spare: Vec::new() };
        Self { state: Mutex::new(state), came: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many a second are wanted, or none.
    pub fn want(&self, rate: Option<u8>) {
        let mut state = self.state();
        state.rate = rate;
        if rate.is_none() {
            (state.newest, state.spare) = (None, Vec::new());
        }
    }

    /// What a driver gave. It is left out where nobody wants it, where it comes too early, and where it is cut off.
    pub fn offer(&self, format: &PixFormat, pixels: Pixels, bytes: &[u8]) {
        let now = Instant::now();
        let mut copy = {
            let mut state = self.state();
            let Some(rate) = state.rate.filter(|_| now >= state.due) else { return };
            state.due = pace(state.due, now, rate);
            std::mem::take(&mut state.spare)
        };
        copy.clear();
        let shape = fill(&mut copy, format, pixels, bytes);
        let mut state = self.state();
        if state.rate.is_none() {
            // Nobody wants them any more: their memory is not kept either.
            return;
        }
        match shape {
            Some(shape) => {
                if let Some(missed) = state.newest.replace(Frame { shape, bytes: copy }) {
                    state.spare = missed.bytes;
                }
            }
            None => state.spare = copy,
        }
        drop(state);
        self.came.notify_one();
    }

    /// What the picture is like that waits to be taken.
    pub fn waiting(&self) -> Option<Shape> {
        self.state().newest.as_ref().map(|frame| frame.shape)
    }

    /// The newest picture, once there is one.
    pub async fn next(&self) -> Frame {
        loop {
            let newest = self.state().newest.take();
            match newest {
                Some(frame) => return frame,
                None => self.came.notified().await,
            }
        }
    }

    /// Gives one back that somebody else is to encode.
    pub fn put_back(&self, frame: Frame) {
        self.state().newest.get_or_insert(frame);
        self.came.notify_one();
    }

    /// Gives the memory back of one that was encoded.
    pub fn done(&self, frame: Frame) {
        self.state().spare = frame.bytes;
    }
}

/// Whether there is video of such a picture: two by two pixels share their colours, and whoever watches takes no larger ones.
fn fits(width: u32, height: u32) -> bool {
    let sides = 2..=SIDE_MAX;
    sides.contains(&width) && sides.contains(&height) && width * height <= SURFACE_PIXELS_MAX
}

/// The picture's bytes, row by row.
fn fill(out: &mut Vec<u8>, format: &PixFormat, pixels: Pixels, bytes: &[u8]) -> Option<Shape> {
    let colours = Colours::of(format, pixels);
    if pixels == Pixels::Jpeg {
        let jpeg = whole(bytes)?;
        let (width, height) = oriel_physical::jpeg::size(&jpeg)?;
        let shape = Shape { pixels, width: width.into(), height: height.into(), colours };
        if !fits(shape.width, shape.height) {
            return None;
        }
        out.extend_from_slice(&jpeg);
        return Some(shape);
    }
    if !fits(format.width, format.height) {
        return None;
    }
    // Two pixels share their colours; one that has no partner is left out.
    let width = if matches!(pixels, Pixels::Yuyv | Pixels::Uyvy) { format.width & !1 } else { format.width };
    let row = width as usize * pixels.bytes_a_pixel();
    let pitch = (format.bytesperline as usize).max(format.width as usize * pixels.bytes_a_pixel());
    let needed = pitch.checked_mul(format.height as usize - 1)?.checked_add(row)?;
    let bytes = bytes.get(..needed)?;
    if pitch == row {
        out.extend_from_slice(bytes);
    } else {
        for line in bytes.chunks(pitch) {
            out.extend_from_slice(line.get(..row)?);
        }
    }
    Some(Shape { pixels, width, height: format.height, colours })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn only_the_newest_picture_waits_and_only_where_it_is_wanted() {
        let feed = Feed::new();
        let format = PixFormat { width: 3, height: 2, bytesperline: 8, ..PixFormat::default() };
        let rows = [[1u8; 8], [2; 8]].concat();
        feed.offer(&format, Pixels::Yuyv, &rows);
        assert!(feed.next().now_or_never().is_none());
        // As many as there are.
        feed.want(Some(255));
        for count in 3..6u8 {
            feed.state().due = Instant::now();
            feed.offer(&format, Pixels::Yuyv, &[[count; 8], [2; 8]].concat());
        }
        let waiting = feed.waiting();
        let frame = feed.next().now_or_never().unwrap();
        assert_eq!((waiting, feed.waiting()), (Some(frame.shape), None));
        assert_eq!((frame.shape.width, frame.shape.height), (2, 2));
        assert_eq!(frame.bytes, [5, 5, 5, 5, 2, 2, 2, 2]);
        assert!(feed.next().now_or_never().is_none());
        feed.put_back(frame);
        let frame = feed.next().now_or_never().unwrap();
        feed.done(frame);
        // Cut off, or too early.
        feed.state().due = Instant::now();
        feed.offer(&format, Pixels::Yuyv, &rows[..11]);
        assert!(feed.next().now_or_never().is_none());
        feed.state().due = Instant::now() + std::time::Duration::from_mins(1);
        feed.offer(&format, Pixels::Yuyv, &rows);
        assert!(feed.next().now_or_never().is_none());
        // Sizes of which there is no video.
        for (width, height, fit) in
            [(1, 2, false), (2, 2, true), (3840, 2160, true), (8192, 8192, false), (9000, 2, false)]
        {
            assert_eq!(fits(width, height), fit, "{width}x{height}");
        }
        feed.want(None);
        assert!(feed.state().spare.capacity() == 0);
    }
}
