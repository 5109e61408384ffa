//! One viewer's picture: what it has, what it lacks, and the message being written for it.

use crate::command::{Bye, ViewerId};
use crate::registry::Counters;
use crate::video::Video;
use crate::{SOUND_BEHIND_MESSAGES_MAX, VIDEO_HELD_BYTES_MAX, VIDEO_HELD_UNITS_MAX, VIEWER_PENDING_BYTES_MAX};
use bytes::Bytes;
use oriel_screen::encode::{Encoder, Fidelity, tiles};
use oriel_screen::wire::{ServerRecord, ViewerHello};
use oriel_screen::{Damage, FRAMES_IN_FLIGHT_MAX, Framebuffer, Rect, Region, ScreenEvent};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long a picture must rest before what was sent lossy is sent again without loss.
const REPAIR_AFTER: Duration = Duration::from_millis(600);
/// While so much waits for a viewer, it is told nothing that can be left out.
const LIGHT_BYTES_MAX: usize = 16 << 10;

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
    /// When it has rested for [`REPAIR_AFTER`].
    repair_at: Option<Instant>,
    /// Video that came while the viewer was behind.
    held: Vec<ServerRecord>,
    held_bytes: usize,
    /// The viewer cannot follow the video before the next key frame.
    lost: bool,
    /// The viewer plays sound.
    listens: bool,
    /// Frame ends of the source so far, those in each frame that is not acknowledged, and those that are shown.
    marks: u64,
    marked_frames: VecDeque<(u32, u64)>,
    shown: u64,
    /// Nothing is forwarded for now: what is dirty is noted, and video waits.
    pub paused: bool,
    /// The viewer decodes no video, and video is all there is: it sees what the framebuffer has.
    pub without_video: bool,
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
            held: Vec::new(),
            held_bytes: 0,
            lost: false,
            listens: false,
            marks: 0,
            marked_frames: VecDeque::new(),
            shown: 0,
            paused: false,
            without_video: false,
        }
    }

    /// Adds a record that is not part of a picture; it leaves at once unless a frame is being written.
    pub fn tell(&mut self, record: &ServerRecord) {
        record.encode(&mut self.message);
    }

    /// Whether the viewer plays sound from now on; one that has said nothing does not.
    pub const fn listen(&mut self, on: bool) {
        self.listens = on;
    }

    /// The surface starts anew: its size, everything dirty, and the video so far. `marks`: frame ends of the source so far.
    pub fn restart(&mut self, pixels: &dyn Framebuffer, cursor: Option<&ServerRecord>, video: &Video, marks: u64) {
        self.queue.clear();
        if marks < self.marks {
            // Another session of the machine, whose frames are counted anew.
            self.marked_frames.clear();
            self.shown = 0;
        }
        self.marks = marks;
        self.dirty.clear();
        self.encoder.lossy().clear();
        let (width, height) = (pixels.width(), pixels.height());
        self.tell(&ServerRecord::Resize { width, height });
        if let Some(cursor) = cursor {
            self.tell(cursor);
        }
        self.dirty.add(Rect::new(0, 0, width, height));
        self.marked = true;
        self.resume_video(video);
    }

    /// Sends the video so far, where it can be begun; until then frames are left out.
    pub fn resume_video(&mut self, video: &Video) {
        self.held.clear();
        self.held_bytes = 0;
        if self.without_video {
            self.lost = false;
            return;
        }
        let replay = video.replay();
        self.lost = replay.is_none();
        for record in replay.unwrap_or_default() {
            self.tell(&record);
            self.in_frame = true;
            self.marked = true;
        }
    }

    /// The viewer lost its place in the video.
    pub fn lose_video(&mut self) {
        self.lost = true;
    }

    /// True until a key frame comes.
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// True when the viewer lacks a key frame and would take one.
    pub fn wants_key(&self) -> bool {
        self.lost && self.accepts_direct()
    }

    /// Frame ends of the source that the viewer has shown.
    pub fn shown(&self) -> u64 {
        // A mark without anything to show makes no frame.
        let idle = self.in_flight() == 0 && !self.in_frame && self.held.is_empty();
        if idle && self.dirty.is_empty() && self.queue.is_empty() { self.marks } else { self.shown }
    }

    fn video(&mut self, record: ServerRecord) {
        if self.without_video {
            return;
        }
        let ServerRecord::Video { rect, regions, key, bytes, .. } = &record else { return };
        // Tiles of this frame that are not encoded yet would paint over it what was there before.
        for region in regions.as_deref().unwrap_or(std::slice::from_ref(rect)) {
            if self.queue.iter().any(|tile| !tile.intersect(region).is_empty()) {
                let mut hole = Region::default();
                hole.add(*region);
                self.queue = self.queue.iter().flat_map(|tile| hole.outside(tile)).collect();
            }
        }
        if *key {
            self.lost = false;
            if !self.accepts_direct() {
                // What waits is older than a picture that stands alone.
                let stream = *rect;
                self.held.retain(|held| !matches!(held, ServerRecord::Video { rect, .. } if *rect == stream));
                self.held_bytes = self.held.iter().map(video_bytes).sum();
            }
        }
        if self.lost {
            return;
        }
        if self.accepts_direct() && self.held.is_empty() {
            self.tell(&record);
            self.in_frame = true;
            return;
        }
        self.held_bytes += bytes.len();
        self.held.push(record);
        if self.held_bytes > VIDEO_HELD_BYTES_MAX || self.held.len() > VIDEO_HELD_UNITS_MAX {
            self.held.clear();
            self.held_bytes = 0;
            self.lost = true;
        }
    }

    /// Takes over what happened on the screen; the source's framebuffer has the pixels already.
    pub fn apply(&mut self, event: ScreenEvent, pixels: &dyn Framebuffer, video: &Video) {
        match event {
            ScreenEvent::Resize { .. } => self.restart(pixels, None, video, self.marks),
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
            ScreenEvent::Video { rect, regions, codec, key, bytes } => {
                self.video(ServerRecord::Video { rect, regions, codec, key, bytes });
            }
            ScreenEvent::Audio { codec, channels, rate, time_ms, bytes } => {
                // Sound that comes late is worth nothing: a viewer that is behind misses some and stays with the picture.
                let behind = self.out.max_capacity() - self.out.capacity();
                if self.listens && behind <= SOUND_BEHIND_MESSAGES_MAX {
                    self.tell(&ServerRecord::Audio { codec, channels, rate, time_ms, bytes });
                }
            }
            ScreenEvent::Cursor { hot_x, hot_y, width, height, rgba } => {
                self.tell(&ServerRecord::Cursor { hot_x, hot_y, width, height, rgba });
            }
            ScreenEvent::CursorHidden => self.tell(&ServerRecord::cursor_hidden()),
            ScreenEvent::CursorDefault => self.tell(&ServerRecord::CursorDefault),
            ScreenEvent::CursorMove { x, y } => self.tell(&ServerRecord::CursorMove { x, y }),
            ScreenEvent::Rich(rich) => self.tell(&ServerRecord::Rich(rich)),
            ScreenEvent::Clipboard(text) => self.tell(&ServerRecord::Clipboard(text)),
            ScreenEvent::Bell => self.tell(&ServerRecord::Bell),
            ScreenEvent::Leds(bits) => self.tell(&ServerRecord::Leds(bits)),
            ScreenEvent::Title(_) | ScreenEvent::Microphone(_) | ScreenEvent::Touch(_) => {}
            ScreenEvent::FrameEnd => {
                self.marked = true;
                self.marks += 1;
            }
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
        !self.paused && self.has_room()
    }

    const fn has_room(&self) -> bool {
        self.in_flight() < FRAMES_IN_FLIGHT_MAX
    }

    pub fn acknowledge(&mut self, sequence: u32) {
        // Only what was sent can be acknowledged, and never backwards.
        let ahead = sequence.wrapping_sub(self.acked);
        if ahead <= self.in_flight() {
            self.acked = sequence;
            let acked = |frame: &&(u32, u64)| sequence.wrapping_sub(frame.0) < u32::MAX / 2;
            while let Some((_, marks)) = self.marked_frames.front().filter(acked).copied() {
                self.shown = marks;
                self.marked_frames.pop_front();
            }
        }
    }

    /// As if everything that was sent had been acknowledged.
    pub fn acknowledge_all(&mut self) {
        self.acknowledge(self.sequence);
    }

    /// What waits is a whole picture.
    pub const fn mark(&mut self) {
        self.marked = true;
    }

    /// As [`Self::restart`], and forgets what was not sent: the whole picture stands for it.
    pub fn begin_anew(&mut self, pixels: &dyn Framebuffer, cursor: Option<&ServerRecord>, video: &Video) {
        self.message.clear();
        self.in_frame = false;
        self.restart(pixels, cursor, video, self.marks);
    }

    /// Part of a picture waits to be encoded.
    pub fn is_encoding(&self) -> bool {
        !self.queue.is_empty()
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
        let new = self.in_frame || !self.held.is_empty() || !self.dirty.is_empty();
        !self.queue.is_empty() || self.has_room() && self.marked && new
    }

    /// True when [`Self::step`] reads pixels rather than ends a frame whose pictures were all handed on.
    pub fn reads_pixels(&self) -> bool {
        !self.queue.is_empty() || !self.dirty.is_empty()
    }

    /// Encodes one tile, or begins or ends a frame. Where `video` is on the screen, no tiles are sent.
    pub fn step(&mut self, pixels: &dyn Framebuffer, video: &Region, counters: &Counters) -> Result<(), Bye> {
        if self.queue.is_empty() {
            self.marked = false;
            for record in std::mem::take(&mut self.held) {
                self.tell(&record);
            }
            self.held_bytes = 0;
            let dirty = self.dirty.take(pixels.width(), pixels.height());
            let dirty = dirty.iter().flat_map(|rect| video.outside(rect));
            self.queue.extend(dirty.flat_map(tiles));
            self.in_frame = true;
            self.marked_frames.push_back((self.sequence.wrapping_add(1), self.marks));
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
            let rests = !self.encoder.lossy().is_empty() || self.encoder.is_warm();
            self.repair_at = rests.then(|| Instant::now() + REPAIR_AFTER);
            self.flush(counters, 1)?;
        }
        Ok(())
    }

    /// When the picture has rested long enough to be repaired, and to hold no more memory than it needs.
    pub const fn repair_at(&self) -> Option<Instant> {
        self.repair_at
    }

    /// What was sent lossy becomes dirty again, this time for a lossless frame.
    pub fn repair(&mut self, pixels: &dyn Framebuffer) {
        self.repair_at = None;
        if self.encoder.lossy().is_empty() {
            self.encoder.rest();
            return;
        }
        for rect in self.encoder.lossy().take(pixels.width(), pixels.height()) {
            self.dirty.add(rect);
        }
        self.fidelity = Fidelity::Lossless;
        self.marked = true;
    }

    /// Sends what waits and is not part of an unfinished frame. Errors: more waits than may, also for a frame that never ends.
    pub fn flush_control(&mut self, counters: &Counters) -> Result<(), Bye> {
        self.check_pending()?;
        if self.in_frame || !self.queue.is_empty() || self.message.is_empty() {
            return Ok(());
        }
        self.flush(counters, 0)
    }

    fn check_pending(&self) -> Result<(), Bye> {
        if self.message.len() > VIEWER_PENDING_BYTES_MAX {
            return Err(Bye::new(
                oriel_screen::ByeCode::TooSlow,
                "the network to this browser is too slow for the screen; connect again",
            ));
        }
        Ok(())
    }

    fn flush(&mut self, counters: &Counters, frames: u64) -> Result<(), Bye> {
        self.check_pending()?;
        // A socket that is behind gets what waits with the next message. Acknowledgements pace the frames, so this is rare
        // and bounded by the check above. A closed channel is followed by the viewer's Detach.
        if let Ok(permit) = self.out.try_reserve() {
            counters.sent(self.message.len(), frames);
            permit.send(Bytes::from(std::mem::take(&mut self.message)));
        }
        Ok(())
    }

    /// As [`Self::tell`], unless much waits already: what is told next is as good.
    pub fn tell_lightly(&mut self, record: &ServerRecord) {
        if self.message.len() < LIGHT_BYTES_MAX {
            self.tell(record);
        }
    }

    /// Says why it is over and lets go.
    pub fn farewell(mut self, bye: &Bye) {
        ServerRecord::Bye { code: bye.code, text: bye.text.clone() }.encode(&mut self.message);
        self.out.try_send(Bytes::from(self.message)).ok();
    }
}

