//! The network `user`: one passt for each desktop (<https://passt.top>).
//!
//! ```text
//! guest ── QEMU ── unix socket ── passt ── ordinary sockets of this host ── world
//!                                   ▲
//!            127.0.0.1:BASE (RDP), 127.0.0.1:BASE+1 (SSH): where Oriel dials
//! ```
//! passt is no child of ours: it outlives Oriel, and goes when its machine goes (`--one-off`). `--no-map-gw` is what keeps
//! a guest from this host's loopback, where other programs trust whoever connects; other desktops' doors are on that
//! loopback too. Whether passt runs is read from `/proc`, never remembered.

use super::{QemuUser, RDP_PORT, SSH_PORT, places::Layout};
use crate::{
    ComputeError,
    command::{run, short},
};
use oriel_model::DesktopId;
use rustix::process::{Pid, Signal, kill_process};
use std::{fs, os::unix::fs::chown, path::Path, time::Duration};
use tokio::sync::OnceCell;

const PASST: &str = "passt";
const START_SECONDS_MAX: u64 = 15;
/// Longest path of a unix socket, in bytes (`sun_path` in unix(7), less the closing zero).
const SOCKET_BYTES_MAX: usize = 107;
/// An address that means this host's resolver, whatever that is, loopback included: only questions (port 53) get there.
const RESOLVER: &str = "169.254.53.53";
/// How often and how long to look whether a passt that was told to go has gone.
const GONE_LOOKS: u32 = 40;
const GONE_PAUSE: Duration = Duration::from_millis(25);

/// Whether passt is installed.
pub(super) async fn available() -> bool {
    static AVAILABLE: OnceCell<bool> = OnceCell::const_new();
    let look = || async { run(PASST, ["--version"], "say its version", START_SECONDS_MAX).await.is_ok() };
    *AVAILABLE.get_or_init(look).await
}

/// Makes a fresh passt listen for the desktop's machine, which is not running.
pub(super) async fn start(
    layout: &Layout,
    desktop: DesktopId,
    port_base: Option<u16>,
    qemu: QemuUser,
) -> Result<(), ComputeError> {
    let socket = layout.network_socket(desktop);
    if socket.as_os_str().len() > SOCKET_BYTES_MAX {
        let action = format!("use the socket {}", socket.display());
        let reason = format!("its path is longer than {SOCKET_BYTES_MAX} bytes; choose a shorter folder for sockets");
        return Err(ComputeError::Command { program: String::from(PASST), action, reason });
    }
    // One that waits for a machine which never came may have been told other ports.
    end(&socket).await;
    let folder = layout.make_run_folder(desktop)?;
    let _ = fs::remove_file(&socket);
    let privileged = rustix::process::geteuid().is_root();
    if privileged {
        chown(&folder, Some(qemu.user), Some(qemu.group)).map_err(ComputeError::file("hand over", &folder))?;
    }
    let output =
        run(PASST, arguments(&socket, port_base, privileged.then_some(qemu)), "start", START_SECONDS_MAX).await?;
    // It goes on without ports that others hold.
    if output.stderr.to_ascii_lowercase().contains("failed to bind") {
        end(&socket).await;
        return Err(ComputeError::Command {
            program: String::from(PASST),
            action: String::from("take the desktop's ports"),
            reason: short(&output.stderr),
        });
    }
    Ok(())
}

fn arguments(socket: &Path, port_base: Option<u16>, run_as: Option<QemuUser>) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["--socket", &socket.to_string_lossy(), "--one-off", "--quiet", "--no-map-gw"].map(String::from).into();
    arguments.extend(["--udp-ports", "none", "--dns", RESOLVER, "--dns-forward", RESOLVER].map(String::from));
    arguments.push(String::from("--tcp-ports"));
    arguments.push(match port_base.and_then(|base| Some((base, base.checked_add(1)?))) {
        Some((rdp, ssh)) => format!("127.0.0.1/{rdp}:{RDP_PORT},{ssh}:{SSH_PORT}"),
        None => String::from("none"),
    });
    if let Some(QemuUser { user, group }) = run_as.filter(|qemu| qemu.user != 0) {
        arguments.extend([String::from("--runas"), format!("{user}:{group}")]);
    }
    arguments
}

/// Ends the desktop's passt and removes its folder.
pub(super) async fn stop(layout: &Layout, desktop: DesktopId) -> Result<(), ComputeError> {
    end(&layout.network_socket(desktop)).await;
    let folder = layout.run_folder(desktop);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ComputeError::file("remove", &folder)(error)),
        _ => Ok(()),
    }
}

async fn end(socket: &Path) {
    for look in 0..GONE_LOOKS {
        let running = processes(socket);
        if running.is_empty() {
            return;
        }
        for pid in running {
            let signal = if look < GONE_LOOKS / 2 { Signal::TERM } else { Signal::KILL };
            let _ = kill_process(pid, signal);
        }
        tokio::time::sleep(GONE_PAUSE).await;
    }
}

/// Every passt that was told this very socket.
fn processes(socket: &Path) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let socket = socket.to_string_lossy();
    entries
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let mut words = line.split(|byte| *byte == 0);
            let passt = words.next()?.rsplit(|byte| *byte == b'/').next()?.starts_with(PASST.as_bytes());
            (passt && words.any(|word| word == socket.as_bytes())).then(|| Pid::from_raw(pid))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_loopback_and_nothing_else() {
        let line =
            arguments(Path::new("/run/oriel/x/net"), Some(24_000), Some(QemuUser { user: 7, group: 8 })).join(" ");
        assert!(
            line.contains("--no-map-gw")
                && line.contains("--tcp-ports 127.0.0.1/24000:3389,24001:22")
                && line.contains("--udp-ports none"),
            "{line}"
        );
        assert!(line.ends_with("--runas 7:8"), "{line}");
        assert!(arguments(Path::new("/x"), None, None).join(" ").ends_with("--tcp-ports none"));
    }
}
