//! Servers: what Nova calls a machine.
//! <https://docs.openstack.org/api-ref/compute/#servers-servers>

use crate::client::{Ask, Client, PAGE, PAGES_MAX};
use crate::{Microversion, OpenStackError, Service};
use jiff::Timestamp;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longest `user_data`, in bytes of its Base64 (`compute/schemas/servers.py` of Nova).
pub const USER_DATA_BYTES_MAX: usize = 65_535;

/// What a server is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerStatus {
    Active,
    Build,
    Error,
    Paused,
    Reboot,
    Rebuild,
    Rescue,
    Shelved,
    Shutoff,
    Suspended,
    VerifyResize,
    /// Also one that only a list of changes still shows.
    Deleted,
    /// One of the others, in Nova's word.
    Other(String),
}

impl From<&str> for ServerStatus {
    fn from(word: &str) -> Self {
        match word {
            "ACTIVE" => Self::Active,
            "BUILD" => Self::Build,
            "ERROR" => Self::Error,
            "PAUSED" => Self::Paused,
            "REBOOT" | "HARD_REBOOT" => Self::Reboot,
            "REBUILD" => Self::Rebuild,
            "RESCUE" => Self::Rescue,
            "SHELVED" | "SHELVED_OFFLOADED" => Self::Shelved,
            "SHUTOFF" => Self::Shutoff,
            "SUSPENDED" => Self::Suspended,
            "VERIFY_RESIZE" => Self::VerifyResize,
            "DELETED" | "SOFT_DELETED" => Self::Deleted,
            other => Self::Other(other.chars().take(64).collect()),
        }
    }
}

