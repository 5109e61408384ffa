//! A hand-made server: messages as bytes, and a session that takes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]
#![allow(dead_code, reason = "each test program uses a part")]

pub mod real;

use flate2::{Compress, Compression, FlushCompress};
use oriel_screen::{Rect, ScreenEvent, Source, SourceError};
use oriel_vnc::{Established, VncSource, encodings};

pub struct Session {
    pub source: VncSource,
    pub out: Vec<u8>,
    pub events: Vec<ScreenEvent>,
}

impl Session {
    pub fn new(width: u16, height: u16) -> Self {
        let mut out = Vec::new();
        let established = Established { width, height, name: "test".into() };
        let source = VncSource::new(established, encodings::wanted(false), &mut out).unwrap();
        let mut session = Self { source, out, events: Vec::new() };
        session.feed(&[]).unwrap();
        session.out.clear();
        session.events.clear();
        session
    }

    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.source.receive(bytes, &mut self.out, &mut self.events)
    }

    /// Paints what was handed on as pictures.
    pub fn settle(&mut self) {
        self.source.settle().unwrap();
    }

    pub fn rgb(&self, x: u16, y: u16) -> [u8; 3] {
        self.source.framebuffer().row(x, y, 1)[..3].try_into().unwrap()
    }

    /// The colours of all pixels, row by row.
    pub fn colours(&self) -> Vec<[u8; 3]> {
        self.source.framebuffer().rgba().chunks(4).map(|p| [p[0], p[1], p[2]]).collect()
    }
}

/// A framebuffer update of these rectangles.
pub fn update(rectangles: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend((rectangles.len() as u16).to_be_bytes());
    for rectangle in rectangles {
        bytes.extend(rectangle);
    }
    bytes
}

pub fn rectangle(rect: Rect, encoding: i32, payload: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = [rect.x, rect.y, rect.w, rect.h].iter().flat_map(|v| v.to_be_bytes()).collect();
    bytes.extend(encoding.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub fn one(rect: Rect, encoding: i32, payload: &[u8]) -> Vec<u8> {
    update(&[rectangle(rect, encoding, payload)])
}

/// A zlib stream of the server.
pub struct Deflater(Compress);

impl Deflater {
    pub fn new() -> Self {
        Self(Compress::new(Compression::default(), true))
    }

    pub fn pack(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(plain.len() + 1024);
        self.0.compress_vec(plain, &mut packed, FlushCompress::Sync).unwrap();
        packed
    }

    /// With the length of Zlib and ZRLE rectangles before it.
    pub fn long(&mut self, plain: &[u8]) -> Vec<u8> {
        let packed = self.pack(plain);
        [(packed.len() as u32).to_be_bytes().to_vec(), packed].concat()
    }

    /// With Tight's compact length before it.
    pub fn compact(&mut self, plain: &[u8]) -> Vec<u8> {
        let packed = self.pack(plain);
        let n = packed.len();
        let mut bytes = match n {
            0..0x80 => vec![n as u8],
            0x80..0x4000 => vec![n as u8 & 0x7f | 0x80, (n >> 7) as u8],
            _ => vec![n as u8 & 0x7f | 0x80, (n >> 7) as u8 & 0x7f | 0x80, (n >> 14) as u8],
        };
        bytes.extend(packed);
        bytes
    }
}

/// Pixels in the session's format.
pub fn pixels(colours: &[[u8; 3]]) -> Vec<u8> {
    colours.iter().flat_map(|[r, g, b]| [*r, *g, *b, 0]).collect()
}

/// A picture with edges, runs and a gradient, for every encoding to carry.
pub fn picture(w: u16, h: u16) -> Vec<[u8; 3]> {
    (0..h)
        .flat_map(|y| {
            (0..w).map(move |x| match (x / 5 + y / 3) % 4 {
                0 => [200, 10, 10],
                1 => [10, 200, 10],
                2 => [x as u8, y as u8, (x + y) as u8],
                _ => [0, 0, 255],
            })
        })
        .collect()
}
