//! People who come, are in a desktop, and leave; and who is where in truth.

use crate::{
    actor::End,
    stage::{self, before_call},
};
use async_trait::async_trait;
use oriel_broker::{Broker, BrokerError, Open, OpenAs, Sessions};
use oriel_compute::{Power, fake::FakeCompute};
use oriel_model::{
    Desktop, DesktopId, DesktopState, GuestPort, Micros, Permission, Pool, PoolKind, Role, RolloutPlan, TokenScope,
    User, UserId,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How long a word about who is there holds: what `crates/broker/src/seat.rs` says.
const PRESENCE_SECONDS: i64 = 60;

/// Somebody is connected.
#[derive(Clone, Debug)]
pub struct Session {
    pub person: UserId,
    pub desktop: DesktopId,
    pub generation: u32,
    pub program: usize,
    pub since: Micros,
    /// Until when their program has said in the database that they are there.
    pub said_until: Micros,
    /// It was taken back while nobody knew whether their program still lives: their connection ends with the machine.
    pub is_lost: bool,
    /// An administrator may be in everybody's, but nobody in what one has been in first.
    pub is_admin: bool,
    /// In somebody else's.
    pub is_guest: bool,
    /// On a session host, where others are, too.
    pub is_shared: bool,
}

#[derive(Default)]
struct State {
    sessions: Vec<Session>,
    /// Who was in which generation of which desktop first.
    first: BTreeMap<(DesktopId, u32), UserId>,
    /// To whom which generation of which desktop was given.
    given: BTreeMap<(DesktopId, u32), UserId>,
    broken: Option<String>,
}

/// Who is where, in the whole world.
#[derive(Clone, Default)]
pub struct People(Arc<Mutex<State>>);

/// One program's gateway.
pub struct Gateway {
    pub people: People,
    pub program: usize,
}

#[async_trait]
impl Sessions for Gateway {
    fn connections_to(&self, desktop: DesktopId) -> usize {
        self.people.of(self.program).iter().filter(|session| session.desktop == desktop).count()
    }

    fn connected(&self) -> Vec<DesktopId> {
        self.people.of(self.program).into_iter().map(|session| session.desktop).collect()
    }

    async fn thumbnail(&self, _: DesktopId, _: u16) -> Option<Vec<u8>> {
        None
    }

    fn prelaunch(&self, _: UserId, _: DesktopId) {}

    async fn end_desktop(&self, desktop: DesktopId, _: &str) {
        self.people.state().sessions.retain(|session| session.program != self.program || session.desktop != desktop);
    }

    fn open(&self) -> Vec<Open> {
        let of = |session: Session| Open { user: session.person, desktop: session.desktop, what: OpenAs::Files };
        self.people.of(self.program).into_iter().map(of).collect()
    }

    async fn end_of(&self, user: UserId, desktop: DesktopId, _: &str) {
        let is_it =
            |session: &Session| session.program == self.program && session.person == user && session.desktop == desktop;
        self.people.state().sessions.retain(|session| !is_it(session));
    }

    async fn end_user(&self, user: UserId, _: &str) {
        self.people.state().sessions.retain(|session| session.program != self.program || session.person != user);
    }
}

impl People {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, program: usize) -> Vec<Session> {
        self.state().sessions.iter().filter(|session| session.program == program).cloned().collect()
    }

    /// All connections of a program that died are cut.
    pub fn cut(&self, program: usize) {
        self.state().sessions.retain(|session| session.program != program);
    }

    /// One of them leaves.
    pub fn leave(&self, which: u64) {
        let mut state = self.state();
        let count = state.sessions.len() as u64;
        if count > 0 {
            state.sessions.swap_remove((which % count) as usize);
        }
    }

    /// Connections end with their machine.
    pub fn notice(&self, host: &FakeCompute) {
        let running: BTreeSet<(DesktopId, u32)> = host
            .observed()
            .into_iter()
            .filter(|found| found.power == Power::Running)
            .map(|found| (found.desktop, found.generation))
            .collect();
        self.state().sessions.retain(|session| running.contains(&(session.desktop, session.generation)));
    }

    /// A round of `presence` ended well: what the gateway said as it began is in the database.
    pub fn said(&self, program: usize, began: Micros) {
        let mut state = self.state();
        for session in state.sessions.iter_mut().filter(|session| session.program == program) {
            if session.since <= began && !session.is_lost {
                session.said_until = session.said_until.max(began.plus_seconds(PRESENCE_SECONDS));
            }
        }
    }

    /// Somebody got a desktop. One that is not made yet, or is made anew, has no generation of its own yet, and nobody can have been in it.
    fn give(&self, desktop: &Desktop, person: UserId) {
        if desktop.generation == 0 || desktop.state == DesktopState::Recycling {
            return;
        }
        let mut state = self.state();
        let before = *state.given.entry((desktop.id, desktop.generation)).or_insert(person);
        if before != person {
            let text = format!(
                "{} was given to {person} as it was given to {before}, generation {}",
                desktop.name, desktop.generation
            );
            state.broken.get_or_insert(text);
        }
    }

    /// Somebody is in a desktop from now on.
    fn seat(&self, session: Session) {
        let mut state = self.state();
        if session.is_guest || session.is_shared {
            state.sessions.push(session);
            return;
        }
        let first = *state.first.entry((session.desktop, session.generation)).or_insert(session.person);
        if first != session.person && !session.is_admin {
            let text = format!(
                "{} is in {}, generation {}, where {first} has been",
                session.person, session.desktop, session.generation
            );
            state.broken.get_or_insert(text);
        }
        state.sessions.push(session);
    }

    /// Whoever is there, and is known to be, has not lost what they are in. `owner` says whose a desktop is.
    pub fn keep_what_they_have(
        &self,
        now: Micros,
        owner: impl Fn(DesktopId) -> Option<Option<UserId>>,
    ) -> Result<(), String> {
        let own = |session: &&mut Session| !session.is_admin && !session.is_lost && !session.is_shared;
        for session in self.state().sessions.iter_mut().filter(own) {
            let Some(owner) = owner(session.desktop).filter(|owner| *owner != Some(session.person)) else { continue };
            if now < session.said_until {
                return Err(format!("{} is in {}, which is of {owner:?}", session.person, session.desktop));
            }
            session.is_lost = true;
        }
        Ok(())
    }

    /// Whoever is on a session host, and is known to be, has a place there.
    pub fn keep_their_places(&self, now: Micros, places: &BTreeSet<(UserId, DesktopId)>) -> Result<(), String> {
        for session in self.state().sessions.iter_mut().filter(|session| session.is_shared && !session.is_lost) {
            if places.contains(&(session.person, session.desktop)) {
                continue;
            }
            if now < session.said_until {
                return Err(format!("{} is on {} and has no place there", session.person, session.desktop));
            }
            session.is_lost = true;
        }
        Ok(())
    }

    /// No desktop goes to another version while somebody is in it, and is known to be. `goes` says whether one does.
    pub fn are_left_alone(&self, now: Micros, goes: impl Fn(DesktopId) -> bool) -> Result<(), String> {
        for session in self.state().sessions.iter_mut().filter(|session| !session.is_lost && goes(session.desktop)) {
            if now < session.said_until {
                return Err(format!("{} is in {}, which goes to another version", session.person, session.desktop));
            }
            session.is_lost = true;
        }
        Ok(())
    }

    pub fn broken(&self) -> Option<String> {
        self.state().broken.clone()
    }
}

