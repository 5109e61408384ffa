//! Structures and numbers of Video4Linux (linux/videodev2.h), for every architecture: what has pointers or times in it is as wide as theirs.
//! Times have 64 bits everywhere, which kernels take since 5.6 on those with 32, too.

#![allow(dead_code, reason = "the kernel's structures stand here whole, whatever of them is read")]

use crate::sys::Request;

const V: u8 = b'V';

pub const CAPTURE: u32 = 1;
pub const MMAP: u32 = 1;
pub const FIELD_NONE: u32 = 1;

/// Of [`Capability`].
pub const CAN_CAPTURE: u32 = 1;
pub const CAN_CAPTURE_PLANES: u32 = 0x1000;
pub const CAN_STREAM: u32 = 0x0400_0000;
pub const HAS_DEVICE_CAPS: u32 = 0x8000_0000;
/// Of [`Input`].
pub const INPUT_HAS_TIMINGS: u32 = 2;
/// Of [`Buffer`].
pub const BROKEN: u32 = 0x40;
/// Of [`Event`] and [`Subscription`].
pub const SOURCE_CHANGE: u32 = 5;
/// Of [`PixFormat`].
pub const COLORSPACE_SMPTE240M: u32 = 2;
pub const COLORSPACE_REC709: u32 = 3;
pub const COLORSPACE_JPEG: u32 = 7;
pub const COLORSPACE_BT2020: u32 = 10;
pub const COLORSPACE_DCI_P3: u32 = 12;
pub const ENCODING_601: u32 = 1;
pub const ENCODING_XV601: u32 = 3;
pub const ENCODING_SYCC: u32 = 5;
pub const FULL_RANGE: u32 = 1;

#[repr(C)]
#[derive(Default)]
pub struct Capability {
    pub driver: [u8; 16],
    pub card: [u8; 32],
    pub bus_info: [u8; 32],
    pub version: u32,
    pub capabilities: u32,
    pub device_caps: u32,
    pub reserved: [u32; 3],
}

#[repr(C)]
#[derive(Default)]
pub struct FormatDescription {
    pub index: u32,
    pub kind: u32,
    pub flags: u32,
    pub description: [u8; 32],
    pub pixelformat: u32,
    pub mbus_code: u32,
    pub reserved: [u32; 3],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PixFormat {
    pub width: u32,
    pub height: u32,
    pub pixelformat: u32,
    pub field: u32,
    pub bytesperline: u32,
    pub sizeimage: u32,
    pub colorspace: u32,
    pub private: u32,
    pub flags: u32,
    pub encoding: u32,
    pub quantization: u32,
    pub transfer: u32,
}

/// Of the union we know the part for one plane; in others there is a pointer, which moves it.
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(8)))]
#[derive(Default)]
pub struct Format {
    pub kind: u32,
    #[cfg(target_pointer_width = "64")]
    pub gap: u32,
    pub pix: PixFormat,
    pub rest: [[u8; 8]; 19],
}

#[repr(C)]
#[derive(Default)]
pub struct RequestBuffers {
    pub count: u32,
    pub kind: u32,
    pub memory: u32,
    pub capabilities: u32,
    pub flags: u32,
}

#[repr(C)]
#[derive(Default)]
pub struct Buffer {
    pub index: u32,
    pub kind: u32,
    pub used: u32,
    pub flags: u32,
    pub field: u32,
    pub seconds: i64,
    pub microseconds: i64,
    pub timecode: [u32; 4],
    pub sequence: u32,
    pub memory: u32,
    pub place: usize,
    pub length: u32,
    pub reserved: u32,
    pub request: i32,
}

impl Buffer {
    pub fn new(index: u32) -> Self {
        Self { index, kind: CAPTURE, memory: MMAP, ..Self::default() }
    }

    /// Of a buffer to be mapped: it is the first member of a union with a pointer.
    pub fn offset(&self) -> u32 {
        let mut first = [0; 4];
        for (to, from) in first.iter_mut().zip(self.place.to_ne_bytes()) {
            *to = from;
        }
        u32::from_ne_bytes(first)
    }
}

#[repr(C)]
#[derive(Default)]
pub struct Input {
    pub index: u32,
    pub name: [u8; 32],
    pub kind: u32,
    pub audioset: u32,
    pub tuner: u32,
    pub std: u64,
    pub status: u32,
    pub capabilities: u32,
    pub reserved: [u32; 3],
}

