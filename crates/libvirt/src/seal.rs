//! A guest forgets who it is, told by the host through the QEMU guest agent: fixed programs with fixed arguments, each waited for. The guest's
//! disk is never mounted here.
//!
//! The agent's commands: <https://www.qemu.org/docs/master/interop/qemu-ga-ref.html> (`guest-ping`, `guest-exec`, `guest-exec-status`).

use crate::{LibvirtCompute, connection, find};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use oriel_compute::{ComputeError, Sealed, command::short};
use oriel_model::{DesktopId, ImageOs};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use virt::error::{Error, ErrorNumber};

/// The agent itself answers at once where it listens.
const AGENT_SECONDS_MAX: i32 = 10;
/// One program in the guest. Software emulation is slow, and cloud-init is written in Python.
const PROGRAM_SECONDS_MAX: u64 = 300;
/// Sysprep has begun when it has not given up by then.
const SYSPREP_SECONDS: u64 = 20;
/// A home is taken out so often, a second apart: what was just killed in it takes a moment to go.
const UNMOUNTS_MAX: u32 = 5;
const LOOK: Duration = Duration::from_millis(250);
/// Longest name of an account (`useradd(8)`).
const ACCOUNT_BYTES_MAX: usize = 32;

const SYSPREP: &str = r"C:\Windows\System32\Sysprep\sysprep.exe";
const SYSPREP_LOG: &str = r"C:\Windows\System32\Sysprep\Panther\setuperr.log";
const SYSPREP_ARGUMENTS: [&str; 4] = ["/generalize", "/oobe", "/shutdown", "/quiet"];

/// A program that runs in the guest.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    program: &'static str,
    arguments: Vec<String>,
    /// Exit codes with which it is done.
    fine: &'static [i64],
}

impl Step {
    fn new(program: &'static str, arguments: &[&str], fine: &'static [i64]) -> Self {
        Self { program, arguments: arguments.iter().map(|one| (*one).to_owned()).collect(), fine }
    }
}

/// Before anything is undone.
fn first() -> Step {
    Step::new("cloud-init", &["--version"], &[0])
}

fn home_of(account: &str) -> String {
    format!("/home/{account}")
}

/// Consoles that sign somebody in by themselves would do so again at once.
fn close() -> Step {
    Step::new("systemctl", &["stop", "getty@*.service", "serial-getty@*.service"], &[0, 1, 5])
}

/// Nothing of the account goes on, and nothing of an RDP session is mounted in its home.
fn leave(account: &str) -> [Step; 2] {
    [
        // 1: nothing runs. 2: there is no such account.
        Step::new("pkill", &["-KILL", "-u", account], &[0, 1, 2]),
        // Where the drive of an RDP session was, whose program is gone.
        Step::new("umount", &["-l", &format!("{}/thinclient_drives", home_of(account))], &[0, 1, 32]),
    ]
}

/// With nothing mounted at its home: that would be emptied.
fn forget_account(account: &str) -> [Step; 2] {
    [
        // 6: there is no such account.
        Step::new("userdel", &["-f", "--", account], &[0, 6]),
        Step::new("rm", &["-rf", "--one-file-system", "--", &home_of(account), &format!("/var/mail/{account}")], &[0]),
    ]
}

/// What every clone makes for itself when it starts first.
fn forget() -> [Step; 5] {
    [
        Step::new("cloud-init", &["clean", "--logs", "--seed"], &[0]),
        // Empty, as machine-id(5) asks of images: `uninitialized`, which cloud-init writes, would have units enabled that were switched off.
        Step::new("truncate", &["-s", "0", "/etc/machine-id"], &[0]),
        Step::new(
            "rm",
            &[
                "-f",
                "--",
                "/etc/ssh/ssh_host_dsa_key",
                "/etc/ssh/ssh_host_dsa_key.pub",
                "/etc/ssh/ssh_host_ecdsa_key",
                "/etc/ssh/ssh_host_ecdsa_key.pub",
                "/etc/ssh/ssh_host_ed25519_key",
                "/etc/ssh/ssh_host_ed25519_key.pub",
                "/etc/ssh/ssh_host_rsa_key",
                "/etc/ssh/ssh_host_rsa_key.pub",
                "/etc/xrdp/cert.pem",
                "/etc/xrdp/key.pem",
                "/etc/oriel/user",
                "/var/lib/dbus/machine-id",
                "/var/lib/systemd/random-seed",
            ],
            &[0],
        ),
        Step::new(
            "find",
            &["/root", "/home", "-xdev", "-maxdepth", "2", "-type", "f", "-name", ".*_history", "-delete"],
            &[0],
        ),
        Step::new("sync", &[], &[0]),
    ]
}

