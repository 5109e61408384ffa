//! Why a VNC connection could not be opened.

use crate::reader::Stop;
use oriel_pin::Fingerprint;
use oriel_screen::{ByeCode, SurfaceError};

/// Texts are for the person in front of the viewer.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The stream ended or failed during the handshake.
    #[error(
        "the connection to the VNC server was lost while opening the session: {0}; check that the machine is still running"
    )]
    Lost(#[source] std::io::Error),
    #[error("what answered is not a VNC server: it greeted with {greeting:?}; check the port")]
    NotVnc { greeting: String },
    #[error("the VNC server speaks version {version}, which is older than 3.3; update the server")]
    TooOld { version: String },
    /// The server said no before asking who we are.
    #[error("the VNC server refused the connection: {reason}")]
    Refused { reason: String },
    #[error("the VNC server wants a password and none is set for this machine; set one and connect again")]
    PasswordRequired,
    #[error("the VNC server wants a user name and none is set for this machine; set one and connect again")]
    UserRequired,
    #[error("the VNC server refused the password: {reason}; set the right one and connect again")]
    CredentialsRefused { reason: String },
    #[error(
        "the user name or password is longer than the {most} bytes that this VNC server's way to sign in holds; use shorter ones"
    )]
    CredentialsTooLong { most: usize },
    #[error(
        "the VNC server offers only {offered}, of which nothing is both known to Oriel and allowed for this machine; \
         allow RSA-AES, VeNCrypt with a certificate or VNC authentication on the server"
    )]
    SecurityUnsupported { offered: String },
    /// VeNCrypt's list holds nothing for us. The protocol has no way back from it; with `others`, a new connection that
    /// leaves VeNCrypt out works ([`crate::VncOptions::without_vencrypt`]).
    #[error(
        "the VNC server's VeNCrypt offers only {offered}; its TLS types use anonymous keys, which prove nothing about who \
         answers and which Oriel's TLS does not have: give the server a certificate (X509Vnc, X509Plain or X509None)"
    )]
    VeNCryptUnusable { offered: String, others: bool },
    #[error(
        "this machine's identity is pinned and the VNC server offers only {offered}, which proves none: it may be another \
         machine; restore TLS with a certificate or RSA-AES on the server, or let an administrator remove the pin"
    )]
    IdentityMissing { offered: String },
    #[error(
        "the VNC server's identity changed: its SHA-256 is {seen}, expected {expected}; if the machine was reinstalled, an \
         administrator can accept the new one"
    )]
    IdentityChanged { expected: Fingerprint, seen: Fingerprint },
    /// It was met for the first time, and could not be pinned.
    #[error("{0}")]
    IdentityNotKept(String),
    #[error(
        "TLS with the VNC server failed: {what}; check the server's certificate and its TLS version (1.2 or later)"
    )]
    Tls { what: String },
    #[error(
        "what answered is a VNC repeater, which must be told whom to reach; set the repeater's target for this machine"
    )]
    RepeaterUnasked,
    #[error("the repeater's target {target:?} is longer than {most} bytes; use a shorter name or an ID")]
    RepeaterTarget { target: String, most: usize },
    #[error("the VNC server sent something that is not valid RFB: {what}")]
    Protocol { what: String },
    /// Our own side: no random numbers or no key.
    #[error("could not make a key for the VNC server: {what}; try again")]
    Key { what: &'static str },
    #[error("the VNC server has a screen that cannot be shown: {0}")]
    Screen(#[from] SurfaceError),
}

impl ConnectError {
    /// What viewers are told.
    pub const fn bye_code(&self) -> ByeCode {
        match self {
            Self::Lost(_) | Self::Refused { .. } => ByeCode::Unreachable,
            Self::PasswordRequired
            | Self::UserRequired
            | Self::CredentialsTooLong { .. }
            | Self::CredentialsRefused { .. } => ByeCode::CredentialsRefused,
            Self::IdentityMissing { .. } | Self::IdentityChanged { .. } | Self::IdentityNotKept(_) => {
                ByeCode::IdentityChanged
            }
            Self::Key { .. } => ByeCode::Internal,
            Self::NotVnc { .. }
            | Self::TooOld { .. }
            | Self::SecurityUnsupported { .. }
            | Self::VeNCryptUnusable { .. }
            | Self::Tls { .. }
            | Self::RepeaterUnasked
            | Self::RepeaterTarget { .. }
            | Self::Protocol { .. }
            | Self::Screen(_) => ByeCode::Protocol,
        }
    }
}

/// Why a step of the handshake failed: the server's bytes, or what they mean.
pub(crate) enum Failure {
    Connect(ConnectError),
    Stop(Stop),
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// The server broke the protocol of a way to sign in.
pub(crate) fn broken(what: impl Into<String>) -> Failure {
    Failure::Stop(Stop::Bad(what.into()))
}
