//! How the gateway gets into a desktop's guest.

use crate::{Broker, BrokerError};
use oriel_compute::Stream;
use oriel_machine::GuestIdentity;
use oriel_model::{Desktop, DesktopId, External, GuestPort, MachineProtocol};
use secrecy::{ExposeSecret, SecretString};

/// An open stream to a guest and what to say on it.
pub struct GuestAccess {
    pub name: String,
    pub stream: Box<dyn Stream>,
    pub credentials: GuestCredentials,
}

/// What is said on a stream. An identity that is missing is that of a machine that is met for the first time.
pub enum GuestCredentials {
    Rdp {
        user: String,
        password: SecretString,
        domain: Option<String>,
        certificate_sha256: Option<String>,
        keyboard: String,
        client_name: Option<String>,
    },
    /// The machine's own display, by its host.
    Console,
    Vnc {
        password: Option<SecretString>,
    },
    Ssh {
        user: String,
        auth: GuestAuth,
        /// An OpenSSH public key.
        host_key: Option<String>,
        terminal_type: Option<String>,
        locale: Option<String>,
        command: Option<String>,
    },
}

pub enum GuestAuth {
    Password(SecretString),
    /// OpenSSH or PEM text.
    Key {
        private_key: SecretString,
        passphrase: Option<SecretString>,
    },
}

impl Broker {
    /// Opens a stream to the guest through its host, with the credentials that its seed gave it; to an external machine from
    /// here, with what an admin entered.
    pub async fn guest_access(&self, id: DesktopId, port: GuestPort) -> Result<GuestAccess, BrokerError> {
        let desktop = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("desktop", id))?;
        if let Some(external) = &desktop.external {
            return self.machine_access(&desktop, external, port).await;
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
    ) -> Result<GuestAccess, BrokerError> {
        Self::check_door(machine, external, port)?;
        let secrets = self.machine_secrets(machine).await?;
        let parameters = external.parameters.clone();
        let user = external.user.clone().unwrap_or_default();
        let credentials = match external.protocol {
            MachineProtocol::Rdp => GuestCredentials::Rdp {
                user,
                password: secrets.password.unwrap_or_default(),
                domain: parameters.domain,
                certificate_sha256: external.identity.clone(),
                keyboard: match parameters.keyboard {
                    Some(keyboard) => keyboard,
                    None => self.find_pool(&machine.pool.to_string()).await?.keyboard,
                },
                client_name: parameters.client_name,
            },
            MachineProtocol::Vnc => GuestCredentials::Vnc { password: secrets.password },
            // Telnet: `check_door` has refused it.
            MachineProtocol::Ssh | MachineProtocol::Telnet => {
                let auth = match (secrets.private_key, secrets.password) {
                    (Some(private_key), _) => GuestAuth::Key { private_key, passphrase: secrets.passphrase },
                    (None, Some(password)) => GuestAuth::Password(password),
                    (None, None) => return Err(no_credentials(machine, "neither a password nor a private key is")),
                };
                if user.is_empty() {
                    return Err(no_credentials(machine, "no user is"));
                }
                GuestCredentials::Ssh {
                    user,
                    auth,
                    host_key: external.identity.clone(),
                    terminal_type: parameters.terminal_type,
                    locale: parameters.locale,
                    command: parameters.command,
                }
            }
        };
        let stream = self.dial_machine(machine).await?;
        Ok(GuestAccess { name: machine.name.to_string(), stream: Box::new(stream), credentials })
    }

    async fn credentials(&self, desktop: &Desktop, port: GuestPort) -> Result<GuestCredentials, BrokerError> {
        let identity = self.guest_identity(desktop).await?;
        Ok(if port == GuestPort::Ssh {
            GuestCredentials::Ssh {
                user: identity.user.clone(),
                auth: GuestAuth::Key { private_key: identity.client_key.clone(), passphrase: None },
                host_key: Some(identity.ssh_host_public.clone()),
                terminal_type: None,
                locale: None,
                command: None,
            }
        } else {
            let pool = self.find_pool(&desktop.pool.to_string()).await?;
            GuestCredentials::Rdp {
                user: identity.user.clone(),
                password: identity.password.clone(),
                domain: None,
                certificate_sha256: Some(identity.rdp_certificate_sha256.clone()),
                keyboard: pool.keyboard,
                client_name: None,
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

fn no_credentials(machine: &Desktop, what: &str) -> BrokerError {
    BrokerError::conflict(
        "no_credentials",
        format!("{what} kept for {}, so nobody can be signed in there; an administrator can enter it", machine.name),
        format!("oriel machine set {} --user USER --password-file FILE", machine.name),
    )
}

/// Binds a sealed text to its row, so that rows cannot be exchanged.
fn sealing_context(id: DesktopId) -> String {
    format!("desktop:{id}")
}
