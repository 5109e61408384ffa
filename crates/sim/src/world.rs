//! A world: a host, a database, two programs on it, people.

use crate::{
    actor::{Actor, End, Progress},
    host::Host,
    people::{self, Gateway, People},
    stage,
};
use oriel_broker::{Broker, BrokerError, ByHand, Drain, NewDesktop, NewPool, PoolChange};
use oriel_compute::{
    Power,
    fake::{FakeCompute, FakeMode},
};
use oriel_identity::Vault;
use oriel_image::ImageStore;
use oriel_model::{
    Accelerator, AcceleratorKind, Desktop, DesktopIntent, DesktopState, GpuClaim, Hardware, HostPlace, Image, ImageId,
    ImageOs, ImageSource, ImageState, Leaving, LeavingTimes, Maintenance, MaintenanceOf, Micros, Network, OffPeak,
    Peak, Pool, PoolHours, PoolKind, PoolSize, QuotaScope, RecordingPolicy, Role, RolloutPlan, SessionPolicy, Share,
    User, UserId,
};
use oriel_store::{Store, seam};
use std::{cell::RefCell, rc::Rc, sync::Arc};

/// The reconcilers that are played.
/// In this order each hears in the same turn what those before it did.
const RECONCILERS: [&str; 4] = ["presence", "desktops", "gpus", "pools"];
const SECOND: i64 = 1_000_000;
/// People's deeds under way at once.
const DEEDS_MAX: usize = 4;
/// Longest step, in microseconds.
const STEP_MICROS_MAX: u64 = 500_000;

/// What outlives a world: made once for each thread.
pub struct Ground {
    pub store: Store,
    pub vault: Vault,
    pub folder: tempfile::TempDir,
}

/// One of the two programs.
struct Program {
    broker: Broker,
    /// Who is not under way, and when it is due.
    resting: Vec<(&'static str, ByHand, Micros)>,
}

/// The rows as they were after so many writes.
pub struct Rows {
    writes: u64,
    pub desktops: Vec<Desktop>,
    pub claims: Vec<GpuClaim>,
    pub places: Vec<HostPlace>,
    /// Whether the host is drained.
    pub drain: Option<Maintenance>,
}

pub struct World<'a> {
    ground: &'a Ground,
    pub host: Arc<FakeCompute>,
    pub pools: Vec<Pool>,
    people: Vec<User>,
    admin: Option<User>,
    pub gateways: People,
    programs: Vec<Program>,
    actors: Vec<Actor>,
    has_gpus: bool,
    /// Whether somebody drains the host now and then.
    drains: bool,
    /// Most desktops that one person may hold, and most that may run of them; in some worlds, as long as the storm lasts.
    pub quota: Option<(u64, u64)>,
    rows: RefCell<Option<Rc<Rows>>>,
}

fn image() -> Image {
    Image {
        id: ImageId::new(),
        name: "debian".parse().unwrap_or_else(|_| unreachable!()),
        version: 1,
        state: ImageState::Ready,
        os: ImageOs::Linux,
        source: ImageSource::Built { recipe: "debian-desktop".into(), inputs: "x".into(), packages: Vec::new() },
        sha256: "0".repeat(64),
        virtual_bytes: 4 << 30,
        file_bytes: 1 << 20,
        created: stage::DAWN,
    }
}

/// Time passes, and nobody does anything.
pub fn wait(seconds: i64) {
    stage::with(|stage| stage.pass_time(seconds * SECOND));
}

/// A peak that begins, or ends, so many minutes after the world does.
fn changing_hours(begins: bool, minutes: i64) -> Result<Peak, String> {
    let minute = (stage::DAWN.0 / (60 * SECOND) + minutes) % (24 * 60);
    let clock = format!("{:02}:{:02}", minute / 60, minute % 60);
    if begins { format!("daily {clock}-24:00 UTC").parse() } else { format!("daily 00:00-{clock} UTC").parse() }
}

