//! What desktops' volumes are cloned from: for each image a golden volume, which Cinder fills with it once, and its snapshot. Nova makes
//! a desktop's volume of the snapshot, in the call that makes its server, and deletes it with the server.
//!
//! Whose a golden volume is and what it holds say its metadata, which are written in the call that makes it: a lost answer leaves one
//! that is found again. Of twins the older is used and the younger deleted; one of an image that no pool uses any more is deleted. Where
//! the cloud makes no snapshots, or does not let us, Nova makes volumes of the image, as it does without any of this.

use super::{OpenStackCompute, groups::is_not_for_us};
use crate::ComputeError;
use oriel_model::{Finding, FindingEvidence, Severity};
use oriel_openstack::{ImageVolume, OpenStackError, Volume, VolumeSnapshot};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// In the metadata of golden volumes and their snapshots: whose they are.
const OF: &str = "oriel-of";
/// Of which of the cloud's images.
const IMAGE: &str = "oriel-image";
/// The type that was asked for; none: the project's usual one.
const TYPE: &str = "oriel-type";
/// A snapshot that was found is looked at again after so long: somebody may have deleted it.
const KNOWN: Duration = Duration::from_mins(5);
/// Where there can be none, it is tried again after so long.
const WITHOUT: Duration = Duration::from_hours(1);
/// A golden volume may take so long to be filled, in seconds: an image of tens of gigabytes on a slow store.
const FILLING_SECONDS_MAX: u64 = 3600;
/// What Cinder refuses to delete is asked for again after so long.
const REFUSED: Duration = Duration::from_mins(5);
const GIB: u64 = 1 << 30;
/// Cinder's words for what it deletes, and for what it could not delete.
const GOING: &str = "deleting";
const STUCK: &str = "error_deleting";
/// Longest piece of an image's name in another name, in characters: Cinder's names have 255.
const NAME_MAX: usize = 200;
const ABOUT: &str =
    "Made by Oriel: volumes of desktops are cloned from its snapshot. Oriel deletes it when no pool needs it.";

/// For which volumes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    /// The id of the cloud's image.
    image: String,
    kind: Option<String>,
    /// How large they are.
    gib: u64,
}

/// The snapshot's id, none where there can be none, and until when that holds.
type Known = BTreeMap<Wish, (Option<String>, Instant)>;

#[derive(Default)]
pub(super) struct Golden {
    /// Held while one is looked for, made or deleted: one at a time.
    known: tokio::sync::Mutex<Known>,
    tidied: Mutex<Tidied>,
}

#[derive(Default)]
struct Tidied {
    /// The images for which nothing was left over at the last look.
    keep: Option<BTreeSet<String>>,
    /// Not before.
    next: Option<Instant>,
}

impl Golden {
    fn tidied(&self) -> std::sync::MutexGuard<'_, Tidied> {
        self.tidied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was known: somebody may have deleted one.
    pub async fn forget(&self) {
        self.known.lock().await.clear();
    }
}

/// How far it is.
enum Progress {
    /// The snapshot's id.
    There(String),
    /// For so many seconds now.
    Underway(u64),
    /// Why there can be none.
    Never(String),
}

/// What became of something that nobody needs.
enum Discarded {
    /// It will go.
    Going,
    /// Cinder does not delete it as it is.
    Refused,
}

fn age_seconds(volume: &Volume) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let since = volume.created.and_then(|at| u64::try_from(at.as_second()).ok()).unwrap_or(now);
    now.saturating_sub(since)
}

fn is_failed(status: &str) -> bool {
    status.starts_with("error")
}

