//! Imports of real files with the real qemu-img: good ones are kept under their hash, of bad ones nothing stays.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may")]

use oriel_image::{ImageError, ImageStore, Job, Quiet};
use oriel_model::ImageOs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Room {
    dir: tempfile::TempDir,
    store: ImageStore,
}

impl Room {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::new(dir.path().join("images"), dir.path().join("cache")).with_limits(
            0,
            64 << 20,
            Duration::ZERO,
        );
        Self { dir, store }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.file(name), bytes).unwrap();
        self.file(name).display().to_string()
    }

    fn kept(&self) -> Vec<String> {
        let entries =
            std::fs::read_dir(self.file("images")).map(|e| e.flatten().collect::<Vec<_>>()).unwrap_or_default();
        entries.into_iter().map(|e| e.file_name().into_string().unwrap()).collect()
    }

    async fn fails(&self, from: &str, sha256: Option<&str>, code: &str, word: &str) {
        let error = self.store.import(from, sha256, ImageOs::Linux, &Quiet).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(self.kept(), Vec::<String>::new(), "after {error}");
    }
}

fn qemu_img(args: &[&str]) {
    assert!(
        Command::new("qemu-img").args(args).stdout(std::process::Stdio::null()).status().unwrap().success(),
        "{args:?}"
    );
}

fn sha256sum(path: &Path) -> String {
    let out = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(out.stdout).unwrap()[..64].to_owned()
}

/// 2 MiB with a partition table and some content.
fn raw() -> Vec<u8> {
    let mut disk = vec![0u8; 2 << 20];
    disk[510] = 0x55;
    disk[511] = 0xaa;
    for (i, byte) in disk.iter_mut().enumerate().skip(1 << 20).take(100_000) {
        *byte = (i * 7) as u8;
    }
    disk
}

fn qcow2(room: &Room, name: &str) -> String {
    let from = room.write("source.raw", &raw());
    let to = room.file(name).display().to_string();
    qemu_img(&["convert", "-f", "raw", "-O", "qcow2", &from, &to]);
    to
}

#[tokio::test]
async fn a_good_qcow2_is_kept_as_it_is_under_its_hash() {
    let room = Room::new();
    let from = qcow2(&room, "good.qcow2");
    let hash = sha256sum(Path::new(&from));
    let made = room.store.import(&from, Some(&hash.to_uppercase()), ImageOs::Windows, &Quiet).await.unwrap();
    assert_eq!((made.sha256.as_str(), made.virtual_bytes, made.os), (hash.as_str(), 2 << 20, ImageOs::Windows));
    assert_eq!(room.kept(), [format!("{hash}.qcow2")]);
    assert!(std::fs::metadata(&made.path).unwrap().permissions().readonly());
    // The same again is no error and no second file.
    room.store.import(&from, None, ImageOs::Windows, &Quiet).await.unwrap();
    assert_eq!(room.kept().len(), 1);
    room.store.remove(&hash).unwrap();
    room.store.remove(&hash).unwrap();
    assert!(room.kept().is_empty());
}

#[tokio::test]
async fn other_formats_become_qcow2_with_the_same_content() {
    for format in ["raw", "vmdk", "vdi", "vhdx", "vpc"] {
        let room = Room::new();
        let source = room.write("source.raw", &raw());
        let from = room.file("disk").display().to_string();
        qemu_img(&["convert", "-f", "raw", "-O", format, &source, &from]);
        let made = room
            .store
            .import(&from, Some(&sha256sum(Path::new(&from))), ImageOs::Linux, &Quiet)
            .await
            .unwrap_or_else(|e| panic!("{format}: {e}"));
        assert_eq!(made.sha256, sha256sum(&made.path), "{format}");
        let back = room.file("back.raw").display().to_string();
        qemu_img(&["convert", "-f", "qcow2", "-O", "raw", &made.path.display().to_string(), &back]);
        assert_eq!(&std::fs::read(back).unwrap()[..2 << 20], raw(), "{format}");
        assert_eq!(room.kept().len(), 1);
    }
}

#[tokio::test]
async fn an_image_that_names_other_files_is_refused() {
    let room = Room::new();
    let base = qcow2(&room, "base.qcow2");
    let over = room.file("over.qcow2").display().to_string();
    qemu_img(&["create", "-q", "-f", "qcow2", "-b", &base, "-F", "qcow2", &over]);
    room.fails(&over, None, "bad_image", "backing file").await;

    let data = room.file("data.qcow2").display().to_string();
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        &format!("data_file={}", room.file("data.raw").display()),
        &data,
        "4M",
    ]);
    room.fails(&data, None, "bad_image", "another file").await;

    let flat = room.write(
        "flat.vmdk",
        b"# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 8 FLAT \"/etc/shadow\" 0\n",
    );
    room.fails(&flat, None, "bad_image", "names other files").await;
}

