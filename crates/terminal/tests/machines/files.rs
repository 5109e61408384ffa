//! SFTP of a real OpenSSH: every deed, the root, large files both ways, and going on after a cut.

use crate::server::{PATIENCE, Server, error};
use futures::StreamExt as _;
use oriel_terminal::files::{EntryKind, Files, FilesError, RemotePath};
use oriel_terminal::{SshOptions, TerminalError};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    sync::Arc,
    time::Instant,
};
use tokio::time::timeout;

fn at(path: &str) -> RemotePath {
    RemotePath::parse(path).unwrap()
}

async fn open(server: &Server, root: &Path) -> Arc<Files> {
    let ssh = server.ssh();
    let opening = Files::open(server.stream().await, &ssh, root.to_str());
    timeout(PATIENCE, opening).await.unwrap().unwrap_or_else(|error| panic!("{error}"))
}

fn house(server: &Server) -> std::path::PathBuf {
    let root = server.folder.path().join("house");
    fs::create_dir_all(root.join("room/drawer")).unwrap();
    fs::write(root.join("room/note.txt"), "hello").unwrap();
    fs::write(root.join("room/<b>ünïcode & 'quotes'\n.txt"), "x").unwrap();
    std::os::unix::fs::symlink("note.txt", root.join("room/inside")).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("outside")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("secret")).unwrap();
    root
}

