//! One picture of the film: the screen in the middle, the pointer and the watermark over it, as planar YUV 4:2:0 (BT.709, limited
//! range), of which only what changed is computed again.

use crate::{canvas::Canvas, mark::Mark};
use oriel_screen::{Framebuffer as _, Rect};

/// Smallest side of a film: encoders refuse less.
const SIDE_MIN: u16 = 16;

pub(crate) struct Frame {
    width: u16,
    height: u16,
    rgba: Vec<u8>,
    /// The planes Y, U and V, as `-pixel_format yuv420p` takes them.
    yuv: Vec<u8>,
    /// Where the screen lay last.
    placed: Rect,
}

impl Frame {
    /// A black picture around a screen of this size; sides become even.
    pub fn new(width: u16, height: u16) -> Self {
        let even = |side: u16| (side.max(SIDE_MIN) + 1) & !1;
        let (width, height) = (even(width), even(height));
        let pixels = usize::from(width) * usize::from(height);
        let mut yuv = vec![16; pixels];
        yuv.resize(pixels * 3 / 2, 128);
        Self { width, height, rgba: vec![0; pixels * 4], yuv, placed: Rect::default() }
    }

    pub const fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    pub fn yuv(&self) -> &[u8] {
        &self.yuv
    }

    /// Draws what changed; all of it where the mark changed or the screen has another size.
    pub fn draw(&mut self, canvas: &mut Canvas, mark: &Mark, mark_changed: bool) {
        let dirty = canvas.take_dirty();
        let (w, h) = (canvas.surface.width().min(self.width), canvas.surface.height().min(self.height));
        // On even pixels, as colours are shared by four.
        let placed = Rect::new(((self.width - w) / 2) & !1, ((self.height - h) / 2) & !1, w, h);
        let area = if mark_changed || placed != self.placed {
            Rect::new(0, 0, self.width, self.height)
        } else {
            Rect::new(dirty.x + placed.x, dirty.y + placed.y, dirty.w, dirty.h).clip(self.width, self.height)
        };
        self.placed = placed;
        if area.is_empty() {
            return;
        }
        let even = |from: u16, to: u32, side: u16| (from & !1, ((to + 1) & !1).min(u32::from(side)) as u16);
        let (left, right) = even(area.x, area.right(), self.width);
        let (top, bottom) = even(area.y, area.bottom(), self.height);
        for y in top..bottom {
            self.compose(canvas, mark, y, left, right);
        }
        for y in (top..bottom).step_by(2) {
            self.convert(y, left, right);
        }
    }

    /// One row in RGBA.
    fn compose(&mut self, canvas: &Canvas, mark: &Mark, y: u16, left: u16, right: u16) {
        let at = (usize::from(y) * usize::from(self.width) + usize::from(left)) * 4;
        let bytes = usize::from(right - left) * 4;
        let Some(row) = self.rgba.get_mut(at..at + bytes) else { return };
        let (placed, pointer) = (self.placed, canvas.pointer.area());
        // The screen's row of it; beside the screen it is black.
        let inside = y.checked_sub(placed.y).filter(|sy| *sy < placed.h);
        row.fill(0);
        if let Some(sy) = inside {
            let from = left.max(placed.x);
            let to = u32::from(right).min(placed.right()) as u16;
            if from < to {
                let source = canvas.surface.row(from - placed.x, sy, to - from);
                let skip = usize::from(from - left) * 4;
                if let Some(target) = row.get_mut(skip..skip + source.len()) {
                    target.copy_from_slice(source);
                }
            }
            if sy >= pointer.y && u32::from(sy) < pointer.bottom() {
                for (x, pixel) in (left..right).zip(row.as_chunks_mut::<4>().0) {
                    let over = x.checked_sub(placed.x).and_then(|sx| canvas.pointer.pixel(sx, sy));
                    if let Some([r, g, b, alpha]) = over {
                        let [pr, pg, pb, _] = *pixel;
                        *pixel = [blend(pr, r, alpha), blend(pg, g, alpha), blend(pb, b, alpha), 255];
                    }
                }
            }
        }
        mark.over(row, left, y);
    }

