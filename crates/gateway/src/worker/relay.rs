//! Messages for one viewer on their way through the server's process: as many as its queue takes, and for each that left the worker
//! may send another.

use super::wire::{Frame, ToWorker};
use crate::VIEWER_QUEUE_MAX;
use crate::command::ViewerId;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

pub(super) struct Relay {
    queue: mpsc::Sender<Bytes>,
    held: Arc<AtomicUsize>,
    pub is_guest: bool,
}

/// The worker sent more than it may.
#[derive(Debug)]
pub(super) struct TooMuch;

impl Relay {
    /// Ends when it is dropped, once what is queued has left.
    pub fn start(viewer: ViewerId, is_guest: bool, out: mpsc::Sender<Bytes>, to: mpsc::WeakSender<Frame>) -> Self {
        let (sender, mut queue) = mpsc::channel::<Bytes>(VIEWER_QUEUE_MAX);
        tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                if out.send(message).await.is_err() {
                    return;
                }
                let Some(to) = to.upgrade() else { continue };
                to.send(ToWorker::Room { viewer }.into()).await.ok();
            }
        });
        Self { queue: sender, held: Arc::default(), is_guest }
    }

    /// Bytes that have not left for the viewer.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub fn say(&self, message: Bytes) -> Result<(), TooMuch> {
        let message = Bytes::from_owner(Counted::new(message, Arc::clone(&self.held)));
        match self.queue.try_send(message) {
            // A viewer that has left reads no more: what is on its way to it is nobody's.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(TooMuch),
        }
    }
}

/// A message that is counted until it is gone.
struct Counted {
    bytes: Bytes,
    held: Arc<AtomicUsize>,
}

impl Counted {
    fn new(bytes: Bytes, held: Arc<AtomicUsize>) -> Self {
        held.fetch_add(bytes.len(), Ordering::Relaxed);
        Self { bytes, held }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
