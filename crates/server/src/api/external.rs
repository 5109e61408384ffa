//! Machines that Oriel does not run.

use super::{Named, desktop::DesktopState};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// What a machine speaks.
    MachineProtocol = model::MachineProtocol { Rdp, Vnc, Spice, Ssh, Telnet, Kubernetes, Pikvm, Redfish, Ipmi }
}

mirror! {
    /// Which security levels of RDP are offered: network level authentication, TLS without it, or what Hyper-V's consoles want.
    RdpSecurity = model::RdpSecurity { Nla, Tls, Vmconnect }
}

mirror! {
    /// How an RDP machine is signed in to: by Kerberos alone, or by NTLM alone.
    RdpAuthentication = model::RdpAuthentication { Kerberos, Ntlm }
}

mirror! {
    /// 0x7f, or 0x08.
    Backspace = model::Backspace { Delete, ControlH }
}

/// What can be set beside address and account. One that is not the protocol's is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MachineParameters {
    /// How long dialling may take; 10 when left out, 40 at most.
    pub timeout_seconds: Option<u16>,
    /// The address of the network card that wakes a sleeping machine (Wake-on-LAN), like `52:54:00:12:34:56`.
    pub wake_mac: Option<String>,
    /// Where the packet for it is sent: the broadcast address of the machine's network, which `external.allow` must have.
    pub wake_broadcast: Option<String>,
    /// The UDP port of that packet; 9 when left out.
    pub wake_port: Option<u16>,
    /// How long the machine may take to wake up; 120 when left out, 600 at most.
    pub wake_seconds: Option<u16>,
    /// RDP: the Windows domain of the account.
    pub domain: Option<String>,
    /// RDP: `nla` or `tls` alone, `vmconnect` for a console of Hyper-V; the best that both have when left out.
    pub security: Option<RdpSecurity>,
    /// RDP: `kerberos` or `ntlm` alone; when left out Kerberos first where the account's domain is a realm of the configuration
    /// (`kerberos.realms`), and NTLM where that leads nowhere.
    pub authentication: Option<RdpAuthentication>,
    /// RDP: keyboard layout on the machine, `us`, `de`, `us(intl)`; PiKVM: the one that text is typed for. The pool's when left out.
    pub keyboard: Option<String>,
    /// RDP: what the machine's session list shows for Oriel.
    pub client_name: Option<String>,
    /// RDP: whether the graphics pipeline (video, progressive pictures) is offered; it is when left out.
    pub graphics_pipeline: Option<bool>,
    /// RDP: whether the desktop's background picture is drawn; it is when left out.
    pub wallpaper: Option<bool>,
    /// RDP: whether windows and controls have their theme; they have when left out.
    pub theming: Option<bool>,
    /// RDP: whether text is smoothed; it is when left out.
    pub font_smoothing: Option<bool>,
    /// RDP: whether a window shows its content while it is moved; its frame alone when left out.
    pub full_window_drag: Option<bool>,
    /// RDP: whether windows are composed (transparency); they are not when left out.
    pub desktop_composition: Option<bool>,
    /// RDP: whether menus slide and fade; they do not when left out.
    pub menu_animations: Option<bool>,
    /// RDP: whether the machine's sound is heard; it is when left out, where the pool's rules allow it.
    pub sound: Option<bool>,
    /// RDP: whether the machine may hear the person's microphone; it may when left out, where the pool's rules allow it.
    pub microphone: Option<bool>,
    /// RDP: the session of the machine's own screen, as `mstsc /admin` opens.
    pub admin_session: Option<bool>,
    /// RDP: a program with its arguments that is run instead of the whole desktop, where the machine allows it.
    pub initial_program: Option<String>,
    /// RDP: the folder that the initial program starts in; the account's home when left out.
    pub program_folder: Option<String>,
    /// RDP: a single program instead of the whole desktop (RemoteApp): its path on the machine, or `||` and the name that it is published under. The machine shows its windows alone.
    pub remote_app: Option<String>,
    /// RDP: the folder that the RemoteApp starts in; the machine's choice when left out.
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
    /// RDP: its port; 443 when left out.
    pub gateway_port: Option<u16>,
    /// RDP: the account on it, whose password is gateway_password; the machine's account when left out.
    pub gateway_user: Option<String>,
    /// RDP: the Windows domain of that account.
    pub gateway_domain: Option<String>,
    /// RDP: who the gateway must be, SHA-256 of its certificate; kept from the first connection when left out.
    pub gateway_identity: Option<String>,
    /// VNC: the address leads to an UltraVNC repeater; what it is asked for, `host:port` or `ID:number`.
    pub repeater: Option<String>,
    /// VNC: the server may send JPEG, from 0 (smallest) to 9 (best); only lossless pictures when left out.
    pub jpeg_quality: Option<u8>,
    /// SPICE: the port is the server's TLS port.
    pub tls: Option<bool>,
    /// SSH: the machine on the way, by its name in Oriel; the address is what that one calls it.
    pub jump: Option<String>,
    /// SSH: the user certificate for the private key, the line of the file that ends in `-cert.pub`. Kubernetes: the client
    /// certificate for it and those above it, as PEM.
    pub certificate: Option<String>,
    /// SSH: the machine may sign in to others with the private key while somebody is connected.
    pub agent_forwarding: Option<bool>,
    /// SSH: the folder that people's files are seen below, from `/` on or in the account's home; that home when left out.
    pub sftp_root: Option<String>,
    /// SSH: `LANG`, where the server takes it.
    pub locale: Option<String>,
    /// RDP, SSH: the clock of the session, by its name of the IANA database (`Europe/Berlin`); over SSH `TZ`, where the server takes it.
    pub time_zone: Option<String>,
    /// SSH: run instead of the account's shell. Kubernetes: run in the container, in words as a shell separates them; what runs
    /// there already is attached to when left out.
    pub command: Option<String>,
    /// SSH, telnet: `TERM`; `xterm-256color` when left out.
    pub terminal_type: Option<String>,
    /// SSH, telnet, Kubernetes: what the backspace key sends; `delete` when left out.
    pub backspace: Option<Backspace>,
    /// Telnet: a regular expression for the prompt for a name; the usual ones when left out.
    pub user_prompt: Option<String>,
    /// Telnet: for the prompt for a password.
    pub password_prompt: Option<String>,
    /// Telnet: for what the machine says when it has let somebody in.
    pub success_pattern: Option<String>,
    /// Telnet: for what it says when it has not.
    pub failure_pattern: Option<String>,
    /// Kubernetes: `default` when left out.
    pub namespace: Option<String>,
    /// Kubernetes: the pod, always named.
    pub pod: Option<String>,
    /// Kubernetes: the pod's default container when left out.
    pub container: Option<String>,
    /// Redfish: which of the BMC's systems, by id or name, where it has several.
    pub system: Option<String>,
    /// PiKVM, Redfish, IPMI: the machine inside, by its name in Oriel: where its system also speaks something that people can open.
    pub inside: Option<String>,
    /// PiKVM: the device whose Switch the machine is at, by its name in Oriel. Address, account and certificate are that device's: `host` is not read, and the rest left out.
    pub behind: Option<String>,
    /// PiKVM: which port of that Switch: `1.3` is the third of the first unit.
    pub switch_port: Option<String>,
}

