//! `oriel-session-worker`: the lean program of a session. `oriel session-worker` is the same within the whole program, whose libraries
//! cost each session some MiB more.

fn main() -> std::process::ExitCode {
    oriel_worker::run()
}
