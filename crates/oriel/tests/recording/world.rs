//! A house that records: real database, vault, broker, storage and gateway, and a stand-in for the host of desktops.

#![allow(clippy::unwrap_used, dead_code, reason = "a test that cannot go on has failed; each user takes a part")]

use async_trait::async_trait;
use oriel_broker::{Broker, LiveRecording, NewDesktop, NewPool, NewRecording, NewUser};
use oriel_compute::fake::{FakeCompute, FakeMode};
use oriel_gateway::{DialError, Recorded, RecordingSink, Recordings};
use oriel_identity::Vault;
use oriel_image::ImageStore;
use oriel_model::{
    Accelerator, AcceleratorKind, Desktop, DesktopId, Hardware, Image, ImageId, ImageOs, ImageSource, ImageState,
    Micros, Network, RecordingId, RecordingPolicy, RecordingRules, Role, User, UserId,
};
use oriel_recording::RecordingStore;
use oriel_screen::{ByeCode, recording::Chunk};
use oriel_store::Store;
use std::path::Path;
use std::sync::Arc;

pub async fn broker(folder: &Path) -> (Store, Broker) {
    broker_with(folder, RecordingStore::folder(folder.join("recordings")).unwrap()).await
}

pub async fn broker_with(folder: &Path, recordings: RecordingStore) -> (Store, Broker) {
    let store = Store::open(folder.join("oriel.db").to_str().unwrap()).await.unwrap();
    let broker = Broker::new(
        store.clone(),
        Vault::load(folder).unwrap(),
        Arc::new(FakeCompute::new("here", FakeMode::Auto)),
        ImageStore::new(folder.join("images"), folder.join("cache")),
        Accelerator { kind: AcceleratorKind::Tcg, reason: "a test".into() },
    );
    broker.set_recordings(recordings);
    (store, broker)
}

/// As `oriel serve` joins broker and gateway.
pub struct Shelf(pub Broker);
struct Sink(LiveRecording);

#[async_trait]
impl Recordings for Shelf {
    async fn rules(&self, user: UserId, desktop: DesktopId) -> Result<RecordingRules, DialError> {
        Ok(self.0.recording_rules(user, desktop).await.unwrap())
    }
    async fn begin(&self, of: Recorded) -> Result<Box<dyn RecordingSink>, DialError> {
        let Recorded { connection, user, desktop, port } = of;
        let new = NewRecording { connection, user, desktop, port };
        match self.0.begin_recording(new).await {
            Ok(live) => Ok(Box::new(Sink(live))),
            Err(error) => Err(DialError { code: ByeCode::Internal, text: error.to_string() }),
        }
    }
}

#[async_trait]
impl RecordingSink for Sink {
    fn id(&self) -> RecordingId {
        self.0.recording().id
    }
    fn title(&self) -> String {
        self.0.recording().desktop_name.clone()
    }
    async fn put(&mut self, chunk: &Chunk) -> Result<(), String> {
        self.0.put(chunk).await.map_err(|error| error.to_string())
    }
    async fn finish(self: Box<Self>) -> Result<(), String> {
        self.0.finish().await.map_err(|error| error.to_string())
    }
}

/// A pool that records so, with a desktop of a person.
pub async fn desktop(store: &Store, broker: &Broker, recording: RecordingPolicy, password: &str) -> (User, Desktop) {
    let image = Image {
        id: ImageId::new(),
        name: "debian".parse().unwrap(),
        version: 1,
        state: ImageState::Ready,
        os: ImageOs::Linux,
        source: ImageSource::Imported { from: "/tmp/x".into() },
        sha256: "0".repeat(64),
        virtual_bytes: 1 << 30,
        file_bytes: 1,
        created: Micros(1),
    };
    let image = store.put_image(&image).await.unwrap();
    let pool = broker
        .create_pool(NewPool {
            kind: oriel_model::PoolKind::Dedicated,
            size: oriel_model::PoolSize::default(),
            hours: oriel_model::PoolHours::default(),
            leaving: oriel_model::Leaving::default(),
            name: "lab".parse().unwrap(),
            image: image.id,
            vcpus: 1,
            memory_mib: 512,
            disk_gib: 1,
            network: Network::User,
            desktops_max: 1,
            keyboard: "us".into(),
            gpu: None,
            hardware: Hardware::default(),
            recording,
            policy: oriel_model::SessionPolicy::default(),
            cloud: None,
            personal_disk: None,
        })
        .await
        .unwrap();
    let new = NewUser { name: "anna".into(), role: Role::User, password: Some(password.into()) };
    let (anna, _) = broker.create_user(new).await.unwrap();
    broker.entitle(pool.id, anna.id).await.unwrap();
    let new = NewDesktop { pool, owner: Some(anna.clone()), name: None };
    let desktop = broker.create_desktop(new).await.unwrap();
    (anna, desktop)
}
