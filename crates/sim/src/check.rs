//! What must hold: after every step, and when everything has come to rest.

use crate::world::{Rows, World};
use oriel_compute::{Compute, Power};
use oriel_model::{
    Desktop, DesktopId, DesktopIntent, DesktopState, DiskHolder, HostPlace, PersonalDiskId, Pool, PoolKind, UserId,
};
use oriel_store::seam::{Plant, planted};
use std::collections::{BTreeMap, BTreeSet};

/// After every step.
pub async fn always(world: &World<'_>) -> Result<(), String> {
    // What the database refuses by itself shows only where everybody acts.
    if !planted(Plant::NoPortFence)
        && let Some(broken) = crate::stage::with(|stage| stage.collision())
    {
        return Err(broken);
    }
    running_machines_share_nothing(world)?;
    claims_share_nothing(world).await?;
    nobody_holds_more_than_they_may(world).await?;
    nothing_starts_on_a_drained_host(world).await?;
    everybody_is_in_their_own(world).await
}

/// Nobody is in a desktop that others have been in since it was made, or that is somebody else's, and nobody has two seats.
async fn everybody_is_in_their_own(world: &World<'_>) -> Result<(), String> {
    world.gateways.notice(&world.host);
    if let Some(broken) = world.gateways.broken() {
        return Err(broken);
    }
    let rows = world.look().await?;
    let desktops = &rows.desktops;
    let now = crate::stage::with(|stage| stage.now());
    let owner = |id| desktops.iter().find(|one| one.id == id).map(|one| one.owner);
    world.gateways.keep_what_they_have(now, owner)?;
    let goes = |id| {
        desktops.iter().any(|one| one.id == id && one.intent == DesktopIntent::Recycle && one.facts.next.is_some())
    };
    world.gateways.are_left_alone(now, goes)?;
    let places = rows.places.iter().map(|place| (place.user, place.desktop)).collect();
    world.gateways.keep_their_places(now, &places)?;
    places_hold(world, &rows)?;
    let mut seats = BTreeSet::new();
    for desktop in desktops.iter().filter(|one| one.facts.seat.is_some()) {
        if !seats.insert((desktop.pool, desktop.owner)) {
            return Err(format!("{:?} has two seats, one of them {}", desktop.owner, desktop.name));
        }
    }
    Ok(())
}

/// No more people than places on a host, and nobody in two places of a pool.
fn places_hold(world: &World<'_>, rows: &Rows) -> Result<(), String> {
    let mut people = BTreeSet::new();
    let mut on: BTreeMap<DesktopId, u32> = BTreeMap::new();
    for place in &rows.places {
        if !people.insert((place.pool, place.user)) {
            return Err(format!("{} has two places", place.user));
        }
        *on.entry(place.desktop).or_default() += 1;
        let goes = |one: &&Desktop| {
            one.id == place.desktop && matches!(one.intent, DesktopIntent::Recycle | DesktopIntent::Deleted)
        };
        if let Some(host) = rows.desktops.iter().find(goes) {
            return Err(format!("{} goes while {} has a place on it", host.name, place.user));
        }
    }
    for (host, count) in on {
        let of = rows.desktops.iter().find(|one| one.id == host).map(|one| one.pool);
        let most = world.pools.iter().find(|pool| Some(pool.id) == of).map_or(0, |pool| pool.size.sessions);
        if count > most {
            return Err(format!("{count} people have places on {host}, which has {most}"));
        }
    }
    Ok(())
}