impl From<model::MachineParameters> for MachineParameters {
    fn from(given: model::MachineParameters) -> Self {
        Self {
            timeout_seconds: given.timeout_seconds,
            wake_mac: given.wake_mac,
            wake_broadcast: given.wake_broadcast,
            wake_port: given.wake_port,
            wake_seconds: given.wake_seconds,
            domain: given.domain,
            security: given.security.map(Into::into),
            authentication: given.authentication.map(Into::into),
            keyboard: given.keyboard,
            client_name: given.client_name,
            graphics_pipeline: given.graphics_pipeline,
            wallpaper: given.wallpaper,
            theming: given.theming,
            font_smoothing: given.font_smoothing,
            full_window_drag: given.full_window_drag,
            desktop_composition: given.desktop_composition,
            menu_animations: given.menu_animations,
            sound: given.sound,
            microphone: given.microphone,
            admin_session: given.admin_session,
            initial_program: given.initial_program,
            program_folder: given.program_folder,
            remote_app: given.remote_app,
            remote_app_folder: given.remote_app_folder,
            remote_app_arguments: given.remote_app_arguments,
            load_balance_info: given.load_balance_info,
            follow_redirection: given.follow_redirection,
            preconnection_id: given.preconnection_id,
            preconnection_blob: given.preconnection_blob,
            gateway_host: given.gateway_host,
            gateway_port: given.gateway_port,
            gateway_user: given.gateway_user,
            gateway_domain: given.gateway_domain,
            gateway_identity: given.gateway_identity,
            repeater: given.repeater,
            jpeg_quality: given.jpeg_quality,
            tls: given.tls,
            jump: given.jump,
            certificate: given.certificate,
            agent_forwarding: given.agent_forwarding,
            sftp_root: given.sftp_root,
            locale: given.locale,
            time_zone: given.time_zone,
            command: given.command,
            terminal_type: given.terminal_type,
            backspace: given.backspace.map(Into::into),
            user_prompt: given.user_prompt,
            password_prompt: given.password_prompt,
            success_pattern: given.success_pattern,
            failure_pattern: given.failure_pattern,
            namespace: given.namespace,
            pod: given.pod,
            container: given.container,
            system: given.system,
            inside: given.inside,
            behind: given.behind,
            switch_port: given.switch_port,
        }
    }
}

