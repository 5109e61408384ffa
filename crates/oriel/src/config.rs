//! The configuration: one TOML file, environment overrides, flags. Every value knows where it came from.
//!
//! ```text
//! default  ◀  oriel.toml (--config, or {data}/oriel.toml, or /etc/oriel/oriel.toml)  ◀  ORIEL_…  ◀  flag
//! ```

use crate::failure::Failure;
use oriel_broker::{GpuRules, Outside, Realms};
use oriel_model::GpuPlacement;
use oriel_recording::BucketOptions;
use oriel_server::{Proxy, own_addresses};
use reqwest::header::HeaderName;
use std::{
    collections::BTreeMap,
    env, fmt, fs,
    io::Read as _,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// What the program listens on when nothing else is said.
pub const LISTEN: &str = "127.0.0.1:8470";
/// For desktops, unless said otherwise: below the ports that Linux hands out to programs that ask for any (from 32768 on).
const PORTS: RangeInclusive<u16> = 24_000..=28_999;
/// Lowest port that may be given to desktops: those below are for system services.
const PORT_MIN: u16 = 1024;

/// Recordings are deleted after so many days, unless somebody says otherwise; at most ten years can be said.
const RECORDING_DAYS: &str = "90";
const RECORDING_DAYS_MAX: u32 = 3650;
/// S3 servers of one's own mostly say that they are there.
const REGION: &str = "us-east-1";
/// Longest secret that is read from a file, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

/// Keys that name headers.
const PROXY_HEADERS: [&str; 5] =
    ["proxy.email_header", "proxy.factor_header", "proxy.groups_header", "proxy.id_header", "proxy.user_header"];

/// One thing that can be configured.
pub struct Key {
    pub name: &'static str,
    pub about: &'static str,
}

/// Everything that can be configured. The environment's name is `ORIEL_` and the key in capitals, with `_` for a dot.
pub const KEYS: &[Key] = &[
    Key { name: "accelerator", about: "auto, kvm or tcg: what desktops run on" },
    Key { name: "cache", about: "folder of downloads and built images, shared by all data folders of this user" },
    Key { name: "data", about: "folder of everything that is kept" },
    Key { name: "database", about: "an SQLite file, or postgres://USER:PASSWORD@HOST/NAME" },
    Key {
        name: "external.allow",
        about: "networks beyond the public internet in which external machines may be dialled: [\"10.0.0.0/8\"]",
    },
    Key {
        name: "gpu_licenses",
        about: "most desktops at a time for editions of vGPU licences: \"vWS=10, vPC=50\", or a table of them; no limit for others",
    },
    Key {
        name: "gpu_placement",
        about: "density or performance: which of the cards with room pools take that say nothing of it",
    },
    Key { name: "images", about: "folder of the images' files" },
    Key {
        name: "kerberos.domains",
        about: "other names of realms' domains, those before the backslash: a table of them, or \"CORP=CORP.EXAMPLE\"",
    },
    Key {
        name: "kerberos.realms",
        about: "realms of accounts on RDP machines and their KDCs: a table of lists, or \"CORP.EXAMPLE=dc1.corp.example dc2.corp.example:88\"; https://HOST/KdcProxy for a proxy",
    },
    Key { name: "libvirt_uri", about: "the libvirt that runs desktops" },
    Key { name: "listen", about: "ADDRESS:PORT for browsers; TLS unless it is a loopback address" },
    Key { name: "log", about: "what to log: error, warn, info, debug, or filters like oriel_rdp=debug,info" },
    Key { name: "log_format", about: "text or json" },
    Key { name: "ports", about: "FIRST-LAST: ports of this machine's loopback through which desktops are reached" },
    Key {
        name: "proxy.email_header",
        about: "header of the proxy in front with people's e-mail address, their name here without another; Remote-Email when unset",
    },
    Key {
        name: "proxy.factor_header",
        about: "header of the proxy in front with words (amr) that say how people showed who they are",
    },
    Key {
        name: "proxy.groups_header",
        about: "header of the proxy in front with people's groups; Remote-Groups when unset",
    },
    Key { name: "proxy.groups_separator", about: "one sign between those groups; a comma when unset" },
    Key {
        name: "proxy.id_header",
        about: "header of the proxy in front with an id of people that stays when names change; their name when unset",
    },
    Key {
        name: "proxy.secret_file",
        about: "file with what the proxy in front sends as Oriel-Proxy-Secret; or the credential proxy.secret of systemd",
    },
    Key {
        name: "proxy.trust",
        about: "addresses of proxies in front that say who asks and sign people in: [\"10.0.0.5\"]; nobody's when unset",
    },
    Key {
        name: "proxy.user_header",
        about: "header of the proxy in front with people's names; Remote-User when unset",
    },
    Key {
        name: "recording.access_key",
        about: "access key id for the bucket; or the credential recording.access_key of systemd",
    },
    Key { name: "recording.endpoint", about: "https://HOST[:PORT] of an S3 server of your own; Amazon's when unset" },
    Key { name: "recording.region", about: "region of the bucket" },
    Key { name: "recording.secret_key", about: "secret access key for the bucket; better in a file" },
    Key {
        name: "recording.secret_key_file",
        about: "file with the secret access key; or the credential recording.secret_key of systemd",
    },
    Key {
        name: "recording.store",
        about: "s3://BUCKET/PREFIX to which ended recordings are moved; they stay in the folder `recordings` when unset",
    },
    Key { name: "recording_days", about: "days after which recorded connections are deleted; 0 keeps them" },
    Key { name: "recordings", about: "folder of recorded connections, encrypted" },
    Key { name: "tls_certificate", about: "PEM file with the certificate chain; an own one is made when unset" },
    Key { name: "tls_key", about: "PEM file with its private key" },
];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub listen: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceleratorChoice {
    Auto,
    Kvm,
    Tcg,
}

/// The effective configuration.
#[derive(Clone, Debug)]
pub struct Config {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Config {
    /// Reads everything there is. Errors: an unreadable file, an unknown key, a value that does not fit.
    pub fn read(flags: &Flags) -> Result<Self, Failure> {
        Self::merge(flags, |name| env::var(name).ok())
    }

    fn merge(flags: &Flags, env: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        // The data folder comes first: the file may be in it.
        let data = flags
            .data
            .as_ref()
            .map(|path| path.display().to_string())
            .or_else(|| env("ORIEL_DATA"))
            .unwrap_or_else(|| default_folder("XDG_DATA_HOME", ".local/share", "/var/lib", &env));
        let mut values = BTreeMap::new();
        let file = file(flags, Path::new(&data), &env)?;
        if let Some((path, table)) = &file {
            for (key, value) in table {
                // `[external]` with `allow` in it is `external.allow`.
                let inner = match value {
                    toml::Value::Table(inner) if KEYS.iter().all(|known| known.name != key) => {
                        inner.iter().map(|(k, v)| (format!("{key}.{k}"), v)).collect()
                    }
                    value => vec![(key.clone(), value)],
                };
                for (key, value) in inner {
                    let key = known(&key, path)?;
                    values.insert(key.name, (text(key, value, path)?, Origin::File(path.clone())));
                }
            }
        }
        for key in KEYS {
            let name = format!("ORIEL_{}", key.name.to_uppercase().replace('.', "_"));
            if let Some(value) = env(&name) {
                values.insert(key.name, (value, Origin::Environment(name)));
            }
        }
        if let Some(data) = &flags.data {
            values.insert("data", (data.display().to_string(), Origin::Flag("--data")));
        }
        if let Some(listen) = &flags.listen {
            values.insert("listen", (listen.clone(), Origin::Flag("--listen")));
        }
        let data = values.entry("data").or_insert((data, Origin::Default)).0.clone();
        let below = |name: &str| Path::new(&data).join(name).display().to_string();
        let uri = if rustix::process::geteuid().is_root() { "qemu:///system" } else { "qemu:///session" };
        for (name, value) in [
            ("accelerator", "auto".to_owned()),
            ("cache", default_folder("XDG_CACHE_HOME", ".cache", "/var/cache", &env)),
            ("database", below("oriel.db")),
            ("gpu_placement", "density".to_owned()),
            ("images", below("images")),
            ("libvirt_uri", uri.to_owned()),
            ("listen", LISTEN.to_owned()),
            ("log", "info".to_owned()),
            ("log_format", "text".to_owned()),
            ("recording.region", REGION.to_owned()),
            ("recording_days", RECORDING_DAYS.to_owned()),
            ("recordings", below("recordings")),
            ("ports", format!("{}-{}", PORTS.start(), PORTS.end())),
        ] {
            values.entry(name).or_insert((value, Origin::Default));
        }
        let config = Self { values };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Failure> {
        self.accelerator()?;
        let wrong = |key: &str, value: &str, fit: &str| {
            let from = self.values.get(key).map(|(_, origin)| origin.to_string()).unwrap_or_default();
            Err(Failure::usage(format!("{key} = {value:?} (from {from}) does not fit")).next(fit))
        };
        if range(self.get("ports")).is_none() {
            let fit = format!("give the first and the last port, like {}-{}", PORTS.start(), PORTS.end());
            return wrong("ports", self.get("ports"), &fit);
        }
        if let Err(error) = self.get("gpu_placement").parse::<GpuPlacement>() {
            return wrong("gpu_placement", self.get("gpu_placement"), &error);
        }
        if licences(self.get("gpu_licenses")).is_none() {
            return wrong("gpu_licenses", self.get("gpu_licenses"), "name editions and counts, like vWS=10, vPC=50");
        }
        if self.recording_days().is_none() {
            let fit = format!("give a number of days up to {RECORDING_DAYS_MAX}, or 0 to keep recordings");
            return wrong("recording_days", self.get("recording_days"), &fit);
        }
        self.check_bucket()?;
        if let Err(word) = Outside::parse(self.get("external.allow")) {
            let fit = format!("{word} is no network: give some like [\"10.0.0.0/8\", \"192.168.7.20\"]");
            return wrong("external.allow", self.get("external.allow"), &fit);
        }
        if let Err(fit) = Realms::parse(self.get("kerberos.realms"), self.get("kerberos.domains")) {
            return wrong("kerberos.realms", self.get("kerberos.realms"), &fit);
        }
        if let Err(word) = Proxy::parse_trust(self.get("proxy.trust")) {
            let fit = format!("{word} is no network: give some like [\"10.0.0.5\", \"192.168.7.0/24\"]");
            return wrong("proxy.trust", self.get("proxy.trust"), &fit);
        }
        self.check_proxy()?;
        if !["text", "json"].contains(&self.get("log_format")) {
            return wrong("log_format", self.get("log_format"), "use text or json");
        }
        if self.path("tls_certificate").is_some() != self.path("tls_key").is_some() {
            return wrong(
                "tls_certificate",
                self.get("tls_certificate"),
                "set tls_certificate and tls_key together, or neither",
            );
        }
        Ok(())
    }

    fn check_proxy(&self) -> Result<(), Failure> {
        for key in PROXY_HEADERS {
            self.header(key, "remote-user")?;
        }
        if self.get("proxy.groups_separator").chars().count() > 1 {
            return Err(Failure::usage("proxy.groups_separator has more than one sign").next("give one, such as \"|\""));
        }
        Ok(())
    }

    /// The proxy in front, if one is trusted. Errors: a secret that cannot be read, or that is missing.
    pub fn proxy(&self) -> Result<Option<Proxy>, Failure> {
        // Checked when it was read.
        let trust = Proxy::parse_trust(self.get("proxy.trust")).unwrap_or_default();
        if trust.is_empty() {
            return Ok(None);
        }
        let secret = match self.path("proxy.secret_file") {
            Some(file) => Some(secret_of(&file)?),
            None => credential("proxy.secret")?,
        };
        let secret = secret.filter(|secret| !secret.is_empty());
        if secret.is_none() && Proxy::trusts_this_machine(&trust, &own_addresses()) {
            return Err(Failure::usage(
                "proxy.trust names this machine's loopback or another address of its own, which every program and every desktop's network may come from",
            )
            .next("let the proxy send a secret as Oriel-Proxy-Secret, and name its file: proxy.secret_file"));
        }
        let optional = |key| if self.get(key).is_empty() { Ok(None) } else { self.header(key, "").map(Some) };
        Ok(Some(Proxy {
            trust,
            secret: secret.map(Into::into),
            user_header: self.header("proxy.user_header", "remote-user")?,
            id_header: optional("proxy.id_header")?,
            groups_header: self.header("proxy.groups_header", "remote-groups")?,
            groups_separator: self.get("proxy.groups_separator").chars().next().unwrap_or(','),
            email_header: self.header("proxy.email_header", "remote-email")?,
            factor_header: optional("proxy.factor_header")?,
        }))
    }

    fn header(&self, key: &str, usual: &'static str) -> Result<HeaderName, Failure> {
        let name = Some(self.get(key)).filter(|name| !name.is_empty()).unwrap_or(usual);
        name.parse().map_err(|_| {
            Failure::usage(format!("{key} = {name:?} is no name of a header")).next("write one like Remote-User")
        })
    }

    /// The value of a key of [`KEYS`]; empty when it has none.
    pub fn get(&self, key: &str) -> &str {
        self.values.get(key).map_or("", |(value, _)| value)
    }

    pub fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.get(key)).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The file that something was read from.
    pub fn file(&self) -> Option<PathBuf> {
        self.values.values().find_map(|(_, origin)| match origin {
            Origin::File(path) => Some(path.clone()),
            _ => None,
        })
    }

    pub fn data(&self) -> PathBuf {
        PathBuf::from(self.get("data"))
    }

    pub fn accelerator(&self) -> Result<AcceleratorChoice, Failure> {
        match self.get("accelerator") {
            "auto" => Ok(AcceleratorChoice::Auto),
            "kvm" => Ok(AcceleratorChoice::Kvm),
            "tcg" => Ok(AcceleratorChoice::Tcg),
            other => Err(Failure::usage(format!("accelerator = {other:?} does not fit")).next("use auto, kvm or tcg")),
        }
    }

    /// The bucket that ended recordings are moved to, with its keys, if there is one. Errors: a place, an address or keys that
    /// cannot be, a secret that cannot be read.
    pub fn bucket(&self) -> Result<Option<BucketOptions>, Failure> {
        let Some(mut options) = self.keyless_bucket() else { return Ok(None) };
        options.access_key = match self.set("recording.access_key") {
            Some(key) => key,
            None => credential("recording.access_key")?.unwrap_or_default(),
        };
        let secret_key = match (self.set("recording.secret_key"), self.path("recording.secret_key_file")) {
            (Some(key), _) => key,
            (None, Some(file)) => secret_of(&file)?,
            (None, None) => credential("recording.secret_key")?.unwrap_or_default(),
        };
        options.secret_key = secret_key.into();
        fits(&options.place, options.check())?;
        Ok(Some(options))
    }

    /// What of it everybody's commands look at: the keys may be for the server's account alone.
    fn check_bucket(&self) -> Result<(), Failure> {
        let Some(options) = self.keyless_bucket() else { return Ok(()) };
        if self.set("recording.secret_key").is_some() && self.set("recording.secret_key_file").is_some() {
            return Err(Failure::usage("recording.secret_key and recording.secret_key_file are both set")
                .next("keep one of them; the file is the safer"));
        }
        fits(&options.place, options.check_place())
    }

    fn keyless_bucket(&self) -> Option<BucketOptions> {
        Some(BucketOptions {
            place: self.set("recording.store")?,
            endpoint: self.set("recording.endpoint"),
            region: self.get("recording.region").to_owned(),
            access_key: String::new(),
            secret_key: String::new().into(),
        })
    }

    fn set(&self, key: &str) -> Option<String> {
        Some(self.get(key)).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// 0: for ever.
    pub fn recording_days(&self) -> Option<u32> {
        self.get("recording_days").parse().ok().filter(|days| *days <= RECORDING_DAYS_MAX)
    }

    /// How GPUs are handed out.
    pub fn gpu_rules(&self) -> GpuRules {
        // Both were checked when they were read.
        GpuRules {
            placement: self.get("gpu_placement").parse().unwrap_or_default(),
            licences: licences(self.get("gpu_licenses")).unwrap_or_default(),
        }
    }

    /// Loopback ports for desktops.
    #[cfg_attr(not(feature = "libvirt"), expect(dead_code, reason = "no desktops without libvirt"))]
    pub fn ports(&self) -> RangeInclusive<u16> {
        // Checked when it was read.
        range(self.get("ports")).unwrap_or(PORTS)
    }

    /// What may be dialled of machines that Oriel does not run.
    pub fn outside(&self) -> Outside {
        // Checked when it was read.
        Outside::parse(self.get("external.allow")).unwrap_or_default()
    }

    /// Whose KDCs may be asked.
    pub fn realms(&self) -> Realms {
        // Checked when it was read.
        Realms::parse(self.get("kerberos.realms"), self.get("kerberos.domains")).unwrap_or_default()
    }

    /// Every key with its value, secrets hidden, and where it came from.
    pub fn shown(&self) -> Vec<(&'static Key, Option<String>, String)> {
        KEYS.iter()
            .map(|key| match self.values.get(key.name) {
                Some((value, origin)) => (key, Some(hidden(key.name, value)), origin.to_string()),
                None => (key, None, "unset".to_owned()),
            })
            .collect()
    }
}

fn fits(place: &str, checked: Result<(), String>) -> Result<(), Failure> {
    checked.map_err(|wrong| {
        Failure::usage(format!("recording.store = {place:?} does not fit: {wrong}"))
            .next("see \"A bucket\" in docs/recording-format.md")
    })
}

/// What a file says, without the white space around it.
fn secret_of(file: &Path) -> Result<String, Failure> {
    let failed = |error: &std::io::Error| {
        Failure::because(format!("cannot read the secret in {}", file.display()), error)
            .next("make it a small text file that the server's account alone may read")
            .code(crate::failure::USAGE)
    };
    let mut text = String::new();
    let read = fs::File::open(file).and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if bytes as u64 <= SECRET_BYTES_MAX => Ok(text.trim().to_owned()),
        Ok(_) => Err(failed(&std::io::Error::other(format!("it has more than {SECRET_BYTES_MAX} bytes")))),
        Err(error) => Err(failed(&error)),
    }
}

/// A credential that systemd handed over (systemd.exec(5), `LoadCredential=`), if it did.
fn credential(name: &str) -> Result<Option<String>, Failure> {
    match env::var_os("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join(name)) {
        Some(file) if file.exists() => secret_of(&file).map(Some),
        _ => Ok(None),
    }
}

/// Editions and how many desktops may use them; `None` where the text is no such list.
fn licences(text: &str) -> Option<BTreeMap<String, u32>> {
    let one = |part: &str| {
        let (edition, count) = part.split_once('=')?;
        let edition = edition.trim();
        (!edition.is_empty()).then_some(())?;
        Some((edition.to_owned(), count.trim().parse().ok()?))
    };
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(one).collect()
}

/// The first and the last port; `None` where the text names no range with room for one desktop.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first >= PORT_MIN && last > first).then_some(first..=last)
}

fn file(
    flags: &Flags,
    data: &Path,
    env: &impl Fn(&str) -> Option<String>,
) -> Result<Option<(PathBuf, toml::Table)>, Failure> {
    let asked = flags.config.clone().or_else(|| env("ORIEL_CONFIG").map(PathBuf::from));
    let path = match asked {
        Some(path) => path,
        None => {
            match [data.join("oriel.toml"), PathBuf::from("/etc/oriel/oriel.toml")].into_iter().find(|p| p.exists()) {
                Some(path) => path,
                None => return Ok(None),
            }
        }
    };
    let what = format!("cannot read the configuration {}", path.display());
    let text =
        fs::read_to_string(&path).map_err(|error| Failure::because(&what, &error).code(crate::failure::USAGE))?;
    let table = text.parse().map_err(|error: toml::de::Error| {
        Failure::usage(what).next(format!("mend the file: {}", error.to_string().trim_end()))
    })?;
    Ok(Some((path, table)))
}

fn known(name: &str, path: &Path) -> Result<&'static Key, Failure> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
        let near = KEYS
            .iter()
            .map(|key| (strsim::damerau_levenshtein(key.name, name), key.name))
            .min()
            .filter(|(distance, _)| *distance <= 3);
        let next = match near {
            Some((_, near)) => format!("did you mean `{near}`?"),
            None => format!("known keys: {}", KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")),
        };
        Failure::usage(format!("{} sets `{name}`, which is no key of Oriel's configuration", path.display())).next(next)
    })
}

