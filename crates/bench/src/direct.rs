//! The same server asked directly, with the same client code but no gateway between.

use crate::serve::{rdp_account, vnc_options};
use anyhow::{Context, Result};
use oriel_gateway::HostPin;
use oriel_rdp::{Devices, Pipeline, RdpOptions, Security};
use oriel_screen::{InputEvent, ScreenEvent, Source};
use oriel_vnc::Session;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const KEY_TIME_MAX: Duration = Duration::from_secs(2);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(crate) struct Direct {
    stream: Box<dyn Stream>,
    source: Box<dyn Source>,
    buffer: Vec<u8>,
    /// Frames so far: a server with a pace of its own is told that they are shown.
    marks: u64,
}

async fn reach(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Direct {
    fn new(stream: Box<dyn Stream>, source: Box<dyn Source>) -> Self {
        Self { stream, source, buffer: vec![0; 64 << 10], marks: 0 }
    }

    /// `own`: the server was started here.
    pub async fn vnc(server: SocketAddr, own: bool) -> Result<Self> {
        let options = vnc_options(own)?;
        let Session { stream, source, .. } = oriel_vnc::connect(reach(server).await?, &options).await?;
        Ok(Self::new(Box::new(stream), Box::new(source)))
    }

    pub async fn rdp(server: SocketAddr, pin: [u8; 32], own: bool) -> Result<Self> {
        let (user, password) = rdp_account(own)?;
        let options = RdpOptions {
            user,
            password,
            domain: None,
            width: 1280,
            height: 800,
            scale: 100,
            monitors: None,
            keyboard: "us".to_owned(),
            certificate: HostPin::Sha256(pin),
            keeper: None,
            security: Security::Any,
            kerberos: None,
            client_name: "bench".to_owned(),
            pipeline: Pipeline::Video,
            devices: Devices { sound: false, clipboard: false, drive: false, microphone: false },
            drive: None,
            session: oriel_rdp::SessionOptions::default(),
            gateway: None,
            continuation: oriel_rdp::Continuation::default(),
        };
        let (stream, source) = oriel_rdp::connect(reach(server).await?, options).await?;
        Ok(Self::new(Box::new(stream), Box::new(source)))
    }

    /// Reads once; true when pixels changed.
    async fn read(&mut self) -> Result<bool> {
        let mut out = Vec::new();
        self.source.want_frame(&mut out)?;
        self.stream.write_all(&out).await?;
        self.stream.flush().await?;
        let count = self.stream.read(&mut self.buffer).await?;
        let bytes =
            self.buffer.get(..count).filter(|bytes| !bytes.is_empty()).context("the server closed the connection")?;
        let (mut out, mut events) = (Vec::new(), Vec::new());
        self.source.receive(bytes, &mut out, &mut events)?;
        let marks = events.iter().filter(|event| matches!(event, ScreenEvent::FrameEnd)).count() as u64;
        if marks > 0 {
            self.marks += marks;
            self.source.shown(self.marks, &mut out)?;
        }
        self.stream.write_all(&out).await?;
        self.stream.flush().await?;
        Ok(events.iter().any(|event| {
            matches!(event, ScreenEvent::Damage(_) | ScreenEvent::Copy { .. } | ScreenEvent::Video { .. })
        }))
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
        self.stream.write_all(&out).await?;
        Ok(self.stream.flush().await?)
    }
}
