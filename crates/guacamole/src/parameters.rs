//! One connection's parameters, as the fields of a machine.

use crate::Left;
use crate::table::{Status, TABLE};
use oriel_model::{External, MACHINE_TIMEOUT_SECONDS_MAX, MachineParameters, MachineProtocol};
use secrecy::SecretString;
use std::collections::BTreeMap;

pub(crate) struct Fields {
    pub external: External,
    pub password: Option<SecretString>,
    pub private_key: Option<SecretString>,
    pub passphrase: Option<SecretString>,
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
        },
        password: None,
        private_key: None,
        passphrase: None,
    };
    for (name, value) in given {
        if value.is_empty() {
            continue;
        }
        if let Err(reason) = found.take(protocol, &name, value) {
            let name: String = name.chars().take(80).collect();
            left.push(Left::new(format!("{what}, {name}"), reason));
        }
    }
    if found.private_key.is_none() && found.passphrase.take().is_some() {
        left.push(Left::new(format!("{what}, passphrase"), "there is no private key that it could be for"));
    }
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
    /// The error says why the value is not taken over.
    fn take(&mut self, protocol: MachineProtocol, name: &str, value: String) -> Result<(), String> {
        let entry = TABLE.iter().find(|entry| entry.name == name && entry.is_of(protocol.word()));
        let Some(entry) = entry else {
            return Err(format!("Oriel knows no such parameter of {}", protocol.word()));
        };
        // What is switched off is as if it were not there.
        let off = value == "false";
        match entry.status {
            Status::Later if off => return Ok(()),
            Status::Gone if off => return Ok(()),
            Status::Later => return Err(format!("comes later, as {}", entry.ours)),
            Status::Gone => return Err(entry.why.to_owned()),
            Status::Works => {}
        }
        if value.contains("${") {
            return Err("it uses a token, which Oriel does not fill in".to_owned());
        }
        let external = &mut self.external;
        match name {
            "hostname" => value.trim().clone_into(&mut external.host),
            "port" => {
                let port = value.trim().parse().ok().filter(|port| *port != 0);
                external.port = port.ok_or_else(|| "it is no port; the protocol's own is used".to_owned())?;
            }
            "timeout" => {
                let seconds: u16 = value.trim().parse().map_err(|_| "it is no number of seconds".to_owned())?;
                external.parameters.timeout_seconds = Some(seconds.clamp(1, MACHINE_TIMEOUT_SECONDS_MAX));
            }
            "username" => external.user = Some(value),
            "password" => self.password = Some(value.into()),
            "private-key" => self.private_key = Some(value.into()),
            "passphrase" => self.passphrase = Some(value.into()),
            "domain" => external.parameters.domain = Some(value),
            "client-name" => external.parameters.client_name = Some(value),
            "command" => external.parameters.command = Some(value),
            "locale" => external.parameters.locale = Some(value),
            "terminal-type" => external.parameters.terminal_type = Some(value),
            "server-layout" => {
                let layout = LAYOUTS.iter().find(|(theirs, _)| *theirs == value).map(|(_, ours)| (*ours).to_owned());
                external.parameters.keyboard =
                    Some(layout.ok_or_else(|| "Oriel knows no such layout; the pool's is used".to_owned())?);
            }
            "host-key" => external.identity = Some(host_key(&value)?),
            "cert-fingerprints" => external.identity = Some(fingerprint(&value)?),
            _ => return Err(format!("comes later, as {}", entry.ours)),
        }
        Ok(())
    }
}

/// A line of `known_hosts`, or the key alone.
fn host_key(value: &str) -> Result<String, String> {
    let mut words = value.split_ascii_whitespace();
    while let Some(word) = words.next() {
        if (word.starts_with("ssh-") || word.starts_with("ecdsa-sha2-"))
            && let Some(key) = words.next().filter(|key| key.starts_with("AAAA"))
        {
            return Ok(format!("{word} {key}"));
        }
    }
    Err("it is no OpenSSH host key; the first that the machine shows is kept".to_owned())
}

/// `sha256:ab:cd:…`, alone.
fn fingerprint(value: &str) -> Result<String, String> {
    let value = value.trim().to_ascii_lowercase();
    let hex: String = value.strip_prefix("sha256:").unwrap_or(&value).replace(':', "");
    if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(hex);
    }
    Err("it is not one SHA-256 of a certificate; the first that the machine shows is kept".to_owned())
}
