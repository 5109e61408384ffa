//! Two who sit at a shell: a viewer without a browser that acknowledges at once, and the same shell asked directly.

use crate::process::{Gateway, Way};
use crate::serve::{Server, ssh_options};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use oriel_gateway::terminal::ssh::SHELL_WINDOW_BYTES;
use oriel_gateway::terminal::{Connection, Shell, ShellOptions, TerminalEvent};
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long a key may take to show.
const KEY_TIME_MAX: Duration = Duration::from_secs(5);

pub(crate) trait Typist {
    /// The next bytes that the shell printed.
    async fn read(&mut self) -> Result<Bytes>;
    async fn write(&mut self, bytes: &'static [u8]) -> Result<()>;

    /// Types a letter and waits until it is echoed among whatever else is printed.
    async fn key(&mut self, letter: &'static [u8]) -> Result<Duration> {
        let began = Instant::now();
        self.write(letter).await?;
        timeout(KEY_TIME_MAX, async {
            while !self.read().await?.iter().any(|byte| Some(byte) == letter.first()) {}
            anyhow::Ok(())
        })
        .await
        .context("the key did not show")??;
        Ok(began.elapsed())
    }

    /// Reads for so long; how many bytes came.
    async fn watch(&mut self, time: Duration) -> Result<usize> {
        let end = tokio::time::Instant::now() + time;
        let mut bytes = 0;
        while let Ok(read) = tokio::time::timeout_at(end, self.read()).await {
            bytes += read?.len();
        }
        Ok(bytes)
    }
}

pub(crate) struct TerminalViewer {
    socket: WebSocketStream<TcpStream>,
    shown: u64,
    pub messages: u32,
    pub bytes: usize,
}

impl TerminalViewer {
    /// `person`: everybody has a connection of their own.
    pub async fn open(gateway: &Gateway, person: u32) -> Result<Self> {
        let Way::Oriel(gateway) = gateway.way() else { bail!("guacd shows shells as pictures") };
        let stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{gateway}/0/{person}"), stream).await?;
        let mut viewer = Self { socket, shown: 0, messages: 0, bytes: 0 };
        let hello = ViewerHello { version: PROTOCOL_VERSION, width: 80, height: 24, ..ViewerHello::default() };
        viewer.say(&ViewerRecord::Hello(hello)).await?;
        Ok(viewer)
    }

    async fn say(&mut self, record: &ViewerRecord) -> Result<()> {
        let mut message = Vec::new();
        record.encode(&mut message);
        Ok(self.socket.send(Message::Binary(message.into())).await?)
    }
}

impl Typist for TerminalViewer {
    async fn read(&mut self) -> Result<Bytes> {
        loop {
            let message = self.socket.next().await.context("the gateway closed the connection")??;
            let Message::Binary(bytes) = message else { continue };
            self.bytes += bytes.len();
            self.messages += 1;
            for record in ServerRecord::decode_all(&bytes)? {
                match record {
                    ServerRecord::TerminalData(data) => {
                        self.shown += data.len() as u64;
                        self.say(&ViewerRecord::TerminalAck { offset: self.shown }).await?;
                        return Ok(data);
                    }
                    ServerRecord::Bye { text, .. } => bail!("the connection ended: {text}"),
                    _ => {}
                }
            }
        }
    }

    async fn write(&mut self, bytes: &'static [u8]) -> Result<()> {
        self.say(&ViewerRecord::TerminalInput(Bytes::from_static(bytes))).await
    }
}

/// The same shell, without a gateway.
pub(crate) struct DirectShell(Shell);

impl DirectShell {
    pub async fn open(server: &Server) -> Result<Self> {
        let Server::Ssh { address, folder, command } = server else { bail!("it is no shell") };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let options = ssh_options(folder.as_deref())?;
        let connection = Connection::open(stream, &options, SHELL_WINDOW_BYTES).await?;
        let shell = ShellOptions { command: Some(command.clone()), ..ShellOptions::default() };
        Ok(Self(connection.shell(&shell).await?))
    }
}

impl Typist for DirectShell {
    async fn read(&mut self) -> Result<Bytes> {
        match self.0.next().await {
            Some(TerminalEvent::Data(data)) => Ok(data),
            other => bail!("the shell ended: {other:?}"),
        }
    }

    async fn write(&mut self, bytes: &'static [u8]) -> Result<()> {
        Ok(self.0.write(bytes).await?)
    }
}
