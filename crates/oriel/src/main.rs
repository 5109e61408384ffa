//! The program: command line, configuration, and `serve`, which wires the house together.

mod absent;
mod archive;
mod cli;
mod client;
mod commands;
mod config;
mod demo;
mod failure;
mod jump;
mod lock;
mod memory;
mod output;
mod traces;
mod wires;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;
use tokio::runtime::{Builder, Runtime};

/// Threads that move bytes. Hashing, encoding and files have their own, which come and go.
const WORKERS_MAX: usize = 4;
/// Threads for what blocks.
const BLOCKING_MAX: usize = 64;

fn main() -> ExitCode {
    // Several providers are in the tree: rustls must be told which one, before anything asks it.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    oriel_gateway::memory::give_back();
    let cli = Cli::parse();
    if matches!(cli.command, Command::SessionWorker) {
        return oriel_worker::run();
    }
    if matches!(cli.command, Command::FilmWorker) {
        return oriel_worker::film::run();
    }
    // A node's pictures go through TLS to many at a time.
    let serving = matches!(cli.command, Command::Serve(_) | Command::Node(_));
    let runtime = match runtime(serving) {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(format!("error: cannot start: {error}"));
            return ExitCode::from(failure::FAILED);
        }
    };
    let done = runtime.block_on(cli.run());
    // What still blocks a thread (a library's call) does not hold the end up.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.what.is_empty() {
                output::say(failure.to_string());
            }
            ExitCode::from(failure.code)
        }
    }
}

fn runtime(serving: bool) -> std::io::Result<Runtime> {
    if !serving {
        return Builder::new_current_thread().enable_all().build();
    }
    let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, WORKERS_MAX);
    Builder::new_multi_thread().worker_threads(workers).max_blocking_threads(BLOCKING_MAX).enable_all().build()
}
