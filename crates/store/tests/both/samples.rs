//! Nouns to fill a database with.

use oriel_model::{
    Desktop, DesktopFacts, DesktopId, DesktopIntent, DesktopState, GuestPort, Image, ImageId, ImageOs, ImageSource,
    ImageState, Micros, Network, Operation, OperationId, OperationKind, OperationState, Pool, PoolId, PoolKind, Role,
    Ticket, User, UserId,
};
use oriel_store::Store;

/// The moment at which the tests play.
pub const NOW: Micros = Micros(1_795_000_000_000_000);

pub fn user(name: &str, role: Role) -> User {
    User { id: UserId::new(), name: name.to_owned(), role, must_change_password: true, disabled: false, created: NOW }
}

pub fn image(name: &str) -> Image {
    Image {
        id: ImageId::new(),
        name: name.parse().unwrap(),
        version: 0,
        state: ImageState::Ready,
        os: ImageOs::Linux,
        source: ImageSource::Built {
            recipe: "debian-desktop".to_owned(),
            inputs: "ab12".to_owned(),
            packages: vec!["xrdp 0.9".to_owned()],
        },
        sha256: "00ff".to_owned(),
        virtual_bytes: 20 << 30,
        file_bytes: 460 << 20,
        created: NOW,
    }
}

pub fn pool(name: &str, image: ImageId) -> Pool {
    Pool {
        id: PoolId::new(),
        name: name.parse().unwrap(),
        kind: PoolKind::Dedicated,
        image: Some(image),
        vcpus: 2,
        memory_mib: 2048,
        disk_gib: 20,
        network: Network::Nat { network: "default".to_owned() },
        desktops_max: 10,
        keyboard: "de".to_owned(),
        gpu: Some("vgpu,profile=M60-2Q,count=2,cards=0000:06:00.0+0000:07:00.0".parse().unwrap()),
        hardware: "windows_11,hide_hypervisor,hugepages_mib=2,numa=anywhere".parse().unwrap(),
        recording: oriel_model::RecordingPolicy::Ask,
        policy: oriel_model::SessionPolicy::default(),
        size: "min=2,running=1,return=15".parse().unwrap(),
        hours: oriel_model::PoolHours {
            peaks: vec!["mon-fri 08:00-18:00 Europe/Berlin".parse().unwrap()],
            holidays: [oriel_model::holiday("2026-12-25").unwrap()].into(),
            off_peak: "running=0".parse().unwrap(),
            ..oriel_model::PoolHours::default()
        },
        leaving: oriel_model::Leaving {
            off_peak: Some("idle=5".parse().unwrap()),
            .."idle=30,shut_down=60".parse().unwrap()
        },
        cloud: None,
        personal_disk: Some(oriel_model::PoolDisk { name: "home".parse().unwrap(), size_gib: 20 }),
        created: NOW,
    }
}

pub fn desktop(name: &str, pool: PoolId) -> Desktop {
    Desktop {
        id: DesktopId::new(),
        name: name.parse().unwrap(),
        pool,
        owner: None,
        intent: DesktopIntent::Running,
        state: DesktopState::Requested,
        failure: None,
        step: None,
        generation: 1,
        host: None,
        port_base: None,
        facts: DesktopFacts::default(),
        external: None,
        created: NOW,
        changed: NOW,
    }
}

pub fn ticket(user: UserId, desktop: DesktopId) -> Ticket {
    Ticket {
        ticket_sha256: "aa".repeat(32),
        user,
        session_sha256: "bb".repeat(32),
        desktop,
        port: GuestPort::Rdp,
        resume: None,
        app: None,
        expires: NOW.plus_seconds(30),
    }
}

pub fn operation() -> Operation {
    Operation {
        id: OperationId::new(),
        kind: OperationKind::ImageBuild { recipe: "debian-desktop".to_owned(), name: "debian-desktop".to_owned() },
        state: OperationState::Queued,
        progress: 0.0,
        step: String::new(),
        log: Vec::new(),
        error: None,
        result: None,
        cancel_requested: false,
        by: None,
        created: NOW,
        changed: NOW,
    }
}

/// An image and a pool of it, stored.
pub async fn stored_pool(store: &Store) -> Pool {
    let image = store.put_image(&image("debian-desktop")).await.unwrap();
    let pool = pool("studio", image.id);
    store.create_pool(&pool).await.unwrap();
    pool
}

/// A desktop in a pool, stored.
pub async fn stored_desktop(store: &Store) -> Desktop {
    let desktop = desktop("studio-1", stored_pool(store).await.id);
    store.create_desktop(&desktop).await.unwrap();
    desktop
}

pub async fn stored_user(store: &Store, name: &str, role: Role) -> User {
    let user = user(name, role);
    store.create_user(&user, "hash").await.unwrap();
    user
}
