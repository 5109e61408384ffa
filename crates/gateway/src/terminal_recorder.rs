//! Records a terminal: everything that it shows, as lines of asciicast. Nothing is left out: while the storage is behind,
//! the shell is not read.

use crate::tape::{Tape, Wake};
use oriel_screen::recording::cast::CastWriter;

pub(crate) struct TerminalRecorder {
    tape: Tape,
    cast: CastWriter,
}

impl TerminalRecorder {
    pub fn start(mut tape: Tape, columns: u16, rows: u16) -> Self {
        let header =
            CastWriter::header(columns, rows, tape.started / 1_000_000, &tape.title, tape.watermark.as_deref());
        tape.push(true, header.as_bytes());
        Self { tape, cast: CastWriter::default() }
    }

    pub fn output(&mut self, bytes: &[u8]) {
        let line = self.cast.output(self.tape.ms(), bytes);
        if !line.is_empty() {
            self.tape.push(false, line.as_bytes());
        }
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        let line = CastWriter::resize(self.tape.ms(), columns, rows);
        self.tape.push(false, line.as_bytes());
    }

    pub fn is_ready(&self) -> bool {
        self.tape.is_ready()
    }

    pub fn wake(&self) -> Wake {
        self.tape.wake()
    }

    pub fn tick(&mut self) -> Result<(), String> {
        self.tape.tick()
    }

    pub async fn finish(mut self) {
        let last = self.cast.finish(self.tape.ms());
        self.tape.finish(last.as_bytes()).await;
    }
}
