//! One application instead of a desktop (RemoteApp, MS-RDPERP): the static channel `rail`, on which the application is asked for.
//!
//! ```text
//!   machine ──Handshake──▶ us ──Handshake, Client Information, work area, Execute──▶ machine ──Execute Result──▶
//! ```
//! Its windows come as drawing orders (`windows`), and their pixels where a desktop would have them.

use ironrdp_pdu::PduResult;
use ironrdp_pdu::gcc::{ChannelName, ChannelOptions};
use ironrdp_svc::{ChannelFlags, CompressionCondition, SvcClientProcessor, SvcMessage, SvcProcessor};
use serde::{Deserialize, Serialize};

/// Longest application and folder in UTF-16 units, and longest arguments (MS-RDPERP 2.2.2.3.1).
const PROGRAM_UNITS_MAX: usize = 260;
const ARGUMENTS_UNITS_MAX: usize = 8000;

// Order types (MS-RDPERP 2.2.2.1).
const EXEC: u16 = 0x0001;
const SYSPARAM: u16 = 0x0003;
const HANDSHAKE: u16 = 0x0005;
const CLIENT_STATUS: u16 = 0x000b;
const HANDSHAKE_EX: u16 = 0x0013;
const EXEC_RESULT: u16 = 0x0080;
/// Of the Windows whose client we are like (`client_build` of the connection says the same).
const BUILD: u32 = 22631;
/// TS_RAIL_EXEC_FLAG_EXPAND_WORKINGDIRECTORY and …_EXPAND_ARGUMENTS: variables of the machine, like `%USERPROFILE%`.
const EXPAND: u16 = 0x0001 | 0x0008;
/// SPI_SETWORKAREA.
const WORK_AREA: u32 = 0x002f;
/// Orders of one message that are looked at; real ones have one.
const ORDERS_MAX: usize = 64;

/// An application with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteApp {
    /// `||alias`, or a path on the machine.
    pub program: String,
    pub arguments: String,
    /// Where it starts; the machine's choice when empty.
    pub folder: String,
}

/// What the machine says that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Handshake,
    /// 0: the application runs.
    ExecResult(u16),
    /// Nothing that we do anything about.
    Other,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

/// The orders of a message. The error is for the person.
pub(crate) fn read(mut message: &[u8]) -> Result<Vec<Order>, String> {
    let mut orders = Vec::new();
    while !message.is_empty() {
        let (Some(kind), Some(length)) = (u16_at(message, 0), u16_at(message, 2).map(usize::from)) else {
            return Err("a message about applications has no header".to_owned());
        };
        let Some(body) = message.get(4..length.max(4)).filter(|_| length >= 4) else {
            return Err(format!("a message about applications announces {length} bytes"));
        };
        if orders.len() >= ORDERS_MAX {
            return Err(format!("more than {ORDERS_MAX} orders about applications in one message"));
        }
        orders.push(match kind {
            HANDSHAKE | HANDSHAKE_EX if body.len() >= 4 => Order::Handshake,
            EXEC_RESULT => Order::ExecResult(u16_at(body, 2).ok_or("an answer about an application is cut short")?),
            _ => Order::Other,
        });
        message = message.get(length..).unwrap_or_default();
    }
    Ok(orders)
}

/// Why an application does not run (MS-RDPERP 2.2.2.3.2).
fn words(result: u16) -> &'static str {
    match result {
        1 => "the machine is not ready to run applications; try again in a moment",
        2 => "the machine did not understand which application is meant",
        3 => "the machine does not allow this application: it is not among those that are published there",
        5 => "the machine does not find the application; an administrator can check remote_app",
        7 => "the machine's session is locked",
        _ => "the machine cannot run the application",
    }
}

fn order(kind: u16, body: &[u8]) -> SvcMessage {
    let length = u16::try_from(body.len() + 4).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(body.len() + 4);
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(body);
    SvcMessage::from(bytes).with_flags(ChannelFlags::SHOW_PROTOCOL)
}

fn utf16(text: &str, most: usize) -> Vec<u8> {
    text.encode_utf16().take(most).flat_map(u16::to_le_bytes).collect()
}

/// The channel.
#[derive(Debug)]
pub(crate) struct Rail {
    app: RemoteApp,
    width: u16,
    height: u16,
    asked: bool,
    failure: Option<String>,
}

impl Rail {
    pub(crate) fn new(app: RemoteApp, width: u16, height: u16) -> Self {
        Self { app, width, height, asked: false, failure: None }
    }

