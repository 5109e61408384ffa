//! A machine that Oriel does not run: an address that an admin entered. It has no power, no disk and no host; what is known
//! of it is where it is, what it speaks and whether it answers.

use crate::{GuestPort, SwitchPort};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Longest host name, in bytes (RFC 1035 §2.3.4).
pub const MACHINE_HOST_BYTES_MAX: usize = 253;
/// Longest text of a parameter, in bytes; a command may have more.
pub const MACHINE_TEXT_BYTES_MAX: usize = 256;
/// Longest command that is run instead of a shell, in bytes.
pub const MACHINE_COMMAND_BYTES_MAX: usize = 4096;
/// Longest identity in bytes: the OpenSSH form of an RSA key of 16384 bits has some 2,800.
pub const MACHINE_IDENTITY_BYTES_MAX: usize = 4096;
/// Longest user certificate, in bytes.
pub const MACHINE_CERTIFICATE_BYTES_MAX: usize = 16 << 10;
/// Longest name of an account of IPMI, in bytes (IPMI v2.0 22.28).
pub const MACHINE_IPMI_USER_BYTES_MAX: usize = 16;
/// Longest routing token in bytes (MS-RDPBCGR 2.2.1.1: what its message has room for).
pub const MACHINE_TOKEN_BYTES_MAX: usize = 238;
/// Longest time that a machine may be given to wake up, in seconds.
pub const MACHINE_WAKE_SECONDS_MAX: u16 = 600;
/// What is used when nobody says otherwise. The port is the one of the service that throws away what it gets (RFC 863).
const WAKE_PORT: u16 = 9;
const WAKE_SECONDS: u16 = 120;
/// HTTPS, which RD Gateways speak.
const GATEWAY_PORT: u16 = 443;
/// Longest time that dialling may be given, in seconds: the gateway gives up after 45.
pub const MACHINE_TIMEOUT_SECONDS_MAX: u16 = 40;

/// What a machine speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineProtocol {
    Rdp,
    Vnc,
    /// The screen of a virtual machine, as QEMU, libvirt, Proxmox and oVirt show it.
    Spice,
    Ssh,
    /// In clear text, and nobody proves who they are.
    Telnet,
    /// A container of a cluster; the address is its API server's.
    Kubernetes,
    /// A KVM over IP with kvmd's API, in front of a machine that need not even be on.
    Pikvm,
    /// A BMC that speaks Redfish: its machine's power and drives, and no screen.
    Redfish,
    /// A BMC that speaks IPMI v2.0: its machine's power, and its serial console.
    Ipmi,
}

impl MachineProtocol {
    pub const ALL: [Self; 9] = [
        Self::Rdp,
        Self::Vnc,
        Self::Spice,
        Self::Ssh,
        Self::Telnet,
        Self::Kubernetes,
        Self::Pikvm,
        Self::Redfish,
        Self::Ipmi,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Rdp => "rdp",
            Self::Vnc => "vnc",
            Self::Spice => "spice",
            Self::Ssh => "ssh",
            Self::Telnet => "telnet",
            Self::Kubernetes => "kubernetes",
            Self::Pikvm => "pikvm",
            Self::Redfish => "redfish",
            Self::Ipmi => "ipmi",
        }
    }

    /// The port that IANA gave it; the first that libvirt gives screens; the one that Kubernetes' own installer gives an API server.
    pub const fn port(self) -> u16 {
        match self {
            Self::Rdp => 3389,
            Self::Vnc | Self::Spice => 5900,
            Self::Ssh => 22,
            Self::Telnet => 23,
            Self::Kubernetes => 6443,
            Self::Pikvm | Self::Redfish => 443,
            // UDP.
            Self::Ipmi => 623,
        }
    }

    /// Which door of a desktop it is: a screen of its own, the machine's screen, or a terminal. A BMC that speaks Redfish has none.
    pub const fn door(self) -> Option<GuestPort> {
        match self {
            Self::Rdp => Some(GuestPort::Rdp),
            Self::Vnc | Self::Spice | Self::Pikvm => Some(GuestPort::Console),
            Self::Ssh | Self::Telnet | Self::Kubernetes | Self::Ipmi => Some(GuestPort::Ssh),
            Self::Redfish => None,
        }
    }

    /// Whether it is a device: beside or instead of a screen it has the machine's power and drives.
    pub const fn is_device(self) -> bool {
        matches!(self, Self::Pikvm | Self::Redfish | Self::Ipmi)
    }

    /// Whether the machine can show who it is before anything is told to it: a certificate or a host key. VNC servers do when they
    /// have TLS or RSA-AES, SPICE servers on their TLS port. A BMC that speaks IPMI proves that it knows the account's password, and nothing before that.
    pub const fn has_identity(self) -> bool {
        !matches!(self, Self::Telnet | Self::Ipmi)
    }
}

/// Where a machine is and how to talk to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    pub protocol: MachineProtocol,
    /// An address, or a name that is resolved each time it is dialled.
    pub host: String,
    pub port: u16,
    /// The account on the machine.
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub parameters: MachineParameters,
    /// Who it must be: SHA-256 of its certificate or key (lowercase hex) for RDP, VNC, SPICE, Kubernetes, PiKVM and Redfish, an OpenSSH public key for SSH. Pinned at the
    /// first connection when nobody entered one.
    #[serde(default)]
    pub identity: Option<String>,
    /// Whether a password is kept for it, sealed.
    #[serde(default)]
    pub has_password: bool,
    /// Whether a private key is kept for it, sealed.
    #[serde(default)]
    pub has_private_key: bool,
    /// Whether the secret of a second factor is kept for it, sealed.
    #[serde(default)]
    pub has_totp: bool,
    /// Whether the password of its RD Gateway's own account is kept for it, sealed.
    #[serde(default)]
    pub has_gateway_password: bool,
}

