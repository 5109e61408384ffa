//! A connection's guests inside its task: who sits where, who has keys and pointer, who is asked about whom, and where
//! everybody points. The same for screens and terminals, which differ in what a viewer is.

use crate::command::{Bye, ViewerId};
use crate::seat::{Guest, GuestKind};
use oriel_screen::wire::ServerRecord;
use oriel_screen::{ByeCode, Person, PersonKind, QuestionKind};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long the owner has to answer; then it is no.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);
/// How long a guest waits before the owner can be asked for control again.
const WISH_PAUSE: Duration = Duration::from_secs(30);
/// Pointers of others are told this often at most: about once a frame.
const POINTER_PERIOD: Duration = Duration::from_millis(33);

/// What can be told to a viewer.
pub(crate) trait Ear {
    /// False: not now, it has too much to read already.
    fn tell(&mut self, record: &ServerRecord) -> bool;
    /// As [`Self::tell`], for what is not worth waiting for.
    fn tell_lightly(&mut self, record: &ServerRecord);
    fn part(self, bye: &Bye);
}

/// Somebody who watches.
pub(crate) struct Seated<E> {
    pub viewer: ViewerId,
    pub number: u8,
    pub guest: Guest,
    pub control: bool,
    pub ear: E,
    /// Has not seen anything yet: whoever owns the picture shows it.
    pub fresh: bool,
    /// How often its decoder lost its place.
    pub troubles: u32,
    /// Knows that video is not shown to it.
    pub told_of_video: bool,
    /// Has not been told who is here.
    untold: bool,
    wish: Option<Instant>,
    wished: Option<Instant>,
}

impl<E> Seated<E> {
    /// The clipboard is for those who have the keyboard, and an account.
    pub fn has_clipboard(&self) -> bool {
        self.control && !self.guest.is_visitor()
    }
}

/// Somebody who waits for the owner's yes.
struct Asking<E> {
    viewer: ViewerId,
    number: u8,
    guest: Guest,
    ear: E,
    until: Instant,
    /// The owner's viewer knows.
    asked: bool,
}

pub(crate) struct Crowd<E> {
    pub seated: Vec<Seated<E>>,
    asking: Vec<Asking<E>>,
    owner: String,
    owner_here: bool,
    /// The owner's viewer has not been told who is here; it need not be while nobody was.
    owner_untold: bool,
    had_guests: bool,
    /// Keys and buttons that a guest may have left down.
    release: bool,
    /// Where each seat points, and whether others know: the owner's, and of guests those who are seated.
    pointers: BTreeMap<u8, (u16, u16, bool)>,
    pointers_at: Instant,
    /// Questions that the owner need not answer any more.
    withdrawn: Vec<(u8, QuestionKind)>,
}

impl<E: Ear> Crowd<E> {
    pub fn new() -> Self {
        Self {
            seated: Vec::new(),
            asking: Vec::new(),
            owner: String::new(),
            owner_here: false,
            owner_untold: false,
            had_guests: false,
            release: false,
            pointers: BTreeMap::new(),
            pointers_at: Instant::now(),
            withdrawn: Vec::new(),
        }
    }

    /// How many watch.
    pub fn watching(&self) -> usize {
        self.seated.len()
    }

    fn changed(&mut self) {
        self.owner_untold = true;
        self.had_guests |= !self.seated.is_empty();
        self.seated.iter_mut().for_each(|seated| seated.untold = true);
    }

    pub fn owner_came(&mut self, name: String) {
        self.owner = name;
        self.owner_here = true;
        self.asking.iter_mut().for_each(|asking| asking.asked = false);
        // A question about control is told of again only by who wishes it again: the owner's window is another.
        self.seated.iter_mut().for_each(|seated| seated.wish = None);
        self.changed();
    }

    pub fn owner_left(&mut self) {
        self.owner_here = false;
        self.pointers.clear();
        self.changed();
    }

    /// `ear` has been told where it is. One that the owner is asked about waits.
    pub fn arrive(&mut self, viewer: ViewerId, number: u8, guest: Guest, mut ear: E) {
        if matches!(guest.kind, GuestKind::Helper { ask: true }) {
            let owner = if self.owner.is_empty() { "the person whose desktop this is" } else { &self.owner };
            ear.tell(&ServerRecord::Status {
                code: oriel_screen::StatusCode::WaitingForMachine,
                text: format!("asking {owner} whether you may come in"),
            });
            let until = Instant::now() + ANSWER_TIME_MAX;
            self.asking.push(Asking { viewer, number, guest, ear, until, asked: false });
        } else {
            self.seat(viewer, number, guest, ear);
        }
    }

