//! A pool that is wanted beside the one that is there.

use super::{Change, Does, Draft, Mark, World, dangling, same};
use crate::{
    client::segment,
    commands::{
        apply::{
            read::{Place, Wrong},
            said::{self, Said},
            wanted::{Perhaps, Reference, WantedPool},
        },
        pool::parse_network,
    },
};
use oriel_model as model;
use oriel_server::api::{
    hardware::Hardware,
    personal_disk::PoolDisk,
    policy::SessionPolicy,
    pool::{GpuRequest, Leaving, LeavingTimes, Pool, PoolHours, PoolKind, PoolSize},
    recording::RecordingPolicy,
};
use serde_json::json;
use std::collections::BTreeSet;

impl World<'_> {
    pub(super) fn pool(&self, pool: &WantedPool) -> Result<Option<Change>, Wrong> {
        let there = self.present.pools.iter().find(|one| one.name == pool.name);
        let kind = pool.kind.or(there.map(|there| there.kind)).unwrap_or(PoolKind::Dedicated);
        Self::fits(pool, there, kind)?;
        let mut keys = said::wanted_pool(pool);
        let mut policy = pool.policy.clone();
        if self.how.prune && there.is_some() && policy.is_none() {
            let usual = model::SessionPolicy::default();
            keys.push(("policy", Said::Text(usual.to_string())));
            policy = Some(usual);
        }
        let before = there.map(said::pool);
        let mut draft = Draft::default();
        self.pool_image(pool, before.as_deref(), &mut draft)?;
        if let Some(cloud) = &pool.cloud {
            self.pool_cloud(pool, cloud, there, &mut draft)?;
        }
        let differ = draft.compare(&keys, before.as_deref());
        if let Some(there) = there {
            let fixed = ["kind", "network", "address", "root"].into_iter().find(|key| differ.contains(*key));
            if let Some(key) = fixed {
                let place = Place { path: format!("{}.{key}", pool.place.path), ..pool.place.clone() };
                let is = draft.fields.iter().find(|field| field.key == key);
                let is = is.map(|field| {
                    format!("{} and cannot become {}", field.before.as_deref().unwrap_or("nothing"), field.after)
                });
                return Err(place
                    .wrong(format!("this of pool {} is {}", there.name, is.unwrap_or_default()))
                    .next("make a pool of another name, or leave the key out"));
            }
        }
        pool_body(pool, policy, &differ, there, &mut draft);
        match there {
            Some(_) if draft.fields.is_empty() => Ok(None),
            Some(there) => {
                let path = format!("/pools/{}", segment(&there.id));
                Ok(Some(draft.change(Mark::Change, "pool", &pool.name, Does::Patch, path)))
            }
            None => {
                draft.put("name", &pool.name);
                draft.put("kind", kind);
                Ok(Some(draft.change(Mark::Add, "pool", &pool.name, Does::Post, "/pools".to_owned())))
            }
        }
    }

    /// What pools of this kind do not have.
    fn fits(pool: &WantedPool, there: Option<&Pool>, kind: PoolKind) -> Result<(), Wrong> {
        let own = [
            ("image", pool.image.is_some()),
            ("vcpus", pool.vcpus.is_some()),
            ("memory", pool.memory.is_some()),
            ("disk", pool.disk.is_some()),
            ("gpu", pool.gpu.is_some()),
            ("hardware", pool.hardware.is_some()),
            ("personal_disk", pool.personal_disk.is_some()),
            ("network", pool.network.is_some()),
            ("spares", pool.spares.is_some()),
            ("off_peak_spares", pool.off_peak_spares.is_some()),
            ("cloud", pool.cloud.is_some()),
            ("flavor", pool.flavor.is_some()),
            ("address", pool.address.is_some()),
            ("root", pool.root.is_some()),
        ];
        let named = |keys: &[&str]| own.iter().find(|(key, named)| *named && keys.contains(key)).map(|(key, _)| *key);
        let at = |key: &str| Place { path: format!("{}.{key}", pool.place.path), ..pool.place.clone() };
        let has_image = pool.image.is_some() || there.is_some_and(|there| there.image.is_some());
        let is_others = kind == PoolKind::SessionHost && !has_image;
        if is_others || kind == PoolKind::External {
            let keys: Vec<&str> =
                own.iter().map(|(key, _)| *key).filter(|key| !is_others || *key != "spares").collect();
            return match named(&keys) {
                Some(key) => Err(at(key)
                    .wrong("external machines have no image, size, network, GPU or cloud of Oriel's making")
                    .next("leave it out")),
                None => Ok(()),
            };
        }
        if let Some(machine) = pool.machines.first() {
            return Err(machine
                .place
                .wrong(format!("pool {} is {}: Oriel makes its desktops", pool.name, said::word(&kind)))
                .next("declare machines in a pool of kind external, or of session hosts without an image"));
        }
        let on_cloud = pool.cloud.is_some() || there.is_some_and(|there| there.cloud.is_some());
        if on_cloud && let Some(key) = named(&["vcpus", "memory", "disk", "gpu", "hardware", "personal_disk"]) {
            return Err(at(key).wrong("on a cloud the flavor says what a desktop is made of").next("leave it out"));
        }
        // Of a new one it is said below that the two go together.
        let of_clouds: &[&str] = if there.is_some() { &["flavor", "address", "root"] } else { &["address", "root"] };
        if !on_cloud && let Some(key) = named(of_clouds) {
            return Err(at(key).wrong("that is for pools on a cloud").next("leave it out, or say which with `cloud`"));
        }
        if there.is_none() && pool.image.is_none() {
            return Err(pool
                .place
                .wrong("a pool of desktops needs an image to make them from")
                .next("name one with `image`, or make a pool of external machines with `kind = \"external\"`"));
        }
        if there.is_none() && pool.cloud.is_some() != pool.flavor.is_some() {
            return Err(pool.place.wrong("cloud and flavor go together").next("give both of them, or none"));
        }
        Ok(())
    }

    fn pool_image(
        &self,
        pool: &WantedPool,
        before: Option<&[(&'static str, Said)]>,
        draft: &mut Draft,
    ) -> Result<(), Wrong> {
        let Some(image) = &pool.image else { return Ok(()) };
        let name = image.name.as_str();
        let is_made = self.wanted.images.iter().any(|one| one.name == name && self.image(one).is_some());
        let found = self.present.images.iter().find(|one| {
            one.id == name
                || name
                    .split_once(':')
                    .is_some_and(|(its, version)| one.name == its && version == one.version.to_string())
        });
        let after = match found.or_else(|| self.present.newest(name)) {
            _ if is_made => format!("{name} (the version that is made now)"),
            Some(image) => format!("{}:{}", image.name, image.version),
            None => {
                let known = self.present.images.iter().map(|one| one.name.as_str());
                let known = known.chain(self.wanted.images.iter().map(|one| one.name.as_str()));
                return Err(dangling(image, "image", known, "declare it, or see `oriel image list`"));
            }
        };
        let before =
            before.and_then(|keys| keys.iter().find(|(key, _)| *key == "image")).map(|(_, said)| said.to_string());
        if before.as_ref() != Some(&after) {
            draft.put("image", name);
            draft.says("image", before, after);
        }
        Ok(())
    }

    fn pool_cloud(
        &self,
        pool: &WantedPool,
        cloud: &Reference,
        there: Option<&Pool>,
        draft: &mut Draft,
    ) -> Result<(), Wrong> {
        let named = |id: &str, name: &str| cloud.name == id || same(&cloud.name, name);
        let Some(found) = self.present.clouds.iter().find(|one| named(&one.id, &one.name)) else {
            let known = self.present.clouds.iter().map(|one| one.name.as_str());
            return Err(dangling(
                cloud,
                "cloud",
                known,
                "add it with `oriel cloud add`: how to sign in there is in no file",
            ));
        };
        let Some(there) = there else {
            draft.put("cloud", json!({
                "cloud": found.id, "flavor": pool.flavor, "network": pool.network, "address": pool.address, "root": pool.root,
            }));
            draft.says("cloud", None, &found.name);
            return Ok(());
        };
        if there.cloud.as_ref().is_some_and(|place| place.cloud.id == found.id) {
            return Ok(());
        }
        let is = there.cloud.as_ref().map_or("this host", |place| place.cloud.name.as_str());
        Err(cloud
            .place
            .wrong(format!("pool {} stands on {is} and cannot move to {}", pool.name, found.name))
            .next("make a pool of another name, or leave the key out"))
    }
}

/// The API's part of what differs.
fn pool_body(
    pool: &WantedPool,
    policy: Option<model::SessionPolicy>,
    differ: &BTreeSet<&'static str>,
    there: Option<&Pool>,
    draft: &mut Draft,
) {
    let names = |keys: &[&str]| keys.iter().any(|key| differ.contains(*key));
    if names(&["vcpus"]) {
        draft.put("vcpus", pool.vcpus);
    }
    if names(&["memory"]) {
        draft.put("memory_mib", pool.memory);
    }
    if names(&["disk"]) {
        draft.put("disk_gib", pool.disk);
    }
    // A new pool has it in its place on a cloud.
    if names(&["flavor"]) && there.is_some() {
        draft.put("flavor", &pool.flavor);
    }
    if names(&["desktops_max"]) {
        draft.put("desktops_max", pool.desktops_max);
    }
    if names(&["keyboard"]) {
        draft.put("keyboard", &pool.keyboard);
    }
    if names(&["spares"]) {
        draft.put("size", pool.spares.clone().map(PoolSize::from));
    }
    if names(&["gpu"]) {
        let gpu = pool.gpu.clone().map(|gpu| gpu.0.map_or_else(GpuRequest::none, GpuRequest::from));
        draft.put("gpu", gpu);
    }
    if names(&["hardware"]) {
        draft.put("hardware", pool.hardware.clone().map(Hardware::from));
    }
    if names(&["personal_disk"]) {
        let disk = pool.personal_disk.clone().map(|disk| disk.0.map_or_else(PoolDisk::none, PoolDisk::from));
        draft.put("personal_disk", disk);
    }
    if names(&["recording"]) {
        draft.put("recording", pool.recording.map(RecordingPolicy::from));
    }
    if names(&["policy"]) {
        draft.put("policy", policy.map(SessionPolicy::from));
    }
    if names(&["network"]) && pool.cloud.is_none() {
        // It was read before.
        let network = pool.network.as_deref().and_then(|network| parse_network(network).ok());
        draft.put("network", network);
    }
    if names(&["peak", "holiday", "start_ahead", "off_peak_spares"]) {
        let mut hours = there.map(|there| there.hours.clone()).unwrap_or_default();
        hours_over(pool, &mut hours);
        draft.put("hours", hours);
    }
    if names(&["leave", "off_peak_leave"]) {
        let mut leaving = there.map(|there| there.leaving).unwrap_or_default();
        if let Some(named) = &pool.leave {
            leaving = Leaving { off_peak: leaving.off_peak, ..named.clone().into() };
        }
        if let Some(Perhaps(times)) = pool.off_peak_leave {
            leaving.off_peak = times.map(|times| LeavingTimes {
                idle_minutes: times.idle_minutes,
                shut_down_minutes: times.shut_down_minutes,
            });
        }
        draft.put("leaving", leaving);
    }
}

fn hours_over(pool: &WantedPool, hours: &mut PoolHours) {
    if let Some(peaks) = &pool.peak {
        hours.peaks.clone_from(peaks);
    }
    if let Some(days) = &pool.holiday {
        hours.holidays = days.iter().cloned().collect();
    }
    hours.start_ahead_minutes = pool.start_ahead.unwrap_or(hours.start_ahead_minutes);
    if let Some(off_peak) = &pool.off_peak_spares {
        let off_peak = model::PoolHours { off_peak: off_peak.clone(), ..model::PoolHours::default() };
        hours.off_peak = PoolHours::from(off_peak).off_peak;
    }
}
