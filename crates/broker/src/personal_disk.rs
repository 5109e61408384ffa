//! Disks of people: which desktop has one, and what administrators do with one that is in none.
//!
//! ```text
//! nobody's ─ hold_disk ─▶ held by a desktop ─ its machine is off ─▶ taken out of the machine ─▶ nobody's
//!     └───── hold_disk ─▶ held by an operation ─ it has ended ─▶ nobody's
//! ```
//! Whoever wants a disk holds it in the database first, and it is given back only when no machine has it any more. A program that is
//! killed in between leaves a hold, which its next step finds and takes for its own.

use crate::clock::now;
use crate::{Broker, BrokerError, fault};
use oriel_film::FilmError;
use oriel_image::Job;
use oriel_model::{
    DISK_SNAPSHOTS_MAX, Desktop, DesktopId, DesktopIntent, DiskFacts, DiskHolder, DiskWork, Name, Operation,
    OperationId, OperationKind, OperationState, PERSONAL_DISK_GIB_MAX, PersonalDisk, PersonalDiskId, Pool, PoolKind,
    User, UserId,
};
use oriel_store::StoreError;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

/// A disk that is made for a desktop when no pool says any more how large.
const FORGOTTEN_GIB: u64 = 20;

/// A disk and what it is to people.
#[derive(Clone, Debug)]
pub struct ShownDisk {
    pub disk: PersonalDisk,
    /// What its person is called now; none when they have gone.
    pub person: Option<String>,
    pub holder: Option<DiskHolder>,
    /// The desktop that has it.
    pub desktop: Option<Desktop>,
    /// No desktop will take it: its person has gone, or neither a pool names it any more nor a desktop of theirs that was made before.
    pub is_orphaned: bool,
}

/// What came of a desktop's wish for its person's disk.
pub(crate) enum DiskWish {
    /// It has none, or has it.
    Settled(Option<PersonalDisk>),
    /// Who has it is about to give it back.
    Wait(String),
    /// It does not get it; a sentence says why.
    Refused(String),
}

impl Broker {
    /// Before its machine starts: the desktop takes hold of its person's disk, which is made when there is none, and gives back another
    /// that it holds. Its machine is off.
    pub(crate) async fn wish_for_disk(&self, desktop: &Desktop) -> Result<DiskWish, BrokerError> {
        let store = &self.inner.store;
        let held = store.disk_in(desktop.id).await?;
        let wanted = desktop.facts.personal_disk.as_ref().zip(desktop.owner);
        if let Some(held) = &held
            && wanted.is_none_or(|(name, owner)| held.user != owner || held.name != *name)
        {
            self.give_back_disk(desktop).await?;
        }
        let Some((name, owner)) = wanted else { return Ok(DiskWish::Settled(None)) };
        let disk = match self.disk_of(owner, name, desktop).await {
            Err(BrokerError::Store(StoreError::OverQuota(over))) => return Ok(DiskWish::Refused(over.to_string())),
            disk => disk?,
        };
        let here = self.inner.compute.name();
        if disk.host != here {
            return Ok(DiskWish::Refused(format!(
                "the personal disk {} lies on host {}, and this desktop is on {here}",
                disk.title(),
                disk.host
            )));
        }
        if let Some(holder) = store.hold_disk(disk.id, DiskHolder::Desktop(desktop.id), now()).await? {
            return self.other_holder(&disk, holder).await;
        }
        fault::point("desktop.disk_held");
        if !disk.is_made {
            self.acting_host(desktop).await?.make_personal_disk(disk.id, disk.size_gib).await?;
            fault::point("desktop.disk_made");
            store.personal_disk_is_made(disk.id).await?;
        }
        Ok(DiskWish::Settled(Some(disk)))
    }

