//! One connection's parameters, as the fields of a machine.

use crate::table::{Status, TABLE};
use crate::{Left, rules};
use oriel_model::{
    Backspace, External, MACHINE_TIMEOUT_SECONDS_MAX, MACHINE_WAKE_SECONDS_MAX, MachineParameters, MachineProtocol,
    RdpAuthentication, RdpSecurity,
};
use secrecy::SecretString;
use std::collections::BTreeMap;

pub(crate) struct Fields {
    pub external: External,
    pub password: Option<SecretString>,
    pub private_key: Option<SecretString>,
    pub passphrase: Option<SecretString>,
    pub gateway_password: Option<SecretString>,
    /// Host and port that a VNC repeater is asked for.
    repeater: (Option<String>, Option<String>),
    /// Its machine is to be woken.
    wakes: bool,
}

/// Why a value is not taken over.
enum Reason {
    Left(String),
    /// Nor is its connection.
    Held(&'static str),
}

impl From<String> for Reason {
    fn from(reason: String) -> Self {
        Self::Left(reason)
    }
}

impl From<&str> for Reason {
    fn from(reason: &str) -> Self {
        Self::Left(reason.to_owned())
    }
}

/// Guacamole's names of layouts, and XKB's.
const LAYOUTS: [(&str, &str); 24] = [
    ("cs-cz-qwertz", "cz"),
    ("da-dk-qwerty", "dk"),
    ("de-ch-qwertz", "ch"),
    ("de-de-qwertz", "de"),
    ("en-gb-qwerty", "gb"),
    ("en-us-qwerty", "us"),
    ("es-es-qwerty", "es"),
    ("es-latam-qwerty", "latam"),
    ("fr-be-azerty", "be"),
    ("fr-ca-qwerty", "ca"),
    ("fr-ch-qwertz", "ch(fr)"),
    ("fr-fr-azerty", "fr"),
    ("hu-hu-qwertz", "hu"),
    ("it-it-qwerty", "it"),
    ("ja-jp-qwerty", "jp"),
    ("no-no-qwerty", "no"),
    ("pl-pl-qwerty", "pl"),
    ("pt-br-qwerty", "br"),
    ("pt-pt-qwerty", "pt"),
    ("ro-ro-qwerty", "ro"),
    ("sv-se-qwerty", "se"),
    ("tr-tr-qwerty", "tr"),
    ("fi-fi-qwerty", "fi"),
    ("ru-ru-qwerty", "ru"),
];

/// `None` when there is no machine without what is missing or wrong; `left` says why.
pub(crate) fn fields(
    protocol: MachineProtocol,
    what: &str,
    given: BTreeMap<String, String>,
    left: &mut Vec<Left>,
) -> Option<Fields> {
    let mut found = Fields {
        external: External {
            protocol,
            host: String::new(),
            port: protocol.port(),
            user: None,
            parameters: MachineParameters::default(),
            identity: None,
            has_password: false,
            has_private_key: false,
            has_totp: false,
            has_gateway_password: false,
        },
        password: None,
        private_key: None,
        passphrase: None,
        gateway_password: None,
        repeater: (None, None),
        wakes: false,
    };
    let mut held = None;
    for (name, value) in given {
        if value.is_empty() {
            continue;
        }
        match found.take(protocol, &name, value) {
            Ok(()) => {}
            Err(Reason::Held(reason)) => held = Some(format!("{name} cannot be kept to yet: {reason}")),
            Err(Reason::Left(reason)) => {
                let name: String = name.chars().take(80).collect();
                left.push(Left::new(format!("{what}, {name}"), reason));
            }
        }
    }
    if let Some(reason) = held {
        left.push(Left::new(what, reason));
        return None;
    }
    found.settle(what, left);
    if found.external.host.is_empty() {
        left.push(Left::new(what, "it has no hostname that Oriel could dial"));
        return None;
    }
    if let Err(reason) = found.external.check() {
        left.push(Left::new(what, reason));
        return None;
    }
    Some(found)
}

impl Fields {
    fn take(&mut self, protocol: MachineProtocol, name: &str, value: String) -> Result<(), Reason> {
        let entry = TABLE.iter().find(|entry| entry.name == name && entry.is_of(protocol.word()));
        let Some(entry) = entry else {
            return Err(format!("Oriel knows no such parameter of {}", protocol.word()).into());
        };
        // What is switched off is as if it were not there.
        let is_switch = entry.status != Status::Works
            || matches!(
                name,
                "ignore-cert"
                    | "cert-tofu"
                    | "enable-agent"
                    | "disable-gfx"
                    | "disable-audio"
                    | "console"
                    | "initial-program"
                    | "remote-app"
                    | "wol-send-packet"
            )
            || rules::NAMES.contains(&name);
        if is_switch && value == "false" {
            return Ok(());
        }
        match entry.status {
            Status::Later => return Err(format!("comes later, as {}", entry.ours).into()),
            Status::Gone => return Err(entry.why.into()),
            Status::Works => {}
        }
        // Taken from all of them together.
        if rules::NAMES.contains(&name) {
            return match value.as_str() {
                "true" => Ok(()),
                _ => Err(Reason::Held("it is neither true nor false, and people could do more than before")),
            };
        }
        if value.contains("${") {
            if name == "remote-app" {
                return Err(Reason::Held(
                    "it uses a token, and people would see the whole desktop instead of one program",
                ));
            }
            return Err("it uses a token, which Oriel does not fill in".into());
        }
        let external = &mut self.external;
        let parameters = &mut external.parameters;
        match name {
            "hostname" => value.trim().clone_into(&mut external.host),
            "port" => {
                let port = value.trim().parse().ok().filter(|port| *port != 0);
                external.port = port.ok_or("it is no port; the protocol's own is used")?;
            }
            "timeout" => {
                let seconds: u16 = value.trim().parse().map_err(|_| "it is no number of seconds")?;
                parameters.timeout_seconds = Some(seconds.clamp(1, MACHINE_TIMEOUT_SECONDS_MAX));
            }
            "username" => external.user = Some(value),
            "password" => self.password = Some(value.into()),
            "private-key" | "client-key" => self.private_key = Some(value.into()),
            "passphrase" => self.passphrase = Some(value.into()),
            "public-key" => parameters.certificate = Some(certificate(&value)?),
            "client-cert" => parameters.certificate = Some(value),
            "namespace" => parameters.namespace = Some(value),
            "pod" => parameters.pod = Some(value),
            "container" => parameters.container = Some(value),
            "domain" => parameters.domain = Some(value),
            "security" => parameters.security = security(&value)?,
            "auth-pkg" => parameters.authentication = authentication(&value)?,
            "cert-tofu" | "ignore-cert" | "ca-cert" => return Err(entry.why.into()),
            "client-name" => parameters.client_name = Some(value),
            "enable-wallpaper" => parameters.wallpaper = Some(switch(&value)?),
            "enable-theming" => parameters.theming = Some(switch(&value)?),
            "enable-font-smoothing" => parameters.font_smoothing = Some(switch(&value)?),
            "enable-full-window-drag" => parameters.full_window_drag = Some(switch(&value)?),
            "enable-desktop-composition" => parameters.desktop_composition = Some(switch(&value)?),
            "enable-menu-animations" => parameters.menu_animations = Some(switch(&value)?),
            "wol-send-packet" => self.wakes = switch(&value)?,
            "wol-mac-addr" => parameters.wake_mac = Some(value.trim().to_owned()),
            "wol-broadcast-addr" => parameters.wake_broadcast = Some(value.trim().to_owned()),
            "wol-udp-port" => {
                parameters.wake_port = Some(value.trim().parse().map_err(|_| "it is no port; 9 is used")?);
            }
            "wol-wait-time" => {
                let seconds: u16 = value.trim().parse().map_err(|_| "it is no number of seconds")?;
                parameters.wake_seconds = (seconds > 0).then_some(seconds.min(MACHINE_WAKE_SECONDS_MAX));
            }
            "disable-audio" => parameters.sound = Some(false),
            "console" => parameters.admin_session = Some(true),
            "initial-program" => parameters.initial_program = Some(value),
            "remote-app" => parameters.remote_app = Some(value),
            "remote-app-dir" => parameters.remote_app_folder = Some(value),
            "remote-app-args" => parameters.remote_app_arguments = Some(value),
            "load-balance-info" => parameters.load_balance_info = Some(value),
            "preconnection-id" => {
                parameters.preconnection_id = Some(value.trim().parse().map_err(|_| "it is no number of a source")?);
            }
            "preconnection-blob" => parameters.preconnection_blob = Some(value),
            "gateway-hostname" => parameters.gateway_host = Some(value.trim().to_owned()),
            "gateway-port" => {
                parameters.gateway_port = Some(value.trim().parse().map_err(|_| "it is no port; 443 is used")?);
            }
            "gateway-username" => parameters.gateway_user = Some(value),
            "gateway-password" => self.gateway_password = Some(value.into()),
            "gateway-domain" => parameters.gateway_domain = Some(value),
            "disable-gfx" => parameters.graphics_pipeline = Some(false),
            "command" | "exec-command" => parameters.command = Some(value),
            "locale" => parameters.locale = Some(value),
            "timezone" => parameters.time_zone = Some(value),
            "enable-agent" => parameters.agent_forwarding = Some(true),
            "sftp-root-directory" => parameters.sftp_root = Some(value),
            "terminal-type" => parameters.terminal_type = Some(value),
            "backspace" => parameters.backspace = Some(backspace(&value)?),
            "username-regex" => parameters.user_prompt = Some(value),
            "password-regex" => parameters.password_prompt = Some(value),
            "login-success-regex" => parameters.success_pattern = Some(value),
            "login-failure-regex" => parameters.failure_pattern = Some(value),
            "quality-level" => {
                let quality = value.trim().parse().ok().filter(|quality| *quality <= 9);
                parameters.jpeg_quality = Some(quality.ok_or("it is no number from 0 to 9; pictures stay lossless")?);
            }
            "dest-host" => self.repeater.0 = Some(value),
            "dest-port" => self.repeater.1 = Some(value),
            "server-layout" => {
                let layout = LAYOUTS.iter().find(|(theirs, _)| *theirs == value).map(|(_, ours)| (*ours).to_owned());
                parameters.keyboard = Some(layout.ok_or("Oriel knows no such layout; the pool's is used")?);
            }
            "host-key" => external.identity = Some(host_key(&value)?),
            "cert-fingerprints" => external.identity = Some(fingerprint(&value)?),
            _ => return Err(format!("comes later, as {}", entry.ours).into()),
        }
        Ok(())
    }

