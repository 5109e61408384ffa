//! A machine's serial console, as a stream of bytes: a session of its own that carries it (15, 24.1).

use crate::client::Client;
use crate::escape::{Escape, Piece};
use crate::message::{self, APP, Command};
use crate::sol::{End, Sol};
use crate::wire::{Reader, kind};
use crate::{Account, DATAGRAM_BYTES_MAX, IpmiError, Role};
use std::fmt;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, sleep_until};

/// Silence after which the BMC is asked whether it is there; sessions that are silent for a minute end (6.12.15).
const SILENCE: Duration = Duration::from_secs(15);
/// How long that may take, and how often it is asked.
const PULSE: Duration = Duration::from_secs(3);
const PULSES_MAX: u32 = 4;
/// Read at once of what is typed.
const TYPED_BYTES: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a console that somebody has is asked for, and after what pause: they may be giving it back just now.
const TAKEN_TRIES: u32 = 4;
const TAKEN_PAUSE: Duration = Duration::from_millis(750);

const ACTIVATE: Command = Command { function: APP, number: 0x48, what: "to give its console" };
const DEACTIVATE: Command = Command { function: APP, number: 0x49, what: "to take its console back" };
/// Its completion code where somebody has it.
const TAKEN: u8 = 0x80;
/// SOL, its first instance.
const PAYLOAD: [u8; 2] = [1, 1];
/// Encrypted and with authentication codes; alerts are put off meanwhile.
const HOW: [u8; 4] = [0xc4, 0, 0, 0];

