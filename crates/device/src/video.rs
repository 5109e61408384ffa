//! H.264 for one who watches: whole from a key frame on, or not at all.

use crate::inner::{Inner, Watches, Watching};
use crate::picture::Gone;
use oriel_screen::h264::Unit;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::timeout;

/// Which profile and level browsers are told of (`avc1.…`): kvmd's, constrained baseline, which all decode. Units say of themselves what they are.
pub(crate) const PROFILE: &str = "42E01F";

/// Who gets nothing for so long looks whether there is still something that encodes.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Units {
    inner: Arc<Inner>,
    receiver: broadcast::Receiver<Unit>,
    /// Nothing is of use before the next key frame.
    waits: bool,
    _watching: Watching,
}

impl Units {
    /// `None`: nothing encodes here.
    pub fn new(inner: &Arc<Inner>) -> Option<Self> {
        let receiver = inner.machine.encoder().filter(|encoder| encoder.is_ready())?.units();
        // It listens already: no first key frame is missed.
        let watching = inner.watch(Watches::Video);
        inner.want_key();
        Some(Self { inner: Arc::clone(inner), receiver, waits: true, _watching: watching })
    }

    /// Whoever watches cannot go on without a key frame.
    pub fn want_key(&self) {
        self.inner.want_key();
    }

    /// The next unit; the first one is a key frame, and so is the one after a gap. Nothing is lost when it is not waited for to the end.
    pub async fn next(&mut self) -> Result<Unit, Gone> {
        loop {
            match timeout(LOOK, self.receiver.recv()).await {
                // Whoever watches begins anew, with what there is then.
                Err(_) if self.inner.encoder().is_none() => return Err(Gone),
                Err(_) => {}
                Ok(Ok(unit)) if unit.key || !self.waits => {
                    self.waits = false;
                    return Ok(unit);
                }
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Lagged(_))) => {
                    // What waits is late as well.
                    self.receiver = self.receiver.resubscribe();
                    self.waits = true;
                    self.inner.want_key();
                }
                Ok(Err(RecvError::Closed)) => return Err(Gone),
            }
        }
    }
}
