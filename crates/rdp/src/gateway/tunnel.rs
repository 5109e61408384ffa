//! From an open transport to an open channel, and what goes over it (MS-TSGU 3.3.5).

use super::channels::{self, Channels};
use super::packets::{self, Reader};
use super::websocket::{self, WebSocket};
use crate::error::ConnectError;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Tunnel,
    Authorization,
    Channel,
    Open,
    Closed,
}

/// What carries the packets.
#[derive(Debug)]
pub(super) enum Transport {
    WebSocket(WebSocket),
    Channels(Channels),
}

/// The gateway's protocol as a machine without I/O.
#[derive(Debug)]
pub(super) struct Tunnel {
    phase: Phase,
    host: String,
    port: u16,
    client_name: String,
    transport: Transport,
    /// Packets that are not whole.
    packets: Vec<u8>,
    /// What the machine behind it sent.
    plain: Vec<u8>,
    /// What is to be sent to the gateway.
    out: Vec<u8>,
}

fn broken(what: impl Into<String>) -> ConnectError {
    ConnectError::Gateway(what.into())
}

/// A gateway's reason, in words (MS-TSGU 2.2.6); some say it as a Windows error, some as an HRESULT of one.
fn refusal(code: u32, doing: &str) -> ConnectError {
    let account = |why: &str| ConnectError::GatewayRefused(why.to_owned());
    let plain = if code >> 16 == 0x8007 { code & 0xffff } else { code };
    match plain {
        5 | 0x59db => account("its policy does not let this account connect (connection authorization policy)"),
        0x59da => account("its policy does not let this account reach this machine (resource authorization policy)"),
        0x8009_030c => account("user name or password are wrong"),
        0x59f8 | 0x59f9 => account("it wants another way to sign in than a password"),
        0x59ed => account("it wants a statement of health, which Oriel has none of"),
        0x59e6 => broken("it has as many connections as it may"),
        0x59dd => broken("it does not reach the machine behind it; check the machine's name as the gateway knows it"),
        0x59e9 => broken("it wants a client with abilities that Oriel has not"),
        code => broken(format!("it refused {doing} with code {code:#x}")),
    }
}

