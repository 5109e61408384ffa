//! The world's side of the network `user`: for each desktop one passt, in a network namespace of its own made by pasta
//! (<https://passt.top>). The doors through which Oriel dials are QEMU's own affair and need nothing of this.
//!
//! ```text
//!                     ┌ namespace with a loopback of its own ┐
//! guest ── QEMU ── unix socket ── passt ──────────────── pasta ── ordinary sockets of this host ── world
//!                     └──────────────────────────────────────┘
//! ```
//! A desktop must reach the world, but neither this host's loopback, where programs trust whoever connects, nor other
//! desktops, whose doors are on that loopback. passt alone is not enough: `--no-map-gw` closes the gateway's address, but
//! passt before autumn 2023 (Debian 12's) also connects to 127.0.0.1 itself when root in the guest routes that address out
//! of its network card. In the namespace, 127.0.0.1 is an empty loopback, whatever the guest sends. (Nor do the doors lead
//! through it: that passt crashes when somebody connects inwards.)
//!
//! Both run as QEMU's user, are no children of ours in any way that matters (they outlive Oriel), and go when the machine
//! goes (`--one-off`). Whether they run is read from `/proc`, never remembered.

use crate::{QemuUser, places::Layout};
use oriel_compute::{ComputeError, command::short};
use oriel_model::DesktopId;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::{
    fs,
    net::IpAddr,
    os::unix::fs::chown,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{process::Command, sync::OnceCell};

const PASTA: &str = "pasta";
const START_SECONDS_MAX: u64 = 15;
/// Longest path of a unix socket, in bytes (`sun_path` in unix(7), less the closing zero).
const SOCKET_BYTES_MAX: usize = 107;
/// Most of the helper's complaints that are read, in bytes.
const LOG_BYTES_MAX: usize = 16 * 1024;
/// Most resolvers that a guest is told.
const RESOLVERS_MAX: usize = 3;
/// `nobody`, where QEMU itself runs as root.
const NOBODY: u32 = 65_534;
/// How often and how long to look whether a helper that was told to go has gone.
const GONE_LOOKS: u32 = 40;
const GONE_PAUSE: Duration = Duration::from_millis(25);

/// Whether desktops can have this network here; if not, why. Asked once.
pub(super) async fn usable(qemu: QemuUser) -> Result<(), String> {
    static USABLE: OnceCell<Result<(), String>> = OnceCell::const_new();
    let look = || async {
        // A namespace in which nothing happens: shows whether this user may make one.
        let mut command = Command::new(PASTA);
        command.args(["--config-net", "--quiet", "--no-map-gw", "--tcp-ports", "none", "--udp-ports", "none"]);
        command.args(["--tcp-ns", "none", "--udp-ns", "none", "--", "true"]);
        become_user(&mut command, qemu);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).env("LC_ALL", "C");
        let output = tokio::time::timeout(Duration::from_secs(START_SECONDS_MAX), command.output())
            .await
            .map_err(|_| format!("pasta did not finish within {START_SECONDS_MAX} s"))?
            .map_err(|error| format!("pasta, which comes with passt, does not start: {error}"))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(format!("pasta may not make a namespace: {}", short(&String::from_utf8_lossy(&output.stderr))))
        }
    };
    USABLE.get_or_init(look).await.clone()
}

/// Makes a fresh helper listen for the desktop's machine, which is not running.
pub(super) async fn start(layout: &Layout, desktop: DesktopId, qemu: QemuUser) -> Result<(), ComputeError> {
    let socket = layout.network_socket(desktop);
    let failed = |action: &str, reason: String| ComputeError::Command {
        program: String::from(PASTA),
        action: action.to_owned(),
        reason,
    };
    if socket.as_os_str().len() > SOCKET_BYTES_MAX {
        let reason = format!("its path is longer than {SOCKET_BYTES_MAX} bytes; choose a shorter folder for sockets");
        return Err(failed(&format!("use the socket {}", socket.display()), reason));
    }
    // One that waits for a machine which never came may have been told other resolvers.
    end(&socket).await;
    let folder = layout.make_run_folder(desktop)?;
    let _ = fs::remove_file(&socket);
    if let Some((user, group)) = other_user(qemu) {
        chown(&folder, Some(user), Some(group)).map_err(ComputeError::file("hand over", &folder))?;
    }
    // Not a pipe: it must be able to complain when we are gone.
    let log = folder.join("net.log");
    let file = fs::File::create(&log).map_err(ComputeError::file("write", &log))?;
    let second = file.try_clone().map_err(ComputeError::file("write", &log))?;
    let mut command = Command::new(PASTA);
    command.args(arguments(&socket, &resolvers())).stdin(Stdio::null()).stdout(file).stderr(second).env("LC_ALL", "C");
    become_user(&mut command, qemu);
    // Ctrl-C in Oriel's terminal is not for desktops.
    let mut child = command.process_group(0).spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ComputeError::ProgramMissing { program: String::from(PASTA) },
        _ => failed("start", error.to_string()),
    })?;
    let complaint = || {
        let mut text = fs::read(&log).unwrap_or_default();
        text.truncate(LOG_BYTES_MAX);
        short(&String::from_utf8_lossy(&text))
    };
    let since = Instant::now();
    let result = loop {
        if let Ok(Some(_)) = child.try_wait() {
            break Err(failed("start the desktop's network", complaint()));
        }
        if socket.exists() {
            break Ok(());
        }
        if since.elapsed() > Duration::from_secs(START_SECONDS_MAX) {
            break Err(failed(
                "start the desktop's network",
                format!("no socket after {START_SECONDS_MAX} s: {}", complaint()),
            ));
        }
        tokio::time::sleep(GONE_PAUSE).await;
    };
    // Collects it when it ends while we are here; afterwards that is init's work.
    tokio::spawn(async move { child.wait().await });
    if result.is_err() {
        end(&socket).await;
    }
    result
}

