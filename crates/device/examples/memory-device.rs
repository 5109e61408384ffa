//! A device without a machine behind it, for programs by others to be tried against: `./test` runs pikvm-lib with it. It prints
//! `ready: ADDRESS`, then what would reach a machine, a line each, and ends when its standard input does.

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
    let machine = Memory { status: watch::Sender::new(status), pictures: watch::Sender::new(Some(picture()?)) };
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
    device.end().await;
    Ok(())
}
