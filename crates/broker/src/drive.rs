//! CD images for desktops' drives. They lie on the host, a folder for each desktop, and go with its generation: whoever gets the
//! desktop next finds none of them.

use crate::{Broker, BrokerError};
use oriel_compute::{Compute, ComputeError, machine_facts};
use oriel_model::Desktop;
use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};
use tokio::io::AsyncWriteExt as _;

/// Most bytes of all images of one desktop, and most of them.
pub const DRIVE_BYTES_MAX: u64 = 16 << 30;
pub const DRIVE_IMAGES_MAX: usize = 16;
/// What stays free on the host, in bytes: disks of desktops grow.
const FREE_BYTES_MIN: u64 = 2 << 30;
const NAME_BYTES_MAX: usize = 200;
/// Entries of a folder that are looked at.
const ENTRIES_MAX: usize = 1000;
/// How much of an image's beginning is looked at, in bytes.
const HEAD_BYTES: u64 = 1 << 20;
/// Where an ISO 9660 says that it is one (ECMA-119 §8.4: the first descriptor's second to sixth byte, in sector 16).
const ISO_MARK: (usize, &[u8]) = (0x8001, b"CD001");
/// Volumes by these names are what desktops set themselves up from when they start, as root.
const SEEDS: [&str; 2] = ["cidata", "config-2"];

/// A desktop's drive, and what can be put into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesktopDrive {
    /// What is in it, by name.
    pub inside: Option<String>,
    /// By name.
    pub images: Vec<DriveImage>,
    /// The desktop starts from it when it starts next.
    pub starts: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveImage {
    pub name: String,
    pub bytes: u64,
    /// Seconds since 1970.
    pub changed: u64,
    /// All of it has arrived.
    pub complete: bool,
}

/// A piece of an image that is being written. What has arrived stays when it is dropped.
pub struct DriveUpload {
    file: tokio::fs::File,
    part: PathBuf,
    whole: PathBuf,
    at: u64,
    size: u64,
}

/// A file of the folder itself, and none that is hidden.
fn checked(name: &str) -> Result<&str, BrokerError> {
    let plain = !name.starts_with('.') && !name.contains('/') && !name.chars().any(char::is_control);
    if plain && (1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Ok(name);
    }
    Err(BrokerError::invalid(
        "image_name",
        format!("an image's name has 1 to {NAME_BYTES_MAX} bytes, no slashes, and no dot in front"),
        "give it another name",
    ))
}

fn part_of(name: &str) -> String {
    format!(".{name}.part")
}

fn failed(action: &str, path: &Path) -> impl FnOnce(io::Error) -> BrokerError + use<> {
    let what = format!("cannot {action} {}", path.display());
    move |error| BrokerError::internal(&what, error)
}

/// What a host cannot do is said to whoever asked.
fn said(error: ComputeError) -> BrokerError {
    match error {
        ComputeError::NoDrives { .. } | ComputeError::NoDriveYet | ComputeError::NoMachine => {
            let text = error.to_string();
            let (text, next_step) = text.split_once("; ").unwrap_or((&text, "use a desktop on a host of ours"));
            BrokerError::conflict("no_drive", text, next_step)
        }
        error => error.into(),
    }
}

fn list(folder: &Path) -> Result<Vec<DriveImage>, BrokerError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("look into", folder)(error)),
    };
    let mut images = Vec::new();
    for entry in entries.flatten().take(ENTRIES_MAX) {
        let (Ok(name), Ok(meta)) = (entry.file_name().into_string(), entry.metadata()) else { continue };
        let part = name.strip_prefix('.').and_then(|name| name.strip_suffix(".part")).map(str::to_owned);
        let (name, complete) = part.map_or((name, true), |name| (name, false));
        if meta.is_file() && checked(&name).is_ok() {
            let changed = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            images.push(DriveImage { name, bytes: meta.len(), changed: changed.as_secs(), complete });
        }
    }
    images.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(images)
}

/// QEMU's user may pass through, and nobody looks around.
fn make(folder: &Path) -> Result<(), BrokerError> {
    fs::create_dir_all(folder).map_err(failed("make the folder", folder))?;
    for folder in folder.parent().into_iter().chain([folder]) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711))
            .map_err(failed("set the permissions of", folder))?;
    }
    Ok(())
}

/// Opens what has arrived of an image, and keeps others from it until the file is closed: nobody else writes, names or removes it.
/// None where nothing is and nothing shall be made.
fn hold(options: &fs::OpenOptions, part: &Path, name: &str) -> Result<Option<File>, BrokerError> {
    let busy = || {
        BrokerError::conflict(
            "image_on_its_way",
            format!("a piece of {name:?} is being written"),
            "wait for it, ask how much has arrived, and go on there",
        )
    };
    let file = match options.open(part) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("write", part)(error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy()),
        Err(TryLockError::Error(error)) => return Err(failed("lock", part)(error)),
    }
    // Before it was held it may have been removed, or got its name: then this is not what lies there now.
    let held = file.metadata().map_err(failed("look at", part))?;
    let is_there = fs::metadata(part).is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino()));
    if is_there { Ok(Some(file)) } else { Err(busy()) }
}

