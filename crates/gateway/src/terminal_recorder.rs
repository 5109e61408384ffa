//! Records a terminal: everything that it shows, as lines of asciicast. Nothing is left out: while the storage is behind,
//! the shell is not read.

use crate::tape::{NOTES_BYTES_MAX, Tape, Wake};
use oriel_screen::recording::cast::CastWriter;

pub(crate) struct TerminalRecorder {
    tape: Tape,
    cast: CastWriter,
    /// Bytes of what was typed while the storage was behind.
    unkept: usize,
}

impl TerminalRecorder {
    pub fn start(mut tape: Tape, columns: u16, rows: u16) -> Self {
        let header =
            CastWriter::header(columns, rows, tape.started / 1_000_000, &tape.title, tape.watermark.as_deref());
        tape.push(true, header.as_bytes());
        Self { tape, cast: CastWriter::default(), unkept: 0 }
    }

    pub fn output(&mut self, bytes: &[u8]) {
        let line = self.cast.output(self.tape.ms(), bytes);
        if !line.is_empty() {
            self.tape.push(false, line.as_bytes());
        }
    }

    /// What reaches the shell. The storage holds the shell up, and whoever types sees it.
    pub fn typed(&mut self, bytes: &[u8]) {
        if self.tape.input.keys {
            let line = CastWriter::input(self.tape.ms(), bytes);
            self.unkept = if self.tape.is_ready() { 0 } else { self.unkept + line.len() };
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
        if self.unkept > NOTES_BYTES_MAX {
            return Err("the storage is too slow for what is typed".into());
        }
        self.tape.tick()
    }

    pub async fn finish(mut self) {
        let last = self.cast.finish(self.tape.ms());
        self.tape.finish(last.as_bytes()).await;
    }
}
