//! RDP's channel of single programs and what is told of their windows: messages and drawing orders of the machine in, answers, title and end
//! out.
//!
//! The input is a run of pieces, each with a byte that says what it is (a message of the channel; a fast-path frame, whose head is made
//! here; a whole frame as it stands; a message of the I/O channel) and two bytes of length.
#![no_main]

// The module alone: the whole crate would bring TLS and authentication along.
#[allow(dead_code, unused_imports, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/rail/mod.rs"]
mod rail;
#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "../../crates/rdp/src/static_channel.rs"]
mod static_channel;

use libfuzzer_sys::fuzz_target;
use rail::{ARGUMENTS_BYTES_MAX, Orders, PROGRAM_BYTES_MAX, Rail, TITLE_BYTES_MAX};

/// The longest answers are the request to run the program, and what is said beside it at the beginning.
const ANSWERS_BYTES_MAX: usize = 12 + 2 * PROGRAM_BYTES_MAX + ARGUMENTS_BYTES_MAX + 256;

fuzz_target!(|data: &[u8]| {
    let resumes = data.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut channel = Rail::new("||ledger", "%USERPROFILE%", "/year 2026", (1280, 720), resumes);
    let mut orders = Orders::default();
    let mut rest = data;
    while let [kind, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (body, next) = after.split_at(length);
        rest = next;
        let mut answers = Vec::new();
        match kind & 3 {
            0 => answers = channel.take(body),
            1 => {
                // In two pieces, in one, or a part of one.
                let size = u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes();
                let head = [0, 0xff, 0xff, kind & 0xf0, size[0], size[1]];
                orders.fast_path(&[&head[..], body].concat());
            }
            2 => orders.fast_path(body),
            _ => orders.slow_path(body),
        }
        if orders.take_hooked() {
            answers.extend(channel.hooked());
        }
        if kind & 4 != 0 {
            answers.extend(channel.begin());
            answers.extend(channel.resized(u16::from(*low) << 4, u16::from(*high) << 4));
        }
        assert!(answers.iter().map(Vec::len).sum::<usize>() <= ANSWERS_BYTES_MAX);
        assert!(answers.iter().all(|answer| answer.len() >= 8));
        if let Some(why) = channel.take_refusal() {
            assert!(why.len() < 400);
        }
        let windows = orders.windows();
        // A letter of UTF-16 has at most three bytes in UTF-8.
        assert!(windows.title().len() <= TITLE_BYTES_MAX / 2 * 3 && !windows.title().chars().any(char::is_control));
        let _ = windows.is_closed();
    }
});
