//! Other programs: argument vectors only, output line by line, and a "stop" that reaches everything they started.

use crate::{ImageError, Job};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;

/// What is kept of one line, in bytes.
const LINE_BYTES_MAX: usize = 4096;
/// How many of the last lines an error shows.
const TAIL_LINES: usize = 8;
/// The most that a program may answer on standard output when the answer is wanted whole.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Time to end by itself after SIGTERM.
const TERM_GRACE: Duration = Duration::from_millis(600);

pub(crate) struct Command {
    what: String,
    package: &'static str,
    program: OsString,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
}

impl Command {
    /// `what` is for error messages ("installing packages"), `package` the one that holds the program.
    pub fn new(what: &str, program: &str, package: &'static str) -> Self {
        Self { what: what.to_owned(), package, program: program.into(), args: Vec::new(), envs: Vec::new() }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Puts `program` and its arguments before this command.
    pub fn under<S: AsRef<OsStr>>(mut self, program: &str, args: impl IntoIterator<Item = S>) -> Self {
        let mut all: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        all.push(std::mem::replace(&mut self.program, program.into()));
        all.append(&mut self.args);
        self.args = all;
        self
    }

    fn spawn(&self) -> Result<Child, ImageError> {
        // Administrative programs are in sbin, which an ordinary user's PATH lacks.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut full = path.clone();
        full.push(if path.is_empty() { "" } else { ":" });
        full.push("/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin");
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(&self.args)
            .env("PATH", full)
            .env("LC_ALL", "C.UTF-8")
            .env_remove("LANGUAGE")
            .envs(self.envs.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                ImageError::MissingTool { program: self.program.to_string_lossy().into_owned(), package: self.package }
            }
            _ => ImageError::io("start", Path::new(&self.program), error),
        })
    }

    /// Runs to the end, giving every line of output (split at line feeds and carriage returns) to `on_line`.
    ///
    /// On cancel the whole process group is gone within a second.
    pub async fn run(self, job: &dyn Job, mut on_line: impl FnMut(&str) + Send) -> Result<(), ImageError> {
        let mut child = self.spawn()?;
        let mut out = Lines::new(child.stdout.take());
        let mut err = Lines::new(child.stderr.take());
        let mut tail = std::collections::VecDeque::new();
        while !(out.done && err.done) {
            let line = tokio::select! {
                biased;
                () = job.cancelled() => {
                    stop(&mut child).await;
                    return Err(ImageError::Cancelled);
                }
                line = out.next(), if !out.done => line,
                line = err.next(), if !err.done => line,
            };
            let Some(line) = line else { continue };
            let line = line.trim_end();
            if !line.is_empty() {
                on_line(line);
                if tail.len() == TAIL_LINES {
                    tail.pop_front();
                }
                tail.push_back(line.to_owned());
            }
        }
        let status = tokio::select! {
            biased;
            () = job.cancelled() => {
                stop(&mut child).await;
                return Err(ImageError::Cancelled);
            }
            status = child.wait() => status.map_err(|error| ImageError::io("wait for", Path::new(&self.program), error))?,
        };
        if status.success() { Ok(()) } else { Err(self.failed(&status.to_string(), tail)) }
    }

    /// Runs to the end and answers what it wrote to standard output, whatever its exit status was, with that status.
    pub async fn answer(
        self,
        job: &dyn Job,
        limit: Duration,
    ) -> Result<(Vec<u8>, std::process::ExitStatus, String), ImageError> {
        let mut child = self.spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let read = async { tokio::join!(read_bounded(out), read_bounded(err), child.wait()) };
        let outcome = tokio::select! {
            biased;
            () = job.cancelled() => Err(ImageError::Cancelled),
            () = tokio::time::sleep(limit) => Err(self.failed(&format!("no answer within {} s", limit.as_secs()), [])),
            done = read => Ok(done),
        };
        match outcome {
            Ok((out, err, status)) => {
                let status = status.map_err(|error| ImageError::io("wait for", Path::new(&self.program), error))?;
                Ok((out, status, String::from_utf8_lossy(&err).trim().chars().take(LINE_BYTES_MAX).collect()))
            }
            Err(error) => {
                stop(&mut child).await;
                Err(error)
            }
        }
    }

    fn failed(&self, status: &str, tail: impl IntoIterator<Item = String>) -> ImageError {
        let tail = tail.into_iter().collect::<Vec<_>>().join("; ");
        let full = tail.contains("No space left on device") || tail.contains("You don't have enough free space");
        if full {
            let path = self.args.last().map(std::path::PathBuf::from).unwrap_or_default();
            return ImageError::DiskFull { path, what: self.what.clone() };
        }
        let tail = if tail.is_empty() { "it said nothing".to_owned() } else { tail };
        ImageError::Command { what: self.what.clone(), status: status.to_owned(), tail }
    }
}