fn video_bytes(record: &ServerRecord) -> usize {
    match record {
        ServerRecord::Video { bytes, .. } => bytes.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_screen::{Surface, VideoCodec};

    fn picture() -> (Picture, mpsc::Receiver<Bytes>, Counters) {
        let (out, messages) = mpsc::channel(16);
        (Picture::new(1, ViewerHello::default(), out), messages, Counters::default())
    }

    fn drain(picture: &mut Picture, surface: &Surface, counters: &Counters) {
        while picture.has_work() {
            picture.step(surface, &Region::default(), counters).unwrap();
        }
    }

    #[test]
    fn a_slow_viewer_gets_what_is_dirty_by_then_and_no_backlog() {
        let surface = Surface::new(100, 100).unwrap();
        let (mut picture, mut messages, counters) = picture();
        picture.restart(&surface, None, &Video::default(), 0);
        drain(&mut picture, &surface, &counters);
        for i in 0..50 {
            picture.apply(ScreenEvent::Damage(Rect::new(i, i, 10, 10)), &surface, &Video::default());
            picture.apply(ScreenEvent::FrameEnd, &surface, &Video::default());
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
        picture.restart(&surface, None, &Video::default(), 0);
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
        picture.restart(&surface, None, &Video::default(), 0);
        drain(&mut picture, &surface, &counters);
        messages.try_recv().unwrap();
        let copies = |message: Bytes| {
            ServerRecord::decode_all(&message)
                .unwrap()
                .iter()
                .filter(|r| matches!(r, ServerRecord::Copy { .. }))
                .count()
        };
        picture.apply(
            ScreenEvent::Copy { from_x: 0, from_y: 50, to: Rect::new(0, 0, 100, 50) },
            &surface,
            &Video::default(),
        );
        picture.apply(ScreenEvent::FrameEnd, &surface, &Video::default());
        drain(&mut picture, &surface, &counters);
        assert_eq!(copies(messages.try_recv().unwrap()), 1);
        picture.apply(ScreenEvent::Damage(Rect::new(0, 60, 10, 10)), &surface, &Video::default());
        picture.apply(
            ScreenEvent::Copy { from_x: 0, from_y: 50, to: Rect::new(0, 0, 100, 50) },
            &surface,
            &Video::default(),
        );
        picture.apply(ScreenEvent::FrameEnd, &surface, &Video::default());
        drain(&mut picture, &surface, &counters);
        assert_eq!(copies(messages.try_recv().unwrap()), 0);
    }

    const SCREEN: Rect = Rect::new(0, 0, 100, 100);

    fn unit(key: bool, bytes: usize) -> ScreenEvent {
        let regions = Some(vec![SCREEN]);
        ScreenEvent::Video { rect: SCREEN, regions, codec: VideoCodec::H264, key, bytes: vec![7; bytes].into() }
    }

    /// What a message paints, in its order: `V` a key frame, `v` another, `t` tiles.
    fn story(message: &Bytes) -> String {
        let letters = ServerRecord::decode_all(message).unwrap().into_iter().filter_map(|record| match record {
            ServerRecord::Video { key: true, .. } => Some('V'),
            ServerRecord::Video { .. } => Some('v'),
            ServerRecord::Tile { .. } | ServerRecord::Fill { .. } => Some('t'),
            ServerRecord::FrameEnd { .. } => Some('|'),
            _ => None,
        });
        letters.collect()
    }

    /// One event for the picture and for what is remembered, as the task does it.
    fn happen(picture: &mut Picture, video: &mut Video, event: ScreenEvent, surface: &Surface) {
        video.follow(&event);
        picture.apply(event, surface, video);
    }

    fn run(picture: &mut Picture, video: &Video, surface: &Surface, counters: &Counters) {
        while picture.has_work() {
            picture.step(surface, video.region(), counters).unwrap();
        }
    }

    #[test]
    fn video_and_tiles_keep_their_order_and_tiles_leave_video_alone() {
        let surface = Surface::new(100, 100).unwrap();
        let (mut picture, mut messages, counters) = picture();
        let mut video = Video::default();
        picture.restart(&surface, None, &video, 0);
        // Painted, then covered by video in the same picture: only the video is sent.
        happen(&mut picture, &mut video, ScreenEvent::Damage(Rect::new(0, 0, 50, 50)), &surface);
        happen(&mut picture, &mut video, unit(true, 9), &surface);
        happen(&mut picture, &mut video, ScreenEvent::FrameEnd, &surface);
        run(&mut picture, &video, &surface, &counters);
        assert_eq!(story(&messages.try_recv().unwrap()), "V|");
        // Painted over the video: after it.
        happen(&mut picture, &mut video, unit(false, 9), &surface);
        happen(&mut picture, &mut video, ScreenEvent::Damage(Rect::new(0, 0, 50, 50)), &surface);
        happen(&mut picture, &mut video, ScreenEvent::FrameEnd, &surface);
        run(&mut picture, &video, &surface, &counters);
        assert_eq!(story(&messages.try_recv().unwrap()), "vt|");
        // Who joins now gets the video from its key frame on, and tiles only where it is not.
        let (mut joiner, mut joined, counters) = self::picture();
        joiner.restart(&surface, None, &video, 2);
        run(&mut joiner, &video, &surface, &counters);
        assert_eq!(story(&joined.try_recv().unwrap()), "Vvt|");
    }

    #[test]
    fn the_source_hears_of_a_frame_when_the_viewer_has_shown_it() {
        let surface = Surface::new(100, 100).unwrap();
        let (mut picture, _messages, counters) = picture();
        let mut video = Video::default();
        picture.restart(&surface, None, &video, 0);
        run(&mut picture, &video, &surface, &counters);
        for at in 1..=5u64 {
            happen(&mut picture, &mut video, unit(at == 1, 9), &surface);
            happen(&mut picture, &mut video, ScreenEvent::FrameEnd, &surface);
            run(&mut picture, &video, &surface, &counters);
        }
        // Three in flight: the first picture and two of the video; the others wait.
        assert_eq!((picture.in_flight(), picture.shown()), (3, 0));
        picture.acknowledge(2);
        assert_eq!(picture.shown(), 1);
        run(&mut picture, &video, &surface, &counters);
        picture.acknowledge(4);
        assert_eq!(picture.shown(), 5);
        // A picture in which nothing changes is shown as soon as all before it is.
        happen(&mut picture, &mut video, ScreenEvent::FrameEnd, &surface);
        assert!(!picture.has_work());
        assert_eq!(picture.shown(), 6);
    }

    #[test]
    fn a_viewer_that_is_behind_goes_on_with_a_key_frame() {
        let surface = Surface::new(100, 100).unwrap();
        let (mut picture, mut messages, counters) = picture();
        let mut video = Video::default();
        picture.restart(&surface, None, &video, 0);
        run(&mut picture, &video, &surface, &counters);
        happen(&mut picture, &mut video, unit(true, 9), &surface);
        for _ in 0..500 {
            happen(&mut picture, &mut video, unit(false, 100_000), &surface);
            happen(&mut picture, &mut video, ScreenEvent::FrameEnd, &surface);
            run(&mut picture, &video, &surface, &counters);
            assert!(picture.held_bytes <= VIDEO_HELD_BYTES_MAX);
        }
        assert!(!picture.wants_key(), "a viewer that takes nothing needs nothing");
        while messages.try_recv().is_ok() {}
        picture.acknowledge(3);
        assert!(picture.wants_key());
        happen(&mut picture, &mut video, unit(false, 9), &surface);
        happen(&mut picture, &mut video, unit(true, 9), &surface);
        happen(&mut picture, &mut video, unit(false, 9), &surface);
        happen(&mut picture, &mut video, ScreenEvent::FrameEnd, &surface);
        run(&mut picture, &video, &surface, &counters);
        assert_eq!(story(&messages.try_recv().unwrap()), "Vv|");
        assert!(!picture.wants_key());
    }

    #[test]
    fn what_waits_is_bounded_also_for_a_frame_that_does_not_end() {
        const UNIT_BYTES: usize = 1 << 20;
        let surface = Surface::new(100, 100).unwrap();
        let (mut picture, _messages, counters) = picture();
        let mut video = Video::default();
        video.follow(&unit(true, UNIT_BYTES));
        // Each time the video so far is told anew, in a frame that nobody ends.
        let times = (0..VIEWER_PENDING_BYTES_MAX / UNIT_BYTES * 2).take_while(|_| {
            picture.restart(&surface, None, &video, 0);
            picture.flush_control(&counters).is_ok()
        });
        assert_eq!(times.count(), VIEWER_PENDING_BYTES_MAX / UNIT_BYTES - 1);
        assert!(picture.message.len() < VIEWER_PENDING_BYTES_MAX + 2 * UNIT_BYTES);
    }
}