async fn read(files: &Arc<Files>, path: &str, offset: u64, length: Option<u64>) -> Result<Vec<u8>, FilesError> {
    let download = files.download(&at(path)).await?.part(offset, length.unwrap_or(u64::MAX));
    let mut stream = Box::pin(download.bytes());
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

#[tokio::test]
async fn lists_reads_and_changes() {
    let server = Server::start();
    let root = house(&server);
    let files = open(&server, &root).await;
    assert_eq!(files.root(), root.to_str().unwrap());
    let listing = files.list(&at("room")).await.unwrap();
    let names: Vec<(&str, EntryKind)> = listing.entries.iter().map(|e| (e.name.as_str(), e.kind)).collect();
    assert_eq!(
        names,
        [
            ("<b>ünïcode & 'quotes'\n.txt", EntryKind::File),
            ("drawer", EntryKind::Folder),
            ("inside", EntryKind::Link),
            ("note.txt", EntryKind::File)
        ]
    );
    let note = files.stat(&at("room/note.txt")).await.unwrap();
    assert_eq!((note.size, note.kind, note.name.as_str()), (5, EntryKind::File, "note.txt"));
    assert!(note.modified.is_some_and(|seconds| seconds > 1_600_000_000));
    assert_eq!(read(&files, "room/note.txt", 0, None).await.unwrap(), b"hello");
    assert_eq!(read(&files, "room/inside", 1, Some(3)).await.unwrap(), b"ell");
    assert_eq!(read(&files, "room/note.txt", 9, None).await.unwrap(), b"");

    files.make_folder(&at("new")).await.unwrap();
    files.rename(&at("room/note.txt"), &at("new/moved.txt"), false).await.unwrap();
    fs::write(root.join("other"), "other").unwrap();
    let taken = files.rename(&at("other"), &at("new/moved.txt"), false).await;
    assert!(matches!(taken, Err(FilesError::Exists { .. })), "{taken:?}");
    files.rename(&at("other"), &at("new/moved.txt"), true).await.unwrap();
    assert_eq!(fs::read_to_string(root.join("new/moved.txt")).unwrap(), "other");
    assert!(matches!(files.make_folder(&at("new")).await, Err(FilesError::Exists { .. })));
    assert!(matches!(files.remove(&at("new")).await, Err(FilesError::Failed(_))), "it is not empty");
    files.remove(&at("new/moved.txt")).await.unwrap();
    files.remove(&at("new")).await.unwrap();
    assert!(matches!(files.remove(&at("new")).await, Err(FilesError::Missing)));
    // A link goes, not what it points to.
    files.remove(&at("secret")).await.unwrap();
    assert!(Path::new("/etc/passwd").exists() && !root.join("secret").exists());
}

#[tokio::test]
async fn nobody_leaves_the_root() {
    let server = Server::start();
    let root = house(&server);
    std::os::unix::fs::symlink("/etc/oriel-test-never", root.join("dangling")).unwrap();
    let files = open(&server, &root).await;
    let outside = |result: &FilesError| matches!(result, FilesError::Outside { .. });
    for path in ["secret", "outside/passwd", "outside"] {
        let refused = files.stat(&at(path)).await.unwrap_err();
        assert!(outside(&refused), "{path}: {refused}");
    }
    assert!(outside(&files.list(&at("outside")).await.unwrap_err()));
    assert!(outside(&read(&files, "secret", 0, None).await.unwrap_err()));
    assert!(outside(&files.make_folder(&at("outside/x")).await.unwrap_err()));
    assert!(outside(&files.remove(&at("outside/passwd")).await.unwrap_err()));
    assert!(outside(&files.rename(&at("outside/passwd"), &at("x"), false).await.unwrap_err()));
    assert!(outside(&files.rename(&at("room"), &at("outside/x"), true).await.unwrap_err()));
    assert!(outside(&files.upload(&at("outside/x"), "t", 0, false).await.err().unwrap()));
    assert!(matches!(files.remove(&RemotePath::default()).await, Err(FilesError::BadPath { .. })));
    // A link where an upload's part would be is not written through; a link where the file goes is replaced.
    std::os::unix::fs::symlink(server.folder.path().join("stolen"), root.join(".up.t.part")).unwrap();
    assert!(matches!(files.upload(&at("up"), "t", 0, false).await.err().unwrap(), FilesError::NotAFile { .. }));
    assert!(matches!(files.upload(&at("dangling"), "t", 0, false).await, Err(FilesError::Exists { .. })));
    let mut upload = files.upload(&at("dangling"), "t", 0, true).await.unwrap();
    upload.write("inside".into()).await.unwrap();
    upload.complete().await.unwrap();
    assert!(root.join("dangling").symlink_metadata().unwrap().is_file());
    assert!(!Path::new("/etc/oriel-test-never").exists());
    // What is no file is not opened: a pipe would wait for ever.
    crate::server::run("mkfifo", &[root.join("pipe").to_str().unwrap()]);
    for path in ["pipe", "room"] {
        assert!(matches!(read(&files, path, 0, None).await, Err(FilesError::NotAFile { .. })), "{path}");
    }
}

/// Names that are not UTF-8 are seen, and nothing is done by what they are shown as.
#[tokio::test]
async fn names_that_cannot_be_read_lead_nowhere() {
    use std::os::unix::ffi::OsStrExt as _;
    let server = Server::start();
    let root = house(&server);
    let old = std::ffi::OsStr::from_bytes(b"\xe4pfel");
    fs::create_dir(root.join(old)).unwrap();
    std::os::unix::fs::symlink(old, root.join("apples")).unwrap();
    let files = open(&server, &root).await;
    let listing = files.list(&RemotePath::default()).await.unwrap();
    assert!(listing.entries.iter().any(|entry| entry.name == "\u{fffd}pfel"));
    assert!(matches!(RemotePath::parse("\u{fffd}pfel"), Err(FilesError::BadPath { .. })));
    assert!(matches!(files.make_folder(&at("apples/new")).await, Err(FilesError::BadPath { .. })));
}

#[tokio::test]
async fn a_machine_without_files_says_so() {
    let server = Server::start_with(|_| "Subsystem sftp /nonexistent/sftp-server".into());
    let ssh = server.ssh();
    let opening = Files::open(server.stream().await, &ssh, None);
    let refused = timeout(PATIENCE, opening).await.unwrap().err().unwrap();
    assert!(!matches!(refused, FilesError::Missing), "{refused}");
    let wrong = SshOptions { host_key: oriel_terminal::HostKeyPin::Known(server.user_key.clone()), ..server.ssh() };
    assert!(matches!(error(server.connect(&wrong).await), TerminalError::BadCredentials { .. }));
}

/// SSH lives on where its file service has died; files do not.
#[tokio::test]
async fn files_without_their_service_are_closed() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start_with(|folder| {
        let (script, id) = (folder.join("service"), folder.join("id"));
        let text = format!("#!/bin/sh\necho $$ > {}\nexec /usr/lib/openssh/sftp-server\n", id.display());
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        format!("Subsystem sftp {}", script.display())
    });
    let root = house(&server);
    let files = open(&server, &root).await;
    assert!(matches!(files.list(&at("nowhere")).await, Err(FilesError::Missing)));
    assert!(files.list(&at("room")).await.is_ok() && !files.is_closed());
    let id = fs::read_to_string(server.folder.path().join("id")).unwrap();
    crate::server::run("kill", &["-9", id.trim()]);
    let begin = Instant::now();
    while !files.is_closed() {
        assert!(begin.elapsed() < PATIENCE, "nobody notices");
        files.list(&at("room")).await.ok();
    }
    assert!(files.list(&at("room")).await.is_err());
}

