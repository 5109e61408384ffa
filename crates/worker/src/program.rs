//! Which program a session's process runs.

use crate::{LOG_FORMAT_VARIABLE, LOG_VARIABLE};
use oriel_film::FilmProgram;
use oriel_gateway::worker::WorkerProgram;
use std::io;

/// The lean program's name.
const LEAN: &str = "oriel-session-worker";
/// The part that the whole program plays otherwise.
pub const COMMAND: &str = "session-worker";

/// The same of making films.
pub const FILM_COMMAND: &str = "film-worker";

/// The program that makes films: as [`program`], the lean one where it is.
pub fn film_program() -> io::Result<FilmProgram> {
    let own = std::env::current_exe()?;
    let lean = own.with_file_name(LEAN);
    let (program, argument) = if lean.is_file() { (lean, crate::film::FILM) } else { (own, FILM_COMMAND) };
    Ok(FilmProgram { program, arguments: vec![argument.into()] })
}

/// The lean program beside this one; where there is none, this one itself, whose libraries cost each session some MiB more.
/// `log` are filters of `tracing_subscriber`, `json` says whether the log has JSON lines.
pub fn program(log: &str, json: bool) -> io::Result<WorkerProgram> {
    let own = std::env::current_exe()?;
    let lean = own.with_file_name(LEAN);
    let (program, arguments) = if lean.is_file() { (lean, Vec::new()) } else { (own, vec![COMMAND.into()]) };
    let mut environment = vec![(LOG_VARIABLE.into(), log.into())];
    if json {
        environment.push((LOG_FORMAT_VARIABLE.into(), "json".into()));
    }
    Ok(WorkerProgram { program, arguments, environment })
}
