//! `oriel pool`.

use super::{pool_hours::Hours, pool_rollout, pool_show};
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, say},
};
use clap::{Args, Subcommand, ValueEnum};
use oriel_server::api::{
    app::HostPlaceList,
    cloud::CloudPlace,
    hardware::Hardware,
    maintenance::PoolClose,
    personal_disk::PoolDisk,
    policy::SessionPolicy,
    pool::{GpuRequest, Leaving, Network, Pool, PoolChange, PoolCount, PoolHours, PoolKind, PoolList, PoolSize},
    recording::RecordingPolicy,
};
use serde_json::{Value, json};

#[derive(Subcommand)]
pub enum Command {
    /// List pools
    List(Json),
    /// Show a pool: what it keeps ready when, and what happens to who leaves
    Show {
        /// Id or name
        pool: String,
        #[command(flatten)]
        json: Json,
    },
    /// Make a pool
    Create {
        name: String,
        /// dedicated: desktops of one person each; floating: anyone gets a free one, made anew after them; ephemeral: made for who
        /// asks, deleted after them; session-host: machines for many people at once, made from an image or, without one, others' by
        /// their addresses; external: machines by their addresses
        #[arg(long, default_value = "dedicated", value_parser = ["dedicated", "floating", "ephemeral", "session-host", "external", "virtual"], hide_possible_values = true)]
        kind: String,
        /// Image: id, name (its newest version) or name:version
        #[arg(long, required_unless_present("kind"), required_if_eq_any([("kind", "dedicated"), ("kind", "floating"), ("kind", "ephemeral"), ("kind", "virtual")]))]
        image: Option<String>,
        #[command(flatten)]
        size: Box<Size>,
        /// user (when left out), nat:NETWORK or bridge:BRIDGE; on a cloud a network's id or name, auto (when left out) or none
        #[arg(long)]
        network: Option<String>,
        /// A cloud on which the pool shall stand, rather than on this host: id or name
        #[arg(long, value_name = "CLOUD", requires = "flavor")]
        cloud: Option<String>,
        /// The cloud's flavor for its desktops, by id or name: processors, memory, disk and GPU
        #[arg(long, value_name = "FLAVOR", requires = "cloud")]
        flavor: Option<String>,
        /// At which address desktops on a cloud are reached: fixed (when left out), or "floating from NETWORK"
        #[arg(long, value_name = "ADDRESS", requires = "cloud")]
        address: Option<oriel_model::CloudAddress>,
        /// Their disk: image (when left out), volume, or volume,type=TYPE,size=GIB
        #[arg(long, value_name = "DISK", requires = "cloud")]
        root: Option<oriel_model::CloudRoot>,
    },
    /// Change a pool: image and disk for desktops made from now on (`rollout` brings the others along), the rest from each desktop's
    /// next start
    Set {
        /// Id or name
        pool: String,
        /// Image: id, name (its newest version) or name:version
        #[arg(long)]
        image: Option<String>,
        /// On a cloud: the flavor of its desktops, by id or name; those that are there get it by `oriel desktop resize`
        #[arg(long)]
        flavor: Option<String>,
        #[command(flatten)]
        size: Box<Size>,
    },
    /// Bring a pool's desktops to another version of its image, step by step
    #[command(subcommand)]
    Rollout(pool_rollout::Command),
    /// Close a pool for maintenance, or open it again: whoever is inside stays, nobody new gets in
    Maintenance {
        /// Id or name
        pool: String,
        /// on or off
        #[arg(value_enum)]
        wanted: OnOff,
        /// What people are told, in one line
        #[arg(long, value_name = "TEXT")]
        message: Option<String>,
    },
    /// Bring a pool's desktops back to the version that its last roll-out led away from
    Rollback {
        /// Id or name
        pool: String,
        #[command(flatten)]
        how: pool_rollout::How,
        #[command(flatten)]
        json: Json,
    },
    /// Who has a place on which host of a pool of session hosts
    Places {
        /// Id or name
        pool: String,
        #[command(flatten)]
        json: Json,
    },
    /// Delete a pool that has no desktops
    Delete {
        /// Id or name
        pool: String,
    },
    /// Let a person, or a group's members, use a pool
    Allow {
        /// Id or name
        pool: String,
        #[command(flatten)]
        whom: Whom,
    },
    /// Let a person, or a group's members, no longer use a pool
    Deny {
        /// Id or name
        pool: String,
        #[command(flatten)]
        whom: Whom,
    },
}