/// Ends the child and everything in its group: politely, then not.
async fn stop(child: &mut Child) {
    let Some(group) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) else { return };
    let _ = kill_process_group(group, Signal::TERM);
    let _ = tokio::time::timeout(TERM_GRACE, child.wait()).await;
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait().await;
}

async fn read_bounded(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(mut stream) = stream else { return bytes };
    let _ = (&mut stream).take(ANSWER_BYTES_MAX as u64).read_to_end(&mut bytes).await;
    // Drain what is too much, so that the program does not wait for ever.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    bytes
}

/// Lines of a stream; a line longer than the limit comes in pieces.
struct Lines<R> {
    stream: Option<R>,
    buffer: Vec<u8>,
    chunk: Box<[u8]>,
    done: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(stream: Option<R>) -> Self {
        Self { done: stream.is_none(), stream, buffer: Vec::new(), chunk: vec![0; LINE_BYTES_MAX].into_boxed_slice() }
    }

    /// The next line; none at the end, and now and then before it. Safe to drop half-way.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.iter().position(|b| matches!(b, b'\n' | b'\r')) {
                let line = self.buffer.drain(..=at).collect::<Vec<_>>();
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            if self.buffer.len() >= LINE_BYTES_MAX || (self.done && !self.buffer.is_empty()) {
                let line = std::mem::take(&mut self.buffer);
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            if self.done {
                return None;
            }
            let read = match &mut self.stream {
                Some(stream) => stream.read(&mut self.chunk).await.unwrap_or(0),
                None => 0,
            };
            if read == 0 {
                self.done = true;
                let line = std::mem::take(&mut self.buffer);
                return (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned());
            }
            self.buffer.extend_from_slice(self.chunk.get(..read).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quiet;
    use std::time::Instant;

    struct After(Instant);

    #[async_trait::async_trait]
    impl Job for After {
        fn progress(&self, _: f64, _: &str) {}
        fn log(&self, _: &str) {}
        async fn cancelled(&self) {
            tokio::time::sleep_until(self.0.into()).await;
        }
    }

    #[tokio::test]
    async fn lines_of_both_streams_and_the_tail_of_a_failure() {
        let mut seen = Vec::new();
        let command = Command::new("trying", "sh", "dash").args(["-c", "printf 'a\\rb\\n'; echo c >&2; exit 3"]);
        let error = command.run(&Quiet, |line| seen.push(line.to_owned())).await.unwrap_err().to_string();
        seen.sort();
        assert_eq!(seen, ["a", "b", "c"]);
        assert!(error.starts_with("trying failed (exit status: 3)"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_program_names_its_package() {
        let error = Command::new("x", "oriel-no-such-program", "the-package").run(&Quiet, |_| {}).await.unwrap_err();
        assert_eq!(error.code(), "missing_tool");
        assert!(error.to_string().contains("the-package"));
    }

    #[tokio::test]
    async fn cancel_ends_the_whole_group_at_once() {
        let job = After(Instant::now() + Duration::from_millis(200));
        let mut pids = Vec::new();
        let start = Instant::now();
        let command = Command::new("x", "sh", "dash")
            .args(["-c", "trap '' TERM; sh -c 'trap \"\" TERM; echo $$; sleep 60' & echo $$; sleep 60"]);
        let error = command.run(&job, |line| pids.push(line.to_owned())).await.unwrap_err();
        assert_eq!(error.code(), "cancelled");
        // Left alone they would take a minute; a busy machine takes its time to end them.
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        assert_eq!(pids.len(), 2);
        for pid in pids {
            let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            while !(state().is_empty() || state().contains(") Z ")) {
                assert!(start.elapsed() < Duration::from_secs(30), "{pid} still runs: {}", state());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    #[tokio::test]
    async fn endless_lines_are_cut() {
        let mut longest = 0;
        let command = Command::new("x", "sh", "dash").args(["-c", "head -c 100000 /dev/zero | tr '\\0' x"]);
        command.run(&Quiet, |line| longest = longest.max(line.len())).await.unwrap();
        assert!(longest <= 2 * LINE_BYTES_MAX, "{longest}");
    }
}