/// No unit of a GPU, no port and no personal disk in two running machines, no desktop in two machines.
fn running_machines_share_nothing(world: &World<'_>) -> Result<(), String> {
    let mut desktops = BTreeSet::new();
    let mut units: BTreeMap<String, DesktopId> = BTreeMap::new();
    let mut ports: BTreeMap<u16, DesktopId> = BTreeMap::new();
    let mut disks: BTreeMap<PersonalDiskId, DesktopId> = BTreeMap::new();
    for found in world.host.observed().into_iter().filter(|found| found.power != Power::Off) {
        if !desktops.insert(found.desktop) {
            return Err(format!("{} runs twice", found.desktop));
        }
        let Some(spec) = world.host.described(found.desktop) else { continue };
        for hold in &spec.gpus {
            let mut keys: Vec<String> = hold.slots.iter().map(|slot| format!("slot {slot} of {}", hold.gpu)).collect();
            keys.push(format!("{:?}", hold.unit));
            for key in keys {
                if let Some(other) = units.insert(key.clone(), found.desktop) {
                    return Err(format!("{} and {other} run with {key}", found.desktop));
                }
            }
        }
        if let Some(other) = spec.port_base.and_then(|port| ports.insert(port, found.desktop)) {
            return Err(format!("{} and {other} run with the same ports", found.desktop));
        }
        let disk = spec.home.and_then(|home| home.disk);
        if let Some(other) = disk.and_then(|disk| disks.insert(disk, found.desktop)) {
            return Err(format!("{} and {other} run with the same personal disk", found.desktop));
        }
    }
    Ok(())
}

/// Nor in two claims.
async fn claims_share_nothing(world: &World<'_>) -> Result<(), String> {
    if world.pools.iter().all(|pool| pool.gpu.is_none()) {
        return Ok(());
    }
    let rows = world.look().await?;
    let claims = &rows.claims;
    let mut held = BTreeMap::new();
    for claim in claims {
        for slot in &claim.hold.slots {
            if let Some(other) = held.insert((&claim.hold.gpu, *slot), claim.desktop) {
                return Err(format!("slot {slot} of {} is held by {other} and {}", claim.hold.gpu, claim.desktop));
            }
        }
    }
    Ok(())
}

/// Where there is a quota, it held after every step so far.
async fn nobody_holds_more_than_they_may(world: &World<'_>) -> Result<(), String> {
    let Some((most, most_running)) = world.quota else { return Ok(()) };
    let rows = world.look().await?;
    let mut held: BTreeMap<UserId, (u64, u64)> = BTreeMap::new();
    for desktop in rows.desktops.iter().filter(|one| one.intent != DesktopIntent::Deleted) {
        let Some(owner) = desktop.owner else { continue };
        let (desktops, running) = held.entry(owner).or_default();
        *desktops += 1;
        *running += u64::from(desktop.intent != DesktopIntent::Stopped);
    }
    for (owner, (desktops, running)) in held {
        if desktops > most || running > most_running {
            return Err(format!(
                "{owner} holds {desktops} desktops, {running} of them running, and may hold {most} and {most_running}"
            ));
        }
    }
    Ok(())
}

/// What had not begun to start when the host was drained has not begun since.
async fn nothing_starts_on_a_drained_host(world: &World<'_>) -> Result<(), String> {
    let rows = world.look().await?;
    let Some(drain) = &rows.drain else { return Ok(()) };
    match rows.desktops.iter().find(|one| one.facts.prepared.is_some_and(|at| at > drain.since)) {
        Some(desktop) => Err(format!("{} starts on a drained host", desktop.name)),
        None => Ok(()),
    }
}

/// Everything is as it was asked for, and there is nothing else.
pub async fn at_rest(world: &World<'_>) -> Result<(), String> {
    let desktops = world.desktops().await?;
    for desktop in &desktops {
        if is_without_its_disk(desktop, &desktops) {
            continue;
        }
        let wanted = match desktop.intent {
            DesktopIntent::Running => [DesktopState::Ready, DesktopState::InUse],
            DesktopIntent::Stopped => [DesktopState::Stopped; 2],
            other => return Err(format!("{} is still asked for {other:?}", desktop.name)),
        };
        if !wanted.contains(&desktop.state) {
            return Err(format!(
                "{} shall be {:?} and is {:?}: {:?}",
                desktop.name, desktop.intent, desktop.state, desktop.failure
            ));
        }
    }
    rollouts_have_ended(world).await?;
    let rows = world.look().await?;
    spares_are_there(world, &desktops, &rows)?;
    the_world_is_what_rows_say(world, &desktops)?;
    disks_are_where_rows_say(world, &desktops).await?;
    slices_are_what_claims_say(world, &desktops).await
}