    /// Two rows of RGBA → two of Y and one of U and V.
    fn convert(&mut self, y: u16, left: u16, right: u16) {
        let width = usize::from(self.width);
        let (from, to) = (usize::from(left), usize::from(right));
        let start = usize::from(y) * width;
        let pixels =
            |row: usize| self.rgba.get((row + from) * 4..(row + to) * 4).unwrap_or_default().as_chunks::<4>().0;
        let (upper, lower) = (pixels(start), pixels(start + width));
        let (luma, chroma) = self.yuv.split_at_mut(width * usize::from(self.height));
        let (u_plane, v_plane) = chroma.split_at_mut(chroma.len() / 2);
        for (row, rgba) in [(start, upper), (start + width, lower)] {
            for (out, pixel) in luma.get_mut(row + from..row + to).unwrap_or_default().iter_mut().zip(rgba) {
                *out = luminance(*pixel);
            }
        }
        let at = start / 4 + from / 2..start / 4 + to / 2;
        let u = u_plane.get_mut(at.clone()).unwrap_or_default();
        let v = v_plane.get_mut(at).unwrap_or_default();
        for (((u, v), [a, b]), [c, d]) in
            u.iter_mut().zip(v).zip(upper.as_chunks::<2>().0).zip(lower.as_chunks::<2>().0)
        {
            (*u, *v) = colour([*a, *b, *c, *d]);
        }
    }
}

fn blend(under: u8, over: u8, alpha: u8) -> u8 {
    let (under, over, alpha) = (u32::from(under), u32::from(over), u32::from(alpha));
    ((over * alpha + under * (255 - alpha) + 127) / 255) as u8
}

/// ITU-R BT.709 in 16..235, the factors in parts of 256.
fn luminance([r, g, b, _]: [u8; 4]) -> u8 {
    ((47 * u32::from(r) + 157 * u32::from(g) + 16 * u32::from(b) + 128) / 256 + 16).min(235) as u8
}

/// U and V in 16..240 of four pixels.
fn colour(pixels: [[u8; 4]; 4]) -> (u8, u8) {
    let (mut r, mut g, mut b) = (0i32, 0i32, 0i32);
    for [pr, pg, pb, _] in pixels {
        r += i32::from(pr);
        g += i32::from(pg);
        b += i32::from(pb);
    }
    // Four pixels and 256 parts.
    let scaled = |value: i32| ((value + 512).div_euclid(1024) + 128).clamp(16, 240) as u8;
    (scaled(-26 * r - 86 * g + 112 * b), scaled(112 * r - 102 * g - 10 * b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a test")]
    use super::*;
    use oriel_screen::wire::ServerRecord;

    #[test]
    fn colours_are_those_of_bt_709() {
        // ITU-R BT.709-6, item 3: the primaries in 8 bits.
        for (rgb, want) in [
            ([255, 255, 255], [235, 128, 128]),
            ([0, 0, 0], [16, 128, 128]),
            ([255, 0, 0], [63, 102, 240]),
            ([0, 255, 0], [173, 42, 26]),
            ([0, 0, 255], [32, 240, 118]),
        ] {
            let pixel = [rgb[0], rgb[1], rgb[2], 255];
            let (u, v) = colour([pixel; 4]);
            for (got, want) in [luminance(pixel), u, v].into_iter().zip(want) {
                assert!(i32::from(got).abs_diff(want) <= 1, "{rgb:?}: {got} for {want}");
            }
        }
    }

    #[test]
    fn a_smaller_screen_lies_in_the_middle_and_only_changes_are_drawn() {
        let (mut frame, mut canvas) = (Frame::new(39, 21), Canvas::default());
        assert_eq!(frame.size(), (40, 22));
        canvas.apply(ServerRecord::Resize { width: 20, height: 10 });
        canvas.apply(ServerRecord::Fill { rect: Rect::new(0, 0, 20, 10), rgb: [255, 255, 255] });
        frame.draw(&mut canvas, &Mark::default(), false);
        let luma = |frame: &Frame, x: usize, y: usize| frame.yuv()[y * 40 + x];
        assert_eq!(
            [luma(&frame, 9, 10), luma(&frame, 10, 10), luma(&frame, 29, 15), luma(&frame, 30, 15)],
            [16, 235, 235, 16]
        );
        assert_eq!([luma(&frame, 20, 5), luma(&frame, 20, 6)], [16, 235]);
        // A pointer over it, and away again.
        canvas.apply(ServerRecord::Cursor {
            hot_x: 1,
            hot_y: 1,
            width: 2,
            height: 2,
            rgba: [0, 0, 0, 255].repeat(4).into(),
        });
        canvas.apply(ServerRecord::CursorMove { x: 5, y: 5 });
        frame.draw(&mut canvas, &Mark::default(), false);
        assert_eq!(
            [luma(&frame, 13, 10), luma(&frame, 14, 10), luma(&frame, 15, 11), luma(&frame, 16, 11)],
            [235, 16, 16, 235]
        );
        canvas.apply(ServerRecord::CursorMove { x: 0, y: 0 });
        frame.draw(&mut canvas, &Mark::default(), false);
        assert_eq!([luma(&frame, 14, 10), luma(&frame, 10, 6)], [235, 16]);
        assert_eq!(frame.yuv().len(), 40 * 22 * 3 / 2);
    }
}
