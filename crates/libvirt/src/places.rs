//! Where the files of desktops lie.

use oriel_compute::ComputeError;
use oriel_model::{DesktopId, PersonalDiskId};
use std::{
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Most entries of a folder that are looked at.
const ENTRIES_MAX: usize = 100_000;

#[derive(Clone, Debug)]
pub(super) struct Layout {
    home: PathBuf,
    desktops: PathBuf,
    /// Images for drives, a folder for each desktop.
    media: PathBuf,
    personal_disks: PathBuf,
    run: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Disk,
    Seed,
    Serial,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Disk, Self::Seed, Self::Serial];

    const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Disk => ("disk-", ".qcow2"),
            Self::Seed => ("seed-", ".iso"),
            Self::Serial => ("serial-", ".log"),
        }
    }
}

/// A file of ours, or with neither generation nor kind: a folder of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) desktop: DesktopId,
    pub(super) generation: Option<u32>,
    pub(super) kind: Option<Kind>,
}

impl Layout {
    pub(super) fn new(data: &Path, run: &Path) -> Self {
        let home = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
        Self {
            desktops: home.join("desktops"),
            media: home.join("media"),
            personal_disks: home.join("personal-disks"),
            home,
            run: run.to_owned(),
        }
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    fn desktop_folder(&self, desktop: DesktopId) -> PathBuf {
        self.desktops.join(desktop.to_string())
    }

    pub(super) fn media_folder(&self, desktop: DesktopId) -> PathBuf {
        self.media.join(desktop.to_string())
    }

    pub(super) fn personal_disk(&self, disk: PersonalDiskId) -> PathBuf {
        self.personal_disks.join(format!("{disk}.qcow2"))
    }

    /// Where a copy of it lies.
    pub(super) fn disk_export(&self, disk: PersonalDiskId) -> PathBuf {
        self.personal_disks.join(format!("{disk}.export"))
    }

    /// QEMU's user may pass through, but not look around.
    pub(super) fn make_personal_disks_folder(&self) -> Result<(), ComputeError> {
        make_folder(&self.personal_disks, 0o711)
    }

    pub(super) fn run_folder(&self, desktop: DesktopId) -> PathBuf {
        self.run.join(desktop.to_string())
    }

    pub(super) fn file(&self, desktop: DesktopId, generation: u32, kind: Kind) -> PathBuf {
        let (before, after) = kind.parts();
        self.desktop_folder(desktop).join(format!("{before}{generation}{after}"))
    }

    pub(super) fn network_socket(&self, desktop: DesktopId) -> PathBuf {
        self.run_folder(desktop).join("net")
    }

    /// QEMU's user may pass through, but not look around.
    pub(super) fn make_desktop_folder(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        for folder in [self.desktops.clone(), self.desktop_folder(desktop)] {
            make_folder(&folder, 0o711)?;
        }
        Ok(())
    }

    pub(super) fn make_run_folder(&self, desktop: DesktopId) -> Result<PathBuf, ComputeError> {
        make_folder(&self.run, 0o711)?;
        let folder = self.run_folder(desktop);
        make_folder(&folder, 0o700)?;
        Ok(folder)
    }

    pub(super) fn scan(&self) -> Result<Vec<Found>, ComputeError> {
        let mut found = Vec::new();
        for (root, files) in [(&self.desktops, true), (&self.media, false), (&self.run, false)] {
            for name in names(root)? {
                let Ok(desktop) = name.parse::<DesktopId>() else { continue };
                found.push(Found { desktop, generation: None, kind: None });
                if files {
                    found.extend(names(&root.join(&name))?.iter().filter_map(|file| parse(desktop, file)));
                }
            }
        }
        Ok(found)
    }

    /// Removes the files of all generations but one; with none kept, the folders too. Images for the drive are of whoever had the
    /// desktop before.
    pub(super) fn remove(&self, desktop: DesktopId, keep_generation: Option<u32>) -> Result<(), ComputeError> {
        remove_folder(&self.media_folder(desktop))?;
        if keep_generation.is_none() {
            remove_folder(&self.desktop_folder(desktop))?;
            return remove_folder(&self.run_folder(desktop));
        }
        let folder = self.desktop_folder(desktop);
        for name in names(&folder)? {
            if parse(desktop, &name).is_none_or(|found| found.generation != keep_generation) {
                let path = folder.join(&name);
                std::fs::remove_file(&path).or_else(fine_when_missing).map_err(ComputeError::file("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// `disk-3.qcow2`; libvirt's log keeper adds `.0`, `.1` to old serial logs, which belong to their generation too.
fn parse(desktop: DesktopId, name: &str) -> Option<Found> {
    Kind::ALL.into_iter().find_map(|kind| {
        let (before, after) = kind.parts();
        let (number, rest) = name.strip_prefix(before)?.split_once('.')?;
        let known = rest == after.trim_start_matches('.') || kind == Kind::Serial;
        Some(Found { desktop, generation: Some(number.parse().ok()?), kind: Some(kind) }).filter(|_| known)
    })
}

fn names(folder: &Path) -> Result<Vec<String>, ComputeError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(ComputeError::file("look into", folder)(error)),
    };
    Ok(entries.take(ENTRIES_MAX).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
}

fn make_folder(folder: &Path, mode: u32) -> Result<(), ComputeError> {
    std::fs::create_dir_all(folder).map_err(ComputeError::file("make the folder", folder))?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode))
        .map_err(ComputeError::file("set the permissions of", folder))
}

fn remove_folder(folder: &Path) -> Result<(), ComputeError> {
    std::fs::remove_dir_all(folder).or_else(fine_when_missing).map_err(ComputeError::file("remove", folder))
}

fn fine_when_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_one_generation_and_then_nothing() {
        let data = tempfile::tempdir().unwrap();
        let layout = Layout::new(data.path(), &data.path().join("run"));
        let desktop = DesktopId::new();
        layout.make_desktop_folder(desktop).unwrap();
        layout.make_run_folder(desktop).unwrap();
        for generation in [1, 2] {
            for kind in Kind::ALL {
                std::fs::write(layout.file(desktop, generation, kind), "").unwrap();
            }
        }
        std::fs::write(layout.desktop_folder(desktop).join("serial-1.log.0"), "").unwrap();
        std::fs::write(layout.desktop_folder(desktop).join("disk-2.qcow2.part"), "").unwrap();
        std::fs::create_dir_all(data.path().join("desktops/not-ours")).unwrap();
        std::fs::create_dir_all(layout.media_folder(desktop)).unwrap();
        std::fs::write(layout.media_folder(desktop).join("a.iso"), "").unwrap();
        layout.remove(desktop, Some(2)).unwrap();
        assert!(!layout.media_folder(desktop).exists());
        let mut left = names(&layout.desktop_folder(desktop)).unwrap();
        left.sort();
        assert_eq!(left, ["disk-2.qcow2", "seed-2.iso", "serial-2.log"]);
        assert!(layout.scan().unwrap().contains(&Found { desktop, generation: Some(2), kind: Some(Kind::Disk) }));
        layout.remove(desktop, None).unwrap();
        layout.remove(desktop, None).unwrap();
        assert_eq!(layout.scan().unwrap(), []);
        assert!(data.path().join("desktops/not-ours").exists());
    }
}
