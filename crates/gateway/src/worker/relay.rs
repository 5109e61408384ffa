//! Messages for one viewer on their way through the server's process: as many as its queue takes, and for each that left the worker
//! may send another.

use super::wire::{Frame, ToWorker};
use super::{GUEST_LEAVING_KIB_MAX, STUCK_TIME_MAX};
use crate::VIEWER_QUEUE_MAX;
use crate::command::ViewerId;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

pub(super) struct Relay {
    queue: mpsc::Sender<Bytes>,
    held: Arc<AtomicUsize>,
    /// For the last message of a viewer that gets no other.
    last: oneshot::Sender<Bytes>,
    pub is_guest: bool,
}

/// The worker sent more than it may.
#[derive(Debug)]
pub(super) struct TooMuch;

impl Relay {
    /// Ends when it is dropped, once what is queued has left.
    pub fn start(viewer: ViewerId, is_guest: bool, out: mpsc::Sender<Bytes>, to: mpsc::WeakSender<Frame>) -> Self {
        let (sender, queue) = mpsc::channel::<Bytes>(VIEWER_QUEUE_MAX);
        let (last, lets_go) = oneshot::channel();
        // What the viewer's own queue has cannot be taken back: of a guest it is little, so that letting go of one frees the rest.
        let lane = is_guest.then(|| Arc::new(Semaphore::new(GUEST_LEAVING_KIB_MAX as usize)));
        tokio::spawn(async move {
            let message = tokio::select! {
                biased;
                // Dropped, it says nothing: then what is queued leaves.
                Ok(message) = lets_go => message,
                () = pass_on(viewer, queue, &out, to, lane) => return,
            };
            timeout(STUCK_TIME_MAX, out.send(message)).await.ok();
        });
        Self { queue: sender, held: Arc::default(), last, is_guest }
    }

    /// Ends at once: what is queued is dropped, and this said instead.
    pub fn let_go(self, message: Bytes) {
        self.last.send(message).ok();
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

async fn pass_on(
    viewer: ViewerId,
    mut queue: mpsc::Receiver<Bytes>,
    out: &mpsc::Sender<Bytes>,
    to: mpsc::WeakSender<Frame>,
    lane: Option<Arc<Semaphore>>,
) {
    while let Some(mut message) = queue.recv().await {
        if let Some(lane) = &lane {
            // One that is larger than the lane goes alone.
            let kib = kib(&message).min(GUEST_LEAVING_KIB_MAX);
            let Ok(room) = Arc::clone(lane).acquire_many_owned(kib).await else { return };
            message = Held::keep(message, room);
        }
        if out.send(message).await.is_err() {
            return;
        }
        let Some(to) = to.upgrade() else { continue };
        to.send(ToWorker::Room { viewer }.into()).await.ok();
    }
}

/// What a message takes of a semaphore that counts KiB.
pub(super) const fn kib(message: &Bytes) -> u32 {
    (message.len() >> 10) as u32 + 1
}

/// A message and its share of what may be on its way.
pub(super) struct Held {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Held {
    pub fn keep(bytes: Bytes, room: OwnedSemaphorePermit) -> Bytes {
        Bytes::from_owner(Self { bytes, _room: room })
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::sleep;

    fn big() -> Bytes {
        vec![7; 2 << 20].into()
    }

    /// Until it holds no more than so much.
    async fn until_held(held: &AtomicUsize, bytes: usize) {
        let looks = async {
            while held.load(Ordering::Relaxed) > bytes {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(10), looks).await.unwrap();
    }

    #[tokio::test]
    async fn a_guest_that_is_let_go_holds_little_and_is_told() {
        let (out, mut messages) = mpsc::channel(VIEWER_QUEUE_MAX);
        let (to, _frames) = mpsc::channel(VIEWER_QUEUE_MAX);
        let relay = Relay::start(1, true, out, to.downgrade());
        for _ in 0..10 {
            relay.say(big()).unwrap();
        }
        let held = Arc::clone(&relay.held);
        assert_eq!(relay.held(), 10 * big().len());
        // It reads nothing meanwhile.
        sleep(Duration::from_millis(50)).await;
        relay.let_go(Bytes::from_static(b"bye"));
        until_held(&held, GUEST_LEAVING_KIB_MAX as usize * 1024).await;
        let mut told = Vec::new();
        while let Some(message) = messages.recv().await {
            told.push(message.len());
        }
        assert!(told.len() <= 2 && told.ends_with(&[3]), "{told:?}");
        until_held(&held, 0).await;
    }

    #[tokio::test]
    async fn one_that_leaves_well_gets_all_that_is_queued() {
        for is_guest in [false, true] {
            let (out, mut messages) = mpsc::channel(1);
            let (to, _frames) = mpsc::channel(VIEWER_QUEUE_MAX);
            let relay = Relay::start(1, is_guest, out, to.downgrade());
            for _ in 0..10 {
                relay.say(big()).unwrap();
            }
            drop(relay);
            let mut count = 0;
            while messages.recv().await.is_some() {
                count += 1;
            }
            assert_eq!(count, 10);
        }
    }
}
