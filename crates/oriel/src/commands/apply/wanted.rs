//! What a file declares. Keys and values are those of the command line: `oriel pool set --off-peak-spares running=0` is
//! `off_peak_spares = "running=0"` of a pool.

use super::read::{Place, Spot, Table, Wrong};
use crate::commands::machine::split_address;
use oriel_model as model;
use oriel_server::api::{
    app::AppRun,
    external::{MachineParameters, MachineProtocol},
    image::ImageOs,
    pool::PoolKind,
    second_factor::SecondFactorRule,
    user::Role,
};
use serde_json::{Map, Value};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Most things that are declared at once.
pub const DECLARED_MAX: usize = 10_000;

const KINDS: [&str; 6] = ["dedicated", "floating", "ephemeral", "session-host", "external", "virtual"];
const PROTOCOLS: [&str; 9] = ["rdp", "vnc", "spice", "ssh", "telnet", "kubernetes", "pikvm", "redfish", "ipmi"];
const ROLES: [&str; 5] = ["admin", "user", "helpdesk", "pool-admin", "auditor"];
const FACTORS: [&str; 3] = ["optional", "required", "every-time"];
const NOUNS: [&str; 4] = ["image", "group", "pool", "user"];
const POOL_KEYS: [&str; 28] = [
    "app",
    "kind",
    "image",
    "vcpus",
    "memory",
    "disk",
    "desktops_max",
    "spares",
    "peak",
    "holiday",
    "start_ahead",
    "off_peak_spares",
    "leave",
    "off_peak_leave",
    "keyboard",
    "gpu",
    "hardware",
    "personal_disk",
    "recording",
    "policy",
    "network",
    "cloud",
    "flavor",
    "address",
    "root",
    "users",
    "groups",
    "machine",
];
/// Keys of a machine that are no parameters.
const MACHINE_KEYS: [&str; 17] = [
    "protocol",
    "address",
    "owner",
    "user",
    "identity",
    "password_file",
    "password_env",
    "private_key_file",
    "private_key_env",
    "passphrase_file",
    "passphrase_env",
    "totp_file",
    "totp_env",
    "gateway_password_file",
    "gateway_password_env",
    "certificate_file",
    "timeout",
];

/// All that is declared, in the order of the files.
#[derive(Default)]
pub struct Wanted {
    pub images: Vec<WantedImage>,
    pub groups: Vec<WantedGroup>,
    pub pools: Vec<WantedPool>,
    pub users: Vec<WantedUser>,
}

/// What may be declared to be nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Perhaps<T>(pub Option<T>);

/// Something declared elsewhere, or on the server: its name or id.
#[derive(Clone, Debug)]
pub struct Reference {
    pub name: String,
    pub place: Place,
}

pub struct WantedImage {
    pub place: Place,
    pub name: String,
    pub from: ImageFrom,
}

pub enum ImageFrom {
    Recipe(String),
    Import { from: String, sha256: Option<String>, os: ImageOs },
}

pub struct WantedGroup {
    pub place: Place,
    pub name: String,
    pub about: Option<String>,
    pub policy: Option<model::GroupPolicy>,
    pub second_factor: Option<SecondFactorRule>,
    pub members: Option<Vec<Reference>>,
}

pub struct WantedUser {
    pub place: Place,
    pub name: String,
    pub role: Option<Role>,
    /// Of a pool admin.
    pub pools: Option<Vec<Reference>>,
    pub disabled: Option<bool>,
    /// For who is made.
    pub password: Option<SecretFrom>,
}

