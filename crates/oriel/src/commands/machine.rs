//! `oriel machine`: machines that Oriel does not run.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, or_dash, say, word},
};
use clap::{Args, Subcommand, ValueEnum};
use oriel_server::api::{
    external::{
        Backspace, Machine, MachineChange, MachineIdentity, MachineList, MachineNew, MachineParameters,
        MachineProtocol, RdpAuthentication, RdpSecurity,
    },
    pool::{Pool, PoolList},
};
use serde_json::{Value, json};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

/// Longest secret that is read from a file, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

#[derive(Subcommand)]
pub enum Command {
    /// List machines
    List {
        /// Of this pool (id or name); of all pools when left out
        pool: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Enter a machine
    Add {
        /// Pool of external machines: id or name
        pool: String,
        /// Its name in Oriel
        #[arg(long)]
        name: String,
        #[arg(long, value_enum)]
        protocol: Protocol,
        /// HOST or HOST:PORT; the protocol's own port when left out
        #[arg(long, value_name = "HOST[:PORT]")]
        address: String,
        /// Whose it is: a person's id or name; everybody's whom the pool allows when left out
        #[arg(long, value_name = "PERSON")]
        owner: Option<String>,
        #[command(flatten)]
        account: Account,
        #[command(flatten)]
        parameters: Box<Parameters>,
    },
    /// Show a machine
    Show {
        /// Id or name
        machine: String,
        #[command(flatten)]
        json: Json,
    },
    /// Change a machine; an empty text takes away. Parameters that are not named stay
    Set {
        /// Id or name
        machine: String,
        /// HOST or HOST:PORT
        #[arg(long, value_name = "HOST[:PORT]")]
        address: Option<String>,
        #[command(flatten)]
        account: Account,
        #[command(flatten)]
        parameters: Box<Parameters>,
    },
    /// Forget a machine; the machine itself stays as it is
    Remove {
        /// Id or name
        machine: String,
    },
    /// Ask a machine who it is, and compare that with what is kept
    Identity {
        /// Id or name
        machine: String,
        /// Keep what it shows from now on
        #[arg(long)]
        accept: bool,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Protocol {
    Rdp,
    Vnc,
    Spice,
    Ssh,
    Telnet,
    Kubernetes,
    Pikvm,
    Redfish,
    Ipmi,
}

impl From<Protocol> for MachineProtocol {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Rdp => Self::Rdp,
            Protocol::Vnc => Self::Vnc,
            Protocol::Spice => Self::Spice,
            Protocol::Ssh => Self::Ssh,
            Protocol::Telnet => Self::Telnet,
            Protocol::Kubernetes => Self::Kubernetes,
            Protocol::Pikvm => Self::Pikvm,
            Protocol::Redfish => Self::Redfish,
            Protocol::Ipmi => Self::Ipmi,
        }
    }
}

#[derive(Args)]
#[command(next_help_heading = "Signing in")]
pub struct Account {
    /// Account on the machine
    #[arg(long)]
    user: Option<String>,
    /// File with its password, or a cluster's bearer token (- for stdin); an empty file takes it away
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// SSH, Kubernetes: file with a private key (- for stdin)
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// SSH: file with the key's passphrase (- for stdin)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// PiKVM: file with the secret of its second factor, in base 32 (- for stdin); an empty file takes it away
    #[arg(long, value_name = "FILE")]
    totp_file: Option<PathBuf>,
    /// RDP: file with the password of --gateway-user (- for stdin); an empty file takes it away
    #[arg(long, value_name = "FILE")]
    gateway_password_file: Option<PathBuf>,
    /// Who it must be: SHA-256 of its certificate (RDP, VNC, SPICE, Kubernetes, PiKVM, Redfish), its public host key (SSH); kept from the first connection otherwise
    #[arg(long)]
    identity: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Security {
    Nla,
    Tls,
    /// A console of Hyper-V, on its port 2179
    Vmconnect,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Authentication {
    /// With a ticket of the account's realm, or not at all
    Kerberos,
    Ntlm,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum BackspaceKey {
    Delete,
    ControlH,
}

#[derive(Args)]
#[command(next_help_heading = "Parameters")]
pub struct Parameters {
    /// How long dialling may take
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u16>,
    /// Network card that wakes a sleeping machine, like 52:54:00:12:34:56
    #[arg(long, value_name = "MAC")]
    wake_mac: Option<String>,
    /// Where the packet for it is sent: the broadcast address of its network
    #[arg(long, value_name = "ADDRESS")]
    wake_broadcast: Option<String>,
    /// UDP port of that packet
    #[arg(long, value_name = "PORT")]
    wake_port: Option<u16>,
    /// How long the machine may take to wake up
    #[arg(long, value_name = "SECONDS")]
    wake_seconds: Option<u16>,
    /// RDP: Windows domain of the account
    #[arg(long)]
    domain: Option<String>,
    /// RDP: this security level alone; the best that both have when left out
    #[arg(long, value_enum)]
    security: Option<Security>,
    /// RDP: this one alone; when left out Kerberos first where the account's domain is one of kerberos.realms, then NTLM
    #[arg(long, value_enum)]
    authentication: Option<Authentication>,
    /// RDP: keyboard layout on the machine: us, de, us(intl); PiKVM: the one that text is typed for
    #[arg(long, value_name = "LAYOUT")]
    keyboard: Option<String>,
    /// RDP: what the machine's session list shows for Oriel
    #[arg(long, value_name = "NAME")]
    client_name: Option<String>,
    /// RDP: whether the graphics pipeline is offered
    #[arg(long, value_name = "BOOL")]
    graphics_pipeline: Option<bool>,
    /// RDP: whether the desktop's background picture is drawn
    #[arg(long, value_name = "BOOL")]
    wallpaper: Option<bool>,
    /// RDP: whether windows and controls have their theme
    #[arg(long, value_name = "BOOL")]
    theming: Option<bool>,
    /// RDP: whether text is smoothed
    #[arg(long, value_name = "BOOL")]
    font_smoothing: Option<bool>,
    /// RDP: whether a window shows its content while it is moved
    #[arg(long, value_name = "BOOL")]
    full_window_drag: Option<bool>,
    /// RDP: whether windows are composed (transparency)
    #[arg(long, value_name = "BOOL")]
    desktop_composition: Option<bool>,
    /// RDP: whether menus slide and fade
    #[arg(long, value_name = "BOOL")]
    menu_animations: Option<bool>,
    /// RDP: whether the machine's sound is heard
    #[arg(long, value_name = "BOOL")]
    sound: Option<bool>,
    /// RDP: whether the machine may hear the person's microphone, where the pool's rules allow it
    #[arg(long, value_name = "BOOL")]
    microphone: Option<bool>,
    /// RDP: the session of the machine's own screen
    #[arg(long, value_name = "BOOL")]
    admin_session: Option<bool>,
    /// RDP: a program that is run instead of the whole desktop
    #[arg(long, value_name = "COMMAND")]
    initial_program: Option<String>,
    /// RDP: the folder that the initial program starts in
    #[arg(long, value_name = "FOLDER")]
    program_folder: Option<String>,
    /// RDP: a single program instead of the whole desktop (RemoteApp): its path, or its published name as ||NAME
    #[arg(long, value_name = "PROGRAM")]
    remote_app: Option<String>,
    /// RDP: the folder that it starts in
    #[arg(long, value_name = "FOLDER")]
    remote_app_folder: Option<String>,
    /// RDP: its arguments
    #[arg(long, value_name = "ARGUMENTS", allow_hyphen_values = true)]
    remote_app_arguments: Option<String>,
    /// RDP: what is told to whom spreads connections over several machines
    #[arg(long, value_name = "TOKEN")]
    load_balance_info: Option<String>,
    /// RDP: whether the machine may redirect the connection to another one
    #[arg(long, value_name = "BOOL")]
    follow_redirection: Option<bool>,
    /// RDP: the number of what is meant among several behind one address
    #[arg(long, value_name = "NUMBER")]
    preconnection_id: Option<u32>,
    /// RDP: its name; on Hyper-V a virtual machine's GUID
    #[arg(long, value_name = "NAME")]
    preconnection_blob: Option<String>,
    /// RDP: the RD Gateway on the way; the machine's address is what that one calls it
    #[arg(long, value_name = "HOST")]
    gateway_host: Option<String>,
    /// RDP: the gateway's port; 443 when left out
    #[arg(long, value_name = "PORT")]
    gateway_port: Option<u16>,
    /// RDP: account on the gateway; the machine's when left out
    #[arg(long, value_name = "USER")]
    gateway_user: Option<String>,
    /// RDP: Windows domain of that account
    #[arg(long, value_name = "DOMAIN")]
    gateway_domain: Option<String>,
    /// RDP: SHA-256 of the gateway's certificate; kept from the first connection otherwise
    #[arg(long, value_name = "SHA256")]
    gateway_identity: Option<String>,
    /// VNC: the address leads to a repeater; what it is asked for
    #[arg(long, value_name = "HOST:PORT|ID:NUMBER")]
    repeater: Option<String>,
    /// VNC: the server may send JPEG, from 0 (smallest) to 9 (best)
    #[arg(long, value_name = "0-9")]
    jpeg_quality: Option<u8>,
    /// SPICE: whether the port is the server's TLS port
    #[arg(long, value_name = "BOOL")]
    tls: Option<bool>,
    /// SSH: the machine on the way, by its name in Oriel
    #[arg(long, value_name = "MACHINE")]
    jump: Option<String>,
    /// SSH, Kubernetes: file with the user or client certificate for the private key
    #[arg(long, value_name = "FILE")]
    certificate_file: Option<PathBuf>,
    /// SSH: whether the machine may sign in to others with the private key
    #[arg(long, value_name = "BOOL")]
    agent_forwarding: Option<bool>,
    /// SSH: the folder that people's files are seen below, from / on or in the account's home
    #[arg(long, value_name = "FOLDER")]
    sftp_root: Option<String>,
    /// SSH: LANG, where the server takes it
    #[arg(long)]
    locale: Option<String>,
    /// RDP, SSH: the session's clock, like Europe/Berlin; over SSH TZ, where the server takes it
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// SSH: run instead of the account's shell. Kubernetes: run in the container; attaches to what runs there when left out
    #[arg(long)]
    command: Option<String>,
    /// SSH, telnet: TERM
    #[arg(long, value_name = "TERM")]
    terminal_type: Option<String>,
    /// SSH, telnet, Kubernetes: what the backspace key sends
    #[arg(long, value_enum, value_name = "KEY")]
    backspace: Option<BackspaceKey>,
    /// Telnet: regular expression for the prompt for a name
    #[arg(long, value_name = "PATTERN")]
    user_prompt: Option<String>,
    /// Telnet: for the prompt for a password
    #[arg(long, value_name = "PATTERN")]
    password_prompt: Option<String>,
    /// Telnet: for what the machine says when it has let somebody in
    #[arg(long, value_name = "PATTERN")]
    success_pattern: Option<String>,
    /// Telnet: for what it says when it has not
    #[arg(long, value_name = "PATTERN")]
    failure_pattern: Option<String>,
    /// Kubernetes: default when left out
    #[arg(long)]
    namespace: Option<String>,
    /// Kubernetes: the pod
    #[arg(long)]
    pod: Option<String>,
    /// Kubernetes: the pod's default container when left out
    #[arg(long)]
    container: Option<String>,
    /// Redfish: which of the BMC's systems, by id or name, where it has several
    #[arg(long)]
    system: Option<String>,
    /// PiKVM, Redfish, IPMI: the machine inside, by its name in Oriel, where its system speaks rdp, vnc, spice or ssh as well
    #[arg(long, value_name = "MACHINE")]
    inside: Option<String>,
    /// PiKVM: the device whose Switch the machine is at, by its name in Oriel: oriel device port add
    #[arg(long, value_name = "DEVICE")]
    behind: Option<String>,
    /// PiKVM: which port of that Switch: 1.3
    #[arg(long, value_name = "PORT")]
    switch_port: Option<String>,
}

impl Parameters {
    /// What was given over what was there; an empty text takes away.
    fn over(self, before: MachineParameters) -> Result<MachineParameters, Failure> {
        let text = |given: Option<String>, before| match given {
            Some(given) => (!given.is_empty()).then_some(given),
            None => before,
        };
        let certificate = secret(self.certificate_file.as_deref())?.map(|line| line.trim().to_owned());
        Ok(MachineParameters {
            timeout_seconds: self.timeout.or(before.timeout_seconds),
            wake_mac: text(self.wake_mac, before.wake_mac),
            wake_broadcast: text(self.wake_broadcast, before.wake_broadcast),
            wake_port: self.wake_port.or(before.wake_port),
            wake_seconds: self.wake_seconds.or(before.wake_seconds),
            domain: text(self.domain, before.domain),
            security: match self.security {
                Some(Security::Nla) => Some(RdpSecurity::Nla),
                Some(Security::Tls) => Some(RdpSecurity::Tls),
                Some(Security::Vmconnect) => Some(RdpSecurity::Vmconnect),
                None => before.security,
            },
            authentication: match self.authentication {
                Some(Authentication::Kerberos) => Some(RdpAuthentication::Kerberos),
                Some(Authentication::Ntlm) => Some(RdpAuthentication::Ntlm),
                None => before.authentication,
            },
            keyboard: text(self.keyboard, before.keyboard),
            client_name: text(self.client_name, before.client_name),
            graphics_pipeline: self.graphics_pipeline.or(before.graphics_pipeline),
            wallpaper: self.wallpaper.or(before.wallpaper),
            theming: self.theming.or(before.theming),
            font_smoothing: self.font_smoothing.or(before.font_smoothing),
            full_window_drag: self.full_window_drag.or(before.full_window_drag),
            desktop_composition: self.desktop_composition.or(before.desktop_composition),
            menu_animations: self.menu_animations.or(before.menu_animations),
            sound: self.sound.or(before.sound),
            microphone: self.microphone.or(before.microphone),
            admin_session: self.admin_session.or(before.admin_session),
            initial_program: text(self.initial_program, before.initial_program),
            program_folder: text(self.program_folder, before.program_folder),
            remote_app: text(self.remote_app, before.remote_app),
            remote_app_folder: text(self.remote_app_folder, before.remote_app_folder),
            remote_app_arguments: text(self.remote_app_arguments, before.remote_app_arguments),
            load_balance_info: text(self.load_balance_info, before.load_balance_info),
            follow_redirection: self.follow_redirection.or(before.follow_redirection),
            preconnection_id: self.preconnection_id.or(before.preconnection_id),
            preconnection_blob: text(self.preconnection_blob, before.preconnection_blob),
            gateway_host: text(self.gateway_host, before.gateway_host),
            gateway_port: self.gateway_port.or(before.gateway_port),
            gateway_user: text(self.gateway_user, before.gateway_user),
            gateway_domain: text(self.gateway_domain, before.gateway_domain),
            gateway_identity: text(self.gateway_identity, before.gateway_identity),
            repeater: text(self.repeater, before.repeater),
            jpeg_quality: self.jpeg_quality.or(before.jpeg_quality),
            tls: self.tls.or(before.tls),
            jump: text(self.jump, before.jump),
            certificate: text(certificate, before.certificate),
            agent_forwarding: self.agent_forwarding.or(before.agent_forwarding),
            sftp_root: text(self.sftp_root, before.sftp_root),
            locale: text(self.locale, before.locale),
            time_zone: text(self.time_zone, before.time_zone),
            command: text(self.command, before.command),
            terminal_type: text(self.terminal_type, before.terminal_type),
            backspace: match self.backspace {
                Some(BackspaceKey::Delete) => Some(Backspace::Delete),
                Some(BackspaceKey::ControlH) => Some(Backspace::ControlH),
                None => before.backspace,
            },
            user_prompt: text(self.user_prompt, before.user_prompt),
            password_prompt: text(self.password_prompt, before.password_prompt),
            success_pattern: text(self.success_pattern, before.success_pattern),
            failure_pattern: text(self.failure_pattern, before.failure_pattern),
            namespace: text(self.namespace, before.namespace),
            pod: text(self.pod, before.pod),
            container: text(self.container, before.container),
            system: text(self.system, before.system),
            inside: text(self.inside, before.inside),
            behind: text(self.behind, before.behind),
            switch_port: text(self.switch_port, before.switch_port),
        })
    }
}

fn path(machine: &str) -> String {
    format!("/machines/{}", segment(machine))
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List { pool, json } => list(client, pool.as_deref(), json.json).await,
            Self::Add { pool, name, protocol, address, owner, account, parameters } => {
                let (host, port) = split_address(&address)?;
                let new = MachineNew {
                    name,
                    protocol: protocol.into(),
                    host,
                    port,
                    user: account.user,
                    password: secret(account.password_file.as_deref())?,
                    private_key: secret(account.private_key_file.as_deref())?,
                    passphrase: secret(account.passphrase_file.as_deref())?,
                    totp_secret: secret(account.totp_file.as_deref())?,
                    gateway_password: secret(account.gateway_password_file.as_deref())?,
                    identity: account.identity,
                    owner,
                    parameters: Some(parameters.over(MachineParameters::default())?),
                };
                let machine: Machine = client.post(&format!("/pools/{}/machines", segment(&pool)), &new).await?;
                say(format!("entered {} at {}", machine.name, address_of(&machine)));
                output::print(&machine.id)
            }
            Self::Show { machine, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&machine)).await?)
            }
            Self::Show { machine, .. } => show(&client.get(&path(&machine)).await?),
            Self::Set { machine, address, account, parameters } => {
                let (host, port) = match address {
                    Some(address) => {
                        let (host, port) = split_address(&address)?;
                        (Some(host), port)
                    }
                    None => (None, None),
                };
                let before: Machine = client.get(&path(&machine)).await?;
                let after = parameters.over(before.parameters.clone())?;
                let parameters = (after != before.parameters).then_some(after);
                let change = MachineChange {
                    host,
                    port,
                    user: account.user,
                    password: secret(account.password_file.as_deref())?,
                    private_key: secret(account.private_key_file.as_deref())?,
                    passphrase: secret(account.passphrase_file.as_deref())?,
                    totp_secret: secret(account.totp_file.as_deref())?,
                    gateway_password: secret(account.gateway_password_file.as_deref())?,
                    identity: account.identity,
                    parameters,
                };
                let machine: Machine = client.patch(&path(&machine), &change).await?;
                say(format!("changed {}; what was open to it has ended", machine.name));
                Ok(())
            }
            Self::Remove { machine } => {
                client.delete(&path(&machine)).await?;
                say(format!("{machine} is forgotten; the machine itself stays as it is"));
                Ok(())
            }
            Self::Identity { machine, accept, json } => identity(client, &machine, accept, json.json).await,
        }
    }
}

