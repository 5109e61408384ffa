//! Sets of like desktops.

use crate::clock::now;
use crate::over::to_its_end;
use crate::{Broker, BrokerError};
use oriel_machine::{Arch, Keyboard};
use oriel_model::{
    CloudPlace, DesktopId, GpuRequest, Hardware, Image, ImageId, Leaving, MaintenanceOf, Micros, Name, Network,
    OffPeak, Pool, PoolDisk, PoolHours, PoolId, PoolKind, PoolSize, RecordingPolicy, SessionPolicy, User, UserId,
};

/// Of libvirt's networks and of bridges; Linux itself takes 15 for a bridge.
const NETWORK_NAME_BYTES_MAX: usize = 50;

/// What an admin asks for.
pub struct NewPool {
    pub name: Name,
    /// Of Oriel's own kinds; external machines have [`crate::NewExternalPool`].
    pub kind: PoolKind,
    pub size: PoolSize,
    pub hours: PoolHours,
    pub leaving: Leaving,
    pub image: ImageId,
    pub vcpus: u32,
    pub memory_mib: u64,
    pub disk_gib: u64,
    pub network: Network,
    pub desktops_max: u32,
    pub keyboard: String,
    pub gpu: Option<GpuRequest>,
    pub hardware: Hardware,
    pub recording: RecordingPolicy,
    pub policy: SessionPolicy,
    /// Where it stands on a cloud: sizes, network, GPU and hardware are the usual ones then. It stays there.
    pub cloud: Option<CloudPlace>,
    /// A disk of each person's own for their home.
    pub personal_disk: Option<PoolDisk>,
}

/// What an admin changes, for desktops that are made from then on; `None` leaves it.
#[derive(Default)]
pub struct PoolChange {
    pub image: Option<ImageId>,
    pub vcpus: Option<u32>,
    pub memory_mib: Option<u64>,
    pub disk_gib: Option<u64>,
    pub desktops_max: Option<u32>,
    pub keyboard: Option<String>,
    /// `Some(None)` takes the GPU away.
    pub gpu: Option<Option<GpuRequest>>,
    /// As a whole; holds from each desktop's next start.
    pub hardware: Option<Hardware>,
    /// Holds for connections that are opened from then on.
    pub recording: Option<RecordingPolicy>,
    /// As a whole; holds for connections that are opened from then on.
    pub policy: Option<SessionPolicy>,
    /// As a whole.
    pub size: Option<PoolSize>,
    /// As a whole.
    pub hours: Option<PoolHours>,
    /// As a whole; holds for viewers that come from then on, and for desktops at once.
    pub leaving: Option<Leaving>,
    /// `Some(None)`: desktops that are made from then on take none. Disks stay.
    pub personal_disk: Option<Option<PoolDisk>>,
    /// Of a pool on a cloud: desktops that are there get it when they are resized, or made anew.
    pub flavor: Option<String>,
}

impl PoolChange {
    /// Whether it changes what only desktops of Oriel's making have.
    fn is_about_desktops(&self, kind: PoolKind) -> bool {
        self.image.is_some()
            || self.vcpus.is_some()
            || self.memory_mib.is_some()
            || self.disk_gib.is_some()
            || self.gpu.is_some()
            || self.hardware.is_some()
            // How many people come to others' session hosts is for the pool to say.
            || self.size.is_some() && kind != PoolKind::SessionHost
            || self.personal_disk.is_some()
            || self.flavor.is_some()
    }
}

const VCPUS_MAX: u32 = 256;
const MEMORY_MIB_MIN: u64 = 256;
const MEMORY_MIB_MAX: u64 = 4 << 20;
const DISK_GIB_MAX: u64 = 64 << 10;
pub(crate) const DESKTOPS_MAX: u32 = 1000;

impl Broker {
    pub async fn pools(&self) -> Result<Vec<Pool>, BrokerError> {
        Ok(self.inner.store.pools().await?)
    }

