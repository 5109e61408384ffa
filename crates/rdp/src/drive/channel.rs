//! The static channel `rdpdr`: how client and server meet (MS-RDPEFS 1.3.1), and what is announced.

use super::folder::MachineSide;
use super::irps::Irps;
use super::wire::{self, IoRequest, Reader, utf16};
use super::{DRIVE_LABEL, Drive, status};
use crate::static_channel;
use ironrdp_core::impl_as_any;
use ironrdp_pdu::PduResult;
use ironrdp_pdu::gcc::ChannelName;
use ironrdp_svc::{ChannelFlags, CompressionCondition, SvcClientProcessor, SvcMessage, SvcProcessor};

/// Version 1.12 (2.2.2.2).
const VERSION: (u16, u16) = (1, 12);
/// The drive's number among the devices.
const DRIVE: u32 = 1;
const DEVICE_TYPE_FILESYSTEM: u32 = 8;
const CAPABILITY_GENERAL: u16 = 1;
const CAPABILITY_DRIVE: u16 = 4;
/// Of extendedPDU: devices can be removed, clients have a name, and the server says when somebody has logged on (2.2.2.7.1).
const EXTENDED_PDUS: u32 = 1 | 2 | 4;
const USER_LOGGED_ON_PDU: u32 = 4;

/// Our side of the channel.
#[derive(Debug)]
pub(crate) struct Rdpdr {
    name: String,
    drive: Drive,
    irps: Irps,
    /// The server has taken us for its client.
    confirmed: bool,
    /// Somebody has logged on, or the server never says so.
    logged_on: bool,
    announced: bool,
}

impl_as_any!(Rdpdr);

impl Rdpdr {
    /// `name`: what the machine calls us. `writable`: the machine may change what is on the drive.
    pub(crate) fn new(name: &str, drive: Drive, writable: bool) -> Self {
        // Whatever the sign-in before came to.
        drive.lock().machine = MachineSide::Unknown;
        let irps = Irps::new(drive.clone(), writable);
        Self { name: name.to_owned(), drive, irps, confirmed: false, logged_on: false, announced: false }
    }

    /// Answers to one message. What makes no sense is passed over.
    pub(crate) fn take(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        if self.read(&mut Reader(message), &mut out).is_none() {
            tracing::debug!(bytes = message.len(), "Message about devices makes no sense, passed over");
        }
        out.extend(self.irps.changes());
        out
    }

    /// What the machine waits to hear of changes that the person made.
    pub(crate) fn changes(&mut self) -> Vec<Vec<u8>> {
        self.irps.changes()
    }

    /// An answer to a read, when there is room for its bytes.
    pub(crate) fn next_read(&mut self) -> Option<Vec<u8>> {
        self.irps.next_read()
    }

    fn read(&mut self, message: &mut Reader<'_>, out: &mut Vec<Vec<u8>>) -> Option<()> {
        if message.u16()? != wire::CORE {
            // Printers have a component of their own.
            return Some(());
        }
        match message.u16()? {
            wire::SERVER_ANNOUNCE => {
                message.skip(4)?;
                let client = message.u32()?;
                // Also when a session is taken over: everything begins anew.
                (self.confirmed, self.logged_on, self.announced) = (false, false, false);
                self.irps.reset();
                self.drive.lock().machine = MachineSide::Unknown;
                let (major, minor) = VERSION;
                out.push(wire::message(wire::CLIENT_ID_CONFIRM).u16(major).u16(minor).u32(client).0);
                let mut name = utf16(&self.name);
                name.extend([0, 0]);
                out.push(wire::message(wire::CLIENT_NAME).u32(1).u32(0).sized(&name).0);
            }
            wire::SERVER_CAPABILITY => {
                if !Self::says_who_logged_on(message)? {
                    self.logged_on = true;
                }
                out.push(capabilities());
                self.announce(out);
            }
            wire::CLIENT_ID_CONFIRM => {
                self.confirmed = true;
                self.announce(out);
            }
            wire::USER_LOGGED_ON => {
                self.logged_on = true;
                self.announce(out);
            }
            wire::DEVICE_REPLY => {
                let (device, result) = (message.u32()?, message.u32()?);
                tracing::debug!(device, result, "Machine has answered to a device");
                if device == DRIVE {
                    let refused = result != status::SUCCESS;
                    self.drive.lock().machine = if refused { MachineSide::Refused } else { MachineSide::Connected };
                }
            }
            wire::IO_REQUEST => {
                let request = IoRequest::read(message)?;
                if request.device == DRIVE {
                    out.extend(self.irps.take(request, message));
                } else {
                    out.push(request.answer(status::NO_SUCH_DEVICE, &[0; 5]));
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Whether the server's capabilities (2.2.2.7) have the message about who logged on.
    fn says_who_logged_on(message: &mut Reader<'_>) -> Option<bool> {
        let count = message.u16()?;
        message.skip(2)?;
        for _ in 0..count {
            let (kind, length) = (message.u16()?, message.u16()?);
            let mut body = Reader(message.bytes(usize::from(length).checked_sub(4)?)?);
            if kind == CAPABILITY_GENERAL {
                // Version, system and its version, protocol's version, two of codes.
                body.skip(4 + 4 + 4 + 4 + 4 + 4)?;
                return Some(body.u32()? & USER_LOGGED_ON_PDU != 0);
            }
        }
        Some(false)
    }

    /// The list of devices (2.2.2.9), once both sides know each other and somebody is there who sees them.
    fn announce(&mut self, out: &mut Vec<Vec<u8>>) {
        if !self.confirmed || !self.logged_on || self.announced {
            return;
        }
        self.announced = true;
        let mut dos_name = [0; 8];
        dos_name.iter_mut().zip(DRIVE_LABEL.bytes()).for_each(|(byte, letter)| *byte = letter);
        let mut full_name = utf16(DRIVE_LABEL);
        full_name.extend([0, 0]);
        let list = wire::message(wire::DEVICE_LIST).u32(1);
        out.push(list.u32(DEVICE_TYPE_FILESYSTEM).u32(DRIVE).bytes(&dos_name).sized(&full_name).0);
    }
}

/// What we can (2.2.2.8).
fn capabilities() -> Vec<u8> {
    let out = wire::message(wire::CLIENT_CAPABILITY).u16(2).u16(0);
    let (major, minor) = VERSION;
    let out = out.u16(CAPABILITY_GENERAL).u16(44).u32(2).u32(0).u32(0).u16(major).u16(minor);
    // All requests, the messages above, no asynchronous I/O, no smart card readers.
    let out = out.u32(0xffff).u32(0).u32(EXTENDED_PDUS).u32(0).u32(0).u32(0);
    out.u16(CAPABILITY_DRIVE).u16(8).u32(2).0
}

pub(crate) fn messages(answers: Vec<Vec<u8>>) -> Vec<SvcMessage> {
    static_channel::messages(answers, ChannelFlags::empty())
}

impl SvcProcessor for Rdpdr {
    fn channel_name(&self) -> ChannelName {
        ChannelName::from_static(b"rdpdr\0\0\0")
    }

    fn compression_condition(&self) -> CompressionCondition {
        CompressionCondition::WhenRdpDataIsCompressed
    }

    fn process(&mut self, payload: &[u8]) -> PduResult<Vec<SvcMessage>> {
        Ok(messages(self.take(payload)))
    }
}

impl SvcClientProcessor for Rdpdr {}
