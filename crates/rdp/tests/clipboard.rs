//! Pictures and files through the clipboard of a real xrdp desktop, both ways. It has no HTML and no PNG: those are tested as messages.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod support;

use oriel_rdp::drive::{Drive, MachineSide};
use oriel_rdp::{ClipboardFiles, OfferedDrive};
use oriel_screen::{InputEvent, Pixels, Rich, ScreenEvent};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use support::Running;
use support::client::Client;
use support::selection::Owner;
use support::xrdp::Xrdp;

const DESKTOP: &str = "xsetroot -solid '#336699'\nexec openbox";

/// A bitmap file of 24 bits.
fn bitmap(pixels: &Pixels) -> Vec<u8> {
    let stride = (pixels.width as usize * 3).next_multiple_of(4);
    let size = 54 + stride * pixels.height as usize;
    let mut file = b"BM".to_vec();
    file.extend([size as u32, 0, 54, 40, pixels.width, pixels.height, 24 << 16 | 1].map(u32::to_le_bytes).concat());
    file.resize(54, 0);
    for row in pixels.rgba.chunks_exact(pixels.width as usize * 4).rev() {
        let begin = file.len();
        row.chunks_exact(4).for_each(|pixel| file.extend([pixel[2], pixel[1], pixel[0]]));
        file.resize(begin + stride, 0);
    }
    file
}

fn picture(width: u32, height: u32, seed: u32) -> Pixels {
    let pixel = |at: u32| {
        let (x, y) = (at % width, at / width);
        [(x / 4) as u8, (y / 4) as u8, (x * y + seed) as u8, 255]
    };
    Pixels { width, height, rgba: (0..width * height).flat_map(pixel).collect() }
}

async fn connect(server: &Xrdp) -> Client {
    let mut client = Client::connect(server.port, server.options(1024, 768, "us")).await.unwrap();
    let up = client.pump_until(Duration::from_secs(25), |client| client.source.can_resize() || client.marks > 5).await;
    assert!(up, "{:?}\n{}", client.ended, server.logs());
    client.settle(Duration::from_secs(2)).await;
    client
}

/// A program of the desktop copies a file's content as a type.
fn copy(client: &mut Client, server: &Xrdp, kind: &str, file: &Path) {
    client.events.clear();
    let mut xclip = server.command("xclip");
    xclip.args(["-selection", "clipboard", "-t", kind, "-i"]).arg(file).stdin(Stdio::null());
    assert!(xclip.status().unwrap().success());
}

/// What the desktop copied, when it has come.
async fn comes(client: &mut Client, server: &Xrdp) -> Vec<ScreenEvent> {
    let is_text = |client: &mut Client| client.events.iter().any(|event| matches!(event, ScreenEvent::Clipboard(_)));
    let came = client.pump_until(Duration::from_secs(20), is_text).await;
    assert!(came && client.ended.is_none(), "nothing was copied: {:?}\n{}", client.ended, server.logs());
    copied(client)
}

/// A picture of the desktop, when it has come.
async fn picture_comes(client: &mut Client, server: &Xrdp) -> Option<Pixels> {
    let events = comes(client, server).await;
    let [ScreenEvent::Rich(Rich::Png(png)), ScreenEvent::Clipboard(text)] = events.as_slice() else {
        eprintln!("{} events came", events.len());
        return None;
    };
    eprintln!("{} bytes of PNG came", png.len());
    assert!(text.is_empty());
    Pixels::from_png(png)
}

/// What a program of the desktop pastes.
async fn paste(client: &mut Client, server: &Xrdp, kind: &str) -> Vec<u8> {
    let out = server.folder.path().join("pasted");
    let mut paste = server.command("timeout");
    paste.args(["20", "xclip", "-selection", "clipboard", "-t", kind, "-o"]).stdout(fs::File::create(&out).unwrap());
    let mut paste = paste.spawn().unwrap();
    client.pump_until(Duration::from_secs(22), |_| paste.try_wait().unwrap().is_some()).await;
    fs::read(&out).unwrap()
}

fn copied(client: &Client) -> Vec<ScreenEvent> {
    let is_copied = |event: &&ScreenEvent| matches!(event, ScreenEvent::Rich(_) | ScreenEvent::Clipboard(_));
    client.events.iter().filter(is_copied).cloned().collect()
}

