//! A session with a BMC over UDP: one question at a time, asked again where its answer was lost.

use crate::boot::{self, Boot, BootDevice, FLAGS, GET_BOOT, SET_BOOT};
use crate::chassis::{CONTROL, Chassis, Control, DeviceId, GET_CHASSIS, GET_DEVICE_ID, IDENTIFY};
use crate::crypto::Suite;
use crate::handshake::{FIRST, Handshake, OPEN, SECOND};
use crate::message::{self, APP, Command};
use crate::session::Session;
use crate::wire::{self, kind};
use crate::{Account, DATAGRAM_BYTES_MAX, IpmiError, Role};
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// How often something is said before nobody is believed to be there.
const TRIES: u32 = 3;
/// How long an answer may take; each time twice as long.
const PATIENCE: Duration = Duration::from_secs(1);
/// As that, of what is better not done twice.
const LONG_PATIENCE: Duration = Duration::from_secs(4);

const GET_CAPABILITIES: Command = Command { function: APP, number: 0x38, what: "to say how it is signed in to" };
const SET_PRIVILEGE: Command = Command { function: APP, number: 0x3b, what: "to let the account act in its role" };
const CLOSE: Command = Command { function: APP, number: 0x3c, what: "to end the session" };

/// The channel that this came over (6.3), and that IPMI v2.0's answer is wanted.
const THIS_CHANNEL: u8 = 0x8e;

/// A session. Dropped without [`Self::close`] it lives on in the BMC for a minute, which has few.
pub struct Client {
    pub(crate) socket: UdpSocket,
    pub(crate) session: Session,
    sequence: u8,
    buffer: Vec<u8>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("suite", &self.session.suite()).finish_non_exhaustive()
    }
}

fn unreachable(error: io::Error) -> IpmiError {
    IpmiError::Unreachable(error.to_string())
}

/// What comes from the BMC before this, by `take`, which answers `None` for what is another's. Nobody can make it longer.
async fn hear<T>(
    socket: &UdpSocket,
    buffer: &mut [u8],
    end: Instant,
    mut take: impl FnMut(&[u8]) -> Result<Option<T>, IpmiError>,
) -> Result<Option<T>, IpmiError> {
    while Instant::now() < end {
        let Ok(received) = timeout_at(end, socket.recv(buffer)).await else { return Ok(None) };
        let count = received.map_err(unreachable)?;
        if let Some(taken) = take(buffer.get(..count).unwrap_or_default())? {
            return Ok(Some(taken));
        }
    }
    Ok(None)
}

/// One step of a handshake: said until it is answered. `say` and `take` get the number of the try.
async fn step<T>(
    socket: &UdpSocket,
    buffer: &mut [u8],
    (asked, answered): (u8, u8),
    say: impl Fn(u8) -> Vec<u8>,
    take: impl Fn(u8, &[u8]) -> Result<Option<T>, IpmiError>,
) -> Result<T, IpmiError> {
    let mut patience = PATIENCE;
    for tag in 1..=TRIES as u8 {
        socket.send(&wire::bare(asked, &say(tag))?).await.map_err(unreachable)?;
        let heard = hear(socket, buffer, Instant::now() + patience, |bytes| {
            let Some(datagram) = wire::read(bytes) else { return Ok(None) };
            if datagram.kind != answered || datagram.session != 0 || datagram.encrypted || datagram.authenticated {
                return Ok(None);
            }
            take(tag, datagram.payload)
        });
        if let Some(heard) = heard.await? {
            return Ok(heard);
        }
        patience *= 2;
    }
    Err(IpmiError::Unreachable("no answer while signing in".to_owned()))
}

/// Whether a BMC that speaks IPMI v2.0 is there. Nobody signs in for it.
///
/// # Errors
/// Nobody answers, or it speaks nothing newer than IPMI 1.5.
pub async fn reaches(socket: &UdpSocket) -> Result<(), IpmiError> {
    greet(socket, &mut vec![0; DATAGRAM_BYTES_MAX], Role::Operator).await
}

