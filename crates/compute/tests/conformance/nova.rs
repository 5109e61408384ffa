//! A cloud in memory behind a real HTTP server: as much of Nova, Placement and Neutron as desktops need, with the delays and the lost
//! answers of a real one.

use crate::http::{Asked, Reply, Server};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Looks at a server until it has done what it was told.
const LOOKS: u32 = 2;

#[derive(Clone, Debug)]
pub struct Guest {
    pub id: String,
    pub name: String,
    pub status: String,
    pub task: Option<&'static str>,
    /// What it becomes, and after how many looks.
    becomes: Option<(String, u32)>,
    pub tags: Vec<String>,
    pub asked: Value,
    pub metadata: Value,
    pub image: String,
    /// The server group's id.
    group: Option<String>,
    pub flavor: String,
    pub host: String,
    /// It was off when it began to move.
    off: bool,
    /// What it can go back to: flavor, host, status.
    before: Option<(String, String, String)>,
    pub created: jiff::Timestamp,
    launched: bool,
    /// Fresh disks that it got: each is another launch.
    rebuilt: i64,
    changes: i64,
    fault: Option<String>,
}

#[derive(Default)]
pub struct State {
    pub guests: Vec<Guest>,
    made: usize,
    /// The next changing requests do their work and hang up.
    pub lose: usize,
    /// As that, of requests about groups.
    pub lose_of_groups: usize,
    /// Neutron's, with their rules.
    pub security: Vec<Value>,
    /// Neutron's floating addresses.
    pub floating: Vec<Value>,
    /// Most of them.
    pub floating_max: Option<usize>,
    /// There is no router between the networks.
    pub no_router: bool,
    /// Nova's: id and name.
    pub apart: Vec<(String, String)>,
    /// Most servers of a server group.
    pub members_max: Option<usize>,
    /// These credentials may make no groups.
    pub no_groups: bool,
    /// Rebuilding ends in error.
    pub bad_rebuilds: bool,
    /// Everything but signing in answers with this status.
    pub sick: Option<u16>,
    /// The token that is good; another is refused.
    pub tokens: usize,
    /// What becomes of the servers that are made next, in place of ACTIVE: Nova's fault.
    pub faults: VecDeque<String>,
    /// Placement says that nothing fits.
    pub full: bool,
    /// Most servers of the project.
    pub servers_max: Option<usize>,
    /// Nova says that the quota is used up.
    pub over_quota: bool,
    /// Glance's, with their properties and the length of what they hold.
    pub images: Vec<Value>,
    /// Where consoles are.
    pub screen: u16,
    /// Hosts that do not answer to Nova.
    pub lost: Vec<String>,
    /// Hosts that take no new servers.
    pub closed: Vec<String>,
    /// These credentials are no admin's.
    pub no_admin: bool,
    /// Nova finds no other host.
    pub no_room: bool,
    /// The catalog has a Cinder.
    pub cinder: bool,
    /// Cinder's, those of servers among them.
    pub volumes: Vec<Value>,
    pub snapshots: Vec<Value>,
    /// Its store makes no snapshots.
    pub no_snapshots: bool,
    /// These credentials may not ask it.
    pub no_volumes: bool,
    pub snapshot_quota_is_used: bool,
    /// As `lose`, of requests to Cinder.
    pub lose_of_volumes: usize,
    /// The compute hosts have SPICE and no VNC.
    pub spice_only: bool,
}

#[derive(Clone)]
pub struct Nova {
    pub state: Arc<Mutex<State>>,
}

impl Nova {
    pub async fn start() -> (Self, Server) {
        let nova = Self { state: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        nova.state().screen = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"RFB 003.008\n").await;
                    let mut sink = [0; 64];
                    while tokio::io::AsyncReadExt::read(&mut stream, &mut sink).await.is_ok_and(|count| count > 0) {}
                });
            }
        });
        let answering = nova.clone();
        let server = Server::start(move |asked, _| answering.answer(asked)).await;
        (nova, server)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let mut state = self.state();
        let reply = state.answer(asked);
        let part = ["/compute", "/image"].iter().any(|part| asked.path.starts_with(part));
        let changes = part && matches!(asked.method.as_str(), "POST" | "DELETE");
        let of_groups = asked.path.contains("os-server-groups") || asked.path.starts_with("/network");
        if of_groups && asked.method != "GET" && state.lose_of_groups > 0 {
            state.lose_of_groups -= 1;
            return Reply { cut: true, ..reply };
        }
        if asked.path.starts_with("/volumev3") && asked.method != "GET" && state.lose_of_volumes > 0 {
            state.lose_of_volumes -= 1;
            return Reply { cut: true, ..reply };
        }
        if changes && !of_groups && state.lose > 0 {
            state.lose -= 1;
            return Reply { cut: true, ..reply };
        }
        reply
    }
}

