//! The gateway: a person's viewer on one side, a machine's protocol on the other.
//!
//! ```text
//!  viewer (WebSocket) ⇄ viewer::serve ⇄ Command ⇄ connection task ⇄ Source / Shell ⇄ stream ⇄ machine
//! ```
//! One task owns one connection: its stream, its protocol, its pixels and its viewer; nothing is locked. Input has its own
//! path and is never queued behind pixels; pictures are coalesced to what a viewer acknowledges. A connection outlives its
//! viewer by [`RESUME_SECONDS`], so that a network cut or a reload costs nothing.
//!
//! Credentials come from the [`Dialler`] and stay here: the browser never sees them, nor a host or a port.

mod booked;
mod command;
mod connect;
mod crowd;
mod files;
mod identify;
mod idle;
mod interview;
mod knock;
mod lobby;
mod log_on;
pub mod memory;
mod microphone;
mod person;
mod picture;
mod program;
mod recording;
mod registry;
mod roster;
mod rules;
mod screen_recorder;
mod screen_task;
mod seat;
mod sharing;
mod tape;
mod target;
mod terminal_recorder;
mod terminal_task;
mod transcript;
mod video;
mod viewer;
pub mod worker;

pub use files::{Download, Files, TRANSFERS_MAX, Upload};
pub use idle::IdleEnd;
pub use log_on::{LogOnTimes, ROUND_TRIPS_MAX, RoundTrip, Seen};
pub use oriel_rdp::drive::PRINT_FOLDER;
pub use oriel_terminal as terminal;
pub use person::Person;
pub use recording::{Recorded, RecordingSink, Recordings};
pub use registry::{ConnectionInfo, Gateway, ViewerRequest};
pub use roster::{INVITES_MAX, Invite, KNOCKS_MAX, KnockRefusal, Present, TooManyInvites};
pub use seat::{Guest, GuestKind};
pub use sharing::{GUEST_TICKET_SECONDS, GuestTicketRefusal};
pub use target::{
    Devices, DialError, Dialler, Fingerprint, HostPin, Looks, PhysicalOptions, Preconnection, Program, Protocol,
    RdpGateway, RdpKerberos, RdpSecurity, RdpSession, RdpTarget, RemoteApp, ShellTarget, SpiceOptions, Stream, Target,
    TimeZone, VncOptions, VncSecurity, VncSecurityPolicy,
};

use std::time::Duration;

/// How long a connection lives on without a viewer.
pub const RESUME_SECONDS: u64 = 60;
/// Most live connections of one program, and of one person.
pub const CONNECTIONS_MAX: usize = 4000;
pub const CONNECTIONS_PER_USER_MAX: usize = 32;
/// A viewer that says nothing for so long is gone (it pings every 5 s).
const VIEWER_SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long dialling and authenticating may take together.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(45);
/// How often a machine that sleeps is asked whether it woke up.
const WAKE_PERIOD: Duration = Duration::from_secs(3);
/// Bytes waiting for a machine that does not read; beyond them the connection ends.
const UPSTREAM_PENDING_BYTES_MAX: usize = 8 << 20;
/// Bytes waiting for a viewer that does not read; beyond them the viewer is dropped.
const VIEWER_PENDING_BYTES_MAX: usize = 48 << 20;
/// Of each video stream that is kept for those who join late: bytes and frames since its key frame.
const VIDEO_REPLAY_BYTES_MAX: usize = 3 << 20;
const VIDEO_REPLAY_UNITS_MAX: usize = 900;
/// Video streams of one connection at once, as many as the viewer has decoders for.
const VIDEO_STREAMS_MAX: usize = oriel_screen::MONITORS_MAX;
/// Video that waits for a viewer which is behind: beyond it the viewer goes on with a key frame.
const VIDEO_HELD_BYTES_MAX: usize = 2 << 20;
const VIDEO_HELD_UNITS_MAX: usize = 90;
/// How long a source that was asked for a key frame may take before its machine is connected to anew.
const KEY_TIME_MAX: Duration = Duration::from_secs(2);
/// A viewer whose decoder fails this often gets pixels instead of video.
const VIDEO_TROUBLES_MAX: u32 = 3;
/// Messages that may wait for a viewer's socket before sound is left out.
const SOUND_BEHIND_MESSAGES_MAX: usize = 4;
/// How long a viewer that sent a part of its clipboard waits before the next is read: a part is up to 8 MiB, and a worker may be stuck for a
/// while.
const PICTURE_PERIOD: Duration = Duration::from_millis(500);
/// Messages between a connection and its viewer's socket.
const VIEWER_QUEUE_MAX: usize = 16;
/// Commands waiting for a connection; its viewer's reading stops while they do.
const COMMANDS_MAX: usize = 256;