/// Opens an image that is not whole yet, to go on at `offset`.
fn open(folder: &Path, name: &str, offset: u64, size: u64) -> Result<(File, PathBuf), BrokerError> {
    let exists = || {
        BrokerError::conflict(
            "image_exists",
            format!("there is an image {name:?} for this drive already"),
            "remove it first, or give this one another name",
        )
    };
    let images = list(folder)?;
    if images.iter().any(|image| image.complete && image.name == name) {
        return Err(exists());
    }
    let others: Vec<&DriveImage> = images.iter().filter(|image| image.name != name).collect();
    let taken = others.iter().fold(0u64, |sum, image| sum.saturating_add(image.bytes));
    if others.len() >= DRIVE_IMAGES_MAX || size > DRIVE_BYTES_MAX.saturating_sub(taken) {
        return Err(BrokerError::conflict(
            "drive_full",
            format!(
                "a desktop's drive has at most {DRIVE_IMAGES_MAX} images of {} GiB together, and there are {} of {} MiB",
                DRIVE_BYTES_MAX >> 30,
                others.len(),
                taken >> 20
            ),
            "remove images that are not needed",
        ));
    }
    make(folder)?;
    let free = machine_facts(folder).free_disk_bytes;
    if size.saturating_sub(offset).saturating_add(FREE_BYTES_MIN) > free {
        return Err(BrokerError::conflict(
            "drive_full",
            format!("the host has {} MiB left, and {} MiB of them stay free", free >> 20, FREE_BYTES_MIN >> 20),
            "send a smaller image, or ask an administrator for room",
        ));
    }
    let part = folder.join(part_of(name));
    let held = hold(fs::OpenOptions::new().append(true).create(true).mode(0o600), &part, name)?;
    let file = held.ok_or_else(|| failed("write", &part)(ErrorKind::NotFound.into()))?;
    // It may have become whole since the look above, by somebody else.
    if folder.join(name).exists() {
        fs::remove_file(&part).ok();
        return Err(exists());
    }
    let arrived = file.metadata().map_err(failed("look at", &part))?.len();
    if offset == 0 {
        // From the beginning.
        file.set_len(0).map_err(failed("write", &part))?;
    } else if offset != arrived {
        return Err(BrokerError::conflict(
            "bytes_missing",
            format!("{arrived} bytes of {name:?} have arrived, and the piece begins at {offset}"),
            "ask how much has arrived, and go on there",
        ));
    }
    Ok((file, part))
}

/// A guest's CD drive takes ISO 9660, and none that its system would set itself up from.
fn check_content(path: &Path) -> Result<(), BrokerError> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.map_err(failed("read", path))?;
    let (at, mark) = ISO_MARK;
    if head.get(at..at + mark.len()) != Some(mark) {
        return Err(BrokerError::invalid(
            "not_a_cd",
            "it is no CD image: there is no ISO 9660 in it",
            "make one: xorriso -as mkisofs -J -R -o IMAGE.iso FOLDER",
        ));
    }
    head.make_ascii_lowercase();
    // As they stand, and with two bytes a letter (Joliet, UDF).
    let wide = |word: &str| word.bytes().flat_map(|byte| [byte, 0]).take(word.len() * 2 - 1).collect::<Vec<u8>>();
    let has = |word: &[u8]| head.windows(word.len()).any(|window| window == word);
    if SEEDS.iter().any(|&word| has(word.as_bytes()) || has(&wide(word))) {
        return Err(BrokerError::invalid(
            "seed_image",
            "desktops would set themselves up from this image, as root: it is named like a seed of cloud-init",
            "name its volume otherwise than cidata and config-2",
        ));
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BrokerError> + Send + 'static,
) -> Result<T, BrokerError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| BrokerError::internal("looking after images", error))?
}

impl DriveUpload {
    /// How much has arrived, in bytes.
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// # Errors
    /// `Internal` when the file cannot be written.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), BrokerError> {
        self.file.write_all(bytes).await.map_err(failed("write", &self.part))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Makes sure that what has arrived is there; one that is whole gets its name. Answers whether it is.
    ///
    /// # Errors
    /// `Internal` when the file cannot be written.
    pub async fn settle(mut self) -> Result<bool, BrokerError> {
        self.file.flush().await.map_err(failed("write", &self.part))?;
        let complete = self.at == self.size;
        if complete {
            self.file.sync_all().await.map_err(failed("write", &self.part))?;
            tokio::fs::rename(&self.part, &self.whole).await.map_err(failed("rename", &self.part))?;
        }
        Ok(complete)
    }
}

impl Broker {
    async fn drive_of(&self, desktop: &Desktop) -> Result<(Arc<dyn Compute>, PathBuf), BrokerError> {
        if desktop.external.is_some() {
            return Err(BrokerError::conflict(
                "no_drive",
                format!("{} is an external machine: Oriel has no drive of it", desktop.name),
                "put the image in where it stands",
            ));
        }
        // What one of many puts in, all of them see.
        if desktop.owner.is_none() && self.is_session_host(desktop.pool).await? {
            return Err(BrokerError::conflict(
                "no_drive",
                format!("{} is shared by many people: nobody has a drive of it", desktop.name),
                "bring files with the session's own folder",
            ));
        }
        if desktop.host.is_none() {
            return Err(said(ComputeError::NoMachine));
        }
        let host = self.host_of(desktop).await?;
        let folder = host.media_folder(desktop.id);
        let folder = folder.ok_or_else(|| said(ComputeError::NoDrives { host: host.name().to_owned() }))?;
        Ok((host, folder))
    }

