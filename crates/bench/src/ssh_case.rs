//! The cases of a shell.

use crate::case::{Keys, Measured, Stretch, percentile};
use crate::process::Gateway;
use crate::serve::Server;
use crate::sshd::Sshd;
use crate::target::Target;
use crate::terminal_viewer::{DirectShell, TerminalViewer, Typist};
use crate::viewer::Viewer;
use crate::vnc_case::SCROLL;
use anyhow::Result;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Lines without the letter that is typed meanwhile.
const FLOOD: &str = "yes 'the quick brown fox jumps over the lazy dog and runs away from it' & exec cat >/dev/null";
/// Shells that memory is measured with.
const MEMORY_SESSIONS: u32 = 10;
/// Typed: nothing else prints it.
const KEY: &[u8] = b"Z";

/// What is kept for as long as it is measured, the server, and what stands before it.
async fn start(target: &Target, command: &str) -> Result<(Option<Sshd>, Server, Gateway)> {
    let (sshd, server) = match target.server(command).await? {
        Some(server) => (None, server),
        None => {
            let sshd = Sshd::start().await?;
            let (address, folder) = (sshd.address(), Some(sshd.folder().to_owned()));
            (Some(sshd), Server::Ssh { address, folder, command: command.to_owned() })
        }
    };
    let gateway = Gateway::before(&server, target).await?;
    Ok((sshd, server, gateway))
}

/// guacd shows shells as pictures: a key shows when they change.
async fn key_in_pictures(seconds: u64, gateway: &Gateway, direct: &mut DirectShell) -> Result<Measured> {
    let mut viewer = Viewer::open(gateway, 0, 0).await?;
    viewer.settle(Duration::from_secs(1)).await?;
    let stretch = Stretch::of(gateway, &viewer)?;
    let mut keys = Keys::default();
    while stretch.is_within(seconds) {
        let there = viewer.key().await?;
        let here = direct.key(KEY).await?;
        viewer.settle(Duration::from_millis(50)).await?;
        keys.add(there, here);
    }
    keys.told(stretch.end_of(gateway, &viewer, String::new())?)
}

pub(crate) async fn key(seconds: u64, target: &Target) -> Result<Measured> {
    const CAT: &str = "exec cat >/dev/null";
    let (_sshd, server, gateway) = start(target, CAT).await?;
    let mut direct = DirectShell::open(&server).await?;
    if matches!(target, Target::Guacd(_)) {
        return key_in_pictures(seconds, &gateway, &mut direct).await;
    }
    let mut viewer = TerminalViewer::open(&gateway, 0).await?;
    viewer.watch(Duration::from_secs(1)).await?;
    let stretch = Stretch::begin(&gateway, viewer.messages, viewer.bytes)?;
    let mut keys = Keys::default();
    while stretch.is_within(seconds) {
        // In turns, so that both see the same machine in the same mood.
        let there = viewer.key(KEY).await?;
        let here = direct.key(KEY).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
        keys.add(there, here);
    }
    keys.told(stretch.end(&gateway, viewer.messages, viewer.bytes, String::new())?)
}

pub(crate) async fn scroll(seconds: u64, target: &Target) -> Result<Measured> {
    let (_sshd, _, gateway) = start(target, &format!("exec bash -c '{SCROLL}'")).await?;
    if matches!(target, Target::Guacd(_)) {
        let mut viewer = Viewer::open(&gateway, 0, 0).await?;
        viewer.watch(Duration::from_secs(2)).await?;
        let stretch = Stretch::of(&gateway, &viewer)?;
        viewer.watch(Duration::from_secs(seconds)).await?;
        return stretch.end_of(&gateway, &viewer, format!("20 lines/s, as pictures; {}", viewer.mix()));
    }
    let empty = gateway.pss_mib()?;
    let mut viewer = TerminalViewer::open(&gateway, 0).await?;
    viewer.watch(Duration::from_secs(1)).await?;
    let stretch = Stretch::begin(&gateway, viewer.messages, viewer.bytes)?;
    viewer.watch(Duration::from_secs(seconds)).await?;
    let measured = stretch.end(&gateway, viewer.messages, viewer.bytes, String::new())?;
    // What sessions share is shared by more than one where it matters.
    let mut others = Vec::new();
    for person in 1..MEMORY_SESSIONS {
        let mut other = TerminalViewer::open(&gateway, person).await?;
        other.watch(Duration::from_millis(500)).await?;
        others.push(other);
    }
    let mut notes = format!("20 lines/s; {MEMORY_SESSIONS} such shells");
    if let Some((full, empty)) = gateway.pss_mib()?.zip(empty) {
        let each = (full - empty) / f64::from(MEMORY_SESSIONS);
        write!(notes, ": {each:.1} MiB each over {empty:.1} MiB without any")?;
    }
    Ok(Measured { notes, ..measured })
}

/// First the flood alone, directly and through the gateway; then keys in it.
pub(crate) async fn flood(seconds: u64, target: &Target) -> Result<Measured> {
    let (_sshd, server, gateway) = start(target, FLOOD).await?;
    let half = Duration::from_secs(seconds.div_ceil(2));
    let straight = {
        let mut direct = DirectShell::open(&server).await?;
        direct.watch(Duration::from_secs(1)).await?;
        let began = Instant::now();
        direct.watch(half).await? as f64 / began.elapsed().as_secs_f64()
    };
    let mut viewer = TerminalViewer::open(&gateway, 0).await?;
    viewer.watch(Duration::from_secs(1)).await?;
    let stretch = Stretch::begin(&gateway, viewer.messages, viewer.bytes)?;
    viewer.watch(half).await?;
    let measured = stretch.end(&gateway, viewer.messages, viewer.bytes, String::new())?;
    let (mut typed, end) = (Vec::new(), Instant::now() + half);
    while Instant::now() < end {
        typed.push(viewer.key(KEY).await?);
        viewer.watch(Duration::from_millis(50)).await?;
    }
    let (p50, p95) = (percentile(&mut typed, 50)?, percentile(&mut typed, 95)?);
    let notes = format!(
        "{:.0} MB/s, directly {:.0} MB/s; a key shows after {p50:.1} / {p95:.1} ms meanwhile, {} keys",
        measured.mbit_s / 8.0,
        straight / 1e6,
        typed.len()
    );
    Ok(Measured { notes, ..measured })
}