fn refused(status: u16, kind: &str, words: &str) -> Reply {
    Reply::new(status, json!({kind: {"code": status, "message": words}}).to_string())
}

fn said(value: &Value) -> Reply {
    Reply::new(200, value.to_string())
}

impl State {
    /// Somebody else's server, or a twin of ours.
    pub fn put(&mut self, name: &str, tags: &[String]) -> String {
        self.made += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.made);
        self.guests.push(Guest {
            id: id.clone(),
            name: name.to_owned(),
            status: "ACTIVE".into(),
            task: None,
            becomes: None,
            tags: tags.to_vec(),
            asked: Value::Null,
            metadata: json!({}),
            image: "image".into(),
            group: None,
            flavor: "tiny".into(),
            host: "first".into(),
            off: false,
            before: None,
            created: jiff::Timestamp::now(),
            launched: true,
            rebuilt: 0,
            changes: 0,
            fault: None,
        });
        id
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        let host = asked.headers.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let parts: Vec<&str> = asked.path.split('/').filter(|part| !part.is_empty()).collect();
        if asked.path != "/identity/v3/auth/tokens" {
            if let Some(status) = self.sick {
                return refused(status, "overLimit", "This request was rate-limited.").with("Retry-After", "0");
            }
            let is_good = asked.headers.lines().any(|line| {
                line.to_lowercase().strip_prefix("x-auth-token: ") == Some(format!("token-{}", self.tokens).as_str())
            });
            // Versions are said to everybody.
            if !is_good && asked.headers.to_lowercase().contains("x-auth-token") {
                return refused(401, "error", "The request you have made requires authentication.");
            }
        }
        match (asked.method.as_str(), parts.as_slice()) {
            ("POST", ["identity", "v3", "auth", "tokens"]) => token(host, self.tokens, self.cinder),
            (_, ["volumev3", ..]) if self.no_volumes => refused(403, "forbidden", "Policy doesn't allow that."),
            (method, ["volumev3", "v3", "1", rest @ ..]) => self.volume(method, rest, asked),
            (_, ["compute", "v2.1", "os-server-groups", ..] | ["network", "v2.0", "security-groups", ..])
                if self.no_groups =>
            {
                refused(403, "forbidden", "Policy doesn't allow that to be performed.")
            }
            (method, ["compute", "v2.1", "os-server-groups", rest @ ..]) => self.apart(method, rest, &asked.body),
            (method, ["network", "v2.0", rest @ ..]) => self.network(method, rest, asked),
            ("GET", ["compute", "v2.1"]) => {
                said(&json!({"version": {"id": "v2.1", "min_version": "2.1", "version": "2.93"}}))
            }
            ("GET", ["placement"]) => {
                said(&json!({"versions": [{"id": "v1.0", "min_version": "1.0", "max_version": "1.39"}]}))
            }
            ("GET", ["placement", "allocation_candidates"]) => {
                let some = if self.full { Vec::new() } else { vec![json!({})] };
                said(&json!({"allocation_requests": some, "provider_summaries": {}}))
            }
            ("GET", ["compute", "v2.1", "flavors", "detail"]) => said(&json!({"flavors": [
                {"id": "1", "name": "tiny", "ram": 64, "vcpus": 1, "disk": 1, "extra_specs": {}},
                {"id": "2", "name": "bare", "ram": 64, "vcpus": 1, "disk": 0, "extra_specs": {}}]})),
            ("GET", ["compute", "v2.1", "limits"]) => said(&json!({"limits": {"absolute": {
                "maxTotalInstances": 10, "totalInstancesUsed": 1, "maxTotalCores": 20, "totalCoresUsed": 1,
                "maxTotalRAMSize": 4096, "totalRAMUsed": 64}}})),
            ("GET", ["compute", "v2.1", "servers", "detail"]) => self.list(&asked.query),
            ("POST", ["compute", "v2.1", "servers"]) => self.make(&asked.body),
            ("GET", ["compute", "v2.1", "os-console-auth-tokens", id]) => self.screen_of(id),
            (method, ["compute", "v2.1", "os-services", rest @ ..]) => self.service(method, rest, asked),
            (method, ["compute", "v2.1", "servers", id, rest @ ..]) => self.one(method, id, rest, &asked.body),
            (method, ["image", "v2", "images", rest @ ..]) => self.image(method, rest, asked),
            _ => refused(404, "itemNotFound", "The resource could not be found."),
        }
    }

    fn image(&mut self, method: &str, rest: &[&str], asked: &Asked) -> Reply {
        let at = |images: &[Value], id: &str| images.iter().position(|one| one["id"] == *id);
        match (method, rest) {
            ("GET", []) => {
                let wanted = asked.query.split('&').find_map(|pair| pair.split_once('='));
                let Some((key, wanted)) = wanted.filter(|(key, _)| key.starts_with("oriel_")) else {
                    return said(&json!({"images": self.images}));
                };
                assert!(asked.query.contains("owner=1") && asked.query.contains("visibility=private"));
                let found: Vec<&Value> = self.images.iter().filter(|one| one[key] == *wanted).collect();
                said(&json!({"images": found}))
            }
            ("POST", []) => {
                let mut image: Value = serde_json::from_str(&asked.body).unwrap();
                image["id"] = format!("image-{}", self.images.len()).into();
                image["status"] = "queued".into();
                self.images.push(image.clone());
                Reply::new(201, image.to_string())
            }
            ("PUT", [id, "file"]) => {
                let at = at(&self.images, id).unwrap();
                self.images[at]["status"] = "active".into();
                self.images[at]["size"] = asked.body.len().into();
                Reply::new(204, "")
            }
            ("GET", [id]) => said(&self.images[at(&self.images, id).unwrap()]),
            ("DELETE", [id]) => {
                let at = at(&self.images, id).unwrap();
                self.images.remove(at);
                Reply::new(204, "")
            }
            _ => refused(404, "itemNotFound", "The resource could not be found."),
        }
    }

    /// Each look is a step on the way.
    fn volume(&mut self, method: &str, rest: &[&str], asked: &Asked) -> Reply {
        let made = |key: &str, one: &Value| Reply::new(202, json!({key: one}).to_string());
        match (method, rest) {
            ("GET", ["limits"]) => said(&json!({"limits": {"absolute": {
                "maxTotalVolumes": -1, "totalVolumesUsed": 1, "maxTotalVolumeGigabytes": -1, "totalGigabytesUsed": 1,
                "maxTotalSnapshots": if self.snapshot_quota_is_used { 0 } else { 10 }, "totalSnapshotsUsed": 0}}})),
            ("GET", ["volumes", "detail"]) => {
                step(&mut self.volumes, false);
                let ours = asked.query.contains("metadata=");
                let is_wanted = |one: &&Value| !ours || one["metadata"].get("oriel-of").is_some();
                said(&json!({"volumes": self.volumes.iter().filter(is_wanted).collect::<Vec<_>>()}))
            }
            ("GET", ["snapshots", "detail"]) => {
                step(&mut self.snapshots, self.no_snapshots);
                let of = asked.query.split('&').find_map(|pair| pair.strip_prefix("volume_id="));
                let is_wanted = |one: &&Value| of.is_none_or(|of| one["volume_id"] == *of);
                said(&json!({"snapshots": self.snapshots.iter().filter(is_wanted).collect::<Vec<_>>()}))
            }
            ("POST", ["volumes"]) => {
                let wish = serde_json::from_str::<Value>(&asked.body).unwrap()["volume"].take();
                assert_eq!(wish["imageRef"], "image");
                let one = self.put_volume(&wish);
                made("volume", &one)
            }
            ("POST", ["snapshots"]) => {
                let mut one = serde_json::from_str::<Value>(&asked.body).unwrap()["snapshot"].take();
                assert!(self.volumes.iter().any(|its| its["id"] == one["volume_id"] && its["status"] == "available"));
                self.made += 1;
                one["id"] = format!("snapshot-{}", self.made).into();
                one["status"] = "creating".into();
                one["size"] = 1.into();
                one["created_at"] = jiff::Timestamp::now().to_string().into();
                self.snapshots.push(one.clone());
                made("snapshot", &one)
            }
            ("DELETE", [kind, id]) => {
                if *kind == "volumes" && self.snapshots.iter().any(|one| one["volume_id"] == **id) {
                    return refused(400, "badRequest", "Invalid volume: Volume must not have snapshots.");
                }
                let all = if *kind == "volumes" { &mut self.volumes } else { &mut self.snapshots };
                let Some(one) = all.iter_mut().find(|one| one["id"] == **id) else {
                    return refused(404, "itemNotFound", "It could not be found.");
                };
                one["status"] = "deleting".into();
                Reply::new(202, "")
            }
            _ => refused(404, "itemNotFound", "The resource could not be found."),
        }
    }

    /// A volume that is being made of what is wished for.
    pub fn put_volume(&mut self, wish: &Value) -> Value {
        self.made += 1;
        let mut one = wish.clone();
        one["id"] = format!("volume-{:03}", self.made).into();
        one["status"] = "creating".into();
        one["created_at"] = jiff::Timestamp::now().to_string().into();
        self.volumes.push(one.clone());
        one
    }

    fn apart(&mut self, method: &str, rest: &[&str], body: &str) -> Reply {
        let json = |(id, name): &(String, String), guests: &[Guest]| {
            let members: Vec<&str> =
                guests.iter().filter(|guest| guest.group.as_ref() == Some(id)).map(|guest| guest.id.as_str()).collect();
            json!({"id": id, "name": name, "policy": "soft-anti-affinity", "members": members})
        };
        match (method, rest) {
            ("GET", []) => {
                let all: Vec<Value> = self.apart.iter().map(|one| json(one, &self.guests)).collect();
                said(&json!({"server_groups": all}))
            }
            ("POST", []) => {
                let asked: Value = serde_json::from_str(body).unwrap();
                assert_eq!(asked["server_group"]["policy"], "soft-anti-affinity");
                self.made += 1;
                let made = (format!("apart-{}", self.made), asked["server_group"]["name"].as_str().unwrap().to_owned());
                self.apart.push(made.clone());
                said(&json!({"server_group": json(&made, &self.guests)}))
            }
            ("DELETE", [id]) => {
                self.apart.retain(|(known, _)| known != id);
                Reply::new(204, "")
            }
            _ => refused(404, "itemNotFound", "The resource could not be found."),
        }
    }

    fn network(&mut self, method: &str, rest: &[&str], asked: &Asked) -> Reply {
        let body = || serde_json::from_str::<Value>(&asked.body).unwrap();
        match (method, rest) {
            ("GET", ["networks"]) => said(&json!({"networks": [
                {"id": "n-1", "name": "desktops", "admin_state_up": true, "port_security_enabled": true},
                {"id": "n-2", "name": "open", "admin_state_up": true, "port_security_enabled": false},
                {"id": "n-3", "name": "outside", "admin_state_up": true, "router:external": true}]})),
            ("GET", ["ports"]) => {
                let wanted = asked.query.split('&').find_map(|pair| pair.strip_prefix("device_id=")).unwrap();
                let its = self.guests.iter().any(|guest| guest.id == wanted && guest.asked["networks"] != "none");
                let port = json!({"id": format!("port-of-{wanted}"), "device_id": wanted, "fixed_ips": [{"ip_address": "10.77.0.9"}]});
                said(&json!({"ports": if its { vec![port] } else { Vec::new() }}))
            }
            ("GET", ["floatingips"]) => {
                let about = asked.query.split('&').find_map(|pair| pair.strip_prefix("description="));
                let about = about.map(|text| text.replace('+', " "));
                let is_wanted = |one: &&Value| about.as_ref().is_none_or(|about| one["description"] == **about);
                said(&json!({"floatingips": self.floating.iter().filter(is_wanted).collect::<Vec<_>>()}))
            }
            ("POST", ["floatingips"]) => {
                if self.floating_max.is_some_and(|max| self.floating.len() >= max) {
                    return refused(409, "NeutronError", "Quota exceeded for resources: ['floatingip'].");
                }
                self.made += 1;
                let mut made = body()["floatingip"].take();
                assert_eq!(made["floating_network_id"], "n-3");
                made["id"] = format!("floating-{:03}", self.made).into();
                made["floating_ip_address"] = format!("203.0.113.{}", self.made % 250).into();
                made["port_id"] = Value::Null;
                self.floating.push(made.clone());
                Reply::new(201, json!({"floatingip": made}).to_string())
            }
            ("PUT", ["floatingips", id]) => {
                let port = body()["floatingip"]["port_id"].take();
                if self.no_router {
                    let words = format!(
                        "External network n-3 is not reachable from subnet s. Therefore, cannot associate Port {port} with a Floating IP."
                    );
                    return refused(404, "NeutronError", &words);
                }
                let one = self.floating.iter_mut().find(|one| one["id"] == **id).unwrap();
                one["port_id"] = port;
                said(&json!({"floatingip": one}))
            }
            ("DELETE", ["floatingips", id]) => {
                self.floating.retain(|one| one["id"] != **id);
                Reply::new(204, "")
            }
            ("GET", ["security-groups"]) => {
                let wanted = asked.query.split('&').find_map(|pair| pair.strip_prefix("name=")).unwrap();
                let found: Vec<&Value> = self.security.iter().filter(|one| one["name"] == *wanted).collect();
                said(&json!({"security_groups": found}))
            }
            ("POST", ["security-groups"]) => {
                self.made += 1;
                let mut made = body()["security_group"].take();
                made["id"] = format!("closed-{:03}", self.made).into();
                // As Neutron: everything may go out.
                made["security_group_rules"] = json!([
                    {"id": "out", "direction": "egress", "ethertype": "IPv4", "protocol": null, "port_range_min": null,
                     "port_range_max": null, "remote_ip_prefix": null, "remote_group_id": null}]);
                self.security.push(made.clone());
                Reply::new(201, json!({"security_group": made}).to_string())
            }
            ("DELETE", ["security-groups", id]) => {
                let has = |guest: &Guest| guest.asked["security_groups"][0]["name"] == *id;
                if self.guests.iter().any(has) {
                    return refused(409, "NeutronError", "Security Group is in use.");
                }
                self.security.retain(|one| one["id"] != *id);
                Reply::new(204, "")
            }
            ("POST", ["security-group-rules"]) => {
                self.made += 1;
                let mut made = body()["security_group_rule"].take();
                made["id"] = format!("rule-{}", self.made).into();
                let group = self.security.iter_mut().find(|one| one["id"] == made["security_group_id"]).unwrap();
                group["security_group_rules"].as_array_mut().unwrap().push(made.clone());
                Reply::new(201, json!({"security_group_rule": made}).to_string())
            }
            ("DELETE", ["security-group-rules", id]) => {
                for group in &mut self.security {
                    group["security_group_rules"].as_array_mut().unwrap().retain(|rule| rule["id"] != *id);
                }
                Reply::new(204, "")
            }
            _ => refused(404, "itemNotFound", "The resource could not be found."),
        }
    }

    fn look(&mut self) {
        for guest in &mut self.guests {
            let Some((to, looks)) = guest.becomes.take() else { continue };
            if looks > 1 {
                guest.becomes = Some((to, looks - 1));
            } else {
                guest.launched |= to == "ACTIVE";
                guest.rebuilt += i64::from(guest.status == "REBUILD" && to != "ERROR");
                (guest.status, guest.task) = (to, None);
                guest.changes += 1;
            }
        }
        self.guests.retain(|guest| guest.status != "GONE");
        let guests = &self.guests;
        self.volumes.retain(|one| one["server"].as_str().is_none_or(|id| guests.iter().any(|guest| guest.id == id)));
    }

    /// What runs servers on its two hosts.
    fn service(&mut self, method: &str, path: &[&str], asked: &Asked) -> Reply {
        if self.no_admin {
            return refused(403, "forbidden", "Policy doesn't allow os_compute_api:os-services to be performed.");
        }
        match (method, path) {
            ("GET", []) => {
                let named = |host: &&str| asked.query.contains(&format!("host={host}&binary=nova-compute"));
                let found: Vec<Value> = ["first", "second"]
                    .into_iter()
                    .filter(named)
                    .map(|host| {
                        let status = if self.closed.iter().any(|one| one == host) { "disabled" } else { "enabled" };
                        json!({"id": format!("service-{host}"), "host": host, "binary": "nova-compute",
                            "status": status, "state": "up", "disabled_reason": null})
                    })
                    .collect();
                said(&json!({"services": found}))
            }
            ("PUT", [id]) => {
                let wish: Value = serde_json::from_str(&asked.body).unwrap();
                let host = id.strip_prefix("service-").unwrap().to_owned();
                self.closed.retain(|one| *one != host);
                if wish["status"] == "disabled" {
                    assert!(wish["disabled_reason"].is_string(), "{wish}");
                    self.closed.push(host);
                }
                said(&json!({"service": {"id": id, "status": wish["status"]}}))
            }
            _ => refused(404, "itemNotFound", "The resource could not be found."),
        }
    }

    fn list(&mut self, query: &str) -> Reply {
        self.look();
        let wanted: Vec<String> = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("tags="))
            .map(|tags| tags.replace("%2C", ",").split(',').map(str::to_owned).collect())
            .unwrap_or_default();
        let found: Vec<Value> = self
            .guests
            .iter()
            .filter(|guest| wanted.iter().all(|tag| guest.tags.contains(tag)))
            // Newest first, as Nova lists.
            .rev()
            .map(|guest| guest.json(&self.lost))
            .collect();
        said(&json!({"servers": found}))
    }

    fn make(&mut self, body: &str) -> Reply {
        if self.over_quota || self.servers_max.is_some_and(|max| self.guests.len() >= max) {
            return refused(
                403,
                "forbidden",
                "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances",
            );
        }
        let mut body: Value = serde_json::from_str(body).unwrap();
        let group = body["os:scheduler_hints"]["group"].as_str().map(str::to_owned);
        let members = self.guests.iter().filter(|guest| guest.group.is_some() && guest.group == group).count();
        if group.is_some() && self.members_max.is_some_and(|max| members >= max) {
            return refused(403, "forbidden", "Quota exceeded, too many servers in group");
        }
        let asked = body["server"].take();
        let tags: Vec<String> = serde_json::from_value(asked["tags"].clone()).unwrap();
        let id = self.put(asked["name"].as_str().unwrap(), &tags);
        if let Some(disk) = asked.get("block_device_mapping_v2").map(|all| &all[0]) {
            let its = json!({"size": disk["volume_size"], "metadata": {}, "server": id});
            self.put_volume(&its);
        }
        let fault = self.faults.pop_front();
        let guest = self.guests.last_mut().unwrap();
        let to = if fault.is_some() { "ERROR" } else { "ACTIVE" };
        (guest.status, guest.task) = ("BUILD".into(), Some("spawning"));
        guest.flavor = if asked["flavorRef"] == "2" { "bare" } else { "tiny" }.into();
        (guest.metadata, guest.group) = (asked["metadata"].clone(), group);
        // Of one on a volume Nova names no image.
        if asked.get("block_device_mapping_v2").is_some() {
            guest.image.clear();
        }
        (guest.becomes, guest.launched, guest.fault, guest.asked) = (Some((to.into(), LOOKS)), false, fault, asked);
        Reply::new(202, json!({"server": {"id": id}}).to_string())
    }

    fn screen_of(&self, id: &str) -> Reply {
        let port = self.guests.iter().find(|guest| guest.id == id).map_or(-1, |_| i32::from(self.screen));
        said(
            &json!({"console": {"instance_uuid": id, "host": "127.0.0.1", "port": port, "internal_access_path": null}}),
        )
    }

    fn one(&mut self, method: &str, id: &str, rest: &[&str], body: &str) -> Reply {
        if method == "GET" {
            self.look();
        }
        let (bad, spice_only) = (self.bad_rebuilds, self.spice_only);
        let Some(guest) = self.guests.iter_mut().find(|guest| guest.id == id) else {
            return refused(404, "itemNotFound", "Instance could not be found.");
        };
        match (method, rest) {
            ("GET", []) => said(&json!({"server": guest.json(&self.lost)})),
            ("DELETE", []) => {
                (guest.task, guest.becomes) = (Some("deleting"), Some(("GONE".into(), LOOKS)));
                Reply::new(204, "")
            }
            ("POST", ["remote-consoles"]) if spice_only != body.contains("spice-html5") => {
                refused(400, "badRequest", "Unavailable console type.")
            }
            // The token is the server's id: it resolves to whatever is there.
            ("POST", ["remote-consoles"]) => said(&json!({"remote_console": {"protocol": "vnc", "type": "novnc",
                "url": format!("http://127.0.0.1/vnc_lite.html?path=%3Ftoken%3D{id}")}})),
            ("POST", ["action"]) if body.contains("createImage") => {
                let asked: Value = serde_json::from_str(body).unwrap();
                let wish = &asked["createImage"];
                guest.task = Some("image_uploading");
                guest.becomes = Some((guest.status.clone(), LOOKS));
                // As Nova: what the golden image says stands in it, too, unless it is said otherwise.
                let mut made = json!({"oriel_sha256": "golden", "name": wish["name"], "status": "active", "size": 4096,
                    "image_type": "snapshot", "created_at": jiff::Timestamp::now().to_string()});
                for (key, value) in wish["metadata"].as_object().unwrap() {
                    made[key] = value.clone();
                }
                self.made += 1;
                made["id"] = format!("snapshot-{}", self.made).into();
                self.images.push(made.clone());
                Reply::new(202, json!({"image_id": made["id"]}).to_string())
            }
            ("POST", ["action"]) => {
                let (admin, lost) = (!self.no_admin, self.lost.contains(&guest.host));
                guest.moved(body, admin, lost, self.no_room).unwrap_or_else(|| guest.act(body, bad))
            }
            ("PUT", ["tags"]) => {
                let tags: Value = serde_json::from_str(body).unwrap();
                guest.tags = serde_json::from_value(tags["tags"].clone()).unwrap();
                said(&tags)
            }
            _ => refused(404, "itemNotFound", "The resource could not be found."),
        }
    }
}

