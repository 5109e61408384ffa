#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use super::*;
use oriel_model::{
    DesktopFacts, Hardware, ImageId, Leaving, Network, PoolHours, PoolId, RecordingPolicy, RolloutPlan, Seat,
    SessionPolicy, Share, UserId,
};

const SECOND: i64 = 1_000_000;
/// Long after everything.
const NOW: Micros = Micros(100_000 * SECOND);
const ROOM: usize = 100;

struct Stage {
    pool: Pool,
    rollout: Rollout,
    desktops: Vec<Desktop>,
    presence: BTreeMap<DesktopId, Micros>,
    people: BTreeMap<DesktopId, u32>,
}

impl Stage {
    fn new(kind: PoolKind, plan: RolloutPlan) -> Self {
        let (from, to) = (ImageId::new(), ImageId::new());
        let pool = Pool {
            id: PoolId::new(),
            name: "floor".parse().unwrap(),
            kind,
            image: Some(from),
            vcpus: 1,
            memory_mib: 1,
            disk_gib: 1,
            network: Network::User,
            desktops_max: 50,
            keyboard: "us".into(),
            gpu: None,
            hardware: Hardware::default(),
            recording: RecordingPolicy::Off,
            policy: SessionPolicy::default(),
            size: "running=1".parse().unwrap(),
            hours: PoolHours::default(),
            leaving: Leaving::default(),
            cloud: None,
            personal_disk: None,
            created: Micros(0),
        };
        let rollout = Rollout {
            pool: pool.id,
            from,
            to,
            plan,
            state: RolloutState::Canary,
            is_paused: false,
            is_rollback: false,
            watched_since: None,
            failures: Vec::new(),
            reason: None,
            created: Micros(SECOND),
            changed: Micros(SECOND),
        };
        Self { pool, rollout, desktops: Vec::new(), presence: BTreeMap::new(), people: BTreeMap::new() }
    }

    /// One more, that has been there for a while. Answers where it is.
    fn add(&mut self, state: DesktopState, image: ImageId) -> usize {
        let intent = match state {
            DesktopState::Stopped => DesktopIntent::Stopped,
            _ => DesktopIntent::Running,
        };
        self.desktops.push(Desktop {
            id: DesktopId::new(),
            name: format!("floor-{}", self.desktops.len() + 1).parse().unwrap(),
            pool: self.pool.id,
            owner: None,
            intent,
            state,
            failure: (state == DesktopState::Failed).then(|| "no answer on RDP".to_owned()),
            step: None,
            generation: 1,
            host: None,
            port_base: None,
            facts: DesktopFacts { image: Some(image), ready: Some(Micros(1)), ..DesktopFacts::default() },
            external: None,
            created: Micros(0),
            changed: Micros(2 * SECOND),
        });
        self.desktops.len() - 1
    }

    fn old(&mut self, state: DesktopState) -> usize {
        self.add(state, self.rollout.from)
    }

    fn new_one(&mut self, state: DesktopState) -> usize {
        self.add(state, self.rollout.to)
    }

    /// Given to somebody of a shared pool.
    fn seated(&mut self) -> usize {
        let at = self.old(DesktopState::InUse);
        self.desktops[at].owner = Some(UserId::new());
        self.desktops[at].facts.seat = Some(Seat { since: NOW, seen: NOW });
        at
    }

    fn look(&self) -> Look<'_> {
        Look {
            pool: &self.pool,
            rollout: &self.rollout,
            desktops: &self.desktops,
            presence: &self.presence,
            people: &self.people,
            now: NOW,
        }
    }

    fn decides(&self) -> Vec<Move> {
        decide(self.look(), ROOM)
    }

    fn remakes(&self, at: usize) -> Move {
        Move::Remake(self.desktops[at].id)
    }
}

fn plan(canary: &str) -> RolloutPlan {
    RolloutPlan { canary: canary.parse().unwrap(), ..RolloutPlan::default() }
}

fn is_remake(one: &Move) -> bool {
    matches!(one, Move::Remake(_))
}

