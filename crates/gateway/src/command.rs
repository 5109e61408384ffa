//! What a viewer and the program tell a connection's task.

use crate::seat::Seat;
use bytes::Bytes;
use oriel_screen::ByeCode;
use oriel_screen::wire::{VideoAbility, ViewerHello, ViewerRecord};
use tokio::sync::{mpsc, oneshot};

/// One viewer of a connection.
pub(crate) type ViewerId = u64;

pub(crate) enum Command {
    Attach {
        viewer: ViewerId,
        hello: ViewerHello,
        /// What of forwarded video it shows.
        video: VideoAbility,
        seat: Seat,
        /// The seat's number; 0 is the owner's.
        number: u8,
        out: mpsc::Sender<Bytes>,
    },
    Detach {
        viewer: ViewerId,
    },
    Record {
        viewer: ViewerId,
        record: ViewerRecord,
    },
    End {
        code: ByeCode,
        text: String,
    },
    /// A JPEG of the screen as it is now, at most so many pixels wide.
    Thumbnail {
        width_max: u16,
        reply: oneshot::Sender<Option<Vec<u8>>>,
    },
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) struct Bye {
    pub code: ByeCode,
    pub text: String,
}

impl Bye {
    pub fn new(code: ByeCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl From<crate::target::DialError> for Bye {
    fn from(error: crate::target::DialError) -> Self {
        Self::new(error.code, error.text)
    }
}
