//! What the two processes say to each other: frames of a fixed head and a body.
//!
//! ```text
//! u32 length of the body   u8 kind   u64 number (viewer or question)   u64 count   body
//! ```
//! All integers little endian. Bodies are a viewer's messages as they are, records of the viewer protocol, or JSON.

use super::files;
use crate::command::{Bye, ViewerId};
use crate::seat::Seat;
use crate::target::Protocol;
use bytes::Bytes;
use oriel_model::{
    ConnectionId, DesktopId, GuestPort, MACHINE_HOST_BYTES_MAX, MACHINE_IDENTITY_BYTES_MAX, RecordingId,
    RecordingRules, SessionPolicy, UserId,
};
use oriel_screen::recording::{BlockHead, Chunk};
use oriel_screen::wire::{ServerRecord, VideoAbility, ViewerHello, ViewerRecord};
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

const HEAD_BYTES: usize = 21;
const WAKING: u8 = 48;
const DIAL_OTHER: u8 = 112;
const WAKE: u8 = 113;
const ASK_KDC: u8 = 114;
const KDC_SAID: u8 = 49;
/// Longest body: a message for a viewer, which holds a few records of at most 16 MiB.
const BODY_BYTES_MAX: usize = 64 << 20;

/// What a worker begins with.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Start {
    pub id: ConnectionId,
    pub user: UserId,
    pub desktop: DesktopId,
    pub port: GuestPort,
    pub what: What,
}

/// What a worker is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum What {
    /// A connection with its viewers.
    Connection,
    /// Only to ask the machine who it is.
    Identity,
    /// The machine's files.
    Files,
}

/// What was dialled. The stream came before, through the other socket.
#[derive(Serialize, Deserialize)]
pub(super) struct Dialled {
    pub title: String,
    pub protocol: Protocol,
    pub policy: SessionPolicy,
}

/// A recording that was begun.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begun {
    pub id: RecordingId,
    pub title: String,
    pub watermark: Option<String>,
}

pub(super) enum ToWorker {
    Start(Start),
    Attach {
        viewer: ViewerId,
        hello: ViewerHello,
        video: VideoAbility,
        seat: Seat,
        number: u8,
    },
    Detach {
        viewer: ViewerId,
    },
    Record {
        viewer: ViewerId,
        record: ViewerRecord,
    },
    End(Bye),
    Thumbnail {
        question: u64,
        width_max: u16,
    },
    Dialled {
        question: u64,
        dialled: Box<Dialled>,
    },
    Refused {
        question: u64,
        why: Bye,
    },
    /// A message left for the viewer: another may follow.
    Room {
        viewer: ViewerId,
    },
    Policy {
        question: u64,
        rules: RecordingRules,
    },
    Begun {
        question: u64,
        begun: Begun,
    },
    /// The identity that was told of is pinned from now on, or the part of the recording is kept, or all of it.
    Kept {
        question: u64,
    },
    /// The machine is woken, and may take so many seconds; 0: there is nothing to wait for.
    Waking {
        question: u64,
        seconds: u16,
    },
    /// A KDC's answer.
    KdcSaid {
        question: u64,
        answer: Bytes,
    },
    Files(files::Ask),
}

pub(super) enum FromWorker {
    /// A message for a viewer, and how many pictures there were so far.
    Said {
        viewer: ViewerId,
        pictures: u64,
        message: Bytes,
    },
    /// Nothing more will be said to this viewer.
    Left {
        viewer: ViewerId,
    },
    /// A JPEG; empty for none.
    Thumbnail {
        question: u64,
        jpeg: Bytes,
    },
    Dial {
        question: u64,
    },
    /// Wakes the machine, should it sleep.
    Wake {
        question: u64,
    },
    /// To where the machine redirects its connections.
    DialOther {
        question: u64,
        host: String,
    },
    /// A question to a KDC, with the realm that it is for.
    AskKdc {
        question: u64,
        envelope: Bytes,
    },
    /// A machine was met for the first time: 0 hops away its own, further away one on the way.
    Met {
        question: u64,
        hop: usize,
        identity: String,
    },
    /// Who the machine says it is, where that is all that was asked.
    Shown(Result<Option<String>, Bye>),
    /// Whether this connection is to be recorded.
    AskPolicy {
        question: u64,
    },
    BeginRecording {
        question: u64,
    },
    KeepPart {
        question: u64,
        chunk: Chunk,
    },
    /// Every part was handed over.
    EndRecording {
        question: u64,
    },
    Files(files::Told),
}

