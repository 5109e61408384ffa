//! What is measured.

use crate::process::Gateway;
use crate::target::Target;
use crate::viewer::Viewer;
use crate::{devices_case, rdp_case, ssh_case, vnc_case};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::Serialize;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// A key in a terminal until its pixels change, through the gateway and directly, in turns
    VncKey,
    /// A terminal that prints twenty lines a second, at 1920x1080
    VncScroll,
    /// The same, and the connection is recorded, encrypted, into a folder
    VncRecord,
    /// A whole screen that moves thirty times a second, as pixels, at 1280x720
    #[value(name = "vnc-motion-720p30")]
    VncMotion720,
    /// The same at 1920x1080
    #[value(name = "vnc-motion-1080p30")]
    VncMotion1080,
    /// The same, and the server sends JPEG
    #[value(name = "vnc-jpeg-1080p30")]
    VncJpeg,
    /// A key in a terminal until its pixels change, through the gateway and directly, in turns
    RdpKey,
    /// A terminal that prints twenty lines a second, at 1920x1080
    RdpScroll,
    /// Motion at thirty frames a second, at 1920x1080, H.264 in the graphics pipeline
    #[value(name = "rdp-motion-1080p30")]
    RdpMotion,
    /// A key in a shell until it is echoed, through the gateway and directly, in turns
    SshKey,
    /// A shell that prints twenty lines a second
    SshScroll,
    /// A shell that prints as fast as it can, while somebody types
    SshFlood,
    /// Ten connections that show a still picture
    Idle,
    /// A hundred connections that show a still picture and twenty that scroll, while somebody types into another
    Crowd,
    /// Sixteen devices that send JPEG ten times a second, and four people at each
    Devices,
}

/// One row of results. `added_ms_*` compare with the same server asked directly in the same run.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub case: &'static str,
    /// Of one core, of the gateway's processes alone; none where they are not on this machine.
    pub cpu_percent: Option<f64>,
    pub fps: f64,
    pub mbit_s: f64,
    pub added_ms_p50: Option<f64>,
    pub added_ms_p95: Option<f64>,
    /// Of the gateway's processes at the end, what they share counted once; none where they are not on this machine.
    pub rss_mib: Option<f64>,
    /// The machine's load over the last minute: the servers and this program are in it, and so are others.
    pub load: f64,
    pub notes: String,
}

/// Key presses thrown away before measuring.
pub(crate) const WARM_UP: u32 = 10;

impl Case {
    pub const ALL: [Self; 15] = [
        Self::VncKey,
        Self::VncScroll,
        Self::VncRecord,
        Self::VncMotion720,
        Self::VncMotion1080,
        Self::VncJpeg,
        Self::RdpKey,
        Self::RdpScroll,
        Self::RdpMotion,
        Self::SshKey,
        Self::SshScroll,
        Self::SshFlood,
        Self::Idle,
        Self::Crowd,
        Self::Devices,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::VncKey => "vnc-key",
            Self::VncScroll => "vnc-scroll",
            Self::VncRecord => "vnc-record",
            Self::VncMotion720 => "vnc-motion-720p30",
            Self::VncMotion1080 => "vnc-motion-1080p30",
            Self::VncJpeg => "vnc-jpeg-1080p30",
            Self::RdpKey => "rdp-key",
            Self::RdpScroll => "rdp-scroll",
            Self::RdpMotion => "rdp-motion-1080p30",
            Self::SshKey => "ssh-key",
            Self::SshScroll => "ssh-scroll",
            Self::SshFlood => "ssh-flood",
            Self::Idle => "idle",
            Self::Crowd => "crowd",
            Self::Devices => "devices",
        }
    }

    /// Those that make sense with a target: its protocol's, and of guacd those without what only Oriel has.
    pub fn all(target: &Target) -> Vec<Self> {
        Self::ALL.into_iter().filter(|case| case.is_of(target)).collect()
    }

    fn is_of(self, target: &Target) -> bool {
        match target {
            Target::Own => true,
            Target::Vnc(_) => matches!(self, Self::VncKey | Self::VncScroll | Self::VncRecord | Self::Idle),
            Target::Rdp(_) => matches!(self, Self::RdpKey | Self::RdpScroll),
            Target::Ssh(_) => matches!(self, Self::SshKey | Self::SshScroll | Self::SshFlood),
            Target::Guacd(_) => !matches!(self, Self::VncRecord | Self::SshFlood | Self::Crowd | Self::Devices),
        }
    }

    pub async fn run(self, seconds: u64, target: &Target) -> Result<Measured> {
        if !self.is_of(target) {
            let those: Vec<_> = Self::all(target).into_iter().map(Self::name).collect();
            bail!("{} cannot be measured with this target; it has {}", self.name(), those.join(", "));
        }
        let mut measured = match self {
            Self::VncKey => vnc_case::key(seconds, target).await,
            Self::VncScroll => vnc_case::scroll(seconds, target, None).await,
            Self::VncRecord => {
                let folder = tempfile::tempdir()?;
                vnc_case::scroll(seconds, target, Some(folder.path())).await
            }
            Self::VncMotion720 => vnc_case::motion(seconds, target, (1280, 720), false).await,
            Self::VncMotion1080 => vnc_case::motion(seconds, target, (1920, 1080), false).await,
            Self::VncJpeg => vnc_case::motion(seconds, target, (1920, 1080), true).await,
            Self::RdpKey => rdp_case::key(seconds, target).await,
            Self::RdpScroll => rdp_case::scroll(seconds, target).await,
            Self::RdpMotion => rdp_case::motion(seconds, target).await,
            Self::SshKey => ssh_case::key(seconds, target).await,
            Self::SshScroll => ssh_case::scroll(seconds, target).await,
            Self::SshFlood => ssh_case::flood(seconds, target).await,
            Self::Idle => vnc_case::idle(seconds, target).await,
            Self::Crowd => vnc_case::crowd(seconds).await,
            Self::Devices => devices_case::watched(seconds).await,
        }?;
        measured.case = self.name();
        measured.load = load();
        Ok(measured)
    }
}

