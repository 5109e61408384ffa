//! Long jobs of the real program: cancelled in the middle, gone on with, killed in the middle.

use crate::{
    house::{House, names, wait},
    world::{check_images, processes},
};
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// A web server with one file, of which it sends half and then waits until it is let go on.
struct HalfWay {
    url: String,
    go_on: Arc<AtomicBool>,
    /// Downloads that came to the middle.
    halves: Arc<AtomicUsize>,
}

impl HalfWay {
    fn start(bytes: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/disk.qcow2", listener.local_addr().unwrap());
        let (go_on, halves) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (may, came) = (Arc::clone(&go_on), Arc::clone(&halves));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, bytes, may, came) =
                    (stream.unwrap(), bytes.clone(), Arc::clone(&may), Arc::clone(&came));
                std::thread::spawn(move || {
                    let mut request = [0; 2048];
                    let _ = stream.read(&mut request);
                    let head =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
                    let (first, rest) = bytes.split_at(bytes.len() / 2);
                    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(first));
                    came.fetch_add(1, Ordering::SeqCst);
                    if wait(|| may.load(Ordering::SeqCst)) {
                        let _ = stream.write_all(rest);
                    }
                });
            }
        });
        Self { url, go_on, halves }
    }

    fn until_halves(&self, count: usize) {
        assert!(wait(|| self.halves.load(Ordering::SeqCst) == count), "no download came half-way");
    }
}

fn operation(house: &House) -> Value {
    house.json(&["operation", "list"])["operations"][0].clone()
}

fn until_state(house: &House, state: &str) {
    let mut last = Value::Null;
    let came = wait(|| {
        last = operation(house);
        last["state"] == state
    });
    assert!(came, "the operation did not become {state}: {last:#}");
}

/// An import that is cancelled in the middle leaves nothing; gone on with, and killed in the middle again, it ends well.
pub fn import(house: &House) {
    let server = house.serve(None);
    let bytes = fs::read(house.disk()).unwrap();
    let sum = Command::new("sha256sum").arg(house.disk()).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap().split(' ').next().unwrap().to_owned();
    let web = HalfWay::start(bytes);
    let images = house.data.join("images");
    house.tell(&["image", "import", &web.url, "--sha256", &sum, "--name", "tiny", "--os", "other", "--detach"]);
    web.until_halves(1);
    assert!(wait(|| !names(&images).is_empty()), "what came lies somewhere");
    let id = operation(house)["id"].as_str().unwrap().to_owned();
    house.tell(&["operation", "cancel", &id]);
    until_state(house, "cancelled");
    assert!(wait(|| names(&images).is_empty()), "left: {:?}", names(&images));
    check_images(house);

    // Watches until it ends, unless it is interrupted: the server goes on with it.
    let mut watching = house.oriel(&["operation", "resume", &id]).spawn().unwrap();
    web.until_halves(2);
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert_eq!(operation(house)["state"], "running");
    server.kill();
    let second = house.serve(None);
    web.until_halves(3);
    web.go_on.store(true, Ordering::SeqCst);
    until_state(house, "done");
    assert_eq!(operation(house)["id"], id.as_str());
    assert_eq!(house.json(&["image", "list"])["images"].as_array().unwrap().len(), 1);
    check_images(house);
    // Done is done.
    assert!(house.ask(&["operation", "resume", &id]).is_err());
    drop(second);
}

/// A build that is cancelled early stops all that it had started, and leaves neither a file nor a mount.
pub fn build(house: &House) {
    // A build works in the cache, which lies beside the data.
    let folder = house.data.parent().unwrap();
    let server = house.serve(None);
    house.tell(&["image", "build", "debian-desktop", "--detach"]);
    let at_work = || processes(folder).iter().any(|(_, line)| line.contains("mmdebstrap"));
    assert!(wait(at_work), "mmdebstrap was not started: {:#}", operation(house));
    let id = operation(house)["id"].as_str().unwrap().to_owned();
    house.tell(&["operation", "cancel", &id]);
    until_state(house, "cancelled");
    assert!(wait(|| processes(folder).is_empty()), "left: {:#?}", processes(folder));
    assert!(wait(|| names(&house.data.join("images")).is_empty()), "left: {:?}", names(&house.data.join("images")));
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(folder.to_str().unwrap()), "{mounts}");
    check_images(house);
    drop(server);
}