    /// What is in a desktop's drive, and what can be put into it.
    ///
    /// # Errors
    /// Conflict `no_drive`; `Compute` when the host does not say.
    pub async fn drive(&self, desktop: &Desktop) -> Result<DesktopDrive, BrokerError> {
        let (host, folder) = self.drive_of(desktop).await?;
        let inside = host.media(desktop.id).await.map_err(said)?;
        let inside = inside.and_then(|file| file.file_name()?.to_str().map(str::to_owned));
        let images = blocking(move || list(&folder)).await?;
        Ok(DesktopDrive { inside, images, starts: desktop.facts.from_drive })
    }

    /// Begins a piece of an image of `size` bytes, at `offset` of it: 0 begins anew.
    ///
    /// # Errors
    /// Invalid `image_name`, `image_size`; conflicts `no_drive`, `image_exists`, `drive_full`, `image_on_its_way`, `bytes_missing`.
    pub async fn drive_upload(
        &self,
        desktop: &Desktop,
        name: &str,
        offset: u64,
        size: u64,
    ) -> Result<DriveUpload, BrokerError> {
        let name = checked(name)?.to_owned();
        if size == 0 || offset > size {
            return Err(BrokerError::invalid(
                "image_size",
                format!("the piece begins at {offset}, and the image has {size} bytes"),
                "say how large the image is, and ask how much has arrived",
            ));
        }
        let (_, folder) = self.drive_of(desktop).await?;
        let whole = folder.join(&name);
        let (file, part) = blocking(move || open(&folder, &name, offset, size)).await?;
        Ok(DriveUpload { file: tokio::fs::File::from_std(file), part, whole, at: offset, size })
    }

    /// Removes an image, or what has arrived of one.
    ///
    /// # Errors
    /// `Missing`; conflicts `no_drive`, `image_in_drive`, `image_on_its_way`.
    pub async fn drive_remove(&self, desktop: &Desktop, name: &str) -> Result<(), BrokerError> {
        let name = checked(name)?.to_owned();
        let (host, folder) = self.drive_of(desktop).await?;
        let file = folder.join(&name);
        if host.media(desktop.id).await.map_err(said)?.as_ref() == Some(&file) {
            return Err(BrokerError::conflict(
                "image_in_drive",
                format!("{name:?} is in the drive"),
                "take it out first",
            ));
        }
        blocking(move || {
            let mut found = false;
            let part = folder.join(part_of(&name));
            // A piece that begins meanwhile, where none was, is another's.
            let held = hold(fs::OpenOptions::new().append(true), &part, &name)?;
            for path in [Some(file), held.is_some().then_some(part)].into_iter().flatten() {
                match fs::remove_file(&path) {
                    Ok(()) => found = true,
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(failed("remove", &path)(error)),
                }
            }
            if found { Ok(()) } else { Err(BrokerError::missing("image", name)) }
        })
        .await
    }

    /// Has a desktop start from the CD in its drive, when it starts next and not again; `false` takes that back.
    ///
    /// # Errors
    /// Conflicts `no_drive`, `drive_empty`; `Compute` when the host does not say.
    pub async fn drive_start(&self, desktop: &Desktop, from_it: bool) -> Result<DesktopDrive, BrokerError> {
        let (host, _) = self.drive_of(desktop).await?;
        if from_it && host.media(desktop.id).await.map_err(said)?.is_none() {
            return Err(BrokerError::conflict(
                "drive_empty",
                format!("nothing is in the drive of {} that it could start from", desktop.name),
                "put a CD image into it first",
            ));
        }
        tracing::info!(desktop = %desktop.name, from_it, "What a desktop starts from next is changed");
        let after = self.inner.store.modify_desktop(desktop.id, |row| row.facts.from_drive = from_it).await?;
        self.drive(&after).await
    }

    /// Puts one of its images into a desktop's drive, or takes out what is in it.
    ///
    /// # Errors
    /// `Missing`; invalid `not_a_cd`, `seed_image`; conflict `no_drive`; `Compute` when the host refuses.
    pub async fn drive_insert(&self, desktop: &Desktop, name: Option<&str>) -> Result<(), BrokerError> {
        let (host, folder) = self.drive_of(desktop).await?;
        let medium = match name {
            None => None,
            Some(name) => {
                let (name, file) = (checked(name)?.to_owned(), folder.join(name));
                let path = file.clone();
                blocking(move || {
                    // Neither a link nor a folder, whoever put it there.
                    if !fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file()) {
                        return Err(BrokerError::missing("image", name));
                    }
                    check_content(&path)
                })
                .await?;
                Some(file)
            }
        };
        host.insert_media(desktop.id, medium.as_deref()).await.map_err(said)
    }
}
