//! What whoever helps wants to know of a connection: where its person sits, how long each part of their log-on took, how far away they
//! are. Kept in the server's process, which sees what goes to viewers wherever the connection's task runs.

use bytes::Bytes;
use oriel_model::Micros;
use oriel_screen::StatusCode;
use oriel_screen::wire::{Notice, ServerRecord};
use oriel_trace::tracing::Span;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Round trips that are kept: an hour of them.
pub const ROUND_TRIPS_MAX: usize = 360;
/// One is kept for so long a time, the longest in it.
const ROUND_TRIP_EVERY_MICROS: i64 = 10_000_000;
/// Messages that wait for one viewer.
const MESSAGES_MAX: usize = 8;

/// Messages to one viewer that are looked at: what was not among them was not said to it.
const LOOKS_MAX: u32 = 1000;

/// When each part of a log-on was over; `None`: not yet, or not of this connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogOnTimes {
    /// Its person's viewer came.
    pub opened: Option<Micros>,
    /// The machine's port was reached.
    pub reached: Option<Micros>,
    /// The machine let the person in.
    pub signed_in: Option<Micros>,
    /// The first picture, or a terminal's first bytes, left for the person's viewer.
    pub first_picture: Option<Micros>,
}

/// From a viewer and back, as the viewer measured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    pub at: Micros,
    pub micros: u32,
}

/// What is known of a connection's person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whence their viewer came last, where that is known.
    pub address: Option<IpAddr>,
    pub times: LogOnTimes,
    /// Oldest first.
    pub round_trips: Vec<RoundTrip>,
}

#[derive(Default)]
struct Kept {
    address: Option<IpAddr>,
    times: LogOnTimes,
    round_trips: VecDeque<RoundTrip>,
    /// Where somebody wants traces: what is waited for, and the spans of all of it and of this part, which end when they are dropped.
    phase: Option<(&'static str, Span, Span)>,
}

impl Kept {
    /// Follows what is waited for in the trace of the viewer that came first.
    fn follow(&mut self) {
        let times = &self.times;
        if !oriel_trace::is_on() || times.opened.is_none() {
            return;
        }
        if times.first_picture.is_some() {
            self.phase = None;
            return;
        }
        let name = match (times.reached, times.signed_in) {
            (_, Some(_)) => "connect: first picture",
            (Some(_), None) => "connect: sign in",
            (None, None) => "connect: reach the machine",
        };
        if self.phase.as_ref().is_some_and(|(was, ..)| *was == name) {
            return;
        }
        let whole = self.phase.take().map_or_else(|| oriel_trace::span!("connect"), |(_, whole, _)| whole);
        let part = oriel_trace::span!(parent: &whole, "connect", otel.name = name);
        self.phase = Some((name, whole, part));
    }
}

pub(crate) struct LogOn {
    kept: Mutex<Kept>,
    messages: broadcast::Sender<Bytes>,
}

impl Default for LogOn {
    fn default() -> Self {
        Self { kept: Mutex::default(), messages: broadcast::channel(MESSAGES_MAX).0 }
    }
}

impl LogOn {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The person's own viewer is there, or there again.
    pub fn opened(&self, address: Option<IpAddr>, now: Micros) {
        let mut kept = self.kept();
        kept.address = address.or(kept.address);
        kept.times.opened.get_or_insert(now);
        kept.follow();
    }

    /// A viewer says how long its last ping took.
    pub fn round_trip(&self, micros: u32, now: Micros) {
        let mut kept = self.kept();
        match kept.round_trips.back_mut() {
            Some(last) if now.0 - last.at.0 < ROUND_TRIP_EVERY_MICROS => last.micros = last.micros.max(micros),
            _ => kept.round_trips.push_back(RoundTrip { at: now, micros }),
        }
        if kept.round_trips.len() > ROUND_TRIPS_MAX {
            kept.round_trips.pop_front();
        }
    }

    pub fn seen(&self) -> Seen {
        let kept = self.kept();
        Seen { address: kept.address, times: kept.times, round_trips: kept.round_trips.iter().copied().collect() }
    }

    /// What is said to whoever uses the connection from now on.
    pub fn messages(&self) -> broadcast::Receiver<Bytes> {
        self.messages.subscribe()
    }

    /// Says a sentence to the person's viewers that are there. Answers how many those are.
    pub fn say(&self, text: &str) -> usize {
        let mut message = Vec::new();
        ServerRecord::Message(text.to_owned()).encode(&mut message);
        self.messages.send(message.into()).unwrap_or(0)
    }

    /// Tells the person's viewers that are there something.
    pub fn tell(&self, record: &ServerRecord) {
        let mut message = Vec::new();
        record.encode(&mut message);
        self.messages.send(message.into()).ok();
    }

