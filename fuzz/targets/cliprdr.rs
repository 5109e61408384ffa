//! RDP's clipboard channel, as the session runs it: messages of the machine in, what the session does about them out.
//!
//! The input is a run of messages, each with a byte that says what happens before it (the person copies a text; nothing) and two bytes of
//! length. The library that reads the channel may panic, which a session contains (`RdpSource::contained`): only a panic of our own code
//! counts as a fault.
#![no_main]

// The module alone: the whole crate would bring TLS and authentication along.
#[allow(dead_code, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/clipboard.rs"]
mod clipboard;

use clipboard::{Clipboard, Task};
use ironrdp_cliprdr::CliprdrClient;
use ironrdp_cliprdr::pdu::ClipboardFormatId;
use ironrdp_svc::SvcProcessor as _;
use libfuzzer_sys::fuzz_target;
use oriel_screen::CLIPBOARD_BYTES_MAX;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

static HOOK: Once = Once::new();
/// More than a session keeps; each message causes a few at most.
const TASKS_MAX: usize = 64;

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

/// As the source does what the channel asked for; false where the session would end.
fn settle(channel: &mut CliprdrClient) -> bool {
    for done in 0.. {
        assert!(done <= TASKS_MAX, "more is to be done than is kept");
        let Some(backend) = channel.downcast_backend_mut::<Clipboard>() else { return false };
        let Some(task) = backend.take() else { return true };
        let formats = backend.formats();
        let outcome = match task {
            Task::Announce => channel.initiate_copy(&formats),
            Task::Fetch if !channel.is_ready() => continue,
            Task::Fetch => channel.initiate_paste(ClipboardFormatId::CF_UNICODETEXT),
            Task::Answer(format) => {
                let answer = channel.downcast_backend::<Clipboard>().map(|backend| backend.answer(format));
                match answer.filter(|_| channel.is_ready()) {
                    Some(answer) => channel.submit_format_data(answer),
                    None => continue,
                }
            }
            Task::Arrived(text) => {
                assert!(text.len() <= CLIPBOARD_BYTES_MAX && !text.contains('\0') && !text.contains("\r\n"));
                continue;
            }
        };
        if outcome.is_err() {
            return false;
        }
    }
    true
}

fuzz_target!(|data: &[u8]| {
    ours_end_the_run();
    let mut channel = CliprdrClient::new(Box::new(Clipboard::default()));
    let mut rest = data;
    while let [kind, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (body, next) = after.split_at(length);
        rest = next;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if kind % 2 == 1
                && let Some(backend) = channel.downcast_backend_mut::<Clipboard>()
            {
                backend.use_lf(kind & 2 == 2);
                backend.set("two\r\nlines \u{1f600}");
                if channel.is_ready() {
                    let formats = channel.downcast_backend::<Clipboard>().map(Clipboard::formats).unwrap_or_default();
                    let _ = channel.initiate_copy(&formats);
                }
            }
            channel.process(body).is_ok() && settle(&mut channel)
        }));
        if !outcome.unwrap_or(false) {
            return;
        }
    }
});