impl<'a> World<'a> {
    /// A world as the seed has it.
    pub async fn new(ground: &'a Ground) -> anyhow::Result<World<'a>> {
        ground.store.clear().await?;
        let (image, _) = (ground.store.put_image(&image()).await?, ground.store.put_image(&image()).await?);
        let has_gpus = stage::with(|stage| stage.chance.per_mille(300));
        let host = FakeCompute::new("here", FakeMode::Explicit);
        let host = Arc::new(if has_gpus { host.with_m60() } else { host });
        let mut world = World {
            ground,
            host,
            pools: Vec::new(),
            people: Vec::new(),
            admin: None,
            gateways: People::default(),
            programs: Vec::new(),
            actors: Vec::new(),
            has_gpus,
            drains: false,
            quota: None,
            rows: RefCell::default(),
        };
        for name in ["ada", "bob", "cem", "root"] {
            let user = User {
                id: UserId::new(),
                name: name.to_owned(),
                role: if name == "root" { Role::Admin } else { Role::User },
                must_change_password: false,
                disabled: false,
                created: stage::DAWN,
            };
            ground.store.create_user(&user, "none").await?;
            match user.role {
                Role::Admin => world.admin = Some(user),
                _ => world.people.push(user),
            }
        }
        for place in 0..2 {
            let program = world.boot(place);
            world.programs.push(program);
        }
        let (gpu, most) = if has_gpus {
            // Two for each of the board's two GPUs.
            (Some("vgpu,profile=M60-4Q".parse().map_err(anyhow::Error::msg)?), 4)
        } else {
            (None, 3 + stage::with(|stage| stage.chance.below(3)) as u32)
        };
        let (kind, size, hours, leaving) = stage::with(|stage| {
            let chance = &mut stage.chance;
            let kind = [PoolKind::Dedicated, PoolKind::Floating, PoolKind::Floating, PoolKind::Ephemeral];
            let kind = chance.one_of(&kind).copied().unwrap_or(PoolKind::Floating);
            let size = PoolSize {
                min: chance.below(2) as u32,
                running_spares: chance.below(3) as u32,
                stopped_spares: chance.below(2) as u32,
                parallel: 1 + chance.below(3) as u32,
                settle_seconds: chance.below(20) as u32,
                return_minutes: chance.below(3) as u32,
                ..PoolSize::default()
            };
            let size = if chance.per_mille(300) { PoolSize::default() } else { size };
            let off_peak = OffPeak { running_spares: Some(chance.below(3) as u32), ..OffPeak::default() };
            let (begins, minutes) = (chance.per_mille(500), 1 + chance.below(12) as i64);
            let hours = match chance.per_mille(400).then(|| changing_hours(begins, minutes)) {
                Some(Ok(peak)) => {
                    PoolHours { peaks: vec![peak], off_peak, start_ahead_minutes: 0, ..PoolHours::default() }
                }
                _ => PoolHours::default(),
            };
            let times =
                LeavingTimes { shut_down_minutes: chance.per_mille(300).then_some(2), ..LeavingTimes::default() };
            (kind, size, hours, Leaving { times, ..Leaving::default() })
        });
        // In some worlds people have their home with them. No chance is asked: the others play as they did.
        let has_disks = !has_gpus && size.settle_seconds % 4 == 1;
        let personal_disk =
            if has_disks { Some("size=1".parse::<oriel_model::PoolDisk>().map_err(anyhow::Error::msg)?) } else { None };
        // In some worlds many share a host. No chance is asked either.
        let shares = kind == PoolKind::Floating && !has_disks && size.settle_seconds % 4 == 2;
        // In some worlds the host is drained now and then. Nor for that.
        world.drains = size.settle_seconds % 16 == 3;
        let (kind, size, leaving) = if shares {
            let size = PoolSize { sessions: 1 + size.settle_seconds % 3, fill: size.settle_seconds % 8 == 2, ..size };
            (PoolKind::SessionHost, size, Leaving::default())
        } else {
            (kind, size, leaving)
        };
        let new = NewPool {
            name: "lab".parse()?,
            image: image.id,
            vcpus: 2,
            memory_mib: 1024,
            disk_gib: 8,
            network: Network::User,
            gpu,
            hardware: Hardware::default(),
            recording: RecordingPolicy::Off,
            policy: SessionPolicy::default(),
            kind,
            size,
            hours,
            leaving,
            desktops_max: most,
            keyboard: "us".into(),
            cloud: None,
            personal_disk,
        };
        let pool = world.broker(0).create_pool(new).await?;
        for person in &world.people {
            world.broker(0).entitle(pool.id, person.id).await?;
        }
        world.pools.push(pool);
        if stage::with(|stage| stage.chance.per_mille(150)) {
            world.limit().await?;
        }
        if stage::with(|stage| stage.chance.per_mille(700)) {
            world.morning().await.map_err(anyhow::Error::msg)?;
        }
        stage::with(|stage| {
            stage.sleepy = stage.chance.per_mille(250);
            stage.storm = true;
        });
        Ok(world)
    }

    /// From the beginning on people hold no more than this.
    async fn limit(&mut self) -> anyhow::Result<()> {
        let desktops = 1 + stage::with(|stage| stage.chance.below(2));
        self.quota = Some((desktops, 1));
        let limits = format!("desktops={desktops},running=1").parse().map_err(anyhow::Error::msg)?;
        self.broker(0).set_quota(QuotaScope::Everyone, limits).await?;
        Ok(())
    }

    /// Nothing is limited from now on.
    pub async fn lift_quota(&mut self) -> Result<(), BrokerError> {
        if self.quota.take().is_some() {
            self.broker(0).clear_quota(QuotaScope::Everyone).await?;
        }
        Ok(())
    }

    /// Most worlds are not new when the storm comes: spares are there, and some people are in their desktops.
    async fn morning(&mut self) -> Result<(), String> {
        self.converge().await?;
        let Some(pool) = self.pools.first().cloned() else { return Ok(()) };
        for person in self.people.clone() {
            let (comes, place) = stage::with(|stage| (stage.chance.per_mille(600), stage.chance.below(2) as usize));
            // The first time it may have to be made or started.
            for time in 0..if comes { 2 } else { 0 } {
                if time > 0 {
                    self.converge().await?;
                }
                let (people, host) = (self.gateways.clone(), Arc::clone(&self.host));
                people::come(self.broker(place), people, host, place, person.clone(), pool.clone()).await;
            }
        }
        Ok(())
    }

    /// A program starts: it knows nothing but the database and the host.
    fn boot(&self, place: usize) -> Program {
        let folder = self.ground.folder.path();
        let images = ImageStore::new(folder.join("images"), folder.join("cache"));
        let accelerator = Accelerator { kind: AcceleratorKind::Tcg, reason: "a play".into() };
        let host = Arc::new(Host { inner: Arc::clone(&self.host), program: place });
        let broker = Broker::new(self.ground.store.clone(), self.ground.vault.clone(), host, images, accelerator);
        broker.set_program(format!("program-{place}"));
        broker.set_parallel(1);
        broker.set_sessions(Arc::new(Gateway { people: self.gateways.clone(), program: place }));
        let now = stage::with(|stage| stage.now());
        let hands = RECONCILERS.iter().filter(|name| self.has_gpus || **name != "gpus");
        let resting = hands.filter_map(|name| Some((*name, broker.by_hand(name)?, now))).collect();
        Program { broker, resting }
    }

    pub fn broker(&self, place: usize) -> Broker {
        // Both places are filled as long as the world stands.
        self.programs
            .get(place)
            .or_else(|| self.programs.first())
            .map_or_else(|| self.boot(place).broker, |program| program.broker.clone())
    }

    /// The program of that place dies with all that it was doing, and starts again.
    fn kill(&mut self, place: usize) {
        stage::with(|stage| stage.note(|| format!("program {place} is gone and starts again")));
        self.actors.retain(|actor| actor.program != place);
        self.gateways.cut(place);
        let fresh = self.boot(place);
        if let Some(program) = self.programs.get_mut(place) {
            *program = fresh;
        }
    }

    /// Pools keep nothing ready from now on.
    pub async fn keep_nothing_ready(&self) -> Result<(), BrokerError> {
        for pool in &self.pools {
            let (size, hours) = (Some(PoolSize::default()), Some(PoolHours::default()));
            let change = PoolChange { size, hours, ..PoolChange::default() };
            self.broker(0).change_pool(pool.id, change).await?;
        }
        Ok(())
    }

    /// One step of the storm: chance says whose.
    pub async fn step(&mut self) -> Result<(), String> {
        let roll = stage::with(|stage| {
            stage.tally.steps += 1;
            let micros = stage.chance.below(STEP_MICROS_MAX) as i64;
            stage.pass_time(micros);
            stage.chance.below(1000)
        });
        match roll {
            0..110 => self.deed().await,
            110..220 => self.event(),
            220..228 => {
                stage::with(|stage| stage.tally.kills += 1);
                let place = stage::with(|stage| stage.chance.below(2)) as usize;
                self.kill(place);
            }
            // For a while nothing happens at all, and leases, words and waits end.
            228..238 => wait(20 + stage::with(|stage| stage.chance.below(180)) as i64),
            _ => return self.go_on().await,
        }
        Ok(())
    }

    /// Drives an actor that may go on, or begins a round that is due; when nobody may, time passes.
    async fn go_on(&mut self) -> Result<(), String> {
        let now = stage::with(|stage| stage.now());
        let ready: Vec<usize> =
            self.actors.iter().enumerate().filter(|(_, actor)| actor.until <= now).map(|(place, _)| place).collect();
        let due: Vec<(usize, usize)> = self
            .programs
            .iter()
            .enumerate()
            .flat_map(|(place, program)| {
                let due = program.resting.iter().enumerate().filter(move |(_, (_, _, due))| *due <= now);
                due.map(move |(which, _)| (place, which))
            })
            .collect();
        let chosen = stage::with(|stage| stage.chance.below((ready.len() + due.len()) as u64)) as usize;
        if let Some(place) = ready.get(chosen) {
            return self.drive(*place).await;
        }
        if let Some((place, which)) = due.get(chosen.saturating_sub(ready.len())) {
            self.begin_round(*place, *which);
            return self.drive(self.actors.len() - 1).await;
        }
        let next = self.actors.iter().map(|actor| actor.until);
        let rests = self.programs.iter().flat_map(|program| program.resting.iter().map(|(_, _, due)| *due));
        if let Some(next) = next.chain(rests).min() {
            stage::with(|stage| stage.pass_time(next.0 - now.0));
        }
        Ok(())
    }

    fn begin_round(&mut self, place: usize, which: usize) {
        let Some(program) = self.programs.get_mut(place) else { return };
        if which >= program.resting.len() {
            return;
        }
        let (name, mut hand, _) = program.resting.remove(which);
        stage::with(|stage| stage.tally.rounds += 1);
        self.actors.push(Actor::new(place, format!("round of {name}"), async move {
            let began = stage::with(|stage| stage.now());
            let went = hand.round().await;
            End::Round(name, hand, went.map(|(_, moving)| moving), began)
        }));
    }

    async fn drive(&mut self, place: usize) -> Result<(), String> {
        let Some(actor) = self.actors.get_mut(place) else { return Ok(()) };
        let program = actor.program;
        match actor.drive().await {
            Progress::Parked => {}
            Progress::Killed => self.kill(program),
            Progress::Panicked(text) => return Err(format!("{} panicked: {text}", actor.what)),
            Progress::Done(end) => {
                let actor = self.actors.remove(place);
                self.ended(program, &actor.what, end);
            }
        }
        Ok(())
    }

    fn ended(&mut self, place: usize, what: &str, end: End) {
        stage::with(|stage| match end {
            End::Round(name, hand, went, began) => {
                let rest = match &went {
                    Ok(true) => SECOND,
                    _ => 10 * SECOND,
                };
                stage.note(|| match &went {
                    Ok(_) => format!("program {place}: {what}"),
                    Err(error) => format!("program {place}: {what}: {error}"),
                });
                if name == "presence" && went.is_ok() {
                    self.gateways.said(place, began);
                }
                let due = Micros(stage.now().0 + rest);
                if let Some(program) = self.programs.get_mut(place) {
                    program.resting.push((name, hand, due));
                }
            }
            End::Deed(went) => stage.note(|| match went {
                Ok(said) => format!("program {place}: {what}: {said}"),
                Err(error) => format!("program {place}: {what}: {error}"),
            }),
        });
    }

    /// Somebody asks for something, of one of the programs.
    async fn deed(&mut self) {
        let deeds = self.actors.iter().filter(|actor| !actor.what.starts_with("round")).count();
        if deeds >= DEEDS_MAX {
            return;
        }
        // Who asks sees the list of a moment ago.
        let Ok(rows) = self.look().await else { return };
        let desktops = &rows.desktops;
        let (place, roll, person, desktop) = stage::with(|stage| {
            stage.tally.deeds += 1;
            let place = stage.chance.below(2) as usize;
            let roll = stage.chance.below(100);
            (place, roll, stage.chance.one_of(&self.people).cloned(), stage.chance.one_of(desktops).cloned())
        });
        let broker = self.broker(place);
        let Some(person) = person else { return };
        let actor = match (roll, desktop) {
            (62..74, _) if self.drains => {
                let what = if roll % 2 == 0 { "the host is drained" } else { "the host is open again" };
                Actor::new(place, what.to_owned(), async move {
                    let went = match roll % 2 {
                        0 => broker.drain_host("host", Drain::default()).await,
                        _ => broker.resume_host("host").await,
                    };
                    End::Deed(went.map(|host| format!("drained: {}", host.maintenance.is_some())))
                })
            }
            (0..45, _) => {
                let Some(pool) = self.pools.first().cloned() else { return };
                // Some ask twice at once: in a second window, of another server.
                let twice = stage::with(|stage| stage.chance.per_mille(300));
                for place in [place, 1 - place].into_iter().take(if twice { 2 } else { 1 }) {
                    let (people, host) = (self.gateways.clone(), Arc::clone(&self.host));
                    let what = format!("{} comes", person.name);
                    let (broker, person, pool) = (self.broker(place), person.clone(), pool.clone());
                    let comes = people::come(broker, people, host, place, person, pool);
                    self.actors.push(Actor::new(place, what, comes));
                }
                return;
            }
            (45..53, _) => {
                self.gateways.leave(roll);
                return;
            }
            // On a dedicated desktop somebody set something up, perhaps, before it is given away.
            (53..56, Some(desktop)) if self.pools.iter().all(|pool| pool.kind.is_shared()) => {
                let Some(admin) = self.admin.clone() else { return };
                let (people, host) = (self.gateways.clone(), Arc::clone(&self.host));
                let what = format!("{} looks into {}", admin.name, desktop.name);
                Actor::new(place, what, people::visit(broker, people, host, place, admin, desktop))
            }
            // Where hosts are shared they are drained, and opened again.
            (56..62, Some(desktop)) if self.is_shared(&desktop) => {
                Actor::new(place, format!("{} is drained", desktop.name), async move {
                    let drained =
                        if roll % 2 == 0 { broker.drain(&desktop).await } else { broker.undrain(&desktop).await };
                    End::Deed(drained.map(|host| format!("draining: {}", host.facts.draining)))
                })
            }
            (60..62, _) => {
                let Some(pool) = self.pools.first().cloned() else { return };
                let is_limited = self.quota.is_some();
                let (choice, plan) = stage::with(|stage| {
                    let chance = &mut stage.chance;
                    let plan = RolloutPlan {
                        canary: Share::Count(chance.below(3) as u32),
                        watch_minutes: chance.below(3) as u32,
                        stop_after: Share::Count(chance.below(4) as u32),
                        // That starts what its person had stopped, whatever they may run.
                        wipe_dedicated: chance.per_mille(300) && !is_limited,
                        ..RolloutPlan::default()
                    };
                    (chance.below(8), plan)
                });
                Actor::new(place, "a roll-out".to_owned(), people::roll(broker, pool, choice, plan))
            }
            (53..60, _) | (_, None) => {
                let Some(pool) = self.pools.first().cloned() else { return };
                Actor::new(place, format!("{} wants a desktop", person.name), async move {
                    let made = broker.create_desktop(NewDesktop { pool, owner: Some(person), name: None }).await;
                    End::Deed(made.map(|desktop| desktop.name.to_string()))
                })
            }
            (_, Some(desktop)) => {
                let intent = match roll {
                    // What is off, most people start.
                    _ if desktop.state == DesktopState::Stopped && roll % 4 > 0 => DesktopIntent::Running,
                    62..68 => DesktopIntent::Running,
                    68..80 => DesktopIntent::Stopped,
                    80..85 => DesktopIntent::Restart,
                    85..93 => DesktopIntent::Recycle,
                    _ => DesktopIntent::Deleted,
                };
                // Whoever wipes or deletes a shared host by hand takes it from under its people.
                let intent = match intent {
                    DesktopIntent::Recycle | DesktopIntent::Deleted if self.is_shared(&desktop) => {
                        DesktopIntent::Restart
                    }
                    other => other,
                };
                Actor::new(place, format!("{} shall be {intent:?}", desktop.name), async move {
                    End::Deed(broker.set_intent(desktop.id, intent).await.map(|desktop| format!("{:?}", desktop.state)))
                })
            }
        };
        self.actors.push(actor);
    }

    /// Whether many have places on it.
    fn is_shared(&self, desktop: &Desktop) -> bool {
        self.pools.iter().any(|pool| pool.id == desktop.pool && pool.kind == PoolKind::SessionHost)
    }

    /// Something happens to a machine.
    fn event(&self) {
        let observed = self.host.observed();
        stage::with(|stage| {
            let Some(found) = stage.chance.one_of(&observed) else { return };
            match stage.chance.below(103) {
                100.. => {
                    stage.note(|| "the host's power fails".to_owned());
                    for found in &observed {
                        self.host.set_power(found.desktop, Power::Off);
                    }
                }
                0..92 => self.host.settle(found.desktop),
                // One that is off has nothing to crash.
                92..96 if found.power == Power::Running => {
                    stage.note(|| format!("the machine of {} crashes", found.desktop));
                    self.host.set_power(found.desktop, Power::Crashed);
                }
                _ => {
                    stage.note(|| format!("{} is shut down from inside", found.desktop));
                    self.host.set_power(found.desktop, Power::Off);
                }
            }
        });
    }

    /// The storm is over: what was begun ends, both programs start again, and machines do as they are told.
    pub async fn calm(&mut self) -> Result<(), String> {
        stage::with(|stage| stage.storm = false);
        let mut steps = 0;
        while !self.actors.is_empty() {
            steps += 1;
            if steps > 2000 {
                return Err(format!("{} does not end", self.actors.first().map_or("nothing", |actor| &actor.what)));
            }
            self.drive(self.actors.len() - 1).await?;
        }
        stage::with(|stage| stage.pass_time(120 * SECOND));
        for place in 0..self.programs.len() {
            self.kill(place);
        }
        if self.drains {
            self.broker(0).resume_host("host").await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Rounds of the first program until nothing is on its way.
    pub async fn converge(&mut self) -> Result<(), String> {
        for _ in 0..200 {
            for found in self.host.observed() {
                self.host.settle(found.desktop);
            }
            stage::with(|stage| stage.pass_time(5 * SECOND));
            let mut moving = false;
            let rounds = self.programs.first().map_or(0, |program| program.resting.len());
            for _ in 0..rounds {
                self.begin_round(0, 0);
                let place = self.actors.len() - 1;
                let Some(actor) = self.actors.get_mut(place) else { continue };
                match actor.drive().await {
                    Progress::Done(End::Round(name, hand, went, _)) => {
                        self.actors.remove(place);
                        match went {
                            Ok(more) => moving |= more,
                            Err(error) => return Err(format!("a round of {name} fails without a fault: {error}")),
                        }
                        if let Some(program) = self.programs.first_mut() {
                            program.resting.push((name, hand, stage::DAWN));
                        }
                    }
                    Progress::Panicked(text) => return Err(format!("a round panicked: {text}")),
                    _ => return Err("a round does not end without a fault".to_owned()),
                }
            }
            if !moving {
                return Ok(());
            }
        }
        let desktops = self.desktops().await?;
        Err(format!(
            "nothing comes to rest: {:?}",
            desktops.iter().map(|one| (&one.name, one.intent, one.state)).collect::<Vec<_>>()
        ))
    }

    pub async fn desktops(&self) -> Result<Vec<Desktop>, String> {
        Ok(self.look().await?.desktops.clone())
    }

    /// What the rows say; asked for again only when something was written since.
    pub async fn look(&self) -> Result<Rc<Rows>, String> {
        let writes = seam::writes();
        let known = self.rows.borrow().clone().filter(|rows| rows.writes == writes);
        if let Some(rows) = known {
            return Ok(rows);
        }
        let store = &self.ground.store;
        let desktops = store.desktops().await.map_err(|error| error.to_string())?;
        let claims =
            if self.has_gpus { store.gpu_claims().await.map_err(|error| error.to_string())? } else { Vec::new() };
        let mut places = Vec::new();
        for pool in self.pools.iter().filter(|pool| pool.kind == PoolKind::SessionHost) {
            places.extend(store.places_in(pool.id).await.map_err(|error| error.to_string())?);
        }
        let drain = if self.drains {
            store.maintenance(MaintenanceOf::Host).await.map_err(|error| error.to_string())?
        } else {
            None
        };
        let rows = Rc::new(Rows { writes, desktops, claims, places, drain });
        *self.rows.borrow_mut() = Some(Rc::clone(&rows));
        Ok(rows)
    }

    pub fn store(&self) -> &Store {
        &self.ground.store
    }

    /// Asks for something after the storm.
    pub async fn ask(&self, desktop: &Desktop, intent: DesktopIntent) -> Result<(), BrokerError> {
        self.broker(0).set_intent(desktop.id, intent).await.map(drop)
    }
}
