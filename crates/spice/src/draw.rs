//! How pixels come together: brushes, masks, stretched pictures and raster operations (SPICE protocol, "Rop descriptor").

use crate::{
    image::Pixels,
    reader::{Area, Broken, bad},
};
use oriel_screen::{Rect, Surface};

/// What a shape is filled with.
pub(crate) enum Brush {
    Nothing,
    Solid([u8; 3]),
    /// Repeated in both directions, with its corner at this place.
    Pattern {
        pixels: Pixels,
        x: i32,
        y: i32,
    },
}

impl Brush {
    pub(crate) fn at(&self, x: u16, y: u16) -> [u8; 4] {
        match self {
            Self::Nothing => [0, 0, 0, 255],
            Self::Solid([r, g, b]) => [*r, *g, *b, 255],
            Self::Pattern { pixels, x: left, y: top } => {
                let within = |at: u16, corner: i32, side: u16| {
                    u32::try_from((i64::from(at) - i64::from(corner)).rem_euclid(i64::from(side.max(1)))).unwrap_or(0)
                };
                pixels.get(within(x, *left, pixels.width), within(y, *top, pixels.height))
            }
        }
    }
}

/// Which pixels of a shape are drawn.
pub(crate) struct Mask {
    pub(crate) pixels: Pixels,
    pub(crate) inverted: bool,
    /// What to add to a place on the surface for the one in the mask.
    pub(crate) dx: i64,
    pub(crate) dy: i64,
}

impl Mask {
    fn lets_through(&self, x: u16, y: u16) -> bool {
        let place = (u32::try_from(i64::from(x) + self.dx), u32::try_from(i64::from(y) + self.dy));
        let set = matches!(place, (Ok(x), Ok(y)) if y < u32::from(self.pixels.height) && self.pixels.get(x, y).first() != Some(&0));
        set != self.inverted
    }
}

/// A part of a picture over a box of the surface, stretched to fit.
pub(crate) struct Stretched<'a> {
    pub(crate) pixels: &'a Pixels,
    pub(crate) from: Area,
    pub(crate) to: Area,
}

impl Stretched<'_> {
    fn is_as_large(&self) -> bool {
        (self.from.width(), self.from.height()) == (self.to.width(), self.to.height())
    }

    pub(crate) fn at(&self, x: u16, y: u16) -> [u8; 4] {
        let place = |at: u16, to: i32, to_side: u32, from: i32, from_side: u32| {
            let along = (i64::from(at) - i64::from(to)) * i64::from(from_side) / i64::from(to_side.max(1));
            u32::try_from(i64::from(from) + along)
        };
        let x = place(x, self.to.left, self.to.width(), self.from.left, self.from.width());
        let y = place(y, self.to.top, self.to.height(), self.from.top, self.from.height());
        match (x, y) {
            (Ok(x), Ok(y)) => self.pixels.get(x, y),
            _ => [0; 4],
        }
    }

    /// Row `y` of a rectangle of the surface, where nothing is stretched.
    fn row(&self, rect: Rect, y: u16) -> Result<&[u8], Broken> {
        let place = |at: u16, to: i32, from: i32| u32::try_from(i64::from(at) - i64::from(to) + i64::from(from)).ok();
        let x = place(rect.x, self.to.left, self.from.left);
        let row = x.zip(place(y, self.to.top, self.from.top)).and_then(|(x, y)| self.pixels.row(x, y, rect.w));
        row.ok_or_else(|| Broken(String::from("a part outside of its picture is to be drawn")))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Put,
    Or,
    And,
    Xor,
    Black,
    White,
    Invert,
}

/// An operation of two inputs. Which two depends on the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rop {
    invert_first: bool,
    invert_second: bool,
    invert_result: bool,
    operation: Operation,
}

/// The bits that turn an input over.
pub(crate) const OF_SOURCE: u16 = 1;
pub(crate) const OF_BRUSH: u16 = 1 << 1;
pub(crate) const OF_TARGET: u16 = 1 << 2;
const INVERT_RESULT: u16 = 1 << 10;

impl Rop {
    pub(crate) const PUT: Self =
        Self { invert_first: false, invert_second: false, invert_result: false, operation: Operation::Put };

    /// A descriptor, with the bits that belong to its inputs.
    pub(crate) fn new(bits: u16, first: u16, second: u16) -> Result<Self, Broken> {
        const OPERATIONS: [(u16, Operation); 7] = [
            (1 << 3, Operation::Put),
            (1 << 4, Operation::Or),
            (1 << 5, Operation::And),
            (1 << 6, Operation::Xor),
            (1 << 7, Operation::Black),
            (1 << 8, Operation::White),
            (1 << 9, Operation::Invert),
        ];
        let Some((_, operation)) = OPERATIONS.into_iter().find(|(bit, _)| bits & bit != 0) else {
            return bad(format!("a raster operation {bits:#x} does nothing"));
        };
        let set = |bit: u16| bits & bit != 0;
        Ok(Self { invert_first: set(first), invert_second: set(second), invert_result: set(INVERT_RESULT), operation })
    }