/// Which security levels of RDP are offered. RDP's own encryption never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RdpSecurity {
    /// Network level authentication or nothing.
    Nla,
    /// TLS alone: the machine asks for the password on its own login screen when it has no right one.
    Tls,
    /// As Hyper-V wants it on the port of its consoles: network level authentication before the negotiation.
    Vmconnect,
}

/// How an RDP machine is signed in to before it shows anything (network level authentication).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RdpAuthentication {
    /// With a ticket of the account's realm or not at all.
    Kerberos,
    /// Without asking a KDC.
    Ntlm,
}

/// What the backspace key sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backspace {
    /// 0x7f, as on Linux.
    Delete,
    /// 0x08.
    ControlH,
}

/// What can be set beside address and account. Each takes effect today; `docs/external-machines.md` has the whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineParameters {
    /// How long dialling may take; 10 seconds when unset.
    pub timeout_seconds: Option<u16>,
    /// The address of the network card that wakes a sleeping machine (Wake-on-LAN), like `52:54:00:12:34:56`.
    pub wake_mac: Option<String>,
    /// Where the packet for it is sent: the broadcast address of the machine's network.
    pub wake_broadcast: Option<String>,
    /// The UDP port of that packet; 9 when unset.
    pub wake_port: Option<u16>,
    /// How long the machine may take to wake up; 120 seconds when unset.
    pub wake_seconds: Option<u16>,
    /// RDP: the Windows domain of the account.
    pub domain: Option<String>,
    /// RDP: the best that both have when unset.
    pub security: Option<RdpSecurity>,
    /// RDP: Kerberos first where the account is of a realm of the configuration, and NTLM where that leads nowhere, when unset.
    pub authentication: Option<RdpAuthentication>,
    /// RDP: the keyboard layout on the machine as an XKB name, for viewers that do not name their own. PiKVM: the one that text is
    /// typed for.
    pub keyboard: Option<String>,
    /// RDP: what the machine's session list shows for us; its first 15 characters.
    pub client_name: Option<String>,
    /// RDP: whether the graphics pipeline is offered; it is when unset.
    pub graphics_pipeline: Option<bool>,
    /// RDP: whether the desktop's background picture is drawn; it is when unset.
    pub wallpaper: Option<bool>,
    /// RDP: whether windows and controls have their theme; they have when unset.
    pub theming: Option<bool>,
    /// RDP: whether text is smoothed; it is when unset.
    pub font_smoothing: Option<bool>,
    /// RDP: whether a window shows its content while it is moved; its frame alone when unset.
    pub full_window_drag: Option<bool>,
    /// RDP: whether windows are composed (transparency); they are not when unset.
    pub desktop_composition: Option<bool>,
    /// RDP: whether menus slide and fade; they do not when unset.
    pub menu_animations: Option<bool>,
    /// RDP: whether the machine's sound is heard; it is when unset, where the pool's rules allow it.
    pub sound: Option<bool>,
    /// RDP: whether the machine may hear the person's microphone; it may when unset, where the pool's rules allow it.
    pub microphone: Option<bool>,
    /// RDP: the session of the machine's own screen, as `mstsc /admin` opens.
    pub admin_session: Option<bool>,
    /// RDP: a program with its arguments that is run instead of the whole desktop, where the machine allows it.
    pub initial_program: Option<String>,
    /// RDP: the folder that the initial program starts in; the account's home when unset.
    pub program_folder: Option<String>,
    /// RDP: a single program instead of the whole desktop (RemoteApp): its path on the machine, or `||` and the name that it is published under. The machine shows its windows alone.
    pub remote_app: Option<String>,
    /// RDP: the folder that the RemoteApp starts in; the machine's choice when unset.
    pub remote_app_folder: Option<String>,
    /// RDP: the arguments of the RemoteApp.
    pub remote_app_arguments: Option<String>,
    /// RDP: sent in the first message for what spreads connections over several machines, like `tsv://MS Terminal Services Plugin.1.Farm`; printable ASCII, at most 238 bytes.
    pub load_balance_info: Option<String>,
    /// RDP: whether the machine may redirect the connection to another one, which must show the certificate that the machine announces or its own; it may when load_balance_info is set.
    pub follow_redirection: Option<bool>,
    /// RDP: the number of what is meant among several behind one address.
    pub preconnection_id: Option<u32>,
    /// RDP: its name; on Hyper-V a virtual machine's GUID.
    pub preconnection_blob: Option<String>,
    /// RDP: the RD Gateway on the way, by address or name; the machine's address is what that one calls it.
    pub gateway_host: Option<String>,
    /// RDP: its port; 443 when unset.
    pub gateway_port: Option<u16>,
    /// RDP: the account on it, which has a password of its own; the machine's account when unset.
    pub gateway_user: Option<String>,
    /// RDP: the Windows domain of that account.
    pub gateway_domain: Option<String>,
    /// RDP: who the gateway must be: SHA-256 of its certificate. Pinned at the first connection when nobody entered one.
    pub gateway_identity: Option<String>,
    /// VNC: the address leads to an UltraVNC repeater; what it is asked for, `host:port` or `ID:number`.
    pub repeater: Option<String>,
    /// VNC: the server may send JPEG, from 0 (smallest) to 9 (best); only lossless pictures when unset.
    pub jpeg_quality: Option<u8>,
    /// SPICE: whether the port is the server's TLS port; it is not when unset.
    pub tls: Option<bool>,
    /// SSH: the machine on the way, by its name in Oriel; the address is what that one calls it.
    pub jump: Option<String>,
    /// SSH: the user certificate for the private key, the line of `….pub`. Kubernetes: the client certificate for it, as PEM.
    pub certificate: Option<String>,
    /// SSH: whether the machine may sign in to others with the private key while somebody is connected.
    pub agent_forwarding: Option<bool>,
    /// SSH: the folder that people's files are seen below, from `/` on or in the account's home; that home when unset. It keeps people where they are
    /// meant to be, not those who may open a shell.
    pub sftp_root: Option<String>,
    /// SSH: `LANG`, where the server takes it.
    pub locale: Option<String>,
    /// RDP, SSH: the clock of the session, by its name of the IANA database; over SSH `TZ`, where the server takes it.
    pub time_zone: Option<String>,
    /// SSH: run instead of the account's shell. Kubernetes: run in the container; what runs there already is attached to when unset.
    pub command: Option<String>,
    /// SSH, telnet: `TERM`; `xterm-256color` when unset.
    pub terminal_type: Option<String>,
    /// SSH, telnet, Kubernetes, IPMI: 0x7f when unset.
    pub backspace: Option<Backspace>,
    /// Telnet: regular expressions for its prompts, and for what it says when it let somebody in or did not.
    pub user_prompt: Option<String>,
    pub password_prompt: Option<String>,
    pub success_pattern: Option<String>,
    pub failure_pattern: Option<String>,
    /// Kubernetes: `default` when unset.
    pub namespace: Option<String>,
    /// Kubernetes: the pod, always named.
    pub pod: Option<String>,
    /// Kubernetes: the pod's default container when unset.
    pub container: Option<String>,
    /// Redfish: which of the BMC's systems, by id or name, where it has several.
    pub system: Option<String>,
    /// PiKVM, Redfish, IPMI: the machine inside, by its name in Oriel, where it also speaks something that people can open.
    pub inside: Option<String>,
    /// PiKVM: the device whose Switch the machine is at, by its name in Oriel; where that is and who signs in there is the device's.
    pub behind: Option<String>,
    /// PiKVM: which port of that Switch, [`SwitchPort`](crate::SwitchPort) as text: `1.3`.
    pub switch_port: Option<String>,
}