    async fn disk_of(&self, owner: UserId, name: &Name, desktop: &Desktop) -> Result<PersonalDisk, BrokerError> {
        let store = &self.inner.store;
        if let Some(disk) = store.personal_disk_of(owner, name).await? {
            return Ok(disk);
        }
        let person = store.user(owner).await?.ok_or_else(|| BrokerError::missing("user", owner))?;
        // The pool of a desktop that was made before may name another by now, or none.
        let pools = store.pools().await?;
        let says =
            |pool: &Pool| pool.personal_disk.as_ref().filter(|wish| wish.name == *name).map(|wish| wish.size_gib);
        let own = pools.iter().find(|pool| pool.id == desktop.pool).and_then(says);
        let size_gib = own.or_else(|| pools.iter().find_map(says)).unwrap_or(FORGOTTEN_GIB);
        let disk = PersonalDisk {
            id: PersonalDiskId::new(),
            user: owner,
            person: person.name,
            name: name.clone(),
            host: self.inner.compute.name().to_owned(),
            size_gib,
            is_made: false,
            created: now(),
        };
        Ok(store.make_personal_disk(&disk).await?)
    }

    async fn other_holder(&self, disk: &PersonalDisk, holder: DiskHolder) -> Result<DiskWish, BrokerError> {
        let store = &self.inner.store;
        let title = disk.title();
        match holder {
            DiskHolder::Desktop(id) => {
                let other = store.desktop(id).await?;
                Ok(match other {
                    Some(other) if keeps(&other, disk.user) => DiskWish::Refused(format!(
                        "the personal disk {title} is in {}, and a disk is in one desktop at a time; shut that down, then start this one \
                         again",
                        other.name
                    )),
                    Some(other) => DiskWish::Wait(format!("the personal disk {title} is still in {}", other.name)),
                    None => DiskWish::Wait(format!("the personal disk {title} is just given back")),
                })
            }
            DiskHolder::Operation(id) => {
                if !self.is_at_work(id).await? {
                    // It ended without a word.
                    store.release_disk(holder).await?;
                }
                Ok(DiskWish::Wait(format!(
                    "something is being done with the personal disk {title}: `oriel operation list`"
                )))
            }
        }
    }

    async fn is_at_work(&self, id: OperationId) -> Result<bool, BrokerError> {
        let operation = self.inner.store.operation(id).await?;
        Ok(operation.is_some_and(|one| matches!(one.state, OperationState::Queued | OperationState::Running)))
    }

    /// The disk that a desktop holds is taken out of its machine, which is switched off where it is not, and is nobody's then.
    pub(crate) async fn give_back_disk(&self, desktop: &Desktop) -> Result<(), BrokerError> {
        if self.inner.store.disk_in(desktop.id).await?.is_none() {
            return Ok(());
        }
        self.acting_host(desktop).await?.power_off(desktop.id).await?;
        self.acting_host(desktop).await?.detach_personal_disk(desktop.id).await?;
        fault::point("desktop.disk_detached");
        self.inner.store.release_disk(DiskHolder::Desktop(desktop.id)).await?;
        Ok(())
    }

    /// Whoever has their disk in another desktop that runs is told so before they are given one that could not start.
    ///
    /// So is whoever may not have one more so large.
    ///
    /// Errors: conflict `personal_disk_in_use`; `OverQuota`.
    pub(crate) async fn check_disk_free(&self, user: &User, pool: &Pool) -> Result<(), BrokerError> {
        let Some(wish) = &pool.personal_disk else { return Ok(()) };
        let own = self.inner.store.desktops_of(user.id).await?;
        let has = |one: &&Desktop| one.facts.personal_disk.as_ref() == Some(&wish.name) && keeps(one, user.id);
        if let Some(other) = own.iter().find(has) {
            return Err(BrokerError::conflict(
                "personal_disk_in_use",
                format!(
                    "your personal disk {} is in {}, and a disk is in one desktop at a time",
                    wish.name, other.name
                ),
                format!("go on in {}, or shut it down first", other.name),
            ));
        }
        let store = &self.inner.store;
        if store.personal_disk_of(user.id, &wish.name).await?.is_none() {
            store.check_more_disks(user.id, wish.size_gib).await?;
        }
        Ok(())
    }

