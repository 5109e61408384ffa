//! A process that makes a film of a recording. What machines once sent is decoded in it, and in programs that it starts: none of them
//! reaches a network or a file but those of the film's own folder and of the system's libraries and fonts.

use crate::cage::{self, CageError};
use crate::limits;
use std::io;
use std::process::ExitCode;

/// The first argument of the lean program that makes it one of these.
pub const FILM: &str = "film";

/// The whole process: order and blocks on standard input, progress on standard output.
pub fn run() -> ExitCode {
    oriel_gateway::memory::give_back();
    let mut input = io::BufReader::new(io::stdin().lock());
    let made = oriel_film::child::run(&mut input, &mut io::stdout().lock(), |order| {
        limits::set_film()
            .map_err(CageError::Limits)
            .and_then(|()| cage::enter_film(&order.folder))
            .map_err(|e| e.to_string())
    });
    if made { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