/// Somebody asks for a desktop of the pool and, when it is ready, goes in.
pub async fn come(
    broker: Broker,
    people: People,
    host: Arc<FakeCompute>,
    program: usize,
    person: User,
    pool: Pool,
) -> End {
    End::Deed(try_to_come(&broker, &people, &host, program, &person, &pool).await)
}

async fn try_to_come(
    broker: &Broker,
    people: &People,
    host: &FakeCompute,
    program: usize,
    person: &User,
    pool: &Pool,
) -> Result<String, BrokerError> {
    let desktop = broker.take_desktop(person, pool).await?;
    stage::with(|stage| stage.tally.given += 1);
    if pool.kind != PoolKind::SessionHost {
        people.give(&desktop, person.id);
    }
    go_in(broker, people, host, program, person, &desktop).await
}

/// An administrator brings the pool to the other one of its image's two versions, ends that half way, or goes back.
pub async fn roll(broker: Broker, pool: Pool, choice: u64, plan: RolloutPlan) -> End {
    End::Deed(try_to_roll(&broker, &pool, choice, plan).await)
}

async fn try_to_roll(broker: &Broker, pool: &Pool, choice: u64, plan: RolloutPlan) -> Result<String, BrokerError> {
    let pool = broker.find_pool(pool.name.as_str()).await?;
    let view = match choice {
        0..5 => {
            let image = broker.pool_image(&pool).await?;
            broker.start_rollout(&pool, Some(if image.version == 1 { 2 } else { 1 }), plan).await?
        }
        5 => broker.cancel_rollout(&pool).await?,
        _ => broker.roll_back(&pool, plan).await?,
    };
    Ok(view.step)
}

