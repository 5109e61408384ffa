//! A machine that Oriel does not run: an address that an admin entered. It has no power, no disk and no host; what is known
//! of it is where it is, what it speaks and whether it answers.

use crate::GuestPort;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

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
/// Longest time that dialling may be given, in seconds: the gateway gives up after 45.
pub const MACHINE_TIMEOUT_SECONDS_MAX: u16 = 40;

/// What a machine speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineProtocol {
    Rdp,
    Vnc,
    Ssh,
    /// In clear text, and nobody proves who they are.
    Telnet,
    /// A container of a cluster; the address is its API server's.
    Kubernetes,
}

impl MachineProtocol {
    pub const ALL: [Self; 5] = [Self::Rdp, Self::Vnc, Self::Ssh, Self::Telnet, Self::Kubernetes];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Rdp => "rdp",
            Self::Vnc => "vnc",
            Self::Ssh => "ssh",
            Self::Telnet => "telnet",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// The port that IANA gave it; the one that Kubernetes' own installer gives an API server.
    pub const fn port(self) -> u16 {
        match self {
            Self::Rdp => 3389,
            Self::Vnc => 5900,
            Self::Ssh => 22,
            Self::Telnet => 23,
            Self::Kubernetes => 6443,
        }
    }

    /// Which door of a desktop it is: a screen of its own, the machine's screen, or a terminal.
    pub const fn door(self) -> GuestPort {
        match self {
            Self::Rdp => GuestPort::Rdp,
            Self::Vnc => GuestPort::Console,
            Self::Ssh | Self::Telnet | Self::Kubernetes => GuestPort::Ssh,
        }
    }

    /// Whether the machine can show who it is before anything is told to it: a certificate or a host key. VNC servers do when they
    /// have TLS or RSA-AES.
    pub const fn has_identity(self) -> bool {
        !matches!(self, Self::Telnet)
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
    /// Who it must be: SHA-256 of its certificate or key (lowercase hex) for RDP, VNC and Kubernetes, an OpenSSH public key for SSH. Pinned at the
    /// first connection when nobody entered one.
    #[serde(default)]
    pub identity: Option<String>,
    /// Whether a password is kept for it, sealed.
    #[serde(default)]
    pub has_password: bool,
    /// Whether a private key is kept for it, sealed.
    #[serde(default)]
    pub has_private_key: bool,
}

/// Which security levels of RDP are offered. RDP's own encryption never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RdpSecurity {
    /// Network level authentication or nothing.
    Nla,
    /// TLS alone: the machine asks for the password on its own login screen when it has no right one.
    Tls,
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
    /// RDP: the Windows domain of the account.
    pub domain: Option<String>,
    /// RDP: the best that both have when unset.
    pub security: Option<RdpSecurity>,
    /// RDP: the keyboard layout on the machine as an XKB name, for viewers that do not name their own.
    pub keyboard: Option<String>,
    /// RDP: what the machine's session list shows for us; its first 15 characters.
    pub client_name: Option<String>,
    /// RDP: whether the graphics pipeline is offered; it is when unset.
    pub graphics_pipeline: Option<bool>,
    /// VNC: the address leads to an UltraVNC repeater; what it is asked for, `host:port` or `ID:number`.
    pub repeater: Option<String>,
    /// VNC: the server may send JPEG, from 0 (smallest) to 9 (best); only lossless pictures when unset.
    pub jpeg_quality: Option<u8>,
    /// SSH: the machine on the way, by its name in Oriel; the address is what that one calls it.
    pub jump: Option<String>,
    /// SSH: the user certificate for the private key, the line of `….pub`. Kubernetes: the client certificate for it, as PEM.
    pub certificate: Option<String>,
    /// SSH: whether the machine may sign in to others with the private key while somebody is connected.
    pub agent_forwarding: Option<bool>,
    /// SSH: `LANG`, where the server takes it.
    pub locale: Option<String>,
    /// SSH: `TZ`, where the server takes it.
    pub time_zone: Option<String>,
    /// SSH: run instead of the account's shell. Kubernetes: run in the container; what runs there already is attached to when unset.
    pub command: Option<String>,
    /// SSH, telnet: `TERM`; `xterm-256color` when unset.
    pub terminal_type: Option<String>,
    /// SSH, telnet, Kubernetes: 0x7f when unset.
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
}

/// A parameter that is set: its name, the protocols that it belongs to (none: all), and its text when it has one.
type Set<'a> = (&'static str, &'static [MachineProtocol], Option<&'a str>);