/// `None`: as it is, or as is usual.
pub struct WantedPool {
    pub place: Place,
    pub name: String,
    pub kind: Option<PoolKind>,
    pub image: Option<Reference>,
    pub vcpus: Option<u32>,
    pub memory: Option<u64>,
    pub disk: Option<u64>,
    pub desktops_max: Option<u32>,
    pub spares: Option<model::PoolSize>,
    pub peak: Option<Vec<String>>,
    pub holiday: Option<BTreeSet<String>>,
    pub start_ahead: Option<u32>,
    pub off_peak_spares: Option<model::OffPeak>,
    pub leave: Option<model::Leaving>,
    /// Nothing: as at peak.
    pub off_peak_leave: Option<Perhaps<model::LeavingTimes>>,
    pub keyboard: Option<String>,
    /// Nothing: no GPU.
    pub gpu: Option<Perhaps<model::GpuRequest>>,
    pub hardware: Option<model::Hardware>,
    /// Nothing: no disk.
    pub personal_disk: Option<Perhaps<model::PoolDisk>>,
    pub recording: Option<model::RecordingPolicy>,
    pub policy: Option<model::SessionPolicy>,
    pub network: Option<String>,
    pub cloud: Option<Reference>,
    pub flavor: Option<String>,
    pub address: Option<model::CloudAddress>,
    pub root: Option<model::CloudRoot>,
    pub users: Option<Vec<Reference>>,
    pub groups: Option<Vec<Reference>>,
    pub machines: Vec<WantedMachine>,
    pub apps: Vec<WantedApp>,
}

/// A program that the pool publishes.
pub struct WantedApp {
    pub name: String,
    pub run: AppRun,
}

pub struct WantedMachine {
    pub place: Place,
    pub name: String,
    pub protocol: Option<MachineProtocol>,
    pub address: Option<(String, Option<u16>)>,
    pub user: Option<String>,
    pub owner: Option<Reference>,
    pub identity: Option<String>,
    /// By the API's names; an empty text takes away.
    pub parameters: Map<String, Value>,
    /// Its text becomes the parameter `certificate`.
    pub certificate_file: Option<PathBuf>,
    pub secrets: WantedSecrets,
}

#[derive(Default)]
pub struct WantedSecrets {
    pub password: Option<SecretFrom>,
    pub private_key: Option<SecretFrom>,
    pub passphrase: Option<SecretFrom>,
    pub totp: Option<SecretFrom>,
    pub gateway_password: Option<SecretFrom>,
}

/// Where a secret is, which is never in the file itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFrom {
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
}

impl Wanted {
    /// Adds what a file declares. `folder`: where its relative paths begin.
    pub fn add(&mut self, file: &Spot<'_>, folder: &Path) -> Result<(), Wrong> {
        let nouns = file.table()?;
        nouns.only(&NOUNS)?;
        for (noun, spot) in nouns.all() {
            for (name, spot) in spot.table()?.all() {
                let table = spot.table()?;
                match noun {
                    "image" => self.images.push(image(name, &table, folder)?),
                    "group" => self.groups.push(group(name, &table)?),
                    "pool" => self.pools.push(pool(name, &table, folder)?),
                    _ => self.users.push(user(name, &table, folder)?),
                }
            }
        }
        self.check(file)
    }

    /// That nothing is there twice, and not too much.
    fn check(&self, file: &Spot<'_>) -> Result<(), Wrong> {
        let machines: usize = self.pools.iter().map(|pool| pool.machines.len() + pool.apps.len()).sum();
        if self.images.len() + self.groups.len() + self.pools.len() + self.users.len() + machines > DECLARED_MAX {
            return Err(file
                .place
                .wrong(format!("more than {DECLARED_MAX} things are declared"))
                .next("apply several files, one after the other"));
        }
        once("image", self.images.iter().map(|one| (one.name.as_str(), &one.place)))?;
        once("group", self.groups.iter().map(|one| (one.name.as_str(), &one.place)))?;
        once("pool", self.pools.iter().map(|one| (one.name.as_str(), &one.place)))?;
        once("user", self.users.iter().map(|one| (one.name.as_str(), &one.place)))?;
        let machines = self.pools.iter().flat_map(|pool| &pool.machines);
        once("machine", machines.map(|one| (one.name.as_str(), &one.place)))
    }
}

fn once<'a>(noun: &str, all: impl Iterator<Item = (&'a str, &'a Place)>) -> Result<(), Wrong> {
    let mut seen: Vec<(String, &Place)> = all.map(|(name, place)| (name.to_lowercase(), place)).collect();
    seen.sort_by(|(a, _), (b, _)| a.cmp(b));
    for pair in seen.windows(2) {
        if let [(first, before), (second, place)] = pair
            && first == second
        {
            return Err(place
                .wrong(format!("there is a {noun} of this name at {before} already"))
                .next("keep one of them"));
        }
    }
    Ok(())
}

/// A name as those of machines and pools are.
fn plain_name(name: &str, table: &Table<'_>) -> Result<String, Wrong> {
    match name.parse::<model::Name>() {
        Ok(name) => Ok(name.to_string()),
        Err(error) => Err(table.place.wrong(error.to_string())),
    }
}

