//! What people show beside their passwords: the secrets of authenticator apps, recovery codes, remembered browsers.

use crate::{Store, StoreError, codec, passkey};
use oriel_model::{Device, DeviceId, Micros, Totp, UserId};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::Expr,
};
use std::collections::BTreeSet;

/// Recovery codes that one person may hold.
pub const RECOVERY_CODES_MAX: usize = 20;
/// Browsers of one person that are remembered; the one that ends first gives way to one more.
pub const DEVICES_PER_USER_MAX: u64 = 20;

mod totp {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "totp")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: String,
        pub sealed: String,
        pub last_step: i64,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod code {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "recovery_code")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub code_sha256: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod device {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "remembered_device")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub token_sha256: String,
        pub user_id: String,
        pub label: String,
        pub created: i64,
        pub expires: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<totp::Model> for Totp {
    type Error = StoreError;
    fn try_from(row: totp::Model) -> Result<Self, StoreError> {
        Ok(Self {
            user: codec::parse("second factor", &row.user_id)?,
            secret: row.sealed,
            last_step: codec::number("second factor", row.last_step)?,
            created: Micros(row.created),
        })
    }
}

impl TryFrom<device::Model> for Device {
    type Error = StoreError;
    fn try_from(row: device::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("remembered browser", &row.id)?,
            token_sha256: row.token_sha256,
            user: codec::parse("remembered browser", &row.user_id)?,
            label: row.label,
            created: Micros(row.created),
            expires: Micros(row.expires),
        })
    }
}

impl Store {
    pub async fn totp(&self, user: UserId) -> Result<Option<Totp>, StoreError> {
        totp::Entity::find_by_id(user.to_string()).one(&self.reader).await?.map(Totp::try_from).transpose()
    }

    /// Everybody who has a secret, for lists.
    pub async fn users_with_totp(&self) -> Result<BTreeSet<UserId>, StoreError> {
        let ids: Vec<String> =
            totp::Entity::find().select_only().column(totp::Column::UserId).into_tuple().all(&self.reader).await?;
        ids.iter().map(|id| codec::parse("second factor", id)).collect()
    }

