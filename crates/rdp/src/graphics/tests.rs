#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::*;
use ironrdp_core::encode_vec;
use ironrdp_egfx::pdu::{
    CacheToSurfacePdu, Color, CreateSurfacePdu, DeleteSurfacePdu, EndFramePdu, MapSurfaceToOutputPdu, PixelFormat,
    Point, QuantQuality, ResetGraphicsPdu, SolidFillPdu, StartFramePdu, SurfaceToCachePdu, SurfaceToSurfacePdu,
    Timestamp,
};
use oriel_screen::h264::{Colour, Rewriter};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

const KEY: &[u8] = &[
    0, 0, 0, 1, 0x67, 0x42, 0xd0, 0x0b, 0x8c, 0x8d, 0x42, 0x12, 0x4d, 0xc0, 0x43, 0x40, 0x41, 0xe1, 0x10, 0x8d, 0x40,
    0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 0, 1, 0x65, 0xb8, 0, 4,
];

fn rectangle(left: u16, top: u16, right: u16, bottom: u16) -> ExclusiveRectangle {
    ExclusiveRectangle { left, top, right, bottom }
}

fn plain(pdus: &[GfxPdu]) -> Vec<u8> {
    pdus.iter().flat_map(|pdu| encode_vec(pdu).unwrap()).collect()
}

/// A message of uncompressed segments.
fn packed(plain: &[u8]) -> Vec<u8> {
    let chunks: Vec<&[u8]> = plain.chunks(60_000).collect();
    let mut message = vec![MULTIPART];
    message.extend((chunks.len() as u16).to_le_bytes());
    message.extend((plain.len() as u32).to_le_bytes());
    for chunk in chunks {
        message.extend((chunk.len() as u32 + 1).to_le_bytes());
        message.push(4);
        message.extend(chunk);
    }
    message
}

const MULTIPART: u8 = 0xe1;

fn send(graphics: &mut Graphics, pdus: &[GfxPdu]) -> Result<Vec<Output>, String> {
    graphics.process(1, &packed(&plain(pdus))).unwrap();
    graphics.take()
}

fn create(surface_id: u16, width: u16, height: u16) -> GfxPdu {
    GfxPdu::CreateSurface(CreateSurfacePdu { surface_id, width, height, pixel_format: PixelFormat::XRgb })
}

fn map(surface_id: u16, output_origin_x: u32, output_origin_y: u32) -> GfxPdu {
    GfxPdu::MapSurfaceToOutput(MapSurfaceToOutputPdu { surface_id, output_origin_x, output_origin_y })
}

fn fill(surface_id: u16, rectangles: Vec<ExclusiveRectangle>) -> GfxPdu {
    GfxPdu::SolidFill(SolidFillPdu { surface_id, fill_pixel: Color { b: 3, g: 2, r: 1, xa: 0 }, rectangles })
}

fn wire(surface_id: u16, codec_id: Codec1Type, destination_rectangle: ExclusiveRectangle, data: Vec<u8>) -> GfxPdu {
    GfxPdu::WireToSurface1(WireToSurface1Pdu {
        surface_id,
        codec_id,
        pixel_format: PixelFormat::XRgb,
        destination_rectangle,
        bitmap_data: data,
    })
}

fn avc(surface_id: u16, rectangles: Vec<ExclusiveRectangle>) -> GfxPdu {
    let quality = QuantQuality { quantization_parameter: 20, progressive: false, quality: 100 };
    let quant_qual_vals = vec![quality; rectangles.len()];
    let stream = encode_vec(&Avc420BitmapStream { rectangles, quant_qual_vals, data: KEY }).unwrap();
    wire(surface_id, Codec1Type::Avc420, rectangle(0, 0, 64, 64), stream)
}

/// A picture in 4:4:4; `encoding` says which of its views are there.
fn avc444(codec: Codec1Type, encoding: Encoding, rectangles: &[ExclusiveRectangle]) -> GfxPdu {
    let quality = QuantQuality { quantization_parameter: 20, progressive: false, quality: 100 };
    let stream = || Avc420BitmapStream {
        rectangles: rectangles.to_vec(),
        quant_qual_vals: vec![quality.clone(); rectangles.len()],
        data: KEY,
    };
    let stream2 = (encoding == Encoding::LUMA_AND_CHROMA).then(stream);
    let both = Avc444BitmapStream { encoding, stream1: stream(), stream2 };
    wire(1, codec, rectangle(0, 0, 64, 64), encode_vec(&both).unwrap())
}

