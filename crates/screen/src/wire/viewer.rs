//! Viewer → server.

use super::reader::{Fields, put_rich, record, records};
use super::{CLIPBOARD_INPUT_BYTES_MAX, FORMAT_TEXT, INPUT_BYTES_MAX, WireError};
use crate::{
    CLIPBOARD_BYTES_MAX, CONTACTS_MAX, Contact, ContactState, Contacts, InputEvent, MICROPHONE_BYTES_MAX, MONITORS_MAX,
    MicrophoneFormat, Monitor, Monitors, PEN_BARREL, PEN_ERASER, PEN_INVERTED, PRESSURE_MAX, TEXT_BYTES_MAX,
    TouchPhase,
};
use bytes::Bytes;

/// Longest keyboard layout name, in bytes.
const LAYOUT_BYTES_MAX: usize = 64;

/// The first record of a viewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewerHello {
    pub version: u8,
    /// Device pixels, or columns for a terminal.
    pub width: u16,
    /// Device pixels, or rows for a terminal.
    pub height: u16,
    /// Per cent.
    pub scale: u16,
    /// Terminal bytes already shown when resuming.
    pub received: u64,
    /// XKB name with optional variant, or empty.
    pub layout: String,
}

impl ViewerRecord {
    /// What of H.264 the viewer shows, by a hello and what came in its message.
    pub fn announced_video(records: &[Self]) -> VideoAbility {
        let bits = records.iter().fold(0, |bits, record| match record {
            Self::Abilities { bits: more } => bits | more,
            _ => bits,
        });
        match (bits & ABILITY_H264 != 0, bits & ABILITY_H264_FULL != 0) {
            (false, _) => VideoAbility::None,
            (true, false) => VideoAbility::H264,
            (true, true) => VideoAbility::H264Full,
        }
    }
}

/// The viewer decodes H.264 (Annex B, up to 4:2:0 high profile).
pub const ABILITY_H264: u32 = 1;
/// And it puts the two views of a picture in 4:4:4 together; nothing without [`ABILITY_H264`].
pub const ABILITY_H264_FULL: u32 = 2;

/// What of forwarded video a viewer shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum VideoAbility {
    #[default]
    None = 0,
    /// H.264 in 4:2:0; of 4:4:4 its main view.
    H264 = 1,
    /// H.264, and 4:4:4 of two views.
    H264Full = 2,
}

impl VideoAbility {
    /// Whether it is shown any video.
    pub const fn has_video(self) -> bool {
        !matches!(self, Self::None)
    }
}

/// Flag of a monitor in a resize.
const MONITOR_PRIMARY: u8 = 1;

/// What is wrong with the video at the viewer. The numbers are the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum VideoTrouble {
    /// It lost its place: a frame that stands alone helps.
    Lost = 0,
    /// It cannot decode it at all: send pixels instead.
    Undecodable = 1,
}

/// One record from a viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewerRecord {
    Hello(ViewerHello),
    Input(InputEvent),
    Ack {
        sequence: u32,
    },
    Ping {
        token: u32,
    },
    /// How long the last ping took to come back, as the viewer measured it.
    RoundTrip {
        micros: u32,
    },
    /// What the viewer can do beyond version 1: [`ABILITY_H264`], [`ABILITY_H264_FULL`]. In the message of its hello.
    Abilities {
        bits: u32,
    },
    /// The viewer cannot go on with the video.
    VideoTrouble(VideoTrouble),
    /// Whether the viewer plays sound: it is sent to those that do.
    Listen {
        on: bool,
    },
    TerminalInput(Bytes),
    TerminalResize {
        columns: u16,
        rows: u16,
    },
    TerminalAck {
        offset: u64,
    },
    /// The answer to [`RecordingSign::Asked`](crate::RecordingSign::Asked).
    Consent {
        yes: bool,
    },
    /// The owner's answer to [`ServerRecord::Question`](super::ServerRecord::Question) about this seat.
    Answer {
        seat: u8,
        yes: bool,
    },
    /// The owner gives or takes keys and pointer; a guest may give back their own.
    Control {
        seat: u8,
        on: bool,
    },
    /// The owner sends somebody away.
    Remove {
        seat: u8,
    },
    /// A guest would like keys and pointer.
    AskControl,
}

