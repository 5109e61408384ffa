//! How the gateway gets into a desktop's guest.

use crate::{Broker, BrokerError};
use oriel_compute::Stream;
use oriel_machine::GuestIdentity;
use oriel_model::{Desktop, DesktopId, External, GuestPort, MachineParameters, MachineProtocol};
use secrecy::{ExposeSecret, SecretString};

/// An open stream to a guest and what to say on it.
pub struct GuestAccess {
    pub name: String,
    pub stream: Box<dyn Stream>,
    pub credentials: GuestCredentials,
}

/// What is said on a stream. An identity that is missing is that of a machine that is met for the first time, and none of the
/// parameters is set for desktops that Oriel runs.
pub enum GuestCredentials {
    Rdp {
        account: GuestAccount,
        certificate_sha256: Option<String>,
        keyboard: String,
        parameters: MachineParameters,
        /// The session may have a drive. Images of our own have nothing that shows one yet.
        drive: bool,
    },
    /// The machine's own display, by its host.
    Console,
    Vnc {
        account: GuestAccount,
        identity: Option<String>,
        parameters: MachineParameters,
    },
    Ssh {
        account: GuestAccount,
        /// An OpenSSH public key.
        host_key: Option<String>,
        /// In the order in which they are passed; the stream leads to the first.
        jumps: Vec<GuestJump>,
        parameters: MachineParameters,
    },
    Telnet {
        account: GuestAccount,
        parameters: MachineParameters,
    },
    /// The password is a bearer token.
    Kubernetes {
        account: GuestAccount,
        identity: Option<String>,
        parameters: MachineParameters,
    },
    Pikvm {
        account: GuestAccount,
        identity: Option<String>,
        /// What the device is called in requests: its address, with the port where that is not HTTPS's own.
        host: String,
        /// XKB name of the layout that text is typed for.
        keyboard: String,
    },
}

#[derive(Default)]
pub struct GuestAccount {
    pub user: Option<String>,
    pub password: Option<SecretString>,
    /// OpenSSH or PEM text.
    pub private_key: Option<SecretString>,
    pub passphrase: Option<SecretString>,
    /// The user certificate for the key.
    pub certificate: Option<String>,
    /// The secret of a second factor.
    pub totp: Option<SecretString>,
}

/// A machine on the way.
pub struct GuestJump {
    pub account: GuestAccount,
    pub host_key: Option<String>,
    /// Where it leads.
    pub to_host: String,
    pub to_port: u16,
}