async fn greet(socket: &UdpSocket, buffer: &mut [u8], role: Role) -> Result<(), IpmiError> {
    let request = wire::plain(&message::request(0, GET_CAPABILITIES, &[THIS_CHANNEL, role.number()])?)?;
    let mut patience = PATIENCE / 2;
    for _ in 0..TRIES {
        socket.send(&request).await.map_err(unreachable)?;
        let heard = hear(socket, buffer, Instant::now() + patience, |bytes| {
            Ok(wire::read_plain(bytes)
                .and_then(|bytes| message::answer(bytes, 0, GET_CAPABILITIES))
                .map(|(code, data)| (code, data.get(1).copied(), data.get(3).copied())))
        });
        if let Some((code, kinds, versions)) = heard.await? {
            if code != 0 {
                return Err(message::refusal(GET_CAPABILITIES, code));
            }
            let extended = kinds.is_some_and(|kinds| kinds & 0x80 != 0);
            let second = versions.is_some_and(|versions| versions & 2 != 0);
            return if extended && second { Ok(()) } else { Err(IpmiError::TooOld) };
        }
        patience *= 2;
    }
    Err(IpmiError::Unreachable("no answer".to_owned()))
}

impl Client {
    /// Signs in over a socket that is connected to the BMC: with the best cipher suite that it takes.
    ///
    /// # Errors
    /// Nobody answers, the account is not let in, or only by what proves or hides nothing.
    pub async fn open(socket: UdpSocket, account: &Account, role: Role) -> Result<Self, IpmiError> {
        account.check()?;
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        greet(&socket, &mut buffer, role).await?;
        let mut session = None;
        for suite in Suite::ALL {
            match sign_in(&socket, &mut buffer, account, suite, role).await {
                Err(IpmiError::NoSuite) => tracing::debug!(suite = suite.number(), "A BMC does not take a suite"),
                other => {
                    session = Some(other?);
                    break;
                }
            }
        }
        let session = session.ok_or(IpmiError::NoSuite)?;
        let mut client = Self { socket, session, sequence: 0, buffer };
        // A session begins as a user's (22.18).
        let granted = client.ask(SET_PRIVILEGE, &[role.number()]).await;
        // Some answer with a lower one instead of saying no.
        let is_less = |level: &u8| (1..role.number()).contains(&(level & 0x0f));
        let granted = granted.and_then(|data| match data.first() {
            Some(level) if is_less(level) => Err(IpmiError::RoleRefused(role)),
            _ => Ok(()),
        });
        match granted {
            Ok(()) => Ok(client),
            Err(error) => {
                client.close().await;
                Err(match error {
                    IpmiError::Refused { .. } | IpmiError::Lacks { .. } => IpmiError::RoleRefused(role),
                    error => error,
                })
            }
        }
    }

    /// That both sides agreed on.
    pub const fn suite(&self) -> Suite {
        self.session.suite()
    }

    pub(crate) fn next_sequence(&mut self) -> u8 {
        self.sequence = (self.sequence + 1) & 0x3f;
        self.sequence
    }

    pub(crate) async fn ask(&mut self, command: Command, data: &[u8]) -> Result<Vec<u8>, IpmiError> {
        let (code, data) = self.ask_for(command, data, PATIENCE, TRIES).await?;
        if code == 0 { Ok(data) } else { Err(message::refusal(command, code)) }
    }

