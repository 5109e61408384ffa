//! How the gateway gets into a desktop's guest.

use crate::external::no_screen;
use crate::{Broker, BrokerError};
use oriel_compute::{ScreenProtocol, Stream};
use oriel_machine::GuestIdentity;
use oriel_model::{
    AppId, AppRun, Desktop, DesktopId, External, GuestPort, MachineParameters, MachineProtocol, RdpAuthentication,
    RdpSecurity, SwitchPort, UserId,
};
use secrecy::{ExposeSecret, SecretString};

/// Whose account is said where a machine is only asked who it is.
const NOBODY: &str = "nobody";
/// What an RD Gateway listens on unless it is said.
const HTTPS_PORT: u16 = 443;

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
        /// The session may have a drive.
        drive: bool,
        /// The stream leads to this RD Gateway.
        gateway: Option<GuestGateway>,
        /// With Kerberos; with NTLM where there is none.
        kerberos: Option<Box<GuestKerberos>>,
    },
    /// The machine's own display, by its host.
    Console(ScreenProtocol),
    Vnc {
        account: GuestAccount,
        identity: Option<String>,
        parameters: MachineParameters,
    },
    Spice {
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
    /// The stream leads to the machine's serial console, as [`oriel_model::serial`] says.
    Serial {
        parameters: MachineParameters,
    },
    Pikvm {
        account: GuestAccount,
        identity: Option<String>,
        /// What the device is called in requests: its address, with the port where that is not HTTPS's own.
        host: String,
        /// XKB name of the layout that text is typed for.
        keyboard: String,
        /// The port of its Switch that the machine is at.
        port: Option<SwitchPort>,
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

/// An account of a realm, and the machine as a service in it.
pub struct GuestKerberos {
    /// In capitals.
    pub realm: String,
    pub user: String,
    pub host: String,
    /// NTLM may be used where Kerberos cannot.
    pub or_ntlm: bool,
}

/// An RD Gateway on the way.
pub struct GuestGateway {
    /// What it is called in requests: its address, with the port where that is not HTTPS's own.
    pub name: String,
    pub user: Option<String>,
    pub password: Option<SecretString>,
    pub domain: Option<String>,
    /// SHA-256 of its certificate.
    pub identity: Option<String>,
    /// Where it leads, in its words.
    pub to_host: String,
    pub to_port: u16,
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
    ///
    /// On a session host it is the person's own account: on one of Oriel's own with the password of their stay, elsewhere the machine asks for
    /// it itself; for nobody it is nobody's. With
    /// `app`, an RDP session is that program and no desktop.
    pub async fn guest_access(
        &self,
        person: Option<UserId>,
        id: DesktopId,
        port: GuestPort,
        app: Option<AppId>,
    ) -> Result<GuestAccess, BrokerError> {
        let desktop = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("desktop", id))?;
        let run = self.run_of(&desktop, app).await?;
        let shared = self.shared_account(person, &desktop, port).await?;
        if let Some(external) = &desktop.external {
            let mut access = self.machine_access(&desktop, external, port, (None, shared)).await?;
            run_instead(&mut access.credentials, run);
            return Ok(access);
        }
        let (stream, mut credentials) = match (port, shared) {
            (GuestPort::Console, _) => {
                let (stream, spoken) = self.host_of(&desktop).await?.dial_screen(&desktop).await?;
                (stream, GuestCredentials::Console(spoken))
            }
            (GuestPort::Rdp, Some(account)) => {
                let credentials = self.shared_credentials(&desktop, account).await?;
                (self.host_of(&desktop).await?.dial(&desktop, port).await?, credentials)
            }
            (GuestPort::Rdp | GuestPort::Ssh, _) => {
                let credentials = self.credentials(&desktop, port).await?;
                (self.host_of(&desktop).await?.dial(&desktop, port).await?, credentials)
            }
        };
        run_instead(&mut credentials, run);
        Ok(GuestAccess { name: desktop.name.to_string(), stream, credentials })
    }

    async fn machine_access(
        &self,
        machine: &Desktop,
        external: &External,
        port: GuestPort,
        (redirected, shared): (Option<&str>, Option<GuestAccount>),
    ) -> Result<GuestAccess, BrokerError> {
        Self::check_door(machine, external, port)?;
        if external.protocol == MachineProtocol::Ipmi {
            return Ok(GuestAccess {
                name: machine.name.to_string(),
                stream: self.bmc_console(machine)?,
                credentials: GuestCredentials::Serial { parameters: external.parameters.clone() },
            });
        }
        let way = self.way_to(machine).await?;
        // A port of a Switch is met and signed in to as its device is.
        let (front, switch_port) = self.front_of(machine).await?;
        let of_front = front.external.as_ref().unwrap_or(external);
        let (identity, mut parameters) = (of_front.identity.clone(), external.parameters.clone());
        let account = match shared {
            Some(account) => {
                if external.protocol == MachineProtocol::Rdp {
                    asked_by_machine(&mut parameters);
                }
                account
            }
            None => self.machine_account(&front, of_front).await?,
        };
        let credentials = match external.protocol {
            MachineProtocol::Rdp => GuestCredentials::Rdp {
                kerberos: self
                    .kerberos_of(machine, &parameters, &account, redirected.unwrap_or(&external.host))?
                    .map(Box::new),
                account,
                certificate_sha256: identity,
                keyboard: self.keyboard_of(machine, &parameters).await?,
                gateway: self.gateway_to(machine, external, redirected).await?,
                parameters,
                drive: true,
            },
            MachineProtocol::Vnc => GuestCredentials::Vnc { account, identity, parameters },
            MachineProtocol::Spice => GuestCredentials::Spice { account, identity, parameters },
            MachineProtocol::Telnet => GuestCredentials::Telnet { account, parameters },
            MachineProtocol::Kubernetes => GuestCredentials::Kubernetes { account, identity, parameters },
            MachineProtocol::Pikvm => GuestCredentials::Pikvm {
                account,
                identity,
                host: authority(of_front),
                keyboard: self.keyboard_of(machine, &parameters).await?,
                port: switch_port,
            },
            MachineProtocol::Redfish | MachineProtocol::Ipmi => return Err(no_screen(machine, external)),
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
        let first = way.first().unwrap_or(&front);
        let stream = match redirected {
            // As what the machine itself is held to: a name or an address, and what the configuration lets be dialled.
            Some(host) => {
                oriel_model::check_host(host).map_err(|error| {
                    BrokerError::conflict("bad_redirection", error, format!("oriel machine show {}", machine.name))
                })?;
                if external.parameters.gateway().is_some() {
                    // It leads there, too.
                    self.dial_machine(first).await
                } else {
                    let seconds = external.parameters.timeout_seconds.unwrap_or(oriel_compute::external::DIAL_SECONDS);
                    self.outside().dial(host, external.port, seconds).await.map_err(BrokerError::from)
                }
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
        (person, app): (Option<UserId>, Option<AppId>),
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
        let run = self.run_of(&desktop, app).await?;
        let shared = self.shared_account(person, &desktop, port).await?;
        let mut access = self.machine_access(&desktop, external, port, (Some(host), shared)).await?;
        run_instead(&mut access.credentials, run);
        Ok(access)
    }

    /// The account of a person on a session host, which is called as they are; none elsewhere.
    async fn shared_account(
        &self,
        person: Option<UserId>,
        desktop: &Desktop,
        port: GuestPort,
    ) -> Result<Option<GuestAccount>, BrokerError> {
        if desktop.owner.is_some() || !self.is_session_host(desktop.pool).await? {
            return Ok(None);
        }
        // Who nobody is asks only what the machine says of itself.
        let Some(person) = person else {
            return match &desktop.external {
                Some(_) => Ok(Some(GuestAccount { user: Some(NOBODY.to_owned()), ..GuestAccount::default() })),
                None => Err(BrokerError::missing("desktop", &desktop.name)),
            };
        };
        let user = self.inner.store.user(person).await?.ok_or_else(|| BrokerError::missing("user", person))?;
        self.check_host_door(&user, desktop, port).await?;
        if desktop.external.is_none()
            && port == GuestPort::Rdp
            && let Some(account) = self.sign_on(&user, desktop).await?
        {
            return Ok(Some(account));
        }
        Ok(Some(GuestAccount { user: Some(user.name), ..GuestAccount::default() }))
    }

    async fn shared_credentials(&self, host: &Desktop, account: GuestAccount) -> Result<GuestCredentials, BrokerError> {
        let identity = self.guest_identity(host).await?;
        let mut parameters = MachineParameters::default();
        if account.password.is_none() {
            asked_by_machine(&mut parameters);
        }
        Ok(GuestCredentials::Rdp {
            account,
            certificate_sha256: Some(identity.rdp_certificate_sha256.clone()),
            keyboard: self.find_pool(&host.pool.to_string()).await?.keyboard,
            parameters,
            drive: true,
            gateway: None,
            kerberos: None,
        })
    }

    /// What a session runs instead of the desktop.
    ///
    /// Errors: `Missing` app; one of another pool is as missing.
    async fn run_of(&self, desktop: &Desktop, app: Option<AppId>) -> Result<Option<AppRun>, BrokerError> {
        let Some(id) = app else { return Ok(None) };
        let found = self.inner.store.app(id).await?.filter(|app| app.pool == desktop.pool);
        Ok(Some(found.ok_or_else(|| BrokerError::missing("app", id))?.run))
    }

    /// The gateway on the way to a machine, or to where that redirects a connection.
    async fn gateway_to(
        &self,
        machine: &Desktop,
        external: &External,
        redirected: Option<&str>,
    ) -> Result<Option<GuestGateway>, BrokerError> {
        let parameters = &external.parameters;
        let Some((host, port)) = parameters.gateway() else { return Ok(None) };
        let secrets = self.machine_secrets(machine).await?;
        let (user, password, domain) = match &parameters.gateway_user {
            Some(user) => (Some(user.clone()), secrets.gateway_password, parameters.gateway_domain.clone()),
            None => (external.user.clone(), secrets.password, parameters.domain.clone()),
        };
        Ok(Some(GuestGateway {
            name: named(host, port, HTTPS_PORT),
            user,
            password,
            domain,
            identity: parameters.gateway_identity.clone(),
            to_host: redirected.unwrap_or(&external.host).to_owned(),
            to_port: external.port,
        }))
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
                drive: true,
                gateway: None,
                kerberos: None,
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

/// No password is known here: without network level authentication the machine asks for it on its own screen.
fn asked_by_machine(parameters: &mut MachineParameters) {
    // Where Kerberos alone is allowed, no screen of a machine that shows no ticket is asked for it.
    if parameters.authentication != Some(RdpAuthentication::Kerberos) {
        parameters.security = parameters.security.or(Some(RdpSecurity::Tls));
    }
}

fn run_instead(credentials: &mut GuestCredentials, run: Option<AppRun>) {
    if let (GuestCredentials::Rdp { parameters, .. }, Some(run)) = (credentials, run) {
        *parameters = run.over(std::mem::take(parameters));
    }
}

/// Binds a sealed text to its row, so that rows cannot be exchanged.
pub(crate) fn sealing_context(id: DesktopId) -> String {
    format!("desktop:{id}")
}

/// A machine as requests of HTTP name it.
pub(crate) fn authority(external: &External) -> String {
    named(&external.host, external.port, external.protocol.port())
}

/// `usual`: the port that is not said.
fn named(host: &str, port: u16, usual: u16) -> String {
    let host = match host.parse::<std::net::Ipv6Addr>() {
        Ok(ip) => format!("[{ip}]"),
        Err(_) => host.to_owned(),
    };
    if port == usual { host } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_asks_by_itself_unless_kerberos_alone_is_allowed() {
        for (authentication, security) in [(None, Some(RdpSecurity::Tls)), (Some(RdpAuthentication::Kerberos), None)] {
            let mut parameters = MachineParameters { authentication, ..MachineParameters::default() };
            asked_by_machine(&mut parameters);
            assert_eq!(parameters.security, security);
        }
    }
}
