//! Who of others is with a connection, and who may come: kept in the server's process, where a machine has no say.
//!
//! The connection's task seats its guests and gives and takes control; who may be there at all is decided here. A guest that
//! is sent away is let go of here as well: what the task makes of it does not matter.

use crate::command::{Bye, ViewerId};
use crate::crowd::ANSWER_TIME_MAX;
use crate::registry::now;
use crate::seat::{Guest, GuestKind};
use oriel_model::{InviteId, Micros, UserId};
use oriel_screen::wire::ServerRecord;
use oriel_screen::{ByeCode, PersonKind, QuestionKind, SEATS_MAX};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Invitations to one connection that can be used.
pub const INVITES_MAX: usize = 16;
/// People who were sent away from one connection, and stay away from it.
const BARRED_MAX: usize = 64;
/// How often people without an account may knock with one link before the owner says yes; then it counts anew.
pub const KNOCKS_MAX: u32 = 12;

/// An invitation to watch a live connection. Its token is stored only as SHA-256 hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    pub id: InviteId,
    pub token_sha256: String,
    /// Guests have keys and pointer; without it the owner can give them, where policy has `may_control`.
    pub control: bool,
    pub may_control: bool,
    /// For people without an account, one at a time: they knock. Nobody comes in by it as somebody with an account.
    pub visitors: bool,
    pub created: Micros,
    /// Nobody new comes in from then on, and people without an account leave.
    pub expires: Micros,
}

/// Somebody who is with another's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    pub seat: u8,
    pub user: UserId,
    pub name: String,
    /// An administrator who was not invited.
    pub is_helper: bool,
    /// Somebody without an account: the name is what they say, and `user` nobody's.
    pub is_visitor: bool,
}

#[derive(Default)]
pub(crate) struct Roster(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    guests: Vec<Entry>,
    invites: Vec<Invite>,
    barred: Vec<UserId>,
    /// How often somebody has knocked with an invitation since the owner last let one in by it.
    knocks: HashMap<InviteId, u32>,
    /// The number that was given last.
    last_seat: u8,
}

struct Entry {
    viewer: ViewerId,
    present: Present,
    kind: GuestKind,
    /// `None` once told to leave.
    leave: Option<oneshot::Sender<Bye>>,
    /// Somebody who knocks, until there is an answer.
    door: Option<Door>,
}

struct Door {
    answer: oneshot::Sender<bool>,
    /// Then it is no.
    until: Instant,
    control: bool,
}

/// A guest's seat; given back when dropped.
pub(crate) struct Taken {
    roster: Arc<Roster>,
    viewer: ViewerId,
    pub number: u8,
    /// Says when the guest has to go.
    pub leave: oneshot::Receiver<Bye>,
    /// The owner's answer to whoever knocks; `None`: they need none.
    pub answer: Option<oneshot::Receiver<bool>>,
    /// When they have to go in any case.
    pub until: Option<Instant>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.roster.kept().guests.retain(|entry| entry.viewer != self.viewer);
    }
}

impl Roster {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn sit(self: &Arc<Self>, viewer: ViewerId, user: UserId, guest: &Guest) -> Result<Taken, Bye> {
        let mut kept = self.kept();
        if kept.barred.contains(&user) {
            return Err(Bye::new(ByeCode::Dismissed, "whose desktop this is has sent you away"));
        }
        let invite = match guest.kind {
            GuestKind::Helper { .. } => None,
            GuestKind::Invited { invite } | GuestKind::Visitor { invite } => {
                let known = kept.invites.iter().find(|known| known.id == invite);
                Some(known.ok_or_else(|| Bye::new(ByeCode::Dismissed, "this invitation was withdrawn"))?.clone())
            }
        };
        let is_visitor = guest.is_visitor();
        let mut until = None;
        if let Some(invite) = invite.filter(|_| is_visitor) {
            let left = u64::try_from(invite.expires.0.saturating_sub(now().0)).unwrap_or(0);
            if !invite.visitors || left == 0 {
                return Err(Bye::new(ByeCode::Dismissed, "this invitation has expired"));
            }
            if kept.guests.iter().any(|entry| entry.invite() == Some(invite.id)) {
                return Err(Bye::new(ByeCode::Dismissed, "somebody else has come by this link"));
            }
            until = Instant::now().checked_add(Duration::from_micros(left));
        }
        // Somebody who comes again, from another window or after a cut, has one seat.
        kept.dismiss(
            |entry| entry.present.user == user,
            ByeCode::TakenOver,
            "you are watching this desktop in another window",
        );
        // A seat is free when its guest has left, not when they were told to: the connection's task never sees two in one.
        let Some(number) = kept.next_seat() else {
            let text = format!("{} people are watching this desktop already; try again later", SEATS_MAX - 1);
            return Err(Bye::new(ByeCode::Dismissed, text));
        };
        kept.last_seat = number;
        let (tell, leave) = oneshot::channel();
        let is_helper = guest.person_kind() == PersonKind::Helper;
        let (door, answer) = if is_visitor {
            let (answer, said) = oneshot::channel();
            let until = Instant::now() + ANSWER_TIME_MAX;
            (Some(Door { answer, until, control: guest.control }), Some(said))
        } else {
            (None, None)
        };
        let present = Present { seat: number, user, name: guest.name.clone(), is_helper, is_visitor };
        kept.guests.push(Entry { viewer, present, kind: guest.kind, leave: Some(tell), door });
        Ok(Taken { roster: Arc::clone(self), viewer, number, leave, answer, until })
    }

