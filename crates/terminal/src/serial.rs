//! A serial line that somebody has, like a BMC: bytes as they come, once it was opened ([`oriel_model::serial`]).

use crate::shell::Write;
use crate::{Backspace, Shell, Stream, TerminalError};
use bytes::{Bytes, BytesMut};
use oriel_model::serial::{SERIAL_BEGIN, SERIAL_WHY_BYTES_MAX};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, WriteHalf};
use tokio::sync::mpsc;

/// Read at once.
const READ_BYTES: usize = 16 << 10;

pub(crate) struct Reader {
    input: Box<dyn AsyncRead + Unpin + Send>,
    buffer: BytesMut,
}

impl Reader {
    /// May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<Bytes> {
        if self.buffer.is_empty() && self.input.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
            return None;
        }
        Some(self.buffer.split().freeze())
    }
}

/// Has the line opened. It knows no size and nobody's name; the caller bounds the time.
///
/// # Errors
/// It is not opened, for the reason that is told.
pub async fn connect<S>(stream: S, backspace: Backspace) -> Result<Shell, TerminalError>
where
    S: Stream + 'static,
{
    let (mut input, mut output) = tokio::io::split(stream);
    let gone = |_| TerminalError::Ended;
    output.write_all(&[SERIAL_BEGIN]).await.map_err(gone)?;
    output.flush().await.map_err(gone)?;
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let line = loop {
        if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let mut line = buffer.split_to(end + 1);
            line.truncate(end);
            break line;
        }
        if buffer.len() > SERIAL_WHY_BYTES_MAX || input.read_buf(&mut buffer).await.map_err(gone)? == 0 {
            return Err(TerminalError::Ended);
        }
    };
    if !line.is_empty() {
        return Err(TerminalError::SerialRefused(String::from_utf8_lossy(&line).into_owned()));
    }
    let (writes, queue) = crate::shell::queue();
    tokio::spawn(write(queue, output));
    Ok(Shell::serial(Reader { input: Box::new(input), buffer }, writes, backspace))
}

async fn write<W: AsyncWrite>(mut queue: mpsc::Receiver<Write>, mut output: WriteHalf<W>) {
    while let Some(write) = queue.recv().await {
        let (Write::Data(bytes) | Write::Reply(bytes)) = write else { continue };
        if output.write_all(&bytes).await.is_err() || output.flush().await.is_err() {
            return;
        }
    }
    output.shutdown().await.ok();
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::TerminalEvent;
    use oriel_model::serial::serial_answer;

    #[tokio::test]
    async fn a_line_is_opened_when_somebody_looks() {
        let (near, mut far) = tokio::io::duplex(256);
        let line = async {
            assert_eq!(far.read_u8().await.unwrap(), SERIAL_BEGIN);
            far.write_all(&[serial_answer(Ok(())), b"login: ".to_vec()].concat()).await.unwrap();
            far
        };
        let (shell, mut far) = tokio::join!(connect(near, Backspace::ControlH), line);
        let mut shell = shell.unwrap();
        assert_eq!(shell.next().await, Some(TerminalEvent::Data(Bytes::from_static(b"login: "))));
        shell.resize(80, 25).await.unwrap();
        shell.write(b"a\x7f\r").await.unwrap();
        let mut typed = [0; 3];
        far.read_exact(&mut typed).await.unwrap();
        assert_eq!(&typed, b"a\x08\r");
        drop(far);
        assert_eq!(shell.next().await, None);
    }

    #[tokio::test]
    async fn why_it_is_not_opened_is_told() {
        let (near, mut far) = tokio::io::duplex(256);
        far.write_all(&serial_answer(Err("somebody has it"))).await.unwrap();
        let refused = connect(near, Backspace::Delete).await.err().unwrap();
        assert_eq!(refused.to_string(), "somebody has it");
        let (near, far) = tokio::io::duplex(4096);
        drop(far);
        assert!(matches!(connect(near, Backspace::Delete).await, Err(TerminalError::Ended)));
    }
}