    /// What a pool may say of personal disks. Errors: `Invalid`.
    pub(crate) async fn check_pool_disk(&self, pool: &Pool) -> Result<(), BrokerError> {
        let Some(wish) = &pool.personal_disk else { return Ok(()) };
        let bad = |text: String, next: &str| Err(BrokerError::invalid("bad_pool", text, next));
        if let Err(error) = wish.check() {
            return bad(error, "say another size_gib of the pool's `personal_disk`");
        }
        if pool.kind == PoolKind::SessionHost {
            return bad(
                format!("a personal disk is in one machine at a time, and hosts of {} are many people's", pool.name),
                "leave the pool's `personal_disk` out, and have the image mount people's homes from the network",
            );
        }
        if pool.kind == PoolKind::External || pool.cloud.is_some() {
            return bad(
                format!("desktops of {} are not on a host of Oriel's own, which alone has personal disks", pool.name),
                "leave the pool's `personal_disk` out",
            );
        }
        let image = self.pool_image(pool).await?;
        if image.os != oriel_model::ImageOs::Linux {
            return bad(
                format!("image {} is no Linux, which alone takes a personal disk for somebody's home", image.name),
                "leave the pool's `personal_disk` out, or choose another image",
            );
        }
        Ok(())
    }

    /// All disks, by person and name.
    pub async fn personal_disks(&self) -> Result<Vec<ShownDisk>, BrokerError> {
        let store = &self.inner.store;
        let disks = store.personal_disks().await?;
        let held: Vec<DesktopId> = disks
            .iter()
            .filter_map(|(_, holder)| match holder {
                Some(DiskHolder::Desktop(id)) => Some(*id),
                _ => None,
            })
            .collect();
        let desktops: HashMap<DesktopId, Desktop> =
            store.desktops_named(&held).await?.into_iter().map(|one| (one.id, one)).collect();
        let people: HashMap<UserId, String> = store.users().await?.into_iter().map(|one| (one.id, one.name)).collect();
        let named: BTreeSet<Name> =
            store.pools().await?.into_iter().filter_map(|pool| Some(pool.personal_disk?.name)).collect();
        // Desktops that were made before their pool named another still take it when they start.
        let taken: HashSet<(UserId, Name)> = store
            .desktops()
            .await?
            .into_iter()
            .filter(|one| one.intent != DesktopIntent::Deleted)
            .filter_map(|one| Some((one.owner?, one.facts.personal_disk?)))
            .collect();
        let shown = disks.into_iter().map(|(disk, holder)| {
            let person = people.get(&disk.user).cloned();
            let desktop = match holder {
                Some(DiskHolder::Desktop(id)) => desktops.get(&id).cloned(),
                _ => None,
            };
            let is_named = named.contains(&disk.name) || taken.contains(&(disk.user, disk.name.clone()));
            let is_orphaned = person.is_none() || !is_named;
            ShownDisk { disk, person, holder, desktop, is_orphaned }
        });
        Ok(shown.collect())
    }

    /// By id, or as `PERSON/NAME`. Errors: `Missing`; conflict `several_disks` where people who have gone were called the same.
    pub async fn find_personal_disk(&self, key: &str) -> Result<ShownDisk, BrokerError> {
        let missing = || BrokerError::missing("personal disk", key);
        let id = key.parse::<PersonalDiskId>().ok();
        let named = key.rsplit_once('/').map(|(person, name)| (person.to_lowercase(), name));
        let is_it = |one: &ShownDisk| match (&named, id) {
            (_, Some(id)) => one.disk.id == id,
            (Some((person, name)), None) => {
                let called = one.person.as_ref().unwrap_or(&one.disk.person).to_lowercase();
                one.disk.name.as_str() == *name && called == *person
            }
            (None, None) => false,
        };
        let mut found: Vec<ShownDisk> = self.personal_disks().await?.into_iter().filter(is_it).collect();
        match found.len() {
            0 => Err(missing()),
            1 => found.pop().ok_or_else(missing),
            _ => Err(BrokerError::conflict(
                "several_disks",
                format!("there are several personal disks {key}"),
                "name it by its id, which `oriel disk list` shows",
            )),
        }
    }

    /// What the host knows of a disk; nothing of one that was not made yet.
    pub async fn personal_disk_facts(&self, disk: &PersonalDisk) -> Result<DiskFacts, BrokerError> {
        if !disk.is_made {
            return Ok(DiskFacts::default());
        }
        Ok(self.host_of_disk(disk)?.personal_disk_facts(disk.id).await?)
    }