    fn seat(&mut self, viewer: ViewerId, number: u8, guest: Guest, ear: E) {
        let control = guest.control;
        self.seated.push(Seated {
            viewer,
            number,
            guest,
            control,
            ear,
            fresh: true,
            troubles: 0,
            told_of_video: false,
            untold: true,
            wish: None,
            wished: None,
        });
        self.changed();
    }

    pub fn find(&mut self, viewer: ViewerId) -> Option<&mut Seated<E>> {
        self.seated.iter_mut().find(|seated| seated.viewer == viewer)
    }

    /// Lets go of a guest's viewer; says why where that is not known to it.
    pub fn leave(&mut self, viewer: ViewerId, why: Option<&Bye>) {
        if let Some(at) = self.seated.iter().position(|seated| seated.viewer == viewer) {
            let gone = self.seated.swap_remove(at);
            self.release |= gone.control;
            self.pointers.remove(&gone.number);
            if gone.wish.is_some() {
                self.withdraw(gone.number, QuestionKind::Control);
            }
            if let Some(bye) = why {
                gone.ear.part(bye);
            }
            self.changed();
        } else if let Some(at) = self.asking.iter().position(|asking| asking.viewer == viewer) {
            let gone = self.asking.swap_remove(at);
            self.withdraw(gone.number, QuestionKind::Watch);
            if let Some(bye) = why {
                gone.ear.part(bye);
            }
        }
    }

    fn withdraw(&mut self, seat: u8, kind: QuestionKind) {
        self.withdrawn.retain(|(other, _)| *other != seat);
        self.withdrawn.push((seat, kind));
    }

    /// For what those who wait were told.
    pub fn flush_asking(&mut self, flush: impl FnMut(&mut E)) {
        self.asking.iter_mut().map(|asking| &mut asking.ear).for_each(flush);
    }

    /// Tells guests and those who wait to be let in: who is seated later knows it by then.
    pub fn tell_all(&mut self, record: &ServerRecord) {
        let seated = self.seated.iter_mut().map(|seated| &mut seated.ear);
        for ear in seated.chain(self.asking.iter_mut().map(|asking| &mut asking.ear)) {
            ear.tell(record);
        }
    }

    /// Everybody leaves.
    pub fn dismiss(&mut self, bye: &Bye) {
        self.seated.drain(..).for_each(|seated| seated.ear.part(bye));
        self.asking.drain(..).for_each(|asking| asking.ear.part(bye));
    }

    /// The owner said yes or no about a seat.
    pub fn answer(&mut self, seat: u8, yes: bool) {
        if let Some(at) = self.asking.iter().position(|asking| asking.number == seat) {
            let Asking { viewer, number, guest, ear, .. } = self.asking.swap_remove(at);
            if yes {
                self.seat(viewer, number, guest, ear);
            } else {
                ear.part(&Bye::new(ByeCode::Dismissed, "you were not let in: the answer was no"));
            }
        } else if let Some(seated) = self.seated.iter_mut().find(|seated| seated.number == seat)
            && seated.wish.take().is_some()
        {
            if yes {
                seated.control = true;
                self.changed();
            } else {
                seated.ear.tell(&ServerRecord::Words("You may go on watching, without control.".into()));
            }
        }
    }

    /// The owner gives or takes control, or a guest (`by`) gives it back.
    pub fn control(&mut self, seat: u8, on: bool, by: Option<ViewerId>) {
        let Some(seated) = self.seated.iter_mut().find(|seated| seated.number == seat) else { return };
        if by.is_some_and(|viewer| on || viewer != seated.viewer)
            || on && !seated.guest.may_control
            || on == seated.control
        {
            return;
        }
        seated.control = on;
        seated.wish = None;
        self.release |= !on;
        self.changed();
    }

