//! Who is signed in: browsers and programs. Only SHA-256 of their secrets is kept.

use crate::{Store, StoreError, codec, ticket};
use oriel_model::{ApiToken, Micros, SignInStep, TokenId, TokenScope, User, UserId, WebSession};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

mod web {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "web_session")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_sha256: String,
        pub user_id: String,
        pub csrf: String,
        pub created: i64,
        pub expires: i64,
        pub locked: bool,
        pub step: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod api {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "api_token")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub token_sha256: String,
        pub user_id: String,
        pub label: String,
        pub created: i64,
        pub expires: Option<i64>,
        /// JSON.
        pub scope: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<web::Model> for WebSession {
    type Error = StoreError;
    fn try_from(row: web::Model) -> Result<Self, StoreError> {
        Ok(Self {
            token_sha256: row.token_sha256,
            user: codec::parse("web session", &row.user_id)?,
            csrf: row.csrf,
            created: Micros(row.created),
            expires: Micros(row.expires),
            locked: row.locked,
            step: row.step.map(|step| codec::from_word("web session", step)).transpose()?.unwrap_or_default(),
        })
    }
}

impl TryFrom<api::Model> for ApiToken {
    type Error = StoreError;
    fn try_from(row: api::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("token", &row.id)?,
            token_sha256: row.token_sha256,
            user: codec::parse("token", &row.user_id)?,
            label: row.label,
            created: Micros(row.created),
            expires: row.expires.map(Micros),
            scope: row.scope.map(|scope| codec::from_json("token", &scope)).transpose()?.unwrap_or_default(),
        })
    }
}

/// Browsers that one person is signed in from; the longest unused one gives way to one more.
pub const WEB_SESSIONS_PER_USER_MAX: u64 = 64;

/// How many rows had expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub web_sessions: u64,
    pub api_tokens: u64,
    pub tickets: u64,
}

impl Store {
    /// Adds a session; for one that is there already, moves its expiry (and nothing else).
    /// Errors: `Missing` when the user has gone meanwhile.
    pub async fn put_web_session(&self, session: &WebSession) -> Result<(), StoreError> {
        let row = web::Model {
            token_sha256: session.token_sha256.clone(),
            user_id: session.user.to_string(),
            csrf: session.csrf.clone(),
            created: session.created.0,
            expires: session.expires.0,
            locked: session.locked,
            step: (session.step != SignInStep::Done).then(|| codec::word(session.step)).transpose()?,
        };
        web::Entity::insert(row.into_active_model())
            .on_conflict(OnConflict::column(web::Column::TokenSha256).update_column(web::Column::Expires).to_owned())
            .exec_without_returning(&self.writer)
            .await
            .map_err(|error| StoreError::dangling(error, "user", session.user))?;
        let surplus: Vec<String> = web::Entity::find()
            .select_only()
            .column(web::Column::TokenSha256)
            .filter(web::Column::UserId.eq(session.user.to_string()))
            // One that waits for the second factor ends soon, and still must not give way to itself.
            .filter(web::Column::TokenSha256.ne(&session.token_sha256))
            .order_by_desc(web::Column::Expires)
            .offset(WEB_SESSIONS_PER_USER_MAX - 1)
            .limit(WEB_SESSIONS_PER_USER_MAX)
            .into_tuple()
            .all(&self.writer)
            .await?;
        if !surplus.is_empty() {
            let gone = web::Entity::delete_many().filter(web::Column::TokenSha256.is_in(surplus));
            gone.exec(&self.writer).await?;
        }
        Ok(())
    }

