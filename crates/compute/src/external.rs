//! Dialling machines that Oriel does not run: addresses that an admin entered, reached from this program itself.
//!
//! An address in a form is a request to open a connection from inside the house, so what may be dialled is the
//! configuration's to say (`external.allow`), and no form's:
//!
//! ```text
//!  host ──resolved once──▶ addresses ──check──▶ those that may be dialled ──▶ dialled as they were checked
//! ```
//! A name is never resolved a second time, so that it cannot mean one address while it is checked and another when dialled.

use ipnet::IpNet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Addresses of one name that are looked at.
pub const ADDRESSES_MAX: usize = 8;
/// Networks that the configuration may allow.
pub const ALLOWED_MAX: usize = 256;
/// How long dialling may take when nobody says otherwise.
pub const DIAL_SECONDS: u16 = 10;

/// Why an address is not dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Oriel's own doors. No configuration opens them.
    OwnDoor,
    /// Services of clouds that hand out credentials to whoever asks. Each must be allowed by its own address.
    Metadata,
    Loopback,
    LinkLocal,
    Multicast,
    Unspecified,
    Private,
    Reserved,
    /// An IPv6 address that carries an IPv4 address to some translator.
    Translated,
    ThisMachine,
}

impl Class {
    const fn words(self) -> &'static str {
        match self {
            Self::OwnDoor => "Oriel itself",
            Self::Metadata => "a cloud's metadata service",
            Self::Loopback => "this machine's loopback",
            Self::LinkLocal => "a link-local address",
            Self::Multicast => "a multicast address",
            Self::Unspecified => "no machine's address",
            Self::Private => "a private address",
            Self::Reserved => "a reserved address",
            Self::Translated => "an IPv6 address that stands for an IPv4 address",
            Self::ThisMachine => "an address of the machine that Oriel runs on",
        }
    }
}

/// Credentials are given out there: AWS, Azure, Google, Oracle and OpenStack (169.254.169.254), AWS containers (169.254.170.2 and 23),
/// Scaleway, Tencent, Alibaba, Oracle's older one, Azure's wire server; then over IPv6 AWS, AWS containers, Google, Oracle,
/// OpenStack, Scaleway.
const METADATA: [IpAddr; 14] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 42, 42)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 0, 23)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42)),
];

#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    #[error("{host} {}is {what}, which Oriel does not dial{}", at(.host, .address), advice(.address, .what))]
    Refused { host: String, address: IpAddr, what: &'static str },
    #[error("the name {host} cannot be resolved: {source}; check its spelling and this machine's name servers")]
    Unresolved { host: String, source: io::Error },
    #[error("the name {host} has no address; check its spelling")]
    NoAddress { host: String },
    #[error("{address} does not answer: {source}; check that the machine runs and that no firewall is between")]
    Unreachable { address: SocketAddr, source: io::Error },
    #[error(
        "{host}:{port} did not answer within {seconds} seconds; check that the machine runs and that no firewall is between"
    )]
    TimedOut { host: String, port: u16, seconds: u64 },
    #[error("nothing can be sent to {address}: {source}; check the address and this machine's network")]
    NoWay { address: SocketAddr, source: io::Error },
    #[error("the packet that wakes the machine cannot be sent to {address}: {source}; check wake_broadcast")]
    NotWoken { address: SocketAddr, source: io::Error },
}

impl ExternalError {
    /// For people who may open the machine and need not know where it is.
    pub fn without_address(&self, machine: &str) -> String {
        match self {
            Self::Refused { .. } => format!(
                "{machine} is at an address that Oriel may not dial: an administrator sees which, and can allow it in the configuration"
            ),
            Self::Unresolved { .. } | Self::NoAddress { .. } => {
                format!("the address of {machine} cannot be found: an administrator can check it")
            }
            Self::Unreachable { source, .. } | Self::NoWay { source, .. } => {
                format!("{machine} does not answer: {source}; check that it runs, and try again in a moment")
            }
            Self::NotWoken { source, .. } => {
                format!("{machine} sleeps, and cannot be woken: {source}; an administrator can check its parameters")
            }
            Self::TimedOut { seconds, .. } => {
                format!(
                    "{machine} did not answer within {seconds} seconds; check that it runs, and try again in a moment"
                )
            }
        }
    }
}