fn any_name(name: &str, table: &Table<'_>) -> Result<String, Wrong> {
    if name.trim().is_empty() || name.contains('/') || name.chars().all(|c| c == '.') {
        return Err(table.place.wrong(format!("{name:?} is no name")));
    }
    Ok(name.to_owned())
}

fn reference(spot: &Spot<'_>) -> Result<Reference, Wrong> {
    Ok(Reference { name: spot.some_text()?, place: spot.place.clone() })
}

fn references(spot: &Spot<'_>) -> Result<Vec<Reference>, Wrong> {
    spot.list()?.iter().map(reference).collect()
}

fn below(folder: &Path, spot: &Spot<'_>) -> Result<PathBuf, Wrong> {
    Ok(folder.join(spot.some_text()?))
}

fn secret(table: &Table<'_>, name: &str, folder: &Path) -> Result<Option<SecretFrom>, Wrong> {
    let file = table.maybe(&format!("{name}_file"), |spot| below(folder, spot))?;
    let variable = table.get(&format!("{name}_env"));
    match (file, variable) {
        (Some(_), Some(spot)) => {
            Err(spot.place.wrong(format!("{name}_file and {name}_env are both there")).next("keep one of them"))
        }
        (Some(file), None) => Ok(Some(SecretFrom::File(file))),
        (None, Some(spot)) => Ok(Some(SecretFrom::Variable(spot.some_text()?))),
        (None, None) => Ok(None),
    }
}

/// A secret that somebody wrote into the file.
fn no_secret(table: &Table<'_>, names: &[&str]) -> Result<(), Wrong> {
    for name in names {
        if let Some(spot) = table.get(name) {
            let key = if *name == "totp_secret" { "totp" } else { *name };
            return Err(spot
                .place
                .wrong("secrets do not stand in the file")
                .next(format!("name a file with `{key}_file`, or a variable of the environment with `{key}_env`")));
        }
    }
    Ok(())
}

fn image(name: &str, table: &Table<'_>, folder: &Path) -> Result<WantedImage, Wrong> {
    table.only(&["recipe", "from", "sha256", "os"])?;
    let place = table.place.clone();
    let from = match (table.get("recipe"), table.get("from")) {
        (Some(recipe), None) => {
            if let Some(spot) = table.get("sha256").or_else(|| table.get("os")) {
                return Err(spot.place.wrong("what a recipe builds has no such key").next("leave it out"));
            }
            ImageFrom::Recipe(recipe.some_text()?)
        }
        (None, Some(from)) => import(&from, table, folder)?,
        _ => {
            return Err(place.wrong("an image says where it comes from, in one way").next(
                "give either `recipe` (see `oriel recipe list`) or `from` (an absolute path on the server, or a URL)",
            ));
        }
    };
    Ok(WantedImage { name: plain_name(name, table)?, place, from })
}

fn import(spot: &Spot<'_>, table: &Table<'_>, folder: &Path) -> Result<ImageFrom, Wrong> {
    let from = spot.some_text()?;
    let address = url::Url::parse(&from).ok().filter(|_| from.contains("://"));
    if let Some(address) = &address
        && (!address.username().is_empty() || address.password().is_some())
    {
        return Err(spot.place.wrong("this address has a name or a password in it").next(
            "secrets do not stand in the file: import it once with `oriel image import`, and leave it out here",
        ));
    }
    let from = match address {
        Some(address) => address.to_string(),
        None => folder.join(&from).display().to_string(),
    };
    let os = table.maybe("os", |spot| spot.word(&["linux", "windows", "other"]))?.unwrap_or(ImageOs::Linux);
    let sha256 = table.maybe("sha256", Spot::some_text)?.map(|sum| sum.to_lowercase());
    Ok(ImageFrom::Import { from, sha256, os })
}

fn group(name: &str, table: &Table<'_>) -> Result<WantedGroup, Wrong> {
    table.only(&["about", "policy", "second_factor", "members"])?;
    Ok(WantedGroup {
        place: table.place.clone(),
        name: any_name(name, table)?,
        about: table.maybe("about", Spot::text)?,
        policy: table.maybe("policy", Spot::parsed)?,
        second_factor: table.maybe("second_factor", |spot| spot.word(&FACTORS))?,
        members: table.maybe("members", references)?,
    })
}

