//! Telnet (RFC 854): terminals of machines that know nothing better. Nothing is encrypted and nobody proves who they are;
//! whoever configures it knows the network between.

mod login;
mod options;
mod parser;
mod reader;

pub use login::LoginPatterns;
pub use options::{Negotiation, Settings};
pub use parser::{Event, Parser, SUBNEGOTIATION_BYTES_MAX};
pub(crate) use reader::Reader;

use crate::shell::Write;
use crate::{Backspace, Shell, Stream, TerminalError};
use bytes::{BufMut, Bytes, BytesMut};
use login::Login;
use reader::Shared;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::sync::mpsc;

/// How long the machine may take for its prompts; then the person answers them.
const LOGIN_TIME_MAX: Duration = Duration::from_secs(15);

/// How to open a telnet terminal.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct TelnetOptions {
    pub user: Option<String>,
    #[serde(with = "oriel_model::carried::option")]
    pub password: Option<SecretString>,
    /// What the machine's prompts look like; names and passwords are typed into them.
    pub patterns: LoginPatterns,
    /// The terminal's type (RFC 1091).
    pub term: String,
    pub columns: u16,
    pub rows: u16,
    pub backspace: Backspace,
}

impl Default for TelnetOptions {
    fn default() -> Self {
        Self {
            user: None,
            password: None,
            patterns: LoginPatterns::default(),
            term: "xterm-256color".into(),
            columns: 80,
            rows: 24,
            backspace: Backspace::default(),
        }
    }
}

/// Opens a terminal and signs in where a name is configured. When the patterns tell success from failure, waits for one of
/// them; prompts that do not come, or that nothing is configured for, are left to the person. The caller bounds the time.
pub async fn connect<S>(stream: S, options: TelnetOptions) -> Result<Shell, TerminalError>
where
    S: Stream + 'static,
{
    let login = Login::new(&options)?;
    let settings = Settings { term: options.term, columns: options.columns, rows: options.rows };
    let shared = Arc::new(Shared::default());
    let (input, output) = tokio::io::split(stream);
    let (writes, queue) = crate::shell::queue();
    tokio::spawn(write(queue, output, Arc::clone(&shared)));
    let mut reader = Reader::new(Box::new(input), writes.clone(), Negotiation::new(settings), shared, login);
    match tokio::time::timeout(LOGIN_TIME_MAX, reader.sign_in()).await {
        Ok(done) => done?,
        Err(_) => reader.leave_it_to_the_person(),
    }
    Ok(Shell::telnet(reader, writes, options.backspace))
}

/// What is typed, as it goes over the wire: 255 doubled, and a carriage return alone followed by NUL (RFC 854, the NVT printer
/// and keyboard), except in binary (RFC 856).
fn typed(bytes: &[u8], binary: bool) -> Bytes {
    let mut wire = BytesMut::with_capacity(bytes.len() + 8);
    let mut rest = bytes.iter().peekable();
    while let Some(byte) = rest.next() {
        wire.put_u8(*byte);
        match byte {
            255 => wire.put_u8(255),
            b'\r' if !binary && rest.peek() != Some(&&b'\n') => wire.put_u8(0),
            _ => {}
        }
    }
    wire.freeze()
}

async fn write<W: AsyncWrite>(mut queue: mpsc::Receiver<Write>, mut output: WriteHalf<W>, shared: Arc<Shared>) {
    while let Some(write) = queue.recv().await {
        let bytes = match write {
            Write::Data(bytes) => typed(&bytes, shared.binary()),
            Write::Reply(bytes) => bytes,
            Write::Resize { columns, rows } => match shared.resized(columns, rows) {
                Some(bytes) => bytes,
                None => continue,
            },
        };
        if output.write_all(&bytes).await.is_err() || output.flush().await.is_err() {
            return;
        }
    }
    output.shutdown().await.ok();
}

#[cfg(test)]
mod tests {
    use super::typed;

    #[test]
    fn what_is_typed_is_escaped() {
        assert_eq!(&typed(b"a\xffb\r", false)[..], b"a\xff\xffb\r\0");
        assert_eq!(&typed(b"a\r\nb\r\r", false)[..], b"a\r\nb\r\0\r\0");
        assert_eq!(&typed(b"\r\xff", true)[..], b"\r\xff\xff");
    }
}
