//! A BMC in memory that speaks Redfish over TLS on loopback, with faults. Written after DSP0266 and what makers' documents show of their
//! answers, and not after their code.

use super::tls::Tls;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use hyper::{Method, Request, Response};
use oriel_pin::Fingerprint;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

type Answer = Response<Full<Bytes>>;

/// Longest body that it takes, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Whose manners it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Maker {
    /// Everything inline.
    #[default]
    Idrac,
    /// Paths that end with a slash, and drives that take the address alone.
    Ilo,
    /// What its actions take is a resource of its own, and so is its serial console.
    OpenBmc,
    /// No sessions, no tags, systems by UUID and name.
    Sushy,
}

/// What is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct BmcFaults {
    pub slow: Option<Duration>,
    /// So many requests are answered 503, each with so many seconds to wait.
    pub busy: u32,
    pub busy_seconds: u64,
    /// Its system has no actions.
    pub without_actions: bool,
    /// Its account may only look.
    pub only_looks: bool,
    /// As many are signed in as it takes.
    pub sessions_full: bool,
    /// What it says of its system instead.
    pub hostile: Option<Bytes>,
    /// Its drive has no actions: it is changed itself.
    pub plain_drive: bool,
    /// What is changed must be named by its tag.
    pub strict_tags: bool,
    /// It says weak tags, and takes only strong ones.
    pub strong_tags: bool,
    /// Its machine is said to be coming up, and never is.
    pub hangs: bool,
    /// It takes images, and does not reach them.
    pub unreachable_image: bool,
    /// Its machine shuts down only when power is cut.
    pub deaf: bool,
}

/// What it knows.
#[derive(Debug)]
pub struct BmcWorld {
    pub maker: Maker,
    pub faults: BmcFaults,
    /// How many machines it has.
    pub systems: usize,
    pub on: bool,
    /// Target, and how long: `Cd`, `Once`.
    pub boot: (String, String),
    pub image: Option<String>,
    /// Values of the reset action that came.
    pub resets: Vec<String>,
    pub tokens: BTreeSet<String>,
    pub logins: u32,
    /// Method and path of each request.
    pub requests: Vec<String>,
    /// Answers that said that nothing had changed.
    pub unchanged: u32,
    version: u64,
}

struct Inner {
    world: Mutex<BmcWorld>,
}

impl Inner {
    fn world(&self) -> MutexGuard<'_, BmcWorld> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running BMC; it ends when this is dropped. Its account is `root` with the password `calvin`.
pub struct FakeBmc {
    inner: Arc<Inner>,
    tls: Tls,
}

impl FakeBmc {
    /// On a free port of the loopback, of a machine that is off.
    ///
    /// # Errors
    /// No port, or no certificate.
    pub async fn start(maker: Maker, faults: BmcFaults) -> io::Result<Self> {
        let world = BmcWorld {
            maker,
            faults,
            systems: 1,
            on: false,
            boot: ("None".to_owned(), "Disabled".to_owned()),
            image: None,
            resets: Vec::new(),
            tokens: BTreeSet::new(),
            logins: 0,
            requests: Vec::new(),
            unchanged: 0,
            version: 0,
        };
        let inner = Arc::new(Inner { world: Mutex::new(world) });
        let theirs = Arc::clone(&inner);
        let tls = Tls::open(watch::Sender::new(0), move |request| answer(Arc::clone(&theirs), request)).await?;
        Ok(Self { inner, tls })
    }

    pub const fn address(&self) -> SocketAddr {
        self.tls.address()
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.tls.fingerprint()
    }

    /// It has another certificate from now on.
    ///
    /// # Errors
    /// None can be made.
    pub fn change_certificate(&self) -> io::Result<()> {
        self.tls.change_certificate()
    }

    /// What it knows: to be looked at, and changed.
    pub fn world(&self) -> MutexGuard<'_, BmcWorld> {
        self.inner.world()
    }

    /// All connections end, as when its service restarts.
    pub fn break_connections(&self) {
        self.tls.break_connections();
    }

    /// All sessions end, as they do after half an hour.
    pub fn end_sessions(&self) {
        self.world().tokens.clear();
    }
}

fn built(builder: hyper::http::response::Builder, body: impl Into<Bytes>) -> Answer {
    builder.body(Full::new(body.into())).unwrap_or_default()
}

