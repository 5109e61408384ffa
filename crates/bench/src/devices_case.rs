//! Machines behind devices, with several people at each: one connection to each device, however many watch.

use crate::case::{Measured, Stretch};
use crate::process::Gateway;
use crate::serve::Server;
use crate::viewer::Viewer;
use anyhow::{Result, ensure};
use bytes::Bytes;
use oriel_physical::fake::{FakeDevice, FakeOptions};
use std::time::Duration;
use tokio::task::JoinSet;

const DEVICES: u32 = 16;
/// At each device: whose connection it is, and those who look on.
const VIEWERS: u32 = 4;
const WIDTH: u16 = 1280;
const HEIGHT: u16 = 720;
const PERIOD: Duration = Duration::from_millis(100);
/// Pictures that come one after the other, over and over.
const PICTURES: u16 = 10;
const JPEG_QUALITY: u8 = 75;
/// What is let pass before it is measured.
const WARM_UP: Duration = Duration::from_secs(3);

/// A smooth picture that moves.
fn picture(at: u16) -> Result<Bytes> {
    let shade = |place: u16, side: u16| {
        let moved = (u32::from(place) * 255 / u32::from(side) + u32::from(at) * 255 / u32::from(PICTURES)) % 256;
        u8::try_from(moved).unwrap_or(u8::MAX)
    };
    let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    let rgb: Vec<u8> = pixels.flat_map(|(x, y)| [shade(x, WIDTH), shade(y, HEIGHT), 128]).collect();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, JPEG_QUALITY);
    encoder.encode(&rgb, WIDTH, HEIGHT, jpeg_encoder::ColorType::Rgb)?;
    Ok(Bytes::from(jpeg))
}

pub(crate) async fn watched(seconds: u64) -> Result<Measured> {
    let moving = (0..PICTURES).map(picture).collect::<Result<Vec<_>>>()?;
    let mut devices = Vec::new();
    for _ in 0..DEVICES {
        let options = FakeOptions { moving: moving.clone(), period: PERIOD, ..FakeOptions::default() };
        devices.push(FakeDevice::start(options).await?);
    }
    let server = |device: &FakeDevice| Server::Device { address: device.address(), pin: device.fingerprint().0 };
    let servers: Vec<Server> = devices.iter().map(server).collect();
    let gateway = Gateway::start_with(&servers, None).await?;
    let mut viewers = Vec::new();
    for device in 0..DEVICES {
        for person in 0..VIEWERS {
            let mut viewer = Viewer::open(&gateway, device, person).await?;
            if person == 0 {
                // The others come to what is open by then.
                viewer.watch(PERIOD * 5).await?;
            }
            viewers.push(viewer);
        }
    }
    let mut watching = JoinSet::new();
    for mut viewer in viewers {
        watching.spawn(async move {
            viewer.watch(WARM_UP).await?;
            let (frames, bytes) = (viewer.frames, viewer.bytes());
            viewer.watch(Duration::from_secs(seconds)).await?;
            anyhow::Ok((viewer.frames - frames, viewer.bytes() - bytes, viewer))
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let stretch = Stretch::begin(&gateway, 0, 0)?;
    // Kept: while they are there the devices are counted.
    let (mut frames, mut bytes, mut fewest, mut kept) = (0, 0, u32::MAX, Vec::new());
    while let Some(watched) = watching.join_next().await {
        let (seen, read, viewer) = watched??;
        (frames, bytes, fewest) = (frames + seen, bytes + read, fewest.min(seen));
        kept.push(viewer);
    }
    let measured = stretch.end(&gateway, frames, bytes, String::new())?;
    for device in &devices {
        let world = device.world();
        let events = world.events_clients;
        let pictures = world.requests.iter().filter(|request| request.starts_with("GET /api/media/ws")).count();
        ensure!(
            events == 1 && pictures == 1,
            "a device has {events} connections for events and had {pictures} for pictures: one each is meant"
        );
    }
    drop(kept);
    let each = measured.fps / f64::from(DEVICES * VIEWERS);
    let least = f64::from(fewest) / seconds.max(1) as f64;
    let notes = format!(
        "{DEVICES} devices with {VIEWERS} viewers each, JPEG of {WIDTH}x{HEIGHT} ten times a second, one upstream connection for events and one for pictures at each device; {each:.1} frames/s a viewer, the fewest {least:.1}"
    );
    Ok(Measured { notes, ..measured })
}
