//! The cases of a screen over RDP, H.264 in the graphics pipeline.

use crate::case::{Measured, Stretch};
use crate::direct::Direct;
use crate::process::Gateway;
use crate::serve::Server;
use crate::shadow::{Shadow, Shows};
use crate::viewer::Viewer;
use crate::vnc_case::{SCROLL, keys};
use anyhow::Result;
use std::time::Duration;

async fn start(width: u16, height: u16, shows: Shows) -> Result<(Shadow, Gateway)> {
    let server = Shadow::start(width, height, shows).await?;
    let gateway = Gateway::start(&Server::Rdp { address: server.address, pin: server.pin }).await?;
    Ok((server, gateway))
}

/// The server looks at its screen in intervals of its own, which both ways wait for.
pub(crate) async fn key(seconds: u64) -> Result<Measured> {
    let (server, gateway) = start(1280, 800, Shows::Terminal("exec cat")).await?;
    let mut viewer = Viewer::open(gateway.address(), 0, 0).await?;
    viewer.settle(Duration::from_secs(1)).await?;
    let mut direct = Direct::rdp(server.address, server.pin).await?;
    keys(seconds, &gateway, &mut viewer, &mut direct, Duration::from_millis(80)).await
}

pub(crate) async fn scroll(seconds: u64) -> Result<Measured> {
    video(seconds, Shows::Terminal(SCROLL), "20 lines/s").await
}

pub(crate) async fn motion(seconds: u64) -> Result<Measured> {
    video(seconds, Shows::Motion { fps: 30 }, "a solid that turns").await
}

async fn video(seconds: u64, shows: Shows, what: &str) -> Result<Measured> {
    let (_server, gateway) = start(1920, 1080, shows).await?;
    let mut viewer = Viewer::open(gateway.address(), 0, 0).await?;
    viewer.watch(Duration::from_secs(3)).await?;
    anyhow::ensure!(viewer.video > 0, "no H.264 came within 3 s");
    let stretch = Stretch::begin(&gateway, viewer.video, viewer.bytes)?;
    viewer.watch(Duration::from_secs(seconds)).await?;
    let measured = stretch.end(&gateway, viewer.video, viewer.bytes, String::new())?;
    let cost = measured.cpu_percent * 10.0 / measured.fps.max(0.1);
    Ok(Measured { notes: format!("1920x1080, {what}, H.264 forwarded, {cost:.2} ms of CPU a frame"), ..measured })
}