async fn list(client: &Client, pool: Option<&str>, json: bool) -> Done {
    let pools = match pool {
        Some(pool) => vec![pool.to_owned()],
        None => {
            let list: PoolList = client.get("/pools").await?;
            list.pools.into_iter().filter(Pool::is_external).map(|pool| pool.id).collect()
        }
    };
    let mut machines: Vec<Machine> = Vec::new();
    for pool in pools {
        machines.extend(client.get::<MachineList>(&format!("/pools/{}/machines", segment(&pool))).await?.machines);
    }
    if json {
        return output::print_json(&json!({ "machines": machines }));
    }
    let mut rows = Rows::new(
        ["name", "protocol", "address", "user", "state", "pool", "owner", "connections"],
        "there are no machines yet: enter one with `oriel machine add POOL --name NAME --protocol rdp --address HOST`",
    )
    .right(&[7]);
    for machine in machines {
        rows.row([
            machine.name.clone(),
            word(&machine.protocol),
            address_of(&machine),
            or_dash(machine.user.as_deref()),
            word(&machine.state),
            machine.pool.name,
            or_dash(machine.owner.map(|owner| owner.name).as_deref()),
            machine.connections.to_string(),
        ]);
    }
    rows.print()
}

pub(super) fn address_of(machine: &Machine) -> String {
    if machine.host.contains(':') {
        format!("[{}]:{}", machine.host, machine.port)
    } else {
        format!("{}:{}", machine.host, machine.port)
    }
}