impl From<MachineParameters> for model::MachineParameters {
    fn from(given: MachineParameters) -> Self {
        Self {
            timeout_seconds: given.timeout_seconds,
            wake_mac: given.wake_mac,
            wake_broadcast: given.wake_broadcast,
            wake_port: given.wake_port,
            wake_seconds: given.wake_seconds,
            domain: given.domain,
            security: given.security.map(Into::into),
            authentication: given.authentication.map(Into::into),
            keyboard: given.keyboard,
            client_name: given.client_name,
            graphics_pipeline: given.graphics_pipeline,
            wallpaper: given.wallpaper,
            theming: given.theming,
            font_smoothing: given.font_smoothing,
            full_window_drag: given.full_window_drag,
            desktop_composition: given.desktop_composition,
            menu_animations: given.menu_animations,
            sound: given.sound,
            microphone: given.microphone,
            admin_session: given.admin_session,
            initial_program: given.initial_program,
            program_folder: given.program_folder,
            remote_app: given.remote_app,
            remote_app_folder: given.remote_app_folder,
            remote_app_arguments: given.remote_app_arguments,
            load_balance_info: given.load_balance_info,
            follow_redirection: given.follow_redirection,
            preconnection_id: given.preconnection_id,
            preconnection_blob: given.preconnection_blob,
            gateway_host: given.gateway_host,
            gateway_port: given.gateway_port,
            gateway_user: given.gateway_user,
            gateway_domain: given.gateway_domain,
            gateway_identity: given.gateway_identity,
            repeater: given.repeater,
            jpeg_quality: given.jpeg_quality,
            tls: given.tls,
            jump: given.jump,
            certificate: given.certificate,
            agent_forwarding: given.agent_forwarding,
            sftp_root: given.sftp_root,
            locale: given.locale,
            time_zone: given.time_zone,
            command: given.command,
            terminal_type: given.terminal_type,
            backspace: given.backspace.map(Into::into),
            user_prompt: given.user_prompt,
            password_prompt: given.password_prompt,
            success_pattern: given.success_pattern,
            failure_pattern: given.failure_pattern,
            namespace: given.namespace,
            pod: given.pod,
            container: given.container,
            system: given.system,
            inside: given.inside,
            behind: given.behind,
            switch_port: given.switch_port,
        }
    }
}

/// A machine by its address. Its id is also that of the desktop that people open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Machine {
    pub id: String,
    pub name: String,
    pub pool: Named,
    /// Whose it is; everybody's whom the pool allows when it has none.
    #[schema(required)]
    pub owner: Option<Named>,
    pub protocol: MachineProtocol,
    /// An address, or a name that is resolved each time.
    pub host: String,
    pub port: u16,
    /// The account on the machine.
    #[schema(required)]
    pub user: Option<String>,
    pub has_password: bool,
    pub has_private_key: bool,
    /// PiKVM: the secret of its second factor is kept.
    pub has_totp: bool,
    /// RDP: the password of the account on its RD Gateway is kept.
    pub has_gateway_password: bool,
    /// Who it must be: SHA-256 of its certificate or key (RDP, VNC, SPICE, Kubernetes, PiKVM, Redfish), its public host key (SSH). None before the first connection.
    #[schema(required)]
    pub identity: Option<String>,
    pub parameters: MachineParameters,
    /// `ready`, `in_use` or `unreachable`.
    pub state: DesktopState,
    /// Why it is not reachable.
    #[schema(required)]
    pub failure: Option<String>,
    /// How many connections are open to it.
    pub connections: u64,
    pub created_at: String,
    pub changed_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MachineList {
    pub machines: Vec<Machine>,
}

/// A new machine. Secrets go in and never come out.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineNew {
    pub name: String,
    pub protocol: MachineProtocol,
    pub host: String,
    /// The protocol's own when left out: 3389, 5900, 5900, 22, 23, 6443, 443, 443.
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub user: Option<String>,
    /// Kubernetes: a bearer token.
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// SSH: a private key as OpenSSH or PEM text. Kubernetes: as PEM.
    #[serde(default)]
    #[schema(format = Password)]
    pub private_key: Option<String>,
    #[serde(default)]
    #[schema(format = Password)]
    pub passphrase: Option<String>,
    /// PiKVM: the secret of its second factor, in base 32.
    #[serde(default)]
    #[schema(format = Password)]
    pub totp_secret: Option<String>,
    /// RDP: the password of gateway_user.
    #[serde(default)]
    #[schema(format = Password)]
    pub gateway_password: Option<String>,
    /// Who it must be; kept from the first connection when left out.
    #[serde(default)]
    pub identity: Option<String>,
    /// A person's id or name; everybody whom the pool allows when left out.
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub parameters: Option<MachineParameters>,
}

/// What to change; what is left out stays, an empty text takes away.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineChange {
    /// Another address is another machine: its identity is learnt anew unless one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Takes the passphrase of the key before it along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pub private_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pub passphrase: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pub totp_secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    pub gateway_password: Option<String>,
    /// Accepts a new identity; an empty text forgets it, so that the next connection keeps what it meets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// All of them: what is left out inside is unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<MachineParameters>,
}

/// Who the machine must be, and who it says it is right now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MachineIdentity {
    #[schema(required)]
    pub pinned: Option<String>,
    /// None where the machine shows none: telnet, SPICE without TLS, and VNC without TLS and RSA-AES.
    #[schema(required)]
    pub shown: Option<String>,
    /// Whether they are the same.
    pub same: bool,
}