/// Kinds of contacts.
const KIND_FINGERS: u8 = 0;
const KIND_PEN: u8 = 1;
/// Degrees of a turn, and those that a pen leans to each side.
const TURN: u16 = 360;
const TILT_MAX: i8 = 90;

/// One of a record's contacts.
fn contact(f: &mut Fields) -> Result<Contact, WireError> {
    let id = f.u8()?;
    let state = match f.u8()? {
        0 => ContactState::Away,
        1 => ContactState::Hovers,
        2 => ContactState::Touches,
        3 => ContactState::Cancelled,
        _ => return Err(f.bad("state of a contact")),
    };
    let (x, y, width, height) = (f.u16()?, f.u16()?, f.u16()?, f.u16()?);
    let (pressure, rotation) = (f.u16()?, f.u16()?);
    let (tilt_x, tilt_y) = (f.u8()? as i8, f.u8()? as i8);
    let flags = f.u8()? & (PEN_BARREL | PEN_ERASER | PEN_INVERTED);
    let leans = |tilt: i8| (-TILT_MAX..=TILT_MAX).contains(&tilt);
    if pressure > PRESSURE_MAX || rotation >= TURN || !leans(tilt_x) || !leans(tilt_y) {
        return Err(f.bad("pressure, rotation or tilt of a contact"));
    }
    Ok(Contact { id, state, x, y, width, height, pressure, rotation, tilt_x, tilt_y, flags })
}

/// Only a clipboard's parts may be larger than a text.
const fn payload_max(kind: u8) -> usize {
    if kind == 0x87 { CLIPBOARD_INPUT_BYTES_MAX } else { INPUT_BYTES_MAX }
}

impl ViewerRecord {
    /// All records of a message; unknown types are left out.
    pub fn decode_all(message: &Bytes) -> Result<Vec<Self>, WireError> {
        records(message, payload_max, Self::decode)
    }