/// A parameter that is set: its name, the protocols that it belongs to (none: all), and its text when it has one.
type Set<'a> = (&'static str, &'static [MachineProtocol], Option<&'a str>);

impl MachineParameters {
    /// Whether an RDP machine may redirect its connections.
    pub fn follows_redirection(&self) -> bool {
        self.follow_redirection.unwrap_or(self.load_balance_info.is_some())
    }

    /// The RD Gateway on the way, where there is one, and its port.
    pub fn gateway(&self) -> Option<(&str, u16)> {
        Some((self.gateway_host.as_deref()?, self.gateway_port.unwrap_or(GATEWAY_PORT)))
    }

    fn set(&self) -> impl Iterator<Item = Set<'_>> {
        use MachineProtocol::{Ipmi, Kubernetes, Pikvm, Rdp, Redfish, Spice, Ssh, Telnet, Vnc};
        const TERMINALS: &[MachineProtocol] = &[Ssh, Telnet];
        const KEYED: &[MachineProtocol] = &[Ssh, Kubernetes];
        const MACHINES: &[MachineProtocol] = &[Rdp, Vnc, Spice, Ssh, Telnet];
        let texts = [
            ("wake_mac", MACHINES, &self.wake_mac),
            ("wake_broadcast", MACHINES, &self.wake_broadcast),
            ("domain", &[Rdp], &self.domain),
            ("keyboard", &[Rdp, Pikvm], &self.keyboard),
            ("client_name", &[Rdp], &self.client_name),
            ("initial_program", &[Rdp], &self.initial_program),
            ("program_folder", &[Rdp], &self.program_folder),
            ("remote_app", &[Rdp], &self.remote_app),
            ("remote_app_folder", &[Rdp], &self.remote_app_folder),
            ("remote_app_arguments", &[Rdp], &self.remote_app_arguments),
            ("load_balance_info", &[Rdp], &self.load_balance_info),
            ("preconnection_blob", &[Rdp], &self.preconnection_blob),
            ("gateway_host", &[Rdp], &self.gateway_host),
            ("gateway_user", &[Rdp], &self.gateway_user),
            ("gateway_domain", &[Rdp], &self.gateway_domain),
            ("gateway_identity", &[Rdp], &self.gateway_identity),
            ("repeater", &[Vnc], &self.repeater),
            ("jump", &[Ssh], &self.jump),
            ("certificate", KEYED, &self.certificate),
            ("locale", &[Ssh], &self.locale),
            ("time_zone", &[Rdp, Ssh], &self.time_zone),
            ("sftp_root", &[Ssh], &self.sftp_root),
            ("command", KEYED, &self.command),
            ("terminal_type", TERMINALS, &self.terminal_type),
            ("user_prompt", &[Telnet], &self.user_prompt),
            ("password_prompt", &[Telnet], &self.password_prompt),
            ("success_pattern", &[Telnet], &self.success_pattern),
            ("failure_pattern", &[Telnet], &self.failure_pattern),
            ("namespace", &[Kubernetes], &self.namespace),
            ("pod", &[Kubernetes], &self.pod),
            ("container", &[Kubernetes], &self.container),
            ("system", &[Redfish], &self.system),
            ("inside", &[Pikvm, Redfish, Ipmi], &self.inside),
            ("behind", &[Pikvm], &self.behind),
            ("switch_port", &[Pikvm], &self.switch_port),
        ];
        let others = [
            ("security", &[Rdp] as &[_], self.security.is_some()),
            ("authentication", &[Rdp], self.authentication.is_some()),
            ("graphics_pipeline", &[Rdp], self.graphics_pipeline.is_some()),
            ("wallpaper", &[Rdp], self.wallpaper.is_some()),
            ("theming", &[Rdp], self.theming.is_some()),
            ("font_smoothing", &[Rdp], self.font_smoothing.is_some()),
            ("full_window_drag", &[Rdp], self.full_window_drag.is_some()),
            ("desktop_composition", &[Rdp], self.desktop_composition.is_some()),
            ("menu_animations", &[Rdp], self.menu_animations.is_some()),
            ("sound", &[Rdp], self.sound.is_some()),
            ("microphone", &[Rdp], self.microphone.is_some()),
            ("admin_session", &[Rdp], self.admin_session.is_some()),
            ("follow_redirection", &[Rdp], self.follow_redirection.is_some()),
            ("preconnection_id", &[Rdp], self.preconnection_id.is_some()),
            ("gateway_port", &[Rdp], self.gateway_port.is_some()),
            ("jpeg_quality", &[Vnc], self.jpeg_quality.is_some()),
            ("tls", &[Spice], self.tls.is_some()),
            ("agent_forwarding", &[Ssh], self.agent_forwarding.is_some()),
            ("backspace", &[Ssh, Telnet, Kubernetes, Ipmi], self.backspace.is_some()),
        ];
        let texts = texts.into_iter().filter_map(|(name, of, text)| Some((name, of, Some(text.as_deref()?))));
        texts.chain(others.into_iter().filter(|(.., set)| *set).map(|(name, of, _)| (name, of, None)))
    }

    /// How the machine is woken, where it can be.
    pub fn wake(&self) -> Option<Wake> {
        let mac = mac(self.wake_mac.as_deref()?)?;
        let broadcast: IpAddr = self.wake_broadcast.as_deref()?.parse().ok()?;
        let to = SocketAddr::new(broadcast, self.wake_port.unwrap_or(WAKE_PORT));
        Some(Wake { mac, to, seconds: self.wake_seconds.unwrap_or(WAKE_SECONDS) })
    }

    fn check_wake(&self) -> Result<(), String> {
        let Some(card) = &self.wake_mac else {
            let alone = [
                ("wake_broadcast", self.wake_broadcast.is_some()),
                ("wake_port", self.wake_port.is_some()),
                ("wake_seconds", self.wake_seconds.is_some()),
            ];
            return match alone.into_iter().find(|(_, set)| *set) {
                Some((name, _)) => Err(format!("{name} is about waking the machine: enter wake_mac, its network card")),
                None => Ok(()),
            };
        };
        if mac(card).is_none() {
            return Err(format!("wake_mac cannot be {card:?}: use one like 52:54:00:12:34:56"));
        }
        if self.jump.is_some() {
            return Err("a machine behind a jump host cannot be woken from here: leave wake_mac out".to_owned());
        }
        if self.gateway_host.is_some() {
            return Err("a machine behind an RD Gateway cannot be woken from here: leave wake_mac out".to_owned());
        }
        match self.wake_broadcast.as_deref().map(str::parse::<IpAddr>) {
            Some(Ok(_)) => Ok(()),
            _ => {
                Err("wake_broadcast must be the broadcast address of the machine's network, like 10.1.2.255".to_owned())
            }
        }
    }

    fn check_gateway(&self) -> Result<(), String> {
        let Some(host) = &self.gateway_host else {
            let alone = [
                ("gateway_port", self.gateway_port.is_some()),
                ("gateway_user", self.gateway_user.is_some()),
                ("gateway_domain", self.gateway_domain.is_some()),
                ("gateway_identity", self.gateway_identity.is_some()),
            ];
            return match alone.into_iter().find(|(_, set)| *set) {
                Some((name, _)) => Err(format!("{name} is about an RD Gateway, and there is none: enter gateway_host")),
                None => Ok(()),
            };
        };
        check_host(host).map_err(|error| format!("gateway_host: {error}"))?;
        if let Some(identity) = &self.gateway_identity {
            check_identity(MachineProtocol::Rdp, identity).map_err(|error| format!("gateway_identity: {error}"))?;
        }
        if self.gateway_domain.is_some() && self.gateway_user.is_none() {
            return Err("gateway_domain is about gateway_user, and there is none: enter it, or leave both out to use the machine's account".to_owned());
        }
        Ok(())
    }

    /// What of RDP's hangs together.
    fn check_rdp(&self) -> Result<(), String> {
        self.check_gateway()?;
        if let Some(token) = &self.load_balance_info
            && (token.len() > MACHINE_TOKEN_BYTES_MAX || !token.bytes().all(|byte| (0x20..=0x7e).contains(&byte)))
        {
            return Err(format!(
                "load_balance_info must be printable ASCII of at most {MACHINE_TOKEN_BYTES_MAX} bytes"
            ));
        }
        if self.program_folder.is_some() && self.initial_program.is_none() {
            return Err(
                "program_folder is about an initial program, and there is none: enter initial_program".to_owned()
            );
        }
        if self.remote_app.is_none() && (self.remote_app_folder.is_some() || self.remote_app_arguments.is_some()) {
            return Err(
                "remote_app_folder and remote_app_arguments are about a RemoteApp, and there is none: enter remote_app"
                    .to_owned(),
            );
        }
        if self.remote_app.is_some() && self.initial_program.is_some() {
            return Err(
                "a session is either a RemoteApp or a desktop with an initial program: leave remote_app or initial_program out"
                    .to_owned(),
            );
        }
        if self.authentication.is_some() && self.security == Some(RdpSecurity::Tls) {
            return Err("authentication is about network level authentication, which the security tls does without: leave one of them out".to_owned());
        }
        if self.authentication == Some(RdpAuthentication::Kerberos) && self.security == Some(RdpSecurity::Vmconnect) {
            return Err("Hyper-V's consoles are signed in to with NTLM: leave authentication out".to_owned());
        }
        if self.security == Some(RdpSecurity::Vmconnect) && self.preconnection_blob.is_none() {
            return Err("the security of Hyper-V's consoles needs to know the virtual machine: enter its GUID as preconnection_blob".to_owned());
        }
        match &self.time_zone {
            Some(zone) if jiff::tz::TimeZone::get(zone).is_err() => Err(format!(
                "{zone:?} is no time zone that this machine knows: use a name like Europe/Berlin, and see that its package tzdata is installed"
            )),
            _ => Ok(()),
        }
    }

    /// Whether a port of a Switch is named whole, or none. The error says what is missing.
    pub fn check_switch(&self) -> Result<(), String> {
        match (&self.behind, &self.switch_port) {
            (None, None) => Ok(()),
            (Some(_), Some(port)) => port.parse::<SwitchPort>().map(drop),
            (Some(_), None) => {
                Err("behind names the device of a Switch: enter switch_port, the port that the machine is at, like 1.3"
                    .to_owned())
            }
            (None, Some(_)) => {
                Err("switch_port is about a Switch: enter behind, the device that it belongs to".to_owned())
            }
        }
    }

    fn check_numbers(&self) -> Result<(), String> {
        let fits = |name: &str, value: Option<u16>, least: u16, most: u16| match value {
            Some(value) if !(least..=most).contains(&value) => {
                Err(format!("{name} cannot be {value}: use {least} to {most}"))
            }
            _ => Ok(()),
        };
        fits("timeout_seconds", self.timeout_seconds, 1, MACHINE_TIMEOUT_SECONDS_MAX)?;
        fits("wake_port", self.wake_port, 1, u16::MAX)?;
        fits("gateway_port", self.gateway_port, 1, u16::MAX)?;
        fits("wake_seconds", self.wake_seconds, 1, MACHINE_WAKE_SECONDS_MAX)?;
        fits("jpeg_quality", self.jpeg_quality.map(u16::from), 0, 9)
    }
}

