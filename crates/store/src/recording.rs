//! Recordings, and the sealed keys of what was kept.

use crate::{Store, StoreError, codec};
use oriel_model::{Micros, Recording, RecordingCursor, RecordingFilter, RecordingId, RecordingState};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Func, LikeExpr},
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "recording")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub connection_id: String,
        pub desktop_id: String,
        pub desktop_name: String,
        pub user_id: String,
        pub user_name: String,
        pub pool_id: String,
        pub pool_name: String,
        pub port: String,
        pub state: String,
        pub started: i64,
        pub ended: Option<i64>,
        pub bytes: i64,
        pub duration_ms: i64,
        pub beats: i64,
        pub key_sealed: String,
        pub bucket: String,
        pub moved_bytes: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Recording {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("recording", &row.id)?,
            connection: codec::parse("recording", &row.connection_id)?,
            desktop: codec::parse("recording", &row.desktop_id)?,
            desktop_name: row.desktop_name,
            user: codec::parse("recording", &row.user_id)?,
            user_name: row.user_name,
            pool: codec::parse("recording", &row.pool_id)?,
            pool_name: row.pool_name,
            port: codec::from_word("recording", row.port)?,
            state: codec::from_word("recording", row.state)?,
            started: Micros(row.started),
            ended: row.ended.map(Micros),
            bytes: codec::number("recording", row.bytes)?,
            duration_ms: codec::number("recording", row.duration_ms)?,
            bucket: Some(row.bucket).filter(|bucket| !bucket.is_empty()),
            moved_bytes: codec::number("recording", row.moved_bytes)?,
        })
    }
}

