//! Records a screen: one more viewer of the same pixels, that acknowledges when the storage has kept up, and whose encoding
//! rests in proportion to what it cost. A whole picture begins the recording and comes again every few seconds in which
//! something changed, so that a player can begin there.
//!
//! What is kept is what is seen: no sound, no clipboard, no keys.

use crate::picture::Picture;
use crate::registry::Counters;
use crate::tape::{Tape, Wake};
use bytes::Bytes;
use oriel_screen::wire::{ServerRecord, ViewerHello};
use oriel_screen::{Framebuffer, ScreenEvent};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A whole picture is due after so many bytes of changes, or after a time ([`crate::tape::Pace`]).
const KEY_BYTES: usize = 2 << 20;
/// After a frame that took so long to encode, the next waits so many times longer: recording takes at most a sixth of a
/// core, and frames that cost little are all kept.
const REST_FACTOR: u32 = 5;
/// The person's picture comes first, but not for longer than this.
const STARVING_TIME: Duration = Duration::from_millis(500);
/// The person's pointer is noted at most so often.
const POINTER_TIME: Duration = Duration::from_millis(50);

pub(crate) struct ScreenRecorder {
    picture: Picture,
    messages: mpsc::Receiver<Bytes>,
    tape: Tape,
    counters: Counters,
    /// The next message begins with a whole picture.
    key_next: bool,
    key_at: Instant,
    bytes_since_key: usize,
    changed_since_key: bool,
    /// A frame is half-way encoded.
    in_frame: bool,
    busy: Duration,
    rest_until: Instant,
    pointer: Option<(u16, u16)>,
    pointer_at: Instant,
    /// A video frame was left out: those that follow mean nothing until a key frame.
    video_lost: bool,
}

impl ScreenRecorder {
    pub fn start(tape: Tape, pixels: &dyn Framebuffer, cursor: Option<&ServerRecord>) -> Self {
        let (out, messages) = mpsc::channel(8);
        let now = Instant::now();
        let mut recorder = Self {
            picture: Picture::new(0, ViewerHello::default(), out),
            messages,
            tape,
            counters: Counters::default(),
            key_next: true,
            key_at: now,
            bytes_since_key: 0,
            changed_since_key: false,
            in_frame: false,
            busy: Duration::ZERO,
            rest_until: now,
            pointer: None,
            pointer_at: now,
            video_lost: false,
        };
        recorder.picture.restart(pixels, cursor);
        recorder
    }

    pub fn apply(&mut self, event: &ScreenEvent, pixels: &dyn Framebuffer) {
        match event {
            ScreenEvent::Audio { .. } | ScreenEvent::Clipboard(_) | ScreenEvent::Leds(_) => return,
            ScreenEvent::Resize { .. } => {
                self.key_next = true;
                self.in_frame = false;
            }
            ScreenEvent::Video { key, .. } => {
                self.video_lost = !self.tape.is_ready() || self.video_lost && !key;
                if self.video_lost {
                    return;
                }
            }
            _ => {}
        }
        self.changed_since_key = true;
        self.picture.held = !self.tape.is_ready();
        self.picture.apply(event.clone(), pixels);
    }

    /// Where the person's pointer is.
    pub fn pointer(&mut self, x: u16, y: u16) {
        self.pointer = Some((x, y));
    }

    /// True when [`Self::step`] has something to do.
    pub fn has_work(&self) -> bool {
        self.tape.is_ready() && self.picture.has_work() && (self.in_frame || self.rest_until <= Instant::now())
    }

    /// True when the person's picture has kept it from its work for too long.
    pub fn is_starving(&self) -> bool {
        self.rest_until + STARVING_TIME <= Instant::now()
    }

    /// When a rest ends after which there is something to do.
    pub fn resume_at(&self) -> Option<Instant> {
        (self.tape.is_ready() && self.picture.has_work() && !self.in_frame).then_some(self.rest_until)
    }

    pub const fn repair_at(&self) -> Option<Instant> {
        self.picture.repair_at()
    }

    pub fn repair(&mut self, pixels: &dyn Framebuffer) {
        self.picture.repair(pixels);
    }