#[repr(C)]
pub struct Edid {
    /// The number of the input.
    pub pad: u32,
    pub start_block: u32,
    /// Of 128 bytes.
    pub blocks: u32,
    pub reserved: [u32; 5],
    pub bytes: *mut u8,
}

/// `v4l2_dv_timings` with `v4l2_bt_timings` in its union. The kernel's are packed, and nothing of it is wider than four bytes here.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    pub kind: u32,
    pub width: u32,
    pub height: u32,
    pub interlaced: u32,
    pub polarities: u32,
    /// In Hz, its two halves.
    pub pixelclock: [u32; 2],
    /// Front porch, sync, back porch: across, down, and of the second field.
    pub blanking: [u32; 9],
    pub standards: u32,
    pub flags: u32,
    pub aspect: [u32; 2],
    pub codes: [u8; 2],
    pub reserved: [[u8; 2]; 23],
    pub rest: u32,
}

/// By how much a clock may differ that is the same, in Hz: as the kernel's own drivers compare (`v4l2_match_dv_timings`).
const CLOCK_SLACK: u64 = 250_000;

impl Timings {
    pub fn pixelclock(&self) -> u64 {
        let [a, b] = self.pixelclock.map(u32::to_ne_bytes);
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(a.into_iter().chain(b)) {
            *to = from;
        }
        u64::from_ne_bytes(bytes)
    }

    /// Pictures a second, rounded; 0 where that cannot be told.
    pub fn rate(&self) -> u32 {
        let [hf, hs, hb, vf, vs, vb, ..] = self.blanking.map(u64::from);
        let across = u64::from(self.width) + hf + hs + hb;
        let down = u64::from(self.height) + vf + vs + vb;
        let whole = across.saturating_mul(down);
        (self.pixelclock() + whole / 2).checked_div(whole).map_or(0, |rate| rate as u32)
    }

    /// The same picture: what drivers add of flags and names of standards is left out, and bridges that measure the clock measure it a little
    /// differently each time.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.width, self.height, self.interlaced, self.blanking)
            == (other.width, other.height, other.interlaced, other.blanking)
            && self.pixelclock().abs_diff(other.pixelclock()) <= CLOCK_SLACK
    }
}

#[repr(C)]
#[derive(Default)]
pub struct Subscription {
    pub kind: u32,
    pub id: u32,
    pub flags: u32,
    pub reserved: [u32; 5],
}

#[repr(C)]
#[derive(Default)]
pub struct Event {
    pub kind: u32,
    /// Begins with what has changed.
    pub data: [u64; 8],
    pub pending: u32,
    pub sequence: u32,
    pub seconds: i64,
    pub nanoseconds: i64,
    pub id: u32,
    pub reserved: [u32; 8],
}

pub const QUERYCAP: Request<Capability> = Request::read(V, 0);
pub const ENUM_FMT: Request<FormatDescription> = Request::both(V, 2);
pub const G_FMT: Request<Format> = Request::both(V, 4);
pub const S_FMT: Request<Format> = Request::both(V, 5);
pub const REQBUFS: Request<RequestBuffers> = Request::both(V, 8);
pub const QUERYBUF: Request<Buffer> = Request::both(V, 9);
pub const QBUF: Request<Buffer> = Request::both(V, 15);
pub const DQBUF: Request<Buffer> = Request::both(V, 17);
pub const STREAMON: Request<u32> = Request::write(V, 18);
pub const STREAMOFF: Request<u32> = Request::write(V, 19);
pub const ENUMINPUT: Request<Input> = Request::both(V, 26);
pub const G_INPUT: Request<u32> = Request::read(V, 38);
pub const S_INPUT: Request<u32> = Request::both(V, 39);
pub const G_EDID: Request<Edid> = Request::both(V, 40);
pub const S_EDID: Request<Edid> = Request::both(V, 41);
pub const S_DV_TIMINGS: Request<Timings> = Request::both(V, 87);
pub const G_DV_TIMINGS: Request<Timings> = Request::both(V, 88);
pub const DQEVENT: Request<Event> = Request::read(V, 89);
pub const SUBSCRIBE_EVENT: Request<Subscription> = Request::write(V, 90);
pub const QUERY_DV_TIMINGS: Request<Timings> = Request::read(V, 99);

