//! Disks of people, which follow them from desktop to desktop.

use super::Named;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a pool gives everybody who gets a desktop of it: a disk of their own, which is their home there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolDisk {
    /// Which of a person's disks: pools that say the same name share it. `home` when left out.
    #[serde(default = "home")]
    pub name: String,
    /// How large one is that is made, in GiB; those that are there stay as they are. 0 in a change takes the disk out of the pool.
    pub size_gib: u64,
}

fn home() -> String {
    model::PoolDisk::NAME.to_owned()
}

impl From<model::PoolDisk> for PoolDisk {
    fn from(disk: model::PoolDisk) -> Self {
        Self { name: disk.name.to_string(), size_gib: disk.size_gib }
    }
}

impl PoolDisk {
    /// Takes it away.
    pub fn none() -> Self {
        Self { name: home(), size_gib: 0 }
    }

    /// `None` takes it away. Errors: a sentence.
    pub fn into_model(self) -> Result<Option<model::PoolDisk>, String> {
        let name = self.name.parse().map_err(|error: model::NameError| error.to_string())?;
        Ok((self.size_gib > 0).then_some(model::PoolDisk { name, size_gib: self.size_gib }))
    }
}

/// A disk of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonalDisk {
    pub id: String,
    /// Whose it is; the name that they had when it was made, where they have gone.
    pub person: Named,
    /// What pools call it.
    pub name: String,
    pub size_gib: u64,
    /// Where it lies.
    pub host: String,
    /// The desktop that has it.
    #[schema(required)]
    pub desktop: Option<Named>,
    /// The operation that does something with it.
    #[schema(required)]
    pub operation: Option<String>,
    /// No desktop will take it: its person has gone, or no pool names it any more. It is kept until an administrator deletes it.
    pub orphaned: bool,
    pub created_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PersonalDiskList {
    /// By person and name.
    pub personal_disks: Vec<PersonalDisk>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskSnapshot {
    pub name: String,
    pub created_at: String,
}

/// A disk, and what its host knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonalDiskFacts {
    pub disk: PersonalDisk,
    /// Bytes that it takes.
    pub used_bytes: u64,
    /// Oldest first.
    pub snapshots: Vec<DiskSnapshot>,
    /// Bytes of the copy that was made of it and waits to be fetched.
    #[schema(required)]
    pub export_bytes: Option<u64>,
}

/// What to change of a disk that is in no desktop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonalDiskChange {
    /// A larger size; the guest's file system follows with the next start.
    pub size_gib: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskSnapshotNew {
    /// As a desktop's name: lowercase letters, digits and hyphens.
    pub name: String,
}
