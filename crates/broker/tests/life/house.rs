//! A broker, its store and its host, as tests need them.

use oriel_broker::{Broker, NewDesktop, NewPool, NewUser};
use oriel_compute::Compute as _;
use oriel_compute::fake::{FakeCompute, FakeMode};
use oriel_identity::Vault;
use oriel_image::ImageStore;
use oriel_machine::Arch;
use oriel_model::{
    Accelerator, AcceleratorKind, Desktop, DesktopId, DesktopState, Hardware, Image, ImageId, ImageOs, ImageSource,
    ImageState, Micros, Network, Pool, Role, User,
};
use oriel_store::Store;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub struct House {
    pub folder: TempDir,
    pub store: Store,
    pub host: Arc<FakeCompute>,
    pub broker: Broker,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
    pub pool: Pool,
    pub anna: User,
}

impl House {
    pub async fn new(mode: FakeMode) -> Self {
        Self::on(FakeCompute::new("here", mode)).await
    }

    pub async fn on(host: FakeCompute) -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path().join("oriel.db").to_str().unwrap()).await.unwrap();
        let image = Image {
            id: ImageId::new(),
            name: "debian".parse().unwrap(),
            version: 1,
            state: ImageState::Ready,
            os: ImageOs::Linux,
            // The recipe is for amd64.
            source: match host.arch() {
                Arch::X86_64 => {
                    ImageSource::Built { recipe: "debian-desktop".into(), inputs: "x".into(), packages: vec![] }
                }
                Arch::Aarch64 => ImageSource::Imported { from: "/tmp/arm64.qcow2".into() },
            },
            sha256: "0".repeat(64),
            virtual_bytes: 4 << 30,
            file_bytes: 1 << 20,
            created: Micros(1),
        };
        let image = store.put_image(&image).await.unwrap();
        let host = Arc::new(host);
        let broker = broker(&folder, &store, &host);
        let pool = broker
            .create_pool(NewPool {
                kind: oriel_model::PoolKind::Dedicated,
                size: oriel_model::PoolSize::default(),
                hours: oriel_model::PoolHours::default(),
                leaving: oriel_model::Leaving::default(),
                name: "lab".parse().unwrap(),
                image: image.id,
                vcpus: 2,
                memory_mib: 1024,
                disk_gib: 8,
                network: Network::User,
                gpu: None,
                hardware: Hardware::default(),
                recording: oriel_model::RecordingPolicy::Off,
                policy: oriel_model::SessionPolicy::default(),
                desktops_max: 3,
                keyboard: "us".into(),
                cloud: None,
                personal_disk: None,
            })
            .await
            .unwrap();
        let (anna, _) =
            broker.create_user(NewUser { name: "anna".into(), role: Role::User, password: None }).await.unwrap();
        broker.entitle(pool.id, anna.id).await.unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        broker.start_reconcilers(&stop, &tasks);
        Self { folder, store, host, broker, stop, tasks, pool, anna }
    }

    /// As after a kill and a new start: another broker on the same database and the same host.
    pub async fn restart(&mut self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.broker = broker(&self.folder, &self.store, &self.host);
        (self.stop, self.tasks) = (CancellationToken::new(), TaskTracker::new());
        self.broker.start_reconcilers(&self.stop, &self.tasks);
    }

    pub async fn desktop(&self) -> Desktop {
        let new = NewDesktop { pool: self.pool.clone(), owner: Some(self.anna.clone()), name: None };
        self.broker.create_desktop(new).await.unwrap()
    }

    pub async fn reaches(&self, id: DesktopId, state: DesktopState) -> Desktop {
        let mut last = None;
        for _ in 0..600 {
            last = self.store.desktop(id).await.unwrap();
            match &last {
                Some(desktop) if desktop.state == state => return last.unwrap(),
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("not {state:?} in time but {last:?}");
    }

    pub async fn is_gone(&self, id: DesktopId) {
        for _ in 0..600 {
            if self.store.desktop(id).await.unwrap().is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("still there");
    }
}

pub fn broker(folder: &TempDir, store: &Store, host: &Arc<FakeCompute>) -> Broker {
    let vault = Vault::load(folder.path()).unwrap();
    let images = ImageStore::new(folder.path().join("images"), folder.path().join("cache"));
    let accelerator = Accelerator { kind: AcceleratorKind::Tcg, reason: "test".into() };
    Broker::new(store.clone(), vault, host.clone(), images, accelerator)
}
