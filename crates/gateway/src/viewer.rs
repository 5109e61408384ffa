//! A viewer's WebSocket: records in, messages out. Knows nothing of what it shows.

use crate::command::{Bye, Command};
use crate::knock;
use crate::log_on::Look;
use crate::person::{Browser, Person};
use crate::registry::{self, Entry, Gateway, ViewerRequest};
use crate::roster::Taken;
use crate::rules::{Standing, Verdict, touches};
use crate::seat::Seat;
use crate::{PICTURE_PERIOD, VIEWER_QUEUE_MAX, VIEWER_SILENCE_MAX};
use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt};
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use oriel_screen::{ByeCode, InputEvent};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a viewer may take to say hello.
const HELLO_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a viewer that does not read may take to make room for its farewell.
const BYE_TIME_MAX: Duration = Duration::from_secs(2);
/// How long one message may take to leave for the viewer.
const SEND_TIME_MAX: Duration = Duration::from_secs(20);

/// Serves one viewer until it leaves or its connection ends. `incoming` are the binary messages' payloads.
pub(crate) async fn serve<R, W>(
    gateway: &Gateway,
    request: ViewerRequest,
    background: bool,
    person: &dyn Person,
    mut incoming: R,
    mut outgoing: W,
) where
    R: Stream<Item = Bytes> + Unpin + Send,
    W: Sink<Bytes> + Unpin + Send + 'static,
{
    let (hello, early) = match first_records(&mut incoming).await {
        Ok(found) => found,
        Err(text) => return say_bye(&mut outgoing, ByeCode::Protocol, text).await,
    };
    // Much may have happened since the ticket was taken.
    if let Err(text) = person.still_may().await {
        return say_bye(&mut outgoing, ByeCode::EndedByAdmin, text).await;
    }
    let browser = gateway.browser(person.session());
    if request.resume.is_none() {
        // Somebody opened it. A page that comes back after a cut does so by itself.
        browser.touch();
    }
    let mut locks = browser.locks();
    let viewer = gateway.next_viewer();
    let found = match &request.guest {
        None => gateway.find_or_start(&request, background).map(|entry| (entry, None)),
        Some(guest) => gateway.join(viewer, request.user, guest).map(|(entry, taken)| (entry, Some(taken))),
    };
    let (entry, mut taken) = match found {
        Ok(found) => found,
        Err(bye) => return say_bye(&mut outgoing, bye.code, bye.text).await,
    };
    if let Some(taken) = taken.as_mut()
        && let Some(answer) = taken.answer.take()
    {
        // Out here: what knows nothing of whoever waits at the door cannot let them in.
        let (knocked, yes) = knock::wait(&entry, taken, answer, &mut incoming, &mut outgoing).await;
        person.answered(yes).await;
        if let Err(bye) = knocked {
            return say_bye(&mut outgoing, bye.code, bye.text).await;
        }
        if let Err(text) = person.still_may().await {
            return say_bye(&mut outgoing, ByeCode::Dismissed, text).await;
        }
    }
    if request.resume.is_none() {
        entry.rules.touch();
    }
    let (dialler, desktop) = (gateway.dialler(), request.desktop);
    let idle = async move { dialler.idle_end(desktop).await };
    let video = ViewerRecord::announced_video(&early);
    let number = taken.as_ref().map_or(0, |taken| taken.number);
    let standing = match &request.guest {
        None => Standing::Owner,
        Some(guest) if guest.is_visitor() => Standing::Visitor,
        Some(_) => Standing::Guest,
    };
    let seat = match request.guest {
        None => Seat::Owner { name: request.person.clone() },
        Some(guest) => Seat::Guest(guest),
    };
    let is_own = number == 0 && !background;
    if is_own {
        entry.log_on.opened(person.address(), registry::now());
    }
    let said = is_own.then(|| entry.log_on.messages());
    let look = (number == 0).then(|| Look::new(Arc::clone(&entry.log_on), is_own));
    let (out, messages) = mpsc::channel(VIEWER_QUEUE_MAX);
    let mut writer = tokio::spawn(write(messages, outgoing, look));
    if entry.commands.send(Command::Attach { viewer, hello, video, seat, number, out: out.clone() }).await.is_err() {
        // The connection ended between finding it and joining it.
        let mut bye = Vec::new();
        ServerRecord::Bye { code: ByeCode::RemoteEnded, text: "the connection has just ended; connect again".into() }
            .encode(&mut bye);
        out.send(bye.into()).await.ok();
    } else {
        let pongs = out.downgrade();
        drop(out);
        if is_own {
            // They were asked before this viewer was there.
            entry.roster.questions().iter().for_each(|question| tell(&pongs, question));
        }
        let mut silent = false;
        let over = tokio::select! {
            over = read(incoming, early, viewer, &entry, &browser, &pongs, standing) => over,
            // Once more, now that whoever takes something away from them finds this viewer here.
            text = no_longer(person) => Over::Viewer(Bye::new(ByeCode::EndedByAdmin, text)),
            Ok(()) = locks.changed() => {
                let text = "this browser was locked, because nobody touched it; enter your password to go on";
                Over::Viewer(Bye::new(ByeCode::Locked, text))
            }
            bye = sent_away(taken.as_mut()) => Over::Viewer(bye),
            _ = &mut writer => Over::Nothing,
            () = pass_on(said, pongs.clone()) => Over::Nothing,
            () = entry.rules.tell_guest(&request.person, standing, pongs.clone()), if number != 0 => Over::Nothing,
            verdict = entry.rules.watch(&browser, entry.began, idle, &request.person, pongs.clone()), if is_own => {
                let (code, text) = verdict.bye();
                match verdict {
                    // The connection goes on without a viewer for as long as after a network cut.
                    Verdict::Locked { .. } => {
                        person.lock().await;
                        browser.lock();
                        Over::Viewer(Bye { code, text })
                    }
                    Verdict::Over { .. } | Verdict::Idle { .. } | Verdict::Booked => Over::Connection(Bye { code, text }),
                }
            }
        };
        match over {
            Over::Nothing => {}
            Over::Silent => silent = is_own,
            Over::Viewer(bye) => queue_bye(&pongs, &bye).await,
            Over::Connection(bye) => {
                // Here, because it is let go of before a session's own process could tell it.
                queue_bye(&pongs, &bye).await;
                drop(entry.commands.send(Command::End { code: bye.code, text: bye.text }).await);
            }
        }
        entry.commands.send(Command::Detach { viewer }).await.ok();
        // From here on somebody else may have the seat.
        drop(taken);
        if silent {
            // A lid was closed, or the network is gone: the page may still be there for whoever comes by.
            writer.abort();
            let rules = entry.rules;
            drop(entry.commands);
            if rules.watch_silent(&browser).await {
                person.lock().await;
                browser.lock();
            }
            return;
        }
    }
    // The connection has let go of its sender: what is queued still leaves, within bounds.
    if !writer.is_finished() && timeout(SEND_TIME_MAX, &mut writer).await.is_err() {
        writer.abort();
    }
}

