//! Accounts of people on session hosts.
//!
//! Whoever wants one opened or closed writes that down first, with a number that is higher than all before, and tells the host then: of two
//! that are under way, the host keeps to the later one. Both hold the host's row, as whoever gives a place there or takes it back does.

use crate::{
    Store, StoreError, codec,
    desktop::{locked, row as desktop_row},
    place, seam,
};
use oriel_model::{ACCOUNT_PROBLEM_CHARS_MAX, AccountState, DesktopId, HostAccount, Micros, PoolId, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::{Expr, Query},
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "host_account")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub desktop_id: String,
        pub user_id: String,
        pub generation: i64,
        pub name: Option<String>,
        pub state: String,
        pub number: i64,
        pub sealed: Option<String>,
        pub problem: Option<String>,
        pub changed: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for HostAccount {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            host: codec::parse("account", &row.desktop_id)?,
            user: codec::parse("account", &row.user_id)?,
            generation: codec::number("account", row.generation)?,
            name: row.name,
            state: codec::from_word("account", row.state)?,
            number: row.number,
            sealed: row.sealed,
            problem: row.problem,
            changed: Micros(row.changed),
        })
    }
}

fn to_row(account: &HostAccount) -> Result<row::Model, StoreError> {
    Ok(row::Model {
        id: key(account.host, account.user),
        desktop_id: account.host.to_string(),
        user_id: account.user.to_string(),
        generation: i64::from(account.generation),
        name: account.name.clone(),
        state: codec::word(account.state)?,
        number: account.number,
        sealed: account.sealed.clone(),
        problem: account.problem.clone(),
        changed: account.changed.0,
    })
}

/// What is one of an account.
fn key(host: DesktopId, user: UserId) -> String {
    format!("{host}/{user}")
}

impl Store {
    /// Somebody with a place on a host is about to sign in there, by this name: with the password that the host knows, or with `sealed` when
    /// there is none. `None` when they have no place there, or the host is of another generation by now.
    ///
    /// Errors: `Missing` host; `Taken` when somebody else's account there is called so.
    pub async fn open_account(
        &self,
        (host, generation): (DesktopId, u32),
        user: UserId,
        name: &str,
        sealed: &str,
        now: Micros,
    ) -> Result<Option<HostAccount>, StoreError> {
        let txn = self.begin().await?;
        let desktop = locked(&txn, host).await?;
        if desktop.generation != generation || !place::is_on(&txn, host, user).await? {
            return Ok(None);
        }
        // What was made before the host was made anew is on no disk any more.
        row::Entity::delete_many()
            .filter(row::Column::DesktopId.eq(host.to_string()))
            .filter(row::Column::Generation.ne(i64::from(generation)))
            .exec(&txn)
            .await?;
        let before =
            row::Entity::find_by_id(key(host, user)).one(&txn).await?.map(HostAccount::try_from).transpose()?;
        let stays = |state| matches!(state, AccountState::Asked | AccountState::Ready | AccountState::Theirs);
        let open = before.as_ref().filter(|one| stays(one.state));
        // Whoever is called otherwise by now keeps an account that is not closed yet: under another name nobody would ever end what runs in it.
        let known = before.as_ref().filter(|one| one.state != AccountState::Closed).and_then(|one| one.name.clone());
        let account = HostAccount {
            host,
            user,
            generation,
            name: Some(known.unwrap_or_else(|| name.to_owned())),
            state: open.map_or(AccountState::Asked, |one| one.state),
            number: before.as_ref().map_or(now.0, |one| now.0.max(one.number.saturating_add(1))),
            sealed: Some(open.and_then(|one| one.sealed.clone()).unwrap_or_else(|| sealed.to_owned())),
            problem: open.and_then(|one| one.problem.clone()),
            changed: now,
        };
        let written = to_row(&account)?.into_active_model().reset_all();
        let written = match before {
            Some(_) => written.update(&txn).await.map(drop),
            None => row::Entity::insert(written).exec_without_returning(&txn).await.map(drop),
        };
        written.map_err(|error| StoreError::taken(error, "account", name))?;
        txn.commit().await?;
        Ok(Some(account))
    }