fn text(key: &Key, value: &toml::Value, path: &Path) -> Result<String, Failure> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(truth) => Ok(truth.to_string()),
        toml::Value::Table(counts) if key.name == "gpu_licenses" => {
            let pairs: Vec<String> = counts.iter().map(|(edition, count)| format!("{edition}={count}")).collect();
            Ok(pairs.join(", "))
        }
        toml::Value::Table(named) if ["kerberos.domains", "kerberos.realms"].contains(&key.name) => {
            let words = |value: &toml::Value| match value {
                toml::Value::String(word) => Some(word.clone()),
                toml::Value::Array(words) => {
                    let words: Option<Vec<&str>> = words.iter().map(toml::Value::as_str).collect();
                    words.map(|words| words.join(" "))
                }
                _ => None,
            };
            let pairs: Option<Vec<String>> =
                named.iter().map(|(name, value)| words(value).map(|words| format!("{name}={words}"))).collect();
            pairs.map(|pairs| pairs.join(", ")).ok_or_else(|| {
                Failure::usage(format!("{} sets something in `{}` that is no text", path.display(), key.name))
                    .next(format!("write texts and lists of them ({})", key.about))
            })
        }
        toml::Value::Array(words)
            if ["external.allow", "proxy.trust"].contains(&key.name) && words.iter().all(toml::Value::is_str) =>
        {
            Ok(words.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(", "))
        }
        _ => Err(Failure::usage(format!("{} sets `{}` to something that is no text", path.display(), key.name))
            .next(format!("write {} = \"…\" ({})", key.name, key.about))),
    }
}

