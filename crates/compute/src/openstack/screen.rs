//! A server's screen as a stream that ends with what it shows.

use crate::BoxStream;
use oriel_openstack::{Client, Console};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
    task::JoinHandle,
};

/// A server is looked at so often while its screen is shown: for so long the port may be somebody else's before the stream ends.
const LOOK_SECONDS: u64 = 5;
/// Looks in a row that may fail because the cloud does not answer.
const BLIND_MAX: u32 = 6;

/// Ends when its server stops, goes, or starts anew: the port behind it may be another server's from then on.
pub(super) struct Screen {
    stream: BoxStream,
    /// One for each direction: each wakes one task.
    read_over: oneshot::Receiver<()>,
    write_over: oneshot::Receiver<()>,
    watch: JoinHandle<()>,
}

impl Screen {
    /// `stream` leads to that console, which was looked at since.
    pub fn new(client: Arc<Client>, stream: BoxStream, console: Console) -> Self {
        let (tell_reader, read_over) = oneshot::channel();
        let (tell_writer, write_over) = oneshot::channel();
        let watch = tokio::spawn(async move {
            // Dropping them is what is told.
            let _told = (tell_reader, tell_writer);
            let mut blind = 0;
            loop {
                tokio::time::sleep(Duration::from_secs(LOOK_SECONDS)).await;
                match client.server(&console.server).await {
                    Ok(now) if console.still_of(&now) => blind = 0,
                    Err(error) if !error.is_gone() && blind < BLIND_MAX => blind += 1,
                    _ => break,
                }
            }
            tracing::info!(server = console.server, "A server has changed; its screen is shown no longer");
        });
        Self { stream, read_over, write_over, watch }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn is_over(told: &mut oneshot::Receiver<()>, context: &mut Context<'_>) -> bool {
    // A receiver that was told must not be asked again; closed it says so by itself.
    told.is_terminated() || Pin::new(told).poll(context).is_ready()
}

impl AsyncRead for Screen {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if is_over(&mut self.read_over, context) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Screen {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if is_over(&mut self.write_over, context) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
