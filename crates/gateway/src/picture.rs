//! One viewer's picture: what it has, what it lacks, and the message being written for it.

use crate::VIEWER_PENDING_BYTES_MAX;
use crate::command::{Bye, ViewerId};
use crate::registry::Counters;
use bytes::Bytes;
use oriel_screen::encode::{Encoder, Fidelity, tiles};
use oriel_screen::wire::{ServerRecord, ViewerHello};
use oriel_screen::{Damage, FRAMES_IN_FLIGHT_MAX, Framebuffer, Rect, ScreenEvent};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long a picture must rest before what was sent lossy is sent again without loss.
const REPAIR_AFTER: Duration = Duration::from_millis(600);

pub(crate) struct Picture {
    pub id: ViewerId,
    pub hello: ViewerHello,
    out: mpsc::Sender<Bytes>,
    /// Not sent yet.
    dirty: Damage,
    /// Tiles of the frame being encoded, one at a time so that input is served between them.
    queue: VecDeque<Rect>,
    fidelity: Fidelity,
    encoder: Encoder,
    /// Records that leave with the next frame, or at once when no frame is being written.
    message: Vec<u8>,
    /// The message holds part of a picture, so it must end with a frame end.
    in_frame: bool,
    /// The source said that what is dirty is a whole picture.
    marked: bool,
    sequence: u32,
    acked: u32,
    repair_at: Option<Instant>,
    /// Nothing is forwarded for now, only what is dirty is noted.
    pub held: bool,
}

impl Picture {
    pub fn new(id: ViewerId, hello: ViewerHello, out: mpsc::Sender<Bytes>) -> Self {
        Self {
            id,
            hello,
            out,
            dirty: Damage::default(),
            queue: VecDeque::new(),
            fidelity: Fidelity::Fast,
            encoder: Encoder::default(),
            message: Vec::new(),
            in_frame: false,
            marked: false,
            sequence: 0,
            acked: 0,
            repair_at: None,
            held: false,
        }
    }

    /// Adds a record that is not part of a picture; it leaves at once unless a frame is being written.
    pub fn tell(&mut self, record: &ServerRecord) {
        record.encode(&mut self.message);
    }

    /// The surface starts anew: its size, and everything dirty.
    pub fn restart(&mut self, pixels: &dyn Framebuffer, cursor: Option<&ServerRecord>) {
        self.queue.clear();
        self.dirty.clear();
        self.encoder.lossy().clear();
        let (width, height) = (pixels.width(), pixels.height());
        self.tell(&ServerRecord::Resize { width, height });
        if let Some(cursor) = cursor {
            self.tell(cursor);
        }
        self.dirty.add(Rect::new(0, 0, width, height));
        self.marked = true;
    }

    /// Takes over what happened on the screen; the source's framebuffer has the pixels already.
    pub fn apply(&mut self, event: ScreenEvent, pixels: &dyn Framebuffer) {
        match event {
            ScreenEvent::Resize { .. } => self.restart(pixels, None),
            ScreenEvent::Damage(rect) => self.damage(rect),
            ScreenEvent::Copy { from_x, from_y, to } => self.copy(from_x, from_y, to),
            ScreenEvent::Tile { rect, codec, bytes } => {
                if self.accepts_direct() && !self.is_dirty(&rect) {
                    self.tell(&ServerRecord::Tile { rect, codec, bytes });
                    self.in_frame = true;
                } else {
                    self.damage(rect);
                }
            }
            ScreenEvent::Video { rect, codec, key, bytes } => {
                self.tell(&ServerRecord::Video { rect, codec, key, bytes });
                self.in_frame = true;
            }
            ScreenEvent::Audio { codec, channels, rate, time_ms, bytes } => {
                self.tell(&ServerRecord::Audio { codec, channels, rate, time_ms, bytes });
            }
            ScreenEvent::Cursor { hot_x, hot_y, width, height, rgba } => {
                self.tell(&ServerRecord::Cursor { hot_x, hot_y, width, height, rgba });
            }
            ScreenEvent::CursorHidden => self.tell(&ServerRecord::cursor_hidden()),
            ScreenEvent::CursorDefault => self.tell(&ServerRecord::CursorDefault),
            ScreenEvent::CursorMove { x, y } => self.tell(&ServerRecord::CursorMove { x, y }),
            ScreenEvent::Clipboard(text) => self.tell(&ServerRecord::Clipboard(text)),
            ScreenEvent::Bell => self.tell(&ServerRecord::Bell),
            ScreenEvent::Leds(bits) => self.tell(&ServerRecord::Leds(bits)),
            ScreenEvent::Title(_) => {}
            ScreenEvent::FrameEnd => self.marked = true,
        }
    }

