//! An open shell on a remote machine, whatever carries it.

use crate::telnet::Reader;
use crate::{Backspace, Connection, SeenKey, TerminalError};
use crate::{kubernetes, serial};
use bytes::Bytes;
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::sync::mpsc;

/// What a shell does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminalEvent {
    Data(Bytes),
    /// The shell ended; nothing follows.
    Exit {
        code: Option<u32>,
        signal: Option<String>,
    },
}

/// Writes waiting for a machine that does not read.
const WRITES_MAX: usize = 64;

/// What goes to the machine.
pub(crate) enum Write {
    Data(Bytes),
    Resize {
        columns: u16,
        rows: u16,
    },
    /// Telnet's negotiation, as it goes over the wire.
    Reply(Bytes),
}

pub(crate) fn queue() -> (mpsc::Sender<Write>, mpsc::Receiver<Write>) {
    mpsc::channel(WRITES_MAX)
}

/// An open shell. Reading and writing may take turns in one task: neither waits for the other.
pub struct Shell {
    way: Way,
    writes: mpsc::Sender<Write>,
    backspace: Backspace,
    over: bool,
}

enum Way {
    Ssh {
        // Held so that the SSH connection lives as long as its shell.
        connection: Box<Connection>,
        reader: ChannelReadHalf,
        exit: Option<(Option<u32>, Option<String>)>,
    },
    Telnet(Box<Reader>),
    Kubernetes(kubernetes::Reader),
    Serial(serial::Reader),
}

impl Shell {
    pub(crate) fn ssh(
        connection: Connection,
        reader: ChannelReadHalf,
        writes: mpsc::Sender<Write>,
        backspace: Backspace,
    ) -> Self {
        let way = Way::Ssh { connection: Box::new(connection), reader, exit: None };
        Self { way, writes, backspace, over: false }
    }

    pub(crate) fn telnet(reader: Reader, writes: mpsc::Sender<Write>, backspace: Backspace) -> Self {
        Self { way: Way::Telnet(Box::new(reader)), writes, backspace, over: false }
    }

    pub(crate) fn kubernetes(reader: kubernetes::Reader, writes: mpsc::Sender<Write>, backspace: Backspace) -> Self {
        Self { way: Way::Kubernetes(reader), writes, backspace, over: false }
    }

    pub(crate) fn serial(reader: serial::Reader, writes: mpsc::Sender<Write>, backspace: Backspace) -> Self {
        Self { way: Way::Serial(reader), writes, backspace, over: false }
    }

    /// What the shell does next; `None` after the end. May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<TerminalEvent> {
        if self.over {
            return None;
        }
        let (reader, exit) = match &mut self.way {
            Way::Ssh { reader, exit, .. } => (reader, exit),
            Way::Telnet(reader) => {
                let data = reader.next().await;
                self.over = data.is_none();
                return data.map(TerminalEvent::Data);
            }
            Way::Serial(reader) => {
                let data = reader.next().await;
                self.over = data.is_none();
                return data.map(TerminalEvent::Data);
            }
            Way::Kubernetes(reader) => {
                let event = reader.next().await;
                self.over = !matches!(event, Some(TerminalEvent::Data(_)));
                return event;
            }
        };
        loop {
            match reader.wait().await {
                Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) if !data.is_empty() => {
                    return Some(TerminalEvent::Data(data));
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => *exit = Some((Some(exit_status), None)),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    *exit = Some((None, Some(format!("{signal_name:?}"))));
                }
                Some(ChannelMsg::Close) | None => {
                    self.over = true;
                    let (code, signal) = exit.take()?;
                    return Some(TerminalEvent::Exit { code, signal });
                }
                Some(_) => {}
            }
        }
    }

    /// Types. Waits while `WRITES_MAX` earlier writes have not been taken by the machine.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), TerminalError> {
        self.writes.send(Write::Data(self.backspace.apply(bytes))).await.map_err(|_| TerminalError::Ended)
    }

    pub async fn resize(&mut self, columns: u16, rows: u16) -> Result<(), TerminalError> {
        self.writes.send(Write::Resize { columns, rows }).await.map_err(|_| TerminalError::Ended)
    }

    /// The host keys that were shown on the way and by the machine; none where there is no SSH.
    pub fn host_keys(&self) -> &[SeenKey] {
        match &self.way {
            Way::Ssh { connection, .. } => connection.host_keys(),
            Way::Telnet(_) | Way::Kubernetes(_) | Way::Serial(_) => &[],
        }
    }

    /// Ends the shell and its connection, politely; dropping a [`Shell`] ends it too.
    pub async fn close(self) {
        let Self { way, writes, .. } = self;
        drop(writes);
        if let Way::Ssh { connection, .. } = way {
            connection.close().await;
        }
    }
}
