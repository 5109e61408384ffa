//! A whole house in memory: store in a temporary folder, a stand-in for the host, the real broker, gateway and edge.

#![allow(dead_code, reason = "each test uses a part of it")]

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use oriel_broker::{Broker, MachineSecrets, NewDesktop, NewExternalPool, NewMachine, NewPool, NewUser};
use oriel_compute::fake::{FakeCompute, FakeMode};
use oriel_gateway::{DialError, Dialler, Gateway, Target};
use oriel_identity::Vault;
use oriel_image::ImageStore;
use oriel_model::{
    Accelerator, AcceleratorKind, DesktopId, DesktopState, External, GuestPort, Hardware, Image, ImageId, ImageOs,
    ImageSource, ImageState, MachineParameters, MachineProtocol, Micros, Network, Role, User,
};
use oriel_screen::ByeCode;
use oriel_server::Peer;
use oriel_store::Store;
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt as _;

pub const HOST: &str = "oriel.test:8470";
pub const ORIGIN: &str = "http://oriel.test:8470";
pub const PASSWORD: &str = "seven green lamps in a row";

struct Nowhere;

#[async_trait::async_trait]
impl Dialler for Nowhere {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        Err(DialError { code: ByeCode::Unreachable, text: "nobody is there".into() })
    }
}

/// A machine that takes its time: connections to it live on.
pub struct Slow;

#[async_trait::async_trait]
impl Dialler for Slow {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        std::future::pending().await
    }
}

pub struct House {
    pub broker: Broker,
    pub store: Store,
    pub router: Router,
    folder: tempfile::TempDir,
}

/// Somebody signed in with a browser.
#[derive(Clone)]
pub struct Browser {
    pub user: User,
    pub cookie: String,
    pub csrf: String,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl House {
    pub async fn new() -> Self {
        Self::with(Arc::new(Nowhere)).await
    }

    /// With machines to reach.
    pub async fn with(dialler: Arc<dyn Dialler>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("oriel.db").to_str().unwrap()).await.unwrap();
        let broker = Broker::new(
            store.clone(),
            Vault::load(folder.path()).unwrap(),
            Arc::new(FakeCompute::new("here", FakeMode::Auto)),
            ImageStore::new(folder.path().join("images"), folder.path().join("cache")),
            Accelerator { kind: AcceleratorKind::Tcg, reason: "a test".into() },
        );
        broker.set_recordings(oriel_recording::RecordingStore::memory());
        let gateway = Gateway::new(dialler);
        let router = oriel_server::router(broker.clone(), gateway, Arc::new(|| async { Vec::new() }.boxed()));
        Self { broker, store, router, folder }
    }

    /// The same house behind a proxy that is trusted.
    pub fn behind(mut self, proxy: oriel_server::Proxy) -> Self {
        let gateway = Gateway::new(Arc::new(Nowhere));
        let doctor = Arc::new(|| async { Vec::new() }.boxed());
        self.router = oriel_server::router_behind(Some(proxy), self.broker.clone(), gateway, doctor);
        self
    }

