//! An open way to a machine, whatever carries it.

use async_trait::async_trait;
use std::any::Any;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// A two-way stream of bytes to a machine.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Any {
    /// The socket, where the stream is that and nothing else: whoever has it reads and writes the same bytes, and has read none of
    /// them yet.
    fn socket(&self) -> Option<BorrowedFd<'_>>;
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Any> Stream for T {
    fn socket(&self) -> Option<BorrowedFd<'_>> {
        let any: &dyn Any = self;
        if let Some(tcp) = any.downcast_ref::<TcpStream>() {
            return Some(tcp.as_fd());
        }
        if let Some(unix) = any.downcast_ref::<UnixStream>() {
            return Some(unix.as_fd());
        }
        // A box of a stream is a stream, too.
        any.downcast_ref::<BoxStream>().and_then(|inner| inner.as_ref().socket())
    }
}

pub type BoxStream = Box<dyn Stream>;

/// Opens one more stream to the same machine, for protocols whose sessions have several, or new ones after a loss.
#[async_trait]
pub trait Way: Send + Sync + fmt::Debug {
    /// # Errors
    /// The words are for the person in front of the viewer.
    async fn open(&self) -> Result<BoxStream, String>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[tokio::test]
    async fn a_socket_shows_through_boxes_and_a_buffer_does_not() {
        let (near, _far) = UnixStream::pair().unwrap();
        let number = near.as_raw_fd();
        let boxed: BoxStream = Box::new(near);
        let twice: BoxStream = Box::new(boxed);
        assert_eq!(twice.as_ref().socket().map(|socket| socket.as_raw_fd()), Some(number));
        let pipe: BoxStream = Box::new(tokio::io::duplex(8).0);
        assert!(pipe.as_ref().socket().is_none());
        let buffered: BoxStream = Box::new(tokio::io::BufStream::new(twice));
        assert!(buffered.as_ref().socket().is_none(), "some of its bytes may be in the buffer");
    }
}
