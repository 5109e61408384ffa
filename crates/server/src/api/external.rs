//! Machines that Oriel does not run.

use super::{Named, desktop::DesktopState};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// What a machine speaks. `telnet` is kept and cannot be opened yet.
    MachineProtocol = model::MachineProtocol { Rdp, Vnc, Ssh, Telnet }
}

/// What can be set beside address and account. One that is not the protocol's is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineParameters {
    /// How long dialling may take; 10 when left out, 40 at most.
    #[serde(default)]
    pub timeout_seconds: Option<u16>,
    /// RDP: the Windows domain of the account.
    #[serde(default)]
    pub domain: Option<String>,
    /// RDP: keyboard layout on the machine, `us`, `de`, `us(intl)`; the pool's when left out.
    #[serde(default)]
    pub keyboard: Option<String>,
    /// RDP: what the machine's session list shows for Oriel.
    #[serde(default)]
    pub client_name: Option<String>,
    /// SSH: `TERM`; `xterm-256color` when left out.
    #[serde(default)]
    pub terminal_type: Option<String>,
    /// SSH: `LANG`, where the server takes it.
    #[serde(default)]
    pub locale: Option<String>,
    /// SSH: run instead of the account's shell.
    #[serde(default)]
    pub command: Option<String>,
}

impl From<model::MachineParameters> for MachineParameters {
    fn from(parameters: model::MachineParameters) -> Self {
        let model::MachineParameters { timeout_seconds, domain, keyboard, client_name, terminal_type, locale, command } =
            parameters;
        Self { timeout_seconds, domain, keyboard, client_name, terminal_type, locale, command }
    }
}

impl From<MachineParameters> for model::MachineParameters {
    fn from(parameters: MachineParameters) -> Self {
        let MachineParameters { timeout_seconds, domain, keyboard, client_name, terminal_type, locale, command } =
            parameters;
        Self { timeout_seconds, domain, keyboard, client_name, terminal_type, locale, command }
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
    /// Who it must be: SHA-256 of its certificate (RDP), its public host key (SSH). None before the first connection.
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
    /// The protocol's own when left out: 3389, 5900, 22, 23.
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// SSH: a private key as OpenSSH or PEM text.
    #[serde(default)]
    #[schema(format = Password)]
    pub private_key: Option<String>,
    #[serde(default)]
    #[schema(format = Password)]
    pub passphrase: Option<String>,
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
    /// None where the protocol shows none (VNC, telnet).
    #[schema(required)]
    pub shown: Option<String>,
    /// Whether they are the same.
    pub same: bool,
}
