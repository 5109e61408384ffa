//! What desktops hold of GPUs: claims, and the cards that they are of.
//!
//! A claim is decided on a look at the cards, and taken in one transaction that refuses when any of them has changed since (its
//! `version` is the fencing token): that keeps what no constraint can say, such as "slices of one card are all of one type".
//! That no two claims hold one slot of a card is a primary key.

use crate::{Store, StoreError, codec};
use oriel_model::{DesktopId, GpuAddress, GpuClaim, GpuClaimId, GpuHold, Micros, OperationId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set, SqlErr,
    sea_query::{Expr, OnConflict},
};
use std::collections::BTreeMap;

mod card {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "gpu_card")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub host: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub gpu: String,
        pub version: i64,
        pub switching: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod claim {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "gpu_claim")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub desktop_id: String,
        pub ordinal: i64,
        pub host: String,
        pub gpu: String,
        /// JSON.
        pub hold: String,
        pub fence: i64,
        pub leased_until: i64,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod slot {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "gpu_claim_slot")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub host: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub gpu: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub slot: i64,
        pub claim_id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A card that something was claimed of, or that was switched, at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuCard {
    pub host: String,
    pub gpu: GpuAddress,
    /// Counts what was ever done to it; 0 for a card without a row.
    pub version: u64,
    /// The operation that changes its mode.
    pub switching: Option<OperationId>,
}

impl TryFrom<card::Model> for GpuCard {
    type Error = StoreError;
    fn try_from(row: card::Model) -> Result<Self, StoreError> {
        Ok(Self {
            gpu: codec::parse("GPU", &row.gpu)?,
            host: row.host,
            version: codec::number("GPU", row.version)?,
            switching: row.switching.map(|id| codec::parse("GPU", &id)).transpose()?,
        })
    }
}

impl TryFrom<claim::Model> for GpuClaim {
    type Error = StoreError;
    fn try_from(row: claim::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("GPU claim", &row.id)?,
            desktop: codec::parse("GPU claim", &row.desktop_id)?,
            ordinal: codec::number("GPU claim", row.ordinal)?,
            host: row.host,
            hold: codec::from_json("GPU claim", &row.hold)?,
            fence: codec::number("GPU claim", row.fence)?,
            leased_until: Micros(row.leased_until),
            created: Micros(row.created),
        })
    }
}

impl Store {
    /// Cards that have a row, by address. Read them before the claims: then a claim taken in between shows as a version
    /// that no longer fits.
    pub async fn gpu_cards(&self, host: &str) -> Result<Vec<GpuCard>, StoreError> {
        let rows = card::Entity::find()
            .filter(card::Column::Host.eq(host))
            .order_by_asc(card::Column::Gpu)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(GpuCard::try_from).collect()
    }

    /// All claims, oldest first.
    pub async fn gpu_claims(&self) -> Result<Vec<GpuClaim>, StoreError> {
        let rows = claim::Entity::find().order_by_asc(claim::Column::Id).all(&self.reader).await?;
        rows.into_iter().map(GpuClaim::try_from).collect()
    }

    /// What the desktop holds, in order.
    pub async fn gpu_claims_of(&self, desktop: DesktopId) -> Result<Vec<GpuClaim>, StoreError> {
        let rows = claim::Entity::find()
            .filter(claim::Column::DesktopId.eq(desktop.to_string()))
            .order_by_asc(claim::Column::Ordinal)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(GpuClaim::try_from).collect()
    }

