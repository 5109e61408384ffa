//! The screen: what every graphical source (RDP, VNC, later PiKVM and recordings) becomes, and how it travels to viewers.
//!
//! A source turns remote bytes into [`ScreenEvent`]s and keeps a [`Framebuffer`]; the gateway collects damage for each
//! viewer, encodes what is dirty as tiles ([`encode`]) and frames it for the WebSocket ([`wire`]). Nothing here does
//! network or looks at a clock: bytes and state in, events out.
//!
//! ```text
//!  remote bytes ──▶ Source ──▶ ScreenEvent ──▶ Damage (per viewer) ──▶ tiles ──▶ wire records ──▶ WebSocket
//!  remote bytes ◀── Source ◀── InputEvent ◀───────────────────────────────────── wire records ◀── WebSocket
//! ```

mod clip;
mod damage;
pub mod encode;
mod event;
pub mod h264;
mod monitors;
mod people;
pub mod recording;
mod rect;
mod region;
mod source;
mod surface;
mod text;
mod touch;
pub mod wire;

pub use clip::{Pixels, Rich, png_size};
pub use damage::Damage;
pub use event::{
    AudioCodec, ByeCode, InputEvent, MICROPHONE_BYTES_MAX, MICROPHONE_RATES, MicrophoneFormat, RecordingSign,
    ScreenEvent, StatusCode, TileCodec, TouchPhase, VideoCodec,
};
pub use monitors::{MONITOR_SCALES, MONITOR_SIDE_MAX, MONITOR_SIDE_MIN, MONITORS_MAX, Monitor, Monitors};
pub use people::{PERSON_NAME_BYTES_MAX, Person, PersonKind, QuestionKind, SEATS_MAX};
pub use rect::Rect;
pub use region::{REGION_RECTS_MAX, Region};
pub use source::{PROGRAM_CLOSED, PROGRAM_NOT_RUN, Source, SourceError, Windows};
pub use surface::{Framebuffer, Surface, SurfaceError};
pub use text::with_lf;
pub use touch::{
    CONTACTS_MAX, Contact, ContactState, Contacts, PEN_BARREL, PEN_ERASER, PEN_INVERTED, PRESSURE_MAX, TouchAbility,
};

/// Largest surface side in pixels; larger sizes from a remote side are refused.
pub const SURFACE_SIDE_MAX: u16 = 8192;
/// Largest surface in pixels (two 4K monitors).
pub const SURFACE_PIXELS_MAX: u32 = 7680 * 2400;
/// Largest clipboard text either way, in bytes.
pub const CLIPBOARD_BYTES_MAX: usize = 1 << 20;
/// Largest picture on a clipboard, as PNG, in bytes.
pub const CLIPBOARD_PICTURE_BYTES_MAX: usize = 8 << 20;
/// And in pixels: a 4K screen and somewhat more.
pub const CLIPBOARD_PIXELS_MAX: u32 = 4096 * 2560;
/// Largest text from an input method or paste-as-typing, in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Largest pointer picture side in pixels.
pub const CURSOR_SIDE_MAX: u16 = 384;
/// Most areas of one video frame that are drawn.
pub const VIDEO_REGIONS_MAX: usize = 1024;
/// Frames a viewer may have unacknowledged before it only collects damage.
pub const FRAMES_IN_FLIGHT_MAX: u32 = 3;
