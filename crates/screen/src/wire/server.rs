//! Server → viewer.

use super::reader::{Fields, put_rich, record, records};
use super::{FORMAT_TEXT, PROTOCOL_VERSION, RECORD_BYTES_MAX, WireError};
use crate::{
    AudioCodec, ByeCode, CLIPBOARD_BYTES_MAX, MicrophoneFormat, PERSON_NAME_BYTES_MAX, Person, PersonKind,
    QuestionKind, RecordingSign, Rect, Rich, SEATS_MAX, StatusCode, TileCodec, TouchAbility, VIDEO_REGIONS_MAX,
    VideoCodec,
};
use bytes::Bytes;

/// Longest text in a hello, status or bye, in bytes.
const WORDS_BYTES_MAX: usize = 4096;
/// Flags of a video frame: it stands alone; its regions follow.
const VIDEO_KEY: u8 = 1;
const VIDEO_REGIONS: u8 = 2;
/// Flags of a person.
const PERSON_CONTROLS: u8 = 1;
const PERSON_MAY_CONTROL: u8 = 2;
const PERSON_HERE: u8 = 4;

/// Longest watermark, in bytes.
pub const WATERMARK_BYTES_MAX: usize = 256;

/// Keys, pointer and clipboard do not reach the machine.
pub const RULE_VIEW_ONLY: u32 = 1;
pub const RULE_CLIPBOARD_TO_MACHINE: u32 = 2;
pub const RULE_CLIPBOARD_TO_PERSON: u32 = 4;
pub const RULE_SOUND: u32 = 8;
/// Files may go to the machine.
pub const RULE_UPLOAD: u32 = 16;
/// Files may come from the machine.
pub const RULE_DOWNLOAD: u32 = 32;
/// Others may be invited.
pub const RULE_SHARE: u32 = 64;
/// The machine may hear the person's microphone.
pub const RULE_MICROPHONE: u32 = 128;
/// And people without an account.
pub const RULE_SHARE_GUESTS: u32 = 256;

/// What is about to happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Notice {
    /// Nobody touches it: it will be locked.
    Lock = 0,
    /// Its time is nearly over.
    End = 1,
    /// Nobody touches it: it will end.
    Idle = 2,
    /// Others need the desktop (they have booked it, or its card): it will end, and the desktop is made anew.
    Booked = 3,
}

/// One record to a viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerRecord {
    /// `terminal`: the connection carries terminal bytes instead of pictures. `received`: terminal input bytes the
    /// server has from an earlier viewer of this connection.
    Hello {
        terminal: bool,
        connection: [u8; 16],
        received: u64,
        title: String,
    },
    Resize {
        width: u16,
        height: u16,
    },
    Tile {
        rect: Rect,
        codec: TileCodec,
        bytes: Bytes,
    },
    Copy {
        from_x: u16,
        from_y: u16,
        to: Rect,
    },
    Fill {
        rect: Rect,
        rgb: [u8; 3],
    },
    Cursor {
        hot_x: u16,
        hot_y: u16,
        width: u16,
        height: u16,
        rgba: Bytes,
    },
    CursorDefault,
    CursorMove {
        x: u16,
        y: u16,
    },
    /// `regions`: what of `rect` is drawn, all of it when absent.
    Video {
        rect: Rect,
        regions: Option<Vec<Rect>>,
        codec: VideoCodec,
        key: bool,
        bytes: Bytes,
    },
    Audio {
        codec: AudioCodec,
        channels: u8,
        rate: u32,
        time_ms: u32,
        bytes: Bytes,
    },
    /// Part of a copy whose text follows.
    Rich(Rich),
    /// The text of a copy, which ends it; empty where it has none beside its other parts.
    Clipboard(String),
    Bell,
    Leds(u8),
    FrameEnd {
        sequence: u32,
    },
    Pong {
        token: u32,
    },
    Status {
        code: StatusCode,
        text: String,
    },
    /// Whether the connection is recorded, or a question for the person; it may come at any time.
    Recording {
        sign: RecordingSign,
        text: String,
    },
    /// What the person may do (bits `RULE_…`), and the largest piece of clipboard in KiB.
    Rules {
        bits: u32,
        clipboard_kib: u32,
    },
    /// Lies over the picture with the time beside it; empty for none.
    Watermark(String),
    /// What happens in so many seconds; 0: it no longer does.
    Notice {
        notice: Notice,
        seconds: u32,
    },
    /// A program on the machine wants to hear the person in this format, or none does any more.
    Microphone(Option<MicrophoneFormat>),
    /// What the machine takes of fingers and pens themselves from now on.
    Touch(TouchAbility),
    Bye {
        code: ByeCode,
        text: String,
    },
    TerminalData(Bytes),
    TerminalStart {
        offset: u64,
    },
    /// What a terminal showed before the first byte that follows: not part of the stream's count.
    TerminalRepaint(Bytes),
    /// Everybody in front of the connection, and which of them this viewer is. A viewer that was never told is alone.
    People {
        own: u8,
        people: Vec<Person>,
    },
    /// Where somebody else points.
    Pointing {
        seat: u8,
        x: u16,
        y: u16,
    },
    /// For the owner: somebody waits for an answer for so long. No seconds: nobody does any more.
    Question {
        seat: u8,
        kind: QuestionKind,
        seconds: u16,
        name: String,
    },
    /// A sentence for the person.
    Words(String),
    /// A PDF of so many bytes lies in the session's folder of prints; told to the owner.
    Printed {
        name: String,
        size: u32,
    },
    /// What the window in front is called, where the session is one program; empty: nothing.
    Title(String),
    /// Somebody who helps says something to the person: shown until they close it.
    Message(String),
    /// Only in recordings: what was typed, in words ([`crate::recording::typed`]).
    Typed(String),
    /// Only in recordings: what went from the person's clipboard to the machine.
    Pasted(String),
    /// Only in recordings: what went from the machine's clipboard to the person.
    Copied(String),
}

