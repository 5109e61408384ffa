//! The same server asked directly, with the same client code but no gateway between.

use anyhow::{Context, Result};
use oriel_screen::{InputEvent, ScreenEvent, Source};
use oriel_vnc::{Session, VncOptions, VncSource, VncStream};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const KEY_TIME_MAX: Duration = Duration::from_secs(2);

pub(crate) struct Direct {
    stream: VncStream<TcpStream>,
    source: VncSource,
    buffer: Vec<u8>,
}

impl Direct {
    pub async fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let options = VncOptions { nearby: true, ..VncOptions::default() };
        let Session { stream, source, .. } = oriel_vnc::connect(stream, &options).await?;
        Ok(Self { stream, source, buffer: vec![0; 64 << 10] })
    }

    /// Reads once; true when pixels changed.
    async fn read(&mut self) -> Result<bool> {
        let mut out = Vec::new();
        self.source.want_frame(&mut out)?;
        self.stream.write_all(&out).await?;
        let count = self.stream.read(&mut self.buffer).await?;
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let bytes =
            self.buffer.get(..count).filter(|bytes| !bytes.is_empty()).context("the server closed the connection")?;
        self.source.receive(bytes, &mut out, &mut events)?;
        self.stream.write_all(&out).await?;
        Ok(events.iter().any(|event| matches!(event, ScreenEvent::Damage(_) | ScreenEvent::Copy { .. })))
    }

    pub async fn settle(&mut self, quiet: Duration) -> Result<()> {
        while let Ok(read) = timeout(quiet, self.read()).await {
            read?;
        }
        Ok(())
    }

    pub async fn key(&mut self) -> Result<Duration> {
        let began = Instant::now();
        self.press(true).await?;
        self.press(false).await?;
        timeout(KEY_TIME_MAX, async {
            while !self.read().await? {}
            anyhow::Ok(())
        })
        .await
        .context("the key did not show")??;
        Ok(began.elapsed())
    }

    async fn press(&mut self, down: bool) -> Result<()> {
        let mut out = Vec::new();
        self.source.input(&InputEvent::Key { down, code: 0x1E, keysym: 0x61 }, &mut out)?;
        Ok(self.stream.write_all(&out).await?)
    }
}