#[test]
fn the_first_few_come_first_and_are_watched_before_the_rest_follows() {
    let mut stage = Stage::new(PoolKind::Floating, plan("10%"));
    for _ in 0..11 {
        stage.old(DesktopState::Ready);
    }
    // Two of eleven.
    let first = stage.decides();
    assert_eq!(first, [stage.remakes(0), stage.remakes(1)]);
    for at in [0, 1] {
        stage.desktops[at].intent = DesktopIntent::Recycle;
        stage.desktops[at].facts.next = Some(stage.rollout.to);
    }
    assert_eq!(stage.decides(), [], "they are on their way");
    for at in [0, 1] {
        (stage.desktops[at].intent, stage.desktops[at].state) = (DesktopIntent::Running, DesktopState::Starting);
        stage.desktops[at].facts.image = Some(stage.rollout.to);
        assert_eq!(stage.decides(), []);
    }
    stage.desktops[0].state = DesktopState::Ready;
    assert_eq!(stage.decides(), [], "one of two is not enough");
    stage.desktops[1].state = DesktopState::Ready;
    assert_eq!(stage.decides(), [Move::Watch]);
    stage.rollout.watched_since = Some(NOW.plus_seconds(-30 * 60 + 1));
    assert_eq!(stage.decides(), []);
    stage.rollout.watched_since = Some(NOW.plus_seconds(-30 * 60));
    assert_eq!(stage.decides(), [Move::GoOn]);
}

#[test]
fn the_rest_follows_at_the_pools_pace_and_about_half_goes_on_standing() {
    let mut stage = Stage::new(PoolKind::Floating, plan("0"));
    assert_eq!(stage.decides(), [Move::GoOn], "nothing is tried first");
    stage.rollout.state = RolloutState::Rest;
    for _ in 0..4 {
        stage.old(DesktopState::Ready);
    }
    let off = stage.old(DesktopState::Stopped);
    let moves = stage.decides();
    assert_eq!(moves[0], stage.remakes(off), "nobody misses that one");
    assert_eq!(moves.len(), 3, "and two of four that stand ready");
    assert_eq!(decide(stage.look(), 1), [stage.remakes(off)]);
    assert_eq!(decide(stage.look(), 0), []);
    // While those are on their way, the others stay.
    for at in [off, 0, 1] {
        stage.desktops[at].intent = DesktopIntent::Recycle;
    }
    assert_eq!(stage.decides(), []);
    for at in [off, 0, 1] {
        stage.desktops[at] = Desktop { intent: DesktopIntent::Running, ..stage.desktops[at].clone() };
        stage.desktops[at].state = DesktopState::Ready;
        stage.desktops[at].facts.image = Some(stage.rollout.to);
    }
    assert_eq!(stage.decides().iter().filter(|one| is_remake(one)).count(), 2);
    // However late those are begun, no more of them are than there is room for.
    let mut slow = Stage::new(PoolKind::Floating, plan("0"));
    slow.rollout.state = RolloutState::Rest;
    for _ in 0..4 {
        slow.old(DesktopState::Stopped);
    }
    assert_eq!(decide(slow.look(), 2), [slow.remakes(0), slow.remakes(1)]);
    slow.desktops[0].intent = DesktopIntent::Recycle;
    slow.desktops[1].intent = DesktopIntent::Recycle;
    assert_eq!(decide(slow.look(), 2), []);
    // The last one that stands is not waited for for ever.
    let mut alone = Stage::new(PoolKind::Floating, plan("0"));
    alone.rollout.state = RolloutState::Rest;
    alone.old(DesktopState::Ready);
    assert_eq!(alone.decides(), [alone.remakes(0)]);
}