    /// A guest would like control: the owner's viewer is asked.
    pub fn wish(&mut self, viewer: ViewerId, owner: Option<&mut E>) {
        let Some(seated) = self.seated.iter_mut().find(|seated| seated.viewer == viewer) else { return };
        if seated.control || seated.wish.is_some() {
            return;
        }
        let now = Instant::now();
        let refused = if !seated.guest.may_control {
            Some("Control cannot be given on this desktop.")
        } else if owner.is_none() {
            Some("Nobody is there who could give you control.")
        } else if seated.wished.is_some_and(|at| now < at + WISH_PAUSE) {
            Some("You asked a moment ago; wait before you ask again.")
        } else {
            None
        };
        match (refused, owner) {
            (None, Some(owner)) => {
                (seated.wish, seated.wished) = (Some(now + ANSWER_TIME_MAX), Some(now));
                owner.tell(&ServerRecord::Question {
                    seat: seated.number,
                    kind: QuestionKind::Control,
                    seconds: ANSWER_TIME_MAX.as_secs() as u16,
                    name: seated.guest.name.clone(),
                });
            }
            (refused, _) => {
                seated.ear.tell(&ServerRecord::Words(refused.unwrap_or_default().into()));
            }
        }
    }

    /// Somebody points there. While nobody else is here, nobody need know.
    pub fn points(&mut self, seat: u8, x: u16, y: u16) {
        let known = self.pointers.get(&seat).is_some_and(|(old_x, old_y, _)| (*old_x, *old_y) == (x, y));
        if !self.seated.is_empty() && !known {
            self.pointers.insert(seat, (x, y, false));
        }
    }

    /// True once when the machine must hear that nothing is held down.
    pub fn take_release(&mut self) -> bool {
        std::mem::take(&mut self.release)
    }

    /// When [`Self::attend`] has something to do, at the latest.
    pub fn wake_at(&self) -> Option<Instant> {
        let untold = !self.seated.is_empty() && self.pointers.values().any(|(_, _, told)| !told);
        let pointers = untold.then_some(self.pointers_at);
        let asking = self.asking.iter().map(|asking| asking.until);
        let wishes = self.seated.iter().filter_map(|seated| seated.wish);
        pointers.into_iter().chain(asking).chain(wishes).min()
    }

