//! A pool's rules hold on both sides of the gateway: for what a viewer sends, and for what a machine gives.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod program;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use oriel_gateway::{DialError, Dialler, Gateway, IdleEnd, Person, Protocol, Target, ViewerRequest};
use oriel_model::{ConnectionId, DesktopId, GuestPort, Micros, SessionPolicy, UserId};
use oriel_screen::wire::{Notice, PROTOCOL_VERSION, RULE_VIEW_ONLY, ServerRecord, ViewerHello, ViewerRecord};
use oriel_screen::{ByeCode, InputEvent};
use program::gateway;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_mins(1);
const SIDE: u16 = 16;

/// What a machine was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    keys: usize,
    pointers: usize,
    pasted: Vec<String>,
    /// How often it was asked for a picture.
    asked: usize,
}

/// A VNC server (RFC 6143) that copies `copied` before its first picture, and paints whenever it is asked to.
async fn machine(mut stream: DuplexStream, told: Arc<Mutex<Told>>) -> std::io::Result<()> {
    stream.write_all(b"RFB 003.008\n").await?;
    stream.read_exact(&mut [0; 12]).await?;
    stream.write_all(&[1, 1]).await?;
    stream.read_u8().await?;
    stream.write_all(&[0, 0, 0, 0]).await?;
    stream.read_u8().await?;
    stream.write_u16(SIDE).await?;
    stream.write_u16(SIDE).await?;
    stream.write_all(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0, 0, 0, 0, 0]).await?;
    stream.write_all(b"\x03\x00\x00\x00\x00\x00\x00\x06copied").await?;
    let mut colour = 0u8;
    loop {
        match stream.read_u8().await? {
            0 => skip(&mut stream, 19).await?,
            2 => {
                stream.read_u8().await?;
                let count = stream.read_u16().await?;
                skip(&mut stream, usize::from(count) * 4).await?;
            }
            3 => {
                skip(&mut stream, 9).await?;
                told.lock().unwrap().asked += 1;
                colour = colour.wrapping_add(1);
                let mut update = vec![0, 0, 0, 1, 0, 0, 0, 0];
                update.extend([SIDE.to_be_bytes(), SIDE.to_be_bytes()].concat());
                update.extend([0; 4]);
                update.extend([colour, 9, 9, 0].repeat(usize::from(SIDE) * usize::from(SIDE)));
                // Pictures of a clock: enough of them, and no flood.
                sleep(Duration::from_millis(20)).await;
                stream.write_all(&update).await?;
            }
            4 => {
                skip(&mut stream, 7).await?;
                told.lock().unwrap().keys += 1;
            }
            5 => {
                skip(&mut stream, 5).await?;
                told.lock().unwrap().pointers += 1;
            }
            6 => {
                skip(&mut stream, 3).await?;
                let mut text = vec![0; stream.read_u32().await? as usize];
                stream.read_exact(&mut text).await?;
                told.lock().unwrap().pasted.push(String::from_utf8_lossy(&text).into_owned());
            }
            other => panic!("message {other}"),
        }
    }
}

async fn skip(stream: &mut DuplexStream, count: usize) -> std::io::Result<()> {
    stream.read_exact(&mut vec![0; count]).await.map(drop)
}

#[derive(Default)]
struct Machines {
    told: Arc<Mutex<Told>>,
    policy: SessionPolicy,
    /// Who may only watch, whatever the rest may.
    watches: Option<UserId>,
    idle: Option<IdleEnd>,
}

#[async_trait]
impl Dialler for Machines {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(machine(far, Arc::clone(&self.told)));
        let (protocol, policy) = (Protocol::console(), self.policy.clone());
        Ok(Target { title: "ruled".into(), stream: Box::new(near), protocol, policy })
    }

    async fn dial_for(&self, user: UserId, desktop: DesktopId, port: GuestPort) -> Result<Target, DialError> {
        let mut target = self.dial(desktop, port).await?;
        target.policy.view_only |= self.watches == Some(user);
        Ok(target)
    }

    async fn idle_end(&self, _: DesktopId) -> Option<IdleEnd> {
        self.idle.clone()
    }
}

