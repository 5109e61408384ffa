//! A desktop of the server as a machine that is shown as a device: its screen through a viewer's connection, its buttons through the API.

use super::drive;
use crate::{
    client::{Client, Socket, segment},
    failure::Failure,
    output::say,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use oriel_device::{Button, Fetched, Inputs, Machine, Medium, Picture, Remote, Report, Slot, Status, Wanted};
use oriel_film::decode_tile;
use oriel_screen::{
    ByeCode, Framebuffer as _, InputEvent, RecordingSign, Surface,
    wire::{PROTOCOL_VERSION, RULE_VIEW_ONLY, ServerRecord, ViewerHello, ViewerRecord},
};
use oriel_server::api::desktop::{Connect, ConnectKind, ConnectTicket, Desktop, DesktopIntent, DesktopState};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::tungstenite::Message;

/// Reports that wait for the machine.
const REPORTS_MAX: usize = 256;
/// How often the server is asked how the desktop is.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// A connection that nobody watches and nobody types into ends after so long.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// How long to wait after a connection that did not work, at first and at most; and after somebody else took it over.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(30);
const PAUSE_AFTER_OTHERS: Duration = Duration::from_mins(1);
const PING_PERIOD: Duration = Duration::from_secs(5);
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);
const OPEN_TIME_MAX: Duration = Duration::from_mins(1);

/// What the tasks of a desktop share.
struct Shared {
    client: Client,
    /// Id of the desktop.
    id: String,
    name: String,
    kind: ConnectKind,
    /// Of the viewer's window, in pixels: machines that can take it.
    size: (u16, u16),
    status: watch::Sender<Status>,
    pictures: watch::Sender<Option<Picture>>,
    wanted: watch::Sender<Wanted>,
    connected: watch::Sender<bool>,
    /// What wants a connection has been typed.
    touched: tokio::sync::Notify,
    reports: mpsc::Sender<Report>,
}

