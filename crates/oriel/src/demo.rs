//! The demo: an image, a pool, a person and a desktop to try Oriel with. Every step finds what an earlier run has made.

use crate::{
    failure::Failure,
    lock::{DataFolder, write_private},
    output::say,
};
use oriel_broker::{Broker, BrokerError, BuildRequest, NewDesktop, NewPool, NewUser};
use oriel_model::{
    Desktop, DesktopState, Hardware, Image, Name, Network, Operation, OperationKind, OperationState, Pool, Role,
    SessionPolicy, SharingPolicy, User,
};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

const RECIPE: &str = "debian-desktop";
const POOL: &str = "demo";
const USER: &str = "demo";
const DESKTOP: &str = "demo-1";
/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How to sign in.
pub struct Login {
    pub user: String,
    pub password: SecretString,
}

/// Makes what is missing; waits for the desktop only when this run made it. Without a login when its file was lost.
pub async fn ensure(folder: &DataFolder, broker: &Broker) -> Result<Option<Login>, Failure> {
    let failed = |error: BrokerError| Failure::because("cannot set up the demo", &error).next("look at `oriel doctor`");
    let (user, login) = person(folder, broker).await?;
    let image = image(broker).await?;
    let pool = pool(broker, &image).await.map_err(failed)?;
    broker.entitle(pool.id, user.id).await.map_err(failed)?;
    let found = broker.desktops_in_pool(&pool).await.map_err(failed)?;
    if !found.iter().any(|desktop| desktop.name.as_str() == DESKTOP) {
        let name = Some(name(DESKTOP)?);
        let desktop =
            broker.create_desktop(NewDesktop { pool, owner: Some(user.clone()), name }).await.map_err(failed)?;
        until_ready(broker, &user, desktop).await.map_err(failed)?;
    }
    Ok(login)
}

fn name(text: &str) -> Result<Name, Failure> {
    text.parse().map_err(|error: oriel_model::NameError| Failure::because("cannot set up the demo", &error))
}

async fn person(folder: &DataFolder, broker: &Broker) -> Result<(User, Option<Login>), Failure> {
    let file = folder.file("demo-login");
    let kept = std::fs::read_to_string(&file)
        .ok()
        .and_then(|text| text.trim().split_once(' ').map(|(_, password)| SecretString::from(password.to_owned())));
    let login = |password| Some(Login { user: USER.to_owned(), password });
    match broker.find_user(USER).await {
        Ok(user) => {
            if kept.is_none() {
                say(format!(
                    "the demo's password is no longer in {}: make a new one with `oriel user reset-password {USER}`",
                    file.display()
                ));
            }
            Ok((user, kept.and_then(login)))
        }
        Err(BrokerError::Missing { .. }) => {
            let password = kept.unwrap_or_else(oriel_identity::one_time_password);
            // The file first: a person whose password nobody knows is no use.
            write_private(&file, &format!("{USER} {}\n", password.expose_secret()))
                .map_err(|error| Failure::because("cannot keep the demo's login", &error))?;
            let new = NewUser { name: USER.to_owned(), role: Role::Admin, password: Some(password.clone()) };
            let (user, _) = broker
                .create_user(new)
                .await
                .map_err(|error| Failure::because("cannot make the demo's user", &error))?;
            Ok((user, login(password)))
        }
        Err(error) => Err(Failure::because("cannot look for the demo's user", &error)),
    }
}

/// The demo's image, built when there is none; a build that an earlier run began is gone on with.
async fn image(broker: &Broker) -> Result<Image, Failure> {
    let failed =
        |error: BrokerError| Failure::because("cannot build the demo's image", &error).next("look at `oriel doctor`");
    match broker.find_image(RECIPE).await {
        Ok(image) => return Ok(image),
        Err(BrokerError::Missing { .. }) => {}
        Err(error) => return Err(failed(error)),
    }
    let ours = |operation: &Operation| matches!(&operation.kind, OperationKind::ImageBuild { recipe, name } if recipe == RECIPE && name == RECIPE);
    let earlier = broker.operations().await.map_err(failed)?.into_iter().find(ours);
    let mut operation = match earlier {
        Some(running) if matches!(running.state, OperationState::Queued | OperationState::Running) => running,
        Some(ended) if ended.state != OperationState::Done => {
            broker.resume_operation(ended.id).await.map_err(failed)?
        }
        _ => {
            let request = BuildRequest::Build { recipe: RECIPE.to_owned(), name: name(RECIPE)? };
            broker.start_operation(request, None).await.map_err(failed)?
        }
    };
    let mut said = String::new();
    loop {
        match operation.state {
            OperationState::Done => return broker.find_image(RECIPE).await.map_err(failed),
            OperationState::Failed | OperationState::Cancelled => {
                let why = operation.error.unwrap_or_else(|| "it was cancelled".to_owned());
                return Err(Failure::new(format!("cannot build the demo's image: {why}"))
                    .next("look at `oriel doctor`; the next start goes on where this one ended"));
            }
            OperationState::Queued | OperationState::Running => {}
        }
        if operation.step != said {
            said.clone_from(&operation.step);
            say(format!("image {RECIPE}: {:3.0} %  {said}", operation.progress * 100.0));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        operation = broker.find_operation(&operation.id.to_string()).await.map_err(failed)?;
    }
}

async fn pool(broker: &Broker, image: &Image) -> Result<Pool, BrokerError> {
    match broker.find_pool(POOL).await {
        Err(BrokerError::Missing { .. }) => {}
        found => return found,
    }
    let new = NewPool {
        kind: oriel_model::PoolKind::Dedicated,
        size: oriel_model::PoolSize::default(),
        hours: oriel_model::PoolHours::default(),
        leaving: oriel_model::Leaving::default(),
        name: POOL.parse().map_err(|error: oriel_model::NameError| BrokerError::Internal(error.to_string()))?,
        image: image.id,
        vcpus: 2,
        memory_mib: 2048,
        disk_gib: image.virtual_bytes.div_ceil(1 << 30).max(20),
        network: Network::User,
        desktops_max: 10,
        keyboard: "us".to_owned(),
        gpu: None,
        hardware: Hardware::default(),
        recording: oriel_model::RecordingPolicy::Off,
        policy: SessionPolicy { sharing: SharingPolicy::Control, ..SessionPolicy::default() },
        cloud: None,
        personal_disk: None,
    };
    broker.create_pool(new).await
}

/// Tells how the desktop comes up. One that fails is for the console to show: the rest of the house works.
async fn until_ready(broker: &Broker, user: &User, mut desktop: Desktop) -> Result<(), BrokerError> {
    let mut said = String::new();
    loop {
        match desktop.state {
            DesktopState::Ready | DesktopState::InUse => return Ok(()),
            DesktopState::Failed => {
                say(format!(
                    "desktop {DESKTOP} failed: {}",
                    desktop.failure.as_deref().unwrap_or("no reason was recorded")
                ));
                return Ok(());
            }
            _ => {}
        }
        let now = desktop.step.map_or_else(|| desktop.state.word().to_owned(), |step| crate::output::word(&step));
        if now != said {
            say(format!("desktop {DESKTOP}: {now}"));
            said = now;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        desktop = broker.find_desktop(user, &desktop.id.to_string()).await?;
    }
}