impl External {
    /// Where a connection to it begins, when no jump host is on the way: at its RD Gateway, or itself.
    pub fn dialled(&self) -> (&str, u16) {
        self.parameters.gateway().unwrap_or((self.host.as_str(), self.port))
    }

    /// The device whose Switch the machine is at, by its name, and the port.
    pub fn behind(&self) -> Option<(&str, SwitchPort)> {
        Some((self.parameters.behind.as_deref()?, self.parameters.switch_port.as_deref()?.parse().ok()?))
    }

    /// Whether it can be kept. The error says what is wrong, and what fits.
    pub fn check(&self) -> Result<(), String> {
        check_host(&self.host)?;
        if self.port == 0 {
            return Err("port 0 is no port: use 1 to 65535".to_owned());
        }
        if let Some(user) = &self.user {
            check_text("user", user, MACHINE_TEXT_BYTES_MAX)?;
        }
        for (name, of, text) in self.parameters.set() {
            if !of.contains(&self.protocol) {
                let of: Vec<&str> = of.iter().map(|of| of.word()).collect();
                return Err(format!(
                    "{name} is a parameter of {}, and the machine speaks {}: leave it out",
                    of.join(" and "),
                    self.protocol.word()
                ));
            }
            let most = match name {
                "command" | "remote_app_arguments" => MACHINE_COMMAND_BYTES_MAX,
                "certificate" => MACHINE_CERTIFICATE_BYTES_MAX,
                _ => MACHINE_TEXT_BYTES_MAX,
            };
            match text {
                // The one text with lines.
                Some(pem) if name == "certificate" && self.protocol == MachineProtocol::Kubernetes => {
                    check_pem(pem, most)?;
                }
                Some(text) => check_text(name, text, most)?,
                None => {}
            }
        }
        if self.protocol == MachineProtocol::Kubernetes {
            self.check_container()?;
        }
        if self.protocol == MachineProtocol::Ipmi {
            match self.user.as_deref().map(str::len) {
                None => return Err("user is missing: IPMI signs in with an account of the BMC".to_owned()),
                Some(0..=MACHINE_IPMI_USER_BYTES_MAX) => {}
                Some(_) => {
                    return Err(format!(
                        "user has more than the {MACHINE_IPMI_USER_BYTES_MAX} bytes that IPMI has room for"
                    ));
                }
            }
        }
        self.parameters.check_numbers()?;
        self.parameters.check_wake()?;
        self.parameters.check_switch()?;
        if self.parameters.behind.is_some()
            && (self.user.is_some() || self.identity.is_some() || self.has_password || self.has_totp)
        {
            return Err(
                "a port of a Switch is signed in to as its device is: leave user, password, second factor and identity out"
                    .to_owned(),
            );
        }
        if self.protocol == MachineProtocol::Rdp {
            self.parameters.check_rdp()?;
            if self.parameters.authentication == Some(RdpAuthentication::Kerberos)
                && self.host.parse::<IpAddr>().is_ok()
            {
                return Err(format!(
                    "Kerberos knows machines by their names, and {} is an address: enter the name that the machine has in its domain, or leave authentication out",
                    self.host
                ));
            }
        }
        if let Some(identity) = &self.identity {
            check_identity(self.protocol, identity)?;
        }
        if self.protocol == MachineProtocol::Spice && self.identity.is_some() && self.parameters.tls != Some(true) {
            return Err(
                "identity is about a certificate, which SPICE has on its TLS port alone: set tls, and that port"
                    .to_owned(),
            );
        }
        if self.has_private_key && !matches!(self.protocol, MachineProtocol::Ssh | MachineProtocol::Kubernetes) {
            return Err(format!(
                "a private key is for ssh and kubernetes, and the machine speaks {}",
                self.protocol.word()
            ));
        }
        if self.has_totp && self.protocol != MachineProtocol::Pikvm {
            return Err(format!("a TOTP secret is for pikvm, and the machine speaks {}", self.protocol.word()));
        }
        if self.has_gateway_password && self.parameters.gateway_user.is_none() {
            return Err("a gateway's password is for gateway_user, and there is none: enter it, or leave the password out to use the machine's account".to_owned());
        }
        if !self.has_private_key {
            for (name, set) in [
                ("certificate", self.parameters.certificate.is_some()),
                ("agent_forwarding", self.parameters.agent_forwarding == Some(true)),
            ] {
                if set {
                    return Err(format!("{name} is about a private key, and there is none: enter one"));
                }
            }
        }
        if self.protocol == MachineProtocol::Ssh
            && self.parameters.certificate.as_deref().is_some_and(|line| !line.contains("-cert-v01@openssh.com AAAA"))
        {
            return Err(
                "certificate is no OpenSSH certificate: enter the line of the file that ends in -cert.pub".to_owned()
            );
        }
        Ok(())
    }