#[test]
fn it_ends_when_all_are_new_and_none_is_on_its_way() {
    let mut stage = Stage::new(PoolKind::Floating, plan("0"));
    stage.rollout.state = RolloutState::Rest;
    assert_eq!(stage.decides(), [Move::Finish], "an empty pool is all new");
    stage.new_one(DesktopState::Ready);
    stage.new_one(DesktopState::Stopped);
    stage.new_one(DesktopState::Unreachable);
    let coming = stage.new_one(DesktopState::Starting);
    assert_eq!(stage.decides(), []);
    stage.desktops[coming].state = DesktopState::InUse;
    assert_eq!(stage.decides(), [Move::Finish]);
    for state in [RolloutState::Done, RolloutState::Stopped, RolloutState::Cancelled] {
        stage.rollout.state = state;
        assert_eq!(stage.decides(), []);
    }
}

#[test]
fn nobody_is_thrown_out_unless_that_was_asked_for() {
    let mut stage = Stage::new(PoolKind::Floating, plan("0"));
    stage.rollout.state = RolloutState::Rest;
    let seated = stage.seated();
    let visited = stage.old(DesktopState::Ready);
    stage.presence.insert(stage.desktops[visited].id, NOW.plus_seconds(30));
    let busy = stage.old(DesktopState::Starting);
    assert_eq!(stage.decides(), []);
    assert_eq!(RolloutCount::of(stage.look()).waiting, 3);
    stage.presence.insert(stage.desktops[visited].id, NOW.plus_seconds(-30));
    assert_eq!(stage.decides(), [stage.remakes(visited)], "who was in it has left");
    stage.rollout.plan.replace = Replace::Now;
    let moves = stage.decides();
    assert!(moves.contains(&stage.remakes(seated)) && !moves.contains(&stage.remakes(busy)), "{moves:?}");
}

#[test]
fn what_is_somebodys_for_good_stays_unless_wiping_it_was_asked_for() {
    let mut stage = Stage::new(PoolKind::Dedicated, plan("0"));
    stage.rollout.state = RolloutState::Rest;
    let theirs = stage.old(DesktopState::Ready);
    stage.desktops[theirs].owner = Some(UserId::new());
    let off = stage.old(DesktopState::Stopped);
    stage.desktops[off].owner = Some(UserId::new());
    assert_eq!(stage.decides(), [Move::Finish], "it waits for none of them");
    assert_eq!(RolloutCount::of(stage.look()), RolloutCount { kept: 2, ..RolloutCount::default() });
    stage.rollout.plan.wipe_dedicated = true;
    assert_eq!(stage.decides(), [stage.remakes(off)], "that one is off, and its person is away");
    stage.presence.insert(stage.desktops[off].id, NOW.plus_seconds(1));
    assert_eq!(stage.decides(), []);
    stage.rollout.plan.replace = Replace::Now;
    assert_eq!(stage.decides().len(), 2);
    // Without a seat it was made for them by hand, and stays theirs in shared pools, too.
    let mut shared = Stage::new(PoolKind::Floating, plan("0"));
    let theirs = shared.old(DesktopState::Stopped);
    shared.desktops[theirs].owner = Some(UserId::new());
    assert_eq!(RolloutCount::of(shared.look()).kept, 1);
}

#[test]
fn a_spare_of_a_dedicated_pool_is_replaced_and_what_was_set_up_is_not() {
    let mut stage = Stage::new(PoolKind::Dedicated, plan("0"));
    stage.rollout.state = RolloutState::Rest;
    let spare = stage.old(DesktopState::Ready);
    let set_up = stage.old(DesktopState::Ready);
    stage.presence.insert(stage.desktops[set_up].id, Micros(1));
    assert_eq!(stage.decides(), [stage.remakes(spare)]);
    assert_eq!(RolloutCount::of(stage.look()).kept, 1);
    // Where an administrator makes all of them, nobody knows what they are for.
    stage.pool.size = "default".parse().unwrap();
    assert_eq!(RolloutCount::of(stage.look()).kept, 2);
}