#[derive(Args)]
// Both together would name two, of which one would be left out.
#[group(required = true, multiple = false)]
pub struct Whom {
    /// Id or name
    user: Option<String>,
    /// A group rather than a person: id or name
    #[arg(long)]
    group: Option<String>,
}

impl Whom {
    /// The end of the path.
    fn below(&self) -> String {
        match (&self.group, &self.user) {
            (Some(group), _) => format!("groups/{}", segment(group)),
            (None, user) => format!("users/{}", segment(user.as_deref().unwrap_or_default())),
        }
    }

    /// What was done with them, in words: whoever loses a pool by one way may have others to it.
    fn said(&self, pool: &str, allowed: bool) -> String {
        let user = self.user.as_deref().unwrap_or_default();
        match (&self.group, allowed) {
            (Some(group), true) => format!("members of {group} may use {pool}"),
            (Some(group), false) => format!("{pool} is no longer open to members of {group} by that group"),
            (None, true) => format!("{user} may use {pool}"),
            (None, false) => format!("{pool} is no longer open to {user} by name"),
        }
    }
}

#[derive(Args)]
pub struct Size {
    /// Virtual CPUs of a desktop
    #[arg(long)]
    vcpus: Option<u32>,
    /// Memory of a desktop, in MiB
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// Disk of a desktop, in GiB
    #[arg(long, value_name = "GIB")]
    disk: Option<u64>,
    /// Most desktops the pool may hold
    #[arg(long, value_name = "COUNT")]
    desktops_max: Option<u32>,
    /// What the pool keeps ready, as words with commas between: `min=4` (there always are so many), `running=2` and
    /// `stopped=1` (spares), `parallel=4`, `per_minute=20` and `percent=100` (spares on their way), `settle=SECONDS`,
    /// `return=MINUTES` (how long a desktop waits for its person), `sessions=10` (most people on one session host) and `fill` (one
    /// host is filled before the next); of session hosts `running` counts free places; `default` for what is usual
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    spares: Option<PoolSize>,
    #[command(flatten)]
    hours: Hours,
    /// Keyboard layout: us, de, us(intl)
    #[arg(long, value_name = "LAYOUT")]
    keyboard: Option<String>,
    /// What each desktop gets of a GPU: auto, whole, shared, `vgpu,profile=M60-2Q`,
    /// `min_framebuffer_mib=2048,count=1,vendor=nvidia,placement=density|performance`,
    /// `whole,cards=0000:41:00.0+0000:42:00.0` (only these, in this order), or none
    #[arg(long, value_name = "REQUEST", value_parser = parse_gpu)]
    gpu: Option<GpuRequest>,
    /// What its machines are made of, as words with commas between: `firmware=auto|bios|uefi|secure_uefi`, `tpm`,
    /// `hide_hypervisor` (old NVIDIA drivers), `console=beside|without` (the display beside a GPU),
    /// `igd=universal|legacy` (an integrated Intel GPU given whole), `vulkan` (through a shared GPU),
    /// `hugepages_mib=2|1024`, `lock_memory`, `numa=beside_card|anywhere`; `windows_11` for Secure Boot with a TPM;
    /// `default` for what is usual
    #[arg(long, value_name = "WISHES", value_parser = parse_hardware)]
    hardware: Option<Hardware>,
    /// Record connections: off, always (or refuse them), or ask the person each time
    #[arg(long, value_name = "WHEN", value_parser = parse_recording)]
    recording: Option<RecordingPolicy>,
    /// What people may do while they are connected, as words with commas between:
    /// `clipboard=both|to_machine|to_person|off`, `clipboard_kib=64` (larger pieces are kept back),
    /// `files=both|upload|download|off`, `sound=on|off`, `printing=on|off`, `microphone=on|off`, `view_only`,
    /// `sharing=off|view|control` (whom they may invite), `share_guests` (also people without an account),
    /// `shadowing=off|ask|tell` (how admins may join), `watermark`, `recording_keys` and `recording_clipboard` (kept with
    /// recordings: passwords that are typed, too), `idle_lock=MINUTES`, `session=MINUTES`; `default` for what is usual
    #[arg(long, value_name = "RULES", value_parser = parse_policy)]
    policy: Option<SessionPolicy>,
    /// A disk of each person's own, which is their home in the pool's desktops and follows them: `size=20` (GiB), with
    /// `,name=NAME` where it is another than that of other pools, or none. For desktops that are made, or made anew, from then on
    #[arg(long, value_name = "DISK", value_parser = parse_disk)]
    personal_disk: Option<PoolDisk>,
}