    /// Encodes one tile, or begins or ends a frame. Errors: why it cannot go on.
    pub fn step(&mut self, pixels: &dyn Framebuffer, cursor: Option<&ServerRecord>) -> Result<(), String> {
        let began = Instant::now();
        if !self.in_frame && !self.key_next && self.changed_since_key && !self.picture.is_open() {
            let old = self.key_at.elapsed() >= self.tape.pace.key;
            if old || self.bytes_since_key >= KEY_BYTES {
                self.note_pointer();
                self.drain();
                self.key_next = true;
                self.picture.restart(pixels, cursor);
            }
        }
        self.in_frame = true;
        self.picture.held = false;
        self.picture.step(pixels, &self.counters).map_err(|bye| bye.text)?;
        self.busy += began.elapsed();
        if !self.picture.is_open() {
            self.in_frame = false;
            self.rest_until = Instant::now() + self.busy * REST_FACTOR;
            self.busy = Duration::ZERO;
            self.picture.acknowledge_all();
        }
        self.drain();
        Ok(())
    }

    /// Hands finished messages to the tape.
    fn drain(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            let key = std::mem::take(&mut self.key_next);
            if key {
                self.key_at = Instant::now();
                self.bytes_since_key = 0;
                self.changed_since_key = false;
            } else {
                self.bytes_since_key += message.len();
            }
            self.tape.push(key, &message);
        }
    }

    fn note_pointer(&mut self) {
        if let Some((x, y)) = self.pointer.take() {
            self.pointer_at = Instant::now();
            self.picture.tell(&ServerRecord::CursorMove { x, y });
        }
        self.picture.flush_control(&self.counters).ok();
    }

    /// Keeps what is due. Errors: why nothing more is kept.
    pub fn tick(&mut self) -> Result<(), String> {
        // What belongs to no picture must not come before the whole one that is on its way.
        if !self.key_next && self.tape.is_ready() && self.pointer_at.elapsed() >= POINTER_TIME {
            self.note_pointer();
            self.drain();
        }
        self.tape.tick()
    }

    pub fn wake(&self) -> Wake {
        self.tape.wake()
    }

    /// The picture as it is at the end, also when the storage is behind: it is one picture.
    pub fn last_picture(&mut self, pixels: &dyn Framebuffer) {
        self.picture.mark();
        while self.picture.has_work() {
            if self.step(pixels, None).is_err() {
                return;
            }
        }
    }

    pub async fn finish(self) {
        self.tape.finish(&[]).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::tests::{HURRY, Kept, Sink, container};
    use oriel_model::ConnectionId;
    use oriel_screen::recording::{RecordingKind, chunk_entries};
    use oriel_screen::{Rect, Surface};
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    fn recorder(surface: &Surface, permits: usize) -> (ScreenRecorder, Kept, Arc<Semaphore>) {
        let (kept, permits) = (Kept::default(), Arc::new(Semaphore::new(permits)));
        let sink = Sink { kept: kept.clone(), permits: Some(permits.clone()) };
        let tape = Tape::start(Box::new(sink), RecordingKind::Screen, ConnectionId::new(), HURRY);
        (ScreenRecorder::start(tape, surface, None), kept, permits)
    }

    /// As the connection's task does while nothing else happens.
    async fn settle(recorder: &mut ScreenRecorder, surface: &Surface) {
        loop {
            recorder.tick().unwrap();
            tokio::task::yield_now().await;
            if recorder.has_work() {
                recorder.step(surface, None).unwrap();
            } else if let Some(at) = recorder.resume_at() {
                tokio::time::sleep_until(at).await;
            } else {
                return;
            }
        }
    }

    fn paint(recorder: &mut ScreenRecorder, surface: &mut Surface, rect: Rect, rgb: [u8; 3]) {
        surface.fill(rect, rgb).unwrap();
        recorder.apply(&ScreenEvent::Damage(rect), surface);
        recorder.apply(&ScreenEvent::FrameEnd, surface);
    }

    /// What a player shows that begins at the last key.
    fn play(kept: &Kept) -> (Surface, usize) {
        let (bytes, container) = container(kept);
        let from = container.chunks.iter().rposition(|chunk| chunk.key).unwrap();
        let mut surface = Surface::default();
        for chunk in &container.chunks[from..] {
            for entry in chunk_entries(&bytes.slice(chunk.offset..chunk.offset + chunk.length)).unwrap() {
                for record in ServerRecord::decode_all(&entry.message).unwrap() {
                    match record {
                        ServerRecord::Resize { width, height } => surface = Surface::new(width, height).unwrap(),
                        ServerRecord::Fill { rect, rgb } => surface.fill(rect, rgb).unwrap(),
                        ServerRecord::Copy { from_x, from_y, to } => surface.copy(from_x, from_y, to).unwrap(),
                        ServerRecord::Tile { rect, bytes, .. } => {
                            let rgba: Vec<u8> = bytes.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
                            surface.put_rgba(rect, &rgba).unwrap();
                        }
                        _ => {}
                    }
                }
            }
        }
        (surface, container.chunks.iter().filter(|chunk| chunk.key).count())
    }

    fn same(a: &Surface, b: &Surface) -> bool {
        a.rgba().chunks_exact(4).zip(b.rgba().chunks_exact(4)).all(|(a, b)| a[..3] == b[..3])
    }

    #[tokio::test]
    async fn a_player_can_begin_at_any_key() {
        let mut surface = Surface::new(30, 30).unwrap();
        let (mut recorder, kept, _) = recorder(&surface, 1000);
        for step in 0..60u8 {
            settle(&mut recorder, &surface).await;
            let at = u16::from(step % 20);
            paint(&mut recorder, &mut surface, Rect::new(at, at, 9, 3), [step + 1, 0, 9]);
            if step % 7 == 0 {
                surface.copy(0, 0, Rect::new(10, 10, 15, 15)).unwrap();
                recorder.apply(&ScreenEvent::Copy { from_x: 0, from_y: 0, to: Rect::new(10, 10, 15, 15) }, &surface);
                recorder.apply(&ScreenEvent::FrameEnd, &surface);
            }
            recorder.pointer(at, at);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        recorder.last_picture(&surface);
        recorder.finish().await;
        let (played, keys) = play(&kept);
        assert!(same(&played, &surface));
        assert!(keys >= 3, "{keys} keys in 0.6 seconds, one each 0.1 s");
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_screen_that_rests() {
        let surface = Surface::new(30, 30).unwrap();
        let (mut recorder, kept, _) = recorder(&surface, 1000);
        for _ in 0..60 {
            settle(&mut recorder, &surface).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(kept.lock().unwrap().len(), 2, "the header and the first picture");
    }

    #[tokio::test]
    async fn while_the_storage_is_behind_pictures_become_one() {
        let mut surface = Surface::new(30, 30).unwrap();
        let (mut recorder, kept, permits) = recorder(&surface, 0);
        let mut behind = 0;
        for step in 0..u32::MAX {
            settle(&mut recorder, &surface).await;
            paint(&mut recorder, &mut surface, Rect::new(0, 0, 30, 30), [(step % 251) as u8, 7, 7]);
            recorder.apply(&ScreenEvent::Copy { from_x: 0, from_y: 0, to: Rect::new(5, 5, 9, 9) }, &surface);
            recorder.apply(&ScreenEvent::FrameEnd, &surface);
            // A second's worth of chunks is on its way; after that ten thousand changes are one picture.
            if recorder.tape.is_ready() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                behind += 1;
                if behind == 10_000 {
                    break;
                }
            }
        }
        permits.add_permits(10_000);
        recorder.wake().wait().await;
        settle(&mut recorder, &surface).await;
        recorder.last_picture(&surface);
        recorder.finish().await;
        let (played, _) = play(&kept);
        assert!(same(&played, &surface));
        let bytes: usize = kept.lock().unwrap().iter().map(|chunk| chunk.bytes.len()).sum();
        assert!(bytes < 200_000, "{bytes} bytes of ten thousand changes that could not be kept");
    }
}
