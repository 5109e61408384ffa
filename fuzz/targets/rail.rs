//! RDP's applications: messages of the channel `rail`, and drawing orders about windows, as a session takes them.
//!
//! The input is a run of pieces, each with a byte that says what it is (even: a message of the channel; odd: orders of a fast-path update)
//! and two bytes of length. The library that reads orders may panic, which a session contains (`RdpSource::contained`): only a panic of
//! our own code counts as a fault.
#![no_main]

// The modules alone: the whole crate would bring TLS and authentication along.
#[allow(dead_code, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/rail.rs"]
mod rail;
#[allow(dead_code, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/windows.rs"]
mod windows;

use ironrdp_core::ReadCursor;
use ironrdp_pdu::window::try_decode_fast_path_windowing_orders;
use ironrdp_svc::SvcProcessor as _;
use libfuzzer_sys::fuzz_target;
use oriel_screen::Rect;
use rail::{Rail, RemoteApp};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use windows::{Left, PIECES_MAX, Windows};

static HOOK: Once = Once::new();
const SCREEN: (u16, u16) = (640, 480);

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

fn orders(windows: &mut Windows, bytes: &[u8]) {
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        try_decode_fast_path_windowing_orders(&mut ReadCursor::new(bytes)).map(|update| update.orders)
    }));
    let Ok(Ok(orders)) = decoded else { return };
    if let Left::Pieces(pieces) = windows.apply(&orders, SCREEN) {
        assert!(pieces.len() <= PIECES_MAX, "more pieces than are kept");
        assert!(pieces.iter().all(|piece: &Rect| piece.fits(SCREEN.0, SCREEN.1)), "a piece outside of the screen");
    }
}

fuzz_target!(|input: &[u8]| {
    ours_end_the_run();
    let app = RemoteApp { program: "||app".into(), arguments: String::new(), folder: String::new() };
    let (mut channel, mut windows) = (Rail::new(app, SCREEN.0, SCREEN.1), Windows::default());
    let (mut rest, mut sent) = (input, 0);
    while let [kind, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (piece, next) = after.split_at(length);
        if kind % 2 == 0 {
            sent += channel.process(piece).map(|answers| answers.len()).unwrap_or_default();
            assert!(sent <= 4, "an application is asked for once");
        } else {
            orders(&mut windows, piece);
        }
        rest = next;
    }
});