    /// By id or by name.
    pub async fn find_pool(&self, key: &str) -> Result<Pool, BrokerError> {
        let missing = || BrokerError::missing("pool", key);
        let found = match key.parse::<PoolId>() {
            Ok(id) => self.inner.store.pool(id).await?,
            Err(_) => self.inner.store.pool_by_name(&key.parse().map_err(|_| missing())?).await?,
        };
        found.ok_or_else(missing)
    }

    pub async fn create_pool(&self, new: NewPool) -> Result<Pool, BrokerError> {
        let pool = Pool {
            id: PoolId::new(),
            name: new.name,
            kind: new.kind,
            size: new.size,
            hours: new.hours,
            leaving: new.leaving,
            image: Some(new.image),
            vcpus: new.vcpus,
            memory_mib: new.memory_mib,
            disk_gib: new.disk_gib,
            network: new.network,
            desktops_max: new.desktops_max,
            keyboard: new.keyboard,
            gpu: new.gpu,
            hardware: new.hardware,
            recording: new.recording,
            policy: new.policy,
            cloud: new.cloud,
            personal_disk: new.personal_disk,
            created: now(),
        };
        self.check_pool(&pool).await?;
        self.inner.store.create_pool(&pool).await?;
        self.wake_pool(pool.id);
        Ok(pool)
    }

    pub async fn change_pool(&self, id: PoolId, change: PoolChange) -> Result<Pool, BrokerError> {
        let mut pool = self.inner.store.pool(id).await?.ok_or_else(|| BrokerError::missing("pool", id))?;
        if pool.is_external() && change.is_about_desktops(pool.kind) {
            return Err(BrokerError::invalid(
                "external_pool",
                format!("{} holds external machines: they have no image, size or GPU of Oriel's making", pool.name),
                "change only desktops_max, keyboard, recording, policy, hours and leaving",
            ));
        }
        if pool.cloud.is_some()
            && (change.vcpus.is_some()
                || change.memory_mib.is_some()
                || change.disk_gib.is_some()
                || change.gpu.is_some()
                || change.hardware.is_some())
        {
            return Err(BrokerError::invalid(
                "cloud_pool",
                format!("{} stands on a cloud: its flavor says what its desktops are made of", pool.name),
                "change its flavor, image, desktops_max, size, keyboard, recording or policy",
            ));
        }
        match (&mut pool.cloud, change.flavor) {
            (_, None) => {}
            (Some(place), Some(flavor)) => place.flavor = flavor,
            (None, Some(_)) => {
                return Err(BrokerError::invalid(
                    "no_cloud_pool",
                    format!("{} stands on no cloud: it has no flavor", pool.name),
                    "change its vcpus, memory_mib and disk_gib",
                ));
            }
        }
        let is_moved = change.image.is_some() && change.image != pool.image;
        pool.image = change.image.or(pool.image);
        pool.vcpus = change.vcpus.unwrap_or(pool.vcpus);
        pool.memory_mib = change.memory_mib.unwrap_or(pool.memory_mib);
        pool.disk_gib = change.disk_gib.unwrap_or(pool.disk_gib);
        pool.desktops_max = change.desktops_max.unwrap_or(pool.desktops_max);
        pool.keyboard = change.keyboard.unwrap_or(pool.keyboard);
        pool.gpu = change.gpu.unwrap_or(pool.gpu);
        pool.hardware = change.hardware.unwrap_or(pool.hardware);
        pool.recording = change.recording.unwrap_or(pool.recording);
        pool.policy = change.policy.unwrap_or(pool.policy);
        pool.size = change.size.unwrap_or(pool.size);
        pool.hours = change.hours.unwrap_or(pool.hours);
        pool.leaving = change.leaving.unwrap_or(pool.leaving);
        pool.personal_disk = change.personal_disk.unwrap_or(pool.personal_disk);
        self.check_pool(&pool).await?;
        if is_moved {
            self.check_no_rollout(&pool).await?;
            self.inner.store.update_pool(&pool).await?;
        } else {
            self.inner.store.update_pool_but_image(&pool).await?;
        }
        self.wake_pool(pool.id);
        Ok(pool)
    }