fn show(machine: &Machine) -> Done {
    let mut rows = Rows::without_headings();
    let mut row = |name: &str, value: String| rows.row([name.to_owned(), value]);
    row("name", machine.name.clone());
    row("id", machine.id.clone());
    row("pool", machine.pool.name.clone());
    row("owner", or_dash(machine.owner.as_ref().map(|owner| owner.name.as_str())));
    row("protocol", word(&machine.protocol));
    row("address", address_of(machine));
    row("state", word(&machine.state));
    if let Some(failure) = &machine.failure {
        row("why", failure.clone());
    }
    row("user", or_dash(machine.user.as_deref()));
    let secrets = match (machine.has_password, machine.has_private_key) {
        (true, true) => "a password and a private key",
        (true, false) => "a password",
        (false, true) => "a private key",
        (false, false) => "-",
    };
    let factor = if machine.has_totp { ", and a second factor" } else { "" };
    let gateway = if machine.has_gateway_password { ", and a password for its gateway" } else { "" };
    row("kept, sealed", format!("{secrets}{factor}{gateway}"));
    row("identity", machine.identity.clone().unwrap_or_else(|| "kept from the first connection on".to_owned()));
    if let Ok(Value::Object(parameters)) = serde_json::to_value(&machine.parameters) {
        for (name, value) in parameters.iter().filter(|(_, value)| !value.is_null()) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            // A certificate as PEM has lines, and says nothing to who reads it.
            let text = if text.contains('\n') { "is kept".to_owned() } else { text };
            row(&name.replace('_', " "), text);
        }
    }
    row("connections", machine.connections.to_string());
    rows.print()
}