    pub(crate) fn apply(self, first: [u8; 4], second: [u8; 4]) -> [u8; 4] {
        let turn = |byte: u8, over: bool| if over { !byte } else { byte };
        let one = |a: u8, b: u8| {
            let (a, b) = (turn(a, self.invert_first), turn(b, self.invert_second));
            let result = match self.operation {
                Operation::Put => a,
                Operation::Or => a | b,
                Operation::And => a & b,
                Operation::Xor => a ^ b,
                Operation::Black => 0,
                Operation::White => 255,
                Operation::Invert => !b,
            };
            turn(result, self.invert_result)
        };
        let ([r, g, b, alpha], [sr, sg, sb, _]) = (first, second);
        // The fourth byte is no colour.
        let alpha = if self == Self::PUT { alpha } else { 255 };
        [one(r, sr), one(g, sg), one(b, sb), alpha]
    }
}

/// An operation of brush, source and target as a table of its eight cases.
pub(crate) fn rop3(table: u8, brush: [u8; 4], source: [u8; 4], target: [u8; 4]) -> [u8; 4] {
    let one = |p: u8, s: u8, d: u8| {
        (0..8u8).filter(|case| table >> case & 1 == 1).fold(0, |result, case| {
            let side = |bit: u8, byte: u8| if case & bit == 0 { !byte } else { byte };
            result | side(4, p) & side(2, s) & side(1, d)
        })
    };
    let ([pr, pg, pb, _], [sr, sg, sb, _], [dr, dg, db, _]) = (brush, source, target);
    [one(pr, sr, dr), one(pg, sg, dg), one(pb, sb, db), 255]
}

/// A source whose colours are multiplied by its fourth byte, at so much of its strength, over the target.
pub(crate) fn over(source: [u8; 4], strength: u8, target: [u8; 4]) -> [u8; 4] {
    let part = |a: u8, b: u8| ((u32::from(a) * u32::from(b) + 127) / 255) as u8;
    let [r, g, b, alpha] = source;
    let [tr, tg, tb, ta] = target;
    let rest = 255 - part(alpha, strength);
    let one = |source: u8, target: u8| part(source, strength).saturating_add(part(target, rest));
    [one(r, tr), one(g, tg), one(b, tb), part(alpha, strength).saturating_add(part(ta, rest))]
}

/// Paints rectangles that lie on the surface: `pixel` answers what is at a place, from what is there; none leaves it.
pub(crate) fn paint(
    surface: &mut Surface,
    areas: &[Rect],
    mask: Option<&Mask>,
    pixel: impl Fn(u16, u16, [u8; 4]) -> Option<[u8; 4]>,
) -> Result<(), Broken> {
    for area in areas {
        for y in area.y..area.y + area.h {
            let (row, _) = surface.row_mut(area.x, y, area.w)?.as_chunks_mut::<4>();
            for (x, place) in (area.x..).zip(row) {
                if mask.is_none_or(|mask| mask.lets_through(x, y))
                    && let Some(new) = pixel(x, y, *place)
                {
                    *place = new;
                }
            }
        }
    }
    Ok(())
}

/// As [`paint`] with a picture and nothing else, which is what nearly all messages want.
pub(crate) fn put(surface: &mut Surface, areas: &[Rect], picture: &Stretched) -> Result<(), Broken> {
    if !picture.is_as_large() {
        return paint(surface, areas, None, |x, y, _| Some(picture.at(x, y)));
    }
    for area in areas {
        for y in area.y..area.y + area.h {
            let row = picture.row(*area, y)?;
            surface.row_mut(area.x, y, area.w)?.copy_from_slice(row);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{OF_SOURCE, OF_TARGET, Rop, over, rop3};

    const A: [u8; 4] = [0b1100, 0xf0, 0, 255];
    const B: [u8; 4] = [0b1010, 0x0f, 0xff, 255];

    fn rop(bits: u16) -> [u8; 4] {
        Rop::new(bits, OF_SOURCE, OF_TARGET).unwrap().apply(A, B)
    }

    #[test]
    fn operations() {
        assert_eq!(rop(1 << 3), A);
        assert_eq!(rop(1 << 4)[0], 0b1110);
        assert_eq!(rop(1 << 5)[0], 0b1000);
        assert_eq!(rop(1 << 6)[0], 0b0110);
        assert_eq!(rop(1 << 7)[..3], [0; 3]);
        assert_eq!(rop(1 << 8)[..3], [255; 3]);
        assert_eq!(rop(1 << 9)[1], 0xf0);
        assert_eq!(rop(1 << 3 | 1)[1], 0x0f, "the source turned over");
        assert_eq!(rop(1 << 4 | 4)[1], 0xf0, "the target turned over");
        assert_eq!(rop(1 << 6 | 1 << 10)[1], 0, "the result turned over");
        assert!(Rop::new(1, OF_SOURCE, OF_TARGET).is_err());
    }

    #[test]
    fn three_inputs() {
        let c = [0b1111_0000, 1, 2, 255];
        assert_eq!(rop3(0xcc, c, A, B)[..3], A[..3], "the source");
        assert_eq!(rop3(0xaa, c, A, B)[..3], B[..3], "the target");
        assert_eq!(rop3(0xf0, c, A, B)[..3], c[..3], "the brush");
        assert_eq!(rop3(0x66, c, A, B)[0], 0b0110, "source and target, exclusively");
    }

    #[test]
    fn halves() {
        assert_eq!(over([255, 0, 0, 255], 128, [0, 255, 0, 255]), [128, 127, 0, 255]);
        assert_eq!(over([0; 4], 255, [1, 2, 3, 255]), [1, 2, 3, 255]);
    }
}
