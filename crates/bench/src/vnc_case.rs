//! The cases of a screen over VNC.

use crate::case::{Keys, Measured, Stretch, percentile};
use crate::direct::Direct;
use crate::motion::Motion;
use crate::process::Gateway;
use crate::serve::Server;
use crate::target::Target;
use crate::viewer::Viewer;
use crate::xserver::XServer;
use anyhow::Result;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Connections of the idle case.
const IDLE_SESSIONS: u32 = 10;
/// And of the crowd: those that show a still picture, and those that scroll.
const CROWD_STILL: u32 = 100;
const CROWD_SCROLLING: u32 = 20;

/// What a terminal runs that prints twenty lines a second.
pub(crate) const SCROLL: &str =
    "while :; do echo \"$RANDOM the quick brown fox jumps over the lazy dog $RANDOM\"; sleep 0.05; done";

impl XServer {
    const fn server(&self) -> Server {
        Server::Vnc { address: self.address(), own: true }
    }
}

/// What is kept for as long as it is measured, and the server: ours with a program in it, or that of the target.
async fn start(target: &Target, width: u16, height: u16, program: &str) -> Result<(Option<XServer>, Server)> {
    Ok(match target.server("").await? {
        Some(server) => (None, server),
        None => {
            let screen = XServer::start(width, height, program).await?;
            let server = screen.server();
            (Some(screen), server)
        }
    })
}

/// What a screen of ours shows, or that nobody here knows.
fn shown(target: &Target, what: &str) -> String {
    match target {
        Target::Own | Target::Guacd(_) => what.to_owned(),
        _ => "what the server shows".to_owned(),
    }
}

pub(crate) async fn key(seconds: u64, target: &Target) -> Result<Measured> {
    let (screen, server) = start(target, 1280, 800, "exec cat").await?;
    let gateway = Gateway::before(&server, target).await?;
    let mut viewer = Viewer::open(&gateway, 0, 0).await?;
    viewer.settle(Duration::from_secs(1)).await?;
    let mut direct = Direct::vnc(server.address(), screen.is_some()).await?;
    keys(seconds, &gateway, &mut viewer, &mut direct, Duration::from_millis(15)).await
}

/// Types in turns, so that both see the same server in the same mood. `quiet`: how long after a key nothing more changes.
pub(crate) async fn keys(
    seconds: u64,
    gateway: &Gateway,
    viewer: &mut Viewer,
    direct: &mut Direct,
    quiet: Duration,
) -> Result<Measured> {
    // The terminal may take a while to come up on a busy machine.
    for _ in 0..10 {
        if viewer.key().await.is_ok() {
            break;
        }
    }
    direct.settle(Duration::from_millis(500)).await?;
    viewer.settle(Duration::from_millis(500)).await?;
    let stretch = Stretch::of(gateway, viewer)?;
    let mut keys = Keys::default();
    while stretch.is_within(seconds) {
        let there = viewer.key().await?;
        direct.settle(quiet).await?;
        let here = direct.key().await?;
        viewer.settle(quiet).await?;
        keys.add(there, here);
    }
    keys.told(stretch.end_of(gateway, viewer, String::new())?)
}

/// `record`: the folder that the connection is recorded into.
pub(crate) async fn scroll(seconds: u64, target: &Target, record: Option<&Path>) -> Result<Measured> {
    let (_screen, server) = start(target, 1920, 1080, SCROLL).await?;
    let gateway = match record {
        Some(folder) => Gateway::start_with(&[server], Some(folder)).await?,
        None => Gateway::before(&server, target).await?,
    };
    let mut viewer = Viewer::open(&gateway, 0, 0).await?;
    // It never settles: the first pictures are let pass by time.
    viewer.watch(Duration::from_secs(2)).await?;
    let stretch = Stretch::of(&gateway, &viewer)?;
    let began = Instant::now();
    viewer.watch(Duration::from_secs(seconds)).await?;
    let mut notes = shown(target, "1920x1080, 20 lines/s");
    if let Some(folder) = record {
        let rate = crate::record::bytes(folder)? as f64 / began.elapsed().as_secs_f64() * 3600.0 / f64::from(1 << 20);
        write!(notes, ", recorded: about {rate:.0} MiB an hour")?;
    }
    stretch.end_of(&gateway, &viewer, notes)
}

