//! JPEG rectangles (encoding 21 of the community's RFB specification): a JPEG stream without a length before it, which may
//! leave out tables that came before. Markers: ITU-T T.81 annex B.

use crate::{
    picture::Whole,
    reader::{Reader, Stop, bad},
};
use bytes::Bytes;
use oriel_screen::{Rect, TileCodec};

/// Largest picture that is accepted, in bytes.
const BYTES_MAX: usize = 8 << 20;
/// Quantisation or Huffman tables of one picture, in bytes: a whole set of each takes less than half.
const TABLES_BYTES_MAX: usize = 8 << 10;

const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
const QUANTISATION: u8 = 0xdb;
const HUFFMAN: u8 = 0xc4;

const fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, HUFFMAN | 0xc8 | 0xcc)
}

/// Markers without a length.
const fn stands_alone(marker: u8) -> bool {
    matches!(marker, 0x01 | 0xd0..=END)
}

/// Width and height of a picture, from the first frame header.
pub(crate) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut reader = Reader::new(bytes);
    if reader.array().ok()? != [0xff, START] {
        return None;
    }
    loop {
        match reader.array().ok()? {
            [0xff, 0xff] => reader = Reader::new(bytes.get(bytes.len() - reader.rest().len() - 1..)?),
            [0xff, SCAN | END] => return None,
            [0xff, marker] if stands_alone(marker) => {}
            [0xff, marker] => {
                let length = usize::from(reader.u16().ok()?).checked_sub(2)?;
                let segment = reader.take(length).ok()?;
                if is_frame(marker) {
                    return frame_size(segment);
                }
            }
            _ => return None,
        }
    }
}

/// Precision, height, width and more.
fn frame_size(segment: &[u8]) -> Option<(u32, u32)> {
    let mut reader = Reader::new(segment.get(1..)?);
    let (height, width) = (reader.u16().ok()?, reader.u16().ok()?);
    Some((u32::from(width), u32::from(height)))
}

/// The tables of the picture before.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    quantisation: Vec<u8>,
    huffman: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct JpegRect {
    rect: Rect,
    got: Vec<u8>,
    state: State,
    tables: Tables,
    size: Option<(u32, u32)>,
}

#[derive(Debug)]
enum State {
    Marker,
    Length(u8),
    Segment { marker: u8, start: usize, left: usize },
    Scan,
}

impl JpegRect {
    pub(crate) fn new(rect: Rect) -> Self {
        Self { rect, got: Vec::new(), state: State::Marker, tables: Tables::default(), size: None }
    }

    pub(crate) fn run(&mut self, reader: &mut Reader, before: &mut Tables) -> Result<Whole, Stop> {
        let result = self.walk(reader, before);
        if self.got.len() > BYTES_MAX {
            return bad(format!("a JPEG picture is longer than {BYTES_MAX} bytes"));
        }
        result
    }

    fn walk(&mut self, reader: &mut Reader, before: &mut Tables) -> Result<Whole, Stop> {
        loop {
            self.state = match self.state {
                State::Marker => {
                    if let [0xff, 0xff, ..] = reader.rest() {
                        // Filling between markers.
                        self.got.extend_from_slice(reader.take(1)?);
                        continue;
                    }
                    let [mark, marker] = reader.unit(Reader::array)?;
                    if mark != 0xff || (self.got.is_empty() && marker != START) {
                        return bad("a JPEG picture has no marker where one belongs");
                    }
                    self.got.push(mark);
                    self.got.push(marker);
                    match marker {
                        END => return self.end(before),
                        marker if stands_alone(marker) => State::Marker,
                        marker => State::Length(marker),
                    }
                }
                State::Length(marker) => {
                    let length = reader.unit(Reader::u16)?;
                    let Some(left) = usize::from(length).checked_sub(2) else {
                        return bad("a JPEG segment is shorter than its length");
                    };
                    let start = self.got.len() - 2;
                    self.got.extend_from_slice(&length.to_be_bytes());
                    State::Segment { marker, start, left }
                }
                State::Segment { marker, start, left } => {
                    let now = reader.take(reader.rest().len().min(left))?;
                    self.got.extend_from_slice(now);
                    let left = left - now.len();
                    if left > 0 {
                        self.state = State::Segment { marker, start, left };
                        return Err(Stop::Short);
                    }
                    self.segment(marker, start)?;
                    if marker == SCAN { State::Scan } else { State::Marker }
                }
                State::Scan => {
                    let rest = reader.rest();
                    let plain = rest.iter().position(|byte| *byte == 0xff).unwrap_or(rest.len());
                    self.got.extend_from_slice(reader.take(plain)?);
                    match reader.rest() {
                        // A zero or a restart marker belongs to the scan.
                        [0xff, 0 | 0xd0..=0xd7, ..] => {
                            self.got.extend_from_slice(reader.take(2)?);
                            State::Scan
                        }
                        [0xff, _, ..] => State::Marker,
                        _ => return Err(Stop::Short),
                    }
                }
            };
        }
    }

    fn segment(&mut self, marker: u8, start: usize) -> Result<(), Stop> {
        let segment = self.got.get(start..).unwrap_or_default();
        let tables = match marker {
            QUANTISATION => &mut self.tables.quantisation,
            HUFFMAN => &mut self.tables.huffman,
            _ if is_frame(marker) => {
                self.size = frame_size(segment.get(4..).unwrap_or_default());
                return Ok(());
            }
            _ => return Ok(()),
        };
        tables.extend_from_slice(segment);
        if tables.len() > TABLES_BYTES_MAX { bad("a JPEG picture has tables without end") } else { Ok(()) }
    }

    /// The picture is complete: with the tables of before where it has none.
    fn end(&mut self, before: &mut Tables) -> Result<Whole, Stop> {
        if self.size != Some((u32::from(self.rect.w), u32::from(self.rect.h))) {
            return bad("a JPEG picture has another size than its rectangle");
        }
        let mut lacking = Vec::new();
        for (now, before) in
            [(&mut self.tables.quantisation, &mut before.quantisation), (&mut self.tables.huffman, &mut before.huffman)]
        {
            if now.is_empty() {
                lacking.extend_from_slice(before);
            } else {
                *before = std::mem::take(now);
            }
        }
        let mut bytes = std::mem::take(&mut self.got);
        if !lacking.is_empty() {
            // After the marker that begins every picture.
            bytes.splice(2..2, lacking);
        }
        Ok(Whole::Tile { codec: TileCodec::Jpeg, bytes: Bytes::from(bytes) })
    }
}