#[derive(Deserialize)]
struct Answer<T> {
    #[serde(rename = "return")]
    value: T,
}

#[derive(Deserialize)]
struct Begun {
    pid: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Status {
    exited: bool,
    exitcode: Option<i64>,
    signal: Option<i64>,
    out_data: Option<String>,
    err_data: Option<String>,
}

impl Status {
    fn words(&self) -> String {
        let said = [&self.err_data, &self.out_data].into_iter().flatten().find_map(|data| {
            let text = String::from_utf8_lossy(&STANDARD.decode(data).ok()?).into_owned();
            (!text.trim().is_empty()).then_some(text)
        });
        let how = match (self.exitcode, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => String::from("no exit code"),
        };
        said.map_or_else(|| how.clone(), |said| format!("{how}: {}", short(&said)))
    }
}

/// Names as Oriel gives them to accounts; they become parts of paths.
fn is_account(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= ACCOUNT_BYTES_MAX
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && name.bytes().all(is_part)
}

fn not_sealed(reason: impl Into<String>) -> ComputeError {
    ComputeError::NotSealed { reason: reason.into() }
}

/// What libvirt says where the agent does not answer, or says no.
fn refused(error: Error) -> ComputeError {
    let reason = short(error.message());
    match error.code() {
        ErrorNumber::AgentUnresponsive | ErrorNumber::AgentCommandTimeout | ErrorNumber::ArgumentUnsupported => {
            ComputeError::NoAgent { reason }
        }
        ErrorNumber::AgentCommandFailed => not_sealed(format!("its guest agent says: {reason}")),
        _ => connection::failed("ask the guest's agent")(error),
    }
}

impl LibvirtCompute {
    async fn ask_agent<T: DeserializeOwned>(&self, desktop: DesktopId, command: &Value) -> Result<T, ComputeError> {
        let text = command.to_string();
        let answer = self
            .with(move |connect, home| {
                let (domain, _) = find(connect, home, desktop)?.ok_or(ComputeError::NoMachine)?;
                if !domain.is_active().map_err(connection::failed("look at the machine"))? {
                    return Err(ComputeError::NotRunning);
                }
                domain.qemu_agent_command(&text, AGENT_SECONDS_MAX, 0).map_err(refused)
            })
            .await?;
        let answer: Answer<T> = serde_json::from_str(&answer)
            .map_err(|error| not_sealed(format!("what its guest agent answered is not understood: {error}")))?;
        Ok(answer.value)
    }

    pub(super) async fn ping_agent(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        self.ask_agent::<Value>(desktop, &json!({ "execute": "guest-ping" })).await.map(drop)
    }

    async fn begin(&self, desktop: DesktopId, program: &str, arguments: &[String]) -> Result<i64, ComputeError> {
        let command = json!({
            "execute": "guest-exec",
            "arguments": { "path": program, "arg": arguments, "capture-output": true },
        });
        Ok(self.ask_agent::<Begun>(desktop, &command).await?.pid)
    }

    async fn status(&self, desktop: DesktopId, pid: i64) -> Result<Status, ComputeError> {
        self.ask_agent(desktop, &json!({ "execute": "guest-exec-status", "arguments": { "pid": pid } })).await
    }