impl ServerRecord {
    /// Hides the pointer.
    pub const fn cursor_hidden() -> Self {
        Self::Cursor { hot_x: 0, hot_y: 0, width: 0, height: 0, rgba: Bytes::new() }
    }

    /// Appends the record's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello { terminal, connection, received, title } => record(out, 0x01, |o| {
                o.extend_from_slice(&[PROTOCOL_VERSION, u8::from(*terminal)]);
                o.extend_from_slice(connection);
                o.extend_from_slice(&received.to_le_bytes());
                o.extend_from_slice(clip(title, WORDS_BYTES_MAX));
            }),
            Self::Resize { width, height } => record(out, 0x02, |o| u16s(o, &[*width, *height])),
            Self::Tile { rect, codec, bytes } => encode_tile(out, *rect, *codec, bytes),
            Self::Copy { from_x, from_y, to } => {
                record(out, 0x11, |o| u16s(o, &[*from_x, *from_y, to.x, to.y, to.w, to.h]));
            }
            Self::Fill { rect: r, rgb } => record(out, 0x12, |o| {
                u16s(o, &[r.x, r.y, r.w, r.h]);
                o.extend_from_slice(rgb);
            }),
            Self::Cursor { hot_x, hot_y, width, height, rgba } => record(out, 0x13, |o| {
                u16s(o, &[*hot_x, *hot_y, *width, *height]);
                o.extend_from_slice(rgba);
            }),
            Self::CursorDefault => record(out, 0x14, |_| ()),
            Self::CursorMove { x, y } => record(out, 0x15, |o| u16s(o, &[*x, *y])),
            Self::Video { rect: r, regions, codec, key, bytes } => record(out, 0x18, |o| {
                u16s(o, &[r.x, r.y, r.w, r.h]);
                let flags = (u8::from(*key) * VIDEO_KEY) | (u8::from(regions.is_some()) * VIDEO_REGIONS);
                o.extend_from_slice(&[*codec as u8, flags]);
                if let Some(regions) = regions {
                    let count = regions.len().min(VIDEO_REGIONS_MAX);
                    u16s(o, &[count as u16]);
                    regions.iter().take(count).for_each(|r| u16s(o, &[r.x, r.y, r.w, r.h]));
                }
                o.extend_from_slice(bytes);
            }),
            Self::Audio { codec, channels, rate, time_ms, bytes } => record(out, 0x19, |o| {
                o.extend_from_slice(&[*codec as u8, *channels]);
                o.extend_from_slice(&rate.to_le_bytes());
                o.extend_from_slice(&time_ms.to_le_bytes());
                o.extend_from_slice(bytes);
            }),
            Self::Rich(rich) => record(out, 0x20, |o| put_rich(o, rich)),
            Self::Clipboard(text) => record(out, 0x20, |o| {
                o.push(FORMAT_TEXT);
                o.extend_from_slice(clip(text, CLIPBOARD_BYTES_MAX));
            }),
            Self::Bell => record(out, 0x21, |_| ()),
            Self::Leds(bits) => record(out, 0x22, |o| o.push(*bits)),
            Self::FrameEnd { sequence } => record(out, 0x30, |o| o.extend_from_slice(&sequence.to_le_bytes())),
            Self::Pong { token } => record(out, 0x31, |o| o.extend_from_slice(&token.to_le_bytes())),
            Self::Status { code, text } => record(out, 0x32, |o| {
                o.push(*code as u8);
                o.extend_from_slice(clip(text, WORDS_BYTES_MAX));
            }),
            Self::Recording { sign, text } => record(out, 0x38, |o| {
                o.push(*sign as u8);
                o.extend_from_slice(clip(text, WORDS_BYTES_MAX));
            }),
            Self::Rules { bits, clipboard_kib } => record(out, 0x39, |o| {
                o.extend_from_slice(&bits.to_le_bytes());
                o.extend_from_slice(&clipboard_kib.to_le_bytes());
            }),
            Self::Watermark(text) => record(out, 0x3a, |o| o.extend_from_slice(clip(text, WATERMARK_BYTES_MAX))),
            Self::Notice { notice, seconds } => record(out, 0x3b, |o| {
                o.push(*notice as u8);
                o.extend_from_slice(&seconds.to_le_bytes());
            }),
            Self::Microphone(wanted) => record(out, 0x3c, |o| {
                let (channels, rate) = wanted.map_or((0, 0), |format| (format.channels, format.rate));
                o.push(channels);
                o.extend_from_slice(&rate.to_le_bytes());
            }),
            Self::Touch(TouchAbility { fingers, pens }) => {
                record(out, 0x3d, |o| o.extend_from_slice(&[*fingers, *pens]));
            }
            Self::Bye { code, text } => record(out, 0x3f, |o| {
                o.push(*code as u8);
                o.extend_from_slice(clip(text, WORDS_BYTES_MAX));
            }),
            Self::TerminalData(bytes) => record(out, 0x40, |o| o.extend_from_slice(bytes)),
            Self::TerminalStart { offset } => record(out, 0x41, |o| o.extend_from_slice(&offset.to_le_bytes())),
            Self::TerminalRepaint(bytes) => record(out, 0x42, |o| o.extend_from_slice(bytes)),
            Self::People { own, people } => record(out, 0x50, |o| {
                let count = people.len().min(SEATS_MAX);
                o.extend_from_slice(&[*own, count as u8]);
                for person in people.iter().take(count) {
                    let flags = (u8::from(person.control) * PERSON_CONTROLS)
                        | (u8::from(person.may_control) * PERSON_MAY_CONTROL)
                        | (u8::from(person.here) * PERSON_HERE);
                    let name = clip(&person.name, PERSON_NAME_BYTES_MAX);
                    o.extend_from_slice(&[person.seat, person.kind as u8, flags, name.len() as u8]);
                    o.extend_from_slice(name);
                }
            }),
            Self::Pointing { seat, x, y } => record(out, 0x51, |o| {
                o.push(*seat);
                u16s(o, &[*x, *y]);
            }),
            Self::Question { seat, kind, seconds, name } => record(out, 0x52, |o| {
                o.extend_from_slice(&[*seat, *kind as u8]);
                u16s(o, &[*seconds]);
                o.extend_from_slice(clip(name, PERSON_NAME_BYTES_MAX));
            }),
            Self::Words(text) => record(out, 0x53, |o| o.extend_from_slice(clip(text, WORDS_BYTES_MAX))),
            Self::Printed { name, size } => record(out, 0x54, |o| {
                o.extend_from_slice(&size.to_le_bytes());
                o.extend_from_slice(clip(name, WORDS_BYTES_MAX));
            }),
            Self::Title(text) => record(out, 0x55, |o| o.extend_from_slice(clip(text, WORDS_BYTES_MAX))),
            Self::Message(text) => record(out, 0x56, |o| o.extend_from_slice(clip(text, WORDS_BYTES_MAX))),
            Self::Typed(text) => record(out, 0x60, |o| o.extend_from_slice(clip(text, CLIPBOARD_BYTES_MAX))),
            Self::Pasted(text) => record(out, 0x61, |o| o.extend_from_slice(clip(text, CLIPBOARD_BYTES_MAX))),
            Self::Copied(text) => record(out, 0x62, |o| o.extend_from_slice(clip(text, CLIPBOARD_BYTES_MAX))),
        }
    }

    /// All records of a message; unknown types are left out.
    pub fn decode_all(message: &Bytes) -> Result<Vec<Self>, WireError> {
        records(message, |_| RECORD_BYTES_MAX, Self::decode)
    }

    fn decode(kind: u8, payload: Bytes) -> Result<Option<Self>, WireError> {
        let mut f = Fields::new(kind, payload);
        let record = match kind {
            0x01 => {
                f.u8()?;
                let terminal = f.u8()? == 1;
                let connection = f.array()?;
                let received = f.u64()?;
                Self::Hello { terminal, connection, received, title: f.text(WORDS_BYTES_MAX)? }
            }
            0x02 => Self::Resize { width: f.u16()?, height: f.u16()? },
            0x10 => {
                let rect = f.rect()?;
                let codec = match f.u8()? {
                    0 => TileCodec::Raw,
                    1 => TileCodec::Png,
                    2 => TileCodec::Jpeg,
                    3 => TileCodec::WebP,
                    _ => return Err(f.bad("tile codec")),
                };
                Self::Tile { rect, codec, bytes: f.rest() }
            }
            0x11 => Self::Copy { from_x: f.u16()?, from_y: f.u16()?, to: f.rect()? },
            0x12 => Self::Fill { rect: f.rect()?, rgb: f.array()? },
            0x13 => {
                let (hot_x, hot_y, width, height) = (f.u16()?, f.u16()?, f.u16()?, f.u16()?);
                Self::Cursor { hot_x, hot_y, width, height, rgba: f.rest() }
            }
            0x14 => Self::CursorDefault,
            0x15 => Self::CursorMove { x: f.u16()?, y: f.u16()? },
            0x18 => {
                let rect = f.rect()?;
                let codec = match f.u8()? {
                    0 => VideoCodec::H264,
                    1 => VideoCodec::H264Main,
                    2 => VideoCodec::H264Chroma,
                    3 => VideoCodec::H264ChromaV2,
                    _ => return Err(f.bad("video codec")),
                };
                let flags = f.u8()?;
                let regions = if flags & VIDEO_REGIONS == 0 {
                    None
                } else {
                    let count = usize::from(f.u16()?);
                    if count > VIDEO_REGIONS_MAX {
                        return Err(f.bad("number of video regions"));
                    }
                    Some((0..count).map(|_| f.rect()).collect::<Result<_, _>>()?)
                };
                Self::Video { rect, regions, codec, key: flags & VIDEO_KEY != 0, bytes: f.rest() }
            }
            0x19 => {
                let codec = match f.u8()? {
                    0 => AudioCodec::Pcm,
                    1 => AudioCodec::Opus,
                    _ => return Err(f.bad("audio codec")),
                };
                let (channels, rate, time_ms) = (f.u8()?, f.u32()?, f.u32()?);
                Self::Audio { codec, channels, rate, time_ms, bytes: f.rest() }
            }
            0x20 => match f.u8()? {
                FORMAT_TEXT => Self::Clipboard(f.text(CLIPBOARD_BYTES_MAX)?),
                format => return Ok(f.rich(format)?.map(Self::Rich)),
            },
            0x21 => Self::Bell,
            0x22 => Self::Leds(f.u8()?),
            0x30 => Self::FrameEnd { sequence: f.u32()? },
            0x31 => Self::Pong { token: f.u32()? },
            0x32 => {
                let code = match f.u8()? {
                    0 => StatusCode::Dialling,
                    1 => StatusCode::Authenticating,
                    2 => StatusCode::Connected,
                    3 => StatusCode::WaitingForMachine,
                    _ => return Err(f.bad("status code")),
                };
                Self::Status { code, text: f.text(WORDS_BYTES_MAX)? }
            }
            0x38 => {
                let sign = match f.u8()? {
                    0 => RecordingSign::Off,
                    1 => RecordingSign::On,
                    2 => RecordingSign::Asked,
                    _ => return Err(f.bad("recording sign")),
                };
                Self::Recording { sign, text: f.text(WORDS_BYTES_MAX)? }
            }
            0x39 => Self::Rules { bits: f.u32()?, clipboard_kib: f.u32()? },
            0x3a => Self::Watermark(f.text(WATERMARK_BYTES_MAX)?),
            0x3b => {
                let notice = match f.u8()? {
                    0 => Notice::Lock,
                    1 => Notice::End,
                    2 => Notice::Idle,
                    3 => Notice::Booked,
                    _ => return Ok(None),
                };
                Self::Notice { notice, seconds: f.u32()? }
            }
            0x3c => {
                let (channels, rate) = (f.u8()?, f.u32()?);
                Self::Microphone(match channels {
                    0 => None,
                    _ => Some(MicrophoneFormat::new(channels, rate).ok_or_else(|| f.bad("format of a microphone"))?),
                })
            }
            0x3d => Self::Touch(TouchAbility { fingers: f.u8()?, pens: f.u8()? }),
            0x3f => {
                let code = bye_code(f.u8()?).ok_or_else(|| f.bad("bye code"))?;
                Self::Bye { code, text: f.text(WORDS_BYTES_MAX)? }
            }
            0x40 => Self::TerminalData(f.rest()),
            0x41 => Self::TerminalStart { offset: f.u64()? },
            0x42 => Self::TerminalRepaint(f.rest()),
            0x50 => {
                let (own, count) = (f.u8()?, usize::from(f.u8()?));
                if count > SEATS_MAX {
                    return Err(f.bad("number of people"));
                }
                Self::People { own, people: (0..count).map(|_| person(&mut f)).collect::<Result<_, _>>()? }
            }
            0x51 => Self::Pointing { seat: f.u8()?, x: f.u16()?, y: f.u16()? },
            0x52 => {
                let seat = f.u8()?;
                let kind = match f.u8()? {
                    0 => QuestionKind::Watch,
                    1 => QuestionKind::Help,
                    2 => QuestionKind::Control,
                    3 => QuestionKind::Knock,
                    4 => QuestionKind::KnockHelp,
                    _ => return Err(f.bad("question")),
                };
                Self::Question { seat, kind, seconds: f.u16()?, name: f.text(PERSON_NAME_BYTES_MAX)? }
            }
            0x53 => Self::Words(f.text(WORDS_BYTES_MAX)?),
            0x54 => Self::Printed { size: f.u32()?, name: f.text(WORDS_BYTES_MAX)? },
            0x55 => Self::Title(f.text(WORDS_BYTES_MAX)?),
            0x56 => Self::Message(f.text(WORDS_BYTES_MAX)?),
            0x60 => Self::Typed(f.text(CLIPBOARD_BYTES_MAX)?),
            0x61 => Self::Pasted(f.text(CLIPBOARD_BYTES_MAX)?),
            0x62 => Self::Copied(f.text(CLIPBOARD_BYTES_MAX)?),
            _ => return Ok(None),
        };
        Ok(Some(record))
    }
}

