//! A stream to the machine behind a gateway.

use super::tunnel::Tunnel;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Bytes that wait for the gateway, beyond which no more is taken.
const OUT_BYTES_MAX: usize = 64 << 10;
/// Read from the gateway at a time.
const CHUNK_BYTES: usize = 8192;
/// How often the gateway hears that we are still there. HTTP proxies cut what is silent for a minute.
const KEEPALIVE: Duration = Duration::from_secs(30);

pub(crate) struct Carried<S> {
    stream: S,
    tunnel: Tunnel,
    keepalive: Interval,
}

impl<S> Carried<S> {
    pub(super) fn new(stream: S, tunnel: Tunnel) -> Self {
        let mut keepalive = interval(KEEPALIVE);
        // Not at once.
        keepalive.reset();
        keepalive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { stream, tunnel, keepalive }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Carried<S> {
    /// Sends what waits.
    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.tunnel.out().is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, self.tunnel.out()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.tunnel.sent(count);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Carried<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.tunnel.plain().is_empty() {
                let plain = this.tunnel.plain();
                let count = plain.len().min(buf.remaining());
                buf.put_slice(plain.get(..count).unwrap_or_default());
                plain.drain(..count);
                return Poll::Ready(Ok(()));
            }
            while this.keepalive.poll_tick(context).is_ready() {
                this.tunnel.keep_alive();
            }
            // Answers to the gateway leave with what is read, whether somebody writes or not.
            if let Poll::Ready(Err(error)) = this.poll_out(context) {
                return Poll::Ready(Err(error));
            }
            if this.tunnel.is_closed() {
                return Poll::Ready(Ok(()));
            }
            let mut chunk = [0; CHUNK_BYTES];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.tunnel.receive(read.filled()).map_err(io::Error::other)?;
            if this.tunnel.out().len() > OUT_BYTES_MAX {
                return Poll::Ready(Err(io::Error::other("the RD Gateway asks for more answers than it takes")));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Carried<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.tunnel.is_open() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.tunnel.out().len() >= OUT_BYTES_MAX / 2 {
            ready!(this.poll_out(context))?;
        }
        let count = this.tunnel.send(buf);
        match this.poll_out(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // It leaves with what comes next, or is flushed.
            _ => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_out(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.tunnel.close();
        ready!(this.poll_out(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}
