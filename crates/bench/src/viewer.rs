//! A viewer without a browser: says hello, acknowledges at once, types.

use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use oriel_screen::InputEvent;
use oriel_screen::wire::{ABILITY_H264, PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long a key may take to show.
const KEY_TIME_MAX: Duration = Duration::from_secs(2);

pub(crate) struct Viewer {
    socket: WebSocketStream<TcpStream>,
    pub frames: u32,
    pub bytes: usize,
    /// Video frames among what was painted.
    pub video: u32,
    /// Tiles so far, by how they came: [`TileCodec`]'s order.
    tiles: [u32; 4],
}

impl Viewer {
    /// `server`: which of the gateway's; `person`: everybody has a connection of their own.
    pub async fn open(gateway: SocketAddr, server: u32, person: u32) -> Result<Self> {
        let stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{gateway}/{server}/{person}"), stream).await?;
        let mut viewer = Self { socket, frames: 0, bytes: 0, video: 0, tiles: [0; 4] };
        let hello =
            ViewerHello { version: PROTOCOL_VERSION, width: 1280, height: 800, scale: 100, ..ViewerHello::default() };
        viewer.say(&[ViewerRecord::Hello(hello), ViewerRecord::Abilities { bits: ABILITY_H264 }]).await?;
        Ok(viewer)
    }

    async fn say(&mut self, records: &[ViewerRecord]) -> Result<()> {
        let mut message = Vec::new();
        records.iter().for_each(|record| record.encode(&mut message));
        Ok(self.socket.send(Message::Binary(message.into())).await?)
    }

    /// Reads one message; true when it changed pixels.
    async fn read(&mut self) -> Result<bool> {
        let message = self.socket.next().await.context("the gateway closed the connection")??;
        let Message::Binary(bytes) = message else { return Ok(false) };
        self.bytes += bytes.len();
        let mut painted = false;
        for record in ServerRecord::decode_all(&bytes)? {
            match record {
                ServerRecord::Tile { codec, .. } => {
                    painted = true;
                    if let Some(count) = self.tiles.get_mut(codec as usize) {
                        *count += 1;
                    }
                }
                ServerRecord::Fill { .. } | ServerRecord::Copy { .. } => painted = true,
                ServerRecord::Video { .. } => {
                    painted = true;
                    self.video += 1;
                }
                ServerRecord::FrameEnd { sequence } => {
                    self.frames += 1;
                    self.say(&[ViewerRecord::Ack { sequence }]).await?;
                }
                ServerRecord::Bye { text, .. } => bail!("the connection ended: {text}"),
                _ => {}
            }
        }
        Ok(painted)
    }

    /// How what was painted came.
    pub fn mix(&self) -> String {
        let [raw, png, jpeg, webp] = self.tiles;
        format!("tiles: {raw} raw, {png} PNG, {jpeg} JPEG, {webp} WebP")
    }

    /// Reads until nothing has come for so long.
    pub async fn settle(&mut self, quiet: Duration) -> Result<()> {
        while let Ok(read) = timeout(quiet, self.read()).await {
            read?;
        }
        Ok(())
    }

    pub async fn watch(&mut self, time: Duration) -> Result<()> {
        let end = tokio::time::Instant::now() + time;
        while let Ok(read) = tokio::time::timeout_at(end, self.read()).await {
            read?;
        }
        Ok(())
    }

    /// Types a letter and waits until pixels change.
    pub async fn key(&mut self) -> Result<Duration> {
        let press = |down| ViewerRecord::Input(InputEvent::Key { down, code: 0x1E, keysym: 0x61 });
        let began = Instant::now();
        self.say(&[press(true)]).await?;
        self.say(&[press(false)]).await?;
        timeout(KEY_TIME_MAX, async {
            while !self.read().await? {}
            anyhow::Ok(())
        })
        .await
        .context("the key did not show")??;
        Ok(began.elapsed())
    }
}