#[tokio::test]
async fn a_machines_disk_and_its_image_become_one_file() {
    let room = Room::new();
    let base = qcow2(&room, "base.qcow2");
    let over = room.file("disk.qcow2");
    let clone = |to: &Path| {
        qemu_img(&["create", "-q", "-f", "qcow2", "-b", &base, "-F", "qcow2", &to.display().to_string(), "8M"]);
    };
    clone(&over);
    let flat = room.store.flatten(&over, Path::new(&base), &Quiet).await.unwrap();
    assert_eq!((flat.virtual_bytes, room.kept()), (8 << 20, vec![format!("{}.qcow2", flat.sha256)]));
    let kept = room.store.path(&flat.sha256).unwrap();
    assert_eq!((sha256sum(&kept), kept.metadata().unwrap().len()), (flat.sha256.clone(), flat.file_bytes));
    qemu_img(&[
        "compare",
        "-q",
        "-f",
        "qcow2",
        "-F",
        "qcow2",
        &kept.display().to_string(),
        &over.display().to_string(),
    ]);
    // It needs nothing but itself.
    std::fs::remove_file(&base).unwrap();
    qemu_img(&["check", "-q", "-f", "qcow2", &kept.display().to_string()]);

    let other = qcow2(&room, "other.qcow2");
    let error = room.store.flatten(&over, Path::new(&other), &Quiet).await.unwrap_err();
    assert!(error.code() == "bad_image" && error.to_string().contains("another file"), "{error}");
}

#[tokio::test]
async fn a_raw_disk_that_pretends_inside_to_be_qcow2_stays_raw() {
    // A guest could write a qcow2 header with a backing file into its raw disk: what has that header is judged as qcow2.
    let room = Room::new();
    let mut disk = raw();
    disk[..4].copy_from_slice(b"QFI\xfb");
    disk[4..8].copy_from_slice(&3u32.to_be_bytes());
    disk[8..16].copy_from_slice(&0x200u64.to_be_bytes());
    let from = room.write("trick.raw", &disk);
    room.fails(&from, None, "bad_image", "backing file").await;
}

#[tokio::test]
async fn damaged_encrypted_and_foreign_files_are_refused() {
    let room = Room::new();
    let from = qcow2(&room, "cut.qcow2");
    let whole = std::fs::read(&from).unwrap();
    let cut = room.write("cut.qcow2", &whole[..100_000]);
    room.fails(&cut, None, "bad_image", "").await;
    let mut broken = whole.clone();
    broken[0x30000..0x30100].fill(0xff);
    let broken = room.write("broken.qcow2", &broken);
    room.fails(&broken, None, "bad_image", "damaged").await;

    let secret = room.file("secret.qcow2").display().to_string();
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "--object",
        "secret,id=s,data=x",
        "-o",
        "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
        &secret,
        "4M",
    ]);
    room.fails(&secret, None, "bad_image", "encrypted").await;

    let page = room.write("page.qcow2", b"<!doctype html><title>404</title>");
    room.fails(&page, None, "bad_image", "no disk image").await;
    let empty = room.write("empty", b"");
    room.fails(&empty, None, "bad_image", "empty").await;

    let huge = room.file("huge.qcow2").display().to_string();
    qemu_img(&["create", "-q", "-f", "qcow2", "-o", "cluster_size=2M", &huge, "9T"]);
    room.fails(&huge, None, "bad_image", "8 TiB").await;
    let tiny = room.file("tiny.qcow2").display().to_string();
    qemu_img(&["create", "-q", "-f", "qcow2", &tiny, "512"]);
    room.fails(&tiny, None, "bad_image", "1 MiB").await;
}

#[tokio::test]
async fn wrong_checksums_and_sources() {
    let room = Room::new();
    let from = qcow2(&room, "good.qcow2");
    room.fails(&from, Some(&"0".repeat(64)), "wrong_checksum", "not 0000").await;
    room.fails(&from, Some("xyz"), "bad_checksum", "64 hexadecimal").await;
    room.fails("relative.qcow2", None, "bad_source", "absolute path").await;
    room.fails("../../etc/passwd", None, "bad_source", "absolute path").await;
    room.fails("/no/such/file", None, "bad_source", "No such file").await;
    room.fails("/dev/zero", None, "bad_source", "regular file").await;
    room.fails("/tmp", None, "bad_source", "regular file").await;
    room.fails("file:///etc/passwd", None, "bad_source", "only http").await;
    room.fails("http://127.0.0.1:9/x", None, "bad_source", "plain http").await;
    room.fails("https://127.0.0.1:9/x", None, "download_failed", "127.0.0.1:9").await;
    let big = room.file("big");
    std::fs::File::create(&big).unwrap().set_len(65 << 20).unwrap();
    room.fails(&big.display().to_string(), None, "image_too_large", "GiB").await;
}