    fn host_of_disk(&self, disk: &PersonalDisk) -> Result<&dyn oriel_compute::Compute, BrokerError> {
        let here = &self.inner.compute;
        if disk.host == here.name() {
            return Ok(here.as_ref());
        }
        Err(BrokerError::conflict(
            "other_host",
            format!("{} lies on host {}, and this is {}", disk.title(), disk.host, here.name()),
            "ask the server that runs there",
        ))
    }

    /// Begins to do something with a disk that is in no machine.
    ///
    /// Errors: `Invalid` size; conflicts `personal_disk_in_use`, `too_many_snapshots`, `other_host`; `OverQuota`.
    pub async fn work_on_disk(
        &self,
        shown: &ShownDisk,
        work: DiskWork,
        by: Option<UserId>,
    ) -> Result<Operation, BrokerError> {
        let disk = &shown.disk;
        self.host_of_disk(disk)?;
        if let Some(desktop) = &shown.desktop {
            return Err(in_use(disk, desktop));
        }
        match &work {
            DiskWork::Grow { size_gib } if *size_gib < disk.size_gib || *size_gib > PERSONAL_DISK_GIB_MAX => {
                return Err(BrokerError::invalid(
                    "bad_size",
                    format!(
                        "{} has {} GiB: it can have more, up to {PERSONAL_DISK_GIB_MAX}, and never less",
                        disk.title(),
                        disk.size_gib
                    ),
                    "choose a larger size",
                ));
            }
            // It is counted once more when it is done.
            DiskWork::Grow { size_gib } if shown.person.is_some() => {
                self.inner.store.check_more_disks(disk.user, size_gib.saturating_sub(disk.size_gib)).await?;
            }
            DiskWork::Snapshot { snapshot } => {
                let there = self.personal_disk_facts(disk).await?.snapshots;
                if there.len() >= DISK_SNAPSHOTS_MAX && !there.iter().any(|one| one.name == snapshot.as_str()) {
                    return Err(BrokerError::conflict(
                        "too_many_snapshots",
                        format!("{} has {DISK_SNAPSHOTS_MAX} snapshots already", disk.title()),
                        "delete some of them first",
                    ));
                }
            }
            _ => {}
        }
        let kind = OperationKind::PersonalDisk { disk: disk.id, title: disk.title(), work };
        self.queue_operation(kind, by).await
    }

    /// The operation's work. Answers one line for people.
    pub(crate) async fn perform_disk_work(
        &self,
        id: OperationId,
        disk: PersonalDiskId,
        work: &DiskWork,
        job: &impl Job,
    ) -> Result<String, BrokerError> {
        let store = &self.inner.store;
        let Some(disk) = store.personal_disk(disk).await? else {
            return match work {
                // Its program was killed just before it could say so.
                DiskWork::Delete => Ok("it is gone".to_owned()),
                _ => Err(BrokerError::missing("personal disk", disk)),
            };
        };
        let holder = DiskHolder::Operation(id);
        if let Some(other) = store.hold_disk(disk.id, holder, now()).await? {
            let desktop = match other {
                DiskHolder::Desktop(id) => store.desktop(id).await?,
                DiskHolder::Operation(other) => {
                    if !self.is_at_work(other).await? {
                        store.release_disk(DiskHolder::Operation(other)).await?;
                    }
                    None
                }
            };
            return Err(match desktop {
                Some(desktop) => in_use(&disk, &desktop),
                None => BrokerError::conflict(
                    "personal_disk_busy",
                    format!("something else was just being done with {}", disk.title()),
                    "resume this operation: `oriel operation resume`",
                ),
            });
        }
        let done = self.do_disk_work(&disk, holder, work, job).await;
        if done.is_err() && matches!(work, DiskWork::Export) {
            // Where the program stops, it begins anew at the next start; that takes nothing from anybody.
            store.release_disk(holder).await?;
            return done;
        }
        let (state, step, error) = match &done {
            Ok(step) => (OperationState::Done, step.clone(), None),
            Err(error) => (OperationState::Failed, "failed".to_owned(), Some(error.to_string())),
        };
        // What is not known to have ended is done once more at the next start: that is written down before anybody else has the disk,
        // or what they write would be thrown away with it.
        store
            .end_disk_work(id, |operation| {
                operation.state = state;
                if state == OperationState::Done {
                    (operation.progress, operation.result) = (1.0, Some(disk.id.to_string()));
                }
                (operation.step, operation.error) = (step, error);
            })
            .await?;
        done
    }