impl Guest {
    /// Resizes and migrations; none: it is something else.
    fn moved(&mut self, body: &str, admin: bool, lost: bool, no_room: bool) -> Option<Reply> {
        let asked: Value = serde_json::from_str(body).unwrap();
        let (word, wish) = asked.as_object().unwrap().iter().next().unwrap();
        let of_admins = matches!(word.as_str(), "migrate" | "os-migrateLive" | "evacuate");
        if of_admins && !admin {
            return Some(refused(
                403,
                "forbidden",
                "Policy doesn't allow os_compute_api:os-migrate-server to be performed.",
            ));
        }
        let conflict =
            || Some(refused(409, "conflictingRequest", &format!("Cannot '{word}' in vm_state {}", self.status)));
        let rests = self.task.is_none();
        let to = if no_room { self.host.clone() } else { wish["host"].as_str().unwrap_or("second").to_owned() };
        let is_off = self.status == "SHUTOFF";
        match word.as_str() {
            "resize" | "migrate" if rests && matches!(self.status.as_str(), "ACTIVE" | "SHUTOFF") => {
                let back = (self.flavor.clone(), self.host.clone(), self.status.clone());
                (self.task, self.off) = (Some("resize_migrating"), is_off);
                if no_room {
                    self.becomes = Some((self.status.clone(), LOOKS));
                } else {
                    if word == "resize" {
                        self.flavor = if wish["flavorRef"] == "2" { "bare" } else { "tiny" }.into();
                    }
                    (self.before, self.host) = (Some(back), to);
                    self.becomes = Some(("VERIFY_RESIZE".into(), LOOKS));
                }
                self.status = "RESIZE".into();
            }
            "confirmResize" | "revertResize" if self.status != "VERIFY_RESIZE" || self.before.is_none() => {
                return Some(refused(400, "badRequest", "Instance has not been resized."));
            }
            "confirmResize" => {
                let (_, _, status) = self.before.take().unwrap();
                self.becomes = Some((status, LOOKS));
            }
            "revertResize" => {
                let (flavor, host, status) = self.before.take().unwrap();
                (self.flavor, self.host, self.task) = (flavor, host, Some("resize_reverting"));
                self.becomes = Some((status, LOOKS));
            }
            "os-migrateLive" if rests && self.status == "ACTIVE" && !lost => {
                assert_eq!(wish["block_migration"], "auto");
                (self.host, self.task, self.status) = (to, Some("migrating"), "MIGRATING".into());
                self.becomes = Some(("ACTIVE".into(), LOOKS));
            }
            "evacuate" if lost => {
                self.host = to;
                (self.task, self.becomes) = (Some("rebuilding"), Some(("SHUTOFF".into(), LOOKS)));
            }
            "resize" | "migrate" | "os-migrateLive" | "evacuate" => return conflict(),
            _ => return None,
        }
        Some(Reply::new(202, ""))
    }