fn copy(source: u16, from: ExclusiveRectangle, target: u16, points: Vec<Point>) -> GfxPdu {
    GfxPdu::SurfaceToSurface(SurfaceToSurfacePdu {
        source_surface_id: source,
        destination_surface_id: target,
        source_rectangle: from,
        destination_points: points,
    })
}

fn frame(pdus: Vec<GfxPdu>) -> Vec<GfxPdu> {
    let timestamp = Timestamp { milliseconds: 0, seconds: 0, minutes: 0, hours: 0 };
    let mut all = vec![GfxPdu::StartFrame(StartFramePdu { timestamp, frame_id: 7 })];
    all.extend(pdus);
    all.push(GfxPdu::EndFrame(EndFramePdu { frame_id: 7 }));
    all
}

fn pixel(graphics: &Graphics, x: u16, y: u16) -> Option<[u8; 4]> {
    graphics.pixels(Rect::new(x, y, 1, 1)).last().map(|(_, rgba)| rgba[..4].try_into().unwrap())
}

#[test]
fn surfaces_caches_and_copies_are_painted_where_they_are_mapped() {
    let mut graphics = Graphics::new(true);
    let bgrx: Vec<u8> = (0..4).flat_map(|_| [30, 20, 10, 0]).collect();
    let outputs = send(
        &mut graphics,
        &frame(vec![
            GfxPdu::ResetGraphics(ResetGraphicsPdu { width: 200, height: 100, monitors: Vec::new() }),
            create(1, 64, 64),
            map(1, 100, 10),
            fill(1, vec![rectangle(0, 0, 8, 8), rectangle(60, 60, 90, 90)]),
            wire(1, Codec1Type::Uncompressed, rectangle(20, 20, 22, 22), bgrx),
            create(2, 10, 10),
            copy(1, rectangle(20, 20, 22, 22), 2, vec![Point { x: 3, y: 3 }]),
            copy(2, rectangle(3, 3, 5, 5), 1, vec![Point { x: 30, y: 30 }]),
            copy(1, rectangle(20, 20, 22, 22), 1, vec![Point { x: 40, y: 40 }]),
            GfxPdu::SurfaceToCache(SurfaceToCachePdu {
                surface_id: 1,
                cache_key: 9,
                cache_slot: 5,
                source_rectangle: rectangle(20, 20, 22, 22),
            }),
            GfxPdu::CacheToSurface(CacheToSurfacePdu {
                cache_slot: 5,
                surface_id: 1,
                destination_points: vec![Point { x: 50, y: 50 }, Point { x: 63, y: 0 }],
            }),
        ]),
    )
    .unwrap();
    assert!(matches!(outputs[0], Output::Reset { width: 200, height: 100 }));
    assert!(matches!(outputs.last(), Some(Output::FrameEnd { frame: 7 })));
    assert!(outputs.iter().any(
        |output| matches!(output, Output::Copy { from_x: 120, from_y: 30, to } if *to == Rect::new(140, 50, 2, 2))
    ));
    let red = Some([10, 20, 30, 255]);
    for (x, y) in [(120, 30), (130, 40), (140, 50), (151, 61), (163, 10)] {
        assert_eq!(pixel(&graphics, x, y), red, "at {x}, {y}");
    }
    assert_eq!(pixel(&graphics, 100, 10), Some([1, 2, 3, 255]));
    assert_eq!(pixel(&graphics, 163, 73), Some([1, 2, 3, 255]));
    // Beside the surface there is nothing of ours.
    assert_eq!(pixel(&graphics, 99, 10), None);
    let damage: u32 =
        outputs.iter().map(|output| if let Output::Damage(rect) = output { rect.area() } else { 0 }).sum();
    assert_eq!(damage, 64 + 16 + 4 + 4 + 4 + 2);
    assert!(send(&mut graphics, &[GfxPdu::DeleteSurface(DeleteSurfacePdu { surface_id: 1 })]).unwrap().is_empty());
    assert_eq!(pixel(&graphics, 120, 30), None);
}