    /// Takes all of `holds` for the desktop, or none. `seen` are the versions of the cards that the decision looked at; a
    /// card that is not in it was seen without a row. A desktop that holds something already keeps just that: its claims are
    /// returned, so that a step which was killed half-way can be taken again.
    ///
    /// Errors: `GpuTaken` when a card has changed since or a slot is held, `GpuSwitching`, `Missing` desktop.
    pub async fn claim_gpus(
        &self,
        desktop: DesktopId,
        host: &str,
        holds: &[GpuHold],
        seen: &BTreeMap<GpuAddress, u64>,
        leased_until: Micros,
    ) -> Result<Vec<GpuClaim>, StoreError> {
        let txn = self.begin().await?;
        let held = claim::Entity::find()
            .filter(claim::Column::DesktopId.eq(desktop.to_string()))
            .order_by_asc(claim::Column::Ordinal)
            .all(&txn)
            .await?;
        if !held.is_empty() {
            return held.into_iter().map(GpuClaim::try_from).collect();
        }
        // One after the other, in the same order everywhere: no two transactions wait for each other.
        let mut fences = BTreeMap::new();
        let mut cards: Vec<&GpuAddress> = holds.iter().map(|hold| &hold.gpu).collect();
        cards.sort();
        cards.dedup();
        for gpu in cards {
            let before = seen.get(gpu).copied().unwrap_or(0);
            fences.insert(gpu.clone(), next_version(&txn, host, gpu, Some(before)).await?);
        }
        let mut claims = Vec::new();
        for (ordinal, hold) in holds.iter().enumerate() {
            let claim = GpuClaim {
                id: GpuClaimId::new(),
                desktop,
                ordinal: ordinal as u32,
                host: host.to_owned(),
                hold: hold.clone(),
                fence: fences.get(&hold.gpu).copied().unwrap_or(0),
                leased_until,
                created: crate::now(),
            };
            insert(&txn, &claim).await?;
            claims.push(claim);
        }
        txn.commit().await?;
        Ok(claims)
    }

    /// The unit is free again; releasing what is gone is no error. Call it after the unit was given back in the world.
    pub async fn release_gpu(&self, claim: GpuClaimId) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        if let Some(row) = claim::Entity::find_by_id(claim.to_string()).one(&txn).await? {
            next_version(&txn, &row.host, &codec::parse("GPU claim", &row.gpu)?, None).await?;
            // Its slots go with it.
            claim::Entity::delete_by_id(row.id).exec(&txn).await?;
        }
        txn.commit().await?;
        Ok(())
    }

    /// Lets the desktop keep what it holds until then.
    pub async fn renew_gpu_claims(&self, desktop: DesktopId, leased_until: Micros) -> Result<(), StoreError> {
        claim::Entity::update_many()
            .col_expr(claim::Column::LeasedUntil, Expr::value(leased_until.0))
            .filter(claim::Column::DesktopId.eq(desktop.to_string()))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// Keeps the card for a change of its mode: nothing is claimed of it until [`Self::end_gpu_switch`]. The same operation
    /// may begin again. Errors: `GpuHeld`, `GpuSwitching` by another operation.
    pub async fn begin_gpu_switch(&self, host: &str, gpu: &GpuAddress, by: OperationId) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let row = locked_card(&txn, host, gpu).await?;
        if row.switching.as_ref().is_some_and(|other| *other != by.to_string()) {
            return Err(StoreError::GpuSwitching { host: host.to_owned(), gpu: gpu.to_string() });
        }
        let held = of_card(host, gpu).count(&txn).await?;
        if held > 0 {
            let names = crate::desktop::names_of_claims(&txn, host, &gpu.to_string()).await?;
            return Err(StoreError::GpuHeld {
                host: host.to_owned(),
                gpu: gpu.to_string(),
                desktops: names.join(", "),
            });
        }
        let mut row = row.into_active_model();
        row.version = Set(row.version.take().unwrap_or(0) + 1);
        row.switching = Set(Some(by.to_string()));
        row.update(&txn).await?;
        txn.commit().await?;
        Ok(())
    }

    /// The card may be claimed again. Ending what another operation began, or nobody, is no error and does nothing.
    pub async fn end_gpu_switch(&self, host: &str, gpu: &GpuAddress, by: OperationId) -> Result<(), StoreError> {
        card::Entity::update_many()
            .col_expr(card::Column::Switching, Expr::value(Option::<String>::None))
            .filter(card::Column::Host.eq(host))
            .filter(card::Column::Gpu.eq(gpu.to_string()))
            .filter(card::Column::Switching.eq(by.to_string()))
            .exec(&self.writer)
            .await?;
        Ok(())
    }
}