/// Its person has another desktop that runs with their disk: it is not started.
fn is_without_its_disk(desktop: &Desktop, desktops: &[Desktop]) -> bool {
    let has_it = |other: &Desktop| {
        other.owner == desktop.owner
            && other.facts.disk_of == desktop.owner
            && matches!(other.state, DesktopState::Ready | DesktopState::InUse)
    };
    desktop.state == DesktopState::Failed
        && desktop.owner.is_some()
        && desktop.facts.personal_disk.is_some()
        && desktops.iter().any(has_it)
}

/// Who runs has their disk, nobody else has any, and none was lost.
async fn disks_are_where_rows_say(world: &World<'_>, desktops: &[Desktop]) -> Result<(), String> {
    if world.pools.iter().all(|pool| pool.personal_disk.is_none()) {
        return Ok(());
    }
    let runs = |one: &Desktop| matches!(one.state, DesktopState::Ready | DesktopState::InUse);
    if let Some(desktop) = desktops.iter().find(|one| runs(one) && one.lacks_disk()) {
        return Err(format!("{} runs without its person's disk", desktop.name));
    }
    let there = world.host.personal_disks();
    for (disk, holder) in world.store().personal_disks().await.map_err(|error| error.to_string())? {
        if disk.is_made && !there.contains_key(&disk.id) {
            return Err(format!("the personal disk {} is lost", disk.title()));
        }
        let has_it = |id| desktops.iter().any(|one| one.id == id && one.owner == Some(disk.user) && runs(one));
        match holder {
            Some(DiskHolder::Desktop(id)) if !has_it(id) => {
                return Err(format!("{id} holds the personal disk {} and does not run", disk.title()));
            }
            Some(DiskHolder::Operation(id)) => {
                return Err(format!("the operation {id} holds the personal disk {}", disk.title()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Unless they wait for desktops that are somebody's.
async fn rollouts_have_ended(world: &World<'_>) -> Result<(), String> {
    for pool in &world.pools {
        let view = world.broker(0).rollout(pool).await.map_err(|error| error.to_string())?;
        if let Some(view) = view
            && view.rollout.state.is_open()
            && view.count.waiting == 0
        {
            return Err(format!("the roll-out of {} does not end: {}", pool.name, view.step));
        }
    }
    Ok(())
}

/// Nobody keeps what they have left, and pools have the spares that they shall have.
fn spares_are_there(world: &World<'_>, desktops: &[Desktop], rows: &Rows) -> Result<(), String> {
    for pool in &world.pools {
        let own: Vec<&Desktop> = desktops.iter().filter(|one| one.pool == pool.id).collect();
        let size = pool.size_at(crate::stage::with(|stage| stage.now()));
        let seated = own.iter().find(|one| one.facts.seat.is_some());
        if let (Some(desktop), PoolKind::Floating | PoolKind::Ephemeral) = (seated, pool.kind) {
            return Err(format!("{} was left long ago and is not taken back", desktop.name));
        }
        if own.len() > pool.desktops_max as usize {
            return Err(format!("{} holds {} desktops", pool.name, own.len()));
        }
        if pool.kind == PoolKind::SessionHost {
            hosts_are_there(pool, &own, &rows.places)?;
            continue;
        }
        let free = |intent| own.iter().filter(|one| one.owner.is_none() && one.intent == intent).count();
        let (running, stopped) = (free(DesktopIntent::Running), free(DesktopIntent::Stopped));
        let used = own.len() - running - stopped;
        let room = (pool.desktops_max as usize).saturating_sub(used);
        let wanted = (size.running_spares as usize).min(room);
        if running < wanted {
            return Err(format!("{running} of {wanted} running spares are there: {size:?}"));
        }
        let wanted = ((size.running_spares + size.stopped_spares) as usize).min(room);
        if running + stopped < wanted {
            return Err(format!("{} of {wanted} spares are there: {size:?}", running + stopped));
        }
        if own.len() < size.min as usize {
            return Err(format!("{} of at least {} desktops are there", own.len(), size.min));
        }
    }
    Ok(())
}

/// Nobody has a place that they left long ago, no host drains for nobody, and there are the places and hosts that there shall be.
fn hosts_are_there(pool: &Pool, hosts: &[&Desktop], places: &[HostPlace]) -> Result<(), String> {
    if let Some(place) = places.first() {
        return Err(format!("{} left long ago and has a place on {}", place.user, place.desktop));
    }
    if let Some(host) = hosts.iter().find(|host| host.facts.draining) {
        return Err(format!("{} drains, and nobody is on it", host.name));
    }
    let size = pool.size_at(crate::stage::with(|stage| stage.now()));
    let most = pool.desktops_max as usize;
    let running = hosts.iter().filter(|host| host.intent == DesktopIntent::Running).count();
    let needed = (size.running_spares.div_ceil(size.sessions) as usize).min(most);
    if running < needed {
        return Err(format!("{running} of {needed} hosts run: {size:?}"));
    }
    if hosts.len() < (size.min as usize).max(needed + size.stopped_spares as usize).min(most) {
        return Err(format!("{} hosts are there: {size:?}", hosts.len()));
    }
    // Where hours change the size, what was ready for busy ones may have had no time to go.
    let most = (size.min as usize).max(needed + size.stopped_spares as usize);
    if pool.hours.peaks.is_empty() && hosts.len() > most {
        return Err(format!("{} hosts stay, of {most} that shall be there: {size:?}", hosts.len()));
    }
    Ok(())
}

fn the_world_is_what_rows_say(world: &World<'_>, desktops: &[Desktop]) -> Result<(), String> {
    let observed = world.host.observed();
    for found in &observed {
        let Some(desktop) = desktops.iter().find(|desktop| desktop.id == found.desktop) else {
            return Err(format!("the machine of {} is left over: {found:?}", found.desktop));
        };
        if desktop.generation != found.generation {
            return Err(format!("{} is of generation {}, but there is {found:?}", desktop.name, desktop.generation));
        }
        let waits = is_without_its_disk(desktop, desktops);
        if !waits && (found.power == Power::Running) != (desktop.intent == DesktopIntent::Running) {
            return Err(format!(
                "{} shall be {:?}, but its machine is {:?}",
                desktop.name, desktop.intent, found.power
            ));
        }
        if !(found.domain && found.disk && found.seed) {
            return Err(format!("{} is not whole: {found:?}", desktop.name));
        }
    }
    for desktop in desktops {
        if !observed.iter().any(|found| found.desktop == desktop.id) {
            return Err(format!("{} has no machine", desktop.name));
        }
    }
    Ok(())
}

async fn slices_are_what_claims_say(world: &World<'_>, desktops: &[Desktop]) -> Result<(), String> {
    let claims = world.store().gpu_claims().await.map_err(|error| error.to_string())?;
    for claim in &claims {
        let holder = desktops.iter().find(|desktop| desktop.id == claim.desktop);
        if holder.is_none_or(|desktop| desktop.state == DesktopState::Stopped) {
            return Err(format!("{} holds a unit and is off or gone", claim.desktop));
        }
    }
    let slices = world.host.gpu_slices().await.map_err(|error| error.to_string())?;
    let made: BTreeSet<String> = slices.iter().map(|slice| format!("{:?}", slice.unit)).collect();
    let wanted: BTreeSet<String> = claims.iter().map(|claim| format!("{:?}", claim.hold.unit)).collect();
    if made != wanted {
        return Err(format!("slices of GPUs: there are {made:?}, claimed are {wanted:?}"));
    }
    Ok(())
}

/// Nothing is left of anybody.
pub async fn empty(world: &World<'_>) -> Result<(), String> {
    let desktops = world.desktops().await?;
    if let Some(desktop) = desktops.first() {
        return Err(format!("{} was deleted and is still {:?}", desktop.name, desktop.state));
    }
    the_world_is_what_rows_say(world, &desktops)?;
    disks_are_where_rows_say(world, &desktops).await?;
    slices_are_what_claims_say(world, &desktops).await
}