    fn damage(&mut self, rect: Rect) {
        self.dirty.add(rect);
        self.repair_at = None;
    }

    fn is_dirty(&self, rect: &Rect) -> bool {
        self.dirty.touches(rect) || self.queue.iter().any(|tile| !tile.intersect(rect).is_empty())
    }

    /// A copy is forwarded as a copy only when the viewer has the pixels that move.
    fn copy(&mut self, from_x: u16, from_y: u16, to: Rect) {
        let from = Rect::new(from_x, from_y, to.w, to.h);
        if self.accepts_direct() && !self.is_dirty(&from) && !self.is_dirty(&to) {
            self.tell(&ServerRecord::Copy { from_x, from_y, to });
            self.in_frame = true;
            if self.encoder.lossy().touches(&from) {
                self.encoder.lossy().add(to);
            }
        } else {
            self.damage(to);
        }
    }

    fn accepts_direct(&self) -> bool {
        !self.held && self.has_room()
    }

    const fn has_room(&self) -> bool {
        self.in_flight() < FRAMES_IN_FLIGHT_MAX
    }

    pub fn acknowledge(&mut self, sequence: u32) {
        // Only what was sent can be acknowledged, and never backwards.
        let ahead = sequence.wrapping_sub(self.acked);
        if ahead <= self.in_flight() {
            self.acked = sequence;
        }
    }

    /// As if everything that was sent had been acknowledged.
    pub const fn acknowledge_all(&mut self) {
        self.acked = self.sequence;
    }

    /// What waits is a whole picture.
    pub const fn mark(&mut self) {
        self.marked = true;
    }

    /// Part of a picture is in the message that is being written.
    pub fn is_open(&self) -> bool {
        self.in_frame || !self.queue.is_empty()
    }

    pub const fn in_flight(&self) -> u32 {
        self.sequence.wrapping_sub(self.acked)
    }

    /// True when the viewer would take a new picture now: the source may be asked for one.
    pub fn is_hungry(&self) -> bool {
        self.has_room() && self.queue.is_empty() && self.dirty.is_empty()
    }

