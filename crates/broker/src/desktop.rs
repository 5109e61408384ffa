//! Desktops: what people may ask of them. Only the reconciler moves them along.

use crate::capture::held_for_capture;
use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{
    Desktop, DesktopFacts, DesktopId, DesktopIntent, DesktopState, Name, Permission, Pool, PoolId, PoolKind, Seat,
    StartStep, TokenScope, User,
};
use oriel_store::StoreError;

/// What an admin asks for.
pub struct NewDesktop {
    pub pool: Pool,
    pub owner: Option<User>,
    /// `{pool}-{n}` when not given.
    pub name: Option<Name>,
}

impl Broker {
    /// All desktops that the person may see: their own and the external machines of their pools, or all that their role shows when they
    /// ask for all.
    pub async fn desktops(&self, user: &User, all: bool) -> Result<Vec<Desktop>, BrokerError> {
        let grants = self.grants(user, TokenScope::All).await?;
        if !all || !grants.may_somewhere(Permission::DesktopsRead) {
            return Ok(self.inner.store.desktops_for(user.id).await?);
        }
        let mut desktops = self.inner.store.desktops().await?;
        desktops.retain(|desktop| grants.may_in(Permission::DesktopsRead, desktop.pool));
        Ok(desktops)
    }

    /// Everybody's, whoever asks.
    pub async fn all_desktops(&self) -> Result<Vec<Desktop>, BrokerError> {
        Ok(self.inner.store.desktops().await?)
    }

    /// By id or by name, to be opened; somebody else's desktop is as missing as one that never was.
    pub async fn find_desktop(&self, user: &User, key: &str) -> Result<Desktop, BrokerError> {
        let grants = self.grants(user, TokenScope::All).await?;
        self.find_desktop_for(user, &grants, key, Permission::DesktopsUse).await
    }

    pub async fn desktops_in_pool(&self, pool: &Pool) -> Result<Vec<Desktop>, BrokerError> {
        Ok(self.inner.store.desktops_in_pool(pool.id).await?)
    }

    pub async fn create_desktop(&self, new: NewDesktop) -> Result<Desktop, BrokerError> {
        self.make_desktop(new, None).await
    }

    /// With a seat, it is the owner's for now: who asked their pool for one.
    pub(crate) async fn make_desktop(&self, new: NewDesktop, seat: Option<Seat>) -> Result<Desktop, BrokerError> {
        if new.pool.is_external() {
            return Err(BrokerError::conflict(
                "external_pool",
                format!("{} holds external machines: Oriel cannot make one", new.pool.name),
                format!(
                    "enter a machine's address: oriel machine add {} --name NAME --protocol rdp --address HOST",
                    new.pool.name
                ),
            ));
        }
        if let (PoolKind::SessionHost, Some(owner)) = (new.pool.kind, &new.owner) {
            return Err(BrokerError::conflict(
                "session_host_pool",
                format!("hosts of {} are shared by many people, and nobody's", new.pool.name),
                format!("give {} a place: oriel desktop take {} --user {}", owner.name, new.pool.name, owner.name),
            ));
        }
        self.check_owner(&new.pool, new.owner.as_ref()).await?;
        let next = self.tried_version(&new.pool).await?;
        // The lowest that is free, most likely: others may be as quick.
        let mut number = match &new.name {
            Some(_) => 0,
            None => {
                let taken = self.inner.store.numbers_in_pool(new.pool.id, &new.pool.name).await?;
                taken.into_iter().zip(1..).take_while(|(number, place)| number == place).count()
            }
        };
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
                facts: DesktopFacts { seat, next, ..DesktopFacts::default() },
                external: None,
                created: now(),
                changed: now(),
            };
            match self.inner.store.create_desktop(&desktop).await {
                Ok(()) => {
                    self.wake_desktop(desktop.id);
                    self.wake_pool(desktop.pool);
                    return Ok(desktop);
                }
                // Names of our own making count up; a name that was asked for is an answer.
                Err(StoreError::Taken { what, .. }) if what != "seat" && new.name.is_none() && number < 10_000 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whose a desktop becomes must be allowed to use its pool.
    pub(crate) async fn check_owner(&self, pool: &Pool, owner: Option<&User>) -> Result<(), BrokerError> {
        match owner {
            Some(owner) if !self.may_have_of(pool.id, owner).await? => Err(BrokerError::conflict(
                "not_entitled",
                format!("{} may not use the pool {}", owner.name, pool.name),
                format!("allow it first, or a group of theirs: oriel pool allow {} {}", pool.name, owner.name),
            )),
            _ => Ok(()),
        }
    }

    /// By their role, by themselves or by a group of theirs.
    pub(crate) async fn may_have_of(&self, pool: PoolId, owner: &User) -> Result<bool, BrokerError> {
        let grants = self.grants(owner, TokenScope::All).await?;
        Ok(grants.may_in(Permission::DesktopsUse, pool) || self.inner.store.entitled(pool, owner.id).await?)
    }

    /// What the person wants of a desktop from now on. An external machine can only be deleted.
    ///
    /// Errors: `Missing`; conflict `external_machine`; `OverQuota` when more would run than its owner may have.
    pub async fn set_intent(&self, id: DesktopId, intent: DesktopIntent) -> Result<Desktop, BrokerError> {
        self.intend(id, intent, false).await
    }

    /// Cuts a desktop's power, as a button does that is held: its system is not asked, and what is not saved is lost.
    pub async fn cut_power(&self, id: DesktopId) -> Result<Desktop, BrokerError> {
        self.intend(id, DesktopIntent::Stopped, true).await
    }

    async fn intend(&self, id: DesktopId, intent: DesktopIntent, cut: bool) -> Result<Desktop, BrokerError> {
        let found = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("desktop", id))?;
        if found.external.is_some() {
            if intent == DesktopIntent::Deleted {
                return self.delete_machine(&found).await;
            }
            return Err(BrokerError::conflict(
                "external_machine",
                format!("{} is an external machine: Oriel neither starts nor stops it", found.name),
                "open it as it is, or switch it where it stands",
            ));
        }
        let mut is_held = false;
        let desktop = self
            .inner
            .store
            .modify_desktop_within_quota(id, |desktop| {
                // Started or wiped meanwhile, its image would be of something else.
                is_held = desktop.intent == DesktopIntent::Capture && intent != DesktopIntent::Deleted;
                if is_held {
                    return;
                }
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
                    desktop.facts.cut = cut
                        && matches!(
                            desktop.state,
                            DesktopState::Starting | DesktopState::Ready | DesktopState::InUse | DesktopState::Stopping
                        );
                }
            })
            .await?;
        if is_held {
            return Err(held_for_capture(&desktop));
        }
        self.wake_desktop(desktop.id);
        self.wake_pool(desktop.pool);
        Ok(desktop)
    }
}
