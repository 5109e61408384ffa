//! RDP's clipboard channel, as the session runs it: messages of the machine in, what the session does about them out.
//!
//! The input is a run of messages, each with a byte that says what happens before it (the person copies a text, with HTML and a picture;
//! nothing) and two bytes of length. The library that reads the channel may panic, which a session contains (`RdpSource::contained`): only a panic of our own code
//! counts as a fault.
#![no_main]

// The module alone: the whole crate would bring TLS and authentication along.
#[allow(dead_code, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/clipboard/mod.rs"]
mod clipboard;
#[allow(dead_code, unused_imports, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/drive/mod.rs"]
mod drive;
#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "../../crates/rdp/src/static_channel.rs"]
mod static_channel;

use clipboard::{Clipboard, ClipboardFiles, Copied, Task, fail_lost, make_room};
use drive::{DRIVE_BYTES_MAX, Drive};
use ironrdp_cliprdr::CliprdrClient;
use ironrdp_svc::SvcProcessor as _;
use libfuzzer_sys::fuzz_target;
use oriel_screen::{CLIPBOARD_BYTES_MAX, Pixels, Rich, png_size};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

static HOOK: Once = Once::new();
/// More than a session keeps, and as many files as a copy has; each message causes a few at most.
const TASKS_MAX: usize = 64 + 256;
/// Of a message, in the first piece that a machine sends.
const BEGIN_BYTES: usize = 1600;

fn picture() -> bytes::Bytes {
    let pixels = Pixels { width: 2, height: 1, rgba: vec![1, 2, 3, 4, 5, 6, 7, 8] };
    pixels.to_png().unwrap_or_default()
}

/// The person puts a file into the folder.
fn upload(drive: &Drive) {
    let mut folder = drive.lock();
    let begun = folder.begin_upload("a", "t", 0, true).and_then(|()| folder.upload("a", "t", 0, b"bytes"));
    let _ = begun.and_then(|()| folder.complete_upload("a", "t", 5, true));
}

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
        let ready = channel.is_ready();
        let Some(backend) = channel.downcast_backend_mut::<Clipboard>() else { return false };
        let Some(task) = backend.take() else { return true };
        let formats = backend.formats();
        let outcome = match task {
            Task::Announce => channel.initiate_copy(&formats),
            Task::Fetch(ask) if !ready => {
                backend.settle(ask.copy);
                continue;
            }
            Task::Fetch(ask) => {
                if make_room(channel).is_err() {
                    return false;
                }
                if !channel.downcast_backend_mut::<Clipboard>().is_some_and(|backend| backend.asks(ask)) {
                    continue;
                }
                channel.initiate_paste(ask.format)
            }
            Task::Answer(format) => {
                let answer = channel.downcast_backend::<Clipboard>().map(|backend| backend.answer(format));
                match answer.filter(|_| channel.is_ready()) {
                    Some(answer) => channel.submit_format_data(answer),
                    None => continue,
                }
            }
            Task::Read(request) => {
                // One that cannot be asked for is a file left out.
                let _ = channel.request_file_contents(request);
                continue;
            }
            Task::Arrived(Copied { html, png, text }) => {
                assert!(html.is_none_or(|html| !html.is_empty() && html.len() <= CLIPBOARD_BYTES_MAX));
                assert!(png.is_none_or(|png| png_size(&png).is_some()));
                assert!(text.is_none_or(|text| {
                    text.len() <= CLIPBOARD_BYTES_MAX && !text.contains('\0') && !text.contains("\r\n")
                }));
                continue;
            }
        };
        if outcome.is_err() {
            return false;
        }
    }
    true
}

/// What the machine may have of the person's files, and reads of them.
fn files(channel: &mut CliprdrClient) {
    let ready = channel.is_ready();
    let Some(backend) = channel.downcast_backend_mut::<Clipboard>().filter(|_| ready) else { return };
    let offered = backend.offer();
    let answers: Vec<_> = std::iter::from_fn(|| backend.next_read()).collect();
    if let Some(offered) = offered {
        let _ = channel.initiate_file_copy(offered);
    }
    for answer in answers {
        let _ = channel.submit_file_contents(answer);
    }
}

fuzz_target!(|data: &[u8]| {
    ours_end_the_run();
    let drive = Drive::new(Arc::new(|| 1_700_000_000));
    let ways = ClipboardFiles { to_machine: true, to_person: true };
    let mut channel = CliprdrClient::new(Box::new(Clipboard::with_files(drive.clone(), ways)));
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
                if kind & 8 == 8 {
                    upload(&drive);
                }
                if kind & 4 == 4 {
                    backend.add(&Rich::Html("<b>two</b>".to_owned()));
                    backend.add(&Rich::Png(picture()));
                }
                backend.set("two\r\nlines \u{1f600}");
                if channel.is_ready() {
                    let formats = channel.downcast_backend::<Clipboard>().map(Clipboard::formats).unwrap_or_default();
                    let _ = channel.initiate_copy(&formats);
                }
            }
            let begun = fail_lost(&mut channel, body.get(..BEGIN_BYTES).unwrap_or(body)).is_ok();
            let goes_on = begun && channel.process(body).is_ok() && settle(&mut channel);
            files(&mut channel);
            assert!(drive.lock().room() <= DRIVE_BYTES_MAX);
            goes_on
        }));
        if !outcome.unwrap_or(false) {
            return;
        }
    }
});