/// A frame as it is sent.
pub(super) struct Frame {
    kind: u8,
    number: u64,
    count: u64,
    body: Bytes,
}

impl Frame {
    pub(super) fn new(kind: u8, number: u64) -> Self {
        Self { kind, number, count: 0, body: Bytes::new() }
    }

    pub(super) fn with(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub(super) fn counting(self, count: u64) -> Self {
        Self { count, ..self }
    }

    #[cfg(test)]
    pub(super) fn parts(self) -> (u8, u64, u64, Bytes) {
        (self.kind, self.number, self.count, self.body)
    }

    /// The body may hold credentials: it is wiped when the last holder lets go of it.
    pub(super) fn json(self, value: &impl Serialize) -> Self {
        let body = Zeroizing::new(serde_json::to_vec(value).unwrap_or_default());
        Self { body: Bytes::from_owner(body), ..self }
    }
}

pub(super) fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the other process sent {what}"))
}

fn record(record: &ViewerRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

fn one_record(body: &Bytes) -> io::Result<ViewerRecord> {
    let records = ViewerRecord::decode_all(body).map_err(|error| wrong(&error.to_string()))?;
    records.into_iter().next().ok_or_else(|| wrong("no record where one was due"))
}

fn farewell(bye: &Bye) -> Vec<u8> {
    let mut bytes = Vec::new();
    ServerRecord::Bye { code: bye.code, text: bye.text.clone() }.encode(&mut bytes);
    bytes
}

fn bye(body: &Bytes) -> io::Result<Bye> {
    match ServerRecord::decode_all(body).map_err(|error| wrong(&error.to_string()))?.into_iter().next() {
        Some(ServerRecord::Bye { code, text }) => Ok(Bye { code, text }),
        _ => Err(wrong("no farewell where one was due")),
    }
}

fn identity(body: &Bytes) -> io::Result<String> {
    if body.len() > MACHINE_IDENTITY_BYTES_MAX {
        return Err(wrong("an identity that is too long"));
    }
    String::from_utf8(body.to_vec()).map_err(|_| wrong("an identity that is no text"))
}

fn envelope(body: Bytes) -> io::Result<Bytes> {
    if body.len() > oriel_kerberos::MESSAGE_BYTES_MAX {
        return Err(wrong("a message of Kerberos that is too long"));
    }
    Ok(body)
}

fn host(body: &Bytes) -> io::Result<String> {
    if body.len() > MACHINE_HOST_BYTES_MAX {
        return Err(wrong("an address that is too long"));
    }
    String::from_utf8(body.to_vec()).map_err(|_| wrong("an address that is no text"))
}

pub(super) fn json<'d, T: Deserialize<'d>>(body: &'d Bytes) -> io::Result<T> {
    serde_json::from_slice(body).map_err(|error| wrong(&format!("what cannot be read: {error}")))
}

/// A part: what its own head says of it, and its times.
fn part(times: u64, body: &Bytes) -> io::Result<Chunk> {
    let head = BlockHead::decode(body).map_err(|error| wrong(&error.to_string()))?;
    let (first_ms, last_ms) = ((times >> 32) as u32, times as u32);
    Ok(Chunk { kind: head.kind, number: head.number, first_ms, last_ms, key: head.key, bytes: body.to_vec() })
}

impl From<ToWorker> for Frame {
    fn from(message: ToWorker) -> Self {
        match message {
            ToWorker::Start(start) => Self::new(1, 0).json(&start),
            ToWorker::Attach { viewer, hello, video, seat, number } => {
                let mut body = record(&ViewerRecord::Hello(hello));
                let facts = (body.len() as u64) << 16 | u64::from(number) << 8 | u64::from(video as u8);
                body.extend(serde_json::to_vec(&seat).unwrap_or_default());
                Self::new(2, viewer).counting(facts).with(body)
            }
            ToWorker::Detach { viewer } => Self::new(3, viewer),
            ToWorker::Record { viewer, record: said } => Self::new(4, viewer).with(record(&said)),
            ToWorker::End(bye) => Self::new(5, 0).with(farewell(&bye)),
            ToWorker::Thumbnail { question, width_max } => Self::new(6, question).counting(u64::from(width_max)),
            ToWorker::Dialled { question, dialled } => Self::new(7, question).json(&dialled),
            ToWorker::Refused { question, why } => Self::new(8, question).with(farewell(&why)),
            ToWorker::Room { viewer } => Self::new(9, viewer),
            ToWorker::Policy { question, rules } => Self::new(10, question).json(&rules),
            ToWorker::Begun { question, begun } => Self::new(11, question).json(&begun),
            ToWorker::Kept { question } => Self::new(12, question),
            ToWorker::Waking { question, seconds } => Self::new(WAKING, question).counting(u64::from(seconds)),
            ToWorker::KdcSaid { question, answer } => Self::new(KDC_SAID, question).with(answer),
            ToWorker::Files(ask) => ask.into(),
        }
    }
}

impl TryFrom<Frame> for ToWorker {
    type Error = io::Error;

    fn try_from(frame: Frame) -> io::Result<Self> {
        let Frame { kind, number, count, body } = frame;
        Ok(match kind {
            1 => Self::Start(json(&body)?),
            2 => {
                let split = usize::try_from(count >> 16).unwrap_or(usize::MAX).min(body.len());
                match one_record(&body.slice(..split))? {
                    ViewerRecord::Hello(hello) => Self::Attach {
                        viewer: number,
                        hello,
                        video: match count & 0xff {
                            0 => VideoAbility::None,
                            1 => VideoAbility::H264,
                            _ => VideoAbility::H264Full,
                        },
                        seat: json(&body.slice(split..))?,
                        number: (count >> 8) as u8,
                    },
                    _ => return Err(wrong("a viewer without a hello")),
                }
            }
            3 => Self::Detach { viewer: number },
            4 => Self::Record { viewer: number, record: one_record(&body)? },
            5 => Self::End(bye(&body)?),
            6 => Self::Thumbnail { question: number, width_max: count.try_into().unwrap_or(u16::MAX) },
            7 => Self::Dialled { question: number, dialled: json(&body)? },
            8 => Self::Refused { question: number, why: bye(&body)? },
            9 => Self::Room { viewer: number },
            10 => Self::Policy { question: number, rules: json(&body)? },
            11 => Self::Begun { question: number, begun: json(&body)? },
            12 => Self::Kept { question: number },
            WAKING => Self::Waking { question: number, seconds: count.try_into().unwrap_or(u16::MAX) },
            KDC_SAID => Self::KdcSaid { question: number, answer: envelope(body)? },
            kind if files::ASKS.contains(&kind) => Self::Files(files::Ask::read(kind, number, count, body)?),
            other => return Err(wrong(&format!("a frame of kind {other}"))),
        })
    }
}

impl From<FromWorker> for Frame {
    fn from(message: FromWorker) -> Self {
        match message {
            FromWorker::Said { viewer, pictures, message } => Self::new(65, viewer).counting(pictures).with(message),
            FromWorker::Left { viewer } => Self::new(66, viewer),
            FromWorker::Thumbnail { question, jpeg } => Self::new(67, question).with(jpeg),
            FromWorker::Dial { question } => Self::new(68, question),
            FromWorker::Wake { question } => Self::new(WAKE, question),
            FromWorker::DialOther { question, host } => Self::new(DIAL_OTHER, question).with(host.into_bytes()),
            FromWorker::AskKdc { question, envelope } => Self::new(ASK_KDC, question).with(envelope),
            FromWorker::Met { question, hop, identity } => {
                Self::new(69, question).counting(hop as u64).with(identity.into_bytes())
            }
            FromWorker::Shown(Ok(identity)) => Self::new(70, 0).with(identity.unwrap_or_default().into_bytes()),
            FromWorker::Shown(Err(why)) => Self::new(71, 0).with(farewell(&why)),
            FromWorker::AskPolicy { question } => Self::new(72, question),
            FromWorker::BeginRecording { question } => Self::new(73, question),
            FromWorker::KeepPart { question, chunk } => {
                let times = u64::from(chunk.first_ms) << 32 | u64::from(chunk.last_ms);
                Self::new(74, question).counting(times).with(chunk.bytes)
            }
            FromWorker::EndRecording { question } => Self::new(75, question),
            FromWorker::Files(told) => told.into(),
        }
    }
}

impl TryFrom<Frame> for FromWorker {
    type Error = io::Error;

    fn try_from(frame: Frame) -> io::Result<Self> {
        let Frame { kind, number, count, body } = frame;
        Ok(match kind {
            65 => Self::Said { viewer: number, pictures: count, message: body },
            66 => Self::Left { viewer: number },
            67 => Self::Thumbnail { question: number, jpeg: body },
            68 => Self::Dial { question: number },
            WAKE => Self::Wake { question: number },
            DIAL_OTHER => Self::DialOther { question: number, host: host(&body)? },
            ASK_KDC => Self::AskKdc { question: number, envelope: envelope(body)? },
            69 => Self::Met {
                question: number,
                hop: usize::try_from(count).unwrap_or(usize::MAX),
                identity: identity(&body)?,
            },
            70 => Self::Shown(Ok(Some(identity(&body)?).filter(|identity| !identity.is_empty()))),
            71 => Self::Shown(Err(bye(&body)?)),
            72 => Self::AskPolicy { question: number },
            73 => Self::BeginRecording { question: number },
            74 => Self::KeepPart { question: number, chunk: part(count, &body)? },
            75 => Self::EndRecording { question: number },
            kind if files::TOLDS.contains(&kind) => Self::Files(files::Told::read(kind, number, count, body)?),
            other => return Err(wrong(&format!("a frame of kind {other}"))),
        })
    }
}

/// `None` at the end of the stream. Not to be dropped half-way.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
    let length = match from.read_u32_le().await {
        Ok(length) => length as usize,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > BODY_BYTES_MAX {
        return Err(wrong(&format!("a frame of {length} bytes; {BODY_BYTES_MAX} are allowed")));
    }
    let kind = from.read_u8().await?;
    let (number, count) = (from.read_u64_le().await?, from.read_u64_le().await?);
    // Grows as it comes: a length that is a lie costs nothing.
    let mut body = Zeroizing::new(Vec::with_capacity(length.min(64 << 10)));
    while body.len() < length {
        let missing = (length - body.len()) as u64;
        if (&mut *from).take(missing).read_buf(&mut *body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    // Only what may hold credentials is worth wiping.
    let body = if kind == 7 { Bytes::from_owner(body) } else { Bytes::from(std::mem::take(&mut *body)) };
    Ok(Some(Frame { kind, number, count, body }))
}

/// Not to be dropped half-way.
pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    let mut head = [0; HEAD_BYTES];
    let fields = [
        &(frame.body.len() as u32).to_le_bytes()[..],
        &[frame.kind],
        &frame.number.to_le_bytes(),
        &frame.count.to_le_bytes(),
    ];
    for (byte, value) in head.iter_mut().zip(fields.into_iter().flatten()) {
        *byte = *value;
    }
    let mut sent = to.write_vectored(&[IoSlice::new(&head), IoSlice::new(&frame.body)]).await?;
    if let Some(rest) = head.get(sent..) {
        to.write_all(rest).await?;
        sent = HEAD_BYTES;
    }
    to.write_all(frame.body.get(sent - HEAD_BYTES..).unwrap_or_default()).await
}