fn of_card(host: &str, gpu: &GpuAddress) -> sea_orm::Select<claim::Entity> {
    claim::Entity::find().filter(claim::Column::Host.eq(host)).filter(claim::Column::Gpu.eq(gpu.to_string()))
}

/// Holds a card until the transaction ends.
pub(crate) async fn hold_card(txn: &DatabaseTransaction, host: &str, gpu: &GpuAddress) -> Result<(), StoreError> {
    locked_card(txn, host, gpu).await.map(drop)
}

/// The card's row, made when there is none, held until the transaction ends.
async fn locked_card(txn: &DatabaseTransaction, host: &str, gpu: &GpuAddress) -> Result<card::Model, StoreError> {
    let row = card::ActiveModel {
        host: Set(host.to_owned()),
        gpu: Set(gpu.to_string()),
        version: Set(0),
        switching: Set(None),
    };
    card::Entity::insert(row)
        .on_conflict(OnConflict::columns([card::Column::Host, card::Column::Gpu]).do_nothing().to_owned())
        .exec_without_returning(txn)
        .await?;
    card::Entity::find_by_id((host.to_owned(), gpu.to_string()))
        .lock_exclusive()
        .one(txn)
        .await?
        .ok_or_else(|| StoreError::missing("GPU", gpu))
}

/// Counts the card's version up. With `seen`, only when it was that, and only when its mode is not being changed.
async fn next_version(
    txn: &DatabaseTransaction,
    host: &str,
    gpu: &GpuAddress,
    seen: Option<u64>,
) -> Result<u64, StoreError> {
    let row = locked_card(txn, host, gpu).await?;
    let version: u64 = codec::number("GPU", row.version)?;
    if let Some(seen) = seen {
        if row.switching.is_some() {
            return Err(StoreError::GpuSwitching { host: host.to_owned(), gpu: gpu.to_string() });
        }
        if version != seen {
            return Err(StoreError::GpuTaken { host: host.to_owned(), gpu: gpu.to_string() });
        }
    }
    let mut row = row.into_active_model();
    row.version = Set(codec::big(version + 1));
    row.update(txn).await?;
    Ok(version + 1)
}

async fn insert(txn: &DatabaseTransaction, claim: &GpuClaim) -> Result<(), StoreError> {
    let gpu = claim.hold.gpu.to_string();
    let row = claim::ActiveModel {
        id: Set(claim.id.to_string()),
        desktop_id: Set(claim.desktop.to_string()),
        ordinal: Set(i64::from(claim.ordinal)),
        host: Set(claim.host.clone()),
        gpu: Set(gpu.clone()),
        hold: Set(codec::json(&claim.hold)?),
        fence: Set(codec::big(claim.fence)),
        leased_until: Set(claim.leased_until.0),
        created: Set(claim.created.0),
    };
    let refused = |error: DbErr| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            StoreError::GpuTaken { host: claim.host.clone(), gpu: gpu.clone() }
        }
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => StoreError::missing("desktop", claim.desktop),
        _ => error.into(),
    };
    claim::Entity::insert(row).exec_without_returning(txn).await.map_err(refused)?;
    for slot in &claim.hold.slots {
        let row = slot::ActiveModel {
            host: Set(claim.host.clone()),
            gpu: Set(gpu.clone()),
            slot: Set(i64::from(*slot)),
            claim_id: Set(claim.id.to_string()),
        };
        slot::Entity::insert(row).exec_without_returning(txn).await.map_err(refused)?;
    }
    Ok(())
}

/// The ids of desktops that hold something of the card.
pub(crate) async fn holders(txn: &DatabaseTransaction, host: &str, gpu: &str) -> Result<Vec<String>, StoreError> {
    let rows =
        claim::Entity::find().filter(claim::Column::Host.eq(host)).filter(claim::Column::Gpu.eq(gpu)).all(txn).await?;
    Ok(rows.into_iter().map(|row| row.desktop_id).collect())
}