fn user(name: &str, table: &Table<'_>, folder: &Path) -> Result<WantedUser, Wrong> {
    no_secret(table, &["password"])?;
    table.only(&["role", "pools", "disabled", "password_file", "password_env"])?;
    Ok(WantedUser {
        place: table.place.clone(),
        name: any_name(name, table)?,
        role: table.maybe("role", |spot| spot.word(&ROLES))?,
        pools: table.maybe("pools", references)?,
        disabled: table.maybe("disabled", Spot::truth)?,
        password: secret(table, "password", folder)?,
    })
}

fn pool(name: &str, table: &Table<'_>, folder: &Path) -> Result<WantedPool, Wrong> {
    if let Some(spot) = table.get("name") {
        return Err(spot.place.wrong("a pool's name is that of its table").next("leave it out: names do not change"));
    }
    table.only(&POOL_KEYS)?;
    let peak: Option<Vec<String>> = table.maybe("peak", |spot| {
        let peaks = spot.list()?;
        peaks.iter().map(|spot| spot.parsed::<model::Peak>().map(|peak| peak.to_string())).collect()
    })?;
    let holiday: Option<BTreeSet<String>> = table.maybe("holiday", |spot| {
        let days = spot.list()?;
        let day = |spot: &Spot<'_>| model::holiday(&spot.text()?).map_err(|error| spot.place.wrong(error));
        days.iter().map(|spot| day(spot).map(|day| day.to_string())).collect()
    })?;
    let cloud = table.maybe("cloud", reference)?;
    let network = table.maybe("network", |spot| {
        let network = spot.some_text()?;
        if cloud.is_none() && crate::commands::pool::parse_network(&network).is_err() {
            return Err(spot
                .place
                .wrong(format!("{network:?} is no network"))
                .next("use user, nat:NETWORK or bridge:BRIDGE; on a cloud say which with `cloud`"));
        }
        Ok(network)
    })?;
    let apps = match table.get("app") {
        None => Vec::new(),
        Some(spot) => {
            let all = spot.table()?;
            all.all().into_iter().map(|(name, spot)| app(name, &spot.table()?)).collect::<Result<_, _>>()?
        }
    };
    let machines = match table.get("machine") {
        None => Vec::new(),
        Some(spot) => {
            let all = spot.table()?;
            all.all().into_iter().map(|(name, spot)| machine(name, &spot.table()?, folder)).collect::<Result<_, _>>()?
        }
    };
    Ok(WantedPool {
        place: table.place.clone(),
        name: plain_name(name, table)?,
        kind: table.maybe("kind", |spot| spot.word(&KINDS))?,
        image: table.maybe("image", reference)?,
        vcpus: table.maybe("vcpus", Spot::whole)?,
        memory: table.maybe("memory", Spot::whole)?,
        disk: table.maybe("disk", Spot::whole)?,
        desktops_max: table.maybe("desktops_max", Spot::whole)?,
        spares: table.maybe("spares", Spot::parsed)?,
        peak,
        holiday,
        start_ahead: table.maybe("start_ahead", Spot::whole)?,
        off_peak_spares: table.maybe("off_peak_spares", Spot::parsed)?,
        leave: table.maybe("leave", Spot::parsed)?,
        off_peak_leave: table.maybe("off_peak_leave", |spot| unless("same", spot))?,
        keyboard: table.maybe("keyboard", Spot::some_text)?,
        gpu: table.maybe("gpu", |spot| unless("none", spot))?,
        hardware: table.maybe("hardware", Spot::parsed)?,
        personal_disk: table.maybe("personal_disk", |spot| unless("none", spot))?,
        recording: table.maybe("recording", Spot::parsed)?,
        policy: table.maybe("policy", Spot::parsed)?,
        network,
        cloud,
        flavor: table.maybe("flavor", Spot::some_text)?,
        address: table.maybe("address", Spot::parsed)?,
        root: table.maybe("root", Spot::parsed)?,
        users: table.maybe("users", references)?,
        groups: table.maybe("groups", references)?,
        machines,
        apps,
    })
}

