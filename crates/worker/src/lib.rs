//! A session's process: one connection to a machine, whose bytes are parsed where nothing else can be reached.
//!
//! The server starts it with two sockets (standard input and output, see `oriel_gateway::worker`) and a pipe for its log (standard error). It
//! locks itself up before it reads anything: no files, no network, no other processes, a bounded memory. It ends with its
//! connection and is never used again.

mod cage;
pub mod film;
mod limits;
mod program;
mod syscalls;

pub use cage::CageError;
pub use program::{COMMAND, FILM_COMMAND, film_program, program};

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// What the log shows: filters as `oriel config show` has them (`log`).
pub const LOG_VARIABLE: &str = "ORIEL_WORKER_LOG";
/// `json` for a log of JSON lines.
pub const LOG_FORMAT_VARIABLE: &str = "ORIEL_WORKER_LOG_FORMAT";
/// Most memory of one session, in MiB.
pub const MEMORY_VARIABLE: &str = "ORIEL_WORKER_MEMORY_MIB";

/// Libraries that tell more than an admin can use.
const QUIET: &str = "ironrdp_connector=error,ironrdp_session=error,sspi=off";

/// The whole process.
pub fn run() -> ExitCode {
    // Before there are threads, and before anything asks rustls which provider it has.
    oriel_gateway::memory::give_back();
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let (frames, doors) = match sockets() {
        Ok(sockets) => sockets,
        Err(error) => {
            eprintln!("error: oriel-session-worker is started by `oriel serve`, not by people: {error}");
            return ExitCode::from(2);
        }
    };
    start_log();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "A session's process cannot start");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = limits::set(memory_mib()).map_err(CageError::Limits).and_then(|()| cage::enter()) {
        tracing::error!(%error, "A session's process cannot lock itself up, and does not run without");
        return ExitCode::FAILURE;
    }
    match runtime.block_on(oriel_gateway::worker::serve(frames, doors)) {
        Ok(()) => ExitCode::SUCCESS,
        // The server went away in the middle of a word: there is nobody to tell.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "A session's process ends early");
            ExitCode::FAILURE
        }
    }
}

fn sockets() -> io::Result<(UnixStream, UnixStream)> {
    let (input, output) = (io::stdin(), io::stdout());
    Ok((socket(input.as_fd().try_clone_to_owned()?)?, socket(output.as_fd().try_clone_to_owned()?)?))
}

fn socket(fd: OwnedFd) -> io::Result<UnixStream> {
    let stream = UnixStream::from(fd);
    stream.peer_addr().map_err(|_| io::Error::other("standard input and output are not its sockets"))?;
    Ok(stream)
}

fn start_log() {
    let wanted = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(format!("{QUIET},{wanted}")).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    // Told on stderr, by a macro that panics: whoever read it may have gone.
    let log = log.log_internal_errors(false);
    if std::env::var(LOG_FORMAT_VARIABLE).is_ok_and(|format| format == "json") {
        log.json().init();
    } else {
        log.compact().init();
    }
}

fn memory_mib() -> u64 {
    std::env::var(MEMORY_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(limits::MEMORY_MIB)
}
