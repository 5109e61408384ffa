//! The cluster's half of a container's stream.

use super::channel::{Heard, heard};
use crate::TerminalEvent;
use crate::ssh::question::shown;
use futures::{Stream, StreamExt as _};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

type Input = Box<dyn Stream<Item = Result<Message, WsError>> + Unpin + Send>;

pub(crate) struct Reader {
    input: Input,
    /// Said before the end.
    last: Option<TerminalEvent>,
}

impl Reader {
    pub const fn new(input: Input) -> Self {
        Self { input, last: None }
    }

    /// May be dropped while it waits: nothing is lost. Nothing follows [`TerminalEvent::Exit`] and `None`.
    pub async fn next(&mut self) -> Option<TerminalEvent> {
        if let Some(last) = self.last.take() {
            return Some(last);
        }
        // Pings are answered below this.
        while let Some(Ok(message)) = self.input.next().await {
            match heard(message.into_data()) {
                Heard::Output(bytes) => return Some(TerminalEvent::Data(bytes)),
                Heard::Exit(code) => return Some(TerminalEvent::Exit { code: Some(code), signal: None }),
                Heard::Failed(why) => {
                    self.last = Some(TerminalEvent::Exit { code: None, signal: None });
                    let text = format!("\r\nthe cluster ended it: {}\r\n", shown(&why).replace('\n', "\r\n"));
                    return Some(TerminalEvent::Data(text.into()));
                }
                Heard::Nothing => {}
            }
        }
        None
    }
}
