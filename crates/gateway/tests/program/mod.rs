//! The same tests twice: in one process, and with a process for each session (`crates/worker/tests`, which has that program).

use oriel_gateway::worker::WorkerProgram;
use oriel_gateway::{Dialler, Gateway};
use std::sync::Arc;

pub fn gateway(dialler: Arc<dyn Dialler>) -> Gateway {
    match option_env!("CARGO_BIN_EXE_oriel-session-worker") {
        Some(program) => {
            let environment = std::env::var_os("ORIEL_WORKER_LOG").map(|log| ("ORIEL_WORKER_LOG".into(), log));
            let environment = environment.into_iter().collect();
            Gateway::with_workers(
                dialler,
                WorkerProgram { program: program.into(), arguments: Vec::new(), environment },
            )
        }
        None => Gateway::new(dialler),
    }
}