impl OpenStackCompute {
    /// The snapshot of which a volume of this size and type is cloned; none: it is made of the image.
    ///
    /// # Errors
    /// `CloudSlow` while it is being made.
    pub(super) async fn golden(
        &self,
        image: &str,
        kind: Option<&str>,
        gib: u64,
    ) -> Result<Option<String>, ComputeError> {
        let wish = Wish { image: image.to_owned(), kind: kind.map(str::to_owned), gib };
        let mut known = self.golden.known.lock().await;
        if let Some((snapshot, until)) = known.get(&wish)
            && Instant::now() < *until
        {
            return Ok(snapshot.clone());
        }
        known.retain(|_, (_, until)| Instant::now() < *until);
        // What is found or made from here on may be of no use tomorrow.
        self.golden.tidied().keep = None;
        let (snapshot, good_for) = match self.make_golden(&wish).await {
            Ok(Progress::There(id)) => (Some(id), KNOWN),
            Ok(Progress::Underway(seconds)) => {
                return Err(ComputeError::CloudSlow {
                    cloud: self.config.name.clone(),
                    action: "made the snapshot that desktops' volumes are cloned from",
                    seconds,
                });
            }
            Ok(Progress::Never(why)) => {
                self.without(image, &why);
                (None, WITHOUT)
            }
            Err(error) if is_not_for_us(&error) || error.is_over_quota() => {
                self.without(image, &error.to_string());
                (None, WITHOUT)
            }
            Err(error) => return Err(self.failed(error)),
        };
        known.insert(wish, (snapshot.clone(), Instant::now() + good_for));
        Ok(snapshot)
    }

    fn without(&self, image: &str, why: &str) {
        tracing::warn!(
            cloud = self.config.name,
            image,
            why,
            "There is no snapshot to clone volumes from; each desktop's is made of the image"
        );
    }

    fn golden_of(&self, wish: &Wish) -> BTreeMap<String, String> {
        let mut metadata =
            BTreeMap::from([(OF.to_owned(), self.config.installation.clone()), (IMAGE.to_owned(), wish.image.clone())]);
        if let Some(kind) = &wish.kind {
            metadata.insert(TYPE.to_owned(), kind.clone());
        }
        metadata
    }

    /// Ours, the oldest first.
    async fn golden_volumes(&self) -> Result<Vec<Volume>, OpenStackError> {
        let mut all = self.client.volumes_with(OF, &self.config.installation).await?;
        all.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        Ok(all)
    }

    fn is_ours(&self, snapshot: &VolumeSnapshot) -> bool {
        snapshot.metadata.get(OF) == Some(&self.config.installation)
    }

