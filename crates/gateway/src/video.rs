//! What the gateway remembers of forwarded video, so that whoever joins late sees it too.
//!
//! Video is not in the source's framebuffer. [`Video`] knows where on the screen that is so, and keeps for each stream the
//! last key frame and what followed, up to a bound: a new viewer decodes them at once and draws the last. Beyond the bound
//! the source is asked for a key frame, and where none comes, the machine is connected to anew.
//!
//! Of pictures in 4:4:4, whose two views take turns in one stream, only what a view says that it changes is right (MS-RDPEGFX
//! 2.2.4.4: pictures are cropped by their regions). So those are kept, too, and each view draws what no later one replaces: a
//! chroma view is replaced by the next main view, whose colours are others.

use crate::{VIDEO_REPLAY_BYTES_MAX, VIDEO_REPLAY_UNITS_MAX, VIDEO_STREAMS_MAX};
use bytes::Bytes;
use oriel_screen::wire::ServerRecord;
use oriel_screen::{Framebuffer, Rect, Region, ScreenEvent, VideoCodec};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Video {
    /// Where the last thing painted was video.
    shown: Region,
    streams: Vec<Stream>,
}

struct Stream {
    rect: Rect,
    /// From a key frame on; empty when there is none within the bound.
    units: Vec<Kept>,
    bytes: usize,
    /// There are views of pictures in 4:4:4 among them.
    views: bool,
}

struct Kept {
    codec: VideoCodec,
    bytes: Bytes,
    /// What it changes; all of the picture where that is not said, or where there were no views before.
    regions: Option<Vec<Rect>>,
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
                self.keep(*rect, regions.as_deref(), *codec, *key, bytes);
            }
            _ => {}
        }
    }

    fn keep(&mut self, rect: Rect, regions: Option<&[Rect]>, codec: VideoCodec, key: bool, bytes: &Bytes) {
        let at = self.streams.iter().position(|stream| stream.rect == rect).unwrap_or_else(|| {
            if self.streams.len() >= VIDEO_STREAMS_MAX {
                self.streams.remove(0);
            }
            self.streams.push(Stream { rect, units: Vec::new(), bytes: 0, views: false });
            self.streams.len() - 1
        });
        let Some(stream) = self.streams.get_mut(at) else { return };
        if key {
            stream.units.clear();
            stream.bytes = 0;
            stream.views = false;
        } else if stream.units.is_empty() {
            return;
        }
        stream.views |= codec != VideoCodec::H264;
        let regions = regions.filter(|_| stream.views).map(<[Rect]>::to_vec);
        let more = bytes.len() + regions.as_deref().map_or(0, size_of_val);
        if stream.bytes + more > VIDEO_REPLAY_BYTES_MAX || stream.units.len() >= VIDEO_REPLAY_UNITS_MAX {
            stream.units = Vec::new();
            stream.bytes = 0;
            return;
        }
        stream.bytes += more;
        stream.units.push(Kept { codec, bytes: bytes.clone(), regions });
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
        for stream in &self.streams {
            let visible = self.shown.inside(&stream.rect);
            if stream.units.is_empty() && !visible.is_empty() {
                return None;
            }
            let mut drawn = stream.drawn(visible);
            records.extend(stream.units.iter().enumerate().map(|(at, unit)| ServerRecord::Video {
                rect: stream.rect,
                regions: Some(drawn.remove(&at).unwrap_or_default()),
                codec: unit.codec,
                key: at == 0,
                bytes: unit.bytes.clone(),
            }));
        }
        Some(records)
    }
}

impl Stream {
    /// Which of the units draw which part of what is visible, by their places.
    fn drawn(&self, visible: Vec<Rect>) -> BTreeMap<usize, Vec<Rect>> {
        if !self.views {
            return BTreeMap::from([(self.units.len().saturating_sub(1), visible)]);
        }
        // From the last one back: what nothing later has drawn.
        let (mut luma, mut colours) = (Region::default(), Region::default());
        for part in &visible {
            luma.add(*part);
            colours.add(*part);
        }
        let (mut drawn, mut oldest) = (BTreeMap::new(), 0);
        for (at, unit) in self.units.iter().enumerate().rev() {
            if luma.is_empty() || drawn.len() >= REPLAY_DRAWN_MAX {
                break;
            }
            oldest = at;
            let mut parts = Vec::new();
            for region in unit.regions.as_deref().unwrap_or(std::slice::from_ref(&self.rect)) {
                if unit.codec.is_chroma() {
                    parts.extend(colours.inside(region));
                } else {
                    parts.extend(luma.inside(region));
                    luma.subtract(region);
                }
                colours.subtract(region);
            }
            if !parts.is_empty() {
                drawn.insert(at, parts);
            }
        }
        // A whole main view lies under all others: the last one that is not newer than they, also where there were too many of them.
        let base = self.units.iter().take(oldest + 1).rposition(|unit| !unit.codec.is_chroma()).unwrap_or(0);
        drawn.retain(|at, _| *at > base);
        drawn.insert(base, visible);
        drawn
    }
}