fn shown(value: &Value) -> Answer {
    built(Response::builder().header("Content-Type", "application/json"), value.to_string())
}

fn refused(status: u16, id: &str, text: &str) -> Answer {
    let message = json!({"MessageId": format!("Base.1.8.{id}"), "Message": text, "MessageSeverity": "Critical"});
    let body = json!({"error": {"code": "Base.1.8.GeneralError", "message": "A general error has occurred.",
        "@Message.ExtendedInfo": [message]}});
    built(Response::builder().status(status).header("Content-Type", "application/json"), body.to_string())
}

async fn answer(inner: Arc<Inner>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let slow = {
        let mut world = inner.world();
        world.requests.push(format!("{} {}", request.method(), request.uri().path()));
        world.faults.slow
    };
    if let Some(slow) = slow {
        sleep(slow).await;
    }
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map(http_body_util::Collected::to_bytes);
    let body: Value = body.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let said = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut world = inner.world();
    let path = head.uri.path().trim_end_matches('/').to_owned();
    if path == "/redfish/v1" {
        return Ok(shown(&world.root()));
    }
    if world.faults.busy > 0 {
        world.faults.busy -= 1;
        let wait = world.faults.busy_seconds.to_string();
        return Ok(built(Response::builder().status(503).header(RETRY_AFTER, wait), ""));
    }
    if path == "/redfish/v1/SessionService/Sessions" && head.method == Method::POST {
        return Ok(world.sign_in(&body));
    }
    let known = match (said("x-auth-token"), said(AUTHORIZATION.as_str())) {
        (Some(token), _) => world.tokens.contains(&token),
        // `root:calvin`.
        (None, Some(basic)) => basic == "Basic cm9vdDpjYWx2aW4=",
        (None, None) => false,
    };
    if !known {
        return Ok(refused(401, "NoValidSession", "There is no valid session."));
    }
    let tag = format!("W/\"{}\"", world.version);
    let has_tags = world.maker != Maker::Sushy;
    if head.method == Method::GET {
        if let Some(hostile) = world.faults.hostile.clone().filter(|_| path == world.system()) {
            return Ok(built(Response::builder(), hostile));
        }
        let Some(resource) = world.resource(&path) else {
            return Ok(refused(404, "ResourceMissingAtURI", "The resource is missing."));
        };
        if has_tags && said(IF_NONE_MATCH.as_str()).is_some_and(|given| given == tag) {
            world.unchanged += 1;
            return Ok(built(Response::builder().status(304).header(ETAG, tag), ""));
        }
        let mut answer = shown(&resource);
        if let (true, Ok(tag)) = (has_tags, tag.parse()) {
            answer.headers_mut().insert(ETAG, tag);
        }
        return Ok(answer);
    }
    if world.faults.only_looks {
        return Ok(refused(403, "InsufficientPrivilege", "There are insufficient privileges for the account."));
    }
    if world.faults.strict_tags && head.method == Method::PATCH && said(IF_MATCH.as_str()).is_none() {
        return Ok(refused(428, "PreconditionRequired", "The request needs an ETag."));
    }
    let taken = if world.faults.strong_tags { tag.trim_start_matches("W/") } else { tag.as_str() };
    if said(IF_MATCH.as_str()).is_some_and(|given| given != taken && given != "*") {
        return Ok(refused(412, "PreconditionFailed", "The ETag is another one."));
    }
    let done = world.change(&head.method, &path, &body);
    Ok(done.unwrap_or_else(|| refused(405, "OperationNotAllowed", "The operation is not allowed.")))
}

