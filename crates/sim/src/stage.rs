//! What one thread's world is played on: its clock, its chance, and who may go on.
//!
//! Everything of a world runs on one thread, and one actor at a time: it goes on until it comes to a gate (before a write to the
//! database, before a call to the host) at which chance lets it rest. So the same seed gives the same run, whatever the machine
//! and its load.

use crate::chance::Chance;
use oriel_broker::fault::Killed;
use oriel_model::Micros;
use oriel_store::{clock, seam};
use std::{cell::RefCell, future::poll_fn, panic::resume_unwind, task::Poll};

/// Between the last change by one program and the first by the next: the leader's margin (20 s) less the longest call.
const APART_SECONDS: i64 = 5;

/// When every world begins.
pub const DAWN: Micros = Micros(1_795_000_000_000_000);
/// Lines of a run that are kept.
const LOG_LINES_MAX: usize = 400;
/// A call that waits for longer than this is given up before it did anything. The leader's margin is longer.
const CALL_SECONDS_MAX: i64 = 15;

/// What happened, counted over all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    pub steps: u64,
    pub kills: u64,
    pub faults: u64,
    pub lost_replies: u64,
    pub deeds: u64,
    pub rounds: u64,
    /// Times a person got a desktop, and was in one.
    pub given: u64,
    pub entered: u64,
    /// Times a program that slept came back after its lease had ended.
    pub long_sleeps: u64,
}

impl Tally {
    pub const fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.kills += other.kills;
        self.faults += other.faults;
        self.lost_replies += other.lost_replies;
        self.deeds += other.deeds;
        self.rounds += other.rounds;
        self.given += other.given;
        self.entered += other.entered;
        self.long_sleeps += other.long_sleeps;
    }
}

pub struct Stage {
    pub chance: Chance,
    pub tally: Tally,
    /// Things go wrong now.
    pub storm: bool,
    /// Programs of this world are stopped for minutes again and again.
    pub sleepy: bool,
    now: Micros,
    /// The actor that is driven stands at a gate.
    parked: bool,
    /// The actor that is driven may pass one gate.
    grant: bool,
    /// For how long the one at the gate rests, in microseconds.
    rest: i64,
    /// Which program changed something on the host last, and when.
    acted: Option<(usize, Micros)>,
    /// Two programs acted at the same time.
    collision: Option<String>,
    /// Kept for whoever looks into a failure.
    log: Option<Vec<String>>,
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// The stage of this thread's world. Outside of one, a stage without storms.
pub fn with<T>(act: impl FnOnce(&mut Stage) -> T) -> T {
    STAGE.with_borrow_mut(|stage| act(stage.get_or_insert_with(|| Stage::new(0, false))))
}

/// Begins a world on this thread.
pub fn begin(seed: u64, log: bool) {
    STAGE.with_borrow_mut(|stage| *stage = Some(Stage::new(seed, log)));
    clock::set(Some(DAWN));
    seam::hold(Some(Box::new(|pass| with(|stage| stage.may_pass(pass == seam::Pass::First, Gate::Write)))));
    oriel_broker::fault::watch(Some(Box::new(|point| {
        with(|stage| {
            let dies = stage.storm && stage.chance.per_mille(30);
            if dies {
                stage.tally.kills += 1;
                stage.note(|| format!("dies at {point}"));
            }
            dies
        })
    })));
}

/// Ends it: the thread has the real time again.
pub fn end() -> Tally {
    let tally = with(|stage| stage.tally);
    clock::set(None);
    seam::hold(None);
    oriel_broker::fault::watch(None);
    tally
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Write,
    Call,
}

impl Stage {
    fn new(seed: u64, log: bool) -> Self {
        Self {
            chance: Chance::new(seed),
            tally: Tally::default(),
            storm: false,
            sleepy: false,
            now: DAWN,
            parked: false,
            grant: false,
            rest: 0,
            acted: None,
            collision: None,
            log: log.then(Vec::new),
        }
    }

    pub const fn now(&self) -> Micros {
        self.now
    }

