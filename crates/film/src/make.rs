//! The server's side: a process is started, fed, listened to, and ended with whoever waits for it.

use crate::order::Said;
use crate::{FILM_STALL_MAX, FILM_TIME_MAX, FilmError, LINE_BYTES_MAX, Made, Order};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use oriel_screen::recording::{BlockHead, BlockKind};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// What is passed on of the environment: where programs and letters are.
const ENVIRONMENT: [&str; 3] = ["PATH", "FONTCONFIG_PATH", "FONTCONFIG_FILE"];
/// What a process says before it dies, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 4096;

/// The program that makes films.
#[derive(Clone, Debug)]
pub struct FilmProgram {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

/// The process and everything that it started; gone when this is.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            kill_process_group(pid, Signal::KILL).ok();
        }
    }
}

/// Makes a film in the order's folder, which is there and empty. `first` are the header and the chunks that begin with a whole picture,
/// `all` the whole container, block by block. `at` hears how many milliseconds of the recording are in it. Dropping the future ends it.
pub async fn make<E: Display>(
    program: &FilmProgram,
    order: &Order,
    first: impl Stream<Item = Result<Bytes, E>>,
    all: impl Stream<Item = Result<Bytes, E>>,
    at: impl Fn(u32),
) -> Result<Made, FilmError> {
    let mut command = Command::new(&program.program);
    command
        .args(&program.arguments)
        .env_clear()
        .envs(ENVIRONMENT.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", &order.folder)
        .current_dir(&order.folder)
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut group = Group(command.spawn().map_err(FilmError::Start)?);
    let broken = || FilmError::Failed("the process that makes the film has no standard streams".into());
    let input = group.0.stdin.take().ok_or_else(broken)?;
    let output = BufReader::new(group.0.stdout.take().ok_or_else(broken)?);
    let mut complaints = group.0.stderr.take().ok_or_else(broken)?;

    // What could not be read: the process only sees that nothing more comes.
    let lost = OnceLock::new();
    let read = |block: Result<Bytes, E>| block.map_err(|error| drop(lost.set(error.to_string()))).ok();
    let feed = async {
        // Its end is the process' as well.
        let mut input = input;
        let mut line = serde_json::to_vec(order).unwrap_or_default();
        line.push(b'\n');
        let mut end = Vec::new();
        BlockHead { kind: BlockKind::Index, key: false, number: 0, length: 0 }.encode(&mut end);
        // A process that ends early says why itself.
        let mut open = input.write_all(&line).await.is_ok();
        let (mut first, mut all) = (std::pin::pin!(first), std::pin::pin!(all));
        while open && let Some(block) = first.next().await {
            let Some(block) = read(block) else { return };
            open = input.write_all(&block).await.is_ok();
        }
        open = open && input.write_all(&end).await.is_ok();
        while open && let Some(block) = all.next().await {
            let Some(block) = read(block) else { return };
            open = input.write_all(&block).await.is_ok();
        }
        if open {
            input.write_all(&end).await.ok();
        }
        input.shutdown().await.ok();
    };
    let listen = async {
        let mut lines = output.take(u64::MAX);
        loop {
            let mut line = Vec::new();
            lines.set_limit(LINE_BYTES_MAX as u64);
            match timeout(FILM_STALL_MAX, lines.read_until(b'\n', &mut line)).await {
                Err(_) => return Err(FilmError::Stalled),
                Ok(Err(error)) => return Err(FilmError::Failed(error.to_string())),
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(_)) => {}
            }
            match serde_json::from_slice(&line) {
                Ok(Said::At(ms)) => at(ms),
                Ok(Said::Done(made)) => return Ok(Some(made)),
                Ok(Said::Failed(why)) => return Err(FilmError::Failed(why)),
                Ok(Said::NoFfmpeg) => return Err(FilmError::NoFfmpeg),
                Err(error) => {
                    return Err(FilmError::Failed(format!("the process that makes the film says nonsense: {error}")));
                }
            }
        }
    };
    let complain = async {
        let mut said = Vec::new();
        (&mut complaints).take(COMPLAINT_BYTES_MAX).read_to_end(&mut said).await.ok();
        tokio::io::copy(&mut complaints, &mut tokio::io::sink()).await.ok();
        String::from_utf8_lossy(&said).trim().to_owned()
    };
    // Fed and heard together: what it has to say may come while it is fed, or instead.
    let work = async {
        let (heard, ((), said)) = tokio::try_join!(listen, async { Ok(tokio::join!(feed, complain)) })?;
        heard.ok_or_else(|| {
            FilmError::Failed(format!(
                "the process that makes the film ended early{}{said}; look at the log, and at the free memory",
                if said.is_empty() { "" } else { ": " }
            ))
        })
    };
    let outcome = timeout(FILM_TIME_MAX, work).await.unwrap_or(Err(FilmError::TooLong));
    match lost.into_inner() {
        Some(why) => Err(FilmError::Reading(why)),
        None => outcome,
    }
}
