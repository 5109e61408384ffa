//! Machines that Oriel does not run: entered, changed and deleted by admins, opened by people.
//!
//! A machine is a desktop with an address. It is its owner's, or everybody's whom its pool allows. What signs people in is
//! sealed beside it and never comes out again but to the machine itself.

use crate::clock::now;
use crate::device::is_behind;
use crate::{Broker, BrokerError};
use oriel_machine::Keyboard;
use oriel_model::{
    Desktop, DesktopFacts, DesktopId, DesktopIntent, DesktopState, External, GuestPort, Hardware, Leaving,
    MachineProtocol, Name, Network, Pool, PoolHours, PoolId, PoolKind, PoolSize, RecordingPolicy, SessionPolicy, User,
    UserId,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// Longest password or passphrase, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;
/// Longest private key in bytes; one of 16384 bits has some 12 KiB.
const PRIVATE_KEY_BYTES_MAX: usize = 32 << 10;

/// Most machines on the way to a machine.
const JUMPS_MAX: usize = 4;

/// What an admin asks for.
pub struct NewExternalPool {
    pub name: Name,
    /// They are session hosts: each is for many people, who sign in as themselves.
    pub is_shared: bool,
    /// How many people come to one of them; the usual where they are no session hosts.
    pub size: PoolSize,
    pub desktops_max: u32,
    pub keyboard: String,
    pub recording: RecordingPolicy,
    pub policy: SessionPolicy,
    pub hours: PoolHours,
    pub leaving: Leaving,
}

/// What signs in on a machine.
#[derive(Clone, Default)]
pub struct MachineSecrets {
    pub password: Option<SecretString>,
    /// OpenSSH or PEM text.
    pub private_key: Option<SecretString>,
    pub passphrase: Option<SecretString>,
    /// The secret of a second factor, in base 32.
    pub totp: Option<SecretString>,
    /// Of the account on the RD Gateway, where that is not the machine's.
    pub gateway_password: Option<SecretString>,
}

/// What an admin enters. `external`'s `has_…` are set from `secrets`.
pub struct NewMachine {
    pub pool: Pool,
    pub name: Name,
    /// `None`: everybody's whom the pool allows.
    pub owner: Option<User>,
    pub external: External,
    pub secrets: MachineSecrets,
}

/// What an admin changes; `None` leaves it, `Some(None)` takes it away.
#[derive(Default)]
pub struct MachineChange {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<Option<String>>,
    pub parameters: Option<oriel_model::MachineParameters>,
    /// Another address is another machine: unless one is given with it, its identity is learnt anew.
    pub identity: Option<Option<String>>,
    pub password: Option<Option<SecretString>>,
    pub private_key: Option<Option<SecretString>>,
    pub passphrase: Option<Option<SecretString>>,
    pub totp: Option<Option<SecretString>>,
    pub gateway_password: Option<Option<SecretString>>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Kept {
    password: Option<String>,
    private_key: Option<String>,
    passphrase: Option<String>,
    totp: Option<String>,
    gateway_password: Option<String>,
}

impl MachineSecrets {
    fn check(&self) -> Result<(), String> {
        for (name, secret, most) in [
            ("password", &self.password, PASSWORD_BYTES_MAX),
            ("private_key", &self.private_key, PRIVATE_KEY_BYTES_MAX),
            ("passphrase", &self.passphrase, PASSWORD_BYTES_MAX),
            ("gateway_password", &self.gateway_password, PASSWORD_BYTES_MAX),
        ] {
            let length = secret.as_ref().map_or(1, |secret| secret.expose_secret().len());
            if !(1..=most).contains(&length) {
                return Err(format!("{name} must have 1 to {most} bytes"));
            }
        }
        if self.passphrase.is_some() && self.private_key.is_none() {
            return Err("a passphrase is for a private key, and there is none".to_owned());
        }
        if let Some(secret) = &self.totp {
            oriel_physical::check_totp(secret).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn to_json(&self) -> Result<SecretString, serde_json::Error> {
        let text = |secret: &Option<SecretString>| secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        let kept = Kept {
            password: text(&self.password),
            private_key: text(&self.private_key),
            passphrase: text(&self.passphrase),
            totp: text(&self.totp),
            gateway_password: text(&self.gateway_password),
        };
        serde_json::to_string(&kept).map(SecretString::from)
    }

    fn from_json(text: &SecretString) -> Result<Self, serde_json::Error> {
        let kept: Kept = serde_json::from_str(text.expose_secret())?;
        Ok(Self {
            password: kept.password.map(Into::into),
            private_key: kept.private_key.map(Into::into),
            passphrase: kept.passphrase.map(Into::into),
            totp: kept.totp.map(Into::into),
            gateway_password: kept.gateway_password.map(Into::into),
        })
    }
}

fn owner_of(owner: Option<&User>) -> Option<UserId> {
    owner.map(|owner| owner.id)
}

/// What a session host may be: somewhere that several people sign in at once, each as themselves.
fn check_shared(pool: &Pool, external: &External, owner: Option<UserId>) -> Result<(), BrokerError> {
    if pool.kind != PoolKind::SessionHost {
        return Ok(());
    }
    let bad = |text: String, next: &str| Err(BrokerError::invalid("bad_session_host", text, next));
    if !matches!(external.protocol, MachineProtocol::Rdp | MachineProtocol::Ssh) {
        return bad(
            format!("{} gives no sessions to several people at once", external.protocol.word()),
            "use rdp or ssh, or a pool of kind external",
        );
    }
    if owner.is_some() {
        return bad("a session host is nobody's".to_owned(), "leave the owner out, or use a pool of kind external");
    }
    let keeps = external.user.is_some() || external.has_password || external.has_private_key || external.has_totp;
    if keeps {
        return bad(
            "on a session host everybody signs in as themselves: an account that is kept for it would be everybody's"
                .to_owned(),
            "leave user, password, private_key and totp out",
        );
    }
    Ok(())
}

impl Broker {
    pub async fn create_external_pool(&self, new: NewExternalPool) -> Result<Pool, BrokerError> {
        let pool = Pool {
            id: PoolId::new(),
            name: new.name,
            kind: if new.is_shared { PoolKind::SessionHost } else { PoolKind::External },
            size: new.size,
            hours: new.hours,
            leaving: new.leaving,
            image: None,
            vcpus: 0,
            memory_mib: 0,
            disk_gib: 0,
            network: Network::User,
            desktops_max: new.desktops_max,
            keyboard: new.keyboard,
            gpu: None,
            hardware: Hardware::default(),
            recording: new.recording,
            policy: new.policy,
            cloud: None,
            personal_disk: None,
            created: now(),
        };
        self.check_pool(&pool).await?;
        self.inner.store.create_pool(&pool).await?;
        Ok(pool)
    }

    /// The machines of a pool, by name.
    pub async fn machines(&self, pool: &Pool) -> Result<Vec<Desktop>, BrokerError> {
        let mut machines = self.inner.store.desktops_in_pool(pool.id).await?;
        machines.retain(|desktop| desktop.external.is_some());
        Ok(machines)
    }

    /// By id or by name, for admins.
    pub async fn find_machine(&self, key: &str) -> Result<Desktop, BrokerError> {
        let missing = || BrokerError::missing("machine", key);
        let found = match key.parse::<DesktopId>() {
            Ok(id) => self.inner.store.desktop(id).await?,
            Err(_) => self.inner.store.desktop_by_name(&key.parse().map_err(|_| missing())?).await?,
        };
        found.filter(|desktop| desktop.external.is_some()).ok_or_else(missing)
    }

    pub async fn create_machine(&self, new: NewMachine) -> Result<Desktop, BrokerError> {
        if !new.pool.is_external() {
            return Err(BrokerError::conflict(
                "not_an_external_pool",
                format!("{} holds desktops that Oriel makes, no external machines", new.pool.name),
                "make a pool for them: oriel pool create NAME --kind external",
            ));
        }
        self.check_owner(&new.pool, new.owner.as_ref()).await?;
        let mut external = new.external;
        external.has_password = new.secrets.password.is_some();
        external.has_private_key = new.secrets.private_key.is_some();
        external.has_totp = new.secrets.totp.is_some();
        external.has_gateway_password = new.secrets.gateway_password.is_some();
        let id = DesktopId::new();
        self.place_port(id, &new.name, &mut external).await?;
        self.check_machine(&external, &new.secrets)?;
        check_shared(&new.pool, &external, owner_of(new.owner.as_ref()))?;
        let desktop = Desktop {
            id,
            name: new.name,
            pool: new.pool.id,
            owner: new.owner.as_ref().map(|owner| owner.id),
            intent: DesktopIntent::Running,
            state: DesktopState::Unreachable,
            failure: Some("it was not looked at yet".to_owned()),
            step: None,
            generation: 0,
            host: None,
            port_base: None,
            facts: DesktopFacts::default(),
            external: Some(external),
            created: now(),
            changed: now(),
        };
        self.way_to(&desktop).await?;
        let sealed = self.seal_machine(desktop.id, &new.secrets)?;
        self.inner.store.create_desktop_with(&desktop, Some(&sealed)).await?;
        self.wake_machines();
        Ok(desktop)
    }

    /// Ends what is open: it was opened by what no longer holds.
    pub async fn change_machine(&self, id: DesktopId, change: MachineChange) -> Result<Desktop, BrokerError> {
        let before = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("machine", id))?;
        let mut external = before.external.clone().ok_or_else(|| BrokerError::missing("machine", id))?;
        let mut secrets = self.machine_secrets(&before).await?;
        let moved = change.host.as_ref().is_some_and(|host| *host != external.host)
            || change.port.is_some_and(|port| port != external.port);
        if moved && external.parameters.behind.is_some() {
            return Err(BrokerError::conflict(
                "of_its_device",
                format!("{} is a port of a Switch, and is where its device is", before.name),
                "change the address of that one",
            ));
        }
        // What is pinned proves itself on any way, unless another one is to be pinned with it.
        let is_pinned = external.identity.is_some()
            && change.identity.as_ref().is_none_or(|identity| *identity == external.identity);
        // A password that is typed at another prompt is read by whoever sees the screen.
        let typed_elsewhere = external.protocol == MachineProtocol::Telnet
            && change.parameters.as_ref().is_some_and(|parameters| {
                (&parameters.user_prompt, &parameters.password_prompt)
                    != (&external.parameters.user_prompt, &external.parameters.password_prompt)
            });
        let rerouted = !is_pinned
            && change.parameters.as_ref().is_some_and(|parameters| {
                let way = |of: &oriel_model::MachineParameters| {
                    let (blob, token) = (of.preconnection_blob.clone(), of.load_balance_info.clone());
                    let gateway = of.gateway().map(|(host, port)| (host.to_owned(), port));
                    // Without TLS a SPICE server is told the password under a key that proves nothing.
                    let sealed = of.tls.unwrap_or(false);
                    (of.jump.clone(), of.repeater.clone(), of.preconnection_id, blob, token, gateway, sealed)
                };
                way(parameters) != way(&external.parameters)
            });
        let kept = secrets.password.is_some() && change.password.is_none()
            || secrets.private_key.is_some() && change.private_key.is_none()
            || secrets.totp.is_some() && change.totp.is_none();
        // Another gateway is told the password that is kept for it: its own account's, or the machine's.
        let regated = change.parameters.as_ref().is_some_and(|to| to.gateway() != external.parameters.gateway());
        // So is one that was told a password of its own, or none, and is to get the machine's.
        let of_machine = external.parameters.gateway_user.is_none();
        let told_elsewhere = change.parameters.as_ref().is_some_and(|to| match (to.gateway(), &to.gateway_user) {
            (None, _) => false,
            (Some(_), Some(_)) => regated && secrets.gateway_password.is_some() && change.gateway_password.is_none(),
            (Some(_), None) => (regated || !of_machine) && secrets.password.is_some() && change.password.is_none(),
        });
        if (moved || rerouted || typed_elsewhere) && kept || told_elsewhere {
            return Err(BrokerError::conflict(
                "credentials_of_another_address",
                format!(
                    "{} has a password, a key or a second factor that was given for another address, way or prompt",
                    before.name
                ),
                "give it again with the change, or take it away",
            ));
        }
        let resealed = change.password.is_some()
            || change.private_key.is_some()
            || change.passphrase.is_some()
            || change.totp.is_some()
            || change.gateway_password.is_some();
        let gateway_before = external.parameters.gateway_identity.clone();
        external.host = change.host.unwrap_or(external.host);
        external.port = change.port.unwrap_or(external.port);
        external.user = change.user.unwrap_or(external.user);
        external.parameters = change.parameters.unwrap_or(external.parameters);
        if regated && external.parameters.gateway_identity == gateway_before {
            // That of another one.
            external.parameters.gateway_identity = None;
        }
        external.identity = match change.identity {
            Some(identity) => identity,
            None if moved => None,
            None => external.identity,
        };
        secrets.password = change.password.unwrap_or(secrets.password);
        if let Some(key) = change.private_key {
            // Another key has another passphrase.
            (secrets.private_key, secrets.passphrase) = (key, None);
        }
        secrets.passphrase = change.passphrase.unwrap_or(secrets.passphrase);
        secrets.totp = change.totp.unwrap_or(secrets.totp);
        secrets.gateway_password = match change.gateway_password {
            Some(given) => given,
            // It goes with its account.
            None => secrets.gateway_password.filter(|_| external.parameters.gateway_user.is_some()),
        };
        external.has_password = secrets.password.is_some();
        external.has_private_key = secrets.private_key.is_some();
        external.has_totp = secrets.totp.is_some();
        external.has_gateway_password = secrets.gateway_password.is_some();
        self.place_port(id, &before.name, &mut external).await?;
        self.check_machine(&external, &secrets)?;
        check_shared(&self.pool_of(id).await?, &external, before.owner)?;
        self.way_to(&Desktop { external: Some(external.clone()), ..before.clone() }).await?;
        let sealed = self.seal_machine(id, &secrets)?;
        let after = self
            .inner
            .store
            .modify_desktop_with(id, &sealed, |row| {
                row.external = Some(external);
            })
            .await?;
        if moved {
            self.move_ports(&after).await?;
        }
        if (resealed || after.external != before.external)
            && let Some(sessions) = self.sessions()
        {
            let why = format!("an administrator changed {}", after.name);
            // And what was reached through it.
            for other in self.inner.store.desktops().await? {
                let behind = jump_of(&other).is_some()
                    && self.way_to(&other).await.is_ok_and(|way| way.iter().any(|hop| hop.id == id));
                if other.id == id || behind || is_behind(&other, &after.name) {
                    sessions.end_desktop(other.id, &why).await;
                }
            }
        }
        // Whoever looks at it looks with what holds now.
        self.inner.looks.forget(id);
        self.inner.logins.forget(id);
        self.inner.bmcs.forget(id);
        self.wake_machines();
        Ok(after)
    }

    /// Forgets the machine with what was sealed for it. The machine itself stays as it is.
    pub async fn delete_machine(&self, machine: &Desktop) -> Result<Desktop, BrokerError> {
        let all = self.inner.store.desktops().await?;
        if let Some(behind) = all.iter().find(|other| jump_of(other).as_deref() == Some(machine.name.as_str())) {
            return Err(BrokerError::conflict(
                "jump_host",
                format!("{} is the jump host on the way to {}", machine.name, behind.name),
                "give that one another way first",
            ));
        }
        if let Some(behind) = all.iter().find(|other| is_behind(other, &machine.name)) {
            return Err(BrokerError::conflict(
                "switch_device",
                format!("{} is the device with the Switch that {} is at", machine.name, behind.name),
                "remove that one first",
            ));
        }
        if let Some(sessions) = self.sessions() {
            sessions.end_desktop(machine.id, &format!("{} was removed", machine.name)).await;
        }
        self.inner.store.delete_desktop(machine.id).await?;
        self.inner.looks.forget(machine.id);
        self.inner.logins.forget(machine.id);
        self.inner.bmcs.forget(machine.id);
        self.inner.transfers.stop(machine.id);
        Ok(Desktop { intent: DesktopIntent::Deleted, state: DesktopState::Deleting, ..machine.clone() })
    }

    /// The machines on the way to a machine, in the order in which they are passed.
    pub(crate) async fn way_to(&self, machine: &Desktop) -> Result<Vec<Desktop>, BrokerError> {
        let (mut way, mut next) = (Vec::new(), jump_of(machine));
        while let Some(name) = next.take() {
            if way.len() >= JUMPS_MAX || name == machine.name.as_str() {
                return Err(BrokerError::conflict(
                    "jump_host",
                    format!(
                        "the way to {} goes round in circles, or over more than {JUMPS_MAX} machines",
                        machine.name
                    ),
                    "name another machine as jump host",
                ));
            }
            let found = match name.parse::<Name>() {
                Ok(name) => self.inner.store.desktop_by_name(&name).await?,
                Err(_) => None,
            };
            let is_ssh = |machine: &Desktop| {
                machine.external.as_ref().is_some_and(|external| external.protocol == MachineProtocol::Ssh)
            };
            let jump = found.filter(is_ssh).ok_or_else(|| {
                BrokerError::conflict(
                    "jump_host",
                    format!(
                        "{name:?}, the jump host on the way to {}, is no external machine that speaks ssh",
                        machine.name
                    ),
                    "enter it, or name another one",
                )
            })?;
            next = jump_of(&jump);
            way.push(jump);
        }
        way.reverse();
        Ok(way)
    }

    /// Keeps who a machine showed itself to be at its first connection; `hop` counts the machines on the way to it from 1, and is 0
    /// for itself. The first word stays: whoever came at the same time with another identity is refused.
    pub async fn pin_identity(&self, id: DesktopId, hop: usize, identity: &str) -> Result<(), BrokerError> {
        let machine = self.inner.store.desktop(id).await?.ok_or_else(|| BrokerError::missing("machine", id))?;
        let is_gateway = hop == 1 && machine.external.as_ref().is_some_and(|it| it.parameters.gateway().is_some());
        if is_gateway {
            return self.pin_gateway(&machine, identity).await;
        }
        let machine = match hop.checked_sub(1) {
            None => self.front_of(&machine).await?.0,
            Some(hop) => {
                let mut way = self.way_to(&machine).await?;
                if hop >= way.len() {
                    return Err(BrokerError::missing("jump host", &machine.name));
                }
                way.swap_remove(hop)
            }
        };
        let id = machine.id;
        let mut refused = None;
        let after = self
            .inner
            .store
            .modify_desktop(id, |row| {
                if let Some(external) = &mut row.external
                    && external.identity.is_none()
                {
                    let pinned = External { identity: Some(identity.to_owned()), ..external.clone() };
                    match pinned.check() {
                        Ok(()) => *external = pinned,
                        Err(error) => refused = Some(error),
                    }
                }
            })
            .await?;
        match (refused, after.external) {
            (None, Some(External { identity: Some(kept), .. })) if kept == identity => {
                tracing::info!(machine = %after.name, identity, "A machine was met for the first time, and is pinned");
                Ok(())
            }
            (None, Some(external)) => Err(BrokerError::conflict(
                "identity_changed",
                format!(
                    "{} showed two identities at the same time: {identity}, and {}, which is kept",
                    after.name,
                    external.identity.unwrap_or_default()
                ),
                format!("somebody may be in between: compare with oriel machine identity {}", after.name),
            )),
            (Some(error), _) => Err(BrokerError::internal("keeping a machine's identity", error)),
            (None, None) => Err(BrokerError::missing("machine", id)),
        }
    }

    /// As [`Self::pin_identity`], of the RD Gateway on the way to a machine.
    async fn pin_gateway(&self, machine: &Desktop, identity: &str) -> Result<(), BrokerError> {
        let mut refused = None;
        let after = self
            .inner
            .store
            .modify_desktop(machine.id, |row| {
                if let Some(external) = &mut row.external
                    && external.parameters.gateway_identity.is_none()
                {
                    let mut pinned = external.clone();
                    pinned.parameters.gateway_identity = Some(identity.to_owned());
                    match pinned.check() {
                        Ok(()) => *external = pinned,
                        Err(error) => refused = Some(error),
                    }
                }
            })
            .await?;
        if let Some(error) = refused {
            return Err(BrokerError::internal("keeping an RD Gateway's identity", error));
        }
        match after.external.and_then(|external| external.parameters.gateway_identity) {
            Some(kept) if kept == identity => {
                tracing::info!(machine = %after.name, identity, "An RD Gateway was met for the first time, and is pinned");
                Ok(())
            }
            kept => Err(BrokerError::conflict(
                "identity_changed",
                format!(
                    "the RD Gateway of {} showed two identities at the same time: {identity}, and {}, which is kept",
                    after.name,
                    kept.unwrap_or_default()
                ),
                "somebody may be in between: compare with the certificate on the gateway",
            )),
        }
    }

    /// A connection to a machine, or to the first on the way to it, as the configuration lets it be dialled.
    pub(crate) async fn dial_machine(&self, machine: &Desktop) -> Result<tokio::net::TcpStream, BrokerError> {
        let external = machine.external.as_ref().ok_or_else(|| BrokerError::missing("machine", machine.id))?;
        let seconds = external.parameters.timeout_seconds.unwrap_or(oriel_compute::external::DIAL_SECONDS);
        let (host, port) = external.dialled();
        Ok(self.outside().dial(host, port, seconds).await?)
    }

    pub(crate) async fn machine_secrets(&self, machine: &Desktop) -> Result<MachineSecrets, BrokerError> {
        let Some(sealed) = self.inner.store.secret(machine.id).await? else { return Ok(MachineSecrets::default()) };
        let text = self
            .inner
            .vault
            .open(&sealed, &sealing_context(machine.id))
            .map_err(|error| BrokerError::internal("unsealing a machine's credentials", error))?;
        MachineSecrets::from_json(&text)
            .map_err(|_| BrokerError::Internal("a machine's credentials are not what was sealed".to_owned()))
    }

    fn seal_machine(&self, id: DesktopId, secrets: &MachineSecrets) -> Result<String, BrokerError> {
        let text = secrets
            .to_json()
            .map_err(|_| BrokerError::Internal("a machine's credentials cannot be written down".to_owned()))?;
        self.inner
            .vault
            .seal(text.expose_secret(), &sealing_context(id))
            .map_err(|error| BrokerError::internal("sealing a machine's credentials", error))
    }

    fn check_machine(&self, external: &External, secrets: &MachineSecrets) -> Result<(), BrokerError> {
        let bad = |text: String| {
            BrokerError::invalid(
                "bad_machine",
                text,
                "docs/external-machines.md lists every parameter and what it takes",
            )
        };
        external.check().map_err(bad)?;
        secrets.check().map_err(bad)?;
        let bytes = secrets.password.as_ref().map_or(0, |password| password.expose_secret().len());
        if external.protocol == MachineProtocol::Ipmi && bytes > oriel_ipmi::PASSWORD_BYTES_MAX {
            return Err(bad(format!(
                "password has more than the {} bytes that IPMI has room for: set a shorter one in the BMC, and give that",
                oriel_ipmi::PASSWORD_BYTES_MAX
            )));
        }
        if let Some(Err(error)) = external.parameters.keyboard.as_deref().map(Keyboard::chosen) {
            return Err(bad(error.to_string()));
        }
        // A name is checked by what it means when it is dialled; what a jump host or a gateway dials is its own network's affair.
        let (host, port) = external.dialled();
        if external.parameters.jump.is_none()
            && let Ok(ip) = host.parse()
        {
            self.outside().check(host, std::net::SocketAddr::new(ip, port))?;
        }
        if let Some(wake) = external.parameters.wake() {
            self.outside().check(&wake.to.ip().to_string(), wake.to)?;
        }
        Ok(())
    }

    /// A machine has one door: its protocol's.
    pub(crate) fn check_door(machine: &Desktop, external: &External, port: GuestPort) -> Result<(), BrokerError> {
        let Some(door) = external.protocol.door() else { return Err(no_screen(machine, external)) };
        if door != port {
            return Err(BrokerError::conflict(
                "no_such_door",
                format!("{} speaks {} and nothing else", machine.name, external.protocol.word()),
                "open it with one of the kinds that the desktop lists",
            ));
        }
        Ok(())
    }
}

/// A BMC shows nothing over Redfish: what its machine shows is seen by what runs inside it.
pub(crate) fn no_screen(machine: &Desktop, external: &External) -> BrokerError {
    let (text, next) = match &external.parameters.inside {
        Some(inside) => ("it shows no screen", format!("open {inside}, the machine inside")),
        None => (
            "it shows no screen, and nothing inside it was entered",
            format!(
                "enter what its system speaks (rdp, vnc, spice or ssh) as a machine, and name it: oriel machine set {} --inside MACHINE",
                machine.name
            ),
        ),
    };
    BrokerError::conflict("no_screen", format!("{} is a BMC: {text}", machine.name), next)
}

fn jump_of(machine: &Desktop) -> Option<String> {
    machine.external.as_ref()?.parameters.jump.clone()
}

/// Binds a sealed text to its row, so that rows cannot be exchanged.
pub(crate) fn sealing_context(id: DesktopId) -> String {
    format!("machine:{id}")
}
