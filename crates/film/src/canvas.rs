//! The screen as it was: records of the viewer protocol become pixels.

use crate::{pointer::Pointer, tile, video::Streams};
use oriel_screen::wire::ServerRecord;
use oriel_screen::{Framebuffer as _, Rect, Surface};

#[derive(Default)]
pub(crate) struct Canvas {
    pub surface: Surface,
    pub pointer: Pointer,
    pub watermark: String,
    /// What differs from the frame that was drawn last.
    dirty: Rect,
    streams: Streams,
    /// Nothing was painted since the last mark: what is seen is one picture.
    pub whole: bool,
    pub broken: u64,
    pub sound: bool,
}

impl Canvas {
    pub fn apply(&mut self, record: ServerRecord) {
        let paints = matches!(
            record,
            ServerRecord::Resize { .. }
                | ServerRecord::Tile { .. }
                | ServerRecord::Copy { .. }
                | ServerRecord::Fill { .. }
                | ServerRecord::Video { .. }
        );
        self.whole &= !paints;
        match record {
            ServerRecord::Resize { width, height } => {
                self.streams = Streams::default();
                self.surface = self.checked(Surface::new(width, height).ok()).unwrap_or_default();
                self.all_changed();
            }
            ServerRecord::Tile { rect, codec, bytes } => {
                let painted =
                    tile::decode(rect, codec, &bytes).and_then(|rgba| self.surface.put_rgba(rect, &rgba).ok());
                self.checked(painted);
                self.changed(rect);
            }
            ServerRecord::Copy { from_x, from_y, to } => {
                let painted = self.surface.copy(from_x, from_y, to).ok();
                self.checked(painted);
                self.changed(to);
            }
            ServerRecord::Fill { rect, rgb } => {
                let painted = self.surface.fill(rect, rgb).ok();
                self.checked(painted);
                self.changed(rect);
            }
            ServerRecord::Video { rect, regions, codec, key, bytes } => {
                // Of 4:4:4 the main view is seen: a film has 4:2:0 itself. What follows needs the other one decoded.
                let seen: Option<&[Rect]> = if codec.is_chroma() { Some(&[]) } else { regions.as_deref() };
                let painted = self.streams.paint(&mut self.surface, rect, seen, key, &bytes);
                self.checked(painted);
                self.changed(rect);
            }
            ServerRecord::Cursor { hot_x, hot_y, width, height, rgba } => {
                self.repoint(|pointer| pointer.picture((hot_x, hot_y), width, height, rgba));
            }
            ServerRecord::CursorDefault => self.repoint(Pointer::standard),
            ServerRecord::CursorMove { x, y } => self.repoint(|pointer| pointer.moved(x, y)),
            ServerRecord::Watermark(text) if self.watermark != text => {
                self.watermark = text;
                self.all_changed();
            }
            ServerRecord::Audio { .. } => self.sound = true,
            ServerRecord::FrameEnd { .. } => self.whole = true,
            _ => {}
        }
    }

    fn checked<T>(&mut self, painted: Option<T>) -> Option<T> {
        self.broken += u64::from(painted.is_none());
        painted
    }

    fn repoint(&mut self, change: impl FnOnce(&mut Pointer)) {
        self.changed(self.pointer.area());
        change(&mut self.pointer);
        self.changed(self.pointer.area());
    }

    fn changed(&mut self, rect: Rect) {
        self.dirty = self.dirty.union(&rect.clip(self.surface.width(), self.surface.height()));
    }

    fn all_changed(&mut self) {
        self.dirty = Rect::new(0, 0, self.surface.width(), self.surface.height());
    }

    /// What has to be drawn again; nothing after that.
    pub fn take_dirty(&mut self) -> Rect {
        std::mem::take(&mut self.dirty)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a test")]
    use super::*;
    use bytes::Bytes;
    use oriel_screen::TileCodec;

    #[test]
    fn records_become_pixels_and_what_is_broken_is_counted() {
        let mut canvas = Canvas::default();
        canvas.apply(ServerRecord::Resize { width: 4, height: 2 });
        canvas.apply(ServerRecord::Fill { rect: Rect::new(0, 0, 2, 2), rgb: [9, 8, 7] });
        canvas.apply(ServerRecord::Copy { from_x: 0, from_y: 0, to: Rect::new(2, 0, 2, 1) });
        let raw = |rect, bytes: &'static [u8]| ServerRecord::Tile {
            rect,
            codec: TileCodec::Raw,
            bytes: Bytes::from_static(bytes),
        };
        canvas.apply(raw(Rect::new(3, 1, 1, 1), &[1, 2, 3]));
        assert!(!canvas.whole);
        canvas.apply(ServerRecord::FrameEnd { sequence: 1 });
        assert!(canvas.whole);
        assert_eq!(canvas.take_dirty(), Rect::new(0, 0, 4, 2));
        assert_eq!(canvas.take_dirty(), Rect::default());
        assert_eq!(canvas.surface.rgba()[8..12], [9, 8, 7, 255]);
        assert_eq!(canvas.surface.rgba()[28..32], [1, 2, 3, 255]);
        // Too few bytes, beside the screen, no picture, no screen at all.
        canvas.apply(raw(Rect::new(3, 1, 1, 1), &[1, 2]));
        canvas.apply(ServerRecord::Fill { rect: Rect::new(3, 0, 2, 2), rgb: [9, 8, 7] });
        let rect = Rect::new(0, 0, 4, 2);
        canvas.apply(ServerRecord::Tile { rect, codec: TileCodec::Png, bytes: Bytes::from_static(b"\x89PNG") });
        canvas.apply(ServerRecord::Tile { rect, codec: TileCodec::Jpeg, bytes: Bytes::from_static(b"\xff\xd8") });
        canvas.apply(ServerRecord::Resize { width: 60_000, height: 60_000 });
        assert_eq!(canvas.broken, 5);
    }
}