    /// Somebody with a place on a host may have no account there, and why: for them to read. One that they have stays.
    ///
    /// Errors: `Missing` host.
    pub async fn refuse_account(
        &self,
        (host, generation): (DesktopId, u32),
        user: UserId,
        problem: &str,
        now: Micros,
    ) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let desktop = locked(&txn, host).await?;
        if desktop.generation != generation || !place::is_on(&txn, host, user).await? {
            return Ok(());
        }
        let before =
            row::Entity::find_by_id(key(host, user)).one(&txn).await?.map(HostAccount::try_from).transpose()?;
        let account = HostAccount {
            host,
            user,
            generation,
            name: before.as_ref().and_then(|one| one.name.clone()),
            state: AccountState::Refused,
            number: before.as_ref().map_or(now.0, |one| now.0.max(one.number.saturating_add(1))),
            sealed: None,
            problem: Some(problem.chars().take(ACCOUNT_PROBLEM_CHARS_MAX).collect()),
            changed: now,
        };
        let written = to_row(&account)?.into_active_model().reset_all();
        match before {
            Some(_) => written.update(&txn).await.map(drop)?,
            None => row::Entity::insert(written).exec_without_returning(&txn).await.map(drop)?,
        }
        txn.commit().await?;
        Ok(())
    }

    /// The account of somebody who has no place on its host any more is to be closed. `None` when they have one again, or there is nothing
    /// to be closed.
    pub async fn close_account(
        &self,
        host: DesktopId,
        user: UserId,
        now: Micros,
    ) -> Result<Option<HostAccount>, StoreError> {
        let txn = self.begin().await?;
        let desktop = match locked(&txn, host).await {
            Ok(desktop) => desktop,
            // And its accounts with it.
            Err(StoreError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let before =
            row::Entity::find_by_id(key(host, user)).one(&txn).await?.map(HostAccount::try_from).transpose()?;
        let Some(mut account) = before.filter(|one| one.state != AccountState::Closed) else { return Ok(None) };
        if place::is_on(&txn, host, user).await? {
            return Ok(None);
        }
        if account.generation != desktop.generation {
            row::Entity::delete_by_id(key(host, user)).exec(&txn).await?;
            txn.commit().await?;
            return Ok(None);
        }
        account.number = now.0.max(account.number.saturating_add(1));
        (account.state, account.sealed, account.changed) = (AccountState::Closing, None, now);
        to_row(&account)?.into_active_model().reset_all().update(&txn).await?;
        txn.commit().await?;
        Ok(Some(account))
    }

    /// What came of an order to a host, where nothing was asked for since: what its account is now, or why nothing came of it.
    pub async fn account_said(
        &self,
        account: &HostAccount,
        said: Result<AccountState, &str>,
        now: Micros,
    ) -> Result<(), StoreError> {
        seam::pass().await;
        let mut update = row::Entity::update_many().col_expr(row::Column::Changed, Expr::value(now.0));
        let problem = match said {
            Ok(state) => {
                update = update.col_expr(row::Column::State, Expr::value(codec::word(state)?));
                None
            }
            Err(problem) => Some(problem.chars().take(ACCOUNT_PROBLEM_CHARS_MAX).collect::<String>()),
        };
        update
            .col_expr(row::Column::Problem, Expr::value(problem))
            .filter(row::Column::Id.eq(key(account.host, account.user)))
            .filter(row::Column::Number.eq(account.number))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// All accounts on the hosts of a pool, closed ones included.
    pub async fn accounts_in(&self, pool: PoolId) -> Result<Vec<HostAccount>, StoreError> {
        let hosts = Query::select()
            .column(desktop_row::Column::Id)
            .from(desktop_row::Entity)
            .and_where(desktop_row::Column::PoolId.eq(pool.to_string()))
            .to_owned();
        let rows = row::Entity::find().filter(row::Column::DesktopId.in_subquery(hosts)).order_by_asc(row::Column::Id);
        rows.all(&self.reader).await?.into_iter().map(HostAccount::try_from).collect()
    }

    /// Those of one person, closed ones included.
    pub async fn accounts_of(&self, user: UserId) -> Result<Vec<HostAccount>, StoreError> {
        let rows = row::Entity::find().filter(row::Column::UserId.eq(user.to_string())).order_by_asc(row::Column::Id);
        rows.all(&self.reader).await?.into_iter().map(HostAccount::try_from).collect()
    }
}