    /// Answers its exit code, which is one of the fine ones.
    async fn run_in_guest(&self, desktop: DesktopId, step: &Step) -> Result<i64, ComputeError> {
        let pid = self.begin(desktop, step.program, &step.arguments).await?;
        let began = Instant::now();
        loop {
            let status = self.status(desktop, pid).await?;
            if status.exited {
                return match status.exitcode {
                    Some(code) if step.fine.contains(&code) => Ok(code),
                    _ => Err(not_sealed(format!("in the guest, {} ended with {}", step.program, status.words()))),
                };
            }
            if began.elapsed() > Duration::from_secs(PROGRAM_SECONDS_MAX) {
                return Err(not_sealed(format!(
                    "in the guest, {} is not done after {PROGRAM_SECONDS_MAX} s",
                    step.program
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(super) async fn seal_guest(
        &self,
        desktop: DesktopId,
        os: ImageOs,
        account: Option<&str>,
    ) -> Result<Sealed, ComputeError> {
        self.ping_agent(desktop).await?;
        match os {
            ImageOs::Linux => self.seal_linux(desktop, account).await,
            ImageOs::Windows => self.seal_windows(desktop).await,
            ImageOs::Other => Err(not_sealed("how its system forgets who it is, nobody knows")),
        }
    }

    async fn seal_linux(&self, desktop: DesktopId, account: Option<&str>) -> Result<Sealed, ComputeError> {
        self.run_in_guest(desktop, &first()).await?;
        if let Some(account) = account {
            if !is_account(account) {
                return Err(not_sealed(format!("{account:?} is no name of an account of Oriel's")));
            }
            self.take_home_out(desktop, account).await?;
            for step in forget_account(account) {
                self.run_in_guest(desktop, &step).await?;
            }
        }
        for step in forget() {
            self.run_in_guest(desktop, &step).await?;
        }
        Ok(Sealed::Done)
    }

    /// What is mounted at the home is a personal disk: it is none of the image's, and keeps what it holds.
    async fn take_home_out(&self, desktop: DesktopId, account: &str) -> Result<(), ComputeError> {
        let home = home_of(account);
        // 1 and 32: nothing is mounted there, or it is not there.
        let is_mounted = Step::new("mountpoint", &["-q", &home], &[0, 1, 32]);
        // A guest without systemd has none of them.
        self.run_in_guest(desktop, &close()).await.ok();
        for attempt in 1..=UNMOUNTS_MAX {
            for step in leave(account) {
                self.run_in_guest(desktop, &step).await?;
            }
            if self.run_in_guest(desktop, &is_mounted).await? != 0 {
                return Ok(());
            }
            let fine: &'static [i64] = if attempt < UNMOUNTS_MAX { &[0, 32] } else { &[0] };
            self.run_in_guest(desktop, &Step::new("umount", &[&home], fine)).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if self.run_in_guest(desktop, &is_mounted).await? != 0 {
            return Ok(());
        }
        Err(not_sealed(format!("in the guest, something is still mounted at {home}")))
    }

    /// It shuts the guest down by itself, when it is done.
    async fn seal_windows(&self, desktop: DesktopId) -> Result<Sealed, ComputeError> {
        let arguments: Vec<String> = SYSPREP_ARGUMENTS.iter().map(|one| (*one).to_owned()).collect();
        let pid = self.begin(desktop, SYSPREP, &arguments).await?;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(SYSPREP_SECONDS) {
            tokio::time::sleep(LOOK).await;
            match self.status(desktop, pid).await {
                Ok(status) if status.exited && status.exitcode != Some(0) => {
                    return Err(not_sealed(format!(
                        "in the guest, sysprep ended with {}; it says why in {SYSPREP_LOG}",
                        status.words()
                    )));
                }
                Ok(status) if status.exited => break,
                Ok(_) => {}
                // The agent goes with the rest.
                Err(_) => break,
            }
        }
        Ok(Sealed::GoesOff)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_accounts_become_paths() {
        for good in ["alice", "a.b-c_1", "_x"] {
            assert!(is_account(good), "{good}");
        }
        for bad in ["", "..", "-rf", "a/b", "a b", "Alice", "a\0", &"a".repeat(33)] {
            assert!(!is_account(bad), "{bad:?}");
        }
    }

    #[test]
    fn what_a_program_said_is_told() {
        let status: Answer<Status> =
            serde_json::from_str(r#"{"return":{"exited":true,"exitcode":2,"err-data":"bm8gc3VjaCBvcHRpb24K"}}"#)
                .unwrap();
        assert_eq!(status.value.words(), "exit code 2: no such option");
        let status: Answer<Status> = serde_json::from_str(r#"{"return":{"exited":true,"signal":9}}"#).unwrap();
        assert_eq!(status.value.words(), "signal 9");
    }

    #[test]
    fn a_home_is_removed_within_its_file_system_only() {
        let [user, home] = forget_account("alice");
        assert_eq!(user.arguments, ["-f", "--", "alice"]);
        assert_eq!(home.arguments, ["-rf", "--one-file-system", "--", "/home/alice", "/var/mail/alice"]);
    }
}