#[tokio::test]
async fn a_full_folder_is_cut() {
    let server = Server::start();
    let root = server.folder.path().join("full");
    fs::create_dir(&root).unwrap();
    for number in 0..10_100 {
        fs::File::create(root.join(format!("{number:05}"))).unwrap();
    }
    let listing = open(&server, &root).await.list(&RemotePath::default()).await.unwrap();
    assert_eq!((listing.entries.len(), listing.cut), (10_000, true));
}

fn sum(path: &Path) -> Vec<u8> {
    let (mut file, mut hash, mut buffer) = (fs::File::open(path).unwrap(), Sha256::new(), vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer).unwrap();
        if read == 0 {
            return hash.finalize().to_vec();
        }
        hash.update(&buffer[..read]);
    }
}

/// 256 MiB down and up again, each cut in the middle and continued, with the same hash at the end.
#[tokio::test]
async fn large_files_both_ways_and_over_a_cut() {
    const SIZE: u64 = 256 << 20;
    let server = Server::start();
    let root = server.folder.path().join("large");
    fs::create_dir(&root).unwrap();
    let mut source = fs::File::create(root.join("down")).unwrap();
    let mut state = 88_172_645_463_325_252u64;
    let mut block = Vec::with_capacity(1 << 20);
    for _ in 0..SIZE >> 20 {
        block.clear();
        while block.len() < 1 << 20 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend(state.to_le_bytes());
        }
        source.write_all(&block).unwrap();
    }
    let expected = sum(&root.join("down"));
    let files = open(&server, &root).await;

    let began = Instant::now();
    let (mut hash, mut got) = (Sha256::new(), 0u64);
    {
        let download = files.download(&at("down")).await.unwrap();
        assert_eq!(download.length(), SIZE);
        let mut stream = Box::pin(download.bytes());
        while got < SIZE / 2 {
            let piece = stream.next().await.unwrap().unwrap();
            got += piece.len() as u64;
            hash.update(&piece);
        }
    }
    files.close().await;
    let files = open(&server, &root).await;
    let mut stream = Box::pin(files.download(&at("down")).await.unwrap().part(got, u64::MAX).bytes());
    while let Some(piece) = stream.next().await {
        let piece = piece.unwrap();
        got += piece.len() as u64;
        hash.update(&piece);
    }
    assert_eq!((got, hash.finalize().to_vec()), (SIZE, expected.clone()));
    let down = began.elapsed().as_secs_f64();

    let began = Instant::now();
    let mut local = fs::File::open(root.join("down")).unwrap();
    let mut upload = files.upload(&at("up"), "tag1", 0, false).await.unwrap();
    let mut buffer = vec![0; 256 << 10];
    while upload.at() < SIZE / 2 {
        let read = local.read(&mut buffer).unwrap();
        upload.write(buffer[..read].to_vec().into()).await.unwrap();
    }
    // The network goes away with pieces still on the way.
    files.close().await;
    drop(upload);
    let files = open(&server, &root).await;
    let there = files.uploaded(&at("up"), "tag1").await.unwrap();
    assert!(there > SIZE / 4 && there <= SIZE / 2 + (1 << 20), "{there}");
    assert_eq!(files.uploaded(&at("up"), "another").await.unwrap(), 0);
    assert!(matches!(files.upload(&at("up"), "tag1", there + 1, false).await, Err(FilesError::Gap { .. })));
    let mut upload = files.upload(&at("up"), "tag1", there, false).await.unwrap();
    std::io::Seek::seek(&mut local, std::io::SeekFrom::Start(there)).unwrap();
    loop {
        let read = local.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        upload.write(buffer[..read].to_vec().into()).await.unwrap();
    }
    assert!(!root.join("up").exists(), "it is not there before it is whole");
    upload.complete().await.unwrap();
    let up = began.elapsed().as_secs_f64();
    assert!(sum(&root.join("up")) == expected, "another file arrived");
    assert_eq!(fs::read_dir(&root).unwrap().count(), 2, "the part is gone");
    println!("down {:.0} MB/s, up {:.0} MB/s", SIZE as f64 / 1e6 / down, SIZE as f64 / 1e6 / up);
}