impl MachineParameters {
    fn set(&self) -> impl Iterator<Item = Set<'_>> {
        use MachineProtocol::{Kubernetes, Rdp, Ssh, Telnet, Vnc};
        const TERMINALS: &[MachineProtocol] = &[Ssh, Telnet];
        const KEYED: &[MachineProtocol] = &[Ssh, Kubernetes];
        let texts = [
            ("domain", &[Rdp] as &[_], &self.domain),
            ("keyboard", &[Rdp], &self.keyboard),
            ("client_name", &[Rdp], &self.client_name),
            ("repeater", &[Vnc], &self.repeater),
            ("jump", &[Ssh], &self.jump),
            ("certificate", KEYED, &self.certificate),
            ("locale", &[Ssh], &self.locale),
            ("time_zone", &[Ssh], &self.time_zone),
            ("command", KEYED, &self.command),
            ("terminal_type", TERMINALS, &self.terminal_type),
            ("user_prompt", &[Telnet], &self.user_prompt),
            ("password_prompt", &[Telnet], &self.password_prompt),
            ("success_pattern", &[Telnet], &self.success_pattern),
            ("failure_pattern", &[Telnet], &self.failure_pattern),
            ("namespace", &[Kubernetes], &self.namespace),
            ("pod", &[Kubernetes], &self.pod),
            ("container", &[Kubernetes], &self.container),
        ];
        let others = [
            ("security", &[Rdp] as &[_], self.security.is_some()),
            ("graphics_pipeline", &[Rdp], self.graphics_pipeline.is_some()),
            ("jpeg_quality", &[Vnc], self.jpeg_quality.is_some()),
            ("agent_forwarding", &[Ssh], self.agent_forwarding.is_some()),
            ("backspace", &[Ssh, Telnet, Kubernetes], self.backspace.is_some()),
        ];
        let texts = texts.into_iter().filter_map(|(name, of, text)| Some((name, of, Some(text.as_deref()?))));
        texts.chain(others.into_iter().filter(|(.., set)| *set).map(|(name, of, _)| (name, of, None)))
    }

    fn check_numbers(&self) -> Result<(), String> {
        let fits = |name: &str, value: Option<u16>, least: u16, most: u16| match value {
            Some(value) if !(least..=most).contains(&value) => {
                Err(format!("{name} cannot be {value}: use {least} to {most}"))
            }
            _ => Ok(()),
        };
        fits("timeout_seconds", self.timeout_seconds, 1, MACHINE_TIMEOUT_SECONDS_MAX)?;
        fits("jpeg_quality", self.jpeg_quality.map(u16::from), 0, 9)
    }
}

impl External {
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
                "command" => MACHINE_COMMAND_BYTES_MAX,
                "certificate" => MACHINE_CERTIFICATE_BYTES_MAX,
                _ => MACHINE_TEXT_BYTES_MAX,
            };
            match text {
                // The one text with lines.
                Some(text) if name == "certificate" && self.protocol == MachineProtocol::Kubernetes => {
                    if text.len() > most || !text.contains("-----BEGIN CERTIFICATE-----") {
                        return Err(format!("certificate is no PEM of at most {most} bytes: enter the file's text"));
                    }
                }
                Some(text) => check_text(name, text, most)?,
                None => {}
            }
        }
        if self.protocol == MachineProtocol::Kubernetes {
            self.check_container()?;
        }
        self.parameters.check_numbers()?;
        if let Some(identity) = &self.identity {
            check_identity(self.protocol, identity)?;
        }
        if self.has_private_key && !matches!(self.protocol, MachineProtocol::Ssh | MachineProtocol::Kubernetes) {
            return Err(format!(
                "a private key is for ssh and kubernetes, and the machine speaks {}",
                self.protocol.word()
            ));
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

fn check_text(name: &str, value: &str, most: usize) -> Result<(), String> {
    if value.is_empty() || value.len() > most || value.chars().any(char::is_control) {
        return Err(format!("{name} must have 1 to {most} bytes and no control characters"));
    }
    Ok(())
}

fn check_host(host: &str) -> Result<(), String> {
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
        MachineProtocol::Rdp | MachineProtocol::Vnc | MachineProtocol::Kubernetes => {
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
        MachineProtocol::Telnet => Err("a machine that speaks telnet shows no identity that could be kept".to_owned()),
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
        assert!(pinned(MachineProtocol::Telnet, &"0a".repeat(32)).is_err());
    }
}
