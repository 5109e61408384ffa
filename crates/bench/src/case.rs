//! What is measured.

use crate::direct::Direct;
use crate::process::Gateway;
use crate::serve::Server;
use crate::shadow::Shadow;
use crate::viewer::Viewer;
use crate::xserver::XServer;
use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// A key in a terminal until its pixels change, through the gateway and directly, in turns
    VncKey,
    /// A terminal that prints twenty lines a second, at 1920x1080
    VncScroll,
    /// The same, and the connection is recorded, encrypted, into a folder
    VncRecord,
    /// Motion at thirty frames a second, at 1920x1080, H.264 in the graphics pipeline
    #[value(name = "rdp-motion-1080p30")]
    RdpMotion,
    /// Ten connections that show a still picture
    Idle,
}

/// One row of results. `added_ms_*` compare with the same server asked directly in the same run.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub case: &'static str,
    /// Of one core, of the gateway's processes alone.
    pub cpu_percent: f64,
    pub fps: f64,
    pub mbit_s: f64,
    pub added_ms_p50: Option<f64>,
    pub added_ms_p95: Option<f64>,
    /// Of the gateway's processes at the end, what they share counted once.
    pub rss_mib: f64,
    pub notes: String,
}

/// Key presses thrown away before measuring.
const WARM_UP: u32 = 10;
/// Connections of the idle case.
const IDLE_SESSIONS: u32 = 10;

impl Case {
    pub const ALL: [Self; 5] = [Self::VncKey, Self::VncScroll, Self::VncRecord, Self::RdpMotion, Self::Idle];

    pub const fn name(self) -> &'static str {
        match self {
            Self::VncKey => "vnc-key",
            Self::VncScroll => "vnc-scroll",
            Self::VncRecord => "vnc-record",
            Self::RdpMotion => "rdp-motion-1080p30",
            Self::Idle => "idle",
        }
    }

    pub async fn run(self, seconds: u64) -> Result<Measured> {
        match self {
            Self::VncKey => key(seconds).await,
            Self::VncScroll => scroll(seconds, Self::VncScroll, None).await,
            Self::VncRecord => {
                let folder = tempfile::tempdir()?;
                scroll(seconds, Self::VncRecord, Some(folder.path())).await
            }
            Self::RdpMotion => rdp_motion(seconds).await,
            Self::Idle => idle(seconds).await,
        }
    }
}

async fn key(seconds: u64) -> Result<Measured> {
    let server = XServer::start(1280, 800, "exec cat").await?;
    let gateway = Gateway::start(&Server::vnc(server.address())).await?;
    let mut viewer = Viewer::open(gateway.address(), 0).await?;
    viewer.settle(Duration::from_secs(1)).await?;
    // The terminal may take a while to come up on a busy machine.
    for _ in 0..10 {
        if viewer.key().await.is_ok() {
            break;
        }
    }
    let mut direct = Direct::open(server.address()).await?;
    direct.settle(Duration::from_millis(500)).await?;
    let cpu = gateway.cpu_seconds()?;
    let began = Instant::now();
    let (mut through, mut straight) = (Vec::new(), Vec::new());
    let mut round = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        // In turns, so that both see the same server in the same mood.
        let there = viewer.key().await?;
        direct.settle(Duration::from_millis(15)).await?;
        let here = direct.key().await?;
        viewer.settle(Duration::from_millis(15)).await?;
        round += 1;
        if round > WARM_UP {
            through.push(there);
            straight.push(here);
        }
    }
    let elapsed = began.elapsed().as_secs_f64();
    let (t50, t95) = (percentile(&mut through, 50)?, percentile(&mut through, 95)?);
    let (s50, s95) = (percentile(&mut straight, 50)?, percentile(&mut straight, 95)?);
    Ok(Measured {
        case: Case::VncKey.name(),
        cpu_percent: (gateway.cpu_seconds()? - cpu) / elapsed * 100.0,
        fps: f64::from(viewer.frames) / elapsed,
        mbit_s: viewer.bytes as f64 * 8e-6 / elapsed,
        added_ms_p50: Some(t50 - s50),
        added_ms_p95: Some(t95 - s95),
        rss_mib: gateway.pss_mib()?,
        notes: format!(
            "directly {s50:.2} / {s95:.2} ms, through Oriel {t50:.2} / {t95:.2} ms, {} keys each",
            through.len()
        ),
    })
}

