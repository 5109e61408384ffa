//! A shell in a terminal of an SSH connection (RFC 4254 section 6).

use super::Connection;
use crate::shell::Write;
use crate::{Backspace, Shell, TerminalError};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Pty};
use tokio::sync::mpsc;

/// How to open a shell.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct ShellOptions {
    /// `TERM` in the shell.
    pub term: String,
    pub columns: u16,
    pub rows: u16,
    /// `LANG` and `TZ` in the shell, where the server takes them.
    pub locale: Option<String>,
    pub timezone: Option<String>,
    /// Run instead of the account's shell.
    pub command: Option<String>,
    pub backspace: Backspace,
}

impl Default for ShellOptions {
    fn default() -> Self {
        Self {
            term: "xterm-256color".into(),
            columns: 80,
            rows: 24,
            locale: None,
            timezone: None,
            command: None,
            backspace: Backspace::default(),
        }
    }
}

impl Connection {
    /// Opens a shell, whose connection this then is. The caller bounds the time.
    pub async fn shell(self, options: &ShellOptions) -> Result<Shell, TerminalError> {
        let channel = self.handle.channel_open_session().await?;
        let (mut reader, writer) = channel.split();
        for (name, value) in [("LANG", &options.locale), ("TZ", &options.timezone)] {
            if let Some(value) = value {
                // Servers take it or leave it.
                writer.set_env(false, name, value.as_str()).await?;
            }
        }
        if self.forward_agent {
            writer.agent_forward(true).await?;
            granted(&mut reader, "agent forwarding").await?;
        }
        let (columns, rows) = (u32::from(options.columns), u32::from(options.rows));
        let modes = [(Pty::VERASE, u32::from(options.backspace.byte()))];
        writer.request_pty(true, &options.term, columns, rows, 0, 0, &modes).await?;
        granted(&mut reader, "a terminal").await?;
        match &options.command {
            Some(command) => writer.exec(true, command.as_str()).await?,
            None => writer.request_shell(true).await?,
        }
        granted(&mut reader, "a shell").await?;
        let (writes, queue) = crate::shell::queue();
        tokio::spawn(write(queue, writer));
        Ok(Shell::ssh(self, reader, writes, options.backspace))
    }
}

/// Waits for the answer to a channel request.
async fn granted(reader: &mut ChannelReadHalf, what: &'static str) -> Result<(), TerminalError> {
    while let Some(message) = reader.wait().await {
        match message {
            ChannelMsg::Success => return Ok(()),
            ChannelMsg::Failure => return Err(TerminalError::Refused { what }),
            _ => {}
        }
    }
    Err(TerminalError::Ended)
}

/// Writes in order, apart from reading: a machine that takes no input must not stop its own output.
async fn write(mut queue: mpsc::Receiver<Write>, writer: ChannelWriteHalf<Msg>) {
    while let Some(write) = queue.recv().await {
        let written = match write {
            Write::Data(bytes) => writer.data_bytes(bytes).await,
            Write::Resize { columns, rows } => writer.window_change(u32::from(columns), u32::from(rows), 0, 0).await,
            Write::Reply(_) => Ok(()),
        };
        if written.is_err() {
            return;
        }
    }
    writer.close().await.ok();
}