    fn decode(kind: u8, payload: Bytes) -> Result<Option<Self>, WireError> {
        let mut f = Fields::new(kind, payload);
        let record = match kind {
            0x81 => {
                let (version, width, height, scale) = (f.u8()?, f.u16()?, f.u16()?, f.u16()?);
                let received = f.u64()?;
                let layout = f.text(LAYOUT_BYTES_MAX)?;
                Self::Hello(ViewerHello { version, width, height, scale, received, layout })
            }
            0x82 => Self::Input(InputEvent::Key { down: f.u8()? != 0, code: f.u16()?, keysym: f.u32()? }),
            0x83 => Self::Input(InputEvent::Pointer { x: f.u16()?, y: f.u16()?, buttons: f.u16()? }),
            0x84 => Self::Input(InputEvent::Wheel { x: f.u16()?, y: f.u16()?, dx: f.i16()?, dy: f.i16()? }),
            0x85 => {
                let id = f.u8()?;
                let phase = match f.u8()? {
                    0 => TouchPhase::Start,
                    1 => TouchPhase::Move,
                    2 => TouchPhase::End,
                    3 => TouchPhase::Cancel,
                    _ => return Err(f.bad("touch phase")),
                };
                Self::Input(InputEvent::Touch { id, phase, x: f.u16()?, y: f.u16()? })
            }
            0x86 => {
                let (width, height, scale) = (f.u16()?, f.u16()?, f.u16()?);
                let count = if f.is_empty() { 0 } else { usize::from(f.u8()?) };
                if count > MONITORS_MAX {
                    return Err(f.bad("number of monitors"));
                }
                let mut meant = Vec::with_capacity(count);
                for _ in 0..count {
                    let (rect, scale) = (f.rect()?, f.u16()?);
                    meant.push(Monitor { rect, scale, primary: f.u8()? & MONITOR_PRIMARY != 0 });
                }
                Self::Input(match Monitors::arrange(&meant) {
                    Some(monitors) => InputEvent::Monitors(monitors),
                    None => InputEvent::Resize { width, height, scale },
                })
            }
            0x87 => match f.u8()? {
                FORMAT_TEXT => Self::Input(InputEvent::Clipboard(f.text(CLIPBOARD_BYTES_MAX)?)),
                format => return Ok(f.rich(format)?.map(|rich| Self::Input(InputEvent::Rich(rich)))),
            },
            0x88 => Self::Ack { sequence: f.u32()? },
            0x89 => Self::Ping { token: f.u32()? },
            0x8a => Self::Input(InputEvent::ReleaseAll),
            0x8b => Self::Input(InputEvent::Text(f.text(TEXT_BYTES_MAX)?)),
            0x8c => Self::Abilities { bits: f.u32()? },
            0x8d => Self::VideoTrouble(match f.u8()? {
                0 => VideoTrouble::Lost,
                1 => VideoTrouble::Undecodable,
                _ => return Err(f.bad("video trouble")),
            }),
            0x8e => {
                let format = MicrophoneFormat::new(f.u8()?, f.u32()?).ok_or_else(|| f.bad("format of a microphone"))?;
                let samples = f.rest();
                if samples.len() > MICROPHONE_BYTES_MAX {
                    return Err(WireError::Value { kind, what: "length of a microphone's sound" });
                }
                Self::Input(InputEvent::Microphone { format, samples })
            }
            0x8f => {
                let pen = match f.u8()? {
                    KIND_FINGERS => false,
                    KIND_PEN => true,
                    _ => return Err(f.bad("kind of contacts")),
                };
                let (after_ms, count) = (f.u16()?, usize::from(f.u8()?));
                if !(1..=CONTACTS_MAX).contains(&count) {
                    return Err(f.bad("number of contacts"));
                }
                let mut contacts = Vec::with_capacity(count);
                for _ in 0..count {
                    contacts.push(contact(&mut f)?);
                }
                Self::Input(InputEvent::Contacts(Contacts { pen, after_ms, contacts }))
            }
            0xd1 => Self::RoundTrip { micros: f.u32()? },
            0xd0 => Self::Listen { on: f.u8()? != 0 },
            0x90 => Self::TerminalInput(f.rest()),
            0x91 => Self::TerminalResize { columns: f.u16()?, rows: f.u16()? },
            0x92 => Self::TerminalAck { offset: f.u64()? },
            0x98 => Self::Consent { yes: f.u8()? != 0 },
            0xa0 => Self::Answer { seat: f.u8()?, yes: f.u8()? != 0 },
            0xa1 => Self::Control { seat: f.u8()?, on: f.u8()? != 0 },
            0xa2 => Self::Remove { seat: f.u8()? },
            0xa3 => Self::AskControl,
            _ => return Ok(None),
        };
        Ok(Some(record))
    }