async fn identity(client: &Client, machine: &str, accept: bool, json: bool) -> Done {
    let found: MachineIdentity = client.get(&format!("{}/identity", path(machine))).await?;
    if accept && let Some(shown) = found.shown.clone().filter(|_| !found.same) {
        let change = MachineChange { identity: Some(shown), ..MachineChange::default() };
        let _: Machine = client.patch(&path(machine), &change).await?;
        say(format!("{machine} must show this from now on"));
    }
    if json {
        return output::print_json(&serde_json::to_value(&found).unwrap_or_default());
    }
    let mut rows = Rows::without_headings();
    rows.row(["kept".to_owned(), or_dash(found.pinned.as_deref())]);
    rows.row(["shown now".to_owned(), or_dash(found.shown.as_deref())]);
    rows.print()?;
    if found.same || accept {
        return Ok(());
    }
    match (&found.pinned, &found.shown) {
        (Some(_), Some(_)) => Err(Failure::new(format!("{machine} shows another identity than the one that is kept"))
            .next(format!("find out why; if it was reinstalled: oriel machine identity {machine} --accept"))),
        _ => Ok(()),
    }
}

/// `HOST`, `HOST:PORT`, `ADDRESS`, `[ADDRESS]:PORT`.
pub(super) fn split_address(text: &str) -> Result<(String, Option<u16>), Failure> {
    let wrong = || {
        Failure::usage(format!("{text:?} is no address"))
            .next("give HOST or HOST:PORT, like gate.example:3390 or [2001:db8::7]:22")
    };
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok((text.to_owned(), None));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((_, port)) if port.ends_with(']') => (text, None),
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
            (host, Some(port.parse().map_err(|_| wrong())?))
        }
        Some(_) => return Err(wrong()),
        None => (text, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() { Err(wrong()) } else { Ok((host.to_owned(), port)) }
}

/// A secret from a file, without the line's end behind it.
pub(super) fn secret(path: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let cannot = |error: &std::io::Error| Failure::because(format!("cannot read {}", path.display()), error);
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    } else {
        let file = std::fs::File::open(path).map_err(|error| cannot(&error))?;
        file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    }
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(Failure::usage(format!("{} is too long for a secret", path.display())));
    }
    // A private key needs its own last line end; it gets it back.
    let is_key = text.contains("PRIVATE KEY-----");
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(Some(if is_key { format!("{text}\n") } else { text.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::split_address;

    #[test]
    fn addresses_with_and_without_ports() {
        let split = |text| split_address(text).ok();
        let is = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(split("gate.example"), is("gate.example", None));
        assert_eq!(split("gate.example:3390"), is("gate.example", Some(3390)));
        assert_eq!(split("2001:db8::7"), is("2001:db8::7", None));
        assert_eq!(split("[2001:db8::7]"), is("2001:db8::7", None));
        assert_eq!(split("[2001:db8::7]:22"), is("2001:db8::7", Some(22)));
        for bad in ["", ":22", "gate:", "gate:x", "gate:70000", "a:b:c"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
