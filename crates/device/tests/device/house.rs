//! A machine in memory, and a program that asks its device.

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use oriel_device::{
    Accounts, Button, Device, DeviceOptions, Encoder, Fetched, Machine, Medium, Picture, Remote, Report, Slot, Status,
    UNITS_MAX, VideoWanted, Wanted,
};
use oriel_screen::h264::Unit;
use oriel_screen::{Rect, Surface};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::time::sleep;

/// A JPEG of two halves: red, and blue.
pub fn picture(width: u16, height: u16) -> Picture {
    let mut surface = Surface::new(width, height).unwrap();
    surface.fill(Rect::new(0, 0, width / 2, height), [255, 0, 0]).unwrap();
    surface.fill(Rect::new(width / 2, 0, width - width / 2, height), [0, 0, 255]).unwrap();
    let jpeg = oriel_screen::encode::jpeg(&surface, (width, height), 90).unwrap();
    Picture { jpeg: jpeg.into(), width, height, taken: 1_700_000_000_123 }
}

const NAME: &str = "fake.example";

/// An encoder whose units are the test's.
pub struct FakeVideo {
    units: broadcast::Sender<Unit>,
    pub wanted: Mutex<Vec<VideoWanted>>,
    keys: AtomicU32,
}

impl Default for FakeVideo {
    fn default() -> Self {
        Self { units: broadcast::Sender::new(UNITS_MAX), wanted: Mutex::default(), keys: AtomicU32::new(0) }
    }
}

impl FakeVideo {
    pub fn show(&self, key: bool, bytes: &'static [u8]) {
        self.units.send(Unit { key, bytes: Bytes::from_static(bytes) }).unwrap();
    }

    /// How often a key frame was wanted.
    pub fn keys(&self) -> u32 {
        self.keys.load(Ordering::Relaxed)
    }
}

impl Encoder for FakeVideo {
    fn is_ready(&self) -> bool {
        true
    }
    fn defaults(&self) -> (u16, u8) {
        (5000, 30)
    }
    fn units(&self) -> broadcast::Receiver<Unit> {
        self.units.subscribe()
    }
    fn want(&self, wanted: VideoWanted) {
        self.wanted.lock().unwrap().push(wanted);
    }
    fn want_key(&self) {
        self.keys.fetch_add(1, Ordering::Relaxed);
    }
}

pub struct Fake {
    pub status: watch::Sender<Status>,
    pub pictures: watch::Sender<Option<Picture>>,
    pub wanted: Mutex<Vec<Wanted>>,
    pub reports: Mutex<Vec<Report>>,
    pub pressed: Mutex<Vec<Button>>,
    pub media: Mutex<Vec<Option<Medium>>>,
    /// What presses and media are refused with.
    pub broken: Mutex<Option<String>>,
    pub has_slot: bool,
    /// Its drive takes CDs alone.
    pub only_cds: bool,
    /// What is fetched from elsewhere; `None`: nothing is.
    pub remote: Option<Bytes>,
    pub video: Option<FakeVideo>,
}

impl Default for Fake {
    fn default() -> Self {
        let status = Status { power: Some(false), disk: false, leds: 0, input: true };
        Self {
            status: watch::Sender::new(status),
            pictures: watch::Sender::new(Some(picture(640, 480))),
            wanted: Mutex::default(),
            reports: Mutex::default(),
            pressed: Mutex::default(),
            media: Mutex::default(),
            broken: Mutex::default(),
            has_slot: true,
            only_cds: false,
            remote: None,
            video: None,
        }
    }
}

impl Fake {
    pub fn keyboard(&self) -> Vec<String> {
        let reports = self.reports.lock().unwrap();
        let keyboard = reports.iter().filter_map(|report| match report {
            Report::Keyboard(bytes) => Some(data_encoding::HEXLOWER.encode(bytes)),
            _ => None,
        });
        keyboard.collect()
    }

    pub fn absolute(&self) -> Vec<String> {
        let reports = self.reports.lock().unwrap();
        let mouse = reports.iter().filter_map(|report| match report {
            Report::Absolute(bytes) => Some(data_encoding::HEXLOWER.encode(bytes)),
            _ => None,
        });
        mouse.collect()
    }

    pub fn relative(&self) -> Vec<String> {
        let reports = self.reports.lock().unwrap();
        let mouse = reports.iter().filter_map(|report| match report {
            Report::Relative(bytes) => Some(data_encoding::HEXLOWER.encode(bytes)),
            _ => None,
        });
        mouse.collect()
    }

    pub fn forget(&self) {
        self.reports.lock().unwrap().clear();
    }
}