/// Servers without OpenSSH's rename replace in several steps; none of them loses what was there.
#[tokio::test]
async fn replaces_without_a_rename_that_can() {
    let server = Server::start_with(|_| "Subsystem sftp internal-sftp -P posix-rename".into());
    let root = house(&server);
    let files = open(&server, &root).await;
    fs::write(root.join("a"), "a").unwrap();
    fs::write(root.join("b"), "b").unwrap();
    for replace in [false, true] {
        assert!(matches!(files.rename(&at("a"), &at("a"), replace).await, Err(FilesError::BadPath { .. })));
    }
    assert!(matches!(files.rename(&at("nowhere"), &at("b"), true).await, Err(FilesError::Missing)));
    assert!(matches!(files.rename(&at("a"), &at("room"), true).await, Err(FilesError::Folder { .. })));
    // A folder does not fit into itself: what was there is back.
    fs::write(root.join("room/b"), "b").unwrap();
    assert!(files.rename(&at("room"), &at("room/b"), true).await.is_err());
    assert_eq!(fs::read_to_string(root.join("room/b")).unwrap(), "b");
    fs::remove_file(root.join("room/b")).unwrap();

    files.rename(&at("a"), &at("b"), true).await.unwrap();
    assert_eq!(fs::read_to_string(root.join("b")).unwrap(), "a");
    let mut upload = files.upload(&at("b"), "t", 0, true).await.unwrap();
    upload.write("new".into()).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(fs::read_to_string(root.join("b")).unwrap(), "new");
    let listing = files.list(&RemotePath::default()).await.unwrap();
    let names: Vec<&str> = listing.entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["b", "outside", "room", "secret"], "nothing is left aside");
}

#[tokio::test]
async fn permissions_outlive_a_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start();
    let root = house(&server);
    let files = open(&server, &root).await;
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
    for (name, before) in [("secret.key", 0o600), ("run.sh", 0o755), ("set", 0o4755)] {
        fs::write(root.join(name), "old").unwrap();
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(before)).unwrap();
    }
    // A link to what only its account reads becomes a file that only its account reads.
    std::os::unix::fs::symlink("secret.key", root.join("link")).unwrap();
    // Nobody becomes another one by a file that somebody sent.
    for (name, after) in [("secret.key", 0o600), ("run.sh", 0o755), ("set", 0o755), ("link", 0o600), ("new", 0o644)] {
        let mut upload = files.upload(&at(name), "t", 0, true).await.unwrap();
        upload.write("new".into()).await.unwrap();
        upload.settle().await.unwrap();
        assert_eq!(mode(&format!(".{name}.t.part")), 0o600, "{name}");
        upload.complete().await.unwrap();
        assert_eq!((mode(name), fs::read_to_string(root.join(name)).unwrap().as_str()), (after, "new"), "{name}");
    }
}

#[tokio::test]
async fn what_is_there_stays_unless_it_is_to_be_replaced() {
    let server = Server::start();
    let root = house(&server);
    let files = open(&server, &root).await;
    let note = || fs::read_to_string(root.join("room/note.txt")).unwrap();
    let taken = files.upload(&at("room/note.txt"), "t", 0, false).await;
    assert!(matches!(taken.err(), Some(FilesError::Exists { path }) if path == "room/note.txt"));
    for replace in [false, true] {
        let folder = files.upload(&at("room/drawer"), "t", 0, replace).await;
        assert!(matches!(folder.err(), Some(FilesError::Folder { .. })), "{replace}");
    }
    assert_eq!(fs::read_dir(root.join("room")).unwrap().count(), 4, "nothing was begun");
    let mut upload = files.upload(&at("room/note.txt"), "t", 0, true).await.unwrap();
    upload.write("replaced".into()).await.unwrap();
    assert_eq!(note(), "hello");
    upload.complete().await.unwrap();
    assert_eq!(note(), "replaced");

    // One that came while the bytes were on their way is not replaced either, and the bytes stay for whoever then wants it.
    let mut upload = files.upload(&at("late"), "t", 0, false).await.unwrap();
    upload.write("mine".into()).await.unwrap();
    fs::write(root.join("late"), "theirs").unwrap();
    assert!(matches!(upload.complete().await, Err(FilesError::Exists { .. })));
    assert_eq!(fs::read_to_string(root.join("late")).unwrap(), "theirs");
    let there = files.uploaded(&at("late"), "t").await.unwrap();
    files.upload(&at("late"), "t", there, true).await.unwrap().complete().await.unwrap();
    assert_eq!(fs::read_to_string(root.join("late")).unwrap(), "mine");
}

/// A disk that is full in the middle: the part ends where its bytes end, and the upload says so.
#[tokio::test]
async fn what_does_not_fit_is_told() {
    let server = Server::start();
    let root = house(&server);
    let files = open(&server, &root).await;
    let mut upload = files.upload(&at("room/big"), "t", 0, false).await.unwrap();
    // The longest file that this process' children may write is the filesystem's; a name that is gone is as good.
    fs::remove_file(root.join("room/.big.t.part")).unwrap();
    upload.write("some".into()).await.unwrap();
    assert!(matches!(upload.complete().await, Err(FilesError::Missing)));
}