    pub fn present(&self) -> Vec<Present> {
        let kept = self.kept();
        let is_in = |entry: &&Entry| entry.leave.is_some() && entry.door.is_none();
        kept.guests.iter().filter(is_in).map(|entry| entry.present.clone()).collect()
    }

    /// Sends away whoever sits there; they stay away.
    pub fn remove(&self, seat: u8) {
        let mut kept = self.kept();
        let who = kept.guests.iter().find(|entry| entry.present.seat == seat);
        let Some((user, is_visitor, invite)) =
            who.map(|entry| (entry.present.user, entry.present.is_visitor, entry.invite()))
        else {
            return;
        };
        if is_visitor {
            // Nobody knows who comes next time: what they came by is shut.
            kept.invites.retain(|known| Some(known.id) != invite);
        }
        if kept.barred.len() < BARRED_MAX && !kept.barred.contains(&user) {
            kept.barred.push(user);
        }
        kept.dismiss(|entry| entry.present.user == user, ByeCode::Dismissed, "whose desktop this is has sent you away");
    }

    /// Sends people away for another reason.
    pub fn dismiss(&self, who: impl Fn(&Present) -> bool, text: &str) {
        self.kept().dismiss(|entry| who(&entry.present), ByeCode::Dismissed, text);
    }

    /// Errors: there are as many as there may be.
    pub fn invite(&self, invite: Invite, now: Micros) -> Result<(), TooManyInvites> {
        let mut kept = self.kept();
        if kept.invites.iter().filter(|known| known.expires > now).count() >= INVITES_MAX {
            return Err(TooManyInvites);
        }
        // One that has expired is still somebody's who came by it, so that it can be withdrawn.
        let in_use: Vec<InviteId> = kept.guests.iter().filter_map(Entry::invite).collect();
        kept.invites.retain(|known| known.expires > now || in_use.contains(&known.id));
        kept.invites.push(invite);
        let known: Vec<InviteId> = kept.invites.iter().map(|invite| invite.id).collect();
        kept.knocks.retain(|id, _| known.contains(id));
        Ok(())
    }

    /// Those that can be used, or by which somebody is here.
    pub fn invites(&self, now: Micros) -> Vec<Invite> {
        let kept = self.kept();
        let used = |invite: &Invite| kept.guests.iter().any(|entry| entry.invite() == Some(invite.id));
        kept.invites.iter().filter(|invite| invite.expires > now || used(invite)).cloned().collect()
    }

    /// The invitation for people without an account with this token, while it is open, and counts that somebody knocks with it.
    pub fn knock(&self, token_sha256: &str, now: Micros) -> Option<Result<Invite, KnockRefusal>> {
        let mut kept = self.kept();
        let is_it = |invite: &&Invite| invite.visitors && invite.token_sha256 == token_sha256 && invite.expires > now;
        let invite = kept.invites.iter().find(is_it)?.clone();
        if kept.guests.iter().any(|entry| entry.invite() == Some(invite.id)) {
            return Some(Err(KnockRefusal::Taken));
        }
        let knocks = kept.knocks.entry(invite.id).or_default();
        if *knocks >= KNOCKS_MAX {
            return Some(Err(KnockRefusal::TooMany));
        }
        *knocks += 1;
        Some(Ok(invite))
    }

    /// What the owner is asked about those who knock.
    pub fn questions(&self) -> Vec<ServerRecord> {
        let kept = self.kept();
        let asked = |entry: &Entry| {
            let door = entry.door.as_ref()?;
            let kind = if door.control { QuestionKind::KnockHelp } else { QuestionKind::Knock };
            let seconds = door.until.saturating_duration_since(Instant::now()).as_secs() as u16;
            Some(ServerRecord::Question { seat: entry.present.seat, kind, seconds, name: entry.present.name.clone() })
        };
        kept.guests.iter().filter_map(asked).collect()
    }