    /// True when [`Self::step`] has something to do.
    pub fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.has_room() && self.marked && (self.in_frame || !self.dirty.is_empty())
    }

    /// Encodes one tile, or begins or ends a frame.
    pub fn step(&mut self, pixels: &dyn Framebuffer, counters: &Counters) -> Result<(), Bye> {
        if self.queue.is_empty() {
            self.marked = false;
            let dirty = self.dirty.take(pixels.width(), pixels.height());
            self.queue.extend(dirty.into_iter().flat_map(tiles));
            self.in_frame = true;
        }
        if let Some(tile) = self.queue.pop_front() {
            self.encoder.frame(pixels, &[tile], self.fidelity, &mut self.message);
        }
        if self.queue.is_empty() {
            self.sequence = self.sequence.wrapping_add(1);
            ServerRecord::FrameEnd { sequence: self.sequence }.encode(&mut self.message);
            self.in_frame = false;
            if self.fidelity == Fidelity::Lossless {
                self.fidelity = Fidelity::Fast;
            }
            self.repair_at = (!self.encoder.lossy().is_empty()).then(|| Instant::now() + REPAIR_AFTER);
            self.flush(counters, 1)?;
        }
        Ok(())
    }

    /// When the picture has rested long enough to be repaired.
    pub const fn repair_at(&self) -> Option<Instant> {
        self.repair_at
    }

    /// What was sent lossy becomes dirty again, this time for a lossless frame.
    pub fn repair(&mut self, pixels: &dyn Framebuffer) {
        self.repair_at = None;
        for rect in self.encoder.lossy().take(pixels.width(), pixels.height()) {
            self.dirty.add(rect);
        }
        self.fidelity = Fidelity::Lossless;
        self.marked = true;
    }

    /// Sends what waits and is not part of an unfinished frame.
    pub fn flush_control(&mut self, counters: &Counters) -> Result<(), Bye> {
        if self.in_frame || !self.queue.is_empty() || self.message.is_empty() {
            return Ok(());
        }
        self.flush(counters, 0)
    }

    fn flush(&mut self, counters: &Counters, frames: u64) -> Result<(), Bye> {
        if self.message.len() > VIEWER_PENDING_BYTES_MAX {
            return Err(Bye::new(
                oriel_screen::ByeCode::TooSlow,
                "the network to this browser is too slow for the screen; connect again",
            ));
        }
        // A socket that is behind gets what waits with the next message. Acknowledgements pace the frames, so this is rare
        // and bounded by the check above. A closed channel is followed by the viewer's Detach.
        if let Ok(permit) = self.out.try_reserve() {
            counters.sent(self.message.len(), frames);
            permit.send(Bytes::from(std::mem::take(&mut self.message)));
        }
        Ok(())
    }

    /// Says why it is over and lets go.
    pub fn farewell(mut self, bye: &Bye) {
        ServerRecord::Bye { code: bye.code, text: bye.text.clone() }.encode(&mut self.message);
        self.out.try_send(Bytes::from(self.message)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_screen::Surface;

    fn picture() -> (Picture, mpsc::Receiver<Bytes>, Counters) {
        let (out, messages) = mpsc::channel(16);
        (Picture::new(1, ViewerHello::default(), out), messages, Counters::default())
    }

    fn drain(picture: &mut Picture, surface: &Surface, counters: &Counters) {
        while picture.has_work() {
            picture.step(surface, counters).unwrap();
        }
    }

    #[test]
    fn a_slow_viewer_gets_what_is_dirty_by_then_and_no_backlog() {
        let surface = Surface::new(100, 100).unwrap();
        let (mut picture, mut messages, counters) = picture();
        picture.restart(&surface, None);
        drain(&mut picture, &surface, &counters);
        for i in 0..50 {
            picture.apply(ScreenEvent::Damage(Rect::new(i, i, 10, 10)), &surface);
            picture.apply(ScreenEvent::FrameEnd, &surface);
            drain(&mut picture, &surface, &counters);
        }
        assert_eq!(picture.in_flight(), FRAMES_IN_FLIGHT_MAX);
        let mut frames = 0;
        while messages.try_recv().is_ok() {
            frames += 1;
        }
        assert_eq!(frames, FRAMES_IN_FLIGHT_MAX);
        picture.acknowledge(3);
        assert!(picture.has_work());
        drain(&mut picture, &surface, &counters);
        assert!(messages.try_recv().is_ok() && messages.try_recv().is_err());
    }

    #[test]
    fn acknowledgements_of_frames_never_sent_are_ignored() {
        let surface = Surface::new(10, 10).unwrap();
        let (mut picture, _messages, counters) = picture();
        picture.restart(&surface, None);
        drain(&mut picture, &surface, &counters);
        picture.acknowledge(1000);
        assert_eq!(picture.in_flight(), 1);
        picture.acknowledge(1);
        assert_eq!(picture.in_flight(), 0);
        picture.acknowledge(0);
        assert_eq!(picture.in_flight(), 0);
    }

    #[test]
    fn a_copy_of_pixels_the_viewer_lacks_becomes_damage() {
        let surface = Surface::new(100, 100).unwrap();
        let (mut picture, mut messages, counters) = picture();
        picture.restart(&surface, None);
        drain(&mut picture, &surface, &counters);
        messages.try_recv().unwrap();
        let copies = |message: Bytes| {
            ServerRecord::decode_all(&message)
                .unwrap()
                .iter()
                .filter(|r| matches!(r, ServerRecord::Copy { .. }))
                .count()
        };
        picture.apply(ScreenEvent::Copy { from_x: 0, from_y: 50, to: Rect::new(0, 0, 100, 50) }, &surface);
        picture.apply(ScreenEvent::FrameEnd, &surface);
        drain(&mut picture, &surface, &counters);
        assert_eq!(copies(messages.try_recv().unwrap()), 1);
        picture.apply(ScreenEvent::Damage(Rect::new(0, 60, 10, 10)), &surface);
        picture.apply(ScreenEvent::Copy { from_x: 0, from_y: 50, to: Rect::new(0, 0, 100, 50) }, &surface);
        picture.apply(ScreenEvent::FrameEnd, &surface);
        drain(&mut picture, &surface, &counters);
        assert_eq!(copies(messages.try_recv().unwrap()), 0);
    }
}
