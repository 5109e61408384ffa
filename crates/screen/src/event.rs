//! What a remote screen does ([`ScreenEvent`]) and what a person does to it ([`InputEvent`]).

use crate::{Contacts, Monitors, Rect, Rich, TouchAbility};
use bytes::Bytes;

/// How the bytes of a forwarded tile are compressed. The numbers are the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TileCodec {
    /// RGB, three bytes a pixel, rows from the top.
    Raw = 0,
    Png = 1,
    Jpeg = 2,
    WebP = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum VideoCodec {
    /// Annex B byte stream, one access unit.
    H264 = 0,
    /// The same of a picture in 4:4:4 that is split into two of 4:2:0 (MS-RDPEGFX 2.2.4.5): its luma and a quarter of its
    /// colours, which are a picture by themselves. All views of a rectangle are one stream with one decoder.
    H264Main = 1,
    /// The rest of its colours, placed as MS-RDPEGFX 3.3.8.3.2 says: no picture by itself, and never a key frame.
    H264Chroma = 2,
    /// The same, placed as 3.3.8.3.3 says.
    H264ChromaV2 = 3,
}

impl VideoCodec {
    /// Whether there is nothing in it to draw without the main view.
    pub const fn is_chroma(self) -> bool {
        matches!(self, Self::H264Chroma | Self::H264ChromaV2)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AudioCodec {
    /// Signed 16 bit little endian, interleaved.
    Pcm = 0,
    Opus = 1,
}

/// Most bytes of a microphone's sound in one record: a fifth of a second of the richest format.
pub const MICROPHONE_BYTES_MAX: usize = 48_000 * 4 / 5;
/// Samples a second that a microphone may have.
pub const MICROPHONE_RATES: std::ops::RangeInclusive<u32> = 16_000..=48_000;

/// How a machine wants to hear the person's microphone: signed 16 bit little endian, interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MicrophoneFormat {
    /// 1 or 2.
    pub channels: u8,
    /// Samples a second of each channel, within [`MICROPHONE_RATES`].
    pub rate: u32,
}

impl MicrophoneFormat {
    /// The format, where it is one that browsers can make.
    pub fn new(channels: u8, rate: u32) -> Option<Self> {
        (matches!(channels, 1 | 2) && MICROPHONE_RATES.contains(&rate)).then_some(Self { channels, rate })
    }

    /// Bytes of one sample of every channel.
    pub const fn frame_bytes(self) -> usize {
        2 * self.channels as usize
    }

    /// Bytes of a second.
    pub const fn second_bytes(self) -> usize {
        self.frame_bytes() * self.rate as usize
    }
}

/// What a source says about its screen. Pixels that the source decoded are in its framebuffer already:
/// the event names only where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScreenEvent {
    /// The surface has a new size; its content is black until damaged.
    Resize {
        width: u16,
        height: u16,
    },
    /// These pixels of the framebuffer changed.
    Damage(Rect),
    /// The framebuffer moved pixels within itself (it has done so already).
    Copy {
        from_x: u16,
        from_y: u16,
        to: Rect,
    },
    /// A compressed picture that the browser can decode, forwarded untouched; the framebuffer has its pixels too, after
    /// `Source::settle`.
    Tile {
        rect: Rect,
        codec: TileCodec,
        bytes: Bytes,
    },
    /// A compressed video frame, forwarded untouched; its pixels are not in the framebuffer.
    Video {
        /// Where the decoded picture lies: its top left corner is at `x, y`. Frames of the same rectangle are one stream.
        rect: Rect,
        /// The areas of the surface that the frame changes, inside `rect`, or all of it. With an empty list the frame is
        /// decoded for those that follow and not drawn.
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
    /// RGBA with straight alpha, `width * height * 4` bytes.
    Cursor {
        hot_x: u16,
        hot_y: u16,
        width: u16,
        height: u16,
        rgba: Bytes,
    },
    CursorHidden,
    CursorDefault,
    CursorMove {
        x: u16,
        y: u16,
    },
    /// Part of a copy whose text follows.
    Rich(Rich),
    /// The text of a copy, which ends it; empty where it has none beside its other parts.
    Clipboard(String),
    /// A program on the machine records, in this format, or none does any more.
    Microphone(Option<MicrophoneFormat>),
    /// The machine takes so much of fingers and pens themselves, from now on.
    Touch(TouchAbility),
    Bell,
    /// Bit 0 scroll, 1 num, 2 caps lock.
    Leds(u8),
    /// The remote side's own name for the screen.
    Title(String),
    /// Everything since the last mark belongs to one picture.
    FrameEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TouchPhase {
    Start = 0,
    Move = 1,
    End = 2,
    Cancel = 3,
}

/// What a person does. Coordinates are pixels of the remote surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputEvent {
    /// `code`: PC scan code set 1, `0xE0xx` for extended keys, 0 unknown. `keysym`: X11 keysym, 0 unknown.
    Key {
        down: bool,
        code: u16,
        keysym: u32,
    },
    /// Bit 0 left, 1 middle, 2 right, 3 back, 4 forward.
    Pointer {
        x: u16,
        y: u16,
        buttons: u16,
    },
    /// 120 is one notch; positive `dy` scrolls down, positive `dx` right.
    Wheel {
        x: u16,
        y: u16,
        dx: i16,
        dy: i16,
    },
    Touch {
        id: u8,
        phase: TouchPhase,
        x: u16,
        y: u16,
    },
    /// Fingers or a pen themselves, for a machine that has said that it takes them ([`ScreenEvent::Touch`]); others leave it out.
    Contacts(Contacts),
    /// The viewer's window in device pixels, and its scale in per cent.
    Resize {
        width: u16,
        height: u16,
        scale: u16,
    },
    /// The same of a viewer with a window for each of several monitors.
    Monitors(Monitors),
    /// Part of a copy whose text follows.
    Rich(Rich),
    /// The text of a copy, which ends it; empty where it has none beside its other parts.
    Clipboard(String),
    /// Text from an input method: characters without keys.
    Text(String),
    /// What the person's microphone hears, as the machine asked for it.
    Microphone {
        format: MicrophoneFormat,
        samples: Bytes,
    },
    /// Every key and button is up: the window lost focus, or the viewer is gone.
    ReleaseAll,
}

/// How far a connection has come, for the viewer's waiting screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StatusCode {
    Dialling = 0,
    Authenticating = 1,
    Connected = 2,
    WaitingForMachine = 3,
}

/// What a viewer says about recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordingSign {
    /// Nothing is kept.
    Off = 0,
    /// What is seen is kept.
    On = 1,
    /// The connection waits for the person to say whether it may be.
    Asked = 2,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ByeCode {
    RemoteEnded = 0,
    Unreachable = 1,
    CredentialsRefused = 2,
    IdentityChanged = 3,
    Protocol = 4,
    EndedByAdmin = 5,
    TakenOver = 6,
    TooSlow = 7,
    ServerShutdown = 8,
    Internal = 9,
    /// Nobody touched it for too long: whoever goes on must show who they are.
    Locked = 10,
    /// It lasted as long as it may.
    TimeOver = 11,
    /// A guest was not let in, or was sent away.
    Dismissed = 12,
}
