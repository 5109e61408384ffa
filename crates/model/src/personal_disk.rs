//! A volume of one person, which is their home in every desktop that they are given, wherever that is made.
//!
//! One disk belongs to a person and a name: pools that name the same disk share it. It is in one machine at a time.

use crate::{DesktopId, Micros, Name, NameError, OperationId, PersonalDiskId, UserId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Largest disk, in GiB.
pub const PERSONAL_DISK_GIB_MAX: u64 = 16 << 10;
/// Snapshots that one disk may have.
pub const DISK_SNAPSHOTS_MAX: usize = 16;

/// What a pool gives everybody who gets a desktop of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolDisk {
    /// Which of a person's disks: pools that say the same name share it.
    pub name: Name,
    /// How large one is that is made; those that are there stay as they are.
    pub size_gib: u64,
}

impl PoolDisk {
    /// The name where none is said.
    pub const NAME: &str = "home";

    /// Errors: a sentence for whoever asked for it.
    pub fn check(&self) -> Result<(), String> {
        if (1..=PERSONAL_DISK_GIB_MAX).contains(&self.size_gib) {
            return Ok(());
        }
        Err(format!("a personal disk cannot have {} GiB: 1 to {PERSONAL_DISK_GIB_MAX} can be", self.size_gib))
    }
}

/// `size=20`, with `,name=work` where it is another than the usual one.
impl fmt::Display for PoolDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "size={}", self.size_gib)?;
        if self.name.as_str() == Self::NAME { Ok(()) } else { write!(f, ",name={}", self.name) }
    }
}

impl FromStr for PoolDisk {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut name, mut size_gib) = (Self::NAME, None);
        for word in text.split(',').map(str::trim) {
            match word.split_once('=') {
                Some(("size", size)) => {
                    let size = size.parse().map_err(|_| format!("{size:?} is no size: write a number of GiB"))?;
                    size_gib = Some(size);
                }
                Some(("name", said)) => name = said,
                _ => return Err(format!("{word:?} is not said of a personal disk: `size=GIB` and `name=NAME` are")),
            }
        }
        let size_gib = size_gib.ok_or_else(|| "how large is a personal disk? `size=20` would be 20 GiB".to_owned())?;
        let disk = Self { name: name.parse().map_err(|error: NameError| error.to_string())?, size_gib };
        disk.check()?;
        Ok(disk)
    }
}

/// A disk that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalDisk {
    pub id: PersonalDiskId,
    /// Whose it is; they may have gone.
    pub user: UserId,
    /// What they were called when it was made.
    pub person: String,
    pub name: Name,
    /// Where it lies.
    pub host: String,
    pub size_gib: u64,
    /// Its file was made: from then on a file that is missing is a loss, and no other takes its place.
    pub is_made: bool,
    pub created: Micros,
}

impl PersonalDisk {
    /// `ada/home`: what people call it.
    pub fn title(&self) -> String {
        format!("{}/{}", self.person, self.name)
    }
}

/// Who has a disk: nobody else has it meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskHolder {
    /// It is in the machine of this desktop, or is about to be.
    Desktop(DesktopId),
    /// Something is done with it.
    Operation(OperationId),
}

/// What is done with a disk that is in no machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum DiskWork {
    /// It grows; disks do not shrink.
    Grow {
        size_gib: u64,
    },
    Snapshot {
        snapshot: Name,
    },
    /// It becomes again what it was at that snapshot.
    Restore {
        snapshot: Name,
    },
    DropSnapshot {
        snapshot: Name,
    },
    /// A copy of its own is made in a file.
    Export,
    Delete,
}

/// What a host knows of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskFacts {
    /// Bytes that it takes.
    pub used_bytes: u64,
    /// Oldest first.
    pub snapshots: Vec<DiskSnapshot>,
    /// Bytes of the copy that was made of it, where there is one.
    pub export_bytes: Option<u64>,
}

/// A state of a disk that can be had again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSnapshot {
    pub name: String,
    pub created: Micros,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_bounds() {
        let of = |size_gib| PoolDisk { name: PoolDisk::NAME.parse().unwrap(), size_gib }.check();
        assert_eq!(of(1), Ok(()));
        assert_eq!(of(PERSONAL_DISK_GIB_MAX), Ok(()));
        assert!(of(0).is_err() && of(PERSONAL_DISK_GIB_MAX + 1).is_err());
    }

    #[test]
    fn are_written_as_they_are_read() {
        for text in ["size=20", "size=1,name=work"] {
            assert_eq!(text.parse::<PoolDisk>().unwrap().to_string(), text);
        }
        assert_eq!("name=home, size=5".parse::<PoolDisk>().unwrap().to_string(), "size=5");
        for wrong in ["", "20", "size=", "size=x", "size=0", "name=work", "size=2,name=A", "size=2,colour=red"] {
            assert!(wrong.parse::<PoolDisk>().is_err(), "{wrong}");
        }
    }
}