/// A format's name: four letters.
pub const fn fourcc(name: &[u8; 4]) -> u32 {
    u32::from_le_bytes(*name)
}

// What the kernel's headers say; with other sizes it would not know the numbers.
const _: () = {
    let wide = cfg!(target_pointer_width = "64");
    assert!(size_of::<Capability>() == 104);
    assert!(size_of::<FormatDescription>() == 64);
    assert!(size_of::<PixFormat>() == 48);
    assert!(size_of::<Format>() == if wide { 208 } else { 204 });
    assert!(size_of::<RequestBuffers>() == 20);
    assert!(size_of::<Edid>() == if wide { 40 } else { 36 });
    assert!(size_of::<Timings>() == 132);
    assert!(size_of::<Subscription>() == 32);
    // 64-bit integers stand at multiples of four there.
    if !cfg!(target_arch = "x86") {
        assert!(size_of::<Buffer>() == if wide { 88 } else { 80 });
        assert!(size_of::<Input>() == 80);
        assert!(size_of::<Event>() == 136);
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    /// As a C compiler prints them on this architecture.
    #[cfg(all(
        target_pointer_width = "64",
        any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
    ))]
    #[test]
    fn numbers_are_those_of_the_headers() {
        let ours = [
            QUERYCAP.number(),
            ENUM_FMT.number(),
            G_FMT.number(),
            S_FMT.number(),
            REQBUFS.number(),
            QUERYBUF.number(),
            QBUF.number(),
            DQBUF.number(),
            STREAMON.number(),
            STREAMOFF.number(),
            ENUMINPUT.number(),
            G_INPUT.number(),
            S_INPUT.number(),
            G_EDID.number(),
            S_EDID.number(),
            S_DV_TIMINGS.number(),
            G_DV_TIMINGS.number(),
            DQEVENT.number(),
            SUBSCRIBE_EVENT.number(),
            QUERY_DV_TIMINGS.number(),
        ];
        let headers = [
            0x8068_5600,
            0xc040_5602,
            0xc0d0_5604,
            0xc0d0_5605,
            0xc014_5608,
            0xc058_5609,
            0xc058_560f,
            0xc058_5611,
            0x4004_5612,
            0x4004_5613,
            0xc050_561a,
            0x8004_5626,
            0xc004_5627,
            0xc028_5628,
            0xc028_5629,
            0xc084_5657,
            0xc084_5658,
            0x8088_5659,
            0x4020_565a,
            0x8084_5663,
        ];
        assert_eq!(ours, headers);
        assert_eq!(std::mem::offset_of!(Buffer, seconds), 0x18);
        assert_eq!(std::mem::offset_of!(Buffer, place), 0x40);
        assert_eq!(std::mem::offset_of!(Event, pending), 0x48);
        assert_eq!(std::mem::offset_of!(Input, std), 0x30);
    }

    #[test]
    fn fields_are_read() {
        assert_eq!(fourcc(b"UYVY"), 0x5956_5955);
        let mut buffer = Buffer::new(3);
        buffer.place = usize::from_ne_bytes({
            let mut bytes = [0; size_of::<usize>()];
            for (to, from) in bytes.iter_mut().zip(0x1234_5678u32.to_ne_bytes()) {
                *to = from;
            }
            bytes
        });
        assert_eq!((buffer.index, buffer.offset()), (3, 0x1234_5678));
        // 1280x720 at 60: CEA-861's mode 4.
        let clock = 74_250_000u64.to_ne_bytes();
        let [a, b, c, d, e, f, g, h] = clock;
        let timings = Timings {
            width: 1280,
            height: 720,
            pixelclock: [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])],
            blanking: [110, 40, 220, 5, 5, 20, 0, 0, 0],
            ..Timings::default()
        };
        assert_eq!((timings.pixelclock(), timings.rate()), (74_250_000, 60));
        assert!(
            timings.is_like(&Timings { flags: 7, ..timings }) && !timings.is_like(&Timings { width: 640, ..timings })
        );
        // One that is measured.
        let measured = |clock: u64| {
            let [a, b, c, d, e, f, g, h] = clock.to_ne_bytes();
            let pixelclock = [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])];
            Timings { pixelclock, ..timings }
        };
        assert!(timings.is_like(&measured(74_176_000)) && !timings.is_like(&measured(61_875_000)));
        assert_eq!(Timings::default().rate(), 0);
    }
}
