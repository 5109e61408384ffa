//! Tight (community RFB specification §7.7.x "Tight Encoding"): fill, or pixels through a filter (copy, palette,
//! gradient) and one of four zlib streams, or a JPEG or PNG picture.

use crate::{
    decode::{Decode, Walk, paint_rgb},
    inflate::{Deflated, Inflater},
    picture::{self, Collect, Whole},
    reader::{Reader, Stop, bad},
};
use oriel_screen::{Framebuffer, Rect, Surface, TileCodec};

/// Data shorter than this is not compressed.
const UNCOMPRESSED_BELOW: u32 = 12;

pub(crate) struct Tight {
    rect: Rect,
    state: State,
}

enum State {
    Control,
    /// Reads the filter; `explicit` says that it is named.
    Filter {
        stream: usize,
        explicit: bool,
    },
    /// Reads the compressed length.
    Length {
        stream: usize,
        pixels: Pixels,
    },
    Plain(Pixels),
    Deflated {
        stream: usize,
        pixels: Deflated<Pixels>,
    },
    /// Reads a picture's length.
    PictureLength(TileCodec),
    Picture {
        codec: TileCodec,
        bytes: Collect,
    },
    Done,
}

/// What a control byte says about pictures; the other kinds paint pixels.
pub(crate) const fn picture_of(control: u8) -> Option<TileCodec> {
    match control >> 4 {
        9 => Some(TileCodec::Jpeg),
        10 => Some(TileCodec::Png),
        _ => None,
    }
}

impl Tight {
    pub(crate) const fn new(rect: Rect) -> Self {
        Self { rect, state: State::Control }
    }

    pub(crate) fn run(
        &mut self,
        reader: &mut Reader,
        surface: &mut Surface,
        streams: &mut [Option<Inflater>; 4],
        scratch: &mut Vec<u8>,
    ) -> Result<Whole, Stop> {
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Done) {
                State::Control => match reader.unit(|reader| Self::control(self.rect, reader, surface, streams)) {
                    Ok(state) => state,
                    Err(stop) => return self.put_back(State::Control, stop),
                },
                State::Filter { stream, explicit } => {
                    match reader.unit(|reader| Pixels::read(self.rect, explicit, reader)) {
                        Ok(pixels) if pixels.bytes() < UNCOMPRESSED_BELOW => State::Plain(pixels),
                        Ok(pixels) => State::Length { stream, pixels },
                        Err(stop) => return self.put_back(State::Filter { stream, explicit }, stop),
                    }
                }
                State::Length { stream, pixels } => match reader.unit(compact_length) {
                    Ok(length) => State::Deflated { stream, pixels: Deflated::new(length, pixels) },
                    Err(stop) => return self.put_back(State::Length { stream, pixels }, stop),
                },
                State::Plain(mut pixels) => match pixels.run(reader, surface) {
                    Ok(()) => State::Done,
                    Err(stop) => return self.put_back(State::Plain(pixels), stop),
                },
                State::Deflated { stream, mut pixels } => {
                    let Some(slot) = streams.get_mut(stream) else {
                        return bad("a tight rectangle names a stream that does not exist");
                    };
                    match pixels.run(reader, surface, slot.get_or_insert_with(Inflater::new), scratch) {
                        Ok(()) => State::Done,
                        Err(stop) => return self.put_back(State::Deflated { stream, pixels }, stop),
                    }
                }
                State::PictureLength(codec) => match reader.unit(compact_length) {
                    Ok(length) => State::Picture { codec, bytes: Collect::new(length) },
                    Err(stop) => return self.put_back(State::PictureLength(codec), stop),
                },
                State::Picture { codec, mut bytes } => match bytes.run(reader) {
                    Ok(bytes) => {
                        picture::check(codec, &bytes, self.rect)?;
                        return Ok(Whole::Tile { codec, bytes });
                    }
                    Err(stop) => return self.put_back(State::Picture { codec, bytes }, stop),
                },
                State::Done => return Ok(Whole::Painted),
            };
        }
    }

    fn put_back(&mut self, state: State, stop: Stop) -> Result<Whole, Stop> {
        self.state = state;
        Err(stop)
    }

    fn control(
        rect: Rect,
        reader: &mut Reader,
        surface: &mut Surface,
        streams: &mut [Option<Inflater>; 4],
    ) -> Result<State, Stop> {
        let control = reader.u8()?;
        let state = match control >> 4 {
            kind @ 0..=7 => State::Filter { stream: usize::from(kind & 3), explicit: kind & 4 != 0 },
            8 => {
                surface.fill(rect, reader.array::<3>()?)?;
                State::Done
            }
            other => match picture_of(control) {
                Some(codec) => State::PictureLength(codec),
                None => return bad(format!("a tight rectangle has the unknown kind {other}")),
            },
        };
        for (bit, stream) in streams.iter_mut().enumerate() {
            if control & (1 << bit) != 0 {
                *stream = None;
            }
        }
        Ok(state)
    }
}