#[test]
fn it_stops_by_itself_and_says_which_and_why() {
    let mut stage = Stage::new(PoolKind::Floating, plan("2"));
    for _ in 0..4 {
        stage.old(DesktopState::Ready);
    }
    let failed = stage.new_one(DesktopState::Failed);
    let moves = stage.decides();
    let [Move::Note(noted), Move::Stop(reason)] = moves.as_slice() else { unreachable!("{moves:?}") };
    assert_eq!((noted[0].desktop, noted[0].generation), (stage.desktops[failed].id, 1));
    assert_eq!(reason, "a desktop of the new version did not come up: floor-5: no answer on RDP");
    // One may.
    stage.rollout.plan.stop_after = Share::Count(1);
    let moves = stage.decides();
    assert!(matches!(moves[0], Move::Note(_)) && moves[1..].iter().all(is_remake), "{moves:?}");
    stage.rollout.failures = noted.clone();
    assert_eq!(stage.decides().len(), 2, "it is known, and others are tried");
    // The same desktop once more, made anew.
    stage.desktops[failed].generation = 2;
    let moves = stage.decides();
    assert!(matches!(&moves[1], Move::Stop(reason) if reason.contains("2 desktops") && reason.contains("at most 1")));
    // Also while it is paused, and in the rest.
    (stage.rollout.is_paused, stage.rollout.state) = (true, RolloutState::Rest);
    assert!(matches!(stage.decides()[1], Move::Stop(_)));
    // Going back is never stopped.
    (stage.rollout.is_rollback, stage.rollout.is_paused) = (true, false);
    assert!(!stage.decides().iter().any(|one| matches!(one, Move::Stop(_))));
}

#[test]
fn what_had_failed_before_it_began_is_tried_anew() {
    let mut stage = Stage::new(PoolKind::Floating, plan("1"));
    let failed = stage.new_one(DesktopState::Failed);
    stage.desktops[failed].changed = Micros(0);
    assert_eq!(stage.decides(), [stage.remakes(failed)]);
}

#[test]
fn what_fails_before_it_has_a_disk_did_not_come_up_either() {
    let mut stage = Stage::new(PoolKind::Floating, plan("1"));
    let failed = stage.old(DesktopState::Failed);
    stage.desktops[failed].facts.next = Some(stage.rollout.to);
    assert!(matches!(stage.decides().as_slice(), [Move::Note(_), Move::Stop(_)]));
    // What failed as it was of the old version is tried.
    stage.desktops[failed].facts.next = None;
    assert_eq!(stage.decides(), [stage.remakes(failed)]);
}

#[test]
fn it_does_not_wait_for_what_cannot_come() {
    let mut stage = Stage::new(PoolKind::Floating, plan("1"));
    stage.rollout.plan.stop_after = "5".parse().unwrap();
    stage.new_one(DesktopState::Failed);
    assert!(matches!(stage.decides().as_slice(), [Move::Note(_), Move::Stop(_)]), "all that there is failed");
    let empty = Stage::new(PoolKind::Ephemeral, plan("10%"));
    assert_eq!(empty.decides(), [Move::GoOn], "there is nothing to try it on");
}

#[test]
fn paused_and_early_it_does_nothing() {
    let mut stage = Stage::new(PoolKind::Floating, plan("1"));
    let one = stage.old(DesktopState::Ready);
    stage.rollout.is_paused = true;
    assert_eq!(stage.decides(), []);
    assert!(!may(stage.look(), &stage.desktops[one], None));
    stage.rollout.is_paused = false;
    stage.rollout.plan.not_before = Some(NOW.plus_seconds(1));
    assert_eq!(stage.decides(), []);
    stage.rollout.plan.not_before = Some(NOW);
    assert_eq!(stage.decides(), [stage.remakes(one)]);
    assert!(may(stage.look(), &stage.desktops[one], Some(NOW)));
    assert!(!may(stage.look(), &stage.desktops[one], Some(NOW.plus_seconds(1))), "somebody came meanwhile");
}

#[test]
fn going_back_is_the_same_way_without_a_canary() {
    let mut stage = Stage::new(PoolKind::Floating, plan("10%"));
    (stage.rollout.is_rollback, stage.rollout.state) = (true, RolloutState::Rest);
    assert_eq!(stage.rollout.pool_image(), stage.rollout.to);
    stage.old(DesktopState::Failed);
    stage.new_one(DesktopState::Ready);
    assert_eq!(stage.decides(), [stage.remakes(0)]);
    stage.rollout.state = RolloutState::Cancelled;
    assert_eq!(stage.rollout.pool_image(), stage.rollout.to, "nobody comes back to what was gone back from");
}

