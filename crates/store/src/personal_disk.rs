//! Disks of people, and who has them.
//!
//! A disk is held by one desktop or one operation at a time: the key of `personal_disk_hold` says so. Whoever wants it says so first,
//! and gives it back only when no machine has it any more.
//!
//! Whoever makes one, or makes it larger, holds its person first, and counts the GiB of all their disks in the same transaction.

use crate::{
    Store, StoreError, codec, quota,
    seam::{self, Plant, planted},
};
use oriel_model::{DesktopId, DiskHolder, Micros, Name, PersonalDisk, PersonalDiskId, UserId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, Set,
    sea_query::{Expr, OnConflict},
};
use std::collections::HashMap;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "personal_disk")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub user_id: String,
        pub person: String,
        pub name: String,
        pub host: String,
        pub size_gib: i64,
        pub is_made: bool,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod hold {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "personal_disk_hold")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub disk_id: String,
        pub desktop_id: Option<String>,
        pub operation_id: Option<String>,
        pub since: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for PersonalDisk {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("personal disk", &row.id)?,
            user: codec::parse("personal disk", &row.user_id)?,
            person: row.person,
            name: codec::parse("personal disk", &row.name)?,
            host: row.host,
            size_gib: codec::number("personal disk", row.size_gib)?,
            is_made: row.is_made,
            created: Micros(row.created),
        })
    }
}

fn to_row(disk: &PersonalDisk) -> row::Model {
    row::Model {
        id: disk.id.to_string(),
        user_id: disk.user.to_string(),
        person: disk.person.clone(),
        name: disk.name.to_string(),
        host: disk.host.clone(),
        size_gib: codec::big(disk.size_gib),
        is_made: disk.is_made,
        created: disk.created.0,
    }
}

fn holder(row: &hold::Model) -> Result<DiskHolder, StoreError> {
    match (&row.desktop_id, &row.operation_id) {
        (Some(id), _) => Ok(DiskHolder::Desktop(codec::parse("hold of a personal disk", id)?)),
        (None, Some(id)) => Ok(DiskHolder::Operation(codec::parse("hold of a personal disk", id)?)),
        (None, None) => Err(StoreError::Corrupt { what: "hold of a personal disk", why: "nobody holds it".to_owned() }),
    }
}

fn to_hold(disk: PersonalDiskId, by: DiskHolder, since: Micros) -> hold::ActiveModel {
    let (desktop, operation) = match by {
        DiskHolder::Desktop(id) => (Some(id.to_string()), None),
        DiskHolder::Operation(id) => (None, Some(id.to_string())),
    };
    hold::ActiveModel {
        disk_id: Set(disk.to_string()),
        desktop_id: Set(desktop),
        operation_id: Set(operation),
        since: Set(since.0),
    }
}

pub(crate) async fn give_back(on: &impl ConnectionTrait, by: DiskHolder) -> Result<(), StoreError> {
    let theirs = match by {
        DiskHolder::Desktop(id) => hold::Column::DesktopId.eq(id.to_string()),
        DiskHolder::Operation(id) => hold::Column::OperationId.eq(id.to_string()),
    };
    hold::Entity::delete_many().filter(theirs).exec(on).await?;
    Ok(())
}

async fn of_person(on: &impl ConnectionTrait, user: UserId) -> Result<Vec<PersonalDisk>, StoreError> {
    let theirs = row::Entity::find().filter(row::Column::UserId.eq(user.to_string()));
    let rows = theirs.order_by_asc(row::Column::Name).all(on).await?;
    rows.into_iter().map(PersonalDisk::try_from).collect()
}

/// Refuses so many GiB more to a person who has these disks, and is held where they are to be given them.
async fn check(
    on: &impl ConnectionTrait,
    owner: (UserId, &str),
    disks: &[PersonalDisk],
    asked: u64,
) -> Result<(), StoreError> {
    let held = disks.iter().map(|one| one.size_gib).fold(0, u64::saturating_add);
    quota::check_disks(on, owner, held, asked, disks.iter().map(PersonalDisk::title).collect()).await
}