impl BmcWorld {
    /// As its paths have it.
    fn slash(&self) -> &'static str {
        if self.maker == Maker::Ilo { "/" } else { "" }
    }

    fn system(&self) -> String {
        let id = match self.maker {
            Maker::Idrac => "System.Embedded.1",
            Maker::Ilo => "1",
            Maker::OpenBmc => "system",
            Maker::Sushy => "c7a5fdbd-cdaf-9455-926a-d65c16db1809",
        };
        format!("/redfish/v1/Systems/{id}")
    }

    fn manager(&self) -> String {
        let id = match self.maker {
            Maker::Idrac => "iDRAC.Embedded.1",
            Maker::Ilo => "1",
            Maker::OpenBmc => "bmc",
            Maker::Sushy => "58893887-8974-2487-2389-841168418919",
        };
        format!("/redfish/v1/Managers/{id}")
    }

    fn drive(&self) -> String {
        let id = if self.maker == Maker::OpenBmc { "Slot_0" } else { "Cd" };
        format!("{}/VirtualMedia/{id}", self.manager())
    }

    fn link(&self, path: &str) -> Value {
        json!({"@odata.id": format!("{path}{}", self.slash())})
    }

    fn root(&self) -> Value {
        let mut root = json!({"RedfishVersion": "1.6.0", "Systems": self.link("/redfish/v1/Systems"),
            "Managers": self.link("/redfish/v1/Managers")});
        if self.maker != Maker::Sushy
            && let Some(root) = root.as_object_mut()
        {
            root.insert("Links".to_owned(), json!({"Sessions": self.link("/redfish/v1/SessionService/Sessions")}));
        }
        root
    }

    fn sign_in(&mut self, body: &Value) -> Answer {
        if self.maker == Maker::Sushy {
            return refused(404, "ResourceMissingAtURI", "The resource is missing.");
        }
        if self.faults.sessions_full {
            return refused(503, "SessionLimitExceeded", "The session establishment failed: there are too many.");
        }
        if *body != json!({"UserName": "root", "Password": "calvin"}) {
            return refused(401, "InvalidCredentials", "The account is not known.");
        }
        self.logins += 1;
        let token = format!("token-{}", self.logins);
        let place = format!("https://bmc.example/redfish/v1/SessionService/Sessions/{}", self.logins);
        let built = built(
            Response::builder().status(201).header("X-Auth-Token", &token).header(LOCATION, place),
            json!({"Id": "1"}).to_string(),
        );
        self.tokens.insert(token);
        built
    }

    fn resource(&self, path: &str) -> Option<Value> {
        let (system, manager, drive) = (self.system(), self.manager(), self.drive());
        let collection = |paths: Vec<String>| {
            let members: Vec<Value> = paths.iter().map(|path| self.link(path)).collect();
            json!({"Members@odata.count": members.len(), "Members": members})
        };
        if path == "/redfish/v1/Systems" {
            let more = (1..self.systems).map(|at| format!("/redfish/v1/Systems/blade-{at}"));
            let all = (self.systems > 0).then(|| system.clone()).into_iter().chain(more);
            return Some(collection(all.collect()));
        }
        if path == system {
            return Some(self.computer());
        }
        if path == format!("{system}/ResetActionInfo") {
            return Some(json!({"Parameters": [{"Name": "ResetType", "DataType": "String",
                "AllowableValues": ["On", "ForceOff", "ForceRestart", "GracefulShutdown", "GracefulRestart", "PowerCycle"]}]}));
        }
        if path == "/redfish/v1/Managers" {
            return Some(collection(vec![manager]));
        }
        if path == manager {
            return Some(
                json!({"FirmwareVersion": "4.22.00.00", "VirtualMedia": self.link(&format!("{manager}/VirtualMedia")),
                "GraphicalConsole": {"ServiceEnabled": true, "ConnectTypesSupported": ["KVMIP"]}}),
            );
        }
        if path == format!("{manager}/VirtualMedia") {
            return Some(collection(vec![drive]));
        }
        if path == drive {
            let action = |name: &str| json!({"target": format!("{drive}/Actions/VirtualMedia.{name}{}", self.slash())});
            let actions = if self.faults.plain_drive {
                json!({})
            } else {
                json!({"#VirtualMedia.InsertMedia": action("InsertMedia"), "#VirtualMedia.EjectMedia": action("EjectMedia")})
            };
            return Some(json!({"Id": "Cd", "MediaTypes": ["CD", "DVD"], "Inserted": self.image.is_some(),
                "Image": self.image, "WriteProtected": true, "Actions": actions}));
        }
        let blade = path.strip_prefix("/redfish/v1/Systems/").filter(|id| id.starts_with("blade-"))?;
        Some(json!({"Id": blade, "Name": format!("name of {blade}"), "PowerState": "On"}))
    }

    fn computer(&self) -> Value {
        let system = self.system();
        let moves = if self.faults.hangs { "PoweringOn" } else { "Off" };
        let state = if self.on { "On" } else { moves };
        let mut computer = json!({"Id": system.rsplit('/').next(), "Name": "System", "HostName": "",
            "PowerState": state, "Status": {"State": "Enabled", "Health": "OK"},
            "Links": {"ManagedBy": [self.link(&self.manager())]},
            "Boot": {"BootSourceOverrideTarget": self.boot.0, "BootSourceOverrideEnabled": self.boot.1}});
        let Some(of) = computer.as_object_mut() else { return Value::Null };
        let target = format!("{system}/Actions/ComputerSystem.Reset{}", self.slash());
        let reset = match self.maker {
            Maker::OpenBmc => {
                json!({"target": target, "@Redfish.ActionInfo": format!("{system}/ResetActionInfo")})
            }
            Maker::Ilo => json!({"target": target, "ResetType@Redfish.AllowableValues":
                ["On", "ForceOff", "ForceRestart", "Nmi", "PushPowerButton"]}),
            Maker::Idrac | Maker::Sushy => json!({"target": target, "ResetType@Redfish.AllowableValues":
                ["On", "ForceOff", "ForceRestart", "GracefulShutdown", "PushPowerButton", "Nmi"]}),
        };
        if !self.faults.without_actions {
            of.insert("Actions".to_owned(), json!({"#ComputerSystem.Reset": reset}));
        }
        match self.maker {
            Maker::Sushy => {
                of.insert("Manufacturer".to_owned(), Value::Null);
                of.insert("Name".to_owned(), json!("vm1"));
            }
            Maker::OpenBmc => {
                of.insert("SerialConsole".to_owned(), json!({"SSH": {"ServiceEnabled": true, "Port": 2200}}));
            }
            Maker::Idrac | Maker::Ilo => {
                let known =
                    [("Manufacturer", "Example"), ("Model", "R640"), ("SerialNumber", "CN7"), ("BiosVersion", "2.8.1")];
                of.extend(known.map(|(name, value)| (name.to_owned(), json!(value))));
                if let Some(boot) = of.get_mut("Boot").and_then(Value::as_object_mut) {
                    let allowed = json!(["None", "Pxe", "Cd", "Hdd", "BiosSetup"]);
                    boot.insert("BootSourceOverrideTarget@Redfish.AllowableValues".to_owned(), allowed);
                }
            }
        }
        computer
    }

    fn change(&mut self, method: &Method, path: &str, body: &Value) -> Option<Answer> {
        let (system, drive) = (self.system(), self.drive());
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let done = || built(Response::builder().status(204), "");
        self.version += 1;
        if *method == Method::PATCH && path == system {
            let boot = |name: &str| body.pointer(&format!("/Boot/{name}"))?.as_str().map(str::to_owned);
            self.boot = (boot("BootSourceOverrideTarget")?, boot("BootSourceOverrideEnabled")?);
            return Some(done());
        }
        if *method == Method::PATCH && path == drive && self.faults.plain_drive {
            self.image = text("Image");
            return Some(done());
        }
        if *method != Method::POST {
            return None;
        }
        if path == format!("{system}/Actions/ComputerSystem.Reset") {
            let kind = text("ResetType")?;
            self.on = match kind.as_str() {
                "ForceOff" => false,
                "GracefulShutdown" if !self.faults.deaf => false,
                "GracefulShutdown" => true,
                "PushPowerButton" => !self.on,
                _ => true,
            };
            self.resets.push(kind);
            return Some(done());
        }
        if path == format!("{drive}/Actions/VirtualMedia.InsertMedia") {
            if self.maker == Maker::Ilo && body.as_object().is_some_and(|body| body.contains_key("WriteProtected")) {
                return Some(refused(
                    400,
                    "ActionParameterNotSupported",
                    "The parameter WriteProtected is not supported.",
                ));
            }
            if self.image.is_some() {
                return Some(refused(409, "ResourceInUse", "The drive is in use."));
            }
            if self.faults.unreachable_image {
                return Some(refused(400, "ResourceAtUriInUnknownFormat", "The image cannot be reached."));
            }
            self.image = text("Image");
            return Some(done());
        }
        if path == format!("{drive}/Actions/VirtualMedia.EjectMedia") {
            self.image = None;
            return Some(done());
        }
        None
    }
}