    pub fn pass_time(&mut self, micros: i64) {
        self.now = Micros(self.now.0 + micros.max(0));
        clock::set(Some(self.now));
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        let seconds = (self.now.0 - DAWN.0) as f64 / 1e6;
        if let Some(log) = &mut self.log {
            if log.len() >= LOG_LINES_MAX {
                log.remove(0);
            }
            log.push(format!("{seconds:8.1} s  {}", line()));
        }
    }

    pub fn take_log(&mut self) -> Vec<String> {
        self.log.take().unwrap_or_default()
    }

    fn may_pass(&mut self, first: bool, gate: Gate) -> bool {
        if first {
            if !self.storm || self.chance.per_mille(if gate == Gate::Call { 300 } else { 600 }) {
                return true;
            }
            // A call ends soon; a program may be stopped for minutes (a host that is suspended) and go on as if nothing had been.
            let sleeps = if self.sleepy { 300 } else { 50 };
            let seconds = match (self.chance.below(1000), gate) {
                (roll, Gate::Write) if roll < sleeps => {
                    self.tally.long_sleeps += 1;
                    60 + self.chance.below(120)
                }
                (0..200, _) => 3 + self.chance.below(20),
                _ => self.chance.below(3),
            };
            self.rest = i64::try_from(seconds).unwrap_or(0) * 1_000_000;
            self.parked = true;
            return false;
        }
        let may = std::mem::take(&mut self.grant);
        self.parked = !may;
        may
    }

    /// That two programs acted at the same time, if they did.
    pub fn collision(&self) -> Option<String> {
        self.collision.clone()
    }

    /// Before an actor is driven: it may pass the gate at which it stands.
    pub const fn let_pass(&mut self) {
        self.grant = true;
        self.parked = false;
        self.rest = 0;
    }

    /// After it was driven: for how long it rests, when it stands at a gate.
    pub fn parked(&self) -> Option<i64> {
        self.parked.then_some(self.rest)
    }

    fn dies(&mut self, what: &str) -> bool {
        let dies = self.storm && self.chance.per_mille(8);
        if dies {
            self.tally.kills += 1;
            self.note(|| format!("dies {what}"));
        }
        dies
    }
}

/// A program changes something on the host, now. No other may have done so a moment ago: who leads no longer has stopped a margin
/// before its lease is over, and calls end within that.
pub fn acts(program: usize, what: &str) {
    with(|stage| {
        let now = stage.now;
        stage.note(|| format!("program {program} changes the host: {what}"));
        match stage.acted {
            Some((other, when)) if other != program && now.0 - when.0 < APART_SECONDS * 1_000_000 => {
                let seconds = (now.0 - when.0) as f64 / 1e6;
                let broken =
                    format!("program {program} changes the host ({what}) {seconds:.1} s after program {other} did");
                stage.collision.get_or_insert(broken);
            }
            _ => {}
        }
        stage.acted = Some((program, now));
    });
}

/// Before a call does anything. The error is what the caller gets instead.
pub async fn before_call(what: &'static str) -> Result<(), String> {
    let begun = with(|stage| stage.now);
    let mut first = true;
    poll_fn(|context| {
        let may = with(|stage| stage.may_pass(std::mem::take(&mut first), Gate::Call));
        if may {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    if with(|stage| stage.dies("before a call")) {
        resume_unwind(Box::new(Killed));
    }
    with(|stage| {
        if stage.now.0 - begun.0 > CALL_SECONDS_MAX * 1_000_000 {
            stage.note(|| format!("{what} takes too long"));
            return Err("the host took too long".to_owned());
        }
        if stage.storm && stage.chance.per_mille(100) {
            stage.tally.faults += 1;
            stage.note(|| format!("{what} fails"));
            return Err("the host says no".to_owned());
        }
        Ok(())
    })
}

/// After a call did what it does: the caller may never hear of it.
pub fn after_call(what: &'static str) -> Result<(), String> {
    if with(|stage| stage.dies("after a call")) {
        resume_unwind(Box::new(Killed));
    }
    with(|stage| {
        if stage.storm && stage.chance.per_mille(110) {
            stage.tally.lost_replies += 1;
            stage.note(|| format!("{what} is done, but the answer is lost"));
            return Err("the answer was lost".to_owned());
        }
        Ok(())
    })
}
