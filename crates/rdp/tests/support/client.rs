//! What the gateway does with a source, in the smallest form.

use oriel_rdp::{ConnectError, RdpOptions, RdpSource, Stream, connect};
use oriel_screen::{InputEvent, ScreenEvent, Source as _, SourceError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub struct Client {
    stream: Box<dyn Stream>,
    pub source: RdpSource,
    pub events: Vec<ScreenEvent>,
    /// Everything that came from the machine after the handshake.
    pub received: Vec<u8>,
    pub ended: Option<SourceError>,
    /// Frame ends so far; each is said to be shown at once while `shows` is set.
    pub marks: u64,
    pub shows: bool,
}

impl Client {
    pub async fn connect(port: u16, options: RdpOptions) -> Result<Self, ConnectError> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (stream, source) = connect(socket, options).await?;
        Ok(Self { stream, source, events: Vec::new(), received: Vec::new(), ended: None, marks: 0, shows: true })
    }

    pub async fn input(&mut self, input: InputEvent) {
        let mut out = Vec::new();
        self.source.input(&input, &mut out).unwrap();
        self.stream.write_all(&out).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The session's folder has changed.
    pub async fn go_on(&mut self) {
        let mut out = Vec::new();
        self.source.go_on(&mut out).unwrap();
        self.stream.write_all(&out).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub async fn redraw(&mut self) {
        let mut out = Vec::new();
        self.source.redraw(&mut out).unwrap();
        self.stream.write_all(&out).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Presses and releases a key by scan code.
    pub async fn tap(&mut self, code: u16, keysym: u32) {
        for down in [true, false] {
            self.input(InputEvent::Key { down, code, keysym }).await;
        }
    }

    /// Moves bytes until `done` says so (true) or the time is up (false).
    pub async fn pump_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let start = Instant::now();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if done(self) {
                return true;
            }
            let Some(left) = limit.checked_sub(start.elapsed()) else { return false };
            let wait = left.min(Duration::from_millis(100));
            let read = match tokio::time::timeout(wait, self.stream.read(&mut buffer)).await {
                Err(_) => continue,
                Ok(Ok(0) | Err(_)) => {
                    self.ended.get_or_insert(SourceError::Ended("the stream closed".to_owned()));
                    return done(self);
                }
                Ok(Ok(read)) => read,
            };
            self.received.extend_from_slice(&buffer[..read]);
            let mut out = Vec::new();
            let before = self.events.len();
            let outcome = self.source.receive(&buffer[..read], &mut out, &mut self.events);
            self.marks += self.events[before..].iter().filter(|event| **event == ScreenEvent::FrameEnd).count() as u64;
            if self.shows {
                let _ = self.source.shown(self.marks, &mut out);
            }
            while !out.is_empty() {
                let _ = self.stream.write_all(&out).await;
                let _ = self.stream.flush().await;
                out.clear();
                let _ = self.source.go_on(&mut out);
            }
            if let Err(error) = outcome {
                self.ended = Some(error);
                return done(self);
            }
        }
    }

    pub async fn pump(&mut self, time: Duration) {
        self.pump_until(time, |_| false).await;
    }

    /// Waits until the picture has been the same for `quiet`.
    pub async fn settle(&mut self, quiet: Duration) {
        let mut last = Instant::now();
        let mut seen = 0;
        self.pump_until(Duration::from_secs(20), |client| {
            if client.events.len() != seen {
                seen = client.events.len();
                last = Instant::now();
            }
            last.elapsed() > quiet
        })
        .await;
    }
}
