//! The recorded pointer: its picture and where it is.

use bytes::Bytes;
use oriel_screen::{CURSOR_SIDE_MAX, Rect};

/// A plain arrow for machines that leave the pointer to the viewer: `#` black, `.` white.
const ARROW: [&str; 19] = [
    "#           ",
    "##          ",
    "#.#         ",
    "#..#        ",
    "#...#       ",
    "#....#      ",
    "#.....#     ",
    "#......#    ",
    "#.......#   ",
    "#........#  ",
    "#.........# ",
    "#......#####",
    "#...#..#    ",
    "#..##..#    ",
    "#.#  #..#   ",
    "##   #..#   ",
    "#     #..#  ",
    "      #..#  ",
    "       ##   ",
];

#[derive(Debug)]
pub(crate) struct Pointer {
    hot: (u16, u16),
    width: u16,
    height: u16,
    rgba: Bytes,
    at: Option<(u16, u16)>,
}

impl Default for Pointer {
    fn default() -> Self {
        let mut pointer = Self { hot: (0, 0), width: 0, height: 0, rgba: Bytes::new(), at: None };
        pointer.standard();
        pointer
    }
}

impl Pointer {
    pub fn standard(&mut self) {
        let pixel = |letter| match letter {
            b'#' => [0, 0, 0, 255],
            b'.' => [255, 255, 255, 255],
            _ => [0; 4],
        };
        self.rgba = ARROW.iter().flat_map(|row| row.bytes()).flat_map(pixel).collect();
        (self.hot, self.width, self.height) = ((0, 0), 12, 19);
    }

    /// What is larger than pointers are, or lacks pixels, is no pointer.
    pub fn picture(&mut self, hot: (u16, u16), width: u16, height: u16, rgba: Bytes) {
        let fits = width <= CURSOR_SIDE_MAX
            && height <= CURSOR_SIDE_MAX
            && rgba.len() == usize::from(width) * usize::from(height) * 4;
        (self.hot, self.width, self.height) = if fits { (hot, width, height) } else { ((0, 0), 0, 0) };
        self.rgba = if fits { rgba } else { Bytes::new() };
    }

    pub const fn moved(&mut self, x: u16, y: u16) {
        self.at = Some((x, y));
    }

    /// Left and top, which may be beyond the edge.
    fn corner(&self) -> Option<(i32, i32)> {
        let (x, y) = self.at?;
        Some((i32::from(x) - i32::from(self.hot.0), i32::from(y) - i32::from(self.hot.1)))
    }

    /// What of a surface it covers.
    pub fn area(&self) -> Rect {
        let Some((left, top)) = self.corner() else { return Rect::default() };
        let (x, y) = (left.max(0), top.max(0));
        let (right, bottom) = (left + i32::from(self.width), top + i32::from(self.height));
        Rect::new(x as u16, y as u16, (right - x).max(0) as u16, (bottom - y).max(0) as u16)
    }

    /// Straight alpha; `None` beside it.
    pub fn pixel(&self, x: u16, y: u16) -> Option<[u8; 4]> {
        let (left, top) = self.corner()?;
        let column = usize::try_from(i32::from(x) - left).ok().filter(|column| *column < usize::from(self.width))?;
        let row = usize::try_from(i32::from(y) - top).ok().filter(|row| *row < usize::from(self.height))?;
        let at = (row * usize::from(self.width) + column) * 4;
        self.rgba.get(at..at + 4)?.try_into().ok()
    }
}
