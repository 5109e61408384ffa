//! Desktops: what people may ask of them. Only the reconciler moves them along.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{Desktop, DesktopFacts, DesktopId, DesktopIntent, DesktopState, Name, Pool, Role, StartStep, User};
use oriel_store::StoreError;

/// What an admin asks for.
pub struct NewDesktop {
    pub pool: Pool,
    pub owner: Option<User>,
    /// `{pool}-{n}` when not given.
    pub name: Option<Name>,
}

impl Broker {
    /// All desktops that the person may see: their own, or everybody's for an admin who asks for all.
    pub async fn desktops(&self, user: &User, all: bool) -> Result<Vec<Desktop>, BrokerError> {
        Ok(if all && user.role == Role::Admin {
            self.inner.store.desktops().await?
        } else {
            self.inner.store.desktops_of(user.id).await?
        })
    }

    /// By id or by name; somebody else's desktop is as missing as one that never was.
    pub async fn find_desktop(&self, user: &User, key: &str) -> Result<Desktop, BrokerError> {
        let missing = || BrokerError::missing("desktop", key);
        let found = match key.parse::<DesktopId>() {
            Ok(id) => self.inner.store.desktop(id).await?,
            Err(_) => self.inner.store.desktop_by_name(&key.parse().map_err(|_| missing())?).await?,
        };
        found.filter(|desktop| may_use(user, desktop)).ok_or_else(missing)
    }

    pub async fn desktops_in_pool(&self, pool: &Pool) -> Result<Vec<Desktop>, BrokerError> {
        Ok(self.inner.store.desktops_in_pool(pool.id).await?)
    }

    pub async fn create_desktop(&self, new: NewDesktop) -> Result<Desktop, BrokerError> {
        if let Some(owner) = &new.owner
            && owner.role != Role::Admin
            && !self.inner.store.entitled(new.pool.id, owner.id).await?
        {
            return Err(BrokerError::conflict(
                "not_entitled",
                format!("{} may not use the pool {}", owner.name, new.pool.name),
                format!("allow it first: oriel pool allow {} {}", new.pool.name, owner.name),
            ));
        }
        let mut number = 0;
        loop {
            number += 1;
            let name = match &new.name {
                Some(name) => name.clone(),
                None => format!("{}-{number}", new.pool.name).parse().map_err(|error: oriel_model::NameError| {
                    BrokerError::invalid("bad_name", error.to_string(), "give the desktop a name of its own")
                })?,
            };
            let desktop = Desktop {
                id: DesktopId::new(),
                name,
                pool: new.pool.id,
                owner: new.owner.as_ref().map(|owner| owner.id),
                intent: DesktopIntent::Running,
                state: DesktopState::Requested,
                failure: None,
                step: Some(StartStep::Placing),
                generation: 0,
                host: None,
                port_base: None,
                facts: DesktopFacts::default(),
                created: now(),
                changed: now(),
            };
            match self.inner.store.create_desktop(&desktop).await {
                Ok(()) => {
                    self.wake_desktops();
                    return Ok(desktop);
                }
                // Names of our own making count up; a name that was asked for is an answer.
                Err(StoreError::Taken { .. }) if new.name.is_none() && number < 10_000 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What the person wants of a desktop from now on.
    pub async fn set_intent(&self, id: DesktopId, intent: DesktopIntent) -> Result<Desktop, BrokerError> {
        let desktop = self
            .inner
            .store
            .modify_desktop(id, |desktop| {
                // Deleting is for good: nothing that was asked at the same time brings a desktop back. Nor is a wipe
                // that was promised lost to a start, with which it ends anyway.
                let promised = match desktop.intent {
                    DesktopIntent::Deleted => true,
                    DesktopIntent::Recycle => matches!(intent, DesktopIntent::Running | DesktopIntent::Restart),
                    _ => false,
                };
                if !promised {
                    if desktop.intent == DesktopIntent::Recycle
                        && intent == DesktopIntent::Stopped
                        && desktop.host.is_some()
                    {
                        // Wiped first, then switched off: being provisioned anew removes the old machine.
                        desktop.state = DesktopState::Recycling;
                    }
                    // Starting what failed is trying again.
                    let again = intent == DesktopIntent::Running && desktop.state == DesktopState::Failed;
                    desktop.intent = if again { DesktopIntent::Restart } else { intent };
                    if desktop.state == DesktopState::Stopped && intent == DesktopIntent::Running {
                        desktop.step = Some(StartStep::Booting);
                    }
                }
            })
            .await?;
        self.wake_desktops();
        Ok(desktop)
    }
}

fn may_use(user: &User, desktop: &Desktop) -> bool {
    user.role == Role::Admin || desktop.owner == Some(user.id)
}