/// Most units that draw in one replay: viewers hold the pictures of all of them at once.
const REPLAY_DRAWN_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_screen::Surface;

    fn unit(rect: Rect, regions: &[Rect], key: bool, bytes: usize) -> ScreenEvent {
        let regions = Some(regions.to_vec());
        ScreenEvent::Video { rect, regions, codec: VideoCodec::H264, key, bytes: vec![u8::from(key); bytes].into() }
    }

    const SCREEN: Rect = Rect::new(0, 0, 100, 100);

    fn view(codec: VideoCodec, regions: &[Rect], key: bool) -> ScreenEvent {
        let regions = Some(regions.to_vec());
        ScreenEvent::Video { rect: SCREEN, regions, codec, key, bytes: vec![codec as u8; 10].into() }
    }

    /// Of each unit: its codec, and the pixels that it draws.
    fn drawn(video: &Video) -> Vec<(VideoCodec, u32)> {
        let records = video.replay().unwrap().into_iter();
        records
            .map(|record| match record {
                ServerRecord::Video { codec, regions, .. } => (codec, regions.unwrap().iter().map(Rect::area).sum()),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_joiner_gets_both_views_and_no_old_colours_over_new_luma() {
        let (main, chroma) = (VideoCodec::H264Main, VideoCodec::H264ChromaV2);
        let mut video = Video::default();
        video.follow(&view(main, &[SCREEN], true));
        assert_eq!(drawn(&video), [(main, 10_000)]);
        video.follow(&view(chroma, &[SCREEN], false));
        assert_eq!(drawn(&video), [(main, 10_000), (chroma, 10_000)]);
        // A main view alone: its part has colours of 4:2:0 until its chroma comes.
        video.follow(&view(main, &[Rect::new(0, 0, 100, 20)], false));
        assert_eq!(drawn(&video), [(main, 10_000), (chroma, 8_000), (main, 2_000)]);
        video.follow(&view(chroma, &[Rect::new(0, 0, 100, 10)], false));
        assert_eq!(drawn(&video), [(main, 10_000), (chroma, 8_000), (main, 2_000), (chroma, 1_000)]);
        // Painted over by something else.
        video.follow(&ScreenEvent::Damage(Rect::new(0, 50, 100, 50)));
        assert_eq!(drawn(&video), [(main, 5_000), (chroma, 3_000), (main, 2_000), (chroma, 1_000)]);
        // What is replaced is decoded, and not drawn.
        video.follow(&view(main, &[SCREEN], false));
        assert_eq!(drawn(&video), [(main, 0), (chroma, 0), (main, 0), (chroma, 0), (main, 10_000)]);
        video.follow(&view(main, &[SCREEN], true));
        assert_eq!(drawn(&video), [(main, 10_000)]);
        // However many they are, few are drawn, and over the last whole picture before them.
        video.follow(&view(main, &[SCREEN], false));
        for at in 0..200 {
            video.follow(&view(chroma, &[Rect::new(at % 20 * 5, at / 20 * 10, 3, 3)], false));
        }
        let all = drawn(&video);
        assert_eq!((all.len(), all[0], all[1], all[201]), (202, (main, 0), (main, 10_000), (chroma, 9)));
        assert_eq!(all.iter().filter(|(_, pixels)| *pixels > 0).count(), REPLAY_DRAWN_MAX + 1);
    }

    #[test]
    fn a_joiner_gets_what_was_whole_before_the_first_view() {
        let (whole, main) = (VideoCodec::H264, VideoCodec::H264Main);
        let mut video = Video::default();
        video.follow(&view(whole, &[SCREEN], true));
        video.follow(&view(whole, &[Rect::new(0, 0, 100, 50)], false));
        assert_eq!(drawn(&video), [(whole, 0), (whole, 10_000)]);
        video.follow(&view(main, &[Rect::new(0, 0, 100, 20)], false));
        assert_eq!(drawn(&video), [(whole, 0), (whole, 10_000), (main, 2_000)]);
        video.follow(&view(whole, &[Rect::new(0, 10, 100, 10)], false));
        assert_eq!(drawn(&video), [(whole, 0), (whole, 10_000), (main, 1_000), (whole, 1_000)]);
    }

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
