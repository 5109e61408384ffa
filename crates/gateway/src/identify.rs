//! Who a machine says it is right now, to be compared with who it must be.

use crate::command::Bye;
use crate::connect::{Door, Task, dial, physical_bye, rdp_bye, spice_bye, terminal_bye, too_late, vnc_bye};
use crate::registry::Counters;
use crate::target::{DialError, Protocol, ShellTarget, Target};
use crate::{CONNECT_TIME_MAX, Gateway, worker};
use oriel_model::{ConnectionId, DesktopId, GuestPort, UserId};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::timeout;

impl Gateway {
    /// What the machine shows, asked before anything is told to it: a [`Fingerprint`](crate::Fingerprint) as text, an OpenSSH public
    /// key, or nothing where machines show nothing. No account and no password is sent, but to jump hosts and RD Gateways.
    ///
    /// # Errors
    /// The machine does not answer in its protocol.
    pub async fn identify(&self, desktop: DesktopId, port: GuestPort) -> Result<Option<String>, DialError> {
        let dialler = self.dialler();
        let asked = match self.workers() {
            Some(program) => {
                let (_, commands) = mpsc::channel(1);
                let counters = Arc::new(Counters::default());
                // Nobody watches, and nothing is recorded.
                let user = UserId::new();
                let task = Task {
                    id: ConnectionId::new(),
                    user,
                    desktop,
                    port,
                    recordings: None,
                    commands,
                    dialler,
                    counters,
                    rules: Arc::default(),
                    drive: Arc::default(),
                };
                worker::identify(task, program).await
            }
            None => ask(&Door { dialler, desktop, port }).await,
        };
        asked.map_err(|bye| DialError { code: bye.code, text: bye.text })
    }
}

pub(crate) async fn ask(door: &Door) -> Result<Option<String>, Bye> {
    let asking = async {
        let Target { stream, protocol, .. } = dial(&*door.dialler, door.desktop, door.port).await?;
        match protocol {
            Protocol::Rdp(rdp) => {
                let gateway = rdp.gateway.map(|gateway| door.through(gateway));
                oriel_rdp::identity(stream, rdp.security, rdp.session, gateway, Some(door.keeper()))
                    .await
                    .map(|seen| Some(seen.to_string()))
                    .map_err(rdp_bye)
            }
            Protocol::Vnc(options) => {
                let seen = oriel_vnc::identity(stream, &options).await;
                seen.map(|seen| seen.map(|seen| seen.to_string())).map_err(vnc_bye)
            }
            Protocol::Spice(options) => {
                let seen = oriel_spice::identity(stream, &options).await;
                seen.map(|seen| seen.map(|seen| seen.to_string())).map_err(|error| spice_bye(&error))
            }
            Protocol::Physical(_) => {
                let seen = oriel_physical::identity(stream).await;
                seen.map(|seen| Some(seen.to_string())).map_err(|error| physical_bye(&error))
            }
            Protocol::Shell(shell) => match *shell {
                ShellTarget::Ssh { mut ssh, .. } => {
                    ssh.keeper = Some(door.keeper());
                    let seen = oriel_terminal::Connection::look(stream, &ssh).await;
                    seen.map(|seen| Some(seen.openssh)).map_err(|error| terminal_bye(&error))
                }
                ShellTarget::Telnet(_) | ShellTarget::Serial { .. } => Ok(None),
                ShellTarget::Kubernetes(_) => {
                    let seen = oriel_terminal::kubernetes::look(stream).await;
                    seen.map(|seen| Some(seen.to_string())).map_err(|error| terminal_bye(&error))
                }
            },
        }
    };
    timeout(CONNECT_TIME_MAX, asking).await.unwrap_or_else(|_| Err(too_late()))
}