impl Tunnel {
    /// To this machine; the first packet is to be sent at once.
    pub(super) fn new(transport: Transport, host: &str, port: u16, client_name: &str) -> Self {
        let mut tunnel = Self {
            phase: Phase::Handshake,
            host: host.to_owned(),
            port,
            client_name: client_name.to_owned(),
            transport,
            packets: Vec::new(),
            plain: Vec::new(),
            out: Vec::new(),
        };
        tunnel.put(&packets::handshake());
        tunnel
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    pub(super) fn plain(&mut self) -> &mut Vec<u8> {
        &mut self.plain
    }

    /// Bytes that wait to be sent.
    pub(super) fn out(&self) -> &[u8] {
        &self.out
    }

    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The first so many of [`Self::out`] have left.
    pub(super) fn sent(&mut self, count: usize) {
        self.out.drain(..count.min(self.out.len()));
    }

    fn put(&mut self, packet: &[u8]) {
        match &self.transport {
            Transport::WebSocket(_) => websocket::put(&mut self.out, packet),
            Transport::Channels(_) => channels::put(&mut self.out, packet),
        }
    }

    /// Bytes for the machine behind it: as many as one packet takes, whose number is returned.
    pub(super) fn send(&mut self, bytes: &[u8]) -> usize {
        let part = bytes.get(..packets::DATA_BYTES_MAX).unwrap_or(bytes);
        self.put(&packets::data(part));
        part.len()
    }

    /// Says that we are still there: what stands between cuts what is silent for too long.
    pub(super) fn keep_alive(&mut self) {
        if self.is_open() {
            self.put(&packets::keepalive());
        }
    }

    /// Nothing follows.
    pub(super) fn close(&mut self) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Closed;
            self.put(&packets::close(packets::CLOSE_CHANNEL));
            match &self.transport {
                Transport::WebSocket(_) => websocket::put_close(&mut self.out),
                Transport::Channels(_) => channels::put_close(&mut self.out),
            }
        }
    }

    /// Bytes of the gateway, in pieces of any size.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), ConnectError> {
        let received = match &mut self.transport {
            Transport::WebSocket(socket) => socket.receive(bytes, &mut self.packets, &mut self.out),
            Transport::Channels(channels) => channels.receive(bytes, &mut self.packets),
        };
        received.map_err(broken)?;
        while self.phase != Phase::Closed
            && let Some((kind, body)) = packets::next(&mut self.packets).map_err(broken)?
        {
            self.packet(kind, &body)?;
        }
        let is_closed = match &self.transport {
            Transport::WebSocket(socket) => socket.is_closed(),
            Transport::Channels(channels) => channels.is_closed(),
        };
        if is_closed {
            if !matches!(self.phase, Phase::Open | Phase::Closed) {
                return Err(broken("it ended the connection while the way was opened"));
            }
            self.phase = Phase::Closed;
        }
        Ok(())
    }

    fn packet(&mut self, kind: u16, body: &[u8]) -> Result<(), ConnectError> {
        let mut read = Reader(body);
        match (kind, self.phase) {
            (packets::HANDSHAKE_RESPONSE, Phase::Handshake) => {
                self.check(&mut read, "the handshake")?;
                self.phase = Phase::Tunnel;
                self.put(&packets::tunnel());
            }
            (packets::TUNNEL_RESPONSE, Phase::Tunnel) => {
                read.u16().map_err(broken)?;
                self.check(&mut read, "a tunnel")?;
                if let Some(message) = packets::consent(&mut read).map_err(broken)? {
                    tracing::info!(text = message, "The RD Gateway wants its message to be consented to, and it is");
                }
                self.phase = Phase::Authorization;
                let packet = packets::authorization(&self.client_name);
                self.put(&packet);
            }
            (packets::TUNNEL_AUTH_RESPONSE, Phase::Authorization) => {
                self.check(&mut read, "the account")?;
                self.phase = Phase::Channel;
                let packet = packets::channel(&self.host, self.port);
                self.put(&packet);
            }
            (packets::CHANNEL_RESPONSE, Phase::Channel) => {
                self.check(&mut read, "a channel to the machine")?;
                self.phase = Phase::Open;
            }
            (packets::DATA, Phase::Open) => self.plain.extend_from_slice(read.counted().map_err(broken)?),
            (packets::KEEPALIVE, _) => {}
            (packets::SERVICE_MESSAGE, _) => {
                let message = packets::utf16(read.counted().map_err(broken)?);
                tracing::info!(text = message, "The RD Gateway has a message");
            }
            (packets::REAUTH_MESSAGE, _) => {
                return Err(broken(
                    "it wants the account to sign in again, which needs a new connection: connect again",
                ));
            }
            (packets::CLOSE_CHANNEL, Phase::Open) => {
                let code = read.u32().unwrap_or_default();
                tracing::info!(code, "The RD Gateway closed the channel");
                self.put(&packets::close(packets::CLOSE_CHANNEL_RESPONSE));
                self.phase = Phase::Closed;
            }
            (packets::CLOSE_CHANNEL | packets::CLOSE_CHANNEL_RESPONSE, Phase::Open | Phase::Closed) => {
                self.phase = Phase::Closed;
            }
            (packets::CLOSE_CHANNEL | packets::CLOSE_CHANNEL_RESPONSE, _) => {
                return Err(refusal(read.u32().map_err(broken)?, "the way"));
            }
            (kind, phase) => return Err(broken(format!("a packet of kind {kind:#x} came out of turn ({phase:?})"))),
        }
        Ok(())
    }

    fn check(&self, read: &mut Reader<'_>, doing: &str) -> Result<(), ConnectError> {
        match read.u32().map_err(broken)? {
            0 => Ok(()),
            code => {
                tracing::info!(code, phase = ?self.phase, "The RD Gateway refuses");
                Err(refusal(code, doing))
            }
        }
    }
}