impl Store {
    /// All, by person and name, each with who has it.
    pub async fn personal_disks(&self) -> Result<Vec<(PersonalDisk, Option<DiskHolder>)>, StoreError> {
        let rows = row::Entity::find()
            .order_by_asc(row::Column::Person)
            .order_by_asc(row::Column::Name)
            .order_by_asc(row::Column::Id)
            .all(&self.reader)
            .await?;
        let holds = hold::Entity::find().all(&self.reader).await?;
        let holds: HashMap<String, hold::Model> = holds.into_iter().map(|hold| (hold.disk_id.clone(), hold)).collect();
        rows.into_iter()
            .map(|row| {
                let by = holds.get(&row.id).map(holder).transpose()?;
                Ok((PersonalDisk::try_from(row)?, by))
            })
            .collect()
    }

    pub async fn personal_disk(&self, id: PersonalDiskId) -> Result<Option<PersonalDisk>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(PersonalDisk::try_from).transpose()
    }

    /// The person's disk of that name.
    pub async fn personal_disk_of(&self, user: UserId, name: &Name) -> Result<Option<PersonalDisk>, StoreError> {
        let row = row::Entity::find()
            .filter(row::Column::UserId.eq(user.to_string()))
            .filter(row::Column::Name.eq(name.as_str()))
            .one(&self.reader)
            .await?;
        row.map(PersonalDisk::try_from).transpose()
    }

    /// Who has a disk.
    pub async fn disk_holder(&self, id: PersonalDiskId) -> Result<Option<DiskHolder>, StoreError> {
        let row = hold::Entity::find_by_id(id.to_string()).one(&self.reader).await?;
        row.as_ref().map(holder).transpose()
    }

    /// The disk that a desktop holds.
    pub async fn disk_in(&self, desktop: DesktopId) -> Result<Option<PersonalDisk>, StoreError> {
        let held =
            hold::Entity::find().filter(hold::Column::DesktopId.eq(desktop.to_string())).one(&self.reader).await?;
        let Some(held) = held else { return Ok(None) };
        row::Entity::find_by_id(held.disk_id).one(&self.reader).await?.map(PersonalDisk::try_from).transpose()
    }

    /// All disks of a person, by name.
    pub async fn personal_disks_of(&self, user: UserId) -> Result<Vec<PersonalDisk>, StoreError> {
        of_person(&self.reader, user).await
    }

    /// The person's disk of that name: the one that is there, else this one. Errors: `Missing` person; `OverQuota`.
    pub async fn make_personal_disk(&self, disk: &PersonalDisk) -> Result<PersonalDisk, StoreError> {
        let txn = self.begin().await?;
        // Of several programs that make it at once one does.
        let person = quota::hold(&txn, disk.user).await?;
        let disks = of_person(&txn, disk.user).await?;
        if let Some(there) = disks.iter().find(|one| one.name == disk.name) {
            return Ok(there.clone());
        }
        check(&txn, (disk.user, &person), &disks, disk.size_gib).await?;
        row::Entity::insert(to_row(disk).into_active_model()).exec_without_returning(&txn).await?;
        txn.commit().await?;
        Ok(disk.clone())
    }

    /// Refuses so many GiB more of disks to a person who may not have them as things are now: whoever makes one counts once more.
    ///
    /// Errors: `Missing` person; `OverQuota`.
    pub async fn check_more_disks(&self, user: UserId, asked_gib: u64) -> Result<(), StoreError> {
        let person = self.user(user).await?.ok_or_else(|| StoreError::missing("user", user))?;
        let disks = of_person(&self.reader, user).await?;
        check(&self.reader, (user, &person.name), &disks, asked_gib).await
    }

    /// A disk is to be so large from now on: it counts before its file is. Of one whose person has gone nothing is counted.
    ///
    /// Errors: `Missing` disk; `OverQuota`.
    pub async fn grow_personal_disk(&self, id: PersonalDiskId, size_gib: u64) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let missing = || StoreError::missing("personal disk", id);
        let disk = row::Entity::find_by_id(id.to_string()).one(&txn).await?.ok_or_else(missing)?;
        let user = PersonalDisk::try_from(disk)?.user;
        match quota::hold(&txn, user).await {
            Ok(person) => {
                let disks = of_person(&txn, user).await?;
                let before = disks.iter().find(|one| one.id == id).ok_or_else(missing)?.size_gib;
                check(&txn, (user, &person), &disks, size_gib.saturating_sub(before)).await?;
            }
            Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        row::Entity::update_many()
            .col_expr(row::Column::SizeGib, Expr::value(codec::big(size_gib)))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&txn)
            .await?;
        txn.commit().await?;
        Ok(())
    }

    /// Its file is there.
    pub async fn personal_disk_is_made(&self, id: PersonalDiskId) -> Result<(), StoreError> {
        self.update_personal_disk(id, row::Column::IsMade, Expr::value(true)).await
    }

    pub async fn set_personal_disk_size(&self, id: PersonalDiskId, size_gib: u64) -> Result<(), StoreError> {
        self.update_personal_disk(id, row::Column::SizeGib, Expr::value(codec::big(size_gib))).await
    }

    async fn update_personal_disk(
        &self,
        id: PersonalDiskId,
        column: row::Column,
        value: Expr,
    ) -> Result<(), StoreError> {
        seam::pass().await;
        let done = row::Entity::update_many()
            .col_expr(column, value)
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.writer)
            .await?;
        if done.rows_affected == 0 { Err(StoreError::missing("personal disk", id)) } else { Ok(()) }
    }

    /// Takes hold of a disk, unless somebody else has it: then it answers who. Once more by the same is no error.
    ///
    /// Errors: `Missing` disk or desktop; `Taken` when the desktop holds another disk.
    pub async fn hold_disk(
        &self,
        disk: PersonalDiskId,
        by: DiskHolder,
        now: Micros,
    ) -> Result<Option<DiskHolder>, StoreError> {
        let txn = self.begin().await?;
        let mut on_conflict = OnConflict::column(hold::Column::DiskId);
        if planted(Plant::NoDiskFence) {
            on_conflict.update_columns([hold::Column::DesktopId, hold::Column::OperationId]);
        } else {
            on_conflict.do_nothing();
        }
        hold::Entity::insert(to_hold(disk, by, now))
            .on_conflict(on_conflict)
            .exec_without_returning(&txn)
            .await
            .map_err(|error| match StoreError::taken(error, "hold of a personal disk", &disk.to_string()) {
                StoreError::Database { source } => StoreError::dangling(source, "personal disk or desktop", disk),
                other => other,
            })?;
        let there = hold::Entity::find_by_id(disk.to_string()).one(&txn).await?;
        let there = holder(&there.ok_or_else(|| StoreError::missing("personal disk", disk))?)?;
        txn.commit().await?;
        Ok(Some(there).filter(|there| *there != by))
    }

    /// Gives back what somebody holds; nothing is no error.
    pub async fn release_disk(&self, by: DiskHolder) -> Result<(), StoreError> {
        seam::pass().await;
        give_back(&self.writer, by).await
    }

    /// Forgets a disk that is no more, which nobody but `by` holds. Twice is no error. Errors: `InUse` when somebody else holds it.
    pub async fn delete_personal_disk(&self, id: PersonalDiskId, by: DiskHolder) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let held = hold::Entity::find_by_id(id.to_string()).one(&txn).await?;
        if let Some(held) = &held
            && holder(held)? != by
        {
            return Err(StoreError::InUse { what: "personal disk", by: "somebody's desktop" });
        }
        hold::Entity::delete_by_id(id.to_string()).exec(&txn).await?;
        row::Entity::delete_by_id(id.to_string())
            .exec(&txn)
            .await
            .map_err(|error| StoreError::in_use(error, "personal disk", "somebody's desktop"))?;
        txn.commit().await?;
        Ok(())
    }
}
