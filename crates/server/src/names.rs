//! Turns nouns that name others by id into answers that carry their names.

use crate::{
    Answer, Edge,
    api::{
        Named,
        cloud::CloudPlace,
        desktop::{ConnectKind, Desktop, DesktopFacts, start_steps},
        external::Machine,
        image::ImageRef,
        operation::Operation,
        pool::{Pool, PoolNow},
        rollout::Rollout,
        session::{Session, SessionGuest},
    },
};
use oriel_broker::{BrokerError, PoolCount, RolloutView};
use oriel_gateway::ConnectionInfo;
use oriel_model as model;
use std::collections::{BTreeMap, HashMap};

/// Names of everything, read once for a list.
pub(crate) struct Names {
    pools: HashMap<model::PoolId, model::Pool>,
    users: HashMap<model::UserId, String>,
    images: HashMap<model::ImageId, model::Image>,
    gpus: BTreeMap<model::DesktopId, String>,
    closed: Vec<model::Maintenance>,
}

impl Names {
    pub async fn read(app: &Edge) -> Answer<Self> {
        let (pools, users, images, gpus, closed) = tokio::try_join!(
            app.broker.pools(),
            app.broker.users(),
            app.broker.images(),
            app.broker.gpus_of_desktops(),
            app.broker.maintenances()
        )?;
        Ok(Self {
            pools: pools.into_iter().map(|pool| (pool.id, pool)).collect(),
            users: users.into_iter().map(|user| (user.id, user.name)).collect(),
            images: images.into_iter().map(|image| (image.id, image)).collect(),
            gpus,
            closed,
        })
    }

    fn user(&self, id: model::UserId) -> Named {
        Named::new(id, self.users.get(&id).map_or("someone who is gone", String::as_str))
    }

    pub fn desktop(&self, app: &Edge, desktop: &model::Desktop) -> Desktop {
        let pool = self.pools.get(&desktop.pool);
        let image = desktop.facts.image.or(pool.and_then(|pool| pool.image)).and_then(|id| self.images.get(&id));
        let owner = desktop.owner.map(|id| self.user(id));
        let facts = &desktop.facts;
        let is_shared = pool.is_some_and(|pool| pool.kind == model::PoolKind::SessionHost);
        Desktop {
            id: desktop.id.to_string(),
            name: desktop.name.to_string(),
            pool: Named::new(desktop.pool, pool.map_or("a pool that is gone", |pool| pool.name.as_str())),
            user: owner.as_ref().map(|owner| owner.name.clone()),
            owner,
            state: desktop.state.into(),
            intent: desktop.intent.into(),
            // Where an external machine is is for admins: its own page says more.
            failure: match &desktop.external {
                Some(_) => desktop.failure.as_ref().map(|_| "it did not answer when it was last looked at".to_owned()),
                None => desktop.failure.clone(),
            },
            step: desktop.step.map(Into::into),
            start_steps: start_steps(desktop.state, desktop.step),
            host: desktop.host.clone(),
            facts: DesktopFacts {
                accelerator: facts.accelerator.clone(),
                accelerator_reason: facts.accelerator_reason.clone(),
                ssh_host_key: facts.ssh_host_key.clone(),
                rdp_certificate_sha256: facts.rdp_certificate_sha256.clone(),
                started_at: facts.started.map(model::Micros::rfc3339),
                start_seconds: facts.start_seconds,
                vcpus: pool.map_or(0, |pool| pool.vcpus),
                memory_mib: pool.map_or(0, |pool| pool.memory_mib),
                image: image.map(|image| format!("{}:{}", image.name, image.version)).unwrap_or_default(),
            },
            connections: app.gateway.connections_to(desktop.id) as u64,
            gpu: self.gpus.get(&desktop.id).cloned(),
            created_at: desktop.created.rfc3339(),
            changed_at: desktop.changed.rfc3339(),
            external: desktop.external.as_ref().map(|external| external.protocol.into()),
            inside: desktop.external.as_ref().and_then(|external| external.parameters.inside.clone()),
            kinds: if is_shared && desktop.external.is_none() { vec![ConnectKind::Rdp] } else { kinds(desktop) },
            shared: is_shared,
            draining: desktop.facts.draining,
            maintenance: pool.and_then(|pool| why_closed(&self.closed, pool)),
            sign_on_problem: None,
        }
    }

