//! The machine's half of a telnet stream: data out, negotiation answered, prompts filled in.

use super::login::Login;
use super::options::{BINARY, WINDOW_SIZE, window_size};
use super::{Negotiation, Parser, typed};
use crate::TerminalError;
use crate::shell::Write;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

/// Read at once.
const READ_BYTES: usize = 16 << 10;
/// What a machine may say before the login is over.
const LOGIN_BYTES_MAX: usize = 64 << 10;

/// What the writing half must know of the reading one's negotiation.
#[derive(Default)]
pub(crate) struct Shared {
    binary: AtomicBool,
    sizes: AtomicBool,
    /// Columns and rows, both in one.
    size: AtomicU32,
}

impl Shared {
    pub fn binary(&self) -> bool {
        self.binary.load(Ordering::Relaxed)
    }

    /// The window's new size for the wire, when the machine wants to know it.
    pub fn resized(&self, columns: u16, rows: u16) -> Option<Bytes> {
        self.size.store(u32::from(columns) << 16 | u32::from(rows), Ordering::Relaxed);
        self.sizes.load(Ordering::Relaxed).then(|| window_size(columns, rows).into())
    }
}

pub(crate) struct Reader {
    input: Box<dyn AsyncRead + Unpin + Send>,
    buffer: BytesMut,
    parser: Parser,
    negotiation: Negotiation,
    login: Login,
    shared: Arc<Shared>,
    writes: mpsc::Sender<Write>,
    /// What goes to the machine before more is read.
    replies: VecDeque<Bytes>,
    /// What was said during the login.
    early: Vec<u8>,
}

impl Reader {
    pub fn new(
        input: Box<dyn AsyncRead + Unpin + Send>,
        writes: mpsc::Sender<Write>,
        negotiation: Negotiation,
        shared: Arc<Shared>,
        login: Login,
    ) -> Self {
        Self {
            input,
            buffer: BytesMut::with_capacity(READ_BYTES),
            parser: Parser::default(),
            negotiation,
            login,
            shared,
            writes,
            replies: VecDeque::new(),
            early: Vec::new(),
        }
    }

    /// Reads until the login is over, however it ends.
    pub async fn sign_in(&mut self) -> Result<(), TerminalError> {
        while !self.login.is_done() {
            let data = self.read().await.map_err(TerminalError::TelnetBroken)?;
            if let Some(answer) = self.login.take(&data)? {
                let line = typed(format!("{answer}\r").as_bytes(), self.shared.binary());
                self.replies.push_back(line);
            }
            self.early.extend_from_slice(&data);
            if self.early.len() > LOGIN_BYTES_MAX {
                self.leave_it_to_the_person();
            }
        }
        Ok(())
    }

    pub fn leave_it_to_the_person(&mut self) {
        self.login.stop();
    }

    /// May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !self.early.is_empty() {
                return Some(std::mem::take(&mut self.early).into());
            }
            match self.read().await {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Some(data.into()),
                Err(_) => return None,
            }
        }
    }

    async fn read(&mut self) -> io::Result<Vec<u8>> {
        while !self.replies.is_empty() {
            // A machine that negotiates and does not read stops here, and hurts itself alone.
            let permit = self.writes.reserve().await.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            if let Some(reply) = self.replies.pop_front() {
                permit.send(Write::Reply(reply));
            }
        }
        if self.input.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut data, mut wire) = (Vec::with_capacity(self.buffer.len()), Vec::new());
        let size = self.shared.size.load(Ordering::Relaxed);
        if size != 0 {
            self.negotiation.resized((size >> 16) as u16, size as u16);
        }
        let negotiation = &mut self.negotiation;
        self.parser.feed(&self.buffer, &mut data, |event| negotiation.take(&event, &mut wire));
        self.buffer.clear();
        self.shared.binary.store(self.negotiation.is_ours(BINARY), Ordering::Relaxed);
        self.shared.sizes.store(self.negotiation.is_ours(WINDOW_SIZE), Ordering::Relaxed);
        if !wire.is_empty() {
            self.replies.push_back(wire.into());
        }
        Ok(data)
    }
}
