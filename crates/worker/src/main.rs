//! `oriel-session-worker`: the lean program of a session, and with `film` of making a film. `oriel session-worker` and `oriel film-worker`
//! are the same within the whole program, whose libraries cost each session some MiB more.

fn main() -> std::process::ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == oriel_worker::film::FILM) {
        return oriel_worker::film::run();
    }
    oriel_worker::run()
}