    pub fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("oriel.db")
    }

    pub async fn user(&self, name: &str, role: Role) -> User {
        let new = NewUser { name: name.into(), role, password: Some(PASSWORD.into()) };
        self.broker.create_user(new).await.unwrap().0
    }

    pub async fn sign_in(&self, user: &User) -> Browser {
        self.sign_in_with(user, PASSWORD).await
    }

    pub async fn sign_in_with(&self, user: &User, password: &str) -> Browser {
        let body = serde_json::json!({"name": user.name, "password": password}).to_string();
        let reply = self
            .send(Request::post("/api/v1/login").header("content-type", "application/json").body(body.into()).unwrap())
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
        let set = reply.headers["set-cookie"].to_str().unwrap().to_owned();
        for part in ["__Host-oriel=", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
            assert!(set.contains(part), "{set}");
        }
        let cookie = set.split(';').next().unwrap().to_owned();
        let csrf = reply.json()["csrf"].as_str().unwrap().to_owned();
        Browser { user: user.clone(), cookie, csrf }
    }

    pub async fn image(&self) -> Image {
        let image = Image {
            id: ImageId::new(),
            name: "debian-desktop".parse().unwrap(),
            version: 0,
            state: ImageState::Ready,
            os: ImageOs::Linux,
            source: ImageSource::Imported { from: "/tmp/x.qcow2".into() },
            sha256: "ab".repeat(32),
            virtual_bytes: 1 << 30,
            file_bytes: 1 << 20,
            created: Micros(1_700_000_000_000_000),
        };
        self.store.put_image(&image).await.unwrap()
    }

    pub async fn desktop(&self, owner: &User) -> oriel_model::Desktop {
        let image = match self.broker.find_image("debian-desktop").await {
            Ok(image) => image,
            Err(_) => self.image().await,
        };
        let pool = match self.broker.find_pool("studio").await {
            Ok(pool) => pool,
            Err(_) => {
                let new = NewPool {
                    kind: oriel_model::PoolKind::Dedicated,
                    size: oriel_model::PoolSize::default(),
                    hours: oriel_model::PoolHours::default(),
                    leaving: oriel_model::Leaving::default(),
                    name: "studio".parse().unwrap(),
                    image: image.id,
                    vcpus: 2,
                    memory_mib: 2048,
                    disk_gib: 20,
                    network: Network::User,
                    desktops_max: 10,
                    keyboard: "us".into(),
                    gpu: None,
                    hardware: Hardware::default(),
                    recording: oriel_model::RecordingPolicy::Off,
                    policy: oriel_model::SessionPolicy::default(),
                    cloud: None,
                    personal_disk: None,
                };
                self.broker.create_pool(new).await.unwrap()
            }
        };
        self.broker.entitle(pool.id, owner.id).await.unwrap();
        let desktop =
            self.broker.create_desktop(NewDesktop { pool, owner: Some(owner.clone()), name: None }).await.unwrap();
        // No reconciler runs here: it is made ready by hand.
        self.store.modify_desktop(desktop.id, |desktop| desktop.state = DesktopState::Ready).await.unwrap()
    }

    /// A machine of somebody else's, in a pool that lets the person in; nothing dials it here.
    pub async fn machine(&self, user: &User) -> oriel_model::Desktop {
        let new = NewExternalPool {
            name: "office".parse().unwrap(),
            is_shared: false,
            size: oriel_model::PoolSize::default(),
            desktops_max: 10,
            keyboard: "us".into(),
            recording: oriel_model::RecordingPolicy::Off,
            policy: oriel_model::SessionPolicy::default(),
            hours: oriel_model::PoolHours::default(),
            leaving: oriel_model::Leaving::default(),
        };
        let pool = self.broker.create_external_pool(new).await.unwrap();
        self.broker.entitle(pool.id, user.id).await.unwrap();
        let machine = NewMachine {
            pool,
            name: "gate".parse().unwrap(),
            owner: None,
            external: External {
                protocol: MachineProtocol::Ssh,
                host: "gate.invalid".into(),
                port: 22,
                user: Some("root".into()),
                parameters: MachineParameters::default(),
                identity: None,
                has_password: false,
                has_private_key: false,
                has_totp: false,
                has_gateway_password: false,
            },
            secrets: MachineSecrets { password: Some("open sesame".into()), ..MachineSecrets::default() },
        };
        self.broker.create_machine(machine).await.unwrap()
    }

    /// As it comes from the network.
    pub async fn send(&self, mut request: Request<Body>) -> Reply {
        request.headers_mut().entry("host").or_insert(HOST.parse().unwrap());
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer::Tcp { address: "127.0.0.1:5000".parse().unwrap(), tls: false });
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        Reply { status, headers, bytes }
    }

    /// As our own page sends it.
    pub async fn browse(&self, browser: Option<&Browser>, method: &Method, path: &str, body: Option<Value>) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("origin", ORIGIN);
        if let Some(browser) = browser {
            request = request.header("cookie", &browser.cookie).header("x-oriel-csrf", &browser.csrf);
        }
        let body = body.map(|body| body.to_string());
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        self.send(request.body(body.unwrap_or_default().into()).unwrap()).await
    }
}
