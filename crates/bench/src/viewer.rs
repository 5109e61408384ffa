//! A viewer without a browser: says hello, acknowledges at once, types.

use crate::guacd::Guacd;
use crate::process::{Gateway, Way};
use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use oriel_screen::InputEvent;
use oriel_screen::wire::{ABILITY_H264, PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long a key may take to show.
const KEY_TIME_MAX: Duration = Duration::from_secs(2);

/// How pictures come.
enum Wire {
    Oriel(Box<WebSocketStream<TcpStream>>),
    Guacd(Box<Guacd>),
}

pub(crate) struct Viewer {
    wire: Wire,
    pub frames: u32,
    read: usize,
    /// Video frames among what was painted.
    pub video: u32,
    /// Tiles so far, by how they came: [`TileCodec`]'s order.
    tiles: [u32; 4],
}

impl Viewer {
    /// `server`: which of the gateway's; `person`: everybody has a connection of their own.
    pub async fn open(gateway: &Gateway, server: u32, person: u32) -> Result<Self> {
        let with = |wire| Self { wire, frames: 0, read: 0, video: 0, tiles: [0; 4] };
        let gateway = match gateway.way() {
            Way::Oriel(address) => address,
            Way::Guacd(address, servers) => {
                let server = servers.get(server as usize).context("there is no such server")?;
                return Ok(with(Wire::Guacd(Box::new(Guacd::connect(*address, server).await?))));
            }
        };
        let stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{gateway}/{server}/{person}"), stream).await?;
        let mut viewer = with(Wire::Oriel(Box::new(socket)));
        let hello =
            ViewerHello { version: PROTOCOL_VERSION, width: 1280, height: 800, scale: 100, ..ViewerHello::default() };
        viewer.say(&[ViewerRecord::Hello(hello), ViewerRecord::Abilities { bits: ABILITY_H264 }]).await?;
        Ok(viewer)
    }

    /// Bytes that came so far.
    pub fn bytes(&self) -> usize {
        match &self.wire {
            Wire::Oriel(_) => self.read,
            Wire::Guacd(guacd) => guacd.bytes,
        }
    }

    async fn say(&mut self, records: &[ViewerRecord]) -> Result<()> {
        let Wire::Oriel(socket) = &mut self.wire else { bail!("guacd does not speak the viewer protocol") };
        let mut message = Vec::new();
        records.iter().for_each(|record| record.encode(&mut message));
        Ok(socket.send(Message::Binary(message.into())).await?)
    }

    /// Reads one message; true when it changed pixels.
    async fn read(&mut self) -> Result<bool> {
        let socket = match &mut self.wire {
            Wire::Oriel(socket) => socket,
            Wire::Guacd(guacd) => {
                let painted = guacd.read().await?;
                self.frames += u32::from(painted);
                return Ok(painted);
            }
        };
        let message = socket.next().await.context("the gateway closed the connection")??;
        let Message::Binary(bytes) = message else { return Ok(false) };
        self.read += bytes.len();
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
        let [raw, png, jpeg, webp] = match &self.wire {
            Wire::Oriel(_) => self.tiles,
            Wire::Guacd(guacd) => {
                let [png, jpeg, webp] = guacd.images;
                [0, png, jpeg, webp]
            }
        };
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
        const CODE: u16 = 0x1E;
        const KEYSYM: u32 = 0x61;
        let began = Instant::now();
        for down in [true, false] {
            match &mut self.wire {
                Wire::Guacd(guacd) => guacd.key(KEYSYM, down).await?,
                Wire::Oriel(_) => {
                    let press = InputEvent::Key { down, code: CODE, keysym: KEYSYM };
                    self.say(&[ViewerRecord::Input(press)]).await?;
                }
            }
        }
        timeout(KEY_TIME_MAX, async {
            while !self.read().await? {}
            anyhow::Ok(())
        })
        .await
        .context("the key did not show")??;
        Ok(began.elapsed())
    }
}