    /// The owner's answer to somebody who knocks. False when nobody does there.
    pub fn answer(&self, seat: u8, yes: bool) -> bool {
        let mut kept = self.kept();
        let entry = kept.guests.iter_mut().find(|entry| entry.present.seat == seat && entry.door.is_some());
        let Some(entry) = entry else { return false };
        let invite = entry.invite();
        let told = entry.door.take().is_some_and(|door| door.answer.send(yes).is_ok());
        if let Some(invite) = invite.filter(|_| told && yes) {
            kept.knocks.remove(&invite);
        }
        true
    }

    /// The invitation with this token, while it lets in anybody who is signed in.
    pub fn invited(&self, token_sha256: &str, now: Micros) -> Option<Invite> {
        let kept = self.kept();
        let is_it = |invite: &&Invite| !invite.visitors && invite.token_sha256 == token_sha256 && invite.expires > now;
        kept.invites.iter().find(is_it).cloned()
    }

    /// Withdraws an invitation; whoever came by it leaves. False when there is none.
    pub fn revoke(&self, id: InviteId) -> bool {
        let mut kept = self.kept();
        let before = kept.invites.len();
        kept.invites.retain(|invite| invite.id != id);
        kept.dismiss(|entry| entry.invite() == Some(id), ByeCode::Dismissed, "this invitation was withdrawn");
        kept.invites.len() < before
    }
}

impl Kept {
    /// Numbers go round rather than be given again at once: the owner's answer about a seat, or that its guest has to go, may be
    /// on its way while the guest leaves, and must not meet whoever comes next. `None`: all seats are taken.
    fn next_seat(&self) -> Option<u8> {
        let is_free = |number: &u8| !self.guests.iter().any(|entry| entry.present.seat == *number);
        let mut numbers = (self.last_seat..=u8::MAX).skip(1).chain(1..=self.last_seat);
        if self.guests.len() < SEATS_MAX - 1 { numbers.find(is_free) } else { None }
    }

    fn dismiss(&mut self, who: impl Fn(&Entry) -> bool, code: ByeCode, text: &str) {
        for entry in self.guests.iter_mut().filter(|entry| who(entry)) {
            if let Some(leave) = entry.leave.take() {
                leave.send(Bye::new(code, text)).ok();
            }
        }
    }
}

impl Entry {
    const fn invite(&self) -> Option<InviteId> {
        match self.kind {
            GuestKind::Invited { invite } | GuestKind::Visitor { invite } => Some(invite),
            GuestKind::Helper { .. } => None,
        }
    }
}

/// Why somebody without an account may not knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnockRefusal {
    #[error("somebody has come by this link, or waits to be let in: it is for one at a time")]
    Taken,
    #[error("people have knocked {KNOCKS_MAX} times with this link without being let in")]
    TooMany,
}

