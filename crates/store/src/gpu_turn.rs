//! Time plans of cards. Whoever adds a turn holds the card: no two turns of one are at the same time.

use crate::{Store, StoreError, codec, gpu};
use oriel_model::{BookingRefusal, GPU_TURNS_MAX, GpuTurn, GpuTurnId, Micros, PoolId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Select, Set, sea_query::Expr};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "gpu_turn")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub host: String,
        pub gpu: String,
        pub pool_id: String,
        pub mode: String,
        pub profile: Option<String>,
        pub hours: String,
        pub is_ready: bool,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for GpuTurn {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("GPU turn", &row.id)?,
            host: row.host,
            gpu: codec::parse("GPU turn", &row.gpu)?,
            pool: codec::parse("GPU turn", &row.pool_id)?,
            mode: codec::parse("GPU turn", &row.mode)?,
            profile: row.profile,
            // As pools' peaks are read: a zone that only a newer program knows is no fault of the row.
            hours: codec::from_word("GPU turn", row.hours)?,
            is_ready: row.is_ready,
            created: Micros(row.created),
        })
    }
}

impl Store {
    /// All turns, oldest first.
    pub async fn gpu_turns(&self) -> Result<Vec<GpuTurn>, StoreError> {
        list(&self.reader, row::Entity::find()).await
    }

    /// Those of a pool, oldest first.
    pub async fn gpu_turns_of(&self, pool: PoolId) -> Result<Vec<GpuTurn>, StoreError> {
        of_pool(&self.reader, pool).await
    }

    /// Gives a card to a pool at some hours. Errors: `Missing` pool; `Booking` where another turn of the card has some of them, or there
    /// are too many.
    pub async fn create_gpu_turn(&self, turn: &GpuTurn, now: Micros) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        gpu::hold_card(&txn, &turn.host, &turn.gpu).await?;
        let of_card = row::Entity::find()
            .filter(row::Column::Host.eq(turn.host.as_str()))
            .filter(row::Column::Gpu.eq(turn.gpu.to_string()));
        let others = list(&txn, of_card).await?;
        let refused =
            |code, text, next_step| Err(StoreError::Booking(Box::new(BookingRefusal::new(code, text, next_step))));
        if others.len() >= GPU_TURNS_MAX {
            let text = format!("{} has {GPU_TURNS_MAX} turns, the most that a card may have", turn.gpu);
            return refused("too_many_turns", text, "remove some first");
        }
        if let Some(other) = others.iter().find(|other| other.hours.meets(&turn.hours, now).is_some()) {
            let text = format!("{} is given to a pool at {} already", turn.gpu, other.hours);
            return refused("turn_overlaps", text, "choose other hours, or remove that turn first");
        }
        let row = row::ActiveModel {
            id: Set(turn.id.to_string()),
            host: Set(turn.host.clone()),
            gpu: Set(turn.gpu.to_string()),
            pool_id: Set(turn.pool.to_string()),
            mode: Set(turn.mode.word().to_owned()),
            profile: Set(turn.profile.clone()),
            hours: Set(turn.hours.to_string()),
            is_ready: Set(turn.is_ready),
            created: Set(turn.created.0),
        };
        row::Entity::insert(row)
            .exec_without_returning(&txn)
            .await
            .map_err(|error| StoreError::dangling(error, "pool", turn.pool))?;
        txn.commit().await?;
        Ok(())
    }

    /// Whether the card is as the turn says, and it is its turn.
    pub async fn set_gpu_turn_ready(&self, id: GpuTurnId, is_ready: bool) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::IsReady, Expr::value(is_ready))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// The plan that is left of the card counts as made now: whoever holds the card by the turn that goes has time to leave. Answers
    /// whether it was there.
    pub async fn delete_gpu_turn(&self, id: GpuTurnId, now: Micros) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let Some(turn) = row::Entity::find_by_id(id.to_string()).one(&txn).await? else { return Ok(false) };
        let turn = GpuTurn::try_from(turn)?;
        gpu::hold_card(&txn, &turn.host, &turn.gpu).await?;
        let gone = row::Entity::delete_by_id(id.to_string()).exec(&txn).await?;
        row::Entity::update_many()
            .col_expr(row::Column::Created, Expr::value(now.0))
            .filter(row::Column::Host.eq(turn.host.as_str()))
            .filter(row::Column::Gpu.eq(turn.gpu.to_string()))
            .exec(&txn)
            .await?;
        txn.commit().await?;
        Ok(gone.rows_affected > 0)
    }
}

/// Those of a pool, oldest first.
pub(crate) async fn of_pool(on: &impl ConnectionTrait, pool: PoolId) -> Result<Vec<GpuTurn>, StoreError> {
    list(on, row::Entity::find().filter(row::Column::PoolId.eq(pool.to_string()))).await
}

async fn list(on: &impl ConnectionTrait, wanted: Select<row::Entity>) -> Result<Vec<GpuTurn>, StoreError> {
    let rows = wanted.order_by_asc(row::Column::Id).all(on).await?;
    rows.into_iter().map(GpuTurn::try_from).collect()
}
