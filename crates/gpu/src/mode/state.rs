//! What is kept between runs: the wished modes, the journal of a switch that is under way, and the locks.
//!
//! ```text
//!  STATE/modes.json          wishes by address
//!  STATE/journal/GPU.json    a switch that has begun and not ended
//!  STATE/locks/GPU           held while somebody switches it (flock: ends with its holder)
//! ```

use super::Wish;
use oriel_model::GpuAddress;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Most bytes of a file of ours.
const FILE_MAX: u64 = 4 << 20;

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("{path} cannot be used: {source}; name another folder with --state DIR, or run as root")]
    Use { path: String, source: io::Error },
    #[error("{path} is damaged: {reason}; look at it, then remove it")]
    Damaged { path: String, reason: String },
    #[error("{gpu} is being switched by another program; wait for it")]
    Busy { gpu: GpuAddress },
}

/// The folder of all that.
#[derive(Clone, Debug)]
pub struct StateFolder {
    path: PathBuf,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Modes {
    #[serde(default)]
    wishes: BTreeMap<String, Wish>,
}

/// Held while a GPU is switched.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl StateFolder {
    /// The folder, made when it is not there.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StateError> {
        let path = path.into();
        for below in ["journal", "locks"] {
            let folder = path.join(below);
            fs::create_dir_all(&folder).map_err(|source| cannot(&folder, source))?;
        }
        Ok(Self { path })
    }

    /// The file of the wishes.
    pub fn wishes_path(&self) -> PathBuf {
        self.path.join("modes.json")
    }

    /// What is wished, by address.
    pub fn wishes(&self) -> Result<Vec<Wish>, StateError> {
        Ok(self.modes()?.wishes.into_values().collect())
    }

    /// Remembers what a GPU shall be. `host` without more is nothing to remember.
    pub fn remember(&self, wish: &Wish) -> Result<(), StateError> {
        let _lock = self.lock_named("modes.json", || StateError::Busy { gpu: wish.gpu.clone() }, true)?;
        let mut modes = self.modes()?;
        if wish.mode == oriel_model::GpuMode::Host {
            modes.wishes.remove(&wish.gpu.to_string());
        } else {
            modes.wishes.insert(wish.gpu.to_string(), wish.clone());
        }
        Self::replace(&self.path.join("modes.json"), &modes)
    }

    /// Forgets a GPU that is no more.
    pub fn forget(&self, gpu: &GpuAddress) -> Result<(), StateError> {
        self.remember(&Wish::new(gpu.clone(), oriel_model::GpuMode::Host))
    }

    fn modes(&self) -> Result<Modes, StateError> {
        Ok(read(&self.path.join("modes.json"))?.unwrap_or_default())
    }

    /// One switch of a GPU at a time, over all programs of the host.
    pub(crate) fn lock(&self, gpu: &GpuAddress) -> Result<Lock, StateError> {
        self.lock_named(&gpu.to_string(), || StateError::Busy { gpu: gpu.clone() }, false)
    }

    fn lock_named(&self, name: &str, busy: impl FnOnce() -> StateError, wait: bool) -> Result<Lock, StateError> {
        let path = self.path.join("locks").join(name);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| cannot(&path, source))?;
        if wait {
            file.lock().map_err(|source| cannot(&path, source))?;
            return Ok(Lock { _file: file });
        }
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(busy()),
            Err(TryLockError::Error(source)) => Err(cannot(&path, source)),
        }
    }

    pub(crate) fn journal_path(&self, gpu: &GpuAddress) -> PathBuf {
        self.path.join("journal").join(format!("{gpu}.json"))
    }

    /// The files of switches that have not ended.
    pub(crate) fn journals(&self) -> Result<Vec<PathBuf>, StateError> {
        let folder = self.path.join("journal");
        let entries = fs::read_dir(&folder).map_err(|source| cannot(&folder, source))?;
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .collect();
        paths.sort_unstable();
        Ok(paths)
    }

    /// Replaces a file as a whole: after a crash it is the old or the new one.
    pub(crate) fn replace(path: &Path, value: &impl Serialize) -> Result<(), StateError> {
        let act = || {
            let new = path.with_extension("new");
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec_pretty(value)?)?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            sync_folder(path)
        };
        act().map_err(|source| cannot(path, source))
    }

    pub(crate) fn remove(path: &Path) -> Result<(), StateError> {
        let act = || {
            fs::remove_file(path)?;
            sync_folder(path)
        };
        match act() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot(path, error)),
            _ => Ok(()),
        }
    }
}

/// A rename is only certain once its folder is on the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// A JSON file, `None` when it is not there.
pub(crate) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let damaged = |reason: String| StateError::Damaged { path: path.display().to_string(), reason };
    match fs::metadata(path) {
        Ok(facts) if facts.len() > FILE_MAX => return Err(damaged("it is too large".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let bytes = fs::read(path).map_err(|source| cannot(path, source))?;
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
}

fn cannot(path: &Path, source: io::Error) -> StateError {
    StateError::Use { path: path.display().to_string(), source }
}
