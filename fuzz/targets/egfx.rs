//! The graphics pipeline of RDP: channel messages in, surfaces and forwarded video out.
//!
//! The input is a run of messages, each with a byte that says how it is packed (even: as it is, so that ZGFX is fuzzed;
//! odd: as one plain segment, so that what lies behind it is reached at once) and two bytes of length.
//!
//! Decoders of the libraries may panic, which a session contains (`RdpSource::contained`): only a panic of our own code
//! counts as a fault.
#![no_main]

// The module alone: the whole crate would bring TLS and authentication along.
#[allow(dead_code, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/graphics/mod.rs"]
mod graphics;

use graphics::{Graphics, Output};
use ironrdp_dvc::DvcProcessor as _;
use libfuzzer_sys::fuzz_target;
use oriel_screen::h264::{Colour, rewrite};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

static HOOK: Once = Once::new();

fn ours_end_the_run() {
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            if !place.contains(".cargo") && !place.contains("/rustc/") {
                eprintln!("panicked: {panic}");
                std::process::abort();
            }
        }));
    });
}

/// The first sequence parameter set.
fn parameter_set(bytes: &[u8]) -> Option<&[u8]> {
    let begin = bytes.windows(5).position(|head| head[..4] == START && head[4] & 0x1f == 7)? + 4;
    let rest = &bytes[begin..];
    let end = rest.windows(4).position(|head| head == START).unwrap_or(rest.len());
    Some(&rest[..end])
}

const START: [u8; 4] = [0, 0, 0, 1];

fuzz_target!(|data: &[u8]| {
    ours_end_the_run();
    let mut graphics = Graphics::full();
    let mut rest = data;
    let mut frames = 0;
    while let [kind, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (body, next) = after.split_at(length);
        rest = next;
        let message = if kind % 2 == 0 { body.to_vec() } else { [&[0xe0, 4], body].concat() };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _ = graphics.process(1, &message);
            let Ok(outputs) = graphics.take() else { return false };
            for output in outputs {
                match output {
                    Output::Damage(rect) => {
                        let pixels = graphics.pixels(rect.clip(4096, 4096));
                        assert!(pixels.iter().all(|(area, rgba)| {
                            let (w, h) = (area.right - area.left, area.bottom - area.top);
                            rgba.len() == usize::from(w) * usize::from(h) * 4
                        }));
                    }
                    Output::Video { unit, codec, .. } => {
                        assert!(!(unit.key && codec.is_chroma()), "a stream would begin with colours alone");
                        // A key frame's parameter set is one that we would not change again.
                        if unit.key {
                            let nal = parameter_set(&unit.bytes).unwrap_or_default();
                            let again = rewrite(nal, Colour::FullBt709).map(|sps| sps.nal);
                            assert_eq!(again.as_deref(), Some(nal));
                        }
                    }
                    Output::FrameEnd { frame } => {
                        frames += 1;
                        let _ = graphics.acknowledgement(frame, frames);
                    }
                    Output::Reset { .. } => graphics.repaint(),
                    Output::Copy { .. } => {}
                }
            }
            true
        }));
        if !outcome.unwrap_or(false) {
            return;
        }
    }
});
