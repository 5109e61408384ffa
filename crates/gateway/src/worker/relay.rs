//! Messages for one viewer on their way through the server's process: as many as its queue takes, and for each that left the worker
//! may send another.

use super::wire::{Frame, ToWorker};
use crate::VIEWER_QUEUE_MAX;
use crate::command::ViewerId;
use bytes::Bytes;
use tokio::sync::mpsc;

pub(super) struct Relay(mpsc::Sender<Bytes>);

/// The worker sent more than it may.
#[derive(Debug)]
pub(super) struct TooMuch;

impl Relay {
    /// Ends when it is dropped, once what is queued has left.
    pub fn start(viewer: ViewerId, out: mpsc::Sender<Bytes>, to: mpsc::WeakSender<Frame>) -> Self {
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
        Self(sender)
    }

    pub fn say(&self, message: Bytes) -> Result<(), TooMuch> {
        match self.0.try_send(message) {
            // A viewer that has left reads no more: what is on its way to it is nobody's.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(TooMuch),
        }
    }
}
