//! `oriel device serve`: a desktop as a PiKVM device.

use super::{access::Access, desktop::ServedDesktop};
use crate::{
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, say},
};
use clap::{Args, ValueEnum};
use oriel_device::{Device, DeviceOptions};
use oriel_server::api::desktop::{ConnectKind, Desktop};
use secrecy::ExposeSecret as _;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::timeout,
};

/// Most bytes of all images of its drive: as many as the server takes for one desktop.
const IMAGES_BYTES_MAX: u64 = oriel_broker::DRIVE_BYTES_MAX;

#[derive(Args)]
pub struct Serve {
    /// Id or name
    desktop: String,
    #[command(flatten)]
    access: Access,
    /// What to show: the console where it has one when left out
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Size of the screen, for machines that take one
    #[arg(long, value_name = "WxH", default_value = "1280x800", value_parser = size)]
    size: (u16, u16),
    /// Folder with the CD images of its drive, where those that are uploaded stay; a new one each time when left out
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Let whoever uses the device fetch images from any address that this machine reaches
    #[arg(long)]
    fetch: bool,
    /// Take pictures always, and not only while somebody watches: stays connected to the desktop
    #[arg(long)]
    keep_picture: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Its desktop
    Rdp,
    /// Its console
    Vnc,
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    sides
        .filter(|(width, height)| (200..=4096).contains(width) && (200..=4096).contains(height))
        .ok_or_else(|| "give one like 1280x800, sides from 200 to 4096".to_owned())
}

impl Serve {
    /// A folder that was made for this run is removed with what is returned.
    fn images(&self) -> Result<(PathBuf, Option<tempfile::TempDir>), Failure> {
        if let Some(folder) = &self.images {
            if !folder.is_dir() {
                return Err(Failure::usage(format!("{} is no folder", folder.display()))
                    .next("make it, or name another one with --images"));
            }
            return Ok((folder.clone(), None));
        }
        let folder = tempfile::tempdir().map_err(|error| Failure::because("cannot make a folder", &error))?;
        Ok((folder.path().to_owned(), Some(folder)))
    }

    fn kind(&self, desktop: &Desktop) -> Result<ConnectKind, Failure> {
        let asked = self.kind.map(|kind| match kind {
            Kind::Rdp => ConnectKind::Rdp,
            Kind::Vnc => ConnectKind::Vnc,
        });
        let has = |kind: &ConnectKind| desktop.kinds.contains(kind);
        let found = match asked {
            Some(kind) => Some(kind).filter(has),
            None => [ConnectKind::Vnc, ConnectKind::Rdp].into_iter().find(has),
        };
        found.ok_or_else(|| {
            let kinds: Vec<&str> = desktop.kinds.iter().map(|kind| kind.word()).collect();
            Failure::usage(format!("{} has no such screen: it can be opened as {}", desktop.name, kinds.join(", ")))
                .next("leave --kind out, or serve another desktop")
        })
    }

    pub async fn run(self, client: Client) -> Done {
        if matches!(client, Client::Socket { .. }) {
            return Err(Failure::usage("a desktop is opened by a person, and the local administrator is none").next(
                "name the server with --server URL, and a person's token with --token-file FILE or ORIEL_TOKEN",
            ));
        }
        let (accounts, made_up) = self.access.accounts()?;
        let (tls, _folder) = self.access.tls(&[])?;
        let (images, _images_folder) = self.images()?;
        let desktop: Desktop = client.get(&format!("/desktops/{}", segment(&self.desktop))).await?;
        let kind = self.kind(&desktop)?;
        let listener = TcpListener::bind(self.access.listen).await.map_err(|error| {
            Failure::because(format!("cannot listen on {}", self.access.listen), &error)
                .next("choose another port with --listen")
        })?;
        let machine = Arc::new(ServedDesktop::new(client, &desktop, kind, self.size, self.fetch));
        let options = DeviceOptions {
            accounts,
            tls: Some(Arc::clone(&tls.config)),
            keep_picture: self.keep_picture,
            // Of machines that Oriel does not run it has no drive.
            storage: desktop.external.is_none().then_some(images),
            storage_bytes_max: IMAGES_BYTES_MAX,
            ..DeviceOptions::default()
        };
        // Before anybody is told that it is ready.
        let failed = |error| Failure::because("cannot wait for signals", &error);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let device =
            Device::start(listener, machine, options).map_err(|error| Failure::because("cannot listen", &error))?;
        output::print(&format!("ready: https://{}", device.address()))?;
        if let Some(password) = &made_up {
            output::print(&format!("login: {} {}", self.access.user, password.expose_secret()))?;
        }
        let own = if tls.own { " (its own: programs must be told to trust it)" } else { "" };
        say(format!(
            "{} is shown as a PiKVM device; SHA-256 of its certificate{own}: {}",
            desktop.name, tls.fingerprint
        ));
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        say("stopping; the desktop keeps running");
        timeout(Duration::from_secs(5), device.end()).await.ok();
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_of_screens() {
        assert_eq!(size("1280x800").unwrap(), (1280, 800));
        for bad in ["", "1280", "1280x", "10x10", "1280x99999", "-1x800", "1280×800"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
