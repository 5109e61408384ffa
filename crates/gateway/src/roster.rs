//! Who of others is with a connection, and who may come: kept in the server's process, where a machine has no say.
//!
//! The connection's task seats its guests and gives and takes control; who may be there at all is decided here. A guest that
//! is sent away is let go of here as well: what the task makes of it does not matter.

use crate::command::{Bye, ViewerId};
use crate::seat::{Guest, GuestKind};
use oriel_model::{InviteId, Micros, UserId};
use oriel_screen::{ByeCode, PersonKind, SEATS_MAX};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Invitations to one connection that can be used.
pub const INVITES_MAX: usize = 16;
/// People who were sent away from one connection, and stay away from it.
const BARRED_MAX: usize = 64;

/// An invitation to watch a live connection. Its token is stored only as SHA-256 hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    pub id: InviteId,
    pub token_sha256: String,
    /// Guests have keys and pointer; without it the owner can give them, where policy has `may_control`.
    pub control: bool,
    pub may_control: bool,
    pub created: Micros,
    /// Nobody new comes in from then on.
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
}

#[derive(Default)]
pub(crate) struct Roster(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    guests: Vec<Entry>,
    invites: Vec<Invite>,
    barred: Vec<UserId>,
    /// The number that was given last.
    last_seat: u8,
}

struct Entry {
    viewer: ViewerId,
    present: Present,
    kind: GuestKind,
    /// `None` once told to leave.
    leave: Option<oneshot::Sender<Bye>>,
}

/// A guest's seat; given back when dropped.
pub(crate) struct Taken {
    roster: Arc<Roster>,
    viewer: ViewerId,
    pub number: u8,
    /// Says when the guest has to go.
    pub leave: oneshot::Receiver<Bye>,
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
        if let GuestKind::Invited { invite } = guest.kind
            && !kept.invites.iter().any(|known| known.id == invite)
        {
            return Err(Bye::new(ByeCode::Dismissed, "this invitation was withdrawn"));
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
        let present = Present { seat: number, user, name: guest.name.clone(), is_helper };
        kept.guests.push(Entry { viewer, present, kind: guest.kind, leave: Some(tell) });
        Ok(Taken { roster: Arc::clone(self), viewer, number, leave })
    }

    pub fn present(&self) -> Vec<Present> {
        let kept = self.kept();
        kept.guests.iter().filter(|entry| entry.leave.is_some()).map(|entry| entry.present.clone()).collect()
    }

    /// Sends away whoever sits there; they stay away.
    pub fn remove(&self, seat: u8) {
        let mut kept = self.kept();
        let who = kept.guests.iter().find(|entry| entry.present.seat == seat).map(|entry| entry.present.user);
        let Some(user) = who else { return };
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
        Ok(())
    }

    /// Those that can be used, or by which somebody is here.
    pub fn invites(&self, now: Micros) -> Vec<Invite> {
        let kept = self.kept();
        let used = |invite: &Invite| kept.guests.iter().any(|entry| entry.invite() == Some(invite.id));
        kept.invites.iter().filter(|invite| invite.expires > now || used(invite)).cloned().collect()
    }

    /// The invitation with this token, while it lets anybody in.
    pub fn invited(&self, token_sha256: &str, now: Micros) -> Option<Invite> {
        let kept = self.kept();
        kept.invites.iter().find(|invite| invite.token_sha256 == token_sha256 && invite.expires > now).cloned()
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
            GuestKind::Invited { invite } => Some(invite),
            GuestKind::Helper { .. } => None,
        }
    }
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