#[async_trait]
impl Machine for Fake {
    fn name(&self) -> &str {
        NAME
    }
    fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }
    fn pictures(&self) -> watch::Receiver<Option<Picture>> {
        self.pictures.subscribe()
    }
    fn want(&self, wanted: Wanted) {
        self.wanted.lock().unwrap().push(wanted);
    }
    fn encoder(&self) -> Option<&dyn Encoder> {
        self.video.as_ref().map(|video| video as &dyn Encoder)
    }
    async fn report(&self, report: Report) {
        self.reports.lock().unwrap().push(report);
    }
    async fn press(&self, button: Button) -> Result<(), String> {
        sleep(Duration::from_millis(100)).await;
        if let Some(why) = self.broken.lock().unwrap().clone() {
            return Err(why);
        }
        self.pressed.lock().unwrap().push(button);
        self.status.send_modify(|status| {
            status.power = match button {
                Button::Power => status.power.map(|on| !on),
                Button::PowerLong => Some(false),
                Button::Reset => status.power,
            };
        });
        Ok(())
    }
    fn slot(&self) -> Option<&dyn Slot> {
        self.has_slot.then_some(self as &dyn Slot)
    }
}

#[async_trait]
impl Slot for Fake {
    fn check(&self, cdrom: bool, _writable: bool) -> Result<(), String> {
        if cdrom || !self.only_cds { Ok(()) } else { Err("it is a CD drive".to_owned()) }
    }

    fn fetches(&self) -> bool {
        self.remote.is_some()
    }

    async fn fetch(&self, from: &Remote) -> Result<Fetched, String> {
        let bytes = self.remote.clone().unwrap_or_default();
        if from.url.host_str() != Some("mirror.example") {
            return Err("nobody answers".to_owned());
        }
        let name = from.url.path_segments().and_then(|mut parts| parts.next_back()).map(str::to_owned);
        let (size, half) = (bytes.len() as u64, bytes.len() / 2);
        // Where something is missing the other end hangs up in the middle.
        let pieces =
            if from.insecure { vec![bytes.slice(..half)] } else { vec![bytes.slice(..half), bytes.slice(half..)] };
        let body = futures::stream::iter(pieces.into_iter().map(Ok));
        Ok(Fetched { name, size, body: Box::pin(body) })
    }

    async fn load(&self, medium: Option<Medium>) -> Result<(), String> {
        if let Some(why) = self.broken.lock().unwrap().clone() {
            return Err(why);
        }
        self.media.lock().unwrap().push(medium);
        Ok(())
    }
}

pub struct House {
    pub device: Device,
    pub machine: Arc<Fake>,
    pub address: SocketAddr,
}

/// Hashing takes a while, and once is enough.
static ACCOUNTS: LazyLock<Accounts> = LazyLock::new(|| {
    let mut accounts = Accounts::default();
    accounts.add("admin", &"secret".into(), None).unwrap();
    accounts
});

pub fn options() -> DeviceOptions {
    DeviceOptions { accounts: ACCOUNTS.clone(), cool_down: Duration::from_millis(50), ..DeviceOptions::default() }
}

pub const SIGNED_IN: &[(&str, &str)] = &[("X-KVMD-User", "admin"), ("X-KVMD-Passwd", "secret")];

#[derive(Debug)]
pub struct Told {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub fn result(&self) -> Value {
        let json = self.json();
        assert_eq!((self.status, &json["ok"]), (StatusCode::OK, &Value::Bool(true)), "{json}");
        json["result"].clone()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The status and the name of the error.
    pub fn refused(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(json["ok"], false, "{json}");
        assert!(json["result"]["error_msg"].is_string());
        (self.status.as_u16(), json["result"]["error"].as_str().unwrap().to_owned())
    }
}

impl House {
    pub async fn start(machine: Fake, options: DeviceOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let machine = Arc::new(machine);
        let device = Device::start(listener, Arc::clone(&machine) as Arc<dyn Machine>, options).unwrap();
        let address = device.address();
        Self { device, machine, address }
    }

    pub async fn new() -> Self {
        Self::start(Fake::default(), options()).await
    }

    pub async fn with_video() -> Self {
        Self::start(Fake { video: Some(FakeVideo::default()), ..Fake::default() }, options()).await
    }

    pub fn video(&self) -> &FakeVideo {
        self.machine.video.as_ref().unwrap()
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Told {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("Host", "fake.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Told { status: head.status, headers: head.headers, body }
    }

    pub async fn get(&self, path: &str) -> Told {
        self.send(Method::GET, path, SIGNED_IN, "").await
    }

    pub async fn post(&self, path: &str) -> Told {
        self.send(Method::POST, path, SIGNED_IN, "").await
    }

    /// Waits until something is so.
    pub async fn until<T>(&self, what: &str, look: impl Fn(&Fake) -> Option<T>) -> T {
        for _ in 0..400 {
            if let Some(found) = look(&self.machine) {
                return found;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{what} did not happen; reports: {:?}", self.machine.reports.lock().unwrap());
    }
}