/// What a pool shall keep ready now, in desktops: of session hosts, running spares are places.
pub fn wanted(pool: &Pool) -> PoolSize {
    let mut size = pool.now.size.clone();
    if pool.kind == PoolKind::SessionHost {
        size.running_spares = 0;
    }
    size
}

/// What of a pool is nobody's: `2 of 3 ready, 1 of 1 stopped, 1 on its way, 1 failed`.
pub fn free(count: &PoolCount, size: &PoolSize) -> String {
    let of = |now: u32, wanted: u32, what: &str| match (now, wanted) {
        (0, 0) => None,
        (now, 0) => Some(format!("{now} {what}")),
        (now, wanted) => Some(format!("{now} of {wanted} {what}")),
    };
    let parts = [
        of(count.ready, size.running_spares, "ready"),
        of(count.stopped, size.stopped_spares, "stopped"),
        of(count.on_their_way, 0, "on their way"),
        of(count.failed, 0, "failed"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    output::or_dash(Some(parts.join(", ").as_str()))
}

fn parse_size(text: &str) -> Result<PoolSize, String> {
    text.parse::<oriel_model::PoolSize>().map(Into::into)
}

fn parse_policy(text: &str) -> Result<SessionPolicy, String> {
    text.parse::<oriel_model::SessionPolicy>().map(Into::into)
}

fn parse_hardware(text: &str) -> Result<Hardware, String> {
    text.parse::<oriel_model::Hardware>().map(Into::into)
}

fn parse_recording(text: &str) -> Result<RecordingPolicy, String> {
    text.parse::<oriel_model::RecordingPolicy>().map(Into::into)
}

fn parse_disk(text: &str) -> Result<PoolDisk, String> {
    if text == "none" {
        return Ok(PoolDisk::none());
    }
    text.parse::<oriel_model::PoolDisk>().map(Into::into)
}

fn parse_gpu(text: &str) -> Result<GpuRequest, String> {
    if text == "none" {
        return Ok(GpuRequest::none());
    }
    text.parse::<oriel_model::GpuRequest>().map(Into::into)
}

#[derive(Clone, Copy, ValueEnum)]
pub enum OnOff {
    On,
    Off,
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        let path = |pool: &str| format!("/pools/{}", segment(pool));
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/pools").await?),
            Self::List(_) => {
                let list: PoolList = client.get("/pools").await?;
                let mut rows = Rows::new(
                    [
                        "name",
                        "kind",
                        "image",
                        "vcpus",
                        "memory",
                        "disk",
                        "gpu",
                        "hardware",
                        "recording",
                        "policy",
                        "network",
                        "keyboard",
                        "desktops",
                        "free",
                        "size",
                        "open to",
                        "made",
                    ],
                    "there are no pools yet: make one with `oriel pool create NAME --image IMAGE`",
                )
                .right(&[3, 4, 5, 12]);
                for pool in list.pools {
                    let (open_to, place, free) = (open_to(&pool), place_of(&pool), free(&pool.count, &wanted(&pool)));
                    rows.row([
                        pool.name,
                        output::word(&pool.kind),
                        pool.image.map_or_else(
                            || "external machines".to_owned(),
                            |image| format!("{}:{}", image.name, image.version),
                        ),
                        pool.cloud.as_ref().map_or_else(|| pool.vcpus.to_string(), |_| "-".to_owned()),
                        pool.cloud.as_ref().map_or_else(|| format!("{} MiB", pool.memory_mib), |_| "-".to_owned()),
                        pool.cloud.as_ref().map_or_else(|| format!("{} GiB", pool.disk_gib), |_| "-".to_owned()),
                        output::or_dash(
                            pool.gpu.and_then(|gpu| gpu.into_model().ok()?).map(|gpu| gpu.to_string()).as_deref(),
                        ),
                        oriel_model::Hardware::from(pool.hardware).to_string(),
                        output::word(&pool.recording),
                        oriel_model::SessionPolicy::from(pool.policy).to_string(),
                        place,
                        pool.keyboard,
                        format!("{} of {}", pool.desktops, pool.desktops_max),
                        free,
                        oriel_model::PoolSize::from(pool.size).to_string(),
                        open_to,
                        age(&pool.created_at),
                    ]);
                }
                rows.print()
            }
            Self::Show { pool, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&pool)).await?)
            }
            Self::Show { pool, .. } => pool_show::show(&client.get(&path(&pool)).await?),
            Self::Create { name, kind, image, size, network, cloud, flavor, address, root } => {
                let (hours, leaving) = size.hours.over(PoolHours::default(), Leaving::default());
                // On a cloud it is one of the cloud's.
                let (network, place) = match cloud {
                    Some(cloud) => {
                        let place = json!({
                            "cloud": cloud, "flavor": flavor, "network": network, "address": address, "root": root,
                        });
                        (None, Some(place))
                    }
                    None => (network.as_deref().map(parse_network).transpose()?, None),
                };
                let body = json!({
                    "name": name, "kind": kind, "image": image, "vcpus": size.vcpus, "memory_mib": size.memory, "disk_gib": size.disk,
                    "desktops_max": size.desktops_max, "size": size.spares, "hours": hours, "leaving": leaving, "keyboard": size.keyboard, "gpu": size.gpu, "hardware": size.hardware,
                    "recording": size.recording, "policy": size.policy,
                    "network": network, "cloud": place, "personal_disk": size.personal_disk,
                });
                let pool: Pool = client.post("/pools", &body).await?;
                match &pool.image {
                    Some(image) => say(format!("made pool {} of {}:{}", pool.name, image.name, image.version)),
                    None => say(format!(
                        "made pool {}; enter its machines with `oriel machine add {} --name NAME --protocol rdp --address HOST`",
                        pool.name, pool.name
                    )),
                }
                output::print(&pool.id)
            }
            Self::Set { pool, image, flavor, size } => {
                let (hours, leaving) = if size.hours.is_named() {
                    let before: Pool = client.get(&path(&pool)).await?;
                    size.hours.over(before.hours, before.leaving)
                } else {
                    (None, None)
                };
                let change = PoolChange {
                    hours,
                    leaving,
                    image,
                    vcpus: size.vcpus,
                    memory_mib: size.memory,
                    disk_gib: size.disk,
                    desktops_max: size.desktops_max,
                    size: size.spares,
                    keyboard: size.keyboard,
                    gpu: size.gpu,
                    hardware: size.hardware,
                    recording: size.recording,
                    policy: size.policy,
                    personal_disk: size.personal_disk,
                    flavor,
                };
                let pool: Pool = client.patch(&path(&pool), &change).await?;
                say(format!(
                    "changed pool {}; new desktops follow it, others from their next start but for image and disk",
                    pool.name
                ));
                Ok(())
            }
            Self::Rollout(command) => command.run(client).await,
            Self::Maintenance { pool, wanted: OnOff::On, message } => {
                let at = format!("{}/maintenance", path(&pool));
                let closed: Pool = client.put_json(&at, &PoolClose { message }).await?;
                say(format!("{} lets nobody new in; `oriel pool maintenance {pool} off` ends that", closed.name));
                Ok(())
            }
            Self::Maintenance { pool, wanted: OnOff::Off, .. } => {
                let open: Pool = client.delete_for(&format!("{}/maintenance", path(&pool))).await?;
                say(format!("{} lets people in again", open.name));
                Ok(())
            }
            Self::Rollback { pool, how, json } => pool_rollout::roll_back(client, &pool, &how, json.json).await,
            Self::Places { pool, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&format!("{}/places", path(&pool))).await?)
            }
            Self::Places { pool, .. } => {
                let list: HostPlaceList = client.get(&format!("{}/places", path(&pool))).await?;
                let mut rows =
                    Rows::new(["host", "place", "user", "since", "connected"], "nobody has a place there").right(&[1]);
                for place in list.places {
                    rows.row([
                        place.host.name,
                        place.number.to_string(),
                        place.user.name,
                        age(&place.since),
                        if place.connected { "yes" } else { "no" }.to_owned(),
                    ]);
                }
                rows.print()
            }
            Self::Delete { pool } => {
                client.delete(&path(&pool)).await?;
                say(format!("deleted pool {pool}"));
                Ok(())
            }
            Self::Allow { pool, whom } => {
                client.put(&format!("{}/{}", path(&pool), whom.below())).await?;
                say(whom.said(&pool, true));
                Ok(())
            }
            Self::Deny { pool, whom } => {
                client.delete(&format!("{}/{}", path(&pool), whom.below())).await?;
                say(whom.said(&pool, false));
                Ok(())
            }
        }
    }
}