    /// Tells everybody what they do not know yet, and ends what was not answered.
    pub fn attend(&mut self, mut owner: Option<&mut E>) {
        let quiet = self.withdrawn.is_empty() && !(self.had_guests && self.owner_untold);
        if self.seated.is_empty() && self.asking.is_empty() && quiet {
            return;
        }
        let now = Instant::now();
        self.expire(now);
        if let Some(owner) = owner.as_deref_mut() {
            for (seat, kind) in self.withdrawn.drain(..) {
                owner.tell(&ServerRecord::Question { seat, kind, seconds: 0, name: String::new() });
            }
            for asking in self.asking.iter_mut().filter(|asking| !asking.asked) {
                let kind = if asking.guest.control { QuestionKind::Help } else { QuestionKind::Watch };
                let seconds = asking.until.saturating_duration_since(now).as_secs() as u16;
                let name = asking.guest.name.clone();
                asking.asked = owner.tell(&ServerRecord::Question { seat: asking.number, kind, seconds, name });
            }
        }
        self.tell_people(owner.as_deref_mut());
        if now >= self.pointers_at {
            self.tell_pointers(owner);
            self.pointers_at = now + POINTER_PERIOD;
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some(at) = self.asking.iter().position(|asking| asking.until <= now) {
            let gone = self.asking.swap_remove(at);
            gone.ear.part(&Bye::new(ByeCode::Dismissed, "you were not let in: nobody answered"));
            self.withdraw(gone.number, QuestionKind::Watch);
        }
        let over = |seated: &&mut Seated<E>| seated.wish.is_some_and(|until| until <= now);
        let mut unanswered = Vec::new();
        for seated in self.seated.iter_mut().filter(over) {
            seated.wish = None;
            seated.ear.tell(&ServerRecord::Words("Nobody answered whether you may have control.".into()));
            unanswered.push(seated.number);
        }
        unanswered.into_iter().for_each(|seat| self.withdraw(seat, QuestionKind::Control));
    }

    fn people(&self) -> Vec<Person> {
        let owner = Person {
            seat: 0,
            kind: PersonKind::Owner,
            control: true,
            may_control: true,
            here: self.owner_here,
            name: self.owner.clone(),
        };
        let guests = self.seated.iter().map(|seated| Person {
            seat: seated.number,
            kind: seated.guest.person_kind(),
            control: seated.control,
            may_control: seated.guest.may_control,
            here: true,
            name: seated.guest.name.clone(),
        });
        std::iter::once(owner).chain(guests).collect()
    }

    fn tell_people(&mut self, owner: Option<&mut E>) {
        let owner_untold = self.owner_untold && self.had_guests && owner.is_some();
        if !owner_untold && !self.seated.iter().any(|seated| seated.untold) {
            return;
        }
        let people = self.people();
        if owner_untold && let Some(owner) = owner {
            self.owner_untold = !owner.tell(&ServerRecord::People { own: 0, people: people.clone() });
        }
        for seated in self.seated.iter_mut().filter(|seated| seated.untold) {
            seated.untold = !seated.ear.tell(&ServerRecord::People { own: seated.number, people: people.clone() });
        }
    }

    fn tell_pointers(&mut self, mut owner: Option<&mut E>) {
        for (&seat, (x, y, told)) in &mut self.pointers {
            if std::mem::replace(told, true) {
                continue;
            }
            let record = ServerRecord::Pointing { seat, x: *x, y: *y };
            if seat != 0
                && let Some(owner) = owner.as_deref_mut()
            {
                owner.tell_lightly(&record);
            }
            for seated in self.seated.iter_mut().filter(|seated| seated.number != seat) {
                seated.ear.tell_lightly(&record);
            }
        }
    }
}

/// For guests whose owner does not come back.
pub(crate) fn owner_gone() -> Bye {
    Bye::new(
        ByeCode::TooSlow,
        format!("the person whose desktop this is has been away for {} seconds", crate::RESUME_SECONDS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording;
    use oriel_model::ConnectionId;
    use std::sync::{Arc, Mutex};

    /// Remembers what it was told.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<ServerRecord>>>);

    impl Heard {
        fn has(&self, record: &ServerRecord) -> bool {
            self.0.lock().unwrap().contains(record)
        }
    }

    impl Ear for Heard {
        fn tell(&mut self, record: &ServerRecord) -> bool {
            self.0.lock().unwrap().push(record.clone());
            true
        }

        fn tell_lightly(&mut self, record: &ServerRecord) {
            self.tell(record);
        }

        fn part(mut self, bye: &Bye) {
            self.tell(&ServerRecord::Bye { code: bye.code, text: bye.text.clone() });
        }
    }

    fn guest(ask: bool) -> Guest {
        let (connection, kind) = (ConnectionId::new(), GuestKind::Helper { ask });
        Guest { connection, name: "ben".into(), kind, control: false, may_control: true }
    }

    #[test]
    fn who_waits_to_be_let_in_knows_what_everybody_was_told_meanwhile() {
        let mut crowd = Crowd::new();
        let (waits, sits) = (Heard::default(), Heard::default());
        crowd.arrive(1, 1, guest(true), waits.clone());
        crowd.arrive(2, 2, guest(false), sits.clone());
        let sign = recording::sign(true, oriel_model::RecordedInput::default());
        crowd.tell_all(&sign);
        crowd.answer(1, true);
        assert_eq!(crowd.watching(), 2);
        assert!(waits.has(&sign) && sits.has(&sign));
    }

    #[test]
    fn what_is_not_answered_is_a_no_when_its_time_is_over() {
        let mut crowd = Crowd::new();
        let waits = Heard::default();
        crowd.arrive(1, 1, guest(true), waits.clone());
        let until = crowd.wake_at().unwrap();
        assert!(until <= Instant::now() + ANSWER_TIME_MAX);
        crowd.expire(until);
        let text = "you were not let in: nobody answered".into();
        assert!(waits.has(&ServerRecord::Bye { code: ByeCode::Dismissed, text }));
        assert_eq!(crowd.wake_at(), None);
    }

    #[test]
    fn an_answer_about_one_who_left_is_about_nobody() {
        let mut crowd = Crowd::new();
        crowd.arrive(1, 1, guest(true), Heard::default());
        crowd.leave(1, None);
        crowd.arrive(2, 2, guest(true), Heard::default());
        crowd.answer(1, true);
        assert_eq!(crowd.watching(), 0);
    }
}
