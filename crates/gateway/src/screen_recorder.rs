//! Records a screen: one more viewer of the same pixels, that acknowledges when the storage has kept up, and whose encoding
//! rests in proportion to what it cost. A whole picture begins the recording and comes again every few seconds in which
//! something changed, so that a player can begin there.
//!
//! What is kept is what is seen, no sound; and where the rules say so, what is typed and what goes through the clipboard.

use crate::picture::Picture;
use crate::registry::Counters;
use crate::tape::{NOTES_BYTES_MAX, Tape, Wake};
use crate::video::Video;
use bytes::Bytes;
use oriel_screen::recording::typed::{Clips, Typist};
use oriel_screen::wire::{ServerRecord, ViewerHello};
use oriel_screen::{Framebuffer, InputEvent, ScreenEvent};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A whole picture is due after so many bytes of changes, or after a time ([`crate::tape::Pace`]).
const KEY_BYTES: usize = 2 << 20;
/// A whole picture begins video with its last key frame and what followed. That may always be so much; beyond, no more than
/// what lies since the last whole picture, so that whole pictures at most double a recording.
const KEY_VIDEO_BYTES: usize = 256 << 10;
/// After a frame that took so long to encode, the next waits so many times longer: recording takes at most a sixth of a
/// core, and frames that cost little are all kept.
const REST_FACTOR: u32 = 5;
/// The person's picture comes first, but not for longer than this.
const STARVING_TIME: Duration = Duration::from_millis(500);
/// The person's pointer is noted at most so often.
const POINTER_TIME: Duration = Duration::from_millis(50);
/// The machine is asked for a key frame at most so often: when video had to be left out, and when no player can begin here
/// because the last key frame is too far back.
const ASK_TIME: Duration = Duration::from_secs(5);
const ASK_OVERDUE_TIME: Duration = Duration::from_mins(1);

/// What is on the screen now.
pub(crate) struct Now<'a> {
    pub pixels: &'a dyn Framebuffer,
    pub cursor: Option<&'a ServerRecord>,
    pub video: &'a Video,
}

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
    pointer_moved: bool,
    pointer_at: Instant,
    asked_at: Option<Instant>,
    typist: Typist,
    /// What goes through the clipboard, each way.
    copies: Clips,
    pastes: Clips,
    /// Records of what was typed and copied, on their way to the tape.
    notes: Vec<u8>,
}

impl ScreenRecorder {
    pub fn start(tape: Tape, now: &Now<'_>) -> Self {
        let (out, messages) = mpsc::channel(8);
        let at = Instant::now();
        let mut recorder = Self {
            picture: Picture::new(0, ViewerHello::default(), out),
            messages,
            tape,
            counters: Counters::default(),
            key_next: true,
            key_at: at,
            bytes_since_key: 0,
            changed_since_key: false,
            in_frame: false,
            busy: Duration::ZERO,
            rest_until: at,
            pointer: None,
            pointer_moved: false,
            pointer_at: at,
            asked_at: None,
            typist: Typist::default(),
            copies: Clips::default(),
            pastes: Clips::default(),
            notes: Vec::new(),
        };
        recorder.begin_anew(now);
        recorder
    }

    /// A whole picture stands for everything that was not kept yet.
    pub fn begin_anew(&mut self, now: &Now<'_>) {
        self.drain();
        self.picture.begin_anew(now.pixels, now.cursor, now.video);
        if let Some(watermark) = &self.tape.watermark {
            self.picture.tell(&ServerRecord::Watermark(watermark.clone()));
        }
        if let Some((x, y)) = self.pointer {
            self.picture.tell(&ServerRecord::CursorMove { x, y });
        }
        self.pointer_moved = false;
        self.key_next = true;
        self.in_frame = false;
    }