fn app(name: &str, table: &Table<'_>) -> Result<WantedApp, Wrong> {
    table.only(&["remote_app", "program", "arguments", "folder"])?;
    let run = AppRun {
        remote_app: table.maybe("remote_app", Spot::some_text)?,
        initial_program: table.maybe("program", Spot::some_text)?,
        arguments: table.maybe("arguments", Spot::some_text)?,
        folder: table.maybe("folder", Spot::some_text)?,
    };
    if run.remote_app.is_some() == run.initial_program.is_some() {
        let wrong = table.place.wrong("an app is either a remote_app (of Windows) or a program");
        return Err(wrong.next("give one of the two"));
    }
    Ok(WantedApp { name: name.to_owned(), run })
}

/// `word` stands for nothing.
fn unless<T>(word: &str, spot: &Spot<'_>) -> Result<Perhaps<T>, Wrong>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    if spot.text()? == word { Ok(Perhaps(None)) } else { spot.parsed().map(|value| Perhaps(Some(value))) }
}

/// The parameters that a machine may have, by the API's names.
fn known_parameters() -> Vec<String> {
    match serde_json::to_value(MachineParameters::default()) {
        Ok(Value::Object(all)) => all.into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    }
}

/// As the command line calls it.
pub fn parameter_key(name: &str) -> &str {
    if name == "timeout_seconds" { "timeout" } else { name }
}

fn machine(name: &str, table: &Table<'_>, folder: &Path) -> Result<WantedMachine, Wrong> {
    no_secret(table, &["password", "private_key", "passphrase", "totp", "totp_secret", "gateway_password"])?;
    let names = known_parameters();
    let keys: Vec<&str> = MACHINE_KEYS
        .into_iter()
        .chain(names.iter().map(String::as_str).filter(|name| parameter_key(name) == *name))
        .collect();
    table.only(&keys)?;
    let address = table.maybe("address", |spot| {
        let text = spot.some_text()?;
        split_address(&text).map_err(|failure| {
            let wrong = spot.place.wrong(failure.what);
            Wrong { next: failure.next_step, ..wrong }
        })
    })?;
    let certificate_file = table.maybe("certificate_file", |spot| below(folder, spot))?;
    let mut parameters = Map::new();
    for name in &names {
        let Some(spot) = table.get(parameter_key(name)) else { continue };
        if name == "certificate" && certificate_file.is_some() {
            return Err(spot.place.wrong("certificate_file is there as well").next("keep one of them"));
        }
        let value = parameter(name, &spot)?;
        parameters.insert(name.clone(), value);
    }
    Ok(WantedMachine {
        place: table.place.clone(),
        name: plain_name(name, table)?,
        protocol: table.maybe("protocol", |spot| spot.word(&PROTOCOLS))?,
        address,
        user: table.maybe("user", Spot::text)?,
        owner: table.maybe("owner", reference)?,
        identity: table.maybe("identity", Spot::text)?,
        parameters,
        certificate_file,
        secrets: WantedSecrets {
            password: secret(table, "password", folder)?,
            private_key: secret(table, "private_key", folder)?,
            passphrase: secret(table, "passphrase", folder)?,
            totp: secret(table, "totp", folder)?,
            gateway_password: secret(table, "gateway_password", folder)?,
        },
    })
}