#[test]
fn video_is_forwarded_after_what_lies_under_it_and_takes_no_surface() {
    let mut graphics = Graphics::new(true);
    let outputs = send(
        &mut graphics,
        &frame(vec![create(1, 64, 64), map(1, 10, 20), avc(1, vec![rectangle(0, 0, 64, 64), rectangle(1, 2, 900, 4)])]),
    )
    .unwrap();
    let [Output::Video { rect, regions, unit, codec: VideoCodec::H264 }, Output::FrameEnd { .. }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!((*rect, unit.key), (Rect::new(10, 20, 64, 64), true));
    assert_eq!(*regions, [Rect::new(10, 20, 64, 64), Rect::new(11, 22, 63, 2)]);
    let rewritten = Rewriter::new(Colour::FullBt709).unit(KEY.into()).unwrap().unwrap();
    assert_eq!(unit.bytes, rewritten.bytes, "the parameter set is rewritten, the picture is not");
    assert_eq!(pixel(&graphics, 12, 22), None, "memory for pixels that nobody decodes");
    let outputs = send(
        &mut graphics,
        &frame(vec![fill(1, vec![rectangle(0, 0, 4, 4)]), avc(1, vec![]), fill(1, vec![rectangle(8, 8, 9, 9)])]),
    )
    .unwrap();
    let kinds: Vec<&str> = outputs
        .iter()
        .map(|output| match output {
            Output::Damage(_) => "damage",
            Output::Video { .. } => "video",
            _ => "end",
        })
        .collect();
    assert_eq!(kinds, ["damage", "video", "damage", "end"]);
}

#[test]
fn views_of_full_colours_are_one_stream_and_each_says_which_it_is() {
    let mut graphics = Graphics::full();
    let part = [rectangle(0, 0, 32, 16)];
    let outputs = send(
        &mut graphics,
        &frame(vec![
            create(1, 64, 64),
            map(1, 10, 20),
            avc444(Codec1Type::Avc444, Encoding::LUMA_AND_CHROMA, &part),
            avc444(Codec1Type::Avc444, Encoding::LUMA, &part),
            avc444(Codec1Type::Avc444v2, Encoding::CHROMA, &part),
        ]),
    )
    .unwrap();
    let views: Vec<(VideoCodec, bool)> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Video { rect, regions, codec, unit } => {
                assert_eq!((*rect, regions.as_slice()), (Rect::new(10, 20, 64, 64), &[Rect::new(10, 20, 32, 16)][..]));
                Some((*codec, unit.key))
            }
            _ => None,
        })
        .collect();
    // Nothing can be begun with colours alone, although their unit is a refresh.
    let (main, chroma) = ((VideoCodec::H264Main, true), (VideoCodec::H264Chroma, false));
    assert_eq!(views, [main, chroma, main, (VideoCodec::H264ChromaV2, false)]);
    // No such views; a first one that is longer than both; regions without end; both, and only one there.
    for broken in [
        [&[0, 0, 0, 0xc0][..], &[0; 40]].concat(),
        [&[0xff, 0xff, 0xff, 0x3f][..], &[0; 40]].concat(),
        [&[4, 0, 0, 0x40][..], &[0xff; 40]].concat(),
        vec![4, 0, 0, 0, 0, 0, 0, 0],
        vec![0; 3],
    ] {
        let before = graphics.dropped;
        let sent = send(&mut graphics, &[wire(1, Codec1Type::Avc444v2, rectangle(0, 0, 64, 64), broken)]);
        assert!(sent.unwrap().is_empty() && graphics.dropped == before + 1);
    }
    let many = vec![rectangle(0, 0, 1, 1); VIDEO_REGIONS_MAX + 1];
    let refused = send(&mut graphics, &[avc444(Codec1Type::Avc444v2, Encoding::CHROMA, &many)]);
    assert!(refused.unwrap_err().contains("regions"));
}