    pub fn apply(&mut self, event: &ScreenEvent, now: &Now<'_>) {
        match event {
            ScreenEvent::Clipboard(text) if self.tape.input.clipboard => {
                self.copies.end(text).map(ServerRecord::Copied).iter().for_each(|record| self.note(record));
            }
            ScreenEvent::Rich(rich) if self.tape.input.clipboard => self.copies.add(rich),
            ScreenEvent::Audio { .. } | ScreenEvent::Rich(_) | ScreenEvent::Clipboard(_) | ScreenEvent::Leds(_) => {}
            ScreenEvent::Resize { .. } => self.begin_anew(now),
            event => {
                // A mark alone changes nothing.
                self.changed_since_key |= !matches!(event, ScreenEvent::FrameEnd);
                self.picture.paused = !self.tape.is_ready();
                self.picture.apply(event.clone(), now.pixels, now.video);
            }
        }
    }

    /// What reaches the machine: where the person's pointer is, and what else the rules say.
    pub fn input(&mut self, input: &InputEvent) {
        match input {
            InputEvent::Pointer { x, y, .. } => self.pointer(*x, *y),
            // Films show one pointer: that of the first finger.
            InputEvent::Contacts(said) => {
                if let Some(first) = said.contacts.first() {
                    self.pointer(first.x, first.y);
                }
            }
            InputEvent::Clipboard(text) if self.tape.input.clipboard => {
                self.pastes.end(text).map(ServerRecord::Pasted).iter().for_each(|record| self.note(record));
            }
            InputEvent::Rich(rich) if self.tape.input.clipboard => self.pastes.add(rich),
            input if self.tape.input.keys => {
                if let Some(text) = self.typist.typed(input) {
                    self.note(&ServerRecord::Typed(text));
                }
            }
            _ => {}
        }
    }

    fn pointer(&mut self, x: u16, y: u16) {
        self.pointer_moved |= self.pointer != Some((x, y));
        self.pointer = Some((x, y));
    }