impl ServerStatus {
    pub fn word(&self) -> &str {
        match self {
            Self::Active => "running",
            Self::Build => "being built",
            Self::Error => "in error",
            Self::Paused => "paused",
            Self::Reboot => "rebooting",
            Self::Rebuild => "being rebuilt",
            Self::Rescue => "in rescue",
            Self::Shelved => "shelved",
            Self::Shutoff => "off",
            Self::Suspended => "suspended",
            Self::VerifyResize => "resized and not confirmed",
            Self::Deleted => "deleted",
            Self::Other(word) => word,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub id: String,
    pub name: String,
    pub status: ServerStatus,
    /// What Nova is doing with it right now.
    pub task: Option<String>,
    pub created: Option<Timestamp>,
    pub updated: Option<Timestamp>,
    pub launched: Option<Timestamp>,
    /// Only admins are told.
    pub host: Option<String>,
    /// How Nova finds that host: `UP`, `DOWN`, `UNKNOWN`, `MAINTENANCE` (2.16). Only admins are told.
    pub host_status: Option<String>,
    /// It is off, whatever is being done with it.
    pub is_off: bool,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    /// Addresses by network's name; those that lead there from outside (floating ones) first.
    pub addresses: BTreeMap<String, Vec<String>>,
    pub flavor: String,
    /// None where it has a volume for a disk.
    pub image: Option<String>,
    pub fault: Option<Fault>,
    pub locked: bool,
}

impl Server {
    /// Its host does not answer to Nova: what it says of the server is what it said last.
    pub fn is_host_lost(&self) -> bool {
        matches!(self.host_status.as_deref(), Some("DOWN" | "UNKNOWN"))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Fault {
    #[serde(default)]
    pub code: u16,
    #[serde(default)]
    pub message: String,
}

/// Which servers are listed.
#[derive(Clone, Debug, Default)]
pub struct ServerFilter {
    /// Only what changed since; what was deleted since is listed, too.
    pub changed_since: Option<Timestamp>,
    /// All of these tags.
    pub tags: Vec<String>,
    pub name: Option<String>,
}

/// What a new server is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attach {
    Nothing,
    /// What the project has.
    Auto,
    Network(String),
    Port(String),
}

/// A volume that Nova makes with the server, of the image or of a snapshot that holds it, and deletes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVolume {
    /// Cinder's name of a type (2.67); the project's usual one when left out.
    pub kind: Option<String>,
    pub gib: u64,
    /// The id of the snapshot of which it is made in place of the image.
    pub snapshot: Option<String>,
}

#[derive(Clone, Debug)]
pub struct NewServer {
    pub name: String,
    pub image: String,
    pub flavor: String,
    /// In place of a disk on its host.
    pub volume: Option<NewVolume>,
    pub attach: Vec<Attach>,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    /// Given to the guest, in Base64; at most [`USER_DATA_BYTES_MAX`].
    pub user_data: Option<SecretString>,
    pub config_drive: bool,
    pub security_groups: Vec<String>,
    /// A server group's id.
    pub group: Option<String>,
    pub zone: Option<String>,
}

impl NewServer {
    pub fn new(name: &str, image: &str, flavor: &str) -> Self {
        Self {
            name: name.to_owned(),
            image: image.to_owned(),
            flavor: flavor.to_owned(),
            volume: None,
            attach: Vec::new(),
            metadata: BTreeMap::new(),
            tags: Vec::new(),
            user_data: None,
            config_drive: false,
            security_groups: Vec::new(),
            group: None,
            zone: None,
        }
    }

    fn body(&self) -> Value {
        let networks = match self.attach.as_slice() {
            [] | [Attach::Nothing] => json!("none"),
            [Attach::Auto] => json!("auto"),
            several => several
                .iter()
                .filter_map(|one| match one {
                    Attach::Network(id) => Some(json!({"uuid": id})),
                    Attach::Port(id) => Some(json!({"port": id})),
                    Attach::Nothing | Attach::Auto => None,
                })
                .collect(),
        };
        let mut server = json!({
            "name": self.name, "flavorRef": self.flavor, "networks": networks,
            "metadata": self.metadata, "tags": self.tags, "config_drive": self.config_drive,
        });
        let groups: Vec<Value> = self.security_groups.iter().map(|name| json!({"name": name})).collect();
        if let Some(server) = server.as_object_mut() {
            match &self.volume {
                None => server.insert("imageRef".into(), self.image.as_str().into()),
                Some(volume) => {
                    let (source, id) =
                        volume.snapshot.as_ref().map_or(("image", &self.image), |snapshot| ("snapshot", snapshot));
                    let mut disk = json!({
                        "boot_index": 0, "source_type": source, "uuid": id, "destination_type": "volume",
                        "volume_size": volume.gib, "delete_on_termination": true,
                    });
                    if let (Some(kind), Some(disk)) = (&volume.kind, disk.as_object_mut()) {
                        disk.insert("volume_type".into(), kind.as_str().into());
                    }
                    server.insert("block_device_mapping_v2".into(), vec![disk].into())
                }
            };
            if let Some(data) = &self.user_data {
                server.insert("user_data".into(), data.expose_secret().into());
            }
            if !groups.is_empty() {
                server.insert("security_groups".into(), groups.into());
            }
            if let Some(zone) = &self.zone {
                server.insert("availability_zone".into(), zone.as_str().into());
            }
        }
        let mut body = json!({"server": server});
        if let (Some(group), Some(body)) = (&self.group, body.as_object_mut()) {
            body.insert("os:scheduler_hints".into(), json!({"group": group}));
        }
        body
    }
}

/// What a server becomes that gets a fresh disk. Id, host, ports, addresses and flavor stay.
#[derive(Clone, Debug)]
pub struct Rebuild {
    pub image: String,
    /// In place of what it had, in the same step as the rest.
    pub metadata: BTreeMap<String, String>,
    /// As of a new server.
    pub user_data: SecretString,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reboot {
    /// Asks the guest.
    Soft,
    /// Pulls the plug.
    Hard,
}

#[derive(Deserialize)]
struct One {
    server: WireServer,
}

#[derive(Deserialize)]
struct Made {
    server: MadeServer,
}

#[derive(Deserialize)]
struct MadeServer {
    id: String,
}

#[derive(Deserialize)]
struct Many {
    servers: Vec<WireServer>,
    #[serde(default)]
    servers_links: Vec<Value>,
}

#[derive(Deserialize)]
struct WireServer {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    #[serde(rename = "OS-EXT-STS:task_state")]
    task: Option<String>,
    created: Option<String>,
    updated: Option<String>,
    #[serde(rename = "OS-SRV-USG:launched_at")]
    launched: Option<String>,
    #[serde(rename = "OS-EXT-SRV-ATTR:host")]
    host: Option<String>,
    host_status: Option<String>,
    #[serde(rename = "OS-EXT-STS:vm_state")]
    vm_state: Option<String>,
    #[serde(rename = "OS-EXT-STS:power_state")]
    power_state: Option<i64>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    addresses: BTreeMap<String, Vec<WireAddress>>,
    flavor: Option<WireFlavor>,
    image: Option<Value>,
    fault: Option<Fault>,
    #[serde(default)]
    locked: bool,
}

#[derive(Deserialize)]
struct WireAddress {
    #[serde(default)]
    addr: String,
    #[serde(rename = "OS-EXT-IPS:type", default)]
    kind: String,
}

/// Since 2.47 the flavor as it was, with its name.
#[derive(Deserialize)]
struct WireFlavor {
    #[serde(default)]
    original_name: String,
}

/// Nova's number of a machine that is shut down (`nova/objects/fields.py`, `InstancePowerState`).
const SHUT_DOWN: i64 = 4;

/// Nova writes some times without their zone; they are UTC.
pub(crate) fn time(text: Option<String>) -> Option<Timestamp> {
    let text = text?;
    text.parse().ok().or_else(|| format!("{text}Z").parse().ok())
}

impl From<WireServer> for Server {
    fn from(wire: WireServer) -> Self {
        Self {
            status: wire.status.as_str().into(),
            task: wire.task,
            created: time(wire.created),
            updated: time(wire.updated),
            launched: time(wire.launched),
            host: wire.host.filter(|host| !host.is_empty()),
            host_status: wire.host_status.filter(|word| !word.is_empty()),
            // Of one that was moved and not confirmed only the second says it.
            is_off: match wire.vm_state.as_deref() {
                Some("stopped") => true,
                Some("resized") => wire.power_state == Some(SHUT_DOWN),
                _ => false,
            },
            metadata: wire.metadata,
            tags: wire.tags,
            addresses: wire
                .addresses
                .into_iter()
                .map(|(network, mut addresses)| {
                    addresses.sort_by_key(|one| one.kind != "floating");
                    (network, addresses.into_iter().map(|one| one.addr).collect())
                })
                .collect(),
            flavor: wire.flavor.map(|flavor| flavor.original_name).unwrap_or_default(),
            // An empty text where a volume is the disk.
            image: wire.image.and_then(|image| Some(image.get("id")?.as_str()?.to_owned())),
            fault: wire.fault,
            locked: wire.locked,
            id: wire.id,
            name: wire.name,
        }
    }
}

impl Client {
    /// All servers of the project that the filter lets through, in one call a page.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn servers(&self, filter: &ServerFilter) -> Result<Vec<Server>, OpenStackError> {
        let action = "list servers";
        let mut servers: Vec<Server> = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut query = vec![("limit", PAGE.to_string())];
            if let Some(since) = filter.changed_since {
                query.push(("changes-since", since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
            }
            if !filter.tags.is_empty() {
                query.push(("tags", filter.tags.join(",")));
            }
            if let Some(name) = &filter.name {
                query.push(("name", name.clone()));
            }
            if let Some(last) = servers.last() {
                query.push(("marker", last.id.clone()));
            }
            let ask = Ask { query: &query, ..Ask::get(Service::Compute, action, &["servers", "detail"]) };
            let page: Many = self.ask(ask).await?;
            let last = page.servers.is_empty() || page.servers_links.is_empty();
            servers.extend(page.servers.into_iter().map(Server::from));
            if last {
                return Ok(servers);
            }
        }
        Err(too_many(action, servers.len()))
    }

    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_gone`] when there is no such server.
    pub async fn server(&self, id: &str) -> Result<Server, OpenStackError> {
        let one: One = self.ask(Ask::get(Service::Compute, "show a server", &["servers", id])).await?;
        Ok(one.server.into())
    }

    /// Asks for a server, and answers with its id as soon as Nova has written it down. Where the answer is lost, the server may be
    /// there all the same: look for its tags before asking again.
    ///
    /// # Errors
    /// The cloud refuses or fails, or is too old for a type of volume.
    pub async fn create_server(&self, new: &NewServer) -> Result<String, OpenStackError> {
        let has_kind = new.volume.as_ref().is_some_and(|volume| volume.kind.is_some());
        if has_kind && !self.features().await?.volume_types {
            return Err(OpenStackError::TooOld {
                service: Service::Compute,
                what: "a type for a server's volume",
                need: Microversion(2, 67),
                has: self.compute_versions().await?.spoken,
            });
        }
        let ask = Ask::post(Service::Compute, "make a server", &["servers"], new.body());
        let made: Made = self.ask(ask).await?;
        Ok(made.server.id)
    }

    /// Deletes it; done when it is not there. Nova does it later: look until [`Self::server`] says gone.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn delete_server(&self, id: &str) -> Result<(), OpenStackError> {
        match self.ask_for(Ask::delete(Service::Compute, "delete a server", &["servers", id])).await {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_conflict`] when it runs already.
    pub async fn start_server(&self, id: &str) -> Result<(), OpenStackError> {
        self.act("start a server", id, json!({"os-start": null})).await.map(|_| ())
    }

    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_conflict`] when it is off already.
    pub async fn stop_server(&self, id: &str) -> Result<(), OpenStackError> {
        self.act("stop a server", id, json!({"os-stop": null})).await.map(|_| ())
    }

    /// Lets it go on that was paused, suspended or shelved; nothing for one that is anything else.
    ///
    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_conflict`] when it goes on already.
    pub async fn resume_server(&self, server: &Server) -> Result<(), OpenStackError> {
        let word = match server.status {
            ServerStatus::Paused => "unpause",
            ServerStatus::Suspended => "resume",
            ServerStatus::Shelved => "unshelve",
            _ => return Ok(()),
        };
        self.act("let a server go on", &server.id, json!({word: null})).await.map(|_| ())
    }

    /// # Errors
    /// The cloud refuses or fails.
    pub async fn reboot_server(&self, id: &str, how: Reboot) -> Result<(), OpenStackError> {
        let kind = if how == Reboot::Soft { "SOFT" } else { "HARD" };
        self.act("reboot a server", id, json!({"reboot": {"type": kind}})).await.map(|_| ())
    }

    /// Gives it a fresh disk, made of an image; id, ports and addresses stay.
    ///
    /// # Errors
    /// The cloud refuses or fails; its disk is a volume and the cloud is too old for that.
    pub async fn rebuild_server(&self, server: &Server, image: &str) -> Result<(), OpenStackError> {
        if server.image.is_none() && !self.features().await?.volume_rebuild {
            return Err(OpenStackError::TooOld {
                service: Service::Compute,
                what: "a fresh disk for a server on a volume",
                need: Microversion(2, 93),
                has: self.compute_versions().await?.spoken,
            });
        }
        self.act("rebuild a server", &server.id, json!({"rebuild": {"imageRef": image}})).await.map(|_| ())
    }

    /// Gives a server a fresh disk, with other metadata and user data (2.57; 2.93 for one on a volume). Nova writes all of it down
    /// in one step, and does it later: while it does, the server has a task, and when it has failed the server is in error.
    ///
    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_conflict`] while the server does something else.
    pub async fn rebuild_server_as(&self, id: &str, new: &Rebuild) -> Result<(), OpenStackError> {
        let body = json!({"rebuild": {
            "imageRef": new.image, "metadata": new.metadata, "user_data": new.user_data.expose_secret(),
        }});
        self.act("rebuild a server", id, body).await.map(|_| ())
    }

    /// Says all its tags anew, in one step (2.26).
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn set_server_tags(&self, id: &str, tags: &[String]) -> Result<(), OpenStackError> {
        let path = ["servers", id, "tags"];
        let ask =
            Ask { method: Method::PUT, ..Ask::post(Service::Compute, "mark a server", &path, json!({"tags": tags})) };
        self.ask_for(ask).await.map(|_| ())
    }

    /// Puts a server away: it is switched off, and its host is free for others as soon as its disk is kept as an image. Starting it
    /// takes longer.
    ///
    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_conflict`] while the server does something else.
    pub async fn shelve_server(&self, id: &str) -> Result<(), OpenStackError> {
        self.act("shelve a server", id, json!({"shelve": null})).await.map(|_| ())
    }

    /// The last lines of its serial console.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn console_output(&self, id: &str, lines: u32) -> Result<String, OpenStackError> {
        #[derive(Deserialize)]
        struct Output {
            #[serde(default)]
            output: String,
        }
        let action = "show a server's serial console";
        let answer = self.act(action, id, json!({"os-getConsoleOutput": {"length": lines}})).await?;
        Ok(crate::answer::read::<Output>(Service::Compute, action, &answer)?.output)
    }

    pub(crate) async fn act(&self, action: &str, id: &str, body: Value) -> Result<crate::http::Answer, OpenStackError> {
        self.ask_for(Ask::post(Service::Compute, action, &["servers", id, "action"], body)).await
    }
}

pub(crate) fn too_many(action: &str, count: usize) -> OpenStackError {
    OpenStackError::NotUnderstood {
        service: Service::Compute,
        action: action.to_owned(),
        what: format!("a list that does not end after {count} entries"),
    }
}
