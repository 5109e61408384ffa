//! The graphics pipeline (MS-RDPEGFX) as a dynamic channel of our own.
//!
//! ```text
//!  channel message ─▶ ZGFX ─▶ PDUs ─┬─ AVC420, AVC444 ──────────────▶ Output::Video, not decoded
//!                                   └─ other codecs ─▶ surfaces ────▶ Output::Damage, Output::Copy
//!  StartFrame … EndFrame ──────────────────────────────────────────▶ Output::FrameEnd ─(viewer has it)─▶ FrameAcknowledge
//! ```
//!
//! The server is told "decoded" when the viewer has drawn, so that it never runs ahead of the person who watches.
//! Surfaces hold pixels only once something was painted that we decode; what H.264 shows exists in the viewer alone.
//!
//! Everything has a limit below, looked at before memory is taken. What cannot be decoded is left out; what breaks the
//! framing or a limit ends the session.

mod codec;
mod surface;
mod zgfx;

use bytes::Bytes;
use codec::Codecs;
use ironrdp_core::{Decode as _, ReadCursor, impl_as_any};
use ironrdp_dvc::{DvcClientProcessor, DvcMessage, DvcProcessor};
use ironrdp_egfx::pdu::{
    Avc420BitmapStream, Avc444BitmapStream, CapabilitiesAdvertisePdu, CapabilitiesV8Flags, CapabilitiesV10Flags,
    CapabilitiesV81Flags, CapabilitySet, Codec1Type, Encoding, FrameAcknowledgePdu, GfxPdu, QueueDepth,
    WireToSurface1Pdu,
};
use ironrdp_pdu::PduResult;
use ironrdp_pdu::geometry::ExclusiveRectangle;
use oriel_screen::h264::Unit;
use oriel_screen::{Rect, SURFACE_PIXELS_MAX, VIDEO_REGIONS_MAX, VideoCodec};
use surface::Surfaces;
use zgfx::Inflate;

/// Most surfaces at once.
pub(crate) const SURFACES_MAX: usize = 64;
/// Most pixels of all surfaces together: the screen and as much again.
pub(crate) const SURFACES_PIXELS_MAX: u64 = 2 * SURFACE_PIXELS_MAX as u64;
/// Slots of the bitmap cache, and its bytes: the small cache of MS-RDPEGFX 3.3.1.4.
pub(crate) const CACHE_SLOTS_MAX: u16 = 4096;
pub(crate) const CACHE_BYTES_MAX: usize = 16 << 20;
/// Tiles of 64 by 64 pixels that progressive decoding may keep, each about 60 KiB: one screen of 3840x2160.
pub(crate) const PROGRESSIVE_TILES_MAX: usize = 2048;
/// What one channel message may contain once it is inflated, in bytes: a screen of 3840x2160 without compression.
pub(crate) const MESSAGE_PLAIN_BYTES_MAX: usize = 34 << 20;
/// Pixels that one message may touch: some screens, since a few bytes can ask for a copy of everything many times.
pub(crate) const MESSAGE_PIXELS_MAX: u64 = 8 * SURFACE_PIXELS_MAX as u64;
/// Results of one message before it is refused.
const OUTPUTS_MAX: usize = 16 << 10;
/// The longest PDU type that is known; later ones are skipped by their length.
const KNOWN_PDU_MAX: u16 = 0x18;
const PDU_HEADER_BYTES: usize = 8;

/// What the pipeline did, in order.
#[derive(Debug)]
pub(crate) enum Output {
    /// The screen has this size and is black.
    Reset {
        width: u32,
        height: u32,
    },
    /// These pixels of the screen are to be read anew ([`Graphics::pixels`]).
    Damage(Rect),
    /// Pixels moved within the screen.
    Copy {
        from_x: u16,
        from_y: u16,
        to: Rect,
    },
    Video {
        rect: Rect,
        regions: Vec<Rect>,
        codec: VideoCodec,
        unit: Unit,
    },
    /// A frame ends; the server waits for [`Graphics::acknowledgement`].
    FrameEnd {
        frame: u32,
    },
}

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Fault {
    /// This update is left out.
    Update(String),
    /// The session ends.
    Session(String),
}