pub struct ServedDesktop {
    shared: Arc<Shared>,
    /// Images may be fetched from elsewhere.
    fetches: bool,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for ServedDesktop {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

fn path(id: &str) -> String {
    format!("/desktops/{}", segment(id))
}

/// Whether the machine has power, as its light would show it.
const fn is_on(state: DesktopState) -> bool {
    matches!(state, DesktopState::Starting | DesktopState::Ready | DesktopState::InUse | DesktopState::Stopping)
}

fn status_of(desktop: &Desktop, old: &Status) -> Status {
    // Machines that Oriel does not run have no buttons here.
    let power = desktop.external.is_none().then(|| is_on(desktop.state));
    Status { power, disk: false, leds: old.leds, input: may_open(desktop) }
}

/// Asking to be let in starts a desktop that is to be off; that is the power button's affair.
fn may_open(desktop: &Desktop) -> bool {
    // Dialling says best whether a machine that Oriel does not run is there.
    desktop.external.is_some()
        || desktop.intent == DesktopIntent::Running
            && matches!(desktop.state, DesktopState::Starting | DesktopState::Ready | DesktopState::InUse)
}

impl ServedDesktop {
    /// Begins to look after a desktop that the server has shown.
    pub fn new(client: Client, desktop: &Desktop, kind: ConnectKind, size: (u16, u16), fetches: bool) -> Self {
        let (reports, waiting) = mpsc::channel(REPORTS_MAX);
        let wanted = Wanted { watching: false, quality: 80, frames_per_second: 10 };
        let shared = Arc::new(Shared {
            client,
            id: desktop.id.clone(),
            name: desktop.name.clone(),
            kind,
            size,
            status: watch::Sender::new(status_of(desktop, &Status::default())),
            pictures: watch::Sender::new(None),
            wanted: watch::Sender::new(wanted),
            connected: watch::Sender::new(false),
            touched: tokio::sync::Notify::new(),
            reports,
        });
        let tasks = vec![
            tokio::spawn(look(Arc::clone(&shared))),
            tokio::spawn(connect_when_wanted(Arc::clone(&shared), waiting)),
        ];
        Self { shared, fetches, tasks }
    }
}

/// Whether somebody does something, rather than letting go of what is not held.
fn wakes(report: &Report) -> bool {
    match report {
        Report::Keyboard(bytes) => bytes.iter().any(|byte| *byte != 0),
        Report::Absolute([buttons, _, _, _, _, wheel, pan]) => (*buttons, *wheel, *pan) != (0, 0, 0),
        Report::Relative(bytes) => bytes.iter().any(|byte| *byte != 0),
    }
}

#[async_trait]
impl Machine for ServedDesktop {
    fn name(&self) -> &str {
        &self.shared.name
    }

    fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    fn pictures(&self) -> watch::Receiver<Option<Picture>> {
        self.shared.pictures.subscribe()
    }

    fn want(&self, wanted: Wanted) {
        self.shared.wanted.send_replace(wanted);
    }

    async fn report(&self, report: Report) {
        let shared = &self.shared;
        if !*shared.connected.borrow() {
            // A machine that is off hears no key, and a pointer that only moves opens nothing.
            let nothing_waits = shared.reports.capacity() == REPORTS_MAX;
            if (nothing_waits && !wakes(&report)) || !shared.status.borrow().input {
                return;
            }
            shared.touched.notify_one();
        }
        shared.reports.send(report).await.ok();
    }

    async fn press(&self, button: Button) -> Result<(), String> {
        let shared = &self.shared;
        let desktop: Desktop = shared.client.get(&path(&shared.id)).await.map_err(|failure| failure.what)?;
        let what = match button {
            Button::Power if is_on(desktop.state) => "stop",
            Button::Power => "start",
            Button::PowerLong => "cut",
            Button::Reset => "restart",
        };
        let pressed = shared.client.tell(&format!("{}/{what}", path(&shared.id)), &json!({})).await;
        pressed.map_err(|failure| failure.what)?;
        say(format!("{}: {what}", shared.name));
        // The light follows when the next look shows it.
        if let Ok(desktop) = shared.client.get::<Desktop>(&path(&shared.id)).await {
            shared.see(&desktop);
        }
        Ok(())
    }

    fn slot(&self) -> Option<&dyn Slot> {
        Some(self)
    }
}

#[async_trait]
impl Slot for ServedDesktop {
    fn check(&self, cdrom: bool, _writable: bool) -> Result<(), String> {
        if cdrom {
            return Ok(());
        }
        Err("a desktop's drive is a CD drive: it shows no memory sticks; select the image with cdrom=1".to_owned())
    }

    fn fetches(&self) -> bool {
        self.fetches
    }

    async fn fetch(&self, from: &Remote) -> Result<Fetched, String> {
        drive::fetched(from).await
    }

    async fn load(&self, medium: Option<Medium>) -> Result<(), String> {
        let shared = &self.shared;
        let place = format!("{}/drive", path(&shared.id));
        let file = medium.map(|medium| medium.file);
        let loaded = drive::load(&shared.client, &place, file.as_deref(), drive::Others::Go).await;
        loaded.map_err(|failure| match failure.next_step {
            Some(next_step) => format!("{}; {next_step}", failure.what),
            None => failure.what,
        })?;
        let name = file.as_deref().and_then(std::path::Path::file_name).map(std::ffi::OsStr::to_string_lossy);
        say(format!("{}: {} in its drive", shared.name, name.as_deref().unwrap_or("nothing")));
        Ok(())
    }
}

impl Shared {
    fn see(&self, desktop: &Desktop) {
        self.status.send_if_modified(|status| {
            let new = status_of(desktop, status);
            let changed = new != *status;
            *status = new;
            changed
        });
    }
}

async fn look(shared: Arc<Shared>) {
    let mut period = interval(LOOK_AGAIN);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent = false;
    loop {
        period.tick().await;
        match shared.client.get::<Desktop>(&path(&shared.id)).await {
            Ok(desktop) => {
                shared.see(&desktop);
                silent = false;
            }
            Err(failure) => {
                if !std::mem::replace(&mut silent, true) {
                    say(format!("cannot see how {} is: {}", shared.name, failure.what));
                }
                shared.status.send_if_modified(|status| std::mem::replace(&mut status.input, false));
            }
        }
    }
}

/// Why a connection ended.
enum End {
    /// Nobody needs it.
    Idle,
    Failed(String),
    Others(String),
}

async fn connect_when_wanted(shared: Arc<Shared>, mut reports: mpsc::Receiver<Report>) {
    let mut pause = PAUSE;
    loop {
        let (mut wanted, mut status) = (shared.wanted.subscribe(), shared.status.subscribe());
        tokio::select! {
            _ = wanted.wait_for(|wanted| wanted.watching) => {}
            () = shared.touched.notified() => {}
        }
        if timeout(PAUSE_MAX, status.wait_for(|status| status.input)).await.is_err() {
            // It is off: what was typed was for nobody.
            while reports.try_recv().is_ok() {}
            continue;
        }
        let began = Instant::now();
        let end = session(&shared, &mut reports).await;
        shared.connected.send_replace(false);
        shared.pictures.send_replace(None);
        while reports.try_recv().is_ok() {}
        let wait = match end {
            End::Idle => continue,
            End::Failed(why) => {
                say(format!("the connection to {} ended: {why}", shared.name));
                pause = if began.elapsed() > PAUSE_MAX { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
                pause
            }
            End::Others(why) => {
                say(format!("the connection to {} ended: {why}", shared.name));
                PAUSE_AFTER_OTHERS
            }
        };
        sleep(wait).await;
    }
}

async fn open(shared: &Shared) -> Result<Socket, Failure> {
    let desktop: Desktop = shared.client.get(&path(&shared.id)).await?;
    shared.see(&desktop);
    if !may_open(&desktop) {
        return Err(Failure::new(format!("{} is off", shared.name)));
    }
    let connect = Connect { kind: shared.kind, resume: None, app: None };
    let ticket: ConnectTicket = shared.client.post(&format!("{}/connect", path(&shared.id)), &connect).await?;
    shared.client.websocket(&ticket.path).await
}

/// The screen as a viewer has it.
struct View<'a> {
    shared: &'a Shared,
    surface: Surface,
    inputs: Inputs,
    /// Something was painted since the last picture.
    dirty: bool,
    out: Vec<u8>,
    looks_only: bool,
}

async fn session(shared: &Shared, reports: &mut mpsc::Receiver<Report>) -> End {
    let mut socket = match timeout(OPEN_TIME_MAX, open(shared)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(failure)) => return End::Failed(failure.what),
        Err(_) => return End::Failed("the server did not let us in for too long".to_owned()),
    };
    let (width, height) = shared.size;
    let hello = ViewerHello { version: PROTOCOL_VERSION, width, height, scale: 100, ..ViewerHello::default() };
    let mut view = View {
        shared,
        surface: Surface::default(),
        inputs: Inputs::default(),
        dirty: false,
        out: Vec::new(),
        looks_only: false,
    };
    ViewerRecord::Hello(hello).encode(&mut view.out);
    let end = talk(&mut view, &mut socket, reports).await;
    timeout(Duration::from_secs(1), socket.close(None)).await.ok();
    end
}

async fn talk(view: &mut View<'_>, socket: &mut Socket, reports: &mut mpsc::Receiver<Report>) -> End {
    let shared = view.shared;
    let mut wanted = shared.wanted.subscribe();
    let mut ping = interval(PING_PERIOD);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut next, mut token) = (Instant::now(), 0u32);
    let mut needed = Instant::now();
    loop {
        if !view.out.is_empty() {
            let message = Message::Binary(std::mem::take(&mut view.out).into());
            if !matches!(timeout(WRITE_TIME_MAX, socket.send(message)).await, Ok(Ok(()))) {
                return End::Failed("the server takes nothing more".to_owned());
            }
        }
        let now = *wanted.borrow_and_update();
        let has_screen = view.surface.width() > 0;
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    if let Some(end) = view.take(&bytes) {
                        return end;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Failed("the server hung up".to_owned()),
                Some(Ok(_)) => {}
            },
            // Where the screen's size is not known, no place on it is.
            report = reports.recv(), if has_screen => {
                let Some(report) = report else { return End::Idle };
                needed = Instant::now();
                view.report(&report);
            }
            () = tokio::time::sleep_until(next), if view.dirty && now.watching => {
                next = Instant::now() + Duration::from_secs(1) / u32::from(now.frames_per_second.max(1));
                view.show(now.quality).await;
            }
            _ = wanted.changed() => {}
            _ = ping.tick() => {
                token = token.wrapping_add(1);
                ViewerRecord::Ping { token }.encode(&mut view.out);
                if wanted.borrow().watching {
                    needed = Instant::now();
                }
                if needed.elapsed() > IDLE_MAX {
                    return End::Idle;
                }
            }
        }
    }
}

