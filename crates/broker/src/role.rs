//! Who may do what: roles, and the pools of pool admins.

use crate::{Broker, BrokerError};
use oriel_model::{Desktop, DesktopId, Grants, Permission, Pool, PoolId, Role, TokenScope, User, UserId};
use std::collections::{BTreeSet, HashMap};

impl Broker {
    /// What somebody may do with a token of this scope, or by themselves.
    pub async fn grants(&self, user: &User, scope: TokenScope) -> Result<Grants, BrokerError> {
        let pools = match user.role {
            Role::PoolAdmin => self.inner.store.administered(user.id).await?,
            _ => BTreeSet::new(),
        };
        Ok(Grants { scope, ..Grants::of(user.role, pools) })
    }

    /// The pools that somebody administers.
    pub async fn administered(&self, user: UserId) -> Result<Vec<Pool>, BrokerError> {
        let ids = self.inner.store.administered(user).await?;
        Ok(self.pools().await?.into_iter().filter(|pool| ids.contains(&pool.id)).collect())
    }

    /// The pools of everybody who administers some, for lists.
    pub async fn administered_by_user(&self) -> Result<HashMap<UserId, Vec<Pool>>, BrokerError> {
        let (pools, admins) = tokio::try_join!(self.inner.store.pools(), self.inner.store.pool_admins())?;
        let mut of: HashMap<UserId, Vec<Pool>> = HashMap::new();
        for pool in pools {
            for (user, _) in admins.iter().filter(|(_, id)| *id == pool.id) {
                of.entry(*user).or_default().push(pool.clone());
            }
        }
        Ok(of)
    }

    /// The pools that a role goes with: those of a pool admin, who needs one, and nobody else's.
    pub(crate) fn check_administered(role: Role, pools: &BTreeSet<PoolId>) -> Result<(), BrokerError> {
        match (role, pools.is_empty()) {
            (Role::PoolAdmin, true) => Err(BrokerError::invalid(
                "no_pools",
                "a pool admin administers some pools, and none is named",
                "name the pools",
            )),
            (Role::PoolAdmin, false) | (_, true) => Ok(()),
            (_, false) => Err(BrokerError::invalid(
                "pools_without_role",
                "only pool admins have pools to administer",
                "give the role pool_admin, or leave the pools out",
            )),
        }
    }

    /// By id or by name, for what somebody wants to do: with their own (and the machines without an owner of pools that allow
    /// them), or with others' as their role allows.
    ///
    /// # Errors
    /// `Missing` for what they may not know of, `Forbidden` for what they may see and not do.
    pub async fn find_desktop_for(
        &self,
        user: &User,
        grants: &Grants,
        key: &str,
        to: Permission,
    ) -> Result<Desktop, BrokerError> {
        let desktop = self.any_desktop(key).await?;
        let is_theirs = self.is_theirs(user, &desktop).await?;
        // Who has a place on a host opens it; what becomes of it is not theirs to say.
        let is_enough = desktop.owner.is_some()
            || desktop.external.is_some()
            || matches!(to, Permission::DesktopsUse | Permission::DesktopsRead);
        if (is_theirs && is_enough && grants.scope.includes(to)) || grants.may_in(to, desktop.pool) {
            return Ok(desktop);
        }
        Err(refused(is_theirs, grants, &desktop, key))
    }

    /// As [`Self::find_desktop_for`], of what owners have no say in.
    pub async fn find_desktop_as(
        &self,
        user: &User,
        grants: &Grants,
        key: &str,
        to: Permission,
    ) -> Result<Desktop, BrokerError> {
        let desktop = self.any_desktop(key).await?;
        if grants.may_in(to, desktop.pool) {
            return Ok(desktop);
        }
        Err(refused(self.is_theirs(user, &desktop).await?, grants, &desktop, key))
    }

    /// Whether they may have a desktop of the pool: by themselves or a group of theirs, or as their role allows.
    pub async fn may_take_of(
        &self,
        user: &User,
        grants: &Grants,
        pool: PoolId,
        to: Permission,
    ) -> Result<bool, BrokerError> {
        let theirs = grants.scope.includes(to) && self.inner.store.entitled(pool, user.id).await?;
        Ok(theirs || grants.may_in(to, pool))
    }

    /// Whichever it is, whoever asks.
    pub(crate) async fn any_desktop(&self, key: &str) -> Result<Desktop, BrokerError> {
        let missing = || BrokerError::missing("desktop", key);
        let found = match key.parse::<DesktopId>() {
            Ok(id) => self.inner.store.desktop(id).await?,
            Err(_) => self.inner.store.desktop_by_name(&key.parse().map_err(|_| missing())?).await?,
        };
        found.ok_or_else(missing)
    }

    /// What they own, the machines without an owner of pools that let them in, and the session hosts on which they have a place as long as
    /// their pool lets them in.
    pub(crate) async fn is_theirs(&self, user: &User, desktop: &Desktop) -> Result<bool, BrokerError> {
        if desktop.owner == Some(user.id) {
            return Ok(true);
        }
        if desktop.owner.is_some() {
            return Ok(false);
        }
        let store = &self.inner.store;
        let shared = store.has_place(desktop.id, user.id).await?
            || desktop.external.is_some() && !self.is_session_host(desktop.pool).await?;
        Ok(shared && store.entitled(desktop.pool, user.id).await?)
    }

    /// The pool of a desktop that somebody may do this with.
    pub async fn desktop_pool(&self, desktop: DesktopId) -> Result<PoolId, BrokerError> {
        let found = self.inner.store.desktop(desktop).await?;
        Ok(found.ok_or_else(|| BrokerError::missing("desktop", desktop))?.pool)
    }
}

fn refused(is_theirs: bool, grants: &Grants, desktop: &Desktop, key: &str) -> BrokerError {
    if is_theirs || grants.may_in(Permission::DesktopsRead, desktop.pool) {
        let text = format!("neither your role nor your token lets you do this with {}", desktop.name);
        return BrokerError::Forbidden { code: "admin_only", text };
    }
    BrokerError::missing("desktop", key)
}