    /// What hangs together.
    fn settle(&mut self, what: &str, left: &mut Vec<Left>) {
        let (host, port) = std::mem::take(&mut self.repeater);
        match (host, port) {
            (Some(host), port) => {
                let port = port.unwrap_or_else(|| MachineProtocol::Vnc.port().to_string());
                self.external.parameters.repeater = Some(format!("{host}:{port}"));
            }
            (None, Some(_)) => {
                left.push(Left::new(format!("{what}, dest-port"), "there is no dest-host that it belongs to"));
            }
            (None, None) => {}
        }
        let parameters = &mut self.external.parameters;
        if parameters.remote_app.is_some() {
            if parameters.initial_program.take().is_some() {
                parameters.program_folder = None;
                left.push(Left::new(format!("{what}, initial-program"), "its remote-app is run instead"));
            }
        } else {
            for (name, given) in [
                ("remote-app-dir", parameters.remote_app_folder.take().is_some()),
                ("remote-app-args", parameters.remote_app_arguments.take().is_some()),
            ] {
                if given {
                    left.push(Left::new(format!("{what}, {name}"), "there is no remote-app that it could be for"));
                }
            }
        }
        if self.wakes && parameters.gateway_host.is_some() {
            self.wakes = false;
            left.push(Left::new(
                format!("{what}, wol-send-packet"),
                "a machine behind an RD Gateway cannot be woken from here",
            ));
        }
        if self.wakes && parameters.wake_mac.is_some() {
            // Guacamole's own: everybody on the network of its server.
            parameters.wake_broadcast.get_or_insert_with(|| "255.255.255.255".to_owned());
        } else {
            (parameters.wake_mac, parameters.wake_broadcast) = (None, None);
            (parameters.wake_port, parameters.wake_seconds) = (None, None);
        }
        if self.private_key.is_none() {
            let parameters = &mut self.external.parameters;
            for (name, given) in [
                ("passphrase", self.passphrase.take().is_some()),
                ("public-key", parameters.certificate.take().is_some()),
                ("enable-agent", parameters.agent_forwarding.take().is_some()),
            ] {
                if given {
                    left.push(Left::new(format!("{what}, {name}"), "there is no private key that it could be for"));
                }
            }
        }
        self.external.has_private_key = self.private_key.is_some();
        let parameters = &mut self.external.parameters;
        if parameters.gateway_host.is_none() {
            for (name, given) in [
                ("gateway-port", parameters.gateway_port.take().is_some()),
                ("gateway-username", parameters.gateway_user.take().is_some()),
                ("gateway-domain", parameters.gateway_domain.take().is_some()),
                ("gateway-password", self.gateway_password.take().is_some()),
            ] {
                if given {
                    left.push(Left::new(
                        format!("{what}, {name}"),
                        "there is no gateway-hostname that it could be for",
                    ));
                }
            }
        } else if parameters.gateway_user.is_none() {
            for (name, given) in [
                ("gateway-domain", parameters.gateway_domain.take().is_some()),
                ("gateway-password", self.gateway_password.take().is_some()),
            ] {
                if given {
                    left.push(Left::new(
                        format!("{what}, {name}"),
                        "there is no gateway-username that it could be for; the machine's account is used",
                    ));
                }
            }
        }
        self.external.has_gateway_password = self.gateway_password.is_some();
    }
}

fn switch(value: &str) -> Result<bool, Reason> {
    value.trim().parse().map_err(|_| "it is neither true nor false".into())
}

fn security(value: &str) -> Result<Option<RdpSecurity>, Reason> {
    match value {
        "any" => Ok(None),
        "nla" | "nla-ext" => Ok(Some(RdpSecurity::Nla)),
        "tls" => Ok(Some(RdpSecurity::Tls)),
        "vmconnect" => Ok(Some(RdpSecurity::Vmconnect)),
        _ => Err("Oriel does not speak that; the best of NLA and TLS that the machine has is used".into()),
    }
}

fn authentication(value: &str) -> Result<Option<RdpAuthentication>, Reason> {
    match value {
        "any" => Ok(None),
        "kerberos" => Ok(Some(RdpAuthentication::Kerberos)),
        "ntlm" => Ok(Some(RdpAuthentication::Ntlm)),
        _ => {
            Err("it is neither kerberos nor ntlm; Kerberos is used where the account is of a realm of kerberos.realms"
                .into())
        }
    }
}

fn backspace(value: &str) -> Result<Backspace, Reason> {
    match value.trim() {
        "127" => Ok(Backspace::Delete),
        "8" => Ok(Backspace::ControlH),
        _ => Err("it is neither 127 nor 8; 127 is used".into()),
    }
}

/// The line of a certificate. Guacamole also takes a plain public key there, which says nothing that the private one does not.
fn certificate(value: &str) -> Result<String, Reason> {
    let line = value.trim();
    if line.contains("-cert-v01@openssh.com AAAA") && !line.contains('\n') {
        return Ok(line.to_owned());
    }
    Err("it is no OpenSSH certificate; the private key alone signs in".into())
}

/// A line of `known_hosts`, or the key alone.
fn host_key(value: &str) -> Result<String, Reason> {
    let mut words = value.split_ascii_whitespace();
    while let Some(word) = words.next() {
        if (word.starts_with("ssh-") || word.starts_with("ecdsa-sha2-"))
            && let Some(key) = words.next().filter(|key| key.starts_with("AAAA"))
        {
            return Ok(format!("{word} {key}"));
        }
    }
    Err("it is no OpenSSH host key; the first that the machine shows is kept".into())
}

/// `sha256:ab:cd:…`, alone.
fn fingerprint(value: &str) -> Result<String, Reason> {
    let value = value.trim().to_ascii_lowercase();
    let hex: String = value.strip_prefix("sha256:").unwrap_or(&value).replace(':', "");
    if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(hex);
    }
    Err("it is not one SHA-256 of a certificate; the first that the machine shows is kept".into())
}
