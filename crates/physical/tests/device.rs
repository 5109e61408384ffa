//! The client against a device in memory, over TLS on loopback, with faults.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod bmc;
mod seat;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use hyper::Method;
use oriel_model::SwitchPort;
use oriel_physical::fake::{FakeDevice, FakeOptions, Faults, picture};
use oriel_physical::{Button, Client, DeviceError, FromDevice, PhysicalOptions, PhysicalSource, PowerAction, identity};
use oriel_pin::{HostPin, Keeper};
use oriel_screen::{InputEvent, ScreenEvent, Source, TileCodec};
use oriel_stream::BoxStream;
use seat::{PATIENCE, Seat, clock};
use secrecy::SecretString;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const SECRET: &str = "JBSWY3DPEHPK3PXP";

#[derive(Debug, Default)]
struct Met(Mutex<Vec<String>>);

#[async_trait]
impl Keeper for Met {
    async fn met(&self, _: usize, identity: &str) -> Result<(), String> {
        self.0.lock().unwrap().push(identity.to_owned());
        Ok(())
    }
}

fn options() -> PhysicalOptions {
    PhysicalOptions {
        host: "pikvm.example".to_owned(),
        user: "admin".to_owned(),
        password: "admin".into(),
        keymap: Some("de".to_owned()),
        ..PhysicalOptions::default()
    }
}

async fn device(faults: Faults) -> FakeDevice {
    FakeDevice::start(FakeOptions { faults, ..FakeOptions::default() }).await.unwrap()
}

async fn stream(device: &FakeDevice) -> BoxStream {
    Box::new(TcpStream::connect(device.address()).await.unwrap())
}

async fn client(device: &FakeDevice) -> Client {
    let mut client = Client::open(stream(device).await, &options()).await.unwrap();
    client.login(&options(), clock).await.unwrap();
    client
}

async fn session(device: &FakeDevice, options: PhysicalOptions) -> Seat {
    Seat::new(device.address(), options).await
}

impl Seat {
    /// Why it ended by itself.
    async fn over(&mut self) -> String {
        let mut buffer = vec![0; 16 << 10];
        let waiting = async {
            loop {
                let length = self.stream.read(&mut buffer).await.unwrap();
                assert!(length > 0, "the session ended without a word");
                let mut out = Vec::new();
                if let Err(error) = self.source.receive(&buffer[..length], &mut out, &mut self.events) {
                    return error.to_string();
                }
                self.events.clear();
            }
        };
        timeout(PATIENCE, waiting).await.unwrap()
    }

    async fn pictures(&mut self, count: usize) {
        self.events.clear();
        let is_picture = |event: &&ScreenEvent| matches!(event, ScreenEvent::Tile { .. } | ScreenEvent::Video { .. });
        self.until("a picture", |events| events.iter().filter(is_picture).count() >= count).await;
    }
}