    fn note(&mut self, record: &ServerRecord) {
        // What is past the limit ends the recording with the next look.
        if self.notes.len() <= NOTES_BYTES_MAX {
            record.encode(&mut self.notes);
        }
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

    /// True when only a key frame of the machine helps: it is to be asked.
    pub fn wants_key(&mut self, video: &Video) -> bool {
        if !self.tape.is_ready() {
            return false;
        }
        self.picture.paused = false;
        if self.picture.is_lost() && !self.picture.is_encoding() {
            self.picture.resume_video(video);
        }
        let since = |at: Instant, time| at.elapsed() >= time;
        let lost = self.picture.is_lost() && self.asked_at.is_none_or(|at| since(at, ASK_TIME));
        let overdue = self.changed_since_key
            && since(self.asked_at.unwrap_or(self.key_at).max(self.key_at), ASK_OVERDUE_TIME)
            && !self.video_begins(video);
        if lost || overdue {
            self.asked_at = Some(Instant::now());
        }
        lost || overdue
    }

    /// Before [`Self::step`]: begins a whole picture where one is due. True when the pixels are read, so that they must be there.
    pub fn prepare(&mut self, now: &Now<'_>) -> bool {
        if !self.in_frame && !self.key_next && self.changed_since_key && self.key_is_due(now.video) {
            self.begin_anew(now);
        }
        self.picture.reads_pixels()
    }

    fn key_is_due(&self, video: &Video) -> bool {
        let old = self.key_at.elapsed() >= self.tape.pace.key;
        (old || self.bytes_since_key >= KEY_BYTES) && self.video_begins(video)
    }

    /// True when a whole picture may be made of what is remembered of the video.
    fn video_begins(&self, video: &Video) -> bool {
        video.replay_bytes().is_some_and(|replay| replay <= self.bytes_since_key.max(KEY_VIDEO_BYTES))
    }

    /// Encodes one tile, or begins or ends a frame. Errors: why it cannot go on.
    pub fn step(&mut self, now: &Now<'_>) -> Result<(), String> {
        let began = Instant::now();
        self.in_frame = true;
        self.picture.paused = false;
        self.picture.step(now.pixels, now.video.region(), &self.counters).map_err(|bye| bye.text)?;
        self.busy += began.elapsed();
        if !self.picture.is_encoding() {
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

    /// Keeps what is due. Errors: why nothing more is kept.
    pub fn tick(&mut self) -> Result<(), String> {
        // What belongs to no picture must not come before the whole one that is on its way.
        if !self.key_next && self.tape.is_ready() && self.pointer_at.elapsed() >= POINTER_TIME {
            if let Some((x, y)) = self.pointer
                && std::mem::take(&mut self.pointer_moved)
            {
                self.pointer_at = Instant::now();
                self.picture.tell(&ServerRecord::CursorMove { x, y });
            }
            self.picture.flush_control(&self.counters).ok();
            self.drain();
        }
        if self.notes.len() > NOTES_BYTES_MAX {
            return Err("the storage is too slow for what is typed and copied".into());
        }
        if !self.key_next && self.tape.is_ready() && !self.notes.is_empty() {
            let notes = std::mem::take(&mut self.notes);
            self.tape.push(false, &notes);
        }
        self.tape.tick()
    }

    pub fn wake(&self) -> Wake {
        self.tape.wake()
    }

    /// The picture as it is at the end, also when the storage is behind: it is one picture.
    pub fn last_picture(&mut self, now: &Now<'_>) {
        self.picture.mark();
        while self.picture.has_work() {
            if self.step(now).is_err() {
                return;
            }
        }
    }

    pub async fn finish(self) {
        self.tape.finish(&self.notes).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::tests::{HURRY, Kept, Sink, container};
    use oriel_model::{ConnectionId, RecordedInput};
    use oriel_screen::recording::{RecordingKind, chunk_entries};
    use oriel_screen::{Rect, Rich, Surface, TileCodec, VideoCodec};
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    fn recorder(surface: &Surface, permits: usize) -> (ScreenRecorder, Kept, Arc<Semaphore>) {
        let (kept, permits) = (Kept::default(), Arc::new(Semaphore::new(permits)));
        let sink = Sink { kept: kept.clone(), permits: Some(permits.clone()) };
        let tape = Tape::start(Box::new(sink), RecordingKind::Screen, ConnectionId::new(), HURRY);
        (ScreenRecorder::start(tape, &now(surface, &Video::default())), kept, permits)
    }

    fn now<'a>(pixels: &'a Surface, video: &'a Video) -> Now<'a> {
        Now { pixels, cursor: None, video }
    }

    /// As the connection's task does while nothing else happens.
    async fn settle(recorder: &mut ScreenRecorder, surface: &Surface) {
        settle_with(recorder, surface, &Video::default()).await;
    }

    async fn settle_with(recorder: &mut ScreenRecorder, surface: &Surface, video: &Video) {
        loop {
            recorder.tick().unwrap();
            tokio::task::yield_now().await;
            if recorder.has_work() {
                recorder.prepare(&now(surface, video));
                recorder.step(&now(surface, video)).unwrap();
            } else if let Some(at) = recorder.resume_at() {
                tokio::time::sleep_until(at).await;
            } else {
                return;
            }
        }
    }

    fn happen(recorder: &mut ScreenRecorder, surface: &Surface, video: &Video, event: &ScreenEvent) {
        recorder.apply(event, &now(surface, video));
    }

    fn paint(recorder: &mut ScreenRecorder, surface: &mut Surface, rect: Rect, rgb: [u8; 3]) {
        surface.fill(rect, rgb).unwrap();
        happen(recorder, surface, &Video::default(), &ScreenEvent::Damage(rect));
        happen(recorder, surface, &Video::default(), &ScreenEvent::FrameEnd);
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
    async fn what_is_typed_and_copied_is_kept_only_where_the_rules_say_so() {
        let surface = Surface::new(8, 8).unwrap();
        let type_into = async |input: RecordedInput| {
            let (mut recorder, kept, _permits) = recorder(&surface, 100);
            recorder.tape.input = input;
            recorder.input(&InputEvent::Key { down: true, code: 30, keysym: 0x61 });
            settle(&mut recorder, &surface).await;
            recorder.input(&InputEvent::Key { down: true, code: 28, keysym: 0xff0d });
            recorder.input(&InputEvent::Rich(Rich::Html("<b>secret</b>".into())));
            recorder.input(&InputEvent::Clipboard("from here".into()));
            let html = ScreenEvent::Rich(Rich::Html("<i>secret</i> ".into()));
            happen(&mut recorder, &surface, &Video::default(), &html);
            happen(&mut recorder, &surface, &Video::default(), &ScreenEvent::Clipboard("from there".into()));
            recorder.finish().await;
            let (bytes, container) = container(&kept);
            assert!(container.chunks[0].key);
            let entries = container
                .chunks
                .iter()
                .flat_map(|chunk| chunk_entries(&bytes.slice(chunk.offset..chunk.offset + chunk.length)).unwrap());
            let records: Vec<ServerRecord> =
                entries.flat_map(|entry| ServerRecord::decode_all(&entry.message).unwrap()).collect();
            // A player begins with the whole picture.
            assert!(matches!(records[0], ServerRecord::Resize { .. }), "{:?}", records[0]);
            let said = |record| match record {
                ServerRecord::Typed(text) => Some(format!("t {text}")),
                ServerRecord::Pasted(text) => Some(format!("p {text}")),
                ServerRecord::Copied(text) => Some(format!("c {text}")),
                _ => None,
            };
            records.into_iter().filter_map(said).collect::<Vec<_>>()
        };
        let input = |keys, clipboard| RecordedInput { keys, clipboard };
        assert!(type_into(input(false, false)).await.is_empty());
        assert_eq!(type_into(input(true, false)).await, ["t a", "t ⟨Enter⟩"]);
        assert_eq!(
            type_into(input(false, true)).await,
            ["p ⟨HTML, 13 bytes⟩from here", "c ⟨HTML, 14 bytes⟩from there"]
        );
        assert_eq!(type_into(input(true, true)).await.len(), 4);
        // A storage that takes nothing is not waited for without end.
        let (mut recorder, _kept, _permits) = recorder(&surface, 0);
        recorder.tape.input = input(true, true);
        for _ in 0..6 {
            recorder.input(&InputEvent::Clipboard("x".repeat(1 << 20)));
        }
        assert!(recorder.notes.len() < NOTES_BYTES_MAX + (2 << 20));
        assert!(recorder.tick().unwrap_err().contains("too slow"));
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
                happen(
                    &mut recorder,
                    &surface,
                    &Video::default(),
                    &ScreenEvent::Copy { from_x: 0, from_y: 0, to: Rect::new(10, 10, 15, 15) },
                );
                happen(&mut recorder, &surface, &Video::default(), &ScreenEvent::FrameEnd);
            }
            recorder.pointer(at, at);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        recorder.last_picture(&now(&surface, &Video::default()));
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
            happen(
                &mut recorder,
                &surface,
                &Video::default(),
                &ScreenEvent::Copy { from_x: 0, from_y: 0, to: Rect::new(5, 5, 9, 9) },
            );
            happen(&mut recorder, &surface, &Video::default(), &ScreenEvent::FrameEnd);
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
        recorder.last_picture(&now(&surface, &Video::default()));
        recorder.finish().await;
        let (played, _) = play(&kept);
        assert!(same(&played, &surface));
        let bytes: usize = kept.lock().unwrap().iter().map(|chunk| chunk.bytes.len()).sum();
        assert!(bytes < 200_000, "{bytes} bytes of ten thousand changes that could not be kept");
    }

    /// What a recording has from its last key on, in its order: `V` a key frame, `v` another, `t` a picture, `|` its end.
    fn story(kept: &Kept) -> String {
        let (bytes, container) = container(kept);
        let from = container.chunks.iter().rposition(|chunk| chunk.key).unwrap();
        let mut story = String::new();
        for chunk in &container.chunks[from..] {
            for entry in chunk_entries(&bytes.slice(chunk.offset..chunk.offset + chunk.length)).unwrap() {
                for record in ServerRecord::decode_all(&entry.message).unwrap() {
                    story.push(match record {
                        ServerRecord::Resize { .. } => 'R',
                        ServerRecord::Video { key: true, .. } => 'V',
                        ServerRecord::Video { .. } => 'v',
                        ServerRecord::Tile { codec: TileCodec::Jpeg, .. } => 'j',
                        ServerRecord::Fill { .. } | ServerRecord::Tile { .. } => 't',
                        ServerRecord::FrameEnd { .. } => '|',
                        _ => '.',
                    });
                }
            }
        }
        story
    }

    const LEFT: Rect = Rect::new(0, 0, 15, 30);

    fn unit(key: bool, bytes: usize) -> ScreenEvent {
        let regions = Some(vec![LEFT]);
        ScreenEvent::Video { rect: LEFT, regions, codec: VideoCodec::H264, key, bytes: vec![7; bytes].into() }
    }

    #[tokio::test]
    async fn forwarded_video_is_kept_as_it_came_and_begins_at_every_key() {
        let surface = Surface::new(30, 30).unwrap();
        let (mut recorder, kept, _) = recorder(&surface, 1000);
        let mut video = Video::default();
        for at in 0..40 {
            settle_with(&mut recorder, &surface, &video).await;
            for event in [unit(at % 20 == 0, 100), ScreenEvent::FrameEnd] {
                video.follow(&event);
                happen(&mut recorder, &surface, &video, &event);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        settle_with(&mut recorder, &surface, &video).await;
        recorder.last_picture(&now(&surface, &video));
        recorder.finish().await;
        let (_, container) = container(&kept);
        assert!(container.chunks.iter().filter(|chunk| chunk.key).count() >= 3);
        // Wherever a player begins, it gets the video from its key frame on, then pixels where there is none.
        let story = story(&kept);
        assert!(story.starts_with("RV") && story[2..].starts_with(['v', 't']), "{story}");
        let first = &story[..=story.find('|').unwrap()];
        assert!(first.ends_with("t|"), "{story}");
        let rest = &story[first.len()..];
        assert!(rest.chars().all(|c| c == 'v' || c == '|'), "nothing is encoded beside it: {story}");
    }

    #[tokio::test]
    async fn video_that_cannot_be_begun_has_no_key_until_it_can() {
        let surface = Surface::new(30, 30).unwrap();
        let (mut recorder, kept, _) = recorder(&surface, 1000);
        let mut video = Video::default();
        let mut step = async |recorder: &mut ScreenRecorder, event: ScreenEvent| {
            for event in [event, ScreenEvent::FrameEnd] {
                video.follow(&event);
                happen(recorder, &surface, &video, &event);
            }
            settle_with(recorder, &surface, &video).await;
        };
        step(&mut recorder, unit(true, 1000)).await;
        // Beyond what is kept for those who come late.
        for _ in 0..8 {
            step(&mut recorder, unit(false, 1 << 19)).await;
        }
        // So many with video that could be begun; each is in the storage once it is old enough.
        tokio::time::sleep(HURRY.key * 2).await;
        step(&mut recorder, unit(false, 10)).await;
        tokio::time::sleep(HURRY.key * 2).await;
        step(&mut recorder, unit(false, 10)).await;
        let keys = story_keys(&kept);
        for _ in 0..3 {
            tokio::time::sleep(HURRY.key * 2).await;
            step(&mut recorder, unit(false, 10)).await;
        }
        assert_eq!(story_keys(&kept), keys, "a whole picture would lack the video");
        step(&mut recorder, unit(true, 1000)).await;
        tokio::time::sleep(HURRY.key * 2).await;
        step(&mut recorder, unit(false, 10)).await;
        recorder.finish().await;
        assert_eq!(story_keys(&kept), keys + 2, "with the key frame, and when the next was due");
        assert!(story(&kept).starts_with("RVv"), "{}", story(&kept));
    }

    fn story_keys(kept: &Kept) -> usize {
        container(kept).1.chunks.iter().filter(|chunk| chunk.key).count()
    }

    #[tokio::test]
    async fn forwarded_pictures_are_kept_as_they_came() {
        let surface = Surface::new(30, 30).unwrap();
        let (mut recorder, kept, _) = recorder(&surface, 1000);
        settle(&mut recorder, &surface).await;
        for _ in 0..3 {
            let rect = Rect::new(0, 0, 30, 30);
            let tile = ScreenEvent::Tile { rect, codec: TileCodec::Jpeg, bytes: Bytes::from_static(b"a photo") };
            for event in [tile, ScreenEvent::FrameEnd] {
                happen(&mut recorder, &surface, &Video::default(), &event);
            }
            assert!(!recorder.picture.reads_pixels(), "nobody has to decode it");
            settle(&mut recorder, &surface).await;
        }
        recorder.finish().await;
        assert!(story(&kept).ends_with("|j|j|j|"), "{}", story(&kept));
    }
}