/// `(192.0.2.7) `, for names.
fn at(host: &str, address: &IpAddr) -> String {
    if host.parse::<IpAddr>().is_ok() { String::new() } else { format!("({address}) ") }
}

fn advice(address: &IpAddr, what: &str) -> String {
    if what == Class::OwnDoor.words() {
        return String::from("; enter another machine's address");
    }
    format!(
        " unless the configuration allows it: set external.allow = [\"{address}/{}\"] in oriel.toml, or allow its whole network",
        if address.is_ipv4() { 32 } else { 128 }
    )
}

/// What may be dialled.
#[derive(Debug, Default)]
pub struct Outside {
    allow: Vec<IpNet>,
    /// What Oriel itself listens on, once it does.
    own: Mutex<Vec<SocketAddr>>,
}

impl Outside {
    /// `allow`: networks beyond the public internet that may be dialled.
    pub const fn new(allow: Vec<IpNet>) -> Self {
        Self { allow, own: Mutex::new(Vec::new()) }
    }

    /// Reads networks and addresses, separated by commas or blanks. The error names the one that does not fit.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut allow = Vec::new();
        for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
            let network = word.parse().or_else(|_| word.parse::<IpAddr>().map(IpNet::from));
            allow.push(network.map_err(|_| word.to_owned())?);
        }
        if allow.len() > ALLOWED_MAX {
            return Err(format!("… ({} networks, at most {ALLOWED_MAX})", allow.len()));
        }
        Ok(Self::new(allow))
    }

    /// Says what Oriel itself listens on: never dialled.
    pub fn set_own(&self, doors: Vec<SocketAddr>) {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = doors;
    }

    /// Whether an address may be dialled.
    pub fn check(&self, host: &str, address: SocketAddr) -> Result<(), ExternalError> {
        let ip = address.ip().to_canonical();
        match self.refusal(ip, address.port()) {
            None => Ok(()),
            Some(class) => Err(ExternalError::Refused { host: host.to_owned(), address: ip, what: class.words() }),
        }
    }

    fn refusal(&self, ip: IpAddr, port: u16) -> Option<Class> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let listens = |door: &SocketAddr| {
            let door_ip = door.ip().to_canonical();
            door.port() == port && (door_ip == ip || (door_ip.is_unspecified() && is_of_this_machine(ip)))
        };
        // 0.0.0.0 and :: lead to the loopback, where a door may be.
        if own.iter().any(listens) || (ip.is_unspecified() && own.iter().any(|door| door.port() == port)) {
            return Some(Class::OwnDoor);
        }
        let allowed_by = |network: &&IpNet| network.contains(&ip);
        if METADATA.contains(&ip) {
            // A whole network that was allowed for its machines was not allowed for this.
            let exactly = self.allow.iter().filter(allowed_by).any(|n| n.prefix_len() == n.max_prefix_len());
            return (!exactly).then_some(Class::Metadata);
        }
        if self.allow.iter().any(|network| allowed_by(&network)) {
            return None;
        }
        let class = match ip {
            IpAddr::V4(ip) => class_v4(ip),
            IpAddr::V6(ip) => class_v6(ip),
        };
        class.or_else(|| is_of_this_machine(ip).then_some(Class::ThisMachine))
    }

    /// Opens a connection; `seconds` bounds resolving and dialling together.
    pub async fn dial(&self, host: &str, port: u16, seconds: u16) -> Result<TcpStream, ExternalError> {
        let end = Instant::now() + Duration::from_secs(u64::from(seconds.max(1)));
        let late = || ExternalError::TimedOut { host: host.to_owned(), port, seconds: u64::from(seconds.max(1)) };
        let mut last = None;
        for address in resolve(host, port, end).await?.ok_or_else(late)? {
            if let Err(refused) = self.check(host, address) {
                // One that was tried says more than one that was not.
                last = last.or(Some(refused));
                continue;
            }
            match timeout_at(end, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Keys are small and must not wait for each other.
                    stream.set_nodelay(true).ok();
                    return Ok(stream);
                }
                Ok(Err(source)) => last = Some(ExternalError::Unreachable { address, source }),
                Err(_) => return Err(late()),
            }
        }
        Err(last.unwrap_or_else(|| ExternalError::NoAddress { host: host.to_owned() }))
    }
}

