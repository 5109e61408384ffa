//! Pictures that were handed on and are not painted yet. Most never are: a moving picture is covered by its next frame
//! before anybody asks for the pixels.
//!
//! Those that wait never overlap, so that they can be painted in any order.

use crate::{paint::paint, reader::Stop};
use bytes::Bytes;
use oriel_screen::{Rect, Surface, TileCodec};

/// Pictures that wait, and their bytes: beyond either, all are painted.
const PICTURES_MAX: usize = 512;
const BYTES_MAX: usize = 16 << 20;

#[derive(Debug)]
struct Picture {
    rect: Rect,
    codec: TileCodec,
    bytes: Bytes,
}

#[derive(Debug, Default)]
pub(crate) struct Pending {
    list: Vec<Picture>,
    bytes: usize,
}

impl Pending {
    /// New pixels come over `rect`: what they cover is forgotten, what they cover in part is painted first.
    pub(crate) fn make_way(&mut self, rect: Rect, surface: &mut Surface) -> Result<(), Stop> {
        self.take(surface, |picture| {
            let common = picture.intersect(&rect);
            if common.is_empty() {
                Fate::Stay
            } else if common == *picture {
                Fate::Forget
            } else {
                Fate::Paint
            }
        })
    }

    /// The pixels in `rect` are about to be read.
    pub(crate) fn paint_in(&mut self, rect: Rect, surface: &mut Surface) -> Result<(), Stop> {
        self.take(surface, |picture| if picture.intersect(&rect).is_empty() { Fate::Stay } else { Fate::Paint })
    }

    pub(crate) fn paint_all(&mut self, surface: &mut Surface) -> Result<(), Stop> {
        self.take(surface, |_| Fate::Paint)
    }

    pub(crate) fn forget_all(&mut self) {
        self.list.clear();
        self.bytes = 0;
    }

    pub(crate) fn add(
        &mut self,
        rect: Rect,
        codec: TileCodec,
        bytes: Bytes,
        surface: &mut Surface,
    ) -> Result<(), Stop> {
        self.make_way(rect, surface)?;
        self.bytes += bytes.len();
        self.list.push(Picture { rect, codec, bytes });
        if self.list.len() > PICTURES_MAX || self.bytes > BYTES_MAX {
            self.paint_all(surface)?;
        }
        Ok(())
    }

    fn take(&mut self, surface: &mut Surface, fate: impl Fn(&Rect) -> Fate) -> Result<(), Stop> {
        let mut result = Ok(());
        let bytes = &mut self.bytes;
        self.list.retain(|picture| {
            let fate = fate(&picture.rect);
            if matches!(fate, Fate::Paint) && result.is_ok() {
                result = paint(surface, picture.rect, picture.codec, &picture.bytes);
            }
            let stays = matches!(fate, Fate::Stay);
            if !stays {
                *bytes -= picture.bytes.len();
            }
            stays
        });
        result
    }
}

enum Fate {
    Stay,
    Paint,
    Forget,
}