/// `record`: the folder that the connection is recorded into.
async fn scroll(seconds: u64, case: Case, record: Option<&Path>) -> Result<Measured> {
    let program = "while :; do echo \"$RANDOM the quick brown fox jumps over the lazy dog $RANDOM\"; sleep 0.05; done";
    let server = XServer::start(1920, 1080, program).await?;
    let gateway = Gateway::start_with(&Server::vnc(server.address()), record).await?;
    let mut viewer = Viewer::open(gateway.address(), 0).await?;
    // It never settles: the first pictures are let pass by time.
    viewer.watch(Duration::from_secs(2)).await?;
    let (cpu, frames, bytes) = (gateway.cpu_seconds()?, viewer.frames, viewer.bytes);
    let began = Instant::now();
    viewer.watch(Duration::from_secs(seconds)).await?;
    let elapsed = began.elapsed().as_secs_f64();
    let mut notes = "1920x1080, 20 lines/s".to_owned();
    if let Some(folder) = record {
        let rate = crate::record::bytes(folder)? as f64 / began.elapsed().as_secs_f64() * 3600.0 / f64::from(1 << 20);
        write!(notes, ", recorded: about {rate:.0} MiB an hour")?;
    }
    Ok(Measured {
        case: case.name(),
        cpu_percent: (gateway.cpu_seconds()? - cpu) / elapsed * 100.0,
        fps: f64::from(viewer.frames - frames) / elapsed,
        mbit_s: (viewer.bytes - bytes) as f64 * 8e-6 / elapsed,
        added_ms_p50: None,
        added_ms_p95: None,
        rss_mib: gateway.pss_mib()?,
        notes,
    })
}

async fn rdp_motion(seconds: u64) -> Result<Measured> {
    let server = Shadow::start(1920, 1080, 30).await?;
    let gateway = Gateway::start(&Server::rdp(server.address, server.pin)).await?;
    let mut viewer = Viewer::open(gateway.address(), 0).await?;
    viewer.watch(Duration::from_secs(3)).await?;
    anyhow::ensure!(viewer.video > 0, "no H.264 came within 3 s");
    let (cpu, frames, bytes) = (gateway.cpu_seconds()?, viewer.video, viewer.bytes);
    let began = Instant::now();
    viewer.watch(Duration::from_secs(seconds)).await?;
    let elapsed = began.elapsed().as_secs_f64();
    let frames = f64::from(viewer.video - frames);
    let used = gateway.cpu_seconds()? - cpu;
    Ok(Measured {
        case: Case::RdpMotion.name(),
        cpu_percent: used / elapsed * 100.0,
        fps: frames / elapsed,
        mbit_s: (viewer.bytes - bytes) as f64 * 8e-6 / elapsed,
        added_ms_p50: None,
        added_ms_p95: None,
        rss_mib: gateway.pss_mib()?,
        notes: format!(
            "1920x1080, H.264 forwarded, {:.2} ms of CPU a frame; load of the machine {}",
            used * 1e3 / frames.max(1.0),
            load()
        ),
    })
}

/// The load average over a minute, as the system says it.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

async fn idle(seconds: u64) -> Result<Measured> {
    let server = XServer::start(1920, 1080, "exec sleep 1000000").await?;
    let gateway = Gateway::start(&Server::vnc(server.address())).await?;
    let empty = gateway.pss_mib()?;
    let mut viewers = Vec::new();
    for session in 0..IDLE_SESSIONS {
        let mut viewer = Viewer::open(gateway.address(), session).await?;
        viewer.settle(Duration::from_millis(700)).await?;
        viewers.push(viewer);
    }
    let cpu = gateway.cpu_seconds()?;
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let elapsed = began.elapsed().as_secs_f64();
    let pss = gateway.pss_mib()?;
    Ok(Measured {
        case: Case::Idle.name(),
        cpu_percent: (gateway.cpu_seconds()? - cpu) / elapsed * 100.0,
        fps: 0.0,
        mbit_s: 0.0,
        added_ms_p50: None,
        added_ms_p95: None,
        rss_mib: pss,
        notes: format!(
            "{IDLE_SESSIONS} VNC sessions of 1920x1080: {:.1} MiB each over {empty:.1} MiB without any",
            (pss - empty) / f64::from(IDLE_SESSIONS)
        ),
    })
}

/// In milliseconds.
fn percentile(samples: &mut [Duration], percent: usize) -> Result<f64> {
    samples.sort_unstable();
    let at = samples.len() * percent / 100;
    let sample = samples.get(at.min(samples.len().saturating_sub(1))).context("no samples; measure longer")?;
    Ok(sample.as_secs_f64() * 1e3)
}