/// A folder of Oriel's own: below the system's for root, below the person's otherwise.
fn default_folder(variable: &str, home: &str, system: &str, env: &impl Fn(&str) -> Option<String>) -> String {
    if let Some(folder) = env(variable) {
        return Path::new(&folder).join("oriel").display().to_string();
    }
    if rustix::process::geteuid().is_root() && system != "/var/cache" {
        return Path::new(system).join("oriel").display().to_string();
    }
    let folder = env("HOME").map_or_else(|| PathBuf::from(system), |person| Path::new(&person).join(home));
    folder.join("oriel").display().to_string()
}

/// A password inside an address is nobody's business.
fn hidden(key: &str, value: &str) -> String {
    if key == "recording.secret_key" {
        return "hidden".to_owned();
    }
    if key != "database" || !value.contains("://") {
        return value.to_owned();
    }
    match url::Url::parse(value) {
        Ok(mut url) => {
            if url.password().is_some() {
                url.set_password(Some("hidden")).ok();
            }
            if url.query().is_some() {
                url.set_query(Some("hidden"));
            }
            url.to_string()
        }
        Err(_) => "hidden".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn later_layers_win_and_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("oriel.toml");
        fs::write(&file, "listen = \"127.0.0.1:1\"\nlog = \"debug\"\ndatabase = \"postgres://u:secret@h/d\"\n")
            .unwrap();
        let flags = Flags { data: Some(folder.path().to_owned()), listen: Some("127.0.0.1:3".into()), config: None };
        let env = |name: &str| (name == "ORIEL_LOG").then(|| "warn".to_owned());
        let config = Config::merge(&flags, env).unwrap();
        assert_eq!(config.get("listen"), "127.0.0.1:3");
        assert_eq!(config.get("log"), "warn");
        let shown: BTreeMap<_, _> =
            config.shown().into_iter().map(|(key, value, from)| (key.name, (value, from))).collect();
        assert_eq!(shown["listen"].1, "--listen");
        assert_eq!(shown["log"].1, "ORIEL_LOG");
        assert_eq!(shown["database"].0.as_deref(), Some("postgres://u:hidden@h/d"));
        assert_eq!(shown["database"].1, file.display().to_string());
        assert_eq!(shown["accelerator"], (Some("auto".into()), "default".into()));
        assert_eq!(config.ports(), 24_000..=28_999);
        assert_eq!(shown["tls_key"], (None, "unset".into()));
    }

    #[test]
    fn rules_for_gpus_are_read_from_both_spellings() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data: Some(folder.path().to_owned()), ..Flags::default() };
        for text in ["gpu_licenses = \"vWS=10, vPC = 50\"", "[gpu_licenses]\nvWS = 10\nvPC = 50"] {
            fs::write(folder.path().join("oriel.toml"), text).unwrap();
            let rules = Config::merge(&flags, nothing).unwrap().gpu_rules();
            let caps = [("vPC".to_owned(), 50), ("vWS".to_owned(), 10)];
            assert_eq!(rules, GpuRules { placement: GpuPlacement::Density, licences: caps.into() });
        }
        let env = |name: &str| (name == "ORIEL_GPU_PLACEMENT").then(|| "performance".to_owned());
        assert_eq!(Config::merge(&flags, env).unwrap().gpu_rules().placement, GpuPlacement::Performance);
    }

    #[test]
    fn a_bucket_is_a_table_and_its_secret_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data: Some(folder.path().to_owned()), ..Flags::default() };
        let read = |text: &str| {
            fs::write(folder.path().join("oriel.toml"), text).unwrap();
            Config::merge(&flags, nothing)
        };
        assert!(read("").unwrap().bucket().unwrap().is_none());
        let file = folder.path().join("key");
        fs::write(&file, "of the file\n").unwrap();
        let keys = format!("access_key = \"a\"\nsecret_key_file = {:?}", file.display().to_string());
        let text = format!("[recording]\nstore = \"s3://films/one\"\nendpoint = \"http://[::1]:9000\"\n{keys}");
        let bucket = read(&text).unwrap().bucket().unwrap().unwrap();
        assert_eq!((bucket.place.as_str(), bucket.region.as_str()), ("s3://films/one", "us-east-1"));
        assert_eq!(secrecy::ExposeSecret::expose_secret(&bucket.secret_key), "of the file");
        let config = read("[recording]\nstore = \"s3://films\"\naccess_key = \"a\"\nsecret_key = \"geheim\"").unwrap();
        let shown = config.shown().into_iter().find(|(key, ..)| key.name == "recording.secret_key").unwrap();
        assert_eq!(shown.1.as_deref(), Some("hidden"));
        for wrong in ["store = \"s3://x\"", "store = \"films\""] {
            let failure = read(&format!("[recording]\n{wrong}")).unwrap_err();
            assert!(failure.next_step.unwrap().contains("docs/recording-format.md"), "{wrong}");
        }
        // Keys that only the server has are missed by whoever uses the bucket, and by no other command.
        let keyless = read("[recording]\nstore = \"s3://films\"\naccess_key = \"a\"").unwrap();
        assert!(keyless.bucket().unwrap_err().next_step.unwrap().contains("docs/recording-format.md"));
        let both = format!("{text}\nsecret_key = \"too\"");
        assert!(read(&both).unwrap_err().what.contains("both set"));
        fs::write(&file, "x".repeat(4097)).unwrap();
        assert!(read(&text).unwrap().bucket().unwrap_err().why.concat().contains("more than 4096 bytes"));
        fs::remove_file(file).unwrap();
        assert!(read(&text).unwrap().bucket().unwrap_err().what.contains("cannot read the secret"));
    }

    #[test]
    fn networks_are_a_list_in_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data: Some(folder.path().to_owned()), ..Flags::default() };
        let read = |text: &str| {
            fs::write(folder.path().join("oriel.toml"), text).unwrap();
            Config::merge(&flags, nothing)
        };
        for good in ["external.allow = [\"10.0.0.0/8\", \"::1\"]", "[external]\nallow = [\"10.0.0.0/8\", \"::1\"]"] {
            assert_eq!(read(good).unwrap().get("external.allow"), "10.0.0.0/8, ::1", "{good}");
        }
        assert!(read("external.allow = [\"10.0.0.0/40\"]").unwrap_err().next_step.unwrap().contains("10.0.0.0/40"));
        assert!(read("external.allow = [1]").unwrap_err().what.contains("no text"));
        assert!(read("[external]\nalow = []").unwrap_err().next_step.unwrap().contains("external.allow"));
        let env = |name: &str| (name == "ORIEL_EXTERNAL_ALLOW").then(|| "10.0.0.0/8".to_owned());
        fs::remove_file(folder.path().join("oriel.toml")).unwrap();
        assert_eq!(Config::merge(&flags, env).unwrap().get("external.allow"), "10.0.0.0/8");
    }

    #[test]
    fn realms_are_read_from_both_spellings() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data: Some(folder.path().to_owned()), ..Flags::default() };
        let read = |text: &str| {
            fs::write(folder.path().join("oriel.toml"), text).unwrap();
            Config::merge(&flags, nothing)
        };
        let tables = "[kerberos]\ndomains = { CORP = \"CORP.EXAMPLE\" }\n[kerberos.realms]\n\"CORP.EXAMPLE\" = [\"dc1.corp.example\", \"dc2.corp.example:88\"]\n\"LAB.EXAMPLE\" = \"https://edge.example/KdcProxy\"";
        let texts = "[kerberos]\ndomains = \"CORP=CORP.EXAMPLE\"\nrealms = \"LAB.EXAMPLE=https://edge.example/KdcProxy, CORP.EXAMPLE=dc1.corp.example dc2.corp.example\"";
        let realms = read(tables).unwrap().realms();
        assert_ne!(realms, Realms::default());
        assert_eq!(realms, read(texts).unwrap().realms());
        let lower = read("[kerberos.realms]\n\"corp.example\" = \"dc1\"").unwrap_err();
        assert!(lower.what.contains("kerberos.realms") && lower.next_step.unwrap().contains("in capitals"));
        assert!(read("[kerberos.realms]\n\"CORP.EXAMPLE\" = [1]").unwrap_err().what.contains("no text"));
        assert!(
            read("[kerberos]\ndomains = { LAB = \"LAB.EXAMPLE\" }").unwrap_err().next_step.unwrap().contains("LAB")
        );
    }

    #[test]
    fn a_proxy_on_this_machine_shows_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data: Some(folder.path().to_owned()), ..Flags::default() };
        let read = |text: &str| {
            fs::write(folder.path().join("oriel.toml"), text).unwrap();
            Config::merge(&flags, nothing)
        };
        assert!(read("").unwrap().proxy().unwrap().is_none());
        let away = read("[proxy]\ntrust = [\"203.0.113.5\"]\nid_header = \"X-Uid\"").unwrap().proxy().unwrap().unwrap();
        assert!(away.secret.is_none() && away.factor_header.is_none());
        assert_eq!((away.user_header.as_str(), away.id_header.unwrap().as_str()), ("remote-user", "x-uid"));
        let here = read("proxy.trust = [\"127.0.0.1\"]").unwrap().proxy().unwrap_err();
        assert!(here.next_step.unwrap().contains("proxy.secret_file"));
        let file = folder.path().join("secret");
        fs::write(&file, "hush\n").unwrap();
        let text = format!("[proxy]\ntrust = \"127.0.0.1\"\nsecret_file = {:?}", file.display().to_string());
        assert!(read(&text).unwrap().proxy().unwrap().unwrap().secret.is_some());
        assert!(read("[proxy]\ntrust = [\"proxy.lab\"]").unwrap_err().next_step.unwrap().contains("proxy.lab"));
        assert!(read("[proxy]\nuser_header = \"a b\"").unwrap_err().what.contains("no name of a header"));
        assert!(read("[proxy]\ngroups_separator = \"||\"").unwrap_err().what.contains("more than one sign"));
    }

    #[test]
    fn wrong_keys_and_values_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data: Some(folder.path().to_owned()), ..Flags::default() };
        let fails = |text: &str| {
            fs::write(folder.path().join("oriel.toml"), text).unwrap();
            Config::merge(&flags, nothing).unwrap_err()
        };
        assert_eq!(fails("lisen = \"x\"").next_step.as_deref(), Some("did you mean `listen`?"));
        assert!(fails("colour = 1").next_step.unwrap().starts_with("known keys:"));
        assert_eq!(fails("accelerator = \"fast\"").next_step.as_deref(), Some("use auto, kvm or tcg"));
        assert!(fails("listen = [1]").what.contains("no text"));
        assert!(fails("listen = ").next_step.unwrap().contains("mend the file"));
        for ports in ["80-90", "5000-5000", "24000", "a-b"] {
            let failure = fails(&format!("ports = \"{ports}\""));
            assert_eq!(failure.next_step.as_deref(), Some("give the first and the last port, like 24000-28999"));
        }
        assert!(fails("gpu_placement = \"explicit\"").next_step.unwrap().contains("cards="));
        assert!(fails("[gpu_licenses]\nvWS = \"many\"").next_step.unwrap().contains("vWS=10"));
        assert!(fails("tls_key = \"a\"").next_step.unwrap().contains("together"));
    }
}