    /// Why there will be no application.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// What is sent when the machine is there.
    fn ask(&self) -> Vec<SvcMessage> {
        let (program, folder) =
            (utf16(&self.app.program, PROGRAM_UNITS_MAX), utf16(&self.app.folder, PROGRAM_UNITS_MAX));
        let arguments = utf16(&self.app.arguments, ARGUMENTS_UNITS_MAX);
        let mut exec = EXPAND.to_le_bytes().to_vec();
        for text in [&program, &folder, &arguments] {
            exec.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
        }
        exec.extend([program, folder, arguments].concat());
        let mut area = WORK_AREA.to_le_bytes().to_vec();
        for side in [0, 0, self.width, self.height] {
            area.extend_from_slice(&side.to_le_bytes());
        }
        vec![
            order(HANDSHAKE, &BUILD.to_le_bytes()),
            // Windows are moved and sized by the machine: a picture of the whole screen is all that we show.
            order(CLIENT_STATUS, &0u32.to_le_bytes()),
            order(SYSPARAM, &area),
            order(EXEC, &exec),
        ]
    }
}

ironrdp_core::impl_as_any!(Rail);

impl SvcProcessor for Rail {
    fn channel_name(&self) -> ChannelName {
        ChannelName::from_static(b"rail\0\0\0\0")
    }

    fn compression_condition(&self) -> CompressionCondition {
        CompressionCondition::Never
    }

    fn channel_options(&self) -> ChannelOptions {
        ChannelOptions::INITIALIZED | ChannelOptions::ENCRYPT_RDP | ChannelOptions::SHOW_PROTOCOL
    }

    fn process(&mut self, payload: &[u8]) -> PduResult<Vec<SvcMessage>> {
        let orders = read(payload).unwrap_or_else(|what| {
            self.failure.get_or_insert(what);
            Vec::new()
        });
        let mut answers = Vec::new();
        for said in orders {
            match said {
                Order::Handshake if !self.asked => {
                    self.asked = true;
                    tracing::debug!("Machine runs applications, asking for one");
                    answers.extend(self.ask());
                }
                Order::ExecResult(0) => tracing::debug!("The application runs"),
                Order::ExecResult(result) => {
                    self.failure.get_or_insert_with(|| words(result).to_owned());
                }
                Order::Handshake | Order::Other => {}
            }
        }
        Ok(answers)
    }
}

impl SvcClientProcessor for Rail {}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> RemoteApp {
        RemoteApp { program: "||notes".into(), arguments: "/a \"b\"".into(), folder: "%TEMP%".into() }
    }

    fn bytes(message: &SvcMessage) -> Vec<u8> {
        message.encode_unframed_pdu().unwrap()
    }

    #[test]
    fn an_application_is_asked_for_once() {
        let mut rail = Rail::new(app(), 1024, 768);
        let handshake = [5, 0, 8, 0, 0x70, 0x17, 0, 0];
        let sent: Vec<Vec<u8>> = rail.process(&handshake).unwrap().iter().map(bytes).collect();
        assert_eq!(sent[0], [5, 0, 8, 0, 0x67, 0x58, 0, 0]);
        assert_eq!(sent[1], [0x0b, 0, 8, 0, 0, 0, 0, 0]);
        assert_eq!(sent[2], [3, 0, 16, 0, 0x2f, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 3]);
        let exec = &sent[3];
        assert_eq!(exec[..12], [1, 0, 50, 0, 9, 0, 14, 0, 12, 0, 12, 0]);
        let text: Vec<u16> = exec[12..].chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
        assert_eq!(String::from_utf16(&text).unwrap(), "||notes%TEMP%/a \"b\"");
        assert!(rail.process(&handshake).unwrap().is_empty());
        assert_eq!(rail.failure(), None);
    }

    #[test]
    fn answers_of_the_machine() {
        // TS_RAIL_ORDER_EXEC_RESULT: flags, result, its own code, padding, the name again.
        let result = |code: u8| [0x80, 0, 18, 0, 8, 0, code, 0, 2, 0, 0, 0, 0, 0, 2, 0, b'x', 0];
        let mut rail = Rail::new(app(), 800, 600);
        rail.process(&result(0)).unwrap();
        assert_eq!(rail.failure(), None);
        rail.process(&result(5)).unwrap();
        assert!(rail.failure().unwrap().contains("does not find"));
        // The extended handshake, and another order behind it.
        let both = [&[0x13, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[0x0d, 0, 8, 0, 0, 0, 0, 0]].concat();
        assert_eq!(read(&both), Ok(vec![Order::Handshake, Order::Other]));
        for broken in [&[5][..], &[5, 0, 3, 0], &[5, 0, 200, 0, 1], &[0x80, 0, 6, 0, 1, 1], &[0, 0, 4, 0].repeat(65)] {
            assert!(read(broken).is_err(), "{broken:?}");
        }
        let long = RemoteApp { program: "x".repeat(5000), arguments: "y".repeat(20_000), folder: "z".repeat(5000) };
        let sent = Rail::new(long, 1, 1).ask().iter().map(|message| bytes(message).len()).max();
        assert_eq!(sent, Some(4 + 8 + 2 * (260 + 260 + 8000)));
    }
}