    /// Completion code, and data.
    pub(crate) async fn ask_for(
        &mut self,
        command: Command,
        data: &[u8],
        mut patience: Duration,
        tries: u32,
    ) -> Result<(u8, Vec<u8>), IpmiError> {
        let sequence = self.next_sequence();
        let message = message::request(sequence, command, data)?;
        for _ in 0..tries {
            let bytes = self.session.seal(kind::MESSAGE, &message)?;
            let lost = |_| IpmiError::Lost;
            self.socket.send(&bytes).await.map_err(lost)?;
            let session = &mut self.session;
            let heard = hear(&self.socket, &mut self.buffer, Instant::now() + patience, |bytes| {
                let Some((kind::MESSAGE, payload)) = session.open(bytes) else { return Ok(None) };
                Ok(message::answer(&payload, sequence, command).map(|(code, data)| (code, data.to_vec())))
            });
            match heard.await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => patience *= 2,
                Err(IpmiError::Unreachable(_)) => return Err(IpmiError::Lost),
                Err(error) => return Err(error),
            }
        }
        Err(IpmiError::Lost)
    }

    /// # Errors
    /// As every question's: the BMC is gone, busy, or does not let the account ask.
    pub async fn device_id(&mut self) -> Result<DeviceId, IpmiError> {
        let data = self.ask(GET_DEVICE_ID, &[]).await?;
        DeviceId::read(&data).ok_or(IpmiError::Protocol("what it is is too short"))
    }

    /// # Errors
    /// As every question's.
    pub async fn chassis(&mut self) -> Result<Chassis, IpmiError> {
        let data = self.ask(GET_CHASSIS, &[]).await?;
        Chassis::read(&data).ok_or(IpmiError::Protocol("how the machine's power is is too short"))
    }

    /// Powers the machine; how it is then is asked.
    ///
    /// # Errors
    /// As every question's.
    pub async fn control(&mut self, control: Control) -> Result<(), IpmiError> {
        // Said twice where the first was lost, and no more.
        let (code, _) = self.ask_for(CONTROL, &[control.number()], LONG_PATIENCE, 2).await?;
        if code == 0 { Ok(()) } else { Err(message::refusal(CONTROL, code)) }
    }

    /// What the machine is to start from next.
    ///
    /// # Errors
    /// As every question's.
    pub async fn boot(&mut self) -> Result<Boot, IpmiError> {
        let data = self.ask(GET_BOOT, &[FLAGS, 0, 0]).await?;
        Boot::read(&data).ok_or(IpmiError::Protocol("what the machine starts from is no such answer"))
    }

    /// For one start; none: as its firmware is set.
    ///
    /// # Errors
    /// As every question's.
    pub async fn boot_once(&mut self, device: Option<BootDevice>) -> Result<(), IpmiError> {
        let efi = match self.boot().await {
            Ok(boot) => boot.efi,
            Err(IpmiError::Lost) => return Err(IpmiError::Lost),
            Err(_) => false,
        };
        let [acknowledge, flags] = boot::wishes(device, efi);
        // Not all have it.
        match self.ask(SET_BOOT, &acknowledge).await {
            Ok(_) | Err(IpmiError::Lacks { .. } | IpmiError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
        self.ask(SET_BOOT, &flags).await.map(drop)
    }

    /// Switches on the light that shows which machine it is, for so many seconds; 0 switches it off.
    ///
    /// # Errors
    /// As every question's.
    pub async fn identify(&mut self, seconds: u8) -> Result<(), IpmiError> {
        self.ask(IDENTIFY, &[seconds]).await.map(drop)
    }

    /// Ends the session: the BMC has few.
    pub async fn close(mut self) {
        let id = self.session.bmc_id.to_le_bytes();
        // What is not answered ends by itself after a minute (6.12.15).
        self.ask_for(CLOSE, &id, PATIENCE / 2, 2).await.ok();
    }
}

async fn sign_in(
    socket: &UdpSocket,
    buffer: &mut [u8],
    account: &Account,
    suite: Suite,
    role: Role,
) -> Result<Session, IpmiError> {
    let ours = Handshake::new(account, suite, role)?;
    let bmc_id =
        step(socket, buffer, OPEN, |tag| ours.open_request(tag), |tag, payload| ours.open_answer(tag, payload));
    let bmc_id = bmc_id.await?;
    let first =
        step(socket, buffer, FIRST, |tag| ours.rakp_1(tag, bmc_id), |tag, payload| ours.rakp_2(tag, bmc_id, payload));
    let met = match first.await {
        Ok(met) => met,
        Err(error) => {
            if matches!(error, IpmiError::CredentialsRefused) {
                let refusal = Handshake::rakp_3_refusal(0, bmc_id);
                socket.send(&wire::bare(kind::RAKP_3, &refusal)?).await.ok();
            }
            return Err(error);
        }
    };
    let second =
        step(socket, buffer, SECOND, |tag| ours.rakp_3(tag, &met), |tag, payload| ours.rakp_4(tag, &met, payload));
    second.await
}