#[test]
fn only_who_shows_full_colours_offers_a_version_that_has_them() {
    let offers = |mut graphics: Graphics| {
        let [message] = <[DvcMessage; 1]>::try_from(graphics.start(1).unwrap()).ok().unwrap();
        let bytes = encode_vec(message.as_ref()).unwrap();
        // Each is a version, a length and so many bytes of flags, all four here.
        bytes[10..].chunks(12).map(|offer| (offer[..4].to_vec(), offer[8])).collect::<Vec<_>>()
    };
    let old = [(vec![4, 0, 8, 0], 2), (vec![5, 1, 8, 0], 0x12)];
    assert_eq!(offers(Graphics::new(true)), old);
    assert_eq!(offers(Graphics::full()), [&old[..], &[(vec![2, 0, 10, 0], 2), (vec![0, 2, 10, 0], 2)]].concat());
}

#[test]
fn messages_in_pieces_and_unknown_ones() {
    let mut graphics = Graphics::new(false);
    let mut bytes = plain(&[create(1, 64, 64)]);
    bytes.extend([0x99, 0, 0, 0, 12, 0, 0, 0, 1, 2, 3, 4]);
    bytes.extend(plain(&[map(1, 0, 0), fill(1, vec![rectangle(0, 0, 1, 1)])]));
    graphics.process(1, &packed(&bytes)).unwrap();
    assert_eq!(graphics.take().unwrap().len(), 1);
    // A PDU that says it is longer than its message.
    graphics.process(1, &packed(&[1, 0, 0, 0, 9, 0, 0, 0])).unwrap();
    assert!(graphics.take().unwrap_err().contains("not cut"));
}

#[test]
fn what_is_too_large_ends_the_session_before_memory_is_taken() {
    let refused = |pdus: &[GfxPdu]| send(&mut Graphics::new(true), pdus).unwrap_err();
    assert!(refused(&[create(1, 8193, 10)]).contains("8193x10"));
    let many: Vec<GfxPdu> = (0..=SURFACES_MAX as u16).map(|id| create(id, 1, 1)).collect();
    assert!(refused(&many).contains("too many"));
    assert!(refused(&[create(1, 7680, 2400), create(2, 7680, 2400), create(3, 1, 1)]).contains("too many"));
    // Few bytes that ask for a lot of painting.
    let points = vec![Point { x: 0, y: 0 }; 60_000];
    assert!(
        refused(&[create(1, 4000, 4000), create(2, 4000, 4000), copy(1, rectangle(0, 0, 4000, 4000), 2, points)])
            .contains("paints more")
    );
    let rects = vec![rectangle(0, 0, 4000, 4000); 60_000];
    assert!(refused(&[create(1, 4000, 4000), fill(1, rects)]).contains("paints more"));
    assert!(
        refused(&[create(1, 64, 64), map(1, 0, 0), avc(1, vec![rectangle(0, 0, 1, 1); VIDEO_REGIONS_MAX + 1])])
            .contains("regions")
    );
    let progressive: Vec<GfxPdu> = vec![
        create(1, 7680, 2400),
        GfxPdu::WireToSurface2(ironrdp_egfx::pdu::WireToSurface2Pdu {
            surface_id: 1,
            codec_id: ironrdp_egfx::pdu::Codec2Type::RemoteFxProgressive,
            codec_context_id: 1,
            pixel_format: PixelFormat::XRgb,
            bitmap_data: vec![0; 8],
        }),
    ];
    assert!(refused(&progressive).contains("progressive"));
}

#[test]
fn the_cache_is_bounded() {
    let mut graphics = Graphics::new(true);
    send(&mut graphics, &[create(1, 1024, 1024), map(1, 0, 0)]).unwrap();
    for slot in 0..100 {
        let keep = GfxPdu::SurfaceToCache(SurfaceToCachePdu {
            surface_id: 1,
            cache_key: 0,
            cache_slot: slot,
            source_rectangle: rectangle(0, 0, 1024, 512),
        });
        send(&mut graphics, &[keep]).unwrap();
    }
    assert!(graphics.surfaces.cache_bytes() <= CACHE_BYTES_MAX);
    assert!(graphics.dropped > 0);
}

/// Bits, first one highest, as one compressed segment.
fn segment(bits: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = bits
        .as_bytes()
        .chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |value, (at, bit)| value | (bit - b'0') << (7 - at)))
        .collect();
    bytes.push((bytes.len() * 8 - bits.len()) as u8);
    [&[0xe0, 0x24][..], &bytes].concat()
}

