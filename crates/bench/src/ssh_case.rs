//! The cases of a shell.

use crate::case::{Case, Measured, WARM_UP, percentile};
use crate::process::Gateway;
use crate::sshd::Sshd;
use crate::terminal_viewer::{DirectShell, TerminalViewer, Typist};
use anyhow::Result;
use std::time::{Duration, Instant};

const SCROLL: &str =
    "while :; do echo \"$RANDOM the quick brown fox jumps over the lazy dog $RANDOM\"; sleep 0.05; done";
/// Lines without the letter that is typed meanwhile.
const FLOOD: &str = "yes 'the quick brown fox jumps over the lazy dog and runs away from it' & exec cat >/dev/null";
/// Typed: nothing else prints it.
const KEY: &[u8] = b"Z";

async fn gateway(server: &Sshd, command: &str) -> Result<Gateway> {
    let (address, keys) = (server.address().to_string(), server.folder().display().to_string());
    Gateway::start_with(&["--ssh", &address, "--keys", &keys, "--command", command]).await
}

pub(crate) async fn scroll(seconds: u64) -> Result<Measured> {
    let server = Sshd::start().await?;
    let gateway = gateway(&server, &format!("exec bash -c '{SCROLL}'")).await?;
    let empty = gateway.rss_mib()?;
    let mut viewer = TerminalViewer::open(gateway.address(), 0).await?;
    viewer.watch(Duration::from_secs(1)).await?;
    let (cpu, messages, bytes) = (gateway.cpu_seconds()?, viewer.messages, viewer.bytes);
    let began = Instant::now();
    viewer.watch(Duration::from_secs(seconds)).await?;
    let elapsed = began.elapsed().as_secs_f64();
    let rss = gateway.rss_mib()?;
    Ok(Measured {
        case: Case::SshScroll.name(),
        cpu_percent: (gateway.cpu_seconds()? - cpu) / elapsed * 100.0,
        fps: f64::from(viewer.messages - messages) / elapsed,
        mbit_s: (viewer.bytes - bytes) as f64 * 8e-6 / elapsed,
        added_ms_p50: None,
        added_ms_p95: None,
        rss_mib: rss,
        notes: format!("20 lines/s; {:.1} MiB over {empty:.1} MiB without a shell", rss - empty),
    })
}

pub(crate) async fn flood(seconds: u64) -> Result<Measured> {
    let server = Sshd::start().await?;
    let gateway = gateway(&server, FLOOD).await?;
    let mut direct = DirectShell::open(&server, FLOOD).await?;
    let half = Duration::from_secs(seconds.div_ceil(2));
    direct.watch(Duration::from_secs(1)).await?;
    let began = Instant::now();
    let straight = direct.watch(half).await? as f64 / began.elapsed().as_secs_f64();
    drop(direct);
    let mut viewer = TerminalViewer::open(gateway.address(), 0).await?;
    viewer.watch(Duration::from_secs(1)).await?;
    let (cpu, messages) = (gateway.cpu_seconds()?, viewer.messages);
    let began = Instant::now();
    let through = viewer.watch(half).await? as f64 / began.elapsed().as_secs_f64();
    let elapsed = began.elapsed().as_secs_f64();
    let cpu = (gateway.cpu_seconds()? - cpu) / elapsed * 100.0;
    let fps = f64::from(viewer.messages - messages) / elapsed;
    let (mut typed, end) = (Vec::new(), Instant::now() + half);
    while Instant::now() < end {
        typed.push(viewer.key(KEY).await?);
        viewer.watch(Duration::from_millis(50)).await?;
    }
    let (p50, p95) = (percentile(&mut typed, 50)?, percentile(&mut typed, 95)?);
    Ok(Measured {
        case: Case::SshFlood.name(),
        cpu_percent: cpu,
        fps,
        mbit_s: through * 8e-6,
        added_ms_p50: None,
        added_ms_p95: None,
        rss_mib: gateway.rss_mib()?,
        notes: format!(
            "{:.0} MB/s, directly {:.0} MB/s; a key shows after {p50:.1} / {p95:.1} ms meanwhile, {} keys",
            through / 1e6,
            straight / 1e6,
            typed.len()
        ),
    })
}

pub(crate) async fn key(seconds: u64) -> Result<Measured> {
    const CAT: &str = "exec cat >/dev/null";
    let server = Sshd::start().await?;
    let gateway = gateway(&server, CAT).await?;
    let mut viewer = TerminalViewer::open(gateway.address(), 0).await?;
    let mut direct = DirectShell::open(&server, CAT).await?;
    viewer.watch(Duration::from_secs(1)).await?;
    let (cpu, bytes, messages) = (gateway.cpu_seconds()?, viewer.bytes, viewer.messages);
    let began = Instant::now();
    let (mut through, mut straight) = (Vec::new(), Vec::new());
    let mut round = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        // In turns, so that both see the same machine in the same mood.
        let there = viewer.key(KEY).await?;
        let here = direct.key(KEY).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
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
        case: Case::SshKey.name(),
        cpu_percent: (gateway.cpu_seconds()? - cpu) / elapsed * 100.0,
        fps: f64::from(viewer.messages - messages) / elapsed,
        mbit_s: (viewer.bytes - bytes) as f64 * 8e-6 / elapsed,
        added_ms_p50: Some(t50 - s50),
        added_ms_p95: Some(t95 - s95),
        rss_mib: gateway.rss_mib()?,
        notes: format!(
            "directly {s50:.2} / {s95:.2} ms, through Oriel {t50:.2} / {t95:.2} ms, {} keys each",
            through.len()
        ),
    })
}