/// A stretch of time and what the gateway's processes used in it.
pub(crate) struct Stretch {
    cpu: Option<f64>,
    frames: u32,
    bytes: usize,
    began: Instant,
}

impl Stretch {
    /// From now on. `frames` and `bytes`: what had come by now.
    pub fn begin(gateway: &Gateway, frames: u32, bytes: usize) -> Result<Self> {
        Ok(Self { cpu: gateway.cpu_seconds()?, frames, bytes, began: Instant::now() })
    }

    pub fn of(gateway: &Gateway, viewer: &Viewer) -> Result<Self> {
        Self::begin(gateway, viewer.frames, viewer.bytes())
    }

    pub fn is_within(&self, seconds: u64) -> bool {
        self.began.elapsed() < Duration::from_secs(seconds)
    }

    /// Until now.
    pub fn end(&self, gateway: &Gateway, frames: u32, bytes: usize, notes: String) -> Result<Measured> {
        let elapsed = self.began.elapsed().as_secs_f64();
        Ok(Measured {
            case: "",
            cpu_percent: gateway.cpu_seconds()?.zip(self.cpu).map(|(now, then)| (now - then) / elapsed * 100.0),
            fps: f64::from(frames - self.frames) / elapsed,
            mbit_s: (bytes - self.bytes) as f64 * 8e-6 / elapsed,
            added_ms_p50: None,
            added_ms_p95: None,
            rss_mib: gateway.pss_mib()?,
            load: 0.0,
            notes,
        })
    }

    pub fn end_of(&self, gateway: &Gateway, viewer: &Viewer, notes: String) -> Result<Measured> {
        self.end(gateway, viewer.frames, viewer.bytes(), notes)
    }
}

/// How long keys took, through the gateway and directly.
#[derive(Default)]
pub(crate) struct Keys {
    rounds: u32,
    through: Vec<Duration>,
    straight: Vec<Duration>,
}

impl Keys {
    pub fn add(&mut self, through: Duration, straight: Duration) {
        self.rounds += 1;
        if self.rounds > WARM_UP {
            self.through.push(through);
            self.straight.push(straight);
        }
    }

    /// What the gateway added, in a row of results.
    pub fn told(mut self, measured: Measured) -> Result<Measured> {
        let (t50, t95) = (percentile(&mut self.through, 50)?, percentile(&mut self.through, 95)?);
        let (s50, s95) = (percentile(&mut self.straight, 50)?, percentile(&mut self.straight, 95)?);
        let count = self.through.len();
        let notes =
            format!("directly {s50:.2} / {s95:.2} ms, through the gateway {t50:.2} / {t95:.2} ms, {count} keys each");
        Ok(Measured { added_ms_p50: Some(t50 - s50), added_ms_p95: Some(t95 - s95), notes, ..measured })
    }
}

/// The load average over a minute, as the system says it.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// In milliseconds.
pub(crate) fn percentile(samples: &mut [Duration], percent: usize) -> Result<f64> {
    samples.sort_unstable();
    let at = samples.len() * percent / 100;
    let sample = samples.get(at.min(samples.len().saturating_sub(1))).context("no samples; measure longer")?;
    Ok(sample.as_secs_f64() * 1e3)
}