/// Whom the helpers run as, where that is not ourselves.
fn other_user(qemu: QemuUser) -> Option<(u32, u32)> {
    let other = if qemu.user == 0 { (NOBODY, NOBODY) } else { (qemu.user, qemu.group) };
    geteuid().is_root().then_some(other)
}

fn become_user(command: &mut Command, qemu: QemuUser) {
    // From the start, not by pasta's own --runas: it could not map users after that.
    if let Some((user, group)) = other_user(qemu) {
        command.uid(user).gid(group);
    }
}

fn arguments(socket: &Path, resolvers: &[IpAddr]) -> Vec<String> {
    const CLOSED: [&str; 6] = ["--quiet", "--no-map-gw", "--tcp-ports", "none", "--udp-ports", "none"];
    let pasta = ["--config-net", "--tcp-ns", "none", "--udp-ns", "none"].into_iter().chain(CLOSED);
    let passt = ["--", "passt", "--foreground", "--one-off"].into_iter().chain(CLOSED);
    let mut all: Vec<String> = pasta.chain(passt).map(String::from).collect();
    all.extend([String::from("--socket"), socket.to_string_lossy().into_owned()]);
    all.extend(resolvers.iter().flat_map(|resolver| [String::from("--dns"), resolver.to_string()]));
    all
}

/// Resolvers to tell guests about, where this host's own are on its loopback, which guests do not reach: those behind
/// systemd's. Nothing where `/etc/resolv.conf` will do, which passt reads itself.
fn resolvers() -> Vec<IpAddr> {
    let read = |path: &str| reachable(&fs::read_to_string(path).unwrap_or_default());
    if read("/etc/resolv.conf").is_empty() { read("/run/systemd/resolve/resolv.conf") } else { Vec::new() }
}

fn reachable(text: &str) -> Vec<IpAddr> {
    let named = text.lines().filter_map(|line| line.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
    named.filter(|address| !address.is_loopback()).take(RESOLVERS_MAX).collect()
}

/// Ends the desktop's helpers and removes their folder.
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

/// Every helper that was told this very socket.
fn processes(socket: &Path) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let socket = socket.to_string_lossy();
    entries
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let mut words = line.split(|byte| *byte == 0);
            let program = words.next()?.rsplit(|byte| *byte == b'/').next()?;
            let helper = program.starts_with(b"passt") || program.starts_with(b"pasta");
            (helper && words.any(|word| word == socket.as_bytes())).then(|| Pid::from_raw(pid))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_nothing_inwards() {
        let line = arguments(Path::new("/run/oriel/x/net"), &["9.9.9.9".parse().unwrap()]).join(" ");
        let (pasta, passt) = line.split_once(" -- passt ").unwrap();
        assert!(pasta.contains("--tcp-ns none --udp-ns none"), "{line}");
        for part in [pasta, passt] {
            assert!(part.contains("--no-map-gw --tcp-ports none --udp-ports none"), "{line}");
        }
        assert!(passt.ends_with("--socket /run/oriel/x/net --dns 9.9.9.9"), "{line}");
    }

    #[test]
    fn guests_are_told_resolvers_they_can_reach() {
        assert_eq!(
            reachable("nameserver 127.0.0.53\nnameserver ::1\noptions x\nnameserver 192.0.2.53\n"),
            ["192.0.2.53".parse::<IpAddr>().unwrap()]
        );
    }
}
