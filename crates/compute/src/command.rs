//! Running other programs: argument vectors only, a time limit always.

use crate::ComputeError;
use std::{ffi::OsStr, process::Stdio, time::Duration};
use tokio::process::Command;

/// Most of a program's complaint that an error repeats, in characters.
const REASON_CHARS_MAX: usize = 600;

/// What a program ended with and said.
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs to the end, whatever the exit status; killed when it takes longer than `seconds`.
pub async fn run_any<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
    action: &str,
    seconds: u64,
) -> Result<Output, ComputeError> {
    let child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ComputeError::ProgramMissing { program: program.to_owned() },
            _ => ComputeError::Command {
                program: program.to_owned(),
                action: action.to_owned(),
                reason: error.to_string(),
            },
        })?;
    let output = tokio::time::timeout(Duration::from_secs(seconds), child.wait_with_output())
        .await
        .map_err(|_| ComputeError::CommandSlow { program: program.to_owned(), action: action.to_owned(), seconds })?
        .map_err(|error| ComputeError::Command {
            program: program.to_owned(),
            action: action.to_owned(),
            reason: error.to_string(),
        })?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
}

/// Runs to the end and wants success; gives what it printed.
pub async fn run<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
    action: &str,
    seconds: u64,
) -> Result<Output, ComputeError> {
    let output = run_any(program, arguments, action, seconds).await?;
    if output.code == Some(0) {
        return Ok(output);
    }
    Err(ComputeError::Command { program: program.to_owned(), action: action.to_owned(), reason: short(&output.stderr) })
}

/// A complaint on one line, bounded.
pub fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { String::from("it gave no reason") } else { line.chars().take(REASON_CHARS_MAX).collect() }
}