    /// One step on the way, or what is there already.
    async fn make_golden(&self, wish: &Wish) -> Result<Progress, OpenStackError> {
        let holds = |one: &Volume| {
            // One that goes may take its time, or for ever.
            !matches!(one.status.as_str(), GOING | STUCK)
                && one.metadata.get(IMAGE) == Some(&wish.image)
                && one.metadata.get(TYPE) == wish.kind.as_ref()
                && one.gib <= wish.gib
        };
        let Some(volume) = self.golden_volumes().await?.into_iter().find(holds) else { return self.fill(wish).await };
        let age = age_seconds(&volume);
        match volume.status.as_str() {
            "creating" | "downloading" if age > FILLING_SECONDS_MAX => {
                return Ok(Progress::Never(format!("Cinder has not filled volume {} after {age} s", volume.id)));
            }
            "creating" | "downloading" => return Ok(Progress::Underway(age)),
            status if is_failed(status) => {
                return Ok(Progress::Never(format!(
                    "Cinder could not fill volume {}: it is {status}, and its admins see why in Cinder's log",
                    volume.id
                )));
            }
            _ => {}
        }
        let mut snapshots = self.client.volume_snapshots(Some(&volume.id)).await?;
        snapshots.retain(|one| self.is_ours(one));
        if let Some(there) = snapshots.iter().find(|one| one.status == "available") {
            return Ok(Progress::There(there.id.clone()));
        }
        match snapshots.first() {
            Some(failed) if is_failed(&failed.status) => Ok(Progress::Never(format!(
                "Cinder could not make a snapshot of volume {}: {} is {}; does its store make any?",
                volume.id, failed.id, failed.status
            ))),
            Some(_) if age > FILLING_SECONDS_MAX => {
                Ok(Progress::Never(format!("Cinder has no snapshot of volume {} after {age} s", volume.id)))
            }
            Some(_) => Ok(Progress::Underway(age)),
            None => {
                let name = volume.name.as_deref().unwrap_or_default();
                match self.client.create_volume_snapshot(name, &volume.id, &self.golden_of(wish)).await {
                    Ok(_) => Ok(Progress::Underway(age)),
                    // Somebody has just deleted the volume: the next look makes another.
                    Err(error) if error.is_gone() => Ok(Progress::Underway(age)),
                    Err(error) if error.status() == Some(400) => Ok(Progress::Never(error.to_string())),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// As large as what the image holds, where Glance says how large that is: smaller ones are cloned faster, and larger ones grow.
    async fn fill(&self, wish: &Wish) -> Result<Progress, OpenStackError> {
        let image = self.client.image(&wish.image).await?;
        let gib = image.disk_bytes.map_or(wish.gib, |bytes| bytes.div_ceil(GIB).max(image.min_disk_gib).max(1));
        if gib > wish.gib {
            return Ok(Progress::Never(format!(
                "the image holds a disk of {gib} GiB, and desktops' volumes have {} GiB",
                wish.gib
            )));
        }
        // Filled for nothing, it would be deleted again, each time.
        if self.client.volume_quotas().await.is_ok_and(|quotas| quotas.snapshots.free() == Some(0)) {
            return Ok(Progress::Never("the project's quota has no more snapshots of volumes".to_owned()));
        }
        let name: String = image.name.chars().take(NAME_MAX).collect();
        let new = ImageVolume {
            name: format!("golden {name}"),
            about: ABOUT.to_owned(),
            image: wish.image.clone(),
            gib,
            kind: wish.kind.clone(),
            metadata: self.golden_of(wish),
        };
        match self.client.create_volume(&new).await {
            Ok(made) => {
                tracing::info!(
                    cloud = self.config.name,
                    volume = made.id,
                    image = image.name,
                    gib,
                    "A golden volume is being filled"
                );
                Ok(Progress::Underway(0))
            }
            // No such type, or the image does not fit: Nova says the same of what is made of the image.
            Err(error) if error.status() == Some(400) => Ok(Progress::Never(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// Deletes golden volumes and snapshots of other images than these, twins, and those that came to nothing. `false`: something of
    /// them is still there.
    pub(super) async fn tidy_golden(&self, keep: &BTreeSet<String>) -> Result<bool, ComputeError> {
        let mut known = self.golden.known.lock().await;
        {
            let tidied = self.golden.tidied();
            if tidied.keep.as_ref() == Some(keep) {
                return Ok(true);
            }
            if tidied.next.is_some_and(|next| Instant::now() < next) {
                return Ok(false);
            }
        }
        let failed = |error| self.failed(error);
        let volumes = match self.golden_volumes().await {
            // There is no Cinder, or not for us: nothing of ours can be there.
            Err(error) if is_not_for_us(&error) => Vec::new(),
            volumes => volumes.map_err(failed)?,
        };
        let mut there = BTreeSet::new();
        let (mut is_done, mut was_refused) = (true, false);
        for volume in volumes {
            // It is nobody's twin.
            if volume.status == GOING {
                is_done = false;
                continue;
            }
            let (image, kind) = (volume.metadata.get(IMAGE), volume.metadata.get(TYPE));
            let came_to_nothing = known.iter().any(|(wish, (snapshot, _))| {
                let is_its = Some(&wish.image) == image && wish.kind.as_ref() == kind && volume.gib <= wish.gib;
                snapshot.is_none() && is_its
            });
            let is_wanted =
                image.is_some_and(|image| keep.contains(image)) && !came_to_nothing && volume.status != STUCK;
            if is_wanted && there.insert((image.cloned(), kind.cloned(), volume.gib)) {
                continue;
            }
            is_done = false;
            let discarded = self.discard(&volume, &mut known).await.map_err(failed)?;
            was_refused |= matches!(discarded, Discarded::Refused);
        }
        let mut tidied = self.golden.tidied();
        tidied.keep = is_done.then(|| keep.clone());
        tidied.next = was_refused.then(|| Instant::now() + REFUSED);
        Ok(is_done)
    }

    /// Its snapshots first; the volume when they are gone.
    async fn discard(&self, volume: &Volume, known: &mut Known) -> Result<Discarded, OpenStackError> {
        // Cinder says 400 of what does something else, or is needed by others, and stores say 409.
        let refused = |done: Result<(), OpenStackError>| match done {
            Ok(()) => Ok(Discarded::Going),
            Err(error) if matches!(error.status(), Some(400 | 409)) => {
                tracing::debug!(cloud = self.config.name, volume = volume.id, %error, "A golden volume cannot go yet");
                Ok(Discarded::Refused)
            }
            Err(error) => Err(error),
        };
        let snapshots = self.client.volume_snapshots(Some(&volume.id)).await?;
        known.retain(|_, (id, _)| !snapshots.iter().any(|one| id.as_ref() == Some(&one.id)));
        let mut outcome = Discarded::Going;
        for snapshot in &snapshots {
            if !self.is_ours(snapshot) {
                // Somebody has made it, and the volume stays as long as it does.
                outcome = Discarded::Refused;
            } else if snapshot.status != GOING {
                let asked = refused(self.client.delete_volume_snapshot(&snapshot.id).await)?;
                if matches!(asked, Discarded::Refused) || snapshot.status == STUCK {
                    outcome = Discarded::Refused;
                }
            }
        }
        if !snapshots.is_empty() {
            return Ok(outcome);
        }
        tracing::info!(
            cloud = self.config.name,
            volume = volume.id,
            "A golden volume that no pool needs is being deleted"
        );
        let asked = refused(self.client.delete_volume(&volume.id).await)?;
        // It takes the order, and fails again: not at each look.
        Ok(if volume.status == STUCK { Discarded::Refused } else { asked })
    }

    /// For the doctor: they are counted against the quotas, and cost what the cloud asks.
    pub(super) async fn golden_finding(&self) -> Option<Finding> {
        let looked = async {
            let volumes = self.golden_volumes().await?;
            if volumes.is_empty() {
                return Ok(None);
            }
            let mut snapshots = self.client.volume_snapshots(None).await?;
            snapshots.retain(|one| self.is_ours(one));
            Ok::<_, OpenStackError>(Some((volumes, snapshots)))
        };
        let mut evidence = Vec::new();
        let (severity, reason, fix) = match looked.await {
            Ok(None) => return None,
            Err(error) if is_not_for_us(&error) => return None,
            Err(error) => (Severity::Warning, error.to_string(), "the log of cinder-api says why"),
            Ok(Some((volumes, snapshots))) => {
                let failed = volumes.iter().filter(|one| is_failed(&one.status)).count()
                    + snapshots.iter().filter(|one| is_failed(&one.status)).count();
                let gib = volumes.iter().fold(0_u64, |sum, one| sum.saturating_add(one.gib));
                evidence = volumes
                    .iter()
                    .take(20)
                    .map(|one| FindingEvidence {
                        path: one.id.clone(),
                        content: format!(
                            "{}, {} GiB, {}",
                            one.name.as_deref().unwrap_or_default(),
                            one.gib,
                            one.status
                        ),
                    })
                    .collect();
                let counts =
                    format!("{} golden volumes ({gib} GiB) and {} snapshots of them", volumes.len(), snapshots.len());
                if failed == 0 {
                    (Severity::Ok, format!("{counts}: desktops' volumes are cloned from these"), "")
                } else {
                    (
                        Severity::Warning,
                        format!("{counts}, of which {failed} are in error: desktops' volumes are made of the image"),
                        "openstack volume list --property oriel-of=…   # its admins see why in Cinder's log",
                    )
                }
            }
        };
        Some(Finding {
            id: "golden-volumes".to_owned(),
            severity,
            subject: self.config.name.clone(),
            evidence,
            reason,
            fix: fix.to_owned(),
            source: "https://docs.openstack.org/api-ref/block-storage/v3/#volume-snapshots-snapshots".to_owned(),
        })
    }
}