impl Broker {
    /// Opens a stream to the guest through its host, with the credentials that its seed gave it; to an external machine from
    /// here, with what an admin entered.
    pub async fn guest_access(&self, id: DesktopId, port: GuestPort) -> Result<GuestAccess, BrokerError> {
        let desktop = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("desktop", id))?;
        if let Some(external) = &desktop.external {
            return self.machine_access(&desktop, external, port, None).await;
        }
        let credentials = match port {
            GuestPort::Console => GuestCredentials::Console,
            GuestPort::Rdp | GuestPort::Ssh => self.credentials(&desktop, port).await?,
        };
        let stream = self.inner.compute.dial(&desktop, port).await?;
        Ok(GuestAccess { name: desktop.name.to_string(), stream, credentials })
    }

    async fn machine_access(
        &self,
        machine: &Desktop,
        external: &External,
        port: GuestPort,
        redirected: Option<&str>,
    ) -> Result<GuestAccess, BrokerError> {
        Self::check_door(machine, external, port)?;
        let way = self.way_to(machine).await?;
        let account = self.machine_account(machine, external).await?;
        let (identity, parameters) = (external.identity.clone(), external.parameters.clone());
        let credentials = match external.protocol {
            MachineProtocol::Rdp => GuestCredentials::Rdp {
                account,
                certificate_sha256: identity,
                keyboard: self.keyboard_of(machine, &parameters).await?,
                parameters,
                drive: true,
            },
            MachineProtocol::Vnc => GuestCredentials::Vnc { account, identity, parameters },
            MachineProtocol::Telnet => GuestCredentials::Telnet { account, parameters },
            MachineProtocol::Kubernetes => GuestCredentials::Kubernetes { account, identity, parameters },
            MachineProtocol::Pikvm => GuestCredentials::Pikvm {
                account,
                identity,
                host: authority(external),
                keyboard: self.keyboard_of(machine, &parameters).await?,
            },
            MachineProtocol::Ssh => {
                let mut jumps = Vec::with_capacity(way.len());
                let places = way.iter().skip(1).chain([machine]).filter_map(|next| next.external.as_ref());
                for (jump, next) in way.iter().zip(places) {
                    let Some(on_the_way) = &jump.external else { continue };
                    jumps.push(GuestJump {
                        account: self.machine_account(jump, on_the_way).await?,
                        host_key: on_the_way.identity.clone(),
                        to_host: next.host.clone(),
                        to_port: next.port,
                    });
                }
                GuestCredentials::Ssh { account, host_key: identity, jumps, parameters }
            }
        };
        let first = way.first().unwrap_or(machine);
        let stream = match redirected {
            // As what the machine itself is held to: a name or an address, and what the configuration lets be dialled.
            Some(host) => {
                oriel_model::check_host(host).map_err(|error| {
                    BrokerError::conflict("bad_redirection", error, format!("oriel machine show {}", machine.name))
                })?;
                let seconds = external.parameters.timeout_seconds.unwrap_or(oriel_compute::external::DIAL_SECONDS);
                self.outside().dial(host, external.port, seconds).await.map_err(BrokerError::from)
            }
            None => self.dial_machine(first).await,
        };
        // Where it is is for admins.
        let stream = stream.map_err(|error| match error {
            BrokerError::External(error) => BrokerError::conflict(
                "machine_unreachable",
                error.without_address(first.name.as_str()),
                format!("oriel machine show {}", first.name),
            ),
            error => error,
        })?;
        Ok(GuestAccess { name: machine.name.to_string(), stream: Box::new(stream), credentials })
    }

    /// A stream to where an external machine redirects its connections: `host` is what the machine said. With the machine's own
    /// credentials, and on its port.
    pub async fn redirected_access(
        &self,
        id: DesktopId,
        port: GuestPort,
        host: &str,
    ) -> Result<GuestAccess, BrokerError> {
        let desktop = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("desktop", id))?;
        let followed = |external: &&External| {
            external.protocol == MachineProtocol::Rdp && external.parameters.follows_redirection()
        };
        let Some(external) = desktop.external.as_ref().filter(followed) else {
            return Err(BrokerError::conflict(
                "redirected",
                format!("{} redirected the connection to another machine, which is not followed", desktop.name),
                format!("oriel machine set {} --follow-redirection true", desktop.name),
            ));
        };
        tracing::info!(machine = %desktop.name, host, "A machine redirects a connection");
        self.machine_access(&desktop, external, port, Some(host)).await
    }

    async fn keyboard_of(&self, machine: &Desktop, parameters: &MachineParameters) -> Result<String, BrokerError> {
        match &parameters.keyboard {
            Some(keyboard) => Ok(keyboard.clone()),
            None => Ok(self.find_pool(&machine.pool.to_string()).await?.keyboard),
        }
    }

    async fn machine_account(&self, machine: &Desktop, external: &External) -> Result<GuestAccount, BrokerError> {
        // Passwords and keys that are missing are asked for in the terminal; a name cannot be.
        if external.protocol == MachineProtocol::Ssh && external.user.is_none() {
            return Err(BrokerError::conflict(
                "no_credentials",
                format!(
                    "no user is kept for {}, so nobody can be signed in there; an administrator can enter it",
                    machine.name
                ),
                format!("oriel machine set {} --user USER", machine.name),
            ));
        }
        let secrets = self.machine_secrets(machine).await?;
        Ok(GuestAccount {
            user: external.user.clone(),
            password: secrets.password,
            private_key: secrets.private_key,
            passphrase: secrets.passphrase,
            certificate: external.parameters.certificate.clone(),
            totp: secrets.totp,
        })
    }

    async fn credentials(&self, desktop: &Desktop, port: GuestPort) -> Result<GuestCredentials, BrokerError> {
        let identity = self.guest_identity(desktop).await?;
        let user = Some(identity.user.clone());
        let parameters = MachineParameters::default();
        Ok(if port == GuestPort::Ssh {
            let private_key = Some(identity.client_key.clone());
            GuestCredentials::Ssh {
                account: GuestAccount { user, private_key, ..GuestAccount::default() },
                host_key: Some(identity.ssh_host_public.clone()),
                jumps: Vec::new(),
                parameters,
            }
        } else {
            let pool = self.find_pool(&desktop.pool.to_string()).await?;
            let password = Some(identity.password.clone());
            GuestCredentials::Rdp {
                account: GuestAccount { user, password, ..GuestAccount::default() },
                certificate_sha256: Some(identity.rdp_certificate_sha256.clone()),
                keyboard: pool.keyboard,
                parameters,
                drive: false,
            }
        })
    }

    pub(crate) async fn guest_identity(&self, desktop: &Desktop) -> Result<GuestIdentity, BrokerError> {
        let sealed = self.inner.store.secret(desktop.id).await?.ok_or_else(|| {
            BrokerError::conflict(
                "no_credentials",
                format!("{} has no credentials yet", desktop.name),
                "wait until it has started, or recycle it",
            )
        })?;
        let text = self
            .inner
            .vault
            .open(&sealed, &sealing_context(desktop.id))
            .map_err(|error| BrokerError::internal("unsealing a desktop's credentials", error))?;
        GuestIdentity::from_json(&text).map_err(|error| BrokerError::internal("reading a desktop's credentials", error))
    }

    pub(crate) async fn keep_guest_identity(&self, id: DesktopId, identity: &GuestIdentity) -> Result<(), BrokerError> {
        let text =
            identity.to_json().map_err(|error| BrokerError::internal("writing a desktop's credentials", error))?;
        let sealed = self
            .inner
            .vault
            .seal(text.expose_secret(), &sealing_context(id))
            .map_err(|error| BrokerError::internal("sealing a desktop's credentials", error))?;
        Ok(self.inner.store.put_secret(id, &sealed).await?)
    }
}

/// Binds a sealed text to its row, so that rows cannot be exchanged.
fn sealing_context(id: DesktopId) -> String {
    format!("desktop:{id}")
}

/// A machine as requests of HTTP name it.
pub(crate) fn authority(external: &External) -> String {
    let host = match external.host.parse::<std::net::Ipv6Addr>() {
        Ok(ip) => format!("[{ip}]"),
        Err(_) => external.host.clone(),
    };
    if external.port == MachineProtocol::Pikvm.port() { host } else { format!("{host}:{}", external.port) }
}