#[tokio::test]
async fn an_xrdp_desktop_copies_and_pastes_pictures() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
    let server = Xrdp::start(DESKTOP);
    let mut client = connect(&server).await;
    let file = server.folder.path().join("picture.bmp");
    for (width, height) in [(31, 20), (1920, 1080)] {
        let there = picture(width, height, 7);
        client.events.clear();
        let owner = Owner::copy(server.display, &server.authority(), "image/bmp", bitmap(&there));
        assert!(picture_comes(&mut client, &server).await == Some(there), "another picture came");

        let here = picture(width, height, 99);
        client.input(InputEvent::Rich(Rich::Png(here.to_png().unwrap()))).await;
        client.input(InputEvent::Clipboard(String::new())).await;
        client.pump(Duration::from_millis(1500)).await;
        assert_eq!(owner.end(), 1, "it was fetched once");
        let targets = String::from_utf8(paste(&mut client, &server, "TARGETS").await).unwrap();
        // xrdp says that there is text in any case.
        assert!(targets.contains("image/bmp"), "{targets}");
        let pasted = paste(&mut client, &server, "image/bmp").await;
        // Its file header says little; what follows is the bitmap.
        let wanted = bitmap(&here);
        assert_eq!(pasted.get(18..30), wanted.get(18..30), "another size or depth\n{}", server.logs());
        assert!(pasted.get(54..wanted.len()) == wanted.get(54..), "{} of {} bytes", pasted.len(), wanted.len());
    }
    // And text again.
    fs::write(&file, "wieder Text").unwrap();
    copy(&mut client, &server, "UTF8_STRING", &file);
    assert_eq!(comes(&mut client, &server).await, [ScreenEvent::Clipboard("wieder Text".into())]);
    client.input(InputEvent::Rich(Rich::Html("<b>fett</b>".into()))).await;
    client.input(InputEvent::Clipboard("fett".to_owned())).await;
    client.pump(Duration::from_millis(1500)).await;
    assert_eq!(paste(&mut client, &server, "UTF8_STRING").await, b"fett");
    assert!(client.ended.is_none(), "{:?}", client.ended);
}

/// xrdp's channel server never answers where a program begins to hand out in pieces without saying how much there is, as xclip does: an INCR
/// property without content is none to it, and it does not listen for the pieces.
#[tokio::test]
async fn a_question_that_xrdp_leaves_without_an_answer_costs_nothing_but_its_copy() {
    let server = Xrdp::start(DESKTOP);
    let mut client = connect(&server).await;
    let file = server.folder.path().join("picture.bmp");
    let small = picture(40, 30, 3);
    for round in 0..3 {
        fs::write(&file, bitmap(&picture(1920, 1080, 7))).unwrap();
        client.events.clear();
        let mut xclip = server.command("xclip");
        xclip.args(["-quiet", "-selection", "clipboard", "-t", "image/bmp", "-i"]).arg(&file).stderr(Stdio::null());
        let mut xclip = Running(xclip.stdin(Stdio::null()).spawn().unwrap());
        client.pump(Duration::from_secs(3)).await;
        assert!(copied(&client).is_empty() && client.ended.is_none(), "{:?}", client.ended);
        // It waits for somebody to take the first piece, and would take the next answer for that.
        assert!(xclip.0.try_wait().unwrap().is_none(), "nobody asked it");
        drop(xclip);
        // The next answer is to the next question.
        fs::write(&file, bitmap(&small)).unwrap();
        copy(&mut client, &server, "image/bmp", &file);
        assert!(
            picture_comes(&mut client, &server).await.as_ref() == Some(&small),
            "another picture came, round {round}"
        );
    }
    fs::write(&file, "Text").unwrap();
    copy(&mut client, &server, "UTF8_STRING", &file);
    assert_eq!(comes(&mut client, &server).await, [ScreenEvent::Clipboard("Text".into())]);
}

/// Runs what it is given, as the desktop's user.
const RUNS: &str = r"cd $HOME
while sleep 0.1; do
  if [ -f do.sh ]; then
    sh do.sh > out.tmp 2>&1
    rm do.sh; mv out.tmp out
  fi
done";

async fn run(client: &mut Client, server: &Xrdp, script: &str) -> String {
    let home = &server.account.home;
    let _ = fs::remove_file(home.join("out"));
    fs::write(home.join("do.tmp"), script).unwrap();
    fs::rename(home.join("do.tmp"), home.join("do.sh")).unwrap();
    let done = client.pump_until(Duration::from_secs(40), |_| home.join("out").exists()).await;
    assert!(done && client.ended.is_none(), "{script}: {:?}\n{}", client.ended, server.logs());
    fs::read_to_string(home.join("out")).unwrap()
}

fn put(drive: &Drive, path: &str, bytes: &[u8]) {
    let mut folder = drive.lock();
    folder.begin_upload(path, "t", 0, true).unwrap();
    folder.upload(path, "t", 0, bytes).unwrap();
    folder.complete_upload(path, "t", bytes.len() as u64, true).unwrap();
}

