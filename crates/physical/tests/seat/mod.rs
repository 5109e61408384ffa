//! A person before a device, as the gateway seats them. The tests of `oriel-device` take this file in by its path.

use async_trait::async_trait;
use oriel_physical::{PhysicalOptions, PhysicalSource, Session, Way, connect};
use oriel_screen::{InputEvent, ScreenEvent, Source as _};
use oriel_stream::BoxStream;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long something may take to be seen.
pub const PATIENCE: Duration = Duration::from_secs(45);

#[derive(Debug)]
pub struct Loopback(pub SocketAddr);

#[async_trait]
impl Way for Loopback {
    async fn open(&self) -> Result<BoxStream, String> {
        TcpStream::connect(self.0).await.map(|stream| Box::new(stream) as BoxStream).map_err(|error| error.to_string())
    }
}

pub fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What the gateway does.
pub struct Seat {
    pub stream: DuplexStream,
    pub source: PhysicalSource,
    pub events: Vec<ScreenEvent>,
}

impl Seat {
    pub async fn new(address: SocketAddr, options: PhysicalOptions) -> Self {
        let way = Arc::new(Loopback(address));
        let stream = way.open().await.unwrap();
        let Session { stream, source, .. } = connect(stream, options, way, clock).await.unwrap();
        Self { stream, source, events: Vec::new() }
    }

    pub async fn until(&mut self, what: &str, found: impl Fn(&[ScreenEvent]) -> bool) {
        let mut buffer = vec![0; 16 << 10];
        let waiting = async {
            while !found(&self.events) {
                let length = self.stream.read(&mut buffer).await.unwrap();
                assert!(length > 0, "the session ended before {what}");
                let mut out = Vec::new();
                self.source.receive(&buffer[..length], &mut out, &mut self.events).unwrap();
                self.stream.write_all(&out).await.unwrap();
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what} did not happen"));
    }

    pub async fn input(&mut self, inputs: &[InputEvent]) {
        let mut out = Vec::new();
        inputs.iter().for_each(|input| self.source.input(input, &mut out).unwrap());
        self.stream.write_all(&out).await.unwrap();
    }
}