/// One parameter's value, which must be of its kind.
fn parameter(name: &str, spot: &Spot<'_>) -> Result<Value, Wrong> {
    let value = match name {
        "security" => Value::String(spot.word(&["nla", "tls", "vmconnect"])?),
        "authentication" => Value::String(spot.word(&["kerberos", "ntlm"])?),
        "backspace" => Value::String(spot.word(&["delete", "control-h"])?),
        _ => spot.json()?,
    };
    // What takes a parameter away is of no kind.
    if value.as_str() == Some("") {
        return Ok(value);
    }
    let alone = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
    match serde_json::from_value::<MachineParameters>(alone) {
        Ok(_) => Ok(value),
        Err(error) => Err(spot.place.wrong(error.to_string())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
pub(super) mod tests {
    use super::super::tree::{Language, read};
    use super::*;
    use crate::failure::Failure;

    pub fn wanted(text: &str) -> Result<Wanted, String> {
        let node = read(text, Language::guessed(text)).map_err(|error| error.what)?;
        let mut wanted = Wanted::default();
        match wanted.add(&Spot::file("lab.toml", &node), Path::new("/srv/lab")) {
            Ok(()) => Ok(wanted),
            Err(wrong) => Err(Failure::from(wrong).to_string()),
        }
    }

    #[test]
    fn a_file_says_what_the_command_line_says() {
        let text = r#"
            [image.debian]
            recipe = "debian-desktop"
            [group."night shift"]
            policy = "copy=off"
            members = ["ada"]
            [pool.office]
            kind = "floating"
            image = "debian"
            spares = "running=2"
            peak = ["mon-fri 08:00-18:00 europe/berlin"]
            off_peak_leave = "same"
            gpu = "none"
            users = ["ada"]
            groups = ["night shift"]
            [pool.lab]
            kind = "external"
            [pool.lab.machine.gate]
            protocol = "ssh"
            address = "gate.example:2222"
            password_file = "gate.secret"
            timeout = 20
            backspace = "control-h"
        "#;
        let wanted = wanted(text).unwrap();
        let office = wanted.pools.first().unwrap();
        assert_eq!((office.kind, office.gpu.clone()), (Some(PoolKind::Floating), Some(Perhaps(None))));
        assert_eq!(office.peak, Some(vec!["mon-fri 08:00-18:00 Europe/Berlin".to_owned()]));
        assert_eq!(office.spares.as_ref().map(|size| size.running_spares), Some(2));
        assert_eq!((office.off_peak_leave, office.vcpus), (Some(Perhaps(None)), None));
        let gate = wanted.pools.get(1).unwrap().machines.first().unwrap();
        assert_eq!(gate.address, Some(("gate.example".to_owned(), Some(2222))));
        assert_eq!(gate.secrets.password, Some(SecretFrom::File("/srv/lab/gate.secret".into())));
        assert_eq!(
            Value::Object(gate.parameters.clone()),
            serde_json::json!({"timeout_seconds": 20, "backspace": "control_h"})
        );
    }

    /// What people copy first.
    #[test]
    fn the_example_of_the_documentation_can_be_read() {
        let page = include_str!("../../../../../docs/apply.md");
        for (language, pools) in [("toml", 3), ("yaml", 1)] {
            let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
            let (example, _) = rest.split_once("```").unwrap();
            assert_eq!(wanted(example).unwrap().pools.len(), pools, "{language}");
        }
    }

    #[test]
    fn what_cannot_be_is_said() {
        for (text, said) in [
            ("[pol.office]\n", "did you mean `pool`?"),
            ("[pool.Office]\n", "\"Office\" is not a name"),
            ("[pool.office]\nspares = \"two\"\n", "line 2, pool.office.spares: \"two\" is no size of a pool"),
            ("[pool.office]\nspares = 2\n", "this is 2, and must be a text"),
            ("[pool.office]\nvcpus = -1\n", "this is -1, and must be a whole number"),
            ("[pool.office]\nkind = \"floatin\"\n", "did you mean `floating`?"),
            ("[pool.office]\nusers = [\"ada\", 3]\n", "pool.office.users[1]: this is 3"),
            ("[pool.office]\nnetwork = \"vlan7\"\n", "use user, nat:NETWORK"),
            ("[pool.office]\nname = \"office\"\n", "leave it out"),
            ("[image.debian]\n", "an image says where it comes from"),
            ("[image.debian]\nfrom = \"https://ada:hush@img.example/a.qcow2\"\n", "a name or a password"),
            ("[group.a]\n[group.A]\n", "there is a group of this name at lab.toml line 1, group.a already"),
            ("[pool.lab.machine.gate]\npassword = \"hush\"\n", "`password_file`"),
            ("[pool.lab.machine.gate]\npassword_file = \"a\"\npassword_env = \"A\"\n", "are both there"),
            ("[pool.lab.machine.gate]\njpeg_quality = \"best\"\n", "pool.lab.machine.gate.jpeg_quality"),
            ("[pool.lab.machine.gate]\nwallpapper = true\n", "did you mean `wallpaper`?"),
            ("[pool.a.machine.gate]\n[pool.b.machine.gate]\n", "there is a machine of this name"),
        ] {
            let wrong = wanted(text).err().unwrap();
            assert!(wrong.contains(said), "{text}: {wrong}");
            assert!(!wrong.contains("hush"), "{wrong}");
        }
    }
}
