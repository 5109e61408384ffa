//! The cases of a screen over RDP, H.264 in the graphics pipeline.

use crate::case::{Measured, Stretch};
use crate::direct::Direct;
use crate::process::Gateway;
use crate::serve::Server;
use crate::shadow::{Shadow, Shows};
use crate::target::Target;
use crate::viewer::Viewer;
use crate::vnc_case::{SCROLL, keys};
use anyhow::{Result, bail};
use std::time::Duration;

/// What is kept for as long as it is measured, the server, and what stands before it.
async fn start(target: &Target, width: u16, height: u16, shows: Shows) -> Result<(Option<Shadow>, Server, Gateway)> {
    let (shadow, server) = match target.server("").await? {
        Some(server) => (None, server),
        None => {
            let shadow = Shadow::start(width, height, shows).await?;
            let server = Server::Rdp { address: shadow.address, pin: shadow.pin, own: true };
            (Some(shadow), server)
        }
    };
    let gateway = Gateway::before(&server, target).await?;
    Ok((shadow, server, gateway))
}

/// The server looks at its screen in intervals of its own, which both ways wait for.
pub(crate) async fn key(seconds: u64, target: &Target) -> Result<Measured> {
    let (_shadow, server, gateway) = start(target, 1280, 800, Shows::Terminal("exec cat")).await?;
    let mut viewer = Viewer::open(&gateway, 0, 0).await?;
    viewer.settle(Duration::from_secs(1)).await?;
    let Server::Rdp { address, pin, own } = server else { bail!("it is no RDP server") };
    let mut direct = Direct::rdp(address, pin, own).await?;
    keys(seconds, &gateway, &mut viewer, &mut direct, Duration::from_millis(80)).await
}

pub(crate) async fn scroll(seconds: u64, target: &Target) -> Result<Measured> {
    video(seconds, target, Shows::Terminal(SCROLL), "20 lines/s").await
}

pub(crate) async fn motion(seconds: u64, target: &Target) -> Result<Measured> {
    video(seconds, target, Shows::Motion { fps: 30 }, "a solid that turns").await
}

async fn video(seconds: u64, target: &Target, shows: Shows, what: &str) -> Result<Measured> {
    let (_shadow, _, gateway) = start(target, 1920, 1080, shows).await?;
    let mut viewer = Viewer::open(&gateway, 0, 0).await?;
    viewer.watch(Duration::from_secs(3)).await?;
    if *target != Target::Own {
        let stretch = Stretch::of(&gateway, &viewer)?;
        let before = viewer.video;
        viewer.watch(Duration::from_secs(seconds)).await?;
        let notes = match target {
            Target::Guacd(_) => format!("1920x1080, {what}; {}", viewer.mix()),
            _ => format!("what the server shows; {} frames of H.264; {}", viewer.video - before, viewer.mix()),
        };
        return stretch.end_of(&gateway, &viewer, notes);
    }
    anyhow::ensure!(viewer.video > 0, "no H.264 came within 3 s");
    let stretch = Stretch::begin(&gateway, viewer.video, viewer.bytes())?;
    viewer.watch(Duration::from_secs(seconds)).await?;
    let measured = stretch.end(&gateway, viewer.video, viewer.bytes(), String::new())?;
    let cost = measured.cpu_percent.unwrap_or_default() * 10.0 / measured.fps.max(0.1);
    Ok(Measured { notes: format!("1920x1080, {what}, H.264 forwarded, {cost:.2} ms of CPU a frame"), ..measured })
}
