//! An agent in memory that holds one key: the machine may sign with it while the shell is open, and nothing else.

use crate::TerminalError;
use futures::channel::mpsc;
use russh::keys::PrivateKey;
use russh::keys::agent::client::AgentClient;
use russh::keys::agent::server::{self, MessageType};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, copy_bidirectional, duplex};

/// Programs on the machine that may talk to the agent at the same time.
const AGENT_CHANNELS_MAX: usize = 8;
/// Bytes on their way to or from one of them.
const PIPE_BYTES: usize = 64 << 10;

/// Hands out the key's signatures; takes, forgets and locks no keys.
#[derive(Clone)]
struct ReadOnly {
    filling: Arc<AtomicBool>,
}

impl server::Agent for ReadOnly {
    async fn confirm_request(&self, request: MessageType) -> bool {
        match request {
            MessageType::RequestKeys | MessageType::Sign => true,
            MessageType::AddKeys => self.filling.load(Ordering::Acquire),
            MessageType::RemoveKeys | MessageType::RemoveAllKeys | MessageType::Lock | MessageType::Unlock => false,
        }
    }
}

/// Lives as long as its connection.
#[derive(Clone)]
pub(crate) struct Agent {
    doors: mpsc::UnboundedSender<std::io::Result<DuplexStream>>,
    open: Arc<AtomicUsize>,
}

impl Agent {
    pub async fn new(key: &PrivateKey) -> Result<Self, TerminalError> {
        let filling = Arc::new(AtomicBool::new(true));
        let (doors, listener) = mpsc::unbounded();
        tokio::spawn(server::serve(listener, ReadOnly { filling: Arc::clone(&filling) }));
        let agent = Self { doors, open: Arc::default() };
        let (ours, theirs) = duplex(PIPE_BYTES);
        agent.doors.unbounded_send(Ok(theirs)).ok();
        let unusable = |error: russh::keys::Error| TerminalError::BadCredentials {
            what: "private key",
            why: format!("the agent does not take it: {error}"),
        };
        AgentClient::connect(ours).add_identity(key, &[]).await.map_err(unusable)?;
        filling.store(false, Ordering::Release);
        Ok(agent)
    }

    pub fn has_room(&self) -> bool {
        self.open.load(Ordering::Acquire) < AGENT_CHANNELS_MAX
    }

    /// One program of the machine asks.
    pub fn serve<S>(&self, mut channel: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut ours, theirs) = duplex(PIPE_BYTES);
        if self.doors.unbounded_send(Ok(theirs)).is_err() {
            return;
        }
        self.open.fetch_add(1, Ordering::AcqRel);
        let open = Arc::clone(&self.open);
        tokio::spawn(async move {
            copy_bidirectional(&mut channel, &mut ours).await.ok();
            open.fetch_sub(1, Ordering::AcqRel);
        });
    }
}