/// One to three bytes of seven bits (the third of eight), the lowest first.
fn compact_length(reader: &mut Reader) -> Result<u32, Stop> {
    let first = u32::from(reader.u8()?);
    let mut length = first & 0x7f;
    if first & 0x80 != 0 {
        let second = u32::from(reader.u8()?);
        length |= (second & 0x7f) << 7;
        if second & 0x80 != 0 {
            length |= u32::from(reader.u8()?) << 14;
        }
    }
    Ok(length)
}

/// The pixels behind a filter.
#[derive(Debug)]
struct Pixels {
    rect: Rect,
    walk: Walk,
    filter: Filter,
}

#[derive(Debug)]
enum Filter {
    Copy,
    /// Two colours take one bit a pixel with rows padded to bytes, more take a byte.
    Palette(Vec<[u8; 3]>),
    Gradient,
}

impl Pixels {
    fn read(rect: Rect, explicit: bool, reader: &mut Reader) -> Result<Self, Stop> {
        let filter = match if explicit { reader.u8()? } else { 0 } {
            0 => Filter::Copy,
            1 => {
                let count = usize::from(reader.u8()?) + 1;
                Filter::Palette(reader.take(count * 3)?.as_chunks::<3>().0.to_vec())
            }
            2 => Filter::Gradient,
            other => return bad(format!("a tight rectangle has the unknown filter {other}")),
        };
        Ok(Self { rect, walk: Walk::new(rect), filter })
    }

    /// How long the data is before compression.
    fn bytes(&self) -> u32 {
        let (w, h) = (u32::from(self.rect.w), u32::from(self.rect.h));
        match &self.filter {
            Filter::Copy | Filter::Gradient => w * h * 3,
            Filter::Palette(colours) if colours.len() <= 2 => w.div_ceil(8) * h,
            Filter::Palette(_) => w * h,
        }
    }

    /// A colour as the sum of what its neighbours left and above predict and the difference that is sent.
    fn gradient(&mut self, difference: [u8; 3], surface: &mut Surface) -> Result<(), Stop> {
        let (x, y) = self.walk.position();
        let at = |x: u16, y: u16| match surface.row(x, y, 1) {
            [red, green, blue, _] => [*red, *green, *blue],
            _ => [0; 3],
        };
        let (first_row, first_column) = (self.walk.first_row(), self.walk.first_column());
        let left = if first_column { [0; 3] } else { at(x - 1, y) };
        let above = if first_row { [0; 3] } else { at(x, y - 1) };
        let corner = if first_row || first_column { [0; 3] } else { at(x - 1, y - 1) };
        let mut rgb = difference;
        for ((part, corner), (left, above)) in rgb.iter_mut().zip(corner).zip(left.into_iter().zip(above)) {
            let guess = (i16::from(left) + i16::from(above) - i16::from(corner)).clamp(0, 255);
            *part = part.wrapping_add(guess as u8);
        }
        paint_rgb(&mut self.walk, surface, &rgb)
    }
}

impl Decode for Pixels {
    fn done(&self) -> bool {
        self.walk.done()
    }

    fn step(&mut self, reader: &mut Reader, surface: &mut Surface) -> Result<(), Stop> {
        let row = self.walk.left_in_row();
        let outside = || Stop::Bad(String::from("a palette index is out of range"));
        match &self.filter {
            Filter::Copy => {
                let rgb = reader.some(3, usize::from(row))?;
                paint_rgb(&mut self.walk, surface, rgb)
            }
            Filter::Palette(colours) if colours.len() <= 2 => {
                let byte = reader.u8()?;
                let pixels = self.walk.pixels(surface, row.min(8))?;
                for (bit, pixel) in pixels.chunks_exact_mut(4).enumerate() {
                    let index = usize::from((byte >> (7 - bit)) & 1);
                    let [r, g, b] = *colours.get(index).ok_or_else(outside)?;
                    pixel.copy_from_slice(&[r, g, b, 255]);
                }
                Ok(())
            }
            Filter::Palette(colours) => {
                let indices = reader.some(1, usize::from(row))?;
                let pixels = self.walk.pixels(surface, indices.len() as u16)?;
                for (index, pixel) in indices.iter().zip(pixels.chunks_exact_mut(4)) {
                    let [r, g, b] = *colours.get(usize::from(*index)).ok_or_else(outside)?;
                    pixel.copy_from_slice(&[r, g, b, 255]);
                }
                Ok(())
            }
            Filter::Gradient => {
                let difference = reader.array::<3>()?;
                self.gradient(difference, surface)
            }
        }
    }
}