    /// `None` for a desktop that Oriel runs.
    pub fn machine(&self, app: &Edge, desktop: &model::Desktop) -> Option<Machine> {
        let external = desktop.external.as_ref()?;
        let pool = self.pools.get(&desktop.pool);
        Some(Machine {
            id: desktop.id.to_string(),
            name: desktop.name.to_string(),
            pool: Named::new(desktop.pool, pool.map_or("a pool that is gone", |pool| pool.name.as_str())),
            owner: desktop.owner.map(|id| self.user(id)),
            protocol: external.protocol.into(),
            host: external.host.clone(),
            port: external.port,
            user: external.user.clone(),
            has_password: external.has_password,
            has_private_key: external.has_private_key,
            has_totp: external.has_totp,
            has_gateway_password: external.has_gateway_password,
            identity: external.identity.clone(),
            parameters: external.parameters.clone().into(),
            state: desktop.state.into(),
            failure: desktop.failure.clone(),
            connections: app.gateway.connections_to(desktop.id) as u64,
            created_at: desktop.created.rfc3339(),
            changed_at: desktop.changed.rfc3339(),
        })
    }

    pub fn operation(&self, operation: &model::Operation) -> Operation {
        Operation::new(operation, operation.by.and_then(|id| self.users.get(&id)).map(String::as_str))
    }

    /// `desktop`: its name, where there is still one.
    pub fn session(&self, info: &ConnectionInfo, desktop: Option<&str>) -> Session {
        let connection = &info.connection;
        Session {
            id: connection.id.to_string(),
            user: self.user(connection.user),
            desktop: Named::new(connection.desktop, desktop.unwrap_or("a desktop that is gone")),
            kind: connection.port.into(),
            viewers: connection.viewers,
            guests: info
                .guests
                .iter()
                .map(|guest| SessionGuest {
                    user: Named::new(guest.user, &guest.name),
                    helper: guest.is_helper,
                    unverified: guest.is_visitor,
                })
                .collect(),
            started_at: connection.started.rfc3339(),
            mbit_s: info.mbit_s,
            fps: info.fps,
        }
    }

    async fn image(&self, app: &Edge, id: model::ImageId) -> Answer<ImageRef> {
        match self.images.get(&id) {
            Some(image) => Ok(ImageRef::from(image)),
            // Made since the list was read.
            None => Ok(ImageRef::from(&app.broker.find_image(&id.to_string()).await?)),
        }
    }

    pub async fn rollout(&self, app: &Edge, view: RolloutView) -> Answer<Rollout> {
        let (from, to) = (self.image(app, view.rollout.from).await?, self.image(app, view.rollout.to).await?);
        Ok(Rollout::new(view, from, to))
    }