/// Waits until a guest has to go. Owners stay.
pub(crate) async fn sent_away(taken: Option<&mut Taken>) -> Bye {
    let Some(taken) = taken else { return std::future::pending().await };
    let until = taken.until;
    let expires = async {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        Ok(bye) = &mut taken.leave => bye,
        () = expires => Bye::new(ByeCode::TimeOver, "the invitation that you came by has expired"),
    }
}

/// As far as the viewer has room for it.
fn tell(out: &mpsc::WeakSender<Bytes>, record: &ServerRecord) {
    if let Some(out) = out.upgrade() {
        let mut message = Vec::new();
        record.encode(&mut message);
        out.try_send(message.into()).ok();
    }
}

/// Passes on what is said to whoever uses the connection; it never ends by itself.
async fn pass_on(said: Option<broadcast::Receiver<Bytes>>, out: mpsc::WeakSender<Bytes>) {
    let Some(mut said) = said else { return std::future::pending().await };
    loop {
        match said.recv().await {
            Ok(message) => {
                // A viewer that is so far behind would read it too late.
                if let Some(out) = out.upgrade() {
                    out.try_send(message).ok();
                }
            }
            // What came later is still to come.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// Says why a person may no longer have what they asked for; never, where they may.
async fn no_longer(person: &dyn Person) -> String {
    match person.still_may().await {
        Ok(()) => std::future::pending().await,
        Err(text) => text,
    }
}

async fn queue_bye(out: &mpsc::WeakSender<Bytes>, bye: &Bye) {
    if let Some(out) = out.upgrade() {
        let mut said = Vec::new();
        ServerRecord::Bye { code: bye.code, text: bye.text.clone() }.encode(&mut said);
        timeout(BYE_TIME_MAX, out.send(said.into())).await.ok();
    }
}

/// How a viewer's time ended.
enum Over {
    /// It left, or has been told.
    Nothing,
    /// Nothing came from it any more.
    Silent,
    /// It goes, and is told why.
    Viewer(Bye),
    /// All go.
    Connection(Bye),
}

/// Whether a viewer's record may go on.
fn admits(entry: &Entry, standing: Standing, record: &ViewerRecord) -> bool {
    match standing {
        Standing::Owner => entry.rules.admit(record),
        Standing::Guest => entry.rules.admit_guest(record),
        Standing::Visitor => entry.rules.admit_visitor(record),
    }
}

/// The hello, and what came with it in the same message.
async fn first_records<R: Stream<Item = Bytes> + Unpin>(
    incoming: &mut R,
) -> Result<(ViewerHello, Vec<ViewerRecord>), String> {
    let message = timeout(HELLO_TIME_MAX, incoming.next())
        .await
        .map_err(|_| "the viewer did not say hello; reload the page".to_owned())?
        .ok_or_else(|| "the viewer left before it said hello".to_owned())?;
    let mut records = ViewerRecord::decode_all(&message).map_err(|error| error.to_string())?.into_iter();
    match records.next() {
        Some(ViewerRecord::Hello(hello)) if hello.version == PROTOCOL_VERSION => Ok((hello, records.collect())),
        Some(ViewerRecord::Hello(hello)) => Err(format!(
            "the page speaks version {} of the viewer protocol and this server {PROTOCOL_VERSION}; reload the page",
            hello.version
        )),
        _ => Err("the viewer's first record was not its hello; reload the page".to_owned()),
    }
}

/// Passes on what a viewer says until it leaves, or has to.
async fn read<R: Stream<Item = Bytes> + Unpin>(
    mut incoming: R,
    early: Vec<ViewerRecord>,
    viewer: u64,
    entry: &Entry,
    browser: &Browser,
    pongs: &mpsc::WeakSender<Bytes>,
    standing: Standing,
) -> Over {
    let is_guest = standing != Standing::Owner;
    let commands = &entry.commands;
    for record in early {
        if admits(entry, standing, &record) && commands.send(Command::Record { viewer, record }).await.is_err() {
            return Over::Nothing;
        }
    }
    let mut picture_at = Instant::now();
    // Silence, or the end of the stream, ends the viewer.
    loop {
        let message = match timeout(VIEWER_SILENCE_MAX, incoming.next()).await {
            Ok(Some(message)) => message,
            Ok(None) => return Over::Nothing,
            Err(_) => return Over::Silent,
        };
        let records = match ViewerRecord::decode_all(&message) {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(%error, "A viewer broke the protocol");
                let text = format!("the page sent something wrong ({error}); reload it");
                let bye = Bye::new(ByeCode::Protocol, text);
                // A guest that errs is no reason to end what is another's.
                return if is_guest { Over::Viewer(bye) } else { Over::Connection(bye) };
            }
        };
        for record in records {
            if touches(&record) {
                browser.touch();
                entry.rules.touch();
            }
            if matches!(record, ViewerRecord::Input(InputEvent::Rich(_))) {
                sleep_until(picture_at).await;
                picture_at = Instant::now() + PICTURE_PERIOD;
            }
            if let ViewerRecord::Ping { token } = record {
                // Answered here, so that the round trip shown is the network's and not the decoder's.
                tell(pongs, &ServerRecord::Pong { token });
            } else if let ViewerRecord::RoundTrip { micros } = record {
                if !is_guest {
                    entry.log_on.round_trip(micros, registry::now());
                }
            } else if let ViewerRecord::Remove { seat } = record {
                if !is_guest {
                    entry.roster.remove(seat);
                }
            } else if let ViewerRecord::Answer { seat, yes } = record
                && !is_guest
                && entry.roster.answer(seat, yes)
            {
                // It was about somebody at the door.
            } else if matches!(record, ViewerRecord::Input(InputEvent::Microphone { .. })) {
                // Never waits for its turn: where commands wait, it would be late.
                if admits(entry, standing, &record) {
                    commands.try_send(Command::Record { viewer, record }).ok();
                }
            } else if admits(entry, standing, &record)
                && commands.send(Command::Record { viewer, record }).await.is_err()
            {
                return Over::Nothing;
            }
        }
    }
}

async fn write<W: Sink<Bytes> + Unpin>(mut messages: mpsc::Receiver<Bytes>, mut outgoing: W, mut look: Option<Look>) {
    while let Some(message) = messages.recv().await {
        if let Some(look) = look.as_mut() {
            look.at(&message, registry::now());
        }
        match timeout(SEND_TIME_MAX, outgoing.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    timeout(SEND_TIME_MAX, outgoing.close()).await.ok();
}

async fn say_bye<W: Sink<Bytes> + Unpin>(outgoing: &mut W, code: ByeCode, text: String) {
    let mut bye = Vec::new();
    ServerRecord::Bye { code, text }.encode(&mut bye);
    timeout(SEND_TIME_MAX, outgoing.send(bye.into())).await.ok();
    timeout(SEND_TIME_MAX, outgoing.close()).await.ok();
}