impl Outside {
    /// A UDP socket that is connected to the first address that may be dialled, held to the same rules as [`Self::dial`]; nothing is
    /// sent. `seconds` bounds resolving.
    ///
    /// # Errors
    /// The name has no address that may be dialled, or there is no way to it.
    pub async fn datagrams(&self, host: &str, port: u16, seconds: u16) -> Result<tokio::net::UdpSocket, ExternalError> {
        let end = Instant::now() + Duration::from_secs(u64::from(seconds.max(1)));
        let late = || ExternalError::TimedOut { host: host.to_owned(), port, seconds: u64::from(seconds.max(1)) };
        let mut last = None;
        for address in resolve(host, port, end).await?.ok_or_else(late)? {
            if let Err(refused) = self.check(host, address) {
                last = last.or(Some(refused));
                continue;
            }
            match connected(address).await {
                Ok(socket) => return Ok(socket),
                Err(source) => last = Some(ExternalError::NoWay { address, source }),
            }
        }
        Err(last.unwrap_or_else(|| ExternalError::NoAddress { host: host.to_owned() }))
    }
}

async fn connected(to: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
    let own: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = tokio::net::UdpSocket::bind(own).await?;
    socket.connect(to).await?;
    Ok(socket)
}

/// `None` when it took too long.
async fn resolve(host: &str, port: u16, end: Instant) -> Result<Option<Vec<SocketAddr>>, ExternalError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Some(vec![SocketAddr::new(ip, port)]));
    }
    match timeout_at(end, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => Ok(Some(found.take(ADDRESSES_MAX).collect())),
        Ok(Err(source)) => Err(ExternalError::Unresolved { host: host.to_owned(), source }),
        Err(_) => Ok(None),
    }
}

/// Only addresses of this machine can be listened on.
fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// IANA's special-purpose addresses (RFC 6890 and its registry).
fn class_v4(ip: Ipv4Addr) -> Option<Class> {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        (0, ..) => Some(Class::Unspecified),
        (127, ..) => Some(Class::Loopback),
        (169, 254, _) => Some(Class::LinkLocal),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) | (198, 18..=19, _) => Some(Class::Private),
        (224..=239, ..) => Some(Class::Multicast),
        (192, 0, 0) | (192, 88, 99) | (240..=255, ..) => Some(Class::Reserved),
        _ => None,
    }
}