#[test]
fn bombs_are_refused() {
    // A zero, and then a megabyte of what came one byte before.
    let literal = "000000000";
    let run = format!("1000100001{}0{}", "1".repeat(19), "0".repeat(20));
    let mut graphics = Graphics::new(true);
    graphics.process(1, &segment(&format!("{literal}{run}"))).unwrap();
    assert!(graphics.take().unwrap_err().contains("65535"), "a segment of a megabyte");
    let mut message = vec![MULTIPART, 1, 0];
    message.extend(u32::MAX.to_le_bytes());
    graphics.process(1, &message).unwrap();
    assert!(graphics.take().unwrap_err().contains("announces"));
    let mut message = packed(&[0; 100]);
    message[3] = 9;
    graphics.process(1, &message).unwrap();
    assert!(graphics.take().unwrap_err().contains("longer than its 9"));
    for wrong in [&[][..], &[0xe2, 1], &[0xe1, 1, 0], &[0xe1, 1, 0, 1, 0, 0, 0, 9, 0, 0, 0, 4]] {
        graphics.process(1, wrong).unwrap();
        graphics.take().unwrap_err();
    }
}

#[test]
fn acknowledgements_count_and_tell_what_waits() {
    let mut graphics = Graphics::new(true);
    let sent: Vec<Vec<u8>> = [(5, 0), (6, 70_000)]
        .into_iter()
        .map(|(frame, waiting)| {
            let message = graphics.acknowledgement(frame, waiting);
            encode_vec(message.as_ref()).unwrap()
        })
        .collect();
    assert_eq!(sent[0], [0x0d, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(sent[1], [0x0d, 0, 0, 0, 20, 0, 0, 0, 0x70, 0x11, 1, 0, 6, 0, 0, 0, 2, 0, 0, 0]);
}

#[test]
fn bent_messages_end_in_an_error_or_not_at_all() {
    let good = frame(vec![
        GfxPdu::ResetGraphics(ResetGraphicsPdu { width: 200, height: 100, monitors: Vec::new() }),
        create(1, 64, 64),
        map(1, 3, 4),
        fill(1, vec![rectangle(0, 0, 8, 8)]),
        avc(1, vec![rectangle(0, 0, 64, 64)]),
        avc444(Codec1Type::Avc444, Encoding::LUMA_AND_CHROMA, &[rectangle(0, 0, 64, 64)]),
        avc444(Codec1Type::Avc444v2, Encoding::CHROMA, &[rectangle(0, 0, 16, 64)]),
        wire(1, Codec1Type::Planar, rectangle(0, 0, 4, 4), vec![0x20; 60]),
        wire(
            1,
            Codec1Type::ClearCodec,
            rectangle(0, 0, 4, 4),
            vec![0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 16],
        ),
        wire(
            1,
            Codec1Type::RemoteFx,
            rectangle(0, 0, 64, 64),
            vec![0xc0, 0xcc, 12, 0, 0, 0, 0xca, 0xac, 0xcc, 0xca, 0, 1],
        ),
        copy(1, rectangle(20, 20, 22, 22), 1, vec![Point { x: 30, y: 30 }]),
    ]);
    let good = plain(&good);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut ended, mut panics) = (0, 0);
    for seed in 0..3000 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut graphics = Graphics::new(true);
        for _ in 0..3 {
            let mut bytes = good.clone();
            for _ in 0..random.random_range(1..6) {
                let at = random.random_range(0..bytes.len());
                match random.random_range(0..3) {
                    0 => bytes[at] = random.random(),
                    1 => bytes[at] = [0, 0xff, 0x7f, 0x80][random.random_range(0..4)],
                    _ => drop(bytes.drain(at..(at + random.random_range(1..30)).min(bytes.len()))),
                }
            }
            let message = packed(&bytes);
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                graphics.process(1, &message).unwrap();
                let outputs = graphics.take();
                for output in outputs.iter().flatten() {
                    if let Output::Damage(rect) = output {
                        graphics.pixels(*rect);
                    }
                }
                outputs.is_err()
            }));
            match outcome {
                Ok(error) => ended += u32::from(error),
                // In a decoder of a library; the session contains it (`RdpSource::contained`).
                Err(_) => {
                    panics += 1;
                    break;
                }
            }
        }
    }
    std::panic::set_hook(hook);
    eprintln!("{ended} messages ended their session, {panics} in a panic that would be contained");
    assert!(ended > 0);
}
