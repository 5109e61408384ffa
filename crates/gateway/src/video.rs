//! What the gateway remembers of forwarded video, so that whoever joins late sees it too.
//!
//! Video is not in the source's framebuffer. [`Video`] knows where on the screen that is so, and keeps for each stream the
//! last key frame and what followed, up to a bound: a new viewer decodes them at once and draws the last. Beyond the bound
//! the source is asked for a key frame, and where none comes, the machine is connected to anew.

use crate::{VIDEO_REPLAY_BYTES_MAX, VIDEO_REPLAY_UNITS_MAX, VIDEO_STREAMS_MAX};
use bytes::Bytes;
use oriel_screen::wire::ServerRecord;
use oriel_screen::{Framebuffer, Rect, Region, ScreenEvent, VideoCodec};

#[derive(Default)]
pub(crate) struct Video {
    /// Where the last thing painted was video.
    shown: Region,
    streams: Vec<Stream>,
}

struct Stream {
    rect: Rect,
    codec: VideoCodec,
    /// From a key frame on; empty when there is none within the bound.
    units: Vec<Bytes>,
    bytes: usize,
}

impl Video {
    /// Where the framebuffer does not have what is on the screen.
    pub fn region(&self) -> &Region {
        &self.shown
    }

    /// True when more than half of the screen is video: a picture of the framebuffer would not show the screen.
    pub fn hides(&self, pixels: &dyn Framebuffer) -> bool {
        let screen = u64::from(pixels.width()) * u64::from(pixels.height());
        self.shown.area() * 2 > screen
    }

    /// Follows what happens on the screen.
    pub fn follow(&mut self, event: &ScreenEvent) {
        match event {
            ScreenEvent::Resize { .. } => {
                self.shown.clear();
                self.streams.clear();
            }
            ScreenEvent::Damage(rect) | ScreenEvent::Tile { rect, .. } => self.shown.subtract(rect),
            ScreenEvent::Copy { from_x, from_y, to } => self.shown.copy(*from_x, *from_y, to),
            ScreenEvent::Video { rect, regions, codec, key, bytes } => {
                match regions {
                    Some(regions) => regions.iter().for_each(|region| self.shown.add(*region)),
                    None => self.shown.add(*rect),
                }
                self.keep(*rect, *codec, *key, bytes);
            }
            _ => {}
        }
    }

    fn keep(&mut self, rect: Rect, codec: VideoCodec, key: bool, bytes: &Bytes) {
        let at = self.streams.iter().position(|stream| stream.rect == rect).unwrap_or_else(|| {
            if self.streams.len() >= VIDEO_STREAMS_MAX {
                self.streams.remove(0);
            }
            self.streams.push(Stream { rect, codec, units: Vec::new(), bytes: 0 });
            self.streams.len() - 1
        });
        let Some(stream) = self.streams.get_mut(at) else { return };
        if key {
            stream.units.clear();
            stream.bytes = 0;
        } else if stream.units.is_empty() {
            return;
        }
        if stream.bytes + bytes.len() > VIDEO_REPLAY_BYTES_MAX || stream.units.len() >= VIDEO_REPLAY_UNITS_MAX {
            stream.units = Vec::new();
            stream.bytes = 0;
            return;
        }
        stream.bytes += bytes.len();
        stream.units.push(bytes.clone());
    }

    /// Bytes of [`Self::replay`]; `None` when a stream that is visible cannot be begun.
    pub fn replay_bytes(&self) -> Option<usize> {
        let begins = |stream: &Stream| !stream.units.is_empty() || self.shown.inside(&stream.rect).is_empty();
        self.streams.iter().all(begins).then(|| self.streams.iter().map(|stream| stream.bytes).sum())
    }

    /// All streams from their key frames on, the last frame of each drawn where video is on the screen. `None` when one
    /// that is visible cannot be begun.
    pub fn replay(&self) -> Option<Vec<ServerRecord>> {
        let mut records = Vec::new();
        for Stream { rect, codec, units, .. } in &self.streams {
            let visible = self.shown.inside(rect);
            if units.is_empty() && !visible.is_empty() {
                return None;
            }
            let last = units.len().saturating_sub(1);
            records.extend(units.iter().enumerate().map(|(at, bytes)| ServerRecord::Video {
                rect: *rect,
                regions: Some(if at == last { visible.clone() } else { Vec::new() }),
                codec: *codec,
                key: at == 0,
                bytes: bytes.clone(),
            }));
        }
        Some(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_screen::Surface;

    fn unit(rect: Rect, regions: &[Rect], key: bool, bytes: usize) -> ScreenEvent {
        let regions = Some(regions.to_vec());
        ScreenEvent::Video { rect, regions, codec: VideoCodec::H264, key, bytes: vec![u8::from(key); bytes].into() }
    }

    const SCREEN: Rect = Rect::new(0, 0, 100, 100);

    #[test]
    fn a_joiner_gets_the_key_frame_and_what_followed_and_draws_once() {
        let mut video = Video::default();
        video.follow(&unit(SCREEN, &[SCREEN], true, 10));
        video.follow(&unit(SCREEN, &[Rect::new(0, 0, 10, 10)], false, 5));
        // Something else was painted over a part of it.
        video.follow(&ScreenEvent::Damage(Rect::new(0, 50, 100, 50)));
        let replay = video.replay().unwrap();
        let drawn: Vec<(bool, Vec<Rect>)> = replay
            .into_iter()
            .map(|record| match record {
                ServerRecord::Video { key, regions, .. } => (key, regions.unwrap()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(drawn.len(), 2);
        assert_eq!(drawn[0], (true, vec![]));
        let (key, regions) = &drawn[1];
        assert!(!key);
        assert_eq!(regions.iter().map(Rect::area).sum::<u32>(), 100 * 50);
        let surface = Surface::new(100, 100).unwrap();
        assert!(!video.hides(&surface));
        video.follow(&unit(SCREEN, &[Rect::new(0, 50, 10, 10)], false, 5));
        assert!(video.hides(&surface));
    }

    #[test]
    fn memory_is_bounded_and_what_cannot_be_begun_is_said() {
        let mut video = Video::default();
        // No key frame yet.
        video.follow(&unit(SCREEN, &[SCREEN], false, 10));
        assert_eq!(video.replay(), None);
        video.follow(&unit(SCREEN, &[SCREEN], true, 10));
        assert_eq!((video.replay().unwrap().len(), video.replay_bytes()), (1, Some(10)));
        for _ in 0..100 {
            video.follow(&unit(SCREEN, &[SCREEN], false, VIDEO_REPLAY_BYTES_MAX / 20));
            assert!(video.streams.iter().all(|stream| stream.bytes <= VIDEO_REPLAY_BYTES_MAX));
        }
        assert_eq!((video.replay(), video.replay_bytes()), (None, None));
        // Nothing of it is visible any more.
        video.follow(&ScreenEvent::Damage(SCREEN));
        assert_eq!(video.replay(), Some(Vec::new()));
        for x in 0..50 {
            video.follow(&unit(Rect::new(x, 0, 10, 10), &[], true, 10));
        }
        assert!(video.streams.len() <= VIDEO_STREAMS_MAX);
        video.follow(&ScreenEvent::Resize { width: 10, height: 10 });
        assert!(video.streams.is_empty() && video.region().is_empty());
    }
}