    async fn do_disk_work(
        &self,
        disk: &PersonalDisk,
        holder: DiskHolder,
        work: &DiskWork,
        job: &impl Job,
    ) -> Result<String, BrokerError> {
        let (host, store) = (self.host_of_disk(disk)?, &self.inner.store);
        let title = disk.title();
        // What nobody has used yet is blank: it is made when somebody asks for something that needs it.
        if !disk.is_made && !matches!(work, DiskWork::Delete) {
            host.make_personal_disk(disk.id, disk.size_gib).await?;
            store.personal_disk_is_made(disk.id).await?;
        }
        match work {
            DiskWork::Grow { size_gib } => {
                store.grow_personal_disk(disk.id, *size_gib).await?;
                if let Err(error) = host.grow_personal_disk(disk.id, *size_gib).await {
                    store.set_personal_disk_size(disk.id, disk.size_gib).await?;
                    return Err(error.into());
                }
                Ok(format!("{title} has {size_gib} GiB; its file system follows with the next start"))
            }
            DiskWork::Snapshot { snapshot } => {
                host.snapshot_personal_disk(disk.id, snapshot).await?;
                Ok(format!("snapshot {snapshot} of {title} is kept"))
            }
            DiskWork::Restore { snapshot } => {
                host.restore_personal_disk(disk.id, snapshot).await?;
                // A snapshot knows how large the disk was then.
                host.grow_personal_disk(disk.id, disk.size_gib).await?;
                Ok(format!("{title} is as it was at snapshot {snapshot}"))
            }
            DiskWork::DropSnapshot { snapshot } => {
                host.drop_personal_disk_snapshot(disk.id, snapshot).await?;
                Ok(format!("snapshot {snapshot} of {title} is gone"))
            }
            DiskWork::Export => {
                let progress = |part: f64| job.progress(part, "copying it");
                let bytes = tokio::select! {
                    made = host.export_personal_disk(disk.id, &progress) => made?,
                    () = job.cancelled() => return Err(FilmError::Cancelled.into()),
                };
                Ok(format!("copied {title}, {bytes} bytes"))
            }
            DiskWork::Delete => {
                host.delete_personal_disk(disk.id).await?;
                store.delete_personal_disk(disk.id, holder).await?;
                Ok(format!("{title} is gone"))
            }
        }
    }

    /// The file of a disk's copy, and its bytes. Errors: conflict `export_not_ready`.
    pub async fn personal_disk_export(&self, disk: &PersonalDisk) -> Result<(PathBuf, u64), BrokerError> {
        let none = || {
            BrokerError::conflict(
                "export_not_ready",
                format!("no copy of {} was made, or it was deleted", disk.title()),
                "make one: `oriel disk export`",
            )
        };
        let path = self.host_of_disk(disk)?.personal_disk_export(disk.id).ok_or_else(none)?;
        let file = tokio::fs::metadata(&path).await.map_err(|_| none())?;
        Ok((path, file.len()))
    }

    /// Twice is no error.
    pub async fn delete_personal_disk_export(&self, disk: &PersonalDisk) -> Result<(), BrokerError> {
        Ok(self.host_of_disk(disk)?.delete_personal_disk_export(disk.id).await?)
    }
}

/// Whether a desktop goes on having its person's disk: it is theirs, and nobody told it to be off or gone.
fn keeps(desktop: &Desktop, person: UserId) -> bool {
    desktop.owner == Some(person) && matches!(desktop.intent, DesktopIntent::Running | DesktopIntent::Restart)
}

fn in_use(disk: &PersonalDisk, desktop: &Desktop) -> BrokerError {
    BrokerError::conflict(
        "personal_disk_in_use",
        format!("{} is in {}, and nothing can be done with it there", disk.title(), desktop.name),
        format!("shut it down first: oriel desktop stop {}", desktop.name),
    )
}