    /// Moves the expiry of a session that is in use. One that was signed out meanwhile stays signed out: false.
    pub async fn extend_web_session(&self, token_sha256: &str, expires: Micros) -> Result<bool, StoreError> {
        let done = web::Entity::update_many()
            .col_expr(web::Column::Expires, Expr::value(expires.0))
            .filter(web::Column::TokenSha256.eq(token_sha256))
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// Locks a session, or opens it again; one that is gone stays gone.
    pub async fn lock_web_session(&self, token_sha256: &str, locked: bool) -> Result<(), StoreError> {
        web::Entity::update_many()
            .col_expr(web::Column::Locked, Expr::value(locked))
            .filter(web::Column::TokenSha256.eq(token_sha256))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// The second factor was right: the session is whole, and lasts. One that is gone stays gone: false.
    pub async fn finish_web_session(&self, token_sha256: &str, expires: Micros) -> Result<bool, StoreError> {
        let done = web::Entity::update_many()
            .col_expr(web::Column::Step, Expr::value(None::<String>))
            .col_expr(web::Column::Expires, Expr::value(expires.0))
            .filter(web::Column::TokenSha256.eq(token_sha256))
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// Who holds this cookie, unless it has expired at `now` or its user is disabled, here or where they come from.
    pub async fn web_session(&self, token_sha256: &str, now: Micros) -> Result<Option<(WebSession, User)>, StoreError> {
        let row =
            web::Entity::find_by_id(token_sha256).filter(web::Column::Expires.gt(now.0)).one(&self.reader).await?;
        let Some(session) = row.map(WebSession::try_from).transpose()? else { return Ok(None) };
        Ok(self.enabled(session.user).await?.map(|user| (session, user)))
    }

    /// Signing out twice is no error.
    pub async fn delete_web_session(&self, token_sha256: &str) -> Result<(), StoreError> {
        web::Entity::delete_by_id(token_sha256).exec(&self.writer).await?;
        Ok(())
    }

    /// Signs the user out everywhere; how many browsers that were.
    pub async fn delete_web_sessions_of(&self, user: UserId) -> Result<u64, StoreError> {
        let mine = web::Entity::delete_many().filter(web::Column::UserId.eq(user.to_string()));
        Ok(mine.exec(&self.writer).await?.rows_affected)
    }

    /// Errors: `Missing` when the user has gone meanwhile.
    pub async fn put_api_token(&self, token: &ApiToken) -> Result<(), StoreError> {
        let row = api::Model {
            id: token.id.to_string(),
            token_sha256: token.token_sha256.clone(),
            user_id: token.user.to_string(),
            label: token.label.clone(),
            created: token.created.0,
            expires: token.expires.map(|at| at.0),
            scope: (token.scope != TokenScope::All).then(|| codec::json(&token.scope)).transpose()?,
        };
        api::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::dangling(error, "user", token.user))
    }

    /// Who holds this token, unless it has expired at `now` or its user is disabled, here or where they come from.
    pub async fn api_token_by_hash(
        &self,
        token_sha256: &str,
        now: Micros,
    ) -> Result<Option<(ApiToken, User)>, StoreError> {
        let row = api::Entity::find()
            .filter(api::Column::TokenSha256.eq(token_sha256))
            .filter(api::Column::Expires.is_null().or(api::Column::Expires.gt(now.0)))
            .one(&self.reader)
            .await?;
        let Some(token) = row.map(ApiToken::try_from).transpose()? else { return Ok(None) };
        Ok(self.enabled(token.user).await?.map(|user| (token, user)))
    }

    /// The user's tokens, oldest first.
    pub async fn api_tokens_of(&self, user: UserId) -> Result<Vec<ApiToken>, StoreError> {
        let rows = api::Entity::find()
            .filter(api::Column::UserId.eq(user.to_string()))
            .order_by_asc(api::Column::Id)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(ApiToken::try_from).collect()
    }

    /// Errors: `Missing`, also when the token is another user's.
    pub async fn delete_api_token(&self, id: TokenId, user: UserId) -> Result<(), StoreError> {
        let mine = api::Entity::delete_by_id(id.to_string()).filter(api::Column::UserId.eq(user.to_string()));
        match mine.exec(&self.writer).await?.rows_affected {
            0 => Err(StoreError::missing("token", id)),
            _ => Ok(()),
        }
    }

    /// Forgets web sessions, tokens, tickets and remembered browsers that have expired at `now`.
    pub async fn delete_expired(&self, now: Micros) -> Result<Expired, StoreError> {
        let web = web::Entity::delete_many().filter(web::Column::Expires.lte(now.0));
        let api = api::Entity::delete_many().filter(api::Column::Expires.lte(now.0));
        let tickets = ticket::row::Entity::delete_many().filter(ticket::row::Column::Expires.lte(now.0));
        self.delete_expired_devices(now).await?;
        self.delete_expired_sign_ins(now).await?;
        Ok(Expired {
            web_sessions: web.exec(&self.writer).await?.rows_affected,
            api_tokens: api.exec(&self.writer).await?.rows_affected,
            tickets: tickets.exec(&self.writer).await?.rows_affected,
        })
    }

    async fn enabled(&self, user: UserId) -> Result<Option<User>, StoreError> {
        let (user, out, refused) =
            tokio::try_join!(self.user(user), self.is_out_of_directory(user), self.is_refused_by_provider(user))?;
        Ok(user.filter(|user| !user.disabled && !out && !refused))
    }
}