struct Viewer {
    send: UnboundedSender<Bytes>,
    receive: UnboundedReceiver<Bytes>,
    told: Arc<Mutex<Told>>,
    gateway: Gateway,
    /// Everything that it was told.
    heard: Vec<ServerRecord>,
}

impl Viewer {
    /// Connected, and rules and a picture have come.
    async fn open(rules: &str) -> Self {
        Self::open_as(UserId::new(), rules, None).await
    }

    async fn open_as(user: UserId, rules: &str, watches: Option<UserId>) -> Self {
        Self::open_at(user, Machines { policy: rules.parse().unwrap(), watches, ..Machines::default() }).await
    }

    async fn open_at(user: UserId, machines: Machines) -> Self {
        let told = Arc::clone(&machines.told);
        let gateway = gateway(Arc::new(machines));
        let (send, incoming) = unbounded();
        let (outgoing, receive) = unbounded();
        let (desktop, port) = (DesktopId::new(), GuestPort::Console);
        let request = ViewerRequest {
            user,
            desktop,
            port,
            person: "anna".into(),
            resume: None,
            guest: None,
            seat: None,
            app: None,
        };
        let its = gateway.clone();
        tokio::spawn(async move { its.attach(request, incoming, outgoing).await });
        let mut viewer = Self { send, receive, told, gateway, heard: Vec::new() };
        let hello =
            ViewerHello { version: PROTOCOL_VERSION, width: 800, height: 600, scale: 100, ..Default::default() };
        viewer.say(&ViewerRecord::Hello(hello));
        viewer.until(|heard| heard.iter().any(|record| matches!(record, ServerRecord::Rules { .. }))).await;
        viewer.pictures(2).await;
        viewer
    }

    fn say(&self, record: &ViewerRecord) {
        let mut message = Vec::new();
        record.encode(&mut message);
        self.send.unbounded_send(message.into()).unwrap();
    }

    async fn until(&mut self, enough: impl Fn(&[ServerRecord]) -> bool) {
        while !enough(&self.heard) {
            let message = timeout(PATIENCE, self.receive.next()).await.expect("in time").expect("open");
            for record in ServerRecord::decode_all(&message).unwrap() {
                if let ServerRecord::FrameEnd { sequence } = record {
                    self.say(&ViewerRecord::Ack { sequence });
                }
                self.heard.push(record);
            }
        }
    }

    /// So many more pictures were asked of the machine, and have come: what was said before has reached it.
    async fn pictures(&mut self, count: usize) {
        let so_far =
            |heard: &[ServerRecord]| heard.iter().filter(|r| matches!(r, ServerRecord::FrameEnd { .. })).count();
        let wanted = so_far(&self.heard) + count;
        self.until(|heard| so_far(heard) >= wanted).await;
    }

    /// Types, moves and pastes; what reached the machine of it.
    async fn try_everything(&mut self) -> Told {
        self.say(&ViewerRecord::Input(InputEvent::Key { down: true, code: 0x1E, keysym: 0x61 }));
        self.say(&ViewerRecord::Input(InputEvent::Key { down: false, code: 0x1E, keysym: 0x61 }));
        self.say(&ViewerRecord::Input(InputEvent::Pointer { x: 3, y: 3, buttons: 1 }));
        self.say(&ViewerRecord::Input(InputEvent::Clipboard("pasted".into())));
        self.pictures(6).await;
        self.told.lock().unwrap().clone()
    }

    fn heard_copied(&self) -> bool {
        self.heard.iter().any(|record| matches!(record, ServerRecord::Clipboard(text) if text == "copied"))
    }
}