    /// Tells the person's viewers that are there how soon the connection ends.
    pub fn warn(&self, seconds: u32) {
        self.tell(&ServerRecord::Notice { notice: Notice::End, seconds });
    }
}

/// Looks at what leaves for one viewer, until there is nothing more to learn from it.
pub(crate) struct Look {
    log_on: Arc<LogOn>,
    /// Somebody watches: not so, where the desktop is opened ahead of its person.
    watched: bool,
    /// Messages that are still looked at.
    left: u32,
}

impl Look {
    pub fn new(log_on: Arc<LogOn>, watched: bool) -> Self {
        Self { log_on, watched, left: LOOKS_MAX }
    }

    pub fn at(&mut self, message: &Bytes, now: Micros) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let records = ServerRecord::decode_all(message).unwrap_or_default();
        let mut kept = self.log_on.kept();
        let times = &mut kept.times;
        for record in records {
            match record {
                ServerRecord::Status { code: StatusCode::Authenticating, .. } => _ = times.reached.get_or_insert(now),
                ServerRecord::Status { code: StatusCode::Connected, .. } => _ = times.signed_in.get_or_insert(now),
                ServerRecord::FrameEnd { .. } | ServerRecord::TerminalData(_) | ServerRecord::TerminalRepaint(_)
                    if self.watched =>
                {
                    times.first_picture.get_or_insert(now);
                }
                _ => {}
            }
        }
        if times.signed_in.is_some() && (times.first_picture.is_some() || !self.watched) {
            self.left = 0;
        }
        kept.follow();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Micros {
        Micros(1_795_000_000_000_000).plus_seconds(seconds)
    }

    fn message(records: &[ServerRecord]) -> Bytes {
        let mut message = Vec::new();
        records.iter().for_each(|record| record.encode(&mut message));
        message.into()
    }

    #[test]
    fn each_part_of_a_log_on_has_its_time() {
        let status = |code| ServerRecord::Status { code, text: String::new() };
        let log_on = Arc::new(LogOn::default());
        // Opened ahead: its machine has let it in before its person comes, who sees the first picture.
        let mut ahead = Look::new(Arc::clone(&log_on), false);
        ahead.at(&message(&[status(StatusCode::Dialling), status(StatusCode::Authenticating)]), at(1));
        ahead.at(&message(&[status(StatusCode::Connected), ServerRecord::FrameEnd { sequence: 1 }]), at(3));
        assert_eq!(log_on.seen().times.first_picture, None);
        log_on.opened(Some(IpAddr::from([192, 0, 2, 7])), at(60));
        let mut own = Look::new(Arc::clone(&log_on), true);
        own.at(&message(&[status(StatusCode::Connected)]), at(61));
        own.at(&message(&[ServerRecord::FrameEnd { sequence: 1 }]), at(62));
        own.at(&message(&[ServerRecord::FrameEnd { sequence: 2 }]), at(63));
        log_on.opened(None, at(90));
        let seen = log_on.seen();
        assert_eq!(seen.address, Some(IpAddr::from([192, 0, 2, 7])), "it came back from where nobody knows");
        let times = [seen.times.opened, seen.times.reached, seen.times.signed_in, seen.times.first_picture];
        assert_eq!(times, [at(60), at(1), at(3), at(62)].map(Some));
        // Bytes that make no sense teach nothing, and end nothing.
        Look::new(Arc::default(), true).at(&Bytes::from_static(&[0x32, 1]), at(0));
    }

    #[test]
    fn the_longest_of_ten_seconds_is_kept_for_an_hour() {
        let log_on = LogOn::default();
        for second in 0..2 * 3600 {
            log_on.round_trip(if second % 10 == 3 { 90_000 } else { 20_000 }, at(second));
        }
        let trips = log_on.seen().round_trips;
        assert_eq!(trips.len(), ROUND_TRIPS_MAX);
        assert!(trips.iter().all(|trip| trip.micros == 90_000));
        assert_eq!(trips[ROUND_TRIPS_MAX - 1].at, at(2 * 3600 - 10));
    }

    #[test]
    fn what_is_said_reaches_who_is_there() {
        let log_on = LogOn::default();
        assert_eq!(log_on.say("nobody hears it"), 0);
        let mut heard = log_on.messages();
        assert_eq!(log_on.say("save your work"), 1);
        let records = ServerRecord::decode_all(&heard.try_recv().unwrap()).unwrap();
        assert_eq!(records, [ServerRecord::Message("save your work".to_owned())]);
        log_on.warn(60);
        let records = ServerRecord::decode_all(&heard.try_recv().unwrap()).unwrap();
        assert_eq!(records, [ServerRecord::Notice { notice: Notice::End, seconds: 60 }]);
    }
}