    pub async fn pool(&self, app: &Edge, pool: &model::Pool) -> Answer<Pool> {
        let image = match pool.image {
            Some(id) => Some(self.image(app, id).await?),
            None => None,
        };
        let desktops = app.broker.desktops_in_pool(pool).await?;
        let rollout = match app.broker.rollout_among(pool, &desktops).await? {
            Some(view) => Some(self.rollout(app, view).await?),
            None => None,
        };
        let cloud = match &pool.cloud {
            None => None,
            Some(place) => {
                let cloud = app.broker.find_cloud(&place.cloud.to_string()).await?;
                Some(CloudPlace {
                    cloud: Named::new(cloud.id, &cloud.name),
                    flavor: place.flavor.clone(),
                    network: place.network.clone(),
                    address: place.address.to_string(),
                    root: place.root.to_string(),
                })
            }
        };
        Ok(Pool {
            cloud,
            personal_disk: pool.personal_disk.clone().map(Into::into),
            id: pool.id.to_string(),
            name: pool.name.to_string(),
            kind: pool.kind.into(),
            image,
            vcpus: pool.vcpus,
            memory_mib: pool.memory_mib,
            disk_gib: pool.disk_gib,
            network: (&pool.network).into(),
            desktops_max: pool.desktops_max,
            size: pool.size.clone().into(),
            hours: pool.hours.clone().into(),
            leaving: pool.leaving.clone().into(),
            now: pool_now(pool),
            keyboard: pool.keyboard.clone(),
            gpu: pool.gpu.clone().map(Into::into),
            hardware: pool.hardware.clone().into(),
            recording: pool.recording.into(),
            policy: pool.policy.clone().into(),
            desktops: desktops.len() as u64,
            count: PoolCount::of(&desktops).into(),
            rollout,
            users: app.broker.pool_users(pool.id).await?.iter().map(|user| Named::new(user.id, &user.name)).collect(),
            groups: app
                .broker
                .pool_groups(pool.id)
                .await?
                .iter()
                .map(|group| Named::new(group.id, &group.name))
                .collect(),
            maintenance: self
                .closed
                .iter()
                .find(|one| one.of == model::MaintenanceOf::Pool(pool.id))
                .cloned()
                .map(Into::into),
            created_at: pool.created.rfc3339(),
        })
    }
}

/// Why nobody new gets into a pool, in words for people.
pub(crate) fn why_closed(closed: &[model::Maintenance], pool: &model::Pool) -> Option<String> {
    let of = |wanted| closed.iter().find(|one| one.of == wanted);
    if let Some(own) = of(model::MaintenanceOf::Pool(pool.id)) {
        return Some(format!("In maintenance, nobody new gets in{}", own.because()));
    }
    let host = of(model::MaintenanceOf::place_of(pool)).filter(|_| !pool.is_external())?;
    let end = match (host.deadline, host.force) {
        (Some(deadline), true) => format!("; what runs is shut down at {}", deadline.rfc3339()),
        _ => String::new(),
    };
    Some(format!("Its host is in maintenance, nothing starts{}{end}", host.because()))
}

fn pool_now(pool: &model::Pool) -> PoolNow {
    let now = model::Micros(jiff::Timestamp::now().as_microsecond());
    PoolNow {
        is_peak: pool.hours.is_peak(now),
        changes_at: pool.hours.next_change(now).map(model::Micros::rfc3339),
        size: pool.size_at(now).into(),
    }
}

/// A desktop of ours has three doors, an external machine its protocol's, and a BMC none.
fn kinds(desktop: &model::Desktop) -> Vec<ConnectKind> {
    match desktop.external.as_ref().map(|external| external.protocol) {
        None => vec![ConnectKind::Rdp, ConnectKind::Vnc, ConnectKind::Ssh],
        Some(protocol) => protocol.door().map(Into::into).into_iter().collect(),
    }
}

/// One desktop with its names: those alone are read.
pub(crate) async fn desktop(app: &Edge, desktop: &model::Desktop) -> Answer<Desktop> {
    let broker = &app.broker;
    let mut names = Names {
        pools: HashMap::new(),
        users: HashMap::new(),
        images: HashMap::new(),
        gpus: BTreeMap::new(),
        closed: broker.maintenances().await?,
    };
    // What went meanwhile is said so, as in lists.
    if let Some(pool) = there(broker.find_pool(&desktop.pool.to_string()).await)? {
        if let Some(image) = desktop.facts.image.or(pool.image) {
            names.images.extend(there(broker.find_image(&image.to_string()).await)?.map(|image| (image.id, image)));
        }
        names.pools.insert(pool.id, pool);
    }
    if let Some(owner) = desktop.owner {
        names.users.extend(there(broker.find_user(&owner.to_string()).await)?.map(|user| (user.id, user.name)));
    }
    names.gpus.extend(broker.gpus_of_desktop(desktop.id).await?.map(|words| (desktop.id, words)));
    Ok(names.desktop(app, desktop))
}

fn there<T>(found: Result<T, BrokerError>) -> Answer<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(BrokerError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