/// The pattern of what has this in it, whatever letters it has.
fn containing(part: &str) -> String {
    let mut pattern = String::from("%");
    for letter in part.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

impl Store {
    /// `key_sealed`: the sealed key of its parts.
    pub async fn create_recording(&self, recording: &Recording, key_sealed: &str) -> Result<(), StoreError> {
        let row = row::Model {
            id: recording.id.to_string(),
            connection_id: recording.connection.to_string(),
            desktop_id: recording.desktop.to_string(),
            desktop_name: recording.desktop_name.clone(),
            user_id: recording.user.to_string(),
            user_name: recording.user_name.clone(),
            pool_id: recording.pool.to_string(),
            pool_name: recording.pool_name.clone(),
            port: codec::word(recording.port)?,
            state: codec::word(recording.state)?,
            started: recording.started.0,
            ended: recording.ended.map(|at| at.0),
            bytes: codec::big(recording.bytes),
            duration_ms: codec::big(recording.duration_ms),
            beats: 0,
            key_sealed: key_sealed.to_owned(),
            bucket: recording.bucket.clone().unwrap_or_default(),
            moved_bytes: codec::big(recording.moved_bytes),
        };
        Ok(row::Entity::insert(row.into_active_model()).exec_without_returning(&self.writer).await.map(drop)?)
    }

    pub async fn recording(&self, id: RecordingId) -> Result<Option<Recording>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Recording::try_from).transpose()
    }

    /// The sealed key of its parts.
    pub async fn recording_key(&self, id: RecordingId) -> Result<Option<String>, StoreError> {
        Ok(row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(|row| row.key_sealed))
    }

    /// Those that the filter wants, newest first, behind `after`, at most `count`.
    pub async fn recordings(
        &self,
        filter: &RecordingFilter,
        after: Option<RecordingCursor>,
        count: u64,
    ) -> Result<Vec<Recording>, StoreError> {
        use row::Column as Of;
        let mut wanted = Condition::all();
        for (key, id, name) in
            [(&filter.user, Of::UserId, Of::UserName), (&filter.desktop, Of::DesktopId, Of::DesktopName)]
        {
            if let Some(key) = key {
                wanted = wanted.add(Condition::any().add(id.eq(key)).add(name.eq(key)));
            }
        }
        if let Some(since) = filter.since {
            wanted = wanted.add(Of::Started.gte(since.0));
        }
        if let Some(until) = filter.until {
            wanted = wanted.add(Of::Started.lt(until.0));
        }
        if let Some(text) = &filter.text {
            let mut any = Condition::any();
            for column in [Of::DesktopName, Of::UserName, Of::PoolName] {
                // SQLite folds ASCII only, PostgreSQL every letter: one of the two is how this database spells it.
                for part in [text.to_ascii_lowercase(), text.to_lowercase()] {
                    let folded = Expr::expr(Func::lower(Expr::col((row::Entity, column))));
                    any = any.add(folded.like(LikeExpr::new(containing(&part)).escape('\\')));
                }
            }
            wanted = wanted.add(any);
        }
        if let Some(RecordingCursor { started, id }) = after {
            let same = Condition::all().add(Of::Started.eq(started.0)).add(Of::Id.lt(id.to_string()));
            wanted = wanted.add(Condition::any().add(Of::Started.lt(started.0)).add(same));
        }
        let newest = row::Entity::find()
            .filter(wanted)
            .order_by_desc(row::Column::Started)
            .order_by_desc(row::Column::Id)
            .limit(count);
        newest.all(&self.reader).await?.into_iter().map(Recording::try_from).collect()
    }

    /// Those whose rows say that they are being written, and how often their servers said so.
    pub async fn running_recordings(&self) -> Result<Vec<(Recording, i64)>, StoreError> {
        let running = codec::word(RecordingState::Recording)?;
        let rows = row::Entity::find().filter(row::Column::State.eq(running)).all(&self.reader).await?;
        rows.into_iter()
            .map(|row| {
                let beats = row.beats;
                Ok((Recording::try_from(row)?, beats))
            })
            .collect()
    }

    /// These are being written by this server: says so once more.
    pub async fn beat_recordings(&self, ids: &[RecordingId]) -> Result<(), StoreError> {
        // Both databases take far more in one statement.
        for some in ids.chunks(500) {
            row::Entity::update_many()
                .col_expr(row::Column::Beats, Expr::col(row::Column::Beats).add(1))
                .filter(row::Column::Id.is_in(some.iter().map(ToString::to_string)))
                .filter(row::Column::State.eq(codec::word(RecordingState::Recording)?))
                .exec(&self.writer)
                .await?;
        }
        Ok(())
    }

    /// Those that ended before, oldest first, at most `count`.
    pub async fn recordings_ended_before(&self, before: Micros, count: u64) -> Result<Vec<Recording>, StoreError> {
        let old = row::Entity::find()
            .filter(row::Column::State.ne(codec::word(RecordingState::Recording)?))
            .filter(row::Column::Ended.lt(before.0))
            .order_by_asc(row::Column::Ended)
            .limit(count);
        old.all(&self.reader).await?.into_iter().map(Recording::try_from).collect()
    }

    /// What was kept of one that is being written. One that has ended stays as it is: false.
    pub async fn recording_grew(&self, id: RecordingId, bytes: u64, duration_ms: u64) -> Result<bool, StoreError> {
        let done = row::Entity::update_many()
            .col_expr(row::Column::Bytes, Expr::value(codec::big(bytes)))
            .col_expr(row::Column::DurationMs, Expr::value(codec::big(duration_ms)))
            .filter(row::Column::Id.eq(id.to_string()))
            .filter(row::Column::State.eq(codec::word(RecordingState::Recording)?))
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// Ends one that is being written, as `state` says. One that has ended stays as it is: false.
    pub async fn end_recording(
        &self,
        id: RecordingId,
        state: RecordingState,
        ended: Micros,
        bytes: u64,
        duration_ms: u64,
    ) -> Result<bool, StoreError> {
        let done = row::Entity::update_many()
            .col_expr(row::Column::State, Expr::value(codec::word(state)?))
            .col_expr(row::Column::Ended, Expr::value(ended.0))
            .col_expr(row::Column::Bytes, Expr::value(codec::big(bytes)))
            .col_expr(row::Column::DurationMs, Expr::value(codec::big(duration_ms)))
            .filter(row::Column::Id.eq(id.to_string()))
            .filter(row::Column::State.eq(codec::word(RecordingState::Recording)?))
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// So much of one that is written no more is in a bucket. One that is gone: false.
    pub async fn recording_moving(&self, id: RecordingId, moved_bytes: u64) -> Result<bool, StoreError> {
        let done = row::Entity::update_many()
            .col_expr(row::Column::MovedBytes, Expr::value(codec::big(moved_bytes)))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// All of it is in this bucket; how much that is may not have been known to whoever ended it. One that is gone: false.
    pub async fn recording_moved(
        &self,
        id: RecordingId,
        bucket: &str,
        bytes: u64,
        duration_ms: u64,
    ) -> Result<bool, StoreError> {
        let done = row::Entity::update_many()
            .col_expr(row::Column::Bucket, Expr::value(bucket))
            .col_expr(row::Column::MovedBytes, Expr::value(codec::big(bytes)))
            .col_expr(row::Column::Bytes, Expr::value(codec::big(bytes)))
            .col_expr(row::Column::DurationMs, Expr::value(codec::big(duration_ms)))
            .filter(row::Column::Id.eq(id.to_string()))
            .filter(row::Column::Bucket.eq(""))
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// Errors: `Missing`.
    pub async fn delete_recording(&self, id: RecordingId) -> Result<(), StoreError> {
        match row::Entity::delete_by_id(id.to_string()).exec(&self.writer).await?.rows_affected {
            0 => Err(StoreError::missing("recording", id)),
            _ => Ok(()),
        }
    }
}
