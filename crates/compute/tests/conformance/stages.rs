//! The backends, each with what a test needs around it.

use crate::{
    http,
    nova::Nova,
    suite::{Stage, spec},
};
use async_trait::async_trait;
use oriel_compute::{
    fake::{FakeCompute, FakeMode, FakeStep},
    openstack::{OpenStackCompute, OpenStackConfig},
};
use oriel_machine::{CloudParts, MachineSpec};
use oriel_model::{CloudRoot, DesktopId, PoolId};
use oriel_openstack::{Client, Cloud, Clouds, NewServer, Options};
use std::{
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

pub const INSTALLATION: &str = "0190d1e2-0000-7000-8000-00000000test";

pub struct InMemory(pub FakeCompute);

impl InMemory {
    pub fn new() -> Self {
        Self(FakeCompute::new("memory", FakeMode::Auto))
    }
}

#[async_trait]
impl Stage for InMemory {
    type Host = FakeCompute;

    fn host(&self) -> &FakeCompute {
        &self.0
    }
    async fn spec(&self, name: &str) -> MachineSpec {
        spec(name, None)
    }
    fn base(&self) -> PathBuf {
        PathBuf::from("/nowhere/base.qcow2")
    }
    fn patience(&self) -> Duration {
        Duration::from_secs(2)
    }
    fn lose_an_answer(&self) -> bool {
        for step in [FakeStep::WriteSeed, FakeStep::Define, FakeStep::Start, FakeStep::PowerOff, FakeStep::Remove] {
            self.0.fail_next(step, "the answer is lost");
        }
        true
    }
    async fn put_foreign(&self, _: &MachineSpec) -> bool {
        false
    }
    async fn foreign_is_untouched(&self) -> bool {
        true
    }
}

pub struct FakeCloud {
    pub nova: Nova,
    pub http: http::Server,
    pub compute: OpenStackCompute,
    foreign: Mutex<Vec<String>>,
}

pub fn quick() -> Options {
    Options {
        answer_time: Duration::from_secs(2),
        attempts: 2,
        pause: Duration::from_millis(5),
        pause_max: Duration::from_millis(50),
        ..Options::default()
    }
}

pub fn config(cloud: Cloud, options: Options) -> OpenStackConfig {
    OpenStackConfig {
        name: "oak".into(),
        cloud,
        region: None,
        installation: INSTALLATION.into(),
        gateways: Vec::new(),
        shelve: false,
        jump: None,
        options,
    }
}

pub fn compute(cloud: Cloud, options: Options) -> OpenStackCompute {
    OpenStackCompute::new(config(cloud, options)).unwrap()
}

impl FakeCloud {
    pub async fn start() -> Self {
        let (nova, http) = Nova::start().await;
        let compute = compute(http::cloud(&http.url), quick());
        Self { nova, http, compute, foreign: Mutex::default() }
    }

    /// The same cloud, met anew and in another way.
    pub fn again(&self, change: impl FnOnce(&mut OpenStackConfig)) -> OpenStackCompute {
        let mut config = config(http::cloud(&self.http.url), quick());
        change(&mut config);
        OpenStackCompute::new(config).unwrap()
    }

    pub fn count(&self, method: &str, path: &str) -> usize {
        self.http.count(method, path)
    }
}

/// Tags of servers that are nearly ours: of another Oriel, without a generation, of two desktops, by metadata only.
fn nearly_ours(desktop: DesktopId) -> Vec<Vec<String>> {
    let (of, desktop) = (format!("oriel-of-{INSTALLATION}"), format!("oriel-desktop-{desktop}"));
    let all: [&[&str]; 5] = [
        &["oriel", "oriel-of-another", &desktop, "oriel-generation-1"],
        &["oriel", &of, &desktop],
        &["oriel", &of, &desktop, "oriel-desktop-0190d1e2-0000-7000-8000-000000000001", "oriel-generation-1"],
        &[&of, &desktop, "oriel-generation-1"],
        &[],
    ];
    all.iter().map(|tags| tags.iter().map(|tag| (*tag).to_owned()).collect()).collect()
}

#[async_trait]
impl Stage for FakeCloud {
    type Host = OpenStackCompute;

    fn host(&self) -> &OpenStackCompute {
        &self.compute
    }
    async fn spec(&self, name: &str) -> MachineSpec {
        spec(
            name,
            Some(CloudParts {
                image: "image".into(),
                flavor: "tiny".into(),
                network: "none".into(),
                pool: PoolId::new(),
                floating: None,
                root: CloudRoot::Image,
            }),
        )
    }
    fn base(&self) -> PathBuf {
        PathBuf::new()
    }
    fn patience(&self) -> Duration {
        Duration::from_secs(5)
    }
    fn lose_an_answer(&self) -> bool {
        self.nova.state().lose = 1;
        true
    }
    async fn put_foreign(&self, like: &MachineSpec) -> bool {
        let ids =
            nearly_ours(like.desktop).iter().map(|tags| self.nova.state().put(like.name.as_str(), tags)).collect();
        *self.foreign.lock().unwrap() = ids;
        true
    }
    async fn foreign_is_untouched(&self) -> bool {
        let foreign = self.foreign.lock().unwrap().clone();
        let state = self.nova.state();
        let is_well =
            |id: &String| state.guests.iter().any(|one| one.id == *id && one.status == "ACTIVE" && one.task.is_none());
        foreign.iter().all(is_well)
    }
}

/// The cloud of `./test openstack`.
pub struct RealCloud {
    cloud: Cloud,
    compute: OpenStackCompute,
    pub client: Client,
    image: String,
    foreign: Mutex<Vec<String>>,
}

impl RealCloud {
    pub async fn find() -> Self {
        let Some(path) = std::env::var_os("ORIEL_TEST_CLOUDS") else {
            panic!("no cloud is named in ORIEL_TEST_CLOUDS; ./test openstack brings one up")
        };
        // Screens are for admins.
        let cloud = Clouds::file(Path::new(&path)).unwrap().pick(Some("admin")).unwrap();
        let client = Client::new(&cloud, None, Options::default()).unwrap();
        let image =
            client.images().await.unwrap().into_iter().find(|image| image.name == "oriel-lab-guest").unwrap().id;
        let compute = compute(cloud.clone(), Options::default());
        Self { cloud, compute, client, image, foreign: Mutex::default() }
    }

    /// The same cloud, met anew and in another way.
    pub fn again(&self, change: impl FnOnce(&mut OpenStackConfig)) -> OpenStackCompute {
        let mut config = config(self.cloud.clone(), Options::default());
        change(&mut config);
        OpenStackCompute::new(config).unwrap()
    }

    pub async fn tidy(&self) {
        let foreign = std::mem::take(&mut *self.foreign.lock().unwrap());
        for id in foreign {
            self.client.delete_server(&id).await.unwrap();
            while self.client.server(&id).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

#[async_trait]
impl Stage for RealCloud {
    type Host = OpenStackCompute;

    fn host(&self) -> &OpenStackCompute {
        &self.compute
    }
    async fn spec(&self, name: &str) -> MachineSpec {
        let (flavor, network) = ("oriel-lab-tiny".into(), CloudParts::NO_NETWORK.into());
        let (image, pool, root) = (self.image.clone(), PoolId::new(), CloudRoot::Image);
        spec(name, Some(CloudParts { image, flavor, network, pool, floating: None, root }))
    }
    fn base(&self) -> PathBuf {
        PathBuf::new()
    }
    fn patience(&self) -> Duration {
        Duration::from_mins(2)
    }
    fn lose_an_answer(&self) -> bool {
        false
    }
    async fn put_foreign(&self, like: &MachineSpec) -> bool {
        let parts = like.cloud.clone().unwrap();
        let flavor = self.client.flavors().await.unwrap().into_iter().find(|one| one.name == parts.flavor).unwrap();
        let mut new = NewServer::new(like.name.as_str(), &parts.image, &flavor.id);
        new.tags = nearly_ours(like.desktop).swap_remove(0);
        new.metadata = [("oriel-desktop".to_owned(), like.desktop.to_string())].into();
        let id = self.client.create_server(&new).await.unwrap();
        while self.client.server(&id).await.unwrap().status != oriel_openstack::ServerStatus::Active {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.foreign.lock().unwrap().push(id);
        true
    }
    async fn foreign_is_untouched(&self) -> bool {
        let foreign = self.foreign.lock().unwrap().clone();
        for id in foreign {
            let server = self.client.server(&id).await.unwrap();
            if server.status != oriel_openstack::ServerStatus::Active || server.task.is_some() {
                return false;
            }
        }
        true
    }
}
