//! Why a SPICE connection could not be opened.

use crate::reader::Broken;
use oriel_pin::Fingerprint;
use oriel_screen::ByeCode;

/// Texts are for the person in front of the viewer.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A stream ended or failed while the session was opened.
    #[error(
        "the connection to the SPICE server was lost while opening the session: {0}; check that the machine is still running"
    )]
    Lost(#[source] std::io::Error),
    /// One more connection to it could not be opened.
    #[error("the SPICE server's {channel} channel could not be opened: {why}")]
    NoWay { channel: &'static str, why: String },
    #[error("what answered is not a SPICE server; check the port")]
    NotSpice,
    #[error("the SPICE server speaks version {major}.{minor}, and version 2 is needed; update the server")]
    TooOld { major: u32, minor: u32 },
    #[error("the SPICE server lacks {what}, which those since 2011 have; update the server")]
    Lacks { what: &'static str },
    #[error(
        "the SPICE server wants SASL, which Oriel does not speak with it; give the machine's screen a password (ticket) instead"
    )]
    OnlySasl,
    #[error("the SPICE server wants TLS on this port's channels; set its TLS port and turn TLS on for this machine")]
    TlsRequired,
    #[error(
        "this is the SPICE server's port without TLS, and it wants that; turn TLS off for this machine, or set its TLS port"
    )]
    TlsUnwanted,
    #[error("the SPICE server wants a password and none is set for this machine; set one and connect again")]
    PasswordRequired,
    #[error("the SPICE server refused the password, or it has run out; set the right one and connect again")]
    CredentialsRefused,
    #[error("the password is longer than the {most} bytes that a SPICE server takes; use a shorter one")]
    PasswordTooLong { most: usize },
    /// The server said no in its own number (`SPICE_LINK_ERR_…`).
    #[error(
        "the SPICE server refused its {channel} channel: error {code}; somebody else may be connected, or the machine is just starting"
    )]
    Refused { channel: &'static str, code: u32 },
    #[error("the machine has no screen on SPICE: the server offers no display channel; give it a video device")]
    NoDisplay,
    #[error(
        "this machine's identity is pinned and SPICE without TLS proves none: it may be another machine; turn TLS on, or let an \
         administrator remove the pin"
    )]
    IdentityMissing,
    #[error(
        "the SPICE server's identity changed: its SHA-256 is {seen}, expected {expected}; if the machine was reinstalled, an \
         administrator can accept the new one"
    )]
    IdentityChanged { expected: Fingerprint, seen: Fingerprint },
    /// It was met for the first time, and could not be pinned.
    #[error("{0}")]
    IdentityNotKept(String),
    #[error(
        "TLS with the SPICE server failed: {what}; check that this is its TLS port, and its TLS version (1.2 or later)"
    )]
    Tls { what: String },
    #[error("the SPICE server sent something that is not valid SPICE: {what}")]
    Protocol { what: String },
    #[error("the SPICE server ended the session while it was opened: {0}")]
    Ended(String),
    /// Our own side: its key is of no use, or no random numbers.
    #[error("could not make a ticket with the SPICE server's key, which must be RSA with 1024 bits")]
    Key,
}

impl From<Broken> for ConnectError {
    fn from(Broken(what): Broken) -> Self {
        Self::Protocol { what }
    }
}

impl ConnectError {
    /// What viewers are told.
    pub const fn bye_code(&self) -> ByeCode {
        match self {
            Self::Lost(_) | Self::NoWay { .. } | Self::Refused { .. } | Self::Ended(_) => ByeCode::Unreachable,
            Self::PasswordRequired | Self::CredentialsRefused | Self::PasswordTooLong { .. } => {
                ByeCode::CredentialsRefused
            }
            Self::IdentityMissing | Self::IdentityChanged { .. } | Self::IdentityNotKept(_) => ByeCode::IdentityChanged,
            Self::NotSpice
            | Self::TooOld { .. }
            | Self::Lacks { .. }
            | Self::OnlySasl
            | Self::TlsRequired
            | Self::TlsUnwanted
            | Self::NoDisplay
            | Self::Tls { .. }
            | Self::Protocol { .. }
            | Self::Key => ByeCode::Protocol,
        }
    }
}