/// Appends a tile record without an intermediate copy of its bytes.
pub(crate) fn encode_tile(out: &mut Vec<u8>, r: Rect, codec: TileCodec, bytes: &[u8]) {
    record(out, 0x10, |o| {
        u16s(o, &[r.x, r.y, r.w, r.h]);
        o.push(codec as u8);
        o.extend_from_slice(bytes);
    });
}

fn person(f: &mut Fields) -> Result<Person, WireError> {
    let seat = f.u8()?;
    let kind = match f.u8()? {
        0 => PersonKind::Owner,
        1 => PersonKind::Guest,
        2 => PersonKind::Helper,
        3 => PersonKind::Visitor,
        _ => return Err(f.bad("kind of person")),
    };
    let flags = f.u8()?;
    let length = usize::from(f.u8()?);
    if length > PERSON_NAME_BYTES_MAX {
        return Err(f.bad("length of a name"));
    }
    Ok(Person {
        seat,
        kind,
        control: flags & PERSON_CONTROLS != 0,
        may_control: flags & PERSON_MAY_CONTROL != 0,
        here: flags & PERSON_HERE != 0,
        name: f.words(length)?,
    })
}

const fn bye_code(number: u8) -> Option<ByeCode> {
    Some(match number {
        0 => ByeCode::RemoteEnded,
        1 => ByeCode::Unreachable,
        2 => ByeCode::CredentialsRefused,
        3 => ByeCode::IdentityChanged,
        4 => ByeCode::Protocol,
        5 => ByeCode::EndedByAdmin,
        6 => ByeCode::TakenOver,
        7 => ByeCode::TooSlow,
        8 => ByeCode::ServerShutdown,
        9 => ByeCode::Internal,
        10 => ByeCode::Locked,
        11 => ByeCode::TimeOver,
        12 => ByeCode::Dismissed,
        _ => return None,
    })
}

fn u16s(out: &mut Vec<u8>, values: &[u16]) {
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// The first `max` bytes of a text, cut between characters.
fn clip(text: &str, max: usize) -> &[u8] {
    let end = (0..=max.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    text.as_bytes().get(..end).unwrap_or_default()
}