impl View<'_> {
    fn report(&mut self, report: &Report) {
        let mut events = Vec::new();
        self.inputs.report(report, (self.surface.width(), self.surface.height()), &mut events);
        if self.looks_only {
            return;
        }
        // The machine's own driver knows what a key is: no characters beside the scan codes.
        for event in events {
            let event = match event {
                InputEvent::Key { down, code, .. } if self.shared.kind == ConnectKind::Rdp => {
                    InputEvent::Key { down, code, keysym: 0 }
                }
                event => event,
            };
            ViewerRecord::Input(event).encode(&mut self.out);
        }
    }

    async fn show(&mut self, quality: u8) {
        self.dirty = false;
        let surface = std::mem::take(&mut self.surface);
        // Beside the runtime's one thread: a large screen takes a while.
        let made = tokio::task::spawn_blocking(move || {
            let jpeg = oriel_screen::encode::jpeg(&surface, (u16::MAX, u16::MAX), quality);
            (surface, jpeg)
        });
        let Ok((surface, jpeg)) = made.await else { return };
        self.surface = surface;
        let Some(jpeg) = jpeg else { return };
        let taken = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let (width, height) = (self.surface.width(), self.surface.height());
        self.shared.pictures.send_replace(Some(Picture { jpeg: Bytes::from(jpeg), width, height, taken }));
    }

    fn take(&mut self, message: &Bytes) -> Option<End> {
        let records = match ServerRecord::decode_all(message) {
            Ok(records) => records,
            Err(error) => return Some(End::Failed(format!("the server sent what is no record: {error}"))),
        };
        records.into_iter().find_map(|record| self.record(record))
    }

    fn record(&mut self, record: ServerRecord) -> Option<End> {
        match record {
            ServerRecord::Hello { terminal: true, .. } => {
                return Some(End::Failed("it is a shell, and has no screen".to_owned()));
            }
            ServerRecord::Resize { width, height } => {
                self.surface = match Surface::new(width, height) {
                    Ok(surface) => surface,
                    Err(error) => return Some(End::Failed(error.to_string())),
                };
                self.dirty = true;
                self.shared.connected.send_replace(true);
            }
            // What cannot be painted is left out, as a viewer does.
            ServerRecord::Tile { rect, codec, bytes } => {
                if let Some(rgba) = decode_tile(rect, codec, &bytes) {
                    self.surface.put_rgba(rect, &rgba).ok();
                }
                self.dirty = true;
            }
            ServerRecord::Copy { from_x, from_y, to } => {
                self.surface.copy(from_x, from_y, to).ok();
                self.dirty = true;
            }
            ServerRecord::Fill { rect, rgb } => {
                self.surface.fill(rect, rgb).ok();
                self.dirty = true;
            }
            ServerRecord::FrameEnd { sequence } => ViewerRecord::Ack { sequence }.encode(&mut self.out),
            ServerRecord::Leds(leds) => {
                self.shared.status.send_if_modified(|status| std::mem::replace(&mut status.leds, leds) != leds);
            }
            // Whoever started this may say no, and nobody is here to say yes.
            ServerRecord::Recording { sign: RecordingSign::Asked, .. } => {
                ViewerRecord::Consent { yes: false }.encode(&mut self.out);
            }
            ServerRecord::Rules { bits, .. } => {
                self.looks_only = bits & RULE_VIEW_ONLY != 0;
                if self.looks_only {
                    say(format!("{} may only be looked at: keys and mouse are left out", self.shared.name));
                }
            }
            // It lies over the picture in a viewer, and would be missing here.
            ServerRecord::Watermark(text) if !text.is_empty() => {
                return Some(End::Others(
                    "its pool wants a watermark over the picture, which a device has none of; serve a desktop of another pool"
                        .to_owned(),
                ));
            }
            ServerRecord::Bye { code, text } => {
                return Some(match code {
                    ByeCode::TakenOver | ByeCode::EndedByAdmin | ByeCode::Locked | ByeCode::TimeOver => {
                        End::Others(text)
                    }
                    _ => End::Failed(text),
                });
            }
            _ => {}
        }
        None
    }
}