fn class_v6(ip: Ipv6Addr) -> Option<Class> {
    let [a, b, c, d, e, f, ..] = ip.segments();
    if ip.is_unspecified() {
        return Some(Class::Unspecified);
    }
    if ip.is_loopback() {
        return Some(Class::Loopback);
    }
    match a {
        0xfe80..=0xfebf => Some(Class::LinkLocal),
        // Unique local, and the site-local addresses before them.
        0xfc00..=0xfdff | 0xfec0..=0xfeff => Some(Class::Private),
        0xff00..=0xffff => Some(Class::Multicast),
        // NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380).
        0x64 if b == 0xff9b => Some(Class::Translated),
        0x2002 => Some(Class::Translated),
        0x2001 if b == 0 => Some(Class::Translated),
        // IPv4-compatible addresses (RFC 4291 §2.5.5.1) and their neighbours; mapped ones were unwrapped before.
        0 if [b, c, d, e, f] == [0; 5] => Some(Class::Translated),
        0x100 if [b, c, d] == [0; 3] => Some(Class::Reserved),
        // Only 2000::/3 is given out.
        0x2000..=0x3fff => None,
        _ => Some(Class::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(outside: &Outside, ip: &str) -> bool {
        outside.check("gate.example", SocketAddr::new(ip.parse().unwrap(), 3389)).is_ok()
    }

    #[test]
    fn only_the_public_internet_is_dialled_unless_allowed() {
        let outside = Outside::default();
        for public in ["8.8.8.8", "192.0.2.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(may(&outside, public), "{public}");
        }
        for closed in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.1.1",
            "169.254.169.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "2001::1",
            "100::1",
            "4000::1",
        ] {
            assert!(!may(&outside, closed), "{closed}");
        }
    }

    #[test]
    fn networks_are_opened_one_by_one() {
        let outside = Outside::parse("10.1.0.0/16, 127.0.0.0/8 192.168.7.7,fd00::/8").unwrap();
        for open in ["10.1.2.3", "127.0.0.1", "192.168.7.7", "fd12::1", "::ffff:10.1.2.3", "8.8.8.8"] {
            assert!(may(&outside, open), "{open}");
        }
        for closed in ["10.2.0.1", "192.168.7.8", "::1", "169.254.169.254", "fd00:ec2::254", "64:ff9b::a01:203"] {
            assert!(!may(&outside, closed), "{closed}");
        }
    }

    #[test]
    fn metadata_services_are_opened_by_their_own_address_only() {
        let wide = Outside::parse("0.0.0.0/0,::/0").unwrap();
        for closed in
            ["169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254", "168.63.129.16", "fd20:ce::254"]
        {
            assert!(!may(&wide, closed), "{closed}");
        }
        assert!(may(&wide, "169.254.169.253"));
        assert!(may(&Outside::parse("169.254.169.254").unwrap(), "169.254.169.254"));
        assert!(may(&Outside::parse("169.254.169.254/32").unwrap(), "::ffff:169.254.169.254"));
    }

    #[test]
    fn oriel_is_never_dialled() {
        let outside = Outside::parse("0.0.0.0/0,::/0").unwrap();
        outside.set_own(vec!["0.0.0.0:8470".parse().unwrap()]);
        let check = |address: &str| outside.check("gate.example", address.parse().unwrap());
        assert!(check("127.0.0.1:8471").is_ok());
        for own in ["127.0.0.1:8470", "0.0.0.0:8470", "[::]:8470", "[::ffff:127.0.0.1]:8470"] {
            let refused = check(own).unwrap_err().to_string();
            assert!(refused.contains("is Oriel itself") && !refused.contains("external.allow"), "{own}: {refused}");
        }
        assert!(check("192.0.2.1:8470").is_ok());
    }

    #[test]
    fn refusals_say_what_to_do() {
        let outside = Outside::default();
        let refused = outside.check("10.0.0.5", "10.0.0.5:22".parse().unwrap()).unwrap_err().to_string();
        assert_eq!(
            refused,
            "10.0.0.5 is a private address, which Oriel does not dial unless the configuration allows it: \
             set external.allow = [\"10.0.0.5/32\"] in oriel.toml, or allow its whole network"
        );
        let named = outside.check("gate.example", "10.0.0.5:22".parse().unwrap()).unwrap_err().to_string();
        assert!(named.starts_with("gate.example (10.0.0.5) is a private address"), "{named}");
        let told = outside.check("gate.example", "10.0.0.5:22".parse().unwrap()).unwrap_err().without_address("desk");
        assert!(told.starts_with("desk is at an address") && !told.contains("10.0.0.5"), "{told}");
        assert_eq!(Outside::parse("10.0.0.0/8 nonsense").unwrap_err(), "nonsense");
        assert_eq!(Outside::parse("10.0.0.0/33").unwrap_err(), "10.0.0.0/33");
    }

    #[tokio::test]
    async fn dialling_ends_in_time() {
        // A machine that takes no more connections: its queue is full, and nothing answers.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            queue.push(stream);
        }
        let begin = Instant::now();
        let late = Outside::parse("127.0.0.1").unwrap().dial("127.0.0.1", address.port(), 1).await.unwrap_err();
        assert!(matches!(late, ExternalError::TimedOut { seconds: 1, .. }), "{late}");
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn names_are_checked_by_what_they_mean() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let refused = Outside::default().dial("localhost", port, 5).await.unwrap_err();
        assert!(matches!(refused, ExternalError::Refused { .. }), "{refused}");
        let open = Outside::parse("127.0.0.0/8").unwrap();
        assert!(open.dial("localhost", port, 5).await.is_ok());
        drop(listener);
        let gone = open.dial("127.0.0.1", port, 5).await.unwrap_err();
        assert!(matches!(gone, ExternalError::Unreachable { .. }), "{gone}");
        let nobody = open.dial("no-such-machine.invalid", port, 5).await.unwrap_err();
        assert!(matches!(nobody, ExternalError::Unresolved { .. } | ExternalError::TimedOut { .. }), "{nobody}");
    }
}