/// An open console. Dropped without [`Self::serve`] the BMC keeps it for a minute.
pub struct Console {
    client: Client,
    sol: Sol,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Console {
    /// Signs in as an administrator or, where the account is none, as an operator, and opens the console.
    ///
    /// # Errors
    /// As [`Client::open`]; the BMC has no console, or somebody else has it.
    pub async fn open(socket: UdpSocket, account: &Account) -> Result<Self, IpmiError> {
        let address = socket.peer_addr().map_err(|error| IpmiError::Unreachable(error.to_string()))?;
        let client = match Client::open(socket, account, Role::Administrator).await {
            Err(IpmiError::RoleRefused(_)) => {
                // A port of its own: late words of the first session are another's.
                let again = async {
                    let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    let socket = UdpSocket::bind(own).await?;
                    socket.connect(address).await?;
                    Ok(socket)
                };
                let socket = again.await.map_err(|error: std::io::Error| IpmiError::Unreachable(error.to_string()))?;
                Client::open(socket, account, Role::Operator).await?
            }
            other => other?,
        };
        Self::activate(client).await
    }

    async fn activate(mut client: Client) -> Result<Self, IpmiError> {
        let asked = [PAYLOAD.as_slice(), &HOW].concat();
        let mut answered = client.ask_for(ACTIVATE, &asked, PATIENCE, 3).await;
        for _ in 1..TAKEN_TRIES {
            if !matches!(answered, Ok((TAKEN, _))) {
                break;
            }
            sleep(TAKEN_PAUSE).await;
            answered = client.ask_for(ACTIVATE, &asked, PATIENCE, 3).await;
        }
        let room = match answered {
            Ok((0, data)) => room(&data).ok_or(IpmiError::Protocol("its console's sizes are too short")),
            Ok((TAKEN, _)) => Err(IpmiError::ConsoleTaken),
            Ok((code @ 0x81, _)) => Err(IpmiError::Lacks { what: "SOL is switched off in it", code }),
            Ok((0x82, _)) => Err(IpmiError::Busy("it gives no more consoles at a time")),
            Ok((code @ 0x83, _)) => Err(IpmiError::Lacks { what: "its console is not given encrypted", code }),
            Ok((code, _)) => Err(message::refusal(ACTIVATE, code)),
            Err(error) => Err(error),
        };
        match room {
            Ok(room) => Ok(Self { client, sol: Sol::new(room) }),
            Err(error) => {
                client.close().await;
                Err(error)
            }
        }
    }

    /// Carries the console until the stream ends or the BMC does; then gives it back. `Enter ~ B` in what is typed is a break on the
    /// serial line, `Enter ~ ~` a tilde.
    ///
    /// # Errors
    /// The BMC ended it, or is gone.
    pub async fn serve(mut self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), IpmiError> {
        let ended = self.carry(stream).await;
        let Self { mut client, .. } = self;
        if !matches!(ended, Err(IpmiError::Lost)) {
            let asked = [PAYLOAD.as_slice(), &[0; 4]].concat();
            client.ask_for(DEACTIVATE, &asked, PATIENCE / 2, 2).await.ok();
            client.close().await;
        }
        ended
    }

    async fn carry(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), IpmiError> {
        let Self { client, sol } = self;
        let (mut input, mut output) = tokio::io::split(stream);
        let (mut bytes, mut typed) = (vec![0; DATAGRAM_BYTES_MAX], vec![0; TYPED_BYTES]);
        let (mut escape, mut pulse_at, mut pulses) = (Escape::default(), Instant::now() + SILENCE, 0);
        let ended = |end| match end {
            End::Deactivated => IpmiError::ConsoleEnded,
            End::Silent => IpmiError::Lost,
            End::Stuck => IpmiError::Busy("its machine takes nothing of what is typed"),
        };
        loop {
            let now = Instant::now();
            while let Some(packet) = sol.next(now).map_err(ended)? {
                let packet = client.session.seal(kind::SOL, &packet)?;
                client.socket.send(&packet).await.map_err(|_| IpmiError::Lost)?;
            }
            if pulse_at <= now {
                if pulses >= PULSES_MAX {
                    return Err(IpmiError::Lost);
                }
                (pulses, pulse_at) = (pulses + 1, now + PULSE);
                let sequence = client.next_sequence();
                let question = message::request(sequence, crate::chassis::GET_DEVICE_ID, &[])?;
                let question = client.session.seal(kind::MESSAGE, &question)?;
                client.socket.send(&question).await.map_err(|_| IpmiError::Lost)?;
            }
            let wake_at = sol.wake_at().map_or(pulse_at, |at| at.min(pulse_at));
            let (has_room, front) = (sol.has_room(), sol.heard.as_slices().0);
            tokio::select! {
                received = client.socket.recv(&mut bytes) => {
                    let count = received.map_err(|_| IpmiError::Lost)?;
                    let Some((kind, payload)) = client.session.open(bytes.get(..count).unwrap_or_default()) else { continue };
                    (pulses, pulse_at) = (0, Instant::now() + SILENCE);
                    if kind == kind::SOL
                        && let Err(end) = sol.take(&payload, Instant::now())
                    {
                        // What it said last is shown, where that can be without waiting for long.
                        let rest: Vec<u8> = sol.heard.drain(..).collect();
                        tokio::time::timeout(PATIENCE, output.write_all(&rest)).await.ok();
                        return Err(ended(end));
                    }
                }
                read = input.read(&mut typed), if has_room => {
                    let Ok(count @ 1..) = read else { return Ok(()) };
                    escape.take(typed.get(..count).unwrap_or_default()).into_iter().for_each(|piece: Piece| sol.push(piece));
                }
                wrote = output.write(front), if !front.is_empty() => {
                    let Ok(count @ 1..) = wrote else { return Ok(()) };
                    sol.heard.drain(..count.min(sol.heard.len()));
                }
                () = sleep_until(wake_at) => {}
            }
        }
    }
}

/// Most bytes of a packet that the BMC takes: after what it says of the payload (24.1).
fn room(data: &[u8]) -> Option<u16> {
    let mut reader = Reader(data);
    let (_about, room) = (reader.double()?, reader.word()?);
    // Port and VLAN that follow are the session's own, whatever some write there.
    Some(room)
}