    pub async fn delete_pool(&self, id: PoolId) -> Result<(), BrokerError> {
        self.inner.store.delete_pool(id).await?;
        self.inner.store.end_maintenance(MaintenanceOf::Pool(id)).await?;
        Ok(())
    }

    /// What somebody may do on their connections to a desktop: what its pool says, but for what their groups say instead.
    pub async fn session_policy(&self, user: UserId, desktop: DesktopId) -> Result<SessionPolicy, BrokerError> {
        let pool = self.pool_of(desktop).await?;
        Ok(self.policy_of_groups(user).await?.over(&pool.policy))
    }

    /// What becomes of a connection to a desktop that nobody touches, by which hours, and since when nobody has, as far as is known.
    pub async fn leaving(&self, desktop: DesktopId) -> Result<(Leaving, PoolHours, Option<Micros>), BrokerError> {
        let (pool, touched) = (self.pool_of(desktop).await?, self.inner.store.touched(desktop).await?);
        Ok((pool.leaving, pool.hours, touched))
    }

    pub(crate) async fn pool_of(&self, desktop: DesktopId) -> Result<Pool, BrokerError> {
        let desktop =
            self.inner.store.desktop(desktop).await?.ok_or_else(|| BrokerError::missing("desktop", desktop))?;
        let pool = self.inner.store.pool(desktop.pool).await?;
        pool.ok_or_else(|| BrokerError::missing("pool", desktop.pool))
    }

    /// The image of a pool, which a pool keeps alive.
    pub async fn pool_image(&self, pool: &Pool) -> Result<Image, BrokerError> {
        let id = pool.image.ok_or_else(|| BrokerError::missing("image", format!("of {}", pool.name)))?;
        self.inner.store.image(id).await?.ok_or_else(|| BrokerError::missing("image", id))
    }

    pub async fn pool_users(&self, id: PoolId) -> Result<Vec<User>, BrokerError> {
        Ok(self.inner.store.pool_users(id).await?)
    }

    pub async fn entitle(&self, pool: PoolId, user: UserId) -> Result<(), BrokerError> {
        Ok(self.inner.store.entitle(pool, user).await?)
    }

    pub async fn unentitle(&self, pool: PoolId, user: UserId) -> Result<(), BrokerError> {
        let broker = self.clone();
        to_its_end(async move {
            broker.inner.store.unentitle(pool, user).await?;
            broker.end_what_is_over(Some(&[pool]), &[user]).await;
            Ok(())
        })
        .await
    }

    /// An image for other processors than the host's would start nothing; of an imported one nobody knows what it is for.
    /// A cloud says itself what its images are for.
    pub(crate) fn check_arch(&self, image: &Image, on_cloud: bool) -> Result<Arch, BrokerError> {
        let host = if on_cloud { Arch::X86_64 } else { self.inner.compute.arch() };
        let Some(recipe) = image.source.recipe() else { return Ok(host) };
        let made_for = oriel_image::recipe(recipe).ok().and_then(|recipe| Arch::named(&recipe.architecture));
        match made_for {
            Some(arch) if on_cloud => Ok(arch),
            Some(arch) if arch != host => Err(BrokerError::invalid(
                "other_architecture",
                format!(
                    "image {} is made for {}, and host {} runs {} machines",
                    image.name,
                    arch.word(),
                    self.inner.compute.name(),
                    host.word()
                ),
                format!("choose an image for {}", host.word()),
            )),
            _ => Ok(host),
        }
    }