    /// In place of what was there: the secret, and the codes with it. Errors: `Missing` when the user has gone.
    pub async fn put_totp(&self, new: &Totp, codes_sha256: &[String]) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        totp::Entity::delete_by_id(new.user.to_string()).exec(&txn).await?;
        let row = totp::Model {
            user_id: new.user.to_string(),
            sealed: new.secret.clone(),
            last_step: codec::big(new.last_step),
            created: new.created.0,
        };
        totp::Entity::insert(row.into_active_model())
            .exec_without_returning(&txn)
            .await
            .map_err(|error| StoreError::dangling(error, "user", new.user))?;
        replace_codes(&txn, new.user, codes_sha256).await?;
        txn.commit().await?;
        Ok(())
    }

    /// Takes a code of this step of time: false when it, or a newer one, was taken before. Of two who bring the same code at
    /// once one is told true.
    pub async fn take_totp_step(&self, user: UserId, step: u64) -> Result<bool, StoreError> {
        let step = codec::big(step);
        let done = totp::Entity::update_many()
            .col_expr(totp::Column::LastStep, Expr::value(step))
            .filter(totp::Column::UserId.eq(user.to_string()))
            .filter(totp::Column::LastStep.lt(step))
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// Takes the secret, passkeys, codes and remembered browsers away; whether there was a secret or a passkey.
    pub async fn delete_second_factor(&self, user: UserId) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let user = user.to_string();
        let app = totp::Entity::delete_by_id(&user).exec(&txn).await?.rows_affected;
        let passkeys = passkey::delete_all_of(&txn, &user).await?;
        forget_rest(&txn, &user).await?;
        txn.commit().await?;
        Ok(app + passkeys > 0)
    }

    /// Takes the secret away, and with it the codes and remembered browsers where no passkey stays; whether there was one.
    pub async fn delete_totp(&self, user: UserId) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let user = user.to_string();
        let had = totp::Entity::delete_by_id(&user).exec(&txn).await?.rows_affected == 1;
        if passkey::count_of(&txn, &user).await? == 0 {
            forget_rest(&txn, &user).await?;
        }
        txn.commit().await?;
        Ok(had)
    }

    /// These, and no others, from now on. Errors: `Missing` when the user has gone.
    pub async fn put_recovery_codes(&self, user: UserId, codes_sha256: &[String]) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        replace_codes(&txn, user, codes_sha256).await?;
        txn.commit().await?;
        Ok(())
    }

    /// Uses a code up; whether it was one.
    pub async fn take_recovery_code(&self, user: UserId, code_sha256: &str) -> Result<bool, StoreError> {
        let taken = code::Entity::delete_by_id((user.to_string(), code_sha256.to_owned()));
        Ok(taken.exec(&self.writer).await?.rows_affected == 1)
    }

    /// How many are left.
    pub async fn count_recovery_codes(&self, user: UserId) -> Result<u64, StoreError> {
        Ok(code::Entity::find().filter(code::Column::UserId.eq(user.to_string())).count(&self.reader).await?)
    }

    /// Errors: `Missing` when the user has gone meanwhile.
    pub async fn put_device(&self, device: &Device) -> Result<(), StoreError> {
        let row = device::Model {
            id: device.id.to_string(),
            token_sha256: device.token_sha256.clone(),
            user_id: device.user.to_string(),
            label: device.label.clone(),
            created: device.created.0,
            expires: device.expires.0,
        };
        device::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.writer)
            .await
            .map_err(|error| StoreError::dangling(error, "user", device.user))?;
        let surplus: Vec<String> = device::Entity::find()
            .select_only()
            .column(device::Column::Id)
            .filter(device::Column::UserId.eq(device.user.to_string()))
            .order_by_desc(device::Column::Expires)
            .offset(DEVICES_PER_USER_MAX)
            .limit(DEVICES_PER_USER_MAX)
            .into_tuple()
            .all(&self.writer)
            .await?;
        if !surplus.is_empty() {
            device::Entity::delete_many().filter(device::Column::Id.is_in(surplus)).exec(&self.writer).await?;
        }
        Ok(())
    }

    /// Whether this cookie is a remembered browser of this person.
    pub async fn is_remembered(&self, user: UserId, token_sha256: &str, now: Micros) -> Result<bool, StoreError> {
        let found = device::Entity::find()
            .filter(device::Column::TokenSha256.eq(token_sha256))
            .filter(device::Column::UserId.eq(user.to_string()))
            .filter(device::Column::Expires.gt(now.0))
            .one(&self.reader)
            .await?;
        Ok(found.is_some())
    }

    /// Those that are remembered, oldest first.
    pub async fn devices_of(&self, user: UserId, now: Micros) -> Result<Vec<Device>, StoreError> {
        let rows = device::Entity::find()
            .filter(device::Column::UserId.eq(user.to_string()))
            .filter(device::Column::Expires.gt(now.0))
            .order_by_asc(device::Column::Id)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(Device::try_from).collect()
    }

    /// Errors: `Missing`, also when it is another user's.
    pub async fn delete_device(&self, id: DeviceId, user: UserId) -> Result<(), StoreError> {
        let mine = device::Entity::delete_by_id(id.to_string()).filter(device::Column::UserId.eq(user.to_string()));
        match mine.exec(&self.writer).await?.rows_affected {
            0 => Err(StoreError::missing("remembered browser", id)),
            _ => Ok(()),
        }
    }

    /// How many there were.
    pub async fn delete_devices_of(&self, user: UserId) -> Result<u64, StoreError> {
        let mine = device::Entity::delete_many().filter(device::Column::UserId.eq(user.to_string()));
        Ok(mine.exec(&self.writer).await?.rows_affected)
    }

    pub(crate) async fn delete_expired_devices(&self, now: Micros) -> Result<u64, StoreError> {
        let old = device::Entity::delete_many().filter(device::Column::Expires.lte(now.0));
        Ok(old.exec(&self.writer).await?.rows_affected)
    }
}

/// What goes with the last of somebody's factors.
pub(crate) async fn forget_rest(txn: &sea_orm::DatabaseTransaction, user: &str) -> Result<(), StoreError> {
    code::Entity::delete_many().filter(code::Column::UserId.eq(user)).exec(txn).await?;
    device::Entity::delete_many().filter(device::Column::UserId.eq(user)).exec(txn).await?;
    Ok(())
}

/// Whether this person has an app.
pub(crate) async fn has_totp(txn: &sea_orm::DatabaseTransaction, user: &str) -> Result<bool, StoreError> {
    Ok(totp::Entity::find_by_id(user).one(txn).await?.is_some())
}

pub(crate) async fn replace_codes(
    txn: &sea_orm::DatabaseTransaction,
    user: UserId,
    codes_sha256: &[String],
) -> Result<(), StoreError> {
    code::Entity::delete_many().filter(code::Column::UserId.eq(user.to_string())).exec(txn).await?;
    if codes_sha256.is_empty() {
        return Ok(());
    }
    let rows = codes_sha256
        .iter()
        .take(RECOVERY_CODES_MAX)
        .map(|code| code::ActiveModel { user_id: Set(user.to_string()), code_sha256: Set(code.clone()) });
    code::Entity::insert_many(rows)
        .exec_without_returning(txn)
        .await
        .map(drop)
        .map_err(|error| StoreError::dangling(error, "user", user))
}