fn got(drive: &Drive, path: &str) -> Option<Vec<u8>> {
    let folder = drive.lock();
    let found = folder.stat(path).ok()?;
    folder.bytes(&found, 0, usize::MAX).ok()
}

async fn connect_with_files(server: &Xrdp, drive: &Drive, clipboard: ClipboardFiles) -> Client {
    drive.lock().machine = MachineSide::Unknown;
    let mut options = server.options(1024, 768, "us");
    options.drive = Some(OfferedDrive { drive: drive.clone(), writable: true, clipboard });
    let mut client = Client::connect(server.port, options).await.unwrap();
    let connected =
        client.pump_until(Duration::from_secs(30), |_| drive.lock().machine == MachineSide::Connected).await;
    assert!(connected, "{:?}\n{}", client.ended, server.logs());
    client.pump(Duration::from_secs(2)).await;
    client
}

/// What the machine's programs paste: the addresses of files.
const PASTE: &str = "timeout 10 xclip -selection clipboard -t text/uri-list -o";

#[tokio::test]
async fn files_go_over_the_clipboard_of_an_xrdp_desktop() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
    let server = Xrdp::start(RUNS);
    let drive = Drive::new(Arc::new(|| 1_700_000_000));
    let both = ClipboardFiles { to_machine: true, to_person: true };
    let mut client = connect_with_files(&server, &drive, both).await;

    // What the person puts into the session's folder is pasted there.
    let large: Vec<u8> =
        (0..3_000_000u32).flat_map(|at| (at.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()).take(3_000_001).collect();
    put(&drive, "large.bin", &large);
    put(&drive, "zwei Größe.txt", "zwei".as_bytes());
    client.go_on().await;
    client.pump(Duration::from_millis(1500)).await;
    let said = run(&mut client, &server, PASTE).await;
    eprintln!("pasted: {said}");
    let said =
        run(&mut client, &server, "cd thinclient_drives/.clipboard && ls -1 && cp large.bin $HOME/large && cat zwei*")
            .await;
    assert_eq!(said, "large.bin\nzwei Größe.txt\nzwei", "{}", server.logs());
    assert!(fs::read(server.account.home.join("large")).unwrap() == large, "it came otherwise");

    // What its programs copy is in the person's folder.
    let script = "head -c 700001 /dev/urandom > 'aus der Maschine.bin'; echo klein > klein.txt; : > leer
printf 'file://%s/aus%%20der%%20Maschine.bin\\r\\nfile://%s/klein.txt\\r\\nfile://%s/leer\\r\\n' $HOME $HOME $HOME > list
xclip -selection clipboard -t text/uri-list -i list > /dev/null 2>&1";
    run(&mut client, &server, script).await;
    let came = client.pump_until(Duration::from_secs(20), |_| got(&drive, "Copied/leer").is_some()).await;
    assert!(came && client.ended.is_none(), "{:?} {:?}\n{}", client.ended, drive.lock().list("Copied"), server.logs());
    let there = fs::read(server.account.home.join("aus der Maschine.bin")).unwrap();
    assert!(got(&drive, "Copied/aus der Maschine.bin") == Some(there), "it came otherwise");
    assert_eq!(got(&drive, "Copied/klein.txt").unwrap(), b"klein\n");

    // And text again, which takes their place.
    run(&mut client, &server, "printf Text | xclip -selection clipboard -i > /dev/null 2>&1").await;
    let came = client
        .pump_until(Duration::from_secs(10), |client| {
            client.events.iter().any(|event| *event == ScreenEvent::Clipboard("Text".into()))
        })
        .await;
    assert!(came && client.ended.is_none(), "{:?}", client.ended);
}

#[tokio::test]
async fn files_do_not_go_over_the_clipboard_where_a_rule_forbids_it() {
    let server = Xrdp::start(RUNS);
    let drive = Drive::new(Arc::new(|| 1_700_000_000));
    let mut client = connect_with_files(&server, &drive, ClipboardFiles::default()).await;
    put(&drive, "mine", b"mine");
    client.go_on().await;
    client.pump(Duration::from_millis(1500)).await;
    let script = format!(
        "{PASTE}; ls -1A thinclient_drives/.clipboard; echo klein > klein.txt
printf 'file://%s/klein.txt\\r\\n' $HOME | xclip -selection clipboard -t text/uri-list -i > /dev/null 2>&1"
    );
    let said = run(&mut client, &server, &script).await;
    assert!(!said.contains("mine"), "{said}");
    client.pump(Duration::from_secs(3)).await;
    assert!(drive.lock().stat("Copied").is_err() && client.ended.is_none(), "{:?}", client.ended);
}