    pub(crate) async fn check_pool(&self, pool: &Pool) -> Result<(), BrokerError> {
        let bad = |text: String, next: &str| Err(BrokerError::invalid("bad_pool", text, next));
        if pool.desktops_max > DESKTOPS_MAX {
            return bad(format!("a pool cannot hold {} desktops", pool.desktops_max), "choose at most 1000");
        }
        if let Err(error) = Keyboard::chosen(&pool.keyboard) {
            return bad(error.to_string(), "use a name like us, de or us(intl)");
        }
        if let Err(error) = pool.policy.check() {
            return bad(error, "leave the pool's `policy` out, or mend that part of it");
        }
        if let Err(error) = pool.leaving.check(&pool.hours) {
            return bad(error, "leave the pool's `leaving` out, or mend that part of it");
        }
        if pool.kind == PoolKind::SessionHost
            && (pool.leaving.times.shut_down_minutes.is_some()
                || pool.leaving.off_peak.is_some_and(|times| times.shut_down_minutes.is_some()))
        {
            return bad(
                format!(
                    "hosts of {} are nobody's: they are switched off when they are spare, and never for one person",
                    pool.name
                ),
                "leave `shut_down` out of the pool's `leaving`",
            );
        }
        if pool.is_external() {
            return Self::check_external_pool(pool);
        }
        if let Err(error) = pool.hours.check() {
            return bad(error, "leave the pool's `hours` out, or mend that part of them");
        }
        if let Err(error) = pool.check_size() {
            return bad(error, "leave the pool's `size` out, or mend that part of it and of `off_peak`");
        }
        self.check_pool_disk(pool).await?;
        let image = self.pool_image(pool).await?;
        if let Some(place) = &pool.cloud {
            if let Err(error) = place.check() {
                return bad(error, "use what `openstack flavor list` and `openstack network list` show");
            }
            if pool.gpu.is_some() {
                return bad(
                    "on a cloud the flavor says what a desktop gets of a GPU".to_owned(),
                    "leave the pool's `gpu` out, and choose a flavor that asks for one",
                );
            }
            self.cloud(place.cloud).await?;
            return Ok(());
        }
        let image_gib = image.virtual_bytes.div_ceil(1 << 30);
        if !(1..=VCPUS_MAX).contains(&pool.vcpus) {
            return bad(format!("a desktop cannot have {} virtual CPUs", pool.vcpus), "choose 1 to 256");
        }
        if !(MEMORY_MIB_MIN..=MEMORY_MIB_MAX).contains(&pool.memory_mib) {
            return bad(
                format!("a desktop cannot have {} MiB of memory", pool.memory_mib),
                "choose at least 256 MiB; 2048 is a good start",
            );
        }
        if pool.disk_gib < image_gib || pool.disk_gib > DISK_GIB_MAX {
            return bad(
                format!("a disk of {} GiB does not hold the image, which is {image_gib} GiB", pool.disk_gib),
                "choose a disk at least as large as the image",
            );
        }
        if let Some(Err(error)) = pool.gpu.as_ref().map(GpuRequest::check) {
            return bad(error, "the list of GPUs shows what the host's cards give");
        }
        if let Err(error) = pool.hardware.check(pool.memory_mib, pool.gpu.as_ref()) {
            return bad(error, "leave the pool's `hardware` out, or mend that part of it");
        }
        self.check_arch(&image, false)?;
        let named = match &pool.network {
            Network::User => None,
            Network::Nat { network } => Some(network),
            Network::Bridge { bridge } => Some(bridge),
        };
        if let Some(name) = named
            && (name.is_empty()
                || name.len() > NETWORK_NAME_BYTES_MAX
                || !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)))
        {
            return bad(
                format!("{name:?} cannot be a network's name"),
                "use the name that `virsh net-list` or `ip link` shows",
            );
        }
        Ok(())
    }

    /// What the rest of a pool may say whose machines are others'.
    fn check_external_pool(pool: &Pool) -> Result<(), BrokerError> {
        let bad = |text: String, next: &str| Err(BrokerError::invalid("bad_pool", text, next));
        let is_shared = pool.kind == PoolKind::SessionHost;
        let spares = pool.size.min > 0 || pool.size.running_spares > 0 || pool.size.stopped_spares > 0;
        if pool.hours.off_peak != OffPeak::default() || spares {
            return bad(
                format!("{} holds others' machines, of which nothing is kept ready", pool.name),
                "leave `off_peak` of its `hours` out, and spares of its `size`",
            );
        }
        if let Err(error) = pool.hours.check() {
            return bad(error, "leave the pool's `hours` out, or mend that part of them");
        }
        if is_shared && let Err(error) = pool.check_size() {
            return bad(error, "leave the pool's `size` out, or mend that part of it");
        }
        Ok(())
    }
}