/// Waits for the device to have seen something.
async fn seen<T>(device: &FakeDevice, what: &str, look: impl Fn(&oriel_physical::fake::World) -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = look(&device.world()) {
            return found;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("the device did not see {what}")
}

fn key(down: bool, code: u16) -> InputEvent {
    InputEvent::Key { down, code, keysym: 0 }
}

#[tokio::test]
async fn a_picture_comes_and_keys_arrive_as_reports() {
    let device = device(Faults::default()).await;
    let mut seat = session(&device, options()).await;
    seat.pictures(2).await;
    let Some(ScreenEvent::Tile { rect, codec, bytes }) =
        seat.events.iter().find(|event| matches!(event, ScreenEvent::Tile { .. }))
    else {
        panic!("no tile")
    };
    assert_eq!((rect.w, rect.h, *codec, bytes), (640, 480, TileCodec::Jpeg, &picture(640, 480)));
    seat.source.settle().unwrap();
    let near = |x: u16, y: u16, want: [u8; 3]| {
        let row = seat.source.framebuffer().row(x, y, 1);
        assert!(row.iter().zip(want).all(|(is, want)| is.abs_diff(want) < 8), "{x},{y}: {row:?}");
    };
    near(100, 100, [255, 0, 0]);
    near(500, 100, [0, 255, 0]);
    near(100, 400, [0, 0, 255]);
    near(500, 400, [255, 255, 255]);

    let before = device.world().gadget.keyboard.len();
    seat.input(&[key(true, 0x2a), key(true, 0x1e), key(false, 0x1e), key(false, 0x2a)]).await;
    seat.input(&[InputEvent::Pointer { x: 639, y: 0, buttons: 1 }, InputEvent::Text("zß€".to_owned())]).await;
    let reports = seen(&device, "four reports", |world| {
        let reports = world.gadget.keyboard.get(before..before + 4)?;
        Some(reports.to_vec())
    })
    .await;
    assert_eq!(reports, [[2, 0, 0, 0, 0, 0, 0, 0], [2, 0, 4, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0], [0; 8]]);
    let last =
        seen(&device, "a click", |world| world.gadget.absolute.last().copied().filter(|last| last[0] == 1)).await;
    assert_eq!(last, [1, 0xff, 0x7f, 0, 0, 0, 0]);
    let printed = seen(&device, "a text", |world| world.printed.first().cloned()).await;
    assert_eq!(printed, ("zß€".to_owned(), Some("de".to_owned())));

    // The host lights caps lock.
    device.world().caps = true;
    device.changed("hid");
    seat.until("a light", |events| events.contains(&ScreenEvent::Leds(0b100))).await;

    // One connection for events, whoever watches, and when it goes everything is let go.
    assert_eq!(device.world().events_clients, 1);
    seat.input(&[key(true, 0x30)]).await;
    seen(&device, "a key that stays", |world| world.gadget.keyboard.last().filter(|last| last[2] == 5).copied()).await;
    drop(seat);
    seen(&device, "nobody", |world| (world.events_clients == 0 && world.watchers == 0).then_some(())).await;
    assert_eq!(device.world().gadget.keyboard.last(), Some(&[0; 8]));
}

#[tokio::test]
async fn h264_passes_and_key_frames_are_asked_for() {
    let unit = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    // A baseline parameter set of 640x480, a picture parameter set and a slice that stands alone; then one that does not.
    let sps: &[u8] = &[0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x3d, 0x90];
    let key_frame = unit(&[sps, &[0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 0, 1, 0x65, 0x88, 0x84]].concat());
    let next = unit(&[0, 0, 0, 1, 0x41, 0x9a, 0x02]);
    let video = vec![key_frame, next.clone(), next];
    let device = FakeDevice::start(FakeOptions { video, ..FakeOptions::default() }).await.unwrap();
    let mut seat = session(&device, PhysicalOptions { h264: true, ..options() }).await;
    let videos = |events: &[ScreenEvent]| -> Vec<bool> {
        let key = |event: &ScreenEvent| match event {
            ScreenEvent::Video { key, .. } => Some(*key),
            _ => None,
        };
        events.iter().filter_map(key).collect()
    };
    // A parameter set that cannot be read would be left out, and then nothing comes.
    seat.until("three frames", |events| videos(events).len() >= 3).await;
    assert_eq!(videos(&seat.events)[..3], [true, false, false]);
    let mut out = Vec::new();
    seat.source.want_key(&mut out).unwrap();
    seat.stream.write_all(&out).await.unwrap();
    seat.until("a key frame", |events| videos(events).iter().filter(|key| **key).count() == 2).await;
    assert_eq!(device.world().keys_wanted, 1);

    // For who decodes no video, the same device gives pictures.
    let mut seat = session(&device, options()).await;
    seat.pictures(1).await;
    assert!(videos(&seat.events).is_empty());
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_picture_and_a_restart_are_survived() {
    let device = device(Faults { reset_after: Some(2), ..Faults::default() }).await;
    let mut seat = session(&device, options()).await;
    seat.pictures(2).await;
    seat.pictures(3).await;
    let logins = device.world().logins;
    // Its service restarts and knows no session any more.
    device.world().sessions.clear();
    device.break_connections();
    seen(&device, "nobody", |world| (world.events_clients == 0).then_some(())).await;
    seat.pictures(3).await;
    seen(&device, "the session again", |world| (world.events_clients == 1).then_some(())).await;
    assert!(device.world().logins > logins);
    let before = device.world().gadget.keyboard.len();
    seat.until("any event", |events| events.len() > 6).await;
    seat.input(&[key(true, 0x1e)]).await;
    seen(&device, "a key", |world| world.gadget.keyboard.get(before).copied()).await;
}

#[tokio::test]
async fn a_device_that_falls_silent_is_given_up_and_found_again() {
    let device = device(Faults::default()).await;
    let mut seat = session(&device, options()).await;
    seat.pictures(1).await;
    device.world().options.faults.silent = true;
    sleep(Duration::from_secs(1)).await;
    let before = device.world().pictures_sent;
    // Longer than a device may be silent.
    sleep(Duration::from_secs(20)).await;
    assert_eq!(device.world().pictures_sent, before);
    device.world().options.faults.silent = false;
    // What was on its way comes first.
    seat.until("pictures again", |_| device.world().pictures_sent > before).await;
    seat.pictures(1).await;
}

#[tokio::test]
async fn certificates_are_pinned_on_first_use() {
    let device = device(Faults::default()).await;
    let met = Arc::new(Met::default());
    let first = PhysicalOptions { keeper: Some(Arc::clone(&met) as Arc<dyn Keeper>), ..options() };
    let mut seat = session(&device, first).await;
    seat.pictures(1).await;
    assert_eq!(*met.0.lock().unwrap(), [device.fingerprint().to_string()], "asked once, for all connections");
    assert_eq!(identity(stream(&device).await).await.unwrap(), device.fingerprint());
    let pinned = PhysicalOptions { pin: HostPin::Sha256(device.fingerprint().0), ..options() };
    assert!(Client::open(stream(&device).await, &pinned).await.is_ok());

    device.change_certificate().unwrap();
    let refused = Client::open(stream(&device).await, &pinned).await.err().unwrap();
    assert!(matches!(refused, DeviceError::IdentityChanged { .. }), "{refused}");
    assert!(refused.to_string().contains(&device.fingerprint().to_string()));
    // A session that was open does not go on with another device, and says why.
    device.break_connections();
    let mut buffer = vec![0; 1 << 16];
    let ended = timeout(Duration::from_secs(20), async {
        loop {
            let length = seat.stream.read(&mut buffer).await.unwrap();
            if let Err(error) = seat.source.receive(&buffer[..length], &mut Vec::new(), &mut Vec::new()) {
                return error.to_string();
            }
            assert!(length > 0);
        }
    });
    let ended = ended.await.unwrap();
    assert!(ended.contains("certificate changed"), "{ended}");
}

#[tokio::test]
async fn second_factors_work_with_clocks_that_drift() {
    for drift in [0, 20, 300, -7200] {
        let faults = Faults { drift, ..Faults::default() };
        let device = FakeDevice::start(FakeOptions { totp: Some(SECRET.to_owned()), faults, ..FakeOptions::default() });
        let device = device.await.unwrap();
        let with = PhysicalOptions { totp: Some(SECRET.into()), ..options() };
        let mut client = Client::open(stream(&device).await, &with).await.unwrap();
        client.login(&with, clock).await.unwrap_or_else(|error| panic!("{drift}: {error}"));
        assert!(device.world().logins <= 2);
        assert!(client.ask(Method::GET, "/api/auth/check").await.is_ok());
        for wrong in [
            PhysicalOptions { totp: None, ..with.clone() },
            PhysicalOptions { password: SecretString::from("other"), ..with.clone() },
            PhysicalOptions { user: "nobody".to_owned(), ..with.clone() },
        ] {
            let mut client = Client::open(stream(&device).await, &wrong).await.unwrap();
            let refused = client.login(&wrong, clock).await.unwrap_err();
            assert!(matches!(refused, DeviceError::CredentialsRefused), "{refused}");
        }
    }
}

#[tokio::test]
async fn firmware_of_forks_is_understood() {
    let device = device(Faults { fork: true, without_media: true, ..Faults::default() }).await;
    let mut seat = session(&device, options()).await;
    // No pictures over WebSocket: JPEGs one after the other over HTTP.
    seat.pictures(3).await;
    assert!(device.world().requests.iter().any(|request| request == "GET /streamer/stream"));
    device.world().caps = true;
    device.changed("hid");
    seat.until("a light", |events| events.contains(&ScreenEvent::Leds(0b100))).await;
    drop(seat);

    // And one whose API is switched off says so.
    device.world().options.faults.without_api = true;
    let mut client = client(&device).await;
    let refused = client.ask(Method::GET, "/api/atx").await.unwrap_err();
    assert!(refused.to_string().contains("/api/atx") && refused.to_string().contains("switched off"), "{refused}");
    assert_eq!(client.overview().await.unwrap().power, None);
}

#[tokio::test]
async fn a_mouse_that_takes_steps_gets_steps() {
    let device = FakeDevice::start(FakeOptions { relative: true, ..FakeOptions::default() }).await.unwrap();
    let mut seat = session(&device, options()).await;
    seat.pictures(1).await;
    seat.until("the first light", |events| events.iter().any(|event| matches!(event, ScreenEvent::Leds(_)))).await;
    let before = device.world().gadget.steps.len();
    seat.input(&[
        InputEvent::Pointer { x: 200, y: 100, buttons: 0 },
        InputEvent::Pointer { x: 200, y: 100, buttons: 1 },
    ])
    .await;
    let steps = seen(&device, "steps", |world| world.gadget.steps.get(before..before + 3).map(<[_]>::to_vec)).await;
    assert_eq!(steps, [[0, 127, 100, 0, 0], [0, 73, 0, 0, 0], [1, 0, 0, 0, 0]]);
}

#[tokio::test]
async fn power_is_verified_by_its_light() {
    let device = device(Faults::default()).await;
    let mut client = client(&device).await;
    client.power(PowerAction::On, true).await.unwrap();
    assert!(device.world().power);
    // On again: nothing is pressed.
    client.power(PowerAction::On, true).await.unwrap();
    client.power(PowerAction::Off, false).await.unwrap();
    let busy = client.power(PowerAction::OffHard, false).await.unwrap_err();
    assert!(matches!(busy, DeviceError::Busy(_)), "{busy}");
    seen(&device, "off", |world| (!world.power).then_some(())).await;
    let overview = client.overview().await.unwrap();
    assert_eq!((overview.name.as_deref(), overview.version.as_deref()), (Some("fake.example"), Some("4.197")));
    assert!(overview.power.unwrap().enabled && !overview.power.unwrap().on);
}

#[tokio::test]
async fn switches_follow_the_device_s_own_table() {
    let device = device(Faults::default()).await;
    let mut client = client(&device).await;
    client.switch("relay", true).await.unwrap();
    assert!(device.world().relay);
    client.pulse("relay").await.unwrap();
    let refused = client.switch("nothing", true).await.unwrap_err();
    assert!(refused.to_string().contains("GpioChannelNotFoundError"), "{refused}");
    assert_eq!(client.overview().await.unwrap().gpio.len(), 3);
    assert_eq!(client.log(60).await.unwrap(), "[2026-11-28 00:00:00 kvmd] --- Ready\n");
    client.jiggle(true).await.unwrap();
    assert_eq!(client.overview().await.unwrap().jiggler, Some(true));
}

#[tokio::test]
async fn images_are_sent_fetched_inserted_and_removed() {
    let device = device(Faults::default()).await;
    let mut client = client(&device).await;
    let pieces = (0..64).map(|_| Ok(Bytes::from_static(&[7; 1024])));
    client.upload_image("my image.iso", 64 * 1024, stream::iter(pieces)).await.unwrap();
    // Listed a moment later, and waited for: it can be inserted at once.
    client.insert(Some("my image.iso"), true, false).await.unwrap();
    client.connect_drive(true).await.unwrap();
    let refused = client.insert(None, true, false).await.unwrap_err();
    assert!(refused.to_string().contains("MsdConnectedError"), "{refused}");
    let storage = client.overview().await.unwrap().storage.unwrap();
    assert_eq!((storage.image.as_deref(), storage.connected, storage.cdrom), (Some("my image.iso"), true, true));
    assert_eq!(storage.images.iter().find(|image| image.name == "my image.iso").unwrap().size, 64 * 1024);
    client.connect_drive(false).await.unwrap();
    client.insert(None, false, true).await.unwrap();
    client.remove_image("my image.iso").await.unwrap();

    let mut seen = Vec::new();
    let name =
        client.fetch_image("https://example.com/net.iso", None, |size, done| seen.push((size, done))).await.unwrap();
    assert_eq!((name.as_str(), seen.as_slice()), ("net.iso", &[(100, 40), (100, 100)][..]));
    let refused = client.fetch_image("https://example.com/missing.iso", None, |_, _| {}).await.unwrap_err();
    assert!(refused.to_string().contains("Not Found"), "{refused}");
}

#[tokio::test]
async fn a_streamer_is_warmed_for_a_snapshot() {
    let device = device(Faults::default()).await;
    let mut near = client(&device).await;
    assert_eq!(near.snapshot(320).await.unwrap(), None);
    let watcher = client(&device).await;
    assert_eq!(near.warm_snapshot(320, watcher).await.unwrap(), picture(640, 480));
    seen(&device, "nobody watching", |world| (world.watchers == 0).then_some(())).await;
}

#[tokio::test]
async fn ports_of_a_switch_are_opened_one_at_a_time() {
    let device = FakeDevice::start(FakeOptions { switch_units: 2, ..FakeOptions::default() }).await.unwrap();
    let mut near = client(&device).await;
    let shown = near.overview().await.unwrap().switch.unwrap();
    assert_eq!((shown.ports.len(), shown.ports[0].name.as_str(), shown.ports[0].active), (8, "first", true));
    let port = |text: &str| text.parse::<SwitchPort>().unwrap();

    // Made active, and waited for, before anything is seen.
    let at = |port| PhysicalOptions { switch_port: Some(port), ..options() };
    let mut seat = session(&device, at(port("2.1"))).await;
    seat.pictures(1).await;
    {
        let world = device.world();
        assert_eq!(world.switch.chosen, [4]);
        let place = |what: &str| world.requests.iter().position(|request| request.contains(what)).unwrap();
        assert!(place("set_active?port=4") < place("/api/media/ws"), "{:?}", world.requests);
    }
    // Its own button, whichever port is active.
    near.press_at(port("1.2"), Button::To(PowerAction::On)).await.unwrap();
    let shown = near.overview().await.unwrap();
    assert!(shown.at_port(port("1.2")).power.unwrap().on && !shown.at_port(port("2.1")).power.unwrap().on);
    assert!(!shown.power.unwrap().on, "the device's own light is another");

    // Somebody chooses another port at the device: what is seen is another machine, and the session is over.
    near.ask(Method::POST, "/api/switch/set_active?port=0").await.unwrap();
    let why = seat.over().await;
    assert!(why.contains("port 2.1 of the Switch is no longer the active one"), "{why}");
}

#[tokio::test]
async fn a_switch_that_does_not_follow_is_said() {
    let faults = Faults { stuck_switch: true, ..Faults::default() };
    let device = FakeDevice::start(FakeOptions { switch_units: 1, faults, ..FakeOptions::default() }).await.unwrap();
    let mut client = client(&device).await;
    let none = client.activate("2.1".parse().unwrap()).await.unwrap_err();
    assert!(none.to_string().contains("no port 2.1: the last one is 1.4"), "{none}");
    assert!(client.press_at("2.1".parse().unwrap(), Button::To(PowerAction::On)).await.is_err());
    let late = timeout(Duration::from_secs(20), client.activate("1.2".parse().unwrap())).await.unwrap().unwrap_err();
    assert!(late.to_string().contains("have not followed"), "{late}");
}

#[tokio::test]
async fn redirects_stay_on_the_device_and_slowness_is_borne() {
    let device = device(Faults { slow: Some(Duration::from_millis(300)), ..Faults::default() }).await;
    let mut client = client(&device).await;
    assert!(client.ask(Method::GET, "/api/atx/").await.unwrap().get("leds").is_some());
    assert_eq!(device.world().requests.last().unwrap(), "GET /api/atx");
    let mut seat = session(&device, options()).await;
    seat.pictures(1).await;
}

#[test]
fn broken_pictures_are_left_out_until_there_are_too_many() {
    let mut source = PhysicalSource::default();
    let mut bytes = Vec::new();
    FromDevice::Jpeg(Bytes::from_static(b"no picture")).encode(&mut bytes);
    let (mut out, mut events) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        source.receive(&bytes, &mut out, &mut events).unwrap();
    }
    assert!(events.is_empty());
    assert!(source.receive(&bytes, &mut out, &mut events).is_err());
    assert!(source.receive(&[], &mut out, &mut events).is_err(), "a broken session stays broken");
}