/// There are [`INVITES_MAX`] already.
#[derive(Debug, thiserror::Error)]
#[error("{INVITES_MAX} invitations to this connection are open already")]
pub struct TooManyInvites;

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_model::ConnectionId;

    fn invite(token: &str, expires: i64) -> Invite {
        Invite {
            id: InviteId::new(),
            token_sha256: token.into(),
            control: false,
            may_control: false,
            visitors: false,
            created: Micros(0),
            expires: Micros(expires),
        }
    }

    fn guest(kind: GuestKind) -> Guest {
        Guest { connection: ConnectionId::new(), name: "ben".into(), kind, control: false, may_control: false }
    }

    #[test]
    fn an_invitation_lets_in_until_it_expires_or_is_withdrawn() {
        let roster = Arc::new(Roster::default());
        let open = invite("a", 100);
        roster.invite(open.clone(), Micros(0)).unwrap();
        assert_eq!(roster.invited("a", Micros(99)), Some(open.clone()));
        assert_eq!(roster.invited("a", Micros(100)), None);
        assert_eq!(roster.invited("b", Micros(0)), None);
        let comes = guest(GuestKind::Invited { invite: open.id });
        let mut ben = roster.sit(1, UserId::new(), &comes).unwrap();
        // Expired, and listed while somebody is here by it.
        assert_eq!(roster.invites(Micros(200)).len(), 1);
        assert!(roster.revoke(open.id) && !roster.revoke(open.id));
        assert_eq!(ben.leave.try_recv().unwrap().code, ByeCode::Dismissed);
        assert!(roster.present().is_empty());
        assert!(roster.sit(2, UserId::new(), &comes).is_err());
    }

    #[test]
    fn seats_are_few_one_each_and_free_again() {
        let roster = Arc::new(Roster::default());
        let helper = guest(GuestKind::Helper { ask: false });
        let (ben, cleo) = (UserId::new(), UserId::new());
        let mut first = roster.sit(1, ben, &helper).unwrap();
        let second = roster.sit(2, ben, &helper).unwrap();
        assert_eq!(first.leave.try_recv().unwrap().code, ByeCode::TakenOver);
        assert_eq!((first.number, second.number), (1, 2));
        drop(first);
        assert_eq!(roster.sit(3, cleo, &helper).unwrap().number, 3, "not the one that was just left");
        let mut others: Vec<Taken> =
            (3..10).map(|viewer| roster.sit(viewer, UserId::new(), &helper).unwrap()).collect();
        assert!(roster.sit(20, cleo, &helper).is_err());
        others.pop();
        assert_eq!(roster.sit(21, cleo, &helper).unwrap().number, 11);
        roster.remove(second.number);
        assert!(roster.sit(22, ben, &helper).is_err(), "who was sent away stays away");
    }

    #[test]
    fn the_numbers_of_seats_go_round_and_leave_out_those_taken() {
        let roster = Arc::new(Roster::default());
        let helper = guest(GuestKind::Helper { ask: false });
        let stays = roster.sit(0, UserId::new(), &helper).unwrap();
        let numbers = (1..=600).map(|viewer| roster.sit(viewer, UserId::new(), &helper).unwrap().number);
        let expected = (2..=u8::MAX).cycle().take(600);
        assert_eq!(stays.number, 1);
        assert!(numbers.eq(expected), "0 is the owner's, 1 is taken");
    }

    #[test]
    fn one_without_an_account_knocks_and_is_alone_with_the_link() {
        let roster = Arc::new(Roster::default());
        let link = Invite { visitors: true, ..invite("a", i64::MAX) };
        roster.invite(link.clone(), Micros(0)).unwrap();
        assert_eq!(roster.invited("a", Micros(0)), None, "not for those with an account");
        assert!(roster.knock("b", Micros(0)).is_none() && roster.knock("a", Micros(i64::MAX)).is_none());
        let comes = guest(GuestKind::Visitor { invite: link.id });
        assert_eq!(roster.knock("a", Micros(0)), Some(Ok(link)));
        let mut bob = roster.sit(1, UserId::new(), &comes).unwrap();
        assert!(bob.until.is_some() && roster.present().is_empty());
        assert_eq!(roster.knock("a", Micros(0)), Some(Err(KnockRefusal::Taken)));
        assert!(roster.sit(2, UserId::new(), &comes).is_err());
        let asked =
            |record: &ServerRecord| matches!(record, ServerRecord::Question { seat: 1, kind: QuestionKind::Knock, .. });
        assert!(roster.questions().iter().all(asked) && roster.questions().len() == 1);
        assert!(!roster.answer(2, true) && roster.answer(1, false) && !roster.answer(1, true), "once");
        assert_eq!(bob.answer.as_mut().map(oneshot::Receiver::try_recv), Some(Ok(false)));
        drop(bob);

        for _ in 1..KNOCKS_MAX {
            assert!(matches!(roster.knock("a", Micros(0)), Some(Ok(_))));
        }
        assert_eq!(roster.knock("a", Micros(0)), Some(Err(KnockRefusal::TooMany)));
        let mut bob = roster.sit(3, UserId::new(), &comes).unwrap();
        assert!(roster.answer(bob.number, true) && roster.questions().is_empty());
        assert_eq!(bob.answer.as_mut().map(oneshot::Receiver::try_recv), Some(Ok(true)));
        assert!(roster.present().iter().all(|present| present.is_visitor) && roster.present().len() == 1);
        // Sent away: the link is shut with it.
        roster.remove(bob.number);
        assert_eq!(bob.leave.try_recv().unwrap().code, ByeCode::Dismissed);
        drop(bob);
        assert_eq!(roster.knock("a", Micros(0)), None);
        assert!(roster.sit(4, UserId::new(), &comes).is_err());
    }

    #[test]
    fn invitations_are_few_and_old_ones_make_room() {
        let roster = Roster::default();
        for at in 0..INVITES_MAX {
            roster.invite(invite(&at.to_string(), 100), Micros(0)).unwrap();
        }
        assert!(roster.invite(invite("more", 100), Micros(0)).is_err());
        roster.invite(invite("more", 200), Micros(100)).unwrap();
        assert_eq!(roster.invites(Micros(100)).len(), 1);
    }
}