    /// Names as Kubernetes has them (RFC 1123 labels, and subdomains for pods).
    fn check_container(&self) -> Result<(), String> {
        let label = |text: &str| {
            (1..=63).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !text.starts_with('-')
                && !text.ends_with('-')
        };
        let MachineParameters { namespace, pod, container, .. } = &self.parameters;
        let pod = pod.as_deref().ok_or("pod is missing: name the pod, like web-0")?;
        if pod.len() > MACHINE_HOST_BYTES_MAX || !pod.split('.').all(label) {
            return Err("pod is no pod's name: use small letters, digits, hyphens and dots".to_owned());
        }
        for (name, value) in [("namespace", namespace), ("container", container)] {
            if value.as_deref().is_some_and(|value| !label(value)) {
                return Err(format!("{name} is no {name}'s name: use up to 63 small letters, digits and hyphens"));
            }
        }
        Ok(())
    }
}

/// How a machine is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    pub mac: [u8; 6],
    pub to: SocketAddr,
    /// How long it may take.
    pub seconds: u16,
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let mut bytes = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut bytes {
        let part =
            parts.next().filter(|part| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(bytes)
}

fn check_text(name: &str, value: &str, most: usize) -> Result<(), String> {
    if value.is_empty() || value.len() > most || value.chars().any(char::is_control) {
        return Err(format!("{name} must have 1 to {most} bytes and no control characters"));
    }
    Ok(())
}

fn check_pem(value: &str, most: usize) -> Result<(), String> {
    if value.len() > most || !value.contains("-----BEGIN CERTIFICATE-----") {
        return Err(format!("certificate is no PEM of at most {most} bytes: enter the file's text"));
    }
    Ok(())
}

/// Whether it is an address or a host name. The error says what fits.
pub fn check_host(host: &str) -> Result<(), String> {
    let name = |host: &str| {
        !host.is_empty()
            && host.len() <= MACHINE_HOST_BYTES_MAX
            && host.strip_suffix('.').unwrap_or(host).split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            })
            // Some resolvers take `2130706433`, `0x7f.1` or `010.0.0.1` for addresses: written like one, it must be one.
            && !host.rsplit('.').find(|label| !label.is_empty()).is_some_and(|last| {
                last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X")
            })
    };
    if host.parse::<IpAddr>().is_ok() || name(host) {
        return Ok(());
    }
    let shown: String = host.chars().take(80).collect();
    Err(format!("{shown:?} is neither an address nor a host name: use one like 192.0.2.7, 2001:db8::7 or gate.example"))
}