struct CancelAt(Mutex<Option<f64>>, AtomicBool, tokio::sync::Notify);

#[async_trait::async_trait]
impl Job for CancelAt {
    fn progress(&self, fraction: f64, _: &str) {
        if self.0.lock().unwrap().is_some_and(|at| fraction >= at) {
            self.1.store(true, Ordering::SeqCst);
            self.2.notify_waiters();
        }
    }
    fn log(&self, _: &str) {}
    async fn cancelled(&self) {
        loop {
            let notified = self.2.notified();
            if self.1.load(Ordering::SeqCst) {
                return;
            }
            notified.await;
        }
    }
}

#[tokio::test]
async fn a_cancelled_import_leaves_nothing() {
    for at in [0.0, 0.3, 0.7, 0.76] {
        let room = Room::new();
        let mut disk = raw();
        disk.resize(48 << 20, 7);
        let from = room.write("big.raw", &disk);
        let job = CancelAt(Mutex::new(Some(at)), AtomicBool::new(false), tokio::sync::Notify::new());
        let error = room.store.import(&from, None, ImageOs::Linux, &job).await.unwrap_err();
        assert_eq!(error.code(), "cancelled", "{error}");
        assert!(room.kept().is_empty(), "{at}");
    }
}

/// Answers one request with these bytes, head included.
async fn serve(answer: Vec<u8>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    format!("http://{address}/disk.qcow2")
}

fn http(status: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

#[tokio::test]
async fn downloads() {
    let room = Room::new();
    let from = qcow2(&room, "good.qcow2");
    let body = std::fs::read(&from).unwrap();
    let hash = sha256sum(Path::new(&from));

    let url = serve(http("404 Not Found", 0, b"")).await;
    room.fails(&url, Some(&hash), "download_failed", "404").await;
    let url = serve(http("200 OK", body.len(), &body[..5000])).await;
    room.fails(&url, Some(&hash), "download_failed", "").await;
    let url = serve(http("200 OK", 1 << 40, b"")).await;
    room.fails(&url, Some(&hash), "image_too_large", "").await;
    let url = serve(http("200 OK", 5, b"hello")).await;
    room.fails(&url, Some(&hash), "wrong_checksum", "").await;

    let url = serve(http("200 OK", body.len(), &body)).await;
    let secret = url.replace("http://", "http://user:hunter2@");
    let made = room.store.import(&secret, Some(&hash), ImageOs::Linux, &Quiet).await.unwrap();
    assert_eq!(made.from, url, "a password is not kept");
    assert_eq!(room.kept(), [format!("{hash}.qcow2")]);
}

/// A real full disk: a tiny tmpfs, where we may mount one.
#[tokio::test]
async fn a_full_disk_is_said_and_leaves_nothing() {
    let room = Room::new();
    let mut disk = raw();
    disk.resize(16 << 20, 7);
    let from = room.write("big.raw", &disk);
    // Asked beforehand: more must stay free than there is.
    let careful =
        ImageStore::new(room.file("images"), room.file("cache")).with_limits(1 << 60, 64 << 20, Duration::ZERO);
    let error = careful.import(&from, None, ImageOs::Linux, &Quiet).await.unwrap_err();
    assert!(matches!(error, ImageError::NoSpace { .. }), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert!(room.kept().is_empty());

    let small = room.file("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=20m", "tmpfs"])
        .arg(&small)
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !mounted {
        eprintln!("not allowed to mount a tmpfs: the running-full half is left out");
        return;
    }
    let result = async {
        let store = ImageStore::new(small.join("images"), room.file("cache")).with_limits(0, 64 << 20, Duration::ZERO);
        // Fits as it is, but not beside its conversion.
        let mut noise = disk.clone();
        let mut state = 1u64;
        for byte in noise.iter_mut().skip(512) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        std::fs::write(&from, &noise).unwrap();
        let error = store.import(&from, None, ImageOs::Linux, &Quiet).await.unwrap_err();
        let left = std::fs::read_dir(small.join("images")).unwrap().count();
        (error, left)
    }
    .await;
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert_eq!(result.0.code(), "disk_full", "{}", result.0);
    assert_eq!(result.1, 0);
}