#[test]
fn where_it_stands_is_said() {
    let mut stage = Stage::new(PoolKind::Floating, plan("1"));
    stage.old(DesktopState::Ready);
    stage.seated();
    let said = |stage: &Stage| words(stage.look(), &RolloutCount::of(stage.look()));
    assert_eq!(said(&stage), "trying it on the first 1: 0 came up, 0 on their way; 1 waits until it is free");
    stage.rollout.is_paused = true;
    assert!(said(&stage).starts_with("paused: 0 of 2"));
    stage.rollout.is_paused = false;
    stage.rollout.watched_since = Some(NOW);
    assert!(said(&stage).contains("watched until"));
    (stage.rollout.state, stage.rollout.reason) = (RolloutState::Stopped, Some("why".into()));
    assert_eq!(said(&stage), "stopped, new desktops are of the old version: why");
}

/// A session host of the old version with so many people.
fn shared(stage: &mut Stage, people: u32) -> usize {
    let at = stage.old(if people > 0 { DesktopState::InUse } else { DesktopState::Ready });
    stage.people.insert(stage.desktops[at].id, people);
    at
}

#[test]
fn session_hosts_empty_first_and_places_stay_free() {
    let mut stage = Stage::new(PoolKind::SessionHost, plan("1"));
    stage.pool.size = "running=3,sessions=4".parse().unwrap();
    let (many, few, empty) = (shared(&mut stage, 3), shared(&mut stage, 1), shared(&mut stage, 0));
    let drain = |stage: &Stage, at: usize| Move::Drain(stage.desktops[at].id);
    assert_eq!(stage.decides(), [stage.remakes(empty)], "it is tried on the one that nobody is on");
    stage.people.insert(stage.desktops[empty].id, 2);
    stage.desktops[empty].state = DesktopState::InUse;
    assert_eq!(stage.decides(), [drain(&stage, few)], "or on the one with the fewest, which takes nobody new");
    (stage.desktops[few].facts.draining, stage.desktops[few].facts.drained_for) = (true, Some(stage.rollout.to));
    assert_eq!(stage.decides(), [], "that one is on its way");
    stage.people.remove(&stage.desktops[few].id);
    stage.desktops[few].state = DesktopState::Ready;
    assert_eq!(stage.decides(), [stage.remakes(few)]);

    // It proved itself: the others follow, as far as three places stay free.
    stage.rollout.state = RolloutState::Rest;
    stage.desktops[few].facts = DesktopFacts { image: Some(stage.rollout.to), ..DesktopFacts::default() };
    assert_eq!(stage.decides(), [drain(&stage, empty), drain(&stage, many)], "the new one has four free");
    stage.people.insert(stage.desktops[few].id, 2);
    assert_eq!(stage.decides(), [drain(&stage, empty)], "now two are free there, and one on the fullest");
    // Who wants it at once ends what is open.
    stage.rollout.plan.replace = Replace::Now;
    assert_eq!(stage.decides(), [stage.remakes(empty)]);
    stage.rollout.is_paused = true;
    assert_eq!(stage.decides(), []);
}

#[test]
fn full_session_hosts_are_emptied_one_by_one() {
    let mut stage = Stage::new(PoolKind::SessionHost, plan("1"));
    stage.pool.size = "running=3,sessions=4".parse().unwrap();
    let full = [4; 3].map(|people| shared(&mut stage, people));
    stage.rollout.state = RolloutState::Rest;
    assert_eq!(stage.decides().len(), 1, "whoever leaves the others makes room");
    let first = &mut stage.desktops[full[0]].facts;
    (first.draining, first.drained_for) = (true, Some(stage.rollout.to));
    assert_eq!(stage.decides(), []);
    // Who wants it at once gets the one that is drained first, and not all three at once.
    stage.rollout.plan.replace = Replace::Now;
    assert_eq!(stage.decides(), [stage.remakes(full[0])]);
}