    /// Appends the record's bytes (for benchmarks and tests: the real viewer is `web/src/viewer`).
    pub fn encode(&self, out: &mut Vec<u8>) {
        fn u16s(out: &mut Vec<u8>, values: &[u16]) {
            for value in values {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        match self {
            Self::Hello(hello) => record(out, 0x81, |o| {
                o.push(hello.version);
                u16s(o, &[hello.width, hello.height, hello.scale]);
                o.extend_from_slice(&hello.received.to_le_bytes());
                o.extend_from_slice(hello.layout.as_bytes());
            }),
            Self::Input(input) => match input {
                InputEvent::Key { down, code, keysym } => record(out, 0x82, |o| {
                    o.push(u8::from(*down));
                    u16s(o, &[*code]);
                    o.extend_from_slice(&keysym.to_le_bytes());
                }),
                InputEvent::Pointer { x, y, buttons } => record(out, 0x83, |o| u16s(o, &[*x, *y, *buttons])),
                InputEvent::Wheel { x, y, dx, dy } => {
                    record(out, 0x84, |o| u16s(o, &[*x, *y, *dx as u16, *dy as u16]));
                }
                InputEvent::Touch { id, phase, x, y } => record(out, 0x85, |o| {
                    o.extend_from_slice(&[*id, *phase as u8]);
                    u16s(o, &[*x, *y]);
                }),
                InputEvent::Resize { width, height, scale } => {
                    record(out, 0x86, |o| u16s(o, &[*width, *height, *scale]));
                }
                InputEvent::Monitors(monitors) => record(out, 0x86, |o| {
                    let (width, height) = monitors.size();
                    u16s(o, &[width, height, monitors.primary().scale]);
                    // At most MONITORS_MAX.
                    o.push(monitors.as_slice().len() as u8);
                    for Monitor { rect, scale, primary } in monitors.as_slice() {
                        u16s(o, &[rect.x, rect.y, rect.w, rect.h, *scale]);
                        o.push(if *primary { MONITOR_PRIMARY } else { 0 });
                    }
                }),
                InputEvent::Rich(rich) => record(out, 0x87, |o| put_rich(o, rich)),
                InputEvent::Clipboard(text) => record(out, 0x87, |o| {
                    o.push(FORMAT_TEXT);
                    o.extend_from_slice(text.as_bytes());
                }),
                InputEvent::ReleaseAll => record(out, 0x8a, |_| ()),
                InputEvent::Text(text) => record(out, 0x8b, |o| o.extend_from_slice(text.as_bytes())),
                InputEvent::Microphone { format, samples } => record(out, 0x8e, |o| {
                    o.push(format.channels);
                    o.extend_from_slice(&format.rate.to_le_bytes());
                    o.extend_from_slice(samples);
                }),
                InputEvent::Contacts(said) => record(out, 0x8f, |o| {
                    o.push(if said.pen { KIND_PEN } else { KIND_FINGERS });
                    u16s(o, &[said.after_ms]);
                    let contacts = said.contacts.get(..CONTACTS_MAX).unwrap_or(&said.contacts);
                    o.push(contacts.len() as u8);
                    for contact in contacts {
                        o.extend_from_slice(&[contact.id, contact.state as u8]);
                        u16s(o, &[contact.x, contact.y, contact.width, contact.height]);
                        u16s(o, &[contact.pressure, contact.rotation]);
                        o.extend_from_slice(&[contact.tilt_x as u8, contact.tilt_y as u8, contact.flags]);
                    }
                }),
            },
            Self::Ack { sequence } => record(out, 0x88, |o| o.extend_from_slice(&sequence.to_le_bytes())),
            Self::Ping { token } => record(out, 0x89, |o| o.extend_from_slice(&token.to_le_bytes())),
            Self::RoundTrip { micros } => record(out, 0xd1, |o| o.extend_from_slice(&micros.to_le_bytes())),
            Self::Abilities { bits } => record(out, 0x8c, |o| o.extend_from_slice(&bits.to_le_bytes())),
            Self::VideoTrouble(trouble) => record(out, 0x8d, |o| o.push(*trouble as u8)),
            Self::Listen { on } => record(out, 0xd0, |o| o.push(u8::from(*on))),
            Self::TerminalInput(bytes) => record(out, 0x90, |o| o.extend_from_slice(bytes)),
            Self::TerminalResize { columns, rows } => record(out, 0x91, |o| u16s(o, &[*columns, *rows])),
            Self::TerminalAck { offset } => record(out, 0x92, |o| o.extend_from_slice(&offset.to_le_bytes())),
            Self::Consent { yes } => record(out, 0x98, |o| o.push(u8::from(*yes))),
            Self::Answer { seat, yes } => record(out, 0xa0, |o| o.extend_from_slice(&[*seat, u8::from(*yes)])),
            Self::Control { seat, on } => record(out, 0xa1, |o| o.extend_from_slice(&[*seat, u8::from(*on)])),
            Self::Remove { seat } => record(out, 0xa2, |o| o.push(*seat)),
            Self::AskControl => record(out, 0xa3, |_| ()),
        }
    }
}