pub(crate) async fn motion(seconds: u64, target: &Target, (width, height): (u16, u16), jpeg: bool) -> Result<Measured> {
    let server = Motion::start(width, height, 30, jpeg).await?;
    let gateway = Gateway::before(&Server::Vnc { address: server.address, own: true }, target).await?;
    let mut viewer = Viewer::open(&gateway, 0, 0).await?;
    viewer.watch(Duration::from_secs(2)).await?;
    let stretch = Stretch::of(&gateway, &viewer)?;
    viewer.watch(Duration::from_secs(seconds)).await?;
    let as_what = if jpeg { "JPEG from the server" } else { "raw pixels from the server" };
    stretch.end_of(
        &gateway,
        &viewer,
        format!("{width}x{height}, the whole screen in motion, {as_what}; {}", viewer.mix()),
    )
}

pub(crate) async fn idle(seconds: u64, target: &Target) -> Result<Measured> {
    let (_screen, server) = start(target, 1920, 1080, "exec sleep 1000000").await?;
    let gateway = Gateway::before(&server, target).await?;
    let empty = gateway.pss_mib()?;
    let mut viewers = Vec::new();
    for person in 0..IDLE_SESSIONS {
        let mut viewer = Viewer::open(&gateway, 0, person).await?;
        viewer.settle(Duration::from_millis(700)).await?;
        viewers.push(viewer);
    }
    let stretch = Stretch::begin(&gateway, 0, 0)?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let measured = stretch.end(&gateway, 0, 0, String::new())?;
    let mut notes = format!("{IDLE_SESSIONS} VNC sessions, {}", shown(target, "1920x1080"));
    if let Some((full, empty)) = measured.rss_mib.zip(empty) {
        let each = (full - empty) / f64::from(IDLE_SESSIONS);
        write!(notes, ": {each:.1} MiB each over {empty:.1} MiB without any")?;
    }
    Ok(Measured { notes, ..measured })
}

/// A day at the office: most look at something still, some work, and one types.
pub(crate) async fn crowd(seconds: u64) -> Result<Measured> {
    let (still, scrolling, typing) = (
        XServer::start(1280, 800, "exec sleep 1000000").await?,
        XServer::start(1280, 800, SCROLL).await?,
        XServer::start(1280, 800, "exec cat").await?,
    );
    let servers = [still.server(), scrolling.server(), typing.server()];
    let gateway = Gateway::start_with(&servers, None).await?;
    let mut still_viewers = Vec::new();
    for person in 0..CROWD_STILL {
        let mut viewer = Viewer::open(&gateway, 0, person).await?;
        viewer.settle(Duration::from_millis(300)).await?;
        still_viewers.push(viewer);
    }
    let mut typist = Viewer::open(&gateway, 2, 0).await?;
    typist.settle(Duration::from_secs(1)).await?;
    let mut direct = Direct::vnc(typing.address(), true).await?;
    direct.settle(Duration::from_millis(500)).await?;
    let mut working = JoinSet::new();
    for person in 0..CROWD_SCROLLING {
        let mut viewer = Viewer::open(&gateway, 1, person).await?;
        working.spawn(async move {
            viewer.watch(Duration::from_secs(3)).await?;
            let (frames, bytes) = (viewer.frames, viewer.bytes());
            viewer.watch(Duration::from_secs(seconds)).await?;
            anyhow::Ok((viewer.frames - frames, viewer.bytes() - bytes))
        });
    }
    // Their first pictures are let pass, as in the other cases.
    typist.watch(Duration::from_secs(3)).await?;
    let stretch = Stretch::begin(&gateway, 0, 0)?;
    let (mut through, mut missed) = (Vec::new(), 0u32);
    while stretch.is_within(seconds) {
        match typist.key().await {
            Ok(took) => through.push(took),
            Err(_) => missed += 1,
        }
        typist.settle(Duration::from_millis(50)).await?;
    }
    let (mut frames, mut bytes) = (0, 0);
    while let Some(viewer) = working.join_next().await {
        let (seen, read) = viewer??;
        frames += seen;
        bytes += read;
    }
    let measured = stretch.end(&gateway, frames, bytes, String::new())?;
    let (p50, p95) = (percentile(&mut through, 50)?, percentile(&mut through, 95)?);
    let each = measured.fps / f64::from(CROWD_SCROLLING);
    let notes = format!(
        "{CROWD_STILL} still and {CROWD_SCROLLING} scrolling VNC sessions of 1280x800, {each:.1} frames/s each; a key shows after {p50:.1} / {p95:.1} ms, {} keys, {missed} missed",
        through.len()
    );
    drop(still_viewers);
    Ok(Measured { notes, ..measured })
}
