//! The connections of a gateway's two channels, as one stream.

use crate::connect::Stream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What may be said of the IN channel's request while it goes on.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// Read of it at a time.
const CHUNK_BYTES: usize = 256;
/// Statuses from here on are refusals of one kind or another (RFC 9110 §15).
const REDIRECTION: u16 = 300;

/// It ends with either.
pub(super) struct Both {
    down: Box<dyn Stream>,
    up: Box<dyn Stream>,
    /// What was said of the IN channel's request.
    said: Vec<u8>,
}

impl Both {
    /// `down` is OUT's connection, `up` is IN's.
    pub(super) fn new(down: Box<dyn Stream>, up: Box<dyn Stream>) -> Self {
        Self { down, up, said: Vec::new() }
    }

    /// Ready when IN's connection is over. Its request has no end while the session lives, so what is answered to it early is nothing, or
    /// a refusal.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut chunk = [0; CHUNK_BYTES];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.up).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.said.extend_from_slice(read.filled());
            if let Some(status) = refusal(&self.said) {
                let what = format!("the RD Gateway refused the IN channel (HTTP status {status})");
                return Poll::Ready(Err(io::Error::other(what)));
            }
            if self.said.len() > ANSWER_BYTES_MAX {
                let what = "the RD Gateway says something over the IN channel that is no answer";
                return Poll::Ready(Err(io::Error::other(what)));
            }
        }
    }
}

/// The status, where an answer's first line is here and refuses.
fn refusal(said: &[u8]) -> Option<u16> {
    let status = said.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    let status = std::str::from_utf8(status).ok()?.parse::<u16>().ok()?;
    (status >= REDIRECTION).then_some(status)
}

impl AsyncRead for Both {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // What the gateway said before it hung up comes first.
        if let Poll::Ready(read) = Pin::new(&mut this.down).poll_read(context, buf) {
            return Poll::Ready(read);
        }
        this.poll_end(context)
    }
}

impl AsyncWrite for Both {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().up).poll_write(context, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().up).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.up).poll_shutdown(context))?;
        Pin::new(&mut this.down).poll_shutdown(context)
    }
}
