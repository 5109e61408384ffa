//! Structures and numbers of GPIO's character device (linux/gpio.h). They are the same on every architecture.

#![allow(dead_code, reason = "the kernel's structures stand here whole, whatever of them is read")]

use crate::sys::Request;

const KIND: u8 = 0xb4;
/// What other programs read of who has a line.
const CONSUMER: &[u8] = b"oriel-node";

pub const ACTIVE_LOW: u64 = 1 << 1;
pub const INPUT: u64 = 1 << 2;
pub const OUTPUT: u64 = 1 << 3;
pub const OPEN_DRAIN: u64 = 1 << 6;
pub const PULL_UP: u64 = 1 << 8;
pub const PULL_DOWN: u64 = 1 << 9;
pub const NO_BIAS: u64 = 1 << 10;

#[repr(C)]
#[derive(Default)]
pub struct ChipInfo {
    pub name: [u8; 32],
    pub label: [u8; 32],
    pub lines: u32,
}

#[repr(C)]
#[derive(Default)]
struct Attribute {
    id: u32,
    padding: u32,
    value: u64,
    mask: u64,
}

#[repr(C)]
#[derive(Default)]
pub struct LineRequest {
    offsets: [[u32; 16]; 4],
    consumer: [u8; 32],
    flags: u64,
    attributes_count: u32,
    config_padding: [u32; 5],
    attributes: [Attribute; 10],
    lines: u32,
    event_buffer_size: u32,
    padding: [u32; 5],
    pub fd: i32,
}

impl LineRequest {
    /// One line.
    pub fn new(line: u32, flags: u64) -> Self {
        let mut request = Self { flags, lines: 1, fd: -1, ..Self::default() };
        if let Some(first) = request.offsets.as_flattened_mut().first_mut() {
            *first = line;
        }
        for (to, from) in request.consumer.iter_mut().zip(CONSUMER) {
            *to = *from;
        }
        request
    }
}

#[repr(C)]
pub struct LineValues {
    pub bits: u64,
    pub mask: u64,
}

pub const CHIP_INFO: Request<ChipInfo> = Request::read(KIND, 1);
pub const GET_LINE: Request<LineRequest> = Request::both(KIND, 7);
pub const GET_VALUES: Request<LineValues> = Request::both(KIND, 0x0e);
pub const SET_VALUES: Request<LineValues> = Request::both(KIND, 0x0f);

const _: () = {
    assert!(size_of::<ChipInfo>() == 68);
    assert!(size_of::<LineRequest>() == 592);
    assert!(size_of::<LineValues>() == 16);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm", target_arch = "riscv64"))]
    #[test]
    fn numbers_are_those_of_the_headers() {
        let ours = [CHIP_INFO.number(), GET_LINE.number(), GET_VALUES.number(), SET_VALUES.number()];
        assert_eq!(ours, [0x8044_b401, 0xc250_b407, 0xc010_b40e, 0xc010_b40f]);
        assert_eq!(std::mem::offset_of!(LineRequest, flags), 0x120);
        assert_eq!(std::mem::offset_of!(LineRequest, fd), 0x24c);
    }

    #[test]
    fn a_request_names_one_line_and_us() {
        let request = LineRequest::new(23, OUTPUT);
        assert_eq!(request.offsets.as_flattened().first(), Some(&23));
        assert_eq!((request.lines, request.fd, crate::sys::text(&request.consumer).as_str()), (1, -1, "oriel-node"));
    }
}