#[tokio::test]
async fn without_rules_everything_goes_both_ways() {
    let mut viewer = Viewer::open("default").await;
    let told = viewer.try_everything().await;
    assert!(told.keys >= 2 && told.pointers >= 1 && told.pasted == ["pasted"], "{told:?}");
    assert!(viewer.heard_copied());
    assert!(!viewer.heard.iter().any(|record| matches!(record, ServerRecord::Watermark(_))));
}

#[tokio::test]
async fn a_log_on_is_timed_and_a_message_reaches_its_person() {
    let mut viewer = Viewer::open("default").await;
    let id = viewer.gateway.connections()[0].connection.id;
    let times = viewer.gateway.seen(id).unwrap().times;
    let parts = [times.opened, times.reached, times.signed_in, times.first_picture];
    assert!(parts.iter().all(Option::is_some) && parts.is_sorted(), "{times:?}");

    viewer.say(&ViewerRecord::RoundTrip { micros: 12_000 });
    assert_eq!(viewer.gateway.say(id, "root: save your work"), Some(1));
    viewer.until(|heard| heard.contains(&ServerRecord::Message("root: save your work".into()))).await;
    // As many as wait for no answer, and more: what was said before was heard.
    viewer.pictures(6).await;
    let trips = viewer.gateway.seen(id).unwrap().round_trips;
    assert_eq!(trips.iter().map(|trip| trip.micros).collect::<Vec<_>>(), [12_000]);
    assert_eq!(viewer.gateway.say(ConnectionId::new(), "nobody"), None);
}

#[tokio::test]
async fn who_may_only_watch_touches_nothing() {
    let mut viewer = Viewer::open("view_only,watermark").await;
    let told = viewer.try_everything().await;
    assert_eq!((told.keys, told.pointers, told.pasted.len()), (0, 0, 0), "{told:?}");
    assert!(viewer.heard_copied(), "what the machine copied may be read");
    let rules =
        viewer.heard.iter().any(|r| matches!(r, ServerRecord::Rules { bits, .. } if bits & RULE_VIEW_ONLY != 0));
    assert!(rules && viewer.heard.contains(&ServerRecord::Watermark("anna".into())));
}

#[tokio::test]
async fn the_clipboard_goes_the_ways_it_may() {
    let mut viewer = Viewer::open("clipboard=to_machine").await;
    let told = viewer.try_everything().await;
    assert!(told.keys >= 2 && told.pasted == ["pasted"], "{told:?}");
    assert!(!viewer.heard_copied());

    let mut viewer = Viewer::open("clipboard=to_person").await;
    let told = viewer.try_everything().await;
    assert!(told.keys >= 2 && told.pasted.is_empty(), "{told:?}");
    assert!(viewer.heard_copied());
}

#[tokio::test]
async fn rules_are_those_of_the_person_whose_connection_it_is() {
    let (anna, bob) = (UserId::new(), UserId::new());
    let mut viewer = Viewer::open_as(anna, "default", Some(anna)).await;
    let told = viewer.try_everything().await;
    assert!(told.keys == 0 && told.pasted.is_empty(), "{told:?}");
    let mut viewer = Viewer::open_as(bob, "default", Some(anna)).await;
    let told = viewer.try_everything().await;
    assert!(told.keys >= 2 && told.pasted == ["pasted"], "{told:?}");
}

#[tokio::test]
async fn what_nobody_touches_is_ended_after_a_warning_and_a_key_puts_it_off() {
    let time = Some(Duration::from_secs(6));
    let idle = Some(IdleEnd { at_peak: time, off_peak: time, warning: Duration::from_secs(3), ..IdleEnd::default() });
    let mut viewer = Viewer::open_at(UserId::new(), Machines { idle, ..Machines::default() }).await;
    let notices = |heard: &[ServerRecord]| -> Vec<bool> {
        let of = |record: &ServerRecord| match record {
            ServerRecord::Notice { notice: Notice::Idle, seconds } => Some(*seconds > 0),
            _ => None,
        };
        heard.iter().filter_map(of).collect()
    };
    viewer.until(|heard| notices(heard) == [true]).await;
    viewer.say(&ViewerRecord::Input(InputEvent::Pointer { x: 3, y: 3, buttons: 0 }));
    viewer.until(|heard| notices(heard) == [true, false]).await;
    // A size that its page says is nobody's hand.
    viewer.say(&ViewerRecord::Input(InputEvent::Resize { width: 700, height: 500, scale: 100 }));
    viewer.until(|heard| heard.iter().any(|record| matches!(record, ServerRecord::Bye { .. }))).await;
    assert_eq!(notices(&viewer.heard), [true, false, true]);
    let Some(ServerRecord::Bye { code, text }) = viewer.heard.last() else { panic!("{:?}", viewer.heard.last()) };
    assert_eq!(*code, ByeCode::TimeOver);
    assert!(text.starts_with("disconnected after one minute without a key"), "{text}");
}