/// Shapes only: whether the machine has the private key to it is found out at every connection.
fn check_identity(protocol: MachineProtocol, identity: &str) -> Result<(), String> {
    match protocol {
        MachineProtocol::Rdp
        | MachineProtocol::Vnc
        | MachineProtocol::Spice
        | MachineProtocol::Kubernetes
        | MachineProtocol::Pikvm
        | MachineProtocol::Redfish => {
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if identity.len() == 64 && identity.bytes().all(hex) {
                return Ok(());
            }
            Err(format!(
                "the identity of a machine that speaks {} is the SHA-256 of its certificate: 64 lowercase hexadecimal digits",
                protocol.word()
            ))
        }
        MachineProtocol::Ssh => {
            let mut words = identity.split(' ');
            let kind = words.next().is_some_and(|kind| kind.starts_with("ssh-") || kind.starts_with("ecdsa-sha2-"));
            let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
            let key = words.next().is_some_and(|key| key.starts_with("AAAA") && key.bytes().all(base64));
            if kind && key && words.next().is_none() && identity.len() <= MACHINE_IDENTITY_BYTES_MAX {
                return Ok(());
            }
            Err("the identity of a machine that speaks ssh is its public host key, like `ssh-ed25519 AAAA…` without a comment"
                .to_owned())
        }
        MachineProtocol::Telnet | MachineProtocol::Ipmi => {
            Err(format!("a machine that speaks {} shows no identity that could be kept", protocol.word()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(protocol: MachineProtocol, host: &str) -> External {
        External {
            protocol,
            host: host.to_owned(),
            port: protocol.port(),
            user: None,
            parameters: MachineParameters::default(),
            identity: None,
            has_password: false,
            has_private_key: false,
            has_totp: false,
            has_gateway_password: false,
        }
    }

    #[test]
    fn hosts_are_addresses_or_names() {
        for good in ["192.0.2.7", "2001:db8::7", "gate", "gate.example", "gate.example.", "a_b.example", "10.example"] {
            assert_eq!(machine(MachineProtocol::Ssh, good).check(), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".",
            "a..b",
            "-a.example",
            "http://gate",
            "gate:22",
            "[::1]",
            "gate/x",
            "a b",
            "2130706433",
            "0x7f.1",
            "127.1",
            "0x7f000001",
            "010.0.0.1",
            "ä.example",
            "a\0b",
            &"a".repeat(254),
        ] {
            assert!(machine(MachineProtocol::Ssh, bad).check().is_err(), "{bad}");
        }
    }

    #[test]
    fn waking_takes_a_card_and_an_address() {
        let mut desk = machine(MachineProtocol::Vnc, "desk.example");
        assert_eq!(desk.parameters.wake(), None);
        desk.parameters.wake_broadcast = Some("10.1.2.255".to_owned());
        assert!(desk.check().unwrap_err().contains("enter wake_mac"));
        for bad in
            ["52:54:00:12:34", "52:54:00:12:34:56:78", "5254.0012.3456", "52:54:00:12:34:5g", "+2:54:00:12:34:56"]
        {
            desk.parameters.wake_mac = Some(bad.to_owned());
            assert!(desk.check().unwrap_err().contains("wake_mac cannot be"), "{bad}");
        }
        desk.parameters.wake_mac = Some("52-54-00-12-34-aB".to_owned());
        assert_eq!(desk.check(), Ok(()));
        let wake = desk.parameters.wake().unwrap();
        assert_eq!((wake.mac, wake.seconds), ([0x52, 0x54, 0, 0x12, 0x34, 0xab], 120));
        assert_eq!(wake.to.to_string(), "10.1.2.255:9");
        desk.parameters.wake_broadcast = Some("desk.example".to_owned());
        assert!(desk.check().unwrap_err().contains("wake_broadcast must be"));
        desk.parameters.wake_broadcast = None;
        assert!(desk.check().unwrap_err().contains("wake_broadcast must be"));
        desk.parameters.wake_broadcast = Some("10.1.2.255".to_owned());
        desk.parameters.wake_seconds = Some(MACHINE_WAKE_SECONDS_MAX + 1);
        assert!(desk.check().unwrap_err().contains("use 1 to 600"));
    }

    #[test]
    fn what_of_rdp_hangs_together() {
        let mut desk = machine(MachineProtocol::Rdp, "desk.example");
        let refused = |desk: &External, words: &str| {
            let refused = desk.check().unwrap_err();
            assert!(refused.contains(words), "{refused}");
        };
        desk.parameters.program_folder = Some("C:\\Accounts".to_owned());
        refused(&desk, "enter initial_program");
        desk.parameters.initial_program = Some("ledger.exe /year 2026".to_owned());
        desk.parameters.remote_app_arguments = Some("/year 2026".to_owned());
        refused(&desk, "enter remote_app");
        desk.parameters.remote_app = Some("||ledger".to_owned());
        refused(&desk, "leave remote_app or initial_program out");
        (desk.parameters.remote_app, desk.parameters.remote_app_arguments) = (None, None);
        desk.parameters.authentication = Some(RdpAuthentication::Kerberos);
        let named = std::mem::replace(&mut desk.host, "192.0.2.7".to_owned());
        refused(&desk, "192.0.2.7 is an address");
        desk.host = "desk.corp.example".to_owned();
        assert_eq!(desk.check(), Ok(()));
        desk.parameters.security = Some(RdpSecurity::Tls);
        refused(&desk, "leave one of them out");
        desk.parameters.security = Some(RdpSecurity::Vmconnect);
        refused(&desk, "with NTLM");
        (desk.parameters.authentication, desk.host) = (None, named);
        refused(&desk, "preconnection_blob");
        desk.parameters.preconnection_blob = Some("b85d3d4c-7f1a-4f62-8e9d-1a5b1f3f5c11".to_owned());
        desk.parameters.time_zone = Some("Middle/Earth".to_owned());
        refused(&desk, "no time zone");
        desk.parameters.time_zone = Some("Europe/Berlin".to_owned());
        desk.parameters.load_balance_info = Some("tsv://Größe".to_owned());
        refused(&desk, "printable ASCII");
        desk.parameters.load_balance_info = Some("x".repeat(MACHINE_TOKEN_BYTES_MAX + 1));
        refused(&desk, "at most 238 bytes");
        desk.parameters.load_balance_info = Some("tsv://MS Terminal Services Plugin.1.Farm".to_owned());
        assert_eq!(desk.check(), Ok(()));
        desk.parameters.gateway_port = Some(8443);
        refused(&desk, "enter gateway_host");
        desk.parameters.gateway_host = Some("https://edge".to_owned());
        refused(&desk, "gateway_host: ");
        desk.parameters.gateway_host = Some("edge.example".to_owned());
        assert_eq!(desk.check(), Ok(()));
        assert_eq!(desk.dialled(), ("edge.example", 8443));
        desk.parameters.gateway_domain = Some("EDGE".to_owned());
        refused(&desk, "about gateway_user");
        desk.parameters.gateway_user = Some("olga".to_owned());
        desk.parameters.gateway_identity = Some("AA".to_owned());
        refused(&desk, "gateway_identity: ");
        desk.parameters.gateway_identity = Some("0a".repeat(32));
        desk.has_gateway_password = true;
        assert_eq!(desk.check(), Ok(()));
        (desk.parameters.gateway_user, desk.parameters.gateway_domain) = (None, None);
        refused(&desk, "is for gateway_user");
        // Over SSH the server knows its own zones.
        let mut shell = machine(MachineProtocol::Ssh, "gate.example");
        shell.parameters.time_zone = Some("Middle/Earth".to_owned());
        assert_eq!(shell.check(), Ok(()));
    }

    #[test]
    fn parameters_belong_to_their_protocol() {
        let mut shell = machine(MachineProtocol::Ssh, "gate.example");
        shell.parameters.command = Some("tmux attach".to_owned());
        assert_eq!(shell.check(), Ok(()));
        shell.parameters.domain = Some("CORP".to_owned());
        assert!(shell.check().unwrap_err().contains("domain is a parameter of rdp"));
        shell.parameters = MachineParameters { timeout_seconds: Some(41), ..MachineParameters::default() };
        assert!(shell.check().is_err());
        shell.parameters = MachineParameters { locale: Some("C\n".to_owned()), ..MachineParameters::default() };
        assert!(shell.check().is_err());
        shell.parameters = MachineParameters { jpeg_quality: Some(5), ..MachineParameters::default() };
        assert!(shell.check().unwrap_err().contains("jpeg_quality is a parameter of vnc"));
        shell.parameters = MachineParameters { backspace: Some(Backspace::ControlH), ..MachineParameters::default() };
        assert_eq!(shell.check(), Ok(()));
        shell.parameters = MachineParameters { agent_forwarding: Some(true), ..MachineParameters::default() };
        assert!(shell.check().unwrap_err().contains("private key"));
        let line = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1l";
        shell.parameters = MachineParameters { certificate: Some(line.to_owned()), ..MachineParameters::default() };
        assert!(shell.check().unwrap_err().contains("private key"));
        shell.has_private_key = true;
        assert_eq!(shell.check(), Ok(()));
        let mut screen = machine(MachineProtocol::Vnc, "gate.example");
        screen.parameters.jpeg_quality = Some(10);
        assert!(screen.check().unwrap_err().contains("use 0 to 9"));
        screen.parameters.jpeg_quality = None;
        screen.has_private_key = true;
        assert!(screen.check().is_err());
    }

    #[test]
    fn containers_are_named_as_kubernetes_names_them() {
        let of = |pod: Option<&str>, namespace: Option<&str>, container: Option<&str>| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let mut machine = machine(MachineProtocol::Kubernetes, "cluster.example");
            machine.parameters = MachineParameters {
                pod: text(pod),
                namespace: text(namespace),
                container: text(container),
                ..MachineParameters::default()
            };
            machine.check()
        };
        assert_eq!(of(Some("web-0.app"), Some("kube-system"), Some("app")), Ok(()));
        assert!(of(None, None, None).unwrap_err().contains("pod is missing"));
        for bad in ["", "Web", "../x", "web?x", "web/x", "-web", "web..x", "w\u{e4}b"] {
            assert!(of(Some(bad), None, None).is_err(), "{bad:?}");
            assert!(of(Some("web"), Some(bad), None).is_err(), "{bad:?}");
            assert!(of(Some("web"), None, Some(bad)).is_err(), "{bad:?}");
        }
        let mut machine = machine(MachineProtocol::Kubernetes, "cluster.example");
        machine.parameters.pod = Some("web".to_owned());
        machine.has_private_key = true;
        machine.parameters.certificate = Some("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".into());
        assert_eq!(machine.check(), Ok(()));
        machine.parameters.certificate = Some("ssh-ed25519-cert-v01@openssh.com AAAA".into());
        assert!(machine.check().unwrap_err().contains("no PEM"));
    }

    #[test]
    fn a_bmc_is_a_device_without_a_door() {
        let mut bmc = machine(MachineProtocol::Redfish, "bmc.example");
        assert_eq!((bmc.protocol.door(), bmc.protocol.is_device(), bmc.port), (None, true, 443));
        bmc.parameters.system = Some("System.Embedded.1".to_owned());
        bmc.parameters.inside = Some("desk".to_owned());
        assert_eq!(bmc.check(), Ok(()));
        bmc.protocol = MachineProtocol::Pikvm;
        assert!(bmc.check().unwrap_err().contains("system is a parameter of redfish"));
        bmc.parameters.system = None;
        assert_eq!(bmc.check(), Ok(()));
        bmc.has_totp = true;
        bmc.protocol = MachineProtocol::Redfish;
        assert!(bmc.check().unwrap_err().contains("TOTP"));
    }

    #[test]
    fn a_port_of_a_switch_is_its_device_s() {
        let mut port = machine(MachineProtocol::Pikvm, "pikvm.example");
        port.parameters.switch_port = Some("1.3".to_owned());
        assert!(port.check().unwrap_err().contains("enter behind"));
        port.parameters.behind = Some("kvm".to_owned());
        assert_eq!(port.check(), Ok(()));
        assert_eq!(port.behind().map(|(device, port)| (device.to_owned(), port.index())), Some(("kvm".to_owned(), 2)));
        port.has_password = true;
        assert!(port.check().unwrap_err().contains("as its device is"));
        port.has_password = false;
        port.parameters.switch_port = Some("1.9".to_owned());
        assert!(port.check().unwrap_err().contains("no port of a Switch"));
        port.parameters.switch_port = None;
        assert!(port.check().unwrap_err().contains("enter switch_port"));
        let mut shell = machine(MachineProtocol::Ssh, "gate.example");
        (shell.parameters.behind, shell.parameters.switch_port) = (Some("kvm".to_owned()), Some("1".to_owned()));
        assert!(shell.check().unwrap_err().contains("is a parameter of pikvm"));
    }

    #[test]
    fn a_bmc_that_speaks_ipmi_is_a_device_with_a_terminal() {
        let mut bmc = machine(MachineProtocol::Ipmi, "bmc.example");
        assert_eq!((bmc.protocol.door(), bmc.protocol.is_device(), bmc.port), (Some(GuestPort::Ssh), true, 623));
        bmc.user = Some("ada".to_owned());
        bmc.parameters.inside = Some("desk".to_owned());
        bmc.parameters.backspace = Some(Backspace::ControlH);
        assert_eq!(bmc.check(), Ok(()));
        bmc.user = Some("an account with a long name".to_owned());
        assert!(bmc.check().unwrap_err().contains("16 bytes"));
        bmc.user = None;
        assert!(bmc.check().unwrap_err().contains("user is missing"));
    }

    #[test]
    fn identities_have_their_protocols_shape() {
        let pinned = |protocol, identity: &str| {
            External { identity: Some(identity.to_owned()), ..machine(protocol, "gate.example") }.check()
        };
        assert_eq!(pinned(MachineProtocol::Rdp, &"0a".repeat(32)), Ok(()));
        assert!(pinned(MachineProtocol::Rdp, &"0A".repeat(32)).is_err());
        assert_eq!(pinned(MachineProtocol::Ssh, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA+/=="), Ok(()));
        for bad in ["SHA256:abc", "ssh-ed25519", "ssh-ed25519 AAAA root@gate", "ssh-ed25519 AAAA\n"] {
            assert!(pinned(MachineProtocol::Ssh, bad).is_err(), "{bad}");
        }
        assert_eq!(pinned(MachineProtocol::Vnc, &"0a".repeat(32)), Ok(()));
        assert!(pinned(MachineProtocol::Spice, &"0a".repeat(32)).unwrap_err().contains("set tls"));
        let mut screen = machine(MachineProtocol::Spice, "gate.example");
        (screen.parameters.tls, screen.identity) = (Some(true), Some("0a".repeat(32)));
        assert_eq!((screen.check(), screen.protocol.door()), (Ok(()), Some(GuestPort::Console)));
        assert!(pinned(MachineProtocol::Telnet, &"0a".repeat(32)).is_err());
    }
}
