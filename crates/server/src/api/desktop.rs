//! Desktops, and being let into one.

use super::{Named, external::MachineProtocol};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    DesktopState = model::DesktopState {
        Requested, Placed, Provisioning, Starting, Ready, InUse, Stopping, Stopped, Recycling, Deleting, Failed,
        /// An external machine did not answer when it was last looked at, or the host under it does not answer to its cloud.
        Unreachable,
    }
}
mirror! {
    /// What its owner wants.
    DesktopIntent = model::DesktopIntent { Running, Stopped, Restart, Recycle, Capture, Deleted }
}
mirror! {
    /// A step of a start.
    StartStep = model::StartStep { Placing, Cloning, Booting, WaitingForRdp }
}
mirror! {
    /// What a machine runs on: hardware virtualisation, or software emulation (right, but slow).
    Accelerator = model::AcceleratorKind { Kvm, Tcg }
}

impl StartStep {
    pub const ALL: [Self; 4] = [Self::Placing, Self::Cloning, Self::Booting, Self::WaitingForRdp];
}

/// How far a step of a start is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Done,
    Now,
    Todo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepProgress {
    pub step: StartStep,
    pub state: StepState,
}

/// What to open: the desktop, its console, its shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectKind {
    Rdp,
    Vnc,
    Ssh,
}

impl ConnectKind {
    /// As JSON and the viewer's address have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rdp => "rdp",
            Self::Vnc => "vnc",
            Self::Ssh => "ssh",
        }
    }
}

impl From<ConnectKind> for model::GuestPort {
    fn from(kind: ConnectKind) -> Self {
        match kind {
            ConnectKind::Rdp => Self::Rdp,
            ConnectKind::Vnc => Self::Console,
            ConnectKind::Ssh => Self::Ssh,
        }
    }
}

impl From<model::GuestPort> for ConnectKind {
    fn from(port: model::GuestPort) -> Self {
        match port {
            model::GuestPort::Rdp => Self::Rdp,
            model::GuestPort::Console => Self::Vnc,
            model::GuestPort::Ssh => Self::Ssh,
        }
    }
}

/// What is known of the machine behind a desktop.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DesktopFacts {
    #[schema(required)]
    pub accelerator: Option<String>,
    /// Why it is not KVM, when it is not.
    #[schema(required)]
    pub accelerator_reason: Option<String>,
    #[schema(required)]
    pub ssh_host_key: Option<String>,
    #[schema(required)]
    pub rdp_certificate_sha256: Option<String>,
    #[schema(required)]
    pub started_at: Option<String>,
    /// How long the last start took until RDP answered.
    #[schema(required)]
    pub start_seconds: Option<f64>,
    pub vcpus: u32,
    pub memory_mib: u64,
    /// `name:version`.
    pub image: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Desktop {
    pub id: String,
    pub name: String,
    pub pool: Named,
    #[schema(required)]
    pub owner: Option<Named>,
    pub state: DesktopState,
    pub intent: DesktopIntent,
    /// What it speaks, for a machine that Oriel does not run: it is opened, and neither started nor stopped.
    #[schema(required)]
    pub external: Option<MachineProtocol>,
    /// A device's machine inside, by its name in Oriel: what its system can be opened as.
    #[schema(required)]
    pub inside: Option<String>,
    /// Why it failed and what to do next, when `state` is `failed` or `unreachable`; while it starts, why that takes longer.
    #[schema(required)]
    pub failure: Option<String>,
    /// What is being done right now, while it starts.
    #[schema(required)]
    pub step: Option<StartStep>,
    pub start_steps: Vec<StepProgress>,
    /// The host that holds it, once placed.
    #[schema(required)]
    pub host: Option<String>,
    pub facts: DesktopFacts,
    /// How many connections are open to it.
    pub connections: u64,
    /// The GPU unit it holds.
    #[schema(required)]
    pub gpu: Option<String>,
    /// The owner's name.
    #[schema(required)]
    pub user: Option<String>,
    pub created_at: String,
    pub changed_at: String,
    /// What it can be opened as.
    pub kinds: Vec<ConnectKind>,
    /// It is a session host: many people have a session of their own on it, and none of them its power.
    #[serde(default)]
    pub shared: bool,
    /// A session host that takes nobody new.
    #[serde(default)]
    pub draining: bool,
    /// What is in the way of opening or starting it: its pool or its host is in maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<String>,
    /// On a session host: why whoever asks cannot be signed in there, for them to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_on_problem: Option<String>,
}

/// The steps of a start as a list of what is done, what is being done, and what is to come.
pub fn start_steps(state: model::DesktopState, step: Option<model::StartStep>) -> Vec<StepProgress> {
    use model::DesktopState as S;
    let now = step.map(StartStep::from).or(match state {
        S::Requested => Some(StartStep::Placing),
        S::Placed | S::Provisioning | S::Recycling => Some(StartStep::Cloning),
        S::Starting => Some(StartStep::Booting),
        _ => None,
    });
    // A machine that runs has every step behind it, whatever was last written down.
    let running = matches!(state, S::Ready | S::InUse | S::Stopping);
    let now = if running { None } else { now };
    let at = now.and_then(|now| StartStep::ALL.iter().position(|step| *step == now));
    StartStep::ALL
        .iter()
        .enumerate()
        .map(|(index, step)| StepProgress {
            step: *step,
            state: match at {
                Some(at) if index < at => StepState::Done,
                Some(at) if index == at => StepState::Now,
                None if running => StepState::Done,
                _ => StepState::Todo,
            },
        })
        .collect()
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DesktopList {
    pub desktops: Vec<Desktop>,
}

/// A new desktop.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DesktopNew {
    /// A pool's id or name.
    pub pool: String,
    /// A person's id or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The desktop's name; the pool's name with a number when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Ask to be let in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    pub kind: ConnectKind,
    /// The connection (named by the viewer protocol's hello) to continue rather than dialling anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// A program that the desktop's pool publishes, by its id, instead of the whole desktop: by RDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// Lets the same signed-in person open one WebSocket, once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ConnectTicket {
    pub ticket: String,
    pub kind: ConnectKind,
    /// Where to open the WebSocket, on the same origin.
    pub path: String,
    pub expires_in_seconds: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_the_state() {
        let words = |state, step| start_steps(state, step).iter().map(|s| s.state).collect::<Vec<_>>();
        use StepState::{Done, Now, Todo};
        use model::{DesktopState as S, StartStep as P};
        assert_eq!(words(S::Requested, None), [Now, Todo, Todo, Todo]);
        assert_eq!(words(S::Starting, Some(P::WaitingForRdp)), [Done, Done, Done, Now]);
        assert_eq!(words(S::Ready, None), [Done; 4]);
        assert_eq!(words(S::Stopped, None), [Todo; 4]);
    }
}
