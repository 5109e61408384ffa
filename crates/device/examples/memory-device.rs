//! A device without a machine behind it, for programs by others to be tried against: `./test` runs pikvm-lib with it. It prints
//! `ready: ADDRESS`, then what would reach a machine, a line each, and ends when its standard input does. `--motion FRAMES` instead shows so
//! many pictures a second of 1920x1080, as a capture device hands JPEGs on: what serving them takes is read from its process.

use async_trait::async_trait;
use oriel_device::{Accounts, Button, Device, DeviceOptions, Machine, Medium, Picture, Report, Slot, Status, Wanted};
use oriel_screen::{Rect, Surface};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

const NAME: &str = "memory.example";

struct Memory {
    status: watch::Sender<Status>,
    pictures: watch::Sender<Option<Picture>>,
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).ok();
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[async_trait]
impl Machine for Memory {
    fn name(&self) -> &str {
        NAME
    }
    fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }
    fn pictures(&self) -> watch::Receiver<Option<Picture>> {
        self.pictures.subscribe()
    }
    fn want(&self, _: Wanted) {}
    async fn report(&self, report: Report) {
        match report {
            Report::Keyboard(bytes) => tell(&format!("keyboard {}", hex(&bytes))),
            Report::Absolute(bytes) => tell(&format!("absolute {}", hex(&bytes))),
            Report::Relative(bytes) => tell(&format!("relative {}", hex(&bytes))),
        }
    }
    async fn press(&self, button: Button) -> Result<(), String> {
        tell(&format!("button {button:?}"));
        self.status.send_modify(|status| match button {
            Button::Power => status.power = status.power.map(|on| !on),
            Button::PowerLong => status.power = Some(false),
            Button::Reset => {}
        });
        Ok(())
    }
    fn slot(&self) -> Option<&dyn Slot> {
        Some(self)
    }
}

#[async_trait]
impl Slot for Memory {
    async fn load(&self, medium: Option<Medium>) -> Result<(), String> {
        let name = medium.and_then(|medium| Some(medium.file.file_name()?.to_string_lossy().into_owned()));
        tell(&format!("medium {}", name.as_deref().unwrap_or("none")));
        Ok(())
    }
}

/// Red beside blue.
fn picture() -> Result<Picture, Box<dyn Error>> {
    let mut surface = Surface::new(640, 480)?;
    surface.fill(Rect::new(0, 0, 320, 480), [255, 0, 0])?;
    surface.fill(Rect::new(320, 0, 320, 480), [0, 0, 255])?;
    let jpeg = oriel_screen::encode::jpeg(&surface, (640, 480), 90).ok_or("no JPEG could be made")?;
    Ok(Picture { jpeg: jpeg.into(), width: 640, height: 480, taken: 0 })
}

/// Coloured tiles of which each frame has others: some 300 kB.
fn moving(frame: u32) -> Result<Picture, Box<dyn Error>> {
    let (width, height, tile) = (1920_u16, 1080_u16, 8_u16);
    let mut surface = Surface::new(width, height)?;
    let mut noise = frame.wrapping_mul(2_654_435_761) | 1;
    for y in (0..height).step_by(usize::from(tile)) {
        for x in (0..width).step_by(usize::from(tile)) {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [red, green, blue, _] = noise.to_be_bytes();
            surface.fill(Rect::new(x, y, tile, tile), [red, green, blue])?;
        }
    }
    let jpeg = oriel_screen::encode::jpeg(&surface, (width, height), 80).ok_or("no JPEG could be made")?;
    Ok(Picture { jpeg: jpeg.into(), width, height, taken: 0 })
}

/// Each of a few pictures in its turn, so many a second.
async fn show(pictures: watch::Sender<Option<Picture>>, all: Vec<Picture>, frames: u32) {
    let mut beat = tokio::time::interval(Duration::from_secs(1) / frames.max(1));
    for picture in all.iter().cycle() {
        beat.tick().await;
        pictures.send_replace(Some(picture.clone()));
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    let mut accounts = Accounts::default();
    accounts.add("admin", &"secret".into(), None)?;
    let storage = tempfile::tempdir()?;
    let status = Status { power: Some(false), disk: false, leds: 0, input: true };
    let pictures = watch::Sender::new(Some(picture()?));
    let machine = Memory { status: watch::Sender::new(status), pictures: pictures.clone() };
    let words: Vec<String> = std::env::args().skip(1).collect();
    let shown = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => None,
        ["--motion", frames] => {
            let all = (0..8).map(moving).collect::<Result<Vec<_>, _>>()?;
            Some(tokio::spawn(show(pictures, all, frames.parse()?)))
        }
        _ => return Err("memory-device [--motion FRAMES]".into()),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let options = DeviceOptions {
        accounts,
        tls: Some(Arc::new(config)),
        storage: Some(storage.path().to_owned()),
        cool_down: Duration::from_millis(50),
        ..DeviceOptions::default()
    };
    let device = Device::start(listener, Arc::new(machine), options)?;
    tell(&format!("ready: {}", device.address()));
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    if let Some(shown) = shown {
        shown.abort();
    }
    device.end().await;
    Ok(())
}