/// An administrator goes into a desktop, whoever's it is.
pub async fn visit(
    broker: Broker,
    people: People,
    host: Arc<FakeCompute>,
    program: usize,
    admin: User,
    desktop: Desktop,
) -> End {
    End::Deed(go_in(&broker, &people, &host, program, &admin, &desktop).await)
}

/// As a browser does it: a ticket, the ticket used, the guest dialled.
async fn go_in(
    broker: &Broker,
    people: &People,
    host: &FakeCompute,
    program: usize,
    person: &User,
    desktop: &Desktop,
) -> Result<String, BrokerError> {
    if !matches!(desktop.state, DesktopState::Ready | DesktopState::InUse) {
        return Ok(format!("{} is theirs, and {:?}", desktop.name, desktop.state));
    }
    let ticket = broker.connect(person, desktop, GuestPort::Rdp, None, &person.name).await?;
    let redeemed = broker.redeem(&ticket.ticket.ticket_sha256, &person.name).await;
    let Ok(ticket) = redeemed else { return Ok("their ticket was refused".to_owned()) };
    let grants = broker.grants(person, TokenScope::All).await?;
    // Their word holds from some moment after this one on.
    let said_until = stage::with(|stage| stage.now()).plus_seconds(PRESENCE_SECONDS);
    broker.enter(person, &grants, ticket.desktop).await?;
    let is_admin = person.role == Role::Admin;
    // Who looks into somebody's desktop is not why nobody else may have it.
    let is_guest = is_admin && {
        let key = ticket.desktop.to_string();
        broker.find_desktop_for(person, &grants, &key, Permission::DesktopsUse).await?.owner.is_some()
    };
    if before_call("dial").await.is_err() {
        return Ok("the guest does not answer".to_owned());
    }
    let now = stage::with(|stage| stage.now());
    // A gateway that was asleep for longer than its word holds asks again.
    if now >= said_until {
        return Ok("it took too long".to_owned());
    }
    let running =
        host.observed().into_iter().find(|found| found.desktop == ticket.desktop && found.power == Power::Running);
    let Some(found) = running else { return Ok("the guest is off".to_owned()) };
    stage::with(|stage| stage.tally.entered += 1);
    let is_shared = broker.find_pool(&desktop.pool.to_string()).await?.kind == PoolKind::SessionHost;
    people.seat(Session {
        person: person.id,
        desktop: ticket.desktop,
        generation: found.generation,
        program,
        since: now,
        said_until,
        is_lost: false,
        is_admin,
        is_guest,
        is_shared,
    });
    Ok(format!("is in {}", desktop.name))
}