impl Fault {
    fn update(error: impl std::fmt::Display) -> Self {
        Self::Update(error.to_string())
    }
}

pub(crate) struct Graphics {
    /// H.264 is offered.
    video: bool,
    /// And in 4:4:4.
    full: bool,
    inflate: Inflate,
    plain: Vec<u8>,
    surfaces: Surfaces,
    codecs: Codecs,
    outputs: Vec<Output>,
    /// Between StartFrame and EndFrame.
    in_frame: bool,
    /// Frames acknowledged so far.
    acknowledged: u32,
    /// Updates that were left out.
    dropped: u64,
    fault: Option<String>,
}

impl_as_any!(Graphics);

impl Graphics {
    pub(crate) fn new(video: bool) -> Self {
        Self {
            video,
            full: false,
            inflate: Inflate::default(),
            plain: Vec::new(),
            surfaces: Surfaces::default(),
            codecs: Codecs::default(),
            outputs: Vec::new(),
            in_frame: false,
            acknowledged: 0,
            dropped: 0,
            fault: None,
        }
    }

    /// With H.264, also in 4:4:4.
    pub(crate) fn full() -> Self {
        Self { full: true, ..Self::new(true) }
    }

    /// What happened since the last call, or why the session must end.
    pub(crate) fn take(&mut self) -> Result<Vec<Output>, String> {
        match self.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(std::mem::take(&mut self.outputs)),
        }
    }

    /// Whether a picture is only half here.
    pub(crate) const fn in_frame(&self) -> bool {
        self.in_frame
    }

    /// The pixels of a part of the screen, as far as surfaces of ours have them.
    pub(crate) fn pixels(&self, rect: Rect) -> Vec<(ExclusiveRectangle, Vec<u8>)> {
        self.surfaces.pixels(rect)
    }

    /// Marks everything that is on the screen to be read anew: the screen was replaced.
    pub(crate) fn repaint(&mut self) {
        self.surfaces.repaint();
        self.flush();
    }

    /// Says that a frame is on the viewer's canvas, with the bytes that wait behind it (MS-RDPEGFX 2.2.2.13).
    pub(crate) fn acknowledgement(&mut self, frame_id: u32, waiting: usize) -> DvcMessage {
        self.acknowledged = self.acknowledged.wrapping_add(1);
        let queue_depth = match u32::try_from(waiting).unwrap_or(u32::MAX - 1) {
            0 => QueueDepth::Unavailable,
            bytes => QueueDepth::AvailableBytes(bytes.min(u32::MAX - 1)),
        };
        let total_frames_decoded = self.acknowledged;
        Box::new(GfxPdu::FrameAcknowledge(FrameAcknowledgePdu { queue_depth, frame_id, total_frames_decoded }))
    }

    fn message(&mut self, payload: &[u8]) -> Result<(), Fault> {
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        self.surfaces.begin_message();
        let outcome = self.inflate.message(payload, &mut plain).and_then(|()| self.pdus(&plain));
        // What was large once need not stay.
        plain.shrink_to(1 << 20);
        self.plain = plain;
        self.flush();
        outcome
    }

    fn pdus(&mut self, mut rest: &[u8]) -> Result<(), Fault> {
        let broken = || Fault::Session("a graphics message is not cut into PDUs".to_owned());
        while !rest.is_empty() {
            let head: [u8; PDU_HEADER_BYTES] =
                rest.get(..PDU_HEADER_BYTES).and_then(|head| head.try_into().ok()).ok_or_else(broken)?;
            let [kind_low, kind_high, _, _, length @ ..] = head;
            let (kind, length) = (u16::from_le_bytes([kind_low, kind_high]), u32::from_le_bytes(length) as usize);
            let (pdu, after) =
                rest.split_at_checked(length).filter(|_| length >= PDU_HEADER_BYTES).ok_or_else(broken)?;
            rest = after;
            if kind > KNOWN_PDU_MAX {
                continue;
            }
            let pdu = GfxPdu::decode(&mut ReadCursor::new(pdu))
                .map_err(|error| Fault::Session(format!("a graphics PDU of type {kind} is not valid: {error}")))?;
            match self.pdu(pdu) {
                Ok(()) => {}
                Err(Fault::Update(what)) => {
                    self.dropped = self.dropped.saturating_add(1);
                    if self.dropped.is_power_of_two() {
                        tracing::info!(kind, what, dropped = self.dropped, "Graphics update left out");
                    }
                }
                Err(fault) => return Err(fault),
            }
            if self.outputs.len() > OUTPUTS_MAX {
                return Err(Fault::Session("a graphics message does too many things".to_owned()));
            }
        }
        Ok(())
    }

    fn pdu(&mut self, pdu: GfxPdu) -> Result<(), Fault> {
        match pdu {
            GfxPdu::CapabilitiesConfirm(confirm) => {
                tracing::debug!(version = format!("{:#x}", confirm.0.version.0), "Graphics pipeline agreed");
            }
            GfxPdu::ResetGraphics(reset) => {
                self.surfaces.clear();
                self.codecs.reset();
                self.outputs.push(Output::Reset { width: reset.width, height: reset.height });
            }
            GfxPdu::CreateSurface(create) => {
                self.codecs.delete_surface(create.surface_id);
                self.surfaces.create(create.surface_id, create.width, create.height)?;
            }
            GfxPdu::DeleteSurface(delete) => {
                self.flush();
                self.codecs.delete_surface(delete.surface_id);
                self.surfaces.delete(delete.surface_id);
            }
            GfxPdu::MapSurfaceToOutput(map) => {
                self.surfaces.map(map.surface_id, map.output_origin_x, map.output_origin_y)?;
            }
            GfxPdu::MapSurfaceToScaledOutput(map) => {
                // Only newer versions than we offer scale; a size that is the surface's own needs none.
                let (width, height) = self.surfaces.size(map.surface_id)?;
                if (u32::from(width), u32::from(height)) != (map.target_width, map.target_height) {
                    return Err(Fault::Update("a surface is to be scaled, which was not agreed".to_owned()));
                }
                self.surfaces.map(map.surface_id, map.output_origin_x, map.output_origin_y)?;
            }
            GfxPdu::StartFrame(_) => {
                self.in_frame = true;
                self.codecs.begin_frame();
            }
            GfxPdu::EndFrame(end) => {
                self.in_frame = false;
                self.codecs.end_frame();
                self.flush();
                self.outputs.push(Output::FrameEnd { frame: end.frame_id });
            }
            GfxPdu::WireToSurface1(wire) => self.wire(wire)?,
            GfxPdu::WireToSurface2(wire) => {
                self.codecs.progressive(
                    &mut self.surfaces,
                    wire.surface_id,
                    wire.codec_context_id,
                    &wire.bitmap_data,
                )?;
            }
            GfxPdu::DeleteEncodingContext(delete) => {
                self.codecs.delete_context(delete.surface_id, delete.codec_context_id);
            }
            GfxPdu::SolidFill(fill) => {
                let rgb = [fill.fill_pixel.r, fill.fill_pixel.g, fill.fill_pixel.b];
                for rect in &fill.rectangles {
                    self.surfaces.fill(fill.surface_id, rect, rgb)?;
                }
            }
            GfxPdu::SurfaceToSurface(copy) => {
                self.flush();
                for point in &copy.destination_points {
                    let moved = self.surfaces.copy(
                        copy.source_surface_id,
                        &copy.source_rectangle,
                        copy.destination_surface_id,
                        (point.x, point.y),
                    )?;
                    self.outputs.extend(moved);
                    if self.outputs.len() > OUTPUTS_MAX {
                        break;
                    }
                }
            }
            GfxPdu::SurfaceToCache(copy) => {
                self.surfaces.keep(copy.surface_id, &copy.source_rectangle, copy.cache_slot)?;
            }
            GfxPdu::CacheToSurface(copy) => {
                for point in &copy.destination_points {
                    self.surfaces.recall(copy.cache_slot, copy.surface_id, (point.x, point.y))?;
                }
            }
            GfxPdu::EvictCacheEntry(evict) => self.surfaces.evict(evict.cache_slot),
            // Windows of single programs and caches on disk are not offered; the rest is what clients say.
            other => tracing::trace!(?other, "Graphics PDU without a meaning here"),
        }
        Ok(())
    }

    fn wire(&mut self, wire: WireToSurface1Pdu) -> Result<(), Fault> {
        let id = wire.surface_id;
        match wire.codec_id {
            Codec1Type::Avc420 => {
                let data = Bytes::from(wire.bitmap_data);
                let stream = Avc420BitmapStream::decode(&mut ReadCursor::new(&data)).map_err(Fault::update)?;
                self.avc(id, &wire.destination_rectangle, &stream, &data, VideoCodec::H264)
            }
            // Both views are one stream with one decoder (2.2.4.5), which needs all of them in order: LC says which are here.
            kind @ (Codec1Type::Avc444 | Codec1Type::Avc444v2) => {
                let data = Bytes::from(wire.bitmap_data);
                let both = Avc444BitmapStream::decode(&mut ReadCursor::new(&data)).map_err(Fault::update)?;
                let chroma = if kind == Codec1Type::Avc444 { VideoCodec::H264Chroma } else { VideoCodec::H264ChromaV2 };
                let first = if both.encoding == Encoding::CHROMA { chroma } else { VideoCodec::H264Main };
                self.avc(id, &wire.destination_rectangle, &both.stream1, &data, first)?;
                match &both.stream2 {
                    Some(stream) => self.avc(id, &wire.destination_rectangle, stream, &data, chroma),
                    None => Ok(()),
                }
            }
            // Opacity: the screen has none.
            Codec1Type::Alpha => Ok(()),
            codec => {
                let rect = surface::rect(&wire.destination_rectangle)?;
                self.codecs.paint(&mut self.surfaces, id, rect, codec, &wire.bitmap_data)
            }
        }
    }

    /// Forwards one view of H.264 (MS-RDPEGFX 2.2.4.4): the picture is the surface's, from its top left corner on.
    fn avc(
        &mut self,
        id: u16,
        bounds: &ExclusiveRectangle,
        stream: &Avc420BitmapStream<'_>,
        data: &Bytes,
        codec: VideoCodec,
    ) -> Result<(), Fault> {
        if stream.rectangles.len() > VIDEO_REGIONS_MAX {
            return Err(Fault::Session(format!("a video frame has {} regions", stream.rectangles.len())));
        }
        // What was painted before it lies under it.
        self.flush();
        let regions = if stream.rectangles.is_empty() { std::slice::from_ref(bounds) } else { &stream.rectangles };
        let video = self.surfaces.video(id, data.slice_ref(stream.data), codec, regions)?;
        self.outputs.extend(video);
        Ok(())
    }

    fn flush(&mut self) {
        self.surfaces.flush(&mut self.outputs);
    }
}