    fn act(&mut self, body: &str, bad_rebuilds: bool) -> Reply {
        let asked: Value = serde_json::from_str(body).unwrap();
        let word = asked.as_object().unwrap().keys().next().unwrap().clone();
        let (from, to, task) = match word.as_str() {
            "os-start" => ("SHUTOFF", "ACTIVE", "powering-on"),
            "os-stop" => ("ACTIVE", "SHUTOFF", "powering-off"),
            "unpause" => ("PAUSED", "ACTIVE", "unpausing"),
            "reboot" => ("ERROR", "ACTIVE", "rebooting"),
            "shelve" => ("SHUTOFF", "SHELVED_OFFLOADED", "shelving"),
            "unshelve" => ("SHELVED_OFFLOADED", "ACTIVE", "unshelving"),
            "rebuild" if self.task.is_none() && matches!(self.status.as_str(), "ACTIVE" | "SHUTOFF") => {
                let back = if bad_rebuilds { "ERROR".to_owned() } else { self.status.clone() };
                if !self.image.is_empty() {
                    asked["rebuild"]["imageRef"].as_str().unwrap().clone_into(&mut self.image);
                }
                // What is not said stays.
                if let Some(metadata) = asked["rebuild"].get("metadata") {
                    self.metadata = metadata.clone();
                    self.asked["user_data"] = asked["rebuild"]["user_data"].clone();
                }
                self.status = "REBUILD".into();
                (self.task, self.becomes) = (Some("rebuilding"), Some((back, LOOKS)));
                return Reply::new(202, "");
            }
            other => return refused(400, "badRequest", &format!("There is no such action: {other}")),
        };
        if self.status != from || self.task.is_some() {
            return refused(
                409,
                "conflictingRequest",
                &format!("Cannot '{word}' while it is in vm_state {}", self.status),
            );
        }
        (self.task, self.becomes) = (Some(task), Some((to.into(), LOOKS)));
        Reply::new(202, "")
    }

