//! Live connections.

use super::{
    Named,
    desktop::{ConnectKind, DesktopState},
};
use oriel_gateway::{LogOnTimes, RoundTrip};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One live protocol stream.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Session {
    pub id: String,
    pub user: Named,
    pub desktop: Named,
    pub kind: ConnectKind,
    /// How many viewers show it; 0 while it waits for its viewer to come back.
    pub viewers: u32,
    /// Those of them who are guests.
    pub guests: Vec<SessionGuest>,
    pub started_at: String,
    /// To viewers, over the last seconds.
    pub mbit_s: f64,
    /// Pictures a second to viewers, over the last seconds; 0 for a shell.
    pub fps: f64,
}

/// Somebody who looks on at another's connection.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionGuest {
    pub user: Named,
    /// An administrator who was not invited.
    pub helper: bool,
    /// Somebody without an account: the name is what they say, and the id nobody's.
    pub unverified: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    pub sessions: Vec<Session>,
}

/// Longest message to a person, in characters.
pub const MESSAGE_CHARS_MAX: usize = 500;
/// A desktop that was given to its person so long before they opened it was given for another time.
const GIVEN_SECONDS_MAX: i64 = 600;

/// One part of a start or of a log-on, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionPhaseKind {
    /// The desktop was given to its person.
    Given,
    /// It got its place on a host.
    Placed,
    /// Its disk was there.
    Prepared,
    /// Its machine was switched on.
    PoweredOn,
    /// Its guest answered.
    Answered,
    /// The person's viewer came.
    Opened,
    /// The machine's port was reached.
    Reached,
    /// The machine let the person in.
    SignedIn,
    /// The first picture left for the person.
    FirstPicture,
}

/// When a part was over, and how long it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionPhase {
    pub kind: SessionPhaseKind,
    pub at: String,
    /// Since the part before; null for the first.
    #[schema(required)]
    pub seconds: Option<f64>,
}

/// Those that are known, by when they were over.
fn phases<const N: usize>(known: [(SessionPhaseKind, Option<model::Micros>); N]) -> Vec<SessionPhase> {
    let mut known: Vec<_> = known.into_iter().filter_map(|(kind, at)| Some((kind, at?))).collect();
    known.sort_by_key(|(_, at)| *at);
    let mut before: Option<model::Micros> = None;
    let phase = |(kind, at): (SessionPhaseKind, model::Micros)| {
        let seconds = before.replace(at).map(|before| (at.0 - before.0) as f64 / 1e6);
        SessionPhase { kind, at: at.rfc3339(), seconds }
    };
    known.into_iter().map(phase).collect()
}

/// Of a desktop's last start.
pub(crate) fn start_phases(facts: &model::DesktopFacts) -> Vec<SessionPhase> {
    phases([
        (SessionPhaseKind::Placed, facts.placed),
        (SessionPhaseKind::Prepared, facts.prepared),
        (SessionPhaseKind::PoweredOn, facts.started),
        (SessionPhaseKind::Answered, facts.ready),
    ])
}

/// Of a connection's log-on. `seat`: since when the desktop is its person's for now.
pub(crate) fn log_on_phases(times: LogOnTimes, seat: Option<model::Seat>) -> Vec<SessionPhase> {
    let given = seat.map(|seat| seat.since).filter(|since| {
        times.opened.is_some_and(|opened| *since <= opened && opened < since.plus_seconds(GIVEN_SECONDS_MAX))
    });
    phases([
        (SessionPhaseKind::Given, given),
        (SessionPhaseKind::Opened, times.opened),
        (SessionPhaseKind::Reached, times.reached),
        (SessionPhaseKind::SignedIn, times.signed_in),
        (SessionPhaseKind::FirstPicture, times.first_picture),
    ])
}

/// From the person's browser to this program and back: the longest of ten seconds, as the browser measured it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionRoundTrip {
    pub at: String,
    pub ms: f64,
}

impl From<RoundTrip> for SessionRoundTrip {
    fn from(trip: RoundTrip) -> Self {
        Self { at: trip.at.rfc3339(), ms: f64::from(trip.micros) / 1000.0 }
    }
}

/// One live connection, as a helpdesk looks at it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionDetail {
    pub session: Session,
    /// The desktop's; null where it is being deleted.
    #[schema(required)]
    pub pool: Option<Named>,
    #[schema(required)]
    pub desktop_state: Option<DesktopState>,
    /// A machine that Oriel neither starts nor stops.
    pub is_external: bool,
    /// Where the desktop stands.
    #[schema(required)]
    pub host: Option<String>,
    /// Whence its person's viewer came last.
    #[schema(required)]
    pub address: Option<String>,
    /// Parts of the desktop's last start, which may have been long before.
    pub start: Vec<SessionPhase>,
    pub log_on: Vec<SessionPhase>,
    /// Of the last hour, oldest first.
    pub round_trips: Vec<SessionRoundTrip>,
}

/// What is said to whoever uses a connection.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionMessage {
    /// 1 to 500 characters in one line. They see who says it.
    pub text: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use SessionPhaseKind as Kind;

    fn at(seconds: i64) -> model::Micros {
        model::Micros(1_795_000_000_000_000).plus_seconds(seconds)
    }

    #[test]
    fn parts_come_in_the_order_in_which_they_were_over() {
        let facts = model::DesktopFacts {
            prepared: Some(at(2)),
            started: Some(at(3)),
            ready: Some(at(31)),
            ..model::DesktopFacts::default()
        };
        let seconds =
            |phases: Vec<SessionPhase>| -> Vec<_> { phases.iter().map(|one| (one.kind, one.seconds)).collect() };
        let start = seconds(start_phases(&facts));
        assert_eq!(start, [(Kind::Prepared, None), (Kind::PoweredOn, Some(1.0)), (Kind::Answered, Some(28.0))]);
        // Opened ahead of its person.
        let times = LogOnTimes {
            opened: Some(at(60)),
            reached: Some(at(40)),
            signed_in: Some(at(42)),
            first_picture: Some(at(61)),
        };
        let seat = |since| Some(model::Seat { since: at(since), seen: at(since) });
        let log_on = seconds(log_on_phases(times, seat(59)));
        assert_eq!(
            log_on,
            [
                (Kind::Reached, None),
                (Kind::SignedIn, Some(2.0)),
                (Kind::Given, Some(17.0)),
                (Kind::Opened, Some(1.0)),
                (Kind::FirstPicture, Some(1.0))
            ]
        );
        for elsewhen in [seat(-600), seat(61), None] {
            assert!(log_on_phases(times, elsewhen).iter().all(|one| one.kind != Kind::Given), "{elsewhen:?}");
        }
        assert_eq!(log_on_phases(LogOnTimes::default(), seat(0)), []);
    }
}