impl DvcProcessor for Graphics {
    fn channel_name(&self) -> &str {
        ironrdp_egfx::CHANNEL_NAME
    }

    /// Offers version 8.1, the newest in which H.264 means AVC420 alone, and above it 10 and 10.2, in which it means AVC444 as
    /// well, where the viewer shows that. Not 10.1, which cannot ask for the small cache, and none that scales surfaces.
    fn start(&mut self, _channel_id: u32) -> PduResult<Vec<DvcMessage>> {
        let mut flags = CapabilitiesV81Flags::SMALL_CACHE;
        flags.set(CapabilitiesV81Flags::AVC420_ENABLED, self.video);
        let mut offers =
            vec![CapabilitySet::V8 { flags: CapabilitiesV8Flags::SMALL_CACHE }, CapabilitySet::V8_1 { flags }];
        if self.full {
            let flags = CapabilitiesV10Flags::SMALL_CACHE;
            offers.extend([CapabilitySet::V10 { flags }, CapabilitySet::V10_2 { flags }]);
        }
        Ok(vec![Box::new(GfxPdu::CapabilitiesAdvertise(CapabilitiesAdvertisePdu::from_typed(&offers)))])
    }

    fn process(&mut self, _channel_id: u32, payload: &[u8]) -> PduResult<Vec<DvcMessage>> {
        if self.fault.is_none() {
            self.fault = match self.message(payload) {
                Ok(()) => None,
                Err(Fault::Session(what) | Fault::Update(what)) => Some(what),
            };
        }
        Ok(Vec::new())
    }
}

impl DvcClientProcessor for Graphics {}

#[cfg(test)]
mod tests;
