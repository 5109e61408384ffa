//! Where a machine is, which kvm-vdi does not know: an admin says it.

use oriel_model::{MachineProtocol, check_host};
use std::str::FromStr;

/// `rdp://HOST[:PORT]`, and so for VNC and SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub protocol: MachineProtocol,
    pub host: String,
    pub port: u16,
}

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            let shown: String = text.chars().take(80).collect();
            format!(
                "{shown:?} is no address of a machine: use one like rdp://10.0.0.7, vnc://10.0.0.7:5901 or ssh://[2001:db8::7]"
            )
        };
        let (word, rest) = text.split_once("://").ok_or_else(bad)?;
        let spoken = [MachineProtocol::Rdp, MachineProtocol::Vnc, MachineProtocol::Ssh];
        let protocol = spoken.into_iter().find(|protocol| protocol.word() == word).ok_or_else(bad)?;
        let (host, port) = match rest.strip_prefix('[') {
            Some(six) => {
                let (host, after) = six.split_once(']').ok_or_else(bad)?;
                (host, if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or_else(bad)?) })
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let port = match port {
            Some(port) => port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(bad)?,
            None => protocol.port(),
        };
        check_host(host)?;
        Ok(Self { protocol, host: host.to_owned(), port })
    }
}
