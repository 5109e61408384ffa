//! People.

use crate::clock::now;
use crate::over::to_its_end;
use crate::{Broker, BrokerError};
use oriel_identity as identity;
use oriel_model::{PoolId, Role, User, UserId};
use oriel_store::StoreError;
use secrecy::{ExposeSecret, SecretString};
use std::{collections::BTreeSet, net::IpAddr};

pub struct NewUser {
    pub name: String,
    pub role: Role,
    /// A one-time password is made when there is none.
    pub password: Option<SecretString>,
}

/// What an admin changes; `None` leaves it.
#[derive(Default)]
pub struct UserChange {
    pub role: Option<Role>,
    /// Those that a pool admin administers from now on. Whoever is made something else administers none.
    pub pools: Option<BTreeSet<PoolId>>,
    pub disabled: Option<bool>,
    /// Makes a new one-time password and signs the person out everywhere.
    pub reset_password: bool,
}

impl Broker {
    pub async fn users(&self) -> Result<Vec<User>, BrokerError> {
        Ok(self.inner.store.users().await?)
    }

    /// By id or by name.
    pub async fn find_user(&self, key: &str) -> Result<User, BrokerError> {
        let found = match key.parse::<UserId>() {
            Ok(id) => self.inner.store.user(id).await?,
            Err(_) => self.inner.store.user_by_name(key).await?.map(|(user, _)| user),
        };
        found.ok_or_else(|| BrokerError::missing("user", key))
    }

    /// The new user, and the one-time password when one was made.
    pub async fn create_user(&self, new: NewUser) -> Result<(User, Option<SecretString>), BrokerError> {
        self.create_user_with(new, &BTreeSet::new()).await
    }

    /// As [`Self::create_user`], with the pools that a pool admin administers; none for others.
    pub async fn create_user_with(
        &self,
        new: NewUser,
        pools: &BTreeSet<PoolId>,
    ) -> Result<(User, Option<SecretString>), BrokerError> {
        check_user_name(&new.name)?;
        Self::check_administered(new.role, pools)?;
        let (password, one_time) = match new.password {
            Some(password) => {
                check_password(&password, &new.name)?;
                (password, None)
            }
            None => {
                let password = identity::one_time_password();
                (password.clone(), Some(password))
            }
        };
        let user = User {
            id: UserId::new(),
            name: new.name,
            role: new.role,
            must_change_password: one_time.is_some(),
            disabled: false,
            created: now(),
        };
        let hash = hash(password).await?;
        self.inner.store.create_user(&user, &hash).await?;
        self.inner.store.set_administered(user.id, pools).await?;
        tracing::info!(user = %user.name, role = ?user.role, "User created");
        Ok((user, one_time))
    }

    /// The user as changed, and the one-time password when one was made.
    pub async fn change_user(
        &self,
        id: UserId,
        change: UserChange,
    ) -> Result<(User, Option<SecretString>), BrokerError> {
        let mut user = self.inner.store.user(id).await?.ok_or_else(|| BrokerError::missing("user", id))?;
        if change.reset_password {
            self.only_local_password(id).await?;
        }
        if let Some(role) = change.role {
            user.role = role;
        }
        let before = self.inner.store.administered(id).await?;
        let pools = match (change.pools, user.role) {
            (Some(pools), _) => pools,
            (None, Role::PoolAdmin) => before.clone(),
            (None, _) => BTreeSet::new(),
        };
        Self::check_administered(user.role, &pools)?;
        if let Some(disabled) = change.disabled {
            user.disabled = disabled;
        }
        self.inner.store.update_user(&user).await?;
        if pools != before {
            self.inner.store.set_administered(id, &pools).await?;
        }
        let mut one_time = None;
        if change.reset_password {
            let password = identity::one_time_password();
            self.inner.store.set_password(id, &hash(password.clone()).await?, true).await?;
            user.must_change_password = true;
            one_time = Some(password);
        }
        if change.reset_password {
            self.inner.store.delete_devices_of(id).await?;
        }
        if change.reset_password || user.disabled || change.role.is_some() {
            self.inner.store.delete_web_sessions_of(id).await?;
        }
        if user.disabled
            && let Some(sessions) = self.sessions()
        {
            sessions.end_user(id, "your account was disabled by an administrator").await;
        }
        if user.disabled {
            self.end_places(None, id).await?;
        }
        // Whoever still may looks on again.
        if (change.role.is_some() || pools != before)
            && user.role != Role::Admin
            && let Some(sessions) = self.sessions()
        {
            sessions.end_helping(id, "your role was changed by an administrator");
            let broker = self.clone();
            // Other people's desktops, which the role before may have opened anywhere.
            to_its_end(async move {
                broker.end_what_is_over(None, &[id]).await;
                Ok(())
            })
            .await?;
        }
        Ok((user, one_time))
    }

