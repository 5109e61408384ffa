//! Programs that pools publish: people open them by themselves, without the desktop around them.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_identity::sha256_hex;
use oriel_model::{App, AppId, AppRun, Desktop, Pool, PoolId, PoolKind, User, check_icon};

/// Apps of one pool.
const APPS_MAX: usize = 200;

/// What an admin changes; `None` leaves it.
#[derive(Default)]
pub struct AppChange {
    pub name: Option<String>,
    /// As a whole.
    pub run: Option<AppRun>,
    /// Its picture, as PNG; `Some(None)` takes it away.
    pub icon: Option<Option<Vec<u8>>>,
}

impl Broker {
    /// Publishes a program of a pool's machines.
    ///
    /// Errors: invalid `bad_app`, `bad_icon`; conflict `too_many_apps`; `Taken` name in the pool.
    pub async fn create_app(
        &self,
        pool: &Pool,
        name: String,
        run: AppRun,
        png: Option<Vec<u8>>,
    ) -> Result<App, BrokerError> {
        let icon = png.as_deref().map(checked_icon).transpose()?;
        let app = checked(App { id: AppId::new(), pool: pool.id, name, run, icon, created: now() })?;
        if self.inner.store.apps_in(pool.id).await?.len() >= APPS_MAX {
            return Err(BrokerError::conflict(
                "too_many_apps",
                format!("{} publishes {APPS_MAX} apps already, the most that a pool may", pool.name),
                "delete some first: oriel app list",
            ));
        }
        self.inner.store.create_app(&app, png.as_deref()).await?;
        Ok(app)
    }

    /// For sessions that are opened from then on.
    pub async fn change_app(&self, id: AppId, change: AppChange) -> Result<App, BrokerError> {
        let mut app = self.inner.store.app(id).await?.ok_or_else(|| BrokerError::missing("app", id))?;
        app.name = change.name.unwrap_or(app.name);
        app.run = change.run.unwrap_or(app.run);
        if let Some(png) = &change.icon {
            app.icon = png.as_deref().map(checked_icon).transpose()?;
        }
        let app = checked(app)?;
        self.inner.store.update_app(&app, change.icon.as_ref().map(Option::as_deref)).await?;
        Ok(app)
    }

    /// What is open of it goes on.
    pub async fn delete_app(&self, id: AppId) -> Result<(), BrokerError> {
        Ok(self.inner.store.delete_app(id).await?)
    }

    /// Its picture, as PNG. Errors: `Missing` where it has none.
    pub async fn app_icon(&self, app: &App) -> Result<Vec<u8>, BrokerError> {
        self.inner.store.app_icon(app.id).await?.ok_or_else(|| BrokerError::missing("icon", &app.name))
    }

    /// Everybody's, by name.
    pub async fn apps(&self) -> Result<Vec<App>, BrokerError> {
        Ok(self.inner.store.apps().await?)
    }

    /// Those of pools that the person may use, by name.
    pub async fn apps_for(&self, user: &User) -> Result<Vec<App>, BrokerError> {
        Ok(self.inner.store.apps_for(user.id).await?)
    }

    /// By its id.
    pub async fn find_app(&self, key: &str) -> Result<App, BrokerError> {
        let missing = || BrokerError::missing("app", key);
        let id: AppId = key.parse().map_err(|_| missing())?;
        self.inner.store.app(id).await?.ok_or_else(missing)
    }

    /// As [`Self::find_app`], for who may use its pool; for others it is missing.
    pub async fn find_app_for(&self, user: &User, key: &str) -> Result<App, BrokerError> {
        let app = self.find_app(key).await?;
        if self.may_have_of(app.pool, user).await? { Ok(app) } else { Err(BrokerError::missing("app", key)) }
    }

    /// The machine on which the person runs an app: what they have of its pool, or what is given to them now. Of machines that everybody
    /// opens it is the first that answered.
    ///
    /// Errors: those of [`Self::take_desktop`]; conflict `no_machine`.
    pub async fn desktop_for_app(&self, user: &User, app: &App) -> Result<Desktop, BrokerError> {
        let pool = self.pool_named(app.pool).await?;
        if pool.kind != PoolKind::External {
            return self.take_desktop(user, &pool).await;
        }
        if !self.may_have_of(pool.id, user).await? {
            return Err(BrokerError::missing("app", &app.name));
        }
        let mut machines = self.machines(&pool).await?;
        machines.retain(|machine| {
            let opens = |external: &oriel_model::External| external.protocol == oriel_model::MachineProtocol::Rdp;
            machine.external.as_ref().is_some_and(opens) && machine.owner.is_none_or(|owner| owner == user.id)
        });
        // Their own before everybody's, what answers before what does not.
        machines.sort_by_key(|machine| (machine.owner.is_none(), machine.failure.is_some()));
        machines.into_iter().next().ok_or_else(|| {
            BrokerError::conflict(
                "no_machine",
                format!("{} has no machine for you that speaks rdp", pool.name),
                "ask an administrator to enter one",
            )
        })
    }

    async fn pool_named(&self, id: PoolId) -> Result<Pool, BrokerError> {
        self.inner.store.pool(id).await?.ok_or_else(|| BrokerError::missing("pool", id))
    }
}

/// What it is known again by.
fn checked_icon(png: &[u8]) -> Result<String, BrokerError> {
    match check_icon(png) {
        Ok(()) => Ok(sha256_hex(png)),
        Err(text) => Err(BrokerError::invalid("bad_icon", text, "send a PNG of at most 64 KiB and 512 by 512 pixels")),
    }
}

fn checked(app: App) -> Result<App, BrokerError> {
    match app.check() {
        Ok(()) => Ok(app),
        Err(text) => Err(BrokerError::invalid("bad_app", text, "mend that, and send it again")),
    }
}