/// The network of its desktops, and what they are on a cloud.
pub fn place_of(pool: &Pool) -> String {
    if let Some(CloudPlace { cloud, network, flavor, address, root }) = &pool.cloud {
        let address = if address == "fixed" { String::new() } else { format!(", {address}") };
        let root = if root == "image" { String::new() } else { format!(", {root}") };
        return format!("{network} ({flavor}{root}) on cloud {}{address}", cloud.name);
    }
    match &pool.network {
        Network::User => "user".to_owned(),
        Network::Nat { network } => format!("nat:{network}"),
        Network::Bridge { bridge } => format!("bridge:{bridge}"),
    }
}

/// Whom it lets in, with a comma between.
pub fn open_to(pool: &Pool) -> String {
    let users = pool.users.iter().map(|user| user.name.clone());
    let groups = pool.groups.iter().map(|group| format!("group {}", group.name));
    output::or_dash(Some(&users.chain(groups).collect::<Vec<_>>().join(", ")))
}

pub(super) fn parse_network(text: &str) -> Result<Network, Failure> {
    match text.split_once(':') {
        None if text == "user" => Ok(Network::User),
        Some(("nat", network)) => Ok(Network::Nat { network: network.to_owned() }),
        Some(("bridge", bridge)) => Ok(Network::Bridge { bridge: bridge.to_owned() }),
        _ => Err(Failure::usage(format!("{text:?} is no network")).next("use user, nat:NETWORK or bridge:BRIDGE")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use clap::{Parser, error::ErrorKind};

    #[derive(Parser)]
    struct Pools {
        #[command(subcommand)]
        command: Command,
    }

    #[test]
    fn a_pool_is_opened_to_a_person_or_a_group_not_to_both_by_halves() {
        let read = |rest: &[&str]| Pools::try_parse_from([&["pool", "deny", "office"], rest].concat());
        let below = |rest: &[&str]| match read(rest).unwrap().command {
            Command::Deny { whom, .. } => whom.below(),
            _ => unreachable!("that is deny"),
        };
        assert_eq!(below(&["ada"]), "users/ada");
        assert_eq!(below(&["--group", "night shift"]), "groups/night%20shift");
        let refused = |rest: &[&str]| read(rest).err().unwrap().kind();
        assert_eq!(refused(&["ada", "--group", "artists"]), ErrorKind::ArgumentConflict);
        assert_eq!(refused(&[]), ErrorKind::MissingRequiredArgument);
    }
}
