//! The session's folder as a drive of a real xrdp desktop: its programs read, write, rename and delete there.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod support;

use oriel_rdp::drive::{Drive, DriveError, MachineSide};
use oriel_rdp::{ClipboardFiles, OfferedDrive};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use support::client::Client;
use support::xrdp::Xrdp;

/// Runs what it is given, as the desktop's user, where the drive is.
const DESKTOP: &str = r"cd $HOME
while sleep 0.1; do
  if [ -f do.sh ]; then
    ( cd thinclient_drives/Oriel && sh $HOME/do.sh ) > out.tmp 2>&1
    rm do.sh; mv out.tmp out
  fi
done";

fn drive() -> Drive {
    Drive::new(Arc::new(|| 1_700_000_000))
}

fn put(drive: &Drive, path: &str, bytes: &[u8]) -> Result<(), DriveError> {
    let mut folder = drive.lock();
    folder.begin_upload(path, "t", 0, true)?;
    folder.upload(path, "t", 0, bytes)?;
    folder.complete_upload(path, "t", bytes.len() as u64, true)
}

fn get(drive: &Drive, path: &str) -> Vec<u8> {
    let folder = drive.lock();
    let found = folder.stat(path).unwrap();
    folder.bytes(&found, 0, usize::MAX).unwrap()
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.extend((state >> 11).to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// What a script says that the machine runs on the drive.
async fn run(client: &mut Client, server: &Xrdp, script: &str) -> String {
    let home = &server.account.home;
    let _ = fs::remove_file(home.join("out"));
    fs::write(home.join("do.tmp"), script).unwrap();
    fs::rename(home.join("do.tmp"), home.join("do.sh")).unwrap();
    let done = client.pump_until(Duration::from_mins(1), |_| home.join("out").exists()).await;
    assert!(done && client.ended.is_none(), "{script}: {:?}\n{}", client.ended, server.logs());
    fs::read_to_string(home.join("out")).unwrap()
}

async fn connect(server: &Xrdp, drive: &Drive, writable: bool) -> Client {
    drive.lock().machine = MachineSide::Unknown;
    let mut options = server.options(1024, 768, "us");
    options.drive = Some(OfferedDrive { drive: drive.clone(), writable, clipboard: ClipboardFiles::default() });
    let mut client = Client::connect(server.port, options).await.unwrap();
    let connected =
        client.pump_until(Duration::from_secs(30), |_| drive.lock().machine == MachineSide::Connected).await;
    assert!(connected, "{:?}\n{}", client.ended, server.logs());
    client
}

fn logging() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
}

#[tokio::test]
async fn an_xrdp_desktop_uses_the_drive_as_a_folder() {
    logging();
    let server = Xrdp::start(DESKTOP);
    let drive = drive();
    let mut client = connect(&server, &drive, true).await;

    // What the person puts there, the machine reads.
    let large = noise(5 << 20);
    put(&drive, "Größe 1 & 2.bin", &large).unwrap();
    put(&drive, "empty", b"").unwrap();
    drive.lock().make_folder("deep er").unwrap();
    put(&drive, "deep er/日本語.txt", "こんにちは".as_bytes()).unwrap();
    let said = run(&mut client, &server, "ls -1; sha256sum < 'Größe 1 & 2.bin'; cat 'deep er/日本語.txt'").await;
    let sum_of_large = sum(&large);
    assert_eq!(said, format!("Größe 1 & 2.bin\ndeep er\nempty\n{sum_of_large}  -\nこんにちは"));

    // What the machine writes, the person gets.
    let script = "head -c 3000000 /dev/urandom > 'aus der Maschine ü.bin' && sha256sum < 'aus der Maschine ü.bin'
mkdir -p made/'in side' && cp 'Größe 1 & 2.bin' made/'in side'/copy && echo more >> made/'in side'/copy && wc -c < made/'in side'/copy";
    let said = run(&mut client, &server, script).await;
    let written = get(&drive, "aus der Maschine ü.bin");
    assert_eq!(written.len(), 3_000_000);
    let copied = get(&drive, "made/in side/copy");
    assert_eq!(copied.len(), (5 << 20) + 5);
    assert_eq!((&copied[..5 << 20], &copied[5 << 20..]), (&large[..], &b"more\n"[..]));
    assert_eq!(said, format!("{}  -\n{}\n", sum(&written), (5 << 20) + 5));

    // It renames, moves, cuts and deletes, and hears what cannot be.
    let script = "mv empty 'voll é'; mv made/'in side'/copy moved; rmdir made/'in side' made; rm 'Größe 1 & 2.bin'
truncate -s 7 moved; cat ../../etc/passwd; cat nothing; rmdir 'deep er'; ls -1";
    let said = run(&mut client, &server, script).await;
    eprintln!("{said}");
    assert!(said.ends_with("aus der Maschine ü.bin\ndeep er\nmoved\nvoll é\n"), "{said}");
    for words in ["nothing: No such file or directory", "failed to remove 'deep er'"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(get(&drive, "moved"), &large[..7]);
    assert!(drive.lock().stat("made").is_err());

    // What the person removes and adds meanwhile is seen: xrdp knows a few seconds later what is gone.
    drive.lock().remove("moved").unwrap();
    drive.lock().rename("voll é", "deep er/x", false).unwrap();
    put(&drive, "later", b"later").unwrap();
    let gone = "for i in 1 2 3 4 5 6 7 8; do [ -e moved ] || [ -e 'voll é' ] || break; sleep 1; done; cat later; ls -1 . 'deep er'";
    let said = run(&mut client, &server, gone).await;
    assert_eq!(said, "later.:\naus der Maschine ü.bin\ndeep er\nlater\n\ndeep er:\nx\n日本語.txt\n", "{said}");

    // The session goes on elsewhere, with its drive.
    drop(client);
    let mut client = connect(&server, &drive, true).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let said = run(&mut client, &server, "cat later; echo again > again; cat again").await;
    assert_eq!(said, "lateragain\n", "{said}");
}

#[tokio::test]
async fn an_xrdp_desktop_cannot_write_where_nothing_may_be_had_from_it() {
    logging();
    let server = Xrdp::start(DESKTOP);
    let drive = drive();
    let mut client = connect(&server, &drive, false).await;
    put(&drive, "given", b"given").unwrap();
    let said = run(
        &mut client,
        &server,
        "cat given; echo x > mine; echo x >> given; rm given; mkdir d; mv given took; cat given",
    )
    .await;
    assert!(said.starts_with("given") && said.ends_with("given"), "{said}");
    let names: Vec<_> = drive.lock().list("").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!((names, get(&drive, "given")), (vec!["given".to_owned()], b"given".to_vec()), "{said}");
}