#[tokio::test]
async fn what_somebody_else_has_booked_ends_after_a_warning_unless_it_is_cancelled() {
    let mut viewer = Viewer::open("default").await;
    let soon = |seconds: i64| {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
        Some(Micros(i64::try_from(now).unwrap()).plus_seconds(seconds))
    };
    let notices = |heard: &[ServerRecord]| -> Vec<bool> {
        let of = |record: &ServerRecord| match record {
            ServerRecord::Notice { notice: Notice::Booked, seconds } => Some(*seconds > 0),
            _ => None,
        };
        heard.iter().filter_map(of).collect()
    };
    viewer.gateway.ask_back(|_| soon(600));
    viewer.until(|heard| notices(heard) == [true]).await;
    viewer.gateway.ask_back(|_| None);
    viewer.until(|heard| notices(heard) == [true, false]).await;
    viewer.gateway.ask_back(|_| soon(2));
    viewer.until(|heard| heard.iter().any(|record| matches!(record, ServerRecord::Bye { .. }))).await;
    assert_eq!(notices(&viewer.heard), [true, false, true]);
    let Some(ServerRecord::Bye { code, text }) = viewer.heard.last() else { panic!("{:?}", viewer.heard.last()) };
    assert_eq!(*code, ByeCode::TimeOver);
    assert!(text.starts_with("this desktop is needed by others now"), "{text}");
}

/// Somebody from whom it is taken away while they come in.
struct Dismissed(AtomicUsize);

#[async_trait]
impl Person for Dismissed {
    fn session(&self) -> &'static str {
        "a browser"
    }

    async fn still_may(&self) -> Result<(), String> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 { Ok(()) } else { Err("your account was disabled".to_owned()) }
    }

    async fn lock(&self) {}
}

#[tokio::test]
async fn whoever_may_no_longer_is_let_go_of_at_once() {
    let gateway = gateway(Arc::new(Machines::default()));
    let (send, incoming) = unbounded();
    let (outgoing, receive) = unbounded::<Bytes>();
    let (user, desktop, port) = (UserId::new(), DesktopId::new(), GuestPort::Console);
    let request =
        ViewerRequest { user, desktop, port, person: "anna".into(), resume: None, guest: None, seat: None, app: None };
    let hello = ViewerHello { version: PROTOCOL_VERSION, width: 800, height: 600, scale: 100, ..Default::default() };
    let mut message = Vec::new();
    ViewerRecord::Hello(hello).encode(&mut message);
    send.unbounded_send(Bytes::from(message)).unwrap();
    let person = Dismissed(AtomicUsize::new(0));
    timeout(PATIENCE, gateway.attach_as(request, &person, incoming, outgoing)).await.expect("it is let go of");
    let heard: Vec<Bytes> = receive.collect().await;
    let heard: Vec<ServerRecord> =
        heard.iter().flat_map(|message| ServerRecord::decode_all(message).unwrap()).collect();
    let bye = ServerRecord::Bye { code: ByeCode::EndedByAdmin, text: "your account was disabled".into() };
    // What its connection was just saying may still be on the way.
    assert!(heard.contains(&bye), "{heard:?}");
    drop(send);
}