    fn json(&self, lost: &[String]) -> Value {
        let host_status = if lost.contains(&self.host) { "UNKNOWN" } else { "UP" };
        let vm_state = match self.status.as_str() {
            "VERIFY_RESIZE" => "resized",
            "RESIZE" if self.off => "stopped",
            "REBUILD" if self.becomes.as_ref().is_some_and(|(to, _)| to == "SHUTOFF") => "stopped",
            "SHUTOFF" => "stopped",
            _ => "active",
        };
        let updated = self.created + jiff::SignedDuration::from_secs(self.changes);
        let launched = self.created + jiff::SignedDuration::from_secs(self.rebuilt);
        json!({
            "id": self.id, "name": self.name, "status": self.status, "OS-EXT-STS:task_state": self.task, "tags": self.tags,
            "created": self.created.to_string(), "updated": updated.to_string(),
            "OS-SRV-USG:launched_at": self.launched.then(|| launched.to_string()),
            "flavor": {"original_name": self.flavor}, "OS-EXT-SRV-ATTR:host": self.host, "host_status": host_status,
            "OS-EXT-STS:vm_state": vm_state, "OS-EXT-STS:power_state": if self.off { 4 } else { 1 },
            "image": if self.image.is_empty() { json!("") } else { json!({"id": self.image}) }, "metadata": self.metadata, "addresses": {}, "locked": false,
            "fault": self.fault.as_ref().filter(|_| self.status == "ERROR").map(|words| json!({"code": 500, "message": words})),
        })
    }
}

/// What is being made is there, or in error; what is being deleted is gone.
fn step(all: &mut Vec<Value>, fails: bool) {
    all.retain(|one| one["status"] != "deleting");
    for one in all.iter_mut().filter(|one| one["status"] == "creating") {
        one["status"] = if fails { "error" } else { "available" }.into();
    }
}

fn token(host: &str, number: usize, cinder: bool) -> Reply {
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let catalog: Vec<Value> = ["compute", "image", "network", "placement", "volumev3"]
        .iter()
        .filter(|kind| cinder || **kind != "volumev3")
        .map(|kind| {
            let path = if *kind == "compute" { "compute/v2.1" } else { kind };
            json!({"type": kind, "endpoints": [{"interface": "public", "region_id": "north", "url": format!("http://{host}/{path}")}]})
        })
        .collect();
    let body = json!({"token": {"issued_at": jiff::Timestamp::now().to_string(), "expires_at": end.to_string(),
        "user": {"name": "ada"}, "project": {"id": "1", "name": "desktops"}, "roles": [{"name": "member"}], "catalog": catalog}});
    Reply::new(201, body.to_string()).with("X-Subject-Token", format!("token-{number}"))
}