    pub async fn delete_user(&self, id: UserId) -> Result<(), BrokerError> {
        if !self.inner.store.desktops_of(id).await?.is_empty() {
            return Err(BrokerError::conflict(
                "user_has_desktops",
                "this person still has desktops",
                "delete their desktops or give them to somebody else first",
            ));
        }
        self.inner.store.delete_user(id).await?;
        if let Some(sessions) = self.sessions() {
            sessions.end_user(id, "your account was deleted by an administrator").await;
        }
        Ok(())
    }

    /// A person's own change; signs out every other browser of theirs, and forgets those that are remembered. Those who guess the current one are slowed down.
    pub async fn change_password(
        &self,
        user: &User,
        current: SecretString,
        new: SecretString,
        address: IpAddr,
    ) -> Result<(), BrokerError> {
        self.only_local_password(user.id).await?;
        self.prove(&user.name, current.clone(), address).await?;
        if current.expose_secret() == new.expose_secret() {
            return Err(BrokerError::invalid("weak_password", "the new password is the old one", "choose another one"));
        }
        check_password(&new, &user.name)?;
        self.inner.store.set_password(user.id, &hash(new).await?, false).await?;
        self.inner.store.delete_web_sessions_of(user.id).await?;
        self.inner.store.delete_devices_of(user.id).await?;
        Ok(())
    }

    /// At the first start: the user `admin` with a one-time password, when there is no admin yet.
    pub async fn ensure_admin(&self) -> Result<Option<(User, SecretString)>, BrokerError> {
        if self.inner.store.count_admins().await? > 0 {
            return Ok(None);
        }
        let new = NewUser { name: "admin".into(), role: Role::Admin, password: None };
        match self.create_user(new).await {
            Ok((user, Some(password))) => Ok(Some((user, password))),
            Ok((_, None)) => Ok(None),
            // Another program on the same database was first.
            Err(BrokerError::Store(StoreError::Taken { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn check_user_name(name: &str) -> Result<(), BrokerError> {
    let good = !name.is_empty()
        && name.chars().count() <= User::NAME_CHARS_MAX
        && name.chars().all(|c| c.is_alphanumeric() || "._-@+".contains(c))
        && name.starts_with(char::is_alphanumeric)
        && name != "local";
    if good {
        return Ok(());
    }
    Err(BrokerError::invalid(
        "bad_user_name",
        format!("{:?} cannot be a user name", name.chars().take(80).collect::<String>()),
        format!(
            "use 1 to {} letters, digits and . _ - @ +, starting with a letter or digit; \"local\" is taken by the command line",
            User::NAME_CHARS_MAX
        ),
    ))
}

fn check_password(password: &SecretString, user_name: &str) -> Result<(), BrokerError> {
    identity::check_strength(password, user_name).map_err(|weakness| {
        BrokerError::invalid("weak_password", weakness.to_string(), "choose a longer sentence of your own")
    })
}

/// Argon2 takes tens of milliseconds of one core: never on the threads that serve others.
pub(crate) async fn hash(password: SecretString) -> Result<String, BrokerError> {
    tokio::task::spawn_blocking(move || identity::hash_password(&password))
        .await
        .map_err(|error| BrokerError::internal("hashing a password", error))?
        .map_err(|error| BrokerError::internal("hashing a password", error))
}

pub(crate) async fn verify(hash: Option<String>, password: SecretString) -> Result<bool, BrokerError> {
    tokio::task::spawn_blocking(move || identity::verify_password(hash.as_deref(), &password))
        .await
        .map_err(|error| BrokerError::internal("checking a password", error))
}
