//! Somebody without an account at the door of a connection: their viewer waits here, in the server's process, and the connection's task
//! does not know of it before the owner has said yes.

use crate::VIEWER_SILENCE_MAX;
use crate::command::Bye;
use crate::crowd::ANSWER_TIME_MAX;
use crate::registry::Entry;
use crate::roster::Taken;
use crate::viewer::sent_away;
use bytes::Bytes;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use oriel_screen::wire::{ServerRecord, ViewerRecord};
use oriel_screen::{ByeCode, QuestionKind, StatusCode};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// How long one word may take to leave for whoever waits.
const SEND_TIME_MAX: Duration = Duration::from_secs(20);

/// Asks the owner, and waits with the viewer until there is an answer. Gives what became of it, and the owner's answer where there
/// was one.
pub(crate) async fn wait<R, W>(
    entry: &Entry,
    taken: &mut Taken,
    answer: oneshot::Receiver<bool>,
    incoming: &mut R,
    outgoing: &mut W,
) -> (Result<(), Bye>, Option<bool>)
where
    R: Stream<Item = Bytes> + Unpin + Send,
    W: Sink<Bytes> + Unpin + Send,
{
    let seat = taken.number;
    for question in entry.roster.questions() {
        if matches!(question, ServerRecord::Question { seat: of, .. } if of == seat) {
            entry.log_on.tell(&question);
        }
    }
    let knocked = tokio::select! {
        said = answer => Some(said.unwrap_or(false)),
        bye = sent_away(Some(taken)) => return (Err(bye), withdraw(entry, seat)),
        () = entry.commands.closed() => {
            return (Err(Bye::new(ByeCode::RemoteEnded, "the connection that you came to has ended")), None);
        }
        () = sleep(ANSWER_TIME_MAX) => None,
        bye = stay(incoming, outgoing) => return (Err(bye), withdraw(entry, seat)),
    };
    match knocked {
        Some(true) => (Ok(()), knocked),
        Some(false) => (Err(Bye::new(ByeCode::Dismissed, "you were not let in: the answer was no")), knocked),
        None => {
            let bye = Bye::new(ByeCode::Dismissed, "you were not let in: nobody answered");
            (Err(bye), withdraw(entry, seat))
        }
    }
}

/// The owner need not answer any more: there is no answer.
fn withdraw(entry: &Entry, seat: u8) -> Option<bool> {
    entry.log_on.tell(&ServerRecord::Question { seat, kind: QuestionKind::Knock, seconds: 0, name: String::new() });
    None
}

/// Says that they wait, answers their pings, and does nothing else that their viewer says; until it leaves.
async fn stay<R, W>(incoming: &mut R, outgoing: &mut W) -> Bye
where
    R: Stream<Item = Bytes> + Unpin + Send,
    W: Sink<Bytes> + Unpin + Send,
{
    let gone = || Bye::new(ByeCode::TooSlow, "this page did not answer any more");
    let text = "waiting to be let in: whoever invited you is asked".to_owned();
    if !told(outgoing, &ServerRecord::Status { code: StatusCode::WaitingForMachine, text }).await {
        return gone();
    }
    loop {
        let Ok(Some(message)) = timeout(VIEWER_SILENCE_MAX, incoming.next()).await else { return gone() };
        let records = match ViewerRecord::decode_all(&message) {
            Ok(records) => records,
            Err(error) => {
                return Bye::new(ByeCode::Protocol, format!("the page sent something wrong ({error}); reload it"));
            }
        };
        for record in records {
            if let ViewerRecord::Ping { token } = record
                && !told(outgoing, &ServerRecord::Pong { token }).await
            {
                return gone();
            }
        }
    }
}

async fn told<W: Sink<Bytes> + Unpin>(outgoing: &mut W, record: &ServerRecord) -> bool {
    let mut message = Vec::new();
    record.encode(&mut message);
    matches!(timeout(SEND_TIME_MAX, outgoing.send(message.into())).await, Ok(Ok(())))
}
